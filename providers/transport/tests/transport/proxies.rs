//! Proxy variables: ignored and named, or used for what is far away. The environment is a process's, so each case
//! is a process: this test, run again.

use crate::server::{AMPLE, Server, get, ok};
use crate::tls::{Authority, at, serve};
use crate::traces::listen;
use secretfig_tests::{Hunt, Marker};
use secretfig_transport::{Proxy, Settings, Transport};
use std::process::Command;

fn run(case: &str, variables: &[(&str, &str)]) {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args([&format!("proxies::{case}"), "--exact", "--ignored", "--nocapture"]);
    for name in [
        "https_proxy",
        "HTTPS_PROXY",
        "all_proxy",
        "ALL_PROXY",
        "http_proxy",
        "HTTP_PROXY",
        "NO_PROXY",
        "no_proxy",
        "SSL_CERT_FILE",
        "SSL_CERT_DIR",
    ] {
        command.env_remove(name);
    }
    let output = command.envs(variables.iter().copied()).output().unwrap();
    let said =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.contains("1 passed"), "{case}, {variables:?}: {said}");
}

/// The proxy of a case listens at a port that its parent chose, so that the variable can be set before.
fn free_port() -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().to_string()
}

#[test]
fn variables_are_ignored_and_named() {
    let proxy = format!("http://{}", free_port());
    for name in ["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"] {
        run("ignored", &[(name, &proxy), ("NAMED", name)]);
    }
    run("unnamed", &[("HTTP_PROXY", &proxy), ("HTTPS_PROXY", "")]);
}

#[test]
fn variables_count_where_a_setting_says_so() {
    let at = free_port();
    let proxy = format!("http://user:word@{at}");
    run("counts", &[("HTTPS_PROXY", &proxy), ("PROXY_AT", &at), ("NO_PROXY", "near.test")]);
    run("malformed", &[("HTTPS_PROXY", "http://user:word@ /")]);
}

#[test]
fn what_a_proxy_is_asked_by_is_said_nowhere() {
    let marker = Marker::random();
    let word: String = marker.text().chars().filter(char::is_ascii_alphanumeric).collect();
    for scheme in ["http", "https"] {
        let at = free_port();
        let proxy = format!("{scheme}://{word}:{word}%40@{at}/");
        run("silent", &[("HTTPS_PROXY", &proxy), ("PROXY_AT", &at), ("WORD", &word)]);
    }
    // one that is ignored
    run("silent", &[("ALL_PROXY", &format!("http://{word}@[::1]:1")), ("WORD", &word)]);
}

#[test]
fn without_any_authority_tls_is_refused_and_plain_http_goes_on() {
    let empty = std::env::temp_dir().join("secretfig-no-authorities");
    std::fs::write(&empty, "").unwrap();
    let empty = empty.to_str().unwrap();
    run("unknown", &[("SSL_CERT_FILE", empty), ("SSL_CERT_DIR", "/nonexistent")]);
}

#[tokio::test]
#[ignore = "run by `variables_are_ignored_and_named`"]
async fn ignored() {
    let ours = Authority::new();
    let server = serve(&ours.sign("vault.test", |_| ()), None).await;
    let transport = Transport::new(at(&server).extra_ca_pem(ours.pem().as_bytes()).unwrap()).unwrap();
    // straight to the server
    assert!(get(&transport, "https://vault.test/", AMPLE).await.is_ok());
    // an outage, and its error names the variable
    let free = free_port();
    let transport = Transport::new(Settings::default().resolve("far.test", free.parse().unwrap())).unwrap();
    let named = format!("{} is set and ignored", std::env::var("NAMED").unwrap());
    let told = get(&transport, "https://far.test/", AMPLE).await.unwrap_err().of_source("vault").to_string();
    assert!(told.contains(&named), "{told}");
    // no proxy would have helped here
    for url in [format!("https://{free}/"), format!("http://{free}/")] {
        let told = get(&transport, &url, AMPLE).await.unwrap_err().of_source("vault").to_string();
        assert!(!told.contains("is set and ignored"), "{told}");
    }
    // nor against a certificate
    let transport = Transport::new(at(&server)).unwrap();
    let told =
        get(&transport, "https://vault.test/", AMPLE).await.unwrap_err().of_source("vault").to_string();
    assert!(told.contains("not known here"), "{told}");
}

#[tokio::test]
#[ignore = "run by `variables_are_ignored_and_named`"]
async fn unnamed() {
    let transport =
        Transport::new(Settings::default().resolve("far.test", free_port().parse().unwrap())).unwrap();
    let told = get(&transport, "https://far.test/", AMPLE).await.unwrap_err().of_source("vault").to_string();
    assert!(!told.contains("is set and ignored"), "{told}");
}

