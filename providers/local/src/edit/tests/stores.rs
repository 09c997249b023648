//! What the commands do to a store.

use super::*;
use std::io::Write;
use std::thread;

fn said<T: fmt::Debug>(result: Result<T, SourceError>) -> String {
    result.unwrap_err().to_string()
}

#[test]
fn a_store_from_nothing_to_values() {
    for layout in [Layout::Toml, Layout::Json] {
        let place = Place::new();
        let settings = place.settings();
        Store::create(&settings, &place.readers(&[]), layout).unwrap();
        assert_eq!(place.files(), ["secrets.age", "secrets.age.recipients"]);

        let mut store = Store::open(&settings).unwrap();
        assert!(store.names().is_empty());
        assert_eq!(store.set("db/password", &"s3cr3t".into()).unwrap(), Set::Added);
        assert_eq!(store.set("db/password", &"s3cr3t".into()).unwrap(), Set::Unchanged);
        assert_eq!(store.set("db/password", &"n3w".into()).unwrap(), Set::Replaced);
        assert_eq!(store.set("api", &"".into()).unwrap(), Set::Added);
        assert_eq!(store.names(), ["api", "db/password"]);
        assert!(format!("{store:?} {:?}", store.readers()).contains("age1"));
        assert!(!format!("{store:?}").contains("n3w"));
        store.save().unwrap();
        assert_eq!(value(&settings, "db/password").unwrap(), "n3w");
        assert_eq!(value(&settings, "api").unwrap(), "");

        let mut store = Store::open(&settings).unwrap();
        store.remove("db/password").unwrap();
        assert_eq!(store.names(), ["api"]);
        assert!(said(store.remove("db")).contains("`db`: absent"), "an empty table is gone");
        store.save().unwrap();
        assert!(said(value(&settings, "db/password")).contains("absent"));
        assert_eq!(place.files(), ["secrets.age", "secrets.age.recipients"]);
    }
}

#[test]
fn what_is_no_name_and_what_stands_in_the_way() {
    let place = Place::with_store();
    let mut store = Store::open(&place.settings()).unwrap();
    let before = store.names();
    for (name, why) in [
        ("", "segments"),
        ("x//y", "segments"),
        ("../x", "no segment"),
        ("b", "a table or a list has this name"),
        ("a/x", "`a` is a value"),
        ("b/c/d/e", "`b/c` is a value"),
        (&["x"; 70].join("/"), "nested too deep"),
    ] {
        let said = said(store.set(name, &"hunter2".into()));
        assert!(said.contains(why) && !said.contains("hunter"), "{said}");
        assert_eq!(store.names(), before, "{name}: it is as it was");
    }
    let large = SecretString::from("x".repeat((1 << 20) + 1));
    let error = store.set("large", &large).unwrap_err();
    assert_eq!((error.kind(), error.secret_name()), (ErrorKind::TooLarge, Some("large")));
    assert_eq!(store.names(), before);
    assert!(said(store.remove("no")).contains("`no`: absent"));
    assert!(said(store.remove("no//")).contains("misconfigured"));
}

#[test]
fn nothing_is_overwritten() {
    let place = Place::with_store();
    let before = fs::read(place.path("secrets.age")).unwrap();
    let said = said(Store::create(&place.settings(), &place.readers(&[]), Layout::Toml));
    assert!(said.contains("secrets.age`: it is there already"), "{said}");
    assert_eq!(fs::read(place.path("secrets.age")).unwrap(), before);
    let key = fs::read(place.path("identity.txt")).unwrap();
    let said = super::stores::said(create_identity(&place.path("identity.txt")));
    assert!(said.contains("identity.txt`: it is there already"), "{said}");
    assert_eq!(fs::read(place.path("identity.txt")).unwrap(), key);
    assert_eq!(place.files(), ["secrets.age", "secrets.age.recipients"]);
}

#[test]
fn a_save_without_a_change_writes_nothing() {
    let place = Place::with_store();
    let before = fs::read(place.path("secrets.age")).unwrap();
    let mut store = Store::open(&place.settings()).unwrap();
    assert_eq!(store.set("a", &"old".into()).unwrap(), Set::Unchanged);
    store.save().unwrap();
    assert_eq!(fs::read(place.path("secrets.age")).unwrap(), before, "git would see a change");
}

