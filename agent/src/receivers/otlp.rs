//! stub
use crate::config::{Check, ComponentId, Problem};
use crate::receivers::{Context, Outputs};
use pipeline::{Fatal, Output};
use serde::{Deserialize, Serialize};
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub(crate) struct Config {
    pub(crate) storage: Option<ComponentId>,
}
impl Check for Config {
    fn check(&self) -> Result<(), Problem> {
        Ok(())
    }
}
pub(crate) async fn run<O: Output>(_: Config, _: Outputs<O>, _: Context) -> Result<(), Fatal> {
    Ok(())
}
