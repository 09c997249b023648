//! Every option, the variables that set it, and its default.

use super::{Auth, Given, Pem, SecretId, Settings};
use crate::error::{SCHEME, misconfigured};
use crate::naming::{Kind, Names, one, segments};
use secrecy::SecretString;
use secretfig_source::SourceError;
use secretfig_source::protocol::Origin;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;
use zeroize::Zeroize;

/// Where Kubernetes mounts the token of a pod's service account.
const SERVICE_ACCOUNT: &str = "/var/run/secrets/kubernetes.io/serviceaccount/token";

/// What an option's value is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Is {
    Plain,
    Secret,
    /// The path of a file, which is shown in messages.
    File,
}

/// The options: key in `[source.vault]`, variables (the first that is set counts), what it is, what it says.
const OPTIONS: [(&str, &[&str], Is, &str); 32] = [
    (
        "address",
        &["BAO_ADDR", "VAULT_ADDR"],
        Is::Plain,
        "https://host:port; of a cluster several, with commas",
    ),
    (
        "namespace",
        &["BAO_NAMESPACE", "VAULT_NAMESPACE"],
        Is::Plain,
        "the namespace that is read; default none",
    ),
    (
        "login_namespace",
        &["SECRETFIG_VAULT_LOGIN_NAMESPACE"],
        Is::Plain,
        "that of the login; default `namespace`",
    ),
    ("token", &["BAO_TOKEN", "VAULT_TOKEN"], Is::Secret, "a token"),
    ("token_file", &["SECRETFIG_VAULT_TOKEN_FILE"], Is::File, "a file with a token, such as an agent's sink"),
    (
        "auth",
        &["SECRETFIG_VAULT_AUTH"],
        Is::Plain,
        "the way to sign in; default: the one whose settings are there",
    ),
    (
        "auth_mount",
        &["SECRETFIG_VAULT_AUTH_MOUNT"],
        Is::Plain,
        "where that way is mounted; default its own name",
    ),
    ("role", &["SECRETFIG_VAULT_ROLE"], Is::Plain, "the role of kubernetes, jwt and cert"),
    ("role_id", &["SECRETFIG_VAULT_ROLE_ID"], Is::Secret, "approle: the role_id"),
    ("role_id_file", &["SECRETFIG_VAULT_ROLE_ID_FILE"], Is::File, "approle: a file with it"),
    ("secret_id", &["SECRETFIG_VAULT_SECRET_ID"], Is::Secret, "approle: the secret_id"),
    ("secret_id_file", &["SECRETFIG_VAULT_SECRET_ID_FILE"], Is::File, "approle: a file with it"),
    ("wrapped_secret_id", &["SECRETFIG_VAULT_WRAPPED_SECRET_ID"], Is::Secret, "approle: its wrapping token"),
    (
        "wrapped_secret_id_file",
        &["SECRETFIG_VAULT_WRAPPED_SECRET_ID_FILE"],
        Is::File,
        "approle: a file with its wrapping token",
    ),
    ("jwt", &["SECRETFIG_VAULT_JWT"], Is::Secret, "kubernetes, jwt: the JWT itself"),
    (
        "jwt_file",
        &["SECRETFIG_VAULT_JWT_FILE"],
        Is::File,
        "kubernetes, jwt: a file with it, read at each login",
    ),
    ("username", &["SECRETFIG_VAULT_USERNAME"], Is::Plain, "userpass: the user"),
    ("password", &["SECRETFIG_VAULT_PASSWORD"], Is::Secret, "userpass: the password"),
    ("password_file", &["SECRETFIG_VAULT_PASSWORD_FILE"], Is::File, "userpass: a file with it"),
    (
        "mount",
        &["SECRETFIG_VAULT_MOUNT"],
        Is::Plain,
        "where names lie that begin with no known mount; default secret",
    ),
    (
        "prefix",
        &["SECRETFIG_VAULT_PREFIX"],
        Is::Plain,
        "what is put in front of those names; default nothing",
    ),
    ("mounts", &["SECRETFIG_VAULT_MOUNTS"], Is::Plain, "other mounts: `kv=v1, pg=database, team/kv`"),
    ("ca_file", &["BAO_CACERT", "VAULT_CACERT"], Is::File, "a CA that is trusted beside the system's, PEM"),
    ("ca", &["BAO_CACERT_BYTES", "VAULT_CACERT_BYTES"], Is::Plain, "the same as text"),
    (
        "client_cert_file",
        &["BAO_CLIENT_CERT", "VAULT_CLIENT_CERT"],
        Is::File,
        "the client's certificate, PEM",
    ),
    ("client_key_file", &["BAO_CLIENT_KEY", "VAULT_CLIENT_KEY"], Is::File, "its key, PEM"),
    (
        "pins",
        &["SECRETFIG_VAULT_PINS"],
        Is::Plain,
        "SHA-256 of public keys, base64, with commas: one must be there",
    ),
    ("proxy", &["SECRETFIG_VAULT_PROXY"], Is::Plain, "`env`: HTTPS_PROXY counts; default ignored"),
    (
        "timeout",
        &["BAO_CLIENT_TIMEOUT", "VAULT_CLIENT_TIMEOUT"],
        Is::Plain,
        "of one request: `3s`, or seconds; default 3s",
    ),
    (
        "danger_plain_http",
        &["SECRETFIG_VAULT_DANGER_PLAIN_HTTP"],
        Is::Plain,
        "`true`: http to other than loopback, where everyone on the way reads all",
    ),
    ("skip_verify", &["BAO_SKIP_VERIFY", "VAULT_SKIP_VERIFY"], Is::Plain, "refused where true"),
    (
        "ca_path",
        &["BAO_CAPATH", "VAULT_CAPATH", "BAO_TLS_SERVER_NAME", "VAULT_TLS_SERVER_NAME"],
        Is::Plain,
        "refused",
    ),
];

