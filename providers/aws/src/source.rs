//! The source for servers: AWS' SDK over the hardened transport, with one door for all sign-ins, or an agent that signs in itself.

mod agent;
mod values;

use crate::adapter::{Failed, failed};
use crate::auth::{Door, Session, Ways};
use crate::error::{Doing, Refusal, SCHEME, Said, malformed, misconfigured, refusal};
use crate::folder::{self, Entry};
use crate::naming::{self, Folder, Id, Names, Place, checked};
use crate::notes::Notes;
use crate::protocol::BATCH;
use crate::settings::{Auth, Settings};
use agent::Agent;
use async_trait::async_trait;
use aws_sdk_secretsmanager::types::{ApiErrorType, Filter, FilterNameStringType};
use futures_util::future::{Future, join};
use futures_util::{StreamExt, stream};
use secretfig_source::protocol::Blind;
use secretfig_source::{
    Abilities, Ask, At, Clock, ErrorKind, Fetched, Fingerprints, Grants, Identity, Listing, Note, Probe,
    Revision, Source, SourceError, SourceInfo, file,
};
use secretfig_transport::{Proxy, Transport};
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;

/// What is waited for.
type Waits<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Several at once, in the order of what is given.
async fn each<'a, A: 'a, T>(
    of: impl IntoIterator<Item = A>,
    at_once: usize,
    wait: impl Fn(A) -> Waits<'a, T>,
) -> Vec<T> {
    stream::iter(of.into_iter().map(wait).collect::<Vec<_>>()).buffered(at_once).collect().await
}

/// How many requests of one call are under way at once.
const AT_ONCE: usize = 10;

/// AWS Secrets Manager.
///
/// It signs in when something is first asked, and renews its credentials before they end. It retries nothing: that is the core's
/// part.
///
/// ```no_run
/// use secretfig_aws::{SecretsManager, Settings};
/// use secretfig_source::{Ask, Clock, Source};
/// use std::sync::Arc;
///
/// # async fn ask(clock: Arc<dyn Clock>) -> Result<(), secretfig_source::SourceError> {
/// let aws = SecretsManager::new(Settings::from_env(std::env::vars_os())?, clock)?;
/// for answer in aws.fetch(&[Ask::new("myapp/database")]).await {
///     println!("{:?}", answer?.revision);
/// }
/// # Ok(())
/// # }
/// ```
pub struct SecretsManager {
    way: WayIn,
    names: Names,
    settings: Settings,
    blind: Blind,
    notes: Notes,
    prints: Fingerprints,
    clock: Arc<dyn Clock>,
    info: SourceInfo,
}

enum WayIn {
    Sdk(Box<Door>),
    Agent(Agent),
}

impl SecretsManager {
    /// Of these settings, over the hardened transport. Connects to nothing.
    ///
    /// # Errors
    /// `Misconfigured`, where a setting cannot be used.
    pub fn new(settings: Settings, clock: Arc<dyn Clock>) -> Result<Self, SourceError> {
        let transport = Transport::new(transport(&settings)?).map_err(|r| r.of_source(SCHEME))?;
        Self::over(settings, transport, clock)
    }

