//! Appending to the trail and reading it.

use std::fmt;
use std::io::Write;

use bytes::Bytes;

use super::Event;
use super::chain::{self, GatewayId, Link, Row, Verifier, VerifyError};
use super::export::{self, ExportError};
use super::record::{self, Stamp, Who};
use crate::index::{CommitError, Direction, IndexError, RowBatch, Rows, Table};
use crate::sources::{Sources, Timestamp};

/// Rows read at once by [`Audit::verify`] and [`Audit::export`]: about 1 MiB of records.
const PAGE_ROWS: usize = 1_000;

/// A record could not be made durable. The use or change it is about must fail too (fail closed).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditError(pub CommitError);

impl fmt::Display for AuditError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no audit record could be made: {}", self.0)
    }
}

impl std::error::Error for AuditError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.0)
    }
}

/// Proof that a record is durable in the trail. [`Audit`] is its only maker: who has to show one cannot have forgotten
/// the record.
#[derive(Debug)]
pub struct Recorded {
    event_id: String,
}

impl Recorded {
    /// The record's `eventID`.
    pub fn event_id(&self) -> &str {
        &self.event_id
    }
}

/// What a record in an uncommitted batch will say of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Announced {
    /// `eventID`.
    pub event_id: String,
    /// `requestID`.
    pub request_id: String,
    /// When it was put there.
    pub at: Timestamp,
}

/// A record read back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditRecord {
    /// Its place.
    pub link: Link,
    /// The canonical JSON.
    pub json: String,
}

/// The trail of this gateway. Cheap to clone.
#[derive(Clone)]
#[expect(missing_debug_implementations, reason = "holds the rows")]
pub struct Audit {
    rows: Rows,
    gateway: GatewayId,
    sources: Sources,
}

impl Audit {
    /// Over the rows of an index whose sequencer is this gateway's [`super::ChainSequencer`].
    pub fn new(rows: Rows, gateway: GatewayId, sources: Sources) -> Self {
        Self { rows, gateway, sources }
    }

    /// Commits a change together with its record: after an error, a crash or a caller that went away there are both or
    /// neither. A batch that is refused leaves no record, so a change that is tried again leaves one.
    ///
    /// The record gets its place in the chain from the committing thread, as part of the group it commits: changes do
    /// not wait for one another's place, nor conflict over it.
    pub async fn commit(&self, mut batch: RowBatch<'_>, event: &Event) -> Result<Recorded, CommitError> {
        let announced = self.append(&mut batch, event);
        self.rows.commit(batch).await?;
        Ok(Recorded { event_id: announced.event_id })
    }

    /// Puts a record into a batch that is committed with [`Self::commit`] or by itself: for changes of which several
    /// records tell, and for rows that point to the record they are committed with. Nothing is recorded yet.
    pub fn append(&self, batch: &mut RowBatch<'_>, event: &Event) -> Announced {
        let stamp = Stamp::new(&self.sources);
        let record = record::render(event, Who::of(&event.access), event.access.facts(), &stamp);
        batch.append(record.into_bytes());
        let request_id = if event.via_s3 { stamp.inner_request_id } else { event.access.facts().request_id.clone() };
        Announced { event_id: stamp.event_id, request_id, at: stamp.now }
    }

    /// Records an event by itself; durable when this returns.
    pub async fn record(&self, event: &Event) -> Result<Recorded, AuditError> {
        self.commit(self.rows.batch(), event).await.map_err(AuditError)
    }

    /// Records `after` a sequence number, oldest first. A row that does not open is an error here: see
    /// [`Self::verify`] for where the trail is damaged.
    pub async fn list(&self, after: u64, limit: usize) -> Result<Vec<AuditRecord>, IndexError> {
        let read = |row: StoredRow| match row.parse() {
            (seq, Some(row)) => Ok(AuditRecord { link: Link { seq, hash: *row.hash }, json: text(row)? }),
            (seq, None) => Err(IndexError::Corrupt(format!("audit record {seq} does not open"))),
        };
        self.page(after, limit).await?.into_iter().map(read).collect()
    }

