//! Conversations written as plain async code, with no I/O in it: [`Wire::send`] is where a step ends, and the replies
//! of the next step are what it gives.
//!
//! An [`Exchange`] by hand is a state machine with a state per reply that is waited for; this is the same, written down in the
//! order in which it happens.

use super::exchange::{Asking, Exchange, Now, Step};
use super::http::{HttpError, Reply, Request};
use crate::Tick;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::SystemTime;

/// One reply per request.
pub type Replies = Vec<Result<Reply, HttpError>>;

/// The server accepts the session no more, and nothing was minted: sign in, and begin again ([`Step::SignIn`]).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SignIn;

/// What a conversation sends by.
#[derive(Clone)]
pub struct Wire(Arc<Mutex<Slot>>);

struct Slot {
    out: Vec<Request>,
    replies: Option<Replies>,
    now: Now,
}

impl Wire {
    fn new() -> Self {
        let now = Now { tick: Tick::default(), wall: SystemTime::UNIX_EPOCH };
        Self(Arc::new(Mutex::new(Slot { out: Vec::new(), replies: None, now })))
    }

    fn slot(&self) -> MutexGuard<'_, Slot> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The time of this step.
    pub fn now(&self) -> Now {
        self.slot().now
    }

    /// Sends these, all at once, and gives as many replies.
    pub async fn send(&self, requests: Vec<Request>) -> Replies {
        if requests.is_empty() {
            return Vec::new();
        }
        {
            let mut slot = self.slot();
            slot.out = requests;
            slot.replies = None;
        }
        poll_fn(|_| self.slot().replies.take().map_or(Poll::Pending, Poll::Ready)).await
    }
}

type Talking<'a> = Pin<Box<dyn Future<Output = Result<(), SignIn>> + Send + 'a>>;

struct One<'a> {
    wire: Wire,
    talking: Option<Talking<'a>>,
    waits_for: usize,
}

/// Conversations side by side, each with its own requests among those of a step. What they come to, they write down.
struct All<'a>(Vec<One<'a>>);

impl<'a> All<'a> {
    fn begin(&mut self, talking: impl FnOnce(Wire) -> Talking<'a>) {
        let wire = Wire::new();
        let talking = Some(talking(wire.clone()));
        self.0.push(One { wire, talking, waits_for: 0 });
    }

    /// What comes next; an empty list where all have come to their end.
    fn step(&mut self, replies: Replies, now: Now) -> Result<Vec<Request>, SignIn> {
        let mut replies = replies.into_iter();
        let mut out = Vec::new();
        for one in &mut self.0 {
            let Some(talking) = one.talking.as_mut() else { continue };
            {
                let mut slot = one.wire.slot();
                slot.now = now;
                slot.replies = (one.waits_for > 0).then(|| replies.by_ref().take(one.waits_for).collect());
            }
            match talking.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
                Poll::Ready(done) => {
                    done?;
                    (one.talking, one.waits_for) = (None, 0);
                }
                Poll::Pending => {
                    let mut requests = std::mem::take(&mut one.wire.slot().out);
                    one.waits_for = requests.len();
                    out.append(&mut requests);
                }
            }
        }
        Ok(out)
    }
}

/// Where a conversation writes down what it has come to.
type Answer<T> = Arc<Mutex<Option<T>>>;

struct Each<'a, T> {
    all: All<'a>,
    answers: Vec<Answer<T>>,
}

impl<'a, T: Send + 'a> Each<'a, T> {
    fn begin<F>(&mut self, begin: impl FnOnce(Wire) -> F)
    where
        F: Future<Output = Result<T, SignIn>> + Send + 'a,
    {
        let answer = Answer::default();
        self.answers.push(answer.clone());
        self.all.begin(|wire| {
            let talking = begin(wire);
            Box::pin(async move {
                let answered = talking.await?;
                *answer.lock().unwrap_or_else(PoisonError::into_inner) = Some(answered);
                Ok(())
            })
        });
    }
}

impl<T: Send> Exchange for Each<'_, T> {
    type Output = Vec<T>;

    fn step(&mut self, replies: Replies, now: Now) -> Step<Vec<T>> {
        match self.all.step(replies, now) {
            Err(SignIn) => Step::SignIn,
            Ok(requests) if !requests.is_empty() => Step::Send(requests),
            Ok(_) => {
                let written =
                    |answer: Answer<T>| answer.lock().unwrap_or_else(PoisonError::into_inner).take();
                Step::Done(std::mem::take(&mut self.answers).into_iter().filter_map(written).collect())
            }
        }
    }
}

struct Single<'a, T>(Each<'a, T>);

impl<T: Send> Exchange for Single<'_, T> {
    type Output = T;

    fn step(&mut self, replies: Replies, now: Now) -> Step<T> {
        match self.0.step(replies, now) {
            Step::Send(requests) => Step::Send(requests),
            Step::SignIn => Step::SignIn,
            // INVARIANT: one conversation gives one answer; were there none, the driver's bound on steps ends it
            Step::Done(mut answers) => answers.pop().map_or_else(|| Step::Send(Vec::new()), Step::Done),
        }
    }
}

/// One conversation. What it waits for is [`Wire::send`] and nothing else: nobody wakes it for anything else.
///
/// ```
/// use secretfig_source::protocol::{Asking, Origin, Request, SignIn, talk};
/// fn status(of: Origin) -> Asking<'static, Option<u16>> {
///     talk(move |wire| async move {
///         let Ok(request) = Request::get(&of, ["health"]) else { return Ok(None) };
///         match wire.send(vec![request]).await.pop() {
///             Some(Ok(reply)) if reply.status().as_u16() == 401 => Err(SignIn),
///             Some(Ok(reply)) => Ok(Some(reply.status().as_u16())),
///             _ => Ok(None),
///         }
///     })
/// }
/// ```
pub fn talk<'a, T, F>(begin: impl FnOnce(Wire) -> F) -> Asking<'a, T>
where
    T: Send + 'a,
    F: Future<Output = Result<T, SignIn>> + Send + 'a,
{
    let mut each = Each { all: All(Vec::new()), answers: Vec::new() };
    each.begin(begin);
    Box::new(Single(each))
}

/// One conversation for each of these, side by side, and one answer for each, in the same order.
pub fn talk_each<'a, A, T, F>(all: &'a [A], begin: impl Fn(Wire, &'a A) -> F) -> Asking<'a, Vec<T>>
where
    T: Send + 'a,
    F: Future<Output = Result<T, SignIn>> + Send + 'a,
{
    let mut each = Each { all: All(Vec::new()), answers: Vec::new() };
    for one in all {
        each.begin(|wire| begin(wire, one));
    }
    Box::new(each)
}
