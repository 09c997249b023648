//! Who is signed in, and who signs in anew: one at a time, and everybody else has the outcome.

use super::{Granted, Ways};
use crate::adapter::Wall;
use crate::settings::Settings;
use aws_sdk_secretsmanager::Client;
use aws_sdk_secretsmanager::config::retry::RetryConfig;
use aws_sdk_secretsmanager::config::timeout::TimeoutConfig;
use aws_sdk_secretsmanager::config::{BehaviorVersion, IdentityCache, Region};
use secretfig_source::{Identity, SourceError, Tick};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Mutex as Turn;

/// Who we are is for the audit line, and not worth a longer wait: many networks have no way to STS.
const WHO: Duration = Duration::from_secs(1);

/// One sign-in: a client with its credentials, and what is known of them.
pub(crate) struct Session {
    pub(crate) client: Client,
    pub(crate) identity: Option<Identity>,
    /// When new ones are fetched, while these are still good.
    renew: Tick,
    end: Tick,
}

/// The one way in.
pub(crate) struct Door {
    ways: Ways,
    state: Mutex<State>,
    turn: Turn<()>,
}

#[derive(Default)]
struct State {
    session: Option<Arc<Session>>,
    tries: u64,
    failure: Option<SourceError>,
}

impl Door {
    pub(crate) fn new(ways: Ways) -> Self {
        Self { ways, state: Mutex::default(), turn: Turn::new(()) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn current(&self) -> Option<Arc<Session>> {
        self.state().session.clone()
    }

    /// Who is signed in now. Credentials that are about to end are renewed on the way, by one call; the others go on with those
    /// there are.
    pub(crate) async fn session(&self) -> Result<Arc<Session>, SourceError> {
        let Some(session) = self.current() else { return self.enter(None).await };
        let now = self.ways.clock.tick();
        if now < session.renew {
            return Ok(session);
        }
        if now >= session.end {
            return self.enter(Some(&session)).await;
        }
        if let Ok(_turn) = self.turn.try_lock()
            && self.current().is_some_and(|current| Arc::ptr_eq(&current, &session))
        {
            match self.sign_in().await {
                Ok(fresh) => return Ok(fresh),
                Err(error) => tracing::warn!(
                    target: "secretfig",
                    kind = error.kind().as_str(),
                    "the credentials end soon, and new ones cannot be had yet"
                ),
            }
        }
        Ok(self.current().unwrap_or(session))
    }

    /// Signs in, or waits for who does. `stale` is a sign-in that is of no more use.
    pub(crate) async fn enter(&self, stale: Option<&Arc<Session>>) -> Result<Arc<Session>, SourceError> {
        let fresh = |session: &Arc<Session>| !stale.is_some_and(|stale| Arc::ptr_eq(stale, session));
        let tries = self.state().tries;
        let _turn = self.turn.lock().await;
        {
            let state = self.state();
            if let Some(session) = state.session.as_ref().filter(|session| fresh(session)) {
                return Ok(session.clone());
            }
            // whoever was before us tried while we waited: its failure is ours, and no storm
            if let Some(failure) = state.failure.as_ref().filter(|_| state.tries != tries) {
                return Err(failure.clone());
            }
        }
        self.sign_in().await
    }

    async fn sign_in(&self) -> Result<Arc<Session>, SourceError> {
        let made = match self.ways.sign_in().await {
            Ok(granted) => Ok(self.session_of(granted).await),
            Err(refusal) => Err(SourceError::from(refusal)),
        };
        let mut state = self.state();
        state.tries += 1;
        match made {
            Ok(session) => {
                state.failure = None;
                state.session = Some(session.clone());
                Ok(session)
            }
            Err(failure) => {
                state.failure = Some(failure.clone());
                Err(failure)
            }
        }
    }

    async fn session_of(&self, Granted { credentials, region }: Granted) -> Arc<Session> {
        let clock = &self.ways.clock;
        let (begun, wall) = (clock.tick(), clock.wall());
        let lasts = credentials.expiry().map(|end| end.duration_since(wall).unwrap_or_default());
        let sts = self.ways.sts(&region, Some(credentials.clone()));
        let identity = tokio::time::timeout(WHO, sts.identity()).await.ok().flatten();
        Arc::new(Session {
            client: client(&self.ways.settings, &self.ways, &region, credentials),
            identity,
            renew: lasts.map_or(Tick::FAR, |lasts| begun.after(lasts / 3 * 2)),
            end: lasts.map_or(Tick::FAR, |lasts| begun.after(lasts)),
        })
    }
}

fn client(
    settings: &Settings,
    ways: &Ways,
    region: &str,
    credentials: aws_credential_types::Credentials,
) -> Client {
    let mut config = aws_sdk_secretsmanager::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .http_client(ways.adapter.clone())
        .retry_config(RetryConfig::disabled())
        .timeout_config(TimeoutConfig::disabled())
        .identity_cache(IdentityCache::no_cache())
        .time_source(Wall(ways.clock.clone()))
        .region(Region::new(region.to_owned()))
        .use_fips(settings.fips)
        .use_dual_stack(settings.dualstack)
        .credentials_provider(credentials);
    if let Some(endpoint) = &settings.endpoint {
        config = config.endpoint_url(endpoint.as_str());
    }
    Client::from_conf(config.build())
}
