//! Sealing of index rows under a cached epoch key: cheap enough to open 1,000 rows for one list page.
//!
//! `version 1 | epoch 4 | nonce 12 | ciphertext | tag 16`, AES-256-GCM, AAD = the row's place (table and key). Version
//! and epoch need not be in the AAD: another version is refused, and another epoch is another key. Nonces are random,
//! which is safe for the at most 2^30 rows an epoch key seals (chance of a repeat below 2^-37).

use super::cipher::{Gcm, NONCE_BYTES, TAG_BYTES};
use super::{OpenError, SecretBytes, SecretKey, hmac_sha256};

const VERSION: u8 = 1;
const EPOCH_BYTES: usize = size_of::<u32>();

/// What sealing adds to a row, in bytes: version 1, epoch 4, nonce 12, tag 16.
pub const ROW_OVERHEAD_BYTES: usize = 33;

const _: () = assert!(ROW_OVERHEAD_BYTES == 1 + EPOCH_BYTES + NONCE_BYTES + TAG_BYTES, "the layout is frozen");

/// An epoch key, ready for use (its key schedule is kept).
#[expect(missing_debug_implementations, reason = "holds a secret")]
pub struct RowKey {
    epoch: u32,
    cipher: Gcm,
    /// What [`Self::derive`] derives from: a key of its own, so that the cipher's key is used for nothing else.
    parent: SecretKey,
}

/// Frozen: what clients were given under derived keys is still out.
const PARENT_LABEL: &[u8] = b"strongroom epoch derivation v1";

impl RowKey {
    /// Prepares the key of `epoch`.
    pub fn new(epoch: u32, key: &SecretKey) -> Self {
        Self { epoch, cipher: Gcm::new(key.expose()), parent: child(key, PARENT_LABEL) }
    }

    /// A key for one purpose, which stays the same as long as the epoch key does: for ever.
    pub fn derive(&self, label: &[u8]) -> SecretKey {
        child(&self.parent, label)
    }

    /// The epoch this key belongs to.
    pub fn epoch(&self) -> u32 {
        self.epoch
    }

    /// Seals `plain` for the row `aad` (table and key). `nonce` must be random for each call.
    pub fn seal(&self, nonce: [u8; 12], aad: &[u8], plain: &[u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(ROW_OVERHEAD_BYTES + plain.len());
        out.push(VERSION);
        out.extend_from_slice(&self.epoch.to_be_bytes());
        out.extend_from_slice(&nonce);
        self.cipher.seal_onto(&mut out, nonce, aad, plain);
        debug_assert_eq!(out.len(), ROW_OVERHEAD_BYTES + plain.len());
        out
    }

    /// Opens a row of this key's epoch.
    pub fn open(&self, aad: &[u8], sealed: &[u8]) -> Result<Vec<u8>, OpenError> {
        let (epoch, nonce, body) = cut(sealed).ok_or(OpenError)?;
        if epoch != self.epoch {
            return Err(OpenError);
        }
        let mut plain = vec![0; body.len() - TAG_BYTES];
        self.cipher.open_onto(&mut plain, nonce, aad, body)?;
        Ok(plain)
    }

    /// The epoch that sealed a row; `None` if the bytes are no sealed row.
    pub fn epoch_of(sealed: &[u8]) -> Option<u32> {
        cut(sealed).map(|(epoch, ..)| epoch)
    }
}

fn child(key: &SecretKey, label: &[u8]) -> SecretKey {
    let bytes = SecretBytes::new(hmac_sha256(key.expose(), label).to_vec());
    SecretKey::from_slice(bytes.expose()).expect("HMAC-SHA256 has 32 bytes")
}

/// Epoch, nonce, and ciphertext with tag.
fn cut(sealed: &[u8]) -> Option<(u32, [u8; NONCE_BYTES], &[u8])> {
    let [VERSION, rest @ ..] = sealed else { return None };
    let (epoch, rest) = rest.split_first_chunk()?;
    let (nonce, body) = rest.split_first_chunk()?;
    (body.len() >= TAG_BYTES).then_some((u32::from_be_bytes(*epoch), *nonce, body))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn row_key(epoch: u32) -> RowKey {
        RowKey::new(epoch, &SecretKey::from_slice(&[1; 32]).unwrap())
    }

    proptest! {
        #[test]
        fn what_was_sealed_opens(epoch: u32, nonce: [u8; 12], aad: Vec<u8>, plain: Vec<u8>) {
            let sealed = row_key(epoch).seal(nonce, &aad, &plain);
            prop_assert_eq!(sealed.len(), ROW_OVERHEAD_BYTES + plain.len());
            prop_assert_eq!(RowKey::epoch_of(&sealed), Some(epoch));
            prop_assert_eq!(row_key(epoch).open(&aad, &sealed), Ok(plain));
        }

        #[test]
        fn any_bytes_are_refused(bytes: Vec<u8>) {
            let _ = RowKey::epoch_of(&bytes);
            prop_assert_eq!(row_key(0).open(b"row", &bytes), Err(OpenError));
        }
    }

    #[test]
    fn every_flipped_bit_and_every_cut_is_noticed() {
        let sealed = row_key(7).seal([5; 12], b"row", b"a record");
        for bit in 0..sealed.len() * 8 {
            let mut flipped = sealed.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(row_key(7).open(b"row", &flipped), Err(OpenError), "bit {bit}");
        }
        for end in 0..sealed.len() {
            assert_eq!(row_key(7).open(b"row", &sealed[..end]), Err(OpenError), "cut at {end}");
        }
        assert_eq!(RowKey::epoch_of(&sealed[..ROW_OVERHEAD_BYTES - 1]), None);
        assert_eq!(RowKey::epoch_of(&sealed[..ROW_OVERHEAD_BYTES]), Some(7));
    }

    #[test]
    fn a_row_opens_in_its_place_and_epoch_only() {
        let sealed = row_key(7).seal([5; 12], b"row", b"a record");
        assert_eq!(row_key(7).open(b"row", &sealed).as_deref(), Ok(&b"a record"[..]));
        assert_eq!(row_key(7).open(b"another row", &sealed), Err(OpenError));
        assert_eq!(row_key(8).open(b"row", &sealed), Err(OpenError));
    }
}
