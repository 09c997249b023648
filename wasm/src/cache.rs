//! What is held, and when it is looked at again.
//!
//! Values are shared by all requests of an instance; a conversation never is. Who finds that something is due looks at
//! it, in its own request; others are meanwhile served what is held, and wait for no one.

use crate::failure::{self, Flaw};
use crate::given::Given;
use crate::hold::{Candidate, Hold};
use crate::json::Json;
use crate::session::Manager;
use crate::shape;
use crate::tree;
use crate::wire::Wire;
use secretfig_source::{Ask, ErrorKind, Node, SourceError, Tick, Validity};
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

/// A configuration, loaded or to be loaded.
pub(crate) struct Cache {
    manager: Manager,
    timeout: Duration,
    shape: Node,
    /// Reads begun.
    begun: Cell<u64>,
    // INVARIANT: never borrowed over an await, so that no two borrows meet
    hold: RefCell<Hold>,
}

/// What a look gave.
#[derive(Default)]
pub(crate) struct Looked {
    changed: Vec<String>,
    refused: Vec<(String, Vec<Flaw>)>,
    /// What could not be had, or at a load whatever is wrong.
    failed: Vec<Flaw>,
}

impl Looked {
    pub(crate) fn failed(flaws: Vec<Flaw>) -> Self {
        Self { failed: flaws, ..Self::default() }
    }

    /// `[changed, [secret, faults] of those refused, faults]`
    pub(crate) fn tell(&self, json: &mut Json) {
        json.raw("[").list(self.changed.iter(), &mut |json, name| _ = json.text(name)).raw(",");
        json.list(self.refused.iter(), &mut |json, (secret, flaws)| {
            failure::list(json.raw("[").text(secret).raw(","), flaws);
            json.raw("]");
        });
        failure::list(json.raw(","), &self.failed);
        json.raw("]");
    }
}

type Read = Vec<(usize, Result<Candidate, SourceError>)>;

impl Cache {
    /// Nothing is held yet.
    pub(crate) fn new(given: Given) -> Self {
        let hold = RefCell::new(Hold::new(given.secrets, given.ttl, given.max_stale));
        let Given { manager, timeout, shape, .. } = given;
        Self { manager, timeout, shape, begun: Cell::new(0), hold }
    }

    pub(crate) fn is_due(&self, now: Tick) -> bool {
        self.hold.borrow().is_due(now)
    }

    /// Looks at all there is, or at what is due. What failed is served on. For the `first` time, when nothing is held,
    /// everything is taken in, or it is told what is wrong with it: of sources and documents, and of the shape where there
    /// is nothing else.
    pub(crate) async fn look(&self, wire: &Wire, first: bool, all: bool) -> Looked {
        let mut looked = Looked::default();
        let (mut candidates, mut back) = (Vec::new(), Vec::<Candidate>::new());
        let mut wanted = self.wanted(wire, all);
        for again in [false, true] {
            for (secret, read) in self.read(wire, &wanted, first, &mut looked).await {
                match read {
                    Ok(candidate) if again => {
                        // a step back is believed when a second look sees it too: a replica may be behind
                        if back
                            .iter()
                            .any(|seen| seen.secret == secret && seen.revision() == candidate.revision())
                        {
                            candidates.push(candidate);
                        }
                    }
                    Ok(candidate) => self.sort(wire, candidate, &mut candidates, &mut back),
                    Err(_) if again => {}
                    Err(error) => self.failed(wire, first, secret, &error, &mut looked),
                }
            }
            wanted = back.iter().map(|candidate| candidate.secret).collect();
        }
        if first && !looked.failed.is_empty() {
            return looked;
        }
        if let Err(flaws) = self.publish(wire, &candidates, &mut looked) {
            if first {
                return Looked::failed(flaws);
            }
            // one that does not fit must not hold up the others
            for candidate in candidates.chunks(1) {
                if let Err(flaws) = self.publish(wire, candidate, &mut looked) {
                    self.refused(wire, candidate, &flaws, &mut looked);
                }
            }
        }
        looked
    }

    fn wanted(&self, wire: &Wire, all: bool) -> Vec<usize> {
        let now = wire.now().tick;
        let mut hold = self.hold.borrow_mut();
        // for this long others leave it to who looks now
        hold.looks(all, now, self.timeout.saturating_mul(4))
    }

