//! What an orchestrator asks: whether the process lives, and whether it should get requests.

use actix_web::http::header;
use actix_web::web::{self, ServiceConfig};
use actix_web::{HttpResponse, guard};
use secretfig::Config;

/// `GET /health` and `GET /ready`, for [`App::configure`](actix_web::App::configure), or for that of a scope.
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
/// use actix_web::App;
/// use secretfig::{Config, Live};
/// use secretfig_actix::health_routes;
///
/// struct AppConfig {
///     limit: Live<u32>,
/// }
///
/// let config = Config::fixed(AppConfig { limit: Live::from(3) });
/// let health = health_routes(&config);
/// // HttpServer::new(move || App::new().configure(health.clone()))
/// # let _ = move || App::new().configure(health.clone());
/// ```
pub fn health_routes<T>(
    config: &Config<T>,
) -> impl Fn(&mut ServiceConfig) + Clone + Send + Sync + 'static + use<T>
where
    T: Send + Sync + 'static,
{
    let config = config.clone();
    move |app: &mut ServiceConfig| {
        // HEAD as well, which the server answers without the body
        let get = || web::route().guard(guard::Any(guard::Get()).or(guard::Head()));
        let config = config.clone();
        let ready = move || {
            let health = config.health();
            std::future::ready(readiness(health.is_ready(), health.is_degraded()))
        };
        app.route("/health", get().to(alive)).route("/ready", get().to(ready));
    }
}

async fn alive() -> HttpResponse {
    json(HttpResponse::Ok(), r#"{"alive":true}"#)
}

fn readiness(ready: bool, degraded: bool) -> HttpResponse {
    match (ready, degraded) {
        (true, false) => json(HttpResponse::Ok(), r#"{"ready":true,"degraded":false}"#),
        (true, true) => json(HttpResponse::Ok(), r#"{"ready":true,"degraded":true}"#),
        (false, true) => json(HttpResponse::ServiceUnavailable(), r#"{"ready":false,"degraded":true}"#),
        (false, false) => json(HttpResponse::ServiceUnavailable(), r#"{"ready":false,"degraded":false}"#),
    }
}

fn json(mut response: actix_web::HttpResponseBuilder, body: &'static str) -> HttpResponse {
    response
        .insert_header((header::CONTENT_TYPE, "application/json"))
        // what a proxy remembers of a probe is wrong by the next one
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .body(body)
}
