use std::fmt::Write;
use std::time::Instant;

use super::super::series::fixture::*;
use super::super::series::{Reason, Strategy};
use super::negotiate::Dialect;
use super::*;

const HOST: &[(&str, &str)] = &[
    ("service.name", "cart"),
    ("service.instance.id", "1"),
    ("host.name", "n\"1\\"),
];

async fn exporter(config: Config) -> (Exporter, Server) {
    let config = Config {
        endpoint: "127.0.0.1:0".to_owned(),
        ..config
    };
    Exporter::bind(&config).await.unwrap()
}

fn format(dialect: Dialect) -> Format {
    Format {
        dialect,
        allows_utf8: false,
        is_gzip: false,
    }
}

fn text(exporter: &Exporter) -> String {
    let now = clock::monotonic();
    exporter.store.render(now, &format(Dialect::Text004), false)
}

fn take_at(exporter: &Exporter, now: Instant, request: &[u8]) -> Drops {
    let mut recorder = exporter.store.recorder(now, at(100));
    let mut translator = exporter.translator.lock().unwrap();
    let mut drops = translator.translate(request, &mut recorder);
    drops.merge(&recorder.finish());
    drops
}

fn everything() -> Vec<u8> {
    let mut requests = point(2, 7.0, &[("code", "a\nb")]);
    requests.exemplars = vec![exemplar_at(1, 1.0, 1)];
    let mut latency = histogram_point(2, &[0.5, 1e6], &[1, 2, 3], Some(9.5));
    latency.exemplars = vec![exemplar_at(1, 0.25, 2)];
    request(
        HOST,
        vec![
            metric("requests", "1", counter(vec![requests])),
            metric("latency", "s", histogram(vec![latency])),
            metric("load", "1", gauge(vec![point(2, 0.25, &[])])),
            metric(
                "wait",
                "ms",
                summary(2, &[(0.5, 2.0), (1.0, f64::INFINITY)]),
            ),
        ],
    )
}

#[tokio::test]
async fn the_text_format_tells_each_family_once() {
    let (exporter, _server) = exporter(Config::default()).await;
    assert_eq!(exporter.take(&everything()), Drops::default());
    assert_eq!(exporter.take(&everything()), Drops::default());
    let expected = r#"# TYPE latency_seconds histogram
# HELP latency_seconds About latency.
latency_seconds_bucket{instance="1",job="cart",le="0.5"} 1.0
latency_seconds_bucket{instance="1",job="cart",le="1e+06"} 3.0
latency_seconds_bucket{instance="1",job="cart",le="+Inf"} 6.0
latency_seconds_sum{instance="1",job="cart"} 9.5
latency_seconds_count{instance="1",job="cart"} 6.0
# TYPE load_ratio gauge
# HELP load_ratio About load.
load_ratio{instance="1",job="cart"} 0.25
# TYPE requests_total counter
# HELP requests_total About requests.
requests_total{code="a\nb",instance="1",job="cart"} 7.0
# TYPE target_info gauge
# HELP target_info Target metadata
target_info{host_name="n\"1\\",instance="1",job="cart"} 1.0
# TYPE wait_milliseconds summary
# HELP wait_milliseconds About wait.
wait_milliseconds{instance="1",job="cart",quantile="0.5"} 2.0
wait_milliseconds{instance="1",job="cart",quantile="1.0"} +Inf
wait_milliseconds_sum{instance="1",job="cart"} 21.0
wait_milliseconds_count{instance="1",job="cart"} 7.0
"#;
    assert_eq!(text(&exporter), expected);
}

