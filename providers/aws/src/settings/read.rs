//! Every option, the variables that set it, and its default. AWS' own variables where there are some.

use super::{Auth, Given, Keys, Material, SCHEME, Settings, role};
use crate::error::misconfigured;
use crate::naming::{Duplicates, Names};
use secrecy::{ExposeSecret, SecretString};
use secretfig_source::SourceError;
use secretfig_source::options::{Is, Known, Options};
use secretfig_source::protocol::Origin;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::Path;
use std::time::Duration;

use Is::{File, Plain, Refused, Secret};

/// A token that lies in a file.
const OF_FILE: &str = "file://";
/// Where the agent writes its token, unless it was told otherwise.
/// ([agent](https://github.com/aws/aws-secretsmanager-agent#the-ssrf-feature))
const AGENT_TOKEN: &str = "/var/run/awssmatoken";

/// The options.
const OPTIONS: Options = Options {
    name: "aws",
    all: &[
        (
            "region",
            &["AWS_REGION", "AWS_DEFAULT_REGION"],
            Plain,
            "the region; default the profile's, or the machine's",
        ),
        (
            "endpoint",
            &["AWS_ENDPOINT_URL_SECRETS_MANAGER", "AWS_ENDPOINT_URL"],
            Plain,
            "asked instead of AWS' own endpoint",
        ),
        (
            "sts_endpoint",
            &["AWS_ENDPOINT_URL_STS"],
            Plain,
            "the same for STS; default `endpoint`'s variable AWS_ENDPOINT_URL",
        ),
        ("fips", &["AWS_USE_FIPS_ENDPOINT"], Plain, "`true`: FIPS endpoints"),
        ("dualstack", &["AWS_USE_DUALSTACK_ENDPOINT"], Plain, "`true`: endpoints with IPv6"),
        (
            "auth",
            &["SECRETFIG_AWS_AUTH"],
            Plain,
            "one way to sign in: environment, profile, web_identity, container, instance, agent; default: the first that has \
             credentials",
        ),
        ("access_key_id", &["AWS_ACCESS_KEY_ID"], Secret, "environment: the key's id"),
        ("secret_access_key", &["AWS_SECRET_ACCESS_KEY"], Secret, "environment: the key"),
        ("session_token", &["AWS_SESSION_TOKEN"], Secret, "environment: the session token of temporary keys"),
        ("profile", &["AWS_PROFILE"], Plain, "the profile of the shared files; default `default`"),
        ("config_file", &["AWS_CONFIG_FILE"], File, "default ~/.aws/config"),
        ("credentials_file", &["AWS_SHARED_CREDENTIALS_FILE"], File, "default ~/.aws/credentials"),
        ("role_arn", &["AWS_ROLE_ARN"], Plain, "web_identity: the role"),
        (
            "role_session_name",
            &["AWS_ROLE_SESSION_NAME"],
            Plain,
            "its session's name in CloudTrail; default secretfig",
        ),
        (
            "web_identity_token_file",
            &["AWS_WEB_IDENTITY_TOKEN_FILE"],
            File,
            "web_identity: the token, read at each sign-in",
        ),
        (
            "container_credentials_uri",
            &["AWS_CONTAINER_CREDENTIALS_FULL_URI"],
            Plain,
            "container: where credentials are given (EKS Pod Identity)",
        ),
        (
            "container_credentials_path",
            &["AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"],
            Plain,
            "container: the same below http://169.254.170.2 (ECS)",
        ),
        ("container_token", &["AWS_CONTAINER_AUTHORIZATION_TOKEN"], Secret, "container: what is shown there"),
        (
            "container_token_file",
            &["AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"],
            File,
            "container: the same, read at each sign-in",
        ),
        (
            "instance_endpoint",
            &["AWS_EC2_METADATA_SERVICE_ENDPOINT"],
            Plain,
            "instance: the metadata service; default http://169.254.169.254",
        ),
        ("instance_disabled", &["AWS_EC2_METADATA_DISABLED"], Plain, "`true`: it is not asked"),
        (
            "assume_role",
            &["SECRETFIG_AWS_ASSUME_ROLE"],
            Plain,
            "a role that is assumed with those credentials",
        ),
        ("external_id", &["SECRETFIG_AWS_EXTERNAL_ID"], Plain, "what its trust policy wants to hear"),
        (
            "agent",
            &["SECRETFIG_AWS_AGENT"],
            Plain,
            "agent: where it listens; default http://localhost:2773. It makes `auth` agent",
        ),
        (
            "agent_token",
            &["AWS_TOKEN"],
            Secret,
            "agent: what it wants to see, or `file://` and the path of the file",
        ),
        (
            "agent_token_file",
            &["SECRETFIG_AWS_AGENT_TOKEN_FILE"],
            File,
            "agent: the same in a file; default /var/run/awssmatoken. In a Lambda function AWS_SESSION_TOKEN is it",
        ),
        (
            "prefix",
            &["SECRETFIG_AWS_PREFIX", "AWS_SECRETS_PREFIX"],
            Plain,
            "what is put in front of names, with a `/`",
        ),
        (
            "tags",
            &["SECRETFIG_AWS_TAGS"],
            Plain,
            "of a folder, only what carries these: `env=prod, team=shop`",
        ),
        (
            "duplicates",
            &["SECRETFIG_AWS_DUPLICATES"],
            Plain,
            "where two secrets of a folder mean one key: refuse, first or last; default refuse",
        ),
        ("account", &["AWS_ACCOUNT_ID"], Plain, "for policies: the account; default any"),
        (
            "kms_keys",
            &["SECRETFIG_AWS_KMS_KEYS"],
            Plain,
            "for policies: ARNs of the customer managed keys, with commas; default none",
        ),
        ("ca_file", &["AWS_CA_BUNDLE"], File, "a CA that is trusted beside the system's, PEM"),
        (
            "pins",
            &["SECRETFIG_AWS_PINS"],
            Plain,
            "SHA-256 of public keys, base64, with commas: one must be there",
        ),
        ("proxy", &["SECRETFIG_AWS_PROXY"], Plain, "`env`: HTTPS_PROXY counts; default ignored"),
        ("timeout", &["SECRETFIG_AWS_TIMEOUT"], Plain, "of one request: `3s`, or seconds; default 3s"),
        (
            "danger_plain_http",
            &["SECRETFIG_AWS_DANGER_PLAIN_HTTP"],
            Plain,
            "`true`: http to other than loopback, where everyone on the way reads all",
        ),
        ("log_sensitive_bodies", &["LOG_SENSITIVE_BODIES"], Refused, "refused"),
    ],
    groups: &[&["container_token", "container_token_file"], &["agent_token", "agent_token_file"]],
    sign_in: &[
        "auth",
        "access_key_id",
        "secret_access_key",
        "session_token",
        "role_arn",
        "web_identity_token_file",
    ],
};

