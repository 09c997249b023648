//! How Vault is spoken to by hand: what the edge runs on, and what the half on vaultrs is held to.
//!
//! No I/O, no clock and no file in here: a setting that names a file is refused, and the host reads it.

mod line;
mod sign_in;
mod talk;

use crate::blind::Blind;
use crate::error::{Doing, Refusal, SCHEME, malformed, misconfigured, not_there, withdrawn};
use crate::naming::{Kind, Place, Want, version};
use crate::settings::{Auth, Given, SecretId, Settings};
use crate::{mount, reply};
use http::Method;
use line::{Call, Line, Stop, Token};
use secrecy::SecretString;
use secretfig_source::protocol::{Answers, Asking, Protocol, SignedIn};
use secretfig_source::{
    Abilities, Ask, At, ErrorKind, Fetched, Fingerprints, Lease, Probe, Revision, SourceError, SourceInfo,
    Tick,
};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use talk::{SignIn, talk, talk_each};

/// The most secrets and folders of a subtree, and the deepest folder.
const MOST: usize = 256;
const DEEPEST: usize = 6;
/// How many requests a step has at most.
const AT_ONCE: usize = 64;

/// Vault, or OpenBao, as a [`Protocol`]: [`Over`](secretfig_source::protocol::Over) makes a source of it.
///
/// ```
/// use secretfig_source::protocol::{Http, Over};
/// use secretfig_source::{Clock, Source, SourceError};
/// use secretfig_vault::{Auth, Settings, protocol::Vault};
/// use std::sync::Arc;
///
/// fn source(http: Arc<dyn Http>, clock: Arc<dyn Clock>, random: [u8; 32]) -> Result<impl Source, SourceError> {
///     let settings = Settings::new("https://vault.example", Auth::Token("s.abc".into()))?;
///     Ok(Over::new(Vault::new(settings, random)?, http, clock))
/// }
/// ```
pub struct Vault {
    settings: Settings,
    kinds: Mutex<BTreeMap<String, Kind>>,
    blind: Blind,
    /// When the logins end under which leases were granted.
    ends: Mutex<BTreeMap<Arc<str>, Tick>>,
    prints: Fingerprints,
    /// Which of the addresses answered last.
    active: AtomicUsize,
    /// What a wrapped secret_id turned out to be: it opens once, and is used again.
    opened: Mutex<Option<SecretString>>,
}

/// A login: its token, and whether it may look itself up.
pub struct Session {
    token: Token,
    looks: bool,
    /// When the token ends, unless it is renewed. `None`: never, or it is not known.
    ends: Option<Tick>,
}

impl Vault {
    /// Of these settings. `random` is the key under which revisions are told that the server has none for; it must be
    /// random and must not leave the process.
    ///
    /// # Errors
    /// `Misconfigured` where a setting names a file, or something that only a client can do: a CA, a pin, a proxy.
    pub fn new(settings: Settings, random: [u8; 32]) -> Result<Self, SourceError> {
        let mut wrong = Vec::new();
        let mut text = |given: &Given, what: &str| {
            if matches!(given, Given::File(_)) {
                wrong.push(format!("{what} stands in a file, and no file is read here: give the text"));
            }
        };
        match &settings.auth {
            Auth::Token(_) => {}
            Auth::TokenFile(path) => text(&Given::File(path.clone()), "the token"),
            Auth::AppRole { role_id, secret_id, .. } => {
                text(role_id, "the role_id");
                if let SecretId::Plain(given) | SecretId::Wrapped(given) = secret_id {
                    text(given, "the secret_id");
                }
            }
            Auth::Kubernetes { token, .. } | Auth::Jwt { token, .. } => text(token, "the JWT"),
            Auth::Userpass { password, .. } => text(password, "the password"),
            Auth::Certificate { .. } => {
                wrong.push("a client certificate is the client's, which has none here".to_owned());
            }
        }
        for (set, what) in [
            (settings.ca.is_some(), "`ca` and `ca_file`"),
            (settings.client.is_some(), "`client_cert_file`"),
            (!settings.pins.is_empty(), "`pins`"),
            (settings.proxy, "`proxy`"),
        ] {
            if set {
                wrong.push(format!("{what}: the client decides on that, not the protocol"));
            }
        }
        if !wrong.is_empty() {
            return Err(misconfigured(wrong.join("; ")).into());
        }
        Ok(Self {
            settings,
            kinds: Mutex::default(),
            blind: Blind::default(),
            ends: Mutex::default(),
            prints: Fingerprints::new(random),
            active: AtomicUsize::new(0),
            opened: Mutex::default(),
        })
    }

