//! Requests as one login, at the first of a cluster's addresses that answers.

use super::{AT_ONCE, Session, Vault};
use crate::error::{Doing, Refusal, SCHEME, refusal};
use crate::reply::is_the_servers;
use http::{Method, StatusCode};
use secretfig_source::protocol::quoted;
use secretfig_source::protocol::{
    Credential, HttpError, HttpFault, Now, Origin, Refused, Replies, Reply, Request, Wire,
};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use zeroize::Zeroizing;

const TOKEN: &str = "x-vault-token";
const NAMESPACE: &str = "x-vault-namespace";
/// Without it an agent, or a proxy, refuses: a page that makes a browser send requests cannot set it.
const REQUEST: &str = "x-vault-request";

/// Why a conversation goes no further.
pub(super) enum Stop {
    Refused(Refusal),
    SignIn,
}

impl From<Refusal> for Stop {
    fn from(refusal: Refusal) -> Self {
        Stop::Refused(refusal)
    }
}

/// What is waited for, or why the conversation goes no further.
pub(super) type Waits<'a, T> = Pin<Box<dyn Future<Output = Result<T, Stop>> + Send + 'a>>;

/// A token, as the header of each address of the cluster and of no other.
pub(super) struct Token(Vec<Credential>);

impl Token {
    pub(super) fn new(origins: &[Origin], token: &str) -> Result<Self, Refusal> {
        let mut all = Vec::with_capacity(origins.len());
        for origin in origins {
            all.push(Credential::header(origin, TOKEN, token).map_err(refused)?);
        }
        Ok(Self(all))
    }
}

/// A JSON object as a body, written into one block that never grows, and is wiped.
pub(super) struct Body(Zeroizing<Vec<u8>>);

impl Body {
    pub(super) fn new() -> Self {
        Self(Zeroizing::new(Vec::new()))
    }

    pub(super) fn text(self, key: &str, text: &str) -> Self {
        self.raw(key, quoted("", text).as_bytes())
    }

    pub(super) fn number(self, key: &str, number: u64) -> Self {
        self.raw(key, number.to_string().as_bytes())
    }

    pub(super) fn flag(self, key: &str, yes: bool) -> Self {
        self.raw(key, if yes { b"true" } else { b"false" })
    }

    /// Keys are ours, and need no escape.
    fn raw(self, key: &str, value: &[u8]) -> Self {
        let before = self.0.strip_suffix(b"}").unwrap_or_default();
        let mut whole = Zeroizing::new(Vec::with_capacity(before.len() + key.len() + value.len() + 5));
        whole.extend_from_slice(before);
        whole.push(if before.is_empty() { b'{' } else { b',' });
        whole.push(b'"');
        whole.extend_from_slice(key.as_bytes());
        whole.extend_from_slice(b"\":");
        whole.extend_from_slice(value);
        whole.push(b'}');
        Self(whole)
    }
}

/// One request, not yet bound to an address.
pub(super) struct Call {
    method: Method,
    segments: Vec<String>,
    query: Option<(&'static str, String)>,
    body: Option<Body>,
    repeatable: bool,
}

impl Call {
    pub(super) fn new(method: Method, segments: &[&str]) -> Self {
        let segments = segments.iter().map(|segment| (*segment).to_owned()).collect();
        Self { method, segments, query: None, body: None, repeatable: true }
    }

    pub(super) fn query(mut self, name: &'static str, value: String) -> Self {
        self.query = Some((name, value));
        self
    }

    pub(super) fn body(mut self, body: Body) -> Self {
        self.body = Some(body);
        self
    }

    /// It makes something: where one address may have taken it, no other is asked.
    pub(super) fn once(mut self) -> Self {
        self.repeatable = false;
        self
    }

