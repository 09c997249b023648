//! Connection strings: URLs, JDBC's URLs, and the `key=value;` of ADO.NET and ODBC.
//!
//! URLs are RFC 3986 and parsed by `fluent-uri`, which borrows: no part is copied but into what is wiped. Reasons are
//! static; what is not understood is the driver's own option, and kept (URLs) or left out (`key=value;`).

use super::draft;
use super::engine::{Engine, SslMode};
use crate::models::leaf::is_name;
use crate::models::text::{decoded, joined};
use crate::{ExposeSecret, SecretString};
use fluent_uri::UriRef;
use std::time::Duration;
use zeroize::Zeroizing;

/// All that a document may say about a database.
#[derive(Default)]
pub(super) struct Parts {
    pub(super) engine: Option<Engine>,
    pub(super) username: Option<SecretString>,
    pub(super) password: Option<SecretString>,
    pub(super) host: Option<String>,
    pub(super) port: Option<u16>,
    pub(super) database: Option<String>,
    pub(super) ssl_mode: Option<SslMode>,
    pub(super) connect_timeout: Option<Duration>,
    /// Other parameters of a URL, as they stood there.
    pub(super) options: Option<SecretString>,
    /// What engine it seems to be, where nothing says so.
    pub(super) likely: Option<Engine>,
}

type Parsed<T> = Result<T, &'static str>;

const SHAPE: &str = "a connection string reads `postgres://user:password@host:5432/database`, or `Server=…;Database=…;User \
                     Id=…;Password=…`";
const NO_URI: &str =
    "no valid URL: percent-encode the user name and the password (`@` is `%40`, `/` is `%2F`, `#` is `%23`)";
const NO_HOST: &str = "its host is no host name or address";
const NO_PORT: &str = "its port is none from 1 to 65535";
const NO_ENGINE: &str =
    "its scheme names no engine such as postgres, mysql, mariadb, sqlserver, oracle or mongodb";
const NO_TEXT: &str = "its percent-encoded bytes are no UTF-8";
const NO_SSL: &str = "its TLS mode is none of disable, allow, prefer, require, verify-ca, verify-full";
const NO_TIMEOUT: &str = "its connection timeout is none from 1 to 3600 seconds";
const NO_NAME: &str = "a name or password in it is empty, or holds a control character";
const TWICE: &str = "it says one thing twice";

pub(super) fn parse(text: &str) -> Parsed<Parts> {
    let text = text.trim();
    let text = text.strip_prefix("jdbc:").unwrap_or(text);
    if let Some(thin) = text.strip_prefix("oracle:thin:@") {
        let mut parts = url(thin)
            .map_err(|_| "of Oracle's JDBC URLs, `jdbc:oracle:thin:@//host:port/service` is known")?;
        parts.engine = Some(Engine::Oracle);
        return Ok(parts);
    }
    let is_scheme = |c: char| c.is_ascii_alphanumeric() || "+-.".contains(c);
    match text.split_once("://") {
        Some((scheme, _)) if scheme.chars().all(is_scheme) => match text.split_once(';') {
            // JDBC's SQL Server: `sqlserver://host:1433;databaseName=db;user=…`
            Some((head, tail)) if scheme.eq_ignore_ascii_case("sqlserver") => {
                let mut parts = url(head)?;
                pairs(tail, &mut parts)?;
                Ok(parts)
            }
            _ => url(text),
        },
        _ if text.contains('=') => {
            let mut parts = Parts::default();
            pairs(text, &mut parts)?;
            Ok(parts)
        }
        _ => Err(SHAPE),
    }
}

/// Puts what is said once; the same key again is a fault.
fn put<T>(into: &mut Option<T>, value: T) -> Parsed<()> {
    if into.is_some() {
        return Err(TWICE);
    }
    *into = Some(value);
    Ok(())
}

