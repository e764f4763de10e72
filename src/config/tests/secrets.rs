//! Secrets are read from their sources and never printed.

use super::*;

#[test]
fn a_secret_may_be_a_file_whose_last_line_end_is_not_part_of_it() {
    let directory = tempfile::tempdir().unwrap();
    for (content, secret) in [("a b\n", "a b"), ("a\r\n", "a"), ("a\n\n", "a\n"), ("a", "a")] {
        let file = directory.path().join("secret");
        fs::write(&file, content).unwrap();
        let text = connection("")
            .replace("{ env = \"BOT1_PASSWORD\" }", &format!("{{ file = {:?} }}", file.display().to_string()));
        let configuration = Configuration::parse(&text, &Environment::default()).unwrap();
        let Access::Brand(AgentLogin::Password { password, .. }) = &configuration.connections[0].access else {
            panic!("a password")
        };
        assert_eq!(password.expose_secret(), secret);
    }
}

#[test]
fn a_secret_that_is_plain_absent_empty_or_given_twice_is_a_mistake() {
    let mistake = |secret: &str| {
        let text = connection("").replace("{ env = \"BOT1_PASSWORD\" }", secret);
        mistakes_in(&text, &environment(&[("EMPTY", ""), ("SET", CANARY)])).join("\n")
    };
    let at = "5 connections[0].login.password";
    assert_eq!(
        mistake("\"plain\""),
        format!("{at}: a secret must not be written here: give {{ env = \"NAME\" }} or {{ file = \"path\" }}")
    );
    assert_eq!(mistake("{ env = \"EMPTY\" }"), format!("{at}.env: the environment variable EMPTY is empty"));
    assert_eq!(
        mistake("{ env = \"SET\", file = \"x\" }"),
        format!("{at}: a secret is either {{ env = \"NAME\" }} or {{ file = \"path\" }}")
    );
    assert_eq!(
        mistake("{ file = \"/nowhere\" }"),
        format!("{at}.file: cannot read the secret's file: No such file or directory (os error 2)")
    );
    assert_eq!(mistake("{ file = \"/dev/zero\" }"), format!("{at}.file: the secret's file is larger than 65536 bytes"));
}

#[test]
fn no_mistake_repeats_a_secret() {
    for secret in [
        format!("\"{CANARY}\""),
        format!("{{ env = \"{CANARY}\" }}"),
        format!("{{ file = \"/nowhere/{CANARY}\" }}"),
        format!("[\"{CANARY}\"]"),
        format!("\"{CANARY}"),
        CANARY.to_owned(),
    ] {
        let text = connection("").replace("{ env = \"BOT1_PASSWORD\" }", &secret);
        let mistakes = mistakes_in(&text, &Environment::default()).join("\n");
        assert!(!mistakes.contains(CANARY), "{mistakes}");
    }
    let in_url = format!("platform.discovery = \"https://bot1:{CANARY}@example.com\"");
    assert_mistakes(&in_url, &["1 platform.discovery: a URL must not hold credentials"]);
}

#[test]
fn a_configuration_never_shows_its_secrets() {
    let text = connection(
        "[gateway]\ntokens = [{ name = \"ops\", token = { env = \"TERTULIA_TOKEN\" }, scope = \"read\" }]\n",
    );
    let configuration = Configuration::parse(&text, &with_secrets()).unwrap();
    assert!(!format!("{configuration:?}").contains(CANARY));
}
