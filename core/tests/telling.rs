//! What a configuration tells: the audit line of every access, what the Keeper logs when it goes, and what has rotated
//! after it left. Every test here listens: a log line that another thread met first, unheard, may never be written.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]
#![cfg(all(feature = "testing", feature = "figment"))]

use secretfig::source::{ErrorKind, Lease};
use secretfig::testing::FakeSource;
use secretfig::{Config, Live, SecretLayer, SecretString};
use secretfig_tests::{Hunt, Marker};
use serde::Deserialize;
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tracing_subscriber::util::SubscriberInitExt;

#[derive(Deserialize)]
struct App {
    #[allow(dead_code, reason = "decoded, not read")]
    mail: Live<Mail>,
}

#[derive(Deserialize)]
struct Mail {
    #[allow(dead_code, reason = "decoded, not read")]
    token: SecretString,
}

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Lines {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }

    fn audit(&self) -> Vec<String> {
        self.text().lines().filter(|line| line.contains("secretfig::audit")).map(str::to_owned).collect()
    }
}

impl io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Runs on a paused current-thread runtime, with everything logged.
fn logged(run: impl AsyncFnOnce(&Lines)) -> Lines {
    let lines = Lines::default();
    let writer = lines.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing_subscriber::filter::LevelFilter::TRACE)
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .finish();
    let guard = subscriber.set_default();
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    runtime.block_on(run(&lines));
    drop((runtime, guard));
    lines
}

