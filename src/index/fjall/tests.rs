use tempfile::TempDir;

use super::super::conformance::{CountingLog, Subject, conformance_tests, put, runtime};
use super::*;

struct OnDisk {
    directory: TempDir,
    index: Arc<FjallIndex>,
}

impl OnDisk {
    fn open(directory: TempDir) -> Self {
        let index = Arc::new(FjallIndex::open(&directory.path().join("index")).unwrap());
        Self { directory, index }
    }
}

impl Subject for OnDisk {
    type Engine = FjallIndex;

    fn create() -> Self {
        Self::open(TempDir::new().unwrap())
    }

    fn index(&self) -> Arc<FjallIndex> {
        Arc::clone(&self.index)
    }

    fn start(&self, log: Box<dyn Sequencer>) {
        self.index.start(log);
    }

    fn reopen(self) -> Self {
        let Self { directory, index } = self;
        assert!(Arc::into_inner(index).is_some(), "nobody else holds it: it is closed now");
        Self::open(directory)
    }
}

conformance_tests!(OnDisk);

#[test]
fn an_open_index_is_locked() {
    let subject = OnDisk::create();
    match FjallIndex::open(&subject.directory.path().join("index")) {
        Err(IndexError::Engine(text)) => assert!(text.contains("in use by another process"), "{text}"),
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("opened twice"),
    }
}

#[test]
fn the_directory_above_must_be_there() {
    let directory = TempDir::new().unwrap();
    std::fs::write(directory.path().join("file"), b"").unwrap();
    assert!(matches!(FjallIndex::open(&directory.path().join("file/index")), Err(IndexError::Engine(_))));
}

#[test]
fn waiting_batches_are_committed_before_the_index_is_closed() {
    let subject = OnDisk::create();
    runtime().block_on(async {
        let mut commits: Vec<_> =
            (0..100_u32).map(|n| subject.index.commit(put(Table::Object, &n.to_be_bytes(), b"v"))).collect();
        // Each is polled once: it is in the queue, and nobody waits for the answer.
        for commit in &mut commits {
            let _ = futures_util::poll!(commit);
        }
    });
    let subject = subject.reopen();
    runtime().block_on(async {
        let all = KeyRange { start: Vec::new(), end: None };
        let rows = subject.index.scan(Table::Object, &all, 1_000, Direction::Forward).await.unwrap();
        assert_eq!(rows.len(), 100);
    });
}

#[test]
fn a_full_queue_makes_committers_wait() {
    let subject = OnDisk::create();
    let index = &subject.index;
    runtime().block_on(async {
        let all = Arc::clone(&index.room).acquire_many_owned(QUEUE_MAX_KIB).await.unwrap();
        let mut waiting = index.commit(put(Table::Object, b"k", b"v"));
        assert!(futures_util::poll!(&mut waiting).is_pending());
        assert_eq!(index.get(Table::Object, b"k").await.unwrap(), None);
        drop(all);
        waiting.await.unwrap();
        // A batch larger than the queue gets through too.
        index.commit(put(Table::Object, b"l", &vec![0; (QUEUE_MAX_KIB as usize + 1) << 10])).await.unwrap();
        assert_eq!(index.room.available_permits(), QUEUE_MAX_KIB as usize);
    });
}

#[test]
fn after_a_failure_nothing_is_committed_until_a_reopen() {
    let subject = OnDisk::create();
    let log = CountingLog::default();
    subject.start(Box::new(log.clone()));
    runtime().block_on(async {
        let appending = |key| Batch { appends: vec![b"record".to_vec()], ..put(Table::Object, key, b"v") };
        subject.index.commit(appending(b"before")).await.unwrap();
        subject.index.engine.failure.set("the disk is on fire".to_owned()).unwrap();
        match subject.index.commit(appending(b"after")).await {
            Err(CommitError::Engine(IndexError::Engine(text))) => {
                assert!(text.contains("until it is opened again") && text.contains("on fire"), "{text}");
            }
            other => panic!("{other:?}"),
        }
        assert_eq!(subject.index.failure().as_deref(), Some("the disk is on fire"));
        assert_eq!(log.last(), 1);
        assert!(subject.index.get(Table::Object, b"before").await.unwrap().is_some(), "reads go on");
        assert_eq!(subject.index.get(Table::Object, b"after").await.unwrap(), None);
    });
    let subject = subject.reopen();
    runtime().block_on(async { subject.index.commit(put(Table::Object, b"after", b"v")).await.unwrap() });
}

#[test]
fn a_full_disk_refuses_writes_first_and_what_empties_it_last() {
    let putting = put(Table::Object, b"k", b"v");
    let spared = [
        Batch { writes: vec![Write::Delete(Table::Object, vec![1])], ..Batch::default() },
        Batch { appends: vec![b"the use of a key".to_vec()], ..Batch::default() },
        put(Table::Meta, b"epoch", b"key"),
        put(Table::Bucket, b"bucket", b"closing"),
    ];
    for (free_bytes, puts, others) in [(1_000, true, true), (999, false, true), (500, false, true), (499, false, false)]
    {
        let space = Space { free_bytes, reserve_bytes: 1_000 };
        assert_eq!(space.refuses(&putting).is_none(), puts, "{free_bytes}");
        for batch in &spared {
            assert_eq!(space.refuses(batch).is_none(), others, "{free_bytes} {batch:?}");
        }
    }
    assert!(matches!(Space { free_bytes: 0, reserve_bytes: 1 }.refuses(&putting), Some(IndexError::Full(_))));
}
