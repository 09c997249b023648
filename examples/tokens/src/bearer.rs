//! From an `Authorization` header to the token in it.

/// The token of a caller who shows one; `None` for other credentials. The name of the scheme has no case, and one
/// blank or more stands after it (RFC 9110, section 11).
///
/// ```
/// assert_eq!(example_tokens::bearer("bearer abc"), Some("abc"));
/// assert_eq!(example_tokens::bearer("Basic abc"), None);
/// ```
pub fn bearer(credentials: &str) -> Option<&str> {
    let (scheme, token) = credentials.split_once(' ')?;
    scheme.eq_ignore_ascii_case("Bearer").then(|| token.trim_matches(' '))
}

#[cfg(test)]
mod tests {
    use super::bearer;

    #[test]
    fn the_scheme_has_no_case_and_the_token_has() {
        for credentials in ["Bearer aB.c", "bearer aB.c", "BEARER aB.c", "bEaReR   aB.c "] {
            assert_eq!(bearer(credentials), Some("aB.c"), "{credentials}");
        }
    }

    #[test]
    fn other_credentials_are_no_token() {
        for credentials in ["", "aB.c", "Bearer", "BeareraB.c", "Bearer\taB.c", "Basic aB.c", " Bearer aB.c"]
        {
            assert_eq!(bearer(credentials), None, "{credentials}");
        }
        assert_eq!(bearer("Bearer "), Some(""), "which verifies as nothing");
    }
}
