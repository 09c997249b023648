//! The policy under which exactly these secrets can be read, in the server's own language.

use crate::error::Refusal;
use crate::naming::{Kind, Names, Place, Want};
use secretfig_source::{Ask, At};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

/// Rules by path: what may be done there, and for which secrets.
type Rules = BTreeMap<String, (BTreeSet<&'static str>, BTreeSet<String>)>;

/// The policy. `kind` tells what is known of a mount; key/value with versions is taken where nothing is.
pub(crate) fn policy(names: &Names, kind: impl Fn(&Place) -> Option<Kind>, asks: &[Ask]) -> String {
    let mut rules = Rules::new();
    let mut left_out = BTreeSet::new();
    let mut cheaper = BTreeSet::new();
    for ask in asks {
        match of(names, &kind, ask) {
            Ok((needed, look)) => {
                for (path, capability) in needed {
                    match literal(&path) {
                        Some(path) => {
                            let (capabilities, whom) = rules.entry(path).or_default();
                            capabilities.insert(capability);
                            whom.insert(printed(&ask.to_string()));
                        }
                        None => {
                            left_out.insert(printed(&ask.to_string()));
                        }
                    }
                }
                cheaper.extend(look.as_deref().and_then(literal));
            }
            Err(_) => {
                left_out.insert(printed(&ask.to_string()));
            }
        }
    }
    // INVARIANT: writing into a String does not fail
    let mut text = String::from(
        "# What this configuration reads, and nothing else. Looking up and renewing the token itself, and\n\
         # renewing leases, is in the policy `default`.\n",
    );
    for name in &left_out {
        let _ = writeln!(text, "# NOT GRANTED, for it is no name, or would be a pattern in a policy: {name}");
    }
    for (path, (capabilities, whom)) in &rules {
        let capabilities = capabilities.iter().map(|one| format!("\"{one}\"")).collect::<Vec<_>>().join(", ");
        for name in whom {
            let _ = write!(text, "\n# {name}");
        }
        let _ = write!(text, "\npath \"{path}\" {{\n  capabilities = [{capabilities}]\n}}\n");
    }
    cheaper.retain(|path| !rules.contains_key(path));
    if !cheaper.is_empty() {
        text.push_str("\n# Not needed; with it, a look for news reads no value:\n");
        for path in cheaper {
            let _ = writeln!(text, "# path \"{path}\" {{ capabilities = [\"read\"] }}");
        }
    }
    text
}

type Needed = (Vec<(String, &'static str)>, Option<String>);

fn of(names: &Names, kind: &impl Fn(&Place) -> Option<Kind>, ask: &Ask) -> Result<Needed, Refusal> {
    let place = names.place(ask.name())?;
    let kind = place.stated().or_else(|| kind(&place)).unwrap_or(Kind::V2);
    let read = (place.policy_path(kind), "read");
    Ok(match place.want(kind)? {
        Want::Secret if *ask.point() == At::Previous => {
            (vec![read, (place.metadata_policy_path(), "read")], None)
        }
        Want::Secret => (vec![read], (kind == Kind::V2).then(|| place.metadata_policy_path())),
        Want::Subtree => {
            let below = format!("{}*", place.folder_policy_path(kind));
            (vec![(format!("{}/*", read.0), "read"), (below, "list")], None)
        }
        Want::Minted => {
            // to renew one is in `default`; to give it back is not
            (vec![read, ("sys/leases/revoke".to_owned(), "update")], None)
        }
        Want::Rotated => (vec![read], None),
    })
}

/// The path as a policy spells it; none where the server would take it for a pattern. Only a subtree ends in `/*`.
fn literal(path: &str) -> Option<String> {
    let inside = path.strip_suffix("/*").unwrap_or(path);
    // `{{` begins a template, which the server fills in
    let pattern = inside.ends_with('*')
        || inside.split('/').any(|segment| segment == "+")
        || ["${", "{{"].iter().any(|template| inside.contains(template));
    let written = |path: &str| path.replace('\\', "\\\\").replace('"', "\\\"");
    (!pattern).then(|| written(path))
}

/// A name in a comment stays in its line.
fn printed(name: &str) -> String {
    name.chars().filter(|c| !c.is_control()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(asks: &[Ask]) -> String {
        let names = Names::new("secret", "", &[("kv".to_owned(), Some(Kind::V1))]).unwrap();
        policy(&names, |_| None, asks)
    }

    fn rules(text: &str) -> Vec<&str> {
        text.lines().filter(|line| line.starts_with("path ")).collect()
    }

    #[test]
    fn exactly_what_is_asked_for_is_granted() {
        for (ask, want) in [
            (Ask::new("myapp/db"), &["path \"secret/data/myapp/db\" {"][..]),
            (Ask::new("secret/x").at(At::Version("2".into())), &["path \"secret/data/x\" {"]),
            (
                Ask::new("secret/x").at(At::Previous),
                &["path \"secret/data/x\" {", "path \"secret/metadata/x\" {"],
            ),
            (Ask::new("kv/x"), &["path \"kv/x\" {"]),
            (Ask::new("kv/app/*"), &["path \"kv/app/*\" {"]),
            (Ask::new("secret/app/*"), &["path \"secret/data/app/*\" {", "path \"secret/metadata/app/*\" {"]),
            (
                Ask::new("database/creds/app"),
                &["path \"database/creds/app\" {", "path \"sys/leases/revoke\" {"],
            ),
            (Ask::new("database/static-creds/app"), &["path \"database/static-creds/app\" {"]),
        ] {
            assert_eq!(rules(&told(std::slice::from_ref(&ask))), want, "{ask}");
        }
        let kv1 = told(&[Ask::new("kv/app/*")]);
        assert!(kv1.contains(r#"["list", "read"]"#), "{kv1}");
    }

    #[test]
    fn no_name_becomes_a_pattern_or_a_rule() {
        for name in [
            "secret/a*",
            "secret/+/b",
            "secret/${x}",
            "secret/{{identity.entity.id}}",
            "a\n}\npath \"*\" {",
            "..",
        ] {
            let text = told(&[Ask::new(name)]);
            assert!(rules(&text).is_empty(), "{text}");
            assert!(text.contains("NOT GRANTED"), "{text}");
        }
        assert_eq!(rules(&told(&[Ask::new("secret/a\"b\\")])), [r#"path "secret/data/a\"b\\" {"#]);
    }
}
