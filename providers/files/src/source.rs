//! The source: names in, documents out; all disk work on tokio's blocking threads.

use crate::error::{Miss, SCHEME};
use crate::glance::{Found, Glance, Part};
use crate::naming::{self, Name};
use crate::open;
use crate::settings::{RUN_SECRETS, Settings, TrailingNewline, misconfigured};
use crate::watch::Watch;
use secretfig_source::{
    Abilities, Ask, At, Document, ErrorKind, Fetched, Fingerprints, Identity, Probe, Source, SourceError,
    SourceInfo, Unavailable, async_trait,
};
use std::collections::HashSet;
use std::ffi::OsString;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;
use tokio::runtime::Handle;

/// How often a look at the disk is begun, where files are replaced under it.
const TRIES: usize = 3;

/// The wait between two such tries: a swap takes less.
const PAUSE: Duration = Duration::from_millis(5);

const READABLE: &str = "every user of this machine may read this file; `chmod o-r` it";
const WRITABLE: &str = "every user of this machine may write this file; `chmod o-w` it";

/// Mounted files as a source of secrets. Clones share everything.
///
/// ```
/// use secretfig_files::Files;
/// use secretfig_source::{Ask, Node, Reading, Source};
///
/// # let folder = tempfile::tempdir().unwrap();
/// # let folder = folder.path();
/// std::fs::create_dir(folder.join("database"))?;
/// std::fs::write(folder.join("database/user"), "app\n")?;
/// std::fs::write(folder.join("database/password"), "s3cr3t\n")?;
///
/// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
/// let files = Files::in_folder(folder)?;
/// let answers = files.fetch(&[Ask::new("database"), Ask::new("database/user")]).await;
/// let [Ok(database), Ok(user)] = &answers[..] else { panic!("{answers:?}") };
/// let Ok(Node::Table(table)) = database.document.read(&Reading::default()) else { panic!() };
/// assert_eq!(table.keys().map(|k| &**k).collect::<Vec<_>>(), ["password", "user"]);
/// assert_eq!(user.revision.as_str(), "#1");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Files {
    inner: Arc<Inner>,
    watch: Arc<Watch>,
}

struct Inner {
    settings: Settings,
    allowed: RwLock<HashSet<PathBuf>>,
    prints: Fingerprints,
    /// Which of the settings' folders were there at some time.
    seen: Vec<AtomicBool>,
}

impl Files {
    /// The files that these settings describe. Nothing is read yet.
    ///
    /// # Errors
    /// `Misconfigured` for settings that cannot work; `Unavailable` if the system gives no random
    /// bytes for the key under which revisions are told apart.
    pub fn new(settings: Settings) -> Result<Self, SourceError> {
        let settings = settings.checked()?;
        let mut key = zeroize::Zeroizing::new([0; 32]);
        getrandom::fill(&mut *key).map_err(|_| {
            SourceError::new(ErrorKind::Unavailable(Unavailable::Failing), SCHEME)
                .hint("the system gives no random bytes")
        })?;
        let inner = Inner {
            allowed: RwLock::new(settings.allowed.iter().cloned().collect()),
            seen: settings.folders.iter().map(|_| AtomicBool::new(false)).collect(),
            settings,
            prints: Fingerprints::new(*key),
        };
        Ok(Self { inner: Arc::new(inner), watch: Arc::new(Watch::new()) })
    }

    /// The files below one folder, which must exist at sign-in.
    ///
    /// # Errors
    /// As [`Files::new`].
    pub fn in_folder(path: impl Into<PathBuf>) -> Result<Self, SourceError> {
        Self::new(Settings::new().folder(path))
    }

    /// The files that the environment names, which is handed in: `std::env::vars_os()`. The table is
    /// at [`Settings`].
    ///
    /// # Errors
    /// As [`Settings::from_env`] and [`Files::new`].
    pub fn from_env<K, V>(vars: impl IntoIterator<Item = (K, V)>) -> Result<Self, SourceError>
    where
        K: Into<OsString>,
        V: Into<OsString>,
    {
        Self::new(Settings::from_env(vars)?)
    }

    /// From now on this file, too, may be asked for by its absolute path. See [`Settings::allow`].
    ///
    /// ```
    /// # fn main() -> Result<(), secretfig_source::SourceError> {
    /// use secretfig_files::{Files, Settings};
    /// let files = Files::new(Settings::new())?;
    /// files.allow_file("/run/secrets/pw")?; // now `Ask::new("/run/secrets/pw")` is answered
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `Misconfigured` if the path is not absolute.
    pub fn allow_file(&self, path: impl Into<PathBuf>) -> Result<(), SourceError> {
        let path = path.into();
        if !path.is_absolute() {
            return Err(misconfigured("an allowed file is named by its absolute path".to_owned()));
        }
        self.inner.allowed.write().unwrap_or_else(PoisonError::into_inner).insert(path);
        self.watch.look_again();
        Ok(())
    }

