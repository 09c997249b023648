//! The one critical section: assemble, compare, swap.
//!
//! A mutex that no reader takes, and no await inside. The Keeper, `refresh()` and `reload` call it; all fetching
//! happens before. One bad secret freezes nothing else: the sets that moved and are to blame fall back to their
//! last good revisions, and the rest is assembled again.

use crate::assemble::{Have, Made, Unmade};
#[cfg(feature = "figment")]
use crate::handed_out::HandedOut;
use crate::health::SectionHealth;
use crate::leases::{Desk, Unminted};
use crate::plan::{Plan, SecretId};
use crate::refresh::Erased;
use crate::report::Fault;
use crate::section::{Cell, Inner, Live, View};
use crate::store::{Freshness, Sets, Standing, State, TroubleKind, guards, is_taken_away, standing};
use crate::tree::{KeyPath, Why};
use arc_swap::ArcSwap;
use secretfig_source::{Fetched, SourceError, Tick};
use serde::de::DeserializeOwned;
use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Weak};
use std::time::SystemTime;
use tokio::sync::watch;

/// Assembles `T` from what the store has.
pub(crate) type Assemble<T> =
    Box<dyn Fn(&[Have], Option<SystemTime>) -> Result<Made<T>, Unmade> + Send + Sync>;

/// What came of looking at one secret.
pub(crate) struct Arrival {
    pub(crate) secret: SecretId,
    /// When the look began, by the stamp counter.
    pub(crate) started: u64,
    /// When it began, by the clock: from then on a lease counts.
    pub(crate) asked: Tick,
    pub(crate) outcome: Outcome,
    /// When it is worth another try, where nobody was asked for it, as a source is left alone.
    pub(crate) again: Option<Tick>,
}

/// What may be published.
struct Candidate {
    secret: SecretId,
    have: Have,
    started: u64,
    asked: Tick,
}

pub(crate) enum Outcome {
    /// The source answered, and nothing has moved.
    Unchanged,
    Got(Fetched),
    Failed(SourceError),
    /// Its set did not come to rest.
    Torn,
    /// It answered, and another of its set did not.
    Waiting,
}

/// What one publication did.
#[derive(Default)]
pub(crate) struct Published {
    /// Secrets whose new revision is now served.
    pub(crate) changed: Vec<SecretId>,
    /// Of those, steps back to a revision served before.
    pub(crate) stepped_back: Vec<SecretId>,
    /// Secrets whose new revision was refused, with the first fault.
    pub(crate) refused: Vec<(SecretId, String)>,
}

/// What a section's refresher sees.
pub(crate) struct Scene<'s, T> {
    pub(crate) made: &'s Made<T>,
    pub(crate) plan: &'s Plan,
    pub(crate) sets: &'s Sets,
    pub(crate) states: &'s [State],
    pub(crate) freshness: &'s Freshness,
    pub(crate) now: Tick,
}

