//! What a fake manager holds, and what it answers. No waiting in here.

use super::gate::Waiting;
use crate::{
    Abilities, Ask, At, Batch, Clock, Document, ErrorKind, Fetched, Lease, Note, Revision, SourceError, Tick,
};
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

pub(super) type Hook = Box<dyn FnOnce() + Send>;
type Amend = Arc<dyn Fn(Fetched) -> Fetched + Send + Sync>;

pub(super) struct State {
    pub(super) scheme: Cow<'static, str>,
    pub(super) abilities: Abilities,
    pub(super) batch: Batch,
    pub(super) concurrency: usize,
    pub(super) ttl: Option<Duration>,
    pub(super) attempt: Option<(Duration, &'static str)>,
    pub(super) clock: Option<Arc<dyn Clock>>,
    pub(super) secrets: BTreeMap<Arc<str>, Secret>,
    pub(super) asked: BTreeMap<Arc<str>, Asked>,
    pub(super) leases: BTreeMap<Arc<str>, Granted>,
    /// Leases that went with the login under which they were granted.
    pub(super) lost: BTreeSet<Arc<str>>,
    pub(super) notes: BTreeMap<Arc<str>, Vec<Note>>,
    pub(super) distrusted: Vec<Ask>,
    /// What happened to leases, in order.
    pub(super) story: Vec<String>,
    pub(super) identity: Option<Arc<str>>,
    pub(super) signing_in: bool,
    pub(super) reachable: bool,
    pub(super) blind: bool,
    pub(super) batches_fail: Option<ErrorKind>,
    pub(super) flaky: Option<(ErrorKind, u8, u64)>,
    pub(super) stalled: bool,
    pub(super) held: BTreeSet<Arc<str>>,
    pub(super) waiting: Waiting,
    pub(super) counts: Counts,
}

#[derive(Default)]
pub(super) struct Counts {
    pub(super) calls: usize,
    pub(super) upstream: usize,
    pub(super) sign_ins: usize,
    pub(super) minted: usize,
    pub(super) renewals: usize,
    pub(super) renewed: usize,
    pub(super) revocations: usize,
    pub(super) revoked: usize,
}

/// Everything about one name, also while there is no secret of that name.
#[derive(Default)]
pub(super) struct Secret {
    versions: Vec<Version>,
    current: Option<usize>,
    previous: Option<usize>,
    made: u64,
    labels: BTreeMap<Arc<str>, usize>,
    /// What it answers instead, and how many times more; `None` is until cleared.
    pub(super) instead: Option<(ErrorKind, Option<usize>)>,
    pub(super) denied: bool,
    pub(super) withdrawn: Option<crate::Withdrawn>,
    pub(super) lease: Option<Duration>,
    pub(super) renewal: Option<Duration>,
    /// How long its leases live with all renewals.
    pub(super) longest: Option<Duration>,
    /// Whether its leases cannot be renewed.
    pub(super) unrenewable: bool,
    /// What a renewal, or a revocation, answers instead.
    pub(super) renewals_fail: Option<ErrorKind>,
    pub(super) revocations_fail: Option<ErrorKind>,
    pub(super) amend: Option<Amend>,
    pub(super) after_fetch: Option<Hook>,
}

/// How often a name was asked for, whether or not there is such a secret.
#[derive(Clone, Copy, Default)]
pub(super) struct Asked {
    pub(super) fetches: usize,
    pub(super) probes: usize,
}

struct Version {
    id: Arc<str>,
    document: Document,
    created: Option<SystemTime>,
}

pub(super) struct Granted {
    pub(super) name: Arc<str>,
    pub(super) duration: Duration,
    /// When it ends, and when it ends whatever is renewed; told by the clock, where there is one.
    ends: Option<Tick>,
    last: Option<Tick>,
}

impl Secret {
    /// Adds a revision and gives its place.
    fn add(&mut self, document: Document, created: Option<SystemTime>) -> usize {
        self.made += 1;
        self.versions.push(Version { id: self.made.to_string().into(), document, created });
        self.versions.len() - 1
    }

    pub(super) fn put(&mut self, document: Document, created: Option<SystemTime>) {
        let place = self.add(document, created);
        self.previous = self.current.replace(place);
        self.withdrawn = None;
    }

    pub(super) fn label(&mut self, label: &str, document: Document, created: Option<SystemTime>) {
        let place = self.add(document, created);
        self.labels.insert(label.into(), place);
    }

    /// Moves the label of current back; previous goes where current was, as AWS does it.
    pub(super) fn step_back(&mut self) {
        if self.previous.is_some() {
            std::mem::swap(&mut self.current, &mut self.previous);
        }
    }

