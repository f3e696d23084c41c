//! One request and its answer.

use std::convert::Infallible;
use std::net::IpAddr;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures_util::FutureExt as _;
use http::header::{CONNECTION, DATE, EXPECT, HOST, HeaderName, SERVER};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Version};
use hyper::body::Incoming;
use tokio::sync::{Semaphore, watch};

use super::access_log::Record;
use super::activity::Activity;
use super::answer::{Refusal, health, refuse};
use super::body::{AnswerBody, TimedBody};
use super::forwarded::{Origin, origin};
use super::metrics::Metrics;
use super::protocol::Protocol;
use super::{Gateway, HEADER_MAX_BYTES, HEADER_MAX_FIELDS, Settings, unread};
use crate::sources::Sources;
use crate::wire::{Edge, Request, RequestBody, RequestId, Response, TlsInfo, http_date};

/// What all connections share.
pub(super) struct Shared {
    pub(super) settings: Settings,
    pub(super) sources: Sources,
    pub(super) gateway: Gateway,
    pub(super) metrics: Arc<Metrics>,
    pub(super) requests: Arc<Semaphore>,
    /// True once the server drains.
    pub(super) stop: watch::Receiver<bool>,
}

/// What all requests of a connection share.
#[derive(Debug)]
pub(super) struct Peer {
    pub(super) ip: IpAddr,
    pub(super) tls: Option<TlsInfo>,
    pub(super) activity: Arc<Activity>,
}

/// Answers one request.
pub(super) async fn exchange(
    shared: Arc<Shared>,
    peer: Arc<Peer>,
    request: http::Request<Incoming>,
) -> Result<http::Response<AnswerBody>, Infallible> {
    let (head, body) = request.into_parts();
    let http2 = head.version >= Version::HTTP_2;
    let in_flight = peer.activity.begin(http2);
    let (body, progress) = TimedBody::new(body, &shared.settings.limits);
    let left = http2.then(|| body.left());
    let expects = head.headers.contains_key(EXPECT);
    let request_id = RequestId::generate(&shared.sources);
    let from = origin(peer.ip, peer.tls.is_some(), &head.headers, &shared.settings.trusted_proxies);
    let (metrics, received) = (Arc::clone(&shared.metrics), Arc::clone(&progress));
    let mut record = Record::begin(request_id.clone(), &head, from.source_ip, received, metrics, in_flight);
    let protocol = Protocol::of(&head);
    let arrived = Arrived { head, body, request_id: request_id.clone(), from };
    let mut answer = match answer(&shared, &peer, arrived, &mut record).await {
        Ok(answer) => answer,
        Err(refusal) => refuse(protocol, refusal, &request_id),
    };
    record.answered(&answer);
    mark(answer.headers_mut(), &request_id, &shared.sources);
    if !http2 && !progress.ended() {
        // What is left of the body can't be told from a next request without reading it; a client that still waits
        // for `100 Continue` would have to send it first.
        answer.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        peer.activity.leave_body_unread();
    } else if !http2 && expects && progress.bytes() == 0 {
        // A body without bytes is not asked for (RFC 9110, section 10.1.1). Older botocore, as in the AWS CLI 2.9, takes
        // such an answer's status for that of the connection's next request too, and then waits in vain.
        answer.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    if let Some(body) = left.and_then(|left| left.take()) {
        unread::read(body);
    }
    Ok(answer.map(|body| AnswerBody::new(body, http2, record)))
}

struct Arrived {
    head: Parts,
    body: TimedBody<Incoming>,
    request_id: RequestId,
    from: Origin,
}

async fn answer(shared: &Shared, peer: &Peer, arrived: Arrived, record: &mut Record) -> Result<Response, Refusal> {
    let Arrived { head, body, request_id, from } = arrived;
    let ready = || if *shared.stop.borrow() { Err("draining") } else { (shared.gateway.ready)() };
    if let Some(answer) = health(&head, ready) {
        record.silence();
        return Ok(answer);
    }
    check_size(&head)?;
    let host_header = host(&head)?;
    let permit = Arc::clone(&shared.requests).try_acquire_owned().map_err(|_| Refusal::SlowDown)?;
    record.hold(permit);
    let edge = Edge {
        request_id: request_id.clone(),
        received: shared.sources.now(),
        source_ip: from.source_ip,
        secure: from.secure,
        confidential: from.confidential,
        tls: peer.tls.clone(),
        host: without_port(&host_header).to_ascii_lowercase(),
        host_header,
        findings: record.findings(),
    };
    let request = Request { head, edge, body: RequestBody::new(body) };
    let handled = AssertUnwindSafe(async { (shared.gateway.handler)(request).await }).catch_unwind().await;
    handled.map_err(|_| {
        // The panic hook has logged the place; this line ties it to the request.
        tracing::error!(request_id = request_id.as_str(), "the handler of a request panicked");
        Refusal::Internal
    })
}

fn check_size(head: &Parts) -> Result<(), Refusal> {
    // Per field: the colon, the blank and the line end.
    let fields: usize = head.headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum();
    let line = head.uri.path_and_query().map_or(0, |target| target.as_str().len());
    if head.headers.len() > HEADER_MAX_FIELDS || fields + line > HEADER_MAX_BYTES {
        return Err(Refusal::HeaderTooLarge);
    }
    Ok(())
}

/// The host as the client sent it: `:authority` or an absolute URI stand over `Host` (RFC 9112, section 3.2.2).
fn host(head: &Parts) -> Result<String, Refusal> {
    let mut hosts = head.headers.get_all(HOST).iter();
    let host = match (hosts.next(), hosts.next()) {
        (_, Some(_)) => return Err(Refusal::BadHost),
        (Some(host), None) => Some(host.to_str().map_err(|_| Refusal::BadHost)?),
        (None, None) => None,
    };
    let host = head.uri.authority().map(|authority| authority.as_str()).or(host);
    match host {
        Some(host) => Ok(host.to_owned()),
        // HTTP/1.0 had none.
        None if head.version < Version::HTTP_11 => Ok(String::new()),
        None => Err(Refusal::BadHost),
    }
}

fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        // The colons inside `[::1]` part no port.
        Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) && !name.ends_with(':') => name,
        _ => host,
    }
}

