//! The platform's HTTP services around messaging: each service that discovery announces answers every permitted caller.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::{Value, json};
use tertulia_emulator::{AppInstall, Emulator, EmulatorConfig, Fault, FaultKind, FaultRule, Outcome};

use crate::client::{PATIENCE, Socket, get, http, login, signup};

const HISTORY: &str = "/messaging_history/api/account/12345678";
const CONFIGURATION: &str = "/api/account/12345678/configuration";

fn start() -> Emulator {
    Emulator::start(EmulatorConfig::default()).unwrap()
}

async fn bearer(emulator: &Emulator, user: &str) -> String {
    login(emulator, user).await["bearer"].as_str().unwrap().to_owned()
}

/// One request with an `Authorization`: status, content type and JSON body.
async fn ask(
    emulator: &Emulator,
    method: &str,
    path: &str,
    authorization: Option<&str>,
    body: &Value,
) -> (u16, String, Value) {
    let mut request = http(emulator).request(method.parse().unwrap(), format!("https://{}{path}", emulator.listen()));
    if let Some(authorization) = authorization {
        request = request.insert_header(("Authorization", authorization));
    }
    let mut answer = match body {
        Value::Null => request.send().await.unwrap(),
        body => request.send_json(body).await.unwrap(),
    };
    let kind = answer.headers().get("content-type").map_or("", |kind| kind.to_str().unwrap()).to_owned();
    let body = answer.body().limit(8 * 1024 * 1024).await.unwrap();
    (answer.status().as_u16(), kind, serde_json::from_slice(&body).unwrap_or_default())
}

/// The body of a successful search by a bearer.
async fn search(emulator: &Emulator, bearer: &str, path: &str, body: &Value) -> Value {
    let (status, _, found) = ask(emulator, "POST", path, Some(&format!("Bearer {bearer}")), body).await;
    assert_eq!(status, 200, "{found}");
    found
}

fn ids(found: &Value) -> Vec<&str> {
    let records = found["conversationHistoryRecords"].as_array().unwrap();
    records.iter().map(|record| record["info"]["conversationId"].as_str().unwrap()).collect()
}

/// An agent takes over a conversation, as after a ring.
async fn join(agent: &mut Socket, id: &str, role: &str) {
    let change = json!({"field": "ParticipantsChange", "type": "ADD", "role": role});
    agent.ask(".ams.cm.UpdateConversationField", json!({"conversationId": id, "conversationField": [change]})).await;
}

#[actix_web::test]
async fn every_service_that_is_announced_is_served() {
    let emulator = start();
    let (_, body) = get(&emulator, "/api/account/12345678/service/baseURI.json", "").await;
    let mut announced: Vec<&str> =
        body["baseURIs"].as_array().unwrap().iter().map(|entry| entry["service"].as_str().unwrap()).collect();
    announced.sort_unstable();
    let bearer = format!("Bearer {}", bearer(&emulator, "bot1").await);
    let id = emulator.create_conversation(None, None);
    let pid = get(&emulator, &format!("{CONFIGURATION}/le-users/users"), &bearer[7..]).await.1[0]["pid"].clone();
    let started = json!({"start": {"from": 0, "to": -1}});
    let none = Value::Null;
    let served = [
        ("acCdnDomain", "GET", format!("{CONFIGURATION}/le-users/users/{}", pid.as_str().unwrap()), &none, 200),
        ("accountConfigReadOnly", "GET", format!("{CONFIGURATION}/le-users/skills?v=2.0"), &none, 200),
        ("accountConfigReadWrite", "GET", format!("{CONFIGURATION}/app-install/installations?v=1.0"), &none, 200),
        ("agentVep", "POST", "/api/account/12345678/login?v=1.3".to_owned(), &json!({}), 401),
        ("asyncMessagingEnt", "GET", "/api/account/12345678/shift-status".to_owned(), &none, 200),
        ("facadeMsg", "GET", "/ws_api/account/12345678/messaging/brand/x?v=2.1".to_owned(), &none, 401),
        ("idp", "POST", "/api/account/12345678/signup".to_owned(), &json!({}), 200),
        (
            "leDataReporting",
            "GET",
            "/operations/api/account/12345678/msgqueuehealth/current/?v=1".to_owned(),
            &none,
            200,
        ),
        ("messagingRestApiDomain", "GET", format!("/messaging/v1/conversations/{id}"), &none, 400),
        ("msgHist", "POST", format!("{HISTORY}/conversations/search"), &started, 400),
        ("sentinel", "POST", "/sentinel/api/account/12345678/app/token".to_owned(), &json!({}), 401),
        ("swift", "GET", "/v1/AUTH_async-images/12345678/x.png".to_owned(), &none, 401),
    ];
    assert_eq!(announced, served.each_ref().map(|(service, ..)| *service));
    for (service, method, path, body, status) in served {
        let (told, kind, body) = ask(&emulator, method, &path, Some(&bearer), body).await;
        assert_eq!((told, kind.as_str()), (status, "application/json"), "{service}: {body}");
    }
    assert_eq!(get(&emulator, "/api/account/12345678/service/tokenizer/baseURI.json", "").await.0, 400);
}

