//! What is in a file is what comes out, within bounds.

use super::bytes;
use super::{MARKER, get, refusal, refused, text};
use secretfig_files::{Files, Settings, TrailingNewline};
use secretfig_source::{Ask, At, ErrorKind, Format, Node, Probe, Reading, Source};
use std::fs::{self, File, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::process::Command;
use std::time::{Duration, SystemTime};
use tempfile::tempdir;

#[tokio::test]
async fn every_value_is_unchanged() {
    let dir = tempdir().unwrap();
    let files = Files::in_folder(dir.path()).unwrap();
    let large = "0123456789abcdef".repeat(3840); // 60 KiB
    let every: Vec<u8> = (0..=255).collect();
    for value in [
        b"00123".as_slice(),
        b" padded ",
        b"true",
        b"null",
        b"{x=1}",
        b"\"quoted\"",
        "🔑".as_bytes(),
        b"line\n\n",
        b"\n ",
        b"a\0b",
        b"\0",
        b"\xff\n",
        b"",
        &every,
        large.as_bytes(),
    ] {
        fs::write(dir.path().join("v"), value).unwrap();
        let answer = get(&files, "v").await;
        assert_eq!(bytes(&answer, None, Format::Bytes), value);
        // of a text, one newline is the file's
        let own = std::str::from_utf8(value).ok().and_then(|v| v.strip_suffix('\n'));
        assert_eq!(bytes(&answer, None, Format::Auto), own.map_or(value, str::as_bytes));
    }
}

#[tokio::test]
async fn one_newline_at_the_end_is_the_files_unless_kept() {
    let dir = tempdir().unwrap();
    let strip = Files::in_folder(dir.path()).unwrap();
    let keep =
        Files::new(Settings::new().folder(dir.path()).trailing_newline(TrailingNewline::Keep)).unwrap();
    for (written, stripped) in [("pw\n", "pw"), ("pw\r\n", "pw"), ("pw\n\n", "pw\n"), ("pw ", "pw ")] {
        fs::write(dir.path().join("pw"), written).unwrap();
        assert_eq!(text(&strip, "pw").await, stripped);
        assert_eq!(text(&keep, "pw").await, written);
    }
}

#[tokio::test]
async fn a_folder_is_one_secret_with_a_part_per_file() {
    let dir = tempdir().unwrap();
    let db = dir.path().join("myapp/db");
    fs::create_dir_all(&db).unwrap();
    fs::write(db.join("user"), "app\n").unwrap();
    fs::write(db.join("tls.crt"), "cert").unwrap();
    fs::write(db.join(".hidden"), "no part").unwrap();
    let files = Files::in_folder(dir.path()).unwrap();

    let answer = get(&files, "myapp/db").await;
    assert_eq!(bytes(&answer, Some("user"), Format::Auto), b"app");
    assert_eq!(bytes(&answer, Some("tls.crt"), Format::Auto), b"cert");
    let Node::Table(table) = answer.unwrap().document.read(&Reading::default()).unwrap() else { panic!() };
    assert_eq!(table.len(), 2);
    // asked for by its own name, it is a secret
    assert_eq!(text(&files, "myapp/db/.hidden").await, "no part");

    fs::create_dir(db.join("inner")).unwrap();
    refused(&files, "myapp/db", ErrorKind::Misconfigured).await;
    fs::remove_dir(db.join("inner")).unwrap();
    fs::write(db.join("a\nb"), "x").unwrap();
    refused(&files, "myapp/db", ErrorKind::Misconfigured).await;
}

#[tokio::test]
async fn sizes_are_bounded() {
    let dir = tempdir().unwrap();
    let files = Files::new(Settings::new().folder(dir.path()).max_bytes(8)).unwrap();
    fs::write(dir.path().join("fits"), "12345678").unwrap();
    fs::write(dir.path().join("large"), "123456789").unwrap();
    assert_eq!(text(&files, "fits").await, "12345678");
    refused(&files, "large", ErrorKind::TooLarge).await;

    // without being read: it would not fit into any memory
    let sparse = File::create(dir.path().join("sparse")).unwrap();
    sparse.set_len(1 << 40).unwrap();
    refused(&files, "sparse", ErrorKind::TooLarge).await;

    // the files of a folder count together
    fs::create_dir(dir.path().join("parts")).unwrap();
    fs::write(dir.path().join("parts/a"), "1234").unwrap();
    fs::write(dir.path().join("parts/b"), "1234").unwrap();
    assert!(get(&files, "parts").await.is_ok());
    fs::write(dir.path().join("parts/c"), "1").unwrap();
    refused(&files, "parts", ErrorKind::TooLarge).await;

    let error = Files::new(Settings::new().max_bytes(usize::MAX)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Misconfigured);
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_file_that_hides_its_size_is_read_and_bounded() {
    let file = "/proc/version";
    let (all, few) = (
        Files::new(Settings::new().allow(file)).unwrap(),
        Files::new(Settings::new().allow(file).max_bytes(4)).unwrap(),
    );
    assert_eq!(bytes(&get(&all, file).await, None, Format::Bytes), fs::read(file).unwrap());
    refused(&few, file, ErrorKind::TooLarge).await;
}

#[tokio::test]
async fn names_that_are_none_touch_no_disk() {
    let dir = tempdir().unwrap();
    fs::create_dir_all(dir.path().join("in/a")).unwrap();
    fs::write(dir.path().join("outside"), MARKER).unwrap();
    fs::write(dir.path().join("in/a/pw"), MARKER).unwrap();
    let files = Files::in_folder(dir.path().join("in")).unwrap();
    let outside = dir.path().join("outside").display().to_string();
    for name in [
        "",
        ".",
        "..",
        "../outside",
        "a/../../outside",
        "a/../a/pw",
        "a//pw",
        "a/",
        "a\\pw",
        "a/pw\0",
        &outside,
    ] {
        refused(&files, name, ErrorKind::Misconfigured).await;
    }
    for name in ["none", "a/none", "none/pw", "a/pw/none"] {
        refused(&files, name, ErrorKind::Absent).await;
    }
}

#[tokio::test]
async fn a_file_has_one_version() {
    let dir = tempdir().unwrap();
    fs::write(dir.path().join("pw"), MARKER).unwrap();
    let files = Files::in_folder(dir.path()).unwrap();
    for at in [At::Previous, At::Version("#1".into()), At::Stage("AWSCURRENT".into())] {
        let error = files.fetch(&[Ask::new("pw").at(at)]).await.remove(0).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Misconfigured);
    }
}

#[tokio::test]
async fn answers_are_in_order_and_of_their_own() {
    let dir = tempdir().unwrap();
    fs::write(dir.path().join("a"), "1").unwrap();
    fs::write(dir.path().join("b"), "2").unwrap();
    let files = Files::in_folder(dir.path()).unwrap();
    let asks = ["b", "none", "a", "../x", "b"].map(Ask::new);
    let answers = files.fetch(&asks).await;
    assert_eq!(bytes(&answers[0], None, Format::Auto), b"2");
    assert_eq!(answers[1].as_ref().unwrap_err().kind(), ErrorKind::Absent);
    assert_eq!(bytes(&answers[2], None, Format::Auto), b"1");
    assert_eq!(answers[3].as_ref().unwrap_err().kind(), ErrorKind::Misconfigured);
    assert_eq!(bytes(&answers[4], None, Format::Auto), b"2");
    assert!(files.fetch(&[]).await.is_empty());
}

#[tokio::test]
async fn pipes_sockets_and_devices_are_refused_at_once() {
    let dir = tempdir().unwrap();
    assert!(Command::new("mkfifo").arg(dir.path().join("pipe")).status().unwrap().success());
    let _socket = std::os::unix::net::UnixListener::bind(dir.path().join("socket")).unwrap();
    let files = Files::new(Settings::new().folder(dir.path()).allow("/dev/zero")).unwrap();
    for name in ["pipe", "socket", "/dev/zero"] {
        let error = tokio::time::timeout(Duration::from_secs(5), refusal(&files, name)).await.unwrap();
        assert_eq!(error.kind(), ErrorKind::Misconfigured);
        assert!(error.what_to_do().contains("pipe"), "{error}");
    }
}

#[tokio::test]
async fn what_may_not_be_read_is_denied() {
    let dir = tempdir().unwrap();
    let (shut, later) = (dir.path().join("shut"), dir.path().join("later"));
    fs::create_dir_all(&shut).unwrap();
    fs::create_dir_all(&later).unwrap();
    fs::write(shut.join("pw"), MARKER).unwrap();
    fs::write(later.join("pw"), "another").unwrap();
    fs::set_permissions(shut.join("pw"), Permissions::from_mode(0o000)).unwrap();
    if File::open(shut.join("pw")).is_ok() {
        // root may read all; the table of `error.rs` is tested by itself
        return;
    }
    let files = Files::new(Settings::new().folder(&shut).folder(&later)).unwrap();
    // and never looked for in the next folder
    refused(&files, "pw", ErrorKind::Denied).await;
}

#[tokio::test]
async fn revisions_follow_the_bytes_and_nothing_else() {
    let dir = tempdir().unwrap();
    let path = dir.path().join("pw");
    let files = Files::in_folder(dir.path()).unwrap();
    let then = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
    let write = |value: &str| {
        fs::write(&path, value).unwrap();
        // within one tick of the clock, at the same length, in the same inode
        File::options().write(true).open(&path).unwrap().set_modified(then).unwrap();
    };
    let probe = async || match files.probe(&[Ask::new("pw")]).await.remove(0).unwrap() {
        Probe::Current(revision) => revision.to_string(),
        other => panic!("{other:?}"),
    };
    write("aaaa");
    let first = get(&files, "pw").await.unwrap();
    assert_eq!((first.revision.as_str(), first.created), ("#1", Some(then)));
    assert!(first.repeatable && first.lease.is_none());
    write("bbbb");
    assert_eq!(probe().await, "#2");
    assert_eq!(get(&files, "pw").await.unwrap().revision.as_str(), "#2");
    write("aaaa");
    assert_eq!(probe().await, "#1");
}

#[tokio::test]
async fn what_others_may_do_is_warned_of() {
    let dir = tempdir().unwrap();
    let path = dir.path().join("pw");
    fs::write(&path, MARKER).unwrap();
    let files = Files::in_folder(dir.path()).unwrap();
    let warned = async |folder: u32, file: u32| {
        fs::set_permissions(dir.path(), Permissions::from_mode(folder)).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(file)).unwrap();
        let warnings = get(&files, "pw").await.unwrap().warnings;
        (warnings.iter().any(|w| w.contains("o-r")), warnings.iter().any(|w| w.contains("o-w")))
    };
    assert_eq!(warned(0o755, 0o600).await, (false, false));
    assert_eq!(warned(0o755, 0o660).await, (false, false));
    assert_eq!(warned(0o755, 0o644).await, (true, false));
    assert_eq!(warned(0o755, 0o666).await, (true, true));
    // its folder keeps the others out
    assert_eq!(warned(0o700, 0o666).await, (false, false));
}

