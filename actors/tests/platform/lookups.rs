//! Requests outside conversations: profiles (CN-F10, CN-F19), shifts, skills and statistics (CN-F16), and any
//! request of the wire (CN-F4).

use std::time::Duration;

use serde_json::json;
use tertulia_actors::{
    connection::{ConnectionError, ConnectionSettings, Login, RequestError, Role},
    core::{
        command::Identity,
        ums::{AnswerError, ClientProperties, Nothing, Request, UserProfile},
    },
    platform::{AgentLogin, ConsumerLogin, PlatformClient},
};
use tertulia_emulator::EmulatorConfig;
use tokio::time::timeout;

use crate::stage::{self, PATIENCE, Stage, consumer};

#[actix_rt::test]
async fn an_agent_learns_shifts_skills_statistics_and_colleagues() {
    let mut stage = Stage::set(EmulatorConfig::default());
    let bot = stage.bot().await;
    let conversation = stage.conversation(&bot).await;
    conversation.send_text("hello").await.unwrap();

    let shifts = stage.tertulia.connection(&bot).shift_status().await.unwrap();
    assert!(shifts.iter().any(|shift| shift.skill_id == *"501" && shift.on_shift));
    assert!(shifts.iter().all(|shift| !shift.is_in_off_hours()));
    let skills = stage.tertulia.connection(&bot).skills().await.unwrap();
    assert_eq!(skills.iter().map(|skill| skill.name.as_str()).collect::<Vec<_>>(), ["Skill 501", "Skill 502"]);
    let statistics = stage.tertulia.connection(&bot).message_statistics(None).await.unwrap();
    assert_eq!(statistics["agentMessages"], 1);
    let mine = Some("12345678.1".into());
    assert!(stage.tertulia.connection(&bot).message_statistics(mine).await.unwrap().is_object());

    let unknown = stage.tertulia.connection(&bot).agent_profile("nobody".into()).await.unwrap_err();
    assert!(matches!(unknown, ConnectionError::Http(error) if error.status() == Some(404)));
}

/// CN-F18: each change of the opening hours is reported once.
#[actix_rt::test]
async fn cn_f18_the_end_and_the_beginning_of_a_skills_hours_are_reported() {
    let mut stage = Stage::set(EmulatorConfig::default());
    let bot = stage.bot().await;
    let mut shifts = stage.tertulia.connection(&bot).watch_shifts(Duration::from_millis(1)).await.unwrap();
    assert!(shifts.first().iter().any(|shift| shift.skill_id == *"501" && shift.on_shift));
    for on_shift in [false, true] {
        stage.emulator.set_shift("501", on_shift);
        // Asked a thousand times a second, one answer may fail.
        let change = timeout(PATIENCE, async {
            loop {
                if let Ok(change) = shifts.next().await.unwrap() {
                    return change;
                }
            }
        });
        let status = change.await.unwrap();
        assert_eq!((status.skill_id.as_str(), status.is_in_off_hours()), ("501", !on_shift));
    }
}

/// CN-F3: the agent's token, for requests outside the library.
#[actix_rt::test]
async fn cn_f3_the_agents_token_is_the_one_the_platform_takes() {
    let mut stage = Stage::set(EmulatorConfig::default());
    let bot = stage.bot().await;
    let bearer = stage.tertulia.connection(&bot).bearer().await.unwrap();
    let with_it = AgentLogin::Bearer { bearer, user_id: "1".to_owned() };
    let client = PlatformClient::new(stage.tertulia.platform().clone(), "12345678".into());
    let session = client.log_in(&with_it).await.unwrap();
    assert!(client.shift_status(&session).await.is_ok());
}

#[actix_rt::test]
async fn a_consumer_has_no_shifts() {
    let mut stage = Stage::set(EmulatorConfig::default());
    let ann = stage.connect(consumer("ann")).await;
    let refused = stage.tertulia.connection(&ann).shift_status().await;
    assert!(matches!(refused, Err(ConnectionError::NotSupported { role: Role::Consumer, .. })));
}

#[actix_rt::test]
async fn cn_f10_the_profile_a_consumer_sets_is_the_one_the_bot_reads() {
    let mut stage = Stage::set(EmulatorConfig::default());
    let bot = stage.bot().await;
    let mine = stage.consumer("ann").await;
    stage.until(|event| event.data.name() == "conversation" && event.origin.connection == bot).await;
    let profile = UserProfile {
        first_name: Some("Ann".into()),
        private_data: Some((&json!({ "mail": "ann@example.com" })).into()),
        ..UserProfile::default()
    };
    stage.tertulia.connection(mine.connection()).set_user_profile(&profile).await.unwrap();

    let own = stage.tertulia.connection(mine.connection()).user_profile(None).await.unwrap();
    assert_eq!(own.first_name.as_deref(), Some("Ann"));
    let seen = stage.tertulia.connection(&bot).user_profile(own.user_id.as_ref().map(Into::into)).await.unwrap();
    assert_eq!(seen, own);
    assert_eq!(seen.private_data.unwrap().to_value()["mail"], "ann@example.com");
}