/// Whoever refuses: the router, an extractor, a service.
#[actix_web::test]
async fn every_error_has_a_json_body_with_a_text() {
    let any = Some(SocketAddr::from(([127, 0, 0, 1], 0)));
    let emulator = Emulator::start(EmulatorConfig { control: any, discovery_listen: any, ..EmulatorConfig::default() });
    let emulator = emulator.unwrap();
    let bearer = format!("Bearer {}", bearer(&emulator, "bot1").await);
    for (method, path, status) in [
        ("GET", "/nowhere".to_owned(), 404),
        ("GET", "/interaction_history/api/account/12345678/interactions/search".to_owned(), 404),
        ("DELETE", format!("{CONFIGURATION}/le-users/skills"), 405),
        ("GET", format!("{CONFIGURATION}/le-users/skills/9"), 404),
        ("GET", format!("{HISTORY}/conversations/search"), 405),
        ("POST", format!("{HISTORY}/conversations/search?limit=many"), 400),
        ("POST", format!("{HISTORY}/conversations/search"), 400),
        ("GET", "/v1/AUTH_async-images/12345678/x.png?temp_url_sig=x&temp_url_expires=1".to_owned(), 401),
        ("GET", "/ws_api/account/9/messaging/consumer".to_owned(), 401),
    ] {
        let (told, kind, body) = ask(&emulator, method, &path, Some(&bearer), &Value::Null).await;
        let told = (told, kind.as_str(), body["error"].as_str().is_some_and(|text| !text.is_empty()));
        assert_eq!(told, (status, "application/json", true), "{method} {path}: {body}");
    }
    for address in [emulator.control().unwrap(), emulator.discovery().unwrap()] {
        let client = awc::Client::builder().timeout(PATIENCE).finish();
        let mut answer = client.get(format!("http://{address}/nowhere")).send().await.unwrap();
        assert_eq!(
            (answer.status().as_u16(), answer.json::<Value>().await.unwrap()),
            (404, json!({"error": "Not Found"}))
        );
    }
}

/// What a pass-through of a login's own access relies on.
#[actix_web::test]
async fn a_bearer_that_is_missing_wrong_or_expired_is_401_at_every_service() {
    let emulator = start();
    let bearer = format!("Bearer {}", bearer(&emulator, "bot1").await);
    let services = [
        ("GET", format!("{CONFIGURATION}/le-users/skills")),
        ("GET", format!("{CONFIGURATION}/le-users/users")),
        ("GET", format!("{CONFIGURATION}/le-users/users/3901122001")),
        ("GET", format!("{CONFIGURATION}/le-users/agentGroups")),
        ("GET", format!("{CONFIGURATION}/app-install/installations")),
        ("GET", "/operations/api/account/12345678/msgqueuehealth/current?v=1".to_owned()),
        ("GET", "/api/account/12345678/shift-status".to_owned()),
        ("POST", format!("{HISTORY}/conversations/consumer/search")),
        ("POST", format!("{HISTORY}/agent-view/status")),
    ];
    let body = json!({"consumer": "ann"});
    for (method, path) in &services {
        for authorization in [None, Some("Bearer wrong"), Some(bearer.trim_start_matches("Bearer "))] {
            let (status, kind, told) = ask(&emulator, method, path, authorization, &body).await;
            assert_eq!((status, kind.as_str()), (401, "application/json"), "{path}");
            assert!(told["error"].is_string(), "{path}: {told}");
        }
        let other = path.replace("12345678", "87654321");
        assert_eq!(ask(&emulator, method, &other, Some(&bearer), &body).await.0, 401, "{other}");
        assert_eq!(ask(&emulator, method, path, Some(&bearer), &body).await.0, 200, "{path}");
    }
    // The agent has no socket.
    assert_eq!(emulator.inject(Fault::new(FaultKind::ExpireToken).user("bot1")), 1);
    for (method, path) in &services {
        assert_eq!(ask(&emulator, method, path, Some(&bearer), &body).await.0, 401, "{path}");
    }
    let brief = Emulator::start(EmulatorConfig { token_life: Duration::ZERO, ..EmulatorConfig::default() }).unwrap();
    let expired = format!("Bearer {}", self::bearer(&brief, "bot1").await);
    for (method, path) in &services {
        assert_eq!(ask(&brief, method, path, Some(&expired), &body).await.0, 401, "{path}");
    }
    let new = format!("Bearer {}", self::bearer(&emulator, "bot1").await);
    assert_eq!(ask(&emulator, "GET", &services[0].1, Some(&new), &Value::Null).await.0, 200);
}

