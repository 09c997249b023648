//! The other side of the wire: one request over a socket of its own, as `curl` would make it.

use std::net::SocketAddr;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// A reply, as it came.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) head: String,
    pub(super) body: String,
}

impl Reply {
    /// A header's value; names have no case.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        let lines = self.head.lines().skip(1).filter_map(|line| line.split_once(':'));
        lines.into_iter().find(|(is, _)| is.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
    }
}

/// Sends one request, and reads until the server hangs up.
pub(super) async fn send(to: SocketAddr, method: &str, path: &str, credentials: Option<&str>) -> Reply {
    let mut stream = TcpStream::connect(to).await.unwrap();
    let credentials = credentials.map(|said| format!("authorization: {said}\r\n")).unwrap_or_default();
    let head = format!(
        "{method} {path} HTTP/1.1\r\nhost: {to}\r\nconnection: close\r\ncontent-length: 0\r\n{credentials}\r\n"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut reply = String::new();
    stream.read_to_string(&mut reply).await.unwrap();
    let (head, body) = reply.split_once("\r\n\r\n").expect("the reply is HTTP/1.1");
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("it has a status");
    Reply { status, head: head.to_owned(), body: body.to_owned() }
}

/// A connection that was used once and is kept, as browsers and proxies keep theirs.
pub(super) async fn idle(to: SocketAddr) -> TcpStream {
    let mut stream = TcpStream::connect(to).await.unwrap();
    stream.write_all(format!("GET /health HTTP/1.1\r\nhost: {to}\r\n\r\n").as_bytes()).await.unwrap();
    let mut first = [0; 12];
    stream.read_exact(&mut first).await.unwrap();
    assert_eq!(&first, b"HTTP/1.1 200");
    stream
}
