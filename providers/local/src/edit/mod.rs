//! Making and changing a store (feature `edit`): what the commands are built of.
//!
//! All of it blocks, on the disk and on scrypt: it is for a command line, not for a service.
//!
//! ```
//! use secretfig_local::edit::{self, Layout, Readers, Set, Store};
//! use secretfig_local::Settings;
//!
//! # let folder = tempfile::tempdir().unwrap();
//! # let folder = folder.path();
//! let key = folder.join("identity.txt");
//! let me = edit::create_identity(&key)?;
//! let settings = Settings::new().file(folder.join("secrets.age")).identity_file(&key);
//! Store::create(&settings, &Readers::Recipients(vec![me]), Layout::Toml)?;
//!
//! let mut store = Store::open(&settings)?;
//! assert_eq!(store.set("database/password", &"s3cr3t".into())?, Set::Added);
//! assert_eq!(store.names(), ["database/password"]);
//! store.save()?;
//! # Ok::<(), secretfig_source::SourceError>(())
//! ```

mod disk;
mod readers;
mod rekey;
mod seal;
mod text;

pub use readers::{NoRecipient, Readers, Recipient};
pub use text::Layout;

use crate::Settings;
use crate::error::{Refusal, misconfigured};
use crate::open::{self, Access, Opened};
use crate::settings::Given;
use crate::tree::Tree;
use crate::{identity, naming};
use disk::{Disk, Held, Over, PATIENCE, PRIVATE, Placed, Real};
use readers::List;
use secrecy::{ExposeSecret, SecretString};
use secretfig_source::{ErrorKind, Exposed, Node, SourceError};
use std::cell::Cell;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use text::Text;
use zeroize::Zeroizing;

/// What [`Store::set`] did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Set {
    /// There was nothing of that name.
    Added,
    /// There was another value.
    Replaced,
    /// It had that very value; nothing was changed.
    Unchanged,
}

/// Makes a new identity file, readable by its owner alone (0600), in a folder that is made (0700)
/// where it is missing, and tells its public key.
///
/// # Errors
/// `Misconfigured` if there is a file already: a key is never overwritten. Whatever the file system
/// says against it.
pub fn create_identity(path: &Path) -> Result<Recipient, SourceError> {
    let about = |refusal: Refusal| refusal.about(&format!("identity file `{}`", path.display()));
    let path = std::path::absolute(path).map_err(|_| about(misconfigured("it has no path")))?;
    let folder = path.parent().ok_or_else(|| about(misconfigured("it has no file name")))?;
    disk::make_folder(folder).map_err(about)?;
    let _held = disk::lock(folder, PATIENCE, &|| ())?;
    let key = age::x25519::Identity::generate();
    let public = Recipient(key.to_public());
    let secret = key.to_string();
    let head = format!("# public key: {public}\n");
    // never grown, so that no copy stays behind
    let mut text = Zeroizing::new(String::with_capacity(head.len() + secret.expose_secret().len() + 1));
    text.push_str(&head);
    text.push_str(secret.expose_secret());
    text.push('\n');
    disk::write(&Real, &path, text.as_bytes(), Over::Nothing(PRIVATE)).map_err(about)?;
    Ok(public)
}

/// The public keys of the identities that the settings name, in their order; none where they name a
/// passphrase alone.
///
/// # Errors
/// `Unauthenticated` where the settings name neither, or the identity file is locked and the
/// passphrase wrong; `Misconfigured` for an identity file that is missing or is none.
pub fn recipients_of(settings: &Settings) -> Result<Vec<Recipient>, SourceError> {
    Ok(ours(settings)?)
}

/// The passphrase that the settings name, for a new store of [`Readers::Passphrase`].
///
/// # Errors
/// `Misconfigured` where its file is missing, no text or empty.
pub fn passphrase_of(settings: &Settings) -> Result<Option<SecretString>, SourceError> {
    Ok(identity::passphrase(settings)?)
}

/// Whether the store of these settings is there and is encrypted with a passphrase.
pub fn has_passphrase(settings: &Settings) -> bool {
    open::read(&settings.file, open::ciphertext_bound(settings.max_bytes))
        .is_ok_and(|bytes| wants_passphrase(&bytes))
}

/// Whether the identity of these settings is there and is locked with a passphrase (`age -p`).
pub fn identity_is_locked(settings: &Settings) -> bool {
    match (&settings.identity, &settings.usual_identity) {
        (Some(Given::Text(text, _)), _) => wants_passphrase(text.expose_secret().as_bytes()),
        (Some(Given::File(path, _)), _) | (None, Some(path)) => {
            open::read(path, identity::MOST).is_ok_and(|bytes| wants_passphrase(&bytes))
        }
        _ => false,
    }
}

