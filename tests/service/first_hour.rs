//! What people and scripts use first: `init`, `check --json`, `completions`, `man`, and `run` without a file.

use std::{
    fs, io,
    path::Path,
    process::{Command, Output},
};

use rustix::process::Signal;
use serde_json::{Value, json};
use tertulia::config::{Configuration, Environment};

use crate::running::{BOT, CANARY, configuration, emulator, process::Process};

/// The commands of this file.
const COMMANDS: [&str; 4] = ["init", "check", "completions", "man"];

/// The program in a directory, in an environment that holds nothing but what a test puts there.
fn tertulia(directory: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tertulia"));
    command.env_clear().env("XDG_RUNTIME_DIR", directory).current_dir(directory).args(arguments);
    command
}

/// Exit code, standard output and standard error.
fn outcome(directory: &Path, arguments: &[&str]) -> (Option<i32>, String, String) {
    let Output { status, stdout, stderr } = tertulia(directory, arguments).output().unwrap();
    (status.code(), String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap())
}

/// Removes the `#` from the settings of a section that are not in force.
fn enable(text: &str, section: &str) -> String {
    let mut inside = false;
    let lines = text.lines().map(|line| {
        inside = line.strip_prefix('#') == Some(section) || inside && line.starts_with('#');
        if inside { line.trim_start_matches('#') } else { line }
    });
    lines.map(|line| format!("{line}\n")).collect()
}

#[test]
fn every_help_ends_with_an_example() {
    let directory = tempfile::tempdir().unwrap();
    for command in COMMANDS {
        let (code, help, _) = outcome(directory.path(), &[command, "--help"]);
        assert_eq!(code, Some(0));
        assert!(help.contains("Example:") && help.lines().last().unwrap().contains("tertulia "), "{help}");
    }
}

#[test]
fn wrong_usage_exits_with_2() {
    let directory = tempfile::tempdir().unwrap();
    for arguments in [
        &["init", "--stdout", "--force"][..],
        &["init", "tertulia.toml"],
        &["completions"],
        &["completions", "tcsh"],
        &["man", "rnu"],
        &["man", "run", "tail"],
    ] {
        let (code, stdout, stderr) = outcome(directory.path(), arguments);
        assert!(code == Some(2) && stdout.is_empty() && !stderr.is_empty(), "{arguments:?}: {stdout}{stderr}");
    }
    let (_, _, stderr) = outcome(directory.path(), &["man", "rnu"]);
    assert!(stderr.contains("no such command; the nearest is run"), "{stderr}");
    assert_eq!(fs::read_dir(&directory).unwrap().count(), 0);
}

#[test]
fn run_and_check_without_a_file_name_the_commands_that_help() {
    let directory = tempfile::tempdir().unwrap();
    for command in ["run", "check"] {
        let (code, stdout, stderr) = outcome(directory.path(), &[command]);
        assert_eq!((code, stdout.as_str()), (Some(1), ""));
        assert_eq!(
            stderr,
            "error: cannot read configuration tertulia.toml: No such file or directory (os error 2); \
             `tertulia init` writes a configuration, and `tertulia demo` needs none\n"
        );
        let (_, _, stderr) = outcome(directory.path(), &[command, "--config", "other.toml"]);
        assert!(stderr.contains("`tertulia init --config other.toml` writes"), "{stderr}");
    }
    fs::create_dir(directory.path().join("tertulia.toml")).unwrap();
    let (code, _, stderr) = outcome(directory.path(), &["run"]);
    assert!(code == Some(1) && !stderr.contains("init"), "{stderr}");
}

