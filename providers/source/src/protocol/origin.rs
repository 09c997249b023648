//! Where a request may go, and what may go with it.

use crate::{ErrorKind, SourceError};
use bytes::Bytes;
use http::{HeaderValue, Uri};
use std::borrow::Cow;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;
use zeroize::Zeroizing;

/// Scheme, host and port of a server: the bound of every credential. `https`, or `http` to loopback;
/// plain `http` to anything else only by [`Origin::metadata`] and [`Origin::danger_plain_http`].
///
/// ```
/// use secretfig_source::protocol::Origin;
/// let vault = Origin::parse("https://Vault.example:443/").unwrap();
/// assert_eq!(vault.as_str(), "https://vault.example");
/// assert!(Origin::parse("http://127.0.0.1:8200").is_ok());
/// assert!(Origin::parse("http://vault.example").is_err());
/// assert!(Origin::parse("https://user:password@vault.example").is_err());
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Origin(Arc<str>);

const PLAIN: &str = "plain `http` is for loopback only; use `https`";
const NO_HOST: &str = "no host: a name or an IP address is meant";
const NO_SCHEME: &str = "only `https`, and `http` to loopback";

impl Origin {
    /// Reads an address that a person has set.
    ///
    /// # Errors
    /// [`Refused`] for plain `http` to anything but loopback (`localhost`, 127.0.0.0/8, `[::1]`), for
    /// another scheme, a user, a path, a query, or a host or port that is none.
    pub fn parse(address: &str) -> Result<Self, Refused> {
        Self::of(address, |_| false, PLAIN)
    }

    /// Reads the address of a metadata service, at which a cloud signs its machines and containers in:
    /// `http` to one of [`Origin::METADATA`], to no other.
    ///
    /// ```
    /// use secretfig_source::protocol::Origin;
    /// assert!(Origin::metadata("http://169.254.169.254").is_ok());
    /// assert!(Origin::metadata("http://[fd00:ec2::23]").is_ok());
    /// assert!(Origin::metadata("http://169.254.1.1").is_err());
    /// assert!(Origin::metadata("http://127.0.0.1").is_err());
    /// ```
    ///
    /// # Errors
    /// [`Refused`] for anything else; by intent for loopback too, which [`Origin::parse`] reads.
    pub fn metadata(address: &str) -> Result<Self, Refused> {
        const ONLY: &str = "no metadata service is known at this address";
        let origin = Self::of(address, |ip| Self::METADATA.contains(&ip), ONLY)?;
        if origin.ip().is_some_and(|ip| Self::METADATA.contains(&ip)) && origin.0.starts_with("http:") {
            Ok(origin)
        } else {
            Err(Refused(ONLY))
        }
    }

    /// The addresses of the clouds' metadata services: AWS and Azure machines, ECS, EKS Pod Identity,
    /// and the same over IPv6. The only ones; no pattern, no range.
    pub const METADATA: [IpAddr; 5] = [
        IpAddr::V4(Ipv4Addr::new(169, 254, 169, 254)),
        IpAddr::V4(Ipv4Addr::new(169, 254, 170, 2)),
        IpAddr::V4(Ipv4Addr::new(169, 254, 170, 23)),
        IpAddr::V6(Ipv6Addr::new(0xfd00, 0x0ec2, 0, 0, 0, 0, 0, 0x0254)),
        IpAddr::V6(Ipv6Addr::new(0xfd00, 0x0ec2, 0, 0, 0, 0, 0, 0x0023)),
    ];

    /// Reads an address, and allows plain `http` to any host: whoever is on the way reads tokens and
    /// secrets, and may change them. For a network that is nobody else's, such as a pod's own.
    ///
    /// # Errors
    /// [`Refused`] as [`Origin::parse`], but for plain `http`.
    pub fn danger_plain_http(address: &str) -> Result<Self, Refused> {
        Self::of(address, |_| true, "")
    }

