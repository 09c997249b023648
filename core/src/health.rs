//! How a configuration stands, by section and secret: names and states, never a value.

use crate::plan::SecretId;
use crate::publish::Publisher;
use crate::section::{View, Withheld};
use crate::store::TroubleKind;
use crate::tree::KeyPath;
use secretfig_source::{Note, Tick};
use serde::ser::{Serialize, SerializeStruct, Serializer};
use std::fmt;

/// How everything stands. `Display` is for people, `Serialize` for machines; both hold secret names, so that a
/// public answer should hold [`Health::is_ready`] and no more.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Health {
    /// Whether every section may be used.
    pub ready: bool,
    /// Whether anything is in trouble, though it may still be served.
    pub degraded: bool,
    /// `absent`, `running` or `dead`.
    pub refresher: &'static str,
    /// The sources.
    pub sources: Vec<SourceHealth>,
    /// The secrets.
    pub secrets: Vec<SecretHealth>,
    /// The sections that were asked for and are still held, by type.
    pub sections: Vec<SectionHealth>,
    /// What left by [`Config::expose`](crate::Config::expose) and has another value in force now: whoever took it does
    /// not see that. Nothing is wrong with the configuration itself, so that it is neither degraded nor not ready.
    pub restart_needed: Vec<RestartNeeded>,
    /// What a person should know besides, `restart needed` among it.
    pub notes: Vec<String>,
}

/// Keys of one secret that left by [`Config::expose`](crate::Config::expose) and have other values in force now. Keys of
/// the same secret whose values are as they were are not among them.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RestartNeeded {
    /// The keys that have moved.
    pub keys: Vec<String>,
    /// The secret's source.
    pub source: String,
    /// The secret's name.
    pub secret: String,
    /// The revision that left; none where nothing of this secret stood under these keys when they were asked for.
    pub handed_out: Option<String>,
    /// The revision that is served now; none where the secret, an optional one, is gone.
    pub current: Option<String>,
}

/// How one source stands.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SourceHealth {
    /// Its name.
    pub source: String,
    /// Whether it is asked.
    pub breaker: Breaker,
}

/// Whether a source is asked, or left alone because it keeps failing ([`Policy`](crate::Policy)).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Breaker {
    /// It is asked.
    Closed,
    /// It is left alone; what is loaded is served on.
    #[non_exhaustive]
    Open {
        /// For how many seconds.
        since_seconds: u64,
        /// In how many seconds a single call will try it; 0 while one does, or as soon as something is due.
        next_seconds: u64,
        /// How the last call to it failed.
        because: secretfig_source::ErrorKind,
    },
}

/// How one secret stands.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct SecretHealth {
    /// Its source.
    pub source: String,
    /// Its name.
    pub secret: String,
    /// The revision that is served; none where it is optional and absent.
    pub revision: Option<String>,
    /// The key paths it feeds.
    pub keys: Vec<String>,
    /// Whether it feeds no `Live` part: it is re-read with every snapshot, and never withheld.
    pub outside: bool,
    /// `ok`, or what is wrong: a kind of the source, `refused`, `torn`.
    pub state: String,
    /// For how many seconds that has been so.
    pub since_seconds: Option<u64>,
    /// Why it is withheld, if it is.
    pub withheld: Option<String>,
    /// How many seconds ago its source last answered.
    pub seen_seconds: u64,
    /// The lease it came with.
    pub lease: Option<LeaseHealth>,
    /// What its source has learnt of it that is no fault yet: a rotation that is stuck, an expiry that is near. They make
    /// nothing degraded.
    pub notes: Vec<Note>,
}

/// How the lease of one secret stands.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LeaseHealth {
    /// For how many seconds it may still be used, if nothing more is granted.
    pub left_seconds: u64,
    /// How often it was renewed.
    pub renewals: u32,
    /// Whether it can be renewed.
    pub renewable: bool,
    /// What comes next: `renew` it, or `mint` another in its place.
    pub next: &'static str,
    /// In how many seconds.
    pub next_seconds: u64,
    /// Why it was not renewed, or no other took its place, when that was last tried.
    pub failed: Option<&'static str>,
    /// How many leases of this secret were replaced and are not given back yet: someone still reads their values, or
    /// giving them back failed.
    pub retiring: usize,
}