/// Brings one section up to date and says how it stands; `None`: its handles are gone.
type Refresher<T> = Box<dyn FnMut(&Scene<'_, T>) -> Option<SectionHealth> + Send>;

pub(crate) struct Publisher<T> {
    pub(crate) plan: Arc<Plan>,
    pub(crate) freshness: Freshness,
    assemble: Option<Assemble<T>>,
    pub(crate) states: Vec<State>,
    pub(crate) sets: Sets,
    pub(crate) made: Arc<Made<T>>,
    /// The secrets that another layer overrides, in words. A health answer is asked for often, and finding them means
    /// reading every document: so once per publication.
    pub(crate) overridden: Vec<String>,
    /// What left by `expose`.
    #[cfg(feature = "figment")]
    pub(crate) handed_out: HandedOut,
    /// Leases that are served no more.
    pub(crate) desk: Desk,
    sections: Vec<Refresher<T>>,
    /// How the sections stood when they were last brought up to date.
    pub(crate) stand: Vec<SectionHealth>,
    /// How many sections there may be before those whose handles are gone are looked for.
    room: usize,
}

impl<T> Publisher<T> {
    pub(crate) fn new(
        plan: Arc<Plan>,
        freshness: Freshness,
        assemble: Option<Assemble<T>>,
        states: Vec<State>,
        made: Arc<Made<T>>,
        desk: Desk,
    ) -> Self {
        let sets = Sets::new(&plan, &made.lives);
        let overridden = overridden(&plan, &states);
        Self {
            plan,
            freshness,
            assemble,
            states,
            sets,
            made,
            overridden,
            #[cfg(feature = "figment")]
            handed_out: HandedOut::new(),
            desk,
            sections: Vec::new(),
            stand: Vec::new(),
            room: 64,
        }
    }

    /// What there is to read, of one moment.
    #[cfg(any(feature = "cli", feature = "figment"))]
    pub(crate) fn at_hand(&self) -> (Arc<Plan>, Vec<Have>) {
        (self.plan.clone(), self.states.iter().map(|state| state.have.clone()).collect())
    }

    fn scene(&self, now: Tick) -> Scene<'_, T> {
        let Self { made, plan, sets, states, freshness, .. } = self;
        Scene { made, plan, sets, states, freshness, now }
    }

    /// Takes arrivals in, publishes what makes a whole configuration, and brings every section up to date.
    pub(crate) fn publish(
        &mut self,
        arrivals: Vec<Arrival>,
        now: Tick,
        cell: &ArcSwap<Made<T>>,
    ) -> Published {
        let mut candidates: Vec<Candidate> = Vec::new();
        let minting: Vec<_> = arrivals.iter().map(|arrival| (arrival.secret, arrival.again)).collect();
        for Arrival { secret, started, asked, outcome, again } in arrivals {
            let Some(state) = self.states.get_mut(secret.0 as usize) else { continue };
            if started < state.started {
                continue; // something that began later is published already
            }
            match outcome {
                Outcome::Unchanged => state.well(now),
                Outcome::Waiting => state.seen = now,
                Outcome::Got(fetched) if state.revision() == Some(&fetched.revision) => {
                    state.started = started;
                    state.well(now);
                    state.read_again(&fetched, asked);
                }
                Outcome::Got(fetched) => {
                    state.seen = now; // it answered, whatever comes of it
                    candidates.push(Candidate { secret, have: Have::Got(Arc::new(fetched)), started, asked });
                }
                Outcome::Failed(e) => {
                    let was_absent = matches!(state.have, Have::Absent);
                    if was_absent && is_taken_away(e.kind()) {
                        state.seen = now;
                        continue;
                    }
                    state.trouble(TroubleKind::Source(e.kind()), now);
                    let failed = Unminted::Failed(e.kind());
                    state.not_minted(again.map_or(failed, Unminted::NotAsked), now);
                    if is_taken_away(e.kind()) {
                        state.seen = now; // it answered
                    }
                    let gone = state.gone.is_some_and(|gone| gone.sure);
                    if state.optional && gone && e.kind() == secretfig_source::ErrorKind::Absent {
                        candidates.push(Candidate { secret, have: Have::Absent, started, asked });
                    }
                }
                Outcome::Torn => {
                    state.seen = now;
                    state.trouble(TroubleKind::Torn, now);
                }
            }
        }
        let published = self.candidates(candidates, now, cell);
        for (secret, again) in minting {
            if let Some(state) = self.states.get_mut(secret.0 as usize) {
                state.not_minted(again.map_or(Unminted::Waiting, Unminted::NotAsked), now);
            }
        }
        #[cfg(feature = "figment")]
        if !published.changed.is_empty() {
            self.tell_restarts();
        }
        self.bring_up_to_date(now);
        published
    }

    fn candidates(&mut self, candidates: Vec<Candidate>, now: Tick, cell: &ArcSwap<Made<T>>) -> Published {
        let mut published = Published::default();
        let Some(assemble) = &self.assemble else { return published };
        let mut fallen: BTreeSet<usize> = BTreeSet::new();
        let made = loop {
            let moved: BTreeSet<usize> = candidates.iter().map(|new| self.sets.of(new.secret)).collect();
            let left: BTreeSet<usize> = moved.difference(&fallen).copied().collect();
            if left.is_empty() {
                break None;
            }
            let mut have: Vec<Have> = self.states.iter().map(|state| state.have.clone()).collect();
            for new in candidates.iter().filter(|new| left.contains(&self.sets.of(new.secret))) {
                have[new.secret.0 as usize] = new.have.clone();
            }
            match assemble(&have, None) {
                Ok(made) => break Some((made, left)),
                Err(unmade) => {
                    let blamed = blame(&self.plan, &self.sets, &unmade.faults, &left);
                    for new in candidates.iter().filter(|new| blamed.contains(&self.sets.of(new.secret))) {
                        let first = fault_of(&self.plan, new.secret, &unmade.faults);
                        published.refused.push((new.secret, first));
                    }
                    fallen.extend(blamed);
                }
            }
        };
        for (id, why) in &published.refused {
            if let Some(state) = self.states.get_mut(id.0 as usize) {
                state.trouble(TroubleKind::Refused(why.clone()), now);
                state.not_minted(Unminted::Refused, now);
            }
        }
        if let Some((mut made, left)) = made {
            for Candidate { secret: id, have, started, asked } in candidates {
                if !left.contains(&self.sets.of(id)) {
                    continue;
                }
                let state = &mut self.states[id.0 as usize];
                if let Have::Got(fetched) = &have
                    && state.is_step_back(&fetched.revision)
                {
                    published.stepped_back.push(id);
                }
                let lent = match &have {
                    Have::Got(fetched) => self.desk.lend(fetched, asked, state.lent.as_ref()),
                    Have::Absent | Have::Failed => None,
                };
                // from here on its successor is what readers get
                let replaced = state.publish(have, lent, started, now);
                self.desk.retire(replaced, id, now, self.freshness.overlap);
                published.changed.push(id);
            }
            made.leases = guards(&self.states);
            self.sets = Sets::new(&self.plan, &made.lives);
            self.made = Arc::new(made);
            self.overridden = overridden(&self.plan, &self.states);
            cell.store(self.made.clone());
        }
        published
    }

    /// Brings every section's view up to date; those whose handles are gone are forgotten.
    pub(crate) fn bring_up_to_date(&mut self, now: Tick) {
        let mut sections = std::mem::take(&mut self.sections);
        let scene = self.scene(now);
        let mut stand = Vec::with_capacity(sections.len());
        sections.retain_mut(|refresh| match catch_unwind(AssertUnwindSafe(|| refresh(&scene))) {
            Ok(None) => false,
            Ok(Some(section)) => {
                stand.push(section);
                true
            }
            Err(_) => {
                tracing::error!(
                    target: "secretfig",
                    "the application's own code panicked as a section was brought up to date; it stays as it was"
                );
                true
            }
        });
        self.sections = sections;
        self.stand = stand;
    }

    /// The first moment at which some section's view must flip, and the first look that is due.
    #[cfg_attr(
        all(target_family = "wasm", target_os = "unknown"),
        allow(dead_code, reason = "only the Keeper needs it, and there is none on the edge")
    )]
    pub(crate) fn next_wake(&self, now: Tick) -> Tick {
        let due = self.states.iter().map(|state| state.due);
        let ends =
            self.states.iter().filter_map(|state| state.until(&self.freshness)).map(|(until, _)| until);
        due.chain(ends.filter(|until| *until > now)).min().unwrap_or(Tick::FAR)
    }
}

