//! Whether and when a call is made again. Pure: random is an argument.

use super::Policy;
use secretfig_source::{ErrorKind, Unavailable};
use std::time::Duration;

/// Whether the same call may succeed when it is made again in a moment.
///
/// * An outage: yes. What was made by being read is asked for again only where the manager cannot have heard the first one:
///   a reply that was lost may have been a credential.
/// * `Unauthenticated`: no. The source has signed in anew before it says so; the same proof is refused again, and managers
///   lock out whoever insists. The next look tries.
/// * `Tls`: no. A certificate does not become right within seconds, and each handshake shows the server a client that does
///   not trust it.
/// * `Malformed`: no. Whatever stands between, such as a proxy's page, says the same in a moment; the next look asks.
pub(crate) fn is_worth_it(kind: ErrorKind, mints: bool) -> bool {
    match kind {
        ErrorKind::Throttled { .. } => true,
        ErrorKind::Unavailable(Unavailable::Failing) | ErrorKind::Timeout | ErrorKind::Transport => !mints,
        ErrorKind::Unavailable(
            Unavailable::Sealed | Unavailable::Standby | Unavailable::Uninitialised | Unavailable::Behind,
        ) => true,
        other => other.is_outage() && other != ErrorKind::Unauthenticated && !mints,
    }
}

/// Whether the endpoint did not do its work: what opens a breaker. Throttling is pacing, and any other answer is one.
pub(crate) fn is_failure(kind: ErrorKind) -> bool {
    !matches!(kind, ErrorKind::Throttled { .. }) && (kind.is_outage() || kind == ErrorKind::Tls)
}

/// The pauses between tries: decorrelated jitter, so that those who failed together do not come back together.
pub(crate) struct BackOff {
    from: Duration,
    to: Duration,
    last: Duration,
}

impl BackOff {
    pub(crate) fn new(policy: &Policy) -> Self {
        Self { from: policy.from, to: policy.to, last: policy.from }
    }

    /// The next pause: drawn from the shortest to three times the last one. What the manager asks for is waited for first,
    /// up to the longest pause.
    pub(crate) fn next(&mut self, asked: Option<Duration>, random: u64) -> Duration {
        let high = self.last.saturating_mul(3).min(self.to).max(self.from);
        let share = (random >> 11) as f64 / (1_u64 << 53) as f64;
        let own = self.from.saturating_add((high - self.from).mul_f64(share)).min(self.to);
        self.last = own;
        match asked {
            Some(asked) => asked.min(self.to).saturating_add(own),
            None => own,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_may_have_minted_is_not_asked_for_again() {
        let throttled = ErrorKind::Throttled { retry_after: None };
        let sealed = ErrorKind::Unavailable(Unavailable::Sealed);
        let failing = ErrorKind::Unavailable(Unavailable::Failing);
        for (kind, plain, mint) in [
            (throttled, true, true),
            (sealed, true, true),
            (failing, true, false),
            (ErrorKind::Timeout, true, false),
            (ErrorKind::Transport, true, false),
            (ErrorKind::Unauthenticated, false, false),
            (ErrorKind::Tls, false, false),
            (ErrorKind::Malformed, false, false),
            (ErrorKind::Denied, false, false),
            (ErrorKind::Absent, false, false),
        ] {
            assert_eq!((is_worth_it(kind, false), is_worth_it(kind, true)), (plain, mint), "{kind}");
        }
        assert!(
            !is_failure(throttled) && !is_failure(ErrorKind::Denied) && !is_failure(ErrorKind::Malformed)
        );
        assert!(is_failure(sealed) && is_failure(ErrorKind::Tls) && is_failure(ErrorKind::Unauthenticated));
    }

    proptest! {
        #[test]
        fn pauses_stay_within_their_limits(randoms in proptest::collection::vec(any::<u64>(), 1..50)) {
            let mut back_off = BackOff::new(&Policy::default());
            let mut last = Duration::from_secs(1);
            for random in randoms {
                let pause = back_off.next(None, random);
                prop_assert!(pause >= Duration::from_secs(1) && pause <= Duration::from_secs(60));
                prop_assert!(pause <= last * 3);
                last = pause;
            }
        }

        #[test]
        fn what_a_manager_asks_for_is_capped_and_never_panics(asked in any::<u64>(), random in any::<u64>()) {
            for asked in [asked, 0, 999_999_999, u64::MAX] {
                let mut back_off = BackOff::new(&Policy::default());
                let pause = back_off.next(Some(Duration::from_secs(asked)), random);
                prop_assert!(pause >= Duration::from_secs(asked.min(60)) + Duration::from_secs(1));
                prop_assert!(pause <= Duration::from_secs(asked.min(60) + 3));
            }
        }
    }
}
