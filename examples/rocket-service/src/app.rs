//! The application: its configuration, and the routes that use it.

#![allow(clippy::needless_pass_by_value, reason = "Rocket passes guards by value")]

use example_tokens::{Claims, SignedWith};
use rocket::http::{ContentType, Header, Status};
use rocket::request::{FromRequest, Outcome};
use rocket::response::Responder;
use rocket::serde::json::Json;
use rocket::{Build, Request, Response, Rocket, State, catch, catchers, get, post, response, routes};
use secretfig::models::{DatabaseCredentials, JwtConfig, OpenAiConfig};
use secretfig::{Config, Live};
use secretfig_rocket::{Secrets, health_routes, sections};
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

/// A handler that takes a section that was not added here keeps Rocket from launching.
pub(crate) fn mount(rocket: Rocket<Build>, config: &Config<AppConfig>) -> Rocket<Build> {
    let sections =
        sections(config).add(|app| &app.database).add(|app| &app.jwt).add_opt(|app| app.openai.as_ref());
    rocket
        .attach(sections)
        .manage(config.clone())
        .mount("/", routes![origins, token, me])
        .mount("/", health_routes(config))
        .register("/", catchers![unauthorized, not_found])
}

/// Where each key came from: names and revisions, and no value. Even so it is told to callers with a token alone.
#[get("/config")]
fn origins(_caller: Caller, config: &State<Config<AppConfig>>) -> (ContentType, String) {
    (ContentType::JSON, config.explain().to_json())
}

#[derive(Serialize)]
struct Token {
    token: String,
}

/// A real service would ask who is there first.
#[post("/token")]
fn token(key: Secrets<JwtConfig>) -> Result<Json<Token>, Status> {
    match example_tokens::sign(&key, "demo") {
        Ok(token) => Ok(Json(Token { token })),
        Err(e) => {
            tracing::error!("{e}");
            Err(Status::InternalServerError)
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
#[get("/me")]
fn me(caller: Caller, db: Secrets<DatabaseCredentials>, openai: Option<Secrets<OpenAiConfig>>) -> Json<Me> {
    tracing::info!(database = db.endpoint(), "looking a caller up");
    Json(Me { subject: caller.claims.sub, signed_with: caller.signed_with, assistant: openai.is_some() })
}

/// Whoever shows a valid token: a guard of the application's own, on top of a section.
struct Caller {
    claims: Claims,
    signed_with: SignedWith,
}

#[rocket::async_trait]
impl<'r> FromRequest<'r> for Caller {
    type Error = ();

    async fn from_request(request: &'r Request<'_>) -> Outcome<Self, ()> {
        let Secrets(key) = match request.guard::<Secrets<JwtConfig>>().await {
            Outcome::Success(key) => key,
            // withheld: the catcher knows what to answer
            Outcome::Error((status, _)) => return Outcome::Error((status, ())),
            Outcome::Forward(status) => return Outcome::Forward(status),
        };
        let credentials = request.headers().get_one("Authorization");
        let token = credentials.and_then(example_tokens::bearer);
        match token.and_then(|token| example_tokens::verify(&key, token)) {
            Some((claims, signed_with)) => Outcome::Success(Self { claims, signed_with }),
            None => Outcome::Error((Status::Unauthorized, ())),
        }
    }
}

/// How to come back: with a token.
struct Challenge;

impl<'r> Responder<'r, 'static> for Challenge {
    fn respond_to(self, _: &'r Request<'_>) -> response::Result<'static> {
        Response::build().header(Header::new("WWW-Authenticate", "Bearer")).ok()
    }
}

#[catch(401)]
fn unauthorized() -> Challenge {
    Challenge
}

/// Rocket's own is a page of HTML.
#[catch(404)]
fn not_found() {}
