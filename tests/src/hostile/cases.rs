//! The table: what a server may do, and what has to come of it.

use super::certs::Identity;
use super::script::{Move, Script};
use super::{bomb, tls};
use secretfig_source::protocol::HttpFault;
use secretfig_source::{ErrorKind, Unavailable};
use std::time::Duration;

/// One thing that a server may do.
pub struct Case {
    /// For the report.
    pub name: String,
    /// What it does.
    pub ground: Ground,
    /// What the client has to tell of it.
    pub wire: Wire,
    /// What any source has to make of that.
    pub source: Owed,
    /// The deadline of each request.
    pub deadline: Duration,
}

/// What is done to a request, by what is known of the run.
pub type Answer = Box<dyn Fn(&Scene<'_>) -> Vec<Move> + Send + Sync>;

/// What the server does, and how far a client gets.
pub enum Ground {
    /// It answers a request with this; over plain TCP, over TLS, at once and in the middle of a conversation.
    Answer(Answer),
    /// It does this before a request was read.
    Connection(fn() -> Script),
    /// Where TLS is spoken, it does this.
    Greeting(fn() -> Script),
    /// It speaks TLS, and is this.
    Certificate(Identity),
    /// It is what it should be, and its key is not the pinned one.
    Unpinned,
}

/// What the scripts of a run have in common.
pub struct Scene<'a> {
    /// A value that stands in whatever the server says, and may be told by nobody.
    pub planted: &'a str,
    /// The address of another server, which nobody may ask.
    pub elsewhere: &'a str,
}

/// What comes of it on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wire {
    /// A reply with that status, for whoever asked to judge.
    Reply(u16),
    /// None.
    Fault(HttpFault),
}

/// What comes of it as a source's answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owed {
    /// The secret, as the server has it.
    Served,
    /// This error.
    Kind(ErrorKind),
    /// What [`Victim::redirected`](super::Victim::redirected) says of this status.
    Redirected(u16),
    /// Throttled, with a wait of at least so long: of a date, the rest depends on the day.
    ThrottledFor(Duration),
}

const DEADLINE: Duration = Duration::from_millis(600);
/// Of what drips a byte a second: two of them have to come before it passes.
const DRIP_DEADLINE: Duration = Duration::from_millis(2500);
const SECOND: Duration = Duration::from_secs(1);

/// All of them.
pub fn all() -> Vec<Case> {
    let mut all = vec![served("answers well")];
    all.extend(connections());
    all.extend(bodies());
    all.extend(heads());
    all.extend(statuses());
    all.extend(greetings());
    all.extend(certificates());
    all
}

/// The server that answers as it should: what the others are measured by.
pub fn served(name: &str) -> Case {
    Case {
        name: name.to_owned(),
        ground: Ground::Certificate(Identity::Good),
        wire: Wire::Reply(200),
        source: Owed::Served,
        deadline: DEADLINE,
    }
}

/// What happens to connections.
fn connections() -> Vec<Case> {
    let partial = |length: &str, end: fn() -> Move| {
        let head = format!("HTTP/1.1 200 OK\r\n{length}\r\n");
        move |scene: &Scene<'_>| {
            vec![Move::send(format!("{head}{{\"data\":{{\"password\":\"{}", scene.planted)), end()]
        }
    };
    let chunked = "Transfer-Encoding: chunked\r\n\r\n40";
    vec![
        connection("accepts, and is silent", || Script::AtOnce(vec![Move::Hold]), HttpFault::Timeout),
        connection("accepts, and resets", || Script::AtOnce(vec![Move::Reset]), HttpFault::Transport),
        connection("accepts, and closes", || Script::AtOnce(vec![]), HttpFault::Transport),
        broken("reads the request, and is silent", HttpFault::Timeout, |_| vec![Move::Hold]),
        broken("reads the request, and closes", HttpFault::Transport, |_| vec![]),
        broken("reads the request, and resets", HttpFault::Transport, |_| vec![Move::Reset]),
        broken(
            "resets in the body",
            HttpFault::Transport,
            partial("Content-Length: 4000\r\n", || Move::Reset),
        ),
        broken("resets in a chunk", HttpFault::Transport, partial(chunked, || Move::Reset)),
        broken(
            "cuts the body short",
            HttpFault::Transport,
            partial("Content-Length: 4000\r\n", || Move::Cut),
        ),
        broken("cuts a chunk short", HttpFault::Transport, partial(chunked, || Move::Cut)),
        broken(
            "is silent in the body",
            HttpFault::Timeout,
            partial("Content-Length: 4000\r\n", || Move::Hold),
        ),
        broken("is silent in the head", HttpFault::Timeout, |scene| {
            vec![Move::send(format!("HTTP/1.1 200 OK\r\nX-Said: {}", scene.planted)), Move::Hold]
        }),
        broken("drips the head", HttpFault::Timeout, |_| vec![drip(b"HTTP/1.1 200 OK\r\nX-Slow: yes")])
            .within(DRIP_DEADLINE),
        broken("drips the body", HttpFault::Timeout, |scene| {
            let head = "HTTP/1.1 200 OK\r\nContent-Length: 4000\r\n\r\n";
            vec![Move::send(head), drip(scene.planted.repeat(100).as_bytes())]
        })
        .within(DRIP_DEADLINE),
        broken("drips a chunked body", HttpFault::Timeout, |_| {
            let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
            vec![Move::send(head), drip(&b"1\r\nx\r\n".repeat(100))]
        })
        .within(DRIP_DEADLINE),
    ]
}

