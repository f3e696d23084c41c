//! The audit trail: CloudTrail-form records in one hash chain per gateway (design, section 5).
//!
//! `chain`, `record` and `export` are pure and hold the rules; `sequencer` and `trail` put them over the index.

mod canonical;
mod chain;
mod event;
mod export;
#[cfg(test)]
mod golden;
mod record;
mod sequencer;
mod trail;

pub use chain::{GatewayId, Link, VerifyError};
pub use event::{Event, EventKind, EventResource};
pub use export::{ExportError, ExportVerifyError, Exported, verify_export};
pub use sequencer::{ChainSequencer, LoadError};
pub use trail::{Announced, Audit, AuditError, AuditRecord, Recorded};
