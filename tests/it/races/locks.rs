//! Object lock: a version that is locked stays, whatever happens at the same time, to the clock or to the process.

use std::time::Duration;

use serde_json::Value;
use strongroom::names::bucket_arn;
use strongroom::objects::{Bucket, DeleteCondition, Deleted, ObjectInfo, ObjectsError, VersionId, Versioning};
use strongroom::rules::lock::{DefaultRetention, LockConfiguration, Period, RetentionMode};
use strongroom::sources::Timestamp;

use super::{BUCKET, assert_whole, interleave};
use crate::stack::{Stack, Way, key};

/// Steps of the longest operation here, over an index that yields before and after each call.
const STEPS: usize = 30;
const DAY: Duration = Duration::from_secs(86_400);
const YEAR_MS: i64 = 365 * 86_400_000;
const LOCKED: ObjectsError = ObjectsError::Locked { bypass_helps: false };

/// A versioned bucket with object lock, and two versions of `k`, the older one first.
async fn locked_bucket(stack: &Stack, default: Option<DefaultRetention>) -> (Bucket, [ObjectInfo; 2]) {
    stack.create_bucket(BUCKET, Versioning::Enabled).await;
    let bucket = turn_on(stack, default).await.unwrap();
    let put = async |data: &[u8]| stack.put(&bucket, &key("k"), data, Way::Owned.requested()).await.unwrap();
    let versions = [put(b"older").await, put(b"newer").await];
    (bucket, versions)
}

async fn turn_on(stack: &Stack, default: Option<DefaultRetention>) -> Result<Bucket, ObjectsError> {
    let name = stack.bucket(BUCKET).await.name;
    let grant = stack.grant("s3:PutBucketObjectLockConfiguration", bucket_arn(&name));
    let event = stack.event("PutBucketObjectLockConfiguration", Value::Null);
    let configuration = Some(LockConfiguration { default });
    let versioned = |bucket: &Bucket| match bucket.versioning {
        Versioning::Enabled => Ok(()),
        Versioning::Never | Versioning::Suspended => Err(ObjectsError::LockNotVersioned),
    };
    stack.objects.set_configuration(&grant, &name, configuration, versioned, &event).await?;
    Ok(stack.bucket(BUCKET).await)
}

async fn delete_version(stack: &Stack, bucket: &Bucket, version: VersionId) -> Result<Deleted, ObjectsError> {
    let grant = stack.object_grant("s3:DeleteObjectVersion", bucket, &key("k"));
    stack.objects.delete(&grant, bucket, &key("k"), Some(version), &DeleteCondition::default()).await
}

async fn bypass(stack: &Stack, bucket: &Bucket, version: VersionId) -> Result<Deleted, ObjectsError> {
    let grant = stack.object_grant("s3:DeleteObjectVersion", bucket, &key("k"));
    let leave = stack.object_grant("s3:BypassGovernanceRetention", bucket, &key("k"));
    let (name, none) = (key("k"), DeleteCondition::default());
    stack.objects.delete_bypassing(&grant, &leave, (bucket, &name), Some(version), &none).await
}

async fn hold(stack: &Stack, bucket: &Bucket, version: VersionId) -> Result<VersionId, ObjectsError> {
    let grant = stack.object_grant("s3:PutObjectLegalHold", bucket, &key("k"));
    stack.objects.set_legal_hold(&grant, (bucket, &key("k")), Some(version), true).await
}

async fn retain(
    stack: &Stack,
    bucket: &Bucket,
    version: VersionId,
    (mode, until): (RetentionMode, Timestamp),
) -> Result<VersionId, ObjectsError> {
    let grant = stack.object_grant("s3:PutObjectRetention", bucket, &key("k"));
    let retention = Some((mode, until));
    stack.objects.set_retention(&grant, (bucket, &key("k")), Some(version), retention, None).await
}

fn in_days(stack: &Stack, days: u32) -> Timestamp {
    stack.sources.now().plus(DAY * days)
}

