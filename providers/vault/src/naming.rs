//! What a name may be, in which mount it lies, and the paths that are made of it: by segments, never by text.
//!
//! # The rule
//!
//! A name is taken as `vault kv get` takes it, `mount/path`, where it begins with a mount that is known: `mount`
//! (default `secret`) and those that `mounts` lists. `database/creds/…` and `database/static-creds/…` are known too.
//! Every other name lies in `mount`, below `prefix`. So `secret/myapp/database` and, with the defaults,
//! `myapp/database` are one secret, and no server is asked to find that out.

use crate::error::{Refusal, misconfigured};

/// The longest name, in bytes.
const MAX_NAME: usize = 4096;

/// What a mount is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Kind {
    /// Key/value without versions.
    V1,
    /// Key/value with versions.
    V2,
    /// Credentials of databases, made on request or rotated.
    Database,
}

impl Kind {
    /// As settings spell it: `v1`, `v2`, `database`.
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "v1" | "1" | "kv-v1" => Some(Kind::V1),
            "v2" | "2" | "kv-v2" => Some(Kind::V2),
            "database" => Some(Kind::Database),
            _ => None,
        }
    }
}

/// What is asked of a place, once the kind of its mount is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Want {
    /// One KV secret.
    Secret,
    /// All KV secrets below a folder.
    Subtree,
    /// Credentials made by being read.
    Minted,
    /// Credentials of a user that the server rotates.
    Rotated,
}

/// Where names lie.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Names {
    mount: Vec<Box<str>>,
    prefix: Vec<Box<str>>,
    known: Vec<(Vec<Box<str>>, Option<Kind>)>,
}

impl Default for Names {
    fn default() -> Self {
        Self { mount: vec!["secret".into()], prefix: Vec::new(), known: Vec::new() }
    }
}

impl Names {
    /// With that default mount and prefix, and those known mounts.
    pub(crate) fn new(mount: &str, prefix: &str, known: &[(String, Option<Kind>)]) -> Result<Self, Refusal> {
        let mut names = Self::default();
        names.set("mount", mount, None)?;
        if !prefix.is_empty() {
            names.set("prefix", prefix, None)?;
        }
        for (mount, kind) in known {
            names.set("mounts", mount, *kind)?;
        }
        Ok(names)
    }

    /// One of the options `mount`, `prefix` and `mounts`, of which the last is a mount more, of that kind.
    pub(crate) fn set(&mut self, option: &str, text: &str, kind: Option<Kind>) -> Result<(), Refusal> {
        let segments = segments(text.trim_matches('/'))?;
        match option {
            "mount" => self.mount = segments,
            "prefix" => self.prefix = segments,
            _ => {
                self.known.retain(|(known, _)| *known != segments);
                self.known.push((segments, kind));
            }
        }
        Ok(())
    }

    /// Where the secret of that name lies.
    pub(crate) fn place(&self, name: &str) -> Result<Place, Refusal> {
        let mut whole = segments(name)?;
        let subtree = whole.last().is_some_and(|last| &**last == "*");
        if subtree {
            whole.pop();
        }
        if whole.iter().any(|segment| &**segment == "*") {
            return Err(misconfigured("`*` stands at the end of a name only: `secret/myapp/*`"));
        }
        let credentials = match whole.as_slice() {
            [mount, way, _] => &**mount == "database" && matches!(&**way, "creds" | "static-creds"),
            _ => false,
        };
        // of mounts in mounts, the longest
        let mut found: Option<&[Box<str>]> = None;
        for mount in self.known.iter().map(|(mount, _)| mount).chain([&self.mount]) {
            let begins = whole.starts_with(mount) && (whole.len() > mount.len() || subtree);
            if begins && found.is_none_or(|longest| longest.len() < mount.len()) {
                found = Some(mount);
            }
        }
        let defaulted = found.is_none() && !credentials;
        let mount = match found {
            Some(mount) => mount.to_vec(),
            None if credentials => vec!["database".into()],
            None => self.mount.clone(),
        };
        let stated = self.known.iter().find(|(known, _)| *known == mount);
        let kind = match stated {
            Some((_, kind)) => *kind,
            None if found.is_none() && credentials => Some(Kind::Database),
            None => None,
        };
        let path = if defaulted {
            let mut path = self.prefix.clone();
            path.append(&mut whole);
            path
        } else {
            whole.split_off(mount.len())
        };
        Ok(Place { mount, kind, path, subtree, defaulted })
    }
}

/// A mount, and a path in it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Place {
    mount: Vec<Box<str>>,
    kind: Option<Kind>,
    path: Vec<Box<str>>,
    subtree: bool,
    defaulted: bool,
}

