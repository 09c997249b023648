//! Time, size, redirects, and what a broken connection is called.

use crate::server::{AMPLE, Server, get, limits, ok, send};
use secretfig_source::protocol::{HttpFault, Request};
use secretfig_transport::{Settings, Transport};
use std::time::Duration;
use tokio::time::Instant;

fn transport() -> Transport {
    Transport::new(Settings::default()).unwrap()
}

async fn fault(url: &str, settings: Settings) -> HttpFault {
    get(&Transport::new(settings).unwrap(), url, AMPLE).await.unwrap_err().fault()
}

#[tokio::test]
async fn a_request_goes_out_as_it_was_built_and_its_reply_comes_back_whole() {
    let server = Server::plain(|mut line| async move {
        line.say("HTTP/1.1 418 I'm a teapot\r\ncontent-length: 5\r\nx-revision: 7\r\n\r\nhello").await;
    })
    .await;
    let origin = format!("http://localhost:{}", server.address.port());
    let reply = send(&transport(), &origin, AMPLE).await.unwrap();
    assert_eq!((reply.status().as_u16(), &reply.body()[..]), (418, &b"hello"[..]));
    assert_eq!(reply.header("x-revision"), Some("7"));
    let seen = server.seen();
    assert!(seen[0].starts_with("GET /v1/a%2Fb?x=%26 HTTP/1.1\r\n"), "{seen:?}");
    assert!(seen[0].contains("user-agent: secretfig/"), "{seen:?}");
    assert!(!seen[0].to_ascii_lowercase().contains("accept-encoding"), "{seen:?}");
}

