//! From a document to [`DatabaseCredentials`]: spellings, checks, and what a connection string adds.

use super::DatabaseCredentials;
use super::connection::{self, Parts};
use super::engine::{AN_ENGINE, Engine, SslMode};
use crate::models::leaf::{A_NAME, Kind, NAME, Refusal, Scalar, is_name, time};
use crate::models::spelling::{Draft, Keys, spelled};
use crate::models::text::same;
use crate::{Invalid, SecretString};
use std::net::Ipv6Addr;
use std::time::Duration;

spelled! {
    enum Field of DatabaseDraft {
        Engine: "engine" | "Engine" | "driver" | "Driver" | "scheme" => keys.engine = optional(ENGINE),
        Host: "host" | "hostname" | "hostName" | "Host" | "server" | "Server" => keys.host = required(HOST),
        Port: "port" | "Port" => keys.port = optional(PORT),
        Username: "username" | "userName" | "user_name" | "Username" | "UserName" | "user" | "User"
            => keys.username = required(USERNAME),
        Password: "password" | "Password" => keys.password = required(PASSWORD),
        Database: "database" | "Database" | "dbname" | "dbName" | "db_name" | "databaseName" | "database_name"
            | "DatabaseName" | "db" => keys.database = optional(NAME),
        SslMode: "sslmode" | "ssl_mode" | "sslMode" | "SslMode" | "ssl" => keys.ssl_mode = optional(SSL_MODE),
        Timeout: "connection_timeout" | "connectionTimeout" | "ConnectionTimeout" | "connect_timeout"
            | "connectTimeout" => keys.connect_timeout = optional(TIMEOUT),
        Url: "url" | "uri" | "connection_string" | "connectionString" | "ConnectionString" | "dsn" | "jdbcUrl"
            | "jdbc_url" => url = optional(URL),
    }
}

const HOST: Kind<String> = Kind::text("a host name or an address, without scheme and port", |leaf| {
    leaf.text(host).flatten().ok_or(Refusal::Other)
});
const PORT: Kind<u16> = Kind::any("a port from 1 to 65535", |leaf| {
    let port = leaf.integer().and_then(|port| u16::try_from(port).ok());
    port.filter(|port| *port != 0).ok_or(Refusal::Other)
});
const USERNAME: Kind<SecretString> = Kind::text(A_NAME, |leaf| {
    leaf.text(|text| is_name(text).then(|| SecretString::from(text))).flatten().ok_or(Refusal::Other)
});
const PASSWORD: Kind<SecretString> = Kind::text("a string that is not empty", |leaf| {
    leaf.text(|text| is_password(text).then(|| SecretString::from(text))).flatten().ok_or(Refusal::Other)
});
const ENGINE: Kind<Engine> =
    Kind::text(AN_ENGINE, |leaf| leaf.text(Engine::read).flatten().ok_or(Refusal::Other));
const SSL_MODE: Kind<SslMode> = Kind::any("a TLS mode such as `require`, or a boolean", |leaf| match leaf {
    Scalar::Bool(true) => Ok(SslMode::Require),
    Scalar::Bool(false) => Ok(SslMode::Disable),
    leaf => leaf.text(SslMode::read).flatten().ok_or(Refusal::NoneOf(SslMode::NAMES)),
});
const TIMEOUT: Kind<Duration> =
    Kind::any("from 1 to 3600 seconds as a number, or a time such as `500ms` or `30s`", |leaf| {
        time(leaf).and_then(connect_timeout).ok_or(Refusal::Other)
    });
/// One that cannot be read is told by the check, so that what it lacks then is no fault besides.
const URL: Kind<Result<Parts, &'static str>> =
    Kind::text("a connection string", |leaf| leaf.text(connection::parse).ok_or(Refusal::Other));

/// A host name, an address (IPv6 with or without brackets), or the path of a Unix socket.
pub(super) fn host(text: &str) -> Option<String> {
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    if bare.parse::<Ipv6Addr>().is_ok() {
        return Some(bare.to_owned());
    }
    let socket = text.starts_with('/') && text.bytes().all(|b| b.is_ascii_graphic());
    let name = |c: char| c.is_alphanumeric() || "-._".contains(c);
    let named = !text.is_empty() && text.len() <= 255 && text.chars().all(name);
    (socket || named).then(|| text.to_owned())
}

/// A NUL would end a field early in the protocols of databases.
pub(super) fn is_password(text: &str) -> bool {
    !text.is_empty() && !text.contains('\0')
}

/// At most an hour: more is milliseconds that were taken for seconds.
pub(super) fn connect_timeout(time: Duration) -> Option<Duration> {
    (!time.is_zero() && time <= Duration::from_secs(3600)).then_some(time)
}

