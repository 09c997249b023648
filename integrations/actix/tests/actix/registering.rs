//! The list of sections: what it finds at start-up, what it installs, and what taking one costs.

use actix_web::body::MessageBody;
use actix_web::dev::{Payload, ServiceResponse};
use actix_web::test::{TestRequest, call_service, init_service};
use actix_web::{App, FromRequest, ResponseError, web};
use secretfig::testing::FakeSource;
use secretfig::{Cause, Config, Live, SecretLayer, SecretString, Section};
use secretfig_actix::{Needs, Rejection, Secrets, sections};
use secretfig_tests::{Hunt, Marker, ScanAlloc};
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

struct Cache;

enum Reports {}
enum Archive {}

fn config(mail: Option<u8>) -> Config<Settings> {
    let [database, reports] = [1, 2].map(|n| Live::from(Database(n)));
    Config::fixed(Settings { database, reports, mail: mail.map(|n| Live::from(Mail(n))) })
}

/// What `require` says to this list of types.
fn said<N: Needs>(sections: &secretfig_actix::Sections<Settings>) -> Vec<String> {
    let Err(e) = sections.require::<N>() else { return Vec::new() };
    assert_eq!(e.to_string().lines().count(), 1 + e.types().count());
    assert_eq!(e.to_string(), format!("{e:?}"));
    e.to_string().lines().skip(1).map(str::to_owned).collect()
}

#[test]
fn require_names_every_type_that_is_not_there() {
    let sections = sections(&config(None))
        .add(|app| &app.database)
        .add_keyed::<Reports, _>(|app| &app.reports)
        .add_opt(|app| app.mail.as_ref());
    assert!(said::<()>(&sections).is_empty());
    assert!(said::<(Database,)>(&sections).is_empty());
    assert!(said::<(Database, Secrets<Database>, Secrets<Database, Reports>)>(&sections).is_empty());
    let said = said::<(Cache, Database, Mail, Secrets<Database, Archive>, Secrets<Cache>)>(&sections);
    assert_eq!(said.len(), 4, "{said:?}");
    assert!(said[0].contains("::Cache`: was not added") && !said[0].contains("Secrets<actix"), "{said:?}");
    assert!(said[1].contains("::Mail`: the configuration has no such part"), "{said:?}");
    assert!(said[2].contains("::Archive>`: was not added"), "{said:?}");
    assert!(said[3].contains("Secrets<") && said[3].contains("::Cache"), "{said:?}");
}

#[test]
fn a_section_with_a_key_is_not_the_one_without() {
    let keyed = sections(&config(None)).add_keyed::<Reports, _>(|app| &app.reports);
    assert_eq!(said::<(Database,)>(&keyed).len(), 1);
    let plain = sections(&config(None)).add(|app| &app.database);
    assert_eq!(said::<(Secrets<Database, Reports>,)>(&plain).len(), 1);
}

#[test]
fn up_to_twelve_types_and_every_one_counts() {
    let sections = sections(&config(Some(3))).add(|app| &app.database).add_opt(|app| app.mail.as_ref());
    type D = Database;
    type Twelve = (D, D, D, D, D, D, D, D, D, Cache, Mail, Secrets<Cache>);
    assert_eq!(said::<Twelve>(&sections).len(), 2);
    assert!(said::<(D, D, D, D, D, D, D, D, D, Mail, D, Secrets<Mail>)>(&sections).is_empty());
}

#[test]
fn two_that_cannot_be_told_apart_are_refused() {
    let sections = sections(&config(None))
        .add(|app| &app.database)
        .add(|app| &app.reports)
        .add_keyed::<Reports, _>(|app| &app.reports)
        .add_opt_keyed::<Reports, _>(|app| Some(&app.reports))
        .add_keyed::<Reports, _>(|app| &app.database);
    let said = said::<(Database,)>(&sections);
    assert_eq!(said.len(), 2, "each once: {said:?}");
    assert!(said.iter().all(|line| line.contains("was added twice")), "{said:?}");
}

async fn texts<B: MessageBody>(response: ServiceResponse<B>) -> (u16, String) {
    let status = response.status().as_u16();
    let body = response.into_body().try_into_bytes().map_err(|_| "a stream").unwrap();
    (status, String::from_utf8(body.to_vec()).unwrap())
}

async fn database(db: Secrets<Database>) -> String {
    db.0.0.to_string()
}

async fn reports(db: Secrets<Database, Reports>) -> String {
    db.0.0.to_string()
}

async fn mail(mail: Secrets<Mail>) -> String {
    mail.0.0.to_string()
}

async fn maybe_mail(mail: Option<Secrets<Mail>>) -> String {
    mail.map_or_else(|| "none".to_owned(), |mail| mail.0.0.to_string())
}

async fn asked(mail: Result<Secrets<Mail>, Rejection>) -> String {
    mail.map_or_else(|e| format!("{:?} {}", e.reason(), e.section()), |mail| mail.0.0.to_string())
}

#[tokio::test]
async fn a_part_that_may_not_be_there() {
    for (there, expected) in [(Some(3), "3"), (None, "none")] {
        let configure = sections(&config(there)).add_opt(|app| app.mail.as_ref()).require::<()>().unwrap();
        let app = App::new()
            .configure(configure)
            .route("/maybe", web::get().to(maybe_mail))
            .route("/mail", web::get().to(mail))
            .route("/asked", web::get().to(asked));
        let app = init_service(app).await;
        let get =
            async |path| texts(call_service(&app, TestRequest::with_uri(path).to_request()).await).await;
        assert_eq!(get("/maybe").await, (200, expected.to_owned()));
        let (status, body) = get("/mail").await;
        let (_, asked) = get("/asked").await;
        if there.is_some() {
            assert_eq!((status, &*body, &*asked), (200, "3", "3"));
        } else {
            assert_eq!((status, &*body), (500, "internal server error"));
            assert!(asked.starts_with("None ") && asked.ends_with("::Mail"), "{asked}");
        }
    }
}

