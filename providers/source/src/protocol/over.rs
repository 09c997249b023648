//! The one driver: a protocol over a client is a source.

use super::exchange::{Asking, Now, Protocol, SignedIn, Step};
use super::http::{Http, HttpError, HttpFault, Limits, Reply, Request};
use crate::{Ask, Clock, ErrorKind, Fetched, Identity, Lease, Probe, Source, SourceError, SourceInfo};
use async_trait::async_trait;
use futures_util::future::join_all;
use futures_util::lock::Mutex as Turn;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// How many steps a conversation may take. The longest known one, a sign-in by way of another
/// service, takes six; beyond this a server leads us in circles.
pub const MAX_STEPS: usize = 16;

/// A [`Protocol`] over an [`Http`]: a [`Source`].
///
/// It signs in when something is first asked, again when the session's time is over, and once more
/// within a call where the server no longer accepts it. Calls that find nobody signed in wait for
/// one of them to do it, and share its failure. It retries nothing: that is the core's part.
///
/// ```
/// # use secretfig_source::protocol::{Http, Limits, Over, Protocol};
/// # use secretfig_source::{Clock, Source};
/// # use std::{sync::Arc, time::Duration};
/// fn source<P: Protocol + 'static>(protocol: P, http: Arc<dyn Http>, clock: Arc<dyn Clock>) -> impl Source {
///     let limits = Limits { deadline: Duration::from_secs(5), ..Limits::default() };
///     Over::new(protocol, http, clock).limits(limits)
/// }
/// ```
pub struct Over<P: Protocol, H: Http> {
    protocol: P,
    http: H,
    clock: Arc<dyn Clock>,
    limits: Limits,
    door: Mutex<Door<P::Session>>,
    turn: Option<Turn<()>>,
}

/// Who is signed in, and how the last try ended.
struct Door<S> {
    signed_in: Option<SignedIn<S>>,
    tries: u64,
    failure: Option<SourceError>,
}

enum Ended<T> {
    Done(T),
    SignIn,
}

impl<P: Protocol, H: Http> Over<P, H> {
    /// That protocol over that client.
    pub fn new(protocol: P, http: H, clock: Arc<dyn Clock>) -> Self {
        let door = Mutex::new(Door { signed_in: None, tries: 0, failure: None });
        Self { protocol, http, clock, limits: Limits::default(), door, turn: Some(Turn::new(())) }
    }

    /// With those bounds for every request.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Has each call sign in for itself where nobody is signed in, instead of waiting for another
    /// call to do it. For hosts that end a request which waits for another request's I/O, such as
    /// Cloudflare Workers.
    #[must_use]
    pub fn signing_in_alone(mut self) -> Self {
        self.turn = None;
        self
    }

    /// The protocol, for what it can beside being a source.
    pub fn protocol(&self) -> &P {
        &self.protocol
    }

    fn now(&self) -> Now {
        Now { tick: self.clock.tick(), wall: self.clock.wall() }
    }

    fn door(&self) -> MutexGuard<'_, Door<P::Session>> {
        self.door.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn error(&self, kind: ErrorKind) -> SourceError {
        SourceError::new(kind, self.protocol.info().scheme)
    }

    async fn send(&self, request: Request) -> Result<Reply, HttpError> {
        let reply = self.http.send(request, self.limits).await?;
        // the client holds this bound while it reads; one that does not is not trusted further
        if reply.body().len() > self.limits.max_bytes {
            return Err(HttpError::new(HttpFault::TooLarge));
        }
        Ok(reply)
    }

    async fn drive<T>(&self, mut exchange: Asking<'_, T>) -> Result<Ended<T>, SourceError> {
        let mut replies = Vec::new();
        for _ in 0..MAX_STEPS {
            replies = match exchange.step(replies, self.now()) {
                Step::Send(requests) => join_all(requests.into_iter().map(|r| self.send(r))).await,
                Step::SignIn => return Ok(Ended::SignIn),
                Step::Done(answer) => return Ok(Ended::Done(answer)),
            };
        }
        Err(self.error(ErrorKind::Malformed).hint("the server leads in circles; check what answers there"))
    }

    /// Who is signed in now, other than the session that was no longer accepted.
    fn signed_in(&self, stale: Option<&Arc<P::Session>>) -> Option<SignedIn<P::Session>> {
        let now = self.clock.tick();
        let door = self.door();
        let signed_in = door.signed_in.as_ref()?;
        let usable = now < signed_in.until && !stale.is_some_and(|old| Arc::ptr_eq(old, &signed_in.session));
        usable.then(|| signed_in.clone())
    }

