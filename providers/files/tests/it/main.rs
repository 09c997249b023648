//! Files on a real disk.

#![cfg(unix)]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails by panicking, and tells its figures by printing"
)]

mod folders;
mod links;
#[path = "../mount/mod.rs"]
mod mount;
mod reading;
mod swaps;
mod watching;

use secretfig_files::Files;
use secretfig_source::{Ask, ErrorKind, Exposed, Fetched, Format, Node, Reading, Source, SourceError};

/// What no error may show.
const MARKER: &str = "s3cr3t-marker-value";

async fn get(files: &Files, name: &str) -> Result<Fetched, SourceError> {
    let mut answers = files.fetch(&[Ask::new(name)]).await;
    assert_eq!(answers.len(), 1);
    answers.remove(0)
}

async fn text(files: &Files, name: &str) -> String {
    String::from_utf8(bytes(&get(files, name).await, None, Format::Auto)).unwrap()
}

/// The refusal of that name, by fetch and by probe alike, without any value in it.
async fn refusal(files: &Files, name: &str) -> SourceError {
    let error = match get(files, name).await {
        Err(error) => error,
        Ok(_) => panic!("`{name}` was read"),
    };
    let probed = files.probe(&[Ask::new(name)]).await.remove(0).unwrap_err();
    assert_eq!(error, probed);
    assert_eq!(error.secret_name(), Some(name));
    assert!(!format!("{error} {error:?}").contains(MARKER), "{error}");
    error
}

async fn refused(files: &Files, name: &str, kind: ErrorKind) {
    let error = refusal(files, name).await;
    assert_eq!(error.kind(), kind, "{error}");
}

/// The bytes of an answer, or of one field of it.
fn bytes(answer: &Result<Fetched, SourceError>, field: Option<&str>, format: Format) -> Vec<u8> {
    let fetched = answer.as_ref().unwrap();
    let how = Reading { format, field: field.map(Into::into), allow_empty: true, ..Reading::default() };
    match fetched.document.read(&how).unwrap() {
        Node::Leaf(sealed) => match sealed.expose_secret() {
            Exposed::Text(text) => text.as_bytes().to_vec(),
            Exposed::Bytes(bytes) => bytes.to_vec(),
            _ => panic!("neither text nor bytes"),
        },
        other => panic!("no leaf: {other:?}"),
    }
}
