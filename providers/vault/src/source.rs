//! The source for servers: plain async code over vaultrs' endpoint types, with one door for all logins.

use crate::adapter::{Adapter, Call};
use crate::auth::{Door, Session, Ways};
use crate::error::{Doing, Refusal, SCHEME, malformed, misconfigured, not_there, refusal, withdrawn};
use crate::naming::{self, Kind, Names, Place, Want};
use crate::settings::{Pem, Settings};
use crate::{mount, reply};
use async_trait::async_trait;
use http::{Method, StatusCode};
use secretfig_source::protocol::Blind;
use secretfig_source::protocol::{Http, Limits, Reply};
use secretfig_source::{
    Abilities, Ask, At, Clock, ErrorKind, Fetched, Fingerprints, Grants, Identity, Lease, Listing, Probe,
    Revision, Source, SourceError, SourceInfo, Tick,
};
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use vaultrs::api::database::requests::{GenerateCredentialsRequest, GetStaticCredentialsRequest};
use vaultrs::api::kv1::requests::{GetSecretRequest, ListSecretRequest};
use vaultrs::api::kv2::requests::{ListSecretsRequest, ReadSecretMetadataRequest, ReadSecretRequest};

/// How long what the server told of a mount is not doubted because a secret is not there.
const TOLD: Duration = Duration::from_secs(60);

/// How many secrets and folders a subtree may have.
const MOST: usize = 1_000;

/// HashiCorp Vault, or OpenBao.
///
/// It signs in when something is first asked, cares for its token as the module of logins says, and asks the next
/// address of a cluster where one does not serve. It retries nothing else: that is the core's part.
///
/// ```no_run
/// use secretfig_source::{Ask, Clock, Source};
/// use secretfig_vault::{Settings, Vault};
/// use std::sync::Arc;
///
/// # async fn ask(clock: Arc<dyn Clock>) -> Result<(), secretfig_source::SourceError> {
/// let vault = Vault::new(Settings::from_env(std::env::vars_os())?, clock)?;
/// for answer in vault.fetch(&[Ask::new("secret/myapp/database")]).await {
///     println!("{:?}", answer?.revision);
/// }
/// # Ok(())
/// # }
/// ```
pub struct Vault {
    adapter: Adapter,
    door: Door,
    names: Names,
    namespace: Option<String>,
    /// The kinds of mounts that the server told, and when.
    kinds: Mutex<BTreeMap<String, (Kind, Tick)>>,
    blind: Blind,
    prints: Fingerprints,
    clock: Arc<dyn Clock>,
    info: SourceInfo,
}

impl Vault {
    /// Of these settings, over the hardened transport. Connects to nothing.
    ///
    /// # Errors
    /// `Misconfigured`, where a setting cannot be used.
    pub fn new(settings: Settings, clock: Arc<dyn Clock>) -> Result<Self, SourceError> {
        let transport = secretfig_transport::Transport::new(transport(&settings)?);
        Self::over(settings, Arc::new(transport.map_err(|r| r.of_source(SCHEME))?), clock)
    }

    /// Of these settings, over a client of one's own. What the settings say of TLS is its part then.
    ///
    /// # Errors
    /// As [`Vault::new`].
    pub fn over(settings: Settings, http: Arc<dyn Http>, clock: Arc<dyn Clock>) -> Result<Self, SourceError> {
        let limits = Limits { deadline: settings.timeout, ..Limits::default() };
        let addresses = settings.addresses().iter().map(ToString::to_string).collect::<Vec<_>>();
        let mut info = SourceInfo::new(SCHEME, addresses.join(", ")).abilities(abilities());
        if let 2.. = addresses.len() {
            // the next address is worth nothing if the first one takes all the time there is
            info = info
                .attempt(settings.timeout.saturating_mul(u32::try_from(addresses.len()).unwrap_or(u32::MAX)));
        }
        let Settings { addresses, namespace, login_namespace, auth, names, .. } = settings;
        Ok(Self {
            adapter: Adapter::new(http, addresses, limits),
            door: Door::new(Ways::new(auth, login_namespace, clock.clone(), key()?), clock.clone()),
            names,
            namespace,
            kinds: Mutex::default(),
            blind: Blind::default(),
            prints: Fingerprints::new(key()?),
            clock,
            info,
        })
    }