/// Either the lock is set and the version stays, or the version is gone and nothing was locked: never a lock that was
/// acknowledged on a version that is gone.
#[tokio::test]
async fn a_deletion_against_a_lock_of_the_same_version() {
    for (steps, current) in (0..STEPS).flat_map(|steps| [(steps, true), (steps, false)]) {
        for (delete_first, by_hold) in [(true, true), (true, false), (false, true), (false, false)] {
            let what = format!("step {steps}, current {current}, delete first {delete_first}, hold {by_hold}");
            let stack = Stack::slow(31).await;
            let (bucket, versions) = locked_bucket(&stack, None).await;
            let version = versions[usize::from(current)].version;
            let lock = async {
                match by_hold {
                    true => hold(&stack, &bucket, version).await,
                    false => {
                        let kept = (RetentionMode::Compliance, in_days(&stack, 1));
                        retain(&stack, &bucket, version, kept).await
                    }
                }
            };
            let delete = delete_version(&stack, &bucket, version);
            let (deleted, locked) = match delete_first {
                true => interleave(steps, delete, lock).await,
                false => {
                    let (locked, deleted) = interleave(steps, lock, delete).await;
                    (deleted, locked)
                }
            };
            let left = stack.get(&bucket, &key("k"), Some(version), None).await;
            match (deleted, locked) {
                (Ok(_), Err(ObjectsError::NoSuchVersion)) => {
                    assert_eq!(left, Err(ObjectsError::NoSuchVersion), "{what}")
                }
                (Err(LOCKED), Ok(_)) => assert!(left.is_ok(), "{what}"),
                other => panic!("{what}: {other:?}"),
            }
            assert_whole(&stack, &what).await;
        }
    }
}

#[tokio::test]
async fn no_clock_ends_a_retention_but_time() {
    for jump_ms in [50 * YEAR_MS, -50 * YEAR_MS] {
        let mut stack = Stack::new(32).await;
        // As a gateway's first pass does, it notes the time.
        stack.keyring.destroy_due_keys().await.unwrap();
        let (bucket, [version, _]) = locked_bucket(&stack, None).await;
        let kept = (RetentionMode::Compliance, in_days(&stack, 30));
        retain(&stack, &bucket, version.version, kept).await.unwrap();
        stack.sources.jump(jump_ms);
        assert_eq!(delete_version(&stack, &bucket, version.version).await, Err(LOCKED), "{jump_ms}");
        // A new process trusts three days at most of what the wall clock moved.
        stack = stack.crash().await;
        assert_eq!(delete_version(&stack, &bucket, version.version).await, Err(LOCKED), "{jump_ms}, at a start");
        assert_eq!(bypass(&stack, &bucket, version.version).await, Err(LOCKED), "{jump_ms}, bypassed");
        stack.sources.advance(DAY * 26);
        assert_eq!(delete_version(&stack, &bucket, version.version).await, Err(LOCKED), "{jump_ms}, too early");
        stack.sources.advance(DAY * 5);
        let late = delete_version(&stack, &bucket, version.version).await;
        assert_eq!(late.is_ok(), jump_ms > 0, "{jump_ms}: {late:?}");
        // Once the clock is set right the date that clients were told counts.
        stack.sources.jump(-jump_ms);
        assert!(delete_version(&stack, &bucket, version.version).await.is_ok(), "{jump_ms}");
    }
}

#[tokio::test]
async fn governance_is_bypassed_by_who_may_and_a_legal_hold_by_nobody() {
    let stack = Stack::new(33).await;
    let (bucket, [older, newer]) = locked_bucket(&stack, None).await;
    let kept = (RetentionMode::Governance, in_days(&stack, 30));
    for version in [older.version, newer.version] {
        retain(&stack, &bucket, version, kept).await.unwrap();
    }
    hold(&stack, &bucket, newer.version).await.unwrap();
    let governed = Err(ObjectsError::Locked { bypass_helps: true });
    assert_eq!(delete_version(&stack, &bucket, older.version).await, governed);
    assert!(bypass(&stack, &bucket, older.version).await.is_ok());
    assert_eq!(bypass(&stack, &bucket, newer.version).await, Err(LOCKED));
    // A delete marker hides it, and it is still there.
    assert!(stack.delete(&bucket, &key("k")).await.unwrap().delete_marker);
    assert!(stack.get(&bucket, &key("k"), Some(newer.version), None).await.is_ok());
    assert_whole(&stack, "at the end").await;
}

