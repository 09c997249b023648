//! How Secrets Manager is spoken to by hand: what the edge runs on, and what the half on AWS' SDK is held to.
//!
//! JSON 1.1: every call is a `POST /`, named by the header `x-amz-target`
//! ([API reference](https://docs.aws.amazon.com/secretsmanager/latest/apireference/Welcome.html)). No I/O, no clock and no file
//! in here: a setting that names a file is refused, and the host reads it.

#[cfg(feature = "full")]
mod batches;
#[cfg(not(feature = "full"))]
mod edge;
mod endpoint;
#[cfg(feature = "full")]
mod more;
mod sign_in;

use crate::error::{Doing, Refusal, SCHEME, misconfigured, refusal};
#[cfg(feature = "full")]
use crate::naming;
use crate::naming::{Id, Place, checked};
use crate::reply::{Words, tree};
use crate::settings::{Auth, Keys, Settings};
use crate::sign::{Scope, Signable, authorization, stamp};
use endpoint::endpoint;
use http::{Method, StatusCode};
use secrecy::ExposeSecret;
use secretfig_source::protocol::{
    Answers, Asking, Credential, HttpError, Now, Origin, Protocol, Refused, Reply, Request, SignedIn, quoted,
};
#[cfg(feature = "full")]
use secretfig_source::protocol::{SignIn, talk};
use secretfig_source::{Abilities, Ask, At, Fetched, Node, SourceError, SourceInfo};
use std::fmt;
use std::sync::Arc;
use zeroize::Zeroizing;

#[cfg(feature = "full")]
use {
    crate::notes::Notes,
    secretfig_source::protocol::Blind,
    secretfig_source::{Fingerprints, Note, Probe},
};

const JSON: &str = "application/x-amz-json-1.1";
const FORM: &str = "application/x-www-form-urlencoded";

/// How many names a batch takes, and from how many on it is worth one
/// ([quotas](https://docs.aws.amazon.com/secretsmanager/latest/userguide/reference_limits.html): 100 batches a second for the
/// account, and 10,000 single reads).
pub(crate) const BATCH: (usize, usize) = (20, 11);

/// AWS Secrets Manager as a [`Protocol`]: [`Over`](secretfig_source::protocol::Over) makes a source of it.
///
/// ```
/// use secretfig_aws::{Auth, Keys, Settings, protocol::SecretsManager};
/// use secretfig_source::protocol::{Http, Over};
/// use secretfig_source::{Clock, Source, SourceError};
/// use std::sync::Arc;
///
/// fn source(http: Arc<dyn Http>, clock: Arc<dyn Clock>, random: [u8; 32]) -> Result<impl Source, SourceError> {
///     let keys = Keys::new("AKIAEXAMPLE", "…".into());
///     let settings = Settings::new("eu-central-1", Auth::Keys(keys))?;
///     Ok(Over::new(SecretsManager::new(settings, random)?, http, clock))
/// }
/// ```
pub struct SecretsManager {
    settings: Settings,
    region: String,
    origin: Origin,
    sts: Origin,
    #[cfg(feature = "full")]
    blind: Blind,
    #[cfg(feature = "full")]
    notes: Notes,
    #[cfg(feature = "full")]
    prints: Fingerprints,
}

/// Credentials, given or granted.
pub struct Session {
    keys: Keys,
}

/// Why a conversation goes no further.
enum Stop {
    Refused(Refusal),
    SignIn,
}

impl From<Refusal> for Stop {
    fn from(refusal: Refusal) -> Self {
        Stop::Refused(refusal)
    }
}

impl SecretsManager {
    /// Of these settings. `random` is the key under which revisions of folders are told, which have none of their own; it
    /// must be random and must not leave the process.
    ///
    /// # Errors
    /// `Misconfigured` where there is no region, or a setting names a file, or something that only a client can do.
    pub fn new(settings: Settings, random: [u8; 32]) -> Result<Self, SourceError> {
        #[cfg(feature = "full")]
        more::only_what_a_protocol_can(&settings)?;
        let region = settings
            .region()
            .ok_or_else(|| misconfigured("no region is given, such as `eu-central-1`"))?
            .to_owned();
        let origin = endpoint(&settings, "secretsmanager", &region)?;
        let sts = endpoint(&settings, "sts", &region)?;
        Ok(Self::made(settings, region, origin, sts, random))
    }

