//! Options of a manager (feature `options`): what its variables and its table in the configuration say, before anybody makes
//! sense of it. Every fault is kept, so that all of them are told at once.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::time::Duration;
use zeroize::{Zeroize, Zeroizing};

/// What an option's value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Is {
    /// Text that may be shown.
    Plain,
    /// A secret: wiped, never shown, and in strict profiles not taken out of a table.
    Secret,
    /// Wiped and never shown as a secret is, but no secret by itself: taken out of a table in any profile.
    Private,
    /// The path of a file, which is shown in messages.
    File,
    /// Not supported; that it is set is a fault of its own. Never listed as known.
    Refused,
}

/// An option: its key in the table, its variables (the first that is set counts), what it is, and what it says.
pub type Opt = (&'static str, &'static [&'static str], Is, &'static str);

/// All options of a source.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// As its table is called: `[source.<name>]`.
    pub name: &'static str,
    /// Each of them.
    pub all: &'static [Opt],
    /// Options that say the same thing in different ways: one of each group is set.
    pub groups: &'static [&'static [&'static str]],
    /// Options that say who we are: where a variable says it, the table's are not looked at.
    pub sign_in: &'static [&'static str],
}

impl Options {
    /// The variables that are read, each with what it sets.
    pub fn variables(&self) -> impl Iterator<Item = (&'static str, &'static str)> + use<> {
        self.all.iter().flat_map(|(_, names, _, what)| names.iter().map(|name| (*name, *what)))
    }

    /// Whether a variable of that name is looked at, so that a caller need not hand in all.
    pub fn reads(&self, variable: &str) -> bool {
        self.variables().any(|(name, _)| name == variable)
    }

    /// What these variables and that table say; a variable beats the table, and an empty one counts as unset. `strict`
    /// profiles take no secret from the table.
    ///
    /// ```
    /// use secretfig_source::options::{Is, Options};
    /// const OPTIONS: Options = Options {
    ///     name: "toy",
    ///     all: &[("address", &["TOY_ADDR"], Is::Plain, "where"), ("token", &["TOY_TOKEN"], Is::Secret, "a token")],
    ///     groups: &[],
    ///     sign_in: &["token"],
    /// };
    /// let table = [("address".to_owned(), "a".to_owned()), ("token".to_owned(), "t".to_owned())].into();
    /// let mut known = OPTIONS.read([("TOY_ADDR", "b")], &table, true);
    /// assert_eq!(known.plain("address").as_deref(), Some("b"));
    /// assert!(known.faults()[0].contains("a plain file may hold it in relaxed profiles only"));
    /// ```
    pub fn read<K, V>(
        &self,
        vars: impl IntoIterator<Item = (K, V)>,
        table: &BTreeMap<String, String>,
        strict: bool,
    ) -> Known
    where
        K: Into<OsString>,
        V: Into<OsString>,
    {
        let mut known = Known { options: *self, set: BTreeMap::new(), wrong: Vec::new() };
        known.variables(vars);
        known.table(table, strict);
        known
    }
}

/// An option as it was set.
enum Set {
    Plain(String),
    Secret(Zeroizing<String>),
}

/// What is set. No `Debug`: it holds secrets.
pub struct Known {
    options: Options,
    set: BTreeMap<&'static str, Set>,
    wrong: Vec<String>,
}

impl Known {
    fn variables<K, V>(&mut self, vars: impl IntoIterator<Item = (K, V)>)
    where
        K: Into<OsString>,
        V: Into<OsString>,
    {
        let mut found: BTreeMap<String, OsString> = BTreeMap::new();
        for (name, value) in vars {
            let (name, value): (OsString, OsString) = (name.into(), value.into());
            if let Ok(name) = name.into_string()
                && self.options.reads(&name)
                && !value.is_empty()
            {
                found.insert(name, value);
            }
        }
        for (key, names, is, _) in self.options.all {
            let Some((name, value)) = names.iter().find_map(|name| Some((*name, found.remove(*name)?)))
            else {
                continue;
            };
            match value.into_string() {
                Ok(value) => self.take(key, value, *is),
                Err(value) => {
                    value.into_encoded_bytes().zeroize();
                    self.wrong.push(format!("`{name}` is not UTF-8"));
                }
            }
        }
        // of two variables of one option the second was not taken
        found.into_values().for_each(|value| value.into_encoded_bytes().zeroize());
        self.one_of_each("the variables of ");
    }

    fn take(&mut self, key: &'static str, mut value: String, is: Is) {
        let set = if matches!(is, Is::Secret | Is::Private) {
            let sealed = Zeroizing::new(value.trim().to_owned());
            value.zeroize();
            Set::Secret(sealed)
        } else {
            Set::Plain(value.trim().to_owned())
        };
        self.set.insert(key, set);
    }

