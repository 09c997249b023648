//! The knobs.

use std::time::Duration;

/// How calls to sources are repeated, and when a source is left alone. The defaults are meant to be kept.
///
/// | what | default |
/// | --- | --- |
/// | tries of one call, the first included | 3 |
/// | pauses between them, jittered | 1 s to 60 s |
/// | retries beyond a tenth of the calls, per source | 10 |
/// | a source is left alone after failures, in | 5, in 10 s or in a row |
/// | and then asked again, by a single call, within | 60 s |
///
/// How long one call and a whole round may take is said by
/// [`Builder::attempt_timeout`](crate::Builder::attempt_timeout) and [`Builder::deadline`](crate::Builder::deadline).
///
/// ```
/// use secretfig::{Config, Policy};
/// # #[derive(serde::Deserialize)] struct App {}
/// let impatient = Policy::default().tries(1).breaker_pause(std::time::Duration::from_secs(10));
/// let builder = Config::<App>::builder().policy(impatient);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    pub(crate) tries: u32,
    pub(crate) from: Duration,
    pub(crate) to: Duration,
    pub(crate) budget: u32,
    pub(crate) failures: usize,
    pub(crate) window: Duration,
    pub(crate) pause: Duration,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            tries: 3,
            from: Duration::from_secs(1),
            to: Duration::from_secs(60),
            budget: 10,
            failures: 5,
            window: Duration::from_secs(10),
            pause: Duration::from_secs(60),
        }
    }
}

impl Policy {
    /// How often one call is made at most, the first time included. Default 3; 1 (and 0) repeats nothing.
    #[must_use]
    pub fn tries(mut self, tries: u32) -> Self {
        self.tries = tries.max(1);
        self
    }

    /// The shortest and the longest pause before a call is made again. Each is drawn from the shortest to three times the
    /// last one. Default 1 s and 60 s. The longest is also the longest wait that a manager may ask for.
    #[must_use]
    pub fn back_off(mut self, shortest: Duration, longest: Duration) -> Self {
        (self.from, self.to) = (shortest, longest.max(shortest));
        self
    }

    /// How many retries a source is good for at once. Each call made for the first time adds a tenth of one, up to this.
    /// Default 10.
    #[must_use]
    pub fn retry_budget(mut self, retries: u32) -> Self {
        self.budget = retries;
        self
    }

    /// After how many failures a source is left alone: within that time, or in a row. Default 5, within 10 s. A refusal
    /// (denied, absent, withdrawn, throttled) is an answer and no failure.
    #[must_use]
    pub fn breaker(mut self, failures: usize, within: Duration) -> Self {
        (self.failures, self.window) = (failures.max(1), within);
        self
    }

    /// How long a source that is left alone is not asked, at most: three quarters of it at least. Then a single call tries
    /// it. Default 60 s. Without a breaker, this is how soon a secret that could not be had is looked at again.
    #[must_use]
    pub fn breaker_pause(mut self, pause: Duration) -> Self {
        self.pause = pause;
        self
    }

    /// Goes on asking whatever fails.
    #[must_use]
    pub fn without_breaker(mut self) -> Self {
        self.failures = 0;
        self
    }
}
