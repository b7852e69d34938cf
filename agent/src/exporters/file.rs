//! Writes OTLP-JSON lines to rotating files.
