//! What we write, other implementations read, and the other way round.
//!
//! `rage` asks for passphrases on a terminal only, so those are proved with `age-encryption`.

use crate::place::{Place, value};
use crate::tools::{node, node_decrypts, rage};
use secretfig_local::Settings;
use secretfig_local::edit::{Layout, Readers, Recipient, Store};
use serde_json::json;
use std::fs;
use std::path::Path;

/// A value with what TOML, JSON and shells escape.
const VALUE: &str = "p\"w\\d'é🔑\n$(x) #=";

fn text(path: impl AsRef<Path>) -> String {
    path.as_ref().to_str().unwrap().to_owned()
}

/// The text that rage finds in the store of a place, with the identity of a file.
fn rage_reads(place: &Place, identity: &Place) -> Result<String, String> {
    let (key, store) = (text(identity.path("identity.txt")), text(place.path("secrets.age")));
    rage("rage", &["--decrypt", "--identity", &key, &store], b"").map(|out| String::from_utf8(out).unwrap())
}

#[test]
fn rage_reads_what_we_write_for_each_of_several_readers() {
    let (ada, bob, eve) = (Place::with_store(&[], Layout::Json), Place::new(), Place::new());
    Store::open(&ada.settings()).unwrap().rekey(&ada.readers(&[&bob.me])).unwrap();
    ada.set("database/password", VALUE);
    for reader in [&ada, &bob] {
        let found: serde_json::Value = serde_json::from_str(&rage_reads(&ada, reader).unwrap()).unwrap();
        assert_eq!(found["database"]["password"], VALUE);
    }
    assert!(rage_reads(&ada, &eve).unwrap_err().contains("No matching keys"));

    // and no longer, once he is taken out
    Store::open(&ada.settings()).unwrap().rekey(&ada.readers(&[])).unwrap();
    assert!(rage_reads(&ada, &ada).is_ok() && rage_reads(&ada, &bob).is_err());
}

#[test]
fn we_read_what_rage_writes_in_each_of_its_ways() {
    let (ada, bob) = (Place::with_store(&[], Layout::Toml), Place::new());
    Store::open(&ada.settings()).unwrap().rekey(&ada.readers(&[&bob.me])).unwrap();
    let (me, list) = (ada.me.to_string(), text(ada.path("secrets.age.recipients")));
    let key = text(ada.path("identity.txt"));
    let plain = format!("[database]\npassword = {}\n", serde_json::json!(VALUE));
    for (way, readers) in [
        (&["-r", &me][..], 1),
        (&["-r", &me, "-r", &bob.me.to_string()], 2),
        (&["-R", &list], 2),
        (&["-R", &list, "-a"], 2),
        (&["-i", &key, "-e"], 1),
    ] {
        let file = rage("rage", way, plain.as_bytes()).unwrap();
        ada.put(&file);
        assert_eq!(value(ada.settings(), "database/password").unwrap(), VALUE, "{way:?}");
        let as_bob = bob.settings().file(ada.path("secrets.age"));
        assert_eq!(value(as_bob, "database/password").is_ok(), readers == 2, "{way:?}");

        // what rage has written, we change, and rage reads that
        if readers == 2 {
            ada.set("database/password", "next");
            assert_eq!(ada.file().starts_with(b"-----BEGIN"), way.contains(&"-a"));
            let found = rage_reads(&ada, &bob).unwrap();
            assert!(found.contains("[database]\npassword = \"next\""), "{way:?}");
        }
    }
}

#[test]
fn a_key_of_rage_is_a_key_of_ours() {
    let place = Place::new();
    let key = text(place.path("rage.txt"));
    rage("rage-keygen", &["-o", &key], b"").unwrap();
    let settings = Settings::new().file(place.path("secrets.age")).identity_file(&key);
    let ours = secretfig_local::edit::recipients_of(&settings).unwrap();
    let theirs = rage("rage-keygen", &["-y", &key], b"").unwrap();
    assert_eq!(ours[0].to_string(), String::from_utf8(theirs).unwrap().trim());
    Store::create(&settings, &Readers::Recipients(ours), Layout::Toml).unwrap();
    let mut store = Store::open(&settings).unwrap();
    store.set("a", &VALUE.into()).unwrap();
    store.save().unwrap();
    assert_eq!(value(settings, "a").unwrap(), VALUE);
    assert!(rage("rage", &["-d", "-i", &key, &text(place.path("secrets.age"))], b"").is_ok());
}

#[test]
fn an_independent_implementation_reads_ours_and_we_read_its() {
    let (ada, bob) = (Place::with_store(&[], Layout::Json), Place::new());
    Store::open(&ada.settings()).unwrap().rekey(&ada.readers(&[&bob.me])).unwrap();
    ada.set("a", VALUE);
    for reader in [&ada, &bob] {
        let found = node_decrypts(&ada.file(), "identity", &reader.identity()).unwrap();
        assert_eq!(serde_json::from_str::<serde_json::Value>(&found).unwrap()["a"], VALUE);
    }
    assert!(node_decrypts(&ada.file(), "identity", &Place::new().identity()).is_err());

    let recipients = [&ada.me, &bob.me].map(Recipient::to_string);
    for armor in [false, true] {
        let plain = json!({ "a": VALUE }).to_string();
        let request = json!({ "do": "encrypt", "text": plain, "recipients": recipients, "armor": armor });
        ada.put(&node(&request).unwrap());
        assert_eq!(value(ada.settings(), "a").unwrap(), VALUE);
        ada.set("a", "next");
        let found = node_decrypts(&ada.file(), "identity", &bob.identity()).unwrap();
        assert!(found.contains("\"next\""), "armor {armor}");
        assert_eq!(ada.file().starts_with(b"-----BEGIN"), armor);
    }
}

#[test]
fn passphrases_open_on_both_sides() {
    const PASSPHRASE: &str = "correct hörse";
    let place = Place::new();
    let settings = Settings::new().file(place.path("secrets.age")).passphrase(PASSPHRASE.into());
    Store::create(&settings, &Readers::Passphrase(PASSPHRASE.into()), Layout::Json).unwrap();
    let mut store = Store::open(&settings).unwrap();
    store.set("a", &VALUE.into()).unwrap();
    store.save().unwrap();
    let found = node_decrypts(&place.file(), "passphrase", PASSPHRASE).unwrap();
    assert_eq!(serde_json::from_str::<serde_json::Value>(&found).unwrap()["a"], VALUE);
    assert!(node_decrypts(&place.file(), "passphrase", "wrong").is_err());

    let plain = json!({ "b": VALUE }).to_string();
    let request = json!({ "do": "encrypt", "text": plain, "passphrase": PASSPHRASE, "armor": true });
    place.put(&node(&request).unwrap());
    assert_eq!(value(settings, "b").unwrap(), VALUE);

    // an identity file that is locked, as `age -p` makes it
    let request = json!({ "do": "encrypt", "text": place.identity(), "passphrase": PASSPHRASE });
    fs::write(place.path("identity.txt"), node(&request).unwrap()).unwrap();
    let request = json!({ "do": "encrypt", "text": plain, "recipients": [place.me.to_string()] });
    place.put(&node(&request).unwrap());
    assert_eq!(value(place.settings().passphrase(PASSPHRASE.into()), "b").unwrap(), VALUE);
}
