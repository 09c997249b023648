//! Asking sources: the first wave at start-up, and looking again from then on.
//!
//! All of it happens outside the critical section of [`crate::publish`]; what comes back are arrivals.

use crate::health::{Breaker, SourceHealth};
use crate::leases::{Chore, Ledger, Replaced};
use crate::plan::{NamedSource, Plan, SecretId};
use crate::policy::{Endpoint, Got, Line, Policy, SignIn, Unanswered, shortened};
use crate::publish::{Arrival, Outcome, Published};
use crate::reports::Reporting;
use crate::runtime;
use crate::store::is_taken_away;
use crate::waiting;
use secretfig_source::{Clock, ErrorKind, Identity, Lease, Probe, Revision, SourceError, Tick};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// What asking needs: the plan, the clock, the deadlines.
pub(crate) struct Asking {
    pub(crate) plan: Arc<Plan>,
    pub(crate) clock: Arc<dyn Clock>,
    /// For one call to a source.
    pub(crate) attempt: Duration,
    /// For the whole of a start-up, and of a round.
    pub(crate) deadline: Duration,
    pub(crate) policy: Policy,
    /// By source.
    pub(crate) endpoints: Vec<Arc<Endpoint>>,
    /// Whether this is a start-up still.
    pub(crate) loading: bool,
    /// Who each source says we are, once signed in.
    pub(crate) identities: Vec<Option<Identity>>,
    pub(crate) stamps: AtomicU64,
    /// Wakes a Keeper that sleeps: something may end earlier than it knew.
    pub(crate) woken: Arc<tokio::sync::Notify>,
    /// What was made by being read and is not stored yet.
    pub(crate) ledger: Ledger,
}

/// When to look at a secret again that could not be had.
#[derive(Clone, Copy)]
pub(crate) enum Again {
    /// Then, and not before: nobody would be asked.
    At(Tick),
    /// Then at the latest.
    By(Tick),
}

impl Again {
    fn tick(self) -> Tick {
        match self {
            Again::At(then) | Again::By(then) => then,
        }
    }
}

/// How often a set is read again until it rests.
const TRIES: usize = 3;

impl Asking {
    /// A stamp that is greater than every one before: when a look began.
    pub(crate) fn stamp(&self) -> u64 {
        self.stamps.fetch_add(1, Ordering::Relaxed) + 1
    }

    pub(crate) fn new(plan: Arc<Plan>, clock: Arc<dyn Clock>, knobs: (Policy, Duration, Duration)) -> Self {
        let (policy, attempt, deadline) = knobs;
        let endpoint =
            |named: &NamedSource| Arc::new(Endpoint::new(&policy, named.source.info().concurrency));
        Self {
            endpoints: plan.sources.iter().map(endpoint).collect(),
            plan,
            clock,
            attempt,
            deadline,
            policy,
            loading: true,
            identities: Vec::new(),
            stamps: AtomicU64::new(0),
            woken: Arc::default(),
            ledger: Ledger::default(),
        }
    }

    /// The way to a source, until that moment.
    pub(crate) fn line(&self, source: usize, until: Tick) -> Option<Line> {
        Some(Line {
            named: self.plan.sources.get(source)?.clone(),
            endpoint: self.endpoints.get(source)?.clone(),
            clock: self.clock.clone(),
            policy: self.policy,
            attempt: self.attempt,
            loading: self.loading,
            until,
            who: self.identities.get(source).cloned().flatten(),
        })
    }

    /// Signs in to every source that some secret needs, concurrently. Faults by source.
    pub(crate) async fn sign_in(&self, until: Tick) -> Vec<Result<Option<Identity>, SourceError>> {
        let needed: BTreeSet<usize> = self.plan.secrets.iter().map(|secret| secret.source).collect();
        let signing = (0..self.plan.sources.len()).map(|n| {
            let line = self.line(n, until).filter(|_| needed.contains(&n));
            async move {
                match line {
                    Some(line) => line.one(SignIn).await,
                    None => Ok(None),
                }
            }
        });
        waiting::all(signing, usize::MAX).await
    }

    /// How the sources stand.
    pub(crate) fn sources_health(&self, now: Tick) -> Vec<SourceHealth> {
        let each = self.plan.sources.iter().zip(&self.endpoints).map(|(named, endpoint)| {
            let breaker = endpoint.open().map_or(Breaker::Closed, |open| Breaker::Open {
                since_seconds: now.since(open.since).as_secs(),
                next_seconds: open.next.since(now).as_secs(),
                because: open.because,
            });
            SourceHealth { source: named.name.clone(), breaker }
        });
        each.collect()
    }

