//! Requests to other services: a connection and an answer each, with limits on time and length.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::stream::BoxStream;
use http::header::HOST;
use http::{HeaderMap, HeaderValue, Method, StatusCode, Uri};
use http_body::{Body, Frame};
use http_body_util::{BodyExt as _, Full, StreamBody};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio::time::timeout;
pub use tokio_rustls::TlsConnector as Connector;
use tokio_rustls::TlsConnector;

use crate::crypto::SecretBytes;

mod nats;

pub use nats::NatsSubject;

/// Debian's and Alpine's, then Fedora's.
const SYSTEM_CERTIFICATES: [&str; 2] = ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt"];
/// Time for a whole exchange, the connection included.
const EXCHANGE_TIMEOUT: Duration = Duration::from_secs(10);
/// Longest answer that is read, in bytes, unless an endpoint has more.
const ANSWER_MAX_BYTES: usize = 1024 * 1024;

/// Where requests go.
#[expect(missing_debug_implementations, reason = "a TLS configuration says nothing")]
pub struct Endpoint {
    host: String,
    port: u16,
    host_header: String,
    tls: Option<TlsConnector>,
    answer_max_bytes: usize,
}

/// An answer. Its body may hold a secret.
#[expect(missing_debug_implementations, reason = "may hold a secret")]
pub struct Answer {
    /// Its status.
    pub status: StatusCode,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body.
    pub body: SecretBytes,
}

/// Why there is no answer. The texts are for the operator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ExchangeError {
    /// No connection: the name is unknown, nobody listens.
    Unreachable(String),
    /// No TLS session: an untrusted, expired or foreign certificate, or no common version.
    Tls(String),
    /// Not within this time.
    TimedOut(Duration),
    /// The connection ended or what came is no HTTP.
    Broken(String),
}

impl Endpoint {
    /// Of a URL without a path. Plain http goes to this machine only: what is sent here is secret.
    pub fn parse(url: &str, ca_bundle: Option<&Path>) -> Result<Self, String> {
        let uri: Uri = url.parse().map_err(|_| format!("{url:?} is no URL"))?;
        if uri.scheme_str() == Some("http") && !is_here(&uri) {
            return Err(format!("{url:?} is plain http, which only goes to this machine: give https"));
        }
        if uri.host().is_some() && !matches!(uri.path(), "" | "/") {
            return Err(format!("{url:?} has a path: give scheme, host and port alone"));
        }
        Self::of_uri(&uri, url, ca_bundle)
    }

    /// Of a URL, with the path and query that it has. Plain http goes anywhere: whoever sets the URL decides what may be
    /// seen on the way.
    pub fn with_path(url: &str, ca_bundle: Option<&Path>) -> Result<(Self, String), String> {
        let uri: Uri = url.parse().map_err(|_| format!("{url:?} is no URL"))?;
        let path = uri.path_and_query().map_or("/", |path| path.as_str()).to_owned();
        Ok((Self::of_uri(&uri, url, ca_bundle)?, path))
    }

    fn of_uri(uri: &Uri, url: &str, ca_bundle: Option<&Path>) -> Result<Self, String> {
        let host = uri.host().ok_or_else(|| format!("{url:?} names no host"))?.to_owned();
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        let (tls, own_port) = match uri.scheme_str() {
            Some("https") => (Some(tls_connector(ca_bundle)?), 443),
            Some("http") => (None, 80),
            _ => return Err(format!("{url:?} is no https URL")),
        };
        let port = uri.port_u16().unwrap_or(own_port);
        let host_header = if port == own_port { host.clone() } else { format!("{host}:{port}") };
        Ok(Self { host: bare.to_owned(), port, host_header, tls, answer_max_bytes: ANSWER_MAX_BYTES })
    }

    /// Of a host that is reached over TLS alone; `host` is a name or an address.
    pub fn https(host: &str, port: u16, connector: TlsConnector) -> Self {
        let host_header = if port == 443 { host.to_owned() } else { format!("{host}:{port}") };
        Self { host: host.to_owned(), port, host_header, tls: Some(connector), answer_max_bytes: ANSWER_MAX_BYTES }
    }

