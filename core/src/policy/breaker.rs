//! The breaker of one endpoint: stops asking what does not answer. Pure: time and random are arguments.

use super::Policy;
use crate::runtime;
use secretfig_source::{ErrorKind, Tick};
use std::collections::VecDeque;
use std::time::Duration;

/// Opens when calls fail often, or often in a row; then lets a single one through about once a minute, and closes when that
/// one is answered.
///
/// The row is there for endpoints that are asked seldom: without it, an application with one secret and a long ttl would
/// fail at leisure, and never be counted as in an outage.
pub(crate) struct Breaker {
    failures: usize,
    window: Duration,
    pause: Duration,
    /// When the last ones failed, as many as open it.
    failed: VecDeque<Tick>,
    /// How many failed with no answer in between.
    row: usize,
    open: Option<Open>,
    /// How often it has opened or closed: what was sent in an earlier state says nothing about this one.
    turns: u64,
}

/// How an open breaker stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Open {
    /// When it opened.
    pub(crate) since: Tick,
    /// When it lets the next call through.
    pub(crate) next: Tick,
    /// How the last call failed.
    pub(crate) because: ErrorKind,
    /// Whether that one is under way.
    pub(crate) probing: bool,
}

/// Leave to make one call; what came of it is told with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Pass {
    turn: u64,
}

/// What a call tells of its endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It answered, be it a refusal.
    Answered,
    /// It did not.
    Failed(ErrorKind),
    /// Nothing: the call was given up, or never left this process.
    Nothing,
}

impl Breaker {
    pub(crate) fn new(policy: &Policy) -> Self {
        let (failures, window, pause) = (policy.failures, policy.window, policy.pause);
        Self { failures, window, pause, failed: VecDeque::new(), row: 0, open: None, turns: 0 }
    }

    /// Whether a call may go.
    pub(crate) fn ask(&mut self, now: Tick) -> Result<Pass, Open> {
        if let Some(open) = &mut self.open {
            if open.probing || now < open.next {
                return Err(*open);
            }
            open.probing = true;
        }
        Ok(Pass { turn: self.turns })
    }

    /// What came of a call.
    pub(crate) fn tell(&mut self, pass: Pass, verdict: Verdict, now: Tick, random: u64) {
        if pass.turn != self.turns {
            return;
        }
        match (verdict, &mut self.open) {
            (Verdict::Nothing, None) => {}
            // the next one may try
            (Verdict::Nothing, Some(open)) => open.probing = false,
            (Verdict::Answered, None) => self.row = 0,
            (Verdict::Answered, Some(_)) => {
                (self.open, self.row) = (None, 0);
                self.failed.clear();
                self.turns += 1;
            }
            (Verdict::Failed(kind), None) => {
                self.failed.push_back(now);
                while self.failed.len() > self.failures {
                    self.failed.pop_front();
                }
                self.row += 1;
                let often = self.failed.len() == self.failures
                    && self.failed.front().is_some_and(|first| now.since(*first) <= self.window);
                if self.failures > 0 && (often || self.row >= self.failures) {
                    let next = now.after(shortened(self.pause, random));
                    self.open = Some(Open { since: now, next, because: kind, probing: false });
                    self.turns += 1;
                }
            }
            (Verdict::Failed(kind), Some(open)) => {
                let next = now.after(shortened(self.pause, random));
                *open = Open { next, because: kind, probing: false, ..*open };
                self.turns += 1;
            }
        }
    }

    pub(crate) fn open(&self) -> Option<Open> {
        self.open
    }
}

