//! One suite for every store.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::{StreamExt as _, TryStreamExt as _};
use object_store::memory::InMemory;
use object_store::path::Path;
use tempfile::TempDir;

use super::faulty::FaultyStore;
use super::{BLOB_CHUNK_BYTES, BlobId, Blobs, StoreError, Transfer, open_store};
use crate::crypto::SealedRange;
use crate::names::StoreUrl;

const CHUNK: u64 = BLOB_CHUNK_BYTES as u64;
const MIB: u64 = 1 << 20;

/// A store under test.
struct Subject {
    blobs: Blobs,
    directory: Option<TempDir>,
}

fn memory() -> Subject {
    let blobs = open_store(&StoreUrl::parse("memory://").unwrap(), &[]).unwrap();
    Subject { blobs, directory: None }
}

/// As an upstream is used: parts of 5 MiB, reads by one request, a prefix.
fn requests() -> Subject {
    let blobs = Blobs::new(Arc::new(InMemory::new()), Path::from("some/prefix"), Transfer::Requests);
    Subject { blobs, directory: None }
}

fn faultless() -> Subject {
    Subject { blobs: FaultyStore::new().blobs(), directory: None }
}

fn files() -> Subject {
    let directory = TempDir::new().unwrap();
    let url = format!("file://{}/blobs", directory.path().display());
    let blobs = open_store(&StoreUrl::parse(&url).unwrap(), &[]).unwrap();
    Subject { blobs, directory: Some(directory) }
}

macro_rules! suite {
    ($($test:ident),* $(,)?) => {
        suite!(memory: $($test),*);
        suite!(requests: $($test),*);
        suite!(faultless: $($test),*);
        suite!(files: $($test),*);
    };
    ($subject:ident: $($test:ident),*) => {
        mod $subject {
            $(#[test]
            fn $test() {
                super::run(super::$test(super::$subject()));
            })*
        }
    };
}

suite!(
    blobs_of_all_lengths_are_read_whole,
    ranges_are_read_around_every_edge,
    a_range_beyond_the_end_is_an_error,
    what_is_not_there_is_not_found,
    an_unfinished_blob_is_not_visible,
    a_wrong_length_is_an_error_and_leaves_nothing,
    fewer_bytes_than_the_most_that_may_come_are_whole,
    deleting_twice_is_no_error,
    a_list_has_all_blobs_and_their_lengths,
    many_write_and_read_at_once,
    a_dropped_reader_stops,
    the_first_mark_stays_and_is_no_blob,
);

fn run(test: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap().block_on(test);
}

/// Bytes that differ at each place and for each seed.
fn content(seed: u8, len: u64) -> Bytes {
    (0..len).map(|n| (n.wrapping_mul(31) ^ (n >> 8) ^ (n >> 16)) as u8 ^ seed).collect()
}

async fn write(blobs: &Blobs, id: BlobId, content: &Bytes, step: usize) -> Result<(), StoreError> {
    let mut writer = blobs.create(id, content.len() as u64).await?;
    for start in (0..content.len()).step_by(step) {
        writer.write(content.slice(start..content.len().min(start + step))).await?;
    }
    writer.finish().await
}

async fn read(blobs: &Blobs, id: BlobId, start: u64, end: u64) -> Result<Vec<u8>, StoreError> {
    blobs
        .read(id, SealedRange { start, end })
        .try_fold(Vec::new(), async |all, chunk| Ok([all, chunk.to_vec()].concat()))
        .await
}

async fn list(blobs: &Blobs) -> BTreeMap<BlobId, u64> {
    blobs.list().try_collect().await.unwrap()
}

async fn blobs_of_all_lengths_are_read_whole(Subject { blobs, directory: _directory }: Subject) {
    let lengths = [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK, 5 * MIB, 5 * MIB + 1, 20 * MIB + 7];
    for (n, len) in lengths.into_iter().enumerate() {
        let id = [n as u8; 16];
        let content = content(n as u8, len);
        for step in [65_552, 3 * BLOB_CHUNK_BYTES] {
            write(&blobs, id, &content, step).await.unwrap();
            assert!(read(&blobs, id, 0, len).await.unwrap() == content, "{len} bytes in steps of {step}");
        }
    }
}

