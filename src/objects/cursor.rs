//! A place in a table that moves forward and can jump: reads ahead a little, and more when it is read on.

use std::collections::VecDeque;

use bytes::Bytes;

use super::ObjectsError;
use crate::index::{Direction, KeyRange, Rows, Table};

/// Rows of the first read: most pages with a delimiter jump soon.
const FIRST_READ: usize = 32;
/// Rows of the first read behind a jump: where one prefix was rolled up there are mostly more, and each is jumped over.
const READ_BEHIND_JUMP: usize = 2;
/// Rows of a read at the most.
const LARGEST_READ: usize = 1_024;

/// Rows of a range, unopened: a row that is only jumped over costs no decryption.
pub(super) struct Cursor<'a> {
    rows: &'a Rows,
    table: Table,
    range: KeyRange,
    buffer: VecDeque<(Bytes, Bytes)>,
    exhausted: bool,
    read: usize,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(rows: &'a Rows, table: Table, range: KeyRange) -> Self {
        Self { rows, table, range, buffer: VecDeque::new(), exhausted: false, read: FIRST_READ }
    }

    /// The row at this place.
    pub(super) async fn peek(&mut self) -> Result<Option<&(Bytes, Bytes)>, ObjectsError> {
        if self.buffer.is_empty() && !self.exhausted {
            let rows = self.rows.engine().scan(self.table, &self.range, self.read, Direction::Forward).await?;
            self.exhausted = rows.len() < self.read;
            self.read = (self.read * 4).min(LARGEST_READ);
            if let Some((last, _)) = rows.last() {
                self.range.start = [&last[..], &[0]].concat();
            }
            self.buffer.extend(rows);
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
        while self.buffer.front().is_some_and(|(key, _)| &key[..] < start) {
            self.buffer.pop_front();
        }
        if self.buffer.is_empty() && self.range.start[..] < *start {
            self.range.start = start.to_vec();
            self.read = READ_BEHIND_JUMP;
            self.exhausted = self.range.end.as_ref().is_some_and(|end| end[..] <= *start);
        }
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
    use super::rolled_up;

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
