//! The sweeper: deletes what nothing refers to any more.

use super::Objects;

/// What one pass did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Swept {
    /// Blobs deleted.
    pub blobs: u64,
}

impl Objects {
    /// One pass over what is due: old blobs, and blobs whose write never came to its commit.
    pub async fn sweep(&self) -> Swept {
        unimplemented!()
    }
}