#[test]
fn two_at_once_lose_nothing() {
    let place = Place::with_store();
    thread::scope(|scope| {
        for n in 0..4 {
            let settings = place.settings();
            scope.spawn(move || {
                for m in 0..5 {
                    let mut store = Store::open(&settings).unwrap();
                    store.set(&format!("t{n}/v{m}"), &"x".into()).unwrap();
                    store.save().unwrap();
                }
            });
        }
    });
    assert_eq!(Store::open(&place.settings()).unwrap().names().len(), 22);
}

#[test]
fn readers_come_and_go() {
    let place = Place::with_store();
    let (bob, bobs) = stranger();
    let as_bob = place.settings().identity(bob.to_string());
    let denied = value(&as_bob, "a").unwrap_err();
    assert_eq!(denied.kind(), ErrorKind::Denied);
    assert!(denied.to_string().contains(&format!("secretfig local rekey --add {bobs}")), "{denied}");

    Store::open(&place.settings()).unwrap().rekey(&place.readers(&[&bobs])).unwrap();
    assert_eq!(value(&as_bob, "a").unwrap(), "old");
    // and he may write, for both
    let mut store = Store::open(&as_bob).unwrap();
    assert!(matches!(store.readers(), Readers::Recipients(all) if all.len() == 2));
    store.set("a", &"bobs".into()).unwrap();
    store.save().unwrap();
    assert_eq!(value(&place.settings(), "a").unwrap(), "bobs");

    Store::open(&place.settings()).unwrap().rekey(&place.readers(&[])).unwrap();
    assert_eq!(value(&as_bob, "a").unwrap_err().kind(), ErrorKind::Denied);
    let only_bob = Readers::Recipients(vec![bobs]);
    assert!(said(Store::open(&place.settings()).unwrap().rekey(&only_bob)).contains("lock ourselves out"));
}

#[test]
fn a_list_that_does_not_fit_refuses_the_save_and_rekey_settles_it() {
    let place = Place::with_store();
    let (_, bobs) = stranger();
    let list = place.path("secrets.age.recipients");
    let before = fs::read(place.path("secrets.age")).unwrap();
    let kept = fs::read_to_string(&list).unwrap();
    for (text, why) in [
        (format!("{kept}{bobs}\n"), "it has 1 readers, and"),
        (format!("{bobs}\n"), "lock us out"),
        ("AGE-SECRET-KEY-1HUNTER2\n".to_owned(), "line 1: no public key"),
        (String::new(), "names 0"),
    ] {
        fs::write(&list, text).unwrap();
        let mut store = Store::open(&place.settings()).unwrap();
        store.set("a", &"new".into()).unwrap();
        let said = said(store.save());
        assert!(said.contains(why) && !said.to_lowercase().contains("hunter"), "{said}");
        assert_eq!(fs::read(place.path("secrets.age")).unwrap(), before);
    }
    fs::remove_file(&list).unwrap();
    place.set(&[("a", "new")]);
    assert!(!list.exists(), "alone, no list is needed");
    Store::open(&place.settings()).unwrap().rekey(&place.readers(&[&bobs])).unwrap();
    fs::remove_file(&list).unwrap();
    let mut store = Store::open(&place.settings()).unwrap();
    assert!(matches!(store.readers(), Readers::Recipients(all) if all.is_empty()));
    store.set("a", &"x".into()).unwrap();
    assert!(said(store.save()).contains("no list"));
    Store::open(&place.settings()).unwrap().rekey(&place.readers(&[&bobs])).unwrap();
    place.set(&[("a", "x")]);
}

#[test]
fn a_passphrase_opens_a_store_and_gives_way_to_keys() {
    let place = Place::new();
    let settings = Settings::new().file(place.path("secrets.age")).passphrase("correct horse".into());
    Store::create(&settings, &Readers::Passphrase("correct horse".into()), Layout::Toml).unwrap();
    assert_eq!(place.files(), ["secrets.age"], "there is nobody to list");
    let mut store = Store::open(&settings).unwrap();
    store.set("a", &"x".into()).unwrap();
    store.save().unwrap();
    assert_eq!(value(&settings, "a").unwrap(), "x");
    let wrong = settings.clone().passphrase("hunter2".into());
    let error = value(&wrong, "a").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unauthenticated);
    assert!(error.to_string().contains("the passphrase does not open it"), "{error}");
    let error = value(&place.settings(), "a").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unauthenticated);
    assert!(error.to_string().contains("SECRETFIG_AGE_PASSPHRASE_FILE"), "{error}");

    let both = place.settings().passphrase("correct horse".into());
    Store::open(&both).unwrap().rekey(&place.readers(&[])).unwrap();
    assert_eq!(value(&place.settings(), "a").unwrap(), "x");
    Store::open(&both).unwrap().rekey(&Readers::Passphrase("next".into())).unwrap();
    assert_eq!(place.files(), ["secrets.age"]);
    assert_eq!(value(&settings.passphrase("next".into()), "a").unwrap(), "x");
}

