//! Why a request was not taken.

use std::fmt;

use crate::crypto::ChecksumAlgorithm;

/// The message of `SignatureDoesNotMatch`, of a request or of a chunk.
pub(in crate::auth) const SIGNATURE_MISMATCH: &str = "The request signature we calculated does not match the signature \
                                                      you provided. Check your key and signing method.";

/// Why a request was not taken. Each maps to one AWS error of S3 or KMS at the edge; `Display` is S3's text for the
/// client. None holds a secret: what is shown of a computation is what the client could have computed without the key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AuthError {
    /// The access key is not known: `InvalidAccessKeyId` (KMS: `UnrecognizedClientException`), with `AWSAccessKeyId`.
    UnknownAccessKey(String),
    /// A session token came with a key that has none: `InvalidToken` (KMS: `UnrecognizedClientException`).
    InvalidToken,
    /// The temporary credentials have expired: `ExpiredToken` (KMS: `ExpiredTokenException`).
    ExpiredToken,
    /// Access keys could not be looked up: `InternalError`. The text is for the log.
    Unavailable(String),
    /// `SignatureDoesNotMatch` (KMS: `InvalidSignatureException`), with what AWS shows of the computation:
    /// `AWSAccessKeyId`, `StringToSign`, `SignatureProvided`, `StringToSignBytes` (hexadecimal, blanks between),
    /// `CanonicalRequest`, `CanonicalRequestBytes`.
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
    /// `RequestTimeTooSkewed` (KMS: `InvalidSignatureException`): request time, server time (ISO 8601), allowed
    /// milliseconds.
    TimeTooSkewed {
        /// As sent.
        request_time: String,
        /// Now.
        server_time: String,
        /// 900000.
        max_allowed_ms: u64,
    },
    /// A presigned URL is past its time: `AccessDenied` "Request has expired", with `X-Amz-Expires`, `Expires`,
    /// `ServerTime`.
    Expired {
        /// `X-Amz-Expires`, seconds; Version 2 has none.
        expires_seconds: Option<u64>,
        /// When it expired, ISO 8601.
        expired_at: String,
        /// Now, ISO 8601.
        server_time: String,
    },
    /// A presigned URL is not valid yet: `AccessDenied` "Request is not yet valid".
    NotYetValid,
    /// `AuthorizationHeaderMalformed` (KMS: `IncompleteSignatureException`); a wrong Region also names the right one.
    HeaderMalformed {
        /// AWS's text.
        message: String,
        /// The Region to use: element `Region`.
        region: Option<String>,
    },
    /// `AuthorizationQueryParametersError`.
    QueryMalformed(String),
    /// `AuthorizationQueryParametersError` for a wrong Region.
    QueryRegion {
        /// AWS's text.
        message: String,
        /// The Region to use: element `Region`.
        region: String,
    },
    /// `AccessDenied` "There were headers present in the request which were not signed", with `HeadersNotSigned`, joined
    /// by `, ` (KMS: `InvalidSignatureException`).
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
        /// As sent; of `Authorization` the scheme only.
        value: String,
    },
    /// `MissingContentLength` "You must provide the Content-Length HTTP header."
    MissingContentLength,
    /// `NotImplemented`, with `Header`: the body comes in HTTP's chunks, and nothing says how long it is.
    TransferEncoding,
    /// `InvalidDigest` "The Content-MD5 you specified was invalid.", with `Content-MD5`.
    InvalidDigest(String),
    /// `InvalidRequest` "Value for x-amz-checksum-… header is invalid."
    ChecksumInvalid(ChecksumAlgorithm),
    /// `InvalidRequest`: the headers that announce checksums contradict each other.
    ChecksumHeaders(ChecksumFault),
}