#[actix_web::test]
async fn rules_strike_the_services_by_name() {
    let emulator = start();
    let bearer = format!("Bearer {}", bearer(&emulator, "bot1").await);
    for (name, method, path) in [
        ("users", "GET", format!("{CONFIGURATION}/le-users/users")),
        ("agent-groups", "GET", format!("{CONFIGURATION}/le-users/agentGroups")),
        ("applications", "GET", format!("{CONFIGURATION}/app-install/installations")),
        ("queue-health", "GET", "/operations/api/account/12345678/msgqueuehealth/current".to_owned()),
        ("history", "POST", format!("{HISTORY}/conversations/consumer/search")),
        ("agent-status", "POST", format!("{HISTORY}/agent-view/status")),
    ] {
        emulator.add_rule(FaultRule::new(name, Outcome::Code(429)).user("bot1")).unwrap();
        let body = json!({"consumer": "ann"});
        assert_eq!(ask(&emulator, method, &path, Some(&bearer), &body).await.0, 429, "{name}");
        assert_eq!(ask(&emulator, method, &path, Some(&bearer), &body).await.0, 200, "{name}");
    }
}

#[actix_web::test]
async fn skills_users_and_agent_groups_are_those_of_the_account() {
    let agent_skills = vec![("bot2".to_owned(), vec!["502".to_owned()])];
    let emulator =
        Emulator::start(EmulatorConfig { agents: 2, admins: 1, agent_skills, ..EmulatorConfig::default() }).unwrap();
    let session = login(&emulator, "bot1").await;
    let bearer = session["bearer"].as_str().unwrap();
    let list = async |name: &str| get(&emulator, &format!("{CONFIGURATION}/le-users/{name}"), bearer).await.1;

    let skills = list("skills").await;
    assert_eq!(
        (&skills[0]["id"], &skills[0]["name"], &skills[1]["id"]),
        (&json!(501), &json!("Skill 501"), &json!(502))
    );
    assert_eq!(list("skills/502").await["name"], "Skill 502");

    let users = list("users").await;
    assert_eq!(users.as_array().unwrap().len(), 2);
    assert_eq!((&users[0]["id"], &users[0]["pid"]), (&session["config"]["userId"], &session["config"]["userPid"]));
    assert_eq!((&users[0]["loginName"], &users[0]["skillIds"]), (&json!("bot1"), &json!([501, 502])));
    assert_eq!((&users[1]["loginName"], &users[1]["skillIds"]), (&json!("bot2"), &json!([502])));
    assert_eq!((&users[0]["profiles"], &users[1]["profiles"]), (&json!(["Administrator"]), &json!(["Agent"])));
    let id = users[1]["id"].as_str().unwrap();
    assert_eq!(list(&format!("users/{id}")).await, users[1]);
    assert_eq!(list("users/39").await, json!({"error": "User not found"}));
    let public = format!("{CONFIGURATION}/le-users/users/nobody");
    assert_eq!(ask(&emulator, "GET", &public, None, &Value::Null).await.0, 404, "open to everybody");

    let groups = list("agentGroups").await;
    let of_login = &session["accountData"]["agentGroupsData"]["items"][0];
    assert_eq!((&groups[0]["id"], &groups[0]["name"]), (&of_login["id"], &of_login["name"]));
    assert_eq!(list("agentGroups/-1").await, groups[0]);
    assert_eq!(users[1]["memberOf"]["agentGroupId"], groups[0]["id"].to_string());
}

