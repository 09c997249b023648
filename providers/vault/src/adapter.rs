//! vaultrs over our transport: of its endpoint types the method, the path and the query; URL, headers, bodies and
//! replies are ours.
//!
//! vaultrs' own client is not used: it follows redirects with the token, has no timeout, drops `..` from paths
//! and opens spans that hold them. Nor are its bodies, of which rustify leaves copies.

use crate::error::{SCHEME, malformed};
use crate::reply::is_the_servers;
use http::Method;
use rustify::Endpoint;
use secretfig_source::SourceError;
use secretfig_source::protocol::{
    Credential, Http, HttpError, HttpFault, Limits, Origin, Refused, Reply, Request,
};
use serde::Serialize;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use zeroize::Zeroizing;

const TOKEN: &str = "x-vault-token";
const NAMESPACE: &str = "x-vault-namespace";
const REQUEST: &str = "x-vault-request";

/// What every path of the API begins with.
const API: &str = "v1";

/// One request, not yet bound to one of a cluster's addresses.
pub(crate) struct Call {
    method: Method,
    segments: Vec<String>,
    query: Vec<(&'static str, String)>,
    body: Option<Zeroizing<Vec<u8>>>,
    repeatable: bool,
}

impl Call {
    /// Method and path of an endpoint of vaultrs. Its path is taken by segments: vaultrs writes some with a slash
    /// in front, and two with a tab before that.
    pub(crate) fn of<E: Endpoint>(endpoint: &E) -> Self {
        let path = endpoint.path();
        let path = path.trim_start_matches(['\t', '/']).trim_end_matches('/');
        Self::new(endpoint.method().into(), std::iter::once(API).chain(path.split('/')))
    }

    /// One that vaultrs does not know, by all its segments.
    pub(crate) fn new<S: Into<String>>(method: Method, segments: impl IntoIterator<Item = S>) -> Self {
        let segments = segments.into_iter().map(Into::into).collect();
        Self { method, segments, query: Vec::new(), body: None, repeatable: true }
    }

    /// With one more parameter in its query.
    pub(crate) fn query(mut self, name: &'static str, value: String) -> Self {
        self.query.push((name, value));
        self
    }

    /// With these fields as its body, written into one block that is wiped.
    pub(crate) fn fields(self, fields: &[(&str, &str)]) -> Result<Self, SourceError> {
        self.body(&Fields(fields))
    }

    /// With that body, written into one block that is wiped.
    pub(crate) fn body<B: Serialize>(mut self, body: &B) -> Result<Self, SourceError> {
        // first its length, so that the block never grows and leaves a piece behind
        let mut length = Length(0);
        let unwritten = |_| SourceError::from(malformed("the request cannot be written as JSON"));
        serde_json::to_writer(&mut length, body).map_err(unwritten)?;
        let mut bytes = Zeroizing::new(Vec::with_capacity(length.0));
        serde_json::to_writer(&mut *bytes, body).map_err(unwritten)?;
        self.body = Some(bytes);
        Ok(self)
    }

    /// One that does something anew each time it is sent: where an address may have taken it, no other is asked.
    pub(crate) fn once(mut self) -> Self {
        self.repeatable = false;
        self
    }

    fn request(&self, to: &Origin, namespace: Option<&str>) -> Result<Request, Refused> {
        let mut request = Request::new(self.method.clone(), to, &self.segments)?.header(REQUEST, "true")?;
        if let Some(namespace) = namespace {
            request = request.header(NAMESPACE, namespace)?;
        }
        for (name, value) in &self.query {
            request = request.query(name, value);
        }
        Ok(match &self.body {
            Some(body) => request.body("application/json", body.clone()),
            None => request,
        })
    }
}

/// A JSON object of texts, of which serde_json makes no copy.
struct Fields<'a>(&'a [(&'a str, &'a str)]);

impl Serialize for Fields<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().copied())
    }
}

/// Counts what is written.
struct Length(usize);

