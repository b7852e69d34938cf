//! Serves the own metrics to whoever scrapes them.

use std::sync::Arc;

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::body::Incoming;
use pipeline::Fatal;
use tokio_util::sync::CancellationToken;

use super::Watched;
use crate::transport::serve::{Listener, ServerSettings};

/// The one path there is.
const PATH: &str = "/metrics";

/// A bound endpoint of the own metrics.
#[derive(Debug)]
pub(crate) struct Server {
    listener: Listener,
}

impl Server {
    /// Binds `address`, which is `host:port`.
    ///
    /// # Errors
    /// When the address cannot be bound.
    pub(crate) async fn bind(address: &str) -> Result<Self, Fatal> {
        Ok(Self {
            listener: Listener::bind(address, None).await?,
        })
    }

    /// Answers until `shutdown`.
    pub(crate) async fn run(self, watched: Arc<Watched>, shutdown: CancellationToken) {
        let answer = move |request: Request<Incoming>| {
            let response = answer(&watched, &request);
            async move { response }
        };
        self.listener
            .serve(ServerSettings::default(), shutdown, answer)
            .await;
    }
}

fn answer(watched: &Watched, request: &Request<Incoming>) -> Response<Full<Bytes>> {
    if request.uri().path() != PATH {
        return plain(
            StatusCode::NOT_FOUND,
            "own metrics are at /metrics\n".to_owned(),
        );
    }
    if request.method() != Method::GET && request.method() != Method::HEAD {
        return plain(StatusCode::METHOD_NOT_ALLOWED, "use GET\n".to_owned());
    }
    match watched.exposition() {
        Ok(text) => plain(StatusCode::OK, text),
        Err(error) => plain(StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")),
    }
}

fn plain(status: StatusCode, text: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(text.into()));
    *response.status_mut() = status;
    let content_type = header::HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, content_type);
    response
}
