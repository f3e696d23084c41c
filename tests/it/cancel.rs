//! A client that goes away: its request is dropped at whatever it waits for. Each operation is dropped after its first
//! poll, its second, and so on until one comes to its end; after each, what it was about is as before or done, nothing
//! that it began stays behind, and everything goes on working.

use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

use serde_json::Value;
use strongroom::audit::AuditRecord;
use strongroom::keyring::{Call, NewKey};
use strongroom::names::bucket_arn;
use strongroom::objects::{
    Attributes, Bucket, CompletePart, CompleteUpload, CopyObject, DeleteCondition, ListUploads, NewUpload, ObjectMeta,
    ObjectsError, PutObject, Upload, Versioning, WriteCondition,
};
use strongroom::sse::{ObjectRef, Requested, SealPlan};

use crate::stack::{Stack, key, payload, region, slow_payload};

/// Turns in which tasks that were left to themselves come to their end.
const TURNS: usize = 300;

/// Polls a future `polls` times; `None`: it was dropped then.
async fn cut<F: Future>(mut future: Pin<Box<F>>, polls: usize) -> Option<F::Output> {
    for _ in 0..polls {
        if let Poll::Ready(output) = futures_util::poll!(future.as_mut()) {
            return Some(output);
        }
        tokio::task::yield_now().await;
    }
    None
}

/// Runs `attempt` with one poll more each time until one ends; it was really cut in the middle if that took several.
async fn cut_everywhere(mut attempt: impl AsyncFnMut(usize) -> bool) {
    let ended = {
        let mut polls = 0;
        while !attempt(polls).await {
            polls += 1;
            assert!(polls < 1000, "it never ends");
        }
        polls
    };
    assert!(ended >= 3, "only {ended} places to cut");
}

impl Stack {
    async fn settle(&self) {
        for _ in 0..TURNS {
            tokio::task::yield_now().await;
        }
    }

    /// After the sweeper has been by, every byte in the store belongs to something, and everything reads back.
    async fn assert_clean(&self) {
        for _ in 0..2 {
            self.sources.advance(Duration::from_secs(3600));
            self.objects.sweep(true).await.unwrap();
        }
        let report = self.objects.scrub(region(), &mut |_| {}).await.unwrap();
        assert!(report.damage.is_empty() && report.orphans.is_empty(), "{report:?}");
        self.audit.verify(None).await.unwrap().unwrap();
    }

    /// The object's content, if it is there.
    async fn content(&self, bucket: &Bucket, name: &str) -> Option<Vec<u8>> {
        match self.get(bucket, &key(name), None, None).await {
            Ok(data) => Some(data),
            Err(ObjectsError::NoSuchKey { .. }) => None,
            Err(other) => panic!("{name}: {other:?}"),
        }
    }

    async fn plan(&self, bucket: &Bucket) -> SealPlan {
        let sse = self.objects.sse();
        let object = (&bucket.name, &key("k"));
        sse.plan(&self.access(), object, &bucket.owner, &bucket.encryption, Requested::SseS3).await.unwrap()
    }

    async fn records(&self, name: &str) -> Vec<AuditRecord> {
        let records = self.audit.list(0, 10_000).await.unwrap();
        let named = format!("\"eventName\":\"{name}\"");
        records.into_iter().filter(|record| record.json.contains(&named)).collect()
    }
}

fn data(size: usize) -> Vec<u8> {
    (0..size).map(|n| (n % 251) as u8).collect()
}

/// `names`: what was attempted, and whether an end was reported. Whole or absent, also after a crash.
async fn assert_whole_or_absent(stack: Stack, bucket: &Bucket, names: &[(String, bool)], whole: &[u8]) {
    stack.assert_clean().await;
    let reopened = stack.crash().await;
    reopened.assert_clean().await;
    let mut found = 0;
    for (name, ended) in names {
        let content = reopened.content(bucket, name).await;
        assert!(content.is_some() || !ended, "{name} was acknowledged");
        assert!(content.as_deref().is_none_or(|content| content == whole), "{name} is not whole");
        found += usize::from(content.is_some());
    }
    assert!(found < names.len(), "some were cut before their commit");
}

