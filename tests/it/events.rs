//! What is told of changes: committed with them, or not at all.

use std::time::Duration;

use serde_json::Value;
use strongroom::index::Faults;
use strongroom::names::{bucket_arn, hex};
use strongroom::objects::{
    Bucket, DeleteCondition, ListQuery, ListVersions, ListedVersion, NotificationTask, ObjectsError, Queue, Queued,
    Versioning, lane_of,
};
use strongroom::rules::notification::{Destination, DestinationKind, EventName, NotificationConfiguration};

use crate::stack::{Stack, Way, key};

const QUEUE: &str = "arn:aws:sqs:us-east-1:111122223333:q";

fn destination(arn: &str, prefix: &str) -> Destination {
    Destination {
        id: arn.to_owned(),
        kind: DestinationKind::Queue,
        arn: arn.to_owned(),
        events: EventName::ALL.to_vec(),
        prefix: Some(prefix.to_owned()),
        suffix: None,
    }
}

/// A bucket of which everything is told to `destinations`.
async fn told(stack: &Stack, versioning: Versioning, destinations: Vec<Destination>) -> Bucket {
    let bucket = stack.create_bucket("bucket", versioning).await;
    let configuration = NotificationConfiguration { destinations, ..NotificationConfiguration::default() };
    let grant = stack.grant("s3:PutBucketNotification", bucket_arn(&bucket.name));
    let event = stack.event("PutBucketNotification", Value::Null);
    let set = stack.objects.set_configuration(&grant, &bucket.name, Some(configuration), |_| Ok(()), &event);
    set.await.unwrap();
    stack.bucket("bucket").await
}

async fn waiting(stack: &Stack, arn: &str) -> Vec<Queued<NotificationTask>> {
    stack.objects.due(Queue::Notifications, &lane_of(arn), 10_000).await.unwrap()
}

/// Takes what is told out of the queue: events and sizes.
async fn take(stack: &Stack, arn: &str) -> Vec<(&'static str, Option<u64>)> {
    let entries = waiting(stack, arn).await;
    if !entries.is_empty() {
        assert!(stack.objects.done(&entries, |_| ()).await.unwrap());
    }
    entries.iter().map(|entry| (entry.task.happening.event.name(), entry.task.happening.plain_len)).collect()
}

#[tokio::test]
async fn every_change_tells_its_event_and_the_size_of_the_plaintext() {
    for versioning in [Versioning::Never, Versioning::Enabled, Versioning::Suspended] {
        let stack = Stack::new(1).await;
        let bucket = told(&stack, versioning, vec![destination(QUEUE, "")]).await;
        for way in Way::ALL {
            for len in [0, 40_000_usize] {
                stack.put(&bucket, &key("a"), &vec![1; len], way.requested()).await.unwrap();
                assert_eq!(take(&stack, QUEUE).await, [("s3:ObjectCreated:Put", Some(len as u64))]);
            }
            stack.upload(&bucket, &key("m"), &[(3, b"abc")], way).await.unwrap();
            assert_eq!(take(&stack, QUEUE).await, [("s3:ObjectCreated:CompleteMultipartUpload", Some(3))]);
        }
        let info = stack.put(&bucket, &key("a"), b"hello", Way::Owned.requested()).await.unwrap();
        take(&stack, QUEUE).await;
        stack.copy(&bucket, &info, &key("b")).await.unwrap();
        assert_eq!(take(&stack, QUEUE).await, [("s3:ObjectCreated:Copy", Some(5))]);
        let tags = vec![("k".to_owned(), "v".to_owned())];
        let put = stack.object_grant("s3:PutObjectTagging", &bucket, &key("a"));
        stack.objects.set_tags(&put, &bucket, &key("a"), None, tags).await.unwrap();
        assert_eq!(take(&stack, QUEUE).await, [("s3:ObjectTagging:Put", Some(5))]);
        let removed = stack.object_grant("s3:DeleteObjectTagging", &bucket, &key("a"));
        stack.objects.set_tags(&removed, &bucket, &key("a"), None, Vec::new()).await.unwrap();
        assert_eq!(take(&stack, QUEUE).await, [("s3:ObjectTagging:Delete", Some(5))]);
        let acl = stack.object_grant("s3:PutObjectAcl", &bucket, &key("a"));
        stack.objects.set_object_acl(&acl, &bucket, &info, None).await.unwrap();
        assert_eq!(take(&stack, QUEUE).await, [("s3:ObjectAcl:Put", Some(5))]);
        stack.delete(&bucket, &key("a")).await.unwrap();
        let removed = match versioning {
            Versioning::Never => "s3:ObjectRemoved:Delete",
            Versioning::Enabled | Versioning::Suspended => "s3:ObjectRemoved:DeleteMarkerCreated",
        };
        assert_eq!(take(&stack, QUEUE).await, [(removed, None)]);
        if versioning == Versioning::Enabled {
            let grant = stack.object_grant("s3:DeleteObjectVersion", &bucket, &key("a"));
            let (name, condition) = (key("a"), DeleteCondition::default());
            stack.objects.delete(&grant, &bucket, &name, Some(info.version), &condition).await.unwrap();
            assert_eq!(take(&stack, QUEUE).await, [("s3:ObjectRemoved:Delete", None)]);
        }
    }
}

