//! Who may read a store, and the list of them beside it.
//!
//! An age file does not name its readers: it has one stanza per key, and only the holder of a key
//! recognises his own. So the list is kept beside the store, one `age1…` a line.

use super::disk::{self, Disk, Over, USUAL};
use crate::error::{Refusal, misconfigured};
use crate::open::{self, Access};
use secrecy::{ExposeSecret, SecretString};
use secretfig_source::ErrorKind;
use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// The public key of a reader: `age1…`, X25519.
///
/// ```
/// use secretfig_local::edit::Recipient;
/// let text = "age1t7rxyev2z3rw82stdlrrepyc39nvn86l5078zqkf5uasdy86jp6svpy7pa";
/// let recipient: Recipient = text.parse()?;
/// assert_eq!(recipient.to_string(), text);
/// assert!("ssh-ed25519 AAAA".parse::<Recipient>().is_err());
/// # Ok::<(), secretfig_local::edit::NoRecipient>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Recipient(pub(crate) age::x25519::Recipient);

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

/// How large a list may be.
const MOST: usize = 1 << 20;

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

impl Readers {
    /// Refuses readers to whom nothing should be encrypted: none, one twice, or all but ourselves.
    pub(crate) fn checked(&self, ours: &[Recipient]) -> Result<(), Refusal> {
        let recipients = match self {
            Readers::Passphrase(passphrase) if passphrase.expose_secret().is_empty() => {
                return Err(misconfigured("the passphrase is empty"));
            }
            Readers::Passphrase(_) => return Ok(()),
            Readers::Recipients(recipients) => recipients,
        };
        if recipients.is_empty() {
            return Err(misconfigured("a store without readers could not be opened; name one at least"));
        }
        if let Some((_, twice)) =
            recipients.iter().enumerate().find(|(n, recipient)| recipients[..*n].contains(recipient))
        {
            return Err(misconfigured(format!("`{twice}` is named twice among the readers")));
        }
        if !recipients.iter().any(|recipient| ours.contains(recipient)) {
            return Err(misconfigured(match ours {
                [] => NO_KEY.to_owned(),
                ours => format!(
                    "our own key is not among the readers, so we would lock ourselves out; let it in as well: {}",
                    add(ours)
                ),
            }));
        }
        Ok(())
    }
}

/// Said of one who changes a store of keys, and has none.
pub(crate) const NO_KEY: &str = "there is no key of our own, so we would lock ourselves out; `secretfig local init` makes \
     one, and leaves a store that is there as it is";

/// Whether it is known who reads a store, so that a change of its readers can begin with them. Else what
/// to do.
pub(crate) fn known(access: &Access, list: Option<&[Recipient]>, at: &Path) -> Result<(), Refusal> {
    let Access::Keys { known, others, .. } = access else { return Ok(()) };
    let settle = "name all who are to read it, and nobody else will: \
                  `secretfig local rekey --only age1… --only age1…`";
    if *others {
        return Err(misconfigured(format!(
            "SSH keys, hardware keys or plugins read it too, and would no longer: {settle}"
        )));
    }
    match list {
        None | Some([]) if *known > 1 => Err(misconfigured(format!(
            "it has {known} readers, and no list `{}` says who they are: {settle}",
            at.display()
        ))),
        _ => Ok(()),
    }
}

/// Whether a store has as many readers as its list names, as far as the file itself tells. A list that
/// names nobody says nothing.
pub(crate) fn as_many(access: &Access, list: Option<&[Recipient]>) -> bool {
    match (access, list) {
        (Access::Keys { known, .. }, Some(list)) if !list.is_empty() => list.len() == *known,
        _ => true,
    }
}

/// Whether a store can be written again to whom its list says: the list fits what the file itself
/// tells. Else what to do.
pub(crate) fn fits(
    access: &Access,
    list: Option<&[Recipient]>,
    at: &Path,
    ours: &[Recipient],
) -> Result<(), Refusal> {
    known(access, list, at)?;
    let (Access::Keys { known, .. }, Some(list)) = (access, list) else { return Ok(()) };
    let (at, all) = (at.display(), list.len());
    let ours_listed = list.iter().any(|reader| ours.contains(reader));
    let settle = match ours_listed || list.is_empty() {
        true => "run `secretfig local rekey`, which shows who may read and settles it".to_owned(),
        false => format!("run {}, which shows who may read and settles it", add(ours)),
    };
    if all != *known {
        return Err(misconfigured(format!("it has {known} readers, and `{at}` names {all}: {settle}")));
    }
    if !ours_listed {
        return Err(misconfigured(format!(
            "our own key is not in `{at}`, so to write would lock us out: {settle}"
        )));
    }
    Ok(())
}

