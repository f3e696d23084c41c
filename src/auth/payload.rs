//! A request's body with its framing taken off and its promises checked: length, payload hash, chunk signatures,
//! Content-MD5, checksums in header and trailer.

mod promises;
#[cfg(test)]
mod tests;

use std::error::Error;
use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::{Bytes, BytesMut};
use futures_util::StreamExt as _;
use futures_util::stream::BoxStream;

use crate::crypto::{Checksum, ChecksumAlgorithm, Digester, Md5, Sha256, crc64_nvme};
use http::request::Parts;

use super::AuthError;
use crate::sigv4::{ChunkedError, Decoder, hex};
use crate::wire::RequestBody;
pub(super) use promises::ContentHash;
pub(super) use promises::{ChecksumPromise, Framing, Promises};

/// What is wrong with a body. Each maps to one AWS error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PayloadError {
    /// The connection broke or the client sent less than it promised: `IncompleteBody` "The request body terminated
    /// unexpectedly".
    Incomplete,
    /// More than the declared length: `IncompleteBody` too, as AWS answers it.
    TooLong,
    /// `x-amz-content-sha256` is not the hash of what came: `XAmzContentSHA256Mismatch` "The provided
    /// 'x-amz-content-sha256' header does not match what was computed.", with `ClientComputedContentSHA256` and
    /// `S3ComputedContentSHA256`.
    Sha256Mismatch {
        /// Hexadecimal, from the client.
        provided: String,
        /// Hexadecimal, of what came.
        computed: String,
    },
    /// A chunk's signature, or the trailer's, is wrong: `SignatureDoesNotMatch`.
    ChunkSignature,
    /// The aws-chunked framing is broken: `IncompleteBody`, as AWS answers it. The text is for the log.
    Framing(&'static str),
    /// A declared trailer is missing, another came, or one is malformed: `MalformedTrailerError` "The request contained
    /// trailing data that was not well-formed or did not conform to our published schema."
    Trailer,
    /// An upload form is cut short or broken: `MalformedPOSTRequest`.
    Form,
    /// An upload form brings a second file: `InvalidArgument` "POST requires exactly one file upload per request."
    SecondFile,
    /// The file of an upload form is longer than its policy allows: `EntityTooLarge`.
    FileTooLong {
        /// Its bytes, as far as they are known.
        proposed: u64,
        /// What is allowed.
        limit: u64,
    },
    /// The file of an upload form is shorter than its policy wants: `EntityTooSmall`.
    FileTooShort {
        /// Its bytes.
        proposed: u64,
        /// What is wanted.
        limit: u64,
    },
    /// Content-MD5 is not that of what came: `BadDigest` "The Content-MD5 you specified did not match what we
    /// received.", with `ExpectedDigest` and `CalculatedDigest`.
    Md5Mismatch {
        /// Base64.
        expected: String,
        /// Base64.
        calculated: String,
    },
    /// A checksum is not that of what came: `BadDigest` "The CRC32 you specified did not match the calculated
    /// checksum.", with the algorithm's name.
    ChecksumMismatch {
        /// Which.
        algorithm: ChecksumAlgorithm,
    },
    /// A trailing checksum's value is malformed: `InvalidRequest` "Value for x-amz-checksum-… trailing header is
    /// invalid."
    ChecksumInvalid {
        /// Which.
        algorithm: ChecksumAlgorithm,
    },
    /// The client was too slow or too long idle: `RequestTimeout`.
    Timeout,
}

