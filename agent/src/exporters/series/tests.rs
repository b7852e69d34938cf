use std::fmt::Write;

use opentelemetry_proto::tonic::common::v1::{ArrayValue, InstrumentationScope, any_value};
use opentelemetry_proto::tonic::metrics::v1::Metric;
use proptest::proptest;

use super::fixture::*;
use super::*;

const HOST: &[(&str, &str)] = &[
    ("service.namespace", "shop"),
    ("service.name", "cart"),
    ("service.instance.id", "cart-1"),
    ("host.name", "node1"),
];

fn settings() -> Settings {
    Settings {
        strategy: Strategy::UnderscoreEscapingWithSuffixes,
        label_style: LabelStyle::default(),
        namespace: String::new(),
        labels: Vec::new(),
        has_resource_labels: false,
        has_scope_labels: true,
        has_target_info: false,
        cache_bytes: 1 << 20,
    }
}

/// Writes what it is told, a line for each series.
struct Lines {
    text: String,
    is_taking: bool,
}

impl Default for Lines {
    fn default() -> Self {
        Self {
            text: String::new(),
            is_taking: true,
        }
    }
}

impl Sink for Lines {
    fn point(&mut self, point: &Point<'_>) -> bool {
        for (position, labels) in point.series.labels().enumerate() {
            let out = &mut self.text;
            out.push_str(labels.get("__name__").unwrap());
            out.push('{');
            let shown = labels.into_iter().filter(|(name, _)| *name != "__name__");
            for (index, (name, value)) in shown.enumerate() {
                let comma = if index == 0 { "" } else { "," };
                write!(out, "{comma}{name}={value}").unwrap();
            }
            out.push_str("} ");
            match point.value {
                Value::Floats(values) => match values[position] {
                    value if value.to_bits() == STALE_NAN => out.push_str("stale"),
                    value => write!(out, "{value}").unwrap(),
                },
                Value::Native(native) => write!(out, "{}/{}", native.count, native.sum).unwrap(),
            }
            let exemplar = point.exemplars.iter().find(|e| e.position == position);
            if let Some(placed) = exemplar {
                write!(out, " # {}", placed.exemplar.trace_id[0]).unwrap();
            }
            out.push('\n');
        }
        if let Value::Floats(values) = point.value {
            assert_eq!(values.len(), point.series.labels().count());
        }
        self.is_taking
    }
}

fn translated(settings: Settings, request: &[u8]) -> (String, Drops) {
    let mut lines = Lines::default();
    let drops = Translator::new(settings).translate(request, &mut lines);
    (lines.text, drops)
}

fn check(settings: Settings, resource: &[(&str, &str)], metric: Metric, expected: &str) {
    let (lines, drops) = translated(settings, &request(resource, vec![metric]));
    assert_eq!(lines, expected);
    assert_eq!(drops, Drops::default());
}

fn check_dropped(metric: Metric, reason: Reason, points: u32) {
    let (lines, drops) = translated(settings(), &request(HOST, vec![metric]));
    assert_eq!(lines, "");
    assert_eq!(drops.iter().collect::<Vec<_>>(), [(reason, points)]);
}

#[test]
fn numbers_become_gauges_and_counters() {
    let points = || vec![point(1, 2.5, &[("http.method", "GET")])];
    let labels = "{http_method=GET,instance=cart-1,job=shop/cart}";
    for (data, name) in [
        (gauge(points()), "x_ratio"),
        (counter(points()), "x_total"),
        (sum(CUMULATIVE, false, points()), "x"),
    ] {
        let expected = format!("{name}{labels} 2.5\n");
        check(settings(), HOST, metric("x", "1", data), &expected);
    }
}

