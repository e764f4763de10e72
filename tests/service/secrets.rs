//! No secret is in anything that leaves the process: not in logs however detailed, answers, metrics, events, messages
//! of errors, nor in what is kept.

use std::{
    collections::BTreeSet,
    fs,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    path::Path,
    process::Command,
    thread,
    time::Instant,
};

use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use rustix::process::Signal;
use tertulia_emulator::{Emulator, FaultMode, FaultRule, Outcome};

use crate::running::{
    BOT, LOOK_EVERY, PATIENCE, configuration, emulator,
    process::{Ended, Process, program, rest},
};

/// The variables that hold secrets. Each secret has a core of its own that survives quoting, escaping and
/// percent-encoding, and characters around the core that do not.
const SECRETS: [(&str, &str); 12] = [
    ("WRONG", "a+/\"wrongPassW0rdCanary=="),
    ("KEYS_SECRET", "bot2-secret"),
    ("KEYS_TOKEN", "bot2-token"),
    ("KEYS_TOKEN_SECRET", "bot2-token-secret"),
    ("BAD_SECRET", "a+/\"appSecr3tCanary=="),
    ("BEARER", "b34rerCanaryOfSomebody"),
    ("ASSERTION", "eyJ4.as5ertionCanary.x"),
    ("PROXY_PASSWORD", "a:/@pr0xyPassCanary=="),
    ("HOOK_SECRET", "intakeSecr3tCanary"),
    ("READ_TOKEN", "readT0kenCanary"),
    ("WRITE_TOKEN", "writeT0kenCanary"),
    ("SAML", "Ym90NA=="),
];
/// The signing secret of a webhook. The store keeps it, because it signs after a restart too.
const SIGNS: &str = "webh00kSecretCanaryOfAReceiver42";
/// A wrong token.
const GUESSED: &str = "gu3ssedTokenCanary";
/// The messages of a consumer and a bot, which belong into events and never into a log.
const SAID: &str = "wh4tWasSaidCanary";
const ANSWERED: &str = "wh4tWasAnsweredCanary";

/// Connections that log in in every way there is, well and badly, and one behind a proxy that refuses.
fn sections(proxy: SocketAddr) -> String {
    let connection = |id: &str, role: &str, more: &str| {
        format!("[[connections]]\nid = \"{id}\"\naccount = \"12345678\"\nrole = \"{role}\"\n{more}\n")
    };
    let keys = |secret: &str| {
        format!(
            "login = {{ username = \"bot2\", app_key = \"bot2-key\", secret = {{ env = \"{secret}\" }}, access_token = {{ \
             env = \"KEYS_TOKEN\" }}, access_token_secret = {{ env = \"KEYS_TOKEN_SECRET\" }} }}"
        )
    };
    let app = |secret: &str| format!("login = {{ app_key = \"app\", secret = {{ env = \"{secret}\" }} }}");
    let proxied = format!(
        "login = {{ username = \"bot5\", password = {{ env = \"PASSWORD\" }} }}\nproxy = {{ host = \"127.0.0.1\", port = {}, \
         username = \"me\", password = {{ env = \"PROXY_PASSWORD\" }} }}",
        proxy.port()
    );
    [
        BOT.to_owned(),
        connection("wrong", "brand", "login = { username = \"bot3\", password = { env = \"WRONG\" } }"),
        connection("keys", "brand", &keys("KEYS_SECRET")),
        connection("wrong-keys", "brand", &keys("BAD_SECRET").replace("bot2\"", "bot6\"")),
        connection("saml", "brand", "login = { assertion = { env = \"SAML\" } }"),
        connection("ready-made", "brand", "login = { bearer = { env = \"BEARER\" }, user_id = \"7\" }"),
        connection("signed", "consumer", "login = { assertion = { env = \"ASSERTION\" } }"),
        connection("token", "consumer", "login = { bearer = { env = \"BEARER\" }, user_id = \"8\" }"),
        connection("shop", "connector", &app("BAD_SECRET")),
        connection("hook", "intake", &app("HOOK_SECRET")),
        connection("proxied", "brand", &proxied),
        "[gateway]\nlisten = \"127.0.0.1:0\"\ntokens = [\n\
         { name = \"looker\", token = { env = \"READ_TOKEN\" }, scope = \"read\" },\n\
         { name = \"ops\", token = { env = \"WRITE_TOKEN\" }, scope = \"write\" },\n]\n"
            .to_owned(),
    ]
    .concat()
}

