//! The task that keeps a configuration fresh: the only thing this crate ever spawns.

use crate::health::Refresher;
use crate::leases::{give_all_back, tend};
use crate::refresh::{Erased, Which, round};
use crate::runtime;
use crate::waiting::{self, Any};
use secretfig_source::Tick;
use std::collections::BTreeMap;
use std::fmt;
use std::panic::Location;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;
use tokio::sync::Notify;

/// Keeps a configuration fresh for as long as it lives: [`Config::keep_fresh`](crate::Config::keep_fresh).
///
/// Dropping the last one ends the task and logs that it did; [`Keeper::shutdown`] ends it in order.
#[must_use = "the configuration is kept fresh only as long as the Keeper lives"]
pub struct Keeper {
    task: Arc<Task>,
}

/// The one task of a configuration, if there is one.
#[derive(Default)]
pub(crate) struct Slot(Mutex<Weak<Task>>);

struct Task {
    config: Arc<dyn Erased>,
    abort: tokio::task::AbortHandle,
    shared: Arc<State>,
    place: &'static Location<'static>,
}

#[derive(Default)]
struct State {
    stop: Notify,
    ended: Notify,
    phase: AtomicU8,
    rounds: AtomicU64,
    shut: AtomicBool,
}

const RUNNING: u8 = 0;
const ENDED: u8 = 1;

/// Between two rounds that a source's own news began: a source that cries without end costs no more than this.
const BREATH: Duration = Duration::from_millis(100);

/// Before a source is listened to again whose listening has panicked.
const DEAF: Duration = Duration::from_secs(60);

impl Slot {
    pub(crate) fn keep(&self, config: Arc<dyn Erased>, place: &'static Location<'static>) -> Keeper {
        let mut slot = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(task) = slot.upgrade().filter(|task| task.shared.phase.load(Ordering::Acquire) == RUNNING)
        {
            return Keeper { task };
        }
        let shared = Arc::new(State::default());
        // readers trust the view from here on, so it is brought up to date first
        config.flip();
        config.kept(true);
        let guard = Kept { config: config.clone(), shared: shared.clone() };
        let handle = tokio::spawn(run(config.clone(), shared.clone(), guard));
        let task = Arc::new(Task { config, abort: handle.abort_handle(), shared, place });
        *slot = Arc::downgrade(&task);
        Keeper { task }
    }

    pub(crate) fn state(&self) -> Refresher {
        let slot = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match slot.upgrade() {
            None => Refresher::Absent,
            Some(task) if task.shared.phase.load(Ordering::Acquire) == RUNNING => Refresher::Running,
            Some(task) if task.shared.shut.load(Ordering::Acquire) => Refresher::Absent,
            Some(_) => Refresher::Dead,
        }
    }
}

/// Clears the flag that readers trust, on any way out of the task: end, abort or panic.
struct Kept {
    config: Arc<dyn Erased>,
    shared: Arc<State>,
}

impl Drop for Kept {
    fn drop(&mut self) {
        if std::thread::panicking() {
            tracing::error!(
                target: "secretfig",
                "the refresher panicked and has ended, and nothing is refreshed any more: call `keep_fresh()` again, and look at what the panic itself has said"
            );
        }
        self.config.kept(false);
        self.shared.phase.store(ENDED, Ordering::Release);
        self.shared.ended.notify_waiters();
    }
}

/// What the task waits for.
enum Event {
    Stop,
    Woken,
    Look(Which),
    /// Listening to that source has panicked.
    Deaf(usize),
}