impl Settings {
    /// The variables that are read, each with what it sets.
    pub fn variables() -> impl Iterator<Item = (&'static str, &'static str)> {
        OPTIONS.variables()
    }

    /// Whether a variable of that name is looked at, so that a caller need not hand in all.
    pub fn reads(variable: &str) -> bool {
        OPTIONS.reads(variable)
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

    /// What variables and `[source.aws]` say; a variable beats the table, and an empty one counts as unset. `strict` profiles
    /// take no secret from the table.
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
        settings(OPTIONS.read(vars, table, strict))
    }
}

fn settings(mut known: Known) -> Result<Settings, SourceError> {
    if known.yes("log_sensitive_bodies") {
        known.wrong(
            "LOG_SENSITIVE_BODIES is refused: AWS' SDK would write every secret into the log. Unset it",
        );
    }
    let plain_http = known.yes("danger_plain_http");
    let parse = if plain_http { Origin::danger_plain_http } else { Origin::parse };
    let mut names = Names::default();
    if let Some(region) = known.plain("region") {
        known.checked("region", names.set_region(&region));
    }
    let prefix = known.plain("prefix").unwrap_or_default();
    known.checked("prefix", names.set_prefix(&prefix));
    let tags = known.plain("tags").unwrap_or_default();
    known.checked("tags", names.set_tags(&tags));
    if let Some(text) = known.plain("duplicates") {
        match Duplicates::parse(&text) {
            Some(which) => names.duplicates = which,
            None => known.wrong("`duplicates` is one of `refuse`, `first`, `last`"),
        }
    }
    let origin = |known: &mut Known, key: &str| {
        let text = known.plain(key)?;
        // AWS' own variables end in a slash, or do not
        known.checked(key, parse(&text).map_err(|refused| refused.of_source(SCHEME)))
    };
    let endpoint = origin(&mut known, "endpoint");
    let sts_endpoint = origin(&mut known, "sts_endpoint");
    let material = material(&mut known);
    let auth = auth(&mut known, &material);
    let mut made = Settings::of(names, auth.unwrap_or(Auth::Chain));
    (made.endpoint, made.sts_endpoint, made.material, made.plain_http) =
        (endpoint, sts_endpoint, material, plain_http);
    (made.fips, made.dualstack) = (known.yes("fips"), known.yes("dualstack"));
    if let Some(account) = known.plain("account") {
        if account.len() == 12 && account.bytes().all(|b| b.is_ascii_digit()) {
            made.account = Some(account);
        } else {
            known.wrong("`account` is twelve digits");
        }
    }
    made.kms_keys = known.list("kms_keys");
    if made.kms_keys.iter().any(|key| !key.starts_with("arn:") || key.split(':').nth(2) != Some("kms")) {
        known.wrong("`kms_keys` are ARNs of keys: `arn:aws:kms:REGION:ACCOUNT:key/ID`");
    }
    made.ca_file = known.plain("ca_file").map(Into::into);
    made.pins = known.list("pins");
    made.proxy = match known.plain("proxy").as_deref() {
        None | Some("ignore") => false,
        Some("env") => true,
        Some(_) => {
            known.wrong("`proxy` is `env` or `ignore`");
            false
        }
    };
    made.timeout =
        known.duration("timeout", Duration::from_secs(3), |text| humantime::parse_duration(text).ok());
    if known.faults().is_empty() { Ok(made) } else { Err(misconfigured(known.faults().join("; ")).into()) }
}

