//! What stands in front of a server, and servers that answer oddly: replies made here, the same to both halves.

use crate::hop::clock;
use crate::made::{ALIVE, Answer, DENIED, MINTED, Made, VALUE};
use secretfig_source::protocol::{HttpFault, Over};
use secretfig_source::{Ask, ErrorKind, Listing, Source};
use secretfig_test_servers::OpenBao;
use secretfig_vault::{Auth, Kind, Settings, Vault, protocol};
use std::sync::Arc;

/// A half, and what went through it.
type Half<F> = (Box<dyn Source>, Arc<Made<F>>);

/// Both halves of a token on two addresses, each with what went through it.
fn halves<F>(answer: F) -> [Half<F>; 2]
where
    F: Fn(&str) -> Answer + Clone + Send + Sync + 'static,
{
    let settings = || {
        let auth = Auth::Token("s.x".into());
        let settings =
            Settings::new("https://one.example", auth).unwrap().also("https://two.example").unwrap();
        settings.known_mount("secret", Some(Kind::V2)).unwrap()
    };
    let http = || Made::of(answer.clone());
    let (sdk, base) = (http(), http());
    let by_hand = protocol::Vault::new(settings(), [7; 32]).unwrap();
    [
        (Box::new(Vault::over(settings(), sdk.clone(), clock()).unwrap()), sdk),
        (Box::new(Over::new(by_hand, base.clone(), clock())), base),
    ]
}

async fn kind(source: &dyn Source, name: &str) -> Option<ErrorKind> {
    source.fetch(&[Ask::new(name)]).await.remove(0).err().map(|e| e.kind())
}

