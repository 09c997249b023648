//! Files that sign in, read on a thread for what blocks.

use crate::error::{SCHEME, misconfigured};
use secretfig_source::{SourceError, file};
use std::path::Path;
use std::sync::Arc;
use zeroize::Zeroizing;

/// The text of a file, without the blanks around it.
///
/// It is read on a thread for what blocks where a tokio runtime is there to give one, and in place otherwise.
pub(crate) async fn read(path: &Arc<Path>, what: &'static str) -> Result<Zeroizing<String>, SourceError> {
    let path = path.clone();
    let reading = move || file::text(&path, what, SCHEME);
    match tokio::runtime::Handle::try_current() {
        // a cancelled runtime is the only way for this to fail
        Ok(handle) => handle.spawn_blocking(reading).await.map_err(|_| ended(what))?,
        Err(_) => reading(),
    }
}

/// A file of certificates or of a key, as it is.
pub(crate) fn pem(path: &Path) -> Result<Zeroizing<Vec<u8>>, SourceError> {
    file::bytes(path, "the PEM file", SCHEME)
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
        let large = marker.text().repeat(1 + (64 << 10) / marker.text().len());
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