async fn run(config: Arc<dyn Erased>, shared: Arc<State>, _guard: Kept) {
    let asking = config.asking().clone();
    let sources = &asking.plan.sources;
    // until when a source is not listened to
    let mut deaf: BTreeMap<usize, Tick> = BTreeMap::new();
    loop {
        let now = asking.clock.tick();
        let wake = config.next_wake().min(config.next_chore()).since(now);
        // far moments are capped: a timer wheel has an end
        let wake = wake.min(Duration::from_secs(24 * 3600));
        let mut events: Vec<Any<'_, Event>> = vec![
            Box::pin(async {
                shared.stop.notified().await;
                Event::Stop
            }),
            // someone else published: what ends next may end earlier
            Box::pin(async {
                asking.woken.notified().await;
                Event::Woken
            }),
            Box::pin(async {
                runtime::sleep(wake).await;
                Event::Look(Which::Kept)
            }),
        ];
        for (n, named) in sources.iter().enumerate() {
            let wait = deaf.get(&n).map_or(Duration::ZERO, |until| until.since(now));
            events.push(Box::pin(async move {
                if !wait.is_zero() {
                    runtime::sleep(wait).await;
                }
                match named.source.changed().await {
                    true => Event::Look(Which::Source(n)),
                    false => Event::Deaf(n),
                }
            }));
        }
        let which = match waiting::first(events).await {
            Event::Stop => return,
            Event::Woken => continue,
            Event::Look(which) => which,
            // what it had to say may be lost: it is looked at
            Event::Deaf(n) => {
                deaf.insert(n, asking.clock.tick().after(DEAF));
                Which::Source(n)
            }
        };
        // a slow answer to one holds up no other
        flipping(&*config, waiting::both(tend(&*config), round(&*config, which))).await;
        shared.rounds.fetch_add(1, Ordering::Relaxed);
        if which != Which::Kept {
            let stopped = runtime::within(BREATH, shared.stop.notified()).await;
            if stopped.is_some() {
                return;
            }
        }
    }
}

/// Waits for that work, and flips meanwhile what comes to its end: a lease ends also while a manager is silent.
async fn flipping<F: Future + Send>(config: &dyn Erased, work: F) {
    let clock = &config.asking().clock;
    let mut work = pin!(work);
    loop {
        // what is due by now waits for the next turn; what ends does not
        let wake = config.next_wake().since(clock.tick()).clamp(BREATH, Duration::from_secs(24 * 3600));
        let events: Vec<Any<'_, bool>> = vec![
            Box::pin(async {
                work.as_mut().await;
                true
            }),
            Box::pin(async {
                runtime::sleep(wake).await;
                false
            }),
        ];
        if waiting::first(events).await {
            return;
        }
        config.flip();
    }
}

impl Keeper {
    /// Ends the task, gives every lease back, closes the sources, and returns after `limit` at the latest. What could
    /// not be given back in that time is logged; it ends by itself.
    ///
    /// Call it when nothing reads any more, after the server has drained: a value whose lease is given back does not work
    /// any more, and its section is withheld.
    pub async fn shutdown(self, limit: Duration) {
        let shared = self.task.shared.clone();
        let began = self.task.config.asking().clock.tick();
        shared.shut.store(true, Ordering::Release);
        let ended = shared.ended.notified();
        shared.stop.notify_one();
        if shared.phase.load(Ordering::Acquire) == RUNNING && runtime::within(limit, ended).await.is_none() {
            self.task.abort.abort();
        }
        let asking = self.task.config.asking();
        let leases = self.task.config.surrender();
        let left = limit.saturating_sub(asking.clock.tick().since(began));
        give_all_back(asking, leases, left).await;
        let left = limit.saturating_sub(asking.clock.tick().since(began));
        let sources = &asking.plan.sources;
        let closing = waiting::all(sources.iter().map(|named| named.source.close(left)), usize::MAX);
        let _ = runtime::within(left, closing).await;
    }

    /// How many rounds it has made.
    pub fn rounds(&self) -> u64 {
        self.task.shared.rounds.load(Ordering::Relaxed)
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        self.abort.abort();
        if self.shared.shut.load(Ordering::Acquire) {
            return;
        }
        let leases = self.config.leases_out();
        if !leases.is_empty() {
            tracing::warn!(
                target: "secretfig",
                secrets = leases.join(", "),
                "the Keeper was dropped, and leases are out: they end by themselves; `shutdown` gives them back"
            );
        }
        if self.shared.rounds.load(Ordering::Relaxed) == 0 {
            tracing::error!(
                target: "secretfig",
                at = %self.place,
                "the Keeper was dropped before its first refresh: bind it to a name for as long as the process runs"
            );
        } else {
            tracing::info!(target: "secretfig", "the Keeper was dropped; nothing is refreshed any more");
        }
    }
}

impl fmt::Debug for Keeper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keeper").field("rounds", &self.rounds()).finish_non_exhaustive()
    }
}