impl<T: Send + Sync + 'static> Publisher<T> {
    /// Makes the cell of a section, kept up to date from now on.
    pub(crate) fn section<S: DeserializeOwned + Send + Sync + 'static>(
        &mut self,
        at: impl Fn(&T) -> Option<&Live<S>> + Send + 'static,
        fixed_path: Option<KeyPath>,
        parts: (Arc<std::sync::atomic::AtomicUsize>, Arc<dyn secretfig_source::Clock>, Weak<dyn Erased>),
    ) -> Option<Arc<Cell<S>>> {
        let (kept, clock, config) = parts;
        let (sender, changed) = watch::channel(0_u64);
        let now = clock.tick();
        if self.sections.len() >= self.room {
            // someone makes a handle per request: let it cost no more than it must
            self.bring_up_to_date(now);
            self.room = self.sections.len() * 2 + 64;
        }
        let view = self::view(&self.scene(now), &at, fixed_path.as_ref(), None)?;
        let cell = Arc::new(Cell { view: ArcSwap::from_pointee(view), kept, clock, changed, config });
        let weak = Arc::downgrade(&cell);
        self.sections.push(Box::new(move |scene| {
            let cell = weak.upgrade()?;
            let old = cell.view.load_full();
            let view = match self::view(scene, &at, fixed_path.as_ref(), Some(&old)) {
                Some(view) => view,
                // an optional part that went with its secret
                None => old.without_secret(),
            };
            let changed = view.revisions != old.revisions;
            let section = SectionHealth::of::<S>(&view, fixed_path.as_ref());
            section.tell(&old.withheld);
            cell.view.store(Arc::new(view));
            if changed {
                sender.send_modify(|n| *n = n.wrapping_add(1));
            }
            Some(section)
        }));
        Some(cell)
    }
}

