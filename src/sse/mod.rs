//! Where an object's keys come from, per mode of server-side encryption.

mod bucket_keys;
mod customer;
mod envelope;
mod error;
#[cfg(test)]
mod golden;
mod mode;
mod service;

pub use customer::{CustomerKey, InvalidCustomerKey};
pub use envelope::{Envelope, ObjectRef, Shown, WrappedFor};
pub use error::SseError;
pub use mode::{BucketDefault, Mode, NewDefault, Requested};
pub use service::{SealPlan, Sse, alias_without_prefix, suite_of};
