//! Signing in, a file per way, and the one door that all go through.
//!
//! | way | file | what it needs |
//! | --- | --- | --- |
//! | `environment` | here | a key in the settings |
//! | `profile` | `profile.rs` | a profile of the shared files, which may assume a role |
//! | `web_identity` | `web_identity.rs` | a role, and a file with a token: IRSA, CI |
//! | `container` | `container.rs` | the endpoint that ECS and EKS Pod Identity give |
//! | `instance` | `instance.rs` | the metadata service of the machine, version 2 |
//!
//! With `chain` they are tried in this order, which is that of
//! [AWS' SDKs](https://docs.aws.amazon.com/sdkref/latest/guide/standardized-credentials.html), but for the container's endpoint and
//! the profile, which no one has both; a way that is set up and fails does not let the next one in: it would sign in as somebody
//! else. The way that worked is the only one from then on.

mod container;
mod door;
mod instance;
mod profile;
mod sts;
mod web_identity;

pub(crate) use door::{Door, Session};

use crate::adapter::{Adapter, Wall};
use crate::error::{Refusal, SCHEME, misconfigured};
use crate::settings::{Auth, Given, Keys, Settings};
use aws_credential_types::Credentials;
use secrecy::ExposeSecret;
use secretfig_source::protocol::Limits;
use secretfig_source::{Clock, ErrorKind, SourceError, file};
use secretfig_transport::Transport;
use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use zeroize::Zeroizing;

/// A way did not sign in.
enum Missed {
    /// It is not set up: the next one is tried.
    Unset(String),
    /// It is set up, and failed.
    Failed(Refusal),
}

impl From<Refusal> for Missed {
    fn from(refusal: Refusal) -> Self {
        Missed::Failed(refusal)
    }
}

impl From<SourceError> for Missed {
    fn from(error: SourceError) -> Self {
        Missed::Failed(error.into())
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Environment,
    Profile,
    WebIdentity,
    Container,
    Instance,
}

/// The order of the chain.
const CHAIN: [Way; 5] = [Way::Environment, Way::WebIdentity, Way::Profile, Way::Container, Way::Instance];

impl Way {
    fn name(self) -> &'static str {
        match self {
            Way::Environment => "environment",
            Way::Profile => "profile",
            Way::WebIdentity => "web_identity",
            Way::Container => "container",
            Way::Instance => "instance",
        }
    }
}

/// All ways to sign in, and what they need.
pub(crate) struct Ways {
    settings: Settings,
    /// To AWS.
    adapter: Adapter,
    /// To the metadata services, and to nothing else.
    nearby: Adapter,
    clock: Arc<dyn Clock>,
    worked: OnceLock<Way>,
}

/// What a sign-in gives.
struct Granted {
    credentials: Credentials,
    region: String,
}

impl Ways {
    pub(crate) fn new(
        settings: Settings,
        transport: Transport,
        nearby: Transport,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let limits = Limits { deadline: settings.timeout, ..Limits::default() };
        let adapter = Adapter { transport, limits };
        // on the machine itself, or not at all
        let limits = Limits { deadline: settings.timeout.min(Duration::from_secs(2)), max_bytes: 1 << 16 };
        let nearby = Adapter { transport: nearby, limits };
        Self { settings, adapter, nearby, clock, worked: OnceLock::new() }
    }

    async fn sign_in(&self) -> Result<Granted, Refusal> {
        let region = self.region().await?;
        let credentials = self.credentials(&region).await?;
        let credentials = match &self.settings.material.assume_role {
            Some(role) => {
                let sts = self.sts(&region, Some(credentials));
                sts.assume(role, self.settings.material.external_id.as_deref(), self.session_name()).await?
            }
            None => credentials,
        };
        Ok(Granted { credentials, region })
    }

