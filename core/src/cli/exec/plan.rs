//! Which leaves a program is given, under which variables, and which variables it is not given.

use crate::assemble;
use crate::cli::say::{Failure, note};
use crate::config::Config;
use crate::env::{Variables, wipe};
use crate::tree::KeyPath;
use std::collections::BTreeMap;
use std::ffi::OsStr;
use zeroize::Zeroizing;

/// What the variables of the age store begin with, and those of its table behind the prefix.
const STORE: &str = "SECRETFIG_AGE_";
const TABLE: &str = "SOURCE__LOCAL__";
const PASSPHRASE: &str = "PASSPHRASE";
const FILE: &str = "_FILE";

/// `--as VAR=KEY`.
#[derive(Clone, Debug)]
pub(super) struct As {
    name: String,
    key: KeyPath,
}

impl As {
    pub(super) fn parse(text: &str) -> Result<Self, &'static str> {
        let (name, key) =
            text.split_once('=').ok_or("it is VAR=KEY, such as PGPASSWORD=database.password")?;
        let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
        if name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit()) || !name.chars().all(is_name) {
            return Err("VAR is of letters, digits and `_`, and begins with no digit");
        }
        if key.is_empty() {
            return Err("KEY is the path of a key, such as database.password");
        }
        Ok(Self { name: name.to_owned(), key: KeyPath::parse(key) })
    }
}

/// What a program is given: a leaf's value under a variable.
pub(super) struct Handed {
    pub(super) name: String,
    pub(super) key: KeyPath,
    pub(super) value: Zeroizing<Vec<u8>>,
}

/// What is picked, or every secret.
pub(super) fn handed<T: Send + Sync + 'static>(
    config: &Config<T>,
    picked: &[As],
    prefix: &str,
    files: bool,
) -> Result<Vec<Handed>, Failure> {
    let named = |name: &str| match files && !name.to_uppercase().ends_with(FILE) {
        true => format!("{name}{FILE}"),
        false => name.to_owned(),
    };
    let mut handed = Vec::new();
    if picked.is_empty() {
        for (key, value) in config.opened(|_, secret| secret) {
            // a key may end in `_file` itself: its variable is another
            let name = variable(prefix, &key);
            let name = if files { format!("{name}{FILE}") } else { name };
            handed.push(Handed { name, key, value });
        }
        if handed.is_empty() {
            return Err(Failure::Refused(
                "the configuration has no secret to hand on: name them under `[secrets]`, or pick keys by `--as`"
                    .to_owned(),
            ));
        }
    } else {
        let mut leaves: BTreeMap<KeyPath, _> =
            config.opened(|key, _| picked.iter().any(|one| one.key == *key)).into_iter().collect();
        let unknown: Vec<String> = picked
            .iter()
            .filter(|one| !leaves.contains_key(&one.key))
            .map(|one| unknown(config, one))
            .collect();
        if !unknown.is_empty() {
            return Err(Failure::Refused(unknown.join("; ")));
        }
        for (n, one) in picked.iter().enumerate() {
            let again = picked.iter().skip(n + 1).any(|later| later.key == one.key);
            let value = if again { leaves.get(&one.key).cloned() } else { leaves.remove(&one.key) };
            let name = named(&one.name);
            handed.extend(value.map(|value| Handed { name, key: one.key.clone(), value }));
        }
    }
    distinct(&handed)?;
    Ok(handed)
}

/// `database.password` → `APP_DATABASE__PASSWORD`; what no variable's name can hold becomes `_`.
fn variable(prefix: &str, key: &KeyPath) -> String {
    let keys: Vec<&str> = key.iter().collect();
    let name = keys.join("__").to_uppercase();
    let name: String = name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
    format!("{prefix}{name}")
}

fn distinct(handed: &[Handed]) -> Result<(), Failure> {
    let mut by_name: BTreeMap<&str, &KeyPath> = BTreeMap::new();
    for one in handed {
        if let Some(other) = by_name.insert(&one.name, &one.key) {
            let (name, key) = (&one.name, &one.key);
            return Err(Failure::Refused(format!(
                "`{other}` and `{key}` would both be the variable `{name}`: name one of them by `--as`"
            )));
        }
    }
    Ok(())
}

fn unknown<T: Send + Sync + 'static>(config: &Config<T>, one: &As) -> String {
    let explain = config.explain();
    let below = explain.clone().only([one.key.to_string()]);
    let names =
        |lines: &[crate::Explained]| lines.iter().map(|line| line.key.to_string()).collect::<Vec<_>>();
    let (below, known) = (names(below.keys()), names(explain.keys()));
    let known: Vec<&str> = known.iter().map(String::as_str).collect();
    let key = &one.key;
    match assemble::nearest(&key.to_string(), &known) {
        _ if !below.is_empty() => format!("`{key}` is no single value: pick one of {}", below.join(", ")),
        Some(near) => format!("there is no key `{key}`: did you mean `{near}`?"),
        None => format!("there is no key `{key}` in any layer"),
    }
}

