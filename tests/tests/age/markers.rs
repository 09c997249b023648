//! Values, keys and passphrases are planted, everything goes wrong, and nothing that is said holds one.

use crate::place::Place;
use age::secrecy::ExposeSecret;
use secretfig_local::edit::{Layout, Readers, Recipient, Store, create_identity, recipients_of};
use secretfig_local::{Local, Settings};
use secretfig_source::{Ask, Listing, Source, SourceError};
use secretfig_tests::{Hunt, Marker};
use std::fmt::Debug;
use std::fs;

/// Everything that a source and a command say of these settings. The number of errors among it.
fn all_ways(hunt: &Hunt, what: &str, settings: &Settings) -> usize {
    let mut errors = 0;
    let mut told = |way: &str, result: Result<String, SourceError>| {
        let path = format!("{what}: {way}");
        match result {
            Ok(text) => hunt.check(path, format!("- {text}")),
            Err(error) => {
                errors += 1;
                hunt.check_error(path, &error);
            }
        }
    };
    let shown = |value: &dyn Debug| format!("{value:?} {value:#?}");
    told("settings", Ok(shown(settings)));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    match Local::new(settings.clone()) {
        Err(error) => told("source", Err(error)),
        Ok(local) => runtime.block_on(async {
            told("source", Ok(shown(&local) + &shown(&local.info())));
            told("sign-in", local.sign_in().await.map(|who| shown(&who)));
            let asks = [Ask::new("a"), Ask::new("b/c"), Ask::new("no"), Ask::new("..")];
            for answer in local.fetch(&asks).await {
                told("fetch", answer.map(|fetched| shown(&fetched)));
            }
            for answer in local.probe(&asks).await {
                told("probe", answer.map(|probe| shown(&probe)));
            }
            told("list", local.list("").await.map(|names| shown(&names)));
        }),
    }
    told("recipients", recipients_of(settings).map(|keys| shown(&keys)));
    match Store::open(settings) {
        Err(error) => told("open", Err(error)),
        Ok(store) => told("store", Ok(shown(&store) + &shown(&store.readers()) + &shown(&store.names()))),
    }
    errors
}

