//! The user's page: what it tells to type is typed, from top to bottom.

use crate::ground::{Ground, Ran};
use std::path::Path;

const PAGE: &str = include_str!("../../docs/cli.md");

/// The blocks of that language.
fn blocks(language: &str) -> Vec<&'static str> {
    let mut rest = PAGE.split("```");
    let mut blocks = Vec::new();
    while let (Some(_), Some(block)) = (rest.next(), rest.next()) {
        if let Some((first, text)) = block.split_once('\n')
            && first == language
        {
            blocks.push(text);
        }
    }
    blocks
}

#[test]
fn every_line_of_the_page_works() {
    let ground = Ground::new();
    let script = blocks("sh").concat();
    let mut shell = ground.program("sh", &["-eux", "-c", &script]);
    let own = Path::new(env!("CARGO_BIN_EXE_secretfig")).parent().unwrap();
    let path = std::env::join_paths(
        [own.to_owned()].into_iter().chain(std::env::split_paths(&std::env::var_os("PATH").unwrap())),
    );
    let ran = Ran::of(shell.env("PATH", path.unwrap()).output().unwrap()).fine();
    for said in ["database.password  age `database`", "\"ok\":true", "13\n", "db.internal"] {
        assert!(ran.out.contains(said), "{said}: {}", ran.out);
    }
    assert!(!ran.out.contains("correct horse"));
}

#[test]
fn every_command_is_on_the_page() {
    let lines = blocks("sh").concat() + &blocks("console").concat();
    for command in [
        "local init",
        "local set",
        "local remove",
        "local list",
        "local recipient",
        "local rekey",
        "check",
        "explain",
        "grants",
        "template",
        "exec",
        "completions",
    ] {
        let typed = |line: &str| {
            line.contains(&format!("secretfig {command}")) || line.contains(&format!("secrets {command}"))
        };
        assert!(lines.lines().any(typed), "{command}");
    }
}