#[test]
fn a_histogram_becomes_running_buckets_sum_and_count() {
    let data = histogram(vec![histogram_point(
        1,
        &[0.5, 10.0],
        &[1, 2, 3],
        Some(9.5),
    )]);
    let expected = "\
        d_seconds_bucket{instance=cart-1,job=shop/cart,le=0.5} 1\n\
        d_seconds_bucket{instance=cart-1,job=shop/cart,le=10.0} 3\n\
        d_seconds_bucket{instance=cart-1,job=shop/cart,le=+Inf} 6\n\
        d_seconds_sum{instance=cart-1,job=shop/cart} 9.5\n\
        d_seconds_count{instance=cart-1,job=shop/cart} 6\n";
    check(settings(), HOST, metric("d", "s", data), expected);
}

#[test]
fn a_histogram_without_sum_or_buckets_tells_what_it_has() {
    let data = histogram(vec![histogram_point(1, &[1.0], &[1, 2], None)]);
    let expected = "d_bucket{le=1.0} 1\nd_bucket{le=+Inf} 3\nd_count{} 3\n";
    check(settings(), &[], metric("d", "", data), expected);
    let mut bare = histogram_point(1, &[], &[], Some(4.0));
    bare.count = 2;
    let expected = "d_bucket{le=+Inf} 2\nd_sum{} 4\nd_count{} 2\n";
    check(
        settings(),
        &[],
        metric("d", "", histogram(vec![bare])),
        expected,
    );
}

#[test]
fn a_summary_becomes_quantiles_sum_and_count() {
    let data = summary(1, &[(0.5, 2.0), (0.99, 9.0), (1.0, 10.0)]);
    let expected = "\
        s{quantile=0.5} 2\ns{quantile=0.99} 9\ns{quantile=1.0} 10\n\
        s_sum{} 21\ns_count{} 7\n";
    check(settings(), &[], metric("s", "", data), expected);
}

#[test]
fn an_exponential_histogram_becomes_a_native_one() {
    let data = exponential(vec![exponential_point(1)]);
    check(
        settings(),
        &[],
        metric("n", "By", data),
        "n_bytes{} 40/100\n",
    );
}

#[test]
fn no_recorded_value_is_a_stale_marker() {
    let mut number = point(1, 0.0, &[]);
    number.value = None;
    number.flags = 1;
    check(
        settings(),
        &[],
        metric("g", "", gauge(vec![number])),
        "g{} stale\n",
    );
    let mut of_histogram = histogram_point(1, &[1.0], &[], None);
    of_histogram.flags = 1;
    let expected = "d_bucket{le=1.0} stale\nd_bucket{le=+Inf} stale\nd_sum{} stale\n\
                    d_count{} stale\n";
    let data = histogram(vec![of_histogram]);
    check(settings(), &[], metric("d", "", data), expected);
    let mut native = exponential_point(1);
    native.flags = 1;
    let data = exponential(vec![native]);
    check(settings(), &[], metric("n", "", data), "n{} 0/NaN\n");
}

#[test]
fn what_prometheus_cannot_hold_is_dropped_with_its_reason() {
    let points = || vec![point(1, 1.0, &[]), point(1, 1.0, &[("a", "b")])];
    let no_value = || {
        let mut number = point(1, 0.0, &[]);
        number.value = None;
        vec![number]
    };
    let wrong_total = || {
        let mut point = histogram_point(1, &[1.0], &[1, 2], None);
        point.count = 4;
        vec![point]
    };
    let one =
        |bounds: &[f64], counts: &[u64]| histogram(vec![histogram_point(1, bounds, counts, None)]);
    let unspecified = opentelemetry_proto::tonic::metrics::v1::AggregationTemporality::Unspecified;
    for (name, data, reason, count) in [
        ("x", sum(DELTA, true, points()), Reason::DeltaTemporality, 2),
        (
            "x",
            sum(unspecified, true, points()),
            Reason::NoTemporality,
            2,
        ),
        ("@", gauge(points()), Reason::InvalidName, 2),
        (
            "x",
            gauge(vec![point(1, 1.0, &[("_", "v")])]),
            Reason::InvalidLabel,
            1,
        ),
        ("x", gauge(no_value()), Reason::NoValue, 1),
        ("x", histogram(wrong_total()), Reason::MalformedHistogram, 1),
        ("x", one(&[1.0], &[1]), Reason::MalformedHistogram, 1),
        (
            "x",
            one(&[2.0, 1.0], &[1, 1, 1]),
            Reason::MalformedHistogram,
            1,
        ),
        (
            "x",
            one(&[f64::INFINITY], &[1, 1]),
            Reason::MalformedHistogram,
            1,
        ),
        (
            "x",
            summary(1, &[(0.5, 1.0), (0.5, 2.0)]),
            Reason::MalformedSummary,
            1,
        ),
        (
            "x",
            summary(1, &[(f64::NAN, 1.0)]),
            Reason::MalformedSummary,
            1,
        ),
    ] {
        check_dropped(metric(name, "", data), reason, count);
    }
}

