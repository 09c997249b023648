//! `local …`: a store from its making to its rekeying, and a value that is never an argument.

use crate::ground::{Ground, Ran};

const CONFIG: &str = "[secrets]\ndatabase = 'database'\n";

/// With a store, which the standard layers read.
fn ground() -> Ground {
    let ground = Ground::new();
    ground.write("config.toml", CONFIG);
    ground.run(&["local", "init"]).fine();
    ground
}

/// What the store gives an application at a key.
fn given(ground: &Ground, key: &str) -> Ran {
    let pick = format!("V={key}");
    let mut run = ground.secretfig(&["exec", "--env", "--as", &pick, "--", "printenv", "-0", "V"]);
    Ran::of(run.env("SECRET_PROVIDER", "local").output().unwrap())
}

fn value(ground: &Ground, key: &str) -> String {
    given(ground, key).fine().out.strip_suffix('\0').unwrap().to_owned()
}

fn names(ground: &Ground) -> Vec<String> {
    ground.run(&["local", "list"]).fine().out.lines().map(str::to_owned).collect()
}

#[test]
fn a_store_from_nothing() {
    let ground = Ground::new();
    let made = ground.run(&["local", "init"]).fine();
    for said in
        ["identity.txt", "Made the store `secrets.age`", "It can be read with this key", "local set NAME"]
    {
        assert!(made.err.contains(said), "{said}: {}", made.err);
    }
    let key = std::fs::read_to_string(ground.path("home/.config/secretfig/identity.txt")).unwrap();
    let secret = key.lines().find(|line| line.starts_with("AGE-SECRET-KEY-1")).unwrap();
    assert!(!made.err.contains(secret) && made.out.is_empty());
    let own = ground.run(&["local", "recipient"]).fine().out;
    assert!(own.starts_with("age1") && key.contains(own.trim()) && made.err.contains(own.trim()));

    let again = ground.run(&["local", "init"]).refused(1, "nothing is overwritten");
    assert!(!again.err.contains("Made"), "{}", again.err);
    assert_eq!(names(&ground), [""; 0]);
}

#[test]
fn what_is_set_is_what_an_application_gets() {
    let ground = ground();
    for (name, stdin, said, want) in [
        ("database/password", " pa ss\n", "Added `database/password` to `secrets.age`.", " pa ss"),
        ("database/password", " pa ss\n", "has that value already; nothing was changed", " pa ss"),
        ("database/password", "two\nlines\n\n", "Replaced `database/password`", "two\nlines\n"),
        ("database/password", "windows\r\n", "Replaced", "windows"),
        ("database/password", "no newline", "Replaced", "no newline"),
    ] {
        let ran = ground.run_with(&["local", "set", name], stdin).fine();
        assert!(ran.err.contains(said) && ran.out.is_empty(), "{}", ran.err);
        assert_eq!(value(&ground, "database.password"), want);
    }
    ground.run_with(&["local", "set", "--keep-newline", "database/password"], "kept\n").fine();
    assert_eq!(value(&ground, "database.password"), "kept\n");
    ground.run_with(&["local", "set", "database/host", "--keep-newline"], "db").fine();
    assert_eq!(names(&ground), ["database/host", "database/password"]);
    let json = ground.run(&["local", "list", "--json"]).fine().json();
    assert_eq!(
        json,
        serde_json::json!({ "store": "secrets.age", "secrets": ["database/host", "database/password"] })
    );

    ground.run(&["local", "remove", "database/host"]).fine();
    assert_eq!(names(&ground), ["database/password"]);
    ground.run(&["local", "remove", "database/host"]).refused(1, "absent");
}

#[test]
fn a_large_value_of_several_pipes_full() {
    let ground = ground();
    let large: String = ('a'..='z').cycle().take(700_000).collect();
    ground.run_with(&["local", "set", "database/blob"], &large).fine();
    let files = ["exec", "--as", "V=database.blob", "--", "sh", "-c", "cat $V_FILE"];
    if cfg!(target_os = "linux") {
        let mut run = ground.secretfig(&files);
        assert!(Ran::of(run.env("SECRET_PROVIDER", "local").output().unwrap()).fine().out == large);
    }
    ground.run_with(&["local", "set", "database/blob"], "x".repeat(1_500_000)).refused(1, "too large");
}

