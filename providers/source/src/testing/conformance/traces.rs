//! Recognising a value in a text, in clear or by the usual disguises.

use hmac_sha256::Hash;
use std::collections::HashMap;
use std::fmt::Write;

/// The letters of planted values: none of them is a hexadecimal digit, so that no id, no digest and
/// no number ever looks like a part of one.
const LETTERS: &[u8; 16] = b"ghkmnpqrstuvwxyz";

/// How much of a value in a row counts as told.
const TOLD: usize = 8;

/// The value to plant for the n-th revision of that secret: 24 letters, the same in every run.
pub(super) fn planted(plain: &str, n: usize) -> String {
    let digest = Hash::hash(format!("{plain}#{n}").as_bytes());
    digest.iter().take(24).map(|byte| char::from(LETTERS[usize::from(byte % 16)])).collect()
}

/// Everything that tells one of some values: eight characters of it in a row, or as many of its
/// hexadecimal, base64 or list-of-bytes form, or of its SHA-256. By the first eight characters, so
/// that looking through long texts stays quick.
#[derive(Default)]
pub(super) struct Traces(HashMap<[u8; TOLD], Vec<(&'static str, String)>>);

impl Traces {
    pub(super) fn add(&mut self, value: &str) {
        let digest = Hash::hash(value.as_bytes());
        self.form("by its SHA-256", hex(&digest[..TOLD / 2]));
        self.form("by its SHA-256", base64(&digest[..TOLD / 4 * 3]));
        for window in value.as_bytes().windows(TOLD) {
            self.form("in clear", String::from_utf8_lossy(window).into_owned());
            self.form("in hexadecimal", hex(window));
            self.form("in base64", base64(&window[..TOLD / 4 * 3]));
            self.form("as a list of bytes", list(&window[..TOLD / 2]));
        }
    }

    fn form(&mut self, how: &'static str, form: String) {
        if let Some(first) = form.as_bytes().first_chunk() {
            self.0.entry(*first).or_default().push((how, form));
        }
    }

    /// How the text tells a value, if it does.
    pub(super) fn told(&self, text: &str) -> Option<&'static str> {
        // hexadecimal may be written large; base64 must not be read in small letters only
        [text, &text.to_ascii_lowercase()].into_iter().find_map(|text| {
            let mut rest = text.as_bytes();
            while let Some(first) = rest.first_chunk() {
                let forms = self.0.get(first).into_iter().flatten();
                if let Some((how, _)) = forms.into_iter().find(|(_, form)| rest.starts_with(form.as_bytes()))
                {
                    return Some(*how);
                }
                rest = &rest[1..];
            }
            None
        })
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // INVARIANT: writing to a String never fails
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// As `{:?}` shows bytes.
fn list(bytes: &[u8]) -> String {
    bytes.iter().map(u8::to_string).collect::<Vec<_>>().join(", ")
}

/// Base64 of whole groups of three bytes; what remains is left out.
fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for group in bytes.chunks_exact(3) {
        let bits = group.iter().fold(0_usize, |bits, byte| bits << 8 | usize::from(*byte));
        for shift in [18, 12, 6, 0] {
            text.push(char::from(DIGITS[bits >> shift & 63]));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn traces(value: &str) -> Traces {
        let mut traces = Traces::default();
        traces.add(value);
        traces
    }

    #[test]
    fn every_disguise_is_seen() {
        let value = planted("a", 1);
        assert_eq!(value.len(), 24);
        for (text, how) in [
            (format!("x{}", &value[5..15]), "in clear"),
            (hex(value.as_bytes()).to_uppercase(), "in hexadecimal"),
            (base64(value.as_bytes()), "in base64"),
            // at another alignment
            (base64(format!("x{value}").as_bytes()), "in base64"),
            (format!("{:?}", value.as_bytes()), "as a list of bytes"),
            (hex(&Hash::hash(value.as_bytes()))[..12].to_owned(), "by its SHA-256"),
        ] {
            assert_eq!(traces(&value).told(&text), Some(how));
        }
    }

    #[test]
    fn other_texts_are_not_suspected() {
        let value = planted("a", 1);
        for text in ["", "a#1", &planted("a", 2), &planted("b", 1), "7f1c0d52-9a10-4b55-8e0e-0f5a6f0c2f11"] {
            assert_eq!(traces(&value).told(text), None);
        }
    }
}