/// The command that lets one of these in.
fn add(ours: &[Recipient]) -> String {
    let command = |key: &Recipient| format!("`secretfig local rekey --add {key}`");
    ours.iter().map(command).collect::<Vec<_>>().join(" or ")
}

/// Where the list of a store lies.
pub(crate) fn list_of(store: &Path) -> PathBuf {
    let mut name = store.as_os_str().to_owned();
    name.push(".recipients");
    name.into()
}

/// The keys of a list. A line is never shown: somebody may have put a secret key there.
fn parse(text: &str) -> Result<Vec<Recipient>, Refusal> {
    let mut recipients = Vec::new();
    for (n, line) in text.lines().enumerate() {
        if !is_key(line) {
            continue;
        }
        let wrong = |what: &str| Refusal::new(ErrorKind::Malformed, format!("line {}: {what}", n + 1));
        let recipient = line.parse().map_err(|none: NoRecipient| wrong(&none.to_string()))?;
        // two branches that both added one, merged
        if !recipients.contains(&recipient) {
            recipients.push(recipient);
        }
    }
    Ok(recipients)
}

fn is_key(line: &str) -> bool {
    let line = line.trim();
    !line.is_empty() && !line.starts_with('#')
}

/// The list of these readers, with what a person wrote into the old one: comments stay, but those
/// that stand right above a key belong to it and go with it.
fn rewritten(old: &str, readers: &[Recipient]) -> String {
    let mut text = String::new();
    let mut above = String::new();
    let mut left: Vec<&Recipient> = readers.iter().collect();
    for line in old.lines() {
        if is_key(line) {
            let comments = std::mem::take(&mut above);
            if let Some(at) =
                line.parse().ok().and_then(|key: Recipient| left.iter().position(|k| **k == key))
            {
                left.remove(at);
                text.push_str(&comments);
                text.push_str(line.trim());
                text.push('\n');
            }
        } else {
            above.push_str(line);
            above.push('\n');
            // a comment with a blank line below it belongs to no key
            if line.trim().is_empty() {
                text.push_str(&std::mem::take(&mut above));
            }
        }
    }
    text.push_str(&above);
    for new in left {
        text.push_str(&format!("{new}\n"));
    }
    text
}

/// The keys of the list beside a store, if there is one.
pub(crate) fn listed(store: &Path) -> Result<Option<Vec<Recipient>>, Refusal> {
    let list = list_of(store);
    match list_text(&list)? {
        Some(text) => parse(&text).map(Some).map_err(|refusal| about(refusal, &list)),
        None => Ok(None),
    }
}

fn list_text(list: &Path) -> Result<Option<String>, Refusal> {
    let about = |refusal: Refusal| about(refusal, list);
    if matches!(list.try_exists(), Ok(false)) {
        return Ok(None);
    }
    let bytes = open::read(list, MOST).map_err(about)?;
    let text = std::str::from_utf8(&bytes);
    text.map(|text| Some(text.to_owned()))
        .map_err(|_| about(Refusal::new(ErrorKind::Malformed, "it is no text; it holds one `age1…` a line")))
}

/// The list beside a store, as it is found before it is changed.
pub(crate) struct List {
    path: PathBuf,
    old: Option<Old>,
}

struct Old {
    text: String,
    mode: u32,
}

impl List {
    pub(crate) fn find(store: &Path) -> Result<Self, Refusal> {
        let list = list_of(store);
        // where a link stands in its place, it stays
        let path = std::fs::canonicalize(&list).unwrap_or(list);
        let old = match list_text(&path)? {
            Some(text) => Some(Old { text, mode: disk::permissions(&path).map_err(|e| about(e, &path))? }),
            None => None,
        };
        Ok(Self { path, old })
    }

    /// Writes these readers, where it says anything else.
    pub(crate) fn write(&self, disk: &impl Disk, recipients: &[Recipient]) -> Result<(), Refusal> {
        let text = rewritten(self.old.as_ref().map_or(HEAD, |old| &old.text), recipients);
        match &self.old {
            Some(old) if old.text == text => Ok(()),
            Some(old) => self.put(disk, &text, Over::Old(old.mode)),
            None => self.put(disk, &text, Over::Nothing(USUAL)),
        }
    }

    /// Makes it what it was when it was found.
    pub(crate) fn put_back(&self, disk: &impl Disk) -> Result<(), Refusal> {
        let now = list_text(&self.path)?;
        match &self.old {
            None if now.is_none() => Ok(()),
            None => self.remove(disk),
            Some(old) if now.as_ref() == Some(&old.text) => Ok(()),
            Some(old) => self.put(disk, &old.text, Over::Old(old.mode)),
        }
    }

    /// Removes it: whoever knows a passphrase is not listed.
    pub(crate) fn remove(&self, disk: &impl Disk) -> Result<(), Refusal> {
        disk::remove(disk, &self.path).map_err(|refusal| about(refusal, &self.path))
    }

