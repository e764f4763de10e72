//! `…/commands`: the waiting commands of a conversation, and how they end.

use awc::http::Method;
use serde_json::{Value, json};
use tertulia_emulator::{FaultRule, Outcome};

use super::messages;
use crate::running::{LOOK_EVERY, PATIENCE, Running};

/// The commands that wait, once there are so many and the first is on its way.
async fn waiting(running: &Running, path: &str, count: usize) -> Vec<Value> {
    let listing = async {
        loop {
            let items = running.get(path).await.json["items"].as_array().unwrap().clone();
            if items.len() == count && items[0]["state"] == "in-flight" {
                return items;
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    };
    tokio::time::timeout(PATIENCE, listing).await.unwrap()
}

#[actix_rt::test]
async fn commands_that_wait_are_listed_and_one_that_was_not_sent_is_cancelled() {
    let mut running = Running::bot().await;
    let id = running.conversation().await;
    let slowly = FaultRule::new("PublishEvent", Outcome::Late(2_000)).times(1);
    running.emulator.add_rule(slowly).unwrap();
    let commands = format!("/v1/conversations/{id}/commands");
    let send = |key: &'static str| {
        let (running, path, body) = (&running, messages(&id), json!({ "text": key }).to_string());
        async move { running.request(Method::POST, &path, &[("idempotency-key", key)], Some(body)).await }
    };
    let cancel = async |key: &str| running.request(Method::DELETE, &format!("{commands}/{key}"), &[], None).await;
    let looking = async {
        waiting(&running, &commands, 1).await;
        let (second, ()) = tokio::join!(send("second"), async {
            let items = waiting(&running, &commands, 2).await;
            let told: Vec<_> = items.iter().map(|one| (&one["key"], &one["command"], &one["state"])).collect();
            let command = json!("send-text");
            let (first, second) = (json!("first"), json!("second"));
            let expected = [(&first, &command, &json!("in-flight")), (&second, &command, &json!("queued"))];
            assert_eq!(told, expected);
            assert_eq!((&items[1]["durable"], &items[1]["suspected"]), (&json!(true), &Value::Null));
            assert!(items[1]["asked"].as_i64() < items[1]["deadline"].as_i64());
            let page = running.get(&format!("{commands}?limit=1")).await.json;
            assert_eq!(page["items"][0]["key"], "first");
            let cursor = page["nextCursor"].as_str().unwrap();
            let rest = running.get(&format!("{commands}?limit=1&cursor={cursor}")).await.json;
            assert_eq!((&rest["items"][0]["key"], &rest["nextCursor"]), (&json!("second"), &Value::Null));

            assert_eq!(cancel("first").await.problem(), (409, "in-flight"));
            assert_eq!(cancel("second").await.status, 204);
            assert_eq!(cancel("second").await.problem(), (404, "unknown-command"));
        });
        second
    };
    let (first, second) = tokio::join!(send("first"), looking);
    assert_eq!(first.json, json!({ "sequence": 1 }), "{}", first.text);
    assert_eq!(second.problem(), (409, "cancelled"));
    assert_eq!(running.get(&commands).await.json, json!({ "items": [], "nextCursor": null }));
    assert_eq!(running.get(&format!("{commands}?cursor=x")).await.problem(), (400, "bad-request"));
    assert_eq!(running.get("/v1/conversations/none/commands").await.problem(), (404, "unknown-conversation"));
    let said: Vec<String> = running.emulator.ledger().iter().filter_map(|entry| entry.text.clone()).collect();
    assert_eq!(said, ["hello", "first"]);
}

#[actix_rt::test]
async fn a_message_over_which_the_platform_closes_the_socket_is_refused_for_good() {
    let mut running = Running::bot().await;
    let id = running.conversation().await;
    running
        .emulator
        .add_rule(FaultRule::new("PublishEvent", Outcome::Close(4410)).containing("poison").always())
        .unwrap();
    let answer = running.post(&messages(&id), &json!({ "text": "poison" })).await;
    assert_eq!(answer.problem(), (422, "closed-connection"));
    assert_eq!(answer.json["platformCode"], 4410);
    let letters = running.get("/v1/dead-letters").await.json;
    assert_eq!((&letters["items"][0]["kind"], &letters["items"][0]["conversation"]), (&json!("command"), &json!(id)));
}
