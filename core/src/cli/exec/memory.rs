//! Secrets as sealed files in memory, which a program inherits (Linux).

use super::plan::Handed;
use crate::cli::say::Failure;
use crate::tree::KeyPath;
use rustix::fs::{MemfdFlags, Mode, SealFlags, fchmod, fcntl_add_seals, memfd_create};
use rustix::io::{Errno, FdFlags, fcntl_dupfd_cloexec, fcntl_setfd, write};
use std::fmt::Write as _;
use std::os::fd::{AsRawFd, OwnedFd};
use std::process::Command;

/// From here on: the low numbers belong to shells (`exec 3>log`), to make and to socket activation.
const FIRST: i32 = 100;

/// Makes a file of each, and names it in its variable. They are inherited while what is returned lives.
pub(super) fn hold(handed: Vec<Handed>, run: &mut Command) -> Result<Vec<OwnedFd>, Failure> {
    if !std::path::Path::new("/proc/self/fd").is_dir() {
        return Err(Failure::Refused(
            "files in memory are named by /proc/self/fd, and /proc is not mounted: use `--env`".to_owned(),
        ));
    }
    let mut open = Vec::with_capacity(handed.len());
    for Handed { name, key, value } in handed {
        let file = sealed(&value).map_err(|e| refused(&key, e))?;
        let mut path = String::new();
        // writing to a string does not fail
        let _ = write!(path, "/proc/self/fd/{}", file.as_raw_fd());
        run.env(name, path);
        open.push((key, file));
    }
    // inheritable at the last moment: another thread's child is to get none of them
    open.into_iter()
        .map(|(key, file)| {
            fcntl_setfd(&file, FdFlags::empty()).map_err(|e| refused(&key, e))?;
            Ok(file)
        })
        .collect()
}

fn refused(key: &KeyPath, e: Errno) -> Failure {
    let kind = std::io::Error::from(e).kind();
    Failure::Refused(format!("`{key}` cannot be put into a file in memory: {kind}"))
}

/// A file in memory that nobody can change, and that each reader opens from its beginning.
fn sealed(value: &[u8]) -> Result<OwnedFd, Errno> {
    // its name is to be seen in /proc/PID/fd; a kernel before 6.3 does not know the second flag
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    let file = memfd_create("secretfig", flags | MemfdFlags::NOEXEC_SEAL).or_else(|e| match e {
        Errno::INVAL => memfd_create("secretfig", flags),
        e => Err(e),
    })?;
    let mut rest = value;
    while !rest.is_empty() {
        let written = write(&file, rest)?;
        rest = rest.get(written..).unwrap_or_default();
    }
    // who has it open may read it again, also after a change of user, as entry points of images do
    fchmod(&file, Mode::RUSR | Mode::RGRP | Mode::ROTH)?;
    fcntl_add_seals(&file, SealFlags::WRITE | SealFlags::SHRINK | SealFlags::GROW | SealFlags::SEAL)?;
    Ok(fcntl_dupfd_cloexec(&file, FIRST).unwrap_or(file))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::fs::fcntl_get_seals;
    use std::io::Write as _;

    #[test]
    fn a_sealed_file_is_read_again_and_again_and_never_written() {
        let text = "x".repeat(100_000);
        let file = sealed(text.as_bytes()).unwrap();
        assert!(file.as_raw_fd() >= FIRST);
        let path = format!("/proc/self/fd/{}", file.as_raw_fd());
        assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
        assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
        assert!(fcntl_get_seals(&file).unwrap().contains(SealFlags::WRITE | SealFlags::SEAL));
        assert!(std::fs::File::from(file).write_all(b"y").is_err());
    }
}
