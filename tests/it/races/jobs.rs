//! What the program does by itself against what clients do at the same time: lifecycle passes, replication, lists of
//! versions, and the re-wrapping of keys.

use std::time::Duration;

use strongroom::names::{BucketName, bucket_arn};
use strongroom::objects::{
    Bucket, DeleteCondition, ListQuery, ListVersions, ListedVersion, ObjectInfo, ObjectsError, Versioning,
};
use strongroom::rules::lifecycle::{
    Expiration, Filter, Lifecycle, NoncurrentExpiration, Rule, StorageClass, Transition, TransitionTime,
};
use strongroom::rules::notification::{Destination, DestinationKind, EventName, NotificationConfiguration};
use strongroom::sse::{Mode, ObjectRef};

use super::{BUCKET, assert_whole, interleave, read};
use crate::replicas::replicate;
use crate::stack::{Stack, Way, key};

/// Steps of the longest operation here, over an index that yields before and after each call.
const STEPS: usize = 48;
const DAY: Duration = Duration::from_secs(86_400);

/// Both orders of two operations at each step of the one that begins.
fn steps() -> impl Iterator<Item = (usize, bool)> {
    (0..STEPS).flat_map(|steps| [(steps, true), (steps, false)])
}

async fn either<A, B>(
    steps: usize,
    first: bool,
    one: impl Future<Output = A>,
    other: impl Future<Output = B>,
) -> (A, B) {
    if first {
        return interleave(steps, one, other).await;
    }
    let (other, one) = interleave(steps, other, one).await;
    (one, other)
}

fn rules(rule: Rule) -> Lifecycle {
    let rule = Rule { id: "r".to_owned(), enabled: true, ..rule };
    Lifecycle { rules: vec![rule], minimum_size: Default::default() }
}

fn expiring() -> Rule {
    let noncurrent_expiration = Some(NoncurrentExpiration { days: 1, newer: None });
    Rule { expiration: Some(Expiration::Days(1)), noncurrent_expiration, ..Rule::default() }
}

/// A bucket with these rules and an object `k` that they are due for.
async fn due(versioning: Versioning, rule: Rule, len: usize) -> (Stack, Bucket, ObjectInfo) {
    let stack = Stack::slow(51).await;
    let bucket = stack.create_bucket(BUCKET, versioning).await;
    let info = stack.put(&bucket, &key("k"), &vec![1; len], Way::Owned.requested()).await.unwrap();
    stack.configure(BUCKET, Some(rules(rule))).await.unwrap();
    stack.sources.advance(DAY * 40);
    stack.keyring.destroy_due_keys().await.unwrap();
    (stack, bucket, info)
}

async fn pass(stack: &Stack) -> Result<(), ObjectsError> {
    stack.objects.apply_lifecycles(stack.sources.now()).await.map(drop)
}

async fn bucket(stack: &Stack) -> Bucket {
    stack.bucket(BUCKET).await
}

async fn delete_version(stack: &Stack, bucket: &Bucket, info: &ObjectInfo) -> Result<(), ObjectsError> {
    let grant = stack.object_grant("s3:DeleteObjectVersion", bucket, &info.key);
    let none = DeleteCondition::default();
    stack.objects.delete(&grant, bucket, &info.key, Some(info.version), &none).await.map(drop)
}

#[tokio::test]
async fn a_rule_deletes_the_old_object_and_never_the_one_that_was_just_written() {
    for (steps, first) in steps() {
        for (versioning, len) in [(Versioning::Never, 10), (Versioning::Never, 70_000), (Versioning::Enabled, 10)] {
            let what = format!("step {steps}, first {first}, {versioning:?}, {len} bytes");
            let (stack, _, _) = due(versioning, expiring(), len).await;
            let now = bucket(&stack).await;
            let name = key("k");
            let put = stack.put(&now, &name, b"new", Way::Owned.requested());
            let (passed, put) = either(steps, first, pass(&stack), put).await;
            passed.unwrap();
            put.unwrap();
            assert_eq!(read(&stack, &now, "k").await.as_deref(), Some(&b"new"[..]), "{what}");
            assert_whole(&stack, &what).await;
        }
    }
}

