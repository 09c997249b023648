//! When a lease is renewed, and when another takes its place. No waiting in here: time and random are handed in.
//!
//! One *life* goes from a grant to the end of what was granted. In a life that goes well there is one renewal, at two
//! thirds of it; each renewal begins the next life of the same lease. A lease that cannot be renewed, or whose renewals
//! have begun to grant less than was asked for (the longest life is near), is replaced at two thirds of what is left.

use secretfig_source::{ErrorKind, Lease, Tick};
use std::time::Duration;

/// Renewals tried in one life, once they fail.
const TRIES: u32 = 10;
/// Renewals that grant less, in a row, while what was minted in its place is refused.
const SHORT: u32 = 3;
/// The shortest wait of all: no grant, however short, makes a loop.
const BREATH: Duration = Duration::from_secs(1);
/// The first wait after a failure; each further one is twice as long.
const FIRST: Duration = Duration::from_secs(10);
const MINUTE: Duration = Duration::from_secs(60);
const CAP: Duration = Duration::from_secs(5 * 60);

/// How a lease in force goes on.
#[derive(Clone, Debug)]
pub(crate) struct Life {
    /// What the first grant gave: what renewals ask for.
    asked: Duration,
    /// When the last grant was asked for.
    begun: Tick,
    /// When it ends if nothing more comes.
    pub(crate) ends: Tick,
    pub(crate) renewable: bool,
    /// How often it was renewed.
    pub(crate) renewals: u32,
    /// What went wrong last, until it goes well again.
    pub(crate) trouble: Option<&'static str>,
    renew: Option<Tick>,
    /// When another is to take its place: its end, at the latest.
    mint: Tick,
    /// Failures in a row.
    failed_renewals: u32,
    failed_mints: u32,
    /// Whether another was to take its place and did not come.
    put_off: bool,
    /// Renewals that granted less.
    short: u32,
    /// Ended before its time.
    early: bool,
    /// How many before it, in a row, ended before their time: each makes the next wait longer.
    early_before: u32,
}

/// What is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Renew,
    Mint,
}

impl Step {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Step::Renew => "renew",
            Step::Mint => "mint",
        }
    }
}

/// Why there is no new one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unminted {
    /// The source said so.
    Failed(ErrorKind),
    /// It was made, made no whole configuration, and was given back.
    Refused,
    /// Another secret of its set could not be had.
    Waiting,
    /// Nobody was asked, since a source is left alone until then.
    NotAsked(Tick),
}

impl Life {
    /// Of what was granted on a request that began at that time, in place of `before`.
    pub(crate) fn begun(at: Tick, lease: &Lease, before: Option<&Life>, random: u64) -> Self {
        let span = lease.lives();
        let ends = at.after(span);
        let early_before =
            before.filter(|life| life.early).map_or(0, |life| life.early_before.saturating_add(1));
        let mut life = Self {
            asked: lease.duration,
            begun: at,
            ends,
            renewable: lease.renewable,
            renewals: 0,
            trouble: None,
            renew: None,
            mint: ends,
            failed_renewals: 0,
            failed_mints: 0,
            put_off: false,
            short: 0,
            early: span.is_zero(),
            early_before,
        };
        if life.early {
            // granted for no time at all
            life.mint = at.after(doubling(FIRST, early_before + 1, CAP));
        } else {
            life.plan(at, span, random);
        }
        life
    }

    /// Renewed, on a request that began at that time.
    pub(crate) fn renewed(&mut self, at: Tick, lease: &Lease, random: u64) {
        let span = lease.lives();
        self.begun = at;
        self.ends = at.after(span);
        self.renewable = lease.renewable;
        self.renewals = self.renewals.saturating_add(1);
        self.trouble = None;
        self.failed_renewals = 0;
        self.plan(at, span, random);
    }