#[test]
fn a_value_among_the_arguments_is_refused_and_not_repeated() {
    let ground = ground();
    for args in [
        &["local", "set", "database/password", "hunter2pw"][..],
        &["local", "set", "database/password=hunter2pw"],
        &["local", "set", "database/password", "--keep-newline", "hunter2pw"],
        &["local", "set", "database/password", "--value=hunter2pw"],
        &["local", "set", "--value=hunter2pw", "database/password"],
        &["local", "set", "--value", "hunter2pw", "database/password"],
        &["local", "set", "database/password", "-phunter2pw"],
        &["local", "set", "-phunter2pw", "database/password"],
        &["local", "set", "database/password", "--", "hunter2pw"],
        &["-v", "local", "--file", "secrets.age", "set", "database/password", "hunter2pw"],
    ] {
        let ran = ground.run_with(args, "from stdin").refused(2, "stays in the history of your shell");
        assert!(!ran.err.contains("hunter2") && ran.out.is_empty(), "{args:?}: {}", ran.err);
    }
    assert_eq!(names(&ground), [""; 0]);
    ground.run(&["local", "set"]).refused(2, "<NAME>");
    for args in [
        &["local", "init", "--file", "b.age", "--passphrase", "hunter2pw"][..],
        &["local", "init", "--file", "b.age", "--passphrase=hunter2pw"],
        &["local", "rekey", "--passphrase", "hunter2pw"],
        &["local", "rekey", "--passphrase=hunter2pw"],
        &["local", "rekey", "-phunter2pw"],
    ] {
        let ran = ground.run_with(args, "from standard input").refused(2, "a passphrase is no argument");
        assert!(!ran.err.contains("hunter2") && ran.out.is_empty(), "{args:?}: {}", ran.err);
    }
    assert!(!ground.path("b.age").exists());
}

#[test]
fn nothing_is_set_of_nothing_or_of_what_is_no_text() {
    let ground = ground();
    ground.run_with(&["local", "set", "a"], "").refused(1, "standard input is empty");
    ground.run_with(&["local", "set", "a"], "\n").refused(1, "standard input is empty");
    ground.run_with(&["local", "set", "a"], b"\xff\xfe").refused(1, "no text (UTF-8)");
    ground.run_with(&["local", "set", "a//b"], "x").refused(1, "misconfigured");
    ground.run_with(&["local", "set", "a/b"], "x").fine();
    ground.run_with(&["local", "set", "a/b/c"], "x").refused(1, "is a value");
    ground.run_with(&["local", "set", "a"], "x").refused(1, "a table or a list has this name");
    assert_eq!(names(&ground), ["a/b"]);
}

#[test]
fn the_store_is_where_the_configuration_says() {
    let ground = Ground::new();
    std::fs::create_dir(ground.path("deploy")).unwrap();
    ground
        .write("config.toml", "[secrets]\ndatabase = 'database'\n[source.local]\nfile = 'deploy/prod.age'\n");
    ground.run(&["local", "init", "--json-layout"]).fine();
    ground.run_with(&["local", "set", "database/password"], "x").fine();
    assert!(ground.path("deploy/prod.age").exists() && ground.path("deploy/prod.age.recipients").exists());
    assert_eq!(value(&ground, "database.password"), "x");
    // an argument and a variable are nearer than a file
    ground.run(&["local", "init", "--file", "mine.age"]).fine();
    ground.run_with(&["local", "--file", "mine.age", "set", "mine"], "x").fine();
    let mut list = ground.secretfig(&["local", "list"]);
    assert_eq!(Ran::of(list.env("SECRETFIG_AGE_FILE", "mine.age").output().unwrap()).fine().out, "mine\n");
    // a file that cannot be read may hide where the store is
    ground.write("config.toml", "[source.local\n");
    ground.run(&["local", "list"]).refused(1, "config.toml: syntax error at line 1");
}

