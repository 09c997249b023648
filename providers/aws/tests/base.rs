//! The half without an SDK, against scripted replies: what a batch says of whom, lists with empty pages, sign-ins that end, and
//! replies that no server would give.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use http::{HeaderMap, StatusCode};
use proptest::prelude::*;
use secretfig_aws::protocol::SecretsManager;
use secretfig_aws::{Auth, Given, Keys, Settings};
use secretfig_source::protocol::{
    Http, HttpError, HttpFault, Limits, MAX_STEPS, Origin, Over, Reply, Request,
};
use secretfig_source::{
    Ask, At, Clock, ErrorKind, Exposed, Fetched, Node, Probe, Reading, Revision, Source, SourceError, Tick,
    Withdrawn, async_trait,
};
use secretfig_tests::{Hunt, Marker};
use serde_json::{Value, json};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};
use zeroize::Zeroizing;

/// So many seconds after its start.
#[derive(Default)]
struct Clocked(AtomicU64);

impl Clock for Clocked {
    fn tick(&self) -> Tick {
        Tick::from_start(Duration::from_secs(self.0.load(SeqCst)))
    }
    fn wall(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(1_764_000_000 + self.0.load(SeqCst))
    }
}

type Answer = Box<dyn Fn(&str, &Value) -> (u16, String) + Send + Sync>;

/// A server that answers as a test says, and remembers what was called: `sts` for STS.
struct Scripted {
    answer: Answer,
    calls: Mutex<Vec<String>>,
}

impl Scripted {
    fn new(answer: impl Fn(&str, &Value) -> (u16, String) + Send + Sync + 'static) -> Arc<Self> {
        Arc::new(Self { answer: Box::new(answer), calls: Mutex::default() })
    }

    /// What was called since it was last asked for.
    fn calls(&self) -> Vec<String> {
        std::mem::take(&mut self.calls.lock().unwrap())
    }
}

fn field<'a>(request: &'a Request, name: &str) -> &'a str {
    let value = request.fields().iter().find(|(known, _)| *known == name).map(|(_, value)| value);
    value.map(|value| value.to_str().unwrap()).unwrap_or_default()
}

#[async_trait]
impl Http for Scripted {
    async fn send(&self, request: Request, _: Limits) -> Result<Reply, HttpError> {
        let call = match request.url().as_str() {
            "https://secretsmanager.eu-central-1.amazonaws.com/" => {
                assert!(
                    field(&request, "authorization").contains("/eu-central-1/secretsmanager/aws4_request")
                );
                field(&request, "x-amz-target").strip_prefix("secretsmanager.").unwrap().to_owned()
            }
            "https://sts.eu-central-1.amazonaws.com/" => "sts".to_owned(),
            other => panic!("another place: {other}"),
        };
        let body = serde_json::from_slice(request.payload()).unwrap_or_default();
        let (status, reply) = (self.answer)(&call, &body);
        self.calls.lock().unwrap().push(call);
        let status = StatusCode::from_u16(status).unwrap();
        Ok(Reply::new(status, HeaderMap::new(), Zeroizing::new(reply.into_bytes())))
    }
}

fn keys() -> Auth {
    Auth::Keys(Keys::new("AKIA", "a key".into()))
}

fn web_identity() -> Auth {
    let role_arn = "arn:aws:iam::123456789012:role/app".to_owned();
    Auth::WebIdentity { role_arn, session_name: None, token: Given::Text("header.claims.signature".into()) }
}

fn settings(auth: Auth) -> Settings {
    Settings::new("eu-central-1", auth).unwrap()
}

fn source<H: Http>(http: H, settings: Settings, clock: Arc<dyn Clock>) -> Over<SecretsManager, H> {
    Over::new(SecretsManager::new(settings, [7; 32]).unwrap(), http, clock)
}

fn arn(name: &str) -> String {
    format!("arn:aws:secretsmanager:eu-central-1:123456789012:secret:{name}-AbCdEf")
}

fn value(name: &str) -> Value {
    json!({ "ARN": arn(name), "Name": name, "VersionId": format!("v-{name}"), "SecretString": format!("value of {name}") })
}