/// A hold that was acknowledged is on a version that is there.
#[tokio::test]
async fn a_rule_against_a_hold_and_against_other_tags() {
    for (steps, first) in steps() {
        for by_hold in [true, false] {
            let what = format!("step {steps}, first {first}, hold {by_hold}");
            let filter = Filter { tags: vec![("old".to_owned(), "yes".to_owned())], ..Filter::default() };
            let rule = if by_hold { expiring() } else { Rule { filter, ..expiring() } };
            let (stack, now, info) = due(Versioning::Enabled, rule, 10).await;
            let (name, version) = (key("k"), Some(info.version));
            let tag = stack.object_grant("s3:PutObjectTagging", &now, &name);
            let tags = |value: &str| vec![("old".to_owned(), value.to_owned())];
            stack.objects.set_tags(&tag, &now, &name, version, tags("yes")).await.unwrap();
            stack.put(&now, &name, b"newer", Way::Owned.requested()).await.unwrap();
            stack.sources.advance(DAY * 2);
            let now = bucket(&stack).await;
            let hold = stack.object_grant("s3:PutObjectLegalHold", &now, &name);
            let keep = async {
                match by_hold {
                    true => stack.objects.set_legal_hold(&hold, (&now, &name), version, true).await,
                    false => stack.objects.set_tags(&tag, &now, &name, version, tags("no")).await,
                }
            };
            let (passed, kept) = either(steps, first, pass(&stack), keep).await;
            passed.unwrap();
            let left = stack.get(&now, &name, version, None).await;
            match kept {
                Ok(_) => assert!(left.is_ok(), "{what}: {left:?}"),
                Err(error) => {
                    assert_eq!(error, ObjectsError::NoSuchVersion, "{what}");
                    assert_eq!(left, Err(ObjectsError::NoSuchVersion), "{what}");
                }
            }
            assert_whole(&stack, &what).await;
        }
    }
}

/// Once rules are taken away nothing more is done by them.
#[tokio::test]
async fn a_pass_against_the_end_of_its_rules() {
    for (steps, first) in steps() {
        let stack = Stack::slow(52).await;
        let made = stack.create_bucket(BUCKET, Versioning::Never).await;
        for name in ["a", "b", "c", "d"] {
            stack.put(&made, &key(name), b"x", Way::Owned.requested()).await.unwrap();
        }
        stack.configure(BUCKET, Some(rules(expiring()))).await.unwrap();
        stack.sources.advance(DAY * 2);
        let count = async || {
            let now = bucket(&stack).await;
            let grant = stack.grant("s3:ListBucket", bucket_arn(&now.name));
            let query = ListQuery { limit: 100, ..ListQuery::default() };
            stack.objects.list(&grant, &now, &query).await.unwrap().objects.len()
        };
        let end = async {
            stack.configure::<Lifecycle>(BUCKET, None).await.unwrap();
            count().await
        };
        let (passed, left) = either(steps, first, pass(&stack), end).await;
        passed.unwrap();
        assert_eq!(count().await, left, "step {steps}, first {first}");
        assert_whole(&stack, &format!("step {steps}")).await;
    }
}

#[tokio::test]
async fn a_rule_that_aborts_an_upload_against_its_completion() {
    for (steps, first) in steps() {
        let what = format!("step {steps}, first {first}");
        let rule = Rule { abort_after_days: Some(1), ..Rule::default() };
        let (stack, _, _) = due(Versioning::Never, rule, 10).await;
        let now = bucket(&stack).await;
        let upload = stack.start_upload(&now, &key("up"), Way::Owned.requested()).await.unwrap();
        let part = stack.put_part(&now, &upload, (1, &[7; 70_000]), None).await.unwrap();
        stack.sources.advance(DAY * 3);
        let (passed, completed) = either(steps, first, pass(&stack), stack.complete(&now, &upload, &[part])).await;
        passed.unwrap();
        let there = read(&stack, &now, "up").await;
        match completed {
            Ok(_) => assert_eq!(there, Some(vec![7; 70_000]), "{what}"),
            Err(error) => {
                assert_eq!(error, ObjectsError::NoSuchUpload, "{what}");
                assert_eq!(there, None, "{what}");
            }
        }
        assert_whole(&stack, &what).await;
    }
}

