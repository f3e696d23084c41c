//! The deletion of a bucket, whole and cut off.

use std::collections::BTreeSet;
use std::pin::pin;

use futures_util::future::join;
use futures_util::poll;
use serde_json::Value;
use strongroom::index::{Faults, Table};
use strongroom::names::{BucketName, bucket_arn};
use strongroom::objects::{Bucket, ListParts, ListUploads, NewBucket, ObjectOwnership, ObjectsError, Versioning};
use strongroom::sse::{Mode, NewDefault};

use super::{BUCKET, STEPS_MAX, assert_whole, interleave, store};
use crate::stack::{Stack, Way, account, key, region};

/// A write or a delete marker that began before its bucket was deleted.
#[tokio::test]
async fn a_write_against_the_deletion_of_its_bucket() {
    for steps in 0..STEPS_MAX {
        for marker in [false, true] {
            let what = format!("step {steps}, delete marker: {marker}");
            let stack = Stack::new(16).await;
            let bucket = stack.create_bucket(BUCKET, Versioning::Enabled).await;
            let name = key("k");
            let (done, deleted) = interleave(
                steps,
                async {
                    match marker {
                        true => stack.delete(&bucket, &name).await.map(drop),
                        false => stack.put(&bucket, &name, b"x", Way::Owned.requested()).await.map(drop),
                    }
                },
                delete_bucket(&stack),
            )
            .await;
            assert_ne!(done.is_ok(), deleted.is_ok(), "{what}: {done:?}, {deleted:?}");
            if deleted.is_ok() {
                let left = stack.rows().await.into_iter().filter(|row| NO_BUCKET.contains(&row.table)).count();
                assert_eq!(left, 0, "{what}: rows of a bucket that is gone");
            }
            assert_whole(&stack, &what).await;
        }
    }
}

/// A refused deletion is never seen by those who use the bucket.
#[tokio::test]
async fn use_of_a_bucket_against_its_refused_deletion() {
    for steps in 0..STEPS_MAX {
        let (stack, bucket, source) = store(23, 100, Versioning::Never).await;
        let (refused, used) = interleave(steps, delete_bucket(&stack), async {
            let found = stack.objects.bucket(&BucketName::parse(BUCKET).unwrap()).await.map(drop);
            let put = stack.put(&bucket, &source.key, b"x", Way::Owned.requested()).await.map(drop);
            found.and(put)
        })
        .await;
        assert!(matches!(refused, Err(ObjectsError::BucketNotEmpty { .. })), "step {steps}: {refused:?}");
        assert!(used.is_ok(), "step {steps}: {used:?}");
        assert_whole(&stack, &format!("step {steps}")).await;
    }
}

/// What one configuration leaves as it is, another sets at the same moment: neither is lost, in whatever order.
#[tokio::test]
async fn two_configurations_of_a_bucket() {
    let blocking = NewDefault { blocks_sse_c: Some(true), ..NewDefault::default() };
    let silent = NewDefault { mode: Mode::SseKms, bucket_key: true, ..NewDefault::default() };
    let mut last = BTreeSet::new();
    for steps in 0..STEPS_MAX {
        for (one, two) in [(&blocking, &silent), (&silent, &blocking)] {
            let stack = Stack::slow(24).await;
            stack.create_bucket(BUCKET, Versioning::Never).await;
            let versioned = set_versioning(&stack);
            let both = interleave(steps, set_encryption(&stack, one), set_encryption(&stack, two));
            let ((first, second), third) = interleave(steps / 2, both, versioned).await;
            assert!(first.is_ok() && second.is_ok() && third.is_ok(), "step {steps}: {first:?}, {second:?}, {third:?}");
            let bucket = stack.bucket(BUCKET).await;
            assert!(bucket.encryption.blocks_sse_c, "step {steps}: {one:?} against {two:?}");
            assert_eq!(bucket.versioning, Versioning::Enabled, "step {steps}");
            last.insert(bucket.encryption.bucket_key);
        }
    }
    assert_eq!(last.len(), 2, "either was the last at times");
}

async fn set_encryption(stack: &Stack, new: &NewDefault) -> Result<(), ObjectsError> {
    let (name, event) = (BucketName::parse(BUCKET).unwrap(), stack.event("PutBucketEncryption", Value::Null));
    let grant = stack.grant("s3:PutEncryptionConfiguration", bucket_arn(&name));
    stack.objects.set_encryption(&grant, &name, new, &event).await.map(drop)
}

async fn set_versioning(stack: &Stack) -> Result<(), ObjectsError> {
    let (name, event) = (BucketName::parse(BUCKET).unwrap(), stack.event("PutBucketVersioning", Value::Null));
    let grant = stack.grant("s3:PutBucketVersioning", bucket_arn(&name));
    stack.objects.set_versioning(&grant, &name, Versioning::Enabled, &event).await.map(drop)
}

