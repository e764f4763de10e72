//! Every setting of a connection reaches the actors.

use secrecy::ExposeSecret as _;
use serde_json::json;
use tertulia_actors::platform::AgentLogin;

use super::*;
use crate::config::{Configuration, Environment};

/// Parses the only connection of `text`. Each secret's value is its name in lower case.
fn described(text: &str) -> Described {
    let secrets = ["SECRET", "TOKEN", "TOKEN_SECRET", "PASSWORD"];
    let environment: Environment = secrets.into_iter().map(|name| (name.to_owned(), name.to_lowercase())).collect();
    let text = format!("[[connections]]\nid = \"c\"\naccount = \"1\"\n{text}");
    describe(&Configuration::parse(&text, &environment).unwrap().connections[0])
}

fn webhooks(text: &str) -> IntakeSettings {
    let Described::Webhooks(settings) = described(text) else { panic!("it has a socket") };
    *settings
}

fn socket(text: &str) -> ConnectionSettings {
    let Described::Socket(settings) = described(text) else { panic!("it has no socket") };
    *settings
}

const KEY_SET: &str = "login = { username = \"bot2\", app_key = \"key\", secret = { env = \"SECRET\" }, \
                       access_token = { env = \"TOKEN\" }, access_token_secret = { env = \"TOKEN_SECRET\" } }\n";
const APPLICATION: &str = "login = { app_key = \"key\", secret = { env = \"SECRET\" } }\n";

#[test]
fn a_complete_key_set_of_an_intake_gives_its_agent_and_its_application() {
    let intake = webhooks(&format!("role = \"intake\"\n{KEY_SET}"));
    assert_eq!((intake.app.client_id.as_str(), intake.app.secret.expose_secret()), ("key", "secret"));
    let Some(AgentLogin::ApiKey { username, app_key, secret, access_token, access_token_secret }) = &intake.agent
    else {
        panic!("it acts as {:?}", intake.agent)
    };
    assert_eq!(username, "bot2");
    let keys = [app_key, secret, access_token, access_token_secret].map(|key| key.expose_secret());
    assert_eq!(keys, ["key", "secret", "token", "token_secret"]);
}

#[test]
fn an_intake_or_connector_with_only_an_application_has_no_agent() {
    for role in ["intake", "connector"] {
        let settings = webhooks(&format!("role = {role:?}\n{APPLICATION}"));
        assert!(settings.agent.is_none(), "{role}");
        assert_eq!(settings.app.client_id, "key");
    }
    assert!(webhooks(&format!("role = \"connector\"\n{KEY_SET}")).agent.is_none());
}

#[test]
fn each_connection_has_its_own_proxy() {
    let proxy =
        "proxy = { host = \"proxy.example\", port = 3128, username = \"me\", password = { env = \"PASSWORD\" } }\n";
    let of = |role: &str, login: &str| match described(&format!("role = {role:?}\n{login}{proxy}")) {
        Described::Socket(settings) => settings.proxy,
        Described::Webhooks(settings) => settings.proxy,
    };
    for (role, login) in [("brand", KEY_SET), ("consumer", ""), ("connector", APPLICATION), ("intake", KEY_SET)] {
        let proxy = of(role, login).unwrap_or_else(|| panic!("a {role} has none"));
        assert_eq!(proxy.to_string(), "proxy.example:3128");
        let (username, password) = proxy.credentials.unwrap();
        assert_eq!((username.as_str(), password.expose_secret()), ("me", "password"));
    }
    assert!(socket("role = \"consumer\"\n").proxy.is_none());
}

#[test]
fn client_properties_of_consumers_and_connectors_have_the_platforms_names() {
    let device = "client_properties = { device_family = \"MOBILE\", os = \"IOS\", integration = \"MOBILE_SDK\", \
                  app_id = \"shop\", app_version = \"1\", time_zone = \"UTC\", features = [\"RICH_CONTENT\"] }\n";
    let expected = json!({"type": ".ams.headers.ClientProperties", "deviceFamily": "MOBILE", "os": "IOS",
        "integration": "MOBILE_SDK", "appId": "shop", "appVersion": "1", "timeZone": "UTC",
        "features": ["RICH_CONTENT"]});
    assert_eq!(socket(&format!("role = \"consumer\"\n{device}")).client_properties.header(), expected);
    let connector = webhooks(&format!("role = \"connector\"\n{APPLICATION}{device}"));
    assert_eq!(connector.client_properties.header(), expected);
    assert_eq!(socket("role = \"consumer\"\n").client_properties, ClientProperties::default());
}
