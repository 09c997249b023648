//! `report_failure`: someone could not use what we gave. Reads the secrets of that section anew, once for all who ask.

use crate::leases::Replaced;
use crate::plan::SecretId;
use crate::refresh::{Erased, round_of};
use crate::runtime;
use secretfig_source::Tick;
use std::collections::BTreeMap;
use std::pin::pin;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;

/// What came of a report of failure: [`Section::report_failure`](crate::Section::report_failure).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// A newer revision is served: take it, and try again.
    Newer,
    /// The source has no other: what failed is what it holds. In the middle of a rotation that may change soon.
    Same,
    /// Nothing is known: the source did not answer, what it gave makes no whole configuration, the configuration is gone,
    /// or the secret is made by being read and no Keeper is there to do that.
    Unknown,
}

/// One look per set in this time, however many report.
const EVERY: Duration = Duration::from_secs(5);

/// The reports that are under way, and the last of each set, by the first of its secrets.
#[derive(Default)]
pub(crate) struct Reporting {
    sets: Mutex<BTreeMap<SecretId, Last>>,
    /// Something was published, or a look has ended.
    pub(crate) moved: Notify,
}

#[derive(Clone, Copy, Default)]
struct Last {
    busy: bool,
    answered: Option<(Tick, Verdict)>,
}

enum Turn<'r> {
    Lead(Lead<'r>),
    Wait,
    Answered(Verdict),
}

/// Looks on behalf of all. Dropped before its end, it leaves the lead to another.
struct Lead<'r> {
    reporting: &'r Reporting,
    set: SecretId,
    answered: Option<(Tick, Verdict)>,
}

impl Reporting {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<SecretId, Last>> {
        self.sets.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn turn(&self, set: SecretId, now: Tick) -> Turn<'_> {
        let mut sets = self.lock();
        let last = sets.entry(set).or_default();
        match last.answered {
            _ if last.busy => Turn::Wait,
            Some((at, verdict)) if now.since(at) < EVERY => Turn::Answered(verdict),
            answered => {
                last.busy = true;
                Turn::Lead(Lead { reporting: self, set, answered })
            }
        }
    }
}

impl Drop for Lead<'_> {
    fn drop(&mut self) {
        self.reporting.lock().insert(self.set, Last { busy: false, answered: self.answered });
        self.reporting.moved.notify_waiters();
    }
}

/// Reads these anew, unless that has just been done. `newer` says whether what failed is served no more.
pub(crate) async fn report(
    config: &dyn Erased,
    secrets: &[SecretId],
    newer: &(dyn Fn() -> bool + Sync),
) -> Verdict {
    if newer() {
        return Verdict::Newer;
    }
    let Some(set) = secrets.iter().min() else { return Verdict::Unknown };
    let reporting = config.reporting();
    loop {
        let mut moved = pin!(reporting.moved.notified());
        moved.as_mut().enable();
        match reporting.turn(*set, config.asking().clock.tick()) {
            Turn::Wait => moved.await,
            Turn::Answered(_) if newer() => return Verdict::Newer,
            // what was newer then is what failed now
            Turn::Answered(Verdict::Newer) => return Verdict::Same,
            Turn::Answered(verdict) => return verdict,
            Turn::Lead(mut lead) => {
                let verdict = look(config, secrets, newer).await;
                lead.answered = Some((config.asking().clock.tick(), verdict));
                return verdict;
            }
        }
    }
}

async fn look(config: &dyn Erased, secrets: &[SecretId], newer: &(dyn Fn() -> bool + Sync)) -> Verdict {
    let plan = &config.asking().plan;
    for secret in secrets.iter().filter_map(|id| plan.secrets.get(id.0 as usize)) {
        if let Some(named) = plan.sources.get(secret.source) {
            named.source.distrust(&secret.ask);
        }
    }
    let refreshed = round_of(config, config.reported(secrets)).await;
    if newer() {
        return Verdict::Newer;
    }
    let unknown = !refreshed.failed.is_empty() || !refreshed.refused.is_empty();
    match config.replace(secrets) {
        Replaced::NoLease if unknown => Verdict::Unknown,
        Replaced::NoKeeper => Verdict::Unknown,
        Replaced::NoLease | Replaced::TooEarly => Verdict::Same,
        Replaced::Begun => {
            let limit = config.asking().deadline;
            runtime::within(limit, replaced(config, secrets, newer)).await.unwrap_or(Verdict::Unknown)
        }
    }
}

/// Waits for the Keeper to put another lease in the place of one.
async fn replaced(config: &dyn Erased, secrets: &[SecretId], newer: &(dyn Fn() -> bool + Sync)) -> Verdict {
    loop {
        let mut moved = pin!(config.reporting().moved.notified());
        moved.as_mut().enable();
        if newer() {
            return Verdict::Newer;
        }
        if !config.is_replacing(secrets) {
            return Verdict::Unknown;
        }
        moved.await;
    }
}