async fn delete_bucket(stack: &Stack) -> Result<(), ObjectsError> {
    let name = BucketName::parse(BUCKET).unwrap();
    let event = stack.event("DeleteBucket", Value::Null);
    stack.objects.delete_bucket(&stack.grant("s3:DeleteBucket", bucket_arn(&name)), &name, &event).await.map(drop)
}

/// The bucket is there and can be used, or it is gone and can be made again; nothing else.
async fn assert_bucket_usable(stack: &Stack, what: &str) -> bool {
    let name = BucketName::parse(BUCKET).unwrap();
    let found = stack.objects.bucket(&name).await;
    let there = found.is_ok();
    let bucket = match found {
        Ok(bucket) => bucket,
        Err(ObjectsError::NoSuchBucket) => stack.create_bucket(BUCKET, Versioning::Never).await,
        Err(error) => panic!("{what}: {error:?}"),
    };
    stack.put(&bucket, &key("probe"), b"x", Way::Owned.requested()).await.unwrap_or_else(|e| panic!("{what}: {e:?}"));
    assert!(matches!(delete_bucket(stack).await, Err(ObjectsError::BucketNotEmpty { .. })), "{what}");
    stack.delete(&bucket, &key("probe")).await.unwrap();
    assert_whole(stack, what).await;
    delete_bucket(stack).await.unwrap_or_else(|error| panic!("{what}: {error:?}"));
    // The second pass has what the first has made due.
    assert_whole(stack, what).await;
    assert_whole(stack, what).await;
    let left: Vec<_> = stack.rows().await.into_iter().filter(|row| NO_BUCKET.contains(&row.table)).collect();
    assert!(left.is_empty(), "{what}: {left:?}");
    there
}

/// Tables without a row when there is no bucket.
const NO_BUCKET: [Table; 9] = [
    Table::Bucket,
    Table::BucketOwner,
    Table::Object,
    Table::Version,
    Table::Upload,
    Table::Part,
    Table::Layout,
    Table::Inline,
    Table::Garbage,
];

/// A bucket with uploads under way, each with a part. Their number is no matter to the deletion, which has two commits:
/// the mark, and the end.
async fn closing_store(uploads: usize) -> Stack {
    let stack = Stack::new(6).await;
    let bucket = stack.create_bucket(BUCKET, Versioning::Never).await;
    for name in 0..uploads {
        let upload = stack.start_upload(&bucket, &key(&name.to_string()), Way::Owned.requested()).await.unwrap();
        stack.put_part(&bucket, &upload, (1, &[1; 40_000]), None).await.unwrap();
    }
    stack
}

/// The uploads that [`closing_store`] has begun are there, and can be completed.
async fn assert_uploads_go_on(stack: &Stack, bucket: &Bucket, uploads: usize, what: &str) {
    let grant = stack.grant("s3:ListBucketMultipartUploads", bucket_arn(&bucket.name));
    let query = ListUploads { limit: 1000, ..ListUploads::default() };
    let found = stack.objects.list_uploads(&grant, bucket, &query).await.unwrap().uploads;
    assert_eq!(found.len(), uploads, "{what}");
    for upload in found {
        let grant = stack.object_grant("s3:ListMultipartUploadParts", bucket, &upload.key);
        let parts = stack.objects.list_parts(&grant, &upload, ListParts { after: 0, limit: 10 }).await.unwrap().parts;
        stack.complete(bucket, &upload, &parts).await.unwrap_or_else(|error| panic!("{what}: {error:?}"));
        assert_eq!(stack.get(bucket, &upload.key, None, None).await.unwrap(), [1; 40_000], "{what}");
        stack.delete(bucket, &upload.key).await.unwrap();
    }
}

#[tokio::test]
async fn a_crash_at_each_step_of_deleting_a_bucket() {
    let mut outcomes = Vec::new();
    for step in 1..=3 {
        for lost in [false, true] {
            let stack = closing_store(2).await;
            let faults = match lost {
                true => Faults { lose_answer_in: Some(step), ..Faults::default() },
                false => Faults { fail_commit_in: Some(step), ..Faults::default() },
            };
            stack.index.set_faults(faults);
            let deleted = delete_bucket(&stack).await;
            let stack = stack.crash().await;
            let what = format!("commit {step}, done: {lost}");
            if let Ok(bucket) = stack.objects.bucket(&BucketName::parse(BUCKET).unwrap()).await {
                assert_uploads_go_on(&stack, &bucket, 2, &what).await;
            }
            let there = assert_bucket_usable(&stack, &what).await;
            assert!(deleted.is_err() || !there, "{what}: acknowledged and not done");
            outcomes.push((deleted.is_ok(), there));
        }
    }
    assert_eq!(outcomes[..2], [(false, true), (false, true)], "the mark alone");
    assert_eq!(outcomes[2..], [(false, true), (false, false), (true, false), (true, false)], "the second is the last");
}

