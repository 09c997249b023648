//! One client, hardened.

use crate::body::{Body, TooLarge};
use crate::names::Names;
use crate::settings::{Proxy, Settings};
use crate::way::{self, Way};
use crate::{fault, tls};
use async_trait::async_trait;
use bytes::Bytes;
use reqwest::{Client, NoProxy};
use secretfig_source::protocol::{Http, HttpError, HttpFault, Limits, Refused, Reply, Request};
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

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
///
/// ```no_run
/// use secretfig_source::protocol::{Http, Limits, Origin, Request};
/// use secretfig_transport::{Settings, Transport};
///
/// # async fn ask() -> Result<(), Box<dyn std::error::Error>> {
/// let transport = Transport::new(Settings::default().extra_ca_pem(&std::fs::read("ca.pem")?)?)?;
/// let vault = Origin::parse("https://vault.example:8200")?;
/// match transport.send(Request::get(&vault, ["v1", "sys", "health"])?, Limits::default()).await {
///     Ok(reply) => println!("{}", reply.status()),
///     Err(error) => println!("{}", error.of_source("vault")), // vault: TLS refused: the server's certificate …
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Transport(Arc<Inner>);

struct Inner {
    direct: Client,
    /// Where the environment's proxy counts and is set.
    proxied: Option<Client>,
    /// What to say of an outage where it is set and does not count.
    ignored: Option<&'static str>,
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
        let tls = tls::config(settings.extra_ca, settings.pins, settings.identity)?;
        let names = Arc::new(Names(settings.places));
        let client = |proxy: Option<reqwest::Proxy>| {
            // all that the features of others could switch on is said here, since features are united: proxies
            // of the system, decompression, which would outgrow the cap unseen, retries, cookies
            let builder = Client::builder()
                .tls_backend_preconfigured(tls.clone())
                .dns_resolver(names.clone())
                .user_agent(concat!("secretfig/", env!("CARGO_PKG_VERSION")))
                .redirect(reqwest::redirect::Policy::none())
                .retry(reqwest::retry::never())
                .referer(false)
                .no_gzip()
                .no_brotli()
                .no_zstd()
                .no_deflate()
                .http1_only()
                .connect_timeout(settings.connect_timeout)
                .pool_idle_timeout(IDLE)
                .pool_max_idle_per_host(IDLE_CONNECTIONS)
                .no_proxy();
            let builder = match proxy {
                Some(proxy) => builder.proxy(proxy),
                None => builder,
            };
            builder.build().map_err(|_| Refused::new("no HTTP client can be built here"))
        };
        let set = PROXIES.iter().find_map(|(name, ignored)| {
            let value = std::env::var_os(name).filter(|value| !value.is_empty())?;
            Some((value, *ignored))
        });
        let (proxied, ignored) = match (settings.proxy, set) {
            (_, None) => (None, None),
            (Proxy::Ignored, Some((_, ignored))) => (None, Some(ignored)),
            (Proxy::Env, Some((value, _))) => {
                let proxy = value.to_str().and_then(|value| reqwest::Proxy::https(value).ok());
                let proxy =
                    proxy.ok_or(Refused::new("HTTPS_PROXY (or ALL_PROXY) is no address of a proxy"))?;
                (Some(client(Some(proxy.no_proxy(NoProxy::from_env())))?), None)
            }
        };
        let (metadata, danger_plain_http) = (settings.metadata, settings.danger_plain_http);
        Ok(Self(Arc::new(Inner { direct: client(None)?, proxied, ignored, metadata, danger_plain_http })))
    }

    /// Sends what an SDK has built, and gives the whole reply, of whatever status: for adapters. The URL is the
    /// SDK's, and keeps the same rules; credentials in its headers are the SDK's too, and so is to whom they go.
    ///
    /// # Errors
    /// [`HttpError`] where no whole reply came; [`HttpFault::Misconfigured`] where nothing was sent.
    pub async fn exchange(&self, request: http::Request<Bytes>, limits: Limits) -> Result<Reply, HttpError> {
        let (url, way) = way::of(request.uri(), &self.0.metadata, self.0.danger_plain_http)?;
        let client = match (way, &self.0.proxied) {
            (Way::Out, Some(proxied)) => proxied,
            _ => &self.0.direct,
        };
        let (parts, body) = request.into_parts();
        let mut request = reqwest::Request::new(parts.method, url);
        *request.headers_mut() = parts.headers;
        if !body.is_empty() {
            *request.body_mut() = Some(body.into());
        }
        let answer = tokio::time::timeout(limits.deadline, whole(client, request, limits.max_bytes)).await;
        let error = match answer {
            Ok(Ok(reply)) => return Ok(reply),
            Ok(Err(error)) => error,
            Err(_) => HttpError::new(HttpFault::Timeout),
        };
        let unanswered = matches!(error.fault(), HttpFault::Timeout | HttpFault::Transport);
        let by_proxy = self.0.proxied.as_ref().map(|_| BY_PROXY);
        Err(match self.0.ignored.or(by_proxy) {
            Some(proxy) if unanswered && way == Way::Out => error.hint(proxy),
            _ => error,
        })
    }
}

/// Headers and body, to the last byte.
async fn whole(client: &Client, request: reqwest::Request, at_most: usize) -> Result<Reply, HttpError> {
    let too_large = |TooLarge| HttpError::new(HttpFault::TooLarge);
    let mut response = client.execute(request).await.map_err(|error| fault::of(&error))?;
    let mut body = Body::new(response.content_length(), at_most).map_err(too_large)?;
    while let Some(chunk) = response.chunk().await.map_err(|error| fault::of(&error))? {
        body.push(&chunk).map_err(too_large)?;
    }
    Ok(Reply::new(response.status(), std::mem::take(response.headers_mut()), body.finish()))
}

#[async_trait]
impl Http for Transport {
    async fn send(&self, request: Request, limits: Limits) -> Result<Reply, HttpError> {
        let mut sent = http::Request::new(request.payload().clone());
        *sent.method_mut() = request.method().clone();
        *sent.headers_mut() = request.headers().clone();
        *sent.uri_mut() = request
            .url()
            .parse()
            .map_err(|_| HttpError::new(HttpFault::Misconfigured).hint("the address is too long"))?;
        self.exchange(sent, limits).await
    }
}

impl fmt::Debug for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transport").field("proxied", &self.0.proxied.is_some()).finish_non_exhaustive()
    }
}
