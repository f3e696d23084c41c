//! Who owns buckets and objects, and their access control lists.
//!
//! A bucket's ACL stands in its row, owner and ACL of an object in the object's, only where they say something: nothing
//! there means the bucket's owner, and a private ACL. What stands there has no effect while the bucket has ACLs off,
//! and has it again when they are switched on again, as with AWS.

use minicbor::{Decode, Encode};

use super::change::Follows;
use super::record::OwnershipRecord;
use super::replicate::Aspect;
use super::{Bucket, ObjectInfo, ObjectOwnership, Objects, ObjectsError, VersionId};
use crate::audit::{Event, Recorded};
use crate::auth::Grant;
use crate::names::{AccountId, BucketName, ObjectKey, bucket_arn, object_arn};
use crate::policy::Acl;
use crate::rules::notification::EventName;

/// Who owns an object that is not the bucket's owner's.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum ObjectOwner {
    /// Another account, by its id.
    #[n(0)]
    Account(#[n(0)] String),
    /// Nobody signed the write.
    #[n(1)]
    Anonymous,
}

/// Owner and ACL of an object, as far as they differ from the bucket's owner and a private ACL.
#[derive(Debug, Clone, Default, PartialEq, Eq, Encode, Decode)]
pub struct ObjectAccess {
    /// None: the bucket's owner.
    #[n(0)]
    pub owner: Option<ObjectOwner>,
    /// None: full control for the owner alone.
    #[n(1)]
    pub acl: Option<Acl>,
}

/// What a decision on an object has to know of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// There is no such object, or a delete marker.
    Absent,
    /// It is there.
    Object(Option<ObjectAccess>),
}

impl ObjectOwner {
    /// An account's; the id is 12 digits.
    pub fn account(account: &AccountId) -> Self {
        Self::Account(account.to_string())
    }

    /// The account's id; for nobody's a word that no account is called.
    pub fn name(&self) -> &str {
        match self {
            Self::Account(id) => id,
            Self::Anonymous => "anonymous",
        }
    }
}

impl ObjectAccess {
    /// As it is kept: not at all if it says nothing.
    #[must_use]
    pub fn kept(self) -> Option<Self> {
        (self != Self::default()).then_some(self)
    }
}

impl Bucket {
    /// ACLs count here.
    pub fn acls_on(&self) -> bool {
        self.ownership != Some(ObjectOwnership::BucketOwnerEnforced)
    }

    /// Owner and ACL of one of its objects that are in force.
    pub fn in_force<'a>(&self, access: Option<&'a ObjectAccess>) -> Option<&'a ObjectAccess> {
        access.filter(|_| self.acls_on())
    }
}

impl Objects {
    /// Owner and ACL of an object, or of the version named. Without a grant: they are what the decision on one follows
    /// from.
    pub async fn standing(
        &self,
        bucket: &Bucket,
        key: &ObjectKey,
        version: Option<VersionId>,
    ) -> Result<Standing, ObjectsError> {
        match self.version_record(bucket, key, version).await {
            Ok(record) if record.body.is_some() => Ok(Standing::Object(record.access)),
            Ok(_) | Err(ObjectsError::NoSuchKey { .. } | ObjectsError::NoSuchVersion) => Ok(Standing::Absent),
            Err(error) => Err(error),
        }
    }

    /// Gives a bucket an ACL; none: private. `grant`: `s3:PutBucketAcl`. `seen` is the bucket that the ACL was judged
    /// for: [`ObjectsError::Contention`] if what it was judged by has changed since.
    pub async fn set_bucket_acl(
        &self,
        grant: &Grant,
        seen: &Bucket,
        acl: Option<Acl>,
        event: &Event,
    ) -> Result<Recorded, ObjectsError> {
        grant.assert_covers("s3:PutBucketAcl", &bucket_arn(&seen.name));
        self.replace_acl(grant, seen, acl, event).await
    }

    /// Gives a bucket of the caller's the ACL that it would be made with. `grant`: `s3:CreateBucket`; `seen` as for
    /// [`Self::set_bucket_acl`].
    pub async fn reset_bucket_acl(
        &self,
        grant: &Grant,
        seen: &Bucket,
        acl: Option<Acl>,
        event: &Event,
    ) -> Result<Recorded, ObjectsError> {
        grant.assert_covers("s3:CreateBucket", &bucket_arn(&seen.name));
        self.replace_acl(grant, seen, acl, event).await
    }

    async fn replace_acl(
        &self,
        grant: &Grant,
        seen: &Bucket,
        acl: Option<Acl>,
        event: &Event,
    ) -> Result<Recorded, ObjectsError> {
        self.reconfigure(grant, &seen.name, event, |record| {
            if record.ownership() != seen.ownership || record.public_access_block != seen.public_access_block {
                return Err(ObjectsError::Contention);
            }
            record.acl.clone_from(&acl);
            Ok(())
        })
        .await
    }

    /// Sets the object ownership, or deletes its controls. `grant`: `s3:PutBucketOwnershipControls`. ACLs are not
    /// switched off where the bucket's own grants something to others than its owner, whose canonical id is `owner`.
    pub async fn set_ownership(
        &self,
        grant: &Grant,
        name: &BucketName,
        ownership: Option<ObjectOwnership>,
        owner: &str,
        event: &Event,
    ) -> Result<Recorded, ObjectsError> {
        grant.assert_covers("s3:PutBucketOwnershipControls", &bucket_arn(name));
        self.reconfigure(grant, name, event, |record| {
            let off = ownership == Some(ObjectOwnership::BucketOwnerEnforced);
            if off && record.acl.as_ref().is_some_and(|acl| acl.grants_to_others(owner)) {
                return Err(ObjectsError::BucketHasAcl);
            }
            record.ownership = Some(OwnershipRecord::new(ownership));
            Ok(())
        })
        .await
    }

    /// Says who pays for requests. `grant`: `s3:PutBucketRequestPayment`.
    pub async fn set_requester_pays(
        &self,
        grant: &Grant,
        name: &BucketName,
        requester_pays: bool,
        event: &Event,
    ) -> Result<Recorded, ObjectsError> {
        grant.assert_covers("s3:PutBucketRequestPayment", &bucket_arn(name));
        self.reconfigure(grant, name, event, |record| {
            record.requester_pays = requester_pays.then_some(true);
            Ok(())
        })
        .await
    }

    /// Replaces the ACL of a version, from [`Objects::head`]; none: private. `grant`: `s3:PutObjectAcl` or
    /// `s3:PutObjectVersionAcl`. One that was overwritten meanwhile is gone with its ACL.
    pub async fn set_object_acl(
        &self,
        grant: &Grant,
        bucket: &Bucket,
        info: &ObjectInfo,
        acl: Option<Acl>,
    ) -> Result<(), ObjectsError> {
        assert_eq!(grant.resource().arn, object_arn(&bucket.name, &info.key), "the grant is for another object");
        let told = Some((grant.access(), EventName::ACL_PUT));
        let follows = Follows { told, aspect: Some(Aspect::Acl) };
        self.change_version(bucket, &info.key, Some(info.version), follows, |record| {
            if record.holder_id == info.holder_id {
                let owner = record.access.take().and_then(|access| access.owner);
                record.access = ObjectAccess { owner, acl: acl.clone() }.kept();
            }
        })
        .await?;
        Ok(())
    }
}
