use insta::assert_snapshot;

use super::*;
use crate::config::tests::catalog::{Fake, Small};
use crate::config::tests::{SOUND, load_text};

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
