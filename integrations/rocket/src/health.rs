//! What an orchestrator asks: whether the process lives, and whether it should get requests.

use rocket::http::{ContentType, Header, Method, Status};
use rocket::route::{Handler, Outcome, Route};
use rocket::{Data, Request, Response, async_trait};
use secretfig::Config;
use std::io::Cursor;

/// `GET /health` and `GET /ready`, to be mounted at any base.
///
/// | path | status | body |
/// | --- | --- | --- |
/// | `/health` | 200, as long as the process answers | `{"alive":true}` |
/// | `/ready` | 200: every section may be used | `{"ready":true,"degraded":false}` |
/// | `/ready` | 200: so it is, but a source is in trouble | `{"ready":true,"degraded":true}` |
/// | `/ready` | 503: a section is withheld | `{"ready":false,"degraded":true}` |
///
/// `/health` knows nothing of secrets: a liveness probe that failed with a manager would have the orchestrator restart
/// every instance just when none can load. `/ready` tells two booleans and no name, so both may be public;
/// what [`Config::health`] says in full belongs behind a door of one's own.
///
/// ```
/// use secretfig::{Config, Live};
/// use secretfig_rocket::health_routes;
///
/// struct AppConfig {
///     limit: Live<u32>,
/// }
///
/// let config = Config::fixed(AppConfig { limit: Live::from(3) });
/// let rocket = rocket::build().mount("/", health_routes(&config));
/// ```
pub fn health_routes<T: Send + Sync + 'static>(config: &Config<T>) -> Vec<Route> {
    let route = |path, name: &'static str, probe| {
        let mut route = Route::new(Method::Get, path, probe);
        route.name = Some(name.into());
        route
    };
    vec![
        route("/health", "secretfig: health", Probe::Alive),
        route("/ready", "secretfig: ready", Probe::Ready(config.clone())),
    ]
}

enum Probe<T> {
    Alive,
    Ready(Config<T>),
}

impl<T> Clone for Probe<T> {
    fn clone(&self) -> Self {
        match self {
            Probe::Alive => Probe::Alive,
            Probe::Ready(config) => Probe::Ready(config.clone()),
        }
    }
}

#[async_trait]
impl<T: Send + Sync + 'static> Handler for Probe<T> {
    async fn handle<'r>(&self, _: &'r Request<'_>, _: Data<'r>) -> Outcome<'r> {
        Outcome::Success(match self {
            Probe::Alive => json(Status::Ok, r#"{"alive":true}"#),
            Probe::Ready(config) => {
                let health = config.health();
                readiness(health.is_ready(), health.is_degraded())
            }
        })
    }
}

fn readiness<'r>(ready: bool, degraded: bool) -> Response<'r> {
    match (ready, degraded) {
        (true, false) => json(Status::Ok, r#"{"ready":true,"degraded":false}"#),
        (true, true) => json(Status::Ok, r#"{"ready":true,"degraded":true}"#),
        (false, true) => json(Status::ServiceUnavailable, r#"{"ready":false,"degraded":true}"#),
        (false, false) => json(Status::ServiceUnavailable, r#"{"ready":false,"degraded":false}"#),
    }
}

fn json<'r>(status: Status, body: &'static str) -> Response<'r> {
    Response::build()
        .status(status)
        .header(ContentType::JSON)
        // what a proxy remembers of a probe is wrong by the next one
        .header(Header::new("Cache-Control", "no-store"))
        .sized_body(body.len(), Cursor::new(body))
        .finalize()
}
