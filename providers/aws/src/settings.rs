//! Which region, who we are there, and where names lie. What sets it is in `read`.

#[cfg(feature = "full")]
mod read;

#[cfg(feature = "full")]
use crate::error::SCHEME;
#[cfg(feature = "full")]
use crate::error::{Refusal, misconfigured};
#[cfg(feature = "full")]
use crate::naming::Duplicates;
use crate::naming::Names;
#[cfg(feature = "full")]
use secrecy::ExposeSecret;
use secrecy::SecretString;
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
    /// The path of the file. It is read at each sign-in, since whoever writes it renews it.
    #[cfg(feature = "full")]
    File(std::sync::Arc<std::path::Path>),
}

/// An access key.
#[derive(Clone)]
pub struct Keys {
    pub(crate) id: String,
    pub(crate) secret: SecretString,
    pub(crate) session: Option<SecretString>,
}

impl Keys {
    /// A long-lived key of a user. A role is better: its keys end by themselves.
    pub fn new(access_key_id: impl Into<String>, secret_access_key: SecretString) -> Self {
        Self { id: access_key_id.into(), secret: secret_access_key, session: None }
    }

    /// With the session token that belongs to temporary keys.
    #[must_use]
    pub fn session_token(mut self, token: SecretString) -> Self {
        self.session = Some(token);
        self
    }
}

/// A way to sign in. Without the feature `full` there are [`Keys`](Auth::Keys) and [`WebIdentity`](Auth::WebIdentity),
/// and no files.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Auth {
    /// These keys.
    Keys(Keys),
    /// A role, by a token of an issuer that the account trusts: IRSA, CI, an edge platform.
    WebIdentity {
        /// The role.
        role_arn: String,
        /// What the session is called in CloudTrail. Default `secretfig`.
        session_name: Option<String>,
        /// The token.
        token: Given,
    },
    /// The first that has credentials: variables, the profile, web identity, the container's endpoint, the machine's metadata.
    #[cfg(feature = "full")]
    Chain,
    /// The keys of the variables, and nothing else.
    #[cfg(feature = "full")]
    Environment,
    /// A profile of the shared files, and nothing else; it may assume a role.
    #[cfg(feature = "full")]
    Profile,
    /// The container's endpoint: ECS, EKS Pod Identity.
    #[cfg(feature = "full")]
    Container,
    /// The machine's metadata service, IMDSv2.
    #[cfg(feature = "full")]
    Instance,
    /// No sign-in here: the Secrets Manager Agent, or the Lambda extension, signs in and is asked.
    #[cfg(feature = "full")]
    Agent,
}

/// What the ways to sign in take beside the way itself.
#[cfg(feature = "full")]
#[derive(Clone, Default)]
pub(crate) struct Material {
    pub(crate) keys: Option<Keys>,
    pub(crate) profile: Option<String>,
    pub(crate) config_file: Option<PathBuf>,
    pub(crate) credentials_file: Option<PathBuf>,
    pub(crate) role_arn: Option<String>,
    pub(crate) session_name: Option<String>,
    pub(crate) web_identity_token_file: Option<PathBuf>,
    /// `http://169.254.170.23/v1/credentials`, and what is below `http://169.254.170.2`.
    pub(crate) container_uri: Option<String>,
    pub(crate) container_path: Option<String>,
    pub(crate) container_token: Option<Given>,
    pub(crate) instance_endpoint: Option<Origin>,
    pub(crate) instance_disabled: bool,
    /// A role that is assumed with whatever credentials there are.
    pub(crate) assume_role: Option<String>,
    pub(crate) external_id: Option<String>,
    pub(crate) agent: Option<Origin>,
    pub(crate) agent_token: Option<Given>,
}

