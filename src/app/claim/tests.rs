use std::sync::Arc;

use object_store::memory::InMemory;
use object_store::path::Path;

use super::*;
use crate::index::{Faults, MemoryIndex};
use crate::sources::Timestamp;
use crate::store::Transfer;

/// One data directory.
struct Directory {
    index: MemoryIndex,
    sources: Sources,
}

impl Directory {
    fn new(seed: u64) -> Self {
        Self { index: MemoryIndex::default(), sources: Sources::seeded(seed, Timestamp(0)) }
    }

    /// A start with `store = url`, which is the place `blobs`.
    async fn start(&self, url: &str, blobs: &Blobs) -> Result<(), String> {
        let url = StoreUrl::parse(url).expect("a store");
        claim(&self.index, &self.sources, (&url, &[]), blobs).await.map_err(|error| error.0)
    }

    async fn refusal(&self, url: &str, blobs: &Blobs) -> String {
        let before = (load(&self.index).await, blobs.mark().await);
        let refusal = self.start(url, blobs).await.expect_err("refused");
        assert_eq!((load(&self.index).await, blobs.mark().await), before, "nothing was changed");
        refusal
    }

    async fn id(&self) -> String {
        hex(&load(&self.index).await.expect("read").expect("it has an id").id)
    }
}

fn place() -> Blobs {
    Blobs::new(Arc::new(InMemory::new()), Path::from("prefix"), Transfer::Requests)
}

#[tokio::test]
async fn a_directory_finds_its_store_again_wherever_it_was_moved() {
    let (directory, store) = (Directory::new(1), place());
    for url in ["s3://one/prefix", "s3://one/prefix", "gs://two", "file:///srv/blobs"] {
        assert_eq!(directory.start(url, &store).await, Ok(()));
        assert_eq!(store.mark().await, Ok(Some(directory.id().await)));
    }
    let refusal = directory.refusal("s3://elsewhere", &place()).await;
    assert!(refusal.contains("s3://elsewhere is not that of") && refusal.contains("seen in file:///srv/blobs"));
}

#[tokio::test]
async fn two_directories_cannot_share_a_place() {
    let (first, second, store) = (Directory::new(1), Directory::new(2), place());
    first.start("s3://shared", &store).await.expect("it is the first");
    // The first refusal gives the second directory its id, and leaves all else as it is.
    second.start("s3://shared", &store).await.expect_err("refused");
    let refusal = second.refusal("s3://shared", &store).await;
    let (theirs, own) = (first.id().await, second.id().await);
    assert!(refusal.contains(&theirs) && refusal.contains(&own) && refusal.contains("prefix of its own"), "{refusal}");
    let place_of_its_own = place();
    second.start("s3://shared/own", &place_of_its_own).await.expect("nobody is there");
    first.start("s3://shared", &store).await.expect("nothing has changed for the first");

    // Later it is told where its objects are.
    let refusal = second.refusal("s3://shared", &store).await;
    assert!(refusal.contains(&theirs) && refusal.contains("last seen in s3://shared/own"), "{refusal}");
}

#[tokio::test]
async fn a_lost_mark_is_put_back_as_the_refusal_says() {
    let (directory, emptied) = (Directory::new(1), place());
    directory.start("s3://bucket", &place()).await.expect("the first start");
    let refusal = directory.refusal("s3://bucket", &emptied).await;
    let line = refusal.split("of one line, ").nth(1).and_then(|rest| rest.split('.').next()).expect("the line");
    emptied.set_mark(line).await.expect("set by hand");
    assert_eq!(directory.start("s3://bucket", &emptied).await, Ok(()));
}

#[tokio::test]
async fn memory_has_no_mark_and_takes_the_place_of_no_store() {
    let (directory, store) = (Directory::new(1), place());
    directory.start("memory://", &place()).await.expect("it can be the first");
    assert_eq!(load(&directory.index).await, Ok(None));
    directory.start("file:///srv/blobs", &store).await.expect("nothing was in memory");
    let refusal = directory.refusal("memory://", &place()).await;
    assert!(refusal.contains("are in the store file:///srv/blobs"), "{refusal}");
}

/// A start that dies or fails at any of its steps is made good by the next one.
#[tokio::test]
async fn a_start_that_was_cut_off() {
    for (step, lost) in [(1, false), (2, false), (2, true)] {
        let (mut directory, store) = (Directory::new(1), place());
        let faults = match lost {
            true => Faults { lose_answer_in: Some(step), ..Faults::default() },
            false => Faults { fail_commit_in: Some(step), ..Faults::default() },
        };
        directory.index.set_faults(faults);
        directory.start("s3://bucket", &store).await.expect_err("the index failed");
        directory.index = directory.index.crash();
        assert_eq!(store.mark().await.expect("read").is_some(), step == 2);
        assert_eq!(directory.start("s3://bucket", &store).await, Ok(()), "commit {step}, done: {lost}");
        assert_eq!(store.mark().await, Ok(Some(directory.id().await)));
    }
}

#[tokio::test]
async fn a_store_that_fails_is_told_with_what_is_missing() {
    let scratch = tempfile::tempdir().expect("a directory");
    // Whatever is asked of the mark fails: it is a directory.
    std::fs::create_dir(scratch.path().join(MARK)).expect("made");
    let url = StoreUrl::file(scratch.path()).expect("a store");
    let broken = crate::store::open_store(&url, &[]).expect("it opens");
    for (url, advice) in [
        ("file:///srv/blobs", "See that it is there, and that store and store_options"),
        ("s3://bucket", "No credentials are set: in store_options, or as variables, set aws_access_key_id and"),
    ] {
        let refusal = Directory::new(1).start(url, &broken).await.expect_err("refused");
        assert!(refusal.starts_with(&format!("the store {url} cannot be used: ")), "{refusal}");
        assert!(refusal.contains(advice), "{refusal}");
    }
}

#[tokio::test]
async fn damage_is_told() {
    let (directory, store) = (Directory::new(1), place());
    let writes = vec![Write::Put(Table::Meta, row(), bytes::Bytes::from_static(b"\x01"))];
    directory.index.commit(Batch { preconditions: Vec::new(), writes, appends: Vec::new() }).await.expect("stored");
    assert!(directory.start("s3://bucket", &store).await.expect_err("refused").contains("damaged"));
}
