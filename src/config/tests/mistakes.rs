//! The message and the place of every mistake.

use std::path::Path;

use super::*;

#[test]
fn every_mistake_is_reported_with_its_line() {
    assert_mistakes(
        r#"
[platform]
discovery = "adminlogin.liveperson.net"
ca_file = "/nowhere/ca.pem"

[[connections]]
id = "bots/1"
account = ""
role = "bot"
rings = true

[[connections]]
id = "b"
account = 12345678
role = "brand"
login = { username = "bot1", password = { env = "NOT_SET" } }
subscribe = { stage = ["OPEN",
  "OPENED"], agents = [] }
rings = "acept"
agent_state = "online"

[engine]
kind = "kafka"

[gateway]
lisen = "x"
listen = "localhost:8080"
"#,
        &[
            "3 platform.discovery: expected a URL that starts with https:// or http://",
            "4 platform.ca_file: cannot open \"/nowhere/ca.pem\": No such file or directory (os error 2)",
            "7 connections[0].id: \"bots/1\" is not 1 to 64 of the characters A-Z a-z 0-9 . _ ~ -",
            "8 connections[0].account: must not be empty",
            "9 connections[0].role: \"bot\" is not one of brand, consumer, connector, intake; the nearest is brand",
            "10 connections[0].rings: expected text in quotes, found true or false",
            "14 connections[1].account: expected text in quotes, found a number",
            "16 connections[1].login.password.env: the environment variable NOT_SET is not set",
            "18 connections[1].subscribe.stage[1]: \"OPENED\" is not one of OPEN, CLOSE, LOCKED; the nearest is OPEN",
            "18 connections[1].subscribe.agents: must not be empty",
            "19 connections[1].rings: \"acept\" is not one of accept, manual, off; the nearest is accept",
            "20 connections[1].agent_state: \"online\" is not one of ONLINE, OCCUPIED, BACK_SOON, AWAY, OFFLINE; the nearest is ONLINE",
            "23 engine.kind: \"kafka\" is not one of embedded, postgres; the nearest is embedded",
            "26 gateway.lisen: unknown key \"lisen\"; the nearest valid one is \"listen\"",
            "27 gateway.listen: \"localhost:8080\" is not an IP address with a port, such as 127.0.0.1:8080",
        ],
    );
}

#[test]
fn an_unknown_key_is_named_with_the_nearest_valid_one_at_every_depth() {
    let text = connection("[gatway]\nlisten = \"127.0.0.1:1\"\n[platform]\ndiscovry = \"x\"\n");
    let text = text.replace("password", "pasword").replace("env", "enviroment");
    assert_mistakes(
        &text,
        &[
            "5 connections[0].login.pasword: unknown key \"pasword\"; the nearest valid one is \"password\"",
            "6 gatway: unknown key \"gatway\"; the nearest valid one is \"gateway\"",
            "9 platform.discovry: unknown key \"discovry\"; the nearest valid one is \"discovery\"",
        ],
    );
}

#[test]
fn a_missing_key_is_reported_at_the_table_that_should_have_it() {
    assert_mistakes(
        "[gateway]\n\n[[connections]]\nrole = \"brand\"\n",
        &["3 connections[0].id: missing", "3 connections[0].account: missing", "3 connections[0].login: missing"],
    );
    assert_mistakes(
        "[gateway]\ntokens = [{ }]\n",
        &[
            "2 gateway.tokens[0].name: missing",
            "2 gateway.tokens[0].token: missing",
            "2 gateway.tokens[0].scope: missing",
        ],
    );
}

#[test]
fn the_first_syntax_error_is_reported_alone() {
    let mistakes = mistakes_in(
        "[platform]\ndiscovery = \"https://a\nca_file = \"/nowhere\"\n[engine]\nkind = embedded\nkind = \"embedded\"\n[[connections]]\nrole = \"bot\"\n",
        &environment(&[("TERTULIA_ENGINE__KIND", "kafka")]),
    );
    assert!(matches!(mistakes.as_slice(), [only] if only.starts_with("2 : not valid TOML: ")), "{mistakes:#?}");
}

