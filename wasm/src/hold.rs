//! What is held, and by which rules: pure, of time as an argument. The rules are the core's, in as many lines as the
//! edge has room for.

use crate::failure::Flaw;
use crate::json::Json;
use crate::tree;
use crate::wire::millis;
use secretfig_source::{Ask, ErrorKind, Fetched, Node, Reading, Revision, SourceError, Tick};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

/// One wanted secret: the key at which it belongs, its name, and how it is read.
#[derive(Debug)]
pub(crate) struct Wanted {
    pub(crate) key: String,
    pub(crate) ask: Ask,
    pub(crate) reading: Reading,
    pub(crate) optional: bool,
    pub(crate) ttl: Option<Duration>,
}

impl Wanted {
    pub(crate) fn new(key: &str, name: &str) -> Self {
        let (key, reading) = (key.to_owned(), Reading::default());
        Self { key, ask: Ask::new(name), reading, optional: false, ttl: None }
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
    wanted: Wanted,
    secret: usize,
}

/// What the source gave last, or nothing where it has none. A value is read out of its document at each assembly.
pub(crate) type Have = Option<Rc<Fetched>>;

/// Takes a key, and each secret that gives it with its revision.
type Explained<'a> = dyn FnMut(&str, &[(&str, &str)]) + 'a;

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
    /// The first and the last sighting of its being taken away, and whether those are two.
    gone: Option<(Tick, Tick, bool)>,
}

/// Why a value is withheld: of which secret, and since when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cause {
    Stale,
    Withdrawn,
}

/// What is to be put in place of a state's document.
pub(crate) struct Candidate {
    pub(crate) secret: usize,
    pub(crate) have: Have,
    /// By a count of reads.
    pub(crate) begun: u64,
}

impl Candidate {
    pub(crate) fn revision(&self) -> Option<&Revision> {
        self.have.as_ref().map(|fetched| &fetched.revision)
    }
}

/// All that is held: the documents, and the tree they make.
pub(crate) struct Hold {
    uses: Vec<Use>,
    states: Vec<State>,
    max_stale: Duration,
    root: Node,
}

impl Hold {
    /// Nothing is held yet. What is wanted counts as fresh for its own `ttl`, or else for this one, and is served for
    /// `max_stale` while its source does not answer.
    pub(crate) fn new(all: Vec<Wanted>, ttl: Duration, max_stale: Duration) -> Self {
        let (mut uses, mut states) = (Vec::new(), Vec::<State>::new());
        for wanted in all {
            // at least a second, or every read would be a look
            let ttl = wanted.ttl.unwrap_or(ttl).max(Duration::from_secs(1));
            let secret = states.iter().take_while(|state| state.ask != wanted.ask).count();
            match states.get_mut(secret) {
                Some(state) => {
                    state.ttl = state.ttl.min(ttl);
                    state.optional &= wanted.optional;
                }
                None => states.push(State::new(wanted.ask.clone(), ttl, wanted.optional)),
            }
            uses.push(Use { wanted, secret });
        }
        Self { uses, states, max_stale, root: Node::Table(BTreeMap::new()) }
    }

    pub(crate) fn root(&self) -> &Node {
        &self.root
    }

    pub(crate) fn ask(&self, secret: usize) -> Option<&Ask> {
        self.states.get(secret).map(|state| &state.ask)
    }

