//! Tokens bound to connections: what is not a tenant's own is for the tenant as if it did not exist, on every row of the
//! whole description.

#![allow(clippy::panic, reason = "a test fails by a panic")]

use std::{collections::BTreeMap, time::Duration};

use awc::http::Method;
use serde_json::{Value, json};
use tokio::time::{sleep, timeout};

use super::{ids, messages, row};
use crate::running::{Answer, PATIENCE, Running};

const SHOP: Option<&str> = Some("reader");
const BAR: Option<&str> = Some("writer");
const OPS: Option<&str> = Some("emulator-secret");

/// The connections of two tenants on one account.
const TENANTS: &str = r#"
[[connections]]
id = "shop-1"
account = "12345678"
role = "brand"
login = { username = "bot1", password = { env = "PASSWORD" } }
rings = "manual"
agent_state = "ONLINE"

[[connections]]
id = "bar-1"
account = "12345678"
role = "brand"
login = { username = "bot2", password = { env = "PASSWORD" } }
rings = "manual"
agent_state = "AWAY"

[[connections]]
id = "bar-ann"
account = "12345678"
role = "consumer"

[[connections]]
id = "bar-hook"
account = "12345678"
role = "connector"
login = { app_key = "app", secret = { env = "APP_SECRET" } }

[[connections]]
id = "bar-wrong"
account = "12345678"
role = "brand"
login = { username = "bot3", password = { env = "WRONG" } }

[gateway]
listen = "127.0.0.1:0"
secrets = ["APP_*"]
tokens = [
    { name = "shop", token = { env = "READ_TOKEN" }, scope = "admin", connections = ["shop-*"] },
    { name = "bar", token = { env = "WRITE_TOKEN" }, scope = "write", connections = ["bar-*"] },
    { name = "ops", token = { env = "APP_SECRET" }, scope = "admin" },
]

[webhooks]
allow_internal = true
"#;

/// A service with two tenants, each with something of every kind.
struct Scene {
    running: Running,
    /// What the parameters of paths stand for: something of the bar.
    bars: BTreeMap<&'static str, String>,
    /// The conversation of the shop.
    conversation: String,
}

impl Scene {
    async fn begin() -> Self {
        let mut running = Running::start(TENANTS);
        for connection in ["shop-1", "bar-1", "bar-ann", "bar-hook"] {
            running.ready(connection).await;
        }
        assert!(running.service.tertulia().connection(&"bar-wrong".into()).ready(PATIENCE).await.is_err());
        let conversation = running.emulator.create_conversation(None, None);
        take(&mut running, SHOP, &conversation).await;
        for (connection, state) in [("shop-1", "AWAY"), ("bar-1", "ONLINE")] {
            running.token = OPS;
            let path = format!("/v1/connections/{connection}/agent-state");
            let set = ask(&running, Method::PUT, &path, &[], Some(json!({ "agentState": state }))).await;
            assert_eq!(set.status, 200, "{}", set.text);
        }
        let other = running.emulator.create_conversation(None, None);
        take(&mut running, BAR, &other).await;
        running.emulator.say(&other, "bar-talk").unwrap();
        running.heard_by("bar-1", "message", &other).await;
        let offered = running.emulator.create_conversation(None, None);
        running.offered(&offered).await;
        let ring = ring(&running, &offered).await;

        running.token = BAR;
        // Nobody listens there.
        let hook = json!({ "url": "http://127.0.0.1:9/bar", "retries": [], "filter": { "connection": ["bar-1"] } });
        let webhook = running.post("/v1/webhooks", &hook).await;
        let wanted = json!({ "operation": "close", "filter": { "conversations": ["nowhere"] } });
        let job = running.post("/v1/bulk", &wanted).await;
        running.emulator.say(&other, "bar-letter").unwrap();
        let letter = timeout(PATIENCE, async {
            loop {
                let letters = running.get("/v1/dead-letters").await.json;
                if let Some(letter) = ids(&letters, "id").pop() {
                    return letter;
                }
                sleep(Duration::from_millis(5)).await;
            }
        });
        let letter = letter.await.unwrap();
        let id = |answer: &Answer| answer.json["id"].as_str().unwrap_or_else(|| panic!("{}", answer.text)).to_owned();
        let bars = BTreeMap::from([
            ("connection", "bar-1".to_owned()),
            ("conversation", other),
            ("ring", ring),
            ("webhook", id(&webhook)),
            ("job", id(&job)),
            ("letter", letter),
            ("hook", "bar-hook".to_owned()),
            ("key", "bar-key".to_owned()),
        ]);
        Self { running, bars, conversation }
    }

