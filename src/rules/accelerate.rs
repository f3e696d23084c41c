//! Transfer acceleration (S3 User Guide, "Configuring fast, secure file transfers using Amazon S3 Transfer
//! Acceleration"): the state is kept and given back. There are no edge locations, so that it changes nothing.

use minicbor::{Decode, Encode};

use super::{BucketConfiguration, ConfigurationKind};

/// The state, once it was set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub struct Accelerate {
    /// `Enabled`, else `Suspended`.
    #[n(0)]
    pub enabled: bool,
}

impl BucketConfiguration for Accelerate {
    const KIND: ConfigurationKind = ConfigurationKind::Accelerate;
    const ACTIONS: &'static [&'static str] = &["s3:PutAccelerateConfiguration"];
}
