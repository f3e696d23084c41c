//! The Box: a short sealed message (design, section 3).
//!
//! | offset | bytes | field |
//! |---|---|---|
//! | 0 | 4 | magic `ff 53 52 42` |
//! | 4 | 1 | version, 1 |
//! | 5 | 1 | suite, 1 = HKDF-SHA256 and AES-256-GCM |
//! | 6 | 1 | flags, 0; an unknown bit is refused |
//! | 7 | 1 | n, length of the key id |
//! | 8 | n | key id |
//! | 8 + n | 16 | generation tag |
//! | 24 + n | 16 | salt |
//! | 40 + n | 12 | nonce |
//! | 52 + n | p | ciphertext |
//! | 52 + n + p | 16 | tag |
//!
//! The *header* is everything before the salt: what a reader acts upon before it holds a key. It goes into the
//! derivation and, hashed, into the AAD; the salt is bound by the derivation and the nonce by the cipher:
//!
//! ```text
//! message key = HKDF-SHA256(salt, key, info = label | header)
//! AAD         = SHA-256(header) | canonical(context)
//! ```
//!
//! A label is UTF-8 and the magic begins with a byte that UTF-8 never holds, so `label | header` reads one way only.
//! The layout never changes; `fixtures/crypto/` holds its bytes. What is to differ gets another version or suite.

use zeroize::Zeroizing;

use super::cipher::{Gcm, NONCE_BYTES, TAG_BYTES};
use super::derive::{Derivation, SALT_BYTES};
use super::{Context, SecretBytes, SecretKey, sha256};
use crate::sources::Sources;

const MAGIC: [u8; 4] = *b"\xffSRB";
const VERSION: u8 = 1;
const SUITE: u8 = 1;
const FLAGS: u8 = 0;

/// What a Box adds to its message, in bytes, besides the key id.
pub const BOX_OVERHEAD_BYTES: usize = MAGIC.len() + 4 + GENERATION_BYTES + SALT_BYTES + NONCE_BYTES + TAG_BYTES;

const GENERATION_BYTES: usize = size_of::<Generation>();
const _: () = assert!(BOX_OVERHEAD_BYTES == 68, "the layout is frozen");

/// Which generation of a key sealed a Box; picks the material at once, never by trying.
pub type Generation = [u8; 16];

/// What a Box says of itself in clear.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BoxHeader {
    /// The id of the sealing key, at most 255 bytes.
    pub key_id: Vec<u8>,
    /// The generation of that key.
    pub generation: Generation,
}

/// The bytes are no Box of a version this program knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FormatError;

/// The Box does not open: wrong key, wrong context or changed bytes. Which of them is never told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OpenError;

/// What a Box held.
pub type Opened = SecretBytes;

/// What to seal a message under.
#[expect(missing_debug_implementations, reason = "holds a secret")]
pub struct SealBox<'a> {
    /// The key; each message gets a key of its own from it by HKDF.
    pub key: &'a SecretKey,
    /// Parts the uses of one key, e.g. `strongroom kms ciphertext v1`.
    pub label: &'a str,
    /// Goes into the header.
    pub header: &'a BoxHeader,
    /// Authenticated, not stored.
    pub context: &'a Context,
}

/// Seals `plain`. Panics if the key id is longer than 255 bytes: key ids are made by this program.
pub fn seal_box(seal: &SealBox<'_>, plain: &[u8], sources: &Sources) -> Vec<u8> {
    let key_id = &seal.header.key_id;
    let key_id_len = u8::try_from(key_id.len()).expect("key ids have at most 255 bytes");
    let salt = sources.random::<SALT_BYTES>();
    let nonce = sources.random::<NONCE_BYTES>();

    let mut out = Vec::with_capacity(BOX_OVERHEAD_BYTES + key_id.len() + plain.len());
    out.extend_from_slice(&MAGIC);
    out.extend_from_slice(&[VERSION, SUITE, FLAGS, key_id_len]);
    out.extend_from_slice(key_id);
    out.extend_from_slice(&seal.header.generation);
    let cipher = message_cipher(seal.key, seal.label, &out, &salt);
    let aad = aad(&out, seal.context);
    out.extend_from_slice(&salt);
    out.extend_from_slice(&nonce);
    cipher.seal_onto(&mut out, nonce, &aad, plain);
    debug_assert_eq!(parse_box(&out).as_ref(), Ok(seal.header));
    out
}

