//! The builder: layers in figment's own verbs, and the knobs around them.

use crate::assemble::{Invalid, Validate};
use crate::config::Config;
use crate::env::{TextEnv, Variables};
use crate::layers::{Profile, Verb};
use crate::policy::Policy;
use crate::report::LoadError;
use crate::secrets::SecretLayer;
use crate::settings::{self, Factory};
use crate::store::Freshness;
use secretfig_source::{Clock, Source};
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::panic::Location;
use std::sync::Arc;
use std::time::Duration;

/// One contribution to a configuration, in precedence order: any figment provider (or a whole `Figment`), a
/// [`TextEnv`], or a [`SecretLayer`]. Made by `into()`, as the verbs of [`Builder`] do.
pub struct Layer(pub(crate) LayerKind);

pub(crate) enum LayerKind {
    Env(TextEnv),
    Secrets(SecretLayer, &'static Location<'static>),
    File(crate::file::TomlFile),
    #[cfg(feature = "figment")]
    Figment(Box<crate::figment::FigmentLayer>, Option<Profile>, &'static Location<'static>),
}

impl Layer {
    #[cfg(feature = "figment")]
    pub(crate) fn figment(
        layer: Box<crate::figment::FigmentLayer>,
        profile: Option<Profile>,
        place: &'static Location<'static>,
    ) -> Self {
        Self(LayerKind::Figment(layer, profile, place))
    }
}

impl From<TextEnv> for Layer {
    fn from(env: TextEnv) -> Self {
        Self(LayerKind::Env(env))
    }
}

impl From<SecretLayer> for Layer {
    #[track_caller]
    fn from(secrets: SecretLayer) -> Self {
        Self(LayerKind::Secrets(secrets, Location::caller()))
    }
}

impl fmt::Debug for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match &self.0 {
            LayerKind::Env(_) => "Layer(environment)",
            LayerKind::Secrets(..) => "Layer(secrets)",
            LayerKind::File(_) => "Layer(file)",
            #[cfg(feature = "figment")]
            LayerKind::Figment(..) => "Layer(figment)",
        })
    }
}

/// Builds a configuration from layers, with figment's own verbs. Later layers stand above earlier ones.
///
/// | verb | who wins | lists |
/// | --- | --- | --- |
/// | [`merge`](Builder::merge) | the new layer | replaced |
/// | [`join`](Builder::join) | what is there | kept |
/// | [`admerge`](Builder::admerge) | the new layer | concatenated |
/// | [`adjoin`](Builder::adjoin) | what is there | concatenated |
pub struct Builder<T> {
    pub(crate) steps: Vec<Step>,
    pub(crate) standard: bool,
    pub(crate) variables: Variables,
    pub(crate) relaxed: Vec<Profile>,
    pub(crate) sources: Vec<Arc<dyn Source>>,
    pub(crate) factories: BTreeMap<String, Factory>,
    pub(crate) validate: Option<Validate<T>>,
    pub(crate) freshness: Freshness,
    pub(crate) policy: Policy,
    pub(crate) attempt: Duration,
    pub(crate) deadline: Duration,
    pub(crate) clock: Option<Arc<dyn Clock>>,
}

pub(crate) enum Step {
    Layer(Verb, Layer),
    Select(Profile),
}

/// Profiles in which a plain layer may beat a secret, so that one can work without a manager.
const RELAXED: [&str; 6] = ["default", "debug", "dev", "development", "local", "test"];

impl<T> Builder<T> {
    pub(crate) fn new(standard: bool) -> Self {
        Self {
            steps: Vec::new(),
            standard,
            variables: Variables::Process,
            relaxed: RELAXED.map(Profile::from).to_vec(),
            sources: Vec::new(),
            factories: BTreeMap::new(),
            validate: None,
            freshness: Freshness::default(),
            policy: Policy::default(),
            attempt: Duration::from_secs(3),
            deadline: Duration::from_secs(15),
            clock: None,
        }
    }

    fn step(mut self, verb: Verb, layer: Layer) -> Self {
        self.steps.push(Step::Layer(verb, layer));
        self
    }

    /// Puts a layer on top: where keys meet, it wins.
    #[must_use]
    #[track_caller]
    pub fn merge(self, layer: impl Into<Layer>) -> Self {
        self.step(Verb::Merge, layer.into())
    }

    /// Puts a layer below: where keys meet, what is there wins.
    #[must_use]
    #[track_caller]
    pub fn join(self, layer: impl Into<Layer>) -> Self {
        self.step(Verb::Join, layer.into())
    }

    /// As [`join`](Builder::join), and lists are concatenated.
    #[must_use]
    #[track_caller]
    pub fn adjoin(self, layer: impl Into<Layer>) -> Self {
        self.step(Verb::Adjoin, layer.into())
    }

    /// As [`merge`](Builder::merge), and lists are concatenated.
    #[must_use]
    #[track_caller]
    pub fn admerge(self, layer: impl Into<Layer>) -> Self {
        self.step(Verb::Admerge, layer.into())
    }

