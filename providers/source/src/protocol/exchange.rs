//! How a manager is spoken to, without speaking: the traits a manager's crate implements.

use super::http::{HttpError, Reply, Request};
use crate::{Ask, Fetched, Identity, Lease, Probe, SourceError, SourceInfo, Tick};
use std::sync::Arc;
use std::time::SystemTime;

/// One conversation: replies in, requests out, until it knows.
pub trait Exchange: Send {
    /// What it finds out.
    type Output;

    /// Takes the replies to what it sent last, one per request and in the same order, and says what
    /// comes next. The first step is given none. It must not panic on any bytes.
    fn step(&mut self, replies: Vec<Result<Reply, HttpError>>, now: Now) -> Step<Self::Output>;
}

/// A conversation about to begin.
pub type Asking<'a, T> = Box<dyn Exchange<Output = T> + 'a>;

/// One answer per ask, in the same order.
pub type Answers<T> = Vec<Result<T, SourceError>>;

/// What comes next in a conversation.
#[derive(Debug)]
pub enum Step<T> {
    /// Send these, all at once, and give the replies.
    Send(Vec<Request>),
    /// The server no longer accepts the session: sign in anew and begin this conversation again.
    /// Granted once; after that it fails. Never to be said once something was minted, which a second
    /// conversation would mint again.
    SignIn,
    /// It is over.
    Done(T),
}

/// The time of a step, on both clocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Now {
    /// Monotonic: for how long something lasts.
    pub tick: Tick,
    /// Wall time: for what a manager states, and for signatures.
    pub wall: SystemTime,
}

/// The conversations of one manager. [`Over`](super::Over) makes a source of it.
pub trait Protocol: Send + Sync {
    /// What signing in yields and every other conversation needs: a token. `()` where there is none.
    type Session: Send + Sync;

    /// What it is and what it can do.
    fn info(&self) -> SourceInfo;

    /// Signs in. Where there is nothing to do, `ready(Ok(SignedIn::new(())))`.
    fn sign_in(&self) -> Asking<'_, Result<SignedIn<Self::Session>, SourceError>>;

    /// One answer per ask, in the same order.
    fn fetch<'a>(&'a self, session: Arc<Self::Session>, asks: &'a [Ask]) -> Asking<'a, Answers<Fetched>>;

    /// Whether asking for this makes something ([`Source::mints`](crate::Source::mints)). The default is `false`.
    fn mints(&self, _ask: &Ask) -> bool {
        false
    }

    /// One answer per ask, in the same order. `None`, the default: every answer is `Unknown`.
    fn probe<'a>(
        &'a self,
        _session: Arc<Self::Session>,
        _asks: &'a [Ask],
    ) -> Option<Asking<'a, Answers<Probe>>> {
        None
    }

    /// Renews a lease. `None`, the default: there are no leases.
    fn renew<'a>(
        &'a self,
        _session: Arc<Self::Session>,
        _lease: &'a Lease,
    ) -> Option<Asking<'a, Result<Lease, SourceError>>> {
        None
    }

    /// Gives a lease back. `None`, the default: there are no leases.
    fn revoke<'a>(
        &'a self,
        _session: Arc<Self::Session>,
        _lease: &'a Lease,
    ) -> Option<Asking<'a, Result<(), SourceError>>> {
        None
    }
}

/// What signing in yields.
#[non_exhaustive]
pub struct SignedIn<S> {
    /// What every other conversation needs.
    pub session: Arc<S>,
    /// Who the manager says we are, where it tells.
    pub identity: Option<Identity>,
    /// When to sign in anew; [`Tick::FAR`] where the server decides. Some time before the session ends, so
    /// that no request meets its end.
    pub until: Tick,
}

impl<S> SignedIn<S> {
    /// A session without an end of its own and without a known identity.
    pub fn new(session: S) -> Self {
        Self { session: Arc::new(session), identity: None, until: Tick::FAR }
    }

    /// As whom.
    #[must_use]
    pub fn identity(mut self, identity: Identity) -> Self {
        self.identity = Some(identity);
        self
    }

    /// Until when.
    #[must_use]
    pub fn until(mut self, until: Tick) -> Self {
        self.until = until;
        self
    }
}

/// By hand: a derived one would ask it of the session too, which is shared.
impl<S> Clone for SignedIn<S> {
    fn clone(&self) -> Self {
        Self { session: self.session.clone(), identity: self.identity.clone(), until: self.until }
    }
}

/// A conversation that needs no request.
///
/// ```
/// use secretfig_source::SourceError;
/// use secretfig_source::protocol::{Asking, SignedIn, ready};
/// fn sign_in() -> Asking<'static, Result<SignedIn<()>, SourceError>> {
///     ready(Ok(SignedIn::new(())))
/// }
/// ```
pub fn ready<'a, T: Send + 'a>(answer: T) -> Asking<'a, T> {
    struct Ready<T>(Option<T>);
    impl<T: Send> Exchange for Ready<T> {
        type Output = T;
        fn step(&mut self, _: Vec<Result<Reply, HttpError>>, _: Now) -> Step<T> {
            // INVARIANT: a conversation that is done is not asked again; if it were, the driver's
            // bound on steps would end it
            self.0.take().map_or_else(|| Step::Send(Vec::new()), Step::Done)
        }
    }
    Box::new(Ready(Some(answer)))
}
