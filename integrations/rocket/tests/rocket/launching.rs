//! What stops a launch, who answers a 503, and the end of the Keeper.

use super::{launch, local};
use rocket::error::ErrorKind;
use rocket::http::{Accept, Status};
use rocket::local::asynchronous::Client;
use rocket::request::Request;
use rocket::{Build, Rocket, Route, catch, catchers, get, routes};
use secretfig::testing::FakeSource;
use secretfig::{Cause, Config, ExposeSecret, Live, SecretLayer, SecretString};
use secretfig_rocket::{Rejection, Secrets, health_routes, sections};
use secretfig_tests::{Hunt, Marker};
use serde::Deserialize;
use std::time::Duration;

#[derive(Deserialize)]
struct Settings {
    database: Live<Database>,
    reports: Live<Database>,
    mail: Option<Live<Mail>>,
}

#[derive(Deserialize)]
struct Database(u8);

#[derive(Deserialize)]
struct Mail(u8);

enum Reports {}
enum Archive {}

fn config(mail: Option<u8>) -> Config<Settings> {
    let [database, reports] = [1, 2].map(|n| Live::from(Database(n)));
    Config::fixed(Settings { database, reports, mail: mail.map(|n| Live::from(Mail(n))) })
}

#[get("/database")]
fn database(db: Secrets<Database>) -> String {
    db.0.0.to_string()
}

#[get("/archive")]
fn archive(db: Secrets<Database, Archive>) -> String {
    db.0.0.to_string()
}

#[get("/maybe-archive")]
fn maybe_archive(_db: Option<Secrets<Database, Archive>>) {}

#[get("/asked-archive")]
fn asked_archive(_db: Result<Secrets<Database, Archive>, Rejection>) {}

#[get("/mail")]
fn mail(mail: Secrets<Mail>) -> String {
    mail.0.0.to_string()
}

#[get("/maybe-mail")]
fn maybe_mail(mail: Option<Secrets<Mail>>) -> String {
    mail.map_or_else(|| "none".to_owned(), |mail| mail.0.0.to_string())
}

async fn refusal(rocket: Rocket<Build>) -> String {
    let e = rocket.ignite().await.expect_err("a launch that must be refused");
    match e.kind() {
        ErrorKind::SentinelAborts(who) => {
            who.iter().map(|sentry| sentry.type_name).collect::<Vec<_>>().join(" ")
        }
        ErrorKind::FailedFairings(which) => which.iter().map(|info| info.name).collect::<Vec<_>>().join(" "),
        other => panic!("refused for another reason: {other}"),
    }
}

#[tokio::test]
async fn every_form_of_a_missing_section_stops_the_launch() {
    let config = config(None);
    let rocket = |routes: Vec<Route>| {
        let sections = sections(&config).add(|app| &app.database).add_keyed::<Reports, _>(|app| &app.reports);
        rocket::custom(local()).attach(sections).mount("/", routes)
    };
    for routes in [routes![archive], routes![maybe_archive], routes![asked_archive]] {
        let said = refusal(rocket(routes)).await;
        assert!(said.contains("::Archive"), "{said}");
    }
    let said = refusal(rocket(routes![mail, archive, database])).await;
    assert!(said.contains("::Archive") && said.contains("::Mail"), "both at once: {said}");
    rocket(routes![database]).ignite().await.expect("nothing is missing");
    // and without the fairing nothing is there at all
    refusal(rocket::custom(local()).mount("/", routes![database])).await;
}

#[tokio::test]
async fn two_that_cannot_be_told_apart_stop_the_launch() {
    let config = config(None);
    let twice = sections(&config).add(|app| &app.database).add(|app| &app.reports);
    assert_eq!(refusal(rocket::custom(local()).attach(twice)).await, "secretfig sections");
    let optional = sections(&config)
        .add_opt_keyed::<Reports, Mail>(|app| app.mail.as_ref())
        .add_opt_keyed::<Reports, Mail>(|app| app.mail.as_ref());
    assert_eq!(refusal(rocket::custom(local()).attach(optional)).await, "secretfig sections");
    let apart = sections(&config).add(|app| &app.database).add_keyed::<Reports, _>(|app| &app.database);
    rocket::custom(local()).attach(apart).ignite().await.expect("a key tells them apart");
}

