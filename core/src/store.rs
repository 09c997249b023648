//! The last good document of every secret, and what is known of its state: the only home of values besides the
//! snapshot.

use crate::assemble::Have;
use crate::leases::{LeaseGuard, Lent, Unminted};
use crate::plan::{Plan, SecretId, Use};
use crate::section::{Cause, Revisions, Withheld};
use crate::tree::KeyPath;
use secretfig_source::{ErrorKind, Fetched, Revision, Tick};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

/// How long what is served, in which case. The defaults are the documented ones.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Freshness {
    pub(crate) ttl: Duration,
    pub(crate) max_stale: Duration,
    pub(crate) revoked_grace: Duration,
    /// How long a lease that was replaced is kept for those who still read its value.
    pub(crate) overlap: Duration,
    /// Whether an outage ends in a withheld section.
    pub(crate) withhold_stale: bool,
}

impl Default for Freshness {
    fn default() -> Self {
        Self {
            ttl: Duration::from_secs(5 * 60),
            max_stale: Duration::from_secs(24 * 3600),
            revoked_grace: Duration::from_secs(5 * 60),
            overlap: Duration::from_secs(5 * 60),
            withhold_stale: true,
        }
    }
}

/// One secret.
pub(crate) struct State {
    pub(crate) have: Have,
    /// The lease that came with it.
    pub(crate) lent: Option<Lent>,
    /// Whether another is being made in its place.
    pub(crate) minting: bool,
    /// When the fetch that is published began, by the stamp counter.
    pub(crate) started: u64,
    /// What was current before, where a use keeps it.
    pub(crate) previous: Option<Arc<Fetched>>,
    /// The revisions this process has published, without values; the last is the current one.
    pub(crate) published: VecDeque<Revision>,
    /// When the source last answered: a probe or a fetch.
    pub(crate) seen: Tick,
    /// When to look again.
    pub(crate) due: Tick,
    pub(crate) trouble: Option<Trouble>,
    /// Since when the manager says that it was taken away; only an answer that has it ends that.
    pub(crate) gone: Option<Gone>,
    pub(crate) ttl: Duration,
    pub(crate) keep_previous: bool,
    /// Whether every use of it is optional.
    pub(crate) optional: bool,
}

/// What is wrong with a secret at present.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Trouble {
    pub(crate) kind: TroubleKind,
    pub(crate) since: Tick,
}

/// Sightings of a secret that was taken away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Gone {
    pub(crate) since: Tick,
    last: Tick,
    /// Whether it was seen twice, at two moments.
    pub(crate) sure: bool,
}

/// Two sightings within this time are one: a file that is written anew is away for a moment.
const MOMENT: Duration = Duration::from_secs(2);

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum TroubleKind {
    Source(ErrorKind),
    /// The new revision does not make a whole configuration; the faults, value-free.
    Refused(String),
    /// The secrets of its set did not come to rest.
    Torn,
}

/// Revisions remembered, to tell a step back from a step ahead.
const REMEMBERED: usize = 8;

impl State {
    pub(crate) fn new(
        plan: &Plan,
        secret: SecretId,
        freshness: &Freshness,
        of_source: Option<Duration>,
    ) -> Self {
        let uses: Vec<&Use> = plan.uses.iter().filter(|used| used.secret == secret).collect();
        let ttl = uses.iter().filter_map(|used| used.wanted.ttl).min();
        Self {
            have: Have::Failed,
            lent: None,
            minting: false,
            started: 0,
            previous: None,
            published: VecDeque::new(),
            seen: Tick::default(),
            due: Tick::default(),
            trouble: None,
            gone: None,
            ttl: ttl.or(of_source).unwrap_or(freshness.ttl).max(Duration::from_secs(1)),
            keep_previous: uses.iter().any(|used| used.wanted.keep_previous),
            optional: !uses.is_empty() && uses.iter().all(|used| used.wanted.optional),
        }
    }

    pub(crate) fn revision(&self) -> Option<&Revision> {
        match &self.have {
            Have::Got(fetched) => Some(&fetched.revision),
            Have::Absent | Have::Failed => None,
        }
    }

    /// Whether publishing this revision would be a step back.
    pub(crate) fn is_step_back(&self, revision: &Revision) -> bool {
        self.revision() != Some(revision) && self.published.contains(revision)
    }

    /// Takes a new document in, with its lease; gives the lease that it replaces.
    pub(crate) fn publish(
        &mut self,
        have: Have,
        lent: Option<Lent>,
        started: u64,
        now: Tick,
    ) -> Option<Lent> {
        if let (true, Have::Got(old)) = (self.keep_previous, &self.have) {
            self.previous = Some(old.clone());
        }
        if let Have::Got(fetched) = &have {
            self.published.retain(|revision| *revision != fetched.revision);
            self.published.push_back(fetched.revision.clone());
            while self.published.len() > REMEMBERED {
                self.published.pop_front();
            }
        }
        self.have = have;
        self.started = started;
        self.minting = false;
        self.well(now);
        std::mem::replace(&mut self.lent, lent)
    }

