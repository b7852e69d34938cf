//! Answers whether the program is alive and ready.
//!
//! At `path` it answers as the OpenTelemetry Collector's extension does, except that it says 503
//! while anything keeps the program from being ready, with the reasons. `/live` is 200 for as long
//! as the program can answer at all; `/ready` is `path` under a name that says what it means.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::header::{self, HeaderValue};
use http::{Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use jiff::Timestamp;
use pipeline::{Fatal, clock};
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

use crate::config::{Check, Listen, Problem};
use crate::transport::serve::{Listener, ServerSettings};
use crate::transport::tls::TlsServer;

/// Options of the `health_check` extension.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Config {
    /// Address to listen on.
    pub(crate) endpoint: String,
    /// Path of the answer; `/` answers for every path.
    pub(crate) path: String,
    /// Bodies instead of the usual ones.
    pub(crate) response_body: Option<ResponseBody>,
    /// Speak TLS; plain text if unset.
    pub(crate) tls: Option<TlsServer>,
}

/// Bodies of answers.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct ResponseBody {
    /// When ready.
    pub(crate) healthy: String,
    /// When not.
    pub(crate) unhealthy: String,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            endpoint: "localhost:13133".to_owned(),
            path: "/".to_owned(),
            response_body: None,
            tls: None,
        }
    }
}

impl Check for Config {
    fn check(&self) -> Result<(), Problem> {
        if !self.path.starts_with('/') {
            return Err(Problem::at(
                "path",
                "a path starts with a slash",
                "write for example /",
            ));
        }
        self.tls.as_ref().map_or(Ok(()), |tls| tls.check("tls"))
    }

    fn listens(&self) -> Vec<Listen> {
        vec![Listen::tcp("endpoint", &self.endpoint)]
    }
}

/// The bound endpoint.
#[derive(Debug)]
pub(crate) struct Server {
    listener: Listener,
    config: Config,
}

impl Server {
    /// Binds the endpoint.
    ///
    /// # Errors
    /// When the address cannot be bound, or a certificate cannot be read.
    pub(crate) async fn bind(config: &Config) -> Result<Self, Fatal> {
        Ok(Self {
            listener: Listener::bind(&config.endpoint, config.tls.as_ref()).await?,
            config: config.clone(),
        })
    }

    /// Answers until `shutdown`. `obstacles` tells what keeps the program from being ready, one
    /// sentence each; none when it is.
    pub(crate) async fn run(
        self,
        obstacles: impl Fn() -> Vec<String> + Send + Sync + 'static,
        shutdown: CancellationToken,
    ) {
        let health = Arc::new(Health {
            config: self.config,
            started: clock::monotonic(),
            up_since: timestamp(clock::unix_nano()),
            obstacles,
        });
        let answer = move |request: Request<Incoming>| {
            let response = health.answer(request.method(), request.uri().path());
            async move { response }
        };
        self.listener
            .serve(ServerSettings::default(), shutdown, answer)
            .await;
    }
}

struct Health<O> {
    config: Config,
    started: Instant,
    up_since: String,
    obstacles: O,
}

/// The body, by the names of the OpenTelemetry Collector; `reasons` are ours.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Body<'a> {
    status: &'static str,
    up_since: &'a str,
    uptime: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    reasons: Vec<String>,
}

impl<O: Fn() -> Vec<String>> Health<O> {
    fn answer(&self, method: &Method, path: &str) -> Response<Full<Bytes>> {
        if method != Method::GET && method != Method::HEAD {
            return json(
                StatusCode::METHOD_NOT_ALLOWED,
                r#"{"status":"use GET"}"#.to_owned(),
            );
        }
        match path {
            "/live" => self.health(Vec::new()),
            "/ready" => self.health((self.obstacles)()),
            _ if path == self.config.path || self.config.path == "/" => {
                self.health((self.obstacles)())
            }
            _ => json(
                StatusCode::NOT_FOUND,
                r#"{"status":"there is no such path"}"#.to_owned(),
            ),
        }
    }

