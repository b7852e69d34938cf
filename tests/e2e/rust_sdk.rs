//! Sends metrics, logs and traces of Rust's OpenTelemetry SDK to two receivers at once, so that
//! both see the same items with the same time stamps.

use std::future::Future;
use std::time::{Duration, SystemTime};

use opentelemetry::logs::{AnyValue, LogRecord as _, Logger as _, LoggerProvider as _, Severity};
use opentelemetry::metrics::MeterProvider as _;
use opentelemetry::trace::{
    Link, Span as _, SpanKind, Status, TraceContextExt as _, Tracer as _, TracerProvider as _,
};
use opentelemetry::{Array, Context, InstrumentationScope, KeyValue, Value};
use opentelemetry_otlp::{
    LogExporter, MetricExporter, Protocol, SpanExporter, WithExportConfig as _,
};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::logs::{LogBatch, SdkLoggerProvider};
use opentelemetry_sdk::metrics::data::ResourceMetrics;
use opentelemetry_sdk::metrics::exporter::PushMetricExporter;
use opentelemetry_sdk::metrics::{
    Aggregation, Instrument, PeriodicReader, SdkMeterProvider, Stream, Temporality,
};
use opentelemetry_sdk::trace::{SdkTracerProvider, SpanData};
use tokio::runtime::Handle;

/// Spans, log records and points of each instrument that are sent, at least.
pub(crate) const ITEMS: usize = 50;

/// How the SDK speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Transport {
    Grpc,
    HttpProtobuf,
    HttpJson,
}

/// Sends all three signals to both `endpoints`; returns when both have acknowledged everything.
pub(crate) async fn send_everything(transport: Transport, endpoints: [String; 2]) {
    let handle = Handle::current();
    let spans = both(&handle, &endpoints, |url| span_exporter(transport, url));
    let logs = both(&handle, &endpoints, |url| log_exporter(transport, url));
    let metrics = both(&handle, &endpoints, |url| metric_exporter(transport, url));
    // The SDK's own threads export, and shutting down waits for them.
    tokio::task::spawn_blocking(move || {
        send_traces(spans);
        send_logs(logs);
        send_metrics(metrics);
    })
    .await
    .expect("an SDK that sends");
}

/// An exporter that hands each export to two.
#[derive(Debug)]
struct Both<E> {
    exporters: [E; 2],
    /// The SDK exports from threads outside of any runtime, the transports need one.
    runtime: Handle,
}

fn both<E>(runtime: &Handle, endpoints: &[String; 2], exporter: impl Fn(&str) -> E) -> Both<E> {
    Both {
        exporters: [exporter(&endpoints[0]), exporter(&endpoints[1])],
        runtime: runtime.clone(),
    }
}

impl<E> Both<E> {
    fn export<'a, F>(&'a self, export: impl Fn(&'a E) -> F) -> OTelSdkResult
    where
        F: Future<Output = OTelSdkResult> + 'a,
    {
        for exporter in &self.exporters {
            let result = self.runtime.block_on(export(exporter));
            // The SDK only logs a failed export: fail here, where the test sees it.
            assert!(result.is_ok(), "an export failed: {result:?}");
        }
        Ok(())
    }
}

impl opentelemetry_sdk::trace::SpanExporter for Both<SpanExporter> {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        self.export(|exporter| exporter.export(batch.clone()))
    }

    fn set_resource(&mut self, resource: &Resource) {
        for exporter in &mut self.exporters {
            exporter.set_resource(resource);
        }
    }
}

impl opentelemetry_sdk::logs::LogExporter for Both<LogExporter> {
    async fn export(&self, batch: LogBatch<'_>) -> OTelSdkResult {
        let records: Vec<_> = batch.iter().collect();
        self.export(|exporter| exporter.export(LogBatch::new(&records)))
    }

    fn set_resource(&mut self, resource: &Resource) {
        for exporter in &mut self.exporters {
            exporter.set_resource(resource);
        }
    }
}

impl PushMetricExporter for Both<MetricExporter> {
    async fn export(&self, metrics: &ResourceMetrics) -> OTelSdkResult {
        self.export(|exporter| exporter.export(metrics))
    }

    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }

    fn shutdown_with_timeout(&self, _timeout: Duration) -> OTelSdkResult {
        Ok(())
    }

    fn temporality(&self) -> Temporality {
        Temporality::Cumulative
    }
}

fn span_exporter(transport: Transport, url: &str) -> SpanExporter {
    match http_protocol(transport) {
        None => SpanExporter::builder()
            .with_tonic()
            .with_endpoint(url)
            .build(),
        Some(protocol) => SpanExporter::builder()
            .with_http()
            .with_protocol(protocol)
            .with_endpoint(format!("{url}/v1/traces"))
            .build(),
    }
    .expect("a span exporter")
}

fn log_exporter(transport: Transport, url: &str) -> LogExporter {
    match http_protocol(transport) {
        None => LogExporter::builder()
            .with_tonic()
            .with_endpoint(url)
            .build(),
        Some(protocol) => LogExporter::builder()
            .with_http()
            .with_protocol(protocol)
            .with_endpoint(format!("{url}/v1/logs"))
            .build(),
    }
    .expect("a log exporter")
}

fn metric_exporter(transport: Transport, url: &str) -> MetricExporter {
    match http_protocol(transport) {
        None => MetricExporter::builder()
            .with_tonic()
            .with_endpoint(url)
            .build(),
        Some(protocol) => MetricExporter::builder()
            .with_http()
            .with_protocol(protocol)
            .with_endpoint(format!("{url}/v1/metrics"))
            .build(),
    }
    .expect("a metric exporter")
}

