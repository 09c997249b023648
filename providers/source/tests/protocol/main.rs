//! A toy manager spoken to by hand, over an HTTP in memory: the conformance suite, and what only a
//! server can do wrong.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests fail by panicking")]
#![allow(unreachable_pub, reason = "one binary of three files")]

mod server;
mod toy;

use futures_util::future::join_all;
use http::StatusCode;
use secretfig_source::protocol::{
    Answers, Asking, Credential, Exchange, HttpError, HttpFault, Limits, MAX_STEPS, Now, Origin, Over,
    Protocol, Reply, Request, SignedIn, Step,
};
use secretfig_source::testing::{Stage, Wait, conformance};
use secretfig_source::{
    Ask, Clock, ErrorKind, Fetched, Identity, Probe, Reading, Source, SourceError, SourceInfo, Tick,
    Withdrawn, async_trait,
};
use server::{Server, bytes, reply};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::time::{Duration, SystemTime};
use toy::Toy;
use zeroize::Zeroizing;

/// A clock that a test sets.
#[derive(Default)]
struct Set(AtomicU64);

impl Clock for Set {
    fn tick(&self) -> Tick {
        Tick::from_start(Duration::from_secs(self.0.load(SeqCst)))
    }
    fn wall(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH
    }
}

struct Place {
    server: Arc<Server>,
    clock: Arc<Set>,
    source: Arc<Over<Toy, Arc<Server>>>,
}

fn place(session: u64) -> Place {
    let (server, clock) = (Arc::new(Server::default()), Arc::new(Set::default()));
    let toy = Toy { origin: Origin::parse("https://toy.example").unwrap(), session };
    Place { source: Arc::new(Over::new(toy, server.clone(), clock.clone())), server, clock }
}

impl Place {
    async fn get(&self, name: &str) -> Result<Vec<u8>, ErrorKind> {
        let answer = self.source.fetch(&[Ask::new(name)]).await.remove(0);
        answer.map(|fetched| bytes(&fetched)).map_err(|e| e.kind())
    }
}

#[async_trait]
impl Stage for Place {
    fn source(&self) -> Arc<dyn Source> {
        self.source.clone()
    }
    fn name(&self, plain: &str) -> String {
        format!("team/{plain}")
    }
    async fn put(&self, name: &str, value: &[u8]) {
        self.server.fake.put_bytes(name, value);
    }
    async fn turn(&self, name: &str) -> Option<Reading> {
        let made_up = self.server.made_up.fetch_add(1, SeqCst);
        self.server.fake.put(name, &format!("gzxwvq-{made_up}-kqzvwx"));
        Some(self.reading())
    }
    async fn remove(&self, name: &str) {
        self.server.fake.remove(name);
    }
    async fn deny(&self, name: &str) -> bool {
        self.server.fake.deny(name);
        true
    }
    async fn outage(&self, on: bool) -> bool {
        *self.server.befalls.lock().unwrap() = on.then_some(HttpError::new(HttpFault::Transport));
        true
    }
    async fn step_back(&self, name: &str) -> bool {
        self.server.fake.step_back(name);
        true
    }
    async fn withdraw(&self, name: &str) -> bool {
        self.server.fake.withdraw(name, Withdrawn::Deleted);
        true
    }
    async fn within(&self, limit: Duration, wait: Wait<'_>) -> bool {
        tokio::time::timeout(limit, wait).await.is_ok()
    }
}

#[tokio::test(start_paused = true)]
async fn a_source_spoken_to_by_hand_keeps_the_contract() {
    let place = place(0);
    let done = conformance(&place).await;
    let skipped: Vec<_> = done.skipped.iter().map(|(name, _)| *name).collect();
    assert_eq!(skipped, ["times of creation", "watch", "leases", "renewal", "revocation"], "{done}");
    assert_eq!(place.server.logins.load(SeqCst), 1);
}

#[tokio::test]
async fn eight_calls_with_an_old_token_sign_in_once() {
    let place = place(0);
    place.server.fake.put("a", "x");
    for round in 1..=3 {
        for answer in join_all((0..8).map(|_| place.get("a"))).await {
            assert_eq!(answer, Ok(b"x".to_vec()));
        }
        assert_eq!(place.server.logins.load(SeqCst), round);
        place.server.expired.store(round, SeqCst);
    }
}

