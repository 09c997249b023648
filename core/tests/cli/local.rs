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
        &["local", "rekey", "--only", secret],
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

/// What somebody does in our folder, with a home of their own.
fn as_other(ground: &Ground, other: &Ground, args: &[&str]) -> Ran {
    let mut run = ground.secretfig(args);
    Ran::of(run.env("HOME", other.path("home")).output().unwrap())
}

#[test]
fn a_newcomer_gets_a_key_and_is_told_whom_to_send_it_to() {
    let (ground, other) = (ground(), Ground::new());
    let before = std::fs::read(ground.path("secrets.age")).unwrap();
    as_other(&ground, &other, &["local", "recipient"]).refused(1, "secretfig local init");
    as_other(&ground, &other, &["local", "init", "--passphrase"]).refused(1, "is there already");
    let came = as_other(&ground, &other, &["local", "init"]).fine();
    let key = as_other(&ground, &other, &["local", "recipient"]).fine().out.trim().to_owned();
    for said in ["Made a key of your own", "left as it is", &format!("secretfig local rekey --add {key}")] {
        assert!(came.err.contains(said), "{said}: {}", came.err);
    }
    assert_eq!(std::fs::read(ground.path("secrets.age")).unwrap(), before);
    as_other(&ground, &other, &["local", "init"]).refused(1, "is there already");
    ground.run(&["local", "rekey", "--add", &key]).fine();
    as_other(&ground, &other, &["local", "list"]).fine();
}

#[test]
fn a_passphrase_gives_way_to_a_key_that_init_makes() {
    let ground = Ground::new();
    ground.write("pw", "long enough, one hopes\n");
    let with = |args: &[&str]| {
        let mut run = ground.secretfig(args);
        run.env("SECRETFIG_AGE_PASSPHRASE_FILE", "pw");
        Ran::piped(run, "")
    };
    with(&["local", "init", "--passphrase"]).fine();
    let stranger = Ground::new();
    stranger.run(&["local", "init"]).fine();
    let theirs = stranger.run(&["local", "recipient"]).fine().out.trim().to_owned();
    with(&["local", "rekey", "--add", &theirs]).refused(1, "`secretfig local init` makes one");
    with(&["local", "rekey", "--remove", &theirs]).refused(1, "no key can be taken out");
    let made = with(&["local", "init"]).fine();
    assert!(
        made.err.contains("its passphrase opens it") && made.err.contains("rekey --add age1"),
        "{}",
        made.err
    );
    with(&["local", "rekey", "--add", &theirs]).fine();
    assert_eq!(names(&ground), [""; 0]);
    as_other(&ground, &stranger, &["local", "list"]).fine();
}

#[test]
fn a_reader_is_not_dropped_by_a_list_that_cannot_be_read_or_is_gone() {
    let (ground, other) = (ground(), Ground::new());
    other.run(&["local", "init"]).fine();
    let bob = other.run(&["local", "recipient"]).fine().out.trim().to_owned();
    let ours = ground.run(&["local", "recipient"]).fine().out.trim().to_owned();
    ground.run(&["local", "rekey", "--add", &bob]).fine();
    let list = "secrets.age.recipients";
    for (text, said) in [("<<<<<<< ours\n", "line 1: no public key"), ("# nobody\n", "rekey --only")] {
        ground.write(list, text);
        for args in [&["--add", &bob][..], &["--remove", &bob], &[]] {
            let ran = ground.run(&[&["local", "rekey"], args].concat()).refused(1, said);
            assert!(!ran.err.contains("is no reader"), "{}", ran.err);
        }
        as_other(&ground, &other, &["local", "list"]).fine();
    }
    ground.run(&["local", "rekey", "--only", &bob]).refused(1, &format!("rekey --add {ours}"));
    ground.run(&["local", "rekey", "--only", &bob, "--add", &bob]).refused(2, "cannot be used with");
    ground.run(&["local", "rekey", "--only", &ours, "--only", &bob, "--only", &bob]).fine();
    as_other(&ground, &other, &["local", "list"]).fine();
    // as a `rekey` leaves it that was cut short
    ground.write(list, format!("{ours}\n"));
    ground.run(&["local", "rekey", "--remove", &bob]).fine();
    as_other(&ground, &other, &["local", "list"]).refused(1, "denied");
}

#[test]
fn a_key_is_made_only_where_it_can_be_and_for_a_store_that_can_be() {
    let ground = Ground::new();
    ground.run(&["local", "init", "--file", "no/such/s.age"]).refused(1, "is not there: make it");
    assert!(!ground.path("home/.config").exists());
    let mut homeless = ground.secretfig(&["local", "init"]);
    let ran = Ran::of(homeless.env_remove("HOME").output().unwrap());
    let ran = ran.refused(1, "SECRETFIG_AGE_IDENTITY_FILE");
    assert!(ran.err.contains("HOME") && ran.err.contains("XDG_CONFIG_HOME"), "{}", ran.err);
    assert!(!ground.path("secrets.age").exists());
}

#[test]
fn no_command_of_the_store_repeats_what_it_does_not_take() {
    let ground = ground();
    for args in [
        &["local", "recipient", "AGE-SECRET-KEY-1HUNTER2PW"][..],
        &["local", "remove", "database/password", "hunter2pw"],
        &["local", "list", "hunter2pw"],
        &["local", "SET", "database/password", "hunter2pw"],
        &["local", "hunter2pw"],
        &["local", "list", "--value=hunter2pw"],
    ] {
        let ran = ground.run(args).refused(2, "not repeated");
        assert!(!ran.err.to_lowercase().contains("hunter2") && ran.out.is_empty(), "{args:?}: {}", ran.err);
    }
    ground.run(&["local"]).refused(2, "rekey");
    ground.run(&["local", "remove"]).refused(2, "<NAME>");
}

#[test]
fn whoever_waits_for_another_command_is_told_and_reading_waits_for_nobody() {
    use std::io::{BufRead, BufReader, Read, Write};
    let ground = ground();
    let folder = std::fs::File::open(ground.folder()).unwrap();
    folder.lock().unwrap();
    assert_eq!(names(&ground), [""; 0]);
    let mut set = ground.secretfig(&["local", "set", "a"]);
    let piped = std::process::Stdio::piped;
    let mut set = set.stdin(piped()).stderr(piped()).spawn().unwrap();
    set.stdin.take().unwrap().write_all(b"x").unwrap();
    let mut err = BufReader::new(set.stderr.take().unwrap());
    let mut line = String::new();
    err.read_line(&mut line).unwrap();
    assert_eq!(line, "another command changes a store in this folder; waiting\n");
    folder.unlock().unwrap();
    let mut rest = String::new();
    err.read_to_string(&mut rest).unwrap();
    assert!(set.wait().unwrap().success() && rest.contains("Added `a`"), "{rest}");
    assert_eq!(names(&ground), ["a"]);
}
