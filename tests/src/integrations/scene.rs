//! What stands behind the application: a manager in memory, a configuration, and the hunt.

use super::log::Ear;
use super::{Answer, Stage};
use crate::{Hunt, Marker};
use secretfig::testing::FakeSource;
use secretfig::{Cause, Config, ExposeSecret, Live, SecretLayer, SecretString};
use serde::Deserialize;
use std::fmt::Write;
use std::time::Duration;

/// The configuration of the application.
#[derive(Deserialize)]
pub struct AppConfig {
    /// From `myapp/database`.
    pub database: Live<Database>,
    /// From `myapp/reports`.
    pub reports: Live<Database>,
    /// From `myapp/leased`, whose lease ends after two minutes.
    pub leased: Live<Database>,
}

/// A section.
#[derive(Deserialize)]
pub struct Database {
    username: String,
    password: SecretString,
}

/// Tells `reports` from `database`.
pub enum Reports {}

/// Tells `leased` from `database`.
pub enum Leased {}

/// A section that nobody registers.
#[derive(Deserialize)]
pub struct Unregistered;

impl Database {
    /// What a handler shows of it, having used its password.
    #[allow(clippy::panic, reason = "a handler without its secret fails the test")]
    pub fn show(&self) -> String {
        assert!(!self.password.expose_secret().is_empty(), "a handler got an empty password");
        self.username.clone()
    }
}

/// What handlers reach behind the application with: cheap to clone.
#[derive(Clone)]
pub struct Backstage {
    source: FakeSource,
    /// The configuration.
    pub config: Config<AppConfig>,
}

