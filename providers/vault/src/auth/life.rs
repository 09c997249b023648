//! How long a token lives, and what to do about it when: pure, with time and chance as arguments.

use secretfig_source::Tick;
use std::time::Duration;

/// Renewing fails no more often than that.
const PAUSE: Duration = Duration::from_secs(10);

/// Nothing is done about a token before it is so old: one that lives for less is asked for when it is needed, and not
/// over and over while nobody needs it.
const FLOOR: Duration = Duration::from_secs(3);

/// What a server grants a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Grant {
    /// How long it lives from now on. None: it has no end, as a root token.
    pub(crate) ttl: Option<Duration>,
    /// Whether it can be renewed.
    pub(crate) renewable: bool,
    /// How long it lives from now on at the most, however often it is renewed. None: not known.
    pub(crate) max: Option<Duration>,
}

/// What is to be done about a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Care {
    /// Nothing.
    Good,
    /// To renew it, while it is used on.
    Renew,
    /// To sign in anew, while it is used on.
    Replace,
    /// To sign in anew: its time is over.
    Over,
}

/// The times of one token.
#[derive(Clone, Debug)]
pub(crate) struct Life {
    until: Tick,
    max: Tick,
    /// What the first grant was, which says how long a renewal gives where nothing bounds it.
    first: Duration,
    /// When something is to be done.
    look: Tick,
    care: Care,
}

impl Life {
    /// Of a token that was granted now. `chance` spreads the times of a fleet: any number.
    pub(crate) fn new(grant: Grant, now: Tick, chance: u64) -> Self {
        let max = grant.max.map_or(Tick::FAR, |max| now.after(max));
        let Some(ttl) = grant.ttl else {
            return Self { until: Tick::FAR, max, first: Duration::MAX, look: Tick::FAR, care: Care::Good };
        };
        let care = if grant.renewable { Care::Renew } else { Care::Replace };
        let look = now.after(early(ttl, chance).max(FLOOR).min(ttl));
        Self { until: now.after(ttl), max, first: ttl, look, care }
    }

    /// What is to be done now.
    pub(crate) fn care(&self, now: Tick) -> Care {
        if now >= self.until {
            Care::Over
        } else if now >= self.look {
            self.care
        } else {
            Care::Good
        }
    }

    /// When something is to be done.
    pub(crate) fn look(&self) -> Tick {
        self.look
    }

    /// How long it lives at the most from now on, its renewals included. None: no end is known.
    pub(crate) fn left(&self, now: Tick) -> Option<Duration> {
        let end = if self.care == Care::Renew { self.max } else { self.until.min(self.max) };
        (end != Tick::FAR).then(|| end.since(now))
    }

    /// It was renewed now.
    pub(crate) fn renewed(&mut self, grant: Grant, now: Tick, chance: u64) {
        let (first, max) = (self.first, self.max);
        *self = Self::new(grant, now, chance);
        if let Some(ttl) = grant.ttl {
            // less than was granted at first: its last end nears, and renewing on would be a loop
            if ttl < first.saturating_sub(first / 10) {
                self.care = Care::Replace;
            }
        }
        self.first = first;
        self.max = max;
    }

    /// Nothing came of it: not before a pause again. The token is used on until its end.
    pub(crate) fn failed(&mut self, now: Tick, chance: u64) {
        let left = self.until.since(now);
        self.look = now.after(early(left, chance).clamp(PAUSE.min(left), left.max(PAUSE)));
    }

    /// Another one is used from now on: it is not renewed any more.
    pub(crate) fn superseded(&mut self) {
        self.care = Care::Replace;
        self.look = self.until;
    }

    /// Nothing can be done about its end: it is used until then.
    pub(crate) fn resigned(&mut self) {
        self.look = self.until;
    }
}

/// Two thirds of a life, and up to a tenth of it less.
fn early(life: Duration, chance: u64) -> Duration {
    let thousandth = (life.as_nanos() / 1_000).min(u128::from(u64::MAX));
    let part = 567 + chance % 100;
    Duration::from_nanos(u64::try_from(thousandth).unwrap_or(u64::MAX).saturating_mul(part))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3_600);

    fn grant(ttl: Duration, renewable: bool) -> Grant {
        Grant { ttl: Some(ttl), renewable, max: None }
    }

    fn at(seconds: u64) -> Tick {
        Tick::from_start(Duration::from_secs(seconds))
    }

    #[test]
    fn a_renewable_one_is_renewed_at_two_thirds_at_the_latest() {
        for chance in [0, 1, 57, 99, u64::MAX] {
            let life = Life::new(grant(HOUR, true), at(0), chance);
            assert_eq!(life.care(at(2_000)), Care::Good);
            assert_eq!(life.care(at(2_401)), Care::Renew, "{chance}");
            assert_eq!(life.care(at(3_600)), Care::Over);
            assert_eq!(life.left(at(10)), None);
        }
    }

    #[test]
    fn one_whose_renewals_stop_growing_is_replaced_and_not_renewed_on() {
        let mut life = Life::new(grant(HOUR, true), at(0), 0);
        life.renewed(grant(HOUR, true), at(2_400), 0);
        assert_eq!(life.care(at(4_800)), Care::Renew);
        life.renewed(grant(HOUR / 2, true), at(4_800), 0);
        assert_eq!(life.care(at(6_100)), Care::Replace);
        assert_eq!(life.left(at(4_800)), Some(HOUR / 2));
    }

    #[test]
    fn a_batch_token_is_replaced_and_a_root_token_left_alone() {
        let batch = Life::new(grant(HOUR, false), at(0), 5);
        assert_eq!((batch.care(at(2_401)), batch.left(at(0))), (Care::Replace, Some(HOUR)));
        let root = Life::new(Grant { ttl: None, renewable: false, max: None }, at(0), 5);
        assert_eq!((root.care(Tick::FAR.min(at(u64::MAX / 2))), root.left(at(0))), (Care::Good, None));
    }

    #[test]
    fn failures_pause_and_hostile_times_neither_panic_nor_spin() {
        for ttl in [0, 1, 5, 60, u64::MAX] {
            let ttl = crate::auth::bounded(ttl);
            let mut life = Life::new(grant(ttl, true), at(100), u64::MAX);
            let mut now = life.look();
            let mut tries = 0;
            while life.care(now) == Care::Renew && tries < 1_000 {
                tries += 1;
                life.failed(now, u64::MAX);
                now = life.look();
            }
            assert!(tries <= 50, "{ttl:?}: {tries}");
            life.renewed(grant(Duration::MAX, true), now, 3);
            life.resigned();
        }
    }

    #[test]
    fn a_token_of_seconds_is_left_to_its_end() {
        for (ttl, look) in [(1, 1), (2, 2), (3, 3), (4, 3)] {
            for renewable in [false, true] {
                let life = Life::new(grant(Duration::from_secs(ttl), renewable), at(0), u64::MAX);
                assert_eq!((life.look(), life.care(at(ttl))), (at(look), Care::Over), "{ttl}");
            }
        }
    }

    #[test]
    fn a_known_last_end_is_told() {
        let bounded = Grant { max: Some(2 * HOUR), ..grant(HOUR, true) };
        let mut life = Life::new(bounded, at(0), 0);
        assert_eq!(life.left(at(600)), Some(2 * HOUR - Duration::from_secs(600)));
        life.renewed(grant(HOUR, true), at(2_400), 0);
        assert_eq!(life.left(at(3_600)), Some(HOUR));
    }
}