impl Place {
    /// The mount, for messages and as a key.
    pub(crate) fn mount(&self) -> String {
        self.mount.join("/")
    }

    /// The kind that the settings say.
    pub(crate) fn stated(&self) -> Option<Kind> {
        self.kind
    }

    /// The segments below the mount.
    pub(crate) fn path(&self) -> &[Box<str>] {
        &self.path
    }

    /// Whether the default mount was put in front of the name.
    pub(crate) fn defaulted(&self) -> bool {
        self.defaulted
    }

    /// What is asked for, in a mount of that kind.
    pub(crate) fn want(&self, kind: Kind) -> Result<Want, Refusal> {
        match (kind, self.subtree, self.path.as_slice()) {
            (Kind::V1 | Kind::V2, true, _) => Ok(Want::Subtree),
            (Kind::V1 | Kind::V2, false, [_, ..]) => Ok(Want::Secret),
            (Kind::Database, false, [creds, _]) if &**creds == "creds" => Ok(Want::Minted),
            (Kind::Database, false, [creds, _]) if &**creds == "static-creds" => Ok(Want::Rotated),
            (Kind::Database, ..) => {
                let mount = self.mount();
                let parts = ["the mount `", "` is a database: its names are `", "/creds/<role>` and `"];
                Err(misconfigured([&parts.join(&*mount), &*mount, "/static-creds/<role>`"].concat()))
            }
            (_, false, []) => Err(misconfigured("a name is `mount/path`, and the path is missing")),
        }
    }

    /// The secret or folder at that path below this folder. What the server lists is checked as any other name; it may
    /// also hold a slash.
    pub(crate) fn below(&self, path: &[Box<str>]) -> Result<Self, Refusal> {
        for segment in path {
            check(segment)?;
            if segment.contains('/') {
                return Err(misconfigured(
                    "the server lists a name with a slash in it; ask for its secrets one by one",
                ));
            }
        }
        Ok(Self { path: self.path.iter().chain(path).cloned().collect(), subtree: false, ..self.clone() })
    }

    /// The segments of the URL that asks of what kind the mount is.
    pub(crate) fn kind_url(&self) -> Vec<&str> {
        self.after(&["v1", "sys", "internal", "ui", "mounts"], None)
    }

    /// The segments of the URL that reads it.
    pub(crate) fn url(&self, kind: Kind) -> Vec<&str> {
        self.within((kind == Kind::V2).then_some("data"))
    }

    /// The segments of the URL of a KV v2 secret's metadata.
    pub(crate) fn metadata_url(&self) -> Vec<&str> {
        self.within(Some("metadata"))
    }

    /// The segments of the URL that lists it.
    pub(crate) fn list_url(&self, kind: Kind) -> Vec<&str> {
        self.within((kind == Kind::V2).then_some("metadata"))
    }

    fn within<'a>(&'a self, part: Option<&'a str>) -> Vec<&'a str> {
        self.after(&["v1"], part)
    }

    fn after<'a>(&'a self, first: &[&'a str], part: Option<&'a str>) -> Vec<&'a str> {
        let mut url = first.to_vec();
        for segment in &self.mount {
            url.push(segment);
        }
        if let Some(part) = part {
            url.push(part);
        }
        for segment in &self.path {
            url.push(segment);
        }
        url
    }

    /// The path that a policy names for reading it.
    pub(crate) fn policy_path(&self, kind: Kind) -> String {
        policy(&self.url(kind))
    }

    /// The path that a policy names for reading its metadata.
    pub(crate) fn metadata_policy_path(&self) -> String {
        policy(&self.metadata_url())
    }

    /// The path that a policy names for listing it: a folder's ends in a slash.
    pub(crate) fn folder_policy_path(&self, kind: Kind) -> String {
        policy(&self.list_url(kind)) + "/"
    }

    /// As `vault kv` takes it.
    pub(crate) fn cli_path(&self) -> String {
        let mut path = self.after(&[], None);
        if self.subtree {
            path.push("*");
        }
        path.join("/")
    }
}

/// A policy's path is a URL's, but for the `v1` that it begins with.
fn policy(url: &[&str]) -> String {
    url.get(1..).unwrap_or_default().join("/")
}

/// The checked segments of a name, of a mount, of a prefix.
pub(crate) fn segments(name: &str) -> Result<Vec<Box<str>>, Refusal> {
    if name.len() > MAX_NAME {
        return Err(misconfigured("a name of at most 4096 bytes is taken"));
    }
    let mut segments = Vec::new();
    for segment in name.split('/') {
        check(segment)?;
        segments.push(segment.into());
    }
    if name.ends_with('.') {
        return Err(misconfigured("Vault takes no path that ends in a dot"));
    }
    Ok(segments)
}

