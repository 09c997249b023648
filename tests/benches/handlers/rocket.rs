//! Rocket: `&State<Arc<S>>` and `Secrets<S>`.

use crate::{Database, configuration, shared, touch};
use rocket::fairing::AdHoc;
use rocket::{State, get, routes};
use secretfig_rocket::Secrets;
use std::sync::Arc;

#[get("/")]
fn own(database: &State<Arc<Database>>) -> &'static str {
    touch(database)
}

#[get("/")]
#[expect(clippy::needless_pass_by_value, reason = "a guard is handed over")]
fn ours(database: Secrets<Database>) -> &'static str {
    touch(&database)
}

#[tokio::main(flavor = "current_thread")]
pub(crate) async fn serve(secrets: bool) {
    let (config, _keeper) = configuration().await;
    let settings =
        rocket::Config { port: 0, log_level: rocket::config::LogLevel::Off, ..rocket::Config::default() };
    // Rocket binds by itself
    let told = AdHoc::on_liftoff("address", |rocket| {
        println!("{}:{}", rocket.config().address, rocket.config().port);
        Box::pin(std::future::ready(()))
    });
    let rocket = if secrets {
        let sections = secretfig_rocket::sections(&config).add(|app| &app.database);
        rocket::custom(settings).attach(told).attach(sections).mount("/", routes![ours])
    } else {
        rocket::custom(settings).attach(told).manage(shared()).mount("/", routes![own])
    };
    let _ = rocket.launch().await.unwrap();
}
