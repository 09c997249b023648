//! Which server, who we are there, and where names lie. What sets it is in `read`.

#[cfg(feature = "full")]
mod read;

use crate::error::{Refusal, SCHEME, misconfigured};
#[cfg(feature = "full")]
use crate::naming::one;
use crate::naming::{Kind, Names, namespace, segments};
use secrecy::{ExposeSecret, SecretString};
use secretfig_source::SourceError;
use secretfig_source::protocol::Origin;
use std::fmt;
#[cfg(feature = "full")]
use std::{path::PathBuf, time::Duration};

/// Something secret, or the file that holds it.
#[derive(Clone)]
pub enum Given {
    /// The secret itself.
    Text(SecretString),
    /// The path of the file. It is read at each login.
    #[cfg(feature = "full")]
    File(std::sync::Arc<std::path::Path>),
}

/// What comes with a role_id.
#[derive(Clone)]
pub enum SecretId {
    /// Nothing: the role is bound by other means, such as addresses.
    None,
    /// The secret_id.
    Plain(Given),
    /// A wrapping token, which opens once and gives it.
    #[cfg(feature = "full")]
    Wrapped(Given),
}

/// A way to sign in. Mounts are those of the auth method, below `auth/`. Without the feature `full` there are
/// [`Token`](Auth::Token) and [`AppRole`](Auth::AppRole), and neither files nor wrapping tokens.
#[derive(Clone)]
#[non_exhaustive]
pub enum Auth {
    /// A token that somebody else keeps alive.
    Token(SecretString),
    #[cfg(feature = "full")]
    /// A file with a token, such as an agent's sink. It is read anew where the token is no longer accepted.
    TokenFile(std::sync::Arc<std::path::Path>),
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
    #[cfg(feature = "full")]
    Kubernetes {
        /// Default `kubernetes`.
        mount: String,
        /// The role.
        role: String,
        /// The service account's token. Default the file that Kubernetes mounts.
        token: Given,
    },
    /// A JWT, of any issuer that the server trusts.
    #[cfg(feature = "full")]
    Jwt {
        /// Default `jwt`.
        mount: String,
        /// The role; none: the mount's default one.
        role: Option<String>,
        /// The JWT.
        token: Given,
    },
    /// The client's certificate.
    #[cfg(feature = "full")]
    Certificate {
        /// Default `cert`.
        mount: String,
        /// The role; none: any that the certificate fits.
        role: Option<String>,
    },
    /// A user and a password.
    #[cfg(feature = "full")]
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
    #[cfg(feature = "full")]
    mount: String,
    #[cfg(feature = "full")]
    /// Empty: none.
    prefix: String,
    #[cfg(feature = "full")]
    mounts: Vec<(String, Option<Kind>)>,
    pub(crate) names: Names,
    #[cfg(feature = "full")]
    /// Trusted beside the system's roots: PEM, or the path of its file.
    pub(crate) ca: Option<Pem>,
    #[cfg(feature = "full")]
    /// The files of the client's certificate and of its key.
    pub(crate) client: Option<(PathBuf, PathBuf)>,
    #[cfg(feature = "full")]
    pub(crate) pins: Vec<String>,
    #[cfg(feature = "full")]
    pub(crate) proxy: bool,
    #[cfg(feature = "full")]
    pub(crate) timeout: Duration,
    #[cfg(feature = "full")]
    /// Whether some address may be plain `http` beyond loopback.
    pub(crate) plain_http: bool,
}

/// Certificates: PEM, or the path of its file.
#[cfg(feature = "full")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Pem {
    Text(String),
    File(PathBuf),
}

impl Settings {
    /// That server, signed in to in that way; defaults for all else.
    ///
    /// # Errors
    /// `Misconfigured` where the address is none: `https`, or `http` to loopback; where the mount, the user or the role of
    /// the way to sign in could steer elsewhere; where what it shows to the server is empty.
    pub fn new(address: &str, auth: Auth) -> Result<Self, SourceError> {
        Self::at(Origin::parse(address).map_err(|refused| refused.of_source(SCHEME))?, auth)
    }