    /// It is optional, and nothing of it is held.
    pub(crate) fn may_be_absent(&self, secret: usize) -> bool {
        self.states.get(secret).is_some_and(|state| state.optional && state.have.is_none())
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

    /// Whether it is what is served.
    pub(crate) fn is_held(&self, candidate: &Candidate) -> bool {
        self.states
            .get(candidate.secret)
            .is_some_and(|state| state.have.as_ref().map(|fetched| &fetched.revision) == candidate.revision())
    }

    /// Whether it would be a step back to what was served before.
    pub(crate) fn is_step_back(&self, candidate: &Candidate) -> bool {
        let Some(state) = self.states.get(candidate.secret) else { return false };
        candidate.revision().is_some_and(|revision| state.published.contains(revision))
    }

    /// It is as it was.
    pub(crate) fn well(&mut self, secret: usize, now: Tick, random: f64) {
        if let Some(state) = self.states.get_mut(secret) {
            state.well(now, random);
        }
    }

    /// It could not be had.
    pub(crate) fn failed(&mut self, secret: usize, error: &SourceError, now: Tick, random: f64) {
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
        random: f64,
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
        for Candidate { secret, have, begun } in taken {
            let Some(state) = self.states.get_mut(*secret) else { continue };
            state.have.clone_from(have);
            state.begun = *begun;
            if let Some(fetched) = have {
                state.published.retain(|revision| *revision != fetched.revision);
                state.published.push(fetched.revision.clone());
                if state.published.len() > REMEMBERED {
                    state.published.remove(0);
                }
            }
            state.well(now, random);
            changed.push(*secret);
        }
        Ok(changed)
    }

    fn assembled<'h>(&self, have: &dyn Fn(usize) -> Option<&'h Have>) -> Result<Node, Vec<Flaw>> {
        let (mut root, mut flaws) = (Node::Table(BTreeMap::new()), Vec::new());
        for Use { wanted, secret } in &self.uses {
            let Some(Some(fetched)) = have(*secret) else { continue };
            let (key, name) = (&wanted.key, wanted.ask.name());
            match fetched.document.read(&wanted.reading) {
                Ok(node) if key.is_empty() && !matches!(node, Node::Table(_)) => {
                    flaws.push(Flaw::of_document(key, name, "only a table has room at the root"));
                }
                Ok(node) => match tree::beyond(&node, key) {
                    None => tree::put(&mut root, key, node),
                    Some(key) => {
                        let reason = "a number that JavaScript has no room for";
                        flaws.push(Flaw::of_document(&key, name, reason));
                    }
                },
                Err(malformed) => {
                    let key = malformed.path().fold(key.clone(), |key, part| tree::join(&key, part));
                    flaws.push(Flaw::of_document(&key, name, malformed.reason()));
                }
            }
        }
        if flaws.is_empty() { Ok(root) } else { Err(flaws) }
    }

    /// The keys at which a secret is wanted.
    pub(crate) fn keys(&self, secret: usize) -> impl Iterator<Item = &str> {
        self.uses.iter().filter(move |used| used.secret == secret).map(|used| used.wanted.key.as_str())
    }

    /// Why the section that this path leads into must not be used any more, and the secret that it is about.
    pub(crate) fn withheld(&self, path: &str, now: Tick) -> Option<(Cause, &str)> {
        let name = path.split('.').next().unwrap_or_default();
        for Use { wanted, secret } in &self.uses {
            let key = &wanted.key;
            if (key.is_empty() || tree::is_under(key, name) || tree::is_under(name, key))
                && let Some(cause) =
                    self.states.get(*secret).and_then(|state| state.withheld(self.max_stale, now))
            {
                return Some((cause, wanted.ask.name()));
            }
        }
        None
    }

    /// Where each leaf came from, in the order of the keys: `[key, secret, revision, [those it beat]]` each.
    pub(crate) fn explain(&self, json: &mut Json) {
        let mut before = "[";
        self.explained(&self.root, "", &mut |key, secrets| {
            // the last one has won
            let Some((won, beaten)) = secrets.split_last() else { return };
            json.raw(before).raw("[").text(key).raw(",").text(won.0).raw(",").text(won.1).raw(",");
            json.list(beaten.iter(), &mut |json, (name, _)| _ = json.text(name)).raw("]");
            before = ",";
        });
        json.raw(if before == "[" { "[]" } else { "]" });
    }

    fn explained(&self, node: &Node, key: &str, each: &mut Explained<'_>) {
        if let Node::Table(table) = node {
            for (part, node) in table {
                self.explained(node, &tree::join(key, part), each);
            }
            return;
        }
        let mut secrets = Vec::new();
        for Use { wanted, secret } in &self.uses {
            let Some(Some(fetched)) = self.states.get(*secret).map(|state| &state.have) else {
                continue;
            };
            if !wanted.key.is_empty() && !tree::is_under(key, &wanted.key) {
                continue;
            }
            let inside = key.get(wanted.key.len()..).unwrap_or_default().trim_start_matches('.');
            let Ok(node) = fetched.document.read(&wanted.reading) else { continue };
            let gives =
                inside.is_empty() || tree::at(&node, inside).is_some_and(|node| !matches!(node, Node::Null));
            if gives {
                secrets.push((wanted.ask.name(), fetched.revision.as_str()));
            }
        }
        each(key, &secrets);
    }
}

