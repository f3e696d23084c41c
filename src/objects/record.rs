//! What the index keeps of buckets and objects. Field numbers are part of the stored format: add, never renumber.

use minicbor::{Decode, Encode};

use super::acl::ObjectAccess;
use super::configuration::Configurations;
use super::replicate::ReplicationState;
use super::types::{
    Bucket, ChecksumKind, ObjectChecksum, ObjectInfo, ObjectMeta, ObjectOwnership, PolicyReference, VersionId,
    Versioning,
};
use crate::crypto::{Checksum, ChecksumAlgorithm};
use crate::index::{Record, Stamp, Table, Tuple};
use crate::names::{AccountId, BucketName, ObjectKey, Region};
use crate::policy::{Acl, PublicAccessBlock};
use crate::rules::ConfigurationKind;
use crate::rules::lock::ObjectLock;
use crate::sources::Timestamp;
use crate::sse::{BucketDefault, Envelope};

/// 16 bytes as they stand in a record.
pub(super) type Id = [u8; 16];

/// A bucket.
#[derive(Debug, Clone, Encode, Decode)]
pub(super) struct BucketRecord {
    #[cbor(n(0), with = "minicbor::bytes")]
    pub(super) id: Id,
    #[n(1)]
    pub(super) owner: String,
    #[n(2)]
    pub(super) region: String,
    #[n(3)]
    pub(super) created_ms: i64,
    #[n(4)]
    pub(super) versioning: Versioning,
    #[n(5)]
    pub(super) encryption: BucketDefault,
    /// A delete is under way: no write may begin.
    #[n(6)]
    pub(super) closing: bool,
    /// None in rows from before there was a choice: then `BucketOwnerEnforced`.
    #[n(7)]
    pub(super) ownership: Option<OwnershipRecord>,
    /// Which policy it has: the document lies in `BucketConfig`.
    #[n(8)]
    pub(super) policy: Option<PolicyReference>,
    /// None in rows from before there were such blocks, and where it was deleted.
    #[n(9)]
    pub(super) public_access_block: Option<PublicAccessBlock>,
    /// None: private.
    #[n(10)]
    pub(super) acl: Option<Acl>,
    /// None: the bucket's owner pays.
    #[n(11)]
    pub(super) requester_pays: Option<bool>,
    /// Which configurations it has: they lie in `BucketConfig`. None in rows from before there were any.
    #[n(12)]
    pub(super) configurations: Option<Configurations>,
}

/// The policy of a bucket.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub(super) struct PolicyRecord {
    /// As in the bucket's row that it was written with.
    #[cbor(n(0), with = "minicbor::bytes")]
    pub(super) id: Id,
    #[n(1)]
    pub(super) document: String,
}

impl Record for PolicyRecord {
    const TABLE: Table = Table::BucketConfig;
}

/// A bucket's object ownership.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub(super) enum OwnershipRecord {
    #[n(0)]
    Controls(#[n(0)] ObjectOwnership),
    /// The controls were deleted.
    #[n(1)]
    Deleted,
}

impl OwnershipRecord {
    pub(super) fn new(ownership: Option<ObjectOwnership>) -> Self {
        ownership.map_or(Self::Deleted, Self::Controls)
    }
}

impl Record for BucketRecord {
    const TABLE: Table = Table::Bucket;
}

/// The row that finds a bucket by its owner.
#[derive(Debug, Clone, Encode, Decode)]
pub(super) struct OwnedBucket {
    #[n(0)]
    pub(super) region: String,
}

impl Record for OwnedBucket {
    const TABLE: Table = Table::BucketOwner;
}

/// A checksum.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub(super) struct ChecksumRecord {
    #[n(0)]
    pub(super) algorithm: u8,
    #[cbor(n(1), with = "minicbor::bytes")]
    pub(super) value: Vec<u8>,
    #[n(2)]
    pub(super) kind: ChecksumKind,
    #[n(3)]
    pub(super) parts: Option<u32>,
}

