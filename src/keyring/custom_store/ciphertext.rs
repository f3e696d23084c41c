//! KMS ciphertexts of keys in custom key stores.
//!
//! | offset | bytes | field |
//! |---|---|---|
//! | 0 | 4 | magic `ff 53 52 4b` |
//! | 4 | 1 | version, 1 |
//! | 5 | 1 | n, length of the key id |
//! | 6 | n | key id |
//! | 6 + n | 16 | generation tag of the KMS key's own material |
//! | 22 + n | 1 | i, 12 or 16 |
//! | 23 + n | i | initialization vector |
//! | … | 1 | m, at most 20 |
//! | … | m | what the proxy keeps for itself (`ciphertextMetadata`) |
//! | … | 16 | tag |
//! | … | … | ciphertext |
//!
//! Sealed twice: the plaintext in a Box under the KMS key's own material, as with any other key, and that Box by the
//! store with AES-256-GCM. So neither opens anything alone: not who has the store's key, and not who has ours. And
//! what a store does wrong with its nonces costs no secret. The *header* is everything before the initialization
//! vector's length; the store authenticates `header | SHA-256(canonical(context))` and learns nothing of the context.
//! The layout never changes: `fixtures/formats/keyring.json`.

use super::wire::{Encrypted, IV_BYTES, METADATA_MAX_BYTES, TAG_BYTES};
use crate::crypto::{BOX_OVERHEAD_BYTES, Context, sha256};
use crate::keyring::ciphertext::Sealer;

const MAGIC: [u8; 4] = *b"\xffSRK";
const VERSION: u8 = 1;

/// The most that a store is given: 4,096 bytes in a Box. A proxy has to take 4,300 (specification, "Encrypt").
const _: () = assert!(4096 + BOX_OVERHEAD_BYTES + 36 <= 4300);

/// A ciphertext, cut up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::keyring) struct StoreCiphertext {
    pub(in crate::keyring) sealer: Sealer,
    pub(in crate::keyring) sealed: Encrypted,
}

impl StoreCiphertext {
    /// What the store authenticates besides the Box.
    pub(in crate::keyring) fn aad(sealer: &Sealer, context: &Context) -> Vec<u8> {
        let mut aad = header(sealer);
        aad.extend_from_slice(&sha256(&context.canonical()));
        aad
    }

    /// The bytes that clients keep.
    pub(in crate::keyring) fn render(&self) -> Vec<u8> {
        let Encrypted { ciphertext, metadata, iv, tag } = &self.sealed;
        let length = |bytes: &[u8]| u8::try_from(bytes.len()).expect("its length was checked where it came from");
        let mut out = header(&self.sealer);
        out.push(length(iv));
        out.extend_from_slice(iv);
        out.push(length(metadata));
        out.extend_from_slice(metadata);
        out.extend_from_slice(tag);
        out.extend_from_slice(ciphertext);
        out
    }

    /// Cuts up what a client sent; `None`: it is no ciphertext of this form.
    pub(in crate::keyring) fn parse(bytes: &[u8]) -> Option<Self> {
        let rest = bytes.strip_prefix(&MAGIC)?.strip_prefix(&[VERSION])?;
        let (key_id, rest) = counted(rest)?;
        let key_id = String::from_utf8(key_id.to_vec()).ok()?;
        let (generation, rest) = rest.split_first_chunk()?;
        let (iv, rest) = counted(rest)?;
        let (metadata, rest) = counted(rest)?;
        let (tag, ciphertext) = rest.split_first_chunk::<TAG_BYTES>()?;
        if !IV_BYTES.contains(&iv.len()) || metadata.len() > METADATA_MAX_BYTES || ciphertext.is_empty() {
            return None;
        }
        let sealer = Sealer { key_id, generation: *generation };
        let (ciphertext, metadata, iv) = (ciphertext.to_vec(), metadata.to_vec(), iv.to_vec());
        Some(Self { sealer, sealed: Encrypted { ciphertext, metadata, iv, tag: *tag } })
    }
}

fn header(sealer: &Sealer) -> Vec<u8> {
    let length = u8::try_from(sealer.key_id.len()).expect("key ids have at most 255 bytes");
    [&MAGIC[..], &[VERSION, length], sealer.key_id.as_bytes(), &sealer.generation].concat()
}

/// A byte that says how many follow, and those.
fn counted(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first()?;
    rest.split_at_checked(usize::from(*length))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example() -> StoreCiphertext {
        let sealer = Sealer { key_id: "key".to_owned(), generation: [3; 16] };
        let sealed = Encrypted { ciphertext: vec![9; 3], metadata: vec![8; 2], iv: vec![7; 12], tag: [6; 16] };
        StoreCiphertext { sealer, sealed }
    }

    #[test]
    fn reads_back_and_takes_nothing_else() {
        let whole = example().render();
        assert_eq!(StoreCiphertext::parse(&whole), Some(example()));
        // Cut anywhere before the ciphertext's last byte but one, a field is missing.
        for at in 0..=whole.len() - 3 {
            assert_eq!(StoreCiphertext::parse(&whole[..at]), None, "cut at {at}");
        }
        let changed = |at: usize, byte: u8| {
            let mut bytes = whole.clone();
            bytes[at] = byte;
            StoreCiphertext::parse(&bytes)
        };
        assert_eq!(changed(0, 0xfe), None, "another magic");
        assert_eq!(changed(4, 2), None, "a version to come");
        assert_eq!(changed(25, 11), None, "an initialization vector that is no one's");
        let mut long = example();
        long.sealed.metadata = vec![8; METADATA_MAX_BYTES];
        assert_eq!(StoreCiphertext::parse(&long.render()), Some(long.clone()));
        long.sealed.metadata.push(8);
        assert_eq!(StoreCiphertext::parse(&long.render()), None);
    }
}
