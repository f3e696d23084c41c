//! Signing, for the bench command and for tests: the client's side of the same canonical forms.

use std::time::Duration;

use http::{HeaderMap, HeaderValue};

use super::{
    ALGORITHM, ChunkSigner, EMPTY_SHA256, PathRule, Scope, SignedParts, SigningKey, UNSIGNED_PAYLOAD,
    canonical_request, string_to_sign,
};
use crate::crypto::SecretBytes;
use crate::sources::Timestamp;
use crate::wire::{amz_date, encode_uri};

/// Who signs, for what, when.
#[expect(missing_debug_implementations, reason = "holds a secret")]
#[derive(Clone, Copy)]
pub struct Signer<'a> {
    /// The access key id.
    pub access_key_id: &'a str,
    /// The secret access key.
    pub secret: &'a SecretBytes,
    /// E.g. `us-east-1`.
    pub region: &'a str,
    /// E.g. `s3`.
    pub service: &'a str,
    /// Time of the request.
    pub now: Timestamp,
}

impl Signer<'_> {
    fn scope(&self) -> Scope {
        let date = amz_date(self.now)[..8].to_owned();
        Scope { date, region: self.region.to_owned(), service: self.service.to_owned() }
    }

    fn key(&self, scope: &Scope) -> SigningKey {
        SigningKey::derive(self.secret.expose(), scope).expect("a clock shows a day of the calendar")
    }

    fn rule(&self) -> PathRule {
        if self.service == "s3" { PathRule::AsSent } else { PathRule::NormalizedTwice }
    }
}

/// Signs a request with headers: adds `x-amz-date`, for S3 also `x-amz-content-sha256`, and `authorization`, which
/// covers `host` and all that `parts.headers` hold. `payload_hash` is what `x-amz-content-sha256` says:
/// [`UNSIGNED_PAYLOAD`], a hexadecimal SHA-256, or a `STREAMING-…` name.
/// Returns the headers and the chain for the body's chunks. Panics if the access key id is no text for a header.
pub fn sign_headers(signer: &Signer<'_>, parts: &SignedParts<'_>, payload_hash: &str) -> (HeaderMap, ChunkSigner) {
    let date = amz_date(signer.now);
    let mut headers = parts.headers.clone();
    headers.insert("x-amz-date", header_value(&date));
    if signer.service == "s3" {
        headers.insert("x-amz-content-sha256", header_value(payload_hash));
    }
    let mut names: Vec<&str> = headers.keys().map(|name| name.as_str()).filter(|name| *name != "host").collect();
    names.push("host");
    names.sort_unstable();
    let signed_headers = names.join(";");
    let scope = signer.scope();
    let key = signer.key(&scope);
    let parts = SignedParts { headers: &headers, ..*parts };
    let canonical = canonical_request(&parts, &signed_headers, payload_hash, signer.rule());
    let signature = key.sign(string_to_sign(&date, &scope, &canonical).as_bytes());
    let credential = format!("{}/{}", signer.access_key_id, scope.text());
    let authorization =
        format!("{ALGORITHM} Credential={credential}, SignedHeaders={signed_headers}, Signature={signature}");
    headers.insert("authorization", header_value(&authorization));
    (headers, ChunkSigner::new(key, &date, &scope, &signature))
}

/// Makes the query of a presigned URL, good for `expires`; it covers `host` and all of `parts.headers`. For S3 the body
/// is not signed; for other services it is taken to be empty.
pub fn presign(signer: &Signer<'_>, parts: &SignedParts<'_>, expires: Duration) -> String {
    let date = amz_date(signer.now);
    let scope = signer.scope();
    let mut names: Vec<&str> = parts.headers.keys().map(|name| name.as_str()).filter(|name| *name != "host").collect();
    names.push("host");
    names.sort_unstable();
    let signed_headers = names.join(";");
    let credential = encode_uri(&format!("{}/{}", signer.access_key_id, scope.text()));
    let separator = if parts.query.is_empty() { "" } else { "&" };
    let query = format!(
        "{}{separator}X-Amz-Algorithm={ALGORITHM}&X-Amz-Credential={credential}&X-Amz-Date={date}\
         &X-Amz-Expires={}&X-Amz-SignedHeaders={}",
        parts.query,
        expires.as_secs(),
        encode_uri(&signed_headers),
    );
    let payload_hash = if signer.service == "s3" { UNSIGNED_PAYLOAD } else { EMPTY_SHA256 };
    let canonical =
        canonical_request(&SignedParts { query: &query, ..*parts }, &signed_headers, payload_hash, signer.rule());
    let signature = signer.key(&scope).sign(string_to_sign(&date, &scope, &canonical).as_bytes());
    format!("{query}&X-Amz-Signature={signature}")
}

fn header_value(text: &str) -> HeaderValue {
    HeaderValue::from_str(text).expect("dates, hashes, key ids and header names are visible ASCII")
}