/// Reads the header of a Box without opening it.
pub fn parse_box(sealed: &[u8]) -> Result<BoxHeader, FormatError> {
    let fields = Fields::parse(sealed)?;
    Ok(BoxHeader { key_id: fields.key_id.to_vec(), generation: *fields.generation })
}

/// Opens a Box that [`parse_box`] has accepted; `key` is the key that its header names.
pub fn open_box(key: &SecretKey, label: &str, context: &Context, sealed: &[u8]) -> Result<Opened, OpenError> {
    let fields = Fields::parse(sealed).map_err(|FormatError| OpenError)?;
    let cipher = message_cipher(key, label, fields.header, fields.salt);
    let mut plain = SecretBytes::new(vec![0; fields.body.len() - TAG_BYTES]);
    cipher.open_onto(plain.expose_mut(), *fields.nonce, &aad(fields.header, context), fields.body)?;
    Ok(plain)
}

/// A Box, cut up.
struct Fields<'a> {
    header: &'a [u8],
    key_id: &'a [u8],
    generation: &'a Generation,
    salt: &'a [u8; SALT_BYTES],
    nonce: &'a [u8; NONCE_BYTES],
    /// Ciphertext and tag.
    body: &'a [u8],
}

impl<'a> Fields<'a> {
    fn parse(sealed: &'a [u8]) -> Result<Self, FormatError> {
        let [m0, m1, m2, m3, VERSION, SUITE, FLAGS, key_id_len, rest @ ..] = sealed else { return Err(FormatError) };
        if [*m0, *m1, *m2, *m3] != MAGIC {
            return Err(FormatError);
        }
        let (key_id, rest) = rest.split_at_checked(usize::from(*key_id_len)).ok_or(FormatError)?;
        let (generation, rest) = rest.split_first_chunk().ok_or(FormatError)?;
        let header = &sealed[..sealed.len() - rest.len()];
        let (salt, rest) = rest.split_first_chunk().ok_or(FormatError)?;
        let (nonce, body) = rest.split_first_chunk().ok_or(FormatError)?;
        if body.len() < TAG_BYTES {
            return Err(FormatError);
        }
        Ok(Self { header, key_id, generation, salt, nonce, body })
    }
}

fn message_cipher(key: &SecretKey, label: &str, header: &[u8], salt: &[u8; SALT_BYTES]) -> Gcm {
    let mut message_key = Zeroizing::new([0; 32]);
    Derivation::extract(salt, key.expose()).expand(&[label.as_bytes(), header], &mut message_key);
    Gcm::new(&message_key)
}

