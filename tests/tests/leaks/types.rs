//! Types that quote what they were given, in every way that serde has for it.

use secretfig::models::{DatabaseCredentials, JwtConfig, OpenAiConfig};
use secretfig::{Live, SecretBytes, SecretString, Strict};
use serde::Deserialize;
use serde::de::{self, DeserializeSeed, Deserializer, MapAccess, Unexpected, Visitor};
use std::cell::Cell;
use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroU8;
use std::time::Duration;
use url::Url;

/// The type under test, beside a key that is always missing: every load fails.
#[derive(Deserialize)]
#[allow(dead_code)]
pub(crate) struct Holder<T> {
    field: T,
    other: u8,
}

#[derive(Deserialize)]
#[allow(dead_code)]
pub(crate) enum Mode {
    Fast,
    Slow { by: u8 },
}

#[derive(Deserialize)]
#[allow(dead_code)]
pub(crate) struct Plain {
    field: u8,
    list: Vec<u8>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(dead_code)]
pub(crate) struct Closed {
    known: u8,
}

#[derive(Deserialize)]
#[serde(untagged)]
#[allow(dead_code)]
pub(crate) enum Loose {
    Number(u8),
    List(Vec<u8>),
    Table { a: u8 },
}

#[derive(Deserialize)]
#[serde(tag = "field")]
#[allow(dead_code)]
pub(crate) enum Tagged {
    One { x: u8 },
}

#[derive(Deserialize)]
#[serde(tag = "field", content = "c")]
#[allow(dead_code)]
pub(crate) enum Adjacent {
    One(u8),
}

#[derive(Deserialize)]
#[allow(dead_code)]
pub(crate) struct Flat {
    #[serde(flatten)]
    inner: Plain,
    other: u8,
}

#[derive(Deserialize)]
#[serde(try_from = "String")]
#[allow(dead_code)]
pub(crate) struct Tried(u8);
impl TryFrom<String> for Tried {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        Err(format!("`{text}` is nothing that I like, {text:?}"))
    }
}

#[derive(Deserialize)]
#[allow(dead_code)]
pub(crate) struct Withs {
    #[serde(with = "humantime_serde")]
    field: Duration,
    #[serde(deserialize_with = "again")]
    other: u8,
}
fn again<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u8, D::Error> {
    u8::deserialize(deserializer).map_err(|e| de::Error::custom(format!("{e} {e:?}")))
}

/// Each way of quoting a text in an error.
macro_rules! quoting {
    ($($name:ident: $text:ident => $error:expr;)*) => {$(
        #[allow(dead_code)]
        pub(crate) struct $name;
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct Quoting;
                impl<'de> Visitor<'de> for Quoting {
                    type Value = $name;
                    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                        f.write_str("another text")
                    }
                    fn visit_str<E: de::Error>(self, $text: &str) -> Result<$name, E> {
                        Err($error)
                    }
                    fn visit_bytes<E: de::Error>(self, bytes: &[u8]) -> Result<$name, E> {
                        let text = String::from_utf8_lossy(bytes);
                        let $text = text.as_ref();
                        Err($error)
                    }
                }
                deserializer.deserialize_str(Quoting)
            }
        }
    )*};
}

quoting! {
    Custom: text => E::custom(format!("not {text}"));
    WrongType: text => E::invalid_type(Unexpected::Str(text), &format!("anything but {text}").as_str());
    WrongTypeDebug: text => E::invalid_type(Unexpected::Other(text), &format!("not {text:?}").as_str());
    WrongValue: text => E::invalid_value(Unexpected::Str(text), &text);
    WrongValueCased: text => E::invalid_value(Unexpected::Str(text), &text.to_uppercase().as_str());
    WrongValuePart: text => E::invalid_value(
        Unexpected::Str(text),
        &format!("no {}…", text.chars().take(9).collect::<String>()).as_str(),
    );
    WrongLength: text => E::invalid_length(text.len(), &format!("not {text}").as_str());
    UnknownVariant: text => E::unknown_variant(text, &["a", "b"]);
    UnknownField: text => E::unknown_field(text, &["a", "b"]);
}

/// Its `expecting` quotes a value that it was given by a field decoded before it.
#[allow(dead_code)]
pub(crate) struct Stateful;
impl<'de> Deserialize<'de> for Stateful {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Table;
        impl<'de> Visitor<'de> for Table {
            type Value = Stateful;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a table")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Stateful, A::Error> {
                let mut before = String::new();
                while map.next_key::<String>()?.is_some() {
                    before = map.next_value_seed(After(before))?;
                }
                Err(de::Error::invalid_value(Unexpected::Map, &format!("not {before}").as_str()))
            }
        }
        deserializer.deserialize_map(Table)
    }
}
struct After(String);
impl<'de> DeserializeSeed<'de> for After {
    type Value = String;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<String, D::Error> {
        if self.0.is_empty() { String::deserialize(deserializer) } else { deserializer.deserialize_u8(self) }
    }
}
impl Visitor<'_> for After {
    type Value = String;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a number beside {}", self.0)
    }
}

/// Quotes a whole table.
#[allow(dead_code)]
pub(crate) struct Whole;
impl<'de> Deserialize<'de> for Whole {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let table = BTreeMap::<String, serde_json::Value>::deserialize(deserializer)?;
        Err(de::Error::invalid_type(Unexpected::Map, &format!("other than {table:?}").as_str()))
    }
}

thread_local! {
    /// Which of the types a [`Choice`] is now.
    pub(crate) static CHOICE: Cell<usize> = const { Cell::new(0) };
}

/// Any of the types, chosen while the test runs: one type for the compiler, where each alone would make it build a
/// whole configuration.
#[allow(dead_code)]
pub(crate) struct Choice;

macro_rules! choices {
    ($($n:literal $type:ty,)*) => {
        /// The types by their names.
        pub(crate) const CHOICES: &[&str] = &[$(stringify!($type)),*];

        impl<'de> Deserialize<'de> for Choice {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                match CHOICE.get() {
                    $($n => <$type>::deserialize(deserializer).map(drop),)*
                    _ => Err(de::Error::custom("no such type")),
                }
                .map(|()| Choice)
            }
        }
    };
}

choices! {
    0 u8,
    1 u16,
    2 i32,
    3 u64,
    4 i128,
    5 f32,
    6 bool,
    7 char,
    8 (),
    9 Option<u8>,
    10 Option<Vec<bool>>,
    11 Vec<u8>,
    12 Vec<String>,
    13 [u8; 3],
    14 (u8, String),
    15 HashMap<String, u8>,
    16 BTreeMap<u16, bool>,
    17 NonZeroU8,
    18 IpAddr,
    19 SocketAddr,
    20 Duration,
    21 Url,
    22 Mode,
    23 Plain,
    24 Closed,
    25 Loose,
    26 Tagged,
    27 Adjacent,
    28 Flat,
    29 Tried,
    30 Withs,
    31 Custom,
    32 WrongType,
    33 WrongTypeDebug,
    34 WrongValue,
    35 WrongValueCased,
    36 WrongValuePart,
    37 WrongLength,
    38 UnknownVariant,
    39 UnknownField,
    40 Stateful,
    41 Whole,
    42 serde_json::Value,
    43 String,
    44 SecretString,
    45 SecretBytes,
    46 Strict<u8>,
    47 Strict<SecretString>,
    48 Live<u8>,
    49 Live<Plain>,
    50 DatabaseCredentials,
    51 JwtConfig,
    52 Live<DatabaseCredentials>,
    53 Live<JwtConfig>,
    54 OpenAiConfig,
    55 Live<OpenAiConfig>,
}
