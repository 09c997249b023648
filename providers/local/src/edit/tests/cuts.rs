//! Whatever step fails, and wherever the power is cut, the store at the path is the old one or the
//! new one, whole.

use super::model::{Cut, Failing};
use super::*;
use std::collections::{BTreeMap, BTreeSet};

/// Where the folder of a world is put, to be read as any other.
fn found(world: &BTreeMap<PathBuf, Vec<u8>>) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    for (path, bytes) in world {
        fs::write(dir.path().join(path.file_name().unwrap()), bytes).unwrap();
    }
    dir
}

/// Cuts the power after each step of a change, and looks at every world that may be found then.
/// `judge` says which state it is. Answers how many steps the change has, and how many worlds there
/// were.
fn cut_everywhere(
    place: &Place,
    change: impl Fn(&Cut) -> Result<(), Refusal>,
    judge: impl Fn(&Path) -> &'static str,
) -> (usize, usize, BTreeSet<&'static str>) {
    let (mut worlds, mut states) = (0, BTreeSet::new());
    for steps in 0.. {
        let disk = Cut::after(steps, place.dir.path());
        let done = change(&disk);
        assert!(done.is_ok() || !disk.is_on(), "{:?}", done.map_err(SourceError::from));
        for world in disk.worlds() {
            worlds += 1;
            let state = judge(found(&world).path());
            states.insert(state);
            assert!(done.is_err() || state == "new", "it was said to be done, and a cut made it {state}");
        }
        if done.is_ok() {
            return (steps, worlds, states);
        }
    }
    unreachable!()
}

#[test]
fn a_cut_while_setting_leaves_the_old_or_the_new() {
    let place = Place::with_store();
    let change = |disk: &Cut| {
        let mut store = Store::open(&place.settings()).unwrap();
        store.set("a", &"new".into()).unwrap();
        store.save_on(disk)
    };
    let judge = |folder: &Path| {
        assert_eq!(value(&settings_in(folder), "b/c").unwrap(), "kept");
        match &*value(&settings_in(folder), "a").unwrap() {
            "old" => "old",
            "new" => "new",
            other => panic!("{other}"),
        }
    };
    let (steps, worlds, states) = cut_everywhere(&place, change, judge);
    assert_eq!((steps, states), (7, BTreeSet::from(["new", "old"])));
    assert_eq!(worlds, 45);
}

#[test]
fn a_cut_while_creating_leaves_nothing_or_the_new() {
    let place = Place::new();
    let readers = place.readers(&[]);
    let change = |disk: &Cut| create(disk, &place.settings(), &readers, Layout::Toml, &|| ());
    let judge = |folder: &Path| {
        let settings = settings_in(folder);
        if !settings.file.exists() {
            // and the next try succeeds, whatever else is left
            create(&Real, &settings, &readers, Layout::Json, &|| ()).map_err(SourceError::from).unwrap();
            return "none";
        }
        let mut store = Store::open(&settings).unwrap();
        store.set("a", &"x".into()).unwrap();
        store.save().unwrap();
        "new"
    };
    let (steps, worlds, states) = cut_everywhere(&place, change, judge);
    assert_eq!((steps, states), (12, BTreeSet::from(["new", "none"])));
    assert_eq!(worlds, 99);
}

#[test]
fn a_cut_while_rekeying_never_lets_one_back_in_who_was_taken_out() {
    let place = Place::with_store();
    let (bob, bobs) = stranger();
    let (_, carols) = stranger();
    Store::open(&place.settings()).unwrap().rekey(&place.readers(&[&bobs])).unwrap();
    let secret = bob.to_string();
    let bobs_settings = |folder: &Path| settings_in(folder).identity(secret.clone());

    // the same number of readers, which the stanzas cannot tell apart
    let readers = place.readers(&[&carols]);
    let change = |disk: &Cut| Store::open(&place.settings()).unwrap().rekey_on(disk, &readers);
    let judge = |folder: &Path| {
        assert_eq!(value(&settings_in(folder), "a").unwrap(), "old", "we can read it in any case");
        let old_list = fs::read_to_string(folder.join("secrets.age.recipients")).unwrap();
        let bob_reads = value(&bobs_settings(folder), "a").is_ok();
        let mut store = Store::open(&settings_in(folder)).unwrap();
        store.set("a", &"next".into()).unwrap();
        store.save().unwrap();
        let bob_reads_on = value(&bobs_settings(folder), "a").is_ok();
        assert_eq!(bob_reads_on, old_list.contains(&bobs.to_string()), "the list decides");
        match (bob_reads, bob_reads_on) {
            (true, true) => "old",
            (true, false) => "between",
            (false, false) => "new",
            (false, true) => panic!("one who was taken out was let in again"),
        }
    };
    let (steps, worlds, states) = cut_everywhere(&place, change, judge);
    assert_eq!((steps, states), (14, BTreeSet::from(["between", "new", "old"])));
    assert_eq!(worlds, 87);
}

