//! One suite for every engine: an engine gets no test of its own before it passes this one.

use std::sync::{Arc, Mutex};

use bytes::Bytes;

use super::engine::{
    Batch, CommitError, Direction, Index, IndexError, KeyRange, Precondition, Sequencer, Table, Write,
};

/// An engine under test.
pub(super) trait Subject: Sized {
    type Engine: Index;

    /// A new, empty index.
    fn create() -> Self;
    fn index(&self) -> Arc<Self::Engine>;
    fn start(&self, log: Box<dyn Sequencer>);
    /// Ends the index as the end of the process would, and opens it again.
    fn reopen(self) -> Self;
}

/// Makes a test of each function of the suite for one engine.
macro_rules! conformance_tests {
    ($subject:ty) => {
        conformance_tests!($subject:
            an_empty_index_has_nothing,
            a_scan_returns_its_range_in_order,
            a_prefix_of_the_highest_byte_reaches_the_end,
            keys_of_one_table_are_not_in_another,
            a_put_replaces_and_a_delete_of_nothing_is_no_error,
            a_precondition_that_does_not_hold_refuses_the_whole_batch,
            preconditions_see_the_commits_before_them,
            of_many_that_expect_the_same_one_wins,
            readers_see_all_of_a_batch_or_nothing,
            appends_are_in_commit_order_without_gaps,
            appends_before_the_start_of_the_log_are_refused,
            a_thousand_commits_at_once,
            a_large_value_is_kept_whole,
            a_reopened_index_has_all_that_was_committed,
        );
    };
    ($subject:ty: $($test:ident),* $(,)?) => {
        $(#[test]
        fn $test() {
            $crate::index::conformance::runtime().block_on($crate::index::conformance::$test::<$subject>());
        })*
    };
}
pub(super) use conformance_tests;

/// A runtime on which commits really run at the same time.
pub(super) fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(4).enable_all().build().unwrap()
}

/// A batch of one put.
pub(super) fn put(table: Table, key: &[u8], value: &[u8]) -> Batch {
    Batch { writes: vec![Write::Put(table, key.to_vec(), Bytes::copy_from_slice(value))], ..Batch::default() }
}

fn delete(table: Table, key: &[u8]) -> Batch {
    Batch { writes: vec![Write::Delete(table, key.to_vec())], ..Batch::default() }
}

/// A log that numbers its records from 1 and keeps them as they are.
#[derive(Debug, Clone, Default)]
pub(super) struct CountingLog(Arc<Mutex<Counts>>);

#[derive(Debug, Default)]
struct Counts {
    committed: u64,
    handed_out: u64,
}

impl CountingLog {
    /// The number of the last record that was committed.
    pub(super) fn last(&self) -> u64 {
        self.0.lock().unwrap().committed
    }
}

impl Sequencer for CountingLog {
    fn next(&mut self, record: &[u8]) -> (Table, Vec<u8>, Bytes) {
        let mut counts = self.0.lock().unwrap();
        counts.handed_out += 1;
        (Table::Audit, counts.handed_out.to_be_bytes().to_vec(), Bytes::copy_from_slice(record))
    }

    fn settle(&mut self, committed: bool) {
        let mut counts = self.0.lock().unwrap();
        if committed {
            counts.committed = counts.handed_out;
        } else {
            counts.handed_out = counts.committed;
        }
    }
}

async fn value(index: &impl Index, table: Table, key: &[u8]) -> Option<Bytes> {
    index.get(table, key).await.unwrap()
}

async fn keys(index: &impl Index, range: KeyRange, limit: usize, direction: Direction) -> Vec<Vec<u8>> {
    let rows = index.scan(Table::Object, &range, limit, direction).await.unwrap();
    for (key, value) in &rows {
        assert_eq!(value, &[b"value of ", key.as_ref()].concat());
    }
    rows.into_iter().map(|(key, _)| key.to_vec()).collect()
}