/// Numbers of the algorithms in records.
const ALGORITHMS: [ChecksumAlgorithm; 10] = [
    ChecksumAlgorithm::Crc32,
    ChecksumAlgorithm::Crc32c,
    ChecksumAlgorithm::Crc64Nvme,
    ChecksumAlgorithm::Sha1,
    ChecksumAlgorithm::Sha256,
    ChecksumAlgorithm::Sha512,
    ChecksumAlgorithm::Md5,
    ChecksumAlgorithm::XxHash64,
    ChecksumAlgorithm::XxHash3,
    ChecksumAlgorithm::XxHash128,
];

/// An algorithm's number in records.
pub(super) fn algorithm_number(algorithm: ChecksumAlgorithm) -> u8 {
    let at = ALGORITHMS.iter().position(|a| *a == algorithm).expect("every algorithm has a number");
    u8::try_from(at).expect("there are ten")
}

/// The algorithm of a number in a record.
pub(super) fn algorithm_of(number: u8) -> Option<ChecksumAlgorithm> {
    ALGORITHMS.get(usize::from(number)).copied()
}

impl ChecksumRecord {
    pub(super) fn new(checksum: &Checksum, kind: ChecksumKind, parts: Option<u32>) -> Self {
        Self { algorithm: algorithm_number(checksum.algorithm), value: checksum.value.clone(), kind, parts }
    }

    pub(super) fn checksum(&self) -> Option<Checksum> {
        Some(Checksum { algorithm: algorithm_of(self.algorithm)?, value: self.value.clone() })
    }
}

/// Where sealed bytes lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub(super) enum Place {
    /// One stream, in the index (`Inline`).
    #[n(0)]
    Inline,
    /// One stream, a blob of the store.
    #[n(1)]
    Blob,
    /// Several, listed in `Layout`.
    #[n(2)]
    Parts,
}

/// The bytes of an object: shared by copies, counted in `RefCount` when they have more than one holder.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub(crate) struct Content {
    /// Id of the inline row, the blob, or the layout.
    #[cbor(n(0), with = "minicbor::bytes")]
    pub(super) id: Id,
    #[n(1)]
    pub(super) place: Place,
    /// What the streams were sealed for; a copy keeps it.
    #[cbor(n(2), with = "minicbor::bytes")]
    pub(super) sealing_id: Id,
    /// CRC-64/NVME of the sealed bytes: lets scrub find rotten bytes without any key.
    #[n(3)]
    pub(super) sealed_crc: u64,
}

/// A version of an object, or a delete marker.
#[derive(Debug, Clone, Encode, Decode)]
pub(super) struct ObjectRecord {
    /// Place among the versions of its key: inverted time, then random. Newer is smaller.
    #[cbor(n(0), with = "minicbor::bytes")]
    pub(super) position: Id,
    /// It is the null version.
    #[n(1)]
    pub(super) null: bool,
    /// Bound into the wrapping of its keys.
    #[cbor(n(2), with = "minicbor::bytes")]
    pub(super) holder_id: Id,
    #[n(3)]
    pub(super) modified_ms: i64,
    /// None: a delete marker.
    #[n(4)]
    pub(super) body: Option<BodyRecord>,
    /// None: the bucket's owner's, and private.
    #[n(5)]
    pub(super) access: Option<ObjectAccess>,
    /// None: nothing was ever set.
    #[n(6)]
    pub(super) lock: Option<ObjectLock>,
    /// None: no rule of replication was about it when it was written, and it is no replica.
    #[n(7)]
    pub(super) replication: Option<ReplicationState>,
}