async fn ranges_are_read_around_every_edge(Subject { blobs, directory: _directory }: Subject) {
    let len = 2 * CHUNK + 100;
    let content = content(1, len);
    write(&blobs, [1; 16], &content, 100_000).await.unwrap();
    let edges = [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK - 1, 2 * CHUNK, len - 1, len];
    for start in edges {
        for end in edges.into_iter().filter(|end| *end >= start) {
            let expected = &content[start as usize..end as usize];
            assert!(read(&blobs, [1; 16], start, end).await.unwrap() == expected, "{start}..{end}");
        }
    }
    let chunks: Vec<_> = blobs.read([1; 16], SealedRange { start: 5, end: len }).try_collect().await.unwrap();
    assert!(chunks.iter().all(|chunk| !chunk.is_empty()));
}

async fn a_range_beyond_the_end_is_an_error(Subject { blobs, directory: _directory }: Subject) {
    let len = CHUNK + 10;
    write(&blobs, [1; 16], &content(1, len), 100_000).await.unwrap();
    for (start, end) in
        [(0, len + 1), (len - 1, len + 1), (len, len + 1), (len + 5, len + 9), (0, 3 * CHUNK), (CHUNK, u64::MAX)]
    {
        match read(&blobs, [1; 16], start, end).await {
            Err(StoreError::Failed(_)) => {}
            other => panic!("{start}..{end}: {:?}", other.map(|bytes| bytes.len())),
        }
        let items: Vec<_> = blobs.read([1; 16], SealedRange { start, end }).collect().await;
        assert_eq!(items.iter().filter(|item| item.is_err()).count(), 1, "the stream ends with its first error");
        assert!(items.last().unwrap().is_err());
    }
}

async fn what_is_not_there_is_not_found(Subject { blobs, directory: _directory }: Subject) {
    assert_eq!(read(&blobs, [7; 16], 0, 10).await, Err(StoreError::NotFound));
    assert_eq!(read(&blobs, [7; 16], CHUNK, 4 * CHUNK).await, Err(StoreError::NotFound));
    assert_eq!(read(&blobs, [7; 16], 5, 5).await, Ok(Vec::new()), "an empty range asks for nothing");
}

