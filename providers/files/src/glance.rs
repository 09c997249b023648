//! One look at the disk: names to paths to contents, all of one moment of every swapped folder.
//!
//! Kubernetes (and whoever uses its writer: ESO through Secrets, the CSI driver) mounts this:
//!
//! ```text
//! password -> ..data/password
//! ..data   -> ..2026_01_01_00_00_00.1
//! ..2026_01_01_00_00_00.1/password
//! ```
//!
//! A new version is a new folder, `..data` is swapped to it by one rename, and only then is the old
//! folder removed. So a [`Glance`] resolves the `..data` of each folder once, *pins* it, and reads
//! everything below through the pin: `user` and `password` are always of one version. Whatever
//! vanishes from under a pin because of a swap is [`Miss::Moved`]: the caller starts over with a new
//! glance.
//! <https://github.com/kubernetes/kubernetes/blob/master/pkg/volume/util/atomic_writer.go>

use crate::error::Miss;
use crate::naming;
use crate::open::{self, Content, Stamp};
use crate::settings::Folder;
use secretfig_source::{ErrorKind, Unavailable};
use std::collections::{BTreeMap, HashMap};
use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

/// The link that Kubernetes swaps.
pub(crate) const DATA: &str = "..data";

/// The most files that one folder secret may have.
const MAX_PARTS: usize = 1024;

/// One look at the disk.
pub(crate) struct Glance {
    most: usize,
    /// Folders of the settings, and where they led when first seen; none: they are not there.
    roots: HashMap<PathBuf, Option<PathBuf>>,
    /// Folders, and where their `..data` led when first seen; none: they have none.
    pins: HashMap<PathBuf, Option<PathBuf>>,
}

/// What a name stands for.
pub(crate) enum Found {
    File(Part),
    Folder(BTreeMap<Box<str>, Part>),
}

/// A file with what is to be known about its place.
pub(crate) struct Part {
    pub(crate) content: Content,
    /// Kubernetes wrote it, and chose its mode.
    pub(crate) swapped: bool,
    /// Where it lies, without links.
    pub(crate) path: PathBuf,
}

impl Glance {
    /// Reads at most `most` bytes per secret.
    pub(crate) fn new(most: usize) -> Self {
        Self { most, roots: HashMap::new(), pins: HashMap::new() }
    }

    /// The secret of that name in a folder of the settings.
    pub(crate) fn within(
        &mut self,
        folder: &Folder,
        seen: &AtomicBool,
        segments: &[&str],
    ) -> Result<Found, Miss> {
        let Some(root) = self.root(folder, seen)? else { return Err(Miss::Missing) };
        let root = root.as_path();
        let walked = segments
            .iter()
            .try_fold(root.to_path_buf(), |folder, segment| self.step(Some(root), &folder, segment.as_ref()));
        let found = walked.and_then(|path| match fs::symlink_metadata(&path)? {
            meta if meta.is_dir() => self.folder(root, &path).map(Found::Folder),
            _ => self.part(path, Some(root), self.most).map(Found::File),
        });
        self.settled(found)
    }

    /// A file that an operator named: its links may lead anywhere.
    pub(crate) fn named(&mut self, path: &Path) -> Result<Found, Miss> {
        let found = self.place(path).and_then(|path| {
            if fs::symlink_metadata(&path)?.is_dir() {
                return Err(Miss::refused(
                    ErrorKind::Misconfigured,
                    "it is a folder, and a file was named; name one, or give the folder to the settings",
                ));
            }
            self.part(path, None, self.most).map(Found::File)
        });
        self.settled(found)
    }

    /// The folder without links, resolved once per glance: it may be a link that somebody swaps as a
    /// whole. None: it is not there, and need not be.
    ///
    /// `seen`: whether this process has ever found it there. A folder that is gone since then is an
    /// outage (of a mount), and no word about its secrets.
    pub(crate) fn root(&mut self, folder: &Folder, seen: &AtomicBool) -> Result<Option<PathBuf>, Miss> {
        if let Some(root) = self.roots.get(&folder.path) {
            return Ok(root.clone());
        }
        let about = |kind, hint: &str| {
            Miss::Refused(kind, format!("folder `{}`: {hint}", folder.path.display()).into())
        };
        let root = match resolve(&folder.path) {
            Ok(Some(root)) if root.is_dir() => Some(root),
            Err(Miss::Refused(kind, hint)) => return Err(about(kind, &hint)),
            _ if seen.load(Ordering::Relaxed) => {
                let hint = "it was there and is gone; is it still mounted?";
                return Err(about(ErrorKind::Unavailable(Unavailable::Failing), hint));
            }
            // an implicit one that is no folder is none of ours
            Ok(_) if !folder.explicit => None,
            Ok(Some(_)) => return Err(about(ErrorKind::Misconfigured, "it is no folder")),
            Ok(None) => {
                let hint = "it is not there; mount it, or correct SECRETFIG_FILES_DIR or the setting";
                return Err(about(ErrorKind::Misconfigured, hint));
            }
            Err(miss) => return Err(miss),
        };
        if root.is_some() {
            seen.store(true, Ordering::Relaxed);
        }
        self.roots.insert(folder.path.clone(), root.clone());
        Ok(root)
    }

