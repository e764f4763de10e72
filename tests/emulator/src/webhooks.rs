//! Webhooks of a connector: v3 notifications by signed POST, in order, tried again while they may (protocol §10.4).

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::Value;
use sha1::Sha1;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep};

use crate::account::Account;
use crate::config::Webhook;
use crate::socket::Outgoing;

/// Notifications that may wait for the endpoint. When they are exceeded, the consumer concerned is not notified any
/// more until its connector speaks for it again.
const QUEUE: usize = 10_000;
/// An endpoint that takes longer has failed.
const PATIENCE: Duration = Duration::from_secs(5);
/// Longest pause between two attempts.
const LONGEST_PAUSE: Duration = Duration::from_secs(300);

/// Sends what connectors' consumers would have received, until the emulator stops.
pub(crate) async fn run(account: &Account, webhook: Webhook) {
    let (queue, mut outgoing) = mpsc::channel(QUEUE);
    let _ = account.webhooks.set(queue);
    let client = awc::Client::builder().timeout(PATIENCE).finish();
    while let Some(item) = outgoing.recv().await {
        let frame = match item {
            Outgoing::Frame(frame) | Outgoing::Late(_, frame) => frame,
            _ => continue,
        };
        if let Some(body) = notification(&frame) {
            deliver(&client, &webhook, &account.config.account, body).await;
        }
    }
}

/// The webhook flavour of a frame: no subscription, no counts, no last content (protocol §6.1); answers are none.
fn notification(frame: &[u8]) -> Option<String> {
    let mut frame: Value =
        serde_json::from_slice(frame).ok().filter(|frame: &Value| frame["kind"] == "notification")?;
    let body = frame["body"].as_object_mut()?;
    body.remove("subscriptionId");
    for change in body.get_mut("changes").and_then(Value::as_array_mut).into_iter().flatten() {
        if let Some(result) = change.get_mut("result").and_then(Value::as_object_mut) {
            for member in ["lastUpdateTime", "numberOfunreadMessages", "lastContentEventNotification"] {
                result.remove(member);
            }
        }
    }
    Some(frame.to_string())
}

/// `sha1=` and the base64 of the HMAC over the raw body.
fn signature(secret: &str, body: &str) -> String {
    let Ok(mut mac) = <Hmac<Sha1> as KeyInit>::new_from_slice(secret.as_bytes()) else { return String::new() };
    mac.update(body.as_bytes());
    format!("sha1={}", STANDARD.encode(mac.finalize().into_bytes()))
}

async fn deliver(client: &awc::Client, webhook: &Webhook, account: &str, body: String) {
    let deadline = Instant::now() + webhook.retention;
    let mut pause = Duration::from_secs(2);
    loop {
        let request = client
            .post(&webhook.endpoint)
            .insert_header(("Content-Type", "application/json"))
            .insert_header(("x-liveperson-account-id", account))
            .insert_header(("x-liveperson-client-id", webhook.client_id.as_str()))
            .insert_header(("x-liveperson-signature", signature(&webhook.client_secret, &body)));
        let taken = match request.send_body(body.clone()).await {
            Ok(response) => matches!(response.status().as_u16(), 200 | 201),
            Err(_) => false,
        };
        if taken {
            return;
        }
        if Instant::now() + pause > deadline {
            tracing::warn!(client = webhook.client_id, "webhook dropped, the endpoint did not take it in time");
            return;
        }
        sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_webhook_is_signed_over_its_raw_bytes() {
        let body = r#"{"kind":"notification","body":{"changes":[]},"type":"ms.MessagingEventNotification"}"#;
        assert_eq!(signature("emulator-secret", body), "sha1=QXrgMO1TEp21Q1FWZOAsJ+uuMWw=");
    }

    #[test]
    fn answers_are_no_webhooks_and_notifications_lose_what_webhooks_do_not_have() {
        assert_eq!(notification(br#"{"kind":"resp","reqId":"1","code":200,"body":{}}"#), None);
        let frame = br#"{"kind":"notification","type":"t","body":{"subscriptionId":"s","changes":[
            {"type":"UPSERT","result":{"convId":"c","lastUpdateTime":1,"numberOfunreadMessages":{}}}]}}"#;
        let expected = serde_json::json!({"kind": "notification", "type": "t",
            "body": {"changes": [{"type": "UPSERT", "result": {"convId": "c"}}]}});
        assert_eq!(serde_json::from_str::<Value>(&notification(frame).unwrap()).unwrap(), expected);
    }
}
