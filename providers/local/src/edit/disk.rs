//! Writing a file in one step: every touch of the disk goes through [`Disk`], so that tests can fail
//! each, and cut the power after each.
//!
//! ```text
//!  create .secrets.age.new (0600) ─▶ write ─▶ permissions ─▶ sync ─▶ rename ─▶ sync the folder
//! ```
//!
//! At every moment the path holds the old file or the new one, whole.

use crate::error::Refusal;
use secretfig_source::{ErrorKind, Unavailable};
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

/// Readable and writable by its owner.
pub(crate) const PRIVATE: u32 = 0o600;
/// Whatever the umask leaves, as any file a person makes.
pub(crate) const USUAL: u32 = 0o666;

/// The steps.
pub(crate) trait Disk {
    /// An open file.
    type File;

    /// Makes a file with these permissions from its birth. Fails where there is one.
    fn create(&self, path: &Path, mode: u32) -> io::Result<Self::File>;
    /// Appends all of it.
    fn write(&self, file: &mut Self::File, bytes: &[u8]) -> io::Result<()>;
    /// Sets the permissions.
    fn permit(&self, file: &mut Self::File, mode: u32) -> io::Result<()>;
    /// Ends once the content would survive a power cut.
    fn sync(&self, file: &mut Self::File) -> io::Result<()>;
    /// Puts `from` in the place of `to`, whatever is there.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Puts `from` at the place of `to`, where nothing may be.
    fn publish(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Removes a file.
    fn remove(&self, path: &Path) -> io::Result<()>;
    /// Ends once what was made, renamed and removed in a folder would survive a power cut.
    fn sync_folder(&self, folder: &Path) -> io::Result<()>;
}

/// What a written file replaces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Over {
    /// Nothing: a file that is there is an error. With these permissions.
    Nothing(u32),
    /// A file, whose permissions stay.
    Old(u32),
}

/// A file that is in its place.
#[must_use]
pub(crate) struct Placed {
    /// Whether it would survive a power cut.
    durable: bool,
}

impl Placed {
    /// Refuses what the disk does not confirm.
    pub(crate) fn confirmed(self) -> Result<(), Refusal> {
        if self.durable { Ok(()) } else { Err(unconfirmed()) }
    }
}

/// Writes a file in one step, for good. Whoever calls it holds the lock of the folder.
pub(crate) fn write(disk: &impl Disk, path: &Path, bytes: &[u8], over: Over) -> Result<(), Refusal> {
    place(disk, path, bytes, over)?.confirmed()
}

/// The same. Where it is refused, the path is as it was before.
pub(crate) fn place(disk: &impl Disk, path: &Path, bytes: &[u8], over: Over) -> Result<Placed, Refusal> {
    let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(Refusal::new(ErrorKind::Misconfigured, "it has no file name"));
    };
    let mut new = std::ffi::OsString::from(".");
    new.push(name);
    new.push(".new");
    let new = folder.join(new);
    // left by a power cut: nobody else writes it, since the lock is ours
    if let Err(error) = disk.remove(&new)
        && error.kind() != io::ErrorKind::NotFound
    {
        return Err(error.into());
    }
    let placed = match over {
        Over::Nothing(mode) => fill(disk, &new, bytes, mode, None).and_then(|()| disk.publish(&new, path)),
        Over::Old(mode) => {
            fill(disk, &new, bytes, PRIVATE, Some(mode)).and_then(|()| disk.rename(&new, path))
        }
    };
    if let Err(error) = placed {
        // one that was never made cannot be removed
        let _ = disk.remove(&new);
        return Err(error.into());
    }
    Ok(Placed { durable: disk.sync_folder(folder).is_ok() })
}

fn fill(disk: &impl Disk, new: &Path, bytes: &[u8], birth: u32, mode: Option<u32>) -> io::Result<()> {
    let mut file = disk.create(new, birth)?;
    disk.write(&mut file, bytes)?;
    if let Some(mode) = mode {
        disk.permit(&mut file, mode)?;
    }
    disk.sync(&mut file)
}

/// Removes a file for good. One that is not there is removed.
pub(crate) fn remove(disk: &impl Disk, path: &Path) -> Result<(), Refusal> {
    match disk.remove(path) {
        Ok(()) => disk.sync_folder(path.parent().unwrap_or(path)).map_err(|_| unconfirmed()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error.into()),
    }
}

fn unconfirmed() -> Refusal {
    Refusal::new(
        ErrorKind::Unavailable(Unavailable::Failing),
        "it is written, but the disk does not confirm it: a power cut now may undo it; run the command again",
    )
}

/// The machine's own.
pub(crate) struct Real;

impl Disk for Real {
    type File = File;

