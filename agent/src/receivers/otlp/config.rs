//! The options of the receiver, by the names of the OpenTelemetry Collector.

use std::collections::BTreeMap;
use std::time::Duration;

use ::http::{HeaderName, HeaderValue};
use pipeline::Signal;
use serde::{Deserialize, Serialize};

use crate::config::values::{ByteSize, Interval, Secret};
use crate::config::{Check, Listen, Problem};
use crate::transport::compression::Encoding;
use crate::transport::serve::ServerSettings;
use crate::transport::tls::TlsServer;

/// Largest request, each of compressed and inflated, as the OTLP specification recommends.
const REQUEST_SIZE_MIB: u64 = 64;
/// Sizes are kept in 32 bits by what stores batches.
const REQUEST_SIZE_MIB_MAX: u64 = 4_095;

/// Time for the body of an HTTP request. What it is charged for is held as long, so a sender that
/// trickles must not have it for ever.
const BODY_TIMEOUT: Duration = Duration::from_secs(600);

/// Options of the `otlp` receiver.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Config {
    /// What is listened for; a protocol is off when its key is missing.
    pub(crate) protocols: Protocols,
}

/// The protocols of OTLP.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Protocols {
    /// OTLP/gRPC.
    pub(crate) grpc: Option<Grpc>,
    /// OTLP/HTTP, protobuf and JSON.
    pub(crate) http: Option<Http>,
}

/// Options of OTLP/gRPC.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Grpc {
    /// Address to listen on.
    pub(crate) endpoint: String,
    /// Must be `tcp`.
    pub(crate) transport: String,
    /// Speak TLS; plain text if unset.
    pub(crate) tls: Option<TlsServer>,
    /// Largest request in MiB, each of compressed and inflated; 0 is the default.
    pub(crate) max_recv_msg_size_mib: u64,
    /// Calls served at once on one connection; 0 is the default.
    pub(crate) max_concurrent_streams: u32,
    /// Pings, and how long connections live.
    pub(crate) keepalive: Option<Keepalive>,
    /// Read and without effect: buffers are sized by the frames that arrive.
    pub(crate) read_buffer_size: Option<u64>,
    /// Read and without effect: answers are a few bytes.
    pub(crate) write_buffer_size: Option<u64>,
    /// Read and without effect: no component looks at request metadata.
    pub(crate) include_metadata: bool,
    /// Must be unset: senders cannot be authenticated.
    pub(crate) auth: Option<Auth>,
}

/// Options of OTLP/HTTP.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Http {
    /// Address to listen on.
    pub(crate) endpoint: String,
    /// Must be `tcp`.
    pub(crate) transport: String,
    /// Speak TLS; plain text if unset.
    pub(crate) tls: Option<TlsServer>,
    /// Path for traces.
    pub(crate) traces_url_path: String,
    /// Path for metrics.
    pub(crate) metrics_url_path: String,
    /// Path for logs.
    pub(crate) logs_url_path: String,
    /// Largest request in bytes, each of compressed and inflated; 0 is the default.
    pub(crate) max_request_body_size: ByteSize,
    /// Compressions to accept; `""` and names that we do not know are let stand. All if unset.
    pub(crate) compression_algorithms: Option<Vec<String>>,
    /// Answers for browsers on other origins; none if unset.
    pub(crate) cors: Option<Cors>,
    /// Headers to add to each answer.
    pub(crate) response_headers: BTreeMap<String, Secret>,
    /// Time for the head of a request; 0 for no limit.
    pub(crate) read_header_timeout: Interval,
    /// Time for the body of a request; 0 is the default, ten minutes. One that falls silent for a
    /// minute is given up before.
    pub(crate) read_timeout: Interval,
    /// Must be 0: answers are a few bytes.
    pub(crate) write_timeout: Interval,
    /// Read and without effect: an idle connection is closed after `read_header_timeout`.
    pub(crate) idle_timeout: Interval,
    /// Must be true.
    pub(crate) keep_alives_enabled: bool,
    /// Read and without effect: no component looks at request metadata.
    pub(crate) include_metadata: bool,
    /// Must be unset: senders cannot be authenticated.
    pub(crate) auth: Option<Auth>,
}

