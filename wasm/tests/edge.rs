//! The package as it is shipped, in Node and in workerd, against a real OpenBao, and servers of AWS' interfaces.

#![cfg(unix)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a test fails by panicking, and these print what they measured"
)]

use secretfig_test_servers::{Moto, OpenBao};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::LazyLock;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};

const MARKER: &str = "pw-mark-7f3a9c21";

/// The package and the tools from npm, built and installed once.
static BUILT: LazyLock<(PathBuf, PathBuf)> = LazyLock::new(|| {
    let package = Path::new(env!("CARGO_TARGET_TMPDIR")).join("npm/node_modules/secretfig");
    std::fs::create_dir_all(&package).unwrap();
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("target");
    let build = |arg: &std::ffi::OsStr| {
        let mut build = std::process::Command::new(root().join("wasm/build"));
        let done = build.arg(arg).env("CARGO_TARGET_DIR", &target).stderr(Stdio::inherit()).output().unwrap();
        assert!(done.status.success(), "wasm/build failed");
        String::from_utf8(done.stdout).unwrap()
    };
    build(package.as_os_str());
    let tools = PathBuf::from(build("--tools".as_ref()).lines().last().unwrap());
    (package, tools)
});

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// A server with the one secret, a token that may read it alone, and a role that gives such tokens.
struct Vault {
    bao: OpenBao,
    token: String,
    role_id: String,
    secret_id: String,
}

async fn vault() -> Vault {
    let bao = OpenBao::start().await;
    let call = async |method, path, body| {
        let (status, answer): (u16, Value) = bao.call(method, path, body).await;
        assert!((200..300).contains(&status), "{path}: {status} {answer}");
        answer
    };
    let data = json!({ "data": { "host": "db.internal", "port": "5432", "password": MARKER } });
    call("POST", "secret/data/myapp/database", data).await;
    let policy = r#"path "secret/data/myapp/database" { capabilities = ["read"] }
        path "secret/metadata/myapp/database" { capabilities = ["read"] }
        path "secret/data/none" { capabilities = ["read"] }"#;
    call("POST", "sys/mounts/team/kv", json!({ "type": "kv", "options": { "version": "1" } })).await;
    call("POST", "team/kv/app/db", json!({ "password": MARKER })).await;
    call("PUT", "sys/policies/acl/edge", json!({ "policy": policy })).await;
    let token = call("POST", "auth/token/create", json!({ "policies": ["edge"] })).await;
    call("POST", "sys/auth/approle", json!({ "type": "approle" })).await;
    call("POST", "auth/approle/role/edge", json!({ "token_policies": ["edge"] })).await;
    let role_id = call("GET", "auth/approle/role/edge/role-id", Value::Null).await;
    let secret_id = call("POST", "auth/approle/role/edge/secret-id", json!({})).await;
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let token = text(&token["auth"]["client_token"]);
    let (role_id, secret_id) = (text(&role_id["data"]["role_id"]), text(&secret_id["data"]["secret_id"]));
    Vault { bao, token, role_id, secret_id }
}

#[tokio::test]
async fn node_loads_a_typed_section_and_every_bad_server_is_a_typed_error() {
    let (package, _) = &*BUILT;
    let vault = vault().await;
    let node = Command::new("node")
        .arg(script("node.mjs", package))
        .env("ADDRESS", vault.bao.address())
        .env("TOKEN", &vault.token)
        .env("ROOT", vault.bao.root_token())
        .env("ROLE_ID", &vault.role_id)
        .env("SECRET_ID", &vault.secret_id)
        .env("MARKER", MARKER)
        .kill_on_drop(true)
        .output();
    let done = tokio::time::timeout(Duration::from_secs(120), node).await.expect("node hangs").unwrap();
    let said = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "{said}");
    println!("{}", String::from_utf8_lossy(&done.stdout));
}

/// What the Worker loads, in all who have it.
fn database() -> String {
    json!({ "host": "db.internal", "port": "5432", "password": MARKER }).to_string()
}

