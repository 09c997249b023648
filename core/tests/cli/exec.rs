//! `exec`: what a program gets, and what it does not.

use crate::ground::{Ground, Ran};

const CONFIG: &str =
    "[server]\nhost = 'h'\n[secrets]\ndatabase = 'db'\n'tls.key' = { name = 'key', format = 'bytes' }\n";

fn ground() -> Ground {
    Ground::with_secrets(CONFIG, &[("db", r#"{"user": "u", "password": " p\n"}"#), ("key", "k\0k")])
}

fn sh(ground: &Ground, options: &[&str], script: &str) -> Ran {
    let mut args = vec!["exec"];
    args.extend(options);
    args.extend(["--", "sh", "-c", script]);
    ground.run(&args)
}

#[cfg(target_os = "linux")]
#[test]
fn a_file_in_memory_is_read_twice_and_every_byte_is_there() {
    let ground = ground();
    let script = "cat $APP_DATABASE__PASSWORD_FILE $APP_DATABASE__PASSWORD_FILE $APP_TLS__KEY_FILE";
    assert_eq!(sh(&ground, &[], script).fine().out, " p\n p\nk\0k");
    // also by a child of the child, and not to be written
    let script = "sh -c 'cat $APP_DATABASE__USER_FILE'; (echo x > $APP_DATABASE__USER_FILE) 2>/dev/null; cat $APP_DATABASE__USER_FILE";
    assert_eq!(sh(&ground, &["--files"], script).fine().out, "uu");
}

#[cfg(target_os = "linux")]
#[test]
fn without_picking_every_secret_is_given_and_no_plain_key() {
    let given = sh(&ground(), &[], "env | grep ^APP_ | sort").fine().out;
    let names: Vec<&str> = given.lines().map(|line| line.split('=').next().unwrap()).collect();
    assert_eq!(names, ["APP_DATABASE__PASSWORD_FILE", "APP_DATABASE__USER_FILE", "APP_TLS__KEY_FILE"]);
    assert!(given.lines().all(|line| line.contains("=/proc/self/fd/")), "{given}");
}

#[test]
fn variables_hold_values_where_one_wants_that() {
    let ground = ground();
    let picked = ["--env", "--as", "PGPASSWORD=database.password", "--as", "PGHOST=server.host"];
    let script = "printf '%s|%s|' \"$PGHOST\" \"$PGPASSWORD\"; env | grep -c ^APP_";
    assert_eq!(sh(&ground, &picked, script).out, "h| p\n|0\n");
    sh(&ground, &["--env"], "true").refused(1, "`tls.key` holds a zero byte");
}

#[cfg(target_os = "linux")]
#[test]
fn a_picked_name_says_that_it_is_a_files() {
    let picked = ["--as", "POSTGRES_PASSWORD=database.password", "--as", "KEY_FILE=tls.key"];
    let given = sh(&ground(), &picked, "env | grep -E '^(POSTGRES|KEY)' | cut -d= -f1 | sort").fine().out;
    assert_eq!(given, "KEY_FILE\nPOSTGRES_PASSWORD_FILE\n");
}

#[test]
fn a_pick_that_is_wrong_is_told_before_anything_runs() {
    let ground = ground();
    for (pick, said) in [
        ("A=database", "`database` is no single value: pick one of database.password, database.user"),
        ("A=database.pasword", "did you mean `database.password`?"),
        ("A=nowhere", "there is no key `nowhere` in any layer"),
    ] {
        let ran = sh(&ground, &["--env", "--as", pick], "echo ran").refused(1, said);
        assert_eq!(ran.out, "");
    }
    sh(&ground, &["--env", "--as", "A=tls.key", "--as", "A=server.host"], "true")
        .refused(1, "would both be the variable `A`");
    assert_eq!(sh(&ground, &["--as", "1A=b"], "true").code, Some(2));
    let none = Ground::with_secrets("port = 1", &[]);
    sh(&none, &["--env"], "true").refused(1, "no secret to hand on");
}

#[test]
fn the_programs_own_ending_is_kept() {
    let ground = ground();
    let pick = ["--env", "--as", "A=server.host"];
    for code in [0, 1, 2, 7, 126, 255] {
        assert_eq!(sh(&ground, &pick, &format!("exit {code}")).code, Some(code));
    }
    let killed =
        ground.secretfig(&["exec", "--env", "--as", "A=server.host", "--", "sh", "-c", "kill -9 $$"]);
    let status = { killed }.status().unwrap();
    assert_eq!(std::os::unix::process::ExitStatusExt::signal(&status), Some(9));
}

#[test]
fn a_program_that_is_not_there_or_cannot_run() {
    let ground = ground();
    let run = |program: &str| ground.run(&["exec", "--env", "--as", "A=server.host", "--", program]);
    run("no-such-program").refused(127, "the program was not found");
    ground.write("plain", "no program");
    run("./plain").refused(126, "the program cannot be run: permission denied");
    std::fs::remove_file(ground.path("secrets/db")).unwrap();
    run("true").refused(1, "database ← file-secret `db`");
}

#[cfg(target_os = "linux")]
#[test]
fn of_a_variable_and_its_twin_only_one_is_handed_on() {
    let ground = ground();
    let given = |options: &[&str], name: &str| {
        let mut args = vec!["exec"];
        args.extend(options);
        args.extend(["--", "sh", "-c", "env | grep -E '^(APP_DATABASE__USER|PG)'"]);
        // strict, so that the secret wins and the plain one would stand beside it
        let mut run = ground.secretfig(&args);
        run.env("APP_PROFILE", "production").env(name, "/old");
        Ran::of(run.output().unwrap()).fine()
    };
    let ran = given(&[], "APP_DATABASE__USER");
    assert!(
        ran.out.starts_with("APP_DATABASE__USER_FILE=/proc/self/fd/") && ran.out.lines().count() == 1,
        "{}",
        ran.out
    );
    assert!(ran.err.contains("variable `APP_DATABASE__USER` is not handed on: its twin is"), "{}", ran.err);
    let ran = given(&["--env", "--as", "PGPASSWORD=database.user"], "PGPASSWORD_FILE");
    assert_eq!(ran.out, "PGPASSWORD=u\n");
}

#[test]
fn what_opens_the_store_is_not_handed_on() {
    let ground = ground();
    let mut run = ground.secretfig(&["exec", "--env", "--as", "A=server.host", "--", "env"]);
    run.env("SECRETFIG_AGE_PASSPHRASE", "x")
        .env("SECRETFIG_AGE_IDENTITY", "AGE-SECRET-KEY-1QQ")
        .env("SECRETFIG_AGE_IDENTITY_FILE", "/key")
        .env("SECRETFIG_ENV_PREFIX", "MY_")
        .env("My_SOURCE__LOCAL__PASSPHRASE", "x")
        .env("MY_SOURCE__LOCAL__IDENTITY", "\"AGE-SECRET-KEY-1QQ\"")
        .env("MY_SOURCE__LOCAL__IDENTITY_FILE", "/key")
        .env("OTHER", "stays");
    let out = Ran::of(run.output().unwrap()).fine().out;
    assert!(!out.to_uppercase().contains("PASSPHRASE") && !out.contains("AGE-SECRET-KEY"), "{out}");
    assert!(
        out.contains("SECRETFIG_AGE_IDENTITY_FILE=/key")
            && out.contains("MY_SOURCE__LOCAL__IDENTITY_FILE=/key")
            && out.contains("OTHER=stays")
            && out.contains("A=h"),
        "{out}"
    );
}

#[test]
fn every_exposure_is_audited() {
    let ran = ground().run(&["exec", "-v", "--env", "--as", "A=database.user", "--", "true"]).fine();
    let exposed: Vec<&str> = ran.err.lines().filter(|line| line.contains("outcome=exposed")).collect();
    assert_eq!(exposed, ["audit: source=file-secret secret=db revision=#1 outcome=exposed via=memory"]);
}
