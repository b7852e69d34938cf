use opentelemetry_proto::tonic::collector::{
    logs::v1::ExportLogsServiceRequest, metrics::v1::ExportMetricsServiceRequest,
    trace::v1::ExportTraceServiceRequest,
};
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value};
use opentelemetry_proto::tonic::metrics::v1::metric;
use proptest::prelude::*;
use prost::Message;

use super::*;
use crate::wire::{put_len_field, put_varint_field};
use crate::write::AttributeValue;
use crate::{Limits, arbitrary, validate};

/// The same edits as the crate knows them and as a plain function.
fn edits() -> Vec<AttributeEdit> {
    vec![
        AttributeEdit::set(Action::Insert, "service.name", "inserted"),
        AttributeEdit::set(Action::Update, "key7", 7_i64),
        AttributeEdit::delete("key1"),
        AttributeEdit::set(Action::Upsert, "upserted", true),
        AttributeEdit::copy(Action::Upsert, "copy", "service.name"),
        AttributeEdit::copy(Action::Insert, "nothing", "no such key"),
    ]
}

fn apply(attributes: &mut Vec<KeyValue>) {
    fn find<'a>(attributes: &'a mut [KeyValue], key: &str) -> Option<&'a mut KeyValue> {
        attributes.iter_mut().find(|attribute| attribute.key == key)
    }
    fn attribute(key: &str, value: any_value::Value) -> KeyValue {
        KeyValue {
            key: key.into(),
            value: Some(AnyValue { value: Some(value) }),
            key_strindex: 0,
        }
    }
    if find(attributes, "service.name").is_none() {
        let value = any_value::Value::StringValue("inserted".into());
        attributes.push(attribute("service.name", value));
    }
    if let Some(found) = find(attributes, "key7") {
        *found = attribute("key7", any_value::Value::IntValue(7));
    }
    attributes.retain(|attribute| attribute.key != "key1");
    attributes.push(attribute("upserted", any_value::Value::BoolValue(true)));
    let mut copy = find(attributes, "service.name").unwrap().clone();
    copy.key = "copy".into();
    attributes.push(copy);
}

/// Applies `edit` to the attributes of every item.
fn each_point(request: &mut ExportMetricsServiceRequest, edit: fn(&mut Vec<KeyValue>)) {
    use metric::Data;
    (request.resource_metrics.iter_mut())
        .flat_map(|group| &mut group.scope_metrics)
        .flat_map(|group| &mut group.metrics)
        .filter_map(|metric| metric.data.as_mut())
        .for_each(|data| match data {
            Data::Gauge(data) => {
                (data.data_points.iter_mut()).for_each(|point| edit(&mut point.attributes));
            }
            Data::Sum(data) => {
                (data.data_points.iter_mut()).for_each(|point| edit(&mut point.attributes));
            }
            Data::Histogram(data) => {
                (data.data_points.iter_mut()).for_each(|point| edit(&mut point.attributes));
            }
            Data::ExponentialHistogram(data) => {
                (data.data_points.iter_mut()).for_each(|point| edit(&mut point.attributes));
            }
            Data::Summary(data) => {
                (data.data_points.iter_mut()).for_each(|point| edit(&mut point.attributes));
            }
        });
}

