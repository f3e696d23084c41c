//! Whether a bucket's tags decide on access (S3 User Guide, "Enabling ABAC in general purpose buckets"). It is on if
//! the configuration is there.

use minicbor::{Decode, Encode};

use super::{BucketConfiguration, ConfigurationKind};

/// The bucket's tags are condition keys of requests to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub struct Abac {}

impl BucketConfiguration for Abac {
    const KIND: ConfigurationKind = ConfigurationKind::Abac;
    const ACTIONS: &'static [&'static str] = &["s3:PutBucketAbac"];
}
