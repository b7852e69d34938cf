//! An HTTP server for tests that records what it is sent and answers by a script.

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use tokio_util::sync::CancellationToken;

use crate::transport::serve::{Listener, ServerSettings};

/// A request as it arrived.
#[derive(Clone, Debug)]
pub(crate) struct Arrived {
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Arrived {
    pub(crate) fn header(&self, name: &str) -> &str {
        let value = self.headers.get(name);
        value.map_or("", |value| value.to_str().unwrap())
    }
}

/// Status, headers and body of an answer.
pub(crate) type Answer = (u16, Vec<(&'static str, String)>, &'static str);

/// A running server; it stops when this is dropped.
#[derive(Debug)]
pub(crate) struct Scripted {
    pub(crate) url: String,
    arrived: Arc<Mutex<Vec<Arrived>>>,
    shutdown: CancellationToken,
}

impl Scripted {
    /// Answers each request by `script`.
    pub(crate) async fn start(
        script: impl Fn(&Arrived) -> Answer + Clone + Send + Sync + 'static,
    ) -> Self {
        let listener = Listener::bind("127.0.0.1:0", None).await.unwrap();
        let url = format!("http://{}", listener.address());
        let arrived = Arc::new(Mutex::new(Vec::new()));
        let shutdown = CancellationToken::new();
        let log = Arc::clone(&arrived);
        let handler = move |request: Request<Incoming>| {
            let (log, script) = (Arc::clone(&log), script.clone());
            async move {
                let (head, body) = request.into_parts();
                let request = Arrived {
                    path: head.uri.path().to_owned(),
                    headers: head.headers,
                    body: body.collect().await.unwrap().to_bytes(),
                };
                let (status, headers, body) = script(&request);
                log.lock().unwrap().push(request);
                let mut response = Response::builder().status(status);
                for (name, value) in headers {
                    response = response.header(name, value);
                }
                response
                    .body(Full::new(Bytes::from_static(body.as_bytes())))
                    .unwrap()
            }
        };
        let serving = listener.serve(ServerSettings::default(), shutdown.clone(), handler);
        tokio::spawn(serving);
        Self {
            url,
            arrived,
            shutdown,
        }
    }

    /// Answers the requests in their order with `answers`, the last of them for ever.
    pub(crate) async fn in_order(answers: Vec<Answer>) -> Self {
        let asked = Arc::new(Mutex::new(0_usize));
        Self::start(move |_| {
            let mut asked = asked.lock().unwrap();
            let answer = answers[(*asked).min(answers.len() - 1)].clone();
            *asked += 1;
            answer
        })
        .await
    }

    /// What arrived so far.
    pub(crate) fn arrived(&self) -> Vec<Arrived> {
        self.arrived.lock().unwrap().clone()
    }
}

impl Drop for Scripted {
    fn drop(&mut self) {
        self.shutdown.cancel();
    }
}