/// A proxy that wants other credentials, for as long as the process lives.
fn refusing_proxy() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for socket in listener.incoming() {
            let Ok(mut socket) = socket else { continue };
            let mut head = BufReader::new(socket.try_clone().unwrap()).lines();
            while head.next().is_some_and(|line| line.is_ok_and(|line| !line.is_empty())) {}
            let _ = socket.write_all(b"HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 0\r\n\r\n");
        }
    });
    address
}

fn command(arguments: &[&str]) -> Command {
    let mut command = program(arguments);
    command.envs(SECRETS).envs([("PASSWORD", "secret"), ("RUST_LOG", "trace"), ("RUST_BACKTRACE", "1")]);
    command
}

/// Sends a request with a token.
fn send(process: &Process, request: &str, token: Option<&str>, body: Option<&str>) -> TcpStream {
    let token = token.map(|token| format!("Authorization: Bearer {token}"));
    process.send(request, token.as_deref().as_slice(), body.unwrap_or_default())
}

fn ask(process: &Process, request: &str, token: Option<&str>, body: Option<&str>) -> String {
    rest(send(process, request, token, body))
}

/// Asks until the answer has `wanted` in it.
fn ask_until(process: &Process, request: &str, token: &str, wanted: &str) -> String {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let answer = ask(process, request, Some(token), None);
        if answer.contains(wanted) {
            return answer;
        }
        assert!(Instant::now() < deadline, "{answer}");
        thread::sleep(LOOK_EVERY);
    }
}

/// The longest run of letters and digits: what is left of a secret in every encoding but base64.
fn core(secret: &str) -> &str {
    secret
        .split(|character: char| !character.is_ascii_alphanumeric() && character != '-')
        .max_by_key(|part| part.len())
        .unwrap()
}

/// How a secret may be written: its core, and the core in base64 wherever it stands within what is encoded.
fn forms(secret: &str) -> Vec<String> {
    let mut forms = vec![core(secret).to_owned()];
    for before in 0..3 {
        let mut bytes = vec![b' '; before];
        bytes.extend_from_slice(core(secret).as_bytes());
        for encoded in [STANDARD.encode(&bytes), URL_SAFE_NO_PAD.encode(&bytes)] {
            let encoded = encoded.trim_end_matches('=');
            // The first and the last characters depend on what stands around.
            let inner = &encoded[if before == 0 { 0 } else { 4 }..encoded.len() - 2];
            forms.push(inner.to_owned());
        }
    }
    forms
}

#[track_caller]
fn assert_without<'a>(name: &str, text: &str, secrets: impl IntoIterator<Item = &'a str>) {
    for secret in secrets {
        for form in forms(secret) {
            // To look into each line is many times slower.
            let told = text.contains(&form).then(|| text.lines().find(|line| line.contains(&form)));
            assert!(told.is_none(), "{name} tells {secret:?} as {form:?}: {told:?}");
        }
    }
}

fn all<'a>(more: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
    SECRETS.iter().map(|(_, secret)| *secret).chain([GUESSED]).chain(more).collect()
}

fn files(directory: &Path) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            let content = fs::read(&path).unwrap();
            // The store takes room beforehand.
            let end = content.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
            let content = String::from_utf8_lossy(&content[..end]).into_owned();
            found.push((path.display().to_string(), content));
        }
    }
    found
}

