//! `tertulia check --connect` as people meet it: who can log in, and what keeps the others from it.

use std::{fs, net::TcpListener, process::Output, sync::Arc, thread};

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, date_time_ymd};
use rustls::{ServerConfig, ServerConnection, crypto::ring};
use rustls_pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tempfile::TempDir;

use crate::running::{BOT, CANARY, configuration, emulator, process::program};

/// Exit code and standard output; that no secret is in any of it.
fn check(file: &str) -> (Option<i32>, String) {
    let variables = [
        ("PASSWORD", "secret"),
        ("WRONG", CANARY),
        ("APP_SECRET", "bot2-secret"),
        ("ACCESS_TOKEN", "bot2-token"),
        ("ACCESS_TOKEN_SECRET", "bot2-token-secret"),
        ("ASSERTION", "Ym90Mw=="),
        ("RUST_LOG", "trace"),
    ];
    let Output { status, stdout, stderr } =
        program(&["check", "--connect", "--config", file]).envs(variables).output().unwrap();
    let (stdout, stderr) = (String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap());
    let printed = format!("{stdout}{stderr}");
    for secret in [CANARY, "bot2-secret", "bot2-token", "Ym90Mw=="] {
        assert!(!printed.contains(secret), "{printed}");
    }
    (status.code(), stdout)
}

/// The line of a connection.
fn line<'a>(stdout: &'a str, connection: &str) -> &'a str {
    let found = stdout.lines().find_map(|line| line.strip_prefix(connection)?.strip_prefix(": "));
    found.unwrap_or_else(|| panic!("no {connection} in {stdout}"))
}

/// The configuration of one bot whose platform is at `discovery`, trusting `authority`.
fn bot_at(discovery: &str, authority: Option<&str>) -> (TempDir, String) {
    let directory = tempfile::tempdir().unwrap();
    let mut platform = format!("[platform]\ndiscovery = {discovery:?}\n");
    if let Some(authority) = authority {
        let file = directory.path().join("ca.pem");
        fs::write(&file, authority).unwrap();
        platform.push_str(&format!("ca_file = {:?}\n", file.display()));
    }
    let file = directory.path().join("tertulia.toml");
    fs::write(&file, platform + BOT).unwrap();
    (directory, file.to_str().unwrap().to_owned())
}

fn connection(id: &str, role: &str, login: &str) -> String {
    format!("[[connections]]\nid = \"{id}\"\naccount = \"12345678\"\nrole = \"{role}\"\n{login}\n")
}