/// The names of all values in the store of these settings, as [`Store::names`] tells them. It is only
/// read: without a lock, so that nobody is waited for.
///
/// # Errors
/// As a fetch by [`Local`](crate::Local).
pub fn names(settings: &Settings) -> Result<Vec<String>, SourceError> {
    let settings = settings.clone().checked()?;
    let opened = decrypted(&settings, &found(&settings)?)?;
    let tree = Tree::read(opened.plaintext).map_err(|refusal| about_store(refusal, &settings.file))?;
    Ok(tree.leaves())
}

/// Where the store is, without links.
fn found(settings: &Settings) -> Result<PathBuf, Refusal> {
    let about = |refusal: Refusal| about_store(refusal, &settings.file);
    fs::canonicalize(&settings.file).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => about(misconfigured(
            "it is not there; make it with `secretfig local init`, or set SECRETFIG_AGE_FILE",
        )),
        _ => about(error.into()),
    })
}

fn decrypted(settings: &Settings, path: &Path) -> Result<Opened, Refusal> {
    let about = |refusal: Refusal| about_store(refusal, &settings.file);
    let ciphertext = open::read(path, open::ciphertext_bound(settings.max_bytes)).map_err(about)?;
    let keys = || identity::keys(settings);
    let passphrase = || identity::passphrase(settings);
    open::decrypt(&ciphertext, &keys, &passphrase, settings.max_bytes).map_err(about)
}

/// Whether an age file is encrypted with a passphrase: it is asked for as it is opened.
fn wants_passphrase(ciphertext: &[u8]) -> bool {
    let asked = Cell::new(false);
    let passphrase = || {
        asked.set(true);
        Ok(None)
    };
    let no_keys = || Ok(identity::Keys { identities: Vec::new() });
    // refused in any case, for want of either
    let _ = open::decrypt(ciphertext, &no_keys, &passphrase, 0);
    asked.get()
}

fn ours(settings: &Settings) -> Result<Vec<Recipient>, Refusal> {
    Ok(identity::keys(settings)?.recipients().map(Recipient).collect())
}

/// A store, opened to be changed. It holds a lock until it is dropped or saved: a second
/// [`Store::open`] in the same folder, in whatever process, waits for it, so that of two `set` at
/// once none is lost. Ask a person for values *before* opening it, and open no second one in the same
/// thread.
///
/// Nothing is on disk before [`Store::save`] or [`Store::rekey`].
pub struct Store {
    settings: Settings,
    /// Without links: what is written is what they lead to.
    path: PathBuf,
    armored: bool,
    mode: u32,
    text: Text,
    tree: Tree,
    changed: bool,
    readers: Readers,
    ours: Vec<Recipient>,
    /// Whether the readers are known, so that a change can begin with them.
    known: Result<(), Refusal>,
    /// Whether the store has as many readers as the list.
    as_many: bool,
    /// Whether the list of readers fits the store, so that it can be written to them.
    fits: Result<(), Refusal>,
    _held: Held,
}

impl Store {
    /// Makes an empty store for these readers, readable by its owner alone (0600), and beside it, where
    /// they are recipients, the list of them (`<store>.recipients`).
    ///
    /// # Errors
    /// `Misconfigured` if there is a file already: a store is never overwritten. `Misconfigured` if
    /// there is no reader, or the identity of these settings is not one of them: who made it could
    /// not read it. Whatever the file system says against it.
    pub fn create(settings: &Settings, readers: &Readers, layout: Layout) -> Result<(), SourceError> {
        Self::create_telling(settings, readers, layout, &|| ())
    }

    /// The same, and calls `waiting` once if it has to wait, as [`Store::open_telling`] does.
    ///
    /// # Errors
    /// As [`Store::create`].
    pub fn create_telling(
        settings: &Settings,
        readers: &Readers,
        layout: Layout,
        waiting: &dyn Fn(),
    ) -> Result<(), SourceError> {
        Ok(create(&Real, settings, readers, layout, waiting)?)
    }

    /// Locks, reads and decrypts the store of these settings.
    ///
    /// # Errors
    /// `Timeout` where another has not let go of the lock for 30 seconds; else as a fetch by
    /// [`Local`](crate::Local).
    pub fn open(settings: &Settings) -> Result<Self, SourceError> {
        Self::open_telling(settings, &|| ())
    }