    async fn enter(&self, stale: Option<&Arc<P::Session>>) -> Result<SignedIn<P::Session>, SourceError> {
        if let Some(signed_in) = self.signed_in(stale) {
            return Ok(signed_in);
        }
        let tries = self.door().tries;
        let _turn = match &self.turn {
            Some(turn) => Some(turn.lock().await),
            None => None,
        };
        if self.turn.is_some() {
            if let Some(signed_in) = self.signed_in(stale) {
                return Ok(signed_in);
            }
            // whoever was before us tried while we waited: its failure is ours, and no storm
            let door = self.door();
            if let Some(failure) = door.failure.as_ref().filter(|_| door.tries != tries) {
                return Err(failure.clone());
            }
        }
        let answer = match self.drive(self.protocol.sign_in()).await {
            Ok(Ended::Done(answer)) => answer,
            Ok(Ended::SignIn) => Err(self.error(ErrorKind::Unauthenticated)),
            Err(error) => Err(error),
        };
        let mut door = self.door();
        door.tries += 1;
        door.failure = answer.as_ref().err().cloned();
        door.signed_in = answer.as_ref().ok().cloned();
        answer
    }

    /// One conversation, and the same once more if it asked to sign in anew.
    async fn call<'a, T>(
        &'a self,
        begin: impl Fn(Arc<P::Session>) -> Asking<'a, T> + Send,
    ) -> Result<T, SourceError> {
        let first = self.enter(None).await?.session;
        if let Ended::Done(answer) = self.drive(begin(first.clone())).await? {
            return Ok(answer);
        }
        let second = self.enter(Some(&first)).await?.session;
        match self.drive(begin(second)).await? {
            Ended::Done(answer) => Ok(answer),
            Ended::SignIn => Err(self
                .error(ErrorKind::Unauthenticated)
                .hint("signed in anew, and the server accepts the session no more than before")),
        }
    }

    /// One answer per ask, whatever the conversation came to.
    fn answers<T>(
        &self,
        asks: &[Ask],
        answers: Result<Vec<Result<T, SourceError>>, SourceError>,
    ) -> Vec<Result<T, SourceError>> {
        let error = match answers {
            Ok(answers) if answers.len() == asks.len() => return answers,
            Ok(_) => self.error(ErrorKind::Malformed).hint("not one answer per secret"),
            Err(error) => error,
        };
        asks.iter().map(|ask| Err(error.clone().secret(ask.name()))).collect()
    }

    fn without_leases(&self) -> SourceError {
        self.error(ErrorKind::Misconfigured).hint("this source gives no leases")
    }
}

#[async_trait]
impl<P: Protocol, H: Http> Source for Over<P, H> {
    fn info(&self) -> SourceInfo {
        self.protocol.info()
    }

    async fn sign_in(&self) -> Result<Option<Identity>, SourceError> {
        Ok(self.enter(None).await?.identity)
    }

    async fn fetch(&self, asks: &[Ask]) -> Vec<Result<Fetched, SourceError>> {
        if asks.is_empty() {
            return Vec::new();
        }
        let answers = self.call(|session| self.protocol.fetch(session, asks)).await;
        self.answers(asks, answers)
    }

    fn mints(&self, ask: &Ask) -> bool {
        self.protocol.mints(ask)
    }

    async fn probe(&self, asks: &[Ask]) -> Vec<Result<Probe, SourceError>> {
        let unknown = || asks.iter().map(|_| Ok(Probe::Unknown)).collect();
        if asks.is_empty() || !self.protocol.info().abilities.probe {
            return unknown();
        }
        let begin = |session| self.protocol.probe(session, asks).unwrap_or_else(|| super::ready(unknown()));
        let answers = self.call(begin).await;
        self.answers(asks, answers)
    }

    async fn renew(&self, lease: &Lease) -> Result<Lease, SourceError> {
        let none = || super::ready(Err(self.without_leases()));
        self.call(|session| self.protocol.renew(session, lease).unwrap_or_else(none)).await?
    }

    async fn revoke(&self, lease: &Lease) -> Result<(), SourceError> {
        let none = || super::ready(Err(self.without_leases()));
        self.call(|session| self.protocol.revoke(session, lease).unwrap_or_else(none)).await?
    }
}

impl<P: Protocol, H: Http> fmt::Debug for Over<P, H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let info = self.protocol.info();
        f.debug_struct("Over")
            .field("scheme", &info.scheme)
            .field("origin", &info.origin)
            .finish_non_exhaustive()
    }
}
