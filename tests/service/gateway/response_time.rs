//! Until when an answer is wanted: `ttr`, `manual-ettr`.

use serde_json::json;

use super::row;
use crate::running::Running;

/// CV-F13.
#[actix_rt::test]
async fn the_response_time_is_set_by_type_and_value() {
    let mut running = Running::bot().await;
    let id = running.conversation().await;
    let path = row(&id, "ttr");
    for (body, expected) in [
        (json!({ "ttrType": "CUSTOM", "value": 77 }), ("CUSTOM", 77)),
        (json!({ "ttrType": "NORMAL" }), ("NORMAL", 3_600)),
    ] {
        let answer = running.post(&path, &body).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        let seen = running.settled(&id).await;
        assert_eq!((&seen["ttrType"], &seen["ttrValue"]), (&json!(expected.0), &json!(expected.1)));
    }
    for body in [json!({}), json!({ "ttrType": "CUSTOM", "value": -1 }), json!({ "ttrType": "CUSTOM", "value": 1e30 })]
    {
        assert_eq!(running.post(&path, &body).await.problem(), (400, "bad-request"), "{body}");
    }
}

/// CV-F11.
#[actix_rt::test]
async fn the_deadline_of_an_answer_is_set() {
    let mut running = Running::bot().await;
    let id = running.conversation().await;
    let path = row(&id, "manual-ettr");
    let answer = running.post(&path, &json!({ "time": 4_000_000_000_000_i64 })).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert_eq!(running.settled(&id).await["ttrEffectiveManual"], 4_000_000_000_000_i64);
    for body in [json!({}), json!({ "time": "soon" }), json!({ "time": null })] {
        assert_eq!(running.post(&path, &body).await.problem(), (400, "bad-request"), "{body}");
    }
}
