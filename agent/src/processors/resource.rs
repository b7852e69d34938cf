//! stub
use crate::config::{Check, Problem};
use serde::{Deserialize, Serialize};
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub(crate) struct Config {}
impl Check for Config {
    fn check(&self) -> Result<(), Problem> {
        Ok(())
    }
}
#[derive(Debug)]
pub(crate) struct Processor;
impl Processor {
    pub(crate) fn new(_: &Config) -> Self {
        Self
    }
}
impl pipeline::Processor for Processor {
    fn process(&self, b: pipeline::Batch) -> pipeline::Processed {
        pipeline::Processed::Keep(b)
    }
}
