//! Looks at once, and looks that are given up.

use super::*;
use secrecy::SecretString;
use std::io::Write;

fn locked(folder: &std::path::Path, work: u8) -> Settings {
    let mut recipient = age::scrypt::Recipient::new(SecretString::from("correct horse"));
    recipient.set_work_factor(work);
    let recipients = std::iter::once(&recipient as &dyn age::Recipient);
    let mut bytes = Vec::new();
    let mut writer = age::Encryptor::with_recipients(recipients).unwrap().wrap_output(&mut bytes).unwrap();
    writer.write_all(b"a = 'x'\n").unwrap();
    writer.finish().unwrap();
    std::fs::write(folder.join("secrets.age"), bytes).unwrap();
    Settings::new().file(folder.join("secrets.age")).passphrase("correct horse".into())
}

#[tokio::test(flavor = "current_thread")]
async fn looks_at_once_are_one_decryption() {
    let folder = tempfile::tempdir().unwrap();
    let inner = Local::new(locked(folder.path(), 8)).unwrap().inner;
    let (caller, here) = Caller::new();
    let caller = Arc::new(caller);
    let turn = inner.turns.wait();
    let looks = [(); 3].map(|()| {
        let (inner, caller) = (inner.clone(), caller.clone());
        tokio::task::spawn_blocking(move || inner.look(&caller))
    });
    while !inner.turns.are_waiting(3) {
        tokio::task::yield_now().await;
    }
    drop(turn);
    let mut opened = Vec::new();
    for look in looks {
        opened.push(look.await.unwrap().ok().unwrap());
    }
    assert!(opened.iter().all(|look| Arc::ptr_eq(look, &opened[0])));
    // the last one has left nothing
    let again = inner.look(&caller).ok().unwrap();
    assert!(!Arc::ptr_eq(&again, &opened[0]));
    drop(here);
}

#[tokio::test(flavor = "current_thread")]
async fn what_is_given_up_in_the_midst_leaves_its_work_to_the_next() {
    let folder = tempfile::tempdir().unwrap();
    // long enough, and not too long
    let inner = Local::new(locked(folder.path(), 15)).unwrap().inner;
    let (caller, here) = Caller::new();
    let given_up = {
        let inner = inner.clone();
        tokio::task::spawn_blocking(move || inner.look(&caller))
    };
    // the store was read, so it is decrypted from here on
    while !inner.seen.load(Ordering::Relaxed) {
        tokio::task::yield_now().await;
    }
    drop(here);
    let done = given_up.await.unwrap().ok().unwrap();
    let (caller, here) = Caller::new();
    let next = inner.look(&caller).ok().unwrap();
    assert!(Arc::ptr_eq(&next, &done));
    let once = inner.look(&caller).ok().unwrap();
    assert!(!Arc::ptr_eq(&once, &done));
    drop(here);
}