#[actix_web::test]
async fn installed_applications_are_listed_with_their_webhooks() {
    let app = AppInstall::new("connector", "hidden").webhooks("http://127.0.0.1:9/lp");
    let emulator = Emulator::start(EmulatorConfig { app: Some(app), ..EmulatorConfig::default() }).unwrap();
    let bearer = bearer(&emulator, "bot1").await;
    let path = format!("{CONFIGURATION}/app-install/installations");
    let (status, list) = get(&emulator, &format!("{path}/?v=1.0"), &bearer).await;
    assert_eq!((status, list.as_array().unwrap().len()), (200, 1));
    let webhooks = &list[0]["capabilities"]["webhooks"];
    assert_eq!((&list[0]["client_id"], &list[0]["enabled"]), (&json!("connector"), &json!(true)));
    assert_eq!(webhooks["cqm.ExConversationChangeNotification"]["endpoint"], "http://127.0.0.1:9/lp");
    assert_eq!(webhooks["retry"]["retention_time"], 3_600);
    assert_eq!(get(&emulator, &format!("{path}/connector"), &bearer).await.1, list[0]);
    assert_eq!(get(&emulator, &format!("{path}/other"), &bearer).await.0, 404);
}

#[actix_web::test]
async fn queue_health_counts_the_conversations_that_wait_for_an_agent() {
    let emulator = start();
    let mut agent = Socket::agent(&emulator, "bot1").await;
    let bearer = bearer(&emulator, "bot2").await;
    let path = "/operations/api/account/12345678/msgqueuehealth/current/?v=1";
    let waiting = emulator.create_conversation(Some("ann"), Some("501"));
    emulator.say(&waiting, "hello").unwrap();
    let taken = emulator.create_conversation(Some("ann"), Some("502"));
    join(&mut agent, &taken, "ASSIGNED_AGENT").await;

    let (_, all) = get(&emulator, path, &bearer).await;
    let one = &all["skillsMetrics"]["501"];
    assert_eq!(one["unassignedConversations"], 1);
    assert_eq!((&one["actionableConversations"], &one["actionableAndConsumerLastMessage"]), (&json!(1), &json!(1)));
    assert_eq!(one["unassignedConversationsAndFirstTimeConsumer"], 1);
    assert!(one["avgWaitTimeForAgentAssignment_NewConversation"].as_i64().unwrap() >= 0);
    assert_eq!(one["avgWaitTimeForAgentAssignment_AfterTransfer"], -1);
    assert_eq!(all["skillsMetrics"]["502"]["unassignedConversations"], 0);
    assert_eq!(all["metricsTotals"]["unassignedConversations"], 1);

    // Back to the queue of another skill, without an agent.
    let change = json!([{"field": "ParticipantsChange", "type": "REMOVE", "role": "ASSIGNED_AGENT"},
        {"field": "Skill", "type": "UPDATE", "skill": "501"}]);
    let change = json!({"conversationId": taken, "conversationField": change});
    agent.ask(".ams.cm.UpdateConversationField", change).await;
    let (_, asked) = get(&emulator, &format!("{path}&skillIds=501"), &bearer).await;
    assert_eq!(asked["skillsMetrics"].as_object().unwrap().keys().collect::<Vec<_>>(), ["501"]);
    assert_eq!(asked["metricsTotals"]["unassignedConversations"], 2);
    assert_eq!(asked["metricsTotals"]["actionableAndDuringTransfer"], 1);
    assert!(asked["metricsTotals"]["avgWaitTimeForAgentAssignment_AfterTransfer"].as_i64().unwrap() >= 0);
}

