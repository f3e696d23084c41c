//! `aws-chunked`: a body in chunks inside the body that HTTP carries, with or without signatures and trailing headers.
//!
//! ```text
//! SIZE[;chunk-signature=SIGNATURE]\r\n DATA \r\n   … any number of times, SIZE in hexadecimal …
//! 0[;chunk-signature=SIGNATURE]\r\n
//! [name:value\r\n …]  [x-amz-trailer-signature:SIGNATURE\r\n]  [\r\n]
//! ```
//!
//! Where the frames of HTTP begin and end means nothing here: a size line may come byte by byte, one frame may hold
//! many chunks, one chunk of 5 GiB many frames. Data is handed on as slices of the input as it comes.

use bytes::{Buf as _, Bytes};

use super::ChunkSigner;
use crate::crypto::{Sha256, constant_time_eq};

/// The largest chunk: the largest body of one request.
pub const MAX_CHUNK_BYTES: u64 = 5 << 30;

/// The longest size line or trailing header, in bytes. A signed size line takes about 100.
pub const MAX_LINE_BYTES: usize = 1024;

/// The most bytes of trailing headers, the empty line after them included. Nothing may follow it.
pub const MAX_TRAILING_BYTES: usize = 8 * 1024;

/// Name of the trailing header that signs the others.
const TRAILER_SIGNATURE: &str = "x-amz-trailer-signature";

/// Why a body is not `aws-chunked`, or not the signer's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChunkedError {
    /// The framing is broken, or over a limit.
    Framing(&'static str),
    /// The body ended inside a chunk or line, or without a last chunk.
    Truncated,
    /// A trailing header is malformed, or its signature is missing, or something follows the end.
    Trailer,
    /// The signature of a chunk or of the trailing headers is wrong.
    Signature,
}

/// Takes the framing off, incrementally. With a [`ChunkSigner`] every chunk must be signed. Data is handed out before
/// its chunk's signature is known to be right, so that no chunk need be held: nothing may be made of it before
/// [`Self::finish`] has agreed.
#[expect(missing_debug_implementations, reason = "holds a signing key")]
pub struct Decoder {
    state: State,
    line: Vec<u8>,
    signing: Option<Signing>,
    trailers: Vec<(String, String)>,
    trailing_bytes: usize,
}

enum State {
    SizeLine,
    Data { left: u64 },
    DataEnd,
    Trailers,
    Over,
}

struct Signing {
    signer: ChunkSigner,
    data: Sha256,
    provided: String,
}

impl Decoder {
    /// At the start of a body; `signer` if the chunks are signed.
    pub fn new(signer: Option<ChunkSigner>) -> Self {
        let signing = signer.map(|signer| Signing { signer, data: Sha256::new(), provided: String::new() });
        Self { state: State::SizeLine, line: Vec::new(), signing, trailers: Vec::new(), trailing_bytes: 0 }
    }

    /// Takes from `input` and returns the next data; `None` once `input` is empty.
    pub fn decode(&mut self, input: &mut Bytes) -> Result<Option<Bytes>, ChunkedError> {
        while !input.is_empty() {
            match self.state {
                State::SizeLine => {
                    if self.fill_line(input)? {
                        self.begin_chunk()?;
                    }
                }
                State::Data { left } => return self.take_data(left, input).map(Some),
                State::DataEnd => {
                    if self.fill_line(input)? {
                        self.state = State::SizeLine;
                        if !std::mem::take(&mut self.line).is_empty() {
                            return Err(ChunkedError::Framing("a chunk is longer than its size"));
                        }
                    }
                }
                State::Trailers => {
                    let before = input.len();
                    let complete = self.fill_line(input)?;
                    self.count_trailing(before - input.len())?;
                    if complete {
                        self.end_trailer_line()?;
                    }
                }
                // Nobody vouches for what follows the empty line, and no client is known that sends anything there. S3
                // says of a trailing header in that place that it is malformed; of other bytes nothing is recorded.
                State::Over => return Err(ChunkedError::Trailer),
            }
        }
        Ok(None)
    }

    /// At the end of the body: checks that it came whole, and the trailing headers' signature. Returns these headers:
    /// names in lower case, values trimmed, in the order sent. The empty line after them may be missing.
    pub fn finish(self) -> Result<Vec<(String, String)>, ChunkedError> {
        match self.state {
            State::Over => {}
            State::Trailers if self.line.is_empty() => {}
            _ => return Err(ChunkedError::Truncated),
        }
        let Some(signing) = self.signing else { return Ok(self.trailers) };
        let (signatures, mut trailers): (Vec<_>, Vec<_>) =
            self.trailers.into_iter().partition(|(name, _)| name == TRAILER_SIGNATURE);
        match (signatures.as_slice(), trailers.is_empty()) {
            ([], true) => return Ok(trailers),
            ([_], _) => {}
            _ => return Err(ChunkedError::Trailer),
        }
        trailers.sort();
        let canonical: String = trailers.iter().map(|(name, value)| format!("{name}:{value}\n")).collect();
        let expected = signing.signer.sign_trailer(canonical.as_bytes());
        if !constant_time_eq(expected.as_bytes(), signatures[0].1.as_bytes()) {
            return Err(ChunkedError::Signature);
        }
        Ok(trailers)
    }