    /// From a grant on: renewed as long as that gives as much as was asked for, else replaced.
    fn plan(&mut self, at: Tick, span: Duration, random: u64) {
        let due = at.after(two_thirds(span, random).max(BREATH));
        // a manager that counts in whole seconds may grant a little less without being near the end
        let whole = span.saturating_add(self.asked / 20) >= self.asked;
        if self.renewable && whole && span > 2 * BREATH {
            self.renew = Some(due);
            self.mint = self.ends;
            self.short = 0;
        } else {
            self.renew = None;
            self.mint = due;
            self.short = self.short.saturating_add(1);
        }
    }

    /// A renewal failed. Outages are tried again, until the time for another has come.
    pub(crate) fn not_renewed(&mut self, now: Tick, kind: ErrorKind, random: u64) {
        self.trouble = Some(kind.as_str());
        self.renew = None;
        if matches!(kind, ErrorKind::Absent | ErrorKind::Withdrawn(_) | ErrorKind::Validity(_)) {
            return self.lost(now);
        }
        let left = self.ends.since(now);
        self.mint = self.mint.min(now.after(two_thirds(left, 0).max(BREATH)));
        if !is_passing(kind) {
            return;
        }
        self.failed_renewals = self.failed_renewals.saturating_add(1);
        let wait = jittered(doubling(FIRST, self.failed_renewals, CAP.max(left / 8)), random);
        let asked = match kind {
            ErrorKind::Throttled { retry_after: Some(wait) } => wait,
            _ => Duration::ZERO,
        };
        let next = now.after(wait.max(asked).min(left / 2).max(BREATH));
        self.renew = (self.failed_renewals < TRIES && next < self.ends).then_some(next);
    }

    /// Its source is left alone until then: that is no try.
    pub(crate) fn renewal_not_asked(&mut self, now: Tick, kind: ErrorKind, next: Tick) {
        self.trouble = Some(kind.as_str());
        let left = self.ends.since(now);
        self.mint = self.mint.min(now.after(two_thirds(left, 0).max(BREATH)));
        let next = next.max(now.after(BREATH));
        self.renew = (next < self.ends).then_some(next);
    }

    /// It is gone before its time: another takes its place at once, but never in a loop.
    pub(crate) fn lost(&mut self, now: Tick) {
        self.ends = self.ends.min(now);
        self.renew = None;
        if !std::mem::replace(&mut self.early, true) {
            self.mint = self.replaceable().max(now);
        }
    }

    /// Asks for another at once, where one may be made by now: false if that is too early.
    pub(crate) fn replace(&mut self, now: Tick) -> bool {
        if self.replaceable() > now || self.put_off && self.mint > now {
            return false;
        }
        self.early = true;
        self.mint = now;
        self.renew = None;
        true
    }

    /// From when on it may be replaced before its time: at once, and later and later if that has happened in a row.
    fn replaceable(&self) -> Tick {
        match self.early_before {
            0 => Tick::default(),
            n => self.begun.after(doubling(FIRST, n, CAP)),
        }
    }

    /// Given back: what takes its place is made by the next Keeper.
    pub(crate) fn surrendered(&mut self, now: Tick) {
        self.ends = self.ends.min(now);
        self.renew = None;
        self.mint = now;
    }

    /// No other has taken its place. What may have made one that nobody knows is repeated less often than what has
    /// certainly made none.
    pub(crate) fn not_minted(&mut self, now: Tick, why: Unminted, random: u64) {
        self.put_off = true;
        let mut wait = match why {
            // that was no try
            Unminted::NotAsked(next) => next.since(now),
            why => self.wait_to_mint(why, random),
        };
        if let Unminted::Failed(ErrorKind::Throttled { retry_after: Some(asked) }) = why {
            wait = wait.max(asked.min(CAP));
        }
        self.mint = now.after(wait.max(BREATH));
        self.trouble = Some(match why {
            Unminted::Failed(kind) => kind.as_str(),
            Unminted::Refused => "refused",
            Unminted::Waiting => "another secret of its section could not be had",
            Unminted::NotAsked(_) => "its source is left alone",
        });
        // what is served goes on living as long as it can
        let left = self.ends.since(now);
        if self.renewable && self.renew.is_none() && !self.early && self.short <= SHORT && left > 2 * BREATH {
            let due = now.after(two_thirds(left, random).max(BREATH));
            self.renew = (self.failed_renewals < TRIES).then_some(due);
        }
    }

