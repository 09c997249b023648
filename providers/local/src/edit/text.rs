//! The text of a store, changed in place: TOML by `toml_edit`, which keeps comments and order, JSON
//! by the sealed tree, which keeps every number's digits.

use crate::error::{Refusal, misconfigured};
use secretfig_source::{Document, ErrorKind, Exposed, Format, Limits, Node, Reading, Sealed};
use std::collections::BTreeMap;
use std::fmt::{self, Write};
use toml_edit::{DocumentMut, Item, Table, TableLike, Value};
use zeroize::Zeroizing;

/// In which format a store is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Layout {
    /// TOML: comments and order stay.
    #[default]
    Toml,
    /// JSON: keys are sorted, numbers keep their digits.
    Json,
}

/// The text of a store in its layout.
#[derive(Clone)]
pub(crate) enum Text {
    Toml(Box<DocumentMut>),
    Json(BTreeMap<Box<str>, Node>),
}

/// What stands at the top of a new TOML store.
const HEAD: &str =
    "# Secrets, encrypted as a whole. `secretfig local set myapp/database/password` adds one.\n";

impl Text {
    /// An empty store.
    pub(crate) fn empty(layout: Layout) -> Zeroizing<String> {
        Zeroizing::new(match layout {
            Layout::Toml => HEAD.to_owned(),
            Layout::Json => "{}\n".to_owned(),
        })
    }

    /// Reads a plaintext.
    pub(crate) fn read(plaintext: &[u8]) -> Result<Self, Refusal> {
        let malformed = || Refusal::new(ErrorKind::Malformed, "its text, once decrypted, cannot be read");
        if crate::tree::format(plaintext) == Format::Json {
            let limits = Limits { max_bytes: plaintext.len(), ..Limits::default() };
            let how = Reading { format: Format::Json, allow_empty: true, limits, ..Reading::default() };
            let document = Document::from_bytes(plaintext.to_vec());
            return match document.read(&how) {
                Ok(Node::Table(root)) => Ok(Self::Json(root)),
                _ => Err(malformed()),
            };
        }
        let text = std::str::from_utf8(plaintext).map_err(|_| malformed())?;
        // the error holds the text
        text.parse().map(Box::new).map(Self::Toml).map_err(|_| malformed())
    }

    /// The plaintext.
    pub(crate) fn render(&self) -> Zeroizing<String> {
        exact(|out| match self {
            Text::Toml(document) => write!(out, "{document}"),
            Text::Json(root) => {
                table(root, 0, out)?;
                out.write_char('\n')
            }
        })
    }

    /// Puts a value at a name. The caller has made sure that no value is on its way, and no table at
    /// its place.
    pub(crate) fn set(&mut self, segments: &[&str], value: &str) -> Result<(), Refusal> {
        let (whole, keys);
        // where part of it is spelt `a/b` already, it goes there
        let at = match self.spelt(segments) {
            Some(first) => {
                whole = segments[..first].join("/");
                keys = std::iter::once(&*whole).chain(segments[first..].iter().copied()).collect::<Vec<_>>();
                &keys[..]
            }
            None => segments,
        };
        let done = match self {
            Text::Toml(document) => set_toml(document.as_table_mut(), at, value),
            Text::Json(root) => set_json(root, at, value),
        };
        // INVARIANT: no value is on its way.
        done.ok_or_else(|| misconfigured("a value stands on the way to this name"))
    }

    /// Removes whatever has this name or lies below it, and tables that are empty then.
    pub(crate) fn remove(&mut self, segments: &[&str]) {
        let keys: Vec<String> = match self {
            Text::Toml(document) => document.iter().map(|(key, _)| key.to_owned()).collect(),
            Text::Json(root) => root.keys().map(|key| String::from(&**key)).collect(),
        };
        for key in keys {
            let spelt: Vec<&str> = key.split('/').collect();
            let rest = if spelt.starts_with(segments) {
                &[]
            } else if segments.starts_with(&spelt) {
                &segments[spelt.len()..]
            } else {
                continue;
            };
            let way: Vec<&str> = std::iter::once(&*key).chain(rest.iter().copied()).collect();
            match self {
                Text::Toml(document) => remove_toml(document.as_table_mut(), &way),
                Text::Json(root) => remove_json(root, &way),
            }
        }
    }

