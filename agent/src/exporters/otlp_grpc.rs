//! Sends OTLP over gRPC.