#[test]
fn values_of_attributes_become_text() {
    let list = any_value::Value::ArrayValue(ArrayValue {
        values: texts(&[("", "a"), ("", "b")])
            .into_iter()
            .filter_map(|item| item.value)
            .collect(),
    });
    let mut number = point(1, 1.0, &[("empty", "")]);
    number.attributes.extend([
        key_value("b", any_value::Value::BoolValue(true)),
        key_value("i", any_value::Value::IntValue(-3)),
        key_value("d", any_value::Value::DoubleValue(1.5)),
        key_value("l", list),
        key_value("y", any_value::Value::BytesValue(vec![1, 2, 255])),
    ]);
    let expected = "g{b=true,d=1.5,i=-3,l=[\"a\",\"b\"],y=AQL/} 1\n";
    check(
        settings(),
        &[],
        metric("g", "", gauge(vec![number])),
        expected,
    );
}

#[test]
fn job_and_instance_come_from_the_service() {
    let data = || metric("g", "", gauge(vec![point(1, 1.0, &[])]));
    for (resource, labels) in [
        (&[("service.name", "a")][..], "job=a"),
        (&[("service.namespace", "n")], ""),
        (&[("service.instance.id", "i")], "instance=i"),
        (
            &[("service.name", "a"), ("service.namespace", "n")],
            "job=n/a",
        ),
    ] {
        check(settings(), resource, data(), &format!("g{{{labels}}} 1\n"));
    }
}

#[test]
fn the_scope_is_told_unless_switched_off() {
    let scope = InstrumentationScope {
        name: "lib".to_owned(),
        version: "1.2".to_owned(),
        attributes: texts(&[("name", "clash"), ("short.name", "l")]),
        ..InstrumentationScope::default()
    };
    let metrics = || vec![metric("g", "", gauge(vec![point(1, 1.0, &[])]))];
    let request = scoped_request(&[], scope, "https://schema", metrics());
    let (lines, _) = translated(settings(), &request);
    assert_eq!(
        lines,
        "g{otel_scope_name=lib,otel_scope_schema_url=https://schema,\
         otel_scope_short_name=l,otel_scope_version=1.2} 1\n"
    );
    let without = Settings {
        has_scope_labels: false,
        ..settings()
    };
    assert_eq!(translated(without, &request).0, "g{} 1\n");
}

#[test]
fn a_resource_is_told_once_beside_its_points() {
    let with_target = || Settings {
        has_target_info: true,
        labels: vec![("site".to_owned(), "lab".to_owned())],
        ..settings()
    };
    let data = || gauge(vec![point(1, 1.0, &[("site", "own")]), point(2, 2.0, &[])]);
    let expected = "\
        g{instance=cart-1,job=shop/cart,site=own} 1\n\
        g{instance=cart-1,job=shop/cart,site=lab} 2\n\
        target_info{host_name=node1,instance=cart-1,job=shop/cart,site=lab} 1\n";
    check(with_target(), HOST, metric("g", "", data()), expected);
    for resource in [&[("host.name", "n")][..], &[("service.name", "a")]] {
        let (lines, _) = translated(
            with_target(),
            &request(resource, vec![metric("g", "", data())]),
        );
        assert!(!lines.contains("target_info"), "{lines}");
    }
}