    /// Sends it as whoever is signed in. A login that is dead is made anew, and the request sent once more; one that
    /// merely has no right is told by the reply.
    async fn ask(&self, call: &Call) -> Result<(Reply, Arc<Session>), SourceError> {
        let session = self.door.session(&self.adapter).await?;
        let asked = self.clock.tick();
        let reply = self.door.as_session(&self.adapter, &session, call, self.namespace.as_deref()).await?;
        if reply.status() != StatusCode::FORBIDDEN
            || !self.door.is_dead(&self.adapter, &session, asked, &reply).await?
        {
            return Ok((reply, session));
        }
        let session = self.door.enter(&self.adapter, Some(&session)).await?;
        let reply = self.door.as_session(&self.adapter, &session, call, self.namespace.as_deref()).await?;
        Ok((reply, session))
    }

    /// The reply, where it is the expected one.
    async fn expect(&self, call: &Call, doing: Doing<'_>) -> Result<Reply, Refusal> {
        let (reply, _) = self.ask(call).await?;
        self.expected(reply, doing)
    }

    fn expected(&self, reply: Reply, doing: Doing<'_>) -> Result<Reply, Refusal> {
        match reply.status() {
            StatusCode::OK => Ok(reply),
            _ => Err(refusal(&reply, doing, self.clock.wall())),
        }
    }

    /// Of what kind its mount is: as the settings say, or as the server told once.
    async fn kind(&self, place: &Place) -> Result<Kind, Refusal> {
        if let Some(kind) = self.known_kind(place) {
            return Ok(kind);
        }
        let call = Call::new(Method::GET, place.kind_url());
        let reply = self.expect(&call, Doing::Mount(place)).await?;
        let kind = mount::kind(&reply, place)?;
        self.kinds().insert(place.mount(), (kind, self.clock.tick()));
        Ok(kind)
    }

    fn kinds(&self) -> MutexGuard<'_, BTreeMap<String, (Kind, Tick)>> {
        self.kinds.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn known_kind(&self, place: &Place) -> Option<Kind> {
        place.stated().or_else(|| self.kinds().get(&place.mount()).map(|(kind, _)| *kind))
    }

    /// The other kind that its mount is of by now, where this refusal lets one doubt: somebody may have mounted another
    /// one at its place, or upgraded it. A secret that is not there looks the same in both kinds, and is asked about
    /// less often.
    async fn other_kind(&self, place: &Place, kind: Kind, refusal: &Refusal) -> Option<Kind> {
        let told =
            self.kinds().get(&place.mount()).map(|(_, at)| *at).filter(|_| place.stated().is_none())?;
        let doubt = match refusal.kind {
            ErrorKind::Misconfigured => true,
            ErrorKind::Absent => self.clock.tick().since(told) >= TOLD,
            _ => false,
        };
        if !doubt {
            return None;
        }
        self.kinds().remove(&place.mount());
        self.kind(place).await.ok().filter(|other| *other != kind)
    }

    async fn fetch_one(&self, ask: &Ask) -> Result<Fetched, Refusal> {
        let place = self.names.place(ask.name())?;
        checked(ask.point())?;
        let kind = self.kind(&place).await?;
        match self.fetch_as(ask, &place, kind).await {
            Err(e) => match self.other_kind(&place, kind, &e).await {
                Some(other) => self.fetch_as(ask, &place, other).await,
                None => Err(e),
            },
            fetched => fetched,
        }
    }

