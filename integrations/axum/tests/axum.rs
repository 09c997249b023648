//! axum on the stage that all integrations share, and what is axum's own.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use axum::body::{Body, to_bytes};
use axum::extract::{FromRef, FromRequestParts, State};
use axum::http::{Request, StatusCode};
use axum::{Router, routing::get};
use secretfig::{Cause, Config, Live, Section};
use secretfig_axum::{Secrets, WithheldRejection, health_router};
use secretfig_tests::integrations::{
    Answer, AppConfig, Backstage, Database, Leased, Refused, Reports, Stage, conformance,
};
use secretfig_tests::{Hunt, Marker};
use serde::Deserialize;
use std::time::Duration;
use tower::ServiceExt;

struct Axum;

#[derive(Clone, FromRef)]
struct AppState {
    backstage: Backstage,
    database: Section<Database>,
    reports: Section<Database, Reports>,
    leased: Section<Database, Leased>,
}

impl Stage for Axum {
    const NAME: &'static str = "axum";
    type App = Router;

    async fn open(backstage: &Backstage) -> Router {
        let config: &Config<AppConfig> = &backstage.config;
        let state = AppState {
            backstage: backstage.clone(),
            database: config.section(|app| &app.database),
            reports: config.section(|app| &app.reports).keyed(),
            leased: config.section(|app| &app.leased).keyed(),
        };
        Router::new()
            .route("/plain", get(|| async { "plain" }))
            .route("/user", get(user))
            .route("/reports/user", get(reports_user))
            .route("/leased/user", get(leased_user))
            .route("/two", get(two))
            .route("/half", get(half))
            .route("/optional", get(optional))
            .route("/own-answer", get(own_answer))
            .route("/rejected", get(rejected))
            .route("/debug", get(debug))
            .route("/in-flight", get(in_flight))
            .route("/moment", get(moment))
            .merge(health_router(config))
            .with_state(state)
    }

    async fn send(app: &Router, method: &str, path: &str) -> Answer {
        let request = Request::builder().method(method).uri(path).body(Body::empty()).unwrap();
        let (parts, body) = app.clone().oneshot(request).await.unwrap().into_parts();
        let headers = parts.headers.iter();
        let headers = headers.map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()));
        let body = to_bytes(body, 4096).await.unwrap().to_vec();
        Answer { status: parts.status.as_u16(), headers: headers.collect(), body }
    }

    /// The `compile_fail` example of the README.
    async fn refused(_: &Backstage) -> Refused {
        Refused::ByTheCompiler
    }

    async fn unseen(_: &Backstage) -> Option<Router> {
        None
    }
}

async fn user(Secrets(db): Secrets<Database>) -> String {
    db.show()
}

async fn reports_user(Secrets(db): Secrets<Database, Reports>) -> String {
    db.show()
}

async fn leased_user(Secrets(db): Secrets<Database, Leased>) -> String {
    db.show()
}

async fn two(main: Secrets<Database>, reports: Secrets<Database, Reports>) -> String {
    format!("{} {}", main.show(), reports.show())
}

async fn half(main: Option<Secrets<Database>>, leased: Secrets<Database, Leased>) -> String {
    format!("{} {}", main.map_or_else(|| "without".to_owned(), |db| db.show()), leased.show())
}

async fn optional(db: Option<Secrets<Database>>) -> String {
    db.map_or_else(|| "without".to_owned(), |db| db.show())
}

async fn own_answer(db: Result<Secrets<Database>, WithheldRejection>) -> (StatusCode, String) {
    let (status, text) = match &db {
        Ok(db) => Backstage::own_answer(Ok(db)),
        Err(e) => Backstage::own_answer(Err(Some(e.reason().cause()))),
    };
    (StatusCode::from_u16(status).unwrap(), text)
}

async fn rejected(db: Result<Secrets<Database>, WithheldRejection>) -> Result<String, WithheldRejection> {
    db.map(|db| db.show())
}

async fn debug(db: Secrets<Database>) -> String {
    format!("{db:?}")
}

async fn in_flight(Secrets(db): Secrets<Database>, State(backstage): State<Backstage>) -> String {
    backstage.in_flight(&db).await
}

async fn moment(State(backstage): State<Backstage>) -> String {
    backstage.moment().await
}

#[tokio::test(start_paused = true)]
async fn keeps_the_promises_of_an_integration() {
    let done = conformance::<Axum>().await;
    println!("{done}");
    // the compiler leaves no way to a handler whose section is not in the state
    assert_eq!(done.skipped, ["a missing registration that nobody saw"]);
}

#[derive(Deserialize)]
struct Limits {
    per_minute: u32,
}

async fn limit(Secrets(limits): Secrets<Limits>) -> String {
    limits.per_minute.to_string()
}

#[derive(Deserialize)]
struct Limited {
    limits: Live<Limits>,
}

#[tokio::test]
async fn a_state_may_be_the_section_itself() {
    let config = Config::fixed(Limited { limits: Live::from(Limits { per_minute: 60 }) });
    let app: Router = Router::new().route("/limit", get(limit)).with_state(config.section(|app| &app.limits));
    let answer = Axum::send(&app, "GET", "/limit").await;
    assert_eq!((answer.status, &*answer.body), (200, &b"60"[..]));
}

#[tokio::test(start_paused = true)]
async fn a_rejection_shows_names_and_no_value() {
    #[derive(Deserialize)]
    struct App {
        token: Live<secretfig::SecretString>,
    }
    let hunt = Hunt::new();
    let token = hunt.plant("token", Marker::random());
    let source = secretfig::testing::FakeSource::new().with("myapp/token", token.text());
    let layer = secretfig::SecretLayer::from(source.clone()).put("token", "myapp/token");
    let stale = Duration::from_secs(60);
    let config = Config::<App>::builder().merge(layer).max_stale(stale).load().await.unwrap();
    tokio::time::advance(stale).await;
    let section = config.section(|app| &app.token);
    let (mut parts, ()) = Request::new(()).into_parts();
    let extracted = <Secrets<secretfig::SecretString> as FromRequestParts<_>>::from_request_parts;
    let rejection = extracted(&mut parts, &section).await.unwrap_err();
    assert_eq!(rejection.reason().cause(), Cause::Stale);
    assert_eq!(rejection.reason().secret_name(), Some("myapp/token"));
    assert!(rejection.section().contains("SecretBox"), "{}", rejection.section());
    assert!(std::error::Error::source(&rejection).is_none());
    hunt.check_error("the rejection", &rejection);
    hunt.finish();
}
