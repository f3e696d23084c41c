//! Starting, accepting, draining.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use std::{fmt, io};

use rustls::ServerConfig;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;

use super::exchange::Shared;
use super::metrics::Metrics;
use super::tls::Certificates;
use super::{Gateway, Settings, connection, metrics_listener};
use crate::sources::Sources;

/// Pause after a failed accept. Out of file descriptors, the next try would fail at once.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// The server could not start; the text says what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServeError(pub String);

impl fmt::Display for ServeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for ServeError {}

/// A running server. Dropped, it goes on; [`Self::shutdown`] ends it.
#[derive(Debug)]
pub struct Running {
    address: SocketAddr,
    metrics_address: Option<SocketAddr>,
    stop: watch::Sender<bool>,
    accepting: JoinHandle<usize>,
    background: JoinSet<()>,
}

/// Listeners that are bound and certificates that were read, before anything else is opened: what is wrong with them
/// stops a first start while it has left nothing behind yet.
#[derive(Debug)]
pub struct Bound {
    settings: Settings,
    listener: TcpListener,
    address: SocketAddr,
    metrics: Option<(TcpListener, SocketAddr)>,
    tls: Option<(Arc<Certificates>, ServerConfig)>,
}

/// Binds the listeners and reads the certificates. Clients that connect from now on wait until [`Bound::serve`].
pub async fn bind(settings: Settings) -> Result<Bound, ServeError> {
    let (listener, address) = listen(settings.listen).await?;
    let metrics = match settings.metrics_listen {
        None => None,
        Some(wanted) => Some(listen(wanted).await?),
    };
    let tls = match settings.tls.as_slice() {
        [] => None,
        files => {
            let certificates = Certificates::load(files).await.map_err(ServeError)?;
            let config = Arc::clone(&certificates).server_config().map_err(ServeError)?;
            Some((certificates, config))
        }
    };
    Ok(Bound { settings, listener, address, metrics, tls })
}

impl Bound {
    /// Where S3 and KMS are served.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where metrics are served.
    pub fn metrics_address(&self) -> Option<SocketAddr> {
        self.metrics.as_ref().map(|(_, address)| *address)
    }

    /// Starts to serve `gateway`.
    pub fn serve(self, sources: Sources, gateway: Gateway, metrics: Arc<Metrics>) -> Running {
        let Self { settings, listener, address, metrics: scraped, tls } = self;
        let mut background = JoinSet::new();
        let metrics_address = scraped.map(|(listener, address)| {
            background.spawn(metrics_listener::serve(listener, Arc::clone(&metrics)));
            address
        });
        let acceptor = tls.map(|(certificates, config)| {
            background.spawn(certificates.watch(Arc::clone(&metrics)));
            TlsAcceptor::from(Arc::new(config))
        });
        let (stop, stopped) = watch::channel(false);
        let requests = Arc::new(Semaphore::new(settings.limits.max_requests));
        let shared = Arc::new(Shared { settings, sources, gateway, metrics, requests, stop: stopped });
        let accepting = tokio::spawn(accept_and_drain(listener, shared, acceptor));
        Running { address, metrics_address, stop, accepting, background }
    }
}

impl Running {
    /// Where S3 and KMS are served.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where metrics are served.
    pub fn metrics_address(&self) -> Option<SocketAddr> {
        self.metrics_address
    }

    /// Accepts no more, lets running requests finish for `drain_timeout`, then cuts the rest. Returns how many
    /// connections were cut.
    pub async fn shutdown(mut self) -> usize {
        self.stop.send_replace(true);
        // Its only panic would be a bug of the accept loop, and leaves nothing to wait for.
        let cut = self.accepting.await.unwrap_or(0);
        self.background.shutdown().await;
        cut
    }
}

async fn listen(wanted: SocketAddr) -> Result<(TcpListener, SocketAddr), ServeError> {
    let failed = |error: io::Error| {
        let advice = match error.kind() {
            io::ErrorKind::AddrInUse => "; another process has this port: stop it, or choose another one",
            io::ErrorKind::AddrNotAvailable => "; it is no address of this machine",
            io::ErrorKind::PermissionDenied => "; ports below 1024 take a privilege",
            _ => "",
        };
        ServeError(format!("cannot listen on {wanted}: {error}{advice}"))
    };
    let listener = TcpListener::bind(wanted).await.map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    Ok((listener, address))
}

async fn accept_and_drain(listener: TcpListener, shared: Arc<Shared>, acceptor: Option<TlsAcceptor>) -> usize {
    let mut stop = shared.stop.clone();
    let places = Arc::new(Semaphore::new(shared.settings.limits.max_connections));
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            _ = stop.wait_for(|stop| *stop) => break,
            Some(_) = connections.join_next() => {}
            (stream, address, permit) = accept(&listener, &places) => {
                connections.spawn(connection::serve(stream, address, Arc::clone(&shared), acceptor.clone(), permit));
            }
        }
    }
    drop(listener);
    let drained = async { while connections.join_next().await.is_some() {} };
    if timeout(shared.settings.limits.drain_timeout, drained).await.is_ok() {
        return 0;
    }
    let cut = connections.len();
    connections.shutdown().await;
    cut
}

async fn accept(listener: &TcpListener, places: &Arc<Semaphore>) -> (TcpStream, SocketAddr, OwnedSemaphorePermit) {
    loop {
        let Ok(permit) = Arc::clone(places).acquire_owned().await else {
            // Nobody closes this semaphore.
            return std::future::pending().await;
        };
        match listener.accept().await {
            Ok((stream, address)) => return (stream, address, permit),
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}
