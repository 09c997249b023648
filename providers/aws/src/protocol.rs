//! How Secrets Manager is spoken to by hand: what the edge runs on, and what the half on AWS' SDK is held to.
//!
//! JSON 1.1: every call is a `POST /`, named by the header `x-amz-target`
//! ([API reference](https://docs.aws.amazon.com/secretsmanager/latest/apireference/Welcome.html)). No I/O, no clock and no file
//! in here: a setting that names a file is refused, and the host reads it.

mod endpoint;
#[cfg(feature = "full")]
mod more;
mod sign_in;

use crate::error::{Doing, Refusal, SCHEME, code, malformed, misconfigured, refusal};
use crate::naming::{self, Id, Place, checked};
use crate::reply::{Value, Words, list, text, tree};
use crate::settings::{Auth, Keys, Settings};
use crate::sign::{Scope, Signable, authorization, stamp};
use endpoint::endpoint;
use http::{Method, StatusCode};
use secrecy::ExposeSecret;
use secretfig_source::protocol::{
    Answers, Asking, Credential, Now, Origin, Protocol, Refused, Reply, Request, SignIn, SignedIn, Wire, talk,
};
use secretfig_source::{Abilities, Ask, At, Fetched, Node, SourceError, SourceInfo};
use std::fmt;
use std::sync::Arc;
use zeroize::Zeroizing;

#[cfg(feature = "full")]
use {
    crate::{blind::Blind, notes::Notes},
    secretfig_source::{Fingerprints, Note, Probe},
};