#[tokio::test]
async fn node_loads_from_aws_by_keys_by_a_session_and_by_a_role() {
    let (package, _) = &*BUILT;
    let (moto, open) = (Moto::start().await, Moto::open().await);
    open.put("myapp/database", &database()).await;
    let (arn, _) = moto.put("myapp/database", &database()).await;
    for (name, text) in
        [("myapp/key", "  a bare key\n"), ("myapp/turning", r#"{"n": 1}"#), ("myapp/gone", "gone")]
    {
        moto.put(name, text).await;
    }
    for n in 0..12 {
        moto.put(&format!("many/{n}"), &n.to_string()).await;
    }
    for (name, bytes) in [("myapp/der", "AAGA/v8="), ("myapp/text-as-bytes", "b25seSB0ZXh0")] {
        let (status, made) = moto.call("CreateSecret", json!({ "Name": name, "SecretBinary": bytes })).await;
        assert_eq!(status, 200, "{made}");
    }
    assert_eq!(moto.call("DeleteSecret", json!({ "SecretId": "myapp/gone" })).await.0, 200);
    let allow = |action: &str, resource: &str| json!({ "Version": "2012-10-17", "Statement": [{ "Effect": "Allow", "Action": action, "Resource": resource }] });
    let all = json!({ "Version": "2012-10-17", "Statement": [
        { "Effect": "Allow", "Action": ["secretsmanager:GetSecretValue", "secretsmanager:PutSecretValue"], "Resource": "*" },
        { "Effect": "Allow", "Action": "sts:AssumeRole", "Resource": "*" },
    ] });
    let keys = moto.user(&all.to_string()).await;
    let least = ["database", "none", "gone", "none-either"]
        .map(|name| format!("arn:aws:secretsmanager:*:*:secret:myapp/{name}-??????"));
    let least = json!({ "Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Action": "secretsmanager:GetSecretValue",
        "Resource": least,
    }] });
    let least = moto.user(&least.to_string()).await;
    let role = moto.role(&allow("secretsmanager:GetSecretValue", "*").to_string()).await;
    let node = Command::new("node")
        .arg(script("aws.mjs", package))
        .env("MOTO", moto.address())
        .env("OPEN", open.address())
        .env("KEYS", [&*keys.access_key_id, " ", &keys.secret_access_key].concat())
        .env("LEAST", [&*least.access_key_id, " ", &least.secret_access_key].concat())
        .env("ROLE", role)
        .env("ARN", arn)
        .env("MARKER", MARKER)
        .kill_on_drop(true)
        .output();
    let done = tokio::time::timeout(Duration::from_secs(120), node).await.expect("node hangs").unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    // no more than it needs: one right, and no right to batches
    assert!(
        moto.calls().iter().all(|call| ["Get", "Put", "Assume"].iter().any(|verb| call.starts_with(verb))),
        "{:?}",
        moto.calls()
    );
}

#[tokio::test]
async fn workerd_answers_every_one_of_32_cold_requests() {
    let vault = vault().await;
    answers_cold("worker", &[("VAULT_ADDR", vault.bao.address()), ("VAULT_TOKEN", &vault.token)]).await;
}

#[tokio::test]
async fn workerd_answers_every_one_of_32_cold_requests_from_aws() {
    let moto = Moto::start().await;
    moto.put("myapp/database", &database()).await;
    answers_cold(
        "aws-worker",
        &[
            ("SECRET_PROVIDER", "aws"),
            ("AWS_REGION", "us-east-1"),
            ("AWS_ENDPOINT_URL", moto.address()),
            ("AWS_ACCESS_KEY_ID", moto.access_key_id()),
            ("AWS_SECRET_ACCESS_KEY", moto.secret_access_key()),
        ],
    )
    .await;
}

