//! TOML files that `load()` names: read by us, so that a fault has a line and a column and no source text.

use crate::layers::Profile;
use crate::plan::{Draft, OriginInfo, wiped};
use crate::report::{Fault, FaultKind};
use crate::tree::{KeyPath, Kind, Number, OriginId, Plain, Table, Value};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use toml::Spanned;
use toml::de::{DeTable, DeValue};
use zeroize::{Zeroize, Zeroizing};

/// A TOML file as a layer in profile `default`.
#[derive(Clone, Debug)]
pub(crate) struct TomlFile {
    pub(crate) path: PathBuf,
    /// Whether it may be missing.
    pub(crate) optional: bool,
}

impl TomlFile {
    pub(crate) fn freeze(&self, draft: &mut Draft) -> BTreeMap<Profile, Table> {
        let name = self.path.display().to_string();
        let text = match std::fs::read(&self.path) {
            Ok(bytes) => Zeroizing::new(bytes),
            Err(e) if self.optional && e.kind() == std::io::ErrorKind::NotFound => return BTreeMap::new(),
            Err(e) => {
                draft.faults.push(Fault::new(KeyPath::root(), FaultKind::Unreadable(e.kind())).layer(name));
                return BTreeMap::new();
            }
        };
        let Ok(text) = std::str::from_utf8(&text) else {
            draft.faults.push(
                Fault::new(KeyPath::root(), FaultKind::NotUtf8).layer(name).hint("save the file as UTF-8"),
            );
            return BTreeMap::new();
        };
        let root = match DeTable::parse(text) {
            Ok(root) => root.into_inner(),
            Err(e) => {
                let (line, column) = position(text, e.span().map_or(0, |span| span.start));
                let kind = FaultKind::Syntax { line, column };
                draft.faults.push(Fault::new(KeyPath::root(), kind).layer(name));
                return BTreeMap::new();
            }
        };
        let mut reader = Reader { draft, text, file: &self.path };
        let table = reader.table(root, &KeyPath::root());
        BTreeMap::from([(Profile::DEFAULT, table)])
    }
}

struct Reader<'r> {
    draft: &'r mut Draft,
    text: &'r str,
    file: &'r Path,
}

impl Reader<'_> {
    fn table(&mut self, table: DeTable<'_>, path: &KeyPath) -> Table {
        let entries = table.into_iter().map(|(key, value)| {
            let key = key.into_inner();
            let value = self.value(value, &path.child(&key));
            (key.into_owned().into_boxed_str(), value)
        });
        entries.collect()
    }

    fn value(&mut self, value: Spanned<DeValue<'_>>, path: &KeyPath) -> Value {
        let (line, _) = position(self.text, value.span().start);
        let origin = self.draft.origin_info(OriginInfo {
            name: format!("{}:{line}", self.file.display()),
            file: Some(self.file.to_owned()),
            environment: false,
        });
        let kind = match value.into_inner() {
            DeValue::String(text) => {
                let exact = Zeroizing::new(Box::from(&*text));
                if let std::borrow::Cow::Owned(mut text) = text {
                    text.zeroize();
                }
                self.draft.text(&Profile::DEFAULT, path, origin, exact, false)
            }
            DeValue::Integer(number) => match i128::from_str_radix(number.as_str(), number.radix()) {
                Ok(n) => {
                    Kind::Leaf(Plain::Number(u128::try_from(n).map_or(Number::Signed(n), Number::Unsigned)))
                }
                Err(_) => self.out_of_range(path, origin),
            },
            DeValue::Float(number) => match number.as_str().parse() {
                Ok(n) => Kind::Leaf(Plain::Number(Number::Float(n))),
                Err(_) => self.out_of_range(path, origin),
            },
            DeValue::Boolean(yes) => Kind::Leaf(Plain::Bool(yes)),
            DeValue::Datetime(time) => Kind::Leaf(Plain::Text(wiped(time.to_string()))),
            DeValue::Array(items) => {
                let items = items.into_iter().enumerate();
                let items = items.map(|(n, item)| self.value(item, &path.child(&n.to_string())));
                Kind::List(items.collect())
            }
            DeValue::Table(table) => Kind::Table(self.table(table, path)),
        };
        Value::new(origin, kind)
    }

    fn out_of_range(&mut self, path: &KeyPath, origin: OriginId) -> Kind {
        let layer = crate::env::origin_of(self.draft, origin).unwrap_or_default().to_owned();
        let kind = FaultKind::OutOfRange("a number that a machine can hold".into());
        self.draft.faults.push(Fault::new(path.clone(), kind).layer(layer));
        Kind::Null
    }
}

/// Line and column, both from 1.
fn position(text: &str, at: usize) -> (usize, usize) {
    let before = text.get(..at).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |n| n + 1);
    (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    fn freeze(text: &str) -> (Draft, BTreeMap<Profile, Table>) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.toml");
        std::fs::write(&path, text).unwrap();
        let mut draft = Draft::new(BTreeSet::new());
        let data = TomlFile { path, optional: false }.freeze(&mut draft);
        (draft, data)
    }

    #[test]
    fn a_syntax_error_has_a_place_and_no_text() {
        let (draft, _) = freeze("a = 1\npassword = hunter2 hunter2\n");
        let said = draft.faults[0].to_string();
        assert!(matches!(draft.faults[0].kind(), FaultKind::Syntax { line: 2, .. }), "{said}");
        assert!(!said.contains("hunter"), "{said}");
    }

    #[test]
    fn values_know_their_lines() {
        let (draft, data) =
            freeze("a = 1\n[b]\nc = 'x'\nd = 0xFF\ne = vault\n".trim_end_matches("e = vault\n"));
        let Kind::Table(b) = &data[&Profile::DEFAULT]["b"].kind else { panic!() };
        assert!(crate::env::origin_of(&draft, b["c"].origin).unwrap().ends_with("config.toml:3"));
        assert!(matches!(b["d"].kind, Kind::Leaf(Plain::Number(Number::Unsigned(255)))));
    }
}
