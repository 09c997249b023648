//! Calls that several callers share.
//!
//! A flight is a future without a task of its own: whoever waits for it polls it, and it lives as long as one of them does.
//! So a caller that gives up takes nothing from the others, and the last one to give up leaves nothing behind.

use crate::waiting::Any;
use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, TryLockError, Weak};
use std::task::{Context, Poll, Wake, Waker};

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One call under way.
pub(crate) struct Flight<T> {
    /// When it began, by the stamp counter.
    pub(crate) started: u64,
    future: Mutex<Option<Any<'static, T>>>,
    landed: OnceLock<T>,
    waiters: Arc<Waiters>,
}

/// Who is woken when the call moves: all, since who polled last may be gone by then.
struct Waiters {
    wakers: Mutex<(u64, BTreeMap<u64, Waker>)>,
    /// Whether the call has something to do: a thousand who wait poll it once, not a thousand times.
    moved: AtomicBool,
}

impl Waiters {
    fn wake_all(&self) {
        let wakers: Vec<Waker> = lock(&self.wakers).1.values().cloned().collect();
        wakers.into_iter().for_each(Waker::wake);
    }
}

impl Wake for Waiters {
    fn wake(self: Arc<Self>) {
        self.moved.store(true, Ordering::SeqCst);
        self.wake_all();
    }
}

impl<T> Flight<T> {
    pub(crate) fn new(started: u64, future: Any<'static, T>) -> Arc<Self> {
        let wakers = Mutex::new((0, BTreeMap::new()));
        let waiters = Arc::new(Waiters { wakers, moved: AtomicBool::new(true) });
        Arc::new(Self { started, future: Mutex::new(Some(future)), landed: OnceLock::new(), waiters })
    }

    /// What it brought, once someone's wait has ended.
    pub(crate) fn brought(&self) -> Option<&T> {
        self.landed.get()
    }

    /// Polls the call, if it has something to do and nobody else is at it.
    fn drive(&self) {
        loop {
            let mut future = match self.future.try_lock() {
                Ok(future) => future,
                Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
                // whoever is at it wakes everyone when it lands, and looks again if it moves meanwhile
                Err(TryLockError::WouldBlock) => return,
            };
            let Some(call) = future.as_mut().filter(|_| self.waiters.moved.swap(false, Ordering::SeqCst))
            else {
                return;
            };
            let waker = Waker::from(self.waiters.clone());
            if let Poll::Ready(output) = call.as_mut().poll(&mut Context::from_waker(&waker)) {
                *future = None;
                drop(future);
                let _ = self.landed.set(output);
                self.waiters.wake_all();
                return;
            }
            drop(future);
            // it moved while it was polled, and those who were woken for it may have found it locked
            if !self.waiters.moved.load(Ordering::SeqCst) {
                return;
            }
        }
    }
}

/// One caller's wait for a flight.
pub(crate) struct Joined<T> {
    flight: Arc<Flight<T>>,
    id: Option<u64>,
}

impl<T> Joined<T> {
    pub(crate) fn new(flight: Arc<Flight<T>>) -> Self {
        Self { flight, id: None }
    }
}

impl<T> Future for Joined<T> {
    type Output = Arc<Flight<T>>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        // known to those who wake before it looks, or what lands between the two is missed
        let mut wakers = lock(&self.flight.waiters.wakers);
        let id = self.id.unwrap_or_else(|| {
            wakers.0 += 1;
            wakers.0
        });
        wakers.1.insert(id, context.waker().clone());
        drop(wakers);
        self.id = Some(id);
        self.flight.drive();
        match self.flight.landed.get() {
            Some(_) => Poll::Ready(self.flight.clone()),
            None => Poll::Pending,
        }
    }
}

impl<T> Drop for Joined<T> {
    fn drop(&mut self) {
        if let Some(id) = self.id {
            lock(&self.flight.waiters.wakers).1.remove(&id);
        }
    }
}

/// The flights under way, by what is asked for; one flight may bring the answers of several.
pub(crate) struct Flights<K, T>(Mutex<BTreeMap<K, Known<T>>>);

/// A seat on a flight that lives as long as someone waits for it.
type Known<T> = (Weak<Flight<T>>, usize);

impl<K, T> Default for Flights<K, T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

/// One key's flight, and which of its answers is the key's.
pub(crate) type Seat<T> = (Arc<Flight<T>>, usize);

