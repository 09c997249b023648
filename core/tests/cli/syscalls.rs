//! `local set` with each of its file-system calls failed in turn, and killed at each in turn: the store holds the old
//! value or the new one, never neither, and no file holds the plaintext.

use crate::ground::{Ground, Ran};
use secretfig_tests::Marker;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Compiles the shim that fails the n-th call.
fn shim(into: &Path) -> PathBuf {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/shims/fail_nth.c");
    let library = into.join("fail_nth.so");
    let mut cc = Command::new("cc");
    cc.args(["-Wall", "-Werror", "-O1", "-shared", "-fPIC", "-o"]).args([&library, &source]).arg("-ldl");
    let built = cc.output().expect("a C compiler, `cc`");
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    library
}

fn value(ground: &Ground) -> String {
    let mut run = ground.secretfig(&["exec", "--as", "V=a", "--", "sh", "-c", "cat $V_FILE"]);
    Ran::of(run.env("SECRET_PROVIDER", "local").output().unwrap()).fine().out
}

/// Every file below a folder.
fn files(folder: &Path, into: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { files(&path, into) } else { into.push(path) }
    }
}

/// How many runs ended how.
#[derive(Default)]
struct Tally {
    old: usize,
    new: usize,
    left: usize,
    codes: BTreeMap<Option<i32>, usize>,
    calls: BTreeMap<String, usize>,
}

/// Fails call after call until a run is spared. Each run sets another value than the last.
fn every_call(mode: &str) -> (usize, Tally) {
    let tools = tempfile::tempdir().unwrap();
    let (shim, mark) = (shim(tools.path()), tools.path().join("mark"));
    let ground = Ground::new();
    ground.write("config.toml", "[secrets]\na = 'a'\n");
    ground.run(&["local", "init"]).fine();
    let mut old = Marker::random();
    ground.run_with(&["local", "set", "a"], old.text()).fine();
    let mut known = Vec::new();
    files(ground.folder(), &mut known);

    let mut tally = Tally::default();
    for nth in 1..1_000 {
        let new = Marker::random();
        let mut set = ground.secretfig(&["local", "set", "a"]);
        set.env("LD_PRELOAD", &shim)
            .env("FAIL_NTH", nth.to_string())
            .env("FAIL_MODE", mode)
            .env("FAIL_MARK", &mark);
        let ran = Ran::piped(set, new.text());
        let call = std::fs::read_to_string(&mark);
        let spared = call.is_err();
        if let Ok(call) = call {
            *tally.calls.entry(call).or_default() += 1;
            std::fs::remove_file(&mark).unwrap();
        }
        assert!(new.find(ran.err.as_bytes()).is_none(), "{mode} {nth}: the value is told");

        let now = value(&ground);
        let case = format!("{mode} at call {nth}, exit code {:?}: {}", ran.code, ran.err);
        match () {
            () if now == new.text() => tally.new += 1,
            () if now == old.text() => tally.old += 1,
            () => panic!("neither the old value nor the new one: {case}"),
        }
        assert!(ran.code != Some(0) || now == new.text(), "said to be done and is not: {case}");
        assert!(mode != "kill" || spared || ran.code.is_none(), "survived: {case}");
        *tally.codes.entry(ran.code).or_default() += 1;

        let mut lying = Vec::new();
        files(ground.folder(), &mut lying);
        tally.left += lying.iter().filter(|path| !known.contains(path)).count();
        for path in &lying {
            let bytes = std::fs::read(path).unwrap();
            let found = new.find(&bytes).or_else(|| old.find(&bytes));
            assert!(found.is_none(), "plaintext in {}: {case}", path.display());
        }
        // whatever was left behind, the next one succeeds, and what was left is in nobody's way
        old = Marker::random();
        ground.run_with(&["local", "set", "a"], old.text()).fine();
        assert_eq!(value(&ground), old.text(), "the next one: {case}");
        if spared {
            assert_eq!(ran.code, Some(0), "{case}");
            return (nth - 1, tally);
        }
    }
    panic!("no run was spared");
}

fn tell(mode: &str) {
    let (count, Tally { old, new, left, codes, calls }) = every_call(mode);
    for call in ["open64", "write", "fsync", "rename"] {
        assert!(calls.contains_key(call), "no {call} among {calls:?}: is the shim in place?");
    }
    assert!(old > 0 && new > 0);
    #[expect(clippy::print_stdout, reason = "the figure that a run is kept for")]
    {
        println!(
            "local set, {mode}: {count} calls in turn, {calls:?}; {old} times the old value, {new} times the new one; \
             exit codes {codes:?}; {left} encrypted files left"
        );
    }
}

#[test]
fn every_call_failed_in_turn() {
    tell("eio");
}

#[test]
fn killed_at_every_call_in_turn() {
    tell("kill");
}