    /// Counts a try that gave none; how long to wait until the next.
    fn wait_to_mint(&mut self, why: Unminted, random: u64) -> Duration {
        self.failed_mints = self.failed_mints.saturating_add(1);
        let (first, cap) = match why {
            Unminted::Failed(ErrorKind::Timeout | ErrorKind::Malformed | ErrorKind::TooLarge) => {
                (MINUTE, CAP)
            }
            Unminted::Failed(kind) if !is_passing(kind) => (MINUTE, CAP),
            Unminted::Failed(_) => (FIRST, MINUTE),
            Unminted::Waiting | Unminted::NotAsked(_) => (MINUTE, CAP),
            Unminted::Refused => (MINUTE, (self.asked / 3).clamp(CAP, 12 * CAP)),
        };
        jittered(doubling(first, self.failed_mints, cap), random)
    }

    pub(crate) fn due(&self, now: Tick) -> Option<Step> {
        if self.renew.is_some_and(|renew| renew <= now) && now < self.ends {
            return Some(Step::Renew);
        }
        (self.mint <= now).then_some(Step::Mint)
    }

    pub(crate) fn next(&self) -> (Tick, Step) {
        match self.renew.filter(|renew| *renew < self.mint.min(self.ends)) {
            Some(renew) => (renew, Step::Renew),
            None => (self.mint, Step::Mint),
        }
    }
}

/// Kinds after which the same request may succeed by itself.
fn is_passing(kind: ErrorKind) -> bool {
    kind.is_outage() || matches!(kind, ErrorKind::Malformed | ErrorKind::Tls)
}

/// Two thirds of it or up to a tenth of that less, so that many who began together do not go on together.
fn two_thirds(span: Duration, random: u64) -> Duration {
    let two = (span / 3).saturating_mul(2);
    two.saturating_sub((two / 10).mul_f64(share(random)))
}

/// Between half of it and all of it.
fn jittered(wait: Duration, random: u64) -> Duration {
    crate::runtime::jittered(wait, random)
}

/// `first`, twice, four times … as often as it failed, up to the cap.
pub(crate) fn doubling(first: Duration, failed: u32, cap: Duration) -> Duration {
    let times = 1_u32.checked_shl(failed.saturating_sub(1)).unwrap_or(u32::MAX).max(1);
    first.saturating_mul(times).min(cap.max(first))
}