async fn fill(index: &impl Index, keys: &[&[u8]]) {
    for key in keys {
        index.commit(put(Table::Object, key, &[b"value of ", *key].concat())).await.unwrap();
    }
}

fn range(start: &[u8], end: Option<&[u8]>) -> KeyRange {
    KeyRange { start: start.to_vec(), end: end.map(<[u8]>::to_vec) }
}

pub(super) async fn an_empty_index_has_nothing<S: Subject>() {
    let subject = S::create();
    let index = &*subject.index();
    assert_eq!(value(index, Table::Object, b"k").await, None);
    for direction in [Direction::Forward, Direction::Backward] {
        assert!(keys(index, range(b"", None), 10, direction).await.is_empty());
    }
    index.commit(Batch::default()).await.unwrap();
}

pub(super) async fn a_scan_returns_its_range_in_order<S: Subject>() {
    let subject = S::create();
    let index = &*subject.index();
    // Written out of order; one key begins with another, one holds a NUL, one the highest byte.
    fill(index, &[b"b", b"a\0", b"c", b"a", b"b\xff", b"ab"]).await;
    let sorted: [&[u8]; 6] = [b"a", b"a\0", b"ab", b"b", b"b\xff", b"c"];

    let cases: [(KeyRange, &[&[u8]]); 9] = [
        (range(b"", None), &sorted),
        (range(b"a", Some(b"c")), &sorted[..5]),
        (range(b"a\0", None), &sorted[1..]),
        (range(b"a\0", Some(b"b")), &sorted[1..3]),
        (range(b"b\0", Some(b"d")), &sorted[4..]),
        (range(b"d", None), &[]),
        (range(b"b", Some(b"b")), &[]),
        (range(b"c", Some(b"a")), &[]),
        (KeyRange::prefix(b"a"), &sorted[..3]),
    ];
    for (range, expected) in cases {
        for limit in [0, 1, 2, expected.len(), 1_000] {
            let forward = keys(index, range.clone(), limit, Direction::Forward).await;
            assert_eq!(forward, expected.iter().copied().take(limit).collect::<Vec<_>>(), "{range:?} limit {limit}");
            let backward = keys(index, range.clone(), limit, Direction::Backward).await;
            assert_eq!(
                backward,
                expected.iter().copied().rev().take(limit).collect::<Vec<_>>(),
                "{range:?} limit {limit}"
            );
        }
    }
}

pub(super) async fn a_prefix_of_the_highest_byte_reaches_the_end<S: Subject>() {
    let subject = S::create();
    let index = &*subject.index();
    fill(index, &[b"\xfe", b"\xff", b"\xff\xff", b"\xff\xff\0", b"a\xff", b"a\xff\xff", b"b"]).await;
    for (prefix, expected) in [
        (b"\xff".as_slice(), vec![b"\xff".to_vec(), b"\xff\xff".to_vec(), b"\xff\xff\0".to_vec()]),
        (b"\xff\xff", vec![b"\xff\xff".to_vec(), b"\xff\xff\0".to_vec()]),
        (b"a\xff", vec![b"a\xff".to_vec(), b"a\xff\xff".to_vec()]),
    ] {
        assert_eq!(keys(index, KeyRange::prefix(prefix), 10, Direction::Forward).await, expected);
    }
    assert_eq!(keys(index, KeyRange::prefix(b"\xff"), 1, Direction::Backward).await, [b"\xff\xff\0"]);
}

pub(super) async fn keys_of_one_table_are_not_in_another<S: Subject>() {
    let subject = S::create();
    let index = &*subject.index();
    for table in Table::ALL {
        index.commit(put(table, b"k", table.name().as_bytes())).await.unwrap();
    }
    index.commit(delete(Table::Garbage, b"k")).await.unwrap();
    for table in Table::ALL {
        let expected = (table != Table::Garbage).then(|| Bytes::from(table.name()));
        assert_eq!(value(index, table, b"k").await, expected);
        assert_eq!(
            index.scan(table, &range(b"", None), 10, Direction::Forward).await.unwrap().len(),
            usize::from(expected.is_some())
        );
    }
}