#[actix_web::test]
async fn agent_status_tells_who_is_connected_in_which_state_with_what_load() {
    let emulator = start();
    let mut agent = Socket::agent(&emulator, "bot1").await;
    let bearer = bearer(&emulator, "bot2").await;
    let id = emulator.create_conversation(None, None);
    join(&mut agent, &id, "ASSIGNED_AGENT").await;
    agent.ask(".ams.routing.SetAgentState", json!({"availability": "ONLINE"})).await;

    let path = format!("{HISTORY}/agent-view/status");
    let told = search(&emulator, &bearer, &path, &json!({"agentIds": ["3901122001"]})).await;
    assert_eq!((&told["_metadata"]["count"], &told["accountID"]), (&json!(1), &json!("12345678")));
    let record = &told["agentStatusRecords"][0];
    for (member, value) in [
        ("agentId", json!("3901122001")),
        ("agentLoginName", json!("bot1")),
        ("currentStatus", json!("ONLINE")),
        ("agentGroupName", json!("Main Group")),
        ("busySlots", json!(1)),
        ("openAssignedConversations", json!(1)),
        ("agentPresence", json!("true")),
        ("currentConnectionState", json!("CONNECTED")),
    ] {
        assert_eq!(record[member], value, "{member}");
    }
    assert_eq!(record["agentSkills"][0], json!({"skillId": "501", "skillName": "Skill 501"}));
    assert!(record["currentStatusDuration"].as_i64().is_some_and(|duration| (0..60_000).contains(&duration)));

    let count = async |body: Value| {
        let told = search(&emulator, &bearer, &path, &body).await;
        told["agentStatusRecords"].as_array().unwrap().len()
    };
    assert_eq!(count(json!({"status": ["AWAY"]})).await, 0);
    assert_eq!(count(json!({"status": ["ONLINE"], "skillIds": ["501"], "agentGroupIds": ["-1"]})).await, 1);
    // Logged in, without a socket.
    assert_eq!(count(json!({})).await, 1);
    let absent = search(&emulator, &bearer, &path, &json!({"agentPresence": false})).await;
    assert_eq!(absent["agentStatusRecords"][0]["agentLoginName"], "bot2");
    assert_eq!(absent["agentStatusRecords"][0]["currentConnectionState"], "DISCONNECTED");
}