impl Backstage {
    /// The secret rotates while a request is under way: what that holds, and what holds from then on.
    pub async fn in_flight(&self, held: &Database) -> String {
        self.source.rotate("myapp/database", r#"{"username": "main-2", "password": "p"}"#);
        self.config.refresh().await;
        format!("{} {}", held.show(), self.config.snapshot().database.username)
    }

    /// Several sections of one moment, while both rotate.
    pub async fn moment(&self) -> String {
        let before = self.config.snapshot();
        for (name, username) in [("myapp/database", "main-2"), ("myapp/reports", "reports-2")] {
            self.source.rotate(name, &format!(r#"{{"username": "{username}", "password": "p"}}"#));
        }
        self.config.refresh().await;
        let after = self.config.snapshot();
        let users = [&before.database, &before.reports, &after.database, &after.reports];
        users.map(|db| db.show()).join(" ")
    }

    /// Status and body of a handler that has its own answer for a section that is withheld, and why.
    pub fn own_answer(section: Result<&Database, Option<Cause>>) -> (u16, String) {
        match section {
            Ok(database) => (200, database.show()),
            Err(Some(cause)) => (202, format!("own answer: {cause:?}")),
            Err(None) => (500, "own answer: there is none".to_owned()),
        }
    }
}

/// How long an outage is served through.
pub(super) const MAX_STALE: Duration = Duration::from_secs(600);
/// How long what was taken away is served.
pub(super) const GRACE: Duration = Duration::from_secs(60);
/// How long the lease of `myapp/leased` is.
pub(super) const LEASE: Duration = Duration::from_secs(120);

/// An application, and all that is behind it.
pub(super) struct Scene<S: Stage> {
    pub(super) source: FakeSource,
    pub(super) config: Config<AppConfig>,
    pub(super) backstage: Backstage,
    pub(super) hunt: Hunt,
    pub(super) ear: Ear,
    pub(super) app: S::App,
}

/// Words that nobody outside may read: names of secrets, sources and types, and causes.
const INTERNALS: [&str; 10] = [
    "myapp",
    "database",
    "unregistered",
    "secret",
    "vault",
    "stale",
    "withheld",
    "withdrawn",
    "lease",
    "panic",
];

impl<S: Stage> Scene<S> {
    #[allow(clippy::unwrap_used, reason = "a stage that cannot be set fails its test")]
    pub(super) async fn open() -> Self {
        let ear = Ear::new();
        let hunt = Hunt::new();
        let source = FakeSource::named("vault");
        for (name, user) in [("database", "main-1"), ("reports", "reports-1"), ("leased", "leased-1")] {
            let password = hunt.plant(user, Marker::random());
            source.put(&format!("myapp/{name}"), &document(user, &password));
        }
        source.lease("myapp/leased", LEASE);
        let layer = SecretLayer::from(source.clone())
            .put("database", "myapp/database")
            .put("reports", "myapp/reports")
            .put("leased", "myapp/leased");
        let loading = Config::<AppConfig>::builder().merge(layer).max_stale(MAX_STALE).revoked_grace(GRACE);
        let config = loading.load().await.unwrap();
        let backstage = Backstage { source: source.clone(), config: config.clone() };
        let app = S::open(&backstage).await;
        Self { source, config, backstage, hunt, ear, app }
    }

    /// A new revision, with a password that is hunted as well.
    pub(super) fn rotate(&self, name: &str, username: &str) {
        let password = self.hunt.plant(username, Marker::random());
        self.source.rotate(name, &document(username, &password));
    }

    pub(super) async fn send(&self, method: &str, path: &str) -> Answer {
        self.send_to(&self.app, method, path).await
    }

    /// Sends a request, and looks at all that comes back.
    pub(super) async fn send_to(&self, app: &S::App, method: &str, path: &str) -> Answer {
        let answer = S::send(app, method, path).await;
        let mut head = format!("{}\n", answer.status);
        for (name, value) in &answer.headers {
            let _ = writeln!(head, "{name}: {value}");
        }
        self.hunt.check(format!("the head of {method} {path}"), &head);
        if !answer.body.is_empty() {
            self.hunt.check(format!("the body of {method} {path}"), &answer.body);
        }
        let whole = format!("{head}\n{}", answer.text()).to_lowercase();
        // a handler shows what it will; what the integration itself says has no names
        if answer.status >= 400 || ["/health", "/ready"].contains(&path) {
            for internal in INTERNALS {
                assert!(!whole.contains(internal), "{method} {path} tells `{internal}`:\n{whole}");
            }
        }
        answer
    }

    pub(super) async fn get(&self, path: &str) -> Answer {
        self.send("GET", path).await
    }

    /// Status and body.
    pub(super) async fn said(&self, path: &str) -> (u16, String) {
        let answer = self.get(path).await;
        (answer.status, answer.text())
    }

    /// The one answer to a request whose section is withheld.
    pub(super) async fn unavailable(&self, path: &str) {
        let answer = self.get(path).await;
        assert_eq!((answer.status, &*answer.text()), (503, "service unavailable"), "{path}");
        assert_eq!(answer.header("retry-after"), Some("30"), "{path}");
        assert_eq!(answer.header("cache-control"), Some("no-store"), "{path}");
        assert_eq!(answer.header("content-type"), Some("text/plain; charset=utf-8"), "{path}");
    }

    /// Nothing answers for longer than `max_stale`.
    pub(super) async fn outage(&self) {
        self.source.stop();
        tokio::time::advance(MAX_STALE + Duration::from_secs(1)).await;
    }

    /// What was traced since it was last asked, having been looked at.
    pub(super) fn traced(&self) -> String {
        let (traced, logged) = (self.ear.traced(), self.ear.logged());
        for (what, text) in [("tracing", &traced), ("log", &logged)] {
            if !text.is_empty() {
                self.hunt.check(format!("what went to {what}"), text);
            }
        }
        traced
    }

    pub(super) fn finish(self) {
        self.traced();
        self.hunt.finish();
    }
}

impl Answer {
    pub(super) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        let mut all = self.headers.iter().filter(|(known, _)| known == name);
        let (_, value) = all.next()?;
        assert!(all.next().is_none(), "`{name}` twice in one answer");
        Some(value)
    }
}

fn document(username: &str, password: &Marker) -> String {
    serde_json::json!({ "username": username, "password": password.text() }).to_string()
}
