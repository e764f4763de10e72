//! The program in a process of its own, and a caller of a service's gateway that waits for each answer.

use std::{
    cell::RefCell,
    collections::VecDeque,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    ops::{Deref, DerefMut},
    process::{Child, Command, ExitStatus, Stdio},
    sync::mpsc::{Receiver, channel},
    thread,
    time::Instant,
};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use super::{CANARY, LOOK_EVERY, PATIENCE};

/// The program, in an environment that holds nothing but what a test puts there.
pub(crate) fn program(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tertulia"));
    command.env_clear().args(arguments);
    command
}

/// How `tertulia run` is started with a configuration.
pub(crate) fn command(file: &str) -> Command {
    let mut command = program(&["run", "--log-format", "json", "--config", file]);
    command.envs([("PASSWORD", "secret"), ("WRONG", CANARY)]);
    command
}

/// A child process that does not outlive the test.
pub(crate) struct OwnedChild(Child);

impl OwnedChild {
    pub(crate) fn start(command: &mut Command) -> Self {
        Self(command.spawn().unwrap())
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(self), signal).unwrap();
    }
}

impl Deref for OwnedChild {
    type Target = Child;

    fn deref(&self) -> &Child {
        &self.0
    }
}

impl DerefMut for OwnedChild {
    fn deref_mut(&mut self) -> &mut Child {
        &mut self.0
    }
}

impl Drop for OwnedChild {
    fn drop(&mut self) {
        // The process may have ended already.
        let _ = self.kill();
        let _ = self.wait();
    }
}

/// A service in a process of its own; it does not outlive the test.
pub(crate) struct Process {
    pub(crate) child: OwnedChild,
    pub(crate) gateway: String,
    log: Receiver<String>,
    /// Lines of the log that were read before the test asked for them.
    before: RefCell<VecDeque<String>>,
}

/// A service that has ended.
pub(crate) struct Ended {
    pub(crate) status: ExitStatus,
    /// What [`Process::logged`] did not return.
    pub(crate) log: String,
    pub(crate) stdout: String,
}

impl Process {
    /// Starts it and waits until it says where it listens.
    pub(crate) fn start(file: &str) -> Self {
        Self::spawn(&mut command(file))
    }

    /// Starts a service by `command` and waits until it says where it listens.
    pub(crate) fn spawn(command: &mut Command) -> Self {
        Self::running(OwnedChild::start(command.stdout(Stdio::piped()).stderr(Stdio::piped())))
    }

    /// Waits until a process says where it listens.
    pub(crate) fn running(mut child: OwnedChild) -> Self {
        let stderr = BufReader::new(child.stderr.take().unwrap());
        let (lines, log) = channel();
        thread::spawn(move || {
            for line in stderr.lines() {
                let line = line.unwrap();
                assert!(!line.contains(CANARY), "{line}");
                let _ = lines.send(line);
            }
        });
        let mut before = VecDeque::new();
        let gateway = loop {
            let line: String = log.recv_timeout(PATIENCE).unwrap();
            let gateway = listens(&line);
            before.push_back(line);
            if let Some(gateway) = gateway {
                break gateway.to_string();
            }
        };
        Self { child, log, before: before.into(), gateway }
    }

    /// Waits for a line of the log, which is JSON.
    pub(crate) fn logged(&self, message: &str) -> Value {
        loop {
            let early = self.before.borrow_mut().pop_front();
            let line = early.unwrap_or_else(|| self.log.recv_timeout(PATIENCE).unwrap());
            let line: Value = serde_json::from_str(&line).unwrap();
            if line["message"] == message {
                return line;
            }
        }
    }

    pub(crate) fn signal(&self, signal: Signal) {
        self.child.signal(signal);
    }

    /// Waits for its end.
    pub(crate) fn wait(mut self) -> Ended {
        let mut stdout = String::new();
        self.child.stdout.take().unwrap().read_to_string(&mut stdout).unwrap();
        let status = self.child.wait().unwrap();
        let lines = self.before.take().into_iter().chain(self.log.iter());
        Ended { status, log: lines.flat_map(|line| [line, "\n".to_owned()]).collect(), stdout }
    }

    /// How it ended. Its log is JSON to the last line, and nothing was printed on standard output.
    pub(crate) fn ended(self) -> ExitStatus {
        let Ended { status, log, stdout } = self.wait();
        for line in log.lines() {
            let _: Value = serde_json::from_str(line).unwrap();
        }
        assert_eq!(stdout, "");
        status
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

    /// Sends a request. Returns the JSON of the response, or null if the response has no JSON.
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

/// The address of the gateway, if this line of a log, JSON or text, says that the service is running.
fn listens(line: &str) -> Option<SocketAddr> {
    let (_, address) = line.split_once("gateway").filter(|_| line.contains("running"))?;
    address.trim_start_matches(['"', '=', ':']).split(['"', ' ', ',']).next()?.parse().ok()
}

/// What comes from a socket until its end.
pub(crate) fn rest(mut socket: TcpStream) -> String {
    let mut answer = String::new();
    socket.read_to_string(&mut answer).unwrap();
    answer
}
