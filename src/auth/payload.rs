//! A request's body with its framing taken off and its promises checked: length, payload hash, chunk signatures,
//! Content-MD5, checksums in header and trailer.

use bytes::Bytes;

use crate::crypto::{Checksum, ChecksumAlgorithm};
use crate::wire::RequestBody;

/// What is wrong with a body. Each maps to one AWS error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PayloadError {
    /// The connection broke or the client sent less than it promised: `IncompleteBody`.
    Incomplete,
    /// More than the declared length: `IncompleteBody` too, as AWS answers it.
    TooLong,
    /// `x-amz-content-sha256` is not the hash of what came: `XAmzContentSHA256Mismatch`.
    Sha256Mismatch {
        /// Hexadecimal, from the client.
        provided: String,
        /// Hexadecimal, of what came.
        computed: String,
    },
    /// A chunk's signature, or the trailer's, is wrong: `SignatureDoesNotMatch`.
    ChunkSignature,
    /// The aws-chunked framing is broken: `InvalidChunkSizeError` and kin as `IncompleteBody` or `InvalidRequest`.
    Framing(&'static str),
    /// A declared trailer is missing or malformed: `MalformedTrailerError`.
    Trailer,
    /// Content-MD5 is not that of what came: `BadDigest`.
    Md5Mismatch {
        /// Base64.
        expected: String,
        /// Base64.
        calculated: String,
    },
    /// A checksum is not that of what came: `BadDigest`.
    ChecksumMismatch {
        /// Which.
        algorithm: ChecksumAlgorithm,
    },
    /// A trailing checksum's value is malformed: `InvalidRequest` "Value for x-amz-checksum-… header is invalid."
    ChecksumInvalid {
        /// Which.
        algorithm: ChecksumAlgorithm,
    },
    /// The client was too slow or too long idle: `RequestTimeout`.
    Timeout,
}

/// The body of one request, to be read to its end and then turned into proof.
#[expect(missing_debug_implementations, reason = "holds signing keys")]
pub struct Payload {
    body: RequestBody,
}

/// Proof that a body came whole and kept all its promises.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BodyVerified {
    plain_len: u64,
    md5: Option<[u8; 16]>,
    checksum: Option<Checksum>,
}

impl Payload {
    /// The declared length of the data without framing, in bytes.
    pub fn plain_len(&self) -> u64 {
        unimplemented!()
    }

    /// Asks for the MD5 of the data as well (for an ETag). Before the first [`Self::next`].
    pub fn want_md5(&mut self) {
        unimplemented!()
    }

    /// The algorithm that the client named in header or trailer, if any.
    pub fn client_checksum(&self) -> Option<ChecksumAlgorithm> {
        unimplemented!()
    }

    /// Asks for a checksum that the client did not send. Before the first [`Self::next`]; without effect if the
    /// client named one.
    pub fn want_checksum(&mut self, algorithm: ChecksumAlgorithm) {
        let _ = algorithm;
        unimplemented!()
    }

    /// The next data; `None` when all has come and everything has been checked.
    pub async fn next(&mut self) -> Result<Option<Bytes>, PayloadError> {
        let _ = self.body.next().await;
        unimplemented!()
    }

    /// Proof, after [`Self::next`] has returned `None`. Panics before that.
    pub fn finish(self) -> BodyVerified {
        unimplemented!()
    }

    /// Reads a small body whole, e.g. XML: at most `limit` bytes, else `None`.
    pub async fn collect(self, limit: usize) -> Result<Option<(Bytes, BodyVerified)>, PayloadError> {
        let _ = limit;
        unimplemented!()
    }

    /// Data from inside (a copy's source, already authenticated by its segments' tags) instead of a client.
    pub fn internal(
        chunks: futures_util::stream::BoxStream<'static, Result<Bytes, PayloadError>>,
        plain_len: u64,
    ) -> Self {
        let _ = (chunks, plain_len);
        unimplemented!()
    }
}

impl BodyVerified {
    /// Length of the data in bytes.
    pub fn plain_len(&self) -> u64 {
        self.plain_len
    }

    /// MD5 of the data, if it was asked for.
    pub fn md5(&self) -> Option<[u8; 16]> {
        self.md5
    }

    /// The checksum: the client's, verified, or the one asked for.
    pub fn checksum(&self) -> Option<&Checksum> {
        self.checksum.as_ref()
    }
}