    /// Of these settings, over a transport of one's own. What the settings say of TLS is its part then; metadata services are
    /// asked over another one, which reaches nothing else.
    ///
    /// # Errors
    /// As [`SecretsManager::new`].
    pub fn over(
        settings: Settings,
        transport: Transport,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, SourceError> {
        let refused = |refused: secretfig_source::protocol::Refused| refused.of_source(SCHEME);
        let mut can = Abilities::NONE;
        (can.previous, can.versions, can.stages, can.probe) = (true, true, true, true);
        (can.binary, can.created, can.denies) = (true, true, true);
        let (origin, way) = match settings.auth {
            Auth::Agent => {
                let agent = Agent::new(&settings, transport)?;
                (agent.origin().to_string(), WayIn::Agent(agent))
            }
            _ => {
                let mut nearby = secretfig_transport::Settings::default();
                for address in secretfig_source::protocol::Origin::METADATA {
                    nearby = nearby.metadata(address);
                }
                let nearby = Transport::new(nearby).map_err(refused)?;
                let door = Door::new(Ways::new(settings.clone(), transport, nearby, clock.clone()));
                (origin(&settings), WayIn::Sdk(Box::new(door)))
            }
        };
        let mut info = SourceInfo::new(SCHEME, origin).abilities(can).concurrency(AT_ONCE);
        if let WayIn::Sdk(_) = way {
            info = info.batch(BATCH.0, BATCH.1);
        }
        Ok(Self {
            way,
            names: settings.names.clone(),
            settings,
            blind: Blind::default(),
            notes: Notes::default(),
            prints: Fingerprints::new(key()?),
            clock,
            info,
        })
    }

    /// Does it as whoever is signed in; with new credentials once more, where AWS says that these are over.
    async fn as_session<T, F, G>(&self, door: &Door, doing: F) -> Result<T, Refusal>
    where
        F: Fn(Arc<Session>) -> G,
        G: Future<Output = Result<T, Failed>>,
    {
        let session = door.session().await?;
        match doing(session.clone()).await {
            Err(stale) if stale.wants_credentials && !matches!(self.settings.auth, Auth::Keys(_)) => {
                let session = door.enter(Some(&session)).await?;
                doing(session).await.map_err(|failed| failed.refusal)
            }
            done => done.map_err(|failed| failed.refusal),
        }
    }

    async fn get(&self, id: &Id, at: &At) -> Result<Fetched, Refusal> {
        let door = match &self.way {
            WayIn::Agent(agent) => return agent.get(id, at).await,
            WayIn::Sdk(door) => door,
        };
        let (stage, version) = match at {
            At::Version(version) => (None, Some(version.to_string())),
            at => (naming::stage(at).map(str::to_owned), None),
        };
        self.as_session(door, |session| {
            let (stage, version) = (stage.clone(), version.clone());
            async move {
                let call = session.client.get_secret_value().secret_id(id.as_str());
                let sent = call.set_version_stage(stage).set_version_id(version).send().await;
                let got = sent.map_err(|e| failed(&e, Doing::Get(id.as_str()), self.clock.wall()))?;
                Ok(values::of_get(got)?.fetched(id))
            }
        })
        .await
    }

    async fn get_each(&self, asks: &[(Id, At)]) -> Vec<Result<Fetched, Refusal>> {
        each(asks, AT_ONCE, |(id, at)| Box::pin(self.get(id, at))).await
    }

    /// Current values of at most 20 secrets, and what a batch says nothing of by itself.
    async fn get_batch(&self, door: &Door, ids: &[Id]) -> Vec<Result<Fetched, Refusal>> {
        let sent = self.as_session(door, |session| async move {
            let list = ids.iter().map(|id| id.as_str().to_owned()).collect();
            let call = session.client.batch_get_secret_value().set_secret_id_list(Some(list));
            call.send().await.map_err(|e| failed(&e, Doing::Batch, self.clock.wall()))
        });
        let mut answers: Vec<Option<Result<Fetched, Refusal>>> = ids.iter().map(|_| None).collect();
        match sent.await {
            Err(refusal) => return ids.iter().map(|_| Err(refusal.clone())).collect(),
            Ok(batch) => {
                for mut value in batch.secret_values.unwrap_or_default() {
                    let (arn, name) =
                        (value.arn.take().unwrap_or_default(), value.name.take().unwrap_or_default());
                    let mut value = Some(values::of_entry(value));
                    // asked for twice, by name and by ARN, it is read twice
                    for (id, answer) in ids.iter().zip(&mut answers).filter(|(id, _)| id.is(&arn, &name)) {
                        *answer = value.take().map(|value| Ok(value?.fetched(id)));
                    }
                }
                for error in batch.errors.unwrap_or_default() {
                    let of = error.secret_id.as_deref().unwrap_or_default();
                    for (id, answer) in ids.iter().zip(&mut answers).filter(|(id, _)| id.is(of, of)) {
                        *answer = Some(Err(told(&error, id)));
                    }
                }
            }
        }
        let unsaid = ids.iter().zip(&answers).filter(|(_, answer)| answer.is_none());
        let left: Vec<(Id, At)> = unsaid.map(|(id, _)| (id.clone(), At::Current)).collect();
        let mut rest = self.get_each(&left).await.into_iter();
        let none = || Err(malformed("the batch says nothing of it"));
        answers.into_iter().map(|answer| answer.or_else(|| rest.next()).unwrap_or_else(none)).collect()
    }

    async fn list(&self, folder: &Folder) -> Result<Vec<Entry>, Refusal> {
        let WayIn::Sdk(door) = &self.way else {
            return Err(misconfigured(
                "an agent lists nothing: ask for single secrets, or sign in to AWS itself",
            ));
        };
        let mut listing = folder::Listing::new(folder);
        let mut next: Option<String> = None;
        loop {
            let page = self.as_session(door, |session| {
                let next = next.clone();
                async move {
                    let call = session.client.list_secrets().max_results(100).set_filters(filters(folder));
                    let call = call.include_planned_deletion(false).set_next_token(next);
                    call.send().await.map_err(|e| failed(&e, Doing::List, self.clock.wall()))
                }
            });
            let page = page.await?;
            for entry in page.secret_list.unwrap_or_default() {
                let (Some(name), Some(arn)) = (&entry.name, &entry.arn) else {
                    return Err(malformed(
                        "the list holds something that is no secret; check what answers at this endpoint",
                    ));
                };
                if entry.deleted_date.is_some() {
                    continue;
                }
                let tags: Vec<_> = entry.tags.iter().flatten().collect();
                let tags: Vec<_> = tags
                    .iter()
                    .filter_map(|tag| Some((tag.key.as_deref()?, tag.value.as_deref().unwrap_or_default())))
                    .collect();
                let current = entry.secret_versions_to_stages.iter().flatten();
                let current = current.filter(|(_, stages)| stages.iter().any(|stage| stage == "AWSCURRENT"));
                listing.add(name, arn, &tags, current.map(|(id, _)| id.as_str()).next())?;
            }
            next = listing.turned(page.next_token.filter(|token| !token.is_empty()))?;
            if next.is_none() {
                return listing.done();
            }
        }
    }

    async fn folder(&self, name: &str, folder: &Folder) -> Result<Fetched, Refusal> {
        let entries = self.list(folder).await?;
        let WayIn::Sdk(door) = &self.way else { return Err(malformed("an agent lists nothing")) };
        let ids: Vec<Id> = entries.iter().map(|entry| entry.id.clone()).collect();
        let mut answers = Vec::with_capacity(ids.len());
        if let [id] = ids.as_slice() {
            answers.push(self.get(id, &At::Current).await);
        } else {
            let batches = each(ids.chunks(BATCH.0), 2, |ids| Box::pin(self.get_batch(door, ids)));
            answers.extend(batches.await.into_iter().flatten());
            // batches that are denied or throttled say nothing of their secrets
            let seats = answers.iter().zip(&ids).filter(|(answer, _)| folder::is_of_batch(answer));
            let asks: Vec<(Id, At)> = seats.map(|(_, id)| (id.clone(), At::Current)).collect();
            let mut got = self.get_each(&asks).await.into_iter();
            for answer in answers.iter_mut().filter(|answer| folder::is_of_batch(answer)) {
                if let Some(got) = got.next() {
                    *answer = got;
                }
            }
        }
        let mut found = Vec::new();
        for (entry, answer) in entries.into_iter().zip(answers) {
            match answer {
                Ok(fetched) => found.push((entry.name, fetched)),
                // listed still, though deleted: it is not there, and the others are
                Err(e) if matches!(e.kind, ErrorKind::Withdrawn(_) | ErrorKind::Absent) => {}
                Err(e) => return Err(e),
            }
        }
        folder::whole(name, folder, self.names.duplicates, found, &self.prints)
    }

    async fn fetch_one(&self, ask: &Ask) -> Result<Fetched, Refusal> {
        checked(ask.point())?;
        match self.names.place(ask.name())? {
            Place::Secret(id) => self.get(&id, ask.point()).await,
            Place::Folder(folder) if *ask.point() == At::Current => self.folder(ask.name(), &folder).await,
            Place::Folder(_) => Err(misconfigured("a folder has no versions; ask for its secrets")),
        }
    }

    async fn probe_one(&self, ask: &Ask) -> Result<Probe, Refusal> {
        checked(ask.point())?;
        let revision = match self.names.place(ask.name())? {
            Place::Secret(id) => self.look_at(ask, &id).await?,
            Place::Folder(_) if *ask.point() != At::Current => {
                return Err(misconfigured("a folder has no versions; ask for its secrets"));
            }
            Place::Folder(folder) => {
                let told = self.list(&folder).await?.into_iter();
                let told: Option<Vec<_>> =
                    told.map(|entry| Some((entry.name, Revision::new(entry.current?)))).collect();
                match told {
                    Some(all) => folder::revision(ask.name(), &all, &self.prints),
                    None => self.folder(ask.name(), &folder).await?.revision,
                }
            }
        };
        Ok(Probe::Current(revision))
    }

    /// By its description; by its value where that is denied, since the least policy grants no more, or where an agent is asked.
    async fn look_at(&self, ask: &Ask, id: &Id) -> Result<Revision, Refusal> {
        let now = self.clock.tick();
        if let (WayIn::Sdk(door), false) = (&self.way, self.blind.is(ask.name(), now)) {
            let described = self.as_session(door, |session| async move {
                let sent = session.client.describe_secret().secret_id(id.as_str()).send().await;
                sent.map_err(|e| failed(&e, Doing::Describe(id.as_str()), self.clock.wall()))
            });
            match described.await {
                Ok(described) => {
                    let known = values::of_description(described);
                    for note in self.notes.found(ask.name(), known.notes(self.clock.wall())) {
                        tracing::warn!(target: "secretfig", secret = ask.name(), "{note}");
                    }
                    return known.revision(ask.point());
                }
                Err(refusal) if refusal.kind == ErrorKind::Denied => {
                    let revision = self.get(id, ask.point()).await?.revision;
                    self.blind.found(ask.name(), now);
                    return Ok(revision);
                }
                Err(refusal) => return Err(refusal),
            }
        }
        Ok(self.get(id, ask.point()).await?.revision)
    }
}

#[async_trait]
impl Source for SecretsManager {
    fn info(&self) -> SourceInfo {
        self.info.clone()
    }

