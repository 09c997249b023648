//! The publisher's part in leases: which calls are due, and what came of them.

use super::{Chore, Lent, Retired, Step, tend::name};
use crate::plan::SecretId;
use crate::policy::Unanswered;
use crate::publish::Publisher;
use crate::runtime;
use secretfig_source::{Fetched, Lease, Tick};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;

/// Where leases are made, and where they wait for their last reader.
#[derive(Default)]
pub(crate) struct Desk {
    /// Wakes the Keeper when the last reader of a lease is gone.
    woken: Arc<Notify>,
    retired: Vec<Retired>,
}

impl Desk {
    pub(crate) fn new(woken: Arc<Notify>) -> Self {
        Self { woken, retired: Vec::new() }
    }

    pub(crate) fn lend(&self, fetched: &Fetched, asked: Tick, before: Option<&Lent>) -> Option<Lent> {
        Lent::new(fetched, asked, before, &self.woken)
    }

    pub(crate) fn retire(&mut self, lent: Option<Lent>, secret: SecretId, now: Tick, overlap: Duration) {
        self.retired.extend(lent.and_then(|lent| lent.retire(secret, now, overlap)));
    }

    /// How many leases of this secret were replaced and are still out.
    pub(crate) fn retiring(&self, secret: SecretId) -> usize {
        self.retired.iter().filter(|retired| retired.secret == secret).count()
    }
}

/// What a report of failure finds of the leases of a set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Replaced {
    /// There are none.
    NoLease,
    /// There are, and no Keeper to replace them.
    NoKeeper,
    /// They are being replaced, or will be at once.
    Begun,
    /// It is too early, after others that were replaced before their time.
    TooEarly,
}

impl<T> Publisher<T> {
    /// The leases that are served, to ask their sources after.
    pub(crate) fn lent(&self) -> Vec<(SecretId, Lease)> {
        let lent = self.states.iter().enumerate();
        lent.filter_map(|(n, state)| Some((SecretId::nth(n), state.lent.as_ref()?.lease.clone()))).collect()
    }

    /// The calls that are due now.
    pub(crate) fn chores(&mut self, lost: &[SecretId], now: Tick) -> Vec<Chore> {
        let mut chores = Vec::new();
        for (n, state) in self.states.iter_mut().enumerate() {
            let (id, Some(lent)) = (SecretId::nth(n), &mut state.lent) else { continue };
            if lost.contains(&id) {
                lent.life.lost(now);
            }
            if lent.life.due(now) == Some(Step::Renew) {
                chores.push(Chore::Renew(id, lent.lease.clone()));
            }
        }
        let revoking = self.desk.retired.iter().filter(|retired| retired.due() <= now);
        chores.extend(revoking.map(|retired| Chore::Revoke(retired.secret, retired.lease().clone())));
        chores
    }

    /// Takes in what came of a call that began at that time.
    pub(crate) fn done(
        &mut self,
        chore: &Chore,
        began: Tick,
        result: Result<Option<Lease>, Unanswered>,
        now: Tick,
    ) {
        match chore {
            Chore::Renew(id, lease) => self.renewed(*id, lease, began, result, now),
            Chore::Revoke(id, lease) => {
                let result = result.map(|_| ());
                let plan = self.plan.clone();
                self.desk.retired.retain_mut(|retired| {
                    if retired.lease() != lease || retired.goes_on(&result, now) {
                        return true;
                    }
                    if let Err(Unanswered { error: e, .. }) = &result {
                        let (secret, left) = (name(&plan, *id), retired.left(now).as_secs());
                        tracing::error!(
                            target: "secretfig",
                            secret,
                            reason = e.kind().as_str(),
                            left,
                            "a lease that was replaced could not be given back: it ends by itself"
                        );
                    }
                    false
                });
            }
        }
    }

    fn renewed(
        &mut self,
        id: SecretId,
        lease: &Lease,
        began: Tick,
        result: Result<Option<Lease>, Unanswered>,
        now: Tick,
    ) {
        let Some(state) = self.states.get_mut(id.0 as usize) else { return };
        let Some(lent) = state.lent.as_mut().filter(|lent| lent.lease == *lease) else { return };
        let random = runtime::random();
        match result {
            Ok(granted) => {
                lent.life.renewed(began, granted.as_ref().unwrap_or(lease), random);
                state.seen = now;
            }
            Err(Unanswered { error, next: Some(next) }) => {
                lent.life.renewal_not_asked(now, error.kind(), next);
            }
            Err(Unanswered { error: e, next: None }) => {
                lent.life.not_renewed(now, e.kind(), random);
                tracing::warn!(target: "secretfig", secret = name(&self.plan, id), error = %e, "a lease was not renewed");
            }
        }
    }

    /// When the next call is due, or another lease.
    pub(crate) fn next_chore(&self) -> Tick {
        let lives = self.states.iter().filter_map(|state| state.lent.as_ref()).map(|lent| lent.life.next().0);
        lives.chain(self.desk.retired.iter().map(Retired::due)).min().unwrap_or(Tick::FAR)
    }

    /// Everything that is out, which from now on must not be used any more.
    pub(crate) fn surrender(&mut self, now: Tick) -> Vec<(SecretId, Lease)> {
        let lent = self.states.iter_mut().enumerate().filter_map(|(n, state)| {
            let lease = state.lent.as_mut()?.surrender(now)?;
            Some((SecretId::nth(n), lease))
        });
        let mut leases: Vec<(SecretId, Lease)> = lent.collect();
        leases.extend(self.desk.retired.drain(..).map(|retired| (retired.secret, retired.lease().clone())));
        self.bring_up_to_date(now);
        leases
    }

    /// The names of the secrets whose leases are out.
    pub(crate) fn leases_out(&self) -> Vec<String> {
        let lent = self.states.iter().enumerate();
        let lent = lent.filter(|(_, state)| state.lent.as_ref().is_some_and(Lent::is_out));
        let retired = self.desk.retired.iter().map(|retired| retired.secret);
        lent.map(|(n, _)| SecretId::nth(n)).chain(retired).map(|id| name(&self.plan, id)).collect()
    }

    /// Has the leases of these replaced before their time.
    pub(crate) fn replace(&mut self, secrets: &[SecretId], now: Tick) -> Replaced {
        let mut replaced = Replaced::NoLease;
        for id in secrets {
            let Some(state) = self.states.get_mut(id.0 as usize) else { continue };
            let Some(lent) = &mut state.lent else { continue };
            if state.minting || lent.life.due(now) == Some(Step::Mint) || lent.life.replace(now) {
                replaced = Replaced::Begun;
            } else if replaced == Replaced::NoLease {
                replaced = Replaced::TooEarly;
            }
        }
        replaced
    }

    /// Whether some lease of these is about to be replaced.
    pub(crate) fn is_replacing(&self, secrets: &[SecretId], now: Tick) -> bool {
        let mut states = secrets.iter().filter_map(|id| self.states.get(id.0 as usize));
        states.any(|state| {
            state.minting || state.lent.as_ref().is_some_and(|lent| lent.life.due(now) == Some(Step::Mint))
        })
    }
}
