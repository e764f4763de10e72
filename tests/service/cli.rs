//! The program as people and scripts meet it: help, exit codes, what is printed where.

use std::{fs, path::PathBuf, process::Output};

use tempfile::TempDir;

use crate::running::{CANARY, process::program};

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// A configuration file in a directory that lives as long as the test.
fn configuration(text: &str) -> (TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("tertulia.toml");
    fs::write(&file, text).unwrap();
    (directory, file)
}

fn check(file: &str, variables: &[(&str, &str)]) -> Output {
    program(&["check", "--config", file]).envs(variables.iter().copied()).output().unwrap()
}

const VALID: &str = r#"
[[connections]]
id = "bots-1"
account = "12345678"
role = "brand"
login = { username = "bot1", password = { env = "BOT1_PASSWORD" } }

[gateway]
listen = "0.0.0.0:8080"
tokens = [{ name = "ops", token = { env = "TERTULIA_TOKEN" }, scope = "write" }]
"#;
const SECRETS: [(&str, &str); 2] = [("BOT1_PASSWORD", CANARY), ("TERTULIA_TOKEN", CANARY)];

#[test]
fn every_help_ends_with_an_example() {
    for command in [&[][..], &["check"], &["emulate"], &["run"], &["tail"], &["mcp"], &["health"], &["backup"]] {
        let output = program(&[command, &["--help"]].concat()).output().unwrap();
        assert_eq!(output.status.code(), Some(0));
        let help = stdout(&output);
        let last = help.lines().last().unwrap();
        assert!(help.contains("Example:") && last.contains("tertulia "), "{help}");
    }
}

#[test]
fn wrong_usage_exits_with_2() {
    for arguments in
        [&[][..], &["chekc"], &["check", "--confg", "x"], &["check", "x"], &["--log-format", "xml", "check"]]
    {
        let output = program(arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(output.stdout.is_empty() && !output.stderr.is_empty());
    }
}

#[test]
fn a_log_filter_that_is_none_is_a_failure() {
    let output = program(&["check"]).env("RUST_LOG", "a=b=c").output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).starts_with("error: RUST_LOG is not a log filter"));
}

#[test]
fn check_accepts_a_valid_configuration() {
    let (_directory, file) = configuration(VALID);
    let file = file.to_str().unwrap();
    let output = check(file, &SECRETS);
    assert_eq!(output.status.code(), Some(0), "{}", stdout(&output));
    assert_eq!(
        stdout(&output),
        format!("{file}: ok: connections: 1, engine: embedded in ./tertulia-data, gateway: 0.0.0.0:8080, tokens: 1\n")
    );
    assert!(output.stderr.is_empty());
}

#[test]
fn check_reads_tertulia_toml_unless_told_otherwise() {
    let (directory, _file) = configuration(VALID);
    let output = program(&["check"]).current_dir(&directory).envs(SECRETS).output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert!(stdout(&output).starts_with("tertulia.toml: ok"));
}

#[test]
fn check_prints_every_mistake_with_its_file_line_and_path() {
    let (_directory, file) = configuration(&VALID.replace("brand", "brnad").replace("listen", "lisen"));
    let file = file.to_str().unwrap();
    let output = check(file, &[("TERTULIA_TOKEN", CANARY), ("TERTULIA_ENGINE__KIND", "kafka")]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(
        stdout(&output),
        format!(
            "{file}:5: connections[0].role: \"brnad\" is not one of brand, consumer, connector, intake; the nearest is brand\n\
             {file}:6: connections[0].login.password.env: the environment variable BOT1_PASSWORD is not set\n\
             {file}:9: gateway.lisen: unknown key \"lisen\"; the nearest valid one is \"listen\"\n\
             TERTULIA_ENGINE__KIND: engine.kind: \"kafka\" is not one of embedded, postgres; the nearest is embedded\n"
        )
    );
}

#[test]
fn check_of_a_file_that_cannot_be_read_is_a_failure_that_names_it() {
    let output = check("/nowhere/tertulia.toml", &[]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).starts_with("error: cannot read configuration /nowhere/tertulia.toml: "));
    assert!(output.stdout.is_empty());
}

#[test]
fn check_never_prints_a_secret() {
    let plain = VALID.replace("{ env = \"BOT1_PASSWORD\" }", &format!("\"{CANARY}\""));
    let unquoted = VALID.replace("{ env = \"BOT1_PASSWORD\" }", CANARY);
    let misplaced = VALID.replace("\"BOT1_PASSWORD\"", &format!("\"{CANARY}\""));
    for text in [VALID, &plain, &unquoted, &misplaced] {
        let (_directory, file) = configuration(text);
        let output = program(&["check", "--config", file.to_str().unwrap()])
            .env("RUST_LOG", "trace")
            .envs(SECRETS)
            .output()
            .unwrap();
        let printed = stdout(&output) + &stderr(&output);
        assert!(!printed.is_empty() && !printed.contains(CANARY), "{printed}");
    }
}
