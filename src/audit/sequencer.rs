//! Gives appended records their rows. Thin: `chain` decides.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;

use super::chain::{self, GatewayId, Link, Row, VerifyError, Writer};
use crate::index::{Direction, Index, IndexError, RowSealer, Sequencer, Table};

/// Gives appended records their rows: sealed, in the chain's order.
#[expect(missing_debug_implementations, reason = "holds the row sealer")]
pub struct ChainSequencer {
    gateway: GatewayId,
    sealer: Arc<RowSealer>,
    writer: Writer,
}

/// Why a chain can't be gone on with. It must not be: a record behind a broken place would look as if all were well.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LoadError {
    /// The index did not answer.
    Index(IndexError),
    /// The end of the chain is damaged or was tampered with.
    Broken(VerifyError),
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Index(error) => error.fmt(f),
            Self::Broken(error) => write!(f, "the audit chain is broken at its end: {error}"),
        }
    }
}

impl std::error::Error for LoadError {}

impl ChainSequencer {
    /// Reads the end of a gateway's chain and checks it: the last record against the hash before it.
    /// [`super::Audit::verify`] checks the rest, which is too much for a start.
    pub async fn load(index: &dyn Index, sealer: Arc<RowSealer>, gateway: GatewayId) -> Result<Self, LoadError> {
        let range = chain::rows_after(&gateway, 0);
        let rows = index.scan(Table::Audit, &range, 2, Direction::Backward).await.map_err(LoadError::Index)?;
        let opened: Vec<_> = rows.iter().map(|(key, value)| (key, sealer.open_row(Table::Audit, key, value))).collect();
        let mut ends = opened.iter().map(|(key, plain)| {
            let row = plain.as_ref().ok().and_then(|plain| Row::parse(plain));
            // A key that is none of ours counts as the largest: what lies before it is missing.
            (chain::row_seq(key).unwrap_or(u64::MAX), row)
        });
        let head = chain::resume(ends.next(), ends.next()).map_err(LoadError::Broken)?;
        Ok(Self { gateway, sealer, writer: Writer::new(head) })
    }

    /// The last record that is durable.
    pub fn head(&self) -> Link {
        self.writer.durable()
    }
}

impl Sequencer for ChainSequencer {
    fn next(&mut self, record: &[u8]) -> (Table, Vec<u8>, Bytes) {
        let link = self.writer.append(record);
        let key = chain::row_key(&self.gateway, link.seq);
        let plain = Row { hash: &link.hash, record }.render();
        let sealed = self.sealer.seal(Table::Audit, &key, &plain);
        (Table::Audit, key, sealed)
    }

    fn settle(&mut self, committed: bool) {
        self.writer.settle(committed);
    }
}
