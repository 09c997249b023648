//! Which database it is, and how its connections are secured.

use std::fmt;
use zeroize::Zeroizing;

/// A database's kind: it gives the default port and the scheme of [`url`](super::DatabaseCredentials::url).
///
/// ```
/// use secretfig::models::Engine;
/// let engine: Engine = "aurora-postgresql".parse().unwrap();
/// assert_eq!(engine, Engine::Postgres);
/// assert_eq!((engine.as_str(), engine.default_port()), ("postgres", Some(5432)));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Engine {
    /// PostgreSQL, and what speaks its protocol.
    #[default]
    Postgres,
    /// MySQL.
    MySql,
    /// MariaDB.
    MariaDb,
    /// Microsoft SQL Server, Azure SQL.
    SqlServer,
    /// Oracle.
    Oracle,
    /// MongoDB, DocumentDB.
    MongoDb,
    /// Amazon Redshift, which speaks PostgreSQL's protocol.
    Redshift,
    /// Another one, by the scheme of its URLs. It has no default port.
    Other(Box<str>),
}

/// Parts of names, in the order in which they are looked for: managers, JDBC, ODBC and SQLAlchemy name an engine
/// with its driver or edition (`aurora-postgresql`, `oracle-ee`, `mysql+pymysql`, `org.postgresql.Driver`).
static PARTS: [(&str, Engine); 14] = [
    ("redshift", Engine::Redshift),
    ("postgres", Engine::Postgres),
    ("pgsql", Engine::Postgres),
    ("psql", Engine::Postgres),
    ("mariadb", Engine::MariaDb),
    ("mysql", Engine::MySql),
    ("aurora", Engine::MySql),
    ("sqlserver", Engine::SqlServer),
    ("sql server", Engine::SqlServer),
    ("sqlclient", Engine::SqlServer),
    ("mssql", Engine::SqlServer),
    ("oracle", Engine::Oracle),
    ("mongo", Engine::MongoDb),
    ("docdb", Engine::MongoDb),
];

/// What an engine that is refused should have been.
pub(super) const AN_ENGINE: &str = "an engine such as postgres, mysql, mariadb, sqlserver, oracle or mongodb";

impl Engine {
    /// The name, which is also the scheme of its URLs, but for Redshift: that is Postgres' scheme.
    pub fn as_str(&self) -> &str {
        match self {
            Engine::Postgres => "postgres",
            Engine::MySql => "mysql",
            Engine::MariaDb => "mariadb",
            Engine::SqlServer => "sqlserver",
            Engine::Oracle => "oracle",
            Engine::MongoDb => "mongodb",
            Engine::Redshift => "redshift",
            Engine::Other(scheme) => scheme,
        }
    }

    /// The port where a document names none.
    pub fn default_port(&self) -> Option<u16> {
        Some(match self {
            Engine::Postgres => 5432,
            Engine::MySql | Engine::MariaDb => 3306,
            Engine::SqlServer => 1433,
            Engine::Oracle => 1521,
            Engine::MongoDb => 27017,
            Engine::Redshift => 5439,
            Engine::Other(_) => return None,
        })
    }

    pub(super) fn scheme(&self) -> &str {
        match self {
            Engine::Redshift => "postgres",
            other => other.as_str(),
        }
    }

    pub(super) fn read(name: &str) -> Option<Self> {
        // wiped, as it may be anything
        let name = Zeroizing::new(name.trim().to_ascii_lowercase());
        // its hosts are looked up in DNS, and its URLs may have no port
        if *name == "mongodb+srv" {
            return None;
        }
        if *name == "pg" {
            return Some(Engine::Postgres);
        }
        if let Some((_, engine)) = PARTS.iter().find(|(part, _)| name.contains(part)) {
            return Some(engine.clone());
        }
        let scheme = name.starts_with(|c: char| c.is_ascii_lowercase())
            && name.len() <= 32
            && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b));
        scheme.then(|| Engine::Other(name.as_str().into()))
    }
}

impl fmt::Display for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl std::str::FromStr for Engine {
    type Err = crate::Invalid;
    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Engine::read(name).ok_or(crate::Invalid { path: "engine", reason: AN_ENGINE })
    }
}

/// How a connection is secured: libpq's six modes.
///
/// ```
/// use secretfig::models::SslMode;
/// assert!(SslMode::VerifyFull > SslMode::Require);
/// assert_eq!(SslMode::VerifyFull.as_str(), "verify-full");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SslMode {
    /// Never TLS.
    Disable,
    /// TLS if the server insists.
    Allow,
    /// TLS if the server can.
    Prefer,
    /// TLS, with whomever.
    Require,
    /// TLS, and the certificate is checked.
    VerifyCa,
    /// TLS, and certificate and name are checked.
    VerifyFull,
}

impl SslMode {
    pub(super) const NAMES: &'static [&'static str] =
        &["disable", "allow", "prefer", "require", "verify-ca", "verify-full", "true", "false"];

    /// libpq's name.
    pub fn as_str(self) -> &'static str {
        match self {
            SslMode::Disable => "disable",
            SslMode::Allow => "allow",
            SslMode::Prefer => "prefer",
            SslMode::Require => "require",
            SslMode::VerifyCa => "verify-ca",
            SslMode::VerifyFull => "verify-full",
        }
    }

    /// The names of libpq, MySQL, Npgsql and SQL Server, in any case; `true` is [`Require`](SslMode::Require).
    pub(super) fn read(name: &str) -> Option<Self> {
        let mut squeezed = Zeroizing::new(String::with_capacity(name.len()));
        squeezed.extend(name.chars().filter(|c| !"-_ ".contains(*c)).map(|c| c.to_ascii_lowercase()));
        Some(match squeezed.as_str() {
            "disable" | "disabled" | "none" | "false" | "no" | "off" => SslMode::Disable,
            "allow" => SslMode::Allow,
            "prefer" | "preferred" | "optional" => SslMode::Prefer,
            "require" | "required" | "mandatory" | "true" | "yes" | "on" => SslMode::Require,
            "verifyca" => SslMode::VerifyCa,
            "verifyfull" | "verifyidentity" | "strict" => SslMode::VerifyFull,
            _ => return None,
        })
    }

    /// The parameter of a URL that says this to the engine's drivers.
    pub(super) fn parameter(self, engine: &Engine) -> (&'static str, &'static str) {
        let tls = if self >= SslMode::Require { "true" } else { "false" };
        match engine {
            Engine::MySql | Engine::MariaDb => (
                "ssl-mode",
                match self {
                    SslMode::Disable => "DISABLED",
                    SslMode::Allow | SslMode::Prefer => "PREFERRED",
                    SslMode::Require => "REQUIRED",
                    SslMode::VerifyCa => "VERIFY_CA",
                    SslMode::VerifyFull => "VERIFY_IDENTITY",
                },
            ),
            Engine::SqlServer => ("encrypt", tls),
            Engine::MongoDb => ("tls", tls),
            _ => ("sslmode", self.as_str()),
        }
    }
}

impl fmt::Display for SslMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
