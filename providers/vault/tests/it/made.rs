//! A server that answers what a test makes up.

use secretfig_source::async_trait;
use secretfig_source::protocol::{Http, HttpError, HttpFault, Limits, Reply, Request};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use zeroize::Zeroizing;

pub(crate) const ALIVE: &str =
    r#"{"data":{"ttl":3600,"creation_ttl":3600,"renewable":true,"display_name":"app"}}"#;
pub(crate) const MINTED: &str = r#"{"lease_id":"database/creds/app/1","lease_duration":86400,"renewable":true,"data":{"username":"u","password":"p"}}"#;
pub(crate) const VALUE: &str = r#"{"data":{"data":{"v":"1"},"metadata":{"version":1}}}"#;
pub(crate) const DENIED: &str = r#"{"errors":["1 error occurred:\n\t* permission denied\n\n"]}"#;

/// What is answered to a method and a URL.
pub(crate) type Answer = Result<(u16, &'static str), HttpFault>;

/// Answers by a function, and remembers what it was asked, each with its body.
pub(crate) struct Made<F> {
    answer: F,
    seen: Mutex<Vec<(String, String)>>,
    slow: Option<(&'static str, Duration)>,
}

impl<F> Made<F> {
    pub(crate) fn of(answer: F) -> Arc<Self> {
        Arc::new(Self { answer, seen: Mutex::default(), slow: None })
    }

    /// One that takes so long for what has this in its line.
    pub(crate) fn slow(answer: F, part: &'static str, takes: Duration) -> Arc<Self> {
        Arc::new(Self { answer, seen: Mutex::default(), slow: Some((part, takes)) })
    }

    /// How many requests had this in their line.
    pub(crate) fn count(&self, part: &str) -> usize {
        self.bodies(part).len()
    }

    /// What they brought along.
    pub(crate) fn bodies(&self, part: &str) -> Vec<String> {
        let seen = self.seen.lock().unwrap();
        seen.iter().filter(|(line, _)| line.contains(part)).map(|(_, body)| body.clone()).collect()
    }
}

#[async_trait]
impl<F: Fn(&str) -> Answer + Send + Sync> Http for Made<F> {
    async fn send(&self, request: Request, _: Limits) -> Result<Reply, HttpError> {
        let line = format!("{} {}", request.method(), request.url());
        let body = String::from_utf8(request.payload().to_vec()).unwrap();
        self.seen.lock().unwrap().push((line.clone(), body));
        if let Some((_, takes)) = self.slow.filter(|(part, _)| line.contains(part)) {
            tokio::time::sleep(takes).await;
        }
        let (status, body) = (self.answer)(&line).map_err(HttpError::new)?;
        let body = Zeroizing::new(body.as_bytes().to_vec());
        Ok(Reply::new(http::StatusCode::from_u16(status).unwrap(), http::HeaderMap::new(), body))
    }
}
