//! Sealed blobs over `object_store`: a filesystem or an upstream object store. Blobs are immutable, under random ids.

mod blobs;
mod buffer;
#[cfg(test)]
mod conformance;
mod directory;
mod error;
pub mod faulty;
mod open;
mod reader;
mod room;
mod writer;

pub use blobs::{BlobId, Blobs, MARK, Transfer};
pub use buffer::{BLOB_CHUNK_BYTES, Buffer, CHUNK_SEGMENTS};
pub use error::StoreError;
pub use open::{missing_credentials, open_store};
pub use reader::{BlobReader, PieceLens, PieceReader};
pub use writer::BlobWriter;
