//! One file, from a resolved path to bytes in memory that is wiped.

use crate::error::{self, Miss};
use secretfig_source::ErrorKind;
use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, Read};
use std::path::Path;
use std::time::SystemTime;
use zeroize::Zeroizing;

/// What a file held at one moment.
pub(crate) struct Content {
    /// All of it, in a block of exactly that size.
    pub(crate) bytes: Zeroizing<Vec<u8>>,
    pub(crate) stamp: Stamp,
    /// The permission bits; 0 where there are none.
    pub(crate) mode: u32,
}

/// What changes when a file is written or replaced (within the clock of the file system).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stamp {
    pub(crate) modified: Option<SystemTime>,
    length: u64,
    file: (u64, u64),
}

impl Stamp {
    pub(crate) fn of(meta: &Metadata) -> Self {
        #[cfg(unix)]
        let file = {
            use std::os::unix::fs::MetadataExt;
            (meta.dev(), meta.ino())
        };
        #[cfg(not(unix))]
        let file = (0, 0);
        Self { modified: meta.modified().ok(), length: meta.len(), file }
    }
}

/// Reads the file at a path without links in it. `root`: where it must lie.
///
/// At most `most` bytes; larger is `TooLarge`, found out without reading where the file says its
/// size.
pub(crate) fn read(path: &Path, root: Option<&Path>, most: usize) -> Result<Content, Miss> {
    // Before opening: to open a device may already do something, and a pipe may wait for ever. After
    // opening, again: whoever swaps the file in between finds that the open did not wait.
    regular(&fs::symlink_metadata(path).map_err(vanished)?)?;
    let file = open(path).map_err(vanished)?;
    let before = file.metadata()?;
    regular(&before)?;
    if let Some(root) = root {
        lies_in(&file, &before, path, root)?;
    }
    if before.len() > most as u64 {
        return Err(too_large());
    }
    let bytes = match exactly(&file, before.len() as usize)? {
        Some(bytes) => bytes,
        // It had grown, or it lies about its size, as files of /proc and of FUSE may.
        None => up_to(&open(path).map_err(vanished)?, most)?,
    };
    // Somebody writes in place: what was read may be half of the old and half of the new.
    let stamp = Stamp::of(&file.metadata()?);
    if stamp != Stamp::of(&before) {
        return Err(Miss::Moved);
    }
    Ok(Content { bytes, stamp, mode: mode(&before) })
}

fn open(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.custom_flags(libc::O_NONBLOCK | libc::O_NOFOLLOW | libc::O_NOCTTY);
    }
    options.open(path)
}

/// The path was there a moment ago, and was no link.
fn vanished(error: io::Error) -> Miss {
    match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => Miss::Moved,
        _ if error::is_loop(&error) => Miss::Moved,
        _ => Miss::from(error),
    }
}

fn regular(meta: &Metadata) -> Result<(), Miss> {
    if meta.is_file() {
        return Ok(());
    }
    // a folder or a link has taken its place since it was resolved
    if meta.is_dir() || meta.is_symlink() {
        return Err(Miss::Moved);
    }
    Err(special())
}

/// For what is neither a file nor a folder.
pub(crate) fn special() -> Miss {
    Miss::refused(
        ErrorKind::Misconfigured,
        "it is a device, a pipe or a socket; only files and folders are read",
    )
}

pub(crate) fn too_large() -> Miss {
    Miss::refused(ErrorKind::TooLarge, "raise `max_bytes` of the files source, or store less")
}

/// Whether the open file lies below `root`: folders on the way may have become links since the path
/// was resolved.
fn lies_in(file: &File, opened: &Metadata, path: &Path, root: &Path) -> Result<(), Miss> {
    // Linux knows where an open file lies; that cannot be raced.
    #[cfg(target_os = "linux")]
    {
        use std::os::fd::AsRawFd;
        if let Ok(real) = fs::read_link(format!("/proc/self/fd/{}", file.as_raw_fd())) {
            return if real.starts_with(root) { Ok(()) } else { Err(Miss::Moved) };
        }
    }
    let _ = file;
    // Elsewhere, and without /proc: the path still leads here without links, and to this very file.
    let real = fs::canonicalize(path).map_err(vanished)?;
    let there = fs::symlink_metadata(&real).map_err(vanished)?;
    if real.starts_with(root) && Stamp::of(&there).file == Stamp::of(opened).file {
        Ok(())
    } else {
        Err(Miss::Moved)
    }
}

