//! JSON into sealed leaves: a borrowed `RawValue` per value and our own unescape.
//!
//! serde_json decodes escaped strings through a private scratch buffer that nobody wipes, and with
//! its feature `arbitrary_precision` (which any crate of a build may switch on) shows numbers as
//! maps. `RawValue` avoids both: serde_json only finds where a value begins and ends.

use super::{Limits, Malformed};
use crate::{Node, Sealed};
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use std::collections::BTreeMap;
use std::fmt;
use zeroize::{Zeroize, Zeroizing};

/// Whether the text is one syntactically whole JSON object.
pub(super) fn is_object(text: &str) -> bool {
    text.trim_start().starts_with('{')
        && !too_deep(text, HARD_DEPTH)
        && serde_json::from_str::<&RawValue>(text).is_ok()
        || text.trim_start().starts_with('{') && too_deep(text, HARD_DEPTH)
}

pub(super) fn read(text: &str, limits: Limits) -> Result<Node, Malformed> {
    if too_deep(text, limits.max_depth.min(HARD_DEPTH)) {
        return Err(Malformed::new("nested too deep"));
    }
    let raw: &RawValue = serde_json::from_str(text).map_err(|_| Malformed::new("no valid JSON"))?;
    value(raw.get())
}

/// Beyond this depth nothing is handed to serde_json at all, whatever the setting.
const HARD_DEPTH: usize = 512;

/// Counts brackets outside strings: bounds every recursion below, before it starts.
fn too_deep(text: &str, limit: usize) -> bool {
    let (mut depth, mut string, mut escaped) = (0_usize, false, false);
    for byte in text.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if string => escaped = true,
            b'"' => string = !string,
            b'{' | b'[' if !string => {
                depth += 1;
                if depth > limit {
                    return true;
                }
            }
            b'}' | b']' if !string => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    false
}

fn value(raw: &str) -> Result<Node, Malformed> {
    let bad = || Malformed::new("no valid JSON");
    Ok(match raw.as_bytes() {
        [b'"', .., b'"'] => Node::Leaf(Sealed::take(unescape(&raw[1..raw.len() - 1])?, true)),
        [b'{', ..] => {
            let pairs: Pairs<'_> = serde_json::from_str(raw).map_err(|_| bad())?;
            let mut table = BTreeMap::new();
            for (key, raw) in pairs.0 {
                let node = value(raw.get()).map_err(|e| e.under(&key))?;
                if table.contains_key(key.as_str()) {
                    return Err(Malformed::new("the same key twice in one table").under(&key));
                }
                table.insert(key.into_boxed_str(), node);
            }
            Node::Table(table)
        }
        [b'[', ..] => {
            let items: Vec<&RawValue> = serde_json::from_str(raw).map_err(|_| bad())?;
            let nodes = items
                .iter()
                .enumerate()
                .map(|(n, raw)| value(raw.get()).map_err(|e| e.under(&n.to_string())));
            Node::List(nodes.collect::<Result<_, _>>()?)
        }
        b"null" => Node::Null,
        b"true" | b"false" => Node::Leaf(Sealed::bool(raw == "true")),
        // the literal stays as written: no digit is lost, and no foreign feature is met
        [b'-' | b'0'..=b'9', ..] => Node::Leaf(Sealed::number(raw)),
        _ => return Err(bad()),
    })
}

struct Pairs<'a>(Vec<(String, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for Pairs<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Walk;
        impl<'de> Visitor<'de> for Walk {
            type Value = Pairs<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Pairs<'de>, A::Error> {
                let mut pairs = Vec::new();
                while let Some(pair) = map.next_entry()? {
                    pairs.push(pair);
                }
                Ok(Pairs(pairs))
            }
        }
        deserializer.deserialize_map(Walk)
    }
}

