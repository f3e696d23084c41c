//! Listing objects and versions: cost bound by what is returned; a delimiter skips over a prefix by seeking.

use super::{Bucket, ObjectInfo, Objects, ObjectsError, VersionId};
use crate::auth::Grant;
use crate::names::ObjectKey;
use crate::sources::Timestamp;

/// Which objects to list. Strings may hold any bytes of UTF-8.
#[derive(Debug, Clone, Default)]
pub struct ListQuery {
    /// Keys that begin so.
    pub prefix: String,
    /// Roll up what lies behind the first of these after the prefix; empty: no roll-up.
    pub delimiter: String,
    /// Keys (or rolled-up prefixes) after this one.
    pub after: String,
    /// At most so many keys and prefixes together.
    pub limit: usize,
}

/// A page of a listing.
#[derive(Debug, Clone, Default)]
pub struct ListPage {
    /// Objects, in order of their keys.
    pub objects: Vec<ObjectInfo>,
    /// Rolled-up prefixes, in order.
    pub prefixes: Vec<String>,
    /// There are more: the last key or prefix of this page, for `after`.
    pub next: Option<String>,
}

/// Which versions to list.
#[derive(Debug, Clone, Default)]
pub struct ListVersions {
    /// As for objects; `after` is the key marker.
    pub query: ListQuery,
    /// Versions of the key `query.after` that come behind this one; none: keys after `query.after`.
    pub after_version: Option<VersionId>,
}

/// A version or delete marker in a listing.
#[derive(Debug, Clone)]
pub enum ListedVersion {
    /// An object.
    Object {
        /// Its record.
        info: Box<ObjectInfo>,
        /// It is the current version.
        latest: bool,
    },
    /// A delete marker.
    DeleteMarker {
        /// Key.
        key: ObjectKey,
        /// Version.
        version: VersionId,
        /// When it was made.
        modified: Timestamp,
        /// It is the current version.
        latest: bool,
    },
}

/// A page of versions.
#[derive(Debug, Clone, Default)]
pub struct VersionPage {
    /// In order of keys, newest first within a key.
    pub versions: Vec<ListedVersion>,
    /// Rolled-up prefixes.
    pub prefixes: Vec<String>,
    /// There are more: markers for the next page.
    pub next: Option<(String, Option<VersionId>)>,
}

impl Objects {
    /// Lists current objects. `grant`: `s3:ListBucket`.
    pub async fn list(&self, grant: &Grant, bucket: &Bucket, query: &ListQuery) -> Result<ListPage, ObjectsError> {
        let _ = (grant, bucket, query);
        unimplemented!()
    }

    /// Lists versions and delete markers. `grant`: `s3:ListBucketVersions`.
    pub async fn list_versions(
        &self,
        grant: &Grant,
        bucket: &Bucket,
        query: &ListVersions,
    ) -> Result<VersionPage, ObjectsError> {
        let _ = (grant, bucket, query);
        unimplemented!()
    }
}
