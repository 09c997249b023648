//! The secrets of an opened store: one tree of sealed leaves, whose nested tables the names walk.

use crate::error::Refusal;
use crate::naming;
use secretfig_source::{Document, ErrorKind, Format, Limits, Node, Reading};
use std::collections::BTreeMap;
use zeroize::Zeroizing;

/// The root table, with keys like `a/b` unfolded into nested tables.
pub(crate) struct Tree(BTreeMap<Box<str>, Node>);

/// JSON if it is an object, else TOML.
pub(crate) fn format(plaintext: &[u8]) -> Format {
    if plaintext.trim_ascii_start().starts_with(b"{") { Format::Json } else { Format::Toml }
}

impl Tree {
    /// Reads a plaintext, straight into sealed leaves.
    pub(crate) fn read(plaintext: Zeroizing<Vec<u8>>) -> Result<Self, Refusal> {
        let format = format(&plaintext);
        // its size was bounded when it was decrypted
        let limits = Limits { max_bytes: plaintext.len(), ..Limits::default() };
        let how = Reading { format, allow_empty: true, limits, ..Reading::default() };
        let root = Document::from_bytes(plaintext).read(&how).map_err(|malformed| {
            let hint = format!("its text, once decrypted, cannot be read: {malformed}");
            Refusal::new(ErrorKind::Malformed, hint)
        })?;
        match root {
            Node::Table(root) => unfolded(root).map(Self),
            // INVARIANT: TOML is a table always, and JSON is taken only where it begins with `{`.
            _ => Err(Refusal::new(ErrorKind::Malformed, "it holds no table of secrets")),
        }
    }

    /// What lies at a name.
    pub(crate) fn find(&self, segments: &[&str]) -> Option<&Node> {
        let (first, rest) = segments.split_first()?;
        rest.iter().try_fold(self.0.get(*first)?, |node, segment| match node {
            Node::Table(table) => table.get(*segment),
            _ => None,
        })
    }

    /// The name of every value, sorted. A table with a key that can be no part of a name is named in
    /// its stead.
    pub(crate) fn leaves(&self) -> Vec<String> {
        let mut names = Vec::new();
        self.visit(&mut |name, leaf, _| names.extend(leaf.then(|| name.to_owned())));
        names.sort();
        names
    }

    /// What lies at every name that can be asked for: values, and the tables that hold them.
    pub(crate) fn named(&self) -> Vec<(Box<str>, &Node)> {
        let mut named = Vec::new();
        self.visit(&mut |name, _, node| named.push((name.into(), node)));
        named
    }

    /// Each name, whether nothing below it has one, and what lies there.
    fn visit<'t>(&'t self, seen: &mut impl FnMut(&str, bool, &'t Node)) {
        for (key, node) in &self.0 {
            visit(key, node, seen);
        }
    }
}

fn visit<'t>(name: &str, node: &'t Node, seen: &mut impl FnMut(&str, bool, &'t Node)) {
    match node {
        Node::Table(table) if table.keys().all(|key| !key.contains('/') && naming::segment(key).is_ok()) => {
            seen(name, false, node);
            for (key, node) in table {
                visit(&format!("{name}/{key}"), node, seen);
            }
        }
        _ => seen(name, true, node),
    }
}

/// Keys like `a/b` of a hand-written file mean nesting, at the top.
fn unfolded(root: BTreeMap<Box<str>, Node>) -> Result<BTreeMap<Box<str>, Node>, Refusal> {
    let mut unfolded = BTreeMap::new();
    // sorted: a name comes before all that lie below it
    for (key, node) in root {
        let malformed = |what: &str| {
            let hint = format!("its key `{}`: {what}", key.escape_debug());
            Refusal::new(ErrorKind::Malformed, hint)
        };
        let segments: Vec<&str> = key.split('/').collect();
        if let Some(wrong) = segments.iter().find_map(|segment| naming::segment(segment).err()) {
            return Err(malformed(wrong));
        }
        if !put(&mut unfolded, &segments, node) {
            return Err(malformed("there is another spelling of the same name in the store; keep one"));
        }
    }
    Ok(unfolded)
}