    /// The same, of a server whose answers may be longer than most are.
    #[must_use]
    pub fn with_answers_up_to(self, answer_max_bytes: usize) -> Self {
        Self { answer_max_bytes, ..self }
    }

    /// `Host` as it is sent.
    pub fn host_header(&self) -> &str {
        &self.host_header
    }

    /// Posts `body` to `/`. The text of an error is for the operator.
    pub async fn post(&self, headers: HeaderMap, body: Bytes) -> Result<Answer, String> {
        let answer = self.post_to("/", headers, body, EXCHANGE_TIMEOUT).await;
        answer.map_err(|error| format!("{}: {error}", self.host_header))
    }

    /// Posts `body` to `path`, all of it within `limit`, the connection included.
    pub async fn post_to(
        &self,
        path: &str,
        headers: HeaderMap,
        body: Bytes,
        limit: Duration,
    ) -> Result<Answer, ExchangeError> {
        self.send(Method::POST, path, headers, body, limit).await
    }

    /// Gets `path`, all of it within `limit`, the connection included. No redirect is followed.
    pub async fn get(&self, path: &str, headers: HeaderMap, limit: Duration) -> Result<Answer, ExchangeError> {
        self.send(Method::GET, path, headers, Bytes::new(), limit).await
    }

    /// Sends a request for `target`, path and query, all of it within `limit`, the connection included.
    pub async fn send(
        &self,
        method: Method,
        target: &str,
        headers: HeaderMap,
        body: Bytes,
        limit: Duration,
    ) -> Result<Answer, ExchangeError> {
        self.send_body(method, target, headers, Full::new(body), limit).await
    }

    /// As [`Self::send`], with a body that comes in pieces; its length stands in the headers.
    pub async fn send_stream(
        &self,
        method: Method,
        target: &str,
        headers: HeaderMap,
        body: BoxStream<'static, Result<Bytes, String>>,
        limit: Duration,
    ) -> Result<Answer, ExchangeError> {
        let body = StreamBody::new(body.map(|piece| piece.map(Frame::data).map_err(std::io::Error::other)));
        self.send_body(method, target, headers, body, limit).await
    }

    async fn send_body<B>(
        &self,
        method: Method,
        target: &str,
        headers: HeaderMap,
        body: B,
        limit: Duration,
    ) -> Result<Answer, ExchangeError>
    where
        B: Body<Data = Bytes> + Send + Unpin + 'static,
        B::Error: std::error::Error + Send + Sync,
    {
        let other = |error: http::Error| ExchangeError::Broken(error.to_string());
        let mut request = http::Request::builder().method(method).uri(target).body(body).map_err(other)?;
        *request.headers_mut() = headers;
        let host = HeaderValue::from_str(&self.host_header).map_err(|error| other(error.into()))?;
        request.headers_mut().insert(HOST, host);
        let answer = timeout(limit, self.exchange(request)).await;
        answer.unwrap_or(Err(ExchangeError::TimedOut(limit)))
    }

    async fn exchange<B>(&self, request: http::Request<B>) -> Result<Answer, ExchangeError>
    where
        B: Body<Data = Bytes> + Send + Unpin + 'static,
        B::Error: std::error::Error + Send + Sync,
    {
        let connected = TcpStream::connect((self.host.as_str(), self.port)).await;
        let stream = connected.map_err(|error| ExchangeError::Unreachable(error.to_string()))?;
        let exchanged = match &self.tls {
            None => exchange(stream, request, self.answer_max_bytes).await,
            Some(connector) => {
                let untrusted = |error: &dyn fmt::Display| ExchangeError::Tls(error.to_string());
                let name = ServerName::try_from(self.host.clone()).map_err(|error| untrusted(&error))?;
                let stream = connector.connect(name, stream).await.map_err(|error| untrusted(&error))?;
                exchange(stream, request, self.answer_max_bytes).await
            }
        };
        exchanged.map_err(ExchangeError::Broken)
    }
}

/// Whether a URL's host is this machine.
fn is_here(uri: &Uri) -> bool {
    let bare = uri.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
    bare == "localhost" || bare.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

impl fmt::Display for ExchangeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TimedOut(limit) => write!(f, "no answer in {} ms", limit.as_millis()),
            Self::Unreachable(text) | Self::Tls(text) | Self::Broken(text) => f.write_str(text),
        }
    }
}