    /// The same of an address that is read already, such as by the URL parser of a platform.
    ///
    /// ```
    /// use secretfig_source::protocol::Origin;
    /// use secretfig_vault::{Auth, Settings};
    /// let address = Origin::of_parts("https", "vault.example", Some(8200)).unwrap();
    /// let settings = Settings::at(address, Auth::Token("s.abc".into()))?;
    /// assert_eq!(settings.addresses()[0].as_str(), "https://vault.example:8200");
    /// # Ok::<(), secretfig_source::SourceError>(())
    /// ```
    ///
    /// # Errors
    /// As [`Settings::new`], but of the address.
    pub fn at(address: Origin, auth: Auth) -> Result<Self, SourceError> {
        auth.check()?;
        Ok(Self {
            addresses: vec![address],
            namespace: None,
            login_namespace: None,
            auth,
            #[cfg(feature = "full")]
            mount: "secret".to_owned(),
            #[cfg(feature = "full")]
            prefix: String::new(),
            #[cfg(feature = "full")]
            mounts: Vec::new(),
            names: Names::default(),
            #[cfg(feature = "full")]
            ca: None,
            #[cfg(feature = "full")]
            client: None,
            #[cfg(feature = "full")]
            pins: Vec::new(),
            #[cfg(feature = "full")]
            proxy: false,
            #[cfg(feature = "full")]
            timeout: Duration::from_secs(3),
            #[cfg(feature = "full")]
            plain_http: false,
        })
    }

    #[cfg(feature = "full")]
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

    #[cfg(feature = "full")]
    /// Where names lie that begin with no known mount. Default `secret`.
    ///
    /// # Errors
    /// `Misconfigured` where it could steer elsewhere.
    pub fn mount(mut self, mount: &str) -> Result<Self, SourceError> {
        mount.clone_into(&mut self.mount);
        self.named()
    }

    #[cfg(feature = "full")]
    /// What is put in front of names that begin with no known mount. Default nothing.
    ///
    /// # Errors
    /// As [`Settings::mount`].
    pub fn prefix(mut self, prefix: &str) -> Result<Self, SourceError> {
        prefix.clone_into(&mut self.prefix);
        self.named()
    }

    #[cfg(feature = "full")]
    /// A mount that names may begin with, of that kind; without one the server is asked.
    ///
    /// # Errors
    /// As [`Settings::mount`].
    pub fn known_mount(mut self, mount: &str, kind: Option<Kind>) -> Result<Self, SourceError> {
        self.mounts.push((mount.to_owned(), kind));
        self.named()
    }

    /// Where names lie, all at once; what is empty keeps its default.
    ///
    /// ```
    /// use secretfig_vault::{Auth, Kind, Settings};
    /// let settings = || Settings::new("https://vault.example", Auth::Token("s.abc".into()));
    /// assert!(settings()?.names("team/a", "kv", "apps/one", &[("old".to_owned(), Some(Kind::V1))]).is_ok());
    /// let wrong = settings()?.names("", "../sys", "a//b", &[]).unwrap_err();
    /// assert_eq!(wrong.iter().map(|(option, _)| option.as_str()).collect::<Vec<_>>(), ["mount", "prefix"]);
    /// # Ok::<(), secretfig_source::SourceError>(())
    /// ```
    ///
    /// # Errors
    /// Each option that could steer elsewhere, by its name: `namespace`, `mount`, `prefix`, `mounts.…`.
    pub fn names(
        mut self,
        namespace: &str,
        mount: &str,
        prefix: &str,
        mounts: &[(String, Option<Kind>)],
    ) -> Result<Self, Vec<(String, SourceError)>> {
        let mut wrong = Vec::new();
        match self::namespace(namespace) {
            Ok(namespace) => {
                self.login_namespace.clone_from(&namespace);
                self.namespace = namespace;
            }
            Err(refusal) => wrong.push(("namespace".to_owned(), refusal.into())),
        }
        let mount = if mount.is_empty() { "secret" } else { mount };
        let mut names = Names::default();
        let options = [("mount", mount), ("prefix", prefix)].into_iter().filter(|(_, text)| !text.is_empty());
        for (option, text) in options {
            if let Err(refusal) = names.set(option, text, None) {
                wrong.push((option.to_owned(), refusal.into()));
            }
        }
        for (mount, kind) in mounts {
            if let Err(refusal) = names.set("mounts", mount, *kind) {
                wrong.push((["mounts.", mount].concat(), refusal.into()));
            }
        }
        self.names = names;
        #[cfg(feature = "full")]
        {
            mount.clone_into(&mut self.mount);
            prefix.clone_into(&mut self.prefix);
            self.mounts = mounts.to_vec();
        }
        if wrong.is_empty() { Ok(self) } else { Err(wrong) }
    }

