//! Everything that is logged at TRACE, by us and by all that we use.

use crate::ground::Ground;
use secretfig::testing::FakeSource;
use secretfig::{Config, Live, SecretLayer, SecretString, TextEnv};
use secretfig_tests::Log;
use serde::Deserialize;
use std::time::Duration;

#[derive(Deserialize)]
#[allow(dead_code)]
struct App {
    db: Live<Db>,
    outside: SecretString,
    plain: String,
}

#[derive(Deserialize)]
#[allow(dead_code)]
struct Db {
    port: u16,
    password: SecretString,
}

pub(crate) fn hunt(ground: &Ground) {
    for (shape, marker) in &ground.markers {
        for json in [false, true] {
            let sink = Log::default();
            let subscriber = tracing_subscriber::fmt()
                .with_max_level(tracing::Level::TRACE)
                .with_span_events(tracing_subscriber::fmt::format::FmtSpan::FULL)
                .with_writer(sink.clone())
                .with_ansi(false);
            if json {
                let subscriber =
                    subscriber.fmt_fields(tracing_subscriber::fmt::format::PrettyFields::new()).finish();
                tracing::subscriber::with_default(subscriber, || {
                    ground.run(life(ground, shape, marker.text()));
                });
            } else {
                let subscriber = subscriber.finish();
                tracing::subscriber::with_default(subscriber, || {
                    ground.run(life(ground, shape, marker.text()));
                });
            }
            let text = sink.text();
            for wanted in
                ["secretfig::audit", "refused", "WARN", "ERROR", "went back", "overridden", "exposed"]
            {
                assert!(text.contains(wanted), "`{wanted}` is not in the log:\n{text}");
            }
            ground.hunt.check(format!("the log of a life with {shape}"), &text);
        }
    }
}

/// Load, rotation, a refused one, a step back, an outage, a Keeper, the end.
async fn life(ground: &Ground, shape: &str, text: &str) {
    let good = |n: u8| format!(r#"{{"port": {n}, "password": {}}}"#, serde_json::to_string(text).unwrap());
    let source = FakeSource::new().watching().with("db", &good(1)).with("outside", text);
    source.identity("arn:aws:iam::1:role/app");
    let secrets = SecretLayer::from(source.clone()).put("db", "db").put("outside", "outside");
    let config = Config::<App>::builder()
        .merge(secrets)
        .env([("APP_PLAIN", text), ("APP_OUTSIDE", text), ("APP_TYPO", text)])
        .merge(TextEnv::prefixed("APP_"))
        .load()
        .await
        .unwrap();
    source.rotate("db", &good(2));
    config.refresh().await;
    source
        .rotate("db", &format!(r#"{{"port": {0}, "password": {0}}}"#, serde_json::to_string(text).unwrap()));
    config.refresh().await;
    source.rotate("db", text);
    config.refresh().await;
    source.rotate("db", &good(3));
    config.refresh().await;
    source.step_back("db");
    source.step_back("db");
    source.rotate("db", &good(4));
    config.refresh().await;
    source.step_back("db");
    config.refresh().await;
    source.stop();
    config.refresh().await;
    source.start();
    source.deny("db");
    config.refresh().await;
    source.allow("db");
    let exposed = config.expose(["db.*"]);
    drop(exposed);
    drop(config.keep_fresh());
    let keeper = config.keep_fresh();
    ground.hunt.check_debug(format!("keeper beside {shape}"), &keeper);
    let section = config.section(|app| &app.db);
    let mut changes = section.changes();
    source.rotate("db", &good(5));
    changes.next().await.unwrap();
    ground.health(&format!("kept, with {shape}"), &config.health());
    keeper.shutdown(Duration::from_secs(1)).await;
    // a load that fails is logged by nobody, and one that warns is
    let failing =
        Config::<App>::builder().env([("APP_DB", text)]).merge(TextEnv::prefixed("APP_")).load().await;
    ground.error(&format!("a load that fails under a log, with {shape}"), &failing.unwrap_err());
}
