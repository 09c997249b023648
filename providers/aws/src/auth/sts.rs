//! The calls of STS: credentials of a role, and who we are.

use crate::adapter::{Adapter, Wall, failed};
use crate::error::{Doing, Refusal, malformed};
use crate::settings::Settings;
use aws_credential_types::Credentials;
use aws_sdk_sts::Client;
use aws_sdk_sts::config::retry::RetryConfig;
use aws_sdk_sts::config::timeout::TimeoutConfig;
use aws_sdk_sts::config::{BehaviorVersion, IdentityCache, Region};
use aws_smithy_async::time::TimeSource;
use secretfig_source::Identity;
use std::time::SystemTime;

pub(super) struct Sts {
    client: Client,
    wall: Wall,
}

impl Sts {
    pub(super) fn new(
        settings: &Settings,
        adapter: Adapter,
        wall: Wall,
        region: &str,
        credentials: Option<Credentials>,
    ) -> Self {
        let mut config = aws_sdk_sts::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .http_client(adapter)
            .retry_config(RetryConfig::disabled())
            .timeout_config(TimeoutConfig::disabled())
            .identity_cache(IdentityCache::no_cache())
            .time_source(wall.clone())
            .region(Region::new(region.to_owned()))
            .use_fips(settings.fips)
            .use_dual_stack(settings.dualstack);
        config.set_credentials_provider(
            credentials.map(aws_credential_types::provider::SharedCredentialsProvider::new),
        );
        if let Some(endpoint) = &settings.sts_endpoint {
            config = config.endpoint_url(endpoint.as_str());
        }
        Self { client: Client::from_conf(config.build()), wall }
    }

    /// The role's credentials, for a token of an issuer that its account trusts.
    pub(super) async fn with_token(
        &self,
        role: &str,
        session: &str,
        token: &str,
    ) -> Result<Credentials, Refusal> {
        let call = self.client.assume_role_with_web_identity().role_arn(role).role_session_name(session);
        let sent = call.web_identity_token(token).send().await;
        let doing = Doing::SignIn("web_identity");
        let granted = sent.map_err(|error| failed(&error, doing, self.wall.now()).refusal)?;
        of(granted.credentials)
    }

    /// The role's credentials, for somebody who may assume it.
    pub(super) async fn assume(
        &self,
        role: &str,
        external_id: Option<&str>,
        session: &str,
    ) -> Result<Credentials, Refusal> {
        let call = self.client.assume_role().role_arn(role).role_session_name(session);
        let sent = call.set_external_id(external_id.map(str::to_owned)).send().await;
        let doing = Doing::SignIn("assume_role");
        let granted = sent.map_err(|error| failed(&error, doing, self.wall.now()).refusal)?;
        of(granted.credentials)
    }

    /// Who we are. It needs no right; where STS cannot be reached, nobody knows.
    pub(super) async fn identity(&self) -> Option<Identity> {
        let told = self.client.get_caller_identity().send().await.ok()?;
        told.arn.filter(|arn| arn.starts_with("arn:")).map(Identity::new)
    }
}

fn of(granted: Option<aws_sdk_sts::types::Credentials>) -> Result<Credentials, Refusal> {
    let granted = granted.ok_or_else(|| malformed("STS grants credentials that cannot be read"))?;
    let until = SystemTime::try_from(granted.expiration).ok();
    Ok(Credentials::new(
        granted.access_key_id,
        granted.secret_access_key,
        Some(granted.session_token),
        until,
        "secretfig",
    ))
}
