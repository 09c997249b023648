//! Requests out, replies in: JavaScript carries them, and nothing in here waits for it.

use http::StatusCode;
use secretfig_source::Tick;
use secretfig_source::protocol::{HttpError, HttpFault, Now, Reply, Request};
use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::task::Poll;
use std::time::{Duration, SystemTime};

/// What came back for each request of a step, in their order.
pub(crate) type Replies = Vec<Result<Reply, HttpError>>;

/// Between one conversation and JavaScript.
pub(crate) struct Wire {
    // INVARIANT: never borrowed over a call of anything else, so that no two borrows meet
    slots: RefCell<Slots>,
    now: Cell<Now>,
    random: Cell<f64>,
}

#[derive(Default)]
struct Slots {
    out: Vec<Request>,
    back: Replies,
}

impl Wire {
    pub(crate) fn new() -> Self {
        let now = Now { tick: Tick::default(), wall: SystemTime::UNIX_EPOCH };
        Self { slots: RefCell::default(), now: Cell::new(now), random: Cell::new(0.0) }
    }

    /// It is that time now: milliseconds of `performance.now()` and of `Date.now()`; and a number of `Math.random()`.
    pub(crate) fn at(&self, tick: f64, wall: f64, random: f64) {
        let wall = SystemTime::UNIX_EPOCH.checked_add(millis(wall)).unwrap_or(SystemTime::UNIX_EPOCH);
        self.now.set(Now { tick: Tick::from_start(millis(tick)), wall });
        self.random.set(random);
    }

    /// The time of this step.
    pub(crate) fn now(&self) -> Now {
        self.now.get()
    }

    /// From 0 to 1: for jitter, which is no secret.
    pub(crate) fn random(&self) -> f64 {
        self.random.get()
    }

    /// What is to be carried. For each there is a place for what comes back, and until then none did.
    pub(crate) fn take(&self) -> Vec<Request> {
        let mut slots = self.slots.borrow_mut();
        let out = std::mem::take(&mut slots.out);
        slots.back = out.iter().map(|_| Err(HttpError::new(HttpFault::Transport))).collect();
        out
    }

    /// What came back for the request at that place of a step.
    pub(crate) fn reply(&self, at: usize, reply: Result<Reply, HttpError>) {
        if let Some(slot) = self.slots.borrow_mut().back.get_mut(at) {
            *slot = reply;
        }
    }

    /// Sends these, all at once. The next poll has the replies.
    pub(crate) async fn send(&self, requests: Vec<Request>) -> Replies {
        self.slots.borrow_mut().out = requests;
        let mut sent = false;
        poll_fn(|_| {
            if std::mem::replace(&mut sent, true) {
                Poll::Ready(std::mem::take(&mut self.slots.borrow_mut().back))
            } else {
                Poll::Pending
            }
        })
        .await
    }
}

/// JavaScript's time.
pub(crate) fn millis(time: f64) -> Duration {
    // a float's cast saturates, and NaN is zero
    Duration::from_micros((time * 1000.0) as u64)
}

/// Its status, where it is one that HTTP has.
pub(crate) fn status(status: u16) -> Result<StatusCode, HttpError> {
    StatusCode::from_u16(status).map_err(|_| HttpError::new(HttpFault::Transport))
}