impl State {
    fn new(ask: Ask, ttl: Duration, optional: bool) -> Self {
        let (seen, due) = (Tick::default(), Tick::default());
        Self { ask, ttl, optional, have: None, begun: 0, published: Vec::new(), seen, due, gone: None }
    }

    fn well(&mut self, now: Tick, random: f64) {
        self.seen = now;
        self.gone = None;
        self.due = now.after(jittered(self.ttl, random));
    }

    fn withheld(&self, max_stale: Duration, now: Tick) -> Option<Cause> {
        self.have.as_ref()?;
        // a deletion counts once it was seen twice
        match self.gone {
            Some((first, _, true)) if first.after(REVOKED_GRACE) <= now => Some(Cause::Withdrawn),
            _ if self.seen.after(max_stale) <= now => Some(Cause::Stale),
            _ => None,
        }
    }
}

/// A time drawn uniformly from [ttl/2, ttl], by a random from 0 to 1.
fn jittered(ttl: Duration, random: f64) -> Duration {
    let half = ttl / 2;
    half.saturating_add(millis(half.as_millis() as f64 * random))
}

#[cfg(test)]
mod tests {
    use super::*;
    use secretfig_source::{Document, Withdrawn};

    fn at(seconds: u64) -> Tick {
        Tick::from_start(Duration::from_secs(seconds))
    }

    fn hold(secrets: &[(&str, &str, bool)]) -> Hold {
        let wanted = |(key, name, optional): &(&str, &str, bool)| Wanted {
            optional: *optional,
            ..Wanted::new(key, name)
        };
        let (ttl, max_stale) = (Duration::from_secs(300), Duration::from_secs(24 * 3600));
        Hold::new(secrets.iter().map(wanted).collect(), ttl, max_stale)
    }

    fn got(secret: usize, begun: u64, revision: &str, json: &str) -> Candidate {
        let have = Some(Rc::new(Fetched::new(Document::from_text(json), Revision::new(revision))));
        Candidate { secret, have, begun }
    }

    fn publish(hold: &mut Hold, candidates: &[Candidate], now: u64) -> Result<Vec<usize>, Vec<Flaw>> {
        hold.publish(candidates, at(now), 0.0, &|_| Vec::new())
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
        hold.failed(0, &SourceError::new(throttled, "vault"), at(200), 0.0);
        assert!(!hold.is_due(at(289)) && hold.is_due(at(290)));
    }

    #[test]
    fn what_is_held_is_served_to_its_end_and_no_longer() {
        let mut hold = hold(&[("a", "one", false), ("b", "two", false), ("c", "three", true)]);
        publish(&mut hold, &[got(0, 1, "1", r#"{"x": "y"}"#)], 10).unwrap();
        assert!(hold.may_be_absent(2) && !hold.may_be_absent(0));
        let day = 24 * 3600;
        assert_eq!((hold.withheld("a.x", at(day + 9)), hold.withheld("c", at(day + 9))), (None, None));
        assert_eq!(hold.withheld("a.x", at(day + 10)), Some((Cause::Stale, "one")));
        // seen once, it may be a mistake
        hold.failed(0, &absent(), at(20), 0.0);
        hold.failed(0, &absent(), at(21), 0.0);
        assert_eq!(hold.withheld("a", at(1000)), None);
        hold.failed(0, &absent(), at(30), 0.0);
        assert_eq!(hold.withheld("a", at(319)), None);
        assert_eq!(hold.withheld("a", at(320)), Some((Cause::Withdrawn, "one")));
        hold.well(0, at(321), 0.0);
        assert_eq!(hold.withheld("a", at(321)), None);
    }

    #[test]
    fn looks_are_spread_over_half_a_ttl() {
        let ttl = Duration::from_secs(300);
        assert_eq!(jittered(ttl, 0.0), ttl / 2);
        assert!(jittered(ttl, 1.0) <= ttl && jittered(ttl, 1.0) > ttl * 99 / 100);
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
        let mut found = Vec::new();
        hold.explained(hold.root(), "", &mut |key, secrets| found.push(format!("{key} {secrets:?}")));
        assert_eq!(found, [r#"a.x [("all", "7"), ("one", "1")]"#, r#"a.z [("all", "7")]"#]);
        assert_eq!(value(&hold, "a.x").as_deref(), Some("3"));
    }
}