    /// The records that a request left, newest first: its own, and those of S3's calls to KMS for it. At most as many
    /// as `max_bytes` take. They stand close together, so that the search ends soon behind the first that is found.
    pub async fn of_request(&self, request_id: &str, max_bytes: usize) -> Result<Vec<AuditRecord>, IndexError> {
        let mut range = chain::rows_after(&self.gateway, 0);
        let (mut found, mut room) = (Vec::new(), max_bytes);
        loop {
            let seen = found.len();
            let rows = self.rows.engine().scan(Table::Audit, &range, PAGE_ROWS, Direction::Backward).await?;
            let Some((oldest, _)) = rows.last() else { return Ok(found) };
            range.end = Some(oldest.to_vec());
            for row in rows.into_iter().map(|row| self.opened(row)) {
                let (seq, Some(row)) = row.parse() else { continue };
                let record = AuditRecord { link: Link { seq, hash: *row.hash }, json: text(row)? };
                if record::is_of_request(&record.json, request_id) && record.json.len() <= room {
                    room -= record.json.len();
                    found.push(record);
                }
            }
            if !found.is_empty() && found.len() == seen {
                return Ok(found);
            }
        }
    }

    /// Checks the whole chain; returns its head. `expected` is a head that was noted elsewhere: with it, a chain that
    /// was shortened or written anew is found too.
    pub async fn verify(&self, expected: Option<Link>) -> Result<Result<Link, VerifyError>, IndexError> {
        let mut verifier = match Verifier::new(Link::GENESIS, expected) {
            Ok(verifier) => verifier,
            Err(broken) => return Ok(Err(broken)),
        };
        loop {
            let page = self.page(verifier.head().seq, PAGE_ROWS).await?;
            if page.is_empty() {
                return Ok(verifier.finish());
            }
            for row in &page {
                let (seq, row) = row.parse();
                if let Err(broken) = verifier.check(seq, row) {
                    return Ok(Err(broken));
                }
            }
        }
    }

    /// Writes the records that follow `after`, up to and with number `last` (none: to the end), as JSON lines that
    /// [`super::verify_export`] checks without this store. Returns the last place written. Stops at the first record
    /// that does not fit the chain.
    pub async fn export(
        &self,
        after: u64,
        last: Option<u64>,
        out: &mut (dyn Write + Send),
    ) -> Result<Link, ExportError> {
        let start = self.link(after).await?;
        let mut verifier = Verifier::new(start, None).map_err(ExportError::Broken)?;
        export::write_start(out, &self.gateway, start)?;
        let last = last.unwrap_or(u64::MAX);
        while verifier.head().seq < last {
            let wanted = usize::try_from(last - verifier.head().seq).unwrap_or(PAGE_ROWS).min(PAGE_ROWS);
            let page = self.page(verifier.head().seq, wanted).await?;
            if page.is_empty() {
                break;
            }
            for row in &page {
                let (seq, row) = row.parse();
                verifier.check(seq, row).map_err(ExportError::Broken)?;
                let record = row.map(text).transpose()?.unwrap_or_default();
                export::write_record(out, verifier.head(), &record)?;
            }
        }
        export::write_end(out, verifier.head())?;
        Ok(verifier.head())
    }

    /// The place of record `seq`, as it is stored.
    async fn link(&self, seq: u64) -> Result<Link, ExportError> {
        if seq == 0 {
            return Ok(Link::GENESIS);
        }
        let before = self.page(seq - 1, 1).await?;
        match before.first().map(StoredRow::parse) {
            Some((found, Some(row))) if found == seq => Ok(Link { seq, hash: *row.hash }),
            Some((found, None)) if found == seq => Err(ExportError::Broken(VerifyError::Changed(seq))),
            Some(_) | None => Err(ExportError::Broken(VerifyError::Missing(seq))),
        }
    }

    async fn page(&self, after: u64, limit: usize) -> Result<Vec<StoredRow>, IndexError> {
        let range = chain::rows_after(&self.gateway, after);
        let rows = self.rows.engine().scan(Table::Audit, &range, limit, Direction::Forward).await?;
        Ok(rows.into_iter().map(|row| self.opened(row)).collect())
    }

    fn opened(&self, (key, value): (Bytes, Bytes)) -> StoredRow {
        StoredRow {
            plain: self.rows.sealer().open_row(Table::Audit, &key, &value).ok(),
            // A key that is none of ours counts as the largest: what should stand here is missing.
            seq: chain::row_seq(&key).unwrap_or(u64::MAX),
        }
    }
}

/// A row of the chain as it was read; without its plaintext if it did not open.
struct StoredRow {
    seq: u64,
    plain: Option<Vec<u8>>,
}

impl StoredRow {
    fn parse(&self) -> (u64, Option<Row<'_>>) {
        (self.seq, self.plain.as_deref().and_then(Row::parse))
    }
}

fn text(row: Row<'_>) -> Result<String, IndexError> {
    String::from_utf8(row.record.to_vec()).map_err(|_| IndexError::Corrupt("an audit record is no text".to_owned()))
}

#[cfg(test)]
mod tests;
