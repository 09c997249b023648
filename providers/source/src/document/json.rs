//! JSON into sealed leaves, in one pass.
//!
//! Why our own: a parser for everybody decodes escaped strings through a buffer that nobody wipes, rounds numbers or shows
//! them as maps (a feature of it, that any crate of a build may switch on), and quotes what it read in its errors. To have
//! it find only where each value ends, and to go over that again, costs a pass per level. The grammar is RFC 8259's, to
//! the letter; the tests compare with serde_json.

use super::{Limits, Malformed};
use crate::{Node, Sealed};
use std::collections::BTreeMap;
use zeroize::Zeroizing;

/// The text as JSON of any type.
pub(super) fn read(text: &str, limits: Limits) -> Result<Node, Malformed> {
    scan(text, limits).unwrap_or_else(|| Err(Malformed::new("no valid JSON")))
}

/// The text where it is one whole JSON object, which may still be refused; none where it is anything else.
pub(super) fn object(text: &str, limits: Limits) -> Option<Result<Node, Malformed>> {
    if text.trim_start().starts_with('{') { scan(text, limits) } else { None }
}

/// Beyond this depth nothing is read, whatever the setting: each level is one of our own stack.
const HARD_DEPTH: usize = 512;

/// None where it is no JSON.
fn scan(text: &str, limits: Limits) -> Option<Result<Node, Malformed>> {
    let mut scanner = Scanner { text, at: 0, deepest: limits.max_depth.min(HARD_DEPTH), fault: None };
    let node = scanner.value(0);
    if scanner.fault.as_ref().is_some_and(|fault| fault.reason() == TOO_DEEP) {
        return Some(Err(Malformed::new(TOO_DEEP)));
    }
    let node = node?;
    scanner.blank();
    if scanner.peek().is_some() {
        return None;
    }
    Some(scanner.fault.map_or(Ok(node), Err))
}

const TOO_DEEP: &str = "nested too deep";
const TWICE: &str = "the same key twice in one table";
const BROKEN: &str = "a string with a broken escape";

/// Each method is `None` where the text is no JSON at that place. What is JSON and refused all the same becomes the
/// `fault`, the first of them, and the text is read on: it may turn out to be no JSON after all.
struct Scanner<'t> {
    text: &'t str,
    /// In bytes, and always between two characters.
    at: usize,
    deepest: usize,
    fault: Option<Malformed>,
}