#[test]
fn a_file_that_is_written_all_the_time_is_read_whole_or_not_at_all() {
    use std::io::Write;
    use std::sync::atomic::{AtomicBool, Ordering};
    let dir = tempdir().unwrap();
    let path = dir.path().join("log");
    fs::write(&path, "x").unwrap();
    let done = AtomicBool::new(false);
    let files = Files::new(Settings::new().folder(dir.path()).max_bytes(1 << 22)).unwrap();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut file = File::options().append(true).open(&path).unwrap();
            while !done.load(Ordering::Relaxed) && file.metadata().unwrap().len() < 1 << 20 {
                file.write_all(b"y").unwrap();
            }
        });
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            for _ in 0..20 {
                match get(&files, "log").await {
                    Ok(fetched) => {
                        let all = bytes(&Ok(fetched), None, Format::Bytes);
                        assert!(all[0] == b'x' && all[1..].iter().all(|b| *b == b'y'));
                    }
                    Err(error) => assert!(error.kind().is_outage(), "{error}"),
                }
            }
        });
        done.store(true, Ordering::Relaxed);
    });
}

#[test]
fn without_a_runtime_it_is_an_error_and_no_panic() {
    let dir = tempdir().unwrap();
    let files = Files::in_folder(dir.path()).unwrap();
    let asks = [Ask::new("pw")];
    let mut fetch = files.fetch(&asks);
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    let std::task::Poll::Ready(answers) = fetch.as_mut().poll(&mut context) else { panic!("it waits") };
    assert_eq!(answers[0].as_ref().unwrap_err().kind(), ErrorKind::Misconfigured);
}
