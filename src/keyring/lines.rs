//! Lines in which those stand who change the same thing: a key, or the identities of an account.
//!
//! A change is decided from rows and committed on condition that they are still those rows, and tried again if not.
//! Among many callers the slow one would lose every time: so they take turns, and only other gateways and the
//! program's own workers can come in between. Uses stand in no line.

use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hash, Hasher};

use tokio::sync::{Mutex, MutexGuard};

use super::record::KeyPlace;
use super::service::KeyRing;

/// Lines; the changes of one thing (of a key with its grants and the other members of its set) stand in one.
const LINES: usize = 64;

/// The lines of a process.
pub(crate) struct Lines([Mutex<()>; LINES]);

impl Default for Lines {
    fn default() -> Self {
        Self(std::array::from_fn(|_| Mutex::default()))
    }
}

impl Lines {
    /// The turn of a change of the thing with this name. Whoever has one must not ask for another: two things may share a
    /// line.
    pub(crate) async fn turn(&self, name: &str) -> MutexGuard<'_, ()> {
        self.0[Self::line(name)].lock().await
    }

    /// The turn of a change of several things. Lines are stood in in their order, so that two who wait for one another
    /// can't be.
    pub(crate) async fn turns(&self, names: &[&str]) -> Vec<MutexGuard<'_, ()>> {
        let lines: BTreeSet<usize> = names.iter().map(|name| Self::line(name)).collect();
        let mut turns = Vec::with_capacity(lines.len());
        for line in lines {
            turns.push(self.0[line].lock().await);
        }
        turns
    }

    fn line(name: &str) -> usize {
        let mut hasher = DefaultHasher::new();
        name.hash(&mut hasher);
        (hasher.finish() % LINES as u64) as usize
    }
}

impl KeyRing {
    /// The turn of a change of the key at `place`.
    pub(super) async fn turn(&self, place: &KeyPlace) -> MutexGuard<'_, ()> {
        self.lines().turn(&place.key_id).await
    }
}