impl<'t> Scanner<'t> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn blank(&mut self) {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.peek() {
            self.at += 1;
        }
    }

    /// That character is next, and passed.
    fn passes(&mut self, byte: u8) -> bool {
        let passes = self.peek() == Some(byte);
        self.at += usize::from(passes);
        passes
    }

    fn value(&mut self, depth: usize) -> Option<Node> {
        self.blank();
        let start = self.at;
        match self.peek()? {
            b'"' => Some(Node::Leaf(Sealed::take(self.string()?, true))),
            b'{' | b'[' if depth == self.deepest => {
                self.fault = Some(Malformed::new(TOO_DEEP));
                None
            }
            b'{' => self.table(depth + 1),
            b'[' => self.list(depth + 1),
            b'-' | b'0'..=b'9' => {
                self.number()?;
                // the literal stays as written: no digit is lost
                Some(Node::Leaf(Sealed::number(self.text.get(start..self.at)?)))
            }
            _ => {
                while let Some(b'a'..=b'z') = self.peek() {
                    self.at += 1;
                }
                match self.text.get(start..self.at)? {
                    "null" => Some(Node::Null),
                    "true" => Some(Node::Leaf(Sealed::bool(true))),
                    "false" => Some(Node::Leaf(Sealed::bool(false))),
                    _ => None,
                }
            }
        }
    }

    /// Whether there is one more element: after the opening bracket (`first`), or after an element.
    fn goes_on(&mut self, first: bool, end: u8) -> Option<bool> {
        self.blank();
        if self.passes(end) {
            return Some(false);
        }
        (first || self.passes(b',')).then_some(true)
    }

    fn list(&mut self, depth: usize) -> Option<Node> {
        self.at += 1;
        let mut nodes = Vec::new();
        while self.goes_on(nodes.is_empty(), b']')? {
            let before = self.fault.is_some();
            let node = self.value(depth);
            if !before {
                self.fault = self.fault.take().map(|fault| fault.under(&(nodes.len() as u64).to_string()));
            }
            nodes.push(node?);
        }
        Some(Node::List(nodes))
    }

    fn table(&mut self, depth: usize) -> Option<Node> {
        self.at += 1;
        let (mut table, mut first) = (BTreeMap::new(), true);
        while self.goes_on(std::mem::take(&mut first), b'}')? {
            self.blank();
            let before = self.fault.is_some();
            let key = self.string()?;
            let key = std::str::from_utf8(&key).ok()?;
            self.blank();
            if !self.passes(b':') {
                return None;
            }
            let node = self.value(depth);
            if self.fault.is_none() && table.contains_key(key) {
                self.fault = Some(Malformed::new(TWICE));
            }
            if !before {
                self.fault = self.fault.take().map(|fault| fault.under(key));
            }
            table.insert(Box::from(key), node?);
        }
        Some(Node::Table(table))
    }

    /// `-0.5e+3`, without a sign of plus, a leading zero, or a point at either end.
    fn number(&mut self) -> Option<()> {
        self.passes(b'-');
        if !self.passes(b'0') {
            self.digits()?;
        }
        if self.passes(b'.') {
            self.digits()?;
        }
        if self.passes(b'e') || self.passes(b'E') {
            let _ = self.passes(b'+') || self.passes(b'-');
            self.digits()?;
        }
        Some(())
    }

    /// One or more.
    fn digits(&mut self) -> Option<()> {
        let start = self.at;
        while let Some(b'0'..=b'9') = self.peek() {
            self.at += 1;
        }
        (self.at > start).then_some(())
    }

    /// A string, decoded into a block that never grows.
    fn string(&mut self) -> Option<Zeroizing<Vec<u8>>> {
        if !self.passes(b'"') {
            return None;
        }
        let start = self.at;
        let mut escapes = 0;
        loop {
            match self.peek()? {
                b'"' => break,
                b'\\' => {
                    escapes += 1;
                    self.at += 1;
                    self.peek()?;
                }
                0..0x20 => return None,
                _ => {}
            }
            self.at += 1;
        }
        let inside = self.text.get(start..self.at)?;
        self.at += 1;
        let mut decoded = Zeroizing::new(Vec::with_capacity(inside.len() - escapes));
        if escapes == 0 {
            decoded.extend_from_slice(inside.as_bytes());
        } else {
            self.unescape(inside, &mut decoded)?;
        }
        Some(decoded)
    }

    fn unescape(&mut self, inside: &str, into: &mut Vec<u8>) -> Option<()> {
        let mut rest = inside.bytes();
        while let Some(byte) = rest.next() {
            let byte = match byte {
                b'\\' => match rest.next()? {
                    same @ (b'"' | b'\\' | b'/') => same,
                    b'b' => 0x08,
                    b'f' => 0x0c,
                    b'n' => b'\n',
                    b'r' => b'\r',
                    b't' => b'\t',
                    b'u' => {
                        let mut code = hex4(&mut rest)?;
                        if (0xd800..0xdc00).contains(&code) {
                            // half of a character; the other half stands in an escape behind it
                            let mut ahead = rest.clone();
                            let low = match (ahead.next(), ahead.next()) {
                                (Some(b'\\'), Some(b'u')) => hex4(&mut ahead)?,
                                _ => 0,
                            };
                            if let 0xdc00..0xe000 = low {
                                code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
                                rest = ahead;
                            }
                        }
                        match char::from_u32(code) {
                            Some(c) => {
                                let mut utf8 = Zeroizing::new([0; 4]);
                                into.extend_from_slice(c.encode_utf8(&mut *utf8).as_bytes());
                            }
                            None => _ = self.fault.get_or_insert(Malformed::new(BROKEN)),
                        }
                        continue;
                    }
                    _ => return None,
                },
                byte => byte,
            };
            into.push(byte);
        }
        Some(())
    }
}

