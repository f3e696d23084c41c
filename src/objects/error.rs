//! Why the object store did not do what was asked.

use super::VersionId;
use crate::auth::PayloadError;
use crate::crypto::ChecksumAlgorithm;
use crate::index::{CommitError, IndexError};
use crate::sources::Timestamp;
use crate::sse::SseError;
use crate::store::StoreError;

/// Variants are what a caller may branch on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ObjectsError {
    /// No such bucket.
    NoSuchBucket,
    /// The name is another account's.
    BucketAlreadyExists,
    /// The name is the caller's own bucket.
    BucketAlreadyOwnedByYou,
    /// Objects, or (`versions`) only old versions and delete markers, are left.
    BucketNotEmpty {
        /// The bucket is versioned.
        versions: bool,
    },
    /// ACLs cannot be switched off: the bucket's own grants something to others than its owner.
    BucketHasAcl,
    /// No such object (or its current version is a delete marker: then which).
    NoSuchKey {
        /// The delete marker's version, if there is one.
        delete_marker: Option<VersionId>,
    },
    /// What is being copied was written over or deleted meanwhile: its bytes can be read for a while
    /// ([`super::Objects::copy_bytes`]), and shared no more.
    SourceChanged,
    /// No such version.
    NoSuchVersion,
    /// The version that was asked for by id is a delete marker.
    IsDeleteMarker {
        /// When it was made.
        modified: Timestamp,
    },
    /// The version is protected by object lock.
    Locked {
        /// By a retention in governance mode alone, which leave to bypass it would get past.
        bypass_helps: bool,
    },
    /// The bucket's versioning can't be changed, since object lock is on.
    LockNeedsVersioning,
    /// The bucket's versioning can't be changed, since it is replicated.
    ReplicationNeedsVersioning,
    /// Object lock can't be turned on, since versioning is not.
    LockNotVersioned,
    /// The bucket has no configuration of the id that was named.
    NoSuchConfiguration,
    /// The bucket has as many configurations of the kind as it may have ([`super::NAMED_MAX`]).
    TooManyConfigurations,
    /// A replica needs a bucket with versioning.
    ReplicaNotVersioned,
    /// The replica of a version that is locked needs a bucket with object lock.
    ReplicaNotLockable,
    /// The object that would be written over is another's ([`super::WriteCondition::over_own_of`]).
    NotOwned,
    /// A condition does not hold; holds the condition's name, e.g. `If-Match`.
    PreconditionFailed(&'static str),
    /// A race was lost while a condition was given; holds the condition's name.
    ConditionalConflict(&'static str),
    /// No such upload.
    NoSuchUpload,
    /// A part named in Complete is not there or has another ETag.
    InvalidPart {
        /// Its number.
        part_number: u32,
        /// Its ETag as sent.
        etag: String,
    },
    /// Parts named in Complete do not ascend.
    InvalidPartOrder,
    /// A part that is not the last is too small.
    PartTooSmall {
        /// Its number.
        part_number: u32,
        /// Its size in bytes.
        plain_len: u64,
        /// Its ETag.
        etag: String,
    },
    /// More bytes than one PUT or one object may have.
    TooLarge {
        /// Bytes that were to be stored.
        proposed: u64,
        /// The limit in bytes.
        limit: u64,
    },
    /// `x-amz-mp-object-size` is not the sum of the parts.
    SizeMismatch {
        /// As declared.
        declared: u64,
        /// As computed.
        computed: u64,
    },
    /// Complete names another checksum type than the upload; holds the upload's (`FULL_OBJECT`, `COMPOSITE`, `null`).
    ChecksumTypeMismatch(&'static str),
    /// A part was sent with another algorithm than the upload's.
    ChecksumAlgorithmMismatch {
        /// The upload's; none: it has no checksums.
        expected: Option<ChecksumAlgorithm>,
        /// The part's; none: it came without.
        actual: Option<ChecksumAlgorithm>,
    },
    /// A composite upload was completed without a part's checksum.
    PartChecksumMissing {
        /// Its number.
        part_number: u32,
        /// The upload's algorithm.
        algorithm: ChecksumAlgorithm,
    },
    /// A part's checksum in Complete is not the part's.
    PartChecksumMismatch {
        /// Its number.
        part_number: u32,
        /// The upload's algorithm.
        algorithm: ChecksumAlgorithm,
    },
    /// The object's checksum in Complete is not the computed one.
    ObjectChecksumMismatch(ChecksumAlgorithm),
    /// A copy onto itself that changes nothing.
    CopyToItself,
    /// The body broke a promise.
    Payload(PayloadError),
    /// The keys.
    Sse(SseError),
    /// The disk or the quota is full.
    Full(String),
    /// Too many writers of the same key at once: to be tried again.
    Contention,
    /// Too many writers at once for the memory that they share: to be tried again.
    Busy(String),
    /// Index or store failed, or data is damaged; the text is for the log only.
    Internal(String),
}

impl From<PayloadError> for ObjectsError {
    fn from(error: PayloadError) -> Self {
        Self::Payload(error)
    }
}

impl From<SseError> for ObjectsError {
    fn from(error: SseError) -> Self {
        Self::Sse(error)
    }
}

impl From<IndexError> for ObjectsError {
    fn from(error: IndexError) -> Self {
        match error {
            IndexError::Full(text) => Self::Full(text),
            IndexError::Corrupt(text) | IndexError::Engine(text) => Self::Internal(text),
        }
    }
}

impl From<CommitError> for ObjectsError {
    fn from(error: CommitError) -> Self {
        match error {
            CommitError::Conflict => Self::Contention,
            CommitError::Engine(error) => error.into(),
        }
    }
}

impl From<StoreError> for ObjectsError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::NotFound => Self::Internal("a stored object is damaged: its blob is missing".to_owned()),
            StoreError::Full(text) => Self::Full(text),
            StoreError::Busy(text) => Self::Busy(text),
            StoreError::Failed(text) => Self::Internal(text),
        }
    }
}
