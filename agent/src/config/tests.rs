mod catalog;

use catalog::{Fake, Small};

use super::*;

/// Loads one file `collector.yaml`.
fn load_file(text: &str) -> Result<Loaded<Small>, ConfigError> {
    load_with(text, &[], &[])
}

fn load_with(
    text: &str,
    variables: &[(&str, &str)],
    sets: &[&str],
) -> Result<Loaded<Small>, ConfigError> {
    let mut world = Fake::default();
    world
        .files
        .insert("collector.yaml".to_owned(), text.to_owned());
    for (name, value) in variables {
        world
            .variables
            .insert((*name).to_owned(), (*value).to_owned());
    }
    let arguments = Arguments {
        configs: vec!["collector.yaml".to_owned()],
        sets: sets.iter().map(|set| (*set).to_owned()).collect(),
    };
    load(&arguments, &world)
}

/// A sound configuration.
const SOUND: &str = "\
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

#[test]
fn a_sound_configuration_becomes_settings() {
    let loaded = load_file(SOUND).unwrap();
    assert!(loaded.warnings.is_empty());
    let [pipeline] = loaded.settings.pipelines.as_slice() else {
        panic!("{loaded:?}");
    };
    assert_eq!(pipeline.to_string(), "logs");
    assert_eq!(pipeline.receivers[0].to_string(), "otlp");
    assert!(loaded.settings.exporters[0].is_used);
}
