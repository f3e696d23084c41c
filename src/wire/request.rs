//! A request as the protocols see it: the head, what the edge knows of the connection, and the body.

use std::fmt;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use super::{RequestBody, ResponseBody};
use crate::sources::{Sources, Timestamp};

/// `x-amz-request-id`: 16 upper-case hexadecimal or base-32 characters, as AWS shows them.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RequestId(String);

impl RequestId {
    /// A new random id.
    pub fn generate(sources: &Sources) -> Self {
        const DIGITS: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
        Self(sources.random::<16>().iter().map(|b| char::from(DIGITS[usize::from(b & 31)])).collect())
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// `x-amz-id-2`, which names the host to AWS's support; here: derived from the request id, base64.
    pub fn extended(&self) -> String {
        extended_request_id(&self.0)
    }
}

/// See [`RequestId::extended`].
pub fn extended_request_id(request_id: &str) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(crate::crypto::sha256(request_id.as_bytes()))
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// TLS as it was negotiated with the client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsInfo {
    /// CloudTrail's spelling, e.g. `TLSv1.3`.
    pub version: &'static str,
    /// The IANA name of the cipher suite.
    pub cipher_suite: String,
}

/// What the edge found out about a request before any protocol looked at it.
#[derive(Debug, Clone)]
pub struct Edge {
    /// The id under which it is logged and answered.
    pub request_id: RequestId,
    /// When it arrived.
    pub received: Timestamp,
    /// The client's address: the peer's, or what a trusted proxy says of it.
    pub source_ip: IpAddr,
    /// The request came over TLS, here or at a trusted proxy: `aws:SecureTransport`.
    pub secure: bool,
    /// SSE-C and KMS are taken: `secure`, or the peer is on loopback.
    pub confidential: bool,
    /// TLS that ended here.
    pub tls: Option<TlsInfo>,
    /// The host that the client asked for, without port, lower case; from `Host` or `:authority`.
    pub host: String,
    /// The same with port, as the client sent it: part of signatures.
    pub host_header: String,
    /// Where a protocol notes what it finds out besides.
    pub findings: Findings,
}

/// What a protocol finds out about a request on its way to the answer: for the access log and the metrics, which hear of
/// it also when the client goes away and the answer is never made. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct Findings(Arc<Noted>);

#[derive(Default)]
struct Noted {
    found: Mutex<Found>,
    at_end: Mutex<Option<AtEnd>>,
}

impl fmt::Debug for Noted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.found.fmt(f)
    }
}

/// What a protocol wants done when the exchange is over; it must not wait for anything.
pub type AtEnd = Box<dyn FnOnce(&Ended) + Send>;

/// What is known only when an exchange is over: its answer has been sent, or given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ended {
    /// The status that the client was sent; 499 if it went away before.
    pub status: u16,
    /// The error's code, if it came to one.
    pub error: Option<&'static str>,
    /// Bytes of the answer's body.
    pub sent_bytes: u64,
    /// Since the request's head arrived.
    pub total: Duration,
    /// From the last byte of the request to the first of the answer, or to its head where there is no body; none if
    /// there was no answer.
    pub turn_around: Option<Duration>,
}

/// The content of [`Findings`] until now.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Found {
    /// The operation that was asked for.
    pub operation: Option<&'static str>,
    /// The bucket's name as it was asked for, in the path or in the host.
    pub bucket: Option<String>,
    /// The access key that the request was signed with, if it was found valid.
    pub access_key_id: Option<String>,
}

impl Findings {
    /// The operation; may be found anew.
    pub fn operation(&self, name: &'static str) {
        self.lock().operation = Some(name);
    }

    /// The bucket.
    pub fn bucket(&self, name: &str) {
        self.lock().bucket = Some(name.to_owned());
    }

    /// The access key.
    pub fn access_key_id(&self, id: Option<&str>) {
        self.lock().access_key_id = id.map(str::to_owned);
    }

    /// All that is known now.
    pub fn found(&self) -> Found {
        self.lock().clone()
    }

    /// Has something done when the exchange is over.
    pub fn at_end(&self, what: AtEnd) {
        *self.0.at_end.lock().unwrap_or_else(PoisonError::into_inner) = Some(what);
    }

    /// The exchange is over. `ended` is asked only where somebody wants to know.
    pub fn end(&self, ended: impl FnOnce() -> Ended) {
        let what = self.0.at_end.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(what) = what {
            what(&ended());
        }
    }

    fn lock(&self) -> MutexGuard<'_, Found> {
        // Each change is one assignment: a holder that panicked left nothing half done.
        self.0.found.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A request.
#[derive(Debug)]
pub struct Request {
    /// Method, URI, headers.
    pub head: http::request::Parts,
    /// What the edge knows.
    pub edge: Edge,
    /// The body, unread.
    pub body: RequestBody,
}

/// An answer.
pub type Response = http::Response<ResponseBody>;

/// The code of an error answer, e.g. `NoSuchKey`: an extension of the response, for the access log and the metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ErrorCode(pub &'static str);

/// The encryption of the object that a request was about, e.g. `sse-kms`: as [`ErrorCode`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EncryptionLabel(pub &'static str);

/// How a request ended, for the access log and the metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outcome {
    /// The HTTP status that says it. A late outcome's is the one that the client would have been sent, had it waited.
    pub status: u16,
    /// The error's code, if it is one.
    pub error: Option<&'static str>,
    /// As [`EncryptionLabel`]; empty: none.
    pub encryption: &'static str,
}

impl Outcome {
    /// What an answer and its extensions say.
    pub fn of(answer: &Response) -> Self {
        let said = answer.extensions();
        Self {
            status: answer.status().as_u16(),
            error: said.get::<ErrorCode>().map(|code| code.0),
            encryption: said.get::<EncryptionLabel>().map_or("", |label| label.0),
        }
    }
}

/// An extension of a response that begins before its outcome is known: the status in its head says nothing, and what
/// came of the request is to be found here when it has ended. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct LateOutcome(Arc<OnceLock<Outcome>>);

impl LateOutcome {
    /// Notes the outcome; the first one counts.
    pub fn note(&self, outcome: Outcome) {
        let _first_counts = self.0.set(outcome);
    }

    /// The outcome, once there is one.
    pub fn get(&self) -> Option<Outcome> {
        self.0.get().copied()
    }
}

/// The bucket that a host names in virtual-host style. `host` is lower case and without port. The longest of `domains`
/// that fits decides, so that one domain may lie in another: a domain itself names no bucket.
pub fn virtual_bucket<'a>(host: &'a str, domains: &[String]) -> Option<&'a str> {
    let fits = |domain: &&String| {
        host.strip_suffix(domain.as_str()).is_some_and(|rest| rest.is_empty() || rest.len() > 1 && rest.ends_with('.'))
    };
    let domain = domains.iter().filter(fits).max_by_key(|domain| domain.len())?;
    host.strip_suffix(domain.as_str())?.strip_suffix('.')
}
