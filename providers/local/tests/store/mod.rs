//! A store that a test writes by age itself, without the code under test.

use age::secrecy::{ExposeSecret, SecretString};
use age::x25519::{Identity, Recipient};
use secretfig_local::{Local, Settings};
use std::fs;
use std::io::Write;
use std::path::PathBuf;
use tempfile::TempDir;

/// A folder with a key and, once written, a store.
pub(crate) struct Place {
    pub(crate) dir: TempDir,
    pub(crate) key: Identity,
}

impl Place {
    pub(crate) fn new() -> Self {
        let (dir, key) = (tempfile::tempdir().unwrap(), Identity::generate());
        let place = Self { dir, key };
        place.write("identity.txt", place.key.to_string().expose_secret().as_bytes());
        place
    }

    /// With this text in the store.
    pub(crate) fn holding(text: &str) -> Self {
        let place = Self::new();
        place.hold(text);
        place
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, bytes: &[u8]) {
        let new = self.path("next");
        fs::write(&new, bytes).unwrap();
        fs::rename(new, self.path(name)).unwrap();
    }

    /// Encrypts a text to the key, in place of the store.
    pub(crate) fn hold(&self, text: &str) {
        self.write("secrets.age", &encrypted(&[self.key.to_public()], text));
    }

    pub(crate) fn settings(&self) -> Settings {
        Settings::new().file(self.path("secrets.age")).identity_file(self.path("identity.txt"))
    }

    pub(crate) fn local(&self) -> Local {
        Local::new(self.settings()).unwrap()
    }
}

pub(crate) fn encrypted(recipients: &[Recipient], text: &str) -> Vec<u8> {
    let recipients = recipients.iter().map(|recipient| recipient as &dyn age::Recipient);
    finished(age::Encryptor::with_recipients(recipients).unwrap(), text)
}

/// With a passphrase, at that work of scrypt.
pub(crate) fn locked(passphrase: &str, work: u8, text: &str) -> Vec<u8> {
    let mut recipient = age::scrypt::Recipient::new(SecretString::from(passphrase));
    recipient.set_work_factor(work);
    let recipients = std::iter::once(&recipient as &dyn age::Recipient);
    finished(age::Encryptor::with_recipients(recipients).unwrap(), text)
}

fn finished(encryptor: age::Encryptor, text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut writer = encryptor.wrap_output(&mut bytes).unwrap();
    writer.write_all(text.as_bytes()).unwrap();
    writer.finish().unwrap();
    bytes
}
