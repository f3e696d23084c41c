//! Writes, copies, deletions, reads and the sweeper, on one key or content.

use std::task::Poll;
use std::time::Duration;

use futures_util::{StreamExt as _, poll};
use serde_json::Value;
use strongroom::crypto::PlainRange;
use strongroom::index::Table;
use strongroom::names::bucket_arn;
use strongroom::objects::{Attributes, ObjectMeta, ObjectsError, PutObject, VersionId, Versioning, WriteCondition};
use strongroom::sse::ObjectRef;
use strongroom::store::faulty::StoreFaults;

use super::{BUCKET, STEPS_MAX, assert_whole, interleave, orders, read, store};
use crate::stack::{Way, key, payload};
use crate::tamper::blobs;

#[tokio::test]
async fn a_copy_against_the_deletion_of_its_source() {
    for (steps, len, versioning, what) in orders() {
        for copy_first in [true, false] {
            let (stack, bucket, source) = store(1, len, versioning).await;
            let (to, from) = (key("copy"), key("source"));
            let (copy, delete) = (stack.copy(&bucket, &source, &to), stack.delete(&bucket, &from));
            let (copied, deleted) = match copy_first {
                true => interleave(steps, copy, delete).await,
                false => {
                    let (deleted, copied) = interleave(steps, delete, copy).await;
                    (copied, deleted)
                }
            };
            deleted.unwrap();
            assert_whole(&stack, &what).await;
            assert_eq!(read(&stack, &bucket, "source").await, None, "{what}");
            assert_eq!(read(&stack, &bucket, "copy").await, copied.ok().map(|_| vec![7; len]), "{what}");
        }
    }
}

#[tokio::test]
async fn a_copy_against_an_overwrite_of_its_source() {
    for (steps, len, versioning, what) in orders() {
        let (stack, bucket, source) = store(2, len, versioning).await;
        let (to, from) = (key("copy"), key("source"));
        let copy = stack.copy(&bucket, &source, &to);
        let (copied, put) = interleave(steps, copy, stack.put(&bucket, &from, b"new", Way::Owned.requested())).await;
        put.unwrap();
        // Then the bytes are to be moved, which `a_source_that_was_written_over_can_be_copied_by_its_bytes` shows.
        assert!(matches!(copied, Ok(_) | Err(ObjectsError::SourceChanged)), "{what}");
        assert_whole(&stack, &what).await;
        assert_eq!(read(&stack, &bucket, "source").await.unwrap(), b"new", "{what}");
        assert_eq!(read(&stack, &bucket, "copy").await, copied.ok().map(|_| vec![7; len]), "{what}");
    }
}

#[tokio::test]
async fn a_source_that_was_written_over_can_be_copied_by_its_bytes() {
    for (_, len, versioning, what) in orders().filter(|order| order.0 == 0) {
        let (stack, bucket, source) = store(2, len, versioning).await;
        stack.put(&bucket, &key("source"), b"new", Way::Owned.requested()).await.unwrap();
        let copied = stack.copy_bytes(&bucket, &source, &key("copy")).await;
        assert_eq!(copied.unwrap().etag, source.etag, "{what}");
        assert_whole(&stack, &what).await;
        assert_eq!(read(&stack, &bucket, "copy").await.unwrap(), vec![7; len], "{what}");
    }
}

#[tokio::test]
async fn two_copies_and_two_deletions_of_one_content() {
    for (steps, len, versioning, what) in orders() {
        let (stack, bucket, source) = store(3, len, versioning).await;
        let (one, two, from) = (key("one"), key("two"), key("source"));
        let both = interleave(steps, stack.copy(&bucket, &source, &one), stack.copy(&bucket, &source, &two)).await;
        assert!(both.0.is_ok() && both.1.is_ok(), "{what}");
        assert_whole(&stack, &what).await;
        let both = interleave(steps, stack.delete(&bucket, &from), stack.delete(&bucket, &one)).await;
        assert!(both.0.is_ok() && both.1.is_ok(), "{what}");
        assert_whole(&stack, &what).await;
        assert_eq!(read(&stack, &bucket, "two").await.unwrap(), vec![7; len], "{what}");
        stack.delete(&bucket, &two).await.unwrap();
        assert_whole(&stack, &what).await;
        if versioning == Versioning::Never {
            assert!(blobs(&stack).await.is_empty(), "{what}: bytes without a holder are left");
        }
    }
}

