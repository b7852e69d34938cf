//! OTLP from any sender, over gRPC and HTTP.
//!
//! A request is charged to the byte budget before its body is read, inflated within bounds,
//! validated once and passed on as the bytes it is; a zstd body goes on as it came where nothing
//! behind has to look inside. The answer is given when every pipeline fed has kept the batch.
//! Refusing is part of the protocol: whatever cannot be taken now is answered with the time after
//! which to try again. Source: OTLP specification 1.11.
//!
//! It must never hold a body that was not charged, never read beyond its limit, and never say yes
//! to what is not kept.

mod config;
mod cors;
mod grpc;
mod http;
mod intake;
mod verdict;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use pipeline::{Fatal, Output};
use tokio_util::sync::CancellationToken;

pub(crate) use config::Config;

use crate::receivers::otlp::intake::Intake;
use crate::receivers::{Context, Outputs};
use crate::transport::serve::{Listener, ServerSettings};

/// Receives until `context.shutdown`, then answers the calls in flight and returns.
///
/// # Errors
/// When an address cannot be bound or a certificate cannot be read.
pub(crate) async fn run<O: Output>(
    config: Config,
    outputs: Outputs<O>,
    context: Context,
) -> Result<(), Fatal> {
    for note in config.notes() {
        tracing::info!(receiver = context.id, "{note}");
    }
    let server = Server::bind(&config).await?;
    for (protocol, address) in server.addresses() {
        tracing::info!(receiver = context.id, protocol, %address, "listening");
    }
    context.stats.set_started();
    server.serve(&config, outputs, context).await;
    Ok(())
}

/// Both protocols, bound and not served yet.
struct Server {
    grpc: Option<Listener>,
    http: Option<Listener>,
}

impl Server {
    async fn bind(config: &Config) -> Result<Self, Fatal> {
        let grpc = match &config.protocols.grpc {
            Some(grpc) => Some(Listener::bind(&grpc.endpoint, grpc.tls.as_ref()).await?),
            None => None,
        };
        let http = match &config.protocols.http {
            Some(http) => Some(Listener::bind(&http.endpoint, http.tls.as_ref()).await?),
            None => None,
        };
        Ok(Self { grpc, http })
    }

    fn addresses(&self) -> impl Iterator<Item = (&'static str, SocketAddr)> {
        let grpc = self
            .grpc
            .as_ref()
            .map(|listener| ("grpc", listener.address()));
        let http = self
            .http
            .as_ref()
            .map(|listener| ("http", listener.address()));
        grpc.into_iter().chain(http)
    }

    async fn serve<O: Output>(self, config: &Config, outputs: Outputs<O>, context: Context) {
        let shutdown = context.shutdown.clone();
        let intake = Arc::new(Intake::new(outputs, context));
        tokio::join!(
            serve_grpc(self.grpc, config, Arc::clone(&intake), shutdown.clone()),
            serve_http(self.http, config, intake, shutdown),
        );
    }
}

async fn serve_grpc<O: Output>(
    listener: Option<Listener>,
    config: &Config,
    intake: Arc<Intake<O>>,
    shutdown: CancellationToken,
) {
    let (Some(listener), Some(config)) = (listener, &config.protocols.grpc) else {
        return;
    };
    let limit_bytes = config.limit_bytes();
    let settings = config.server_settings();
    listener
        .serve(settings, shutdown, move |request| {
            let intake = Arc::clone(&intake);
            async move { grpc::answer(&intake, limit_bytes, request).await }
        })
        .await;
}

async fn serve_http<O: Output>(
    listener: Option<Listener>,
    config: &Config,
    intake: Arc<Intake<O>>,
    shutdown: CancellationToken,
) {
    let (Some(listener), Some(config)) = (listener, &config.protocols.http) else {
        return;
    };
    let settings = ServerSettings {
        header_timeout: config.read_header_timeout.0,
        ..ServerSettings::default()
    };
    let door = Arc::new(http::Door::new(config, intake));
    listener
        .serve(settings, shutdown, move |request| {
            let door = Arc::clone(&door);
            async move { door.answer(request).await }
        })
        .await;
}

/// When to try again while the byte budget is used up: it turns over within a second or so.
const BUDGET_RETRY_AFTER: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests;
