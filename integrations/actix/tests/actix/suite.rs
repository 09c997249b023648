//! Actix on the stage that all integrations share.

use actix_web::body::MessageBody;
use actix_web::dev::{Service, ServiceResponse};
use actix_web::http::{Method, StatusCode};
use actix_web::test::{TestRequest, init_service};
use actix_web::web::{self, Data, ServiceConfig};
use actix_web::{App, Error, HttpResponse};
use secretfig_actix::{Rejection, Secrets, health_routes, sections};
use secretfig_tests::integrations::{
    Answer, Backstage, Database, Leased, Refused, Reports, Stage, Unregistered, conformance,
};
use std::pin::Pin;

struct Actix;

type Answering = Pin<Box<dyn Future<Output = Result<ServiceResponse, Error>>>>;

/// An application, by what it does with a request.
struct Served(Box<dyn Fn(TestRequest) -> Answering>);

async fn serve(configure: impl FnOnce(&mut ServiceConfig)) -> Served {
    let service = init_service(App::new().configure(configure)).await;
    Served(Box::new(move |request| Box::pin(service.call(request.to_request()))))
}

impl Stage for Actix {
    const NAME: &'static str = "actix";
    type App = Served;

    async fn open(backstage: &Backstage) -> Served {
        let sections = sections(&backstage.config)
            .add(|app| &app.database)
            .add_keyed::<Reports, _>(|app| &app.reports)
            .add_keyed::<Leased, _>(|app| &app.leased);
        let required =
            sections.require::<(Database, Secrets<Database, Reports>, Secrets<Database, Leased>)>();
        let (configure, health) = (required.unwrap(), health_routes(&backstage.config));
        let backstage = Data::new(backstage.clone());
        serve(move |app| {
            app.configure(configure)
                .configure(health)
                .app_data(backstage)
                .route("/plain", web::get().to(async || "plain"))
                .route("/user", web::get().to(user))
                .route("/reports/user", web::get().to(reports_user))
                .route("/leased/user", web::get().to(leased_user))
                .route("/two", web::get().to(two))
                .route("/half", web::get().to(half))
                .route("/optional", web::get().to(optional))
                .route("/own-answer", web::get().to(own_answer))
                .route("/rejected", web::get().to(rejected))
                .route("/debug", web::get().to(debug))
                .route("/in-flight", web::get().to(in_flight))
                .route("/moment", web::get().to(moment));
        })
        .await
    }

    async fn send(app: &Served, method: &str, path: &str) -> Answer {
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        let head = method == Method::HEAD;
        let request = TestRequest::with_uri(path).method(method);
        let response = match (app.0)(request).await {
            Ok(response) => response.into_parts().1,
            Err(e) => e.error_response(),
        };
        let headers = response.headers().iter();
        let headers = headers.map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()));
        let (status, headers) = (response.status().as_u16(), headers.collect());
        let body = response.into_body().try_into_bytes().map_err(|_| "a stream").unwrap();
        // the connection leaves the body of a HEAD out, which is below this test client: see `server.rs`
        Answer { status, headers, body: if head { Vec::new() } else { body.to_vec() } }
    }

    async fn refused(backstage: &Backstage) -> Refused {
        let sections = sections(&backstage.config).add(|app| &app.database);
        let e = sections.require::<(Database, Unregistered)>().err().expect("a section is missing");
        Refused::AtStartUp(format!("{e}\n{e:?}"))
    }

    async fn unseen(backstage: &Backstage) -> Option<Served> {
        let configure = sections(&backstage.config).require::<()>().unwrap();
        let app = serve(move |app| {
            app.configure(configure).route("/unregistered", web::get().to(unregistered));
        });
        Some(app.await)
    }
}

async fn unregistered(_: Secrets<Unregistered>) -> &'static str {
    "a section out of nowhere"
}

async fn user(Secrets(db): Secrets<Database>) -> String {
    db.show()
}

async fn reports_user(Secrets(db): Secrets<Database, Reports>) -> String {
    db.show()
}

async fn leased_user(Secrets(db): Secrets<Database, Leased>) -> String {
    db.show()
}

async fn two(main: Secrets<Database>, reports: Secrets<Database, Reports>) -> String {
    format!("{} {}", main.show(), reports.show())
}

async fn half(main: Option<Secrets<Database>>, leased: Secrets<Database, Leased>) -> String {
    format!("{} {}", main.map_or_else(|| "without".to_owned(), |db| db.show()), leased.show())
}

async fn optional(db: Option<Secrets<Database>>) -> String {
    db.map_or_else(|| "without".to_owned(), |db| db.show())
}

async fn own_answer(db: Result<Secrets<Database>, Rejection>) -> HttpResponse {
    let (status, text) = match &db {
        Ok(db) => Backstage::own_answer(Ok(db)),
        Err(e) => Backstage::own_answer(Err(e.reason().map(|reason| reason.cause()))),
    };
    HttpResponse::build(StatusCode::from_u16(status).unwrap()).body(text)
}

async fn rejected(db: Result<Secrets<Database>, Rejection>) -> Result<String, Rejection> {
    db.map(|db| db.show())
}

async fn debug(db: Secrets<Database>) -> String {
    format!("{db:?}")
}

async fn in_flight(Secrets(db): Secrets<Database>, backstage: Data<Backstage>) -> String {
    backstage.in_flight(&db).await
}

async fn moment(backstage: Data<Backstage>) -> String {
    backstage.moment().await
}

#[tokio::test(start_paused = true)]
async fn keeps_the_promises_of_an_integration() {
    let done = conformance::<Actix>().await;
    println!("{done}");
    assert_eq!(done.skipped, [""; 0]);
}
