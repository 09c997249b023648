//! Where a name is looked up.

use super::{MARKER, refusal, refused, text};
use secretfig_files::{Files, Settings};
use secretfig_source::{ErrorKind, Source};
use std::ffi::OsString;
use std::fs;
use tempfile::tempdir;

#[tokio::test]
async fn the_first_folder_that_has_the_name_gives_it() {
    let dir = tempdir().unwrap();
    let path = |name: &str| dir.path().join(name);
    for (folder, file) in [("a", "one"), ("b", "one"), ("b", "two"), ("creds", "two"), ("creds", "three")] {
        fs::create_dir_all(path(folder)).unwrap();
        fs::write(path(folder).join(file), format!("{folder}/{file}")).unwrap();
    }
    let list = std::env::join_paths([path("a"), path("b")]).unwrap();
    let vars = [
        (OsString::from("SECRETFIG_FILES_DIR"), list),
        ("CREDENTIALS_DIRECTORY".into(), path("creds").into_os_string()),
    ];
    let files = Files::from_env(vars).unwrap();
    files.sign_in().await.unwrap();
    assert_eq!(text(&files, "one").await, "a/one");
    assert_eq!(text(&files, "two").await, "b/two");
    assert_eq!(text(&files, "three").await, "creds/three");
    let error = refusal(&files, "four").await;
    assert_eq!(error.kind(), ErrorKind::Absent);
    assert!(error.what_to_do().contains("/creds`, `/run/secrets`"), "{error}");

    let info = files.info();
    assert_eq!(info.scheme, "file-secret");
    assert!(info.origin.contains("/a, ") && info.origin.ends_with("/run/secrets"), "{}", info.origin);
    assert_eq!((info.batch.at_most, info.batch.from, info.ttl), (1024, 1, None));
}

#[tokio::test]
async fn an_explicit_folder_must_be_there() {
    let dir = tempdir().unwrap();
    fs::write(dir.path().join("file"), MARKER).unwrap();
    for missing in ["none", "file", "file/none"] {
        let files = Files::in_folder(dir.path().join(missing)).unwrap();
        let error = files.sign_in().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Misconfigured, "{error}");
        assert!(error.to_string().contains(missing) && error.secret_name().is_none(), "{error}");
        // and what is in it is not called absent
        refused(&files, "pw", ErrorKind::Misconfigured).await;
    }
    let implicit = Files::from_env([("CREDENTIALS_DIRECTORY", dir.path().join("none"))]).unwrap();
    implicit.sign_in().await.unwrap();
    refused(&implicit, "surely-not-there", ErrorKind::Absent).await;
}

#[tokio::test]
async fn a_folder_that_is_gone_is_an_outage() {
    let dir = tempdir().unwrap();
    let path = |name: &str| dir.path().join(name);
    let explicit = Files::in_folder(path("in")).unwrap();
    let implicit = Files::from_env([("CREDENTIALS_DIRECTORY", path("in"))]).unwrap();
    fs::create_dir(path("in")).unwrap();
    fs::write(path("in/pw"), "x").unwrap();
    for files in [&explicit, &implicit] {
        assert_eq!(text(files, "pw").await, "x");
    }
    fs::rename(path("in"), path("away")).unwrap();
    for files in [&explicit, &implicit] {
        let error = refusal(files, "pw").await;
        assert!(error.kind().is_outage() && error.what_to_do().contains("/in`: it was there"), "{error}");
    }
    fs::rename(path("away"), path("in")).unwrap();
    for files in [&explicit, &implicit] {
        assert_eq!(text(files, "pw").await, "x");
    }
}

#[tokio::test]
async fn a_name_may_be_mapped_to_a_file() {
    let dir = tempdir().unwrap();
    let path = |name: &str| dir.path().join(name);
    fs::create_dir(path("folder")).unwrap();
    fs::write(path("folder/db-password"), "of the folder").unwrap();
    fs::write(path("folder/gone"), "of the folder").unwrap();
    fs::write(path("mapped"), "mapped").unwrap();
    fs::write(path("by-variable"), "by variable").unwrap();
    let settings = Settings::from_env([
        ("SECRETFIG_FILES_DIR", path("folder")),
        ("SECRET_FILE_MYAPP_DB_PASSWORD", path("by-variable")),
        ("SECRET_FILE_GONE", path("none")),
    ]);
    let files = Files::new(settings.unwrap().file("db-password", path("mapped"))).unwrap();
    files.sign_in().await.unwrap();
    assert_eq!(text(&files, "db-password").await, "mapped");
    assert_eq!(text(&files, "myapp/db-password").await, "by variable");
    assert_eq!(text(&files, "MyApp/db.password").await, "by variable");
    // what is mapped is not looked for elsewhere
    let error = refusal(&files, "gone").await;
    assert_eq!(error.kind(), ErrorKind::Absent);
    assert!(error.what_to_do().contains("/none`"), "{error}");
}

#[tokio::test]
async fn absolute_names_are_allowed_one_by_one() {
    let dir = tempdir().unwrap();
    fs::write(dir.path().join("pw"), "allowed").unwrap();
    fs::write(dir.path().join("other"), MARKER).unwrap();
    let absolute = |name: &str| dir.path().join(name).display().to_string();
    // lying in a folder that is searched does not allow it
    let files = Files::in_folder(dir.path()).unwrap();
    refused(&files, &absolute("pw"), ErrorKind::Misconfigured).await;
    files.allow_file(dir.path().join("pw")).unwrap();
    files.allow_file(dir.path().join("none")).unwrap();
    files.allow_file(dir.path()).unwrap();
    assert_eq!(text(&files.clone(), &absolute("pw")).await, "allowed");
    refused(&files, &absolute("none"), ErrorKind::Absent).await;
    refused(&files, &absolute("other"), ErrorKind::Misconfigured).await;
    refused(&files, &absolute("x/../other"), ErrorKind::Misconfigured).await;
    refused(&files, &absolute(""), ErrorKind::Misconfigured).await;
    let error = files.allow_file("relative").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Misconfigured);
}

#[test]
fn what_it_prints_names_places_only() {
    let files = Files::new(Settings::new().folder("/a").file("pw", "/b")).unwrap();
    let text = format!("{files:?} {:?}", files.info());
    assert!(text.contains("\"/a\"") && !text.contains("prints"), "{text}");
}
