//! Sources that panic, in every call there is: it costs that call. The task goes on, the others are served, the source is
//! named, and what the panic says, which is a value here, is told nowhere. Every test here listens to all that is logged.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]
#![cfg(feature = "testing")]

use secretfig::source::{Ask, ErrorKind, Fetched, Grants, Identity, Lease, Probe, SourceInfo};
use secretfig::testing::FakeSource;
use secretfig::{
    Breaker, Builder, Config, ExposeSecret, Invalid, Live, SecretLayer, SecretString, Source, SourceError,
    SystemClock,
};
use secretfig_tests::{Hunt, Marker};
use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::time::{sleep, timeout};
use tracing_subscriber::util::SubscriberInitExt;

type App = BTreeMap<String, Live<SecretString>>;

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3_600);

/// A fake that panics with a marker in the calls that are switched to it.
#[derive(Clone)]
struct Shaky {
    inner: FakeSource,
    /// By call: whether it panics, and how often it was made.
    calls: Arc<Mutex<BTreeMap<&'static str, (bool, usize)>>>,
    marker: Marker,
}

impl Shaky {
    fn switch(&self, call: &'static str, panics: bool) {
        self.calls.lock().unwrap().entry(call).or_default().0 = panics;
    }

    fn made(&self, call: &'static str) -> usize {
        self.calls.lock().unwrap().get(call).map_or(0, |(_, made)| *made)
    }

    fn passes(&self, call: &'static str) {
        let panics = {
            let mut calls = self.calls.lock().unwrap();
            let (panics, made) = calls.entry(call).or_default();
            *made += 1;
            *panics
        };
        if panics {
            // by no hook, which would print it
            std::panic::resume_unwind(Box::new(format!("{call}: {}", self.marker.text())));
        }
    }
}

/// Panics when it is dropped, if that is switched on.
struct Dropped<'s>(&'s Shaky);

impl Drop for Dropped<'_> {
    fn drop(&mut self) {
        self.0.passes("drop");
    }
}

#[secretfig::source::async_trait]
impl Source for Shaky {
    fn info(&self) -> SourceInfo {
        self.passes("info");
        self.inner.info()
    }
    async fn sign_in(&self) -> Result<Option<Identity>, SourceError> {
        self.passes("sign_in");
        self.inner.sign_in().await
    }
    async fn fetch(&self, asks: &[Ask]) -> Vec<Result<Fetched, SourceError>> {
        self.passes("fetch");
        self.inner.fetch(asks).await
    }
    fn mints(&self, ask: &Ask) -> bool {
        self.passes("mints");
        self.inner.mints(ask)
    }
    async fn probe(&self, asks: &[Ask]) -> Vec<Result<Probe, SourceError>> {
        self.passes("probe");
        self.inner.probe(asks).await
    }
    async fn changed(&self) {
        let _dropped = Dropped(self);
        self.passes("changed");
        self.inner.changed().await;
    }
    async fn renew(&self, lease: &Lease) -> Result<Lease, SourceError> {
        self.passes("renew");
        self.inner.renew(lease).await
    }
    async fn revoke(&self, lease: &Lease) -> Result<(), SourceError> {
        self.passes("revoke");
        self.inner.revoke(lease).await
    }
    fn lost(&self, lease: &Lease) -> bool {
        self.passes("lost");
        self.inner.lost(lease)
    }
    async fn close(&self, _: Duration) {
        self.passes("close");
    }
    fn as_grants(&self) -> Option<&dyn Grants> {
        Some(self)
    }
}

