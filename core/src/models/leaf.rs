//! The value of one key: taken as it comes, judged here.

use serde::de::{
    self, DeserializeSeed, Deserializer, EnumAccess, Expected, MapAccess, SeqAccess, Unexpected,
};
use serde::de::{VariantAccess, Visitor};
use std::fmt;
use std::time::Duration;
use zeroize::Zeroizing;

/// A leaf as it comes.
#[derive(Clone, Copy)]
pub(super) enum Scalar<'a> {
    Text(&'a str),
    Bytes(&'a [u8]),
    Integer(u64),
    Bool(bool),
}

impl Scalar<'_> {
    /// A whole number, as a number or as text.
    pub(super) fn integer(self) -> Option<u64> {
        match self {
            Scalar::Integer(n) => Some(n),
            Scalar::Text(text) => text.trim().parse().ok(),
            Scalar::Bytes(_) | Scalar::Bool(_) => None,
        }
    }

    /// Reads text; a whole number is its digits.
    pub(super) fn text<T>(self, read: impl FnOnce(&str) -> T) -> Option<T> {
        match self {
            Scalar::Text(text) => Some(read(text)),
            Scalar::Integer(n) => Some(read(&Zeroizing::new(n.to_string()))),
            Scalar::Bytes(_) | Scalar::Bool(_) => None,
        }
    }
}

/// Seconds as a whole number, or a time with its unit, in humantime's notation.
pub(super) fn time(leaf: Scalar<'_>) -> Option<Duration> {
    match (leaf.integer(), leaf) {
        (Some(seconds), _) => Some(Duration::from_secs(seconds)),
        (None, Scalar::Text(text)) => humantime::parse_duration(text.trim()).ok(),
        (None, _) => None,
    }
}

/// What our own decoder is asked for.
#[derive(Clone, Copy)]
enum Ask {
    Text,
    Bytes,
    Choice(&'static [&'static str]),
    Any,
}

/// How a field's value is read.
pub(super) struct Kind<T> {
    ask: Ask,
    expected: &'static str,
    read: fn(Scalar<'_>) -> Result<T, Refusal>,
}

/// Why a value is refused: no words of its own, since only what a visitor says beforehand is sure not to be taken
/// for a quotation.
pub(super) enum Refusal {
    /// It is not what is expected.
    Other,
    /// It is none of these.
    NoneOf(&'static [&'static str]),
}

impl<T> Kind<T> {
    const fn new(ask: Ask, expected: &'static str, read: fn(Scalar<'_>) -> Result<T, Refusal>) -> Self {
        Self { ask, expected, read }
    }
    pub(super) const fn text(expected: &'static str, read: fn(Scalar<'_>) -> Result<T, Refusal>) -> Self {
        Self::new(Ask::Text, expected, read)
    }
    pub(super) const fn bytes(expected: &'static str, read: fn(Scalar<'_>) -> Result<T, Refusal>) -> Self {
        Self::new(Ask::Bytes, expected, read)
    }
    /// One of these names, and whatever else `read` takes for one.
    pub(super) const fn choice(
        names: &'static [&'static str],
        expected: &'static str,
        read: fn(Scalar<'_>) -> Result<T, Refusal>,
    ) -> Self {
        Self::new(Ask::Choice(names), expected, read)
    }
    /// Text or a number or a boolean.
    pub(super) const fn any(expected: &'static str, read: fn(Scalar<'_>) -> Result<T, Refusal>) -> Self {
        Self::new(Ask::Any, expected, read)
    }
}

/// A name of any kind.
pub(super) const NAME: Kind<String> = Kind::text(A_NAME, |leaf| {
    leaf.text(|text| is_name(text).then(|| text.to_owned())).flatten().ok_or(Refusal::Other)
});
pub(super) const A_NAME: &str = "a string that is not empty, without control characters";

pub(super) fn is_name(text: &str) -> bool {
    !text.is_empty() && !text.chars().any(char::is_control)
}

/// The value of one key, not yet read.
pub(super) struct Value<'m, A> {
    pub(super) map: &'m mut A,
    /// As it was written.
    pub(super) key: &'static str,
    pub(super) own: bool,
}

