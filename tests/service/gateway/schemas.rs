//! `/openapi.json`: the names in the document, and that all data from the service matches the document.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use awc::http::Method;
use jsonschema::Validator;
use serde_json::{Map, Value, json};
use tertulia_emulator::{Fault, FaultKind};

use super::{ANN, intake::SHOP, row};
use crate::running::{BOT, Running, until};

/// A validator for a schema of the document that also refuses members without a description.
fn strict(document: &Value, name: &str) -> Validator {
    let mut components = document["components"].clone();
    let parts = parts(&components["schemas"]);
    for (name, schema) in components["schemas"].as_object_mut().unwrap() {
        forbid_others(schema, !parts.contains(name));
    }
    let schema = json!({ "$ref": format!("#/components/schemas/{name}"), "components": components });
    jsonschema::validator_for(&schema).unwrap()
}

/// The names of the schemas that are parts of other schemas.
fn parts(schemas: &Value) -> BTreeSet<String> {
    let combined = schemas.as_object().unwrap().values().filter_map(|schema| schema["allOf"].as_array()).flatten();
    let names =
        combined.filter_map(|part| part["$ref"].as_str()).map(|path| path.rsplit('/').next().unwrap().to_owned());
    names.collect()
}

/// Forbids members without a description in `schema` and in the schemas inside. A part of an `allOf` (`is_whole` is
/// false) must allow the members of the other parts.
fn forbid_others(schema: &mut Value, is_whole: bool) {
    let Value::Object(members) = schema else { return };
    if is_whole && members.contains_key("properties") && !members.contains_key("additionalProperties") {
        members.insert("additionalProperties".to_owned(), false.into());
    }
    if is_whole && members.contains_key("allOf") {
        members.insert("unevaluatedProperties".to_owned(), false.into());
    }
    for (name, inner) in members {
        match (name.as_str(), inner) {
            ("properties", Value::Object(inner)) => inner.values_mut().for_each(|schema| forbid_others(schema, true)),
            ("allOf", Value::Array(inner)) => inner.iter_mut().for_each(|schema| forbid_others(schema, false)),
            ("oneOf" | "anyOf", Value::Array(inner)) => inner.iter_mut().for_each(|schema| forbid_others(schema, true)),
            ("items" | "additionalProperties", inner) => forbid_others(inner, true),
            _ => {}
        }
    }
}

fn check(validator: &Validator, value: &Value) {
    let errors: Vec<String> =
        validator.iter_errors(value).map(|error| format!("{}: {error}", error.instance_path())).collect();
    assert!(errors.is_empty(), "{value:#}\n{}", errors.join("\n"));
}

/// Checks that every event of the log matches its schema exactly. Returns the types that were found.
pub(super) async fn of_events(running: &Running, document: &Value) -> BTreeSet<String> {
    let mapping = document["components"]["schemas"]["Event"]["discriminator"]["mapping"].as_object().unwrap();
    let mut validators: BTreeMap<String, Validator> = BTreeMap::new();
    for event in all_events(running).await {
        let kind = event["type"].as_str().unwrap();
        let name = mapping[kind].as_str().unwrap().rsplit('/').next().unwrap();
        check(validators.entry(kind.to_owned()).or_insert_with(|| strict(document, name)), &event);
    }
    validators.into_keys().collect()
}

/// The whole log, page by page.
pub(super) async fn all_events(running: &Running) -> Vec<Value> {
    assert!(running.service.tertulia().journal().settled().await);
    let (mut events, mut cursor) = (Vec::new(), "earliest".to_owned());
    loop {
        let path = format!("/v1/events?after={cursor}&limit=50");
        let page = running.request(Method::GET, &path, &[("accept", "application/json")], None).await;
        assert_eq!((page.status, &*page.content_type), (200, "application/json"), "{}", page.text);
        let items = page.json["items"].as_array().unwrap();
        assert!(items.len() <= 50);
        events.extend(items.iter().cloned());
        let next = page.json["cursor"].as_str().unwrap();
        if next == cursor {
            return events;
        }
        cursor = next.to_owned();
    }
}

