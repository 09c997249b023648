//! The promises, one case each.

use super::scene::{GRACE, LEASE, MAX_STALE, Scene};
use super::{Refused, Stage, Suite};
use secretfig::source::Withdrawn;
use std::time::Duration;

/// The routes that answer 503 while `myapp/database` is withheld.
const NEEDY: [&str; 5] = ["/user", "/two", "/debug", "/in-flight", "/rejected"];

const READY: &str = r#"{"ready":true,"degraded":false}"#;
const DEGRADED: &str = r#"{"ready":true,"degraded":true}"#;
const NOT_READY: &str = r#"{"ready":false,"degraded":true}"#;

pub(super) async fn all<S: Stage>(suite: &mut Suite) {
    suite.case("served", served::<S>).await;
    suite.case("two of one type", two_of_one_type::<S>).await;
    suite.case("optional and result forms", forms::<S>).await;
    suite.case("Debug shows the type alone", debug::<S>).await;
    suite.case("a rotation between two requests", rotation::<S>).await;
    suite.case("many rotations between many requests", many_rotations::<S>).await;
    suite.case("a request keeps the revision it began with", in_flight::<S>).await;
    suite.case("one moment of several sections", moment::<S>).await;
    suite.case("withheld: stale", stale::<S>).await;
    suite.case("withheld: taken away", withdrawn::<S>).await;
    suite.case("withheld: the lease ended", lease_ended::<S>).await;
    suite.case("it comes back by itself", comes_back::<S>).await;
    suite.case("a Keeper withholds and brings back", keeper::<S>).await;
    suite.case("probes", probes::<S>).await;
    suite.case("HEAD", head::<S>).await;
    suite.case("no route, no method", unrouted::<S>).await;
    suite.case("the log says why, once", log::<S>).await;
    suite.case("the log names the section that refused the request", two_withheld::<S>).await;
    suite.case("a missing registration is refused", refused::<S>).await;
    suite.case("a missing registration that nobody saw", unseen::<S>).await;
}

type Ran<S> = (Scene<S>, bool);

async fn served<S: Stage>(scene: Scene<S>) -> Ran<S> {
    assert_eq!(scene.said("/plain").await, (200, "plain".to_owned()));
    assert_eq!(scene.said("/user").await, (200, "main-1".to_owned()));
    (scene, true)
}

async fn two_of_one_type<S: Stage>(scene: Scene<S>) -> Ran<S> {
    assert_eq!(scene.said("/reports/user").await, (200, "reports-1".to_owned()));
    assert_eq!(scene.said("/leased/user").await, (200, "leased-1".to_owned()));
    assert_eq!(scene.said("/two").await, (200, "main-1 reports-1".to_owned()));
    (scene, true)
}

async fn forms<S: Stage>(scene: Scene<S>) -> Ran<S> {
    for path in ["/optional", "/own-answer", "/rejected"] {
        assert_eq!(scene.said(path).await, (200, "main-1".to_owned()), "{path}");
    }
    (scene, true)
}

async fn debug<S: Stage>(scene: Scene<S>) -> Ran<S> {
    let (status, shown) = scene.said("/debug").await;
    assert_eq!(status, 200);
    assert!(shown.starts_with("Secrets<") && shown.ends_with("::Database>"), "{shown}");
    (scene, true)
}

async fn rotation<S: Stage>(scene: Scene<S>) -> Ran<S> {
    assert_eq!(scene.said("/user").await.1, "main-1");
    scene.rotate("myapp/database", "main-2");
    assert_eq!(scene.said("/user").await.1, "main-1", "nobody has looked yet");
    assert_eq!(scene.config.refresh().await.changed.len(), 1);
    for path in ["/user", "/optional", "/own-answer", "/rejected"] {
        assert_eq!(scene.said(path).await, (200, "main-2".to_owned()), "{path}");
    }
    assert_eq!(scene.said("/reports/user").await.1, "reports-1", "the other section stays");
    (scene, true)
}

async fn many_rotations<S: Stage>(scene: Scene<S>) -> Ran<S> {
    for n in 2..22 {
        scene.rotate("myapp/database", &format!("main-{n}"));
        scene.config.refresh().await;
        for _ in 0..10 {
            assert_eq!(scene.said("/two").await, (200, format!("main-{n} reports-1")));
        }
    }
    (scene, true)
}

async fn in_flight<S: Stage>(scene: Scene<S>) -> Ran<S> {
    assert_eq!(scene.said("/in-flight").await, (200, "main-1 main-2".to_owned()));
    assert_eq!(scene.said("/user").await, (200, "main-2".to_owned()));
    (scene, true)
}