    async fn sign_in(&self) -> Result<Option<Identity>, SourceError> {
        match &self.way {
            WayIn::Sdk(door) => Ok(door.session().await?.identity.clone()),
            WayIn::Agent(_) => Ok(None),
        }
    }

    async fn fetch(&self, asks: &[Ask]) -> Vec<Result<Fetched, SourceError>> {
        let current = |ask: &Ask| match self.names.place(ask.name()) {
            Ok(Place::Secret(id)) if *ask.point() == At::Current => Some(id),
            _ => None,
        };
        let batched: Vec<Id> = asks.iter().filter_map(current).collect();
        let answers = match &self.way {
            WayIn::Sdk(door) if batched.len() > 1 => {
                let others = asks.iter().filter(|ask| current(ask).is_none());
                let others = each(others, AT_ONCE, |ask| Box::pin(self.fetch_one(ask)));
                let batches = each(batched.chunks(BATCH.0), 2, |ids| Box::pin(self.get_batch(door, ids)));
                let (others, batches) = join(others, batches).await;
                let (mut others, mut batches) = (others.into_iter(), batches.into_iter().flatten());
                let next = |ask| if current(ask).is_some() { batches.next() } else { others.next() };
                let none = || Err(malformed("nothing was answered"));
                asks.iter().map(next).map(|answer| answer.unwrap_or_else(none)).collect()
            }
            _ => each(asks, AT_ONCE, |ask| Box::pin(self.fetch_one(ask))).await,
        };
        named(answers, asks)
    }