/// Re-wraps the keys of a version under another mode, as `strongroom rewrap` has it done.
async fn rewrap(stack: &Stack, info: &ObjectInfo, way: Way) -> Result<(), ObjectsError> {
    let (now, access, sse) = (bucket(stack).await, stack.access(), stack.objects.sse());
    let object = ObjectRef { bucket: &info.bucket, key: &info.key, id: info.holder_id };
    let keys = sse.open(&access, object, &info.envelope, None).await?;
    let plan = sse.plan(&access, (&now.name, &info.key), &now.owner, &now.encryption, way.requested()).await?;
    let grant = stack.object_grant("s3:UpdateObjectEncryption", &now, &info.key);
    stack.objects.update_encryption(&grant, &now, info, &plan, &keys).await
}

#[tokio::test]
async fn rewrapping_against_a_write_a_deletion_a_rule_a_copy_and_itself() {
    for (steps, first) in steps() {
        for (case, versioning) in [
            ("write", Versioning::Never),
            ("write", Versioning::Enabled),
            ("delete", Versioning::Never),
            ("expire", Versioning::Never),
            ("transition", Versioning::Never),
            ("copy", Versioning::Never),
            ("rewrap", Versioning::Never),
        ] {
            let what = format!("step {steps}, first {first}, {case}, {versioning:?}");
            let transition = Transition { at: TransitionTime::Days(30), class: StorageClass::StandardIa };
            let rule = match case {
                "transition" => Rule { transitions: vec![transition], ..Rule::default() },
                _ => expiring(),
            };
            let (stack, _, info) = due(versioning, rule, 140_000).await;
            let (now, name) = (bucket(&stack).await, key("k"));
            // All keys are made and loaded: whoever waits for somebody who does that would wait for ever here.
            for way in [Way::Owned, Way::Kms, Way::Double] {
                stack.put(&now, &key("warm"), b"", way.requested()).await.unwrap();
            }
            let other = async {
                match case {
                    "write" => stack.put(&now, &name, b"new", Way::Double.requested()).await.map(drop),
                    "delete" => stack.delete(&now, &name).await.map(drop),
                    "copy" => stack.copy(&now, &info, &key("copy")).await.map(drop),
                    "rewrap" => rewrap(&stack, &info, Way::Owned).await,
                    _ => pass(&stack).await,
                }
            };
            let (wrapped, other) = Box::pin(either(steps, first, rewrap(&stack, &info, Way::Kms), other)).await;
            let gone = [Ok(()), Err(ObjectsError::NoSuchVersion), Err(ObjectsError::SourceChanged)];
            assert!(gone.contains(&wrapped) && gone.contains(&other), "{what}: {wrapped:?}, {other:?}");
            let (left, old) = (read(&stack, &now, "k").await, Some(vec![1; 140_000]));
            match case {
                "write" => assert_eq!(left.as_deref(), Some(&b"new"[..]), "{what}"),
                "delete" => assert_eq!(left, None, "{what}"),
                // What was changed since it was looked at is judged again on the next day.
                "expire" => assert!(left.is_none() || left == old, "{what}"),
                _ => assert_eq!(left, old, "{what}"),
            }
            if let Ok(head) = stack.head(&now, &name).await
                && ["transition", "copy"].contains(&case)
            {
                assert_eq!((wrapped, head.envelope.mode), (Ok(()), Mode::SseKms), "{what}");
            }
            if case == "copy" && other.is_ok() {
                assert_eq!(read(&stack, &now, "copy").await, old, "{what}");
            }
            assert_whole(&stack, &what).await;
        }
    }
}

async fn version_ids(stack: &Stack, bucket: &Bucket) -> Vec<String> {
    let query = ListVersions { query: ListQuery { limit: 1000, ..ListQuery::default() }, after_version: None };
    let grant = stack.grant("s3:ListBucketVersions", bucket_arn(&bucket.name));
    let page = stack.objects.list_versions(&grant, bucket, &query).await.unwrap();
    let id = |listed: &ListedVersion| match listed {
        ListedVersion::Object { info, .. } => info.version.to_string(),
        ListedVersion::DeleteMarker { version, .. } => version.to_string(),
    };
    page.versions.iter().map(id).collect()
}

