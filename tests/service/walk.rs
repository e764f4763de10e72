//! The documents, as a reader would type and follow them.

use std::{
    fs,
    io::{BufRead as _, BufReader, Write as _},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};
use tertulia::config::{Configuration, Environment};

use crate::running::Port;

/// The longest that a walk may take.
const PATIENCE: Duration = Duration::from_secs(120);
/// The most bytes that a person reads in ten minutes.
const LONGEST_README: usize = 10 * 1024;

const PROGRAM: &str = env!("CARGO_BIN_EXE_tertulia");
const README: &str = include_str!("../../README.md");
const INTERFACE: &str = include_str!("../../src/gateway/interface.md");
const OPERATIONS: &str = include_str!("../../src/operations.md");

#[test]
fn the_walk_of_the_interface_starts_the_demo_sends_a_message_and_sees_it_arrive() {
    let port = Port::free();
    let script = as_typed(&blocks(section(INTERFACE, "## A walk"), "sh").concat())
        .replace("127.0.0.1:8080", &format!("127.0.0.1:{}", port.number));
    // A reader sees the stream begin before the message is sent, and sees the message before the walk is ended.
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

#[test]
fn the_bot_of_the_readme_that_uses_curl_answers_each_message_of_ten_consumers_once() {
    let (platform, control, gateway) = (Port::free(), Port::free(), Port::free());
    let at = |port: &Port| format!("127.0.0.1:{}", port.number);
    let until = |page: &str, line: &str| format!("until curl -s {page} | grep -q '{line}'; do sleep 0.2; done");
    // A reader lets the consumers speak when the bot listens, and reads the ledger when everything is answered.
    let listens = until(&format!("{}/metrics", at(&gateway)), "tertulia_event_streams 1");
    let answered = until(&format!("{}/ledger/summary", at(&control)), r#""agentMessages":30"#);
    // On a busy machine the stand-in listens late, so here it starts only when something has asked for it.
    let lateness = r#"
        curl() { touch asked; command curl "$@"; }
        late() { until [[ -e asked ]]; do sleep 0.1; done; exec "$@"; }"#;
    let bot = blocks(section(README, "## A bot in eight lines"), "sh").concat();
    let walk = as_typed(&blocks(section(README, "## Run it"), "sh").concat());
    // A reader starts the bot when the service is ready, and before the consumers speak.
    let (start, consumers) = walk.split_at(walk.find("until curl -s 127.0.0.1:8080/metrics").unwrap());
    let script = format!("{start}{bot}{consumers}")
        .replace("127.0.0.1:8443", &at(&platform))
        .replace("127.0.0.1:8444", &at(&control))
        .replace("127.0.0.1:8080", &at(&gateway))
        .replace(&format!("{PROGRAM} emulate"), &format!("late {PROGRAM} emulate --listen {}", at(&platform)))
        .replace("done &\n", &format!("done &\n{listens}\n"))
        .replace("sleep 10", &answered);
    let folder = tempfile::tempdir().unwrap();
    let mut bash = Command::new("bash");
    bash.args(["-m", "-c", &format!("trap 'kill $(jobs -p)' EXIT\n{lateness}\n{script}")]).current_dir(&folder);
    bash.env("TERTULIA_GATEWAY__LISTEN", at(&gateway)).env("XDG_RUNTIME_DIR", folder.path());
    let bash = bash.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut bash = bash.spawn().unwrap();
    let (tell, told) = mpsc::channel();
    let output = bash.stdout.take().unwrap();
    thread::spawn(move || BufReader::new(output).lines().map_while(Result::ok).try_for_each(|line| tell.send(line)));

    let (mut asked, mut heard) = (0, 0);
    let deadline = Instant::now() + PATIENCE;
    while let Ok(line) = told.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
        asked += line.matches(r#""role":"CONSUMER""#).count();
        heard += line.matches(r#""text":"You said: "#).count();
    }
    // The script has ended unless a message was late; then its trap ends its jobs.
    let _ = kill_process(Pid::from_child(&bash), Signal::TERM);
    bash.wait().unwrap();
    assert_eq!((asked, heard), (30, 30));
}

/// The tests of the packages run these files.
#[test]
fn the_bots_of_the_readme_are_the_examples_of_the_packages() {
    for example in [
        include_str!("../../src/clients/node/examples/echo.mjs"),
        include_str!("../../src/clients/python/examples/echo_bot.py"),
    ] {
        assert!(README.contains(&format!("\n{example}```")), "{example}");
    }
}

#[test]
fn the_readme_is_read_in_ten_minutes() {
    assert!(README.len() <= LONGEST_README, "README.md has {} bytes, more than {LONGEST_README}", README.len());
}

#[test]
fn every_link_of_the_documents_leads_to_something_in_the_repository() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).canonicalize().unwrap();
    let documents = documents(&root);
    assert!(documents.contains(&root.join("README.md")) && documents.contains(&root.join(".github/CONTRIBUTING.md")));
    let mut broken = Vec::new();
    for document in &documents {
        let text = fs::read_to_string(document).unwrap();
        for link in links(&text) {
            let (path, heading) = link.split_once('#').unwrap_or((link, ""));
            let target = if path.is_empty() { document.clone() } else { document.parent().unwrap().join(path) };
            let target = target.canonicalize().ok().filter(|target| target.starts_with(&root));
            let leads = target.is_some_and(|target| {
                heading.is_empty() || headings(&fs::read_to_string(target).unwrap()).any(|title| title == heading)
            });
            if !leads {
                broken.push(format!("{}: {link}", document.display()));
            }
        }
    }
    assert!(broken.is_empty(), "links that lead nowhere: {broken:#?}");
}

#[test]
fn every_configuration_of_the_documents_is_valid() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| folder.path().join(name).display().to_string();
    for name in ["ops-token", "emulator-ca.pem"] {
        fs::write(file(name), "only-an-example").unwrap();
    }
    let secrets = [
        ("BOT1_PASSWORD", "secret"),
        ("OPS_TOKEN", "operations"),
        ("PROXY_PASSWORD", "secret"),
        ("DATABASE_URL", "postgres://tertulia@localhost/tertulia"),
        ("TERTULIA_CLUSTER", "01234567890123456789012345678901"),
    ];
    let environment: Environment = secrets.into_iter().map(|(name, value)| (name.into(), value.into())).collect();
    let shown = [README, OPERATIONS].into_iter().flat_map(|document| blocks(document, "toml"));
    let mut configurations = 0;
    for block in shown.filter(|block| !block.contains("[dependencies]")) {
        let mut text = block
            .replace("/run/credentials/tertulia.service/secret_ops-token", &file("ops-token"))
            .replace("/etc/tertulia/ops-token", &file("ops-token"))
            .replace("\"emulator-ca.pem\"", &format!("{:?}", file("emulator-ca.pem")));
        // TLS needs a certificate, and has its own tests.
        text = text.lines().filter(|line| !line.starts_with("tls = ")).map(|line| format!("{line}\n")).collect();
        if text.starts_with("proxy = ") {
            text.insert_str(0, "[[connections]]\nid = \"c\"\naccount = \"1\"\nrole = \"consumer\"\n");
        }
        fs::write(file("tertulia.toml"), &text).unwrap();
        let read = Configuration::load(file("tertulia.toml").as_ref(), &environment);
        assert!(read.is_ok(), "{text}\n{}", read.unwrap_err());
        configurations += 1;
    }
    assert!(configurations >= 7, "only {configurations} were found");
}

