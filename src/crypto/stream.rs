//! The sealed stream: the format of a blob (design, section 3). Pure: bytes in, bytes out.
//!
//! | offset | bytes | field |
//! |---|---|---|
//! | 0 | 4 | magic `ff 53 52 53` |
//! | 4 | 1 | version, 1 |
//! | 5 | 1 | suite: 1 = AES-256-GCM, 2 = AES-256-GCM twice (DSSE) |
//! | 6 | 1 | log2 of the segment size, 16 |
//! | 7 | 1 | flags, 0; an unknown bit is refused |
//! | 8 | 4 | part number, big endian; 0 = not multipart |
//! | 12 | 4 | reserved, 0 |
//! | 16 | 16 | salt, random for each attempt: the blob's id |
//! | 32 | 32 | key commitment |
//! | 64 | … | segments of 65,536 plaintext bytes and 16 (suite 2: 32) more; the last may be shorter |
//!
//! ```text
//! T          = SHA-256(header[0..32] | sealing id)
//! suite 1:     PRK = Extract(salt, key)
//!              commitment = Expand(PRK, "commit" | T)          K = Expand(PRK, "data" | T)
//! suite 2:     PRK1 = Extract(salt, inner key)                 PRK2 = Extract(salt, outer key)
//!              commitment = SHA-256(Expand(PRK1, "commit inner" | T) | Expand(PRK2, "commit outer" | T))
//!              K1 = Expand(PRK1, "data inner" | T)             K2 = Expand(PRK2, "data outer" | T)
//! nonce      = 7 zero bytes | segment index (u32, big endian) | 1 in the last segment, else 0
//! segment    = seal(K, plain)             suite 2: seal(K2, seal(K1, plain)), each sealing adding its tag of 16 bytes
//! ```
//!
//! Nonces count, and a salt gives each attempt keys of its own, so no nonce repeats under a key. In suite 2 the inner
//! sealing is AWS-LC's and the outer one RustCrypto's, so that a fault in one implementation leaves the other; their
//! keys differ even if one object key were given twice. The layout never changes; `fixtures/crypto/` holds its bytes.

use zeroize::Zeroizing;

use super::cipher::{Gcm, NONCE_BYTES, SecondGcm, TAG_BYTES};
use super::derive::{Derivation, SALT_BYTES};
use super::{FormatError, OpenError, SecretKey, Sha256, constant_time_eq};

/// Plaintext bytes a segment holds.
pub const SEGMENT_BYTES: usize = 65_536;
/// Bytes of the header of a sealed stream.
pub const HEADER_BYTES: usize = 64;
/// The longest plaintext of one blob: 2^32 - 1 segments, which the nonce can count and a [`Span`] can name, 256 TiB.
pub const PLAIN_MAX_BYTES: u64 = u32::MAX as u64 * SEGMENT;

const MAGIC: [u8; 4] = *b"\xffSRS";
const VERSION: u8 = 1;
const SEGMENT_LOG2: u8 = 16;
const FLAGS: u8 = 0;
const COMMITMENT_BYTES: usize = 32;
/// Offset of the commitment; what lies before it is bound by T.
const BOUND_BYTES: usize = MAGIC.len() + 4 + 4 + 4 + SALT_BYTES;
/// [`SEGMENT_BYTES`] as the type of lengths.
const SEGMENT: u64 = 1 << SEGMENT_LOG2;

const _: () = assert!(SEGMENT_BYTES == 1 << SEGMENT_LOG2, "the segment size is the one the header names");
const _: () = assert!(BOUND_BYTES == 32 && HEADER_BYTES == BOUND_BYTES + COMMITMENT_BYTES, "the layout is frozen");
const _: () = assert!(NONCE_BYTES == 7 + size_of::<u32>() + 1, "the nonce is zeros, index and last flag");

/// The id of the object or upload that a blob is sealed for.
pub type SealingId = [u8; 16];

/// How segments are sealed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Suite {
    /// AES-256-GCM (suite 1): 16 bytes more a segment.
    Single,
    /// DSSE-KMS (suite 2): each segment sealed twice, with two keys and two implementations; 32 bytes more.
    Double,
}

impl Suite {
    /// Bytes that sealing adds to each segment.
    pub const fn overhead(self) -> usize {
        match self {
            Self::Single => TAG_BYTES,
            Self::Double => 2 * TAG_BYTES,
        }
    }

