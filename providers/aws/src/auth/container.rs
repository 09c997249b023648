//! The endpoint that ECS and EKS Pod Identity give a container
//! ([reference](https://docs.aws.amazon.com/sdkref/latest/guide/feature-container-credentials.html)). By hand: the SDK's own reads the
//! process' environment only, and retries by itself.

use super::{Missed, Ways, open};
use crate::error::{Refusal, SCHEME, malformed, misconfigured};
use crate::reply::{text, tree};
use aws_credential_types::Credentials;
use http::{StatusCode, Uri};
use secretfig_source::ErrorKind;
use secretfig_source::protocol::{Credential, Http, Origin, Reply, Request};
use std::time::SystemTime;

const ECS: &str = "http://169.254.170.2";

impl Ways {
    pub(super) async fn by_container(&self) -> Result<Credentials, Missed> {
        let material = &self.settings.material;
        let address = match (&material.container_path, &material.container_uri) {
            (Some(path), _) => format!("{ECS}{path}"),
            (None, Some(uri)) => uri.clone(),
            (None, None) => {
                return Err(Missed::Unset(
                    "AWS_CONTAINER_CREDENTIALS_FULL_URI and AWS_CONTAINER_CREDENTIALS_RELATIVE_URI are not set".to_owned(),
                ));
            }
        };
        let mut request = request(&address)?;
        if let Some(token) = &material.container_token {
            let token = open(token, "the container's token file").await?;
            let header = Credential::header(request.origin(), "authorization", &token);
            let header = header.map_err(|refused| refused.of_source(SCHEME))?;
            request = request.credential(&header).map_err(|refused| refused.of_source(SCHEME))?;
        }
        let reply = self.nearby.transport.send(request, self.nearby.limits).await;
        let reply = reply.map_err(|error| error.of_source(SCHEME))?;
        Ok(granted(&reply)?)
    }
}

/// Only to where containers are told to ask: AWS' own addresses, the machine itself, or anywhere by TLS.
fn request(address: &str) -> Result<Request, Refusal> {
    let none = || misconfigured("AWS_CONTAINER_CREDENTIALS_FULL_URI is no address");
    let uri: Uri = address.parse().map_err(|_| none())?;
    let (scheme, authority) = (uri.scheme_str().ok_or_else(none)?, uri.authority().ok_or_else(none)?);
    let origin = format!("{scheme}://{authority}");
    let origin = Origin::metadata(&origin).or_else(|_| Origin::parse(&origin));
    let origin = origin.map_err(|refused| Refusal::from(refused.of_source(SCHEME)))?;
    let segments = uri.path().split('/').filter(|segment| !segment.is_empty());
    let request =
        Request::get(&origin, segments).map_err(|refused| Refusal::from(refused.of_source(SCHEME)))?;
    let pairs = uri.query().unwrap_or_default().split('&').filter(|pair| !pair.is_empty());
    Ok(pairs.fold(request, |request, pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        request.query(name, value)
    }))
}

fn granted(reply: &Reply) -> Result<Credentials, Refusal> {
    match reply.status() {
        StatusCode::OK => {}
        status if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS => {
            return Err(Refusal::new(
                ErrorKind::Unavailable(secretfig_source::Unavailable::Failing),
                "the container's endpoint fails; it is tried again. Look at the ECS agent, or the EKS Pod Identity agent",
            ));
        }
        _ => {
            return Err(Refusal::new(
                ErrorKind::Unauthenticated,
                "the container's endpoint gives no credentials: check that the task or the service account has a role",
            ));
        }
    }
    let bad = || malformed("the container's endpoint gives credentials that cannot be read");
    let tree = tree(reply)?;
    let of = |key: &str| text(&tree, key).ok_or_else(bad);
    let until = match text(&tree, "Expiration") {
        Some(text) => Some(humantime::parse_rfc3339(text).map_err(|_| bad())?),
        None => None::<SystemTime>,
    };
    let token = text(&tree, "Token").map(str::to_owned);
    Ok(Credentials::new(of("AccessKeyId")?, of("SecretAccessKey")?, token, until, "secretfig"))
}
