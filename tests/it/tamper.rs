//! Whoever can write to the disk can destroy, never deceive: every changed, cut, exchanged or repeated byte of a blob
//! is an error, not wrong data.

use bytes::Bytes;
use object_store::path::Path;
use object_store::{ObjectStore as _, ObjectStoreExt as _};
use strongroom::objects::{Bucket, Versioning};
use strongroom::sse::Requested;

use crate::stack::{Stack, customer_key, key};

/// Just above what is kept in the index, so that it is a blob.
const SMALL_BLOB: usize = 32_769;

struct Blob {
    path: Path,
    bytes: Bytes,
}

async fn blobs(stack: &Stack) -> Vec<Blob> {
    use futures_util::TryStreamExt as _;
    let listed: Vec<_> = stack.store.memory().list(None).try_collect().await.unwrap();
    let mut out = Vec::new();
    for meta in listed {
        let bytes = stack.store.memory().get(&meta.location).await.unwrap().bytes().await.unwrap();
        out.push(Blob { path: meta.location, bytes });
    }
    out
}

async fn overwrite(stack: &Stack, path: &Path, bytes: Vec<u8>) {
    stack.store.memory().put(path, bytes.into()).await.unwrap();
}

async fn stack_with(objects: &[(&str, Vec<u8>)]) -> (Stack, Bucket) {
    let stack = Stack::new(1).await;
    let bucket = stack.create_bucket("bucket", Versioning::Never).await;
    for (name, data) in objects {
        stack.put(&bucket, &key(name), data, Requested::SseS3).await.unwrap();
    }
    (stack, bucket)
}

#[tokio::test]
async fn every_changed_byte_of_a_blob_is_an_error() {
    let data = vec![b'x'; SMALL_BLOB];
    let (stack, bucket) = stack_with(&[("k", data.clone())]).await;
    let blob = blobs(&stack).await.pop().unwrap();
    // Every byte of header and tag, and a sample of the ciphertext: each costs a whole read.
    let edge = |at: usize| at < 80 || at + 20 > blob.bytes.len();
    for at in (0..blob.bytes.len()).filter(|at| edge(*at) || at % 97 == 0) {
        let mut changed = blob.bytes.to_vec();
        changed[at] ^= 1 << (at % 8);
        overwrite(&stack, &blob.path, changed).await;
        assert!(stack.get(&bucket, &key("k"), None, None).await.is_err(), "byte {at} was changed unnoticed");
    }
    overwrite(&stack, &blob.path, blob.bytes.to_vec()).await;
    assert_eq!(stack.get(&bucket, &key("k"), None, None).await.unwrap(), data);
}

#[tokio::test]
async fn a_cut_or_lengthened_blob_is_an_error() {
    let (stack, bucket) = stack_with(&[("k", vec![b'x'; 3 * 65_536])]).await;
    let blob = blobs(&stack).await.pop().unwrap();
    let whole = blob.bytes.len();
    for len in [0, 1, 63, 64, 65, 79, 80, 65_616, 65_617, 2 * 65_552 + 64, whole - 65_552, whole - 16, whole - 1] {
        overwrite(&stack, &blob.path, blob.bytes[..len].to_vec()).await;
        assert!(stack.get(&bucket, &key("k"), None, None).await.is_err(), "a blob cut to {len} bytes was read");
    }
}

#[tokio::test]
async fn exchanged_blobs_and_segments_are_errors() {
    let objects = [("a", vec![b'a'; 3 * 65_536]), ("b", vec![b'b'; 3 * 65_536])];
    let (stack, bucket) = stack_with(&objects).await;
    let both = blobs(&stack).await;
    overwrite(&stack, &both[0].path, both[1].bytes.to_vec()).await;
    overwrite(&stack, &both[1].path, both[0].bytes.to_vec()).await;
    for name in ["a", "b"] {
        assert!(stack.get(&bucket, &key(name), None, None).await.is_err(), "blobs were exchanged unnoticed");
    }
    for (blob, name) in both.iter().zip(["a", "b"]) {
        let segment = |n: usize| 64 + n * 65_552..64 + (n + 1) * 65_552;
        let mut swapped = blob.bytes.to_vec();
        swapped[segment(0)].copy_from_slice(&blob.bytes[segment(1)]);
        swapped[segment(1)].copy_from_slice(&blob.bytes[segment(0)]);
        overwrite(&stack, &blob.path, swapped).await;
        assert!(stack.get(&bucket, &key(name), None, None).await.is_err(), "segments were exchanged unnoticed");
    }
}

#[tokio::test]
async fn an_old_blob_in_the_place_of_a_new_one_is_an_error() {
    let (stack, bucket) = stack_with(&[("k", vec![b'1'; SMALL_BLOB])]).await;
    let old = blobs(&stack).await.pop().unwrap();
    stack.put(&bucket, &key("k"), &vec![b'2'; SMALL_BLOB], Requested::SseS3).await.unwrap();
    let new = blobs(&stack).await.into_iter().find(|blob| blob.path != old.path).unwrap();
    overwrite(&stack, &new.path, old.bytes.to_vec()).await;
    assert!(stack.get(&bucket, &key("k"), None, None).await.is_err());
}

#[tokio::test]
async fn the_same_customer_key_never_makes_two_objects_exchangeable() {
    let stack = Stack::new(2).await;
    let bucket = stack.create_bucket("bucket", Versioning::Never).await;
    for name in ["a", "b"] {
        let requested = Requested::Customer(customer_key(9));
        stack.put(&bucket, &key(name), &vec![b'x'; SMALL_BLOB], requested).await.unwrap();
    }
    let both = blobs(&stack).await;
    assert_ne!(both[0].bytes[64..], both[1].bytes[64..], "equal data under one key must not show as equal");
    overwrite(&stack, &both[0].path, both[1].bytes.to_vec()).await;
    overwrite(&stack, &both[1].path, both[0].bytes.to_vec()).await;
    for name in ["a", "b"] {
        assert!(stack.get(&bucket, &key(name), None, Some(&customer_key(9))).await.is_err());
    }
    assert!(stack.get(&bucket, &key("a"), None, Some(&customer_key(8))).await.is_err());
    assert!(stack.get(&bucket, &key("a"), None, None).await.is_err());
}
