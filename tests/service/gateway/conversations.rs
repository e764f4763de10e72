//! `/v1/conversations` and one of them.

use serde_json::json;
use tertulia_emulator::{EmulatorConfig, Fault, FaultKind};

use super::{MONITOR, ids};
use crate::running::{BOT, Running};

/// A monitor that sees ended conversations too.
const WATCHER: &str = r#"
[[connections]]
id = "monitor"
account = "12345678"
role = "brand"
login = { username = "bot2", password = { env = "PASSWORD" } }
subscribe = { agents = "all", stage = ["OPEN", "CLOSE"] }
"#;

#[actix_rt::test]
async fn a_conversation_is_found_over_all_connections_with_the_members_of_the_class_page() {
    let mut running = Running::bot().await;
    let id = running.conversation().await;
    let found = running.get(&format!("/v1/conversations/{id}")).await.json;
    assert_eq!((&found["connection"], &found["conversationId"]), (&json!("bots-1"), &json!(id)));
    assert_eq!((&found["stage"], &found["notificationIgnoredCount"]), (&json!("OPEN"), &json!(0)));
    assert!(found["ttrEffective"].is_number());
    // Every member of the class page under its own name, null or not (CV-M1 to CV-M11), and what goes with them.
    for name in [
        "appInstId",
        "assignedAgent",
        "campaignId",
        "consumer",
        "handlerAccountId",
        "note",
        "notificationCount",
        "notificationIgnoredCount",
        "notificationOutOfOrderCount",
        "numberOfunreadMessages",
        "ttrEffective",
        "stage",
        "skillId",
    ] {
        assert!(found.get(name).is_some(), "{name}");
    }
    assert_eq!(found["dialogs"][0]["dialogId"], json!(id));
    assert_eq!(found["participants"].as_array().unwrap().len(), 2);
    let answer = running.get("/v1/conversations/none").await;
    assert_eq!(answer.problem(), (404, "unknown-conversation"));
    let answer = running.get(&format!("/v1/conversations/{id}?connection=none")).await;
    assert_eq!(answer.problem(), (404, "unknown-connection"));
}

#[actix_rt::test]
async fn every_conversation_is_in_exactly_one_page() {
    let mut running = Running::start(&format!("{BOT}{MONITOR}"));
    running.ready("bots-1").await;
    running.ready("monitor").await;
    let mut expected = Vec::new();
    for _ in 0..5 {
        let id = running.emulator.create_conversation(None, None);
        // Both connections list the conversation.
        running.heard("conversation", &id).await;
        running.heard("conversation", &id).await;
        expected.extend([(id.clone(), "bots-1".to_owned()), (id, "monitor".to_owned())]);
    }
    expected.sort();

    let mut listed = Vec::new();
    let mut path = "/v1/conversations?limit=3".to_owned();
    loop {
        let page = running.get(&path).await.json;
        listed.extend(ids(&page, "conversationId").into_iter().zip(ids(&page, "connection")));
        let Some(cursor) = page["nextCursor"].as_str() else { break };
        path = format!("/v1/conversations?limit=3&cursor={cursor}");
    }
    assert_eq!(listed, expected);
    let own = running.get("/v1/conversations?connection=monitor").await.json;
    assert_eq!(ids(&own, "connection"), ["monitor"; 5]);
}

/// The ids of the conversations in a list of the monitor.
async fn listed(running: &Running, query: &str) -> Vec<String> {
    let answer = running.get(&format!("/v1/conversations?connection=monitor&{query}")).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    ids(&answer.json, "conversationId")
}

fn sorted(ids: &[&String]) -> Vec<String> {
    let mut ids: Vec<String> = ids.iter().map(|id| (*id).clone()).collect();
    ids.sort();
    ids
}

