//! The half without an SDK, on a real OpenBao.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]
#![allow(clippy::print_stdout, reason = "what a suite ran is printed")]

mod shared;

use secretfig_source::protocol::{Http, HttpError, Limits, Over, Reply, Request};
use secretfig_source::{
    Ask, At, Clock, ErrorKind, Exposed, Format, Node, Reading, Source, SourceError, Tick, Withdrawn,
    async_trait,
};
use secretfig_test_servers::OpenBao;
use secretfig_transport::Transport;
use secretfig_vault::protocol::Vault;
use secretfig_vault::{Auth, Given, SecretId, Settings};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

struct Wall(tokio::time::Instant);

#[allow(clippy::disallowed_methods, reason = "a server has the time of the machine")]
impl Clock for Wall {
    fn tick(&self) -> Tick {
        Tick::from_start(self.0.elapsed())
    }
    fn wall(&self) -> SystemTime {
        SystemTime::now()
    }
}

type Base = Over<Vault, Transport>;

fn over(settings: Settings) -> Base {
    let transport = Transport::new(secretfig_transport::Settings::default()).unwrap();
    let limits = Limits { deadline: Duration::from_secs(10), ..Limits::default() };
    Over::new(Vault::new(settings, [7; 32]).unwrap(), transport, Arc::new(Wall(tokio::time::Instant::now())))
        .limits(limits)
}

fn settings(bao: &OpenBao, token: &str) -> Settings {
    Settings::new(bao.address(), Auth::Token(token.into())).unwrap()
}