/// The text for the client.
impl fmt::Display for PayloadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Incomplete | Self::TooLong | Self::Framing(_) => {
                f.write_str("The request body terminated unexpectedly")
            }
            Self::Sha256Mismatch { .. } => {
                f.write_str("The provided 'x-amz-content-sha256' header does not match what was computed.")
            }
            Self::ChunkSignature => f.write_str(super::authenticate::SIGNATURE_MISMATCH),
            Self::Trailer => f.write_str(
                "The request contained trailing data that was not well-formed or did not conform to our published \
                 schema.",
            ),
            Self::Md5Mismatch { .. } => f.write_str("The Content-MD5 you specified did not match what we received."),
            Self::ChecksumMismatch { algorithm } => {
                write!(f, "The {} you specified did not match the calculated checksum.", algorithm.name())
            }
            Self::ChecksumInvalid { algorithm } => {
                write!(f, "Value for {} trailing header is invalid.", promises::checksum_header(*algorithm))
            }
            Self::Form => f.write_str("The body of your POST request is not well-formed multipart/form-data."),
            Self::SecondFile => f.write_str("POST requires exactly one file upload per request."),
            Self::FileTooLong { .. } => f.write_str("Your proposed upload exceeds the maximum allowed size"),
            Self::FileTooShort { .. } => f.write_str("Your proposed upload is smaller than the minimum allowed size"),
            Self::Timeout => f.write_str(
                "Your socket connection to the server was not read from or written to within the timeout period. \
                 Idle connections will be closed.",
            ),
        }
    }
}

impl Error for PayloadError {}

impl PayloadError {
    /// What an error of the edge's body means.
    pub fn of_body(error: &(dyn Error + 'static)) -> Self {
        let mut cause = Some(error);
        while let Some(error) = cause {
            if error.is::<BodyTimeout>() {
                return Self::Timeout;
            }
            cause = error.source();
        }
        Self::Incomplete
    }
}

/// The error that the edge's body yields when the client was too slow or too long idle: becomes
/// [`PayloadError::Timeout`], where every other error of a body means that it is [`PayloadError::Incomplete`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BodyTimeout;

impl fmt::Display for BodyTimeout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("timeout while reading a request's body")
    }
}

impl Error for BodyTimeout {}

/// The body of one request, to be read to its end and then turned into proof. Nothing is read before the first
/// [`Self::next`]: that is what tells a client that waits for `100 Continue` to go on.
#[expect(missing_debug_implementations, reason = "holds signing keys")]
pub struct Payload {
    source: Source,
    plain_len: Option<u64>,
    /// `plain_len` is the most that may come.
    at_most: bool,
    sha256: Option<String>,
    content_md5: Option<[u8; 16]>,
    promise: Option<ChecksumPromise>,
    digests: Digests,
    taken_bytes: u64,
    progress: Progress,
}

enum Source {
    Plain(RequestBody),
    Chunked { body: RequestBody, decoder: Box<Decoder>, input: Bytes },
    Internal(BoxStream<'static, Result<Bytes, PayloadError>>),
    Ended,
}

enum Progress {
    Reading,
    Verified(BodyVerified),
    Failed(PayloadError),
}

/// Each digest is computed once, whoever asks for it and under whichever name.
#[derive(Default)]
struct Digests {
    sha256: Option<Sha256>,
    md5: Option<Md5>,
    /// CRC-64/NVME so far.
    crc64_nvme: Option<u64>,
    other: Option<Digester>,
    /// Of which of the four the checksum is.
    checksum: Option<ChecksumAlgorithm>,
}

/// Proof that a body came whole and kept all its promises.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BodyVerified {
    plain_len: u64,
    md5: Option<[u8; 16]>,
    crc64_nvme: Option<u64>,
    checksum: Option<Checksum>,
}

impl Payload {
    /// For `authenticate` alone.
    pub(super) fn new(body: RequestBody, promises: Promises) -> Self {
        let mut digests = Digests::default();
        if promises.sha256.is_some() {
            digests.sha256 = Some(Sha256::new());
        }
        if promises.content_md5.is_some() {
            digests.md5 = Some(Md5::new());
        }
        if let Some(promise) = &promises.checksum {
            digests.start_checksum(promise.algorithm());
        }
        let source = match promises.framing {
            Framing::Plain => Source::Plain(body),
            Framing::Chunked(signer) => {
                Source::Chunked { body, decoder: Box::new(Decoder::new(signer)), input: Bytes::new() }
            }
        };
        Self {
            source,
            plain_len: promises.plain_len,
            at_most: false,
            sha256: promises.sha256,
            content_md5: promises.content_md5,
            promise: promises.checksum,
            digests,
            taken_bytes: 0,
            progress: Progress::Reading,
        }
    }

