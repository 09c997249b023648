//! A small service on rocket.

fn main() {}
