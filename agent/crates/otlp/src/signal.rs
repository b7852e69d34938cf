//! The kinds of telemetry.

use std::fmt;

/// A kind of telemetry. Always a field, never a type parameter: nothing exists three times.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Signal {
    /// Metrics; the items are data points.
    Metrics,
    /// Logs; the items are log records.
    Logs,
    /// Traces; the items are spans.
    Traces,
}

impl Signal {
    /// All signals, in the order in which they are listed to users.
    pub const ALL: [Self; 3] = [Self::Metrics, Self::Logs, Self::Traces];

    /// The word used in configs and URLs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Metrics => "metrics",
            Self::Logs => "logs",
            Self::Traces => "traces",
        }
    }

    /// What one item is called in the names of own metrics, in the plural.
    #[must_use]
    pub const fn items_word(self) -> &'static str {
        match self {
            Self::Metrics => "metric_points",
            Self::Logs => "log_records",
            Self::Traces => "spans",
        }
    }

    /// The gRPC method that takes export requests of this signal.
    #[must_use]
    pub const fn grpc_method(self) -> &'static str {
        match self {
            Self::Metrics => "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
            Self::Logs => "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
            Self::Traces => "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
        }
    }

    /// The HTTP path that takes export requests of this signal, below the base of an endpoint.
    #[must_use]
    pub const fn http_path(self) -> &'static str {
        match self {
            Self::Metrics => "/v1/metrics",
            Self::Logs => "/v1/logs",
            Self::Traces => "/v1/traces",
        }
    }

    /// Position in [`Signal::ALL`], for arrays with one place a signal.
    #[must_use]
    pub const fn index(self) -> usize {
        match self {
            Self::Metrics => 0,
            Self::Logs => 1,
            Self::Traces => 2,
        }
    }
}

impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
