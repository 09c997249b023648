//! `Config`: the handle that everything else hangs on.

use crate::assemble::{Have, Made, Validate, assemble};
use crate::builder::Builder;
use crate::explain::Explain;
use crate::health::Health;
use crate::keeper;
use crate::leases::{Chore, Desk, Replaced, Step};
use crate::plan::SecretId;
use crate::policy::{Policy, Unanswered};
use crate::publish::{Arrival, Published, Publisher};
use crate::refresh::{Again, Asking, Erased, Look, Refreshed, Which, round};
use crate::report::LoadError;
use crate::reports::Reporting;
use crate::runtime::{self, SystemClock};
use crate::section::{Live, Section};
use crate::store::{Freshness, State};
use crate::tree::KeyPath;
use arc_swap::ArcSwap;
use secretfig_source::{Lease, Tick};
use serde::de::DeserializeOwned;
use std::collections::BTreeSet;
use std::fmt;
use std::marker::PhantomData;
use std::ops::Deref;
#[cfg(not(all(target_family = "wasm", target_os = "unknown")))]
use std::panic::Location;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

/// A loaded configuration. Cheap to clone; all clones are one.
pub struct Config<T>(Arc<Shared<T>>);

pub(crate) struct Shared<T> {
    now: ArcSwap<Made<T>>,
    publisher: Mutex<Publisher<T>>,
    kept: Arc<AtomicUsize>,
    asking: Arc<Asking>,
    keeper: keeper::Slot,
    reporting: Reporting,
    remarks: Vec<String>,
}

impl<T> Clone for Config<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T> fmt::Debug for Config<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Config<{}>", std::any::type_name::<T>())
    }
}

impl<T: DeserializeOwned + Send + Sync + 'static> Config<T> {
    /// Loads the standard layers; see [`Config::standard`].
    ///
    /// # Errors
    /// [`LoadError`]: every fault of every layer and source.
    pub async fn load() -> Result<Self, LoadError> {
        Self::standard().load().await
    }

    /// The standard layers, lowest first: `config.toml`, `config.<profile>.toml`, the secrets under `[secrets]`,
    /// then `APP_*`. What is added to it stands above.
    ///
    /// | variable | what it says | default |
    /// | --- | --- | --- |
    /// | `APP_PROFILE`, else `APP_ENV` | the profile | `default` |
    /// | `APP_CONFIG_DIR` | the folder of these files; a file may be missing, a named folder may not | the working folder |
    /// | `APP_*` | values, `__` nests | |
    /// | `SECRETFIG_ENV_PREFIX` | another prefix than `APP_` | `APP_` |
    /// | `SECRET_PROVIDER` | the source of `[secrets]` | `files` in relaxed profiles, else a fault |
    /// | `SECRET_NAME_*` | another name for the secret at that key | |
    /// | `APP_*_FILE` | the file whose content is that key's value, where the type has the key and no `…_file` | |
    /// | `SECRETFIG_FILES_DIR` | folders of mounted secrets, `:` between them | |
    /// | `CREDENTIALS_DIRECTORY` | systemd's folder of credentials | set by systemd |
    /// | `SECRET_FILE_*` | the file of the secret of that name, capitals and `_` | |
    /// | `SECRETFIG_FILES_MAX_BYTES` | the size of one secret file, in bytes | 1 MiB |
    /// | `SECRETFIG_FILES_TRAILING_NEWLINE` | `strip-one` or `keep` | `strip-one` |
    /// | `SECRETFIG_AGE_FILE` | the age store, with the feature `local` | `secrets.age` |
    /// | `SECRETFIG_AGE_IDENTITY`, `…_IDENTITY_FILE` | the key that opens it, or the path of its file | `secretfig/identity.txt` in the user's config folder |
    /// | `SECRETFIG_AGE_PASSPHRASE`, `…_PASSPHRASE_FILE` | the passphrase of the store or of the identity file | |
    /// | `SECRETFIG_AGE_MAX_BYTES` | the size of the opened store, in bytes | 1 MiB |
    /// | `VAULT_ADDR`, or `BAO_ADDR` | the server of the source `vault`, with the feature `vault`; of a cluster several, with commas | |
    /// | `VAULT_TOKEN`, `VAULT_NAMESPACE`, `VAULT_CACERT`, … and `SECRETFIG_VAULT_…` | how it signs in there, and all else: the table of `secretfig-vault` | |
    /// | `AWS_REGION`, `AWS_PROFILE`, `AWS_ROLE_ARN`, … and `SECRETFIG_AWS_…` | the region of the source `aws`, with the feature `aws`, how it signs in there, and all else: the table of `secretfig-aws` | |
    pub fn standard() -> Builder<T> {
        Builder::new(true)
    }

    /// No layers: say everything.
    pub fn builder() -> Builder<T> {
        Builder::new(false)
    }
}

