//! The embedded engine: fjall, with a group commit of our own (fjall holds its journal lock across the sync).
//!
//! One thread commits. It takes all batches that wait, writes them as one fjall batch with one `fdatasync` of the
//! journal, and answers them; what arrives meanwhile is the next group. Reads run on the caller's thread: a get takes
//! microseconds, a page of 1,000 rows about half a millisecond, more if blocks come from the disk.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::thread::JoinHandle;

use bytes::Bytes;
use fjall::compaction::Leveled;
use fjall::config::{BlockSizePolicy, CompressionPolicy, RestartIntervalPolicy};
use fjall::{
    CompressionType, Database, Keyspace, KeyspaceCreateOptions, KvSeparationOptions, PersistMode, Readable as _,
};
use futures_util::future::BoxFuture;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};

use super::engine::{Batch, CommitError, Direction, Index, IndexError, KeyRange, Sequencer, Table, Write};
use super::group::{Group, batch_bytes};

/// Decoded blocks kept in memory, in bytes, for all tables together.
const CACHE_BYTES: u64 = 32 << 20;
/// Size of a block, in bytes. A search reads one in each run of a table, and a page of a listing makes up to a thousand
/// searches: they have to stay in the cache from one page to the next.
const BLOCK_BYTES: u32 = 4 << 10;
/// Rows of a block from one that has its whole key to the next. Rows have some hundred bytes, and a search looks at each
/// row from there on.
const RESTART_ROWS: u8 = 2;
/// Tables just written, each over all keys, before they are merged into one run. A search looks into each.
const YOUNG_TABLES_MAX: u8 = 2;
/// Journals on disk, in bytes, before the tables that hold the oldest one back are flushed. Bounds the time of a
/// reopen.
const JOURNALS_MAX_BYTES: u64 = 192 << 20;
/// Open files of the engine; sockets need the rest of the usual 1,024.
const OPEN_FILES_MAX: usize = 256;
/// Values from this size on, in bytes, lie beside the tree in the tables that have large ones, and are not rewritten
/// with it.
const SEPARATE_FROM_BYTES: u32 = 1_024;
/// Batches that one sync commits at most.
const GROUP_BATCHES_MAX: usize = 1_024;
/// Bytes that one sync commits at most (a batch that is larger has a group for itself).
const GROUP_BYTES_MAX: usize = 4 << 20;
/// How often the committing thread lets other threads run, with nothing new in the queue, before it is content with a
/// group smaller than the last. Those that were answered just now come again in a moment: without this, 16 writers make
/// groups of 1 and 15 in turn. Some microseconds at most, beside a sync of a hundred or more.
const PATIENCE_YIELDS: u32 = 20;
/// Batches waiting for the committing thread hold at most this much memory, in KiB and at least one each; more wait
/// in [`Index::commit`].
const QUEUE_MAX_KIB: u32 = 16 << 10;
/// Free space, in bytes, that is kept back on the disk: a journal or a flush that does not fit ends all commits until
/// a restart, so ordinary writes are refused before. All memtables together are a quarter of it. Small disks keep back
/// an eighth instead, which on less than some 300 MB is no promise: see [`Engine::notice_poison`].
const SPACE_RESERVE_BYTES: u64 = 128 << 20;

/// An index in a directory.
#[expect(missing_debug_implementations, reason = "the committing thread holds the sequencer, which may hold secrets")]
pub struct FjallIndex {
    engine: Arc<Engine>,
    /// To the committing thread; `None` only while this is dropped.
    queue: Option<mpsc::UnboundedSender<Message>>,
    /// In KiB: see [`QUEUE_MAX_KIB`].
    room: Arc<Semaphore>,
    committer: Option<JoinHandle<()>>,
}

struct Engine {
    database: Database,
    /// In the order of [`Table::ALL`].
    tables: Vec<Keyspace>,
    directory: PathBuf,
    /// Why there are no more commits.
    failure: OnceLock<String>,
}

enum Message {
    Start(Box<dyn Sequencer>),
    Commit(Request),
}

struct Request {
    batch: Batch,
    bytes: usize,
    answer: oneshot::Sender<Result<(), CommitError>>,
    /// Given back when the request is answered.
    room: OwnedSemaphorePermit,
}

