//! Valid configurations. Mistakes, secrets and arbitrary text have their own files.

mod arbitrary;
mod limits;
mod mistakes;
mod nodes;
mod overrides;
mod secrets;
mod supervision;
mod telemetry;
mod webhooks;

use std::fs;

use secrecy::ExposeSecret as _;
use tertulia_actors::{
    connection::{Agents, Rings},
    core::{
        conversation::HistoryStart,
        ums::{AgentState, Stage},
    },
    platform::{AgentLogin, AppCredentials, ConsumerLogin},
};

use super::*;

const CANARY: &str = "sEcReT-cAnArY";

fn environment(variables: &[(&str, &str)]) -> Environment {
    variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn with_secrets() -> Environment {
    environment(&[("BOT1_PASSWORD", CANARY), ("TERTULIA_TOKEN", CANARY)])
}

/// Every mistake as `line path: message`, or the variable in place of the line.
fn mistakes_in(text: &str, environment: &Environment) -> Vec<String> {
    let problems = Configuration::parse(text, environment).map(|_| ()).unwrap_err();
    problems
        .iter()
        .map(|problem| match &problem.place {
            Place::Line(line) => format!("{line} {}: {}", problem.path, problem.message),
            Place::Variable(name) => format!("{name} {}: {}", problem.path, problem.message),
            Place::Request => format!("{}: {}", problem.path, problem.message),
        })
        .collect()
}

#[track_caller]
fn assert_mistakes(text: &str, expected: &[&str]) {
    assert_eq!(mistakes_in(text, &with_secrets()), expected);
}

/// A brand connection, five lines long, with `more` after it.
fn connection(more: &str) -> String {
    format!(
        "[[connections]]\nid = \"bots-1\"\naccount = \"12345678\"\nrole = \"brand\"\n\
         login = {{ username = \"bot1\", password = {{ env = \"BOT1_PASSWORD\" }} }}\n{more}"
    )
}

#[test]
fn the_documented_example_is_valid() {
    let directory = tempfile::tempdir().unwrap();
    let ca_file = directory.path().join("emulator-ca.pem");
    fs::write(&ca_file, "").unwrap();
    let text = format!(
        r#"
        [platform]
        discovery = "https://adminlogin.liveperson.net"
        ca_file = "{}"

        [[connections]]
        id = "bots-1"
        account = "12345678"
        role = "brand"
        login = {{ username = "bot1", password = {{ env = "BOT1_PASSWORD" }} }}
        subscribe = {{ stage = ["OPEN"], agents = "self" }}
        rings = "accept"
        history = "first-seen"
        agent_state = "ONLINE"

        [engine]
        kind = "embedded"
        path = "/var/lib/tertulia"
        leases = "/run/tertulia"
        retain_events = 5_000_000
        retain_days = 30

        [gateway]
        listen = "127.0.0.1:8080"
        tokens = [{{ name = "ops", token = {{ env = "TERTULIA_TOKEN" }}, scope = "write" }}]
        "#,
        ca_file.display()
    );

    let configuration = Configuration::parse(&text, &with_secrets()).unwrap();

    assert_eq!(configuration.platform.discovery, "https://adminlogin.liveperson.net");
    assert_eq!(configuration.platform.ca_file, Some(ca_file));
    let [connection] = configuration.connections.as_slice() else { panic!("one connection") };
    assert_eq!((connection.id.as_str(), connection.account.as_str()), ("bots-1", "12345678"));
    let Access::Brand(AgentLogin::Password { username, password }) = &connection.access else { panic!("a password") };
    assert_eq!((username.as_str(), password.expose_secret()), ("bot1", CANARY));
    assert_eq!(connection.subscribe, Some((vec![Stage::Open], Agents::Mine)));
    assert_eq!((connection.rings, &connection.agent_state), (Rings::Accept, &Some(AgentState::Online)));
    assert_eq!(connection.history, HistoryStart::FirstSeen);
    let engine = Engine {
        kind: EngineKind::Embedded(EmbeddedEngine {
            path: "/var/lib/tertulia".into(),
            leases: Some("/run/tertulia".into()),
        }),
        retain_events: 5_000_000,
        retain_days: 30,
    };
    assert_eq!(configuration.engine, engine);
    assert_eq!(configuration.gateway.listen.to_string(), "127.0.0.1:8080");
    assert_eq!(configuration.gateway.tokens[0].scope, Scope::Write);
    assert_eq!(configuration.gateway.tokens[0].token.expose_secret(), CANARY);
}

#[test]
fn an_empty_file_has_the_defaults() {
    let configuration = Configuration::parse("", &Environment::default()).unwrap();
    assert_eq!(configuration.platform.discovery, "https://adminlogin.liveperson.net");
    assert!(configuration.connections.is_empty());
    let embedded = EmbeddedEngine { path: "./tertulia-data".into(), leases: None };
    let engine = Engine { kind: EngineKind::Embedded(embedded), retain_events: 1_000_000, retain_days: 7 };
    assert_eq!(configuration.engine, engine);
    assert_eq!(configuration.gateway.listen.to_string(), "127.0.0.1:8080");
}

#[test]
fn by_default_a_connection_subscribes_to_its_own_open_conversations_and_takes_no_rings() {
    let configuration = Configuration::parse(&connection(""), &with_secrets()).unwrap();
    let connection = &configuration.connections[0];
    assert_eq!(connection.subscribe, Some((vec![Stage::Open], Agents::Mine)));
    assert_eq!((connection.rings, &connection.agent_state), (Rings::Off, &None));
    assert_eq!(connection.history, HistoryStart::Beginning);
}

#[test]
fn agents_of_a_subscription_are_self_all_or_a_list() {
    for (written, read) in [
        ("\"self\"", Agents::Mine),
        ("\"all\"", Agents::All),
        ("[\"a\", \"b\"]", Agents::Listed(vec!["a".into(), "b".into()])),
    ] {
        let text = connection(&format!("subscribe.agents = {written}\n"));
        let configuration = Configuration::parse(&text, &with_secrets()).unwrap();
        assert_eq!(configuration.connections[0].subscribe.as_ref().unwrap().1, read);
    }
}

#[test]
fn a_proxy_has_an_address_and_may_have_credentials() {
    let read = |proxy: &str| {
        let text = connection(&format!("proxy = {{ {proxy} }}\n"));
        Configuration::parse(&text, &with_secrets()).unwrap().connections.remove(0).proxy.unwrap()
    };
    let open = read("host = \"proxy.example\", port = 3128");
    assert_eq!((open.host.as_str(), open.port), ("proxy.example", 3128));
    assert!(open.credentials.is_none());
    let asking = read("host = \"::1\", port = 8080, username = \"me\", password = { env = \"BOT1_PASSWORD\" }");
    let (username, password) = asking.credentials.as_ref().unwrap();
    assert_eq!((username.as_str(), password.expose_secret()), ("me", CANARY));
    assert!(!format!("{asking:?}").contains(CANARY));
}

#[test]
fn the_device_of_consumers_has_the_platforms_names() {
    let text = "[[connections]]\nid = \"ann\"\naccount = \"1\"\nrole = \"consumer\"\n\
        [connections.client_properties]\ndevice_family = \"MOBILE\"\nos = \"IOS\"\nintegration = \"MOBILE_SDK\"\n\
        app_id = \"shop\"\napp_version = \"1\"\nip_address = \"203.0.113.7\"\nos_version = \"18\"\nos_name = \"iOS\"\n\
        integration_version = \"2\"\nbrowser = \"Safari\"\nbrowser_version = \"18\"\ntime_zone = \"Europe/Berlin\"\n\
        device_manufacture = \"Apple\"\ndevice_model = \"17\"\nfeatures = [\"RICH_CONTENT\", \"NEW_ONE\"]\n";
    let connection = Configuration::parse(text, &Environment::default()).unwrap().connections.remove(0);
    let told = connection.client_properties.unwrap();
    assert_eq!(told.features, ["RICH_CONTENT", "NEW_ONE"]);
    let mut texts: Vec<String> = told.texts.iter().map(|(name, text)| format!("{name}={text}")).collect();
    texts.sort();
    assert_eq!(
        texts.join(" "),
        "appId=shop appVersion=1 browser=Safari browserVersion=18 deviceFamily=MOBILE deviceManufacture=Apple \
         deviceModel=17 integration=MOBILE_SDK integrationVersion=2 ipAddress=203.0.113.7 os=IOS osName=iOS \
         osVersion=18 timeZone=Europe/Berlin"
    );
}

#[test]
fn each_form_of_login_is_read() {
    let secrets = environment(&[("S", CANARY)]);
    let read = |role: &str, login: &str| {
        let text = format!("[[connections]]\nid = \"c\"\naccount = \"1\"\nrole = \"{role}\"\n{login}");
        Configuration::parse(&text, &secrets).unwrap().connections.remove(0).access
    };
    let key_set = "login = { username = \"bot\", app_key = \"k\", secret = { env = \"S\" }, \
                   access_token = { env = \"S\" }, access_token_secret = { env = \"S\" } }";
    assert!(matches!(read("brand", key_set), Access::Brand(AgentLogin::ApiKey { .. })));
    assert!(matches!(
        read("brand", "login = { bearer = { env = \"S\" }, user_id = \"9\" }"),
        Access::Brand(AgentLogin::Bearer { user_id, .. }) if user_id == "9"
    ));
    assert!(matches!(
        read("brand", "login = { assertion = { env = \"S\" } }"),
        Access::Brand(AgentLogin::Assertion(_))
    ));
    assert!(matches!(
        read("connector", "login = { app_key = { env = \"S\" }, secret = { env = \"S\" } }"),
        Access::Connector(AppCredentials { client_id, .. }) if client_id == CANARY
    ));
    assert!(matches!(
        read(
            "brand",
            "login = { bearer = { env = \"S\" }, user_id = \"9\", csrf = { env = \"S\" }, session_id = { env = \"S\" } }"
        ),
        Access::Brand(AgentLogin::Session { user_id, csrf, .. }) if user_id == "9" && csrf.expose_secret() == CANARY
    ));
    assert!(matches!(read("consumer", ""), Access::Consumer(ConsumerLogin::SignUp)));
    assert!(matches!(
        read("consumer", "login = { jwt = { env = \"S\" } }"),
        Access::Consumer(ConsumerLogin::Token(token)) if token.expose_secret() == CANARY
    ));
    assert!(matches!(
        read("consumer", "login = { connector = \"123\" }"),
        Access::Consumer(ConsumerLogin::Anonymous { connector }) if connector == "123"
    ));
    assert!(matches!(
        read("consumer", "login = { assertion = { env = \"S\" }, connector = \"123\" }"),
        Access::Consumer(ConsumerLogin::Authenticated { connector: Some(connector), .. }) if connector == "123"
    ));
}
