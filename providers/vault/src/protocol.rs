//! How Vault is spoken to by hand: what the edge runs on, and what the half on vaultrs is held to.
//!
//! No I/O, no clock and no file in here: a setting that names a file is refused, and the host reads it.

mod line;
#[cfg(feature = "full")]
mod more;
mod sign_in;

use crate::error::{Doing, Refusal, SCHEME, misconfigured};
use crate::naming::{Kind, Place, Want, version};
use crate::settings::Settings;
use crate::{mount, reply};
use http::Method;
use line::{Call, Line, Stop, Token};
use secrecy::SecretString;
use secretfig_source::protocol::Blind;
use secretfig_source::protocol::{Answers, Asking, Protocol, SignIn, SignedIn, Wire, talk, talk_each};
use secretfig_source::{Abilities, Ask, At, Fetched, Fingerprints, SourceError, SourceInfo, Tick};
#[cfg(feature = "full")]
use secretfig_source::{Lease, Probe};
use std::fmt;
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Mutex, PoisonError};

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
    kinds: Mutex<Vec<(String, Kind)>>,
    blind: Blind,
    /// When the logins end under which leases were granted.
    ends: Mutex<Vec<(Arc<str>, Tick)>>,
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
        #[cfg(feature = "full")]
        more::only_what_a_protocol_can(&settings)?;
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

    fn line(&self, wire: Wire, session: Option<Arc<Session>>) -> Line<'_> {
        Line::new(self, wire, session)
    }

    /// Of what kind its mount is: as the settings say, or as the server told once.
    async fn kind(&self, line: &Line<'_>, place: &Place) -> Result<Kind, Stop> {
        if let Some(kind) = self.known_kind(place) {
            return Ok(kind);
        }
        let reply = line.expect(Call::new(Method::GET, &place.kind_url()), Doing::Mount(place)).await?;
        let kind = mount::kind(&reply, place)?;
        let (mount, mut kinds) = (place.mount(), self.kinds.lock().unwrap_or_else(PoisonError::into_inner));
        kinds.retain(|(known, _)| *known != mount);
        kinds.push((mount, kind));
        Ok(kind)
    }

    fn known_kind(&self, place: &Place) -> Option<Kind> {
        let told = || {
            let kinds = self.kinds.lock().unwrap_or_else(PoisonError::into_inner);
            let mount = place.mount();
            kinds.iter().find(|(known, _)| *known == mount).map(|(_, kind)| *kind)
        };
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
        let read = Call::new(Method::GET, &place.url(kind));
        #[cfg(feature = "full")]
        let read = match want {
            Want::Subtree => return self.subtree(line, &place, kind, ask.name()).await,
            Want::Secret => self.at(line, &place, ask.point(), read).await?,
            _ => read,
        };
        #[cfg(not(feature = "full"))]
        if want != Want::Secret || *ask.point() != At::Current {
            return Err(misconfigured(
                "folders, versions and credentials of databases are not read in this build; ask for single key/value secrets",
            )
            .into());
        }
        let read = if want == Want::Minted { read.once() } else { read };
        let reply = line.expect(read, Doing::Read(&place, kind)).await?;
        Ok(match want {
            #[cfg(feature = "full")]
            Want::Minted | Want::Rotated => self.credential(line, want, ask.name(), &reply)?,
            _ if kind == Kind::V2 => reply::kv2(&reply)?,
            _ => reply::kv1(&reply, ask.name(), &self.prints)?,
        })
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

    #[cfg(feature = "full")]
    fn probe<'a>(&'a self, session: Arc<Session>, asks: &'a [Ask]) -> Option<Asking<'a, Answers<Probe>>> {
        Some(more::probe(self, session, asks))
    }

    #[cfg(feature = "full")]
    fn renew<'a>(
        &'a self,
        session: Arc<Session>,
        lease: &'a Lease,
    ) -> Option<Asking<'a, Result<Lease, SourceError>>> {
        Some(more::renew(self, session, lease))
    }

    #[cfg(feature = "full")]
    fn revoke<'a>(
        &'a self,
        session: Arc<Session>,
        lease: &'a Lease,
    ) -> Option<Asking<'a, Result<(), SourceError>>> {
        Some(more::revoke(self, session, lease))
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
