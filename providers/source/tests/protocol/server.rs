//! The toy manager itself, in memory, behind `Http`.

use http::{HeaderMap, Method, StatusCode};
use secretfig_source::protocol::{Http, HttpError, Limits, Reply, Request};
use secretfig_source::testing::FakeSource;
use secretfig_source::{Ask, At, ErrorKind, Exposed, Fetched, Format, Node, Reading, Source, async_trait};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use zeroize::Zeroizing;

#[derive(Default)]
pub struct Server {
    pub fake: FakeSource,
    pub logins: AtomicUsize,
    pub requests: AtomicUsize,
    /// How many values it has made up itself.
    pub made_up: AtomicUsize,
    /// Tokens up to this one are no longer accepted.
    pub expired: AtomicUsize,
    /// What befalls every request.
    pub befalls: Mutex<Option<HttpError>>,
    /// What every login or every read is answered, in place of the truth.
    pub login: Mutex<Option<StatusCode>>,
    pub read: Mutex<Option<StatusCode>>,
}

pub fn reply(status: StatusCode, revision: &str, body: Vec<u8>) -> Reply {
    let mut headers = HeaderMap::new();
    headers.insert("x-revision", revision.parse().unwrap());
    headers.insert("retry-after", "7".parse().unwrap());
    Reply::new(status, headers, Zeroizing::new(body))
}

pub fn bytes(fetched: &Fetched) -> Vec<u8> {
    let how = Reading { allow_empty: true, format: Format::Bytes, ..Reading::default() };
    match fetched.document.read(&how) {
        Ok(Node::Leaf(sealed)) => match sealed.expose_secret() {
            Exposed::Text(text) => text.as_bytes().to_vec(),
            Exposed::Bytes(bytes) => bytes.to_vec(),
            _ => panic!("neither text nor bytes"),
        },
        _ => panic!("no leaf"),
    }
}

#[async_trait]
impl Http for Server {
    async fn send(&self, request: Request, _: Limits) -> Result<Reply, HttpError> {
        self.requests.fetch_add(1, SeqCst);
        tokio::task::yield_now().await;
        if let Some(error) = *self.befalls.lock().unwrap() {
            return Err(error);
        }
        let url = request.url();
        let rest = url.strip_prefix("https://toy.example/").expect("the origin it was made for");
        if rest == "login" {
            assert!(!request.headers().contains_key("authorization"), "no old token at the door");
            let n = self.logins.fetch_add(1, SeqCst) + 1;
            let status = self.login.lock().unwrap().unwrap_or(StatusCode::OK);
            return Ok(reply(status, "", format!("token-{n}").into_bytes()));
        }
        let headers = request.headers();
        let token = headers["authorization"].to_str().unwrap().strip_prefix("Bearer token-").unwrap();
        if token.parse::<usize>().unwrap() <= self.expired.load(SeqCst) {
            return Ok(reply(StatusCode::UNAUTHORIZED, "", Vec::new()));
        }
        if let Some(status) = *self.read.lock().unwrap() {
            return Ok(reply(status, "", b"<html>planted</html>".to_vec()));
        }
        let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
        let name = path.strip_prefix("secret/").filter(|name| !name.contains('/')).expect("one segment");
        let decode = |text| percent_encoding::percent_decode_str(text).decode_utf8().unwrap().into_owned();
        let ask = Ask::new(decode(name)).at(match query.split_once('=') {
            Some(("at", "previous")) => At::Previous,
            Some(("version", id)) => At::Version(decode(id).into()),
            Some(("stage", label)) => At::Stage(decode(label).into()),
            _ => At::Current,
        });
        Ok(match self.fake.fetch(&[ask]).await.remove(0) {
            Ok(fetched) if *request.method() == Method::HEAD => {
                reply(StatusCode::OK, fetched.revision.as_str(), Vec::new())
            }
            Ok(fetched) => reply(StatusCode::OK, fetched.revision.as_str(), bytes(&fetched)),
            Err(e) => reply(
                match e.kind() {
                    ErrorKind::Absent => StatusCode::NOT_FOUND,
                    ErrorKind::Denied => StatusCode::FORBIDDEN,
                    ErrorKind::Withdrawn(_) => StatusCode::GONE,
                    _ => StatusCode::INTERNAL_SERVER_ERROR,
                },
                "",
                b"{\"error\": \"planted\"}".to_vec(),
            ),
        })
    }
}