    fn request(
        &self,
        origin: &Origin,
        token: Option<&Credential>,
        namespace: Option<&str>,
    ) -> Result<Request, Refused> {
        let mut request =
            Request::new(self.method.clone(), origin, &self.segments)?.header(REQUEST, "true")?;
        if let Some(namespace) = namespace {
            request = request.header(NAMESPACE, namespace)?;
        }
        if let Some(token) = token {
            request = request.credential(token)?;
        }
        if let Some((name, value)) = &self.query {
            request = request.query(name, value);
        }
        Ok(match &self.body {
            Some(body) => request.body("application/json", body.0.clone()),
            None => request,
        })
    }
}

pub(super) struct Line<'v> {
    vault: &'v Vault,
    wire: Wire,
    session: Option<Arc<Session>>,
    /// The token was looked up in this conversation, and lives.
    alive: AtomicBool,
    /// Something may have been minted: no new beginning.
    made: AtomicBool,
}

impl<'v> Line<'v> {
    pub(super) fn new(vault: &'v Vault, wire: Wire, session: Option<Arc<Session>>) -> Self {
        Self { vault, wire, session, alive: AtomicBool::new(false), made: AtomicBool::new(false) }
    }

    pub(super) fn now(&self) -> Now {
        self.wire.now()
    }

    /// When the login of this line ends, where it is known to.
    #[cfg(feature = "full")]
    pub(super) fn login_ends(&self) -> Option<secretfig_source::Tick> {
        self.session.as_ref()?.ends
    }

    /// The reply, where it is the expected one. A block of its own: were it part of each conversation that waits for it,
    /// an edge package would be a third larger.
    pub(super) fn expect<'a>(&'a self, call: Call, doing: Doing<'a>) -> Waits<'a, Reply> {
        Box::pin(async move {
            let reply = self.each(vec![call]).await?.pop();
            // INVARIANT: there is one reply per call
            let reply = reply.unwrap_or(Err(HttpError::new(HttpFault::Transport)));
            Ok(self.expected(reply, doing)?)
        })
    }

    pub(super) fn expected(
        &self,
        reply: Result<Reply, HttpError>,
        doing: Doing<'_>,
    ) -> Result<Reply, Refusal> {
        let reply = reply.map_err(|e| Refusal::from(e.of_source(SCHEME)))?;
        match reply.status().as_u16() {
            200 => Ok(reply),
            #[cfg(feature = "full")]
            204 if matches!(doing, Doing::Revoke) => Ok(reply),
            _ => Err(refusal(&reply, doing, self.now().wall)),
        }
    }

    /// One reply per call, as the login of this line.
    pub(super) async fn each(&self, calls: Vec<Call>) -> Result<Vec<Result<Reply, HttpError>>, Stop> {
        let session = self.session.clone();
        let token = session.as_ref().map(|session| &session.token);
        let namespace = self.vault.settings.namespace.as_deref();
        let mut all = Vec::with_capacity(calls.len());
        for some in calls.chunks(AT_ONCE) {
            all.extend(self.send(some, token, namespace).await?);
        }
        let denied = |reply: &Result<Reply, HttpError>| matches!(reply, Ok(r) if r.status() == StatusCode::FORBIDDEN && is_the_servers(r));
        if all.iter().any(denied)
            && !self.alive.load(Ordering::Relaxed)
            && let Some(session) = &session
        {
            self.judge(session).await?;
        }
        Ok(all)
    }

    /// Denied: is it the token that is dead, or is it alive and lacks the right?
    async fn judge(&self, session: &Session) -> Result<(), Stop> {
        let look = [Call::new(Method::GET, &["v1", "auth", "token", "lookup-self"])];
        let namespace = self.vault.settings.login_namespace.as_deref();
        let reply = self.send(&look, Some(&session.token), namespace).await?.pop();
        let dead = match &reply {
            Some(Ok(reply)) if reply.status() == StatusCode::FORBIDDEN && is_the_servers(reply) => {
                session.looks || !denied_by_policy(reply)
            }
            Some(Ok(reply)) if reply.status() == StatusCode::OK => false,
            Some(reply) => {
                return Err(self
                    .expected(reply.clone(), Doing::Token)
                    .err()
                    .map_or(Stop::SignIn, Stop::Refused));
            }
            None => false,
        };
        self.alive.store(!dead, Ordering::Relaxed);
        if dead && !self.made.load(Ordering::Relaxed) {
            return Err(Stop::SignIn);
        }
        Ok(())
    }

