//! The application: its configuration, and the routes that use it.

use actix_web::dev::Payload;
use actix_web::error::InternalError;
use actix_web::http::header;
use actix_web::web::{self, Json, ServiceConfig};
use actix_web::{Error, FromRequest, HttpRequest, HttpResponse};
use example_tokens::{Claims, SignedWith};
use secretfig::models::{DatabaseCredentials, JwtConfig, OpenAiConfig};
use secretfig::{Config, Live};
use secretfig_actix::{Secrets, SectionsError, health_routes, sections};
use serde::{Deserialize, Serialize};
use std::future::{Ready, ready};
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

/// For every worker. Actix does not know what its handlers extract: what they cannot do without stands in `require`,
/// so that a section that was forgotten is found here and not by a request.
pub(crate) fn routes(
    config: &Config<AppConfig>,
) -> Result<impl Fn(&mut ServiceConfig) + Clone + Send + 'static + use<>, SectionsError> {
    let sections = sections(config)
        .add(|app| &app.database)
        .add(|app| &app.jwt)
        .add_opt(|app| app.openai.as_ref())
        .require::<(DatabaseCredentials, JwtConfig)>()?;
    let health = health_routes(config);
    let config = web::Data::new(config.clone());
    Ok(move |app: &mut ServiceConfig| {
        app.app_data(config.clone())
            .configure(sections.clone())
            .configure(health.clone())
            .route("/config", web::get().to(origins))
            .route("/token", web::post().to(token))
            .route("/me", web::get().to(me));
    })
}

/// Where each key came from: names and revisions, and no value. Even so it is told to callers with a token alone.
async fn origins(_: Caller, config: web::Data<Config<AppConfig>>) -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((header::CONTENT_TYPE, "application/json"))
        .body(config.explain().to_json())
}

#[derive(Serialize)]
struct Token {
    token: String,
}

/// A real service would ask who is there first.
async fn token(Secrets(key): Secrets<JwtConfig>) -> HttpResponse {
    match example_tokens::sign(&key, "demo") {
        Ok(token) => HttpResponse::Ok().json(Token { token }),
        Err(e) => {
            tracing::error!("{e}");
            HttpResponse::InternalServerError().finish()
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
    openai: Option<Secrets<OpenAiConfig>>,
) -> Json<Me> {
    tracing::info!(database = db.endpoint(), "looking a caller up");
    Json(Me { subject: caller.claims.sub, signed_with: caller.signed_with, assistant: openai.is_some() })
}

/// Whoever shows a valid token: an extractor of the application's own, on top of a section.
struct Caller {
    claims: Claims,
    signed_with: SignedWith,
}

impl FromRequest for Caller {
    type Error = Error;
    type Future = Ready<Result<Self, Error>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let Secrets(key) = match Secrets::<JwtConfig>::from_request(request, payload).into_inner() {
            Ok(key) => key,
            Err(rejection) => return ready(Err(rejection.into())),
        };
        let credentials = request.headers().get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let token = credentials.and_then(example_tokens::bearer);
        ready(match token.and_then(|token| example_tokens::verify(&key, token)) {
            Some((claims, signed_with)) => Ok(Self { claims, signed_with }),
            None => {
                let challenge = (header::WWW_AUTHENTICATE, "Bearer");
                let response = HttpResponse::Unauthorized().insert_header(challenge).finish();
                Err(InternalError::from_response("no valid token", response).into())
            }
        })
    }
}