const JSON: &str = "application/x-amz-json-1.1";

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
///     let keys = Keys::new("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY".into());
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
        #[cfg(not(feature = "full"))]
        let _ = random;
        let region = settings
            .region()
            .ok_or_else(|| misconfigured("no region is given, such as `eu-central-1`"))?
            .to_owned();
        Ok(Self {
            origin: endpoint(&settings, "secretsmanager", &region)?,
            sts: endpoint(&settings, "sts", &region)?,
            region,
            settings,
            #[cfg(feature = "full")]
            blind: Blind::default(),
            #[cfg(feature = "full")]
            notes: Notes::default(),
            #[cfg(feature = "full")]
            prints: Fingerprints::new(random),
        })
    }

    /// What was learnt of this secret, when it was last looked at, that a person should know.
    #[cfg(feature = "full")]
    pub fn notes(&self, ask: &Ask) -> Vec<Note> {
        self.notes.of(ask.name())
    }

    /// A call of Secrets Manager, signed.
    fn call(&self, session: &Session, now: Now, operation: &str, body: Body) -> Result<Request, Refusal> {
        let request = Request::new(Method::POST, &self.origin, [] as [&str; 0]).map_err(refused)?;
        let request = request
            .body(JSON, body.0)
            .header("x-amz-target", &["secretsmanager.", operation].concat())
            .map_err(refused)?;
        self.signed(request, &session.keys, "secretsmanager", now)
    }

    fn signed(&self, request: Request, keys: &Keys, service: &str, now: Now) -> Result<Request, Refusal> {
        let stamp = stamp(now.wall);
        let origin = request.origin().clone();
        let mut request = request.header("x-amz-date", &stamp).map_err(refused)?;
        if let Some(token) = &keys.session {
            let token = Credential::header(&origin, "x-amz-security-token", token.expose_secret())
                .map_err(refused)?;
            request = request.credential(&token).map_err(refused)?;
        }
        let host = origin.as_str().split_once("://").map_or("", |(_, host)| host);
        let authorization = {
            let mut headers = vec![("host", host)];
            for (name, value) in request.fields() {
                headers.push((
                    *name,
                    value.to_str().map_err(|_| {
                        refused(Refused::new("a token with characters that no header may hold"))
                    })?,
                ));
            }
            let what =
                Signable { method: "POST", path: "/", query: "", headers: &headers, body: request.payload() };
            let scope = Scope { region: &self.region, service, stamp: &stamp };
            authorization(&keys.id, keys.secret.expose_secret(), &scope, &what)
        };
        let signature = Credential::header(&origin, "authorization", &authorization).map_err(refused)?;
        request.credential(&signature).map_err(refused)
    }

    /// Sends these, all at once. One refused answer each where it is not the expected one.
    async fn send<'a>(
        &self,
        wire: &Wire,
        session: &Session,
        calls: Vec<(&'static str, Body, Doing<'a>)>,
    ) -> Result<Vec<Result<Reply, Refusal>>, Stop> {
        let now = wire.now();
        let doing: Vec<Doing<'a>> = calls.iter().map(|(.., doing)| *doing).collect();
        let mut requests = Vec::with_capacity(calls.len());
        for (operation, body, _) in calls {
            requests.push(self.call(session, now, operation, body)?);
        }
        let mut answers = Vec::with_capacity(doing.len());
        for (sent, doing) in wire.send(requests).await.into_iter().zip(doing) {
            answers.push(match sent {
                Ok(reply) if reply.status() == StatusCode::OK => Ok(reply),
                Ok(reply) => {
                    let words = Words::of(&reply);
                    let said = words.said(&reply, now.wall);
                    // keys that somebody gave are no better the second time
                    if said.wants_credentials() && !matches!(self.settings.auth, Auth::Keys(_)) {
                        return Err(Stop::SignIn);
                    }
                    Err(refusal(&said, doing))
                }
                Err(error) => Err(error.of_source(SCHEME).into()),
            });
        }
        Ok(answers)
    }

    async fn get_each(
        &self,
        wire: &Wire,
        session: &Session,
        asks: &[(Id, At)],
    ) -> Result<Vec<Result<Fetched, Refusal>>, Stop> {
        let calls =
            asks.iter().map(|(id, at)| ("GetSecretValue", Body::get(id, at), Doing::Get(id.as_str())));
        let replies = self.send(wire, session, calls.collect()).await?;
        let read = |(reply, (id, _)): (Result<Reply, Refusal>, &(Id, At))| {
            Ok(Value::read(&tree(&reply?)?)?.fetched(id))
        };
        Ok(replies.into_iter().zip(asks).map(read).collect())
    }

    /// Current values by batches, and what a batch says nothing of by itself. In the order of the ids.
    async fn get_batches(
        &self,
        wire: &Wire,
        session: &Session,
        ids: &[Id],
    ) -> Result<Vec<Result<Fetched, Refusal>>, Stop> {
        let mut answers: Vec<Option<Result<Fetched, Refusal>>> = ids.iter().map(|_| None).collect();
        let calls = ids.chunks(BATCH.0).map(|ids| ("BatchGetSecretValue", Body::batch(ids), Doing::Batch));
        let replies = self.send(wire, session, calls.collect()).await?;
        for ((reply, ids), answers) in
            replies.into_iter().zip(ids.chunks(BATCH.0)).zip(answers.chunks_mut(BATCH.0))
        {
            match reply.and_then(|reply| tree(&reply)) {
                Ok(tree) => sort_out(&tree, ids, answers)?,
                Err(refusal) => answers.fill_with(|| Some(Err(refusal.clone()))),
            }
        }
        let left: Vec<(Id, At)> = ids
            .iter()
            .zip(&answers)
            .filter(|(_, answer)| answer.is_none())
            .map(|(id, _)| (id.clone(), At::Current))
            .collect();
        let mut rest = self.get_each(wire, session, &left).await?.into_iter();
        let none = || Err(malformed("the batch says nothing of it"));
        Ok(answers.into_iter().map(|answer| answer.or_else(|| rest.next()).unwrap_or_else(none)).collect())
    }

    async fn fetch_all(
        &self,
        wire: &Wire,
        session: &Session,
        asks: &[Ask],
    ) -> Result<Answers<Fetched>, Stop> {
        let mut answers: Vec<Option<Result<Fetched, Refusal>>> = asks.iter().map(|_| None).collect();
        let (mut single, mut current): (Vec<_>, Vec<_>) = (Vec::new(), Vec::new());
        for (seat, (ask, answer)) in asks.iter().zip(&mut answers).enumerate() {
            match checked(ask.point()).and_then(|()| self.settings.names.place(ask.name())) {
                Ok(Place::Secret(id)) if *ask.point() == At::Current => current.push((seat, id)),
                Ok(Place::Secret(id)) => single.push((seat, (id, ask.point().clone()))),
                #[cfg(feature = "full")]
                Ok(Place::Folder(folder)) if *ask.point() == At::Current => {
                    *answer = Some(self.folder(wire, session, ask.name(), &folder).await?);
                }
                #[cfg(feature = "full")]
                Ok(Place::Folder(_)) => {
                    *answer = Some(Err(misconfigured("a folder has no versions; ask for its secrets")));
                }
                Err(refusal) => *answer = Some(Err(refusal)),
            }
        }
        if let [_] | [] = current.as_slice() {
            single.extend(current.drain(..).map(|(seat, id)| (seat, (id, At::Current))));
        }
        let (seats, single): (Vec<_>, Vec<_>) = single.into_iter().unzip();
        let got = self.get_each(wire, session, &single).await?;
        let (more, current): (Vec<_>, Vec<_>) = current.into_iter().unzip();
        let batched = self.get_batches(wire, session, &current).await?;
        for (seat, got) in seats.into_iter().chain(more).zip(got.into_iter().chain(batched)) {
            if let Some(answer) = answers.get_mut(seat) {
                *answer = Some(got);
            }
        }
        let none = || Err(malformed("nothing was answered"));
        let all = asks.iter().zip(answers);
        Ok(all
            .map(|(ask, answer)| answer.unwrap_or_else(none).map_err(|refusal| refusal.of(ask.name())))
            .collect())
    }
}

