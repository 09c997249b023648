//! Every option, the variables that set it, and its default.

use crate::error::{Refusal, SCHEME, misconfigured};
use crate::naming::{Kind, Names, namespace, one, segments};
use secrecy::{ExposeSecret, SecretString};
use secretfig_source::SourceError;
use secretfig_source::protocol::Origin;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
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

/// Something secret, or the file that holds it.
#[derive(Clone)]
pub enum Given {
    /// The secret itself.
    Text(SecretString),
    /// The path of the file. It is read at each login.
    File(Arc<Path>),
}

/// What comes with a role_id.
#[derive(Clone)]
pub enum SecretId {
    /// Nothing: the role is bound by other means, such as addresses.
    None,
    /// The secret_id.
    Plain(Given),
    /// A wrapping token, which opens once and gives it.
    Wrapped(Given),
}

/// A way to sign in. Mounts are those of the auth method, below `auth/`.
#[derive(Clone)]
#[non_exhaustive]
pub enum Auth {
    /// A token that somebody else keeps alive.
    Token(SecretString),
    /// A file with a token, such as an agent's sink. It is read anew where the token is no longer accepted.
    TokenFile(Arc<Path>),
    /// AppRole.
    AppRole {
        /// Default `approle`.
        mount: String,
        /// The role_id.
        role_id: Given,
        /// The secret_id.
        secret_id: SecretId,
    },
    /// A pod's service account.
    Kubernetes {
        /// Default `kubernetes`.
        mount: String,
        /// The role.
        role: String,
        /// The service account's token. Default the file that Kubernetes mounts.
        token: Given,
    },
    /// A JWT, of any issuer that the server trusts.
    Jwt {
        /// Default `jwt`.
        mount: String,
        /// The role; none: the mount's default one.
        role: Option<String>,
        /// The JWT.
        token: Given,
    },
    /// The client's certificate.
    Certificate {
        /// Default `cert`.
        mount: String,
        /// The role; none: any that the certificate fits.
        role: Option<String>,
    },
    /// A user and a password.
    Userpass {
        /// Default `userpass`.
        mount: String,
        /// The user.
        user: String,
        /// The password.
        password: Given,
    },
}

/// Which server, who we are there, and where names lie.
///
/// The table of all options is in the [crate's documentation](crate); [`Settings::variables`] has it as data.
///
/// ```
/// use secretfig_vault::{Auth, Settings};
/// let settings = Settings::new("https://vault.example:8200", Auth::Token("s.abc".into()))?
///     .namespace("team/a")?
///     .mount("kv")?;
/// assert_eq!(settings.addresses()[0].as_str(), "https://vault.example:8200");
/// # Ok::<(), secretfig_source::SourceError>(())
/// ```
#[derive(Clone)]
pub struct Settings {
    pub(crate) addresses: Vec<Origin>,
    pub(crate) namespace: Option<String>,
    pub(crate) login_namespace: Option<String>,
    pub(crate) auth: Auth,
    mount: String,
    prefix: Option<String>,
    mounts: BTreeMap<String, Option<Kind>>,
    pub(crate) names: Names,
    /// Trusted beside the system's roots: PEM, or the path of its file.
    pub(crate) ca: Option<Pem>,
    /// The files of the client's certificate and of its key.
    pub(crate) client: Option<(PathBuf, PathBuf)>,
    pub(crate) pins: Vec<String>,
    pub(crate) proxy: bool,
    pub(crate) timeout: Duration,
    /// Whether some address may be plain `http` beyond loopback.
    pub(crate) plain_http: bool,
}

/// Certificates: PEM, or the path of its file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Pem {
    Text(String),
    File(PathBuf),
}

impl Settings {
    /// The variables that are read, each with what it sets. (`HOME` only says where `.vault-token` is.)
    pub fn variables() -> impl Iterator<Item = (&'static str, &'static str)> {
        OPTIONS.iter().flat_map(|(_, names, _, what)| names.iter().map(|name| (*name, *what)))
    }

    /// Whether a variable of that name is looked at, so that a caller need not hand in all.
    pub fn reads(variable: &str) -> bool {
        variable == "HOME" || Self::variables().any(|(name, _)| name == variable)
    }