impl Grants for Shaky {
    fn grants(&self, _: &[Ask]) -> String {
        self.passes("grants");
        "read".to_owned()
    }
}

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Lines {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }

    /// How often it was told that the shaky one panicked in that call.
    fn told(&self, name: &str, call: &str) -> usize {
        let said = format!(r#"source="{name}" call="{call}""#);
        let text = self.text();
        let lines = text.lines().filter(|line| line.contains("a source panicked"));
        lines.filter(|line| line.contains("ERROR") && line.contains(&said)).count()
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

/// Two sources, one of which panics: of the shaky one are `a` and `c`, of the sound one is `b`. What the shaky one holds is
/// also what it panics with.
struct Scene {
    shaky: Shaky,
    sound: FakeSource,
    lines: Lines,
    hunt: Hunt,
}

impl Scene {
    fn layers(&self) -> Builder<App> {
        let shaky = SecretLayer::from(self.shaky.clone()).put("a", "a").put("c", "c");
        self.hunt.check_debug("the layer", &shaky);
        Config::builder().merge(shaky).merge(SecretLayer::from(self.sound.clone()).put("b", "b"))
    }

    async fn load(&self) -> Config<App> {
        self.layers().load().await.unwrap()
    }

    /// The sound one has news, and they are served at once.
    async fn sound_is_served(&self, config: &Config<App>) {
        let next = format!("b{}", self.sound.fetches("b"));
        self.sound.rotate("b", &next);
        self.sound.notify();
        sleep(Duration::from_secs(1)).await;
        assert_eq!(value(config, "b"), next);
        assert_eq!(config.health().refresher, "running");
    }

    /// Looks at all that there is to see of a configuration.
    fn look(&self, config: &Config<App>) {
        let health = config.health();
        self.hunt.check_display("health", &health);
        self.hunt.check("health as JSON", serde_json::to_string(&health).unwrap());
        self.hunt.check("explain", config.explain().to_string());
        assert!(!config.section_by(|app| app.get("a")).unwrap().latest().expose_secret().is_empty());
    }
}

fn value(config: &Config<App>, key: &str) -> String {
    let key = key.to_owned();
    config.section_by(move |app| app.get(&key)).unwrap().latest().expose_secret().to_owned()
}

/// Runs on a paused current-thread runtime, with everything logged; then hunts in what was.
fn scene(run: impl AsyncFnOnce(&Scene)) {
    let hunt = Hunt::new();
    let marker = hunt.plant("what the source holds and panics with", Marker::random());
    let clock = || Arc::new(SystemClock::default());
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
    let scene = runtime.block_on(async {
        let inner = FakeSource::named("shaky").with_clock(clock()).with("a", marker.text());
        let shaky = Shaky { inner: inner.with("c", marker.text()), calls: Arc::default(), marker };
        let sound = FakeSource::named("sound").with_clock(clock()).with("b", "b").watching();
        let scene = Scene { shaky, sound, lines, hunt };
        run(&scene).await;
        scene
    });
    drop((runtime, guard));
    scene.hunt.check("everything logged", scene.lines.text());
    scene.hunt.finish();
}

const PANICKED: &str = "the source panicked; this is a fault of the source";

#[test]
fn listening_that_panics_is_taken_up_again_in_a_minute_and_the_source_looked_at() {
    scene(async |scene| {
        let Scene { shaky, lines, .. } = scene;
        shaky.switch("changed", true);
        let config = scene.load().await;
        let keeper = config.keep_fresh();
        // the news of another make no loop of it
        for _ in 0..600 {
            scene.sound_is_served(&config).await;
        }
        assert!((9..=12).contains(&shaky.made("changed")), "{}", shaky.made("changed"));
        assert_eq!(lines.told("shaky", "changed"), shaky.made("changed"));
        let moved = format!("{}2", shaky.marker.text());
        shaky.inner.rotate("a", &moved);
        sleep(MINUTE + Duration::from_secs(2)).await;
        assert_eq!(value(&config, "a"), moved, "well before its ttl is over");
        shaky.switch("changed", false);
        sleep(MINUTE + Duration::from_secs(2)).await;
        let moved = format!("{}3", shaky.marker.text());
        shaky.inner.rotate("a", &moved);
        shaky.inner.notify();
        sleep(Duration::from_secs(1)).await;
        assert_eq!(value(&config, "a"), moved, "it is listened to again");
        scene.hunt.check_debug("the Keeper", &keeper);
        scene.look(&config);
    });
}

#[test]
fn a_wait_that_panics_when_it_is_dropped_ends_nothing() {
    scene(async |scene| {
        let config = scene.load().await;
        let _keeper = config.keep_fresh();
        scene.shaky.switch("drop", true);
        for _ in 0..10 {
            scene.sound_is_served(&config).await;
        }
        assert!(scene.shaky.made("drop") >= 10);
        scene.look(&config);
    });
}

#[test]
fn a_source_that_cannot_say_what_it_makes_is_read_once_and_told_once() {
    scene(async |scene| {
        let Scene { shaky, lines, .. } = scene;
        shaky.switch("mints", true);
        let config = scene.load().await;
        let _keeper = config.keep_fresh();
        let read = shaky.inner.fetches("a");
        for _ in 0..10 {
            scene.sound_is_served(&config).await;
            let refreshed = config.refresh().await;
            scene.hunt.check_debug("a look", &refreshed);
            assert!(refreshed.failed.is_empty(), "{refreshed:?}");
        }
        assert!(shaky.made("mints") > 10 && shaky.inner.fetches("a") == read);
        assert_eq!(lines.told("shaky", "mints"), 1);
        shaky.switch("mints", false);
        let moved = format!("{}2", shaky.marker.text());
        shaky.inner.rotate("a", &moved);
        config.refresh().await;
        assert_eq!(value(&config, "a"), moved);
        scene.look(&config);
    });
}

#[test]
fn a_source_that_cannot_say_what_is_lost_has_its_leases_renewed() {
    scene(async |scene| {
        let Scene { shaky, lines, sound, .. } = scene;
        shaky.inner.lease("a", HOUR);
        sound.put("d", "d");
        sound.lease("d", HOUR);
        let config =
            scene.layers().merge(SecretLayer::from(sound.clone()).put("d", "d")).load().await.unwrap();
        let _keeper = config.keep_fresh();
        shaky.switch("lost", true);
        for _ in 0..24 {
            sleep(HOUR).await;
            scene.sound_is_served(&config).await;
            assert!(config.health().is_ready() && !config.health().is_degraded(), "{}", config.health());
        }
        assert!(shaky.inner.renewed() >= 24 && sound.renewed() >= 24);
        assert_eq!((shaky.inner.minted(), sound.minted(), lines.told("shaky", "lost")), (1, 1, 1));
        // that the login is dead shows when a lease is renewed
        shaky.inner.lose_login();
        sleep(HOUR).await;
        assert_eq!(shaky.inner.minted(), 2);
        scene.look(&config);
    });
}

#[test]
fn a_source_that_cannot_say_what_it_is_serves_on_under_what_is_known() {
    scene(async |scene| {
        let Scene { shaky, lines, .. } = scene;
        let config = scene.load().await;
        let _keeper = config.keep_fresh();
        shaky.switch("info", true);
        scene.sound_is_served(&config).await;
        let moved = format!("{}2", shaky.marker.text());
        shaky.inner.rotate("a", &moved);
        assert_eq!(config.refresh().await.changed.len(), 1);
        assert_eq!((value(&config, "a"), lines.told("shaky", "info")), (moved, 1));
        scene.look(&config);

        // from the beginning
        let config = scene.load().await;
        let sources: Vec<String> = config.health().sources.iter().map(|s| s.source.clone()).collect();
        assert_eq!(sources, ["unnamed", "sound"]);
        assert_eq!(lines.told("unnamed", "info"), 1);
        scene.look(&config);
    });
}

/// A load that is refused, and one that is dropped.
#[test]
fn what_a_panicking_source_does_not_take_back_keeps_the_others_from_nothing() {
    scene(async |scene| {
        let Scene { shaky, lines, sound, .. } = scene;
        shaky.inner.lease("a", HOUR);
        sound.lease("b", HOUR);
        shaky.switch("revoke", true);
        let refused = scene
            .layers()
            .validate(|_| Err(Invalid { path: "b", reason: "never" }))
            .load()
            .await
            .err()
            .unwrap();
        scene.hunt.check_error("a refused load", &refused);
        let said = "the lease of `a` could not be given back (malformed)";
        assert!(refused.to_string().contains(said), "{refused}");
        assert_eq!((shaky.made("revoke"), sound.revoked(), lines.told("shaky", "revoke")), (1, 1, 1));

        sound.put("slow", "s");
        sound.stall_only("slow");
        let layer = SecretLayer::from(sound.clone()).put("slow", "slow");
        assert!(timeout(Duration::from_secs(1), scene.layers().merge(layer).load()).await.is_err());
        sleep(Duration::from_secs(3)).await;
        assert_eq!((shaky.made("revoke"), sound.revoked(), sound.leases()), (2, 2, 0));
        let text = lines.text();
        let told = text.lines().find(|line| line.contains("that nobody holds could not be given back"));
        assert!(told.is_some_and(|told| told.contains(r#"secret="a" reason="malformed""#)), "{told:?}");
    });
}

/// Leases that were replaced, and the end.
#[test]
fn the_keeper_gives_back_what_it_can_and_goes_on() {
    scene(async |scene| {
        let Scene { shaky, lines, sound, .. } = scene;
        for (source, name) in [(&shaky.inner, "a"), (sound, "b")] {
            source.lease(name, HOUR);
            source.unrenewable(name);
        }
        shaky.switch("revoke", true);
        let config = scene.load().await;
        let keeper = config.keep_fresh();
        for _ in 0..12 {
            sleep(HOUR).await;
            assert!(config.health().is_ready(), "{}", config.health());
        }
        assert_eq!(config.health().refresher, "running");
        assert!(shaky.inner.minted() >= 12 && shaky.inner.revoked() == 0);
        assert!(shaky.made("revoke") >= 12, "{}", shaky.made("revoke"));
        assert_eq!((sound.revoked(), sound.leases()), (sound.minted() - 1, 1));
        assert!(lines.text().contains("a lease that was replaced could not be given back"));
        assert_eq!(lines.told("shaky", "revoke"), 1);
        scene.look(&config);
        shaky.switch("close", true);
        timeout(MINUTE, keeper.shutdown(MINUTE)).await.unwrap();
        assert_eq!((sound.leases(), shaky.made("close"), lines.told("shaky", "close")), (0, 1, 1));
    });
}

#[test]
fn rights_that_cannot_be_told_are_a_fault_of_that_source() {
    scene(async |scene| {
        assert_eq!(scene.layers().grants().unwrap()[0].policy.as_deref(), Some("read"));
        scene.shaky.switch("grants", true);
        scene.look(&scene.load().await);
        let error = scene.layers().grants().unwrap_err();
        scene.hunt.check_error("grants", &error);
        scene.hunt.check("grants as JSON", error.report().to_json());
        let [fault] = error.report().faults() else { panic!("{error}") };
        let said = fault.to_string();
        assert!(said.contains("shaky") && said.contains("malformed") && said.contains(PANICKED), "{said}");
    });
}

/// The texts that users see, of each call that has an answer.
#[test]
fn a_panic_in_a_call_is_told_as_a_fault_of_the_source_and_says_nothing_of_itself() {
    scene(async |scene| {
        let Scene { shaky, lines, .. } = scene;
        for (call, path) in [("sign_in", "(root)"), ("fetch", "a")] {
            shaky.switch(call, true);
            let error = scene.layers().load().await.err().unwrap();
            scene.hunt.check_error(call, &error);
            scene.hunt.check(call, error.report().to_json());
            let faults = error.report().faults();
            assert_eq!(faults[0].key().to_string(), path, "{error}");
            let said = error.to_string();
            assert!(
                said.contains("shaky") && said.contains("malformed") && said.contains(PANICKED),
                "{said}"
            );
            shaky.switch(call, false);
        }
        shaky.inner.lease("c", HOUR);
        let config = scene.load().await;
        let _keeper = config.keep_fresh();
        for call in ["probe", "fetch"] {
            if call == "fetch" {
                shaky.inner.blind();
            }
            shaky.switch(call, true);
            let refreshed = config.refresh().await;
            let [failed] = &refreshed.failed[..] else { panic!("{call}: {refreshed:?}") };
            assert_eq!(failed.to_string(), format!("shaky: `a`: malformed: {PANICKED}"));
            assert_eq!((failed.kind(), failed.what_to_do()), (ErrorKind::Malformed, PANICKED));
            scene.hunt.check_error(call, failed);
            scene.hunt.check_debug(call, &refreshed);
            shaky.switch(call, false);
            scene.sound_is_served(&config).await;
        }
        shaky.switch("renew", true);
        sleep(HOUR * 3 / 4).await;
        let said = format!("a lease was not renewed secret=\"c\" error=shaky: malformed: {PANICKED}");
        assert!(lines.text().contains(&said), "{}", lines.text());
        scene.sound_is_served(&config).await;
        scene.look(&config);
    });
}

#[test]
fn an_open_breaker_tells_since_when_and_why_and_nothing_else() {
    scene(async |scene| {
        let Scene { shaky, .. } = scene;
        let config = scene.load().await;
        shaky.inner.stop();
        while config.health().sources[0].breaker == Breaker::Closed {
            config.refresh().await;
        }
        sleep(Duration::from_secs(5)).await;
        let refreshed = config.refresh().await;
        assert_eq!(refreshed.failed.len(), 2);
        for failed in &refreshed.failed {
            let (said, hint) = (failed.to_string(), failed.what_to_do().to_owned());
            assert!(
                said.starts_with("shaky: `") && said.ends_with(&format!("`: unreachable: {hint}")),
                "{said}"
            );
            let numbers = without_numbers(&hint);
            let expected =
                "not asked now: it has failed for # s (the last time: unreachable); it is tried again in # s";
            assert_eq!(numbers, expected, "{hint}");
            scene.hunt.check_error("left alone", failed);
        }
        scene.hunt.check_debug("a look at one left alone", &refreshed);
        scene.look(&config);

        // one call tries it, and is not answered
        shaky.inner.start();
        shaky.inner.stall();
        sleep(MINUTE).await;
        let refreshed = config.refresh().await;
        let hints: Vec<String> = refreshed.failed.iter().map(|e| without_numbers(e.what_to_do())).collect();
        let expected =
            "not asked now: it has failed for # s (the last time: unreachable); one call is trying it";
        assert!(hints.len() == 2 && hints.iter().any(|hint| hint == expected), "{hints:?}");
        scene.hunt.check_debug("a look while one tries", &refreshed);
        scene.look(&config);
    });
}

fn without_numbers(text: &str) -> String {
    let words = text.split(' ').map(|word| if word.parse::<u64>().is_ok() { "#" } else { word });
    words.collect::<Vec<_>>().join(" ")
}
