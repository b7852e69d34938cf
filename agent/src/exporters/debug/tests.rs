use otlp::Signal;
use otlp::write::{LogRecordFields, LogsWriter, MetricsWriter, SpanFields, TracesWriter};

use super::*;

const AT: u64 = 1_700_000_000_123_000_000;

fn check(signal: Signal, message: &[u8], verbosity: Verbosity, expected: &str) {
    let items = otlp::validate(signal, message, &otlp::Limits::default()).unwrap();
    assert_eq!(text::of(signal, items, message, verbosity), expected);
}

#[test]
fn logs_are_a_line_each() {
    let mut writer = LogsWriter::new();
    writer.resource(|resource| resource.attribute("service.name", "shop"));
    writer.scope("cart", "1.2");
    writer.record(&LogRecordFields {
        time_ns: AT,
        severity_text: "WARN",
        body: "stock is low".into(),
        attributes: &[("left", 3_i64.into())],
        ..LogRecordFields::default()
    });
    let (message, _) = writer.finish();
    let summary = format!(
        "logs: 1 log records, 1 resources, {} bytes\n",
        message.len()
    );
    check(Signal::Logs, &message, Verbosity::Basic, &summary);
    let lines = "resource service.name=shop\n  scope cart 1.2\n    \
                 2023-11-14T22:13:20.123Z WARN stock is low left=3\n";
    check(
        Signal::Logs,
        &message,
        Verbosity::Normal,
        &format!("{summary}{lines}"),
    );
}

#[test]
fn points_are_a_line_each() {
    let mut writer = MetricsWriter::new();
    writer.resource(|_| {});
    writer.scope("", "");
    writer.gauge("system.load", "{thread}", "", |points| {
        points.double(AT, 0, 0.5, &[("cpu", "all".into())]);
        points.int(0, 0, 7, &[]);
    });
    let (message, _) = writer.finish();
    let expected = format!(
        "metrics: 2 metric points, 1 resources, {} bytes\nresource\n  scope\n    \
         2023-11-14T22:13:20.123Z system.load 0.5 {{thread}} cpu=all\n    \
         - system.load 7 {{thread}}\n",
        message.len()
    );
    check(Signal::Metrics, &message, Verbosity::Normal, &expected);
}

#[test]
fn spans_are_a_line_each() {
    let mut writer = TracesWriter::new();
    writer.resource(|_| {});
    writer.scope("", "");
    writer.span(&SpanFields {
        trace_id: &[0xab; 16],
        span_id: &[1; 8],
        name: "GET /",
        start_ns: AT,
        end_ns: AT + 1_500_000,
        ..SpanFields::default()
    });
    let (message, _) = writer.finish();
    let expected = format!(
        "traces: 1 spans, 1 resources, {} bytes\nresource\n  scope\n    \
         2023-11-14T22:13:20.123Z GET / trace {} span {} took 1.5ms\n",
        message.len(),
        "ab".repeat(16),
        "01".repeat(8),
    );
    check(Signal::Traces, &message, Verbosity::Normal, &expected);
}

#[test]
fn detailed_shows_every_field() {
    let mut writer = LogsWriter::new();
    writer.resource(|_| {});
    writer.scope("", "");
    writer.record(&LogRecordFields {
        event_name: "started",
        flags: 1,
        ..Default::default()
    });
    let (message, items) = writer.finish();
    let text = text::of(Signal::Logs, items, &message, Verbosity::Detailed);
    for part in ["\"eventName\": \"started\"", "\"flags\": 1"] {
        assert!(text.contains(part), "{part} in {text}");
    }
}

#[test]
fn each_second_shows_its_first_batches_and_then_every_nth() {
    let start = clock::monotonic();
    for (thereafter, expected) in [(3, "xx..x..x"), (1, "xxxxxxxx"), (0, "xx......")] {
        let config = Config {
            sampling_thereafter: thereafter,
            ..Config::default()
        };
        let mut sampler = Sampler::new(&config);
        for second in 0..2 {
            let now = start + Duration::from_secs(second);
            let shown: String = (0..8)
                .map(|_| if sampler.is_shown(now) { 'x' } else { '.' })
                .collect();
            assert_eq!(shown, expected);
        }
    }
}

#[test]
fn an_output_that_is_a_file_is_refused_with_a_better_one() {
    let config = Config {
        output_paths: vec!["/tmp/x".to_owned()],
        ..Config::default()
    };
    assert!(config.check().unwrap_err().hint.contains("`file`"));
}