/// How one section stands.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct SectionHealth {
    /// The name of its type.
    pub type_name: &'static str,
    /// Its key path; none for one inside `flatten` or of a serde default, which stands and falls with all secrets.
    pub path: Option<String>,
    /// Why it is withheld, if it is.
    pub withheld: Option<String>,
}

impl SectionHealth {
    pub(crate) fn of<S>(view: &View<S>, fixed_path: Option<&KeyPath>) -> Self {
        let path = fixed_path.or(view.live.path.as_ref()).map(ToString::to_string);
        let withheld = view.withheld.as_ref().map(ToString::to_string);
        Self { type_name: std::any::type_name::<S>(), path, withheld }
    }

    /// Logs a section's going and coming back: once each, not once per request.
    pub(crate) fn tell(&self, before: &Option<Withheld>) {
        let path = self.path.as_deref();
        match (before, &self.withheld) {
            (None, Some(reason)) => {
                tracing::error!(target: "secretfig", section = self.type_name, path, reason, "a section is withheld");
            }
            (Some(_), None) => {
                tracing::info!(target: "secretfig", section = self.type_name, path, "a section is back");
            }
            _ => {}
        }
    }
}

impl Health {
    /// Whether every section may be used.
    pub fn is_ready(&self) -> bool {
        self.ready
    }

    /// Whether anything is in trouble, though it may still be served.
    pub fn is_degraded(&self) -> bool {
        self.degraded
    }

    /// The secrets for which those who took them by [`Config::expose`](crate::Config::expose) must start anew, or be
    /// given them anew.
    pub fn restart_needed(&self) -> &[RestartNeeded] {
        &self.restart_needed
    }

    /// One secret's health, by its name.
    pub fn secret(&self, name: &str) -> Option<&SecretHealth> {
        self.secrets.iter().find(|secret| secret.secret == name)
    }
}

impl SecretHealth {
    /// Whether nothing is wrong with it.
    pub fn is_ok(&self) -> bool {
        let lease = self.lease.as_ref().is_none_or(|lease| lease.failed.is_none());
        self.state == "ok" && self.withheld.is_none() && lease
    }
}

/// How the refresher stands, for `health()`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refresher {
    /// `keep_fresh()` was not called, or its Keeper is gone.
    Absent,
    /// It runs.
    Running,
    /// Its task ended by itself, which it never should.
    Dead,
}

// By hand: a derive would cost everyone who depends on us a cold build of `serde_derive`.
impl Serialize for Health {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_struct("Health", 8)?;
        map.serialize_field("ready", &self.ready)?;
        map.serialize_field("degraded", &self.degraded)?;
        map.serialize_field("refresher", self.refresher)?;
        map.serialize_field("sources", &self.sources)?;
        map.serialize_field("secrets", &self.secrets)?;
        map.serialize_field("sections", &self.sections)?;
        map.serialize_field("restart_needed", &self.restart_needed)?;
        map.serialize_field("notes", &self.notes)?;
        map.end()
    }
}

/// `breaker` is `closed` or `open`; where it is open, `since_seconds`, `next_seconds` and `because` are beside it.
impl Serialize for SourceHealth {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.breaker {
            Breaker::Closed => {
                let mut map = serializer.serialize_struct("SourceHealth", 2)?;
                map.serialize_field("source", &self.source)?;
                map.serialize_field("breaker", "closed")?;
                map.end()
            }
            Breaker::Open { since_seconds, next_seconds, because } => {
                let mut map = serializer.serialize_struct("SourceHealth", 5)?;
                map.serialize_field("source", &self.source)?;
                map.serialize_field("breaker", "open")?;
                map.serialize_field("since_seconds", &since_seconds)?;
                map.serialize_field("next_seconds", &next_seconds)?;
                map.serialize_field("because", because.as_str())?;
                map.end()
            }
        }
    }
}

impl Serialize for RestartNeeded {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_struct("RestartNeeded", 5)?;
        map.serialize_field("keys", &self.keys)?;
        map.serialize_field("source", &self.source)?;
        map.serialize_field("secret", &self.secret)?;
        map.serialize_field("handed_out", &self.handed_out)?;
        map.serialize_field("current", &self.current)?;
        map.end()
    }
}