impl<T: Send + Sync + 'static> Config<T> {
    pub(crate) fn from_parts(publisher: Publisher<T>, asking: Asking, remarks: Vec<String>) -> Self {
        Self(Arc::new(Shared {
            now: ArcSwap::new(publisher.made.clone()),
            publisher: Mutex::new(publisher),
            kept: Arc::new(AtomicUsize::new(0)),
            asking: Arc::new(asking),
            keeper: keeper::Slot::default(),
            reporting: Reporting::default(),
            remarks,
        }))
    }

    /// A configuration of exactly this value, which never changes: for tests.
    ///
    /// ```
    /// use secretfig::{Config, Live};
    /// struct App { limit: Live<u32> }
    /// let config = Config::fixed(App { limit: Live::from(3) });
    /// assert_eq!(*config.section(|app| &app.limit).get().unwrap(), 3);
    /// ```
    pub fn fixed(value: T) -> Self {
        let (lives, sealed, unknown, leases) = Default::default();
        let made = Arc::new(Made { value, lives, sealed, unknown, leases });
        let plan = Arc::new(crate::plan::Plan::empty());
        let knobs = (Policy::default(), Duration::ZERO, Duration::ZERO);
        let asking = Asking::new(plan.clone(), Arc::new(SystemClock::default()), knobs);
        Self::from_parts(
            Publisher::new(plan, Freshness::default(), None, Vec::new(), made, Desk::default()),
            asking,
            Vec::new(),
        )
    }

    /// Everything, of one moment.
    pub fn snapshot(&self) -> Snapshot<T> {
        Snapshot(self.0.now.load_full())
    }

    /// The handle to one `Live` part. Make it once, at start-up, and clone it: each call registers a new one.
    ///
    /// ```
    /// # use secretfig::{Config, Live};
    /// # struct App { limit: Live<u32> }
    /// # let config = Config::fixed(App { limit: Live::from(3) });
    /// let limit = config.section(|app| &app.limit);
    /// assert_eq!(*limit.get()?, 3);
    /// # Ok::<_, secretfig::Withheld>(())
    /// ```
    pub fn section<S: DeserializeOwned + Send + Sync + 'static>(&self, at: fn(&T) -> &Live<S>) -> Section<S> {
        match self.section_of(move |value| Some(at(value)), None) {
            Some(section) => section,
            // INVARIANT: `at` always gives a part, so there is always a view of it.
            None => unreachable!("a part that is always there"),
        }
    }

    /// As [`Config::section`], for a part that is optional: `None` where it is not there now.
    pub fn section_opt<S: DeserializeOwned + Send + Sync + 'static>(
        &self,
        at: fn(&T) -> Option<&Live<S>>,
    ) -> Option<Section<S>> {
        self.section_of(at, None)
    }

    /// As [`Config::section`], for a part that has no path of its own (in `flatten`): it stands and falls with the
    /// secrets at this path.
    pub fn section_at<S: DeserializeOwned + Send + Sync + 'static>(
        &self,
        path: &str,
        at: fn(&T) -> &Live<S>,
    ) -> Option<Section<S>> {
        self.section_of(move |value| Some(at(value)), Some(KeyPath::parse(path)))
    }

    /// As [`Config::section_opt`], for a part whose name is known only at run time, such as an entry of a map.
    ///
    /// ```
    /// # use secretfig::{Config, Live};
    /// # use std::collections::BTreeMap;
    /// let config = Config::fixed(BTreeMap::from([("limit", Live::from(3))]));
    /// let name = String::from("limit");
    /// let limit = config.section_by(move |parts| parts.get(name.as_str()));
    /// assert_eq!(limit.map(|limit| *limit.latest()), Some(3));
    /// ```
    pub fn section_by<S: DeserializeOwned + Send + Sync + 'static>(
        &self,
        at: impl Fn(&T) -> Option<&Live<S>> + Send + 'static,
    ) -> Option<Section<S>> {
        self.section_of(at, None)
    }

    fn section_of<S: DeserializeOwned + Send + Sync + 'static>(
        &self,
        at: impl Fn(&T) -> Option<&Live<S>> + Send + 'static,
        path: Option<KeyPath>,
    ) -> Option<Section<S>> {
        let config: Weak<dyn Erased> = Arc::<Shared<T>>::downgrade(&self.0);
        let parts = (self.0.kept.clone(), self.0.asking.clock.clone(), config);
        let cell = self.0.lock().section(at, path, parts)?;
        Some(Section(cell, PhantomData))
    }

    /// Keeps everything fresh from now on, on the current tokio runtime, for as long as the Keeper lives. A second
    /// call gives another Keeper of the same task.
    ///
    /// # Panics
    /// Outside of a tokio runtime, as every `tokio::spawn` does.
    #[cfg(not(all(target_family = "wasm", target_os = "unknown")))]
    #[track_caller]
    pub fn keep_fresh(&self) -> keeper::Keeper {
        self.0.keeper.keep(self.0.clone(), Location::caller())
    }

    /// Looks at all secrets now, and publishes what has changed. Never makes anything worse: what fails or makes no
    /// whole configuration leaves the old value in place.
    pub async fn refresh(&self) -> Refreshed {
        round(&*self.0, Which::All).await
    }

    /// Looks at what is due by its ttl, and at nothing else: for hosts in which nothing runs in the background and
    /// freshness is a matter of who reads. A secret that is being looked at is not due for others, who never wait.
    pub async fn refresh_due(&self) -> Refreshed {
        round(&*self.0, Which::Due).await
    }

    /// Whether [`Config::refresh_due`] would look at something.
    pub fn is_due(&self) -> bool {
        self.0.next_wake() <= self.0.asking.clock.tick()
    }

    /// Where each key came from, and what it beat.
    pub fn explain(&self) -> Explain {
        let publisher = self.0.lock();
        let have: Vec<Have> = publisher.states.iter().map(|state| state.have.clone()).collect();
        let (plan, made) = (publisher.plan.clone(), publisher.made.clone());
        drop(publisher);
        Explain::of(&plan, &have, &|path| made.guards(path))
    }

    /// What a person should know of the load: keys that no field takes, values passed over, odd settings.
    pub fn remarks(&self) -> &[String] {
        &self.0.remarks
    }

    /// How everything stands.
    pub fn health(&self) -> Health {
        let refresher = self.0.keeper.state();
        let now = self.0.asking.clock.tick();
        let sources = self.0.asking.sources_health(now);
        let mut publisher = self.0.lock();
        publisher.health(now, refresher.as_str(), sources)
    }

    /// **Hands secret values out**, as a `Figment`: for libraries that take their configuration from one, such as
    /// Rocket. `keys` are key paths, `databases.*` all below one. figment prints values in its errors and its
    /// `Debug`, holds them in plain strings and does not wipe them: expose what is needed, and nothing else.
    ///
    /// It is of this moment and does not rotate; its profile is the configuration's. Each secret that leaves is
    /// audited, and each key that was asked for is remembered, without its value: once another value is in force there
    /// (or one where there was none), one WARN line and [`Health::restart_needed`] say so, until the same key is exposed
    /// again.
    #[cfg(feature = "figment")]
    pub fn expose<K: AsRef<str>>(&self, keys: impl IntoIterator<Item = K>) -> figment::Figment {
        let patterns: Vec<KeyPath> = keys.into_iter().map(|key| KeyPath::parse(key.as_ref())).collect();
        let (plan, have) = self.0.lock().hand_out(&patterns);
        let (parsed, _) = crate::assemble::parse(&plan, &have);
        let dict =
            crate::assemble::merged(&plan, &parsed, false, |root| crate::figment::out::dict(root, &patterns));
        self.audit_exposed(&plan, &have, |path| {
            patterns.iter().any(|pattern| pattern.starts_with(path) || path.matches(pattern))
        });
        // a figment takes over the profile of one that is merged into it
        figment::Figment::from(figment::providers::Serialized::globals(dict)).select(plan.profile.as_str())
    }

    /// The wanted leaves, each with its value; `wanted` is told whether a leaf is a secret's. Each secret that
    /// leaves is audited.
    #[cfg(feature = "cli")]
    pub(crate) fn opened(
        &self,
        wanted: impl Fn(&KeyPath, bool) -> bool,
    ) -> Vec<(KeyPath, zeroize::Zeroizing<Vec<u8>>)> {
        let (plan, have) = self.0.lock().at_hand();
        let (parsed, _) = crate::assemble::parse(&plan, &have);
        let mut leaves = Vec::new();
        crate::assemble::merged(&plan, &parsed, false, |root| {
            root.open(&KeyPath::root(), &wanted, &mut leaves);
        });
        self.audit_exposed(&plan, &have, |path| leaves.iter().any(|(leaf, _)| leaf.starts_with(path)));
        leaves
    }

    /// One line for each use of a secret whose path leaves.
    #[cfg(any(feature = "cli", feature = "figment"))]
    fn audit_exposed(&self, plan: &crate::plan::Plan, have: &[Have], leaves: impl Fn(&KeyPath) -> bool) {
        for used in plan.uses.iter().filter(|used| leaves(&used.path)) {
            let Some(secret) = plan.secrets.get(used.secret.0 as usize) else { continue };
            let source = plan.sources.get(secret.source).map_or("", |source| source.name.as_str());
            let identity = self.0.asking.identities.get(secret.source).and_then(Option::as_ref);
            let revision = crate::assemble::place_of_secret(plan, used.secret, used.origin, have).revision;
            let revision = revision.as_ref().map(|revision| revision.as_str());
            crate::audit::line(identity, source, secret.ask.name(), revision, "exposed", "memory");
        }
    }
}

