//! AWS' SDK over our transport, and its errors as ours. Its own retries, time-outs and caches are off: there is one of each, in
//! the core.

use crate::error::{Doing, Refusal, SCHEME, Said, misconfigured, refusal};
use aws_sdk_secretsmanager::config::http::{HttpRequest, HttpResponse};
use aws_sdk_secretsmanager::error::{ProvideErrorMetadata, SdkError};
use aws_smithy_async::time::TimeSource;
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use bytes::Bytes;
use http_body_util::Full;
use secretfig_source::protocol::{HttpError, HttpFault, Limits, retry_after};
use secretfig_source::{Clock, ErrorKind};
use secretfig_transport::Transport;
use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

/// What the SDK is given as its HTTP client, under its credentials and its operations alike.
#[derive(Clone, Debug)]
pub(crate) struct Adapter {
    pub(crate) transport: Transport,
    pub(crate) limits: Limits,
}

/// The headers that the SDK is shown. At TRACE it prints all that it has, and what a stranger puts into the others is not for our
/// log.
const UNDERSTOOD: [&str; 8] = [
    "content-length",
    "content-type",
    "date",
    "retry-after",
    "x-amz-request-id",
    "x-amzn-errortype",
    "x-amzn-requestid",
    // of the metadata service: how long its token lives
    "x-aws-ec2-metadata-token-ttl-seconds",
];

impl HttpClient for Adapter {
    fn http_connector(&self, settings: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        // whoever asks for less gets less: the metadata service is given two seconds by the SDK
        let asked = settings.read_timeout().map(|read| read + settings.connect_timeout().unwrap_or_default());
        let deadline = asked.map_or(self.limits.deadline, |asked| asked.min(self.limits.deadline));
        let limits = Limits { deadline, ..self.limits };
        SharedHttpConnector::new(Self { transport: self.transport.clone(), limits })
    }
}

impl HttpConnector for Adapter {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let Self { transport, limits } = self.clone();
        HttpConnectorFuture::new(async move {
            let request = request.try_into_http1x().map_err(|e| ConnectorError::user(e.into()))?;
            let (parts, body) = request.into_parts();
            let streams = || ConnectorError::user(HttpError::new(HttpFault::Misconfigured).into());
            let body = Bytes::copy_from_slice(body.bytes().ok_or_else(streams)?);
            let sent = transport.exchange(http::Request::from_parts(parts, body), limits).await;
            let reply = sent.map_err(|error| match error.fault() {
                HttpFault::Timeout => ConnectorError::timeout(error.into()),
                HttpFault::Transport => ConnectorError::io(error.into()),
                HttpFault::Misconfigured => ConnectorError::user(error.into()),
                _ => ConnectorError::other(error.into(), None),
            })?;
            // as a stream: what is in memory the SDK prints whole at TRACE
            let body = SdkBody::from_body_1_x(Full::new(reply.body().clone()));
            let mut answer = http::Response::new(body);
            *answer.status_mut() = reply.status();
            for name in UNDERSTOOD {
                if let Some(value) = reply.headers().get(name) {
                    answer.headers_mut().insert(name, value.clone());
                }
            }
            HttpResponse::try_from(answer).map_err(|e| ConnectorError::other(e.into(), None))
        })
    }
}

/// The SDK's time is the clock's.
#[derive(Clone)]
pub(crate) struct Wall(pub(crate) Arc<dyn Clock>);

impl TimeSource for Wall {
    fn now(&self) -> SystemTime {
        self.0.wall()
    }
}

impl fmt::Debug for Wall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Wall")
    }
}

/// Why a call failed, and whether new credentials may help.
pub(crate) struct Failed {
    pub(crate) refusal: Refusal,
    pub(crate) wants_credentials: bool,
}

impl From<Refusal> for Failed {
    fn from(refusal: Refusal) -> Self {
        Self { refusal, wants_credentials: false }
    }
}

/// What the SDK says, by the one table. Its own words are not shown: they quote the server.
pub(crate) fn failed<E>(error: &SdkError<E, HttpResponse>, doing: Doing<'_>, wall: SystemTime) -> Failed
where
    E: ProvideErrorMetadata + Error + 'static,
{
    let raw = match error {
        SdkError::ServiceError(answered) => answered.raw(),
        SdkError::ResponseError(answered) => {
            if let Some(ours) = ours(error) {
                return Refusal::from(ours.of_source(SCHEME)).into();
            }
            answered.raw()
        }
        // the transport's own error lies somewhere inside; where there is none, nothing was sent
        _ => {
            return match ours(error) {
                Some(ours) => Refusal::from(ours.of_source(SCHEME)),
                None if matches!(error, SdkError::TimeoutError(_)) => {
                    Refusal::new(ErrorKind::Timeout, "AWS did not answer in time")
                }
                None => misconfigured("the request could not be made: check the region and the endpoint"),
            }
            .into();
        }
    };
    let wait = raw.headers().get("retry-after").and_then(|text| retry_after(text, wall));
    let (code, message) = match error {
        SdkError::ServiceError(answered) => (answered.err().code(), answered.err().message()),
        _ => (None, None),
    };
    let (code, message) = (code.unwrap_or_default(), message.unwrap_or_default());
    let said = Said { status: raw.status().as_u16(), code, message, wait };
    Failed { refusal: refusal(&said, doing), wants_credentials: said.wants_credentials() }
}

/// Our transport's own error, where it lies somewhere inside.
pub(crate) fn ours(error: &(dyn Error + 'static)) -> Option<HttpError> {
    error.downcast_ref::<HttpError>().copied().or_else(|| ours(error.source()?))
}
