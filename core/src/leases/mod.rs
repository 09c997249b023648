//! Leases: what is made by being read, how long it lives, and that it is given back.
//!
//! * `life`: when a lease is renewed, and when another takes its place. Pure.
//! * `ledger`: what was made and stands in no store yet. Whatever way a load or a round ends, it is given back.
//! * `tend`: the calls to sources that are due: renewals, and what is given back.
//!
//! A lease that was replaced is given back when the last reader of its value is gone, which a [`LeaseGuard`] counts: in
//! each view, each [`Held`](crate::Held) and each [`Snapshot`](crate::Snapshot) made of it; at `overlap_max` at the
//! latest. It is replaced by the publication itself, so that nothing is given back before its successor is served.

mod desk;
mod ledger;
mod life;
mod tend;

pub(crate) use desk::{Desk, Replaced};
pub(crate) use ledger::Ledger;
pub(crate) use life::{Life, Step, Unminted, doubling};
pub(crate) use tend::{Chore, give_all_back, tend};

use crate::plan::SecretId;
use crate::policy::Unanswered;
use secretfig_source::{ErrorKind, Fetched, Lease, Tick};
use std::sync::{Arc, Weak};
use std::time::Duration;
use tokio::sync::Notify;

/// Says by its drop that no reader is left.
pub(crate) struct LeaseGuard(Arc<Notify>);

impl Drop for LeaseGuard {
    fn drop(&mut self) {
        self.0.notify_one();
    }
}

/// The lease of a document that is served.
pub(crate) struct Lent {
    /// As it was first granted.
    pub(crate) lease: Lease,
    pub(crate) life: Life,
    pub(crate) guard: Arc<LeaseGuard>,
    /// Whether it is ours to give back: a lease of what reads the same again is shared with whoever reads it.
    own: bool,
    /// Whether it was given back already.
    surrendered: bool,
}

/// A lease whose value is served no more.
pub(crate) struct Retired {
    pub(crate) secret: SecretId,
    lease: Lease,
    readers: Weak<LeaseGuard>,
    /// When it is given back whoever still reads.
    latest: Tick,
    /// When it ends by itself.
    ends: Tick,
    failed: u32,
    /// Not before, after a failure.
    next: Tick,
}

impl Lent {
    pub(crate) fn new(
        fetched: &Fetched,
        asked: Tick,
        before: Option<&Lent>,
        woken: &Arc<Notify>,
    ) -> Option<Self> {
        let lease = fetched.lease.clone()?;
        let life = Life::begun(asked, &lease, before.map(|lent| &lent.life), crate::runtime::random());
        let guard = Arc::new(LeaseGuard(woken.clone()));
        Some(Self { lease, life, guard, own: !fetched.repeatable, surrendered: false })
    }

    /// Whether it is out, and ours.
    pub(crate) fn is_out(&self) -> bool {
        self.own && !self.surrendered
    }

    pub(crate) fn retire(self, secret: SecretId, now: Tick, overlap: Duration) -> Option<Retired> {
        let readers = Arc::downgrade(&self.guard);
        let Self { lease, life, .. } = self.is_out().then_some(self)?;
        let (latest, ends) = (now.after(overlap), life.ends);
        Some(Retired { secret, lease, readers, latest, ends, failed: 0, next: Tick::default() })
    }

    /// Marks it as given back, and gives what is to be given back.
    pub(crate) fn surrender(&mut self, now: Tick) -> Option<Lease> {
        self.life.surrendered(now);
        let out = self.is_out();
        self.surrendered = true;
        out.then(|| self.lease.clone())
    }
}

impl Retired {
    pub(crate) fn lease(&self) -> &Lease {
        &self.lease
    }

    /// When it is to be given back, as far as is known now. Once at least: the manager may count its time otherwise.
    pub(crate) fn due(&self) -> Tick {
        let readers = if self.readers.strong_count() == 0 { Tick::default() } else { self.latest };
        readers.max(self.next).min(self.ends)
    }

    /// Notes what came of giving it back; false: there is nothing more to do.
    pub(crate) fn goes_on(&mut self, result: &Result<(), Unanswered>, now: Tick) -> bool {
        const TRIES: u32 = 10;
        let Err(Unanswered { error: e, next }) = result else { return false };
        if let Some(next) = next {
            // its source is left alone: that was no try
            self.next = *next;
            return self.next < self.ends;
        }
        self.failed += 1;
        let passing = e.kind().is_outage() || e.kind() == ErrorKind::Malformed;
        self.next = now.after(doubling(Duration::from_secs(10), self.failed, Duration::from_secs(5 * 60)));
        passing && self.failed < TRIES && self.next < self.ends
    }

    pub(crate) fn left(&self, now: Tick) -> Duration {
        self.ends.since(now)
    }
}