/// A deletion that is refused (full disk) or fails at its end takes nothing with it, not even unfinished uploads.
#[tokio::test]
async fn a_deletion_that_fails_leaves_the_uploads() {
    for (full, fail) in [(Some(2), None), (None, Some(2))] {
        let stack = closing_store(3).await;
        stack.index.set_faults(Faults { full_in: full, fail_commit_in: fail, ..Faults::default() });
        let what = format!("full: {full:?}, fails: {fail:?}");
        delete_bucket(&stack).await.expect_err(&what);
        assert_whole(&stack, &what).await;
        let bucket = stack.objects.bucket(&BucketName::parse(BUCKET).unwrap()).await.unwrap();
        assert_uploads_go_on(&stack, &bucket, 3, &what).await;
    }
}

/// More uploads than a page of the sweeper, which ends them all, even if one of its own commits fails and it has to begin
/// again. A part that was on its way lands until then, and goes with them.
#[tokio::test]
async fn the_uploads_of_a_deleted_bucket_are_swept() {
    for step in 1..=3 {
        let what = format!("commit {step} of the sweeper");
        let stack = closing_store(300).await;
        let bucket = stack.bucket(BUCKET).await;
        let late = stack.start_upload(&bucket, &key("late"), Way::Owned.requested()).await.unwrap();
        delete_bucket(&stack).await.unwrap();
        stack.put_part(&bucket, &late, (1, &[2; 40_000]), None).await.unwrap();
        stack.index.set_faults(Faults { fail_commit_in: Some(step), ..Faults::default() });
        stack.objects.sweep(true).await.expect_err(&what);
        assert_whole(&stack, &what).await;
        let refused = stack.put_part(&bucket, &late, (2, &[2; 40_000]), None).await;
        assert!(matches!(refused, Err(ObjectsError::NoSuchUpload)), "{what}: {refused:?}");
        assert_whole(&stack, &what).await;
        assert_whole(&stack, &what).await;
        let left: Vec<_> = stack.rows().await.into_iter().filter(|row| NO_BUCKET.contains(&row.table)).collect();
        assert!(left.is_empty(), "{what}: {left:?}");
    }
}

/// The process dies with the mark on the bucket: the next start takes it off.
#[tokio::test]
async fn a_deletion_that_dies_half_way_leaves_the_bucket_as_it_was() {
    for steps in 0..STEPS_MAX {
        let stack = closing_store(2).await;
        let what = format!("step {steps}");
        let stack = {
            let mut deletion = pin!(delete_bucket(&stack));
            for _ in 0..steps {
                if poll!(&mut deletion).is_ready() {
                    break;
                }
                tokio::task::yield_now().await;
            }
            stack.crash().await
        };
        assert_bucket_usable(&stack, &what).await;
    }
}

/// Of two deletions one gets on: no third can write between the look of one at the bucket's emptiness and its end, and
/// a bucket that is made anew is not the other's to delete.
#[tokio::test]
async fn two_deletions_and_a_writer() {
    for (between, start) in (0..STEPS_MAX).flat_map(|between| (0..STEPS_MAX).map(move |start| (between, start))) {
        let stack = closing_store(2).await;
        let name = BucketName::parse(BUCKET).unwrap();
        let deletions = interleave(between, delete_bucket(&stack), delete_bucket(&stack));
        let writer = async {
            for _ in 0..start {
                tokio::task::yield_now().await;
            }
            for _ in 0..10 * STEPS_MAX {
                let Ok(bucket) = stack.objects.bucket(&name).await else {
                    let ownership = ObjectOwnership::BucketOwnerEnforced;
                    let public_access_block = None;
                    let new = NewBucket {
                        name: name.clone(),
                        owner: account(),
                        region: region(),
                        ownership,
                        public_access_block,
                        acl: None,
                        tags: None,
                        object_lock: false,
                    };
                    let (grant, event) =
                        (stack.grant("s3:CreateBucket", bucket_arn(&name)), stack.event("CreateBucket", Value::Null));
                    let _ = stack.objects.create_bucket(&grant, new, &event).await;
                    continue;
                };
                if stack.put(&bucket, &key("k"), b"acknowledged", Way::Owned.requested()).await.is_ok() {
                    return;
                }
            }
            panic!("step {between}/{start}: the writer never got on");
        };
        let (_, ()) = Box::pin(join(deletions, writer)).await;
        let bucket = stack.objects.bucket(&name).await;
        let bucket =
            bucket.unwrap_or_else(|e| panic!("step {between}/{start}: the bucket of an object is gone: {e:?}"));
        assert_eq!(stack.get(&bucket, &key("k"), None, None).await.unwrap(), b"acknowledged", "{between}/{start}");
        assert_whole(&stack, &format!("step {between}/{start}")).await;
    }
}