    fn line(&self, wire: talk::Wire, session: Option<Arc<Session>>) -> Line<'_> {
        Line::new(self, wire, session)
    }

    /// Of what kind its mount is: as the settings say, or as the server told once.
    async fn kind(&self, line: &Line<'_>, place: &Place) -> Result<Kind, Stop> {
        if let Some(kind) = self.known_kind(place) {
            return Ok(kind);
        }
        let reply = line.expect(Call::new(Method::GET, place.kind_url()), Doing::Mount(place)).await?;
        let kind = mount::kind(&reply, place)?;
        self.kinds.lock().unwrap_or_else(PoisonError::into_inner).insert(place.mount(), kind);
        Ok(kind)
    }

    fn known_kind(&self, place: &Place) -> Option<Kind> {
        let told = || self.kinds.lock().unwrap_or_else(PoisonError::into_inner).get(&place.mount()).copied();
        place.stated().or_else(told)
    }

    async fn fetch_one(&self, line: &Line<'_>, ask: &Ask) -> Result<Fetched, Stop> {
        let place = self.settings.names.place(ask.name())?;
        checked(ask.point())?;
        let kind = self.kind(line, &place).await?;
        let want = place.want(kind)?;
        if *ask.point() != At::Current && (kind, want) != (Kind::V2, Want::Secret) {
            return Err(misconfigured("only single secrets of KV v2 mounts have versions").into());
        }
        let read = Call::new(Method::GET, place.url(kind));
        match want {
            Want::Secret if kind == Kind::V2 => {
                let read = self.at(line, &place, ask.point(), read).await?;
                Ok(reply::kv2(&line.expect(read, Doing::Read(&place, kind)).await?)?)
            }
            Want::Secret => {
                let reply = line.expect(read, Doing::Read(&place, kind)).await?;
                Ok(reply::kv1(&reply, ask.name(), &self.prints)?)
            }
            Want::Subtree => self.subtree(line, &place, kind, ask.name()).await,
            Want::Minted => {
                let reply = line.expect(read.once(), Doing::Read(&place, kind)).await?;
                let mut minted = reply::minted(&reply, ask.name(), &self.prints)?;
                if let (Some(lease), Some(ends)) = (&mut minted.lease, line.login_ends()) {
                    lease.login = Some(ends.since(line.now().tick));
                    self.granted(&lease.id, ends, line.now().tick);
                }
                Ok(minted)
            }
            Want::Rotated => {
                let reply = line.expect(read, Doing::Read(&place, kind)).await?;
                Ok(reply::rotated(&reply, ask.name(), &self.prints, line.now().wall)?)
            }
        }
    }

    fn ends(&self) -> MutexGuard<'_, BTreeMap<Arc<str>, Tick>> {
        self.ends.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// With its login a lease goes, whoever is signed in by then.
    fn granted(&self, lease: &Arc<str>, login_ends: Tick, now: Tick) {
        let mut ends = self.ends();
        ends.retain(|_, end| now < *end);
        ends.insert(lease.clone(), login_ends);
    }

    /// The read of a KV v2 secret at a point of its history.
    async fn at(&self, line: &Line<'_>, place: &Place, at: &At, read: Call) -> Result<Call, Stop> {
        let version = match at {
            At::Version(text) => version(text)?,
            At::Previous => {
                let previous = metadata(line, place).await?.previous(line.now().wall);
                let none =
                    || Refusal::new(ErrorKind::Absent, "there is no live version before the latest one");
                previous.ok_or_else(none)?
            }
            _ => return Ok(read),
        };
        Ok(read.query("version", version.to_string()))
    }

    /// Every secret below a folder, in the order of their paths: a level at a time.
    async fn below(&self, line: &Line<'_>, folder: &Place, kind: Kind) -> Result<Vec<Vec<Box<str>>>, Stop> {
        let mut found: Vec<Vec<Box<str>>> = Vec::new();
        let mut level: Vec<Vec<Box<str>>> = vec![Vec::new()];
        for depth in 0.. {
            let places = level.iter().map(|at| folder.below(at)).collect::<Result<Vec<_>, _>>()?;
            let list =
                |place: &Place| Call::new(Method::GET, place.list_url(kind)).query("list", "true".to_owned());
            let replies = line.each(places.iter().map(list).collect()).await?;
            let mut next = Vec::new();
            for ((at, place), reply) in level.iter().zip(&places).zip(replies) {
                let keys = match line.expected(reply, Doing::List(place, kind)) {
                    Ok(reply) => reply::keys(&reply)?,
                    // a folder that was emptied while we listed
                    Err(e) if e.kind == ErrorKind::Absent && depth > 0 => continue,
                    Err(e) => return Err(e.into()),
                };
                for key in keys {
                    let (name, all) = match key.strip_suffix('/') {
                        Some(name) => (name, &mut next),
                        None => (&*key, &mut found),
                    };
                    all.push(at.iter().cloned().chain([name.into()]).collect());
                }
            }
            if next.is_empty() {
                break;
            }
            if found.len() + next.len() > MOST || depth + 1 == DEEPEST {
                let hint = "the folder holds more than 256 secrets, or lies deeper than 6 folders; ask for smaller ones";
                return Err(Refusal::new(ErrorKind::TooLarge, hint).into());
            }
            level = next;
        }
        found.sort();
        Ok(found)
    }

    async fn subtree(
        &self,
        line: &Line<'_>,
        folder: &Place,
        kind: Kind,
        name: &str,
    ) -> Result<Fetched, Stop> {
        let paths = self.below(line, folder, kind).await?;
        let places = paths.iter().map(|path| folder.below(path)).collect::<Result<Vec<_>, _>>()?;
        let replies =
            line.each(places.iter().map(|place| Call::new(Method::GET, place.url(kind))).collect()).await?;
        let mut found = Vec::new();
        for ((path, place), reply) in paths.into_iter().zip(&places).zip(replies) {
            let read = line.expected(reply, Doing::Read(place, kind)).and_then(|reply| match kind {
                Kind::V2 => reply::kv2(&reply),
                _ => reply::kv1(&reply, &place.cli_path(), &self.prints),
            });
            match read {
                Ok(fetched) => found.push((path, fetched)),
                // listed still, though deleted: it is not there, and the others are
                Err(e) if matches!(e.kind, ErrorKind::Withdrawn(_) | ErrorKind::Absent) => {}
                Err(e) => return Err(e.into()),
            }
        }
        Ok(reply::subtree(name, found, &self.prints)?)
    }

    async fn probe_one(&self, line: &Line<'_>, ask: &Ask) -> Result<Probe, Stop> {
        let place = self.settings.names.place(ask.name())?;
        checked(ask.point())?;
        let kind = self.kind(line, &place).await?;
        let want = place.want(kind)?;
        let by_metadata =
            kind == Kind::V2 && *ask.point() == At::Current && !self.blind.is(ask.name(), line.now().tick);
        let revision = match want {
            Want::Minted => return Ok(Probe::Unknown),
            Want::Secret if by_metadata => {
                metadata(line, &place).await.and_then(|metadata| Ok(revision(&metadata, line, &place)?))
            }
            Want::Subtree if by_metadata => self.subtree_revision(line, &place, ask.name()).await,
            _ => return Ok(Probe::Current(self.fetch_one(line, ask).await?.revision)),
        };
        match revision {
            Ok(revision) => Ok(Probe::Current(revision)),
            // no right to the metadata is no reason to be blind: the value tells as well
            Err(Stop::Refused(e)) if e.kind == ErrorKind::Denied => {
                let revision = self.fetch_one(line, ask).await?.revision;
                self.blind.found(ask.name(), line.now().tick);
                Ok(Probe::Current(revision))
            }
            Err(stop) => Err(stop),
        }
    }

    async fn subtree_revision(&self, line: &Line<'_>, folder: &Place, name: &str) -> Result<Revision, Stop> {
        let paths = self.below(line, folder, Kind::V2).await?;
        let places = paths.iter().map(|path| folder.below(path)).collect::<Result<Vec<_>, _>>()?;
        let calls = places.iter().map(|place| Call::new(Method::GET, place.metadata_url())).collect();
        let mut all = Vec::new();
        for ((path, place), reply) in paths.into_iter().zip(&places).zip(line.each(calls).await?) {
            let read = line.expected(reply, Doing::Metadata(place));
            let read = read.and_then(|reply| revision(&reply::Metadata::read(&reply)?, line, place));
            match read {
                Ok(revision) => all.push((path.join("/"), revision)),
                Err(e) if matches!(e.kind, ErrorKind::Withdrawn(_) | ErrorKind::Absent) => {}
                Err(e) => return Err(e.into()),
            }
        }
        Ok(reply::subtree_revision(name, &all, &self.prints))
    }
}

