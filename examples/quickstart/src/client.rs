//! The other side of the wire: one request over a socket of its own, as `curl` would make it.

use serde_json::Value;
use std::io;
use std::net::SocketAddr;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// A reply: its status, and its body as JSON (`null` where it is none).
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) body: Value,
}

/// Sends one request, and reads until the server hangs up.
pub(crate) async fn send(
    to: SocketAddr,
    method: &str,
    path: &str,
    bearer: Option<&str>,
) -> io::Result<Reply> {
    let mut stream = TcpStream::connect(to).await?;
    let bearer = bearer.map(|token| format!("authorization: Bearer {token}\r\n")).unwrap_or_default();
    let head = format!(
        "{method} {path} HTTP/1.1\r\nhost: {to}\r\nconnection: close\r\ncontent-length: 0\r\n{bearer}\r\n"
    );
    stream.write_all(head.as_bytes()).await?;
    let mut reply = String::new();
    stream.read_to_string(&mut reply).await?;
    let malformed = || io::Error::new(io::ErrorKind::InvalidData, "the reply is no HTTP/1.1");
    let (head, body) = reply.split_once("\r\n\r\n").ok_or_else(malformed)?;
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).ok_or_else(malformed)?;
    Ok(Reply { status, body: serde_json::from_str(body).unwrap_or_default() })
}
