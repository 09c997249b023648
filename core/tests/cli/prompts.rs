//! A person at a terminal: what they type is not shown, and the terminal is as it was afterwards.
//!
//! The terminal is Python's `pty`, so that the tests need no crate for one.

use crate::ground::{Ground, Ran};
use secretfig_tests::{Hunt, Marker};
use std::process::Command;

/// Runs a program on a terminal of its own. Arguments: what to type at each prompt as JSON
/// (`signal 15` is sent and not typed), then the program. It types
/// once the terminal does not echo any more, and tells what was shown, the exit code, and whether it echoes at the end.
const TERMINAL: &str = r#"
import json, os, pty, select, sys, termios, time

steps, program = json.loads(sys.argv[1]), sys.argv[2:]
pid, terminal = pty.fork()
if pid == 0:
    os.execv(program[0], program)

def echoes():
    return bool(termios.tcgetattr(terminal)[3] & termios.ECHO)

usual, shown, deadline = echoes(), b"", time.monotonic() + 30
seen = 0
while time.monotonic() < deadline:
    ready, _, _ = select.select([terminal], [], [], 0.02)
    if ready:
        try:
            data = os.read(terminal, 4096)
        except OSError:
            break
        if not data:
            break
        shown += data
    if steps and shown.find(steps[0][0].encode(), seen) >= 0 and not echoes():
        prompt, typed = steps.pop(0)
        seen = shown.find(prompt.encode(), seen) + len(prompt)
        if typed.startswith("signal "):
            os.kill(pid, int(typed[7:]))
        else:
            os.write(terminal, typed.encode())
    done, status = os.waitpid(pid, os.WNOHANG)
    if done:
        break
else:
    os.kill(pid, 9)
    status = None
while True:
    ready, _, _ = select.select([terminal], [], [], 0.2)
    if not ready:
        break
    try:
        data = os.read(terminal, 4096)
    except OSError:
        break
    if not data:
        break
    shown += data
if not done:
    _, status = os.waitpid(pid, 0)
code = -os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)
json.dump({"shown": shown.decode(errors="replace"), "code": code, "echo": [usual, echoes()], "left": len(steps)}, sys.stdout)
"#;

struct Sat {
    shown: String,
    code: i64,
}

/// A person runs the program and types at its prompts.
fn sit(ground: &Ground, args: &[&str], typing: &[(&str, &str)]) -> Sat {
    sit_at(ground, &ground.secretfig(args), typing)
}