/// Bodies that are too much, or nothing.
fn bodies() -> Vec<Case> {
    let endless = |head: &'static str, part: Vec<u8>| {
        move |_: &Scene<'_>| {
            vec![Move::send(format!("HTTP/1.1 200 OK\r\n{head}\r\n")), Move::Repeat(part.clone())]
        }
    };
    let chunk = [b"4000\r\n".as_slice(), &[b'x'; 0x4000], b"\r\n"].concat();
    let malformed = |name: &str, headers: &'static str, body: Vec<u8>| {
        replied(name, 200, ErrorKind::Malformed, move |_| vec![Move::reply(200, headers, &body)])
    };
    let json = "Content-Type: application/json\r\n";
    let bomb = bomb::gigabyte();
    vec![
        broken(
            "an endless chunked body",
            HttpFault::TooLarge,
            endless("Transfer-Encoding: chunked\r\n", chunk),
        ),
        broken("an endless raw body", HttpFault::TooLarge, endless("", vec![b'x'; 0x4000])),
        broken("a body announced as endless", HttpFault::TooLarge, |_| {
            vec![
                Move::send(format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", 1_u64 << 50)),
                Move::Hold,
            ]
        }),
        broken("one endless chunk", HttpFault::TooLarge, |_| {
            let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n7fffffffffffffff\r\n";
            vec![Move::send(head), Move::Repeat(vec![b'x'; 0x4000])]
        }),
        malformed("a gzip bomb", "Content-Type: application/json\r\nContent-Encoding: gzip\r\n", bomb),
        malformed("10,000 nested arrays", json, [b"[".repeat(10_000), b"]".repeat(10_000)].concat()),
        malformed("10,000 nested objects", json, br#"{"data":"#.repeat(10_000)),
        malformed("no UTF-8", json, b"{\"data\":{\"data\":{\"password\":\"\xFF\xFE\"}}}".to_vec()),
        malformed("an empty 200", json, Vec::new()),
        replied("204", 204, ErrorKind::Malformed, |_| {
            vec![Move::send("HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")]
        }),
        replied("HTML with 200", 200, ErrorKind::Malformed, |scene| {
            let page = format!("<html><body>Sign in to the proxy: {}</body></html>", scene.planted);
            vec![Move::reply(200, "Content-Type: text/html\r\n", page)]
        }),
        replied("a body of another type", 200, ErrorKind::Malformed, |scene| {
            vec![Move::reply(200, "Content-Type: image/png\r\n", format!("\u{89}PNG{}", scene.planted))]
        }),
        replied("the same key twice", 200, ErrorKind::Malformed, |scene| {
            let twice = format!(r#"{{"data":{{"a":"{0}"}},"data":{{"b":"{0}"}}}}"#, scene.planted);
            vec![Move::reply(200, "Content-Type: application/json\r\n", twice)]
        }),
        replied("JSON cut short, of the length it says", 200, ErrorKind::Malformed, |scene| {
            let half = format!(r#"{{"data":{{"data":{{"password":"{}"#, scene.planted);
            vec![Move::reply(200, "Content-Type: application/json\r\n", half)]
        }),
    ]
}

/// Heads that are too much, or none.
fn heads() -> Vec<Case> {
    let text = |name: &'static str, fault, text: &'static str| {
        broken(name, fault, move |scene| vec![Move::send(text.replace("PLANTED", scene.planted)), Move::Hold])
    };
    vec![
        broken("a flood of headers", HttpFault::Transport, |scene| {
            let line = format!("X-Flood: {}\r\n", scene.planted.repeat(20));
            vec![Move::send("HTTP/1.1 200 OK\r\n"), Move::Repeat(line.into_bytes())]
        }),
        broken("one endless header", HttpFault::Transport, |scene| {
            let part = scene.planted.repeat(100).into_bytes();
            vec![Move::send("HTTP/1.1 200 OK\r\nX-Flood: "), Move::Repeat(part)]
        }),
        broken("an endless status line", HttpFault::Transport, |scene| {
            vec![Move::send("HTTP/1.1 200 "), Move::Repeat(scene.planted.repeat(100).into_bytes())]
        }),
        text("garbage instead of HTTP", HttpFault::Transport, "SSH-2.0-OpenSSH_9.6 PLANTED\r\n"),
        text("HTTP/0.9", HttpFault::Transport, "<html>PLANTED</html>\r\n"),
        text("HTTP/3.7", HttpFault::Transport, "HTTP/3.7 200 PLANTED\r\n\r\n"),
        text("a status of no number", HttpFault::Transport, "HTTP/1.1 PLANTED OK\r\n\r\n"),
        text("a status of 999999", HttpFault::Transport, "HTTP/1.1 999999 OK\r\n\r\n"),
        text(
            "two lengths",
            HttpFault::Transport,
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 7\r\n\r\nPLANTED",
        ),
        text(
            "a length below none",
            HttpFault::Transport,
            "HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\nPLANTED",
        ),
        text(
            "a chunk of no length",
            HttpFault::Transport,
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nPLANTED\r\n",
        ),
        text(
            "a chunk longer than any number",
            HttpFault::Transport,
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffffffff\r\nPLANTED",
        ),
        text("a header with no name", HttpFault::Transport, "HTTP/1.1 200 OK\r\n: PLANTED\r\n\r\n"),
        text("a header with a NUL", HttpFault::Transport, "HTTP/1.1 200 OK\r\nX: \0PLANTED\r\n\r\n"),
        // With pauses, however short. A flood without any is read by hyper 1.12 in one go, for as long as it lasts,
        // and keeps the runtime from its timers: see "Where it ends" in the threat model.
        broken("a 100 every millisecond", HttpFault::Timeout, |_| {
            vec![Move::Beat {
                bytes: b"HTTP/1.1 100 Continue\r\n\r\n".to_vec(),
                every: Duration::from_millis(1),
            }]
        }),
        broken("a 103 every millisecond", HttpFault::Timeout, |scene| {
            let hint = format!("HTTP/1.1 103 Early Hints\r\nLink: <{}>\r\n\r\n", scene.elsewhere);
            vec![Move::Beat { bytes: hint.into_bytes(), every: Duration::from_millis(1) }]
        }),
    ]
}

/// Redirects, and requests to wait.
fn statuses() -> Vec<Case> {
    let redirect = |status: u16| {
        let case =
            replied(&format!("{status} to another host"), status, ErrorKind::Misconfigured, move |scene| {
                let to = format!("Location: {}/v1/secret?{}\r\n", scene.elsewhere, scene.planted);
                vec![Move::reply(status, &to, "")]
            });
        Case { source: Owed::Redirected(status), ..case }
    };
    let mut all: Vec<Case> = [301, 302, 303, 307, 308].map(redirect).into();
    let throttled = |retry_after| Owed::Kind(ErrorKind::Throttled { retry_after });
    let years = Duration::from_secs(10 * 365 * 24 * 60 * 60);
    for (said, owed) in [
        ("2", throttled(Some(Duration::from_secs(2)))),
        ("999999999", throttled(Some(Duration::from_secs(999_999_999)))),
        ("99999999999999999999999999", Owed::ThrottledFor(years)),
        ("Fri, 31 Dec 2100 23:59:59 GMT", Owed::ThrottledFor(years)),
        ("Sun, 06 Nov 1994 08:49:37 GMT", throttled(None)),
        ("-1", throttled(None)),
        ("soon", throttled(None)),
        ("", throttled(None)),
        ("1.5", throttled(None)),
        ("1e308", throttled(None)),
    ] {
        for (status, source) in [(429, owed), (503, Owed::Kind(ErrorKind::Unavailable(Unavailable::Failing)))]
        {
            let header = format!("Retry-After: {said}\r\n");
            let answer = move |scene: &Scene<'_>| vec![Move::reply(status, &header, scene.planted)];
            let case =
                replied(&format!("{status}, Retry-After: {said}"), status, ErrorKind::Malformed, answer);
            all.push(Case { source, ..case });
        }
    }
    all
}

/// TLS spoken badly.
fn greetings() -> Vec<Case> {
    let greeting = |name: &str, script: fn() -> Script, fault| Case {
        name: name.to_owned(),
        ground: Ground::Greeting(script),
        wire: Wire::Fault(fault),
        source: Owed::of(fault),
        deadline: DEADLINE,
    };
    vec![
        greeting("TLS 1.1", tls::version_1_1, HttpFault::Tls),
        greeting("no version of TLS in common", tls::no_version_in_common, HttpFault::Tls),
        greeting("TLS downgraded", tls::downgraded, HttpFault::Tls),
        greeting("TLS 1.2, and silent", tls::not_downgraded, HttpFault::Timeout),
        greeting("TLS, and silent", || Script::AfterHello(vec![Move::Hold]), HttpFault::Timeout),
        greeting("a truncated handshake", tls::truncated, HttpFault::Transport),
        greeting(
            "plain HTTP where TLS is spoken",
            || Script::AfterHello(vec![Move::reply(400, "", "this is a plain HTTP port")]),
            HttpFault::Tls,
        ),
    ]
}

/// Servers that are not who they should be, and some that are.
fn certificates() -> Vec<Case> {
    let bad = |name: &str, identity| Case {
        ground: Ground::Certificate(identity),
        wire: Wire::Fault(HttpFault::Tls),
        source: Owed::of(HttpFault::Tls),
        ..served(name)
    };
    vec![
        Case { ground: Ground::Certificate(Identity::GoodTls12), ..served("answers well in TLS 1.2") },
        Case {
            ground: Ground::Certificate(Identity::GoodChain),
            ..served("answers well, by an intermediate CA")
        },
        bad("a certificate for another host", Identity::WrongHost),
        bad("an expired certificate", Identity::Expired),
        bad("a certificate that is not yet valid", Identity::NotYetValid),
        bad("a self-signed certificate", Identity::SelfSigned),
        bad("a certificate of an unknown CA", Identity::UnknownCa),
        bad("a certificate signed by one that is no CA", Identity::NotACa),
        bad("a certificate for clients", Identity::WrongUse),
        bad("a certificate outside its CA's domain", Identity::NameConstraint),
        bad("a certificate signed with SHA-1", Identity::Sha1),
        Case { ground: Ground::Unpinned, ..bad("a key that is not the pinned one", Identity::Good) },
    ]
}

impl Case {
    fn within(self, deadline: Duration) -> Self {
        Self { deadline, ..self }
    }
}

impl Owed {
    /// A source tells a fault as the kind of the same name.
    fn of(fault: HttpFault) -> Self {
        Owed::Kind(secretfig_source::protocol::HttpError::new(fault).of_source("any").kind())
    }
}

fn connection(name: &str, script: fn() -> Script, fault: HttpFault) -> Case {
    let (wire, source) = (Wire::Fault(fault), Owed::of(fault));
    Case { name: name.to_owned(), ground: Ground::Connection(script), wire, source, deadline: DEADLINE }
}

fn broken(
    name: &str,
    fault: HttpFault,
    answer: impl Fn(&Scene<'_>) -> Vec<Move> + Send + Sync + 'static,
) -> Case {
    let (wire, source) = (Wire::Fault(fault), Owed::of(fault));
    Case { name: name.to_owned(), ground: Ground::Answer(Box::new(answer)), wire, source, deadline: DEADLINE }
}

fn replied(
    name: &str,
    status: u16,
    kind: ErrorKind,
    answer: impl Fn(&Scene<'_>) -> Vec<Move> + Send + Sync + 'static,
) -> Case {
    let (wire, source) = (Wire::Reply(status), Owed::Kind(kind));
    Case { name: name.to_owned(), ground: Ground::Answer(Box::new(answer)), wire, source, deadline: DEADLINE }
}

fn drip(bytes: &[u8]) -> Move {
    Move::Drip { bytes: bytes.to_vec(), every: SECOND }
}
