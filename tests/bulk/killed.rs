//! A job whose process is killed again and again: promise 5 for bulk work.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpStream,
    process::{Child, Command, Stdio},
    sync::mpsc::{Receiver, channel},
    thread,
    time::Instant,
};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tertulia_emulator::Emulator;

use crate::{
    running::{LOOK_EVERY, PATIENCE, configuration, emulator},
    scene::{MANAGER, assert_each_once, changed, opened},
};

/// A service in a process of its own; it does not outlive the test.
struct Process {
    child: Child,
    gateway: String,
}

impl Process {
    /// Starts it and waits until it says where it listens.
    fn start(file: &str) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_tertulia"))
            .env_clear()
            .args(["run", "--log-format", "json", "--config", file])
            .env("PASSWORD", "secret")
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let gateway = listening(&mut child).recv_timeout(PATIENCE).unwrap();
        Self { child, gateway }
    }

    /// Sends a request; the body of its answer, null where there is none.
    fn request(&self, head: &str, body: &str) -> Value {
        let answer = self.exchange(head, body).unwrap_or_default();
        answer.split_once("\r\n\r\n").and_then(|(_, body)| serde_json::from_str(body).ok()).unwrap_or_default()
    }

    fn exchange(&self, head: &str, body: &str) -> std::io::Result<String> {
        let mut socket = TcpStream::connect(&self.gateway)?;
        socket.set_read_timeout(Some(PATIENCE))?;
        write!(
            socket,
            "{head} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\n\r\n{body}",
            self.gateway,
            body.len()
        )?;
        let mut answer = String::new();
        socket.read_to_string(&mut answer)?;
        Ok(answer)
    }

    /// Looks until it is as wanted.
    fn until(&self, path: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let answer = self.request(&format!("GET {path}"), "");
            if wanted(&answer) {
                return answer;
            }
            assert!(Instant::now() < deadline, "{answer}");
            thread::sleep(LOOK_EVERY);
        }
    }

    fn end(&mut self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Where a process listens, once it says so.
fn listening(child: &mut Child) -> Receiver<String> {
    let stderr = BufReader::new(child.stderr.take().unwrap());
    let (tell, told) = channel();
    thread::spawn(move || {
        for line in stderr.lines().map_while(Result::ok) {
            let line: Value = serde_json::from_str(&line).unwrap_or_default();
            if line["message"] == "running" {
                let _ = tell.send(line["gateway"].as_str().unwrap().to_owned());
            }
        }
    });
    told
}

/// A service that sees `count` conversations.
fn seeing(emulator: &Emulator, file: &str, count: usize) -> (Process, Vec<String>) {
    let process = Process::start(file);
    process.until("/readyz", |answer| answer["ready"] == true);
    let ids = opened(emulator, count, None);
    process.until("/v1/connections/manager", |answer| answer["conversations"] == count);
    (process, ids)
}

#[test]
fn a_job_goes_on_after_kill_and_after_a_restart_and_closes_each_conversation_once() {
    const COUNT: usize = 300;
    let emulator = emulator();
    let (_directory, file) = configuration(&emulator, MANAGER);
    let (mut process, ids) = seeing(&emulator, &file, COUNT);
    let order = json!({ "operation": "close", "filter": { "conversations": ids }, "rate": 100 });
    let job = process.request("POST /v1/bulk", &order.to_string());
    let path = format!("/v1/bulk/{}", job["id"].as_str().unwrap());

    // Once while it is matched, or just after, and then wherever it is by then.
    let mut lives = 0;
    for (signal, share) in
        [(Signal::KILL, 0), (Signal::KILL, 1), (Signal::TERM, 2), (Signal::KILL, 3), (Signal::KILL, 4)]
    {
        let far_enough = COUNT * share / 6;
        let deadline = Instant::now() + PATIENCE;
        while changed(&emulator).len() < far_enough {
            assert!(Instant::now() < deadline, "the job does not go on");
            thread::sleep(LOOK_EVERY);
        }
        process.end(signal);
        process = Process::start(&file);
        lives += 1;
    }
    let job = process.until(&path, |job| job["state"] == "finished");
    let counts = ["matched", "done", "refused", "unknown", "left"].map(|name| job[name].as_u64());
    let refused = process.request(&format!("GET {path}/items?outcome=refused"), "");
    assert_eq!(counts, [COUNT as u64, COUNT as u64, 0, 0, 0].map(Some), "{refused} after {lives} restarts");
    assert_each_once(&emulator, &ids);
}

#[test]
fn a_transfer_that_a_killed_process_made_is_not_made_again_though_another_agent_has_it_by_now() {
    const COUNT: usize = 60;
    let emulator = emulator();
    let bot = MANAGER.replace(
        "subscribe = { agents = \"all\" }",
        "subscribe = { agents = \"all\" }\nrings = \"accept\"\nagent_state = \"ONLINE\"",
    );
    let (_directory, file) = configuration(&emulator, &bot);
    let process = Process::start(&file);
    process.until("/readyz", |answer| answer["ready"] == true);
    let ids = opened(&emulator, COUNT, Some("501"));
    // The bot takes each, at the platform's pace, and is offered each again once it was moved.
    let is_taken = |one: &Value| one["assignedAgent"].is_object();
    process.until("/v1/conversations?limit=1000", |list| {
        list["items"].as_array().is_some_and(|all| all.len() == COUNT && all.iter().all(is_taken))
    });
    let order = json!({ "operation": "transfer", "filter": { "conversations": ids },
        "arguments": { "skillId": "502" }, "rate": 50 });
    let mut process = process;
    let job = process.request("POST /v1/bulk", &order.to_string());
    let path = format!("/v1/bulk/{}", job["id"].as_str().unwrap());
    for share in 1..4 {
        let deadline = Instant::now() + PATIENCE;
        while moved(&emulator).len() < COUNT * share / 5 {
            assert!(Instant::now() < deadline, "the job does not go on");
            thread::sleep(LOOK_EVERY);
        }
        process.end(Signal::KILL);
        process = Process::start(&file);
    }
    let job = process.until(&path, |job| job["state"] == "finished");
    assert_eq!(job["done"], COUNT, "{job}");
    let mut moved = moved(&emulator);
    moved.sort_unstable();
    assert_eq!(moved, ids);
}

/// The conversations whose skill the platform changed, as often as it did.
fn moved(emulator: &Emulator) -> Vec<String> {
    let changes = emulator.changes().into_iter();
    let moves = changes.filter(|change| change.accepted && change.fields.iter().any(|field| field == "Skill"));
    moves.map(|change| change.conversation).collect()
}
