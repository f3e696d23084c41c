//! What callers see of buckets and objects.

use std::fmt;

use super::ObjectsError;
use super::acl::{ObjectAccess, ObjectOwner};
use super::configuration::Configurations;
use super::replicate::ReplicationStatus;
use crate::config::Ownership;
use crate::crypto::{Checksum, PlainRange};
use crate::index::{RowBatch, Stamp, Table};
use crate::names::{AccountId, BucketName, ObjectKey, Region};
use crate::policy::{Acl, PublicAccessBlock};
use crate::rules::lock::ObjectLock;
use crate::sources::Timestamp;
use crate::sse::{BucketDefault, Envelope};

/// Versioning of a bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, minicbor::Encode, minicbor::Decode)]
pub enum Versioning {
    /// Never switched on.
    #[n(0)]
    Never,
    /// On.
    #[n(1)]
    Enabled,
    /// Was on; writes make null versions.
    #[n(2)]
    Suspended,
}

/// Who owns the objects that others write into a bucket, and whether ACLs count there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, minicbor::Encode, minicbor::Decode)]
pub enum ObjectOwnership {
    /// The bucket's owner owns all; ACLs are off.
    #[n(0)]
    BucketOwnerEnforced,
    /// The bucket's owner owns what is written with the ACL `bucket-owner-full-control`.
    #[n(1)]
    BucketOwnerPreferred,
    /// Whoever writes owns.
    #[n(2)]
    ObjectWriter,
}

impl ObjectOwnership {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::BucketOwnerEnforced, Self::BucketOwnerPreferred, Self::ObjectWriter];

    /// As S3 names it.
    pub fn name(self) -> &'static str {
        match self {
            Self::BucketOwnerEnforced => "BucketOwnerEnforced",
            Self::BucketOwnerPreferred => "BucketOwnerPreferred",
            Self::ObjectWriter => "ObjectWriter",
        }
    }

    /// By its name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|ownership| ownership.name() == name)
    }
}

impl From<Ownership> for ObjectOwnership {
    fn from(setting: Ownership) -> Self {
        match setting {
            Ownership::BucketOwnerEnforced => Self::BucketOwnerEnforced,
            Ownership::BucketOwnerPreferred => Self::BucketOwnerPreferred,
            Ownership::ObjectWriter => Self::ObjectWriter,
        }
    }
}

/// What a bucket's row says of its policy, so that a request to a bucket without one costs nothing more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, minicbor::Encode, minicbor::Decode)]
pub struct PolicyReference {
    /// Another one with every write.
    #[cbor(n(0), with = "minicbor::bytes")]
    pub id: [u8; 16],
    /// S3 calls it public ([`crate::policy::Policy::is_public`], when it was written).
    #[n(1)]
    pub public: bool,
}

/// A bucket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bucket {
    /// Its name.
    pub name: BucketName,
    /// Tells it from an earlier bucket of the same name.
    pub id: [u8; 16],
    /// Its account.
    pub owner: AccountId,
    /// Its Region.
    pub region: Region,
    /// When it was made.
    pub created: Timestamp,
    /// Versioning.
    pub versioning: Versioning,
    /// Default encryption.
    pub encryption: BucketDefault,
    /// Object ownership; none once its controls were deleted: then as [`ObjectOwnership::ObjectWriter`].
    pub ownership: Option<ObjectOwnership>,
    /// Which policy it has.
    pub policy: Option<PolicyReference>,
    /// Its public access block, if it is configured.
    pub public_access_block: Option<PublicAccessBlock>,
    /// Its ACL; none: private.
    pub acl: Option<Acl>,
    /// Others than its owner pay for their requests, and have to say so.
    pub requester_pays: bool,
    /// Which configurations it has in rows of their own.
    pub configurations: Configurations,
    /// The version of the row that this was read from: a write commits only while the bucket is as it was.
    pub(crate) stamp: Stamp,
}

/// The id of a version: `null`, or 32 characters for the client whose order tells the age (newest first).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum VersionId {
    /// The version written while versioning was off or suspended.
    Null,
    /// Inverted time and random bytes.
    Named([u8; 16]),
}

impl VersionId {
    /// Reads what a client sent; `None` if it is no version id.
    pub fn parse(text: &str) -> Option<Self> {
        if text == "null" {
            return Some(Self::Null);
        }
        parse_hex(text).map(Self::Named)
    }
}

impl fmt::Display for VersionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("null"),
            Self::Named(id) => id.iter().try_for_each(|b| write!(f, "{b:02x}")),
        }
    }
}

/// The id of a multipart upload: 32 hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct UploadId(pub [u8; 16]);

impl UploadId {
    /// Reads what a client sent.
    pub fn parse(text: &str) -> Option<Self> {
        parse_hex(text).map(Self)
    }
}

impl fmt::Display for UploadId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|b| write!(f, "{b:02x}"))
    }
}

fn parse_hex(text: &str) -> Option<[u8; 16]> {
    if text.len() != 32 || !text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b)) {
        return None;
    }
    u128::from_str_radix(text, 16).ok().map(u128::to_be_bytes)
}

