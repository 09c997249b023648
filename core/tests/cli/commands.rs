//! `check`, `explain`, `template`, `completions`: what they say, where, and with which exit code.

use crate::ground::{Ground, Ran};
use std::process::Stdio;

const CONFIG: &str = "[server]\nhost = 'h'\n[secrets]\ndatabase = 'db'\n";

fn ground() -> Ground {
    Ground::with_secrets(CONFIG, &[("db", r#"{"user": "u", "password": "p"}"#)])
}

#[test]
fn check_tells_where_all_comes_from() {
    let ran = ground().run(&["check"]).fine();
    assert!(ran.out.contains("database.password  file-secret `db` #1 (by config.toml:4)"), "{}", ran.out);
    assert!(ran.err.contains("note: keys are not checked against the application's type"), "{}", ran.err);
}

#[test]
fn check_refuses_with_the_report_on_stderr() {
    let ground = ground();
    std::fs::remove_file(ground.path("secrets/db")).unwrap();
    let ran = ground.run(&["check"]).refused(1, "database ← file-secret `db` (by config.toml:4): absent");
    assert_eq!(ran.out, "");
}

#[test]
fn check_as_json_is_one_document_either_way() {
    let ground = ground();
    let fine = ground.run(&["check", "--json"]).fine();
    assert_eq!((&fine.json()["ok"], fine.json()["keys"].as_array().unwrap().len()), (&true.into(), 3));
    std::fs::remove_file(ground.path("secrets/db")).unwrap();
    let refused = ground.run(&["check", "--json"]);
    assert_eq!((refused.code, refused.err.as_str()), (Some(1), ""));
    assert_eq!(refused.json()["ok"], false);
    assert_eq!(refused.json()["faults"][0]["key"], "database");
}

#[test]
fn remarks_are_refused_where_one_wants_that() {
    let ground = ground();
    ground.run(&["check", "--deny-remarks"]).fine();
    let open = std::os::unix::fs::PermissionsExt::from_mode(0o644);
    std::fs::set_permissions(ground.path("secrets/db"), open).unwrap();
    ground.run(&["check"]).fine();
    ground
        .run(&["check", "--deny-remarks"])
        .refused(1, "--deny-remarks")
        .refused(1, "note: `db`: every user");
    let ran = ground.run(&["check", "--deny-remarks", "--json"]);
    assert_eq!((ran.code, &ran.json()["ok"]), (Some(1), &false.into()));
}

#[test]
fn explain_tells_of_the_keys_that_are_asked_for() {
    let ground = ground();
    let lines = |args: &[&str]| ground.run(args).fine().out.lines().count() - 1;
    assert_eq!(
        [lines(&["explain"]), lines(&["explain", "database"]), lines(&["explain", "server.host", "*.user"])],
        [3, 2, 2]
    );
    let keys = ground.run(&["explain", "database", "--json"]).fine().json();
    assert_eq!(keys["keys"].as_array().unwrap().len(), 2);
    ground.run(&["explain", "server.hots"]).refused(1, "did you mean `server.host`?");
    ground.run(&["explain", "--show", "*"]).refused(2, "the application's own binary");
}

#[test]
fn a_template_needs_a_type() {
    ground().run(&["template"]).refused(2, "the application's own binary");
}

#[test]
fn completions_of_every_shell() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let ran = Ground::new().run(&["completions", shell]).fine();
        assert!(ran.out.contains("secretfig") && ran.out.contains("deny-remarks"), "{shell}: {}", ran.out);
    }
}

#[test]
fn every_command_explains_itself() {
    let ground = Ground::new();
    for command in [
        &["--help"][..],
        &["check", "--help"],
        &["explain", "--help"],
        &["template", "--help"],
        &["exec", "--help"],
        &["completions", "--help"],
        &["local", "--help"],
        &["local", "init", "--help"],
        &["local", "set", "--help"],
        &["local", "remove", "--help"],
        &["local", "list", "--help"],
        &["local", "recipient", "--help"],
        &["local", "rekey", "--help"],
    ] {
        let ran = ground.run(command).fine();
        assert!(ran.out.contains("Usage: secretfig"), "{command:?}: {}", ran.out);
        let long = ran.out.lines().filter(|line| line.chars().count() > 100);
        assert_eq!(long.collect::<Vec<_>>(), [""; 0], "{command:?}");
    }
}

#[test]
fn what_is_not_understood_ends_with_two() {
    let ground = ground();
    for args in
        [&["chekc"][..], &[], &["check", "--deny"], &["exec"], &["exec", "--env", "--files", "--", "true"]]
    {
        assert_eq!(ground.run(args).code, Some(2), "{args:?}");
    }
}

#[test]
fn a_reader_that_stops_is_no_error_and_a_full_disk_is() {
    let ground = ground();
    for args in [&["explain"][..], &["check"], &["completions", "bash"], &["--help"]] {
        let mut child = ground.secretfig(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        drop(child.stdout.take());
        let ran = Ran::of(child.wait_with_output().unwrap());
        assert_eq!(ran.code, Some(0), "{args:?}: {}", ran.err);
        assert!(!ran.err.contains("error"), "{args:?}: {}", ran.err);
    }
    if cfg!(target_os = "linux") {
        let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let ran =
            Ran::of(ground.secretfig(&["explain"]).stdout(full).stderr(Stdio::piped()).output().unwrap());
        ran.refused(1, "stdout cannot be written");
    }
}

#[test]
fn nothing_is_coloured_where_nobody_looks_or_nobody_wants_it() {
    let ground = ground();
    for args in [&["--help"][..], &["check"], &["chekc"]] {
        let ran = Ran::of(ground.secretfig(args).env("NO_COLOR", "1").output().unwrap());
        assert!(!ran.out.contains('\u{1b}') && !ran.err.contains('\u{1b}'), "{args:?}");
        let ran = ground.run(args);
        assert!(!ran.out.contains('\u{1b}') && !ran.err.contains('\u{1b}'), "{args:?}");
    }
}

#[test]
fn the_audit_is_told_where_one_asks_for_it() {
    let ground = ground();
    let quiet = ground.run(&["check"]).fine();
    assert!(!quiet.err.contains("audit"), "{}", quiet.err);
    let told = ground.run(&["check", "-v"]).fine();
    assert!(
        told.err.contains("audit: source=file-secret secret=db revision=#1 outcome=read via=wire"),
        "{}",
        told.err
    );
}

#[cfg(feature = "vault")]
#[test]
fn grants_are_for_what_the_layers_name_and_ask_nobody() {
    let config = "token = 'vault://secret/myapp/mail#token'\nplain = 1\n\
                  [secrets]\ndatabase = { name = 'myapp/database', keep_previous = true }\n";
    let ground = Ground::with_secrets(config, &[]);
    let mut program = ground.secretfig(&["grants"]);
    program.env("SECRET_PROVIDER", "vault");
    // nothing listens there, and nothing has to
    program.env("VAULT_ADDR", "http://127.0.0.1:9").env("VAULT_TOKEN", "marker-of-a-token");
    let ran = Ran::of(program.output().unwrap()).fine();
    for path in ["secret/data/myapp/database", "secret/data/myapp/mail", "secret/metadata/myapp/database"] {
        assert!(ran.out.contains(&format!("path \"{path}\" {{")), "{path}: {}", ran.out);
    }
    assert_eq!(ran.out.matches("capabilities").count() - ran.out.matches("# path").count(), 3, "{}", ran.out);
    assert!(!ran.out.contains("marker") && !ran.err.contains("marker"));
}

#[test]
fn grants_say_what_has_none() {
    let ran = ground().run(&["grants"]).fine();
    assert!(ran.out.is_empty() && ran.err.contains("has no policies"), "{} {}", ran.out, ran.err);
    ground().run(&["grants", "vault"]).refused(1, "no secret is asked of `vault`, but of file-secret");
}