    /// How many segments make the first key of the spelling that goes furthest towards this name.
    fn spelt(&self, segments: &[&str]) -> Option<usize> {
        let reach = |first: usize| {
            let key = segments[..first].join("/");
            let rest = &segments[first..];
            let below = match self {
                Text::Toml(document) => reach_toml(document.get(&key)?, rest),
                Text::Json(root) => reach_json(root.get(&*key)?, rest),
            };
            Some((first + below, first))
        };
        (1..=segments.len()).filter_map(reach).max().map(|(_, first)| first)
    }
}

fn reach_toml(item: &Item, segments: &[&str]) -> usize {
    let Some((first, rest)) = segments.split_first() else { return 0 };
    let below = item.as_table_like().and_then(|table| table.get(first));
    below.map_or(0, |item| 1 + reach_toml(item, rest))
}

fn set_toml(table: &mut dyn TableLike, keys: &[&str], value: &str) -> Option<()> {
    let (first, rest) = keys.split_first()?;
    if rest.is_empty() {
        let mut new = Value::from(value);
        if let Some(old) = table.get(first).and_then(Item::as_value) {
            // the comment behind it, and the blanks around
            *new.decor_mut() = old.decor().clone();
        }
        match table.get_mut(first) {
            Some(item) => *item = Item::Value(new),
            None => drop(table.insert(first, Item::Value(new))),
        }
        return Some(());
    }
    if !table.contains_key(first) {
        let mut below = Table::new();
        // `[a.b]` needs no `[a]` above it
        below.set_implicit(rest.len() > 1);
        table.insert(first, Item::Table(below));
    }
    set_toml(table.get_mut(first)?.as_table_like_mut()?, rest, value)
}

fn remove_toml(table: &mut dyn TableLike, keys: &[&str]) {
    let Some((first, rest)) = keys.split_first() else { return };
    if !rest.is_empty() {
        let Some(below) = table.get_mut(first).and_then(Item::as_table_like_mut) else { return };
        remove_toml(below, rest);
        if !below.is_empty() {
            return;
        }
    }
    table.remove(first);
}

fn reach_json(node: &Node, segments: &[&str]) -> usize {
    match (node, segments.split_first()) {
        (Node::Table(table), Some((first, rest))) => {
            table.get(*first).map_or(0, |node| 1 + reach_json(node, rest))
        }
        _ => 0,
    }
}

fn set_json(table: &mut BTreeMap<Box<str>, Node>, keys: &[&str], value: &str) -> Option<()> {
    let (first, rest) = keys.split_first()?;
    if rest.is_empty() {
        table.insert((*first).into(), Node::Leaf(Sealed::text(value)));
        return Some(());
    }
    match table.entry((*first).into()).or_insert_with(|| Node::Table(BTreeMap::new())) {
        Node::Table(below) => set_json(below, rest, value),
        _ => None,
    }
}

fn remove_json(table: &mut BTreeMap<Box<str>, Node>, keys: &[&str]) {
    let Some((first, rest)) = keys.split_first() else { return };
    if !rest.is_empty() {
        let Some(Node::Table(below)) = table.get_mut(*first) else { return };
        remove_json(below, rest);
        if !below.is_empty() {
            return;
        }
    }
    table.remove(*first);
}

