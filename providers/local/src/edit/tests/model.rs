//! Two disks: one on which a chosen step fails, and one on which the power is cut.

use super::*;
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::fs::File;
use std::io;

/// The machine's own disk, on which one step fails.
pub(super) struct Failing {
    left: Cell<usize>,
    pub(super) failed: Cell<bool>,
}

impl Failing {
    /// After this many steps that succeed.
    pub(super) fn after(steps: usize) -> Self {
        Self { left: Cell::new(steps), failed: Cell::new(false) }
    }

    fn step(&self) -> io::Result<()> {
        if self.failed.get() {
            return Ok(());
        }
        match self.left.get().checked_sub(1) {
            Some(left) => {
                self.left.set(left);
                Ok(())
            }
            None => {
                self.failed.set(true);
                Err(io::Error::new(io::ErrorKind::StorageFull, "marker-of-a-foreign-text"))
            }
        }
    }
}

impl Disk for Failing {
    type File = File;

    fn create(&self, path: &Path, mode: u32) -> io::Result<File> {
        self.step().and_then(|()| Real.create(path, mode))
    }
    fn write(&self, file: &mut File, bytes: &[u8]) -> io::Result<()> {
        // as a full disk does: some of it was written
        let failed = self.step();
        let some = if failed.is_ok() { bytes } else { &bytes[..bytes.len() / 2] };
        Real.write(file, some).and(failed)
    }
    fn permit(&self, file: &mut File, mode: u32) -> io::Result<()> {
        self.step().and_then(|()| Real.permit(file, mode))
    }
    fn sync(&self, file: &mut File) -> io::Result<()> {
        self.step().and_then(|()| Real.sync(file))
    }
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.step().and_then(|()| Real.rename(from, to))
    }
    fn publish(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.step().and_then(|()| Real.publish(from, to))
    }
    fn remove(&self, path: &Path) -> io::Result<()> {
        self.step().and_then(|()| Real.remove(path))
    }
    fn sync_folder(&self, folder: &Path) -> io::Result<()> {
        self.step().and_then(|()| Real.sync_folder(folder))
    }
}

/// One folder on a disk whose power is cut after so many steps. What was not synced by then may be
/// there, be torn, or be gone; what was done to the folder since its last sync may have happened, each
/// by itself, or not.
pub(super) struct Cut {
    state: RefCell<State>,
}

struct State {
    left: usize,
    inodes: Vec<Inode>,
    /// What a running program sees.
    now: BTreeMap<PathBuf, usize>,
    /// What is certain to survive.
    durable: BTreeMap<PathBuf, usize>,
    pending: Vec<Change>,
}

#[derive(Clone, Default)]
struct Inode {
    bytes: Vec<u8>,
    synced: Vec<u8>,
}

#[derive(Clone)]
enum Change {
    Name(PathBuf, usize),
    Rename(PathBuf, PathBuf, usize),
    Gone(PathBuf),
}

impl Change {
    fn make(&self, names: &mut BTreeMap<PathBuf, usize>) {
        match self {
            Change::Name(path, inode) => drop(names.insert(path.clone(), *inode)),
            Change::Rename(from, to, inode) => {
                names.insert(to.clone(), *inode);
                names.remove(from);
            }
            Change::Gone(path) => drop(names.remove(path)),
        }
    }
}

impl Cut {
    /// A disk that holds what a real folder does, until the power is cut after `steps`.
    pub(super) fn after(steps: usize, folder: &Path) -> Self {
        let (mut inodes, mut names) = (Vec::new(), BTreeMap::new());
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let bytes = fs::read(&path).unwrap();
            names.insert(path, inodes.len());
            inodes.push(Inode { synced: bytes.clone(), bytes });
        }
        let state = State { left: steps, inodes, now: names.clone(), durable: names, pending: Vec::new() };
        Self { state: RefCell::new(state) }
    }

    /// Every folder that a person may find when the power is back.
    pub(super) fn worlds(&self) -> Vec<BTreeMap<PathBuf, Vec<u8>>> {
        let state = self.state.borrow();
        let mut worlds = Vec::new();
        for chosen in 0..1_u32 << state.pending.len() {
            let mut names = state.durable.clone();
            let happened = state.pending.iter().enumerate().filter(|(n, _)| chosen >> n & 1 == 1);
            happened.for_each(|(_, change)| change.make(&mut names));
            for fate in ["whole", "torn", "gone"] {
                let world = names.iter().map(|(path, inode)| {
                    let Inode { bytes, synced } = &state.inodes[*inode];
                    let found = match fate {
                        _ if bytes == synced => bytes.clone(),
                        "whole" => bytes.clone(),
                        // as if the length had been written and only some blocks of the content
                        "torn" => bytes.iter().enumerate().map(|(n, b)| if n < 7 { *b } else { 0 }).collect(),
                        _ => synced.clone(),
                    };
                    (path.clone(), found)
                });
                worlds.push(world.collect());
            }
        }
        worlds
    }

    /// Whether the power is still on.
    pub(super) fn is_on(&self) -> bool {
        self.state.borrow().left > 0
    }

    fn step<T>(&self, step: impl FnOnce(&mut State) -> io::Result<T>) -> io::Result<T> {
        let mut state = self.state.borrow_mut();
        state.left = state.left.checked_sub(1).ok_or_else(|| io::Error::other("there is no power"))?;
        step(&mut state)
    }
}

impl State {
    fn change(&mut self, change: Change) {
        change.make(&mut self.now);
        self.pending.push(change);
    }

    fn at(&self, path: &Path) -> io::Result<usize> {
        self.now.get(path).copied().ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn free(&self, path: &Path) -> io::Result<()> {
        if self.now.contains_key(path) { Err(io::ErrorKind::AlreadyExists.into()) } else { Ok(()) }
    }
}

impl Disk for Cut {
    type File = usize;

    fn create(&self, path: &Path, _mode: u32) -> io::Result<usize> {
        self.step(|state| {
            state.free(path)?;
            let inode = state.inodes.len();
            state.inodes.push(Inode::default());
            state.change(Change::Name(path.to_owned(), inode));
            Ok(inode)
        })
    }
    fn write(&self, file: &mut usize, bytes: &[u8]) -> io::Result<()> {
        self.step(|state| {
            state.inodes[*file].bytes.extend_from_slice(bytes);
            Ok(())
        })
    }
    fn permit(&self, _file: &mut usize, _mode: u32) -> io::Result<()> {
        self.step(|_| Ok(()))
    }
    fn sync(&self, file: &mut usize) -> io::Result<()> {
        self.step(|state| {
            let inode = &mut state.inodes[*file];
            inode.synced = inode.bytes.clone();
            Ok(())
        })
    }
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.step(|state| {
            let inode = state.at(from)?;
            state.change(Change::Rename(from.to_owned(), to.to_owned(), inode));
            Ok(())
        })
    }
    fn publish(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.step(|state| {
            let inode = state.at(from)?;
            state.free(to)?;
            state.change(Change::Name(to.to_owned(), inode));
            state.change(Change::Gone(from.to_owned()));
            Ok(())
        })
    }
    fn remove(&self, path: &Path) -> io::Result<()> {
        self.step(|state| {
            state.at(path)?;
            state.change(Change::Gone(path.to_owned()));
            Ok(())
        })
    }
    fn sync_folder(&self, _folder: &Path) -> io::Result<()> {
        self.step(|state| {
            let pending = std::mem::take(&mut state.pending);
            pending.iter().for_each(|change| change.make(&mut state.durable));
            Ok(())
        })
    }
}
