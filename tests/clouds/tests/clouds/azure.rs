//! The Azure SDK over the transport, and its errors as ours.

use async_trait::async_trait;
use azure_core::error::ErrorKind as AzureKind;
use azure_core::http::headers::Headers;
use azure_core::http::{AsyncRawResponse, Body, HttpClient, Request};
use azure_security_keyvault_secrets::SecretClient;
use secretfig_source::protocol::{HttpError, HttpFault, Limits, retry_after};
use secretfig_source::{Document, ErrorKind, SourceError, Unavailable, Withdrawn};
use secretfig_transport::Transport;
use std::error::Error;
use std::time::SystemTime;
use zeroize::Zeroizing;

/// What clients and credentials are given as their HTTP client.
#[derive(Clone, Debug)]
pub(crate) struct Adapter {
    pub(crate) transport: Transport,
    pub(crate) limits: Limits,
}

#[async_trait]
impl HttpClient for Adapter {
    async fn execute_request(&self, request: &Request) -> azure_core::Result<AsyncRawResponse> {
        let misconfigured = || wrapped(HttpError::new(HttpFault::Misconfigured));
        let Body::Bytes(body) = request.body() else { return Err(misconfigured()) };
        let mut sent = http::Request::builder().method(request.method().as_str()).uri(request.url().as_str());
        for (name, value) in request.headers().iter() {
            let mut value = http::HeaderValue::from_str(value.as_str()).map_err(|_| misconfigured())?;
            value.set_sensitive(true);
            sent = sent.header(name.as_str(), value);
        }
        let sent = sent.body(body.clone()).map_err(|_| misconfigured())?;
        let reply = self.transport.exchange(sent, self.limits).await.map_err(wrapped)?;
        let mut headers = Headers::new();
        for (name, value) in reply.headers() {
            if let Ok(value) = value.to_str() {
                headers.insert(name.as_str().to_owned(), value.to_owned());
            }
        }
        Ok(AsyncRawResponse::from_bytes(reply.status().as_u16().into(), headers, reply.body().clone()))
    }
}

/// Of the kind that the SDK's retry policy never repeats.
fn wrapped(error: HttpError) -> azure_core::Error {
    azure_core::Error::with_error(AzureKind::Other, error, "transport")
}

/// One secret's whole reply, as a document; the SDK's own model would copy it twice more.
pub(crate) async fn fetch(
    client: &SecretClient,
    name: &str,
    wall: SystemTime,
) -> Result<Document, SourceError> {
    let plain = name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    if name.is_empty() || name.len() > 127 || !plain {
        // the SDK puts a name into the path as it is
        return Err(SourceError::new(ErrorKind::Misconfigured, "azure-kv").secret(name));
    }
    let answer = client.get_secret(name, None).await.map_err(|error| told(&error, wall).secret(name))?;
    let body = answer.into_body();
    Ok(Document::from_bytes(Zeroizing::new(body.to_vec())))
}

fn told(error: &azure_core::Error, wall: SystemTime) -> SourceError {
    let error_of = |kind| SourceError::new(kind, "azure-kv");
    let signing_in = matches!(error.kind(), AzureKind::Credential);
    if let Some(ours) = cause::<HttpError>(error, &|_| true) {
        return ours.of_source("azure-kv");
    }
    let by_status = |e: &azure_core::Error| matches!(e.kind(), AzureKind::HttpResponse { .. });
    let answered = cause::<azure_core::Error>(error, &by_status).and_then(|error| match error.kind() {
        AzureKind::HttpResponse { status, error_code, raw_response } => Some((
            u16::from(*status),
            error_code.clone().unwrap_or_default(),
            raw_response.as_ref().and_then(|raw| {
                let name = azure_core::http::headers::RETRY_AFTER;
                retry_after(raw.headers().get_optional_str(&name)?, wall)
            }),
        )),
        _ => None,
    });
    let Some((status, code, wait)) = answered else {
        return error_of(if signing_in { ErrorKind::Unauthenticated } else { ErrorKind::Malformed });
    };
    error_of(match (status, code.as_str()) {
        (429, _) => ErrorKind::Throttled { retry_after: wait },
        (500.., _) => ErrorKind::Unavailable(Unavailable::Failing),
        (401, _) => ErrorKind::Unauthenticated,
        _ if signing_in => ErrorKind::Unauthenticated,
        (403, "SecretDisabled") => ErrorKind::Withdrawn(Withdrawn::Disabled),
        (403, _) => ErrorKind::Denied,
        (404, _) => ErrorKind::Absent,
        _ => ErrorKind::Malformed,
    })
}

/// The first of that type, from the outside in.
fn cause<'a, E: Error + 'static>(
    error: &'a (dyn Error + 'static),
    fits: &dyn Fn(&E) -> bool,
) -> Option<&'a E> {
    error.downcast_ref::<E>().filter(|e| fits(e)).or_else(|| cause(error.source()?, fits))
}
