//! One connection: TLS if wanted, then HTTP/1.1 or HTTP/2 until it ends, idles, stalls or is drained.

use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;

use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

use super::HEADER_MAX_FIELDS;
use super::activity::{Activity, Expiry, Watched};
use super::exchange::{Peer, Shared, exchange};
use super::tls;
use super::unparsed::{Refusing, refuse_unparsed};
use crate::wire::TlsInfo;

/// The largest buffer for reading HTTP/1.1, in bytes: also hyper's own limit on a header, above ours so that a request
/// that is little too large is still read, logged and answered as what it is. Beyond: `unparsed`.
const READ_BUFFER_MAX_BYTES: usize = 128 * 1024;
/// Header fields beyond which hyper itself answers 431.
const PARSED_FIELDS_MAX: usize = 4 * HEADER_MAX_FIELDS;
/// Concurrent requests on one HTTP/2 connection.
const STREAMS_MAX: u32 = 128;
/// HTTP/2 flow-control windows, in bytes: what a connection may have in memory, and one request of it.
const CONNECTION_WINDOW_BYTES: u32 = 4 << 20;
const STREAM_WINDOW_BYTES: u32 = 1 << 20;
/// Header list of one HTTP/2 request, in bytes as HTTP/2 counts them (32 more a field).
const HEADER_LIST_MAX_BYTES: u32 = 128 * 1024;

/// Serves a connection to its end.
pub(super) async fn serve(
    stream: TcpStream,
    address: SocketAddr,
    shared: Arc<Shared>,
    acceptor: Option<TlsAcceptor>,
    permit: OwnedSemaphorePermit,
) {
    // Answers are written whole; waiting for more to fill a packet only adds latency.
    let _refused_by_a_closed_socket = stream.set_nodelay(true);
    let connected = shared.metrics.connected();
    match acceptor {
        None => speak(stream, address, None, shared).await,
        Some(acceptor) => match timeout(shared.settings.limits.header_timeout, acceptor.accept(stream)).await {
            Ok(Ok(stream)) => {
                let info = tls::info(stream.get_ref().1);
                speak(stream, address, info, shared).await;
            }
            Ok(Err(error)) => tracing::debug!(peer = %address, %error, "the TLS handshake failed"),
            Err(_) => tracing::debug!(peer = %address, "the TLS handshake took too long"),
        },
    }
    drop((connected, permit));
}

async fn speak<S>(stream: S, address: SocketAddr, tls: Option<TlsInfo>, shared: Arc<Shared>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let activity = Activity::new(&shared.settings.limits);
    let peer = Arc::new(Peer { ip: address.ip(), tls, activity: Arc::clone(&activity) });
    let refuse = {
        let shared = Arc::clone(&shared);
        move |status| refuse_unparsed(&shared, address.ip(), status)
    };
    let stream = Watched::new(stream, Arc::clone(&activity));
    let io = TokioIo::new(Refusing::new(stream, Arc::clone(&activity), refuse));
    let service = {
        let shared = Arc::clone(&shared);
        service_fn(move |request| exchange(Arc::clone(&shared), Arc::clone(&peer), request))
    };
    let builder = builder();
    let mut connection = pin!(builder.serve_connection(io, service));
    let mut stop = shared.stop.clone();
    let mut closing = false;
    loop {
        tokio::select! {
            ended = connection.as_mut() => {
                if let Err(error) = ended {
                    tracing::debug!(peer = %address, error, "a connection ended in the middle");
                }
                return;
            }
            expiry = activity.expired() => {
                match expiry {
                    // The access log's line may have been written: what was left of the answer lay in buffers.
                    Expiry::StalledWrite | Expiry::SlowWrite => {
                        tracing::info!(peer = %address, ?expiry, "a client does not take its answer: cut off");
                    }
                    Expiry::Idle | Expiry::SlowHeader => {
                        tracing::debug!(peer = %address, ?expiry, "a connection is given up");
                    }
                }
                if closing || expiry != Expiry::Idle {
                    return;
                }
                closing = true;
                activity.restart_idle();
                connection.as_mut().graceful_shutdown();
            }
            _ = stop.wait_for(|stop| *stop), if !closing => {
                closing = true;
                connection.as_mut().graceful_shutdown();
            }
        }
    }
}

fn builder() -> auto::Builder<TokioExecutor> {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    // Of the time-outs that hyper has, none: see `activity`.
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(None)
        .max_headers(PARSED_FIELDS_MAX)
        .max_buf_size(READ_BUFFER_MAX_BYTES);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS_MAX)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
        .initial_stream_window_size(STREAM_WINDOW_BYTES)
        .max_header_list_size(HEADER_LIST_MAX_BYTES);
    builder
}
