use opentelemetry_proto::tonic::metrics::v1::Metric;
use pipeline::{Budget, Exporter as _, Payload};

use super::super::scripted::{Answer as Scene, Arrived, Scripted};
use super::super::series::fixture::*;
use super::super::series::{Drops, ORDINARY_NAN, STALE_NAN};
use super::*;

mod oracle;

use oracle::{Series, read_v1, read_v2};

const HOST: &[(&str, &str)] = &[("service.name", "cart"), ("service.instance.id", "1")];

const EVERYTHING_OPEN: Window = Window {
    oldest_ms: i64::MIN,
    newest_ms: i64::MAX,
};

/// A config for data of any age, at `url`.
fn config(url: &str) -> Config {
    Config {
        endpoint: url.to_owned(),
        max_age: Interval::default(),
        max_ahead: Interval::default(),
        ..Config::default()
    }
}

fn batch(request: Vec<u8>, items: u32) -> Batch {
    let charge = Budget::new(1 << 30).try_charge(request.len()).unwrap();
    Batch::new(
        Signal::Metrics,
        Payload::Plain(request.into()),
        items,
        charge,
    )
}

fn gauges(points: &[(u64, f64)]) -> Vec<u8> {
    let points = points.iter().map(|(at, value)| point(*at, *value, &[]));
    request(&[], vec![metric("g", "", gauge(points.collect()))])
}

fn encode(config: Config, version: Version, request: &[u8]) -> (Vec<u8>, Contents) {
    let mut encoder = Encoder::new(config);
    let contents = encoder.encode(request, version, EVERYTHING_OPEN);
    (encoder.compress().unwrap().to_vec(), contents)
}

fn encode_both(metrics: Vec<Metric>) -> Vec<Series> {
    let request = request(HOST, metrics);
    let (v1, contents_1) = encode(Config::default(), Version::V1, &request);
    let (v2, contents_2) = encode(Config::default(), Version::V2, &request);
    let (series_1, series_2) = (read_v1(&v1).series(), read_v2(&v2).series());
    assert_eq!(format!("{series_1:?}"), format!("{series_2:?}"));
    assert_eq!(contents_1, contents_2);
    let samples: usize = series_1.iter().map(|series| series.samples.len()).sum();
    let histograms: usize = series_1.iter().map(|series| series.histograms.len()).sum();
    let told = (contents_1.samples, contents_1.histograms);
    assert_eq!(told, (samples as u64, histograms as u64));
    series_1
}

#[test]
fn both_versions_tell_the_same_series() {
    let mut requests = point(2, 7.0, &[("code", "200")]);
    requests.exemplars = vec![exemplar_at(1, 1.0, 1)];
    let mut latency = histogram_point(2, &[0.5], &[1, 2], Some(9.5));
    latency.exemplars = vec![exemplar_at(1, 0.75, 2)];
    let series = encode_both(vec![
        metric("requests", "1", counter(vec![requests])),
        metric("latency", "s", histogram(vec![latency])),
        metric("wait", "ms", summary(2, &[(0.5, 2.0)])),
        metric("size", "By", exponential(vec![exponential_point(2)])),
    ]);
    let labels: Vec<_> = series.iter().map(|series| series.labels.as_str()).collect();
    assert_eq!(
        labels,
        [
            "requests_total{code=200,instance=1,job=cart}",
            "latency_seconds_bucket{instance=1,job=cart,le=0.5}",
            "latency_seconds_bucket{instance=1,job=cart,le=+Inf}",
            "latency_seconds_sum{instance=1,job=cart}",
            "latency_seconds_count{instance=1,job=cart}",
            "wait_milliseconds{instance=1,job=cart,quantile=0.5}",
            "wait_milliseconds_sum{instance=1,job=cart}",
            "wait_milliseconds_count{instance=1,job=cart}",
            "size_bytes{instance=1,job=cart}",
        ]
    );
    let values: Vec<f64> = series
        .iter()
        .flat_map(|it| &it.samples)
        .map(|it| it.value)
        .collect();
    assert_eq!(values, [7.0, 1.0, 3.0, 9.5, 3.0, 2.0, 21.0, 7.0]);
    let samples = series.iter().flat_map(|series| &series.samples);
    assert!(
        samples
            .into_iter()
            .all(|sample| sample.timestamp == at_ms(2))
    );
    let trace = |id: &str| {
        let labels = format!(
            "{{span_id={},trace_id={},user=u1}}",
            id.repeat(8),
            id.repeat(16)
        );
        (labels, at_ms(1))
    };
    let exemplars: Vec<_> = series
        .iter()
        .map(|series| series.exemplars.clone())
        .collect();
    assert_eq!(exemplars[0], [(trace("01").0, 1.0, trace("01").1)]);
    assert_eq!(exemplars[2], [(trace("02").0, 0.75, trace("02").1)]);
    assert_eq!(exemplars.iter().flatten().count(), 2);
}

