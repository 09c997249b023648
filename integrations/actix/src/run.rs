//! From the first request to the last, and the end of the Keeper after it.

use actix_web::dev::Server;
use secretfig::Keeper;
use std::io;
use std::time::Duration;

/// Runs the server until it ends, then ends the Keeper in order, within `limit`.
///
/// The server ends by itself on SIGTERM, on SIGINT and SIGQUIT (which Actix lets cut requests off), when a
/// [`ServerHandle`](actix_web::dev::ServerHandle) stops it, or with an error. Only after that the Keeper ends: what a
/// section gives stays fresh while the last requests are served. The server's own share of a shutdown is its
/// [`shutdown_timeout`](actix_web::HttpServer::shutdown_timeout) (30 s); together with `limit` it should fit into what
/// the orchestrator grants before it kills.
///
/// ```no_run
/// use actix_web::{App, HttpServer};
/// use secretfig::{Config, Live};
/// use secretfig_actix::run;
/// use std::time::Duration;
/// # use serde::Deserialize;
/// #
/// # #[derive(Deserialize)]
/// # struct Database;
///
/// #[derive(Deserialize)]
/// struct AppConfig {
///     database: Live<Database>,
/// }
///
/// #[actix_web::main]
/// async fn main() -> Result<(), Box<dyn std::error::Error>> {
///     let config = Config::<AppConfig>::load().await?;
///     let keeper = config.keep_fresh();
///     let server = HttpServer::new(App::new).bind(("0.0.0.0", 8080))?.run();
///     run(server, keeper, Duration::from_secs(5)).await?;
///     Ok(())
/// }
/// ```
///
/// # Errors
/// What the server ended with. The Keeper is ended all the same.
pub async fn run(server: Server, keeper: Keeper, limit: Duration) -> io::Result<()> {
    let ended = server.await;
    keeper.shutdown(limit).await;
    ended
}
