//! The commands in an application's own binary, which knows its type: `examples/commands.rs`.

use crate::ground::{Ground, Ran};
use std::path::PathBuf;
use std::process::Command;

/// Built with all tests; alone (`--test cli`) it may be missing.
pub(crate) fn program() -> PathBuf {
    let program = PathBuf::from(env!("CARGO_BIN_EXE_secretfig")).parent().unwrap().join("examples/commands");
    if !program.exists() {
        let mut build = Command::new(env!("CARGO"));
        build.args([
            "build",
            "--quiet",
            "--package",
            "secretfig",
            "--features",
            "cli",
            "--example",
            "commands",
        ]);
        assert!(build.current_dir(env!("CARGO_MANIFEST_DIR")).status().unwrap().success());
    }
    program
}

const SECRET: &str = r#"{"host": "db", "username": "u", "password": "p"}"#;

fn ground(server: &str) -> Ground {
    Ground::with_secrets(&format!("{server}\n[secrets]\ndatabase = 'db'\n"), &[("db", SECRET)])
}

fn run(ground: &Ground, args: &[&str]) -> Ran {
    Ran::of(ground.program(program(), args).output().unwrap())
}

#[test]
fn check_looks_at_every_key_by_the_type() {
    let fine = ground("server = { host = 'h', port = 1 }");
    let ran = run(&fine, &["check", "--deny-remarks"]).fine();
    assert!(!ran.err.contains("not checked"), "{}", ran.err);
    let wrong = ground("server = { hots = 'h', port = 'x', mode = 'slow' }");
    let ran = run(&wrong, &["check"]).refused(1, "server.port");
    for said in
        ["server.host", "server.mode", "none of plain, strict", "did you mean `server.host`?", "3 faults"]
    {
        assert!(ran.err.contains(said), "{said}: {}", ran.err);
    }
    assert_eq!(ran.out, "");
}

#[test]
fn plain_values_are_shown_and_secrets_are_not() {
    let ground = ground("server = { host = 'h-value', port = 4321 }");
    let ran = run(&ground, &["explain", "--show", "*"]).fine();
    assert!(
        ran.out.contains("server.host = h-value") && ran.out.contains("server.port = 4321"),
        "{}",
        ran.out
    );
    assert!(!ran.out.contains("database.username ="), "{}", ran.out);
}

#[test]
fn the_template_is_filled_in_and_checked() {
    let ground = ground("");
    let template = run(&ground, &["template"]).fine().out;
    assert!(
        template.contains("# one of plain, strict; may be left out\n#server.mode = \"plain\""),
        "{template}"
    );
    ground.write("config.toml", &template);
    run(&ground, &["check"]).refused(1, "server: missing");
    let filled = template
        .replace("#server.host = \"\"", "server.host = \"h\"")
        .replace("#server.port = 0", "server.port = 1")
        .replace("#database = \"myapp/database\"", "database = \"db\"");
    ground.write("config.toml", filled);
    run(&ground, &["check", "--deny-remarks"]).fine();
}

#[test]
fn what_a_template_of_secrets_holds_can_be_filled_in() {
    let ground = Ground::new();
    let template = run(&ground, &["template", "--secrets"]).fine().out;
    // names as `local set` takes them, of the lines that are wanted
    ground.run(&["local", "init"]).fine();
    for (line, value) in [
        ("# text\n#myapp.database.host = ", "db"),
        ("# text\n#myapp.database.username = ", "u"),
        ("# text\n#myapp.database.password = ", "p"),
        ("#myapp.api.token = ", "t"),
    ] {
        assert!(template.contains(line), "{line}: {template}");
        let name = line.rsplit('#').next().unwrap().trim_end_matches(" = ").replace('.', "/");
        ground.run_with(&["local", "set", &name], value).fine();
    }
    let config = run(&ground, &["template"]).fine().out;
    let filled = config.replace("#server.host", "server.host").replace("#server.port", "server.port");
    let filled = filled.replace("#database = ", "database = ").replace("#api = ", "api = ");
    ground.write("config.toml", filled);
    let mut check = ground.program(program(), &["check", "--deny-remarks"]);
    Ran::of(check.env("SECRET_PROVIDER", "local").output().unwrap()).fine();
}

/// In an application's own runtime, of either kind, and with its own builder.
#[test]
fn commands_run_in_a_runtime_of_either_kind() {
    use clap::{FromArgMatches, Subcommand};
    let ground = Ground::new();
    ground.run(&["local", "init"]).fine();
    let variables = [("HOME", ground.path("home")), ("SECRETFIG_AGE_FILE", ground.path("secrets.age"))];
    let parse = |args: &[&str]| {
        let command = secretfig::cli::Commands::augment_subcommands(clap::Command::new("myapp"));
        let matches = command.get_matches_from(["myapp"].iter().chain(args));
        secretfig::cli::Commands::from_arg_matches(&matches).unwrap()
    };
    for mut runtime in
        [tokio::runtime::Builder::new_current_thread(), tokio::runtime::Builder::new_multi_thread()]
    {
        let runtime = runtime.enable_all().build().unwrap();
        let run = |args: &[&str]| {
            let builder = secretfig::Config::<secretfig::cli::Untyped>::builder()
                .env(variables.iter().map(|(name, path)| (*name, path.as_os_str())));
            runtime.block_on(secretfig::cli::run_with(parse(args), builder))
        };
        assert_eq!(run(&["local", "list"]), std::process::ExitCode::SUCCESS);
        assert_eq!(run(&["check"]), std::process::ExitCode::SUCCESS);
        assert_eq!(run(&["local", "remove", "nothing"]), std::process::ExitCode::from(1));
    }
}

#[test]
fn it_calls_itself_by_its_own_name() {
    let ground = Ground::new();
    let help = run(&ground, &["exec", "--help"]).fine().out;
    assert!(help.contains("Usage: commands exec") && help.contains("  commands exec -- ./server"), "{help}");
}

/// A variable that names a file is resolved by the type's own keys, and handed on as all else.
#[test]
fn a_file_variable_is_a_secret_to_hand_on() {
    let ground = ground("server = { host = 'h', port = 1 }");
    ground.write("token", "t-value\n");
    let args = ["exec", "--env", "--as", "T=api.token", "--", "printenv", "T"];
    let mut exec = ground.program(program(), &args);
    exec.env("APP_API__TOKEN_FILE", ground.path("token"));
    assert_eq!(Ran::of(exec.output().unwrap()).fine().out, "t-value\n");
}