/// Headers that are stored with an object and given back, and its user metadata.
#[derive(Debug, Clone, Default, PartialEq, Eq, minicbor::Encode, minicbor::Decode)]
pub struct ObjectMeta {
    /// `Content-Type`; none: `binary/octet-stream`.
    #[n(0)]
    pub content_type: Option<String>,
    /// `Cache-Control`.
    #[n(1)]
    pub cache_control: Option<String>,
    /// `Content-Disposition`.
    #[n(2)]
    pub content_disposition: Option<String>,
    /// `Content-Encoding` without the `aws-chunked` token.
    #[n(3)]
    pub content_encoding: Option<String>,
    /// `Content-Language`.
    #[n(4)]
    pub content_language: Option<String>,
    /// `Expires`, as sent.
    #[n(5)]
    pub expires: Option<String>,
    /// `x-amz-website-redirect-location`.
    #[n(6)]
    pub website_redirect: Option<String>,
    /// `x-amz-storage-class`; none: `STANDARD`.
    #[n(7)]
    pub storage_class: Option<String>,
    /// `x-amz-meta-*`: lower-case name without the prefix, value as text.
    #[n(8)]
    pub user: Vec<(String, String)>,
    /// Object tags.
    #[n(9)]
    pub tags: Vec<(String, String)>,
}

/// Whether a checksum is of the whole or of the parts' checksums.
#[derive(Debug, Clone, Copy, PartialEq, Eq, minicbor::Encode, minicbor::Decode)]
pub enum ChecksumKind {
    /// `FULL_OBJECT`
    #[n(0)]
    FullObject,
    /// `COMPOSITE`
    #[n(1)]
    Composite,
}

/// An object's checksum.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectChecksum {
    /// Algorithm and value.
    pub checksum: Checksum,
    /// Of what.
    pub kind: ChecksumKind,
    /// Parts, for a composite one (`value-N`).
    pub parts: Option<u32>,
}

/// A version of an object.
#[derive(Debug, Clone)]
pub struct ObjectInfo {
    /// Its bucket.
    pub bucket: BucketName,
    /// Its key.
    pub key: ObjectKey,
    /// Its version; [`VersionId::Null`] also in buckets without versioning (then no header shows it).
    pub version: VersionId,
    /// Bound into the wrapping of its keys.
    pub holder_id: [u8; 16],
    /// Size in bytes of the plaintext: the only size that anyone outside sees.
    pub plain_len: u64,
    /// Without quotes: 32 hexadecimal digits, for multipart objects with `-N`.
    pub etag: String,
    /// When it was written.
    pub modified: Timestamp,
    /// Stored headers and metadata.
    pub meta: ObjectMeta,
    /// Its checksum, if it has one.
    pub checksum: Option<ObjectChecksum>,
    /// How its keys are kept; tells the mode.
    pub envelope: Envelope,
    /// Number of parts, for objects that were uploaded in parts.
    pub parts: Option<u32>,
    /// Owner and ACL, as far as they differ from the bucket's owner and a private ACL; see [`Bucket::in_force`].
    pub access: Option<ObjectAccess>,
    /// What keeps it from being deleted.
    pub lock: Option<ObjectLock>,
    /// How its replication stands; none: no rule is about it.
    pub replication: Option<ReplicationStatus>,
    /// Where its bytes are.
    pub(super) content: super::record::Content,
}

/// A part of a completed multipart object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartSpan {
    /// Its number at upload.
    pub part_number: u32,
    /// Where it lies in the object.
    pub range: PlainRange,
    /// Its checksum, if the object has checksums.
    pub checksum: Option<Checksum>,
    /// CRC-64/NVME of its bytes, which is kept of every part.
    pub whole_crc: Checksum,
}

/// What a write says of the version to be besides its bytes and metadata.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Attributes {
    /// Owner and ACL; not kept if the bucket has ACLs off when it is committed.
    pub access: Option<ObjectAccess>,
    /// Retention and legal hold.
    pub lock: Option<ObjectLock>,
    /// By which operation it is made, where that does not follow from the function called.
    pub creation: Creation,
    /// It is a replica of what another gateway has.
    pub replica: bool,
}

/// What makes a version: events tell it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Creation {
    /// PutObject.
    #[default]
    Put,
    /// A browser's POST.
    Post,
    /// A copy whose bytes go through.
    Copy,
}

/// Conditions of a write.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WriteCondition {
    /// `If-Match`: the current object's ETag without quotes must be this (`*`: any).
    pub if_match: Option<String>,
    /// `If-None-Match: *`: there must be no current object.
    pub if_absent: bool,
    /// Of a multipart upload: its conditions hold for all the time since it began, so that another current version
    /// than the one it began over is a conflict even where the ETag is the same. None: any other write.
    pub began_over: Option<BeganOver>,
    /// Leave to write came from a grant to write, by which nobody writes over what is another's: what is there when the
    /// write is done has to be this owner's.
    pub over_own_of: Option<ObjectOwner>,
}

/// The version that was current when an upload began, if there was one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BeganOver(pub(crate) Option<[u8; 16]>);

/// Conditions of a delete.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DeleteCondition {
    /// `If-Match`.
    pub if_match: Option<String>,
    /// `x-amz-if-match-last-modified-time`, to the second.
    pub if_modified_at: Option<Timestamp>,
    /// `x-amz-if-match-size`.
    pub if_size: Option<u64>,
    /// The delete marker that is made is a replica of what another gateway has.
    pub replica: bool,
    /// What a job has judged by: the delete is done while it is so, or not at all.
    pub unchanged: Unchanged,
}

/// Rows that have to be as they were read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Unchanged(pub(super) Vec<(Table, Vec<u8>, Stamp)>);

impl Unchanged {
    /// What was judged is gone: fine for whoever wants it gone, but not as it was read.
    pub(super) fn expect_gone(&self) -> Result<(), ObjectsError> {
        if self.0.is_empty() { Ok(()) } else { Err(ObjectsError::Contention) }
    }

    /// The batch is refused unless they are.
    pub(super) fn guard(&self, batch: &mut RowBatch<'_>) {
        for (table, row, stamp) in &self.0 {
            batch.expect_unchanged(*table, row.clone(), stamp);
        }
    }
}
