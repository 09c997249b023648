//! The host's clocks and its random, as it hands them in with each call: nothing here asks the machine.

use secretfig_source::{Clock, Tick};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

/// The clocks of the host. Some hosts let them stand still between two calls outside; none goes back here.
#[derive(Debug, Default)]
pub(crate) struct HostClock {
    tick: AtomicU64,
    wall: AtomicU64,
    random: AtomicU64,
}

impl HostClock {
    /// It is that time now: milliseconds of `performance.now()`.
    pub(crate) fn at(&self, tick: f64) {
        // a float's cast saturates, and NaN is zero
        self.tick.fetch_max((tick * 1000.0) as u64, Ordering::Relaxed);
    }

    /// It is that time now: milliseconds of `performance.now()` and of `Date.now()`; and a number of `Math.random()`.
    pub(crate) fn set(&self, tick: f64, wall: f64, random: f64) {
        self.at(tick);
        self.wall.store(wall as u64, Ordering::Relaxed);
        self.random.store((random * u64::MAX as f64) as u64, Ordering::Relaxed);
    }

    /// For jitter, which is no secret. Another one at each call.
    pub(crate) fn random(&self) -> u64 {
        // Knuth's multiplier for 64 bits
        let next = |n: u64| n.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let now = next(self.random.load(Ordering::Relaxed));
        self.random.store(now, Ordering::Relaxed);
        now
    }
}

impl Clock for HostClock {
    fn tick(&self) -> Tick {
        Tick::from_start(Duration::from_micros(self.tick.load(Ordering::Relaxed)))
    }

    fn wall(&self) -> SystemTime {
        let since = Duration::from_millis(self.wall.load(Ordering::Relaxed));
        SystemTime::UNIX_EPOCH.checked_add(since).unwrap_or(SystemTime::UNIX_EPOCH)
    }
}
