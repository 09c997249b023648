//! The value tree: what layers hold, and what comes out of merging them.
//!
//! A layer is read once and frozen as [`Value`]s. Merging ([`crate::layers`]) makes a [`Merged`] tree that
//! **borrows** from the frozen layers and from the fetched documents: no value is copied until the decoder
//! hands it to the application's own type.
//!
//! Text of plain layers is wiped on drop too: a password may come in by an environment variable.

use secretfig_source::{Exposed, Sealed};
use std::collections::BTreeMap;
use std::fmt;
use zeroize::Zeroizing;

/// Which entry of the table of origins: a file, a variable, a place in code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct OriginId(pub(crate) u32);

/// Which use of a secret: one `[secrets]` entry or one reference.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct UseId(pub(crate) u32);

/// A frozen value of a plain layer, with where it came from.
#[derive(Clone)]
pub(crate) struct Value {
    pub(crate) origin: OriginId,
    pub(crate) kind: Kind,
}

pub(crate) type Table = BTreeMap<Box<str>, Value>;

#[derive(Clone)]
pub(crate) enum Kind {
    Null,
    Leaf(Plain),
    List(Vec<Value>),
    Table(Table),
    /// A reference: a secret stands here.
    Use(UseId),
}

/// A plain leaf.
#[derive(Clone)]
pub(crate) enum Plain {
    Bool(bool),
    Number(Number),
    /// A number that figment's `Env` made of text, so that its spelling is lost.
    #[cfg_attr(not(feature = "figment"), allow(dead_code, reason = "only figment's providers guess"))]
    Guessed(Number),
    /// A string of a typed format: it is a string and nothing else.
    Text(Zeroizing<Box<str>>),
    /// Text of an environment variable: parsed when, and only when, the target asks for something else.
    Loose(Zeroizing<Box<str>>),
}

#[derive(Clone, Copy)]
pub(crate) enum Number {
    Unsigned(u128),
    Signed(i128),
    Float(f64),
}

impl Value {
    pub(crate) fn new(origin: OriginId, kind: Kind) -> Self {
        Self { origin, kind }
    }

    pub(crate) fn table(origin: OriginId) -> Self {
        Self::new(origin, Kind::Table(Table::new()))
    }
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.kind {
            Kind::Null => "null",
            Kind::Leaf(_) => "[leaf]",
            Kind::List(_) => "[list]",
            Kind::Table(_) => "{table}",
            Kind::Use(_) => "[reference]",
        })
    }
}

/// Where a merged leaf came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Origin {
    pub(crate) layer: OriginId,
    pub(crate) secret: Option<UseId>,
}

/// A slot of the merged tree: what won there, and what it beat.
pub(crate) struct Slot<'l> {
    pub(crate) node: Merged<'l>,
    pub(crate) origin: Origin,
    /// Filled only when the merge was asked to keep it (`explain`).
    pub(crate) beaten: Vec<Beaten>,
}

/// A contribution that did not win.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Beaten {
    pub(crate) origin: Origin,
    pub(crate) why: Why,
}

/// Why a contribution did not win.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Why {
    /// A higher layer has the key.
    Lower,
    /// It is `null`, and another layer has a value.
    Null,
    /// It is plain, another layer has a secret there, and the profile is strict.
    PlainUnderSecret,
    /// It is a secret, and a plain layer beat it: in a relaxed profile that is allowed, and remarked.
    Overridden,
}

