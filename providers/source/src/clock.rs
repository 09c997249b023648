//! Time, handed in.

use std::time::{Duration, SystemTime};

/// A moment on a monotonic clock: how long since that clock began. Only ticks of one clock compare.
///
/// Arithmetic saturates, so that a hostile `lease_duration` cannot panic.
///
/// ```
/// use secretfig_source::Tick;
/// use std::time::Duration;
/// let start = Tick::from_start(Duration::from_secs(5));
/// assert_eq!(start.after(Duration::from_secs(2)).since(start), Duration::from_secs(2));
/// assert_eq!(start.after(Duration::MAX), Tick::FAR);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Tick(Duration);

impl Tick {
    /// Later than every moment that matters.
    pub const FAR: Tick = Tick(Duration::MAX);

    /// The moment this long after the clock began.
    pub const fn from_start(since: Duration) -> Self {
        Self(since)
    }

    /// How long after the clock began.
    pub const fn from_epoch(self) -> Duration {
        self.0
    }

    /// The moment that much later, [`Tick::FAR`] at most.
    #[must_use]
    pub const fn after(self, wait: Duration) -> Self {
        Self(self.0.saturating_add(wait))
    }

    /// How long ago `earlier` was; zero if it lies ahead.
    pub const fn since(self, earlier: Tick) -> Duration {
        self.0.saturating_sub(earlier.0)
    }
}

/// Where time comes from. Nothing outside an implementation of this asks the machine.
pub trait Clock: Send + Sync {
    /// Monotonic time.
    fn tick(&self) -> Tick;
    /// Wall time: for people, and for times that a manager states.
    fn wall(&self) -> SystemTime;
}
