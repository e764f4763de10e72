//! `tertulia run` as operators meet it: what it logs, how it ends, what it survives.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{TcpListener, TcpStream},
    process::Stdio,
    sync::mpsc::{Receiver, channel},
    thread,
};

use rustix::{
    fs::Mode,
    process::{Pid, Resource, Rlimit, Signal, prlimit},
};
use serde_json::Value;
use tertulia_emulator::{Emulator, Fault, FaultKind, FaultRule, Outcome};

use crate::running::{
    BOT, CANARY, LOOK_EVERY, PATIENCE, configuration, emulator,
    process::{OwnedChild, Process, command, program, rest},
};

/// The body of a request that sends a message.
const BODY: &[u8] = b"{\"text\":\"hi\"}";

/// Sends all of a request but its [`BODY`], and waits until the gateway wants it.
fn begin_post(process: &Process, path: &str) -> TcpStream {
    let mut socket = process.connect();
    write!(
        socket,
        "POST {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nExpect: 100-continue\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        process.gateway,
        BODY.len()
    )
    .unwrap();
    let mut go_on = [0; 12];
    socket.read_exact(&mut go_on).unwrap();
    assert_eq!(&go_on, b"HTTP/1.1 100");
    socket
}

/// The sockets that bot1 holds.
fn sockets(emulator: &Emulator) -> usize {
    emulator.sessions().iter().filter(|session| session.user == "bot1").map(|session| session.now as usize).sum()
}

#[test]
fn it_runs_until_a_signal_and_then_closes_its_sockets_and_streams() {
    for signal in [Signal::TERM, Signal::INT] {
        let emulator = emulator();
        let (_directory, file) = configuration(&emulator, BOT);
        let process = Process::start(&file);
        process.get_until("/readyz", "\"ready\":true");
        assert_eq!(sockets(&emulator), 1);
        let mut stream = BufReader::new(process.send("GET /v1/events", &[], ""));
        let mut line = String::new();
        while !line.contains(": heartbeat") {
            line.clear();
            assert_ne!(stream.read_line(&mut line).unwrap(), 0);
        }
        process.signal(signal);
        process.logged("draining; another signal ends the process at once");
        // The end of the stream does not wait for its reader.
        stream.read_to_string(&mut line).unwrap();
        process.logged("stopped");
        assert_eq!((process.ended().code(), sockets(&emulator)), (Some(0), 0), "{signal:?}");
    }
}

#[test]
fn a_command_that_is_being_answered_gets_its_answer_before_the_end() {
    let emulator = emulator();
    let (_directory, file) = configuration(&emulator, BOT);
    let process = Process::start(&file);
    process.get_until("/readyz", "\"ready\":true");
    let id = emulator.create_conversation(None, None);
    process.get_until(&format!("/v1/conversations/{id}"), "HTTP/1.1 200");
    let mut begun = begin_post(&process, &format!("/v1/conversations/{id}/messages"));
    process.signal(Signal::TERM);
    process.logged("draining; another signal ends the process at once");
    begun.write_all(BODY).unwrap();
    let answer = rest(begun);
    assert!(answer.contains("HTTP/1.1 200") && answer.ends_with("{\"sequence\":0}"), "{answer}");
    assert_eq!(process.ended().code(), Some(0));
}

#[test]
fn a_second_signal_ends_it_at_once() {
    let emulator = emulator();
    let (_directory, file) = configuration(&emulator, BOT);
    let process = Process::start(&file);
    // The drain waits for the rest of the request.
    let _begun = begin_post(&process, "/v1/conversations/any/messages");
    process.signal(Signal::TERM);
    process.logged("draining; another signal ends the process at once");
    process.signal(Signal::TERM);
    process.logged("ended before the drain was complete");
    assert_eq!(process.ended().code(), Some(1));
}