/// A copy onto a holder of the same content leaves the number of holders as it is.
#[tokio::test]
async fn a_copy_onto_a_copy_against_the_deletion_of_its_source() {
    for (steps, len, versioning, what) in orders() {
        let (stack, bucket, source) = store(4, len, versioning).await;
        let (to, from) = (key("copy"), key("source"));
        stack.copy(&bucket, &source, &to).await.unwrap();
        let (_, deleted) = interleave(steps, stack.copy(&bucket, &source, &to), stack.delete(&bucket, &from)).await;
        deleted.unwrap();
        assert_whole(&stack, &what).await;
        assert_eq!(read(&stack, &bucket, "copy").await.unwrap(), vec![7; len], "{what}");
    }
}

/// A write whose blob is there and whose commit is not is not swept by a pass at that moment.
#[tokio::test]
async fn a_write_against_the_sweeper() {
    for steps in 0..STEPS_MAX {
        let (stack, bucket, _) = store(5, 100, Versioning::Never).await;
        let (name, data) = (key("k"), vec![1; 70_000]);
        let put = stack.put(&bucket, &name, &data, Way::Owned.requested());
        let (put, swept) = interleave(steps, put, async {
            stack.sources.advance(Duration::from_secs(3_600));
            stack.objects.sweep(true).await
        })
        .await;
        put.unwrap();
        swept.unwrap();
        assert_whole(&stack, &format!("step {steps}")).await;
        assert_eq!(read(&stack, &bucket, "k").await.unwrap(), data);
    }
}

/// What cannot be deleted now holds up nothing else, and is deleted by a later pass.
#[tokio::test]
async fn a_sweep_goes_on_past_what_fails() {
    let (stack, bucket, _) = store(24, 100, Versioning::Never).await;
    for name in ["a", "b", "c"] {
        stack.put(&bucket, &key(name), &[1; 70_000], Way::Owned.requested()).await.unwrap();
        stack.delete(&bucket, &key(name)).await.unwrap();
    }
    stack.sources.advance(Duration::from_secs(3_600));
    stack.store.set_faults(StoreFaults { fail_delete_in: Some(1), ..StoreFaults::default() });
    assert!(stack.objects.sweep(true).await.is_err(), "the failure is told");
    let left = stack.rows().await.into_iter().filter(|row| row.table == Table::Garbage).count();
    assert_eq!(left, 1, "the others are done");
    assert_whole(&stack, "after the next pass").await;
}

/// Another gateway's sweeper gives a blob up after a day. It may be wrong by a moment, and must notice.
#[tokio::test]
async fn a_slow_write_against_the_sweeper_of_another_gateway() {
    for written in 0..STEPS_MAX {
        for swept in 0..STEPS_MAX {
            let (stack, bucket, _) = store(9, 100, Versioning::Never).await;
            let (name, data, neighbour) = (key("k"), vec![1; 70_000], stack.neighbour());
            let (put, sweep) = interleave(written, stack.put(&bucket, &name, &data, Way::Owned.requested()), async {
                stack.sources.advance(Duration::from_secs(25 * 3_600));
                let mut sweep = Box::pin(neighbour.sweep(false));
                for _ in 0..swept {
                    if let Poll::Ready(swept) = poll!(&mut sweep) {
                        swept.unwrap();
                        return None;
                    }
                }
                Some(sweep)
            })
            .await;
            if let Some(sweep) = sweep {
                sweep.await.unwrap();
            }
            let what = format!("step {written}/{swept}");
            assert_eq!(read(&stack, &bucket, "k").await, put.ok().map(|_| data), "{what}");
            assert_whole(&stack, &what).await;
        }
    }
}

/// A reader that has begun reads to its end, whatever becomes of the object meanwhile.
#[tokio::test]
async fn a_read_against_an_overwrite_and_the_sweeper() {
    const LEN: u64 = 3 << 20;
    let (stack, bucket, source) = store(10, LEN as usize, Versioning::Never).await;
    let grant = stack.object_grant("s3:GetObject", &bucket, &source.key);
    let object = ObjectRef { bucket: &source.bucket, key: &source.key, id: source.holder_id };
    let keys = stack.objects.sse().open(&stack.access(), object, &source.envelope, None).await.unwrap();
    let whole = PlainRange { start: 0, end: LEN };
    let mut reading = stack.objects.read(&grant, &source, whole, keys).await.unwrap();
    stack.put(&bucket, &source.key, b"new", Way::Owned.requested()).await.unwrap();
    stack.sources.advance(Duration::from_secs(10 * 60));
    stack.objects.sweep(true).await.unwrap();
    let mut len = 0;
    while let Some(chunk) = reading.next().await {
        len += chunk.unwrap().len() as u64;
    }
    assert_eq!(len, LEN);
    assert_whole(&stack, "after the reader").await;
}