fn material(known: &mut Known) -> Material {
    let mut made = Material::default();
    let (id, secret) = (known.secret("access_key_id"), known.secret("secret_access_key"));
    let session = known.secret("session_token").map(|token| SecretString::from(token.as_str()));
    made.keys = match (id, secret) {
        (Some(id), Some(secret)) => Some(Keys {
            id: id.to_string(),
            secret: SecretString::from(secret.as_str()),
            session: session.clone(),
        }),
        (None, None) => None,
        _ => {
            known.wrong("AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are set together");
            None
        }
    };
    if let Some(keys) = &made.keys {
        known.checked("access_key_id", keys.check());
    }
    made.profile = known.plain("profile");
    made.config_file = known.plain("config_file").map(Into::into);
    made.credentials_file = known.plain("credentials_file").map(Into::into);
    made.role_arn = known.plain("role_arn");
    made.assume_role = known.plain("assume_role");
    for (key, arn) in [("role_arn", &made.role_arn), ("assume_role", &made.assume_role)] {
        if let Some(arn) = arn {
            known.checked(key, role(arn));
        }
    }
    made.external_id = known.plain("external_id");
    made.session_name = known.plain("role_session_name");
    // https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html
    let part =
        |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'+' | b'=' | b',' | b'.' | b'@' | b'-');
    if made
        .session_name
        .as_ref()
        .is_some_and(|name| !(2..=64).contains(&name.len()) || !name.bytes().all(part))
    {
        known.wrong("`role_session_name` has 2 to 64 letters, digits and `_+=,.@-`");
    }
    made.web_identity_token_file = known.plain("web_identity_token_file").map(Into::into);
    made.container_uri = known.plain("container_credentials_uri");
    made.container_path = known.plain("container_credentials_path");
    if made.container_path.as_ref().is_some_and(|path| !path.starts_with('/')) {
        known.wrong("`container_credentials_path` begins with `/`");
    }
    made.container_token = given(known, "container_token", "container_token_file");
    if let Some(text) = known.plain("instance_endpoint") {
        let origin = Origin::metadata(text.trim_end_matches('/'))
            .or_else(|_| Origin::parse(text.trim_end_matches('/')));
        made.instance_endpoint =
            known.checked("instance_endpoint", origin.map_err(|refused| refused.of_source(SCHEME)));
    }
    made.instance_disabled = known.yes("instance_disabled");
    if let Some(text) = known.plain("agent") {
        let origin = Origin::parse(&text).map_err(|refused| refused.of_source(SCHEME));
        made.agent = known.checked("agent", origin);
    }
    made.agent_token = match given(known, "agent_token", "agent_token_file") {
        // the agent itself takes its variable so, and may share its environment with us
        Some(Given::Text(text)) if text.expose_secret().starts_with(OF_FILE) => {
            text.expose_secret().strip_prefix(OF_FILE).map(|path| Given::File(Path::new(path).into()))
        }
        given => given,
    };
    if made.agent_token.is_none() {
        // the Lambda extension takes the function's own session token
        made.agent_token = session.map(Given::Text);
    }
    made
}

fn given(known: &mut Known, key: &str, file: &str) -> Option<Given> {
    if let Some(text) = known.secret(key) {
        return Some(Given::Text(SecretString::from(text.as_str())));
    }
    known.plain(file).map(|path| Given::File(Path::new(&path).into()))
}

fn auth(known: &mut Known, material: &Material) -> Option<Auth> {
    let Some(way) = known.plain("auth") else {
        return Some(if material.agent.is_some() { Auth::Agent } else { Auth::Chain });
    };
    Some(match way.as_str() {
        "chain" => Auth::Chain,
        "environment" => match material.keys {
            Some(_) => Auth::Environment,
            None => {
                known.wrong("`auth = \"environment\"` needs AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY");
                return None;
            }
        },
        "profile" => Auth::Profile,
        "web_identity" => match (&material.role_arn, &material.web_identity_token_file) {
            (Some(role_arn), Some(file)) => Auth::WebIdentity {
                role_arn: role_arn.clone(),
                session_name: material.session_name.clone(),
                token: Given::File(file.as_path().into()),
            },
            _ => {
                known.wrong(
                    "`auth = \"web_identity\"` needs `role_arn` (AWS_ROLE_ARN) and `web_identity_token_file` \
                     (AWS_WEB_IDENTITY_TOKEN_FILE)",
                );
                return None;
            }
        },
        "container" => Auth::Container,
        "instance" => Auth::Instance,
        "agent" => Auth::Agent,
        _ => {
            known.wrong(
                "`auth` is one of `chain`, `environment`, `profile`, `web_identity`, `container`, `instance`, `agent`",
            );
            return None;
        }
    })
}

impl Material {
    /// What the agent wants to see.
    pub(crate) fn agent_token(&self) -> Given {
        self.agent_token.clone().unwrap_or_else(|| Given::File(Path::new(AGENT_TOKEN).into()))
    }
}
