//! Requests to other services: a connection and an answer each, with limits on time and length.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::HOST;
use http::{HeaderMap, HeaderValue, StatusCode, Uri};
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use crate::crypto::SecretBytes;

/// Debian's and Alpine's, then Fedora's.
const SYSTEM_CERTIFICATES: [&str; 2] = ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt"];
/// Time for a whole exchange, the connection included.
const EXCHANGE_TIMEOUT: Duration = Duration::from_secs(10);
/// Longest answer that is read, in bytes.
const ANSWER_MAX_BYTES: usize = 1024 * 1024;

/// Where requests go.
#[expect(missing_debug_implementations, reason = "a TLS configuration says nothing")]
pub struct Endpoint {
    host: String,
    port: u16,
    host_header: String,
    tls: Option<TlsConnector>,
}

/// An answer. Its body may hold a secret.
#[expect(missing_debug_implementations, reason = "may hold a secret")]
pub struct Answer {
    /// Its status.
    pub status: StatusCode,
    /// Its body.
    pub body: SecretBytes,
}

impl Endpoint {
    /// Of a URL without a path. Plain http goes to this machine only: what is sent here is secret.
    pub fn parse(url: &str, ca_bundle: Option<&Path>) -> Result<Self, String> {
        let uri: Uri = url.parse().map_err(|_| format!("{url:?} is no URL"))?;
        let host = uri.host().ok_or_else(|| format!("{url:?} names no host"))?.to_owned();
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        let here = bare == "localhost" || bare.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback());
        let (tls, own_port) = match uri.scheme_str() {
            Some("https") => (Some(tls_connector(ca_bundle)?), 443),
            Some("http") if here => (None, 80),
            Some("http") => return Err(format!("{url:?} is plain http, which only goes to this machine: give https")),
            _ => return Err(format!("{url:?} is no https URL")),
        };
        if !matches!(uri.path(), "" | "/") {
            return Err(format!("{url:?} has a path: give scheme, host and port alone"));
        }
        let port = uri.port_u16().unwrap_or(own_port);
        let host_header = if port == own_port { host.clone() } else { format!("{host}:{port}") };
        Ok(Self { host: bare.to_owned(), port, host_header, tls })
    }

    /// `Host` as it is sent.
    pub fn host_header(&self) -> &str {
        &self.host_header
    }

    /// Posts `body` to `/`. The text of an error is for the operator.
    pub async fn post(&self, headers: HeaderMap, body: Bytes) -> Result<Answer, String> {
        let request = http::Request::post("/").body(Full::new(body));
        let mut request = request.map_err(|error| error.to_string())?;
        *request.headers_mut() = headers;
        let host = HeaderValue::from_str(&self.host_header).map_err(|error| error.to_string())?;
        request.headers_mut().insert(HOST, host);
        let exchange = async {
            let stream = TcpStream::connect((self.host.as_str(), self.port)).await.map_err(|e| e.to_string())?;
            match &self.tls {
                None => exchange(stream, request).await,
                Some(connector) => {
                    let name = ServerName::try_from(self.host.clone()).map_err(|e| e.to_string())?;
                    let stream = connector.connect(name, stream).await.map_err(|e| e.to_string())?;
                    exchange(stream, request).await
                }
            }
        };
        let answer = timeout(EXCHANGE_TIMEOUT, exchange).await;
        let answer = answer.unwrap_or_else(|_| Err(format!("no answer in {} s", EXCHANGE_TIMEOUT.as_secs())));
        answer.map_err(|error| format!("{}: {error}", self.host_header))
    }
}

async fn exchange<S>(stream: S, request: http::Request<Full<Bytes>>) -> Result<Answer, String>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (mut sender, driver) = http1::handshake(TokioIo::new(stream)).await.map_err(|e| e.to_string())?;
    let driver = tokio::spawn(driver);
    let answer = async {
        let (head, mut incoming) = sender.send_request(request).await.map_err(|e| e.to_string())?.into_parts();
        // Allocated once: growing would leave copies of a secret behind.
        let mut body = Vec::with_capacity(64 * 1024);
        while let Some(frame) = incoming.frame().await {
            let frame = frame.map_err(|e| e.to_string())?;
            let data = frame.data_ref().map(AsRef::as_ref).unwrap_or_default();
            if body.len() + data.len() > ANSWER_MAX_BYTES {
                return Err(format!("the answer has more than {ANSWER_MAX_BYTES} bytes"));
            }
            body.extend_from_slice(data);
        }
        Ok(Answer { status: head.status, body: SecretBytes::new(body) })
    };
    let answer = answer.await;
    driver.abort();
    answer
}

/// What believes the certificates of `ca_bundle` (PEM), or else those that the system believes.
pub fn tls_connector(ca_bundle: Option<&Path>) -> Result<TlsConnector, String> {
    let system = || SYSTEM_CERTIFICATES.iter().map(PathBuf::from).find(|p| p.exists());
    let path = ca_bundle
        .map(Path::to_path_buf)
        .or_else(system)
        .ok_or("this system keeps its certificates at no known place: name a file of them")?;
    let unread = |error: String| format!("{}: {error}", path.display());
    let mut roots = rustls::RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(&path).map_err(|e| unread(e.to_string()))? {
        // A system's bundle may hold old certificates that rustls does not take: the others still count.
        let _ = roots.add(certificate.map_err(|e| unread(e.to_string()))?);
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|e| unread(e.to_string()))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
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
