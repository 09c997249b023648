//! What goes over the wire, and who carries it.

use super::origin::{Credential, Origin, Refused};
use crate::{Document, ErrorKind, SourceError};
use async_trait::async_trait;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use zeroize::Zeroizing;

/// RFC 3986's unreserved characters stay; all others are written as `%XX`.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Who sends requests: the one hardened client of a platform.
///
/// An implementation follows no redirect, keeps both limits over the whole of headers and body, adds no
/// credential of its own, and is done with a request when its future is dropped.
#[async_trait]
pub trait Http: Send + Sync {
    /// Sends one request and gives the whole reply, of whatever status.
    ///
    /// # Errors
    /// [`HttpError`] where no whole reply came.
    async fn send(&self, request: Request, limits: Limits) -> Result<Reply, HttpError>;
}

/// A shared client is a client.
#[async_trait]
impl<H: Http + ?Sized> Http for Arc<H> {
    async fn send(&self, request: Request, limits: Limits) -> Result<Reply, HttpError> {
        (**self).send(request, limits).await
    }
}

/// A client that somebody else owns is a client.
#[async_trait]
impl<H: Http + ?Sized> Http for Box<H> {
    async fn send(&self, request: Request, limits: Limits) -> Result<Reply, HttpError> {
        (**self).send(request, limits).await
    }
}

/// The bounds of one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// From the first byte out to the last byte in. Default 3 s.
    pub deadline: Duration,
    /// Bytes of a reply's body. Default 7 MiB: what JSON makes of a document of 1 MiB at worst, and some room;
    /// with what a client holds beside the body, an endless one costs less than 8 MiB.
    pub max_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { deadline: Duration::from_secs(3), max_bytes: 7 << 20 }
    }
}

/// A request to one origin. Its path is made of segments, so that no name steers it.
///
/// `Debug` shows the method, the origin, the path and the names of the headers; no query, no value
/// of a header, no body.
///
/// ```
/// use secretfig_source::protocol::{Origin, Request};
/// let vault = Origin::parse("https://vault.example").unwrap();
/// let request = Request::get(&vault, ["v1", "kv", "data", "my/app?x"]).unwrap().query("version", "2");
/// assert_eq!(request.url(), "https://vault.example/v1/kv/data/my%2Fapp%3Fx?version=2");
/// assert!(Request::get(&vault, ["v1", ".."]).is_err());
/// ```
#[derive(Clone)]
pub struct Request(Box<Sent>);

#[derive(Clone)]
struct Sent {
    method: Method,
    origin: Origin,
    path: String,
    query: String,
    /// Each name once. Not a `HeaderMap`, whose table of all known names would be a part of every edge package.
    fields: Vec<(&'static str, HeaderValue)>,
    body: Bytes,
}

impl Request {
    /// A request without a body. No segments: the root.
    ///
    /// # Errors
    /// [`Refused`] where a segment is empty, `.` or `..`, or holds a control character: encoding
    /// would not keep those from being taken for steps or ends of a path.
    pub fn new<S: AsRef<str>>(
        method: Method,
        origin: &Origin,
        segments: impl IntoIterator<Item = S>,
    ) -> Result<Self, Refused> {
        let mut path = String::new();
        for segment in segments {
            let segment = segment.as_ref();
            if matches!(segment, "" | "." | "..") {
                return Err(Refused("a name with an empty part, or with a part of dots"));
            }
            if segment.contains(char::is_control) {
                return Err(Refused("a name with a control character"));
            }
            path.push('/');
            path.extend(utf8_percent_encode(segment, ENCODED));
        }
        if path.is_empty() {
            path.push('/');
        }
        let (query, fields, body) = Default::default();
        Ok(Self(Box::new(Sent { method, origin: origin.clone(), path, query, fields, body })))
    }