async fn an_unfinished_blob_is_not_visible(Subject { blobs, directory }: Subject) {
    let content = content(1, 11 * MIB);
    for (n, len) in [(1, 10), (2, 3 * CHUNK), (3, 11 * MIB)] {
        for given_up in [false, true] {
            let id = [n; 16];
            let mut writer = blobs.create(id, len).await.unwrap();
            writer.write(content.slice(..len as usize - 1)).await.unwrap();
            assert_eq!(read(&blobs, id, 0, 1).await, Err(StoreError::NotFound));
            match given_up {
                true => writer.abort().await,
                false => drop(writer),
            }
            assert_eq!(read(&blobs, id, 0, 1).await, Err(StoreError::NotFound));
        }
    }
    assert!(list(&blobs).await.is_empty());
    if let Some(directory) = directory {
        // A dropped writer cleans up in the background.
        let left = || {
            (1..4_u8).flat_map(|n| std::fs::read_dir(directory.path().join(format!("blobs/{n:02x}"))).unwrap()).count()
        };
        for _ in 0..500 {
            if left() == 0 {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        panic!("{} staging files are left", left());
    }
}

async fn a_wrong_length_is_an_error_and_leaves_nothing(Subject { blobs, directory: _directory }: Subject) {
    for len in [10, 2 * CHUNK, 6 * MIB] {
        let content = content(1, len);
        let mut short = blobs.create([1; 16], len).await.unwrap();
        short.write(content.slice(1..)).await.unwrap();
        assert!(matches!(short.finish().await, Err(StoreError::Failed(_))));

        let mut long = blobs.create([2; 16], len - 1).await.unwrap();
        assert!(matches!(long.write(content.clone()).await, Err(StoreError::Failed(_))));
        assert!(matches!(long.finish().await, Err(StoreError::Failed(_))));
    }
    assert!(list(&blobs).await.is_empty());
}

async fn fewer_bytes_than_the_most_that_may_come_are_whole(Subject { blobs, directory: _directory }: Subject) {
    let lengths =
        [(1, 10), (10, 10), (CHUNK, CHUNK + 2), (CHUNK - 1, 6 * MIB), (5 * MIB, 6 * MIB), (6 * MIB, 20 * MIB)];
    for (n, (len, most)) in lengths.into_iter().enumerate() {
        let (id, content) = ([n as u8; 16], content(n as u8, len));
        let mut writer = blobs.create(id, most).await.unwrap();
        writer.may_end_early();
        writer.write(content.clone()).await.unwrap();
        writer.finish().await.unwrap();
        assert_eq!(read(&blobs, id, 0, len).await.unwrap(), content, "{len} of {most}");
        assert_eq!(list(&blobs).await.get(&id), Some(&len));
    }
    let mut long = blobs.create([99; 16], 10).await.unwrap();
    long.may_end_early();
    assert!(matches!(long.write(content(1, 11)).await, Err(StoreError::Failed(_))));
    assert!(matches!(long.finish().await, Err(StoreError::Failed(_))));
}

async fn deleting_twice_is_no_error(Subject { blobs, directory: _directory }: Subject) {
    for (n, len) in [(1, 10), (2, 3 * CHUNK)] {
        write(&blobs, [n; 16], &content(n, len), 100_000).await.unwrap();
    }
    blobs.delete([1; 16]).await.unwrap();
    blobs.delete([1; 16]).await.unwrap();
    blobs.delete([9; 16]).await.unwrap();
    assert_eq!(read(&blobs, [1; 16], 0, 1).await, Err(StoreError::NotFound));
    assert_eq!(list(&blobs).await, BTreeMap::from([([2; 16], 3 * CHUNK)]));
}

async fn a_list_has_all_blobs_and_their_lengths(Subject { blobs, directory: _directory }: Subject) {
    let mut expected = BTreeMap::new();
    for n in 0..40_u8 {
        let id = std::array::from_fn(|place| n.wrapping_mul(place as u8 + 7));
        write(&blobs, id, &content(n, u64::from(n)), 10).await.unwrap();
        expected.insert(id, u64::from(n));
    }
    assert_eq!(list(&blobs).await, expected);
}

async fn many_write_and_read_at_once(Subject { blobs, directory: _directory }: Subject) {
    let tasks: Vec<_> = (0..24_u8)
        .map(|n| {
            let blobs = blobs.clone();
            tokio::spawn(async move {
                // Together more than writers to an upstream may hold in memory.
                let content = content(n, 6 * MIB + u64::from(n));
                write(&blobs, [n; 16], &content, 70_000).await.unwrap();
                assert!(read(&blobs, [n; 16], 0, content.len() as u64).await.unwrap() == content);
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!(list(&blobs).await.len(), 24);
}

async fn a_dropped_reader_stops(Subject { blobs, directory: _directory }: Subject) {
    write(&blobs, [1; 16], &content(1, 4 * CHUNK), 100_000).await.unwrap();
    let mut reader = blobs.read([1; 16], SealedRange { start: 0, end: 4 * CHUNK });
    assert!(reader.next().await.unwrap().is_ok());
    drop(reader);
    blobs.delete([1; 16]).await.unwrap();
    assert!(list(&blobs).await.is_empty());
}

async fn the_first_mark_stays_and_is_no_blob(Subject { blobs, directory: _directory }: Subject) {
    assert_eq!(blobs.mark().await, Ok(None));
    assert_eq!(blobs.set_mark("first").await.as_deref(), Ok("first"));
    assert_eq!(blobs.set_mark("second").await.as_deref(), Ok("first"));
    assert_eq!(blobs.mark().await.unwrap().as_deref(), Some("first"));
    assert!(list(&blobs).await.is_empty());
}