/// Writes twice: once to learn the length, then into a block of exactly that size, which is never
/// grown and is wiped.
fn exact(write: impl Fn(&mut dyn Write) -> fmt::Result) -> Zeroizing<String> {
    struct Count(usize);
    impl Write for Count {
        fn write_str(&mut self, text: &str) -> fmt::Result {
            self.0 += text.len();
            Ok(())
        }
    }
    let mut count = Count(0);
    // INVARIANT: neither writer fails.
    let _ = write(&mut count);
    let mut text = Zeroizing::new(String::with_capacity(count.0));
    let _ = write(&mut *text);
    text
}

fn table(table: &BTreeMap<Box<str>, Node>, depth: usize, out: &mut dyn Write) -> fmt::Result {
    let entries = table.iter().map(|(key, node)| (Some(&**key), node));
    lines(['{', '}'], entries, depth, out)
}

/// The entries of a table or a list, one a line.
fn lines<'n>(
    [open, close]: [char; 2],
    entries: impl Iterator<Item = (Option<&'n str>, &'n Node)>,
    depth: usize,
    out: &mut dyn Write,
) -> fmt::Result {
    out.write_char(open)?;
    let mut empty = true;
    for (key, node) in entries {
        let comma = if empty { "" } else { "," };
        write!(out, "{comma}\n{:1$}", "", 2 * (depth + 1))?;
        empty = false;
        if let Some(key) = key {
            string(key, out)?;
            out.write_str(": ")?;
        }
        json(node, depth + 1, out)?;
    }
    if !empty {
        write!(out, "\n{:1$}", "", 2 * depth)?;
    }
    out.write_char(close)
}

fn json(node: &Node, depth: usize, out: &mut dyn Write) -> fmt::Result {
    match node {
        Node::Null => out.write_str("null"),
        Node::Table(below) => table(below, depth, out),
        Node::List(nodes) => lines(['[', ']'], nodes.iter().map(|node| (None, node)), depth, out),
        Node::Leaf(leaf) => match leaf.expose_secret() {
            Exposed::Text(text) => string(text, out),
            Exposed::Number(literal) => out.write_str(literal),
            Exposed::Bool(yes) => write!(out, "{yes}"),
            // INVARIANT: JSON holds no bytes.
            Exposed::Bytes(_) => Err(fmt::Error),
        },
    }
}