    /// Sends them to the address that answered last, and to the next where one does not serve.
    pub(super) fn send<'a>(
        &'a self,
        calls: &'a [Call],
        token: Option<&'a Token>,
        namespace: Option<&'a str>,
    ) -> Waits<'a, Replies> {
        Box::pin(self.sent(calls, token, namespace))
    }

    #[cfg(feature = "full")]
    async fn sent(
        &self,
        calls: &[Call],
        token: Option<&Token>,
        namespace: Option<&str>,
    ) -> Result<Replies, Stop> {
        let addresses = &self.vault.settings.addresses;
        let mut replies: Replies = calls.iter().map(|_| Err(HttpError::new(HttpFault::Transport))).collect();
        let mut asked: Vec<usize> = (0..calls.len()).collect();
        for _ in addresses {
            if asked.is_empty() {
                break;
            }
            let at = self.vault.active.load(Ordering::Relaxed) % addresses.len();
            let mut requests = Vec::with_capacity(asked.len());
            for (call, address) in asked.iter().filter_map(|n| Some((calls.get(*n)?, addresses.get(at)?))) {
                let credential = token.and_then(|token| token.0.get(at));
                requests.push(call.request(address, credential, namespace).map_err(refused)?);
                if !call.repeatable {
                    self.made.store(true, Ordering::Relaxed);
                }
            }
            let (all, sent) = (std::mem::take(&mut asked), self.wire.send(requests).await);
            let mut elsewhere = false;
            for (n, reply) in all.into_iter().zip(sent) {
                let (serves, taken) = judged(&reply);
                let again = !serves && (!taken || calls.get(n).is_some_and(|call| call.repeatable));
                elsewhere |= !serves;
                if again {
                    asked.push(n);
                }
                if !taken {
                    self.made.store(false, Ordering::Relaxed);
                }
                if let Some(slot) = replies.get_mut(n) {
                    *slot = reply;
                }
            }
            if elsewhere {
                // whoever else moved on meanwhile has found the same
                let next = (at + 1) % addresses.len();
                let _ = self.vault.active.compare_exchange(at, next, Ordering::Relaxed, Ordering::Relaxed);
            }
        }
        Ok(replies)
    }
}

#[cfg(not(feature = "full"))]
impl Line<'_> {
    /// There is one address.
    async fn sent(
        &self,
        calls: &[Call],
        token: Option<&Token>,
        namespace: Option<&str>,
    ) -> Result<Replies, Stop> {
        let mut requests = Vec::with_capacity(calls.len());
        for (call, address) in calls.iter().zip(self.vault.settings.addresses.iter().cycle()) {
            let credential = token.and_then(|token| token.0.first());
            requests.push(call.request(address, credential, namespace).map_err(refused)?);
        }
        Ok(self.wire.send(requests).await)
    }
}

/// Whether this address serves, and whether it may have taken the request.
#[cfg(feature = "full")]
fn judged(reply: &Result<Reply, HttpError>) -> (bool, bool) {
    match reply {
        Ok(reply) => match reply.status().as_u16() {
            307 | 472 | 473 | 501 => (false, false),
            // a proxy says 503 of a connection that broke off after the request, too
            503 => (false, !is_the_servers(reply)),
            // a standby that has lost its leader answers 500
            500 | 502 | 504 => (false, true),
            403 | 404 | 400 | 405 | 412 | 429 => (true, false),
            _ => (true, true),
        },
        Err(e) => match e.fault() {
            HttpFault::Transport | HttpFault::Timeout | HttpFault::Tls => (false, true),
            _ => (true, true),
        },
    }
}

/// Both servers say so of a token that is known and lacks a right; of one that is not, they do not count errors, or
/// count two.
pub(super) fn denied_by_policy(reply: &Reply) -> bool {
    crate::reply::Body::read(reply)
        .is_ok_and(|body| body.says("1 error occurred") && !body.says("invalid token"))
}

fn refused(refused: Refused) -> Refusal {
    refused.of_source(SCHEME).into()
}