/// The merged tree. It borrows from layers and documents.
pub(crate) enum Merged<'l> {
    Null,
    Plain(&'l Plain),
    Sealed(&'l Sealed),
    List(Vec<Slot<'l>>),
    /// A table; with a hole, what is missing in it is the fault of a secret that could not be had.
    Table(Keys<'l>, Hole),
    /// A secret that could not be had stands here.
    Hole,
}

/// The entries of a merged table, sorted by key. A list: layers are sorted already, and a merged tree is built anew
/// with every publication, read in order and dropped.
#[derive(Default)]
pub(crate) struct Keys<'l>(Vec<(&'l str, Slot<'l>)>);

impl<'l> Keys<'l> {
    /// Of entries that are sorted, such as those of a `BTreeMap`; at most `count` of them.
    pub(crate) fn sorted(count: usize, entries: impl Iterator<Item = (&'l str, Slot<'l>)>) -> Self {
        let mut keys = Vec::with_capacity(count);
        keys.extend(entries);
        Self(keys)
    }

    pub(crate) fn get(&self, key: &str) -> Option<&Slot<'l>> {
        let at = self.0.binary_search_by(|(own, _)| (*own).cmp(key)).ok()?;
        self.0.get(at).map(|(_, slot)| slot)
    }

    pub(crate) fn contains_key(&self, key: &str) -> bool {
        self.get(key).is_some()
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn iter(&self) -> Entries<'_, 'l> {
        self.0.iter().map(|(key, slot)| (key, slot))
    }

    pub(crate) fn keys(&self) -> impl Iterator<Item = &&'l str> {
        self.0.iter().map(|(key, _)| key)
    }

    pub(crate) fn values(&self) -> impl Iterator<Item = &Slot<'l>> {
        self.0.iter().map(|(_, slot)| slot)
    }

    /// Takes in the entries of another table; where both have a key, `meet` makes one slot of the two.
    pub(crate) fn unite(&mut self, other: Self, mut meet: impl FnMut(Slot<'l>, Slot<'l>) -> Slot<'l>) {
        let mut added = Vec::new();
        let mut from = 0;
        for (key, new) in other.0 {
            // both are sorted: what was passed is not looked at again
            let rest = self.0.get(from..).unwrap_or_default();
            from += rest.iter().position(|(own, _)| *own >= key).unwrap_or(rest.len());
            match self.0.get_mut(from) {
                Some((own, slot)) if *own == key => {
                    let old = std::mem::replace(slot, Slot::new(Merged::Null, new.origin));
                    *slot = meet(old, new);
                }
                _ => added.push((key, new)),
            }
        }
        if !added.is_empty() {
            self.0.append(&mut added);
            // two sorted runs, which the sort takes as they are
            self.0.sort_by_key(|(key, _)| *key);
        }
    }
}

type Entry<'s, 'l> = (&'s &'l str, &'s Slot<'l>);

/// What [`Keys::iter`] gives.
pub(crate) type Entries<'s, 'l> =
    std::iter::Map<std::slice::Iter<'s, (&'l str, Slot<'l>)>, fn(&'s (&'l str, Slot<'l>)) -> Entry<'s, 'l>>;

impl<'s, 'l> IntoIterator for &'s Keys<'l> {
    type Item = Entry<'s, 'l>;
    type IntoIter = Entries<'s, 'l>;
    fn into_iter(self) -> Entries<'s, 'l> {
        self.iter()
    }
}

/// Whether a table has a share in a secret that could not be had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hole {
    No,
    Yes,
}

impl Merged<'_> {
    /// Whether anything in it came from a secret.
    pub(crate) fn holds_secret(&self) -> bool {
        match self {
            Merged::Null | Merged::Plain(_) => false,
            Merged::Sealed(_) | Merged::Hole => true,
            Merged::List(items) => items.iter().any(Slot::is_secret),
            Merged::Table(table, hole) => *hole == Hole::Yes || table.values().any(Slot::is_secret),
        }
    }
}

impl<'l> Slot<'l> {
    pub(crate) fn new(node: Merged<'l>, origin: Origin) -> Self {
        Self { node, origin, beaten: Vec::new() }
    }

    pub(crate) fn is_secret(&self) -> bool {
        self.origin.secret.is_some() && !matches!(self.node, Merged::Table(..) | Merged::List(_))
            || self.node.holds_secret()
    }

