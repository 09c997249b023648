//! What is held, and by which rules: pure, of time as an argument. The rules are the core's, in as many lines as the
//! edge has room for.

use crate::failure::Flaw;
use crate::tree;
use secretfig_source::{Ask, ErrorKind, Fetched, Node, Reading, Revision, SourceError, Tick};
use std::collections::BTreeMap;
use std::time::Duration;

/// One wanted secret: its name, and how it is read.
#[derive(Clone, Debug)]
pub(crate) struct Wanted {
    pub(crate) ask: Ask,
    pub(crate) reading: Reading,
    pub(crate) optional: bool,
    pub(crate) ttl: Option<Duration>,
}

impl Wanted {
    pub(crate) fn new(name: &str) -> Self {
        Self { ask: Ask::new(name), reading: Reading::default(), optional: false, ttl: None }
    }
}

/// How long what is served. The defaults are the core's.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Freshness {
    pub(crate) ttl: Duration,
    pub(crate) max_stale: Duration,
}

impl Default for Freshness {
    fn default() -> Self {
        Self { ttl: Duration::from_secs(5 * 60), max_stale: Duration::from_secs(24 * 3600) }
    }
}

/// How long a value is served after its secret was taken away.
const REVOKED_GRACE: Duration = Duration::from_secs(5 * 60);

/// Two sightings of a deletion within this time are one.
const MOMENT: Duration = Duration::from_secs(2);

/// What did not answer is left alone for this long, or for a ttl where that is shorter: not every request asks it.
const PAUSE: Duration = Duration::from_secs(30);

/// Revisions remembered, to tell a step back from a step ahead.
const REMEMBERED: usize = 8;

/// Where a secret goes.
struct Use {
    key: String,
    secret: usize,
    reading: Reading,
}

/// What the source gave last. A value is read out of its document at each assembly.
#[derive(Clone)]
pub(crate) enum Have {
    Got(Fetched),
    Absent,
}

/// One secret.
struct State {
    ask: Ask,
    ttl: Duration,
    /// Whether every use of it is optional.
    optional: bool,
    have: Have,
    /// When the read began that is served, by a count of reads.
    begun: u64,
    /// The last one is the current one.
    published: Vec<Revision>,
    /// When the source last answered.
    seen: Tick,
    due: Tick,
    /// When the lease ends that it came with.
    ends: Option<Tick>,
    /// The first and the last sighting of its being taken away, and whether those are two.
    gone: Option<(Tick, Tick, bool)>,
}

/// Why a value is withheld: of which secret, and since when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cause {
    Stale,
    Withdrawn,
    LeaseEnded,
}

/// What is to be put in place of a state's document.
pub(crate) struct Candidate {
    pub(crate) secret: usize,
    pub(crate) have: Have,
    /// By a count of reads, and when.
    pub(crate) begun: u64,
    pub(crate) asked: Tick,
}

impl Candidate {
    pub(crate) fn revision(&self) -> Option<&Revision> {
        self.have.revision()
    }
}

impl Have {
    fn revision(&self) -> Option<&Revision> {
        match self {
            Have::Got(fetched) => Some(&fetched.revision),
            Have::Absent => None,
        }
    }
}

/// All that is held: the documents, and the tree they make.
pub(crate) struct Hold {
    uses: Vec<Use>,
    states: Vec<State>,
    freshness: Freshness,
    root: Node,
}

impl Hold {
    /// Nothing is held yet.
    pub(crate) fn new(wanted: Vec<(String, Wanted)>, freshness: Freshness) -> Self {
        let (mut uses, mut states) = (Vec::new(), Vec::<State>::new());
        for (key, Wanted { ask, reading, optional, ttl }) in wanted {
            // at least a second, or every read would be a look
            let ttl = ttl.unwrap_or(freshness.ttl).max(Duration::from_secs(1));
            let secret = match states.iter_mut().position(|state| state.ask == ask) {
                Some(n) => {
                    if let Some(state) = states.get_mut(n) {
                        state.ttl = state.ttl.min(ttl);
                        state.optional &= optional;
                    }
                    n
                }
                None => {
                    states.push(State::new(ask, ttl, optional));
                    states.len() - 1
                }
            };
            uses.push(Use { key, secret, reading });
        }
        Self { uses, states, freshness, root: Node::Table(BTreeMap::new()) }
    }