#[test]
fn every_form_of_login_is_tried_and_ended_again() {
    let emulator = emulator();
    let key_set = r#"login = { username = "bot2", app_key = "bot2-key", secret = { env = "APP_SECRET" }, access_token = { env = "ACCESS_TOKEN" }, access_token_secret = { env = "ACCESS_TOKEN_SECRET" } }"#;
    let sections = [
        BOT.to_owned(),
        connection("keys", "brand", key_set),
        connection("saml", "brand", r#"login = { assertion = { env = "ASSERTION" } }"#),
        connection("ready-made", "brand", r#"login = { bearer = { env = "WRONG" }, user_id = "7" }"#),
        connection("ann", "consumer", ""),
        connection("signed", "consumer", r#"login = { assertion = { env = "WRONG" } }"#),
    ];
    let (_directory, file) = configuration(&emulator, &sections.concat());
    let (code, stdout) = check(&file);
    assert_eq!(code, Some(0), "{stdout}");
    let host = emulator.listen().to_string();
    for agent in ["bots-1", "keys", "saml"] {
        let line = line(&stdout, agent);
        assert!(line.starts_with("ok: logged in as 12345678.") && line.ends_with(", and logged out"), "{line}");
        assert!(line.contains(&host), "{line}");
    }
    assert!(line(&stdout, "ready-made").starts_with("ok: found the platform"));
    for consumer in ["ann", "signed"] {
        assert_eq!(line(&stdout, consumer), format!("ok: got a consumer's token at {host}"));
    }
    let order: Vec<&str> = stdout.lines().skip(1).filter_map(|line| line.split(':').next()).collect();
    assert_eq!(order, ["bots-1", "keys", "saml", "ready-made", "ann", "signed"]);
}

#[test]
fn wrong_credentials_fail_and_the_others_are_tried_all_the_same() {
    let emulator = emulator();
    let wrong = connection("wrong", "brand", r#"login = { username = "bot3", password = { env = "WRONG" } }"#);
    let (_directory, file) = configuration(&emulator, &format!("{wrong}{BOT}"));
    let (code, stdout) = check(&file);
    assert_eq!(code, Some(1));
    let failed = line(&stdout, "wrong");
    assert!(failed.starts_with("failed: agentVep at ") && failed.ends_with(" answered 401"), "{failed}");
    assert!(line(&stdout, "bots-1").starts_with("ok: "));
}

#[test]
fn an_account_that_is_not_there_fails_at_discovery() {
    let emulator = emulator();
    let (_directory, file) = configuration(&emulator, &BOT.replace("12345678", "87654321"));
    let (code, stdout) = check(&file);
    let failed = line(&stdout, "bots-1");
    assert!(code == Some(1) && failed.starts_with("failed: discovery at ") && failed.contains("401"), "{failed}");
}

#[test]
fn a_host_that_cannot_be_reached_is_named() {
    for (discovery, cause) in [("https://127.0.0.1:1", "Connection refused"), ("https://nowhere.invalid", "resolving")]
    {
        let (_directory, file) = bot_at(discovery, None);
        let (code, stdout) = check(&file);
        let failed = line(&stdout, "bots-1");
        let expected = format!("failed: discovery at {discovery} cannot be reached: ");
        assert!(code == Some(1) && failed.starts_with(&expected) && failed.contains(cause), "{failed}");
    }
}

#[test]
fn a_host_that_never_answers_is_given_up() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let (_directory, file) = bot_at(&format!("https://{}", silent.local_addr().unwrap()), None);
    let (code, stdout) = check(&file);
    let failed = line(&stdout, "bots-1");
    assert!(code == Some(1) && failed.contains("cannot be reached"), "{failed}");
}

#[test]
fn an_untrusted_certificate_is_named_with_what_to_do_about_it() {
    let emulator = emulator();
    let (_directory, file) = bot_at(&format!("https://{}", emulator.listen()), None);
    let (code, stdout) = check(&file);
    let failed = line(&stdout, "bots-1");
    assert!(code == Some(1) && failed.contains(&emulator.listen().to_string()), "{failed}");
    assert!(failed.contains("UnknownIssuer") && failed.ends_with("is not trusted: set platform.ca_file"), "{failed}");
}

#[test]
fn an_expired_certificate_is_named() {
    let (address, authority) = expired_host();
    let (_directory, file) = bot_at(&format!("https://{address}"), Some(&authority));
    let (code, stdout) = check(&file);
    let failed = line(&stdout, "bots-1");
    assert!(code == Some(1) && failed.contains(&address) && failed.contains("certificate expired"), "{failed}");
}

#[test]
fn an_application_is_tried_by_its_token() {
    let emulator = emulator();
    let login = r#"login = { app_key = "app", secret = { env = "WRONG" } }"#;
    let (_directory, file) = configuration(&emulator, &connection("shop", "connector", login));
    let (code, stdout) = check(&file);
    let tried = line(&stdout, "shop");
    assert!(code == Some(0) && tried.contains("got the application's token"), "{tried}");
}

/// A host whose certificate was good until 2020, and the authority that signed it.
fn expired_host() -> (String, String) {
    let authority_key = KeyPair::generate().unwrap();
    let mut authority = CertificateParams::new(Vec::new()).unwrap();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let pem = authority.self_signed(&authority_key).unwrap().pem();
    let mut host = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
    host.not_before = date_time_ymd(2019, 1, 1);
    host.not_after = date_time_ymd(2020, 1, 1);
    let key = KeyPair::generate().unwrap();
    let certificate = host.signed_by(&key, &Issuer::new(authority, authority_key)).unwrap();
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key)
        .unwrap();
    let config = Arc::new(config);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    // Ends with the test's process.
    thread::spawn(move || {
        for socket in listener.incoming() {
            let mut tls = ServerConnection::new(Arc::clone(&config)).unwrap();
            // The client refuses the certificate, so the handshake must fail.
            let _ = tls.complete_io(&mut socket.unwrap());
        }
    });
    (address, pem)
}