/// The default counts from the creation of the version, and is one with it.
#[tokio::test]
async fn a_default_retention_against_a_write() {
    let default = Some(DefaultRetention { mode: RetentionMode::Compliance, period: Period::Days(1) });
    for steps in 0..STEPS {
        let stack = Stack::slow(34).await;
        let (bucket, _) = locked_bucket(&stack, None).await;
        let name = key("k");
        let put = stack.put(&bucket, &name, b"x", Way::Owned.requested());
        let (written, configured) = interleave(steps, put, turn_on(&stack, default)).await;
        let (written, bucket) = (written.unwrap(), configured.unwrap());
        let deleted = delete_version(&stack, &bucket, written.version).await;
        assert_eq!(deleted.is_ok(), written.lock.is_none(), "step {steps}");
        let later = stack.put(&bucket, &key("k"), b"y", Way::Owned.requested()).await.unwrap();
        let kept = later.lock.and_then(|lock| lock.retention).expect("the default");
        assert_eq!(kept.until(), later.modified.plus(DAY), "step {steps}");
        assert_eq!(delete_version(&stack, &bucket, later.version).await, Err(LOCKED), "step {steps}");
    }
}

#[tokio::test]
async fn object_lock_against_the_suspension_of_versioning() {
    for steps in 0..STEPS {
        for lock_first in [true, false] {
            let stack = Stack::slow(35).await;
            let bucket = stack.create_bucket(BUCKET, Versioning::Enabled).await;
            let grant = stack.grant("s3:PutBucketVersioning", bucket_arn(&bucket.name));
            let event = stack.event("PutBucketVersioning", Value::Null);
            let suspend = stack.objects.set_versioning(&grant, &bucket.name, Versioning::Suspended, &event);
            let lock = turn_on(&stack, None);
            let (locked, suspended) = match lock_first {
                true => interleave(steps, lock, suspend).await,
                false => {
                    let (suspended, locked) = interleave(steps, suspend, lock).await;
                    (locked, suspended)
                }
            };
            let now = stack.bucket(BUCKET).await;
            let what = format!("step {steps}, lock first {lock_first}");
            assert_eq!((locked.is_ok(), suspended.is_ok()), (now.has_object_lock(), !now.has_object_lock()), "{what}");
            assert_eq!(now.versioning == Versioning::Enabled, now.has_object_lock(), "{what}");
        }
    }
}

/// No bucket with object lock writes over a version; should one ever come to it, what is locked stays.
#[tokio::test]
async fn a_locked_version_is_not_written_over_either() {
    for versioning in [Versioning::Suspended, Versioning::Never] {
        let stack = Stack::new(36).await;
        let bucket = stack.create_bucket(BUCKET, versioning).await;
        let name = key("k");
        stack.put(&bucket, &name, b"kept", Way::Owned.requested()).await.unwrap();
        hold(&stack, &bucket, VersionId::Null).await.unwrap();
        let written = stack.put(&bucket, &name, b"new", Way::Owned.requested()).await;
        assert_eq!(written.map(|_| ()), Err(LOCKED), "{versioning:?}");
        assert_eq!(stack.delete(&bucket, &name).await, Err(LOCKED), "{versioning:?}");
        assert_eq!(stack.get(&bucket, &name, None, None).await.unwrap(), b"kept", "{versioning:?}");
    }
    // The null version that is not current any more.
    let stack = Stack::new(37).await;
    let bucket = stack.create_bucket(BUCKET, Versioning::Never).await;
    stack.put(&bucket, &key("k"), b"kept", Way::Owned.requested()).await.unwrap();
    hold(&stack, &bucket, VersionId::Null).await.unwrap();
    let switch = async |versioning| {
        let grant = stack.grant("s3:PutBucketVersioning", bucket_arn(&bucket.name));
        let event = stack.event("PutBucketVersioning", Value::Null);
        stack.objects.set_versioning(&grant, &bucket.name, versioning, &event).await.unwrap();
        stack.bucket(BUCKET).await
    };
    let enabled = switch(Versioning::Enabled).await;
    stack.put(&enabled, &key("k"), b"newer", Way::Owned.requested()).await.unwrap();
    let suspended = switch(Versioning::Suspended).await;
    let written = stack.put(&suspended, &key("k"), b"new", Way::Owned.requested()).await;
    assert_eq!(written.map(|_| ()), Err(LOCKED));
    assert_eq!(stack.delete(&suspended, &key("k")).await, Err(LOCKED));
    assert_eq!(stack.get(&suspended, &key("k"), Some(VersionId::Null), None).await.unwrap(), b"kept");
}
