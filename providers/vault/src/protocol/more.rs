//! What an edge package has no room for: folders, versions, looks by metadata, leases to be renewed and given back, and
//! wrapping tokens, and settings that only a client can honour.

use super::line::{Body, Call, Line, Stop, Token};
use super::sign_in::one;
use super::{Session, Vault, answer, checked};
use crate::error::{Doing, Refusal, malformed, misconfigured, not_there, withdrawn};
use crate::naming::{Kind, Place, Want, version};
use crate::reply::{self, get, text, tree};
use crate::settings::{Auth, Given, SecretId, Settings};
use http::Method;
use secrecy::{ExposeSecret, SecretString};
use secretfig_source::protocol::{Answers, Asking, Reply, SignIn, talk, talk_each};
use secretfig_source::{Ask, At, ErrorKind, Fetched, Lease, Probe, Revision, SourceError, Tick};
use std::sync::{Arc, MutexGuard, PoisonError};
use zeroize::Zeroizing;

/// The most secrets and folders of a subtree, and the deepest folder.
const MOST: usize = 256;
const DEEPEST: usize = 6;

pub(super) fn only_what_a_protocol_can(settings: &Settings) -> Result<(), SourceError> {
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
    if wrong.is_empty() { Ok(()) } else { Err(misconfigured(wrong.join("; ")).into()) }
}

pub(super) fn probe<'a>(
    vault: &'a Vault,
    session: Arc<Session>,
    asks: &'a [Ask],
) -> Asking<'a, Answers<Probe>> {
    talk_each(asks, move |wire, ask: &'a Ask| {
        let session = session.clone();
        async move {
            let line = vault.line(wire, Some(session));
            answer(vault.probe_one(&line, ask).await, ask.name())
        }
    })
}

pub(super) fn renew<'a>(
    vault: &'a Vault,
    session: Arc<Session>,
    lease: &'a Lease,
) -> Asking<'a, Result<Lease, SourceError>> {
    talk(move |wire| async move {
        let line = vault.line(wire, Some(session));
        let body = Body::new().text("lease_id", &lease.id).number("increment", lease.duration.as_secs());
        let call = Call::new(Method::PUT, &["v1", "sys", "leases", "renew"]).body(body);
        let renewed = line.expect(call, Doing::Renew).await.and_then(|reply| {
            let renewed = reply::lease(&reply::tree(&reply)?);
            let mut renewed = renewed.ok_or_else(|| malformed("the reply is no lease"))?;
            renewed.login = vault
                .ends()
                .iter()
                .find(|(id, _)| *id == lease.id)
                .map(|(_, end)| end.since(line.now().tick));
            Ok(renewed)
        });
        match renewed {
            Ok(lease) => Ok(Ok(lease)),
            Err(Stop::Refused(refusal)) => Ok(Err(refusal.into())),
            Err(Stop::SignIn) => Err(SignIn),
        }
    })
}

pub(super) fn revoke<'a>(
    vault: &'a Vault,
    session: Arc<Session>,
    lease: &'a Lease,
) -> Asking<'a, Result<(), SourceError>> {
    talk(move |wire| async move {
        let line = vault.line(wire, Some(session));
        let body = Body::new().text("lease_id", &lease.id).flag("sync", true);
        let call = Call::new(Method::PUT, &["v1", "sys", "leases", "revoke"]).body(body);
        match line.expect(call, Doing::Revoke).await {
            Ok(_) => {
                vault.ends().retain(|(id, _)| *id != lease.id);
                Ok(Ok(()))
            }
            Err(Stop::Refused(refusal)) => Ok(Err(refusal.into())),
            Err(Stop::SignIn) => Err(SignIn),
        }
    })
}

impl Vault {
    /// What a read has given of a database's mount.
    pub(super) fn credential(
        &self,
        line: &Line<'_>,
        want: Want,
        name: &str,
        reply: &Reply,
    ) -> Result<Fetched, Refusal> {
        if want == Want::Rotated {
            return reply::rotated(reply, name, &self.prints, line.now().wall);
        }
        let mut minted = reply::minted(reply, name, &self.prints)?;
        if let (Some(lease), Some(ends)) = (&mut minted.lease, line.login_ends()) {
            lease.login = Some(ends.since(line.now().tick));
            self.granted(&lease.id, ends, line.now().tick);
        }
        Ok(minted)
    }