    /// `GET`.
    ///
    /// # Errors
    /// As [`Request::new`].
    pub fn get<S: AsRef<str>>(
        origin: &Origin,
        segments: impl IntoIterator<Item = S>,
    ) -> Result<Self, Refused> {
        Self::new(Method::GET, origin, segments)
    }

    /// With one more parameter in its query. Never a secret: servers write queries to their logs.
    #[must_use]
    pub fn query(mut self, name: &str, value: &str) -> Self {
        self.0.query.push(if self.0.query.is_empty() { '?' } else { '&' });
        self.0.query.extend(utf8_percent_encode(name, ENCODED));
        self.0.query.push('=');
        self.0.query.extend(utf8_percent_encode(value, ENCODED));
        self
    }

    /// With a header that is no secret.
    ///
    /// # Errors
    /// [`Refused`] where the value holds what no header may, such as a line break, or the name is none in lower case.
    pub fn header(mut self, name: &'static str, value: &str) -> Result<Self, Refused> {
        let value = HeaderValue::from_str(value)
            .map_err(|_| Refused("a setting with characters that no header may hold"))?;
        self.set(name, value)?;
        Ok(self)
    }

    fn set(&mut self, name: &'static str, value: HeaderValue) -> Result<(), Refused> {
        // in lower case, as HTTP/2 has them, so that each stands for itself
        let part = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        if name.is_empty() || !name.bytes().all(part) {
            return Err(Refused("no name of a header, in lower case"));
        }
        self.0.fields.retain(|(known, _)| *known != name);
        self.0.fields.push((name, value));
        Ok(())
    }

    /// Signed in by that credential.
    ///
    /// # Errors
    /// [`Refused`] where it belongs to another origin.
    pub fn credential(mut self, credential: &Credential) -> Result<Self, Refused> {
        let (name, value) = credential.open(&self.0.origin)?;
        self.set(name, value)?;
        Ok(self)
    }

    /// With a body, wiped when the last clone of the request is dropped.
    #[must_use]
    pub fn body(mut self, content_type: &'static str, body: Zeroizing<Vec<u8>>) -> Self {
        // INVARIANT: it is the name of a header
        let _ = self.set("content-type", HeaderValue::from_static(content_type));
        self.0.body = Bytes::from_owner(body);
        self
    }

    /// The method.
    pub fn method(&self) -> &Method {
        &self.0.method
    }

    /// Where it goes.
    pub fn origin(&self) -> &Origin {
        &self.0.origin
    }

    /// The whole URL, for who sends it. Not for messages: the origin is.
    pub fn url(&self) -> String {
        [self.0.origin.as_str(), &self.0.path, &self.0.query].concat()
    }

    /// Its headers, each name once; credentials among them are marked sensitive.
    pub fn fields(&self) -> &[(&'static str, HeaderValue)] {
        &self.0.fields
    }

    /// The same as a map, for clients that take one.
    pub fn headers(&self) -> HeaderMap {
        let name = |name: &str| HeaderName::from_bytes(name.as_bytes()).ok();
        // INVARIANT: all are names, or they had not been taken
        self.0.fields.iter().filter_map(|(known, value)| Some((name(known)?, value.clone()))).collect()
    }

    /// Its body; a clone shares the bytes, which are wiped with the last one.
    pub fn payload(&self) -> &Bytes {
        &self.0.body
    }
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}{} ", self.0.method, self.0.origin, self.0.path)?;
        f.debug_list().entries(self.0.fields.iter().map(|(name, _)| name)).finish()
    }
}

/// A whole reply, of any status. `Debug` shows the status only.
#[derive(Clone)]
pub struct Reply(Box<Got>);

#[derive(Clone)]
struct Got {
    status: StatusCode,
    headers: HeaderMap,
    wait: Option<Duration>,
    body: Bytes,
}

impl Reply {
    /// A reply of these parts. The body is taken over and wiped when the last clone of it, or of a
    /// slice of it, is dropped: `Bytes` alone frees without wiping, but it can have an owner that
    /// does not.
    pub fn new(status: StatusCode, headers: HeaderMap, body: Zeroizing<Vec<u8>>) -> Self {
        Self(Box::new(Got { status, headers, wait: None, body: Bytes::from_owner(body) }))
    }

