//! What an orchestrator asks: whether the process lives, and whether it should get requests.

use axum::Router;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use secretfig::Config;

/// `GET /health` and `GET /ready`, for a router of any state.
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
/// use axum::Router;
/// use secretfig::{Config, Live};
/// use secretfig_axum::health_router;
///
/// struct App {
///     limit: Live<u32>,
/// }
///
/// let config = Config::fixed(App { limit: Live::from(3) });
/// let app: Router = Router::new().merge(health_router(&config));
/// ```
pub fn health_router<T, St>(config: &Config<T>) -> Router<St>
where
    T: Send + Sync + 'static,
    St: Clone + Send + Sync + 'static,
{
    let config = config.clone();
    let ready = move || {
        let health = config.health();
        std::future::ready(readiness(health.is_ready(), health.is_degraded()))
    };
    Router::new().route("/health", get(alive)).route("/ready", get(ready))
}

async fn alive() -> Response {
    json(StatusCode::OK, r#"{"alive":true}"#)
}

fn readiness(ready: bool, degraded: bool) -> Response {
    match (ready, degraded) {
        (true, false) => json(StatusCode::OK, r#"{"ready":true,"degraded":false}"#),
        (true, true) => json(StatusCode::OK, r#"{"ready":true,"degraded":true}"#),
        (false, true) => json(StatusCode::SERVICE_UNAVAILABLE, r#"{"ready":false,"degraded":true}"#),
        (false, false) => json(StatusCode::SERVICE_UNAVAILABLE, r#"{"ready":false,"degraded":false}"#),
    }
}

fn json(status: StatusCode, body: &'static str) -> Response {
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("application/json")),
        // what a proxy remembers of a probe is wrong by the next one
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    ];
    (status, headers, body).into_response()
}