/// Fails each step of a change in turn, each in a place of its own.
fn fail_everywhere(
    place: impl Fn() -> Place,
    change: impl Fn(&Place, &Failing) -> Result<(), Refusal>,
    judge: impl Fn(&Place, bool),
) -> usize {
    for steps in 0.. {
        let place = place();
        let disk = Failing::after(steps);
        let done = change(&place, &disk).map_err(|refusal| SourceError::from(refusal).to_string());
        assert_eq!(done.is_err(), disk.failed.get(), "step {steps}: {done:?}");
        assert!(
            !place.files().iter().any(|name| name.ends_with(".new")),
            "step {steps}: {:?}",
            place.files()
        );
        judge(&place, done.is_ok());
        match done {
            Ok(()) => return steps,
            Err(said) => {
                assert!(said.contains("`") && !said.contains("marker"), "{said}");
                assert!(said.contains("no room left") || said.contains("does not confirm"), "{said}");
            }
        }
    }
    unreachable!()
}

#[test]
fn a_step_that_fails_while_setting_leaves_the_old_or_the_new_and_no_clutter() {
    let change = |place: &Place, disk: &Failing| {
        let mut store = Store::open(&place.settings()).unwrap();
        store.set("a", &"new".into()).unwrap();
        store.save_on(disk)
    };
    let steps = fail_everywhere(Place::with_store, change, |place, done| {
        let value = value(&place.settings(), "a").unwrap();
        assert!(value == "new" || value == "old" && !done, "{value}");
    });
    assert_eq!(steps, 7);
}

#[test]
fn a_step_that_fails_while_creating_leaves_nothing_or_the_new_and_no_clutter() {
    let change = |place: &Place, disk: &Failing| {
        create(disk, &place.settings(), &place.readers(&[]), Layout::Json, &|| ())
    };
    let steps = fail_everywhere(Place::new, change, |place, done| {
        if place.settings().file.exists() {
            assert!(Store::open(&place.settings()).unwrap().names().is_empty());
        } else {
            assert!(!done);
            Store::create(&place.settings(), &place.readers(&[]), Layout::Json).unwrap();
        }
    });
    assert_eq!(steps, 12);
}

#[test]
fn a_step_that_fails_while_rekeying_leaves_what_we_can_read_and_settle() {
    let (bob, bobs) = stranger();
    let (_, carols) = stranger();
    let with_carol = || {
        let place = Place::with_store();
        Store::open(&place.settings()).unwrap().rekey(&place.readers(&[&carols])).unwrap();
        place
    };
    let change = |place: &Place, disk: &Failing| {
        Store::open(&place.settings()).unwrap().rekey_on(disk, &place.readers(&[&bobs]))
    };
    let steps = fail_everywhere(with_carol, change, |place, _| {
        assert_eq!(value(&place.settings(), "a").unwrap(), "old");
        // as many readers as before: only whom the list names tells whether it was put back
        let list = fs::read_to_string(place.path("secrets.age.recipients")).unwrap();
        let bob_reads = value(&place.settings().identity(bob.to_string()), "a").is_ok();
        assert_eq!(list.contains(&bobs.to_string()), bob_reads, "{list}");
        assert_eq!(list.contains(&carols.to_string()), !bob_reads, "{list}");
        Store::open(&place.settings()).unwrap().rekey(&place.readers(&[&bobs])).unwrap();
        place.set(&[("a", "new")]);
    });
    assert_eq!(steps, 14);
}
