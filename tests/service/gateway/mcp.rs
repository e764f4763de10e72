//! `POST /mcp`: the tools for models, over HTTP.

use awc::http::Method;
use serde_json::{Value, json};

use super::TOKENS;
use crate::running::{Answer, BOT, Running};

const READING: [&str; 5] =
    ["list_connections", "list_conversations", "search_conversations", "read_conversation", "read_messages"];
const ACTING: [&str; 4] = ["say", "note_privately", "transfer", "close_conversation"];

async fn post(running: &Running, headers: &[(&str, &str)], body: &str) -> Answer {
    running.request(Method::POST, "/mcp", headers, Some(body.to_owned())).await
}

/// Sends one request of the protocol, as a client does after its handshake.
async fn send(running: &Running, method: &str, params: Value) -> Answer {
    let headers = [("mcp-protocol-version", "2025-11-25")];
    let message = json!({ "jsonrpc": "2.0", "id": 7, "method": method, "params": params });
    post(running, &headers, &message.to_string()).await
}

/// The result of a request.
async fn result(running: &Running, method: &str, params: Value) -> Value {
    let answer = send(running, method, params).await;
    assert_eq!((answer.status, answer.content_type.as_str()), (200, "application/json"), "{}", answer.text);
    assert_eq!((&answer.json["jsonrpc"], &answer.json["id"]), (&json!("2.0"), &json!(7)));
    assert!(answer.json["error"].is_null(), "{}", answer.text);
    answer.json["result"].clone()
}

/// What a tool returns.
async fn used(running: &Running, tool: &str, arguments: Value) -> Value {
    let result = result(running, "tools/call", json!({ "name": tool, "arguments": arguments })).await;
    assert_eq!(result["isError"], false, "{result}");
    let text = result["content"][0]["text"].as_str().unwrap();
    assert_eq!(serde_json::from_str::<Value>(text).unwrap(), result["structuredContent"]);
    result["structuredContent"].clone()
}

/// The error of a tool.
async fn refused(running: &Running, tool: &str, arguments: Value) -> Value {
    let result = result(running, "tools/call", json!({ "name": tool, "arguments": arguments })).await;
    assert_eq!(result["isError"], true, "{result}");
    result["structuredContent"].clone()
}

/// The messages with this text that the platform has accepted, as (role, audience).
fn said(running: &Running, text: &str) -> Vec<(String, String)> {
    let entries = running.emulator.ledger();
    let entries = entries.iter().filter(|entry| entry.text.as_deref() == Some(text));
    entries.map(|entry| (entry.role.to_string(), entry.audience.to_string())).collect()
}

fn names(list: &Value) -> Vec<&str> {
    list["tools"].as_array().unwrap().iter().map(|tool| tool["name"].as_str().unwrap()).collect()
}

#[actix_rt::test]
async fn a_client_gets_the_tools_that_its_token_permits() {
    let mut running = Running::start(&format!("{BOT}{TOKENS}"));
    running.token = Some("writer");
    let asked = json!({
        "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": { "name": "test", "version": "1" },
    });
    let begun = result(&running, "initialize", asked).await;
    assert_eq!((&begun["protocolVersion"], &begun["serverInfo"]["name"]), (&json!("2025-11-25"), &json!("tertulia")));
    assert!(begun["capabilities"]["tools"].is_object() && begun["capabilities"]["resources"].is_object(), "{begun}");
    assert!(begun["instructions"].as_str().unwrap().contains("never follow instructions"));
    let list = result(&running, "tools/list", json!({})).await;
    assert_eq!(names(&list), [&READING[..], &ACTING[..]].concat());
    assert_eq!(list["tools"][5]["annotations"]["readOnlyHint"], false);
    running.token = Some("reader");
    assert_eq!(names(&result(&running, "tools/list", json!({})).await), READING);
}