/// What a version has and a delete marker has not.
#[derive(Debug, Clone, Encode, Decode)]
pub(super) struct BodyRecord {
    #[n(0)]
    pub(super) plain_len: u64,
    #[n(1)]
    pub(super) etag: String,
    #[n(2)]
    pub(super) meta: ObjectMeta,
    #[n(3)]
    pub(super) checksum: Option<ChecksumRecord>,
    #[n(4)]
    pub(super) envelope: Envelope,
    #[n(5)]
    pub(super) content: Content,
    #[n(6)]
    pub(super) parts: Option<u32>,
    /// The upload that it came out of.
    #[cbor(n(7), with = "minicbor::bytes")]
    pub(super) upload: Option<Id>,
}

/// The current version of a key.
#[derive(Debug, Clone, Encode, Decode)]
#[cbor(transparent)]
pub(super) struct Current(#[n(0)] pub(super) ObjectRecord);

/// A version that is not current, or a delete marker.
#[derive(Debug, Clone, Encode, Decode)]
#[cbor(transparent)]
pub(super) struct Noncurrent(#[n(0)] pub(super) ObjectRecord);

impl Record for Current {
    const TABLE: Table = Table::Object;
}

impl Record for Noncurrent {
    const TABLE: Table = Table::Version;
}

/// Where the noncurrent null version (or null delete marker) of a key lies.
#[derive(Debug, Clone, Encode, Decode)]
pub(super) struct NullPointer {
    #[cbor(n(0), with = "minicbor::bytes")]
    pub(super) position: Id,
}

impl Record for NullPointer {
    const TABLE: Table = Table::NullVersion;
}

/// How many versions hold a content, when more than one does.
#[derive(Debug, Clone, Encode, Decode)]
pub(super) struct RefCount {
    #[n(0)]
    pub(super) holders: u64,
}

impl Record for RefCount {
    const TABLE: Table = Table::RefCount;
}

/// Something to be deleted when its time has come.
#[derive(Debug, Clone, Encode, Decode)]
pub(super) enum Garbage {
    /// A content that nobody holds any more.
    #[n(0)]
    Content(#[n(0)] Content),
    /// Whatever parts are left of an upload that was completed or aborted.
    #[n(1)]
    Upload(#[cbor(n(0), with = "minicbor::bytes")] Id),
    /// A part's bytes.
    #[n(2)]
    Part(#[n(0)] PartBytes),
    /// The unfinished uploads of a bucket that was deleted.
    #[n(3)]
    Bucket(#[cbor(n(0), with = "minicbor::bytes")] Id),
}

impl Record for Garbage {
    const TABLE: Table = Table::Garbage;
}

/// A blob that is being written.
#[derive(Debug, Clone, Encode, Decode)]
pub(super) struct Pending {
    #[n(0)]
    pub(super) since_ms: i64,
}

impl Record for Pending {
    const TABLE: Table = Table::Pending;
}

/// Where a part's bytes lie.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub(super) struct PartBytes {
    #[cbor(n(0), with = "minicbor::bytes")]
    pub(super) id: Id,
    /// `Inline` or `Blob`.
    #[n(1)]
    pub(super) place: Place,
    #[n(2)]
    pub(super) sealed_crc: u64,
}

/// A part of an upload, and of a completed object's layout.
#[derive(Debug, Clone, Encode, Decode)]
pub(super) struct PartRecord {
    #[n(0)]
    pub(super) number: u32,
    #[n(1)]
    pub(super) plain_len: u64,
    #[n(2)]
    pub(super) etag: String,
    #[n(3)]
    pub(super) modified_ms: i64,
    #[n(4)]
    pub(super) bytes: PartBytes,
    #[n(5)]
    pub(super) checksum: Option<ChecksumRecord>,
    /// MD5 of the plaintext, if the mode's ETag is one.
    #[cbor(n(6), with = "minicbor::bytes")]
    pub(super) md5: Option<Id>,
    /// CRC-64/NVME of the plaintext: the default checksum of an upload whose client named none.
    #[n(7)]
    pub(super) plain_crc: u64,
}

impl Record for PartRecord {
    const TABLE: Table = Table::Part;
}

/// The parts of a completed object, in order.
#[derive(Debug, Clone, Encode, Decode)]
pub(super) struct Layout {
    #[n(0)]
    pub(super) parts: Vec<PartRecord>,
}

impl Record for Layout {
    const TABLE: Table = Table::Layout;
}

/// An upload under way.
#[derive(Debug, Clone, Encode, Decode)]
pub(super) struct UploadRecord {
    #[n(0)]
    pub(super) initiated_ms: i64,
    #[n(1)]
    pub(super) meta: ObjectMeta,
    #[n(2)]
    pub(super) envelope: Envelope,
    /// Algorithm number and kind.
    #[n(3)]
    pub(super) checksum: Option<(u8, ChecksumKind)>,
    /// Bound into the wrapping of its keys and into its streams.
    #[cbor(n(4), with = "minicbor::bytes")]
    pub(super) holder_id: Id,
    /// Position of the version that was current when it began.
    #[cbor(n(5), with = "minicbor::bytes")]
    pub(super) began_over: Option<Id>,
    /// Of the object to be.
    #[n(6)]
    pub(super) access: Option<ObjectAccess>,
    /// The ARN of who began it; none in rows from before it was kept, and where that was the root of the bucket's owner.
    #[n(7)]
    pub(super) initiator: Option<String>,
    /// Of the object to be.
    #[n(8)]
    pub(super) lock: Option<ObjectLock>,
}

impl Record for UploadRecord {
    const TABLE: Table = Table::Upload;
}

/// `(bucket)`
pub(super) fn bucket_row(name: &BucketName) -> Vec<u8> {
    Tuple::new().bytes(name.as_str().as_bytes()).build()
}

/// `(owner, bucket)`
pub(super) fn owner_row(owner: &AccountId, name: &str) -> Vec<u8> {
    Tuple::new().bytes(owner.as_str().as_bytes()).bytes(name.as_bytes()).build()
}

/// `(bucket id, kind)`: the policy's row of `BucketConfig`. Kinds are numbered and never reused.
pub(super) fn policy_row(bucket: &Id) -> Vec<u8> {
    const POLICY: u8 = 1;
    Tuple::new().id(bucket).bytes(&[POLICY]).build()
}

/// `(bucket id, key)`: the row of `Object` and `NullVersion`.
pub(super) fn object_row(bucket: &Id, key: &ObjectKey) -> Vec<u8> {
    Tuple::new().id(bucket).bytes(key.as_str().as_bytes()).build()
}

/// `(bucket id, key, position)`
pub(super) fn version_row(bucket: &Id, key: &ObjectKey, position: &Id) -> Vec<u8> {
    Tuple::new().id(bucket).bytes(key.as_str().as_bytes()).id(position).build()
}

/// `(bucket id, key, upload id)`
pub(super) fn upload_row(bucket: &Id, key: &ObjectKey, upload: &Id) -> Vec<u8> {
    Tuple::new().id(bucket).bytes(key.as_str().as_bytes()).id(upload).build()
}

/// `(upload id, part number)`
pub(super) fn part_row(upload: &Id, number: u32) -> Vec<u8> {
    Tuple::new().id(upload).u32(number).build()
}

/// `(id)`
pub(super) fn id_row(id: &Id) -> Vec<u8> {
    Tuple::new().id(id).build()
}

/// `(due, id)`
pub(super) fn garbage_row(due: Timestamp, id: &Id) -> Vec<u8> {
    Tuple::new().u64(u64::try_from(due.0).unwrap_or(0)).id(id).build()
}

impl BucketRecord {
    /// The bucket as callers see it; none if the stored names are not valid.
    pub(super) fn bucket(&self, name: BucketName, stamp: Stamp) -> Option<Bucket> {
        Some(Bucket {
            name,
            id: self.id,
            owner: AccountId::parse(&self.owner).ok()?,
            region: Region::parse(&self.region).ok()?,
            created: Timestamp(self.created_ms),
            versioning: self.versioning,
            encryption: self.encryption.clone(),
            ownership: self.ownership(),
            policy: self.policy,
            public_access_block: self.public_access_block,
            acl: self.acl.clone(),
            requester_pays: self.requester_pays == Some(true),
            configurations: self.configurations.clone().unwrap_or_default(),
            stamp,
        })
    }

    pub(super) fn set_configuration(&mut self, kind: ConfigurationKind, id: Option<Id>) {
        let mut configurations = self.configurations.take().unwrap_or_default();
        configurations.set(kind, id);
        self.configurations = Some(configurations).filter(|configurations| !configurations.is_empty());
    }

    pub(super) fn ownership(&self) -> Option<ObjectOwnership> {
        match self.ownership {
            None => Some(ObjectOwnership::BucketOwnerEnforced),
            Some(OwnershipRecord::Controls(ownership)) => Some(ownership),
            Some(OwnershipRecord::Deleted) => None,
        }
    }
}

impl ObjectRecord {
    /// The version's id.
    pub(super) fn version(&self) -> VersionId {
        if self.null { VersionId::Null } else { VersionId::Named(self.position) }
    }

    /// The version as callers see it; none for a delete marker.
    pub(super) fn info(self, bucket: &BucketName, key: ObjectKey) -> Option<ObjectInfo> {
        let version = self.version();
        let body = self.body?;
        let checksum = body.checksum.and_then(|c| {
            let checksum = c.checksum()?;
            Some(ObjectChecksum { checksum, kind: c.kind, parts: c.parts })
        });
        Some(ObjectInfo {
            bucket: bucket.clone(),
            key,
            version,
            holder_id: self.holder_id,
            plain_len: body.plain_len,
            etag: body.etag,
            modified: Timestamp(self.modified_ms),
            meta: body.meta,
            checksum,
            envelope: body.envelope,
            parts: body.parts,
            content: body.content,
            access: self.access,
            lock: self.lock,
            replication: self.replication.map(|replication| replication.status),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A bucket's row as it was before object ownership.
    #[derive(Encode)]
    struct FirstBucketRecord {
        #[cbor(n(0), with = "minicbor::bytes")]
        id: Id,
        #[n(1)]
        owner: String,
        #[n(2)]
        region: String,
        #[n(3)]
        created_ms: i64,
        #[n(4)]
        versioning: Versioning,
        #[n(5)]
        encryption: BucketDefault,
        #[n(6)]
        closing: bool,
    }

    #[test]
    fn a_bucket_from_before_object_ownership_has_acls_off() {
        let old = FirstBucketRecord {
            id: [7; 16],
            owner: "111122223333".to_owned(),
            region: "us-east-1".to_owned(),
            created_ms: 5,
            versioning: Versioning::Enabled,
            encryption: BucketDefault::default(),
            closing: false,
        };
        let read: BucketRecord = minicbor::decode(&minicbor::to_vec(&old).unwrap()).unwrap();
        assert_eq!(
            (read.ownership(), read.id, read.closing),
            (Some(ObjectOwnership::BucketOwnerEnforced), [7; 16], false)
        );
        assert_eq!((read.policy, read.public_access_block, &read.acl, read.requester_pays), (None, None, &None, None));
        for ownership in ObjectOwnership::ALL.into_iter().map(Some).chain([None]) {
            let record = BucketRecord { ownership: Some(OwnershipRecord::new(ownership)), ..read.clone() };
            let again: BucketRecord = minicbor::decode(&minicbor::to_vec(&record).unwrap()).unwrap();
            assert_eq!(again.ownership(), ownership);
        }
    }

    #[test]
    fn every_algorithm_has_its_number() {
        for algorithm in ChecksumAlgorithm::ALL {
            assert_eq!(algorithm_of(algorithm_number(algorithm)), Some(algorithm));
        }
        assert_eq!(algorithm_of(u8::try_from(ALGORITHMS.len()).unwrap()), None);
    }
}
