//! The hash chain, pure: `h = SHA-256(seq as u64, big endian | previous h | record)`, from 32 zero bytes on.
//!
//! A row of the chain is `h 32 | record`, under the key (gateway id, seq). Frozen: `fixtures/audit/chain.jsonl`.

use std::fmt;

use crate::crypto::{Sha256, constant_time_eq};
use crate::index::{KeyRange, Tuple, TupleReader};

/// The id of a gateway: each writes a chain of its own.
pub type GatewayId = [u8; 16];

const HASH_BYTES: usize = 32;

/// A place in the chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Link {
    /// Counts from 1, without gaps.
    pub seq: u64,
    /// The hash up to and with this record.
    pub hash: [u8; HASH_BYTES],
}

impl Link {
    /// The place before the first record.
    pub const GENESIS: Self = Self { seq: 0, hash: [0; HASH_BYTES] };

    /// The place of `record`, the one that follows this place.
    #[must_use]
    pub fn followed_by(&self, record: &[u8]) -> Self {
        let seq = self.seq.saturating_add(1);
        let mut hash = Sha256::new();
        hash.update(&seq.to_be_bytes());
        hash.update(&self.hash);
        hash.update(record);
        Self { seq, hash: hash.finish() }
    }
}

/// Where a chain is broken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum VerifyError {
    /// A record is missing: the sequence number expected here.
    Missing(u64),
    /// A record or its hash was changed: its sequence number.
    Changed(u64),
    /// The chain ends before the head that was noted elsewhere.
    Truncated {
        /// The last sequence number found.
        found: u64,
        /// The one noted.
        expected: u64,
    },
}

impl fmt::Display for VerifyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing(seq) => write!(f, "record {seq} is missing"),
            Self::Changed(seq) => write!(f, "record {seq}, or its hash, was changed"),
            Self::Truncated { found, expected } => {
                write!(f, "the chain ends with record {found}, but record {expected} was noted")
            }
        }
    }
}

impl std::error::Error for VerifyError {}

/// Walks a chain record by record, in order.
#[derive(Debug)]
pub(super) struct Verifier {
    head: Link,
    noted: Option<Link>,
}

impl Verifier {
    /// Starts behind `start`. `noted` is a head that was noted elsewhere: the chain must contain it.
    pub(super) fn new(start: Link, noted: Option<Link>) -> Result<Self, VerifyError> {
        let verifier = Self { head: start, noted };
        verifier.check_noted()?;
        Ok(verifier)
    }

    /// The last place that was found good.
    pub(super) fn head(&self) -> Link {
        self.head
    }

    /// Takes the next row: its sequence number and what it holds, `None` if it could not be opened or read.
    pub(super) fn check(&mut self, seq: u64, row: Option<Row<'_>>) -> Result<(), VerifyError> {
        let expected = self.head.seq.saturating_add(1);
        if seq > expected {
            return Err(VerifyError::Missing(expected));
        }
        let row = row.ok_or(VerifyError::Changed(seq))?;
        let link = self.head.followed_by(row.record);
        if seq < expected || !constant_time_eq(&link.hash, row.hash) {
            return Err(VerifyError::Changed(seq));
        }
        self.head = link;
        self.check_noted()
    }

    /// The end of the chain: its head.
    pub(super) fn finish(self) -> Result<Link, VerifyError> {
        match self.noted {
            Some(noted) if noted.seq > self.head.seq => {
                Err(VerifyError::Truncated { found: self.head.seq, expected: noted.seq })
            }
            _ => Ok(self.head),
        }
    }

    fn check_noted(&self) -> Result<(), VerifyError> {
        match self.noted {
            Some(noted) if noted.seq == self.head.seq && noted != self.head => Err(VerifyError::Changed(noted.seq)),
            _ => Ok(()),
        }
    }
}

