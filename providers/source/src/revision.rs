//! Which revision of a secret: compared for equality, printed for people.

#[cfg(feature = "hmac")]
use hmac_sha256::HMAC;
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
/// bytes give the same number again. Without the feature `hmac` they are compared with those that came
/// last, of which a copy is kept until others come, and it is these alone that are known again.
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
    #[cfg(feature = "hmac")]
    key: Zeroizing<[u8; 32]>,
    /// By the secret's name. In a row: there are tens of them, and a table by hashes would be a part of every edge package.
    seen: Mutex<Vec<(Box<str>, Seen)>>,
}

#[derive(Default)]
struct Seen {
    made: u64,
    prints: Vec<(u64, Print)>,
}

impl Seen {
    /// The one it had, or the next.
    fn number(&mut self, print: Print) -> u64 {
        if let Some((number, _)) = self.prints.iter().find(|(_, known)| *known == print) {
            return *number;
        }
        self.made += 1;
        if self.prints.len() == REMEMBERED {
            self.prints.remove(0);
        }
        self.prints.push((self.made, print));
        self.made
    }
}

/// What contents are known again by.
#[cfg(feature = "hmac")]
type Print = [u8; 32];
#[cfg(not(feature = "hmac"))]
type Print = Vec<Zeroizing<Vec<u8>>>;

/// How many distinct contents are told apart per secret; beyond, the oldest is forgotten and would
/// get a new number if it came back.
const REMEMBERED: usize = if cfg!(feature = "hmac") { 64 } else { 1 };

impl Fingerprints {
    /// Under that key, which must be random and must not leave the process.
    pub fn new(key: [u8; 32]) -> Self {
        #[cfg(not(feature = "hmac"))]
        let _ = key;
        Self {
            #[cfg(feature = "hmac")]
            key: Zeroizing::new(key),
            seen: Mutex::default(),
        }
    }

    /// The revision of these bytes for the secret of that name. Parts are kept apart: `["ab", "c"]`
    /// and `["a", "bc"]` differ.
    pub fn revision<'a>(&self, name: &str, parts: impl IntoIterator<Item = &'a [u8]>) -> Revision {
        let print = self.print(parts.into_iter());
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let number = match seen.iter_mut().find(|(known, _)| **known == *name) {
            Some((_, seen)) => seen.number(print),
            None => {
                let mut first = Seen::default();
                let number = first.number(print);
                seen.push((name.into(), first));
                number
            }
        };
        Revision::new(["#", &number.to_string()].concat())
    }

    #[cfg(feature = "hmac")]
    fn print<'a>(&self, parts: impl Iterator<Item = &'a [u8]>) -> Print {
        let mut mac = HMAC::new(self.key.as_slice());
        for part in parts {
            mac.update((part.len() as u64).to_le_bytes());
            mac.update(part);
        }
        mac.finalize()
    }

    /// Each part in a block of its own, of exact size: nothing grows, and nothing is freed unwiped.
    #[cfg(not(feature = "hmac"))]
    #[allow(clippy::unused_self)]
    fn print<'a>(&self, parts: impl Iterator<Item = &'a [u8]>) -> Print {
        parts.map(|part| Zeroizing::new(part.to_vec())).collect()
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