    /// Bytes of a full sealed segment.
    pub const fn sealed_segment_bytes(self) -> usize {
        SEGMENT_BYTES + self.overhead()
    }

    fn number(self) -> u8 {
        match self {
            Self::Single => 1,
            Self::Double => 2,
        }
    }

    fn from_number(number: u8) -> Result<Self, FormatError> {
        match number {
            1 => Ok(Self::Single),
            2 => Ok(Self::Double),
            _ => Err(FormatError),
        }
    }
}

/// The key or, for [`Suite::Double`], the two keys of an object.
#[expect(missing_debug_implementations, reason = "holds secrets")]
pub enum ObjectKeys {
    /// One key.
    Single(SecretKey),
    /// The inner key and the outer key.
    Double(SecretKey, SecretKey),
}

impl ObjectKeys {
    /// The suite these keys are for.
    pub fn suite(&self) -> Suite {
        match self {
            Self::Single(_) => Suite::Single,
            Self::Double(..) => Suite::Double,
        }
    }
}

/// A range of plaintext bytes: first byte and one past the last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PlainRange {
    /// First byte.
    pub start: u64,
    /// One past the last byte.
    pub end: u64,
}

/// A range of sealed bytes (offsets in the blob).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SealedRange {
    /// First byte.
    pub start: u64,
    /// One past the last byte.
    pub end: u64,
}

/// Which segments hold a plaintext range.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// Index of the first segment.
    pub first_segment: u32,
    /// One past the last segment.
    pub end_segment: u32,
    /// The sealed bytes of these segments.
    pub sealed: SealedRange,
    /// Plaintext bytes to drop at the front of the first segment.
    pub skip_bytes: usize,
    /// Plaintext bytes to hand out in all.
    pub take_bytes: u64,
}

/// Segments of a blob of `plain_len` bytes, `max(1, ceil(P / 65536))`: segment i is the last if i + 1 is this. The
/// length must come from an authenticated place. Panics above [`PLAIN_MAX_BYTES`], which no limit lets through.
pub fn segment_count(plain_len: u64) -> u64 {
    assert!(plain_len <= PLAIN_MAX_BYTES, "a blob of {plain_len} bytes has more segments than a nonce counts");
    plain_len.div_ceil(SEGMENT).max(1)
}

/// Sealed length of a blob of `plain_len` bytes: `64 + P + overhead * max(1, ceil(P / 65536))`.
pub fn sealed_len(plain_len: u64, suite: Suite) -> u64 {
    HEADER_BYTES as u64 + plain_len + suite.overhead() as u64 * segment_count(plain_len)
}

/// Where `range` lies in a blob of `plain_len` plaintext bytes. `range` must lie within the plaintext (else this
/// panics: ranges are settled against the length before); an empty blob has one empty segment, which an empty range
/// covers. An empty range of another blob covers no segment.
pub fn span(range: PlainRange, plain_len: u64, suite: Suite) -> Span {
    let PlainRange { start, end } = range;
    assert!(start <= end && end <= plain_len, "bytes {start}..{end} do not lie in a blob of {plain_len}");
    let first = start / SEGMENT;
    let (past, skip) = match start == end {
        true if plain_len == 0 => (1, 0),
        true => (first, 0),
        false => (end.div_ceil(SEGMENT), start % SEGMENT),
    };
    let offset = |segment: u64| {
        (HEADER_BYTES as u64 + segment * suite.sealed_segment_bytes() as u64).min(sealed_len(plain_len, suite))
    };
    let index = |segment: u64| u32::try_from(segment).expect("a blob within its limit has fewer segments than 2^32");
    Span {
        first_segment: index(first),
        end_segment: index(past),
        sealed: SealedRange { start: offset(first), end: offset(past) },
        skip_bytes: usize::try_from(skip).expect("below the segment size"),
        take_bytes: end - start,
    }
}

/// Seals one blob, segment by segment.
#[expect(missing_debug_implementations, reason = "holds secrets")]
pub struct StreamSealer {
    layers: Layers,
    /// Index of the next segment; none after the last.
    next: Option<u32>,
}