/// Where writing goes on: the head of a chain whose last two rows are `last` (the newest) and the one before it.
pub(super) fn resume(
    last: Option<(u64, Option<Row<'_>>)>,
    before: Option<(u64, Option<Row<'_>>)>,
) -> Result<Link, VerifyError> {
    let Some((seq, row)) = last else { return Ok(Link::GENESIS) };
    let start = match before {
        None => Link::GENESIS,
        Some((seq, row)) => Link { seq, hash: *row.ok_or(VerifyError::Changed(seq))?.hash },
    };
    let mut verifier = Verifier::new(start, None)?;
    verifier.check(seq, row)?;
    verifier.finish()
}

/// The head of a chain that is being written, and the head that is known to be durable.
#[derive(Debug)]
pub(super) struct Writer {
    head: Link,
    durable: Link,
}

impl Writer {
    pub(super) fn new(head: Link) -> Self {
        Self { head, durable: head }
    }

    /// The last record that is durable.
    pub(super) fn durable(&self) -> Link {
        self.durable
    }

    /// The place of the next record.
    pub(super) fn append(&mut self, record: &[u8]) -> Link {
        self.head = self.head.followed_by(record);
        self.head
    }

    /// What was appended since the last call is durable, or lost and taken back.
    pub(super) fn settle(&mut self, committed: bool) {
        if committed {
            self.durable = self.head;
        } else {
            self.head = self.durable;
        }
    }
}

/// What a row of the chain holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Row<'a> {
    pub(super) hash: &'a [u8; HASH_BYTES],
    pub(super) record: &'a [u8],
}

impl<'a> Row<'a> {
    pub(super) fn parse(plain: &'a [u8]) -> Option<Self> {
        plain.split_first_chunk().map(|(hash, record)| Self { hash, record })
    }

    pub(super) fn render(self) -> Vec<u8> {
        [self.hash, self.record].concat()
    }
}

/// The key of a row.
pub(super) fn row_key(gateway: &GatewayId, seq: u64) -> Vec<u8> {
    Tuple::new().id(gateway).u64(seq).build()
}

/// The sequence number in a row's key.
pub(super) fn row_seq(key: &[u8]) -> Option<u64> {
    let mut reader = TupleReader::new(key);
    reader.id::<16>()?;
    let seq = reader.u64()?;
    reader.is_empty().then_some(seq)
}

/// The rows of a gateway's chain that follow `after`.
pub(super) fn rows_after(gateway: &GatewayId, after: u64) -> KeyRange {
    let all = KeyRange::prefix(gateway);
    match after.checked_add(1) {
        Some(first) => KeyRange { start: row_key(gateway, first), ..all },
        None => KeyRange { start: all.start.clone(), end: Some(all.start) },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RECORDS: [&[u8]; 4] = [b"first", b"second", b"", b"fourth"];

    type OwnedRow = (u64, [u8; 32], Vec<u8>);

    fn chain() -> Vec<OwnedRow> {
        let mut writer = Writer::new(Link::GENESIS);
        let row = |record: &&[u8]| {
            let link = writer.append(record);
            (link.seq, link.hash, record.to_vec())
        };
        RECORDS.iter().map(row).collect()
    }

    fn row(row: &OwnedRow) -> (u64, Option<Row<'_>>) {
        (row.0, Some(Row { hash: &row.1, record: &row.2 }))
    }

    fn verify(rows: &[OwnedRow], noted: Option<Link>) -> Result<Link, VerifyError> {
        let mut verifier = Verifier::new(Link::GENESIS, noted)?;
        for (seq, row) in rows.iter().map(row) {
            verifier.check(seq, row)?;
        }
        verifier.finish()
    }

    fn link(row: &OwnedRow) -> Link {
        Link { seq: row.0, hash: row.1 }
    }

    #[test]
    fn a_hash_is_over_seq_previous_hash_and_record() {
        let first = [&1_u64.to_be_bytes()[..], &[0; 32], b"first"].concat();
        let first = Link { seq: 1, hash: crate::crypto::sha256(&first) };
        let second = [&2_u64.to_be_bytes()[..], &first.hash, b"second"].concat();
        assert_eq!(link(&chain()[0]), first);
        assert_eq!(link(&chain()[1]), Link { seq: 2, hash: crate::crypto::sha256(&second) });
    }

    #[test]
    fn a_good_chain_verifies() {
        let rows = chain();
        let head = link(&rows[3]);
        assert_eq!(verify(&rows, None), Ok(head));
        assert_eq!(verify(&[], None), Ok(Link::GENESIS));
        for noted in [Link::GENESIS, link(&rows[0]), head] {
            assert_eq!(verify(&rows, Some(noted)), Ok(head));
        }
    }

    #[test]
    fn a_missing_record_is_found() {
        for missing in 0..3 {
            let mut rows = chain();
            rows.remove(missing);
            assert_eq!(verify(&rows, None), Err(VerifyError::Missing(missing as u64 + 1)));
        }
    }

    #[test]
    fn a_changed_record_or_hash_is_found() {
        for changed in 0..4 {
            let mut rows = chain();
            rows[changed].2.push(b'x');
            assert_eq!(verify(&rows, None), Err(VerifyError::Changed(changed as u64 + 1)));
            let mut rows = chain();
            rows[changed].1[31] ^= 1;
            assert_eq!(verify(&rows, None), Err(VerifyError::Changed(changed as u64 + 1)));
        }
    }

    #[test]
    fn exchanged_and_repeated_records_are_found() {
        let mut rows = chain();
        (rows[1].0, rows[2].0) = (3, 2);
        rows.swap(1, 2);
        assert_eq!(verify(&rows, None), Err(VerifyError::Changed(2)));
        let mut rows = chain();
        rows.insert(2, rows[1].clone());
        assert_eq!(verify(&rows, None), Err(VerifyError::Changed(2)));
    }

    #[test]
    fn a_row_that_does_not_open_is_found() {
        let mut verifier = Verifier::new(Link::GENESIS, None).unwrap();
        assert_eq!(verifier.check(1, None), Err(VerifyError::Changed(1)));
        assert_eq!(verifier.check(2, None), Err(VerifyError::Missing(1)));
    }

    #[test]
    fn a_truncated_chain_is_found_by_a_noted_head() {
        let rows = chain();
        let noted = Some(link(&rows[3]));
        assert_eq!(verify(&rows[..3], None), Ok(link(&rows[2])), "nothing else can tell");
        assert_eq!(verify(&rows[..3], noted), Err(VerifyError::Truncated { found: 3, expected: 4 }));
        assert_eq!(verify(&[], noted), Err(VerifyError::Truncated { found: 0, expected: 4 }));
    }

    #[test]
    fn a_rewritten_chain_is_found_by_a_noted_head() {
        let noted = link(&chain()[1]);
        let mut writer = Writer::new(Link::GENESIS);
        let forged: Vec<_> = [&b"forged"[..], b"second", b"third"]
            .iter()
            .map(|record| (writer.append(record), record.to_vec()))
            .map(|(link, record)| (link.seq, link.hash, record))
            .collect();
        assert_eq!(verify(&forged, None), Ok(link(&forged[2])), "nothing else can tell");
        assert_eq!(verify(&forged, Some(noted)), Err(VerifyError::Changed(2)));
        assert_eq!(verify(&[], Some(Link { hash: [1; 32], ..Link::GENESIS })), Err(VerifyError::Changed(0)));
    }

    #[test]
    fn lost_records_are_taken_back() {
        let mut writer = Writer::new(Link::GENESIS);
        let first = writer.append(b"first");
        writer.settle(true);
        writer.append(b"lost");
        writer.append(b"lost too");
        writer.settle(false);
        assert_eq!(writer.append(b"second"), first.followed_by(b"second"));
        writer.settle(true);
        writer.settle(false);
        assert_eq!(writer.append(b"third").seq, 3);
    }

    #[test]
    fn writing_resumes_at_the_verified_head() {
        let rows = chain();
        assert_eq!(resume(None, None), Ok(Link::GENESIS));
        assert_eq!(resume(Some(row(&rows[0])), None), Ok(link(&rows[0])));
        assert_eq!(resume(Some(row(&rows[3])), Some(row(&rows[2]))), Ok(link(&rows[3])));
        assert_eq!(resume(Some(row(&rows[3])), Some(row(&rows[1]))), Err(VerifyError::Missing(3)));
        assert_eq!(resume(Some(row(&rows[3])), None), Err(VerifyError::Missing(1)));
        assert_eq!(resume(Some((4, None)), Some(row(&rows[2]))), Err(VerifyError::Changed(4)));
        assert_eq!(resume(Some(row(&rows[3])), Some((3, None))), Err(VerifyError::Changed(3)));
        let mut changed = rows[3].clone();
        changed.2.push(0);
        assert_eq!(resume(Some(row(&changed)), Some(row(&rows[2]))), Err(VerifyError::Changed(4)));
    }

    #[test]
    fn rows_and_keys() {
        let link = Link::GENESIS.followed_by(b"record");
        let plain = Row { hash: &link.hash, record: b"record" }.render();
        assert_eq!(Row::parse(&plain), Some(Row { hash: &link.hash, record: b"record" }));
        assert_eq!(Row::parse(&plain[..31]), None);
        let (gateway, next) = ([7; 16], [8; 16]);
        assert_eq!(row_seq(&row_key(&gateway, 300)), Some(300));
        assert_eq!(row_seq(&row_key(&gateway, 300)[1..]), None);
        let range = rows_after(&gateway, 255);
        let inside = |gateway, seq| {
            let key = row_key(gateway, seq);
            key >= range.start && range.end.as_ref().is_none_or(|end| key < *end)
        };
        assert!(inside(&gateway, 256) && inside(&gateway, u64::MAX));
        assert!(!inside(&gateway, 255) && !inside(&next, 256));
        let none = rows_after(&gateway, u64::MAX);
        assert_eq!(none.end, Some(none.start));
    }
}
