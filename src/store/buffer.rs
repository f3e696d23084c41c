//! Buffers for bodies on their way, used again instead of being allocated and faulted in for each piece.

use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Mutex};

use bytes::Bytes;

use crate::crypto::{HEADER_BYTES, SEGMENT_BYTES, Suite};

/// Whole segments that a buffer holds: few enough that two or three buffers for each of 64 transfers stay below 75 MiB,
/// enough that a hand-over between threads (some 10 microseconds) is small beside the work on them.
pub const CHUNK_SEGMENTS: u32 = 6;

/// How much of a blob is in one buffer on its way, in bytes: a stream's header and [`CHUNK_SEGMENTS`] sealed segments of
/// either suite.
pub const BLOB_CHUNK_BYTES: usize = HEADER_BYTES + CHUNK_SEGMENTS as usize * (SEGMENT_BYTES + Suite::Double.overhead());

/// Buffers that are kept while nobody needs them: 24 MiB, half of what 64 transfers use.
const IDLE_MAX: usize = 64;

/// The buffers that wait for their next use. Cheap to clone.
#[derive(Clone, Default)]
pub(super) struct Pool(Arc<Mutex<Vec<Vec<u8>>>>);

impl Pool {
    /// An empty buffer with room for [`BLOB_CHUNK_BYTES`].
    pub(super) fn empty(&self) -> Buffer {
        let mut buffer = self.take();
        buffer.clear();
        buffer
    }

    /// A buffer of `len` bytes, at most [`BLOB_CHUNK_BYTES`], to be overwritten: what they are is not said.
    pub(super) fn of_len(&self, len: usize) -> Buffer {
        let mut buffer = self.take();
        // Only what lies beyond the former use is zeroed.
        buffer.resize(len, 0);
        buffer
    }

    fn take(&self) -> Buffer {
        let idle = self.0.lock().expect("no holder panics").pop();
        let bytes = idle.unwrap_or_else(|| Vec::with_capacity(BLOB_CHUNK_BYTES));
        Buffer { bytes, pool: Some(self.clone()) }
    }

    fn put_back(&self, bytes: Vec<u8>) {
        let mut idle = self.0.lock().expect("no holder panics");
        if idle.len() < IDLE_MAX && bytes.capacity() == BLOB_CHUNK_BYTES {
            idle.push(bytes);
        }
    }
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pool")
    }
}

/// Bytes that are being filled or worked on. Frozen, they go back to where they came from when the last slice of them is
/// dropped.
pub struct Buffer {
    bytes: Vec<u8>,
    pool: Option<Pool>,
}

impl Buffer {
    /// An empty buffer that is not used again: for what is small and kept.
    pub fn with_capacity(capacity: usize) -> Self {
        Self { bytes: Vec::with_capacity(capacity), pool: None }
    }

    /// The bytes, to be shared from now on.
    pub fn freeze(mut self) -> Bytes {
        match self.pool {
            Some(_) => Bytes::from_owner(self),
            None => Bytes::from(std::mem::take(&mut self.bytes)),
        }
    }
}

impl fmt::Debug for Buffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Buffer of {} bytes", self.bytes.len())
    }
}

impl Deref for Buffer {
    type Target = Vec<u8>;

    fn deref(&self) -> &Vec<u8> {
        &self.bytes
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }
}

impl AsRef<[u8]> for Buffer {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        if let Some(pool) = &self.pool {
            pool.put_back(std::mem::take(&mut self.bytes));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{BLOB_CHUNK_BYTES, Buffer, IDLE_MAX, Pool};

    fn idle(pool: &Pool) -> usize {
        pool.0.lock().unwrap().len()
    }

    #[test]
    fn a_buffer_comes_back_when_its_last_slice_goes() {
        let pool = Pool::default();
        let mut buffer = pool.empty();
        let at = buffer.as_ptr();
        buffer.extend_from_slice(b"some bytes");
        let frozen = buffer.freeze();
        let slice = frozen.slice(5..);
        drop(frozen);
        assert_eq!((&slice[..], idle(&pool)), (&b"bytes"[..], 0));
        drop(slice);
        assert_eq!(idle(&pool), 1);
        let again = pool.empty();
        assert_eq!((again.as_ptr(), again.len(), again.capacity(), idle(&pool)), (at, 0, BLOB_CHUNK_BYTES, 0));
    }

    #[test]
    fn no_more_than_a_bound_is_kept_and_nothing_of_another_size() {
        let pool = Pool::default();
        let taken: Vec<Buffer> = (0..2 * IDLE_MAX).map(|_| pool.of_len(3)).collect();
        drop(taken);
        assert_eq!(idle(&pool), IDLE_MAX);

        let pool = Pool::default();
        pool.empty().resize(BLOB_CHUNK_BYTES + 1, 0);
        drop(Buffer::with_capacity(10).freeze());
        assert_eq!(idle(&pool), 0);
    }

    #[test]
    fn lengths_are_as_asked_for_whatever_was_there_before() {
        let pool = Pool::default();
        for len in [7, BLOB_CHUNK_BYTES, 0, 3, 100] {
            let mut buffer = pool.of_len(len);
            assert_eq!(buffer.len(), len);
            buffer.fill(0xee);
        }
        assert!(pool.empty().is_empty());
    }
}
