//! Amazon resource names that Strongroom makes. They are made here only, so that a resource has one spelling.

use super::{AccountId, BucketName, ObjectKey, Region};

/// What ListAllMyBuckets is asked on: policies that allow it say `*` or this.
pub const ALL_BUCKETS: &str = "arn:aws:s3:::*";

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

/// `arn:aws:iam::ACCOUNT:KIND/PATH/NAME`, e.g. of a `role`. `path` begins and ends with `/`.
pub fn iam_arn(account: &AccountId, kind: &str, path: &str, name: &str) -> String {
    format!("arn:aws:iam::{account}:{kind}{path}{name}")
}

/// `arn:aws:sts::ACCOUNT:assumed-role/ROLE/SESSION`; the role without its path.
pub fn assumed_role_arn(account: &AccountId, role: &str, session: &str) -> String {
    format!("arn:aws:sts::{account}:assumed-role/{role}/{session}")
}

/// `arn:aws:sts::ACCOUNT:federated-user/NAME`
pub fn federated_user_arn(account: &AccountId, name: &str) -> String {
    format!("arn:aws:sts::{account}:federated-user/{name}")
}

/// The unique id of a user that has none of its own: `AIDA` and 17 characters, as AWS's look. It follows from the ARN, so
/// that the same user has the same id in policies and in every record.
pub fn iam_user_id(account: &AccountId, user: &str) -> String {
    const DIGITS: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let hash = crate::crypto::sha256(iam_user_arn(account, user).as_bytes());
    let digits = hash.into_iter().take(17).map(|b| char::from(DIGITS[usize::from(b & 31)]));
    "AIDA".chars().chain(digits).collect()
}

/// `arn:aws:kms:REGION:ACCOUNT:key/ID`
pub fn kms_key_arn(region: &Region, account: &AccountId, key_id: &str) -> String {
    format!("arn:aws:kms:{region}:{account}:key/{key_id}")
}

/// `arn:aws:kms:REGION:ACCOUNT:alias/NAME`; `alias` includes its `alias/` prefix.
pub fn kms_alias_arn(region: &Region, account: &AccountId, alias: &str) -> String {
    format!("arn:aws:kms:{region}:{account}:{alias}")
}
