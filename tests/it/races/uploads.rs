//! The parts and the end of an upload.

use std::time::Duration;

use futures_util::StreamExt as _;
use strongroom::index::{Faults, Table};
use strongroom::objects::Versioning;

use super::{STEPS_MAX, assert_whole, interleave, read, store};
use crate::stack::{Way, key};

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
            let (completed, was_open) = interleave(steps, complete, async {
                let was_open = stack.objects.upload(&bucket, &upload.key, upload.id).await.is_ok();
                match abort {
                    true => {
                        let grant = stack.object_grant("s3:AbortMultipartUpload", &bucket, &upload.key);
                        stack.objects.abort_upload(&grant, &bucket, &upload.key, upload.id).await.unwrap();
                    }
                    false => drop(stack.put_part(&bucket, &upload, (1, &two), None).await),
                }
                was_open
            })
            .await;
            assert!(!abort || completed.is_ok() != was_open, "{what}: aborted and completed");
            assert_whole(&stack, &what).await;
            assert_eq!(read(&stack, &bucket, "k").await, completed.ok().map(|_| one), "{what}");
        }
    }
}

/// A process that ends between a sweep's deletion of blobs and that of their rows has damaged nothing.
#[tokio::test]
async fn a_sweep_that_is_cut_off_is_no_damage() {
    let (stack, bucket, _) = store(16, 100, Versioning::Never).await;
    let upload = stack.start_upload(&bucket, &key("k"), Way::Owned.requested()).await.unwrap();
    for number in [1, 2] {
        stack.put_part(&bucket, &upload, (number, &[1; 70_000]), None).await.unwrap();
    }
    let grant = stack.object_grant("s3:AbortMultipartUpload", &bucket, &upload.key);
    stack.objects.abort_upload(&grant, &bucket, &upload.key, upload.id).await.unwrap();
    stack.sources.advance(Duration::from_secs(3_600));
    stack.index.set_faults(Faults { fail_commit_in: Some(1), ..Faults::default() });
    assert!(stack.objects.sweep(true).await.is_err(), "the failure is told");
    let parts = stack.rows().await.into_iter().filter(|row| row.table == Table::Part).count();
    let blobs = stack.store.blobs().list().count().await;
    assert_eq!((blobs, parts), (0, 2), "the blobs are gone and their rows are not");
    let report = stack.scrub().await.unwrap();
    assert_eq!((report.damage, report.orphans), (Vec::new(), Vec::new()));
    assert_whole(&stack, "after the next pass").await;
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
                        stack.objects.abort_upload(&grant, &bucket, &upload.key, upload.id).await
                    }
                    false => stack.complete(&bucket, &upload, &part).await.map(drop),
                }
                .unwrap();
                // The sweeper has been there already when the part lands.
                stack.objects.sweep(true).await
            })
            .await;
            ended.unwrap();
            assert_whole(&stack, &what).await;
            let left = stack.rows().await.into_iter().filter(|row| row.table == Table::Part).count();
            assert_eq!(left, 0, "{what}: a part without an upload is left");
        }
    }
}