impl Serialize for SectionHealth {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_struct("SectionHealth", 3)?;
        map.serialize_field("type_name", self.type_name)?;
        map.serialize_field("path", &self.path)?;
        map.serialize_field("withheld", &self.withheld)?;
        map.end()
    }
}

struct NoteLine<'a>(&'a Note);

impl Serialize for NoteLine<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_struct("Note", 2)?;
        map.serialize_field("what", self.0.what())?;
        map.serialize_field("text", self.0.text())?;
        map.end()
    }
}

impl Serialize for SecretHealth {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_struct("SecretHealth", 11)?;
        map.serialize_field("source", &self.source)?;
        map.serialize_field("secret", &self.secret)?;
        map.serialize_field("revision", &self.revision)?;
        map.serialize_field("keys", &self.keys)?;
        map.serialize_field("outside", &self.outside)?;
        map.serialize_field("state", &self.state)?;
        map.serialize_field("since_seconds", &self.since_seconds)?;
        map.serialize_field("withheld", &self.withheld)?;
        map.serialize_field("seen_seconds", &self.seen_seconds)?;
        map.serialize_field("lease", &self.lease)?;
        if self.notes.is_empty() {
            map.skip_field("notes")?;
        } else {
            map.serialize_field("notes", &self.notes.iter().map(NoteLine).collect::<Vec<_>>())?;
        }
        map.end()
    }
}

impl Serialize for LeaseHealth {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_struct("LeaseHealth", 7)?;
        map.serialize_field("left_seconds", &self.left_seconds)?;
        map.serialize_field("renewals", &self.renewals)?;
        map.serialize_field("renewable", &self.renewable)?;
        map.serialize_field("next", self.next)?;
        map.serialize_field("next_seconds", &self.next_seconds)?;
        map.serialize_field("failed", &self.failed)?;
        map.serialize_field("retiring", &self.retiring)?;
        map.end()
    }
}

/// `lease: 3000 s left, renewed 2 times, renew in 1400 s`
impl fmt::Display for LeaseHealth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "lease: {} s left, renewed {} times, ", self.left_seconds, self.renewals)?;
        write!(f, "{} in {} s", self.next, self.next_seconds)?;
        if let Some(failed) = self.failed {
            write!(f, "; that last failed: {failed}")?;
        }
        if self.retiring > 0 {
            write!(f, "; {} before it not given back yet", self.retiring)?;
        }
        Ok(())
    }
}

impl Refresher {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Refresher::Absent => "absent",
            Refresher::Running => "running",
            Refresher::Dead => "dead",
        }
    }
}

impl fmt::Display for Health {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match (self.ready, self.degraded) {
            (false, _) => "not ready",
            (true, true) => "ready, degraded",
            (true, false) => "ready",
        };
        write!(f, "{state}; refresher {}", self.refresher)?;
        for source in &self.sources {
            if let Breaker::Open { since_seconds, next_seconds, because } = source.breaker {
                let because = because.as_str();
                write!(f, "\n{}: left alone for {since_seconds} s ({because}); ", source.source)?;
                write!(f, "tried again in {next_seconds} s")?;
            }
        }
        for secret in &self.secrets {
            write!(f, "\n{} `{}`", secret.source, crate::tree::Clean(&secret.secret))?;
            if let Some(revision) = &secret.revision {
                write!(f, " {}", crate::tree::Clean(revision))?;
            }
            write!(f, " \u{2192} {}: {}", secret.keys.join(", "), secret.state)?;
            if let Some(since) = secret.since_seconds {
                write!(f, " for {since} s")?;
            }
            if let Some(withheld) = &secret.withheld {
                write!(f, "; {withheld}")?;
            }
            if let Some(lease) = &secret.lease {
                write!(f, "; {lease}")?;
            }
            for note in &secret.notes {
                write!(f, "; {}", crate::tree::Clean(&note.to_string()))?;
            }
        }
        for section in &self.sections {
            if let Some(withheld) = &section.withheld {
                let path = section.path.as_deref().unwrap_or("no path of its own");
                write!(f, "\n{} ({}): {withheld}", section.type_name, crate::tree::Clean(path))?;
            }
        }
        for note in &self.notes {
            write!(f, "\nnote: {}", crate::tree::Clean(note))?;
        }
        Ok(())
    }
}