    fn place(&mut self, path: &Path) -> Result<PathBuf, Miss> {
        match (path.parent(), path.file_name()) {
            (Some(parent), Some(name)) => {
                let folder = fs::canonicalize(parent)?;
                self.step(None, &folder, name)
            }
            _ => Ok(fs::canonicalize(path)?),
        }
    }

    /// What is missing may be missing because of a swap.
    fn settled(&self, found: Result<Found, Miss>) -> Result<Found, Miss> {
        match found {
            Err(Miss::Missing) if self.any_moved() => Err(Miss::Moved),
            found => found,
        }
    }

    fn any_moved(&self) -> bool {
        let roots = self.roots.iter().any(|(path, root)| *root != fs::canonicalize(path).ok());
        roots || self.pins.keys().any(|folder| self.moved(folder))
    }

    /// One segment further down, through the pin where there is one.
    fn step(&mut self, root: Option<&Path>, folder: &Path, segment: &OsStr) -> Result<PathBuf, Miss> {
        let pinned = match self.pin(folder)? {
            Some(data) => resolve(&data.join(segment))?,
            None => None,
        };
        // Beside `..data` there may be mounts of their own (nested volumes, `subPath`).
        let path = match pinned {
            Some(path) => path,
            None => resolve(&folder.join(segment))?.ok_or(Miss::Missing)?,
        };
        self.allowed(root, &path)?;
        Ok(path)
    }

    /// Where `..data` of this folder leads, asked once per glance.
    fn pin(&mut self, folder: &Path) -> Result<Option<PathBuf>, Miss> {
        if let Some(pin) = self.pins.get(folder) {
            return Ok(pin.clone());
        }
        let data = folder.join(DATA);
        let pin = match resolve(&data)? {
            Some(target) if target.starts_with(folder) => Some(target),
            Some(_) => return Err(leads_out()),
            // it is there and leads nowhere: its target is gone, and the next swap is not yet done
            None if fs::symlink_metadata(&data).is_ok() => return Err(Miss::Moved),
            None => None,
        };
        self.pins.insert(folder.to_path_buf(), pin.clone());
        Ok(pin)
    }

    /// Whether a pinned `..data` leads elsewhere by now.
    fn moved(&self, folder: &Path) -> bool {
        let now = fs::canonicalize(folder.join(DATA)).ok();
        self.pins.get(folder).is_some_and(|pin| *pin != now)
    }

    /// Whether a resolved path may be read: inside `root`, and of the pinned version wherever it
    /// runs through a swapped folder.
    fn allowed(&mut self, root: Option<&Path>, path: &Path) -> Result<(), Miss> {
        if root.is_some_and(|root| !path.starts_with(root)) {
            return Err(leads_out());
        }
        for place in path.ancestors().filter(|place| is_version(place)) {
            let Some(folder) = place.parent() else { continue };
            let inside = root.is_none_or(|root| folder.starts_with(root));
            if inside && self.pin(folder)?.is_some_and(|pin| !path.starts_with(pin)) {
                return Err(Miss::Moved);
            }
        }
        Ok(())
    }

    /// One secret with a part per file.
    fn folder(&mut self, root: &Path, folder: &Path) -> Result<BTreeMap<Box<str>, Part>, Miss> {
        let pin = self.pin(folder)?;
        let base = pin.as_deref().unwrap_or(folder);
        let names = list(base)?;
        // The old version is removed file by file after the swap: only if the swap has not happened
        // by now, the list is whole. The files themselves never change under a pin.
        if pin.is_some() && self.moved(folder) {
            return Err(Miss::Moved);
        }
        let mut parts = BTreeMap::new();
        let mut left = self.most;
        for name in &names {
            let path = resolve(&base.join(&**name))?.ok_or(Miss::Moved)?;
            self.allowed(Some(root), &path)?;
            if fs::symlink_metadata(&path).is_ok_and(|meta| meta.is_dir()) {
                return Err(Miss::refused(
                    ErrorKind::Misconfigured,
                    "a folder secret has files only, and this one has a folder in it; ask for that by its own name",
                ));
            }
            let part = self.part(path, Some(root), left)?;
            left -= part.content.bytes.len().min(left);
            parts.insert(name.clone(), part);
        }
        if pin.is_none() && !(list(base)? == names && parts.values().all(Part::unchanged)) {
            return Err(Miss::Moved);
        }
        Ok(parts)
    }

    fn part(&self, path: PathBuf, root: Option<&Path>, most: usize) -> Result<Part, Miss> {
        let content = open::read(&path, root, most)?;
        let swapped = path.ancestors().any(is_version);
        Ok(Part { content, swapped, path })
    }
}

