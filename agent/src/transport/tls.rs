//! TLS as configs describe it and as rustls needs it; aws-lc-rs is the only provider.
//!
//! Files are read when a component is built, so a missing or broken one is told at the start and
//! not at the first connection.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use pipeline::Fatal;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::{
    ClientConfig, DigitallySignedStruct, RootCertStore, ServerConfig, SignatureScheme,
    SupportedProtocolVersion,
};
use serde::{Deserialize, Serialize};

use crate::config::Problem;
use crate::config::values::{Interval, Secret};

/// How a client speaks TLS.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct TlsClient {
    /// Speak plain text where the endpoint has no scheme.
    pub(crate) insecure: bool,
    /// Accept any certificate. Anyone on the way can then read and change what is sent.
    pub(crate) insecure_skip_verify: bool,
    /// PEM file with the authorities that may sign the peer's certificate; the system's if unset.
    pub(crate) ca_file: Option<PathBuf>,
    /// The same, written in the config.
    pub(crate) ca_pem: Option<Secret>,
    /// Trust the system's authorities beside the given ones.
    pub(crate) include_system_ca_certs_pool: bool,
    /// PEM file with the certificate chain that we show to the peer.
    pub(crate) cert_file: Option<PathBuf>,
    /// The same, written in the config.
    pub(crate) cert_pem: Option<Secret>,
    /// PEM file with the key of that certificate.
    pub(crate) key_file: Option<PathBuf>,
    /// The same, written in the config.
    pub(crate) key_pem: Option<Secret>,
    /// Name to expect in the peer's certificate instead of the endpoint's host.
    pub(crate) server_name_override: Option<String>,
    /// Oldest version to accept; never older than 1.2.
    pub(crate) min_version: Version,
    /// Newest version to accept.
    pub(crate) max_version: Option<Version>,
    /// Must be unset: files are read once, at the start.
    pub(crate) reload_interval: Option<Interval>,
}

/// How a server speaks TLS.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct TlsServer {
    /// PEM file with the certificate chain.
    pub(crate) cert_file: Option<PathBuf>,
    /// The same, written in the config.
    pub(crate) cert_pem: Option<Secret>,
    /// PEM file with the key of that certificate.
    pub(crate) key_file: Option<PathBuf>,
    /// The same, written in the config.
    pub(crate) key_pem: Option<Secret>,
    /// PEM file with the authorities that must have signed a client's certificate; clients need
    /// none if unset.
    pub(crate) client_ca_file: Option<PathBuf>,
    /// Oldest version to accept; never older than 1.2.
    pub(crate) min_version: Version,
    /// Newest version to accept.
    pub(crate) max_version: Option<Version>,
    /// Must be unset: files are read once, at the start.
    pub(crate) reload_interval: Option<Interval>,
    /// Must be unset: files are read once, at the start.
    pub(crate) client_ca_file_reload: bool,
}

/// A version of TLS. 1.0 and 1.1 are read so that a config that allows them still works; they are
/// never spoken.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
pub(crate) enum Version {
    /// TLS 1.0.
    #[serde(rename = "1.0")]
    V1_0,
    /// TLS 1.1.
    #[serde(rename = "1.1")]
    V1_1,
    /// TLS 1.2.
    #[default]
    #[serde(rename = "1.2")]
    V1_2,
    /// TLS 1.3.
    #[serde(rename = "1.3")]
    V1_3,
}

impl TlsClient {
    /// Checks what the types do not say; `key` is where this block stands in its component.
    ///
    /// # Errors
    /// The first thing that cannot work.
    pub(crate) fn check(&self, key: &str) -> Result<(), Problem> {
        check_pair(
            key,
            &self.cert_file,
            &self.cert_pem,
            &self.key_file,
            &self.key_pem,
        )?;
        if self.ca_file.is_some() && self.ca_pem.is_some() {
            return Err(only_one(key, "ca_file", "ca_pem"));
        }
        check_versions(key, self.min_version, self.max_version)?;
        check_no_reload(key, "reload_interval", self.reload_interval.is_some())
    }

