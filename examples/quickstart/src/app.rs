//! The application: its configuration, and the routes that use it.

use axum::extract::{FromRef, FromRequestParts, State};
use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use example_tokens::{Claims, SignedWith};
use secretfig::models::{DatabaseCredentials, JwtConfig};
use secretfig::{Config, ExposeSecret, Held, Live, SecretString, Section};
use secretfig_axum::{Secrets, health_router};
use serde::Deserialize;
use serde_json::{Value, json};
use std::net::IpAddr;
use std::time::Duration;

/// The whole of the application's configuration. What is `Live` may change while the process runs.
#[derive(Deserialize)]
pub struct AppConfig {
    /// Where it listens.
    pub server: Server,
    /// What it says.
    pub log: Log,
    database: Live<DatabaseCredentials>,
    reports: Live<DatabaseCredentials>,
    /// The key that signs tokens.
    pub jwt: Live<JwtConfig>,
    mail: Live<Mail>,
}

/// Where it listens, and how long it takes to end.
#[derive(Deserialize)]
pub struct Server {
    /// The address.
    pub host: IpAddr,
    /// The port; 0: the system chooses one.
    pub port: u16,
    /// How long requests that are being answered may take once it is to end.
    pub shutdown_grace: Duration,
}

/// What it says.
#[derive(Deserialize)]
pub struct Log {
    /// The least that is worth saying; `RUST_LOG` beats it.
    pub level: Level,
}

/// How bad, or how small, something is.
#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// What failed.
    Error,
    /// What may fail soon.
    Warn,
    /// What happened.
    Info,
    /// How it happened.
    Debug,
}

/// A plain field and a secret one side by side.
#[derive(Deserialize)]
struct Mail {
    sender: String,
    api_key: SecretString,
}

/// Tells the second database from the first.
enum Reports {}

/// What the handlers share. A handler that asks for a section that is not in here does not compile.
#[derive(Clone, FromRef)]
struct AppState {
    config: Config<AppConfig>,
    database: Section<DatabaseCredentials>,
    reports: Section<DatabaseCredentials, Reports>,
    jwt: Section<JwtConfig>,
    mail: Section<Mail>,
}

/// The routes, and the sections that each of them uses.
pub fn router(config: &Config<AppConfig>) -> Router {
    let state = AppState {
        config: config.clone(),
        database: config.section(|app| &app.database),
        reports: config.section(|app| &app.reports).keyed(),
        jwt: config.section(|app| &app.jwt),
        mail: config.section(|app| &app.mail),
    };
    Router::new()
        .route("/config", get(origins))
        .route("/connections", get(connections))
        .route("/token", post(token))
        .route("/me", get(me))
        .merge(health_router(config))
        .with_state(state)
}

/// Where each key came from. It holds names and revisions and no value; even so, a real service keeps it behind a door.
async fn origins(State(config): State<Config<AppConfig>>) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], config.explain().to_json()).into_response()
}

/// Stands where a real service would open connections: two databases and a mail service, each as of one revision.
async fn connections(
    Secrets(db): Secrets<DatabaseCredentials>,
    Secrets(reports): Secrets<DatabaseCredentials, Reports>,
    Secrets(mail): Secrets<Mail>,
) -> Json<Value> {
    Json(json!({
        "database": { "endpoint": db.endpoint(), "of": revision(&db) },
        "reports": { "endpoint": reports.endpoint(), "of": revision(&reports) },
        "mail": { "sender": mail.sender, "with_key": !mail.api_key.expose_secret().is_empty() },
    }))
}

/// `database #1`: a name and a revision, which say nothing of the value.
fn revision<S, K>(held: &Held<S, K>) -> String {
    let of = held.revisions().iter().map(|(secret, revision)| format!("{secret} {revision}"));
    of.collect::<Vec<_>>().join(", ")
}

/// A real service would ask who is there first.
async fn token(Secrets(key): Secrets<JwtConfig>) -> Result<Json<Value>, StatusCode> {
    let token = example_tokens::sign(&key, "demo").map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)?;
    Ok(Json(json!({ "token": token })))
}

async fn me(caller: Caller) -> Json<Value> {
    Json(json!({ "subject": caller.claims.sub, "signed_with": caller.signed_with }))
}

/// Whoever shows a valid token: an extractor of the application's own, on top of a section.
struct Caller {
    claims: Claims,
    signed_with: SignedWith,
}

impl<St: Send + Sync> FromRequestParts<St> for Caller
where
    Section<JwtConfig>: FromRef<St>,
{
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, state: &St) -> Result<Self, Response> {
        let Secrets(key): Secrets<JwtConfig> =
            Secrets::from_request_parts(parts, state).await.map_err(IntoResponse::into_response)?;
        let bearer = parts.headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let verified = bearer
            .and_then(|value| value.strip_prefix("Bearer "))
            .and_then(|token| example_tokens::verify(&key, token));
        match verified {
            Some((claims, signed_with)) => Ok(Self { claims, signed_with }),
            None => Err((StatusCode::UNAUTHORIZED, [(header::WWW_AUTHENTICATE, "Bearer")]).into_response()),
        }
    }
}
