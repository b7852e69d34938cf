//! Own metrics, logs and health.