/// The variables that a program does not inherit: what opens the store, and what would stand beside a variable that
/// it is given. Of `X` and `X_FILE` many programs take only one, and refuse both.
pub(super) fn kept_back(variables: &Variables, handed: &[Handed], prefix: &str) -> Vec<String> {
    let twins: Vec<String> = handed
        .iter()
        .map(|one| one.name.to_uppercase())
        .map(|name| name.strip_suffix(FILE).map_or_else(|| format!("{name}{FILE}"), str::to_owned))
        .collect();
    let openers = [STORE.to_owned(), format!("{prefix}{TABLE}").to_uppercase()];
    // names are matched without case, as layers match them
    let opener = |name: &str| -> Option<String> {
        let name = name.to_uppercase();
        openers.iter().find_map(|begins| name.strip_prefix(begins.as_str()).map(str::to_owned))
    };
    let kept = variables.all(|name| opener(name).is_some() || twins.contains(&name.to_uppercase()));
    let mut names = Vec::new();
    for (name, value) in kept {
        let twin = twins.contains(&name.to_uppercase());
        if twin || opener(&name).is_some_and(|what| opens(&what, &value)) {
            names.push(name.clone());
        }
        if twin {
            note(&format!("variable `{name}` is not handed on: its twin is"));
        }
        wipe(value);
    }
    names
}

/// Whether a setting of the store holds what opens it: a passphrase, or a key, wherever one was put and whatever stands
/// around it. The path of a file does not.
fn opens(setting: &str, value: &OsStr) -> bool {
    use secretfig_local::Settings;
    let key = Settings::holds_key(value) || value.to_str().is_some_and(Settings::is_identity);
    setting == PASSPHRASE || key
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;
    use std::ffi::OsString;

    fn one(name: &str) -> Handed {
        Handed { name: name.to_owned(), key: KeyPath::parse("a.b"), value: Zeroizing::default() }
    }

    #[test]
    fn keys_become_variables() {
        for (key, name) in [
            ("database.password", "APP_DATABASE__PASSWORD"),
            ("tls.\"tls.crt\"", "APP_TLS__TLS_CRT"),
            ("shards.0.url", "APP_SHARDS__0__URL"),
        ] {
            assert_eq!(variable("APP_", &KeyPath::parse(key)), name);
        }
        let e = distinct(&[one("X"), one("Y"), one("X")]);
        assert!(matches!(e, Err(Failure::Refused(said)) if said.contains("`X`")));
    }

    #[test]
    fn what_opens_the_store_is_kept_back_and_paths_are_not() {
        let variables = |identity: &str| {
            let all = [
                ("SECRETFIG_AGE_PASSPHRASE", "x"),
                ("SECRETFIG_AGE_PASSPHRASE_FILE", "/run/pw"),
                ("SECRETFIG_AGE_IDENTITY", identity),
                ("SECRETFIG_AGE_IDENTITY_FILE", "/run/key"),
                ("PGPASSWORD", "old"),
                ("APP_A__B_FILE", "/run/old"),
                ("HOME", "/root"),
                ("My_Source__Local__Passphrase", "x"),
                ("MY_SOURCE__LOCAL__PASSPHRASE_FILE", "/run/pw"),
                ("MY_SOURCE__LOCAL__IDENTITY", identity),
                ("APP_SOURCE__LOCAL__PASSPHRASE", "of another application"),
            ];
            Variables::given(all.into_iter().map(|(name, value)| (name.to_owned(), OsString::from(value))))
        };
        let handed = [one("PGPASSWORD_FILE"), one("APP_A__B")];
        let twins = ["APP_A__B_FILE", "PGPASSWORD"];
        let passphrases = ["My_Source__Local__Passphrase", "SECRETFIG_AGE_PASSPHRASE"];
        let keys = ["MY_SOURCE__LOCAL__IDENTITY", "SECRETFIG_AGE_IDENTITY"];
        let sorted = |of: &[[&'static str; 2]]| of.concat().into_iter().collect::<BTreeSet<_>>();
        for identity in
            ["AGE-SECRET-KEY-1QQ", "\"AGE-SECRET-KEY-1QQ\"", "key=age-secret-key-1qq", "AGE-PLUGIN-X-1Q"]
        {
            let kept = kept_back(&variables(identity), &handed, "my_");
            let kept: BTreeSet<&str> = kept.iter().map(String::as_str).collect();
            assert_eq!(kept, sorted(&[twins, passphrases, keys]), "{identity}");
        }
        let kept = kept_back(&variables("/run/key"), &handed, "my_");
        assert_eq!(kept.iter().map(String::as_str).collect::<BTreeSet<_>>(), sorted(&[twins, passphrases]));
    }

    #[test]
    fn picking_asks_for_a_name_and_a_key() {
        assert!(As::parse("PGPASSWORD=database.password").is_ok());
        for wrong in ["PGPASSWORD", "=a", "1A=a", "A-B=a", "A="] {
            assert!(As::parse(wrong).is_err(), "{wrong}");
        }
    }
}