#[tokio::test]
async fn openmetrics_adds_units_exemplars_and_an_end() {
    let (exporter, _server) = exporter(Config::default()).await;
    exporter.take(&everything());
    let now = clock::monotonic();
    let page = exporter
        .store
        .render(now, &format(Dialect::OpenMetrics), true);
    for line in [
        "# TYPE latency_seconds histogram",
        "# UNIT latency_seconds seconds",
        "# TYPE requests counter",
        "# TYPE target info",
        "# UNIT wait_milliseconds milliseconds",
        r#"latency_seconds_bucket{instance="1",job="cart",le="0.5"} 1.0 1767225602.000 # {trace_id="02020202020202020202020202020202",span_id="0202020202020202",user="u1"} 0.25 1767225601.000"#,
        r#"requests_total{code="a\nb",instance="1",job="cart"} 7.0 1767225602.000 # {trace_id="01010101010101010101010101010101",span_id="0101010101010101",user="u1"} 1.0 1767225601.000"#,
    ] {
        assert!(page.lines().any(|other| other == line), "{line}\n{page}");
    }
    assert!(page.ends_with("\n# EOF\n"));
}

#[tokio::test]
async fn timestamps_are_milliseconds_in_the_text_format() {
    let (exporter, _server) = exporter(Config::default()).await;
    exporter.take(&request(
        &[],
        vec![metric("g", "", gauge(vec![point(2, 1.0, &[])]))],
    ));
    let now = clock::monotonic();
    let page = exporter.store.render(now, &format(Dialect::Text004), true);
    assert!(page.ends_with("g 1.0 1767225602000\n"), "{page}");
}

#[tokio::test]
async fn names_that_are_not_classic_are_quoted_or_escaped() {
    let (exporter, _server) = exporter(Config {
        translation_strategy: Some(Strategy::NoTranslation),
        ..Config::default()
    })
    .await;
    let data = gauge(vec![point(2, 1.0, &[("a.b", "c")])]);
    exporter.take(&request(&[], vec![metric("my.metric", "", data)]));
    assert!(text(&exporter).ends_with("my_metric{a_b=\"c\"} 1.0\n"));
    let quoting = Format {
        allows_utf8: true,
        ..format(Dialect::OpenMetrics)
    };
    let page = exporter.store.render(clock::monotonic(), &quoting, false);
    assert!(page.contains("# TYPE \"my.metric\" gauge\n"), "{page}");
    assert!(
        page.contains("{\"my.metric\",\"a.b\"=\"c\"} 1.0\n"),
        "{page}"
    );
}

#[tokio::test]
async fn a_series_expires_on_its_own_and_ends_at_a_stale_marker() {
    let (exporter, _server) = exporter(Config::default()).await;
    let start = clock::monotonic();
    let one = |name: &str| {
        let data = gauge(vec![point(1, 1.0, &[("name", name)])]);
        request(&[], vec![metric("g", "", data)])
    };
    take_at(&exporter, start, &one("a"));
    take_at(&exporter, start + Duration::from_secs(200), &one("b"));
    let page_at = |seconds| {
        let now = start + Duration::from_secs(seconds);
        exporter.store.render(now, &format(Dialect::Text004), false)
    };
    assert_eq!(page_at(299).matches("g{").count(), 2);
    assert_eq!(page_at(300).matches("g{").count(), 1);
    let mut end = point(3, 0.0, &[("name", "b")]);
    end.value = None;
    end.flags = 1;
    take_at(
        &exporter,
        start + Duration::from_secs(301),
        &request(&[], vec![metric("g", "", gauge(vec![end]))]),
    );
    assert_eq!(page_at(301), "");
    assert_eq!(exporter.store.used_bytes(), 0);
}

#[tokio::test]
async fn series_that_nobody_scrapes_expire_as_well() {
    let (exporter, _server) = exporter(Config::default()).await;
    let start = clock::monotonic();
    for step in 0..100_u64 {
        let data = gauge(vec![point(1, 1.0, &[("step", &step.to_string())])]);
        let now = start + Duration::from_secs(60 * step);
        take_at(&exporter, now, &request(&[], vec![metric("g", "", data)]));
    }
    let bytes_of_one = {
        let data = gauge(vec![point(1, 1.0, &[("step", "1")])]);
        let (fresh, _server) = self::exporter(Config::default()).await;
        fresh.take(&request(&[], vec![metric("g", "", data)]));
        fresh.store.used_bytes()
    };
    assert!(exporter.store.used_bytes() <= 7 * bytes_of_one);
}