    /// When to look again at what could not be had of a source: as soon as its breaker lets someone try it, and otherwise
    /// about as soon as that would be.
    fn again(&self, secret: SecretId, now: Tick) -> Again {
        let source = self.plan.secrets.get(secret.0 as usize).map(|secret| secret.source);
        let next = source.and_then(|source| self.endpoints.get(source)?.next(now));
        match next {
            Some(next) => Again::At(next),
            None => Again::By(now.after(shortened(self.policy.pause, runtime::random()))),
        }
    }

    /// Reads the members of these sets again until a look finds that none has moved since it was read: by probe, or
    /// by reading twice where the source cannot probe. `read` holds the revisions just read or held.
    pub(crate) async fn rest(
        &self,
        sets: Vec<Vec<SecretId>>,
        read: &mut BTreeMap<SecretId, Revision>,
        fetched: &mut BTreeMap<SecretId, Result<Got, SourceError>>,
        until: Tick,
    ) -> Unrest {
        let mut unrest = Unrest::default();
        for members in sets.into_iter().filter(|members| members.len() > 1) {
            self.rest_one(members, read, fetched, until, &mut unrest).await;
        }
        unrest
    }

    async fn rest_one(
        &self,
        members: Vec<SecretId>,
        read: &mut BTreeMap<SecretId, Revision>,
        fetched: &mut BTreeMap<SecretId, Result<Got, SourceError>>,
        until: Tick,
        unrest: &mut Unrest,
    ) {
        // what is made by being read is never read for this
        let minted = |id: &SecretId, fetched: &BTreeMap<SecretId, Result<Got, SourceError>>| matches!(fetched.get(id), Some(Ok(new)) if !new.repeatable);
        let steady: Vec<SecretId> = members.iter().filter(|id| !minted(id, fetched)).copied().collect();
        for attempt in 0..=TRIES {
            for id in &members {
                if let Some(Err(e)) = fetched.get(id)
                    && (!is_taken_away(e.kind()) || read.contains_key(id))
                {
                    unrest.failed.insert(*id, e.clone());
                }
            }
            let mut again = Vec::new();
            let mut moved = false;
            for (id, probe) in self.probe(&steady, until).await {
                match probe {
                    Ok(Probe::Current(now)) if read.get(&id) == Some(&now) => {}
                    Ok(Probe::Current(_)) => {
                        moved = true;
                        again.push(id);
                    }
                    Ok(_) => again.push(id),
                    // not there before, and not there now
                    Err(e) if is_taken_away(e.kind()) && !read.contains_key(&id) => {}
                    Err(e) => {
                        unrest.failed.insert(id, e);
                    }
                }
            }
            if members.iter().any(|id| unrest.failed.contains_key(id)) {
                unrest.stopped.extend(members);
                return;
            }
            if again.is_empty() {
                return;
            }
            if attempt == TRIES {
                if moved {
                    unrest.torn.extend(members);
                }
                return;
            }
            for (id, result) in self.fetch(&again, until).await {
                match result {
                    Ok(new) if read.get(&id) == Some(&new.revision) => {}
                    Ok(new) => {
                        moved = true;
                        read.insert(id, new.revision.clone());
                        fetched.insert(id, Ok(new));
                    }
                    Err(e) if is_taken_away(e.kind()) && !read.contains_key(&id) => {}
                    Err(e) => {
                        fetched.insert(id, Err(e));
                        moved = true;
                    }
                }
            }
            if !moved {
                return;
            }
        }
    }
}

/// Sets that cannot be published whole.
#[derive(Default)]
pub(crate) struct Unrest {
    /// Members of sets that never came to rest.
    pub(crate) torn: BTreeSet<SecretId>,
    /// Members that could not be had, and why.
    pub(crate) failed: BTreeMap<SecretId, SourceError>,
    /// All members of the sets of those.
    pub(crate) stopped: BTreeSet<SecretId>,
}

/// One secret that is to be looked at.
pub(crate) struct Look {
    pub(crate) secret: SecretId,
    pub(crate) revision: Option<Revision>,
    /// The revisions published before: going to one of them is a step back.
    pub(crate) published: Vec<Revision>,
    pub(crate) set: usize,
    /// Whether it is read without asking first whether it has moved.
    pub(crate) read: bool,
}