    /// With what its `Retry-After` says, for a client that hands on no headers.
    ///
    /// ```
    /// use secretfig_source::protocol::Reply;
    /// use std::time::{Duration, SystemTime};
    /// let reply = Reply::new(http::StatusCode::TOO_MANY_REQUESTS, http::HeaderMap::new(), Vec::new().into());
    /// let reply = reply.waiting(Duration::from_secs(7));
    /// assert_eq!(reply.retry_after(SystemTime::UNIX_EPOCH), Some(Duration::from_secs(7)));
    /// ```
    #[must_use]
    pub fn waiting(mut self, wait: Duration) -> Self {
        self.0.wait = Some(wait);
        self
    }

    /// The status.
    pub fn status(&self) -> StatusCode {
        self.0.status
    }

    /// A header's text, the first of that name; none where there is none, or where it is no text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.0.headers.get(name)?.to_str().ok()
    }

    /// All its headers, for an adapter that hands them on to an SDK. They may hold what is not for messages.
    pub fn headers(&self) -> &HeaderMap {
        &self.0.headers
    }

    /// How long the server asks to wait: as [`Reply::waiting`] was told, or by [`retry_after`].
    pub fn retry_after(&self, wall: SystemTime) -> Option<Duration> {
        #[cfg(feature = "dates")]
        return self.0.wait.or_else(|| retry_after(self.header("retry-after")?, wall));
        #[cfg(not(feature = "dates"))]
        {
            let _ = wall;
            self.0.wait
        }
    }

    /// The body. A slice of it shares its bytes.
    pub fn body(&self) -> &Bytes {
        &self.0.body
    }

    /// The whole body as what a secret holds.
    pub fn document(&self) -> Document {
        Document::from_bytes(Zeroizing::new(self.0.body.to_vec()))
    }
}

/// How long a `Retry-After` asks to wait: seconds, or until a date, of which `wall` is the other end. None where
/// it says neither, or a date that is over: then one's own pause is the better guess. However much is asked for,
/// it is told; whoever waits has a bound of their own. For adapters of SDKs, which see no [`Reply`].
#[cfg(feature = "dates")]
pub fn retry_after(text: &str, wall: SystemTime) -> Option<Duration> {
    let text = text.trim();
    if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) {
        return Some(Duration::from_secs(text.parse().unwrap_or(u64::MAX)));
    }
    let until = httpdate::parse_http_date(text).ok()?;
    until.duration_since(wall).ok().filter(|wait| !wait.is_zero())
}

impl fmt::Debug for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Reply({})", self.0.status.as_u16())
    }
}

/// Why no whole reply came. There is no room for a foreign error, which may hold a URL or a body. It is an
/// [`Error`](std::error::Error) so that it finds its way through an SDK, whose own words are not shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HttpError {
    fault: HttpFault,
    hint: Option<&'static str>,
}

/// The ways in which no whole reply comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum HttpFault {
    /// The deadline passed.
    Timeout,
    /// The connection failed, or broke off.
    Transport,
    /// TLS failed.
    Tls,
    /// The body is larger than the limit.
    TooLarge,
    /// The platform cannot send this, or a setting forbids it; nothing was sent.
    Misconfigured,
}

impl HttpError {
    /// A failure of that kind.
    pub fn new(fault: HttpFault) -> Self {
        Self { fault, hint: None }
    }

    /// With what the user should do, in place of the kind's own sentence.
    #[must_use]
    pub fn hint(mut self, hint: &'static str) -> Self {
        self.hint = Some(hint);
        self
    }

    /// The kind of failure.
    pub fn fault(&self) -> HttpFault {
        self.fault
    }

