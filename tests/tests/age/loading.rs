//! The store in a configuration: by SECRET_PROVIDER, by reference, and by `[source.local]`.

use crate::place::Place;
use secretfig::{Config, ExposeSecret, LoadError, SecretString};
use secretfig_local::edit::Layout;
use serde::Deserialize;
use std::ffi::OsString;
use std::fs;

#[derive(Deserialize)]
struct App {
    database: Database,
    token: SecretString,
}

#[derive(Deserialize)]
struct Database {
    port: u16,
    password: SecretString,
}

/// A folder with a store, and a `config.toml` that wants it.
fn place(source: &str) -> Place {
    let place = Place::with_store(&[], Layout::Toml);
    place.set("myapp/database/password", "s3cr3t");
    place.set("myapp/database/port", "5432");
    place.set("token", "t0k3n");
    let config =
        format!("token = 'age://token'\n[secrets]\ndatabase = 'myapp/database'\n[source.local]\n{source}\n");
    fs::write(place.path("config.toml"), config).unwrap();
    place
}

fn load(place: &Place, profile: &str, more: &[(&str, &str)]) -> Result<Config<App>, LoadError> {
    let mut env: Vec<(&str, OsString)> = vec![
        ("SECRET_PROVIDER", "local".into()),
        ("APP_CONFIG_DIR", place.path("").into()),
        ("APP_PROFILE", profile.into()),
    ];
    env.extend(more.iter().map(|(name, value)| (*name, (*value).into())));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(Config::<App>::standard().env(env).load())
}

fn loads(place: &Place, profile: &str, more: &[(&str, &str)]) {
    let config = load(place, profile, more).unwrap();
    let app = config.snapshot();
    assert_eq!(app.database.password.expose_secret(), "s3cr3t");
    assert_eq!((app.database.port, app.token.expose_secret()), (5432, "t0k3n"));
    let told = config.explain().to_string();
    assert!(told.contains("myapp/database") && !told.contains("s3cr3t"), "{told}");
}

fn refused(place: &Place, profile: &str, more: &[(&str, &str)], why: &[&str]) {
    let Err(error) = load(place, profile, more) else { panic!("it was loaded") };
    let said = format!("{error} {error:?}");
    assert!(why.iter().all(|why| said.contains(why)), "{said}");
    assert!(!said.contains("AGE-SECRET-KEY-1") && !said.contains("hunter"), "{said}");
}

#[test]
fn relative_paths_lie_in_the_folder_of_the_configuration() {
    // the default `secrets.age` too
    loads(&place("identity_file = 'identity.txt'"), "production", &[]);
    let moved = place("file = 'deploy/s.age'\nidentity = 'identity.txt'");
    fs::create_dir(moved.path("deploy")).unwrap();
    fs::rename(moved.path("secrets.age"), moved.path("deploy/s.age")).unwrap();
    loads(&moved, "production", &[]);
}

#[test]
fn variables_beat_the_table() {
    let place = place("file = 'no.age'\nidentity_file = 'no.txt'\nmax_bytes = 1");
    let variables = [
        ("SECRETFIG_AGE_FILE", "secrets.age"),
        ("SECRETFIG_AGE_IDENTITY", &place.identity()),
        ("SECRETFIG_AGE_MAX_BYTES", "1000"),
    ];
    loads(&place, "production", &variables);
    refused(&place, "production", &variables[..2], &["too large"]);
    refused(&place, "production", &variables[1..], &["no.age", "secretfig local init"]);
}

#[test]
fn a_secret_among_the_settings_is_a_fault_in_strict_profiles() {
    for (line, hint) in [
        ("passphrase = 'hunter2'", "passphrase_file"),
        ("identity = 'AGE-SECRET-KEY-1HUNTER2'", "identity_file"),
        ("identity = '\"AGE-SECRET-KEY-1HUNTER2\"'", "SECRETFIG_AGE_IDENTITY"),
        ("identity_file = 'AGE-SECRET-KEY-1HUNTER2'", "identity_file"),
        ("file = 'age-secret-key-1hunter2'", "identity_file"),
        ("identity = \"\"\"\n# mine\nAGE-SECRET-KEY-1HUNTER2\n\"\"\"", "SECRETFIG_AGE_IDENTITY"),
    ] {
        refused(&place(line), "production", &[], &["a secret stands among the settings", hint]);
    }
    let key = Place::new().identity();
    let relaxed = place("max_bytes = 65536");
    let inline = format!("identity = '{}'", relaxed.identity());
    let text = fs::read_to_string(relaxed.path("config.toml")).unwrap() + &inline;
    fs::write(relaxed.path("config.toml"), text).unwrap();
    loads(&relaxed, "development", &[]);
    refused(&relaxed, "production", &[], &["a secret stands among the settings"]);
    refused(&relaxed, "development", &[("SECRETFIG_AGE_IDENTITY", &key)], &["denied", "rekey --add age1"]);
}

#[test]
fn wrong_settings_are_told_by_their_key() {
    refused(&place("max_bytes = 'hunter2'"), "default", &[], &["`[source.local]` max_bytes"]);
    refused(
        &place("nonsense = 'hunter2'"),
        "default",
        &[],
        &["`[source.local]` nonsense", "passphrase_file"],
    );
}

#[test]
fn a_key_that_is_taken_for_a_path_is_not_shown_in_relaxed_profiles() {
    for line in [
        "identity = '\"AGE-SECRET-KEY-1HUNTER2\"'",
        "identity = 'key=age-secret-key-1hunter2'",
        "identity_file = 'AGE-SECRET-KEY-1HUNTER2'",
        "passphrase_file = 'AGE-PLUGIN-X-1HUNTER2'",
        "file = 'AGE-SECRET-KEY-1HUNTER2'",
    ] {
        let key = line.split(' ').next().unwrap();
        let told = format!("`[source.local]` {key}: it is a key with quotes or other text around it");
        refused(&place(line), "default", &[], &[&told]);
    }
    let variable = [("SECRETFIG_AGE_IDENTITY", "\"AGE-SECRET-KEY-1HUNTER2\"")];
    refused(&place(""), "default", &variable, &["`SECRETFIG_AGE_IDENTITY`: it is a key with quotes"]);
}

#[test]
fn a_setting_of_a_wrong_type_is_a_fault_and_not_the_default() {
    let usable = "identity_file = 'identity.txt'\n";
    for (line, key) in [
        ("file = ['hunter2']", "source.local.file"),
        ("max_bytes = 1.5", "source.local.max_bytes"),
        ("passphrase = { is = 'hunter2' }", "source.local.passphrase"),
        ("[source.other]\nlist = ['hunter2']", "source.other.list"),
        ("[source]\nmine = 'hunter2'", "source.mine"),
    ] {
        let place = place(&format!("{usable}{line}"));
        refused(&place, "default", &[], &[key, "source", "config.toml"]);
    }
}

#[test]
fn two_settings_that_say_the_same_are_a_fault_that_names_both() {
    for (lines, said) in [
        ("identity = 'identity.txt'\nidentity_file = 'identity.txt'", "`identity` and `identity_file`"),
        ("passphrase = 'hunter2'\npassphrase_file = 'p'", "`passphrase` and `passphrase_file`"),
    ] {
        refused(&place(lines), "default", &[], &["say the same", said]);
    }
}