#[tokio::test]
async fn what_would_break_a_scrape_is_dropped_and_counted() {
    let (exporter, _server) = exporter(Config::default()).await;
    let take = |resource: &[(&str, &str)], data| {
        exporter.take(&request(resource, vec![metric("x", "", data)]))
    };
    let of = |drops: Drops| drops.iter().collect::<Vec<_>>();
    assert_eq!(of(take(&[], gauge(vec![point(5, 1.0, &[])]))), []);
    assert_eq!(of(take(&[], summary(5, &[]))), [(Reason::TypeConflict, 1)]);
    assert_eq!(
        of(take(
            &[("host.name", "other")],
            gauge(vec![point(5, 2.0, &[])])
        )),
        [(Reason::Duplicate, 1)]
    );
    assert_eq!(of(take(&[], gauge(vec![point(4, 9.0, &[])]))), []);
    assert_eq!(text(&exporter).lines().last(), Some("x 2.0"));
    let native = exponential(vec![exponential_point(5)]);
    let drops = exporter.take(&request(&[], vec![metric("n", "", native)]));
    assert_eq!(of(drops), [(Reason::NativeHistogram, 1)]);
}

#[tokio::test]
async fn the_store_is_bounded() {
    let (exporter, _server) = exporter(Config {
        max_size: ByteSize(100_000),
        ..Config::default()
    })
    .await;
    let points = (0..10_000)
        .map(|number| point(1, 1.0, &[("n", &number.to_string())]))
        .collect();
    let drops = exporter.take(&request(&[], vec![metric("g", "", gauge(points))]));
    let kept = 10_000 - drops.total();
    assert_eq!(text(&exporter).matches("g{").count(), kept as usize);
    assert!((200..2_000).contains(&kept), "{kept}");
    assert!(exporter.store.used_bytes() <= 100_000);
}

#[tokio::test]
async fn names_and_descriptions_count_against_the_bound() {
    let (exporter, _server) = exporter(Config {
        max_size: ByteSize(100_000),
        ..Config::default()
    })
    .await;
    let start = clock::monotonic();
    let help = "x".repeat(10_000);
    for number in 0..100 {
        let mut described = metric(&format!("g{number}"), "", gauge(vec![point(1, 1.0, &[])]));
        described.description.clone_from(&help);
        take_at(&exporter, start, &request(&[], vec![described]));
    }
    let kept = text(&exporter).matches("# HELP").count();
    assert!((5..10).contains(&kept), "{kept}");
    let later = start + Duration::from_secs(301);
    let page = exporter
        .store
        .render(later, &format(Dialect::Text004), false);
    assert_eq!((page.as_str(), exporter.store.used_bytes()), ("", 0));
}

#[tokio::test]
async fn labels_whose_names_become_equal_are_joined() {
    let (exporter, _server) = exporter(Config {
        translation_strategy: Some(Strategy::NoTranslation),
        ..Config::default()
    })
    .await;
    let labels = &[("a.b", "1"), ("a:b", "2"), ("a_b", "3"), ("c", "4")];
    let data = gauge(vec![point(2, 1.0, labels)]);
    exporter.take(&request(&[], vec![metric("g", "", data)]));
    let page = text(&exporter);
    assert!(page.ends_with("g{a_b=\"1;2;3\",c=\"4\"} 1.0\n"), "{page}");
}