impl FjallIndex {
    /// Opens or creates the index in `path`, whose parent must be there. Replays the journal: blocks for up to about a
    /// second. An index that another process has open is an error.
    ///
    /// Batches can be committed at once, those with appends only after [`FjallIndex::start`].
    pub fn open(path: &Path) -> Result<Self, IndexError> {
        let engine = Arc::new(Engine::open(path)?);
        let (queue, requests) = mpsc::unbounded_channel();
        let committer = Committer { engine: Arc::clone(&engine), requests, log: None };
        let committer = std::thread::Builder::new()
            .name("index-commit".to_owned())
            .spawn(move || committer.run())
            .map_err(|error| IndexError::Engine(format!("no thread for commits: {error}")))?;
        let room = Arc::new(Semaphore::new(QUEUE_MAX_KIB as usize));
        Ok(Self { engine, queue: Some(queue), room, committer: Some(committer) })
    }

    /// Hands the sequencer of this gateway's log to the committing thread; commits after this call can append.
    pub fn start(&self, sequencer: Box<dyn Sequencer>) {
        // A committing thread that has ended answers every later commit with an error: nothing to say here.
        let _ = self.queue().send(Message::Start(sequencer));
    }

    fn queue(&self) -> &mpsc::UnboundedSender<Message> {
        self.queue.as_ref().expect("only drop takes the queue")
    }
}

impl Drop for FjallIndex {
    /// Waits until the batches that wait are committed, and releases the lock of the directory.
    fn drop(&mut self) {
        self.queue = None;
        if let Some(committer) = self.committer.take() {
            // It panicked: its requests were answered with an error, there is nobody to tell.
            let _ = committer.join();
        }
    }
}

impl Index for FjallIndex {
    fn get<'a>(&'a self, table: Table, key: &'a [u8]) -> BoxFuture<'a, Result<Option<Bytes>, IndexError>> {
        Box::pin(async move { self.engine.get(table, key) })
    }

    fn scan<'a>(
        &'a self,
        table: Table,
        range: &'a KeyRange,
        limit: usize,
        direction: Direction,
    ) -> BoxFuture<'a, Result<Vec<(Bytes, Bytes)>, IndexError>> {
        Box::pin(async move { self.engine.scan(table, range, limit, direction) })
    }

    fn commit(&self, batch: Batch) -> BoxFuture<'_, Result<(), CommitError>> {
        Box::pin(async move {
            let ended = |_| IndexError::Engine("the committing thread has ended".to_owned());
            let bytes = batch_bytes(&batch);
            let kib = u32::try_from(bytes / 1024 + 1).unwrap_or(u32::MAX).min(QUEUE_MAX_KIB);
            let room = Arc::clone(&self.room).acquire_many_owned(kib).await.expect("the semaphore is never closed");
            let (answer, answered) = oneshot::channel();
            let request = Request { batch, bytes, answer, room };
            self.queue().send(Message::Commit(request)).map_err(|_| ended(()))?;
            answered.await.map_err(|_| ended(()))?
        })
    }

    fn failure(&self) -> Option<String> {
        self.engine.failure.get().cloned()
    }
}

impl Engine {
    fn open(path: &Path) -> Result<Self, IndexError> {
        let database = Database::builder(path)
            .cache_size(CACHE_BYTES)
            .max_journaling_size(JOURNALS_MAX_BYTES)
            .max_cached_files(Some(OPEN_FILES_MAX))
            // Sealed rows do not compress.
            .journal_compression(CompressionType::None)
            .open()
            .map_err(|error| open_error(path, &error))?;
        let tables = Table::ALL
            .into_iter()
            .map(|table| database.keyspace(table.name(), || table_options(table)))
            .collect::<Result<_, _>>()
            .map_err(|error| open_error(path, &error))?;
        // fjall syncs a new table's own directories, but not the entries that lead to them. Were one lost, its rows
        // in the journal would be skipped in silence.
        sync_directories(path).map_err(|error| IndexError::Engine(format!("{}: {error}", path.display())))?;
        Ok(Self { database, tables, directory: path.to_owned(), failure: OnceLock::new() })
    }

    fn table(&self, table: Table) -> &Keyspace {
        &self.tables[usize::from(table.number()) - 1]
    }