    /// What must be in no answer to the shop.
    fn marks(&self) -> Vec<&str> {
        self.bars.values().map(String::as_str).chain(["bar-"]).collect()
    }

    async fn ask(&mut self, token: Option<&'static str>, one: &Row, path: &str) -> Answer {
        self.running.token = token;
        ask(&self.running, one.method.clone(), path, &[], one.body.clone()).await
    }
}

/// A row of the description, as it can be asked.
struct Row {
    method: Method,
    /// The path with the names of its parameters.
    path: String,
    /// Whether the row filters by connection.
    by_connection: bool,
    body: Option<Value>,
}

impl Row {
    /// The path with `values` in place of the parameters.
    fn path(&self, values: impl Fn(&str) -> String) -> String {
        let part = |part: &str| match part.strip_prefix('{').and_then(|part| part.strip_suffix('}')) {
            // Only such a connection takes webhooks of the platform.
            Some("connection") if self.path.contains("intake") => values("hook"),
            Some(name) => values(name),
            None => part.to_owned(),
        };
        self.path.split('/').map(part).collect::<Vec<_>>().join("/")
    }

    fn name(&self) -> String {
        format!("{} {}", self.method, self.path)
    }
}

/// Every row of the description, those that delete last. A row that acts needs a body here that is right but for the
/// tenant, so that nothing but the tenant can be the reason for a refusal.
fn rows(document: &Value) -> Vec<Row> {
    let mut rows = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let method: Method = method.to_uppercase().parse().unwrap();
            let parameters = operation["parameters"].as_array().cloned().unwrap_or_default();
            let by_connection = parameters.iter().any(|one| one["in"] == "query" && one["name"] == "connection");
            let body = operation.get("requestBody").map(|_| body(&format!("{method} {path}")));
            rows.push(Row { method, path: path.clone(), by_connection, body });
        }
    }
    rows.sort_by_key(|one| (one.method == Method::DELETE, one.path == "/v1/connections/{connection}"));
    assert!(rows.len() > 50, "{}", rows.len());
    rows
}

fn body(row: &str) -> Value {
    let conversation = "/v1/conversations/{conversation}/";
    let name = row.replace(conversation, "…");
    match name.as_str() {
        "PUT /v1/connections/{connection}/agent-state" => json!({ "agentState": "BACK_SOON" }),
        "POST /v1/connections" => json!({
            "id": "bar-2", "account": "12345678", "role": "brand",
            "login": { "username": "bot4", "password": "secret" },
        }),
        "POST /v1/connections/{connection}/conversations" => json!({}),
        "POST /v1/connections/{connection}/requests" => json!({ "type": "cqm.SubscribeExConversations", "body": {} }),
        name if name.ends_with("/v1/connections/{connection}/platform/{service}/{path}") => json!({}),
        "POST /v1/connections/{connection}/move" => json!({ "node": "b" }),
        "POST /v1/connections/{connection}/step-up" => json!({ "connectorId": "1", "code": "code" }),
        "POST /v1/conversations/load" => json!({ "snapshot": true }),
        "POST …messages" => json!({ "text": "seen" }),
        "POST …files" => json!({}),
        "POST …join" => json!({ "role": "MANAGER" }),
        "POST …leave" | "POST …close" => json!({}),
        "POST …transfer" => json!({ "skillId": "1" }),
        "POST …consumer-takeover" => json!({ "newConsumerUserId": "ann" }),
        "POST …csat" => json!({ "csatRate": 1 }),
        "POST …ttr" => json!({ "ttrType": "URGENT" }),
        "POST …manual-ettr" => json!({ "time": 1_900_000_000_000_i64 }),
        "POST …note" => json!({ "noteContent": "seen" }),
        "POST …read" | "POST …accept" => json!({ "sequences": [0] }),
        "POST …chat-state" => json!({ "chatState": "COMPOSING" }),
        "POST /v1/webhooks" => json!({ "url": "http://127.0.0.1:9/", "filter": { "connection": ["bar-1"] } }),
        "PATCH /v1/webhooks/{webhook}" => json!({ "enabled": false }),
        "POST /v1/webhooks/{webhook}/secret" => json!({}),
        "POST /v1/bulk" => json!({ "operation": "close", "filter": { "connection": "bar-1" } }),
        "POST /v1/intake/{connection}" => json!({}),
        row => panic!("{row} needs a body here that is right but for the tenant"),
    }
}

