use super::Ending::{Ratio, Total, Unit};
use super::Strategy::{
    NoTranslation, NoUTF8EscapingWithSuffixes, UnderscoreEscapingWithSuffixes,
    UnderscoreEscapingWithoutSuffixes,
};
use super::*;

fn check(strategy: Strategy, cases: &[(&str, &str, &str, Ending, &str)]) {
    for (namespace, name, unit, ending, expected) in cases {
        let built = family_name(strategy, namespace, name, unit, *ending);
        assert_eq!(
            built.as_deref().unwrap_or_default(),
            *expected,
            "{namespace} {name} {unit} {ending:?}"
        );
    }
}

#[test]
fn names_with_suffixes_carry_unit_and_type() {
    check(
        UnderscoreEscapingWithSuffixes,
        &[
            (
                "",
                "http.server.duration",
                "s",
                Unit,
                "http_server_duration_seconds",
            ),
            ("", "system.io", "By/s", Unit, "system_io_bytes_per_second"),
            ("", "requests.count", "1", Total, "requests_count_total"),
            ("", "cpu.utilization", "1", Ratio, "cpu_utilization_ratio"),
            ("", "x", "{packet}", Total, "x_total"),
            ("", "x", "m/s", Unit, "x_meters_per_second"),
            ("", "2xx", "", Unit, "_2xx"),
            ("", "requests", "", Total, "requests_total"),
            ("", "requests_total", "", Total, "requests_total"),
            (
                "",
                "requests_total_count",
                "",
                Total,
                "requests_count_total",
            ),
            ("", "items", "1", Total, "items_total"),
            ("", "cpu_usage_ratio", "1", Ratio, "cpu_usage_ratio"),
            (
                "",
                "response_time",
                "ms",
                Unit,
                "response_time_milliseconds",
            ),
            (
                "",
                "response_time_seconds",
                "s",
                Unit,
                "response_time_seconds",
            ),
            ("", "seconds.of.work", "s", Unit, "seconds_of_work"),
            ("", "requests", "1/s", Unit, "requests_per_second"),
            (
                "",
                "requests_per_second",
                "1/s",
                Unit,
                "requests_per_second",
            ),
            (
                "",
                "custom_metric",
                "custom_unit",
                Unit,
                "custom_metric_custom_unit",
            ),
            ("", "custom_metric", "{custom}", Unit, "custom_metric"),
            (
                "",
                "custom_metric",
                "By/{custom}",
                Unit,
                "custom_metric_bytes",
            ),
            (
                "",
                "custom_metric",
                "unit@with#special/chars",
                Unit,
                "custom_metric_unit_with_special_per_chars",
            ),
            (
                "",
                "metric__with__multiple__underscores",
                "unit__multiple__underscores",
                Unit,
                "metric_with_multiple_underscores_unit_multiple_underscores",
            ),
            ("", "vcenter.vm.cpu", "MHz", Unit, "vcenter_vm_cpu_MHz"),
            ("", "job:rate:5m", "", Unit, "job:rate:5m"),
            (
                "app",
                "requests",
                "1/s",
                Total,
                "app_requests_per_second_total",
            ),
            ("app", "123_requests", "", Total, "app_123_requests_total"),
            ("my.app", "x", "", Unit, "my_app_x"),
            ("", "@#$%", "s", Total, ""),
            ("ns", "@#$%", "", Unit, ""),
            ("", "", "s", Unit, ""),
            ("", "___", "", Unit, ""),
        ],
    );
}

#[test]
fn names_without_suffixes_have_foreign_characters_replaced() {
    check(
        UnderscoreEscapingWithoutSuffixes,
        &[
            ("", "simple_metric", "", Unit, "simple_metric"),
            (
                "",
                "http.server.duration",
                "s",
                Unit,
                "http_server_duration",
            ),
            (
                "",
                "metric@with#special$chars",
                "",
                Unit,
                "metric_with_special_chars",
            ),
            ("", "metric@@##$$name", "", Unit, "metric_name"),
            ("", "metric__name", "", Unit, "metric__name"),
            ("", "123metric", "", Unit, "_123metric"),
            (
                "test_namespace",
                "simple_metric",
                "",
                Unit,
                "test_namespace_simple_metric",
            ),
            (
                "test@namespace!!??",
                "metric",
                "",
                Unit,
                "test_namespace_metric",
            ),
            ("", "requests", "1", Total, "requests"),
            ("", "@#$%", "", Unit, ""),
            ("", "", "", Unit, ""),
        ],
    );
}

#[test]
fn unescaped_names_keep_their_characters_and_take_suffixes_once() {
    check(
        NoUTF8EscapingWithSuffixes,
        &[
            (
                "",
                "http.server.duration",
                "s",
                Unit,
                "http.server.duration_seconds",
            ),
            ("", "requests_total", "", Total, "requests_total"),
            ("", "cpu_usage_ratio", "1", Ratio, "cpu_usage_ratio"),
            (
                "",
                "response_time_seconds",
                "s",
                Unit,
                "response_time_seconds",
            ),
            ("", "cpu_seconds_total", "s", Total, "cpu_seconds_total"),
            ("", "requests", "1/s", Total, "requests_per_second_total"),
            ("", "m.bytes_per_second", "By/s", Unit, "m.bytes_per_second"),
            ("", "m\u{e9}tric", "By", Unit, "m\u{e9}tric_bytes"),
            ("", "@#$%", "", Total, "@#$%_total"),
            ("", "total", "", Total, "total_total"),
            (
                "test@namespace",
                "metric",
                "",
                Total,
                "test@namespace_metric_total",
            ),
        ],
    );
}

#[test]
fn untranslated_names_stay() {
    check(
        NoTranslation,
        &[
            (
                "",
                "http.server.duration",
                "s",
                Unit,
                "http.server.duration",
            ),
            ("ns", "m\u{e9}tric", "1", Ratio, "ns_m\u{e9}tric"),
            ("", "", "s", Unit, ""),
        ],
    );
}

#[test]
fn a_family_name_can_be_built_from_any_text() {
    use proptest::prelude::*;
    proptest!(|(name in ".*", unit in ".*", namespace in "[a-z@.]{0,5}")| {
        for ending in [Total, Ratio, Unit] {
            let strategy = UnderscoreEscapingWithSuffixes;
            if let Some(built) = family_name(strategy, &namespace, &name, &unit, ending) {
                prop_assert!(is_classic_name(&built), "{built}");
            }
            family_name(NoUTF8EscapingWithSuffixes, &namespace, &name, &unit, ending);
            let strategy = UnderscoreEscapingWithoutSuffixes;
            if let Some(built) = family_name(strategy, &namespace, &name, &unit, ending) {
                prop_assert!(is_classic_name(&built), "{built}");
            }
        }
    });
}

fn is_classic_name(name: &str) -> bool {
    let inside = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == ':';
    name.chars().all(inside) && !name.starts_with(|c: char| c.is_ascii_digit())
}
