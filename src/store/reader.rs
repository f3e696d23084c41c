//! Reading ranges of a blob, in pieces whose length the caller chooses.

use std::fs::File;
use std::future::ready;
use std::io::ErrorKind;
use std::ops::Range;
use std::os::unix::fs::FileExt as _;
use std::path::PathBuf;
use std::sync::Arc;

use bytes::{Buf as _, Bytes};
use futures_util::stream::{self, BoxStream};
use futures_util::{StreamExt as _, TryStreamExt as _};
use object_store::path::Path;
use object_store::{GetOptions, ObjectStore};
use tokio::task::JoinHandle;

use super::buffer::{BLOB_CHUNK_BYTES, Buffer, Pool};
use super::{StoreError, Transfer};

/// Reads of an object store in memory that are under way for one reader.
const READS_AT_ONCE: usize = 2;

/// The chunks of a range.
pub type BlobReader = BoxStream<'static, Result<Bytes, StoreError>>;

/// The pieces of a range: each exactly as long as asked for, but the last.
pub type PieceReader = BoxStream<'static, Result<Buffer, StoreError>>;

/// How a range is cut: the length of the first piece, and of the others. None is longer than [`BLOB_CHUNK_BYTES`].
#[derive(Debug, Clone, Copy)]
pub struct PieceLens {
    /// Bytes of the first piece.
    pub first: usize,
    /// Bytes of the others.
    pub rest: usize,
}

/// What is left of a range, as pieces.
#[derive(Debug, Clone)]
pub(super) struct Pieces {
    left: Range<u64>,
    next_len: usize,
    rest: usize,
}

impl Pieces {
    pub(super) fn new(range: Range<u64>, lens: PieceLens) -> Self {
        assert!(lens.first.min(lens.rest) > 0 && lens.first.max(lens.rest) <= BLOB_CHUNK_BYTES, "{lens:?}");
        Self { left: range, next_len: lens.first, rest: lens.rest }
    }
}

impl Iterator for Pieces {
    type Item = Range<u64>;

    fn next(&mut self) -> Option<Range<u64>> {
        if self.left.is_empty() {
            return None;
        }
        let start = self.left.start;
        self.left.start = self.left.end.min(start.saturating_add(self.next_len as u64));
        self.next_len = self.rest;
        Some(start..self.left.start)
    }
}

/// From a file, each piece by one call to the threads for blocking work, the next one while this one is worked on.
pub(super) fn read_file(path: PathBuf, pieces: Pieces, pool: Pool) -> PieceReader {
    let reader = FileReader { path, file: None, pieces, pool, ahead: None };
    stream::unfold(Some(reader), |reader| async {
        let mut reader = reader?;
        match reader.next().await? {
            Ok(buffer) => Some((Ok(buffer), Some(reader))),
            Err(error) => Some((Err(error), None)),
        }
    })
    .boxed()
}

type FileRead = JoinHandle<Result<(Arc<File>, Buffer), StoreError>>;

struct FileReader {
    path: PathBuf,
    /// Open from the first read on.
    file: Option<Arc<File>>,
    pieces: Pieces,
    pool: Pool,
    ahead: Option<FileRead>,
}

impl FileReader {
    async fn next(&mut self) -> Option<Result<Buffer, StoreError>> {
        let read = match self.ahead.take() {
            Some(read) => read,
            None => self.start()?,
        };
        let read = read.await.map_err(|error| StoreError::Failed(error.to_string()));
        Some(read.flatten().map(|(file, buffer)| {
            self.file = Some(file);
            self.ahead = self.start();
            buffer
        }))
    }

    fn start(&mut self) -> Option<FileRead> {
        let piece = self.pieces.next()?;
        let (path, file, pool) = (self.path.clone(), self.file.clone(), self.pool.clone());
        Some(tokio::task::spawn_blocking(move || {
            let file = match file {
                Some(file) => file,
                None => Arc::new(File::open(&path).map_err(|error| match error.kind() {
                    ErrorKind::NotFound => StoreError::NotFound,
                    _ => error.into(),
                })?),
            };
            let mut buffer = pool.of_len(len_of(&piece));
            match file.read_exact_at(&mut buffer, piece.start) {
                Ok(()) => Ok((file, buffer)),
                Err(error) if error.kind() == ErrorKind::UnexpectedEof => {
                    Err(cut_short(&path.display().to_string(), file.metadata()?.len()))
                }
                Err(error) => Err(error.into()),
            }
        }))
    }
}

