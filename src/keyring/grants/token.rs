//! Grant tokens: they name a grant, to those who hold them and to nobody else.
//!
//! A token gives no permission. With AWS it makes a grant usable before all of the service knows of it; here a grant is
//! in force when CreateGrant answers, so a token is checked and then only identifies a grant to RetireGrant. It is a
//! Box under a key of its epoch (see [`super::super::token_key`]) and never the same twice.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::super::KeyringError;
use super::super::record::KeyPlace;
use super::super::token_key::{TokenKey, TokenKind};
use super::record::read_fields;
use crate::crypto::Context;
use crate::index::{RowSealer, Tuple};
use crate::names::{AccountId, Region};
use crate::sources::Sources;

/// Frozen: tokens are good as long as their grants.
pub(super) const GRANT_TOKEN: TokenKind =
    TokenKind { key_label: b"strongroom grant token key v1", label: "strongroom grant token v1", key_id: b"grant" };

/// Makes a token for a grant.
pub(super) fn seal_token(sealer: &RowSealer, place: &KeyPlace, grant_id: &str, sources: &Sources) -> String {
    seal_under(&TokenKey::current(sealer, GRANT_TOKEN), place, grant_id, sources)
}

/// The key and the id of a token's grant, which may be gone.
pub(super) fn open_token(sealer: &RowSealer, token: &str) -> Result<(KeyPlace, String), KeyringError> {
    let bytes = STANDARD.decode(token).map_err(|_| KeyringError::InvalidGrantToken)?;
    let key = TokenKey::of(sealer, GRANT_TOKEN, &bytes).ok_or(KeyringError::InvalidGrantToken)?;
    open_under(&key, &bytes)
}

pub(super) fn seal_under(key: &TokenKey, place: &KeyPlace, grant_id: &str, sources: &Sources) -> String {
    let fields = [place.region.as_str(), place.account.as_str(), &place.key_id, grant_id];
    let plain = fields.into_iter().fold(Tuple::new(), |tuple, field| tuple.bytes(field.as_bytes()));
    STANDARD.encode(key.seal(&Context::new(), &plain.build(), sources))
}

pub(super) fn open_under(key: &TokenKey, token: &[u8]) -> Result<(KeyPlace, String), KeyringError> {
    let plain = key.open(&Context::new(), token).ok_or(KeyringError::InvalidGrantToken)?;
    let [region, account, key_id, grant_id] = read_fields(plain.expose())?;
    let (Ok(region), Ok(account)) = (Region::parse(&region), AccountId::parse(&account)) else {
        return Err(KeyringError::InvalidGrantToken);
    };
    Ok((KeyPlace::new(&region, &account, &key_id), grant_id))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sources::Timestamp;

    #[test]
    fn a_token_names_its_grant_and_cannot_be_made_up() {
        let sources = Sources::seeded(1, Timestamp(0));
        let [key, other] = [1, 2].map(|epoch| TokenKey::for_tests(GRANT_TOKEN, epoch, &sources));
        let (region, account) = (Region::parse("us-east-1").unwrap(), AccountId::parse("111122223333").unwrap());
        let place = KeyPlace::new(&region, &account, "key");
        let [token, again] = [0; 2].map(|_| seal_under(&key, &place, "grant", &sources));
        assert_ne!(token, again);
        let (token, again) = (STANDARD.decode(token).unwrap(), STANDARD.decode(again).unwrap());
        for token in [&token, &again] {
            assert_eq!(open_under(&key, token), Ok((place.clone(), "grant".to_owned())));
            assert_eq!(open_under(&other, token), Err(KeyringError::InvalidGrantToken));
        }
        for at in 0..token.len() {
            let mut changed = token.clone();
            changed[at] ^= 1;
            assert_eq!(open_under(&key, &changed), Err(KeyringError::InvalidGrantToken), "byte {at}");
            assert_eq!(open_under(&key, &token[..at]), Err(KeyringError::InvalidGrantToken), "cut at {at}");
        }
    }
}