async fn ask(running: &Running, method: Method, path: &str, headers: &[(&str, &str)], body: Option<Value>) -> Answer {
    let asking = running.request(method, path, headers, body.map(|body| body.to_string()));
    timeout(PATIENCE, asking).await.unwrap_or_else(|_| panic!("{path}"))
}

/// The ring that offers a conversation.
async fn ring(running: &Running, conversation: &str) -> String {
    let offers = running.service.tertulia();
    for connection in ["shop-1", "bar-1"] {
        let rings = offers.connection(&connection.into()).rings().await;
        if let Some(offer) = rings.iter().find(|offer| offer.conversation_id == Some(conversation.into())) {
            return offer.ring_id.to_string();
        }
    }
    panic!("nobody is offered {conversation}");
}

/// Takes a conversation as soon as it is offered.
async fn take(running: &mut Running, token: Option<&'static str>, conversation: &str) {
    running.offered(conversation).await;
    let ring = ring(running, conversation).await;
    running.token = token;
    let taken = ask(running, Method::POST, &format!("/v1/rings/{ring}/accept"), &[], None).await;
    assert_eq!(taken.status, 200, "{}", taken.text);
}

/// An answer without what differs between two things that do not exist.
fn shape(answer: &Answer, path: &str, names: &[String]) -> (u16, Value) {
    let mut text = answer.text.replace(path, "path");
    for name in names {
        text = text.replace(name.as_str(), "name");
    }
    (answer.status, serde_json::from_str(&text).unwrap_or_default())
}

