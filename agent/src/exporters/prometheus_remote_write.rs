//! Sends metrics by Prometheus remote write, 2.0 or 1.0.