    async fn fetch_as(&self, ask: &Ask, place: &Place, kind: Kind) -> Result<Fetched, Refusal> {
        let want = place.want(kind)?;
        if *ask.point() != At::Current && (kind != Kind::V2 || want != Want::Secret) {
            return Err(misconfigured("only single secrets of KV v2 mounts have versions"));
        }
        match want {
            Want::Secret if kind == Kind::V2 => self.version(place, ask.point()).await,
            Want::Secret => {
                let endpoint = GetSecretRequest { mount: place.mount(), path: path(place) };
                let reply = self.expect(&Call::of(&endpoint), Doing::Read(place, kind)).await?;
                reply::kv1(&reply, ask.name(), &self.prints)
            }
            Want::Subtree => self.subtree(place, kind, ask.name()).await,
            Want::Minted => self.mint(place, ask.name()).await,
            Want::Rotated => {
                let endpoint = GetStaticCredentialsRequest { mount: place.mount(), name: role(place) };
                let reply = self.expect(&Call::of(&endpoint), Doing::Read(place, kind)).await?;
                reply::rotated(&reply, ask.name(), &self.prints, self.clock.wall())
            }
        }
    }

    /// A KV v2 secret at a point of its history.
    async fn version(&self, place: &Place, at: &At) -> Result<Fetched, Refusal> {
        let version = match at {
            At::Version(version) => Some(naming::version(version)?),
            At::Previous => {
                let metadata = self.metadata(place).await?;
                let previous = metadata.previous(self.clock.wall());
                Some(previous.ok_or_else(|| {
                    Refusal::new(ErrorKind::Absent, "there is no live version before the latest one")
                })?)
            }
            _ => None,
        };
        let endpoint = ReadSecretRequest { mount: place.mount(), path: path(place), version: None };
        let mut call = Call::of(&endpoint);
        if let Some(version) = version {
            call = call.query("version", version.to_string());
        }
        reply::kv2(&self.expect(&call, Doing::Read(place, Kind::V2)).await?)
    }

    async fn metadata(&self, place: &Place) -> Result<reply::Metadata, Refusal> {
        let endpoint = ReadSecretMetadataRequest { mount: place.mount(), path: path(place) };
        reply::Metadata::read(&self.expect(&Call::of(&endpoint), Doing::Metadata(place)).await?)
    }

    /// Credentials that are made by being read: asked for once.
    async fn mint(&self, place: &Place, name: &str) -> Result<Fetched, Refusal> {
        let endpoint = GenerateCredentialsRequest { mount: place.mount(), name: role(place) };
        let (reply, session) = self.ask(&Call::of(&endpoint).once()).await?;
        let reply = self.expected(reply, Doing::Read(place, Kind::Database))?;
        let mut fetched = match reply::minted(&reply, name, &self.prints) {
            Ok(fetched) => fetched,
            Err(e) => {
                self.give_back(&reply).await;
                return Err(e);
            }
        };
        if let Some(lease) = &mut fetched.lease {
            lease.login = session.left(self.clock.tick());
            self.door.granted(&lease.id, &session);
        }
        Ok(fetched)
    }

    /// Gives back what was made and cannot be used: nobody else knows of it.
    async fn give_back(&self, reply: &Reply) {
        let Ok(tree) = reply::tree(reply) else { return };
        let Some(id) = reply::text(&tree, "lease_id").filter(|id| !id.is_empty()) else { return };
        if self.revoke(&Lease::new(id, Duration::ZERO, false)).await.is_err() {
            tracing::warn!(
                target: "secretfig",
                "a credential that cannot be used could not be given back; it ends by itself"
            );
        }
    }