#[actix_rt::test]
async fn all_responses_match_their_schemas_exactly() {
    let mut running = Running::start(&format!("{BOT}{ANN}{SHOP}"));
    for connection in ["bots-1", "ann", "shop"] {
        running.ready(connection).await;
    }
    let document = running.get("/openapi.json").await.json;
    let id = running.conversation_of_ann().await;
    let by = format!("/v1/conversations/{id}?connection=bots-1");
    let said = json!({ "text": "hello", "quickReplies": null, "metadata": [{ "type": "Source", "id": "test" }] });
    assert_eq!(running.post(&format!("{}?connection=ann", row(&id, "messages")), &said).await.status, 200);
    running.heard_by("bots-1", "message", &id).await;
    let note = json!({ "noteContent": "a note" });
    assert_eq!(running.post(&format!("{}?connection=bots-1", row(&id, "note")), &note).await.status, 200);
    running.emulator.inject(Fault::new(FaultKind::Malformed).user("bot1"));
    running.emulator.say(&id, "once more").unwrap_or_default();
    let letters = running.service.tertulia().dead_letters().clone();
    until(|| running.service.tertulia().metrics().dead_letters.get() > 0).await;
    let letter = letters.list(None, 1).await.unwrap()[0].id.to_string();

    for (name, path) in [
        ("Conversation", by),
        ("Conversation", format!("/v1/conversations/{id}?connection=ann")),
        ("ConversationInBriefPage", "/v1/conversations".to_owned()),
        ("MessageHistory", format!("{}?connection=bots-1", row(&id, "messages"))),
        ("Snapshot", format!("{}?connection=bots-1", row(&id, "snapshot"))),
        ("Connection", "/v1/connections/bots-1".to_owned()),
        ("ConnectionPage", "/v1/connections".to_owned()),
        ("DeadLetter", format!("/v1/dead-letters/{letter}")),
        ("DeadLetterInBriefPage", "/v1/dead-letters".to_owned()),
        ("Supervision", "/v1/supervision".to_owned()),
        ("Overview", "/v1/overview".to_owned()),
        ("Health", "/healthz".to_owned()),
        ("Readiness", "/readyz".to_owned()),
    ] {
        let answer = running.get(&path).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.text);
        check(&strict(&document, name), &answer.json);
    }
    // Every member of a conversation is described, and every described member is there.
    let schemas = &document["components"]["schemas"];
    let names = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<BTreeSet<_>>();
    let conversation = running.get(&format!("/v1/conversations/{id}?connection=bots-1")).await.json;
    assert_eq!(names(&conversation), names(&schemas["Conversation"]["properties"]));
    assert_eq!(names(&conversation["dialogs"][0]), names(&schemas["Dialog"]["properties"]));

    let answer = running.get("/v1/connections/nobody").await;
    let problem = strict(&document, "Problem");
    check(&problem, &answer.json);
    let step_up = json!({ "connectorId": "101", "code": "somebody" });
    let answer = running.post("/v1/connections/ann/step-up", &step_up).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    check(&strict(&document, "SteppedUp"), &answer.json);

    let told = of_events(&running, &document).await;
    for kind in ["conversation", "message", "participant-added", "command-sent", "connection.connected"] {
        assert!(told.contains(&format!("tertulia.{kind}")), "{kind} is not among {told:?}");
    }
}

#[actix_rt::test]
async fn a_definition_of_a_connection_is_described_as_the_configuration_reads_it() {
    let running = Running::start("");
    let document = running.get("/openapi.json").await.json;
    let definition = strict(&document, "ConnectionDefinition");
    let password = json!({ "env": "PASSWORD" });
    for value in [
        json!({ "id": "a", "account": "1", "role": "consumer" }),
        json!({ "id": "a", "account": "1", "role": "brand", "login": { "username": "b", "password": password },
            "subscribe": { "stage": ["OPEN"], "agents": "self" }, "rings": "manual", "history": "first-seen",
            "agent_state": "BACK_SOON", "proxy": { "host": "p", "port": 1, "username": "u", "password": "p" },
            "client_properties": { "app_id": "x", "features": ["RICH_CONTENT"] } }),
        json!({ "id": "a", "account": "1", "role": "intake", "login": { "app_key": "k", "secret": { "file": "f" } },
            "subscribe": { "agents": ["1.a", "1.b"] } }),
        json!({ "id": "a", "account": "1", "role": "consumer", "login": { "assertion": "x" } }),
        json!({ "id": "a", "account": "1", "role": "consumer", "login": { "bearer": "x", "user_id": "y" } }),
        json!({ "id": "a", "account": "1", "role": "consumer", "login": { "jwt": { "env": "J" } } }),
        json!({ "id": "a", "account": "1", "role": "consumer", "login": { "connector": "7" } }),
    ] {
        check(&definition, &value);
    }
    for value in [json!({}), json!({ "id": "a", "account": "1", "role": "bot" })] {
        assert!(!definition.is_valid(&value), "{value}");
    }
    // The members are the keys that the configuration reads.
    let described = |name: &str| -> BTreeSet<String> {
        let properties = document["components"]["schemas"][name]["properties"].as_object();
        properties.unwrap_or(&Map::new()).keys().cloned().collect()
    };
    let reader = fs::read_to_string(root().join("src/config/connection.rs")).unwrap();
    let keys: BTreeSet<String> = reader.split("section.field(\"").skip(1).map(until_quote).collect();
    let mut all = described("ConnectionDefinition");
    all.extend(described("ConnectionSubscription"));
    assert_eq!(all, keys);
    let reader = fs::read_to_string(root().join("src/config/client_properties.rs")).unwrap();
    let mut keys: BTreeSet<String> = reader.split("\n    (\"").skip(1).map(until_quote).collect();
    keys.insert("features".to_owned());
    assert_eq!(described("ClientProperties"), keys);
    let reader = fs::read_to_string(root().join("src/config/login.rs")).unwrap();
    let keys: BTreeSet<String> = reader.split("section.field(\"").skip(1).map(until_quote).collect();
    let forms = [
        "PasswordLogin",
        "KeyLogin",
        "SessionLogin",
        "BearerLogin",
        "JwtLogin",
        "ConnectorAssertionLogin",
        "AssertionLogin",
        "ConnectorLogin",
        "ApplicationLogin",
    ];
    assert_eq!(forms.into_iter().flat_map(described).collect::<BTreeSet<_>>(), keys);
}