    /// The file of an upload form as it comes: at most `at_most` bytes, since only its end tells its length. `fields`:
    /// the form's, as headers, whose promises of a digest or a checksum are kept as those of a body's are.
    pub fn of_form(
        file: BoxStream<'static, Result<Bytes, PayloadError>>,
        at_most: u64,
        fields: &Parts,
    ) -> Result<Self, AuthError> {
        let promises = Promises::parse(fields, ContentHash::Absent, None)?;
        let payload = Self::new(RequestBody::full(Bytes::new()), promises);
        Ok(Self { source: Source::Internal(file), plain_len: Some(at_most), at_most: true, ..payload })
    }

    /// Whether [`Self::plain_len`] is the length, and not only the most that may come.
    pub fn is_len_exact(&self) -> bool {
        !self.at_most
    }

    /// The declared length of the data without framing, in bytes; 0 where none is declared.
    pub fn plain_len(&self) -> u64 {
        self.plain_len.unwrap_or(0)
    }

    /// Whether the client declared a length. Without one there is no body, or a broken one; AWS answers
    /// `MissingContentLength` where an operation needs a body.
    pub fn is_len_declared(&self) -> bool {
        self.plain_len.is_some()
    }

    /// Whether the client named a digest of the body that it will be checked against: Content-MD5, or a checksum in
    /// header or trailer. (`x-amz-content-sha256` does not count with AWS.)
    pub fn is_digest_named(&self) -> bool {
        self.content_md5.is_some() || self.promise.is_some()
    }

    /// Asks for the MD5 of the data as well (for an ETag). Before the first [`Self::next`].
    pub fn want_md5(&mut self) {
        assert!(self.taken_bytes == 0, "digests are asked for before the data comes");
        self.digests.md5.get_or_insert_default();
    }

    /// Asks for the CRC-64/NVME of the data, whatever checksum the client sent. Before the first [`Self::next`].
    pub fn want_crc64_nvme(&mut self) {
        assert!(self.taken_bytes == 0, "digests are asked for before the data comes");
        self.digests.crc64_nvme.get_or_insert(0);
    }

    /// The algorithm that the client named in header or trailer, if any.
    pub fn client_checksum(&self) -> Option<ChecksumAlgorithm> {
        self.promise.as_ref().map(ChecksumPromise::algorithm)
    }

    /// Asks for a checksum that the client did not send. Before the first [`Self::next`]; without effect if the
    /// client named one.
    pub fn want_checksum(&mut self, algorithm: ChecksumAlgorithm) {
        assert!(self.taken_bytes == 0, "digests are asked for before the data comes");
        if self.promise.is_none() {
            self.digests.start_checksum(algorithm);
        }
    }

    /// The next data, never empty; `None` when all has come and everything has been checked. After an error it is
    /// that error for ever.
    pub async fn next(&mut self) -> Result<Option<Bytes>, PayloadError> {
        match &self.progress {
            Progress::Reading => {}
            Progress::Verified(_) => return Ok(None),
            Progress::Failed(error) => return Err(error.clone()),
        }
        let result = self.advance().await;
        if let Err(error) = &result {
            self.progress = Progress::Failed(error.clone());
        }
        result
    }

    async fn advance(&mut self) -> Result<Option<Bytes>, PayloadError> {
        let Some(data) = self.source.next().await? else {
            let trailers = std::mem::replace(&mut self.source, Source::Ended).finish()?;
            self.progress = Progress::Verified(self.verify(&trailers)?);
            return Ok(None);
        };
        self.taken_bytes += data.len() as u64;
        if self.taken_bytes > self.plain_len() {
            return Err(PayloadError::TooLong);
        }
        self.digests.update(&data);
        Ok(Some(data))
    }

