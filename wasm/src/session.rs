//! As whom is asked: each conversation signs in for itself where nobody is signed in, since no request may wait for
//! another one's.

use crate::wire::{Replies, Wire};
use secretfig_source::protocol::{Exchange, Now, Protocol, Request, SignedIn, Step};
use secretfig_source::{Ask, ErrorKind, Fetched, SourceError};
use secretfig_vault::protocol::{Session, Vault};
use std::cell::RefCell;
use std::sync::Arc;

/// The manager, and who is signed in there.
pub(crate) struct Manager {
    vault: Vault,
    // INVARIANT: never borrowed over an await
    signed_in: RefCell<Option<SignedIn<Session>>>,
}

/// The longest known conversation takes six steps; beyond this a server leads us in circles.
const MAX_STEPS: usize = 16;

impl Manager {
    pub(crate) fn new(vault: Vault) -> Self {
        Self { vault, signed_in: RefCell::new(None) }
    }

    /// One answer per ask, in the same order.
    ///
    /// # Errors
    /// The sign-in's.
    pub(crate) async fn fetch(
        &self,
        wire: &Wire,
        asks: &[Ask],
    ) -> Result<Vec<Result<Fetched, SourceError>>, SourceError> {
        let mut stale = None;
        loop {
            let session = self.session(wire, stale.as_ref());
            let (mut signed_in, mut answers) = (None, None);
            let conversation: Box<dyn Conversation + '_> = match &session {
                Some(session) => {
                    Box::new(Said { exchange: self.vault.fetch(session.clone(), asks), answer: &mut answers })
                }
                None => Box::new(Said { exchange: self.vault.sign_in(), answer: &mut signed_in }),
            };
            drive(wire, conversation).await?;
            match (session, answers) {
                (Some(_), Some(answers)) => return Ok(answers),
                (Some(session), None) if stale.is_none() => stale = Some(session),
                (Some(_), None) => return Err(refused()),
                (None, _) => {
                    *self.signed_in.borrow_mut() = Some(signed_in.unwrap_or_else(|| Err(refused()))?);
                }
            }
        }
    }

    /// Who is signed in now, other than by the session that was no longer accepted.
    fn session(&self, wire: &Wire, stale: Option<&Arc<Session>>) -> Option<Arc<Session>> {
        let signed_in = self.signed_in.borrow();
        let SignedIn { session, until, .. } = signed_in.as_ref()?;
        let usable = wire.now().tick < *until && !stale.is_some_and(|old| Arc::ptr_eq(old, session));
        usable.then(|| session.clone())
    }
}

fn refused() -> SourceError {
    SourceError::new(ErrorKind::Unauthenticated, "vault")
        .hint("signed in anew, and the server accepts the session no more than before")
}

/// A conversation, of whatever outcome.
trait Conversation {
    /// The requests of its next step; none where it is over.
    fn step(&mut self, replies: Replies, now: Now) -> Vec<Request>;
}

/// With its answer; none where the session is no longer accepted.
struct Said<'a, 'b, T> {
    exchange: Box<dyn Exchange<Output = T> + 'a>,
    answer: &'b mut Option<T>,
}

impl<T> Conversation for Said<'_, '_, T> {
    fn step(&mut self, replies: Replies, now: Now) -> Vec<Request> {
        match self.exchange.step(replies, now) {
            Step::Send(requests) => requests,
            Step::SignIn => Vec::new(),
            Step::Done(answer) => {
                *self.answer = Some(answer);
                Vec::new()
            }
        }
    }
}

async fn drive(wire: &Wire, mut conversation: Box<dyn Conversation + '_>) -> Result<(), SourceError> {
    let mut replies = Vec::new();
    for _ in 0..MAX_STEPS {
        let requests = conversation.step(replies, wire.now());
        if requests.is_empty() {
            return Ok(());
        }
        replies = wire.send(requests).await;
    }
    let circles = SourceError::new(ErrorKind::Malformed, "vault");
    Err(circles.hint("the server leads in circles; check what answers there"))
}