/// `restart needed: …`, as one of [`Health::notes`].
impl fmt::Display for RestartNeeded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let keys: Vec<String> = self.keys.iter().map(|key| format!("`{key}`")).collect();
        write!(f, "restart needed: {} of {} `{}` ", keys.join(", "), self.source, self.secret)?;
        match &self.handed_out {
            Some(handed_out) => write!(f, "was handed out at revision {handed_out}, ")?,
            None => f.write_str("was not in force when asked for, ")?,
        }
        match &self.current {
            Some(current) => write!(f, "and is now at {current}"),
            None => f.write_str("and is gone"),
        }
    }
}

impl<T> Publisher<T> {
    pub(crate) fn health(
        &mut self,
        now: Tick,
        refresher: &'static str,
        sources: Vec<SourceHealth>,
    ) -> Health {
        self.bring_up_to_date(now);
        let live = |path: &KeyPath| self.made.lives.iter().any(|live| live.meets(path) && !path.is_root());
        let secrets = self.plan.secrets.iter().zip(&self.states).enumerate().map(|(n, (secret, state))| {
            let uses = self.plan.uses.iter().filter(|used| used.secret.0 as usize == n);
            let uses: Vec<_> = uses.collect();
            let outside = !uses.iter().any(|used| live(&used.path));
            let ended = state.until(&self.freshness).filter(|(until, _)| *until <= now && !outside);
            let name = || Some(secret.ask.shared_name());
            let withheld = ended.map(|(_, cause)| crate::section::Withheld::new(cause, name()).to_string());
            let state_words = match &state.trouble {
                None => "ok".to_owned(),
                Some(trouble) => match &trouble.kind {
                    TroubleKind::Source(kind) => kind.as_str().to_owned(),
                    TroubleKind::Refused(why) => format!("refused ({why})"),
                    TroubleKind::Torn => "torn".to_owned(),
                },
            };
            let source = self.plan.sources.get(secret.source);
            SecretHealth {
                source: source.map(|named| named.name.clone()).unwrap_or_default(),
                notes: source.map(|named| named.source.notes(&secret.ask)).unwrap_or_default(),
                secret: secret.ask.to_string(),
                revision: state.revision().map(ToString::to_string),
                keys: uses.iter().map(|used| used.path.to_string()).collect(),
                outside,
                state: state_words,
                since_seconds: state.trouble.as_ref().map(|trouble| now.since(trouble.since).as_secs()),
                withheld,
                seen_seconds: now.since(state.seen).as_secs(),
                lease: state.lent.as_ref().map(|lent| {
                    let (next, step) = lent.life.next();
                    LeaseHealth {
                        left_seconds: lent.life.ends.since(now).as_secs(),
                        renewals: lent.life.renewals,
                        renewable: lent.life.renewable,
                        next: step.as_str(),
                        next_seconds: next.since(now).as_secs(),
                        failed: lent.life.trouble,
                        retiring: self.desk.retiring(SecretId::nth(n)),
                    }
                }),
            }
        });
        let secrets: Vec<SecretHealth> = secrets.collect();
        let mut notes = Vec::new();
        let outside: Vec<&str> = secrets.iter().filter(|s| s.outside).map(|s| s.secret.as_str()).collect();
        if !outside.is_empty() {
            notes.push(format!("outside of any `Live` part, so never withheld: {}", outside.join(", ")));
        }
        notes.extend(self.overridden.iter().cloned());
        #[cfg(feature = "figment")]
        let restart_needed = self.handed_out.restarts.clone();
        #[cfg(not(feature = "figment"))]
        let restart_needed = Vec::new();
        notes.extend(restart_needed.iter().map(ToString::to_string));
        Health {
            ready: secrets.iter().all(|secret| secret.withheld.is_none())
                && self.stand.iter().all(|section| section.withheld.is_none()),
            degraded: secrets.iter().any(|secret| !secret.is_ok())
                || sources.iter().any(|source| source.breaker != Breaker::Closed)
                || refresher == "dead",
            refresher,
            sources,
            sections: self.stand.clone(),
            secrets,
            restart_needed,
            notes,
        }
    }
}
