//! Writing one blob.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use object_store::path::Path;
use object_store::{MultipartUpload, ObjectStore, ObjectStoreExt as _, PutPayload};
use tokio::runtime::Handle;
use tokio::task::JoinHandle;

use super::directory::Promise;
use super::room::{Filling, Room};
use super::{BLOB_CHUNK_BYTES, StoreError, Transfer};

/// The smallest part of a multipart upload but the last, in bytes (S3's rule).
const UPSTREAM_PART_BYTES: u64 = 5 << 20;
/// Parts of one upload at most (S3's rule).
const UPSTREAM_PARTS_MAX: u64 = 10_000;

/// What bounds a writer besides its announced length.
#[derive(Debug)]
pub(super) enum Bounds {
    None,
    /// The space promised to it on the disk.
    Disk(Promise),
    /// The memory that writers to an upstream share.
    Memory(Arc<Room>),
}

/// A blob being written. Dropped before [`BlobWriter::finish`] it leaves nothing visible.
///
/// Dropping cleans up in the background as far as it can. What a crash leaves: a staging file `…#1`, which
/// [`super::Blobs::delete`] of the id removes; at an upstream an unfinished multipart upload, for which the upstream
/// needs its usual life-cycle rule (AbortIncompleteMultipartUpload).
pub struct BlobWriter {
    store: Arc<dyn ObjectStore>,
    path: Path,
    sealed_len: u64,
    written: u64,
    transfer: Transfer,
    /// Bytes of a part at most.
    part_bytes: usize,
    filling: Filling,
    /// The space promised to it on a disk.
    promise: Option<Promise>,
    /// Only for blobs of more than one part.
    upload: Option<Upload>,
    /// A write failed: what was written has a hole.
    failed: bool,
    /// `sealed_len` is the most that may come.
    at_most: bool,
}

impl fmt::Debug for BlobWriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BlobWriter")
            .field("path", &self.path)
            .field("sealed_len", &self.sealed_len)
            .field("written", &self.written)
            .finish_non_exhaustive()
    }
}

impl BlobWriter {
    pub(super) async fn start(
        store: Arc<dyn ObjectStore>,
        path: Path,
        transfer: Transfer,
        sealed_len: u64,
        bounds: Bounds,
    ) -> Result<Self, StoreError> {
        let part_bytes = part_bytes(transfer, sealed_len);
        let (room, promise) = match bounds {
            Bounds::None => (None, None),
            Bounds::Disk(promise) => (None, Some(promise)),
            Bounds::Memory(room) => (Some(room), None),
        };
        let upload = match sealed_len > part_bytes as u64 {
            true => Some(Upload { parts: store.put_multipart(&path).await?, in_flight: None }),
            false => None,
        };
        Ok(Self {
            store,
            path,
            sealed_len,
            written: 0,
            transfer,
            part_bytes,
            filling: Filling::new(room),
            promise,
            upload,
            failed: false,
            at_most: false,
        })
    }

    /// The announced length is the most that may come: fewer bytes are whole too.
    pub fn may_end_early(&mut self) {
        self.at_most = true;
    }

    /// Appends bytes. Waits while the bytes before them are still on their way, and at an upstream for memory; if none
    /// gets free in time, or the bytes came too slowly while others waited for it, this is [`StoreError::Busy`]. After an
    /// error the blob can't be finished.
    pub async fn write(&mut self, chunk: Bytes) -> Result<(), StoreError> {
        let written = self.fill(chunk).await;
        self.failed |= written.is_err();
        written
    }

    async fn fill(&mut self, mut chunk: Bytes) -> Result<(), StoreError> {
        if chunk.len() as u64 > self.sealed_len - self.written {
            return Err(self.wrong_length("more"));
        }
        while !chunk.is_empty() {
            let room = self.part_bytes - self.filling.bytes();
            let rest = usize::try_from(self.sealed_len - self.written).unwrap_or(usize::MAX).min(room);
            let piece = chunk.split_to(chunk.len().min(room));
            self.written += piece.len() as u64;
            self.filling.push(piece, rest).await?;
            if self.filling.bytes() == self.part_bytes && self.upload.is_some() {
                self.send_part().await?;
            }
        }
        // To a file at once: what waits for more would only take memory.
        if self.transfer == Transfer::Chunks && self.upload.is_some() && self.filling.bytes() > 0 {
            self.send_part().await?;
        }
        Ok(())
    }

