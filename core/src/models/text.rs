//! Secret text built into blocks of exactly its length: a block that grows leaves its old self behind, unwiped.

use crate::{ExposeSecret, SecretString};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use zeroize::Zeroize;

/// Everything but RFC 3986's unreserved characters, so that no reader of a URL takes a character for a delimiter.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The parts, one after the other.
pub(super) fn joined<'a>(parts: impl Iterator<Item = &'a str> + Clone) -> SecretString {
    let mut text = String::with_capacity(parts.clone().map(str::len).sum());
    parts.for_each(|part| text.push_str(part));
    SecretString::from(text)
}

/// The text, percent-encoded, in pieces.
pub(super) fn encoded(text: &str) -> impl Iterator<Item = &str> + Clone {
    utf8_percent_encode(text, RESERVED)
}

/// The text, percent-decoded; `None` where that is no UTF-8.
pub(super) fn decoded(text: &str) -> Option<SecretString> {
    let bytes = percent_decode_str(text);
    let mut decoded = Vec::with_capacity(bytes.clone().count());
    decoded.extend(bytes);
    match String::from_utf8(decoded) {
        Ok(text) => Some(SecretString::from(text)),
        Err(no_text) => {
            no_text.into_bytes().zeroize();
            None
        }
    }
}

pub(super) fn same(one: &SecretString, other: &SecretString) -> bool {
    one.expose_secret() == other.expose_secret()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encoding_and_decoding_are_inverse() {
        let nasty = "p@ss/w:o?r#d %41\"\\ é\u{1f511}";
        let there = joined(encoded(nasty));
        assert!(there.expose_secret().bytes().all(|b| b.is_ascii_alphanumeric() || b"-._~%".contains(&b)));
        assert_eq!(decoded(there.expose_secret()).unwrap().expose_secret(), nasty);
        assert!(decoded("%ff").is_none());
    }
}