#[actix_web::test]
async fn a_history_record_tells_what_the_ledger_tells_and_who_took_part() {
    let emulator = start();
    let bearer = bearer(&emulator, "bot2").await;
    let jwt = signup(&emulator).await;
    let mut consumer = Socket::consumer(&emulator, &jwt).await;
    let profile = json!({"firstName": "Ann", "lastName": "Lee", "authenticatedData": {"lp_sdes": [
        {"type": "ctmrinfo", "info": {"customerId": "C-77"}}]}});
    consumer.ask("userprofile.SetUserProfile", profile).await;
    let opened = consumer.ask("cm.ConsumerRequestConversation", json!({"skillId": "501"})).await;
    let id = opened["conversationId"].as_str().unwrap();
    let say = json!({"dialogId": id, "event": {"type": "ContentEvent", "contentType": "text/plain", "message": "hi"}});
    consumer.ask("ms.PublishEvent", say).await;
    let mut agent = Socket::agent(&emulator, "bot1").await;
    join(&mut agent, id, "ASSIGNED_AGENT").await;
    let read = json!({"dialogId": id, "event": {"type": "AcceptStatusEvent", "status": "READ", "sequenceList": [0]}});
    agent.ask(".ams.ms.PublishEvent", read).await;
    let rich = json!({"type": "vertical", "elements": [{"type": "text", "text": "card"}]});
    let card = json!({"kind": "req", "id": "card", "type": ".ams.ms.PublishEvent",
        "body": {"dialogId": id, "event": {"type": "RichContentEvent", "content": rich}},
        "metadata": [{"type": "BotResponse", "intents": [{"id": "greeting"}]}]});
    assert_eq!(agent.send(&card).await["code"], 200);
    let transfer = json!({"conversationId": id, "conversationField": [
        {"field": "ParticipantsChange", "type": "REMOVE", "role": "ASSIGNED_AGENT"},
        {"field": "Skill", "type": "UPDATE", "skill": "502"}]});
    agent.ask(".ams.cm.UpdateConversationField", transfer).await;

    let path = format!("{HISTORY}/conversations/conversation/search");
    let found = search(&emulator, &bearer, &path, &json!({"conversationId": id})).await;
    assert_eq!((ids(&found), &found["_metadata"]["count"]), (vec![id], &json!(1)));
    let record = &found["conversationHistoryRecords"][0];
    let info = &record["info"];
    for (member, value) in [
        ("brandId", json!("12345678")),
        ("status", json!("OPEN")),
        ("fullDialogStatus", json!("OPEN")),
        ("endTimeL", json!(-1)),
        ("endTime", json!("undefined")),
        ("firstConversation", json!(true)),
        ("latestSkillId", json!(502)),
        ("latestSkillName", json!("Skill 502")),
        ("latestAgentId", json!("3901122001")),
        ("latestAgentLoginName", json!("bot1")),
        ("latestQueueState", json!("IN_QUEUE")),
    ] {
        assert_eq!(info[member], value, "{member}");
    }

    let ledger: Vec<_> = emulator.ledger().iter().collect();
    let messages = record["messageRecords"].as_array().unwrap();
    let first = &messages[0];
    assert_eq!((&first["type"], &first["messageData"]), (&json!("TEXT_PLAIN"), &json!({"msg": {"text": "hi"}})));
    assert_eq!((&first["seq"], &first["timeL"]), (&json!(0), &json!(ledger[0].time)));
    assert_eq!((&first["sentBy"], &first["participantId"]), (&json!("Consumer"), &json!(ledger[0].originator)));
    assert_eq!(first["messageId"], format!("ms::conv:{id}::msg:0"));
    let time = first["time"].as_str().unwrap();
    assert!(time.len() == 28 && time.ends_with("+0000") && time.as_bytes()[10] == b' ', "{time}");
    let second = &messages[1];
    assert_eq!((&second["type"], &second["sentBy"]), (&json!("RICH_CONTENT"), &json!("Agent")));
    assert_eq!((&second["participantId"], &second["seq"]), (&json!("3901122001"), &json!(2)));
    let content = second["messageData"]["richContent"]["content"].as_str().unwrap();
    assert_eq!(serde_json::from_str::<Value>(content).unwrap(), rich);
    assert_eq!(
        second["contextData"]["structuredMetadata"],
        json!([{"botResponse": {"intents": [{"id": "greeting"}]}}])
    );
    assert_eq!(messages.len(), 2);

    let status = &record["messageStatuses"][0];
    assert_eq!((&status["seq"], &status["messageDeliveryStatus"]), (&json!(0), &json!("READ")));
    assert_eq!((&status["participantId"], &status["participantType"]), (&json!("3901122001"), &json!("Agent")));
    assert_eq!(record["agentParticipants"][0]["agentLoginName"], "bot1");
    assert_eq!(record["agentParticipants"][0]["permission"], "ASSIGNED_AGENT");
    assert_eq!(record["agentParticipantsLeave"][0]["agentId"], "3901122001");
    assert_eq!(record["agentParticipantsActive"], json!([]));
    assert_eq!(record["consumerParticipants"][0]["consumerName"], "Ann Lee");
    assert_eq!(record["consumerParticipants"][0]["participantId"], ledger[0].originator);
    assert_eq!(record["sdes"]["events"][0]["customerInfo"]["customerInfo"]["customerId"], "C-77");
    let transfer = &record["transfers"][0];
    assert_eq!((&transfer["sourceSkillId"], &transfer["targetSkillId"]), (&json!(501), &json!(502)));
    assert_eq!(transfer["sourceAgentLoginName"], "bot1");
    assert_eq!(record["interactions"][0]["assignedAgentLoginName"], "bot1");
    assert_eq!((&record["dialogs"][0]["dialogId"], &record["dialogs"][0]["dialogType"]), (&json!(id), &json!("MAIN")));

    let some = json!({"conversationId": id, "contentToRetrieve": ["messageRecords"]});
    let found = search(&emulator, &bearer, &path, &some).await;
    let members = found["conversationHistoryRecords"][0].as_object().unwrap();
    assert_eq!(members.keys().collect::<Vec<_>>(), ["info", "messageRecords"]);
    let unknown = search(&emulator, &bearer, &path, &json!({"conversationId": "none"})).await;
    assert_eq!(ids(&unknown), Vec::<&str>::new());
}

