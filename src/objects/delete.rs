//! Deleting objects and versions.

use super::{Bucket, DeleteCondition, Objects, ObjectsError, VersionId};
use crate::auth::Grant;
use crate::names::ObjectKey;

/// What a delete did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Deleted {
    /// The version that was deleted or, with `delete_marker`, made; none in buckets without versioning.
    pub version: Option<VersionId>,
    /// A delete marker was made, or the deleted version was one.
    pub delete_marker: bool,
}

impl Objects {
    /// Deletes an object (in a versioned bucket: makes a delete marker) or, with `version`, that version. Deleting
    /// what is absent is no error. `grant`: `s3:DeleteObject` or `s3:DeleteObjectVersion`.
    pub async fn delete(
        &self,
        grant: &Grant,
        bucket: &Bucket,
        key: &ObjectKey,
        version: Option<VersionId>,
        condition: &DeleteCondition,
    ) -> Result<Deleted, ObjectsError> {
        let _ = (grant, bucket, key, version, condition);
        unimplemented!()
    }

    /// Replaces the tags of a version; returns its id. `grant`: `s3:PutObjectTagging` or `s3:DeleteObjectTagging`.
    pub async fn set_tags(
        &self,
        grant: &Grant,
        bucket: &Bucket,
        key: &ObjectKey,
        version: Option<VersionId>,
        tags: Vec<(String, String)>,
    ) -> Result<VersionId, ObjectsError> {
        let _ = (grant, bucket, key, version, tags);
        unimplemented!()
    }
}
