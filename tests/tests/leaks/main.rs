//! The leak hunt: values are planted in every kind of layer, everything that can fail is made to fail, and all that
//! comes out (reports, `Debug`, JSON, logs, health, panics) is searched for them in every encoding.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod documents;
mod fuzz;
mod ground;
mod log;
mod outputs;
mod redact;
mod settings;
mod sources;
mod targets;
mod types;

use ground::Ground;

/// One test, since the paths of a run are counted together, and since logs and panics are the process's.
#[test]
fn no_output_of_any_path_holds_a_value() {
    let ground = Ground::new();
    targets::hunt(&ground);
    documents::hunt(&ground);
    settings::hunt(&ground);
    sources::hunt(&ground);
    outputs::hunt(&ground);
    log::hunt(&ground);
    redact::hunt(&ground, 300);
    fuzz::hunt(&ground, 20_000);
    ground.finish();
}