    fn ends(&self) -> MutexGuard<'_, Vec<(Arc<str>, Tick)>> {
        self.ends.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// With its login a lease goes, whoever is signed in by then.
    fn granted(&self, lease: &Arc<str>, login_ends: Tick, now: Tick) {
        let mut ends = self.ends();
        ends.retain(|(_, end)| now < *end);
        ends.push((lease.clone(), login_ends));
    }

    /// The read of a KV v2 secret at a point of its history.
    pub(super) async fn at(&self, line: &Line<'_>, place: &Place, at: &At, read: Call) -> Result<Call, Stop> {
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
            let list = |place: &Place| {
                Call::new(Method::GET, &place.list_url(kind)).query("list", "true".to_owned())
            };
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

    pub(super) async fn subtree(
        &self,
        line: &Line<'_>,
        folder: &Place,
        kind: Kind,
        name: &str,
    ) -> Result<Fetched, Stop> {
        let paths = self.below(line, folder, kind).await?;
        let places = paths.iter().map(|path| folder.below(path)).collect::<Result<Vec<_>, _>>()?;
        let replies =
            line.each(places.iter().map(|place| Call::new(Method::GET, &place.url(kind))).collect()).await?;
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
        let calls = places.iter().map(|place| Call::new(Method::GET, &place.metadata_url())).collect();
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
    let call = Call::new(Method::GET, &place.metadata_url());
    Ok(reply::Metadata::read(&line.expect(call, Doing::Metadata(place)).await?)?)
}

fn revision(metadata: &reply::Metadata, line: &Line<'_>, place: &Place) -> Result<Revision, Refusal> {
    match metadata.revision(line.now().wall) {
        Some(Ok(revision)) => Ok(revision),
        Some(Err(how)) => Err(withdrawn(place, how)),
        None => Err(not_there(place, Kind::V2)),
    }
}

/// What a wrapping token opens into, once.
pub(super) async fn unwrapped(
    vault: &Vault,
    line: &Line<'_>,
    mount: &str,
    wrapped: &str,
) -> Result<Zeroizing<String>, Stop> {
    if let Some(opened) = &*vault.opened.lock().unwrap_or_else(PoisonError::into_inner) {
        return Ok(Zeroizing::new(opened.expose_secret().to_owned()));
    }
    // first who wrapped it, and what: somebody could have put another wrapping in its place
    let body = Body::new().text("token", wrapped);
    let look = Call::new(Method::POST, &["v1", "sys", "wrapping", "lookup"]).body(body);
    let known = tree(&one(vault, line, look, None, Doing::Unwrap).await?)?;
    let path = get(&known, "data").and_then(|data| text(data, "creation_path")).unwrap_or_default();
    if !of_this_role(path, vault.settings.login_namespace.as_deref(), mount) {
        return Err(Refusal::new(
            ErrorKind::Unauthenticated,
            "the wrapping token was not made by this AppRole's secret_id endpoint: somebody may have put another in its \
             place. Check `auth_mount`; else treat it as tampering",
        )
        .into());
    }
    let token = Token::new(&vault.settings.addresses, wrapped)?;
    let unwrap = Call::new(Method::POST, &["v1", "sys", "wrapping", "unwrap"]).once();
    let opened = tree(&one(vault, line, unwrap, Some(&token), Doing::Unwrap).await?)?;
    let opened = get(&opened, "data").and_then(|data| text(data, "secret_id"));
    let opened = opened.ok_or_else(|| malformed("the wrapping token holds no secret_id"))?;
    *vault.opened.lock().unwrap_or_else(PoisonError::into_inner) = Some(SecretString::from(opened));
    Ok(Zeroizing::new(opened.to_owned()))
}

fn of_this_role(path: &str, namespace: Option<&str>, mount: &str) -> bool {
    let inside =
        namespace.and_then(|namespace| path.strip_prefix(namespace)?.strip_prefix('/')).unwrap_or(path);
    let role = inside.strip_prefix("auth/").and_then(|rest| rest.strip_prefix(mount)?.strip_prefix("/role/"));
    let role = role.and_then(|rest| rest.strip_suffix("/secret-id"));
    role.is_some_and(|role| !role.is_empty() && !role.contains('/'))
}