async fn metadata(line: &Line<'_>, place: &Place) -> Result<reply::Metadata, Stop> {
    let call = Call::new(Method::GET, place.metadata_url());
    Ok(reply::Metadata::read(&line.expect(call, Doing::Metadata(place)).await?)?)
}

fn revision(metadata: &reply::Metadata, line: &Line<'_>, place: &Place) -> Result<Revision, Refusal> {
    match metadata.revision(line.now().wall) {
        Some(Ok(revision)) => Ok(revision),
        Some(Err(how)) => Err(withdrawn(place, how)),
        None => Err(not_there(place, Kind::V2)),
    }
}

/// What is no point in the history of anything here, whatever its mount is.
fn checked(at: &At) -> Result<(), Refusal> {
    match at {
        At::Current | At::Previous => Ok(()),
        At::Version(text) => version(text).map(|_| ()),
        _ => Err(misconfigured("Vault has no staging labels; say `version`, or `at = \"previous\"`")),
    }
}

/// One answer for one ask, or a new login.
fn answer<T>(result: Result<T, Stop>, name: &str) -> Result<Result<T, SourceError>, SignIn> {
    match result {
        Ok(answer) => Ok(Ok(answer)),
        Err(Stop::Refused(refusal)) => Ok(Err(refusal.of(name))),
        Err(Stop::SignIn) => Err(SignIn),
    }
}