#[tokio::test]
async fn what_nobody_asked_for_is_not_told() {
    let stack = Stack::new(2).await;
    let other = "arn:aws:sqs:us-east-1:111122223333:other";
    let bucket = told(&stack, Versioning::Never, vec![destination(QUEUE, "a/"), destination(other, "b/")]).await;
    for name in ["a/1", "b/1", "c/1"] {
        stack.put(&bucket, &key(name), b"x", Way::Owned.requested()).await.unwrap();
    }
    let keys = |entries: Vec<Queued<NotificationTask>>| -> Vec<String> {
        entries.into_iter().map(|entry| entry.task.happening.key).collect()
    };
    assert_eq!(keys(waiting(&stack, QUEUE).await), ["a/1"]);
    assert_eq!(keys(waiting(&stack, other).await), ["b/1"]);
    let silent = stack.create_bucket("silent", Versioning::Never).await;
    stack.put(&silent, &key("a/2"), b"x", Way::Owned.requested()).await.unwrap();
    assert_eq!(stack.objects.lanes(Queue::Notifications, None, 10).await.unwrap().len(), 2);
    assert_eq!(waiting(&stack, QUEUE).await.len(), 1);
}

#[tokio::test]
async fn changes_of_a_key_are_numbered_in_their_order_also_in_one_millisecond_and_after_a_crash() {
    let mut stack = Stack::new(3).await;
    let bucket = told(&stack, Versioning::Never, vec![destination(QUEUE, "")]).await;
    for round in 0..6 {
        stack.put(&bucket, &key("a"), b"x", Way::Owned.requested()).await.unwrap();
        if round % 2 == 0 {
            stack.delete(&bucket, &key("a")).await.unwrap();
        } else {
            stack.sources.jump(-500);
            stack = stack.crash().await;
        }
    }
    let mut entries = waiting(&stack, QUEUE).await;
    stack.sources.jump(3_000);
    entries = if entries.len() < 9 { waiting(&stack, QUEUE).await } else { entries };
    assert_eq!(entries.len(), 9);
    let created = entries.iter().filter(|entry| entry.task.happening.event == EventName::CREATED_PUT).count();
    assert_eq!(created, 6);
    let mut numbers: Vec<u64> = entries.iter().map(|entry| entry.task.happening.sequence.unwrap()).collect();
    numbers.sort_unstable();
    numbers.dedup();
    assert_eq!(numbers.len(), 9, "no two changes have the same number");
}

/// The commit of the change fails, or its answer is lost: there are both or neither.
#[tokio::test]
async fn there_is_no_change_without_its_event_nor_an_event_without_its_change() {
    let mut seen = (0, 0);
    for lost in [false, true] {
        for step in 1..=4 {
            for (name, versioning) in
                [("put", Versioning::Never), ("delete", Versioning::Never), ("mark", Versioning::Enabled)]
            {
                let stack = Stack::new(4).await;
                let bucket = told(&stack, versioning, vec![destination(QUEUE, "")]).await;
                if name != "put" {
                    stack.put(&bucket, &key("a"), b"old", Way::Owned.requested()).await.unwrap();
                    take(&stack, QUEUE).await;
                }
                let faults = match lost {
                    true => Faults { lose_answer_in: Some(step), ..Faults::default() },
                    false => Faults { fail_commit_in: Some(step), ..Faults::default() },
                };
                stack.index.set_faults(faults);
                match name {
                    "put" => drop(stack.put(&bucket, &key("a"), &[7; 70_000], Way::Owned.requested()).await),
                    _ => drop(stack.delete(&bucket, &key("a")).await),
                }
                stack.index.set_faults(Faults::default());
                let stack = stack.crash().await;
                let bucket = stack.bucket("bucket").await;
                let there = stack.head(&bucket, &key("a")).await.is_ok();
                let changed = there == (name == "put");
                let events = take(&stack, QUEUE).await.len();
                assert_eq!(events, usize::from(changed), "{name}, step {step}, lost {lost}");
                if changed { seen.0 += 1 } else { seen.1 += 1 }
            }
        }
    }
    assert!(seen.0 > 0 && seen.1 > 0, "both were seen: {seen:?}");
}

