//! Ready-made models: one type for each kind of secret, over the layouts that managers and other languages gave it.
//!
//! Every fault of a model is in the report with all the others, at the key that was really written, and says what to
//! do. No fault, `Debug` or error of any deserializer holds a value. Two spellings of one field are a fault that names
//! both. Keys that are in no table below are left alone: a manager adds its own (`dbInstanceIdentifier`, `masterarn`).
//!
//! # `DatabaseCredentials`
//!
//! | field | keys | value |
//! | --- | --- | --- |
//! | host | `host`, `hostname`, `hostName`, `Host`, `server`, `Server` | name, address or socket path; must be there |
//! | username | `username`, `userName`, `user_name`, `user`, `Username`, `UserName`, `User` | must be there |
//! | password | `password`, `Password` | must be there |
//! | port | `port`, `Port` | number or text; else the engine's |
//! | database | `database`, `dbname`, `dbName`, `db_name`, `databaseName`, `database_name`, `db`, `Database`, `DatabaseName` | else the server decides |
//! | engine | `engine`, `driver`, `scheme`, `Engine`, `Driver` | else Postgres |
//! | TLS mode | `sslmode`, `ssl_mode`, `sslMode`, `SslMode`, `ssl` | a mode or a boolean; else the driver's |
//! | timeout | `connection_timeout`, `connectionTimeout`, `connect_timeout`, `connectTimeout`, `ConnectionTimeout` | seconds, or `500ms` |
//! | all of them | `url`, `uri`, `connection_string`, `connectionString`, `dsn`, `jdbcUrl`, `jdbc_url`, `ConnectionString` | a connection string |
//!
//! A connection string may also be the whole document. It is a URL (`postgres://user:p%40ss@host/db?sslmode=require`),
//! JDBC's (`jdbc:postgresql://…`, `jdbc:sqlserver://…;databaseName=…`, `jdbc:oracle:thin:@//…`), or the `key=value;` of
//! ADO.NET and ODBC; there, `Server=` means SQL Server and `Host=` Postgres unless `engine` or `Driver=` says
//! otherwise. Keys beside it add what it leaves out; where both say something, they have to say the same.
//!
//! Parts may come from several layers: host and port from a file, user and password from a manager, since tables are
//! merged. What is in none of them is missing at its key.
//!
//! # `JwtConfig`
//!
//! | field | keys | value |
//! | --- | --- | --- |
//! | key | `secret_key`, `secretKey`, `SecretKey`, `signing_key`, `signingKey`, `SigningKey`, `private_key`, `privateKey`, `PrivateKey`, `key`, `secret` | text or bytes; must be there |
//! | algorithm | `algorithm`, `alg`, `Algorithm` | else HS256; `none` is refused |
//! | public key | `public_key`, `publicKey`, `PublicKey` | PEM |
//! | access life | `access_ttl`, `expiresIn`, `expires_in` | `15m`, or seconds; else 15 minutes |
//! | | `access_token_ttl_minutes`, `expiryMinutes`, `expiry_minutes`, `ExpiryMinutes`, `token_expiry_min` | minutes |
//! | | `expiryHours`, `expiry_hours`, `ExpiryHours` | hours |
//! | refresh life | `refresh_ttl`, `refreshExpiresIn` | `7d`, or seconds; else 7 days |
//! | | `refresh_token_ttl_days` | days |
//! | | `refresh_expiry_h` | hours |
//! | issuer, audience | `issuer`, `iss`, `Issuer`; `audience`, `aud`, `Audience` | text |
//! | key identifier | `kid`, `key_id`, `keyId`, `KeyId` | text |
//!
//! The key alone may be the whole document. [`JwtConfig::new`] says what a key has to be.
//!
//! # `OpenAiConfig`
//!
//! | field | keys | value |
//! | --- | --- | --- |
//! | key | `api_key`, `apiKey`, `ApiKey`, `key` | text; must be there |
//! | model | `model`, `default_model`, `defaultModel`, `Model`, `DefaultModel` | text; else the application's choice |
//! | organization | `organization`, `organization_id`, `organizationId`, `org_id`, `Organization`, `OrganizationId` | text |
//! | project | `project`, `project_id`, `projectId`, `Project`, `ProjectId` | text |
//! | tokens | `max_tokens`, `maxTokens`, `MaxTokens` | from 1 to 128000; else 4096 |
//! | endpoint | `endpoint`, `base_url`, `baseUrl`, `Endpoint`, `BaseUrl` | an https URL, http to loopback alone; else OpenAI's |
//!
//! The key alone may be the whole document. [`OpenAiConfig::new`] says what a key has to be.

mod database;
mod jwt;
mod leaf;
mod openai;
mod placeholder;
mod spelling;
mod text;

pub use database::{DatabaseCredentials, Engine, SslMode};
pub use jwt::{Algorithm, JwtConfig};
pub use openai::OpenAiConfig;
