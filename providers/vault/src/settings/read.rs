//! Every option, the variables that set it, and its default.

use super::{Auth, Given, Pem, SecretId, Settings};
use crate::error::{SCHEME, misconfigured};
use crate::naming::{Kind, Names, one, segments};
use secrecy::SecretString;
use secretfig_source::SourceError;
use secretfig_source::options::{Is, Known, Opt, Options};
use secretfig_source::protocol::Origin;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Where Kubernetes mounts the token of a pod's service account.
const SERVICE_ACCOUNT: &str = "/var/run/secrets/kubernetes.io/serviceaccount/token";

/// The options.
const OPTIONS: Options = Options {
    name: "vault",
    all: &ALL,
    groups: &GROUPS,
    sign_in: &["auth", "token", "token_file", "role_id", "role_id_file", "jwt", "jwt_file", "username"],
};

const ALL: [Opt; 32] = [
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
    ("role_id", &["SECRETFIG_VAULT_ROLE_ID"], Is::Private, "approle: the role_id"),
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
    ("skip_verify", &["BAO_SKIP_VERIFY", "VAULT_SKIP_VERIFY"], Is::Refused, "refused where true"),
    (
        "ca_path",
        &["BAO_CAPATH", "VAULT_CAPATH", "BAO_TLS_SERVER_NAME", "VAULT_TLS_SERVER_NAME"],
        Is::Refused,
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
        OPTIONS.variables()
    }

    /// Whether a variable of that name is looked at, so that a caller need not hand in all.
    pub fn reads(variable: &str) -> bool {
        variable == "HOME" || OPTIONS.reads(variable)
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
        let vars: Vec<(OsString, OsString)> =
            vars.into_iter().map(|(name, value)| (name.into(), value.into())).collect();
        let home = vars.iter().find(|(name, _)| name == "HOME").map(|(_, path)| PathBuf::from(path));
        let home = home.filter(|home| home.is_absolute());
        Wanted { known: OPTIONS.read(vars, table, strict), home }.settings(strict)
    }
}

/// What is set, before it is made sense of.
struct Wanted {
    known: Known,
    home: Option<PathBuf>,
}

impl Wanted {
    /// The ways to sign in whose settings are there.
    fn ways(&self) -> impl Iterator<Item = &'static str> + '_ {
        let there = |marks: &[&str]| marks.iter().any(|mark| self.known.has(mark));
        let ways = WAYS.iter().filter(move |(_, marks)| there(marks)).map(|(way, _)| *way);
        let kubernetes = self.known.has("role") && !there(&["jwt", "jwt_file"]) && self.ways_but_role() == 0;
        ways.chain(kubernetes.then_some("kubernetes"))
    }

    fn ways_but_role(&self) -> usize {
        WAYS.iter().filter(|(_, marks)| marks.iter().any(|mark| self.known.has(mark))).count()
    }

    fn given(&mut self, key: &str, file: &str) -> Option<Given> {
        if let Some(secret) = self.known.secret(key) {
            return Some(Given::Text(SecretString::from(secret.as_str())));
        }
        Some(Given::File(Path::new(&self.known.plain(file)?).into()))
    }

