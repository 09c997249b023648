//! A hop in front of a server: it adds the time that a network takes, counts, and answers itself where it is told to.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};

/// No head is larger.
const HEAD: usize = 64 << 10;

/// One request that went through, or was answered here.
#[derive(Clone, Debug)]
pub struct Passed {
    /// `POST / secretsmanager.GetSecretValue`: method, path and `X-Amz-Target`, as far as there are.
    pub what: String,
    /// Its `Authorization`.
    pub authorization: Option<String>,
    /// Its `X-Aws-Parameters-Secrets-Token`.
    pub token: Option<String>,
    /// Its body, where that is text.
    pub body: String,
    began: Instant,
    ended: Option<Instant>,
}

/// A hop for HTTP/1.1 without TLS. It ends when this is dropped.
pub struct Relay {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
    listening: JoinHandle<()>,
}

#[derive(Default)]
struct State {
    passed: Vec<Passed>,
    /// What is answered here, before anything passes: a whole reply.
    own: VecDeque<Vec<u8>>,
    /// Whether nothing passes, and everybody is told 503.
    down: bool,
}

impl Relay {
    /// In front of that server (`http://127.0.0.1:PORT`): each request is held for so long before it passes.
    ///
    /// # Panics
    /// When there is no port, or the server's address is none.
    pub async fn to(server: &str, delay: Duration) -> Relay {
        let server: SocketAddr =
            server.trim_start_matches("http://").parse().expect("`http://127.0.0.1:PORT`");
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port on loopback");
        let address = listener.local_addr().expect("INVARIANT: it is bound");
        let state = Arc::<Mutex<State>>::default();
        let of = state.clone();
        let listening = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let _ = client.set_nodelay(true);
                tokio::spawn(pass(client, server, delay, of.clone()));
            }
        });
        Relay { address, state, listening }
    }

    /// Where it listens: `http://127.0.0.1:PORT`.
    pub fn address(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Answers the next request itself, with that status and body.
    pub fn answer(&self, status: u16, body: &str) {
        lock(&self.state).own.push_back(reply(status, body));
    }

    /// Lets nothing pass, and answers 503; or ends that.
    pub fn down(&self, on: bool) {
        lock(&self.state).down = on;
    }

    /// All that came since it was last asked for, in the order in which it came.
    pub fn passed(&self) -> Vec<Passed> {
        std::mem::take(&mut lock(&self.state).passed)
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.listening.abort();
    }
}

/// The most requests of which each began only when the one before had its reply.
pub fn longest_chain(all: &[Passed]) -> usize {
    let mut all: Vec<&Passed> = all.iter().filter(|one| one.ended.is_some()).collect();
    all.sort_by_key(|one| one.ended);
    let mut chain = 0;
    let mut after = None;
    for one in all {
        if after.is_none_or(|end| one.began >= end) {
            chain += 1;
            after = one.ended;
        }
    }
    chain
}

fn reply(status: u16, body: &str) -> Vec<u8> {
    let length = body.len();
    let head = format!(
        "HTTP/1.1 {status} -\r\ncontent-type: application/x-amz-json-1.1\r\ncontent-length: {length}\r\n\r\n"
    );
    [head.as_bytes(), body.as_bytes()].concat()
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn pass(mut client: TcpStream, server: SocketAddr, delay: Duration, state: Arc<Mutex<State>>) {
    while let Some((head, body)) = message(&mut client).await {
        let began = Instant::now();
        let (seat, own) = {
            let mut state = lock(&state);
            let text = |name: &str| header(&head, name).map(str::to_owned);
            state.passed.push(Passed {
                what: what(&head),
                authorization: text("authorization"),
                token: text("x-aws-parameters-secrets-token"),
                body: String::from_utf8_lossy(&body).into_owned(),
                began,
                ended: None,
            });
            let down = state.down.then(|| reply(503, "{}"));
            (state.passed.len() - 1, state.own.pop_front().or(down))
        };
        sleep(delay).await;
        let reply = match own {
            Some(reply) => reply,
            None => match through(server, &head, &body).await {
                Some(reply) => reply,
                None => return,
            },
        };
        if let Some(passed) = lock(&state).passed.get_mut(seat).filter(|passed| passed.began == began) {
            passed.ended = Some(Instant::now());
        }
        if client.write_all(&reply).await.is_err() {
            return;
        }
    }
}

async fn through(server: SocketAddr, head: &str, body: &[u8]) -> Option<Vec<u8>> {
    // one connection each: a server that closes a kept one would look like a failure
    let mut stream = TcpStream::connect(server).await.ok()?;
    let _ = stream.set_nodelay(true);
    let head = head.replacen("\r\n\r\n", "\r\nconnection: close\r\n\r\n", 1);
    stream.write_all(head.as_bytes()).await.ok()?;
    stream.write_all(body).await.ok()?;
    let (head, body) = message(&mut stream).await?;
    let kept: String = head
        .split_inclusive("\r\n")
        .filter(|line| !line.to_ascii_lowercase().starts_with("connection:"))
        .collect();
    Some([kept.as_bytes(), &body].concat())
}

/// A head and a body of a stated length, or one that ends with the stream.
pub(crate) async fn message(stream: &mut TcpStream) -> Option<(String, Vec<u8>)> {
    let mut bytes = Vec::new();
    let end = loop {
        if let Some(at) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            break at + 4;
        }
        if bytes.len() > HEAD || stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    };
    let mut body = bytes.split_off(end);
    let mut head = String::from_utf8(bytes).ok()?;
    let length = header(&head, "content-length").and_then(|text| text.parse::<usize>().ok());
    let chunked = header(&head, "transfer-encoding").is_some_and(|text| text.eq_ignore_ascii_case("chunked"));
    if chunked {
        return None;
    }
    match length {
        Some(length) => {
            while body.len() < length {
                if stream.read_buf(&mut body).await.ok()? == 0 {
                    return None;
                }
            }
        }
        None if head.starts_with("HTTP/") => {
            stream.read_to_end(&mut body).await.ok()?;
            head = head.replacen("\r\n\r\n", &format!("\r\ncontent-length: {}\r\n\r\n", body.len()), 1);
        }
        None => {}
    }
    Some((head, body))
}

pub(crate) fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    let mut lines = head.lines().filter_map(|line| line.split_once(':'));
    lines.find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
}

fn what(head: &str) -> String {
    let line = head.lines().next().unwrap_or_default();
    let line = line.rsplit_once(' ').map_or(line, |(line, _)| line);
    match header(head, "x-amz-target") {
        Some(target) => format!("{line} {target}"),
        None => line.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_chain_is_what_waited_for_each_other() {
        let start = Instant::now();
        let at = |began: u64, ended: u64| Passed {
            what: String::new(),
            authorization: None,
            token: None,
            body: String::new(),
            began: start + Duration::from_secs(began),
            ended: Some(start + Duration::from_secs(ended)),
        };
        assert_eq!(longest_chain(&[]), 0);
        assert_eq!(longest_chain(&[at(0, 2), at(0, 3), at(1, 2)]), 1);
        assert_eq!(longest_chain(&[at(0, 2), at(2, 4), at(1, 5)]), 2);
        assert_eq!(longest_chain(&[at(0, 9), at(0, 1), at(1, 2), at(2, 3)]), 3);
    }
}
