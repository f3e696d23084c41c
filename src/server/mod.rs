//! The HTTP edge: listeners, TLS, limits and time-outs, request ids, panics caught, drain; picks the protocol.
//!
//! A connection goes `listener` (cap, accept) → `connection` (TLS, hyper, `activity` watches time-outs) → `exchange`
//! (one request: id, `forwarded` rule, caps, handler, headers, access line) → `protocol` (S3 or KMS). The edge knows
//! the rest of the program only as a [`Gateway`]: a function from request to answer.

mod access_log;
mod activity;
mod answer;
mod body;
mod connection;
mod control;
mod der;
mod exchange;
mod forwarded;
mod listener;
mod logging;
mod metrics;
mod metrics_listener;
mod pace;
mod process;
mod protocol;
mod tls;
mod unparsed;
mod unread;

use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroU64;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;

pub use control::{Control, ControlClient};
pub use der::not_after as certificate_not_after;
pub use listener::{Bound, Running, ServeError, bind};
pub use logging::init_logging;
pub use metrics::Metrics;
pub use pace::MinRate;
pub use process::{harden, prepare_process};
pub use protocol::gateway;

use crate::config::{Config, TlsFiles};
use crate::wire::{Request, Response};

/// The most bytes of a request's line and header together: beyond it `RequestHeaderSectionTooLarge`. AWS allows 8 KB;
/// SDKs with long session tokens and proxies' additions come near that, so there is room.
pub const HEADER_MAX_BYTES: usize = 64 * 1024;
/// The most header fields of a request: beyond it `RequestHeaderSectionTooLarge`.
pub const HEADER_MAX_FIELDS: usize = 128;
/// What `client_min_rate` is averaged over: so long may a client that is fast enough stand still, as far as the other
/// time-outs let it.
pub const MIN_RATE_WINDOW: Duration = Duration::from_secs(60);

/// Answers a request. Dropped before its end if the client goes away.
pub type Handler = Arc<dyn Fn(Request) -> BoxFuture<'static, Response> + Send + Sync>;

/// Whether the gateway can serve; else one word that says why not (`sealed`).
pub type Ready = Arc<dyn Fn() -> Result<(), &'static str> + Send + Sync>;

/// What stands behind the edge.
#[derive(Clone)]
#[expect(missing_debug_implementations, reason = "two functions")]
pub struct Gateway {
    /// Answers S3 and KMS requests.
    pub handler: Handler,
    /// Asked by `/health/ready`.
    pub ready: Ready,
}

/// Limits of the edge. Their meaning is that of the [`Config`] keys of the same name.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Concurrent requests, beyond which the answer is `SlowDown`.
    pub max_requests: usize,
    /// Connections, beyond which new ones wait.
    pub max_connections: usize,
    /// For a header or a TLS handshake to arrive.
    pub header_timeout: Duration,
    /// Without a byte of a request's body.
    pub body_idle_timeout: Duration,
    /// Without the client taking a byte of an answer.
    pub write_stall_timeout: Duration,
    /// The rate at which a client sends a body and takes an answer at least; none: as slowly as it likes.
    pub min_rate: Option<MinRate>,
    /// For an idle connection.
    pub keep_alive_timeout: Duration,
    /// For running requests at shutdown.
    pub drain_timeout: Duration,
}

#[cfg(test)]
impl Limits {
    /// Each time limit another one, so that a test sees which it was; 1,000 bytes a second over a minute.
    fn for_tests() -> Self {
        let bytes_per_second = NonZeroU64::new(1000);
        Self {
            max_requests: 1,
            max_connections: 1,
            header_timeout: Duration::from_secs(10),
            body_idle_timeout: Duration::from_secs(30),
            write_stall_timeout: Duration::from_secs(20),
            min_rate: bytes_per_second
                .map(|bytes_per_second| MinRate { bytes_per_second, window: Duration::from_secs(60) }),
            keep_alive_timeout: Duration::from_secs(100),
            drain_timeout: Duration::from_secs(1),
        }
    }
}

/// What the edge needs of the configuration.
#[derive(Debug, Clone)]
pub struct Settings {
    /// S3 and KMS; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Metrics, if wanted.
    pub metrics_listen: Option<SocketAddr>,
    /// Certificates; none: plain http.
    pub tls: Vec<TlsFiles>,
    /// Whose `X-Forwarded-*` is believed.
    pub trusted_proxies: Vec<(IpAddr, u8)>,
    /// Limits.
    pub limits: Limits,
}

impl From<&Config> for Settings {
    fn from(config: &Config) -> Self {
        Self {
            listen: config.listen,
            metrics_listen: config.metrics_listen,
            tls: config.tls.clone(),
            trusted_proxies: config.trusted_proxies.clone(),
            limits: Limits {
                max_requests: config.max_requests,
                max_connections: config.max_connections,
                header_timeout: config.header_timeout,
                body_idle_timeout: config.body_idle_timeout,
                write_stall_timeout: config.write_stall_timeout,
                min_rate: NonZeroU64::new(config.client_min_rate)
                    .map(|bytes_per_second| MinRate { bytes_per_second, window: MIN_RATE_WINDOW }),
                keep_alive_timeout: config.keep_alive_timeout,
                drain_timeout: config.drain_timeout,
            },
        }
    }
}
