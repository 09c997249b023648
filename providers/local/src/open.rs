//! One age file, from its path to plaintext in a block that is wiped.
//!
//! What is read is bounded before it is read, and what is decrypted before it is decrypted.

use crate::error::{Refusal, misconfigured};
use crate::identity::Keys;
use age::armor::ArmoredReader;
use age::{DecryptError, Decryptor};
use age_core::format::{FileKey, Stanza};
use hmac_sha256::Hash;
use secrecy::SecretString;
use secretfig_source::{ErrorKind, Revision};
use std::borrow::Cow;
use std::cell::Cell;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::Read;
use std::path::Path;
use zeroize::Zeroizing;

/// The most work a passphrase may ask for, as the logarithm of scrypt's N: 1 GiB of memory and some
/// seconds. The `age` command writes 18; each step doubles both.
pub(crate) const MOST_WORK: u8 = 20;

/// How large a header may be, beside the payload: some 300 readers. age reads one again with each of its lines,
/// so that a header as large as the file may be would take minutes.
const HEADER: usize = 32 << 10;

/// The first bytes of an age file, and of one in ASCII armor.
const MAGIC: &[u8] = b"age-encryption.org/";
const ARMOR: &[u8] = b"-----BEGIN AGE ENCRYPTED FILE-----";

/// A plaintext, and what its file was like.
#[cfg_attr(
    not(feature = "edit"),
    expect(dead_code, reason = "what a file was like matters to who writes it")
)]
pub(crate) struct Opened {
    pub(crate) plaintext: Zeroizing<Vec<u8>>,
    pub(crate) armored: bool,
    pub(crate) access: Access,
}

/// What opens an age file.
#[cfg_attr(not(feature = "edit"), expect(dead_code, reason = "who may read a file matters to who writes it"))]
#[derive(Clone, Debug)]
pub(crate) enum Access {
    Passphrase,
    Keys {
        /// How many X25519 keys do.
        known: usize,
        /// Whether anything else does: an SSH key, a plugin.
        others: bool,
        /// Which key of ours did.
        by: Option<age::x25519::Recipient>,
    },
}

/// How large a file that holds `most` bytes of plaintext can be, in ASCII armor.
pub(crate) fn ciphertext_bound(most: usize) -> usize {
    // each chunk of 64 KiB has a tag of 16 bytes; armor makes 65 of 48
    (most + most / 4096 + HEADER) / 48 * 65
}

/// Reads a file of at most `most` bytes. A pipe or a device is refused: to read it may wait for ever.
pub(crate) fn read(path: &Path, most: usize) -> Result<Zeroizing<Vec<u8>>, Refusal> {
    // before opening, which alone may wait or act
    regular(&fs::metadata(path)?)?;
    let file = File::open(path)?;
    let meta = file.metadata()?;
    regular(&meta)?;
    let size = usize::try_from(meta.len()).unwrap_or(usize::MAX);
    if size > most {
        return Err(too_large());
    }
    // one block, never grown; one byte more tells a file that grew meanwhile
    let mut bytes = Zeroizing::new(Vec::with_capacity(size + 1));
    (&file).take(size as u64 + 1).read_to_end(&mut bytes)?;
    if bytes.len() > size {
        return Err(Refusal::new(
            ErrorKind::Unavailable(secretfig_source::Unavailable::Failing),
            "it was being written; write it by rename, as `secretfig local` does",
        ));
    }
    Ok(bytes)
}

/// Which revision of the store these bytes are. They are ciphertext: a digest of them says nothing of
/// a value, and is new with every encryption.
pub(crate) fn revision(ciphertext: &[u8]) -> Revision {
    let digest = Hash::hash(ciphertext);
    let mut text = String::with_capacity(12);
    for byte in &digest[..6] {
        let _ = write!(text, "{byte:02x}");
    }
    Revision::new(text)
}

/// Whether these bytes begin as an age file does.
pub(crate) fn is_age(bytes: &[u8]) -> bool {
    bytes.starts_with(MAGIC) || bytes.trim_ascii_start().starts_with(ARMOR)
}

