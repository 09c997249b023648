//! The leak hunt: values are planted in stores, files and variables, every command succeeds and fails, and all that
//! comes out is searched for them.

use crate::ground::{Ground, Ran};
use crate::typed;
use secretfig_tests::{Hunt, Marker};
use std::io::{BufRead, BufReader};
use std::process::Stdio;

const CONFIG: &str = "[server]\nhost = 'h'\nport = 1\n[secrets]\ndatabase = 'database'\napi = 'api'\n";

struct Planted {
    ground: Ground,
    hunt: Hunt,
    /// A password with characters of every kind.
    password: Marker,
    token: Marker,
    /// The text of the identity.
    identity: Marker,
    passphrase: Marker,
}

impl Planted {
    fn new() -> Self {
        let (ground, hunt) = (Ground::new(), Hunt::new());
        ground.write("config.toml", CONFIG);
        ground.run(&["local", "init"]).fine();
        let key = std::fs::read_to_string(ground.path("home/.config/secretfig/identity.txt")).unwrap();
        let key = key.lines().find_map(|line| line.strip_prefix("AGE-SECRET-KEY-1")).unwrap();
        let planted = Self {
            password: hunt.plant("password", Marker::random()),
            token: hunt.plant("token", Marker::number()),
            identity: hunt.plant("identity", Marker::new(key)),
            passphrase: hunt.plant("passphrase", Marker::random()),
            ground,
            hunt,
        };
        for (name, value) in [
            ("database/host", "db"),
            ("database/username", "u"),
            ("database/password", planted.password.text()),
            ("api/token", planted.token.text()),
        ] {
            planted.look(&["local", "set", name], value);
        }
        planted
    }

    /// Runs a command with the store as its source, and looks at all that it says.
    fn look(&self, args: &[&str], stdin: &str) -> Ran {
        self.look_with(args, &[], stdin)
    }

    fn look_with(&self, args: &[&str], variables: &[(&str, &str)], stdin: &str) -> Ran {
        let programs = [self.ground.secretfig(args), self.ground.program(typed::program(), args)];
        let mut last = None;
        for mut program in programs {
            program.env("SECRET_PROVIDER", "local").envs(variables.iter().copied());
            let ran = Ran::piped(program, stdin);
            // the names of variables, and values by number: what is planted must not be told by the report itself
            let shown: Vec<&str> = args.iter().copied().filter(|arg| self.is_harmless(arg)).collect();
            let path =
                format!("{shown:?} with {:?}", variables.iter().map(|(name, _)| name).collect::<Vec<_>>());
            self.hunt.check(path, format!("{}{}exit code {:?}", ran.out, ran.err, ran.code));
            last = Some(ran);
        }
        last.unwrap()
    }

    fn is_harmless(&self, text: &str) -> bool {
        let all = [&self.password, &self.token, &self.identity, &self.passphrase];
        all.iter().all(|marker| marker.find(text.as_bytes()).is_none())
    }
}

#[test]
fn no_command_tells_a_value() {
    let planted = Planted::new();
    let (password, identity) =
        (planted.password.text(), format!("AGE-SECRET-KEY-1{}", planted.identity.text()));
    let commands: [&[&str]; 14] = [
        &["check"],
        &["check", "--json"],
        &["check", "--deny-remarks", "-v"],
        &["explain"],
        &["explain", "--json"],
        &["explain", "database", "-v"],
        &["explain", "--show", "*"],
        &["explain", "--show", "database.*", "--json"],
        &["template"],
        &["template", "--secrets"],
        &["exec", "-v", "--", "true"],
        &["exec", "--env", "--", "false"],
        &["local", "list", "--json"],
        &["local", "recipient"],
    ];
    for command in commands {
        planted.look(command, "");
        // with a variable that stands above the secret, and one that opens the store
        for variables in [
            [("APP_DATABASE__PASSWORD", password), ("SECRETFIG_AGE_IDENTITY", identity.as_str())],
            [("APP_SERVER__PORT", password), ("SECRETFIG_AGE_PASSPHRASE", planted.passphrase.text())],
            [("APP_PROFILE", "production"), ("APP_API__TOKEN", password)],
            [("SECRETFIG_AGE_IDENTITY_FILE", identity.as_str()), ("APP_PROFILE", "production")],
            [("SECRETFIG_AGE_IDENTITY", &identity[..40]), ("APP_NOBODY", password)],
            [("SECRETFIG_AGE_MAX_BYTES", password), ("APP_SERVER__HOST", password)],
        ] {
            planted.look_with(command, &variables, "");
        }
    }
    failing(&planted);
    arguments(&planted, &identity);
    planted.hunt.finish();
}