/// Connection keeping of a gRPC server.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Keepalive {
    /// What the server does.
    pub(crate) server_parameters: Option<ServerParameters>,
    /// Read and without effect: clients may ping as often as they like.
    pub(crate) enforcement_policy: Option<EnforcementPolicy>,
}

/// What a gRPC server does with its connections.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct ServerParameters {
    /// Read and without effect: an idle connection costs a few kilobytes.
    pub(crate) max_connection_idle: Interval,
    /// Connections are closed in good order after this time; 0 for never.
    pub(crate) max_connection_age: Interval,
    /// Time for the calls in flight then; 0 for as long as they take.
    pub(crate) max_connection_age_grace: Interval,
    /// A client that is silent for so long is pinged; 0 is the default, one minute.
    pub(crate) time: Interval,
    /// A client that does not answer a ping for so long is gone; 0 is the default, 20 s.
    pub(crate) timeout: Interval,
}

/// How often clients may ping.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct EnforcementPolicy {
    /// Least time between pings.
    pub(crate) min_time: Interval,
    /// Whether pings may come without calls.
    pub(crate) permit_without_stream: bool,
}

/// Who may browse here from another origin.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Cors {
    /// Origins; `*` in one stands for any characters.
    pub(crate) allowed_origins: Vec<String>,
    /// Request headers beside the usual ones; `*` for all.
    pub(crate) allowed_headers: Vec<String>,
    /// Response headers that scripts may read.
    pub(crate) exposed_headers: Vec<String>,
    /// Seconds for which a browser may remember the answer; 0 leaves it to the browser.
    pub(crate) max_age: u32,
}

/// Who checks senders.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(default)]
pub(crate) struct Auth {
    /// Id of an extension.
    pub(crate) authenticator: String,
}

impl Default for Grpc {
    fn default() -> Self {
        Self {
            endpoint: "localhost:4317".to_owned(),
            transport: "tcp".to_owned(),
            tls: None,
            max_recv_msg_size_mib: REQUEST_SIZE_MIB,
            max_concurrent_streams: 0,
            keepalive: None,
            read_buffer_size: None,
            write_buffer_size: None,
            include_metadata: false,
            auth: None,
        }
    }
}

impl Default for Http {
    fn default() -> Self {
        Self {
            endpoint: "localhost:4318".to_owned(),
            transport: "tcp".to_owned(),
            tls: None,
            traces_url_path: Signal::Traces.http_path().to_owned(),
            metrics_url_path: Signal::Metrics.http_path().to_owned(),
            logs_url_path: Signal::Logs.http_path().to_owned(),
            max_request_body_size: ByteSize(REQUEST_SIZE_MIB << 20),
            compression_algorithms: None,
            cors: None,
            response_headers: BTreeMap::new(),
            read_header_timeout: Interval::from_secs(60),
            read_timeout: Interval::default(),
            write_timeout: Interval::default(),
            idle_timeout: Interval::default(),
            keep_alives_enabled: true,
            include_metadata: false,
            auth: None,
        }
    }
}

impl Config {
    /// What is read here and does nothing, to be told once.
    pub(super) fn notes(&self) -> Vec<&'static str> {
        let mut notes = Vec::new();
        let mut note = |is_set: bool, text| {
            if is_set {
                notes.push(text);
            }
        };
        if let Some(grpc) = &self.protocols.grpc {
            note(
                grpc.read_buffer_size.is_some() || grpc.write_buffer_size.is_some(),
                "grpc: buffer sizes have no effect; buffers follow the frames that arrive",
            );
            note(
                grpc.include_metadata,
                "grpc: include_metadata has no effect; nothing reads request metadata",
            );
            let keepalive = grpc.keepalive.clone().unwrap_or_default();
            note(
                keepalive.enforcement_policy.is_some(),
                "grpc: keepalive::enforcement_policy has no effect; clients may ping at will",
            );
            let parameters = keepalive.server_parameters.unwrap_or_default();
            note(
                parameters.max_connection_idle != Interval::default(),
                "grpc: max_connection_idle has no effect; dead clients are found by pings",
            );
        }
        if let Some(http) = &self.protocols.http {
            note(
                http.include_metadata,
                "http: include_metadata has no effect; nothing reads request metadata",
            );
            note(
                http.idle_timeout != Interval::default(),
                "http: idle_timeout has no effect; read_header_timeout closes idle connections",
            );
        }
        notes
    }
}

