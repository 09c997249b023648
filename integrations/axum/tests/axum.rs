//! Requests through a router, over a manager in memory and a clock that stands still.

#![allow(clippy::unwrap_used, reason = "a stage that cannot be set fails its test")]

use axum::body::{Body, to_bytes};
use axum::extract::{FromRef, FromRequestParts, State};
use axum::http::{HeaderMap, Request, StatusCode, header};
use axum::{Router, routing::get};
use secretfig::source::Withdrawn;
use secretfig::testing::FakeSource;
use secretfig::{Cause, Config, ExposeSecret, Live, SecretLayer, SecretString, Section};
use secretfig_axum::{Secrets, WithheldRejection, health_router};
use secretfig_tests::{Hunt, Marker};
use serde::Deserialize;
use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tower::ServiceExt;

#[derive(Deserialize)]
struct App {
    database: Live<Database>,
    reports: Live<Database>,
}

#[derive(Deserialize)]
struct Database {
    username: String,
    password: SecretString,
}

enum Reports {}

#[derive(Clone, FromRef)]
struct AppState {
    config: Config<App>,
    source: FakeSource,
    database: Section<Database>,
    reports: Section<Database, Reports>,
}

const MAX_STALE: Duration = Duration::from_secs(600);
const GRACE: Duration = Duration::from_secs(60);

/// A service, the manager behind it, and the hunt that looks at every answer.
struct Scene {
    source: FakeSource,
    config: Config<App>,
    app: Router,
    hunt: Hunt,
    state: AppState,
}

struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: String,
}

fn document(username: &str, password: &Marker) -> String {
    serde_json::json!({ "username": username, "password": password.text() }).to_string()
}

impl Scene {
    async fn new() -> Self {
        let hunt = Hunt::new();
        let passwords = ["database", "reports"].map(|name| hunt.plant(name, Marker::random()));
        let source = FakeSource::new()
            .with("myapp/database", &document("main-1", &passwords[0]))
            .with("myapp/reports", &document("reports-1", &passwords[1]));
        let layer = SecretLayer::from(source.clone())
            .put("database", "myapp/database")
            .put("reports", "myapp/reports");
        let loading = Config::<App>::builder().merge(layer).max_stale(MAX_STALE).revoked_grace(GRACE);
        let config = loading.load().await.unwrap();
        let state = AppState {
            config: config.clone(),
            source: source.clone(),
            database: config.section(|app| &app.database),
            reports: config.section(|app| &app.reports).keyed(),
        };
        let app = Router::new()
            .route("/user", get(user))
            .route("/deref", get(deref))
            .route("/reports/user", get(reports_user))
            .route("/optional", get(optional))
            .route("/own-answer", get(own_answer))
            .route("/in-flight", get(in_flight))
            .route("/moment", get(moment))
            .merge(health_router(&config))
            .with_state(state.clone());
        Self { source, config, app, hunt, state }
    }

    /// A new revision, with a password that is hunted as well.
    fn rotate(&self, name: &str, username: &str) {
        let password = self.hunt.plant(username, Marker::random());
        self.source.rotate(name, &document(username, &password));
    }

    async fn get(&self, path: &str) -> Answer {
        let request = Request::get(path).body(Body::empty()).unwrap();
        let response = self.app.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = String::from_utf8(to_bytes(body, 4096).await.unwrap().to_vec()).unwrap();
        self.hunt.check(format!("the head of {path}"), format!("{parts:?}"));
        self.hunt.check(format!("the body of {path}"), &body);
        Answer { status: parts.status, headers: parts.headers, body }
    }

    async fn said(&self, path: &str) -> (u16, String) {
        let answer = self.get(path).await;
        (answer.status.as_u16(), answer.body)
    }

    /// Nothing answers for longer than `max_stale`.
    async fn outage(&self) {
        self.source.stop();
        tokio::time::advance(MAX_STALE + Duration::from_secs(1)).await;
    }
}

async fn user(Secrets(db): Secrets<Database>) -> String {
    assert!(!db.password.expose_secret().is_empty());
    db.username.clone()
}

async fn deref(db: Secrets<Database>) -> String {
    format!("{} {db:?}", db.username)
}

async fn reports_user(Secrets(db): Secrets<Database, Reports>) -> String {
    db.username.clone()
}

async fn optional(db: Option<Secrets<Database>>) -> String {
    db.map_or_else(|| "without".to_owned(), |Secrets(db)| db.username.clone())
}