#[test]
fn values_of_another_kind_are_reported() {
    assert_mistakes(
        "platform = 1\nconnections = { id = \"x\" }\nengine = [1979-05-27]\n[gateway]\nlisten = [true]\ntokens = \"x\"\n",
        &[
            "1 platform: expected a table, found a number",
            "2 connections: expected a list, found a table",
            "3 engine: expected a table, found a list",
            "5 gateway.listen: expected text in quotes, found a list",
            "6 gateway.tokens: expected a list, found text",
        ],
    );
}

#[test]
fn the_connections_of_a_token_and_the_allowed_origins_are_checked() {
    let token = "name = \"a\", token = { env = \"TERTULIA_TOKEN\" }, scope = \"read\"";
    for (connections, mistake) in [
        ("[]", "2 gateway.tokens[0].connections: must name at least one connection, such as \"shop-*\""),
        ("\"shop\"", "2 gateway.tokens[0].connections: expected a list, found text"),
        (
            "[\"shop-*\", \"a/b\"]",
            "2 gateway.tokens[0].connections[1]: \"a/b\" is not the id of a connection or a pattern such as \"shop-*\"",
        ),
    ] {
        assert_mistakes(&format!("[gateway]\ntokens = [{{ {token}, connections = {connections} }}]\n"), &[mistake]);
    }
    for origin in [
        "*",
        "null",
        "workspace.example",
        "ftp://a.example",
        "https://*.example",
        "https://",
        "https://a@b.example",
        "https://a.example/",
        "https://a.example/page",
        "https://A.example",
        "https://a.example:443",
        "https://a.example:",
    ] {
        let mistake = "is not an origin as a browser sends it, such as \"https://workspace.example\"";
        let mistake = format!("2 gateway.allowed_origins[0]: {origin:?} {mistake}");
        assert_mistakes(&format!("[gateway]\nallowed_origins = [{origin:?}]\n"), &[&mistake]);
    }
    for origin in ["https://a.example", "http://localhost:3000", "http://[::1]:3000", "https://10.0.0.1:8443"] {
        let text = format!("[gateway]\nallowed_origins = [{origin:?}]\n");
        let configuration = Configuration::parse(&text, &with_secrets()).unwrap();
        assert_eq!(configuration.gateway.allowed_origins, [origin]);
    }
}

#[test]
fn ids_and_token_names_are_unique() {
    let text = connection(&connection(
        "[gateway]\ntokens = [\n { name = \"a\", token = { env = \"TERTULIA_TOKEN\" }, scope = \"read\" },\n \
         { name = \"a\", token = { env = \"TERTULIA_TOKEN\" }, scope = \"root\" }\n]\n",
    ));
    assert_mistakes(
        &text,
        &[
            "7 connections[1].id: \"bots-1\" is already the id of connections[0]",
            "14 gateway.tokens[1].name: \"a\" is already used",
            "14 gateway.tokens[1].scope: \"root\" is not one of read, write, admin; the nearest is read",
            "14 gateway.tokens[1].token: the same value as the token of gateway.tokens[0]",
        ],
    );
}

#[test]
fn without_tokens_the_gateway_listens_only_on_loopback() {
    assert_mistakes(
        "[gateway]\nlisten = \"0.0.0.0:8080\"\n",
        &["2 gateway.listen: without gateway.tokens the gateway may listen only on a loopback address"],
    );
    let with_token = "[gateway]\nlisten = \"0.0.0.0:8080\"\n\
                      tokens = [{ name = \"ops\", token = { env = \"TERTULIA_TOKEN\" }, scope = \"read\" }]\n";
    assert!(Configuration::parse(with_token, &with_secrets()).is_ok());
    assert!(Configuration::parse("[gateway]\nlisten = \"[::1]:0\"\n", &with_secrets()).is_ok());
}

#[test]
fn an_engine_of_an_unknown_kind_is_reported_with_its_line() {
    assert_mistakes(
        "[engine]\npath = \"x\"\nkind = \"nats\"\nurl = \"nats://127.0.0.1\"\n",
        &["3 engine.kind: \"nats\" is not one of embedded, postgres; the nearest is postgres"],
    );
}

