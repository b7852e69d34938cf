use opentelemetry_proto::tonic::collector::{
    logs::v1::ExportLogsServiceRequest, metrics::v1::ExportMetricsServiceRequest,
    trace::v1::ExportTraceServiceRequest,
};
use proptest::collection::vec;
use proptest::prelude::*;
use prost::Message as _;

use super::*;
use crate::wire::put_len_field;
use crate::{arbitrary, count_items};

/// Whether prost takes `bytes`, and how many items it then sees.
fn prost_items(signal: Signal, bytes: &[u8]) -> Option<u32> {
    let items = match signal {
        Signal::Metrics => metric_points(&ExportMetricsServiceRequest::decode(bytes).ok()?),
        Signal::Logs => (ExportLogsServiceRequest::decode(bytes)
            .ok()?
            .resource_logs
            .iter())
        .flat_map(|group| &group.scope_logs)
        .map(|group| group.log_records.len())
        .sum(),
        Signal::Traces => (ExportTraceServiceRequest::decode(bytes)
            .ok()?
            .resource_spans
            .iter())
        .flat_map(|group| &group.scope_spans)
        .map(|group| group.spans.len())
        .sum(),
    };
    Some(u32::try_from(items).unwrap())
}

fn metric_points(request: &ExportMetricsServiceRequest) -> usize {
    use opentelemetry_proto::tonic::metrics::v1::metric::Data;
    (request.resource_metrics.iter())
        .flat_map(|group| &group.scope_metrics)
        .flat_map(|group| &group.metrics)
        .map(|metric| match &metric.data {
            None => 0,
            Some(Data::Gauge(gauge)) => gauge.data_points.len(),
            Some(Data::Sum(sum)) => sum.data_points.len(),
            Some(Data::Histogram(histogram)) => histogram.data_points.len(),
            Some(Data::ExponentialHistogram(histogram)) => histogram.data_points.len(),
            Some(Data::Summary(summary)) => summary.data_points.len(),
        })
        .sum()
}

fn check(signal: Signal, bytes: &[u8]) -> Result<u32, Invalid> {
    validate(signal, bytes, &Limits::default())
}

/// Both must take the bytes or refuse them, with the two exceptions that the module names.
fn agree_with_prost(signal: Signal, bytes: &[u8]) -> Result<(), TestCaseError> {
    let theirs = prost_items(signal, bytes);
    match check(signal, bytes) {
        Err(invalid)
            if matches!(
                invalid.reason,
                Reason::Twice | Reason::Wire(WireError::Group)
            ) => {}
        Err(invalid) => prop_assert_eq!(theirs, None, "{}", invalid),
        Ok(items) => {
            prop_assert_eq!(theirs, Some(items));
            prop_assert_eq!(count_items(signal, bytes), items);
        }
    }
    Ok(())
}

/// More cases than elsewhere, because what is accepted here is trusted by everything behind.
fn cases() -> ProptestConfig {
    let mut config = ProptestConfig::default();
    config.cases = config.cases.max(1000);
    config
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn whole_requests_are_accepted_and_counted(entropy in arbitrary::entropy()) {
        for signal in Signal::ALL {
            let bytes = arbitrary::request(signal, &entropy);
            let items = prost_items(signal, &bytes).unwrap();
            prop_assert_eq!(check(signal, &bytes), Ok(items));
            prop_assert_eq!(count_items(signal, &bytes), items);
            let bytes = arbitrary::with_unknown_fields(signal, &bytes);
            prop_assert_eq!(check(signal, &bytes), Ok(items));
            prop_assert_eq!(count_items(signal, &bytes), items);
        }
    }

    #[test]
    fn mutated_requests_are_refused_exactly_when_prost_refuses_them(
        entropy in arbitrary::short_entropy(),
        mutations in vec(arbitrary::mutation(), 1..4),
    ) {
        for signal in Signal::ALL {
            let mut bytes = arbitrary::request(signal, &entropy);
            for mutation in &mutations {
                arbitrary::mutate(&mut bytes, *mutation);
            }
            agree_with_prost(signal, &bytes)?;
        }
    }

    #[test]
    fn a_request_of_another_signal_is_refused_exactly_when_prost_refuses_it(
        entropy in arbitrary::entropy(),
    ) {
        for (sent, taken) in [
            (Signal::Metrics, Signal::Logs),
            (Signal::Logs, Signal::Traces),
            (Signal::Traces, Signal::Metrics),
        ] {
            agree_with_prost(taken, &arbitrary::request(sent, &entropy))?;
        }
    }

    #[test]
    fn short_random_bytes_are_refused_exactly_when_prost_refuses_them(
        bytes in vec(any::<u8>(), 0..24),
    ) {
        for signal in Signal::ALL {
            agree_with_prost(signal, &bytes)?;
        }
    }

    #[test]
    fn ascii_is_told_from_other_text(text in vec(any::<u8>(), 0..40), at: usize) {
        let ascii: Vec<u8> = text.iter().map(|byte| byte & 0x7f).collect();
        prop_assert!(is_ascii(&ascii));
        prop_assert_eq!(is_ascii(&text), text.is_ascii());
        let mut spoiled = ascii;
        if let Some(byte) = spoiled.get_mut(at % (text.len() + 1)) {
            *byte |= 0x80;
            prop_assert!(!is_ascii(&spoiled));
        }
    }
}