async fn own_answer(db: Result<Secrets<Database>, WithheldRejection>) -> (StatusCode, String) {
    match db {
        Ok(db) => (StatusCode::OK, db.username.clone()),
        Err(e) if e.reason().cause() == Cause::Stale => (StatusCode::ACCEPTED, e.to_string()),
        Err(e) => (e.status(), e.body_text()),
    }
}

/// The secret rotates while the request is under way.
async fn in_flight(
    Secrets(db): Secrets<Database>,
    State(section): State<Section<Database>>,
    State(config): State<Config<App>>,
    State(source): State<FakeSource>,
) -> String {
    source.rotate("myapp/database", r#"{"username": "main-2", "password": "p"}"#);
    config.refresh().await;
    format!("{} {}", db.username, section.latest().username)
}

/// Several sections of one moment, while both rotate.
async fn moment(State(config): State<Config<App>>, State(source): State<FakeSource>) -> String {
    let before = config.snapshot();
    for (name, username) in [("myapp/database", "main-2"), ("myapp/reports", "reports-2")] {
        source.rotate(name, &format!(r#"{{"username": "{username}", "password": "p"}}"#));
    }
    config.refresh().await;
    let after = config.snapshot();
    let users = [&before.database, &before.reports, &after.database, &after.reports];
    users.map(|db| db.username.clone()).join(" ")
}

#[tokio::test]
async fn handlers_get_their_sections() {
    let scene = Scene::new().await;
    assert_eq!(scene.said("/user").await, (200, "main-1".to_owned()));
    assert_eq!(scene.said("/reports/user").await, (200, "reports-1".to_owned()));
    assert_eq!(scene.said("/optional").await, (200, "main-1".to_owned()));
    assert_eq!(scene.said("/own-answer").await, (200, "main-1".to_owned()));
    let (status, body) = scene.said("/deref").await;
    assert_eq!(status, 200);
    assert!(body.starts_with("main-1 Secrets<") && body.ends_with("Database>"), "{body}");
    scene.hunt.finish();
}

#[tokio::test]
async fn a_state_may_be_the_section_itself() {
    let scene = Scene::new().await;
    let app: Router = Router::new().route("/user", get(user)).with_state(scene.state.database.clone());
    let scene = Scene { app, ..scene };
    assert_eq!(scene.said("/user").await, (200, "main-1".to_owned()));
    scene.hunt.finish();
}

#[tokio::test]
async fn a_rotation_reaches_the_next_request() {
    let scene = Scene::new().await;
    assert_eq!(scene.said("/user").await.1, "main-1");
    scene.rotate("myapp/database", "main-2");
    assert_eq!(scene.said("/user").await.1, "main-1", "nobody has looked yet");
    assert_eq!(scene.config.refresh().await.changed.len(), 1);
    assert_eq!(scene.said("/user").await.1, "main-2");
    assert_eq!(scene.said("/reports/user").await.1, "reports-1", "the other section stays");
    scene.hunt.finish();
}

#[tokio::test]
async fn a_request_keeps_the_revision_it_began_with() {
    let scene = Scene::new().await;
    assert_eq!(scene.said("/in-flight").await, (200, "main-1 main-2".to_owned()));
    scene.hunt.finish();
}

#[tokio::test]
async fn a_snapshot_is_of_one_moment() {
    let scene = Scene::new().await;
    assert_eq!(scene.said("/moment").await, (200, "main-1 reports-1 main-2 reports-2".to_owned()));
    scene.hunt.finish();
}

#[tokio::test(start_paused = true)]
async fn withheld_is_503_without_internals() {
    let scene = Scene::new().await;
    scene.outage().await;
    for path in ["/user", "/deref", "/reports/user"] {
        let answer = scene.get(path).await;
        assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(answer.body, "service unavailable");
        assert_eq!(answer.headers[header::RETRY_AFTER], "30");
        assert_eq!(answer.headers[header::CACHE_CONTROL], "no-store");
        let head = format!("{:?}", answer.headers).to_lowercase();
        for internal in ["myapp", "database", "stale", "fake"] {
            assert!(!head.contains(internal), "{head}");
        }
    }
    assert_eq!(scene.said("/optional").await, (200, "without".to_owned()));
    assert_eq!(scene.said("/own-answer").await, (202, "service unavailable".to_owned()));
    // and it comes back by itself
    scene.source.start();
    scene.config.refresh().await;
    assert_eq!(scene.said("/user").await, (200, "main-1".to_owned()));
    scene.hunt.finish();
}

#[tokio::test(start_paused = true)]
async fn what_was_taken_away_is_served_for_the_grace_and_then_withheld() {
    let scene = Scene::new().await;
    scene.source.withdraw("myapp/database", Withdrawn::Deleted);
    scene.config.refresh().await;
    // two sightings within a moment are one
    tokio::time::advance(Duration::from_secs(5)).await;
    scene.config.refresh().await;
    assert_eq!(scene.said("/user").await.0, 200);
    tokio::time::advance(GRACE + Duration::from_secs(1)).await;
    assert_eq!(scene.said("/user").await, (503, "service unavailable".to_owned()));
    assert_eq!(scene.said("/own-answer").await, (503, "service unavailable".to_owned()));
    assert_eq!(scene.said("/reports/user").await.0, 200, "the other section stays");
    assert_eq!(scene.said("/ready").await, (503, r#"{"ready":false,"degraded":true}"#.to_owned()));
    scene.hunt.finish();
}

#[tokio::test(start_paused = true)]
async fn a_keeper_withholds_and_brings_back() {
    let scene = Scene::new().await;
    let keeper = scene.config.keep_fresh();
    scene.source.stop();
    tokio::time::sleep(2 * MAX_STALE).await;
    assert_eq!(scene.said("/user").await.0, 503);
    assert_eq!(scene.said("/ready").await.0, 503);
    scene.source.start();
    tokio::time::sleep(MAX_STALE).await;
    assert_eq!(scene.said("/user").await.0, 200);
    assert_eq!(scene.said("/ready").await, (200, r#"{"ready":true,"degraded":false}"#.to_owned()));
    keeper.shutdown(Duration::from_secs(1)).await;
    scene.hunt.finish();
}

#[tokio::test(start_paused = true)]
async fn probes_tell_three_states_and_no_names() {
    let scene = Scene::new().await;
    let ready = scene.get("/ready").await;
    assert_eq!((ready.status.as_u16(), &*ready.body), (200, r#"{"ready":true,"degraded":false}"#));
    assert_eq!(ready.headers[header::CONTENT_TYPE], "application/json");
    assert_eq!(ready.headers[header::CACHE_CONTROL], "no-store");

    scene.source.deny("myapp/reports");
    scene.config.refresh().await;
    assert_eq!(scene.said("/ready").await, (200, r#"{"ready":true,"degraded":true}"#.to_owned()));

    scene.outage().await;
    assert_eq!(scene.said("/ready").await, (503, r#"{"ready":false,"degraded":true}"#.to_owned()));
    // the process lives all the same: a restart would only take away what it still holds
    assert_eq!(scene.said("/health").await, (200, r#"{"alive":true}"#.to_owned()));
    scene.hunt.finish();
}

/// A log that can be read.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn the_reason_goes_to_the_log_once_and_without_values() {
    let scene = Scene::new().await;
    scene.outage().await;
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_writer(move || writer.clone())
        .with_max_level(tracing_subscriber::filter::LevelFilter::TRACE)
        .with_ansi(false)
        .finish();
    let guard = tracing_subscriber::util::SubscriberInitExt::set_default(subscriber);
    scene.get("/user").await;
    scene.get("/optional").await;
    scene.get("/own-answer").await;
    drop(guard);
    let said = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    scene.hunt.check("the log", &said);
    let lines: Vec<&str> = said.lines().filter(|line| line.contains("secretfig")).collect();
    assert_eq!(lines.len(), 1, "{said}");
    assert!(lines[0].contains("DEBUG") && lines[0].contains("`myapp/database` is withheld: "), "{said}");
    scene.hunt.finish();
}

#[tokio::test(start_paused = true)]
async fn a_rejection_shows_names_and_no_value() {
    let scene = Scene::new().await;
    scene.source.withdraw("myapp/database", Withdrawn::Destroyed);
    scene.config.refresh().await;
    scene.config.refresh().await;
    tokio::time::advance(GRACE).await;
    scene.config.refresh().await;
    let (mut parts, ()) = Request::new(()).into_parts();
    let extracted = <Secrets<Database> as FromRequestParts<AppState>>::from_request_parts;
    let rejection = extracted(&mut parts, &scene.state).await.unwrap_err();
    assert_eq!(rejection.reason().cause(), Cause::Withdrawn);
    assert_eq!(rejection.reason().secret_name(), Some("myapp/database"));
    assert!(rejection.section().ends_with("Database"));
    assert!(std::error::Error::source(&rejection).is_none());
    scene.hunt.check_error("the rejection", &rejection);
    scene.hunt.finish();
}