pub(super) async fn a_put_replaces_and_a_delete_of_nothing_is_no_error<S: Subject>() {
    let subject = S::create();
    let index = &*subject.index();
    index.commit(delete(Table::Object, b"k")).await.unwrap();
    for step in [b"one".as_slice(), b"", b"three"] {
        index.commit(put(Table::Object, b"k", step)).await.unwrap();
        assert_eq!(value(index, Table::Object, b"k").await.as_deref(), Some(step));
    }
    index.commit(delete(Table::Object, b"k")).await.unwrap();
    index.commit(delete(Table::Object, b"k")).await.unwrap();
    assert_eq!(value(index, Table::Object, b"k").await, None);
    assert!(keys(index, range(b"", None), 10, Direction::Backward).await.is_empty());
}

pub(super) async fn a_precondition_that_does_not_hold_refuses_the_whole_batch<S: Subject>() {
    let subject = S::create();
    let index = &*subject.index();
    index.commit(put(Table::Bucket, b"there", b"now")).await.unwrap();
    let absent = |key: &[u8]| Precondition::Absent(Table::Bucket, key.to_vec());
    let is = |key: &[u8], value: &[u8]| Precondition::Is(Table::Bucket, key.to_vec(), Bytes::copy_from_slice(value));
    let cases = [
        (vec![absent(b"there")], false),
        (vec![absent(b"gone")], true),
        (vec![is(b"there", b"now")], true),
        (vec![is(b"there", b"before")], false),
        (vec![is(b"there", b"")], false),
        (vec![is(b"gone", b"")], false),
        (vec![is(b"there", b"now"), absent(b"there")], false),
        (vec![absent(b"gone"), is(b"there", b"now")], true),
        // The same key of another table is another row.
        (vec![Precondition::Absent(Table::Object, b"there".to_vec())], true),
    ];
    for (preconditions, holds) in cases {
        let writes = vec![
            Write::Put(Table::Object, b"new".to_vec(), Bytes::from_static(b"row")),
            Write::Delete(Table::Account, b"old".to_vec()),
        ];
        index.commit(put(Table::Account, b"old", b"row")).await.unwrap();
        let case = format!("{preconditions:?}");
        let outcome = index.commit(Batch { preconditions, writes, appends: Vec::new() }).await;
        assert_eq!(outcome, if holds { Ok(()) } else { Err(CommitError::Conflict) }, "{case}");
        assert_eq!(value(index, Table::Object, b"new").await.is_some(), holds, "{case}");
        assert_eq!(value(index, Table::Account, b"old").await.is_none(), holds, "{case}");
        index.commit(delete(Table::Object, b"new")).await.unwrap();
    }
}

/// A chain of changes, each expecting the one before, is submitted at once: in one group, or in several.
pub(super) async fn preconditions_see_the_commits_before_them<S: Subject>() {
    // Few enough that one task polls them all in order before the scheduler asks it to yield.
    const CHAIN: u32 = 30;
    let subject = S::create();
    let index = subject.index();
    let step = |n: u32| Bytes::from(n.to_string());
    for start in (0..10 * CHAIN).step_by(CHAIN as usize) {
        let chain = (start..start + CHAIN).map(|n| {
            let precondition = match n {
                0 => Precondition::Absent(Table::Object, b"k".to_vec()),
                _ => Precondition::Is(Table::Object, b"k".to_vec(), step(n - 1)),
            };
            index.commit(Batch { preconditions: vec![precondition], ..put(Table::Object, b"k", &step(n)) })
        });
        for outcome in futures_util::future::join_all(chain).await {
            outcome.unwrap();
        }
        assert_eq!(value(&*index, Table::Object, b"k").await, Some(step(start + CHAIN - 1)));
    }
}

