//! From a request to a caller: Signature Version 4 in its forms, presigned Version 2, or nobody.

use super::{Access, Directory, Payload};
use crate::crypto::ChecksumAlgorithm;
use crate::names::Region;
use crate::wire::Request;

/// An authenticated request.
#[expect(missing_debug_implementations, reason = "holds signing keys")]
pub struct Authenticated {
    /// Caller and facts.
    pub access: Access,
    /// The body, ready to be read and verified.
    pub payload: Payload,
    /// The head, for the handler.
    pub head: http::request::Parts,
}

/// Why a request was not taken. Each maps to one AWS error of S3 or KMS at the edge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AuthError {
    /// The access key is not known: `InvalidAccessKeyId`.
    UnknownAccessKey(String),
    /// `SignatureDoesNotMatch`, with what AWS shows of the computation.
    SignatureDoesNotMatch {
        /// The access key id.
        access_key_id: String,
        /// What was signed.
        string_to_sign: String,
        /// What the client sent.
        signature_provided: String,
        /// The canonical request (Version 4).
        canonical_request: Option<String>,
    },
    /// `RequestTimeTooSkewed`: request time, server time (ISO 8601), allowed milliseconds.
    TimeTooSkewed {
        /// As sent.
        request_time: String,
        /// Now.
        server_time: String,
        /// 900000.
        max_allowed_ms: u64,
    },
    /// A presigned URL is past its time: `AccessDenied` "Request has expired".
    Expired {
        /// `X-Amz-Expires`, seconds.
        expires_seconds: u64,
        /// When it expired, ISO 8601.
        expired_at: String,
        /// Now, ISO 8601.
        server_time: String,
    },
    /// A presigned URL is not valid yet: `AccessDenied` "Request is not valid yet".
    NotYetValid,
    /// `AuthorizationHeaderMalformed`; a wrong Region also names the right one.
    HeaderMalformed {
        /// AWS's text.
        message: String,
        /// The Region to use.
        region: Option<String>,
    },
    /// `AuthorizationQueryParametersError`.
    QueryMalformed(String),
    /// `AccessDenied` with `HeadersNotSigned`: headers that must be signed were not.
    HeadersNotSigned(Vec<String>),
    /// `AccessDenied` with AWS's text (no date, SigV2 parameters missing, …).
    Denied(String),
    /// `InvalidRequest` with AWS's text (SigV2 turned off, SigV4A, missing x-amz-content-sha256, …).
    InvalidRequest(String),
    /// `InvalidArgument` with AWS's text, name and value.
    InvalidArgument {
        /// AWS's text.
        message: String,
        /// Header or parameter.
        name: String,
        /// As sent.
        value: String,
    },
    /// `MissingContentLength`.
    MissingContentLength,
    /// `InvalidDigest`: Content-MD5 is no MD5.
    InvalidDigest(String),
    /// `InvalidRequest` "Value for x-amz-checksum-… header is invalid."
    ChecksumInvalid(ChecksumAlgorithm),
}

/// Settings of authentication.
#[derive(Debug, Clone)]
pub struct AuthSettings {
    /// Regions served; the first is home.
    pub regions: Vec<Region>,
    /// Presigned URLs of Signature Version 2 are taken.
    pub presigned_v2: bool,
}

/// Authenticates a request for `service` (`s3`, `kms`, …).
pub fn authenticate(
    request: Request,
    service: &str,
    directory: &Directory,
    settings: &AuthSettings,
) -> Result<Authenticated, AuthError> {
    let _ = (request, service, directory, settings);
    unimplemented!()
}
