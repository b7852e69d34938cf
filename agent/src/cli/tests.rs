use insta::assert_snapshot;

use super::*;
use crate::config::tests::catalog::{Fake, Small};
use crate::config::tests::{SOUND, load_text};
use crate::config::{Family, PrintMode, node, to_yaml};

/// Exit codes that the programs of a test return, to be told from those of commands.
const RAN: u8 = 40;
const SHOWN: u8 = 41;

const PROGRAMS: Programs<Small> = Programs {
    run: |loaded| {
        assert_eq!(loaded.settings.pipelines.len(), 1);
        ExitCode::from(RAN)
    },
    demo: |_| ExitCode::from(SHOWN),
};

/// Whether `skybridge` with these arguments ends with this code.
fn ends_with(code: u8, arguments: &[&str]) -> bool {
    let mut world = Fake::default();
    for (name, text) in [
        ("sound.yaml", SOUND),
        ("broken.yaml", "receivers: ["),
        ("half.yaml", "exporters:\n  otlp_grpc: { timeout: 5s }\n"),
    ] {
        world.files.insert(name.to_owned(), text.to_owned());
    }
    let arguments = ["skybridge"].iter().chain(arguments).map(OsString::from);
    format!("{:?}", execute(arguments, &world, &PROGRAMS)) == format!("{:?}", ExitCode::from(code))
}

#[test]
fn a_configuration_without_a_command_is_run() {
    assert!(ends_with(RAN, &["--config", "sound.yaml"]));
    assert!(ends_with(RAN, &["--config=sound.yaml"]));
    assert!(ends_with(RAN, &["-c", "file:sound.yaml"]));
    assert!(ends_with(RAN, &["run", "--config", "sound.yaml"]));
    assert!(ends_with(RAN, &["--config", "sound.yaml", "run"]));
    assert!(ends_with(
        RAN,
        &["--config=sound.yaml", "--feature-gates=-a,+b"]
    ));
}

#[test]
fn what_is_named_before_and_after_the_command_is_put_together() {
    assert!(ends_with(
        0,
        &[
            "--config",
            "sound.yaml",
            "validate",
            "--config",
            "half.yaml"
        ]
    ));
    assert!(ends_with(
        78,
        &[
            "--config",
            "broken.yaml",
            "validate",
            "--config",
            "sound.yaml"
        ]
    ));
    assert!(ends_with(
        78,
        &[
            "--set",
            "exporters.otlp_grpc.x=1",
            "validate",
            "--config",
            "sound.yaml"
        ]
    ));
}

#[test]
fn exit_codes_tell_usage_from_configuration() {
    for arguments in [
        &["validate"][..],
        &["run"],
        &["print-config"],
        &["--set", "a=b"],
        &["nonsense"],
        &["--nonsense"],
        &["--config"],
        &[],
    ] {
        assert!(ends_with(2, arguments), "{arguments:?}");
    }
    assert!(ends_with(78, &["validate", "--config", "missing.yaml"]));
    assert!(ends_with(78, &["validate", "--config", "broken.yaml"]));
    assert!(ends_with(78, &["--config", "half.yaml"]));
    assert!(ends_with(
        78,
        &["validate", "--config", "sound.yaml", "--set", "nothing"]
    ));
    assert!(ends_with(0, &["validate", "--config", "sound.yaml"]));
    assert!(ends_with(0, &["--version"]));
    assert!(ends_with(0, &["--help"]));
    assert!(ends_with(0, &["components"]));
    assert!(ends_with(0, &["featuregate"]));
    assert!(ends_with(SHOWN, &["demo", "--for", "3s"]));
}

#[test]
fn a_configuration_is_printed_in_the_format_asked_for() {
    let rendered = |arguments: &[&str]| {
        let arguments = ["skybridge", "print-config", "--config", "x"]
            .iter()
            .chain(arguments);
        match Cli::try_parse_from(arguments).unwrap().command {
            Some(Command::PrintConfig(print_config)) => {
                print_config.render(&load_text(SOUND).unwrap())
            }
            other => panic!("{other:?}"),
        }
    };
    assert!(rendered(&[]).starts_with("exporters:\n"));
    assert!(rendered(&["--format=yaml", "--mode=unredacted"]).starts_with("exporters:\n"));
    assert!(rendered(&["--format=json", "--validate=true"]).starts_with("{\n"));
}

