//! The command line through the real binary.

use std::fs;
use std::path::Path;
use std::process::Output;

use tempfile::TempDir;
use tests::skybridge::command;

const CONFIG: &str = "
receivers:
  otlp:
    protocols:
      grpc:
        endpoint: 127.0.0.1:0
exporters:
  otlp_http:
    endpoint: https://collector.invalid:4318
    headers:
      authorization: Bearer verysecret
service:
  pipelines:
    traces:
      receivers: [otlp]
      exporters: [otlp_http]
";

#[test]
fn validate_says_nothing_about_a_sound_config() {
    let folder = folder_with(CONFIG);
    let output = command(folder.path(), &["validate", "--config", "config.yaml"]);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    assert_eq!(said(&output), "");
}

#[test]
fn what_print_config_prints_is_a_sound_config() {
    let folder = folder_with(CONFIG);
    let output = command(folder.path(), &["print-config", "--config", "config.yaml"]);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    fs::write(folder.path().join("printed.yaml"), &output.stdout).expect("a file");
    let output = command(folder.path(), &["validate", "--config", "printed.yaml"]);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
}

#[test]
fn print_config_prints_no_secret() {
    let folder = folder_with(CONFIG);
    let output = command(folder.path(), &["print-config", "--config", "config.yaml"]);
    assert!(said(&output).contains("collector.invalid"));
    assert!(!said(&output).contains("verysecret"), "{}", said(&output));
}

#[test]
fn components_lists_every_component_by_kind() {
    let folder = TempDir::new().expect("a folder");
    let output = command(folder.path(), &["components"]);
    assert_eq!(output.status.code(), Some(0));
    let text = said(&output);
    for (kind, components) in [
        ("receivers", ["file_log", "host_metrics", "otlp"].as_slice()),
        (
            "processors",
            &["attributes", "resource", "resource_detection"],
        ),
        (
            "exporters",
            &[
                "debug",
                "file",
                "loki",
                "otlp_grpc",
                "otlp_http",
                "prometheus",
                "prometheus_remote_write",
            ],
        ),
        ("extensions", &["file_storage", "health_check"]),
    ] {
        let section = text
            .lines()
            .skip_while(|line| *line != format!("{kind}:"))
            .skip(1)
            .take_while(|line| line.starts_with(' '));
        let listed: Vec<_> = section
            .filter_map(|line| line.trim_start_matches([' ', '-']).strip_prefix("name: "))
            .collect();
        for component in components {
            assert!(
                listed.contains(component),
                "{component} is not in {listed:?}"
            );
        }
    }
}

#[test]
fn the_version_is_that_of_the_package() {
    let folder = TempDir::new().expect("a folder");
    let output = command(folder.path(), &["--version"]);
    assert_eq!(output.status.code(), Some(0));
    assert!(
        said(&output).contains(env!("CARGO_PKG_VERSION")),
        "{}",
        said(&output)
    );
}

#[test]
fn a_wrong_argument_is_a_usage_error() {
    let folder = TempDir::new().expect("a folder");
    for arguments in [
        ["--confg=x"].as_slice(),
        &["validate", "--nonsense"],
        &["nonsense"],
    ] {
        let output = command(folder.path(), arguments);
        assert_eq!(
            output.status.code(),
            Some(2),
            "{arguments:?}: {}",
            said(&output)
        );
    }
}

#[test]
fn a_config_that_is_not_there_is_a_config_error() {
    let folder = TempDir::new().expect("a folder");
    for arguments in [
        ["validate", "--config", "absent.yaml"].as_slice(),
        &["--config", "absent.yaml"],
    ] {
        let output = command(folder.path(), arguments);
        assert_eq!(
            output.status.code(),
            Some(78),
            "{arguments:?}: {}",
            said(&output)
        );
        assert!(said(&output).contains("absent.yaml"), "{}", said(&output));
    }
}

#[test]
fn the_configs_that_the_repository_ships_are_sound() {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("the repository");
    let mut folders = vec![repository.join("collector-config")];
    let mut validated = 0;
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder)
            .expect("a folder of configs")
            .flatten()
        {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if path
                .extension()
                .is_some_and(|extension| extension == "yaml")
            {
                let output = command(
                    repository,
                    &["validate", "--config", &path.to_string_lossy()],
                );
                let name = path.display();
                assert_eq!(output.status.code(), Some(0), "{name}: {}", said(&output));
                validated += 1;
            }
        }
    }
    assert!(validated > 0, "no config found");
}

fn folder_with(config: &str) -> TempDir {
    let folder = TempDir::new().expect("a folder");
    fs::write(folder.path().join("config.yaml"), config).expect("a config file");
    folder
}

fn said(output: &Output) -> String {
    let mut text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.push_str(&String::from_utf8_lossy(&output.stderr));
    text
}
