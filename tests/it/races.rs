//! Races and crashes that the simulation meets by chance only, forced: two operations in every order of their steps, and
//! a fault at each step of an operation.

use std::future::Future;
use std::pin::pin;
use std::time::Duration;

use futures_util::{StreamExt as _, poll};
use strongroom::crypto::PlainRange;
use strongroom::index::{Faults, Table};
use strongroom::names::{BucketName, bucket_arn};
use strongroom::objects::{Bucket, ObjectInfo, ObjectMeta, ObjectsError, PutObject, Versioning, WriteCondition};
use strongroom::sse::ObjectRef;
use strongroom::store::faulty::StoreFaults;

use crate::stack::{Stack, Way, account, key, payload, region};

/// No operation here has more steps: places where another one can come in between.
const STEPS_MAX: usize = 12;
const BUCKET: &str = "bucket";

/// Runs `steps` steps of `first`, then all of `second`, then the rest of `first`.
async fn interleave<A, B>(steps: usize, first: impl Future<Output = A>, second: impl Future<Output = B>) -> (A, B) {
    let mut first = pin!(first);
    for _ in 0..steps {
        if let std::task::Poll::Ready(first) = poll!(&mut first) {
            return (first, second.await);
        }
        // What the operation has spawned gets on too.
        tokio::task::yield_now().await;
    }
    let second = second.await;
    (first.await, second)
}

/// A store with one object, `source`.
async fn store(seed: u64, len: usize, versioning: Versioning) -> (Stack, Bucket, ObjectInfo) {
    let stack = Stack::new(seed).await;
    let bucket = stack.create_bucket(BUCKET, versioning).await;
    let source = stack.put(&bucket, &key("source"), &vec![7; len], Way::Owned.requested()).await.unwrap();
    (stack, bucket, source)
}

/// Sweeps all that is due, and checks that what is left is whole: scrub finds neither damage nor leftovers.
async fn assert_whole(stack: &Stack, what: &str) {
    stack.sources.advance(Duration::from_secs(3_600));
    stack.objects.sweep(true).await.unwrap();
    let report = stack.scrub().await.unwrap();
    assert_eq!((&report.damage, &report.orphans), (&Vec::new(), &Vec::new()), "{what}");
}

async fn read(stack: &Stack, bucket: &Bucket, name: &str) -> Option<Vec<u8>> {
    match stack.get(bucket, &key(name), None, None).await {
        Ok(data) => Some(data),
        Err(ObjectsError::NoSuchKey { .. }) => None,
        Err(error) => panic!("{name} cannot be read: {error:?}"),
    }
}

