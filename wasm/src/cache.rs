//! What is held, and when it is looked at again.
//!
//! Values are shared by all requests of an instance; a conversation never is. Who finds that something is due looks at
//! it, in its own request; others are meanwhile served what is held, and wait for no one.

use crate::failure::{self, Flaw};
use crate::hold::{Candidate, Freshness, Have, Hold};
use crate::host::HostClock;
use crate::json::Json;
use crate::options::Options;
use crate::shape::Shape;
use crate::tree;
use crate::vault;
use crate::wire::Wire;
use secretfig_source::protocol::Over;
use secretfig_source::{Ask, Clock, ErrorKind, Node, Source, SourceError, Validity};
use secretfig_vault::protocol::Vault;
use std::cell::{Cell, RefCell};
use std::sync::Arc;
use std::time::Duration;

/// A configuration, loaded or to be loaded.
pub(crate) struct Cache {
    source: Over<Vault, Wire>,
    wire: Wire,
    clock: Arc<HostClock>,
    shape: Shape,
    /// For how long others leave to who looks what is looked at.
    claim: Duration,
    /// Reads begun.
    begun: Cell<u64>,
    // INVARIANT: never borrowed over an await, so that no two borrows meet
    hold: RefCell<Hold>,
}

/// What a look gave.
#[derive(Default)]
pub(crate) struct Refreshed {
    changed: Vec<String>,
    refused: Vec<(String, String)>,
    failed: Vec<Flaw>,
}

impl Refreshed {
    /// `[changed, [secret, fault] of those refused, faults]`
    pub(crate) fn tell(&self, json: &mut Json) {
        json.raw("[").list(&self.changed, |json, name| _ = json.text(name)).raw(",");
        json.list(&self.refused, |json, (secret, fault)| {
            json.raw("[").text(secret).raw(",").text(fault).raw("]");
        });
        failure::list(json.raw(","), &self.failed);
        json.raw("]");
    }
}

/// Secrets asked for at once: hosts allow few connections at a time.
const AT_ONCE: usize = 6;

impl Cache {
    /// Nothing is held yet.
    pub(crate) fn new(
        options: Options,
        key: &[u8],
        wire: Wire,
        clock: Arc<HostClock>,
    ) -> Result<Self, Vec<Flaw>> {
        let source = vault::source(&options, key, wire.clone(), clock.clone())?;
        let defaults = Freshness::default();
        let freshness = Freshness {
            ttl: options.ttl.unwrap_or(defaults.ttl),
            max_stale: options.max_stale.unwrap_or(defaults.max_stale),
        };
        let claim = options.timeout.saturating_mul(4);
        let hold = RefCell::new(Hold::new(options.secrets, freshness));
        Ok(Self { source, wire, clock, shape: options.shape, claim, begun: Cell::new(0), hold })
    }

    pub(crate) fn wire(&self) -> &Wire {
        &self.wire
    }

    pub(crate) fn clock(&self) -> &Arc<HostClock> {
        &self.clock
    }

    /// Reads everything, and tells every fault: of sources, of documents, and of the shape where there is no other.
    pub(crate) async fn load(&self) -> Result<(), Vec<Flaw>> {
        let wanted = self.hold.borrow_mut().looks(true, self.clock.tick(), self.claim);
        if let Err(error) = self.source.sign_in().await {
            let hold = self.hold.borrow();
            let names: Vec<&str> = wanted.iter().filter_map(|n| hold.ask(*n)).map(Ask::name).collect();
            return Err(vec![Flaw::of_sign_in(&error, &names.join(", "))]);
        }
        let (mut candidates, mut flaws) = (Vec::new(), Vec::new());
        for (secret, read) in self.read(&wanted).await {
            match read {
                Ok(candidate) => candidates.push(candidate),
                Err(error) => {
                    flaws.extend(self.hold.borrow().keys(secret).map(|key| Flaw::of_secret(key, &error)));
                }
            }
        }
        if flaws.is_empty() { self.publish(&candidates, &mut Refreshed::default()) } else { Err(flaws) }
    }

    /// Reads these.
    async fn read(&self, secrets: &[usize]) -> Vec<(usize, Result<Candidate, SourceError>)> {
        let mut all = Vec::with_capacity(secrets.len());
        for some in secrets.chunks(AT_ONCE) {
            let asks: Vec<Ask> = some.iter().filter_map(|n| self.hold.borrow().ask(*n).cloned()).collect();
            let begun = self.begun.get() + 1;
            self.begun.set(begun);
            let asked = self.clock.tick();
            let answers = self.source.fetch(&asks).await;
            let wall = self.clock.wall();
            for (secret, answer) in some.iter().copied().zip(answers) {
                let have = match answer {
                    Ok(fetched) if fetched.expires.is_some_and(|at| at <= wall) => Err(SourceError::new(
                        ErrorKind::Validity(Validity::Expired),
                        self.source.info().scheme,
                    )),
                    Ok(fetched) => Ok(Have::Got(fetched)),
                    // what was there once is taken away, and that is told
                    Err(error)
                        if error.kind() == ErrorKind::Absent && self.hold.borrow().may_be_absent(secret) =>
                    {
                        Ok(Have::Absent)
                    }
                    Err(error) => Err(error),
                };
                all.push((secret, have.map(|have| Candidate { secret, have, begun, asked })));
            }
        }
        all
    }