    /// Moves bytes up to a line's end into `self.line`; true when it is there, without its `\r\n`.
    fn fill_line(&mut self, input: &mut Bytes) -> Result<bool, ChunkedError> {
        let end = input.iter().position(|&b| b == b'\n');
        let take = end.map_or(input.len(), |at| at + 1);
        if self.line.len() + take > MAX_LINE_BYTES {
            return Err(ChunkedError::Framing("a line of the chunk framing is too long"));
        }
        self.line.extend_from_slice(&input[..take]);
        input.advance(take);
        if end.is_none() {
            return Ok(false);
        }
        match self.line.strip_suffix(b"\r\n") {
            Some(line) => self.line.truncate(line.len()),
            None => return Err(ChunkedError::Framing("a line of the chunk framing does not end in CRLF")),
        }
        Ok(true)
    }

    fn begin_chunk(&mut self) -> Result<(), ChunkedError> {
        let line = std::mem::take(&mut self.line);
        let line = std::str::from_utf8(&line).map_err(|_| ChunkedError::Framing("a chunk's size line is not text"))?;
        let (size, extensions) = line.split_once(';').unwrap_or((line, ""));
        let size = parse_size(size.trim())?;
        if let Some(signing) = &mut self.signing {
            signing.provided = chunk_signature(extensions)?.to_owned();
        }
        if size == 0 {
            self.end_chunk()?;
            self.state = State::Trailers;
        } else {
            self.state = State::Data { left: size };
        }
        Ok(())
    }

    fn take_data(&mut self, left: u64, input: &mut Bytes) -> Result<Bytes, ChunkedError> {
        let take = usize::try_from(left).map_or(input.len(), |left| left.min(input.len()));
        let data = input.split_to(take);
        let left = left - data.len() as u64;
        if let Some(signing) = &mut self.signing {
            signing.data.update(&data);
        }
        self.state = State::Data { left };
        if left == 0 {
            self.end_chunk()?;
            self.state = State::DataEnd;
        }
        Ok(data)
    }

    fn end_chunk(&mut self) -> Result<(), ChunkedError> {
        let Some(signing) = &mut self.signing else { return Ok(()) };
        let digest = std::mem::take(&mut signing.data).finish();
        let expected = signing.signer.sign_chunk(&digest);
        if constant_time_eq(expected.as_bytes(), signing.provided.as_bytes()) {
            Ok(())
        } else {
            Err(ChunkedError::Signature)
        }
    }

    fn end_trailer_line(&mut self) -> Result<(), ChunkedError> {
        let line = std::mem::take(&mut self.line);
        if line.is_empty() {
            self.state = State::Over;
            return Ok(());
        }
        let line = std::str::from_utf8(&line).map_err(|_| ChunkedError::Trailer)?;
        let (name, value) = line.split_once(':').ok_or(ChunkedError::Trailer)?;
        self.trailers.push((name.trim().to_ascii_lowercase(), value.trim().to_owned()));
        Ok(())
    }

    fn count_trailing(&mut self, bytes: usize) -> Result<(), ChunkedError> {
        self.trailing_bytes = self.trailing_bytes.saturating_add(bytes);
        if self.trailing_bytes > MAX_TRAILING_BYTES {
            return Err(ChunkedError::Framing("too much follows the last chunk"));
        }
        Ok(())
    }
}

fn parse_size(digits: &str) -> Result<u64, ChunkedError> {
    const BAD: ChunkedError = ChunkedError::Framing("a chunk's size is not a hexadecimal number of at most 5 GiB");
    if !(1..=16).contains(&digits.len()) || !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
        return Err(BAD);
    }
    u64::from_str_radix(digits, 16).ok().filter(|size| *size <= MAX_CHUNK_BYTES).ok_or(BAD)
}

fn chunk_signature(extensions: &str) -> Result<&str, ChunkedError> {
    extensions
        .split(';')
        .find_map(|extension| extension.trim().strip_prefix("chunk-signature="))
        .filter(|signature| !signature.is_empty())
        .ok_or(ChunkedError::Framing("a chunk has no signature"))
}

#[cfg(test)]
mod tests;