    /// That server, signed in to in that way; defaults for all else.
    ///
    /// # Errors
    /// `Misconfigured` where the address is none: `https`, or `http` to loopback; where the mount, the user or the role of
    /// the way to sign in could steer elsewhere; where what it shows to the server is empty.
    pub fn new(address: &str, auth: Auth) -> Result<Self, SourceError> {
        auth.check()?;
        Ok(Self {
            addresses: vec![Origin::parse(address).map_err(|refused| refused.of_source(SCHEME))?],
            namespace: None,
            login_namespace: None,
            auth,
            mount: "secret".to_owned(),
            prefix: None,
            mounts: BTreeMap::new(),
            names: Names::default(),
            ca: None,
            client: None,
            pins: Vec::new(),
            proxy: false,
            timeout: Duration::from_secs(3),
            plain_http: false,
        })
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

    /// The other addresses of the same cluster, asked in this order where the first does not answer. A token goes to
    /// each of them.
    ///
    /// # Errors
    /// As [`Settings::new`].
    pub fn also(mut self, address: &str) -> Result<Self, SourceError> {
        self.addresses.push(Origin::parse(address).map_err(|refused| refused.of_source(SCHEME))?);
        Ok(self)
    }

    /// In that namespace; the login too, unless it has [its own](Self::login_namespace).
    ///
    /// # Errors
    /// `Misconfigured` where it could steer elsewhere, or hold more than visible ASCII.
    pub fn namespace(mut self, namespace: &str) -> Result<Self, SourceError> {
        let namespace = self::namespace(namespace)?;
        if self.login_namespace == self.namespace {
            self.login_namespace.clone_from(&namespace);
        }
        self.namespace = namespace;
        Ok(self)
    }

    /// Signed in to in that namespace.
    ///
    /// # Errors
    /// As [`Settings::namespace`].
    pub fn login_namespace(mut self, namespace: &str) -> Result<Self, SourceError> {
        self.login_namespace = self::namespace(namespace)?;
        Ok(self)
    }

    /// Where names lie that begin with no known mount. Default `secret`.
    ///
    /// # Errors
    /// `Misconfigured` where it could steer elsewhere.
    pub fn mount(mut self, mount: &str) -> Result<Self, SourceError> {
        mount.clone_into(&mut self.mount);
        self.named()
    }

    /// What is put in front of names that begin with no known mount. Default nothing.
    ///
    /// # Errors
    /// As [`Settings::mount`].
    pub fn prefix(mut self, prefix: &str) -> Result<Self, SourceError> {
        self.prefix = Some(prefix.to_owned());
        self.named()
    }

    /// A mount that names may begin with, of that kind; without one the server is asked.
    ///
    /// # Errors
    /// As [`Settings::mount`].
    pub fn known_mount(mut self, mount: &str, kind: Option<Kind>) -> Result<Self, SourceError> {
        self.mounts.insert(mount.to_owned(), kind);
        self.named()
    }

    /// How long one request may take. Default 3 s.
    #[must_use]
    pub fn timeout(mut self, limit: Duration) -> Self {
        self.timeout = limit;
        self
    }

    /// Trusts this CA, PEM, beside the system's.
    #[must_use]
    pub fn ca(mut self, pem: impl Into<String>) -> Self {
        self.ca = Some(Pem::Text(pem.into()));
        self
    }

    /// Signs in, or answers the server's question, by the certificate in this file with the key in that one, PEM.
    #[must_use]
    pub fn client_files(mut self, certificate: impl Into<PathBuf>, key: impl Into<PathBuf>) -> Self {
        self.client = Some((certificate.into(), key.into()));
        self
    }

    /// Where it is, and the other addresses of the same cluster.
    pub fn addresses(&self) -> &[Origin] {
        &self.addresses
    }

    /// The policy under which exactly these asks succeed, in HCL. Mounts of no stated kind are taken for KV v2.
    ///
    /// ```
    /// # use secretfig_vault::{Auth, Settings};
    /// # use secretfig_source::Ask;
    /// let settings = Settings::new("https://vault.example", Auth::Token("s.abc".into()))?;
    /// let policy = settings.grants(&[Ask::new("myapp/database")]);
    /// assert!(policy.contains("path \"secret/data/myapp/database\" {\n  capabilities = [\"read\"]\n}"));
    /// # Ok::<(), secretfig_source::SourceError>(())
    /// ```
    pub fn grants(&self, asks: &[secretfig_source::Ask]) -> String {
        crate::grants::policy(&self.names, |_| None, asks)
    }

    fn named(mut self) -> Result<Self, SourceError> {
        self.names = Names::new(&self.mount, self.prefix.as_deref(), &self.mounts)?;
        Ok(self)
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("addresses", &self.addresses)
            .field("namespace", &self.namespace)
            .field("login_namespace", &self.login_namespace)
            .field("auth", &self.auth)
            .field("mount", &self.mount)
            .field("prefix", &self.prefix)
            .field("mounts", &self.mounts)
            .field("timeout", &self.timeout)
            .field("plain_http", &self.plain_http)
            .finish_non_exhaustive()
    }
}

impl Auth {
    /// Its name, as `auth` takes it.
    pub fn way(&self) -> &'static str {
        match self {
            Auth::Token(_) => "token",
            Auth::TokenFile(_) => "token_file",
            Auth::AppRole { .. } => "approle",
            Auth::Kubernetes { .. } => "kubernetes",
            Auth::Jwt { .. } => "jwt",
            Auth::Certificate { .. } => "cert",
            Auth::Userpass { .. } => "userpass",
        }
    }