impl std::io::Write for Length {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// A token as the header of each address of a cluster, and of no other.
pub(crate) struct Token(Vec<Credential>);

impl Token {
    /// Bound to these addresses.
    pub(crate) fn new(token: &str, origins: &[Origin]) -> Result<Self, SourceError> {
        let each = origins.iter().map(|origin| Credential::header(origin, TOKEN, token));
        let each = each.collect::<Result<_, _>>();
        each.map(Self).map_err(|refused: Refused| refused.of_source(SCHEME))
    }
}

/// A cluster: its addresses, and the one that answered last.
pub(crate) struct Adapter {
    http: Arc<dyn Http>,
    origins: Vec<Origin>,
    answered: AtomicUsize,
    limits: Limits,
}

impl Adapter {
    pub(crate) fn new(http: Arc<dyn Http>, origins: Vec<Origin>, limits: Limits) -> Self {
        Self { http, origins, answered: AtomicUsize::new(0), limits }
    }

    /// A token for this cluster.
    pub(crate) fn token(&self, text: &str) -> Result<Token, SourceError> {
        Token::new(text, &self.origins)
    }

    /// Sends it to the address that answered last and, where that one is down, sealed or no active node, to the
    /// next. What may have been done already is sent once.
    pub(crate) async fn send(
        &self,
        call: &Call,
        token: Option<&Token>,
        namespace: Option<&str>,
    ) -> Result<Reply, SourceError> {
        let first = self.answered.load(Ordering::Relaxed);
        let mut told: Option<Result<Reply, HttpError>> = None;
        for n in 0..self.origins.len() {
            let at = (first + n) % self.origins.len();
            let Some(origin) = self.origins.get(at) else { break };
            let mut request = call.request(origin, namespace).map_err(|r| r.of_source(SCHEME))?;
            if let Some(credential) = token.and_then(|token| token.0.get(at)) {
                request = request.credential(credential).map_err(|r| r.of_source(SCHEME))?;
            }
            let answer = self.http.send(request, self.limits).await;
            let next = elsewhere(&answer, call.repeatable);
            if matches!((&next, &answer), (Next::No, Ok(_))) {
                self.answered.store(at, Ordering::Relaxed);
                return answer.map_err(|e| e.of_source(SCHEME));
            }
            if matches!(next, Next::NotNow) {
                // it may have been done; whoever calls next is spared this address
                self.answered.store((at + 1) % self.origins.len(), Ordering::Relaxed);
            }
            // a reply says more than none
            if !matches!((&told, &answer), (Some(Ok(_)), _) | (Some(Err(_)), Err(_))) {
                told = Some(answer);
            }
            if !matches!(next, Next::Yes) {
                break;
            }
        }
        let told = told.unwrap_or(Err(HttpError::new(HttpFault::Misconfigured)));
        told.map_err(|e| e.of_source(SCHEME))
    }
}

/// Whether another node of the cluster may do better.
enum Next {
    Yes,
    /// It may, but this request may have been carried out here.
    NotNow,
    No,
}

fn elsewhere(answer: &Result<Reply, HttpError>, repeatable: bool) -> Next {
    let maybe_done = if repeatable { Next::Yes } else { Next::NotNow };
    match answer {
        Ok(reply) => match reply.status().as_u16() {
            // sealed, standby, uninitialised: said before anything is done
            307 | 472 | 473 | 501 => Next::Yes,
            // but a proxy says 503 of a connection that broke off after the request, too
            503 if is_the_servers(reply) => Next::Yes,
            503 => maybe_done,
            // a standby that has lost its leader answers 500
            500 | 502 | 504 => maybe_done,
            _ => Next::No,
        },
        Err(e) => match e.fault() {
            HttpFault::Timeout | HttpFault::Transport | HttpFault::Tls => maybe_done,
            _ => Next::No,
        },
    }
}

impl fmt::Debug for Adapter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Adapter").field("origins", &self.origins).finish_non_exhaustive()
    }
}
