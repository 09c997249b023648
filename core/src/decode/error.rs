//! The decoder's own error: a path and what was expected, never what was found.
//!
//! serde hands the offending input to almost every constructor of [`serde::de::Error`]. Here that input
//! is dropped unread: `custom` never formats its argument, of `unknown_variant` and its sisters only the names of the
//! type are kept, and of `invalid_type` and its like the expectation, which is text of the target type ("a `u16`").
//! Should that quote the input all the same, [`super::screen`] finds it out before it is told to anyone. What else is
//! kept of the input is where it lies ([`Culprit`]).

use crate::tree::KeyPath;
use serde::de::{self, Expected, Unexpected};
use std::fmt;

pub(crate) struct Error(Box<Inner>);

struct Inner {
    path: Option<KeyPath>,
    what: What,
    culprit: Option<Culprit>,
    /// Whether the expectation is what the visitor said before it saw any value.
    own: Option<bool>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum What {
    Missing(&'static str),
    WrongType(Box<str>),
    OutOfRange(Box<str>),
    WrongLength(Box<str>),
    UnknownVariant(&'static [&'static str]),
    UnknownField(&'static [&'static str]),
    Duplicate(&'static str),
    /// The type's own code refused, in words that may quote the value.
    Refused,
    /// The type's own code panicked.
    Panicked,
    /// `Strict<T>` met a plain layer.
    Plain,
    /// A number that figment's `Env` made of text met a text target.
    Guessed,
    /// Bytes that are no text met a text target.
    Bytes,
    /// A check of one of our models, with a reason from a closed set. The path is the field's.
    Invalid(&'static str),
}

/// The input that serde complained about, for finding its key where the error comes out of a buffer that knows no
/// path. Text is known by its address alone. Never printed.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Culprit {
    Text(usize),
    Unsigned(u64),
    Signed(i64),
    Float(f64),
    Bool(bool),
    Null,
    List,
    Table,
}

impl Culprit {
    fn of(input: Unexpected<'_>) -> Option<Self> {
        Some(match input {
            Unexpected::Str(text) => Culprit::Text(text.as_ptr().addr()),
            Unexpected::Bytes(bytes) => Culprit::Text(bytes.as_ptr().addr()),
            Unexpected::Unsigned(n) => Culprit::Unsigned(n),
            Unexpected::Signed(n) => Culprit::Signed(n),
            Unexpected::Float(n) => Culprit::Float(n),
            Unexpected::Bool(yes) => Culprit::Bool(yes),
            Unexpected::Unit | Unexpected::Option => Culprit::Null,
            Unexpected::Seq => Culprit::List,
            Unexpected::Map => Culprit::Table,
            _ => return None,
        })
    }
}

/// An error taken apart.
pub(super) struct Parts {
    pub(super) path: KeyPath,
    pub(super) what: What,
    pub(super) culprit: Option<Culprit>,
    pub(super) own: bool,
}

impl Error {
    pub(crate) fn new(what: What) -> Self {
        Self(Box::new(Inner { path: None, what, culprit: None, own: None }))
    }

    fn about(mut self, input: Unexpected<'_>) -> Self {
        self.0.culprit = Culprit::of(input);
        self
    }

    /// Sets the path where none is known yet: called on the way up, innermost first.
    pub(crate) fn at(mut self, path: impl FnOnce() -> KeyPath) -> Self {
        if self.0.path.is_none() {
            let path = path();
            self.0.path = Some(match self.0.what {
                What::Missing(field) => path.child(field),
                _ => path,
            });
        }
        self
    }

    /// Notes whether the expectation is the visitor's own: asked innermost first, and only once.
    pub(super) fn expecting(mut self, own: &str) -> Self {
        if let (None, What::WrongType(text) | What::OutOfRange(text) | What::WrongLength(text)) =
            (self.0.own, &self.0.what)
        {
            self.0.own = Some(**text == *own);
        }
        self
    }

    pub(super) fn into_parts(self) -> Parts {
        let Inner { path, what, culprit, own } = *self.0;
        Parts { path: path.unwrap_or_default(), what, culprit, own: own.unwrap_or(false) }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a fault of the configuration")
    }
}

/// The same: the application's own code may print it, and the expectation is not screened yet.
impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for Error {}

impl de::Error for Error {
    fn custom<T: fmt::Display>(_may_quote_the_value: T) -> Self {
        Self::new(What::Refused)
    }
    fn invalid_type(input: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::new(What::WrongType(expected.to_string().into())).about(input)
    }
    fn invalid_value(input: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::new(What::OutOfRange(expected.to_string().into())).about(input)
    }
    fn invalid_length(_: usize, expected: &dyn Expected) -> Self {
        Self::new(What::WrongLength(expected.to_string().into()))
    }
    fn unknown_variant(input: &str, known: &'static [&'static str]) -> Self {
        Self::new(What::UnknownVariant(known)).about(Unexpected::Str(input))
    }
    fn unknown_field(_: &str, known: &'static [&'static str]) -> Self {
        Self::new(What::UnknownField(known))
    }
    fn missing_field(field: &'static str) -> Self {
        Self::new(What::Missing(field))
    }
    fn duplicate_field(field: &'static str) -> Self {
        Self::new(What::Duplicate(field))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::de::Error as _;

    #[test]
    fn custom_text_is_never_read() {
        struct Bomb;
        impl fmt::Display for Bomb {
            fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
                panic!("formatted")
            }
        }
        assert_eq!(Error::custom(Bomb).into_parts().what, What::Refused);
    }

    #[test]
    fn the_error_prints_nothing_of_its_own() {
        let e = Error::invalid_value(Unexpected::Str("hunter2"), &"anything but hunter2");
        assert_eq!(format!("{e} {e:?}"), "a fault of the configuration a fault of the configuration");
    }
}
