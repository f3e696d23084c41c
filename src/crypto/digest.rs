//! Digests, checksums and MACs.
//!
//! SHA-1, SHA-2 and HMAC by AWS-LC; MD5 by `md-5` (`aws-lc-rs` has none); CRCs by `crc-fast`, which also combines them;
//! XXH by `xxhash-rust`, with seed 0.

use aws_lc_rs::digest::{Context as ShaContext, SHA1_FOR_LEGACY_USE_ONLY, SHA256, SHA512, digest};
use aws_lc_rs::{constant_time, hmac};
use crc_fast::CrcAlgorithm;
use md5::Digest as _;
use xxhash_rust::xxh3::Xxh3Default;
use xxhash_rust::xxh64::Xxh64;

/// The checksum algorithms of S3's newest model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ChecksumAlgorithm {
    /// CRC-32 (ISO-HDLC), 4 bytes.
    Crc32,
    /// CRC-32C (Castagnoli), 4 bytes.
    Crc32c,
    /// CRC-64/NVME, 8 bytes.
    Crc64Nvme,
    /// SHA-1, 20 bytes.
    Sha1,
    /// SHA-256, 32 bytes.
    Sha256,
    /// SHA-512, 64 bytes.
    Sha512,
    /// MD5, 16 bytes.
    Md5,
    /// XXH64, 8 bytes, big endian.
    XxHash64,
    /// XXH3 with 64 bits, 8 bytes, big endian.
    XxHash3,
    /// XXH3 with 128 bits, 16 bytes, big endian.
    XxHash128,
}

impl ChecksumAlgorithm {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::Crc32,
        Self::Crc32c,
        Self::Crc64Nvme,
        Self::Sha1,
        Self::Sha256,
        Self::Sha512,
        Self::Md5,
        Self::XxHash64,
        Self::XxHash3,
        Self::XxHash128,
    ];

    /// AWS's name, e.g. `CRC64NVME`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Crc32 => "CRC32",
            Self::Crc32c => "CRC32C",
            Self::Crc64Nvme => "CRC64NVME",
            Self::Sha1 => "SHA1",
            Self::Sha256 => "SHA256",
            Self::Sha512 => "SHA512",
            Self::Md5 => "MD5",
            Self::XxHash64 => "XXHASH64",
            Self::XxHash3 => "XXHASH3",
            Self::XxHash128 => "XXHASH128",
        }
    }

    /// The algorithm of AWS's name, in upper or lower case.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|a| a.name().eq_ignore_ascii_case(name))
    }

    /// Length of its value in bytes.
    pub fn value_bytes(self) -> usize {
        match self {
            Self::Crc32 | Self::Crc32c => 4,
            Self::Crc64Nvme | Self::XxHash64 | Self::XxHash3 => 8,
            Self::Md5 | Self::XxHash128 => 16,
            Self::Sha1 => 20,
            Self::Sha256 => 32,
            Self::Sha512 => 64,
        }
    }

    /// Whether the value of a whole can be computed from the values and lengths of its parts.
    pub fn combines(self) -> bool {
        matches!(self, Self::Crc32 | Self::Crc32c | Self::Crc64Nvme)
    }
}

/// A checksum's value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checksum {
    /// The algorithm.
    pub algorithm: ChecksumAlgorithm,
    /// The value, `algorithm.value_bytes()` long.
    pub value: Vec<u8>,
}

/// An incremental checksum of any algorithm.
#[expect(missing_debug_implementations, reason = "the state of a digest tells of the data")]
pub struct Digester {
    algorithm: ChecksumAlgorithm,
    state: State,
}

/// The large states are boxed, so that all are of about one size.
enum State {
    Crc(Box<crc_fast::Digest>),
    Sha(ShaContext),
    Md5(md5::Md5),
    Xxh64(Xxh64),
    Xxh3(Box<Xxh3Default>),
}

impl Digester {
    /// Starts.
    pub fn new(algorithm: ChecksumAlgorithm) -> Self {
        let crc = |algorithm| State::Crc(Box::new(crc_fast::Digest::new(algorithm)));
        let state = match algorithm {
            ChecksumAlgorithm::Crc32 => crc(CrcAlgorithm::Crc32IsoHdlc),
            ChecksumAlgorithm::Crc32c => crc(CrcAlgorithm::Crc32Iscsi),
            ChecksumAlgorithm::Crc64Nvme => crc(CrcAlgorithm::Crc64Nvme),
            ChecksumAlgorithm::Sha1 => State::Sha(ShaContext::new(&SHA1_FOR_LEGACY_USE_ONLY)),
            ChecksumAlgorithm::Sha256 => State::Sha(ShaContext::new(&SHA256)),
            ChecksumAlgorithm::Sha512 => State::Sha(ShaContext::new(&SHA512)),
            ChecksumAlgorithm::Md5 => State::Md5(md5::Md5::new()),
            ChecksumAlgorithm::XxHash64 => State::Xxh64(Xxh64::new(0)),
            ChecksumAlgorithm::XxHash3 | ChecksumAlgorithm::XxHash128 => State::Xxh3(Box::new(Xxh3Default::new())),
        };
        Self { algorithm, state }
    }