impl Grpc {
    /// Largest request in bytes.
    pub(super) fn limit_bytes(&self) -> usize {
        let mib = match self.max_recv_msg_size_mib {
            0 => REQUEST_SIZE_MIB,
            mib => mib.min(REQUEST_SIZE_MIB_MAX),
        };
        usize::try_from(mib << 20).unwrap_or(usize::MAX)
    }

    /// How connections are served.
    pub(super) fn server_settings(&self) -> ServerSettings {
        let keepalive = self.keepalive.clone().unwrap_or_default();
        let parameters = keepalive.server_parameters.unwrap_or_default();
        let defaults = ServerSettings::default();
        let or = |interval: Interval, default: Duration| {
            if interval.0.is_zero() {
                default
            } else {
                interval.0
            }
        };
        let limit = |interval: Interval| Some(interval.0).filter(|time| !time.is_zero());
        ServerSettings {
            is_http2_only: true,
            max_concurrent_streams: match self.max_concurrent_streams {
                0 => defaults.max_concurrent_streams,
                streams => streams,
            },
            ping_interval: or(parameters.time, defaults.ping_interval),
            ping_timeout: or(parameters.timeout, defaults.ping_timeout),
            max_connection_age: limit(parameters.max_connection_age),
            age_grace: limit(parameters.max_connection_age_grace),
            ..defaults
        }
    }
}

impl Http {
    /// Largest request in bytes.
    pub(super) fn limit_bytes(&self) -> usize {
        let bytes = match self.max_request_body_size.0 {
            0 => REQUEST_SIZE_MIB << 20,
            bytes => bytes.min(REQUEST_SIZE_MIB_MAX << 20),
        };
        usize::try_from(bytes).unwrap_or(usize::MAX)
    }

    /// Time for the body of a request.
    pub(super) fn body_timeout(&self) -> Duration {
        match self.read_timeout.0 {
            Duration::ZERO => BODY_TIMEOUT,
            timeout => timeout,
        }
    }

    /// Whether bodies in `encoding` are accepted.
    pub(super) fn accepts(&self, encoding: Encoding) -> bool {
        match &self.compression_algorithms {
            None => true,
            Some(names) => names
                .iter()
                .any(|name| Encoding::parse(name) == Some(encoding)),
        }
    }
}

impl Check for Config {
    fn check(&self) -> Result<(), Problem> {
        let Protocols { grpc, http } = &self.protocols;
        if grpc.is_none() && http.is_none() {
            return Err(Problem::at(
                "protocols",
                "no protocol is on",
                "write `grpc:` or `http:`, or both, below protocols",
            ));
        }
        if let Some(grpc) = grpc {
            check_common(
                "protocols::grpc",
                &grpc.endpoint,
                &grpc.transport,
                &grpc.auth,
            )?;
            check_tls("protocols::grpc::tls", &grpc.tls)?;
            if grpc.max_recv_msg_size_mib > REQUEST_SIZE_MIB_MAX {
                return Err(Problem::at(
                    "protocols::grpc::max_recv_msg_size_mib",
                    format!("a request cannot be larger than {REQUEST_SIZE_MIB_MAX} MiB"),
                    "write a smaller number",
                ));
            }
        }
        if let Some(http) = http {
            check_common(
                "protocols::http",
                &http.endpoint,
                &http.transport,
                &http.auth,
            )?;
            check_tls("protocols::http::tls", &http.tls)?;
            http.check_rest()?;
        }
        Ok(())
    }

    fn listens(&self) -> Vec<Listen> {
        let Protocols { grpc, http } = &self.protocols;
        let grpc = grpc
            .as_ref()
            .map(|grpc| ("protocols::grpc::endpoint", &grpc.endpoint));
        let http = http
            .as_ref()
            .map(|http| ("protocols::http::endpoint", &http.endpoint));
        let all = grpc.into_iter().chain(http);
        all.map(|(key, address)| Listen::tcp(key, address))
            .collect()
    }
}

