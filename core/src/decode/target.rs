//! What a place gives to which target.

use super::access::{Elements, Entries, Variant};
use super::parts::{CheckedPart, LivePart};
use super::scalar::{KeyDe, PieceDe, Pieces};
use super::standin::{self, Any};
use super::{At, CHECKED, De, KeyKind, LIVE, Res, STRICT, What, text};
use crate::tree::{Merged, Number, Plain, Slot};
use secretfig_source::Exposed;
use serde::de::value::{BorrowedStrDeserializer, MapDeserializer, U32Deserializer};
use serde::de::{self, Visitor};

const FIGMENT_PATH: &str = "___figment_relative_path_buf";

macro_rules! numbers {
    ($($deserialize:ident $visit:ident $type:ty,)*) => {$(
        fn $deserialize<V: Visitor<'de>>(self, visitor: V) -> Res<V::Value> {
            self.note(KeyKind::Number);
            if let Some(standin) = self.standin() {
                let given = self.give(standin, standin::NUMBERS.len());
                return self.visit(visitor, |v| v.$visit(standin::NUMBERS[given.candidate] as $type));
            }
            if let Some(text) = self.parsable() {
                return match text.parse::<$type>() {
                    Ok(number) => self.visit(visitor, |v| v.$visit(number)),
                    Err(_) => self.wrong(visitor),
                };
            }
            match self.at {
                At::Slot(Slot { node: Merged::Plain(Plain::Number(n) | Plain::Guessed(n)), .. }) => {
                    self.visit(visitor, |v| number(*n, v))
                }
                _ => self.wrong(visitor),
            }
        }
    )*};
}

