use super::*;

fn client(json: serde_json::Value) -> TlsClient {
    serde_json::from_value(json).unwrap()
}

#[test]
fn what_cannot_work_is_told_by_check() {
    for (options, key_path) in [
        (serde_json::json!({"cert_file": "a"}), "tls"),
        (serde_json::json!({"key_file": "a"}), "tls"),
        (
            serde_json::json!({"cert_file": "a", "cert_pem": "b", "key_file": "c"}),
            "tls::cert_pem",
        ),
        (
            serde_json::json!({"ca_file": "a", "ca_pem": "b"}),
            "tls::ca_pem",
        ),
        (
            serde_json::json!({"max_version": "1.1"}),
            "tls::max_version",
        ),
        (
            serde_json::json!({"min_version": "1.3", "max_version": "1.2"}),
            "tls::max_version",
        ),
        (
            serde_json::json!({"reload_interval": "1h"}),
            "tls::reload_interval",
        ),
    ] {
        let problem = client(options).check("tls").unwrap_err();
        assert_eq!(problem.key_path, key_path);
    }
    assert_eq!(
        client(serde_json::json!({"min_version": "1.0"})).check("tls"),
        Ok(())
    );
}

#[test]
fn versions_are_those_between_the_bounds() {
    let spoken = |min, max| {
        versions(min, max)
            .iter()
            .map(|v| v.version)
            .collect::<Vec<_>>()
    };
    use rustls::ProtocolVersion::{TLSv1_2, TLSv1_3};
    assert_eq!(spoken(Version::default(), None), [TLSv1_3, TLSv1_2]);
    assert_eq!(spoken(Version::V1_3, None), [TLSv1_3]);
    assert_eq!(spoken(Version::V1_0, Some(Version::V1_2)), [TLSv1_2]);
}

#[test]
fn without_an_authority_the_systems_are_trusted() {
    assert!(TlsClient::default().settings(&[b"h2"]).is_ok());
}

#[test]
fn a_file_without_a_certificate_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("empty.pem");
    std::fs::write(&path, "no certificate\n").unwrap();
    let error = TlsClient {
        ca_file: Some(path),
        ..TlsClient::default()
    }
    .settings(&[])
    .unwrap_err();
    assert!(error.message.contains("empty.pem"), "{error}");
}
