//! What a request's headers promise of its body.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, TRANSFER_ENCODING};
use http::request::Parts;
use http::{HeaderMap, Method};

use crate::auth::{AuthError, ChecksumFault};
use crate::crypto::{Checksum, ChecksumAlgorithm};
use crate::sigv4::{ALGORITHM_V4A, ChunkSigner, Params, UNSIGNED_PAYLOAD};

const CHECKSUM_PREFIX: &str = "x-amz-checksum-";
const DECODED_LENGTH: &str = "x-amz-decoded-content-length";

/// The promises.
pub(in crate::auth) struct Promises {
    /// Length without framing, if one is declared.
    pub(in crate::auth) plain_len: Option<u64>,
    /// How the data is framed.
    pub(in crate::auth) framing: Framing,
    /// `x-amz-content-sha256`, hexadecimal as sent.
    pub(in crate::auth) sha256: Option<String>,
    /// `Content-MD5`.
    pub(in crate::auth) content_md5: Option<[u8; 16]>,
    /// The checksum.
    pub(in crate::auth) checksum: Option<ChecksumPromise>,
}

/// How the data lies in the body.
pub(in crate::auth) enum Framing {
    /// As it is.
    Plain,
    /// `aws-chunked`, signed or not.
    Chunked(Option<ChunkSigner>),
}

/// A checksum that the client named.
pub(in crate::auth) enum ChecksumPromise {
    /// In a header, with its value.
    Header(Checksum),
    /// To come in a trailing header.
    Trailer(ChecksumAlgorithm),
}

impl ChecksumPromise {
    pub(in crate::auth) fn algorithm(&self) -> ChecksumAlgorithm {
        match self {
            Self::Header(checksum) => checksum.algorithm,
            Self::Trailer(algorithm) => *algorithm,
        }
    }
}

/// The values of `x-amz-content-sha256`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::auth) enum ContentHash {
    /// No such header.
    Absent,
    /// `UNSIGNED-PAYLOAD`
    Unsigned,
    /// A SHA-256 in hexadecimal, of either case.
    Sha256(String),
    /// `STREAMING-AWS4-HMAC-SHA256-PAYLOAD`, with or without `-TRAILER`: which trailing headers come, and that they are
    /// signed, is checked the same in both.
    SignedChunks,
    /// `STREAMING-UNSIGNED-PAYLOAD-TRAILER`
    UnsignedChunks,
}

impl ContentHash {
    pub(in crate::auth) fn parse(text: Option<&str>) -> Result<Self, AuthError> {
        let Some(text) = text else { return Ok(Self::Absent) };
        match text {
            UNSIGNED_PAYLOAD => Ok(Self::Unsigned),
            "STREAMING-AWS4-HMAC-SHA256-PAYLOAD" | "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER" => {
                Ok(Self::SignedChunks)
            }
            "STREAMING-UNSIGNED-PAYLOAD-TRAILER" => Ok(Self::UnsignedChunks),
            streaming if streaming.strip_prefix("STREAMING-").is_some_and(|s| s.starts_with(ALGORITHM_V4A)) => {
                Err(AuthError::v4a())
            }
            hash if hash.len() == 64 && hash.bytes().all(|b| b.is_ascii_hexdigit()) => {
                Ok(Self::Sha256(hash.to_owned()))
            }
            other => Err(AuthError::InvalidArgument {
                message: "x-amz-content-sha256 must be UNSIGNED-PAYLOAD, STREAMING-UNSIGNED-PAYLOAD-TRAILER, \
                          STREAMING-AWS4-HMAC-SHA256-PAYLOAD, STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER, \
                          STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD, STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD-TRAILER \
                          or a valid sha256 value."
                    .to_owned(),
                name: "x-amz-content-sha256".to_owned(),
                value: other.to_owned(),
            }),
        }
    }
}