/// Whose value, and whose error, each part of a batch is.
fn sort_out(batch: &Node, ids: &[Id], answers: &mut [Option<Result<Fetched, Refusal>>]) -> Result<(), Stop> {
    for value in list(batch, "SecretValues") {
        let (arn, name) = (text(value, "ARN").unwrap_or_default(), text(value, "Name").unwrap_or_default());
        for (id, answer) in ids.iter().zip(&mut *answers).filter(|(id, _)| id.is(arn, name)) {
            *answer = Some(Value::read(value).map(|value| value.fetched(id)));
        }
    }
    for error in list(batch, "Errors") {
        let of = text(error, "SecretId").unwrap_or_default();
        let said = crate::error::Said {
            status: 400,
            code: code(text(error, "ErrorCode").unwrap_or_default()),
            message: text(error, "Message").unwrap_or_default(),
            wait: None,
        };
        for (id, answer) in ids.iter().zip(&mut *answers).filter(|(id, _)| id.as_str() == of || id.is(of, of))
        {
            *answer = Some(Err(refusal(&said, Doing::Get(id.as_str()))));
        }
    }
    Ok(())
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
        self.raw(key, &json(text))
    }

    fn texts<'a>(self, key: &str, texts: impl IntoIterator<Item = &'a str>) -> Self {
        let all: Vec<Vec<u8>> = texts.into_iter().map(json).collect();
        self.raw(key, &[b"[", all.join(&b","[..]).as_slice(), b"]"].concat())
    }

    fn get(id: &Id, at: &At) -> Self {
        let body = Self::new().text("SecretId", id.as_str());
        match (at, naming::stage(at)) {
            (At::Version(version), _) => body.text("VersionId", version),
            (_, Some(stage)) => body.text("VersionStage", stage),
            (_, None) => body,
        }
    }

    fn batch(ids: &[Id]) -> Self {
        Self::new().texts("SecretIdList", ids.iter().map(Id::as_str))
    }
}

/// Text as JSON.
fn json(text: &str) -> Vec<u8> {
    // INVARIANT: writing a text into memory does not fail
    serde_json::to_vec(text).unwrap_or_default()
}

impl Protocol for SecretsManager {
    type Session = Session;

    fn info(&self) -> SourceInfo {
        let mut can = Abilities::NONE;
        (can.previous, can.versions, can.stages, can.binary, can.denies) = (true, true, true, true, true);
        (can.created, can.probe) = (cfg!(feature = "full"), cfg!(feature = "full"));
        SourceInfo::new(SCHEME, self.origin.as_str()).abilities(can).batch(BATCH.0, BATCH.1)
    }

    fn sign_in(&self) -> Asking<'_, Result<SignedIn<Session>, SourceError>> {
        talk(move |wire| async move { sign_in::sign_in(self, &wire).await })
    }

    fn fetch<'a>(&'a self, session: Arc<Session>, asks: &'a [Ask]) -> Asking<'a, Answers<Fetched>> {
        talk(move |wire| async move { answers(self.fetch_all(&wire, &session, asks).await, asks) })
    }

    #[cfg(feature = "full")]
    fn probe<'a>(&'a self, session: Arc<Session>, asks: &'a [Ask]) -> Option<Asking<'a, Answers<Probe>>> {
        Some(talk(move |wire| async move { answers(self.probe_all(&wire, &session, asks).await, asks) }))
    }
}

/// An answer per ask, whatever stopped them all, or a new sign-in.
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
