//! Places that are one text: keys of a table, and the elements of a list that stands in environment text.

use super::error::Error;
use super::standin::Entry;
use super::text::{self, Piece};
use super::{At, De, Path, Walk};
use serde::de::value::{BorrowedStrDeserializer, StrDeserializer};
use serde::de::{self, DeserializeSeed, IntoDeserializer, SeqAccess, Visitor};

macro_rules! parsed {
    ($($deserialize:ident $visit:ident $type:ty,)*) => {$(
        fn $deserialize<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
            match self.0.trim().parse::<$type>() {
                Ok(value) => visitor.$visit(value),
                Err(_) => Err(de::Error::invalid_type(de::Unexpected::Other("text"), &visitor)),
            }
        }
    )*};
}

macro_rules! scalar {
    ($visit:ident $variant:ident) => {
        parsed! {
            deserialize_u8 visit_u8 u8, deserialize_u16 visit_u16 u16, deserialize_u32 visit_u32 u32,
            deserialize_u64 visit_u64 u64, deserialize_u128 visit_u128 u128, deserialize_i8 visit_i8 i8,
            deserialize_i16 visit_i16 i16, deserialize_i32 visit_i32 i32, deserialize_i64 visit_i64 i64,
            deserialize_i128 visit_i128 i128, deserialize_f32 visit_f32 f32, deserialize_f64 visit_f64 f64,
            deserialize_bool visit_bool bool,
        }

        fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
            visitor.$visit(self.0)
        }

        fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
            visitor.visit_some(self)
        }

        fn deserialize_newtype_struct<V: Visitor<'de>>(
            self,
            _: &'static str,
            visitor: V,
        ) -> Result<V::Value, Error> {
            visitor.visit_newtype_struct(self)
        }

        fn deserialize_enum<V: Visitor<'de>>(
            self,
            _: &'static str,
            _: &'static [&'static str],
            visitor: V,
        ) -> Result<V::Value, Error> {
            visitor.visit_enum($variant::new(self.0))
        }
    };
}

/// A key of a table. A map may ask for a number, a boolean or an enum there.
pub(super) struct KeyDe<'de>(pub(super) &'de str);

impl<'de> de::Deserializer<'de> for KeyDe<'de> {
    type Error = Error;

    scalar! { visit_borrowed_str BorrowedStrDeserializer }

    serde::forward_to_deserialize_any! {
        char str string bytes byte_buf unit unit_struct seq tuple tuple_struct map struct identifier ignored_any
    }
}

/// One element of a list in text: parsed into what the target asks for.
pub(super) struct PieceDe<'t>(pub(super) &'t str);

impl<'de> de::Deserializer<'de> for PieceDe<'_> {
    type Error = Error;

    scalar! { visit_str StrDeserializer }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        match text::is_duration(name, fields) {
            true => text::duration(self.0, visitor),
            false => visitor.visit_str(self.0),
        }
    }

    serde::forward_to_deserialize_any! {
        char str string bytes byte_buf unit unit_struct seq tuple tuple_struct map identifier ignored_any
    }
}

impl<'de> IntoDeserializer<'de, Error> for PieceDe<'_> {
    type Deserializer = Self;
    fn into_deserializer(self) -> Self {
        self
    }
}

/// The elements of a list that stands in environment text. Each is text again.
pub(super) struct Pieces<'de, 'w> {
    pieces: std::vec::IntoIter<Piece<'de>>,
    next: usize,
    walk: &'de Walk,
    path: Path<'w>,
}

impl<'de, 'w> Pieces<'de, 'w> {
    pub(super) fn new(pieces: Vec<Piece<'de>>, walk: &'de Walk, path: Path<'w>) -> Self {
        Self { pieces: pieces.into_iter(), next: 0, walk, path }
    }
}

impl<'de> SeqAccess<'de> for Pieces<'de, '_> {
    type Error = Error;

    fn next_element_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, Error> {
        let Some(piece) = self.pieces.next() else { return Ok(None) };
        let path = self.path.index(self.next);
        self.next += 1;
        let result = match self.walk.entry(&path).and_then(Entry::standin) {
            Some(standin) => seed.deserialize(De { at: At::StandIn(standin), walk: self.walk, path }),
            None => seed.deserialize(PieceDe(piece.as_str())),
        };
        result.map(Some).map_err(|e: Error| e.at(|| path.to_key_path()))
    }
}

#[cfg(test)]
mod tests {
    use super::super::error::What;
    use super::*;
    use serde::Deserialize;

    #[test]
    fn keys_are_parsed_where_the_map_asks_for_something_else() {
        let read = |key| u16::deserialize(KeyDe(key)).map_err(|e| e.into_parts().what);
        assert_eq!(read("80"), Ok(80));
        assert_eq!(read("x"), Err(What::WrongType("u16".into())));
        assert_eq!(Option::<bool>::deserialize(KeyDe("true")).ok(), Some(Some(true)));
        assert_eq!(String::deserialize(KeyDe("1")).ok().as_deref(), Some("1"));
    }
}
