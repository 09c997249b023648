//! The decoder's own error: a path and what was expected, never what was found.
//!
//! serde hands the offending input to almost every constructor of [`serde::de::Error`]. Here that input
//! is dropped unread: `custom` never formats its argument, and of `invalid_type` and its sisters only the
//! expectation is kept. An expectation is text of the target type ("a `u16`"); should one quote the input
//! all the same, [`Error::screened`] finds that out and drops it too.

use crate::tree::KeyPath;
use serde::de::{self, Expected, Unexpected};
use std::fmt;

#[derive(Debug)]
pub(crate) struct Error(Box<Inner>);

#[derive(Debug)]
struct Inner {
    path: Option<KeyPath>,
    what: What,
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
    /// `Strict<T>` met a plain layer.
    Plain,
    /// A number that figment's `Env` made of text met a text target.
    Guessed,
    /// Bytes that are no text met a text target.
    Bytes,
    /// A check of one of our models, with a reason from a closed set. The path is the field's.
    Invalid(&'static str),
}

impl Error {
    pub(crate) fn new(what: What) -> Self {
        Self(Box::new(Inner { path: None, what }))
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

    /// Drops an expectation that quotes the input.
    pub(crate) fn screened(mut self, input: &str) -> Self {
        if let What::WrongType(text) | What::OutOfRange(text) | What::WrongLength(text) = &mut self.0.what
            && quotes(text, input)
        {
            *text = Box::from("what the type accepts");
        }
        self
    }

    pub(crate) fn into_parts(self) -> (KeyPath, What) {
        (self.0.path.unwrap_or_default(), self.0.what)
    }
}

/// Whether the text holds the input, or any five bytes in a row of it.
fn quotes(text: &str, input: &str) -> bool {
    const WINDOW: usize = 5;
    let (text, input) = (text.to_lowercase(), input.trim().to_lowercase());
    let input = zeroize::Zeroizing::new(input);
    if input.is_empty() {
        return false;
    }
    if input.len() <= WINDOW {
        // whole words only: `u16` in "expected u16" is chance, and as short as that harmless to drop
        return text.contains(input.as_str());
    }
    let text = text.as_bytes();
    input.as_bytes().windows(WINDOW).any(|part| text.windows(WINDOW).any(|other| other == part))
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a fault of the configuration")
    }
}

impl std::error::Error for Error {}

impl de::Error for Error {
    fn custom<T: fmt::Display>(_may_quote_the_value: T) -> Self {
        Self::new(What::Refused)
    }
    fn invalid_type(_: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::new(What::WrongType(expected.to_string().into()))
    }
    fn invalid_value(_: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::new(What::OutOfRange(expected.to_string().into()))
    }
    fn invalid_length(_: usize, expected: &dyn Expected) -> Self {
        Self::new(What::WrongLength(expected.to_string().into()))
    }
    fn unknown_variant(_: &str, known: &'static [&'static str]) -> Self {
        Self::new(What::UnknownVariant(known))
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
    fn an_expectation_that_quotes_the_input_is_dropped() {
        let quoting = "a name, not hunter2-hunter2";
        let e = Error::invalid_value(Unexpected::Other("x"), &quoting).screened(" Hunter2-hunter2 ");
        assert_eq!(e.into_parts().1, What::OutOfRange("what the type accepts".into()));
        let e = Error::invalid_type(Unexpected::Other("x"), &"u16").screened("hunter2");
        assert_eq!(e.into_parts().1, What::WrongType("u16".into()));
    }

    #[test]
    fn custom_text_is_never_read() {
        struct Bomb;
        impl fmt::Display for Bomb {
            fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
                panic!("formatted")
            }
        }
        assert_eq!(Error::custom(Bomb).into_parts().1, What::Refused);
    }
}
