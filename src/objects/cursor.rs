//! A place in a table that moves forward and can be moved over rows: by reading on where they are few, by a new search
//! of the table where they are many.
//!
//! A search costs what reading some twenty rows does. How many rows will have to be passed is not known before; they are
//! taken for as many as the last ones were.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;

use super::ObjectsError;
use crate::index::{Direction, Index, KeyRange, Rows, Table};

/// Rows of the first read, and of one that finds out how many rows have to be passed at a time.
const FIRST_READ: usize = 32;
/// Rows of the first read behind a search: where one prefix was rolled up there are mostly more, and each is passed.
const READ_BEHIND_SEARCH: usize = 2;
/// Rows of a read at the most.
const LARGEST_READ: usize = 1_024;
/// The most rows of a read that passes over some: the last of such reads is for nothing.
const LARGEST_READ_TO_PASS: usize = 128;
/// Reading on is cheaper than searching if so many rows or fewer have to be passed at a time.
const ROWS_OF_A_SEARCH: usize = 16;
/// Searches from one that finds out whether the rows to be passed have become few to the next.
const SEARCHES_TO_A_TRIAL: usize = 32;

/// Rows of a range, unopened: a row that is only passed costs no decryption.
pub(super) struct Cursor<'a> {
    index: &'a Arc<dyn Index>,
    table: Table,
    /// What was not read yet.
    range: KeyRange,
    buffer: VecDeque<(Bytes, Bytes)>,
    /// Rows before it are passed.
    target: Vec<u8>,
    /// Rows of the next read.
    read: usize,
    last: Read,
    searches: usize,
}

/// What the last read showed.
#[derive(Debug, Default)]
struct Read {
    rows: usize,
    /// Moves that ended among its rows.
    moves: usize,
}

impl Read {
    /// Few rows have to be passed at a time.
    fn shows_short_moves(&self) -> bool {
        self.moves > 0 && self.rows <= self.moves * ROWS_OF_A_SEARCH
    }
}

impl<'a> Cursor<'a> {
    pub(super) fn new(rows: &'a Rows, table: Table, range: KeyRange) -> Self {
        Self::over(rows.engine(), table, range)
    }

    fn over(index: &'a Arc<dyn Index>, table: Table, range: KeyRange) -> Self {
        Self {
            index,
            table,
            range,
            buffer: VecDeque::new(),
            target: Vec::new(),
            read: FIRST_READ,
            last: Read::default(),
            searches: 0,
        }
    }

    /// The row at this place.
    pub(super) async fn peek(&mut self) -> Result<Option<&(Bytes, Bytes)>, ObjectsError> {
        while self.buffer.is_empty() && !self.range.is_empty() {
            let moving = self.range.start < self.target;
            if moving && !self.is_near() {
                self.search();
                continue;
            }
            let rows = self.index.scan(self.table, &self.range, self.read, Direction::Forward).await?;
            self.last = Read { rows: rows.len(), moves: 0 };
            match rows.last() {
                Some((last, _)) if rows.len() == self.read => self.range.start = [&last[..], &[0]].concat(),
                _ => self.range.end = Some(self.range.start.clone()),
            }
            let largest = if self.target.is_empty() { LARGEST_READ } else { LARGEST_READ_TO_PASS };
            self.read = (self.read * 4).min(largest);
            self.buffer.extend(rows);
            if moving {
                self.pass();
            }
        }
        Ok(self.buffer.front())
    }

    /// Takes the row at this place.
    pub(super) async fn next(&mut self) -> Result<Option<(Bytes, Bytes)>, ObjectsError> {
        self.peek().await?;
        Ok(self.buffer.pop_front())
    }

    /// Moves on to the first row at or behind `start`.
    pub(super) fn seek(&mut self, start: &[u8]) {
        if self.target[..] < *start {
            self.target = start.to_vec();
            self.pass();
        }
    }

    /// Passes what was read before the target.
    fn pass(&mut self) {
        while self.buffer.front().is_some_and(|(key, _)| key[..] < self.target[..]) {
            self.buffer.pop_front();
        }
        self.last.moves += usize::from(!self.buffer.is_empty());
    }

    /// Reading on will find the target for less than a search.
    fn is_near(&self) -> bool {
        self.last.shows_short_moves() && self.range.end.as_ref().is_none_or(|end| self.target < *end)
    }

    fn search(&mut self) {
        self.range.start.clone_from(&self.target);
        self.searches += 1;
        let trial = self.searches.is_multiple_of(SEARCHES_TO_A_TRIAL);
        self.read = if trial { FIRST_READ } else { READ_BEHIND_SEARCH };
    }
}

