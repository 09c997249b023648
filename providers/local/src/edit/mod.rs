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

use crate::Settings;
use secrecy::SecretString;
use secretfig_source::SourceError;
use std::fmt;
use std::path::Path;
use std::str::FromStr;

/// The public key of a reader: `age1…`, X25519.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Recipient(age::x25519::Recipient);

impl FromStr for Recipient {
    type Err = NoRecipient;

    fn from_str(text: &str) -> Result<Self, NoRecipient> {
        text.trim().parse().map(Self).map_err(|_| NoRecipient)
    }
}

impl fmt::Display for Recipient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl fmt::Debug for Recipient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// A text that is no public key of the kind `age1…`. It is not shown: it may be the secret one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoRecipient;

impl fmt::Display for NoRecipient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no public key `age1…` of X25519; SSH keys and plugins are not supported")
    }
}

impl std::error::Error for NoRecipient {}

/// Who may read a store.
#[derive(Clone)]
pub enum Readers {
    /// Whoever holds the secret key of one of these.
    Recipients(Vec<Recipient>),
    /// Whoever knows the passphrase.
    Passphrase(SecretString),
}

impl fmt::Debug for Readers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Readers::Recipients(all) => f.debug_tuple("Recipients").field(all).finish(),
            Readers::Passphrase(_) => f.write_str("Passphrase([sealed])"),
        }
    }
}

/// In which format a store is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Layout {
    /// TOML: comments and order stay.
    #[default]
    Toml,
    /// JSON: keys are sorted, numbers keep their digits.
    Json,
}

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
    let _ = path;
    Err(unfinished())
}

/// The public keys of the identities that the settings name, in their order; none where they name a
/// passphrase alone.
///
/// # Errors
/// `Unauthenticated` where the settings name neither, or the identity file is locked and the
/// passphrase wrong; `Misconfigured` or `Malformed` for an identity file that is missing or is none.
pub fn recipients_of(settings: &Settings) -> Result<Vec<Recipient>, SourceError> {
    let _ = settings;
    Err(unfinished())
}

/// A store, opened to be changed. It holds a lock until it is dropped or saved: a second
/// [`Store::open`] of the same folder, in whatever process, waits for it, so that of two `set` at
/// once none is lost. Ask a person for values *before* opening it.
///
/// Nothing is on disk before [`Store::save`] or [`Store::rekey`].
pub struct Store {
    readers: Readers,
}

impl Store {
    /// Makes an empty store for these readers, and beside it, where they are recipients, the list of
    /// them (`<store>.recipients`).
    ///
    /// # Errors
    /// `Misconfigured` if there is a file already: a store is never overwritten. `Misconfigured` if
    /// there is no reader, or the identity of these settings is not one of them: who made it could
    /// not read it. Whatever the file system says against it.
    pub fn create(settings: &Settings, readers: &Readers, layout: Layout) -> Result<(), SourceError> {
        let _ = (settings, readers, layout);
        Err(unfinished())
    }

    /// Locks, reads and decrypts the store of these settings.
    ///
    /// # Errors
    /// As a fetch by [`Local`](crate::Local).
    pub fn open(settings: &Settings) -> Result<Self, SourceError> {
        let _ = settings;
        Err(unfinished())
    }

    /// The name of every value, `database/password`, sorted. Never values.
    pub fn names(&self) -> Vec<String> {
        Vec::new()
    }

    /// Gives the secret of that name this value.
    ///
    /// # Errors
    /// `Misconfigured` for what is no name, and where a table or a list would be replaced by a value,
    /// or a value by a table (`a/b` where `a` is a value): remove it first.
    pub fn set(&mut self, name: &str, value: &SecretString) -> Result<Set, SourceError> {
        let _ = (name, value);
        Err(unfinished())
    }

    /// Removes the secret of that name, and every table that is empty then; of a table, all that is
    /// in it.
    ///
    /// # Errors
    /// `Absent` where there is none; `Misconfigured` for what is no name.
    pub fn remove(&mut self, name: &str) -> Result<(), SourceError> {
        let _ = name;
        Err(unfinished())
    }

    /// Who may read it: the list beside the store, or the passphrase. Where there is no list, the own
    /// key if the store is for it alone, else nobody is known.
    pub fn readers(&self) -> &Readers {
        &self.readers
    }

    /// Writes the store, encrypted to its readers, in one step that a power cut cannot halve. Does
    /// nothing where nothing was changed.
    ///
    /// # Errors
    /// `Misconfigured` where the list of readers does not fit the store (another number of keys, or
    /// the own one is not among them): [`Store::rekey`] settles it. `TooLarge` beyond `max_bytes`.
    /// Whatever the file system says against it; the store is then as it was.
    pub fn save(self) -> Result<(), SourceError> {
        Err(unfinished())
    }

    /// Writes the store, encrypted to these readers from now on, and the list of them.
    ///
    /// Whoever is left out cannot read what is written from now on. What was readable until now they
    /// may have kept, and git keeps it for them: change those values.
    ///
    /// # Errors
    /// As [`Store::save`]; the readers given are checked, not the list.
    pub fn rekey(self, readers: &Readers) -> Result<(), SourceError> {
        let _ = readers;
        Err(unfinished())
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store").field("readers", &self.readers).finish_non_exhaustive()
    }
}

fn unfinished() -> SourceError {
    crate::error::misconfigured("this part of the command is being written").into()
}