/// The replica is there, whole, or it is not; the source and both buckets can go meanwhile.
#[tokio::test]
async fn replication_against_the_end_of_its_source_and_of_its_buckets() {
    for (steps, first) in steps() {
        for (case, len) in
            [("source", 10), ("source", 70_000), ("source bucket", 70_000), ("target bucket", 10), ("rewrap", 70_000)]
        {
            let what = format!("step {steps}, first {first}, {case}, {len} bytes");
            let stack = Stack::slow(53).await;
            let from = stack.create_bucket(BUCKET, Versioning::Enabled).await;
            let to = stack.create_bucket("there", Versioning::Enabled).await;
            let source = stack.put(&from, &key("k"), &vec![1; len], Way::Owned.requested()).await.unwrap();
            if case == "rewrap" {
                // The key is made and loaded: see above.
                stack.put(&from, &key("warm"), b"", Way::Kms.requested()).await.unwrap();
            }
            let delete_bucket = async |name: &str| {
                let name = BucketName::parse(name).unwrap();
                let event = stack.event("DeleteBucket", serde_json::Value::Null);
                let grant = stack.grant("s3:DeleteBucket", bucket_arn(&name));
                stack.objects.delete_bucket(&grant, &name, &event).await.map(drop)
            };
            let other = async {
                match case {
                    "source" => delete_version(&stack, &from, &source).await,
                    "source bucket" => {
                        delete_version(&stack, &from, &source).await?;
                        delete_bucket(BUCKET).await
                    }
                    "target bucket" => delete_bucket("there").await,
                    _ => rewrap(&stack, &source, Way::Kms).await,
                }
            };
            let (made, other) = Box::pin(either(steps, first, replicate(&stack, &from, &source, &to), other)).await;
            match case {
                "target bucket" => {
                    assert_ne!(made.is_ok(), other.is_ok(), "{what}: {made:?}, {other:?}");
                    let there = stack.objects.bucket(&to.name).await.is_ok();
                    assert_eq!(there, made.is_ok(), "{what}");
                }
                _ => assert_eq!(other, Ok(()), "{what}"),
            }
            if made.is_ok() {
                let replica = stack.get(&to, &key("k"), Some(source.version), None).await;
                assert_eq!(replica, Ok(vec![1; len]), "{what}");
                assert_eq!(version_ids(&stack, &to).await.len(), 1, "{what}");
            } else if case == "rewrap" {
                // It is tried again, and then the keys are those of now.
                let source = stack.head(&from, &key("k")).await.unwrap();
                replicate(&stack, &from, &source, &to).await.unwrap();
                assert_eq!(read(&stack, &to, "k").await, Some(vec![1; len]), "{what}");
            }
            assert_whole(&stack, &what).await;
        }
    }
}

/// A version that nobody touches is in every list once, whatever happens to the others of its key.
#[tokio::test]
async fn a_list_of_versions_against_changes_of_the_current_one() {
    for (steps, first) in steps() {
        for case in ["newer deleted", "marker deleted", "written over"] {
            let stack = Stack::slow(54).await;
            let now = stack.create_bucket(BUCKET, Versioning::Enabled).await;
            let name = key("k");
            let kept = stack.put(&now, &name, b"kept", Way::Owned.requested()).await.unwrap();
            let newer = match case {
                "newer deleted" => {
                    Some(stack.put(&now, &name, b"newer", Way::Owned.requested()).await.unwrap().version)
                }
                "marker deleted" => stack.delete(&now, &name).await.unwrap().version,
                _ => None,
            };
            let change = async {
                match newer {
                    Some(version) => {
                        let grant = stack.object_grant("s3:DeleteObjectVersion", &now, &name);
                        let none = DeleteCondition::default();
                        stack.objects.delete(&grant, &now, &name, Some(version), &none).await.map(drop).unwrap();
                    }
                    None => drop(stack.put(&now, &name, b"newer", Way::Owned.requested()).await.unwrap()),
                }
            };
            let (listed, ()) = either(steps, first, version_ids(&stack, &now), change).await;
            let count = listed.iter().filter(|id| **id == kept.version.to_string()).count();
            assert_eq!(count, 1, "step {steps}, first {first}, {case}: {listed:?}");
        }
    }
}

