//! `tertulia emulate` as scripts meet it: the ready line, discovery, the end.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpStream,
    process::{ChildStdout, ExitStatus, Stdio},
};

use rustix::process::Signal;
use serde_json::Value;

use crate::running::{
    PATIENCE,
    process::{OwnedChild, program, rest},
};

/// An emulator in a process of its own; it does not outlive the test.
struct Running {
    process: OwnedChild,
    stdout: BufReader<ChildStdout>,
    ready: Value,
}

impl Running {
    fn start(arguments: &[&str]) -> Self {
        let mut command = program(&["emulate", "--listen", "127.0.0.1:0"]);
        let mut process = OwnedChild::start(command.args(arguments).stdout(Stdio::piped()));
        let mut stdout = BufReader::new(process.stdout.take().unwrap());
        let mut line = String::new();
        stdout.read_line(&mut line).unwrap();
        Self { process, stdout, ready: serde_json::from_str(&line).unwrap() }
    }

    /// Ends the emulator by `signal`. Returns the rest of its output and its exit status.
    fn end_by(mut self, signal: Signal) -> (String, ExitStatus) {
        self.process.signal(signal);
        let mut rest = String::new();
        self.stdout.read_to_string(&mut rest).unwrap();
        (rest, self.process.wait().unwrap())
    }
}

/// The answer to a plain HTTP request for `target`, head and body.
fn get(address: &Value, target: &str) -> String {
    send(address, "GET", target)
}

fn send(address: &Value, method: &str, target: &str) -> String {
    let mut socket = TcpStream::connect(address.as_str().unwrap()).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let head = "Host: adminlogin.liveperson.net\r\nConnection: close\r\nContent-Length: 0";
    write!(socket, "{method} {target} HTTP/1.1\r\n{head}\r\n\r\n").unwrap();
    rest(socket)
}

#[test]
fn the_ready_line_names_what_there_is_and_null_for_what_there_is_not() {
    let emulator = Running::start(&[]);
    let ready = emulator.ready.as_object().unwrap();
    let keys: Vec<&str> = ready.keys().map(String::as_str).collect();
    assert_eq!(keys, ["account", "ca", "control", "discovery", "listen"]);
    let listen = ready["listen"].as_str().unwrap();
    assert!(listen.starts_with("127.0.0.1:") && !listen.ends_with(":0"), "{listen}");
    assert_eq!(ready["account"], "12345678");
    assert!(ready["discovery"].is_null() && ready["control"].is_null() && ready["ca"].is_null());
}

#[test]
fn discovery_is_served_over_plain_http_also_as_to_a_proxy() {
    let emulator = Running::start(&["--discovery-listen", "127.0.0.1:0", "--account", "87654321"]);
    let path = "/api/account/87654321/service/agentVep/baseURI.json?version=1.0";
    for target in [path.to_owned(), format!("http://adminlogin.liveperson.net{path}")] {
        let answer = get(&emulator.ready["discovery"], &target);
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        assert!(answer.contains(emulator.ready["listen"].as_str().unwrap()), "{answer}");
    }
}

#[test]
fn the_control_interface_is_there_when_asked_for() {
    let emulator = Running::start(&["--control", "127.0.0.1:0"]);
    let answer = get(&emulator.ready["control"], "/ledger/summary");
    assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("\"conversations\":0"), "{answer}");
}

/// A client that keeps its conversations from one run to the next would take new conversations for old ones.
#[test]
fn ids_differ_from_run_to_run_unless_a_seed_is_given() {
    let id = |arguments: &[&str]| {
        let emulator = Running::start(&[&["--control", "127.0.0.1:0"], arguments].concat());
        let answer = send(&emulator.ready["control"], "POST", "/conversations");
        let (_, body) = answer.split_once("\r\n\r\n").unwrap();
        serde_json::from_str::<Value>(body).unwrap()["id"].as_str().unwrap().to_owned()
    };
    assert_ne!(id(&[]), id(&[]));
    assert_eq!(id(&["--seed", "7"]), id(&["--seed", "7"]));
}

#[test]
fn discovery_and_certificate_have_the_names_that_were_given() {
    let emulator = Running::start(&["--discovery-listen", "127.0.0.1:0", "--host", "one", "--host", "two"]);
    let path = "/api/account/12345678/service/idp/baseURI.json";
    let port = emulator.ready["listen"].as_str().unwrap().rsplit(':').next().unwrap();
    let answer = get(&emulator.ready["discovery"], path);
    assert!(answer.contains(&format!("\"one:{port}\"")), "{answer}");
}

#[test]
fn a_latency_that_is_no_time_is_wrong_usage() {
    let output = program(&["emulate", "--latency", "fast"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8(output.stderr).unwrap().contains("such as \"80ms\""));
}

#[test]
fn the_ca_certificate_is_written_before_the_ready_line() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("ca.pem");
    let emulator = Running::start(&["--ca-out", file.to_str().unwrap()]);
    assert_eq!(emulator.ready["ca"], file.to_str().unwrap());
    let certificate = std::fs::read_to_string(&file).unwrap();
    assert!(certificate.starts_with("-----BEGIN CERTIFICATE-----") && !certificate.contains("PRIVATE"));
}

#[test]
fn sigint_and_sigterm_end_it_with_0_and_nothing_more_on_standard_output() {
    for signal in [Signal::INT, Signal::TERM] {
        let (rest, status) = Running::start(&[]).end_by(signal);
        assert_eq!((rest.as_str(), status.code()), ("", Some(0)), "{signal:?}");
    }
}

#[test]
fn an_address_that_is_taken_is_a_failure_that_names_it() {
    let emulator = Running::start(&[]);
    let taken = emulator.ready["listen"].as_str().unwrap();
    let output = program(&["emulate", "--listen", taken]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let message = String::from_utf8(output.stderr).unwrap();
    assert!(message.contains(taken) && output.stdout.is_empty(), "{message}");
}

#[test]
fn a_control_interface_beyond_loopback_is_wrong_usage() {
    let output = program(&["emulate", "--control", "0.0.0.0:0"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
}