/// Stores, files and values of which each is wrong in its own way.
fn failing(planted: &Planted) {
    let (ground, password) = (&planted.ground, planted.password.text());
    let port = planted.ground.run_with(&["local", "set", "server/port"], password);
    assert_eq!(port.code, Some(0));
    for config in [
        CONFIG.replace("port = 1", "port = 'x'") + "'server.port' = 'server/port'\n",
        CONFIG.to_owned() + "'server.port' = { name = 'database', format = 'json' }\n",
        CONFIG.to_owned() + "'server' = 'api/token'\n",
        format!("{CONFIG}[source.local]\nidentity = {password:?}\n"),
        format!("{CONFIG}[source.local]\npassphrase = {password:?}\nmax_bytes = {password:?}\n"),
        format!("{CONFIG}broken = {password:?} ]"),
    ] {
        ground.write("config.toml", config);
        for command in
            [&["check"][..], &["check", "--json"], &["explain"], &["exec", "--", "true"], &["local", "list"]]
        {
            planted.look(command, "");
            planted.look_with(command, &[("APP_PROFILE", "production")], "");
        }
    }
    ground.write("config.toml", CONFIG);
    let store = std::fs::read(ground.path("secrets.age")).unwrap();
    let broken: [&[u8]; 4] = [&store[..store.len() - 3], &store[..60], password.as_bytes(), b""];
    for bytes in broken {
        ground.write("secrets.age", bytes);
        for command in [
            &["check"][..],
            &["local", "list"],
            &["local", "set", "database/password"],
            &["exec", "--", "true"],
        ] {
            let ran = planted.look(command, password);
            assert_eq!(ran.code, Some(1), "{command:?}: {}", ran.err);
        }
    }
    std::fs::remove_file(ground.path("secrets.age")).unwrap();
    planted.look(&["local", "set", "database/password"], password);
    ground.write("secrets.age", store);
    planted.look(&["local", "set", "database"], password);
    planted.look(&["local", "set", "database/password/x"], password);
    planted.look(&["local", "rekey", "--passphrase"], planted.passphrase.text());
    planted.look_with(&["local", "list"], &[("SECRETFIG_AGE_PASSPHRASE", password)], "");
    planted.look_with(
        &["local", "set", "a/b"],
        &[("SECRETFIG_AGE_PASSPHRASE", planted.passphrase.text())],
        password,
    );
}

/// Secrets where none belongs.
fn arguments(planted: &Planted, identity: &str) {
    let password = planted.password.text();
    for args in [
        &["local", "set", "database/password", password][..],
        &["local", "set", &format!("database/password={password}")],
        &["local", "set", &format!("--value={password}"), "a"],
        &["local", "set", "a", "--password", password],
        &["local", "rekey", "--passphrase", password],
        &["local", "init", &format!("--passphrase={password}")],
        &["local", "rekey", "--add", identity],
        &["local", "rekey", "--remove", identity],
        &["local", "init", "--file", "b.age", "--recipient", identity],
    ] {
        assert_eq!(planted.look(args, password).code, Some(2));
    }
}

/// A program that runs by `exec --files`: its arguments and its environment, as everyone or the same user sees them.
#[cfg(target_os = "linux")]
#[test]
fn nothing_is_in_the_arguments_or_the_environment_of_a_program() {
    let planted = Planted::new();
    let script = "echo ready; cat $APP_DATABASE__PASSWORD_FILE >got; read line";
    let mut run = planted.ground.secretfig(&["exec", "--", "sh", "-c", script]);
    run.env("SECRET_PROVIDER", "local").env("SECRETFIG_AGE_PASSPHRASE", planted.passphrase.text());
    run.env("SECRETFIG_AGE_IDENTITY", format!("AGE-SECRET-KEY-1{}", planted.identity.text()));
    let mut child = run.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut said = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut said).unwrap();
    assert_eq!(said, "ready\n");
    for about in ["cmdline", "environ"] {
        let bytes = std::fs::read(format!("/proc/{}/{about}", child.id())).unwrap();
        assert!(bytes.windows(2).any(|pair| pair == b"sh") || about == "environ");
        planted.hunt.check(about, bytes);
    }
    drop(child.stdin.take());
    child.wait().unwrap();
    // it was the secret that it had
    assert_eq!(std::fs::read_to_string(planted.ground.path("got")).unwrap(), planted.password.text());
    planted.hunt.finish();
}

/// What a program is given by `--env` is there, as is said of it: the hunt above does find things.
#[cfg(target_os = "linux")]
#[test]
fn a_value_in_the_environment_would_be_found() {
    let planted = Planted::new();
    let mut run = planted.ground.secretfig(&["exec", "--env", "--", "cat", "/proc/self/environ"]);
    let environ = run.env("SECRET_PROVIDER", "local").output().unwrap().stdout;
    assert!(planted.password.find(&environ).is_some());
    planted.hunt.check("nothing", "nothing");
    planted.hunt.finish();
}
