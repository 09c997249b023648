//! A small service on actix.

fn main() {}