/// All orders of two operations, on inline and blob contents, with and without versions.
fn orders() -> impl Iterator<Item = (usize, usize, Versioning, String)> {
    let sizes = [(100, Versioning::Never), (70_000, Versioning::Never), (100, Versioning::Enabled)];
    sizes.into_iter().flat_map(|(len, versioning)| {
        (0..STEPS_MAX).map(move |steps| (steps, len, versioning, format!("{len} bytes, {versioning:?}, step {steps}")))
    })
}

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
        assert_whole(&stack, &what).await;
        assert_eq!(read(&stack, &bucket, "source").await.unwrap(), b"new", "{what}");
        assert_eq!(read(&stack, &bucket, "copy").await, copied.ok().map(|_| vec![7; len]), "{what}");
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
            assert!(super::tamper::blobs(&stack).await.is_empty(), "{what}: bytes without a holder are left");
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
        (put.unwrap(), swept.unwrap());
        assert_whole(&stack, &format!("step {steps}")).await;
        assert_eq!(read(&stack, &bucket, "k").await.unwrap(), data);
    }
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
                    if let std::task::Poll::Ready(swept) = poll!(&mut sweep) {
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
                let plan = sse.plan(&stack.access(), &bucket.name, &bucket.owner, default, requested).await.unwrap();
                let (meta, condition) = (ObjectMeta::default(), condition.clone());
                let put = PutObject { bucket: &bucket, key: &name, meta, plan, condition };
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

/// A part that is replaced while the upload is completed: the object has one of the two, and nothing is left over.
#[tokio::test]
async fn a_completion_against_a_re_sent_part_and_an_abort() {
    for steps in 0..STEPS_MAX {
        for abort in [false, true] {
            let what = format!("step {steps}, abort: {abort}");
            let (stack, bucket, _) = store(14, 100, Versioning::Never).await;
            let upload = stack.start_upload(&bucket, &key("k"), Way::Owned.requested()).await.unwrap();
            let (one, two) = (vec![1; 40_000], vec![2; 40_000]);
            let part = [stack.put_part(&bucket, &upload, (1, &one), None).await.unwrap()];
            let complete = stack.complete(&bucket, &upload, &part);
            let (completed, _) = interleave(steps, complete, async {
                match abort {
                    true => {
                        let grant = stack.object_grant("s3:AbortMultipartUpload", &bucket, &upload.key);
                        stack.objects.abort_upload(&grant, &upload).await.is_ok()
                    }
                    false => stack.put_part(&bucket, &upload, (1, &two), None).await.is_ok(),
                }
            })
            .await;
            assert_whole(&stack, &what).await;
            assert_eq!(read(&stack, &bucket, "k").await, completed.ok().map(|_| one), "{what}");
        }
    }
}

/// A part that lands behind the completion or the abort of its upload is refused, and leaves nothing.
#[tokio::test]
async fn a_part_against_the_end_of_its_upload() {
    for steps in 0..STEPS_MAX {
        for abort in [false, true] {
            let what = format!("step {steps}, abort: {abort}");
            let (stack, bucket, _) = store(15, 100, Versioning::Never).await;
            let upload = stack.start_upload(&bucket, &key("k"), Way::Owned.requested()).await.unwrap();
            let (one, two) = (vec![1; 40_000], vec![2; 40_000]);
            let part = [stack.put_part(&bucket, &upload, (1, &one), None).await.unwrap()];
            let late = stack.put_part(&bucket, &upload, (2, &two), None);
            let (_, ended) = interleave(steps, late, async {
                match abort {
                    true => {
                        let grant = stack.object_grant("s3:AbortMultipartUpload", &bucket, &upload.key);
                        stack.objects.abort_upload(&grant, &upload).await
                    }
                    false => stack.complete(&bucket, &upload, &part).await.map(drop),
                }
            })
            .await;
            ended.unwrap();
            assert_whole(&stack, &what).await;
            let left = stack.rows().await.into_iter().filter(|row| row.table == Table::Part).count();
            assert_eq!(left, 0, "{what}: a part without an upload is left");
        }
    }
}

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

async fn delete_bucket(stack: &Stack) -> Result<(), ObjectsError> {
    let name = BucketName::parse(BUCKET).unwrap();
    stack.objects.delete_bucket(&stack.grant("s3:DeleteBucket", bucket_arn(&name)), &name).await
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

/// A bucket with two uploads under way, one of them with a part: the deletion has four commits.
async fn closing_store() -> Stack {
    let stack = Stack::new(6).await;
    let bucket = stack.create_bucket(BUCKET, Versioning::Never).await;
    for name in ["one", "two"] {
        let upload = stack.start_upload(&bucket, &key(name), Way::Owned.requested()).await.unwrap();
        stack.put_part(&bucket, &upload, (1, &[1; 40_000]), None).await.unwrap();
    }
    stack
}

#[tokio::test]
async fn a_crash_at_each_step_of_deleting_a_bucket() {
    let mut outcomes = Vec::new();
    for step in 1..=5 {
        for lost in [false, true] {
            let stack = closing_store().await;
            let faults = match lost {
                true => Faults { lose_answer_in: Some(step), ..Faults::default() },
                false => Faults { fail_commit_in: Some(step), ..Faults::default() },
            };
            stack.index.set_faults(faults);
            let deleted = delete_bucket(&stack).await;
            let stack = stack.crash().await;
            let what = format!("commit {step}, done: {lost}");
            let there = assert_bucket_usable(&stack, &what).await;
            assert!(deleted.is_err() || !there, "{what}: acknowledged and not done");
            outcomes.push((deleted.is_ok(), there));
        }
    }
    assert_eq!(outcomes[6..], [(false, true), (false, false), (true, false), (true, false)], "the fourth is the last");
}

/// The process dies with the mark on the bucket: the next start takes it off.
#[tokio::test]
async fn a_deletion_that_dies_half_way_leaves_the_bucket_as_it_was() {
    for steps in 0..STEPS_MAX {
        let stack = closing_store().await;
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

/// A client that goes away in the middle: the deletion goes on without it, or never began.
#[tokio::test]
async fn a_deletion_whose_client_goes_away_leaves_no_mark() {
    for steps in 0..STEPS_MAX {
        let stack = closing_store().await;
        {
            let mut deletion = pin!(delete_bucket(&stack));
            for _ in 0..steps {
                if poll!(&mut deletion).is_ready() {
                    break;
                }
            }
        }
        for _ in 0..10 * STEPS_MAX {
            tokio::task::yield_now().await;
        }
        assert_bucket_usable(&stack, &format!("step {steps}")).await;
    }
}

/// Of two deletions one wins, and a bucket that is made anew behind it is not the other's to delete.
#[tokio::test]
async fn two_deletions_and_a_new_bucket_of_the_name() {
    for steps in 0..STEPS_MAX {
        for between in 0..STEPS_MAX {
            let stack = Stack::new(7).await;
            stack.create_bucket(BUCKET, Versioning::Never).await;
            let name = BucketName::parse(BUCKET).unwrap();
            let ((), made) = interleave(
                steps,
                async { drop(interleave(between, delete_bucket(&stack), delete_bucket(&stack)).await) },
                async {
                    let grant = stack.grant("s3:CreateBucket", bucket_arn(&name));
                    let new = strongroom::objects::NewBucket { name: name.clone(), owner: account(), region: region() };
                    let bucket = stack.objects.create_bucket(&grant, new).await.ok()?;
                    stack.put(&bucket, &key("k"), b"new", Way::Owned.requested()).await.ok()?;
                    Some(bucket)
                },
            )
            .await;
            if let Some(bucket) = made {
                let read = stack.get(&bucket, &key("k"), None, None).await;
                let there = stack.objects.bucket(&name).await.is_ok();
                assert!(read.is_ok() && there, "step {steps}/{between}: an acknowledged object's bucket is gone");
            }
            assert_whole(&stack, &format!("step {steps}/{between}")).await;
        }
    }
}

/// A disk without room at each write of the store and of the index, for every kind of operation: refused as full,
/// nothing half-made, nothing lost, and done at the next try.
#[tokio::test]
async fn a_full_disk_at_each_step() {
    for operation in FULL {
        let mut refused = 0;
        for in_store in [false, true] {
            for step in 1.. {
                let (stack, bucket, source) = store(8, 70_000, Versioning::Never).await;
                stack.put(&bucket, &key("k"), b"before", Way::Owned.requested()).await.unwrap();
                match in_store {
                    true => stack.store.set_faults(StoreFaults { full_in: Some(step), ..StoreFaults::default() }),
                    false => stack.index.set_faults(Faults { full_in: Some(step), ..Faults::default() }),
                }
                let what = format!("{operation:?}, step {step}, in the store: {in_store}");
                let outcome = operation.run(&stack, &bucket, &source).await;
                stack.store.set_faults(StoreFaults::default());
                stack.index.set_faults(Faults::default());
                // The last write of the operation lies behind.
                let Err(error) = outcome else { break };
                refused += 1;
                assert!(operation.tells_full(&error), "{what}: {error:?}");
                operation.assert_not_done(&stack, &bucket, &what).await;
                assert_whole(&stack, &what).await;
                operation
                    .run(&stack, &bucket, &source)
                    .await
                    .unwrap_or_else(|error| panic!("{what}: again: {error:?}"));
                operation.assert_done(&stack, &bucket, &what).await;
                assert_whole(&stack, &what).await;
            }
        }
        assert!(refused > 0, "{operation:?} met no full disk");
    }
}

const FULL: [Full; 7] = [
    Full::Put(Way::Owned, 100),
    Full::Put(Way::Owned, 1_200_000),
    Full::Put(Way::Kms, 100),
    Full::Put(Way::Double, 70_000),
    Full::Upload,
    Full::Copy,
    Full::Delete,
];

/// An operation on the key `k`, which holds `before`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Full {
    Put(Way, usize),
    Upload,
    Copy,
    Delete,
}

impl Full {
    async fn run(self, stack: &Stack, bucket: &Bucket, source: &ObjectInfo) -> Result<(), ObjectsError> {
        match self {
            Self::Put(way, len) => stack.put(bucket, &key("k"), &vec![1; len], way.requested()).await.map(drop),
            Self::Upload => stack.upload(bucket, &key("k"), &[(1, &[1; 600_000])], Way::Owned).await.map(drop),
            Self::Copy => stack.copy(bucket, source, &key("k")).await.map(drop),
            Self::Delete => stack.delete(bucket, &key("k")).await.map(drop),
        }
    }

    /// The use of a KMS key that cannot be recorded fails closed, as an error of the key module.
    fn tells_full(self, error: &ObjectsError) -> bool {
        let by_key = matches!(self, Self::Put(Way::Kms | Way::Double, _)) && matches!(error, ObjectsError::Sse(_));
        by_key || matches!(error, ObjectsError::Full(_))
    }

    async fn assert_not_done(self, stack: &Stack, bucket: &Bucket, what: &str) {
        assert_eq!(read(stack, bucket, "k").await.as_deref(), Some(&b"before"[..]), "{what}");
        assert_eq!(read(stack, bucket, "source").await.unwrap(), vec![7; 70_000], "{what}");
    }

    async fn assert_done(self, stack: &Stack, bucket: &Bucket, what: &str) {
        let expected = match self {
            Self::Put(_, len) => Some(vec![1; len]),
            Self::Upload => Some(vec![1; 600_000]),
            Self::Copy => Some(vec![7; 70_000]),
            Self::Delete => None,
        };
        assert!(read(stack, bucket, "k").await == expected, "{what}");
    }
}