/// Puts the fields that every answer has.
pub(super) fn mark(headers: &mut HeaderMap, request_id: &RequestId, sources: &Sources) {
    let mut put = |name: HeaderName, value: &str| {
        // Letters, digits and base64 make a header value.
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(name, value);
        }
    };
    put(HeaderName::from_static("x-amz-request-id"), request_id.as_str());
    put(HeaderName::from_static("x-amz-id-2"), &request_id.extended());
    put(DATE, &http_date(sources.now()));
    put(SERVER, "Strongroom");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_without_their_port() {
        for (host, name) in [
            ("s3.example.com", "s3.example.com"),
            ("s3.example.com:9000", "s3.example.com"),
            ("s3.example.com:", "s3.example.com"),
            ("127.0.0.1:9000", "127.0.0.1"),
            ("[::1]:9000", "[::1]"),
            ("[::1]", "[::1]"),
            ("", ""),
        ] {
            assert_eq!(without_port(host), name);
        }
    }

    fn head(fields: usize, value_bytes: usize) -> Parts {
        let mut request = http::Request::builder().uri("/").version(Version::HTTP_11);
        for field in 0..fields {
            request = request.header(format!("f{field:03}"), "v".repeat(value_bytes));
        }
        request.body(()).expect("a request").into_parts().0
    }

    #[test]
    fn header_limits_at_their_edge() {
        assert_eq!(check_size(&head(HEADER_MAX_FIELDS, 1)), Ok(()));
        assert_eq!(check_size(&head(HEADER_MAX_FIELDS + 1, 1)), Err(Refusal::HeaderTooLarge));
        // One field takes 4 bytes of name and 4 around; the path takes 1.
        assert_eq!(check_size(&head(1, HEADER_MAX_BYTES - 9)), Ok(()));
        assert_eq!(check_size(&head(1, HEADER_MAX_BYTES - 8)), Err(Refusal::HeaderTooLarge));
    }

    #[test]
    fn one_host() {
        let with = |uri: &str, hosts: &[&str]| {
            let mut request = http::Request::builder().uri(uri).version(Version::HTTP_11);
            for name in hosts {
                request = request.header(HOST, *name);
            }
            host(&request.body(()).expect("a request").into_parts().0)
        };
        assert_eq!(with("/", &["A.example.com:9000"]), Ok("A.example.com:9000".to_owned()));
        assert_eq!(with("http://b.example.com/x", &["a.example.com"]), Ok("b.example.com".to_owned()));
        assert_eq!(with("/", &[]), Err(Refusal::BadHost));
        assert_eq!(with("/", &["a", "b"]), Err(Refusal::BadHost));
    }
}