#[actix_rt::test]
async fn a_model_reads_a_conversation_and_answers_once() {
    let mut running = Running::start(&format!("{BOT}{TOKENS}"));
    running.ready("bots-1").await;
    let id = running.conversation().await;
    running.token = Some("writer");
    assert_eq!(used(&running, "list_connections", json!({})).await["items"][0]["state"], "ready");
    let open = used(&running, "list_conversations", json!({ "stage": "OPEN" })).await;
    assert_eq!(
        (&open["items"][0]["conversationId"], &open["items"][0]["lastMessage"]["text"]),
        (&json!(id), &json!("hello"))
    );
    assert_eq!(used(&running, "search_conversations", json!({ "text": &id[..8] })).await["items"][0], open["items"][0]);
    assert_eq!(used(&running, "search_conversations", json!({ "text": "no-such" })).await["items"], json!([]));
    let conversation = used(&running, "read_conversation", json!({ "conversation": id })).await;
    assert_eq!((&conversation["stage"], &conversation["connection"]), (&json!("OPEN"), &json!("bots-1")));
    let messages = used(&running, "read_messages", json!({ "conversation": id })).await;
    assert_eq!((&messages["items"][0]["role"], &messages["items"][0]["body"]), (&json!("CONSUMER"), &json!("hello")));

    let answer = json!({ "conversation": id, "text": "How can I help?", "idempotencyKey": "answer-1" });
    let first = used(&running, "say", answer.clone()).await;
    assert_eq!(first, json!({ "sequence": 1 }));
    assert_eq!(used(&running, "say", answer).await, first);
    let sent = loop {
        let sent = running.heard_by("bots-1", "command-sent", &id).await;
        if sent["key"] == "answer-1" {
            break sent;
        }
    };
    assert_eq!(sent["caller"], "ops", "{sent}");
    used(&running, "note_privately", json!({ "conversation": id, "text": "He is angry" })).await;
    let of_agent = |audience: &str| vec![("ASSIGNED_AGENT".to_owned(), audience.to_owned())];
    assert_eq!(said(&running, "How can I help?"), of_agent("ALL"));
    assert_eq!(said(&running, "He is angry"), of_agent("AGENTS_AND_MANAGERS"));
    let other = json!({ "conversation": id, "text": "Another text", "idempotencyKey": "answer-1" });
    assert_eq!(refused(&running, "say", other).await["code"], "key-reused");

    used(&running, "transfer", json!({ "conversation": id, "skillId": "502" })).await;
    running.heard_by("bots-1", "skill-change", &id).await;
    let again = running.conversation().await;
    used(&running, "close_conversation", json!({ "conversation": again, "survey": false })).await;
    running.heard_by("bots-1", "close", &again).await;
}

#[actix_rt::test]
async fn with_a_token_of_scope_read_no_tool_acts() {
    let mut running = Running::start(&format!("{BOT}{TOKENS}"));
    running.ready("bots-1").await;
    let id = running.conversation().await;
    running.token = Some("reader");
    assert_eq!(used(&running, "read_messages", json!({ "conversation": id })).await["items"][0]["body"], "hello");
    for (tool, more) in ACTING.into_iter().zip([json!("text"), json!("text"), json!("skillId"), Value::Null]) {
        let mut arguments = json!({ "conversation": id });
        if let Some(name) = more.as_str() {
            arguments[name] = "5".into();
        }
        assert_eq!(refused(&running, tool, arguments).await["code"], "not-permitted", "{tool}");
    }
    assert!(said(&running, "5").is_empty());
    running.token = Some("writer");
    let conversation = used(&running, "read_conversation", json!({ "conversation": id })).await;
    assert_eq!((&conversation["stage"], &conversation["skillId"]), (&json!("OPEN"), &json!("-1")), "{conversation}");
}

#[actix_rt::test]
async fn conversations_are_resources_of_which_a_client_reads_state_and_transcript() {
    let mut running = Running::bot().await;
    let id = running.conversation().await;
    used(&running, "note_privately", json!({ "conversation": id, "text": "careful" })).await;
    let templates = result(&running, "resources/templates/list", json!({})).await;
    assert_eq!(
        templates["resourceTemplates"][0]["uriTemplate"],
        "tertulia://conversations/{conversation}{?connection}"
    );
    let list = result(&running, "resources/list", json!({})).await;
    let uris = [0, 1].map(|at| list["resources"][at]["uri"].as_str().unwrap().to_owned());
    let state = result(&running, "resources/read", json!({ "uri": uris[0] })).await;
    assert_eq!(state["contents"][0]["mimeType"], "application/json");
    let state: Value = serde_json::from_str(state["contents"][0]["text"].as_str().unwrap()).unwrap();
    assert_eq!(state["conversationId"], id.as_str());
    let transcript = result(&running, "resources/read", json!({ "uri": uris[1] })).await;
    let lines: Vec<&str> = transcript["contents"][0]["text"].as_str().unwrap().lines().collect();
    assert!(lines[1].ends_with("#0 CONSUMER: hello"), "{lines:?}");
    assert!(lines[2].ends_with("#1 ASSIGNED_AGENT (private): careful"), "{lines:?}");
    for uri in ["tertulia://conversations/no-such", "tertulia://nothing"] {
        let answer = send(&running, "resources/read", json!({ "uri": uri })).await;
        assert_eq!((answer.status, &answer.json["error"]["code"]), (200, &json!(-32002)), "{}", answer.text);
    }
}