    /// Copies the wanted leaves out; `wanted` is told whether a leaf is a secret's. A `null` has no value.
    #[cfg(feature = "cli")]
    pub(crate) fn open(
        &self,
        path: &KeyPath,
        wanted: &dyn Fn(&KeyPath, bool) -> bool,
        into: &mut Vec<(KeyPath, Zeroizing<Vec<u8>>)>,
    ) {
        let value = match &self.node {
            Merged::Table(table, _) => {
                return table.iter().for_each(|(key, slot)| slot.open(&path.child(key), wanted, into));
            }
            Merged::List(items) => {
                let items = items.iter().enumerate();
                return items.for_each(|(n, slot)| slot.open(&path.child(&n.to_string()), wanted, into));
            }
            Merged::Null | Merged::Hole => return,
            _ if !wanted(path, self.is_secret()) => return,
            Merged::Plain(_) => {
                Zeroizing::new(std::mem::take(&mut *crate::explain::plain(&self.node)).into_bytes())
            }
            Merged::Sealed(sealed) => Zeroizing::new(match sealed.expose_secret() {
                Exposed::Text(text) | Exposed::Number(text) => text.as_bytes().to_vec(),
                Exposed::Bytes(bytes) => bytes.to_vec(),
                Exposed::Bool(yes) => yes.to_string().into_bytes(),
            }),
        };
        into.push((path.clone(), value));
    }

    /// The slot at a path of keys.
    pub(crate) fn at<'s>(&'s self, path: &KeyPath) -> Option<&'s Slot<'l>> {
        path.iter().try_fold(self, |slot, key| match &slot.node {
            Merged::Table(table, _) => table.get(key),
            Merged::List(items) => items.get(key.parse::<usize>().ok()?),
            _ => None,
        })
    }
}

/// The text of a leaf, if it is one of text. For the decoder.
pub(crate) enum LeafText<'l> {
    /// Text that is parsed when the target asks for it: environment and secrets.
    Parsed(&'l str),
    /// A string of a typed format.
    Strict(&'l str),
}

impl<'l> Merged<'l> {
    pub(crate) fn leaf_text(&self) -> Option<LeafText<'l>> {
        match self {
            Merged::Plain(Plain::Text(text)) => Some(LeafText::Strict(text)),
            Merged::Plain(Plain::Loose(text)) => Some(LeafText::Parsed(text)),
            Merged::Sealed(sealed) => match sealed.expose_secret() {
                Exposed::Text(text) | Exposed::Number(text) => Some(LeafText::Parsed(text)),
                Exposed::Bool(true) => Some(LeafText::Parsed("true")),
                Exposed::Bool(false) => Some(LeafText::Parsed("false")),
                Exposed::Bytes(_) => None,
            },
            _ => None,
        }
    }
}

/// A path of keys from the root: `database.password`. List elements by number.
///
/// A key that itself holds a dot is printed in quotes: `tls."tls.crt"`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct KeyPath(Vec<Box<str>>);

impl KeyPath {
    /// The root.
    pub const fn root() -> Self {
        Self(Vec::new())
    }

    /// Parses a dotted path; the empty text is the root. Keys in double quotes may hold dots.
    ///
    /// ```
    /// use secretfig::KeyPath;
    /// let path = KeyPath::parse(r#"tls."tls.crt""#);
    /// assert_eq!(path.iter().collect::<Vec<_>>(), ["tls", "tls.crt"]);
    /// assert_eq!(path.to_string(), r#"tls."tls.crt""#);
    /// assert!(KeyPath::parse("").is_root());
    /// ```
    pub fn parse(text: &str) -> Self {
        let mut keys = Vec::new();
        let (mut key, mut quoted) = (String::new(), false);
        if text.is_empty() {
            return Self(keys);
        }
        for c in text.chars() {
            match c {
                '"' => quoted = !quoted,
                '.' if !quoted => keys.push(std::mem::take(&mut key).into_boxed_str()),
                c => key.push(c),
            }
        }
        keys.push(key.into_boxed_str());
        Self(keys)
    }

    /// A path of these keys.
    pub fn of<K: Into<Box<str>>>(keys: impl IntoIterator<Item = K>) -> Self {
        Self(keys.into_iter().map(Into::into).collect())
    }