/// Runs a service through everything that touches a secret, and looks for each secret in all its output.
fn drive(emulator: &Emulator, format: &str) {
    let (directory, file) = configuration(emulator, &sections(refusing_proxy()));
    // A platform may repeat in its answers what it was sent.
    for rule in [
        FaultRule::new("login", Outcome::Echo(401)).user("bot3"),
        FaultRule::new("login", Outcome::Echo(400)).user("bot6"),
        FaultRule::new("app-token", Outcome::Echo(401)),
        FaultRule::new("authenticate", Outcome::Echo(500)),
        FaultRule::new("refresh", Outcome::Echo(500)),
    ] {
        emulator.add_rule(rule.always()).unwrap();
    }
    let process = Process::spawn(&mut command(&["run", "--log-format", format, "--config", &file]));
    let (read, write) = ("readT0kenCanary", "writeT0kenCanary");
    let mut outside = Vec::new();
    let mut bearers = BTreeSet::new();

    ask_until(&process, "GET /v1/connections/bots-1", read, "\"ready\"");
    ask_until(&process, "GET /v1/connections/keys", read, "\"ready\"");
    ask_until(&process, "GET /v1/connections/saml", read, "\"ready\"");
    ask_until(&process, "GET /v1/connections/wrong", read, "\"failed\"");
    ask_until(&process, "GET /v1/connections/wrong-keys", read, "\"failed\"");
    ask_until(&process, "GET /v1/connections/shop", read, "\"failed\"");
    ask_until(&process, "GET /v1/connections/signed", read, "answered 500");
    ask_until(&process, "GET /v1/connections/proxied", read, "407");
    bearers.extend(emulator.bearers());

    let conversation = emulator.create_conversation(None, None);
    emulator.say(&conversation, SAID).unwrap();
    ask_until(&process, "GET /metrics", read, "tertulia_conversations 1");
    let path = format!("/v1/conversations/{conversation}/messages");
    let message = format!("{{\"text\":\"{ANSWERED}\"}}");
    for (request, token, body) in [
        (format!("POST {path}?connection=bots-1"), Some(write), Some(message.as_str())),
        (format!("POST {path}?connection=bots-1"), Some(read), Some(message.as_str())),
        (format!("POST {path}"), Some(write), Some("{\"text\":")),
        (format!("GET /v1/connections?token={GUESSED}"), Some(read), None),
        (format!("GET /v1/connections?access_token={GUESSED}"), None, None),
        ("GET /v1/connections".to_owned(), Some(GUESSED), None),
        ("GET /v1/connections".to_owned(), Some(read), None),
        ("GET /v1/conversations".to_owned(), Some(read), None),
        ("GET /v1/dead-letters".to_owned(), Some(read), None),
        ("GET /v1/supervision".to_owned(), Some(read), None),
        ("POST /v1/intake/hook".to_owned(), None, Some("{}")),
        ("GET /readyz".to_owned(), None, None),
        ("GET /metrics".to_owned(), Some(read), None),
        ("GET /openapi.json".to_owned(), None, None),
        ("GET /nothing".to_owned(), Some(write), None),
    ] {
        let answer = ask(&process, &request, token, body);
        outside.push((
            request.replace(GUESSED, "…"),
            answer.replace(GUESSED, if request.contains(GUESSED) { "…" } else { GUESSED }),
        ));
    }

    // Requests to the platform's other services with the bot's token: an answer, errors, and an answer that repeats the
    // request.
    emulator.add_rule(FaultRule::new("history", Outcome::Echo(200)).always()).unwrap();
    let platform = "/v1/connections/bots-1/platform";
    let account = "api/account/12345678";
    for request in [
        format!("GET {platform}/accountConfigReadWrite/{account}/configuration/le-users/skills"),
        format!("GET {platform}/accountConfigReadWrite/{account}/configuration/le-users/skills/none"),
        format!("GET {platform}/agentVep/{account}/login"),
        format!("GET {platform}/none/x"),
    ] {
        outside.push((request.clone(), ask(&process, &request, Some(write), None)));
    }
    let request = format!("POST {platform}/msgHist/messaging_history/{account}/conversations/search");
    let held = emulator.bearers();
    let repeated = held.iter().map(|bearer| ask(&process, &request, Some(write), Some(bearer)));
    // An answer may repeat the bearers of other logins, because the caller sent them itself.
    let cut: Vec<String> =
        repeated.zip(&held).filter(|(answer, bearer)| !answer.contains(*bearer)).map(|(cut, _)| cut).collect();
    assert_eq!(cut.len(), 1, "only the bot's own bearer is removed");
    outside.push((request, cut.concat()));

    let hook = format!("{{\"url\":\"https://receiver.invalid/hook\",\"secret\":\"whsec_{}\"}}", STANDARD.encode(SIGNS));
    // Only the response to the creation may contain the secret.
    assert!(ask(&process, "POST /v1/webhooks", Some(write), Some(&hook)).starts_with("HTTP/1.1 201"));
    outside.push(("the list of webhooks".to_owned(), ask(&process, "GET /v1/webhooks", Some(read), None)));

    let stream = send(&process, "GET /v1/events", Some(read), None);
    emulator.set_faults(FaultMode::Hostile, 7);
    let mut posts = Vec::new();
    let deadline = Instant::now() + PATIENCE;
    while emulator.summary().faults < 20 {
        assert!(Instant::now() < deadline, "nothing goes wrong");
        // On such a day the platform may have closed it.
        let _ = emulator.say(&conversation, SAID);
        bearers.extend(emulator.bearers());
        // The response may take longer than the test waits.
        if posts.len() == 30 {
            continue;
        }
        posts.push(send(&process, &format!("POST {path}?connection=bots-1"), Some(write), Some(&message)));
    }
    emulator.set_faults(FaultMode::None, 0);
    drop(posts);
    ask_until(&process, "GET /v1/connections/bots-1", read, "\"ready\"");
    bearers.extend(emulator.bearers());
    outside.push(("the list of connections".to_owned(), ask(&process, "GET /v1/connections", Some(read), None)));
    let following = thread::spawn(move || {
        let mut events = String::new();
        let _ = { stream }.read_to_string(&mut events);
        events
    });
    process.signal(Signal::TERM);
    let Ended { log, stdout: printed, .. } = process.wait();
    outside.push(("the event stream".to_owned(), following.join().unwrap()));
    outside.push(("standard output".to_owned(), printed));
    let kept = files(directory.path()).into_iter().filter(|(name, _)| !name.ends_with(".pem"));

    let bearers: Vec<&str> = bearers.iter().map(String::as_str).collect();
    assert!(log.lines().count() > 100 && log.contains("TRACE") | log.contains("DEBUG"), "little was logged: {log}");
    assert_without("the log", &log, all(bearers.iter().copied().chain([SAID, ANSWERED, SIGNS])));
    for (name, text) in &outside {
        assert_without(name, text, all(bearers.iter().copied().chain([SIGNS])));
    }
    for (name, text) in kept {
        assert_without(&name, &text, all(bearers.iter().copied()));
    }
    for (name, text) in outside.iter().chain([&("the log".to_owned(), log)]) {
        // The platform's own tokens for consumers.
        assert!(!text.contains("eyJ0eXAi") && !text.contains("eyJhbGci"), "{name} tells a token: {text}");
    }
}

#[test]
fn a_service_tells_no_secret_whatever_happens_to_it() {
    let emulator = emulator();
    drive(&emulator, "json");
}

#[test]
fn nor_does_it_in_lines_for_people() {
    let emulator = emulator();
    drive(&emulator, "text");
}

#[test]
fn a_check_tells_none_either() {
    let emulator = emulator();
    let (_directory, file) = configuration(&emulator, &sections(refusing_proxy()));
    for arguments in [&["check", "--config", &file][..], &["check", "--connect", "--config", &file]] {
        let output = command(arguments).output().unwrap();
        let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(text.contains("ok: connections: 11"), "{text}");
        assert_without("check", &text, all([]));
    }
}

#[test]
fn the_forms_of_a_secret_are_found_wherever_it_stands() {
    let secret = "a+/\"appSecr3tCanary==";
    for before in ["", "x", "xy", "user:"] {
        let encoded = STANDARD.encode(format!("{before}{}:more", core(secret)));
        assert!(forms(secret).iter().any(|form| encoded.contains(form)), "{encoded}");
    }
}