    fn create(&self, path: &Path, mode: u32) -> io::Result<File> {
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, mode);
        #[cfg(not(unix))]
        let _ = mode;
        options.open(path)
    }

    fn write(&self, file: &mut File, bytes: &[u8]) -> io::Result<()> {
        file.write_all(bytes)
    }

    fn permit(&self, file: &mut File, mode: u32) -> io::Result<()> {
        #[cfg(unix)]
        return file.set_permissions(std::os::unix::fs::PermissionsExt::from_mode(mode));
        #[cfg(not(unix))]
        return {
            let _ = (file, mode);
            Ok(())
        };
    }

    fn sync(&self, file: &mut File) -> io::Result<()> {
        file.sync_all()
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn publish(&self, from: &Path, to: &Path) -> io::Result<()> {
        match fs::hard_link(from, to) {
            // its second name goes; were it to stay, the next write would remove it
            Ok(()) => {
                let _ = fs::remove_file(from);
                Ok(())
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Err(error),
            // a file system without links: we hold the lock, so only another program could come between
            Err(_) if fs::symlink_metadata(to).is_ok() => Err(io::ErrorKind::AlreadyExists.into()),
            Err(_) => fs::rename(from, to),
        }
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    fn sync_folder(&self, folder: &Path) -> io::Result<()> {
        // other systems open no folder as a file, and write its entries through
        #[cfg(unix)]
        return File::open(folder)?.sync_all();
        #[cfg(not(unix))]
        return {
            let _ = folder;
            Ok(())
        };
    }
}

/// The lock of a folder, until it is dropped.
pub(crate) struct Held {
    _file: File,
}

/// How long a lock is waited for: the longest honest change, with a passphrase, takes some seconds.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// Waits until no other process, and no other store of this one, changes a store in this folder.
/// Calls `waiting` once, if that is not at once.
pub(crate) fn lock(folder: &Path, patience: Duration, waiting: &dyn Fn()) -> Result<Held, Refusal> {
    // The folder itself: the store is replaced by each write, and a lock on it would stay with the
    // old one; and a file beside it would be clutter.
    #[cfg(unix)]
    let file = File::open(folder);
    #[cfg(not(unix))]
    let file =
        OpenOptions::new().write(true).create(true).truncate(false).open(folder.join(".secretfig.lock"));
    let about = |refusal: Refusal| refusal.about(&format!("folder `{}`", folder.display()));
    let file = file.map_err(|error| about(error.into()))?;
    // some network file systems have none
    let none = || {
        let hint = "its file system gives no locks, so that two changes at once could lose one; change the store on a \
                    local disk";
        about(Refusal::new(ErrorKind::Unavailable(Unavailable::Failing), hint))
    };
    match file.try_lock() {
        Ok(()) => return Ok(Held { _file: file }),
        Err(TryLockError::WouldBlock) => waiting(),
        Err(TryLockError::Error(_)) => return Err(none()),
    }
    // The system has no lock with a limit: a thread waits for it, and lets go of it again where nobody
    // takes it any more.
    let (give, take) = mpsc::sync_channel(1);
    let waits = move || {
        let _ = give.send(file.lock().map(|()| file));
    };
    thread::Builder::new().spawn(waits).map_err(|error| about(error.into()))?;
    match take.recv_timeout(patience) {
        Ok(Ok(file)) => Ok(Held { _file: file }),
        Ok(Err(_)) => Err(none()),
        Err(_) => Err(about(Refusal::new(
            ErrorKind::Timeout,
            format!(
                "another command has been changing a store in it for {} seconds; nothing was changed here: end that \
                 command, or wait for it and try again",
                patience.as_secs()
            ),
        ))),
    }
}

/// Makes a folder, and those above it, that only their owner may enter; what is there stays as it is.
pub(crate) fn make_folder(folder: &Path) -> Result<(), Refusal> {
    let missing: Vec<PathBuf> =
        folder.ancestors().take_while(|above| !above.exists()).map(Path::to_owned).collect();
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)?;
    for made in missing.iter().rev() {
        if let Some(above) = made.parent().filter(|above| !above.as_os_str().is_empty()) {
            Real.sync_folder(above)?;
        }
    }
    Ok(())
}

/// The permissions of a file.
pub(crate) fn permissions(path: &Path) -> Result<u32, Refusal> {
    let meta = fs::metadata(path)?;
    #[cfg(unix)]
    return Ok(std::os::unix::fs::MetadataExt::mode(&meta) & 0o777);
    #[cfg(not(unix))]
    return {
        let _ = meta;
        Ok(PRIVATE)
    };
}

#[cfg(test)]
mod tests {
    use super::*;
    use secretfig_source::SourceError;
    use std::cell::Cell;

    #[test]
    fn a_lock_is_waited_for_with_a_word_and_with_a_limit() {
        let folder = tempfile::tempdir().unwrap();
        let waited = Cell::new(0);
        let waiting = || waited.set(waited.get() + 1);
        let held = lock(folder.path(), PATIENCE, &waiting).unwrap();
        assert_eq!(waited.get(), 0, "nobody is in the way");
        let late = lock(folder.path(), Duration::from_millis(20), &waiting).err().unwrap();
        assert_eq!(waited.get(), 1);
        let late = SourceError::from(late);
        assert_eq!(late.kind(), ErrorKind::Timeout);
        assert!(late.what_to_do().contains("nothing was changed here"), "{late}");
        // the one who gave up does not keep it when it comes at last
        drop(held);
        drop(lock(folder.path(), PATIENCE, &waiting).unwrap());

        let held = Cell::new(Some(lock(folder.path(), PATIENCE, &waiting).unwrap()));
        let lets_go = || {
            waiting();
            drop(held.take());
        };
        drop(lock(folder.path(), PATIENCE, &lets_go).unwrap());
    }
}