impl Part {
    /// Whether the file is still the one that was read: where nothing is pinned, several files are
    /// of one moment only if none changed until the last was read.
    fn unchanged(&self) -> bool {
        fs::symlink_metadata(&self.path).is_ok_and(|meta| Stamp::of(&meta) == self.content.stamp)
    }
}

/// The path without links; none where there is nothing.
fn resolve(path: &Path) -> Result<Option<PathBuf>, Miss> {
    match fs::canonicalize(path) {
        Ok(path) => Ok(Some(path)),
        // not there, or below a file
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            Ok(None)
        }
        Err(error) => Err(error.into()),
    }
}

/// The files of a folder, sorted; names with a dot first are no parts.
fn list(folder: &Path) -> Result<Vec<Box<str>>, Miss> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder)? {
        let name = entry?.file_name();
        if name.as_encoded_bytes().starts_with(b".") {
            continue;
        }
        let Some(name) = name.to_str().filter(|name| naming::segment(name).is_ok()) else {
            return Err(Miss::refused(
                ErrorKind::Misconfigured,
                "a file in this folder has a name that no key can have (not UTF-8, or with control characters)",
            ));
        };
        if names.len() == MAX_PARTS {
            return Err(Miss::refused(ErrorKind::TooLarge, "a folder secret has at most 1024 files"));
        }
        names.push(name.into());
    }
    names.sort_unstable();
    Ok(names)
}

/// Whether the last segment is one of Kubernetes' own.
pub(crate) fn is_version(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b".."))
}

fn leads_out() -> Miss {
    Miss::refused(
        ErrorKind::Misconfigured,
        "it is a link out of the folder, which is not followed; name the file itself in the settings (`file` or `allow`)",
    )
}

#[cfg(unix)]
#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;
    use tempfile::{TempDir, tempdir};

    /// A folder `db` with two versions in it, `..data` at the first.
    fn two_versions() -> (TempDir, Folder) {
        let dir = tempdir().unwrap();
        let db = dir.path().join("db");
        for version in ["1", "2"] {
            let folder = db.join(format!("..{version}"));
            fs::create_dir_all(&folder).unwrap();
            for key in ["user", "password"] {
                fs::write(folder.join(key), version).unwrap();
            }
        }
        for key in ["user", "password"] {
            symlink(format!("..data/{key}"), db.join(key)).unwrap();
        }
        symlink("..1", db.join(DATA)).unwrap();
        let folder = Folder { path: dir.path().into(), explicit: true };
        (dir, folder)
    }

    fn swap(dir: &TempDir) {
        symlink("..2", dir.path().join("next")).unwrap();
        fs::rename(dir.path().join("next"), dir.path().join("db").join(DATA)).unwrap();
    }

    /// The values that were read, or how it ended without them.
    fn read(glance: &mut Glance, folder: &Folder, segments: &[&str]) -> String {
        let text = |part: &Part| String::from_utf8(part.content.bytes.to_vec()).unwrap();
        match glance.within(folder, &AtomicBool::new(false), segments) {
            Ok(Found::File(part)) => text(&part),
            Ok(Found::Folder(parts)) => parts.values().map(text).collect(),
            Err(miss) => format!("{miss:?}"),
        }
    }

    #[test]
    fn a_glance_stays_with_the_version_it_saw_first() {
        let (dir, folder) = two_versions();
        let mut glance = Glance::new(9);
        assert_eq!(read(&mut glance, &folder, &["db", "user"]), "1");
        swap(&dir);
        assert_eq!(read(&mut glance, &folder, &["db", "password"]), "1");
        // of a folder it is not known any more whether all files are still there
        assert_eq!(read(&mut glance, &folder, &["db"]), "Moved");
        assert_eq!(read(&mut Glance::new(9), &folder, &["db"]), "22");
    }

    #[test]
    fn a_version_that_is_being_removed_is_never_taken_for_a_whole_one() {
        let (dir, folder) = two_versions();
        let mut glance = Glance::new(9);
        assert_eq!(read(&mut glance, &folder, &["db"]), "11");
        swap(&dir);
        fs::remove_file(dir.path().join("db/..1/user")).unwrap();
        assert_eq!(read(&mut glance, &folder, &["db", "user"]), "Moved");
        assert_eq!(read(&mut glance, &folder, &["db"]), "Moved");
        // what is in neither version may be absent, but only a new glance can tell
        assert_eq!(read(&mut glance, &folder, &["db", "none"]), "Moved");
        assert_eq!(read(&mut Glance::new(9), &folder, &["db", "none"]), "Missing");
    }

    #[test]
    fn links_through_another_way_are_of_the_same_version() {
        let (dir, folder) = two_versions();
        symlink("db/..data/user", dir.path().join("alias")).unwrap();
        let mut glance = Glance::new(9);
        assert_eq!(read(&mut glance, &folder, &["alias"]), "1");
        swap(&dir);
        assert_eq!(read(&mut glance, &folder, &["db", "password"]), "1");
        assert_eq!(read(&mut glance, &folder, &["alias"]), "Moved");
    }
}
