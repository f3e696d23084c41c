//! Where time and randomness come in. Everything else is given a [`Sources`], so that a test can replay a run.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::crypto;

/// A point in time, in milliseconds since 1970-01-01T00:00:00Z.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// Whole seconds since the epoch.
    pub fn seconds(self) -> i64 {
        self.0.div_euclid(1000)
    }

    /// This moment moved by `delta`.
    #[must_use]
    pub fn plus(self, delta: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(delta.as_millis()).unwrap_or(i64::MAX)))
    }

    /// How long after `earlier` this moment is; zero if it is not after.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }
}

/// The clock and the random generator of one [`crate::app::App`].
#[derive(Debug, Clone)]
pub struct Sources(Arc<Inner>);

#[derive(Debug)]
enum Inner {
    /// The machine's.
    System,
    /// A clock that a test moves, and SplitMix64: repeatable, and useless as a secret.
    /// `elapsed_ms` is what the monotonic clock has run: what [`Sources::advance`] added and [`Sources::jump`] did not.
    Seeded { now_ms: AtomicI64, elapsed_ms: AtomicU64, state: Mutex<u64>, ticks: AtomicU64 },
}

impl Sources {
    /// The machine's clock and the system's random generator.
    pub fn system() -> Self {
        Self(Arc::new(Inner::System))
    }

    /// A repeatable source for tests and the simulation. Never for a real store: its output can be predicted.
    pub fn seeded(seed: u64, start: Timestamp) -> Self {
        let (now_ms, state, ticks) = (AtomicI64::new(start.0), Mutex::new(seed), AtomicU64::new(0));
        Self(Arc::new(Inner::Seeded { now_ms, elapsed_ms: AtomicU64::new(0), state, ticks }))
    }

    /// The wall clock.
    #[expect(clippy::disallowed_methods, reason = "the one reader of the wall clock")]
    pub fn now(&self) -> Timestamp {
        match &*self.0 {
            Inner::System => {
                let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
                Timestamp(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
            }
            Inner::Seeded { now_ms, .. } => Timestamp(now_ms.load(Ordering::SeqCst)),
        }
    }

    /// A clock that never goes back nor jumps, for measuring: nanoseconds since an arbitrary start.
    #[expect(clippy::disallowed_methods, reason = "the one reader of the monotonic clock")]
    pub fn monotonic_ns(&self) -> u64 {
        static START: std::sync::OnceLock<std::time::Instant> = std::sync::OnceLock::new();
        match &*self.0 {
            Inner::System => {
                let elapsed = START.get_or_init(std::time::Instant::now).elapsed();
                u64::try_from(elapsed.as_nanos()).unwrap_or(u64::MAX)
            }
            Inner::Seeded { elapsed_ms, ticks, .. } => {
                elapsed_ms.load(Ordering::SeqCst) * 1_000_000 + ticks.fetch_add(1, Ordering::SeqCst)
            }
        }
    }

    /// Lets time pass on seeded clocks; the system's are left alone.
    pub fn advance(&self, delta: Duration) {
        if let Inner::Seeded { elapsed_ms, .. } = &*self.0 {
            let delta_ms = u64::try_from(delta.as_millis()).unwrap_or(u64::MAX);
            elapsed_ms.fetch_add(delta_ms, Ordering::SeqCst);
            self.jump(i64::try_from(delta_ms).unwrap_or(i64::MAX));
        }
    }

    /// Sets a seeded wall clock forward or back, as somebody may do with a machine's: no time passes.
    pub fn jump(&self, delta_ms: i64) {
        if let Inner::Seeded { now_ms, .. } = &*self.0 {
            now_ms.fetch_add(delta_ms, Ordering::SeqCst);
        }
    }

    /// Fills `out` with random bytes.
    pub fn fill(&self, out: &mut [u8]) {
        match &*self.0 {
            Inner::System => crypto::fill_random(out),
            Inner::Seeded { state, .. } => {
                let mut state = state.lock().expect("no holder panics");
                for chunk in out.chunks_mut(8) {
                    chunk.copy_from_slice(&splitmix64(&mut state).to_le_bytes()[..chunk.len()]);
                }
            }
        }
    }

    /// `N` random bytes. Not for key material: see [`crypto::SecretKey::generate`].
    pub fn random<const N: usize>(&self) -> [u8; N] {
        let mut out = [0; N];
        self.fill(&mut out);
        out
    }
}

fn splitmix64(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
