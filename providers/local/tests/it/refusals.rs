//! What cannot be read, told by kind and by what to do, and nothing of any value.

use super::store::{Place, encrypted, locked};
use super::{ErrorKind, MARKER, get, refusal, refused, text};
use secretfig_local::{Local, Settings};
use secretfig_source::{Source, Unavailable};
use std::fs;

#[tokio::test(flavor = "current_thread")]
async fn a_store_that_is_not_there() {
    let place = Place::new();
    let local = place.local();
    refused(&local, ErrorKind::Misconfigured, "secretfig local init").await;
    let error = local.sign_in().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Misconfigured);
    assert!(error.what_to_do().contains("secrets.age") && error.what_to_do().contains("SECRETFIG_AGE_FILE"));
    // once it was there, that it is gone is an outage
    place.hold("a = 'x'\n");
    assert_eq!(text(&local, "a").await, "x");
    fs::remove_file(place.path("secrets.age")).unwrap();
    refused(&local, ErrorKind::Unavailable(Unavailable::Failing), "is gone").await;
}

#[tokio::test(flavor = "current_thread")]
async fn a_key_that_is_no_reader_is_denied_and_says_who_can_help() {
    let place = Place::new();
    place.write("secrets.age", &encrypted(&[age::x25519::Identity::generate().to_public()], "a = 'x'\n"));
    let help = format!("secretfig local rekey --add {}", place.key.to_public());
    refused(&place.local(), ErrorKind::Denied, &help).await;
}

#[tokio::test(flavor = "current_thread")]
async fn without_any_identity_it_says_how_to_get_one() {
    let place = Place::holding("a = 'x'\n");
    let bare = Settings::new().file(place.path("secrets.age"));
    let local = Local::new(bare.clone()).unwrap();
    refused(&local, ErrorKind::Unauthenticated, "secretfig local init").await;
    assert_eq!(local.sign_in().await.unwrap_err().kind(), ErrorKind::Unauthenticated);
    let vars = [("SECRETFIG_AGE_FILE", place.path("secrets.age")), ("XDG_CONFIG_HOME", place.path("config"))];
    let local = Local::from_env(vars).unwrap();
    refused(&local, ErrorKind::Unauthenticated, "config/secretfig/identity.txt` is not there").await;
    // only a passphrase, and a store for keys
    let local = Local::new(bare.passphrase(MARKER.into())).unwrap();
    refused(&local, ErrorKind::Unauthenticated, "no identity").await;
}

#[tokio::test(flavor = "current_thread")]
async fn a_path_that_may_be_a_secret_is_not_shown() {
    let place = Place::holding("a = 'x'\n");
    for variable in ["SECRETFIG_AGE_IDENTITY", "SECRETFIG_AGE_IDENTITY_FILE"] {
        let vars =
            [("SECRETFIG_AGE_FILE", place.path("secrets.age").into_os_string()), (variable, MARKER.into())];
        let local = Local::from_env(vars).unwrap();
        refused(&local, ErrorKind::Misconfigured, &format!("`{variable}`: it is not there")).await;
        assert!(!format!("{local:?}").contains(MARKER));
    }
    place.write("secrets.age", &locked(MARKER, 8, "a = 'x'\n"));
    let vars = [
        ("SECRETFIG_AGE_FILE", place.path("secrets.age").into_os_string()),
        ("SECRETFIG_AGE_PASSPHRASE_FILE", MARKER.into()),
    ];
    let local = Local::from_env(vars).unwrap();
    refused(&local, ErrorKind::Misconfigured, "`SECRETFIG_AGE_PASSPHRASE_FILE`: it is not there").await;
}

#[tokio::test(flavor = "current_thread")]
async fn passphrases() {
    let place = Place::new();
    place.write("secrets.age", &locked(MARKER, 8, "a = 'x'\n"));
    let bare = Settings::new().file(place.path("secrets.age"));
    let with = |passphrase: &str| Local::new(bare.clone().passphrase(passphrase.into())).unwrap();
    assert_eq!(text(&with(MARKER), "a").await, "x");
    refused(&with("wrong"), ErrorKind::Unauthenticated, "the passphrase does not open it").await;
    refused(&with(""), ErrorKind::Misconfigured, "empty").await;
    refused(&place.local(), ErrorKind::Unauthenticated, "SECRETFIG_AGE_PASSPHRASE_FILE").await;

    // a header that asks for hours, which only its number shows: refused before any work
    let hostile = String::from_utf8_lossy(&locked(MARKER, 8, "")).into_owned();
    let header = hostile.split_once("\n---").unwrap().0.replacen(" 8\n", " 30\n", 1);
    let rest = &locked(MARKER, 8, "a = 'x'")[..];
    let at = rest.windows(4).position(|four| four == b"\n---").unwrap();
    place.write("secrets.age", &[header.as_bytes(), &rest[at..]].concat());
    refused(&with(MARKER), ErrorKind::TooLarge, "2^20 rounds of scrypt").await;
}

