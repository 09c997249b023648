//! The grammar of references: a string in a plain layer that names a secret.
//!
//! ```text
//! scheme://name[?option=value&…][#field]
//!
//! vault://secret/myapp/database#password
//! file-secret://myapp/tls?format=text&at=previous
//! file-secret:///run/secrets/db_password          (an absolute name)
//! ```
//!
//! It is RFC 3986, parsed by `fluent-uri`; names and fields are percent-decoded. Options: `at` (`current`,
//! `previous`), `version`, `stage`, `format`, `optional`, `allow_empty`. A text is a reference only if its scheme is one
//! of a secret source's; `https://…` and `postgres://…` are text.

use crate::secrets::Wanted;
use fluent_uri::Uri;
use secretfig_source::{At, Format};

/// The schemes of the sources that this project has or will have.
pub(crate) const SCHEMES: [&str; 5] = ["file-secret", "age", "vault", "aws-sm", "azure-kv"];

/// The scheme, if the text is shaped like a reference to a source: `known` adds a third party's.
pub(crate) fn scheme_of(text: &str, known: impl Fn(&str) -> bool) -> Option<&str> {
    let (scheme, _) = text.split_once("://")?;
    (SCHEMES.contains(&scheme) || known(scheme)).then_some(scheme)
}

/// Parses a reference whose scheme is known.
pub(crate) fn parse(text: &str) -> Result<Wanted, &'static str> {
    let uri = Uri::parse(text).map_err(|_| "no valid reference: not an RFC 3986 URI")?;
    let not_utf8 = "no valid reference: percent-encoded bytes that are no UTF-8";
    let authority = uri.authority().map(|authority| authority.as_str()).unwrap_or_default();
    if authority.contains('@') {
        return Err("no valid reference: credentials do not belong into it");
    }
    let authority = percent_decode(authority).ok_or(not_utf8)?;
    let path = uri.path().decode().to_string().map_err(|_| not_utf8)?;
    let name = format!("{authority}{path}");
    if name.is_empty() || name == "/" {
        return Err("no valid reference: it names no secret");
    }
    let mut wanted = Wanted::new(name);
    if let Some(field) = uri.fragment() {
        wanted = wanted.field(field.decode().to_string().map_err(|_| not_utf8)?.into_owned());
    }
    for pair in uri.query().map(|query| query.as_str().split('&')).into_iter().flatten() {
        let (option, value) = pair.split_once('=').unwrap_or((pair, "true"));
        let value = percent_decode(value).ok_or(not_utf8)?;
        wanted = match (option, value.as_str()) {
            ("at", "current") => wanted.at(At::Current),
            ("at", "previous") => wanted.at(At::Previous),
            ("version", value) => wanted.at(At::Version(value.into())),
            ("stage", value) => wanted.at(At::Stage(value.into())),
            ("format", value) => match Format::NAMES.iter().find(|(name, _)| *name == value) {
                Some((_, format)) => wanted.format(*format),
                None => return Err("no valid reference: unknown `format`"),
            },
            ("optional", "true") => wanted.optional(true),
            ("optional", "false") => wanted.optional(false),
            ("allow_empty", "true") => wanted.allow_empty(true),
            _ => return Err("no valid reference: unknown option"),
        };
    }
    Ok(wanted)
}

fn percent_decode(text: &str) -> Option<String> {
    use fluent_uri::pct_enc::{EStr, encoder::Query};
    EStr::<Query>::new(text)?.decode().to_string().ok().map(std::borrow::Cow::into_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_name_secrets() {
        let wanted = parse("vault://secret/my%20app/db?at=previous&format=json#a.b").unwrap();
        assert_eq!(wanted.name(), "secret/my app/db");
        assert_eq!(format!("{wanted:?}").matches("Previous").count(), 1);
        assert_eq!(parse("file-secret:///run/secrets/pw").unwrap().name(), "/run/secrets/pw");
        assert_eq!(parse("age://key").unwrap().name(), "key");
    }

    #[test]
    fn what_is_no_reference_is_text() {
        let known = |scheme: &str| scheme == "gcp";
        for text in ["https://x", "postgres://u:p@h/d", "vault:x", "vault", "", "Vault://x"] {
            assert_eq!(scheme_of(text, known), None, "{text}");
        }
        assert_eq!(scheme_of("gcp://x", known), Some("gcp"));
    }

    #[test]
    fn broken_ones_are_refused() {
        for text in [
            "vault://",
            "vault:///",
            "vault://a b",
            "vault://a?format=x",
            "vault://a?nope=1",
            "vault://u:p@a",
            "vault://a%zz",
            "vault://a#%ff",
            "vault://%ff",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