proptest! {
    #[test]
    fn resources_are_edited_as_a_decoder_would(entropy in arbitrary::entropy()) {
        let mut request = arbitrary::logs(&entropy);
        let edited = edit_resources(Signal::Logs, &request.encode_to_vec(), &edits());
        for group in &mut request.resource_logs {
            apply(&mut group.resource.get_or_insert_default().attributes);
        }
        prop_assert_eq!(ExportLogsServiceRequest::decode(edited).unwrap(), request);
    }

    #[test]
    fn attributes_of_records_are_edited_as_a_decoder_would(entropy in arbitrary::entropy()) {
        let mut request = arbitrary::logs(&entropy);
        let edited = edit_attributes(Signal::Logs, &request.encode_to_vec(), &edits());
        (request.resource_logs.iter_mut())
            .flat_map(|group| &mut group.scope_logs)
            .flat_map(|group| &mut group.log_records)
            .for_each(|record| apply(&mut record.attributes));
        prop_assert_eq!(ExportLogsServiceRequest::decode(edited).unwrap(), request);
    }

    #[test]
    fn attributes_of_spans_are_edited_as_a_decoder_would(entropy in arbitrary::entropy()) {
        let mut request = arbitrary::traces(&entropy);
        let edited = edit_attributes(Signal::Traces, &request.encode_to_vec(), &edits());
        (request.resource_spans.iter_mut())
            .flat_map(|group| &mut group.scope_spans)
            .flat_map(|group| &mut group.spans)
            .for_each(|span| apply(&mut span.attributes));
        prop_assert_eq!(ExportTraceServiceRequest::decode(edited).unwrap(), request);
    }

    #[test]
    fn attributes_of_points_are_edited_as_a_decoder_would(entropy in arbitrary::entropy()) {
        let mut request = arbitrary::metrics(&entropy);
        let edited = edit_attributes(Signal::Metrics, &request.encode_to_vec(), &edits());
        each_point(&mut request, apply);
        prop_assert_eq!(ExportMetricsServiceRequest::decode(edited).unwrap(), request);
    }

    #[test]
    fn without_edits_nothing_changes(entropy in arbitrary::entropy()) {
        for signal in Signal::ALL {
            let bytes = arbitrary::request(signal, &entropy);
            prop_assert_eq!(&edit_resources(signal, &bytes, &[]), &bytes);
            prop_assert_eq!(&edit_attributes(signal, &bytes, &[]), &bytes);
            let (kept, items) = remove_items(signal, &bytes, |_, _| false);
            prop_assert_eq!(Ok(items), validate(signal, &bytes, &Limits::default()));
            prop_assert_eq!(&kept, &bytes);
        }
    }

    #[test]
    fn unknown_fields_survive_every_edit(entropy in arbitrary::entropy()) {
        let added = [AttributeEdit::set(Action::Insert, "no such key", 1_i64)];
        for signal in Signal::ALL {
            let bytes = arbitrary::with_unknown_fields(signal, &arbitrary::request(signal, &entropy));
            let unknown = arbitrary::count_unknown_fields(signal, &bytes);
            for edited in [
                edit_resources(signal, &bytes, &added),
                edit_attributes(signal, &bytes, &added),
                remove_items(signal, &bytes, |_, _| false).0,
            ] {
                prop_assert_eq!(arbitrary::count_unknown_fields(signal, &edited), unknown);
                prop_assert!(validate(signal, &edited, &Limits::default()).is_ok());
            }
        }
    }

    #[test]
    fn removed_items_are_gone_and_the_others_stay(entropy in arbitrary::entropy(), bits: u64) {
        let mut request = arbitrary::traces(&entropy);
        let remove = |index: u32| bits >> (index % 64) & 1 == 1;
        let (bytes, items) =
            remove_items(Signal::Traces, &request.encode_to_vec(), |index, _| remove(index));
        let mut index = 0;
        request.resource_spans.retain_mut(|group| {
            let had_scopes = group.scope_spans.iter().any(|scope| !scope.spans.is_empty());
            group.scope_spans.retain_mut(|scope| {
                let had_spans = !scope.spans.is_empty();
                scope.spans.retain(|_| {
                    index += 1;
                    !remove(index - 1)
                });
                !had_spans || !scope.spans.is_empty()
            });
            !had_scopes || group.scope_spans.iter().any(|scope| !scope.spans.is_empty())
        });
        prop_assert_eq!(Ok(items), validate(Signal::Traces, &bytes, &Limits::default()));
        prop_assert_eq!(ExportTraceServiceRequest::decode(bytes).unwrap(), request);
    }
}

#[test]
fn every_kind_of_value_can_be_set() {
    let list = [1_i64.into(), "x".into()];
    let map = [("k", 0.5.into())];
    for value in [
        AttributeValue::Empty,
        "text".into(),
        true.into(),
        i64::MIN.into(),
        0.25.into(),
        (&b"\0"[..]).into(),
        AttributeValue::Array(&list),
        AttributeValue::Map(&map),
    ] {
        let edit = AttributeEdit::set(Action::Insert, "key", value);
        let bytes = edit_resources(Signal::Logs, &[0x0a, 0], &[edit]);
        assert_eq!(validate(Signal::Logs, &bytes, &Limits::default()), Ok(0));
        let request = crate::logs::Request::new(&bytes);
        let resource = request.resource_logs().next().unwrap().resource();
        assert!(resource.attributes().get("key").is_some(), "{value:?}");
    }
}

#[test]
fn a_resource_that_would_stay_empty_is_not_made() {
    let edits = [
        AttributeEdit::delete("key"),
        AttributeEdit::set(Action::Update, "key", 1_i64),
    ];
    assert_eq!(
        edit_resources(Signal::Metrics, &[0x0a, 0], &edits)[..],
        [0x0a, 0]
    );
}

#[test]
fn unknown_fields_survive_edits_and_attributes_stay_together() {
    let mut record = Vec::new();
    put_len_field(&mut record, 6, &[0x0a, 1, b'a']);
    put_varint_field(&mut record, 99, 1);
    let mut scope = Vec::new();
    put_varint_field(&mut scope, 98, 2);
    put_len_field(&mut scope, 2, &record);
    let mut resource = Vec::new();
    put_len_field(&mut resource, 2, &scope);
    put_varint_field(&mut resource, 97, 3);
    let mut bytes = Vec::new();
    put_len_field(&mut bytes, 1, &resource);

    let edits = [AttributeEdit::set(Action::Upsert, "b", "c")];
    let edited = edit_attributes(Signal::Logs, &bytes, &edits);
    let added = [0x32, 8, 0x0a, 1, b'b', 0x12, 3, 0x0a, 1, b'c'];
    let at = edited
        .windows(2)
        .position(|bytes| bytes == [0x32, 3])
        .unwrap()
        + 5;
    assert_eq!(edited[at..at + added.len()], added);
    assert_eq!(edited.len(), bytes.len() + added.len());
    for field in [&[0x98, 0x06, 1][..], &[0x90, 0x06, 2], &[0x88, 0x06, 3]] {
        assert!(edited.windows(3).any(|bytes| bytes == field));
    }
}
