//! Reading a store frees no block of ours that still holds a value or a passphrase in clear: an allocator looks
//! at every freed block.
//!
//! One of age's does: the block of a decrypted chunk is made smaller by its tag of 16 bytes, before it is taken
//! into one that is wiped. Most allocators do that in place; this one always moves. It is told in the threat
//! model, and these tests fail when it is no longer so.
//!
//! The stores stand here encrypted, since one that a test made would have left its text in memory that is used
//! again.

use crate::place::Place;
use secretfig::{Config, ExposeSecret, SecretLayer, SecretString};
use secretfig_local::{Local, Settings};
use secretfig_tests::ScanAlloc;
use serde::Deserialize;
use std::fs;

/// The key of the tests of age itself.
const KEY: &str = "AGE-SECRET-KEY-1GQ9778VQXMMJVE8SK7J6VT8UJ4HDQAJUVSFCWCM02D8GEWQ72PVQ2Y5J33";

/// `[database]` with `user` and this password.
const IN_TOML: &str = "Vq3kZt8wLr5mXb1yNc6hGs9d";
const TOML: &str = "\
-----BEGIN AGE ENCRYPTED FILE-----
YWdlLWVuY3J5cHRpb24ub3JnL3YxCi0+IFgyNTUxOSBwMDZHTjMwNWVJVnJTMWNO
V1JSbzR2eWRVbUt3L3VJVnYyM1lDcmFoaVN3ClpHam1SdzZBZWUzZXRZbSszbWU1
QVdmWGliUmNTT2JPRzVDUjN6dzFUMjgKLS0tIEJseGVwVGJSMFNKbTZhVnVhczYw
ODUwVFFnN0tEUDZwNFVXeVd0bExUdjAKhC78N5QkUBGBBKwlKpomYXgXlNv14X75
AgBGmhvZoljpikW0LkrAe4/W+9S8IcsUTpGe0FC1jdztA5xug2N5bOhP2oQdCuIW
a9i0l3aVJLKaw2WgQSJ02izYmFAM/iu0Klcfruc=
-----END AGE ENCRYPTED FILE-----
";

/// The same in JSON.
const IN_JSON: &str = "Pf7uWj2aEo4iKx0gTz9vRb6n";
const JSON: &str = "\
-----BEGIN AGE ENCRYPTED FILE-----
YWdlLWVuY3J5cHRpb24ub3JnL3YxCi0+IFgyNTUxOSBhMG5NNCtTNkl1eVIvb0hY
UEtqLzBXRGRoWXJBeFpFR2R2M1ViZjdLV0JrCllmeHE5N1B5d1hRM21MaFlveTlC
MU5wRnBSRTNtVUFJdUtrUTRSWEFFSzQKLS0tIFdhR2JjM1ZzTWtKNWhYR1ppYVZB
NTdqYTFERUZ6ekhVOVRDY0ZWbkdUVWMKGx323/GMWoGyQLjLvjzePucOURS44TfG
YHgk2ASVUdtQbG+kBQtuIYwW67AcSzGjQcScg9P04IN3hAFAs9P79VPO46QDox6q
znF3c8ZbGF+hASNh9YrA9TOjsrgOePpwZX1e2BY=
-----END AGE ENCRYPTED FILE-----
";

/// The password `x`, behind a passphrase (at a small work, 2^10).
const PASSPHRASE: &str = "Hd5rBy1qMw8cJt4zUn7xLe3s";
const LOCKED: &str = "\
-----BEGIN AGE ENCRYPTED FILE-----
YWdlLWVuY3J5cHRpb24ub3JnL3YxCi0+IHNjcnlwdCBDNGpraERRNExMQi9neXhl
cXVhRHRnIDEwClA0OEdoLzcrem43aWpqelFrNlZsMmgxMjdBYUhoejh5QnRBSzRF
clc3c1UKLS0tIG1jWklEM0ZTeUFRK3lBZDR4UDVvWHZ0MFh6Wmh0TXEvR2g5V05o
MmRIZ28KhU4ZgO4gUh1YQ4nqv0XYDl0U7NBbIAshmb9Cy+88uP3CbyahQEH3evpw
Mte6VcXLhmYKfaVs0eZ2QPp2qtRu3rpMCBHLWiY=
-----END AGE ENCRYPTED FILE-----
";

#[derive(Deserialize)]
struct App {
    database: Database,
}

#[derive(Deserialize)]
struct Database {
    user: String,
    password: SecretString,
}

/// Watches, reads by way of a configuration, and looks after everything is gone.
fn reads(
    store: &str,
    password: &str,
    canary: &'static str,
    open: impl FnOnce(&Place, Settings) -> Settings,
) -> usize {
    ScanAlloc::watch(canary.as_bytes());
    let place = Place::new();
    place.put(store.as_bytes());
    let settings = open(&place, Settings::new().file(place.path("secrets.age")));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let layer = SecretLayer::from(Local::new(settings).unwrap()).put("database", "database");
        let config = Config::<App>::builder().merge(layer).load().await.unwrap();
        let database = &config.snapshot().database;
        assert_eq!((&*database.user, database.password.expose_secret()), ("app", password));
    });
    drop(runtime);
    ScanAlloc::hits_of(canary.as_bytes())
}

/// The only hit is that of age's chunk, told by its size: both texts have 69 bytes.
fn only_ages_own(hits: usize) {
    assert_eq!(hits, 1, "{:?}", ScanAlloc::list());
    assert!(ScanAlloc::list().iter().all(|hit| hit.size == 69 + 16), "{:?}", ScanAlloc::list());
}

#[test]
fn reading_toml_leaves_no_value_behind() {
    only_ages_own(reads(TOML, IN_TOML, IN_TOML, |_, settings| settings.identity(KEY.into())));
}

#[test]
fn reading_json_leaves_no_value_behind() {
    only_ages_own(reads(JSON, IN_JSON, IN_JSON, |_, settings| settings.identity(KEY.into())));
}

#[test]
fn reading_leaves_no_passphrase_behind() {
    let hits = reads(LOCKED, "x", PASSPHRASE, |place, settings| {
        fs::write(place.path("passphrase"), PASSPHRASE).unwrap();
        settings.passphrase_file(place.path("passphrase"))
    });
    assert_eq!(hits, 0, "{:?}", ScanAlloc::list());
}