    /// One answer per ask, all of one glance at the disk.
    async fn read(&self, asks: &[Ask]) -> Vec<Result<Fetched, SourceError>> {
        let asks: Arc<[Ask]> = asks.into();
        let mut tries = TRIES;
        loop {
            let (inner, wanted) = (self.inner.clone(), asks.clone());
            let answers = match blocking(move || inner.glance(&wanted)).await {
                Ok(answers) => answers,
                Err(error) => return asks.iter().map(|ask| Err(error.clone().secret(ask.name()))).collect(),
            };
            tries -= 1;
            // All of them again, also those that were read: they belong to one moment.
            if tries == 0 || !answers.iter().any(|a| matches!(a, Err(Miss::Moved))) {
                let named = asks.iter().zip(answers);
                return named
                    .map(|(ask, answer)| {
                        answer.map_err(|miss| miss.about(ask.name(), || self.inner.searched(ask.name())))
                    })
                    .collect();
            }
            tokio::time::sleep(PAUSE).await;
        }
    }
}

#[async_trait]
impl Source for Files {
    fn info(&self) -> SourceInfo {
        let settings = &self.inner.settings;
        let folders: Vec<_> = settings.folders().map(|f| f.display().to_string()).collect();
        let mut abilities = Abilities::NONE;
        abilities.probe = true;
        abilities.watch = true;
        abilities.binary = true;
        abilities.empty = true;
        abilities.created = true;
        abilities.denies = true;
        let origin = if folders.is_empty() { "named files".to_owned() } else { folders.join(", ") };
        // All asks of a wave in one call: that is what makes them one moment.
        SourceInfo::new(SCHEME, origin)
            .batch(1024, 1)
            .abilities(abilities)
            .late("the file system does not answer; look at the mount")
    }

    async fn sign_in(&self) -> Result<Option<Identity>, SourceError> {
        let inner = self.inner.clone();
        blocking(move || inner.explicit_folders_exist()).await??;
        Ok(None)
    }

    async fn fetch(&self, asks: &[Ask]) -> Vec<Result<Fetched, SourceError>> {
        self.read(asks).await
    }

    /// Reads and compares, always: a time stamp would miss what is written within one tick of the
    /// file system's clock, and secrets are small.
    async fn probe(&self, asks: &[Ask]) -> Vec<Result<Probe, SourceError>> {
        let answers = self.read(asks).await.into_iter();
        answers.map(|answer| answer.map(|fetched| Probe::Current(fetched.revision))).collect()
    }

    async fn changed(&self) {
        let inner = &self.inner;
        self.watch.changed(|| inner.watched()).await;
    }

    async fn close(&self, _limit: Duration) {
        self.watch.close();
    }
}

impl fmt::Debug for Files {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Files").field("settings", &self.inner.settings).finish_non_exhaustive()
    }
}

impl Inner {
    fn glance(&self, asks: &[Ask]) -> Vec<Result<Fetched, Miss>> {
        let mut glance = Glance::new(self.settings.max_bytes);
        asks.iter()
            .map(|ask| self.find(&mut glance, ask).map(|found| self.answer(ask.name(), found)))
            .collect()
    }

    fn find(&self, glance: &mut Glance, ask: &Ask) -> Result<Found, Miss> {
        let name = naming::parse(ask.name())?;
        if *ask.point() != At::Current {
            return Err(Miss::refused(
                ErrorKind::Misconfigured,
                "a file has one version; ask for the current one",
            ));
        }
        let segments = match name {
            Name::Absolute(path) if self.is_allowed(path) => return glance.named(path),
            Name::Absolute(_) => {
                return Err(Miss::refused(
                    ErrorKind::Misconfigured,
                    "no setting allows this absolute path; allow the file, or name it relative to a folder",
                ));
            }
            Name::Relative(segments) => segments,
        };
        if let Some(path) = self.named(ask.name()) {
            return glance.named(path);
        }
        for (folder, seen) in self.settings.folders.iter().zip(&self.seen) {
            match glance.within(folder, seen, &segments) {
                Err(Miss::Missing) => {}
                found => return found,
            }
        }
        Err(Miss::Missing)
    }

    /// The file that the settings or a variable give to this name.
    fn named(&self, name: &str) -> Option<&Path> {
        let Settings { files, variables, .. } = &self.settings;
        files.get(name).or_else(|| variables.get(&*naming::variable(name))).map(PathBuf::as_path)
    }

    fn is_allowed(&self, path: &Path) -> bool {
        self.allowed.read().unwrap_or_else(PoisonError::into_inner).contains(path)
    }

