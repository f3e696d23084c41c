use futures_util::TryStreamExt as _;

use super::super::{BLOB_CHUNK_BYTES, StoreError};
use super::*;
use crate::crypto::SealedRange;

const LEN: u64 = 3 * BLOB_CHUNK_BYTES as u64;

fn run(test: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(test);
}

async fn write(blobs: &Blobs, len: u64) -> std::result::Result<(), StoreError> {
    let mut writer = blobs.create([1; 16], len).await?;
    writer.write(vec![7; len as usize].into()).await?;
    writer.finish().await
}

async fn read(blobs: &Blobs, len: u64) -> std::result::Result<usize, StoreError> {
    let chunks: Vec<_> = blobs.read([1; 16], SealedRange { start: 0, end: len }).try_collect().await?;
    Ok(chunks.iter().map(Bytes::len).sum())
}

#[test]
fn each_write_of_a_blob_can_fail_and_leaves_nothing() {
    run(async {
        // One part a chunk, then the completion.
        for (len, writes) in [(10, 1), (LEN, 4)] {
            for n in 1..=writes {
                let store = FaultyStore::new();
                store.set_faults(StoreFaults { fail_write_in: Some(n), ..StoreFaults::default() });
                assert!(matches!(write(&store.blobs(), len).await, Err(StoreError::Failed(_))), "write {n}");
                assert_eq!(read(&store.blobs(), len).await, Err(StoreError::NotFound));
                write(&store.blobs(), len).await.unwrap();

                store.set_faults(StoreFaults { full_in: Some(n), ..StoreFaults::default() });
                assert!(matches!(write(&store.blobs(), len).await, Err(StoreError::Full(_))), "write {n}");
            }
        }
    });
}

#[test]
fn a_blob_with_a_hole_is_never_finished() {
    run(async {
        let store = FaultyStore::new();
        store.set_faults(StoreFaults { fail_write_in: Some(1), ..StoreFaults::default() });
        let mut writer = store.blobs().create([1; 16], LEN).await.unwrap();
        let mut failures = 0;
        for chunk in vec![7; LEN as usize].chunks(BLOB_CHUNK_BYTES) {
            failures += usize::from(writer.write(Bytes::copy_from_slice(chunk)).await.is_err());
        }
        assert_eq!(failures, 1);
        assert!(matches!(writer.finish().await, Err(StoreError::Failed(_))));
        assert_eq!(read(&store.blobs(), LEN).await, Err(StoreError::NotFound));
    });
}

#[test]
fn a_lost_answer_is_an_error_for_a_blob_that_is_there() {
    run(async {
        for (len, last_write) in [(10, 1), (LEN, 4)] {
            let store = FaultyStore::new();
            store.set_faults(StoreFaults { lose_write_answer_in: Some(last_write), ..StoreFaults::default() });
            assert!(matches!(write(&store.blobs(), len).await, Err(StoreError::Failed(_))));
            assert_eq!(read(&store.blobs(), len).await, Ok(len as usize));
        }
    });
}

#[test]
fn a_failed_or_short_read_is_an_error() {
    run(async {
        let store = FaultyStore::new();
        write(&store.blobs(), LEN).await.unwrap();
        for n in 1..=3 {
            store.set_faults(StoreFaults { fail_read_in: Some(n), ..StoreFaults::default() });
            assert!(matches!(read(&store.blobs(), LEN).await, Err(StoreError::Failed(_))));
            store.set_faults(StoreFaults { cut_read_in: Some(n), ..StoreFaults::default() });
            assert!(matches!(read(&store.blobs(), LEN).await, Err(StoreError::Failed(_))));
            assert_eq!(read(&store.blobs(), LEN).await, Ok(LEN as usize));
        }
    });
}

#[test]
fn a_failed_delete_leaves_the_blob() {
    run(async {
        let store = FaultyStore::new();
        write(&store.blobs(), LEN).await.unwrap();
        store.set_faults(StoreFaults { fail_delete_in: Some(1), ..StoreFaults::default() });
        assert!(store.blobs().delete([1; 16]).await.is_err());
        assert_eq!(read(&store.blobs(), LEN).await, Ok(LEN as usize));
        store.blobs().delete([1; 16]).await.unwrap();
        assert_eq!(read(&store.blobs(), LEN).await, Err(StoreError::NotFound));
    });
}

#[test]
fn a_crash_keeps_finished_blobs_only() {
    run(async {
        let store = FaultyStore::new();
        write(&store.blobs(), LEN).await.unwrap();
        let mut late = store.blobs().create([2; 16], LEN).await.unwrap();
        late.write(vec![7; LEN as usize].into()).await.unwrap();

        let reopened = store.crash();
        late.finish().await.unwrap();
        assert_eq!(read(&reopened.blobs(), LEN).await, Ok(LEN as usize));
        let left: Vec<_> = reopened.blobs().list().try_collect().await.unwrap();
        assert_eq!(left, [([1; 16], LEN)]);
    });
}