    /// Which algorithm this is.
    pub fn algorithm(&self) -> ChecksumAlgorithm {
        self.algorithm
    }

    /// Takes more bytes in.
    pub fn update(&mut self, bytes: &[u8]) {
        match &mut self.state {
            State::Crc(crc) => crc.update(bytes),
            State::Sha(sha) => sha.update(bytes),
            State::Md5(md5) => md5.update(bytes),
            State::Xxh64(xxh) => xxh.update(bytes),
            State::Xxh3(xxh) => xxh.update(bytes),
        }
    }

    /// The value of all bytes.
    pub fn finish(self) -> Checksum {
        let value = match self.state {
            State::Crc(crc) => crc_value(self.algorithm, crc.finalize()),
            State::Sha(sha) => sha.finish().as_ref().to_vec(),
            State::Md5(md5) => md5.finalize().to_vec(),
            State::Xxh64(xxh) => xxh.digest().to_be_bytes().to_vec(),
            State::Xxh3(xxh) if self.algorithm == ChecksumAlgorithm::XxHash128 => {
                xxh.digest128().to_be_bytes().to_vec()
            }
            State::Xxh3(xxh) => xxh.digest().to_be_bytes().to_vec(),
        };
        debug_assert_eq!(value.len(), self.algorithm.value_bytes());
        Checksum { algorithm: self.algorithm, value }
    }
}

/// A CRC in its own width; `crc-fast` gives every width as 64 bits.
fn crc_value(algorithm: ChecksumAlgorithm, crc: u64) -> Vec<u8> {
    crc.to_be_bytes()[size_of::<u64>() - algorithm.value_bytes()..].to_vec()
}

/// Full-object value from the parts' values and plaintext lengths, in order. `None` unless the algorithm combines and
/// each value is of its length.
pub fn combine_full_object(algorithm: ChecksumAlgorithm, parts: &[(Vec<u8>, u64)]) -> Option<Checksum> {
    let crc = match algorithm {
        ChecksumAlgorithm::Crc32 => CrcAlgorithm::Crc32IsoHdlc,
        ChecksumAlgorithm::Crc32c => CrcAlgorithm::Crc32Iscsi,
        ChecksumAlgorithm::Crc64Nvme => CrcAlgorithm::Crc64Nvme,
        _ => return None,
    };
    let mut whole = 0; // The CRC of nothing, for all three.
    for (value, plain_len) in parts {
        if value.len() != algorithm.value_bytes() {
            return None;
        }
        let part = value.iter().fold(0, |crc, byte| crc << 8 | u64::from(*byte));
        whole = crc_fast::checksum_combine(crc, whole, part, *plain_len);
    }
    Some(Checksum { algorithm, value: crc_value(algorithm, whole) })
}

/// Incremental MD5, for ETags and Content-MD5.
#[expect(missing_debug_implementations, reason = "the state of a digest tells of the data")]
#[derive(Default)]
pub struct Md5(md5::Md5);

impl Md5 {
    /// Starts.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes more bytes in.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The digest.
    pub fn finish(self) -> [u8; 16] {
        self.0.finalize().into()
    }
}

/// Incremental SHA-256.
#[expect(missing_debug_implementations, reason = "the state of a digest tells of the data")]
pub struct Sha256(ShaContext);

impl Sha256 {
    /// Starts.
    pub fn new() -> Self {
        Self(ShaContext::new(&SHA256))
    }

    /// Takes more bytes in.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The digest.
    pub fn finish(self) -> [u8; 32] {
        self.0.finish().as_ref().try_into().expect("a SHA-256 has 32 bytes")
    }
}

impl Default for Sha256 {
    fn default() -> Self {
        Self::new()
    }
}

/// SHA-256 of `bytes`.
pub fn sha256(bytes: &[u8]) -> [u8; 32] {
    digest(&SHA256, bytes).as_ref().try_into().expect("a SHA-256 has 32 bytes")
}

/// MD5 of `bytes`: for ETags and Content-MD5 only.
pub fn md5(bytes: &[u8]) -> [u8; 16] {
    md5::Md5::digest(bytes).into()
}

/// CRC-64/NVME of `bytes` on top of `previous` (0 to start): for finding rotten bytes, not against an attacker.
pub fn crc64_nvme(previous: u64, bytes: &[u8]) -> u64 {
    // The register is the value before its final inversion.
    let mut crc = crc_fast::Digest::new_with_init_state(CrcAlgorithm::Crc64Nvme, !previous);
    crc.update(bytes);
    crc.finalize()
}

/// HMAC-SHA256.
pub fn hmac_sha256(key: &[u8], message: &[u8]) -> [u8; 32] {
    let key = hmac::Key::new(hmac::HMAC_SHA256, key);
    hmac::sign(&key, message).as_ref().try_into().expect("an HMAC-SHA256 has 32 bytes")
}

/// Compares without telling by its time where the two differ. Their lengths are no secret.
pub fn constant_time_eq(a: &[u8], b: &[u8]) -> bool {
    constant_time::verify_slices_are_equal(a, b).is_ok()
}

#[cfg(test)]
mod tests;