/// With the token of one tenant nothing of the other can be seen or done, by the whole description. A row
/// that is added without the check fails here, and so does a row that this walk does not know how to ask.
#[actix_rt::test]
async fn with_the_token_of_one_tenant_nothing_of_the_other_can_be_seen_or_done() {
    let mut scene = Scene::begin().await;
    let document = scene.running.get("/openapi.json").await.json;
    let rows = rows(&document);
    let bars = scene.bars.clone();
    let name_of = |name: &str| match name {
        "file" => "index.html".to_owned(),
        // There is one process only, so no node exists for anybody.
        "node" => "no-such".to_owned(),
        "service" => "accountConfigReadWrite".to_owned(),
        "path" => "api/account/12345678/configuration/le-users/skills".to_owned(),
        name => bars.get(name).unwrap_or_else(|| panic!("what is {{{name}}} of the bar?")).clone(),
    };
    let nothing = |name: &str| match name {
        "file" | "service" | "path" => name_of(name),
        _ => "no-such".to_owned(),
    };
    scene.running.token = OPS;
    let before = state(&scene.running).await;

    // Streams do not end; the next test reads one.
    let streams = ["/v1/events", "/v1/events/socket"];
    for one in rows.iter().filter(|one| !streams.contains(&one.path.as_str())) {
        let name = one.name();
        let (path, elsewhere) = (one.path(name_of), one.path(nothing));
        let answer = scene.ask(SHOP, one, &path).await;
        assert_ne!(answer.status, 401, "{name}");
        let own = path == elsewhere;
        if !own {
            // As if it did not exist, to the letter.
            let none = scene.ask(SHOP, one, &elsewhere).await;
            let names: Vec<String> = bars.values().cloned().chain(["no-such".to_owned()]).collect();
            assert_eq!(shape(&answer, &path, &names), shape(&none, &elsewhere, &names), "{name}");
            assert!((400..500).contains(&answer.status), "{name}: {}", answer.text);
        } else if one.method == Method::GET && one.path != "/openapi.json" {
            for mark in scene.marks() {
                assert!(!answer.text.contains(mark), "{name} shows {mark}: {}", answer.text);
            }
        }
        if one.by_connection {
            let other = scene.ask(SHOP, one, &format!("{path}?connection=bar-1")).await;
            let none = scene.ask(SHOP, one, &format!("{path}?connection=bar-9")).await;
            let names = ["bar-1", "bar-9"].map(str::to_owned);
            assert_eq!(shape(&other, &path, &names), shape(&none, &path, &names), "{name}?connection=");
        }
    }
    scene.running.token = OPS;
    assert_eq!(state(&scene.running).await, before, "the shop changed something of the bar");
    for (kind, path) in [("letter", "dead-letters"), ("webhook", "webhooks"), ("job", "bulk")] {
        assert_eq!(scene.running.get(&format!("/v1/{path}/{}", bars[kind])).await.status, 200, "the {kind} is there");
    }
    let causes = scene.running.get("/v1/dead-letters/causes").await.json;
    let of_cause = format!("/v1/dead-letters?cause={}", ids(&causes, "id")[0]);
    scene.running.token = SHOP;
    let discarded = ask(&scene.running, Method::DELETE, &of_cause, &[], None).await;
    assert_eq!(discarded.json, json!({ "discarded": 0 }), "{}", discarded.text);

    // The same requests reach what they name: otherwise the walk would prove nothing.
    for one in rows.iter().filter(|one| one.path.contains('{') && one.path.starts_with("/v1/")) {
        let (name, path) = (one.name(), one.path(name_of));
        let through = if one.path.contains("{conversation}") && one.by_connection { "?connection=bar-1" } else { "" };
        let answer = scene.ask(BAR, one, &format!("{path}{through}")).await;
        let code = answer.json["code"].as_str().unwrap_or_default();
        let is_there =
            !["unknown-connection", "unknown-conversation", "unknown-webhook", "unknown-job", "unknown-ring"]
                .contains(&code);
        // The letter is gone once it was handed over, and the ring once it was taken.
        let is_gone = one.path.contains("{letter}") || one.path.contains("{ring}");
        assert!(is_there || is_gone, "{name}: {}", answer.text);
    }
}

/// What there is of the bar, as far as requests of others could change it.
async fn state(running: &Running) -> Value {
    let mut state = Vec::new();
    for path in ["/v1/connections", "/v1/conversations", "/v1/rings"] {
        let list = running.get(path).await.json;
        let own = |item: &&Value| {
            let connection = item["connection"].as_str().or(item["id"].as_str()).unwrap_or_default();
            connection.starts_with("bar-")
        };
        let members = ["id", "connection", "conversationId", "state", "stage"];
        let brief = |item: &Value| members.map(|member| item[member].clone());
        let items = list["items"].as_array().unwrap();
        state.push(json!(items.iter().filter(own).map(brief).collect::<Vec<_>>()));
    }
    state.into()
}

