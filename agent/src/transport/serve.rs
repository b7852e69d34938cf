//! Listening and serving, for every component that answers: HTTP/1.1 and HTTP/2 on one port.
//!
//! Large windows and frames are what makes HTTP/2 cheap here: h2 sizes its reads by the frame, and
//! with frames of 1 MiB a message arrives in a few reads and without a copy.

use std::convert::Infallible;
use std::future::Future;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use http::{Request, Response};
use hyper::body::{Body, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use pipeline::Fatal;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use crate::transport::dial::Stream;
use crate::transport::http::chain;
use crate::transport::tls::TlsServer;

/// Flow control windows of a stream and of a connection; also the most that a connection may hold
/// of bodies that nobody has asked for yet.
pub(crate) const WINDOW_SIZE_BYTES: u32 = 4 << 20;
/// Largest HTTP/2 frame that we read.
pub(crate) const FRAME_SIZE_BYTES: u32 = 1 << 20;
/// All header fields of one request together.
const HEADERS_SIZE_BYTES_MAX: u32 = 64 << 10;
/// Time for the TLS handshake of a client.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// Pause after a failed accept, which mostly means that descriptors have run out.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// How connections are served.
#[derive(Clone, Debug)]
pub(crate) struct ServerSettings {
    /// Speak HTTP/2 alone, as gRPC does.
    pub(crate) is_http2_only: bool,
    /// Requests served at once on one HTTP/2 connection; the others wait at the client.
    pub(crate) max_concurrent_streams: u32,
    /// A client that is silent for so long is pinged (HTTP/2).
    pub(crate) ping_interval: Duration,
    /// A client that does not answer a ping within this time is gone.
    pub(crate) ping_timeout: Duration,
    /// Time for the head of a request, and for the pause before the next one (HTTP/1.1); zero for
    /// no limit.
    pub(crate) header_timeout: Duration,
    /// After this age, varied by a tenth, a connection is closed in good order, so that clients
    /// spread over replicas anew.
    pub(crate) max_connection_age: Option<Duration>,
    /// Time for the calls in flight when a connection is closed because of its age.
    pub(crate) age_grace: Option<Duration>,
    /// Time for the calls in flight when the program stops.
    pub(crate) drain: Duration,
}

impl Default for ServerSettings {
    fn default() -> Self {
        Self {
            is_http2_only: false,
            max_concurrent_streams: 200,
            ping_interval: Duration::from_secs(60),
            ping_timeout: Duration::from_secs(20),
            header_timeout: Duration::from_secs(60),
            max_connection_age: None,
            age_grace: None,
            drain: Duration::from_secs(10),
        }
    }
}

/// A bound socket, not served yet.
#[derive(Debug)]
pub(crate) struct Listener {
    tcp: TcpListener,
    tls: Option<Acceptor>,
    address: SocketAddr,
}

#[derive(Clone)]
struct Acceptor(TlsAcceptor);

impl std::fmt::Debug for Acceptor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Acceptor")
    }
}

impl Listener {
    /// Binds `endpoint`, which is `host:port`; `:port` is every interface. Of a name with several
    /// addresses an IPv4 one is preferred, so that `localhost` is where clients look for it.
    ///
    /// # Errors
    /// When the address cannot be bound, or a certificate cannot be read.
    pub(crate) async fn bind(endpoint: &str, tls: Option<&TlsServer>) -> Result<Self, Fatal> {
        let failed = |error| Fatal::caused(format!("cannot listen on {endpoint}"), error);
        let tcp = TcpListener::bind(resolve(endpoint).await.map_err(failed)?)
            .await
            .map_err(failed)?;
        let address = tcp.local_addr().map_err(failed)?;
        let tls = match tls {
            Some(tls) => Some(Acceptor(tls.settings(&[b"h2", b"http/1.1"])?.into())),
            None => None,
        };
        Ok(Self { tcp, tls, address })
    }

    /// Where clients connect to; tells the port when port 0 was asked for.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `shutdown`, then closes the socket, lets calls in flight finish within
    /// `settings.drain`, and returns.
    pub(crate) async fn serve<H, F, B>(
        self,
        settings: ServerSettings,
        shutdown: CancellationToken,
        handler: H,
    ) where
        H: Fn(Request<Incoming>) -> F + Clone + Send + Sync + 'static,
        F: Future<Output = Response<B>> + Send + 'static,
        B: Body + Send + 'static,
        B::Data: Send,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let settings = Arc::new(settings);
        let mut connections = JoinSet::new();
        loop {
            tokio::select! {
                () = shutdown.cancelled() => break,
                Some(_) = connections.join_next() => {}
                accepted = self.tcp.accept() => match accepted {
                    Ok((tcp, peer)) => {
                        let connection = Accepted {
                            tcp,
                            tls: self.tls.clone(),
                            settings: Arc::clone(&settings),
                            shutdown: shutdown.clone(),
                        };
                        connections.spawn(connection.run(peer, handler.clone()));
                    }
                    Err(error) => {
                        tracing::warn!(address = %self.address, %error, "cannot accept a connection");
                        tokio::time::sleep(ACCEPT_PAUSE).await;
                    }
                },
            }
        }
        drop(self.tcp);
        let all_closed = async { while connections.join_next().await.is_some() {} };
        if tokio::time::timeout(settings.drain, all_closed)
            .await
            .is_err()
        {
            tracing::warn!(address = %self.address, "calls in flight did not finish in time");
        }
    }
}