fn until_quote(text: &str) -> String {
    text.split('"').next().unwrap().to_owned()
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_owned()
}

#[actix_rt::test]
async fn each_operation_has_a_unique_explicit_name() {
    let running = Running::start("");
    let document = running.get("/openapi.json").await.json;
    let mut names = BTreeSet::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let name = operation["operationId"].as_str().unwrap();
            let is_camel_case = name.starts_with(|letter: char| letter.is_ascii_lowercase())
                && name.chars().any(|letter| letter.is_ascii_uppercase())
                && name.chars().all(|letter| letter.is_ascii_alphanumeric());
            assert!(is_camel_case, "{method} {path}: {name}");
            assert!(names.insert(name.to_owned()), "{method} {path}: {name} is the name of two operations");
            let is_public = !path.starts_with("/v1/") && path != "/metrics" || path.starts_with("/v1/intake/");
            let open = json!([]);
            assert_eq!(operation["security"] == open, is_public, "{method} {path}");
            let tags = operation["tags"].as_array().unwrap();
            let known = |tag: &Value| document["tags"].as_array().unwrap().iter().any(|one| one["name"] == *tag);
            assert!(tags.iter().all(known), "{method} {path}: a tag without a description");
        }
    }
    assert!(!document["paths"].as_object().unwrap().keys().any(|path| path == "/" || path.starts_with("/dashboard")));
    for file in sources(&root().join("src/gateway")) {
        let text = fs::read_to_string(&file).unwrap();
        for row in text.split("#[utoipa::path(").skip(1) {
            let row = row.split("\n#[").next().unwrap();
            assert!(row.contains("operation_id = \""), "{}: a row without an operation id: {row}", file.display());
        }
    }
}

fn sources(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let of = |path: PathBuf| if path.is_dir() { sources(&path) } else { vec![path] };
    entries.flat_map(of).filter(|path| path.extension().is_some_and(|extension| extension == "rs")).collect()
}

#[actix_rt::test]
async fn every_event_is_in_the_section_of_webhooks_and_no_schema_is_vague() {
    let running = Running::start("");
    let document = running.get("/openapi.json").await.json;
    let schemas = document["components"]["schemas"].as_object().unwrap();
    let mapping = schemas["Event"]["discriminator"]["mapping"].as_object().unwrap();
    let sent: BTreeSet<&String> = document["webhooks"].as_object().unwrap().keys().collect();
    let test = "tertulia.test".to_owned();
    assert_eq!(sent, mapping.keys().chain([&test]).collect());
    for schema in mapping.values() {
        let name = schema.as_str().unwrap().rsplit('/').next().unwrap();
        assert!(schemas[name]["properties"]["data"]["$ref"].is_string(), "{name}");
    }
    let mut vague = Vec::new();
    for (name, schema) in schemas {
        find_vague(schema, name, &mut vague);
    }
    assert!(vague.is_empty(), "schemas that allow any value: {vague:?}");
    let text = document.to_string();
    for mark in ["crate::", "super::", "#/components/schemas/Page_"] {
        assert!(!text.contains(mark), "the document contains {mark}");
    }
}

/// Collects each schema that allows any value.
fn find_vague(schema: &Value, path: &str, vague: &mut Vec<String>) {
    let Value::Object(members) = schema else { return };
    let kind = members.get("type");
    let is_object = kind.is_some_and(|kind| kind == "object" || *kind == json!(["object", "null"]));
    let says = ["$ref", "oneOf", "anyOf", "allOf", "enum", "properties", "additionalProperties"];
    if (kind.is_none() || is_object) && !says.iter().any(|member| members.contains_key(*member)) {
        vague.push(path.to_owned());
    }
    for (name, inner) in members {
        match (name.as_str(), inner) {
            ("properties", Value::Object(inner)) => {
                inner.iter().for_each(|(name, schema)| find_vague(schema, &format!("{path}.{name}"), vague));
            }
            ("oneOf" | "anyOf" | "allOf", Value::Array(inner)) => {
                inner.iter().for_each(|schema| find_vague(schema, &format!("{path}/{name}"), vague));
            }
            ("items" | "additionalProperties", inner) => find_vague(inner, &format!("{path}/{name}"), vague),
            _ => {}
        }
    }
}