    pub(crate) fn is_due(&self) -> bool {
        self.hold.borrow().is_due(self.clock.tick())
    }

    /// Looks at all there is, or at what is due. What failed is served on.
    pub(crate) async fn look(&self, all: bool) -> Refreshed {
        let mut told = Refreshed::default();
        let now = self.clock.tick();
        let mut wanted = self.hold.borrow_mut().looks(all, now, self.claim);
        // what is made by being read is not read to see whether it has changed
        wanted.retain(|secret| !self.hold.borrow().is_lent(*secret, now) || !self.well(*secret));
        let mut candidates = Vec::new();
        for (secret, read) in self.read(&wanted).await {
            match read {
                Ok(candidate) if self.hold.borrow().is_held(&candidate) => _ = self.well(secret),
                Ok(candidate) if self.is_confirmed(&candidate).await => candidates.push(candidate),
                Ok(_) => {}
                Err(error) => {
                    let mut hold = self.hold.borrow_mut();
                    hold.failed(secret, &error, self.clock.tick(), self.clock.random());
                    told.failed.push(Flaw::of_source(&error));
                }
            }
        }
        if self.publish(&candidates, &mut told).is_err() {
            // one that does not fit must not hold up the others
            for candidate in candidates.chunks(1) {
                if let Err(flaws) = self.publish(candidate, &mut told) {
                    self.refused(candidate, &flaws, &mut told);
                }
            }
        }
        told
    }

    /// Its source has answered, and what is held is what there is.
    fn well(&self, secret: usize) -> bool {
        self.hold.borrow_mut().well(secret, self.clock.tick(), self.clock.random());
        true
    }

    /// A step back is believed when a second look sees it too: a replica may be behind.
    async fn is_confirmed(&self, candidate: &Candidate) -> bool {
        if !self.hold.borrow().is_step_back(candidate) {
            return true;
        }
        let again = self.read(&[candidate.secret]).await;
        again.iter().any(|(_, read)| matches!(read, Ok(again) if again.revision() == candidate.revision()))
    }

    fn publish(&self, candidates: &[Candidate], told: &mut Refreshed) -> Result<(), Vec<Flaw>> {
        let mut hold = self.hold.borrow_mut();
        let fits = |root: &Node| self.shape.check(root);
        let changed = hold.publish(candidates, self.clock.tick(), self.clock.random(), &fits)?;
        told.changed.extend(changed.into_iter().filter_map(|n| hold.ask(n)).map(|ask| ask.name().to_owned()));
        Ok(())
    }

    fn refused(&self, candidates: &[Candidate], flaws: &[Flaw], told: &mut Refreshed) {
        let lines: Vec<&str> = flaws.iter().map(Flaw::line).collect();
        for candidate in candidates {
            self.well(candidate.secret);
            let hold = self.hold.borrow();
            told.refused
                .extend(hold.ask(candidate.secret).map(|ask| (ask.name().to_owned(), lines.join("; "))));
        }
    }

    /// Where each key came from: `[key, secret, revision, beaten]` of each.
    pub(crate) fn explain(&self, json: &mut Json) {
        json.list(self.hold.borrow().origins(), |json, origin| {
            json.raw("[").text(&origin.key).raw(",").text(origin.secret).raw(",");
            json.text(&origin.revision.to_string()).raw(",");
            json.list(&origin.beaten, |json, secret| _ = json.text(secret)).raw("]");
        });
    }

    /// Writes the value at a key path, or the whole section of that name, as it is held.
    pub(crate) fn value(&self, path: &str, whole: bool, json: &mut Json) -> Result<(), NoValue> {
        let hold = self.hold.borrow();
        if let Some((cause, secret)) = hold.withheld(path, self.clock.tick()) {
            return Err(NoValue::Withheld(Box::new(Flaw::withheld(path, cause, secret))));
        }
        let root = hold.root();
        let node = if whole { tree::child(root, path) } else { tree::at(root, path) };
        let missing = || Flaw::new(path, "missing", "missing", "`explain()` tells which keys there are");
        self.shape.write(path, node.ok_or_else(|| NoValue::Missing(Box::new(missing())))?, json.raw("v"));
        Ok(())
    }
}

/// Why there is no value.
pub(crate) enum NoValue {
    /// There is no such key.
    Missing(Box<Flaw>),
    /// There is one, and it must not be used any more: a look at the manager may help.
    Withheld(Box<Flaw>),
}