    /// The same, and calls `waiting` once if it has to wait for another who changes a store in the same
    /// folder: whoever watches a command may be told.
    ///
    /// # Errors
    /// As [`Store::open`].
    pub fn open_telling(settings: &Settings, waiting: &dyn Fn()) -> Result<Self, SourceError> {
        let settings = settings.clone().checked()?;
        let about = |refusal: Refusal| about_store(refusal, &settings.file);
        let path = found(&settings)?;
        let held = disk::lock(path.parent().unwrap_or(&path), PATIENCE, waiting)?;
        let opened = decrypted(&settings, &path)?;
        let text = Text::read(&opened.plaintext).map_err(about)?;
        let tree = Tree::read(opened.plaintext).map_err(about)?;
        let mode = disk::permissions(&path).map_err(about)?;
        let at = readers::list_of(&path);
        let mut store = Self {
            path,
            armored: opened.armored,
            mode,
            text,
            tree,
            changed: false,
            readers: Readers::Recipients(Vec::new()),
            ours: Vec::new(),
            known: Ok(()),
            as_many: true,
            fits: Ok(()),
            _held: held,
            settings,
        };
        let about = |refusal: Refusal| about_store(refusal, &store.settings.file);
        match &opened.access {
            Access::Passphrase => {
                // it has just opened the store
                let passphrase = identity::passphrase(&store.settings)?.unwrap_or_default();
                store.readers = Readers::Passphrase(passphrase);
            }
            Access::Keys { known, by, .. } => {
                store.ours = ours(&store.settings)?;
                match readers::listed(&store.path) {
                    Ok(list) => {
                        let list = list.as_deref();
                        store.known = readers::known(&opened.access, list, &at).map_err(about);
                        store.as_many = readers::as_many(&opened.access, list);
                        store.fits = readers::fits(&opened.access, list, &at, &store.ours).map_err(about);
                        store.readers = Readers::Recipients(match list {
                            Some(list) if !list.is_empty() => list.to_vec(),
                            // who is alone needs no list
                            _ => by.iter().filter(|_| *known == 1).cloned().map(Recipient).collect(),
                        });
                    }
                    // it can be read all the same
                    Err(refusal) => {
                        store.known = Err(refusal.clone());
                        store.fits = Err(refusal);
                    }
                }
            }
        }
        Ok(store)
    }

    /// The name of every value, `database/password`, sorted. Never values. A table with a key that can
    /// be no part of a name (one with `/` in it) is named in its stead.
    pub fn names(&self) -> Vec<String> {
        self.tree.leaves()
    }

    /// Gives the secret of that name this value, as a text.
    ///
    /// # Errors
    /// `Misconfigured` for what is no name, and where a table or a list would be replaced by a value,
    /// or a value by a table (`a/b` where `a` is a value): remove it first. `TooLarge` beyond
    /// `max_bytes`. The store is then as it was.
    pub fn set(&mut self, name: &str, value: &SecretString) -> Result<Set, SourceError> {
        let value = value.expose_secret();
        let refused = |refusal: Refusal| refusal.of(name);
        let segments = naming::parse(name).map_err(refused)?;
        let done = match self.tree.find(&segments) {
            Some(Node::Table(_) | Node::List(_)) => {
                return Err(refused(misconfigured(
                    "a table or a list has this name, and is not replaced by a value; name a value in it, or \
                     remove it first",
                )));
            }
            Some(Node::Leaf(leaf)) => match leaf.expose_secret() {
                Exposed::Text(old) if old == value => return Ok(Set::Unchanged),
                _ => Set::Replaced,
            },
            Some(Node::Null) => Set::Replaced,
            None => {
                self.way_is_free(&segments).map_err(refused)?;
                Set::Added
            }
        };
        self.change(|text| text.set(&segments, value)).map_err(refused)?;
        Ok(done)
    }

    /// Removes the secret of that name, and every table that is empty then; of a table, all that is
    /// in it.
    ///
    /// # Errors
    /// `Absent` where there is none; `Misconfigured` for what is no name.
    pub fn remove(&mut self, name: &str) -> Result<(), SourceError> {
        let refused = |refusal: Refusal| refusal.of(name);
        let segments = naming::parse(name).map_err(refused)?;
        if self.tree.find(&segments).is_none() {
            let hint = "there is nothing of that name in the store; `secretfig local list` tells the names";
            return Err(refused(Refusal::new(ErrorKind::Absent, hint)));
        }
        let removed = self.change(|text| {
            text.remove(&segments);
            Ok(())
        });
        removed.map_err(refused)
    }