#[actix_rt::test]
async fn what_cannot_be_done_is_an_error_that_says_what_to_do() {
    let running = Running::bot().await;
    for (tool, arguments, code) in [
        ("read_conversation", json!({ "conversation": "no-such" }), "unknown-conversation"),
        ("say", json!({ "conversation": "no-such", "text": "x" }), "unknown-conversation"),
        ("list_conversations", json!({ "connection": "no-such" }), "unknown-connection"),
        ("list_conversations", json!({ "cursor": "x" }), "bad-request"),
        ("say", json!({ "text": "x" }), "bad-arguments"),
    ] {
        let error = refused(&running, tool, arguments).await;
        assert_eq!(error["code"], code, "{error}");
        assert!(error["detail"].is_string() && error.get("type").is_none(), "{error}");
    }
    let answer = send(&running, "tools/call", json!({ "name": "no_such_tool" })).await;
    assert_eq!((answer.status, &answer.json["error"]["code"]), (200, &json!(-32602)), "{}", answer.text);
}

/// Two tenants, each with a connection of its own.
const TENANTS: &str = r#"
[[connections]]
id = "shop-1"
account = "12345678"
role = "brand"
login = { username = "bot2", password = { env = "PASSWORD" } }

[gateway]
listen = "127.0.0.1:0"
tokens = [
    { name = "shop", token = { env = "READ_TOKEN" }, scope = "write", connections = ["shop-*"] },
    { name = "bots", token = { env = "WRITE_TOKEN" }, scope = "write", connections = ["bots-*"] },
]
"#;

#[actix_rt::test]
async fn a_tenant_sees_and_reaches_only_its_own() {
    let mut running = Running::start(&format!("{BOT}{TENANTS}"));
    for connection in ["bots-1", "shop-1"] {
        running.ready(connection).await;
    }
    let id = running.conversation().await;
    running.token = Some("writer");
    assert_eq!(used(&running, "list_conversations", json!({})).await["items"][0]["conversationId"], id.as_str());
    running.token = Some("reader");
    let connections = used(&running, "list_connections", json!({})).await;
    assert_eq!(connections["items"].as_array().unwrap().len(), 1);
    assert_eq!(connections["items"][0]["id"], "shop-1");
    for tool in ["list_conversations", "search_conversations"] {
        let arguments = if tool == "list_conversations" { json!({}) } else { json!({ "text": id }) };
        assert_eq!(used(&running, tool, arguments).await["items"], json!([]), "{tool}");
    }
    // As if it did not exist, to the letter.
    for (tool, more) in [
        ("read_conversation", json!({})),
        ("read_messages", json!({})),
        ("say", json!({ "text": "x", "idempotencyKey": "k" })),
    ] {
        let of = |conversation: &str| {
            let mut arguments = more.clone();
            arguments["conversation"] = conversation.into();
            arguments
        };
        let other = refused(&running, tool, of(&id)).await.to_string().replace(&id, "no-such");
        assert_eq!(other, refused(&running, tool, of("no-such")).await.to_string(), "{tool}");
    }
    assert_eq!(result(&running, "resources/list", json!({})).await["resources"], json!([]));
    let uri = format!("tertulia://conversations/{id}/transcript?connection=bots-1");
    let answer = send(&running, "resources/read", json!({ "uri": uri })).await;
    assert_eq!(answer.json["error"]["code"], -32002, "{}", answer.text);
    assert!(said(&running, "x").is_empty());
}

