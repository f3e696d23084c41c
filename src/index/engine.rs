//! The small trait behind which engines are exchangeable, and its types.

use std::fmt;

use bytes::Bytes;
use futures_util::future::BoxFuture;

/// The tables. The number is part of the stored format: never reuse one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Table {
    /// Settings of the store itself: wrapped store keys, epoch keys, credentials. Values are Boxes, not sealed rows.
    Meta = 1,
    /// Accounts made on first start.
    Account = 2,
    /// Buckets by name.
    Bucket = 3,
    /// The current version of each object, unless that is a delete marker: bucket id, key.
    Object = 4,
    /// Noncurrent versions and delete markers: bucket id, key, order (newest first).
    Version = 5,
    /// Where the noncurrent null version of a key lies: bucket id, key.
    NullVersion = 6,
    /// Multipart uploads: bucket id, key, upload id.
    Upload = 7,
    /// Parts of uploads: upload id, part number.
    Part = 8,
    /// Part tables of completed multipart objects: content id.
    Layout = 9,
    /// Sealed streams small enough to live in the index: blob id. Not row-sealed: they are sealed already.
    Inline = 10,
    /// Contents with more than one holder: content id.
    RefCount = 11,
    /// Blobs to delete: due time, blob id.
    Garbage = 12,
    /// Blobs being written: blob id.
    Pending = 13,
    /// KMS keys: region, account, key id.
    Key = 14,
    /// KMS aliases: region, account, name.
    Alias = 15,
    /// The audit chain: gateway id, sequence number.
    Audit = 16,
    /// Buckets by owner: account, bucket name.
    BucketOwner = 17,
    /// Grants of KMS keys: region, account, key id, grant id.
    Grant = 18,
    /// Documents of a bucket's configuration, gone with the bucket: bucket id, kind.
    BucketConfig = 19,
    /// Users, groups, roles, policies and the like: account, kind, name.
    Identity = 20,
    /// Access keys of users, and the last uses of keys and roles: id.
    AccessKey = 21,
    /// What is to be done because of a change and committed with it: queue, due time, id.
    Queue = 22,
    /// Who does a job of which only one gateway at a time may do: job.
    Lease = 23,
}

impl Table {
    /// Every table.
    pub const ALL: [Self; 23] = [
        Self::Meta,
        Self::Account,
        Self::Bucket,
        Self::Object,
        Self::Version,
        Self::NullVersion,
        Self::Upload,
        Self::Part,
        Self::Layout,
        Self::Inline,
        Self::RefCount,
        Self::Garbage,
        Self::Pending,
        Self::Key,
        Self::Alias,
        Self::Audit,
        Self::BucketOwner,
        Self::Grant,
        Self::BucketConfig,
        Self::Identity,
        Self::AccessKey,
        Self::Queue,
        Self::Lease,
    ];

    /// The number that stands for the table in the stored format.
    pub fn number(self) -> u8 {
        self as u8
    }

    /// The name an engine keeps the table under. Part of the stored format too.
    pub fn name(self) -> &'static str {
        match self {
            Self::Meta => "meta",
            Self::Account => "account",
            Self::Bucket => "bucket",
            Self::Object => "object",
            Self::Version => "version",
            Self::NullVersion => "null-version",
            Self::Upload => "upload",
            Self::Part => "part",
            Self::Layout => "layout",
            Self::Inline => "inline",
            Self::RefCount => "ref-count",
            Self::Garbage => "garbage",
            Self::Pending => "pending",
            Self::Key => "key",
            Self::Alias => "alias",
            Self::Audit => "audit",
            Self::BucketOwner => "bucket-owner",
            Self::Grant => "grant",
            Self::BucketConfig => "bucket-config",
            Self::Identity => "identity",
            Self::AccessKey => "access-key",
            Self::Queue => "queue",
            Self::Lease => "lease",
        }
    }
}

/// Keys from `start` (included) to `end` (not included; `None`: to the end of the table).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyRange {
    /// First key.
    pub start: Vec<u8>,
    /// One past the last key.
    pub end: Option<Vec<u8>>,
}

impl KeyRange {
    /// All keys that begin with `prefix`.
    pub fn prefix(prefix: &[u8]) -> Self {
        let mut end = prefix.to_vec();
        while let Some(last) = end.pop() {
            if last < u8::MAX {
                end.push(last + 1);
                return Self { start: prefix.to_vec(), end: Some(end) };
            }
        }
        Self { start: prefix.to_vec(), end: None }
    }

    /// Whether no key can lie in the range.
    pub fn is_empty(&self) -> bool {
        self.end.as_ref().is_some_and(|end| *end <= self.start)
    }
}

/// Which way a scan goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// Ascending keys.
    Forward,
    /// Descending keys, from the end of the range.
    Backward,
}

