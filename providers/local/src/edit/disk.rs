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
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

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

/// Writes a file in one step. Whoever calls it holds the lock of the folder.
pub(crate) fn write(disk: &impl Disk, path: &Path, bytes: &[u8], over: Over) -> Result<(), Refusal> {
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
    disk.sync_folder(folder).map_err(|_| unconfirmed())
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

/// Waits until no other process, and no other store of this one, changes a store in this folder.
pub(crate) fn lock(folder: &Path) -> Result<Held, Refusal> {
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
    let locked = file.lock().map_err(|_| {
        let hint = "its file system gives no locks, so that two changes at once could lose one; change the store on a \
                    local disk";
        about(Refusal::new(ErrorKind::Unavailable(Unavailable::Failing), hint))
    });
    locked.map(|()| Held { _file: file })
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