#[actix_rt::test]
async fn an_agent_has_no_profile_to_set() {
    let mut stage = Stage::set(EmulatorConfig::default());
    let bot = stage.bot().await;
    let refused = stage.tertulia.connection(&bot).set_user_profile(&UserProfile::default()).await;
    assert!(matches!(refused, Err(ConnectionError::NotSupported { role: Role::Agent, .. })));
}

#[actix_rt::test]
async fn cn_f4_any_request_of_the_wire_can_be_sent_and_its_answer_read() {
    let mut stage = Stage::set(EmulatorConfig::default());
    let bot = stage.bot().await;
    let conversation = stage.conversation(&bot).await;
    let id = conversation.id();
    let body = json!({
        "conversationId": id, "dialogId": id, "messageAudience": "ALL",
        "event": { "type": "ContentEvent", "contentType": "text/plain", "message": "by hand" },
    });
    let metadata = vec![json!({ "type": "ExternalId", "id": "mine" })];
    let answer =
        stage.tertulia.connection(&bot).request(".ams.ms.PublishEvent", body, Vec::new(), metadata).await.unwrap();
    assert_eq!(answer["sequence"], 0);
    let entry = stage.emulator.ledger().get(0).unwrap();
    assert_eq!((entry.text.as_deref(), &entry.metadata[0]["id"]), (Some("by hand"), &json!("mine")));

    // CN-F5.
    let clock = stage.tertulia.connection(&bot).ask_platform(Request::GetClock(Nothing {})).await.unwrap();
    assert!(clock["currentTime"].is_u64(), "{clock}");

    let unknown = stage.tertulia.connection(&bot).request(".ams.none.Such", json!({}), Vec::new(), Vec::new()).await;
    assert!(
        matches!(unknown, Err(ConnectionError::Request(RequestError::Answer(AnswerError::Refused { .. })))),
        "{unknown:?}"
    );
}

/// CA-5.
/// MS-12, `agentId`, `userId` and `sentByCurrentUser`: one knows as whom one speaks, and one's own messages by it.
#[actix_rt::test]
async fn a_connection_tells_as_whom_it_speaks_and_which_messages_are_its_own() {
    let mut stage = Stage::set(EmulatorConfig::default());
    let app = ClientProperties { app_id: Some("shop & co/1?".to_owned()), ..ClientProperties::default() };
    let bot = stage.connect(ConnectionSettings { client_properties: app.clone(), ..stage::bot(1) }).await;
    let ann = stage.connect(ConnectionSettings { client_properties: app, ..consumer("ann") }).await;
    let (agent, person) = (
        stage.tertulia.connection(&bot).identity().await.unwrap(),
        stage.tertulia.connection(&ann).identity().await.unwrap(),
    );
    assert!(
        matches!(&*agent, Identity::Brand { agent_id, .. } if agent_id.as_str().starts_with("12345678.")),
        "{agent:?}"
    );
    assert!(matches!(&*person, Identity::Consumer { .. }), "{person:?}");
    let hers = stage.tertulia.connection(&ann).create_conversation(Default::default()).await.unwrap();
    hers.send_text("mine").await.unwrap();
    let event = stage.until(|event| event.origin.connection == bot && stage::message(event).is_some()).await;
    let message = stage::message(&event).unwrap();
    assert_eq!((message.is_by(&person), message.is_by(&agent)), (true, false));
    stage.tertulia.connection(&bot).conversation(hers.id()).unwrap().send_text("and mine").await.unwrap();
    let event = stage.until(|event| event.origin.connection == bot && stage::message(event).is_some()).await;
    let message = stage::message(&event).unwrap();
    assert_eq!((message.is_by(&person), message.is_by(&agent)), (false, true));
}

/// CA-1, CA-2: a consumer comes by sign-up, by the anonymous connector or with a signed identity, and a token brings
/// the same consumer on another connection.
#[actix_rt::test]
async fn a_consumer_comes_in_by_each_way_and_is_the_same_by_the_same_token() {
    let mut stage = Stage::set(EmulatorConfig::default());
    let client = PlatformClient::new(stage.tertulia.platform().clone(), "12345678".into());
    let ways = [
        ConsumerLogin::SignUp,
        ConsumerLogin::Anonymous { connector: "100".into() },
        ConsumerLogin::Authenticated { connector: None, token: "ann".into() },
        ConsumerLogin::Authenticated { connector: Some("101".into()), token: "bea".into() },
    ];
    let mut seen = Vec::new();
    for (number, login) in ways.into_iter().enumerate() {
        let token = client.consumer_token(&login, None).await.unwrap().token;
        let mut known = Vec::new();
        for turn in ["first", "second"] {
            let login = Login::Consumer(ConsumerLogin::Token(token.clone()));
            let id = stage.connect(ConnectionSettings { login, ..consumer(&format!("{number}-{turn}")) }).await;
            known.push(stage.tertulia.connection(&id).identity().await.unwrap().user_id().cloned());
            stage.tertulia.connection(&id).disconnect().await;
        }
        assert_eq!(known[0], known[1]);
        assert!(!seen.contains(&known[0]), "another consumer each");
        seen.push(known[0].clone());
    }
}
