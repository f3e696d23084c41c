//! Bucket policies and public access blocks.
//!
//! The document lies in a row of its own and the bucket's row says which one it is, so that what is parsed can be held
//! as long as the bucket's row names it: a change, whichever gateway made it, counts for the next request that reads
//! the bucket.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use super::bucket::BUCKET_TRIES;
use super::record::{Id, PolicyRecord, policy_row};
use super::{Bucket, Objects, ObjectsError, PolicyReference};
use crate::audit::{Event, Recorded};
use crate::auth::Grant;
use crate::index::Table;
use crate::names::{BucketName, bucket_arn};
use crate::policy::{Kind, Policy, PublicAccessBlock};

/// Bytes of documents whose parsed form is kept, at most (a parsed policy takes several times its text); beyond it all
/// are dropped and parsed again as they are asked for.
const KEPT_DOCUMENT_BYTES: usize = 8 << 20;

/// A bucket's policy as it is in force.
#[derive(Debug)]
pub struct BucketPolicy {
    /// The policy.
    pub policy: Policy,
    /// S3 calls it public.
    pub public: bool,
}

/// The parsed policies of this process.
#[derive(Clone, Default)]
pub(super) struct Policies(Arc<Mutex<Kept>>);

#[derive(Default)]
struct Kept {
    /// By bucket and policy id. What a bucket had before is dropped with the rest.
    parsed: HashMap<(Id, Id), Arc<BucketPolicy>>,
    document_bytes: usize,
}

impl Policies {
    fn get(&self, bucket: &Id, policy: &Id) -> Option<Arc<BucketPolicy>> {
        let kept = self.0.lock().expect("no holder of this lock panics");
        kept.parsed.get(&(*bucket, *policy)).map(Arc::clone)
    }

    fn keep(&self, bucket: &Id, policy: &Id, parsed: &Arc<BucketPolicy>) {
        let mut kept = self.0.lock().expect("no holder of this lock panics");
        let document_bytes = parsed.policy.text().len();
        // Another request may have been faster.
        if kept.parsed.contains_key(&(*bucket, *policy)) {
            return;
        }
        if kept.document_bytes + document_bytes > KEPT_DOCUMENT_BYTES {
            *kept = Kept::default();
        }
        kept.document_bytes += document_bytes;
        kept.parsed.insert((*bucket, *policy), Arc::clone(parsed));
    }
}

impl Objects {
    /// The policy of a bucket. Reads nothing where there is none, and where it is known already.
    pub async fn bucket_policy(&self, bucket: &Bucket) -> Result<Option<Arc<BucketPolicy>>, ObjectsError> {
        let Some(PolicyReference { id, .. }) = bucket.policy else { return Ok(None) };
        if let Some(known) = self.policies.get(&bucket.id, &id) {
            return Ok(Some(known));
        }
        let mut named = id;
        for _ in 0..BUCKET_TRIES {
            let stored = self.rows.load::<PolicyRecord>(&policy_row(&bucket.id)).await?;
            if let Some(stored) = stored.filter(|stored| stored.value.id == named) {
                return self.parsed(bucket, stored.value).map(Some);
            }
            // It was changed since the bucket's row was read: what that names now is in force. If it names what is not
            // there, somebody has taken the row away, or put an earlier one in its place.
            match self.same_bucket(bucket).await?.policy {
                None => return Ok(None),
                Some(now) if now.id == named => {
                    return Err(ObjectsError::Internal(format!("the policy of bucket {} is lost", bucket.name)));
                }
                Some(now) => named = now.id,
            }
        }
        Err(ObjectsError::Contention)
    }

    fn parsed(&self, bucket: &Bucket, record: PolicyRecord) -> Result<Arc<BucketPolicy>, ObjectsError> {
        let PolicyRecord { id, document } = record;
        // It was checked before it was stored: one that cannot be read may have denied, so that nothing is allowed.
        let policy = Policy::parse(document.as_bytes(), Kind::Bucket).map_err(|error| {
            ObjectsError::Internal(format!("the stored policy of bucket {} cannot be read: {error}", bucket.name))
        })?;
        let parsed = Arc::new(BucketPolicy { public: policy.is_public(), policy });
        self.policies.keep(&bucket.id, &id, &parsed);
        Ok(parsed)
    }

    /// Gives a bucket a policy. `grant`: `s3:PutBucketPolicy`. The policy was checked for this bucket.
    pub async fn put_bucket_policy(
        &self,
        grant: &Grant,
        name: &BucketName,
        policy: &Policy,
        event: &Event,
    ) -> Result<Recorded, ObjectsError> {
        grant.assert_covers("s3:PutBucketPolicy", &bucket_arn(name));
        let reference = PolicyReference { id: self.sources.random(), public: policy.is_public() };
        let row = PolicyRecord { id: reference.id, document: policy.text().to_owned() };
        self.reconfigure_with(
            grant,
            name,
            event,
            |record| {
                record.policy = Some(reference);
                Ok(())
            },
            |bucket, batch| batch.put(policy_row(bucket), &row),
        )
        .await
    }

    /// Takes a bucket's policy away, if it has one. `grant`: `s3:DeleteBucketPolicy`.
    pub async fn delete_bucket_policy(
        &self,
        grant: &Grant,
        name: &BucketName,
        event: &Event,
    ) -> Result<Recorded, ObjectsError> {
        grant.assert_covers("s3:DeleteBucketPolicy", &bucket_arn(name));
        self.reconfigure_with(
            grant,
            name,
            event,
            |record| {
                record.policy = None;
                Ok(())
            },
            |bucket, batch| batch.delete(Table::BucketConfig, policy_row(bucket)),
        )
        .await
    }

    /// Sets a bucket's public access block, or deletes it. `grant`: `s3:PutBucketPublicAccessBlock`.
    pub async fn set_public_access_block(
        &self,
        grant: &Grant,
        name: &BucketName,
        block: Option<PublicAccessBlock>,
        event: &Event,
    ) -> Result<Recorded, ObjectsError> {
        grant.assert_covers("s3:PutBucketPublicAccessBlock", &bucket_arn(name));
        self.reconfigure(grant, name, event, |record| {
            record.public_access_block = block;
            Ok(())
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(document_bytes: usize) -> Arc<BucketPolicy> {
        let statement = r#"{"Effect":"Deny","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::b/*"}"#;
        let document = |id: &str| format!(r#"{{"Id":"{id}","Statement":{statement}}}"#);
        let filler = "x".repeat(document_bytes - document("").len());
        let policy = Policy::parse(document(&filler).as_bytes(), Kind::Bucket).expect("a policy");
        Arc::new(BucketPolicy { public: policy.is_public(), policy })
    }

    #[test]
    fn what_is_kept_is_bounded_and_known_by_both_ids() {
        const DOCUMENT_BYTES: usize = 16 << 10;
        let (policies, policy) = (Policies::default(), parsed(DOCUMENT_BYTES));
        let id = |n: usize| [&n.to_be_bytes()[..], &[0; 8]].concat().try_into().expect("16 bytes");
        let fitting = KEPT_DOCUMENT_BYTES / DOCUMENT_BYTES;
        for n in 0..fitting {
            policies.keep(&id(n), &id(1), &policy);
            policies.keep(&id(n), &id(1), &policy);
        }
        assert!((0..fitting).all(|n| policies.get(&id(n), &id(1)).is_some()));
        assert!(policies.get(&id(0), &id(2)).is_none());
        policies.keep(&id(fitting), &id(1), &policy);
        assert!(policies.get(&id(0), &id(1)).is_none());
        assert!(policies.get(&id(fitting), &id(1)).is_some());
    }
}