#[tokio::test]
async fn two_writes_of_one_key() {
    for (steps, len, versioning, what) in orders() {
        let (stack, bucket, source) = store(11, len, versioning).await;
        let (one, two) = (vec![1; len], vec![2; len]);
        let first = stack.put(&bucket, &source.key, &one, Way::Owned.requested());
        let second = stack.put(&bucket, &source.key, &two, Way::Owned.requested());
        let both = interleave(steps, first, second).await;
        assert!(both.0.is_ok() && both.1.is_ok(), "{what}");
        let got = read(&stack, &bucket, "source").await.unwrap();
        assert!(got == one || got == two, "{what}");
        assert_whole(&stack, &what).await;
    }
}

/// The condition is checked in the commit, not only before the body is read.
#[tokio::test]
async fn of_two_writes_that_want_the_key_absent_one_wins() {
    for steps in 0..STEPS_MAX {
        for versioning in [Versioning::Never, Versioning::Enabled] {
            let (stack, bucket, _) = store(12, 100, versioning).await;
            let name = key("k");
            let condition = WriteCondition { if_absent: true, ..WriteCondition::default() };
            let put = async || {
                let sse = stack.objects.sse();
                let requested = Way::Owned.requested();
                let default = &bucket.encryption;
                let plan =
                    sse.plan(&stack.access(), (&bucket.name, &name), &bucket.owner, default, requested).await.unwrap();
                let (meta, condition) = (ObjectMeta::default(), condition.clone());
                let put =
                    PutObject { bucket: &bucket, key: &name, meta, plan, condition, attributes: Attributes::default() };
                stack.objects.put(&stack.object_grant("s3:PutObject", &bucket, &name), put, payload(b"x")).await
            };
            let both = interleave(steps, put(), put()).await;
            assert_eq!([both.0.is_ok(), both.1.is_ok()].iter().filter(|ok| **ok).count(), 1, "step {steps}");
            assert_whole(&stack, &format!("step {steps}")).await;
        }
    }
}

#[tokio::test]
async fn a_write_against_a_deletion_of_its_key() {
    for (steps, len, versioning, what) in orders() {
        let (stack, bucket, source) = store(13, len, versioning).await;
        let data = vec![1; len];
        let delete = stack.delete(&bucket, &source.key);
        let (deleted, put) =
            interleave(steps, delete, stack.put(&bucket, &source.key, &data, Way::Owned.requested())).await;
        deleted.unwrap();
        put.unwrap();
        let got = read(&stack, &bucket, "source").await;
        assert!(got.is_none() || got == Some(data), "{what}");
        assert_whole(&stack, &what).await;
    }
}

/// What is deleted once versioning is on is kept behind a delete marker, whenever the deletion began.
#[tokio::test]
async fn a_deletion_against_the_start_of_versioning() {
    for steps in 0..STEPS_MAX {
        let (stack, bucket, source) = store(17, 100, Versioning::Never).await;
        let (deleted, was_there) = interleave(steps, stack.delete(&bucket, &source.key), async {
            let was_there = stack.head(&bucket, &source.key).await.is_ok();
            let grant = stack.grant("s3:PutBucketVersioning", bucket_arn(&bucket.name));
            let event = stack.event("PutBucketVersioning", Value::Null);
            stack.objects.set_versioning(&grant, &bucket.name, Versioning::Enabled, &event).await.unwrap();
            was_there
        })
        .await;
        assert_eq!(deleted.unwrap().delete_marker, was_there, "step {steps}");
        let bucket = stack.bucket(BUCKET).await;
        let old = stack.get(&bucket, &source.key, Some(VersionId::Null), None).await;
        assert_eq!(old.is_ok(), was_there, "step {steps}");
        assert_whole(&stack, &format!("step {steps}")).await;
    }
}
