//! SIGHUP: tokens, limits, allowed origins and certificates are read again, and a mistake changes nothing.

use std::{
    fs,
    io::{ErrorKind, Read as _},
    net::TcpStream,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use rustix::process::Signal;
use tempfile::TempDir;

use crate::running::{PATIENCE, configuration, emulator, process::Process};

const AGAIN: &str = "tokens, limits, allowed origins and certificates were read again";
const STAYS: &str = "the previous configuration stays in force";
const ORIGIN: &str = "Origin: https://workspace.example";

/// A service whose configuration and tokens are in files that can be written again.
struct Scene {
    process: Process,
    file: PathBuf,
    secrets: TempDir,
    _files: TempDir,
}

impl Scene {
    fn begin() -> Self {
        let secrets = tempfile::tempdir().unwrap();
        let (emulator, gateway) = (emulator(), gateway(secrets.path(), BOTH, ""));
        for (name, value) in [("ops", "ops-token"), ("guest", "guest-token")] {
            fs::write(secrets.path().join(name), value).unwrap();
        }
        let (files, file) = configuration(&emulator, &gateway);
        Self { process: Process::start(&file), file: file.into(), secrets, _files: files }
    }

    /// Writes another `[gateway]`, and waits for what the service says of it.
    fn renew(&self, tokens: &str, more: &str, said: &str) -> serde_json::Value {
        let text = fs::read_to_string(&self.file).unwrap();
        let (before, rest) = text.split_once("[gateway]").unwrap();
        let after = &rest[rest.find("[engine]").unwrap()..];
        fs::write(&self.file, format!("{before}{}{after}", gateway(self.secrets.path(), tokens, more))).unwrap();
        self.hang_up(said)
    }

    fn hang_up(&self, said: &str) -> serde_json::Value {
        self.process.signal(Signal::HUP);
        self.process.logged(said)
    }

    fn status(&self, token: &str) -> String {
        let answer = self.process.ask("GET /v1/connections", &[&bearer(token)], "");
        answer.split(' ').nth(1).unwrap().to_owned()
    }

    /// An event stream that has begun.
    fn stream(&self, token: &str) -> TcpStream {
        let mut stream = self.process.send("GET /v1/events", &[&bearer(token)], "");
        let mut begun = Vec::new();
        while !String::from_utf8_lossy(&begun).contains(": heartbeat") {
            let mut piece = [0; 512];
            let read = stream.read(&mut piece).unwrap();
            assert!(read > 0, "{}", String::from_utf8_lossy(&begun));
            begun.extend_from_slice(&piece[..read]);
        }
        stream
    }
}

const BOTH: &str = r#"{ name = "ops", token = { file = "SECRETS/ops" }, scope = "write" },
    { name = "guest", token = { file = "SECRETS/guest" }, scope = "read" },"#;
const OPS: &str = r#"{ name = "ops", token = { file = "SECRETS/ops" }, scope = "write" },"#;

fn gateway(secrets: &Path, tokens: &str, more: &str) -> String {
    let tokens = tokens.replace("SECRETS", secrets.to_str().unwrap());
    format!("[gateway]\nlisten = \"127.0.0.1:0\"\ntokens = [\n    {tokens}\n]\n{more}\n")
}

fn bearer(token: &str) -> String {
    format!("Authorization: Bearer {token}")
}

/// Waits for the end of a stream.
fn ends(mut stream: TcpStream) {
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).unwrap();
}

fn goes_on(stream: &mut TcpStream) -> bool {
    stream.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
    loop {
        match stream.read(&mut [0; 512]) {
            Ok(0) => return false,
            Ok(_) => {}
            Err(error) => return [ErrorKind::WouldBlock, ErrorKind::TimedOut].contains(&error.kind()),
        }
    }
}

#[test]
fn a_token_that_is_gone_calls_no_more_and_its_streams_end() {
    let scene = Scene::begin();
    assert_eq!((scene.status("ops-token"), scene.status("guest-token")), ("200".to_owned(), "200".to_owned()));
    let (mut kept, gone) = (scene.stream("ops-token"), scene.stream("guest-token"));
    scene.renew(OPS, "", AGAIN);
    ends(gone);
    assert!(goes_on(&mut kept));
    assert_eq!((scene.status("ops-token"), scene.status("guest-token")), ("200".to_owned(), "401".to_owned()));

    // Another value of the same token, in its file only.
    fs::write(scene.secrets.path().join("ops"), "new-token").unwrap();
    scene.hang_up(AGAIN);
    ends(kept);
    assert_eq!((scene.status("ops-token"), scene.status("new-token")), ("401".to_owned(), "200".to_owned()));

    // Other connections end the streams too: they may be fewer.
    let narrowed = scene.stream("new-token");
    scene.renew(&OPS.replace("\"write\"", "\"write\", connections = [\"shop-*\"]"), "", AGAIN);
    ends(narrowed);
    scene.process.end(Signal::TERM);
}

#[test]
fn limits_and_origins_are_read_again_and_a_mistake_changes_nothing() {
    let scene = Scene::begin();
    let allowed = || {
        let answer = scene.process.ask("GET /v1/connections", &[&bearer("ops-token"), ORIGIN], "").to_lowercase();
        (answer.contains("access-control-allow-origin: https://workspace.example"), answer.contains("429 "))
    };
    assert_eq!(allowed(), (false, false));
    scene.renew(BOTH, "allowed_origins = [\"https://workspace.example\"]", AGAIN);
    assert_eq!(allowed(), (true, false));

    let mut stream = scene.stream("guest-token");
    let said = scene.renew(&BOTH.replace("\"read\"", "\"look\""), "limits = { burst = 0 }", STAYS);
    let mistake = said["mistake"].as_str().unwrap();
    let line = 1 + fs::read_to_string(&scene.file).unwrap().lines().position(|line| line.contains("look")).unwrap();
    assert!(mistake.contains(&format!("tertulia.toml:{line}: gateway.tokens[1].scope")), "{mistake}");
    let said = scene.process.logged(STAYS);
    assert!(said["mistake"].as_str().unwrap().contains("gateway.limits.burst"), "{said}");
    assert!(goes_on(&mut stream) && allowed() == (true, false) && scene.status("guest-token") == "200");

    scene.renew(BOTH, "limits = { requests_per_second = 1, burst = 1 }", AGAIN);
    let deadline = Instant::now() + PATIENCE;
    while allowed() != (false, true) {
        assert!(Instant::now() < deadline, "the limit is one request per second");
    }
    assert!(goes_on(&mut stream), "the token is the same");

    // A file that cannot be read changes nothing either.
    fs::remove_file(&scene.file).unwrap();
    assert!(scene.hang_up(STAYS)["error"].as_str().unwrap().contains("cannot read configuration"));
    scene.process.end(Signal::TERM);
}