#[test]
fn a_colleague_is_let_in_and_out_again() {
    let ground = ground();
    ground.run_with(&["local", "set", "database/password"], "x").fine();
    let other = Ground::new();
    other.run(&["local", "init"]).fine();
    let colleague = other.run(&["local", "recipient"]).fine().out.trim().to_owned();
    let theirs = |args: &[&str]| {
        let mut run = ground.secretfig(args);
        Ran::of(run.env("HOME", other.path("home")).output().unwrap())
    };
    let ours = ground.run(&["local", "recipient"]).fine().out.trim().to_owned();

    theirs(&["local", "list"]).refused(1, &format!("local rekey --add {colleague}"));
    let let_in = ground.run(&["local", "rekey", "--add", &colleague]).fine();
    assert!(let_in.err.contains(&ours) && let_in.err.contains(&colleague), "{}", let_in.err);
    assert!(!let_in.err.contains("rotate"), "{}", let_in.err);
    assert_eq!(theirs(&["local", "list"]).fine().out, "database/password\n");

    let let_out = ground.run(&["local", "rekey", "--remove", &colleague]).fine();
    assert!(
        let_out.err.contains("rotate every value") && !let_out.err.contains(&colleague),
        "{}",
        let_out.err
    );
    theirs(&["local", "list"]).refused(1, "denied");
    ground.run(&["local", "rekey", "--remove", &colleague]).refused(1, "is no reader of this store");
    ground.run(&["local", "rekey", "--remove", &ours]).refused(1, "misconfigured");
    assert_eq!(value(&ground, "database.password"), "x");
}

#[test]
fn a_secret_key_in_the_place_of_a_public_one_is_not_repeated() {
    let ground = ground();
    let key = std::fs::read_to_string(ground.path("home/.config/secretfig/identity.txt")).unwrap();
    let secret = key.lines().find(|line| line.starts_with("AGE-SECRET-KEY-1")).unwrap();
    for args in [
        &["local", "rekey", "--add", secret][..],
        &["local", "rekey", "--remove", secret],
        &["local", "init", "--file", "b.age", "--recipient", secret],
    ] {
        let ran = ground.run(args).refused(2, "It is not repeated here");
        assert!(!ran.err.contains(&secret[16..]), "{}", ran.err);
    }
    assert!(!ground.path("b.age").exists());
}

#[test]
fn a_passphrase_in_place_of_keys() {
    let ground = Ground::new();
    ground.write("config.toml", CONFIG);
    ground.run_with(&["local", "init", "--passphrase"], "short\n").refused(1, "12 characters at least");
    ground.run_with(&["local", "init", "--passphrase"], "long enough, one hopes\n").fine();
    ground.write("pw", "long enough, one hopes\n");
    let with = |args: &[&str], name: &str, text: &str, stdin: &str| {
        let mut run = ground.secretfig(args);
        run.env(name, text).env("SECRET_PROVIDER", "local");
        Ran::piped(run, stdin)
    };
    let file = ("SECRETFIG_AGE_PASSPHRASE_FILE", "pw");
    with(&["local", "set", "database/password"], file.0, file.1, "x").fine();
    // slow by design: an application waits three seconds for a source, which a busy machine may need for this alone
    with(&["local", "list"], file.0, file.1, "").fine();
    with(&["local", "list"], "SECRETFIG_AGE_PASSPHRASE", "another one, and wrong", "")
        .refused(1, "unauthenticated");
    // where nobody can be asked, what is missing is told
    ground.run(&["local", "list"]).refused(1, "SECRETFIG_AGE_PASSPHRASE");

    with(&["local", "rekey", "--passphrase"], file.0, file.1, "the next one, as long\n").fine();
    with(&["local", "list"], file.0, file.1, "").refused(1, "unauthenticated");
    with(&["local", "list"], "SECRETFIG_AGE_PASSPHRASE", "the next one, as long", "").fine();
}