#[test]
fn a_native_histogram_carries_spans_and_differences() {
    let series = encode_both(vec![metric(
        "n",
        "",
        exponential(vec![exponential_point(2)]),
    )]);
    let [histogram] = &series[0].histograms[..] else {
        panic!("{series:?}");
    };
    assert_eq!(histogram.count, Some(oracle::Count::Int(40)));
    assert_eq!(histogram.zero_count, Some(oracle::ZeroCount::Int(3)));
    assert_eq!((histogram.sum, histogram.schema), (100.0, 0));
    assert_eq!(histogram.zero_threshold.to_bits(), 1e-128_f64.to_bits());
    let spans: Vec<_> = histogram
        .positive_spans
        .iter()
        .map(|it| (it.offset, it.length))
        .collect();
    assert_eq!(spans, [(4, 1), (2, 3)]);
    assert_eq!(histogram.positive_deltas, [10, 10, -15, -3]);
    assert_eq!(histogram.timestamp, at_ms(2));
}

#[test]
fn metadata_and_start_times_are_told_in_2_0() {
    let mut counted = point(2, 1.0, &[]);
    counted.start_time_unix_nano = at(1);
    let mut early = point(2, 1.0, &[("early", "1")]);
    early.start_time_unix_nano = 1;
    let metrics = vec![
        metric("c", "By", counter(vec![counted, early])),
        metric("g", "s", gauge(vec![point(2, 1.0, &[])])),
        metric("n", "", exponential(vec![exponential_point(2)])),
    ];
    let request = request(HOST, metrics);
    let message = read_v2(&encode(Config::default(), Version::V2, &request).0);
    let starts: Vec<_> = message
        .timeseries
        .iter()
        .flat_map(|series| &series.samples)
        .map(|sample| sample.start_timestamp)
        .collect();
    assert_eq!(starts, [at_ms(1), 1, 0]);
    assert_eq!(
        message.timeseries[3].histograms[0].start_timestamp,
        at_ms(0)
    );
    let told = |kind, help: &str, unit: &str| (kind, help.to_owned(), unit.to_owned());
    let metadata = message.metadata();
    assert_eq!(metadata["c_bytes_total"], told(1, "About c.", "bytes"));
    assert_eq!(metadata["g_seconds"], told(2, "About g.", "seconds"));
    assert_eq!(metadata["n"], told(3, "About n.", ""));
}

#[test]
fn metadata_is_told_in_1_0_when_asked_for() {
    let points = vec![point(2, 1.0, &[("a", "1")]), point(2, 1.0, &[("a", "2")])];
    let request = request(HOST, vec![metric("c", "By", counter(points))]);
    let silent = read_v1(&encode(Config::default(), Version::V1, &request).0);
    assert_eq!(silent.metadata, []);
    let config = Config {
        send_metadata: true,
        ..Config::default()
    };
    let told = read_v1(&encode(config, Version::V1, &request).0).metadata;
    let expected = oracle::MetricMetadata {
        kind: 1,
        metric_family_name: "c_bytes_total".to_owned(),
        help: "About c.".to_owned(),
        unit: "bytes".to_owned(),
    };
    assert_eq!(told, [expected]);
}

#[test]
fn only_the_stale_marker_has_the_bits_of_one() {
    let mut end = point(3, 0.0, &[("end", "1")]);
    end.value = None;
    end.flags = 1;
    let false_end = point(3, f64::from_bits(STALE_NAN), &[]);
    let series = encode_both(vec![metric("g", "", gauge(vec![end, false_end]))]);
    let bits: Vec<_> = series
        .iter()
        .map(|it| it.samples[0].value.to_bits())
        .collect();
    assert_eq!(bits, [STALE_NAN, ORDINARY_NAN]);
}