#[tokio::test]
async fn a_part_that_may_not_be_there() {
    for (there, expected, status) in [(Some(3), "3", 200), (None, "none", 500)] {
        let sections = sections(&config(there)).add_opt(|app| app.mail.as_ref());
        let rocket = rocket::custom(local()).attach(sections).mount("/", routes![mail, maybe_mail]);
        let client = Client::untracked(rocket).await.expect("it launches either way");
        let maybe = client.get("/maybe-mail").dispatch().await.into_string().await;
        assert_eq!(maybe.as_deref(), Some(expected));
        let response = client.get("/mail").dispatch().await;
        assert_eq!(response.status().code, status);
        let body = response.into_string().await.unwrap();
        assert!(!body.contains("Mail") && !body.contains("secretfig"), "{body}");
    }
}

#[derive(Deserialize)]
struct Tokens {
    token: Live<SecretString>,
}

const STALE: Duration = Duration::from_secs(60);

async fn tokens(source: &FakeSource) -> Config<Tokens> {
    let layer = SecretLayer::from(source.clone()).put("token", "myapp/token");
    Config::<Tokens>::builder().merge(layer).max_stale(STALE).load().await.unwrap()
}

#[get("/token")]
fn token(token: Secrets<SecretString>) -> &'static str {
    assert!(!token.expose_secret().is_empty());
    "ok"
}

#[get("/cached")]
fn cached(token: Option<Secrets<SecretString>>) -> (Status, &'static str) {
    assert!(token.is_none());
    (Status::ServiceUnavailable, "my own words")
}

#[get("/busy")]
fn busy() -> Status {
    Status::ServiceUnavailable
}

#[catch(503)]
fn own_503(request: &Request<'_>) -> String {
    format!("own 503 of {}", request.uri())
}

#[catch(default)]
fn own_default(status: Status, _: &Request<'_>) -> String {
    format!("own default of {}", status.code)
}

#[tokio::test(start_paused = true)]
async fn whoever_has_a_word_on_503_has_it() {
    let config = tokens(&FakeSource::new().with("myapp/token", "t0p-s3cret")).await;
    tokio::time::advance(STALE).await;
    let rocket = || {
        rocket::custom(local())
            .attach(sections(&config).add(|app| &app.token))
            .mount("/", routes![token, cached, busy])
            .mount("/api", routes![token])
    };
    let client = async |rocket| Client::untracked(rocket).await.unwrap();
    let said = async |client: &Client, path: &'static str| {
        let response = client.get(path).dispatch().await;
        assert_eq!(response.status(), Status::ServiceUnavailable, "{path}");
        response.into_string().await.unwrap()
    };

    let nobody = client(rocket()).await;
    assert_eq!(said(&nobody, "/token").await, "service unavailable");
    assert_eq!(said(&nobody, "/api/token").await, "service unavailable");
    assert_eq!(said(&nobody, "/cached").await, "my own words");
    // a 503 that is not ours stays Rocket's, in the form that was asked for
    assert!(said(&nobody, "/busy").await.contains("<h1>503: Service Unavailable</h1>"));
    let response = nobody.get("/busy").header(Accept::JSON).dispatch().await;
    assert!(response.headers().get_one("Retry-After").is_none());
    assert!(response.into_string().await.unwrap().contains("\"code\": 503"));

    let own = client(rocket().register("/", catchers![own_503])).await;
    assert_eq!(said(&own, "/token").await, "own 503 of /token");
    assert_eq!(said(&own, "/busy").await, "own 503 of /busy");

    let all = client(rocket().register("/", catchers![own_default])).await;
    assert_eq!(said(&all, "/token").await, "own default of 503");

    let below = client(rocket().register("/api", catchers![own_503])).await;
    assert_eq!(said(&below, "/api/token").await, "own 503 of /api/token");
    assert_eq!(said(&below, "/token").await, "service unavailable");
}

#[derive(Deserialize)]
struct WithMail {
    token: Live<SecretString>,
    mail: Option<Live<Mail>>,
}

#[get("/mail-or-token")]
fn mail_or_token(mail: Option<Secrets<Mail>>, _token: Secrets<SecretString>) {
    assert!(mail.is_none());
}

#[get("/gives-up")]
fn gives_up(token: Option<Secrets<SecretString>>) -> Status {
    assert!(token.is_none());
    Status::ServiceUnavailable
}

