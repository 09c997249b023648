//! Requests out, replies in: JavaScript carries them, and nothing in here waits for it.

use http::{HeaderMap, StatusCode, header::RETRY_AFTER};
use secretfig_source::async_trait;
use secretfig_source::protocol::{Http, HttpError, HttpFault, Limits, Reply, Request};
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use zeroize::Zeroizing;

/// The client of the edge: what is sent waits here until JavaScript takes it, and its reply is brought.
#[derive(Clone, Default)]
pub(crate) struct Wire(Arc<Mutex<Slots>>);

#[derive(Default)]
struct Slots {
    made: u32,
    out: Vec<Sending>,
    back: Vec<(u32, Result<Reply, HttpError>)>,
}

/// A request to be carried.
pub(crate) struct Sending {
    pub(crate) id: u32,
    pub(crate) request: Request,
    pub(crate) limits: Limits,
}

impl Wire {
    fn slots(&self) -> MutexGuard<'_, Slots> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What was sent since this was last asked.
    pub(crate) fn take(&self) -> Vec<Sending> {
        std::mem::take(&mut self.slots().out)
    }

    /// A whole reply. `retry_after` in seconds; negative, or no number: there was none.
    pub(crate) fn reply(&self, id: u32, status: u16, retry_after: f64, body: Zeroizing<Vec<u8>>) {
        let reply =
            StatusCode::from_u16(status).map_err(|_| HttpError::new(HttpFault::Transport)).map(|status| {
                let mut headers = HeaderMap::new();
                if retry_after >= 0.0 {
                    // a float's cast saturates
                    headers.insert(RETRY_AFTER, (retry_after as u32).into());
                }
                Reply::new(status, headers, body)
            });
        self.slots().back.push((id, reply));
    }

    /// No whole reply came.
    pub(crate) fn failed(&self, id: u32, fault: HttpFault) {
        self.slots().back.push((id, Err(HttpError::new(fault))));
    }
}

#[async_trait]
impl Http for Wire {
    async fn send(&self, request: Request, limits: Limits) -> Result<Reply, HttpError> {
        let id = {
            let mut slots = self.slots();
            slots.made = slots.made.wrapping_add(1);
            let id = slots.made;
            slots.out.push(Sending { id, request, limits });
            id
        };
        Sent { wire: self, id }.await
    }
}

/// On its way. Who is polled again has its reply, or waits for another one's.
struct Sent<'w> {
    wire: &'w Wire,
    id: u32,
}

impl Future for Sent<'_> {
    type Output = Result<Reply, HttpError>;

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Self::Output> {
        let back = &mut self.wire.slots().back;
        match back.iter().position(|(id, _)| *id == self.id) {
            Some(at) => Poll::Ready(back.swap_remove(at).1),
            None => Poll::Pending,
        }
    }
}

/// Given up: its reply, should one come, is nobody's.
impl Drop for Sent<'_> {
    fn drop(&mut self) {
        let mut slots = self.wire.slots();
        slots.out.retain(|sending| sending.id != self.id);
        slots.back.retain(|(id, _)| *id != self.id);
    }
}