impl Protocol for Vault {
    type Session = Session;

    fn info(&self) -> SourceInfo {
        let mut can = Abilities::NONE;
        (can.previous, can.versions, can.probe, can.leases) = (true, true, true, true);
        (can.created, can.denies) = (true, true);
        let addresses = self.settings.addresses.iter().map(ToString::to_string).collect::<Vec<_>>();
        SourceInfo::new(SCHEME, addresses.join(", ")).abilities(can)
    }

    fn mints(&self, ask: &Ask) -> bool {
        let Ok(place) = self.settings.names.place(ask.name()) else { return false };
        // where it is not known of what kind the mount is: it would, were it a database
        let kind = self.known_kind(&place).unwrap_or(Kind::Database);
        matches!(place.want(kind), Ok(Want::Minted))
    }

    fn sign_in(&self) -> Asking<'_, Result<SignedIn<Session>, SourceError>> {
        talk(move |wire| async move { sign_in::sign_in(self, self.line(wire, None)).await })
    }

    fn fetch<'a>(&'a self, session: Arc<Session>, asks: &'a [Ask]) -> Asking<'a, Answers<Fetched>> {
        talk_each(asks, move |wire, ask: &'a Ask| {
            let session = session.clone();
            async move {
                let line = self.line(wire, Some(session));
                answer(self.fetch_one(&line, ask).await, ask.name())
            }
        })
    }

    fn probe<'a>(&'a self, session: Arc<Session>, asks: &'a [Ask]) -> Option<Asking<'a, Answers<Probe>>> {
        Some(talk_each(asks, move |wire, ask: &'a Ask| {
            let session = session.clone();
            async move {
                let line = self.line(wire, Some(session));
                answer(self.probe_one(&line, ask).await, ask.name())
            }
        }))
    }

    fn renew<'a>(
        &'a self,
        session: Arc<Session>,
        lease: &'a Lease,
    ) -> Option<Asking<'a, Result<Lease, SourceError>>> {
        Some(talk(move |wire| async move {
            let line = self.line(wire, Some(session));
            let body =
                line::Body::new().text("lease_id", &lease.id).number("increment", lease.duration.as_secs());
            let call = Call::new(Method::PUT, ["v1", "sys", "leases", "renew"]).body(body);
            let renewed = line.expect(call, Doing::Renew).await.and_then(|reply| {
                let renewed = reply::lease(&reply::tree(&reply)?);
                let mut renewed = renewed.ok_or_else(|| malformed("the reply is no lease"))?;
                renewed.login = self.ends().get(&lease.id).map(|end| end.since(line.now().tick));
                Ok(renewed)
            });
            match renewed {
                Ok(lease) => Ok(Ok(lease)),
                Err(Stop::Refused(refusal)) => Ok(Err(refusal.into())),
                Err(Stop::SignIn) => Err(SignIn),
            }
        }))
    }

    fn revoke<'a>(
        &'a self,
        session: Arc<Session>,
        lease: &'a Lease,
    ) -> Option<Asking<'a, Result<(), SourceError>>> {
        Some(talk(move |wire| async move {
            let line = self.line(wire, Some(session));
            let body = line::Body::new().text("lease_id", &lease.id).flag("sync", true);
            let call = Call::new(Method::PUT, ["v1", "sys", "leases", "revoke"]).body(body);
            match line.expect(call, Doing::Revoke).await {
                Ok(_) => {
                    self.ends().remove(&lease.id);
                    Ok(Ok(()))
                }
                Err(Stop::Refused(refusal)) => Ok(Err(refusal.into())),
                Err(Stop::SignIn) => Err(SignIn),
            }
        }))
    }
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Vault").field("settings", &self.settings).finish_non_exhaustive()
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").finish_non_exhaustive()
    }
}
