//! The walk of the README, as a reader would type it.

#![allow(clippy::unwrap_used, reason = "a test fails by a panic")]

mod running;

use std::{
    io::{BufRead as _, BufReader, Write as _},
    process::{Command, Stdio},
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use running::Port;

/// The longest that the walk may take.
const PATIENCE: Duration = Duration::from_secs(120);

#[test]
fn the_walk_of_the_readme_starts_the_demo_sends_a_message_and_sees_it_arrive() {
    let port = Port::free();
    let script = script(port.number);
    // Whoever types it sees the stream begin before they speak, and looks at it before they end it.
    let (begin, walk) = script.split_once("id=$(").unwrap();
    let (walk, end) = walk.split_once("kill %1 %2").unwrap();
    let script = format!("trap 'kill $(jobs -p)' EXIT\n{begin}read -r\nid=$({walk}\nread -r\n{end}");
    let mut bash = Command::new("bash");
    let bash = bash.args(["-m", "-c", &script]);
    let mut bash = bash.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let (tell, told) = mpsc::channel();
    let output = bash.stdout.take().unwrap();
    thread::spawn(move || BufReader::new(output).lines().map_while(Result::ok).try_for_each(|line| tell.send(line)));

    let (mut follows, mut answered, mut arrived, mut described) = (false, false, false, false);
    let mut typing = bash.stdin.take().unwrap();
    let deadline = Instant::now() + PATIENCE;
    while !(answered && arrived && described) {
        let line = told.recv_timeout(deadline.saturating_duration_since(Instant::now())).unwrap();
        if line == ": heartbeat" && !std::mem::replace(&mut follows, true) {
            writeln!(typing).unwrap();
        }
        answered |= line.contains(r#"{"sequence":"#);
        arrived |= line.starts_with("data: ") && line.contains(r#""body":"Hello from curl""#);
        described |= line.contains(r#"{"openapi":"3.1"#);
    }
    drop(typing);
    bash.wait().unwrap();
}

/// The walk, by the program that is tested, on this port.
fn script(port: u16) -> String {
    let readme = include_str!("../README.md");
    let (_, section) = readme.split_once("## Walk through it").unwrap();
    let (block, _) = section.split_once("```sh\n").unwrap().1.split_once("```").unwrap();
    block
        .replace("cargo build --release\n", "")
        .replace("target/release/tertulia", env!("CARGO_BIN_EXE_tertulia"))
        .replace("127.0.0.1:8080", &format!("127.0.0.1:{port}"))
}