fn sit_at(ground: &Ground, program: &Command, typing: &[(&str, &str)]) -> Sat {
    let mut python = Command::new("python3");
    python
        .args(["-c", TERMINAL, &serde_json::to_string(typing).unwrap()])
        .arg(program.get_program())
        .args(program.get_args());
    python.current_dir(ground.folder()).env_clear();
    python.envs(program.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let told = Ran::of(python.output().unwrap());
    assert_eq!(told.code, Some(0), "python3, which these tests need: {}", told.err);
    let told = told.json();
    assert_eq!(told["echo"], serde_json::json!([true, true]), "the terminal echoes as before");
    assert_eq!(told["left"], 0, "a prompt did not come: {}", told["shown"]);
    Sat { shown: told["shown"].as_str().unwrap().to_owned(), code: told["code"].as_i64().unwrap() }
}

fn ground() -> Ground {
    let ground = Ground::new();
    ground.write("config.toml", "[secrets]\na = 'a'\n");
    ground.run(&["local", "init"]).fine();
    ground
}

fn value(ground: &Ground) -> String {
    let mut run = ground.secretfig(&["exec", "--env", "--as", "V=a", "--", "printenv", "V"]);
    Ran::of(run.env("SECRET_PROVIDER", "local").output().unwrap())
        .fine()
        .out
        .trim_end_matches('\n')
        .to_owned()
}

#[test]
fn a_value_is_asked_for_twice_and_not_shown() {
    let (ground, hunt) = (ground(), Hunt::new());
    let typed = hunt.plant("typed", Marker::random());
    let line = format!("{}\r", typed.text());
    let sat = sit(&ground, &["local", "set", "a"], &[("Value of `a`: ", &line), ("Once more: ", &line)]);
    assert_eq!(sat.code, 0, "{}", sat.shown);
    assert!(sat.shown.contains("Added `a`"), "{}", sat.shown);
    assert_eq!(value(&ground), typed.text());
    hunt.check("a terminal", &sat.shown);
    hunt.finish();
}

#[test]
fn two_that_differ_change_nothing_and_neither_is_shown() {
    let (ground, hunt) = (ground(), Hunt::new());
    ground.run_with(&["local", "set", "a"], "old").fine();
    let (one, other) = (hunt.plant("first", Marker::random()), hunt.plant("second", Marker::random()));
    let (one, other) = (format!("{}\r", one.text()), format!("{}\r", other.text()));
    let sat = sit(&ground, &["local", "set", "a"], &[("Value of `a`: ", &one), ("Once more: ", &other)]);
    assert_eq!(sat.code, 1, "{}", sat.shown);
    assert!(sat.shown.contains("the two are not the same"), "{}", sat.shown);
    assert_eq!(value(&ground), "old");
    hunt.check("a terminal", &sat.shown);
    hunt.finish();
}

#[test]
fn ctrl_c_leaves_the_terminal_as_it_was() {
    let ground = ground();
    for typing in
        [&[("Value of `a`: ", "half\u{3}")][..], &[("Value of `a`: ", "half\r"), ("Once more: ", "\u{3}")]]
    {
        let sat = sit(&ground, &["local", "set", "a"], typing);
        assert_eq!(sat.code, 130, "{}", sat.shown);
        assert!(!sat.shown.contains("half"), "{}", sat.shown);
    }
    assert_eq!(ground.run(&["local", "list"]).fine().out, "");
}

#[test]
fn a_signal_that_ends_the_process_gives_the_echo_back_first() {
    let ground = ground();
    for (signal, number) in [("signal 15", 15), ("signal 1", 1)] {
        for typing in
            [&[("Value of `a`: ", signal)][..], &[("Value of `a`: ", "half\r"), ("Once more: ", signal)]]
        {
            // that the terminal echoes is checked wherever somebody sits
            let sat = sit(&ground, &["local", "set", "a"], typing);
            assert_eq!(sat.code, -number, "{}", sat.shown);
        }
    }
    assert_eq!(ground.run(&["local", "list"]).fine().out, "");
}

#[test]
fn a_paste_of_several_lines_is_refused_and_not_left_to_the_shell() {
    let (ground, hunt) = (ground(), Hunt::new());
    let lines = [(); 3].map(|()| hunt.plant("a line", Marker::random()).text().to_owned());
    let paste = format!("{}\r", lines.join("\r"));
    let once = format!("{}\r", lines[0]);
    for typing in [
        &[("Value of `a`: ", &*paste)][..],
        // without an end, and with the first line twice
        &[("Value of `a`: ", paste.trim_end())],
        &[("Value of `a`: ", &once), ("Once more: ", &paste)],
    ] {
        let script =
            "\"$0\" local set a; stty -echo; printf ready:; read -r line; stty echo; echo \"got <$line>\"";
        let program = ground.secretfig(&[""; 0]).get_program().to_owned();
        let mut shell = ground.program("/bin/sh", &["-c", script]);
        shell.arg(program);
        let sat = sit_at(&ground, &shell, &[typing, &[("ready:", "next\r")]].concat());
        assert!(sat.shown.contains("more than one line was pasted"), "{}", sat.shown);
        assert!(sat.shown.contains("`set NAME < file`") && sat.shown.contains("got <next>"), "{}", sat.shown);
        hunt.check("a terminal", &sat.shown);
    }
    assert_eq!(ground.run(&["local", "list"]).fine().out, "");
    hunt.finish();
}

#[test]
fn a_passphrase_is_asked_for_where_one_is_needed() {
    let ground = Ground::new();
    let passphrase = "correct horse battery\r";
    let made = sit(
        &ground,
        &["local", "init", "--passphrase"],
        &[("Passphrase of the store: ", passphrase), ("Once more: ", passphrase)],
    );
    assert_eq!(made.code, 0, "{}", made.shown);
    let opened =
        sit(&ground, &["local", "list"], &[("Passphrase of the store or of your key: ", passphrase)]);
    assert!(opened.code == 0 && opened.shown.contains("the store is empty"), "{}", opened.shown);
    let wrong =
        sit(&ground, &["local", "list"], &[("Passphrase of the store or of your key: ", "no such horse\r")]);
    assert!(wrong.code == 1 && wrong.shown.contains("the passphrase does not open it"), "{}", wrong.shown);
    for sat in [made, opened, wrong] {
        assert!(!sat.shown.contains("horse"), "{}", sat.shown);
    }
}
