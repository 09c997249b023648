//! What it takes to connect to a database.

mod connection;
mod draft;
mod engine;

pub use engine::{Engine, SslMode};

use super::leaf::Scalar;
use super::spelling::{Draft, Keys, Made, read_by};
use super::text::{encoded, joined};
use crate::{ExposeSecret, Invalid, SecretString};
use draft::DatabaseDraft;
use std::fmt;
use std::net::Ipv6Addr;
use std::time::Duration;

/// What it takes to connect to a database, in whichever layout a manager holds it.
///
/// It reads a table in any of the spellings of [the table](super#databasecredentials), a table with a connection
/// string in it, or a text that is a connection string. `Debug` shows where it leads, never who goes there; there is
/// no `Serialize`.
///
/// ```
/// use secretfig::{ExposeSecret, models::{DatabaseCredentials, Engine}};
///
/// let database: DatabaseCredentials = serde_json::from_str(
///     r#"{"engine": "postgres", "hostname": "db.internal", "user": "app", "password": "p@ss/word", "dbname": "orders"}"#,
/// )?;
/// assert_eq!((database.host(), database.port()), ("db.internal", 5432));
/// assert_eq!(database.endpoint(), "postgres://db.internal:5432/orders");
/// assert_eq!(database.url().expose_secret(), "postgres://app:p%40ss%2Fword@db.internal:5432/orders");
///
/// let for_a_test = DatabaseCredentials::new("localhost", "root", "pw").with_engine(Engine::MySql);
/// assert_eq!(for_a_test.port(), 3306);
/// # Ok::<_, serde_json::Error>(())
/// ```
#[derive(Clone)]
pub struct DatabaseCredentials {
    engine: Engine,
    username: SecretString,
    password: SecretString,
    host: String,
    port: Option<u16>,
    database: Option<String>,
    ssl_mode: Option<SslMode>,
    connect_timeout: Option<Duration>,
    options: Option<SecretString>,
}

impl DatabaseCredentials {
    /// Credentials made in code, for tests: Postgres at its default port. They are not checked.
    pub fn new(
        host: impl Into<String>,
        username: impl Into<SecretString>,
        password: impl Into<SecretString>,
    ) -> Self {
        Self {
            engine: Engine::default(),
            username: username.into(),
            password: password.into(),
            host: host.into(),
            port: None,
            database: None,
            ssl_mode: None,
            connect_timeout: None,
            options: None,
        }
    }

    /// With this engine, and its default port unless another is set.
    #[must_use]
    pub fn with_engine(mut self, engine: Engine) -> Self {
        self.engine = engine;
        self
    }

    /// With this port.
    #[must_use]
    pub fn with_port(mut self, port: u16) -> Self {
        self.port = Some(port);
        self
    }

    /// With this database.
    #[must_use]
    pub fn with_database(mut self, database: impl Into<String>) -> Self {
        self.database = Some(database.into());
        self
    }

    /// With connections secured in this way.
    #[must_use]
    pub fn with_ssl_mode(mut self, mode: SslMode) -> Self {
        self.ssl_mode = Some(mode);
        self
    }

    /// The engine; Postgres where the document names none.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// The user. A secret: a rotation may change it with the password.
    pub fn username(&self) -> &SecretString {
        &self.username
    }

    /// The password.
    pub fn password(&self) -> &SecretString {
        &self.password
    }

    /// The host name or address; an IPv6 address without brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port: the engine's default where the document names none.
    pub fn port(&self) -> u16 {
        self.port.or(self.engine.default_port()).unwrap_or_default()
    }

    /// The database's name. Where there is none, the server decides: Postgres takes the user's name.
    pub fn database(&self) -> Option<&str> {
        self.database.as_deref()
    }

    /// How connections are secured; `None` leaves it to the driver.
    pub fn ssl_mode(&self) -> Option<SslMode> {
        self.ssl_mode
    }

    /// How long connecting may take; `None` leaves it to the driver.
    pub fn connect_timeout(&self) -> Option<Duration> {
        self.connect_timeout
    }

    /// The whole as a URL for a driver, percent-encoded: `postgres://user:password@host:5432/database?sslmode=require`.
    ///
    /// The mode goes by the name that the engine's drivers give it (`ssl-mode`, `encrypt`, `tls`). Parameters of a URL
    /// that the document held are kept.
    pub fn url(&self) -> SecretString {
        let port = self.port().to_string();
        let userinfo = encoded(self.username.expose_secret())
            .chain([":"])
            .chain(encoded(self.password.expose_secret()))
            .chain(["@"]);
        let (mode, options) = (self.ssl_mode.map(|mode| mode.parameter(&self.engine)), self.options.as_ref());
        let query = mode.into_iter().flat_map(|(key, value)| ["?", key, "=", value]);
        let options = options
            .into_iter()
            .flat_map(|options| [if mode.is_some() { "&" } else { "?" }, options.expose_secret()]);
        joined(self.location(&port, userinfo).chain(query).chain(options))
    }

    /// Where it leads, safe to print: `postgres://host:5432/database`.
    pub fn endpoint(&self) -> String {
        let port = self.port().to_string();
        self.location(&port, std::iter::empty()).collect()
    }

    fn location<'a>(
        &'a self,
        port: &'a str,
        userinfo: impl Iterator<Item = &'a str> + Clone,
    ) -> impl Iterator<Item = &'a str> + Clone {
        let v6 = self.host.parse::<Ipv6Addr>().is_ok();
        let bracket = move |bracket| v6.then_some(bracket);
        let name = (!v6).then(|| encoded(&self.host)).into_iter().flatten();
        let address = v6.then_some(self.host.as_str());
        let database = self.database.iter().flat_map(|database| ["/"].into_iter().chain(encoded(database)));
        [self.engine.scheme(), "://"]
            .into_iter()
            .chain(userinfo)
            .chain(bracket("["))
            .chain(address)
            .chain(name)
            .chain(bracket("]"))
            .chain([":", port])
            .chain(database)
    }
}

impl fmt::Debug for DatabaseCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DatabaseCredentials")
            .field("engine", &self.engine)
            .field("host", &self.host)
            .field("port", &self.port())
            .field("database", &self.database)
            .finish_non_exhaustive()
    }
}

read_by!(DatabaseCredentials, DatabaseDraft);

impl std::str::FromStr for DatabaseCredentials {
    type Err = Invalid;

    /// Parses a connection string. The error's reason is static; it never holds a part of the text.
    fn from_str(connection: &str) -> Result<Self, Invalid> {
        let mut draft = DatabaseDraft::default();
        draft.whole(Scalar::Text(connection));
        Made::of(draft, &Keys::none()).checked()
    }
}