#[tokio::test]
async fn put_object() {
    // Inline; a blob in one piece; one in several.
    for size in [300, 100_000, 700_001] {
        let stack = Stack::slow(1).await;
        let bucket = stack.create_bucket("bucket", Versioning::Never).await;
        let (whole, mut names) = (data(size), Vec::new());
        cut_everywhere(async |polls| {
            let name = format!("key-{polls}");
            let object = key(&name);
            let (plan, condition) = (stack.plan(&bucket).await, WriteCondition::default());
            let put = PutObject {
                bucket: &bucket,
                key: &object,
                meta: ObjectMeta::default(),
                plan,
                condition,
                attributes: Attributes::default(),
            };
            let grant = stack.object_grant("s3:PutObject", &bucket, &object);
            let ended = cut(Box::pin(stack.objects.put(&grant, put, slow_payload(&whole))), polls).await;
            stack.settle().await;
            let ended = ended.map(|put| put.unwrap()).is_some();
            names.push((name, ended));
            ended
        })
        .await;
        assert_whole_or_absent(stack, &bucket, &names, &whole).await;
    }
}

async fn started(stack: &Stack, bucket: &Bucket, name: &str, whole: &[u8]) -> (Upload, CompleteUpload) {
    let object = key(name);
    let (plan, grant) = (stack.plan(bucket).await, stack.object_grant("s3:PutObject", bucket, &object));
    let new = NewUpload {
        bucket,
        key: &object,
        meta: ObjectMeta::default(),
        plan,
        checksum: None,
        attributes: Attributes::default(),
        initiator: None,
    };
    let upload = stack.objects.create_upload(&grant, new).await.unwrap();
    let keys = stack.objects.upload_keys(&grant, &upload, None).await.unwrap();
    let part = stack.objects.put_part(&grant, &upload, keys, 1, payload(whole)).await.unwrap();
    let parts = vec![CompletePart { part_number: 1, etag: part.etag, checksum: None }];
    (upload, CompleteUpload { parts, ..CompleteUpload::default() })
}

#[tokio::test]
async fn complete_multipart_upload() {
    let stack = Stack::slow(2).await;
    let bucket = stack.create_bucket("bucket", Versioning::Never).await;
    let (whole, mut names) = (data(100_000), Vec::new());
    cut_everywhere(async |polls| {
        let name = format!("key-{polls}");
        let (upload, complete) = started(&stack, &bucket, &name, &whole).await;
        let grant = stack.object_grant("s3:PutObject", &bucket, &key(&name));
        let ended =
            cut(Box::pin(stack.objects.complete_upload(&grant, &bucket, &upload, complete.clone())), polls).await;
        stack.settle().await;
        // Either the upload is still there and can be completed, or the object is.
        let there = stack.content(&bucket, &name).await.is_some();
        let upload = stack.objects.upload(&bucket, &key(&name), upload.id).await;
        assert_eq!(upload.is_err(), there, "{name}");
        let ended = ended.map(|completed| completed.unwrap()).is_some();
        names.push((name, ended));
        ended
    })
    .await;
    let list = ListUploads { limit: 1000, ..ListUploads::default() };
    let grant = stack.grant("s3:ListBucketMultipartUploads", bucket_arn(&bucket.name));
    let left = stack.objects.list_uploads(&grant, &bucket, &list).await.unwrap().uploads.len();
    assert!(left > 0 && left < names.len());
    assert_whole_or_absent(stack, &bucket, &names, &whole).await;
}