#[test]
fn nothing_that_is_said_holds_a_value_a_key_or_a_passphrase() {
    let hunt = Hunt::new();
    let value = hunt.plant("value", Marker::random());
    let passphrase = hunt.plant("passphrase", Marker::random());
    let key = age::x25519::Identity::generate();
    let secret = key.to_string().expose_secret().to_owned();
    // what it begins with is no secret, and messages say it
    hunt.plant("secret key", Marker::new(secret.strip_prefix("AGE-SECRET-KEY-1").unwrap()));
    let place = Place::new();
    fs::write(place.path("identity.txt"), &secret).unwrap();
    let settings = place.settings();
    let me = Recipient::to_string(&recipients_of(&settings).unwrap()[0]);
    let to =
        |text: &str| age::encrypt(&me.parse::<age::x25519::Recipient>().unwrap(), text.as_bytes()).unwrap();
    let mut errors = 0;

    // stores of any shape: whole, no TOML, no JSON, cut off, changed, not encrypted at all
    let quoted = serde_json::Value::from(value.text()).to_string();
    let whole = format!("a = {quoted}\n[b]\nc = {quoted}\n");
    let texts = [
        whole.clone(),
        format!("{{\"a\": {quoted}, \"b\": {{\"c\": {quoted}}}}}"),
        format!("a = {}\n", value.text()),
        format!("{{\"a\": {}}}", value.text()),
        format!("a = {quoted}\na = {quoted}\n"),
        format!("'a/b' = {quoted}\n[a]\nb = {quoted}\n"),
        format!("{quoted} {quoted}"),
        format!("a = {quoted}\n\u{0}"),
        format!("{{\"a\": [{}{quoted}", "[".repeat(100)),
        format!("\u{feff}{{\"a\": {quoted}"),
    ];
    for (n, text) in texts.iter().enumerate() {
        fs::write(place.path("secrets.age"), to(text)).unwrap();
        errors += all_ways(&hunt, &format!("store {n}"), &settings);
    }
    let file = to(&whole);
    for end in (0..file.len()).step_by(23) {
        fs::write(place.path("secrets.age"), &file[..end]).unwrap();
        errors += all_ways(&hunt, &format!("a store cut at {end}"), &settings);
    }
    fs::write(place.path("secrets.age"), &whole).unwrap();
    errors += all_ways(&hunt, "a store in clear", &settings);
    fs::write(place.path("secrets.age"), &file).unwrap();
    errors += all_ways(&hunt, "too large", &settings.clone().max_bytes(10));

    // identities and passphrases of any shape, wherever they may be put by mistake
    for (shape, text) in [
        ("whole", secret.clone()),
        ("cut off", secret[..40].to_owned()),
        ("with a typing error", secret.replacen('Q', "P", 1)),
        ("in lower case and quotes", format!("\"{}\"", secret.to_lowercase())),
        ("after a word", format!("key: {}", secret)),
        ("a passphrase", passphrase.text().to_owned()),
        ("of a plugin", format!("AGE-PLUGIN-{}", secret)),
        ("of SSH", format!("-----BEGIN OPENSSH PRIVATE KEY-----\n{}\n", passphrase.text())),
    ] {
        fs::write(place.path("other.txt"), &text).unwrap();
        let bare = || Settings::new().file(place.path("secrets.age"));
        let store = place.path("secrets.age").into_os_string();
        let given = [
            ("text", Ok(bare().identity(text.as_str().into()))),
            ("file", Ok(bare().identity_file(place.path("other.txt")))),
            ("path", Ok(bare().identity_file(&text))),
            ("passphrase", Ok(bare().passphrase(text.as_str().into()))),
            ("passphrase file", Ok(bare().passphrase_file(&text))),
        ];
        let variables = Settings::VARIABLES.map(|(name, _)| name).into_iter().map(|variable| {
            let vars = [("SECRETFIG_AGE_FILE", store.clone()), (variable, text.as_str().into())];
            // the path of the store is a name, and is shown
            let vars =
                vars.into_iter().filter(|(name, _)| *name != variable || variable != "SECRETFIG_AGE_FILE");
            (variable, Settings::from_env(vars))
        });
        for (way, settings) in given.into_iter().chain(variables) {
            let what = format!("an identity {shape} as {way}");
            match settings {
                Ok(settings) => errors += all_ways(&hunt, &what, &settings),
                Err(error) => {
                    errors += 1;
                    hunt.check_error(what, &error);
                }
            }
        }
    }

    // what commands refuse
    fs::write(place.path("secrets.age"), &file).unwrap();
    let mut refused = |what: &str, error: SourceError| {
        errors += 1;
        hunt.check_error(what, &error);
    };
    refused("an identity over another", create_identity(&place.path("identity.txt")).unwrap_err());
    let readers = Readers::Recipients(recipients_of(&settings).unwrap());
    refused("a store over another", Store::create(&settings, &readers, Layout::Toml).unwrap_err());
    let list = place.path("secrets.age.recipients");
    for text in [&*secret, value.text()] {
        fs::write(&list, text).unwrap();
        let mut store = Store::open(&settings).unwrap();
        for name in ["b", "a/x", "..", ""] {
            refused("set", store.set(name, &value.text().into()).unwrap_err());
        }
        store.set("new", &value.text().into()).unwrap();
        hunt.check_debug("a changed store", &store);
        refused("a list with something else in it", store.save().unwrap_err());
    }
    let strangers = Readers::Recipients(vec![Place::new().me]);
    refused("readers without us", Store::open(&settings).unwrap().rekey(&strangers).unwrap_err());
    hunt.check_debug("readers", &Readers::Passphrase(passphrase.text().into()));
    hunt.check_error("no recipient", &secret.parse::<Recipient>().unwrap_err());

    assert!(errors > 300, "{errors}");
    hunt.finish();
}