#[test]
fn init_writes_a_valid_configuration_once() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("tertulia.toml");
    let (code, stdout, stderr) = outcome(directory.path(), &["init"]);
    assert!(code == Some(0) && stderr.is_empty(), "{stderr}");
    assert!(stdout.starts_with("tertulia.toml: written; ") && stdout.lines().count() == 1, "{stdout}");
    let written = fs::read_to_string(&file).unwrap();
    let (code, stdout, _) = outcome(directory.path(), &["check"]);
    assert!(code == Some(0) && stdout.contains("ok: connections: 0"), "{stdout}");

    fs::write(&file, "mine").unwrap();
    let (code, stdout, stderr) = outcome(directory.path(), &["init"]);
    assert_eq!((code, stdout.as_str()), (Some(1), ""));
    assert!(stderr.starts_with("error: tertulia.toml already exists; --force replaces it"), "{stderr}");
    assert_eq!(fs::read_to_string(&file).unwrap(), "mine");
    assert_eq!(outcome(directory.path(), &["init", "--stdout"]), (Some(0), written.clone(), String::new()));
    assert_eq!(fs::read_to_string(&file).unwrap(), "mine");
    assert_eq!(outcome(directory.path(), &["init", "--force"]).0, Some(0));
    assert_eq!(fs::read_to_string(&file).unwrap(), written);

    assert_eq!(outcome(directory.path(), &["init", "--config", "other.toml"]).0, Some(0));
    assert_eq!(fs::read_to_string(directory.path().join("other.toml")).unwrap(), written);
    let (code, _, stderr) = outcome(directory.path(), &["init", "--config", "nowhere/tertulia.toml"]);
    assert!(code == Some(1) && stderr.starts_with("error: cannot write nowhere/tertulia.toml: "), "{stderr}");
}

#[test]
fn every_setting_that_init_shows_is_valid() {
    let directory = tempfile::tempdir().unwrap();
    let (_, template, _) = outcome(directory.path(), &["init", "--stdout"]);
    let authority = directory.path().join("emulator-ca.pem");
    fs::write(&authority, "only-an-example").unwrap();
    let settings = |line: &str| match line.strip_prefix('#') {
        Some(setting) if !setting.is_empty() && !setting.starts_with(' ') => setting.to_owned(),
        _ => line.to_owned(),
    };
    let all: Vec<String> = template.lines().map(settings).collect();
    let all = all.join("\n").replace("\"emulator-ca.pem\"", &format!("{:?}", authority.display()));
    let secrets = [("BOT1_PASSWORD", "secret"), ("TERTULIA_TOKEN", CANARY)];
    let environment: Environment = secrets.into_iter().map(|(name, value)| (name.into(), value.into())).collect();
    let read = Configuration::parse(&all, &environment).unwrap();
    assert_eq!((read.connections.len(), read.gateway.tokens.len()), (1, 1));
    assert!(read.platform.ca_file.is_some() && read.telemetry.otlp.is_some());
    // The settings that are not in force have the values that hold without them.
    let defaults = Configuration::parse("", &environment).unwrap();
    assert_eq!((read.engine, read.drain), (defaults.engine, defaults.drain));
    assert_eq!((read.gateway.listen, read.gateway.limits), (defaults.gateway.listen, defaults.gateway.limits));
    assert_eq!(read.webhooks.allow_internal, defaults.webhooks.allow_internal);
    assert_eq!(read.telemetry.metrics_per_connection, defaults.telemetry.metrics_per_connection);
}

#[test]
fn what_init_writes_works_with_the_stand_in_after_two_edits() {
    let (directory, emulator) = (tempfile::tempdir().unwrap(), emulator());
    emulator.write_ca(directory.path().join("emulator-ca.pem")).unwrap();
    assert_eq!(outcome(directory.path(), &["init"]).0, Some(0));
    let file = directory.path().join("tertulia.toml");
    let written = fs::read_to_string(&file).unwrap();
    let edited = enable(&enable(&written, "[platform]"), "[[connections]]");
    // This stand-in has a port of its own.
    fs::write(&file, edited.replace("127.0.0.1:8443", &emulator.listen().to_string())).unwrap();

    let mut check = tertulia(directory.path(), &["check", "--connect"]);
    let output = check.env("BOT1_PASSWORD", "secret").output().unwrap();
    let stdout = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success() && stdout.contains("bots-1: ok: logged in as "), "{stdout}");

    let mut run = tertulia(directory.path(), &["run", "--log-format", "json"]);
    run.envs([("BOT1_PASSWORD", "secret"), ("TERTULIA_GATEWAY__LISTEN", "127.0.0.1:0")]);
    let service = Process::spawn(&mut run);
    service.get_until("/readyz", "200 OK");
    service.get_until("/metrics", "tertulia_connection_state{connection=\"bots-1\",state=\"ready\"} 1");
    service.end(Signal::TERM);
}