    async fn credentials(&self, region: &str) -> Result<Credentials, Refusal> {
        let way = match &self.settings.auth {
            Auth::Keys(keys) => return Ok(of_keys(keys)),
            Auth::Environment => Way::Environment,
            Auth::Profile => Way::Profile,
            Auth::WebIdentity { .. } => Way::WebIdentity,
            Auth::Container => Way::Container,
            Auth::Instance => Way::Instance,
            Auth::Chain | Auth::Agent => match self.worked.get() {
                Some(way) => *way,
                None => return self.chain(region).await,
            },
        };
        self.by(way, region).await.map_err(|missed| match missed {
            Missed::Failed(refusal) => refusal,
            Missed::Unset(why) => Refusal::new(ErrorKind::Unauthenticated, format!("{}: {why}", way.name())),
        })
    }

    async fn chain(&self, region: &str) -> Result<Credentials, Refusal> {
        let mut tried = Vec::new();
        for way in CHAIN {
            match self.by(way, region).await {
                Ok(credentials) => {
                    // somebody else may have found the same meanwhile
                    let _ = self.worked.set(way);
                    return Ok(credentials);
                }
                Err(Missed::Unset(why)) => tried.push(format!("{}: {why}", way.name())),
                Err(Missed::Failed(refusal)) => {
                    let before = if tried.is_empty() {
                        String::new()
                    } else {
                        format!(" Before it: {}", tried.join("; "))
                    };
                    let hint = format!("{} is set up and fails: {}.{before}", way.name(), refusal.hint());
                    return Err(Refusal::new(refusal.kind, hint));
                }
            }
        }
        Err(Refusal::new(
            ErrorKind::Unauthenticated,
            format!(
                "nobody is signed in; tried were {}. Give this process a role, or a profile",
                tried.join("; ")
            ),
        ))
    }

    async fn by(&self, way: Way, region: &str) -> Result<Credentials, Missed> {
        match way {
            Way::Environment => match &self.settings.material.keys {
                Some(keys) => Ok(of_keys(keys)),
                None => {
                    Err(Missed::Unset("AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are not set".to_owned()))
                }
            },
            Way::Profile => self.by_profile(region).await,
            Way::WebIdentity => self.by_web_identity(region).await,
            Way::Container => self.by_container().await,
            Way::Instance => self.by_instance().await,
        }
    }

    /// Where it is said, or else where the profile or the machine lies.
    async fn region(&self) -> Result<String, Refusal> {
        if let Some(region) = self.settings.region() {
            return Ok(region.to_owned());
        }
        if let Some(region) = self.region_of_profile().await {
            return Ok(region);
        }
        if matches!(self.settings.auth, Auth::Chain | Auth::Instance)
            && let Some(region) = self.region_of_instance().await
        {
            return Ok(region);
        }
        Err(misconfigured(
            "no region is given: set AWS_REGION, AWS_DEFAULT_REGION, `region` in `[source.aws]`, or `region` in the profile of \
             ~/.aws/config; the metadata service of this machine does not tell it either",
        ))
    }

    fn session_name(&self) -> &str {
        self.settings.material.session_name.as_deref().unwrap_or("secretfig")
    }

    fn sts(&self, region: &str, credentials: Option<Credentials>) -> sts::Sts {
        sts::Sts::new(&self.settings, self.adapter.clone(), Wall(self.clock.clone()), region, credentials)
    }
}

fn of_keys(keys: &Keys) -> Credentials {
    let session = keys.session.as_ref().map(|token| token.expose_secret().to_owned());
    Credentials::new(&keys.id, keys.secret.expose_secret(), session, None, "secretfig")
}

/// The text of what is given, read anew where it is a file.
pub(crate) async fn open(given: &Given, what: &'static str) -> Result<Zeroizing<String>, SourceError> {
    match given {
        Given::Text(text) => Ok(Zeroizing::new(text.expose_secret().trim().to_owned())),
        Given::File(path) => read(path.clone(), what).await,
    }
}

/// On a thread for what blocks where a tokio runtime is there to give one, and in place otherwise.
async fn read(path: Arc<Path>, what: &'static str) -> Result<Zeroizing<String>, SourceError> {
    let reading = move || file::text(&path, what, SCHEME);
    match tokio::runtime::Handle::try_current() {
        // a cancelled runtime is the only way for this to fail
        Ok(handle) => handle.spawn_blocking(reading).await.map_err(|_| {
            SourceError::from(misconfigured(format!("{what}: the runtime ended while it was read")))
        })?,
        Err(_) => reading(),
    }
}