/// What a round of looking needs of the configuration, without knowing `T`.
pub(crate) trait Erased: Send + Sync {
    fn asking(&self) -> &Arc<Asking>;
    /// What is to be looked at: all, those of one source, or those that are due; with each, its whole set.
    fn looks(&self, which: Which) -> Vec<Look>;
    /// Those of these that may be read again, to be read whether or not they have moved.
    fn reported(&self, secrets: &[SecretId]) -> Vec<Look>;
    fn reporting(&self) -> &Reporting;
    /// Has the leases of these replaced by the Keeper.
    fn replace(&self, secrets: &[SecretId]) -> Replaced;
    fn is_replacing(&self, secrets: &[SecretId]) -> bool;
    /// The calls for leases that are due now.
    fn chores(&self) -> Vec<Chore>;
    /// Takes in what came of one that began at that time.
    fn done(&self, chore: &Chore, began: Tick, result: Result<Option<Lease>, Unanswered>);
    /// When the next one is due.
    #[cfg_attr(
        all(target_family = "wasm", target_os = "unknown"),
        allow(dead_code, reason = "only the Keeper needs it, and there is none on the edge")
    )]
    fn next_chore(&self) -> Tick;
    /// Takes out every lease, to give it back.
    #[cfg_attr(
        all(target_family = "wasm", target_os = "unknown"),
        allow(dead_code, reason = "only the Keeper needs it, and there is none on the edge")
    )]
    fn surrender(&self) -> Vec<(SecretId, Lease)>;
    /// The secrets of the leases that are out.
    #[cfg_attr(
        all(target_family = "wasm", target_os = "unknown"),
        allow(dead_code, reason = "only the Keeper needs it, and there is none on the edge")
    )]
    fn leases_out(&self) -> Vec<String>;
    fn publish(&self, arrivals: Vec<Arrival>) -> Published;
    /// Those of these of which something is served, or was found, that was read after that moment of the stamp counter.
    fn read_since(&self, secrets: &[SecretId], stamp: u64) -> BTreeSet<SecretId>;
    /// Says when to look at these again.
    fn look_again(&self, secrets: Vec<(SecretId, Again)>);
    /// Flips what has come to its end.
    fn flip(&self);
    #[cfg_attr(
        all(target_family = "wasm", target_os = "unknown"),
        allow(dead_code, reason = "only the Keeper needs it, and there is none on the edge")
    )]
    fn next_wake(&self) -> Tick;
    /// Whether a Keeper runs: readers then trust the view.
    #[cfg_attr(
        all(target_family = "wasm", target_os = "unknown"),
        allow(dead_code, reason = "only the Keeper needs it, and there is none on the edge")
    )]
    fn kept(&self, yes: bool);
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(
    all(target_family = "wasm", target_os = "unknown"),
    allow(dead_code, reason = "only the Keeper needs it, and there is none on the edge")
)]
pub(crate) enum Which {
    Due,
    /// What is due for the Keeper, which alone reads what is made by being read.
    Kept,
    Source(usize),
    All,
}

/// What one look at all secrets gave.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Refreshed {
    /// Secrets whose new revision is now served.
    pub changed: Vec<Arc<str>>,
    /// Secrets whose new revision makes no whole configuration, and in which way: the old one is served on.
    pub refused: Vec<(Arc<str>, String)>,
    /// Secrets that could not be had: the old revision is served on.
    pub failed: Vec<SourceError>,
}

/// One round: probe, fetch what moved, let sets come to rest, confirm steps back, publish.
pub(crate) async fn round(config: &dyn Erased, which: Which) -> Refreshed {
    // what has come to its end does not wait for an answer
    config.flip();
    let looks = config.looks(which);
    round_of(config, looks).await
}

