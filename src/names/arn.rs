//! Amazon resource names that Strongroom makes. They are made here only, so that a resource has one spelling.

use super::{AccountId, BucketName, ObjectKey, Region};

/// `arn:aws:s3:::BUCKET`
pub fn bucket_arn(bucket: &BucketName) -> String {
    format!("arn:aws:s3:::{bucket}")
}

/// `arn:aws:s3:::BUCKET/KEY`
pub fn object_arn(bucket: &BucketName, key: &ObjectKey) -> String {
    format!("arn:aws:s3:::{bucket}/{key}")
}

/// `arn:aws:iam::ACCOUNT:root`
pub fn iam_root_arn(account: &AccountId) -> String {
    format!("arn:aws:iam::{account}:root")
}

/// `arn:aws:iam::ACCOUNT:user/NAME`
pub fn iam_user_arn(account: &AccountId, user: &str) -> String {
    format!("arn:aws:iam::{account}:user/{user}")
}

/// `arn:aws:kms:REGION:ACCOUNT:key/ID`
pub fn kms_key_arn(region: &Region, account: &AccountId, key_id: &str) -> String {
    format!("arn:aws:kms:{region}:{account}:key/{key_id}")
}

/// `arn:aws:kms:REGION:ACCOUNT:alias/NAME`; `alias` includes its `alias/` prefix.
pub fn kms_alias_arn(region: &Region, account: &AccountId, alias: &str) -> String {
    format!("arn:aws:kms:{region}:{account}:{alias}")
}
