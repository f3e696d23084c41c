//! A store in memory that fails on request: for tests and the simulation.

use std::fmt;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard};

use bytes::Bytes;
use futures_util::future::{BoxFuture, FutureExt as _};
use futures_util::stream::{BoxStream, StreamExt as _};
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore, PutMultipartOptions,
    PutOptions, PutPayload, PutResult, Result, UploadPart,
};

use super::{Blobs, Transfer};

/// What a [`FaultyStore`] does wrong, and when. All off by default; `Some(1)` is the next call. A fault happens once.
///
/// A write is one call that stores bytes or makes them visible: the put of a small blob, a part or the completion of a
/// larger one.
#[derive(Debug, Clone, Default)]
pub struct StoreFaults {
    /// Fail the n-th write from now without doing it.
    pub fail_write_in: Option<u64>,
    /// Do the n-th write from now and then report an error for it.
    pub lose_write_answer_in: Option<u64>,
    /// Refuse the n-th write from now as a full disk does.
    pub full_in: Option<u64>,
    /// Fail the n-th read of a chunk from now.
    pub fail_read_in: Option<u64>,
    /// Return only half of the bytes of the n-th read of a chunk from now.
    pub cut_read_in: Option<u64>,
    /// Fail the n-th delete from now without doing it.
    pub fail_delete_in: Option<u64>,
}

/// A store in memory with faults. Clones share blobs and faults.
#[derive(Debug, Clone, Default)]
pub struct FaultyStore {
    memory: Arc<InMemory>,
    faults: Arc<Mutex<StoreFaults>>,
}

/// What happens to one write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Done,
    AnswerLost,
}

impl FaultyStore {
    /// An empty store without faults.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the faults to come.
    pub fn set_faults(&self, faults: StoreFaults) {
        *self.faults() = faults;
    }

    /// The blobs of this store.
    pub fn blobs(&self) -> Blobs {
        Blobs::new(Arc::new(self.clone()), Path::default(), Transfer::Chunks)
    }

    /// The store as a crash at this moment leaves it, without faults: finished blobs stay, unfinished ones are lost.
    /// Writers that are still on their way reach the old store only.
    #[must_use]
    pub fn crash(&self) -> Self {
        Self { memory: Arc::new(self.memory.fork()), faults: Arc::default() }
    }

    /// The bytes below, to look at and to tamper with.
    pub fn memory(&self) -> &InMemory {
        &self.memory
    }

    fn faults(&self) -> MutexGuard<'_, StoreFaults> {
        self.faults.lock().expect("no holder panics")
    }

    fn write_fate(&self) -> Result<Fate> {
        let mut faults = self.faults();
        let (fail, full) = (due(&mut faults.fail_write_in), due(&mut faults.full_in));
        let lost = due(&mut faults.lose_write_answer_in);
        match (fail, full) {
            (true, _) => Err(fault("the write failed")),
            (_, true) => Err(fault(std::io::Error::from(std::io::ErrorKind::StorageFull))),
            _ => Ok(if lost { Fate::AnswerLost } else { Fate::Done }),
        }
    }
}

impl Fate {
    fn answer<T>(self, answer: T) -> Result<T> {
        match self {
            Self::Done => Ok(answer),
            Self::AnswerLost => Err(fault("the answer was lost")),
        }
    }
}

fn fault(what: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> object_store::Error {
    object_store::Error::Generic { store: "FaultyStore", source: what.into() }
}

/// Counts down to a fault.
fn due(countdown: &mut Option<u64>) -> bool {
    match countdown {
        Some(0 | 1) => {
            *countdown = None;
            true
        }
        Some(left) => {
            *left -= 1;
            false
        }
        None => false,
    }
}

impl fmt::Display for FaultyStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FaultyStore")
    }
}