    #[cfg(feature = "full")]
    /// How long one request may take. Default 3 s.
    #[must_use]
    pub fn timeout(mut self, limit: Duration) -> Self {
        self.timeout = limit;
        self
    }

    #[cfg(feature = "full")]
    /// Trusts this CA, PEM, beside the system's.
    #[must_use]
    pub fn ca(mut self, pem: impl Into<String>) -> Self {
        self.ca = Some(Pem::Text(pem.into()));
        self
    }

    #[cfg(feature = "full")]
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

    #[cfg(feature = "full")]
    fn named(mut self) -> Result<Self, SourceError> {
        self.names = Names::new(&self.mount, &self.prefix, &self.mounts)?;
        Ok(self)
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut all = f.debug_struct("Settings");
        all.field("addresses", &self.addresses)
            .field("namespace", &self.namespace)
            .field("login_namespace", &self.login_namespace)
            .field("auth", &self.auth);
        #[cfg(feature = "full")]
        all.field("mount", &self.mount)
            .field("prefix", &self.prefix)
            .field("mounts", &self.mounts)
            .field("timeout", &self.timeout)
            .field("plain_http", &self.plain_http);
        all.finish_non_exhaustive()
    }
}

impl Auth {
    /// Its name, as `auth` takes it.
    pub fn way(&self) -> &'static str {
        match self {
            Auth::Token(_) => "token",
            #[cfg(feature = "full")]
            Auth::TokenFile(_) => "token_file",
            Auth::AppRole { .. } => "approle",
            #[cfg(feature = "full")]
            Auth::Kubernetes { .. } => "kubernetes",
            #[cfg(feature = "full")]
            Auth::Jwt { .. } => "jwt",
            #[cfg(feature = "full")]
            Auth::Certificate { .. } => "cert",
            #[cfg(feature = "full")]
            Auth::Userpass { .. } => "userpass",
        }
    }

    /// Whether nothing in it could steer a login elsewhere, and nothing is missing that the server would only call a
    /// failure of its own.
    fn check(&self) -> Result<(), Refusal> {
        match self {
            Auth::Token(token) if token.expose_secret().trim().is_empty() => Err(empty()),
            Auth::Token(_) => Ok(()),
            Auth::AppRole { mount, role_id, secret_id } => {
                match secret_id {
                    SecretId::None => {}
                    SecretId::Plain(given) => given.check()?,
                    #[cfg(feature = "full")]
                    SecretId::Wrapped(given) => given.check()?,
                }
                role_id.check()?;
                of("auth_mount", segments(mount).map(|_| ()))
            }
            #[cfg(feature = "full")]
            Auth::TokenFile(_) => Ok(()),
            #[cfg(feature = "full")]
            Auth::Kubernetes { mount, role, token } => {
                token.check()?;
                of("auth_mount", segments(mount).map(|_| ()))?;
                of("role", one(role))
            }
            #[cfg(feature = "full")]
            Auth::Jwt { mount, role, token } => {
                token.check()?;
                of("auth_mount", segments(mount).map(|_| ()))?;
                role.as_ref().map_or(Ok(()), |role| of("role", one(role)))
            }
            #[cfg(feature = "full")]
            Auth::Certificate { mount, role } => {
                of("auth_mount", segments(mount).map(|_| ()))?;
                role.as_ref().map_or(Ok(()), |role| of("role", one(role)))
            }
            #[cfg(feature = "full")]
            Auth::Userpass { mount, user, password } => {
                password.check()?;
                of("auth_mount", segments(mount).map(|_| ()))?;
                of("username", one(user))
            }
        }
    }
}

impl Given {
    fn check(&self) -> Result<(), Refusal> {
        match self {
            Given::Text(text) if text.expose_secret().is_empty() => Err(empty()),
            _ => Ok(()),
        }
    }
}

/// What a check says, with the option that it is about.
fn of(option: &str, checked: Result<(), Refusal>) -> Result<(), Refusal> {
    checked.map_err(|wrong| misconfigured(["`", option, "`: ", wrong.hint()].concat()))
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
            #[cfg(feature = "full")]
            Given::File(_) => "file",
        })
    }
}

impl fmt::Debug for SecretId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SecretId::None => f.write_str("none"),
            SecretId::Plain(given) => write!(f, "{given:?}"),
            #[cfg(feature = "full")]
            SecretId::Wrapped(given) => write!(f, "wrapped {given:?}"),
        }
    }
}

#[cfg(test)]
#[cfg(feature = "full")]
mod tests;