fn look(secret: SecretId, state: &State, set: usize, read: bool) -> Look {
    let published = state.published.iter().cloned().collect();
    Look { secret, revision: state.revision().cloned(), published, set, read }
}

impl<T> Shared<T> {
    /// Which secrets are made by being read. The sources are asked while nothing is locked.
    fn mints(&self) -> Vec<bool> {
        let plan = &self.asking.plan;
        let each = plan.secrets.iter().map(|secret| {
            plan.sources.get(secret.source).is_some_and(|named| named.source.mints(&secret.ask))
        });
        each.collect()
    }

    fn lock(&self) -> MutexGuard<'_, Publisher<T>> {
        // a panic in the critical section is caught inside it; were the lock poisoned all the same, what it guards
        // is only ever swapped whole
        self.publisher.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T: Send + Sync + 'static> Erased for Shared<T> {
    fn asking(&self) -> &Arc<Asking> {
        &self.asking
    }

    fn looks(&self, which: Which) -> Vec<Look> {
        let now = self.asking.clock.tick();
        let keeper = matches!(which, Which::Kept | Which::Source(_));
        let mints = self.mints();
        let mut publisher = self.lock();
        let Publisher { plan, states, sets, .. } = &mut *publisher;
        let wants_another = |state: &State| {
            keeper && state.lent.as_ref().is_some_and(|lent| lent.life.due(now) == Some(Step::Mint))
        };
        let all = plan.secrets.iter().zip(states.iter()).enumerate();
        let wanted = all.filter(|(_, (secret, state))| match which {
            Which::All => true,
            Which::Source(source) => secret.source == source || wants_another(state),
            Which::Due | Which::Kept => state.due <= now || wants_another(state),
        });
        // what stands and falls together is looked at together
        let wanted: BTreeSet<usize> = wanted.map(|(n, _)| sets.of(SecretId::nth(n))).collect();
        let members =
            wanted.into_iter().flat_map(|set| sets.members(set).into_iter().map(move |id| (set, id)));
        let looks = members.filter_map(|(set, secret)| {
            let state = states.get_mut(secret.0 as usize)?;
            state.due = now.after(runtime::jittered(state.ttl, runtime::random()));
            let another = wants_another(state);
            let mints = mints.get(secret.0 as usize).is_some_and(|mints| *mints);
            // what is made by being read is not read to see whether it has changed; where there is none yet, the Keeper
            // may make one
            let first = keeper && mints && state.revision().is_none();
            if (mints || !state.is_repeatable()) && !another && !first {
                return None;
            }
            state.minting = another;
            Some(look(secret, state, set, another))
        });
        looks.collect()
    }