#[actix_web::test]
async fn a_history_search_finds_by_time_status_skill_agent_words_and_consumer() {
    let emulator = start();
    let mut agent = Socket::agent(&emulator, "bot1").await;
    let bearer = bearer(&emulator, "bot2").await;
    let closed = emulator.create_conversation(Some("ann"), Some("501"));
    emulator.say(&closed, "a Bonus, please").unwrap();
    join(&mut agent, &closed, "MANAGER").await;
    emulator.close_conversation(&closed).unwrap();
    let open = emulator.create_conversation(Some("bob"), Some("502"));
    let [closed, open] = [closed.as_str(), open.as_str()];

    let path = format!("{HISTORY}/conversations/search");
    let now = u64::try_from(std::time::UNIX_EPOCH.elapsed().unwrap().as_millis()).unwrap();
    for (criteria, expected) in [
        (json!({}), vec![closed, open]),
        (json!({"status": ["CLOSE"]}), vec![closed]),
        (json!({"status": ["OPEN", "CLOSE"]}), vec![closed, open]),
        (json!({"skillIds": [502]}), vec![open]),
        (json!({"latestSkillIds": ["501"]}), vec![closed]),
        (json!({"agentIds": ["3901122001"]}), vec![closed]),
        (json!({"latestAgentIds": ["3901122001"]}), vec![]),
        (json!({"agentIds": ["nobody"]}), vec![]),
        (json!({"keyword": "\"bonus\""}), vec![closed]),
        (json!({"messageContentTypes": ["RICH_CONTENT"]}), vec![]),
        (json!({"latestConversationQueueState": "IN_QUEUE"}), vec![open]),
        (json!({"end": {"from": now - 1_000, "to": now + 1_000}}), vec![closed]),
        (json!({"start": {"from": now - 7_200_000, "to": now - 3_600_000}}), vec![]),
        (json!({"start": {"from": now.to_string(), "to": now.to_string()}}), vec![closed, open]),
    ] {
        let mut body = json!({"start": {"from": now - 3_600_000, "to": -1}});
        body.as_object_mut().unwrap().extend(criteria.as_object().unwrap().clone());
        let found = search(&emulator, &bearer, &format!("{path}?sort=start:asc"), &body).await;
        let mut told = ids(&found);
        told.sort_by_key(|id| *id != closed);
        assert_eq!(told, expected, "{criteria}");
    }
    let by_consumer = format!("{HISTORY}/conversations/consumer/search");
    let of_bob = json!({"consumer": "bob", "status": ["OPEN", "CLOSE"]});
    assert_eq!(ids(&search(&emulator, &bearer, &by_consumer, &of_bob).await), [open]);

    let refused = async |body: Value| {
        let (status, _, told) = ask(&emulator, "POST", &path, Some(&format!("Bearer {bearer}")), &body).await;
        assert_eq!(status, 400, "{told}");
        told["error"].as_str().unwrap().to_owned()
    };
    assert_eq!(refused(json!({})).await, "start is missing");
    let long = json!({"start": {"from": now - 100 * 24 * 3_600_000, "to": now}});
    assert_eq!(refused(long).await, "The time interval is longer than three months");
    let mcs = json!({"start": {"from": now, "to": -1}, "mcs": {"from": 0}});
    assert_eq!(refused(mcs).await, "The emulator cannot search by mcs");
}

#[actix_web::test]
async fn a_history_search_comes_in_pages() {
    let emulator = start();
    let bearer = bearer(&emulator, "bot1").await;
    for _ in 0..5 {
        emulator.create_conversation(None, None);
    }
    let now = u64::try_from(std::time::UNIX_EPOCH.elapsed().unwrap().as_millis()).unwrap();
    let body = json!({"start": {"from": now - 60_000, "to": now}, "contentToRetrieve": ["campaign"]});
    let mut seen = Vec::new();
    for offset in [0, 2, 4] {
        let path = format!("{HISTORY}/conversations/search?offset={offset}&limit=2&sort=start:desc");
        let page = search(&emulator, &bearer, &path, &body).await;
        assert_eq!(page["_metadata"]["count"], 5);
        assert_eq!(page["_metadata"]["next"].is_null(), offset == 4);
        seen.extend(ids(&page).into_iter().map(str::to_owned));
    }
    seen.sort_unstable();
    seen.dedup();
    assert_eq!(seen.len(), 5);
}