#[test]
fn a_wrong_password_ends_that_connection_alone() {
    let emulator = emulator();
    let wrong = BOT.replace("bots-1", "wrong").replace("bot1", "bot2").replace("PASSWORD", "WRONG");
    let (_directory, file) = configuration(&emulator, &format!("{wrong}{BOT}"));
    let process = Process::start(&file);
    let failed = process.logged("connection failed");
    assert_eq!(failed["connection"], "wrong");
    assert!(failed["reason"].as_str().unwrap().contains("401"));
    process.get_until("/v1/connections/wrong", "\"state\":\"failed\"");
    process.get_until("/v1/connections/bots-1", "\"state\":\"ready\"");
    process.signal(Signal::TERM);
    assert_eq!(process.ended().code(), Some(0));
}

#[test]
fn a_log_that_nobody_reads_holds_nothing_up() {
    let emulator = emulator();
    let (_directory, file) = configuration(&emulator, "");
    let mut child = OwnedChild::start(command(&file).stdout(Stdio::null()).stderr(Stdio::piped()));
    let mut log = BufReader::new(child.stderr.take().unwrap());
    let gateway = loop {
        let mut line = String::new();
        log.read_line(&mut line).unwrap();
        let line: Value = serde_json::from_str(&line).unwrap();
        if let Some(gateway) = line["gateway"].as_str() {
            break gateway.to_owned();
        }
    };
    // Each request is a line, and a pipe holds some hundreds of them.
    for _ in 0..1_500 {
        let mut socket = TcpStream::connect(&gateway).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        write!(socket, "GET /v1/connections HTTP/1.1\r\nHost: {gateway}\r\nConnection: close\r\n\r\n").unwrap();
        assert!(rest(socket).starts_with("HTTP/1.1 200"));
    }
    child.signal(Signal::TERM);
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn a_service_that_cannot_start_ends_with_1_and_says_why() {
    let emulator = emulator();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = taken.local_addr().unwrap().to_string();
    let listen = format!("[gateway]\nlisten = \"{taken}\"\n");
    for (sections, expected) in [
        (BOT.replace("brand", "brnad"), ": connections[0].role: \"brnad\" is not one of"),
        (format!("{BOT}{listen}"), taken.as_str()),
        ("[engine]\nkind = \"nats\"\n".to_owned(), ": engine.kind: \"nats\" is not one of"),
    ] {
        let (_directory, file) = configuration(&emulator, &sections);
        let output = command(&file).output().unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{stderr}");
        assert!(stderr.contains(expected) && !stderr.contains(CANARY), "{stderr}");
        assert!(output.stdout.is_empty());
    }
}

#[test]
fn a_second_process_with_the_same_data_ends_at_once() {
    let emulator = emulator();
    let (_directory, file) = configuration(&emulator, BOT);
    let _process = Process::start(&file);
    let output = command(&file).output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(stderr.contains("is in use by process"), "{stderr}");
    assert_eq!(output.status.code(), Some(1));
}

/// TK-6: no process takes a login from another. The second process reports the conflict, serves its other logins, and
/// takes over after the first has ended.
#[test]
fn a_second_process_with_the_same_login_waits_for_it_and_takes_over() {
    let emulator = emulator();
    let (directory, file) = configuration(&emulator, BOT);
    let first = Process::start(&file);
    first.get_until("/readyz", "\"ready\":true");

    let data = directory.path().join("data");
    let text = std::fs::read_to_string(&file).unwrap();
    let text = text.replace(data.to_str().unwrap(), directory.path().join("elsewhere").to_str().unwrap());
    let also = BOT.replace("bots-1", "bots-2").replace("bot1", "bot2");
    let other = directory.path().join("other.toml");
    std::fs::write(&other, format!("{text}{also}")).unwrap();
    let second = Process::start(other.to_str().unwrap());
    let waits = second.logged("the connection waits");
    assert_eq!(waits["connection"], "bots-1", "{waits}");
    let shown = second.get("/v1/connections/bots-1");
    assert!(shown.contains("\"waiting_to_log_in\"") && shown.contains("\"reason\":\"login_held\""), "{shown}");
    assert!(shown.contains("12345678/bot1 is logged in elsewhere: process"), "{shown}");
    assert!(second.get("/metrics").contains("connection_waiting{connection=\"bots-1\",reason=\"login_held\"} 1"));
    second.get_until("/v1/connections/bots-2", "\"ready\"");

    first.signal(Signal::TERM);
    assert_eq!(first.ended().code(), Some(0));
    second.get_until("/v1/connections/bots-1", "\"ready\"");
    let bot = emulator.sessions().into_iter().find(|session| session.user == "bot1").unwrap();
    assert_eq!((bot.now, bot.max), (1, 1));
    second.signal(Signal::TERM);
    assert_eq!(second.ended().code(), Some(0));
}

/// Protocol §3.5: every close leaves its code and reason in the log and in `lastError`.
#[test]
fn every_close_is_reported_with_its_code_and_reason() {
    let emulator = emulator();
    let (_directory, file) = configuration(&emulator, BOT);
    let process = Process::start(&file);
    for (reconnects, (code, reason)) in [
        (4401, "the token is missing, expired or revoked"),
        (1008, "policy violation"),
        (1011, "a server error"),
        (4410, "the platform could not read a frame"),
        (1000, "the platform asks for a new connection"),
    ]
    .into_iter()
    .enumerate()
    {
        process.get_until("/v1/connections/bots-1", &format!("\"reconnects\":{reconnects}"));
        process.get_until("/v1/connections/bots-1", "\"state\":\"ready\"");
        assert_eq!(emulator.inject(Fault::new(FaultKind::Close).user("bot1").code(code)), 1);
        let line = process.logged("the socket was closed");
        assert_eq!(
            (&line["level"], &line["connection"], &line["code"]),
            (&"WARN".into(), &"bots-1".into(), &code.into())
        );
        assert!(line["reason"].as_str().unwrap().contains(reason), "{line}");
        let shown = process.get_until("/v1/connections/bots-1", &format!("closed the socket with {code}"));
        assert!(shown.contains(reason), "{shown}");
    }
    process.signal(Signal::TERM);
    assert_eq!(process.ended().code(), Some(0));
}

/// A service ends within the time that its configuration allows, whatever still waits.
#[test]
fn a_drain_takes_no_longer_than_the_configuration_allows() {
    let emulator = emulator();
    let (_directory, file) = configuration(&emulator, &format!("{BOT}[drain]\nwithin = \"1s\"\n"));
    let process = Process::start(&file);
    // Never finished by its caller.
    let _begun = begin_post(&process, "/v1/conversations/any/messages");
    process.signal(Signal::TERM);
    process.logged("draining; another signal ends the process at once");
    process.logged("stopped");
    assert_eq!(process.ended().code(), Some(0));
}

/// SIGHUP reads the certificate's files again, and ends nothing.
#[test]
fn a_hangup_has_the_certificate_read_again() {
    let emulator = emulator();
    let directory = tempfile::tempdir().unwrap();
    let (certificate, key) = (directory.path().join("cert.pem"), directory.path().join("key.pem"));
    let write = || {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        std::fs::write(&certificate, made.cert.pem()).unwrap();
        std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    };
    write();
    let tls = format!("tls = {{ certificate = {:?}, key = {:?} }}", certificate.display(), key.display());
    let (_files, file) = configuration(&emulator, &format!("{BOT}[gateway]\nlisten = \"127.0.0.1:0\"\n{tls}\n"));
    let process = Process::start(&file);
    write();
    process.signal(Signal::HUP);
    process.logged("the gateway presents a new certificate");
    process.signal(Signal::TERM);
    assert_eq!(process.ended().code(), Some(0));
}

/// A collector that responds to each request with `answer`, or never. Returns what it receives.
fn collector(answer: Option<&'static str>) -> (String, Receiver<Vec<u8>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let (sender, sent) = channel();
    thread::spawn(move || {
        let mut kept = Vec::new();
        for socket in listener.incoming() {
            let mut reader = BufReader::new(socket.unwrap());
            let mut length = 0;
            loop {
                let mut line = String::new();
                reader.read_line(&mut line).unwrap();
                if let Some((name, value)) = line.split_once(':')
                    && name.eq_ignore_ascii_case("content-length")
                {
                    length = value.trim().parse().unwrap();
                }
                if line.trim().is_empty() {
                    break;
                }
            }
            let mut body = vec![0; length];
            reader.read_exact(&mut body).unwrap();
            let _ = sender.send(body);
            let mut socket = reader.into_inner();
            match answer {
                Some(answer) => socket.write_all(answer.as_bytes()).unwrap(),
                None => kept.push(socket),
            }
        }
    });
    (address, sent)
}

/// The spans of a connection, of a request and of the request's command go to the collector.
#[test]
fn spans_are_exported_and_flushed_at_the_end() {
    let (address, sent) = collector(Some("HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"));
    let emulator = emulator();
    let telemetry = format!("[telemetry]\notlp = {address:?}\nservice_name = \"desk\"\n");
    let (_directory, file) = configuration(&emulator, &format!("{BOT}{telemetry}"));
    let process = Process::start(&file);
    process.get_until("/readyz", "\"ready\":true");
    let conversation = emulator.create_conversation(None, None);
    process.get_until("/metrics", "tertulia_conversations 1");
    let mut post = begin_post(&process, &format!("/v1/conversations/{conversation}/messages"));
    post.write_all(BODY).unwrap();
    assert!(rest(post).contains("\"sequence\""));
    process.signal(Signal::TERM);
    assert_eq!(process.ended().code(), Some(0));
    let all: Vec<u8> = sent.try_iter().flatten().collect();
    let text = String::from_utf8_lossy(&all);
    for wanted in ["desk", "connect", "command", "request", "send-text", &conversation, "done", "resumed"] {
        assert!(text.contains(wanted), "no {wanted}");
    }
    assert!(!text.contains("hi\u{0}") && !text.contains("\"text\""));
}

#[test]
fn a_collector_that_never_answers_holds_nobody_up() {
    let (address, _sent) = collector(None);
    let emulator = emulator();
    let telemetry = format!("[telemetry]\notlp = {address:?}\n");
    let (_directory, file) = configuration(&emulator, &format!("{BOT}{telemetry}"));
    let process = Process::start(&file);
    process.get_until("/readyz", "\"ready\":true");
    for _ in 0..100 {
        assert!(process.get("/healthz").contains("alive"));
    }
    process.signal(Signal::TERM);
    assert_eq!(process.ended().code(), Some(0));
}

/// Readiness ends first. The process reports that for the configured time and still serves every request. Then every
/// begun request gets its response, and no response is cut off.
#[test]
fn a_drain_under_load_cuts_no_answer_off_and_loses_no_message() {
    let emulator = emulator();
    let (_directory, file) = configuration(&emulator, &format!("{BOT}[drain]\nnotice = \"5s\"\n"));
    let process = Process::start(&file);
    process.get_until("/readyz", "\"ready\":true");
    let conversations: Vec<String> = (0..4).map(|_| emulator.create_conversation(None, None)).collect();
    process.get_until("/metrics", "tertulia_conversations 4");
    let mut streams: Vec<TcpStream> = (0..8).map(|_| process.send("GET /v1/events", &[], "")).collect();
    for stream in &mut streams {
        stream.read_exact(&mut [0; 15]).unwrap();
    }

    let confirmed: usize = thread::scope(|scope| {
        let speakers: Vec<_> =
            conversations.iter().map(|conversation| scope.spawn(|| speak(&process.gateway, conversation))).collect();
        process.signal(Signal::TERM);
        process.get_until("/readyz", "\"code\":\"stopping\"");
        // Requests are still served.
        assert!(process.get("/v1/connections").contains("\"ready\""));
        speakers.into_iter().map(|speaker| speaker.join().unwrap()).sum()
    });
    for stream in streams {
        assert!(rest(stream).ends_with("0\r\n\r\n"), "an event stream was cut off");
    }
    assert_eq!(process.ended().code(), Some(0));
    assert!(confirmed > 0);
    assert_eq!(emulator.summary().agent_messages, confirmed as u64);
}

/// Sends one message after the other until the service stops responding. Returns how many were confirmed.
fn speak(gateway: &str, conversation: &str) -> usize {
    let mut confirmed = 0;
    loop {
        let Ok(mut socket) = TcpStream::connect(gateway) else { return confirmed };
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        let head = format!(
            "POST /v1/conversations/{conversation}/messages HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n",
            BODY.len()
        );
        // A socket that the service did not accept is reset, and its request was not read.
        let sent = socket.write_all(&[head.as_bytes(), BODY].concat());
        let mut answer = String::new();
        let read = sent.and_then(|()| socket.read_to_string(&mut answer));
        if answer.is_empty() {
            return confirmed;
        }
        read.unwrap();
        assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("\"sequence\""), "{answer}");
        confirmed += 1;
    }
}