    pub(crate) fn root(&self) -> &Node {
        &self.root
    }

    pub(crate) fn ask(&self, secret: usize) -> Option<&Ask> {
        self.states.get(secret).map(|state| &state.ask)
    }

    /// It is optional, and nothing of it is held.
    pub(crate) fn may_be_absent(&self, secret: usize) -> bool {
        self.states.get(secret).is_some_and(|state| state.optional && matches!(state.have, Have::Absent))
    }

    /// The secrets to be looked at: those that are due, or all. They are due again after `claim`, so that others leave
    /// them to who asks now; if that one's request ends unheard, the next one looks.
    pub(crate) fn looks(&mut self, all: bool, now: Tick, claim: Duration) -> Vec<usize> {
        let mut looks = Vec::new();
        for (n, state) in self.states.iter_mut().enumerate() {
            if all || state.due <= now {
                state.due = now.after(claim);
                looks.push(n);
            }
        }
        looks
    }

    pub(crate) fn is_due(&self, now: Tick) -> bool {
        self.states.iter().any(|state| state.due <= now)
    }

    /// Whether it was made by being read, and so is not read again before half its lease is over.
    pub(crate) fn is_lent(&self, secret: usize, now: Tick) -> bool {
        let Some(state) = self.states.get(secret) else { return false };
        let (Have::Got(fetched), Some(ends)) = (&state.have, state.ends) else { return false };
        let half = fetched.lease.as_ref().map_or(Duration::ZERO, |lease| lease.lives() / 2);
        now.after(half) < ends
    }

    /// Whether it is what is served.
    pub(crate) fn is_held(&self, candidate: &Candidate) -> bool {
        self.states.get(candidate.secret).is_some_and(|state| state.have.revision() == candidate.revision())
    }

    /// Whether it would be a step back to what was served before.
    pub(crate) fn is_step_back(&self, candidate: &Candidate) -> bool {
        let Some(state) = self.states.get(candidate.secret) else { return false };
        candidate.revision().is_some_and(|revision| state.published.contains(revision))
    }

    /// It is as it was.
    pub(crate) fn well(&mut self, secret: usize, now: Tick, random: u64) {
        if let Some(state) = self.states.get_mut(secret) {
            state.well(now, random);
        }
    }

    /// It could not be had.
    pub(crate) fn failed(&mut self, secret: usize, error: &SourceError, now: Tick, random: u64) {
        let Some(state) = self.states.get_mut(secret) else { return };
        let mut pause = jittered(PAUSE.min(state.ttl), random);
        match error.kind() {
            ErrorKind::Absent | ErrorKind::Withdrawn(_) => {
                let (first, last, sure) = state.gone.unwrap_or((now, now, false));
                state.gone = Some((first, now, sure || now.since(last) >= MOMENT));
            }
            ErrorKind::Throttled { retry_after: Some(wait) } => pause = pause.max(wait.min(state.ttl)),
            _ => {}
        }
        state.due = now.after(pause);
    }

    /// Takes these in where a whole tree comes out that `fits`; all of them or none.
    ///
    /// # Errors
    /// What is wrong with the tree.
    pub(crate) fn publish(
        &mut self,
        candidates: &[Candidate],
        now: Tick,
        random: u64,
        fits: &dyn Fn(&Node) -> Vec<Flaw>,
    ) -> Result<Vec<usize>, Vec<Flaw>> {
        let newer = |candidate: &&Candidate| {
            self.states.get(candidate.secret).is_some_and(|state| state.begun < candidate.begun)
        };
        let taken: Vec<&Candidate> = candidates.iter().filter(newer).collect();
        let root =
            self.assembled(&|secret| match taken.iter().find(|candidate| candidate.secret == secret) {
                Some(candidate) => Some(&candidate.have),
                None => self.states.get(secret).map(|state| &state.have),
            })?;
        let flaws = fits(&root);
        if !flaws.is_empty() {
            return Err(flaws);
        }
        self.root = root;
        let mut changed = Vec::new();
        for Candidate { secret, have, begun, asked } in taken {
            let Some(state) = self.states.get_mut(*secret) else { continue };
            state.have = have.clone();
            state.begun = *begun;
            state.ends = None;
            if let Have::Got(fetched) = have {
                state.published.retain(|revision| *revision != fetched.revision);
                state.published.push(fetched.revision.clone());
                if state.published.len() > REMEMBERED {
                    state.published.remove(0);
                }
                state.ends = fetched.lease.as_ref().map(|lease| asked.after(lease.lives()));
            }
            state.well(now, random);
            changed.push(*secret);
        }
        Ok(changed)
    }