/// Whether there was room for it.
fn put(table: &mut BTreeMap<Box<str>, Node>, segments: &[&str], node: Node) -> bool {
    match segments {
        [] => false,
        [last] => {
            let vacant = !table.contains_key(*last);
            if vacant {
                table.insert((*last).into(), node);
            }
            vacant
        }
        [first, rest @ ..] => {
            let below = table.entry((*first).into()).or_insert_with(|| Node::Table(BTreeMap::new()));
            let Node::Table(below) = below else { return false };
            put(below, rest, node)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use secretfig_source::Exposed;

    fn tree(text: &str) -> Result<Tree, Refusal> {
        Tree::read(Zeroizing::new(text.as_bytes().to_vec()))
    }

    fn text(tree: &Tree, name: &str) -> Option<String> {
        match tree.find(&name.split('/').collect::<Vec<_>>())? {
            Node::Leaf(leaf) => match leaf.expose_secret() {
                Exposed::Text(text) | Exposed::Number(text) => Some(text.to_owned()),
                Exposed::Bool(yes) => Some(yes.to_string()),
                Exposed::Bytes(_) => None,
            },
            _ => Some("table".into()),
        }
    }

    #[test]
    fn names_walk_tables_in_both_formats() {
        for store in [
            "api = 'k'\n'deep/er/key' = 'd'\n[db]\nuser = 'app'\nport = 5432\n[db.tls]\non = true\n",
            r#" {"api": "k", "deep/er/key": "d", "db": {"user": "app", "port": 5432, "tls": {"on": true}}}"#,
        ] {
            let tree = tree(store).unwrap();
            for (name, want) in [
                ("api", "k"),
                ("deep/er/key", "d"),
                ("deep/er", "table"),
                ("db", "table"),
                ("db/user", "app"),
                ("db/port", "5432"),
                ("db/tls/on", "true"),
            ] {
                assert_eq!(text(&tree, name).as_deref(), Some(want), "{name}");
            }
            for name in ["", "no", "db/no", "api/k", "db/user/x", "deep"] {
                assert_ne!(text(&tree, name).as_deref(), Some("k"), "{name}");
            }
            assert_eq!(tree.leaves(), ["api", "db/port", "db/tls/on", "db/user", "deep/er/key"]);
            assert_eq!(tree.named().len(), 9);
        }
    }

    #[test]
    fn one_name_is_spelt_one_way() {
        let said = |store: &str| SourceError::from(tree(store).err().unwrap()).to_string();
        use secretfig_source::SourceError;
        for store in [
            "'a/b' = 'hunter2'\n[a]\nb = 'hunter2'\n",
            "a = 'hunter2'\n'a/b' = 'hunter2'\n",
            "'a/b' = 'hunter2'\n'a/b/c' = 'hunter2'\n",
            "'a/b' = { x = 'hunter2' }\n[a.b]\ny = 'hunter2'\n",
        ] {
            let said = said(store);
            assert!(
                said.contains("malformed") && said.contains("spelling") && said.contains("`a/b"),
                "{said}"
            );
            assert!(!said.contains("hunter"), "{said}");
        }
        // a table that is only implied is no second spelling
        assert!(tree("'a/b' = '1'\n'a/c' = '2'\n[a]\nd = '3'\n").is_ok());
        for store in ["'a//b' = 'x'", "'' = 'x'", "'../a' = 'x'", "\"a\\nb\" = 'x'"] {
            assert!(said(store).contains("malformed"), "{store}");
            assert!(!said(store).contains('\n'));
        }
    }

    #[test]
    fn a_table_that_names_cannot_walk_is_one_secret() {
        let tree = tree("[tokens]\n'https://a.example/' = 't'\n").unwrap();
        assert_eq!(tree.leaves(), ["tokens"]);
    }

    #[test]
    fn what_cannot_be_read_says_nothing_of_what_is_there() {
        for store in
            ["password = hunter2", "{\"a\": hunter2}", "{\"a\": 1} hunter2", "[hunter2", "{\"a\":1,\"a\":2}"]
        {
            let said = secretfig_source::SourceError::from(tree(store).err().unwrap()).to_string();
            assert!(said.contains("malformed: its text, once decrypted, cannot be read"), "{said}");
            assert!(!said.contains("hunter"), "{said}");
        }
        assert!(tree("").unwrap().leaves().is_empty());
    }
}