async fn resolve(endpoint: &str) -> std::io::Result<SocketAddr> {
    if let Some(port) = endpoint
        .strip_prefix(':')
        .and_then(|port| port.parse().ok())
    {
        return Ok((IpAddr::V6(Ipv6Addr::UNSPECIFIED), port).into());
    }
    let addresses: Vec<SocketAddr> = tokio::net::lookup_host(endpoint).await?.collect();
    addresses
        .iter()
        .find(|address| address.is_ipv4())
        .or_else(|| addresses.first())
        .copied()
        .ok_or_else(|| std::io::Error::other("the name has no address"))
}

/// One accepted connection before its first byte.
struct Accepted {
    tcp: TcpStream,
    tls: Option<Acceptor>,
    settings: Arc<ServerSettings>,
    shutdown: CancellationToken,
}

impl Accepted {
    async fn run<H, F, B>(self, peer: SocketAddr, handler: H)
    where
        H: Fn(Request<Incoming>) -> F + Clone + Send + Sync + 'static,
        F: Future<Output = Response<B>> + Send + 'static,
        B: Body + Send + 'static,
        B::Data: Send,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let Self {
            tcp,
            tls,
            settings,
            shutdown,
        } = self;
        let stream = match encrypt(tcp, tls).await {
            Ok(stream) => stream,
            Err(error) => {
                tracing::debug!(%peer, %error, "the TLS handshake with a client failed");
                return;
            }
        };
        let has_spoken = Arc::new(AtomicBool::new(false));
        let speaks = Arc::clone(&has_spoken);
        let service = service_fn(move |request| {
            speaks.store(true, Ordering::Relaxed);
            let answer = handler(request);
            async move { Ok::<_, Infallible>(answer.await) }
        });
        let builder = builder(&settings);
        let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), service));
        let grace = tokio::select! {
            served = connection.as_mut() => return log_end(peer, served),
            () = shutdown.cancelled() => None,
            () = of_age(&settings) => settings.age_grace,
            () = silent(&settings, &has_spoken) => return,
        };
        connection.as_mut().graceful_shutdown();
        match grace {
            Some(grace) => {
                if let Ok(served) = tokio::time::timeout(grace, connection).await {
                    log_end(peer, served);
                }
            }
            None => log_end(peer, connection.await),
        }
    }
}

async fn encrypt(tcp: TcpStream, tls: Option<Acceptor>) -> std::io::Result<Stream> {
    tcp.set_nodelay(true)?;
    let Some(Acceptor(acceptor)) = tls else {
        return Ok(Stream::Plain(tcp));
    };
    let stream = tokio::time::timeout(HANDSHAKE_TIMEOUT, acceptor.accept(tcp)).await??;
    Ok(Stream::Tls(Box::new(stream.into())))
}

fn builder(settings: &ServerSettings) -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    if settings.is_http2_only {
        builder = builder.http2_only();
    }
    let header_timeout = Some(settings.header_timeout).filter(|timeout| !timeout.is_zero());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(header_timeout);
    builder
        .http2()
        .timer(TokioTimer::new())
        .initial_stream_window_size(WINDOW_SIZE_BYTES)
        .initial_connection_window_size(WINDOW_SIZE_BYTES)
        .max_frame_size(FRAME_SIZE_BYTES)
        .max_header_list_size(HEADERS_SIZE_BYTES_MAX)
        .max_concurrent_streams(settings.max_concurrent_streams)
        .keep_alive_interval(settings.ping_interval)
        .keep_alive_timeout(settings.ping_timeout);
    builder
}

/// Returns when a connection opened now is old enough to be closed; never without a limit.
async fn of_age(settings: &ServerSettings) {
    match settings.max_connection_age {
        Some(age) => tokio::time::sleep(age.mul_f64(0.9 + 0.2 * fastrand::f64())).await,
        None => std::future::pending().await,
    }
}

/// Returns when a connection had its time and made no request; never once it has made one. What
/// speaks nothing but HTTP/2 is pinged instead.
async fn silent(settings: &ServerSettings, has_spoken: &AtomicBool) {
    if !settings.is_http2_only && !settings.header_timeout.is_zero() {
        tokio::time::sleep(settings.header_timeout).await;
        if !has_spoken.load(Ordering::Relaxed) {
            return;
        }
    }
    std::future::pending().await
}

fn log_end(peer: SocketAddr, served: Result<(), Box<dyn std::error::Error + Send + Sync>>) {
    if let Err(error) = served {
        tracing::debug!(%peer, error = chain(error.as_ref()), "a connection ended early");
    }
}

#[cfg(test)]
mod tests;
