//! From the merged tree to the application's own type.
//!
//! * [`de`](self) (this file): what a leaf gives to which target; the devices of our own types.
//! * `access`: tables, lists and enums, which put the path on every error.
//! * `standin`: what stands where a value is missing or wrong, so that decoding goes on.
//! * `gather`: decodes again and again until every fault is known.
//! * `schema`: the keys that the type asks for.
//!
//! The decoder borrows from the tree and calls `visit_borrowed_str`: serde's private buffer (behind `flatten`
//! and `untagged`) then keeps a reference and copies no secret text.

mod access;
mod error;
mod gather;
mod schema;
mod standin;
mod text;

pub(crate) use access::Path;
pub(crate) use error::What;
pub(crate) use gather::{Found, decode, decode_at};
pub(crate) use schema::key_paths;
pub use schema::{Key, KeyKind, Schema};

use crate::plan::OriginInfo;
use crate::tree::{Hole, KeyPath, LeafText, Merged, Number, Plain, Slot};
use access::{Elements, Entries, PieceDe, Pieces, Variant};
use error::Error;
use serde::de::{self, Visitor, value::BorrowedStrDeserializer};
use standin::StandIn;
use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The newtype names by which our own types ask for more than serde offers. Any other deserializer sees a
/// plain newtype.
pub(crate) const LIVE: &str = "$secretfig::Live";
pub(crate) const STRICT: &str = "$secretfig::Strict";
pub(crate) const CHECKED: &str = "$secretfig::Checked";
#[cfg(feature = "models")]
pub(crate) const TEXT_OR_TABLE: &str = "$secretfig::TextOrTable";
const FIGMENT_PATH: &str = "___figment_relative_path_buf";

/// What one decoding walk notes on its way.
#[derive(Default)]
pub(crate) struct Walk {
    /// Stand-ins and dropped keys, by path.
    pub(crate) overlay: BTreeMap<KeyPath, standin::Entry>,
    /// The type's own spelling of keys that were missing.
    pub(crate) missing: BTreeMap<KeyPath, &'static str>,
    /// How many stand-ins were given out in this walk.
    pub(crate) used_standin: std::cell::Cell<usize>,
    /// Whether plain leaves may satisfy `Strict<T>`.
    pub(crate) strict: bool,
    /// Where values come from: for paths that are relative to their file.
    pub(crate) origins: Arc<[OriginInfo]>,
    pub(crate) notes: RefCell<Notes>,
    /// Whether to note the schema and every stand-in asked for (not on the first, clean walk).
    pub(crate) thorough: bool,
    /// Whether a stand-in option is walked into: for the schema.
    pub(crate) into_options: bool,
}

#[derive(Default)]
pub(crate) struct Notes {
    /// `Live` parts met, by path.
    pub(crate) lives: Vec<KeyPath>,
    /// Keys that no field took.
    pub(crate) unknown: Vec<KeyPath>,
    /// The fields of every struct met.
    pub(crate) fields: BTreeMap<KeyPath, &'static [&'static str]>,
    /// How many candidates the last ask at a stand-in had.
    pub(crate) asked: BTreeMap<KeyPath, usize>,
    /// Sealed or plain nodes asked for by `deserialize_any`.
    pub(crate) any: BTreeSet<KeyPath>,
    /// The key last offered to a table, for two spellings of one field.
    pub(crate) last_key: Option<KeyPath>,
    /// What the models found wrong.
    pub(crate) invalid: Vec<(KeyPath, &'static str)>,
    /// What each key asked for.
    pub(crate) kinds: BTreeMap<KeyPath, KeyKind>,
}

/// The deserializer of one place.
pub(crate) struct De<'de, 'w> {
    pub(crate) at: At<'de>,
    pub(crate) walk: &'w Walk,
    pub(crate) path: Path<'w>,
}

#[derive(Clone, Copy)]
pub(crate) enum At<'de> {
    Slot(&'de Slot<'de>),
    StandIn(StandIn),
}

type Res<T> = Result<T, Error>;

impl<'de, 'w> De<'de, 'w> {
    pub(crate) fn root(slot: &'de Slot<'de>, walk: &'w Walk) -> Self {
        Self { at: At::Slot(slot), walk, path: Path::ROOT }
    }

    fn note(&self, kind: KeyKind) {
        if self.walk.thorough {
            self.walk.notes.borrow_mut().kinds.insert(self.path.to_key_path(), kind);
        }
    }