impl Http {
    fn check_rest(&self) -> Result<(), Problem> {
        let at = |key: &str, message: &str, hint: &str| {
            Err(Problem::at(
                format!("protocols::http::{key}"),
                message,
                hint,
            ))
        };
        for (key, path) in [
            ("traces_url_path", &self.traces_url_path),
            ("metrics_url_path", &self.metrics_url_path),
            ("logs_url_path", &self.logs_url_path),
        ] {
            if !path.starts_with('/') {
                return at(
                    key,
                    "a path starts with a slash",
                    "write for example /v1/logs",
                );
            }
        }
        if !self.write_timeout.0.is_zero() {
            return at(
                "write_timeout",
                "the time for an answer is not limited",
                "remove the option; answers are a few bytes",
            );
        }
        if !self.keep_alives_enabled {
            return at(
                "keep_alives_enabled",
                "connections are always kept",
                "remove the option",
            );
        }
        for (name, value) in &self.response_headers {
            if HeaderName::try_from(name.as_str()).is_err()
                || HeaderValue::try_from(value.expose()).is_err()
            {
                return at(
                    "response_headers",
                    &format!("the header `{name}` cannot be sent"),
                    "use letters, digits and dashes in names, one line in values",
                );
            }
        }
        Ok(())
    }
}

fn check_common(
    key: &str,
    endpoint: &str,
    transport: &str,
    auth: &Option<Auth>,
) -> Result<(), Problem> {
    let has_port = endpoint
        .rsplit_once(':')
        .is_some_and(|(_, port)| port.parse::<u16>().is_ok());
    if !has_port {
        return Err(Problem::at(
            format!("{key}::endpoint"),
            format!("`{endpoint}` is not an address to listen on"),
            "write host:port, such as localhost:4317 or 0.0.0.0:4317",
        ));
    }
    if transport != "tcp" {
        return Err(Problem::at(
            format!("{key}::transport"),
            format!("`{transport}` is not a transport"),
            "write tcp",
        ));
    }
    if auth.is_some() {
        return Err(Problem::at(
            format!("{key}::auth"),
            "senders cannot be authenticated",
            "remove auth and listen where only trusted senders reach, or ask for client \
             certificates with tls::client_ca_file",
        ));
    }
    Ok(())
}

fn check_tls(key: &str, tls: &Option<TlsServer>) -> Result<(), Problem> {
    tls.as_ref().map_or(Ok(()), |tls| tls.check(key))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(json: serde_json::Value) -> Config {
        serde_json::from_value(json).unwrap()
    }

    #[test]
    fn a_protocol_is_on_when_its_key_is_there() {
        let config = config(serde_json::json!({"protocols": {"grpc": {}}}));
        assert_eq!(config.protocols.grpc, Some(Grpc::default()));
        assert_eq!(config.protocols.http, None);
        assert_eq!(config.check(), Ok(()));
        assert_eq!(
            Config::default().check().unwrap_err().message,
            "no protocol is on"
        );
    }

    #[test]
    fn what_is_not_honored_is_refused() {
        for (option, key_path) in [
            (
                serde_json::json!({"grpc": {"auth": {"authenticator": "basicauth"}}}),
                "grpc::auth",
            ),
            (
                serde_json::json!({"grpc": {"transport": "unix"}}),
                "grpc::transport",
            ),
            (
                serde_json::json!({"grpc": {"endpoint": "localhost"}}),
                "grpc::endpoint",
            ),
            (serde_json::json!({"grpc": {"tls": {}}}), "grpc::tls"),
            (
                serde_json::json!({"http": {"write_timeout": "5s"}}),
                "http::write_timeout",
            ),
            (
                serde_json::json!({"http": {"logs_url_path": "logs"}}),
                "http::logs_url_path",
            ),
        ] {
            let problem = config(serde_json::json!({"protocols": option}))
                .check()
                .unwrap_err();
            assert_eq!(problem.key_path, format!("protocols::{key_path}"));
        }
    }

    #[test]
    fn zero_is_the_default_limit() {
        let grpc = Grpc {
            max_recv_msg_size_mib: 0,
            ..Grpc::default()
        };
        assert_eq!(grpc.limit_bytes(), 64 << 20);
        let http = Http {
            max_request_body_size: ByteSize(0),
            ..Http::default()
        };
        assert_eq!(http.limit_bytes(), 64 << 20);
    }
}