impl<'de> de::Deserializer<'de> for De<'de, '_> {
    type Error = super::Error;

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
            let given = self.give(standin, standin::ANY);
            return self.visit(visitor, |v| match standin::any(given.candidate) {
                _ if given.name.is_some() => v.visit_borrowed_str(self.given_text(&given)),
                Any::Text => v.visit_borrowed_str(self.given_text(&given)),
                Any::Number(n) => v.visit_u64(n),
                Any::Bool => v.visit_bool(false),
                Any::Table => v.visit_map(Entries::none(self.walk, self.path)),
                Any::List => v.visit_seq(Elements::standins(0, standin, self.walk, self.path)),
                Any::Null => v.visit_unit(),
            });
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
            let given = self.give(standin, 2);
            return self.visit(visitor, |v| v.visit_bool(given.candidate == 1));
        }
        match (self.parsable(), self.at) {
            (Some("true"), _) => self.visit(visitor, |v| v.visit_bool(true)),
            (Some("false"), _) => self.visit(visitor, |v| v.visit_bool(false)),
            (None, At::Slot(Slot { node: Merged::Plain(Plain::Bool(yes)), .. })) => {
                self.visit(visitor, |v| v.visit_bool(*yes))
            }
            _ => self.wrong(visitor),
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
            let given = self.give(standin, standin::TEXTS.len());
            return self.visit(visitor, |v| v.visit_borrowed_str(self.given_text(&given)));
        }
        match (self.leaf_text(), self.at) {
            (Some(text), _) => self.visit(visitor, |v| v.visit_borrowed_str(text)),
            (_, At::Slot(Slot { node: Merged::Plain(Plain::Guessed(_)), .. })) => self.refuse(What::Guessed),
            (_, At::Slot(Slot { node: Merged::Sealed(_), .. })) => self.refuse(What::Bytes),
            _ => self.wrong(visitor),
        }
    }

    fn deserialize_byte_buf<V: Visitor<'de>>(self, visitor: V) -> Res<V::Value> {
        self.deserialize_bytes(visitor)
    }

    fn deserialize_bytes<V: Visitor<'de>>(self, visitor: V) -> Res<V::Value> {
        self.note(KeyKind::Bytes);
        self.note_sealed();
        if let Some(standin) = self.standin() {
            let given = self.give(standin, standin::TEXTS.len());
            return self.visit(visitor, |v| v.visit_borrowed_bytes(self.given_text(&given).as_bytes()));
        }
        match (self.leaf_text(), self.at) {
            (Some(text), _) => self.visit(visitor, |v| v.visit_borrowed_bytes(text.as_bytes())),
            (_, At::Slot(Slot { node: Merged::Sealed(_), .. })) => self.any_leaf(visitor),
            (_, At::Slot(Slot { node: Merged::Plain(Plain::Guessed(_)), .. })) => self.refuse(What::Guessed),
            (_, At::Slot(Slot { node: Merged::List(_), .. })) => self.deserialize_seq(visitor),
            _ => self.wrong(visitor),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Res<V::Value> {
        match (self.standin(), self.at) {
            (Some(_), _) => {
                self.walk.used_standin.set(self.walk.used_standin.get() + 1);
                // a type that holds itself has an option on the way
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
            (Some(_), _) | (None, At::Slot(Slot { node: Merged::Null, .. })) => {
                self.visit(visitor, Visitor::visit_unit)
            }
            _ => self.wrong(visitor),
        }
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Res<V::Value> {
        self.deserialize_unit(visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, name: &'static str, visitor: V) -> Res<V::Value> {
        let path = self.path;
        if name.starts_with('$') && name != LIVE {
            self.note_sealed();
        }
        let result = match name {
            LIVE => {
                let path = path.to_key_path();
                self.walk.notes.borrow_mut().lives.push(path.clone());
                visitor.visit_seq(LivePart { path: Some(path), inner: Some(self) })
            }
            STRICT => {
                if let (true, None, At::Slot(slot)) = (self.walk.strict, self.standin(), self.at)
                    && !slot.is_secret()
                {
                    return self.refuse(What::Plain);
                }
                visitor.visit_newtype_struct(self)
            }
            // text (or bytes) is offered as it stands, all else as `Some`, which then asks for its struct
            #[cfg(feature = "models")]
            super::TEXT_OR_TABLE => match (self.standin(), self.leaf_text(), self.at) {
                (None, Some(text), _) => return self.visit(visitor, |v| v.visit_borrowed_str(text)),
                (None, None, At::Slot(Slot { node: Merged::Sealed(_), .. })) => self.any_leaf(visitor),
                _ => visitor.visit_some(self),
            },
            CHECKED => visitor.visit_seq(CheckedPart::new(self)),
            _ => visitor.visit_newtype_struct(self),
        };
        result.map_err(|e| e.at(|| path.to_key_path()))
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Res<V::Value> {
        self.note(KeyKind::List);
        if let Some(standin) = self.standin() {
            let given = self.give(standin, standin::LENGTHS);
            let items = Elements::standins(given.candidate, standin, self.walk, self.path);
            return self.visit(visitor, |v| v.visit_seq(items));
        }
        match self.at {
            At::Slot(Slot { node: Merged::List(items), .. }) => {
                self.visit(visitor, |v| v.visit_seq(Elements::of(items, self.walk, self.path)))
            }
            // a list in an environment variable is figment's `[a, "b, c"]`; sealed text is never split
            At::Slot(Slot { node: Merged::Plain(Plain::Loose(text)), .. }) => match text::list(text) {
                Some(pieces) => {
                    self.visit(visitor, |v| v.visit_seq(Pieces::new(pieces, self.walk, self.path)))
                }
                None => self.wrong(visitor),
            },
            _ => self.wrong(visitor),
        }
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, len: usize, visitor: V) -> Res<V::Value> {
        if let Some(standin) = self.standin() {
            self.note(KeyKind::List);
            self.give(standin, 1);
            let items = Elements::standins(len, standin, self.walk, self.path);
            return self.visit(visitor, |v| v.visit_seq(items));
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
            // one key for types that want some: a text, and a number too
            let entries = match self.give(standin, 2).candidate {
                1 => Entries::standins(&["1"], standin, self.walk, self.path),
                _ => Entries::none(self.walk, self.path),
            };
            return self.visit(visitor, |v| v.visit_map(entries));
        }
        match self.at {
            At::Slot(Slot { node: Merged::Table(table, _), .. }) => {
                self.visit(visitor, |v| v.visit_map(Entries::of(table, self.walk, self.path)))
            }
            _ => self.wrong(visitor),
        }
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Res<V::Value> {
        if text::is_duration(name, fields) {
            self.note(KeyKind::Text);
            if let Some(standin) = self.standin() {
                self.give(standin, 1);
                self.note_given("1s");
                return self.visit(visitor, |v| text::duration("1s", v));
            }
        } else if self.walk.thorough {
            self.walk.notes.borrow_mut().fields.insert(self.path.to_key_path(), fields);
        }
        if let Some(standin) = self.standin() {
            self.note(KeyKind::Table);
            self.give(standin, standin::TEXTS.len());
            let entries = Entries::standins(fields, standin, self.walk, self.path);
            return self.visit(visitor, |v| v.visit_map(entries));
        }
        match (name, self.leaf_text()) {
            (_, Some(text)) if text::is_duration(name, fields) => {
                self.visit(visitor, |v| text::duration(text, v))
            }
            (FIGMENT_PATH, Some(text)) => {
                self.visit(visitor, |v| figment_path(text, self.file().as_deref(), v))
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
            let given = self.give(standin, variants.len());
            let Some(variant) = given.name.or_else(|| variants.get(given.candidate).copied()) else {
                return self.wrong(visitor);
            };
            let variant = Variant::standin(variant, standin, self.walk, self.path);
            return self.visit(visitor, |v| v.visit_enum(variant));
        }
        if let Some(text) = self.leaf_text() {
            return self.visit(visitor, |v| v.visit_enum(BorrowedStrDeserializer::new(text)));
        }
        let At::Slot(slot) = self.at else { return self.wrong(visitor) };
        match &slot.node {
            Merged::Table(table, _) if table.len() == 1 => match table.iter().next() {
                Some((name, content)) => {
                    let variant = Variant::of(name, content, self.walk, self.path);
                    self.visit(visitor, |v| v.visit_enum(variant))
                }
                None => self.wrong(visitor),
            },
            Merged::Plain(Plain::Number(Number::Unsigned(n)) | Plain::Guessed(Number::Unsigned(n))) => {
                match u32::try_from(*n) {
                    Ok(n) => self.visit(visitor, |v| v.visit_enum(U32Deserializer::new(n))),
                    Err(_) => self.wrong(visitor),
                }
            }
            _ => self.wrong(visitor),
        }
    }

    /// Of a value, and not of a key: the tag of an internally tagged enum.
    fn deserialize_identifier<V: Visitor<'de>>(self, visitor: V) -> Res<V::Value> {
        if self.walk.thorough {
            self.walk.notes.borrow_mut().tags.insert(self.path.to_key_path());
        }
        self.deserialize_str(visitor)
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Res<V::Value> {
        self.walk.notes.borrow_mut().unknown.push(self.path.to_key_path());
        visitor.visit_unit()
    }
}

impl<'de> De<'de, '_> {
    fn any_leaf<V: Visitor<'de>>(self, visitor: V) -> Res<V::Value> {
        let At::Slot(slot) = self.at else { return self.wrong(visitor) };
        self.visit(visitor, |v| match &slot.node {
            Merged::Null => v.visit_unit(),
            Merged::Plain(Plain::Bool(yes)) => v.visit_bool(*yes),
            Merged::Plain(Plain::Number(n) | Plain::Guessed(n)) => number(*n, v),
            Merged::Plain(Plain::Text(text)) => v.visit_borrowed_str(text),
            Merged::Plain(Plain::Loose(text)) => text::loose_any(text, v),
            Merged::Sealed(sealed) => match sealed.expose_secret() {
                Exposed::Bytes(bytes) => v.visit_borrowed_bytes(bytes),
                Exposed::Bool(yes) => v.visit_borrowed_str(if yes { "true" } else { "false" }),
                Exposed::Text(text) | Exposed::Number(text) => v.visit_borrowed_str(text),
            },
            Merged::List(_) | Merged::Table(..) | Merged::Hole => {
                Err(de::Error::invalid_type(de::Unexpected::Other("value"), &v))
            }
        })
    }
}

/// Deserializes a key of a table. An unknown field is refused here, with the key's own path.
pub(super) fn key<'de, S: de::DeserializeSeed<'de>>(key: &'de str, seed: S) -> Res<S::Value> {
    seed.deserialize(KeyDe(key))
}

/// figment's device for a path that is relative to the file it stands in.
fn figment_path<'de, V: Visitor<'de>>(text: &str, file: Option<&str>, visitor: V) -> Res<V::Value> {
    let file = file.map(|file| ("___figment_relative_metadata_path", PieceDe(file)));
    let fields = file.into_iter().chain([("___figment_relative_path", PieceDe(text))]);
    visitor.visit_map(MapDeserializer::new(fields))
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