    /// A visitor's error at this place, screened against the leaf's own text.
    fn here<T>(&self, result: Res<T>) -> Res<T> {
        result.map_err(|e| {
            let e = match self.at {
                At::Slot(slot) => match slot.node.leaf_text() {
                    Some(LeafText::Parsed(text) | LeafText::Strict(text)) => e.screened(text),
                    None => e,
                },
                At::StandIn(_) => e,
            };
            e.at(|| self.path.to_key_path())
        })
    }

    fn wrong<T>(&self, visitor: &dyn de::Expected) -> Res<T> {
        self.here(Err(de::Error::invalid_type(de::Unexpected::Other("value"), visitor)))
    }

    /// Text that may be parsed into what the target asks for.
    fn parsable(&self) -> Option<&'de str> {
        match self.at {
            At::Slot(slot) => match slot.node.leaf_text()? {
                LeafText::Parsed(text) => Some(text.trim()),
                LeafText::Strict(_) => None,
            },
            At::StandIn(_) => None,
        }
    }

    /// The file a value stands in. A secret stands in none: the file that names it says nothing of its paths.
    fn file_of(&self, slot: &Slot<'_>) -> Option<Cow<'_, str>> {
        let info = self.walk.origins.get(slot.origin.layer.0 as usize).filter(|_| !slot.is_secret())?;
        Some(info.file.as_ref()?.to_string_lossy())
    }

    fn standin(&self) -> Option<StandIn> {
        match self.at {
            At::StandIn(standin) => Some(standin),
            At::Slot(slot) if matches!(slot.node, Merged::Hole) => Some(StandIn::default()),
            At::Slot(_) => None,
        }
    }

    /// Which candidate to give out, of `count`; noted so that the next round knows how many there were.
    fn candidate(&self, standin: StandIn, count: usize) -> usize {
        self.walk.used_standin.set(self.walk.used_standin.get() + 1);
        if self.walk.thorough {
            self.walk.notes.borrow_mut().asked.insert(self.path.to_key_path(), count);
        }
        standin.at(&self.walk.overlay, || self.path.to_key_path()).min(count.saturating_sub(1))
    }

    fn any_leaf<V: Visitor<'de>>(self, visitor: V) -> Res<V::Value> {
        let At::Slot(slot) = self.at else { return self.wrong(&visitor) };
        let result = match &slot.node {
            Merged::Null => visitor.visit_unit(),
            Merged::Plain(Plain::Bool(yes)) => visitor.visit_bool(*yes),
            Merged::Plain(Plain::Number(number) | Plain::Guessed(number)) => self::number(*number, visitor),
            Merged::Plain(Plain::Text(text)) => visitor.visit_borrowed_str(text),
            Merged::Plain(Plain::Loose(text)) => text::loose_any(text, visitor),
            Merged::Sealed(sealed) => match sealed.expose_secret() {
                secretfig_source::Exposed::Bytes(bytes) => visitor.visit_borrowed_bytes(bytes),
                secretfig_source::Exposed::Bool(yes) => {
                    visitor.visit_borrowed_str(if yes { "true" } else { "false" })
                }
                secretfig_source::Exposed::Text(text) | secretfig_source::Exposed::Number(text) => {
                    visitor.visit_borrowed_str(text)
                }
            },
            Merged::List(_) | Merged::Table(..) | Merged::Hole => {
                return self.wrong(&visitor);
            }
        };
        self.here(result)
    }
}

/// figment's device for a path that is relative to the file it stands in.
fn figment_path<'de, V: Visitor<'de>>(text: &str, file: Option<&str>, visitor: V) -> Res<V::Value> {
    let file = file.map(|file| ("___figment_relative_metadata_path", PieceDe(file)));
    let fields = file.into_iter().chain([("___figment_relative_path", PieceDe(text))]);
    visitor.visit_map(de::value::MapDeserializer::new(fields))
}

fn number<'de, V: Visitor<'de>>(number: Number, visitor: V) -> Res<V::Value> {
    match number {
        Number::Unsigned(n) => match u64::try_from(n) {
            Ok(n) => visitor.visit_u64(n),
            Err(_) => visitor.visit_u128(n),
        },
        Number::Signed(n) => match i64::try_from(n) {
            Ok(n) => visitor.visit_i64(n),
            Err(_) => visitor.visit_i128(n),
        },
        Number::Float(n) => visitor.visit_f64(n),
    }
}