/// A string of JSON: what must be escaped is (RFC 8259, section 7), and nothing else.
fn string(text: &str, out: &mut dyn Write) -> fmt::Result {
    out.write_char('"')?;
    let mut rest = text;
    while let Some(at) = rest.find(|c: char| matches!(c, '"' | '\\' | '\0'..='\x1f')) {
        out.write_str(&rest[..at])?;
        // all of them are one byte long
        match rest.as_bytes()[at] {
            b'\n' => out.write_str("\\n")?,
            b'\r' => out.write_str("\\r")?,
            b'\t' => out.write_str("\\t")?,
            c @ (b'"' | b'\\') => write!(out, "\\{}", char::from(c))?,
            c => write!(out, "\\u{c:04x}")?,
        }
        rest = &rest[at + 1..];
    }
    out.write_str(rest)?;
    out.write_char('"')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::Tree;

    fn changed(text: &str, change: impl FnOnce(&mut Text)) -> String {
        let mut read = Text::read(text.as_bytes()).unwrap();
        change(&mut read);
        read.render().to_string()
    }

    fn set(text: &str, name: &str, value: &str) -> String {
        changed(text, |text| text.set(&name.split('/').collect::<Vec<_>>(), value).unwrap())
    }

    fn removed(text: &str, name: &str) -> String {
        changed(text, |text| text.remove(&name.split('/').collect::<Vec<_>>()))
    }

    const TOML: &str = "# mine\nb = 'x' # why\na = 1\n\n[db] # the database\npassword = \"old\" # rotate\nport = 0x10\n\n# tokens\n[tokens]\n'api/v1' = 't'\n";

    #[test]
    fn toml_keeps_comments_order_and_spelling() {
        assert_eq!(changed(TOML, |_| {}), TOML);
        assert_eq!(set(TOML, "db/password", "new"), TOML.replace("\"old\"", "\"new\""));
        assert_eq!(set(TOML, "db/user", "app"), TOML.replace("0x10\n", "0x10\nuser = \"app\"\n"));
        assert_eq!(set(TOML, "c", "y"), TOML.replace("a = 1\n", "a = 1\nc = \"y\"\n"));
        assert_eq!(set("", "a/b/c", "x"), "[a.b]\nc = \"x\"\n");
        assert_eq!(set("'a/b' = 'old'\n", "a/b", "new"), "'a/b' = \"new\"\n");
        assert_eq!(set("'a/b' = { c = '1' }\n", "a/b/d", "2"), "'a/b' = { c = '1' , d = \"2\" }\n");
        assert_eq!(set("a = { b = 'x' }\n", "a/c/d", "y"), "a = { b = 'x' , c = { d = \"y\" } }\n");
        assert_eq!(set("a.b = 'x'\n", "a/c", "y"), "a.b = 'x'\na.c = \"y\"\n");
    }

    #[test]
    fn removing_takes_what_lies_below_and_empty_tables() {
        assert_eq!(removed("[a.b]\nc = 1\n[d]\ne = 2\n", "a/b/c"), "[d]\ne = 2\n");
        assert_eq!(removed("'a/b' = 1\n'a/c' = 2\n[a]\nd = 3\n[e]\nf = 4\n", "a"), "[e]\nf = 4\n");
        assert_eq!(removed("'a/b' = 1\n'a/bc' = 2\n", "a/b"), "'a/bc' = 2\n");
        assert_eq!(removed(TOML, "db/password"), TOML.replace("password = \"old\" # rotate\n", ""));
        assert_eq!(removed(r#"{"a": {"b": {"c": 1}}, "a/d": 2, "e": 3}"#, "a"), "{\n  \"e\": 3\n}\n");
    }

    #[test]
    fn json_keeps_digits_and_types() {
        let text = r#"{"z": [1.10, null, true, {}], "n": 123456789012345678901234567890, "a": {"b": "x"}}"#;
        assert_eq!(
            set(text, "a/c", "y\n\"\u{1}\\é"),
            "{\n  \"a\": {\n    \"b\": \"x\",\n    \"c\": \"y\\n\\\"\\u0001\\\\é\"\n  },\n  \
             \"n\": 123456789012345678901234567890,\n  \"z\": [\n    1.10,\n    null,\n    true,\n    {}\n  ]\n}\n"
        );
        assert_eq!(set("{}", "a/b", "x"), "{\n  \"a\": {\n    \"b\": \"x\"\n  }\n}\n");
        assert_eq!(set(r#"{"a/b": 1}"#, "a/b", "x"), "{\n  \"a/b\": \"x\"\n}\n");
    }

    #[test]
    fn every_text_comes_back() {
        let control: String =
            (0..0x20).map(char::from).chain(['\u{7f}', '\u{85}', '\u{2028}', '\u{feff}']).collect();
        let values = [
            "",
            " ",
            "'",
            "''''",
            "\"\"\"",
            "a\nb",
            "\n",
            "\r\n",
            "\\",
            "{\"a\": 1}",
            "# no",
            "🔑é",
            &control,
        ];
        for start in [Text::empty(Layout::Toml), Text::empty(Layout::Json)] {
            let mut text = Text::read(start.as_bytes()).unwrap();
            for (n, value) in values.iter().enumerate() {
                text.set(&["t", &n.to_string()], value).unwrap();
            }
            let tree = Tree::read(Zeroizing::new(text.render().as_bytes().to_vec())).unwrap();
            for (n, value) in values.iter().enumerate() {
                let Some(Node::Leaf(leaf)) = tree.find(&["t", &n.to_string()]) else { panic!("{n}") };
                assert!(matches!(leaf.expose_secret(), Exposed::Text(text) if text == *value), "{n}");
            }
        }
    }
}