impl StreamSealer {
    /// Starts a blob. `salt` must be random for each attempt; `part_number` is 0 outside a multipart upload.
    /// Returns the header that goes first.
    pub fn new(keys: &ObjectKeys, id: &SealingId, part_number: u32, salt: [u8; 16]) -> (Self, [u8; HEADER_BYTES]) {
        let bound = bound_header(keys.suite(), part_number, &salt);
        let (layers, commitment) = Layers::derive(keys, id, &bound);
        let mut header = [0; HEADER_BYTES];
        header[..BOUND_BYTES].copy_from_slice(&bound);
        header[BOUND_BYTES..].copy_from_slice(&commitment);
        (Self { layers, next: Some(0) }, header)
    }

    /// Bytes that sealing adds to each segment.
    pub fn overhead(&self) -> usize {
        self.layers.suite().overhead()
    }

    /// Seals the next segment: the bytes of `buffer` from `start` on are its plaintext (at most [`SEGMENT_BYTES`];
    /// fewer only in the last, and none only in an empty blob); they are sealed in place and the tag is appended, for
    /// which [`Self::overhead`] bytes of spare capacity save a copy. The caller says `last` once, with the last.
    /// Panics if the caller breaks one of these rules: what it wrote could not be read back.
    pub fn seal(&mut self, buffer: &mut Vec<u8>, start: usize, last: bool) {
        let nonce = self.next_nonce(buffer.len() - start, last);
        self.layers.seal(nonce, buffer, start);
    }

    /// Appends the next segment, whose plaintext lies elsewhere, sealed to `buffer`. Otherwise like [`Self::seal`].
    pub fn seal_onto(&mut self, buffer: &mut Vec<u8>, plain: &[u8], last: bool) {
        let nonce = self.next_nonce(plain.len(), last);
        self.layers.seal_onto(nonce, buffer, plain);
    }

    fn next_nonce(&mut self, plain_len: usize, last: bool) -> [u8; NONCE_BYTES] {
        let index = self.next.expect("no segment follows the last");
        assert!(plain_len <= SEGMENT_BYTES && (last || plain_len == SEGMENT_BYTES), "a segment of {plain_len} bytes");
        assert!(plain_len > 0 || index == 0, "an empty segment ends a blob that is not empty");
        self.next = if last { None } else { Some(index.checked_add(1).expect("a blob has fewer segments than 2^32")) };
        nonce(index, last)
    }
}

/// Opens segments of one blob, in any order.
#[expect(missing_debug_implementations, reason = "holds secrets")]
pub struct StreamOpener {
    layers: Layers,
}

impl StreamOpener {
    /// Checks the header: format, suite, part number, salt, and in constant time the key commitment. `salt` is the
    /// attempt's as an authenticated place tells it: an earlier attempt of the same part would open as well.
    pub fn new(
        keys: &ObjectKeys,
        id: &SealingId,
        part_number: u32,
        salt: &[u8; 16],
        header: &[u8; HEADER_BYTES],
    ) -> Result<Self, OpenError> {
        let (bound, commitment) = header.split_first_chunk::<BOUND_BYTES>().ok_or(OpenError)?;
        // All that a header may say is known: so it is the one byte string that this makes.
        if *bound != bound_header(keys.suite(), part_number, salt) {
            return Err(OpenError);
        }
        let (layers, expected) = Layers::derive(keys, id, bound);
        if constant_time_eq(commitment, &expected) { Ok(Self { layers }) } else { Err(OpenError) }
    }

    /// Opens segment `index`, `sealed` being all of its bytes with tag, in place; returns the length of the plaintext,
    /// which lies at the front. After an error the bytes are worthless.
    /// `last` follows from the authenticated length in the index (see [`segment_count`]), never from the bytes at hand.
    pub fn open(&self, index: u32, last: bool, sealed: &mut [u8]) -> Result<usize, OpenError> {
        let plain_len = sealed.len().checked_sub(self.layers.suite().overhead()).ok_or(OpenError)?;
        if plain_len > SEGMENT_BYTES || (!last && plain_len < SEGMENT_BYTES) {
            return Err(OpenError);
        }
        self.layers.open(nonce(index, last), sealed)?;
        Ok(plain_len)
    }
}

/// The suite that a header names, for tools that look at a blob without its key.
pub fn header_suite(header: &[u8; HEADER_BYTES]) -> Result<Suite, FormatError> {
    let [m0, m1, m2, m3, VERSION, suite, SEGMENT_LOG2, FLAGS, _, _, _, _, 0, 0, 0, 0, ..] = header else {
        return Err(FormatError);
    };
    if [*m0, *m1, *m2, *m3] == MAGIC { Suite::from_number(*suite) } else { Err(FormatError) }
}