/// Options that say the same thing in different ways: one of them is set.
const GROUPS: [&[&str]; 6] = [
    &["token", "token_file"],
    &["role_id", "role_id_file"],
    &["secret_id", "secret_id_file", "wrapped_secret_id", "wrapped_secret_id_file"],
    &["jwt", "jwt_file"],
    &["password", "password_file"],
    &["ca", "ca_file"],
];
impl Settings {
    /// The variables that are read, each with what it sets. (`HOME` only says where `.vault-token` is.)
    pub fn variables() -> impl Iterator<Item = (&'static str, &'static str)> {
        OPTIONS.iter().flat_map(|(_, names, _, what)| names.iter().map(|name| (*name, *what)))
    }

    /// Whether a variable of that name is looked at, so that a caller need not hand in all.
    pub fn reads(variable: &str) -> bool {
        variable == "HOME" || Self::variables().any(|(name, _)| name == variable)
    }

    /// What these variables say: [`Settings::read`] with no table, strict.
    ///
    /// # Errors
    /// As [`Settings::read`].
    pub fn from_env<K, V>(vars: impl IntoIterator<Item = (K, V)>) -> Result<Self, SourceError>
    where
        K: Into<OsString>,
        V: Into<OsString>,
    {
        Self::read(vars, &BTreeMap::new(), true)
    }

    /// What `[source.vault]` says: [`Settings::read`] with no variables, strict.
    ///
    /// # Errors
    /// As [`Settings::read`].
    pub fn table(table: &BTreeMap<String, String>) -> Result<Self, SourceError> {
        Self::read(std::iter::empty::<(OsString, OsString)>(), table, true)
    }

    /// What variables and `[source.vault]` say; a variable beats the table, and an empty one counts as unset. `strict`
    /// profiles take no secret from the table, and no token from `~/.vault-token`, where a person's login lies.
    ///
    /// # Errors
    /// `Misconfigured`, in one error for everything that is missing, ambiguous or not understood.
    pub fn read<K, V>(
        vars: impl IntoIterator<Item = (K, V)>,
        table: &BTreeMap<String, String>,
        strict: bool,
    ) -> Result<Self, SourceError>
    where
        K: Into<OsString>,
        V: Into<OsString>,
    {
        let mut known = Known::default();
        known.variables(vars);
        known.table(table, strict);
        known.settings(strict)
    }
}

/// An option as it was set. What is secret was sealed at once.
enum Set {
    Plain(String),
    Secret(SecretString),
}