/// One change of one row.
#[derive(Debug, Clone)]
pub enum Write {
    /// Inserts or replaces.
    Put(Table, Vec<u8>, Bytes),
    /// Removes; removing what is absent is no error.
    Delete(Table, Vec<u8>),
}

/// What must hold for a batch to be applied.
#[derive(Debug, Clone)]
pub enum Precondition {
    /// There is no such row.
    Absent(Table, Vec<u8>),
    /// The row's value is exactly this (sealed values carry a random nonce, so equal bytes mean the same version).
    Is(Table, Vec<u8>, Bytes),
}

/// Changes that are applied all or not at all. `appends` are records for the log of this gateway: they get their
/// sequence number and their place in the chain when the batch is committed, in commit order, without gaps.
#[derive(Debug, Clone, Default)]
pub struct Batch {
    /// Checked first; one that does not hold refuses the batch with [`CommitError::Conflict`].
    pub preconditions: Vec<Precondition>,
    /// The changes. A key occurs at most once.
    pub writes: Vec<Write>,
    /// Records for the log.
    pub appends: Vec<Vec<u8>>,
}

/// Gives an appended record its row. Called by the committing thread only, in commit order.
///
/// The rows lie in a table that nobody else writes: no batch has a precondition on them.
pub trait Sequencer: Send {
    /// The row of the next record.
    fn next(&mut self, record: &[u8]) -> (Table, Vec<u8>, Bytes);
    /// The rows handed out since the last `settle` were committed (`true`) or lost (`false`: take them back).
    ///
    /// After a loss whose extent is not known the index takes no more commits, so that a number that may have been
    /// used is never given out again.
    fn settle(&mut self, committed: bool);
}

/// Why the index did not answer. The text is for the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IndexError {
    /// A row does not open or decode: the store is damaged or was tampered with.
    Corrupt(String),
    /// The disk is full, or nearly: nothing was changed and nothing is lost.
    Full(String),
    /// The engine failed.
    Engine(String),
}

impl fmt::Display for IndexError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Corrupt(what) => write!(f, "the index is corrupt: {what}"),
            Self::Full(what) => write!(f, "the index is full: {what}"),
            Self::Engine(what) => write!(f, "the index failed: {what}"),
        }
    }
}

impl std::error::Error for IndexError {}

/// Why a batch was not applied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CommitError {
    /// A precondition did not hold; nothing was changed.
    Conflict,
    /// The engine refused or failed. After [`IndexError::Engine`] it is not known whether the batch was applied until
    /// the index is opened again; after the other errors nothing was changed.
    Engine(IndexError),
}

impl fmt::Display for CommitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Conflict => f.write_str("a row was changed by somebody else meanwhile"),
            Self::Engine(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for CommitError {}

impl From<IndexError> for CommitError {
    fn from(error: IndexError) -> Self {
        Self::Engine(error)
    }
}

/// An ordered key-value engine.
///
/// Each call sees one state: all of a batch or nothing of it. Two calls may see two states, so a caller that reads row
/// B because row A names it must be ready for B to be gone.
pub trait Index: Send + Sync + 'static {
    /// The value of a key.
    fn get<'a>(&'a self, table: Table, key: &'a [u8]) -> BoxFuture<'a, Result<Option<Bytes>, IndexError>>;

    /// At most `limit` rows of `range`, in key order (or reverse).
    fn scan<'a>(
        &'a self,
        table: Table,
        range: &'a KeyRange,
        limit: usize,
        direction: Direction,
    ) -> BoxFuture<'a, Result<Vec<(Bytes, Bytes)>, IndexError>>;

    /// Applies `batch`, all or nothing; it is durable and visible when this returns `Ok`. A future that is dropped
    /// before its end does not take the batch back: it may be applied or not.
    fn commit(&self, batch: Batch) -> BoxFuture<'_, Result<(), CommitError>>;

    /// Why this engine takes no more commits until it is opened again, if that is so. Reads may go on.
    fn failure(&self) -> Option<String>;
}

#[cfg(test)]
mod tests {
    use super::{KeyRange, Table};

    #[test]
    fn table_numbers_and_names_are_the_stored_ones() {
        for (place, table) in Table::ALL.into_iter().enumerate() {
            assert_eq!(usize::from(table.number()), place + 1, "engines index their tables by number");
            assert_eq!(Table::ALL.iter().filter(|other| other.name() == table.name()).count(), 1);
        }
    }

    #[test]
    fn a_prefix_range_ends_behind_the_last_key_with_the_prefix() {
        let end = |prefix: &[u8]| KeyRange::prefix(prefix).end;
        assert_eq!(end(b"ab"), Some(b"ac".to_vec()));
        assert_eq!(end(b"a\xff"), Some(b"b".to_vec()));
        assert_eq!(end(b"\xff\xff"), None);
        assert_eq!(end(b""), None);
    }
}
