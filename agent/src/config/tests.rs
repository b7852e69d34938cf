pub(crate) mod catalog;
mod mistakes;

use catalog::{Fake, Small};
use insta::assert_snapshot;
use proptest::prelude::*;

use super::*;

/// A sound configuration.
pub(crate) const SOUND: &str = "\
receivers:
  otlp:
    protocols:
      grpc:
exporters:
  otlp_grpc:
    endpoint: collector:4317
service:
  pipelines:
    logs:
      receivers: [otlp]
      exporters: [otlp_grpc]
";

/// One that uses every kind of component and every way to say things.
const FULL: &str = "\
extensions:
  health_check:
  file_storage/queue: { directory: /var/lib/queue, create_directory: true }
receivers:
  otlp:
    protocols:
      grpc: { endpoint: \"127.0.0.1:${env:PORT:-4317}\", max_recv_msg_size_mib: \"${env:MIB}\" }
      http:
  hostmetrics:
    collection_interval: 90s
    scrapers: { cpu: , load: {} }
  file_log/app:
    include: ${env:LOGS}
    start_at: beginning
    storage: file_storage/queue
processors:
  memory_limiter: { check_interval: 1s, limit_mib: 128 }
  batch:
exporters:
  otlp:
    endpoint: ${env:COLLECTOR}
    compression: zstd
    headers:
      authorization: Bearer hunter2
      x-token: ${env:TOKEN}
      x-default: ${env:NONE:-hunter2}
    sending_queue: { storage: file_storage/queue, sizer: bytes, queue_size: 4000000000 }
    retry_on_failure: { max_elapsed_time: 0s }
  prometheus:
    endpoint: 0.0.0.0:9464
    const_labels: { price: \"5$\", group: $1, template: \"$${x}\", quoted: \"0123\", yes: \"yes\" }
service:
  extensions: [file_storage/queue, health_check]
  telemetry:
    resource: { service.name: agent, host.id: null }
    logs: { level: warn, encoding: json }
    metrics:
      readers: [{ pull: { exporter: { prometheus: { host: 0.0.0.0, port: 8899 } } } }]
  pipelines:
    metrics:
      receivers: [hostmetrics, otlp]
      processors: [memory_limiter, batch]
      exporters: [otlp, prometheus]
    logs/app:
      receivers: [file_log/app]
      exporters: [otlp_grpc]
";

const VARIABLES: [(&str, &str); 4] = [
    ("MIB", "32"),
    ("LOGS", "[/var/log/a.log, /var/log/b.log]"),
    ("COLLECTOR", "collector:4317"),
    ("TOKEN", "sesame"),
];

/// Loads one file `collector.yaml` in a world that has [`VARIABLES`].
pub(crate) fn load_text(text: &str) -> Result<Loaded<Small>, ConfigError> {
    load_with(&[("collector.yaml", text)], &[])
}

/// Loads several files, and then `--set`s.
fn load_with(files: &[(&str, &str)], sets: &[&str]) -> Result<Loaded<Small>, ConfigError> {
    let owned = |(name, text): &(&str, &str)| ((*name).to_owned(), (*text).to_owned());
    let world = Fake {
        variables: VARIABLES.iter().map(owned).collect(),
        files: files.iter().map(owned).collect(),
    };
    let arguments = Arguments {
        configs: files.iter().map(|(name, _)| (*name).to_owned()).collect(),
        sets: sets.iter().map(|set| (*set).to_owned()).collect(),
    };
    load(&arguments, &world)
}

/// What the program relies on, for comparison; the order of the file does not matter.
fn essence(loaded: &Loaded<Small>) -> String {
    let mut settings = loaded.settings.clone();
    settings
        .receivers
        .sort_by_key(|component| component.id.clone());
    settings
        .processors
        .sort_by_key(|component| component.id.clone());
    settings
        .exporters
        .sort_by_key(|component| component.id.clone());
    settings.pipelines.sort_by_key(ToString::to_string);
    format!("{settings:#?}")
}

#[test]
fn a_sound_configuration_becomes_settings() {
    let loaded = load_text(SOUND).unwrap();
    assert!(loaded.warnings.is_empty());
    let [pipeline] = loaded.settings.pipelines.as_slice() else {
        panic!("{loaded:?}");
    };
    assert_eq!(pipeline.to_string(), "logs");
    assert_eq!(pipeline.receivers[0].to_string(), "otlp");
    assert!(loaded.settings.exporters[0].is_used);
}

#[test]
fn ids_are_canonical_and_references_hold_under_either_name() {
    let loaded = load_text(FULL).unwrap();
    let settings = &loaded.settings;
    let ids = |ids: &[ComponentId]| ids.iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(
        ids(&settings.pipelines[0].receivers),
        ["host_metrics", "otlp"]
    );
    assert_eq!(
        ids(&settings.pipelines[0].exporters),
        ["otlp_grpc", "prometheus"]
    );
    assert_eq!(ids(&settings.pipelines[1].exporters), ["otlp_grpc"]);
    assert_eq!(settings.pipelines[1].to_string(), "logs/app");
    let extensions: Vec<String> = settings
        .extensions
        .iter()
        .map(|extension| extension.id.to_string())
        .collect();
    assert_eq!(extensions, ["file_storage/queue", "health_check"]);
}

#[test]
fn the_effective_configuration_is_printed_with_references_and_without_secrets() {
    let loaded = load_text(FULL).unwrap();
    let redacted = loaded.to_yaml(PrintMode::Redacted);
    assert!(!redacted.contains("hunter2") && !redacted.contains("sesame"));
    assert_snapshot!("print_config_redacted", redacted);
    assert_snapshot!(
        "print_config_unredacted",
        loaded.to_yaml(PrintMode::Unredacted)
    );
    assert_snapshot!(
        "print_config_json",
        load_text(SOUND).unwrap().to_json(PrintMode::Redacted)
    );
}

#[test]
fn what_is_printed_is_read_as_the_same_configuration() {
    for text in [SOUND, FULL] {
        let loaded = load_text(text).unwrap();
        for printed in [
            loaded.to_yaml(PrintMode::Unredacted),
            loaded.to_json(PrintMode::Unredacted),
        ] {
            let again = load_text(&printed).unwrap_or_else(|error| panic!("{error}\n{printed}"));
            assert_eq!(essence(&again), essence(&loaded));
            assert_eq!(
                again.to_yaml(PrintMode::Unredacted),
                loaded.to_yaml(PrintMode::Unredacted)
            );
        }
    }
    let without_secrets = load_text(SOUND).unwrap();
    let again = load_text(&without_secrets.to_yaml(PrintMode::Redacted)).unwrap();
    assert_eq!(essence(&again), essence(&without_secrets));
}

#[test]
fn later_files_and_sets_win_and_keep_their_places() {
    let over = "exporters:\n  otlp_grpc: { timeout: 7s }\n";
    let files = [("base.yaml", SOUND), ("over.yaml", over)];
    let loaded = load_with(&files, &["exporters.otlp_grpc.compression=zstd"]).unwrap();
    let printed = loaded.to_yaml(PrintMode::Redacted);
    assert!(
        printed.contains("timeout: 7s") && printed.contains("compression: zstd"),
        "{printed}"
    );
    assert!(printed.contains("endpoint: collector:4317"), "{printed}");
}

#[test]
fn two_generations_of_one_name_are_two_components() {
    let text = SOUND
        .replace(
            "  otlp_grpc:",
            "  otlp: { endpoint: \"a:1\" }\n  otlp_grpc:",
        )
        .replace("exporters: [otlp_grpc]", "exporters: [otlp, otlp_grpc]");
    let loaded = load_text(&text).unwrap();
    let ids: Vec<String> = loaded
        .settings
        .exporters
        .iter()
        .map(|exporter| exporter.id.to_string())
        .collect();
    assert_eq!(ids, ["otlp", "otlp_grpc"]);
    assert_eq!(loaded.settings.pipelines[0].exporters.len(), 2);
}

proptest! {
    /// Whatever a value is, the printed configuration brings it back.
    #[test]
    fn any_value_survives_being_printed(
        endpoint in "[a-z$\\{\\}:#'\" \\\\-]{1,12}:[0-9]{1,4}",
        label in any::<String>(),
        seconds in 1..1_000_u64,
        port in 1..65_535_u16,
    ) {
        let quoted = |text: &str| serde_json::to_string(&text.replace('$', "$$")).unwrap();
        let text = SOUND.replace(
            "    endpoint: collector:4317\n",
            &format!("    endpoint: {}\n    timeout: {seconds}s\n", quoted(&endpoint)),
        );
        let text = text.replace(
            "exporters:\n  otlp_grpc",
            &format!(
                "exporters:\n  prometheus: {{ endpoint: \"127.0.0.1:{port}\", const_labels: {{ l: {} }} }}\n  otlp_grpc",
                quoted(&label.replace('\u{7f}', "")),
            ),
        );
        let loaded = load_text(&text).unwrap();
        let again = load_text(&loaded.to_yaml(PrintMode::Redacted)).unwrap();
        prop_assert_eq!(essence(&again), essence(&loaded));
    }

    /// No text is too strange: it loads or it is refused, and a refusal can be printed.
    #[test]
    fn any_text_loads_or_is_refused(text in "[a-z:{}\\[\\]$&*!|>'\"\\t\\n #,~-]{0,60}") {
        if let Err(error) = load_text(&text) {
            prop_assert!(!error.to_string().is_empty());
        }
    }
}
