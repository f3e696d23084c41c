//! Reading and writing blobs in bounded memory.

use bytes::Bytes;
use futures_util::stream::BoxStream;

use crate::crypto::SealedRange;

/// How much of a blob is in one buffer on its way to or from a local file, in bytes. With one buffer being filled and
/// one in flight this bounds the memory of a transfer.
pub const BLOB_CHUNK_BYTES: usize = 512 * 1024;

/// The random id of a blob.
pub type BlobId = [u8; 16];

/// The store failed.
#[derive(Debug)]
pub enum StoreError {
    /// There is no such blob.
    NotFound,
    /// No space, or a quota: the client hears 507-like trouble and nothing is lost.
    Full(String),
    /// Anything else; the text is for the log.
    Failed(String),
}

/// The blobs of one store. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Blobs {}

impl Blobs {
    /// Starts a blob of exactly `sealed_len` bytes.
    pub async fn create(&self, id: BlobId, sealed_len: u64) -> Result<BlobWriter, StoreError> {
        let _ = (id, sealed_len);
        unimplemented!()
    }

    /// Reads a range of a blob: chunks in order, with read-ahead of one chunk. Dropping the stream stops the reading.
    pub fn read(&self, id: BlobId, range: SealedRange) -> BlobReader {
        let _ = (id, range);
        unimplemented!()
    }

    /// Deletes a blob; deleting what is absent is no error.
    pub async fn delete(&self, id: BlobId) -> Result<(), StoreError> {
        let _ = id;
        unimplemented!()
    }

    /// All blobs with their sealed lengths in bytes, in no order: for scrub.
    pub fn list(&self) -> BoxStream<'static, Result<(BlobId, u64), StoreError>> {
        unimplemented!()
    }
}

/// The chunks of a range.
pub type BlobReader = BoxStream<'static, Result<Bytes, StoreError>>;

/// A blob being written. Dropped before [`BlobWriter::finish`] it leaves nothing visible.
#[derive(Debug)]
pub struct BlobWriter {}

impl BlobWriter {
    /// Appends bytes. Waits while the bytes before them are still on their way.
    pub async fn write(&mut self, chunk: Bytes) -> Result<(), StoreError> {
        let _ = chunk;
        unimplemented!()
    }

    /// Makes the blob durable and readable: its bytes and its directory entry are synced when this returns.
    pub async fn finish(self) -> Result<(), StoreError> {
        unimplemented!()
    }

    /// Gives up; removes what was written.
    pub async fn abort(self) {
        unimplemented!()
    }
}
