//! A part of the chain in a file, to be checked away from the store. Pure.
//!
//! JSON lines, each in one spelling (`H` is a hash in lower-case hexadecimal, `RECORD` the canonical JSON):
//!
//! ```text
//! {"strongroomAudit":1,"gateway":"…32 digits…","after":{"seq":0,"hash":"H"}}
//! {"seq":1,"hash":"H","record":RECORD}
//! …
//! {"head":{"seq":N,"hash":"H"}}
//! ```
//!
//! `hash = SHA-256(seq as 8 bytes, big endian | hash before | RECORD)`; the hash before the first record is that of
//! `after`, 32 zero bytes at the start of a chain. `fixtures/audit/verify.py` checks it in a few lines of Python.

use std::fmt;
use std::io::{self, BufRead, Read as _, Write};

use super::chain::{GatewayId, Link, Row, Verifier, VerifyError};
use crate::index::IndexError;

/// The longest line that is read: a record holds at most 2 × 100 KiB of parameters, 28 KiB of additional data, and some
/// kilobytes besides.
const LINE_MAX_BYTES: u64 = 1 << 20;

/// Why an export ended early. What was written so far has no last line, and so does not verify.
#[derive(Debug)]
pub enum ExportError {
    /// The index did not answer.
    Index(IndexError),
    /// The file could not be written.
    Io(io::Error),
    /// The chain is broken here.
    Broken(VerifyError),
}

/// Why an exported file does not verify.
#[derive(Debug)]
pub enum ExportVerifyError {
    /// It could not be read.
    Io(io::Error),
    /// A line, counted from 1, is not of the form above.
    Malformed(u64),
    /// It ends without its last line.
    Incomplete,
    /// Its last line is not the place of its last record.
    WrongHead,
    /// It begins behind the noted head, which it can therefore not be held against.
    BeginsBehind(Link),
    /// The chain is broken.
    Broken(VerifyError),
}

/// What a good file holds: the records that follow `after` up to `head`. Whether `after` and `head` are true is for
/// the reader to compare with what was noted elsewhere; between them nothing is missing and nothing was changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exported {
    /// The gateway whose chain it is.
    pub gateway: GatewayId,
    /// The place before the first record.
    pub after: Link,
    /// The place of the last.
    pub head: Link,
}

