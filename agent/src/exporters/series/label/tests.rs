use proptest::prelude::*;

use super::*;

const SPECIFIED: LabelStyle = LabelStyle {
    preserve_multiple_underscores: false,
    underscore_sanitization: false,
};

const PROMETHEUS: LabelStyle = LabelStyle {
    preserve_multiple_underscores: true,
    underscore_sanitization: true,
};

fn label_name(key: &str, style: LabelStyle) -> String {
    let mut out = String::from("untouched");
    write_label_name(key, style, &mut out);
    out.strip_prefix("untouched").unwrap().to_owned()
}

fn labels(attributes: &[(&str, &str)]) -> Vec<(String, String)> {
    let mut builder = LabelBuilder::default();
    for (key, value) in attributes {
        builder.add_attribute("", key, Some(SPECIFIED), |out| out.push_str(value));
    }
    encoded(&builder)
}

fn encoded(builder: &LabelBuilder) -> Vec<(String, String)> {
    let mut bytes = Vec::new();
    builder.encode(&mut bytes);
    Labels::encoded(&bytes)
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

fn owned(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}

#[test]
fn label_names_follow_the_specification() {
    for (key, name) in [
        ("http.method", "http_method"),
        ("http..method", "http_method"),
        ("a__b", "a_b"),
        ("_private", "_private"),
        (".hidden", "_hidden"),
        ("123invalid", "key_123invalid"),
        ("1", "key_1"),
        ("__reserved__", "__reserved__"),
        ("__re.ser..ved__", "__re_ser_ved__"),
        ("__half", "_half"),
        ("caf\u{e9}", "caf_"),
        ("a:b", "a_b"),
        ("", ""),
        ("___", ""),
        ("\u{e9}\u{e9}", ""),
    ] {
        assert_eq!(label_name(key, SPECIFIED), name, "{key}");
    }
}

#[test]
fn label_names_may_follow_prometheus_instead() {
    for (key, name) in [
        ("http..method", "http__method"),
        ("a__b", "a__b"),
        ("_private", "key_private"),
        ("__half", "__half"),
        ("__reserved__", "__reserved__"),
        ("123invalid", "key_123invalid"),
    ] {
        assert_eq!(label_name(key, PROMETHEUS), name, "{key}");
    }
}

#[test]
fn clashing_labels_are_joined_in_the_order_of_their_keys() {
    assert_eq!(
        labels(&[("foo_bar", "under"), ("z", "last"), ("foo.bar", "dot")]),
        owned(&[("foo_bar", "dot;under"), ("z", "last")])
    );
    assert_eq!(
        labels(&[("foo_bar", ""), ("foo.bar", "dot"), ("empty", "")]),
        owned(&[("foo_bar", "dot")])
    );
}

#[test]
fn an_attribute_does_not_take_the_place_of_a_label_that_identifies_the_series() {
    assert_eq!(
        labels(&[("job", "a"), ("le", "5"), ("__name__", "x"), ("job.x", "b")]),
        owned(&[
            ("exported___name__", "x"),
            ("exported_job", "a"),
            ("exported_le", "5"),
            ("job_x", "b"),
        ])
    );
}

#[test]
fn labels_can_be_added_and_taken_back() {
    let mut builder = LabelBuilder::default();
    builder.add("job", "x");
    let mark = builder.len();
    builder.add("le", "1.0");
    builder.add_if_absent("job", "other");
    builder.add_if_absent("site", "lab");
    assert_eq!(
        encoded(&builder),
        owned(&[("job", "x"), ("le", "1.0"), ("site", "lab")])
    );
    builder.truncate(mark);
    assert_eq!(encoded(&builder), owned(&[("job", "x")]));
    builder.clear();
    assert_eq!(encoded(&builder), owned(&[]));
}

#[test]
fn an_attribute_without_a_name_leaves_no_trace() {
    let mut builder = LabelBuilder::default();
    assert!(!builder.add_attribute("", "__", Some(SPECIFIED), |out| out.push('x')));
    assert!(builder.add_attribute("", "a.b", None, |out| out.push('x')));
    assert!(builder.add_attribute("otel_scope_", "1", Some(SPECIFIED), |out| out.push('y')));
    assert_eq!(
        encoded(&builder),
        owned(&[("a.b", "x"), ("otel_scope_1", "y")])
    );
}

#[test]
fn floats_are_written_as_prometheus_normalizes_them() {
    for (value, text) in [
        (0.0, "0.0"),
        (1.0, "1.0"),
        (-1.0, "-1.0"),
        (0.25, "0.25"),
        (10.0, "10.0"),
        (123_456.0, "123456.0"),
        (1e6, "1e+06"),
        (1_234_567.0, "1.234567e+06"),
        (1e21, "1e+21"),
        (1e100, "1e+100"),
        (0.0001, "0.0001"),
        (0.00001, "1e-05"),
        (0.99, "0.99"),
        (f64::INFINITY, "+Inf"),
        (f64::NEG_INFINITY, "-Inf"),
        (f64::NAN, "NaN"),
    ] {
        let mut out = String::new();
        write_label_float(value, &mut out);
        assert_eq!(out, text);
    }
}

proptest! {
    #[test]
    fn label_sets_are_sorted_unique_and_not_empty(
        attributes in proptest::collection::vec(("[a-c._:1\u{e9}]{0,6}", ".{0,3}"), 0..12),
    ) {
        let mut builder = LabelBuilder::default();
        for (key, value) in &attributes {
            builder.add_attribute("", key, Some(SPECIFIED), |out| out.push_str(value));
        }
        let labels = encoded(&builder);
        prop_assert!(labels.is_sorted_by(|left, right| left.0 < right.0));
        for (name, value) in &labels {
            prop_assert!(!name.is_empty() && !value.is_empty());
            let inside = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
            prop_assert!(name.bytes().all(inside) && !name.as_bytes()[0].is_ascii_digit());
        }
    }

    #[test]
    fn written_floats_read_back(value in proptest::num::f64::ANY) {
        let mut out = String::new();
        write_label_float(value, &mut out);
        let read: f64 = out.parse().unwrap();
        prop_assert!(read.to_bits() == value.to_bits() || (read.is_nan() && value.is_nan()));
    }
}