fn url(text: &str) -> Parsed<Parts> {
    let mut parts = Parts::default();
    let url = UriRef::parse(text).map_err(|_| NO_URI)?;
    if url.fragment().is_some() {
        return Err(NO_URI);
    }
    if let Some(scheme) = url.scheme() {
        parts.engine = Some(Engine::read(scheme.as_str()).ok_or(NO_ENGINE)?);
    }
    let authority = url.authority().ok_or(SHAPE)?;
    if let Some(userinfo) = authority.userinfo().filter(|userinfo| !userinfo.is_empty()) {
        let (username, password) = match userinfo.split_once(':') {
            Some((username, password)) => (username.as_str(), Some(password.as_str())),
            None => (userinfo.as_str(), None),
        };
        parts.username = Some(username_of(username)?);
        parts.password = password.map(password_of).transpose()?;
    }
    let host = decoded(authority.host()).ok_or(NO_TEXT)?;
    parts.host = Some(draft::host(host.expose_secret()).ok_or(NO_HOST)?);
    parts.port = match authority.port().filter(|port| !port.is_empty()) {
        Some(port) => Some(port_of(port.as_str())?),
        None => None,
    };
    let path = url.path().as_str();
    // the rest of a password with `/` in it, whose first half would now be taken for a host, and printed
    if path.contains('@') {
        return Err(NO_URI);
    }
    let name = path.strip_prefix('/').unwrap_or(path);
    if !name.is_empty() {
        parts.database = Some(database_of(&decoded(name).ok_or(NO_TEXT)?)?);
    }
    if let Some(query) = url.query() {
        parameters(query.as_str(), &mut parts)?;
    }
    Ok(parts)
}

/// The parameters that drivers share; the others are kept as they stand.
fn parameters(query: &str, parts: &mut Parts) -> Parsed<()> {
    let known = |pair: &str| {
        Some(match squeezed(pair.split_once('=').map_or(pair, |(key, _)| key)).as_str() {
            "user" | "username" => Parameter::Username,
            "password" => Parameter::Password,
            "sslmode" | "ssl" | "tls" | "encrypt" => Parameter::Ssl,
            "connecttimeout" => Parameter::Timeout,
            _ => return None,
        })
    };
    for pair in query.split('&') {
        let value = pair.split_once('=').map_or("", |(_, value)| value);
        match known(pair) {
            Some(Parameter::Username) => put(&mut parts.username, username_of(value)?)?,
            Some(Parameter::Password) => put(&mut parts.password, password_of(value)?)?,
            // JDBC has `ssl=true&sslmode=verify-full`: the stricter holds
            Some(Parameter::Ssl) => {
                parts.ssl_mode = parts.ssl_mode.max(Some(SslMode::read(value).ok_or(NO_SSL)?));
            }
            Some(Parameter::Timeout) => put(&mut parts.connect_timeout, timeout_of(value)?)?,
            // the rest of a password with `?` in it
            None if pair.contains('@') && !pair.contains('=') => return Err(NO_URI),
            None => {}
        }
    }
    let others = query.split('&').filter(|pair| !pair.is_empty() && known(pair).is_none());
    if others.clone().next().is_some() {
        let mut first = true;
        let between = others.flat_map(|pair| ["&", pair]).filter(move |_| !std::mem::take(&mut first));
        parts.options = Some(joined(between));
    }
    Ok(())
}

enum Parameter {
    Username,
    Password,
    Ssl,
    Timeout,
}

/// `key=value;`, where a value with `;` in it stands in quotes or braces, which are doubled inside.
fn pairs(text: &str, parts: &mut Parts) -> Parsed<()> {
    let mut rest = text;
    loop {
        rest = rest.trim_start_matches(|c: char| c.is_whitespace() || c == ';');
        if rest.is_empty() {
            return Ok(());
        }
        let (key, after) = rest.split_once('=').ok_or(SHAPE)?;
        if key.contains(';') {
            return Err("a value with `;` in it has to stand in quotes");
        }
        let (value, after) = value(after.trim_start())?;
        rest = after;
        pair(&squeezed(key), &value, parts)?;
    }
}

/// A key without what its spellings differ in. Wiped: what is no connection string may be a secret up to here.
fn squeezed(key: &str) -> Zeroizing<String> {
    let mut squeezed = Zeroizing::new(String::with_capacity(key.len()));
    squeezed.extend(key.chars().filter(|c| !" _-".contains(*c)).map(|c| c.to_ascii_lowercase()));
    squeezed
}

