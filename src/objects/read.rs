//! Reading an object.

use bytes::Bytes;
use futures_util::stream::BoxStream;

use super::{Bucket, ObjectInfo, Objects, ObjectsError, PartSpan, VersionId};
use crate::auth::Grant;
use crate::crypto::{ObjectKeys, PlainRange};
use crate::names::ObjectKey;

/// Plaintext, in order; every byte's segment was authenticated before it came out.
pub type ByteStream = BoxStream<'static, Result<Bytes, ObjectsError>>;

impl Objects {
    /// An object's record: the current version, or the one named. `grant`: any action on the object's ARN.
    pub async fn head(
        &self,
        grant: &Grant,
        bucket: &Bucket,
        key: &ObjectKey,
        version: Option<VersionId>,
    ) -> Result<ObjectInfo, ObjectsError> {
        let _ = (grant, bucket, key, version);
        unimplemented!()
    }

    /// The parts of a multipart object, in order; empty for others.
    pub async fn parts(&self, info: &ObjectInfo) -> Result<Vec<PartSpan>, ObjectsError> {
        let _ = info;
        unimplemented!()
    }

    /// Reads `range` of an object with the keys that [`crate::sse::Sse::open`] gave. The header of the first blob is
    /// checked before this returns, so that a damaged object is an error and not a cut connection where possible.
    pub async fn read(
        &self,
        grant: &Grant,
        info: &ObjectInfo,
        range: PlainRange,
        keys: ObjectKeys,
    ) -> Result<ByteStream, ObjectsError> {
        let _ = (grant, info, range, keys);
        unimplemented!()
    }
}
