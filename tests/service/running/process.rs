//! A service in a process of its own, and a caller of its gateway that waits for each answer.

use std::{
    cell::RefCell,
    collections::VecDeque,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpStream,
    process::{Child, Command, ExitStatus, Stdio},
    sync::mpsc::{Receiver, channel},
    thread,
    time::Instant,
};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use super::{CANARY, LOOK_EVERY, PATIENCE};

/// How `tertulia run` is started with a configuration.
pub(crate) fn command(file: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tertulia"));
    command
        .env_clear()
        .args(["run", "--log-format", "json", "--config", file])
        .envs([("PASSWORD", "secret"), ("WRONG", CANARY)]);
    command
}

/// A service in a process of its own; it does not outlive the test.
pub(crate) struct Process {
    pub(crate) child: Child,
    pub(crate) gateway: String,
    log: Receiver<Value>,
    /// What it said before it was running.
    before: RefCell<VecDeque<Value>>,
}

impl Process {
    /// Starts it and waits until it says where it listens.
    pub(crate) fn start(file: &str) -> Self {
        Self::running(command(file).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap())
    }

    /// Waits until a process says where it listens.
    pub(crate) fn running(mut child: Child) -> Self {
        let stderr = BufReader::new(child.stderr.take().unwrap());
        let (lines, log) = channel();
        thread::spawn(move || {
            for line in stderr.lines() {
                let line = line.unwrap();
                assert!(!line.contains(CANARY), "{line}");
                let _ = lines.send(serde_json::from_str(&line).unwrap());
            }
        });
        let mut before = VecDeque::new();
        let gateway = loop {
            let line: Value = log.recv_timeout(PATIENCE).unwrap();
            if line["message"] == "running" {
                break line["gateway"].as_str().unwrap().to_owned();
            }
            before.push_back(line);
        };
        Self { child, log, before: before.into(), gateway }
    }

    /// Waits for a line of the log.
    pub(crate) fn logged(&self, message: &str) -> Value {
        loop {
            let early = self.before.borrow_mut().pop_front();
            let line = early.unwrap_or_else(|| self.log.recv_timeout(PATIENCE).unwrap());
            if line["message"] == message {
                return line;
            }
        }
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// How it ended; nothing was printed on standard output.
    pub(crate) fn ended(mut self) -> ExitStatus {
        let mut stdout = String::new();
        self.child.stdout.take().unwrap().read_to_string(&mut stdout).unwrap();
        assert_eq!(stdout, "");
        self.child.wait().unwrap()
    }

    /// Sends a signal that ends it, and waits for its end.
    pub(crate) fn end(mut self, signal: Signal) {
        self.signal(signal);
        self.child.wait().unwrap();
    }

    pub(crate) fn connect(&self) -> TcpStream {
        let socket = TcpStream::connect(&self.gateway).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        socket
    }

    /// Sends a request, such as `GET /healthz`, with header lines and a body; the socket its answer comes from.
    pub(crate) fn send(&self, request: &str, headers: &[&str], body: &str) -> TcpStream {
        let mut socket = self.connect();
        let headers: String = headers.iter().map(|line| format!("{line}\r\n")).collect();
        write!(
            socket,
            "{request} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n{headers}Content-Type: application/json\r\n\
             Content-Length: {}\r\n\r\n{body}",
            self.gateway,
            body.len()
        )
        .unwrap();
        socket
    }

    /// Sends a request; its whole answer, with its head.
    pub(crate) fn ask(&self, request: &str, headers: &[&str], body: &str) -> String {
        rest(self.send(request, headers, body))
    }

    /// Sends a request; the JSON of its answer, null where there is none.
    pub(crate) fn json(&self, request: &str, body: &str) -> Value {
        let answer = self.ask(request, &[], body);
        answer.split_once("\r\n\r\n").and_then(|(_, body)| serde_json::from_str(body).ok()).unwrap_or_default()
    }

    pub(crate) fn get(&self, path: &str) -> String {
        self.ask(&format!("GET {path}"), &[], "")
    }

    /// Asks until the answer has `wanted` in it.
    pub(crate) fn get_until(&self, path: &str, wanted: &str) -> String {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let answer = self.get(path);
            if answer.contains(wanted) {
                return answer;
            }
            assert!(Instant::now() < deadline, "{answer}");
            thread::sleep(LOOK_EVERY);
        }
    }

    /// Asks until the JSON of the answer is as wanted.
    pub(crate) fn json_until(&self, path: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let answer = self.json(&format!("GET {path}"), "");
            if wanted(&answer) {
                return answer;
            }
            assert!(Instant::now() < deadline, "{answer}");
            thread::sleep(LOOK_EVERY);
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // A service that has ended already is what was wanted.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What comes from a socket until its end.
pub(crate) fn rest(mut socket: TcpStream) -> String {
    let mut answer = String::new();
    socket.read_to_string(&mut answer).unwrap();
    answer
}
