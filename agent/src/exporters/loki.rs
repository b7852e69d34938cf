//! stub
use crate::config::blocks::{RetryOnFailure, SendingQueue};
use crate::config::values::Interval;
use crate::config::{Check, Problem};
use pipeline::{Batch, ExportError, Exported, Fatal};
use serde::{Deserialize, Serialize};
/// stub
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Config {
    pub(crate) endpoint: String,
    pub(crate) sending_queue: SendingQueue,
    pub(crate) retry_on_failure: RetryOnFailure,
    pub(crate) timeout: Interval,
    pub(crate) compression: String,
}
impl Check for Config {
    fn check(&self) -> Result<(), Problem> {
        Ok(())
    }
}
/// stub
#[derive(Debug)]
pub(crate) struct Exporter;
impl Exporter {
    pub(crate) fn new(_: &str, _: Config) -> Result<Self, Fatal> {
        Ok(Self)
    }
}
impl pipeline::Exporter for Exporter {
    async fn export(&self, _: &Batch) -> Result<Exported, ExportError> {
        Ok(Exported::default())
    }
}
