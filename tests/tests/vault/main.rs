//! Vault through the core: whole configurations from an OpenBao and a PostgreSQL of their own, with all that is logged at
//! TRACE searched for every value, token and secret_id.
//!
//! The servers are installed once, into the user's cache folder: see `tests/servers`.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod credentials;
mod grants;
mod kept;
mod logins;
mod scene;
mod shapes;