fn pair(key: &str, value: &SecretString, parts: &mut Parts) -> Parsed<()> {
    let text = value.expose_secret();
    match key {
        "server" | "datasource" | "host" | "address" | "addr" | "networkaddress" | "hostname"
        | "servername" => {
            if key != "host" {
                parts.likely.get_or_insert(Engine::SqlServer);
            }
            let host = text.trim().strip_prefix("tcp:").unwrap_or(text.trim());
            let (host, port) = match host.split_once(',') {
                Some((host, port)) => (host.trim(), Some(port)),
                None => (host, None),
            };
            if let Some(port) = port {
                put(&mut parts.port, port_of(port)?)?;
            }
            put(&mut parts.host, draft::host(host).ok_or(NO_HOST)?)
        }
        "port" | "portnumber" => put(&mut parts.port, port_of(text)?),
        "database" | "initialcatalog" | "databasename" | "dbname" => {
            put(&mut parts.database, database_of(value)?)
        }
        "userid" | "uid" | "user" | "username" => put(&mut parts.username, name(value.clone())?),
        "password" | "pwd" => put(&mut parts.password, secret(value.clone())?),
        "encrypt" | "sslmode" | "ssl" => put(&mut parts.ssl_mode, SslMode::read(text.trim()).ok_or(NO_SSL)?),
        "connectiontimeout" | "connecttimeout" | "timeout" => {
            put(&mut parts.connect_timeout, timeout_of(text)?)
        }
        "driver" => put(&mut parts.engine, Engine::read(text).ok_or(NO_ENGINE)?),
        _ => Ok(()),
    }
}

/// A value and what follows it.
fn value(text: &str) -> Parsed<(SecretString, &str)> {
    let (open, close, doubled) = match text.chars().next() {
        Some('"') => ('"', '"', "\"\""),
        Some('\'') => ('\'', '\'', "''"),
        Some('{') => ('{', '}', "}}"),
        _ => {
            let (value, rest) = text.split_once(';').unwrap_or((text, ""));
            return Ok((SecretString::from(value.trim_end()), rest));
        }
    };
    let inside = &text[open.len_utf8()..];
    let mut end = None;
    let mut chars = inside.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        if c == close && chars.next_if(|(_, next)| *next == close).is_none() {
            end = Some(at);
            break;
        }
    }
    let unclosed = "a quote or brace in it is not closed";
    let end = end.ok_or(unclosed)?;
    let rest = inside[end + close.len_utf8()..].trim_start();
    if !(rest.is_empty() || rest.starts_with(';')) {
        return Err(unclosed);
    }
    let mut first = true;
    let pieces = inside[..end].split(doubled).flat_map(|piece| [&doubled[..1], piece]);
    Ok((joined(pieces.filter(move |_| !std::mem::take(&mut first))), rest))
}

fn username_of(encoded: &str) -> Parsed<SecretString> {
    name(decoded(encoded).ok_or(NO_TEXT)?)
}

fn password_of(encoded: &str) -> Parsed<SecretString> {
    secret(decoded(encoded).ok_or(NO_TEXT)?)
}

fn name(text: SecretString) -> Parsed<SecretString> {
    if is_name(text.expose_secret()) { Ok(text) } else { Err(NO_NAME) }
}

fn secret(text: SecretString) -> Parsed<SecretString> {
    if draft::is_password(text.expose_secret()) { Ok(text) } else { Err(NO_NAME) }
}

fn database_of(text: &SecretString) -> Parsed<String> {
    let text = text.expose_secret();
    if is_name(text) { Ok(text.to_owned()) } else { Err(NO_NAME) }
}

fn port_of(text: &str) -> Parsed<u16> {
    text.trim().parse().ok().filter(|port| *port != 0).ok_or(NO_PORT)
}

fn timeout_of(text: &str) -> Parsed<Duration> {
    let seconds = text.trim().parse().map_err(|_| NO_TIMEOUT)?;
    draft::connect_timeout(Duration::from_secs(seconds)).ok_or(NO_TIMEOUT)
}