    /// At these endpoints, of Secrets Manager and of STS, in a region and with a prefix that the platform has checked, as it has
    /// taken the endpoints apart. `random` as [`SecretsManager::new`] takes it.
    pub fn at(region: &str, auth: Auth, prefix: &str, origin: Origin, sts: Origin, random: [u8; 32]) -> Self {
        Self::made(Settings::checked(region, auth, prefix), region.to_owned(), origin, sts, random)
    }

    fn made(settings: Settings, region: String, origin: Origin, sts: Origin, random: [u8; 32]) -> Self {
        #[cfg(not(feature = "full"))]
        let _ = random;
        Self {
            settings,
            region,
            origin,
            sts,
            #[cfg(feature = "full")]
            blind: Blind::default(),
            #[cfg(feature = "full")]
            notes: Notes::default(),
            #[cfg(feature = "full")]
            prints: Fingerprints::new(random),
        }
    }

    /// What was learnt of this secret, when it was last looked at, that a person should know.
    #[cfg(feature = "full")]
    pub fn notes(&self, ask: &Ask) -> Vec<Note> {
        self.notes.of(ask.name())
    }

    /// A call of Secrets Manager, signed.
    fn call(&self, session: &Session, now: Now, operation: &str, body: Body) -> Result<Request, Refusal> {
        let request = Request::new(Method::POST, &self.origin, [] as [&str; 0]).map_err(refused)?;
        let target = ["secretsmanager.", operation].concat();
        self.signed(request.body(JSON, body.0), &session.keys, "secretsmanager", &target, now)
    }

    /// With what else is signed of it, in the order in which it is; `target` may be empty.
    fn signed(
        &self,
        request: Request,
        keys: &Keys,
        service: &str,
        target: &str,
        now: Now,
    ) -> Result<Request, Refusal> {
        let (stamp, origin) = (stamp(now.wall), request.origin().clone());
        let host = origin.as_str().split_once('/').and_then(|(_, rest)| rest.strip_prefix('/'));
        let kind = if target.is_empty() { FORM } else { JSON };
        let token = keys.session.as_ref().map_or("", |token| token.expose_secret());
        let mut headers = vec![
            ("content-type", kind),
            ("host", host.unwrap_or_default()),
            ("x-amz-date", &*stamp),
            ("x-amz-security-token", token),
            ("x-amz-target", target),
        ];
        headers.retain(|(_, value)| !value.is_empty());
        let body = request.payload();
        let what = Signable { method: "POST", path: "/", query: "", headers: &headers, body };
        let scope = Scope { region: &self.region, service, stamp: &stamp };
        let authorization = authorization(&keys.id, keys.secret.expose_secret(), &scope, &what);
        headers.push(("authorization", &*authorization));
        let mut request = request;
        // the first two are the request's own
        for (name, value) in headers.into_iter().skip(2) {
            let header = Credential::header(&origin, name, value).map_err(refused)?;
            request = request.credential(&header).map_err(refused)?;
        }
        Ok(request)
    }

    /// What a reply says, or why it is not the expected one.
    fn judged(&self, sent: Result<Reply, HttpError>, now: Now, doing: Doing<'_>) -> Result<Node, Stop> {
        let reply = sent.map_err(|error| Refusal::from(error.of_source(SCHEME)))?;
        let tree = tree(&reply);
        if reply.status() == StatusCode::OK {
            return Ok(tree?);
        }
        let words = Words(tree.ok());
        let said = words.said(&reply, now.wall);
        // keys that somebody gave are no better the second time
        if said.wants_credentials() && !matches!(self.settings.auth, Auth::Keys(_)) {
            return Err(Stop::SignIn);
        }
        Err(refusal(&said, doing).into())
    }

    /// What is asked for there.
    fn place(&self, ask: &Ask) -> Result<Place, Refusal> {
        checked(ask.point())?;
        let place = self.settings.names.place(ask.name())?;
        #[cfg(feature = "full")]
        if matches!(place, Place::Folder(_)) && *ask.point() != At::Current {
            return Err(misconfigured("a folder has no versions; ask for its secrets"));
        }
        Ok(place)
    }
}