#[tokio::test]
#[ignore = "run by `variables_count_where_a_setting_says_so`"]
async fn counts() {
    let listener = tokio::net::TcpListener::bind(std::env::var("PROXY_AT").unwrap()).await.unwrap();
    let (sender, mut asked) = tokio::sync::mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut head = [0; 1024];
            let read = tokio::io::AsyncReadExt::read(&mut stream, &mut head).await.unwrap();
            sender.send(String::from_utf8_lossy(&head[..read]).into_owned()).unwrap();
            let _ = tokio::io::AsyncWriteExt::write_all(&mut stream, b"HTTP/1.1 403 Forbidden\r\n\r\n").await;
        }
    });
    let near = Server::plain(|mut line| async move {
        line.say(ok("near")).await;
    })
    .await;
    let settings = Settings::default().proxy(Proxy::Env).danger_plain_http();
    let settings =
        settings.resolve("plain.test", near.address).resolve("near.test", free_port().parse().unwrap());
    let transport = Transport::new(settings.metadata("fd00:ec2::23".parse().unwrap())).unwrap();
    // never by the proxy
    let plain = format!("http://plain.test:{}/", near.address.port());
    for url in [near.url("/"), plain, format!("http://localhost:{}/", near.address.port())] {
        assert_eq!(&get(&transport, &url, AMPLE).await.unwrap().body()[..], b"near");
    }
    let short =
        secretfig_source::protocol::Limits { deadline: std::time::Duration::from_millis(300), ..AMPLE };
    for url in [
        "https://127.0.0.1:1/",
        "https://127.8.8.8:1/",
        "https://[::1]:1/",
        "https://localhost:1/",
        "https://LOCALHOST.:1/",
        "https://near.test/",
        "http://[fd00:ec2::23]/",
        "https://[fd00:ec2::23]/",
    ] {
        assert!(get(&transport, url, short).await.is_err());
    }
    assert!(asked.try_recv().is_err(), "something that is near went by the proxy");
    // by the proxy
    let error = get(&transport, "https://far.test/v1/myapp", AMPLE).await.unwrap_err();
    let asked = asked.try_recv().unwrap();
    assert!(asked.starts_with("CONNECT far.test:443 HTTP/1.1\r\n"), "{asked}");
    assert!(asked.to_ascii_lowercase().contains("proxy-authorization: basic"), "{asked}");
    assert!(!asked.contains("myapp"), "{asked}");
    let told = format!("{} {error:?}", error.of_source("vault"));
    assert!(told.contains("proxy") && !told.contains("word"), "{told}");
}

#[test]
#[ignore = "run by `variables_count_where_a_setting_says_so`"]
fn malformed() {
    assert!(Transport::new(Settings::default()).is_ok());
    let refused = Transport::new(Settings::default().proxy(Proxy::Env)).map(|_| ()).unwrap_err();
    assert!(refused.reason().contains("no address of a proxy"), "{refused}");
}

#[tokio::test]
#[ignore = "run by `what_a_proxy_is_asked_by_is_said_nowhere`"]
async fn silent() {
    let (ear, hunt) = (listen(), Hunt::new());
    hunt.plant("userinfo of the proxy", Marker::new(std::env::var("WORD").unwrap()));
    let counts = std::env::var("PROXY_AT").ok();
    if let Some(at) = &counts {
        let listener = tokio::net::TcpListener::bind(at).await.unwrap();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let answer = b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n";
                let _ = tokio::io::AsyncReadExt::read(&mut stream, &mut [0; 1024]).await;
                let _ = tokio::io::AsyncWriteExt::write_all(&mut stream, answer).await;
            }
        });
    }
    let settings = Settings::default().proxy(if counts.is_some() { Proxy::Env } else { Proxy::Ignored });
    let transport = Transport::new(settings.resolve("far.test", free_port().parse().unwrap())).unwrap();
    hunt.check_debug("transport", &transport);
    let error = get(&transport, "https://far.test/", AMPLE).await.unwrap_err();
    hunt.check_debug("error", &error);
    hunt.check_error("source error", &error.of_source("vault"));
    let said = ear.text();
    assert!(counts.is_none() || said.contains("intercepts"), "the proxy was not logged: {said}");
    hunt.check("log", &said);
    hunt.finish();
}

#[tokio::test]
#[ignore = "run by `without_any_authority_tls_is_refused_and_plain_http_goes_on`"]
async fn unknown() {
    let ours = Authority::new();
    let server = serve(&ours.sign("vault.test", |_| ()), None).await;
    let error = get(&Transport::new(at(&server)).unwrap(), "https://vault.test/", AMPLE).await.unwrap_err();
    let told = error.of_source("vault").to_string();
    assert!(told.contains("TLS") && told.contains("ca-certificates"), "{told}");
    assert!(server.seen().is_empty());
    let plain = Server::plain(|mut line| async move {
        line.say(ok("near")).await;
    })
    .await;
    let transport = Transport::new(Settings::default()).unwrap();
    assert_eq!(&get(&transport, &plain.url("/"), AMPLE).await.unwrap().body()[..], b"near");
    // an authority set by hand is enough
    let known = Transport::new(at(&server).extra_ca_pem(ours.pem().as_bytes()).unwrap()).unwrap();
    assert!(get(&known, "https://vault.test/", AMPLE).await.is_ok());
}
