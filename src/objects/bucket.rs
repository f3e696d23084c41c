//! Buckets.

use super::{Bucket, Objects, ObjectsError, Versioning};
use crate::auth::Grant;
use crate::names::{AccountId, BucketName, Region};
use crate::sse::BucketDefault;

/// A bucket to be made.
#[derive(Debug, Clone)]
pub struct NewBucket {
    /// Its name.
    pub name: BucketName,
    /// Its owner.
    pub owner: AccountId,
    /// Its Region.
    pub region: Region,
}

/// Which buckets to list.
#[derive(Debug, Clone)]
pub struct ListBuckets {
    /// Whose.
    pub owner: AccountId,
    /// Names that begin so.
    pub prefix: String,
    /// Of this Region only.
    pub region: Option<Region>,
    /// Names after this one.
    pub after: Option<String>,
    /// At most so many.
    pub limit: usize,
}

/// A page of buckets.
#[derive(Debug, Clone)]
pub struct BucketPage {
    /// In order of their names.
    pub buckets: Vec<Bucket>,
    /// There are more, after this name.
    pub next: Option<String>,
}

impl Objects {
    /// Makes a bucket. `grant`: `s3:CreateBucket` on its ARN.
    pub async fn create_bucket(&self, grant: &Grant, new: NewBucket) -> Result<Bucket, ObjectsError> {
        let _ = (grant, new, &self.rows, &self.sources);
        unimplemented!()
    }

    /// Looks a bucket up.
    pub async fn bucket(&self, name: &BucketName) -> Result<Bucket, ObjectsError> {
        let _ = name;
        unimplemented!()
    }

    /// Lists buckets of an account. `grant`: `s3:ListAllMyBuckets` on `*`.
    pub async fn list_buckets(&self, grant: &Grant, query: &ListBuckets) -> Result<BucketPage, ObjectsError> {
        let _ = (grant, query);
        unimplemented!()
    }

    /// Deletes an empty bucket and its unfinished uploads. `grant`: `s3:DeleteBucket`.
    pub async fn delete_bucket(&self, grant: &Grant, name: &BucketName) -> Result<(), ObjectsError> {
        let _ = (grant, name);
        unimplemented!()
    }

    /// Switches versioning. `grant`: `s3:PutBucketVersioning`.
    pub async fn set_versioning(
        &self,
        grant: &Grant,
        name: &BucketName,
        versioning: Versioning,
    ) -> Result<(), ObjectsError> {
        let _ = (grant, name, versioning);
        unimplemented!()
    }

    /// Sets the default encryption. `grant`: `s3:PutEncryptionConfiguration`.
    pub async fn set_encryption(
        &self,
        grant: &Grant,
        name: &BucketName,
        encryption: BucketDefault,
    ) -> Result<(), ObjectsError> {
        let _ = (grant, name, encryption);
        unimplemented!()
    }
}
