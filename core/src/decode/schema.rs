//! The keys a type asks for.

use super::Notes;
#[cfg(feature = "cli")]
use super::standin::{self, Any, TEXTS};
use crate::tree::KeyPath;
use serde::de::DeserializeOwned;
use std::collections::BTreeSet;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// The keys that a configuration type asks for, found by decoding it from nothing.
///
/// What only exists under a map key, a list element or a later enum variant is not seen.
///
/// ```
/// # use serde::Deserialize;
/// #[derive(Deserialize)]
/// struct App {
///     port: u16,
///     name: Option<String>,
/// }
/// let schema = secretfig::Schema::of::<App>();
/// let keys: Vec<_> = schema.keys().iter().map(|key| key.path.to_string()).collect();
/// assert_eq!(keys, ["port", "name"]);
/// ```
#[derive(Clone, Debug)]
pub struct Schema {
    keys: Vec<Key>,
}

/// One key of a [`Schema`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Key {
    /// Where.
    pub path: KeyPath,
    /// What is asked for there.
    pub kind: KeyKind,
    /// Whether it lies in a [`Live`](crate::Live) part.
    pub live: bool,
}

/// What a key asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeyKind {
    /// A number.
    Number,
    /// `true` or `false`.
    Bool,
    /// Text, or what parses itself from text.
    Text,
    /// Bytes.
    Bytes,
    /// A list.
    List,
    /// A table.
    Table,
    /// One of these names.
    Choice(&'static [&'static str]),
    /// Whatever there is (`flatten`, `untagged`).
    Any,
}

impl fmt::Display for KeyKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            KeyKind::Number => f.write_str("a number"),
            KeyKind::Bool => f.write_str("true or false"),
            KeyKind::Text => f.write_str("text"),
            KeyKind::Bytes => f.write_str("bytes"),
            KeyKind::List => f.write_str("a list"),
            KeyKind::Table => f.write_str("a table"),
            KeyKind::Choice(names) => write!(f, "one of {}", names.join(", ")),
            KeyKind::Any => f.write_str("any value"),
        }
    }
}

/// Decodes `T` from nothing and notes what it asks for. A type whose code panics on that has no schema.
fn notes<T: DeserializeOwned>() -> Notes {
    catch_unwind(AssertUnwindSafe(super::gather::asked_for::<T>)).unwrap_or_default()
}

/// The paths of all keys and tables that `T` asks for.
pub(crate) fn key_paths<T: DeserializeOwned>() -> BTreeSet<KeyPath> {
    notes::<T>().kinds.into_keys().collect()
}

impl Schema {
    /// The keys of `T`.
    pub fn of<T: DeserializeOwned>() -> Self {
        let notes = notes::<T>();
        let mut keys: Vec<Key> = notes
            .kinds
            .iter()
            .filter(|(path, kind)| !path.is_root() && **kind != KeyKind::Table)
            .map(|(path, kind)| Key {
                path: path.clone(),
                kind: *kind,
                live: notes.lives.iter().any(|live| path.starts_with(live)),
            })
            .collect();
        keys.sort_by(|a, b| super::gather::by_field(&notes.fields, &a.path, &b.path));
        Self { keys }
    }

    /// The keys, in the order of the fields.
    pub fn keys(&self) -> &[Key] {
        &self.keys
    }
}

/// All that is known of a type's keys, for a template: a tree in place of a list.
#[cfg(feature = "cli")]
pub(crate) struct Outline {
    /// Whether the type was satisfied by its examples.
    pub(crate) whole: bool,
    notes: Notes,
    spare: BTreeSet<KeyPath>,
}

/// A value that the type accepts at a place.
#[cfg(feature = "cli")]
pub(crate) enum Example {
    Text(&'static str),
    Number(u64),
    Bool(bool),
    List,
    Table,
    /// A variant, whose content lies under its name.
    Variant(&'static str),
    /// Nothing but an absent value.
    Null,
}

#[cfg(feature = "cli")]
impl Outline {
    /// Of `T`; empty where its code panics on stand-ins.
    pub(crate) fn of<T: DeserializeOwned>() -> Self {
        let asked = catch_unwind(AssertUnwindSafe(super::gather::asked_in_full::<T>));
        let (notes, whole, spare) = asked.unwrap_or_default();
        Self { whole, notes, spare }
    }

    /// The keys right below a place, in the order of the fields.
    pub(crate) fn under(&self, place: &KeyPath) -> Vec<&KeyPath> {
        let below = self.notes.kinds.keys().filter(|path| path.parent().as_ref() == Some(place));
        let mut below: Vec<&KeyPath> = below.collect();
        below.sort_by(|a, b| super::gather::by_field(&self.notes.fields, a, b));
        below
    }

    pub(crate) fn kind(&self, place: &KeyPath) -> Option<KeyKind> {
        self.notes.kinds.get(place).copied()
    }

    /// Whether the type can do without this key. Of the keys of a checked model nobody knows: it judges them together,
    /// and no stand-ins.
    pub(crate) fn is_spare(&self, place: &KeyPath) -> bool {
        let inside = |model: &KeyPath| place.starts_with(model) && place != model;
        self.spare.contains(place) && !self.notes.sealed.iter().any(inside)
    }

    /// Whether a table's keys are fields of a struct: those of a map are anyone's.
    pub(crate) fn has_fields(&self, place: &KeyPath) -> bool {
        // the one key that a map is offered where it wants some
        self.notes.fields.contains_key(place) || self.under(place).iter().any(|key| key.last() != Some("1"))
    }

    /// Whether it is a `Live` part, or a place whose type says that it holds a secret.
    pub(crate) fn is_secret(&self, place: &KeyPath) -> bool {
        self.notes.lives.contains(place) || self.notes.sealed.contains(place)
    }

    pub(crate) fn example(&self, place: &KeyPath) -> Option<Example> {
        let (candidate, name) = self.notes.given.get(place).copied().unwrap_or_default();
        let text = || Example::Text(name.or_else(|| TEXTS.get(candidate).copied()).unwrap_or_default());
        let number = || standin::NUMBERS.get(candidate).copied().unwrap_or_default();
        Some(match self.kind(place)? {
            KeyKind::Number => Example::Number(number().into()),
            KeyKind::Bool => Example::Bool(candidate == 1),
            KeyKind::Text | KeyKind::Bytes => text(),
            KeyKind::List => Example::List,
            KeyKind::Table => Example::Table,
            KeyKind::Choice(names) => Example::Variant(name.or_else(|| names.get(candidate).copied())?),
            KeyKind::Any if name.is_some() => text(),
            KeyKind::Any => match standin::any(candidate) {
                Any::Text => text(),
                Any::Number(n) => Example::Number(n),
                Any::Bool => Example::Bool(false),
                Any::Table => Example::Table,
                Any::List => Example::List,
                Any::Null => Example::Null,
            },
        })
    }
}