pub(super) async fn of_many_that_expect_the_same_one_wins<S: Subject>() {
    let subject = S::create();
    let index = subject.index();
    for round in 0..20_u32 {
        let key = round.to_be_bytes();
        let tasks: Vec<_> = (0..16_u8)
            .map(|n| {
                let index = Arc::clone(&index);
                let preconditions = vec![Precondition::Absent(Table::Object, key.to_vec())];
                let batch = Batch { preconditions, ..put(Table::Object, &key, &[n]) };
                tokio::spawn(async move { index.commit(batch).await.map(|()| n) })
            })
            .collect();
        let mut winners = Vec::new();
        for task in tasks {
            match task.await.unwrap() {
                Ok(winner) => winners.push(winner),
                Err(error) => assert_eq!(error, CommitError::Conflict),
            }
        }
        assert_eq!(winners.len(), 1);
        assert_eq!(value(&*index, Table::Object, &key).await.as_deref(), Some(winners.as_slice()));
    }
}

pub(super) async fn readers_see_all_of_a_batch_or_nothing<S: Subject>() {
    const ROWS: u8 = 50;
    let subject = S::create();
    let index = subject.index();
    let batch = |round: u32| Batch {
        writes: (0..ROWS)
            .map(|row| Write::Put(Table::Object, vec![row], Bytes::copy_from_slice(&round.to_be_bytes())))
            .collect(),
        ..Batch::default()
    };
    index.commit(batch(0)).await.unwrap();
    let writer = tokio::spawn({
        let index = Arc::clone(&index);
        async move {
            for round in 1..200 {
                index.commit(batch(round)).await.unwrap();
            }
        }
    });
    loop {
        let done = writer.is_finished();
        let rows = index.scan(Table::Object, &range(b"", None), 100, Direction::Forward).await.unwrap();
        assert_eq!(rows.len(), usize::from(ROWS));
        assert!(rows.iter().all(|(_, value)| *value == rows[0].1), "{rows:?}");
        if done {
            break;
        }
        tokio::task::yield_now().await;
    }
    writer.await.unwrap();
}

pub(super) async fn appends_are_in_commit_order_without_gaps<S: Subject>() {
    const WRITERS: u32 = 300;
    let subject = S::create();
    let index = subject.index();
    let log = CountingLog::default();
    subject.start(Box::new(log.clone()));
    let tasks: Vec<_> = (0..WRITERS)
        .map(|n| {
            let index = Arc::clone(&index);
            // Every third competes for one of a few keys; those that lose must not take a number.
            let (key, preconditions) = match n % 3 {
                0 => {
                    let key = (n % 7).to_be_bytes();
                    (key, vec![Precondition::Absent(Table::Object, key.to_vec())])
                }
                _ => ((1_000 + n).to_be_bytes(), Vec::new()),
            };
            let appends = vec![[b"first ", key.as_slice()].concat(), [b"second", key.as_slice()].concat()];
            let batch = Batch { preconditions, appends, ..put(Table::Object, &key, b"row") };
            tokio::spawn(async move { (key, index.commit(batch).await) })
        })
        .collect();
    let mut committed = Vec::new();
    let mut conflicts = 0;
    for task in tasks {
        match task.await.unwrap() {
            (key, Ok(())) => committed.push(key),
            (_, Err(error)) => {
                assert_eq!(error, CommitError::Conflict);
                conflicts += 1;
            }
        }
    }
    assert_eq!(conflicts, 100 - 7);
    assert_eq!(log.last(), 2 * committed.len() as u64);

    let records = index.scan(Table::Audit, &range(b"", None), 10_000, Direction::Forward).await.unwrap();
    let numbers: Vec<_> = records.iter().map(|(key, _)| u64::from_be_bytes(key.as_ref().try_into().unwrap())).collect();
    assert_eq!(numbers, (1..=2 * committed.len() as u64).collect::<Vec<_>>());
    let mut logged: Vec<[u8; 4]> = Vec::new();
    for pair in records.chunks(2) {
        let key = pair[0].1.strip_prefix(b"first ".as_slice()).unwrap();
        assert_eq!(pair[1].1.strip_prefix(b"second".as_slice()).unwrap(), key, "the records of a batch are together");
        logged.push(key.try_into().unwrap());
    }
    logged.sort_unstable();
    committed.sort_unstable();
    assert_eq!(logged, committed);
}

