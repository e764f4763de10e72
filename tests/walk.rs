//! The walk of the README, as a reader would type it.

#![allow(clippy::unwrap_used, reason = "a test fails by a panic")]

use std::{
    io::{BufRead as _, BufReader},
    net::TcpListener,
    process::{Command, Stdio},
    sync::mpsc,
    thread,
    time::Duration,
};

/// The longest that the walk may stand still.
const PATIENCE: Duration = Duration::from_secs(60);

#[test]
fn the_walk_of_the_readme_starts_the_demo_sends_a_message_and_sees_it_arrive() {
    let script = script();
    // Whoever reads it looks at the stream before they end it.
    let (walk, end) = script.split_once("kill %1 %2").unwrap();
    let script = format!("trap 'kill $(jobs -p)' EXIT\n{walk}\nread -r\n{end}");
    let mut bash = Command::new("bash");
    let bash = bash.args(["-m", "-c", &script]);
    let mut bash = bash.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let (tell, told) = mpsc::channel();
    let output = bash.stdout.take().unwrap();
    thread::spawn(move || BufReader::new(output).lines().map_while(Result::ok).try_for_each(|line| tell.send(line)));

    let (mut answered, mut arrived, mut described) = (false, false, false);
    while !(answered && arrived && described) {
        let line = told.recv_timeout(PATIENCE).unwrap();
        answered |= line.contains(r#"{"sequence":"#);
        arrived |= line.starts_with("data: ") && line.contains(r#""body":"Hello from curl""#);
        described |= line.contains(r#"{"openapi":"3.1"#);
    }
    drop(bash.stdin.take());
    bash.wait().unwrap();
}

/// The walk, by the program that is tested, on a free port.
fn script() -> String {
    let readme = include_str!("../README.md");
    let (_, section) = readme.split_once("## Walk through it").unwrap();
    let (block, _) = section.split_once("```sh\n").unwrap().1.split_once("```").unwrap();
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    block
        .replace("cargo build --release\n", "")
        .replace("target/release/tertulia", env!("CARGO_BIN_EXE_tertulia"))
        .replace("127.0.0.1:8080", &format!("127.0.0.1:{port}"))
}