    fn settings(mut self, strict: bool) -> Result<Settings, SourceError> {
        if self.known.yes("skip_verify") {
            self.known.wrong(
                "VAULT_SKIP_VERIFY is refused: whoever answers would get the token. Trust the server's own CA by \
                 `ca_file` (VAULT_CACERT)"
                    .to_owned(),
            );
        }
        if self.known.plain("ca_path").is_some() {
            self.known.wrong(
                "VAULT_CAPATH and VAULT_TLS_SERVER_NAME are not supported: give one PEM file by `ca_file` \
                 (VAULT_CACERT), and an address that the certificate names"
                    .to_owned(),
            );
        }
        let plain_http = self.known.yes("danger_plain_http");
        let addresses = self.addresses(plain_http);
        let auth = self.auth(strict);
        let namespace = self.known.plain("namespace").unwrap_or_default();
        let namespace = self.known.checked("namespace", super::namespace(&namespace)).flatten();
        let login_namespace = match self.known.plain("login_namespace") {
            Some(text) => self.known.checked("login_namespace", super::namespace(&text)).flatten(),
            None => namespace.clone(),
        };
        let mount = self.known.plain("mount").unwrap_or_else(|| "secret".to_owned());
        let prefix = self.known.plain("prefix").unwrap_or_default();
        let mounts = self.mounts();
        let names = self.known.checked("mount", Names::new(&mount, &prefix, &mounts));
        let ca = self
            .known
            .plain("ca")
            .map(Pem::Text)
            .or_else(|| Some(Pem::File(self.known.plain("ca_file")?.into())));
        let client = match (self.known.plain("client_cert_file"), self.known.plain("client_key_file")) {
            (Some(certificate), Some(key)) => Some((certificate.into(), key.into())),
            (None, None) => None,
            _ => {
                self.known.wrong("`client_cert_file` and `client_key_file` are set together".to_owned());
                None
            }
        };
        if matches!(auth, Some(Auth::Certificate { .. })) && client.is_none() {
            self.known.wrong("`auth = \"cert\"` needs `client_cert_file` and `client_key_file`".to_owned());
        }
        let pins = self.known.list("pins");
        let proxy = match self.known.plain("proxy").as_deref() {
            None | Some("ignore") => false,
            Some("env") => true,
            Some(_) => {
                self.known.wrong("`proxy` is `env` or `ignore`".to_owned());
                false
            }
        };
        let timeout = |text: &str| humantime::parse_duration(text).ok();
        let timeout = self.known.duration("timeout", Duration::from_secs(3), timeout);
        match (addresses, auth, names) {
            (Some(addresses), Some(auth), Some(names)) if self.known.faults().is_empty() => Ok(Settings {
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
            _ => Err(misconfigured(self.known.faults().join("; ")).into()),
        }
    }

    fn addresses(&mut self, plain_http: bool) -> Option<Vec<Origin>> {
        let Some(text) = self.known.plain("address") else {
            self.known
                .wrong("no server is named: set VAULT_ADDR, or `address` in `[source.vault]`".to_owned());
            return None;
        };
        let parse = if plain_http { Origin::danger_plain_http } else { Origin::parse };
        let all: Result<Vec<_>, _> = text.split(',').map(|address| parse(address.trim())).collect();
        self.known.checked("address", all.map_err(|refused| refused.of_source(SCHEME)))
    }

    fn mounts(&mut self) -> Vec<(String, Option<Kind>)> {
        let mut mounts = Vec::new();
        for entry in
            self.known.plain("mounts").unwrap_or_default().split(',').map(str::trim).filter(|e| !e.is_empty())
        {
            let (mount, kind) = match entry.split_once('=') {
                Some((mount, kind)) => (mount.trim(), Some(kind.trim())),
                None => (entry, None),
            };
            match kind.map(|kind| Kind::parse(kind).ok_or(())).transpose() {
                Ok(kind) => mounts.push((mount.trim_matches('/').to_owned(), kind)),
                Err(()) => {
                    self.known.wrong("`mounts` is a list such as `kv=v1, pg=database, team/kv`: kinds are v1, v2, database".to_owned());
                }
            }
        }
        mounts
    }

    /// The one way to sign in.
    fn auth(&mut self, strict: bool) -> Option<Auth> {
        let ways: Vec<_> = self.ways().collect();
        let way = match (self.known.plain("auth"), ways.as_slice()) {
            (Some(way), _) => way,
            (None, [one]) => (*one).to_owned(),
            (None, []) => match self.home.as_ref().filter(|_| !strict) {
                Some(home) => return Some(Auth::TokenFile(home.join(".vault-token").into())),
                None => {
                    self.known.wrong(
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
                self.known.wrong(format!(
                    "there are settings for several ways to sign in: `{several}`. Say which by `auth` \
                     (SECRETFIG_VAULT_AUTH), or take the others out"
                ));
                return None;
            }
        };
        let mount = self.known.plain("auth_mount").unwrap_or_else(|| way.clone());
        let mount = mount.trim_matches('/');
        let mount = mount.strip_prefix("auth/").unwrap_or(mount).to_owned();
        self.known.checked("auth_mount", segments(&mount))?;
        let auth = self.of_way(&way, mount);
        if auth.is_none() {
            self.known.wrong(match way.as_str() {
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
            self.known.wrong(SourceError::from(wrong).what_to_do().to_owned());
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
                Auth::Kubernetes { mount, role: self.known.plain("role")?, token }
            }
            "jwt" => {
                Auth::Jwt { mount, token: self.given("jwt", "jwt_file")?, role: self.known.plain("role") }
            }
            "cert" => Auth::Certificate { mount, role: self.known.plain("role") },
            "userpass" => {
                let user = self.known.plain("username").filter(|user| one(user).is_ok())?;
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
