//! Whoever can write to the disk can destroy, never deceive: what was changed, cut, exchanged or repeated, in a blob or
//! in a row of the index, is an error or still the right data, never wrong data; and scrub reports it.
//!
//! What no reader of one store can notice, since every byte of it is authentic: a row (with what belongs to it) put back
//! to an earlier value, or taken out. `rows.rs` shows where even this shows, and what it can lead to at the most: bytes
//! that were once acknowledged under this very key. Only a copy of the trail's head elsewhere tells of more. `jobs.rs` has
//! what the program goes by in what it does by itself.

mod blobs;
mod jobs;
mod rows;

use bytes::Bytes;
use object_store::path::Path;
use object_store::{ObjectStore as _, ObjectStoreExt as _};

use crate::stack::Stack;

/// Just above what is kept in the index, so that it is a blob.
const SMALL_BLOB: usize = 32_769;
/// In a blob: the header, and a whole segment with one tag.
const HEADER: usize = 64;

pub(crate) struct Blob {
    path: Path,
    bytes: Bytes,
}

/// All blobs, in the order of their paths.
pub(crate) async fn blobs(stack: &Stack) -> Vec<Blob> {
    use futures_util::TryStreamExt as _;
    let listed: Vec<_> = stack.store.memory().list(None).try_collect().await.unwrap();
    let mut out = Vec::new();
    for meta in listed {
        let bytes = stack.store.memory().get(&meta.location).await.unwrap().bytes().await.unwrap();
        out.push(Blob { path: meta.location, bytes });
    }
    out
}

async fn overwrite(stack: &Stack, path: &Path, bytes: impl Into<Bytes>) {
    stack.store.memory().put(path, bytes.into().into()).await.unwrap();
}

/// Exchanges the bytes of two blobs.
async fn exchange(stack: &Stack, one: &Blob, other: &Blob) {
    overwrite(stack, &one.path, other.bytes.clone()).await;
    overwrite(stack, &other.path, one.bytes.clone()).await;
}

async fn restore(stack: &Stack, blobs: &[Blob]) {
    for blob in blobs {
        overwrite(stack, &blob.path, blob.bytes.clone()).await;
    }
}

/// Scrub tells of damage.
async fn assert_reported(stack: &Stack, what: &str) {
    let report = stack.scrub().await.unwrap_or_else(|error| panic!("{what}: the scrub ended early: {error:?}"));
    assert!(!report.damage.is_empty(), "{what}: scrub found nothing");
}

async fn assert_clean(stack: &Stack, what: &str) {
    let report = stack.scrub().await.unwrap();
    assert_eq!((&report.damage, &report.orphans), (&Vec::new(), &Vec::new()), "{what}");
}