fn refused(status: u16, code: &str) -> (u16, String) {
    (status, json!({ "__type": code, "message": "…" }).to_string())
}

fn nobody() -> (u16, String) {
    (403, "<ErrorResponse><Error><Code>AccessDenied</Code></Error></ErrorResponse>".to_owned())
}

fn granted() -> (u16, String) {
    let xml = "<R><Credentials><AccessKeyId>ASIA</AccessKeyId><SecretAccessKey>k</SecretAccessKey><SessionToken>t</SessionToken>\
               </Credentials></R>";
    (200, xml.to_owned())
}

fn text(fetched: &Result<Fetched, SourceError>) -> String {
    let document = &fetched.as_ref().unwrap().document;
    let Ok(Node::Leaf(leaf)) = document.read(&Reading::default()) else { panic!("a leaf") };
    let Exposed::Text(text) = leaf.expose_secret() else { panic!("a text") };
    text.to_owned()
}

fn kinds<T>(answers: &[Result<T, SourceError>]) -> Vec<Option<ErrorKind>> {
    answers.iter().map(|answer| answer.as_ref().err().map(SourceError::kind)).collect()
}

#[tokio::test]
async fn each_part_of_a_batch_goes_to_whom_it_is_about() {
    let http = Scripted::new(|call, body| match call {
        "sts" => nobody(),
        "BatchGetSecretValue" => {
            assert_eq!(body["SecretIdList"], json!(["a", "b", "c", "d", "e", arn("f")]));
            let error = |of: &str, code: &str| json!({ "SecretId": of, "ErrorCode": code, "Message": "… marked for deletion." });
            let said = json!({
                "SecretValues": [value("f"), value("a"), value("stranger")],
                "Errors": [
                    error("b", "AccessDeniedException"),
                    error("c", "ResourceNotFoundException"),
                    error("d", "InvalidRequestException"),
                ],
            });
            (200, said.to_string())
        }
        // of this one the batch said nothing
        "GetSecretValue" if body["SecretId"] == "e" => (200, value("e").to_string()),
        "GetSecretValue" => {
            assert_eq!(*body, json!({ "SecretId": "a", "VersionStage": "AWSPREVIOUS" }));
            (200, value("a").to_string())
        }
        other => panic!("{other}"),
    });
    let source = source(http, settings(keys()), Arc::new(Clocked::default()));
    let f = arn("f");
    let current = ["a", "b", "c", "d", "e", &f].into_iter().map(Ask::new);
    let asks: Vec<Ask> = current.chain([Ask::new("a").at(At::Previous)]).collect();
    let answers = source.fetch(&asks).await;
    for (seat, name) in [(0, "a"), (4, "e"), (5, "f"), (6, "a")] {
        assert_eq!(text(&answers[seat]), format!("value of {name}"));
    }
    let deleted = ErrorKind::Withdrawn(Withdrawn::Deleted);
    assert_eq!(kinds(&answers[1..4]), [Some(ErrorKind::Denied), Some(ErrorKind::Absent), Some(deleted)]);
    assert_eq!(answers[1].as_ref().unwrap_err().secret_name(), Some("b"));
}

#[tokio::test]
async fn what_stops_a_batch_is_told_of_each() {
    for (code, kind) in [
        ("AccessDeniedException", ErrorKind::Denied),
        ("ThrottlingException", ErrorKind::Throttled { retry_after: None }),
        ("UnrecognizedClientException", ErrorKind::Unauthenticated),
    ] {
        let http = Scripted::new(move |call, _| if call == "sts" { nobody() } else { refused(400, code) });
        let source = source(http.clone(), settings(keys()), Arc::new(Clocked::default()));
        let answers = source.fetch(&[Ask::new("a"), Ask::new("b"), Ask::new("no name")]).await;
        assert_eq!(kinds(&answers), [Some(kind), Some(kind), Some(ErrorKind::Misconfigured)]);
        assert_eq!(http.calls(), ["sts", "BatchGetSecretValue"], "keys are no better the second time");
    }
}