#[actix_rt::test]
async fn lists_streams_and_figures_have_only_what_is_the_tenants_own() {
    let mut scene = Scene::begin().await;
    let id = scene.conversation.clone();
    scene.running.token = SHOP;
    let running = &scene.running;
    assert_eq!(ids(&running.get("/v1/connections").await.json, "id"), ["shop-1"]);
    assert_eq!(ids(&running.get("/v1/conversations").await.json, "conversationId"), [id.as_str()]);
    for path in ["/v1/rings", "/v1/webhooks", "/v1/bulk", "/v1/dead-letters"] {
        assert_eq!(running.get(path).await.json["items"], json!([]), "{path}");
    }
    // A connection counts its conversations a moment after they are there.
    let counted = async {
        loop {
            let overview = running.get("/v1/overview").await.json;
            if overview["conversations"]["inMemory"] != 0 {
                return overview;
            }
            sleep(Duration::from_millis(5)).await;
        }
    };
    let overview = timeout(PATIENCE, counted).await.unwrap();
    assert_eq!((&overview["connections"]["total"], &overview["conversations"]["inMemory"]), (&json!(1), &json!(1)));
    assert_eq!((&overview["deadLetters"], &overview["counts"]["events"]), (&json!(0), &Value::Null));
    assert_eq!(ids(&json!({ "items": running.get("/v1/supervision").await.json["connections"] }), "id"), ["shop-1"]);
    for (format, end) in [("text/plain", "\n"), ("application/openmetrics-text", "# EOF\n")] {
        let metrics = running.request(Method::GET, "/metrics", &[("accept", format)], None).await.text;
        assert!(metrics.contains("connection=\"shop-1\"") && metrics.ends_with(end), "{metrics}");
        for other in ["bar-", "tertulia_http", "tertulia_store", "process_"] {
            assert!(!metrics.contains(other), "{other} in {metrics}");
        }
    }
    assert_eq!(running.get("/readyz").await.status, 200);
    assert_eq!(running.request(Method::POST, "/v1/backup", &[], None).await.problem(), (403, "not-permitted"));

    // A page of the log.
    let accept = [("accept", "application/json")];
    let page = running.request(Method::GET, "/v1/events?after=earliest&limit=1000", &accept, None).await.json;
    let sources: Vec<&str> =
        page["items"].as_array().unwrap().iter().map(|event| event["source"].as_str().unwrap()).collect();
    assert!(!sources.is_empty() && sources.iter().all(|source| source.ends_with("/shop-1")), "{sources:?}");

    // A stream from the beginning of the log, up to a message that the shop says itself.
    let newest = overview["journal"]["newest"].as_str().unwrap();
    let earliest = format!("{}-0", newest.rsplit_once('-').unwrap().0);
    let said = running.post(&messages(&id), &json!({ "text": "the last" })).await;
    assert_eq!(said.status, 200, "{}", said.text);
    let headers = [("authorization", "Bearer reader"), ("last-event-id", earliest.as_str())];
    let mut stream = running.follow("/v1/events?connection=shop-1&connection=bar-1", &headers).await;
    loop {
        let event = stream.event().await;
        assert!(event["source"].as_str().unwrap().ends_with("/shop-1"), "{event}");
        if event["type"] == "tertulia.command-sent" && event["data"]["command"] == "send-text" {
            assert_eq!(event["data"]["caller"], "shop");
            break;
        }
    }

    scene.running.token = None;
    let answer = scene.running.get("/readyz").await;
    assert_eq!((answer.status, &answer.json), (200, &json!({ "ready": true })));
    scene.running.token = OPS;
    assert!(scene.running.get("/readyz").await.text.contains("bar-wrong"));
}

#[actix_rt::test]
async fn a_tenant_adds_and_removes_only_connections_that_its_patterns_match() {
    let mut running = Running::start(TENANTS);
    running.token = SHOP;
    let definition = |id: &str, password: Value| {
        json!({ "id": id, "account": "12345678", "role": "brand",
            "login": { "username": "bot4", "password": password } })
    };
    let add = async |running: &Running, id: &str, password: Value| {
        running.post("/v1/connections", &definition(id, password)).await
    };
    // An id that is taken is refused like any other.
    for id in ["bar-1", "bar-2", "shop"] {
        assert_eq!(add(&running, id, json!("secret")).await.problem(), (403, "not-permitted"), "{id}");
    }
    // A secret of another tenant, or of nobody in particular, is not the shop's to use.
    for name in ["WRONG", "APP_SECRET"] {
        let answer = add(&running, "shop-2", json!({ "env": name })).await;
        assert_eq!(answer.problem(), (422, "invalid-connection"), "{name}");
    }
    assert_eq!(add(&running, "shop-2", json!({ "env": "NOWHERE" })).await.problem(), (422, "invalid-connection"));
    assert_eq!(add(&running, "shop-2", json!("secret")).await.status, 201);
    running.ready("shop-2").await;
    running.token = BAR;
    let delete = async |running: &Running| running.request(Method::DELETE, "/v1/connections/shop-2", &[], None).await;
    assert_eq!(delete(&running).await.problem(), (404, "unknown-connection"));
    running.token = SHOP;
    assert_eq!(delete(&running).await.status, 204);
}

