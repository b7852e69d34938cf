//! Each way to get a configuration wrong, with its message as a golden file.
//!
//! Read them aloud: they are what a person sees at three in the morning.

use insta::assert_snapshot;

use super::{SOUND, load_text, load_with};

/// The messages that `text` gets, errors and warnings.
fn told(text: &str) -> String {
    match load_text(text) {
        Err(error) => error.to_string(),
        Ok(loaded) => {
            let warnings = loaded.warnings.iter().map(ToString::to_string);
            warnings.collect::<Vec<_>>().join("\n\n")
        }
    }
}

/// [`SOUND`] with one piece replaced.
fn but(piece: &str, with: &str) -> String {
    assert!(SOUND.contains(piece), "{piece}");
    SOUND.replace(piece, with)
}

#[test]
fn mistakes_in_one_component() {
    let endpoint = "endpoint: collector:4317";
    assert_snapshot!(
        "misspelt_key",
        told(&but(endpoint, "endpont: collector:4317"))
    );
    assert_snapshot!(
        "misspelt_key_in_a_block",
        told(&but(endpoint, "endpoint: c:1\n    tls: { insecur: true }"))
    );
    assert_snapshot!(
        "wrong_type",
        told(&but(
            endpoint,
            "endpoint: c:1\n    sending_queue: { num_consumers: many }"
        ))
    );
    assert_snapshot!(
        "bool_like_word",
        told(&but(endpoint, "endpoint: c:1\n    tls: { insecure: yes }"))
    );
    assert_snapshot!(
        "no_unit",
        told(&but(endpoint, "endpoint: c:1\n    timeout: 5"))
    );
    assert_snapshot!(
        "wrong_unit",
        told(&but(endpoint, "endpoint: c:1\n    timeout: 5 sec"))
    );
    assert_snapshot!(
        "unknown_choice",
        told(&but(endpoint, "endpoint: c:1\n    compression: ztsd"))
    );
    assert_snapshot!("scalar_for_a_block", told(&but(endpoint, "collector:4317")));
    assert_snapshot!("no_protocol", told(&but("      grpc:\n", "")));
    assert_snapshot!("no_endpoint", told(&but(endpoint, "compression: zstd")));
    assert_snapshot!(
        "endpoint_from_a_variable_that_is_not_set",
        told(&but(endpoint, "endpoint: ${env:COLLECTR}"))
    );
    assert_snapshot!(
        "queue_on_disk_that_waits_for_results",
        told(&but(
            endpoint,
            "endpoint: c:1\n    sending_queue: { wait_for_result: true, storage: file_storage }"
        ))
    );
}

#[test]
fn mistakes_about_which_components_there_are() {
    assert_snapshot!(
        "unknown_component",
        told(&but("  otlp_grpc:", "  otlp_grcp:"))
    );
    assert_snapshot!(
        "unsupported_component",
        told(&but("  otlp_grpc:", "  kafka:"))
    );
    assert_snapshot!(
        "missing_reference",
        told(&but("[otlp_grpc]", "[otlp_grpc/2]"))
    );
    assert_snapshot!(
        "reference_to_another_kind",
        told(&but("receivers: [otlp]", "receivers: [otlp_grpc]"))
    );
    assert_snapshot!(
        "bad_component_id",
        told(&but("  otlp_grpc:", "  otlp-grpc:"))
    );
    assert_snapshot!(
        "connector",
        told(&format!("connectors:\n  spanmetrics:\n{SOUND}"))
    );
    assert_snapshot!(
        "missing_extension",
        told(&but(
            "endpoint: collector:4317",
            "endpoint: c:1\n    sending_queue: { storage: file_storage }"
        ))
    );
    assert_snapshot!(
        "extension_that_is_not_enabled",
        told(&format!(
            "extensions:\n  file_storage:\n{}",
            but(
                "endpoint: collector:4317",
                "endpoint: c:1\n    sending_queue: { storage: file_storage }"
            )
        ))
    );
}

#[test]
fn mistakes_about_pipelines() {
    assert_snapshot!("unknown_signal", told(&but("    logs:", "    log:")));
    assert_snapshot!("profiles", told(&but("    logs:", "    profiles:")));
    assert_snapshot!("no_receiver", told(&but("      receivers: [otlp]\n", "")));
    assert_snapshot!("no_exporter", told(&but("[otlp_grpc]", "[]")));
    assert_snapshot!(
        "id_instead_of_a_list",
        told(&but("receivers: [otlp]", "receivers: otlp"))
    );
    assert_snapshot!(
        "misspelt_pipeline_key",
        told(&but("      exporters:", "      exporter:"))
    );
    assert_snapshot!(
        "processor_twice",
        told(&format!(
            "processors:\n  batch:\n{}",
            but(
                "receivers: [otlp]",
                "receivers: [otlp]\n      processors: [batch, batch]"
            )
        ))
    );
    assert_snapshot!(
        "signal_that_a_component_does_not_carry",
        told(
            &but("receivers: [otlp]", "receivers: [otlp, host_metrics]").replace(
                "receivers:\n  otlp:",
                "receivers:\n  host_metrics:\n  otlp:"
            )
        )
    );
    assert_snapshot!(
        "one_address_twice",
        told(&but(
            "      grpc:\n",
            "      grpc: { endpoint: \"0.0.0.0:4318\" }\n      http:\n"
        ))
    );
    assert_snapshot!(
        "address_of_the_own_metrics",
        told(&but(
            "      grpc:\n",
            "      grpc: { endpoint: localhost:8888 }\n"
        ))
    );
}

