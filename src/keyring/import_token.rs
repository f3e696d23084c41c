//! Import tokens: the wrapping key of one import, sealed for the client to hand back.
//!
//! The service keeps nothing of an import that has not happened. The token is a Box under a key of the current epoch
//! (see [`super::token_key`]), bound to the key's ARN; in it stand the private wrapping key, the algorithm and the end
//! of its validity. A token that has brought material in is noted in the key's record until then, so that it can't be
//! used twice.

use std::time::Duration;

use super::KeyringError;
use super::token_key::{TokenKey, TokenKind};
use crate::crypto::{Context, SecretBytes, WrappingKey};
use crate::names::{WrappingAlgorithm, WrappingKeySpec};
use crate::sources::{Sources, Timestamp};

/// How long the parameters of an import are valid.
pub(super) const TOKEN_VALIDITY: Duration = Duration::from_secs(86_400);
/// Frozen for a day.
pub(super) const IMPORT_TOKEN: TokenKind =
    TokenKind { key_label: b"strongroom import token key v1", label: "strongroom import token v1", key_id: b"import" };
/// Room for a token's content: an RSA_4096 key has less than 2.4 KiB. A buffer that grows leaves copies of it behind.
const CONTENT_MAX_BYTES: usize = 4096;

/// How material to import is to be wrapped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wrapping {
    /// With which algorithm.
    pub algorithm: WrappingAlgorithm,
    /// Under which key.
    pub spec: WrappingKeySpec,
}

/// What GetParametersForImport gives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImportParameters {
    /// `ImportToken`.
    pub token: Vec<u8>,
    /// `PublicKey`: a DER SubjectPublicKeyInfo.
    pub public_key: Vec<u8>,
    /// Until when they are valid.
    pub valid_to: Timestamp,
}

/// An opened token.
pub(super) struct Token {
    /// Names it among those that were used.
    pub(super) id: [u8; 16],
    pub(super) valid_to: Timestamp,
    pub(super) algorithm: WrappingAlgorithm,
    pub(super) key: WrappingKey,
}

#[derive(minicbor::Encode, minicbor::Decode)]
struct Content<'a> {
    #[n(0)]
    #[cbor(with = "minicbor::bytes")]
    id: [u8; 16],
    #[n(1)]
    valid_to_ms: i64,
    #[b(2)]
    algorithm: &'a str,
    #[b(3)]
    spec: &'a str,
    #[b(4)]
    #[cbor(with = "minicbor::bytes")]
    pkcs8: &'a [u8],
}

/// Makes a token for `key`, which a client may use for the key that `arn` names.
pub(super) fn seal_token(
    sealing: &TokenKey,
    arn: &str,
    wrapping: Wrapping,
    key: &WrappingKey,
    sources: &Sources,
) -> ImportParameters {
    let valid_to = sources.now().plus(TOKEN_VALIDITY);
    let pkcs8 = key.to_pkcs8();
    let content = Content {
        id: sources.random(),
        valid_to_ms: valid_to.0,
        algorithm: wrapping.algorithm.as_str(),
        spec: wrapping.spec.as_str(),
        pkcs8: pkcs8.expose(),
    };
    let mut plain = Vec::with_capacity(CONTENT_MAX_BYTES);
    minicbor::encode(&content, &mut plain).expect("encoding into memory does not fail");
    let plain = SecretBytes::new(plain);
    let token = sealing.seal(&context(arn), plain.expose(), sources);
    ImportParameters { token, public_key: key.public_key().to_vec(), valid_to }
}

/// Opens a token that was made for the key that `arn` names. One for another key, a damaged one and what is no token
/// look alike.
pub(super) fn open_token(sealing: &TokenKey, arn: &str, token: &[u8], now: Timestamp) -> Result<Token, KeyringError> {
    let invalid = KeyringError::InvalidImportToken;
    let plain = sealing.open(&context(arn), token).ok_or_else(|| invalid.clone())?;
    let content: Content<'_> = minicbor::decode(plain.expose()).map_err(|_| invalid.clone())?;
    let valid_to = Timestamp(content.valid_to_ms);
    if now >= valid_to {
        return Err(KeyringError::ExpiredImportToken);
    }
    let words = (WrappingAlgorithm::parse(content.algorithm), WrappingKeySpec::parse(content.spec));
    let (Some(algorithm), Some(spec)) = words else { return Err(invalid) };
    let key = WrappingKey::parse(spec, content.pkcs8).map_err(|_| invalid)?;
    Ok(Token { id: content.id, valid_to, algorithm, key })
}

fn context(arn: &str) -> Context {
    Context::new().with("key", arn)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_opens_for_its_key_while_it_is_valid() {
        let start = Timestamp(1_000_000);
        let sources = Sources::seeded(1, start);
        let [sealing, other] = [1, 2].map(|epoch| TokenKey::for_tests(IMPORT_TOKEN, epoch, &sources));
        let wrapping = Wrapping { algorithm: WrappingAlgorithm::AesKeyWrapSha256, spec: WrappingKeySpec::Rsa2048 };
        let key = WrappingKey::generate(wrapping.spec);
        let made = seal_token(&sealing, "arn:a", wrapping, &key, &sources);
        assert!(made.token.len() <= 6144 && made.token.len() <= CONTENT_MAX_BYTES);
        let end = start.plus(TOKEN_VALIDITY);
        assert_eq!(made.valid_to, end);
        let open = |sealing: &TokenKey, arn: &str, token: &[u8], now| open_token(sealing, arn, token, now);
        let opened = open(&sealing, "arn:a", &made.token, Timestamp(end.0 - 1)).ok().unwrap();
        assert_eq!(opened.key.public_key(), made.public_key);
        assert_eq!((opened.algorithm, opened.valid_to), (wrapping.algorithm, end));
        let fault = |sealing: &TokenKey, arn: &str, token: &[u8], now| open(sealing, arn, token, now).err().unwrap();
        assert_eq!(fault(&sealing, "arn:a", &made.token, end), KeyringError::ExpiredImportToken);
        assert_eq!(fault(&sealing, "arn:b", &made.token, start), KeyringError::InvalidImportToken);
        assert_eq!(fault(&other, "arn:a", &made.token, start), KeyringError::InvalidImportToken);
        assert_eq!(fault(&sealing, "arn:a", b"token", start), KeyringError::InvalidImportToken);
        for at in (0..made.token.len()).step_by(41) {
            let mut changed = made.token.clone();
            changed[at] ^= 1;
            assert_eq!(fault(&sealing, "arn:a", &changed, start), KeyringError::InvalidImportToken, "byte {at}");
        }
    }
}
