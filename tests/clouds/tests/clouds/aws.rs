//! The AWS SDK over the transport, and its errors as ours.

use aws_sdk_secretsmanager::config::http::{HttpRequest, HttpResponse};
use aws_sdk_secretsmanager::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_secretsmanager::operation::get_secret_value::GetSecretValueError;
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use bytes::Bytes;
use http_body_util::Full;
use secretfig_source::protocol::{HttpError, HttpFault, Limits, retry_after};
use secretfig_source::{Document, ErrorKind, SourceError, Unavailable, Withdrawn};
use secretfig_transport::Transport;
use std::error::Error;
use std::time::SystemTime;
use zeroize::Zeroizing;

/// What the SDK is given as its HTTP client, under its credentials and its operations alike.
#[derive(Clone, Debug)]
pub(crate) struct Adapter {
    pub(crate) transport: Transport,
    pub(crate) limits: Limits,
}

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
            *answer.headers_mut() = reply.headers().clone();
            HttpResponse::try_from(answer).map_err(|e| ConnectorError::other(e.into(), None))
        })
    }
}

/// One secret, as a document.
pub(crate) async fn fetch(
    client: &aws_sdk_secretsmanager::Client,
    name: &str,
    wall: SystemTime,
) -> Result<Document, SourceError> {
    let answer = client.get_secret_value().secret_id(name).send().await;
    let mut answer = answer.map_err(|error| told(&error, wall).secret(name))?;
    let text = Zeroizing::new(std::mem::take(&mut answer.secret_string).unwrap_or_default());
    Ok(Document::from_bytes(Zeroizing::new(text.as_bytes().to_vec())))
}

fn told(error: &SdkError<GetSecretValueError, HttpResponse>, wall: SystemTime) -> SourceError {
    let error_of = |kind| SourceError::new(kind, "aws-sm");
    let SdkError::ServiceError(answered) = error else {
        // the transport's own error lies somewhere inside; where there is none, nothing was sent
        return match ours(error) {
            Some(ours) => ours.of_source("aws-sm"),
            None => error_of(match error {
                SdkError::TimeoutError(_) => ErrorKind::Timeout,
                SdkError::ResponseError(_) => ErrorKind::Malformed,
                _ => ErrorKind::Misconfigured,
            }),
        };
    };
    let (raw, code) = (answered.raw(), answered.err().code().unwrap_or_default());
    let wait = raw.headers().get("retry-after").and_then(|text| retry_after(text, wall));
    error_of(match (code, raw.status().as_u16()) {
        ("ResourceNotFoundException", _) => ErrorKind::Absent,
        ("AccessDeniedException" | "AccessDenied", _) => ErrorKind::Denied,
        (
            "ExpiredTokenException"
            | "ExpiredToken"
            | "UnrecognizedClientException"
            | "InvalidSignatureException"
            | "SignatureDoesNotMatch"
            | "InvalidClientTokenId",
            _,
        ) => ErrorKind::Unauthenticated,
        // throttling is a 400 here, and a 429 of whatever stands in front
        ("ThrottlingException" | "Throttling" | "RequestLimitExceeded", _) | (_, 429) => {
            ErrorKind::Throttled { retry_after: wait }
        }
        ("InvalidRequestException", _) => ErrorKind::Withdrawn(Withdrawn::Deleted),
        (_, 500..) => ErrorKind::Unavailable(Unavailable::Failing),
        (_, 403) => ErrorKind::Denied,
        _ => ErrorKind::Malformed,
    })
}

fn ours(error: &(dyn Error + 'static)) -> Option<HttpError> {
    error.downcast_ref::<HttpError>().copied().or_else(|| ours(error.source()?))
}
