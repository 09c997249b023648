//! The fairing that registers sections, and ends the Keeper.

use crate::rejection::Unavailable;
use crate::secrets::Secrets;
use rocket::fairing::{self, Fairing, Info, Kind};
use rocket::{Build, Orbit, Rocket, async_trait};
use secretfig::{Config, Keeper, Live, Section};
use serde::de::DeserializeOwned;
use std::any::type_name;
use std::fmt;
use std::marker::PhantomData;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// The sections of a configuration that handlers may take: the beginning of a list, which is then attached.
///
/// See [`Sections`].
pub fn sections<T>(config: &Config<T>) -> Sections<T> {
    Sections { config: config.clone(), entries: Vec::new(), keeper: Mutex::new(None) }
}

/// A fairing that registers sections, so that handlers can take them as [`Secrets`].
///
/// ```
/// use rocket::{Build, Rocket, get, routes};
/// use secretfig::{Config, Live, LoadError};
/// use secretfig_rocket::{Secrets, sections};
/// # use serde::Deserialize;
///
/// # #[derive(Deserialize)]
/// struct AppConfig {
///     database: Live<Database>,
///     reports: Live<Database>,
///     mail: Option<Live<Mail>>,
/// }
/// # #[derive(Deserialize)]
/// # struct Database;
/// # #[derive(Deserialize)]
/// # struct Mail;
///
/// /// Tells two sections of one type apart.
/// enum Reports {}
///
/// #[get("/report")]
/// fn report(db: Secrets<Database, Reports>, mail: Option<Secrets<Mail>>) {}
///
/// async fn rocket() -> Result<Rocket<Build>, LoadError> {
///     let config = Config::<AppConfig>::load().await?;
///     let sections = sections(&config)
///         .add(|app| &app.database)
///         .add_keyed::<Reports, _>(|app| &app.reports)
///         .add_opt(|app| app.mail.as_ref())
///         .keeper(config.keep_fresh());
///     Ok(rocket::build().attach(sections).mount("/", routes![report]))
/// }
/// ```
pub struct Sections<T> {
    config: Config<T>,
    entries: Vec<Entry>,
    keeper: Mutex<Option<Keeper>>,
}

struct Entry {
    name: &'static str,
    /// `false`: another section of this type and key was there already, and stays.
    manage: Box<Manage>,
}

type Manage = dyn Fn(Rocket<Build>) -> (Rocket<Build>, bool) + Send + Sync;

/// In the managed state: the section was added by `add_opt`, and the configuration has no such part.
pub(crate) struct NotThere<S, K>(PhantomData<fn() -> (S, K)>);

impl<T: Send + Sync + 'static> Sections<T> {
    /// A part of the configuration, for `Secrets<S>`.
    #[allow(clippy::should_implement_trait, reason = "nobody takes a builder's `add` for `+`")]
    pub fn add<S: DeserializeOwned + Send + Sync + 'static>(self, at: fn(&T) -> &Live<S>) -> Self {
        let section = self.config.section(at);
        self.with(Some(section))
    }

    /// A part under a key, for `Secrets<S, K>`, where there are two of one type: `add_keyed::<Reports, _>(…)`.
    pub fn add_keyed<K: 'static, S>(self, at: fn(&T) -> &Live<S>) -> Self
    where
        S: DeserializeOwned + Send + Sync + 'static,
    {
        let section = self.config.section(at).keyed::<K>();
        self.with(Some(section))
    }

    /// A part that may not be there, for `Option<Secrets<S>>`. Whether it is, is seen now: a part that comes with a
    /// later revision is not found.
    pub fn add_opt<S>(self, at: fn(&T) -> Option<&Live<S>>) -> Self
    where
        S: DeserializeOwned + Send + Sync + 'static,
    {
        let section = self.config.section_opt(at);
        self.with::<S, S>(section)
    }

    /// As [`Sections::add_opt`], under a key, for `Option<Secrets<S, K>>`.
    pub fn add_opt_keyed<K: 'static, S>(self, at: fn(&T) -> Option<&Live<S>>) -> Self
    where
        S: DeserializeOwned + Send + Sync + 'static,
    {
        let section = self.config.section_opt(at).map(Section::keyed::<K>);
        self.with(section)
    }

    /// Ends the Keeper in order when Rocket shuts down, within Rocket's own `shutdown.grace` (2 s by default): for
    /// `#[launch]`, which leaves no place of its own for that.
    ///
    /// Rocket calls its fairings as the shutdown begins, while the last requests may still be served: they keep what
    /// they hold, and nothing is refreshed any more. Where the Keeper should outlive them, keep it in `main` and end
    /// it there: `rocket.launch().await?; keeper.shutdown(limit).await;`
    pub fn keeper(self, keeper: Keeper) -> Self {
        Self { keeper: Mutex::new(Some(keeper)), ..self }
    }

    fn with<S: Send + Sync + 'static, K: 'static>(mut self, section: Option<Section<S, K>>) -> Self {
        let manage = move |rocket: Rocket<Build>| {
            if rocket.state::<Section<S, K>>().is_some() || rocket.state::<NotThere<S, K>>().is_some() {
                return (rocket, false);
            }
            let rocket = match &section {
                Some(section) => rocket.manage(section.clone()),
                None => rocket.manage(NotThere::<S, K>(PhantomData)),
            };
            (rocket, true)
        };
        self.entries.push(Entry { name: type_name::<Secrets<S, K>>(), manage: Box::new(manage) });
        self
    }
}

#[async_trait]
impl<T: Send + Sync + 'static> Fairing for Sections<T> {
    fn info(&self) -> Info {
        Info { name: "secretfig sections", kind: Kind::Ignite | Kind::Shutdown }
    }

    /// Refuses the launch where two sections cannot be told apart, and says which.
    async fn on_ignite(&self, mut rocket: Rocket<Build>) -> fairing::Result {
        let mut whole = true;
        for Entry { name, manage } in &self.entries {
            let alone;
            (rocket, alone) = manage(rocket);
            if !alone {
                tracing::error!(
                    target: "secretfig",
                    section = name,
                    "a section was added twice, so that Rocket does not launch: tell two of one type apart by \
                     `add_keyed::<Key, _>(…)`"
                );
                whole = false;
            }
        }
        if let Some(unavailable) = Unavailable::catcher(rocket.catchers()) {
            rocket = rocket.register("/", [unavailable]);
        }
        if whole { Ok(rocket) } else { Err(rocket) }
    }

    async fn on_shutdown(&self, rocket: &Rocket<Orbit>) {
        let keeper = self.keeper.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(keeper) = keeper {
            let grace = Duration::from_secs(rocket.config().shutdown.grace.into());
            keeper.shutdown(grace).await;
        }
    }
}

/// Shows types, and no values.
impl<T> fmt::Debug for Sections<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sections<{}>({})", type_name::<T>(), self.entries.len())
    }
}