/// SIGHUP means that files have changed, also while they are read for the first time.
#[test]
fn a_hangup_while_it_starts_does_not_end_it() {
    let emulator = emulator();
    let (directory, file) = configuration(&emulator, "");
    let slow = directory.path().join("slow.toml");
    rustix::fs::mknodat(rustix::fs::CWD, &slow, rustix::fs::FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
    let mut starting = command(slow.to_str().unwrap());
    let child = OwnedChild::start(starting.stdout(Stdio::piped()).stderr(Stdio::piped()));
    // Opens once the process reads the file. The process then reads until the file is closed here.
    let mut configuration = std::fs::OpenOptions::new().write(true).open(&slow).unwrap();
    child.signal(Signal::HUP);
    configuration.write_all(&std::fs::read(file).unwrap()).unwrap();
    drop(configuration);
    let process = Process::running(child);
    process.signal(Signal::TERM);
    assert!(process.ended().success());
}

/// A limit of file sizes acts like a full disk: the service reports it, loses nothing, and continues afterwards.
#[test]
fn a_limit_of_file_sizes_is_reported_and_ends_nothing() {
    let emulator = emulator();
    let (_directory, file) = configuration(&emulator, BOT);
    let process = Process::start(&file);
    process.get_until("/readyz", "\"ready\":true");
    let pid = Some(Pid::from_child(&process.child));
    let maximum = prlimit(pid, Resource::Fsize, Rlimit { current: Some(1), maximum: None }).unwrap().maximum;
    let conversation = emulator.create_conversation(None, None);
    process.get_until("/readyz", "cannot be stored");
    process.logged("the store cannot commit; sockets are not read until it can");

    prlimit(pid, Resource::Fsize, Rlimit { current: maximum, maximum }).unwrap();
    process.get_until("/readyz", "\"ready\":true");
    process.get_until(&format!("/v1/conversations/{conversation}"), "HTTP/1.1 200");
    process.signal(Signal::TERM);
    assert!(process.ended().success());
}

#[test]
fn a_data_directory_that_is_deleted_is_reported_and_not_made_again() {
    let emulator = emulator();
    let (directory, file) = configuration(&emulator, &format!("{BOT}[drain]\nwithin = \"2s\"\n"));
    let process = Process::start(&file);
    process.get_until("/readyz", "\"ready\":true");
    let data = directory.path().join("data");
    std::fs::remove_dir_all(&data).unwrap();
    // Reported although nothing is being stored.
    process.get_until("/readyz", "cannot be stored");
    let told = process.logged("the store cannot commit; sockets are not read until it can");
    assert!(told["error"].as_str().unwrap().contains("was deleted or replaced"), "{told}");
    emulator.create_conversation(None, None);
    process.logged("the store cannot commit; sockets are not read until it can");
    process.signal(Signal::TERM);
    assert_eq!(process.ended().code(), Some(1));
    assert!(!data.exists());
}

#[test]
fn a_dead_letter_that_was_thrown_away_does_not_come_back_after_a_kill() {
    let emulator = emulator();
    let (_directory, file) = configuration(&emulator, BOT);
    let process = Process::start(&file);
    process.get_until("/readyz", "\"ready\":true");
    emulator.inject(Fault::new(FaultKind::Malformed).user("bot1"));
    let list = process.get_until("/v1/dead-letters", "\"id\"");
    let (_, list) = list.split_once("\r\n\r\n").unwrap();
    let list: Value = serde_json::from_str(&list[list.find('{').unwrap()..=list.rfind('}').unwrap()]).unwrap();
    let letter = format!("/v1/dead-letters/{}", list["items"][0]["id"].as_str().unwrap());
    assert!(process.ask(&format!("DELETE {letter}"), &[], "").starts_with("HTTP/1.1 204"));
    process.end(Signal::KILL);
    let process = Process::start(&file);
    assert!(process.get(&letter).starts_with("HTTP/1.1 404"));
}

/// Only this user can read the store, in any configured directory.
#[test]
fn its_files_are_for_nobody_else_in_a_directory_that_others_may_enter() {
    use std::os::unix::fs::PermissionsExt as _;
    let emulator = emulator();
    let (directory, file) = configuration(&emulator, BOT);
    let data = directory.path().join("data");
    std::fs::create_dir(&data).unwrap();
    std::fs::set_permissions(&data, std::fs::Permissions::from_mode(0o755)).unwrap();
    let process = Process::start(&file);
    process.get_until("/readyz", "\"ready\":true");
    let (mut unseen, mut files) = (vec![data], 0);
    while let Some(directory) = unseen.pop() {
        for entry in std::fs::read_dir(directory).unwrap().map(Result::unwrap) {
            let metadata = entry.metadata().unwrap();
            assert_eq!(metadata.permissions().mode() & 0o077, 0, "{:?}", entry.path());
            files += usize::from(metadata.is_file());
            unseen.extend(metadata.is_dir().then(|| entry.path()));
        }
    }
    assert!(files > 5, "{files}");
}

/// The output and exit code of `tertulia backup`.
fn backup(directory: &std::path::Path, url: &str, token: &str) -> (Option<i32>, String) {
    let output = program(&["backup", "--url", url]).env("TERTULIA_TOKEN", token).arg(directory).output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8(said).unwrap())
}

