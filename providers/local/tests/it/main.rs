//! Stores on a real disk, read by the source.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]
#![allow(dead_code, reason = "the folder `store` serves other tests too")]

mod reading;
mod refusals;
#[path = "../store/mod.rs"]
mod store;
mod turns;
mod watching;

use secretfig_local::Local;
use secretfig_source::{Ask, ErrorKind, Exposed, Fetched, Node, Reading, Source, SourceError};

/// What no error may show.
const MARKER: &str = "s3cr3t-marker-value";

async fn get(local: &Local, name: &str) -> Result<Fetched, SourceError> {
    let mut answers = local.fetch(&[Ask::new(name)]).await;
    assert_eq!(answers.len(), 1);
    answers.remove(0)
}

async fn text(local: &Local, name: &str) -> String {
    let fetched = get(local, name).await.unwrap();
    leaf(&fetched.document.read(&Reading { allow_empty: true, ..Reading::default() }).unwrap())
}

fn leaf(node: &Node) -> String {
    match node {
        Node::Leaf(sealed) => match sealed.expose_secret() {
            Exposed::Text(text) | Exposed::Number(text) => text.to_owned(),
            Exposed::Bool(yes) => yes.to_string(),
            Exposed::Bytes(_) => panic!("bytes"),
        },
        other => panic!("no leaf: {other:?}"),
    }
}

/// The refusal of that name, by fetch and by probe alike, without any value in it.
async fn refusal(local: &Local, name: &str) -> SourceError {
    let error = match get(local, name).await {
        Err(error) => error,
        Ok(_) => panic!("`{name}` was read"),
    };
    let probed = local.probe(&[Ask::new(name)]).await.remove(0).unwrap_err();
    assert_eq!(error, probed);
    assert_eq!(error.secret_name(), Some(name));
    let shown = format!("{error} {error:?}");
    assert!(!shown.contains(MARKER) && !shown.contains("AGE-SECRET"), "{error}");
    error
}

async fn refused(local: &Local, kind: ErrorKind, why: &str) {
    let error = refusal(local, "a").await;
    assert_eq!(error.kind(), kind, "{error}");
    assert!(error.what_to_do().contains(why), "{error}");
}