    /// Every secret below a folder, in the order of their paths.
    async fn below(&self, folder: &Place, kind: Kind) -> Result<Vec<Vec<Box<str>>>, Refusal> {
        let mut found = Vec::new();
        let mut folders: Vec<Vec<Box<str>>> = vec![Vec::new()];
        let mut asked = 0;
        while let Some(at) = folders.pop() {
            let place = folder.below(&at)?;
            let reply = match self.expect(&list(&place, kind), Doing::List(&place, kind)).await {
                Ok(reply) => reply,
                // a folder that was emptied while we listed
                Err(e) if e.kind == ErrorKind::Absent && asked > 0 => continue,
                Err(e) => return Err(e),
            };
            asked += 1;
            for key in reply::keys(&reply)? {
                let (name, all) = match key.strip_suffix('/') {
                    Some(name) => (name, &mut folders),
                    None => (&*key, &mut found),
                };
                let path: Vec<Box<str>> = at.iter().cloned().chain([name.into()]).collect();
                // before anything is asked of it
                folder.below(&path)?;
                all.push(path);
            }
            if found.len() + folders.len() + asked > MOST {
                return Err(Refusal::new(
                    ErrorKind::TooLarge,
                    "the folder holds more than 1000 secrets and folders; ask for smaller ones",
                ));
            }
        }
        found.sort();
        Ok(found)
    }

    async fn listed(&self, folder: &Place, kind: Kind) -> Result<Vec<Vec<Box<str>>>, Refusal> {
        folder.want(kind)?;
        self.below(folder, kind).await
    }

    async fn subtree(&self, folder: &Place, kind: Kind, name: &str) -> Result<Fetched, Refusal> {
        let mut found = Vec::new();
        for path in self.below(folder, kind).await? {
            let place = folder.below(&path)?;
            let read = match kind {
                Kind::V2 => self.version(&place, &At::Current).await,
                _ => {
                    let endpoint = GetSecretRequest { mount: place.mount(), path: self::path(&place) };
                    let reply = self.expect(&Call::of(&endpoint), Doing::Read(&place, kind)).await;
                    reply.and_then(|reply| reply::kv1(&reply, &place.cli_path(), &self.prints))
                }
            };
            match read {
                Ok(fetched) => found.push((path, fetched)),
                // listed still, though deleted: it is not there, and the others are
                Err(e) if matches!(e.kind, ErrorKind::Withdrawn(_) | ErrorKind::Absent) => {}
                Err(e) => return Err(e),
            }
        }
        reply::subtree(name, found, &self.prints)
    }

    async fn probe_one(&self, ask: &Ask) -> Result<Probe, Refusal> {
        let place = self.names.place(ask.name())?;
        checked(ask.point())?;
        let kind = self.kind(&place).await?;
        match self.probe_as(ask, &place, kind).await {
            Err(e) => match self.other_kind(&place, kind, &e).await {
                Some(other) => self.probe_as(ask, &place, other).await,
                None => Err(e),
            },
            probed => probed,
        }
    }

    async fn probe_as(&self, ask: &Ask, place: &Place, kind: Kind) -> Result<Probe, Refusal> {
        let want = place.want(kind)?;
        if want == Want::Minted {
            return Ok(Probe::Unknown);
        }
        let by_metadata =
            kind == Kind::V2 && *ask.point() == At::Current && !self.blind.is(ask.name(), self.clock.tick());
        let revision = match want {
            Want::Secret if by_metadata => self.revision(place).await,
            Want::Subtree if by_metadata => self.subtree_revision(place, ask.name()).await,
            _ => return Ok(Probe::Current(self.fetch_as(ask, place, kind).await?.revision)),
        };
        match revision {
            Ok(revision) => Ok(Probe::Current(revision)),
            // no right to the metadata is no reason to be blind: the value tells as well
            Err(e) if e.kind == ErrorKind::Denied => {
                let revision = self.fetch_as(ask, place, kind).await?.revision;
                self.blind.found(ask.name(), self.clock.tick());
                Ok(Probe::Current(revision))
            }
            Err(e) => Err(e),
        }
    }

    async fn revision(&self, place: &Place) -> Result<Revision, Refusal> {
        match self.metadata(place).await?.revision(self.clock.wall()) {
            Some(Ok(revision)) => Ok(revision),
            Some(Err(how)) => Err(withdrawn(place, how)),
            None => Err(not_there(place, Kind::V2)),
        }
    }