/// Decodes the inside of a JSON string. The result never outgrows the buffer it starts with.
fn unescape(inside: &str) -> Result<Zeroizing<Vec<u8>>, Malformed> {
    let bad = || Malformed::new("a string with a broken escape");
    if !inside.contains('\\') {
        return Ok(Zeroizing::new(inside.as_bytes().to_vec()));
    }
    let mut out = Zeroizing::new(Vec::with_capacity(inside.len()));
    let mut rest = inside;
    while let Some(at) = rest.find('\\') {
        out.extend_from_slice(&rest.as_bytes()[..at]);
        let mut chars = rest[at + 1..].chars();
        let simple = match chars.next().ok_or_else(bad)? {
            '"' => b'"',
            '\\' => b'\\',
            '/' => b'/',
            'b' => 0x08,
            'f' => 0x0c,
            'n' => b'\n',
            'r' => b'\r',
            't' => b'\t',
            'u' => {
                let mut code = hex4(&mut chars).ok_or_else(bad)?;
                if (0xd800..0xdc00).contains(&code) {
                    let low = match (chars.next(), chars.next()) {
                        (Some('\\'), Some('u')) => hex4(&mut chars).ok_or_else(bad)?,
                        _ => return Err(bad()),
                    };
                    let low = low.checked_sub(0xdc00).filter(|l| *l < 0x400).ok_or_else(bad)?;
                    code = 0x10000 + ((code - 0xd800) << 10) + low;
                }
                let mut utf8 = [0; 4];
                let c = char::from_u32(code).ok_or_else(bad)?;
                out.extend_from_slice(c.encode_utf8(&mut utf8).as_bytes());
                utf8.zeroize();
                rest = chars.as_str();
                continue;
            }
            _ => return Err(bad()),
        };
        out.push(simple);
        rest = chars.as_str();
    }
    out.extend_from_slice(rest.as_bytes());
    Ok(out)
}

fn hex4(chars: &mut std::str::Chars<'_>) -> Option<u32> {
    (0..4).try_fold(0, |code, _| Some(code << 4 | chars.next()?.to_digit(16)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Exposed;

    fn text(json: &str) -> Option<String> {
        let node = read(json, Limits::default()).ok()?;
        match node {
            Node::Leaf(sealed) => match sealed.expose_secret() {
                Exposed::Text(text) => Some(text.to_owned()),
                _ => None,
            },
            _ => None,
        }
    }

    #[test]
    fn strings_come_out_as_serde_json_reads_them() {
        for json in
            [r#""plain""#, r#""a\"b\\c\/d\b\f\n\r\t""#, r#""\u00e9\ud83d\udd11 é🔑""#, r#""""#, r#""\u0000""#]
        {
            assert_eq!(text(json), serde_json::from_str(json).ok(), "{json}");
        }
    }

    #[test]
    fn what_serde_json_refuses_we_refuse() {
        for json in [
            r#""\ud800""#,
            r#""\ud800\u0041""#,
            r#""\udc00""#,
            r#""\x""#,
            r#""\u12""#,
            "\"a\nb\"",
            "{",
            "01",
            "nul",
            "[1,]",
            "",
        ] {
            assert!(serde_json::from_str::<serde_json::Value>(json).is_err(), "{json}");
            assert!(read(json, Limits::default()).is_err(), "{json}");
        }
    }

    #[test]
    fn numbers_keep_their_literal() {
        for literal in ["0", "-1", "1.10", "1e400", "123456789012345678901234567890"] {
            let Ok(Node::Leaf(sealed)) = read(literal, Limits::default()) else { panic!("{literal}") };
            assert!(matches!(sealed.expose_secret(), Exposed::Number(n) if n == literal));
        }
    }

    #[test]
    fn a_key_twice_is_refused_and_named() {
        let e = read(r#"{"a": {"b": 1, "\u0062": 2}}"#, Limits::default()).unwrap_err();
        assert_eq!(e.to_string(), "`a.b`: the same key twice in one table");
    }
}