#[tokio::test(start_paused = true)]
async fn what_a_proxy_refuses_is_no_word_on_a_secret_and_costs_no_login() {
    for page in [(403, "<html>blocked</html>"), (404, "default backend - 404"), (404, "")] {
        let answer = move |line: &str| match line {
            _ if line.ends_with("/lookup-self") => Ok((200, ALIVE)),
            _ if line.contains("/creds/") => Ok((200, MINTED)),
            _ => Ok(page),
        };
        for (source, http) in halves(answer) {
            let minted = source.fetch(&[Ask::new("database/creds/app")]).await.remove(0).unwrap();
            for _ in 0..3 {
                assert_eq!(kind(&*source, "secret/app").await, Some(ErrorKind::Malformed), "{page:?}");
            }
            assert_eq!(http.count("/lookup-self"), 1, "{page:?}");
            assert!(!source.lost(&minted.lease.unwrap()));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_proxy_that_refuses_everything_kills_no_token() {
    // the read is the server's own refusal, and the question after the token meets the proxy
    let proxied = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let flag = proxied.clone();
    let answer = move |line: &str| match line {
        _ if line.ends_with("/lookup-self") => {
            Ok(if flag.load(std::sync::atomic::Ordering::SeqCst) { (403, "<html>") } else { (200, ALIVE) })
        }
        _ if line.contains("/creds/") => Ok((200, MINTED)),
        _ => Ok((403, DENIED)),
    };
    for (source, http) in halves(answer) {
        proxied.store(false, std::sync::atomic::Ordering::SeqCst);
        let minted = source.fetch(&[Ask::new("database/creds/app")]).await.remove(0).unwrap();
        proxied.store(true, std::sync::atomic::Ordering::SeqCst);
        tokio::time::advance(std::time::Duration::from_secs(1)).await;
        assert_eq!(kind(&*source, "secret/app").await, Some(ErrorKind::Malformed));
        assert_eq!(http.count("/lookup-self"), 2);
        assert!(!source.lost(&minted.lease.unwrap()));
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_proxy_lost_on_the_way_is_minted_nowhere_else() {
    for lost in [Ok((503, "upstream connect error or disconnect")), Ok((502, "")), Err(HttpFault::Tls)] {
        let answer = move |line: &str| match line {
            _ if line.ends_with("/lookup-self") => Ok((200, ALIVE)),
            _ if line.contains("one.example") => lost,
            _ => Ok((200, MINTED)),
        };
        for (source, http) in halves(answer) {
            assert!(kind(&*source, "database/creds/app").await.is_some());
            assert_eq!(http.count("/creds/app"), 1, "{lost:?}");
        }
    }
    // what the server says of itself, it says before it does anything
    let answer = |line: &str| match line {
        _ if line.ends_with("/lookup-self") => Ok((200, ALIVE)),
        _ if line.contains("one.example") => Ok((503, r#"{"errors":["Vault is sealed"]}"#)),
        _ => Ok((200, MINTED)),
    };
    for (source, _) in halves(answer) {
        assert_eq!(kind(&*source, "database/creds/app").await, None);
    }
}

#[tokio::test(start_paused = true)]
async fn a_node_that_fails_is_passed_over_for_the_next() {
    for failed in [Ok((500, "{}")), Ok((503, "<html>")), Err(HttpFault::Transport), Err(HttpFault::Tls)] {
        let answer = move |line: &str| match line {
            _ if line.contains("one.example") => failed,
            _ if line.ends_with("/lookup-self") => Ok((200, ALIVE)),
            _ => Ok((200, VALUE)),
        };
        for (source, _) in halves(answer) {
            assert_eq!(kind(&*source, "secret/app").await, None, "{failed:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_lease_tells_how_long_its_login_lives() {
    let ends = r#"{"data":{"ttl":3600,"creation_ttl":3600,"renewable":false}}"#;
    let answer = move |line: &str| match line {
        _ if line.ends_with("/lookup-self") => Ok((200, ends)),
        _ => Ok((200, MINTED)),
    };
    for (source, _) in halves(answer) {
        source.sign_in().await.unwrap();
        tokio::time::advance(std::time::Duration::from_secs(600)).await;
        let minted = source.fetch(&[Ask::new("database/creds/app")]).await.remove(0).unwrap();
        let left = minted.lease.as_ref().unwrap().login.map(|left| left.as_secs());
        assert_eq!(left, Some(3_000));
        let renewed = source.renew(&minted.lease.unwrap()).await.unwrap();
        assert_eq!(renewed.login.map(|left| left.as_secs()), Some(3_000));
    }
}

#[tokio::test(start_paused = true)]
async fn a_right_to_metadata_that_is_not_there_is_not_asked_for_again_and_again() {
    let answer = |line: &str| match line {
        _ if line.ends_with("/lookup-self") => Ok((200, ALIVE)),
        _ if line.contains("/metadata/") => Ok((403, DENIED)),
        _ => Ok((200, VALUE)),
    };
    for (source, http) in halves(answer) {
        for _ in 0..10 {
            let probed = source.probe(&[Ask::new("secret/app")]).await.remove(0);
            assert!(probed.is_ok());
            tokio::time::advance(std::time::Duration::from_secs(150)).await;
        }
        assert_eq!(http.count("/data/"), 10);
        assert!(http.count("/metadata/") <= 2, "{}", http.count("/metadata/"));
    }
}

#[tokio::test]
async fn a_mount_taken_for_one_without_versions_is_told_and_is_not_absent() {
    let bao = OpenBao::start().await;
    bao.call("POST", "secret/data/a", serde_json::json!({"data": {"v": "x"}})).await;
    let settings = || {
        let auth = Auth::Token(bao.root_token().into());
        Settings::new(bao.address(), auth).unwrap().known_mount("secret", Some(Kind::V1)).unwrap()
    };
    let transport = || secretfig_transport::Transport::new(Default::default()).unwrap();
    let sdk = Vault::new(settings(), clock()).unwrap();
    let base = Over::new(protocol::Vault::new(settings(), [7; 32]).unwrap(), transport(), clock());
    for source in [&sdk as &dyn Source, &base] {
        for name in ["secret/a", "secret/none", "secret/*"] {
            assert_eq!(kind(source, name).await, Some(ErrorKind::Misconfigured), "{name}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_listed_leads_to_no_other_path() {
    for keys in [
        r#"{"data":{"keys":["good","a//"]}}"#,
        r#"{"data":{"keys":["good","a/b"]}}"#,
        r#"{"data":{"keys":["good","../a"]}}"#,
        r#"{"data":{"keys":["good","a/../../b/"]}}"#,
        r#"{"data":{"keys":["good","/"]}}"#,
        r#"{"data":{"keys":["good",""]}}"#,
        r#"{"data":{"keys":["good",".."]}}"#,
        r#"{"data":{"keys":["good","../"]}}"#,
    ] {
        // the first folder holds it, and no other one may be asked for
        let answer = move |line: &str| match line {
            _ if line.ends_with("/lookup-self") => Ok((200, ALIVE)),
            _ if line.contains("/metadata/app?list=true") => Ok((200, keys)),
            _ if line.starts_with("LIST") && line.ends_with("/metadata/app") => Ok((200, keys)),
            _ if line.contains("list=true") || line.starts_with("LIST") => {
                Ok((200, r#"{"data":{"keys":[]}}"#))
            }
            _ => Ok((200, VALUE)),
        };
        for (source, http) in halves(answer) {
            assert_eq!(kind(&*source, "secret/app/*").await, Some(ErrorKind::Misconfigured), "{keys}");
            let (lists, reads) = (http.count("/metadata/"), http.count("/data/"));
            assert!(
                lists == 1 && reads == http.count("/data/app/good"),
                "{keys}: {lists} lists, {reads} reads"
            );
        }
        let http = Made::of(answer);
        let settings = Settings::new("https://one.example", Auth::Token("s.x".into())).unwrap();
        let settings = settings.known_mount("secret", Some(Kind::V2)).unwrap();
        let source = Vault::over(settings, http, clock()).unwrap();
        assert_eq!(source.list("secret/app/").await.unwrap_err().kind(), ErrorKind::Misconfigured, "{keys}");
    }
}
