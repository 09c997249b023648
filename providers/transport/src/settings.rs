//! What can be set, per source.

use crate::tls::{self, Pin};
use crate::way::is_localhost;
use rustls::pki_types::CertificateDer;
use rustls::sign::CertifiedKey;
use secretfig_source::protocol::{Origin, Refused};
use std::collections::BTreeMap;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

/// All options; the table of them is on the [front page](crate). One source, one `Settings`: an authority,
/// a pin or an identity of one manager is none of another's business.
///
/// ```
/// use secretfig_transport::{Settings, Transport};
/// use std::time::Duration;
///
/// let settings = Settings::default()
///     .connect_timeout(Duration::from_millis(500))
///     .pin_sha256("47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=")?;
/// let transport = Transport::new(settings)?;
/// # Ok::<(), secretfig_source::protocol::Refused>(())
/// ```
///
/// `Debug` shows no authority, pin, identity or place.
#[derive(Clone, Default)]
pub struct Settings {
    pub(crate) connect_timeout: Option<Duration>,
    pub(crate) extra_ca: Vec<CertificateDer<'static>>,
    pub(crate) pins: Vec<Pin>,
    pub(crate) identity: Option<Arc<CertifiedKey>>,
    pub(crate) metadata: Vec<IpAddr>,
    pub(crate) proxy: Proxy,
    pub(crate) places: BTreeMap<String, Vec<SocketAddr>>,
    pub(crate) danger_plain_http: bool,
}

/// Whether the proxy variables of the environment count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Proxy {
    /// They do not. Where one is set and a request gets no answer, the error names it.
    #[default]
    Ignored,
    /// `HTTPS_PROXY`, else `ALL_PROXY` (or in lower case), for `https` to whatever `NO_PROXY` does not list.
    /// Never for loopback, for metadata addresses or for plain `http`.
    Env,
}

impl Settings {
    /// How long a connection may take to be made, TLS included. Default 2 s. Within the deadline of a request.
    #[must_use]
    pub fn connect_timeout(mut self, limit: Duration) -> Self {
        self.connect_timeout = Some(limit);
        self
    }

    /// With these authorities beside the platform's own: one certificate or several, in PEM.
    ///
    /// # Errors
    /// [`Refused`] where there is none in it, or one that cannot be read, saying what it is instead.
    pub fn extra_ca_pem(mut self, pem: &[u8]) -> Result<Self, Refused> {
        self.extra_ca.extend(tls::authorities(pem)?);
        Ok(self)
    }

    /// Accepts only servers whose own certificate has this key: base64 of the SHA-256 of its public key
    /// (SPKI), as `curl --pinnedpubkey` and HPKP write it, with `sha256/` or `sha256//` before it or without.
    /// Several: any of them, so that a key can be changed. In addition to all other checks, never in place of
    /// them.
    ///
    /// # Errors
    /// [`Refused`] where it is no such digest.
    pub fn pin_sha256(mut self, pin: &str) -> Result<Self, Refused> {
        self.pins.push(tls::pin(pin)?);
        Ok(self)
    }

    /// Shows servers that ask for one this certificate: the chain, its own first, and the key (PKCS#8, PKCS#1
    /// or SEC1), both in PEM.
    ///
    /// # Errors
    /// [`Refused`] where either cannot be read, the key is of a kind that ring does not sign with, or it is
    /// not the certificate's.
    pub fn client_identity_pem(mut self, chain: &[u8], key: &[u8]) -> Result<Self, Refused> {
        self.identity = Some(Arc::new(tls::identity(chain, key)?));
        Ok(self)
    }

    /// Allows plain `http` to this metadata address, for a source that signs in by it. Only those of
    /// [`Origin::METADATA`]; [`Transport::new`](crate::Transport::new) refuses others.
    #[must_use]
    pub fn metadata(mut self, address: IpAddr) -> Self {
        self.metadata.push(address);
        self
    }

    /// Whether the environment's proxy counts. Default: it does not.
    #[must_use]
    pub fn proxy(mut self, proxy: Proxy) -> Self {
        self.proxy = proxy;
        self
    }

    /// Takes this host to be at that address, and asks no DNS for it. Port 0: the URL's own. What TLS checks
    /// stays the name. `localhost` cannot be placed outside of loopback.
    #[must_use]
    pub fn resolve(mut self, host: &str, address: SocketAddr) -> Self {
        self.places.entry(host.to_ascii_lowercase()).or_default().push(address);
        self
    }

    /// Allows plain `http` to any host. Whoever is on the way then reads tokens and secrets, and may change
    /// them.
    #[must_use]
    pub fn danger_plain_http(mut self) -> Self {
        self.danger_plain_http = true;
        self
    }

    /// What could not be checked when it was set.
    pub(crate) fn check(&self) -> Result<(), Refused> {
        if self.metadata.iter().any(|ip| !Origin::METADATA.contains(ip)) {
            return Err(Refused::new("no metadata service is known at a listed address"));
        }
        let mut strays = self.places.iter().filter(|(host, _)| is_localhost(host)).flat_map(|(_, to)| to);
        if strays.any(|to| !to.ip().is_loopback()) {
            return Err(Refused::new("`localhost` cannot be placed outside of loopback"));
        }
        Ok(())
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("connect_timeout", &self.connect_timeout)
            .field("proxy", &self.proxy)
            .field("danger_plain_http", &self.danger_plain_http)
            .finish_non_exhaustive()
    }
}