    /// Forgets what it held. Revisions go on counting, so that a new secret of the same name is
    /// never taken for the old one.
    pub(super) fn remove(&mut self) {
        *self = Secret { made: self.made, denied: self.denied, instead: self.instead, ..Secret::default() };
    }

    pub(super) fn exists(&self) -> bool {
        self.current.is_some()
    }

    fn version(&self, at: &At) -> Option<&Version> {
        let place = match at {
            At::Current => self.current,
            At::Previous => self.previous,
            At::Version(id) => self.versions.iter().position(|v| v.id == *id),
            At::Stage(label) => match &**label {
                "AWSCURRENT" => self.current,
                "AWSPREVIOUS" => self.previous,
                _ => self.labels.get(label).copied(),
            },
        };
        self.versions.get(place?)
    }

    /// The failure that is set for it, counted down.
    fn refusal(&mut self) -> Option<ErrorKind> {
        if let Some((kind, left)) = &mut self.instead {
            let kind = *kind;
            match left {
                None => return Some(kind),
                Some(0) => {}
                Some(left) => {
                    *left -= 1;
                    return Some(kind);
                }
            }
            self.instead = None;
        }
        if self.denied {
            return Some(ErrorKind::Denied);
        }
        self.withdrawn.map(ErrorKind::Withdrawn)
    }
}

impl State {
    pub(super) fn new(scheme: Cow<'static, str>) -> Self {
        Self {
            scheme,
            abilities: Abilities {
                previous: true,
                versions: true,
                stages: true,
                probe: true,
                binary: true,
                empty: true,
                leases: true,
                denies: true,
                ..Abilities::NONE
            },
            batch: Batch { at_most: 1, from: 1 },
            concurrency: 8,
            ttl: None,
            attempt: None,
            clock: None,
            secrets: BTreeMap::new(),
            asked: BTreeMap::new(),
            leases: BTreeMap::new(),
            lost: BTreeSet::new(),
            notes: BTreeMap::new(),
            distrusted: Vec::new(),
            story: Vec::new(),
            identity: None,
            signing_in: true,
            reachable: true,
            blind: false,
            batches_fail: None,
            flaky: None,
            stalled: false,
            held: BTreeSet::new(),
            waiting: Waiting::default(),
            counts: Counts::default(),
        }
    }

    pub(super) fn secret(&mut self, name: &str) -> &mut Secret {
        self.secrets.entry(name.into()).or_default()
    }

    pub(super) fn wall(&self) -> Option<SystemTime> {
        self.clock.as_ref().map(|clock| clock.wall())
    }

    pub(super) fn error(&self, kind: ErrorKind) -> SourceError {
        SourceError::new(kind, self.scheme.clone())
    }

    pub(super) fn stalls(&self, asks: &[Ask]) -> bool {
        self.stalled || asks.iter().any(|ask| self.held.contains(ask.name()))
    }

    /// What stands in the way of an answer, whichever way it is asked for.
    fn refusal(&mut self, ask: &Ask) -> Option<SourceError> {
        let claimed = match ask.point() {
            At::Current => true,
            At::Previous => self.abilities.previous,
            At::Version(_) => self.abilities.versions,
            At::Stage(_) => self.abilities.stages,
        };
        let refused = if !self.reachable {
            self.error(ErrorKind::Transport).hint("this fake is stopped; `start` it")
        } else if !claimed {
            self.error(ErrorKind::Misconfigured).hint("this source keeps no such point of a secret's history")
        } else {
            let kind = match self.shaken() {
                Some(kind) => kind,
                None => self.secrets.get_mut(ask.name()).and_then(Secret::refusal)?,
            };
            self.error(kind)
        };
        Some(refused.secret(ask.name()))
    }

    /// What one of a shaky manager's answers is instead: its share of every ten.
    fn shaken(&mut self) -> Option<ErrorKind> {
        let (kind, of_ten, asked) = self.flaky.as_mut()?;
        // 7 and 10 have no common divisor, so ten in a row are each place once
        let place = asked.wrapping_mul(7) % 10;
        *asked = asked.wrapping_add(1);
        (place < u64::from(*of_ten)).then_some(*kind)
    }

    /// One call's answers.
    pub(super) fn fetch_all(&mut self, asks: &[Ask]) -> Vec<Result<Fetched, SourceError>> {
        match self.batches_fail.filter(|_| asks.len() > 1) {
            Some(kind) => asks.iter().map(|ask| Err(self.error(kind).secret(ask.name()))).collect(),
            None => asks.iter().map(|ask| self.fetch(ask)).collect(),
        }
    }