pub(super) async fn appends_before_the_start_of_the_log_are_refused<S: Subject>() {
    let subject = S::create();
    let index = subject.index();
    let batch = || Batch { appends: vec![b"record".to_vec()], ..put(Table::Object, b"k", b"v") };
    assert!(matches!(index.commit(batch()).await, Err(CommitError::Engine(IndexError::Engine(_)))));
    assert_eq!(value(&*index, Table::Object, b"k").await, None);
    subject.start(Box::new(CountingLog::default()));
    index.commit(batch()).await.unwrap();
    assert_eq!(value(&*index, Table::Audit, &1_u64.to_be_bytes()).await.as_deref(), Some(b"record".as_slice()));
}

pub(super) async fn a_thousand_commits_at_once<S: Subject>() {
    let subject = S::create();
    let index = subject.index();
    let tasks: Vec<_> = (0..1_000_u32)
        .map(|n| {
            let index = Arc::clone(&index);
            tokio::spawn(async move {
                index.commit(put(Table::Object, &n.to_be_bytes(), &[0; 400])).await.unwrap();
                assert!(value(&*index, Table::Object, &n.to_be_bytes()).await.is_some(), "visible to who committed it");
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    let rows = index.scan(Table::Object, &range(b"", None), 2_000, Direction::Forward).await.unwrap();
    assert_eq!(rows.len(), 1_000);
}

pub(super) async fn a_large_value_is_kept_whole<S: Subject>() {
    let subject = S::create();
    let large: Vec<u8> = (0..5_u32 << 20).map(|n| (n % 251) as u8).collect();
    for table in [Table::Inline, Table::Layout, Table::Object] {
        subject.index().commit(put(table, b"large", &large)).await.unwrap();
        subject.index().commit(put(table, b"small", b"x")).await.unwrap();
    }
    let subject = subject.reopen();
    for table in [Table::Inline, Table::Layout, Table::Object] {
        assert_eq!(value(&*subject.index(), table, b"large").await.as_deref(), Some(large.as_slice()));
        assert_eq!(value(&*subject.index(), table, b"small").await.as_deref(), Some(b"x".as_slice()));
    }
}

pub(super) async fn a_reopened_index_has_all_that_was_committed<S: Subject>() {
    let mut subject = S::create();
    for life in 0..3_u32 {
        let index = subject.index();
        subject.start(Box::new(CountingLog::default()));
        for n in 0..100_u32 {
            let key = [life.to_be_bytes(), n.to_be_bytes()].concat();
            index.commit(put(Table::Object, &key, &n.to_be_bytes())).await.unwrap();
        }
        let gone = [life.to_be_bytes(), 50_u32.to_be_bytes()].concat();
        index.commit(Batch { appends: vec![vec![7]], ..delete(Table::Object, &gone) }).await.unwrap();
        drop(index);

        subject = subject.reopen();
        let index = subject.index();
        let rows = index.scan(Table::Object, &range(b"", None), 1_000, Direction::Forward).await.unwrap();
        assert_eq!(rows.len(), 99 * (life as usize + 1));
        assert_eq!(value(&*index, Table::Object, &gone).await, None);
        assert_eq!(value(&*index, Table::Audit, &1_u64.to_be_bytes()).await.as_deref(), Some([7].as_slice()));
    }
}
