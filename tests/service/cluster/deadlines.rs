//! A request over several nodes: it has one deadline, is passed on once, and is repeated only where that changes nothing.

use super::{BOTS, Cluster, SECRET, staged::Staged};
use crate::running::{Answer, client};

const RESTART: &str = "/v1/connections/bots-1/restart";

async fn stage() -> (Cluster, Staged) {
    let mut cluster = Cluster::prepare(1, BOTS);
    let holder = Staged::first(&mut cluster, "bots-1").await;
    (cluster, holder)
}

async fn restart(cluster: &Cluster, headers: &[(&str, &str)]) -> Answer {
    cluster.node(0).request(awc::http::Method::POST, RESTART, headers, None).await
}

#[actix_rt::test]
async fn a_request_is_passed_on_with_its_deadline() {
    let (cluster, holder) = stage().await;
    let answering = async {
        let heard = holder.hear().await;
        let headers = ["tertulia-hops", "tertulia-deadline"].map(|name| heard.header(name).map(str::to_owned));
        heard.answer("202 Accepted", "").await;
        headers
    };
    // What a caller says about hops and deadlines means nothing.
    let headers = [("tertulia-hops", "7"), ("tertulia-deadline", "1")];
    let (answer, [hops, deadline]) = tokio::join!(restart(&cluster, &headers), answering);
    assert_eq!((answer.status, hops.as_deref()), (202, Some("1")));
    let left: u64 = deadline.unwrap().parse().unwrap();
    assert!((1_000..=90_000).contains(&left), "{left}");
}

#[actix_rt::test]
async fn a_lost_answer_is_asked_for_again_only_if_that_changes_nothing() {
    let (cluster, holder) = stage().await;
    // The holder acts, and its answer is lost.
    let losing = async { drop(holder.hear().await) };
    let (answer, ()) = tokio::join!(restart(&cluster, &[]), losing);
    assert_eq!(answer.problem(), (504, "outcome-unknown"));
    assert!(!holder.was_called().await);

    let answering = async {
        drop(holder.hear().await);
        let heard = holder.hear().await;
        let key = heard.header("idempotency-key").map(str::to_owned);
        heard.answer("202 Accepted", "").await;
        key
    };
    let (answer, key) = tokio::join!(restart(&cluster, &[("idempotency-key", "k1")]), answering);
    assert_eq!((answer.status, key.as_deref()), (202, Some("k1")));

    let answering = async {
        drop(holder.hear().await);
        holder.hear().await.answer("200 OK", "{}").await;
    };
    let (answer, ()) = tokio::join!(cluster.node(0).get("/v1/connections/bots-1"), answering);
    assert_eq!(answer.status, 200);
}

#[actix_rt::test]
async fn a_request_is_sent_again_to_a_node_that_does_not_have_the_connection_yet() {
    let (cluster, holder) = stage().await;
    let answering = async {
        holder.hear().await.answer("421 Misdirected Request", "").await;
        holder.hear().await.answer("202 Accepted", "").await;
    };
    let (answer, ()) = tokio::join!(restart(&cluster, &[]), answering);
    assert_eq!(answer.status, 202);
}

#[actix_rt::test]
async fn a_request_that_was_passed_on_is_not_passed_on_again() {
    let (cluster, holder) = stage().await;
    let base = format!("http://127.0.0.1:{}", cluster.ports[0].number);
    for path in [RESTART, "/v1/conversations/c/close?connection=bots-1", "/v1/intake/bots-1"] {
        let request = client().post(format!("{base}{path}")).insert_header(("tertulia-node-secret", SECRET));
        assert_eq!(request.send().await.unwrap().status(), 421, "{path}");
    }
    assert!(!holder.was_called().await);
}
