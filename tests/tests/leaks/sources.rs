//! Sources that fail, in every way there is.

use crate::ground::Ground;
use crate::types::Plain;
use secretfig::source::{ErrorKind, Unavailable, Validity, Withdrawn};
use secretfig::testing::FakeSource;
use secretfig::{Config, Live, SecretLayer, SecretString, Strict, TextEnv, Wanted};
use serde::Deserialize;
use std::time::{Duration, SystemTime};

#[derive(Deserialize)]
#[allow(dead_code)]
struct App {
    db: Live<Plain>,
    password: Strict<SecretString>,
}

/// Every kind of failure that a source may tell.
pub(crate) fn kinds() -> Vec<ErrorKind> {
    let mut kinds = vec![
        ErrorKind::Absent,
        ErrorKind::Denied,
        ErrorKind::Unauthenticated,
        ErrorKind::Throttled { retry_after: None },
        ErrorKind::Throttled { retry_after: Some(Duration::from_secs(7)) },
        ErrorKind::Malformed,
        ErrorKind::TooLarge,
        ErrorKind::Timeout,
        ErrorKind::Transport,
        ErrorKind::Tls,
        ErrorKind::Misconfigured,
        ErrorKind::Validity(Validity::Expired),
        ErrorKind::Validity(Validity::NotYetValid),
    ];
    kinds.extend([Withdrawn::Deleted, Withdrawn::Destroyed, Withdrawn::Disabled].map(ErrorKind::Withdrawn));
    kinds.extend(
        [
            Unavailable::Sealed,
            Unavailable::Standby,
            Unavailable::Uninitialised,
            Unavailable::Behind,
            Unavailable::Failing,
        ]
        .map(ErrorKind::Unavailable),
    );
    kinds
}

pub(crate) fn hunt(ground: &Ground) {
    for (shape, marker) in &ground.markers {
        let text = marker.text();
        let good = serde_json::json!({ "field": 1, "list": [], "password": text }).to_string();
        let source = || FakeSource::new().with("db", &good).with("password", text);
        let builder = |source: &FakeSource| {
            let layer = SecretLayer::from(source.clone()).put("db", "db").put("password", "password");
            ground.hunt.check_debug("a layer of secrets", &layer);
            Config::<App>::builder().merge(layer).select("production")
        };
        for kind in kinds() {
            let failing = source();
            failing.fail("db", kind);
            ground.fails(&format!("a source says {kind} beside {shape}"), builder(&failing));
            // and again for the value that could not be had before
            let running = source();
            let config = ground.loads(&format!("before {kind}"), builder(&running));
            running.fail("db", kind);
            let refreshed = ground.run(config.refresh());
            ground.hunt.check_debug(format!("refreshed: {kind} beside {shape}"), &refreshed);
            for e in &refreshed.failed {
                ground.hunt.check_error(format!("refreshed: {kind} beside {shape}: error"), e);
            }
            ground.config(&format!("after {kind} beside {shape}"), &config);
        }
        let refusing = source();
        refusing.refuse_sign_in();
        ground.fails(&format!("nobody signs in beside {shape}"), builder(&refusing));
        let stopped = source();
        stopped.stop();
        ground.fails(&format!("a stopped source of {shape}"), builder(&stopped));
        let stalled = source();
        stalled.stall();
        ground.fails(&format!("a silent source of {shape}"), builder(&stalled));
        for (name, amend) in [
            ("expired", (|f: secretfig::source::Fetched| f.expires(SystemTime::UNIX_EPOCH)) as fn(_) -> _),
            ("not yet valid", |f| f.not_before(SystemTime::UNIX_EPOCH + Duration::from_secs(1 << 40))),
        ] {
            let late = source();
            late.amend("db", amend);
            ground.fails(&format!("a secret of {shape} is {name}"), builder(&late));
        }
        // what is no document where one is asked for, and no plain value where a secret is
        ground.fails(
            &format!("a plain value of {shape} where a secret is asked for"),
            Config::<App>::builder()
                .select("production")
                .env([("APP_PASSWORD", text), ("APP_DB", text)])
                .merge(TextEnv::prefixed("APP_")),
        );
        for wanted in [
            Wanted::new("db").field("password.x"),
            Wanted::new("db").keep_previous(true),
            Wanted::new("password").field("x"),
            Wanted::new("db").limits(secretfig::Limits { max_bytes: 1, max_depth: 1 }),
        ] {
            let layer = SecretLayer::from(source()).put("db", wanted.clone()).put("password", "password");
            ground.hunt.check_debug("wanted", &wanted);
            ground.load(&format!("an odd wish beside {shape}"), Config::<App>::builder().merge(layer));
        }
    }
    files(ground);
}

fn files(ground: &Ground) {
    for (shape, marker) in &ground.markers {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("password"), marker.text()).unwrap();
        std::fs::create_dir(folder.path().join("db")).unwrap();
        std::fs::write(folder.path().join("db").join("field"), marker.text()).unwrap();
        let settings = || secretfig_files::Settings::new().folder(folder.path());
        let load = |name: &str, settings: secretfig_files::Settings| {
            ground.hunt.check_debug("settings of files", &settings);
            let files = secretfig_files::Files::new(settings).unwrap();
            ground.hunt.check_debug("files", &files);
            let layer = SecretLayer::from(files).put("db", "db").put("password", "password");
            ground.fails(&format!("files of {shape}: {name}"), Config::<App>::builder().merge(layer));
        };
        load("as they are", settings());
        load("too large", settings().max_bytes(3));
        load("nowhere", settings().folder("/nonexistent/folder"));
        load("a file that is a folder", settings().file("password", folder.path()));
    }
}
