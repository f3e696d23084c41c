//! Digests, checksums and MACs.

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
}

impl Digester {
    /// Starts.
    pub fn new(algorithm: ChecksumAlgorithm) -> Self {
        Self { algorithm }
    }

    /// Which algorithm this is.
    pub fn algorithm(&self) -> ChecksumAlgorithm {
        self.algorithm
    }

    /// Takes more bytes in.
    pub fn update(&mut self, bytes: &[u8]) {
        let _ = bytes;
        unimplemented!()
    }

    /// The value of all bytes.
    pub fn finish(self) -> Checksum {
        unimplemented!()
    }
}

/// Full-object value from the parts' values and plaintext lengths, in order. `None` unless the algorithm combines.
pub fn combine_full_object(algorithm: ChecksumAlgorithm, parts: &[(Vec<u8>, u64)]) -> Option<Checksum> {
    let _ = (algorithm, parts);
    unimplemented!()
}

/// Incremental MD5, for ETags and Content-MD5.
#[expect(missing_debug_implementations, reason = "the state of a digest tells of the data")]
#[derive(Default)]
pub struct Md5 {}

impl Md5 {
    /// Starts.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes more bytes in.
    pub fn update(&mut self, bytes: &[u8]) {
        let _ = bytes;
        unimplemented!()
    }

    /// The digest.
    pub fn finish(self) -> [u8; 16] {
        unimplemented!()
    }
}

/// Incremental SHA-256.
#[expect(missing_debug_implementations, reason = "the state of a digest tells of the data")]
#[derive(Default)]
pub struct Sha256 {}

impl Sha256 {
    /// Starts.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes more bytes in.
    pub fn update(&mut self, bytes: &[u8]) {
        let _ = bytes;
        unimplemented!()
    }

    /// The digest.
    pub fn finish(self) -> [u8; 32] {
        unimplemented!()
    }
}

/// SHA-256 of `bytes`.
pub fn sha256(bytes: &[u8]) -> [u8; 32] {
    let _ = bytes;
    unimplemented!()
}

/// MD5 of `bytes`: for ETags and Content-MD5 only.
pub fn md5(bytes: &[u8]) -> [u8; 16] {
    let _ = bytes;
    unimplemented!()
}

/// CRC-64/NVME of `bytes` on top of `previous` (0 to start): for finding rotten bytes, not against an attacker.
pub fn crc64_nvme(previous: u64, bytes: &[u8]) -> u64 {
    let _ = (previous, bytes);
    unimplemented!()
}

/// HMAC-SHA256.
pub fn hmac_sha256(key: &[u8], message: &[u8]) -> [u8; 32] {
    let _ = (key, message);
    unimplemented!()
}

/// Compares without telling by its time where the two differ.
pub fn constant_time_eq(a: &[u8], b: &[u8]) -> bool {
    let _ = (a, b);
    unimplemented!()
}
