//! One decryption at a time, and none of them twice.
//!
//! A passphrase costs scrypt: seconds, and up to 1 GiB of memory. A call that is given up goes on all the same, since
//! no thread is stopped from outside. Were the next call to begin beside it, memory would pile up, and where each takes
//! longer than it may, none would ever come to its end. So a call waits for its turn, and finds what the one before
//! it has left:
//!
//! * a probe leaves what it had to decrypt to the fetch that follows it;
//! * a fetch leaves it if another waits, or if whoever asked has gone.
//!
//! Values live in the core's store and its snapshots only. What is left here is sealed, is taken out by the next fetch,
//! and else is dropped at the next look at another ciphertext, or after [`KEPT`].

use secretfig_source::Revision;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

/// How long something is left: long enough for who was given up to ask again.
pub(crate) const KEPT: Duration = Duration::from_secs(60);

/// Whose turn it is, and what is left.
pub(crate) struct Turns<T> {
    turn: Mutex<()>,
    waiting: AtomicUsize,
    left: Mutex<Option<Left<T>>>,
}

struct Left<T> {
    digest: Revision,
    what: Arc<T>,
}

/// Until it is dropped, it is the turn of whoever holds it. Held on a thread that may block, never over an await.
pub(crate) struct Turn<'t, T> {
    turns: &'t Turns<T>,
    _guard: MutexGuard<'t, ()>,
}

/// Whoever asked; gone when nobody waits for the answer any more.
pub(crate) struct Caller(Weak<()>);

impl<T> Turns<T> {
    pub(crate) fn new() -> Self {
        Self { turn: Mutex::default(), waiting: AtomicUsize::new(0), left: Mutex::new(None) }
    }

    /// Waits for its turn.
    pub(crate) fn wait(&self) -> Turn<'_, T> {
        self.waiting.fetch_add(1, Ordering::SeqCst);
        let guard = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        self.waiting.fetch_sub(1, Ordering::SeqCst);
        Turn { turns: self, _guard: guard }
    }

    /// Drops this, unless it was taken or another was left since.
    pub(crate) fn forget(&self, what: &Weak<T>) {
        self.left().take_if(|left| std::ptr::eq(Arc::as_ptr(&left.what), what.as_ptr()));
    }

    #[cfg(test)]
    pub(crate) fn are_waiting(&self, calls: usize) -> bool {
        self.waiting.load(Ordering::SeqCst) == calls
    }

    fn left(&self) -> MutexGuard<'_, Option<Left<T>>> {
        self.left.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Turn<'_, T> {
    /// Whether another call waits for its turn.
    pub(crate) fn is_awaited(&self) -> bool {
        self.turns.waiting.load(Ordering::SeqCst) > 0
    }

    /// Takes out what was left of this ciphertext. What is of another one is dropped.
    pub(crate) fn take(&self, digest: &Revision) -> Option<Arc<T>> {
        let left = self.turns.left().take();
        left.filter(|left| left.digest == *digest).map(|left| left.what)
    }

    /// Leaves it to the next one.
    pub(crate) fn leave(&self, digest: Revision, what: Arc<T>) {
        *self.turns.left() = Some(Left { digest, what });
    }
}

impl Caller {
    /// And what is to live for as long as somebody waits.
    pub(crate) fn new() -> (Self, Arc<()>) {
        let here = Arc::new(());
        (Self(Arc::downgrade(&here)), here)
    }

    pub(crate) fn is_gone(&self) -> bool {
        self.0.strong_count() == 0
    }
}
