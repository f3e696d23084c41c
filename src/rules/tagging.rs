//! Tags of a bucket itself (S3 User Guide, "Using cost allocation S3 bucket tags").

use minicbor::{Decode, Encode};

use super::{BucketConfiguration, ConfigurationKind};

/// Tags of a bucket, at most.
pub const BUCKET_TAGS_MAX: usize = 50;

/// A bucket's tags in the order sent; never empty.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(transparent)]
pub struct BucketTags(#[n(0)] pub Vec<(String, String)>);

impl BucketConfiguration for BucketTags {
    const KIND: ConfigurationKind = ConfigurationKind::Tagging;
    const ACTIONS: &'static [&'static str] = &["s3:PutBucketTagging"];
}