async fn moment<S: Stage>(scene: Scene<S>) -> Ran<S> {
    assert_eq!(scene.said("/moment").await, (200, "main-1 reports-1 main-2 reports-2".to_owned()));
    (scene, true)
}

/// All answers while `myapp/database` is withheld for this cause.
async fn withheld<S: Stage>(scene: &Scene<S>, cause: &str) {
    for path in NEEDY {
        scene.unavailable(path).await;
    }
    assert_eq!(scene.said("/optional").await, (200, "without".to_owned()));
    assert_eq!(scene.said("/own-answer").await, (202, format!("own answer: {cause}")));
    assert_eq!(scene.said("/plain").await, (200, "plain".to_owned()));
}

async fn stale<S: Stage>(scene: Scene<S>) -> Ran<S> {
    scene.source.stop();
    tokio::time::advance(MAX_STALE - LEASE).await;
    assert_eq!(scene.said("/user").await.0, 200, "an outage is served through");
    scene.outage().await;
    withheld(&scene, "Stale").await;
    scene.unavailable("/reports/user").await;
    (scene, true)
}

async fn withdrawn<S: Stage>(scene: Scene<S>) -> Ran<S> {
    scene.source.withdraw("myapp/database", Withdrawn::Deleted);
    scene.config.refresh().await;
    // two sightings within a moment are one
    tokio::time::advance(Duration::from_secs(5)).await;
    scene.config.refresh().await;
    assert_eq!(scene.said("/user").await.0, 200, "served for the grace");
    tokio::time::advance(GRACE).await;
    withheld(&scene, "Withdrawn").await;
    assert_eq!(scene.said("/reports/user").await.0, 200, "the other section stays");
    assert_eq!(scene.said("/ready").await, (503, NOT_READY.to_owned()));
    (scene, true)
}

async fn lease_ended<S: Stage>(scene: Scene<S>) -> Ran<S> {
    tokio::time::advance(LEASE - Duration::from_secs(1)).await;
    assert_eq!(scene.said("/leased/user").await.0, 200);
    tokio::time::advance(Duration::from_secs(1)).await;
    scene.unavailable("/leased/user").await;
    assert_eq!(scene.said("/user").await.0, 200, "the other sections stay");
    (scene, true)
}

async fn comes_back<S: Stage>(scene: Scene<S>) -> Ran<S> {
    scene.outage().await;
    scene.unavailable("/user").await;
    scene.source.start();
    scene.rotate("myapp/database", "main-2");
    scene.config.refresh().await;
    assert_eq!(scene.said("/user").await, (200, "main-2".to_owned()));
    assert_eq!(scene.said("/optional").await, (200, "main-2".to_owned()));
    (scene, true)
}

async fn keeper<S: Stage>(scene: Scene<S>) -> Ran<S> {
    let keeper = scene.config.keep_fresh();
    scene.rotate("myapp/database", "main-2");
    tokio::time::sleep(MAX_STALE).await;
    assert_eq!(scene.said("/user").await, (200, "main-2".to_owned()), "nobody asked for it");
    scene.source.stop();
    tokio::time::sleep(2 * MAX_STALE).await;
    scene.unavailable("/user").await;
    scene.source.start();
    tokio::time::sleep(MAX_STALE).await;
    assert_eq!(scene.said("/user").await, (200, "main-2".to_owned()));
    keeper.shutdown(Duration::from_secs(1)).await;
    (scene, true)
}