impl<K: Ord + Clone, T> Flights<K, T> {
    /// A seat for each key: on the flight that is under way, else on a new one. `begin` makes flights for all keys that have
    /// none, and answers with a seat for each of those, in order.
    pub(crate) fn board(&self, keys: &[K], begin: impl FnOnce(&[K]) -> Vec<Seat<T>>) -> Vec<(K, Seat<T>)> {
        let mut flying = lock(&self.0);
        // what has landed is not news for whoever comes after
        flying.retain(|_, (flight, _)| flight.upgrade().is_some_and(|flight| flight.brought().is_none()));
        let under_way = |key: &K| {
            let (flight, seat) = flying.get(key)?;
            Some((key.clone(), (flight.upgrade()?, *seat)))
        };
        let mut seats: Vec<(K, Seat<T>)> = keys.iter().filter_map(under_way).collect();
        let left: Vec<K> =
            keys.iter().filter(|key| !seats.iter().any(|(taken, _)| taken == *key)).cloned().collect();
        if !left.is_empty() {
            let begun = begin(&left);
            for (key, seat) in left.into_iter().zip(begun) {
                flying.insert(key.clone(), (Arc::downgrade(&seat.0), seat.1));
                seats.push((key, seat));
            }
        }
        seats
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicUsize;
    use std::time::Duration;

    struct Alive(Arc<AtomicUsize>);

    impl Drop for Alive {
        fn drop(&mut self) {
            self.0.fetch_sub(1, Ordering::SeqCst);
        }
    }

    /// A call of a second that counts how often it was made, and how many are alive.
    fn calls(made: &Arc<AtomicUsize>, alive: &Arc<AtomicUsize>) -> Any<'static, u32> {
        made.fetch_add(1, Ordering::SeqCst);
        alive.fetch_add(1, Ordering::SeqCst);
        let alive = Alive(alive.clone());
        Box::pin(async move {
            tokio::time::sleep(Duration::from_secs(1)).await;
            drop(alive);
            7
        })
    }

    async fn wait(
        flights: Arc<Flights<u8, u32>>,
        made: Arc<AtomicUsize>,
        alive: Arc<AtomicUsize>,
    ) -> Option<u32> {
        let seats = flights.board(&[1], |_| vec![(Flight::new(1, calls(&made, &alive)), 0)]);
        let (_, (flight, _)) = seats.into_iter().next()?;
        Joined::new(flight).await.brought().copied()
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_gives_up_takes_nothing_from_the_others_and_leaves_nothing() {
        let (flights, made, alive) = (Arc::new(Flights::default()), Arc::default(), Arc::default());
        let waits = || tokio::spawn(wait(flights.clone(), Arc::clone(&made), Arc::clone(&alive)));
        let first = waits();
        let others: Vec<_> = (0..1000).map(|_| waits()).collect();
        tokio::time::sleep(Duration::from_millis(500)).await;
        first.abort();
        for other in others {
            assert_eq!(other.await.unwrap(), Some(7));
        }
        assert_eq!((made.load(Ordering::SeqCst), alive.load(Ordering::SeqCst)), (1, 0));
        // it has landed: the next one flies anew
        assert_eq!(waits().await.unwrap(), Some(7));
        assert_eq!(made.load(Ordering::SeqCst), 2);

        let all: Vec<_> = (0..10).map(|_| waits()).collect();
        tokio::time::sleep(Duration::from_millis(500)).await;
        assert_eq!(alive.load(Ordering::SeqCst), 1);
        all.iter().for_each(tokio::task::JoinHandle::abort);
        for one in all {
            assert!(one.await.is_err());
        }
        assert_eq!((made.load(Ordering::SeqCst), alive.load(Ordering::SeqCst)), (3, 0));
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn on_many_threads_nobody_is_forgotten() {
        for _ in 0..50 {
            let flights: Arc<Flights<u8, u32>> = Arc::default();
            let waits = (0..64).map(|_| {
                let flights = flights.clone();
                tokio::spawn(async move {
                    let call = || -> Any<'static, u32> {
                        Box::pin(async {
                            for _ in 0..20 {
                                tokio::task::yield_now().await;
                            }
                            7
                        })
                    };
                    let seats = flights.board(&[1], |_| vec![(Flight::new(1, call()), 0)]);
                    let (_, (flight, _)) = seats.into_iter().next()?;
                    Joined::new(flight).await.brought().copied()
                })
            });
            let waits: Vec<_> = waits.collect();
            for one in waits {
                let limit = Duration::from_secs(20);
                assert_eq!(tokio::time::timeout(limit, one).await.unwrap().unwrap(), Some(7));
            }
        }
    }
}