/// A time drawn uniformly from the last quarter of the pause: a fleet that lost its manager at one moment does not come back
/// to it at one moment, and nobody waits longer than was said.
pub(crate) fn shortened(pause: Duration, random: u64) -> Duration {
    (pause / 2).saturating_add(runtime::jittered(pause / 2, random))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn tick(seconds: u64) -> Tick {
        Tick::from_start(Duration::from_secs(seconds))
    }

    const FAILED: Verdict = Verdict::Failed(ErrorKind::Transport);

    fn fail(breaker: &mut Breaker, at: u64) {
        let pass = breaker.ask(tick(at)).unwrap();
        breaker.tell(pass, FAILED, tick(at), u64::MAX);
    }

    #[test]
    fn five_failures_in_ten_seconds_open_it_also_among_answers() {
        let mut breaker = Breaker::new(&Policy::default());
        for at in [0, 3, 6, 9] {
            fail(&mut breaker, at);
            let pass = breaker.ask(tick(at)).unwrap();
            breaker.tell(pass, Verdict::Answered, tick(at), 0);
        }
        // the first is out of the window by now
        fail(&mut breaker, 11);
        assert_eq!(breaker.open(), None);
        let pass = breaker.ask(tick(11)).unwrap();
        breaker.tell(pass, Verdict::Answered, tick(11), 0);
        fail(&mut breaker, 12);
        let open = breaker.ask(tick(13)).unwrap_err();
        assert_eq!((open.since, open.because), (tick(12), ErrorKind::Transport));
        assert!(open.next > tick(71) && open.next <= tick(72), "{open:?}");
    }

    #[test]
    fn five_in_a_row_open_it_however_slowly() {
        let mut breaker = Breaker::new(&Policy::default());
        for at in [0, 1000, 2000, 3000] {
            fail(&mut breaker, at);
        }
        assert_eq!(breaker.open(), None);
        fail(&mut breaker, 4000);
        assert!(breaker.open().is_some());
    }

    #[test]
    fn one_call_tries_and_its_answer_closes_it_for_all() {
        let mut breaker = Breaker::new(&Policy::default());
        let late = breaker.ask(tick(0)).unwrap();
        (0..5).for_each(|_| fail(&mut breaker, 0));
        breaker.tell(late, Verdict::Answered, tick(1), 0);
        assert!(breaker.open().is_some(), "what was sent before it opened says nothing of it");
        let probe = breaker.ask(tick(60)).unwrap();
        assert!((0..64).all(|_| breaker.ask(tick(60)).is_err_and(|open| open.probing)));
        breaker.tell(probe, FAILED, tick(60), u64::MAX);
        assert!(breaker.ask(tick(100)).is_err_and(|open| !open.probing && open.since == tick(0)));
        let given_up = breaker.ask(tick(120)).unwrap();
        breaker.tell(given_up, Verdict::Nothing, tick(121), 0);
        let probe = breaker.ask(tick(121)).unwrap();
        breaker.tell(probe, Verdict::Answered, tick(121), 0);
        assert!((0..64).all(|_| breaker.ask(tick(121)).is_ok()));
    }

    #[test]
    fn one_that_takes_no_failures_never_opens() {
        let mut breaker = Breaker::new(&Policy::default().without_breaker());
        (0..100).for_each(|_| fail(&mut breaker, 0));
        assert_eq!(breaker.open(), None);
    }

    proptest! {
        /// Against a model that keeps everything: calls that start and end at once, in any order of times and verdicts.
        #[test]
        fn it_opens_exactly_when_the_model_does(
            calls in proptest::collection::vec((0_u64..20, 0_u8..4, any::<u64>()), 0..200),
        ) {
            let policy = Policy::default();
            let mut breaker = Breaker::new(&policy);
            let (mut now, mut failed, mut row): (u64, Vec<u64>, usize) = (0, Vec::new(), 0);
            let mut closed_again: Option<Tick> = None;
            for (wait, verdict, random) in calls {
                now += wait;
                let allowed = closed_again.is_none_or(|next| tick(now) >= next);
                let asked = breaker.ask(tick(now));
                prop_assert_eq!(asked.is_ok(), allowed);
                let Ok(pass) = asked else { continue };
                let verdict = [FAILED, FAILED, Verdict::Answered, Verdict::Nothing][usize::from(verdict)];
                breaker.tell(pass, verdict, tick(now), random);
                match verdict {
                    Verdict::Nothing => {}
                    Verdict::Answered => {
                        row = 0;
                        if closed_again.take().is_some() {
                            failed.clear();
                        }
                    }
                    Verdict::Failed(_) => {
                        failed.push(now);
                        row += 1;
                        let recent = failed.iter().filter(|at| now - **at <= 10).count();
                        if closed_again.is_some() || recent >= 5 || row >= 5 {
                            let next = breaker.open().map(|open| open.next);
                            prop_assert!(next.is_some_and(|next| next >= tick(now + 45) && next <= tick(now + 60)));
                            closed_again = next;
                        }
                    }
                }
                prop_assert_eq!(breaker.open().map(|open| open.next), closed_again);
                prop_assert!(breaker.open().is_none_or(|open| !open.probing));
            }
        }
    }
}