#[tokio::test(flavor = "current_thread")]
async fn a_damaged_store_is_malformed_wherever_it_is_damaged() {
    let place = Place::new();
    let whole = encrypted(&[place.key.to_public()], &format!("a = '{MARKER}'\n"));
    let local = place.local();
    let mut ends = 0;
    for end in (1..whole.len()).step_by(7) {
        place.write("secrets.age", &whole[..end]);
        refused(&local, ErrorKind::Malformed, "store").await;
        ends += 1;
    }
    // Each byte in turn: a stanza that was changed may also be one for another reader, or none.
    for at in (0..whole.len()).step_by(5) {
        let mut bytes = whole.clone();
        bytes[at] ^= 1;
        place.write("secrets.age", &bytes);
        let error = refusal(&local, "a").await;
        assert!(matches!(error.kind(), ErrorKind::Malformed | ErrorKind::Denied), "{at}: {error}");
        assert!(error.kind() == ErrorKind::Malformed || at < whole.len() / 2, "{at}: {error}");
    }
    assert!(ends > 20, "{ends}");
    for bytes in [
        &b""[..],
        b"a = 'x'\n",
        b"age-encryption.org/v2\n-> X25519 a\n",
        b"-----BEGIN AGE ENCRYPTED FILE-----\n%",
    ] {
        place.write("secrets.age", bytes);
        refused(&local, ErrorKind::Malformed, "store").await;
    }
    place.hold(&format!("a = {MARKER}\n"));
    refused(&local, ErrorKind::Malformed, "no valid TOML").await;
    place.hold(&format!("{{\"a\": {MARKER}}}"));
    refused(&local, ErrorKind::Malformed, "no valid JSON").await;
}

#[tokio::test(flavor = "current_thread")]
async fn sizes_are_bounded_before_they_are_read() {
    let place = Place::new();
    let small = || Local::new(place.settings().max_bytes(100)).unwrap();
    place.hold(&format!("a = '{}'\n", "x".repeat(100 - 7)));
    assert_eq!(text(&small(), "a").await.len(), 93);
    place.hold(&format!("a = '{}'\n", "x".repeat(100 - 6)));
    refused(&small(), ErrorKind::TooLarge, "SECRETFIG_AGE_MAX_BYTES").await;
    // a file that no plaintext of 100 bytes can have, which is refused by its length alone
    fs::File::create(place.path("secrets.age")).unwrap().set_len(1 << 40).unwrap();
    refused(&small(), ErrorKind::TooLarge, "SECRETFIG_AGE_MAX_BYTES").await;
    // the bound holds for armor and at the default
    let text = format!("a = '{}'\n", "x".repeat((1 << 20) - 7));
    let armored = age::encrypt_and_armor(&place.key.to_public(), text.as_bytes()).unwrap();
    place.write("secrets.age", armored.as_bytes());
    assert_eq!(super::text(&place.local(), "a").await.len(), (1 << 20) - 7);
    assert!(Local::new(place.settings().max_bytes((64 << 20) + 1)).is_err());
}

#[tokio::test(flavor = "current_thread")]
async fn a_header_without_end_is_refused_before_it_is_read() {
    let place = Place::new();
    // age would read 200,000 lines, each of them with all that stand before it
    let header = format!("age-encryption.org/v1\n{}", "-> a\n\n".repeat(100_000));
    let armored = {
        let mut writer =
            age::armor::ArmoredWriter::wrap_output(Vec::new(), age::armor::Format::AsciiArmor).unwrap();
        std::io::Write::write_all(&mut writer, header.as_bytes()).unwrap();
        writer.finish().unwrap()
    };
    for bytes in [header.as_bytes(), &armored] {
        place.write("secrets.age", bytes);
        let local = place.local();
        let answer = refused(&local, ErrorKind::TooLarge, "header");
        tokio::time::timeout(std::time::Duration::from_secs(20), answer).await.expect("it takes too long");
    }
    let many: Vec<_> = (0..300).map(|_| age::x25519::Identity::generate().to_public()).collect();
    let many = [&many[..], &[place.key.to_public()]].concat();
    place.write("secrets.age", &encrypted(&many, "a = 'x'\n"));
    assert_eq!(text(&place.local(), "a").await, "x");
}

#[cfg(unix)]
#[tokio::test(flavor = "current_thread")]
async fn what_is_no_file_is_refused_without_waiting() {
    let place = Place::new();
    fs::create_dir(place.path("secrets.age")).unwrap();
    refused(&place.local(), ErrorKind::Misconfigured, "it is no file").await;
    let device = Local::new(place.settings().file("/dev/zero")).unwrap();
    refused(&device, ErrorKind::Misconfigured, "it is no file").await;
    fs::remove_dir(place.path("secrets.age")).unwrap();
    place.hold("a = 'x'\n");
    let device = Local::new(place.settings().identity_file("/dev/zero")).unwrap();
    refused(&device, ErrorKind::Misconfigured, "it is no file").await;
}

#[tokio::test(flavor = "current_thread")]
async fn no_name_is_answered_that_is_none() {
    let place = Place::holding("a = 'x'\n[b]\nc = 'y'\n");
    let local = place.local();
    for name in ["", "/a", "a/", "b//c", "b/../a", "../a", "a\n", "b\\c", "b.c"] {
        let kind = refusal(&local, name).await.kind();
        let want = if name == "b.c" { ErrorKind::Absent } else { ErrorKind::Misconfigured };
        assert_eq!(kind, want, "{name:?}");
    }
    assert!(get(&local, "b/c").await.is_ok());
}

#[test]
fn outside_of_a_runtime_it_says_so() {
    let place = Place::holding("a = 'x'\n");
    let local = place.local();
    let mut fetching = local.fetch(&[]);
    let waker = std::task::Waker::noop();
    let mut context = std::task::Context::from_waker(waker);
    assert!(fetching.as_mut().poll(&mut context).is_ready());
    let mut signing = local.sign_in();
    match signing.as_mut().poll(&mut context) {
        std::task::Poll::Ready(Err(error)) => assert!(error.what_to_do().contains("tokio"), "{error}"),
        _ => panic!("it waits"),
    }
}