fn http_protocol(transport: Transport) -> Option<Protocol> {
    match transport {
        Transport::Grpc => None,
        Transport::HttpProtobuf => Some(Protocol::HttpBinary),
        Transport::HttpJson => Some(Protocol::HttpJson),
    }
}

fn send_traces(exporter: Both<SpanExporter>) {
    let provider = SdkTracerProvider::builder()
        .with_resource(resource())
        .with_batch_exporter(exporter)
        .build();
    let scope = InstrumentationScope::builder("rust.tracer")
        .with_version("1.2.3")
        .with_schema_url("https://schema.invalid/1")
        .with_attributes([KeyValue::new("scope.kind", "tracer")])
        .build();
    let tracer = provider.tracer_with_scope(scope);
    for number in 0..ITEMS {
        let outer = tracer
            .span_builder(format!("outer {number}"))
            .with_kind(SpanKind::Server)
            .with_attributes(every_kind_of_attribute(number))
            .start(&tracer);
        let link = Link::new(
            outer.span_context().clone(),
            vec![KeyValue::new("linked", true)],
            0,
        );
        let parent = Context::new().with_span(outer);
        let mut inner = tracer
            .span_builder("inner")
            .with_links(vec![link])
            .start_with_context(&tracer, &parent);
        inner.add_event("happened", every_kind_of_attribute(number));
        inner.set_status(Status::error("broken on purpose"));
    }
    provider.shutdown().expect("exported spans");
}

fn send_logs(exporter: Both<LogExporter>) {
    let provider = SdkLoggerProvider::builder()
        .with_resource(resource())
        .with_batch_exporter(exporter)
        .build();
    let logger = provider.logger("rust.logger");
    for number in 0..ITEMS {
        let mut record = logger.create_log_record();
        record.set_timestamp(SystemTime::now());
        record.set_observed_timestamp(SystemTime::now());
        record.set_severity_number(Severity::Warn2);
        record.set_severity_text("WARN2");
        record.set_event_name("rust.event");
        record.set_body(nested_body(number));
        record.add_attribute("number", i64::try_from(number).expect("a small number"));
        record.add_attribute("flag", number % 2 == 0);
        record.add_attribute("raw", AnyValue::Bytes(Box::new(vec![0, 0xff, 0x80])));
        record.set_trace_context(
            opentelemetry::TraceId::from_bytes([7; 16]),
            opentelemetry::SpanId::from_bytes([9; 8]),
            Some(opentelemetry::TraceFlags::SAMPLED),
        );
        logger.emit(record);
    }
    provider.shutdown().expect("exported log records");
}

/// A map of one key: the SDK's maps have no order of their own.
fn nested_body(number: usize) -> AnyValue {
    let list = AnyValue::ListAny(Box::new(vec![
        AnyValue::Int(i64::MIN),
        AnyValue::Double(-0.5),
        AnyValue::Boolean(true),
        AnyValue::String(format!("line {number} \u{fc}\u{4e2d}\u{1f680}").into()),
    ]));
    AnyValue::Map(Box::new([("nested".into(), list)].into_iter().collect()))
}

fn send_metrics(exporter: Both<MetricExporter>) {
    let provider = SdkMeterProvider::builder()
        .with_resource(resource())
        .with_reader(
            PeriodicReader::builder(exporter)
                .with_interval(Duration::from_secs(3_600))
                .build(),
        )
        .with_view(|instrument: &Instrument| {
            (instrument.name() == "rust.exponential").then(|| {
                Stream::builder()
                    .with_aggregation(Aggregation::Base2ExponentialHistogram {
                        max_size: 160,
                        max_scale: 20,
                        record_min_max: true,
                    })
                    .build()
                    .expect("a sound view")
            })
        })
        .build();
    let meter = provider.meter("rust.meter");
    let counter = meter
        .u64_counter("rust.requests")
        .with_unit("{request}")
        .build();
    let balance = meter.i64_up_down_counter("rust.balance").build();
    let gauge = meter.f64_gauge("rust.temperature").with_unit("Cel").build();
    let latency = meter
        .f64_histogram("rust.latency")
        .with_unit("ms")
        .with_description("how long requests take")
        .build();
    let exponential = meter
        .f64_histogram("rust.exponential")
        .with_unit("s")
        .build();
    for number in 0_u32..ITEMS.try_into().expect("a small number") {
        let attributes = [
            KeyValue::new("number", i64::from(number)),
            KeyValue::new("path", format!("/p/{}", number % 5)),
        ];
        counter.add(u64::from(number), &attributes);
        balance.add(-i64::from(number), &attributes);
        gauge.record(f64::from(number) / 7.0, &attributes);
        latency.record(f64::from(number) * 3.25, &attributes);
        exponential.record(f64::from(number) * 0.001, &[]);
    }
    provider.shutdown().expect("exported metrics");
}

fn every_kind_of_attribute(number: usize) -> Vec<KeyValue> {
    vec![
        KeyValue::new("number", i64::try_from(number).expect("a small number")),
        KeyValue::new("ratio", 0.1),
        KeyValue::new("flag", false),
        KeyValue::new("text", "\u{fc}\u{4e2d}\u{1f680}"),
        KeyValue::new("list", Value::Array(Array::I64(vec![1, -2, i64::MAX]))),
        KeyValue::new("empty", ""),
    ]
}

fn resource() -> Resource {
    Resource::builder_empty()
        .with_schema_url(
            [
                KeyValue::new("service.name", "rust-sdk"),
                KeyValue::new("host.cpu.count", 2),
            ],
            "https://schema.invalid/resource",
        )
        .build()
}