    fn reported(&self, secrets: &[SecretId]) -> Vec<Look> {
        let mints = self.mints();
        let publisher = self.lock();
        let looks = secrets.iter().filter_map(|secret| {
            let n = secret.0 as usize;
            let (state, mints) = (publisher.states.get(n)?, mints.get(n)?);
            let set = publisher.sets.of(*secret);
            (state.is_repeatable() && !mints).then(|| look(*secret, state, set, true))
        });
        looks.collect()
    }

    fn publish(&self, arrivals: Vec<Arrival>) -> Published {
        let now = self.asking.clock.tick();
        let mut publisher = self.lock();
        let published = publisher.publish(arrivals, now, &self.now);
        self.asking.ledger.settle(|id, lease| {
            let state = publisher.states.get(id.0 as usize);
            state.and_then(|state| state.lent.as_ref()).is_some_and(|lent| lent.lease == *lease)
        });
        drop(publisher);
        self.asking.woken.notify_one();
        self.reporting.moved.notify_waiters();
        published
    }

    fn read_since(&self, secrets: &[SecretId], stamp: u64) -> BTreeSet<SecretId> {
        let publisher = self.lock();
        let read = secrets
            .iter()
            .filter(|id| publisher.states.get(id.0 as usize).is_some_and(|state| state.started > stamp));
        read.copied().collect()
    }