#[test]
fn the_engines_limits_are_numbers_in_range() {
    let found = |written: &str| {
        assert_mistakes(
            &format!("[engine]\nretain_days = {written}\n"),
            &[&format!("2 engine.retain_days: expected a whole number from 1 to 3650, found {written}")],
        );
    };
    ["0", "-1", "3651", "9223372036854775807"].into_iter().for_each(found);
    for (written, kind) in
        [("\"7\"", "text"), ("7.0", "a number"), ("99999999999999999999", "a number"), ("[7]", "a list")]
    {
        assert_mistakes(
            &format!("engine.retain_events = {written}\n"),
            &[&format!("1 engine.retain_events: expected a whole number from 1000 to 1000000000, found {kind}")],
        );
    }
}

#[test]
fn a_role_has_only_what_it_can_use() {
    let brand = connection("subscribe.agents = \"all\"\nrings = \"off\"\nagent_state = \"AWAY\"\n");
    assert_mistakes(
        &brand.replace("\"brand\"", "\"consumer\""),
        &[
            "5 connections[0].login: role \"consumer\" needs { jwt }, { bearer, user_id }, { assertion }, { assertion, connector } or { connector }, or no login for an anonymous consumer",
            "6 connections[0].subscribe.agents: a consumer's subscription has no agents",
            "7 connections[0].rings: only a connection of role \"brand\" receives rings",
            "8 connections[0].agent_state: only a connection of role \"brand\" has an agent state",
        ],
    );
    assert_mistakes(
        &connection("").replace("username = \"bot1\", password", "jwt"),
        &[
            "5 connections[0].login: role \"brand\" needs an agent's { username, password }, { username, app_key, secret, access_token, access_token_secret }, { bearer, user_id }, { bearer, user_id, csrf, session_id } or { assertion }",
        ],
    );
    assert_mistakes(
        &connection("subscribe.stage = [\"OPEN\"]\n").replace("\"brand\"", "\"intake\""),
        &[
            "5 connections[0].login: roles \"connector\" and \"intake\" need their application's { app_key, secret }",
            "6 connections[0].subscribe: a connection without a socket has no subscription",
        ],
    );
}

#[test]
fn mistakes_of_a_proxy_are_reported_and_never_repeat_its_password() {
    assert_mistakes(
        &connection(&format!("proxy = \"http://me:{CANARY}@proxy.example:3128\"\n")),
        &["6 connections[0].proxy: a proxy is { host, port }, with { username, password } if the proxy requires them"],
    );
    assert_mistakes(
        &connection(&format!(
            "[connections.proxy]\nhost = \"me:{CANARY}@proxy.example\"\nport = 0\nusername = \"me:you\"\npasword = 1\n"
        )),
        &[
            "6 connections[0].proxy: give both username and password of a proxy, or neither",
            "7 connections[0].proxy.host: expected only a name or an address; port, username and password have their own keys",
            "8 connections[0].proxy.port: expected a whole number from 1 to 65535, found 0",
            "9 connections[0].proxy.username: a proxy's user name must not contain a colon",
            "10 connections[0].proxy.pasword: unknown key \"pasword\"; the nearest valid one is \"password\"",
        ],
    );
    assert_mistakes(
        &connection("proxy = { password = \"plain\", username = \"me\" }\n"),
        &[
            "6 connections[0].proxy.host: missing",
            "6 connections[0].proxy.port: missing",
            "6 connections[0].proxy.password: a secret must not be written here: give { env = \"NAME\" } or { file = \"path\" }",
        ],
    );
}

#[test]
fn a_token_that_no_caller_could_use_is_a_mistake() {
    let mistakes = |first: &str, second: &str| {
        let text = "[gateway]\ntokens = [\n{ name = \"a\", token = { env = \"A\" }, scope = \"read\" },\n\
                    { name = \"b\", token = { env = \"B\" }, scope = \"write\" },\n]\n";
        mistakes_in(text, &environment(&[("A", first), ("B", second)]))
    };
    assert_eq!(
        mistakes(CANARY, CANARY),
        ["4 gateway.tokens[1].token: the same value as the token of gateway.tokens[0]"]
    );
    assert_eq!(mistakes("x", CANARY), ["3 gateway.tokens[0].token: a token must have at least 6 characters"]);
    for odd in ["line-end\n", "\nline-end", "two words", "t\u{f6}ken-value", "carriage\r"] {
        let expected =
            "4 gateway.tokens[1].token: a token must have only visible ASCII characters: no spaces, no line ends";
        assert_eq!(mistakes(CANARY, odd), [expected], "{odd:?}");
    }
}

