//! Errors.

use awc::http::Method;

use crate::running::Running;

#[actix_rt::test]
async fn every_error_is_a_problem() {
    let running = Running::bot().await;
    for (method, path, expected) in [
        (Method::GET, "/nothing", (404, "not-found")),
        (Method::GET, "/v1/nothing", (404, "not-found")),
        (Method::DELETE, "/healthz", (405, "method-not-allowed")),
        (Method::PUT, "/v1/connections", (405, "method-not-allowed")),
        (Method::GET, "/v1/connections?limit=0", (400, "bad-request")),
        (Method::GET, "/v1/connections?limit=1001", (400, "bad-request")),
        (Method::GET, "/v1/connections?limit=x", (400, "bad-request")),
        (Method::GET, "/v1/conversations?order=asc", (400, "bad-request")),
        (Method::GET, "/v1/conversations?cursor=x", (400, "bad-request")),
        (Method::GET, "/v1/conversations?cursor=x/y", (400, "bad-request")),
        (Method::GET, "/v1/conversations?stage=NONE", (400, "bad-request")),
        (Method::GET, "/v1/connections?cursor=zz", (400, "bad-request")),
        (Method::GET, "/v1/rings?cursor=zz", (400, "bad-request")),
        (Method::GET, "/v1/webhooks?cursor=zz", (400, "bad-request")),
        (Method::GET, "/v1/bulk?cursor=zz", (400, "bad-request")),
        (Method::GET, "/v1/bulk/none/items?cursor=zz", (400, "bad-request")),
        (Method::GET, "/v1/bulk/none/items?outcome=don", (400, "bad-request")),
        (Method::GET, "/v1/dead-letters?cursor=zz", (400, "bad-request")),
        (Method::GET, "/v1/events?type=nosuch", (400, "bad-request")),
        (Method::GET, "/v1/events/socket?type=tertulia.mesage", (400, "bad-request")),
        (Method::GET, "/v1/events?speed=fast", (400, "bad-request")),
    ] {
        assert_eq!(running.request(method, path, &[], None).await.problem(), expected, "{path}");
    }
}

#[actix_rt::test]
async fn a_misspelt_value_gets_the_nearest_one_suggested() {
    let running = Running::bot().await;
    for (path, nearest) in [
        ("/v1/conversations?stage=CLOSED", "CLOSE"),
        ("/v1/events?type=tertulia.mesage", "message"),
        ("/v1/events?type=connection.conected", "connection.connected"),
        ("/v1/events?conection=bots-1", "connection"),
        ("/v1/bulk/none/items?outcome=don", "done"),
    ] {
        let answer = running.get(path).await;
        assert_eq!((answer.status, answer.json["nearest"].as_str()), (400, Some(nearest)), "{path} {}", answer.text);
        assert!(answer.json["detail"].as_str().unwrap().ends_with(&format!("the nearest is {nearest:?}")));
    }
    let filter = serde_json::json!({ "url": "https://example.com/", "filter": { "type": ["mesage"] } });
    let refused = running.post("/v1/webhooks", &filter).await;
    assert_eq!((refused.problem(), refused.json["nearest"].as_str()), ((400, "bad-request"), Some("message")));
}

/// Whatever is asked of a conversation, it is answered, and a refusal is a problem of the caller's.
#[actix_rt::test]
async fn no_odd_request_of_a_conversation_is_a_failure_of_the_service() {
    let mut running = Running::bot().await;
    let id = running.conversation().await;
    let odd_ids = ["%00", "%FF%FE", "%2F", "..", "a%0d%0ab", "%F0%9F%98%80", &"x".repeat(4_000), &id];
    let rows = [
        "messages",
        "join",
        "leave",
        "transfer",
        "consumer-takeover",
        "csat",
        "ttr",
        "manual-ettr",
        "note",
        "read",
        "accept",
        "chat-state",
        "unload",
        "files",
        "nothing",
    ];
    let deep = "[".repeat(10_000);
    let bodies: [&[u8]; 10] = [
        b"",
        b"null",
        b"[]",
        b"{}",
        b"{\"text\":\"\\u0000\\ud800\"}",
        b"\xff\xfe",
        b"{\"sequences\":[18446744073709551615]}",
        b"{\"time\":-9223372036854775808}",
        b"{\"agentId\":\"\",\"skillId\":\"\"}",
        deep.as_bytes(),
    ];
    for odd in odd_ids {
        for row in rows {
            for body in bodies {
                let path = format!("/v1/conversations/{odd}/{row}");
                let answer = running.send_bytes(&path, "application/json", &[], body.to_vec()).await;
                assert!(answer.status < 500, "{path} {body:?} {}", answer.text);
                if answer.status >= 400 {
                    answer.problem();
                }
            }
        }
        for row in [
            "",
            "/messages?dialog=%00",
            "/messages?dialog=%FF",
            "/files?path=%00%0d%0a",
            "/files?path=..%2F..",
            "/snapshot",
        ] {
            let answer = running.get(&format!("/v1/conversations/{odd}{row}")).await;
            assert!(answer.status < 500, "{odd}{row} {}", answer.text);
        }
    }
    for query in ["text=%FF", "text=%00", "cursor=%00/%FF", "cursor=//", "stage=", "skill=&agent=", "connection=%FF"] {
        let answer = running.get(&format!("/v1/conversations?{query}")).await;
        assert!(answer.status < 500, "{query} {}", answer.text);
    }
}