/// Decrypts, with keys or a passphrase, whichever the file wants.
pub(crate) fn decrypt(
    ciphertext: &[u8],
    keys: &dyn Fn() -> Result<Keys, Refusal>,
    passphrase: &dyn Fn() -> Result<Option<SecretString>, Refusal>,
    most: usize,
) -> Result<Opened, Refusal> {
    let (armored, binary) = binary(ciphertext)?;
    let decryptor = Decryptor::new_buffered(&*binary).map_err(|e| broken(&e))?;
    if decryptor.is_scrypt() {
        let passphrase = passphrase()?.ok_or_else(no_passphrase)?;
        let mut identity = age::scrypt::Identity::new(passphrase);
        identity.set_max_work_factor(MOST_WORK);
        let reader = decryptor.decrypt(std::iter::once(&identity as &dyn age::Identity));
        let reader = reader.map_err(|e| with_passphrase(&e))?;
        let plaintext = all_of(reader, ciphertext.len(), most)?;
        return Ok(Opened { plaintext, armored, access: Access::Passphrase });
    }
    let keys = keys()?;
    let looking = Looking { keys: &keys, known: Cell::new(0), others: Cell::new(false), by: Cell::new(None) };
    let reader = decryptor.decrypt(std::iter::once(&looking as &dyn age::Identity));
    let reader = reader.map_err(|e| with_keys(&e, &looking))?;
    let Looking { known, others, by, .. } = looking;
    let access = Access::Keys { known: known.get(), others: others.get(), by: by.take() };
    let plaintext = all_of(reader, ciphertext.len(), most)?;
    Ok(Opened { plaintext, armored, access })
}

/// Whether an age file is encrypted with a passphrase, as its header says. No, if it cannot be read.
pub(crate) fn wants_passphrase(ciphertext: &[u8]) -> bool {
    let binary = binary(ciphertext).ok();
    binary.is_some_and(|(_, binary)| Decryptor::new_buffered(&*binary).is_ok_and(|file| file.is_scrypt()))
}

pub(crate) fn no_passphrase() -> Refusal {
    Refusal::new(
        ErrorKind::Unauthenticated,
        "it is encrypted with a passphrase; set SECRETFIG_AGE_PASSPHRASE_FILE or SECRETFIG_AGE_PASSPHRASE",
    )
}

/// The age file without its armor, and whether it had one; no larger in its header than can be read.
fn binary(ciphertext: &[u8]) -> Result<(bool, Cow<'_, [u8]>), Refusal> {
    if !is_age(ciphertext) {
        return Err(Refusal::new(
            ErrorKind::Malformed,
            "it is no age file; `secretfig local init` makes one, and so does `age -r`",
        ));
    }
    let armored = !ciphertext.starts_with(MAGIC);
    let binary = if armored { Cow::Owned(without_armor(ciphertext)?) } else { Cow::Borrowed(ciphertext) };
    let ends = |four: &[u8]| four == b"\n---";
    if binary.len() > HEADER && !binary[..HEADER].windows(4).any(ends) {
        return Err(Refusal::new(
            ErrorKind::TooLarge,
            "its header is larger than 32 KiB, which some 300 readers take; encrypt it to fewer",
        ));
    }
    Ok((armored, binary))
}

/// The age file in an armored one, which may come out of an editor or a mail, with blank lines before it.
fn without_armor(armored: &[u8]) -> Result<Vec<u8>, Refusal> {
    let mut binary = Vec::with_capacity(armored.len());
    ArmoredReader::new(armored.trim_ascii_start()).read_to_end(&mut binary).map_err(|_| damaged())?;
    Ok(binary)
}

/// All keys of ours as one identity, which takes note of who else may read.
struct Looking<'k> {
    keys: &'k Keys,
    known: Cell<usize>,
    others: Cell<bool>,
    by: Cell<Option<age::x25519::Recipient>>,
}