fn share(random: u64) -> f64 {
    (random >> 11) as f64 / (1_u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(n: u64) -> Duration {
        Duration::from_secs(n)
    }

    fn tick(n: u64) -> Tick {
        Tick::from_start(seconds(n))
    }

    fn hour() -> Lease {
        Lease::new("id", seconds(3_600), true)
    }

    #[test]
    fn it_is_renewed_at_two_thirds_or_a_little_before() {
        for (random, at) in [(0, 2_400), (u64::MAX, 2_160)] {
            let mut life = Life::begun(tick(100), &hour(), None, random);
            let (next, step) = life.next();
            assert_eq!(step, Step::Renew);
            assert!(next.since(tick(100 + at)) <= seconds(1), "{next:?}");
            assert_eq!((life.due(tick(100 + at - 1)), life.due(tick(2_500))), (None, Some(Step::Renew)));
            life.renewed(next, &hour(), random);
            assert_eq!((life.renewals, life.ends), (1, next.after(seconds(3_600))));
        }
    }

    #[test]
    fn what_cannot_be_renewed_or_grows_no_more_is_replaced_at_two_thirds_of_what_is_left() {
        let fixed = Life::begun(tick(0), &Lease::new("id", seconds(3_600), false), None, 0);
        assert_eq!(fixed.next(), (tick(2_400), Step::Mint));
        let mut near = Life::begun(tick(0), &hour(), None, 0);
        near.renewed(tick(2_400), &Lease::new("id", seconds(900), true), 0);
        assert_eq!((near.next(), near.ends), ((tick(3_000), Step::Mint), tick(3_300)));
        // a second that the manager rounds off is no sign of the end
        let mut whole = Life::begun(tick(0), &hour(), None, 0);
        whole.renewed(tick(2_400), &Lease::new("id", seconds(3_599), true), 0);
        assert_eq!(whole.next().1, Step::Renew);
        // under a login that ends earlier, no renewal helps
        let login = Life::begun(tick(0), &hour().login(seconds(600)), None, 0);
        assert_eq!((login.next(), login.ends), ((tick(400), Step::Mint), tick(600)));
    }

    /// Plays a life to the end of time or of patience; what was tried, by kind.
    fn play(life: &mut Life, kind: ErrorKind, until: Tick) -> (u32, u32) {
        let (mut renewals, mut mints) = (0, 0);
        loop {
            let (next, step) = life.next();
            if next > until {
                return (renewals, mints);
            }
            match step {
                Step::Renew => {
                    renewals += 1;
                    life.not_renewed(next, kind, 7);
                }
                Step::Mint => {
                    mints += 1;
                    life.not_minted(next, Unminted::Failed(kind), 7);
                }
            }
            assert!(renewals + mints < 10_000, "a loop");
        }
    }

    #[test]
    fn an_outage_is_tried_again_at_most_ten_times_and_then_another_is_wanted() {
        for length in [5, 30, 600, 3_600, 86_400, 30 * 86_400] {
            let mut life = Life::begun(tick(0), &Lease::new("id", seconds(length), true), None, 0);
            let mint_by = tick(length).since(tick(length / 10));
            let mut renewals = 0;
            while life.next().1 == Step::Renew {
                let (at, _) = life.next();
                life.not_renewed(at, ErrorKind::Transport, 7);
                renewals += 1;
            }
            assert!((1..=10).contains(&renewals), "{length}: {renewals}");
            let (mint, _) = life.next();
            assert!(mint < life.ends && mint.from_epoch() <= mint_by, "{length}: {mint:?}");
        }
    }

    #[test]
    fn a_failing_manager_is_asked_calmly_for_ever() {
        let mut life = Life::begun(tick(0), &hour(), None, 0);
        let (renewals, mints) = play(&mut life, ErrorKind::Transport, tick(4 * 3_600));
        // three hours after two thirds, once a minute at most
        assert!(renewals <= 10 && (100..400).contains(&mints), "{renewals} {mints}");
        let mut life = Life::begun(tick(0), &hour(), None, 0);
        let (_, unsure) = play(&mut life, ErrorKind::Timeout, tick(4 * 3_600));
        assert!(unsure < 80, "what may have made one is asked less often: {unsure}");
    }

    #[test]
    fn what_is_gone_is_replaced_at_once_and_in_no_loop() {
        let mut life = Life::begun(tick(0), &hour(), None, 0);
        life.not_renewed(tick(2_400), ErrorKind::Absent, 0);
        assert_eq!((life.due(tick(2_400)), life.ends), (Some(Step::Mint), tick(2_400)));
        let mut at = tick(2_400);
        let mut waits = Vec::new();
        for _ in 0..8 {
            life = Life::begun(at, &hour(), Some(&life), 0);
            life.lost(at);
            life.lost(at.after(seconds(1)));
            waits.push(life.next().0.since(at).as_secs());
            at = life.next().0;
        }
        assert_eq!(waits, [10, 20, 40, 80, 160, 300, 300, 300]);
        // one that lives to its end is the end of that
        let well = Life::begun(at, &hour(), Some(&life), 0);
        let mut next = Life::begun(at, &hour(), Some(&well), 0);
        next.lost(at);
        assert_eq!(next.due(at), Some(Step::Mint));
    }

    #[test]
    fn a_report_replaces_at_once_and_then_later_and_later() {
        let mut life = Life::begun(tick(0), &hour(), None, 0);
        assert!(life.replace(tick(1)) && life.due(tick(1)) == Some(Step::Mint));
        let mut next = Life::begun(tick(1), &hour(), Some(&life), 0);
        assert!(!next.replace(tick(10)) && next.replace(tick(11)));
        let mut third = Life::begun(tick(11), &hour(), Some(&next), 0);
        assert!(!third.replace(tick(30)) && third.replace(tick(31)));
    }

    #[test]
    fn hostile_lengths_neither_panic_nor_loop() {
        for length in [Duration::ZERO, seconds(1), seconds(5), seconds(u64::MAX), Duration::MAX] {
            for (at, renewable) in [(tick(0), true), (tick(0), false), (Tick::FAR, true)] {
                let lease = Lease::new("id", length, renewable).login(Duration::MAX);
                let mut life = Life::begun(at, &lease, None, u64::MAX);
                assert!(life.next().0.since(at) >= BREATH || at == Tick::FAR, "{length:?}");
                for kind in [ErrorKind::Transport, ErrorKind::Throttled { retry_after: Some(Duration::MAX) }]
                {
                    life.not_renewed(at, kind, u64::MAX);
                    life.not_minted(at, Unminted::Failed(kind), u64::MAX);
                    life.not_minted(at, Unminted::Refused, u64::MAX);
                }
                life.renewed(at, &lease, u64::MAX);
                assert!(life.next().0.since(at) >= BREATH || at == Tick::FAR, "{length:?}");
            }
        }
        // nothing granted, again and again: later and later
        let (nothing, mut at) = (Lease::new("id", Duration::ZERO, true), tick(0));
        let mut life = Life::begun(at, &nothing, None, 0);
        for wait in [10, 20, 40, 80] {
            assert_eq!(life.next(), (at.after(seconds(wait)), Step::Mint));
            at = life.next().0;
            life = Life::begun(at, &nothing, Some(&life), 0);
        }
    }

    #[test]
    fn in_a_life_that_goes_well_there_are_at_most_three_renewals() {
        for length in [1, 2, 3, 5, 60, 3_600, 86_400 * 365] {
            let lease = Lease::new("id", seconds(length), true);
            let mut life = Life::begun(tick(0), &lease, None, u64::MAX);
            let mut renewals = 0;
            while life.next().0 < tick(length) && life.next().1 == Step::Renew {
                let (at, _) = life.next();
                life.renewed(at, &lease, u64::MAX);
                renewals += 1;
            }
            assert!(renewals <= 3, "{length}: {renewals}");
        }
    }

    #[test]
    fn what_is_served_goes_on_while_its_successor_is_refused() {
        let mut life = Life::begun(tick(0), &hour(), None, 0);
        life.renewed(tick(2_400), &Lease::new("id", seconds(1_800), true), 0);
        assert_eq!(life.next(), (tick(3_600), Step::Mint));
        life.not_minted(tick(3_600), Unminted::Refused, 0);
        let mut renewals = 0;
        for _ in 0..100 {
            let (at, step) = life.next();
            if at >= life.ends {
                break;
            }
            match step {
                Step::Renew => {
                    renewals += 1;
                    life.renewed(at, &Lease::new("id", tick(4_200).since(at), true), 0);
                }
                Step::Mint => life.not_minted(at, Unminted::Refused, 0),
            }
        }
        assert!((1..=3).contains(&renewals), "{renewals}");
    }

    #[test]
    fn what_nobody_was_asked_for_is_tried_when_someone_may_be() {
        let mut life = Life::begun(tick(0), &hour(), None, 0);
        for n in 0..100 {
            let now = tick(2_400 + n);
            life.renewal_not_asked(now, ErrorKind::Timeout, tick(2_600));
            assert_eq!((life.next(), life.failed_renewals), ((tick(2_600), Step::Renew), 0));
        }
        let mut life = Life::begun(tick(0), &Lease::new("id", seconds(3_600), false), None, 0);
        for n in 0..100 {
            let now = tick(2_400 + 60 * n);
            life.not_minted(now, Unminted::NotAsked(tick(2_445 + 60 * n)), u64::MAX);
            assert_eq!((life.next(), life.failed_mints), ((tick(2_445 + 60 * n), Step::Mint), 0));
        }
        // a moment that is over makes no loop
        life.not_minted(tick(9_000), Unminted::NotAsked(tick(0)), 0);
        assert_eq!(life.next().0, tick(9_001));
    }

    /// Whatever comes of it, in whatever order: steps are a second apart at least, and no life has more than its tries.
    #[test]
    fn no_order_of_events_makes_a_loop() {
        let mut random = 0x9e37_79b9_7f4a_7c15_u64;
        let mut draw = |below: u64| {
            // xorshift: the same in every run
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            random % below
        };
        let kinds = [
            ErrorKind::Transport,
            ErrorKind::Timeout,
            ErrorKind::Denied,
            ErrorKind::Absent,
            ErrorKind::Misconfigured,
            ErrorKind::Throttled { retry_after: Some(Duration::MAX) },
            ErrorKind::Throttled { retry_after: Some(Duration::ZERO) },
        ];
        for _ in 0..2_000 {
            let length = [0, 1, 2, 5, 60, 3_600, 86_400][draw(7) as usize];
            let lease = |draw: &mut dyn FnMut(u64) -> u64| {
                let lease = Lease::new("id", seconds(length / (1 + draw(3))), draw(4) > 0);
                if draw(4) == 0 { lease.login(seconds(draw(length + 1))) } else { lease }
            };
            let mut life = Life::begun(tick(0), &lease(&mut draw), None, draw(u64::MAX));
            let (mut now, mut tries, mut at_this_moment) = (tick(0), 0, 0);
            for _ in 0..200 {
                let (next, step) = life.next();
                at_this_moment = if next > now { 0 } else { at_this_moment + 1 };
                assert!(at_this_moment <= 2, "a loop: {life:?}");
                now = now.max(next);
                assert!(life.due(now).is_some(), "{life:?} {now:?}");
                let kind = kinds[draw(7) as usize];
                match life.due(now).unwrap_or(step) {
                    Step::Renew if draw(2) == 0 => {
                        life.renewed(now, &lease(&mut draw), draw(u64::MAX));
                        tries = 0;
                    }
                    Step::Renew if draw(4) == 0 => {
                        life.renewal_not_asked(now, kind, now.after(seconds(draw(60))));
                    }
                    Step::Renew => {
                        tries += 1;
                        assert!(tries <= TRIES, "{life:?}");
                        life.not_renewed(now, kind, draw(u64::MAX));
                    }
                    Step::Mint => match draw(5) {
                        0 => {
                            life = Life::begun(now, &lease(&mut draw), Some(&life), draw(u64::MAX));
                            tries = 0;
                        }
                        1 => life.not_minted(now, Unminted::Refused, draw(u64::MAX)),
                        2 => life.not_minted(now, Unminted::Waiting, draw(u64::MAX)),
                        3 => life.not_minted(now, Unminted::NotAsked(now.after(seconds(draw(60)))), 0),
                        _ => life.not_minted(now, Unminted::Failed(kind), draw(u64::MAX)),
                    },
                }
                match draw(20) {
                    0 => life.lost(now),
                    1 => {
                        life.replace(now);
                    }
                    _ => {}
                }
            }
        }
    }
}
