//! Learning by itself that a file moved: `notify` (inotify on Linux), debounced.
//!
//! ```text
//!  notify's thread ──(an event that matters)──▶ a counter ──▶ changed(): quiet for 50 ms? ─▶ ends
//! ```
//!
//! Nothing is spawned on the runtime: the waiting and the debouncing happen inside `changed()`, so
//! dropping it leaves nothing behind. An event is told once: the counter says how many there were,
//! `told` how many of them a caller has been woken for.

use crate::glance::DATA;
use notify::event::{AccessKind, AccessMode};
use notify::{Config, Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use std::collections::{BTreeMap, HashSet};
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

/// What is to be watched.
#[derive(Debug, Default)]
pub(crate) struct Places {
    /// With all below them.
    pub(crate) folders: Vec<PathBuf>,
    /// Alone.
    pub(crate) files: Vec<PathBuf>,
}

pub(crate) struct Watch {
    events: watch::Sender<u64>,
    told: AtomicU64,
    /// How often somebody wanted the places looked up again, and which of these was done last.
    wanted: AtomicU64,
    armed: AtomicU64,
    machine: Arc<Machine>,
}

#[derive(Default)]
struct Machine {
    slot: Mutex<Slot>,
    interest: Arc<RwLock<Interest>>,
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

/// Which paths matter, of all that the watched folders tell.
#[derive(Debug, Default, PartialEq, Eq)]
struct Interest {
    below: Vec<PathBuf>,
    exactly: HashSet<PathBuf>,
}

impl Watch {
    pub(crate) fn new() -> Self {
        Self {
            events: watch::Sender::new(0),
            told: AtomicU64::new(0),
            wanted: AtomicU64::new(1),
            armed: AtomicU64::new(0),
            machine: Arc::default(),
        }
    }

    /// Ends when something may have moved since this was last told. For one waiter at a time.
    ///
    /// `places` are looked up at the first call and after each event: folders may be others by then.
    /// Whenever new places have come under watch it ends once for nothing, because they may have
    /// changed after the caller had read them and before the watcher saw them.
    pub(crate) async fn changed(&self, places: impl Fn() -> Places) {
        let mut events = self.events.subscribe();
        loop {
            let wanted = self.wanted.load(Ordering::Acquire);
            if self.armed.load(Ordering::Acquire) != wanted {
                if !self.arm(places()).await {
                    // the ttl still works
                    return std::future::pending().await;
                }
                self.armed.store(wanted, Ordering::Release);
                return;
            }
            if *events.borrow_and_update() != self.told.load(Ordering::Acquire) {
                let burst =
                    async { while timeout(QUIET, events.changed()).await.is_ok_and(|e| e.is_ok()) {} };
                let _ = timeout(AT_MOST, burst).await;
                let seen = *events.borrow_and_update();
                // before it is told, so that no change after the caller's look goes unseen
                self.arm(places()).await;
                self.told.store(seen, Ordering::Release);
                return;
            }
            if events.changed().await.is_err() {
                return std::future::pending().await;
            }
        }
    }

    /// The places are others now; a waiter takes them up.
    pub(crate) fn look_again(&self) {
        self.wanted.fetch_add(1, Ordering::AcqRel);
        self.events.send_modify(|_| {});
    }

    /// Ends the watcher; `changed` never ends from now on.
    pub(crate) fn close(&self) {
        *self.machine.slot.lock().unwrap_or_else(PoisonError::into_inner) = Slot::Off;
    }

    /// Watches these places too. Says whether there is a watcher.
    async fn arm(&self, places: Places) -> bool {
        let (machine, events) = (self.machine.clone(), self.events.clone());
        let work = tokio::task::spawn_blocking(move || machine.arm(&places, events));
        work.await.unwrap_or(false)
    }
}

impl Machine {
    fn arm(&self, places: &Places, events: watch::Sender<u64>) -> bool {
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
        let (interest, folders) = plan(places);
        *self.interest.write().unwrap_or_else(PoisonError::into_inner) = interest;
        for (folder, recursive) in folders {
            let mode = if recursive { RecursiveMode::Recursive } else { RecursiveMode::NonRecursive };
            if let Err(error) = watcher.watch(&folder, mode) {
                warn(&self.warned, &error);
            }
        }
        true
    }

    fn start(&self, events: watch::Sender<u64>) -> notify::Result<RecommendedWatcher> {
        let (interest, warned) = (self.interest.clone(), self.warned.clone());
        let handler = move |event: notify::Result<Event>| {
            let matters = match &event {
                Ok(event) => interest.read().unwrap_or_else(PoisonError::into_inner).has(event),
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
        // Links are not followed: they may lead anywhere, and a swap is an event of its own folder.
        RecommendedWatcher::new(handler, Config::default().with_follow_symlinks(false))
    }
}

impl Interest {
    fn has(&self, event: &Event) -> bool {
        match event.kind {
            EventKind::Access(AccessKind::Close(AccessMode::Write)) => {}
            // reading, which we do ourselves
            EventKind::Access(_) => return false,
            _ => {}
        }
        event.need_rescan()
            || event.paths.iter().any(|path| {
                self.exactly.contains(path) || self.below.iter().any(|folder| path.starts_with(folder))
            })
    }
}

/// Which folders to watch (with all below: `true`), and what matters there.
///
/// All paths are without links, since two paths of one folder are one watch to inotify, and its
/// events carry the path that was given last.
fn plan(places: &Places) -> (Interest, BTreeMap<PathBuf, bool>) {
    let mut interest = Interest::default();
    let mut folders = BTreeMap::new();
    let mut entry = |path: &Path, interest: &mut Interest| {
        let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else { return };
        let Ok(parent) = fs::canonicalize(parent) else { return };
        interest.exactly.insert(parent.join(name));
        folders.entry(parent).or_insert(false);
    };
    for folder in &places.folders {
        // made, removed, or a link that is swapped
        entry(folder, &mut interest);
        interest.below.extend(fs::canonicalize(folder));
    }
    for file in &places.files {
        entry(file, &mut interest);
        entry(&file.with_file_name(DATA), &mut interest);
        if let Ok(target) = fs::canonicalize(file) {
            entry(&target, &mut interest);
            // the folder that Kubernetes swaps, wherever the links lead to
            for version in target.ancestors().filter(|p| crate::glance::is_version(p)) {
                entry(&version.with_file_name(DATA), &mut interest);
            }
        }
    }
    // a folder is watched one way: with all below wins
    folders.retain(|folder, _| !interest.below.iter().any(|root| folder.starts_with(root)));
    folders.extend(interest.below.iter().map(|root| (root.clone(), true)));
    (interest, folders)
}

/// Says once why files are not watched, in our words: the text of the error may name anything.
fn warn(warned: &AtomicBool, error: &notify::Error) {
    use notify::ErrorKind;
    let why = match &error.kind {
        // what is not there is watched for from the folder above, at the next event
        ErrorKind::PathNotFound => return,
        ErrorKind::Io(e) if e.kind() == std::io::ErrorKind::NotFound => return,
        // unreadable folders above ours are common (systemd's), and ours is told of by `fetch`
        ErrorKind::Io(e) if e.kind() == std::io::ErrorKind::PermissionDenied => return,
        ErrorKind::MaxFilesWatch => "the limit `fs.inotify.max_user_watches` is reached",
        ErrorKind::Io(_) => "the system gives no watcher; look at `fs.inotify.max_user_instances`",
        _ => "the system gives no watcher",
    };
    if !warned.swap(true, Ordering::Relaxed) {
        tracing::warn!(
            source = crate::error::SCHEME,
            why,
            "secret files are not watched; they are looked at when their ttl is over"
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use notify::event::{CreateKind, DataChange, ModifyKind, RenameMode};

    fn event(kind: EventKind, path: &str) -> Event {
        Event::new(kind).add_path(path.into())
    }

    #[test]
    fn what_matters() {
        let interest = Interest { below: vec!["/s".into()], exactly: HashSet::from(["/run/pw".into()]) };
        let modify = EventKind::Modify(ModifyKind::Data(DataChange::Any));
        let swap = EventKind::Modify(ModifyKind::Name(RenameMode::To));
        let written = EventKind::Access(AccessKind::Close(AccessMode::Write));
        for (kind, path, want) in [
            (modify, "/s/a/b", true),
            (swap, "/s/..data", true),
            (written, "/run/pw", true),
            (EventKind::Create(CreateKind::Folder), "/s", true),
            (modify, "/run/other", false),
            (modify, "/secret", false),
            (EventKind::Access(AccessKind::Open(AccessMode::Any)), "/s/a", false),
            (EventKind::Access(AccessKind::Close(AccessMode::Read)), "/s/a", false),
            (EventKind::Access(AccessKind::Read), "/s/a", false),
        ] {
            assert_eq!(interest.has(&event(kind, path)), want, "{kind:?} {path}");
        }
        let lost = Event::new(EventKind::Other).set_flag(notify::event::Flag::Rescan);
        assert!(interest.has(&lost), "an overflow may hide a change");
    }

    #[cfg(unix)]
    #[test]
    fn each_folder_is_watched_in_one_way() {
        let dir = tempfile::tempdir().unwrap();
        let base = fs::canonicalize(dir.path()).unwrap();
        fs::create_dir_all(base.join("k8s/..1")).unwrap();
        fs::write(base.join("k8s/..1/pw"), "x").unwrap();
        std::os::unix::fs::symlink("..1", base.join("k8s/..data")).unwrap();
        std::os::unix::fs::symlink("..data/pw", base.join("k8s/pw")).unwrap();
        std::os::unix::fs::symlink("k8s/pw", base.join("outer")).unwrap();

        // a file inside of a watched folder adds nothing
        let places = Places { folders: vec![base.join("k8s")], files: vec![base.join("k8s/pw")] };
        let (interest, folders) = plan(&places);
        assert_eq!(folders, BTreeMap::from([(base.clone(), false), (base.join("k8s"), true)]));
        assert!(interest.exactly.contains(&base.join("k8s")));

        // a link elsewhere to a file of a mount: the mount's own swap is seen
        let (interest, folders) = plan(&Places { folders: Vec::new(), files: vec![base.join("outer")] });
        assert!(interest.exactly.contains(&base.join("k8s/..data")));
        let want = [base.clone(), base.join("k8s"), base.join("k8s/..1")];
        assert_eq!(folders.into_keys().collect::<Vec<_>>(), want);
    }
}
