//! Own metrics, logs and health.
//!
//! Nothing is counted here: components and the pipeline count, and this module turns what they
//! counted into exposition text when somebody asks. Names that the OpenTelemetry Collector has
//! (`otelcol_*`) are spelled as its default reader spells them and never change within a major
//! version; what only we have is called `skybridge_*`.

pub(crate) mod families;
pub(crate) mod logs;