    /// `plain` says to which IP plain `http` may go beside loopback, asked with `0.0.0.0` for a name.
    fn of(address: &str, plain: impl Fn(IpAddr) -> bool, otherwise: &'static str) -> Result<Self, Refused> {
        let none = Refused("no address: `https://host` or `https://host:port` is meant");
        // checked by hand: the parser below drops a fragment without a word
        if address.contains('#') {
            return Err(Refused("an address takes no fragment"));
        }
        let uri: Uri = address.parse().map_err(|_| none)?;
        let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else { return Err(none) };
        if authority.as_str().contains('@') {
            return Err(Refused("an address takes no user and no password"));
        }
        if uri.path() != "/" && !uri.path().is_empty() || uri.query().is_some() {
            return Err(Refused("an address takes no path and no query"));
        }
        let host = authority.host().to_ascii_lowercase();
        // a port that cannot be read is reported as none at all, so it is read here
        let port = match authority.as_str().get(host.len()..).unwrap_or_default() {
            "" => None,
            rest => {
                let digits = rest.strip_prefix(':').filter(|port| port.bytes().all(|b| b.is_ascii_digit()));
                let port = digits.and_then(|port| port.parse::<u16>().ok()).filter(|port| *port != 0);
                Some(port.ok_or(Refused("no port: 1 to 65535 is meant"))?)
            }
        };
        let label =
            |l: &str| !l.is_empty() && l.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
        let named = host.strip_suffix('.').unwrap_or(&host).split('.').all(label);
        let v6 = host.strip_prefix('[').and_then(|h| h.strip_suffix(']')?.parse::<Ipv6Addr>().ok());
        if !named && v6.is_none() {
            return Err(Refused(NO_HOST));
        }
        let ip = host.parse().ok().map(IpAddr::V4).or(v6.map(IpAddr::V6));
        let loopback = host == "localhost" || ip.is_some_and(|ip| ip.is_loopback());
        let standard = match scheme {
            "https" => 443,
            "http" if loopback || plain(ip.unwrap_or(Ipv4Addr::UNSPECIFIED.into())) => 80,
            "http" => return Err(Refused(otherwise)),
            _ => return Err(Refused(NO_SCHEME)),
        };
        Ok(Self(match port.filter(|port| *port != standard) {
            Some(port) => format!("{scheme}://{host}:{port}").into(),
            None => format!("{scheme}://{host}").into(),
        }))
    }

    /// Of an address that a URL parser of the platform has taken apart, as WHATWG's does: a host in lower case, an IPv6 in
    /// brackets, an IPv4 as four numbers.
    ///
    /// ```
    /// use secretfig_source::protocol::Origin;
    /// assert_eq!(Origin::of_parts("https", "vault.example", Some(8200)).unwrap().as_str(), "https://vault.example:8200");
    /// assert!(Origin::of_parts("http", "127.0.0.1", None).is_ok());
    /// assert!(Origin::of_parts("http", "127.evil.example", None).is_err());
    /// ```
    ///
    /// # Errors
    /// As [`Origin::parse`].
    pub fn of_parts(scheme: &str, host: &str, port: Option<u16>) -> Result<Self, Refused> {
        let part = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b':' | b'[' | b']');
        if host.is_empty() || !host.bytes().all(part) {
            return Err(Refused(NO_HOST));
        }
        let v4 = host.bytes().all(|b| b.is_ascii_digit() || b == b'.');
        match scheme {
            "https" => {}
            "http" if v4 && host.starts_with("127.") || matches!(host, "localhost" | "[::1]") => {}
            "http" => return Err(Refused(PLAIN)),
            _ => return Err(Refused(NO_SCHEME)),
        }
        let mut text = [scheme, "://", host].concat();
        if let Some(port) = port {
            text.push(':');
            text.push_str(&u64::from(port).to_string());
        }
        Ok(Self(text.into()))
    }

    fn ip(&self) -> Option<IpAddr> {
        let host = self.0.split_once("://")?.1;
        let v6 = host.strip_prefix('[').and_then(|rest| rest.split(']').next());
        v6.or_else(|| host.split(':').next())?.parse().ok()
    }

    /// As text: lower case, without the scheme's own port, without a slash at the end.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Origin({self})")
    }
}

