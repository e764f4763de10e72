//! `tertulia tail` as people at a terminal meet it: what it prints, how it comes back, how it ends.

use std::process::{ExitStatus, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader, Lines},
    net::TcpListener,
    process::{Child, ChildStderr, ChildStdout, Command},
    time::timeout,
};

use crate::running::{BOT, PATIENCE, Port, Running, process::program};

const TOKENS: &str = r#"
[gateway]
listen = "127.0.0.1:0"
tokens = [{ name = "looker", token = { env = "READ_TOKEN" }, scope = "read" }]
"#;

/// A tail that runs; it does not outlive the test.
struct Tail {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
    log: Lines<BufReader<ChildStderr>>,
}

impl Tail {
    fn start(url: &str, arguments: &[&str]) -> Self {
        let mut command = Command::from(program(&["tail", "--url", url]));
        command.args(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let log = BufReader::new(child.stderr.take().unwrap()).lines();
        Self { child, lines, log }
    }

    /// The next line on standard output.
    async fn line(&mut self) -> String {
        timeout(PATIENCE, self.lines.next_line()).await.unwrap().unwrap().unwrap()
    }

    /// Waits for a line on standard error.
    async fn logged(&mut self, part: &str) {
        let found = async { while !self.log.next_line().await.unwrap().unwrap().contains(part) {} };
        timeout(PATIENCE, found).await.unwrap();
    }

    fn signal(&self, signal: Signal) {
        let id = self.child.id().and_then(|id| Pid::from_raw(id.try_into().unwrap())).unwrap();
        kill_process(id, signal).unwrap();
    }

    /// The exit status, and the rest of standard error.
    async fn ended(mut self) -> (ExitStatus, String) {
        let status = timeout(PATIENCE, self.child.wait()).await.unwrap().unwrap();
        let mut rest = String::new();
        self.log.into_inner().read_to_string(&mut rest).await.unwrap();
        (status, rest)
    }
}

fn url(running: &Running) -> String {
    format!("http://{}", running.address())
}

/// The id of the newest event, after streams have sent everything that happened.
async fn newest(running: &Running) -> String {
    assert!(running.service.tertulia().journal().settled().await);
    let mut stream = running.follow("/v1/events", &[]).await;
    let greeting = stream.block().await.unwrap();
    greeting.lines().find_map(|line| line.strip_prefix("id: ")).unwrap().to_owned()
}

#[actix_rt::test]
async fn each_event_is_a_line_whose_texts_cannot_drive_the_terminal() {
    let mut running = Running::bot().await;
    let start = newest(&running).await;
    let id = running.conversation().await;
    running.emulator.say(&id, "look:\u{1b}[2J\nfake").unwrap();
    for signal in [Signal::INT, Signal::TERM] {
        let mut tail = Tail::start(&url(&running), &["--after", &start, "--type", "message", "--connection", "bots-1"]);
        let line = tail.line().await;
        let (time, rest) = line.split_once("  ").unwrap();
        assert!(time.ends_with('Z') && time.len() == "2026-11-22T07:00:00.123Z".len(), "{time}");
        assert_eq!(rest, format!("bots-1  {id}  message  CONSUMER: hello"));
        assert!(tail.line().await.ends_with("CONSUMER: look:\\u{1b}[2J\\nfake"));
        tail.signal(signal);
        let (status, log) = tail.ended().await;
        assert_eq!((status.code(), log.as_str()), (Some(0), ""));
    }
}

#[actix_rt::test]
async fn a_tail_continues_after_the_last_printed_event_when_the_service_comes_back() {
    let port = Port::free();
    let mut running = Running::start(&format!("{BOT}[gateway]\nlisten = \"127.0.0.1:{}\"\n", port.number));
    running.ready("bots-1").await;
    let start = newest(&running).await;
    let id = running.conversation().await;
    let arguments = ["--json", "--after", &start, "--type", "tertulia.message", "--conversation", &id];
    let mut tail = Tail::start(&url(&running), &arguments);
    assert_eq!(serde_json::from_str::<Value>(&tail.line().await).unwrap()["data"]["body"], "hello");
    for round in 0..3 {
        running.emulator.say(&id, &round.to_string()).unwrap();
        let event: Value = serde_json::from_str(&tail.line().await).unwrap();
        assert_eq!((&event["subject"], &event["data"]["body"]), (&id.clone().into(), &round.to_string().into()));
        running = running.restart().await;
        tail.logged("retrying in").await;
    }
    tail.signal(Signal::INT);
    assert_eq!(tail.ended().await.0.code(), Some(0));
}

#[actix_rt::test]
async fn a_refusal_or_an_unknown_path_is_printed_and_ends_with_1() {
    let running = Running::start(&format!("{BOT}{TOKENS}"));
    let url = url(&running);
    for (url, arguments, expected) in [
        (url.clone(), &[][..], "answered 401 Unauthorized: a bearer token is required (unauthenticated)"),
        (url.clone(), &["--token", "guess"], "answered 401"),
        (format!("{url}/nowhere"), &["--token", "reader"], "answered 404"),
        ("nonsense".to_owned(), &[], "cannot be made"),
        (url.clone(), &["--token", "a\nb"], "cannot be made"),
        (url.clone(), &["--ca-file", "/nowhere.pem"], "cannot read the certificate authority in /nowhere.pem"),
    ] {
        let (status, log) = Tail::start(&url, arguments).ended().await;
        assert_eq!(status.code(), Some(1), "{log}");
        assert!(log.starts_with("error: ") && log.contains(expected), "{log}");
    }
    let mut allowed = Tail::start(&url, &["--token", "reader", "--after", "none-1"]);
    assert!(allowed.line().await.contains("  gap  "));
}

/// A server may send anything: an error with control characters for the terminal, or no stream.
#[actix_rt::test]
async fn the_response_of_another_server_is_printed_without_control_characters() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let problem = r#"{"detail":"\u001b[2J no","code":"x"}"#;
    for (answer, expected) in [
        (format!("HTTP/1.1 403 Forbidden\r\ncontent-length: {}\r\n\r\n{problem}", problem.len()), "\\u{1b}[2J no (x)"),
        ("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi".to_owned(), "did not answer with an event stream"),
        ("HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n".to_owned(), "answered 302"),
    ] {
        let tail = Tail::start(&url, &["--token", "t"]);
        let (mut caller, _) = timeout(PATIENCE, listener.accept()).await.unwrap().unwrap();
        caller.read_u8().await.unwrap();
        caller.write_all(answer.as_bytes()).await.unwrap();
        let (status, log) = tail.ended().await;
        assert!(log.contains(expected) && !log.contains('\u{1b}'), "{log}");
        assert_eq!(status.code(), Some(1));
    }
}

#[actix_rt::test]
async fn a_tail_ends_when_nobody_reads_it() {
    let mut running = Running::bot().await;
    let start = newest(&running).await;
    let Tail { mut child, mut lines, .. } = Tail::start(&url(&running), &["--after", &start]);
    running.conversation().await;
    timeout(PATIENCE, lines.next_line()).await.unwrap().unwrap().unwrap();
    drop(lines);
    let ended = async {
        loop {
            running.conversation().await;
            if let Some(status) = child.try_wait().unwrap() {
                return status;
            }
        }
    };
    assert_eq!(timeout(PATIENCE, ended).await.unwrap().code(), Some(0));
}
