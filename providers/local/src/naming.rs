//! What a name may be: segments with one `/` between them, which walk nested tables.

use crate::error::{Refusal, misconfigured};

/// The longest name, in bytes.
const MAX_NAME: usize = 4096;

/// The longest segment, in bytes: as for mounted files, so that a store can become a folder.
const MAX_SEGMENT: usize = 255;

/// The segments of a name.
pub(crate) fn parse(name: &str) -> Result<Vec<&str>, Refusal> {
    if name.len() > MAX_NAME {
        return Err(misconfigured("a name of at most 4096 bytes is taken"));
    }
    let segments = name.split('/').map(|segment| self::segment(segment).map(|()| segment));
    segments.collect::<Result<_, _>>().map_err(misconfigured)
}

/// Checks one segment. `Err` says what is wrong with it.
pub(crate) fn segment(segment: &str) -> Result<(), &'static str> {
    if segment.is_empty() {
        return Err("a name is segments with one `/` between them: `myapp/database`");
    }
    if segment == "." || segment.starts_with("..") {
        return Err("no segment of a name may be `.` or begin with `..`");
    }
    if segment.len() > MAX_SEGMENT {
        return Err("a segment of a name has at most 255 bytes");
    }
    if segment.chars().any(char::is_control) {
        return Err("a name holds no control characters");
    }
    if segment.contains('\\') {
        return Err("a name is separated by `/`; it holds no backslash");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use secretfig_source::ErrorKind;

    #[test]
    fn names_by_segments() {
        for (name, count) in [("db", 1), ("myapp/db", 2), ("a b/ключ/tls.crt", 3), ("~", 1), ("…", 1)] {
            assert_eq!(parse(name).unwrap().len(), count, "{name}");
        }
        assert!(parse(&"x".repeat(255)).is_ok());
    }

    #[test]
    fn what_is_no_name() {
        let (long, longer) = ("x".repeat(256), "x/".repeat(2049));
        for name in ["", ".", "..", "a/..", "../a", "/a", "a//b", "a/", "a\\b", "a\nb", "a\0", &long, &longer]
        {
            let refusal = parse(name).unwrap_err();
            assert_eq!(refusal.of(name).kind(), ErrorKind::Misconfigured, "{name:?}");
        }
    }
}