    fn assembled<'h>(&self, have: &dyn Fn(usize) -> Option<&'h Have>) -> Result<Node, Vec<Flaw>> {
        let (mut root, mut flaws) = (Node::Table(BTreeMap::new()), Vec::new());
        for used in &self.uses {
            let Some(Have::Got(fetched)) = have(used.secret) else { continue };
            match fetched.document.read(&used.reading) {
                Ok(node) if used.key.is_empty() && !matches!(node, Node::Table(_)) => {
                    flaws.push(self.malformed(used, &used.key, "only a table has room at the root"));
                }
                Ok(node) => match tree::beyond(&node, &used.key) {
                    None => tree::put(&mut root, &used.key, node),
                    Some(key) => {
                        flaws.push(self.malformed(used, &key, "a number that JavaScript has no room for"));
                    }
                },
                Err(malformed) => {
                    let key = malformed.path().fold(used.key.clone(), |key, part| tree::join(&key, part));
                    flaws.push(self.malformed(used, &key, malformed.reason()));
                }
            }
        }
        if flaws.is_empty() { Ok(root) } else { Err(flaws) }
    }

    fn malformed(&self, used: &Use, key: &str, reason: &str) -> Flaw {
        let name = self.ask(used.secret).map(Ask::name).unwrap_or_default();
        Flaw::of_document(key, name, reason)
    }

    /// The keys at which a secret is wanted.
    pub(crate) fn keys(&self, secret: usize) -> impl Iterator<Item = &str> {
        self.uses.iter().filter(move |used| used.secret == secret).map(|used| used.key.as_str())
    }

    /// Why the section that this path leads into must not be used any more, and the secret that it is about.
    pub(crate) fn withheld(&self, path: &str, now: Tick) -> Option<(Cause, &str)> {
        let name = path.split('.').next().unwrap_or_default();
        let feeding = self.uses.iter().filter(|used| used.key.is_empty() || tree::meet(&used.key, name));
        let states = feeding.filter_map(|used| self.states.get(used.secret));
        states.filter_map(|state| Some((state.withheld(&self.freshness, now)?, state.ask.name()))).next()
    }

    /// Where each leaf came from, in the order of the keys: the secret, and those it beat.
    pub(crate) fn origins(&self) -> Vec<Origin<'_>> {
        let mut origins = BTreeMap::new();
        tree::leaves(&self.root, String::new(), &mut |key| {
            let mut from = self.uses.iter().filter_map(|used| {
                let state = self.states.get(used.secret)?;
                let Have::Got(fetched) = &state.have else { return None };
                let gives = used.key.is_empty() || tree::is_under(&key, &used.key);
                let node = gives.then(|| fetched.document.read(&used.reading).ok())??;
                let inside = key.get(used.key.len()..).unwrap_or_default().trim_start_matches('.');
                let there = inside.is_empty()
                    || tree::at(&node, inside).is_some_and(|node| !matches!(node, Node::Null));
                there.then(|| (state.ask.name(), fetched.revision.clone()))
            });
            // the last one has won
            let mut all: Vec<_> = from.by_ref().collect();
            if let Some((secret, revision)) = all.pop() {
                let beaten = all.into_iter().map(|(name, _)| name).collect();
                origins.insert(key.clone(), Origin { key, secret, revision, beaten });
            }
        });
        origins.into_values().collect()
    }
}

/// Where one key came from.
pub(crate) struct Origin<'h> {
    pub(crate) key: String,
    pub(crate) secret: &'h str,
    pub(crate) revision: Revision,
    pub(crate) beaten: Vec<&'h str>,
}

impl State {
    fn new(ask: Ask, ttl: Duration, optional: bool) -> Self {
        let (seen, due) = (Tick::default(), Tick::default());
        Self {
            ask,
            ttl,
            optional,
            have: Have::Absent,
            begun: 0,
            published: Vec::new(),
            seen,
            due,
            ends: None,
            gone: None,
        }
    }