    /// Selects the profile; a later `select`, or a figment provider that sets one, changes it again.
    #[must_use]
    pub fn select(mut self, profile: impl Into<Profile>) -> Self {
        self.steps.push(Step::Select(profile.into()));
        self
    }

    /// Stands in for the process environment, which is one for all tests that run side by side.
    #[must_use]
    pub fn env<N: Into<String>, V: Into<OsString>>(
        mut self,
        variables: impl IntoIterator<Item = (N, V)>,
    ) -> Self {
        let given = variables.into_iter().map(|(name, value)| (name.into(), value.into()));
        self.variables = Variables::given(given);
        self
    }

    /// The profiles that are relaxed: a plain layer may beat a secret there. Default: `default`, `debug`, `dev`,
    /// `development`, `local`, `test`; every other is strict.
    #[must_use]
    pub fn relaxed_profiles<P: Into<Profile>>(mut self, profiles: impl IntoIterator<Item = P>) -> Self {
        self.relaxed = profiles.into_iter().map(Into::into).collect();
        self
    }

    /// A source for references of its scheme.
    #[must_use]
    pub fn source(mut self, source: impl Source + 'static) -> Self {
        self.sources.push(Arc::new(source));
        self
    }

    /// Makes `SECRET_PROVIDER=name`, `[source.name]` and references `name://…` work for a third party's source. The
    /// factory is called at most once, when something needs the source.
    #[must_use]
    pub fn register<F>(mut self, name: &str, factory: F) -> Self
    where
        F: Fn(&settings::SourceSettings<'_>) -> Result<Arc<dyn Source>, secretfig_source::SourceError>
            + Send
            + Sync
            + 'static,
    {
        self.factories.insert(name.to_lowercase(), Arc::new(factory));
        self
    }

    /// Checks across sections, on a configuration in which nothing else is wrong; also before each publication.
    #[must_use]
    pub fn validate(mut self, check: impl Fn(&T) -> Result<(), Invalid> + Send + Sync + 'static) -> Self {
        self.validate = Some(Arc::new(check));
        self
    }

    /// How long a fetched value counts as fresh where neither its entry nor its source says. Default 5 minutes.
    #[must_use]
    pub fn ttl(mut self, ttl: Duration) -> Self {
        self.freshness.ttl = ttl;
        self
    }

    /// How long a value is served while its source does not answer. Default 24 hours.
    #[must_use]
    pub fn max_stale(mut self, limit: Duration) -> Self {
        self.freshness.max_stale = limit;
        self
    }

    /// Serves stale values without end.
    #[must_use]
    pub fn serve_stale(mut self) -> Self {
        self.freshness.withhold_stale = false;
        self
    }

    /// How long a value is served after its secret was taken away. Default 5 minutes.
    #[must_use]
    pub fn revoked_grace(mut self, grace: Duration) -> Self {
        self.freshness.revoked_grace = grace;
        self
    }

    /// How long a lease that was replaced is kept for those who still read its value. Default 5 minutes. It is given
    /// back as soon as the last of them is gone.
    #[must_use]
    pub fn overlap_max(mut self, limit: Duration) -> Self {
        self.freshness.overlap = limit;
        self
    }

    /// How long one call to a source may take. Default 3 s. A source that is slow by design, such as a store behind a
    /// passphrase, says that it needs longer ([`SourceInfo::attempt`](secretfig_source::SourceInfo::attempt)).
    #[must_use]
    pub fn attempt_timeout(mut self, limit: Duration) -> Self {
        self.attempt = limit;
        self
    }

    /// How calls to sources are repeated, and when a source is left alone. Default: [`Policy`] tells.
    #[must_use]
    pub fn policy(mut self, policy: Policy) -> Self {
        self.policy = policy;
        self
    }

    /// How long the whole start-up may take, and each round of looking again. Default 15 s.
    #[must_use]
    pub fn deadline(mut self, limit: Duration) -> Self {
        self.deadline = limit;
        self
    }

    /// Where time comes from. Default: [`SystemClock`](crate::SystemClock).
    #[must_use]
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = Some(clock);
        self
    }
}

impl<T: DeserializeOwned + Send + Sync + 'static> Builder<T> {
    /// Reads all layers, fetches all secrets in one wave, and gives a complete, validated configuration.
    ///
    /// Spawns nothing, but for one case: dropped after it has made a credential by reading, it gives that back in a task on
    /// the current runtime, within 2 s. `T` is decoded even where secrets are missing, so that one report has every fault.
    ///
    /// # Errors
    /// [`LoadError`]: every fault of every layer and source.
    pub async fn load(self) -> Result<Config<T>, LoadError> {
        crate::load::load(self).await
    }
}

impl<T> fmt::Debug for Builder<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder").field("layers", &self.steps.len()).finish_non_exhaustive()
    }
}