#[cfg(unix)]
#[test]
fn modes_links_and_armor_stay() {
    use std::os::unix::fs::{PermissionsExt, symlink};
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let place = Place::new();
    assert_eq!(mode(&place.path("identity.txt")), 0o600);
    let deep = place.path("x/y/identity.txt");
    create_identity(&deep).unwrap();
    assert_eq!((mode(&place.path("x")), mode(&place.path("x/y")), mode(&deep)), (0o700, 0o700, 0o600));

    Store::create(&place.settings(), &place.readers(&[]), Layout::Toml).unwrap();
    let store = place.path("secrets.age");
    assert_eq!(mode(&store), 0o600);
    fs::set_permissions(&store, fs::Permissions::from_mode(0o640)).unwrap();

    // a link to it from elsewhere, and armor
    let link = place.path("x/link.age");
    symlink(&store, &link).unwrap();
    let key: age::x25519::Recipient = place.me.to_string().parse().unwrap();
    fs::write(&store, age::encrypt_and_armor(&key, b"a = 'old'\n").unwrap()).unwrap();
    let linked = place.settings().file(&link);
    let mut opened = Store::open(&linked).unwrap();
    opened.set("a", &"new".into()).unwrap();
    opened.save().unwrap();
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    assert_eq!(mode(&store), 0o640);
    assert!(fs::read(&store).unwrap().starts_with(b"-----BEGIN AGE ENCRYPTED FILE-----"));
    assert_eq!(value(&place.settings(), "a").unwrap(), "new");
    Store::open(&linked).unwrap().rekey(&place.readers(&[&stranger().1])).unwrap();
    assert!(fs::read(&store).unwrap().starts_with(b"-----BEGIN"));
    assert_eq!(fs::read_dir(place.path("x")).unwrap().count(), 2, "the list lies beside the store");

    // a link that leads nowhere is not written through
    fs::remove_file(&store).unwrap();
    assert!(said(Store::create(&linked, &place.readers(&[]), Layout::Toml)).contains("there already"));
    assert!(said(Store::open(&linked)).contains("secretfig local init"));
}

#[test]
fn what_a_power_cut_left_is_cleared_by_the_next_write() {
    let place = Place::with_store();
    fs::write(place.path(".secrets.age.new"), "half").unwrap();
    place.set(&[("a", "new")]);
    assert_eq!(place.files(), ["secrets.age", "secrets.age.recipients"]);
}

#[test]
fn an_ssh_reader_is_not_dropped_without_a_word() {
    // age takes any recipient; this one writes a stanza as an SSH key does
    struct Ssh;
    impl age::Recipient for Ssh {
        fn wrap_file_key(
            &self,
            _: &age_core::format::FileKey,
        ) -> Result<(Vec<age_core::format::Stanza>, std::collections::HashSet<String>), age::EncryptError>
        {
            let (tag, args) = ("ssh-ed25519".to_owned(), vec!["AAAA".to_owned()]);
            Ok((vec![age_core::format::Stanza { tag, args, body: vec![7; 32] }], Default::default()))
        }
    }
    let encrypted = |recipients: &[&dyn age::Recipient]| {
        let encryptor = age::Encryptor::with_recipients(recipients.iter().copied()).unwrap();
        let mut bytes = Vec::new();
        let mut writer = encryptor.wrap_output(&mut bytes).unwrap();
        writer.write_all(b"a = 'x'\n").unwrap();
        writer.finish().unwrap();
        bytes
    };
    let place = Place::new();
    let me: age::x25519::Recipient = place.me.to_string().parse().unwrap();
    fs::write(place.path("secrets.age"), encrypted(&[&me, &Ssh])).unwrap();
    assert_eq!(value(&place.settings(), "a").unwrap(), "x");
    let mut store = Store::open(&place.settings()).unwrap();
    store.set("a", &"y".into()).unwrap();
    assert!(said(store.save()).contains("SSH keys"));

    fs::write(place.path("secrets.age"), encrypted(&[&Ssh])).unwrap();
    let error = value(&place.settings(), "a").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Denied);
    assert!(error.to_string().contains("not supported"), "{error}");
}
