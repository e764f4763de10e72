//! `tertulia mcp` as a client starts it: what it writes, and how it ends.

use std::process::Stdio;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader, Lines},
    process::{Child, ChildStdin, ChildStdout, Command},
    time::timeout,
};

use crate::running::{BOT, CANARY, PATIENCE, Port, Running, process::program};

/// A server that runs; it does not outlive the test.
struct Served {
    child: Child,
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
}

impl Served {
    fn start(url: &str) -> Self {
        let mut command = Command::from(program(&["mcp", "--url", url]));
        command.env("RUST_LOG", "trace").env("TERTULIA_TOKEN", CANARY).kill_on_drop(true);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let (input, output) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        Self { child, input, output: BufReader::new(output).lines() }
    }

    /// Starts a server, and makes the handshake.
    async fn begin(url: &str) -> Self {
        let mut served = Self::start(url);
        let params = json!({
            "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": { "name": "test", "version": "1" },
        });
        assert_eq!(served.ask("initialize", params).await["result"]["serverInfo"]["name"], "tertulia");
        served.say(json!({ "jsonrpc": "2.0", "method": "notifications/initialized" })).await;
        served
    }

    async fn say(&mut self, message: Value) {
        self.input.write_all(format!("{message}\n").as_bytes()).await.unwrap();
    }

    /// The next line on standard output, which is a message.
    async fn heard(&mut self) -> Value {
        let line = timeout(PATIENCE, self.output.next_line()).await.unwrap().unwrap().unwrap();
        serde_json::from_str(&line).unwrap()
    }

    async fn ask(&mut self, method: &str, params: Value) -> Value {
        self.say(json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params })).await;
        self.heard().await
    }

    /// The exit code after standard input has ended, and what standard error says. Standard output has nothing more.
    async fn ended(self) -> (Option<i32>, String) {
        let Self { mut child, input, mut output } = self;
        drop(input);
        let status = timeout(PATIENCE, child.wait()).await.unwrap().unwrap();
        assert_eq!(output.next_line().await.unwrap(), None);
        let mut log = String::new();
        child.stderr.take().unwrap().read_to_string(&mut log).await.unwrap();
        (status.code(), log)
    }
}

#[actix_rt::test]
async fn a_client_gets_nothing_but_the_protocol_until_it_ends_its_input() {
    let mut running = Running::start(BOT);
    running.ready("bots-1").await;
    let id = running.conversation().await;
    let mut served = Served::begin(&format!("http://{}", running.address())).await;
    let arguments = json!({ "conversation": id, "text": "a-text-of-nobody-else" });
    let said = served.ask("tools/call", json!({ "name": "say", "arguments": arguments })).await;
    assert_eq!(said["result"]["structuredContent"], json!({ "sequence": 1 }), "{said}");
    let (code, log) = served.ended().await;
    assert_eq!(code, Some(0), "{log}");
    // Not at the highest level either.
    assert!(!log.contains("a-text-of-nobody-else") && !log.contains(CANARY), "{log}");
}

#[actix_rt::test]
async fn it_ends_at_a_signal_and_without_a_client() {
    for signal in [Signal::INT, Signal::TERM] {
        let mut served = Served::begin("http://127.0.0.1:9").await;
        let process = served.child.id().and_then(|id| Pid::from_raw(id.try_into().unwrap())).unwrap();
        kill_process(process, signal).unwrap();
        // Its standard input is still open.
        let status = timeout(PATIENCE, served.child.wait()).await.unwrap().unwrap();
        assert_eq!(status.code(), Some(0), "{signal:?}");
    }
    assert_eq!(Served::start("http://127.0.0.1:9").ended().await, (Some(0), String::new()));
}

#[actix_rt::test]
async fn a_gateway_that_cannot_be_reached_is_an_error_of_the_tool() {
    let port = Port::free();
    let mut served = Served::begin(&format!("http://127.0.0.1:{}", port.number)).await;
    let answer = served.ask("tools/call", json!({ "name": "list_connections" })).await;
    let result = &answer["result"];
    assert_eq!(
        (&result["isError"], &result["structuredContent"]["code"]),
        (&json!(true), &json!("unavailable")),
        "{answer}"
    );
}