#[test]
fn a_backup_is_taken_of_a_running_service_by_administrators_and_a_service_runs_on_it() {
    let emulator = emulator();
    let tokens = "[gateway]\nlisten = \"127.0.0.1:0\"\ntokens = [\
                  { name = \"writer\", token = { env = \"WRITER\" }, scope = \"write\" },\
                  { name = \"admin\", token = { env = \"ADMIN\" }, scope = \"admin\" }]\n";
    let (directory, file) = configuration(&emulator, &format!("{BOT}{tokens}"));
    let start = |file: &str| {
        let mut command = command(file);
        command.envs([("WRITER", "writer-token"), ("ADMIN", "admin-token")]);
        Process::spawn(&mut command)
    };
    let process = start(&file);
    process.get_until("/readyz", "\"ready\":true");
    let conversation = emulator.create_conversation(None, None);
    let path = format!("/v1/conversations/{conversation}");
    let asked = |process: &Process| process.ask(&format!("GET {path}"), &["Authorization: Bearer admin-token"], "");
    let deadline = std::time::Instant::now() + PATIENCE;
    while !asked(&process).starts_with("HTTP/1.1 200") {
        assert!(std::time::Instant::now() < deadline);
        thread::sleep(LOOK_EVERY);
    }

    let (url, target) = (format!("http://{}", process.gateway), directory.path().join("backup"));
    for (token, refused) in [("writer-token", "answered 403 Forbidden"), ("guess", "answered 401 Unauthorized")] {
        let (code, said) = backup(&target, &url, token);
        assert!(code == Some(1) && said.contains(refused), "{said}");
        assert!(!target.exists());
    }
    let (code, said) = backup(&target, &url, "admin-token");
    assert!(code == Some(0) && said.contains("events 1 to "), "{said}");
    let (code, said) = backup(&target, &url, "admin-token");
    assert!(code == Some(1) && said.contains("is not an empty directory"), "{said}");
    let entries = std::fs::read_dir(directory.path().join("data")).unwrap();
    let left = entries.filter(|entry| entry.as_ref().unwrap().file_name().to_string_lossy().starts_with("copy-"));
    assert_eq!(left.count(), 0);
    process.end(Signal::KILL);

    let text = std::fs::read_to_string(&file).unwrap();
    let data = directory.path().join("data");
    std::fs::write(&file, text.replace(data.to_str().unwrap(), target.to_str().unwrap())).unwrap();
    let process = start(&file);
    assert!(asked(&process).starts_with("HTTP/1.1 200"), "{}", asked(&process));
    process.signal(Signal::TERM);
    assert!(process.ended().success());
}

