//! As whom is asked: each conversation signs in for itself where nobody is signed in, since no request may wait for
//! another one's.

use crate::wire::{Replies, Wire};
use secretfig_source::protocol::{Answers, Asking, Now, Protocol, Request, SignedIn, Step};
use secretfig_source::{Ask, ErrorKind, Fetched, SourceError};
use std::cell::{Cell, RefCell};

/// A manager, of whatever kind, and who is signed in there.
pub(crate) struct Manager(Box<dyn Door>);

/// The longest known conversation takes six steps; beyond this a server leads us in circles.
const MAX_STEPS: usize = 16;

/// What a conversation has come to: none where it is to be begun again.
type Outcome = Option<Result<Answers<Fetched>, SourceError>>;

impl Manager {
    pub(crate) fn new(protocol: impl Protocol + 'static) -> Self {
        Self(Box::new(Of { protocol, signed_in: RefCell::new(None), logins: Cell::new(0) }))
    }

    /// One answer per ask, in the same order.
    ///
    /// # Errors
    /// The sign-in's.
    pub(crate) async fn fetch(&self, wire: &Wire, asks: &[Ask]) -> Result<Answers<Fetched>, SourceError> {
        let mut stale = None;
        // at most a sign-in, a read that it does not suffice for, and both once more
        for _ in 0..4 {
            let mut outcome = None;
            let (login, conversation) = self.0.talk(wire.now(), stale, asks, &mut outcome);
            drive(wire, conversation).await?;
            if let Some(outcome) = outcome {
                return outcome;
            }
            if login.is_some() {
                if stale.is_some() {
                    break;
                }
                stale = login;
            }
        }
        // whose error it is, who asked knows
        Err(SourceError::new(ErrorKind::Unauthenticated, "")
            .hint("signed in anew, and the server accepts the session no more than before"))
    }
}

/// What is asked of a manager of any kind.
trait Door {
    /// A read, and as which login; or a sign-in, where nobody is signed in by another login than the one that was no longer
    /// accepted.
    fn talk<'a>(
        &'a self,
        now: Now,
        stale: Option<u32>,
        asks: &'a [Ask],
        outcome: &'a mut Outcome,
    ) -> (Option<u32>, Box<dyn Conversation + 'a>);
}

struct Of<P: Protocol> {
    protocol: P,
    /// As which login.
    // INVARIANT: never borrowed over an await
    signed_in: RefCell<Option<(u32, SignedIn<P::Session>)>>,
    logins: Cell<u32>,
}

impl<P: Protocol> Door for Of<P> {
    fn talk<'a>(
        &'a self,
        now: Now,
        stale: Option<u32>,
        asks: &'a [Ask],
        outcome: &'a mut Outcome,
    ) -> (Option<u32>, Box<dyn Conversation + 'a>) {
        match &*self.signed_in.borrow() {
            Some((login, SignedIn { session, until, .. })) if now.tick < *until && stale != Some(*login) => {
                (Some(*login), read(self.protocol.fetch(session.clone(), asks), outcome))
            }
            _ => {
                let done = |answer| match answer {
                    Ok(signed_in) => {
                        let login = self.logins.get().wrapping_add(1);
                        self.logins.set(login);
                        *self.signed_in.borrow_mut() = Some((login, signed_in));
                    }
                    Err(error) => *outcome = Some(Err(error)),
                };
                (None, Box::new(Said { exchange: self.protocol.sign_in(), done }))
            }
        }
    }
}

fn read<'a>(exchange: Asking<'a, Answers<Fetched>>, outcome: &'a mut Outcome) -> Box<dyn Conversation + 'a> {
    Box::new(Said { exchange, done: |answers| *outcome = Some(Ok(answers)) })
}

/// A conversation, whatever it comes to.
trait Conversation {
    /// The requests of its next step; none where it is over.
    fn step(&mut self, replies: Replies, now: Now) -> Vec<Request>;
}

/// One, and what is to be done with its answer; nothing where the session is no longer accepted.
struct Said<'a, T, F> {
    exchange: Asking<'a, T>,
    done: F,
}

impl<T, F: FnMut(T)> Conversation for Said<'_, T, F> {
    fn step(&mut self, replies: Replies, now: Now) -> Vec<Request> {
        match self.exchange.step(replies, now) {
            Step::Send(requests) => return requests,
            Step::SignIn => {}
            Step::Done(answer) => (self.done)(answer),
        }
        Vec::new()
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
    Err(SourceError::new(ErrorKind::Malformed, "")
        .hint("the server leads in circles; check what answers there"))
}
