//! Markers in the URL, the headers and the bodies of both directions: in no error, no `Debug`, no log at TRACE.

use crate::server::{AMPLE, Server, get, limits, ok};
use crate::tls::{Authority, at};
use bytes::Bytes;
use http::HeaderValue;
use secretfig_source::protocol::{Credential, Http, Origin, Request};
use secretfig_tests::{Hunt, Marker};
use secretfig_transport::{Settings, Transport};
use std::io::Write;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;
use tracing_subscriber::fmt::MakeWriter;
use zeroize::Zeroizing;

/// All that any crate says at any level, on any thread.
#[derive(Clone, Default)]
pub(crate) struct Ear(Arc<Mutex<Vec<u8>>>);

impl Ear {
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap()).into_owned()
    }
}

impl Write for Ear {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Ear {
    type Writer = Self;
    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

pub(crate) fn listen() -> Ear {
    static EAR: OnceLock<Ear> = OnceLock::new();
    EAR.get_or_init(|| {
        let ear = Ear::default();
        let all = tracing_subscriber::fmt().with_max_level(tracing_subscriber::filter::LevelFilter::TRACE);
        // with the feature `tracing-log`, which others may switch on, the first sets what the second would
        let all = all.with_writer(ear.clone()).finish();
        let _ = tracing_subscriber::util::SubscriberInitExt::try_init(all);
        let _ = tracing_log::LogTracer::init();
        ear
    })
    .clone()
}

#[tokio::test]
async fn nothing_of_a_request_or_a_reply_is_said_anywhere() {
    let ear = listen();
    let hunt = Hunt::new();
    let word = |name: &str| {
        let marker = Marker::random();
        let text: String = marker.text().chars().filter(char::is_ascii_alphanumeric).collect();
        hunt.plant(name, Marker::new(text)).text().to_owned()
    };
    let (path, query, token, sent) = (word("path"), word("query"), word("token"), word("sent"));
    let (header, body) = (word("reply header"), word("reply body"));

    let whole =
        format!("HTTP/1.1 200 OK\r\nx-secret: {header}\r\ncontent-length: {}\r\n\r\n{body}", body.len());
    let half = format!("HTTP/1.1 200 OK\r\nx-secret: {header}\r\ncontent-length: 9999\r\n\r\n{body}");
    let broken = format!("HTTP/1.1 200 OK\r\n{header} {body}\r\n\r\n{body}");
    let redirect =
        format!("HTTP/1.1 302 Found\r\nlocation: https://{header}.test/{body}\r\ncontent-length: 0\r\n\r\n");

    let ours = Authority::new();
    let leaf = ours.sign("vault.test", |_| ());
    for (name, answer, hold) in [
        ("whole", &whole, false),
        ("half", &half, false),
        ("held", &half, true),
        ("broken", &broken, false),
        ("redirect", &redirect, false),
    ] {
        let answer = answer.clone();
        let server = Server::tls(leaf.acceptor(None), move |mut line| {
            let answer = answer.clone();
            async move {
                line.say(answer).await;
                if hold { line.hold().await } else { line.end().await }
            }
        })
        .await;
        let settings = at(&server);
        let known = settings.clone().extra_ca_pem(ours.pem().as_bytes()).unwrap();
        for settings in [settings, known] {
            let transport = Transport::new(settings.clone()).unwrap();
            hunt.check_debug(format!("settings, {name}"), &settings);
            hunt.check_debug(format!("transport, {name}"), &transport);
            let origin = Origin::parse("https://vault.test").unwrap();
            let credential = Credential::bearer(&origin, &token).unwrap();
            let request = Request::new(http::Method::POST, &origin, ["v1", &path])
                .unwrap()
                .query("x", &query)
                .credential(&credential)
                .unwrap()
                .body("text/plain", Zeroizing::new(sent.clone().into_bytes()));
            let short = limits(Duration::from_millis(if hold { 300 } else { 20_000 }), 1 << 20);
            match transport.send(request, short).await {
                Ok(reply) => hunt.check_debug(format!("reply, {name}"), &reply),
                Err(error) => {
                    hunt.check_debug(format!("error, {name}"), &error);
                    hunt.check_error(format!("source error, {name}"), &error.of_source("vault"));
                }
            }
        }
        assert!(server.seen().iter().all(|seen| seen.contains(&token) && seen.contains(&sent)));
        assert_eq!(server.seen().len(), 1, "{name}");
    }
    // by the SDKs' door, with what is refused, and with a header that nobody has marked as sensitive
    let transport = Transport::new(Settings::default()).unwrap();
    for url in [
        format!("http://far.test/{path}?{query}"),
        format!("https://{token}:{sent}@far.test/"),
        format!("https://far.test/../{path}"),
        format!("https://no-such-host.invalid/{path}?{query}"),
        format!("http://127.0.0.1:1/{path}?{query}"),
    ] {
        let mut request = http::Request::new(Bytes::from(sent.clone()));
        *request.uri_mut() = url.parse().unwrap();
        request.headers_mut().insert("x-token", HeaderValue::from_str(&token).unwrap());
        let error = transport.exchange(request, AMPLE).await.unwrap_err();
        hunt.check_debug("refused", &error);
        hunt.check_error("refused", &error.of_source("vault"));
    }
    let said = ear.text();
    for heard in ["reqwest", "rustls", "TRACE"] {
        assert!(said.contains(heard), "nothing of {heard} was heard: the log proves nothing");
    }
    hunt.check("log", &said);
    hunt.finish();
}

#[tokio::test]
async fn the_log_is_heard() {
    let ear = listen();
    let server = Server::plain(|mut line| async move {
        line.say(ok("")).await;
    })
    .await;
    log::trace!("a line of a crate that logs");
    get(&Transport::new(Settings::default()).unwrap(), &server.url("/"), AMPLE).await.unwrap();
    assert!(ear.text().contains("a line of a crate that logs"));
}
