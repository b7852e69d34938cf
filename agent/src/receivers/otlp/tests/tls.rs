use std::path::Path;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};

use super::*;
use crate::transport::compression::Encoding;
use crate::transport::endpoint::Endpoint;
use crate::transport::grpc::channel::{Channel, ChannelSettings, Reply};
use crate::transport::http::{Client, ClientSettings};
use crate::transport::tls::TlsClient;

/// Writes an authority, a server certificate and a client certificate signed by it.
fn certificates(directory: &Path) {
    let authority_key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = params.self_signed(&authority_key).unwrap();
    std::fs::write(directory.join("ca.pem"), authority.pem()).unwrap();
    let issuer = Issuer::new(params, authority_key);
    for name in ["server", "client"] {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec!["collector.test".to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &issuer).unwrap();
        std::fs::write(directory.join(format!("{name}.pem")), certificate.pem()).unwrap();
        std::fs::write(directory.join(format!("{name}.key")), key.serialize_pem()).unwrap();
    }
}

async fn start_encrypted(directory: &Path, asks_clients: bool) -> Running {
    let mut tls = serde_json::json!({
        "cert_file": directory.join("server.pem"),
        "key_file": directory.join("server.key"),
    });
    if asks_clients {
        tls["client_ca_file"] = directory.join("ca.pem").to_str().unwrap().into();
    }
    let protocols = serde_json::json!({"grpc": {"tls": tls}, "http": {"tls": tls}});
    start(Setup {
        protocols,
        ..Setup::default()
    })
    .await
}

fn trusting(directory: &Path) -> TlsClient {
    TlsClient {
        ca_file: Some(directory.join("ca.pem")),
        server_name_override: Some("collector.test".to_owned()),
        ..TlsClient::default()
    }
}

async fn export(address: SocketAddr, tls: TlsClient) -> Result<Reply, String> {
    let channel = Channel::new(ChannelSettings {
        endpoint: Endpoint::grpc(&address.to_string(), false).unwrap(),
        tls,
        headers: Vec::new(),
        ping_interval: Duration::ZERO,
        ping_timeout: Duration::from_secs(1),
        is_pinged_while_idle: false,
    })
    .unwrap();
    let message = encoded(Signal::Logs, 1).into();
    let method = Signal::Logs.grpc_method();
    let called = channel
        .call(method, HeaderMap::new(), Encoding::Identity, message)
        .await;
    called.map_err(|error| error.to_string())
}

#[tokio::test]
async fn a_client_that_trusts_the_authority_is_served_over_both_protocols() {
    let directory = tempfile::tempdir().unwrap();
    certificates(directory.path());
    let running = start_encrypted(directory.path(), false).await;
    let reply = export(running.grpc, trusting(directory.path())).await;
    assert_eq!(reply, Ok(Reply::Message(Bytes::new())));
    let endpoint = Endpoint::http(&format!("https://{}", running.http)).unwrap();
    let mut settings = ClientSettings::new(endpoint);
    settings.tls = trusting(directory.path());
    let client = Client::new(settings).unwrap();
    let content_type = ::http::HeaderValue::from_static("application/x-protobuf");
    let headers = [(::http::header::CONTENT_TYPE, content_type)];
    let body = encoded(Signal::Logs, 1).into();
    let response = client.post("/v1/logs", &headers, body).await.unwrap();
    assert_eq!(response.status, 200);
    assert_eq!(running.sink.batches().len(), 2);
}

#[tokio::test]
async fn a_certificate_that_nobody_vouches_for_is_no_answer() {
    let directory = tempfile::tempdir().unwrap();
    certificates(directory.path());
    let running = start_encrypted(directory.path(), false).await;
    let wrong_name = TlsClient {
        server_name_override: None,
        ..trusting(directory.path())
    };
    let error = export(running.grpc, wrong_name).await.unwrap_err();
    assert!(error.contains("the TLS handshake failed"), "{error}");
    let careless = TlsClient {
        insecure_skip_verify: true,
        ..TlsClient::default()
    };
    assert!(export(running.grpc, careless).await.is_ok());
}

#[tokio::test]
async fn a_server_that_asks_for_certificates_serves_nobody_without() {
    let directory = tempfile::tempdir().unwrap();
    certificates(directory.path());
    let running = start_encrypted(directory.path(), true).await;
    assert!(
        export(running.grpc, trusting(directory.path()))
            .await
            .is_err()
    );
    let known = TlsClient {
        cert_file: Some(directory.path().join("client.pem")),
        key_file: Some(directory.path().join("client.key")),
        ..trusting(directory.path())
    };
    assert_eq!(
        export(running.grpc, known).await,
        Ok(Reply::Message(Bytes::new()))
    );
}

#[tokio::test]
async fn a_missing_certificate_is_told_at_the_start() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("none.pem");
    let tls = TlsClient {
        ca_file: Some(path),
        ..TlsClient::default()
    };
    let error = tls.settings(&[]).unwrap_err();
    assert!(error.message.contains("none.pem cannot be read"), "{error}");
}