    fn answer(&self, name: &str, found: Found) -> Fetched {
        let (revision, created, warnings, document) = match found {
            Found::File(part) => {
                let revision = self.prints.revision(name, [part.content.bytes.as_slice()]);
                (revision, part.content.stamp.modified, self.warnings([&part]), self.document(part))
            }
            Found::Folder(parts) => {
                let pairs = parts.iter().map(|(key, part)| [key.as_bytes(), part.content.bytes.as_slice()]);
                let revision = self.prints.revision(name, pairs.flatten());
                let created = parts.values().filter_map(|part| part.content.stamp.modified).max();
                let warnings = self.warnings(parts.values());
                let parts = parts.into_iter().map(|(key, part)| (key, self.document(part)));
                (revision, created, warnings, Document::from_parts(parts))
            }
        };
        let mut fetched = Fetched::new(document, revision);
        fetched.created = created;
        fetched.warnings = warnings;
        fetched
    }

    fn document(&self, part: Part) -> Document {
        let document = Document::from_bytes(part.content.bytes);
        match self.settings.trailing_newline {
            TrailingNewline::StripOne => document.without_final_newline(),
            TrailingNewline::Keep => document,
        }
    }

    fn warnings<'a>(&self, parts: impl IntoIterator<Item = &'a Part>) -> Vec<&'static str> {
        let (mut readable, mut writable) = (false, false);
        for part in parts {
            let open = part.path.parent().is_none_or(others_may_enter);
            writable |= open && part.content.mode & 0o002 != 0;
            // Kubernetes mounts secrets with 0644, Docker with 0444, each in a container of its own:
            // nobody there could follow the advice, and a warning that is always there is not read.
            let platforms = part.swapped || self.is_platforms(&part.path);
            readable |= open && !platforms && part.content.mode & 0o004 != 0;
        }
        [(readable, READABLE), (writable, WRITABLE)]
            .into_iter()
            .filter_map(|(is, text)| is.then_some(text))
            .collect()
    }

    /// Whether Docker, podman or systemd put the file there and chose its mode.
    fn is_platforms(&self, path: &Path) -> bool {
        let mut implicit = self.settings.folders.iter().filter(|f| !f.explicit);
        path.starts_with(RUN_SECRETS)
            || implicit.any(|f| fs::canonicalize(&f.path).is_ok_and(|f| path.starts_with(f)))
    }

    fn explicit_folders_exist(&self) -> Result<(), SourceError> {
        let mut glance = Glance::new(0);
        let folders = self.settings.folders.iter().zip(&self.seen);
        for (folder, seen) in folders.filter(|(folder, _)| folder.explicit) {
            // Not listed: that is for folder secrets alone, and a folder that may only be entered serves.
            if let Err(miss) = glance.root(folder, seen) {
                let (kind, hint) = match miss {
                    Miss::Refused(kind, hint) => (kind, hint),
                    Miss::Missing | Miss::Moved => (ErrorKind::Misconfigured, "it is gone".into()),
                };
                return Err(SourceError::new(kind, SCHEME).hint_naming(hint.into_owned()));
            }
        }
        Ok(())
    }

    /// The hint for what is not there.
    fn searched(&self, name: &str) -> String {
        if Path::new(name).has_root() {
            return "no such file; is it mounted?".to_owned();
        }
        if let Some(path) = self.named(name) {
            return format!("the settings say that it is `{}`, and there is no such file", path.display());
        }
        let folders: Vec<_> = self.settings.folders().map(|f| format!("`{}`", f.display())).collect();
        if folders.is_empty() {
            return "no folder of secrets is set; set SECRETFIG_FILES_DIR".to_owned();
        }
        format!("no such file in {}; mount it, or set SECRETFIG_FILES_DIR", folders.join(", "))
    }

    /// All folders and files that could bring another value.
    fn watched(&self) -> crate::watch::Places {
        let Settings { folders, files, variables, .. } = &self.settings;
        let allowed = self.allowed.read().unwrap_or_else(PoisonError::into_inner);
        let named = files.values().chain(variables.values()).chain(&*allowed);
        crate::watch::Places {
            folders: folders.iter().map(|f| f.path.clone()).collect(),
            files: named.cloned().collect(),
        }
    }
}

/// Whether other users may look into a folder at all.
fn others_may_enter(folder: &Path) -> bool {
    fs::metadata(folder).is_ok_and(|meta| open::mode(&meta) & 0o001 != 0)
}

/// Disk work, off the runtime's own threads.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, SourceError> {
    let Ok(runtime) = Handle::try_current() else {
        return Err(misconfigured("secret files are read inside of a tokio runtime".to_owned()));
    };
    runtime.spawn_blocking(work).await.map_err(|_| {
        SourceError::new(ErrorKind::Unavailable(Unavailable::Failing), SCHEME)
            .hint("the runtime is shutting down, or reading a file broke off")
    })
}