#[get("/never-there")]
fn never_there(token: Option<Secrets<SecretString>>, _mail: Secrets<Mail>) {
    assert!(token.is_none());
}

/// What an earlier guard met neither takes the answer's headers away nor makes a 500 of another section a 503.
#[tokio::test(start_paused = true)]
async fn the_guard_that_fails_makes_the_answer() {
    let source = FakeSource::new().with("myapp/token", "t0p-s3cret");
    let layer = SecretLayer::from(source).put("token", "myapp/token");
    let config = Config::<WithMail>::builder().merge(layer).max_stale(STALE).load().await.unwrap();
    tokio::time::advance(STALE).await;
    let sections = sections(&config).add(|app| &app.token).add_opt(|app| app.mail.as_ref());
    let rocket = rocket::custom(local())
        .attach(sections)
        .mount("/", routes![mail_or_token, gives_up, never_there, busy]);
    let client = Client::untracked(rocket).await.unwrap();
    // the last two: a bare 503 of the handler, after a withheld section (as documented) and without any
    for (path, status, ours) in [
        ("/mail-or-token", 503, true),
        ("/never-there", 500, false),
        ("/gives-up", 503, true),
        ("/busy", 503, false),
    ] {
        let response = client.get(path).dispatch().await;
        assert_eq!(response.status().code, status, "{path}");
        let headers = ["Retry-After", "Cache-Control"].map(|name| response.headers().get_one(name));
        let expected = if ours { [Some("30"), Some("no-store")] } else { [None, None] };
        assert_eq!(headers, expected, "{path}");
        let body = response.into_string().await.unwrap();
        assert_eq!(body == "service unavailable", ours, "{path}: {body}");
    }
}

#[get("/rejected")]
fn rejected(token: Result<Secrets<SecretString>, Rejection>) -> Result<(), Rejection> {
    Err(token.expect_err("it is withheld"))
}

#[tokio::test(start_paused = true)]
async fn a_rejection_shows_names_and_no_value() {
    let hunt = Hunt::new();
    let value = hunt.plant("token", Marker::random());
    let config = tokens(&FakeSource::new().with("myapp/token", value.text())).await;
    let rocket = rocket::custom(local())
        .attach(sections(&config).add(|app| &app.token))
        .mount("/", routes![token, rejected])
        .mount("/", health_routes(&config));
    let client = Client::untracked(rocket).await.unwrap();
    hunt.check_debug("the Rocket", client.rocket());
    tokio::time::advance(STALE).await;
    let request = client.get("/token");
    let outcome = request.inner().guard::<Secrets<SecretString>>().await;
    let (status, rejection) = outcome.failed().expect("it is withheld");
    assert_eq!((status, rejection.status()), (Status::ServiceUnavailable, status));
    assert_eq!(rejection.reason().map(|reason| reason.cause()), Some(Cause::Stale));
    assert_eq!(rejection.reason().and_then(|reason| reason.secret_name()), Some("myapp/token"));
    assert_eq!(rejection.body_text(), "service unavailable");
    assert!(std::error::Error::source(&rejection).is_none());
    hunt.check_error("the rejection", &rejection);
    hunt.check_debug("a request with it", request.inner());
    hunt.finish();
}

#[tokio::test]
async fn the_keeper_ends_as_rocket_does() {
    let source = FakeSource::new().with("myapp/token", "t0p-s3cret").watching();
    let config = tokens(&source).await;
    let sections = sections(&config).add(|app| &app.token).keeper(config.keep_fresh());
    let flight = launch(rocket::custom(local()).attach(sections).mount("/", routes![token])).await;
    assert_eq!(config.health().refresher, "running");
    flight.land().await;
    assert_eq!(config.health().refresher, "absent");
}

/// Whatever becomes of the launch, the Keeper is not left behind.
#[tokio::test]
async fn the_keeper_ends_with_a_refused_launch() {
    let config = tokens(&FakeSource::new().with("myapp/token", "t0p-s3cret")).await;
    let sections = sections(&config).add(|app| &app.token).keeper(config.keep_fresh());
    let rocket = rocket::custom(local()).attach(sections).mount("/", routes![mail]);
    assert!(refusal(rocket).await.contains("::Mail"));
    assert_eq!(config.health().refresher, "absent");
}