pub(super) fn write_start(out: &mut dyn Write, gateway: &GatewayId, after: Link) -> io::Result<()> {
    let (gateway, hash) = (hex(gateway), hex(&after.hash));
    writeln!(out, r#"{{"strongroomAudit":1,"gateway":"{gateway}","after":{{"seq":{},"hash":"{hash}"}}}}"#, after.seq)
}

pub(super) fn write_record(out: &mut dyn Write, link: Link, record: &str) -> io::Result<()> {
    writeln!(out, r#"{{"seq":{},"hash":"{}","record":{record}}}"#, link.seq, hex(&link.hash))
}

pub(super) fn write_end(out: &mut dyn Write, head: Link) -> io::Result<()> {
    writeln!(out, r#"{{"head":{{"seq":{},"hash":"{}"}}}}"#, head.seq, hex(&head.hash))?;
    out.flush()
}

/// Checks an exported file by itself. `noted` is a head that was noted elsewhere: the file must contain it.
pub fn verify_export(input: impl BufRead, noted: Option<Link>) -> Result<Exported, ExportVerifyError> {
    let mut lines = Lines { input, number: 0, line: Vec::new() };
    let first = lines.next()?.ok_or(ExportVerifyError::Incomplete)?;
    let (gateway, after) = parse_start(first).ok_or(ExportVerifyError::Malformed(1))?;
    if let Some(noted) = noted.filter(|noted| noted.seq < after.seq) {
        return Err(ExportVerifyError::BeginsBehind(noted));
    }
    let mut verifier = Verifier::new(after, noted)?;
    let end = loop {
        let number = lines.number + 1;
        let line = lines.next()?.ok_or(ExportVerifyError::Incomplete)?;
        if let Some(end) = parse_end(line) {
            break end;
        }
        let (link, record) = parse_record(line).ok_or(ExportVerifyError::Malformed(number))?;
        verifier.check(link.seq, Some(Row { hash: &link.hash, record }))?;
    };
    if lines.next()?.is_some() {
        return Err(ExportVerifyError::Malformed(lines.number));
    }
    let head = verifier.finish()?;
    if head == end { Ok(Exported { gateway, after, head }) } else { Err(ExportVerifyError::WrongHead) }
}

struct Lines<R> {
    input: R,
    /// Of the line read last, from 1.
    number: u64,
    line: Vec<u8>,
}

impl<R: BufRead> Lines<R> {
    /// The next line without its end; `None` at the end of the file.
    fn next(&mut self) -> Result<Option<&[u8]>, ExportVerifyError> {
        self.line.clear();
        self.input.by_ref().take(LINE_MAX_BYTES).read_until(b'\n', &mut self.line)?;
        self.number += 1;
        match self.line.split_last() {
            None => Ok(None),
            Some((b'\n', line)) => Ok(Some(line)),
            Some(_) if self.line.len() as u64 == LINE_MAX_BYTES => Err(ExportVerifyError::Malformed(self.number)),
            Some(_) => Err(ExportVerifyError::Incomplete),
        }
    }
}

fn parse_start(line: &[u8]) -> Option<(GatewayId, Link)> {
    let line = line.strip_prefix(br#"{"strongroomAudit":1,"gateway":""#)?;
    let (gateway, line) = parse_hex(line)?;
    let line = line.strip_prefix(br#"","after":{"seq":"#)?;
    let (after, line) = parse_link(line)?;
    (line == b"}}").then_some((gateway, after))
}

fn parse_record(line: &[u8]) -> Option<(Link, &[u8])> {
    let (link, line) = parse_link(line.strip_prefix(br#"{"seq":"#)?)?;
    let record = line.strip_prefix(br#","record":"#)?.strip_suffix(b"}")?;
    Some((link, record))
}

fn parse_end(line: &[u8]) -> Option<Link> {
    let (head, line) = parse_link(line.strip_prefix(br#"{"head":{"seq":"#)?)?;
    (line == b"}}").then_some(head)
}

/// `N,"hash":"H"`, and what follows.
fn parse_link(line: &[u8]) -> Option<(Link, &[u8])> {
    let digits = line.iter().take_while(|b| b.is_ascii_digit()).count();
    let (seq, line) = line.split_at(digits);
    // One spelling only, so that a file and its checked meaning are one to one.
    if seq.starts_with(b"0") && seq != b"0" {
        return None;
    }
    let seq = std::str::from_utf8(seq).ok()?.parse().ok().filter(|seq| *seq < u64::MAX)?;
    let (hash, line) = parse_hex(line.strip_prefix(br#","hash":""#)?)?;
    Some((Link { seq, hash }, line.strip_prefix(b"\"")?))
}

fn parse_hex<const N: usize>(line: &[u8]) -> Option<([u8; N], &[u8])> {
    let (digits, rest) = line.split_at_checked(2 * N)?;
    let digit = |b: u8| match b {
        b'0'..=b'9' => Some(b - b'0'),
        b'a'..=b'f' => Some(b - b'a' + 10),
        _ => None,
    };
    let mut out = [0; N];
    for (byte, pair) in out.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = digit(pair[0])? << 4 | digit(pair[1])?;
    }
    Some((out, rest))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

impl fmt::Display for ExportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Index(error) => error.fmt(f),
            Self::Io(error) => write!(f, "the export could not be written: {error}"),
            Self::Broken(error) => write!(f, "the audit chain is broken: {error}"),
        }
    }
}

impl std::error::Error for ExportError {}

impl From<IndexError> for ExportError {
    fn from(error: IndexError) -> Self {
        Self::Index(error)
    }
}

impl From<io::Error> for ExportError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl fmt::Display for ExportVerifyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(error) => write!(f, "the export could not be read: {error}"),
            Self::Malformed(line) => write!(f, "line {line} is no line of an export"),
            Self::Incomplete => f.write_str("the export ends without its last line"),
            Self::WrongHead => f.write_str("the last line is not the place of the last record"),
            Self::BeginsBehind(noted) => write!(f, "the export begins behind the noted record {}", noted.seq),
            Self::Broken(error) => write!(f, "the audit chain is broken: {error}"),
        }
    }
}

impl std::error::Error for ExportVerifyError {}

impl From<io::Error> for ExportVerifyError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<VerifyError> for ExportVerifyError {
    fn from(error: VerifyError) -> Self {
        Self::Broken(error)
    }
}

#[cfg(test)]
mod tests;
