//! The tools for models at every node, wherever a connection runs.

use awc::http::Method;
use serde_json::{Value, json};

use super::{BOTS, Cluster};
use crate::gateway::messages;

/// What a tool returns at a node.
async fn used(cluster: &Cluster, node: usize, tool: &str, arguments: Value) -> Value {
    let params = json!({ "name": tool, "arguments": arguments });
    let message = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params });
    let answer = cluster.node(node).request(Method::POST, "/mcp", &[], Some(message.to_string())).await;
    let result = &answer.json["result"];
    assert_eq!(result["isError"], false, "{}", answer.text);
    result["structuredContent"].clone()
}

#[actix_rt::test]
async fn a_tool_acts_once_at_whichever_nodes_it_is_called() {
    let cluster = Cluster::start(2, BOTS).await;
    let holders = cluster.ready(["bots-1", "bots-2", "bots-3"]).await;
    let id = cluster.emulator.create_conversation(None, None);
    cluster.emulator.say(&id, "hello").unwrap();
    let path = messages(&id) + "?connection=bots-1";
    cluster.until(0, &path, |answer| answer["items"].as_array().is_some_and(|items| !items.is_empty())).await;
    // The first node does not run the connection.
    for node in [1 - holders[0], holders[0]] {
        let conversation = json!({ "conversation": id, "connection": "bots-1" });
        let read = used(&cluster, node, "read_messages", conversation.clone()).await;
        assert_eq!(read["items"][0]["body"], "hello");
        let mut answer = conversation;
        (answer["text"], answer["idempotencyKey"]) = ("once".into(), "k".into());
        assert_eq!(used(&cluster, node, "say", answer).await, json!({ "sequence": 1 }), "{node}");
    }
    let said: Vec<String> = cluster.emulator.ledger().iter().filter_map(|entry| entry.text).collect();
    assert_eq!(said, ["hello", "once"]);
}
