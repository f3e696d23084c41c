//! AWS request signatures, as functions of bytes, keys and time given in: Signature Version 4 in its header, query
//! and chunked forms, and the presigned form of Version 2. Who may use a key, and when, is for `auth` to say.
//!
//! Sources: "Authenticating Requests (AWS Signature Version 4)" of the S3 API Reference with its pages on the
//! `Authorization` header, query parameters, chunked uploads and trailing headers; "Signing and Authenticating REST
//! Requests" for Version 2. Keys are derived and HMACs computed by the `aws-sigv4` crate; canonical forms are made
//! here, since a verifier has to take requests as they come, not as one signer would have sent them.

mod canonical;
mod chunked;
mod claim;
mod client;
mod sign;
mod v2;
#[cfg(test)]
pub(crate) mod vectors;

pub use canonical::{PathRule, SignedParts, canonical_query, canonical_request, canonical_uri};
pub use chunked::{ChunkedError, Decoder, MAX_CHUNK_BYTES, MAX_LINE_BYTES, MAX_TRAILING_BYTES};
pub use claim::{Authorization, AuthorizationFault, Credential, Params, Presigned, parse_authorization};
pub use client::{Signer, presign, sign_headers};
pub use sign::{ChunkSigner, Scope, SigningKey, string_to_sign};
pub use v2::{V2Ambiguity, V2Request, check_v2, headers_of_v2_url, is_signed_by_v2, signature_v2, string_to_sign_v2};

/// The only algorithm served: HMAC with SHA-256.
pub const ALGORITHM: &str = "AWS4-HMAC-SHA256";

/// The algorithm of Signature Version 4A, which only multi-Region access points need.
pub const ALGORITHM_V4A: &str = "AWS4-ECDSA-P256-SHA256";

/// The last part of every credential scope.
pub const TERMINAL: &str = "aws4_request";

/// `x-amz-content-sha256` of a body whose hash is not signed.
pub const UNSIGNED_PAYLOAD: &str = "UNSIGNED-PAYLOAD";

/// SHA-256 of nothing, hexadecimal.
pub const EMPTY_SHA256: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/// Lower-case hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |nibble: u8| char::from(DIGITS[usize::from(nibble)]);
    bytes.iter().flat_map(|b| [digit(b >> 4), digit(b & 15)]).collect()
}