/// A message over which the platform closes the socket costs at most two sockets, even if the process is killed between
/// the two.
#[test]
fn a_message_that_closed_a_socket_is_suspected_after_a_kill_too() {
    let emulator = emulator();
    let closing = || FaultRule::new("PublishEvent", Outcome::Close(4410)).containing("poison").always();
    let poison = emulator.add_rule(closing()).unwrap();
    let (_directory, file) = configuration(&emulator, &format!("{BOT}[webhooks]\nallow_internal = true\n"));
    let process = Process::start(&file);
    process.get_until("/readyz", "\"ready\":true");
    let conversations = [(); 2].map(|()| emulator.create_conversation(None, None));
    process.get_until("/metrics", "tertulia_conversations 2");
    let [poisoned, other] = conversations.map(|id| format!("/v1/conversations/{id}"));
    let say = |process: &Process, path: &str, text: &str| {
        let body = serde_json::json!({ "text": text }).to_string();
        process.send(&format!("POST {path}/messages"), &[&format!("Idempotency-Key: {text}")], &body)
    };
    // No second socket before the kill.
    emulator.add_rule(FaultRule::new("upgrade", Outcome::Code(503)).always()).unwrap();
    let _unanswered = say(&process, &poisoned, "poison");
    process.get_until(&format!("{poisoned}/commands"), "\"suspected\":4410");
    // After this response everything before it is stored, too.
    let webhook = process.ask("POST /v1/webhooks", &[], "{\"url\": \"http://127.0.0.1:1/\"}");
    assert!(webhook.starts_with("HTTP/1.1 201"), "{webhook}");
    assert_eq!(emulator.rule_counts(poison).unwrap().refused, 1);
    process.end(Signal::KILL);

    emulator.clear_rules();
    let poison = emulator.add_rule(closing()).unwrap();
    let process = Process::start(&file);
    process.get_until("/readyz", "\"ready\":true");
    let fine = say(&process, &other, "fine");
    let refused = rest(say(&process, &poisoned, "poison"));
    assert!(refused.contains("\"code\":\"closed-connection\""), "{refused}");
    let fine = rest(fine);
    assert!(fine.starts_with("HTTP/1.1 201") || fine.starts_with("HTTP/1.1 200"), "{fine}");
    assert_eq!(emulator.rule_counts(poison).unwrap().refused, 1);
    let letters = process.json("GET /v1/dead-letters", "");
    assert_eq!(letters["items"].as_array().map(Vec::len), Some(1), "{letters}");
    let said: Vec<String> = emulator.ledger().iter().filter_map(|entry| entry.text.clone()).collect();
    assert_eq!(said, ["fine"]);
}