impl age::Identity for Looking<'_> {
    fn unwrap_stanza(&self, stanza: &Stanza) -> Option<Result<FileKey, DecryptError>> {
        self.keys.identities.iter().find_map(|key| {
            let opened = key.unwrap_stanza(stanza)?;
            self.by.set(Some(key.to_public()));
            Some(opened)
        })
    }

    fn unwrap_stanzas(&self, stanzas: &[Stanza]) -> Option<Result<FileKey, DecryptError>> {
        for stanza in stanzas {
            match stanza.tag.as_str() {
                "X25519" => self.known.set(self.known.get() + 1),
                // what implementations add so that readers do not grow stiff
                tag if tag.ends_with("-grease") => {}
                _ => self.others.set(true),
            }
        }
        stanzas.iter().find_map(|stanza| self.unwrap_stanza(stanza))
    }
}

/// The plaintext, in one block that is never grown.
fn all_of(mut reader: impl Read, ciphertext: usize, most: usize) -> Result<Zeroizing<Vec<u8>>, Refusal> {
    // a plaintext is never larger than its ciphertext
    let room = most.min(ciphertext).saturating_add(1);
    let mut plaintext = Zeroizing::new(vec![0; room]);
    let mut filled = 0;
    while filled < room {
        match reader.read(&mut plaintext[filled..]) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(_) => return Err(damaged()),
        }
    }
    if filled > most {
        return Err(too_large());
    }
    plaintext.truncate(filled);
    Ok(plaintext)
}

fn regular(meta: &fs::Metadata) -> Result<(), Refusal> {
    if meta.is_file() {
        Ok(())
    } else {
        Err(misconfigured("it is no file; a folder, a device, a pipe or a socket is not read"))
    }
}

pub(crate) fn too_large() -> Refusal {
    Refusal::new(ErrorKind::TooLarge, "raise SECRETFIG_AGE_MAX_BYTES or `max_bytes`, or store less")
}

fn damaged() -> Refusal {
    Refusal::new(
        ErrorKind::Malformed,
        "it is damaged or cut off, or somebody changed it; restore it from git or from a copy",
    )
}

/// The table: what age says of any file.
fn broken(error: &DecryptError) -> Refusal {
    match error {
        DecryptError::UnknownFormat => Refusal::new(
            ErrorKind::Malformed,
            "it is of a newer age format than this version reads; write it again with `age` 1",
        ),
        DecryptError::ExcessiveWork { .. } => Refusal::new(
            ErrorKind::TooLarge,
            "its passphrase asks for more than 2^20 rounds of scrypt, which could take hours and is \
             refused; encrypt it again with `secretfig local rekey` or `age -p`, which take 2^18",
        ),
        _ => damaged(),
    }
}

fn with_passphrase(error: &DecryptError) -> Refusal {
    match error {
        DecryptError::DecryptionFailed | DecryptError::KeyDecryptionFailed => {
            Refusal::new(ErrorKind::Unauthenticated, "the passphrase does not open it")
        }
        other => broken(other),
    }
}

fn with_keys(error: &DecryptError, looking: &Looking<'_>) -> Refusal {
    let DecryptError::NoMatchingKeys = error else { return broken(error) };
    if looking.known.get() == 0 && looking.others.get() {
        return Refusal::new(
            ErrorKind::Denied,
            "only SSH keys, hardware keys or plugins open it, which are not supported: encrypt it to a \
             key `age1…`",
        );
    }
    let ours: Vec<String> = looking.keys.recipients().map(|key| key.to_string()).collect();
    let who = match ours.as_slice() {
        [] => return Refusal::new(ErrorKind::Unauthenticated, "there is no identity to open it with"),
        [one] => format!(
            "our key is not among its readers; ask one of them to run `secretfig local rekey --add {one}`"
        ),
        all => format!(
            "none of our keys is among its readers; ask one of them to run `secretfig local rekey --add {}`",
            all.join(" --add ")
        ),
    };
    Refusal::new(ErrorKind::Denied, who)
}
