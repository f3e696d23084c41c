//! Appending to the trail and reading it.

use super::{Event, Link, VerifyError};
use crate::index::{IndexError, RowBatch, Rows};
use crate::sources::Sources;

/// A record could not be made durable. The use or change it is about must fail too (fail closed).
#[derive(Debug)]
pub struct AuditError(pub String);

/// A record read back.
#[derive(Debug, Clone)]
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
    sources: Sources,
}

impl Audit {
    /// Over the rows of an index whose sequencer is this gateway's [`super::ChainSequencer`].
    pub fn new(rows: Rows, sources: Sources) -> Self {
        Self { rows, sources }
    }

    /// Adds the record to a batch: change and record commit together. Returns the event id.
    pub fn append_to(&self, batch: &mut RowBatch<'_>, event: &Event) -> String {
        let _ = (batch, event, &self.sources);
        unimplemented!()
    }

    /// Records an event by itself; durable when this returns. Returns the event id.
    pub async fn record(&self, event: &Event) -> Result<String, AuditError> {
        let mut batch = self.rows.batch();
        let id = self.append_to(&mut batch, event);
        self.rows.commit(batch).await.map_err(|e| AuditError(format!("{e:?}")))?;
        Ok(id)
    }

    /// Records `after` a sequence number, oldest first.
    pub async fn list(&self, after: u64, limit: usize) -> Result<Vec<AuditRecord>, IndexError> {
        let _ = (after, limit);
        unimplemented!()
    }

    /// Checks the whole chain; returns its head.
    pub async fn verify(&self, expected: Option<Link>) -> Result<Result<Link, VerifyError>, IndexError> {
        let _ = expected;
        unimplemented!()
    }
}
