//! A toy manager's protocol: it signs in for a token, then asks once per secret.

use http::{Method, StatusCode};
use secretfig_source::protocol::{
    Answers, Asking, Credential, Exchange, HttpError, Now, Origin, Protocol, Refused, Reply, Request,
    SignedIn, Step,
};
use secretfig_source::{
    Abilities, Ask, At, ErrorKind, Fetched, Identity, Probe, Revision, SourceError, SourceInfo, Tick,
    Withdrawn,
};
use std::sync::Arc;
use std::time::Duration;
use zeroize::Zeroizing;

pub struct Toy {
    pub origin: Origin,
    /// How long a session is used; 0 for ever.
    pub session: u64,
}

impl Toy {
    fn request(&self, method: Method, session: &Credential, ask: &Ask) -> Result<Request, SourceError> {
        let built = || {
            let request = Request::new(method, &self.origin, ["secret", ask.name()])?.credential(session)?;
            Ok(match ask.point() {
                At::Previous => request.query("at", "previous"),
                At::Version(id) => request.query("version", id),
                At::Stage(label) => request.query("stage", label),
                _ => request,
            })
        };
        built().map_err(|refused: Refused| refused.of_source("toy").secret(ask.name()))
    }
}

struct Login<'a>(&'a Toy, bool);

impl Exchange for Login<'_> {
    type Output = Result<SignedIn<Credential>, SourceError>;

    fn step(&mut self, mut replies: Vec<Result<Reply, HttpError>>, now: Now) -> Step<Self::Output> {
        let Self(toy, asked) = self;
        if !std::mem::replace(asked, true) {
            let login = Request::new(Method::POST, &toy.origin, ["login"]).unwrap();
            return Step::Send(vec![login.body("text/plain", Zeroizing::new(b"role-and-proof".to_vec()))]);
        }
        Step::Done(match replies.remove(0) {
            Err(e) => Err(e.of_source("toy")),
            Ok(reply) if reply.status() == StatusCode::OK => {
                let token = std::str::from_utf8(reply.body()).unwrap();
                let signed_in = SignedIn::new(Credential::bearer(&toy.origin, token).unwrap());
                let until = if toy.session == 0 {
                    Tick::FAR
                } else {
                    now.tick.after(Duration::from_secs(toy.session))
                };
                Ok(signed_in.identity(Identity::new("role")).until(until))
            }
            Ok(_) => Err(SourceError::new(ErrorKind::Unauthenticated, "toy")),
        })
    }
}

/// One request per ask that makes one, and one answer per ask.
struct Each<'a, T> {
    asks: &'a [Ask],
    requests: Vec<Result<Request, SourceError>>,
    asked: bool,
    read: fn(&Reply) -> T,
}

impl<T: Send> Exchange for Each<'_, T> {
    type Output = Answers<T>;

    fn step(&mut self, replies: Vec<Result<Reply, HttpError>>, now: Now) -> Step<Self::Output> {
        if !std::mem::replace(&mut self.asked, true) {
            return Step::Send(self.requests.iter().flatten().cloned().collect());
        }
        if replies.iter().flatten().any(|reply| reply.status() == StatusCode::UNAUTHORIZED) {
            return Step::SignIn;
        }
        let mut replies = replies.into_iter();
        let answer = |(request, ask): (&Result<Request, SourceError>, &Ask)| {
            if let Err(e) = request {
                return Err(e.clone());
            }
            let reply = replies.next().unwrap().map_err(|e| e.of_source("toy").secret(ask.name()))?;
            let kind = match reply.status().as_u16() {
                200 => return Ok((self.read)(&reply)),
                403 => ErrorKind::Denied,
                404 => ErrorKind::Absent,
                410 => ErrorKind::Withdrawn(Withdrawn::Deleted),
                429 => ErrorKind::Throttled { retry_after: reply.retry_after(now.wall) },
                _ => ErrorKind::Malformed,
            };
            Err(SourceError::new(kind, "toy").secret(ask.name()))
        };
        Step::Done(self.requests.iter().zip(self.asks).map(answer).collect())
    }
}

fn revision(reply: &Reply) -> Revision {
    Revision::new(reply.header("x-revision").unwrap_or_default())
}

impl Protocol for Toy {
    type Session = Credential;

    fn info(&self) -> SourceInfo {
        let mut abilities = Abilities::NONE;
        (abilities.previous, abilities.versions, abilities.stages) = (true, true, true);
        (abilities.probe, abilities.binary, abilities.empty, abilities.denies) = (true, true, true, true);
        SourceInfo::new("toy", self.origin.as_str()).batch(8, 1).abilities(abilities)
    }
    fn sign_in(&self) -> Asking<'_, Result<SignedIn<Credential>, SourceError>> {
        Box::new(Login(self, false))
    }
    fn fetch<'a>(&'a self, session: Arc<Credential>, asks: &'a [Ask]) -> Asking<'a, Answers<Fetched>> {
        let requests = asks.iter().map(|ask| self.request(Method::GET, &session, ask)).collect();
        Box::new(Each { asks, requests, asked: false, read: |r| Fetched::new(r.document(), revision(r)) })
    }
    fn probe<'a>(&'a self, session: Arc<Credential>, asks: &'a [Ask]) -> Option<Asking<'a, Answers<Probe>>> {
        let requests = asks.iter().map(|ask| self.request(Method::HEAD, &session, ask)).collect();
        Some(Box::new(Each { asks, requests, asked: false, read: |r| Probe::Current(revision(r)) }))
    }
}