#[test]
fn target_info_does_not_go_back_in_time() {
    let mut translator = Translator::new(Settings {
        has_target_info: true,
        ..settings()
    });
    for (seconds, is_told) in [(5, true), (4, false), (5, true), (6, true)] {
        let data = gauge(vec![point(seconds, 1.0, &[])]);
        let mut lines = Lines::default();
        translator.translate(&request(HOST, vec![metric("g", "", data)]), &mut lines);
        assert_eq!(lines.text.contains("target_info"), is_told, "{seconds}");
    }
}

#[test]
fn resource_attributes_become_labels_when_asked_for() {
    let converted = Settings {
        has_resource_labels: true,
        ..settings()
    };
    let data = gauge(vec![point(1, 1.0, &[("host_name", "p")])]);
    let expected = "g{host_name=node1;p,instance=cart-1,job=shop/cart,\
        service_instance_id=cart-1,service_name=cart,service_namespace=shop} 1\n";
    check(converted, HOST, metric("g", "", data), expected);
}

#[test]
fn a_scraped_metric_keeps_its_name_and_type() {
    let data = counter(vec![point(1, 1.0, &[])]);
    let own = scraped(metric("requests_count", "s", data), "counter");
    check(settings(), &[], own, "requests_count{} 1\n");
    let mut kinds = Vec::new();
    struct Kinds<'a>(&'a mut Vec<Kind>);
    impl Sink for Kinds<'_> {
        fn point(&mut self, point: &Point<'_>) -> bool {
            self.0.push(point.family.kind);
            true
        }
    }
    for name in ["info", "stateset", "unknown", "gauge"] {
        let data = gauge(vec![point(1, 1.0, &[])]);
        let request = request(&[], vec![scraped(metric("m", "", data), name)]);
        Translator::new(settings()).translate(&request, &mut Kinds(&mut kinds));
    }
    assert_eq!(
        kinds,
        [Kind::Info, Kind::StateSet, Kind::Unknown, Kind::Gauge]
    );
}

#[test]
fn the_newest_exemplar_of_each_bucket_is_told_and_old_ones_are_not_repeated() {
    let mut translator = Translator::new(settings());
    let mut told = |exemplars: &[(u64, f64, u8)]| {
        let mut point = histogram_point(9, &[1.0, 10.0], &[1, 1, 1], None);
        let all = exemplars.iter();
        point.exemplars = all
            .map(|(at, value, id)| exemplar_at(*at, *value, *id))
            .collect();
        let mut lines = Lines::default();
        let request = request(&[], vec![metric("d", "", histogram(vec![point]))]);
        translator.translate(&request, &mut lines);
        let of_bucket = |line: &str| line.split_once(" # ").map(|(_, id)| id.to_owned());
        lines.text.lines().map(of_bucket).collect::<Vec<_>>()
    };
    let some = |id: &str| Some(id.to_owned());
    assert_eq!(
        told(&[
            (3, 0.5, 1),
            (5, 1.0, 2),
            (4, 0.7, 3),
            (4, 11.0, 4),
            (10, 0.1, 9)
        ]),
        [some("2"), None, some("4"), None]
    );
    assert_eq!(
        told(&[(4, 0.5, 5), (5, 5.0, 6)]),
        [None, some("6"), None, None]
    );
}

