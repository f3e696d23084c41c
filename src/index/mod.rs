//! All metadata: typed, sealed rows over an ordered key-value engine (design, section 2).
//!
//! [`Index`] is the engine's trait: bytes, ranges, all-or-nothing commits. [`Rows`] seals the values and is what the
//! rest of the program uses.

mod engine;
mod fjall;
mod memory;
mod rows;
mod tuple;

pub use engine::{Batch, CommitError, Direction, Index, IndexError, KeyRange, Precondition, Sequencer, Table, Write};
pub use fjall::FjallIndex;
pub use memory::{Faults, MemoryIndex};
pub use rows::{Corrupt, Record, RowBatch, RowSealer, Rows, Stamp, Stored};
pub use tuple::{Tuple, TupleReader};