    /// Whether nothing in it could steer a login elsewhere, and nothing is missing that the server would only call a
    /// failure of its own.
    fn check(&self) -> Result<(), Refusal> {
        let (mount, name, shown): (_, Option<(_, &String)>, Vec<&Given>) = match self {
            Auth::Token(token) if token.expose_secret().trim().is_empty() => return Err(empty()),
            Auth::Token(_) | Auth::TokenFile(_) => return Ok(()),
            Auth::AppRole { mount, role_id, secret_id } => {
                let secret_id = match secret_id {
                    SecretId::Plain(given) | SecretId::Wrapped(given) => Some(given),
                    SecretId::None => None,
                };
                (mount, None, [role_id].into_iter().chain(secret_id).collect())
            }
            Auth::Kubernetes { mount, role, token } => (mount, Some(("role", role)), vec![token]),
            Auth::Jwt { mount, role, token } => {
                (mount, role.as_ref().map(|role| ("role", role)), vec![token])
            }
            Auth::Certificate { mount, role } => {
                (mount, role.as_ref().map(|role| ("role", role)), Vec::new())
            }
            Auth::Userpass { mount, user, password } => (mount, Some(("username", user)), vec![password]),
        };
        let of = |what: &str, wrong: Refusal| {
            misconfigured(format!("`{what}`: {}", SourceError::from(wrong).what_to_do()))
        };
        segments(mount).map_err(|wrong| of("auth_mount", wrong))?;
        if let Some((what, name)) = name {
            one(name).map_err(|wrong| of(what, wrong))?;
        }
        let nothing = |given: &&Given| matches!(given, Given::Text(text) if text.expose_secret().is_empty());
        if shown.iter().any(nothing) { Err(empty()) } else { Ok(()) }
    }
}

fn empty() -> Refusal {
    misconfigured("what signs in is empty: a token, an id, a JWT or a password")
}

/// The way only: users and roles are no secrets, but what stands beside them is.
impl fmt::Debug for Auth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.way())
    }
}

impl fmt::Debug for Given {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Given::Text(_) => "text",
            Given::File(_) => "file",
        })
    }
}

impl fmt::Debug for SecretId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SecretId::None => f.write_str("none"),
            SecretId::Plain(given) => write!(f, "{given:?}"),
            SecretId::Wrapped(given) => write!(f, "wrapped {given:?}"),
        }
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
        let namespace = self.checked("namespace", self::namespace(&namespace)).flatten();
        let login_namespace = match self.plain("login_namespace") {
            Some(text) => self.checked("login_namespace", self::namespace(&text)).flatten(),
            None => namespace.clone(),
        };
        let mount = self.plain("mount").unwrap_or_else(|| "secret".to_owned());
        let prefix = self.plain("prefix");
        let mounts = self.mounts();
        let names = self.checked("mount", Names::new(&mount, prefix.as_deref(), &mounts));
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

    fn mounts(&mut self) -> BTreeMap<String, Option<Kind>> {
        let mut mounts = BTreeMap::new();
        for entry in
            self.plain("mounts").unwrap_or_default().split(',').map(str::trim).filter(|e| !e.is_empty())
        {
            let (mount, kind) = match entry.split_once('=') {
                Some((mount, kind)) => (mount.trim(), Some(kind.trim())),
                None => (entry, None),
            };
            match kind.map(|kind| Kind::parse(kind).ok_or(())).transpose() {
                Ok(kind) => mounts.insert(mount.trim_matches('/').to_owned(), kind),
                Err(()) => {
                    self.wrong.push("`mounts` is a list such as `kv=v1, pg=database, team/kv`: kinds are v1, v2, database".to_owned());
                    None
                }
            };
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

#[cfg(test)]
mod tests;
