//! The machine's metadata service, in its second version: a token first, which ends, and which no page and no redirect can fetch
//! ([reference](https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/configuring-instance-metadata-service.html)).

use super::{Missed, Ways};
use crate::adapter::{Adapter, Wall};
use crate::error::{Refusal, misconfigured};
use aws_config::imds;
use aws_config::imds::client::error::TokenError;
use aws_config::imds::credentials::ImdsCredentialsProvider;
use aws_config::provider_config::ProviderConfig;
use aws_credential_types::Credentials;
use aws_credential_types::provider::ProvideCredentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_smithy_async::rt::sleep::TokioSleep;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use secretfig_source::{ErrorKind, Unavailable};
use std::error::Error;

const REGION: &str = "/latest/meta-data/placement/region";

impl Ways {
    pub(super) async fn by_instance(&self) -> Result<Credentials, Missed> {
        if self.settings.material.instance_disabled {
            return Err(Missed::Unset("AWS_EC2_METADATA_DISABLED is set".to_owned()));
        }
        let config = provider_config(self.nearby.clone(), Wall(self.clock.clone()));
        let provider =
            ImdsCredentialsProvider::builder().configure(&config).imds_client(self.imds()?).build();
        provider.provide_credentials().await.map_err(|error| match &error {
            CredentialsError::CredentialsNotLoaded(_) => Missed::Unset(
                "the metadata service of this machine does not answer, or has no role: it is no EC2 instance, or has no instance \
                 profile, or its hop limit is too low for containers"
                    .to_owned(),
            ),
            // something else answers there, as on another cloud's machine
            _ if refused_token(&error) => {
                Missed::Unset("what answers at the metadata service's address is not that of EC2".to_owned())
            }
            _ => Missed::Failed(Refusal::new(
                ErrorKind::Unavailable(Unavailable::Failing),
                "the metadata service of this machine fails; it is tried again",
            )),
        })
    }

    pub(super) async fn region_of_instance(&self) -> Option<String> {
        if self.settings.material.instance_disabled {
            return None;
        }
        let region = self.imds().ok()?.get(REGION).await.ok()?;
        let region: String = region.into();
        let mut names = crate::naming::Names::default();
        names.set_region(region.trim()).ok()?;
        names.region().map(str::to_owned)
    }

    /// One try for each request: the core retries.
    fn imds(&self) -> Result<imds::Client, Refusal> {
        let config = provider_config(self.nearby.clone(), Wall(self.clock.clone()));
        let client = imds::Client::builder().configure(&config).max_attempts(1);
        let client = match &self.settings.material.instance_endpoint {
            Some(endpoint) => client
                .endpoint(endpoint.as_str())
                .map_err(|_| misconfigured("`instance_endpoint` is no address"))?,
            None => client,
        };
        Ok(client.build())
    }
}

/// Whether a token was asked for, and answered by a refusal.
fn refused_token(error: &(dyn Error + 'static)) -> bool {
    match error.downcast_ref::<SdkError<TokenError, HttpResponse>>() {
        Some(SdkError::ServiceError(answered)) => answered.raw().status().is_client_error(),
        Some(SdkError::ResponseError(answered)) => answered.raw().status().is_client_error(),
        _ => error.source().is_some_and(refused_token),
    }
}

pub(super) fn provider_config(adapter: Adapter, wall: Wall) -> ProviderConfig {
    ProviderConfig::empty()
        .with_http_client(adapter)
        .with_time_source(wall)
        .with_sleep_impl(TokioSleep::new())
}
