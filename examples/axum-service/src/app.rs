//! The application: its configuration, and the routes that use it.

use axum::extract::{FromRef, FromRequestParts, State};
use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use example_tokens::{Claims, SignedWith};
use secretfig::models::{DatabaseCredentials, JwtConfig, OpenAiConfig};
use secretfig::{Config, Live, Section};
use secretfig_axum::{Secrets, health_router};
use serde::{Deserialize, Serialize};
use std::net::IpAddr;
use std::time::Duration;

/// The whole of the application's configuration. What is `Live` may change while the process runs.
#[derive(Deserialize)]
pub(crate) struct AppConfig {
    pub(crate) server: Server,
    pub(crate) database: Live<DatabaseCredentials>,
    jwt: Live<JwtConfig>,
    openai: Option<Live<OpenAiConfig>>,
}

#[derive(Deserialize)]
pub(crate) struct Server {
    pub(crate) host: IpAddr,
    pub(crate) port: u16,
    pub(crate) shutdown_grace: Duration,
}

/// What the handlers share. A handler that asks for a section that is not in here does not compile.
#[derive(Clone, FromRef)]
struct AppState {
    config: Config<AppConfig>,
    database: Section<DatabaseCredentials>,
    jwt: Section<JwtConfig>,
    openai: Option<Section<OpenAiConfig>>,
}

pub(crate) fn router(config: &Config<AppConfig>) -> Router {
    let state = AppState {
        config: config.clone(),
        database: config.section(|app| &app.database),
        jwt: config.section(|app| &app.jwt),
        openai: config.section_opt(|app| app.openai.as_ref()),
    };
    Router::new()
        .route("/config", get(origins))
        .route("/token", post(token))
        .route("/me", get(me))
        .merge(health_router(config))
        .with_state(state)
}

/// Where each key came from: names and revisions, and no value. Even so it is told to callers with a token alone.
async fn origins(_: Caller, State(config): State<Config<AppConfig>>) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], config.explain().to_json()).into_response()
}

#[derive(Serialize)]
struct Token {
    token: String,
}

/// A real service would ask who is there first.
async fn token(Secrets(key): Secrets<JwtConfig>) -> Result<Json<Token>, StatusCode> {
    match example_tokens::sign(&key, "demo") {
        Ok(token) => Ok(Json(Token { token })),
        Err(e) => {
            tracing::error!("{e}");
            Err(StatusCode::INTERNAL_SERVER_ERROR)
        }
    }
}

#[derive(Serialize)]
struct Me {
    subject: String,
    signed_with: SignedWith,
    /// Whether there is an OpenAI key to help this caller with.
    assistant: bool,
}

/// A real service would ask the database for more about the caller; this one says where it would.
async fn me(
    caller: Caller,
    Secrets(db): Secrets<DatabaseCredentials>,
    State(openai): State<Option<Section<OpenAiConfig>>>,
) -> Json<Me> {
    tracing::info!(database = db.endpoint(), "looking a caller up");
    Json(Me {
        subject: caller.claims.sub,
        signed_with: caller.signed_with,
        assistant: openai.is_some_and(|section| section.get().is_ok()),
    })
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
        let credentials = parts.headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let token = credentials.and_then(example_tokens::bearer);
        match token.and_then(|token| example_tokens::verify(&key, token)) {
            Some((claims, signed_with)) => Ok(Self { claims, signed_with }),
            None => Err((StatusCode::UNAUTHORIZED, [(header::WWW_AUTHENTICATE, "Bearer")]).into_response()),
        }
    }
}