#[test]
fn samples_of_a_series_go_out_in_order_of_time() {
    for version in [Version::V1, Version::V2] {
        let request = gauges(&[(3, 3.0), (1, 1.0), (2, 2.0)]);
        let (body, contents) = encode(Config::default(), version, &request);
        let series = match version {
            Version::V1 => read_v1(&body).series(),
            Version::V2 => read_v2(&body).series(),
        };
        let values: Vec<_> = series
            .iter()
            .map(|series| series.samples[0].value)
            .collect();
        assert_eq!(values, [1.0, 2.0, 3.0]);
        assert_eq!(contents.drops, Drops::default());
    }
}

#[test]
fn a_second_value_for_one_time_is_not_sent() {
    let request = gauges(&[(1, 1.0), (1, 2.0), (1, 1.0), (2, 1.0)]);
    let (body, contents) = encode(Config::default(), Version::V1, &request);
    let series = read_v1(&body).series();
    assert_eq!(
        series
            .iter()
            .map(|it| it.samples[0].value)
            .collect::<Vec<_>>(),
        [1.0, 1.0]
    );
    assert_eq!(contents.drops.to_string(), "duplicate");
}

#[test]
fn what_lies_outside_the_window_is_not_sent() {
    let config = Config {
        max_age: Interval::from_secs(10),
        max_ahead: Interval::from_secs(5),
        ..Config::default()
    };
    let window = Limits::new(&config).window(at(100));
    let mut encoder = Encoder::new(config);
    let request = gauges(&[(89, 1.0), (90, 2.0), (105, 3.0), (106, 4.0)]);
    let contents = encoder.encode(&request, Version::V1, window);
    assert_eq!(
        contents.drops.to_string(),
        "too_old: 1, too_far_in_future: 1"
    );
    let series = read_v1(&encoder.compress().unwrap()).series();
    assert_eq!(
        series
            .iter()
            .map(|it| it.samples[0].value)
            .collect::<Vec<_>>(),
        [2.0, 3.0]
    );
}

#[test]
fn the_options_shape_the_series() {
    let config = Config {
        external_labels: BTreeMap::from([
            ("site".to_owned(), "lab".to_owned()),
            ("a".to_owned(), "external".to_owned()),
        ]),
        namespace: "ns".to_owned(),
        add_metric_suffixes: false,
        target_info: TargetInfo { enabled: false },
        resource_to_telemetry_conversion: ResourceConversion { enabled: true },
        ..Config::default()
    };
    let data = counter(vec![point(1, 1.0, &[("a", "own")])]);
    let resource = [("service.name", "x"), ("host.name", "h")];
    let request = request(&resource, vec![metric("c", "s", data)]);
    let series = read_v1(&encode(config, Version::V1, &request).0).series();
    let labels: Vec<_> = series.iter().map(|series| series.labels.as_str()).collect();
    assert_eq!(
        labels,
        ["ns_c{a=own,host_name=h,job=x,service_name=x,site=lab}"]
    );
}

/// Answers 2.0 messages as Prometheus 3 does.
fn written(arrived: &Arrived) -> Vec<(&'static str, String)> {
    let series = read_v2(&arrived.body).series();
    let samples: usize = series.iter().map(|series| series.samples.len()).sum();
    let histograms: usize = series.iter().map(|series| series.histograms.len()).sum();
    vec![
        (
            "X-Prometheus-Remote-Write-Samples-Written",
            samples.to_string(),
        ),
        (
            "X-Prometheus-Remote-Write-Histograms-Written",
            histograms.to_string(),
        ),
        (
            "X-Prometheus-Remote-Write-Exemplars-Written",
            "0".to_owned(),
        ),
    ]
}

fn is_v2(arrived: &Arrived) -> bool {
    arrived.header("content-type").contains("write.v2.Request")
}

fn versions(server: &Scripted) -> Vec<&'static str> {
    let arrived = server.arrived();
    let version = |arrived: &Arrived| if is_v2(arrived) { "2" } else { "1" };
    arrived.iter().map(version).collect()
}