/// From another store.
pub(super) fn read_store(
    store: Arc<dyn ObjectStore>,
    path: Path,
    transfer: Transfer,
    pieces: Pieces,
    pool: Pool,
) -> PieceReader {
    let chunks = match transfer {
        Transfer::Chunks => read_chunks(store, path, pieces.clone()),
        Transfer::Requests => read_request(store, path, pieces.left.clone()),
    };
    let cut = (pieces, chunks, Bytes::new(), pool);
    stream::try_unfold(cut, |(mut pieces, mut chunks, mut chunk, pool)| async move {
        let Some(piece) = pieces.next() else { return Ok(None) };
        let wanted = len_of(&piece);
        let mut buffer = pool.empty();
        while buffer.len() < wanted {
            if chunk.is_empty() {
                // The stream is as long as the range, or ends with an error.
                chunk = chunks.try_next().await?.unwrap_or_default();
                continue;
            }
            let now = chunk.len().min(wanted - buffer.len());
            buffer.extend_from_slice(&chunk[..now]);
            chunk.advance(now);
        }
        Ok(Some((buffer, (pieces, chunks, chunk, pool))))
    })
    .boxed()
}

/// By a call for each piece: where a call is cheap.
fn read_chunks(store: Arc<dyn ObjectStore>, path: Path, pieces: Pieces) -> BlobReader {
    let chunks = pieces.map(move |chunk| {
        let (store, path) = (Arc::clone(&store), path.clone());
        async move {
            let bytes = store.get_ranges(&path, std::slice::from_ref(&chunk)).await?.pop().unwrap_or_default();
            if bytes.len() as u64 != chunk.end - chunk.start {
                return Err(cut_short(path.as_ref(), chunk.start + bytes.len() as u64));
            }
            Ok(bytes)
        }
    });
    let chunks = stream::iter(chunks).buffered(READS_AT_ONCE);
    chunks
        .scan(false, |failed, chunk| {
            let item = (!*failed).then_some(chunk);
            *failed = matches!(item, Some(Err(_)));
            ready(item)
        })
        .boxed()
}

/// By one request, whose body waits in the connection until it is wanted.
fn read_request(store: Arc<dyn ObjectStore>, path: Path, range: Range<u64>) -> BlobReader {
    let opened = async move {
        let options = GetOptions::new().with_range(Some(range.clone()));
        let result = store.get_opts(&path, options).await?;
        if result.range != range {
            return Err(cut_short(path.as_ref(), result.range.end));
        }
        Ok(stream::try_unfold((result.into_stream(), range.start), move |(mut chunks, at)| {
            let (path, end) = (path.clone(), range.end);
            async move {
                match chunks.try_next().await? {
                    Some(chunk) if chunk.len() as u64 <= end - at => {
                        let next = at + chunk.len() as u64;
                        Ok(Some((chunk, (chunks, next))))
                    }
                    Some(_) => Err(StoreError::Failed(format!("{path}: more bytes came than were asked for"))),
                    None if at == end => Ok(None),
                    None => Err(cut_short(path.as_ref(), at)),
                }
            }
        }))
    };
    stream::once(opened).try_flatten().boxed()
}

fn cut_short(path: &str, at: u64) -> StoreError {
    StoreError::Failed(format!("{path}: the bytes end at {at}, more were asked for"))
}

fn len_of(piece: &Range<u64>) -> usize {
    usize::try_from(piece.end - piece.start).expect("a piece fits into a buffer")
}

#[cfg(test)]
mod tests {
    use super::{PieceLens, Pieces};

    #[test]
    fn pieces_cover_the_range_and_nothing_else() {
        for (range, first, rest, cuts) in [
            (0..0, 5, 5, vec![]),
            (7..8, 5, 3, vec![]),
            (7..12, 5, 3, vec![]),
            (7..13, 5, 3, vec![12]),
            (7..18, 5, 3, vec![12, 15]),
            (u64::MAX - 4..u64::MAX, 3, 3, vec![u64::MAX - 1]),
        ] {
            let edges: Vec<u64> = [vec![range.start], cuts, vec![range.end]].concat();
            let expected: Vec<_> = edges.windows(2).map(|edge| edge[0]..edge[1]).filter(|r| !r.is_empty()).collect();
            let pieces: Vec<_> = Pieces::new(range.clone(), PieceLens { first, rest }).collect();
            assert_eq!(pieces, expected, "{range:?}");
        }
    }
}