/// What `check --json` prints, and its exit code.
fn check_json(directory: &Path, arguments: &[&str], variables: &[(&str, &str)]) -> (Option<i32>, Value) {
    let mut check = tertulia(directory, &[&["check", "--json"], arguments].concat());
    let Output { status, stdout, stderr } = check.envs(variables.iter().copied()).output().unwrap();
    let (stdout, stderr) = (String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap());
    assert!(stderr.is_empty() && stdout.lines().count() == 1, "{stdout}{stderr}");
    assert!(!stdout.contains(CANARY), "{stdout}");
    (status.code(), serde_json::from_str(&stdout).unwrap())
}

#[test]
fn check_json_lists_every_mistake_with_line_key_and_text() {
    let directory = tempfile::tempdir().unwrap();
    let write = |text: &str| fs::write(directory.path().join("tertulia.toml"), text).unwrap();
    write(&BOT.replace("brand", "brnad"));
    let variables = [("PASSWORD", CANARY), ("TERTULIA_ENGINE__KIND", "kafka")];
    let mistakes = json!([
        {
            "line": 5, "variable": null, "key": "connections[0].role",
            "text": "\"brnad\" is not one of brand, consumer, connector, intake; the nearest is brand",
        },
        {
            "line": null, "variable": "TERTULIA_ENGINE__KIND", "key": "engine.kind",
            "text": "\"kafka\" is not one of embedded, postgres; the nearest is embedded",
        },
    ]);
    let found = json!({ "file": "tertulia.toml", "ok": false, "mistakes": mistakes, "connections": null });
    assert_eq!(check_json(directory.path(), &[], &variables), (Some(1), found.clone()));
    assert_eq!(check_json(directory.path(), &["--connect"], &variables), (Some(1), found));

    write(BOT);
    let valid = json!({ "file": "tertulia.toml", "ok": true, "mistakes": [], "connections": null });
    assert_eq!(check_json(directory.path(), &[], &[("PASSWORD", CANARY)]), (Some(0), valid));
}

#[test]
fn a_syntax_error_is_the_only_mistake_that_check_reports() {
    let directory = tempfile::tempdir().unwrap();
    let text =
        format!("{BOT}[gateway\nlisten = \"nowhere\"\n[platform]\ndiscovery = \"{CANARY}\n").replace("brand", "x");
    fs::write(directory.path().join("tertulia.toml"), text).unwrap();
    let (code, stdout, _) = outcome(directory.path(), &["check"]);
    assert!(code == Some(1) && stdout.lines().count() == 1, "{stdout}");
    assert!(stdout.starts_with("tertulia.toml:9: not valid TOML: "), "{stdout}");
    let (code, report) = check_json(directory.path(), &[], &[]);
    let mistakes = report["mistakes"].as_array().unwrap();
    assert_eq!((code, mistakes.len(), &mistakes[0]["line"], &mistakes[0]["key"]), (Some(1), 1, &json!(9), &json!("")));
}

#[test]
fn check_json_of_a_file_that_cannot_be_read_is_a_mistake_without_a_line() {
    let directory = tempfile::tempdir().unwrap();
    let (code, report) = check_json(directory.path(), &["--config", "other.toml"], &[]);
    assert_eq!((code, &report["ok"], &report["file"]), (Some(1), &json!(false), &json!("other.toml")));
    let [mistake] = report["mistakes"].as_array().unwrap().as_slice() else { unreachable!("{report}") };
    assert_eq!((&mistake["line"], &mistake["variable"], &mistake["key"]), (&Value::Null, &Value::Null, &json!("")));
    assert!(mistake["text"].as_str().unwrap().starts_with("cannot read configuration other.toml: "), "{report}");
}