/// What a request could not be made of.
fn refused(refused: Refused) -> Refusal {
    misconfigured(refused.reason())
}

/// A JSON object as a body. Nothing of it is secret, but for the pages of a list.
struct Body(Zeroizing<Vec<u8>>);

impl Body {
    fn new() -> Self {
        Self(Zeroizing::new(b"{}".to_vec()))
    }

    /// Keys are ours, and need no escape.
    fn raw(mut self, key: &str, value: &[u8]) -> Self {
        self.0.pop();
        if self.0.len() > 1 {
            self.0.push(b',');
        }
        for part in [b"\"", key.as_bytes(), b"\":", value, b"}"] {
            self.0.extend_from_slice(part);
        }
        self
    }

    fn text(self, key: &str, text: &str) -> Self {
        self.raw(key, quoted("", text).as_bytes())
    }

    #[cfg(feature = "full")]
    fn texts<'a>(self, key: &str, texts: impl IntoIterator<Item = &'a str>) -> Self {
        let all: Vec<String> = texts.into_iter().map(|text| quoted("", text).to_string()).collect();
        self.raw(key, ["[", &all.join(","), "]"].concat().as_bytes())
    }

    fn get(id: &Id, at: &At) -> Self {
        let body = Self::new().text("SecretId", id.as_str());
        #[cfg(feature = "full")]
        let body = match (at, naming::stage(at)) {
            (At::Version(version), _) => body.text("VersionId", version),
            (_, Some(stage)) => body.text("VersionStage", stage),
            (_, None) => body,
        };
        // which is current: no other was let through
        #[cfg(not(feature = "full"))]
        let _ = at;
        body
    }

    #[cfg(feature = "full")]
    fn batch<'a>(ids: impl Iterator<Item = &'a Id>) -> Self {
        Self::new().texts("SecretIdList", ids.map(Id::as_str))
    }
}

impl Protocol for SecretsManager {
    type Session = Session;

    fn info(&self) -> SourceInfo {
        let mut can = Abilities::NONE;
        (can.previous, can.versions, can.stages, can.binary, can.denies) = (true, true, true, true, true);
        (can.created, can.probe) = (cfg!(feature = "full"), cfg!(feature = "full"));
        SourceInfo::new(SCHEME, self.origin.as_str()).abilities(can).batch(BATCH.0, BATCH.1)
    }

    #[cfg(feature = "full")]
    fn sign_in(&self) -> Asking<'_, Result<SignedIn<Session>, SourceError>> {
        talk(move |wire| async move { sign_in::sign_in(self, &wire).await })
    }

    #[cfg(not(feature = "full"))]
    fn sign_in(&self) -> Asking<'_, Result<SignedIn<Session>, SourceError>> {
        Box::new(edge::Entering::new(self))
    }

    #[cfg(feature = "full")]
    fn fetch<'a>(&'a self, session: Arc<Session>, asks: &'a [Ask]) -> Asking<'a, Answers<Fetched>> {
        talk(move |wire| async move { answers(self.fetch_all(&wire, &session, asks).await, asks) })
    }

    #[cfg(not(feature = "full"))]
    fn fetch<'a>(&'a self, session: Arc<Session>, asks: &'a [Ask]) -> Asking<'a, Answers<Fetched>> {
        Box::new(edge::Fetching::new(self, session, asks))
    }

    #[cfg(feature = "full")]
    fn probe<'a>(&'a self, session: Arc<Session>, asks: &'a [Ask]) -> Option<Asking<'a, Answers<Probe>>> {
        Some(talk(move |wire| async move { answers(self.probe_all(&wire, &session, asks).await, asks) }))
    }
}

/// An answer per ask, whatever stopped them all, or a new sign-in.
#[cfg(feature = "full")]
fn answers<T>(result: Result<Answers<T>, Stop>, asks: &[Ask]) -> Result<Answers<T>, SignIn> {
    match result {
        Ok(answers) => Ok(answers),
        Err(Stop::Refused(refusal)) => {
            Ok(asks.iter().map(|ask| Err(refusal.clone().of(ask.name()))).collect())
        }
        Err(Stop::SignIn) => Err(SignIn),
    }
}

impl fmt::Debug for SecretsManager {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SecretsManager").field("settings", &self.settings).finish_non_exhaustive()
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").finish_non_exhaustive()
    }
}
