//! A root in several hands: the text of a share.
//!
//! 47 bytes as lower-case hexadecimal digits in groups of eight: version 1 (1) | first half of the root's id (8, so that
//! shares of two roots are not mixed) | threshold (1) | x (1) | y (32) | the first 4 bytes of SHA-256 of all before,
//! against slips of the pen. Frozen: golden shares are in `fixtures/roots/`.

use super::{RootError, RootId, RootSecret, hex};
use crate::crypto::{SecretBytes, Share, combine_shares, sha256, split_secret};
use crate::sources::Sources;

const VERSION: u8 = 1;
const ID_BYTES: usize = 8;
const SHARE_BYTES: usize = 1 + ID_BYTES + 1 + 1 + 32 + 4;
/// Digits between two dashes.
const GROUP_DIGITS: usize = 8;

/// A share as it was typed in.
#[expect(missing_debug_implementations, reason = "holds a secret")]
pub struct ParsedShare {
    id: [u8; ID_BYTES],
    /// So many are needed.
    pub threshold: u8,
    share: Share,
}

/// Splits a root's secret. `None`: see [`split_secret`].
pub fn split(secret: &RootSecret, threshold: u8, count: u8, sources: &Sources) -> Option<Vec<SecretBytes>> {
    let shares = split_secret(secret.key(), threshold, count, sources)?;
    Some(shares.iter().map(|share| render(secret.id(), threshold, share)).collect())
}

fn render(id: RootId, threshold: u8, share: &Share) -> SecretBytes {
    let head = [&[VERSION][..], &id.0[..ID_BYTES], &[threshold, share.x]].concat();
    let body = SecretBytes::new([&head, share.y.expose()].concat());
    let whole = SecretBytes::new([body.expose(), &sha256(body.expose())[..4]].concat());
    let digits = SecretBytes::new(hex(whole.expose()).into_bytes());
    let groups: Vec<&[u8]> = digits.expose().chunks(GROUP_DIGITS).collect();
    SecretBytes::new(groups.join(&b'-'))
}

/// Reads a share; blanks and dashes do not count, nor does the case of letters.
pub fn parse_share(text: &SecretBytes) -> Result<ParsedShare, RootError> {
    let wrong = |what: &str| RootError::Malformed(format!("this is no share of ours: {what}"));
    let digit = |byte: &u8| char::from(*byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let counted = text.expose().iter().filter(|byte| !byte.is_ascii_whitespace() && **byte != b'-');
    let digits = SecretBytes::new(
        counted.map(digit).collect::<Option<Vec<_>>>().ok_or_else(|| wrong("it has other signs than 0-9, a-f"))?,
    );
    if digits.expose().len() != 2 * SHARE_BYTES {
        return Err(wrong(&format!("it has {} digits instead of {}", digits.expose().len(), 2 * SHARE_BYTES)));
    }
    let bytes = SecretBytes::new(digits.expose().chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect());
    let (body, check) = bytes.expose().split_at(SHARE_BYTES - 4);
    if sha256(body)[..4] != *check {
        return Err(wrong("a digit is wrong"));
    }
    let [VERSION, rest @ ..] = body else { return Err(wrong("it is of a newer version")) };
    let (id, rest) = rest.split_first_chunk().ok_or_else(|| wrong("it is too short"))?;
    let [threshold, x, y @ ..] = rest else { return Err(wrong("it is too short")) };
    Ok(ParsedShare { id: *id, threshold: *threshold, share: Share { x: *x, y: SecretBytes::new(y.to_vec()) } })
}

/// The root that these shares make up.
pub fn combine(shares: Vec<ParsedShare>) -> Result<RootSecret, RootError> {
    let refused = |text: &str| RootError::Malformed(text.to_owned());
    let first = shares.first().ok_or_else(|| refused("no share was given"))?;
    let (id, threshold) = (first.id, first.threshold);
    if shares.iter().any(|share| share.id != id || share.threshold != threshold) {
        return Err(refused("these shares are of different roots"));
    }
    if shares.len() < usize::from(threshold) {
        return Err(RootError::Malformed(format!("{threshold} shares are needed, and {} were given", shares.len())));
    }
    let shares: Vec<Share> = shares.into_iter().map(|parsed| parsed.share).collect();
    let key = combine_shares(&shares).ok_or_else(|| refused("one share was given twice"))?;
    let secret = RootSecret::of_key(key);
    if secret.id().0[..ID_BYTES] != id {
        return Err(refused("these shares do not belong together"));
    }
    Ok(secret)
}
