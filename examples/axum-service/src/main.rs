//! A small service on axum.

fn main() {}
