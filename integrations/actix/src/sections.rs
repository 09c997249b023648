//! The list of sections, and the look at start-up whether it holds all that handlers take.

use crate::needs::Needs;
use crate::secrets::Secrets;
use actix_web::web::ServiceConfig;
use secretfig::{Config, Live, Section};
use serde::de::DeserializeOwned;
use std::any::{TypeId, type_name};
use std::error::Error;
use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

/// The sections of a configuration that handlers may take: the beginning of a list.
///
/// See [`Sections`].
pub fn sections<T>(config: &Config<T>) -> Sections<T> {
    Sections { config: config.clone(), entries: Vec::new() }
}

/// The sections that handlers may take. Each is made once, here; workers share them.
///
/// ```
/// use actix_web::App;
/// use secretfig::{Config, Live};
/// use secretfig_actix::{Secrets, SectionsError, sections};
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
/// # let config =
/// #     Config::fixed(AppConfig { database: Live::from(Database), reports: Live::from(Database), mail: None });
/// let sections = sections(&config)
///     .add(|app| &app.database)
///     .add_keyed::<Reports, _>(|app| &app.reports)
///     .add_opt(|app| app.mail.as_ref());
/// let configure = sections.require::<(Database, Secrets<Database, Reports>)>()?;
/// // HttpServer::new(move || App::new().configure(configure.clone()))
/// # let _ = move || App::new().configure(configure.clone());
/// # Ok::<_, SectionsError>(())
/// ```
pub struct Sections<T> {
    config: Config<T>,
    entries: Vec<Entry>,
}

#[derive(Clone)]
struct Entry {
    /// What [`Needs`] may call it: `Secrets<S, K>`, and `S` alone where there is no key.
    ids: (TypeId, Option<TypeId>),
    name: &'static str,
    there: bool,
    install: Arc<dyn Fn(&mut ServiceConfig) + Send + Sync>,
}

/// In `app_data`: the section was added by `add_opt`, and the configuration has no such part.
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

    fn with<S: Send + Sync + 'static, K: 'static>(mut self, section: Option<Section<S, K>>) -> Self {
        let unkeyed = TypeId::of::<K>() == TypeId::of::<S>();
        self.entries.push(Entry {
            ids: (TypeId::of::<Secrets<S, K>>(), unkeyed.then(TypeId::of::<S>)),
            name: type_name::<Secrets<S, K>>(),
            there: section.is_some(),
            install: Arc::new(move |app| {
                match &section {
                    Some(section) => app.app_data(section.clone()),
                    None => app.app_data(NotThere::<S, K>(PhantomData)),
                };
            }),
        });
        self
    }

    /// Checks that all sections are there that handlers take, and gives the function for
    /// [`App::configure`](actix_web::App::configure). Call it before `HttpServer::new`: Actix knows nothing of what
    /// its handlers extract, so this list is the one place where a forgotten section can show before the first
    /// request.
    ///
    /// `N` is a tuple of up to twelve section types: `S` for [`Sections::add`] and [`Sections::add_opt`],
    /// `Secrets<S, K>` for those with a key; `()` requires nothing. All sections are installed, also those that it
    /// does not name.
    ///
    /// The function is cheap to clone; of the sections themselves there is one each, whatever the number of workers.
    ///
    /// # Errors
    /// [`SectionsError`] names every type that is not there, and every one that was added twice.
    pub fn require<N: Needs>(
        &self,
    ) -> Result<impl Fn(&mut ServiceConfig) + Clone + Send + Sync + 'static + use<T, N>, SectionsError> {
        let lacking = N::needs().into_iter().filter_map(|(id, name)| self.lacks(id, name));
        let twice = self.entries.iter().enumerate().filter_map(|(n, entry)| {
            let same = self.entries[..n].iter().filter(|before| before.ids.0 == entry.ids.0).count();
            (same == 1).then_some((entry.name, Wrong::Twice))
        });
        let wrong: Vec<_> = lacking.chain(twice).collect();
        if !wrong.is_empty() {
            return Err(SectionsError(wrong));
        }
        let entries: Arc<[Entry]> = self.entries.as_slice().into();
        Ok(move |app: &mut ServiceConfig| entries.iter().for_each(|entry| (entry.install)(app)))
    }

    fn lacks(&self, id: TypeId, name: &'static str) -> Option<(&'static str, Wrong)> {
        match self.entries.iter().find(|entry| entry.ids.0 == id || entry.ids.1 == Some(id)) {
            Some(entry) if entry.there => None,
            Some(_) => Some((name, Wrong::NotThere)),
            None => Some((name, Wrong::NotAdded)),
        }
    }
}

/// Shows types, and no values.
impl<T> fmt::Debug for Sections<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sections<{}>({})", std::any::type_name::<T>(), self.entries.len())
    }
}

/// What is wrong with a list of sections, all of it. From [`Sections::require`].
///
/// `Debug` is `Display`, so that a `main` that returns it prints it for a person.
#[derive(Clone, PartialEq, Eq)]
pub struct SectionsError(Vec<(&'static str, Wrong)>);

#[derive(Clone, Copy, PartialEq, Eq)]
enum Wrong {
    NotAdded,
    NotThere,
    Twice,
}

impl SectionsError {
    /// The names of the types.
    pub fn types(&self) -> impl Iterator<Item = &'static str> {
        self.0.iter().map(|(name, _)| *name)
    }
}

impl fmt::Display for SectionsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("handlers cannot have their sections:")?;
        for (name, wrong) in &self.0 {
            let hint = match wrong {
                Wrong::NotAdded => {
                    "was not added: `sections(&config).add(|app| &app.…)`, or `add_keyed` for a `Secrets` with a key"
                }
                Wrong::NotThere => {
                    "the configuration has no such part: give it one, or take `Option<Secrets<…>>` and do not \
                     require it"
                }
                Wrong::Twice => "was added twice: tell two of one type apart by `add_keyed::<Key, _>(…)`",
            };
            write!(f, "\n  `{name}`: {hint}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for SectionsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Error for SectionsError {}