/// The example, in a workerd of its own with this environment.
async fn answers_cold(name: &str, environment: &[(&str, &str)]) {
    let (package, tools) = &*BUILT;
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let bundle = Command::new(root().join("examples/edge-worker/run"))
        .arg("--bundle")
        .arg(&folder)
        .env("SECRETFIG_PACKAGE", package)
        .status();
    assert!(bundle.await.unwrap().success(), "the Worker cannot be bundled");
    let (mut workerd, port) = serve(tools, &folder, environment).await;

    let cold = (0..32).map(|_| tokio::spawn(get(port)));
    let mut answers = Vec::new();
    for answer in cold.collect::<Vec<_>>() {
        answers.push(answer.await.unwrap());
    }
    let warm = get(port).await;
    end(&mut workerd).await;
    for answer in answers.iter().chain([&warm]) {
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
        assert!(answer.contains(r#"{"connectsTo":"db.internal:5432","withPassword":true}"#), "{answer}");
        assert!(!answer.contains(MARKER), "{answer}");
    }
    assert_eq!(answers.len(), 32);
}

#[tokio::test]
async fn workerd_makes_a_typed_error_of_every_bad_reply() {
    let (package, tools) = &*BUILT;
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("hostile-worker");
    std::fs::create_dir_all(folder.join("dist")).unwrap();
    std::fs::copy(root().join("examples/edge-worker/config.capnp"), folder.join("config.capnp")).unwrap();
    let wasm = "secretfig_bg.wasm";
    std::fs::copy(package.join(wasm), folder.join("dist").join(wasm)).unwrap();
    let bundle = Command::new("node")
        .arg(tools.join("node_modules/esbuild/bin/esbuild"))
        .arg(root().join("wasm/tests/run/worker.mjs"))
        .args([
            "--bundle",
            "--format=esm",
            "--conditions=workerd,worker",
            "--external:*.wasm",
            "--log-level=warning",
        ])
        .arg(format!("--alias:secretfig={}", package.join("workerd.js").display()))
        .arg(format!("--outfile={}", folder.join("dist/worker.js").display()))
        .status();
    assert!(bundle.await.unwrap().success(), "the Worker cannot be bundled");
    let (mut workerd, port) = serve(tools, &folder, &[]).await;
    let driver = Command::new("node")
        .arg(root().join("wasm/tests/run/workerd.mjs"))
        .env("PORT", port.to_string())
        .env("MARKER", MARKER)
        .kill_on_drop(true)
        .output();
    let done =
        tokio::time::timeout(Duration::from_secs(180), driver).await.expect("the driver hangs").unwrap();
    end(&mut workerd).await;
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    println!("{}", String::from_utf8_lossy(&done.stdout));
}

/// The scripts beside the package, where they find it by its name.
fn script(name: &str, package: &Path) -> PathBuf {
    let folder = package.parent().unwrap().parent().unwrap();
    for script in std::fs::read_dir(root().join("wasm/tests/run")).unwrap() {
        let script = script.unwrap();
        std::fs::copy(script.path(), folder.join(script.file_name())).unwrap();
    }
    folder.join(name)
}

/// Starts workerd on a port of its own choice.
async fn serve(tools: &Path, folder: &Path, environment: &[(&str, &str)]) -> (Child, u16) {
    let mut workerd = Command::new("node")
        .arg(tools.join("node_modules/workerd/bin/workerd"))
        .args(["serve", "--socket-addr=http=127.0.0.1:0", "--control-fd=1"])
        .arg(folder.join("config.capnp"))
        .envs(environment.iter().copied())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .process_group(0)
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(workerd.stdout.take().unwrap()).lines();
    let listening = tokio::time::timeout(Duration::from_secs(30), lines.next_line()).await;
    let listening = listening.expect("workerd does not listen").unwrap().expect("workerd has ended");
    let listening: Value = serde_json::from_str(&listening).unwrap();
    (workerd, u16::try_from(listening["port"].as_u64().unwrap()).unwrap())
}

/// `node` starts workerd as a child of its own.
async fn end(workerd: &mut Child) {
    let group = i32::try_from(workerd.id().unwrap()).unwrap();
    std::process::Command::new("kill").args(["--", &format!("-{group}")]).status().unwrap();
    workerd.wait().await.unwrap();
}

async fn get(port: u16) -> String {
    let asked = async {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        stream.write_all(b"GET / HTTP/1.1\r\nHost: edge\r\nConnection: close\r\n\r\n").await.unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.unwrap();
        String::from_utf8_lossy(&answer).into_owned()
    };
    tokio::time::timeout(Duration::from_secs(30), asked).await.expect("workerd does not answer")
}

/// Of all that a Worker loads, WebAssembly and JavaScript, with `gzip -9`.
const LARGEST: u64 = 70 * 1024;

#[tokio::test]
async fn the_package_is_no_larger_than_promised() {
    let (package, tools) = &*BUILT;
    let measure = root().join("wasm/tests/size/measure.mjs");
    let measured = Command::new("node").arg(measure).arg(package).arg(tools).output().await.unwrap();
    assert!(measured.status.success(), "{}", String::from_utf8_lossy(&measured.stderr));
    let sizes: Value = serde_json::from_slice(&measured.stdout).unwrap();
    for (name, size) in sizes.as_object().unwrap() {
        println!("{name}: {} bytes, {} with gzip -9", size["bytes"], size["gzip"]);
    }
    let ours = sizes["secretfig"]["gzip"].as_u64().unwrap();
    assert!(ours > 1_000 && ours <= LARGEST, "{ours} bytes, and at most {LARGEST} are promised");
}

#[tokio::test]
async fn the_types_say_what_is_there_and_refuse_what_is_not() {
    let (package, tools) = &*BUILT;
    let folder = package.parent().unwrap().parent().unwrap();
    std::fs::copy(root().join("wasm/tests/types/types.ts"), folder.join("types.ts")).unwrap();
    let tsc = Command::new("node")
        .arg(tools.join("node_modules/typescript/bin/tsc"))
        .args([
            "--noEmit",
            "--strict",
            "--target",
            "es2022",
            "--module",
            "nodenext",
            "--lib",
            "es2022,dom,esnext.disposable",
        ])
        .arg("types.ts")
        .current_dir(folder)
        .output();
    let done = tsc.await.unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stdout));
}