fn hex4(rest: &mut std::str::Bytes<'_>) -> Option<u32> {
    let mut code = 0;
    for _ in 0..4 {
        code = code << 4 | char::from(rest.next()?).to_digit(16)?;
    }
    Some(code)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Exposed;
    use proptest::prelude::*;

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

    /// The tree as serde_json has it: numbers by their literal.
    fn plain(node: &Node) -> String {
        match node {
            Node::Null => "null".to_owned(),
            Node::Leaf(sealed) => match sealed.expose_secret() {
                Exposed::Text(text) => serde_json::to_string(text).unwrap(),
                Exposed::Number(literal) => literal.to_owned(),
                Exposed::Bool(yes) => yes.to_string(),
                Exposed::Bytes(_) => panic!("bytes out of JSON"),
            },
            Node::List(nodes) => format!("[{}]", nodes.iter().map(plain).collect::<Vec<_>>().join(",")),
            Node::Table(table) => {
                let pairs =
                    table.iter().map(|(k, v)| format!("{}:{}", serde_json::to_string(k).unwrap(), plain(v)));
                format!("{{{}}}", pairs.collect::<Vec<_>>().join(","))
            }
        }
    }

    /// Texts made of what JSON is made of, and of what it is nearly made of.
    fn pieces() -> impl Strategy<Value = String> {
        let piece = prop::sample::select(vec![
            "{",
            "}",
            "[",
            "]",
            ":",
            ",",
            "\"",
            "\"a\"",
            "\"b\":",
            "\\",
            "\\u",
            "\\ud83d\\udd11",
            "\\ud800",
            "\\n",
            "\\x",
            "0",
            "-",
            "1",
            "12",
            ".5",
            ".",
            "e",
            "E+3",
            "true",
            "false",
            "null",
            "nul",
            " ",
            "\n",
            "\t",
            "\u{0}",
            "\u{1f}",
            "é",
            "🔑",
            "\u{feff}",
            "\u{a0}",
            "/",
            "'",
            "01",
            "NaN",
            "{}",
            "[]",
            "[1,2]",
            "{\"a\":1}",
        ]);
        prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
    }

    /// Whole documents, as serde_json writes them.
    fn documents() -> impl Strategy<Value = String> {
        let leaf = prop_oneof![
            Just("null".to_owned()),
            any::<bool>().prop_map(|yes| yes.to_string()),
            "-?(0|[1-9][0-9]{0,20})(\\.[0-9]{1,8})?([eE][+-]?[0-9]{1,3})?",
            any::<String>().prop_map(|text| serde_json::to_string(&text).unwrap()),
        ];
        leaf.prop_recursive(4, 32, 6, |inner| {
            let blank = prop::sample::select(vec!["", " ", "\n\t"]);
            prop_oneof![
                (prop::collection::vec(inner.clone(), 0..6), blank.clone()).prop_map(|(all, blank)| format!(
                    "{blank}[{blank}{}{blank}]",
                    all.join(&format!("{blank},{blank}"))
                )),
                (prop::collection::btree_map(any::<String>(), inner, 0..6), blank).prop_map(
                    |(all, blank)| {
                        let pair = |(k, v)| {
                            format!("{}{blank}:{blank}{v}", serde_json::to_string::<String>(&k).unwrap())
                        };
                        format!(
                            "{{{blank}{}{blank}}}",
                            all.into_iter().map(pair).collect::<Vec<_>>().join(",")
                        )
                    }
                ),
            ]
        })
    }

    /// Accepted as serde_json accepts it, with the same in it; but for what it rounds, drops or repairs.
    fn as_serde_json_has_it(text: &str) {
        let theirs = serde_json::from_str::<&serde_json::value::RawValue>(text);
        match read(text, Limits::default()) {
            Ok(node) => {
                assert!(theirs.is_ok(), "{text:?} is no JSON");
                let whole: Result<serde_json::Value, _> = serde_json::from_str(text);
                // a number that a float has no room for is refused there
                if let Ok(whole) = whole {
                    assert_eq!(
                        serde_json::from_str::<serde_json::Value>(&plain(&node)).unwrap(),
                        whole,
                        "{text:?}"
                    );
                }
            }
            Err(e) if e.reason() == "no valid JSON" => assert!(theirs.is_err(), "{text:?} is JSON"),
            // half of a character, as their own decoding has it; a key twice, which it takes; levels, of which it takes more
            Err(e) => assert!([TOO_DEEP, TWICE, BROKEN].contains(&e.reason()), "{text:?}: {e}"),
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 20_000, ..ProptestConfig::default() })]

        #[test]
        fn what_is_nearly_json_is_taken_as_serde_json_takes_it(text in pieces()) {
            as_serde_json_has_it(&text);
        }

        #[test]
        fn what_is_json_is_read_as_serde_json_reads_it(
            text in documents(),
            at in any::<prop::sample::Index>(),
            with in prop::sample::select(vec!["", "\"", "\\", ",", "}", "0", "\u{7}"]),
        ) {
            as_serde_json_has_it(&text);
            assert!(read(&text, Limits::default()).is_ok(), "{text:?}");
            // and with one character changed
            let mut at = at.index(text.len() + 1);
            while !text.is_char_boundary(at) {
                at -= 1;
            }
            let (before, after) = text.split_at(at);
            let after = after.char_indices().nth(1).map_or("", |(next, _)| &after[next..]);
            as_serde_json_has_it(&format!("{before}{with}{after}"));
        }
    }

    #[test]
    fn a_fault_has_its_path_and_is_told_of_whole_json_alone() {
        for (text, told) in [
            (r#"{"a": [1, {"b": "\ud800"}]}"#, "`a.1.b`: a string with a broken escape"),
            (r#"{"a": [1, {"b": "\ud800"}]"#, "no valid JSON"),
            (r#"[{"k": 1, "k": 2, "k": 3}]"#, "`0.k`: the same key twice in one table"),
            (r#"{"k": 1, "k": 2"#, "no valid JSON"),
        ] {
            assert_eq!(read(text, Limits::default()).unwrap_err().to_string(), told);
        }
        let deep = format!("{}{}", r#"{"a":["#.repeat(40), "]}".repeat(40));
        assert_eq!(read(&deep, Limits::default()).unwrap_err().to_string(), TOO_DEEP);
        let hard = Limits { max_depth: usize::MAX, ..Limits::default() };
        assert!(read(&format!("{}{}", "[".repeat(512), "]".repeat(512)), hard).is_ok());
        assert!(read(&"[".repeat(100_000), hard).is_err());
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