    fn health(&self, reasons: Vec<String>) -> Response<Full<Bytes>> {
        let is_ready = reasons.is_empty();
        let status = if is_ready {
            StatusCode::OK
        } else {
            StatusCode::SERVICE_UNAVAILABLE
        };
        let own = self.config.response_body.as_ref();
        let own = own.map(|own| {
            if is_ready {
                &own.healthy
            } else {
                &own.unhealthy
            }
        });
        if let Some(body) = own.filter(|body| !body.is_empty()) {
            return json(status, body.clone());
        }
        let up = clock::monotonic().duration_since(self.started);
        let body = Body {
            status: if is_ready {
                "Server available"
            } else {
                "Server not available"
            },
            up_since: &self.up_since,
            uptime: go_duration(up),
            reasons,
        };
        json(status, serde_json::to_string(&body).unwrap_or_default())
    }
}

fn json(status: StatusCode, body: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body.into()));
    *response.status_mut() = status;
    let content_type = HeaderValue::from_static("application/json");
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, content_type);
    response
}

fn timestamp(unix_nano: u64) -> String {
    let time = Timestamp::from_nanosecond(i128::from(unix_nano));
    time.map(|time| time.to_string()).unwrap_or_default()
}

/// A duration as Go prints it: `1h2m3.456s`.
fn go_duration(duration: Duration) -> String {
    let (hours, minutes) = (duration.as_secs() / 3_600, duration.as_secs() / 60 % 60);
    let seconds = (duration.as_secs_f64() % 60.0 * 1e3).round() / 1e3;
    match (hours, minutes) {
        (0, 0) => format!("{seconds}s"),
        (0, _) => format!("{minutes}m{seconds}s"),
        _ => format!("{hours}h{minutes}m{seconds}s"),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpStream;

    use super::*;

    async fn get(address: std::net::SocketAddr, path: &str) -> (u16, serde_json::Value) {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.contains("content-type: application/json"), "{head}");
        (
            head[9..12].parse().unwrap(),
            serde_json::from_str(body).unwrap(),
        )
    }

    #[tokio::test]
    async fn readiness_follows_what_stands_in_the_way_and_life_does_not() {
        let config = Config {
            endpoint: "127.0.0.1:0".to_owned(),
            ..Config::default()
        };
        let server = Server::bind(&config).await.unwrap();
        let address = server.listener.address();
        let obstacles = Arc::new(Mutex::new(Vec::new()));
        let shutdown = CancellationToken::new();
        let told = Arc::clone(&obstacles);
        let running =
            tokio::spawn(server.run(move || told.lock().unwrap().clone(), shutdown.clone()));
        for path in ["/", "/ready", "/live", "/anything"] {
            let (status, body) = get(address, path).await;
            assert_eq!(
                (status, &body["status"]),
                (200, &"Server available".into()),
                "{path}"
            );
            assert!(body["upSince"].as_str().unwrap().ends_with('Z'), "{body}");
            assert!(body["uptime"].as_str().unwrap().ends_with('s'), "{body}");
        }
        obstacles
            .lock()
            .unwrap()
            .push("the spool of logs cannot write".to_owned());
        for (path, expected) in [("/", 503), ("/ready", 503), ("/live", 200)] {
            let (status, body) = get(address, path).await;
            assert_eq!(status, expected, "{path}");
            let reasons = serde_json::json!(["the spool of logs cannot write"]);
            assert_eq!(body["reasons"] == reasons, expected == 503, "{body}");
        }
        shutdown.cancel();
        running.await.unwrap();
    }

    #[test]
    fn a_path_of_ones_own_is_the_only_one_beside_live_and_ready() {
        let health = Health {
            config: Config {
                path: "/health".to_owned(),
                response_body: Some(ResponseBody {
                    healthy: "\"fine\"".to_owned(),
                    ..ResponseBody::default()
                }),
                ..Config::default()
            },
            started: clock::monotonic(),
            up_since: String::new(),
            obstacles: Vec::new,
        };
        for (method, path, expected) in [
            (Method::GET, "/health", 200),
            (Method::HEAD, "/ready", 200),
            (Method::GET, "/live", 200),
            (Method::GET, "/", 404),
            (Method::POST, "/health", 405),
        ] {
            assert_eq!(
                health.answer(&method, path).status(),
                expected,
                "{method} {path}"
            );
        }
    }

    #[test]
    fn uptime_reads_as_go_prints_it() {
        for (millis, expected) in [
            (0, "0s"),
            (1_500, "1.5s"),
            (61_000, "1m1s"),
            (3_723_250, "1h2m3.25s"),
        ] {
            assert_eq!(go_duration(Duration::from_millis(millis)), expected);
        }
    }
}
