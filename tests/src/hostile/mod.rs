//! A server that answers as badly as servers can, and the table of what has to come of it: whatever goes over a
//! network is led through it, and a new provider adds one [`Victim`].
//!
//! Each case runs in a process of its own, which logs all that it does at TRACE. Looked at are the error's kind, when
//! it came, the process's peak of memory, everything it said, and what arrived at the server and at another one that
//! nobody may ask.
//!
//! ```text
//!  cases ─┬─▶ Server (script, TLS or not) ◀──── requests ────┐
//!         ├─▶ Server (elsewhere: must hear nothing)          │
//!         └─▶ child process ── Aim ──▶ Victim::fetch ────────┘
//!                  └─ Told, TRACE log ─▶ report: kind, lateness, memory, leaks, tokens
//! ```
//!
//! * `server.rs`, `script.rs`: the server. `certs.rs`, `tls.rs`, `bomb.rs`: what is hard to do badly.
//! * `cases.rs`: the table. `child.rs`: one case in its own process. `attack.rs`: all of them, and the report.
//! * `around.rs`: proxies in the environment, and a host that is none.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "it is a test, and its figures are what a run is kept for"
)]

mod around;
mod attack;
mod bomb;
pub mod cases;
mod certs;
mod child;
mod script;
mod server;
mod tls;

pub use around::around;
pub use attack::attack;
pub use certs::{HOST, Identity, Pki};
pub use child::{Child, Told, child};
pub use script::{Answer, Move, Script};
pub use server::{Count, Received, Server};

use secretfig_source::protocol::{HttpError, Limits, Reply};
use secretfig_source::{ErrorKind, Fetched, SourceError};
use serde::{Deserialize, Serialize};
use std::pin::Pin;
use std::time::Duration;

/// Something that asks over a network, to be led before the hostile server.
pub trait Victim: Send + Sync {
    /// What the report calls it, and the child process knows it by.
    fn name(&self) -> &'static str;

    /// What a manager in good health answers that request: a status and a body. `secret` is what it holds.
    fn answer(&self, request: &Received, secret: &str) -> (u16, String);

    /// Whether that request is the one for the secret itself; those before it prepare it.
    fn asks_for_the_secret(&self, _: &Received) -> bool {
        true
    }

    /// Whether requests come before the one for the secret. Then each case is also met in their place.
    fn prepares(&self) -> bool {
        false
    }

    /// What a redirect of that status comes to, which is never followed.
    fn redirected(&self, _status: u16) -> ErrorKind {
        ErrorKind::Misconfigured
    }

    /// Makes ready, and gives what asks for one secret, once, with the token in its request. Only the asking is timed.
    fn fetch(&self, aim: &Aim) -> Fetch;
}

/// A victim's asking.
pub type Fetch = Pin<Box<dyn Future<Output = Ended> + Send>>;

/// Where a victim is led, and with what.
#[derive(Clone, Serialize, Deserialize)]
pub struct Aim {
    /// The victim's name.
    pub victim: String,
    /// `http://127.0.0.1:…` or `https://localhost:…`.
    pub address: String,
    /// The authority to trust beside the platform's own, in PEM.
    pub authority: String,
    /// The pin to hold the server to, where it is to be.
    pub pin: Option<String>,
    /// What the server must get to see, and nobody else.
    pub token: String,
    /// The deadline of each request.
    pub deadline: Duration,
}

impl Aim {
    /// The bounds of each request: the deadline, and the most that a reply may hold by default.
    pub fn limits(&self) -> Limits {
        Limits { deadline: self.deadline, ..Limits::default() }
    }
}

/// What came of it.
pub enum Ended {
    /// A client: a reply, of whatever status.
    Reply(Reply),
    /// A client: none.
    Fault(HttpError),
    /// A source: the secret.
    Fetched(Box<Fetched>),
    /// A source: none.
    Refused(SourceError),
}

/// Of what a source answered.
impl From<Result<Fetched, SourceError>> for Ended {
    fn from(answer: Result<Fetched, SourceError>) -> Self {
        match answer {
            Ok(fetched) => Ended::Fetched(Box::new(fetched)),
            Err(error) => Ended::Refused(error),
        }
    }
}

/// Of what a client answered.
impl From<Result<Reply, HttpError>> for Ended {
    fn from(answer: Result<Reply, HttpError>) -> Self {
        match answer {
            Ok(reply) => Ended::Reply(reply),
            Err(error) => Ended::Fault(error),
        }
    }
}
