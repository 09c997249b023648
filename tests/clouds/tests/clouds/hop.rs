//! A hop on the way to a server: it passes requests on, counts them, and in between answers one itself.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// What it does with a request, in place of passing it on.
pub(crate) enum Fault {
    /// These bytes.
    Answer(Vec<u8>),
    /// No answer, until the client lets go.
    Silence,
}

pub(crate) struct Hop {
    pub(crate) address: SocketAddr,
    faults: Arc<Mutex<VecDeque<Fault>>>,
    requests: Arc<Mutex<usize>>,
}

impl Hop {
    /// In front of that `host:port`.
    pub(crate) async fn to(upstream: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (faults, requests): (Arc<Mutex<VecDeque<Fault>>>, Arc<Mutex<usize>>) = Default::default();
        let hop = Self { address, faults: Arc::clone(&faults), requests: Arc::clone(&requests) };
        let upstream = upstream.to_owned();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let (faults, requests) = (Arc::clone(&faults), Arc::clone(&requests));
                tokio::spawn(pass(client, upstream.clone(), faults, requests));
            }
        });
        hop
    }

    /// The next request meets this.
    pub(crate) fn next(&self, fault: Fault) {
        self.faults.lock().unwrap().push_back(fault);
    }

    /// How many requests came since it was asked last.
    pub(crate) fn requests(&self) -> usize {
        std::mem::take(&mut *self.requests.lock().unwrap())
    }
}

/// An answer in JSON.
pub(crate) fn json(status: u16, headers: &str, body: &str) -> Fault {
    let length = body.len();
    let head = format!(
        "HTTP/1.1 {status} X\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n{headers}"
    );
    Fault::Answer(format!("{head}connection: close\r\n\r\n{body}").into_bytes())
}

async fn pass(
    mut client: TcpStream,
    upstream: String,
    faults: Arc<Mutex<VecDeque<Fault>>>,
    requests: Arc<Mutex<usize>>,
) {
    let Some(request) = read(&mut client).await else { return };
    *requests.lock().unwrap() += 1;
    let fault = faults.lock().unwrap().pop_front();
    match fault {
        Some(Fault::Answer(bytes)) => {
            let _ = client.write_all(&bytes).await;
            let _ = client.shutdown().await;
        }
        Some(Fault::Silence) => {
            let _ = client.read(&mut [0; 1]).await;
        }
        None => {
            let mut server = TcpStream::connect(upstream).await.unwrap();
            server.write_all(&request).await.unwrap();
            // the servers behind it close after each answer
            let _ = tokio::io::copy(&mut server, &mut client).await;
            let _ = client.shutdown().await;
        }
    }
}

/// A head, and as much body as it announces.
pub(crate) async fn read(wire: &mut (impl AsyncReadExt + Unpin)) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut part = [0; 4096];
    loop {
        let read = wire.read(&mut part).await.ok().filter(|read| *read > 0)?;
        bytes.extend_from_slice(&part[..read]);
        let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else { continue };
        let head = String::from_utf8_lossy(&bytes[..end]).to_ascii_lowercase();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.trim().parse().ok());
        if bytes.len() - end - 4 >= length.unwrap_or(0) {
            return Some(bytes);
        }
    }
}