#[tokio::test]
async fn a_receiver_of_2_0_is_recognized_by_what_it_says_it_wrote() {
    let server = Scripted::start(|arrived| (204, written(arrived), "")).await;
    let exporter = Exporter::new("rw", config(&server.url)).unwrap();
    for _ in 0..2 {
        let exported = exporter
            .export(&batch(gauges(&[(1, 1.0)]), 1))
            .await
            .unwrap();
        assert_eq!(exported, Exported::default());
    }
    assert_eq!(versions(&server), ["2", "2"]);
    assert_eq!(exporter.protocol(), Some(2));
    let arrived = &server.arrived()[0];
    for (name, value) in [
        ("content-encoding", "snappy"),
        (
            "content-type",
            "application/x-protobuf;proto=io.prometheus.write.v2.Request",
        ),
        ("x-prometheus-remote-write-version", "2.0.0"),
    ] {
        assert_eq!(arrived.header(name), value);
    }
    assert!(arrived.header("user-agent").starts_with("skybridge/"));
}

/// Scenario: a receiver of 1.0 answers success to a 2.0 message and stores nothing.
/// Guarantees: the same data arrives as 1.0, and 2.0 is not tried again.
#[tokio::test]
async fn a_receiver_that_swallows_2_0_gets_the_same_data_as_1_0() {
    for refusal in [204, 200, 415, 400] {
        let server = Scripted::start(move |arrived| {
            let status = if is_v2(arrived) { refusal } else { 204 };
            (status, vec![], "no such content type")
        })
        .await;
        let exporter = Exporter::new("rw", config(&server.url)).unwrap();
        for _ in 0..2 {
            let exported = exporter
                .export(&batch(gauges(&[(1, 7.0)]), 1))
                .await
                .unwrap();
            assert_eq!(exported, Exported::default(), "{refusal}");
        }
        assert_eq!(versions(&server), ["2", "1", "1"], "{refusal}");
        assert_eq!(exporter.protocol(), Some(1));
        let arrived = &server.arrived()[1];
        assert_eq!(arrived.header("content-type"), "application/x-protobuf");
        assert_eq!(arrived.header("x-prometheus-remote-write-version"), "0.1.0");
        assert_eq!(read_v1(&arrived.body).series()[0].samples[0].value, 7.0);
    }
}

#[tokio::test]
async fn a_receiver_that_refuses_the_data_in_both_versions_is_not_decided() {
    let server = Scripted::in_order(vec![(400, vec![], "out of order sample")]).await;
    let exporter = Exporter::new("rw", config(&server.url)).unwrap();
    let error = exporter
        .export(&batch(gauges(&[(1, 7.0)]), 1))
        .await
        .unwrap_err();
    assert!(
        matches!(
            error,
            ExportError::BadData {
                reason: "bad_request",
                ..
            }
        ),
        "{error:?}"
    );
    assert!(error.to_string().contains("out of order sample"), "{error}");
    assert_eq!(versions(&server), ["2", "1"]);
    assert_eq!(exporter.protocol(), None);
}

#[tokio::test]
async fn a_receiver_that_goes_back_to_1_0_loses_nothing() {
    let server = Scripted::start({
        let asked = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
        move |arrived| {
            let is_first = asked.fetch_add(1, Ordering::Relaxed) == 0;
            (204, if is_first { written(arrived) } else { vec![] }, "")
        }
    })
    .await;
    let exporter = Exporter::new("rw", config(&server.url)).unwrap();
    for _ in 0..3 {
        exporter
            .export(&batch(gauges(&[(1, 7.0)]), 1))
            .await
            .unwrap();
    }
    assert_eq!(versions(&server), ["2", "2", "1", "1"]);
}

#[tokio::test]
async fn a_forced_version_is_the_only_one_tried() {
    for (message, expected) in [(ProtobufMessage::V1, "1"), (ProtobufMessage::V2, "2")] {
        let server = Scripted::in_order(vec![(204, vec![], "")]).await;
        let exporter = Exporter::new(
            "rw",
            Config {
                protobuf_message: Some(message),
                ..config(&server.url)
            },
        )
        .unwrap();
        let result = exporter.export(&batch(gauges(&[(1, 7.0)]), 1)).await;
        assert_eq!(versions(&server), [expected]);
        assert_eq!(result.is_ok(), message == ProtobufMessage::V1);
        if let Err(error) = result {
            assert!(
                matches!(error, ExportError::PeerRejection { .. }),
                "{error:?}"
            );
        }
    }
}