/// What is wrong with the headers that announce checksums; always `InvalidRequest`, `Display` is AWS's text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChecksumFault {
    /// Two `x-amz-checksum-*` headers, or two in `x-amz-trailer`.
    Several,
    /// One in a header and one in `x-amz-trailer`.
    HeaderAndTrailer,
    /// `x-amz-sdk-checksum-algorithm` and no checksum.
    NoValue,
    /// `x-amz-sdk-checksum-algorithm` and the checksum of another algorithm.
    OtherAlgorithm,
    /// `x-amz-sdk-checksum-algorithm` names no algorithm of S3.
    UnknownAlgorithm,
    /// `x-amz-checksum-*` of no algorithm of S3.
    UnknownHeader,
    /// `x-amz-trailer` names what is no checksum.
    UnknownTrailer,
}

impl AuthError {
    /// The refusal of every other mechanism than HMAC with SHA-256.
    pub(in crate::auth) fn unsupported_mechanism() -> Self {
        Self::InvalidRequest(
            "The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256.".to_owned(),
        )
    }

    /// The refusal of Signature Version 4A, clearer than AWS's own words for it.
    pub(in crate::auth) fn v4a() -> Self {
        Self::InvalidRequest(
            "Signature Version 4A (AWS4-ECDSA-P256-SHA256) is not supported. Please use AWS4-HMAC-SHA256.".to_owned(),
        )
    }
}

impl From<ChecksumFault> for AuthError {
    fn from(fault: ChecksumFault) -> Self {
        Self::ChecksumHeaders(fault)
    }
}

impl fmt::Display for AuthError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self {
            Self::UnknownAccessKey(_) => "The AWS Access Key Id you provided does not exist in our records.",
            Self::ExpiredToken => "The provided token has expired.",
            Self::Unavailable(_) => "We encountered an internal error. Please try again.",
            Self::InvalidToken => "The provided token is malformed or otherwise invalid.",
            Self::SignatureDoesNotMatch { .. } => SIGNATURE_MISMATCH,
            Self::TimeTooSkewed { .. } => "The difference between the request time and the current time is too large.",
            Self::Expired { .. } => "Request has expired",
            Self::NotYetValid => "Request is not yet valid",
            Self::HeadersNotSigned(_) => "There were headers present in the request which were not signed",
            Self::MissingContentLength => "You must provide the Content-Length HTTP header.",
            Self::TransferEncoding => "A header you provided implies functionality that is not implemented",
            Self::InvalidDigest(_) => "The Content-MD5 you specified was invalid.",
            Self::HeaderMalformed { message, .. } | Self::QueryRegion { message, .. } => message,
            Self::QueryMalformed(message) | Self::Denied(message) | Self::InvalidRequest(message) => message,
            Self::InvalidArgument { message, .. } => message,
            Self::ChecksumInvalid(algorithm) => {
                let name = algorithm.name().to_ascii_lowercase();
                return write!(f, "Value for x-amz-checksum-{name} header is invalid.");
            }
            Self::ChecksumHeaders(fault) => return fault.fmt(f),
        };
        f.write_str(text)
    }
}

impl fmt::Display for ChecksumFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Several => {
                "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed."
            }
            Self::HeaderAndTrailer => "Expecting a single x-amz-checksum- header",
            Self::NoValue => {
                "x-amz-sdk-checksum-algorithm specified, but no corresponding x-amz-checksum-* or x-amz-trailer headers \
                 were found."
            }
            Self::OtherAlgorithm => "Value for x-amz-sdk-checksum-algorithm header is invalid.",
            Self::UnknownAlgorithm => {
                "Checksum algorithm provided is unsupported. Please try again with any of the valid types: [CRC32, \
                 CRC32C, CRC64NVME, MD5, SHA1, SHA256, SHA512, XXHASH128, XXHASH3, XXHASH64]"
            }
            Self::UnknownHeader => "The algorithm type you specified in x-amz-checksum- header is invalid.",
            Self::UnknownTrailer => "The value specified in the x-amz-trailer header is not supported",
        })
    }
}

impl std::error::Error for AuthError {}