/// Which region, who we are there, and where names lie.
///
/// The table of all options is in the [crate's documentation](crate); [`Settings::variables`] has it as data.
///
/// ```
/// use secretfig_aws::{Auth, Keys, Settings};
/// let keys = Auth::Keys(Keys::new("AKIAEXAMPLE", "…".into()));
/// let settings = Settings::new("eu-central-1", keys)?.prefix("prod/shop")?;
/// assert_eq!(settings.region(), Some("eu-central-1"));
/// # Ok::<(), secretfig_source::SourceError>(())
/// ```
#[derive(Clone)]
pub struct Settings {
    pub(crate) names: Names,
    pub(crate) auth: Auth,
    pub(crate) endpoint: Option<Origin>,
    pub(crate) sts_endpoint: Option<Origin>,
    pub(crate) fips: bool,
    pub(crate) dualstack: bool,
    #[cfg(feature = "full")]
    pub(crate) material: Material,
    #[cfg(feature = "full")]
    /// For policies: the account, and the keys that secrets are encrypted by, where they are not the account's own.
    pub(crate) account: Option<String>,
    #[cfg(feature = "full")]
    pub(crate) kms_keys: Vec<String>,
    #[cfg(feature = "full")]
    pub(crate) ca_file: Option<PathBuf>,
    #[cfg(feature = "full")]
    pub(crate) pins: Vec<String>,
    #[cfg(feature = "full")]
    pub(crate) proxy: bool,
    #[cfg(feature = "full")]
    pub(crate) timeout: Duration,
    #[cfg(feature = "full")]
    pub(crate) plain_http: bool,
}

impl Settings {
    /// That region, signed in to in that way; defaults for all else.
    ///
    /// # Errors
    /// `Misconfigured` where the region is none, or what signs in is empty.
    pub fn new(region: &str, auth: Auth) -> Result<Self, SourceError> {
        // the edge has looked at all of its options at once; none of these could steer a request
        #[cfg(feature = "full")]
        auth.check()?;
        let mut names = Names::default();
        names.set_region(region)?;
        Ok(Self::of(names, auth))
    }

    pub(crate) fn checked(region: &str, auth: Auth, prefix: &str) -> Self {
        Self::of(Names::checked(region, prefix), auth)
    }

    fn of(names: Names, auth: Auth) -> Self {
        Self {
            names,
            auth,
            endpoint: None,
            sts_endpoint: None,
            fips: false,
            dualstack: false,
            #[cfg(feature = "full")]
            material: Material::default(),
            #[cfg(feature = "full")]
            account: None,
            #[cfg(feature = "full")]
            kms_keys: Vec::new(),
            #[cfg(feature = "full")]
            ca_file: None,
            #[cfg(feature = "full")]
            pins: Vec::new(),
            #[cfg(feature = "full")]
            proxy: false,
            #[cfg(feature = "full")]
            timeout: Duration::from_secs(3),
            #[cfg(feature = "full")]
            plain_http: false,
        }
    }

    /// Asked there instead of AWS' own endpoint of the region: an interface endpoint, a test server.
    #[must_use]
    pub fn endpoint(mut self, endpoint: Origin) -> Self {
        self.endpoint = Some(endpoint);
        self
    }

    /// The same for STS, which is asked for credentials and for who we are.
    #[must_use]
    pub fn sts_endpoint(mut self, endpoint: Origin) -> Self {
        self.sts_endpoint = Some(endpoint);
        self
    }

    /// AWS' endpoints whose cryptography is FIPS 140 validated. (Ours is not by that.)
    #[must_use]
    pub fn fips(mut self, yes: bool) -> Self {
        self.fips = yes;
        self
    }

    /// AWS' endpoints that have IPv6 addresses too.
    #[must_use]
    pub fn dualstack(mut self, yes: bool) -> Self {
        self.dualstack = yes;
        self
    }

    /// What is put in front of names, with a `/` between; not of ARNs, nor of names that begin with `/`.
    ///
    /// # Errors
    /// `Misconfigured` where no secret's name could begin so.
    pub fn prefix(mut self, prefix: &str) -> Result<Self, SourceError> {
        self.names.set_prefix(prefix)?;
        Ok(self)
    }

    /// Of a folder, only the secrets that carry all these tags: `env=prod, team=shop`.
    ///
    /// # Errors
    /// `Misconfigured` where it is no such list, or one of more than four.
    #[cfg(feature = "full")]
    pub fn tags(mut self, tags: &str) -> Result<Self, SourceError> {
        self.names.set_tags(tags)?;
        Ok(self)
    }

    /// Which secret of a folder counts where two mean the same key. Default: the folder is refused.
    #[cfg(feature = "full")]
    #[must_use]
    pub fn duplicates(mut self, which: Duplicates) -> Self {
        self.names.duplicates = which;
        self
    }