    /// It was read again and is what it was: a lease that reads the same again goes on from there.
    pub(crate) fn read_again(&mut self, fetched: &Fetched, asked: Tick) {
        if let (Some(lent), Some(lease), true) = (&mut self.lent, &fetched.lease, fetched.repeatable) {
            lent.life.renewed(asked, lease, crate::runtime::random());
            self.minting = false;
        }
    }

    /// What was to take the place of its lease did not come.
    pub(crate) fn not_minted(&mut self, why: Unminted, now: Tick) {
        if std::mem::take(&mut self.minting)
            && let Some(lent) = &mut self.lent
        {
            lent.life.not_minted(now, why, crate::runtime::random());
        }
    }

    /// The source answered, and all is well.
    pub(crate) fn well(&mut self, now: Tick) {
        self.seen = now;
        self.trouble = None;
        self.gone = None;
    }

    /// Notes that something went wrong.
    pub(crate) fn trouble(&mut self, kind: TroubleKind, now: Tick) {
        if matches!(kind, TroubleKind::Source(kind) if is_taken_away(kind)) {
            match &mut self.gone {
                None => self.gone = Some(Gone { since: now, last: now, sure: false }),
                Some(gone) => {
                    gone.sure |= now.since(gone.last) >= MOMENT;
                    gone.last = now;
                }
            }
        }
        match &mut self.trouble {
            Some(trouble) if trouble.kind == kind => {}
            other => *other = Some(Trouble { kind, since: now }),
        }
    }

    /// Whether reading it again gives the same.
    pub(crate) fn is_repeatable(&self) -> bool {
        !matches!(&self.have, Have::Got(fetched) if !fetched.repeatable)
    }

    /// Until when what is held may be used, and why not after that.
    pub(crate) fn until(&self, freshness: &Freshness) -> Option<(Tick, Cause)> {
        let lease = match &self.have {
            Have::Got(_) => self.lent.as_ref().map(|lent| (lent.life.ends, Cause::LeaseEnded)),
            Have::Absent | Have::Failed => return None,
        };
        // a lease says itself how long it may be used without asking
        let stale = (freshness.withhold_stale && lease.is_none())
            .then(|| (self.seen.after(freshness.max_stale), Cause::Stale));
        // a deletion counts once it was seen twice
        let gone = self.gone.filter(|gone| gone.sure);
        let gone = gone.map(|gone| (gone.since.after(freshness.revoked_grace), Cause::Withdrawn));
        [gone, lease, stale].into_iter().flatten().min_by_key(|(until, _)| *until)
    }
}

pub(crate) fn is_taken_away(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::Absent | ErrorKind::Withdrawn(_))
}

/// Which secrets fall back, go stale and are withheld together: all that feed one `Live`; sets that share a secret
/// are one. Each other secret is a set by itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sets {
    of: Vec<usize>,
}

impl Sets {
    pub(crate) fn new(plan: &Plan, lives: &[KeyPath]) -> Self {
        let mut of: Vec<usize> = (0..plan.secrets.len()).collect();
        for live in lives {
            let mut feeding = plan.uses_at(live).map(|(_, used)| used.secret.0 as usize);
            let Some(first) = feeding.next() else { continue };
            for other in feeding {
                let (a, b) = (of[first], of[other]);
                of.iter_mut().filter(|set| **set == b).for_each(|set| *set = a);
            }
        }
        Self { of }
    }

    pub(crate) fn of(&self, secret: SecretId) -> usize {
        self.of.get(secret.0 as usize).copied().unwrap_or(secret.0 as usize)
    }

    pub(crate) fn members(&self, set: usize) -> Vec<SecretId> {
        let members = self.of.iter().enumerate().filter(|(_, of)| **of == set);
        members.map(|(n, _)| SecretId::nth(n)).collect()
    }
}

/// The guards of all leases that are served.
pub(crate) fn guards(states: &[State]) -> Vec<Arc<LeaseGuard>> {
    states.iter().filter_map(|state| state.lent.as_ref()).map(|lent| lent.guard.clone()).collect()
}

/// How a section stands.
pub(crate) struct Standing {
    pub(crate) revisions: Revisions,
    /// The secrets of its set.
    pub(crate) secrets: Arc<[SecretId]>,
    /// Of the leases of those.
    pub(crate) leases: Vec<Arc<LeaseGuard>>,
    /// When it ends, and what is said of it from then on.
    pub(crate) until: Option<(Tick, Withheld)>,
    pub(crate) withheld: Option<Withheld>,
}