    /// The keys.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &str> + ExactSizeIterator {
        self.0.iter().map(|key| &**key)
    }

    /// Whether it is the root.
    pub fn is_root(&self) -> bool {
        self.0.is_empty()
    }

    /// The number of keys.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether it is the root; the other name that collections have for it.
    pub fn is_empty(&self) -> bool {
        self.is_root()
    }

    /// The path one key longer.
    #[must_use]
    pub fn child(&self, key: &str) -> Self {
        let mut keys = Vec::with_capacity(self.0.len() + 1);
        keys.extend_from_slice(&self.0);
        keys.push(key.into());
        Self(keys)
    }

    /// The path without its last key; the root has none.
    pub fn parent(&self) -> Option<Self> {
        let (_, rest) = self.0.split_last()?;
        Some(Self(rest.to_vec()))
    }

    /// Its last key.
    pub fn last(&self) -> Option<&str> {
        self.0.last().map(|key| &**key)
    }

    /// Whether it is `other` or lies under it.
    pub fn starts_with(&self, other: &KeyPath) -> bool {
        self.0.starts_with(&other.0)
    }

    /// Whether one of the two lies under the other, or they are the same.
    pub(crate) fn meets(&self, other: &KeyPath) -> bool {
        self.starts_with(other) || other.starts_with(self)
    }

    /// Whether the text, with `*` for the rest of a path or for one key, matches this path.
    pub(crate) fn matches(&self, pattern: &KeyPath) -> bool {
        let mut keys = self.0.iter();
        for (n, wanted) in pattern.0.iter().enumerate() {
            match (&**wanted, keys.next()) {
                ("*", Some(_)) if n + 1 == pattern.0.len() => return true,
                ("*", Some(_)) => {}
                (wanted, Some(key)) if wanted == &**key => {}
                _ => return false,
            }
        }
        keys.next().is_none()
    }
}

impl fmt::Display for KeyPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("(root)");
        }
        for (n, key) in self.0.iter().enumerate() {
            if n > 0 {
                f.write_str(".")?;
            }
            if key.contains('.') || key.is_empty() {
                write!(f, "\"{}\"", Clean(key))?;
            } else {
                write!(f, "{}", Clean(key))?;
            }
        }
        Ok(())
    }
}

/// Text on its way to a terminal or a log: control characters escaped.
pub(crate) struct Clean<'a>(pub(crate) &'a str);

impl fmt::Display for Clean<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for c in self.0.chars() {
            if c.is_control() {
                write!(f, "{}", c.escape_default())?;
            } else {
                write!(f, "{c}")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_match_patterns() {
        let path = KeyPath::parse("a.b.c");
        for (pattern, hit) in [
            ("a.b.c", true),
            ("a.*", true),
            ("a.*.c", true),
            ("*", true),
            ("a.b", false),
            ("a.b.c.*", false),
            ("b.*", false),
        ] {
            assert_eq!(path.matches(&KeyPath::parse(pattern)), hit, "{pattern}");
        }
    }

    #[test]
    fn united_keys_are_sorted_and_each_is_found() {
        let keys = |keys: &[&'static str], layer: u32| {
            let origin = Origin { layer: OriginId(layer), secret: None };
            Keys::sorted(keys.len(), keys.iter().map(|key| (*key, Slot::new(Merged::Null, origin))))
        };
        for (a, b) in [("bdf", "aceg"), ("abc", "bc"), ("bc", "abcd"), ("", "ab"), ("ab", ""), ("z", "a")] {
            let split =
                |keys: &'static str| -> Vec<&'static str> { (0..keys.len()).map(|n| &keys[n..=n]).collect() };
            let mut united = keys(&split(a), 1);
            let mut met = Vec::new();
            united.unite(keys(&split(b), 2), |old, new| {
                met.push((old.origin.layer.0, new.origin.layer.0));
                new
            });
            let both: std::collections::BTreeSet<&str> = split(a).into_iter().chain(split(b)).collect();
            assert_eq!(united.keys().copied().collect::<Vec<_>>(), both.iter().copied().collect::<Vec<_>>());
            for key in both {
                let layer = if b.contains(key) { 2 } else { 1 };
                assert_eq!(
                    united.get(key).map(|slot| slot.origin.layer.0),
                    Some(layer),
                    "{key} of {a} and {b}"
                );
            }
            assert_eq!(met, vec![(1, 2); b.chars().filter(|c| a.contains(*c)).count()]);
        }
    }

    #[test]
    fn no_key_writes_to_the_terminal() {
        assert_eq!(KeyPath::of(["a\u{1b}[2J"]).to_string(), "a\\u{1b}[2J");
    }
}