    fn well(&mut self, now: Tick, random: u64) {
        self.seen = now;
        self.gone = None;
        self.due = now.after(jittered(self.ttl, random));
    }

    fn withheld(&self, freshness: &Freshness, now: Tick) -> Option<Cause> {
        if matches!(self.have, Have::Absent) {
            return None;
        }
        // a lease says itself how long it may be used without asking
        let ends = match self.ends {
            Some(ends) => (ends, Cause::LeaseEnded),
            None => (self.seen.after(freshness.max_stale), Cause::Stale),
        };
        // a deletion counts once it was seen twice
        let gone = self.gone.filter(|(_, _, sure)| *sure);
        let gone = gone.map(|(first, ..)| (first.after(REVOKED_GRACE), Cause::Withdrawn));
        gone.into_iter().chain([ends]).find(|(until, _)| *until <= now).map(|(_, cause)| cause)
    }
}

/// A time drawn uniformly from [ttl/2, ttl].
pub(crate) fn jittered(ttl: Duration, random: u64) -> Duration {
    let half = u64::try_from(ttl.as_millis() / 2).unwrap_or(u64::MAX / 2);
    let share = (u128::from(half) * u128::from(random >> 32)) >> 32;
    Duration::from_millis(half.saturating_add(u64::try_from(share).unwrap_or(half)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use secretfig_source::{Document, Lease, Withdrawn};

    fn at(seconds: u64) -> Tick {
        Tick::from_start(Duration::from_secs(seconds))
    }

    fn hold(secrets: &[(&str, &str, bool)]) -> Hold {
        let wanted = |(key, name, optional): &(&str, &str, bool)| {
            ((*key).to_owned(), Wanted { optional: *optional, ..Wanted::new(name) })
        };
        Hold::new(secrets.iter().map(wanted).collect(), Freshness::default())
    }

    fn got(secret: usize, begun: u64, revision: &str, json: &str) -> Candidate {
        let have = Have::Got(Fetched::new(Document::from_text(json), Revision::new(revision)));
        Candidate { secret, have, begun, asked: at(0) }
    }

    fn publish(hold: &mut Hold, candidates: &[Candidate], now: u64) -> Result<Vec<usize>, Vec<Flaw>> {
        hold.publish(candidates, at(now), 0, &|_| Vec::new())
    }

    fn value(hold: &Hold, path: &str) -> Option<String> {
        tree::text(tree::at(hold.root(), path)?).map(str::to_owned)
    }

    fn absent() -> SourceError {
        SourceError::new(ErrorKind::Withdrawn(Withdrawn::Deleted), "vault")
    }

    #[test]
    fn a_whole_tree_is_taken_in_or_nothing_of_it() {
        let mut hold = hold(&[("a", "one", false), ("b", "two", false)]);
        let first = [got(0, 1, "1", r#"{"x": "first"}"#), got(1, 1, "1", r#"{"y": "first"}"#)];
        assert_eq!(publish(&mut hold, &first, 1), Ok(vec![0, 1]));
        let broken = [got(0, 2, "2", r#"{"x": "second"}"#), got(1, 2, "2", r#"{"y": 1e999}"#)];
        let flaws = publish(&mut hold, &broken, 2).unwrap_err();
        assert_eq!(flaws.iter().map(|flaw| flaw.key.as_str()).collect::<Vec<_>>(), ["b.y"]);
        assert_eq!(value(&hold, "a.x").as_deref(), Some("first"));
        // alone, the sound one is
        assert_eq!(publish(&mut hold, &broken[..1], 2), Ok(vec![0]));
        assert_eq!((value(&hold, "a.x"), value(&hold, "b.y")), (Some("second".into()), Some("first".into())));
    }

    #[test]
    fn a_read_that_began_earlier_replaces_nothing() {
        let mut hold = hold(&[("a", "one", false)]);
        assert_eq!(publish(&mut hold, &[got(0, 2, "2", r#"{"x": "later"}"#)], 1), Ok(vec![0]));
        assert_eq!(publish(&mut hold, &[got(0, 1, "1", r#"{"x": "earlier"}"#)], 2), Ok(vec![]));
        assert_eq!(value(&hold, "a.x").as_deref(), Some("later"));
        assert!(hold.is_held(&got(0, 3, "2", "{}")) && !hold.is_step_back(&got(0, 3, "3", "{}")));
        assert_eq!(publish(&mut hold, &[got(0, 3, "3", r#"{"x": "third"}"#)], 3), Ok(vec![0]));
        assert!(hold.is_step_back(&got(0, 4, "2", "{}")) && !hold.is_step_back(&got(0, 4, "4", "{}")));
    }

    #[test]
    fn who_looks_is_left_alone_for_a_while_and_what_failed_too() {
        let mut hold = hold(&[("a", "one", false)]);
        assert_eq!(hold.looks(false, at(1), Duration::from_secs(12)), [0]);
        assert!(hold.looks(false, at(12), Duration::from_secs(12)).is_empty());
        assert_eq!(hold.looks(true, at(12), Duration::from_secs(12)), [0]);
        publish(&mut hold, &[got(0, 1, "1", r#"{"x": "y"}"#)], 20).unwrap();
        // from half a ttl on: its random is 0
        assert!(!hold.is_due(at(169)) && hold.is_due(at(170)));
        let throttled = ErrorKind::Throttled { retry_after: Some(Duration::from_secs(90)) };
        hold.failed(0, &SourceError::new(throttled, "vault"), at(200), 0);
        assert!(!hold.is_due(at(289)) && hold.is_due(at(290)));
    }

    #[test]
    fn what_is_held_is_served_to_its_end_and_no_longer() {
        let mut hold = hold(&[("a", "one", false), ("b", "two", false), ("c", "three", true)]);
        let mut lent = got(1, 1, "1", r#"{"user": "u"}"#);
        if let Have::Got(fetched) = &mut lent.have {
            fetched.lease = Some(Lease::new("id", Duration::from_secs(3600), true));
        }
        publish(&mut hold, &[got(0, 1, "1", r#"{"x": "y"}"#), lent], 10).unwrap();
        assert!(hold.may_be_absent(2) && !hold.may_be_absent(0));
        assert!(hold.is_lent(1, at(1799)) && !hold.is_lent(1, at(1800)) && !hold.is_lent(0, at(10)));
        let day = 24 * 3600;
        assert_eq!((hold.withheld("a.x", at(day + 9)), hold.withheld("c", at(day + 9))), (None, None));
        assert_eq!(hold.withheld("a.x", at(day + 10)), Some((Cause::Stale, "one")));
        // from the asking on, for that is when the lease may have begun
        assert_eq!(hold.withheld("b", at(3599)), None);
        assert_eq!(hold.withheld("b.user", at(3600)), Some((Cause::LeaseEnded, "two")));
        // seen once, it may be a mistake
        hold.failed(0, &absent(), at(20), 0);
        hold.failed(0, &absent(), at(21), 0);
        assert_eq!(hold.withheld("a", at(1000)), None);
        hold.failed(0, &absent(), at(30), 0);
        assert_eq!(hold.withheld("a", at(319)), None);
        assert_eq!(hold.withheld("a", at(320)), Some((Cause::Withdrawn, "one")));
        hold.well(0, at(321), 0);
        assert_eq!(hold.withheld("a", at(321)), None);
    }

    #[test]
    fn looks_are_spread_over_half_a_ttl() {
        let ttl = Duration::from_secs(300);
        assert_eq!(jittered(ttl, 0), ttl / 2);
        assert!(jittered(ttl, u64::MAX) <= ttl && jittered(ttl, u64::MAX) > ttl * 99 / 100);
    }

    #[test]
    fn a_key_tells_which_secret_won_and_which_it_beat() {
        let mut hold = hold(&[("", "all", false), ("a", "one", false)]);
        publish(
            &mut hold,
            &[got(0, 1, "7", r#"{"a": {"x": "1", "z": "2"}}"#), got(1, 1, "1", r#"{"x": "3"}"#)],
            1,
        )
        .unwrap();
        let found: Vec<_> = hold
            .origins()
            .into_iter()
            .map(|o| (o.key, o.secret.to_owned(), o.revision.to_string(), o.beaten.len()))
            .collect();
        let origin = |key: &str, secret: &str, revision: &str, beaten| {
            (key.to_owned(), secret.to_owned(), revision.to_owned(), beaten)
        };
        assert_eq!(found, [origin("a.x", "one", "1", 1), origin("a.z", "all", "7", 0)]);
        assert_eq!(value(&hold, "a.x").as_deref(), Some("3"));
    }
}