    /// From a snapshot, as is every read: the tables change one after the other while a batch is applied.
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Bytes>, IndexError> {
        let value = self.database.snapshot().get(self.table(table), key).map_err(|error| engine_error(&error))?;
        Ok(value.map(Bytes::from))
    }

    fn scan(
        &self,
        table: Table,
        range: &KeyRange,
        limit: usize,
        direction: Direction,
    ) -> Result<Vec<(Bytes, Bytes)>, IndexError> {
        if range.is_empty() || limit == 0 {
            return Ok(Vec::new());
        }
        let snapshot = self.database.snapshot();
        let rows = match &range.end {
            Some(end) => snapshot.range(self.table(table), range.start.as_slice()..end.as_slice()),
            None => snapshot.range(self.table(table), range.start.as_slice()..),
        };
        let row = |guard: fjall::Guard| {
            let (key, value) = guard.into_inner().map_err(|error| engine_error(&error))?;
            Ok((Bytes::from(key), Bytes::from(value)))
        };
        match direction {
            Direction::Forward => rows.take(limit).map(row).collect(),
            Direction::Backward => rows.rev().take(limit).map(row).collect(),
        }
    }

    /// Writes and syncs a group.
    fn write(&self, writes: impl Iterator<Item = (Table, Bytes, Option<Bytes>)>) -> Result<(), fjall::Error> {
        // fdatasync is enough for new journals too: fjall syncs a new file's size and its directory before using it.
        let mut batch = self.database.batch().durability(Some(PersistMode::SyncData));
        for (table, key, value) in writes {
            match value {
                Some(value) => batch.insert(self.table(table), key, value),
                None => batch.remove(self.table(table), key),
            }
        }
        batch.commit()
    }

    /// fjall's own threads flush and compact. One that fails, for want of space or by a bad disk, ends all commits, and
    /// fjall says so to the next commit only: where none is tried, this asks.
    fn notice_poison(&self) {
        if let Err(error) = self.database.persist(PersistMode::Buffer) {
            let _ = self.failure.set(error.to_string());
        }
    }

    fn space(&self) -> Space {
        match rustix::fs::statvfs(&self.directory) {
            Ok(disk) => Space {
                free_bytes: disk.f_bavail.saturating_mul(disk.f_frsize),
                reserve_bytes: SPACE_RESERVE_BYTES.min(disk.f_blocks.saturating_mul(disk.f_frsize) / 8),
            },
            // A file system that does not tell is believed to be large.
            Err(_) => Space { free_bytes: u64::MAX, reserve_bytes: 0 },
        }
    }
}

/// The committing thread.
struct Committer {
    engine: Arc<Engine>,
    requests: mpsc::UnboundedReceiver<Message>,
    log: Option<Box<dyn Sequencer>>,
}

impl Committer {
    /// Ends when the index is dropped.
    fn run(mut self) {
        let mut requests = Vec::new();
        let mut last_group = 0;
        while let Some(first) = self.requests.blocking_recv() {
            self.gather(first, last_group, &mut requests);
            last_group = requests.len();
            self.commit(&mut requests);
        }
    }

    /// Takes what waits, and what comes at once if the last group had more.
    fn gather(&mut self, first: Message, last_group: usize, requests: &mut Vec<Request>) {
        let mut bytes = self.take(first, requests);
        let mut patience = PATIENCE_YIELDS;
        while requests.len() < GROUP_BATCHES_MAX && bytes < GROUP_BYTES_MAX {
            if let Ok(next) = self.requests.try_recv() {
                bytes += self.take(next, requests);
                patience = PATIENCE_YIELDS;
            } else if requests.len() < last_group && patience > 0 {
                std::thread::yield_now();
                patience -= 1;
            } else {
                break;
            }
        }
    }

    fn take(&mut self, message: Message, requests: &mut Vec<Request>) -> usize {
        match message {
            Message::Start(sequencer) => {
                // Those that came before it are not to be sequenced by it.
                self.commit(requests);
                self.log = Some(sequencer);
                0
            }
            Message::Commit(request) => {
                let bytes = request.bytes;
                requests.push(request);
                bytes
            }
        }
    }

