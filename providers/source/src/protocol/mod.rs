//! For managers spoken to by hand (feature `protocol`): requests out, replies in, no I/O.
//!
//! A [`Protocol`] knows one manager's wire format and nothing of sockets, clocks and tasks: every
//! conversation is an [`Exchange`], a state machine that is given replies and says what to send.
//! [`Over`] drives it over an [`Http`], and is a [`Source`](crate::Source). So the same protocol runs natively, on
//! the edge and in a test, and a test can hand it any bytes at all.
//!
//! ```text
//!   Over ── sign_in ──▶ Exchange ─▶ Send ─▶ Http ─▶ replies ─▶ Exchange ─▶ … ─▶ Done(SignedIn)
//!    │                                                                             │ session
//!    └───── fetch ────▶ Exchange ─▶ Send ─▶ Http ─▶ replies ─▶ … ─▶ Done(answers) ◀┘
//!                          └─▶ SignIn: once, and from the beginning
//! ```
//!
//! What steers and what leaks is kept out by types: a [`Request`] goes to an [`Origin`] and is built
//! of segments, a [`Credential`] belongs to one origin, and nothing here prints a header or a body.

mod blind;
mod exchange;
mod http;
mod json;
mod origin;
mod over;
mod talk;

pub use self::blind::Blind;
pub use self::exchange::{Answers, Asking, Exchange, Now, Protocol, SignedIn, Step, ready};
#[cfg(feature = "dates")]
pub use self::http::retry_after;
pub use self::http::{Http, HttpError, HttpFault, Limits, Reply, Request};
pub use self::json::{hex, quoted};
pub use self::origin::{Credential, Origin, Refused};
pub use self::over::{MAX_STEPS, Over};
pub use self::talk::{Replies, SignIn, Wire, talk, talk_each};