/// A version is read by its id while it becomes current or ceases to be.
#[tokio::test]
async fn a_version_is_found_while_it_becomes_current() {
    for (steps, first) in steps() {
        for null in [false, true] {
            let what = format!("step {steps}, first {first}, null {null}");
            let stack = Stack::slow(55).await;
            let bucket = match null {
                true => {
                    let bucket = stack.create_bucket(BUCKET, Versioning::Never).await;
                    stack.put(&bucket, &key("k"), b"kept", Way::Owned.requested()).await.unwrap();
                    let grant = stack.grant("s3:PutBucketVersioning", bucket_arn(&bucket.name));
                    let event = stack.event("PutBucketVersioning", serde_json::Value::Null);
                    stack.objects.set_versioning(&grant, &bucket.name, Versioning::Enabled, &event).await.unwrap();
                    stack.bucket(BUCKET).await
                }
                false => {
                    let bucket = stack.create_bucket(BUCKET, Versioning::Enabled).await;
                    stack.put(&bucket, &key("k"), b"kept", Way::Owned.requested()).await.unwrap();
                    bucket
                }
            };
            let kept = stack.head(&bucket, &key("k")).await.unwrap();
            let newer = stack.put(&bucket, &key("k"), b"newer", Way::Owned.requested()).await.unwrap();
            let name = key("k");
            let look = stack.get(&bucket, &name, Some(kept.version), None);
            let (looked, deleted) = either(steps, first, look, delete_version(&stack, &bucket, &newer)).await;
            deleted.unwrap();
            assert_eq!(looked.as_deref(), Ok(&b"kept"[..]), "{what}");
            // And a deletion that says that it deleted has deleted.
            let newer = stack.put(&bucket, &key("k"), b"newest", Way::Owned.requested()).await.unwrap();
            let (one, other) = (delete_version(&stack, &bucket, &kept), delete_version(&stack, &bucket, &newer));
            let (one, other) = either(steps, first, one, other).await;
            assert_eq!((one, other), (Ok(()), Ok(())), "{what}");
            assert_eq!(version_ids(&stack, &bucket).await, Vec::<String>::new(), "{what}");
            assert_whole(&stack, &what).await;
        }
    }
}

/// Either the configuration is one of the bucket and the bucket is there, or neither is.
#[tokio::test]
async fn a_configuration_against_the_deletion_of_its_bucket() {
    for (steps, first) in steps() {
        let what = format!("step {steps}, first {first}");
        let stack = Stack::slow(56).await;
        let made = stack.create_bucket(BUCKET, Versioning::Enabled).await;
        let destination = Destination {
            id: "all".to_owned(),
            kind: DestinationKind::Queue,
            arn: "arn:aws:sqs:us-east-1:111122223333:q".to_owned(),
            events: EventName::ALL.to_vec(),
            prefix: None,
            suffix: None,
        };
        let told = NotificationConfiguration { destinations: vec![destination], event_bridge: false };
        let event = stack.event("DeleteBucket", serde_json::Value::Null);
        let grant = stack.grant("s3:DeleteBucket", bucket_arn(&made.name));
        let delete = stack.objects.delete_bucket(&grant, &made.name, &event);
        let (configured, deleted) = either(steps, first, stack.configure(BUCKET, Some(told)), delete).await;
        let deleted = deleted.map(drop);
        assert!(deleted.is_ok(), "{what}: {deleted:?}");
        assert!(matches!(configured, Ok(()) | Err(ObjectsError::NoSuchBucket)), "{what}: {configured:?}");
        stack.sources.advance(DAY);
        stack.objects.sweep(true).await.unwrap();
        let left = stack.rows().await;
        let left: Vec<_> = left.iter().filter(|row| row.key.starts_with(&made.id)).collect();
        assert!(left.is_empty(), "{what}: {left:?}");
        assert_whole(&stack, &what).await;
    }
}