    fn kind(&self) -> ErrorKind {
        match self.fault {
            HttpFault::Timeout => ErrorKind::Timeout,
            HttpFault::Transport => ErrorKind::Transport,
            HttpFault::Tls => ErrorKind::Tls,
            HttpFault::TooLarge => ErrorKind::TooLarge,
            HttpFault::Misconfigured => ErrorKind::Misconfigured,
        }
    }

    /// As the error of the source of that scheme, to which a secret's name can be added.
    pub fn of_source(self, scheme: impl Into<Cow<'static, str>>) -> SourceError {
        let hint = match self.fault {
            // the kind's own hint is about the secret, but a reply holds more than that
            HttpFault::TooLarge => Some("the reply is larger than a reply may be"),
            _ => None,
        };
        let error = SourceError::new(self.kind(), scheme);
        match self.hint.or(hint) {
            Some(hint) => error.hint(hint),
            None => error,
        }
    }
}

impl fmt::Display for HttpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind().as_str())?;
        self.hint.map_or(Ok(()), |hint| write!(f, ": {hint}"))
    }
}

impl std::error::Error for HttpError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_is_read_in_all_its_spellings() {
        let wall = SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777); // Sun, 06 Nov 1994 08:49:37 GMT
        let read = |text: &str| {
            let mut headers = HeaderMap::new();
            headers.insert("retry-after", HeaderValue::from_str(text).unwrap());
            let reply = Reply::new(StatusCode::TOO_MANY_REQUESTS, headers, Zeroizing::default());
            reply.retry_after(wall).map(|wait| wait.as_secs())
        };
        for (text, seconds) in [
            ("2", Some(2)),
            (" 007 ", Some(7)),
            ("0", Some(0)),
            ("999999999", Some(999_999_999)),
            ("99999999999999999999999", Some(u64::MAX)),
            ("Sun, 06 Nov 1994 08:50:07 GMT", Some(30)),
            ("Sunday, 06-Nov-94 08:50:07 GMT", Some(30)),
            ("Sun Nov  6 08:50:07 1994", Some(30)),
            ("Sun, 06 Nov 1994 08:49:37 GMT", None),
            ("Sat, 05 Nov 1994 08:49:37 GMT", None),
            ("Thu, 01 Jan 1970 00:00:00 GMT", None),
            ("Fri, 31 Dec 9999 23:59:59 GMT", Some(252_618_189_022)),
            ("-1", None),
            ("+3", None),
            ("1.5", None),
            ("1e9", None),
            ("soon", None),
            ("", None),
            ("2, 3", None),
        ] {
            assert_eq!(read(text), seconds, "{text}");
        }
        let reply = Reply::new(StatusCode::OK, HeaderMap::new(), Zeroizing::default());
        assert_eq!(reply.retry_after(wall), None);
    }

    /// One of each; the match without a wildcard makes a new one a compile error here.
    #[test]
    fn every_fault_is_told_as_a_kind_and_nothing_else() {
        for fault in [
            HttpFault::Timeout,
            HttpFault::Transport,
            HttpFault::Tls,
            HttpFault::TooLarge,
            HttpFault::Misconfigured,
        ] {
            let kind = match fault {
                HttpFault::Timeout => ErrorKind::Timeout,
                HttpFault::Transport => ErrorKind::Transport,
                HttpFault::Tls => ErrorKind::Tls,
                HttpFault::TooLarge => ErrorKind::TooLarge,
                HttpFault::Misconfigured => ErrorKind::Misconfigured,
            };
            let error = HttpError::new(fault);
            assert_eq!(error.to_string(), kind.as_str());
            assert_eq!(error.hint("set it").to_string(), format!("{}: set it", kind.as_str()));
            assert!(std::error::Error::source(&error).is_none());
            let e = HttpError::new(fault).of_source("vault");
            assert_eq!((e.kind(), e.secret_name()), (kind, None));
            let e = HttpError::new(fault).hint("set it").of_source("vault");
            assert_eq!(e.to_string(), format!("vault: {kind}: set it"));
        }
    }
}
