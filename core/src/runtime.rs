//! Clock, sleep, spawn and random: the one file with two halves.
//!
//! Native, it is tokio's (so that tests run on the paused clock) and the operating system's random. On the edge
//! the host hands in a clock, nothing is spawned and nothing sleeps.

use secretfig_source::{Clock, Tick};
use std::future::Future;
use std::time::{Duration, SystemTime};

/// The machine's clock. Monotonic time is tokio's, so that `tokio::time::pause` holds it.
#[derive(Clone, Copy, Debug)]
pub struct SystemClock {
    #[cfg(not(all(target_family = "wasm", target_os = "unknown")))]
    began: tokio::time::Instant,
}

#[cfg(not(all(target_family = "wasm", target_os = "unknown")))]
mod half {
    use super::*;

    impl Default for SystemClock {
        fn default() -> Self {
            Self { began: tokio::time::Instant::now() }
        }
    }

    impl Clock for SystemClock {
        fn tick(&self) -> Tick {
            Tick::from_start(tokio::time::Instant::now().saturating_duration_since(self.began))
        }

        #[allow(clippy::disallowed_methods, reason = "this is the one place that asks the machine")]
        fn wall(&self) -> SystemTime {
            SystemTime::now()
        }
    }

    /// Whether there are timers, and callers may wait for each other's calls.
    pub(crate) const WAITS: bool = true;

    /// The future's output, or `None` once the time is over.
    pub(crate) async fn within<F: Future>(limit: Duration, future: F) -> Option<F::Output> {
        tokio::time::timeout(limit, future).await.ok()
    }

    /// Runs it on the current runtime, if there is one.
    pub(crate) fn spawn(future: impl Future<Output = ()> + Send + 'static) -> bool {
        let runtime = tokio::runtime::Handle::try_current();
        runtime.map(|runtime| drop(runtime.spawn(future))).is_ok()
    }

    pub(crate) async fn sleep(wait: Duration) {
        tokio::time::sleep(wait).await;
    }

    /// Random bits; zero where the machine has none, which costs jitter and no secrecy.
    pub(crate) fn random() -> u64 {
        let mut bytes = [0; 8];
        match getrandom::fill(&mut bytes) {
            Ok(()) => u64::from_le_bytes(bytes),
            Err(_) => 0,
        }
    }

    /// A random key for this process; none where the machine has no random.
    #[cfg(feature = "figment")]
    pub(crate) fn key() -> Option<zeroize::Zeroizing<[u8; 32]>> {
        let mut key = zeroize::Zeroizing::new([0; 32]);
        getrandom::fill(&mut *key).is_ok().then_some(key)
    }
}

#[cfg(all(target_family = "wasm", target_os = "unknown"))]
mod half {
    use super::*;

    impl Default for SystemClock {
        fn default() -> Self {
            Self {}
        }
    }

    /// Stands still: hand in the host's by `Builder::clock`.
    impl Clock for SystemClock {
        fn tick(&self) -> Tick {
            Tick::default()
        }

        fn wall(&self) -> SystemTime {
            SystemTime::UNIX_EPOCH
        }
    }

    /// No timers, and hosts that end a request which waits for another one's call.
    pub(crate) const WAITS: bool = false;

    /// Nobody sleeps where nobody waits.
    pub(crate) async fn sleep(_: Duration) {}

    /// No timers are assumed: the host's `fetch` has its own deadline.
    pub(crate) async fn within<F: Future>(_: Duration, future: F) -> Option<F::Output> {
        Some(future.await)
    }

    /// Nothing runs in the background there.
    pub(crate) fn spawn(_: impl Future<Output = ()> + Send + 'static) -> bool {
        false
    }

    static RANDOM: std::sync::OnceLock<fn() -> u64> = std::sync::OnceLock::new();

    /// Hands in the host's random, for the whole instance: only jitter comes of it. Without it, everything is looked
    /// at again after half its ttl. The first one stays.
    pub fn host_random(random: fn() -> u64) {
        // a second one is no fault: each load hands in the same
        let _ = RANDOM.set(random);
    }

    pub(crate) fn random() -> u64 {
        RANDOM.get().map_or(0, |random| random())
    }

    #[cfg(feature = "figment")]
    pub(crate) fn key() -> Option<zeroize::Zeroizing<[u8; 32]>> {
        None
    }
}

pub(crate) use half::*;

#[cfg(all(target_family = "wasm", target_os = "unknown"))]
pub use half::host_random;

/// A time drawn uniformly from [ttl/2, ttl].
pub(crate) fn jittered(ttl: Duration, random: u64) -> Duration {
    let half = ttl / 2;
    let share = (random >> 11) as f64 / (1_u64 << 53) as f64;
    half.saturating_add(half.mul_f64(share))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jitter_stays_between_half_and_whole() {
        let ttl = Duration::from_secs(300);
        assert_eq!(jittered(ttl, 0), ttl / 2);
        assert!(jittered(ttl, u64::MAX) <= ttl && jittered(ttl, u64::MAX) > ttl * 99 / 100);
        assert_eq!(jittered(Duration::ZERO, 7), Duration::ZERO);
    }
}