    async fn probe(&self, asks: &[Ask]) -> Vec<Result<Probe, SourceError>> {
        let answers = each(asks, AT_ONCE, |ask| Box::pin(self.probe_one(ask))).await;
        named(answers, asks)
    }

    fn distrust(&self, ask: &Ask) {
        if let (WayIn::Agent(agent), Ok(Place::Secret(id))) = (&self.way, self.names.place(ask.name())) {
            agent.distrust(id);
        }
    }

    fn notes(&self, ask: &Ask) -> Vec<Note> {
        self.notes.of(ask.name())
    }

    fn as_grants(&self) -> Option<&dyn Grants> {
        Some(self)
    }
}

#[async_trait]
impl Listing for SecretsManager {
    async fn list(&self, prefix: &str) -> Result<Vec<Arc<str>>, SourceError> {
        let place = self.names.place(&format!("{}/*", prefix.trim_end_matches('/')))?;
        let Place::Folder(folder) = place else { return Err(misconfigured("no folder").into()) };
        match Self::list(self, &folder).await {
            Ok(entries) => Ok(entries.into_iter().map(|entry| Arc::from(entry.name)).collect()),
            Err(refusal) if refusal.kind == ErrorKind::Absent => Ok(Vec::new()),
            Err(refusal) => Err(refusal.into()),
        }
    }
}

impl Grants for SecretsManager {
    fn grants(&self, asks: &[Ask]) -> String {
        self.settings.grants(asks)
    }
}

impl fmt::Debug for SecretsManager {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SecretsManager").field("settings", &self.settings).finish_non_exhaustive()
    }
}

