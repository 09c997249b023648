//! Both halves, against replies that no server would give: nothing panics, nothing leaks, and every conversation ends.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use http::{HeaderMap, StatusCode};
use proptest::prelude::*;
use secretfig_source::protocol::{Http, HttpError, HttpFault, Limits, MAX_STEPS, Over, Reply, Request};
use secretfig_source::{Ask, At, Clock, Lease, Source, Tick, async_trait};
use secretfig_tests::{Hunt, Marker};
use secretfig_vault::protocol::Vault;
use secretfig_vault::{Auth, Given, SecretId, Settings};
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};
use zeroize::Zeroizing;

struct Still;

impl Clock for Still {
    fn tick(&self) -> Tick {
        Tick::default()
    }
    fn wall(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH
    }
}

/// A status and a body, or no reply at all.
type Scripted = Result<(u16, Vec<u8>), HttpFault>;

/// Answers from a script, over and over.
#[derive(Default)]
struct Script {
    replies: Mutex<Vec<Scripted>>,
    sent: AtomicUsize,
    mints: AtomicUsize,
}

#[async_trait]
impl Http for Script {
    async fn send(&self, request: Request, _: Limits) -> Result<Reply, HttpError> {
        assert!(request.url().starts_with("https://vault.example/v1/"), "another place");
        let n = self.sent.fetch_add(1, SeqCst);
        if request.url().contains("/creds/") {
            self.mints.fetch_add(1, SeqCst);
        }
        let replies = self.replies.lock().unwrap();
        match &replies[n % replies.len()] {
            Ok((status, body)) => {
                let status = StatusCode::from_u16(*status).unwrap();
                Ok(Reply::new(status, HeaderMap::new(), Zeroizing::new(body.clone())))
            }
            Err(fault) => Err(HttpError::new(*fault)),
        }
    }
}

fn settings(auth: Auth) -> Settings {
    Settings::new("https://vault.example", auth).unwrap().known_mount("kv", None).unwrap()
}

fn source(http: &Arc<Script>, auth: Auth) -> Over<Vault, Arc<Script>> {
    Over::new(Vault::new(settings(auth), [7; 32]).unwrap(), http.clone(), Arc::new(Still))
}

/// The half on vaultrs' endpoint types.
fn sdk(http: &Arc<Script>, auth: Auth) -> secretfig_vault::Vault {
    secretfig_vault::Vault::over(settings(auth), http.clone(), Arc::new(Still)).unwrap()
}

fn asks() -> [Ask; 6] {
    [
        Ask::new("myapp/db"),
        Ask::new("myapp/db").at(At::Previous),
        Ask::new("kv/x"),
        Ask::new("myapp/*"),
        Ask::new("database/creds/app"),
        Ask::new("database/static-creds/app"),
    ]
}

async fn all_said(source: &dyn Source) -> Vec<String> {
    let mut said = vec![format!("{:?}", source.sign_in().await)];
    for ask in asks() {
        let ask = std::slice::from_ref(&ask);
        said.push(format!("{:?}", source.fetch(ask).await));
        said.push(format!("{:?}", source.probe(ask).await));
    }
    let lease = Lease::new("database/creds/app/x", Duration::MAX, true);
    said.push(format!("{:?}", source.renew(&lease).await));
    said.push(format!("{:?}", source.revoke(&lease).await));
    source.close(Duration::from_secs(1)).await;
    said.push(format!("{:?}", source.info()));
    said
}

fn now<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(future)
}

