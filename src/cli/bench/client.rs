//! One keep-alive connection to the endpoint, driven inside the task that uses it.

use std::future::Future;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use http::{Method, StatusCode, Uri};
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

use super::sign::{Signer, Unsigned};
use super::{BenchArgs, BenchError};
use crate::sources::Sources;

/// Where requests go and how they are signed.
pub(super) struct Target {
    host: String,
    port: u16,
    /// `Host` as it is sent and signed: the port stands in it unless it is the scheme's own.
    host_header: String,
    tls: Option<tokio_rustls::TlsConnector>,
    signer: Signer,
}

impl Target {
    pub(super) fn new(args: &BenchArgs) -> Result<Self, BenchError> {
        let wrong = || BenchError::Argument(format!("--endpoint {} is no http or https URL", args.endpoint));
        let uri: Uri = args.endpoint.parse().map_err(|_| wrong())?;
        let host = uri.host().ok_or_else(wrong)?.to_owned();
        let (tls, own_port) = match uri.scheme_str() {
            Some("http") => (None, 80),
            Some("https") => (Some(tls_connector(args.ca_bundle.as_deref())?), 443),
            _ => return Err(wrong()),
        };
        let port = uri.port_u16().unwrap_or(own_port);
        let host_header = if port == own_port { host.clone() } else { format!("{host}:{port}") };
        let service = if args.operation.is_of_keys() { "kms" } else { "s3" };
        let signer = Signer::new(&args.access_key, &args.secret_key, &args.region, service);
        Ok(Self { host, port, host_header, tls, signer })
    }

    async fn connect(&self) -> Result<Link, Failure> {
        // An IPv6 address stands in brackets in a URL, but not in an address.
        let host = self.host.trim_start_matches('[').trim_end_matches(']');
        let stream = TcpStream::connect((host, self.port)).await.map_err(|e| Failure::connection(&e))?;
        stream.set_nodelay(true).map_err(|e| Failure::connection(&e))?;
        match &self.tls {
            None => Link::open(stream).await,
            Some(connector) => {
                let name = ServerName::try_from(host.to_owned()).map_err(|e| Failure::connection(&e))?;
                Link::open(connector.connect(name, stream).await.map_err(|e| Failure::connection(&e))?).await
            }
        }
    }
}

fn tls_connector(ca_bundle: Option<&Path>) -> Result<tokio_rustls::TlsConnector, BenchError> {
    crate::client::tls_connector(ca_bundle).map_err(|error| BenchError::Argument(format!("--ca-bundle: {error}")))
}

/// A request before its signature.
#[derive(Debug)]
pub(super) struct Call<'a> {
    pub(super) method: Method,
    /// Percent-encoded, with the bucket.
    pub(super) path: &'a str,
    /// Percent-encoded and sorted.
    pub(super) query: &'a str,
    pub(super) headers: &'a [(&'static str, String)],
    pub(super) payload_hash: &'a str,
    pub(super) body: Bytes,
    /// Keep the answer's body; otherwise only its length is kept (an error's body is always kept).
    pub(super) wants_body: bool,
}

/// A successful answer.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) etag: Option<String>,
    pub(super) body_bytes: u64,
    pub(super) body: Vec<u8>,
}

/// An answer that is none, under the name by which the report counts it: the error code, the HTTP status where there is
/// no code, `Connection`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Failure {
    pub(super) code: String,
    pub(super) detail: String,
}

impl Failure {
    fn connection(error: &dyn std::error::Error) -> Self {
        let cause = error.source().map_or_else(String::new, |source| format!(": {source}"));
        Self { code: "Connection".to_owned(), detail: format!("{error}{cause}") }
    }

    pub(super) fn of(code: &str, detail: String) -> Self {
        Self { code: code.to_owned(), detail }
    }

    fn answer(status: StatusCode, body: &[u8]) -> Self {
        if let Ok(Value::Object(error)) = serde_json::from_slice(body) {
            let member = |name: &str| error.get(name).and_then(Value::as_str).unwrap_or_default();
            let code = member("__type").to_owned();
            return Self { detail: format!("{status} {code} {}", member("message")), code };
        }
        let body = String::from_utf8_lossy(body);
        let code = element(&body, "Code").unwrap_or(status.as_str()).to_owned();
        let detail = element(&body, "Message").unwrap_or_default();
        Self { detail: format!("{status} {code} {detail}"), code }
    }
}

/// The text of the first element of this name: enough for the flat answers that a client reads.
pub(super) fn element<'a>(xml: &'a str, name: &str) -> Option<&'a str> {
    let start = xml.find(&format!("<{name}>"))? + name.len() + 2;
    let rest = &xml[start..];
    Some(&rest[..rest.find("</")?])
}