/// A header that signs requests in at one origin, and at no other: a token. Never printed, and
/// wiped when the last request that carries it is dropped.
///
/// ```
/// use secretfig_source::protocol::{Credential, Origin, Request};
/// let here = Origin::parse("https://vault.example").unwrap();
/// let there = Origin::parse("https://evil.example").unwrap();
/// let token = Credential::bearer(&here, "s.abc").unwrap();
/// assert!(Request::get(&here, ["v1", "sys"]).unwrap().credential(&token).is_ok());
/// assert!(Request::get(&there, ["v1", "sys"]).unwrap().credential(&token).is_err());
/// ```
#[derive(Clone)]
pub struct Credential {
    origin: Origin,
    header: &'static str,
    value: HeaderValue,
}

impl Credential {
    /// `Authorization: Bearer …`.
    ///
    /// # Errors
    /// [`Refused`] where the token holds what no header may: a line break, a control character.
    pub fn bearer(origin: &Origin, token: &str) -> Result<Self, Refused> {
        Self::of(origin, "authorization", &["Bearer ", token])
    }

    /// A header of its own, such as `x-vault-token`, its name in lower case.
    ///
    /// # Errors
    /// As [`Credential::bearer`].
    pub fn header(origin: &Origin, header: &'static str, token: &str) -> Result<Self, Refused> {
        Self::of(origin, header, &[token])
    }

    fn of(origin: &Origin, header: &'static str, parts: &[&str]) -> Result<Self, Refused> {
        let mut bytes = Zeroizing::new(Vec::with_capacity(parts.iter().map(|part| part.len()).sum()));
        parts.iter().for_each(|part| bytes.extend_from_slice(part.as_bytes()));
        // `Bytes` frees without wiping; an owner of its own wipes when the last clone is dropped
        let mut value = HeaderValue::from_maybe_shared(Bytes::from_owner(bytes))
            .map_err(|_| Refused("a token with characters that no header may hold"))?;
        value.set_sensitive(true);
        Ok(Self { origin: origin.clone(), header, value })
    }

    /// The only origin it is for.
    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    /// The header, for that origin only.
    pub(super) fn open(&self, origin: &Origin) -> Result<(&'static str, HeaderValue), Refused> {
        if *origin == self.origin {
            Ok((self.header, self.value.clone()))
        } else {
            Err(Refused("a credential of another origin"))
        }
    }
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Credential({} for {})", self.header, self.origin)
    }
}

/// Why a request, an origin or a credential was not even built. Static words: nothing of the input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refused(pub(super) &'static str);

impl Refused {
    /// For that reason, which also says what to do. For clients and protocols of others.
    pub fn new(reason: &'static str) -> Self {
        Self(reason)
    }

