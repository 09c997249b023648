//! Tokens over hours, against a server that is made up: who cares for them, when, and how often.

use crate::hop::{clock, reads};
use crate::made::{ALIVE, Answer, DENIED, MINTED, Made, VALUE};
use secretfig_source::{Ask, ErrorKind, Lease, Source};
use secretfig_vault::{Auth, Given, Kind, SecretId, Settings, Vault};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

fn vault<F>(http: &Arc<Made<F>>, auth: Auth) -> Arc<Vault>
where
    F: Fn(&str) -> Answer + Send + Sync + 'static,
{
    let settings = Settings::new("https://vault.example", auth).unwrap();
    let settings = settings.known_mount("secret", Some(Kind::V2)).unwrap();
    Arc::new(Vault::over(settings, http.clone(), clock()).unwrap())
}

fn by_approle() -> Auth {
    let given = |text: &str| Given::Text(text.into());
    let secret_id = SecretId::Plain(given("secret-id"));
    Auth::AppRole { mount: "approle".to_owned(), role_id: given("role-id"), secret_id }
}

async fn mint(vault: &Vault) -> Lease {
    vault.fetch(&[Ask::new("database/creds/app")]).await.remove(0).unwrap().lease.unwrap()
}

async fn pass(seconds: u64) {
    tokio::time::sleep(Duration::from_secs(seconds)).await;
}

#[tokio::test(start_paused = true)]
async fn a_token_file_that_is_renewed_in_place_is_one_login_and_its_leases_live_on() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sink");
    std::fs::write(&path, "s.one").unwrap();
    let http = Made::of(|line: &str| match line {
        _ if line.ends_with("/lookup-self") => Ok((200, ALIVE)),
        _ if line.contains("/creds/") || line.contains("/leases/") => Ok((200, MINTED)),
        _ => Ok((200, VALUE)),
    });
    let vault = vault(&http, Auth::TokenFile(Arc::from(path.as_path())));
    let lease = mint(&vault).await;
    for hour in 1..=4 {
        pass(2_500).await;
        // the agent has renewed it, and written the same once more
        std::fs::write(&path, "s.one").unwrap();
        reads(&vault).await.unwrap();
        assert_eq!(http.count("/lookup-self"), 1 + hour, "its new time is asked for");
        assert!(!vault.lost(&lease), "{hour}");
        assert_eq!(vault.renew(&lease).await.unwrap().login, Some(Duration::from_secs(3_600)));
    }
    // also where it was found over, and only then read anew
    pass(4_000).await;
    reads(&vault).await.unwrap();
    assert!(!vault.lost(&lease));
    // another one is another login, and the leases of the first end with it
    std::fs::write(&path, "s.two").unwrap();
    pass(2_500).await;
    reads(&vault).await.unwrap();
    assert!(!vault.lost(&lease), "the first one lives still");
    pass(1_200).await;
    assert!(vault.lost(&lease));
}

#[tokio::test(start_paused = true)]
async fn what_several_see_to_be_due_is_done_once() {
    let renewed = r#"{"auth":{"client_token":"s.x","lease_duration":3600,"renewable":true}}"#;
    let first = AtomicBool::new(true);
    let answer = move |line: &str| match line {
        _ if line.ends_with("/lookup-self") => Ok((200, ALIVE)),
        _ if line.ends_with("/renew-self") => Ok((200, renewed)),
        _ if first.swap(false, SeqCst) => Ok((200, VALUE)),
        _ => Ok((403, DENIED)),
    };
    let http = Made::slow(answer, "/lookup-self", Duration::from_secs(1_000));
    let vault = vault(&http, Auth::Token("s.x".into()));
    reads(&vault).await.unwrap();
    let watchers: Vec<_> = (0..3)
        .map(|_| {
            let vault = vault.clone();
            tokio::spawn(async move { vault.changed().await })
        })
        .collect();
    // who is refused asks whether the token lives, and meanwhile its renewal falls due: all watchers wait for their turn
    pass(1_900).await;
    assert_eq!(reads(&vault).await.unwrap_err().kind(), ErrorKind::Denied);
    pass(60).await;
    assert_eq!((http.count("/lookup-self"), http.count("/renew-self")), (2, 1));
    watchers.iter().for_each(tokio::task::JoinHandle::abort);
}