/// A token that may read and look at everything of one mount but what begins with `denied-`.
async fn token(bao: &OpenBao, policy: &str) -> String {
    let (status, _) = bao.call("PUT", "sys/policies/acl/test", json!({ "policy": policy })).await;
    assert_eq!(status, 204);
    let (_, made) = bao.call("POST", "auth/token/create", json!({"policies": ["test"], "ttl": "1h"})).await;
    made["auth"]["client_token"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn key_value_of_both_kinds_and_both_kinds_of_roles_keep_the_contract() {
    shared::keeps_the_contract("by hand", |server, token| {
        Arc::new(over(settings(server, token).known_mount("old", None).unwrap()))
    })
    .await;
}

async fn get(source: &Base, ask: Ask) -> Result<Node, SourceError> {
    let how = Reading { format: Format::Auto, ..Reading::default() };
    source.fetch(&[ask]).await.remove(0).map(|fetched| fetched.document.read(&how).unwrap())
}

fn kind<T>(answer: Result<T, SourceError>) -> ErrorKind {
    answer.err().expect("a refusal").kind()
}

#[tokio::test]
async fn what_a_person_does_to_a_secret_is_told_apart() {
    let bao = OpenBao::start().await;
    for value in ["one", "two", "three"] {
        bao.call("POST", "secret/data/app/db", json!({"data": {"v": value}})).await;
    }
    bao.call("POST", "secret/data/app/deep/er", json!({"data": {"v": "x"}})).await;
    let source = over(settings(&bao, bao.root_token()));
    let tree = get(&source, Ask::new("app/*")).await.unwrap();
    assert!(tree.field("db.v").is_some() && tree.field("deep.er.v").is_some());
    let before = source.probe(&[Ask::new("app/*")]).await.remove(0).unwrap();
    assert_eq!(
        before,
        source.probe(&[Ask::new("secret/app/*")]).await.remove(0).map(|_| before.clone()).unwrap()
    );

    bao.call("POST", "secret/delete/app/db", json!({"versions": [2]})).await;
    let previous = source.fetch(&[Ask::new("app/db").at(At::Previous)]).await.remove(0).unwrap();
    assert!(previous.revision.as_str().starts_with("1 of "), "2 is deleted: {}", previous.revision);
    let two = Ask::new("app/db").at(At::Version("2".into()));
    assert_eq!(kind(get(&source, two.clone()).await), ErrorKind::Withdrawn(Withdrawn::Deleted));
    bao.call("PUT", "secret/destroy/app/db", json!({"versions": [2]})).await;
    assert_eq!(kind(get(&source, two).await), ErrorKind::Withdrawn(Withdrawn::Destroyed));
    assert_eq!(kind(get(&source, Ask::new("app/db").at(At::Version("9".into()))).await), ErrorKind::Absent);
    assert_eq!(kind(get(&source, Ask::new("nope")).await), ErrorKind::Absent);
    assert_eq!(
        kind(get(&source, Ask::new("app/db").at(At::Stage("x".into()))).await),
        ErrorKind::Misconfigured
    );
}

#[tokio::test]
async fn a_dead_token_is_told_from_one_that_lacks_a_right() {
    let bao = OpenBao::start().await;
    bao.call("POST", "secret/data/a", json!({"data": {"v": "x"}})).await;
    bao.call("POST", "secret/data/b", json!({"data": {"v": "x"}})).await;
    let token = token(&bao, "path \"secret/data/a\" { capabilities = [\"read\"] }").await;
    let source = over(settings(&bao, &token));
    assert_eq!(source.sign_in().await.unwrap().unwrap().as_str(), "token");
    assert!(get(&source, Ask::new("a")).await.is_ok());
    let denied = get(&source, Ask::new("b")).await.unwrap_err();
    assert_eq!(denied.kind(), ErrorKind::Denied);
    assert!(denied.what_to_do().contains("path \"secret/data/b\" { capabilities = [\"read\"] }"), "{denied}");
    assert!(source.probe(&[Ask::new("a")]).await.remove(0).is_ok(), "by its value, where metadata is denied");
    bao.call("POST", "auth/token/revoke", json!({ "token": token })).await;
    assert_eq!(kind(get(&source, Ask::new("a")).await), ErrorKind::Unauthenticated);
}

#[tokio::test]
async fn approle_signs_in_with_a_plain_and_with_a_wrapped_secret_id() {
    let bao = OpenBao::start().await;
    bao.call("POST", "secret/data/a", json!({"data": {"v": "x"}})).await;
    let _ = token(&bao, "path \"secret/data/*\" { capabilities = [\"read\"] }").await;
    bao.call("POST", "sys/auth/approle", json!({"type": "approle"})).await;
    bao.call("POST", "auth/approle/role/app", json!({"token_policies": "test"})).await;
    let (_, role) = bao.call("GET", "auth/approle/role/app/role-id", Value::Null).await;
    let role_id = role["data"]["role_id"].as_str().unwrap();
    let (_, secret) = bao.call("POST", "auth/approle/role/app/secret-id", json!({})).await;
    let of = |secret_id: &str| Auth::AppRole {
        mount: "approle".to_owned(),
        role_id: Given::Text(role_id.into()),
        secret_id: SecretId::Plain(Given::Text(secret_id.into())),
    };
    let source =
        over(Settings::new(bao.address(), of(secret["data"]["secret_id"].as_str().unwrap())).unwrap());
    assert!(get(&source, Ask::new("a")).await.is_ok());
    let wrong = over(Settings::new(bao.address(), of("nonsense")).unwrap());
    assert_eq!(kind(wrong.sign_in().await), ErrorKind::Unauthenticated);

    // wrapped by what is no secret_id endpoint, and used twice
    let wrap = |token: &str| Auth::AppRole {
        mount: "approle".to_owned(),
        role_id: Given::Text(role_id.into()),
        secret_id: SecretId::Wrapped(Given::Text(token.into())),
    };
    let (_, other) = bao.call("POST", "sys/wrapping/wrap", json!({"secret_id": "evil"})).await;
    if let Some(other) = other["wrap_info"]["token"].as_str() {
        let source = over(Settings::new(bao.address(), wrap(other)).unwrap());
        let error = source.sign_in().await.unwrap_err();
        assert!(error.what_to_do().contains("tampering"), "{error}");
    }
    let used = over(Settings::new(bao.address(), wrap("s.used")).unwrap());
    assert!(used.sign_in().await.unwrap_err().what_to_do().contains("tampering"));
}

#[tokio::test]
async fn the_generated_policy_is_enough_and_no_more() {
    let bao = OpenBao::start().await;
    for name in ["app/db", "app/jwt", "other"] {
        for value in ["x", "y"] {
            bao.call("POST", &format!("secret/data/{name}"), json!({"data": {"v": value}})).await;
        }
    }
    let asks = [Ask::new("app/*"), Ask::new("app/jwt").at(At::Previous)];
    let policy = settings(&bao, "unused").grants(&asks);
    let source = over(settings(&bao, &token(&bao, &policy).await));
    for answer in source.fetch(&asks).await {
        assert!(answer.is_ok(), "{answer:?} under\n{policy}");
    }
    assert_eq!(kind(get(&source, Ask::new("other")).await), ErrorKind::Denied);
    let rules: Vec<&str> = policy.split("path ").skip(1).collect();
    for n in 0..rules.len() {
        let rest: Vec<_> =
            rules.iter().enumerate().filter(|(m, _)| *m != n).map(|(_, r)| format!("path {r}")).collect();
        let source = over(settings(&bao, &token(&bao, &rest.concat()).await));
        let answers = source.fetch(&asks).await;
        let denied =
            answers.iter().any(|answer| answer.as_ref().is_err_and(|e| e.kind() == ErrorKind::Denied));
        // a rule inside a pattern of another one stands for the day that one goes
        let covered = rules[n].starts_with("\"secret/data/app/jwt\"");
        assert_eq!(denied, !covered, "without {}", rules[n]);
    }
}

#[tokio::test]
async fn the_next_address_is_asked_where_one_is_sealed_or_gone() {
    let (one, two) = (OpenBao::start().await, OpenBao::start().await);
    let (_, made) =
        two.call("POST", "auth/token/create", json!({"id": "shared", "policies": ["root"]})).await;
    assert_eq!(made["auth"]["client_token"], "shared");
    one.call("POST", "auth/token/create", json!({"id": "shared", "policies": ["root"]})).await;
    for bao in [&one, &two] {
        bao.call("POST", "secret/data/a", json!({"data": {"v": "x"}})).await;
    }
    let source = over(settings(&one, "shared").also(two.address()).unwrap());
    assert!(get(&source, Ask::new("a")).await.is_ok());
    one.seal().await;
    assert!(get(&source, Ask::new("a")).await.is_ok(), "the other one answers");
    drop(one);
    assert!(get(&source, Ask::new("a")).await.is_ok());
}

/// What went over the wire, tokens apart, in the order of a person's reading.
#[derive(Clone)]
struct Recorded(Transport, Arc<Mutex<BTreeSet<String>>>);

#[async_trait]
impl Http for Recorded {
    async fn send(&self, request: Request, limits: Limits) -> Result<Reply, HttpError> {
        let mut headers: Vec<String> = request
            .headers()
            .iter()
            .filter(|(name, _)| !name.as_str().ends_with("token"))
            .map(|(name, value)| format!("{name}: {}", value.to_str().unwrap()))
            .collect();
        headers.sort();
        // both spell a listing as the API has it
        let (method, url) = match (request.method().as_str(), request.url()) {
            ("LIST", url) => ("GET".to_owned(), format!("{url}?list=true")),
            (method, url) => (method.to_owned(), url),
        };
        let body = match serde_json::from_slice::<Value>(request.payload()) {
            Ok(body) => body.to_string(),
            Err(_) => String::from_utf8(request.payload().to_vec()).unwrap(),
        };
        self.1.lock().unwrap().insert(format!("{method} {url} {headers:?} {body}"));
        self.0.send(request, limits).await
    }
}

fn leaves(node: &Node, path: &str, all: &mut Vec<String>) {
    match node {
        Node::Table(table) => {
            table.iter().for_each(|(key, node)| leaves(node, &format!("{path}.{key}"), all));
        }
        Node::List(list) => list.iter().for_each(|node| leaves(node, &format!("{path}[]"), all)),
        Node::Null => all.push(format!("{path} = null")),
        Node::Leaf(leaf) => all.push(match leaf.expose_secret() {
            Exposed::Text(text) => format!("{path} = text {text}"),
            Exposed::Number(number) => format!("{path} = number {number}"),
            Exposed::Bool(yes) => format!("{path} = {yes}"),
            Exposed::Bytes(bytes) => format!("{path} = {bytes:?}"),
        }),
    }
}

/// All that a source says to these asks: of a refusal its kind and its words, of an answer every leaf.
async fn said(source: &dyn Source, asks: &[Ask]) -> Vec<String> {
    let mut all = Vec::new();
    for ask in asks {
        // one by one: what is asked side by side may be asked in another order
        let answer = source.fetch(std::slice::from_ref(ask)).await.remove(0);
        match answer {
            Ok(fetched) => {
                let how = Reading { allow_empty: true, ..Reading::default() };
                let revision = fetched.revision.as_str();
                all.push(format!("{ask}: {revision} {:?} {}", fetched.created, fetched.repeatable));
                leaves(&fetched.document.read(&how).unwrap(), "", &mut all);
            }
            Err(e) => all.push(format!("{ask}: {e}")),
        }
        let probed = source.probe(std::slice::from_ref(ask)).await.remove(0);
        all.push(format!("{ask}: {probed:?}"));
    }
    all
}

/// The half on vaultrs' endpoint types, and the one by hand: the same requests, the same documents, the same refusals.
#[tokio::test]
async fn both_halves_say_the_same_to_the_server_and_to_the_caller() {
    let bao = OpenBao::start().await;
    bao.call("POST", "sys/mounts/kv", json!({"type": "kv"})).await;
    for (path, body) in [
        (
            "secret/data/app/db",
            json!({"data": {"user": "u", "port": 5432, "tls": true, "none": null, "l": ["x", {}]}}),
        ),
        ("secret/data/app/db", json!({"data": {"user": "v"}})),
        ("secret/data/app/b c/d%2fe", json!({"data": {"k": "\u{fc}"}})),
        ("secret/data/gone", json!({"data": {"k": "x"}})),
        ("kv/one", json!({"a": "b"})),
        ("kv/two/three", json!({"a": "c"})),
    ] {
        let path = path.replace('%', "%25").replace(' ', "%20");
        assert!(bao.call("POST", &path, body).await.0 < 300, "{path}");
    }
    bao.call("DELETE", "secret/data/gone", Value::Null).await;
    let denied = "path \"secret/*\" { capabilities = [\"read\", \"list\"] }\npath \"kv/*\" { capabilities = \
                  [\"read\", \"list\"] }\npath \"secret/data/denied\" { capabilities = [\"deny\"] }";
    let token = token(&bao, denied).await;
    let at = |name: &str, at: At| Ask::new(name).at(at);
    let asks = [
        Ask::new("secret/app/db"),
        Ask::new("app/db"),
        at("app/db", At::Previous),
        at("app/db", At::Version("1".into())),
        at("app/db", At::Version("9".into())),
        at("app/db", At::Version("x".into())),
        at("kv/one", At::Previous),
        Ask::new("app/*"),
        Ask::new("kv/*"),
        Ask::new("kv/one"),
        Ask::new("kv/none"),
        Ask::new("gone"),
        Ask::new("none"),
        Ask::new("denied"),
        Ask::new("secret/data/app/db"),
        Ask::new("a/../b"),
        Ask::new("database/creds/app"),
        Ask::new("database/static-creds/app"),
    ];
    let transport = Transport::new(secretfig_transport::Settings::default()).unwrap();
    let of = || settings(&bao, &token).known_mount("kv", None).unwrap();
    let hand = Recorded(transport.clone(), Arc::default());
    let clock = Arc::new(Wall(tokio::time::Instant::now()));
    let by_hand = Over::new(Vault::new(of(), [7; 32]).unwrap(), hand.clone(), clock.clone());
    let sdk = Recorded(transport, Arc::default());
    let by_sdk = secretfig_vault::Vault::over(of(), Arc::new(sdk.clone()), clock).unwrap();
    let (one, two) = (said(&by_hand, &asks).await, said(&by_sdk, &asks).await);
    assert_eq!(one, two);
    let (one, two) = (hand.1.lock().unwrap().clone(), sdk.1.lock().unwrap().clone());
    let only = |a: &BTreeSet<String>, b: &BTreeSet<String>| a.difference(b).cloned().collect::<Vec<_>>();
    assert_eq!((only(&one, &two), only(&two, &one)), (Vec::new(), Vec::new()));
    assert!(one.len() > 20, "{one:?}");
}
