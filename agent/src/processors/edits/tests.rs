//! Edits as they are written, and helpers for the processors that use them.

use otlp::common::{Attributes, Value};
use otlp::write::{LogRecordFields, LogsWriter};
use pipeline::{Budget, Processor};

use super::*;

/// A batch of one log record whose resource is of host `a`, and which has an attribute.
pub(in crate::processors) fn batch() -> Batch {
    let mut writer = LogsWriter::new();
    writer.resource(|resource| {
        resource.attribute("host.name", "a");
        resource.attribute("team", "db");
    });
    writer.scope("test", "");
    writer.record(&LogRecordFields {
        body: "hello".into(),
        attributes: &[("level", "info".into())],
        ..LogRecordFields::default()
    });
    let (bytes, items) = writer.finish();
    let charge = Budget::new(1 << 20).try_charge(bytes.len()).unwrap();
    Batch::new(Signal::Logs, Payload::Plain(bytes), items, charge)
}

/// The attributes of the resource and of the record after `processor` has had its way.
pub(in crate::processors) fn after(processor: &impl Processor, batch: Batch) -> [Vec<String>; 2] {
    let Processed::Keep(batch) = processor.process(batch) else {
        panic!("the batch is dropped");
    };
    let plain = batch.payload.to_plain().unwrap();
    let resource = otlp::logs::Request::new(&plain)
        .resource_logs()
        .next()
        .unwrap();
    let scope = resource.scope_logs().next().unwrap();
    let record = scope.log_records().next().unwrap();
    assert_eq!(record.body, Value::Str("hello"));
    [
        written(&resource.resource().attributes()),
        written(&record.attributes()),
    ]
}

fn written(attributes: &Attributes<'_>) -> Vec<String> {
    let mut texts: Vec<String> = attributes
        .iter()
        .map(|attribute| match attribute.value {
            Value::Str(text) => format!("{}={text}", attribute.key),
            other => format!("{}={other:?}", attribute.key),
        })
        .collect();
    texts.sort();
    texts
}

fn list(json: serde_json::Value) -> Vec<EditConfig> {
    serde_json::from_value(json).unwrap()
}

#[test]
fn values_keep_the_type_they_are_written_with() {
    let values = list(serde_json::json!([
        {"value": "5"}, {"value": 5}, {"value": -5}, {"value": 0.5}, {"value": true},
    ]));
    let values: Vec<Scalar> = values.into_iter().map(|edit| edit.value.unwrap()).collect();
    assert_eq!(
        values,
        [
            Scalar::Text("5".to_owned()),
            Scalar::Int(5),
            Scalar::Int(-5),
            Scalar::Double(0.5),
            Scalar::Bool(true),
        ]
    );
    let too_big = serde_json::from_value::<EditConfig>(serde_json::json!({"value": u64::MAX}));
    assert!(too_big.is_err());
}

#[test]
fn what_cannot_work_is_told_with_its_place() {
    for (json, key_path, message) in [
        (serde_json::json!([]), "actions", "the list is empty"),
        (
            serde_json::json!([{"key": "a", "value": 1, "action": "insert"}, {"action": "delete"}]),
            "actions::1",
            "key is missing",
        ),
        (
            serde_json::json!([{"key": "a", "value": 1}]),
            "actions::0",
            "action is missing",
        ),
        (
            serde_json::json!([{"key": "a", "action": "upsert"}]),
            "actions::0",
            "there is no value for `a`",
        ),
        (
            serde_json::json!([{"key": "a", "action": "upsert", "value": 1, "from_attribute": "b"}]),
            "actions::0",
            "`a` is given both",
        ),
        (
            serde_json::json!([{"key": "a", "action": "delete", "value": 1}]),
            "actions::0",
            "what is deleted",
        ),
        (
            serde_json::json!([{"key": "a", "action": "hash"}]),
            "actions::0::action",
            "the action hash is not supported",
        ),
        (
            serde_json::json!([{"key": "a", "action": "extract", "pattern": "x"}]),
            "actions::0::action",
            "the action extract is not supported",
        ),
        (
            serde_json::json!([{"pattern": "^x", "action": "delete"}]),
            "actions::0::pattern",
            "pattern is not supported",
        ),
        (
            serde_json::json!([{"key": "a", "action": "insert", "from_context": "auth.x"}]),
            "actions::0::from_context",
            "from_context is not supported",
        ),
    ] {
        let problem = compile("actions", &list(json)).unwrap_err();
        assert_eq!(problem.key_path, key_path);
        assert!(problem.message.starts_with(message), "{problem:?}");
    }
}

#[test]
fn what_does_not_inflate_is_dropped_and_counted() {
    let charge = Budget::new(10).try_charge(1).unwrap();
    let payload = Payload::Zstd {
        frames: Bytes::from_static(b"no frame"),
        plain_size_bytes: 7,
    };
    let batch = Batch::new(Signal::Logs, payload, 3, charge);
    let processed = apply(batch, &[], otlp::edit::edit_resources);
    assert!(matches!(
        processed,
        Processed::Drop {
            items: 3,
            reason: UNREADABLE
        }
    ));
}
