//! What an object store does. Knows no HTTP, no XML, no header: its callers translate.
//!
//! A write is one index commit; everything before it (blobs in the store) is invisible and swept if it never comes.

mod acl;
mod bucket;
mod bucket_policy;
mod change;
mod complete;
mod configuration;
mod copy;
mod cursor;
mod delete;
mod error;
mod follow;
#[cfg(test)]
mod golden;
mod inventory;
mod lease;
mod lifecycle;
mod list;
mod lock;
mod multipart;
mod queue;
mod read;
mod record;
mod replicate;
mod scrub;
mod sweep;
mod types;
mod upload_ids;
mod versions;
mod write;

pub use acl::{ObjectAccess, ObjectOwner, Standing};
pub use bucket::{BucketPage, ListBuckets, NewBucket};
pub use bucket_policy::BucketPolicy;
pub use configuration::{Configurations, NAMED_MAX};
pub use copy::CopyObject;
pub use delete::Deleted;
pub use error::ObjectsError;
pub use follow::{Happening, NotificationTask, Targets, event_bus};
pub use inventory::InventoryRun;
pub use lease::Lease;
pub use lifecycle::{LifecyclePass, RuleDone, Told};
pub use list::{ListPage, ListQuery, ListVersions, ListedVersion, VersionPage};
pub use multipart::{
    CompletePart, CompleteUpload, ListParts, ListUploads, NewUpload, PartInfo, PartsPage, Upload, UploadsPage,
};
pub use queue::{Lane, Queue, Queued, lane_of, replication_lane};
pub use read::ByteStream;
pub use replicate::{
    Arrived, Aspect, Changes, Replica, ReplicaChange, ReplicaPlace, ReplicationState, ReplicationStatus,
    ReplicationTask, bucket_of_arn,
};
pub use scrub::{Damage, ScrubProgress, ScrubReport};
pub use sweep::Swept;
pub use types::{
    Attributes, BeganOver, Bucket, ChecksumKind, Creation, DeleteCondition, ObjectChecksum, ObjectInfo, ObjectMeta,
    ObjectOwnership, PartSpan, PolicyReference, Unchanged, UploadId, VersionId, Versioning, WriteCondition,
};
pub use write::PutObject;

use std::sync::{Arc, OnceLock};

use crate::audit::Audit;
use crate::index::Rows;
use crate::sources::Sources;
use crate::sse::Sse;
use crate::store::Blobs;

/// The largest body of one PUT or part, in bytes (S3: 5 GiB).
pub const PUT_MAX_BYTES: u64 = 5 << 30;
/// The largest object, in bytes (S3: 50 TB announced for 2025; 5 TiB is what this program promises).
pub const OBJECT_MAX_BYTES: u64 = 5 << 40;
/// Parts are numbered 1 to this.
pub const PART_NUMBER_MAX: u32 = 10_000;
/// Every part but the last holds at least this many bytes.
pub const PART_MIN_BYTES: u64 = 5 << 20;
/// Objects up to this many plaintext bytes are kept in the index: one sync, no file.
pub const INLINE_MAX_BYTES: u64 = 32 * 1024;

/// The object store. Cheap to clone.
#[derive(Clone)]
#[expect(missing_debug_implementations, reason = "holds secrets")]
pub struct Objects {
    rows: Rows,
    audit: Audit,
    blobs: Blobs,
    sse: Sse,
    sources: Sources,
    active: write::ActiveBlobs,
    upload_ids: upload_ids::UploadIds,
    policies: bucket_policy::Policies,
    configurations: configuration::ReadConfigurations,
    bells: queue::Bells,
    sequence: follow::Sequence,
    told: Arc<OnceLock<Told>>,
    targets: Arc<OnceLock<Targets>>,
    /// Tells this process from others in leases.
    process: [u8; 16],
}

impl Objects {
    /// Puts the parts together; `audit` is the trail in the same rows.
    pub fn new(rows: Rows, audit: Audit, blobs: Blobs, sse: Sse, sources: Sources) -> Self {
        Self {
            process: sources.random(),
            rows,
            audit,
            blobs,
            sse,
            sources,
            active: write::ActiveBlobs::default(),
            upload_ids: upload_ids::UploadIds::default(),
            policies: bucket_policy::Policies::default(),
            configurations: configuration::ReadConfigurations::default(),
            bells: queue::Bells::default(),
            sequence: follow::Sequence::default(),
            told: Arc::default(),
            targets: Arc::default(),
        }
    }

    /// The encryption modes, for planning a write and opening a read.
    pub fn sse(&self) -> &Sse {
        &self.sse
    }
}
