//! The keys a type asks for.

use super::Notes;
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
