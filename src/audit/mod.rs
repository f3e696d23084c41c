//! The audit trail: CloudTrail-form records in one hash chain per gateway (design, section 5).

mod chain;
mod event;
mod trail;

pub use chain::{ChainSequencer, Link, VerifyError};
pub use event::{Event, EventKind, EventResource};
pub use trail::{Audit, AuditError, AuditRecord};
