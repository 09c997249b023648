//! A thousand requests that hang at once, on one thread, and a reader beside them that waits for none.

use crate::victims::{SECRET, vault};
use secretfig::{Config, ExposeSecret, Live, SecretLayer, SecretString, SystemClock};
use secretfig_source::protocol::{Credential, Http, HttpFault, Limits, Origin, Request};
use secretfig_tests::Marker;
use secretfig_tests::hostile::{Move, Script, Server};
use secretfig_transport::{Settings, Transport};
use secretfig_vault::{Auth, Vault};
use serde::Deserialize;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::runtime::Runtime;
use tokio::task::JoinSet;
use tokio::time::Instant;

const HANGING: usize = 1_000;
const DEADLINE: Duration = Duration::from_secs(3);
const LATE: Duration = Duration::from_millis(100);

#[derive(Deserialize)]
struct App {
    database: Live<Database>,
}

#[derive(Deserialize)]
struct Database {
    password: SecretString,
}

#[tokio::test(flavor = "current_thread")]
async fn a_reader_waits_for_none_of_a_thousand_that_hang() {
    // the manager has a thread of its own, so that all that is measured here is the client's
    let elsewhere = Runtime::new().unwrap();
    let (secret, hanging) = (word(), Arc::new(AtomicBool::new(false)));
    let script = Script::Answering({
        let (secret, hanging) = (secret.clone(), hanging.clone());
        Box::new(move |request| match hanging.load(Ordering::SeqCst) {
            true => vec![Move::Hold],
            false => {
                let (status, body) = vault(&request.path, &secret);
                vec![Move::reply(status, "Content-Type: application/json\r\n", body)]
            }
        })
    });
    let manager = elsewhere.spawn(Server::plain(script)).await.unwrap().unwrap();
    let address = format!("http://{}", manager.address());

    let token = word();
    let settings = secretfig_vault::Settings::new(&address, Auth::Token(token.as_str().into())).unwrap();
    let source = Vault::new(settings.timeout(DEADLINE), Arc::new(SystemClock::default())).unwrap();
    let layer = SecretLayer::from(source).put("database", "secret/myapp");
    let config = Config::<App>::builder().merge(layer).attempt_timeout(DEADLINE).deadline(DEADLINE);
    let config = Arc::new(config.load().await.unwrap());
    let database = config.section(|app| &app.database);
    assert_eq!(database.get().unwrap().password.expose_secret(), secret);

    hanging.store(true, Ordering::SeqCst);
    let before = manager.seen().requests;
    let origin = Origin::parse(&address).unwrap();
    let transport = Transport::new(Settings::default()).unwrap();
    let mut asked = JoinSet::new();
    let began = Instant::now();
    for _ in 0..HANGING {
        let token = Credential::bearer(&origin, &token).unwrap();
        let request = Request::get(&origin, [SECRET.trim_matches('/')]).unwrap().credential(&token).unwrap();
        let transport = transport.clone();
        asked.spawn(async move {
            let limits = Limits { deadline: DEADLINE, ..Limits::default() };
            let began = Instant::now();
            let fault = transport.send(request, limits).await.map(|_| ()).unwrap_err().fault();
            (fault, began.elapsed())
        });
    }
    let refreshed = tokio::spawn({
        let config = config.clone();
        async move { config.refresh().await }
    });

    // all of them hang before the reader's time begins to count
    let all_hang = async {
        while manager.seen().requests < before + HANGING {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(DEADLINE - LATE, all_hang).await.expect("a thousand requests, all unanswered");
    let (mut reads, mut slowest, mut longest) = (0_u64, Duration::ZERO, Duration::ZERO);
    let until = began + DEADLINE - LATE;
    let mut last = Instant::now();
    let first = last;
    while last < until {
        let read = database.get().unwrap();
        assert!(read.password.expose_secret() == secret);
        drop(read);
        let now = Instant::now();
        slowest = slowest.max(now - last);
        reads += 1;
        // the others' turn
        tokio::task::yield_now().await;
        last = Instant::now();
        longest = longest.max(last - now);
    }
    let hung = last - first;
    assert!(asked.try_join_next().is_none(), "they hang while it reads");
    assert!(reads > 1_000, "{reads} reads in {hung:?}");

    let mut latest = Duration::ZERO;
    while let Some(ended) = asked.join_next().await {
        let (fault, took) = ended.unwrap();
        assert_eq!(fault, HttpFault::Timeout);
        latest = latest.max(took);
    }
    let _refreshed = refreshed.await.unwrap();
    assert!(database.get().unwrap().password.expose_secret() == secret);
    println!(
        "hung: {HANGING} requests, {reads} reads in {hung:?}, the slowest {slowest:?}, the longest wait for a turn \
         {longest:?}, the last request ended {:?} after its deadline",
        latest.saturating_sub(DEADLINE)
    );
    elsewhere.shutdown_background();
}

/// What both JSON and a header can hold.
fn word() -> String {
    Marker::random().text().chars().filter(char::is_ascii_alphanumeric).collect()
}