/// Two tenants may use the same key and body by chance, and neither gets the answer of the other.
#[actix_rt::test]
async fn the_keys_of_one_tenant_are_not_those_of_another() {
    let mut running = Running::start(TENANTS);
    let webhook = json!({ "url": "http://127.0.0.1:9/", "enabled": false });
    let job = json!({ "operation": "close", "filter": { "all": true } });
    for (path, body) in [("/v1/webhooks", webhook), ("/v1/bulk", job)] {
        let mut made = Vec::new();
        for token in [SHOP, BAR, OPS, SHOP, BAR, OPS] {
            running.token = token;
            let answer = ask(&running, Method::POST, path, &[("idempotency-key", "k")], Some(body.clone())).await;
            assert_eq!(answer.status, 201, "{}", answer.text);
            made.push(answer.json["id"].clone());
        }
        assert_eq!(made[..3], made[3..], "{path}");
        assert!(made[0] != made[1] && made[1] != made[2] && made[0] != made[2], "{path}: {made:?}");
        running.token = OPS;
        assert_eq!(running.get(path).await.json["items"].as_array().unwrap().len(), 3);
    }
}

/// A tenant's webhook delivers only what is the tenant's own, whatever its filter says.
#[actix_rt::test]
async fn a_webhook_and_a_job_of_a_tenant_reach_only_its_connections() {
    let mut scene = Scene::begin().await;
    scene.running.token = SHOP;
    let newest = scene.running.get("/v1/overview").await.json["journal"]["newest"].as_str().unwrap().to_owned();
    let earliest = format!("{}-0", newest.rsplit_once('-').unwrap().0);
    // So few events that the missing receiver does not count as down before the last event.
    let filter = json!({ "type": ["conversation", "message"] });
    let definition = json!({ "url": "http://127.0.0.1:9/", "retries": [], "after": earliest, "filter": filter });
    let webhook = scene.running.post("/v1/webhooks", &definition).await;
    assert_eq!(webhook.status, 201, "{}", webhook.text);
    let id = scene.conversation.clone();
    let said = scene.running.post(&messages(&id), &json!({ "text": "the last" })).await;
    assert_eq!(said.status, 200, "{}", said.text);
    let done = timeout(PATIENCE, async {
        // Each event of the shop was given up at once.
        let path = format!("/v1/webhooks/{}", webhook.json["id"].as_str().unwrap());
        loop {
            let now = scene.running.get(&path).await.json;
            let letters = scene.running.get("/v1/dead-letters?limit=1000").await.json;
            let letters = letters["items"].as_array().unwrap().clone();
            if now["pending"] == 0 && offset(&now["cursor"]) > offset(&json!(newest)) && !letters.is_empty() {
                return letters;
            }
            sleep(Duration::from_millis(5)).await;
        }
    });
    for letter in done.await.unwrap() {
        assert_eq!(letter["connection"], "shop-1", "{letter}");
    }

    let all = json!({ "operation": "close", "filter": { "all": true }, "dryRun": true });
    let would = scene.running.post("/v1/bulk", &all).await.json;
    assert_eq!((&would["matched"], &would["byConnection"]), (&json!(1), &json!({ "shop-1": 1 })), "{would}");
    let named = json!({ "operation": "close", "filter": { "conversations": [scene.bars["conversation"]] } });
    let job = scene.running.post("/v1/bulk", &named).await.json;
    let path = format!("/v1/bulk/{}", job["id"].as_str().unwrap());
    let ended = timeout(PATIENCE, async {
        loop {
            let now = scene.running.get(&path).await.json;
            if now["ended"].is_string() {
                return now;
            }
            sleep(Duration::from_millis(5)).await;
        }
    });
    let ended = ended.await.unwrap();
    assert_eq!((&ended["done"], &ended["refused"]), (&json!(0), &json!(1)), "{ended}");
    let stage = scene.ask(BAR, &get(), &format!("/v1/conversations/{}", scene.bars["conversation"])).await;
    assert_eq!(stage.json["stage"], "OPEN", "{}", row(&scene.bars["conversation"], ""));
}

/// The position in the log that a cursor contains.
fn offset(cursor: &Value) -> Option<u64> {
    cursor.as_str()?.rsplit_once('-')?.1.parse().ok()
}

fn get() -> Row {
    Row { method: Method::GET, path: String::new(), by_connection: false, body: None }
}