    pub(super) fn fetch(&mut self, ask: &Ask) -> Result<Fetched, SourceError> {
        if let Some(refused) = self.refusal(ask) {
            return Err(refused);
        }
        let absent = self.error(ErrorKind::Absent).secret(ask.name());
        let Some(secret) = self.secrets.get(ask.name()) else { return Err(absent) };
        let Some(version) = secret.version(ask.point()) else { return Err(absent) };
        let mut fetched = Fetched::new(version.document.clone(), Revision::new(version.id.clone()));
        fetched.created = version.created;
        if let Some(duration) = secret.lease {
            self.counts.minted += 1;
            let minted = self.counts.minted;
            let id = format!("{}/{minted}", ask.name());
            fetched.revision = Revision::new(format!("mint {minted}"));
            fetched = fetched.lease(Lease::new(id, duration, !secret.unrenewable));
        }
        if let Some(amend) = &secret.amend {
            fetched = amend(fetched);
        }
        // a test may give it another id or another length
        if let (Some(lease), true) = (&fetched.lease, secret.lease.is_some()) {
            let now = self.clock.as_ref().map(|clock| clock.tick());
            let granted = Granted {
                name: ask.shared_name(),
                duration: lease.duration,
                ends: now.map(|now| now.after(lease.duration)),
                last: secret.longest.and_then(|longest| Some(now?.after(longest))),
            };
            self.leases.insert(lease.id.clone(), granted);
            self.story.push(format!("mint {}", lease.id));
        }
        Ok(fetched)
    }

    /// The revision a fetch would give; `None` where only a fetch can tell.
    pub(super) fn probe(&mut self, ask: &Ask) -> Result<Option<Revision>, SourceError> {
        if let Some(refused) = self.refusal(ask) {
            return Err(refused);
        }
        let secret = self.secrets.get(ask.name());
        if self.blind || secret.is_some_and(|s| s.lease.is_some()) {
            return Ok(None);
        }
        match secret.and_then(|s| s.version(ask.point())) {
            Some(version) => Ok(Some(Revision::new(version.id.clone()))),
            None => Err(self.error(ErrorKind::Absent).secret(ask.name())),
        }
    }

    pub(super) fn renew(&mut self, lease: &Lease) -> Result<Lease, SourceError> {
        self.counts.renewals += 1;
        self.leasing()?;
        self.expire();
        let name = self.leases.get(&lease.id).map(|granted| granted.name.clone());
        let secret = name.and_then(|name| self.secrets.get(&name));
        if let Some(kind) = secret.and_then(|secret| secret.renewals_fail) {
            return Err(self.error(kind));
        }
        if secret.is_some_and(|secret| secret.unrenewable) {
            return Err(self.error(ErrorKind::Misconfigured).hint("this lease cannot be renewed"));
        }
        let renewal = secret.and_then(|secret| secret.renewal);
        let now = self.clock.as_ref().map(|clock| clock.tick());
        let Some(granted) = self.leases.get_mut(&lease.id) else {
            return Err(self.error(ErrorKind::Absent).hint("this lease has ended; fetch the secret anew"));
        };
        let mut duration = renewal.unwrap_or(granted.duration);
        if let (Some(now), Some(last)) = (now, granted.last) {
            duration = duration.min(last.since(now));
        }
        granted.ends = now.map(|now| now.after(duration));
        self.counts.renewed += 1;
        self.story.push(format!("renew {}", lease.id));
        Ok(Lease::new(lease.id.clone(), duration, lease.renewable))
    }

    pub(super) fn revoke(&mut self, lease: &Lease) -> Result<(), SourceError> {
        self.counts.revocations += 1;
        self.leasing()?;
        self.expire();
        let secret = self.leases.get(&lease.id).and_then(|granted| self.secrets.get(&granted.name));
        if let Some(kind) = secret.and_then(|secret| secret.revocations_fail) {
            return Err(self.error(kind));
        }
        if self.leases.remove(&lease.id).is_some() {
            self.counts.revoked += 1;
            self.story.push(format!("revoke {}", lease.id));
        }
        Ok(())
    }

    /// Ends the leases whose time is over, where a clock tells it.
    pub(super) fn expire(&mut self) {
        let Some(now) = self.clock.as_ref().map(|clock| clock.tick()) else { return };
        self.leases.retain(|_, granted| granted.ends.is_none_or(|ends| ends > now));
    }

    fn leasing(&self) -> Result<(), SourceError> {
        self.reached()?;
        if self.abilities.leases {
            Ok(())
        } else {
            Err(self.error(ErrorKind::Misconfigured).hint("this source gives no leases"))
        }
    }

    pub(super) fn reached(&self) -> Result<(), SourceError> {
        if self.reachable {
            Ok(())
        } else {
            Err(self.error(ErrorKind::Transport).hint("this fake is stopped; `start` it"))
        }
    }
}