/// What is set, before it is made sense of.
#[derive(Default)]
struct Known {
    set: BTreeMap<&'static str, Set>,
    home: Option<PathBuf>,
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
                && Settings::reads(&name)
                && !value.is_empty()
            {
                found.insert(name, value);
            }
        }
        self.home = found.remove("HOME").map(PathBuf::from).filter(|home| home.is_absolute());
        for (key, names, is, _) in &OPTIONS {
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
        // of BAO_TOKEN and VAULT_TOKEN the second was not taken
        found.into_values().for_each(|value| value.into_encoded_bytes().zeroize());
        self.one_of_each("the variables of ");
    }

    fn take(&mut self, key: &'static str, mut value: String, is: Is) {
        let set = if is == Is::Secret {
            let sealed = SecretString::from(value.trim());
            value.zeroize();
            Set::Secret(sealed)
        } else {
            Set::Plain(value.trim().to_owned())
        };
        self.set.insert(key, set);
    }

    /// Options of one group that are set together, in one place, are told; none is preferred.
    fn one_of_each(&mut self, whose: &str) {
        for group in GROUPS {
            let both: Vec<_> = group.iter().filter(|key| self.set.contains_key(**key)).collect();
            if let [one, other, ..] = both.as_slice() {
                self.wrong.push(format!("{whose}`{one}` and `{other}` are both set: keep one of them"));
            }
        }
    }

    fn table(&mut self, table: &BTreeMap<String, String>, strict: bool) {
        let mut own = Known::default();
        for (key, value) in table {
            let Some((key, names, is, _)) = OPTIONS.iter().find(|(known, ..)| known == key) else {
                let all = OPTIONS
                    .iter()
                    .map(|(key, ..)| *key)
                    .filter(|key| *key != "skip_verify" && *key != "ca_path");
                let all = all.collect::<Vec<_>>().join("`, `");
                self.wrong.push(format!("`[source.vault]` {key}: known are `{all}`"));
                continue;
            };
            if strict && *is == Is::Secret && *key != "role_id" {
                let file = format!("{key}_file");
                self.wrong.push(format!(
                    "`[source.vault]` {key}: a plain file may hold it in relaxed profiles only; put it into a file \
                     that `{file}` names, or into {}",
                    names[0]
                ));
                continue;
            }
            if !value.is_empty() {
                own.take(key, value.clone(), *is);
            }
        }
        own.one_of_each("`[source.vault]`: ");
        self.wrong.append(&mut own.wrong);
        // a variable beats the table, also where it says the same thing in another way; and so does a way to sign in
        let signs_in = self.ways().next().is_some();
        for (key, set) in own.set {
            let group = GROUPS.iter().find(|group| group.contains(&key));
            let beaten = self.set.contains_key(key)
                || group.is_some_and(|group| group.iter().any(|key| self.set.contains_key(key)))
                || signs_in && (key == "auth" || WAYS.iter().any(|(_, marks)| marks.contains(&key)));
            if !beaten {
                self.set.insert(key, set);
            }
        }
    }

    /// The ways to sign in whose settings are there.
    fn ways(&self) -> impl Iterator<Item = &'static str> + '_ {
        let there = |marks: &[&str]| marks.iter().any(|mark| self.set.contains_key(mark));
        let ways = WAYS.iter().filter(move |(_, marks)| there(marks)).map(|(way, _)| *way);
        let kubernetes =
            self.set.contains_key("role") && !there(&["jwt", "jwt_file"]) && self.ways_but_role() == 0;
        ways.chain(kubernetes.then_some("kubernetes"))
    }

    fn ways_but_role(&self) -> usize {
        WAYS.iter().filter(|(_, marks)| marks.iter().any(|mark| self.set.contains_key(mark))).count()
    }

    fn plain(&mut self, key: &str) -> Option<String> {
        match self.set.remove(key)? {
            Set::Plain(text) if !text.is_empty() => Some(text),
            _ => None,
        }
    }

    fn given(&mut self, key: &str, file: &str) -> Option<Given> {
        if let Some(Set::Secret(secret)) = self.set.remove(key) {
            return Some(Given::Text(secret));
        }
        Some(Given::File(Path::new(&self.plain(file)?).into()))
    }

    fn yes(&mut self, key: &str) -> bool {
        match self.plain(key).as_deref() {
            Some("true" | "1") => true,
            None | Some("false" | "0") => false,
            Some(_) => {
                self.wrong.push(format!("`{key}` is `true` or `false`"));
                false
            }
        }
    }

    /// What a check says, among all that is wrong.
    fn checked<T>(&mut self, key: &str, result: Result<T, impl Into<SourceError>>) -> Option<T> {
        match result {
            Ok(value) => Some(value),
            Err(refusal) => {
                let error: SourceError = refusal.into();
                self.wrong.push(format!("`{key}`: {}", error.what_to_do()));
                None
            }
        }
    }

    fn settings(mut self, strict: bool) -> Result<Settings, SourceError> {
        if self.yes("skip_verify") {
            self.wrong.push(
                "VAULT_SKIP_VERIFY is refused: whoever answers would get the token. Trust the server's own CA by \
                 `ca_file` (VAULT_CACERT)"
                    .to_owned(),
            );
        }
        if self.plain("ca_path").is_some() {
            self.wrong.push(
                "VAULT_CAPATH and VAULT_TLS_SERVER_NAME are not supported: give one PEM file by `ca_file` \
                 (VAULT_CACERT), and an address that the certificate names"
                    .to_owned(),
            );
        }
        let plain_http = self.yes("danger_plain_http");
        let addresses = self.addresses(plain_http);
        let auth = self.auth(strict);
        let namespace = self.plain("namespace").unwrap_or_default();
        let namespace = self.checked("namespace", super::namespace(&namespace)).flatten();
        let login_namespace = match self.plain("login_namespace") {
            Some(text) => self.checked("login_namespace", super::namespace(&text)).flatten(),
            None => namespace.clone(),
        };
        let mount = self.plain("mount").unwrap_or_else(|| "secret".to_owned());
        let prefix = self.plain("prefix").unwrap_or_default();
        let mounts = self.mounts();
        let names = self.checked("mount", Names::new(&mount, &prefix, &mounts));
        let ca = self.plain("ca").map(Pem::Text).or_else(|| Some(Pem::File(self.plain("ca_file")?.into())));
        let client = match (self.plain("client_cert_file"), self.plain("client_key_file")) {
            (Some(certificate), Some(key)) => Some((certificate.into(), key.into())),
            (None, None) => None,
            _ => {
                self.wrong.push("`client_cert_file` and `client_key_file` are set together".to_owned());
                None
            }
        };
        if matches!(auth, Some(Auth::Certificate { .. })) && client.is_none() {
            self.wrong.push("`auth = \"cert\"` needs `client_cert_file` and `client_key_file`".to_owned());
        }
        let pins = self.plain("pins").unwrap_or_default();
        let pins = pins.split(',').map(str::trim).filter(|pin| !pin.is_empty()).map(str::to_owned).collect();
        let proxy = match self.plain("proxy").as_deref() {
            None | Some("ignore") => false,
            Some("env") => true,
            Some(_) => {
                self.wrong.push("`proxy` is `env` or `ignore`".to_owned());
                false
            }
        };
        let timeout = self.timeout();
        match (addresses, auth, names) {
            (Some(addresses), Some(auth), Some(names)) if self.wrong.is_empty() => Ok(Settings {
                addresses,
                namespace,
                login_namespace,
                auth,
                mount,
                prefix,
                mounts,
                names,
                ca,
                client,
                pins,
                proxy,
                timeout,
                plain_http,
            }),
            _ => Err(misconfigured(self.wrong.join("; ")).into()),
        }
    }

    fn addresses(&mut self, plain_http: bool) -> Option<Vec<Origin>> {
        let Some(text) = self.plain("address") else {
            self.wrong
                .push("no server is named: set VAULT_ADDR, or `address` in `[source.vault]`".to_owned());
            return None;
        };
        let parse = if plain_http { Origin::danger_plain_http } else { Origin::parse };
        let all: Result<Vec<_>, _> = text.split(',').map(|address| parse(address.trim())).collect();
        self.checked("address", all.map_err(|refused| refused.of_source(SCHEME)))
    }

    fn mounts(&mut self) -> Vec<(String, Option<Kind>)> {
        let mut mounts = Vec::new();
        for entry in
            self.plain("mounts").unwrap_or_default().split(',').map(str::trim).filter(|e| !e.is_empty())
        {
            let (mount, kind) = match entry.split_once('=') {
                Some((mount, kind)) => (mount.trim(), Some(kind.trim())),
                None => (entry, None),
            };
            match kind.map(|kind| Kind::parse(kind).ok_or(())).transpose() {
                Ok(kind) => mounts.push((mount.trim_matches('/').to_owned(), kind)),
                Err(()) => {
                    self.wrong.push("`mounts` is a list such as `kv=v1, pg=database, team/kv`: kinds are v1, v2, database".to_owned());
                }
            }
        }
        mounts
    }

    fn timeout(&mut self) -> Duration {
        let Some(text) = self.plain("timeout") else { return Duration::from_secs(3) };
        let seconds = text.parse().ok().map(Duration::from_secs);
        match seconds.or_else(|| humantime::parse_duration(&text).ok()).filter(|limit| !limit.is_zero()) {
            Some(limit) => limit,
            None => {
                self.wrong.push("`timeout` is a duration such as `3s`, or a number of seconds".to_owned());
                Duration::from_secs(3)
            }
        }
    }

    /// The one way to sign in.
    fn auth(&mut self, strict: bool) -> Option<Auth> {
        let ways: Vec<_> = self.ways().collect();
        let way = match (self.plain("auth"), ways.as_slice()) {
            (Some(way), _) => way,
            (None, [one]) => (*one).to_owned(),
            (None, []) => match self.home.as_ref().filter(|_| !strict) {
                Some(home) => return Some(Auth::TokenFile(home.join(".vault-token").into())),
                None => {
                    self.wrong.push(
                        "nothing says how to sign in: set VAULT_TOKEN, or `token_file`, or `role_id` and `secret_id` \
                         (approle), `role` (kubernetes), `jwt` or `jwt_file` (jwt), `username` and `password` (userpass), \
                         or `auth = \"cert\"`; each is a variable SECRETFIG_VAULT_… too"
                            .to_owned(),
                    );
                    return None;
                }
            },
            (None, several) => {
                let several = several.join("`, `");
                self.wrong.push(format!(
                    "there are settings for several ways to sign in: `{several}`. Say which by `auth` \
                     (SECRETFIG_VAULT_AUTH), or take the others out"
                ));
                return None;
            }
        };
        let mount = self.plain("auth_mount").unwrap_or_else(|| way.clone());
        let mount = mount.trim_matches('/');
        let mount = mount.strip_prefix("auth/").unwrap_or(mount).to_owned();
        self.checked("auth_mount", segments(&mount))?;
        let auth = self.of_way(&way, mount);
        if auth.is_none() {
            self.wrong.push(match way.as_str() {
                "token" => "`auth = \"token\"` needs VAULT_TOKEN or `token_file`".to_owned(),
                "approle" => "`auth = \"approle\"` needs `role_id`".to_owned(),
                "kubernetes" => "`auth = \"kubernetes\"` needs `role`".to_owned(),
                "jwt" => "`auth = \"jwt\"` needs `jwt` or `jwt_file`".to_owned(),
                "userpass" => {
                    "`auth = \"userpass\"` needs `username`, without a slash, and `password`".to_owned()
                }
                _ => {
                    "`auth` is one of `token`, `approle`, `kubernetes`, `jwt`, `cert`, `userpass`".to_owned()
                }
            });
        }
        if let Some(Err(wrong)) = auth.as_ref().map(Auth::check) {
            self.wrong.push(SourceError::from(wrong).what_to_do().to_owned());
        }
        auth
    }

    fn of_way(&mut self, way: &str, mount: String) -> Option<Auth> {
        Some(match way {
            "token" | "token_file" => match self.given("token", "token_file")? {
                Given::Text(token) => Auth::Token(token),
                Given::File(path) => Auth::TokenFile(path),
            },
            "approle" => {
                let role_id = self.given("role_id", "role_id_file")?;
                let wrapped =
                    self.given("wrapped_secret_id", "wrapped_secret_id_file").map(SecretId::Wrapped);
                let plain = self.given("secret_id", "secret_id_file").map(SecretId::Plain);
                Auth::AppRole { mount, role_id, secret_id: wrapped.or(plain).unwrap_or(SecretId::None) }
            }
            "kubernetes" => {
                let account = || Given::File(Path::new(SERVICE_ACCOUNT).into());
                let token = self.given("jwt", "jwt_file").unwrap_or_else(account);
                Auth::Kubernetes { mount, role: self.plain("role")?, token }
            }
            "jwt" => Auth::Jwt { mount, token: self.given("jwt", "jwt_file")?, role: self.plain("role") },
            "cert" => Auth::Certificate { mount, role: self.plain("role") },
            "userpass" => {
                let user = self.plain("username").filter(|user| one(user).is_ok())?;
                Auth::Userpass { mount, user, password: self.given("password", "password_file")? }
            }
            _ => return None,
        })
    }
}

/// What tells that a way to sign in is meant.
const WAYS: [(&str, &[&str]); 4] = [
    ("token", &["token", "token_file"]),
    ("approle", &["role_id", "role_id_file"]),
    ("jwt", &["jwt", "jwt_file"]),
    ("userpass", &["username"]),
];
