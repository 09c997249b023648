//! What environment text may become, and only when the target asks for it.

use super::error::{Error, What};
use serde::de::{Visitor, value::MapDeserializer};
use std::borrow::Cow;
use std::fmt;
use zeroize::Zeroizing;

/// Under `deserialize_any` (`flatten`, `untagged`): a number or a boolean only where that form prints back to
/// the same text.
pub(super) fn loose_any<'de, V: Visitor<'de>>(text: &'de str, visitor: V) -> Result<V::Value, Error> {
    match text {
        "true" => return visitor.visit_bool(true),
        "false" => return visitor.visit_bool(false),
        _ => {}
    }
    if let Ok(n) = text.parse::<u64>()
        && prints_as(n, text)
    {
        return visitor.visit_u64(n);
    }
    if let Ok(n) = text.parse::<i64>()
        && prints_as(n, text)
    {
        return visitor.visit_i64(n);
    }
    if let Ok(n) = text.parse::<f64>()
        && prints_as(n, text)
    {
        return visitor.visit_f64(n);
    }
    visitor.visit_borrowed_str(text)
}

/// Whether a number prints as this text: compared as it is printed, since a copy would have to be wiped.
fn prints_as(n: impl fmt::Display, text: &str) -> bool {
    struct Rest<'t>(&'t str);
    impl fmt::Write for Rest<'_> {
        fn write_str(&mut self, part: &str) -> fmt::Result {
            self.0 = self.0.strip_prefix(part).ok_or(fmt::Error)?;
            Ok(())
        }
    }
    let mut rest = Rest(text);
    fmt::write(&mut rest, format_args!("{n}")).is_ok() && rest.0.is_empty()
}

/// Whether a target asks for serde's own `Duration`.
pub(super) fn is_duration(name: &str, fields: &[&str]) -> bool {
    name == "Duration" && fields == ["secs", "nanos"]
}

/// humantime: `90s`, `1h 30m`.
pub(super) fn duration<'de, V: Visitor<'de>>(text: &str, visitor: V) -> Result<V::Value, Error> {
    let Ok(duration) = humantime::parse_duration(text.trim()) else {
        return Err(Error::new(What::WrongType("a duration such as `90s` or `1h 30m`".into())));
    };
    let fields = [("secs", duration.as_secs()), ("nanos", u64::from(duration.subsec_nanos()))];
    visitor.visit_map(MapDeserializer::new(fields.into_iter()))
}

/// figment's list, `[a, "b, c"]`: elements between commas, blanks around them not theirs; in double quotes
/// anything, with `\"` and `\\`. `None`: no such list.
pub(super) fn list(text: &str) -> Option<Vec<Piece<'_>>> {
    let mut rest = text.trim().strip_prefix('[')?.strip_suffix(']')?.trim();
    let mut pieces = Vec::new();
    while !rest.is_empty() {
        let (piece, left) = match rest.strip_prefix('"') {
            Some(inside) => quoted(inside)?,
            None => {
                let end = rest.find(',').unwrap_or(rest.len());
                (Piece::Borrowed(rest[..end].trim_end()), &rest[end..])
            }
        };
        pieces.push(piece);
        let left = left.trim_start();
        rest = match left.strip_prefix(',') {
            Some(left) => left.trim_start(),
            None if left.is_empty() => left,
            None => return None,
        };
    }
    Some(pieces)
}

/// One element of a list in text.
#[derive(Debug)]
pub(super) enum Piece<'t> {
    Borrowed(&'t str),
    Owned(Zeroizing<String>),
}

impl Piece<'_> {
    pub(super) fn as_str(&self) -> &str {
        match self {
            Piece::Borrowed(text) => text,
            Piece::Owned(text) => text,
        }
    }
}

fn quoted(inside: &str) -> Option<(Piece<'_>, &str)> {
    let mut escaped = false;
    for (at, c) in inside.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => {
                let body = &inside[..at];
                let piece = match unescape(body) {
                    Cow::Borrowed(body) => Piece::Borrowed(body),
                    Cow::Owned(body) => Piece::Owned(Zeroizing::new(body)),
                };
                return Some((piece, &inside[at + 1..]));
            }
            _ => {}
        }
    }
    None
}

fn unescape(body: &str) -> Cow<'_, str> {
    if !body.contains('\\') {
        return Cow::Borrowed(body);
    }
    let mut out = String::with_capacity(body.len());
    let mut chars = body.chars();
    while let Some(c) = chars.next() {
        match (c, chars.as_str().chars().next()) {
            ('\\', Some(next @ ('"' | '\\'))) => {
                out.push(next);
                chars.next();
            }
            (c, _) => out.push(c),
        }
    }
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_prints_back_the_same_is_a_number() {
        for (n, text, same) in [
            (7.0, "7", true),
            (7.0, "7.0", false),
            (7.5, "7.5", true),
            (7.5, "7.50", false),
            (7.0, "70", false),
            (-0.5, "-0.5", true),
        ] {
            assert_eq!(prints_as(n, text), same, "{text}");
        }
    }

    #[test]
    fn lists_are_figments() {
        let read =
            |text| list(text).map(|pieces| pieces.iter().map(|p| p.as_str().to_owned()).collect::<Vec<_>>());
        assert_eq!(read("[]"), Some(vec![]));
        assert_eq!(read(r#" [a , "b, c", 1,] "#), Some(vec!["a".into(), "b, c".into(), "1".into()]));
        assert_eq!(read(r#"["\"x\\"]"#), Some(vec!["\"x\\".into()]));
        for none in ["a,b", "[a", r#"["a]"#, r#"["a" b]"#] {
            assert_eq!(read(none), None, "{none}");
        }
    }
}