#[test]
fn nothing_of_a_reply_a_token_or_a_login_is_told() {
    let hunt = Hunt::new();
    let (token, body) =
        (hunt.plant("token", Marker::new("s.planted+token/9f3a")), hunt.plant("body", Marker::random()));
    let text = serde_json::to_string(body.text()).unwrap();
    let login = format!(
        r#"{{"auth":{{"client_token":{text},"lease_duration":60}},"data":{{"ttl":60,"secret_id":{text}}}}}"#
    );
    let ways = || {
        let given = || Given::Text(token.text().into());
        let mount = || "some".to_owned();
        [
            Auth::Token(token.text().into()),
            Auth::AppRole { mount: mount(), role_id: given(), secret_id: SecretId::Plain(given()) },
            Auth::AppRole { mount: mount(), role_id: given(), secret_id: SecretId::Wrapped(given()) },
            Auth::Jwt { mount: mount(), role: None, token: given() },
            Auth::Kubernetes { mount: mount(), role: "app".to_owned(), token: given() },
            Auth::Userpass { mount: mount(), user: "ada".to_owned(), password: given() },
            Auth::Certificate { mount: mount(), role: None },
        ]
    };
    for status in [200, 204, 301, 307, 400, 401, 403, 404, 405, 412, 418, 429, 472, 473, 500, 501, 502, 503] {
        for script in [
            vec![Ok((status, body.text().as_bytes().to_vec()))],
            vec![
                Ok((200, login.clone().into_bytes())),
                Ok((status, format!(r#"{{"errors":[{text}]}}"#).into_bytes())),
            ],
            vec![Ok((200, login.clone().into_bytes())), Err(HttpFault::Timeout)],
        ] {
            for auth in ways() {
                let http = || Arc::new(Script { replies: Mutex::new(script.clone()), ..Script::default() });
                let sdk = sdk(&http(), auth.clone());
                for said in now(all_said(&sdk)) {
                    hunt.check("an answer of the SDK half", said);
                }
                hunt.check_debug("the SDK half", &sdk);
                if matches!(auth, Auth::Certificate { .. }) {
                    continue;
                }
                let source = source(&http(), auth);
                for said in now(all_said(&source)) {
                    hunt.check("an answer", said);
                }
                hunt.check("the source", format!("{source:?} {:?}", source.protocol()));
            }
        }
    }
    hunt.finish();
}

#[test]
fn what_may_have_been_minted_is_never_asked_for_again() {
    let lookup = Ok((200, br#"{"data":{"ttl":0,"display_name":"x"}}"#.to_vec()));
    for lost in [
        Err(HttpFault::Timeout),
        Err(HttpFault::Transport),
        Ok((500, Vec::new())),
        Ok((200, b"<html>".to_vec())),
    ] {
        let http = Arc::new(Script { replies: Mutex::new(vec![lookup.clone(), lost]), ..Script::default() });
        let settings = Settings::new("https://vault.example", Auth::Token("s.x".into())).unwrap();
        // the same server again, as a second address of its cluster
        let settings = settings.also("https://vault.example").unwrap();
        let source = Over::new(Vault::new(settings, [7; 32]).unwrap(), http.clone(), Arc::new(Still));
        assert!(now(source.fetch(&[Ask::new("database/creds/app")])).remove(0).is_err());
        assert_eq!(http.mints.load(SeqCst), 1);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, ..ProptestConfig::default() })]

    #[test]
    fn no_replies_panic_or_lead_in_circles(
        replies in prop::collection::vec(
            (
                prop::sample::select(vec![200u16, 200, 200, 200, 204, 307, 400, 403, 404, 500, 503]),
                prop_oneof![
                    prop::collection::vec(any::<u8>(), 0..40),
                    prop::sample::select(vec![
                        r#"{"data":{"ttl":18446744073709551615,"creation_ttl":18446744073709551615,"renewable":true}}"#,
                        r#"{"data":{"path":"secret/","type":"kv","options":{"version":"2"},"ttl":1}}"#,
                        r#"{"data":{"keys":["a/","b","..","a/../b",""]}}"#,
                        r#"{"data":{"keys":["a/","b/","c/","d/","e/","f/","g/","h/"]}}"#,
                        r#"{"data":{"data":{"a":1},"metadata":{"version":18446744073709551615}}}"#,
                        r#"{"lease_id":"x","lease_duration":18446744073709551615,"data":{"ttl":18446744073709551615}}"#,
                        r#"{"errors":["1 error occurred:\n\t* permission denied\n\n"]}"#,
                    ]).prop_map(|json| json.as_bytes().to_vec()),
                ],
            ),
            1..6,
        ),
    ) {
        let script: Vec<Scripted> = replies.into_iter().map(Ok).collect();
        let http = || Arc::new(Script { replies: Mutex::new(script.clone()), ..Script::default() });
        let (hand, vaultrs) = (http(), http());
        now(all_said(&source(&hand, Auth::Token("s.x".into()))));
        // 15 calls, each of at most two logins and two conversations
        prop_assert!(hand.sent.load(SeqCst) <= 15 * 4 * MAX_STEPS * 64);
        now(all_said(&sdk(&vaultrs, Auth::Token("s.x".into()))));
        // each of them at most twice through a folder of the largest kind
        prop_assert!(vaultrs.sent.load(SeqCst) <= 15 * 2 * 2 * 2 * 1_000, "{}", vaultrs.sent.load(SeqCst));
    }
}
