//! A server of a few lines: it reads one request, remembers it, and lets a test write the answer.

use bytes::Bytes;
use secretfig_source::protocol::{Http, HttpError, Limits, Origin, Reply, Request};
use secretfig_transport::Transport;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

pub(crate) trait Wire: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Wire for T {}

/// What a test answers on.
pub(crate) struct Line(Box<dyn Wire>);

impl Line {
    /// Writes; an error means that the client has gone, which many tests want.
    pub(crate) async fn say(&mut self, bytes: impl AsRef<[u8]>) -> bool {
        self.0.write_all(bytes.as_ref()).await.is_ok() && self.0.flush().await.is_ok()
    }

    pub(crate) async fn end(mut self) {
        let _ = self.0.shutdown().await;
    }

    /// Says no more, and keeps the connection until the client lets go of it.
    pub(crate) async fn hold(mut self) {
        let mut rest = [0; 1024];
        while self.0.read(&mut rest).await.is_ok_and(|read| read > 0) {}
    }
}

pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    /// Every request, head and body, as it came.
    pub(crate) seen: Arc<Mutex<Vec<String>>>,
    /// How many connections were made, whatever was said on them.
    pub(crate) connections: Arc<Mutex<usize>>,
}

impl Server {
    pub(crate) async fn plain<F, A>(answer: F) -> Self
    where
        F: Fn(Line) -> A + Send + Sync + 'static,
        A: Future<Output = ()> + Send + 'static,
    {
        Self::start(None, answer).await
    }

    pub(crate) async fn tls<F, A>(acceptor: TlsAcceptor, answer: F) -> Self
    where
        F: Fn(Line) -> A + Send + Sync + 'static,
        A: Future<Output = ()> + Send + 'static,
    {
        Self::start(Some(acceptor), answer).await
    }

    async fn start<F, A>(acceptor: Option<TlsAcceptor>, answer: F) -> Self
    where
        F: Fn(Line) -> A + Send + Sync + 'static,
        A: Future<Output = ()> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (seen, connections): (Arc<Mutex<Vec<String>>>, Arc<Mutex<usize>>) = Default::default();
        let server = Self { address, seen: Arc::clone(&seen), connections: Arc::clone(&connections) };
        let answer = Arc::new(answer);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                *connections.lock().unwrap() += 1;
                let (acceptor, answer, seen) = (acceptor.clone(), Arc::clone(&answer), Arc::clone(&seen));
                tokio::spawn(async move {
                    let mut wire: Box<dyn Wire> = match acceptor {
                        None => Box::new(stream),
                        Some(acceptor) => match acceptor.accept(stream).await {
                            Ok(stream) => Box::new(stream),
                            Err(_) => return,
                        },
                    };
                    if let Some(request) = read(&mut wire).await {
                        seen.lock().unwrap().push(request);
                        answer(Line(wire)).await;
                    }
                });
            }
        });
        server
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(crate) fn seen(&self) -> Vec<String> {
        self.seen.lock().unwrap().clone()
    }
}

/// A head, and as much body as it announces.
async fn read(wire: &mut Box<dyn Wire>) -> Option<String> {
    let mut bytes = Vec::new();
    let mut part = [0; 4096];
    loop {
        let read = wire.read(&mut part).await.ok().filter(|read| *read > 0)?;
        bytes.extend_from_slice(&part[..read]);
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let head = head.to_ascii_lowercase();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
        if body.len() >= length.map_or(0, |length| length.parse().unwrap()) {
            return Some(text);
        }
    }
}

/// A whole answer with this body.
pub(crate) fn ok(body: impl AsRef<[u8]>) -> Vec<u8> {
    let body = body.as_ref();
    let mut answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", body.len()).into_bytes();
    answer.extend_from_slice(body);
    answer
}

pub(crate) fn limits(deadline: Duration, max_bytes: usize) -> Limits {
    Limits { deadline, max_bytes }
}

/// Enough of everything, for tests about something else.
pub(crate) const AMPLE: Limits = Limits { deadline: Duration::from_secs(20), max_bytes: 1 << 20 };

pub(crate) async fn get(transport: &Transport, url: &str, limits: Limits) -> Result<Reply, HttpError> {
    let mut request = http::Request::new(Bytes::new());
    *request.uri_mut() = url.parse().unwrap();
    transport.exchange(request, limits).await
}

/// By way of the trait, as a protocol does it.
pub(crate) async fn send(http: &dyn Http, origin: &str, limits: Limits) -> Result<Reply, HttpError> {
    let origin = Origin::parse(origin).unwrap();
    http.send(Request::get(&origin, ["v1", "a/b"]).unwrap().query("x", "&"), limits).await
}