    /// How long one request may take. Default 3 s.
    #[cfg(feature = "full")]
    #[must_use]
    pub fn timeout(mut self, limit: Duration) -> Self {
        self.timeout = limit;
        self
    }

    /// The region, unless it is looked for at sign-in: in the profile, and in the machine's metadata.
    pub fn region(&self) -> Option<&str> {
        self.names.region()
    }

    /// The IAM policy, as JSON, under which exactly these asks succeed. Where a name does not tell the account, every account's
    /// secret of that name is meant, which a role can read only in its own, or where another account allows it.
    ///
    /// ```
    /// # use secretfig_aws::{Auth, Keys, Settings};
    /// # use secretfig_source::Ask;
    /// # let keys = Auth::Keys(Keys::new("AKIAEXAMPLE", "…".into()));
    /// let policy = Settings::new("eu-central-1", keys)?.grants(&[Ask::new("myapp/database")]);
    /// assert!(policy.contains(r#""arn:aws:secretsmanager:eu-central-1:*:secret:myapp/database-??????""#));
    /// # Ok::<(), secretfig_source::SourceError>(())
    /// ```
    #[cfg(feature = "full")]
    pub fn grants(&self, asks: &[secretfig_source::Ask]) -> String {
        crate::grants::policy(self, asks)
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut all = f.debug_struct("Settings");
        all.field("names", &self.names)
            .field("auth", &self.auth)
            .field("endpoint", &self.endpoint)
            .field("sts_endpoint", &self.sts_endpoint)
            .field("fips", &self.fips)
            .field("dualstack", &self.dualstack);
        #[cfg(feature = "full")]
        all.field("timeout", &self.timeout).field("plain_http", &self.plain_http);
        all.finish_non_exhaustive()
    }
}

/// Nothing of it, not even the key's id: it tells the account.
impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keys").finish_non_exhaustive()
    }
}

impl fmt::Debug for Given {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Given::Text(_) => f.write_str("Text(…)"),
            #[cfg(feature = "full")]
            Given::File(path) => write!(f, "File({})", path.display()),
        }
    }
}

impl Auth {
    /// Its name, as `auth` takes it.
    pub fn way(&self) -> &'static str {
        match self {
            Auth::Keys(_) => "keys",
            Auth::WebIdentity { .. } => "web_identity",
            #[cfg(feature = "full")]
            Auth::Chain => "chain",
            #[cfg(feature = "full")]
            Auth::Environment => "environment",
            #[cfg(feature = "full")]
            Auth::Profile => "profile",
            #[cfg(feature = "full")]
            Auth::Container => "container",
            #[cfg(feature = "full")]
            Auth::Instance => "instance",
            #[cfg(feature = "full")]
            Auth::Agent => "agent",
        }
    }

    #[cfg(feature = "full")]
    fn check(&self) -> Result<(), Refusal> {
        match self {
            Auth::Keys(keys) => keys.check(),
            Auth::WebIdentity { role_arn, token, .. } => {
                role(role_arn)?;
                match token {
                    Given::Text(token) if token.expose_secret().trim().is_empty() => {
                        Err(misconfigured("the web identity token is empty"))
                    }
                    _ => Ok(()),
                }
            }
            #[cfg(feature = "full")]
            _ => Ok(()),
        }
    }
}

impl Keys {
    #[cfg(feature = "full")]
    fn check(&self) -> Result<(), Refusal> {
        // it stands in a header, between a `=` and a `/`
        let part = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-');
        if self.id.is_empty() || !self.id.bytes().all(part) {
            return Err(misconfigured("no access key id: letters and digits are meant"));
        }
        if self.secret.expose_secret().trim().is_empty() {
            return Err(misconfigured("the secret access key is empty"));
        }
        Ok(())
    }
}

/// `arn:aws:iam::123456789012:role/path/name`.
#[cfg(feature = "full")]
fn role(arn: &str) -> Result<(), Refusal> {
    let parts: Vec<&str> = arn.splitn(6, ':').collect();
    match parts.as_slice() {
        ["arn", _, "iam", "", _, role]
            if role.starts_with("role/") && !role.contains(char::is_whitespace) =>
        {
            Ok(())
        }
        _ => Err(misconfigured("no ARN of a role: `arn:aws:iam::123456789012:role/name` is meant")),
    }
}

#[cfg(test)]
#[cfg(feature = "full")]
mod tests;