#[tokio::test]
async fn a_folder_is_listed_to_its_end_and_read_in_batches() {
    let names: Vec<String> = (0..45).map(|n| format!("app/{n:02}")).collect();
    let http = Scripted::new(move |call, body| match call {
        "sts" => nobody(),
        "ListSecrets" => {
            assert_eq!(body["Filters"][0], json!({ "Key": "name", "Values": ["app/"] }));
            assert_eq!(body["Filters"][1], json!({ "Key": "tag-key", "Values": ["env"] }));
            let page = body["NextToken"].as_str().map_or(0, |token| token.parse::<usize>().unwrap());
            // every second page is empty, and not the last one for that
            let on = names.iter().skip(page / 2 * 20).take(if page % 2 == 0 { 20 } else { 0 });
            let entry = |name: &String| {
                let versions = json!({ format!("v-{name}"): ["AWSCURRENT"] });
                let tags = json!([{ "Key": "env", "Value": "prod" }]);
                json!({ "Name": name, "ARN": arn(name), "Tags": tags, "SecretVersionsToStages": versions })
            };
            let mut said = json!({ "SecretList": on.map(entry).collect::<Vec<_>>() });
            if page < 6 {
                said["NextToken"] = json!((page + 1).to_string());
            }
            (200, said.to_string())
        }
        "BatchGetSecretValue" => {
            let ids: Vec<_> =
                body["SecretIdList"].as_array().unwrap().iter().map(|id| id.as_str().unwrap()).collect();
            assert!(ids.len() <= 20);
            let name =
                |id: &str| id.split(":secret:").nth(1).unwrap().strip_suffix("-AbCdEf").unwrap().to_owned();
            // one of them is throttled, and asked for by itself
            let (held, rest): (Vec<_>, Vec<_>) = ids.into_iter().partition(|id| id.contains("app/07"));
            let error = |id| json!({ "SecretId": id, "ErrorCode": "ThrottlingException", "Message": "" });
            let errors: Vec<_> = held.into_iter().map(error).collect();
            let values: Vec<_> = rest.into_iter().map(|id| value(&name(id))).collect();
            (200, json!({ "SecretValues": values, "Errors": errors }).to_string())
        }
        "GetSecretValue" => (200, value("app/07").to_string()),
        other => panic!("{other}"),
    });
    let settings = settings(keys()).tags("env=prod").unwrap();
    let source = source(http.clone(), settings, Arc::new(Clocked::default()));
    let fetched = source.fetch(&[Ask::new("app/*")]).await.remove(0).unwrap();
    let Ok(Node::Table(table)) = fetched.document.read(&Reading::default()) else { panic!("a table") };
    assert_eq!(table.len(), 45);
    let calls = http.calls();
    let count = |name: &str| calls.iter().filter(|call| *call == name).count();
    assert_eq!((count("ListSecrets"), count("BatchGetSecretValue"), count("GetSecretValue")), (7, 3, 1));
    // a look reads the list and no value, and tells the same revision
    let probes = source.probe(&[Ask::new("app/*")]).await;
    assert_eq!(probes[0].as_ref().unwrap(), &Probe::Current(fetched.revision));
    assert!(http.calls().iter().all(|call| call == "ListSecrets"));
}

#[tokio::test]
async fn a_role_is_assumed_once_and_again_when_its_keys_are_over() {
    let clock = Arc::new(Clocked::default());
    let expired = Arc::new(AtomicUsize::new(0));
    let left = expired.clone();
    let http = Scripted::new(move |call, _| match call {
        "sts" => granted(),
        _ if left.fetch_update(SeqCst, SeqCst, |left| left.checked_sub(1)).is_ok() => {
            refused(400, "ExpiredTokenException")
        }
        _ => (200, value("a").to_string()),
    });
    let source = source(http.clone(), settings(web_identity()), clock.clone());
    // the second call of each sign-in asks who we are
    let assumed = || http.calls().iter().filter(|call| *call == "sts").count() / 2;
    for _ in 0..3 {
        assert!(source.fetch(&[Ask::new("a")]).await[0].is_ok());
    }
    assert_eq!(assumed(), 1);
    clock.0.store(2_399, SeqCst);
    assert!(source.fetch(&[Ask::new("a")]).await[0].is_ok());
    assert_eq!(assumed(), 0);
    clock.0.store(2_400, SeqCst);
    assert!(source.fetch(&[Ask::new("a")]).await[0].is_ok());
    assert_eq!(assumed(), 1, "two thirds of its hour are over");
    expired.store(1, SeqCst);
    assert!(source.fetch(&[Ask::new("a")]).await[0].is_ok());
    assert_eq!(assumed(), 1, "AWS says that it is over");
    expired.store(9, SeqCst);
    assert_eq!(kinds(&source.fetch(&[Ask::new("a")]).await), [Some(ErrorKind::Unauthenticated)]);
    assert_eq!(assumed(), 1, "and no more than once for one call");
}

