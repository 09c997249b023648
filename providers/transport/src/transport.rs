//! One client, hardened.

use crate::body::Body;
use crate::settings::{Proxy, Settings};
use crate::{fault, tls, way};
use async_trait::async_trait;
use bytes::Bytes;
use reqwest::{Client, NoProxy};
use secretfig_source::protocol::{Http, HttpError, HttpFault, Limits, Refused, Reply, Request};
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;
use std::time::Duration;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// Idle connections are closed after this, before most servers and balancers close them.
const IDLE: Duration = Duration::from_secs(20);
const IDLE_CONNECTIONS: usize = 8;

/// The variables that would send us by a proxy, and what to say where one is set and ignored. The first that is
/// set counts, as with curl.
const PROXIES: [(&str, &str); 4] = [
    ("https_proxy", "https_proxy is set and ignored; if the way out is by that proxy, set `proxy = \"env\"`"),
    ("HTTPS_PROXY", "HTTPS_PROXY is set and ignored; if the way out is by that proxy, set `proxy = \"env\"`"),
    ("all_proxy", "all_proxy is set and ignored; if the way out is by that proxy, set `proxy = \"env\"`"),
    ("ALL_PROXY", "ALL_PROXY is set and ignored; if the way out is by that proxy, set `proxy = \"env\"`"),
];

const BY_PROXY: &str = "asked by the environment's proxy; check that it runs and lets this host through";

/// The one client: what every manager is asked by. Cheap to clone; clones share their connections.
#[derive(Clone)]
pub struct Transport(Arc<Inner>);

struct Inner {
    client: Client,
    /// What to say of an outage on the way out: the proxy that is taken, or the one that is set and ignored.
    by_proxy: Option<&'static str>,
    metadata: Vec<IpAddr>,
    danger_plain_http: bool,
}

impl Transport {
    /// A client of these settings. Reads the platform's authorities and the proxy variables, and connects to
    /// nothing.
    ///
    /// # Errors
    /// [`Refused`] for a listed address that is no metadata service's, a `localhost` placed elsewhere, and a
    /// proxy variable that counts and is no address.
    pub fn new(settings: Settings) -> Result<Self, Refused> {
        settings.check()?;
        // all that the features of others could switch on is said here, since features are united: proxies of the
        // system, decompression, which would outgrow the cap unseen, retries, cookies
        let mut builder = Client::builder()
            .tls_backend_preconfigured(tls::config(&settings)?)
            .user_agent(concat!("secretfig/", env!("CARGO_PKG_VERSION")))
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .referer(false)
            .no_gzip()
            .no_brotli()
            .no_zstd()
            .no_deflate()
            .no_hickory_dns()
            .no_proxy()
            .http1_only()
            .connect_timeout(settings.connect_timeout.unwrap_or(CONNECT_TIMEOUT))
            .pool_idle_timeout(IDLE)
            .pool_max_idle_per_host(IDLE_CONNECTIONS);
        // a hosts file or a resolver may say otherwise, and plain http is allowed to this name
        let loopback = [(Ipv4Addr::LOCALHOST, 0).into(), (Ipv6Addr::LOCALHOST, 0).into()];
        builder = builder.resolve_to_addrs("localhost", &loopback).resolve_to_addrs("localhost.", &loopback);
        for (host, to) in &settings.places {
            builder = builder.resolve_to_addrs(host, to);
        }
        let set = |(name, _): &&(&str, _)| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let by_proxy = match (PROXIES.iter().find(set), settings.proxy) {
            (None, _) => None,
            (Some((_, ignored)), Proxy::Ignored) => Some(*ignored),
            (Some((name, _)), Proxy::Env) => {
                let proxy = std::env::var(name).ok().and_then(|value| reqwest::Proxy::https(value).ok());
                let proxy = proxy.ok_or(Refused::new("the proxy variable is no address of a proxy"))?;
                builder = builder.proxy(proxy.no_proxy(NoProxy::from_string(&near(&settings.metadata))));
                Some(BY_PROXY)
            }
        };
        let client = builder.build().map_err(|_| Refused::new("no HTTP client can be built here"))?;
        let (metadata, danger_plain_http) = (settings.metadata, settings.danger_plain_http);
        Ok(Self(Arc::new(Inner { client, by_proxy, metadata, danger_plain_http })))
    }

    /// Sends what an SDK has built, and gives the whole reply, of whatever status: for adapters. The URL is the
    /// SDK's, and keeps the same rules; credentials in its headers are the SDK's too, and so is to whom they go.
    ///
    /// # Errors
    /// [`HttpError`] where no whole reply came; [`HttpFault::Misconfigured`] where nothing was sent.
    pub async fn exchange(&self, request: http::Request<Bytes>, limits: Limits) -> Result<Reply, HttpError> {
        let (url, away) = way::of(request.uri(), &self.0.metadata, self.0.danger_plain_http)?;
        let (parts, body) = request.into_parts();
        let mut request = reqwest::Request::new(parts.method, url);
        *request.headers_mut() = parts.headers;
        if !body.is_empty() {
            *request.body_mut() = Some(body.into());
        }
        let answer = tokio::time::timeout(limits.deadline, whole(&self.0.client, request, limits.max_bytes));
        let error = match answer.await {
            Ok(Ok(reply)) => return Ok(reply),
            Ok(Err(error)) => error,
            Err(_) => HttpError::new(HttpFault::Timeout),
        };
        Err(match (error.fault(), self.0.by_proxy) {
            (HttpFault::Timeout | HttpFault::Transport, Some(proxy)) if away => error.hint(proxy),
            _ => error,
        })
    }
}

/// What no proxy sees, beside what `NO_PROXY` lists: loopback and metadata addresses.
fn near(metadata: &[IpAddr]) -> String {
    let listed = std::env::var("NO_PROXY").or_else(|_| std::env::var("no_proxy")).unwrap_or_default();
    let near = format!("{listed},localhost,localhost.,127.0.0.0/8,::1");
    metadata.iter().fold(near, |near, ip| format!("{near},{ip}"))
}

/// Headers and body, to the last byte.
async fn whole(client: &Client, request: reqwest::Request, mut room: usize) -> Result<Reply, HttpError> {
    let too_large = || HttpError::new(HttpFault::TooLarge);
    let mut response = client.execute(request).await.map_err(|error| fault::of(&error))?;
    if response.content_length().is_some_and(|length| !usize::try_from(length).is_ok_and(|l| l <= room)) {
        return Err(too_large());
    }
    let mut body = Body::default();
    while let Some(chunk) = response.chunk().await.map_err(|error| fault::of(&error))? {
        room = room.checked_sub(chunk.len()).ok_or_else(too_large)?;
        body.push(&chunk);
    }
    Ok(Reply::new(response.status(), std::mem::take(response.headers_mut()), body.finish()))
}

#[async_trait]
impl Http for Transport {
    async fn send(&self, request: Request, limits: Limits) -> Result<Reply, HttpError> {
        let sent = http::Request::builder().method(request.method()).uri(request.url());
        let mut sent = sent
            .body(request.payload().clone())
            .map_err(|_| HttpError::new(HttpFault::Misconfigured).hint("the address is too long"))?;
        *sent.headers_mut() = request.headers();
        self.exchange(sent, limits).await
    }
}

impl fmt::Debug for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transport").finish_non_exhaustive()
    }
}