fn overridden(plan: &Plan, states: &[State]) -> Vec<String> {
    let have: Vec<Have> = states.iter().map(|state| state.have.clone()).collect();
    let (parsed, _) = crate::assemble::parse(plan, &have);
    let remarks = crate::assemble::remarks(plan, &parsed, |why| why == Why::Overridden).into_iter();
    remarks.collect()
}

fn view<T, S: DeserializeOwned>(
    scene: &Scene<'_, T>,
    at: &dyn Fn(&T) -> Option<&Live<S>>,
    fixed_path: Option<&KeyPath>,
    old: Option<&View<S>>,
) -> Option<View<S>> {
    let live = at(&scene.made.value)?.0.clone();
    let path = fixed_path.or(live.path.as_ref());
    let stands = standing(scene.plan, scene.sets, scene.states, scene.freshness, path, scene.now);
    let same = old.is_some_and(|old| old.revisions == stands.revisions);
    let previous = match old.filter(|_| same) {
        Some(old) => old.previous.clone(),
        None => path.and_then(|path| previous(scene, path)),
    };
    let Standing { revisions, secrets, leases, until, withheld } = stands;
    Some(View { live, revisions, withheld, until, previous, secrets, leases })
}

/// Decodes the part at a path alone, with the previous document of its one secret.
fn previous<T, S: DeserializeOwned>(scene: &Scene<'_, T>, path: &KeyPath) -> Option<Arc<Inner<S>>> {
    let mut secrets: Vec<SecretId> = scene.plan.uses_at(path).map(|(_, used)| used.secret).collect();
    secrets.sort_unstable();
    secrets.dedup();
    let [only] = secrets[..] else { return None };
    let before = scene.states.get(only.0 as usize)?.previous.clone()?;
    let mut have: Vec<Have> = scene.states.iter().map(|state| state.have.clone()).collect();
    have[only.0 as usize] = Have::Got(before);
    let (parsed, _) = crate::assemble::parse(scene.plan, &have);
    let value = crate::assemble::merged(scene.plan, &parsed, false, |root| {
        crate::decode::decode_at::<S>(root, path, scene.plan.strict, &scene.plan.origins)
    })?;
    Some(Arc::new(Inner { path: Some(path.clone()), value }))
}

/// The sets to which faults are laid: those that moved and feed the path, else its nearest ancestor, else all
/// that moved.
fn blame(plan: &Plan, sets: &Sets, faults: &[Fault], moved: &BTreeSet<usize>) -> BTreeSet<usize> {
    let mut blamed = BTreeSet::new();
    for fault in faults {
        let mut at = Some(fault.key().clone());
        let feeding = loop {
            let Some(path) = at else { break moved.clone() };
            let feeding: BTreeSet<usize> = plan
                .uses_at(&path)
                .map(|(_, used)| sets.of(used.secret))
                .filter(|set| moved.contains(set))
                .collect();
            if !feeding.is_empty() && !path.is_root() {
                break feeding;
            }
            if path.is_root() {
                // a document at the root is a set by itself: it is to blame before all that moved are
                let root =
                    plan.uses.iter().filter(|used| used.path.is_root()).map(|used| sets.of(used.secret));
                let root: BTreeSet<usize> = root.filter(|set| moved.contains(set)).collect();
                break if root.is_empty() { moved.clone() } else { root };
            }
            at = path.parent();
        };
        blamed.extend(feeding);
    }
    if blamed.is_empty() { moved.clone() } else { blamed }
}

/// The first fault that lies where a secret is used, in words.
fn fault_of(plan: &Plan, secret: SecretId, faults: &[Fault]) -> String {
    let near = faults.iter().find(|fault| {
        let mut uses = plan.uses.iter().filter(|used| used.secret == secret);
        uses.any(|used| used.path.meets(fault.key()))
    });
    near.map_or_else(
        || "with it, the configuration is not whole".to_owned(),
        |fault| format!("{}: {}", fault.key(), fault.kind()),
    )
}