#[actix_rt::test]
async fn a_list_is_filtered_by_stage_skill_agent_consumer_and_text() {
    let skills = [("bot1", "501"), ("bot3", "502")];
    let agent_skills = skills.map(|(login, skill)| (login.to_owned(), vec![skill.to_owned()])).to_vec();
    let config = EmulatorConfig { agent_skills, ..EmulatorConfig::default() };
    let mut running = Running::on(config, &format!("{BOT}{WATCHER}"));
    running.ready("bots-1").await;
    running.ready("monitor").await;
    let taken = running.emulator.create_conversation(Some("ann-of-kent"), Some("501"));
    running.heard_by("monitor", "participant-added", &taken).await;
    let waiting = running.emulator.create_conversation(Some("bob"), Some("502"));
    running.heard_by("monitor", "conversation", &waiting).await;
    let over = running.emulator.create_conversation(Some("cleo"), Some("502"));
    running.heard_by("monitor", "conversation", &over).await;
    running.emulator.close_conversation(&over).unwrap();
    running.heard_by("monitor", "close", &over).await;

    let own = running.get(&format!("/v1/conversations/{taken}?connection=monitor")).await.json["assignedAgent"].clone();
    let (user, agent) = (own["userId"].as_str().unwrap(), own["agentId"].as_str().unwrap());
    for (query, expected) in [
        (String::new(), sorted(&[&taken, &waiting, &over])),
        ("stage=OPEN".to_owned(), sorted(&[&taken, &waiting])),
        ("stage=CLOSE".to_owned(), sorted(&[&over])),
        ("stage=LOCKED".to_owned(), vec![]),
        ("skill=501".to_owned(), sorted(&[&taken])),
        ("skill=502&stage=OPEN".to_owned(), sorted(&[&waiting])),
        ("skill=50".to_owned(), vec![]),
        (format!("agent={user}"), sorted(&[&taken])),
        (format!("agent={agent}"), sorted(&[&taken])),
        (format!("agent={}", agent.rsplit_once('.').unwrap().1), sorted(&[&taken])),
        ("agent=nobody".to_owned(), vec![]),
        ("consumer=bob".to_owned(), sorted(&[&waiting])),
        ("consumer=bo".to_owned(), vec![]),
        (format!("text={}", &taken[4..]), sorted(&[&taken])),
        ("text=OF-KENT".to_owned(), sorted(&[&taken])),
        ("text=bob".to_owned(), sorted(&[&waiting])),
        ("text=CLEO".to_owned(), sorted(&[&over])),
        ("text=502".to_owned(), sorted(&[&waiting, &over])),
        (format!("text={agent}"), sorted(&[&taken])),
        ("text=%C3%A4".to_owned(), vec![]),
        ("text=".to_owned(), sorted(&[&taken, &waiting, &over])),
    ] {
        assert_eq!(listed(&running, &query).await, expected, "{query}");
    }
    let item = &running.get("/v1/conversations?connection=monitor&skill=501").await.json["items"][0];
    assert_eq!(
        (&item["consumer"]["userId"], &item["assignedAgent"]),
        (
            &json!("ann-of-kent"),
            &json!({
                "userId": user, "agentId": agent,
            })
        )
    );
    assert!(item["startTime"].is_number() && item["closeTime"].is_null(), "{item}");
}

#[actix_rt::test]
async fn a_list_has_the_deadline_and_the_unread_messages_of_each_conversation() {
    let mut running = Running::bot().await;
    let id = running.conversation().await;
    let whole = running.settled(&id).await;
    let list = running.get("/v1/conversations").await.json;
    let [item] = list["items"].as_array().unwrap().as_slice() else { panic!("{list}") };
    let agent = whole["assignedAgent"]["userId"].as_str().unwrap();
    assert!(whole["ttrEffective"].is_number(), "{whole}");
    assert_eq!((&item["ttrEffective"], &item["unread"]), (&whole["ttrEffective"], &json!(1)), "{item}");
    assert_eq!(whole["numberOfunreadMessages"][agent], 1);
}

/// The next run lists its conversations before the platform has sent anything, and loads none of them for a list.
#[actix_rt::test]
async fn conversations_that_sleep_are_listed_and_sleep_on() {
    let mut running = Running::bot().await;
    let mut expected = [running.conversation().await, running.conversation().await];
    expected.sort();
    running.emulator.inject(Fault::new(FaultKind::RefuseLogin).code(503).user("bot1").count(100));
    running = running.restart().await;
    running.service.tertulia().connection(&"bots-1".into()).begun().await.unwrap();
    let page = running.get("/v1/conversations?stage=OPEN&limit=1").await.json;
    assert_eq!(ids(&page, "conversationId"), expected[..1]);
    assert!(page["items"][0]["consumer"]["userId"].is_string(), "{page}");
    let cursor = page["nextCursor"].as_str().unwrap();
    let page = running.get(&format!("/v1/conversations?stage=OPEN&limit=1&cursor={cursor}")).await.json;
    assert_eq!(ids(&page, "conversationId"), expected[1..]);
    assert!(page["nextCursor"].is_null());
    assert_eq!(running.service.tertulia().metrics().conversations_asleep.get(), 2);
}