#[test]
fn components_are_listed_with_their_signals() {
    let list = components::list::<Small>().replace(env!("CARGO_PKG_VERSION"), "VERSION");
    assert_snapshot!("components", list);
}

/// What a component's options are after they were printed and read again.
fn read_again<F: Family>(type_name: &str, config: &F) -> F {
    let mut options = config.options().print();
    without_nulls(&mut options);
    let body = node(&to_yaml(&options));
    let decoded = F::decode(type_name, &body).expect("the type is known");
    decoded.unwrap_or_else(|mistake| panic!("{type_name}: {mistake}\n{options:#}"))
}

/// Options that are not set are not printed.
fn without_nulls(value: &mut serde_json::Value) {
    if let serde_json::Value::Object(entries) = value {
        entries.retain(|_, value| !value.is_null());
        entries.values_mut().for_each(without_nulls);
    }
}

fn check_family<F: Family>() {
    for of_type in F::TYPES {
        let empty = F::decode(of_type.name, &node("")).expect("the type is known");
        let config = empty.unwrap_or_else(|mistake| panic!("{}: {mistake}", of_type.name));
        let again = read_again(of_type.name, &config);
        assert_eq!(format!("{again:#?}"), format!("{config:#?}"));
    }
    assert!(F::TYPES.is_sorted_by_key(|of_type| of_type.name));
}

#[test]
fn the_defaults_of_every_component_are_read_as_they_are_printed() {
    check_family::<<Components as Catalog>::Receiver>();
    check_family::<<Components as Catalog>::Processor>();
    check_family::<<Components as Catalog>::Exporter>();
    check_family::<<Components as Catalog>::Extension>();
}

#[test]
fn components_tell_their_mistakes_like_the_rest() {
    let receivers = "\
receivers:
  otlp: { protocols: {} }
  otlp/misspelt: { protocols: { grpcc: } }
  host_metrics: { scrapers: { cpu: { metrics: { system.cpu.tim: { enabled: true } } } } }
  file_log: { include: [/var/log/syslog], start_at: begining }
";
    let others = "\
processors:
  resource: { attributes: [{ key: a, action: upsert }] }
exporters:
  otlp_grpc:
  otlp_http: { endpoint: collector }
  prometheus: { endpoint: \"0.0.0.0:9464\", tls: { cert_fiel: x } }
service:
  pipelines:
    metrics: { receivers: [otlp], exporters: [otlp_grpc] }
";
    let arguments = Arguments {
        configs: vec![format!("yaml:{receivers}{others}")],
        sets: Vec::new(),
    };
    let refused = config::load::<Components>(&arguments, &Fake::default());
    assert_snapshot!("mistakes", refused.expect_err("refused").to_string());
}

/// The two configs of the demo name most components there are.
#[test]
fn the_demo_prints_as_it_is_read() {
    let world = Fake {
        variables: [("DEMO_DIRECTORY".to_owned(), "/tmp/demo".to_owned())].into(),
        ..Fake::default()
    };
    let load = |text: &str| {
        let arguments = Arguments {
            configs: vec![format!("yaml:{text}")],
            sets: Vec::new(),
        };
        let loaded = config::load::<Components>(&arguments, &world);
        loaded.unwrap_or_else(|error| panic!("{error}"))
    };
    for text in [
        include_str!("../../../collector-config/demo/agent.yaml"),
        include_str!("../../../collector-config/demo/collector.yaml"),
    ] {
        let loaded = load(text);
        for mode in [PrintMode::Redacted, PrintMode::Unredacted] {
            let printed = loaded.to_yaml(mode);
            let again = load(&printed);
            assert_eq!(again.to_yaml(mode), printed);
            assert_eq!(
                again.to_yaml(PrintMode::Unredacted),
                loaded.to_yaml(PrintMode::Unredacted)
            );
        }
    }
}

#[test]
fn the_command_line_is_consistent() {
    Cli::command().debug_assert();
}

#[test]
fn a_gate_that_would_change_the_configuration_is_named() {
    let told = |gates: &str| {
        let arguments = [
            "skybridge",
            "--config=x",
            &format!("--feature-gates={gates}"),
        ]
        .map(OsString::from);
        let cli = Cli::try_parse_from(arguments).unwrap();
        cli.config.feature_gates().unwrap().to_string()
    };
    assert_snapshot!(told("+service.x,-y"), @"warning: feature gates have no effect: +service.x, -y");
    assert!(told(APPEND_GATE).contains("replaces"));
}