fn bound_header(suite: Suite, part_number: u32, salt: &[u8; SALT_BYTES]) -> [u8; BOUND_BYTES] {
    let mut bound = [0; BOUND_BYTES];
    bound[..4].copy_from_slice(&MAGIC);
    bound[4..8].copy_from_slice(&[VERSION, suite.number(), SEGMENT_LOG2, FLAGS]);
    bound[8..12].copy_from_slice(&part_number.to_be_bytes());
    bound[16..].copy_from_slice(salt);
    bound
}

fn nonce(index: u32, last: bool) -> [u8; NONCE_BYTES] {
    let mut nonce = [0; NONCE_BYTES];
    nonce[7..11].copy_from_slice(&index.to_be_bytes());
    nonce[11] = u8::from(last);
    nonce
}

/// The ciphers of a blob.
enum Layers {
    Single(Gcm),
    Double { inner: Gcm, outer: SecondGcm },
}

impl Layers {
    /// The ciphers and the commitment to their keys.
    fn derive(keys: &ObjectKeys, id: &SealingId, bound: &[u8; BOUND_BYTES]) -> (Self, [u8; COMMITMENT_BYTES]) {
        let salt = &bound[BOUND_BYTES - SALT_BYTES..];
        let tied = sha256_of(&[bound, id]);
        let (mut first, mut second) = (Zeroizing::new([0; 32]), Zeroizing::new([0; 32]));
        let (mut commitment, mut outer_commitment) = ([0; COMMITMENT_BYTES], [0; COMMITMENT_BYTES]);
        match keys {
            ObjectKeys::Single(key) => {
                let prk = Derivation::extract(salt, key.expose());
                prk.expand(&[b"commit", &tied], &mut commitment);
                prk.expand(&[b"data", &tied], &mut first);
                (Self::Single(Gcm::new(&first)), commitment)
            }
            ObjectKeys::Double(inner, outer) => {
                let prk = Derivation::extract(salt, inner.expose());
                prk.expand(&[b"commit inner", &tied], &mut commitment);
                prk.expand(&[b"data inner", &tied], &mut first);
                let prk = Derivation::extract(salt, outer.expose());
                prk.expand(&[b"commit outer", &tied], &mut outer_commitment);
                prk.expand(&[b"data outer", &tied], &mut second);
                let layers = Self::Double { inner: Gcm::new(&first), outer: SecondGcm::new(&second) };
                (layers, sha256_of(&[&commitment, &outer_commitment]))
            }
        }
    }

    fn suite(&self) -> Suite {
        match self {
            Self::Single(_) => Suite::Single,
            Self::Double { .. } => Suite::Double,
        }
    }

    fn seal(&self, nonce: [u8; NONCE_BYTES], buffer: &mut Vec<u8>, start: usize) {
        match self {
            Self::Single(cipher) => {
                let tag = cipher.seal_in_place(nonce, &mut buffer[start..]);
                buffer.extend_from_slice(&tag);
            }
            Self::Double { inner, outer } => {
                let tag = inner.seal_in_place(nonce, &mut buffer[start..]);
                buffer.extend_from_slice(&tag);
                let tag = outer.seal_in_place(nonce, &mut buffer[start..]);
                buffer.extend_from_slice(&tag);
            }
        }
    }

    fn seal_onto(&self, nonce: [u8; NONCE_BYTES], buffer: &mut Vec<u8>, plain: &[u8]) {
        match self {
            Self::Single(cipher) => cipher.seal_onto(buffer, nonce, &[], plain),
            Self::Double { .. } => {
                let start = buffer.len();
                buffer.extend_from_slice(plain);
                self.seal(nonce, buffer, start);
            }
        }
    }

    fn open(&self, nonce: [u8; NONCE_BYTES], sealed: &mut [u8]) -> Result<(), OpenError> {
        match self {
            Self::Single(cipher) => cipher.open_in_place(nonce, sealed),
            Self::Double { inner, outer } => {
                outer.open_in_place(nonce, sealed)?;
                let inner_len = sealed.len() - TAG_BYTES;
                inner.open_in_place(nonce, &mut sealed[..inner_len])
            }
        }
    }
}

fn sha256_of(parts: &[&[u8]]) -> [u8; 32] {
    let mut hash = Sha256::new();
    parts.iter().for_each(|part| hash.update(part));
    hash.finish()
}

#[cfg(test)]
mod tests;
