//! How slow a client may be.

use std::num::NonZeroU64;
use std::time::Duration;

/// The slowest that a client may send a body or take an answer, as an average over a time of waiting for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MinRate {
    /// Bytes a second.
    pub bytes_per_second: NonZeroU64,
    /// How much waiting is averaged over. It is also what every client has to begin with.
    pub window: Duration,
}

/// What one client has left of its leave to be slow.
///
/// Waiting for it uses the leave up, each byte earns back the time that it may take at the slowest. There is never more
/// of it than the window, so that a fast beginning does not pay for an end at one byte a minute. Time in which nobody
/// waits for the client, as while a store is slow, is not counted at all.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pace {
    slowest: Option<MinRate>,
    left: Duration,
}

impl Pace {
    /// A client's leave at its beginning; without a rate it has no end.
    pub(super) fn new(slowest: Option<MinRate>) -> Self {
        Self { slowest, left: slowest.map_or(Duration::MAX, |slowest| slowest.window) }
    }

    /// How long the client may be waited for now.
    pub(super) fn left(&self) -> Duration {
        self.left
    }

    /// After `waiting` for it the client sent or took `bytes`.
    pub(super) fn moved(&mut self, bytes: usize, waiting: Duration) {
        let Some(slowest) = self.slowest else { return };
        let earned_us = (bytes as u64).saturating_mul(1_000_000) / slowest.bytes_per_second;
        let left = self.left.saturating_sub(waiting).saturating_add(Duration::from_micros(earned_us));
        self.left = left.min(slowest.window);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn pace() -> Pace {
        let bytes_per_second = NonZeroU64::new(1024).unwrap();
        Pace::new(Some(MinRate { bytes_per_second, window: 60 * SECOND }))
    }

    /// Seconds of waiting until a client is given up that moves `bytes` every `every` seconds; `None`: not in a day.
    fn given_up_after(bytes: usize, every: u32) -> Option<u32> {
        let mut pace = pace();
        let mut waited = 0;
        while waited < 86_400 {
            if pace.left() < every * SECOND {
                return Some(waited + u32::try_from(pace.left().as_secs()).unwrap());
            }
            pace.moved(bytes, every * SECOND);
            waited += every;
        }
        None
    }

    #[test]
    fn the_rate_is_an_average_over_the_window() {
        for (bytes, every, expected) in [
            (1024, 1, None),
            (59 * 1024, 59, None),
            (60 * 1024, 60, None),
            (512, 1, Some(119)),
            (1, 29, Some(60)),
            (0, 1, Some(60)),
            (61 * 1024, 61, Some(60)),
        ] {
            assert_eq!(given_up_after(bytes, every), expected, "{bytes} bytes every {every} s");
        }
    }

    #[test]
    fn a_fast_beginning_pays_for_no_slow_end() {
        let mut pace = pace();
        pace.moved(usize::MAX, SECOND);
        assert_eq!(pace.left(), 60 * SECOND);
        pace.moved(0, 59 * SECOND);
        assert_eq!(pace.left(), SECOND);
        pace.moved(2048, 10 * SECOND);
        assert_eq!(pace.left(), 2 * SECOND);
    }

    #[test]
    fn without_a_rate_there_is_no_end() {
        let mut pace = Pace::new(None);
        pace.moved(0, 86_400 * SECOND);
        assert_eq!(pace.left(), Duration::MAX);
    }
}
