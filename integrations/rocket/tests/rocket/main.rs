//! Rocket: the suite of all integrations, launches and catchers, and Rocket's own settings from secrets.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]
#![allow(clippy::needless_pass_by_value, reason = "Rocket's guards are given by value")]

mod launching;
mod settings;
mod suite;

use rocket::fairing::AdHoc;
use rocket::{Build, Rocket, Shutdown};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Mutex;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// What a launch may take, on a machine that has other things to do.
const LIMIT: Duration = Duration::from_secs(20);

/// A Rocket in flight.
struct Flight {
    port: u16,
    shutdown: Shutdown,
    landed: JoinHandle<bool>,
}

/// Launches for real, at a port of the system's choice.
async fn launch(rocket: Rocket<Build>) -> Flight {
    let (tell, told) = oneshot::channel();
    let tell = Arc::new(Mutex::new(Some(tell)));
    let liftoff = AdHoc::on_liftoff("tell the port", move |rocket| {
        Box::pin(async move {
            let tell = tell.lock().await.take().expect("one liftoff");
            assert!(tell.send((rocket.config().port, rocket.shutdown())).is_ok(), "someone waits");
        })
    });
    let landed = tokio::spawn(async move { rocket.attach(liftoff).launch().await.is_ok() });
    let (port, shutdown) =
        tokio::time::timeout(LIMIT, told).await.expect("a liftoff in time").expect("a liftoff");
    Flight { port, shutdown, landed }
}

impl Flight {
    async fn land(self) {
        self.shutdown.notify();
        assert!(tokio::time::timeout(LIMIT, self.landed).await.expect("a landing in time").unwrap());
    }
}

/// Local, quiet, at a port of the system's choice, deaf to signals.
fn local() -> rocket::Config {
    // before Rocket sets up its own log, which would leave the suite deaf
    secretfig_tests::integrations::listen();
    let mut shutdown = rocket::config::Shutdown { ctrlc: false, force: false, ..Default::default() };
    shutdown.signals.clear();
    rocket::Config {
        port: 0,
        log_level: rocket::config::LogLevel::Off,
        shutdown,
        ..rocket::Config::debug_default()
    }
}
