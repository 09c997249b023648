//! Who reads a store after a change of its readers: nobody is dropped who was not named.

use super::*;

fn said<T: fmt::Debug>(result: Result<T, SourceError>) -> String {
    result.unwrap_err().to_string()
}

/// A store that we and Bob read.
fn with_bob() -> (Place, SecretString, Recipient) {
    let place = Place::with_store();
    let (bob, bobs) = stranger();
    open(&place).rekey(&place.readers(&[&bobs])).unwrap();
    (place, bob.to_string(), bobs)
}

fn open(place: &Place) -> Store {
    Store::open(&place.settings()).unwrap()
}

fn reads(place: &Place, key: &SecretString) -> bool {
    value(&place.settings().identity(key.clone()), "a").is_ok()
}

#[test]
fn nobody_is_dropped_by_a_list_that_cannot_be_read() {
    let (place, bob, bobs) = with_bob();
    let (_, eves) = stranger();
    let list = place.path("secrets.age.recipients");
    let good = fs::read_to_string(&list).unwrap();
    let line = good.lines().count() + 1;
    let conflict = format!("{good}<<<<<<< ours\n=======\n{eves}\n>>>>>>> theirs\n");
    for (text, why) in [
        (conflict.into_bytes(), format!("line {line}: no public key")),
        (format!("{good}AGE-SECRET-KEY-1HUNTER2\n").into_bytes(), format!("line {line}: no public key")),
        (b"\xff\xfe".to_vec(), "it is no text".to_owned()),
    ] {
        fs::write(&list, &text).unwrap();
        for (add, remove) in
            [(&[][..], &[][..]), (std::slice::from_ref(&eves), &[]), (&[], std::slice::from_ref(&bobs))]
        {
            let said = said(open(&place).readers_with(add, remove));
            assert!(said.contains(&why) && said.contains("secrets.age.recipients`"), "{said}");
            assert!(!said.to_lowercase().contains("hunter"), "{said}");
        }
        assert!(reads(&place, &bob));
        assert_eq!(fs::read(&list).unwrap(), text);
    }
}

#[test]
fn nobody_is_dropped_where_no_list_names_them() {
    let (place, bob, bobs) = with_bob();
    let (_, eves) = stranger();
    let list = place.path("secrets.age.recipients");
    for text in [None, Some(""), Some("# who reads it\n\n")] {
        match text {
            Some(text) => fs::write(&list, text).unwrap(),
            None => fs::remove_file(&list).unwrap(),
        }
        let mut store = open(&place);
        for (add, remove) in
            [(&[][..], &[][..]), (std::slice::from_ref(&eves), &[]), (&[], std::slice::from_ref(&bobs))]
        {
            let said = said(store.readers_with(add, remove));
            assert!(said.contains("it has 2 readers, and no list"), "{said}");
            assert!(said.contains("rekey --only") && !said.contains("is no reader"), "{said}");
        }
        store.set("a", &"x".into()).unwrap();
        assert!(said(store.save()).contains("rekey --only"));
    }
    assert!(reads(&place, &bob));
    // whom it is to be for is said, and so it is
    open(&place).rekey(&place.readers(&[&eves])).unwrap();
    assert!(!reads(&place, &bob));
    assert!(fs::read_to_string(&list).unwrap().contains(&eves.to_string()));

    // who is alone needs no list
    let place = Place::with_store();
    for text in ["", "# nobody\n"] {
        fs::write(place.path("secrets.age.recipients"), text).unwrap();
        let readers = open(&place).readers_with(std::slice::from_ref(&eves), &[]).unwrap();
        assert!(matches!(&readers, Readers::Recipients(all) if *all == [place.me.clone(), eves.clone()]));
        let error = said(open(&place).readers_with(&[], std::slice::from_ref(&bobs)));
        assert!(error.contains("is no reader of this store"), "{error}");
    }
}

#[test]
fn a_key_that_is_listed_twice_is_one_reader() {
    let (place, bob, bobs) = with_bob();
    let list = place.path("secrets.age.recipients");
    let good = fs::read_to_string(&list).unwrap();
    fs::write(&list, format!("{good}{bobs}\n")).unwrap();
    place.set(&[("a", "new")]);
    let readers = open(&place).readers_with(&[], &[]).unwrap();
    open(&place).rekey(&readers).unwrap();
    assert!(reads(&place, &bob));
    assert_eq!(fs::read_to_string(&list).unwrap(), good);
}

#[test]
fn what_was_cut_short_is_finished_by_the_same_command() {
    let (place, bob, bobs) = with_bob();
    let list = place.path("secrets.age.recipients");
    // as a power cut leaves it: he is off the list and still reads
    fs::write(&list, format!("{}\n", place.me)).unwrap();
    assert!(reads(&place, &bob));
    let readers = open(&place).readers_with(&[], std::slice::from_ref(&bobs)).unwrap();
    open(&place).rekey(&readers).unwrap();
    assert!(!reads(&place, &bob));
    let said = said(open(&place).readers_with(&[], &[bobs]));
    assert!(said.contains("is no reader of this store") && said.contains("local rekey"), "{said}");
}

