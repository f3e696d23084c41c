//! Sealed blobs over `object_store`: a filesystem or an upstream object store. Blobs are immutable, under random ids.

mod blobs;
#[cfg(test)]
mod conformance;
mod directory;
mod error;
pub mod faulty;
mod open;
mod writer;

pub use blobs::{BLOB_CHUNK_BYTES, BlobId, BlobReader, Blobs, Transfer};
pub use error::StoreError;
pub use open::open_store;
pub use writer::BlobWriter;
