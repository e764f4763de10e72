//! Logins that another program has begun: a consumer's token, and an agent's session.

use rustix::process::Signal;
use secrecy::ExposeSecret as _;
use serde_json::json;
use tertulia_actors::platform::{AgentLogin, ConsumerLogin, Platform, PlatformClient, PlatformSettings};
use tertulia_emulator::Emulator;

use crate::running::{
    configuration, emulator,
    process::{Process, command, program},
};

/// A caller of the platform's login services.
fn client(emulator: &Emulator) -> PlatformClient {
    let settings = PlatformSettings {
        discovery: format!("https://{}", emulator.listen()),
        authorities: vec![emulator.ca_pem().to_owned()],
        ..PlatformSettings::default()
    };
    PlatformClient::new(Platform::new(settings).unwrap(), emulator.account().into())
}

fn connection(role: &str, login: &str) -> String {
    format!("[[connections]]\nid = \"one\"\naccount = \"12345678\"\nrole = \"{role}\"\nlogin = {login}\n")
}

/// The users who sent a message in this conversation, in order.
fn speakers(emulator: &Emulator, conversation: &str) -> Vec<String> {
    let ledger = emulator.ledger();
    ledger.iter().filter(|entry| entry.conversation == conversation).map(|entry| entry.originator).collect()
}

#[actix_rt::test]
async fn a_consumer_with_a_given_token_continues_its_conversation_after_a_restart() {
    let emulator = emulator();
    let token = client(&emulator).consumer_token(&ConsumerLogin::SignUp, None).await.unwrap().token;
    let (_directory, file) = configuration(&emulator, &connection("consumer", "{ jwt = { env = \"JWT\" } }"));
    let start = || Process::spawn(command(&file).env("JWT", token.expose_secret()));

    let first = start();
    first.get_until("/readyz", "\"ready\":true");
    let opened = first.json("POST /v1/connections/one/conversations", "{}");
    let conversation = opened["conversationId"].as_str().unwrap_or_else(|| panic!("{opened}")).to_owned();
    let messages = format!("POST /v1/conversations/{conversation}/messages");
    assert_eq!(first.json(&messages, r#"{"text":"before"}"#)["sequence"], 0);
    first.end(Signal::KILL);

    let second = start();
    second.get_until("/readyz", "\"ready\":true");
    assert_eq!(second.json(&messages, r#"{"text":"after"}"#)["sequence"], 1);
    let speakers = speakers(&emulator, &conversation);
    assert!(speakers.len() == 2 && speakers[0] == speakers[1], "{speakers:?}");
}

#[actix_rt::test]
async fn a_session_of_another_program_is_used_and_not_ended() {
    let emulator = emulator();
    let client = client(&emulator);
    let password = AgentLogin::Password { username: "bot1".to_owned(), password: "secret".into() };
    let session = client.log_in(&password).await.unwrap();
    let AgentLogin::Session { bearer, user_id, csrf, session_id } = session.to_login() else { panic!("{session:?}") };
    assert!(session.agent_id.as_str().ends_with(&format!(".{user_id}")));
    // The whole agent id means the same as its digits.
    let user_id = session.agent_id.as_str();
    let login = format!(
        "{{ bearer = {{ env = \"BEARER\" }}, user_id = {user_id:?}, csrf = {{ env = \"CSRF\" }}, session_id = {{ env = \
         \"SESSION\" }} }}"
    );
    let (_directory, file) = configuration(&emulator, &connection("brand", &login));
    let secrets = [("BEARER", &bearer), ("CSRF", &csrf), ("SESSION", &session_id)];
    let environment = secrets.map(|(name, secret)| (name, secret.expose_secret().to_owned()));

    let check =
        || program(&["check", "--connect", "--config", &file]).envs(environment.iter().cloned()).output().unwrap();
    let checked = String::from_utf8(check().stdout).unwrap();
    let done = format!("one: ok: prolonged the session of {} at {}", session.agent_id, emulator.listen());
    assert!(checked.contains(&done), "{checked}");

    let process = Process::spawn(command(&file).envs(environment.iter().cloned()));
    process.get_until("/readyz", "\"ready\":true");
    process.signal(Signal::TERM);
    process.ended();
    client.refresh(&session).await.unwrap();

    client.log_out(&session).await.unwrap();
    let gone = check();
    let printed = String::from_utf8(gone.stdout).unwrap();
    assert!(gone.status.code() == Some(1) && printed.contains("401"), "{printed}");
    for (_, secret) in environment {
        assert!(!printed.contains(&secret) && !checked.contains(&secret));
    }
}

#[test]
fn a_consumer_of_a_connector_keeps_its_identity_after_a_restart() {
    let emulator = emulator();
    let (_directory, file) = configuration(&emulator, &connection("consumer", "{ connector = \"anonymous\" }"));
    let first = Process::start(&file);
    first.get_until("/readyz", "\"ready\":true");
    let opened = first.json("POST /v1/connections/one/conversations", "{}");
    let conversation = opened["conversationId"].as_str().unwrap_or_else(|| panic!("{opened}")).to_owned();
    first.end(Signal::KILL);

    let second = Process::start(&file);
    second.get_until("/readyz", "\"ready\":true");
    let said =
        second.json(&format!("POST /v1/conversations/{conversation}/messages"), &json!({"text": "x"}).to_string());
    assert_eq!(said["sequence"], 0, "{said}");
}
