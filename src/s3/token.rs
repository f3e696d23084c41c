//! Continuation tokens: opaque to clients, and refused when they are not ours.
//!
//! A token holds where the next page starts and a MAC over it under what the listing is of (a bucket's random id, which
//! no client sees, or an account). So a token that was changed, made up, or taken from another bucket is told from a
//! good one. It is no protection of anything: whoever may list may start at any key.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::crypto::{constant_time_eq, hmac_sha256};

/// The first byte of a token; another form of token gets another.
const VERSION: u8 = 1;
/// Bytes of the MAC that a token carries.
const MAC_BYTES: usize = 16;

/// A token for the page of `scope` that starts after `last`.
pub(crate) fn seal(scope: &[u8], last: &str) -> String {
    let mut token = Vec::with_capacity(1 + MAC_BYTES + last.len());
    token.push(VERSION);
    token.extend_from_slice(&mac(scope, last));
    token.extend_from_slice(last.as_bytes());
    URL_SAFE_NO_PAD.encode(token)
}

/// Where the page of a token starts; `None` if it is not one of `scope`.
pub(crate) fn open(scope: &[u8], token: &str) -> Option<String> {
    let token = URL_SAFE_NO_PAD.decode(token).ok()?;
    let (head, last) = token.split_at_checked(1 + MAC_BYTES)?;
    let last = String::from_utf8(last.to_vec()).ok()?;
    let (version, given) = head.split_first()?;
    (*version == VERSION && constant_time_eq(given, &mac(scope, &last))).then_some(last)
}

fn mac(scope: &[u8], last: &str) -> [u8; MAC_BYTES] {
    let message = [b"s3 continuation token\0".as_slice(), last.as_bytes()].concat();
    let whole = hmac_sha256(scope, &message);
    *whole.first_chunk().expect("HMAC-SHA256 has 32 bytes")
}

#[cfg(test)]
mod tests {
    use super::{open, seal};

    #[test]
    fn a_token_opens_in_its_own_scope_only() {
        for last in ["", "a", "a/b c\u{1f600}\0", &"k".repeat(1024)] {
            let token = seal(b"bucket", last);
            assert!(token.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_'), "{token}");
            assert_eq!(open(b"bucket", &token).as_deref(), Some(last));
            assert_eq!(open(b"other", &token), None);
        }
    }

    #[test]
    fn what_was_changed_or_made_up_is_refused() {
        let token = seal(b"bucket", "key");
        for at in 0..token.len() {
            let mut changed = token.clone().into_bytes();
            changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
            assert_eq!(open(b"bucket", std::str::from_utf8(&changed).unwrap()), None, "{at}");
            assert_eq!(open(b"bucket", &token[..at]), None, "{at}");
        }
        for made_up in ["", "key", "AA==", "not base64!", "\u{e9}"] {
            assert_eq!(open(b"bucket", made_up), None);
        }
    }
}