impl Promises {
    /// Reads them. `signer` is needed for [`ContentHash::SignedChunks`] only.
    pub(in crate::auth) fn parse(
        head: &Parts,
        hash: ContentHash,
        signer: Option<ChunkSigner>,
    ) -> Result<Self, AuthError> {
        let headers = &head.headers;
        let framing = match hash {
            ContentHash::SignedChunks => Framing::Chunked(Some(signer.ok_or_else(unsigned_signed_chunks)?)),
            ContentHash::UnsignedChunks => Framing::Chunked(None),
            // Unsigned requests of the SDKs have no x-amz-content-sha256 to tell it.
            ContentHash::Absent if names_aws_chunked(headers) && headers.contains_key(DECODED_LENGTH) => {
                Framing::Chunked(None)
            }
            ContentHash::Unsigned if names_aws_chunked(headers) => return Err(unsigned_chunked(headers)),
            ContentHash::Absent | ContentHash::Unsigned | ContentHash::Sha256(_) => Framing::Plain,
        };
        let plain_len = match framing {
            Framing::Chunked(_) => Some(number(headers, DECODED_LENGTH).ok_or(AuthError::MissingContentLength)?),
            Framing::Plain => match number(headers, CONTENT_LENGTH.as_str()) {
                None if headers.contains_key(TRANSFER_ENCODING) => return Err(AuthError::TransferEncoding),
                length => length,
            },
        };
        let sha256 = if let ContentHash::Sha256(hash) = hash { Some(hash) } else { None };
        if !matches!(head.method, Method::PUT | Method::POST) {
            return Ok(Self { plain_len, framing, sha256, content_md5: None, checksum: None });
        }
        let content_md5 = content_md5(headers)?;
        let checksum = checksum(head, plain_len)?;
        Ok(Self { plain_len, framing, sha256, content_md5, checksum })
    }
}

/// `x-amz-checksum-crc32` and its kin.
pub(super) fn checksum_header(algorithm: ChecksumAlgorithm) -> String {
    format!("{CHECKSUM_PREFIX}{}", algorithm.name().to_ascii_lowercase())
}

/// A checksum's value in base64; `None` if it is malformed or of the wrong length.
pub(super) fn parse_checksum(algorithm: ChecksumAlgorithm, value: &str) -> Option<Checksum> {
    let value = STANDARD.decode(value).ok()?;
    (value.len() == algorithm.value_bytes()).then_some(Checksum { algorithm, value })
}

fn unsigned_signed_chunks() -> AuthError {
    AuthError::InvalidRequest(
        "Anonymous requests don't support this x-amz-content-sha256 value. Please use UNSIGNED-PAYLOAD or \
         STREAMING-UNSIGNED-PAYLOAD-TRAILER."
            .to_owned(),
    )
}

/// Taken as it says it would be stored with its framing.
fn unsigned_chunked(headers: &HeaderMap) -> AuthError {
    let value = headers.get(CONTENT_ENCODING).map(|v| String::from_utf8_lossy(v.as_bytes()).into_owned());
    AuthError::InvalidArgument {
        message: "aws-chunked encoding is not supported when x-amz-content-sha256 UNSIGNED-PAYLOAD is supplied."
            .to_owned(),
        name: "Content-Encoding".to_owned(),
        value: value.unwrap_or_default(),
    }
}