#[tokio::test(start_paused = true)]
async fn one_deadline_is_over_all_of_it_and_exact() {
    let deadline = Duration::from_secs(7);
    let silent = Server::plain(|line| line.hold()).await;
    let headers = Server::plain(|mut line| async move {
        line.say("HTTP/1.1 200 OK\r\n").await;
        while line.say("x: y\r\n").await {
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    })
    .await;
    let body = Server::plain(|mut line| async move {
        line.say("HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n").await;
        while line.say("x").await {
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    })
    .await;
    for server in [&silent, &headers, &body] {
        let before = Instant::now();
        let error = get(&transport(), &server.url("/"), limits(deadline, 1 << 20)).await.unwrap_err();
        assert_eq!(error.fault(), HttpFault::Timeout);
        let over = before.elapsed() - deadline;
        assert!(over <= Duration::from_millis(2), "{over:?} late");
    }
    assert_eq!(silent.seen().len(), 1, "it was sent, once");
}

#[tokio::test(start_paused = true)]
async fn a_handshake_that_never_ends_is_a_timeout_too() {
    // the server waits for a request that never comes, since the client waits for a handshake
    let server = Server::plain(|line| line.hold()).await;
    let url = format!("https://{}/", server.address);
    let before = Instant::now();
    assert_eq!(
        get(&transport(), &url, limits(Duration::from_secs(1), 1)).await.unwrap_err().fault(),
        HttpFault::Timeout
    );
    assert!(before.elapsed() <= Duration::from_millis(1002));
    let before = Instant::now();
    assert_eq!(
        fault(&url, Settings::default().connect_timeout(Duration::from_secs(3))).await,
        HttpFault::Timeout
    );
    assert!(before.elapsed() <= Duration::from_millis(3010), "{:?}", before.elapsed());
}

#[tokio::test]
async fn a_body_of_the_limit_passes_and_one_byte_more_does_not() {
    let server = Server::plain(|mut line| async move {
        line.say(ok(vec![b'x'; 100_000])).await;
    })
    .await;
    let chunked = Server::plain(|mut line| async move {
        line.say("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n").await;
        for _ in 0..100 {
            line.say(format!("3e8\r\n{}\r\n", "x".repeat(1000))).await;
        }
        line.say("0\r\n\r\n").await;
    })
    .await;
    for server in [server, chunked] {
        for (at_most, fits) in [(100_000, true), (99_999, false), (0, false)] {
            let answer = get(&transport(), &server.url("/"), limits(AMPLE.deadline, at_most)).await;
            match answer {
                Ok(reply) => assert!(fits && reply.body().len() == 100_000),
                Err(error) => assert_eq!((fits, error.fault()), (false, HttpFault::TooLarge)),
            }
        }
    }
}

#[tokio::test]
async fn an_endless_body_ends_at_the_limit_and_a_large_one_is_not_begun() {
    let endless = Server::plain(|mut line| async move {
        line.say("HTTP/1.1 200 OK\r\n\r\n").await;
        while line.say([b'x'; 4096]).await {}
    })
    .await;
    assert_eq!(fault(&endless.url("/"), Settings::default()).await, HttpFault::TooLarge);
    // announced and never sent: without a look at the header this would be a timeout
    let announced = Server::plain(|mut line| async move {
        line.say("HTTP/1.1 200 OK\r\ncontent-length: 99999999999\r\n\r\n").await;
        line.hold().await;
    })
    .await;
    assert_eq!(fault(&announced.url("/"), Settings::default()).await, HttpFault::TooLarge);
}

#[tokio::test]
async fn compressed_bytes_are_handed_back_as_they_are() {
    // gzip of a mebibyte of zeros starts like this; what is not unpacked cannot outgrow anything
    let server = Server::plain(|mut line| async move {
        let body = [0x1f, 0x8b, 0x08, 0, 0, 0, 0, 0, 0, 3, 0xed, 0xc1];
        line.say(format!(
            "HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: {}\r\n\r\n",
            body.len()
        ))
        .await;
        line.say(body).await;
    })
    .await;
    let reply = get(&transport(), &server.url("/"), AMPLE).await.unwrap();
    assert_eq!(&reply.body()[..4], &[0x1f, 0x8b, 0x08, 0]);
    assert!(!server.seen()[0].to_ascii_lowercase().contains("gzip"));
}

#[tokio::test]
async fn a_redirect_is_handed_back_and_nobody_else_is_asked() {
    let other = Server::plain(|mut line| async move {
        line.say(ok("here")).await;
    })
    .await;
    let to = other.url("/steal");
    for status in [301, 302, 303, 307, 308] {
        let to = to.clone();
        let server = Server::plain(move |mut line| {
            let answer = format!("HTTP/1.1 {status} Moved\r\nlocation: {to}\r\ncontent-length: 0\r\n\r\n");
            async move {
                line.say(answer).await;
            }
        })
        .await;
        let reply = get(&transport(), &server.url("/"), AMPLE).await.unwrap();
        assert_eq!(
            (reply.status().as_u16(), reply.header("location")),
            (status, Some(to_of(&other).as_str()))
        );
        assert_eq!(server.seen().len(), 1);
    }
    assert_eq!(*other.connections.lock().unwrap(), 0);
}

fn to_of(server: &Server) -> String {
    server.url("/steal")
}

#[tokio::test]
async fn what_breaks_off_is_not_asked_again() {
    for answer in [
        "",
        "HTTP/1.1 200",
        "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf",
        "\x16\x03\x01\x00garbage\r\n\r\n",
    ] {
        let server = Server::plain(move |mut line| async move {
            line.say(answer).await;
            line.end().await;
        })
        .await;
        assert_eq!(fault(&server.url("/"), Settings::default()).await, HttpFault::Transport, "{answer:?}");
        assert_eq!(server.seen().len(), 1, "{answer:?}");
    }
}

#[tokio::test]
async fn nothing_there_and_no_such_name_are_told_apart() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let error = get(&transport(), &format!("http://{free}/"), AMPLE).await.unwrap_err().of_source("vault");
    assert!(error.to_string().contains("nothing listens at this address"), "{error}");
    let error =
        get(&transport(), "https://no-such-host.invalid/", AMPLE).await.unwrap_err().of_source("vault");
    assert!(error.to_string().contains("no address is known of this host"), "{error}");
}

#[tokio::test]
async fn plain_http_is_refused_before_anybody_is_asked() {
    let server = Server::plain(|mut line| async move {
        line.say(ok("here")).await;
    })
    .await;
    let url = format!("http://vault.test:{}/v1", server.address.port());
    let placed = Settings::default().resolve("vault.test", server.address);
    assert_eq!(fault(&url, placed.clone()).await, HttpFault::Misconfigured);
    assert_eq!(fault("http://169.254.169.254/latest", placed.clone()).await, HttpFault::Misconfigured);
    assert_eq!(fault("http://user@127.0.0.1/", Settings::default()).await, HttpFault::Misconfigured);
    assert_eq!(*server.connections.lock().unwrap(), 0);
    let danger = Transport::new(placed.danger_plain_http()).unwrap();
    assert_eq!(&get(&danger, &url, AMPLE).await.unwrap().body()[..], b"here");
    let origin = secretfig_source::protocol::Origin::danger_plain_http("http://vault.test").unwrap();
    let request = Request::get(&origin, ["v1"]).unwrap();
    assert_eq!(
        secretfig_source::protocol::Http::send(&transport(), request, AMPLE).await.unwrap_err().fault(),
        HttpFault::Misconfigured
    );
}

#[test]
fn settings_that_would_open_a_door_are_refused() {
    for settings in [
        Settings::default().metadata("169.254.1.1".parse().unwrap()),
        Settings::default().metadata("10.0.0.1".parse().unwrap()),
        Settings::default().resolve("LocalHost", "192.0.2.1:80".parse().unwrap()),
        Settings::default().resolve("localhost.", "192.0.2.1:80".parse().unwrap()),
    ] {
        assert!(Transport::new(settings.clone()).is_err(), "{settings:?}");
    }
    let listed = Settings::default()
        .metadata("169.254.169.254".parse().unwrap())
        .metadata("fd00:ec2::23".parse().unwrap());
    assert!(Transport::new(listed.resolve("localhost", "127.0.0.1:1".parse().unwrap())).is_ok());
}

#[tokio::test]
async fn a_connection_is_used_again_and_a_closed_one_is_made_anew() {
    let server = Server::plain(|mut line| async move {
        line.say(ok("once")).await;
        line.end().await;
    })
    .await;
    let transport = transport();
    for _ in 0..5 {
        assert_eq!(get(&transport, &server.url("/"), AMPLE).await.unwrap().body().len(), 4);
    }
    assert_eq!(server.seen().len(), 5);
}