    async fn subtree_revision(&self, folder: &Place, name: &str) -> Result<Revision, Refusal> {
        let mut all = Vec::new();
        for path in self.below(folder, Kind::V2).await? {
            match self.revision(&folder.below(&path)?).await {
                Ok(revision) => all.push((path.join("/"), revision)),
                Err(e) if matches!(e.kind, ErrorKind::Withdrawn(_) | ErrorKind::Absent) => {}
                Err(e) => return Err(e),
            }
        }
        Ok(reply::subtree_revision(name, &all, &self.prints))
    }
}

#[async_trait]
impl Source for Vault {
    fn info(&self) -> SourceInfo {
        self.info.clone()
    }

    async fn sign_in(&self) -> Result<Option<Identity>, SourceError> {
        Ok(self.door.session(&self.adapter).await?.identity.clone())
    }

    async fn fetch(&self, asks: &[Ask]) -> Vec<Result<Fetched, SourceError>> {
        let mut answers = Vec::with_capacity(asks.len());
        for ask in asks {
            answers.push(self.fetch_one(ask).await.map_err(|e| e.of(ask.name())));
        }
        answers
    }

    async fn probe(&self, asks: &[Ask]) -> Vec<Result<Probe, SourceError>> {
        let mut answers = Vec::with_capacity(asks.len());
        for ask in asks {
            answers.push(self.probe_one(ask).await.map_err(|e| e.of(ask.name())));
        }
        answers
    }

    /// Ends when a login died under which leases were granted. Until then it cares for the token.
    async fn changed(&self) {
        self.door.watch(&self.adapter).await;
    }

    fn mints(&self, ask: &Ask) -> bool {
        let Ok(place) = self.names.place(ask.name()) else { return false };
        match self.known_kind(&place) {
            Some(kind) => matches!(place.want(kind), Ok(Want::Minted)),
            // not known yet: it would, were this a database
            None => matches!(place.want(Kind::Database), Ok(Want::Minted)),
        }
    }

    async fn renew(&self, lease: &Lease) -> Result<Lease, SourceError> {
        let call = Call::new(Method::PUT, ["v1", "sys", "leases", "renew"]).body(&Renewal(lease))?;
        let (reply, _) = self.ask(&call).await?;
        let renewed = self.expected(reply, Doing::Renew).and_then(|reply| {
            let renewed = reply::lease(&reply::tree(&reply)?);
            renewed.ok_or_else(|| malformed("the reply is no lease"))
        });
        match renewed {
            Ok(mut renewed) => {
                let of = self.door.login_of(lease);
                renewed.login = of.and_then(|of| of.left(self.clock.tick()));
                Ok(renewed)
            }
            Err(e) => {
                if e.kind == ErrorKind::Absent {
                    self.door.forget(lease);
                }
                Err(e.into())
            }
        }
    }

    async fn revoke(&self, lease: &Lease) -> Result<(), SourceError> {
        let call = Call::new(Method::PUT, ["v1", "sys", "leases", "revoke"]).body(&Revocation(lease))?;
        let (reply, _) = self.ask(&call).await?;
        if reply.status().is_success() {
            self.door.forget(lease);
            return Ok(());
        }
        Err(refusal(&reply, Doing::Revoke, self.clock.wall()).into())
    }

    fn lost(&self, lease: &Lease) -> bool {
        self.door.lost(lease)
    }

    fn as_grants(&self) -> Option<&dyn Grants> {
        Some(self)
    }

    async fn close(&self, limit: Duration) {
        if tokio::time::timeout(limit, self.door.close(&self.adapter)).await.is_err() {
            tracing::warn!(target: "secretfig", "a token could not be given back in time; it ends by itself");
        }
    }
}