/// The prefix into which `key` is rolled up, if it is: up to and with the first delimiter behind the prefix.
pub(super) fn rolled_up<'k>(key: &'k str, prefix: &str, delimiter: &str) -> Option<&'k str> {
    if delimiter.is_empty() {
        return None;
    }
    let at = key.get(prefix.len()..)?.find(delimiter)?;
    key.get(..prefix.len() + at + delimiter.len())
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use futures_util::future::BoxFuture;

    use super::*;
    use crate::index::{Batch, CommitError, IndexError, MemoryIndex, Write};
    use crate::sources::{Sources, Timestamp};

    /// Counts what is asked of an index.
    #[derive(Default)]
    struct Counted {
        index: MemoryIndex,
        scans: AtomicUsize,
        rows: AtomicUsize,
    }

    impl Index for Counted {
        fn get<'a>(&'a self, table: Table, key: &'a [u8]) -> BoxFuture<'a, Result<Option<Bytes>, IndexError>> {
            self.index.get(table, key)
        }

        fn scan<'a>(
            &'a self,
            table: Table,
            range: &'a KeyRange,
            limit: usize,
            direction: Direction,
        ) -> BoxFuture<'a, Result<Vec<(Bytes, Bytes)>, IndexError>> {
            Box::pin(async move {
                let rows = self.index.scan(table, range, limit, direction).await?;
                self.scans.fetch_add(1, Ordering::Relaxed);
                self.rows.fetch_add(rows.len(), Ordering::Relaxed);
                Ok(rows)
            })
        }

        fn commit(&self, batch: Batch) -> BoxFuture<'_, Result<(), CommitError>> {
            self.index.commit(batch)
        }

        fn failure(&self) -> Option<String> {
            None
        }
    }

    /// Groups of so many rows, named by a number.
    async fn filled(groups: &[usize]) -> Arc<Counted> {
        let index = Arc::new(Counted::default());
        let keys = groups.iter().enumerate().flat_map(|(group, rows)| (0..*rows).map(move |row| (group, row)));
        let writes = keys.map(|(group, row)| Write::Put(Table::Object, key(group, row), Bytes::from_static(b"v")));
        index.commit(Batch { writes: writes.collect(), ..Batch::default() }).await.expect("committed");
        index
    }

    fn key(group: usize, row: usize) -> Vec<u8> {
        format!("{group:05}/{row:06}").into_bytes()
    }

    /// The groups that are found by moving over each, and the scans and rows that it took.
    async fn walk(index: &Arc<Counted>, groups: usize) -> (Vec<usize>, usize, usize) {
        let (engine, before) = (Arc::<Counted>::clone(index) as Arc<dyn Index>, (&index.scans, &index.rows));
        let before = (before.0.load(Ordering::Relaxed), before.1.load(Ordering::Relaxed));
        let mut cursor = Cursor::over(&engine, Table::Object, KeyRange { start: key(0, 0), end: Some(key(groups, 0)) });
        let mut found = Vec::new();
        while let Some((row, _)) = cursor.next().await.expect("rows") {
            let group = std::str::from_utf8(&row[..5]).expect("digits").parse().expect("a number");
            found.push(group);
            cursor.seek(&key(group + 1, 0));
        }
        (found, index.scans.load(Ordering::Relaxed) - before.0, index.rows.load(Ordering::Relaxed) - before.1)
    }

    #[tokio::test]
    async fn what_a_thousand_moves_read() {
        let mut costs = Vec::new();
        for rows in [1, 5, 10, 20, 100, 200] {
            let index = filled(&vec![rows; 1_000]).await;
            let (found, scans, read) = walk(&index, 1_000).await;
            assert!(found.into_iter().eq(0..1_000));
            costs.push((rows, scans, read));
        }
        // Rows of a group, scans, rows read: reading on where groups are small, else a search for each.
        let (on, searches) =
            ([(1, 9, 1_000), (5, 40, 5_000), (10, 79, 10_000)], [(20, 969, 2_868), (100, 1_000, 2_960)]);
        let same = (200, 1_000, 2_960);
        assert_eq!(costs, [&on[..], &searches, &[same]].concat());
    }

    #[tokio::test]
    async fn moves_over_groups_of_any_sizes() {
        let sources = Sources::seeded(7, Timestamp(0));
        let random = |below: usize| usize::from(u16::from_le_bytes(sources.random())) % below;
        for _ in 0..200 {
            // Stretches of small groups, of large ones and of none.
            let mut sizes = Vec::new();
            for _ in 0..random(6) {
                let (most, groups) = ([1, 3, 20, 300][random(4)], random(60));
                sizes.extend((0..groups).map(|_| random(most + 1)));
            }
            let index = filled(&sizes).await;
            let (found, scans, rows) = walk(&index, sizes.len()).await;
            let expected: Vec<usize> = (0..sizes.len()).filter(|group| sizes[*group] > 0).collect();
            assert_eq!(found, expected);
            let all: usize = sizes.iter().sum();
            assert!(scans <= 2 * expected.len() + 2 && rows <= all, "{scans} scans, {rows} rows: {sizes:?}");
        }
    }

    #[tokio::test]
    async fn reads_all_rows_where_nothing_is_passed() {
        let index = filled(&[10_000]).await;
        let engine = Arc::<Counted>::clone(&index) as Arc<dyn Index>;
        let mut cursor = Cursor::over(&engine, Table::Object, KeyRange { start: Vec::new(), end: None });
        let mut read = 0;
        while let Some((row, _)) = cursor.next().await.expect("rows") {
            assert_eq!(row[..], key(0, read));
            read += 1;
        }
        assert_eq!((read, index.scans.load(Ordering::Relaxed)), (10_000, 13));
    }

    #[test]
    fn rolls_up_behind_the_prefix() {
        assert_eq!(rolled_up("a/b/c", "", "/"), Some("a/"));
        assert_eq!(rolled_up("a/b/c", "a/", "/"), Some("a/b/"));
        assert_eq!(rolled_up("a/b/c", "a/b/", "/"), None);
        assert_eq!(rolled_up("a/b/c", "a", "/"), Some("a/"));
        assert_eq!(rolled_up("axxb", "", "xx"), Some("axx"));
        assert_eq!(rolled_up("é/x", "é", "/"), Some("é/"));
        assert_eq!(rolled_up("a/b", "", ""), None);
    }
}