async fn exchange<S, B>(stream: S, request: http::Request<B>, max_bytes: usize) -> Result<Answer, String>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    B: Body<Data = Bytes> + Send + Unpin + 'static,
    B::Error: std::error::Error + Send + Sync,
{
    let (mut sender, driver) = http1::handshake(TokioIo::new(stream)).await.map_err(|e| e.to_string())?;
    let driver = Driver(tokio::spawn(driver));
    let (head, mut incoming) = sender.send_request(request).await.map_err(|e| e.to_string())?.into_parts();
    // Allocated once: growing would leave copies of a secret behind.
    let mut body = Vec::with_capacity(64 * 1024);
    while let Some(frame) = incoming.frame().await {
        let frame = frame.map_err(|e| e.to_string())?;
        let data = frame.data_ref().map(AsRef::as_ref).unwrap_or_default();
        if body.len() + data.len() > max_bytes {
            return Err(format!("the answer has more than {max_bytes} bytes"));
        }
        body.extend_from_slice(data);
    }
    drop(driver);
    Ok(Answer { status: head.status, headers: head.headers, body: SecretBytes::new(body) })
}

/// What moves the bytes of a connection. It ends with the exchange, also with one that ran out of time.
struct Driver(JoinHandle<hyper::Result<()>>);

impl Drop for Driver {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Whose certificates are believed.
#[derive(Debug, Clone, Copy)]
pub enum Trust<'a> {
    /// Those that the system believes.
    System,
    /// Those of this file (PEM) alone.
    Only(&'a Path),
    /// Those that the system believes and those of this file.
    SystemAnd(&'a Path),
}

/// What believes the certificates of `ca_bundle` (PEM), or else those that the system believes.
pub fn tls_connector(ca_bundle: Option<&Path>) -> Result<TlsConnector, String> {
    connector(ca_bundle.map_or(Trust::System, Trust::Only))
}

/// What makes TLS connections to servers whose certificates are believed.
pub fn connector(trust: Trust<'_>) -> Result<TlsConnector, String> {
    let system = || {
        let found = SYSTEM_CERTIFICATES.iter().map(PathBuf::from).find(|p| p.exists());
        found.ok_or_else(|| "this system keeps its certificates at no known place: name a file of them".to_owned())
    };
    let files = match trust {
        Trust::System => vec![system()?],
        Trust::Only(path) => vec![path.to_path_buf()],
        // A machine that believes nobody but the named file is a legal set-up.
        Trust::SystemAnd(path) => system().ok().into_iter().chain([path.to_path_buf()]).collect(),
    };
    let mut roots = rustls::RootCertStore::empty();
    for path in &files {
        add_certificates(&mut roots, path).map_err(|error| format!("{}: {error}", path.display()))?;
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}

fn add_certificates(roots: &mut rustls::RootCertStore, path: &Path) -> Result<(), String> {
    for certificate in CertificateDer::pem_file_iter(path).map_err(|e| e.to_string())? {
        // A system's bundle may hold old certificates that rustls does not take: the others still count.
        let _ = roots.add(certificate.map_err(|e| e.to_string())?);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::Endpoint;

    #[test]
    fn endpoints() {
        for (url, host) in [
            ("http://127.0.0.1:9000", Ok("127.0.0.1:9000")),
            ("http://localhost/", Ok("localhost")),
            ("http://[::1]:9000", Ok("[::1]:9000")),
            ("http://kms.example.com", Err("is plain http")),
            ("http://10.0.0.1:9000", Err("is plain http")),
            ("ftp://127.0.0.1", Err("is no https URL")),
            ("127.0.0.1:9000", Err("is no")),
            ("http://127.0.0.1/path", Err("has a path")),
            ("", Err("is no URL")),
        ] {
            let parsed = Endpoint::parse(url, None);
            match (host, parsed) {
                (Ok(host), Ok(endpoint)) => assert_eq!(endpoint.host_header(), host),
                (Err(reason), Err(error)) => assert!(error.contains(reason), "{url}: {error}"),
                (_, parsed) => panic!("{url}: {:?}", parsed.err()),
            }
        }
    }
}