fn names_aws_chunked(headers: &HeaderMap) -> bool {
    let encodings = headers.get_all(CONTENT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    encodings.flat_map(|value| value.split(',')).any(|token| token.trim().eq_ignore_ascii_case("aws-chunked"))
}

fn number(headers: &HeaderMap, name: &str) -> Option<u64> {
    let text = headers.get(name)?.to_str().ok()?;
    if text.bytes().all(|b| b.is_ascii_digit()) { text.parse().ok() } else { None }
}

fn content_md5(headers: &HeaderMap) -> Result<Option<[u8; 16]>, AuthError> {
    let mut values = headers.get_all("content-md5").iter();
    let Some(value) = values.next() else { return Ok(None) };
    let md5 = STANDARD.decode(value.as_bytes().trim_ascii()).ok().and_then(|md5| md5.try_into().ok());
    let invalid = || AuthError::InvalidDigest(String::from_utf8_lossy(value.as_bytes()).into_owned());
    // A second one that says something else would be a promise that nobody keeps.
    md5.filter(|_| values.all(|other| other == value)).ok_or_else(invalid).map(Some)
}

/// The one checksum that the client may name, in a header or as a trailing header to come.
fn checksum(head: &Parts, plain_len: Option<u64>) -> Result<Option<ChecksumPromise>, AuthError> {
    let headers = &head.headers;
    // CompleteMultipartUpload's checksum headers are of the object, not of the body.
    let complete =
        head.method == Method::POST && Params::parse(head.uri.query().unwrap_or_default()).first("uploadId").is_some();
    if complete {
        return Ok(None);
    }
    let named = named_headers(headers)?;
    let trailing = named_trailers(headers)?;
    let promise = match (named.as_slice(), trailing.as_slice()) {
        ([_, _, ..], _) | (_, [_, _, ..]) => return Err(ChecksumFault::Several.into()),
        ([_], [_]) => return Err(ChecksumFault::HeaderAndTrailer.into()),
        ([(algorithm, value)], []) => {
            let checksum = parse_checksum(*algorithm, value).ok_or(AuthError::ChecksumInvalid(*algorithm))?;
            Some(ChecksumPromise::Header(checksum))
        }
        ([], [algorithm]) => Some(ChecksumPromise::Trailer(*algorithm)),
        ([], []) => None,
    };
    let mut values = headers.get_all("x-amz-sdk-checksum-algorithm").iter();
    let Some(announced) = values.next() else { return Ok(promise) };
    let named = announced.to_str().ok().and_then(ChecksumAlgorithm::from_name);
    let announced = named.filter(|_| values.all(|other| other == announced));
    let announced = announced.ok_or(ChecksumFault::UnknownAlgorithm)?;
    match &promise {
        Some(promise) if promise.algorithm() != announced => Err(ChecksumFault::OtherAlgorithm.into()),
        // Where there is no body there is nothing to have a checksum.
        None if head.method == Method::PUT || plain_len.unwrap_or(0) > 0 => Err(ChecksumFault::NoValue.into()),
        _ => Ok(promise),
    }
}

fn named_headers(headers: &HeaderMap) -> Result<Vec<(ChecksumAlgorithm, String)>, AuthError> {
    let mut named = Vec::new();
    for (name, value) in headers {
        let Some(suffix) = name.as_str().strip_prefix(CHECKSUM_PREFIX) else { continue };
        if matches!(suffix, "algorithm" | "type" | "mode") {
            continue;
        }
        let algorithm = ChecksumAlgorithm::from_name(suffix).ok_or(ChecksumFault::UnknownHeader)?;
        named.push((algorithm, String::from_utf8_lossy(value.as_bytes()).trim().to_owned()));
    }
    Ok(named)
}

/// `x-amz-trailer`: AWS takes empty names at the end of the list, nowhere else.
fn named_trailers(headers: &HeaderMap) -> Result<Vec<ChecksumAlgorithm>, AuthError> {
    let mut named = Vec::new();
    for value in headers.get_all("x-amz-trailer") {
        let text = String::from_utf8_lossy(value.as_bytes());
        let list = text.trim().trim_end_matches(',');
        if list.is_empty() {
            continue;
        }
        for name in list.split(',') {
            let name = name.trim().to_ascii_lowercase();
            let algorithm = name.strip_prefix(CHECKSUM_PREFIX).and_then(ChecksumAlgorithm::from_name);
            named.push(algorithm.ok_or(ChecksumFault::UnknownTrailer)?);
        }
    }
    Ok(named)
}
