//! Keys, strings to sign, signatures: of requests, and of the chunks of a body.

use std::time::{Duration, UNIX_EPOCH};

use super::{ALGORITHM, TERMINAL, hex};
use crate::crypto::{SecretKey, constant_time_eq, sha256};
use crate::wire::parse_amz_date;

/// What a derived key is good for: one day, one Region, one service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scope {
    /// `yyyymmdd`
    pub date: String,
    /// E.g. `us-east-1`.
    pub region: String,
    /// E.g. `s3`.
    pub service: String,
}

impl Scope {
    /// `date/region/service/aws4_request`
    pub fn text(&self) -> String {
        format!("{}/{}/{}/{TERMINAL}", self.date, self.region, self.service)
    }
}

/// A secret access key, derived for one [`Scope`]. Derivation is four HMACs, some microseconds a request:
/// less than a cache of derived secrets would have to be worth.
#[expect(missing_debug_implementations, reason = "a secret is never printed")]
pub struct SigningKey(SecretKey);

impl SigningKey {
    /// Derives; `None` if the scope's date is no day of the calendar from 1970 on.
    pub fn derive(secret: &[u8], scope: &Scope) -> Option<Self> {
        let midnight = parse_amz_date(&format!("{}T000000Z", scope.date))?;
        let day = UNIX_EPOCH + Duration::from_secs(u64::try_from(midnight.seconds()).ok()?);
        // Secrets come from text files and are text; one that is not would only never match.
        let secret = String::from_utf8_lossy(secret);
        let key = aws_sigv4::sign::v4::generate_signing_key(&secret, day, &scope.region, &scope.service);
        Some(Self(SecretKey::from_slice(key.as_ref()).expect("an HMAC-SHA256 is 32 bytes")))
    }

    /// The signature, 64 lower-case hexadecimal digits.
    pub fn sign(&self, string_to_sign: &[u8]) -> String {
        aws_sigv4::sign::v4::calculate_signature(self.0.expose(), string_to_sign)
    }

    /// Whether `provided` is the signature, in constant time.
    pub fn verifies(&self, string_to_sign: &[u8], provided: &str) -> bool {
        constant_time_eq(self.sign(string_to_sign).as_bytes(), provided.as_bytes())
    }
}

/// The string to sign of a request. `amz_date`: `yyyymmddThhmmssZ`.
pub fn string_to_sign(amz_date: &str, scope: &Scope, canonical_request: &[u8]) -> String {
    format!("{ALGORITHM}\n{amz_date}\n{}\n{}", scope.text(), hex(&sha256(canonical_request)))
}

/// The chain of signatures over a body's chunks: each covers the one before it, the first the request's.
#[expect(missing_debug_implementations, reason = "holds a signing key")]
pub struct ChunkSigner {
    key: SigningKey,
    amz_date: String,
    scope: String,
    previous: String,
}

impl ChunkSigner {
    /// Starts with the request's own signature.
    pub fn new(key: SigningKey, amz_date: &str, scope: &Scope, seed: &str) -> Self {
        Self { key, amz_date: amz_date.to_owned(), scope: scope.text(), previous: seed.to_owned() }
    }

    /// The signature of the next chunk, given the SHA-256 of its data.
    pub fn sign_chunk(&mut self, data_sha256: &[u8; 32]) -> String {
        let Self { amz_date, scope, previous, .. } = &*self;
        let empty = super::EMPTY_SHA256;
        let data = hex(data_sha256);
        let text = format!("AWS4-HMAC-SHA256-PAYLOAD\n{amz_date}\n{scope}\n{previous}\n{empty}\n{data}");
        self.previous = self.key.sign(text.as_bytes());
        self.previous.clone()
    }

    /// The signature of the trailing headers, given as `name:value\n` in order of their names; after the last chunk.
    pub fn sign_trailer(&self, canonical_trailer: &[u8]) -> String {
        let Self { key, amz_date, scope, previous } = self;
        let trailer = hex(&sha256(canonical_trailer));
        key.sign(format!("AWS4-HMAC-SHA256-TRAILER\n{amz_date}\n{scope}\n{previous}\n{trailer}").as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_of_no_day_have_no_key() {
        for date in ["", "2013052", "20130532", "19691231", "2013-05-24", "２０１３０５２４"] {
            let scope = Scope { date: date.to_owned(), region: "r".to_owned(), service: "s".to_owned() };
            assert!(SigningKey::derive(b"secret", &scope).is_none(), "{date}");
        }
    }

    #[test]
    fn a_signature_is_compared_whole() {
        let scope = Scope { date: "20130524".to_owned(), region: "r".to_owned(), service: "s".to_owned() };
        let key = SigningKey::derive(b"secret", &scope).unwrap();
        let signature = key.sign(b"text");
        assert!(key.verifies(b"text", &signature));
        assert!(!key.verifies(b"Text", &signature));
        assert!(!key.verifies(b"text", &signature[..63]));
        assert!(!key.verifies(b"text", &signature.to_uppercase()));
        assert!(!key.verifies(b"text", ""));
    }
}
