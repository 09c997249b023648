//! Which revision of a secret: compared for equality, printed for people.

use hmac_sha256::HMAC;
use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use zeroize::Zeroizing;

/// A manager's own version key, such as an AWS VersionId or a KV v2 version with its creation time.
///
/// Only equality means anything: ids need not be ordered. It must never be derived from the value in
/// a way that can be tried out, which is why sources without version keys use [`Fingerprints`].
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Revision(Arc<str>);

impl Revision {
    /// A revision by the manager's id.
    pub fn new(id: impl Into<Arc<str>>) -> Self {
        Self(id.into())
    }

    /// The id.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", crate::ask::Printable(&self.0))
    }
}

impl fmt::Debug for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Revision({self})")
    }
}

/// Makes revisions where a source has none (files, KV v1): `#1`, `#2`, … per secret.
///
/// The bytes are compared by HMAC-SHA-256 under a key that lives only in this process, so that a
/// printed revision says nothing about the value, not even to someone who can guess it. The same
/// bytes give the same number again.
///
/// ```
/// use secretfig_source::Fingerprints;
/// let prints = Fingerprints::new([7; 32]); // random in real use
/// let first = prints.revision("db", [b"old".as_slice()]);
/// let second = prints.revision("db", [b"new".as_slice()]);
/// assert_eq!((first.as_str(), second.as_str()), ("#1", "#2"));
/// assert_eq!(prints.revision("db", [b"old".as_slice()]), first);
/// ```
pub struct Fingerprints {
    key: Zeroizing<[u8; 32]>,
    seen: Mutex<HashMap<Box<str>, Seen>>,
}

#[derive(Default)]
struct Seen {
    made: u64,
    prints: Vec<(u64, [u8; 32])>,
}

/// How many distinct contents are told apart per secret; beyond, the oldest is forgotten and would
/// get a new number if it came back.
const REMEMBERED: usize = 64;

impl Fingerprints {
    /// Under that key, which must be random and must not leave the process.
    pub fn new(key: [u8; 32]) -> Self {
        Self { key: Zeroizing::new(key), seen: Mutex::default() }
    }

    /// The revision of these bytes for the secret of that name. Parts are kept apart: `["ab", "c"]`
    /// and `["a", "bc"]` differ.
    pub fn revision<'a>(&self, name: &str, parts: impl IntoIterator<Item = &'a [u8]>) -> Revision {
        let mut mac = HMAC::new(self.key.as_slice());
        for part in parts {
            mac.update((part.len() as u64).to_le_bytes());
            mac.update(part);
        }
        let print = mac.finalize();
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let seen = seen.entry(name.into()).or_default();
        let number = match seen.prints.iter().find(|(_, p)| *p == print) {
            Some((number, _)) => *number,
            None => {
                seen.made += 1;
                if seen.prints.len() == REMEMBERED {
                    seen.prints.remove(0);
                }
                seen.prints.push((seen.made, print));
                seen.made
            }
        };
        Revision::new(format!("#{number}"))
    }
}

impl fmt::Debug for Fingerprints {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fingerprints").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_and_names_are_kept_apart() {
        let prints = Fingerprints::new([1; 32]);
        let a = prints.revision("x", [b"ab".as_slice(), b"c"]);
        let b = prints.revision("x", [b"a".as_slice(), b"bc"]);
        assert_ne!(a, b);
        assert_eq!(prints.revision("y", [b"a".as_slice(), b"bc"]).as_str(), "#1");
    }

    #[test]
    fn a_forgotten_content_gets_a_new_number_and_never_another_ones() {
        let prints = Fingerprints::new([1; 32]);
        for n in 0..=REMEMBERED {
            prints.revision("x", [n.to_string().as_bytes()]);
        }
        let again = prints.revision("x", [b"0".as_slice()]);
        assert_eq!(again.as_str(), format!("#{}", REMEMBERED + 2));
    }
}