#[test]
fn two_connections_with_one_login_are_a_mistake() {
    let other = connection("").replace("bots-1", "bots-2");
    let message = "the same login as connections[0]: the platform allows one session per login";
    assert_mistakes(&format!("{}{other}", connection("")), &[&format!("6 connections[1].login: {message}")]);
    let elsewhere = other.replace("12345678", "87654321");
    assert!(Configuration::parse(&format!("{}{elsewhere}", connection("")), &with_secrets()).is_ok());
}

#[test]
fn patterns_for_added_connections_must_be_valid() {
    assert_mistakes(
        "[gateway]\nsecrets = [\"BOT_*\", \"/run/*\", \"../x\", \"/a/../b\", \"A B\"]\n\
         proxies = [\"proxy.example:3128\", \"[fd00::1]:80\", \"http://proxy\", \"a:0\", \"\"]\nplatforms = [\"x y\"]\n",
        &[
            "2 gateway.secrets[2]: \"../x\" is neither the name of an environment variable nor an absolute path",
            "2 gateway.secrets[3]: \"/a/../b\" is not a valid path: it has an empty part, \".\" or \"..\"",
            "2 gateway.secrets[4]: \"A B\" is neither the name of an environment variable nor an absolute path",
            "3 gateway.proxies[2]: \"http://proxy\" is not a host such as \"proxy.example\", \"proxy.example:3128\" or \"*.example\"",
            "3 gateway.proxies[3]: \"a:0\" is not a host such as \"proxy.example\", \"proxy.example:3128\" or \"*.example\"",
            "3 gateway.proxies[4]: must not be empty",
            "4 gateway.platforms[0]: \"x y\" is not a host such as \"proxy.example\", \"proxy.example:3128\" or \"*.example\"",
        ],
    );
}

#[test]
fn mistakes_of_client_properties_are_reported() {
    let device = format!(
        "[connections.client_properties]\nos = \"PLAN9\"\napp_id = \"{}\"\ndevice_familly = \"MOBILE\"\n\
         integration = 1\nfeatures = [\"RICH_CONTENT\", 2]\n",
        "x".repeat(65)
    );
    let consumer = "[[connections]]\nid = \"ann\"\naccount = \"1\"\nrole = \"consumer\"\n";
    assert_mistakes(
        &format!("{consumer}{device}"),
        &[
            "6 connections[0].client_properties.os: \"PLAN9\" is not one of WINDOWS, LINUX, OSX, ANDROID, IOS, OTHER; the nearest is LINUX",
            "7 connections[0].client_properties.app_id: the platform takes at most 64 characters, found 65",
            "8 connections[0].client_properties.device_familly: unknown key \"device_familly\"; the nearest valid one is \"device_family\"",
            "9 connections[0].client_properties.integration: expected text in quotes, found a number",
            "10 connections[0].client_properties.features[1]: expected text in quotes, found a number",
        ],
    );
    assert_mistakes(
        &connection("client_properties.os = \"IOS\"\n").replace("\"brand\"", "\"intake\"").replace(
            "{ username = \"bot1\", password = { env = \"BOT1_PASSWORD\" } }",
            "{ app_key = \"key\", secret = { env = \"BOT1_PASSWORD\" } }",
        ),
        &["6 connections[0].client_properties: a connection of role \"intake\" has no device"],
    );
}

#[test]
fn a_login_without_a_valid_form_lists_the_forms() {
    let text = connection("").replace("username = \"bot1\",", "user_id = \"bot1\",");
    let mistakes = mistakes_in(&text, &with_secrets());
    assert_eq!(mistakes.len(), 1);
    assert!(
        mistakes[0].starts_with(
            "5 connections[0].login: a login must have exactly the keys of one of { username, password } | "
        )
    );
}

#[test]
fn a_mistake_is_printed_as_file_line_path_and_message() {
    let printed = |text: &str| {
        let problems = Configuration::parse(text, &Environment::default()).unwrap_err();
        problems.iter().map(|problem| problem.in_file(Path::new("a.toml")).to_string()).collect::<Vec<_>>().join("\n")
    };
    assert_eq!(printed("[gateway]\nlisten = \"\"\n"), "a.toml:2: gateway.listen: must not be empty");
    assert!(printed("[gateway]\nlisten = \"\"\n}").starts_with("a.toml:3: not valid TOML: "));
}
