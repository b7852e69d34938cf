//! Takes OTLP over gRPC and HTTP.
