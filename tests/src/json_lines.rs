//! Reads what the `file` exporter wrote, with prost's serde as the judge, and brings requests into
//! a form in which only their items matter, not how they were batched.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use opentelemetry_proto::tonic::metrics::v1::{Metric, metric::Data};
use serde_json::Value;

/// All requests of all signals in one or more files.
#[derive(Clone, Debug, Default)]
pub struct Requests {
    /// In the order of the lines.
    pub logs: Vec<ExportLogsServiceRequest>,
    /// In the order of the lines.
    pub metrics: Vec<ExportMetricsServiceRequest>,
    /// In the order of the lines.
    pub traces: Vec<ExportTraceServiceRequest>,
    /// Lines that are not JSON: what a killed writer leaves behind.
    pub torn_lines: u64,
}

/// Every item with all that belongs to it, as text, and how often it occurs.
pub type Items = BTreeMap<String, u64>;

impl Requests {
    /// Reads `path`; a file that does not exist yet holds nothing.
    ///
    /// # Panics
    /// When a line is JSON but not an export request.
    #[must_use]
    pub fn read(path: &Path) -> Self {
        Self::of(&fs::read(path).unwrap_or_default())
    }

    /// Reads lines.
    ///
    /// # Panics
    /// When a line is JSON but not an export request.
    #[must_use]
    pub fn of(lines: &[u8]) -> Self {
        let mut requests = Self::default();
        for line in lines.split(|&byte| byte == b'\n') {
            if !line.is_empty() {
                requests.add(line);
            }
        }
        requests
    }

    fn add(&mut self, line: &[u8]) {
        let Ok(value) = serde_json::from_slice::<Value>(line) else {
            self.torn_lines += 1;
            return;
        };
        let message = "a line of the file exporter is an export request";
        if value.get("resourceLogs").is_some() {
            self.logs
                .push(serde_json::from_value(value).expect(message));
        } else if value.get("resourceMetrics").is_some() {
            self.metrics
                .push(serde_json::from_value(value).expect(message));
        } else if value.get("resourceSpans").is_some() {
            self.traces
                .push(serde_json::from_value(value).expect(message));
        } else {
            panic!("{message}: {value}");
        }
    }

    /// All log records.
    pub fn log_records(&self) -> impl Iterator<Item = &LogRecord> {
        let resources = self.logs.iter().flat_map(|logs| &logs.resource_logs);
        let scopes = resources.flat_map(|resource| &resource.scope_logs);
        scopes.flat_map(|scope| &scope.log_records)
    }

    /// All log records, with resource and scope.
    #[must_use]
    pub fn log_items(&self) -> Items {
        let mut items = Items::new();
        for resource in self.logs.iter().flat_map(|logs| &logs.resource_logs) {
            for scope in &resource.scope_logs {
                for record in &scope.log_records {
                    count(
                        &mut items,
                        (
                            resource.resource.clone().unwrap_or_default(),
                            &resource.schema_url,
                            scope.scope.clone().unwrap_or_default(),
                            &scope.schema_url,
                            record,
                        ),
                    );
                }
            }
        }
        items
    }

    /// All spans, with resource and scope.
    #[must_use]
    pub fn span_items(&self) -> Items {
        let mut items = Items::new();
        for resource in self.traces.iter().flat_map(|traces| &traces.resource_spans) {
            for scope in &resource.scope_spans {
                for span in &scope.spans {
                    count(
                        &mut items,
                        (
                            resource.resource.clone().unwrap_or_default(),
                            &resource.schema_url,
                            scope.scope.clone().unwrap_or_default(),
                            &scope.schema_url,
                            span,
                        ),
                    );
                }
            }
        }
        items
    }

    /// All data points, with metric, resource and scope.
    #[must_use]
    pub fn point_items(&self) -> Items {
        let mut items = Items::new();
        let metrics = self.metrics.iter();
        for resource in metrics.flat_map(|metrics| &metrics.resource_metrics) {
            for scope in &resource.scope_metrics {
                for metric in &scope.metrics {
                    let (shape, points) = shape_and_points(metric);
                    for point in points {
                        count(
                            &mut items,
                            (
                                resource.resource.clone().unwrap_or_default(),
                                &resource.schema_url,
                                scope.scope.clone().unwrap_or_default(),
                                &scope.schema_url,
                                (&metric.name, &metric.description, &metric.unit),
                                (&metric.metadata, &shape),
                                point,
                            ),
                        );
                    }
                }
            }
        }
        items
    }
}

fn count(items: &mut Items, item: impl std::fmt::Debug) {
    *items.entry(format!("{item:?}")).or_default() += 1;
}

/// What all points of a metric share beside its name, and each point as text.
fn shape_and_points(metric: &Metric) -> (String, Vec<String>) {
    match &metric.data {
        None => ("empty".to_owned(), vec![String::new()]),
        Some(Data::Gauge(data)) => ("gauge".to_owned(), texts(&data.data_points)),
        Some(Data::Sum(data)) => (
            format!("sum {} {}", data.aggregation_temporality, data.is_monotonic),
            texts(&data.data_points),
        ),
        Some(Data::Histogram(data)) => (
            format!("histogram {}", data.aggregation_temporality),
            texts(&data.data_points),
        ),
        Some(Data::ExponentialHistogram(data)) => (
            format!("exponential histogram {}", data.aggregation_temporality),
            texts(&data.data_points),
        ),
        Some(Data::Summary(data)) => ("summary".to_owned(), texts(&data.data_points)),
    }
}

fn texts(points: &[impl std::fmt::Debug]) -> Vec<String> {
    points.iter().map(|point| format!("{point:?}")).collect()
}