fn source() -> FakeSource {
    let source = FakeSource::named("vault").with("myapp/mail", r#"{"token": "t0p-s3cret"}"#);
    source.identity("role/app");
    source
}

async fn load(source: &FakeSource) -> Config<App> {
    let layer = SecretLayer::from(source.clone()).put("mail", "myapp/mail");
    Config::<App>::builder().merge(layer).load().await.unwrap()
}

#[test]
fn every_read_has_its_line_and_no_line_its_value() {
    let source = source();
    let lines = logged(async |lines| {
        let config = load(&source).await;
        source.rotate("myapp/mail", r#"{"token": "t1p-s3cret"}"#);
        config.refresh().await;
        assert_eq!(lines.audit().len(), source.fetches("myapp/mail"));
        drop(config.expose(["mail.*"]));
        drop(config.expose(["other"]));
        source.deny("myapp/mail");
        config.refresh().await;
    });
    let audit = lines.audit();
    let fields = |n: usize| audit[n].split("secret access").nth(1).unwrap().trim().to_owned();
    let all = r#"identity="role/app" source="vault" secret="myapp/mail""#;
    assert_eq!(fields(0), format!(r#"{all} revision="1" outcome="read" via="wire""#));
    assert_eq!(fields(1), format!(r#"{all} revision="2" outcome="read" via="wire""#));
    assert_eq!(fields(2), format!(r#"{all} revision="2" outcome="exposed" via="memory""#));
    assert_eq!(fields(3), format!(r#"{all} outcome="denied" via="wire""#));
    assert_eq!(audit.len(), 4);
    assert!(!lines.text().contains("s3cret"));
}

#[test]
fn a_keeper_dropped_at_once_is_an_error_with_its_line() {
    let lines = logged(async |_| {
        let config = load(&source()).await;
        drop(config.keep_fresh());
    });
    let text = lines.text();
    let line = text.lines().find(|line| line.contains("ERROR")).expect("an error line");
    assert!(line.contains("telling.rs:") && line.contains("before its first refresh"), "{line}");
}

#[test]
fn a_keeper_that_was_shut_down_says_nothing() {
    let lines = logged(async |_| {
        let config = load(&source()).await;
        config.keep_fresh().shutdown(Duration::from_secs(1)).await;
    });
    assert!(!lines.text().contains("ERROR"), "{}", lines.text());
}

#[test]
fn a_refused_revision_is_an_error_line_without_its_value() {
    let source = source();
    let lines = logged(async |_| {
        let config = load(&source).await;
        source.rotate("myapp/mail", r#"{"tok": "t1p-s3cret"}"#);
        config.refresh().await;
    });
    let text = lines.text();
    assert!(text.contains("mail.token: missing"), "{text}");
    assert!(!text.contains("s3cret"));
}

#[test]
fn what_rotates_after_it_left_is_one_warning() {
    let source = source();
    let lines = logged(async |lines| {
        let config = load(&source).await;
        let warnings = || lines.text().matches("WARN secretfig: restart needed: ").count();
        drop(config.expose(["mail.token"]));
        config.refresh().await;
        assert_eq!(warnings(), 0, "nothing has rotated");
        let keeper = config.keep_fresh();
        source.rotate("myapp/mail", r#"{"token": "t1p-s3cret"}"#);
        // with nobody looking at `health()`
        tokio::time::sleep(Duration::from_secs(600)).await;
        assert_eq!(warnings(), 1);
        source.rotate("myapp/mail", r#"{"token": "t2p-s3cret"}"#);
        tokio::time::sleep(Duration::from_secs(600)).await;
        assert_eq!(warnings(), 1, "once for each time that it left");
        drop(config.expose(["mail.*"]));
        source.rotate("myapp/mail", r#"{"token": "t3p-s3cret"}"#);
        tokio::time::sleep(Duration::from_secs(600)).await;
        assert_eq!(warnings(), 2);
        keeper.shutdown(Duration::from_secs(1)).await;
    });
    let text = lines.text();
    let said = "`mail.token` of vault `myapp/mail` was handed out at revision 3, and is now at 4";
    assert!(text.contains(said), "{text}");
    assert!(!text.contains("s3cret"));
}

/// The whole life of a lease at TRACE: neither its value nor its id, which revokes, is told anywhere.
#[test]
fn what_is_told_of_leases_holds_no_value_and_no_id() {
    let hunt = Hunt::new();
    let token = hunt.plant("mail.token", Marker::random());
    let ids: Vec<Marker> = (0..12).map(|_| hunt.plant("lease id", Marker::random())).collect();
    let told = std::sync::Mutex::new(String::new());
    let tell = |text: String| told.lock().unwrap().push_str(&text);
    let lines = logged(async |_| {
        let source = FakeSource::named("vault");
        source.put("myapp/mail", &serde_json::json!({ "token": token.text() }).to_string());
        source.put("other", "here");
        source.lease("myapp/mail", Duration::from_secs(3_600));
        let given = AtomicUsize::new(0);
        let ids: Vec<String> = ids.iter().map(|id| id.text().to_owned()).collect();
        source.amend("myapp/mail", move |mut fetched| {
            let id = ids[given.fetch_add(1, Ordering::Relaxed) % ids.len()].as_str();
            fetched.lease = fetched.lease.map(|lease| Lease::new(id, lease.duration, true));
            fetched
        });
        let layer = || SecretLayer::from(source.clone()).put("mail", "myapp/mail");
        source.revocations_fail("myapp/mail", ErrorKind::Denied);
        // a load that fails, one that is dropped, one that goes well
        let failed = Config::<App>::builder().merge(layer().put("mail.port", "absent")).load().await;
        let error = failed.unwrap_err();
        tell(format!("{error} {error:?} {}", error.to_json()));
        source.stall_only("other");
        let dropped = Config::<App>::builder().merge(layer().put("mail.other", "other")).load();
        assert!(tokio::time::timeout(Duration::from_secs(1), dropped).await.is_err());
        source.resume();
        let config = Config::<App>::builder().merge(layer()).load().await.unwrap();
        let mail = config.section(|app| &app.mail);
        let keeper = config.keep_fresh();
        source.renewals_fail("myapp/mail", ErrorKind::Transport);
        for round in 0..4 {
            // two are replaced before they would be renewed
            let verdict = match round {
                0 | 1 => Some(mail.report_failure(&mail.latest()).await),
                _ => None,
            };
            let health = config.health();
            let json = serde_json::to_string(&health).unwrap();
            tell(format!("{verdict:?} {health} {health:?} {json} {config:?} {:?}", mail.latest()));
            tokio::time::sleep(Duration::from_secs(1_200)).await;
        }
        drop(keeper);
        tokio::task::yield_now().await;
        tell(format!("{:?} {}", mail.get().err(), config.explain()));
    });
    let text = lines.text();
    for said in [
        "a lease was not renewed",
        "a credential that nobody holds could not be given back",
        "a lease that was replaced could not be given back",
        "the Keeper was dropped, and leases are out",
    ] {
        assert!(text.contains(said), "{said}: {text}");
    }
    hunt.check("log", &text);
    hunt.check("told", told.lock().unwrap().as_str());
    hunt.finish();
}

#[test]
fn a_lease_is_audited_from_its_read_to_its_end() {
    let lines = logged(async |_| {
        let source = source();
        source.lease("myapp/mail", Duration::from_secs(3_600));
        let layer = SecretLayer::from(source.clone()).put("mail", "myapp/mail");
        let config = Config::<App>::builder().merge(layer).load().await.unwrap();
        let keeper = config.keep_fresh();
        tokio::time::sleep(Duration::from_secs(3_000)).await;
        keeper.shutdown(Duration::from_secs(1)).await;
    });
    let audit = lines.audit();
    for (line, outcome) in audit.iter().zip(["read", "renewed", "given back"]) {
        assert!(line.contains(&format!(r#"outcome="{outcome}""#)) && line.contains("role/app"), "{line}");
    }
    assert_eq!(audit.len(), 3, "{audit:?}");
    assert!(!lines.text().contains("leases are out"), "shutdown gave it back: {}", lines.text());
}