#[test]
fn equal_label_sets_have_equal_identities() {
    let identity = |resource: &[(&str, &str)], attributes: &[(&str, &str)]| {
        struct Last(Option<Key>);
        impl Sink for Last {
            fn point(&mut self, point: &Point<'_>) -> bool {
                self.0 = Some(point.series.identity);
                true
            }
        }
        let mut last = Last(None);
        let data = gauge(vec![point(1, 1.0, attributes)]);
        let request = request(resource, vec![metric("g", "", data)]);
        Translator::new(settings()).translate(&request, &mut last);
        last.0
    };
    let plain = identity(&[("host.name", "a")], &[("x", "1"), ("y", "2")]);
    assert_eq!(
        plain,
        identity(&[("host.name", "b")], &[("y", "2"), ("x", "1")])
    );
    assert_ne!(plain, identity(&[], &[("x", "1")]));
}

#[test]
fn telling_a_known_series_allocates_nothing() {
    struct Nothing;
    impl Sink for Nothing {
        fn point(&mut self, _: &Point<'_>) -> bool {
            true
        }
    }
    let points = (0..100)
        .map(|cpu| point(1, 1.0, &[("cpu", &format!("cpu{cpu}"))]))
        .collect();
    let request = request(
        HOST,
        vec![
            metric("g", "s", gauge(points)),
            metric(
                "h",
                "",
                histogram(vec![histogram_point(1, &[1.0], &[1, 2], Some(1.0))]),
            ),
            metric("n", "", exponential(vec![exponential_point(1)])),
            metric("s", "", summary(1, &[(0.5, 1.0)])),
        ],
    );
    let mut translator = Translator::new(Settings {
        has_target_info: true,
        ..settings()
    });
    translator.translate(&request, &mut Nothing);
    let counted = allocation_counter::measure(|| {
        translator.translate(&request, &mut Nothing);
    });
    assert_eq!(counted.count_total, 0);
}

proptest! {
    #[test]
    fn every_label_set_is_sorted_unique_and_not_empty(
        name in "[a-z.]{1,8}",
        resource in proptest::collection::vec(("[a-z._]{0,6}", "[a-z]{0,3}"), 0..5),
        attributes in proptest::collection::vec(("[a-z._]{0,6}", "[a-z]{0,3}"), 0..8),
    ) {
        fn refs(pairs: &[(String, String)]) -> Vec<(&str, &str)> {
            pairs.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect()
        }
        struct Checked;
        impl Sink for Checked {
            fn point(&mut self, point: &Point<'_>) -> bool {
                for labels in point.series.labels() {
                    let pairs: Vec<_> = labels.into_iter().collect();
                    assert!(pairs.is_sorted_by(|left, right| left.0 < right.0), "{pairs:?}");
                    assert!(pairs.iter().all(|pair| !pair.0.is_empty() && !pair.1.is_empty()));
                    assert!(labels.get("__name__").is_some());
                }
                true
            }
        }
        let data = gauge(vec![point(1, 1.0, &refs(&attributes))]);
        let request = request(&refs(&resource), vec![metric(&name, "s", data)]);
        let all = Settings {
            has_resource_labels: true,
            has_target_info: true,
            labels: vec![("a".to_owned(), "external".to_owned())],
            ..settings()
        };
        Translator::new(all).translate(&request, &mut Checked);
    }
}

/// Scenario: one point of a clock that is years ahead, which the sink refuses.
/// Guarantees: what comes after it is told in full.
#[test]
fn what_was_not_told_leaves_no_trace() {
    let mut translator = Translator::new(Settings {
        has_target_info: true,
        ..settings()
    });
    let mut told = |seconds, is_taking| {
        let mut point = point(seconds, 1.0, &[]);
        point.exemplars = vec![exemplar_at(seconds, 1.0, 7)];
        let mut lines = Lines {
            is_taking,
            ..Lines::default()
        };
        let request = request(HOST, vec![metric("c", "", counter(vec![point]))]);
        translator.translate(&request, &mut lines);
        lines.text
    };
    let ahead = told(1_000_000_000, false);
    assert!(
        ahead.contains(" # 7") && !ahead.contains("target_info"),
        "{ahead}"
    );
    let present = told(5, true);
    assert!(
        present.contains(" # 7") && present.contains("target_info"),
        "{present}"
    );
}