#[tokio::test]
async fn a_partial_write_counts_what_was_not_written() {
    for status in [400, 200] {
        let server = Scripted::start(move |_| {
            let headers = vec![("X-Prometheus-Remote-Write-Samples-Written", "2".to_owned())];
            (status, headers, "out of order sample")
        })
        .await;
        let exporter = Exporter::new("rw", config(&server.url)).unwrap();
        let request = gauges(&[(1, 1.0), (2, 2.0), (3, 3.0), (3, 4.0)]);
        let exported = exporter.export(&batch(request, 4)).await.unwrap();
        assert_eq!(exported.rejected, 2);
        assert_eq!(
            exported.reason,
            "duplicate: 1, not_written: 1 (out of order sample)"
        );
        assert_eq!(exporter.protocol(), Some(2));
        assert_eq!(server.arrived().len(), 1);
    }
}

#[tokio::test]
async fn lost_samples_of_a_histogram_never_count_more_than_its_points() {
    let server = Scripted::start(|_| {
        let headers = vec![("X-Prometheus-Remote-Write-Samples-Written", "0".to_owned())];
        (400, headers, "too old")
    })
    .await;
    let exporter = Exporter::new("rw", config(&server.url)).unwrap();
    let data = histogram(vec![histogram_point(1, &[1.0], &[1, 1], None)]);
    let request = request(&[], vec![metric("h", "", data)]);
    let exported = exporter.export(&batch(request, 1)).await.unwrap();
    assert_eq!(exported.rejected, 1);
}

#[tokio::test]
async fn answers_mean_what_the_table_says() {
    let retry_after = || vec![("Retry-After", "7".to_owned())];
    let table: Vec<(Scene, &str)> = vec![
        ((500, vec![], "too old sample"), "Retry { after: None"),
        ((503, retry_after(), ""), "Retry { after: Some(7s)"),
        ((429, retry_after(), ""), "Retry { after: Some(7s)"),
        ((429, vec![], ""), "Retry { after: None"),
        ((400, vec![], ""), "BadData { reason: \"bad_request\""),
        ((415, vec![], ""), "BadData { reason: \"refused\""),
        ((422, vec![], ""), "BadData { reason: \"refused\""),
        ((401, vec![], ""), "PeerRejection"),
        ((403, vec![], ""), "PeerRejection"),
        ((404, vec![], ""), "PeerRejection"),
        ((405, vec![], ""), "PeerRejection"),
        ((413, vec![], ""), "BadData { reason: \"too_large\""),
        (
            (301, vec![("Location", "/".to_owned())], ""),
            "PeerRejection",
        ),
    ];
    for (scene, expected) in table {
        let server = Scripted::in_order(vec![scene.clone()]).await;
        let exporter = Exporter::new(
            "rw",
            Config {
                protobuf_message: Some(ProtobufMessage::V1),
                ..config(&server.url)
            },
        )
        .unwrap();
        let error = exporter
            .export(&batch(gauges(&[(1, 7.0)]), 1))
            .await
            .unwrap_err();
        let shown = format!("{error:?}");
        assert!(shown.starts_with(expected), "{}: {shown}", scene.0);
        assert!(shown.contains(&server.url), "{shown}");
    }
}

#[tokio::test]
async fn no_answer_is_tried_again() {
    let exporter = Exporter::new("rw", config("http://127.0.0.1:1/api/v1/write")).unwrap();
    let error = exporter
        .export(&batch(gauges(&[(1, 7.0)]), 1))
        .await
        .unwrap_err();
    assert!(
        matches!(error, ExportError::Retry { after: None, .. }),
        "{error:?}"
    );
}