#[tokio::test]
async fn a_refused_sign_in_is_shared_and_not_kept() {
    let place = place(0);
    *place.server.login.lock().unwrap() = Some(StatusCode::FORBIDDEN);
    for answer in join_all((0..8).map(|_| place.get("a"))).await {
        assert_eq!(answer, Err(ErrorKind::Unauthenticated));
    }
    assert_eq!(place.server.logins.load(SeqCst), 1);
    *place.server.login.lock().unwrap() = None;
    assert_eq!(place.get("a").await, Err(ErrorKind::Absent));
    assert_eq!(place.source.sign_in().await, Ok(Some(Identity::new("role"))));
    assert_eq!(place.server.logins.load(SeqCst), 2);
}

#[tokio::test]
async fn alone_each_call_signs_in_for_itself() {
    let server = Arc::new(Server::default());
    let toy = Toy { origin: Origin::parse("https://toy.example").unwrap(), session: 0 };
    let source = Over::new(toy, server.clone(), Arc::new(Set::default())).signing_in_alone();
    let asks = [Ask::new("a")];
    join_all((0..3).map(|_| source.fetch(&asks))).await;
    assert_eq!(server.logins.load(SeqCst), 3);
}

#[tokio::test]
async fn a_session_that_is_over_is_not_tried() {
    let place = place(60);
    place.server.fake.put("a", "x");
    for (now, logins) in [(0, 1), (59, 1), (60, 2), (61, 2)] {
        place.clock.0.store(now, SeqCst);
        assert_eq!(place.get("a").await, Ok(b"x".to_vec()));
        assert_eq!(place.server.logins.load(SeqCst), logins, "at {now} s");
    }
}

#[tokio::test]
async fn a_server_that_never_accepts_is_asked_twice() {
    let place = place(0);
    place.server.expired.store(usize::MAX, SeqCst);
    assert_eq!(place.get("a").await, Err(ErrorKind::Unauthenticated));
    assert_eq!((place.server.logins.load(SeqCst), place.server.requests.load(SeqCst)), (2, 4));
}

#[tokio::test]
async fn what_befalls_a_request_is_told_of_each_secret() {
    let place = place(0);
    assert!(place.source.sign_in().await.is_ok());
    for (fault, kind) in [
        (HttpFault::Timeout, ErrorKind::Timeout),
        (HttpFault::Transport, ErrorKind::Transport),
        (HttpFault::Tls, ErrorKind::Tls),
        (HttpFault::TooLarge, ErrorKind::TooLarge),
        (HttpFault::Misconfigured, ErrorKind::Misconfigured),
    ] {
        *place.server.befalls.lock().unwrap() = Some(HttpError::new(fault).hint("`HTTPS_PROXY` is ignored"));
        let answers = place.source.fetch(&[Ask::new("a"), Ask::new("..")]).await;
        let texts: Vec<_> = answers.into_iter().map(|answer| answer.unwrap_err().to_string()).collect();
        assert_eq!(texts[0], format!("toy: `a`: {kind}: `HTTPS_PROXY` is ignored"));
        assert_eq!(
            texts[1], "toy: `..`: misconfigured: a name with an empty part, or with a part of dots",
            "never sent"
        );
    }
    *place.server.befalls.lock().unwrap() = None;
    *place.server.read.lock().unwrap() = Some(StatusCode::TOO_MANY_REQUESTS);
    let throttled = ErrorKind::Throttled { retry_after: Some(Duration::from_secs(7)) };
    assert_eq!(place.get("a").await, Err(throttled));
    *place.server.read.lock().unwrap() = Some(StatusCode::IM_A_TEAPOT);
    assert_eq!(place.get("a").await, Err(ErrorKind::Malformed));
}

#[tokio::test]
async fn a_reply_beyond_the_limit_is_not_read() {
    let server = Arc::new(Server::default());
    server.fake.put("small", "four");
    server.fake.put("large", "5, and over the limit");
    let toy = Toy { origin: Origin::parse("https://toy.example").unwrap(), session: 0 };
    let limits = Limits { max_bytes: 10, ..Limits::default() };
    let source = Over::new(toy, server, Arc::new(Set::default())).limits(limits);
    let answers = source.fetch(&[Ask::new("small"), Ask::new("large")]).await;
    assert!(answers[0].is_ok());
    assert_eq!(answers[1].as_ref().unwrap_err().kind(), ErrorKind::TooLarge);
}