/// Reads a file of that length, or says that it has another. The buffer never grows: growing would
/// leave copies behind that nobody wipes.
fn exactly(file: &File, length: usize) -> Result<Option<Zeroizing<Vec<u8>>>, Miss> {
    let mut bytes = Zeroizing::new(vec![0; length]);
    if fill(file, &mut bytes)? < length {
        return Err(Miss::Moved);
    }
    let mut beyond = Zeroizing::new([0; 1]);
    Ok((fill(file, beyond.as_mut_slice())? == 0).then_some(bytes))
}

/// Reads a file of unknown length into a block of the largest size, then copies it at exact size.
fn up_to(file: &File, most: usize) -> Result<Zeroizing<Vec<u8>>, Miss> {
    let mut bytes = Zeroizing::new(vec![0; most.saturating_add(1)]);
    let read = fill(file, &mut bytes)?;
    if read > most {
        return Err(too_large());
    }
    Ok(Zeroizing::new(bytes[..read].to_vec()))
}

/// Fills the buffer, or as much of it as the file has. Straight into it: nothing is buffered beside.
fn fill(mut file: &File, buffer: &mut [u8]) -> Result<usize, Miss> {
    let mut filled = 0;
    while filled < buffer.len() {
        match file.read(&mut buffer[filled..]) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(filled)
}

pub(crate) fn mode(meta: &Metadata) -> u32 {
    #[cfg(unix)]
    return {
        use std::os::unix::fs::PermissionsExt;
        meta.permissions().mode()
    };
    #[cfg(not(unix))]
    return {
        let _ = meta;
        0
    };
}

#[cfg(unix)]
#[cfg(test)]
mod tests {
    use super::*;

    fn missed(miss: Result<Content, Miss>) -> String {
        miss.map_or_else(|miss| format!("{miss:?}"), |_| "it was read".to_owned())
    }

    #[test]
    fn the_block_is_as_large_as_the_value() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("pw");
        for value in ["", "x", &"x".repeat(70_000)] {
            fs::write(&path, value).unwrap();
            let content = read(&path, None, 70_000).unwrap_or_else(|miss| panic!("{miss:?}"));
            assert_eq!((content.bytes.as_slice(), content.bytes.capacity()), (value.as_bytes(), value.len()));
        }
    }

    #[test]
    fn another_length_than_the_file_told_is_noticed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("pw");
        fs::write(&path, "12345").unwrap();
        // it has grown since it was asked for its length
        assert!(matches!(exactly(&open(&path).unwrap(), 4), Ok(None)));
        assert_eq!(up_to(&open(&path).unwrap(), 5).unwrap().as_slice(), b"12345");
        assert!(up_to(&open(&path).unwrap(), 4).is_err());
        // it has been truncated
        assert!(matches!(exactly(&open(&path).unwrap(), 6), Err(Miss::Moved)));
    }

    #[test]
    fn opening_never_waits_and_follows_no_link() {
        let dir = tempfile::tempdir().unwrap();
        let (pipe, link) = (dir.path().join("pipe"), dir.path().join("link"));
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        // it came into place after its kind was looked at
        let opened = open(&pipe).unwrap();
        assert!(matches!(regular(&opened.metadata().unwrap()), Err(Miss::Refused(..))));
        std::os::unix::fs::symlink("/dev/null", &link).unwrap();
        assert!(matches!(open(&link).map_err(vanished), Err(Miss::Moved)));
        assert_eq!(missed(read(&dir.path().join("none"), None, 9)), "Moved");
        assert_eq!(missed(read(dir.path(), None, 9)), "Moved");
    }

    #[test]
    fn a_file_elsewhere_is_not_read() {
        let dir = tempfile::tempdir().unwrap();
        let base = fs::canonicalize(dir.path()).unwrap();
        fs::create_dir(base.join("out")).unwrap();
        fs::create_dir(base.join("in")).unwrap();
        fs::write(base.join("out/pw"), "x").unwrap();
        // a folder on the way became a link after the path was resolved
        std::os::unix::fs::symlink("../out", base.join("in/sub")).unwrap();
        assert_eq!(missed(read(&base.join("in/sub/pw"), Some(&base.join("in")), 9)), "Moved");
        assert!(read(&base.join("out/pw"), Some(&base), 9).is_ok());
    }
}
