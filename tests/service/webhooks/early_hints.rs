//! Receivers behind a server that writes informational answers before every answer (RFC 9110 §15.2).

use serde_json::json;

use super::{
    deliveries, happen,
    receiver::{Behaviour, Receiver},
    service, until,
};

#[actix_rt::test]
async fn the_answer_that_counts_is_the_final_one() {
    for over_tls in [false, true] {
        let running = service();
        let receiver = Receiver::start(|received| match received.number() {
            2 => Behaviour::Answer(500),
            _ => Behaviour::Answer(204),
        });
        let hinting = running.emulator.hint_before(receiver.address(), over_tls).unwrap();
        let scheme = if over_tls { "https" } else { "http" };
        let body = json!({ "url": format!("{scheme}://{hinting}/hook"), "retries": [] });
        let made = running.post("/v1/webhooks", &body).await;
        assert_eq!(made.status, 201, "{}", made.text);
        // Several on one connection.
        for number in 0..4 {
            happen(&running, Some(&format!("c{number}")), number);
            receiver.until(|received| received.len() == number + 1).await;
        }
        until(&running, &made.json, |webhook| webhook["pending"] == 0).await;
        let told = deliveries(&running, &made.json).await;
        let mut statuses: Vec<_> = told.iter().map(|line| line["status"].as_u64()).collect();
        statuses.sort_unstable();
        assert_eq!(statuses, [Some(204), Some(204), Some(204), Some(500)], "{told:?}");
    }
}
