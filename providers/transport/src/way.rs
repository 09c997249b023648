//! Whether a request may go, and by which way.

use crate::names::is_localhost;
use reqwest::Url;
use secretfig_source::protocol::{HttpError, HttpFault};
use std::net::IpAddr;

/// How a request goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// To loopback, to a metadata address, or in plain `http`: by no proxy.
    Direct,
    /// Elsewhere, over TLS: by a proxy, where one is set and counts.
    Out,
}

/// Reads a URL and says how it goes, by what is allowed beside `https` and loopback.
pub(crate) fn of(uri: &http::Uri, metadata: &[IpAddr], danger: bool) -> Result<(Url, Way), HttpError> {
    let refuse = |hint| HttpError::new(HttpFault::Misconfigured).hint(hint);
    let url = Url::parse(&uri.to_string()).map_err(|_| refuse("the address is none"))?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(refuse("an address takes no user and no password"));
    }
    // the parser resolves `..` and the like, and what goes out must be what was built
    if url.path() != uri.path() || url.query() != uri.query() {
        return Err(refuse("a path with steps in it, or with characters that are not encoded"));
    }
    let host = url.host_str().unwrap_or_default();
    let ip = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>().ok();
    let near = is_localhost(host) || ip.is_some_and(|ip| ip.is_loopback());
    let listed = ip.is_some_and(|ip| metadata.contains(&ip));
    let way = if near || listed || url.scheme() == "http" { Way::Direct } else { Way::Out };
    match url.scheme() {
        "https" => Ok((url, way)),
        "http" if near || listed || danger => Ok((url, way)),
        "http" => Err(refuse("plain `http` is for loopback only; use `https`")),
        _ => Err(refuse("only `https`, and `http` to loopback")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn way(url: &str, metadata: &[&str], danger: bool) -> Option<Way> {
        let metadata: Vec<IpAddr> = metadata.iter().map(|ip| ip.parse().unwrap()).collect();
        of(&url.parse().unwrap(), &metadata, danger).ok().map(|(_, way)| way)
    }

    #[test]
    fn plain_http_goes_to_loopback_and_to_what_is_listed() {
        let imds = ["169.254.169.254", "fd00:ec2::254"];
        for (url, listed, unlisted) in [
            ("https://vault.example/v1", Some(Way::Out), Some(Way::Out)),
            ("https://127.0.0.1/v1", Some(Way::Direct), Some(Way::Direct)),
            ("https://LOCALHOST:8200/v1", Some(Way::Direct), Some(Way::Direct)),
            ("https://169.254.169.254/", Some(Way::Direct), Some(Way::Out)),
            ("http://127.8.8.8:8200/v1", Some(Way::Direct), Some(Way::Direct)),
            ("http://localhost/v1", Some(Way::Direct), Some(Way::Direct)),
            ("http://localhost./v1", Some(Way::Direct), Some(Way::Direct)),
            ("http://[::1]:8200/v1", Some(Way::Direct), Some(Way::Direct)),
            ("http://169.254.169.254/latest", Some(Way::Direct), None),
            ("http://[fd00:ec2::254]/latest", Some(Way::Direct), None),
            ("http://169.254.170.2/v2", None, None),
            ("http://[::ffff:127.0.0.1]/", None, None),
            ("http://[::ffff:169.254.169.254]/", None, None),
            ("http://0.0.0.0/", None, None),
            ("http://192.0.2.1/", None, None),
            ("http://vault.example/", None, None),
            ("http://localhost.evil.example/", None, None),
            ("http://127.0.0.1.evil.example/", None, None),
            ("http://user@127.0.0.1/", None, None),
            ("https://user:word@vault.example/", None, None),
            ("ftp://127.0.0.1/", None, None),
        ] {
            assert_eq!(way(url, &imds, false), listed, "{url}");
            assert_eq!(way(url, &[], false), unlisted, "{url}");
        }
        assert_eq!(way("http://vault.example/", &[], true), Some(Way::Direct));
        assert_eq!(way("ftp://vault.example/", &[], true), None);
    }

    #[test]
    fn what_goes_out_is_what_was_built() {
        for url in ["https://h/", "https://h/v1/a%2Fb/%25?x=%26&y=2", "https://h/v1//x", "https://h/?x"] {
            assert_eq!(way(url, &[], false), Some(Way::Out), "{url}");
        }
        for url in [
            "https://h/v1/../x",
            "https://h/v1/./x",
            "https://h/v1/%2e%2e/x",
            "https://h/v1/%2E/x",
            "https://h/v1/..",
        ] {
            assert_eq!(way(url, &[], false), None, "{url}");
        }
    }
}