macro_rules! numbers {
    ($($deserialize:ident $visit:ident $type:ty,)*) => {$(
        fn $deserialize<V: Visitor<'de>>(self, visitor: V) -> Res<V::Value> {
            self.note(KeyKind::Number);
            if let Some(standin) = self.standin() {
                let candidate = self.candidate(standin, standin::NUMBERS.len());
                let result = visitor.$visit(standin::NUMBERS[candidate] as $type);
                return self.here(result);
            }
            if let Some(text) = self.parsable() {
                return match text.parse::<$type>() {
                    Ok(number) => { let result = visitor.$visit(number); self.here(result) }
                    Err(_) => self.wrong(&visitor),
                };
            }
            match self.at {
                At::Slot(Slot { node: Merged::Plain(Plain::Number(n) | Plain::Guessed(n)), .. }) => {
                    let result = number(*n, visitor);
                    self.here(result)
                }
                _ => self.wrong(&visitor),
            }
        }
    )*};
}

impl<'de> de::Deserializer<'de> for De<'de, '_> {
    type Error = Error;

    numbers! {
        deserialize_u8 visit_u8 u8, deserialize_u16 visit_u16 u16, deserialize_u32 visit_u32 u32,
        deserialize_u64 visit_u64 u64, deserialize_u128 visit_u128 u128, deserialize_i8 visit_i8 i8,
        deserialize_i16 visit_i16 i16, deserialize_i32 visit_i32 i32, deserialize_i64 visit_i64 i64,
        deserialize_i128 visit_i128 i128, deserialize_f32 visit_f32 f32, deserialize_f64 visit_f64 f64,
    }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Res<V::Value> {
        self.note(KeyKind::Any);
        if self.walk.thorough {
            self.walk.notes.borrow_mut().any.insert(self.path.to_key_path());
        }
        if let Some(standin) = self.standin() {
            let candidate = self.candidate(standin, standin::ANY);
            return match standin::any(candidate) {
                standin::Any::Text(text) => {
                    let result = visitor.visit_borrowed_str(text);
                    self.here(result)
                }
                standin::Any::Number(n) => {
                    let result = visitor.visit_u64(n);
                    self.here(result)
                }
                standin::Any::Bool => {
                    let result = visitor.visit_bool(false);
                    self.here(result)
                }
                standin::Any::Table => {
                    let result = visitor.visit_map(Entries::none(self.walk, self.path));
                    self.here(result)
                }
                standin::Any::List => {
                    let result = visitor.visit_seq(Elements::standins(0, standin, self.walk, self.path));
                    self.here(result)
                }
                standin::Any::Null => {
                    let result = visitor.visit_unit();
                    self.here(result)
                }
            };
        }
        match self.at {
            At::Slot(Slot { node: Merged::Table(..), .. }) => self.deserialize_map(visitor),
            At::Slot(Slot { node: Merged::List(_), .. }) => self.deserialize_seq(visitor),
            _ => self.any_leaf(visitor),
        }
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Res<V::Value> {
        self.note(KeyKind::Bool);
        if let Some(standin) = self.standin() {
            let yes = self.candidate(standin, 2) == 1;
            let result = visitor.visit_bool(yes);
            return self.here(result);
        }
        match (self.parsable(), self.at) {
            (Some("true"), _) => {
                let result = visitor.visit_bool(true);
                self.here(result)
            }
            (Some("false"), _) => {
                let result = visitor.visit_bool(false);
                self.here(result)
            }
            (None, At::Slot(Slot { node: Merged::Plain(Plain::Bool(yes)), .. })) => {
                let result = visitor.visit_bool(*yes);
                self.here(result)
            }
            _ => self.wrong(&visitor),
        }
    }

    fn deserialize_char<V: Visitor<'de>>(self, visitor: V) -> Res<V::Value> {
        self.deserialize_str(visitor)
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Res<V::Value> {
        self.deserialize_str(visitor)
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Res<V::Value> {
        self.note(KeyKind::Text);
        if let Some(standin) = self.standin() {
            let candidate = self.candidate(standin, standin::TEXTS.len());
            let result = visitor.visit_borrowed_str(standin::TEXTS[candidate]);
            return self.here(result);
        }
        let At::Slot(slot) = self.at else { return self.wrong(&visitor) };
        match (&slot.node, slot.node.leaf_text()) {
            (_, Some(LeafText::Parsed(text) | LeafText::Strict(text))) => {
                let result = visitor.visit_borrowed_str(text);
                self.here(result)
            }
            (Merged::Plain(Plain::Guessed(_)), _) => self.here(Err(Error::new(What::Guessed))),
            (Merged::Sealed(_), None) => self.here(Err(Error::new(What::Bytes))),
            _ => self.wrong(&visitor),
        }
    }

    fn deserialize_byte_buf<V: Visitor<'de>>(self, visitor: V) -> Res<V::Value> {
        self.deserialize_bytes(visitor)
    }

    fn deserialize_bytes<V: Visitor<'de>>(self, visitor: V) -> Res<V::Value> {
        self.note(KeyKind::Bytes);
        if let Some(standin) = self.standin() {
            let candidate = self.candidate(standin, standin::TEXTS.len());
            let result = visitor.visit_borrowed_bytes(standin::TEXTS[candidate].as_bytes());
            return self.here(result);
        }
        let At::Slot(slot) = self.at else { return self.wrong(&visitor) };
        match (&slot.node, slot.node.leaf_text()) {
            (_, Some(LeafText::Parsed(text) | LeafText::Strict(text))) => {
                let result = visitor.visit_borrowed_bytes(text.as_bytes());
                self.here(result)
            }
            (Merged::Sealed(_), None) => self.any_leaf(visitor),
            (Merged::Plain(Plain::Guessed(_)), _) => self.here(Err(Error::new(What::Guessed))),
            (Merged::List(_), _) => self.deserialize_seq(visitor),
            _ => self.wrong(&visitor),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Res<V::Value> {
        match (self.standin(), self.at) {
            (Some(_), _) => {
                self.walk.used_standin.set(self.walk.used_standin.get() + 1);
                if self.walk.into_options && self.path.depth() < 12 {
                    return visitor.visit_some(self);
                }
                visitor.visit_none()
            }
            (None, At::Slot(Slot { node: Merged::Null, .. })) => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Res<V::Value> {
        match (self.standin(), self.at) {
            (Some(_), _) | (None, At::Slot(Slot { node: Merged::Null, .. })) => visitor.visit_unit(),
            _ => self.wrong(&visitor),
        }
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Res<V::Value> {
        self.deserialize_unit(visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, name: &'static str, visitor: V) -> Res<V::Value> {
        match name {
            LIVE => {
                let path = self.path.to_key_path();
                self.walk.notes.borrow_mut().lives.push(path.clone());
                let outer = self.path;
                visitor
                    .visit_seq(access::LivePart { path: Some(path), inner: Some(self) })
                    .map_err(|e: Error| e.at(|| outer.to_key_path()))
            }
            STRICT => {
                if let (true, None, At::Slot(slot)) = (self.walk.strict, self.standin(), self.at)
                    && !slot.is_secret()
                {
                    return self.here(Err(Error::new(What::Plain)));
                }
                visitor.visit_newtype_struct(self)
            }
            CHECKED => {
                let outer = self.path;
                visitor
                    .visit_seq(access::CheckedPart::new(self))
                    .map_err(|e: Error| e.at(|| outer.to_key_path()))
            }
            // text (or bytes) is offered as it stands, all else as `Some`, which then asks for its struct
            #[cfg(feature = "models")]
            TEXT_OR_TABLE => match (self.standin(), self.at) {
                (None, At::Slot(Slot { node: Merged::Sealed(_) | Merged::Plain(Plain::Text(_)), .. })) => {
                    self.any_leaf(visitor)
                }
                (None, At::Slot(Slot { node: Merged::Plain(Plain::Loose(text)), .. })) => {
                    let result = visitor.visit_borrowed_str(text);
                    self.here(result)
                }
                _ => visitor.visit_some(self),
            },
            _ => visitor.visit_newtype_struct(self),
        }
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Res<V::Value> {
        self.note(KeyKind::List);
        if let Some(standin) = self.standin() {
            let count = self.candidate(standin, standin::LENGTHS);
            let result = visitor.visit_seq(Elements::standins(count, standin, self.walk, self.path));
            return self.here(result);
        }
        match self.at {
            At::Slot(Slot { node: Merged::List(items), .. }) => {
                let result = visitor.visit_seq(Elements::of(items, self.walk, self.path));
                self.here(result)
            }
            // a list in an environment variable is figment's `[a, "b, c"]`; sealed text is never split
            At::Slot(Slot { node: Merged::Plain(Plain::Loose(text)), .. }) => match text::list(text) {
                Some(pieces) => {
                    let result = visitor.visit_seq(Pieces::new(pieces, self.path));
                    self.here(result)
                }
                None => self.wrong(&visitor),
            },
            _ => self.wrong(&visitor),
        }
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, len: usize, visitor: V) -> Res<V::Value> {
        if let Some(standin) = self.standin() {
            self.candidate(standin, 1);
            let result = visitor.visit_seq(Elements::standins(len, standin, self.walk, self.path));
            return self.here(result);
        }
        self.deserialize_seq(visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        len: usize,
        visitor: V,
    ) -> Res<V::Value> {
        self.deserialize_tuple(len, visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Res<V::Value> {
        self.note(KeyKind::Table);
        if let Some(standin) = self.standin() {
            let entries = if self.candidate(standin, 2) == 1 {
                Entries::standins(&["a"], standin, self.walk, self.path)
            } else {
                Entries::none(self.walk, self.path)
            };
            let result = visitor.visit_map(entries);
            return self.here(result);
        }
        match self.at {
            At::Slot(Slot { node: Merged::Table(table, hole), .. }) => {
                let result = visitor.visit_map(Entries::of(table, *hole, self.walk, self.path));
                self.here(result)
            }
            _ => self.wrong(&visitor),
        }
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Res<V::Value> {
        if self.walk.thorough {
            self.walk.notes.borrow_mut().fields.insert(self.path.to_key_path(), fields);
        }
        if let Some(standin) = self.standin() {
            self.note(KeyKind::Table);
            self.candidate(standin, standin::TEXTS.len());
            let result = visitor.visit_map(Entries::standins(fields, standin, self.walk, self.path));
            return self.here(result);
        }
        let At::Slot(slot) = self.at else { return self.wrong(&visitor) };
        match (name, slot.node.leaf_text()) {
            ("Duration", Some(LeafText::Parsed(text) | LeafText::Strict(text)))
                if fields == ["secs", "nanos"] =>
            {
                let result = text::duration(text, visitor);
                self.here(result)
            }
            (FIGMENT_PATH, Some(LeafText::Parsed(text) | LeafText::Strict(text))) => {
                let result = figment_path(text, self.file_of(slot).as_deref(), visitor);
                self.here(result)
            }
            _ => self.deserialize_map(visitor),
        }
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Res<V::Value> {
        self.note(KeyKind::Choice(variants));
        if let Some(standin) = self.standin() {
            let candidate = self.candidate(standin, variants.len());
            let Some(variant) = variants.get(candidate) else { return self.wrong(&visitor) };
            let result = visitor.visit_enum(Variant::standin(variant, standin, self.walk, self.path));
            return self.here(result);
        }
        let At::Slot(slot) = self.at else { return self.wrong(&visitor) };
        let result = match (&slot.node, slot.node.leaf_text()) {
            (_, Some(LeafText::Parsed(text) | LeafText::Strict(text))) => {
                visitor.visit_enum(de::value::BorrowedStrDeserializer::new(text))
            }
            (Merged::Table(table, _), _) if table.len() == 1 => match table.iter().next() {
                Some((name, content)) => visitor.visit_enum(Variant::of(name, content, self.walk, self.path)),
                None => return self.wrong(&visitor),
            },
            (Merged::Plain(Plain::Number(Number::Unsigned(n)) | Plain::Guessed(Number::Unsigned(n))), _) => {
                match u32::try_from(*n) {
                    Ok(n) => visitor.visit_enum(de::value::U32Deserializer::new(n)),
                    Err(_) => return self.wrong(&visitor),
                }
            }
            _ => return self.wrong(&visitor),
        };
        self.here(result)
    }

    fn deserialize_identifier<V: Visitor<'de>>(self, visitor: V) -> Res<V::Value> {
        self.deserialize_str(visitor)
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Res<V::Value> {
        self.walk.notes.borrow_mut().unknown.push(self.path.to_key_path());
        visitor.visit_unit()
    }
}

/// Deserializes a key of a table. An unknown field is refused here, with the key's own path.
fn key<'de, S: de::DeserializeSeed<'de>>(key: &'de str, seed: S) -> Res<S::Value> {
    seed.deserialize(BorrowedStrDeserializer::new(key))
}

/// Whether a table is short of a secret.
fn has_hole(slot: &Slot<'_>) -> bool {
    matches!(slot.node, Merged::Hole | Merged::Table(_, Hole::Yes))
}