/// The standing of the section at a path; without a path it is that of all secrets.
pub(crate) fn standing(
    plan: &Plan,
    sets: &Sets,
    states: &[State],
    freshness: &Freshness,
    path: Option<&KeyPath>,
    now: Tick,
) -> Standing {
    let secrets: Vec<SecretId> = match path {
        None => (0..plan.secrets.len()).map(SecretId::nth).collect(),
        Some(path) => {
            let mut sets_of: Vec<usize> = plan.uses_at(path).map(|(_, used)| sets.of(used.secret)).collect();
            sets_of.sort_unstable();
            sets_of.dedup();
            sets_of.into_iter().flat_map(|set| sets.members(set)).collect()
        }
    };
    let of = |id: &SecretId| Some((plan.secrets.get(id.0 as usize)?, states.get(id.0 as usize)?));
    // a document at the root feeds every section; it is a set by itself all the same
    let root = plan.uses.iter().filter(|used| path.is_some() && used.path.is_root()).map(|used| used.secret);
    let root: Vec<SecretId> = root.filter(|secret| !secrets.contains(secret)).collect();
    let leases = secrets.iter().chain(&root).filter_map(of).filter_map(|(_, state)| state.lent.as_ref());
    let leases = leases.map(|lent| lent.guard.clone()).collect();
    let revisions = secrets
        .iter()
        .chain(&root)
        .filter_map(of)
        .filter_map(|(secret, state)| Some((secret.ask.shared_name(), state.revision()?.clone())));
    let ends = secrets.iter().filter_map(of).filter_map(|(secret, state)| {
        let (until, cause) = state.until(freshness)?;
        Some((until, cause, secret.ask.shared_name()))
    });
    let first = ends.min_by_key(|(until, ..)| *until);
    let until = first.map(|(until, cause, name)| (until, Withheld::new(cause, Some(name))));
    let withheld = until.as_ref().filter(|(until, _)| *until <= now).map(|(_, withheld)| withheld.clone());
    let revisions = revisions.collect();
    let secrets = secrets.iter().chain(&root).copied().collect();
    Standing { revisions, secrets, leases, until, withheld }
}

#[cfg(test)]
mod tests {
    use super::*;
    use secretfig_source::{Document, Lease, Withdrawn};

    fn state() -> State {
        State {
            have: Have::Got(Arc::new(Fetched::new(Document::from_text("x"), Revision::new("1")))),
            lent: None,
            minting: false,
            started: 0,
            previous: None,
            published: VecDeque::from([Revision::new("1")]),
            seen: Tick::from_start(Duration::from_secs(100)),
            due: Tick::default(),
            trouble: None,
            gone: None,
            ttl: Duration::from_secs(300),
            keep_previous: false,
            optional: false,
        }
    }

    fn tick(seconds: u64) -> Tick {
        Tick::from_start(Duration::from_secs(seconds))
    }

    #[test]
    fn stale_counts_from_the_last_answer() {
        let freshness = Freshness::default();
        assert_eq!(state().until(&freshness), Some((tick(100 + 24 * 3600), Cause::Stale)));
        let serve = Freshness { withhold_stale: false, ..freshness };
        assert_eq!(state().until(&serve), None);
    }

    #[test]
    fn a_deletion_counts_when_it_was_seen_twice_and_a_denial_never() {
        let freshness = Freshness::default();
        let mut state = state();
        let deleted = TroubleKind::Source(ErrorKind::Withdrawn(Withdrawn::Deleted));
        state.trouble(deleted.clone(), tick(200));
        assert_eq!(state.until(&freshness).unwrap().1, Cause::Stale);
        state.trouble(deleted, tick(300));
        assert_eq!(state.until(&freshness), Some((tick(500), Cause::Withdrawn)));
        // an outage in between does not undo it; an answer that has it does
        state.trouble(TroubleKind::Source(ErrorKind::Timeout), tick(350));
        assert_eq!(state.until(&freshness), Some((tick(500), Cause::Withdrawn)));
        state.well(tick(360));
        state.trouble(TroubleKind::Source(ErrorKind::Denied), tick(400));
        state.trouble(TroubleKind::Source(ErrorKind::Denied), tick(410));
        assert_eq!(state.until(&freshness).unwrap().1, Cause::Stale);
    }

    #[test]
    fn a_lease_ends_what_it_came_with() {
        let mut state = state();
        let lease = Lease::new("id", Duration::from_secs(10), true);
        let fetched = Fetched::new(Document::from_text("x"), Revision::new("1")).lease(lease);
        state.lent = Lent::new(&fetched, tick(50), None, &Arc::default());
        state.have = Have::Got(Arc::new(fetched));
        assert_eq!(state.until(&Freshness::default()), Some((tick(60), Cause::LeaseEnded)));
    }

    #[test]
    fn a_step_back_is_a_revision_published_before() {
        let mut state = state();
        let fetched =
            |id: &str| Have::Got(Arc::new(Fetched::new(Document::from_text("x"), Revision::new(id))));
        state.publish(fetched("2"), None, 1, tick(1));
        assert!(state.is_step_back(&Revision::new("1")));
        assert!(!state.is_step_back(&Revision::new("2")) && !state.is_step_back(&Revision::new("3")));
        for n in 3..=9 {
            state.publish(fetched(&n.to_string()), None, n, tick(1));
        }
        assert!(!state.is_step_back(&Revision::new("1")), "only the last eight are remembered");
    }
}