    /// Where several promises are broken AWS names the length, then the trailer, then SHA-256, MD5, checksum.
    fn verify(&mut self, trailers: &[(String, String)]) -> Result<BodyVerified, PayloadError> {
        if self.taken_bytes != self.plain_len() && !self.at_most {
            return Err(PayloadError::Incomplete);
        }
        let trailing = self.trailing_checksum(trailers)?;
        let Digests { sha256, md5, crc64_nvme, other, checksum: algorithm } = std::mem::take(&mut self.digests);
        let (sha256, md5) = (sha256.map(Sha256::finish), md5.map(Md5::finish));
        if let (Some(provided), Some(computed)) = (&self.sha256, &sha256) {
            let computed = hex(computed);
            if !provided.eq_ignore_ascii_case(&computed) {
                return Err(PayloadError::Sha256Mismatch { provided: provided.clone(), computed });
            }
        }
        if let (Some(expected), Some(calculated)) = (self.content_md5, md5)
            && expected != calculated
        {
            let (expected, calculated) = (STANDARD.encode(expected), STANDARD.encode(calculated));
            return Err(PayloadError::Md5Mismatch { expected, calculated });
        }
        let checksum = match (algorithm, other) {
            (Some(algorithm), Some(other)) if other.algorithm() == algorithm => Some(other.finish()),
            (Some(ChecksumAlgorithm::Sha256), _) => sha256.map(|v| (ChecksumAlgorithm::Sha256, v.to_vec())).map(named),
            (Some(ChecksumAlgorithm::Md5), _) => md5.map(|v| (ChecksumAlgorithm::Md5, v.to_vec())).map(named),
            (Some(ChecksumAlgorithm::Crc64Nvme), _) => {
                crc64_nvme.map(|v| (ChecksumAlgorithm::Crc64Nvme, v.to_be_bytes().to_vec())).map(named)
            }
            _ => None,
        };
        let promised = match &self.promise {
            Some(ChecksumPromise::Header(checksum)) => Some(checksum),
            Some(ChecksumPromise::Trailer(_)) => trailing.as_ref(),
            None => None,
        };
        match promised {
            Some(promised) if checksum.as_ref() != Some(promised) => {
                Err(PayloadError::ChecksumMismatch { algorithm: promised.algorithm })
            }
            _ => Ok(BodyVerified { plain_len: self.taken_bytes, md5, crc64_nvme, checksum }),
        }
    }

    /// The declared trailing checksum: it must be there, and nothing else; sent twice, the last one counts.
    fn trailing_checksum(&self, trailers: &[(String, String)]) -> Result<Option<Checksum>, PayloadError> {
        let Some(ChecksumPromise::Trailer(algorithm)) = self.promise else {
            return if trailers.is_empty() { Ok(None) } else { Err(PayloadError::Trailer) };
        };
        let expected = promises::checksum_header(algorithm);
        let Some((_, value)) = trailers.last() else { return Err(PayloadError::Trailer) };
        if trailers.iter().any(|(name, _)| *name != expected) {
            return Err(PayloadError::Trailer);
        }
        let checksum = promises::parse_checksum(algorithm, value);
        checksum.map(Some).ok_or(PayloadError::ChecksumInvalid { algorithm })
    }

    /// Proof, after [`Self::next`] has returned `None`. Panics before that.
    pub fn finish(self) -> BodyVerified {
        match self.progress {
            Progress::Verified(proof) => proof,
            Progress::Reading | Progress::Failed(_) => panic!("a body was used before it was verified"),
        }
    }

    /// Reads a small body whole, e.g. XML: at most `limit` bytes, else `None`.
    pub async fn collect(mut self, limit: usize) -> Result<Option<(Bytes, BodyVerified)>, PayloadError> {
        if self.plain_len() > limit as u64 {
            return Ok(None);
        }
        let mut whole = Bytes::new();
        let mut joined = BytesMut::new();
        while let Some(data) = self.next().await? {
            if whole.is_empty() && joined.is_empty() {
                whole = data;
            } else {
                joined.extend_from_slice(&std::mem::take(&mut whole));
                joined.extend_from_slice(&data);
            }
        }
        let bytes = if joined.is_empty() { whole } else { joined.freeze() };
        Ok(Some((bytes, self.finish())))
    }

