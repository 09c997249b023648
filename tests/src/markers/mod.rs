//! Values to plant, and a hunt that looks for them in everything a program says.
//!
//! A test plants [`Marker`]s as secrets, drives the program down many paths, and gives all that
//! comes out (errors, `Debug`, logs, JSON, panic messages, replies) to a [`Hunt`]:
//!
//! ```
//! use secretfig_tests::{Hunt, Marker};
//!
//! let hunt = Hunt::new();
//! let password = hunt.plant("database.password", Marker::random());
//! // … a configuration is loaded with `password.text()` in it, and something fails …
//! let error = std::io::Error::other("database.password: expected a number");
//! hunt.check_error("wrong type", &error);
//! hunt.check("health", r#"{"ready": false}"#);
//! hunt.finish();
//! # drop(password);
//! ```
//!
//! # How a value is found
//!
//! Not by writing it down in every encoding there is, for a writer may escape some characters and not
//! others, cut the text short, or put it in the middle of something larger. The other way round:
//! `views` undoes each encoding wherever the text could be in it, also twice over, and every 8 bytes
//! of the value are looked for in all of these views at once. So a value is found from 8 of its bytes
//! on, at any place inside base64 or hex, and whichever characters were escaped.
//!
//! Not found, and so no proof against: HTML entities, ciphers and digests, and values cut into pieces
//! of fewer than 8 bytes.

mod hunt;
mod needles;
#[cfg(test)]
mod tests;
mod views;

pub use hunt::Hunt;

use needles::Needles;
use std::fmt;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::Arc;

/// The shape in which a value was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Form {
    /// As it is.
    Raw,
    /// With JSON's escapes, whichever of them the writer chose.
    Json,
    /// With Rust's escapes, of `str` or of bytes.
    Debug,
    /// Percent-encoded, whichever characters the writer chose; `+` may stand for a blank.
    Url,
    /// In base64 of either alphabet, at any place in what was encoded.
    Base64,
    /// In hex digits, upper or lower case, in one piece or as a list.
    Hex,
    /// As a list of decimal numbers, as `Debug` shows bytes.
    Decimal,
    /// In UTF-16 of either byte order.
    Utf16,
    /// Backwards.
    Reversed,
    /// All in upper or all in lower case.
    Cased,
    /// A part of it, of 8 bytes (12 of a number).
    Part,
}

impl Form {
    /// All of them.
    pub const ALL: [Form; 11] = [
        Form::Raw,
        Form::Json,
        Form::Debug,
        Form::Url,
        Form::Base64,
        Form::Hex,
        Form::Decimal,
        Form::Utf16,
        Form::Reversed,
        Form::Cased,
        Form::Part,
    ];
}

/// A value to plant as a secret and to look for afterwards.
///
/// Its `Debug` does not show it: a hunt's own report must not leak either.
#[derive(Clone)]
pub struct Marker {
    text: Arc<str>,
    needles: Arc<Needles>,
}

impl Marker {
    /// The fewest bytes that can be told from chance.
    pub const SHORTEST: usize = 8;

    /// A value of one's own.
    ///
    /// # Panics
    /// When it is shorter than [`Marker::SHORTEST`] (a number: 12 digits): it would be found by chance.
    pub fn new(text: impl Into<Arc<str>>) -> Self {
        let text = text.into();
        let part = needles::part_of(&text);
        assert!(
            text.len() >= part,
            "a marker of this shape needs at least {part} bytes, to be no chance find"
        );
        let needles = Needles::of([&*text]);
        Self { text, needles: Arc::new(needles) }
    }

    /// Text such as a password: letters and digits, and in between the characters that JSON, Rust,
    /// URLs, TOML and shells escape, each in its own way. Between two of them stand random letters,
    /// so that no 8 bytes are the same in two markers.
    pub fn random() -> Self {
        let middle: String =
            "\"\\/+%&'<é$#".chars().map(|special| format!("{special}{}", letters(2))).collect();
        Self::new(format!("{}{middle}{}", letters(10), letters(10)))
    }

    /// Only digits, 18 of them: as a number in JSON it fits `i64`, and a decoder may take it for one.
    pub fn number() -> Self {
        let first = char::from(b'1' + (dice() % 9) as u8);
        let rest: String = (0..17).map(|_| char::from(b'0' + (dice() % 10) as u8)).collect();
        Self::new(format!("{first}{rest}"))
    }

    /// Several lines, with a tab, both kinds of line end, and a blank at the end: such as a key file,
    /// or a document that a parser quotes line by line.
    pub fn lines() -> Self {
        Self::new(format!("{}\n\t{}\r\n{} {} \n", letters(12), letters(12), letters(10), letters(10)))
    }

    /// One of each shape, with names.
    pub fn shapes() -> [(&'static str, Self); 3] {
        [("text", Self::random()), ("number", Self::number()), ("lines", Self::lines())]
    }

    /// The value, for planting.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The form in which the value stands in `haystack`: whole before in part, and the fewest
    /// encodings first. `None` where it does not.
    pub fn find(&self, haystack: &[u8]) -> Option<Form> {
        let mut found = [None];
        self.needles.search(haystack, &mut found);
        found[0].map(|(_, _, form)| form)
    }
}

impl fmt::Debug for Marker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Marker(..)")
    }
}

/// Random enough to be found nowhere by chance. No seed: what a hunt reports does not depend on it.
fn dice() -> u64 {
    RandomState::new().build_hasher().finish()
}

fn letters(count: usize) -> String {
    const ALPHABET: &[u8] = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
    (0..count).map(|_| char::from(ALPHABET[(dice() % ALPHABET.len() as u64) as usize])).collect()
}
