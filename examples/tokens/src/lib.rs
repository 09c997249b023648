//! Tokens signed and verified by a `JwtConfig`.