    /// Data from inside (a copy's source, already authenticated by its segments' tags) instead of a client.
    pub fn internal(chunks: BoxStream<'static, Result<Bytes, PayloadError>>, plain_len: u64) -> Self {
        Self {
            source: Source::Internal(chunks),
            plain_len: Some(plain_len),
            at_most: false,
            sha256: None,
            content_md5: None,
            promise: None,
            digests: Digests::default(),
            taken_bytes: 0,
            progress: Progress::Reading,
        }
    }
}

fn named((algorithm, value): (ChecksumAlgorithm, Vec<u8>)) -> Checksum {
    Checksum { algorithm, value }
}

impl Source {
    async fn next(&mut self) -> Result<Option<Bytes>, PayloadError> {
        loop {
            let received = match self {
                Self::Plain(body) => body.next().await.transpose().map_err(|e| PayloadError::of_body(&*e))?,
                Self::Chunked { body, decoder, input } => {
                    if let Some(data) = decoder.decode(input)? {
                        return Ok(Some(data));
                    }
                    match body.next().await.transpose().map_err(|e| PayloadError::of_body(&*e))? {
                        Some(more) => {
                            *input = more;
                            continue;
                        }
                        None => None,
                    }
                }
                Self::Internal(chunks) => chunks.next().await.transpose()?,
                Self::Ended => None,
            };
            match received {
                Some(data) if data.is_empty() => {}
                data => return Ok(data),
            }
        }
    }

    /// The trailing headers, after the end.
    fn finish(self) -> Result<Vec<(String, String)>, PayloadError> {
        match self {
            Self::Chunked { decoder, .. } => Ok(decoder.finish()?),
            Self::Plain(_) | Self::Internal(_) | Self::Ended => Ok(Vec::new()),
        }
    }
}

impl From<ChunkedError> for PayloadError {
    fn from(error: ChunkedError) -> Self {
        match error {
            ChunkedError::Framing(text) => Self::Framing(text),
            ChunkedError::Truncated => Self::Incomplete,
            ChunkedError::Trailer => Self::Trailer,
            ChunkedError::Signature => Self::ChunkSignature,
        }
    }
}

impl Digests {
    fn start_checksum(&mut self, algorithm: ChecksumAlgorithm) {
        self.checksum = Some(algorithm);
        match algorithm {
            ChecksumAlgorithm::Sha256 => {
                self.sha256.get_or_insert_default();
            }
            ChecksumAlgorithm::Md5 => {
                self.md5.get_or_insert_default();
            }
            ChecksumAlgorithm::Crc64Nvme => {
                self.crc64_nvme.get_or_insert(0);
            }
            other => self.other = Some(Digester::new(other)),
        }
    }

    fn update(&mut self, data: &[u8]) {
        if let Some(digest) = &mut self.sha256 {
            digest.update(data);
        }
        if let Some(digest) = &mut self.md5 {
            digest.update(data);
        }
        if let Some(crc) = &mut self.crc64_nvme {
            *crc = crc64_nvme(*crc, data);
        }
        if let Some(digest) = &mut self.other {
            digest.update(data);
        }
    }
}

impl BodyVerified {
    /// Length of the data in bytes.
    pub fn plain_len(&self) -> u64 {
        self.plain_len
    }

    /// MD5 of the data, if it was asked for or the client sent one.
    pub fn md5(&self) -> Option<[u8; 16]> {
        self.md5
    }

    /// CRC-64/NVME of the data, if it was asked for or is the checksum.
    pub fn crc64_nvme(&self) -> Option<u64> {
        self.crc64_nvme
    }

    /// The checksum: the client's, verified, or the one asked for.
    pub fn checksum(&self) -> Option<&Checksum> {
        self.checksum.as_ref()
    }
}