    /// Makes the blob durable and readable: its bytes and its directory entry are synced when this returns. An error
    /// if fewer bytes were written than announced, unless they may be.
    pub async fn finish(mut self) -> Result<(), StoreError> {
        if self.failed {
            return Err(StoreError::Failed(format!("{}: an earlier write failed", self.path)));
        }
        if self.written != self.sealed_len && !self.at_most {
            return Err(self.wrong_length("fewer"));
        }
        if self.upload.is_some() && self.filling.bytes() > 0 {
            self.send_part().await?;
        }
        match &mut self.upload {
            None => {
                let (pieces, _held) = self.filling.take()?;
                self.store.put(&self.path, pieces.into_iter().collect()).await?;
            }
            Some(upload) => {
                upload.landed().await?;
                upload.parts.complete().await?;
                self.upload = None; // nothing to clean up
            }
        }
        Ok(())
    }

    /// Gives up; removes what was written.
    pub async fn abort(mut self) {
        if let Some(upload) = self.upload.take() {
            upload.abort().await;
        }
    }

    /// Sends the part that is full, once the part before it has landed.
    async fn send_part(&mut self) -> Result<(), StoreError> {
        let upload = self.upload.as_mut().expect("only blobs of several parts send parts");
        let bytes = self.filling.bytes() as u64;
        // First of all: a part that waits for the one before it is not one whose bytes do not come.
        let (pieces, held) = self.filling.take()?;
        upload.landed().await?;
        let part = upload.parts.put_part(pieces.into_iter().collect::<PutPayload>());
        if let Some(promise) = &mut self.promise {
            promise.spend(bytes);
        }
        // A task, so that the part goes out while the next one fills.
        upload.in_flight = Some(tokio::spawn(async move {
            let landed = part.await;
            drop(held);
            landed
        }));
        Ok(())
    }

    fn wrong_length(&self, what: &str) -> StoreError {
        StoreError::Failed(format!("{}: {what} bytes came than the announced {}", self.path, self.sealed_len))
    }
}

impl Drop for BlobWriter {
    fn drop(&mut self) {
        if let (Some(upload), Ok(runtime)) = (self.upload.take(), Handle::try_current()) {
            runtime.spawn(upload.abort());
        }
    }
}

/// A multipart upload with at most one part on its way.
#[derive(Debug)]
struct Upload {
    parts: Box<dyn MultipartUpload>,
    in_flight: Option<JoinHandle<object_store::Result<()>>>,
}

impl Upload {
    /// Waits for the part on its way.
    async fn landed(&mut self) -> Result<(), StoreError> {
        match &mut self.in_flight {
            Some(part) => {
                let landed = part.await;
                self.in_flight = None;
                Ok(landed.map_err(|error| StoreError::Failed(error.to_string()))??)
            }
            None => Ok(()),
        }
    }

    async fn abort(mut self) {
        // A part that lands after the abort would stay behind.
        let _ = self.landed().await;
        // Best effort: the sweeper deletes by id what stays.
        let _ = self.parts.abort().await;
    }
}

fn part_bytes(transfer: Transfer, sealed_len: u64) -> usize {
    match transfer {
        Transfer::Chunks => BLOB_CHUNK_BYTES,
        Transfer::Requests => {
            let part = UPSTREAM_PART_BYTES.max(sealed_len.div_ceil(UPSTREAM_PARTS_MAX));
            usize::try_from(part).expect("parts are far smaller than the address space")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{BLOB_CHUNK_BYTES, Transfer, UPSTREAM_PART_BYTES, UPSTREAM_PARTS_MAX, part_bytes};

    #[test]
    fn parts_keep_to_the_rules_of_an_upstream() {
        for sealed_len in [0, 1, 5 << 30, 50 << 30, 5 << 40] {
            assert_eq!(part_bytes(Transfer::Chunks, sealed_len), BLOB_CHUNK_BYTES);
            let part = part_bytes(Transfer::Requests, sealed_len) as u64;
            assert!(part >= UPSTREAM_PART_BYTES && sealed_len.div_ceil(part) <= UPSTREAM_PARTS_MAX, "{sealed_len}");
        }
        assert_eq!(part_bytes(Transfer::Requests, 5 << 30), 5 << 20, "the largest PUT needs the smallest parts only");
    }
}
