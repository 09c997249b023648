//! Texts and bytes as requests are made of them.

use zeroize::Zeroizing;

/// A text as JSON, behind a tag that needs no escape and may be empty: in one block that never grows, and is wiped.
///
/// ```
/// use secretfig_source::protocol::quoted;
/// assert_eq!(*quoted("", "a \"b\"\n"), r#""a \u0022b\u0022\u000a""#);
/// assert_eq!(*quoted("s:", "é"), r#""s:é""#);
/// ```
pub fn quoted(tag: &str, text: &str) -> Zeroizing<String> {
    let escaped = |c: &char| *c < ' ' || matches!(c, '"' | '\\');
    // an escape makes six bytes of one
    let room = tag.len() + text.len() + 5 * text.chars().filter(escaped).count() + 2;
    let mut json = Zeroizing::new(String::with_capacity(room));
    json.push('"');
    json.push_str(tag);
    for c in text.chars() {
        if escaped(&c) {
            json.push_str("\\u00");
            json.push_str(&hex(&[c as u8]));
        } else {
            json.push(c);
        }
    }
    json.push('"');
    json
}

/// Bytes as two digits each, in one block that never grows, and is wiped.
///
/// ```
/// use secretfig_source::protocol::hex;
/// assert_eq!(*hex(&[0, 0x7f, 0xff]), "007fff");
/// ```
pub fn hex(bytes: &[u8]) -> Zeroizing<String> {
    let mut text = Zeroizing::new(String::with_capacity(bytes.len() * 2));
    for byte in bytes {
        for digit in [byte >> 4, byte & 15] {
            text.push(char::from_digit(digit.into(), 16).unwrap_or('0'));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_text_comes_back_out_of_one_block(text in any::<String>(), controls in "[\\x00-\\x7f]{0,20}") {
            for text in [text, controls] {
                let json = quoted("", &text);
                prop_assert_eq!(&serde_json::from_str::<String>(&json).unwrap(), &text);
                let escapes = text.chars().filter(|c| *c < ' ' || matches!(c, '"' | '\\')).count();
                prop_assert_eq!(json.len(), text.len() + 5 * escapes + 2);
            }
        }
    }
}