    /// Reads these.
    async fn read(&self, wire: &Wire, secrets: &[usize], first: bool, looked: &mut Looked) -> Read {
        let asks: Vec<Ask> = secrets.iter().filter_map(|n| self.hold.borrow().ask(*n).cloned()).collect();
        if asks.is_empty() {
            return Vec::new();
        }
        let begun = self.begun.get() + 1;
        self.begun.set(begun);
        let answers = match self.manager.fetch(wire, &asks).await {
            Ok(answers) => answers,
            Err(error) if first => {
                let names: Vec<&str> = asks.iter().map(Ask::name).collect();
                looked.failed.push(Flaw::of_sign_in(&error, &names.join(", ")));
                return Vec::new();
            }
            Err(error) => asks.iter().map(|ask| Err(error.clone().secret(ask.name()))).collect(),
        };
        let wall = wire.now().wall;
        let mut all = Vec::with_capacity(answers.len());
        for (secret, answer) in secrets.iter().copied().zip(answers) {
            let have = match answer {
                Ok(fetched) if fetched.expires.is_some_and(|at| at <= wall) => {
                    Err(SourceError::new(ErrorKind::Validity(Validity::Expired), ""))
                }
                Ok(fetched) => Ok(Some(Rc::new(fetched))),
                // what was there once is taken away, and that is told
                Err(error)
                    if error.kind() == ErrorKind::Absent && self.hold.borrow().may_be_absent(secret) =>
                {
                    Ok(None)
                }
                Err(error) => Err(error),
            };
            all.push((secret, have.map(|have| Candidate { secret, have, begun })));
        }
        all
    }

    /// Known already, new, or a step back.
    fn sort(&self, wire: &Wire, candidate: Candidate, new: &mut Vec<Candidate>, back: &mut Vec<Candidate>) {
        let mut hold = self.hold.borrow_mut();
        if hold.is_held(&candidate) {
            hold.well(candidate.secret, wire.now().tick, wire.random());
        } else if hold.is_step_back(&candidate) {
            back.push(candidate);
        } else {
            new.push(candidate);
        }
    }

    fn failed(&self, wire: &Wire, first: bool, secret: usize, error: &SourceError, looked: &mut Looked) {
        let mut hold = self.hold.borrow_mut();
        hold.failed(secret, error, wire.now().tick, wire.random());
        if first {
            looked.failed.extend(hold.keys(secret).map(|key| Flaw::of_secret(key, error)));
        } else {
            looked.failed.push(Flaw::of_secret("", error));
        }
    }

    fn publish(&self, wire: &Wire, candidates: &[Candidate], looked: &mut Looked) -> Result<(), Vec<Flaw>> {
        let mut hold = self.hold.borrow_mut();
        let fits = |root: &Node| shape::check(&self.shape, root);
        for secret in hold.publish(candidates, wire.now().tick, wire.random(), &fits)? {
            looked.changed.extend(hold.ask(secret).map(|ask| ask.name().to_owned()));
        }
        Ok(())
    }

    fn refused(&self, wire: &Wire, candidates: &[Candidate], flaws: &[Flaw], looked: &mut Looked) {
        let mut hold = self.hold.borrow_mut();
        for Candidate { secret, .. } in candidates {
            // its source has answered
            hold.well(*secret, wire.now().tick, wire.random());
            looked.refused.extend(hold.ask(*secret).map(|ask| (ask.name().to_owned(), flaws.to_vec())));
        }
    }

    /// Where each key came from.
    pub(crate) fn explain(&self, json: &mut Json) {
        self.hold.borrow().explain(json);
    }

    /// Writes what there is at a key path, or the whole section of that name, as it is held: `v` and the value; `m` and a
    /// fault where there is no such key; `w` and a fault where what is there must not be used any more.
    pub(crate) fn value(&self, path: &str, whole: bool, now: Tick, json: &mut Json) {
        let hold = self.hold.borrow();
        let root = hold.root();
        if let Some((cause, secret)) = hold.withheld(path, now) {
            Flaw::withheld(path, cause, secret).tell(json.raw("w"));
        } else if let Some(node) = if whole { tree::child(root, path) } else { tree::at(root, path) } {
            tree::write(node, json.raw("v"));
        } else {
            Flaw::new(path, "missing", "missing", "`explain()` tells which keys there are")
                .tell(json.raw("m"));
        }
    }
}