#[async_trait]
impl Listing for Vault {
    async fn list(&self, prefix: &str) -> Result<Vec<Arc<str>>, SourceError> {
        let folder = prefix.rfind('/').map_or("", |end| prefix.get(..=end).unwrap_or_default());
        let place = self.names.place(&format!("{folder}*"))?;
        let kind = self.kind(&place).await?;
        let found = match self.listed(&place, kind).await {
            Err(e) => match self.other_kind(&place, kind, &e).await {
                Some(other) => self.listed(&place, other).await,
                None => Err(e),
            },
            found => found,
        };
        let found = match found {
            Err(e) if e.kind == ErrorKind::Absent => Vec::new(),
            found => found?,
        };
        let names = found.into_iter().map(|path| Arc::from(format!("{folder}{}", path.join("/"))));
        Ok(names.filter(|name: &Arc<str>| name.starts_with(prefix)).collect())
    }
}

impl Grants for Vault {
    fn grants(&self, asks: &[Ask]) -> String {
        crate::grants::policy(&self.names, |place| self.known_kind(place), asks)
    }
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Vault")
            .field("origin", &self.info.origin)
            .field("namespace", &self.namespace)
            .field("door", &self.door)
            .finish_non_exhaustive()
    }
}

/// What every Vault can do, and each mount some of.
fn abilities() -> Abilities {
    let mut can = Abilities::NONE;
    (can.previous, can.versions, can.probe, can.leases) = (true, true, true, true);
    (can.created, can.denies) = (true, true);
    can
}

/// A key under which this process tells what it has seen before.
fn key() -> Result<[u8; 32], SourceError> {
    let mut key = [0; 32];
    let filled = getrandom::fill(&mut key);
    filled.map(|()| key).map_err(|_| misconfigured("the system gives no random bytes").into())
}

fn checked(at: &At) -> Result<(), Refusal> {
    match at {
        At::Current | At::Previous => Ok(()),
        At::Version(version) => naming::version(version).map(|_| ()),
        _ => Err(misconfigured("Vault has no stages; a version is `version = \"2\"`")),
    }
}

fn path(place: &Place) -> String {
    place.path().join("/")
}

fn role(place: &Place) -> String {
    place.path().last().map(|role| role.to_string()).unwrap_or_default()
}

fn list(place: &Place, kind: Kind) -> Call {
    let (mount, path) = (place.mount(), path(place));
    match kind {
        Kind::V2 => Call::of(&ListSecretsRequest { mount, path }),
        _ => Call::of(&ListSecretRequest { mount, path }),
    }
}

/// Asks for as long as was granted at first.
struct Renewal<'a>(&'a Lease);

impl Serialize for Renewal<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(2))?;
        map.serialize_entry("lease_id", &*self.0.id)?;
        map.serialize_entry("increment", &self.0.duration.as_secs())?;
        map.end()
    }
}

/// Done when it is answered: a lease that is merely going to be revoked may still be in use tomorrow.
struct Revocation<'a>(&'a Lease);

impl Serialize for Revocation<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(2))?;
        map.serialize_entry("lease_id", &*self.0.id)?;
        map.serialize_entry("sync", &true)?;
        map.end()
    }
}

/// What the settings say of TLS and of proxies. Files are read once, here: before there is any I/O to wait for.
fn transport(settings: &Settings) -> Result<secretfig_transport::Settings, SourceError> {
    let refused = |refused: secretfig_source::protocol::Refused| refused.of_source(SCHEME);
    let mut to = secretfig_transport::Settings::default();
    match &settings.ca {
        Some(Pem::Text(pem)) => to = to.extra_ca_pem(pem.as_bytes()).map_err(refused)?,
        Some(Pem::File(path)) => to = to.extra_ca_pem(&pem(path)?).map_err(refused)?,
        None => {}
    }
    if let Some((chain, key)) = &settings.client {
        to = to.client_identity_pem(&pem(chain)?, &pem(key)?).map_err(refused)?;
    }
    for pin in &settings.pins {
        to = to.pin_sha256(pin).map_err(refused)?;
    }
    if settings.proxy {
        to = to.proxy(secretfig_transport::Proxy::Env);
    }
    if settings.plain_http {
        to = to.danger_plain_http();
    }
    Ok(to)
}

fn pem(path: &std::path::Path) -> Result<zeroize::Zeroizing<Vec<u8>>, SourceError> {
    crate::auth::pem(path)
}
