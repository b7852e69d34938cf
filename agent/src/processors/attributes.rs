//! Edits the attributes of log records, spans and data points.