    /// Who may read it: the list beside the store, or the passphrase. Where there is no list, the own
    /// key if the store is for it alone, else nobody is known; nor is anybody where it cannot be read.
    pub fn readers(&self) -> &Readers {
        &self.readers
    }

    /// Writes the store, encrypted to its readers, in one step that a power cut cannot halve. Does
    /// nothing where nothing was changed.
    ///
    /// # Errors
    /// `Misconfigured` where the list of readers does not fit the store (another number of keys, or
    /// the own one is not among them): [`Store::rekey`] settles it. Whatever the file system says
    /// against it.
    pub fn save(self) -> Result<(), SourceError> {
        Ok(self.save_on(&Real)?)
    }

    fn save_on(self, disk: &impl Disk) -> Result<(), Refusal> {
        if !self.changed {
            return Ok(());
        }
        self.fits.clone()?;
        let ciphertext = self.sealed(&self.readers)?;
        self.confirmed(self.place(disk, &ciphertext)?)
    }

    fn sealed(&self, readers: &Readers) -> Result<Vec<u8>, Refusal> {
        seal::encrypted(self.text.render().as_bytes(), readers, self.armored)
            .map_err(|refusal| about_store(refusal, &self.settings.file))
    }

    fn place(&self, disk: &impl Disk, ciphertext: &[u8]) -> Result<Placed, Refusal> {
        disk::place(disk, &self.path, ciphertext, Over::Old(self.mode))
            .map_err(|refusal| about_store(refusal, &self.settings.file))
    }

    fn confirmed(&self, placed: Placed) -> Result<(), Refusal> {
        placed.confirmed().map_err(|refusal| about_store(refusal, &self.settings.file))
    }

    /// Refuses a name that a value stands in the way of.
    fn way_is_free(&self, segments: &[&str]) -> Result<(), Refusal> {
        for end in 1..segments.len() {
            let way = &segments[..end];
            if self.tree.find(way).is_some_and(|node| !matches!(node, Node::Table(_))) {
                return Err(misconfigured(format!(
                    "`{}` is a value, and is not replaced by a table; remove it first, or choose another name",
                    way.join("/")
                )));
            }
        }
        Ok(())
    }

    /// Changes the text and reads it again; what cannot be read is not kept.
    fn change(&mut self, change: impl FnOnce(&mut Text) -> Result<(), Refusal>) -> Result<(), Refusal> {
        let mut text = self.text.clone();
        change(&mut text)?;
        let plaintext = Zeroizing::new(text.render().as_bytes().to_vec());
        if plaintext.len() > self.settings.max_bytes {
            return Err(open::too_large());
        }
        self.tree = Tree::read(plaintext)?;
        self.text = text;
        self.changed = true;
        Ok(())
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store")
            .field("path", &self.path)
            .field("readers", &self.readers)
            .field("changed", &self.changed)
            .finish_non_exhaustive()
    }
}

fn create(
    disk: &impl Disk,
    settings: &Settings,
    readers: &Readers,
    layout: Layout,
    waiting: &dyn Fn(),
) -> Result<(), Refusal> {
    let settings = settings.clone().checked()?;
    let about = |refusal: Refusal| about_store(refusal, &settings.file);
    let (Some(folder), Some(name)) = (settings.file.parent(), settings.file.file_name()) else {
        return Err(about(misconfigured("it has no file name")));
    };
    let folder = fs::canonicalize(folder)
        .map_err(|error| Refusal::from(error).about(&format!("folder `{}`", folder.display())))?;
    let path = folder.join(name);
    let ours = if matches!(readers, Readers::Recipients(_)) { ours(&settings)? } else { Vec::new() };
    readers.checked(&ours)?;
    let _held = disk::lock(&folder, PATIENCE, waiting)?;
    if fs::symlink_metadata(&path).is_ok() {
        return Err(about(std::io::Error::from(std::io::ErrorKind::AlreadyExists).into()));
    }
    let ciphertext = seal::encrypted(Text::empty(layout).as_bytes(), readers, false).map_err(about)?;
    // The list first: a store without its list could not be changed, a list without its store is
    // overwritten by the next try.
    if let Readers::Recipients(recipients) = readers {
        List::find(&path)?.write(disk, recipients)?;
    }
    disk::write(disk, &path, &ciphertext, Over::Nothing(PRIVATE)).map_err(about)
}

fn about_store(refusal: Refusal, store: &Path) -> Refusal {
    refusal.about(&format!("store `{}`", store.display()))
}

#[cfg(test)]
mod tests;
