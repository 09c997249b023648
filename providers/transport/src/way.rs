//! Whether a request may go.

use reqwest::Url;
use secretfig_source::protocol::{HttpError, HttpFault};
use std::net::IpAddr;

/// Reads a URL, by what is allowed beside `https` and loopback, and says whether it leads away: over TLS, to neither
/// loopback nor a metadata address. Only that may be by a proxy.
pub(crate) fn of(uri: &http::Uri, metadata: &[IpAddr], danger: bool) -> Result<(Url, bool), HttpError> {
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
    let ip = host.trim_matches(['[', ']']).parse::<IpAddr>();
    let near = is_localhost(host) || ip.is_ok_and(|ip| ip.is_loopback() || metadata.contains(&ip));
    match url.scheme() {
        "https" => Ok((url, !near)),
        "http" if near || danger => Ok((url, false)),
        "http" => Err(refuse("plain `http` is for loopback only; use `https`")),
        _ => Err(refuse("only `https`, and `http` to loopback")),
    }
}

pub(crate) fn is_localhost(host: &str) -> bool {
    host.strip_suffix('.').unwrap_or(host) == "localhost"
}

#[cfg(test)]
mod tests {
    use super::*;

    const NEAR: Option<bool> = Some(false);
    const AWAY: Option<bool> = Some(true);

    fn way(url: &str, metadata: &[&str], danger: bool) -> Option<bool> {
        let metadata: Vec<IpAddr> = metadata.iter().map(|ip| ip.parse().unwrap()).collect();
        of(&url.parse().unwrap(), &metadata, danger).ok().map(|(_, away)| away)
    }

    #[test]
    fn plain_http_goes_to_loopback_and_to_what_is_listed() {
        let imds = ["169.254.169.254", "fd00:ec2::254"];
        for (url, listed, unlisted) in [
            ("https://vault.example/v1", AWAY, AWAY),
            ("https://127.0.0.1/v1", NEAR, NEAR),
            ("https://LOCALHOST:8200/v1", NEAR, NEAR),
            ("https://169.254.169.254/", NEAR, AWAY),
            ("http://127.8.8.8:8200/v1", NEAR, NEAR),
            ("http://localhost/v1", NEAR, NEAR),
            ("http://localhost./v1", NEAR, NEAR),
            ("http://[::1]:8200/v1", NEAR, NEAR),
            ("http://169.254.169.254/latest", NEAR, None),
            ("http://[fd00:ec2::254]/latest", NEAR, None),
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
        assert_eq!(way("http://vault.example/", &[], true), NEAR);
        assert_eq!(way("ftp://vault.example/", &[], true), None);
    }

    #[test]
    fn what_goes_out_is_what_was_built() {
        for url in ["https://h/", "https://h/v1/a%2Fb/%25?x=%26&y=2", "https://h/v1//x", "https://h/?x"] {
            assert_eq!(way(url, &[], false), AWAY, "{url}");
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