async fn probes<S: Stage>(scene: Scene<S>) -> Ran<S> {
    let probe = async |path: &str, status: u16, body: &str| {
        let answer = scene.get(path).await;
        assert_eq!((answer.status, &*answer.text()), (status, body), "{path}");
        assert_eq!(answer.header("content-type"), Some("application/json"), "{path}");
        assert_eq!(answer.header("cache-control"), Some("no-store"), "{path}");
    };
    probe("/health", 200, r#"{"alive":true}"#).await;
    probe("/ready", 200, READY).await;
    scene.source.deny("myapp/reports");
    scene.config.refresh().await;
    probe("/ready", 200, DEGRADED).await;
    scene.source.allow("myapp/reports");
    scene.config.refresh().await;
    probe("/ready", 200, READY).await;
    scene.outage().await;
    probe("/ready", 503, NOT_READY).await;
    // the process lives all the same: a restart would only take away what it still holds
    probe("/health", 200, r#"{"alive":true}"#).await;
    (scene, true)
}

/// A framework answers HEAD by the route of GET, or does not: a section changes nothing about that.
async fn head<S: Stage>(scene: Scene<S>) -> Ran<S> {
    let routed = scene.send("HEAD", "/plain").await.status == 200;
    let user = scene.send("HEAD", "/user").await;
    assert_eq!((user.status == 200, user.body.is_empty()), (routed, true));
    for path in ["/health", "/ready"] {
        let answer = scene.send("HEAD", path).await;
        assert_eq!((answer.status, answer.body.is_empty()), (200, true), "{path}");
        assert_eq!(answer.header("content-type"), Some("application/json"), "{path}");
    }
    scene.outage().await;
    let user = scene.send("HEAD", "/user").await;
    assert!(user.body.is_empty());
    if routed {
        assert_eq!((user.status, user.header("retry-after")), (503, Some("30")));
    }
    let ready = scene.send("HEAD", "/ready").await;
    assert_eq!((ready.status, ready.body.is_empty()), (503, true));
    (scene, true)
}

/// What no handler answers is the framework's, with a section as without, also while that is withheld.
async fn unrouted<S: Stage>(scene: Scene<S>) -> Ran<S> {
    let mut answers = Vec::new();
    for _ in 0..2 {
        for (method, path) in
            [("POST", "/plain"), ("POST", "/user"), ("DELETE", "/user"), ("GET", "/nowhere")]
        {
            let answer = scene.send(method, path).await;
            assert!([404, 405].contains(&answer.status), "{method} {path}: {}", answer.status);
            let headers: Vec<_> = answer.headers.iter().filter(|(name, _)| name != "date").cloned().collect();
            answers.push((answer.status, headers, answer.text()));
        }
        let ready = scene.send("POST", "/ready").await;
        assert!([404, 405].contains(&ready.status), "{}", ready.status);
        scene.outage().await;
    }
    let (before, withheld) = answers.split_at(4);
    assert_eq!(before[0], before[1], "a section makes a difference where no handler runs");
    assert_eq!(before, withheld, "an outage makes a difference where no handler runs");
    (scene, true)
}

/// Of three requests one is refused, and that is one line; the other two had answers of their own.
async fn log<S: Stage>(scene: Scene<S>) -> Ran<S> {
    scene.get("/user").await;
    let quiet = scene.traced();
    assert!(!quiet.contains("withheld"), "{quiet}");
    scene.outage().await;
    for path in ["/user", "/optional", "/own-answer"] {
        scene.get(path).await;
    }
    let said = scene.traced();
    let lines: Vec<&str> = said.lines().filter(|line| line.contains(" secretfig: ")).collect();
    assert_eq!(lines.len(), 1, "{said}");
    assert!(lines[0].contains("DEBUG") && lines[0].contains("`myapp/database` is withheld: "), "{said}");
    assert!(lines[0].contains("::Database"), "{said}");
    scene.get("/rejected").await;
    assert_eq!(scene.traced().matches("`myapp/database` is withheld: ").count(), 1, "made into a response");
    (scene, true)
}

/// An optional section that is withheld refuses nothing: what does is the one after it.
async fn two_withheld<S: Stage>(scene: Scene<S>) -> Ran<S> {
    assert_eq!(scene.said("/half").await, (200, "main-1 leased-1".to_owned()));
    scene.outage().await;
    scene.traced();
    scene.unavailable("/half").await;
    let said = scene.traced();
    let lines: Vec<&str> = said.lines().filter(|line| line.contains(" secretfig: ")).collect();
    assert_eq!(lines.len(), 1, "{said}");
    assert!(lines[0].contains("`myapp/leased` is withheld: "), "{said}");
    (scene, true)
}

async fn refused<S: Stage>(scene: Scene<S>) -> Ran<S> {
    match S::refused(&scene.backstage).await {
        Refused::ByTheCompiler => {}
        Refused::AtStartUp(said) => {
            scene.hunt.check("how start-up refuses", &said);
            let said = format!("{said}\n{}", scene.traced());
            assert!(said.contains("::Unregistered"), "it does not say which: {said}");
        }
    }
    (scene, true)
}

async fn unseen<S: Stage>(scene: Scene<S>) -> Ran<S> {
    let Some(app) = S::unseen(&scene.backstage).await else { return (scene, false) };
    scene.traced();
    let answer = scene.send_to(&app, "GET", "/unregistered").await;
    assert_eq!(answer.status, 500, "{}", answer.text());
    let said = scene.traced();
    let lines: Vec<&str> =
        said.lines().filter(|line| line.contains("ERROR") && line.contains(" secretfig: ")).collect();
    assert_eq!(lines.len(), 1, "{said}");
    assert!(lines[0].contains("::Unregistered") && lines[0].contains("sections"), "{said}");
    (scene, true)
}