    fn look_again(&self, secrets: Vec<(SecretId, Again)>) {
        let mut publisher = self.lock();
        for (id, again) in secrets {
            let Some(state) = publisher.states.get_mut(id.0 as usize) else { continue };
            state.due = match again {
                Again::At(then) => then,
                Again::By(then) => state.due.min(then),
            };
        }
    }

    fn reporting(&self) -> &Reporting {
        &self.reporting
    }

    fn replace(&self, secrets: &[SecretId]) -> Replaced {
        let now = self.asking.clock.tick();
        let mut publisher = self.lock();
        if self.kept.load(Ordering::Relaxed) == 0 {
            let leased = publisher.lent().iter().any(|(id, _)| secrets.contains(id));
            return if leased { Replaced::NoKeeper } else { Replaced::NoLease };
        }
        let replaced = publisher.replace(secrets, now);
        drop(publisher);
        self.asking.woken.notify_one();
        replaced
    }

    fn is_replacing(&self, secrets: &[SecretId]) -> bool {
        self.lock().is_replacing(secrets, self.asking.clock.tick())
    }

    fn chores(&self) -> Vec<Chore> {
        let now = self.asking.clock.tick();
        let lent = self.lock().lent();
        // the source is asked while nothing is locked
        let lost = lent.into_iter().filter(|(id, lease)| {
            let source = self.asking.plan.secrets.get(id.0 as usize).map(|secret| secret.source);
            let named = source.and_then(|source| self.asking.plan.sources.get(source));
            named.is_some_and(|named| named.source.lost(lease))
        });
        let lost: Vec<SecretId> = lost.map(|(id, _)| id).collect();
        self.lock().chores(&lost, now)
    }

    fn done(&self, chore: &Chore, began: Tick, result: Result<Option<Lease>, Unanswered>) {
        let now = self.asking.clock.tick();
        self.lock().done(chore, began, result, now);
    }

    fn next_chore(&self) -> Tick {
        self.lock().next_chore()
    }

    fn surrender(&self) -> Vec<(SecretId, Lease)> {
        let now = self.asking.clock.tick();
        self.lock().surrender(now)
    }

    fn leases_out(&self) -> Vec<String> {
        self.lock().leases_out()
    }

    fn flip(&self) {
        let now = self.asking.clock.tick();
        self.lock().bring_up_to_date(now);
    }

    fn next_wake(&self) -> Tick {
        let now = self.asking.clock.tick();
        self.lock().next_wake(now)
    }

    fn kept(&self, yes: bool) {
        if yes {
            self.kept.fetch_add(1, Ordering::Relaxed);
        } else {
            self.kept.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

/// The whole configuration of one moment: several sections that belong together. Derefs to `T`.
pub struct Snapshot<T>(Arc<Made<T>>);

impl<T> Deref for Snapshot<T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.0.value
    }
}

impl<T> Clone for Snapshot<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T> fmt::Debug for Snapshot<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Snapshot<{}>", std::any::type_name::<T>())
    }
}

/// Assembles `T` by a plan: what the publisher calls.
pub(crate) fn assembler<T: DeserializeOwned + Send + Sync + 'static>(
    plan: Arc<crate::plan::Plan>,
    validate: Option<Validate<T>>,
) -> crate::publish::Assemble<T> {
    Box::new(move |have, now| assemble(&plan, have, validate.as_ref(), now))
}

/// Assembles, again and again, what a configuration was made of: merge and decode, and nothing else.
#[cfg(feature = "testing")]
pub fn assembling<T: DeserializeOwned + Send + Sync + 'static>(
    config: &Config<T>,
) -> impl Fn() -> Option<T> + use<T> {
    let publisher = config.0.lock();
    let have: Vec<Have> = publisher.states.iter().map(|state| state.have.clone()).collect();
    let plan = publisher.plan.clone();
    move || assemble::<T>(&plan, &have, None, None).ok().map(|made| made.value)
}
