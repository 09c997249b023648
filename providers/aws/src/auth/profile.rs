//! A profile of the shared files, by AWS' own reader of them: keys, a role by `source_profile` or `credential_source`, a web
//! identity. SSO and external processes are not built in.

use super::instance::provider_config;
use super::{Missed, Ways};
use crate::adapter::{Wall, ours};
use crate::error::{Refusal, misconfigured};
use crate::naming::Names;
use aws_config::meta::region::ProvideRegion;
use aws_config::profile::{ProfileFileCredentialsProvider, ProfileFileRegionProvider};
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region};
use aws_credential_types::Credentials;
use aws_credential_types::provider::ProvideCredentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_runtime::env_config::file::{EnvConfigFileKind as Kind, EnvConfigFiles};
use secretfig_source::ErrorKind;

impl Ways {
    /// Those that are there: one that is not is as good as none, as in AWS' own tools.
    fn files(&self) -> Option<EnvConfigFiles> {
        let material = &self.settings.material;
        let mut files = EnvConfigFiles::builder();
        let mut any = false;
        for (kind, own) in
            [(Kind::Config, &material.config_file), (Kind::Credentials, &material.credentials_file)]
        {
            match (own, kind) {
                (Some(path), kind) if path.is_file() => files = files.with_file(kind, path),
                (Some(_), _) => continue,
                (None, Kind::Config) => files = files.include_default_config_file(true),
                (None, _) => files = files.include_default_credentials_file(true),
            }
            any = true;
        }
        any.then(|| files.build())
    }

    fn profile(&self) -> &str {
        self.settings.material.profile.as_deref().unwrap_or("default")
    }

    pub(super) async fn by_profile(&self, region: &str) -> Result<Credentials, Missed> {
        // what it asks for lies nearby (`credential_source`) or at STS, which is the transport's to tell apart
        let config = provider_config(self.adapter.clone(), Wall(self.clock.clone()))
            .with_region(Some(Region::new(region.to_owned())))
            .with_use_fips(Some(self.settings.fips))
            .with_use_dual_stack(Some(self.settings.dualstack))
            .with_behavior_version(Some(BehaviorVersion::latest()))
            .with_retry_config(RetryConfig::disabled())
            .with_timeout_config(TimeoutConfig::disabled());
        let named = self.settings.material.profile.is_some();
        let none = || Missed::Unset("the shared files have no profile `default` with credentials".to_owned());
        let files = match self.files() {
            Some(files) => files,
            None if !named => return Err(none()),
            None => return Err(Missed::Failed(self.unusable())),
        };
        let provider = ProfileFileCredentialsProvider::builder()
            .configure(&config)
            .profile_name(self.profile())
            .profile_files(files)
            .build();
        provider.provide_credentials().await.map_err(|error| match &error {
            CredentialsError::CredentialsNotLoaded(_) if !named => none(),
            CredentialsError::CredentialsNotLoaded(_) | CredentialsError::InvalidConfiguration(_) => {
                Missed::Failed(self.unusable())
            }
            _ => Missed::Failed(match ours(&error) {
                Some(ours) => ours.of_source(crate::error::SCHEME).into(),
                None => Refusal::new(
                    ErrorKind::Unauthenticated,
                    format!(
                        "the role of the profile `{}` cannot be assumed; check its trust policy",
                        self.profile()
                    ),
                ),
            }),
        })
    }

    fn unusable(&self) -> Refusal {
        misconfigured(format!(
            "the profile `{}` is not there, or cannot be used: SSO and external processes are not built in. Look at ~/.aws/config: \
             `aws configure list --profile …`",
            self.profile()
        ))
    }

    pub(super) async fn region_of_profile(&self) -> Option<String> {
        let config = provider_config(self.nearby.clone(), Wall(self.clock.clone()));
        let provider = ProfileFileRegionProvider::builder()
            .configure(&config)
            .profile_name(self.profile())
            .profile_files(self.files()?)
            .build();
        let region = provider.region().await?;
        let mut names = Names::default();
        names.set_region(region.as_ref()).ok()?;
        names.region().map(str::to_owned)
    }
}
