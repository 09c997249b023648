//! HashiCorp Vault and OpenBao as a source of secretfig.

mod error;
mod naming;
mod reply;
mod settings;

pub use error::SCHEME;
pub use naming::Kind;
pub use settings::{Auth, Given, SecretId, Settings};