/// What the keys say, and what the connection string says.
#[derive(Default)]
pub(super) struct DatabaseDraft {
    keys: Parts,
    url: Option<Result<Parts, &'static str>>,
}

impl DatabaseDraft {
    fn has<T>(&self, part: impl Fn(&Parts) -> Option<T>) -> bool {
        let in_url = || matches!(&self.url, Some(Ok(url)) if part(url).is_some());
        part(&self.keys).is_some() || in_url()
    }

    fn engine(&self) -> Engine {
        let url = self.url.as_ref().and_then(|url| url.as_ref().ok());
        let said = self.keys.engine.as_ref().or_else(|| url?.engine.as_ref().or(url?.likely.as_ref()));
        said.cloned().unwrap_or_default()
    }
}

impl Draft for DatabaseDraft {
    type Field = Field;
    type Model = DatabaseCredentials;
    const NAME: &'static str = "DatabaseCredentials";
    const EXPECTED: &'static str = "a table with host, username and password, or a connection string";

    fn whole(&mut self, document: Scalar<'_>) {
        let parsed = document.text(connection::parse);
        self.url = Some(parsed.unwrap_or(Err("bytes, where a table or a connection string is asked for")));
    }

    fn missing(&self) -> Option<Field> {
        if matches!(self.url, Some(Err(_))) {
            return None;
        }
        let port = self.has(|parts| parts.port) || self.engine().default_port().is_some();
        [
            (Field::Host, self.has(|parts| parts.host.as_ref().map(drop))),
            (Field::Port, port),
            (Field::Username, self.has(|parts| parts.username.as_ref().map(drop))),
            (Field::Password, self.has(|parts| parts.password.as_ref().map(drop))),
        ]
        .into_iter()
        .find_map(|(field, there)| (!there).then_some(field))
    }

    fn make(self, keys: &Keys<Field>) -> (DatabaseCredentials, Vec<Invalid>) {
        let mut faults = Vec::new();
        let fault = |field, reason| Invalid { path: keys.path(field), reason };
        // of a text that is all there is, nobody has asked what it lacks
        if keys.is_empty() {
            let reason = match self.missing() {
                Some(Field::Host) => Some("the connection string names no host"),
                Some(Field::Port) => {
                    Some("the connection string names no port, and its engine has no default")
                }
                Some(Field::Username) => Some("the connection string names no user"),
                Some(_) => Some("the connection string holds no password"),
                None => None,
            };
            faults.extend(reason.map(|reason| fault(Field::Url, reason)));
        }
        let engine = self.engine();
        let url = match self.url {
            Some(Ok(url)) => url,
            Some(Err(reason)) => {
                faults.push(fault(Field::Url, reason));
                Parts::default()
            }
            None => Parts::default(),
        };
        let mine = self.keys;
        let mut twice = |field, differ: bool| {
            if differ {
                let reason = "the connection string beside it says something else: keep one of the two";
                faults.push(fault(field, reason));
            }
        };
        twice(Field::Engine, differ(&mine.engine, &url.engine, |one, other| one.scheme() == other.scheme()));
        twice(Field::Host, differ(&mine.host, &url.host, |one, other| one.eq_ignore_ascii_case(other)));
        twice(Field::Port, differ(&mine.port, &url.port, PartialEq::eq));
        twice(Field::Username, differ(&mine.username, &url.username, same));
        twice(Field::Password, differ(&mine.password, &url.password, same));
        twice(Field::Database, differ(&mine.database, &url.database, PartialEq::eq));
        twice(Field::SslMode, differ(&mine.ssl_mode, &url.ssl_mode, PartialEq::eq));
        twice(Field::Timeout, differ(&mine.connect_timeout, &url.connect_timeout, PartialEq::eq));
        let model = DatabaseCredentials {
            engine,
            username: mine.username.or(url.username).unwrap_or_default(),
            password: mine.password.or(url.password).unwrap_or_default(),
            host: mine.host.or(url.host).unwrap_or_default(),
            port: mine.port.or(url.port),
            database: mine.database.or(url.database),
            ssl_mode: mine.ssl_mode.or(url.ssl_mode),
            connect_timeout: mine.connect_timeout.or(url.connect_timeout),
            options: url.options,
        };
        (model, faults)
    }
}

/// Whether a key and the connection string both say a thing, and not the same.
fn differ<T>(key: &Option<T>, url: &Option<T>, same: impl Fn(&T, &T) -> bool) -> bool {
    matches!((key, url), (Some(key), Some(url)) if !same(key, url))
}