#[test]
fn check_json_tells_the_outcome_of_each_connection_that_was_tried() {
    let emulator = emulator();
    let wrong = BOT.replace("bots-1", "wrong").replace("bot1", "bot2").replace("\"PASSWORD\"", "\"WRONG\"");
    let (directory, file) = configuration(&emulator, &format!("{BOT}{wrong}"));
    let secrets = [("PASSWORD", "secret"), ("WRONG", CANARY)];
    let (code, report) = check_json(directory.path(), &["--connect", "--config", &file], &secrets);
    assert_eq!((code, &report["ok"], &report["mistakes"]), (Some(1), &json!(false), &json!([])));
    let [works, fails] = report["connections"].as_array().unwrap().as_slice() else { unreachable!("{report}") };
    assert_eq!((&works["id"], &works["ok"]), (&json!("bots-1"), &json!(true)));
    assert!(works["text"].as_str().unwrap().starts_with("logged in as "), "{report}");
    assert_eq!((&fails["id"], &fails["ok"]), (&json!("wrong"), &json!(false)));
    assert!(fails["text"].as_str().unwrap().ends_with(" answered 401"), "{report}");

    let (_directory, file) = configuration(&emulator, "");
    let (code, report) = check_json(directory.path(), &["--connect", "--config", &file], &secrets);
    assert_eq!((code, &report["connections"]), (Some(0), &json!([])));
}

#[test]
fn each_shell_gets_completions_of_every_command() {
    let directory = tempfile::tempdir().unwrap();
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let (code, completions, stderr) = outcome(directory.path(), &["completions", shell]);
        assert!(code == Some(0) && stderr.is_empty(), "{stderr}");
        for word in ["init", "emulate", "discovery-listen", "log-format"] {
            assert!(completions.contains(word), "{shell} does not complete {word}");
        }
    }
    // Bash loads the completions, and completes the name of a command by them.
    let script = format!(
        "source <({program} completions bash)\nCOMP_WORDS=(tertulia em)\nCOMP_CWORD=1\n_tertulia tertulia em tertulia\n\
         echo \"${{COMPREPLY[*]}}\"",
        program = env!("CARGO_BIN_EXE_tertulia")
    );
    let output = Command::new("bash").args(["--norc", "-c", &script]).output().unwrap();
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "emulate\n");
}

#[test]
fn the_manual_has_a_page_for_the_program_and_for_each_command() {
    let directory = tempfile::tempdir().unwrap();
    let (code, page, stderr) = outcome(directory.path(), &["man"]);
    assert!(code == Some(0) && stderr.is_empty(), "{stderr}");
    assert!(page.contains(".TH tertulia 1"), "{page}");
    for command in ["init", "run", "check", "demo", "emulate", "tail", "health", "backup", "completions", "man"] {
        assert!(page.contains(&format!("tertulia\\-{command}(1)")), "the page names no {command}");
        let (code, page, _) = outcome(directory.path(), &["man", command]);
        assert_eq!(code, Some(0));
        assert!(page.contains(&format!(".TH tertulia-{command} 1")) && page.contains("Example:"), "{page}");
    }
}

#[test]
fn a_reader_that_goes_away_is_a_failure_and_no_panic() {
    let directory = tempfile::tempdir().unwrap();
    for arguments in [&["completions", "bash"][..], &["man"], &["init", "--stdout"]] {
        let (reader, writer) = io::pipe().unwrap();
        drop(reader);
        let output = tertulia(directory.path(), arguments).stdout(writer).output().unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.code() == Some(1) && stderr.starts_with("error: "), "{arguments:?}: {stderr}");
    }
}
