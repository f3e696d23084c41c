//! Lines in which those stand who change the same key.
//!
//! A change is decided from rows and committed on condition that they are still those rows, and tried again if not.
//! Among many callers the slow one would lose every time: so they take turns, and only other gateways and the
//! program's own workers can come in between. Uses of a key stand in no line.

use std::hash::{DefaultHasher, Hash, Hasher};

use tokio::sync::{Mutex, MutexGuard};

use super::record::KeyPlace;
use super::service::KeyRing;

/// Lines; the changes of one key, of its grants and of the other members of its set stand in one.
const LINES: usize = 64;

/// The lines of a process.
pub(super) struct Lines([Mutex<()>; LINES]);

impl Default for Lines {
    fn default() -> Self {
        Self(std::array::from_fn(|_| Mutex::default()))
    }
}

impl KeyRing {
    /// The turn of a change of the key at `place`. Whoever has one must not ask for another: two keys may share a line.
    pub(super) async fn turn(&self, place: &KeyPlace) -> MutexGuard<'_, ()> {
        let mut hasher = DefaultHasher::new();
        place.key_id.hash(&mut hasher);
        self.lines().0[(hasher.finish() % LINES as u64) as usize].lock().await
    }
}