    fn put(&self, disk: &impl Disk, text: &str, over: Over) -> Result<(), Refusal> {
        disk::write(disk, &self.path, text.as_bytes(), over).map_err(|refusal| about(refusal, &self.path))
    }
}

pub(crate) fn about(refusal: Refusal, list: &Path) -> Refusal {
    refusal.about(&format!("list of readers `{}`", list.display()))
}

/// What stands at the top of a new list.
const HEAD: &str = "\
# Who may read the store beside this file: one public key a line, as `age -R` takes them.
# To add or to remove one: secretfig local rekey

";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::SCHEME;
    use secretfig_source::SourceError;

    fn keys<const N: usize>() -> [Recipient; N] {
        std::array::from_fn(|_| Recipient(age::x25519::Identity::generate().to_public()))
    }

    #[test]
    fn a_list_keeps_what_a_person_wrote() {
        let [ada, bob, eve] = keys();
        let old = format!("# readers\n\n# ada, payments\n{ada}\n# bob left\n{bob}\n\n# the end\n");
        assert_eq!(parse(&old).unwrap(), [ada.clone(), bob.clone()]);
        assert_eq!(rewritten(&old, &[bob, ada.clone()]), old, "the order of the file stays");
        let new = rewritten(&old, &[ada.clone(), eve.clone()]);
        assert_eq!(new, format!("# readers\n\n# ada, payments\n{ada}\n\n# the end\n{eve}\n"));
        assert_eq!(parse(&new).unwrap(), [ada.clone(), eve.clone()]);
        assert!(parse(HEAD).unwrap().is_empty());
        // one that stands there twice is one
        let twice = format!("{ada}\n# from a branch\n {ada} \n{eve}\n");
        assert_eq!(parse(&twice).unwrap(), [ada.clone(), eve.clone()]);
        assert_eq!(rewritten(&twice, &[ada.clone(), eve.clone()]), format!("{ada}\n{eve}\n"));
    }

    #[test]
    fn what_is_no_key_is_told_by_its_line_and_not_shown() {
        let [ada] = keys();
        for (text, line) in [
            (format!("# x\nssh-ed25519 hunter2\n{ada}\n"), "line 2: no public key"),
            ("AGE-SECRET-KEY-1HUNTER2\n".to_owned(), "line 1: no public key"),
            (format!("{ada}\n<<<<<<< ours\n"), "line 2: no public key"),
        ] {
            let said = SourceError::from(parse(&text).unwrap_err()).to_string();
            assert!(said.starts_with(&format!("{SCHEME}: malformed: {line}")), "{said}");
            assert!(!said.to_lowercase().contains("hunter"), "{said}");
        }
    }

    #[test]
    fn nobody_locks_himself_out() {
        let [ada, bob] = keys();
        let ours = [ada.clone()];
        let to = |list: &[&Recipient]| Readers::Recipients(list.iter().copied().cloned().collect());
        assert!(to(&[&bob, &ada]).checked(&ours).is_ok());
        for (readers, said) in [
            (to(&[]), "without readers"),
            (to(&[&bob]), "lock ourselves out"),
            (to(&[&ada, &bob, &bob]), "twice"),
            (Readers::Passphrase("".into()), "empty"),
        ] {
            let refusal = SourceError::from(readers.checked(&ours).unwrap_err()).to_string();
            assert!(refusal.contains(said), "{refusal}");
        }
        assert!(Readers::Passphrase("p".into()).checked(&[]).is_ok());
    }

    #[test]
    fn a_list_that_does_not_fit_is_not_written_to() {
        let [ada, bob] = keys();
        let (ours, at) = ([ada.clone()], Path::new("s.age.recipients"));
        let access = |known, others| Access::Keys { known, others, by: Some(ada.0.clone()) };
        let both = [ada.clone(), bob.clone()];
        let foreign = [bob];
        for (access, list, said) in [
            (access(1, false), None, None),
            (access(2, false), Some(&both[..]), None),
            (Access::Passphrase, None, None),
            (access(2, false), None, Some("no list")),
            (access(3, false), Some(&both[..]), Some("it has 3 readers, and `s.age.recipients` names 2")),
            (access(1, false), Some(&foreign[..]), Some("lock us out")),
            (access(1, true), Some(&both[..1]), Some("SSH keys")),
        ] {
            let fits = fits(&access, list, at, &ours).map_err(|r| SourceError::from(r).to_string());
            match said {
                None => assert_eq!(fits, Ok(())),
                Some(said) => {
                    let error = fits.unwrap_err();
                    assert!(error.contains(said) && error.contains("secretfig local rekey"), "{error}");
                }
            }
        }
    }
}