    /// What rustls needs; `protocols` are offered through ALPN in this order.
    ///
    /// # Errors
    /// When a file cannot be read, or holds no certificate or key.
    pub(crate) fn settings(&self, protocols: &[&[u8]]) -> Result<Arc<ClientConfig>, Fatal> {
        let builder = ClientConfig::builder_with_provider(provider())
            .with_protocol_versions(&versions(self.min_version, self.max_version))
            .map_err(|error| Fatal::caused("the TLS versions cannot be used", error))?
            .dangerous()
            .with_custom_certificate_verifier(self.verifier()?);
        let identity = identity(
            &self.cert_file,
            &self.cert_pem,
            &self.key_file,
            &self.key_pem,
        )?;
        let mut settings = match identity {
            Some((chain, key)) => builder
                .with_client_auth_cert(chain, key)
                .map_err(|error| Fatal::caused("the client certificate cannot be used", error))?,
            None => builder.with_no_client_auth(),
        };
        settings.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
        Ok(Arc::new(settings))
    }

    fn verifier(&self) -> Result<Arc<dyn ServerCertVerifier>, Fatal> {
        if self.insecure_skip_verify {
            return Ok(Arc::new(AcceptAny(provider())));
        }
        let given = certificates(&self.ca_file, &self.ca_pem)?;
        if given.is_empty() || self.include_system_ca_certs_pool {
            let verifier =
                rustls_platform_verifier::Verifier::new_with_extra_roots(given, provider())
                    .map_err(|error| {
                        Fatal::caused(
                            "the system's certificate authorities cannot be read; \
                         install ca-certificates or set ca_file",
                            error,
                        )
                    })?;
            return Ok(Arc::new(verifier));
        }
        let verifier = WebPkiServerVerifier::builder_with_provider(roots(given)?, provider())
            .build()
            .map_err(|error| Fatal::caused("the certificate authorities cannot be used", error))?;
        Ok(verifier)
    }
}

impl TlsServer {
    /// Checks what the types do not say; `key` is where this block stands in its component.
    ///
    /// # Errors
    /// The first thing that cannot work.
    pub(crate) fn check(&self, key: &str) -> Result<(), Problem> {
        check_pair(
            key,
            &self.cert_file,
            &self.cert_pem,
            &self.key_file,
            &self.key_pem,
        )?;
        if self.cert_file.is_none() && self.cert_pem.is_none() {
            return Err(Problem::at(
                key,
                "a server cannot speak TLS without a certificate",
                "set cert_file and key_file, or remove the block to serve plain text",
            ));
        }
        check_versions(key, self.min_version, self.max_version)?;
        check_no_reload(key, "client_ca_file_reload", self.client_ca_file_reload)?;
        check_no_reload(key, "reload_interval", self.reload_interval.is_some())
    }

    /// What rustls needs; `protocols` are accepted through ALPN, the first one preferred.
    ///
    /// # Errors
    /// When a file cannot be read, or holds no certificate or key.
    pub(crate) fn settings(&self, protocols: &[&[u8]]) -> Result<Arc<ServerConfig>, Fatal> {
        let builder = ServerConfig::builder_with_provider(provider())
            .with_protocol_versions(&versions(self.min_version, self.max_version))
            .map_err(|error| Fatal::caused("the TLS versions cannot be used", error))?;
        let builder = match &self.client_ca_file {
            Some(_) => {
                let roots = roots(certificates(&self.client_ca_file, &None)?)?;
                let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider())
                    .build()
                    .map_err(|error| {
                        Fatal::caused("the authorities in client_ca_file cannot be used", error)
                    })?;
                builder.with_client_cert_verifier(verifier)
            }
            None => builder.with_no_client_auth(),
        };
        let (chain, key) = identity(
            &self.cert_file,
            &self.cert_pem,
            &self.key_file,
            &self.key_pem,
        )?
        .ok_or_else(|| Fatal::new("a server cannot speak TLS without cert_file"))?;
        let mut settings = builder
            .with_single_cert(chain, key)
            .map_err(|error| Fatal::caused("the server certificate cannot be used", error))?;
        settings.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
        Ok(Arc::new(settings))
    }
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}

fn versions(min: Version, max: Option<Version>) -> Vec<&'static SupportedProtocolVersion> {
    let mut versions = Vec::with_capacity(2);
    if max.is_none_or(|max| max >= Version::V1_3) {
        versions.push(&rustls::version::TLS13);
    }
    if min <= Version::V1_2 {
        versions.push(&rustls::version::TLS12);
    }
    versions
}

