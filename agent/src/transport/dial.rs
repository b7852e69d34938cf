//! Opening a connection to a peer: name, TCP, TLS.
//!
//! The settings are those that survive a flaky tunnel: a dead path is noticed within
//! [`USER_TIMEOUT`] even while data is under way, where the kernel's own retransmission time-outs
//! take many minutes; a connection that cannot be opened fails within [`DIAL_TIMEOUT`].

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::Uri;
use hyper_util::client::legacy::connect::{Connected, Connection, HttpConnector};
use hyper_util::rt::TokioIo;
use pipeline::Fatal;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::{TlsConnector, TlsStream};
use tower_service::Service;

use crate::transport::tls::TlsClient;

/// Time for the TCP handshake with all addresses of a name.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Time for name, TCP and TLS together.
const DIAL_TIMEOUT: Duration = Duration::from_secs(10);
/// How long sent bytes may stay unacknowledged before the kernel gives the connection up.
const USER_TIMEOUT: Duration = Duration::from_secs(20);
/// First TCP keep-alive probe on an idle connection.
const TCP_KEEPALIVE: Duration = Duration::from_secs(30);

/// Why no connection was opened.
#[derive(Debug, Error)]
pub(crate) enum DialError {
    /// Name or TCP.
    #[error("cannot connect")]
    Tcp(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The TLS handshake.
    #[error("the TLS handshake failed")]
    Tls(#[source] io::Error),
    /// Neither succeeded nor failed in time.
    #[error("no connection within {DIAL_TIMEOUT:?}")]
    Timeout,
    /// The scheme asks for TLS, and the dialer was made without.
    #[error("no TLS was set up for this client")]
    NoTls,
    /// The host of the endpoint cannot stand in a certificate.
    #[error("`{0}` cannot be a name in a certificate")]
    Name(String),
}

/// Opens connections with one set of TLS settings.
#[derive(Clone)]
pub(crate) struct Dialer {
    tcp: HttpConnector,
    tls: Option<Arc<ClientConfig>>,
    server_name: Option<ServerName<'static>>,
}

impl std::fmt::Debug for Dialer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Dialer").finish_non_exhaustive()
    }
}

impl Dialer {
    /// A dialer that offers `protocols` where TLS is spoken; without settings for TLS it speaks
    /// none, and the system's authorities are not even read.
    ///
    /// # Errors
    /// When a certificate cannot be read or used.
    pub(crate) fn new(tls: Option<&TlsClient>, protocols: &[&[u8]]) -> Result<Self, Fatal> {
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_connect_timeout(Some(CONNECT_TIMEOUT));
        tcp.set_tcp_user_timeout(Some(USER_TIMEOUT));
        tcp.set_keepalive(Some(TCP_KEEPALIVE));
        let server_name = tls
            .and_then(|tls| tls.server_name_override.clone())
            .map(ServerName::try_from)
            .transpose()
            .map_err(|error| Fatal::caused("server_name_override is not a host name", error))?;
        Ok(Self {
            tcp,
            tls: tls.map(|tls| tls.settings(protocols)).transpose()?,
            server_name,
        })
    }

    /// Opens a connection to the host and port of `uri`; TLS when its scheme is `https`.
    ///
    /// # Errors
    /// When that does not succeed within [`DIAL_TIMEOUT`]. Safe to cancel.
    pub(crate) async fn dial(mut self, uri: Uri) -> Result<Stream, DialError> {
        let dialed = tokio::time::timeout(DIAL_TIMEOUT, async move {
            let tcp = self.tcp.call(uri.clone()).await;
            let tcp = tcp
                .map_err(|error| DialError::Tcp(error.into()))?
                .into_inner();
            if uri.scheme() != Some(&http::uri::Scheme::HTTPS) {
                return Ok(Stream::Plain(tcp));
            }
            let tls = self.tls.ok_or(DialError::NoTls)?;
            let name = match self.server_name {
                Some(name) => name,
                None => certificate_name(&uri)?,
            };
            let tls = TlsConnector::from(tls).connect(name, tcp).await;
            Ok(Stream::Tls(Box::new(tls.map_err(DialError::Tls)?.into())))
        });
        dialed.await.unwrap_or(Err(DialError::Timeout))
    }
}

fn certificate_name(uri: &Uri) -> Result<ServerName<'static>, DialError> {
    let host = uri.host().unwrap_or_default();
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    ServerName::try_from(bare.to_owned()).map_err(|_| DialError::Name(host.to_owned()))
}

impl Service<Uri> for Dialer {
    type Response = TokioIo<Stream>;
    type Error = DialError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, DialError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), DialError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let dialer = self.clone();
        Box::pin(async move { dialer.dial(uri).await.map(TokioIo::new) })
    }
}

/// A connection, with or without TLS, dialed or accepted.
#[derive(Debug)]
pub(crate) enum Stream {
    /// TCP alone.
    Plain(TcpStream),
    /// TLS over TCP.
    Tls(Box<TlsStream<TcpStream>>),
}

impl Stream {
    /// Whether both sides agreed through ALPN to speak HTTP/2.
    pub(crate) fn is_http2(&self) -> bool {
        match self {
            Self::Plain(_) => false,
            Self::Tls(tls) => tls.get_ref().1.alpn_protocol() == Some(b"h2"),
        }
    }
}

impl Connection for Stream {
    fn connected(&self) -> Connected {
        if self.is_http2() {
            Connected::new().negotiated_h2()
        } else {
            Connected::new()
        }
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(tcp) => Pin::new(tcp).poll_read(context, buffer),
            Self::Tls(tls) => Pin::new(tls.as_mut()).poll_read(context, buffer),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(tcp) => Pin::new(tcp).poll_write(context, bytes),
            Self::Tls(tls) => Pin::new(tls.as_mut()).poll_write(context, bytes),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(tcp) => Pin::new(tcp).poll_write_vectored(context, slices),
            Self::Tls(tls) => Pin::new(tls.as_mut()).poll_write_vectored(context, slices),
        }
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(tcp) => Pin::new(tcp).poll_flush(context),
            Self::Tls(tls) => Pin::new(tls.as_mut()).poll_flush(context),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(tcp) => Pin::new(tcp).poll_shutdown(context),
            Self::Tls(tls) => Pin::new(tls.as_mut()).poll_shutdown(context),
        }
    }
}