/// A round of these.
pub(crate) async fn round_of(config: &dyn Erased, looks: Vec<Look>) -> Refreshed {
    let asking = config.asking().clone();
    if looks.is_empty() {
        return Refreshed::default();
    }
    let asked = asking.clock.tick();
    let until = asked.after(asking.deadline);
    let started = asking.stamp();
    // whatever way this ends, what was made and is not served is given back
    let sweep = asking.ledger.sweep(looks.iter().map(|look| look.secret));
    // a source that keeps silent takes its own time, and none of what others need to be read and to come to rest
    let groups = apart(&asking.plan, looks);
    let seen = groups.into_iter().map(|looks| look_at(config, &asking, looks, started, until));
    let mut looks: Vec<Look> = Vec::new();
    let (mut outcomes, mut begun) = (BTreeMap::new(), BTreeMap::new());
    let mut left: BTreeSet<SecretId> = BTreeSet::new();
    for seen in waiting::all(seen, usize::MAX).await {
        looks.extend(seen.looks);
        outcomes.extend(seen.outcomes);
        begun.extend(seen.begun);
        left.extend(seen.left);
    }
    // an optional secret that was not there and still is not has not failed
    let was_absent = |secret: &SecretId| looks.iter().any(|l| l.secret == *secret && l.revision.is_none());
    let failed = outcomes.iter().filter_map(|(secret, outcome)| match outcome {
        Outcome::Failed(e) if e.kind() == ErrorKind::Absent && was_absent(secret) => None,
        Outcome::Failed(e) => Some(e.clone()),
        _ => None,
    });
    let failed: Vec<SourceError> = failed.collect();
    let now = asking.clock.tick();
    let out = outcomes.iter().filter_map(|(secret, outcome)| match outcome {
        Outcome::Failed(e) if e.kind().is_outage() => Some((*secret, asking.again(*secret, now))),
        _ => None,
    });
    let out: BTreeMap<SecretId, Again> = out.collect();
    let again = |secret: SecretId, outcome: &Outcome| match outcome {
        Outcome::Failed(_) if left.contains(&secret) => out.get(&secret).copied(),
        // as soon as the one that it waits for is looked at
        Outcome::Waiting => {
            let set = looks.iter().find(|look| look.secret == secret)?.set;
            looks.iter().filter(|look| look.set == set).find_map(|look| out.get(&look.secret).copied())
        }
        _ => None,
    };
    let arrivals = outcomes.into_iter().map(|(secret, outcome)| {
        let started = begun.get(&secret).copied().unwrap_or(started);
        let again = again(secret, &outcome).map(Again::tick);
        Arrival { secret, started, asked, outcome, again }
    });
    let arrivals: Vec<Arrival> = arrivals.collect();
    config.look_again(out.into_iter().collect());
    let published = config.publish(arrivals);
    for (secret, kind) in sweep.give_back().await {
        tracing::error!(target: "secretfig", secret, reason = kind.as_str(), "what was made and refused could not be given back");
    }
    told(&asking.plan, &published, failed)
}

/// What came of looking at some secrets.
struct Seen {
    looks: Vec<Look>,
    outcomes: BTreeMap<SecretId, Outcome>,
    /// When the reads began of which there is an answer.
    begun: BTreeMap<SecretId, u64>,
    /// Those that were not asked for, since their breaker is open.
    left: BTreeSet<SecretId>,
}

/// Probes, reads what moved, lets sets come to rest and confirms steps back.
async fn look_at(config: &dyn Erased, asking: &Asking, looks: Vec<Look>, started: u64, until: Tick) -> Seen {
    let all: Vec<SecretId> = looks.iter().filter(|look| !look.read).map(|look| look.secret).collect();
    let probes = asking.probe(&all, until).await;
    let mut outcomes: BTreeMap<SecretId, Outcome> = BTreeMap::new();
    let mut to_fetch = Vec::new();
    let failing: BTreeSet<usize> = looks
        .iter()
        .filter(|look| matches!(probes.get(&look.secret), Some(Err(_))))
        .map(|look| look.set)
        .collect();
    for look in &looks {
        match probes.get(&look.secret) {
            Some(Ok(Probe::Current(now))) if Some(now) == look.revision.as_ref() => {
                outcomes.insert(look.secret, Outcome::Unchanged);
            }
            Some(Err(e)) => {
                outcomes.insert(look.secret, Outcome::Failed(e.clone()));
            }
            // what is made by being read is not made for nothing: its set would not be served
            None if failing.contains(&look.set) => {
                outcomes.insert(look.secret, Outcome::Waiting);
            }
            _ => to_fetch.push(look.secret),
        }
    }
    // someone who began later has read it already: a thousand who ask at once read it once
    let read = config.read_since(&to_fetch, started);
    let forced = |secret: &SecretId| looks.iter().any(|look| look.secret == *secret && look.read);
    to_fetch.retain(|secret| !read.contains(secret) || forced(secret));
    let (mut fetched, left) = asking.fetch_or_leave(&to_fetch, until).await;
    let mut unrest = settle_sets(asking, &looks, &outcomes, &mut fetched, until).await;
    for look in &looks {
        if let Some(Ok(new)) = fetched.get(&look.secret)
            && is_step_back(look, &new.revision)
            && !confirmed(asking, look, &new.revision, until).await
        {
            // seen once and not again: the next round looks anew, at its whole set
            unrest
                .stopped
                .extend(looks.iter().filter(|other| other.set == look.set).map(|other| other.secret));
        }
    }
    let mut begun: BTreeMap<SecretId, u64> = BTreeMap::new();
    for (secret, result) in fetched {
        begun.extend(result.as_ref().ok().map(|new| (secret, new.started)));
        let outcome = match result {
            Err(e) => Outcome::Failed(e),
            Ok(_) if unrest.torn.contains(&secret) => Outcome::Torn,
            Ok(_) if unrest.stopped.contains(&secret) => Outcome::Waiting,
            Ok(new) => Outcome::Got(new.fetched),
        };
        outcomes.insert(secret, outcome);
    }
    for (secret, e) in unrest.failed {
        outcomes.insert(secret, Outcome::Failed(e));
    }
    Seen { looks, outcomes, begun, left }
}