#[tokio::test]
async fn where_a_description_is_denied_the_value_tells() {
    let http = Scripted::new(|call, body| match (call, body["SecretId"].as_str()) {
        ("sts", _) => nobody(),
        ("DescribeSecret", Some("seen")) => {
            let versions = json!({ "v-seen": ["AWSCURRENT"] });
            let late =
                json!({ "VersionIdsToStages": versions, "RotationEnabled": true, "NextRotationDate": 1 });
            (200, late.to_string())
        }
        ("DescribeSecret", Some("going")) => {
            (200, r#"{"DeletedDate": 1.5, "VersionIdsToStages": {}}"#.to_owned())
        }
        ("GetSecretValue", Some("blind")) => (200, value("blind").to_string()),
        _ => refused(400, "AccessDeniedException"),
    });
    let source = source(http.clone(), settings(keys()), Arc::new(Clocked::default()));
    let asks = [Ask::new("seen"), Ask::new("blind"), Ask::new("denied"), Ask::new("going")];
    for described in [4, 3] {
        let probes = source.probe(&asks).await;
        assert_eq!(probes[0].as_ref().unwrap(), &Probe::Current(Revision::new("v-seen")));
        assert_eq!(probes[1].as_ref().unwrap(), &Probe::Current(Revision::new("v-blind")));
        let deleted = ErrorKind::Withdrawn(Withdrawn::Deleted);
        assert_eq!(kinds(&probes[2..]), [Some(ErrorKind::Denied), Some(deleted)]);
        // one whose value may be read, and whose description may not, is not described again so soon
        assert_eq!(http.calls().iter().filter(|call| *call == "DescribeSecret").count(), described);
    }
    for (name, what) in
        [("seen", Some("rotation-overdue")), ("going", Some("deletion-scheduled")), ("blind", None)]
    {
        let notes = source.protocol().notes(&Ask::new(name));
        assert_eq!(notes.iter().map(secretfig_source::Note::what).collect::<Vec<_>>(), Vec::from_iter(what));
    }
}

#[test]
fn what_only_a_client_can_do_is_refused() {
    let role_arn = "arn:aws:iam::123456789012:role/app".to_owned();
    let token = Given::File(std::path::Path::new("/token").into());
    let file = Auth::WebIdentity { role_arn, session_name: None, token };
    for auth in [file, Auth::Chain, Auth::Instance, Auth::Agent] {
        let error = SecretsManager::new(settings(auth), [7; 32]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Misconfigured);
    }
}

/// Nobody answers; only where was asked is remembered.
#[derive(Default)]
struct Nobody(Mutex<Vec<String>>);

#[async_trait]
impl Http for Nobody {
    async fn send(&self, request: Request, _: Limits) -> Result<Reply, HttpError> {
        self.0.lock().unwrap().push(request.origin().to_string());
        Err(HttpError::new(HttpFault::Transport))
    }
}

#[tokio::test]
async fn endpoints_are_asked_where_they_are_said_to_be() {
    let own = Origin::parse("https://vpce-1.example").unwrap();
    let china = Settings::new("cn-north-1", keys()).unwrap();
    for (settings, sts, secrets) in [
        (
            settings(keys()).fips(true),
            "sts-fips.eu-central-1.amazonaws.com",
            "secretsmanager-fips.eu-central-1.amazonaws.com",
        ),
        (
            settings(keys()).dualstack(true),
            "sts.eu-central-1.api.aws",
            "secretsmanager.eu-central-1.amazonaws.com",
        ),
        (settings(keys()).endpoint(own), "sts.eu-central-1.amazonaws.com", "vpce-1.example"),
        (china, "sts.cn-north-1.amazonaws.com.cn", "secretsmanager.cn-north-1.amazonaws.com.cn"),
    ] {
        let http = Arc::new(Nobody::default());
        let source = source(http.clone(), settings, Arc::new(Clocked::default()));
        assert_eq!(kinds(&source.fetch(&[Ask::new("a")]).await), [Some(ErrorKind::Transport)]);
        assert_eq!(*http.0.lock().unwrap(), [format!("https://{sts}"), format!("https://{secrets}")]);
    }
}

/// A status and a body, or no reply at all.
type Odd = Result<(u16, Vec<u8>), HttpFault>;

/// Answers from a list, over and over.
struct List {
    replies: Vec<Odd>,
    sent: AtomicUsize,
}

#[async_trait]
impl Http for List {
    async fn send(&self, _: Request, _: Limits) -> Result<Reply, HttpError> {
        let n = self.sent.fetch_add(1, SeqCst);
        match &self.replies[n % self.replies.len()] {
            Ok((status, body)) => {
                let status = StatusCode::from_u16(*status).unwrap();
                Ok(Reply::new(status, HeaderMap::new(), Zeroizing::new(body.clone())))
            }
            Err(fault) => Err(HttpError::new(*fault)),
        }
    }
}

const PLANTED: &str = "planted-mark-7Xq2";

fn odd() -> impl Strategy<Value = Odd> {
    let bodies = prop_oneof![
        Just(PLANTED.to_owned()),
        Just(json!({ "__type": PLANTED, "message": PLANTED }).to_string()),
        Just(json!({ "__type": "ExpiredTokenException", "message": PLANTED }).to_string()),
        Just(
            json!({
                "SecretValues": [PLANTED, { "Name": "a", "ARN": PLANTED }],
                "Errors": [{ "SecretId": "b", "ErrorCode": PLANTED }],
            })
            .to_string()
        ),
        Just(
            json!({ "SecretList": [{ "Name": PLANTED, "ARN": PLANTED }], "NextToken": PLANTED }).to_string()
        ),
        Just(json!({ "VersionId": "v", "SecretBinary": PLANTED }).to_string()),
        Just(json!({ "VersionIdsToStages": { PLANTED: [PLANTED] }, "DeletedDate": PLANTED }).to_string()),
        Just(granted().1),
        Just(json!({ "VersionId": "v", "SecretString": "x" }).to_string()),
    ];
    let bodies = prop_oneof![
        9 => bodies.prop_map(String::into_bytes),
        1 => prop::collection::vec(any::<u8>(), 0..64),
    ];
    let faults = prop_oneof![Just(HttpFault::Timeout), Just(HttpFault::Tls), Just(HttpFault::Transport)];
    let statuses = prop_oneof![Just(200), Just(400), Just(403), Just(500), 200u16..600];
    prop_oneof![9 => (statuses, bodies).prop_map(Ok), 1 => faults.prop_map(Err)]
}

proptest! {
    #[test]
    fn no_reply_is_too_odd(replies in prop::collection::vec(odd(), 1..5), keyed in any::<bool>()) {
        let hunt = Hunt::new();
        hunt.plant("a server's words", Marker::new(PLANTED));
        let http = Arc::new(List { replies, sent: AtomicUsize::new(0) });
        let auth = if keyed { keys() } else { web_identity() };
        let source = source(http.clone(), settings(auth), Arc::new(Clocked::default()));
        let asks = [Ask::new("a"), Ask::new("b"), Ask::new("a").at(At::Previous), Ask::new("app/*")];
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let (fetched, probed) = (source.fetch(&asks).await, source.probe(&asks).await);
            assert_eq!((fetched.len(), probed.len()), (asks.len(), asks.len()));
            let failed = fetched.iter().filter_map(|answer| answer.as_ref().err());
            for error in failed.chain(probed.iter().filter_map(|answer| answer.as_ref().err())) {
                hunt.check_error("an answer", error);
            }
        });
        // two sign-ins, and two conversations of at most so many steps, of which none has more requests than asks
        prop_assert!(http.sent.load(SeqCst) <= 2 * 2 * MAX_STEPS * asks.len());
        hunt.finish();
    }
}