    /// The reason.
    pub fn reason(self) -> &'static str {
        self.0
    }

    /// As the error of the source of that scheme: [`ErrorKind::Misconfigured`], with the reason as
    /// the hint.
    pub fn of_source(self, scheme: impl Into<Cow<'static, str>>) -> SourceError {
        SourceError::new(ErrorKind::Misconfigured, scheme).hint(self.0)
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for Refused {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_and_a_body_stay_in_the_one_block_that_is_wiped() {
        // were a header to copy, the copy would be freed unwiped
        let bytes = Zeroizing::new(b"s.token".to_vec());
        let block = bytes.as_ptr();
        let value = HeaderValue::from_maybe_shared(Bytes::from_owner(bytes)).unwrap();
        assert_eq!(value.as_bytes().as_ptr(), block);

        let bytes = Zeroizing::new(b"body".to_vec());
        let block = bytes.as_ptr();
        let reply = super::super::Reply::new(http::StatusCode::OK, http::HeaderMap::new(), bytes);
        assert_eq!(reply.body().slice(1..).as_ptr(), block.wrapping_add(1));
    }

    #[test]
    fn only_what_is_an_origin_is_one() {
        for (address, origin) in [
            ("https://vault.example", "https://vault.example"),
            ("HTTPS://VAULT.example:8200/", "https://vault.example:8200"),
            ("http://localhost:80", "http://localhost"),
            ("http://127.9.9.9:8200", "http://127.9.9.9:8200"),
            ("http://[::1]:8200/", "http://[::1]:8200"),
            ("https://[fd00:ec2::254]", "https://[fd00:ec2::254]"),
        ] {
            assert_eq!(Origin::parse(address).map(|o| o.to_string()), Ok(origin.to_owned()), "{address}");
        }
        for address in [
            "",
            "vault.example",
            "//vault.example",
            "/v1",
            "ftp://vault.example",
            "file:///etc",
            "https://",
            "https://:443",
            "http://vault.example",
            "http://localhost.evil.example",
            "http://127.0.0.1.evil.example",
            "http://169.254.169.254",
            "http://0.0.0.0",
            "http://2130706433",
            "https://user@vault.example",
            "https://user:password@vault.example",
            "http://localhost@evil.example",
            "https://vault.example/v1",
            "https://vault.example?x",
            "https://vault.example#x",
            "https://vault.example:",
            "https://vault.example:99999",
            "https://vault.example:8x",
            "https://vault.example:+8",
            "https://vault.example:0",
            "https://..",
            "https://.example",
            "https://vault%2eexample",
            "https://vault example",
            "https://vault.example\r\nX: 1",
            "https://[::1",
            "https://[::1%25eth0]",
            "https://[x]",
            "https://väult.example",
        ] {
            assert!(Origin::parse(address).is_err(), "{address}");
        }
    }

    #[test]
    fn plain_http_leaves_the_machine_by_two_doors_only() {
        for address in [
            "http://169.254.169.254",
            "http://169.254.170.2:80/",
            "http://169.254.170.23",
            "http://[fd00:ec2::254]",
            "http://[FD00:EC2:0::23]:80",
        ] {
            assert!(Origin::metadata(address).is_ok(), "{address}");
            assert!(Origin::parse(address).is_err(), "{address}");
        }
        for address in [
            "http://169.254.169.253",
            "http://169.254.1.1",
            "http://[fd00:ec2::1]",
            "http://[fe80::1]",
            "http://[::ffff:169.254.169.254]",
            "http://2852039166",
            "http://127.0.0.1",
            "http://localhost",
            "http://metadata.google.internal",
            "http://0.0.0.0",
            "https://169.254.169.254",
            "https://vault.example",
            "http://169.254.169.254/latest",
        ] {
            assert!(Origin::metadata(address).is_err(), "{address}");
        }
        for address in
            ["http://vault.example", "http://10.0.0.7:8200", "http://0.0.0.0", "https://vault.example"]
        {
            assert!(Origin::danger_plain_http(address).is_ok(), "{address}");
        }
        for address in ["ftp://vault.example", "http://user@vault.example", "http://vault.example/v1"] {
            assert!(Origin::danger_plain_http(address).is_err(), "{address}");
        }
    }

    #[test]
    fn parts_make_no_origin_that_an_address_would_not() {
        for (scheme, host, port, text) in [
            ("https", "vault.example", None, "https://vault.example"),
            ("https", "vault.example", Some(8200), "https://vault.example:8200"),
            ("https", "[fd00::1]", Some(1), "https://[fd00::1]:1"),
            ("http", "localhost", Some(80), "http://localhost:80"),
            ("http", "127.0.0.1", None, "http://127.0.0.1"),
            ("http", "[::1]", Some(8200), "http://[::1]:8200"),
        ] {
            let origin = Origin::of_parts(scheme, host, port).unwrap();
            assert_eq!(origin.as_str(), text);
            assert!(Origin::parse(text).is_ok());
        }
        for host in [
            "", "a/b", "a@b", "a?b", "a#b", "a b", "a\\b", "a%2fb", "a\r\nb", "ä", "a\0", "http://a", "a,b",
            "a;b", "*",
        ] {
            assert!(Origin::of_parts("https", host, None).is_err(), "{host:?}");
        }
        for host in
            ["vault.example", "127.evil.example", "localhost.evil", "0.0.0.0", "10.0.0.1", "[::]", "127"]
        {
            assert!(Origin::of_parts("http", host, None).is_err(), "{host:?}");
        }
        assert!(Origin::of_parts("ftp", "127.0.0.1", None).is_err());
    }
}