/// Writes and deletions that are cut off anywhere: as many events as versions and markers.
#[tokio::test]
async fn crashes_lose_no_event_and_make_none_up() {
    for seed in 0..12_u64 {
        let mut stack = Stack::new(100 + seed).await;
        told(&stack, Versioning::Enabled, vec![destination(QUEUE, "")]).await;
        for round in 0..6_u64 {
            let bucket = stack.bucket("bucket").await;
            let step = (seed + round) % 5 + 1;
            stack.index.set_faults(Faults { lose_answer_in: Some(step), ..Faults::default() });
            for write in 0..4_u8 {
                let name = key(&format!("k{}", write % 3));
                match (seed + round + u64::from(write)) % 3 {
                    0 => drop(stack.delete(&bucket, &name).await),
                    _ => drop(stack.put(&bucket, &name, &[write; 100], Way::Owned.requested()).await),
                }
            }
            stack.index.set_faults(Faults::default());
            stack = stack.crash().await;
            stack.sources.advance(Duration::from_millis(5));
        }
        let query =
            ListVersions { query: ListQuery { limit: 1000, ..ListQuery::default() }, ..ListVersions::default() };
        let bucket = stack.bucket("bucket").await;
        let grant = stack.grant("s3:ListBucketVersions", bucket_arn(&bucket.name));
        let page = stack.objects.list_versions(&grant, &bucket, &query).await.unwrap();
        let id = |listed: &ListedVersion| match listed {
            ListedVersion::Object { info, .. } => info.version.to_string(),
            ListedVersion::DeleteMarker { version, .. } => version.to_string(),
        };
        let mut versions: Vec<String> = page.versions.iter().map(id).collect();
        let mut events: Vec<String> =
            waiting(&stack, QUEUE).await.iter().map(|entry| entry.task.happening.version.clone().unwrap()).collect();
        versions.sort_unstable();
        events.sort_unstable();
        assert_eq!(events, versions, "seed {seed}");
    }
}

#[tokio::test]
async fn an_entry_that_failed_waits_while_others_pass_and_keeps_its_id() {
    let stack = Stack::new(5).await;
    let bucket = told(&stack, Versioning::Never, vec![destination(QUEUE, "")]).await;
    for name in ["a", "b"] {
        stack.put(&bucket, &key(name), b"x", Way::Owned.requested()).await.unwrap();
        stack.sources.advance(Duration::from_millis(2));
    }
    let entries = waiting(&stack, QUEUE).await;
    let first = &entries[0];
    assert_eq!((first.task.happening.key.as_str(), first.failures), ("a", 0));
    let later = stack.sources.now().plus(Duration::from_secs(10));
    stack.objects.retry(Queue::Notifications, first, later).await.unwrap();
    // A second look at what is not there any more changes nothing.
    stack.objects.retry(Queue::Notifications, first, later).await.unwrap();
    assert!(!stack.objects.done(&entries, |_| ()).await.unwrap());
    let keys = |entries: &[Queued<NotificationTask>]| -> Vec<String> {
        entries.iter().map(|entry| entry.task.happening.key.clone()).collect()
    };
    assert_eq!(keys(&waiting(&stack, QUEUE).await), ["b"]);
    stack.sources.advance(Duration::from_secs(11));
    let both = waiting(&stack, QUEUE).await;
    assert_eq!(keys(&both), ["b", "a"]);
    assert_eq!((both[1].failures, hex(&both[1].id())), (1, hex(&first.id())));
}

/// Taking part in a race: a put that is decided anew tells once.
#[tokio::test]
async fn a_write_that_lost_a_race_and_was_decided_anew_tells_once() {
    let stack = Stack::slow(6).await;
    let bucket = told(&stack, Versioning::Never, vec![destination(QUEUE, "")]).await;
    let name = key("a");
    let put = |data: &'static [u8]| stack.put(&bucket, &name, data, Way::Owned.requested());
    let (one, two, three) = tokio::join!(put(b"one"), put(b"two"), put(b"three"));
    let all: Result<Vec<_>, ObjectsError> = [one, two, three].into_iter().collect();
    assert_eq!(all.unwrap().len(), 3);
    assert_eq!(take(&stack, QUEUE).await.len(), 3);
}