/// The looks that have nothing to do with each other apart: neither a source in common nor a set, also not by others
/// between them.
fn apart(plan: &Plan, looks: Vec<Look>) -> Vec<Vec<Look>> {
    let source = |look: &Look| plan.secrets.get(look.secret.0 as usize).map_or(0, |secret| secret.source);
    let mut groups: Vec<Vec<Look>> = Vec::new();
    for look in looks {
        let near = |other: &Look| other.set == look.set || source(other) == source(&look);
        let (mut with, without): (Vec<_>, Vec<_>) =
            groups.into_iter().partition(|group| group.iter().any(near));
        let mut group: Vec<Look> = with.drain(..).flatten().collect();
        group.push(look);
        groups = without;
        groups.push(group);
    }
    groups
}

/// Lets the sets in which something was read come to rest. A look at one member is a look at all.
async fn settle_sets(
    asking: &Asking,
    looks: &[Look],
    outcomes: &BTreeMap<SecretId, Outcome>,
    fetched: &mut BTreeMap<SecretId, Result<Got, SourceError>>,
    until: Tick,
) -> Unrest {
    let touched: BTreeSet<usize> =
        looks.iter().filter(|look| fetched.contains_key(&look.secret)).map(|look| look.set).collect();
    let mut read = BTreeMap::new();
    let mut sets: BTreeMap<usize, Vec<SecretId>> = BTreeMap::new();
    for look in looks.iter().filter(|look| touched.contains(&look.set)) {
        sets.entry(look.set).or_default().push(look.secret);
        let now = match fetched.get(&look.secret) {
            Some(Ok(new)) => Some(new.revision.clone()),
            _ => look.revision.clone(),
        };
        read.extend(now.map(|revision| (look.secret, revision)));
    }
    // a set of which a member could not even be looked at does not come to rest: it is not asked for once more
    let mut stopped = BTreeSet::new();
    for look in looks {
        match outcomes.get(&look.secret) {
            Some(Outcome::Failed(e)) if !is_taken_away(e.kind()) || look.revision.is_some() => {
                stopped.extend(sets.remove(&look.set).into_iter().flatten());
            }
            _ => {}
        }
    }
    let mut unrest = asking.rest(sets.into_values().collect(), &mut read, fetched, until).await;
    unrest.stopped.extend(stopped);
    unrest
}

fn is_step_back(look: &Look, revision: &Revision) -> bool {
    look.revision.as_ref() != Some(revision) && look.published.contains(revision)
}

/// A step back is believed when a second look sees it too.
async fn confirmed(asking: &Asking, look: &Look, new: &Revision, until: Tick) -> bool {
    match asking.probe(&[look.secret], until).await.remove(&look.secret) {
        Some(Ok(Probe::Current(now))) => now == *new,
        Some(Ok(_)) => match asking.fetch(&[look.secret], until).await.remove(&look.secret) {
            Some(Ok(again)) => again.revision == *new,
            _ => false,
        },
        _ => false,
    }
}

/// Logs what a publication did, and sums it up.
fn told(plan: &Plan, published: &Published, failed: Vec<SourceError>) -> Refreshed {
    let name = |id: &SecretId| plan.secrets.get(id.0 as usize).map(|secret| secret.ask.shared_name());
    for id in &published.changed {
        let secret = name(id);
        if published.stepped_back.contains(id) {
            tracing::warn!(target: "secretfig", secret = secret.as_deref(), "went back to a revision served before");
        } else {
            tracing::info!(target: "secretfig", secret = secret.as_deref(), "a new revision is served");
        }
    }
    for (id, why) in &published.refused {
        let secret = name(id);
        tracing::error!(target: "secretfig", secret = secret.as_deref(), fault = why, "a new revision was refused; the last good one is served on");
    }
    for e in &failed {
        tracing::warn!(target: "secretfig", error = %e, "a refresh failed; what is loaded is served on");
    }
    Refreshed {
        changed: published.changed.iter().filter_map(name).collect(),
        refused: published.refused.iter().filter_map(|(id, why)| Some((name(id)?, why.clone()))).collect(),
        failed,
    }
}
