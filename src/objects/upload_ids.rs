//! Ids of multipart uploads, in the order in which the uploads began.
//!
//! `ListMultipartUploads` lists the uploads of one key "in ascending order of their initiation time" and goes on after
//! an upload id, so that order must be the order of the ids. A clock in milliseconds does not give it: two uploads of
//! one key may begin in the same one.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::types::UploadId;
use crate::sources::Timestamp;

/// Bits below the milliseconds: so many uploads may begin in one before the ids run ahead of the clock.
const SEQUENCE_BITS: u32 = 16;

/// Gives out upload ids: time and sequence in 8 bytes, big-endian, then 8 random bytes that nobody can guess.
#[derive(Debug, Clone, Default)]
pub(super) struct UploadIds(Arc<AtomicU64>);

impl UploadIds {
    /// An id after each one before. A clock that was set back holds the time still until it has caught up.
    pub(super) fn next(&self, now: Timestamp, random: [u8; 16]) -> UploadId {
        let clock = u64::try_from(now.0).unwrap_or(0) << SEQUENCE_BITS;
        let after = |last: u64| clock.max(last.saturating_add(1));
        let swap = |last| Some(after(last));
        let (Ok(last) | Err(last)) = self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, swap);
        let mut id = random;
        id[..8].copy_from_slice(&after(last).to_be_bytes());
        UploadId(id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_rise_within_a_millisecond_and_over_a_clock_set_back() {
        let ids = UploadIds::default();
        let at = |ms, random| ids.next(Timestamp(ms), [random; 16]);
        let all = [at(1_700, 9), at(1_700, 8), at(1_700, 7), at(1_701, 6), at(3, 5), at(-1, 4), at(1_702, 3)];
        assert!(all.is_sorted_by(|a, b| a < b), "{all:?}");
        assert_eq!(all[0].to_string(), "0000000006a400000909090909090909");
        assert_eq!(all[6].to_string(), "0000000006a600000303030303030303");
    }
}