#[tokio::test]
async fn copy_object() {
    let stack = Stack::slow(3).await;
    let bucket = stack.create_bucket("bucket", Versioning::Never).await;
    let (whole, mut names) = (data(100_000), Vec::new());
    stack.put(&bucket, &key("source"), &whole, Requested::SseS3).await.unwrap();
    cut_everywhere(async |polls| {
        let (name, from) = (format!("key-{polls}"), key("source"));
        let (object, source_grant) = (key(&name), stack.object_grant("s3:GetObject", &bucket, &from));
        let source = stack.objects.head(&source_grant, &bucket, &from, None).await.unwrap();
        let bound = ObjectRef { bucket: &source.bucket, key: &source.key, id: source.holder_id };
        let source_keys = stack.objects.sse().open(&stack.access(), bound, &source.envelope, None).await.unwrap();
        let copy = CopyObject {
            source: &source,
            source_grant: &source_grant,
            source_keys,
            bucket: &bucket,
            key: &object,
            meta: None,
            plan: stack.plan(&bucket).await,
            checksum: None,
            condition: WriteCondition::default(),
            attributes: Attributes::default(),
        };
        let grant = stack.object_grant("s3:PutObject", &bucket, &object);
        let ended = cut(Box::pin(stack.objects.copy(&grant, copy)), polls).await;
        stack.settle().await;
        let ended = ended.map(|copied| copied.unwrap()).is_some();
        names.push((name, ended));
        ended
    })
    .await;
    // The copies that were made hold the bytes, the source holds them too: none goes before the last.
    let grant = stack.object_grant("s3:DeleteObject", &bucket, &key("source"));
    stack.objects.delete(&grant, &bucket, &key("source"), None, &DeleteCondition::default()).await.unwrap();
    assert_whole_or_absent(stack, &bucket, &names, &whole).await;
}

/// The gateway does not drop this one, which it runs in a task of its own; were it dropped, the next turn of the jobs
/// would put right what it left.
#[tokio::test]
async fn delete_bucket() {
    for empty in [true, false] {
        let stack = Stack::slow(4).await;
        cut_everywhere(async |polls| {
            let name = format!("bucket-{polls}");
            let bucket = stack.create_bucket(&name, Versioning::Never).await;
            if !empty {
                stack.put(&bucket, &key("kept"), b"kept", Requested::SseS3).await.unwrap();
            }
            started(&stack, &bucket, "upload", b"part").await;
            let grant = stack.grant("s3:DeleteBucket", bucket_arn(&bucket.name));
            let (event, before) = (stack.event("DeleteBucket", Value::Null), stack.records("DeleteBucket").await.len());
            let ended = cut(Box::pin(stack.objects.delete_bucket(&grant, &bucket.name, &event)), polls).await;
            stack.settle().await;
            stack.objects.reopen_buckets().await.unwrap();
            let recorded = stack.records("DeleteBucket").await.len() - before;
            match stack.objects.bucket(&bucket.name).await {
                // As before: it takes writes and, when empty, can be deleted.
                Ok(bucket) => {
                    assert_eq!(recorded, 0);
                    stack.put(&bucket, &key("kept"), b"kept", Requested::SseS3).await.unwrap();
                    assert_eq!(stack.content(&bucket, "kept").await.as_deref(), Some(&b"kept"[..]));
                }
                // Gone: the name can be had again.
                Err(ObjectsError::NoSuchBucket) if empty => {
                    assert_eq!(recorded, 1);
                    stack.create_bucket(&name, Versioning::Never).await;
                }
                Err(other) => panic!("{name}: {other:?}"),
            }
            ended.inspect(|deleted| assert_eq!(deleted.is_ok(), empty)).is_some()
        })
        .await;
        stack.assert_clean().await;
        stack.crash().await.assert_clean().await;
    }
}

#[tokio::test]
async fn create_key() {
    let stack = Stack::slow(5).await;
    cut_everywhere(async |polls| {
        let grant = stack.grant("kms:CreateKey", "*".to_owned());
        let (call, new) = (Call::default(), NewKey::default());
        let ended = cut(Box::pin(stack.keyring.create_key(&grant, &call, new)), polls).await;
        stack.settle().await;
        ended.map(|made| made.unwrap()).is_some()
    })
    .await;
    let reopened = stack.crash().await;
    let grant = reopened.grant("kms:ListKeys", "*".to_owned());
    let keys = reopened.keyring.list_keys(&grant, &Call::default(), 1000, None).await.unwrap().items;
    let recorded = reopened.records("CreateKey").await;
    assert_eq!(keys.len(), recorded.len(), "each key has its record, each record its key");
    assert!(!keys.is_empty());
    reopened.assert_clean().await;
}