#[tokio::test(start_paused = true)]
async fn a_token_of_a_second_or_two_costs_no_login_that_nobody_needs() {
    for (seconds, login) in [
        (1, r#"{"auth":{"client_token":"s.x","lease_duration":1,"renewable":false}}"#),
        (2, r#"{"auth":{"client_token":"s.x","lease_duration":2,"renewable":true}}"#),
    ] {
        let http = Made::of(move |line: &str| match line {
            _ if line.ends_with("/lookup-self") => Ok((200, ALIVE)),
            _ if line.ends_with("/login") || line.ends_with("/renew-self") => Ok((200, login)),
            _ => Ok((200, VALUE)),
        });
        let vault = vault(&http, by_approle());
        reads(&vault).await.unwrap();
        let watched = vault.clone();
        let watcher = tokio::spawn(async move { watched.changed().await });
        pass(60).await;
        assert_eq!((http.count("/login"), http.count("/renew-self")), (1, 0), "while nobody asks");
        for _ in 0..100 {
            reads(&vault).await.unwrap();
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        let logins = http.count("/login") + http.count("/renew-self");
        assert!(logins <= 2 + 10 / seconds, "{seconds} s: {logins} logins in 10 s of requests");
        watcher.abort();
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_made_and_cannot_be_used_is_given_back() {
    const ID: &str = "database/creds/app/orphan";
    for (reply, made) in [
        (r#"{"lease_id":"database/creds/app/orphan","lease_duration":"1h","data":{"username":"u"}}"#, true),
        (r#"{"lease_id":"database/creds/app/orphan","lease_duration":-1,"data":{"username":"u"}}"#, true),
        (r#"{"lease_id":"database/creds/app/orphan","lease_duration":1.5,"data":{"username":"u"}}"#, true),
        (r#"{"lease_id":"database/creds/app/orphan","data":{"username":"u"}}"#, true),
        (r#"{"lease_id":"database/creds/app/orphan","lease_duration":60,"data":null}"#, true),
        (r#"{"lease_id":"","lease_duration":60,"data":{"username":"u"}}"#, false),
        (r#"{"lease_duration":60,"data":{"username":"u"}}"#, false),
        ("<html>", false),
    ] {
        for revoked in [204, 403] {
            let http = Made::of(move |line: &str| match line {
                _ if line.ends_with("/lookup-self") => Ok((200, ALIVE)),
                _ if line.ends_with("/leases/revoke") => Ok((revoked, DENIED)),
                _ => Ok((200, reply)),
            });
            let vault = vault(&http, Auth::Token("s.x".into()));
            let e = vault.fetch(&[Ask::new("database/creds/app")]).await.remove(0).unwrap_err();
            assert_eq!(e.kind(), ErrorKind::Malformed, "{reply}");
            assert!(!e.to_string().contains("orphan"), "{e}");
            let given_back = http.bodies("/leases/revoke");
            assert_eq!(given_back.len(), usize::from(made), "{reply}");
            assert!(given_back.iter().all(|body| body.contains(ID)), "{given_back:?}");
            assert_eq!(http.count("/creds/app"), 1, "{reply}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_login_that_was_refused_waits_and_one_that_is_new_does_not() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("password");
    let refused = Arc::new(AtomicUsize::new(0));
    let counted = refused.clone();
    let http = Made::of(move |line: &str| match line {
        _ if line.contains("/login/") => {
            counted.fetch_add(1, SeqCst);
            Ok((400, r#"{"errors":["invalid username or password"]}"#))
        }
        _ => Ok((200, VALUE)),
    });
    let password = Given::File(Arc::from(path.as_path()));
    let vault =
        vault(&http, Auth::Userpass { mount: "userpass".to_owned(), user: "ada".to_owned(), password });
    for (n, password) in ["one", "two"].into_iter().enumerate() {
        std::fs::write(&path, password).unwrap();
        for _ in 0..50 {
            assert_eq!(reads(&vault).await.unwrap_err().kind(), ErrorKind::Unauthenticated);
        }
        assert_eq!(refused.load(SeqCst), 1 + n, "one login for fifty");
    }
    // at the server, an hour of this must not lock a user out for ever, nor be never tried again
    for _ in 0..3_600 {
        assert!(reads(&vault).await.is_err());
        pass(1).await;
    }
    assert!((8..=20).contains(&refused.load(SeqCst)), "{}", refused.load(SeqCst));
}
