//! Sends logs to Loki, by its OTLP endpoint or by push.