fn aad(header: &[u8], context: &Context) -> Vec<u8> {
    let mut aad = sha256(header).to_vec();
    aad.append(&mut context.canonical());
    aad
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::sources::Timestamp;

    const LABEL: &str = "strongroom test v1";

    fn key(byte: u8) -> SecretKey {
        SecretKey::from_slice(&[byte; 32]).unwrap()
    }

    fn header(key_id: &[u8]) -> BoxHeader {
        BoxHeader { key_id: key_id.to_vec(), generation: [3; 16] }
    }

    fn seal(key_id: &[u8], context: &Context, plain: &[u8]) -> Vec<u8> {
        let sources = Sources::seeded(1, Timestamp(0));
        seal_box(&SealBox { key: &key(1), label: LABEL, header: &header(key_id), context }, plain, &sources)
    }

    fn opens(sealed: &[u8], context: &Context) -> Option<Vec<u8>> {
        open_box(&key(1), LABEL, context, sealed).ok().map(|plain| plain.expose().to_vec())
    }

    proptest! {
        #[test]
        fn what_was_sealed_opens(
            key_id in proptest::collection::vec(any::<u8>(), 0..=255),
            plain: Vec<u8>,
            a: Vec<u8>,
        ) {
            let context = Context::new().with("a", &a);
            let sealed = seal(&key_id, &context, &plain);
            prop_assert_eq!(sealed.len(), BOX_OVERHEAD_BYTES + key_id.len() + plain.len());
            prop_assert_eq!(parse_box(&sealed), Ok(header(&key_id)));
            prop_assert_eq!(opens(&sealed, &context), Some(plain));
        }

        #[test]
        fn any_bytes_parse_or_are_refused(bytes: Vec<u8>) {
            let mut boxed = MAGIC.to_vec();
            boxed.extend_from_slice(&[VERSION, SUITE, FLAGS]);
            boxed.extend_from_slice(&bytes);
            let enough = bytes.first().is_some_and(|&n| boxed.len() >= BOX_OVERHEAD_BYTES + usize::from(n));
            prop_assert_eq!(parse_box(&boxed).is_ok(), enough);
            prop_assert_eq!(opens(&boxed, &Context::new()), None);
        }
    }

    #[test]
    fn a_key_id_has_at_most_255_bytes() {
        let sealed = seal(&[b'k'; 255], &Context::new(), b"message");
        assert_eq!(opens(&sealed, &Context::new()).as_deref(), Some(&b"message"[..]));
        assert!(std::panic::catch_unwind(|| seal(&[b'k'; 256], &Context::new(), b"message")).is_err());
    }

    #[test]
    fn every_flipped_bit_is_noticed() {
        let context = Context::new().with("bucket", "b");
        let sealed = seal(b"key-1", &context, b"a data key");
        for bit in 0..sealed.len() * 8 {
            let mut flipped = sealed.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(opens(&flipped, &context), None, "bit {bit}");
        }
    }

    #[test]
    fn every_other_length_is_noticed() {
        let sealed = seal(b"key-1", &Context::new(), b"a data key");
        for end in 0..sealed.len() {
            assert_eq!(opens(&sealed[..end], &Context::new()), None, "cut at {end}");
        }
        assert_eq!(opens(&[&sealed[..], &[0]].concat(), &Context::new()), None);
    }

    #[test]
    fn another_key_label_or_context_does_not_open() {
        let context = Context::new().with("bucket", "b").with("key", "k");
        let sealed = seal(b"key-1", &context, b"a data key");
        assert_eq!(opens(&sealed, &context).as_deref(), Some(&b"a data key"[..]));
        assert!(open_box(&key(2), LABEL, &context, &sealed).is_err());
        assert!(open_box(&key(1), "strongroom test v2", &context, &sealed).is_err());
        for other in [
            Context::new(),
            Context::new().with("bucket", "b"),
            Context::new().with("bucket", "k").with("key", "b"),
            Context::new().with("bucket", "b").with("key", "k").with("", ""),
        ] {
            assert_eq!(opens(&sealed, &other), None, "{other:?}");
        }
    }

    #[test]
    fn boxes_of_one_key_do_not_mix() {
        let (a, b) = (seal(b"key-1", &Context::new(), b"first"), seal(b"key-1", &Context::new(), b"other"));
        let sources = Sources::seeded(2, Timestamp(0));
        let other = SealBox { key: &key(1), label: LABEL, header: &header(b"key-1"), context: &Context::new() };
        let c = seal_box(&other, b"third", &sources);
        assert_eq!(a[..57], b[..57], "the seed settles salt and nonce");
        let body = a.len() - 5 - TAG_BYTES;
        assert_eq!(opens(&[&a[..body], &c[body..]].concat(), &Context::new()), None);
        assert_eq!(
            opens(&[&a[..40], &c[40..]].concat(), &Context::new()),
            None,
            "the salt of one, the rest of another"
        );
    }
}
