//! Waiting without an executor: hand-kept wakers, so that no runtime and no timer is needed.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

/// Locks; a test that panicked while it held the lock does not make the others fail too.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Wakers of whoever waits.
#[derive(Default)]
pub(super) struct Waiting(Vec<Waker>);

impl Waiting {
    pub(super) fn add(&mut self, waker: &Waker) {
        if !self.0.iter().any(|known| known.will_wake(waker)) {
            self.0.push(waker.clone());
        }
    }

    pub(super) fn take(&mut self) -> Vec<Waker> {
        std::mem::take(&mut self.0)
    }
}

/// Notices that are never lost: one that comes while nobody waits is kept for whoever waits next.
#[derive(Default)]
pub(super) struct Notices(Mutex<Count>);

#[derive(Default)]
struct Count {
    given: u64,
    waiting: usize,
    kept: bool,
    wakers: Waiting,
}

impl Notices {
    /// Ends every wait that is under way, or the next one.
    pub(super) fn give(&self) {
        let mut count = lock(&self.0);
        count.given += 1;
        count.kept |= count.waiting == 0;
        let wakers = count.wakers.take();
        drop(count);
        wakers.into_iter().for_each(Waker::wake);
    }

    /// Waits for a notice.
    pub(super) fn wait(&self) -> Notice<'_> {
        Notice { notices: self, since: None }
    }
}

pub(super) struct Notice<'a> {
    notices: &'a Notices,
    /// How many had been given when this wait began; `None` before that and after its end.
    since: Option<u64>,
}

impl Future for Notice<'_> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let mut count = lock(&self.notices.0);
        let over = match self.since {
            Some(since) => count.given != since,
            None => std::mem::take(&mut count.kept),
        };
        match (over, self.since) {
            (true, began) => {
                count.waiting -= usize::from(began.is_some());
                drop(count);
                self.since = None;
                Poll::Ready(())
            }
            (false, began) => {
                count.waiting += usize::from(began.is_none());
                count.wakers.add(cx.waker());
                let given = count.given;
                drop(count);
                self.since = Some(given);
                Poll::Pending
            }
        }
    }
}

impl Drop for Notice<'_> {
    fn drop(&mut self) {
        if let Some(since) = self.since {
            let mut count = lock(&self.notices.0);
            count.waiting -= 1;
            // woken, and dropped before it could say so: the next wait gets it
            count.kept |= count.given != since && count.waiting == 0;
        }
    }
}