#[tokio::test]
async fn a_name_cannot_break_out_of_its_comment() {
    let (exporter, _server) = exporter(Config {
        translation_strategy: Some(Strategy::NoTranslation),
        ..Config::default()
    })
    .await;
    let data = gauge(vec![point(2, 1.0, &[])]);
    exporter.take(&request(&[], vec![metric("a\"\nb 1", "", data)]));
    let quoting = Format {
        allows_utf8: true,
        ..format(Dialect::Text100)
    };
    let page = exporter.store.render(clock::monotonic(), &quoting, false);
    let name = r#""a\"\nb 1""#;
    let help = r#"About a"\nb 1."#;
    assert_eq!(
        page,
        format!("# TYPE {name} gauge\n# HELP {name} {help}\n{{{name}}} 1.0\n")
    );
}

#[tokio::test]
async fn a_resource_that_changes_is_told_once() {
    let (exporter, _server) = exporter(Config::default()).await;
    for (seconds, version) in [(1, "1.0"), (2, "1.1")] {
        let resource = [("service.name", "a"), ("service.version", version)];
        let data = gauge(vec![point(seconds, 1.0, &[])]);
        exporter.take(&request(&resource, vec![metric("g", "", data)]));
    }
    let page = text(&exporter);
    let lines: Vec<_> = page
        .lines()
        .filter(|line| line.starts_with("target_info{"))
        .collect();
    assert_eq!(lines, [r#"target_info{job="a",service_version="1.1"} 1.0"#]);
}

async fn ask(address: std::net::SocketAddr, head: &str) -> Vec<u8> {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    let request = format!("{head}\r\nhost: a\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    answer
}

#[tokio::test]
async fn scrapers_are_answered_until_shutdown() {
    let (exporter, server) = exporter(Config {
        enable_open_metrics: true,
        ..Config::default()
    })
    .await;
    exporter.take(&everything());
    let address = server.address();
    let shutdown = CancellationToken::new();
    let serving = tokio::spawn(server.run(shutdown.clone()));
    let plain = String::from_utf8(ask(address, "GET /metrics HTTP/1.1").await).unwrap();
    assert!(plain.starts_with("HTTP/1.1 200 OK"), "{plain}");
    assert!(
        plain.contains("content-type: text/plain; version=0.0.4"),
        "{plain}"
    );
    assert!(plain.contains("requests_total{"), "{plain}");
    let head = "GET /metrics HTTP/1.1\r\naccept: application/openmetrics-text;version=1.0.0\r\n\
        accept-encoding: gzip";
    let packed = ask(address, head).await;
    let body_at = packed
        .windows(4)
        .position(|four| four == b"\r\n\r\n")
        .unwrap()
        + 4;
    let page = crate::transport::compression::inflate(Encoding::Gzip, &packed[body_at..], 1 << 20);
    assert!(
        String::from_utf8(page.unwrap())
            .unwrap()
            .ends_with("# EOF\n")
    );
    for (head, status) in [("GET / HTTP/1.1", "404"), ("POST /metrics HTTP/1.1", "405")] {
        let answer = String::from_utf8(ask(address, head).await).unwrap();
        assert_eq!(&answer[9..12], status);
    }
    shutdown.cancel();
    serving.await.unwrap();
}

#[tokio::test]
async fn options_are_checked() {
    let problem = Config::default().check().unwrap_err();
    assert_eq!(problem.key_path, "endpoint");
    let config = Config {
        endpoint: ":9464".to_owned(),
        const_labels: BTreeMap::from([("a-b".to_owned(), "c".to_owned())]),
        ..Config::default()
    };
    assert_eq!(config.check().unwrap_err().key_path, "const_labels::a-b");
}

#[tokio::test]
async fn constant_labels_do_not_replace_a_label() {
    let (exporter, _server) = exporter(Config {
        const_labels: BTreeMap::from([("site".to_owned(), "lab".to_owned())]),
        namespace: "ns".to_owned(),
        ..Config::default()
    })
    .await;
    let data = gauge(vec![point(1, 1.0, &[("site", "own")]), point(1, 2.0, &[])]);
    exporter.take(&request(&[], vec![metric("g", "", data)]));
    let page = text(&exporter);
    assert!(page.contains("ns_g{site=\"own\"} 1.0\n"), "{page}");
    assert!(page.contains("ns_g{site=\"lab\"} 2.0\n"), "{page}");
}

/// Every line is a comment, or a sample of the grammar `name[{labels}] value`.
fn check_exposition(page: &str) {
    let is_inside = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b':';
    for line in page.lines().filter(|line| !line.starts_with("# ")) {
        let (series, value) = line.rsplit_once(' ').unwrap();
        value.parse::<f64>().unwrap();
        let (name, labels) = match series.split_once('{') {
            Some((name, rest)) => (name, rest.strip_suffix('}').unwrap()),
            None => (series, ""),
        };
        assert!(!name.is_empty() && name.bytes().all(is_inside), "{line}");
        let mut rest = labels;
        while !rest.is_empty() {
            let (label, after) = rest.split_once("=\"").unwrap();
            assert!(
                label
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b == b'_'),
                "{line}"
            );
            let mut escaped = false;
            let end = after
                .find(|c| {
                    let is_end = c == '"' && !escaped;
                    escaped = c == '\\' && !escaped;
                    is_end
                })
                .unwrap();
            rest = after[end + 1..].trim_start_matches(',');
        }
    }
}

proptest::proptest! {
    #[test]
    fn any_text_is_exposed_in_the_grammar_of_the_format(
        name in ".{0,8}",
        key in ".{0,8}",
        value in ".{0,8}",
        number in proptest::num::f64::ANY,
    ) {
        let store = Store::new(Duration::from_secs(300), 1 << 20);
        let mut translator = Translator::new(Settings {
            strategy: Strategy::default(),
            label_style: LabelStyle::default(),
            namespace: String::new(),
            labels: Vec::new(),
            has_resource_labels: false,
            has_scope_labels: true,
            has_target_info: true,
            cache_bytes: 1 << 20,
        });
        let mut own = metric(&name, &key, gauge(vec![point(1, number, &[(&key, &value)])]));
        own.description = String::new();
        let _ = write!(own.description, "{value}");
        let mut recorder = store.recorder(clock::monotonic(), at(100));
        translator.translate(&request(&[("service.name", &value)], vec![own]), &mut recorder);
        let now = clock::monotonic();
        check_exposition(&store.render(now, &format(Dialect::Text004), false));
    }
}

#[tokio::test]
async fn a_clock_that_was_ahead_does_not_hold_a_series() {
    let (exporter, _server) = exporter(Config::default()).await;
    for (seconds, value) in [(100_000, 1.0), (50, 2.0), (40, 3.0)] {
        let data = gauge(vec![point(seconds, value, &[])]);
        let request = request(&[], vec![metric("g", "", data)]);
        take_at(&exporter, clock::monotonic(), &request);
    }
    assert_eq!(text(&exporter).lines().last(), Some("g 2.0"));
}

#[tokio::test]
async fn openmetrics_has_no_count_without_a_sum_and_neither_beside_negative_buckets() {
    for (bounds, sum, in_text, in_open_metrics) in [
        (&[1.0][..], Some(1.0), 4, 4),
        (&[1.0], None, 3, 2),
        (&[-1.0], Some(1.0), 4, 2),
    ] {
        let (exporter, _server) = exporter(Config::default()).await;
        let data = histogram(vec![histogram_point(1, bounds, &[1, 1], sum)]);
        exporter.take(&request(&[], vec![metric("h", "", data)]));
        let samples = |dialect| {
            let now = clock::monotonic();
            let page = exporter.store.render(now, &format(dialect), false);
            page.lines().filter(|line| !line.starts_with('#')).count()
        };
        assert_eq!(samples(Dialect::Text004), in_text);
        assert_eq!(samples(Dialect::OpenMetrics), in_open_metrics);
    }
}
