//! Small files that sign in: a token of an agent's sink, a projected service account token, a secret_id. Read anew
//! each time, within bounds, into memory that is wiped.

use crate::error::misconfigured;
use secretfig_source::SourceError;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;
use zeroize::Zeroizing;

/// No token is longer.
const MOST: usize = 64 << 10;

/// The text of a file, without the blanks around it: an agent, or an editor, ends it with a newline.
///
/// It is read on a thread for what blocks where a tokio runtime is there to give one, and in place otherwise.
pub(crate) async fn read(path: &Arc<Path>, what: &'static str) -> Result<Zeroizing<String>, SourceError> {
    let path = path.clone();
    let reading =
        move || within_bounds(&path).and_then(|bytes| text(&bytes)).map_err(|e| refused(what, &path, &e));
    match tokio::runtime::Handle::try_current() {
        // a cancelled runtime is the only way for this to fail
        Ok(handle) => handle.spawn_blocking(reading).await.map_err(|_| ended(what))?,
        Err(_) => reading(),
    }
}

fn within_bounds(path: &Path) -> io::Result<Zeroizing<Vec<u8>>> {
    // before it is opened: to open a pipe waits for whoever writes it, for ever
    if !std::fs::metadata(path)?.is_file() {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    let file = File::open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    // its whole room at once: a block that grows leaves its last state behind
    let mut bytes = Zeroizing::new(Vec::with_capacity(MOST + 1));
    file.take(MOST as u64 + 1).read_to_end(&mut bytes)?;
    if bytes.len() > MOST {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    Ok(bytes)
}

/// A file of certificates or of a key, as it is.
pub(crate) fn pem(path: &Path) -> Result<Zeroizing<Vec<u8>>, SourceError> {
    within_bounds(path).map_err(|e| refused("the PEM file", path, &e))
}

fn text(bytes: &[u8]) -> io::Result<Zeroizing<String>> {
    let text = std::str::from_utf8(bytes).map_err(|_| io::ErrorKind::InvalidData)?.trim();
    if text.is_empty() {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(Zeroizing::new(text.to_owned()))
}

fn refused(what: &'static str, path: &Path, error: &io::Error) -> SourceError {
    let why = match error.kind() {
        io::ErrorKind::NotFound => "it is not there; check the path, and that its volume is mounted",
        io::ErrorKind::PermissionDenied => "this process may not read it",
        io::ErrorKind::InvalidInput | io::ErrorKind::IsADirectory => "it is no file",
        io::ErrorKind::FileTooLarge => "it is larger than 64 KiB",
        io::ErrorKind::InvalidData => "it is no text",
        io::ErrorKind::UnexpectedEof => "it is empty; who writes it has not yet done so",
        _ => "it cannot be read; look at the mount",
    };
    misconfigured(format!("{what} `{}`: {why}", path.display())).into()
}

fn ended(what: &'static str) -> SourceError {
    misconfigured(format!("{what}: the runtime ended while it was read")).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use secretfig_source::ErrorKind;
    use secretfig_tests::{Hunt, Marker};

    async fn read_of(path: &Path) -> Result<Zeroizing<String>, SourceError> {
        read(&Arc::from(path), "the token file").await
    }

    #[tokio::test]
    async fn it_is_read_anew_and_without_the_newline_at_its_end() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        for token in ["s.one", "s.two"] {
            std::fs::write(&path, format!("{token}\n")).unwrap();
            assert_eq!(&*read_of(&path).await.unwrap(), token);
        }
    }

    #[test]
    fn it_is_read_without_a_runtime_too() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        std::fs::write(&path, "s.one").unwrap();
        let mut reading = std::pin::pin!(read_of(&path));
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        let std::task::Poll::Ready(read) = reading.as_mut().poll(&mut context) else { panic!("it waits") };
        assert_eq!(&*read.unwrap(), "s.one");
    }

    #[tokio::test]
    async fn what_cannot_be_a_token_is_told_by_its_path_and_nothing_of_it() {
        let folder = tempfile::tempdir().unwrap();
        let hunt = Hunt::new();
        let marker = hunt.plant("the token", Marker::random());
        let large = marker.text().repeat(1 + MOST / marker.text().len());
        let bytes: Vec<u8> = marker.text().bytes().chain([0xff]).collect();
        for (name, content, says) in [
            ("large", Some(large.into_bytes()), "larger than 64 KiB"),
            ("bytes", Some(bytes), "no text"),
            ("empty", Some(b" \n".to_vec()), "is empty"),
            ("none", None, "not there"),
        ] {
            let path = folder.path().join(name);
            if let Some(content) = content {
                std::fs::write(&path, content).unwrap();
            }
            let e = read_of(&path).await.unwrap_err();
            assert_eq!(e.kind(), ErrorKind::Misconfigured);
            assert!(e.what_to_do().contains(says) && e.what_to_do().contains(name), "{e}");
            hunt.check_error(name, &e);
        }
        let mut no_files = vec![folder.path().to_owned()];
        if cfg!(unix) {
            let pipe = folder.path().join("pipe");
            assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
            no_files.push(pipe);
        }
        for path in no_files {
            let reading = tokio::time::timeout(std::time::Duration::from_secs(5), read_of(&path));
            let e = reading.await.expect("it waits for a writer").unwrap_err();
            assert!(e.what_to_do().contains("no file"), "{e}");
        }
        hunt.finish();
    }
}
