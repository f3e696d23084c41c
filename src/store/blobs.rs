//! Reading and writing blobs in bounded memory.

use std::fmt::Write as _;
use std::future::ready;
use std::sync::Arc;

use futures_util::stream::{self, BoxStream};
use futures_util::{StreamExt as _, TryStreamExt as _};
use object_store::path::{Path, PathPart};
use object_store::{ObjectStore, ObjectStoreExt as _, PutMode, PutOptions};

use super::StoreError;
use super::buffer::{BLOB_CHUNK_BYTES, Buffer, Pool};
use super::directory::Directory;
use super::reader::{BlobReader, PieceLens, PieceReader, Pieces, read_file, read_store};
use super::room::Room;
use super::writer::{BlobWriter, Bounds};
use crate::crypto::SealedRange;

/// Name of the object that bears the mark, beside the directories of the blobs.
pub const MARK: &str = "strongroom-store";
/// Longest mark, in bytes, that is read.
const MARK_MAX_BYTES: u64 = 1024;

/// The random id of a blob.
pub type BlobId = [u8; 16];

/// How bytes go to and from a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transfer {
    /// In chunks of [`BLOB_CHUNK_BYTES`]: where a call is cheap (files, memory).
    Chunks,
    /// In as few requests as can be: where a call is a request over the network. Reads are one request each; writes are
    /// one, or parts of at least 5 MiB, of which all writers together hold a bounded number in memory.
    Requests,
}

/// The blobs of one store. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Blobs(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    store: Arc<dyn ObjectStore>,
    /// Above all blobs.
    prefix: Path,
    transfer: Transfer,
    /// The directory below `store`, if it is one.
    directory: Option<Directory>,
    /// The memory of writers to an upstream.
    room: Arc<Room>,
    pool: Pool,
}

impl Blobs {
    /// The blobs below `prefix` of a store.
    pub fn new(store: Arc<dyn ObjectStore>, prefix: Path, transfer: Transfer) -> Self {
        Self::build(store, prefix, transfer, None)
    }

    /// The blobs in a directory; `store` is over its root.
    pub(super) fn in_directory(store: Arc<dyn ObjectStore>, directory: Directory) -> Self {
        Self::build(store, Path::default(), Transfer::Chunks, Some(directory))
    }

    fn build(store: Arc<dyn ObjectStore>, prefix: Path, transfer: Transfer, directory: Option<Directory>) -> Self {
        let room = Room::new();
        Self(Arc::new(Inner { store, prefix, transfer, directory, room, pool: Pool::default() }))
    }

    /// Starts a blob of exactly `sealed_len` bytes. On a disk that has no room for it beside a reserve, this is
    /// [`StoreError::Full`] at once.
    pub async fn create(&self, id: BlobId, sealed_len: u64) -> Result<BlobWriter, StoreError> {
        let bounds = match &self.0.directory {
            Some(directory) => Bounds::Disk(directory.promise(sealed_len)?),
            None if self.0.transfer == Transfer::Requests => Bounds::Memory(Arc::clone(&self.0.room)),
            None => Bounds::None,
        };
        BlobWriter::start(Arc::clone(&self.0.store), self.path(id), self.0.transfer, sealed_len, bounds).await
    }

    /// Reads a range of a blob: chunks in order, of which one is read ahead. Dropping the stream stops the reading.
    ///
    /// The stream ends after its first error. A range that reaches beyond the blob is an error, at the latest where the
    /// bytes end; an empty range is an empty stream, whatever the blob.
    pub fn read(&self, id: BlobId, range: SealedRange) -> BlobReader {
        let lens = PieceLens { first: BLOB_CHUNK_BYTES, rest: BLOB_CHUNK_BYTES };
        self.read_pieces(id, range, lens).map_ok(Buffer::freeze).boxed()
    }

    /// Like [`Self::read`], in pieces of exactly the lengths asked for (the last may be shorter), each in a buffer of
    /// its own to be worked on in place.
    pub fn read_pieces(&self, id: BlobId, range: SealedRange, lens: PieceLens) -> PieceReader {
        let range = range.start..range.end.max(range.start);
        if range.is_empty() {
            return stream::empty().boxed();
        }
        let (path, pool) = (self.path(id), self.0.pool.clone());
        let pieces = Pieces::new(range, lens);
        match &self.0.directory {
            Some(directory) => read_file(directory.path(path.as_ref()), pieces, pool),
            None => read_store(Arc::clone(&self.0.store), path, self.0.transfer, pieces, pool),
        }
    }

    /// The memory of writers to an upstream.
    #[cfg(test)]
    pub(super) fn room(&self) -> &Room {
        &self.0.room
    }

    /// An empty buffer with room for [`BLOB_CHUNK_BYTES`], for what is to be written.
    pub fn buffer(&self) -> Buffer {
        self.0.pool.empty()
    }

    /// Deletes a blob, with what unfinished writers left of it in a directory; deleting what is absent is no error.
    pub async fn delete(&self, id: BlobId) -> Result<(), StoreError> {
        let path = self.path(id);
        if let Some(directory) = &self.0.directory {
            let directory = directory.clone();
            let deleted = tokio::task::spawn_blocking(move || directory.delete(path.as_ref())).await;
            return Ok(deleted.map_err(|error| StoreError::Failed(error.to_string()))??);
        }
        match self.0.store.delete(&path).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// All blobs with their sealed lengths in bytes, in no order: for scrub. What has no blob's name is passed over.
    pub fn list(&self) -> BoxStream<'static, Result<(BlobId, u64), StoreError>> {
        let prefix = self.0.prefix.clone();
        // The stream borrows nothing: implementations of `list` own what they need.
        let objects = self.0.store.list((!prefix.as_ref().is_empty()).then_some(&prefix));
        objects
            .map_err(StoreError::from)
            .try_filter_map(move |object| ready(Ok(blob_id(&prefix, &object.location).map(|id| (id, object.size)))))
            .boxed()
    }