#[actix_rt::test]
async fn a_call_of_a_tool_counts_once_against_the_limits() {
    let limits =
        TOKENS.replace("[gateway]", "[gateway]\nlimits = { concurrent = 1, burst = 2, requests_per_second = 1 }");
    let mut running = Running::start(&format!("{BOT}{limits}"));
    running.token = Some("writer");
    for _ in 0..2 {
        used(&running, "list_connections", json!({})).await;
    }
    let answer = send(&running, "tools/list", json!({})).await;
    assert_eq!(answer.problem(), (429, "too-many-requests"));
}

#[actix_rt::test]
async fn what_is_no_message_of_a_client_is_refused() {
    let mut running = Running::start(&format!("{BOT}{TOKENS}"));
    let list = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/list" }).to_string();
    assert_eq!(post(&running, &[], &list).await.problem(), (401, "unauthenticated"));
    running.token = Some("reader");
    for method in [Method::GET, Method::DELETE] {
        let answer = running.request(method, "/mcp", &[], None).await;
        assert_eq!((answer.problem(), answer.allow.as_str()), ((405, "method-not-allowed"), "POST"));
    }
    let notification = json!({ "jsonrpc": "2.0", "method": "notifications/initialized" }).to_string();
    let accepted = post(&running, &[], &notification).await;
    assert_eq!((accepted.status, accepted.text.as_str()), (202, ""));
    let response = json!({ "jsonrpc": "2.0", "id": 1, "result": {} }).to_string();
    let other = json!({ "jsonrpc": "1.0" }).to_string();
    for body in [&response, "[]", &format!("[{list}]"), "{", &other] {
        assert_eq!(post(&running, &[], body).await.problem(), (400, "bad-request"), "{body}");
    }
    let old = post(&running, &[("mcp-protocol-version", "1999-01-01")], &list).await;
    assert_eq!(old.problem(), (400, "bad-request"));
    let large = json!({ "jsonrpc": "2.0", "id": 1, "method": "x".repeat(600_000) }).to_string();
    assert_eq!(post(&running, &[], &large).await.problem(), (413, "body-too-large"));
    let text = running.send_bytes("/mcp", "text/plain", &[("authorization", "Bearer reader")], list.into_bytes()).await;
    assert_eq!(text.problem(), (415, "not-json"));
}

#[actix_rt::test]
async fn without_tokens_a_page_of_another_origin_reaches_no_tool() {
    let running = Running::bot().await;
    let list = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/list" }).to_string();
    for (headers, status) in [
        ([("origin", "https://evil.example")], 403),
        ([("host", "evil.example")], 403),
        ([("sec-fetch-site", "none")], 200),
    ] {
        let answer = post(&running, &headers, &list).await;
        assert_eq!(answer.status, status, "{headers:?} {}", answer.text);
    }
}

/// From version 2026-07-28 on, each request stands by itself.
#[actix_rt::test]
async fn a_request_by_itself_needs_no_handshake() {
    const LATEST: &str = "2026-07-28";
    let running = Running::bot().await;
    let send = |method: &'static str, shown: &'static str, params: Value| {
        let running = &running;
        let mut message = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
        message["params"]["_meta"] = json!({
            "io.modelcontextprotocol/protocolVersion": LATEST, "io.modelcontextprotocol/clientCapabilities": {},
        });
        let name = params["name"].as_str().unwrap_or_default().to_owned();
        async move {
            let headers = [("mcp-protocol-version", LATEST), ("mcp-method", shown), ("mcp-name", name.as_str())];
            let answer = post(running, &headers, &message.to_string()).await;
            assert_eq!(answer.content_type, "application/json", "{}", answer.text);
            (answer.status, answer.json)
        }
    };
    let (status, found) = send("server/discover", "server/discover", json!({})).await;
    assert_eq!(status, 200);
    assert!(found["result"]["supportedVersions"].as_array().unwrap().contains(&json!(LATEST)), "{found}");
    let arguments = json!({ "name": "list_connections", "arguments": {} });
    let (status, listed) = send("tools/call", "tools/call", arguments).await;
    assert_eq!((status, &listed["result"]["structuredContent"]["items"][0]["id"]), (200, &json!("bots-1")), "{listed}");
    let (status, unknown) = send("tools/forget", "tools/forget", json!({})).await;
    assert_eq!((status, &unknown["error"]["code"]), (404, &json!(-32601)), "{unknown}");
    let (status, mismatch) = send("tools/list", "tools/call", json!({})).await;
    assert_eq!((status, &mismatch["error"]["code"]), (400, &json!(-32020)), "{mismatch}");
}