fn named<T>(answers: Vec<Result<T, Refusal>>, asks: &[Ask]) -> Vec<Result<T, SourceError>> {
    let each = answers.into_iter().zip(asks);
    each.map(|(answer, ask)| answer.map_err(|refusal| refusal.of(ask.name()))).collect()
}

/// One of the errors inside a batch's 200.
fn told(error: &ApiErrorType, id: &Id) -> Refusal {
    let said = Said {
        status: 400,
        code: error.error_code.as_deref().unwrap_or_default(),
        message: error.message.as_deref().unwrap_or_default(),
        wait: None,
    };
    refusal(&said, Doing::Get(id.as_str()))
}

/// By the beginning of names, and by tags: each key and each value is a filter of its own.
fn filters(folder: &Folder) -> Option<Vec<Filter>> {
    let one = |key: FilterNameStringType, value: &str| Filter::builder().key(key).values(value).build();
    let mut all = Vec::new();
    if !folder.prefix.is_empty() {
        all.push(one(FilterNameStringType::Name, &folder.prefix));
    }
    for (key, value) in &folder.tags {
        all.push(one(FilterNameStringType::TagKey, key));
        if !value.is_empty() {
            all.push(one(FilterNameStringType::TagValue, value));
        }
    }
    Some(all)
}

/// Where it is, for messages.
fn origin(settings: &Settings) -> String {
    match (&settings.endpoint, settings.region()) {
        (Some(endpoint), _) => endpoint.to_string(),
        (None, Some(region)) => format!("AWS Secrets Manager in {region}"),
        (None, None) => "AWS Secrets Manager".to_owned(),
    }
}

/// What the settings say of TLS and of proxies. Files are read once, here: before there is any I/O to wait for.
fn transport(settings: &Settings) -> Result<secretfig_transport::Settings, SourceError> {
    let refused = |refused: secretfig_source::protocol::Refused| refused.of_source(SCHEME);
    let mut to = secretfig_transport::Settings::default();
    if let Some(path) = &settings.ca_file {
        to = to.extra_ca_pem(&file::bytes(path, "the PEM file", SCHEME)?).map_err(refused)?;
    }
    for pin in &settings.pins {
        to = to.pin_sha256(pin).map_err(refused)?;
    }
    if settings.proxy {
        to = to.proxy(Proxy::Env);
    }
    if settings.plain_http {
        to = to.danger_plain_http();
    }
    Ok(to)
}

/// A key of this process, for revisions that AWS has none for.
fn key() -> Result<[u8; 32], SourceError> {
    let mut key = [0; 32];
    getrandom::fill(&mut key).map_err(|_| misconfigured("this machine gives no random numbers"))?;
    Ok(key)
}
