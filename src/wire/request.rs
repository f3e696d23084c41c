//! A request as the protocols see it: the head, what the edge knows of the connection, and the body.

use std::fmt;
use std::net::IpAddr;

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
        use base64::Engine as _;
        base64::engine::general_purpose::STANDARD.encode(crate::crypto::sha256(self.0.as_bytes()))
    }
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

/// The operation that an answer belongs to: an extension of the response, for the access log and the metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OperationName(pub &'static str);

/// The access key that a request was signed with, as far as it was found valid: as [`OperationName`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessKeyId(pub String);

/// The code of an error answer, e.g. `NoSuchKey`: as [`OperationName`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ErrorCode(pub &'static str);

/// The encryption of the object that a request was about, e.g. `sse-kms`: as [`OperationName`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EncryptionLabel(pub &'static str);