    /// The mark of the store: the first line of its object [`MARK`].
    pub async fn mark(&self) -> Result<Option<String>, StoreError> {
        let found = match self.0.store.get(&self.mark_path()).await {
            Err(object_store::Error::NotFound { .. }) => return Ok(None),
            found => found?,
        };
        if found.meta.size > MARK_MAX_BYTES {
            return Err(StoreError::Failed(format!("{MARK} has {} bytes: it is no mark", found.meta.size)));
        }
        let text = String::from_utf8_lossy(&found.bytes().await?).into_owned();
        Ok(Some(text.lines().next().unwrap_or_default().trim().to_owned()))
    }

    /// Marks a store that has no mark; returns the one that it has then, perhaps another's who was faster.
    pub async fn set_mark(&self, mark: &str) -> Result<String, StoreError> {
        let (path, line) = (self.mark_path(), format!("{mark}\n"));
        let create = PutOptions { mode: PutMode::Create, ..PutOptions::default() };
        match self.0.store.put_opts(&path, line.clone().into(), create).await {
            Ok(_) | Err(object_store::Error::AlreadyExists { .. }) => {}
            // Not every upstream knows conditional writes.
            Err(_) => drop(self.0.store.put(&path, line.into()).await?),
        }
        self.mark().await?.ok_or_else(|| StoreError::Failed(format!("{MARK} was written and is not there")))
    }

    fn mark_path(&self) -> Path {
        self.0.prefix.clone().join(MARK)
    }

    /// `prefix/ab/abcd…`: the id in hexadecimal below its first byte.
    fn path(&self, id: BlobId) -> Path {
        let mut name = String::with_capacity(2 * id.len());
        for byte in id {
            write!(name, "{byte:02x}").expect("writing to a string does not fail");
        }
        self.0.prefix.clone().join(PathPart::from(&name[..2])).join(PathPart::from(name.as_str()))
    }
}

/// The id of the blob that lies at `location`, if one does.
fn blob_id(prefix: &Path, location: &Path) -> Option<BlobId> {
    let mut parts = location.prefix_match(prefix)?;
    let (first, name) = (parts.next()?, parts.next()?);
    let name = name.as_ref();
    let lowercase_hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    if parts.next().is_some() || name.len() != 32 || !name.bytes().all(lowercase_hex) || name[..2] != *first.as_ref() {
        return None;
    }
    u128::from_str_radix(name, 16).ok().map(u128::to_be_bytes)
}

#[cfg(test)]
mod tests {
    use object_store::memory::InMemory;

    use super::*;
    use crate::golden::{Golden, check};

    #[test]
    fn a_path_leads_back_to_its_id() {
        for prefix in ["", "a", "a/b c"] {
            let prefix = Path::from(prefix);
            let blobs = Blobs::new(Arc::new(InMemory::new()), prefix.clone(), Transfer::Chunks);
            for id in [[0; 16], [0xff; 16], [0x0a; 16], *b"0123456789abcdef"] {
                assert_eq!(blob_id(&prefix, &blobs.path(id)), Some(id));
            }
        }
        let blobs = Blobs::new(Arc::new(InMemory::new()), Path::from("p"), Transfer::Chunks);
        assert_eq!(blobs.path([0xab; 16]).as_ref(), format!("p/ab/{}", "ab".repeat(16)));
    }

    /// Where blobs lie, and the object that says whose they are.
    #[test]
    fn golden() {
        let empty = || Blobs::new(Arc::new(InMemory::new()), Path::from("p"), Transfer::Chunks);
        let write_mark = |mark: &Option<String>| {
            let blobs = empty();
            let mark = mark.clone().expect("a mark");
            wait(async {
                blobs.set_mark(&mark).await.expect("marked");
                let object = blobs.0.store.get(&Path::from("p/strongroom-store")).await.expect("it is there");
                object.bytes().await.expect("read").to_vec()
            })
        };
        let read_mark = move |bytes: &[u8]| {
            let (blobs, bytes) = (empty(), bytes.to_vec());
            wait(async {
                blobs.0.store.put(&Path::from("p/strongroom-store"), bytes.into()).await.expect("written");
                blobs.mark().await.expect("read")
            })
        };
        let write_path = |id: &BlobId| empty().path(*id).as_ref().as_bytes().to_vec();
        let read_path = |bytes: &[u8]| {
            blob_id(&Path::from("p"), &Path::from(String::from_utf8_lossy(bytes).as_ref())).expect("a blob's path")
        };
        check(
            "store",
            &[
                Golden::of("mark", &Some("ab".repeat(16)), write_mark, read_mark),
                Golden::of("blob's path", b"0123456789abcdef", write_path, read_path),
            ],
        );
    }

    fn wait<T>(future: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().build().expect("a runtime").block_on(future)
    }

    #[test]
    fn other_names_are_no_blobs() {
        let hex = "ab".repeat(16);
        let prefix = Path::from("p");
        for other in [
            format!("ab/{hex}"),
            format!("q/ab/{hex}"),
            format!("p/{hex}"),
            format!("p/aa/{hex}"),
            format!("p/ab/{hex}0"),
            format!("p/ab/{hex}/x"),
            format!("p/ab/{}", &hex[..31]),
            format!("p/AB/{}", hex.to_uppercase()),
            format!("p/ab/ab+{}", &hex[3..]),
            "p/ab".to_owned(),
        ] {
            assert_eq!(blob_id(&prefix, &Path::from(other.as_str())), None, "{other}");
        }
    }
}
