//! Batches as text.

use std::fmt::{self, Write};

use ::otlp::common::{Attributes, Resource, Scope};
use ::otlp::metrics::{Data, Metric, Number};
use ::otlp::{Signal, logs, metrics, traces};

use crate::exporters::debug::Verbosity;

/// The text of one encoded request of `items` items; each line ends with a line end.
pub(super) fn of(signal: Signal, items: u32, message: &[u8], verbosity: Verbosity) -> String {
    let mut text = String::new();
    // Writing to a `String` cannot fail.
    let _ = write(signal, items, message, verbosity, &mut text);
    text
}

fn write(
    signal: Signal,
    items: u32,
    message: &[u8],
    verbosity: Verbosity,
    out: &mut String,
) -> fmt::Result {
    let resources = match signal {
        Signal::Metrics => metrics::Request::new(message).resource_metrics().count(),
        Signal::Logs => logs::Request::new(message).resource_logs().count(),
        Signal::Traces => traces::Request::new(message).resource_spans().count(),
    };
    let word = signal.items_word().replace('_', " ");
    let bytes = message.len();
    writeln!(
        out,
        "{signal}: {items} {word}, {resources} resources, {bytes} bytes"
    )?;
    match verbosity {
        Verbosity::Basic => Ok(()),
        Verbosity::Normal => match signal {
            Signal::Metrics => metrics_lines(message, out),
            Signal::Logs => logs_lines(message, out),
            Signal::Traces => traces_lines(message, out),
        },
        Verbosity::Detailed => json(signal, message, out),
    }
}

/// Every field, one a line.
fn json(signal: Signal, message: &[u8], out: &mut String) -> fmt::Result {
    let mut line = Vec::new();
    ::otlp::json::to_json(signal, message, &mut line);
    let pretty = serde_json::from_slice::<serde_json::Value>(&line)
        .and_then(|value| serde_json::to_string_pretty(&value))
        .unwrap_or_else(|_| String::from_utf8_lossy(&line).into_owned());
    writeln!(out, "{pretty}")
}

fn logs_lines(message: &[u8], out: &mut String) -> fmt::Result {
    for resource in logs::Request::new(message).resource_logs() {
        resource_line(&resource.resource(), out)?;
        for scope in resource.scope_logs() {
            scope_line(&scope.scope(), out)?;
            for record in scope.log_records() {
                let time = match record.time_unix_nano {
                    0 => record.observed_time_unix_nano,
                    time => time,
                };
                write!(
                    out,
                    "    {} {} {}",
                    Time(time),
                    record.severity_text,
                    record.body
                )?;
                attributes(record.attributes(), out)?;
            }
        }
    }
    Ok(())
}

fn traces_lines(message: &[u8], out: &mut String) -> fmt::Result {
    for resource in traces::Request::new(message).resource_spans() {
        resource_line(&resource.resource(), out)?;
        for scope in resource.scope_spans() {
            scope_line(&scope.scope(), out)?;
            for span in scope.spans() {
                let took_ns = span
                    .end_time_unix_nano
                    .saturating_sub(span.start_time_unix_nano);
                write!(
                    out,
                    "    {} {} trace {} span {} took {:?}",
                    Time(span.start_time_unix_nano),
                    span.name,
                    Hex(span.trace_id),
                    Hex(span.span_id),
                    std::time::Duration::from_nanos(took_ns),
                )?;
                if span.status().code == 2 {
                    write!(out, " failed {:?}", span.status().message)?;
                }
                attributes(span.attributes(), out)?;
            }
        }
    }
    Ok(())
}

fn metrics_lines(message: &[u8], out: &mut String) -> fmt::Result {
    for resource in metrics::Request::new(message).resource_metrics() {
        resource_line(&resource.resource(), out)?;
        for scope in resource.scope_metrics() {
            scope_line(&scope.scope(), out)?;
            for metric in scope.metrics() {
                metric_lines(&metric, out)?;
            }
        }
    }
    Ok(())
}

fn metric_lines(metric: &Metric<'_>, out: &mut String) -> fmt::Result {
    let mut line = |time, value: fmt::Arguments<'_>, labels| {
        write!(out, "    {} {} {value}", Time(time), metric.name())?;
        if !metric.unit().is_empty() {
            write!(out, " {}", metric.unit())?;
        }
        attributes(labels, out)
    };
    match metric.data() {
        Data::Empty => {}
        Data::Gauge(points) | Data::Sum { points, .. } => {
            for point in points {
                let time = point.time_unix_nano;
                match point.value {
                    Number::None => line(time, format_args!("no value"), point.attributes())?,
                    Number::Int(value) => line(time, format_args!("{value}"), point.attributes())?,
                    Number::Double(value) => {
                        line(time, format_args!("{value}"), point.attributes())?;
                    }
                }
            }
        }
        Data::Histogram { points, .. } => {
            for point in points {
                let (count, sum) = (point.count, point.sum.unwrap_or(f64::NAN));
                let value = format_args!("count {count} sum {sum}");
                line(point.time_unix_nano, value, point.attributes())?;
            }
        }
        Data::ExponentialHistogram { points, .. } => {
            for point in points {
                let (count, sum) = (point.count, point.sum.unwrap_or(f64::NAN));
                let value = format_args!("count {count} sum {sum}");
                line(point.time_unix_nano, value, point.attributes())?;
            }
        }
        Data::Summary { points } => {
            for point in points {
                let value = format_args!("count {} sum {}", point.count, point.sum);
                line(point.time_unix_nano, value, point.attributes())?;
            }
        }
    }
    Ok(())
}

fn resource_line(resource: &Resource<'_>, out: &mut String) -> fmt::Result {
    out.push_str("resource");
    attributes(resource.attributes(), out)
}

fn scope_line(scope: &Scope<'_>, out: &mut String) -> fmt::Result {
    write!(out, "  scope {} {}", scope.name(), scope.version())?;
    attributes(scope.attributes(), out)
}

/// The rest of a line.
fn attributes(attributes: Attributes<'_>, out: &mut String) -> fmt::Result {
    for attribute in attributes {
        write!(out, " {}={}", attribute.key, attribute.value)?;
    }
    let end = out.trim_end_matches(' ').len();
    out.truncate(end);
    out.push('\n');
    Ok(())
}

/// A time in nanoseconds since 1970.
struct Time(u64);

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_nanosecond(i128::from(self.0)) {
            Ok(time) if self.0 > 0 => time.fmt(f),
            _ => f.write_str("-"),
        }
    }
}

struct Hex<'a>(&'a [u8]);

impl fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}