impl<'de, A: MapAccess<'de>> Value<'_, A> {
    /// A value that must be there.
    pub(super) fn required<T>(self, kind: Kind<T>) -> Result<Option<T>, A::Error> {
        self.map.next_value_seed(Leaf { kind, own: self.own }).map(Some)
    }

    /// One that may be `null`.
    pub(super) fn optional<T>(self, kind: Kind<T>) -> Result<Option<T>, A::Error> {
        self.map.next_value_seed(Maybe(Leaf { kind, own: self.own }))
    }

    /// One that may be `null`, and whose unit the key says.
    pub(super) fn in_unit<T>(self, kind: fn(&str) -> Kind<T>) -> Result<Option<T>, A::Error> {
        let kind = kind(self.key);
        self.optional(kind)
    }
}

struct Leaf<T> {
    kind: Kind<T>,
    own: bool,
}

impl<'de, T> DeserializeSeed<'de> for Leaf<T> {
    type Value = T;
    fn deserialize<R: Deserializer<'de>>(self, deserializer: R) -> Result<T, R::Error> {
        match self.kind.ask {
            Ask::Text if self.own => deserializer.deserialize_str(self),
            Ask::Bytes if self.own => deserializer.deserialize_bytes(self),
            Ask::Choice(names) if self.own => deserializer.deserialize_enum("", names, self),
            _ => deserializer.deserialize_any(self),
        }
    }
}

impl<T> Leaf<T> {
    fn read<E: de::Error>(self, scalar: Scalar<'_>) -> Result<T, E> {
        (self.kind.read)(scalar).map_err(|refusal| match refusal {
            Refusal::Other => self.refused(),
            Refusal::NoneOf(names) => E::unknown_variant("another value", names),
        })
    }

    /// Not `invalid_type`, of which our report says what only holds for `flatten`; and never the value.
    fn refused<E: de::Error>(&self) -> E {
        E::invalid_value(Unexpected::Other("another value"), &self.kind.expected)
    }
}

macro_rules! refused {
    ($($visit:ident $type:ty),+) => {$(
        fn $visit<E: de::Error>(self, _: $type) -> Result<T, E> {
            Err(self.refused())
        }
    )+};
}

impl<'de, T> Visitor<'de> for Leaf<T> {
    type Value = T;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind.expected)
    }
    fn visit_str<E: de::Error>(self, text: &str) -> Result<T, E> {
        self.read(Scalar::Text(text))
    }
    fn visit_bytes<E: de::Error>(self, bytes: &[u8]) -> Result<T, E> {
        self.read(Scalar::Bytes(bytes))
    }
    fn visit_u64<E: de::Error>(self, n: u64) -> Result<T, E> {
        self.read(Scalar::Integer(n))
    }
    fn visit_i64<E: de::Error>(self, n: i64) -> Result<T, E> {
        match u64::try_from(n) {
            Ok(n) => self.visit_u64(n),
            Err(_) => Err(self.refused()),
        }
    }
    fn visit_bool<E: de::Error>(self, yes: bool) -> Result<T, E> {
        self.read(Scalar::Bool(yes))
    }
    fn visit_enum<A: EnumAccess<'de>>(self, choice: A) -> Result<T, A::Error> {
        let (value, rest) = choice.variant_seed(Self { own: false, ..self })?;
        rest.unit_variant()?;
        Ok(value)
    }
    fn visit_map<A: MapAccess<'de>>(self, _: A) -> Result<T, A::Error> {
        Err(self.refused())
    }
    fn visit_seq<A: SeqAccess<'de>>(self, _: A) -> Result<T, A::Error> {
        Err(self.refused())
    }
    refused! { visit_i128 i128, visit_u128 u128, visit_f64 f64 }
}

/// `null` is none.
struct Maybe<T>(Leaf<T>);

impl<'de, T> DeserializeSeed<'de> for Maybe<T> {
    type Value = Option<T>;
    fn deserialize<R: Deserializer<'de>>(self, deserializer: R) -> Result<Option<T>, R::Error> {
        deserializer.deserialize_option(self)
    }
}

impl<'de, T> Visitor<'de> for Maybe<T> {
    type Value = Option<T>;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Expected::fmt(&self.0, f)
    }
    fn visit_none<E>(self) -> Result<Option<T>, E> {
        Ok(None)
    }
    fn visit_unit<E>(self) -> Result<Option<T>, E> {
        Ok(None)
    }
    fn visit_some<R: Deserializer<'de>>(self, deserializer: R) -> Result<Option<T>, R::Error> {
        self.0.deserialize(deserializer).map(Some)
    }
}
