//! The server: one script, any number of connections, and a count of all that comes in.

use super::script::{Move, Script};
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::server::TlsStream;

/// A server that follows its script on every connection, until it is dropped.
pub struct Server {
    address: SocketAddr,
    seen: Seen,
    task: JoinHandle<()>,
}

/// One request, as it came.
#[derive(Clone, Debug, Default)]
pub struct Received {
    /// `GET`.
    pub method: String,
    /// With its query.
    pub path: String,
}

/// What came in so far.
#[derive(Clone, Default)]
pub struct Count {
    /// Connections that were accepted.
    pub connections: usize,
    /// Requests whose head was whole.
    pub requests: usize,
    /// Every byte as it came over TCP, of TLS the records.
    pub raw: Vec<u8>,
    /// Every byte of a request, of TLS what was in the records.
    pub plain: Vec<u8>,
}

#[derive(Clone, Default)]
struct Seen(Arc<Mutex<Count>>);

/// What is kept of what comes in: more than any request needs.
const KEPT: usize = 1 << 20;

impl Server {
    /// On a port of 127.0.0.1 that the system chooses.
    ///
    /// # Errors
    /// Where no port can be had.
    pub async fn plain(script: Script) -> io::Result<Self> {
        Self::start(script, None).await
    }

    /// The same, behind TLS.
    ///
    /// # Errors
    /// As [`Server::plain`].
    pub async fn tls(script: Script, config: Arc<ServerConfig>) -> io::Result<Self> {
        Self::start(script, Some(config.into())).await
    }

    async fn start(script: Script, tls: Option<TlsAcceptor>) -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let seen = Seen::default();
        let counted = seen.clone();
        let script = Arc::new(script);
        let task = tokio::spawn(async move {
            // they end with the task, which ends with the server
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                counted.count().connections += 1;
                let peer = Peer { stream: Tap { stream, seen: counted.clone() }, seen: counted.clone() };
                connections.spawn(peer.served(script.clone(), tls.clone()));
                while connections.try_join_next().is_some() {}
            }
        });
        Ok(Self { address, seen, task })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What came in so far.
    pub fn seen(&self) -> Count {
        self.seen.count().clone()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Seen {
    fn count(&self) -> MutexGuard<'_, Count> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn keep(kept: &mut Vec<u8>, bytes: &[u8]) {
    let room = KEPT.saturating_sub(kept.len());
    kept.extend_from_slice(&bytes[..bytes.len().min(room)]);
}

struct Peer {
    stream: Tap,
    seen: Seen,
}

impl Peer {
    /// What fails here is the peer's leaving, which is its right.
    async fn served(self, script: Arc<Script>, tls: Option<TlsAcceptor>) {
        let Peer { stream, seen } = self;
        let _gone = match (&*script, tls) {
            (Script::AtOnce(moves), _) => play(stream, moves).await,
            (Script::AfterHello(moves), _) => hello(stream, moves).await,
            (Script::Answering(answer), None) => converse(stream, &seen, &**answer).await,
            (Script::Answering(answer), Some(tls)) => match tls.accept(stream).await {
                Ok(stream) => converse(stream, &seen, &**answer).await,
                Err(error) => Err(error),
            },
        };
    }
}

/// Waits for whatever the peer says first, which is not read as HTTP.
async fn hello(mut stream: Tap, moves: &[Move]) -> io::Result<()> {
    let mut part = [0; 4096];
    if stream.read(&mut part).await? > 0 {
        play(stream, moves).await?;
    }
    Ok(())
}

/// One request, one answer.
async fn converse<S: Wire>(
    mut stream: S,
    seen: &Seen,
    answer: &(dyn Fn(&Received) -> Vec<Move> + Send + Sync),
) -> io::Result<()> {
    let Some(received) = read(&mut stream, seen).await? else { return Ok(()) };
    let moves = answer(&received);
    play(stream, &moves).await
}

/// Reads a request to its end, with its body: a peer whose bytes are left unread would be reset, and not answered.
async fn read<S: Wire>(stream: &mut S, seen: &Seen) -> io::Result<Option<Received>> {
    let mut all = Vec::new();
    let mut part = [0; 4096];
    loop {
        let read = stream.read(&mut part).await?;
        if read == 0 {
            return Ok(None);
        }
        keep(&mut seen.count().plain, &part[..read]);
        all.extend_from_slice(&part[..read]);
        let Some(end) = all.windows(4).position(|four| four == b"\r\n\r\n") else { continue };
        let head = String::from_utf8_lossy(&all[..end]).into_owned();
        if all.len() - (end + 4) < length_of(&head) {
            continue;
        }
        seen.count().requests += 1;
        let mut words = head.split(' ').map(str::to_owned);
        let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        return Ok(Some(Received { method, path }));
    }
}

fn length_of(head: &str) -> usize {
    let field = head.lines().filter_map(|line| line.split_once(':'));
    let length =
        field.filter(|(name, _)| name.eq_ignore_ascii_case("content-length")).map(|(_, value)| value);
    length.filter_map(|value| value.trim().parse().ok()).next().unwrap_or(0)
}

async fn play<S: Wire>(mut stream: S, moves: &[Move]) -> io::Result<()> {
    for step in moves {
        match step {
            Move::Send(bytes) => {
                stream.write_all(bytes).await?;
                stream.flush().await?;
            }
            Move::Drip { bytes, every } => {
                for byte in bytes {
                    stream.write_all(std::slice::from_ref(byte)).await?;
                    stream.flush().await?;
                    tokio::time::sleep(*every).await;
                }
            }
            Move::Repeat(bytes) => loop {
                stream.write_all(bytes).await?;
            },
            Move::Beat { bytes, every } => loop {
                stream.write_all(bytes).await?;
                stream.flush().await?;
                tokio::time::sleep(*every).await;
            },
            Move::Hold => {
                let mut part = [0; 4096];
                while stream.read(&mut part).await? > 0 {}
            }
            Move::Reset => {
                stream.tcp().set_zero_linger()?;
                return Ok(());
            }
            // dropped as it is: TCP ends in order, TLS does not
            Move::Cut => return Ok(()),
        }
    }
    stream.shutdown().await
}

/// What a script is played on.
trait Wire: AsyncRead + AsyncWrite + Unpin + Send {
    fn tcp(&self) -> &TcpStream;
}

impl Wire for Tap {
    fn tcp(&self) -> &TcpStream {
        &self.stream
    }
}

impl Wire for TlsStream<Tap> {
    fn tcp(&self) -> &TcpStream {
        &self.get_ref().0.stream
    }
}

/// A connection whose incoming bytes are kept.
struct Tap {
    stream: TcpStream,
    seen: Seen,
}

impl AsyncRead for Tap {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = into.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(cx, into);
        keep(&mut self.seen.count().raw, &into.filled()[before..]);
        read
    }
}

impl AsyncWrite for Tap {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