/// Sections of a scope are those of the scope; outside of it there are none.
#[tokio::test]
async fn a_scope_has_its_own() {
    let config = config(None);
    let all = sections(&config).add(|app| &app.database).require::<(Database,)>().unwrap();
    let scoped = sections(&config).add_keyed::<Reports, _>(|app| &app.reports).require::<()>().unwrap();
    let scope = web::scope("/reports").configure(scoped).route(
        "/both",
        web::get()
            .to(async |a: Secrets<Database>, b: Secrets<Database, Reports>| format!("{} {}", a.0.0, b.0.0)),
    );
    let app = App::new()
        .configure(all)
        .service(scope)
        .route("/outside", web::get().to(reports))
        .route("/", web::get().to(database));
    let app = init_service(app).await;
    let get = async |path| texts(call_service(&app, TestRequest::with_uri(path).to_request()).await).await;
    assert_eq!(get("/").await, (200, "1".to_owned()));
    assert_eq!(get("/reports/both").await, (200, "1 2".to_owned()));
    assert_eq!(get("/outside").await.0, 500);
}

/// A handler that needs the section for longer than one revision finds it by its own type.
#[tokio::test]
async fn the_section_itself_is_there_too() {
    let configure = sections(&config(None)).add(|app| &app.database).require::<(Database,)>().unwrap();
    let handler = async |request: actix_web::HttpRequest| {
        let section = request.app_data::<Section<Database>>().expect("registered").clone();
        section.get().unwrap().0.to_string()
    };
    let app = init_service(App::new().configure(configure).route("/", web::get().to(handler))).await;
    let response = call_service(&app, TestRequest::default().to_request()).await;
    assert_eq!(texts(response).await, (200, "1".to_owned()));
}

#[derive(Deserialize)]
struct Tokens {
    token: Live<SecretString>,
}

async fn tokens(source: &FakeSource) -> Config<Tokens> {
    let layer = SecretLayer::from(source.clone()).put("token", "myapp/token");
    Config::<Tokens>::builder().merge(layer).max_stale(Duration::from_secs(60)).load().await.unwrap()
}

#[tokio::test]
async fn workers_share_sections_and_taking_one_allocates_nothing() {
    assert!(ScanAlloc::installed());
    let config = tokens(&FakeSource::new().with("myapp/token", "t0p-s3cret")).await;
    let configure = sections(&config).add(|app| &app.token).require::<(SecretString,)>().unwrap();
    assert_eq!(config.health().sections.len(), 1);
    let taken: Secrets<SecretString> = {
        let mut requests = Vec::new();
        for _ in 0..8 {
            let configure = configure.clone();
            // the requests of one worker
            let app = App::new().configure(configure).default_service(web::to(async |request| {
                let request: actix_web::HttpRequest = request;
                let mut payload = Payload::None;
                let (taken, allocations) = ScanAlloc::allocations_in(|| {
                    let taken = Secrets::<SecretString>::from_request(&request, &mut payload);
                    drop(Secrets::<SecretString>::from_request(&request, &mut payload));
                    taken
                });
                assert!(taken.await.is_ok());
                allocations.to_string()
            }));
            let app = init_service(app).await;
            let response = call_service(&app, TestRequest::default().to_request()).await;
            assert_eq!(texts(response).await, (200, "0".to_owned()), "allocations");
            requests.push(app);
        }
        assert_eq!(config.health().sections.len(), 1, "one section, however many workers");
        Secrets(config.section(|app| &app.token).get().unwrap())
    };
    assert!(format!("{taken:?}").starts_with("Secrets<secrecy::"));
}

#[tokio::test(start_paused = true)]
async fn a_rejection_shows_names_and_no_value() {
    let hunt = Hunt::new();
    let token = hunt.plant("token", Marker::random());
    let config = tokens(&FakeSource::new().with("myapp/token", token.text())).await;
    let configure = sections(&config).add(|app| &app.token).require::<()>().unwrap();
    tokio::time::advance(Duration::from_secs(60)).await;
    // whatever comes between the extractor and the response has the error itself
    let handler = async |token: Result<Secrets<SecretString>, Rejection>| -> Result<String, Rejection> {
        let e = token.expect_err("it is withheld");
        assert_eq!(e.reason().map(|reason| reason.cause()), Some(Cause::Stale));
        assert_eq!(e.reason().and_then(|reason| reason.secret_name()), Some("myapp/token"));
        assert_eq!((e.status_code().as_u16(), e.body_text()), (503, "service unavailable"));
        Err(e)
    };
    let app = init_service(App::new().configure(configure).route("/", web::get().to(handler))).await;
    let response = call_service(&app, TestRequest::default().to_request()).await;
    let error = response.response().error().expect("Actix keeps it for its middleware");
    let rejection = error.as_error::<Rejection>().expect("our own");
    assert!(std::error::Error::source(rejection).is_none());
    hunt.check_error("the rejection", rejection);
    hunt.check_display("Actix's error", error);
    hunt.check_debug("the response", response.response());
    hunt.finish();
}
