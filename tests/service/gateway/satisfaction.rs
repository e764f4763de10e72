//! The consumer's satisfaction: `csat`.

use serde_json::json;

use super::{ANN, row};
use crate::running::{BOT, Running};

/// CV-F10.
#[actix_rt::test]
async fn the_consumer_rates_by_number_or_text() {
    let mut running = Running::start(&format!("{BOT}{ANN}"));
    running.ready("bots-1").await;
    running.ready("ann").await;
    let id = running.conversation_of_ann().await;
    let path = format!("{}?connection=ann", row(&id, "csat"));
    for (body, rate) in [
        (json!({ "csatRate": 4, "csatResolutionConfirmation": true }), 4),
        (json!({ "csatRate": "3", "csatStatus": "PARTIALLY_FILLED" }), 3),
    ] {
        let answer = running.post(&path, &body).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        assert_eq!(running.settled(&id).await["csat"]["csatRate"], rate);
    }
    for (body, expected) in [
        (json!({ "csatRate": 6 }), (422, "bad-csat")),
        (json!({ "csatRate": "10" }), (422, "bad-csat")),
        (json!({ "csatRate": -1 }), (400, "bad-request")),
        (json!({ "csatRate": "good" }), (400, "bad-request")),
        (json!({ "csatRate": 1e300 }), (400, "bad-request")),
        (json!({}), (400, "bad-request")),
    ] {
        assert_eq!(running.post(&path, &body).await.problem(), expected, "{body}");
    }
    let answer = running.post(&format!("{}?connection=bots-1", row(&id, "csat")), &json!({ "csatRate": 5 })).await;
    assert_eq!(answer.problem(), (422, "not-supported"));
}
