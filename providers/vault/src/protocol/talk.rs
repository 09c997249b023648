//! Conversations written as plain async code, with no I/O in it: [`Wire::send`] is where a step ends, and the replies
//! of the next step are what it gives.

use secretfig_source::protocol::{Asking, Exchange, HttpError, Now, Reply, Request, Step};
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

/// One reply per request.
pub(super) type Replies = Vec<Result<Reply, HttpError>>;

/// The server accepts the session no more, and nothing was minted: sign in, and begin again.
pub(super) struct SignIn;

/// What a conversation sends by.
#[derive(Clone)]
pub(super) struct Wire(Arc<Mutex<Slot>>);

struct Slot {
    out: Vec<Request>,
    replies: Option<Replies>,
    now: Now,
}

impl Wire {
    fn slot(&self) -> MutexGuard<'_, Slot> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The time of this step.
    pub(super) fn now(&self) -> Now {
        self.slot().now
    }

    /// Sends these, all at once, and gives as many replies.
    pub(super) async fn send(&self, requests: Vec<Request>) -> Replies {
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

type Talking<'a, T> = Pin<Box<dyn Future<Output = Result<T, SignIn>> + Send + 'a>>;

struct One<'a, T> {
    wire: Wire,
    talking: Option<Talking<'a, T>>,
    answer: Option<T>,
    waits_for: usize,
}

/// Conversations side by side, each with its own requests among those of a step.
struct All<'a, T> {
    conversations: Vec<One<'a, T>>,
    begin: Vec<Box<dyn FnOnce(Wire) -> Talking<'a, T> + Send + 'a>>,
}

impl<'a, T: Send> Exchange for All<'a, T> {
    type Output = Vec<T>;

    fn step(&mut self, replies: Replies, now: Now) -> Step<Vec<T>> {
        for begin in std::mem::take(&mut self.begin) {
            let wire = Wire(Arc::new(Mutex::new(Slot { out: Vec::new(), replies: None, now })));
            let talking = Some(begin(wire.clone()));
            self.conversations.push(One { wire, talking, answer: None, waits_for: 0 });
        }
        let mut replies = replies.into_iter();
        let mut out = Vec::new();
        for one in &mut self.conversations {
            let Some(talking) = one.talking.as_mut() else { continue };
            {
                let mut slot = one.wire.slot();
                slot.now = now;
                slot.replies = (one.waits_for > 0).then(|| replies.by_ref().take(one.waits_for).collect());
            }
            match talking.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
                Poll::Ready(Ok(answer)) => (one.answer, one.talking, one.waits_for) = (Some(answer), None, 0),
                Poll::Ready(Err(SignIn)) => return Step::SignIn,
                Poll::Pending => {
                    let requests = std::mem::take(&mut one.wire.slot().out);
                    one.waits_for = requests.len();
                    out.extend(requests);
                }
            }
        }
        if out.is_empty() {
            return Step::Done(self.conversations.iter_mut().filter_map(|one| one.answer.take()).collect());
        }
        Step::Send(out)
    }
}

struct Single<'a, T>(All<'a, T>);

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

/// One conversation.
pub(super) fn talk<'a, T, F>(begin: impl FnOnce(Wire) -> F + Send + 'a) -> Asking<'a, T>
where
    T: Send + 'a,
    F: Future<Output = Result<T, SignIn>> + Send + 'a,
{
    let begin: Box<dyn FnOnce(Wire) -> Talking<'a, T> + Send + 'a> = Box::new(|wire| Box::pin(begin(wire)));
    Box::new(Single(All { conversations: Vec::new(), begin: vec![begin] }))
}

/// One conversation for each of these, side by side, and one answer for each, in the same order.
pub(super) fn talk_each<'a, A, T, F>(
    all: &'a [A],
    begin: impl Fn(Wire, &'a A) -> F + Clone + Send + 'a,
) -> Asking<'a, Vec<T>>
where
    A: Sync,
    T: Send + 'a,
    F: Future<Output = Result<T, SignIn>> + Send + 'a,
{
    let begin = all.iter().map(|one| {
        let begin = begin.clone();
        let begin: Box<dyn FnOnce(Wire) -> Talking<'a, T> + Send + 'a> =
            Box::new(move |wire| Box::pin(begin(wire, one)));
        begin
    });
    Box::new(All { conversations: Vec::new(), begin: begin.collect() })
}
