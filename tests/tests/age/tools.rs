//! Other implementations of age, installed once into the folder of the build.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;

const RAGE: &str = "0.12.1";
const AGE_ENCRYPTION: &str = "0.3.1";

/// `<target>/tools`.
fn tools() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap().join("tools")
}

/// One installs at a time, also where two test runs share the folder.
fn install(name: &str, is_there: impl Fn(&Path) -> bool, install: impl FnOnce(&Path)) -> PathBuf {
    let root = tools().join(name);
    fs::create_dir_all(&root).unwrap();
    let lock = fs::File::create(tools().join(format!("{name}.lock"))).unwrap();
    lock.lock().unwrap();
    if !is_there(&root) {
        install(&root);
        assert!(is_there(&root), "`{name}` was installed and is not there");
    }
    root
}

/// The folder of `rage` and `rage-keygen`.
fn rage_folder() -> &'static Path {
    static ROOT: OnceLock<PathBuf> = OnceLock::new();
    ROOT.get_or_init(|| {
        let binary = |root: &Path| root.join("bin").join(format!("rage{}", std::env::consts::EXE_SUFFIX));
        let root = install(
            &format!("rage-{RAGE}"),
            |root| binary(root).is_file(),
            |root| {
                let mut cargo = Command::new(env!("CARGO"));
                cargo.args(["install", "rage", "--version", RAGE, "--locked", "--no-default-features"]);
                cargo.arg("--root").arg(root).arg("--target-dir").arg(tools().join("build"));
                let done = cargo.output().unwrap();
                assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
            },
        );
        root.join("bin")
    })
}

/// Runs `rage` or `rage-keygen` on this input; what it writes to standard output.
pub(crate) fn rage(program: &str, args: &[&str], input: &[u8]) -> Result<Vec<u8>, String> {
    let program = rage_folder().join(format!("{program}{}", std::env::consts::EXE_SUFFIX));
    let mut command = Command::new(program);
    command.args(args);
    ended(run(&mut command, input))
}

/// One request to `age-encryption`, written in TypeScript by age's author.
pub(crate) fn node(request: &Value) -> Result<Vec<u8>, String> {
    static ROOT: OnceLock<PathBuf> = OnceLock::new();
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("age");
    let root = ROOT.get_or_init(|| {
        let lock = fs::read(source.join("package-lock.json")).unwrap();
        install(
            &format!("age-encryption-{AGE_ENCRYPTION}"),
            |root| {
                root.join("node_modules/age-encryption/package.json").is_file()
                    && fs::read(root.join("package-lock.json")).is_ok_and(|there| there == lock)
            },
            |root| {
                // the lock file last: it says that all of it is there
                fs::copy(source.join("package.json"), root.join("package.json")).unwrap();
                fs::copy(source.join("package-lock.json"), root.join("package-lock.json")).unwrap();
                let mut npm = Command::new("npm");
                npm.args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"]).current_dir(root);
                let done = npm.output().expect("Node 20 with npm is on the PATH");
                assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
            },
        )
    });
    // modules are looked for beside the script, so it lies beside them
    let script = root.join("age.mjs");
    fs::copy(source.join("age.mjs"), &script).unwrap();
    let mut command = Command::new("node");
    command.arg(script);
    ended(run(&mut command, request.to_string().as_bytes()))
}

/// The text that `age-encryption` finds in a file, opened with this key of the request.
pub(crate) fn node_decrypts(file: &[u8], with: &str, secret: &str) -> Result<String, String> {
    let text = node(&json!({ "do": "decrypt", "file": BASE64_STANDARD.encode(file), with: secret }))?;
    Ok(String::from_utf8(text).unwrap())
}

fn run(command: &mut Command, input: &[u8]) -> Output {
    let command = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    // it may end before it has read everything
    let _ = child.stdin.take().unwrap().write_all(input);
    child.wait_with_output().unwrap()
}

fn ended(done: Output) -> Result<Vec<u8>, String> {
    if done.status.success() { Ok(done.stdout) } else { Err(String::from_utf8_lossy(&done.stderr).into()) }
}
