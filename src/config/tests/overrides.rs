//! Overrides from the environment.

use super::*;

#[test]
fn the_environment_overrides_each_value() {
    let variables = environment(&[
        ("BOT2_PASSWORD", CANARY),
        ("TERTULIA_TOKEN", CANARY),
        ("TERTULIA_GATEWAY__LISTEN", "127.0.0.1:9"),
        ("TERTULIA_GATEWAY__TOKENS", "[{ name = \"ops\", token = { env = \"TERTULIA_TOKEN\" }, scope = \"read\" }]"),
        ("TERTULIA_CONNECTIONS__0__ACCOUNT", "87654321"),
        ("TERTULIA_CONNECTIONS__0__AGENT_STATE", "AWAY"),
        ("TERTULIA_CONNECTIONS__0__LOGIN__PASSWORD__ENV", "BOT2_PASSWORD"),
        ("TERTULIA_CONNECTIONS__0__SUBSCRIBE__STAGE", "[\"CLOSE\"]"),
        ("TERTULIA_ENGINE__PATH", "/var/lib/tertulia"),
        ("TERTULIA_ENGINE__RETAIN_EVENTS", "20000"),
    ]);
    let configuration = Configuration::parse(&connection("[gateway]\nlisten = \"broken\"\n"), &variables).unwrap();

    assert_eq!(configuration.gateway.listen.to_string(), "127.0.0.1:9");
    assert_eq!(configuration.gateway.tokens.len(), 1);
    let connection = &configuration.connections[0];
    assert_eq!(connection.account, "87654321");
    assert_eq!(connection.agent_state, Some(AgentState::Away));
    assert_eq!(connection.subscribe.as_ref().unwrap().0, [Stage::Close]);
    let Access::Brand(AgentLogin::Password { password, .. }) = &connection.access else { panic!("a password") };
    assert_eq!(password.expose_secret(), CANARY);
    let Engine { kind: EngineKind::Embedded(EmbeddedEngine { path, .. }), retain_events, .. } = configuration.engine
    else {
        panic!("embedded")
    };
    assert_eq!((path.to_str(), retain_events), (Some("/var/lib/tertulia"), 20_000));
}

#[test]
fn a_mistake_of_the_environment_names_the_variable() {
    let variables = environment(&[
        ("BOT1_PASSWORD", CANARY),
        ("TERTULIA_CONNECTIONS__7__ID", "x"),
        ("TERTULIA_GATEWAY__LISTEN", "9"),
        ("TERTULIA_GATWAY__LISTEN", "9"),
        ("TERTULIA_ENGINE__KIND", "[embedded"),
        ("TERTULIA_ENGINE__RETAIN_DAYS", "a week"),
        ("TERTULIA_CONNECTIONS__0__LOGIN__PASSWORD", CANARY),
    ]);
    assert_eq!(
        mistakes_in(&connection(""), &variables),
        [
            "TERTULIA_CONNECTIONS__0__LOGIN__PASSWORD connections[0].login.password: \
             a secret must not be written here: give { env = \"NAME\" } or { file = \"path\" }",
            "TERTULIA_CONNECTIONS__7__ID : names an entry of a list that the file does not have",
            "TERTULIA_ENGINE__KIND : starts like a TOML list or table but is not valid TOML",
            "TERTULIA_ENGINE__RETAIN_DAYS engine.retain_days: expected a whole number from 1 to 3650, found \"a week\"",
            "TERTULIA_GATEWAY__LISTEN gateway.listen: \"9\" is not an IP address with a port, such as 127.0.0.1:8080",
            "TERTULIA_GATWAY__LISTEN gatway: unknown key \"gatway\"; the nearest valid one is \"gateway\"",
        ]
    );
}
