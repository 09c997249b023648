//! What a name may be, and how it becomes a path: by segments, never by joining text.

use crate::error::Miss;
use secretfig_source::ErrorKind;
use std::path::Path;

/// What Linux takes as one file name, in bytes.
/// <https://man7.org/linux/man-pages/man7/path_resolution.7.html>
const MAX_SEGMENT: usize = 255;

/// What Linux takes as one path, in bytes.
const MAX_NAME: usize = 4096;

/// A name that has been checked; nothing has touched the disk yet.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Name<'a> {
    /// `/run/secrets/pw`: one of the files that the settings allow by their whole path.
    Absolute(&'a Path),
    /// `myapp/database`: to be found below a folder.
    Relative(Vec<&'a str>),
}

/// Checks a name.
pub(crate) fn parse(name: &str) -> Result<Name<'_>, Miss> {
    if name.len() > MAX_NAME {
        return Err(bad("a name of at most 4096 bytes is taken"));
    }
    if name.contains('\0') {
        return Err(bad("a name holds no NUL"));
    }
    if Path::new(name).has_root() {
        return Ok(Name::Absolute(Path::new(name)));
    }
    let segments = name.split('/').map(|segment| self::segment(segment).map(|()| segment));
    segments.collect::<Result<_, _>>().map(Name::Relative).map_err(bad)
}

/// Checks one segment. `Err` says what is wrong with it.
///
/// `..` at the begin is Kubernetes' own space: the folders that it swaps are named so, and no key of
/// a Secret may be.
/// <https://github.com/kubernetes/kubernetes/blob/master/pkg/volume/util/atomic_writer.go>
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
    // `C:x` and `file:stream` are paths of their own there
    if cfg!(windows) && segment.contains(':') {
        return Err("on Windows a name holds no `:`");
    }
    Ok(())
}

/// The variable that maps a name to a file: `myapp/db-password` → `SECRET_FILE_MYAPP_DB_PASSWORD`.
pub(crate) fn variable(name: &str) -> String {
    let rest = name.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' });
    crate::settings::FILE_PREFIX.chars().chain(rest).collect()
}

fn bad(hint: &'static str) -> Miss {
    Miss::refused(ErrorKind::Misconfigured, hint)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_by_segments() {
        let relative = |name| match parse(name) {
            Ok(Name::Relative(segments)) => segments,
            other => panic!("{name}: {other:?}"),
        };
        assert_eq!(relative("db"), ["db"]);
        assert_eq!(relative("myapp/db"), ["myapp", "db"]);
        // keys of real secrets: an image pull secret, a TLS secret, a mount of a service account
        for name in [".dockerconfigjson", "tls.crt", "kubernetes.io/serviceaccount/token", "ключ", "a b", "~"]
        {
            assert_eq!(relative(name).join("/"), name);
        }
        assert!(matches!(parse("/run/secrets/pw"), Ok(Name::Absolute(_))));
        assert_eq!(relative(&"x".repeat(255)).len(), 1);
    }

    #[test]
    fn what_is_no_name() {
        let long = "x".repeat(256);
        let longer = "x/".repeat(2049);
        for name in [
            "",
            ".",
            "..",
            "a/..",
            "../a",
            "a/../b",
            "./a",
            "a//b",
            "a/",
            "a\\b",
            "a\nb",
            "a\0b",
            "\u{7f}",
            "\u{85}",
            "..data",
            "..data/a",
            "a/..2024_01_01",
            "/a\0b",
            &long,
            &longer,
        ] {
            let Err(miss) = parse(name) else { panic!("{name:?} was taken") };
            assert_eq!(miss.about(name, String::new).kind(), ErrorKind::Misconfigured, "{name:?}");
        }
    }

    #[test]
    fn variables() {
        assert_eq!(variable("myapp/db-password"), "SECRET_FILE_MYAPP_DB_PASSWORD");
        assert_eq!(variable("tls.crt"), "SECRET_FILE_TLS_CRT");
    }
}