/// Wraps `content` in the fields `numbers`, the innermost last.
fn wrap(numbers: &[u32], content: &[u8]) -> Vec<u8> {
    numbers
        .iter()
        .rev()
        .fold(content.to_vec(), |content, number| {
            let mut out = Vec::new();
            put_len_field(&mut out, *number, &content);
            out
        })
}

/// A log record whose body nests `levels` lists.
fn nested_body(levels: usize) -> Vec<u8> {
    let mut numbers = vec![1, 2, 2, 5];
    numbers.extend((0..levels).flat_map(|_| [5, 1]));
    wrap(&numbers, &[])
}

#[test]
fn nesting_is_accepted_exactly_as_deep_as_prost_decodes_it() {
    for levels in 45..52 {
        let bytes = nested_body(levels);
        let theirs = prost_items(Signal::Logs, &bytes);
        let ours = check(Signal::Logs, &bytes);
        assert_eq!(ours.as_ref().ok().copied(), theirs, "{levels} levels");
    }
    assert_eq!(check(Signal::Logs, &nested_body(48)), Ok(1));
    let refused = check(Signal::Logs, &nested_body(60_000)).unwrap_err();
    assert_eq!(refused.reason, Reason::Depth);
}

#[test]
fn a_violation_is_told_with_its_path_and_place() {
    let body = wrap(&[5], &wrap(&[1], b"\xff"));
    let request = [wrap(&[1, 2, 2], b""), wrap(&[1, 2, 2], &body)].concat();
    let invalid = check(Signal::Logs, &request).unwrap_err();
    assert_eq!(
        invalid.to_string(),
        "resource_logs.scope_logs.log_records.body.string_value at byte 14: the text is not UTF-8"
    );
    let invalid = check(Signal::Logs, &[0x0a, 0, 0x0a, 9]).unwrap_err();
    assert_eq!(
        invalid.to_string(),
        "resource_logs at byte 2: a length reaches beyond the end of its message"
    );
    let invalid = check(Signal::Logs, &[0]).unwrap_err();
    assert_eq!(
        invalid.to_string(),
        "request at byte 0: a field number is outside 1 to 536870911"
    );
}

#[test]
fn a_singular_message_that_occurs_twice_is_refused() {
    let request = wrap(&[1], &[0x0a, 0, 0x0a, 0]);
    let invalid = check(Signal::Traces, &request).unwrap_err();
    assert_eq!(invalid.reason, Reason::Twice);
    assert_eq!(
        (invalid.path.as_str(), invalid.offset),
        ("resource_spans.resource", 4)
    );
}

#[test]
fn groups_are_refused_known_or_not() {
    for bytes in [&[0x0b, 0x0c][..], &[0xa3, 0x06, 0xa4, 0x06]] {
        let invalid = check(Signal::Metrics, bytes).unwrap_err();
        assert!(
            matches!(
                invalid.reason,
                Reason::Wire(WireError::Group) | Reason::WireType
            ),
            "{invalid}"
        );
    }
}

#[test]
fn unpacked_numbers_are_accepted_and_seen() {
    // A histogram point with two counts, one by one, then two packed bounds.
    let mut point = vec![0x31, 1, 0, 0, 0, 0, 0, 0, 0, 0x31, 2, 0, 0, 0, 0, 0, 0, 0];
    put_len_field(
        &mut point,
        7,
        &[1.5_f64.to_le_bytes(), 2.5_f64.to_le_bytes()].concat(),
    );
    let request = wrap(&[1, 2, 2, 9, 1], &point);
    assert_eq!(check(Signal::Metrics, &request), Ok(1));
    assert_eq!(prost_items(Signal::Metrics, &request), Some(1));
    let point = crate::metrics::HistogramPoint::from(&point[..]);
    assert_eq!(point.bucket_counts().collect::<Vec<_>>(), [1, 2]);
    assert_eq!(point.explicit_bounds().collect::<Vec<_>>(), [1.5, 2.5]);
}

#[test]
fn unknown_fields_are_tolerated_but_must_be_well_formed() {
    let unknown = wrap(&[1], &[0xa0, 0x06, 1, 0xa2, 0x06, 2, 9, 9]);
    assert_eq!(check(Signal::Logs, &unknown), Ok(0));
    let broken = wrap(&[1], &[0xa2, 0x06, 3, 9, 9]);
    assert!(check(Signal::Logs, &broken).is_err());
}
