//! Whatever goes over a network, before a server that answers as badly as servers can.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod hung;
mod victims;

use secretfig_tests::hostile::{around, attack, child};

/// One of the cases, in a process of its own.
#[test]
#[ignore = "the other tests run it, with an aim"]
fn one_case() {
    child(&victims::all());
}

#[tokio::test(flavor = "multi_thread")]
async fn every_case_comes_to_what_it_has_to() {
    attack("one_case", &victims::all()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_proxy_is_asked_and_the_one_passed_over_is_named() {
    around("one_case", &victims::all()).await;
}