#[tokio::test]
async fn a_request_above_the_limits_is_split_by_the_driver() {
    let server = Scripted::in_order(vec![(204, vec![], "")]).await;
    let five = || gauges(&[(1, 1.0), (2, 2.0), (3, 3.0), (4, 4.0), (5, 5.0)]);
    for (samples, bytes) in [(4, 3_000_000), (0, 100)] {
        let exporter = Exporter::new(
            "rw",
            Config {
                max_batch_samples: samples,
                max_batch_size_bytes: bytes,
                ..config(&server.url)
            },
        )
        .unwrap();
        let error = exporter.export(&batch(five(), 5)).await.unwrap_err();
        assert!(matches!(error, ExportError::TooLarge { .. }), "{error:?}");
        assert_eq!(server.arrived().len(), 0);
    }
    let exporter = Exporter::new(
        "rw",
        Config {
            max_batch_size_bytes: 1,
            ..config(&server.url)
        },
    )
    .unwrap();
    exporter
        .export(&batch(gauges(&[(1, 1.0)]), 1))
        .await
        .unwrap();
}

#[tokio::test]
async fn a_batch_with_nothing_to_send_is_answered_for() {
    let exporter = Exporter::new("rw", config("http://127.0.0.1:1/")).unwrap();
    let data = sum(DELTA, true, vec![point(1, 1.0, &[])]);
    let request = request(&[], vec![metric("d", "", data)]);
    let exported = exporter.export(&batch(request, 1)).await.unwrap();
    assert_eq!(
        (exported.rejected, exported.reason.as_str()),
        (1, "delta_temporality")
    );
}

#[test]
fn options_are_checked() {
    let good = config("http://a:9090/api/v1/write");
    assert_eq!(good.check(), Ok(()));
    let header = |name: &str| Config {
        headers: BTreeMap::from([(name.to_owned(), Secret::from("x"))]),
        ..good.clone()
    };
    for (config, key) in [
        (config("prometheus:9090"), "endpoint"),
        (header("Content-Encoding"), "headers::Content-Encoding"),
        (header("content-type"), "headers::content-type"),
        (header("User-Agent"), "headers::User-Agent"),
        (
            header("X-Prometheus-Remote-Write-Version"),
            "headers::X-Prometheus-Remote-Write-Version",
        ),
        (
            Config {
                external_labels: BTreeMap::from([("__a".to_owned(), "b".to_owned())]),
                ..good.clone()
            },
            "external_labels::__a",
        ),
        (
            Config {
                http: Some(Http::default()),
                ..Config::default()
            },
            "http::endpoint",
        ),
        (
            Config {
                http: Some(Http::default()),
                ..good.clone()
            },
            "endpoint",
        ),
        (
            Config {
                wal: Some(Wal::default()),
                ..good.clone()
            },
            "wal",
        ),
    ] {
        assert_eq!(config.check().unwrap_err().key_path, key);
    }
    assert_eq!(header("X-Scope-OrgID").check(), Ok(()));
    let missing = Config::default().check().unwrap_err();
    assert_eq!(missing.message, "no endpoint is given");
}

#[test]
fn encoding_known_series_allocates_nothing() {
    let points = (0..100)
        .map(|cpu| point(1, 1.0, &[("cpu", &format!("cpu{cpu}"))]))
        .collect();
    let request = request(HOST, vec![metric("g", "s", gauge(points))]);
    for version in [Version::V1, Version::V2] {
        let mut encoder = Encoder::new(Config::default());
        for _ in 0..2 {
            encoder.encode(&request, version, EVERYTHING_OPEN);
        }
        let counted = allocation_counter::measure(|| {
            encoder.encode(&request, version, EVERYTHING_OPEN);
        });
        assert_eq!(counted.count_total, 0, "{version:?}");
    }
}

#[test]
fn the_connection_may_be_written_below_http() {
    let below = Config {
        endpoint: String::new(),
        http: Some(Http {
            endpoint: "http://a:9090/api/v1/write".to_owned(),
            timeout: Interval::from_secs(3),
            ..Http::default()
        }),
        ..config("")
    };
    assert_eq!(below.check(), Ok(()));
    assert_eq!(below.attempt_timeout(), Interval::from_secs(3));
    let exporter = Exporter::new("rw", below).unwrap();
    assert_eq!(
        exporter.client.endpoint().to_string(),
        "http://a:9090/api/v1/write"
    );
}

#[test]
fn an_unlimited_request_is_not_limited_in_points() {
    for (samples, items) in [(0, u32::MAX), (2_000, 2_000), (u64::MAX, u32::MAX)] {
        let config = Config {
            max_batch_samples: samples,
            ..Config::default()
        };
        assert_eq!(config.max_items(), items);
    }
}
