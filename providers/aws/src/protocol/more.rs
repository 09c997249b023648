//! What an edge package has no room for: folders, looks that read no value, who we are, and settings that only a client can
//! honour.

use super::batches::Worth;
use super::sign_in::{element, expected, form};
use super::{Body, FORM, SecretsManager, Session, Stop};
use crate::error::{Doing, Refusal, malformed, misconfigured};
use crate::folder::{self, Entry, Listing};
use crate::naming::{Folder, Id, Place, checked};
use crate::reply::Description;
use crate::settings::{Auth, Given, Settings};
use http::Method;
use secretfig_source::protocol::{Answers, Request, Wire};
use secretfig_source::{Ask, At, ErrorKind, Fetched, Identity, Node, Probe, Revision, SourceError};

/// How many looks are under way at once.
const AT_ONCE: usize = 64;

pub(super) fn only_what_a_protocol_can(settings: &Settings) -> Result<(), SourceError> {
    let mut wrong = Vec::new();
    match &settings.auth {
        Auth::Keys(_) | Auth::WebIdentity { token: Given::Text(_), .. } => {}
        Auth::WebIdentity { .. } => {
            wrong.push("the token stands in a file, and no file is read here: give the text");
        }
        _ => wrong.push("this way to sign in is the client's: give keys, or a role and a web identity token"),
    }
    for (set, what) in [
        (settings.material.assume_role.is_some(), "`assume_role` is the client's: give the role's own keys"),
        (settings.ca_file.is_some(), "`ca_file`: the client decides on that, not the protocol"),
        (!settings.pins.is_empty(), "`pins`: the client decides on that, not the protocol"),
        (settings.proxy, "`proxy`: the client decides on that, not the protocol"),
    ] {
        if set {
            wrong.push(what);
        }
    }
    if wrong.is_empty() { Ok(()) } else { Err(misconfigured(wrong.join("; ")).into()) }
}

/// Who we are, where STS tells: it stands in the audit line, and a sign-in is one without it.
pub(super) async fn identity(aws: &SecretsManager, wire: &Wire, session: &Session) -> Option<Identity> {
    let body = form(&[("Action", "GetCallerIdentity"), ("Version", "2011-06-15")]);
    let request = Request::new(Method::POST, &aws.sts, [] as [&str; 0]).ok()?;
    let request = request.body(FORM, body);
    let request = aws.signed(request, &session.keys, "sts", "", wire.now()).ok()?;
    let reply = expected(wire.send(vec![request]).await.pop(), Doing::WhoAmI, wire.now()).ok()?;
    element(reply.body(), "Arn").filter(|arn| arn.starts_with("arn:")).map(Identity::new)
}

impl SecretsManager {
    /// Sends these, all at once. One refused answer each where it is not the expected one.
    async fn send(
        &self,
        wire: &Wire,
        session: &Session,
        calls: Vec<(&'static str, Body, Doing<'_>)>,
    ) -> Result<Vec<Result<Node, Refusal>>, Stop> {
        let now = wire.now();
        let (mut requests, mut about) = (Vec::new(), Vec::new());
        for (operation, body, doing) in calls {
            requests.push(self.call(session, now, operation, body)?);
            about.push(doing);
        }
        let mut answers = Vec::new();
        for (sent, doing) in wire.send(requests).await.into_iter().zip(about) {
            answers.push(match self.judged(sent, now, doing) {
                Ok(tree) => Ok(tree),
                Err(Stop::Refused(refusal)) => Err(refusal),
                Err(stop) => return Err(stop),
            });
        }
        Ok(answers)
    }

    async fn list(&self, wire: &Wire, session: &Session, folder: &Folder) -> Result<Vec<Entry>, Stop> {
        let mut listing = Listing::new(folder);
        let mut next: Option<String> = None;
        loop {
            let mut body = Body::new().raw("MaxResults", b"100").raw("Filters", &filters(folder));
            if let Some(token) = &next {
                body = body.text("NextToken", token);
            }
            let reply = self.send(wire, session, vec![("ListSecrets", body, Doing::List)]).await?.pop();
            let reply = reply.unwrap_or_else(|| Err(malformed("nothing was answered")))?;
            next = listing.page(&reply)?;
            if next.is_none() {
                return Ok(listing.done()?);
            }
        }
    }

    pub(super) async fn folder(
        &self,
        wire: &Wire,
        session: &Session,
        name: &str,
        folder: &Folder,
    ) -> Result<Result<Fetched, Refusal>, Stop> {
        let entries = match self.list(wire, session, folder).await {
            Ok(entries) => entries,
            Err(Stop::Refused(refusal)) => return Ok(Err(refusal)),
            Err(stop) => return Err(stop),
        };
        let ids: Vec<(Id, At)> = entries.iter().map(|entry| (entry.id.clone(), At::Current)).collect();
        let answers = self.get(wire, session, &ids, Worth { from: 2, again: true }).await?;
        let mut found = Vec::new();
        for (entry, answer) in entries.into_iter().zip(answers) {
            match answer {
                Ok(fetched) => found.push((entry.name, fetched)),
                // listed still, though deleted: it is not there, and the others are
                Err(e) if matches!(e.kind, ErrorKind::Withdrawn(_) | ErrorKind::Absent) => {}
                Err(e) => return Ok(Err(e)),
            }
        }
        Ok(folder::whole(name, folder, self.settings.names.duplicates, found, &self.prints))
    }

