//! The keys that are a seed: how ML-DSA (RFC 9881) and ML-KEM (RFC 9935) stand in PKCS #8 and SubjectPublicKeyInfo.
//!
//! A private key is stored and given out as its seed alone, the form the RFCs recommend:
//!
//! ```text
//! SEQUENCE { INTEGER 0, SEQUENCE { OBJECT IDENTIFIER }, OCTET STRING { [0] seed } }
//! ```
//!
//! All lengths being known, the DER is a fixed prefix and the seed. Forms with the expanded key are refused: from them
//! the seed, which a KMS key is stored as, cannot be had.

use zeroize::Zeroizing;

use crate::crypto::{BadKey, SecretBytes};

/// The last but one and the last arc of 2.16.840.1.101.3.4, the NIST algorithms.
pub(super) type Arcs = [u8; 2];

/// The object identifier, as DER.
fn identifier([family, member]: Arcs) -> [u8; 13] {
    [0x30, 0x0b, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, family, member]
}

fn private_prefix(arcs: Arcs, seed_bytes: u8) -> Vec<u8> {
    let mut out = vec![0x30, 20 + seed_bytes, 0x02, 0x01, 0x00];
    out.extend_from_slice(&identifier(arcs));
    out.extend_from_slice(&[0x04, 2 + seed_bytes, 0x80, seed_bytes]);
    out
}

/// PKCS #8 of a seed.
pub(super) fn render_private<const SEED: usize>(arcs: Arcs, seed: &[u8; SEED]) -> SecretBytes {
    let prefix = private_prefix(arcs, seed_length::<SEED>());
    // Allocated once: growing would leave a copy of the seed behind.
    let mut out = Vec::with_capacity(prefix.len() + SEED);
    out.extend_from_slice(&prefix);
    out.extend_from_slice(seed);
    SecretBytes::new(out)
}

/// The seed in a PKCS #8 key.
pub(super) fn parse_private<const SEED: usize>(arcs: Arcs, pkcs8: &[u8]) -> Result<Box<Zeroizing<[u8; SEED]>>, BadKey> {
    let seed = pkcs8.strip_prefix(private_prefix(arcs, seed_length::<SEED>()).as_slice()).ok_or(BadKey)?;
    if seed.len() != SEED {
        return Err(BadKey);
    }
    let mut out = Box::new(Zeroizing::new([0; SEED]));
    out.copy_from_slice(seed);
    Ok(out)
}

/// SubjectPublicKeyInfo of a public key. Its length must need two bytes, as all of these do.
pub(super) fn render_public(arcs: Arcs, public: &[u8]) -> Vec<u8> {
    let bits = u16::try_from(public.len() + 1).expect("the longest public key has 1,568 bytes");
    let all = u16::try_from(identifier(arcs).len() + 4 + usize::from(bits)).expect("as long, and 17");
    let mut out = vec![0x30, 0x82];
    out.extend_from_slice(&all.to_be_bytes());
    out.extend_from_slice(&identifier(arcs));
    out.extend_from_slice(&[0x03, 0x82]);
    out.extend_from_slice(&bits.to_be_bytes());
    out.push(0); // No unused bits.
    out.extend_from_slice(public);
    debug_assert!(bits >= 256);
    out
}

const fn seed_length<const SEED: usize>() -> u8 {
    assert!(SEED <= 64, "one byte holds every length");
    SEED.to_le_bytes()[0]
}
