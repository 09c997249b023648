//! What the server does on a connection, as data.

use super::server::Received;
use std::fmt;
use std::time::Duration;

/// What happens on every connection.
pub enum Script {
    /// These moves as soon as it is accepted; nothing is read first.
    AtOnce(Vec<Move>),
    /// These moves after the peer's first bytes, whatever they are: a ClientHello.
    AfterHello(Vec<Move>),
    /// Reads one HTTP request, and does what this makes of it.
    Answering(Answer),
}

/// From a request to what is done about it.
pub type Answer = Box<dyn Fn(&Received) -> Vec<Move> + Send + Sync>;

/// One thing that a server does. After the last one it closes the connection in order.
#[derive(Clone, PartialEq, Eq)]
pub enum Move {
    /// These bytes, as fast as the peer takes them.
    Send(Vec<u8>),
    /// These bytes, one at a time.
    Drip {
        /// What is sent.
        bytes: Vec<u8>,
        /// The time between two of them.
        every: Duration,
    },
    /// These bytes, over and over, for as long as the peer takes them.
    Repeat(Vec<u8>),
    /// These bytes, over and over, with that time between.
    Beat {
        /// What is sent.
        bytes: Vec<u8>,
        /// The time between two of them.
        every: Duration,
    },
    /// Nothing more, and the connection stays open until the peer leaves.
    Hold,
    /// Ends the connection with a TCP reset.
    Reset,
    /// Ends the connection as TCP does, without TLS's own end.
    Cut,
}

impl Script {
    /// The same moves for every request.
    pub fn answering(moves: Vec<Move>) -> Self {
        Self::Answering(Box::new(move |_| moves.clone()))
    }
}

impl Move {
    /// These bytes.
    pub fn send(bytes: impl Into<Vec<u8>>) -> Self {
        Self::Send(bytes.into())
    }

    /// A whole reply with these header lines and its true length; the connection closes after it.
    pub fn reply(status: u16, headers: &str, body: impl AsRef<[u8]>) -> Self {
        let body = body.as_ref();
        let head = format!(
            "HTTP/1.1 {status} Said\r\n{headers}Connection: close\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        Self::send([head.as_bytes(), body].concat())
    }
}

/// Bytes by their number: a script holds planted values, and may be long.
impl fmt::Debug for Move {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Move::Send(bytes) => write!(f, "Send({} bytes)", bytes.len()),
            Move::Drip { bytes, every } => write!(f, "Drip({} bytes, each {every:?})", bytes.len()),
            Move::Repeat(bytes) => write!(f, "Repeat({} bytes)", bytes.len()),
            Move::Beat { bytes, every } => write!(f, "Beat({} bytes, each {every:?})", bytes.len()),
            Move::Hold => f.write_str("Hold"),
            Move::Reset => f.write_str("Reset"),
            Move::Cut => f.write_str("Cut"),
        }
    }
}
