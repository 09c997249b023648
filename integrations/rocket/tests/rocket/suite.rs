//! Rocket on the stage that all integrations share.

use rocket::http::{Method, Status};
use rocket::local::asynchronous::Client;
use rocket::{Build, Request, Rocket, State, get, routes};
use secretfig_rocket::{Rejection, Secrets, health_routes, sections};
use secretfig_tests::integrations::{
    Answer, Backstage, Database, Leased, Refused, Reports, Stage, Unregistered, conformance,
};

struct InRocket;

/// No file, no variable, and all that Rocket logs.
fn rocket() -> Rocket<Build> {
    rocket::custom(rocket::Config {
        log_level: rocket::config::LogLevel::Debug,
        ..rocket::Config::debug_default()
    })
}

impl Stage for InRocket {
    const NAME: &'static str = "rocket";
    type App = Client;

    async fn open(backstage: &Backstage) -> Client {
        let sections = sections(&backstage.config)
            .add(|app| &app.database)
            .add_keyed::<Reports, _>(|app| &app.reports)
            .add_keyed::<Leased, _>(|app| &app.leased);
        let rocket = rocket()
            .attach(sections)
            .manage(backstage.clone())
            .mount("/", routes![plain, user, reports_user, leased_user, two, optional, own_answer, rejected])
            .mount("/", routes![half, debug, in_flight, moment])
            .mount("/", health_routes(&backstage.config));
        Client::untracked(rocket).await.unwrap()
    }

    async fn send(client: &Client, method: &str, path: &str) -> Answer {
        let method: Method = method.parse().unwrap();
        let response = client.req(method, path).dispatch().await;
        let headers = response.headers().iter();
        let headers =
            headers.map(|header| (header.name().as_str().to_lowercase(), header.value().to_owned()));
        let (status, headers) = (response.status().code, headers.collect());
        Answer { status, headers, body: response.into_bytes().await.unwrap_or_default() }
    }

    async fn refused(backstage: &Backstage) -> Refused {
        let sections = sections(&backstage.config).add(|app| &app.database);
        let launch = rocket().attach(sections).mount("/", routes![user, unregistered]).ignite().await;
        let e = launch.expect_err("a section is missing");
        Refused::AtStartUp(format!("{e}\n{e:?}"))
    }

    async fn unseen(backstage: &Backstage) -> Option<Client> {
        let rocket = rocket().attach(sections(&backstage.config)).mount("/", routes![by_hand]);
        Some(Client::untracked(rocket).await.unwrap())
    }
}

#[get("/unregistered")]
fn unregistered(_section: Option<Secrets<Unregistered>>) -> &'static str {
    "a section out of nowhere"
}

/// A guard that asks for another one, which Rocket cannot know.
struct ByHand;

#[rocket::async_trait]
impl<'r> rocket::request::FromRequest<'r> for ByHand {
    type Error = Rejection;

    async fn from_request(request: &'r Request<'_>) -> rocket::request::Outcome<Self, Rejection> {
        request.guard::<Secrets<Unregistered>>().await.map(|_| ByHand)
    }
}

#[get("/unregistered")]
fn by_hand(_guard: ByHand) -> &'static str {
    "a section out of nowhere"
}

#[get("/plain")]
fn plain() -> &'static str {
    "plain"
}

#[get("/user")]
fn user(db: Secrets<Database>) -> String {
    db.show()
}

#[get("/reports/user")]
fn reports_user(db: Secrets<Database, Reports>) -> String {
    db.show()
}

#[get("/leased/user")]
fn leased_user(db: Secrets<Database, Leased>) -> String {
    db.show()
}

#[get("/two")]
fn two(main: Secrets<Database>, reports: Secrets<Database, Reports>) -> String {
    format!("{} {}", main.show(), reports.show())
}

#[get("/half")]
fn half(main: Option<Secrets<Database>>, leased: Secrets<Database, Leased>) -> String {
    format!("{} {}", main.map_or_else(|| "without".to_owned(), |db| db.show()), leased.show())
}

#[get("/optional")]
fn optional(db: Option<Secrets<Database>>) -> String {
    db.map_or_else(|| "without".to_owned(), |db| db.show())
}

#[get("/own-answer")]
fn own_answer(db: Result<Secrets<Database>, Rejection>) -> (Status, String) {
    let (status, text) = match &db {
        Ok(db) => Backstage::own_answer(Ok(db)),
        Err(e) => Backstage::own_answer(Err(e.reason().map(|reason| reason.cause()))),
    };
    (Status::new(status), text)
}

#[get("/rejected")]
fn rejected(db: Result<Secrets<Database>, Rejection>) -> Result<String, Rejection> {
    db.map(|db| db.show())
}

#[get("/debug")]
fn debug(db: Secrets<Database>) -> String {
    format!("{db:?}")
}

#[get("/in-flight")]
async fn in_flight(db: Secrets<Database>, backstage: &State<Backstage>) -> String {
    backstage.in_flight(&db).await
}

#[get("/moment")]
async fn moment(backstage: &State<Backstage>) -> String {
    backstage.moment().await
}

#[tokio::test(start_paused = true)]
async fn keeps_the_promises_of_an_integration() {
    let done = conformance::<InRocket>().await;
    println!("{done}");
    assert_eq!(done.skipped, [""; 0]);
}
