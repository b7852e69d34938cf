//! stub
use crate::config::{Check, Problem};
use pipeline::Fatal;
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub(crate) struct Config {}
impl Check for Config {
    fn check(&self) -> Result<(), Problem> {
        Ok(())
    }
}
pub(crate) struct Server;
impl Server {
    pub(crate) async fn bind(_: &Config) -> Result<Self, Fatal> {
        Ok(Self)
    }
    pub(crate) async fn run(
        self,
        _: impl Fn() -> Vec<String> + Send + Sync + 'static,
        _: CancellationToken,
    ) {
    }
}