    fn commit(&mut self, requests: &mut Vec<Request>) {
        if requests.is_empty() {
            return;
        }
        let space = self.engine.space();
        if requests.iter().any(|request| space.refuses(&request.batch).is_some()) {
            self.engine.notice_poison();
        }
        let mut group = Group::default();
        let mut waiting = Vec::with_capacity(requests.len());
        for Request { batch, answer, room, .. } in requests.drain(..) {
            waiting.push((answer, room));
            match self.engine.failure.get().map(|why| closed(why)).or_else(|| space.refuses(&batch)) {
                Some(error) => group.refuse(error),
                None => group.stage(batch, |table, key| self.engine.get(table, key), self.log.as_deref_mut()),
            }
        }

        let outcome = self.engine.write(group.take_writes()).map_err(|error| {
            // Part of the group may be in the journal or all of it: only a replay can tell.
            let why = error.to_string();
            let _ = self.engine.failure.set(why.clone());
            IndexError::Engine(why)
        });
        if let (true, Some(log)) = (group.appended(), &mut self.log) {
            log.settle(outcome.is_ok());
        }
        for ((answer, room), verdict) in waiting.into_iter().zip(group.answers(outcome)) {
            drop(room);
            // Nobody waits any more: the batch is committed all the same.
            let _ = answer.send(verdict);
        }
    }
}

/// The disk under the index.
#[derive(Debug, Clone, Copy)]
struct Space {
    free_bytes: u64,
    reserve_bytes: u64,
}

impl Space {
    /// Whether a batch must not be written now. Half of the reserve is for what a full store must still be able to do:
    /// to be opened (its epoch key), to be read (records of key uses), and to be emptied (deletes; marks on buckets).
    fn refuses(self, batch: &Batch) -> Option<IndexError> {
        let needed = |write: &Write| matches!(write, Write::Delete(..) | Write::Put(Table::Meta | Table::Bucket, ..));
        let spared = batch.writes.is_empty() || batch.writes.iter().any(needed);
        let kept_back = if spared { self.reserve_bytes / 2 } else { self.reserve_bytes };
        (self.free_bytes < kept_back).then(|| {
            let (free, kept_back) = (self.free_bytes >> 10, kept_back >> 10);
            IndexError::Full(format!("{free} KiB are free on its disk, {kept_back} KiB are kept back"))
        })
    }
}

/// Memtables are small, so that all of them together, with one being flushed, take some tens of MiB. Rows are sealed
/// and do not compress.
///
/// The engine keeps the options of a table from its creation on: an older index keeps those it was made with.
fn table_options(table: Table) -> KeyspaceCreateOptions {
    let memtable_bytes = match table {
        Table::Object => 8 << 20,
        Table::Version | Table::Part | Table::Inline | Table::Audit => 4 << 20,
        _ => 1 << 20,
    };
    let large_values = matches!(table, Table::Inline | Table::Layout);
    let separation =
        KvSeparationOptions::default().separation_threshold(SEPARATE_FROM_BYTES).compression(CompressionType::None);
    KeyspaceCreateOptions::default()
        .max_memtable_size(memtable_bytes)
        .data_block_size_policy(BlockSizePolicy::all(BLOCK_BYTES))
        .data_block_restart_interval_policy(RestartIntervalPolicy::all(RESTART_ROWS))
        .compaction_strategy(Arc::new(Leveled::default().with_l0_threshold(YOUNG_TABLES_MAX)))
        .data_block_compression_policy(CompressionPolicy::disabled())
        .with_kv_separation(large_values.then_some(separation))
}

/// `keyspaces` is fjall's name for the directory of its tables.
fn sync_directories(path: &Path) -> io::Result<()> {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."));
    for directory in [&path.join("keyspaces"), path, parent] {
        File::open(directory)?.sync_all()?;
    }
    Ok(())
}

fn open_error(path: &Path, error: &fjall::Error) -> IndexError {
    let path = path.display();
    match error {
        fjall::Error::Locked => IndexError::Engine(format!("{path} is in use by another process")),
        fjall::Error::InvalidVersion(_) => {
            IndexError::Engine(format!("{path} was made by a version that this one does not know: {error}"))
        }
        _ => IndexError::Engine(format!("{path} does not open: {error}")),
    }
}

fn engine_error(error: &fjall::Error) -> IndexError {
    IndexError::Engine(error.to_string())
}

fn closed(why: &str) -> IndexError {
    IndexError::Engine(format!("it takes no more commits until it is opened again: an earlier one failed: {why}"))
}

#[cfg(test)]
mod tests;
