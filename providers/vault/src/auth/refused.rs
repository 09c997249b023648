//! What the server has refused, and for how long it is not shown to it again.

use super::lock;
use secretfig_source::{ErrorKind, Revision, SourceError, Tick};
use std::sync::Mutex;
use std::time::Duration;

/// How long a login that was refused is not tried again; twice as long after each further time.
const FIRST: Duration = Duration::from_secs(10);

/// And so long at the most: by then somebody may have put it right at the server.
const MOST: Duration = Duration::from_secs(300);

/// How the last login went, by what was shown to the server.
#[derive(Default)]
pub(super) struct Refusals(Mutex<Last>);

#[derive(Default)]
struct Last {
    good: Option<Revision>,
    refused: Option<Refused>,
}

struct Refused {
    shown: Revision,
    error: SourceError,
    pause: Duration,
    until: Tick,
}

impl Refusals {
    /// Whether this may be shown to the server now. What is new may always.
    ///
    /// # Errors
    /// As it was refused, shortly before.
    pub(super) fn checked(&self, shown: &Revision, now: Tick) -> Result<(), SourceError> {
        match &lock(&self.0).refused {
            Some(refused) if refused.shown == *shown && now < refused.until => Err(refused.error.clone()),
            _ => Ok(()),
        }
    }

    /// It was refused. What does not tell of the login itself, such as an outage, is no refusal of it.
    pub(super) fn refused(&self, shown: Revision, error: &SourceError, now: Tick) {
        if error.kind() != ErrorKind::Unauthenticated {
            return;
        }
        let mut last = lock(&self.0);
        let again = last.refused.take().filter(|refused| refused.shown == shown);
        let pause = again.map_or(FIRST, |refused| refused.pause.saturating_mul(2).min(MOST));
        last.refused = Some(Refused { shown, error: error.clone(), pause, until: now.after(pause) });
    }

    /// It was good.
    pub(super) fn taken(&self, shown: Revision) {
        let mut last = lock(&self.0);
        (last.good, last.refused) = (Some(shown), None);
    }

    /// Whether this was good the last time that something was.
    pub(super) fn was_good(&self, shown: &Revision) -> bool {
        lock(&self.0).good.as_ref() == Some(shown)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Tick {
        Tick::from_start(Duration::from_secs(seconds))
    }

    #[test]
    fn what_was_refused_waits_ever_longer_and_what_is_new_does_not() {
        let refusals = Refusals::default();
        let (old, new) = (Revision::new("old"), Revision::new("new"));
        let error = SourceError::new(ErrorKind::Unauthenticated, "vault");
        let mut now = 0;
        for pause in [10, 20, 40, 80, 160, 300, 300] {
            refusals.refused(old.clone(), &error, at(now));
            assert_eq!(refusals.checked(&old, at(now + pause - 1)), Err(error.clone()), "{pause}");
            assert_eq!(refusals.checked(&new, at(now)), Ok(()));
            assert_eq!(refusals.checked(&old, at(now + pause)), Ok(()), "{pause}");
            now += pause;
        }
        refusals.taken(old.clone());
        assert!(refusals.was_good(&old) && !refusals.was_good(&new));
        refusals.refused(old.clone(), &error, at(now));
        assert_eq!(refusals.checked(&old, at(now + 10)), Ok(()), "from the start again");
    }

    #[test]
    fn an_outage_is_no_refusal() {
        let refusals = Refusals::default();
        let shown = Revision::new("shown");
        for kind in [ErrorKind::Timeout, ErrorKind::Throttled { retry_after: None }, ErrorKind::Malformed] {
            refusals.refused(shown.clone(), &SourceError::new(kind, "vault"), at(0));
            assert_eq!(refusals.checked(&shown, at(0)), Ok(()));
        }
    }
}