/// A client with one connection, made when it is first needed and again after a failure.
pub(super) struct Client {
    target: Arc<Target>,
    sources: Sources,
    link: Option<Link>,
}

impl Client {
    pub(super) fn new(target: Arc<Target>, sources: Sources) -> Self {
        Self { target, sources, link: None }
    }

    /// Sends a request and reads the answer to its end. A connection that fails is dropped, and the next call makes a
    /// new one.
    pub(super) async fn call(&mut self, call: &Call<'_>) -> Result<Answer, Failure> {
        let request = self.sign(call)?;
        let mut link = match self.link.take().filter(|link| link.open && !link.sender.is_closed()) {
            Some(link) => link,
            None => self.target.connect().await?,
        };
        let (status, answer) = link.exchange(request, call.wants_body).await.map_err(|e| Failure::connection(&e))?;
        self.link = Some(link);
        if status.is_success() { Ok(answer) } else { Err(Failure::answer(status, &answer.body)) }
    }

    fn sign(&self, call: &Call<'_>) -> Result<http::Request<Full<Bytes>>, Failure> {
        let unsigned = Unsigned {
            method: call.method.as_str(),
            path: call.path,
            query: call.query,
            host: &self.target.host_header,
            headers: call.headers,
            payload_hash: call.payload_hash,
        };
        let signature = self.target.signer.sign(&unsigned, self.sources.now());
        let separator = if call.query.is_empty() { "" } else { "?" };
        let mut request = http::Request::builder()
            .method(call.method.clone())
            .uri(format!("{}{separator}{}", call.path, call.query))
            .header("host", &self.target.host_header)
            .header("x-amz-content-sha256", call.payload_hash)
            .header("x-amz-date", signature.amz_date)
            .header("authorization", signature.authorization);
        for (name, value) in call.headers {
            request = request.header(*name, value);
        }
        request.body(Full::new(call.body.clone())).map_err(|e| Failure::of("Request", e.to_string()))
    }
}

/// An open connection. Its driver is polled by the exchanges themselves: no second task, no waking across threads.
struct Link {
    sender: http1::SendRequest<Full<Bytes>>,
    driver: Pin<Box<dyn Future<Output = hyper::Result<()>> + Send>>,
    /// The driver has not ended: a future that has is not polled again.
    open: bool,
}

impl Link {
    async fn open<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(stream: S) -> Result<Self, Failure> {
        let handshake = http1::handshake(TokioIo::new(stream)).await;
        let (sender, driver) = handshake.map_err(|e| Failure::connection(&e))?;
        Ok(Self { sender, driver: Box::pin(driver), open: true })
    }

    async fn exchange(
        &mut self,
        request: http::Request<Full<Bytes>>,
        wants_body: bool,
    ) -> hyper::Result<(StatusCode, Answer)> {
        let Self { sender, driver, open } = self;
        let exchange = async {
            sender.ready().await?;
            read_answer(sender.send_request(request).await?, wants_body).await
        };
        tokio::pin!(exchange);
        tokio::select! {
            biased;
            answer = &mut exchange => answer,
            // The server has closed the connection; what it sent before is still to be read.
            end = driver => {
                *open = false;
                end?;
                exchange.await
            }
        }
    }
}

async fn read_answer(
    response: http::Response<hyper::body::Incoming>,
    wants_body: bool,
) -> hyper::Result<(StatusCode, Answer)> {
    let (head, mut incoming) = response.into_parts();
    let keep = wants_body || !head.status.is_success();
    let etag = head.headers.get("etag").and_then(|v| v.to_str().ok()).map(str::to_owned);
    let mut answer = Answer { etag, body_bytes: 0, body: Vec::new() };
    while let Some(frame) = incoming.frame().await {
        if let Some(data) = frame?.data_ref() {
            answer.body_bytes += data.len() as u64;
            if keep {
                answer.body.extend_from_slice(data);
            }
        }
    }
    Ok((head.status, answer))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_are_counted_by_code_or_status() {
        let body = b"<?xml version=\"1.0\"?><Error><Code>SlowDown</Code><Message>Reduce it.</Message></Error>";
        let failure = Failure::answer(StatusCode::SERVICE_UNAVAILABLE, body);
        assert_eq!(failure.code, "SlowDown");
        assert_eq!(failure.detail, "503 Service Unavailable SlowDown Reduce it.");
        assert_eq!(Failure::answer(StatusCode::NOT_FOUND, b"").code, "404");
        let of_keys =
            Failure::answer(StatusCode::BAD_REQUEST, br#"{"__type":"DisabledException","message":"k is disabled."}"#);
        assert_eq!(of_keys.detail, "400 Bad Request DisabledException k is disabled.");
        assert_eq!(element("<A><UploadId>x</UploadId></A>", "UploadId"), Some("x"));
        assert_eq!(element("<A>", "A"), None);
    }
}
