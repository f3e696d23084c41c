//! The sealed stream: the format of a blob (design, section 3). Pure: bytes in, bytes out.

use bytes::{Bytes, BytesMut};

use super::{FormatError, OpenError, SecretKey};

/// Plaintext bytes a segment holds.
pub const SEGMENT_BYTES: usize = 65_536;
/// Bytes of the header of a sealed stream.
pub const HEADER_BYTES: usize = 64;

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

/// Sealed length of a blob of `plain_len` bytes: `64 + P + overhead * max(1, ceil(P / 65536))`.
pub fn sealed_len(plain_len: u64, suite: Suite) -> u64 {
    let _ = (plain_len, suite);
    unimplemented!()
}

/// Where `range` lies in a blob of `plain_len` plaintext bytes. `range` must lie within the plaintext; an empty blob
/// has one empty segment, which an empty range covers.
pub fn span(range: PlainRange, plain_len: u64, suite: Suite) -> Span {
    let _ = (range, plain_len, suite);
    unimplemented!()
}

/// Seals one blob, segment by segment.
#[expect(missing_debug_implementations, reason = "holds secrets")]
pub struct StreamSealer {}

impl StreamSealer {
    /// Starts a blob. `salt` must be random for each attempt; `part_number` is 0 outside a multipart upload.
    /// Returns the header that goes first.
    pub fn new(keys: &ObjectKeys, id: &SealingId, part_number: u32, salt: [u8; 16]) -> (Self, [u8; HEADER_BYTES]) {
        let _ = (keys, id, part_number, salt);
        unimplemented!()
    }

    /// Bytes that sealing adds to each segment.
    pub fn overhead(&self) -> usize {
        unimplemented!()
    }

    /// Seals the next segment: the bytes of `buffer` from `start` on are its plaintext (at most [`SEGMENT_BYTES`];
    /// fewer only in the last); they are sealed in place and the tag is appended. The caller has said `last` once.
    pub fn seal(&mut self, buffer: &mut BytesMut, start: usize, last: bool) {
        let _ = (buffer, start, last);
        unimplemented!()
    }
}

/// Opens segments of one blob, in any order.
#[expect(missing_debug_implementations, reason = "holds secrets")]
pub struct StreamOpener {}

impl StreamOpener {
    /// Checks the header: format, suite, part number, and in constant time the key commitment.
    pub fn new(
        keys: &ObjectKeys,
        id: &SealingId,
        part_number: u32,
        header: &[u8; HEADER_BYTES],
    ) -> Result<Self, OpenError> {
        let _ = (keys, id, part_number, header);
        unimplemented!()
    }

    /// Opens segment `index`, `sealed` being all of its bytes with tag, in place; returns the plaintext.
    /// `last` follows from the authenticated length in the index, never from the bytes at hand.
    pub fn open(&self, index: u32, last: bool, sealed: BytesMut) -> Result<Bytes, OpenError> {
        let _ = (index, last, sealed);
        unimplemented!()
    }
}

/// The suite that a header names, for tools that look at a blob without its key.
pub fn header_suite(header: &[u8; HEADER_BYTES]) -> Result<Suite, FormatError> {
    let _ = header;
    unimplemented!()
}