    pub(super) async fn probe_all(
        &self,
        wire: &Wire,
        session: &Session,
        asks: &[Ask],
    ) -> Result<Answers<Probe>, Stop> {
        let mut answers = Vec::with_capacity(asks.len());
        for asks in asks.chunks(AT_ONCE) {
            answers.append(&mut self.probe_some(wire, session, asks).await?);
        }
        let each = answers.into_iter().zip(asks);
        Ok(each
            .map(|(answer, ask)| answer.map(Probe::Current).map_err(|refusal| refusal.of(ask.name())))
            .collect())
    }

    async fn probe_some(
        &self,
        wire: &Wire,
        session: &Session,
        asks: &[Ask],
    ) -> Result<Vec<Result<Revision, Refusal>>, Stop> {
        let now = wire.now();
        let mut answers: Vec<Option<Result<Revision, Refusal>>> = asks.iter().map(|_| None).collect();
        let (mut seeing, mut reading) = (Vec::new(), Vec::new());
        for (seat, (ask, answer)) in asks.iter().zip(&mut answers).enumerate() {
            match checked(ask.point()).and_then(|()| self.settings.names.place(ask.name())) {
                Ok(Place::Secret(id)) if self.blind.is(ask.name(), now.tick) => reading.push((seat, id)),
                Ok(Place::Secret(id)) => seeing.push((seat, id)),
                Ok(Place::Folder(folder)) => *answer = Some(self.look_at(wire, session, ask, &folder).await?),
                Err(refusal) => *answer = Some(Err(refusal)),
            }
        }
        let calls = seeing.iter().map(|(_, id)| {
            ("DescribeSecret", Body::new().text("SecretId", id.as_str()), Doing::Describe(id.as_str()))
        });
        let replies = self.send(wire, session, calls.collect()).await?;
        let mut denied = Vec::new();
        for (reply, (seat, id)) in replies.into_iter().zip(seeing) {
            let (Some(ask), Some(answer)) = (asks.get(seat), answers.get_mut(seat)) else { continue };
            match reply {
                Ok(tree) => {
                    let known = Description::read(&tree);
                    self.notes.found(ask.name(), known.notes(now.wall));
                    *answer = Some(known.revision(ask.point()));
                }
                // the value may be readable all the same: the least policy grants no more
                Err(refusal) if refusal.kind == ErrorKind::Denied => {
                    denied.push(seat);
                    reading.push((seat, id));
                }
                Err(refusal) => *answer = Some(Err(refusal)),
            }
        }
        let gets: Vec<(Id, At)> = reading
            .iter()
            .filter_map(|(seat, id)| Some((id.clone(), asks.get(*seat)?.point().clone())))
            .collect();
        let got = self.get(wire, session, &gets, Worth { from: usize::MAX, again: false }).await?;
        for ((seat, _), got) in reading.iter().zip(got) {
            let (Some(ask), Some(answer)) = (asks.get(*seat), answers.get_mut(*seat)) else { continue };
            if got.is_ok() && denied.contains(seat) {
                self.blind.found(ask.name(), now.tick);
            }
            *answer = Some(got.map(|fetched| fetched.revision));
        }
        let none = || Err(malformed("nothing was answered"));
        Ok(answers.into_iter().map(|answer| answer.unwrap_or_else(none)).collect())
    }

    /// A folder's revision, as its list tells it.
    async fn look_at(
        &self,
        wire: &Wire,
        session: &Session,
        ask: &Ask,
        folder: &Folder,
    ) -> Result<Result<Revision, Refusal>, Stop> {
        if *ask.point() != At::Current {
            return Ok(Err(misconfigured("a folder has no versions; ask for its secrets")));
        }
        let entries = match self.list(wire, session, folder).await {
            Ok(entries) => entries,
            Err(Stop::Refused(refusal)) => return Ok(Err(refusal)),
            Err(stop) => return Err(stop),
        };
        let told: Option<Vec<_>> =
            entries.into_iter().map(|entry| Some((entry.name, Revision::new(entry.current?)))).collect();
        Ok(match told {
            Some(all) => Ok(folder::revision(ask.name(), &all, &self.prints)),
            None => match self.folder(wire, session, ask.name(), folder).await? {
                Ok(fetched) => Ok(fetched.revision),
                Err(refusal) => Err(refusal),
            },
        })
    }
}

/// By the beginning of names, and by tags: each key and each value is a filter of its own.
fn filters(folder: &Folder) -> Vec<u8> {
    let mut all = Vec::new();
    let mut add = |key: &str, value: &str| {
        all.push(Body::new().text("Key", key).texts("Values", [value]).0.to_vec());
    };
    if !folder.prefix.is_empty() {
        add("name", &folder.prefix);
    }
    for (key, value) in &folder.tags {
        add("tag-key", key);
        if !value.is_empty() {
            add("tag-value", value);
        }
    }
    [b"[", all.join(&b","[..]).as_slice(), b"]"].concat()
}