#[test]
fn mistakes_about_the_shape_of_the_file() {
    assert_snapshot!("empty_file", told("# nothing yet\n"));
    assert_snapshot!(
        "unknown_top_level_key",
        told(&but("exporters:\n  otlp", "exporter:\n  otlp"))
    );
    assert_snapshot!(
        "no_service",
        told("receivers:\n  otlp: { protocols: { grpc: } }\n")
    );
    assert_snapshot!("no_pipelines", told("receivers: {}\nservice: {}\n"));
    assert_snapshot!(
        "duplicate_key",
        told(&but("exporters:\n  otlp", "receivers:\n  otlp"))
    );
    assert_snapshot!("tab", told(&but("    protocols:", "\tprotocols:")));
    assert_snapshot!("not_yaml", told(&but("[otlp_grpc]", "[otlp_grpc")));
    assert_snapshot!(
        "missing_colon",
        told(&but("    protocols:", "    protocols"))
    );
    assert_snapshot!(
        "unclosed_quote",
        told(&but("collector:4317", "\"collector:4317"))
    );
    let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..9 {
        bomb.push_str(&format!(
            "a{level}: &a{level} [{}]\n",
            format!("*a{}, ", level - 1).repeat(10)
        ));
    }
    assert_snapshot!("alias_bomb", told(&bomb));
    assert_snapshot!(
        "several_mistakes",
        told(
            &but("endpoint: collector:4317", "endpont: c:1")
                .replace("      grpc:", "      grcp:")
                .replace("logs", "log")
        )
    );
}

#[test]
fn mistakes_about_substitution() {
    let endpoint = "collector:4317";
    assert_snapshot!(
        "variable_that_begins_with_a_digit",
        told(&but(endpoint, "collector:${1}"))
    );
    assert_snapshot!(
        "reference_in_braces_without_quotes",
        told(&but(
            "      grpc:\n",
            "      grpc: { endpoint: ${env:HOST}:4317 }\n"
        ))
    );
    assert_snapshot!(
        "reference_that_is_not_closed",
        told(&but(endpoint, "collector:${env:PORT"))
    );
    assert_snapshot!(
        "reference_over_http",
        told(&but(endpoint, "${https://example.com/endpoint}"))
    );
    assert_snapshot!(
        "file_that_is_not_there",
        told(&but(endpoint, "${file:/run/endpoint}"))
    );
    assert_snapshot!(
        "unset_variable",
        told(&but(
            "otlp_grpc:\n",
            "otlp_grpc:\n    compression: ${env:COMPRESSION}\n"
        ))
    );
    assert_snapshot!(
        "value_of_a_variable",
        told(&but(
            "otlp_grpc:\n",
            "otlp_grpc:\n    timeout: ${env:TOKEN}\n"
        ))
    );
}

#[test]
fn warnings() {
    assert_snapshot!(
        "unused_component",
        told(&format!("processors:\n  batch:\n{SOUND}"))
    );
    assert_snapshot!(
        "unused_extension",
        told(&format!("extensions:\n  health_check:\n{SOUND}"))
    );
    assert_snapshot!("old_names", told(&SOUND.replace("otlp_grpc", "otlp")));
    assert_snapshot!(
        "telemetry_without_effect",
        told(&but(
            "service:\n",
            "service:\n  telemetry:\n    metrics: { address: \":8888\", views: [{}] }\n"
        ))
    );
}

#[test]
fn mistakes_on_the_command_line() {
    let refused = |files: &[(&str, &str)], sets: &[&str]| {
        load_with(files, sets).expect_err("refused").to_string()
    };
    let sound = [("collector.yaml", SOUND)];
    assert_snapshot!(
        "set_without_equals_sign",
        refused(&sound, &["exporters.otlp_grpc.timeout"])
    );
    assert_snapshot!(
        "set_with_an_empty_key",
        refused(&sound, &["exporters..timeout=5s"])
    );
    assert_snapshot!(
        "set_to_a_wrong_value",
        refused(&sound, &["exporters.otlp_grpc.timeout=5"])
    );
    assert_snapshot!(
        "set_of_an_unknown_key",
        refused(&sound, &["exporters.otlp_grpc.timout=5s"])
    );
    let over = [
        ("collector.yaml", SOUND),
        ("over.yaml", "exporters:\n  otlp_grpc:\n    endpoint: [a]\n"),
    ];
    assert_snapshot!("mistake_in_the_second_of_two_files", refused(&over, &[]));
}

#[test]
fn mistakes_about_which_files_there_are() {
    use super::{Arguments, Fake, Small};
    let refused = |config: &str| {
        let arguments = Arguments {
            configs: vec![config.to_owned()],
            sets: Vec::new(),
        };
        let loaded = super::load::<Small>(&arguments, &Fake::default());
        loaded.expect_err("refused").to_string()
    };
    assert_snapshot!("unknown_file", refused("/etc/skybridge/colector.yaml"));
    assert_snapshot!("unknown_scheme", refused("s3:bucket/collector.yaml"));
    assert_snapshot!("misspelt_scheme", refused("flie:collector.yaml"));
    assert_snapshot!("http_scheme", refused("https://example.com/collector.yaml"));
    assert_snapshot!(
        "variable_without_a_configuration",
        refused("env:COLLECTOR_CONFIG")
    );
}
