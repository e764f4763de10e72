//! `[node]`, an engine that several processes share, and `nodes` of a connection.

use std::time::Duration;

use secrecy::ExposeSecret;
use tertulia_actors::core::placement::{Capacity, DutySettings, Weight};

use super::*;

const SECRET: &str = "a-secret-of-more-than-32-bytes,-for-tests";
const NODE: &str = "[node]\nlisten = \"10.0.0.5:8081\"\nsecret = { env = \"CLUSTER\" }\n";
const ENGINE: &str = "[engine]\nkind = \"postgres\"\nurl = { env = \"DATABASE_URL\" }\n";

fn variables() -> Environment {
    environment(&[
        ("BOT1_PASSWORD", CANARY),
        ("CLUSTER", SECRET),
        ("SHORT", "31 bytes are not enough, or so."),
        ("SPACED", "a secret with spaces cannot be sent"),
        ("DATABASE_URL", "postgres://tertulia:sEcReT-cAnArY@localhost/tertulia"),
    ])
}

#[track_caller]
fn assert_mistakes_in(text: &str, expected: &[&str]) {
    assert_eq!(mistakes_in(text, &variables()), expected);
}

#[test]
fn a_shared_engine_and_a_node_have_defaults() {
    let configuration = Configuration::parse(&format!("{ENGINE}{NODE}"), &variables()).unwrap();
    let EngineKind::Postgres(engine) = &configuration.engine.kind else { panic!("postgres") };
    assert_eq!((engine.schema.as_str(), engine.lease.get()), ("tertulia", Duration::from_secs(15)));
    assert!(engine.url.expose_secret().starts_with("postgres://"));
    let node = configuration.node.as_ref().unwrap();
    assert_eq!((&node.name, &node.advertise, node.capacity), (&None, &None, Capacity::default()));
    assert!(node.labels.is_empty() && node.seal.is_none());
    assert_eq!(node.secret.as_ref().map(ExposeSecret::expose_secret), Some(SECRET));
    assert_eq!(node.tls, None);
    let printed = format!("{configuration:?}");
    assert!(!printed.contains(CANARY) && !printed.contains(SECRET), "{printed}");
}

#[test]
fn everything_about_a_node_can_be_set() {
    let node = format!(
        "{NODE}name = \"a\"\nadvertise = \"node-a.internal:8081\"\ncapacity = 0.5\nlabels = [\"eu\", \"big\"]\n\
         seal = {{ env = \"CLUSTER\" }}\n"
    );
    let engine = format!("{ENGINE}schema = \"shop_2\"\nlease = \"30s\"\n");
    let configuration = Configuration::parse(&format!("{engine}{node}"), &variables()).unwrap();
    let EngineKind::Postgres(engine) = &configuration.engine.kind else { panic!("postgres") };
    assert_eq!((engine.schema.as_str(), engine.lease.get()), ("shop_2", Duration::from_secs(30)));
    let node = configuration.node.unwrap();
    assert_eq!((node.name, node.advertise.as_deref()), (Some("a".into()), Some("node-a.internal:8081")));
    assert_eq!(node.capacity, Capacity::new(0.5).unwrap());
    assert_eq!(node.labels, ["eu".into(), "big".into()].into());
    assert!(node.seal.is_some());
}

#[test]
fn certificates_may_stand_in_for_the_secret() {
    let directory = tempfile::tempdir().unwrap();
    let made = rcgen::generate_simple_self_signed(["node-a".to_owned()]).unwrap();
    let file = |name: &str| directory.path().join(name).display().to_string();
    fs::write(file("cert"), made.cert.pem()).unwrap();
    fs::write(file("key"), made.signing_key.serialize_pem()).unwrap();
    let of = |key: &str, ca: &str| {
        let tls = format!("tls = {{ certificate = {:?}, key = {:?}, ca = {:?} }}", file("cert"), file(key), file(ca));
        format!("{ENGINE}[node]\nlisten = \"127.0.0.1:1\"\n{tls}\n")
    };
    let node = Configuration::parse(&of("key", "cert"), &variables()).unwrap().node.unwrap();
    assert!(node.secret.is_none() && node.tls.is_some());
    let both = of("key", "cert") + "secret = { env = \"CLUSTER\" }\n";
    let node = Configuration::parse(&both, &variables()).unwrap().node.unwrap();
    assert!(node.secret.is_some() && node.tls.is_some());
    let mistaken = format!("6 node.tls.ca: {} has no certificate of an authority in PEM", file("key"));
    assert_mistakes_in(&of("key", "key"), &[&mistaken]);
    let mistaken = format!("6 node.tls.key: {} has no private key in PEM", file("cert"));
    assert_mistakes_in(&of("cert", "cert"), &[&mistaken]);
}

#[test]
fn a_connection_names_the_nodes_that_may_run_it() {
    let nodes = "nodes = { only = [\"eu\"], not = [\"a\"], weight = 4 }\n";
    let configuration = Configuration::parse(&connection(nodes), &variables()).unwrap();
    let expected =
        DutySettings { weight: Weight::new(4).unwrap(), only: ["eu".into()].into(), not: ["a".into()].into() };
    assert_eq!(configuration.connections[0].nodes, expected);
    let usual = Configuration::parse(&connection(""), &variables()).unwrap();
    assert_eq!(usual.connections[0].nodes, DutySettings::default());
}

#[test]
fn mistakes_of_a_node_are_reported() {
    assert_mistakes_in(NODE, &["1 node: only an engine of kind \"postgres\" has nodes"]);
    assert_mistakes_in(ENGINE, &["1 node: missing"]);
    assert_mistakes_in(
        &format!("{ENGINE}path = \"x\"\nlease = \"1s\"\nschema = \"Shop\"\n{NODE}"),
        &[
            "4 engine.path: only an engine of kind \"embedded\" has this",
            "5 engine.lease: expected a duration from 5s to 2m, such as \"30s\" or \"5m\", found \"1s\"",
            "6 engine.schema: expected 1 to 63 of a-z, 0-9 and _, not beginning with a digit, found \"Shop\"",
        ],
    );
    assert_mistakes_in(
        &format!(
            "{ENGINE}[node]\nlisten = \"8081\"\nname = \"a b\"\nadvertise = \"here\"\ncapacity = 0\nlabels = [\"é\"]\n\
             secret = {{ env = \"SHORT\" }}\n"
        ),
        &[
            "5 node.listen: expected an address and port, such as \"10.0.0.5:8081\", found \"8081\"",
            "6 node.name: \"a b\" is not 1 to 64 of the characters A-Z a-z 0-9 . _ -",
            "7 node.advertise: expected host:port, found \"here\"",
            "8 node.capacity: a capacity of 0 is not between 0.001 and 1000",
            "9 node.labels[0]: \"é\" is not 1 to 64 of the characters A-Z a-z 0-9 . _ -",
            "10 node.secret: the secret has less than 32 bytes",
        ],
    );
    assert_mistakes_in(&format!("{ENGINE}[node]\nlisten = \"127.0.0.1:1\"\n"), &["4 node.secret: missing"]);
    let spaced = NODE.replace("CLUSTER", "SPACED");
    let expected = ["6 node.secret: the secret has characters other than visible ASCII"];
    assert_mistakes_in(&format!("{ENGINE}{spaced}"), &expected);
}
