//! The hash chain, pure: `h = SHA-256(seq | previous h | record)`.

use bytes::Bytes;

use crate::index::{Sequencer, Table};

/// A place in the chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Link {
    /// Counts from 1, without gaps.
    pub seq: u64,
    /// The hash up to and with this record.
    pub hash: [u8; 32],
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

/// Gives appended records their rows: sealed, in the chain's order.
#[expect(missing_debug_implementations, reason = "holds the row sealer")]
pub struct ChainSequencer {}

impl Sequencer for ChainSequencer {
    fn next(&mut self, record: &[u8]) -> (Table, Vec<u8>, Bytes) {
        let _ = record;
        unimplemented!()
    }

    fn settle(&mut self, committed: bool) {
        let _ = committed;
        unimplemented!()
    }
}
