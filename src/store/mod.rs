//! Sealed blobs over `object_store`: a filesystem or an upstream object store. Blobs are immutable, under random ids.

mod blobs;
mod open;

pub use blobs::{BLOB_CHUNK_BYTES, BlobId, BlobReader, BlobWriter, Blobs, StoreError};
pub use open::open_store;
