//! All metadata: typed, sealed rows over an ordered key-value engine (design, section 2).
//!
//! [`Index`] is the engine's trait: bytes, ranges, all-or-nothing commits. [`Rows`] seals the values and is what the
//! rest of the program uses.

#[cfg(test)]
mod conformance;
mod engine;
mod fjall;
#[cfg(test)]
mod golden;
mod group;
mod memory;
mod rows;
mod sealer;
mod tuple;

pub use engine::{Batch, CommitError, Direction, Index, IndexError, KeyRange, Precondition, Sequencer, Table, Write};
pub use fjall::FjallIndex;
#[cfg(test)]
pub(crate) use golden::row as golden_row;
pub use memory::{Faults, MemoryIndex};
pub use rows::{Record, RowBatch, Rows, Stamp, Stored};
pub use sealer::{Corrupt, RowSealer};
pub use tuple::{Tuple, TupleReader};
