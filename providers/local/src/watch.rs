//! Learning by itself that the store was replaced: `notify` on its folder, debounced.
//!
//! ```text
//!  notify's thread ──(an event at the store)──▶ a counter ──▶ changed(): quiet for 50 ms? ─▶ ends
//! ```
//!
//! The folder is watched, not the file: a store is replaced by rename, and a watch on the file would
//! stay with the old one. Nothing is spawned on the runtime: the waiting and the debouncing happen
//! inside `changed()`, so dropping it leaves nothing behind.

use notify::event::{AccessKind, AccessMode};
use notify::{Config, Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::timeout;

/// A burst of events is over when nothing came for this long.
const QUIET: Duration = Duration::from_millis(50);

/// A burst that does not end is told after this long.
const AT_MOST: Duration = Duration::from_millis(500);

/// The link that Kubernetes swaps when a mounted store changes.
const DATA: &str = "..data";

pub(crate) struct Watch {
    events: watch::Sender<u64>,
    told: AtomicU64,
    armed: AtomicBool,
    machine: Arc<Machine>,
}

#[derive(Default)]
struct Machine {
    slot: Mutex<Slot>,
    interest: Arc<RwLock<BTreeSet<PathBuf>>>,
    warned: Arc<AtomicBool>,
}

#[derive(Default)]
enum Slot {
    #[default]
    Idle,
    On(RecommendedWatcher),
    /// It cannot be had, or the source is closed.
    Off,
}

impl Watch {
    pub(crate) fn new() -> Self {
        Self {
            events: watch::Sender::new(0),
            told: AtomicU64::new(0),
            armed: AtomicBool::new(false),
            machine: Arc::default(),
        }
    }

    /// Ends when the file at this path may be another one since this was last told. For one waiter at
    /// a time.
    ///
    /// The first call ends for nothing once the watch stands, because the file may have changed after
    /// the caller had read it and before the watcher saw it.
    pub(crate) async fn changed(&self, store: &Path) {
        let mut events = self.events.subscribe();
        if !self.armed.load(Ordering::Acquire) {
            if !self.arm(store).await {
                // the ttl still works
                return std::future::pending().await;
            }
            self.armed.store(true, Ordering::Release);
            return;
        }
        loop {
            if *events.borrow_and_update() != self.told.load(Ordering::Acquire) {
                let burst =
                    async { while timeout(QUIET, events.changed()).await.is_ok_and(|e| e.is_ok()) {} };
                let _ = timeout(AT_MOST, burst).await;
                let seen = *events.borrow_and_update();
                // a link may lead elsewhere by now; before it is told, so that no change goes unseen
                self.arm(store).await;
                self.told.store(seen, Ordering::Release);
                return;
            }
            if events.changed().await.is_err() {
                return std::future::pending().await;
            }
        }
    }

    /// Ends the watcher; `changed` never ends from now on.
    pub(crate) fn close(&self) {
        *self.machine.slot.lock().unwrap_or_else(PoisonError::into_inner) = Slot::Off;
    }

    /// Watches the folders of this store too. Says whether there is a watcher.
    async fn arm(&self, store: &Path) -> bool {
        let (machine, events, store) = (self.machine.clone(), self.events.clone(), store.to_owned());
        tokio::task::spawn_blocking(move || machine.arm(&store, events)).await.unwrap_or(false)
    }
}

impl Machine {
    fn arm(&self, store: &Path, events: watch::Sender<u64>) -> bool {
        let mut slot = self.slot.lock().unwrap_or_else(PoisonError::into_inner);
        if matches!(*slot, Slot::Idle) {
            *slot = match self.start(events) {
                Ok(watcher) => Slot::On(watcher),
                Err(error) => {
                    warn(&self.warned, &error);
                    Slot::Off
                }
            };
        }
        let Slot::On(watcher) = &mut *slot else { return false };
        let interest = places(store);
        let folders: BTreeSet<_> = interest.iter().filter_map(|path| path.parent()).collect();
        for folder in folders {
            if let Err(error) = watcher.watch(folder, RecursiveMode::NonRecursive) {
                warn(&self.warned, &error);
            }
        }
        *self.interest.write().unwrap_or_else(PoisonError::into_inner) = interest;
        true
    }

    fn start(&self, events: watch::Sender<u64>) -> notify::Result<RecommendedWatcher> {
        let (interest, warned) = (self.interest.clone(), self.warned.clone());
        let handler = move |event: notify::Result<Event>| {
            let matters = match &event {
                Ok(event) => matters(event, &interest.read().unwrap_or_else(PoisonError::into_inner)),
                // the watcher lost sight of something: that may have been a change
                Err(error) => {
                    warn(&warned, error);
                    true
                }
            };
            if matters {
                events.send_modify(|count| *count += 1);
            }
        };
        RecommendedWatcher::new(handler, Config::default().with_follow_symlinks(false))
    }
}

fn matters(event: &Event, interest: &BTreeSet<PathBuf>) -> bool {
    match event.kind {
        EventKind::Access(AccessKind::Close(AccessMode::Write)) => {}
        // reading, which we do ourselves
        EventKind::Access(_) => return false,
        _ => {}
    }
    event.need_rescan() || event.paths.iter().any(|path| interest.contains(path))
}

/// The entries of folders whose change may bring another store: the store, where a link at its place
/// leads to, and what Kubernetes swaps beside either. All without links on the way, as events tell
/// them.
fn places(store: &Path) -> BTreeSet<PathBuf> {
    let target = fs::canonicalize(store).ok();
    let named = store.parent().and_then(|parent| fs::canonicalize(parent).ok());
    let named = named.zip(store.file_name()).map(|(parent, name)| parent.join(name));
    let both = [named, target].into_iter().flatten();
    both.flat_map(|path| [path.with_file_name(DATA), path]).collect()
}

/// Says once why the store is not watched, in our words: the text of the error may name anything.
fn warn(warned: &AtomicBool, error: &notify::Error) {
    use notify::ErrorKind;
    let why = match &error.kind {
        // told of by `fetch`
        ErrorKind::PathNotFound => return,
        ErrorKind::Io(e) if e.kind() == std::io::ErrorKind::NotFound => return,
        ErrorKind::MaxFilesWatch => "the limit `fs.inotify.max_user_watches` is reached",
        ErrorKind::Io(e) if e.kind() == std::io::ErrorKind::PermissionDenied => "its folder cannot be read",
        ErrorKind::Io(_) => "the system gives no watcher; look at `fs.inotify.max_user_instances`",
        _ => "the system gives no watcher",
    };
    if !warned.swap(true, Ordering::Relaxed) {
        tracing::warn!(
            source = crate::error::SCHEME,
            why,
            "the store is not watched; it is looked at when its ttl is over"
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use notify::event::{CreateKind, DataChange, ModifyKind, RenameMode};

    #[test]
    fn what_matters() {
        let interest = BTreeSet::from(["/app/secrets.age".into(), "/app/..data".into()]);
        let modify = EventKind::Modify(ModifyKind::Data(DataChange::Any));
        let swap = EventKind::Modify(ModifyKind::Name(RenameMode::To));
        for (kind, path, want) in [
            (swap, "/app/secrets.age", true),
            (modify, "/app/secrets.age", true),
            (swap, "/app/..data", true),
            (EventKind::Create(CreateKind::File), "/app/secrets.age", true),
            (EventKind::Access(AccessKind::Close(AccessMode::Write)), "/app/secrets.age", true),
            (EventKind::Access(AccessKind::Close(AccessMode::Read)), "/app/secrets.age", false),
            (modify, "/app/app.log", false),
            (swap, "/app/secrets.age.recipients", false),
        ] {
            assert_eq!(matters(&Event::new(kind).add_path(path.into()), &interest), want, "{kind:?} {path}");
        }
        let lost = Event::new(EventKind::Other).set_flag(notify::event::Flag::Rescan);
        assert!(matters(&lost, &interest), "an overflow may hide a change");
    }
}