// The methods are spelled as the trait's `async_trait` makes them.
impl ObjectStore for FaultyStore {
    fn put_opts<'s, 'p, 'f>(
        &'s self,
        location: &'p Path,
        payload: PutPayload,
        options: PutOptions,
    ) -> BoxFuture<'f, Result<PutResult>>
    where
        's: 'f,
        'p: 'f,
    {
        Box::pin(async move {
            let fate = self.write_fate()?;
            fate.answer(self.memory.put_opts(location, payload, options).await?)
        })
    }

    fn put_multipart_opts<'s, 'p, 'f>(
        &'s self,
        location: &'p Path,
        options: PutMultipartOptions,
    ) -> BoxFuture<'f, Result<Box<dyn MultipartUpload>>>
    where
        's: 'f,
        'p: 'f,
    {
        Box::pin(async move {
            let upload = self.memory.put_multipart_opts(location, options).await?;
            Ok(Box::new(FaultyUpload { store: self.clone(), upload }) as Box<dyn MultipartUpload>)
        })
    }

    fn get_opts<'s, 'p, 'f>(&'s self, location: &'p Path, options: GetOptions) -> BoxFuture<'f, Result<GetResult>>
    where
        's: 'f,
        'p: 'f,
    {
        self.memory.get_opts(location, options)
    }

    fn get_ranges<'s, 'p, 'r, 'f>(
        &'s self,
        location: &'p Path,
        ranges: &'r [Range<u64>],
    ) -> BoxFuture<'f, Result<Vec<Bytes>>>
    where
        's: 'f,
        'p: 'f,
        'r: 'f,
    {
        Box::pin(async move {
            let (fail, cut) = {
                let mut faults = self.faults();
                (due(&mut faults.fail_read_in), due(&mut faults.cut_read_in))
            };
            if fail {
                return Err(fault("the read failed"));
            }
            let mut chunks = self.memory.get_ranges(location, ranges).await?;
            if cut {
                for chunk in &mut chunks {
                    chunk.truncate(chunk.len() / 2);
                }
            }
            Ok(chunks)
        })
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        let store = self.clone();
        let allowed = locations.map(move |location| match due(&mut store.faults().fail_delete_in) {
            true => Err(fault("the delete failed")),
            false => location,
        });
        self.memory.delete_stream(allowed.boxed())
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.memory.list(prefix)
    }

    fn list_with_delimiter<'s, 'p, 'f>(&'s self, prefix: Option<&'p Path>) -> BoxFuture<'f, Result<ListResult>>
    where
        's: 'f,
        'p: 'f,
    {
        self.memory.list_with_delimiter(prefix)
    }

    fn copy_opts<'s, 'a, 'b, 'f>(
        &'s self,
        from: &'a Path,
        to: &'b Path,
        options: CopyOptions,
    ) -> BoxFuture<'f, Result<()>>
    where
        's: 'f,
        'a: 'f,
        'b: 'f,
    {
        self.memory.copy_opts(from, to, options)
    }
}

#[derive(Debug)]
struct FaultyUpload {
    store: FaultyStore,
    upload: Box<dyn MultipartUpload>,
}

impl MultipartUpload for FaultyUpload {
    fn put_part(&mut self, data: PutPayload) -> UploadPart {
        match self.store.write_fate() {
            Ok(fate) => {
                let part = self.upload.put_part(data);
                async move { fate.answer(part.await?) }.boxed()
            }
            Err(error) => std::future::ready(Err(error)).boxed(),
        }
    }

    fn complete<'s, 'f>(&'s mut self) -> BoxFuture<'f, Result<PutResult>>
    where
        's: 'f,
    {
        Box::pin(async move {
            let fate = self.store.write_fate()?;
            fate.answer(self.upload.complete().await?)
        })
    }

    fn abort<'s, 'f>(&'s mut self) -> BoxFuture<'f, Result<()>>
    where
        's: 'f,
    {
        self.upload.abort()
    }
}

#[cfg(test)]
mod tests;