fn check(segment: &str) -> Result<(), Refusal> {
    let wrong = if segment.is_empty() {
        "a name is segments with one `/` between them, and none at its ends: `secret/myapp/database`"
    } else if matches!(segment, "." | "..") {
        "no segment of a name may be `.` or `..`"
    } else if segment.chars().any(char::is_control) {
        "a name holds no control characters"
    } else {
        return Ok(());
    };
    Err(misconfigured(wrong))
}

/// A namespace as its header takes it: segments of visible ASCII. A slash at either end is fine, as the CLI has it.
pub(crate) fn namespace(text: &str) -> Result<Option<String>, Refusal> {
    let text = text.trim_matches('/');
    if text.is_empty() {
        return Ok(None);
    }
    let segments = segments(text)?;
    if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(misconfigured("a namespace is of visible ASCII characters"));
    }
    Ok(Some(segments.join("/")))
}

/// One segment, such as a role or a user that stands in a path.
pub(crate) fn one(text: &str) -> Result<(), Refusal> {
    if text.contains('/') {
        return Err(misconfigured("it holds no slash"));
    }
    segments(text).map(|_| ())
}

/// A version as `At::Version` has it: digits, and not 0, which means the latest.
pub(crate) fn version(text: &str) -> Result<u64, Refusal> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let version = digits.then(|| text.parse().ok()).flatten().filter(|version| *version != 0);
    version.ok_or_else(|| misconfigured("a version is a number from 1 on"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use secretfig_source::protocol::{Origin, Request};

    fn names() -> Names {
        let known = [("kv".to_owned(), Some(Kind::V1)), ("team/a".to_owned(), None)];
        Names::new("secret", "apps/one", &known).unwrap()
    }

    #[test]
    fn the_rule() {
        for (name, mount, path, defaulted) in [
            ("secret/myapp/db", "secret", "myapp/db", false),
            ("myapp/db", "secret", "apps/one/myapp/db", true),
            ("db", "secret", "apps/one/db", true),
            ("secret", "secret", "apps/one/secret", true),
            ("kv/x", "kv", "x", false),
            ("team/a/x/y", "team/a", "x/y", false),
            ("team/b/x", "secret", "apps/one/team/b/x", true),
            ("database/creds/app", "database", "creds/app", false),
            ("database/static-creds/app", "database", "static-creds/app", false),
            ("database/primary", "secret", "apps/one/database/primary", true),
            ("database/creds/a/b", "secret", "apps/one/database/creds/a/b", true),
        ] {
            let place = names().place(name).unwrap();
            assert_eq!((place.mount().as_str(), place.path().join("/").as_str()), (mount, path), "{name}");
            assert_eq!(place.defaulted(), defaulted, "{name}");
        }
        let all = names().place("secret/*").unwrap();
        assert_eq!((all.cli_path().as_str(), all.want(Kind::V2)), ("secret/*", Ok(Want::Subtree)));
        assert_eq!(names().place("*").unwrap().cli_path(), "secret/apps/one/*");
    }

    #[test]
    fn what_a_folder_holds_is_below_it() {
        let folder = names().place("secret/app/*").unwrap();
        for path in
            [vec!["a/"], vec!["a", "b/"], vec!["/a"], vec!["a/b"], vec!["a/../b"], vec![".."], vec![""]]
        {
            let path: Vec<Box<str>> = path.into_iter().map(Into::into).collect();
            assert!(folder.below(&path).is_err(), "{path:?}");
        }
        let inside = folder.below(&["a.".into(), "b c".into()]).unwrap();
        assert_eq!(inside.url(Kind::V2), ["v1", "secret", "data", "app", "a.", "b c"]);
    }

    #[test]
    fn what_a_place_is_asked_for() {
        let place = |name| names().place(name).unwrap();
        assert_eq!(place("database/creds/app").want(Kind::Database), Ok(Want::Minted));
        assert_eq!(place("database/static-creds/app").want(Kind::Database), Ok(Want::Rotated));
        assert!(place("kv/x").want(Kind::Database).is_err());
        assert!(place("kv/*").want(Kind::Database).is_err());
        assert_eq!(place("kv/x").url(Kind::V1), ["v1", "kv", "x"]);
        assert_eq!(place("secret/x").url(Kind::V2), ["v1", "secret", "data", "x"]);
        assert_eq!(place("secret/x").metadata_url(), ["v1", "secret", "metadata", "x"]);
    }

    #[test]
    fn what_is_no_name() {
        let long = "x/".repeat(2049);
        for name in [
            "", "/", ".", "..", "a/..", "../a", "/a", "a//b", "a/", "a\nb", "a\0", "a/b.", "*/a", "a/*/b",
            &long,
        ] {
            let refusal = names().place(name).unwrap_err();
            assert_eq!(refusal.kind, secretfig_source::ErrorKind::Misconfigured, "{name:?}");
        }
        for version in ["", "0", "-1", "1.0", "+1", " 1", "1&list=true", "99999999999999999999999"] {
            assert!(super::version(version).is_err(), "{version}");
        }
        for namespace in ["a\r\nX-Vault-Token: x", "a b", "ä", "a/../b", "a//b"] {
            assert!(super::namespace(namespace).is_err(), "{namespace}");
        }
        assert_eq!(super::namespace("/team/a/"), Ok(Some("team/a".to_owned())));
        assert_eq!(super::namespace(""), Ok(None));
    }

    /// Names out of the pieces that steer elsewhere, and out of anything.
    fn hostile() -> impl Strategy<Value = String> {
        let piece = prop_oneof![
            3 => prop::sample::select(vec![
                "/", "/", "..", ".", "%2f", "%2e%2e", "%00", "\\", "?", "#", "&version=1", ";", "@", ":", "//",
                "data", "metadata", "secret", "kv", "sys", "v1", "*", "+", "\r\n", "\0", "\u{7f}", "\u{2028}",
                "http://evil.example", " ", "database/creds/",
            ]).prop_map(str::to_owned),
            1 => any::<String>(),
            2 => "[a-z]{1,6}",
        ];
        prop::collection::vec(piece, 0..8).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 100_000, ..ProptestConfig::default() })]

        #[test]
        fn no_name_leaves_its_mount(name in hostile()) {
            let origin = Origin::parse("https://vault.example").unwrap();
            if let Ok(place) = names().place(&name) {
                let mount = place.mount.iter().map(|segment| &**segment).collect::<Vec<_>>();
                prop_assert!(["secret", "kv", "team/a", "database"].contains(&place.mount().as_str()));
                for (url, part) in [
                    (place.url(Kind::V1), None),
                    (place.url(Kind::V2), Some("data")),
                    (place.metadata_url(), Some("metadata")),
                    (place.list_url(Kind::V1), None),
                    (place.list_url(Kind::V2), Some("metadata")),
                ] {
                    let request = Request::get(&origin, &url).unwrap();
                    let url = request.url();
                    let prefix = ["https://vault.example/v1"].into_iter().chain(mount.iter().copied()).chain(part);
                    let prefix = prefix.collect::<Vec<_>>().join("/");
                    let rest = url.strip_prefix(&prefix);
                    prop_assert!(rest.is_some(), "{url} is not below {prefix}");
                    let rest = rest.unwrap();
                    prop_assert!(rest.is_empty() || rest.starts_with('/'), "{url}");
                    prop_assert_eq!(rest.matches('/').count(), place.path.len(), "{}", url);
                    prop_assert!(!url.contains(['?', '#', '\\', ' ']) && url.is_ascii(), "{}", url);
                    prop_assert!(!rest.split('/').any(|segment| matches!(segment, "." | "..")), "{}", url);
                }
            }
        }

        #[test]
        fn no_namespace_mount_or_role_writes_a_header_or_a_path(text in hostile()) {
            let origin = Origin::parse("https://vault.example").unwrap();
            if let Ok(Some(namespace)) = super::namespace(&text) {
                let request = Request::get(&origin, ["v1"]).unwrap().header("x-vault-namespace", &namespace).unwrap();
                prop_assert_eq!(request.headers().len(), 1);
            }
            if super::one(&text).is_ok() {
                let request = Request::get(&origin, ["v1", "auth", "userpass", "login", &text]).unwrap();
                prop_assert_eq!(request.url().matches('/').count(), 7, "{}", request.url());
            }
            if let Ok(names) = Names::new(&text, &text, &[(text.clone(), None)]) {
                // of no mount that is known, whatever was generated
                let place = names.place(&format!("{}x/db", names.mount[0])).unwrap();
                let request = Request::get(&origin, place.url(Kind::V2)).unwrap();
                let count = 2 + 1 + 2 * names.mount.len() + 1 + 2;
                prop_assert_eq!(request.url().matches('/').count(), count, "{}", request.url());
            }
        }
    }
}