/// Commands by the program that is tested, which is built already.
fn as_typed(commands: &str) -> String {
    commands.replace("cargo build --release\n", "").replace("target/release/tertulia", PROGRAM)
}

/// The text under a heading of the second level.
fn section<'d>(document: &'d str, heading: &str) -> &'d str {
    let (_, section) = document.split_once(&format!("{heading}\n")).unwrap();
    section.split_once("\n## ").map_or(section, |(section, _)| section)
}

/// The fenced blocks of a language.
fn blocks<'d>(document: &'d str, language: &str) -> Vec<&'d str> {
    let fence = format!("```{language}\n");
    document.split(&fence).skip(1).map(|rest| rest.split_once("```").unwrap().0).collect()
}

/// Every Markdown file of the repository.
fn documents(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let is_made = ["node_modules", "target", ".git"].iter().any(|name| path.ends_with(name));
        if path.is_dir() && !is_made {
            found.extend(documents(&path));
        } else if path.extension().is_some_and(|extension| extension == "md") {
            found.push(path);
        }
    }
    found
}

/// Lines outside fenced blocks.
fn prose(text: &str) -> impl Iterator<Item = &str> {
    let mut is_code = false;
    text.lines().filter(move |line| {
        let is_fence = line.trim_start().starts_with("```");
        is_code ^= is_fence;
        !is_code && !is_fence
    })
}

/// Where the links and pictures of a document lead, those aside that lead to the web or to an item of the code.
fn links(text: &str) -> impl Iterator<Item = &str> {
    let inline = |line| str::split(line, "](").skip(1).filter_map(|rest| rest.split_once(')'));
    let picture = |line| str::split(line, "src=\"").skip(1).filter_map(|rest| rest.split_once('"'));
    let links = prose(text).flat_map(move |line| inline(line).chain(picture(line))).map(|(link, _)| link);
    links.filter(|link| !link.contains("://") && !link.contains("::"))
}

/// The headings of a document as links name them.
fn headings(text: &str) -> impl Iterator<Item = String> {
    prose(text).filter(|line| line.starts_with('#')).map(|line| {
        let title = line.trim_start_matches('#').trim().to_lowercase();
        let kept = title.chars().filter(|letter| letter.is_alphanumeric() || matches!(letter, ' ' | '-' | '_'));
        kept.map(|letter| if letter == ' ' { '-' } else { letter }).collect()
    })
}