#[test]
fn our_own_key_that_is_missing_in_the_list_is_let_in_by_the_command_that_is_named() {
    let (place, ..) = with_bob();
    let (_, eves) = stranger();
    let list = place.path("secrets.age.recipients");
    let command = format!("`secretfig local rekey --add {}`", place.me);
    for text in [format!("{eves}\n"), format!("{eves}\n{}\n", stranger().1)] {
        fs::write(&list, text).unwrap();
        let mut store = open(&place);
        store.set("a", &"x".into()).unwrap();
        let error = said(store.save());
        assert!(error.contains(&command), "{error}");
        let plain = open(&place).readers_with(&[], &[]).unwrap();
        let error = said(open(&place).rekey(&plain));
        assert!(error.contains(&command), "{error}");
    }
    let let_in = open(&place).readers_with(std::slice::from_ref(&place.me), &[]).unwrap();
    open(&place).rekey(&let_in).unwrap();
    place.set(&[("a", "new")]);
}

#[test]
fn a_store_with_a_passphrase_has_no_key_to_take_out_and_takes_ours_in() {
    let place = Place::new();
    let alone = Settings::new().file(place.path("secrets.age")).passphrase("correct horse".into());
    Store::create(&alone, &Readers::Passphrase("correct horse".into()), Layout::Toml).unwrap();
    let (_, bobs) = stranger();
    assert!(has_passphrase(&alone) && !identity_is_locked(&place.settings()));
    let store = Store::open(&alone).unwrap();
    assert!(matches!(store.readers_with(&[], &[]).unwrap(), Readers::Passphrase(_)));
    for add in [&[][..], std::slice::from_ref(&bobs)] {
        let said = said(store.readers_with(add, std::slice::from_ref(&bobs)));
        assert!(said.contains("no key can be taken out"), "{said}");
    }
    let error = said(store.readers_with(std::slice::from_ref(&bobs), &[]));
    assert!(error.contains("secretfig local init"), "{error}");
    drop(store);
    let broken = alone.clone().identity("AGE-SECRET-KEY-1HUNTER2".into());
    let error = said(Store::open(&broken).unwrap().readers_with(std::slice::from_ref(&bobs), &[]));
    assert!(error.contains("typing error") && !error.to_lowercase().contains("hunter"), "{error}");

    let both = place.settings().passphrase("correct horse".into());
    let store = Store::open(&both).unwrap();
    let readers = store.readers_with(std::slice::from_ref(&bobs), &[]).unwrap();
    store.rekey(&readers).unwrap();
    assert!(matches!(open(&place).readers(), Readers::Recipients(all) if *all == [place.me.clone(), bobs]));
    assert!(!has_passphrase(&alone));
}

#[test]
fn more_readers_than_can_be_read_again_are_refused_before_anything_is_written() {
    let place = Place::with_store();
    let many: Vec<Recipient> = (0..400).map(|_| stranger().1).collect();
    let files = || place.files().into_iter().map(|name| fs::read(place.path(&name)).unwrap());
    let before: Vec<_> = files().collect();
    let all: Vec<&Recipient> = many.iter().collect();
    let error = open(&place).rekey(&place.readers(&all)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TooLarge);
    assert!(
        error.to_string().contains("would have 401 readers") && error.to_string().contains("300"),
        "{error}"
    );
    assert!(files().eq(before));
    let empty = Place::new();
    let error = Store::create(&empty.settings(), &empty.readers(&all), Layout::Toml).unwrap_err();
    assert_eq!((error.kind(), empty.files().len()), (ErrorKind::TooLarge, 0));

    open(&place).rekey(&place.readers(&all[..299])).unwrap();
    assert_eq!(value(&place.settings(), "a").unwrap(), "old");
    place.set(&[("a", "new")]);
}

#[test]
fn a_locked_identity_is_known_as_such() {
    let place = Place::with_store();
    let key = fs::read(place.path("identity.txt")).unwrap();
    let mut passphrase = age::scrypt::Recipient::new("correct horse".into());
    passphrase.set_work_factor(2);
    let locked = age::encrypt_and_armor(&passphrase, &key).unwrap();
    assert!(!identity_is_locked(&place.settings()) && !has_passphrase(&place.settings()));
    assert!(identity_is_locked(&place.settings().identity(locked.as_str().into())));
    fs::write(place.path("identity.txt"), &locked).unwrap();
    assert!(identity_is_locked(&place.settings()) && !has_passphrase(&place.settings()));
    assert!(!identity_is_locked(&Settings::new()));
    let own = recipients_of(&place.settings().passphrase("correct horse".into())).unwrap();
    assert_eq!(own, std::slice::from_ref(&place.me));
    assert_eq!(names(&place.settings().passphrase("correct horse".into())).unwrap(), ["a", "b/c"]);
}

#[test]
fn names_are_read_while_another_holds_the_lock() {
    let place = Place::with_store();
    let held = open(&place);
    assert_eq!(names(&place.settings()).unwrap(), held.names());
    let error = said(names(&Settings::new().file(place.path("none.age"))));
    assert!(error.contains("secretfig local init"), "{error}");
}
