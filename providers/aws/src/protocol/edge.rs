//! The conversations of an edge package, which must be small: each of one step, and so without the room that a future takes.
//!
//! An edge asks for each secret by itself: that takes one right in place of two, and an account has a quota of 10,000 such reads
//! a second, against 100 batches.

use super::sign_in::{granted, with_keys, with_token};
use super::{Body, SecretsManager, Session, Stop};
use crate::error::{Doing, Refusal, malformed};
use crate::naming::{Id, Place};
use crate::reply::fetched;
use secretfig_source::protocol::{Answers, Exchange, HttpError, Now, Reply, Request, SignedIn, Step};
use secretfig_source::{Ask, Fetched, SourceError};
use std::sync::Arc;

/// Reads of secrets, all at once.
pub(super) struct Fetching<'a> {
    aws: &'a SecretsManager,
    session: Arc<Session>,
    asks: &'a [Ask],
    /// What is asked for; or why it is not. Empty before anything was.
    asked: Vec<Result<Id, Refusal>>,
}

impl<'a> Fetching<'a> {
    pub(super) fn new(aws: &'a SecretsManager, session: Arc<Session>, asks: &'a [Ask]) -> Self {
        Self { aws, session, asks, asked: Vec::new() }
    }

    fn ask(&self, ask: &Ask, now: Now) -> Result<(Id, Request), Refusal> {
        let Place::Secret(id) = self.aws.place(ask)?;
        let request = self.aws.call(&self.session, now, "GetSecretValue", Body::get(&id, ask.point()))?;
        Ok((id, request))
    }

    fn answer(
        &self,
        id: &Result<Id, Refusal>,
        sent: &mut dyn Iterator<Item = Result<Reply, HttpError>>,
        now: Now,
    ) -> Result<Fetched, Stop> {
        let id = id.as_ref().map_err(Clone::clone)?;
        let sent = sent.next().ok_or_else(|| malformed("nothing was answered"))?;
        let tree = self.aws.judged(sent, now, Doing::Get(id.as_str()))?;
        Ok(fetched(&tree)?)
    }
}

impl Exchange for Fetching<'_> {
    type Output = Answers<Fetched>;

    fn step(&mut self, replies: Vec<Result<Reply, HttpError>>, now: Now) -> Step<Answers<Fetched>> {
        if self.asked.is_empty() {
            let mut requests = Vec::new();
            for ask in self.asks {
                let asked = self.ask(ask, now).map(|(id, request)| {
                    requests.push(request);
                    id
                });
                self.asked.push(asked);
            }
            if !requests.is_empty() {
                return Step::Send(requests);
            }
        }
        let (mut replies, mut answers) = (replies.into_iter(), Vec::new());
        for (ask, id) in self.asks.iter().zip(&self.asked) {
            answers.push(match self.answer(id, &mut replies, now) {
                Ok(fetched) => Ok(fetched),
                Err(Stop::Refused(refusal)) => Err(refusal.of(ask.name())),
                Err(Stop::SignIn) => return Step::SignIn,
            });
        }
        Step::Done(answers)
    }
}

/// A sign-in.
pub(super) struct Entering<'a> {
    aws: &'a SecretsManager,
    begun: Option<Now>,
}

impl<'a> Entering<'a> {
    pub(super) fn new(aws: &'a SecretsManager) -> Self {
        Self { aws, begun: None }
    }
}

impl Exchange for Entering<'_> {
    type Output = Result<SignedIn<Session>, SourceError>;

    fn step(&mut self, mut replies: Vec<Result<Reply, HttpError>>, now: Now) -> Step<Self::Output> {
        let signed_in = match self.begun {
            Some(begun) => granted(replies.pop(), begun),
            None => match with_token(self.aws) {
                Ok(Ok(request)) => {
                    self.begun = Some(now);
                    return Step::Send(vec![request]);
                }
                Ok(Err(keys)) => Ok(with_keys(keys)),
                Err(refusal) => Err(refusal),
            },
        };
        Step::Done(signed_in.map_err(Into::into))
    }
}