// -- a protocol that a server leads in circles, and one that gives too few answers --

struct Odd(Origin);

struct Circle<'a>(&'a Origin);

impl Exchange for Circle<'_> {
    type Output = Answers<Fetched>;
    fn step(&mut self, _: Vec<Result<Reply, HttpError>>, _: Now) -> Step<Self::Output> {
        Step::Send(vec![Request::get(self.0, ["login"]).unwrap()])
    }
}

impl Protocol for Odd {
    type Session = ();
    fn info(&self) -> SourceInfo {
        SourceInfo::new("odd", self.0.as_str())
    }
    fn sign_in(&self) -> Asking<'_, Result<SignedIn<()>, SourceError>> {
        secretfig_source::protocol::ready(Ok(SignedIn::new(())))
    }
    fn fetch<'a>(&'a self, _: Arc<()>, asks: &'a [Ask]) -> Asking<'a, Answers<Fetched>> {
        match asks.len() {
            1 => Box::new(Circle(&self.0)),
            _ => secretfig_source::protocol::ready(Vec::new()),
        }
    }
}

#[tokio::test]
async fn circles_end_and_missing_answers_are_made_up_for() {
    let server = Arc::new(Server::default());
    let odd = Odd(Origin::parse("https://toy.example").unwrap());
    let source = Over::new(odd, server.clone(), Arc::new(Set::default()));
    for asks in [&[Ask::new("a")][..], &[Ask::new("a"), Ask::new("b")]] {
        let answers = source.fetch(asks).await;
        assert_eq!(answers.len(), asks.len());
        for (answer, ask) in answers.iter().zip(asks) {
            let error = answer.as_ref().unwrap_err();
            assert_eq!((error.kind(), error.secret_name()), (ErrorKind::Malformed, Some(ask.name())));
        }
    }
    assert_eq!(server.requests.load(SeqCst), MAX_STEPS);
    assert_eq!(source.probe(&[Ask::new("a")]).await, [Ok(Probe::Unknown)]);
    let lease = secretfig_source::Lease::new("x", Duration::ZERO, true);
    assert_eq!(source.revoke(&lease).await.unwrap_err().kind(), ErrorKind::Misconfigured);
}

#[test]
fn nothing_prints_a_token_a_query_or_a_body() {
    let origin = Origin::parse("https://toy.example").unwrap();
    let token = Credential::bearer(&origin, "planted").unwrap();
    let request = Request::get(&origin, ["v1", "my app"]).unwrap().query("q", "planted");
    let request = request.credential(&token).unwrap();
    let request = request.header("accept", "planted").unwrap();
    let request = request.body("text/plain", Zeroizing::new(b"planted".to_vec()));
    let reply = reply(StatusCode::OK, "planted", b"planted".to_vec());
    assert_eq!(format!("{token:?}"), "Credential(authorization for https://toy.example)");
    assert_eq!(
        format!("{request:?}"),
        r#"GET https://toy.example/v1/my%20app ["authorization", "accept", "content-type"]"#
    );
    assert!(request.headers()["authorization"].is_sensitive());
    assert_eq!(format!("{reply:?}"), "Reply(200)");
    let step: Step<()> = Step::Send(vec![request]);
    assert!(!format!("{step:#?}").contains("planted"));
}

#[test]
fn no_value_writes_a_header_of_its_own() {
    let origin = Origin::parse("https://toy.example").unwrap();
    for text in ["a\r\nX: 1", "a\nb", "a\0b", "a\u{7f}"] {
        assert!(Credential::bearer(&origin, text).is_err());
        let request = Request::get(&origin, ["a"]).unwrap();
        assert!(request.header("accept", text).is_err());
        assert!(Request::get(&origin, [text]).is_err());
    }
    let request = Request::get::<&str>(&origin, []).unwrap().query("a&b", "c=d#e f\n");
    assert_eq!(request.url(), "https://toy.example/?a%26b=c%3Dd%23e%20f%0A");
}
