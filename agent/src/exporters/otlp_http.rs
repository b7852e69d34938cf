//! Sends OTLP over HTTP.