fn roots(authorities: Vec<CertificateDer<'static>>) -> Result<Arc<RootCertStore>, Fatal> {
    let mut roots = RootCertStore::empty();
    for authority in authorities {
        roots
            .add(authority)
            .map_err(|error| Fatal::caused("a certificate authority cannot be used", error))?;
    }
    Ok(Arc::new(roots))
}

type Identity = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

fn identity(
    cert_file: &Option<PathBuf>,
    cert_pem: &Option<Secret>,
    key_file: &Option<PathBuf>,
    key_pem: &Option<Secret>,
) -> Result<Option<Identity>, Fatal> {
    let chain = certificates(cert_file, cert_pem)?;
    if chain.is_empty() {
        return Ok(None);
    }
    let key = match (key_file, key_pem) {
        (Some(path), _) => {
            PrivateKeyDer::from_pem_slice(&read(path)?).map_err(|error| unusable(path, error))?
        }
        (None, Some(pem)) => PrivateKeyDer::from_pem_slice(pem.expose().as_bytes())
            .map_err(|error| Fatal::caused("key_pem holds no private key", error))?,
        (None, None) => return Err(Fatal::new("a certificate is given without its key")),
    };
    Ok(Some((chain, key)))
}

fn certificates(
    file: &Option<PathBuf>,
    pem: &Option<Secret>,
) -> Result<Vec<CertificateDer<'static>>, Fatal> {
    let (text, origin) = match (file, pem) {
        (Some(path), _) => (read(path)?, path.display().to_string()),
        (None, Some(pem)) => (pem.expose().as_bytes().to_vec(), "the config".to_owned()),
        (None, None) => return Ok(Vec::new()),
    };
    let chain = CertificateDer::pem_slice_iter(&text)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| unusable(Path::new(&origin), error))?;
    if chain.is_empty() {
        return Err(Fatal::new(format!("no certificate is in {origin}")));
    }
    Ok(chain)
}

fn read(path: &Path) -> Result<Vec<u8>, Fatal> {
    std::fs::read(path)
        .map_err(|error| Fatal::caused(format!("{} cannot be read", path.display()), error))
}

fn unusable(path: &Path, error: rustls::pki_types::pem::Error) -> Fatal {
    Fatal::caused(format!("{} is not usable PEM", path.display()), error)
}

fn check_pair(
    key: &str,
    cert_file: &Option<PathBuf>,
    cert_pem: &Option<Secret>,
    key_file: &Option<PathBuf>,
    key_pem: &Option<Secret>,
) -> Result<(), Problem> {
    if cert_file.is_some() && cert_pem.is_some() {
        return Err(only_one(key, "cert_file", "cert_pem"));
    }
    if key_file.is_some() && key_pem.is_some() {
        return Err(only_one(key, "key_file", "key_pem"));
    }
    let has_cert = cert_file.is_some() || cert_pem.is_some();
    let has_key = key_file.is_some() || key_pem.is_some();
    if has_cert != has_key {
        return Err(Problem::at(
            key,
            "a certificate and its key belong together, and one of them is missing",
            "set both cert_file and key_file",
        ));
    }
    Ok(())
}

fn only_one(key: &str, one: &str, other: &str) -> Problem {
    Problem::at(
        format!("{key}::{other}"),
        format!("{one} and {other} are both set"),
        "keep one of them",
    )
}

fn check_versions(key: &str, min: Version, max: Option<Version>) -> Result<(), Problem> {
    match max {
        Some(max) if max < Version::V1_2 => Err(Problem::at(
            format!("{key}::max_version"),
            "TLS older than 1.2 is not spoken",
            "write \"1.2\" or \"1.3\"",
        )),
        Some(max) if max < min => Err(Problem::at(
            format!("{key}::max_version"),
            "max_version is older than min_version",
            "",
        )),
        _ => Ok(()),
    }
}

fn check_no_reload(key: &str, option: &str, is_set: bool) -> Result<(), Problem> {
    if !is_set {
        return Ok(());
    }
    Err(Problem::at(
        format!("{key}::{option}"),
        "certificates are read once, at the start",
        "remove the option, and restart after replacing a certificate",
    ))
}

/// Accepts any certificate but still checks that the peer holds its key.
#[derive(Debug)]
struct AcceptAny(Arc<CryptoProvider>);

impl ServerCertVerifier for AcceptAny {
    fn verify_server_cert(
        &self,
        _certificate: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests;