    /// Options of one group that are set together, in one place, are told; none is preferred.
    fn one_of_each(&mut self, whose: &str) {
        for group in self.options.groups {
            let both: Vec<_> = group.iter().filter(|key| self.set.contains_key(**key)).collect();
            if let [one, other, ..] = both.as_slice() {
                self.wrong.push(format!("{whose}`{one}` and `{other}` are both set: keep one of them"));
            }
        }
    }

    fn table(&mut self, table: &BTreeMap<String, String>, strict: bool) {
        let Options { name, all, .. } = self.options;
        let mut own = Known { options: self.options, set: BTreeMap::new(), wrong: Vec::new() };
        for (key, value) in table {
            let Some((key, names, is, _)) = all.iter().find(|(known, ..)| known == key) else {
                let known = all.iter().filter(|(_, _, is, _)| *is != Is::Refused).map(|(key, ..)| *key);
                let known = known.collect::<Vec<_>>().join("`, `");
                self.wrong.push(format!("`[source.{name}]` {key}: known are `{known}`"));
                continue;
            };
            if strict && *is == Is::Secret {
                let file = format!("{key}_file");
                let file = match all.iter().any(|(known, ..)| *known == file) {
                    true => format!("put it into a file that `{file}` names, or into "),
                    false => "put it into ".to_owned(),
                };
                let variable = names.first().copied().unwrap_or_default();
                self.wrong.push(format!(
                    "`[source.{name}]` {key}: a plain file may hold it in relaxed profiles only; {file}{variable}"
                ));
                continue;
            }
            if !value.is_empty() {
                own.take(key, value.clone(), *is);
            }
        }
        own.one_of_each(&format!("`[source.{name}]`: "));
        self.wrong.append(&mut own.wrong);
        // a variable beats the table, also where it says the same thing in another way; and so does who we are
        let signs_in = self.options.sign_in.iter().any(|key| self.set.contains_key(key));
        for (key, set) in own.set {
            let group = self.options.groups.iter().find(|group| group.contains(&key));
            let beaten = self.set.contains_key(key)
                || group.is_some_and(|group| group.iter().any(|key| self.set.contains_key(key)))
                || signs_in && self.options.sign_in.contains(&key);
            if !beaten {
                self.set.insert(key, set);
            }
        }
    }

    /// Whether it is set.
    pub fn has(&self, key: &str) -> bool {
        self.set.contains_key(key)
    }

    /// An option that may be shown. It is taken out.
    pub fn plain(&mut self, key: &str) -> Option<String> {
        match self.set.remove(key)? {
            Set::Plain(text) if !text.is_empty() => Some(text),
            _ => None,
        }
    }

    /// An option that is a secret. It is taken out.
    pub fn secret(&mut self, key: &str) -> Option<Zeroizing<String>> {
        match self.set.remove(key)? {
            Set::Secret(text) if !text.is_empty() => Some(text),
            _ => None,
        }
    }

    /// `true` or `1`; `false`, `0` and nothing are no.
    pub fn yes(&mut self, key: &str) -> bool {
        let text = self.plain(key).map(|text| text.to_ascii_lowercase());
        match text.as_deref() {
            Some("true" | "1") => true,
            None | Some("false" | "0") => false,
            Some(_) => {
                self.wrong.push(format!("`{key}` is `true` or `false`"));
                false
            }
        }
    }

    /// A duration such as `3s`, as `parse` reads it, or a number of seconds; never none at all.
    pub fn duration(
        &mut self,
        key: &str,
        default: Duration,
        parse: impl Fn(&str) -> Option<Duration>,
    ) -> Duration {
        let Some(text) = self.plain(key) else { return default };
        let seconds = text.parse().ok().map(Duration::from_secs);
        match seconds.or_else(|| parse(&text)).filter(|limit| !limit.is_zero()) {
            Some(limit) => limit,
            None => {
                self.wrong.push(format!("`{key}` is a duration such as `3s`, or a number of seconds"));
                default
            }
        }
    }

    /// A list with commas.
    pub fn list(&mut self, key: &str) -> Vec<String> {
        let text = self.plain(key).unwrap_or_default();
        text.split(',').map(str::trim).filter(|part| !part.is_empty()).map(str::to_owned).collect()
    }

    /// What a check says, among all that is wrong.
    pub fn checked<T>(&mut self, key: &str, result: Result<T, impl Into<crate::SourceError>>) -> Option<T> {
        match result {
            Ok(value) => Some(value),
            Err(refusal) => {
                let error: crate::SourceError = refusal.into();
                self.wrong.push(format!("`{key}`: {}", error.what_to_do()));
                None
            }
        }
    }

    /// Something else is wrong: what, and what to do. No value in it.
    pub fn wrong(&mut self, what: impl Into<String>) {
        self.wrong.push(what.into());
    }

    /// All that is wrong so far.
    pub fn faults(&self) -> &[String] {
        &self.wrong
    }
}
