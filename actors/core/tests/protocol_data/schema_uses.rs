//! What each schema has to do with this crate.

use serde_json::{Value, json};
use tertulia_core::{
    command::Command,
    id::{AccountId, AgentId, RingId, SkillId, SubscriptionId},
    ums::*,
};

use super::written::{
    AGENT, CONSUMER, CONVERSATION, agent, asked, asked_in_schema_names, body, card, changes, client_properties,
    consumer, event, file, frame, init_connection, notification, quick_replies, read, receipt, records, rich, state,
    text, typing, upsert, urgent,
};

type Instances = fn() -> Vec<Value>;

/// Schemas with what is written, or is read, and satisfies them. Schemas they refer to are used by that too.
pub(crate) const SATISFIED: &[(&str, Instances)] = &[
    ("schemas-2017/ws/consumerRequests.json", || {
        let asked = [text(), file(), read(), typing(), urgent()].map(|command| asked(&command, &consumer()));
        let plain = [
            Request::RequestConversation(ConversationRequest::default()),
            Request::SubscribeMessages(message_subscription()),
            Request::SubscribeConversations(conversation_query()),
            Request::UnsubscribeConversations(unsubscription()),
        ];
        asked.into_iter().chain(plain.map(|request| frame(request, Dialect::Consumer))).collect()
    }),
    ("schemas-2017/ws/agentRequests.json", || {
        let asked = [text(), file(), read(), typing(), urgent(), join(), to_skill()]
            .map(|command| asked_in_schema_names(&command, &agent()));
        let plain = [
            Request::GetClock(Nothing {}),
            Request::KeepAlive(Nothing {}),
            Request::AgentRequestConversation(agent_conversation()),
            Request::SubscribeConversations(conversation_query()),
            Request::UnsubscribeConversations(unsubscription()),
        ];
        asked.into_iter().chain(plain.map(|request| frame(request, Dialect::Consumer))).collect()
    }),
    ("schemas-2017/ws/consumerNotifications.json", consumer_notifications),
    ("schemas-2017/ws/agentNotifications.json", || {
        let states = notification("routing.agentStateNotification", upsert(agent_state()));
        consumer_notifications().into_iter().chain([states]).collect()
    }),
    ("schemas-2017/ws/consumerResponses.json", answers),
    ("schemas-2017/ws/agentResponses.json", answers),
    ("schemas-2017/infra/header.json", || {
        let ClientProperties { app_id, app_version, os, .. } = client_properties();
        vec![ClientProperties { app_id, app_version, os, ..ClientProperties::default() }.header()]
    }),
    ("schemas-2017/infra/consumerAuthenticationHeader.json", || vec![init_connection()["headers"][0].take()]),
    ("schemas-devcenter/infra/clientPropertiesHeader.json", || vec![init_connection()["headers"][1].take()]),
    ("schemas-2017/infra/keepAlive.json", || vec![frame(Request::KeepAlive(Nothing {}), Dialect::Brand)]),
    ("schemas-2017/infra/stringRespBody.json", || answers().into_iter().map(body).filter(Value::is_string).collect()),
    ("schemas-devcenter/infra/req.json", || {
        let sides = [agent(), consumer()].map(|side| asked(&text(), &side));
        sides.into_iter().chain([asked(&join(), &agent()), init_connection()]).collect()
    }),
    ("schemas-devcenter/infra/metadata/Metadata.json", || vec![asked(&text(), &agent())["metadata"].take()]),
    ("schemas-2017/aam/subscribeExConversations.json", || {
        vec![body(frame(Request::SubscribeConversations(conversation_query()), Dialect::Brand))]
    }),
    ("schemas-2017/aam/unsubscribeExConversations.json", || {
        vec![body(frame(Request::UnsubscribeConversations(unsubscription()), Dialect::Brand))]
    }),
    ("schemas-2017/aam/subscribeExConversationsNotification.json", || vec![upsert(state(Dialect::Consumer))]),
    ("schemas-devcenter/aam/subscribeExConversationsNotification.json", || vec![upsert(state(Dialect::Consumer))]),
    ("schemas-2017/cm/agentRequestConversation.json", || {
        vec![body(frame(Request::AgentRequestConversation(agent_conversation()), Dialect::Brand))]
    }),
    ("schemas-2017/cm/updateConversationFieldBody.json", || {
        [urgent(), join(), to_skill()].map(|command| body(asked(&command, &agent()))).into()
    }),
    ("schemas-2017/cm/types/ParticipantsChange.json", || changes(asked(&join(), &agent()))),
    ("schemas-2017/cm/types/SkillChange.json", || changes(asked(&to_skill(), &agent())).into_iter().take(1).collect()),
    ("schemas-2017/cm/types/TTRChange.json", || changes(asked(&urgent(), &agent()))),
    ("schemas-2017/cm/types/StateChange.json", || {
        let change = FieldChange::ConversationStateField { conversation_state: Stage::Close };
        vec![serde_json::to_value(change).unwrap()]
    }),
    ("schemas-2017/ms/PublishEvent.json", || {
        [text(), file(), read(), typing()].map(|command| body(asked(&command, &agent()))).into()
    }),
    ("schemas-2017/ms/ContentEvent.json", || [text(), file()].map(|command| event(asked(&command, &agent()))).into()),
    ("schemas-devcenter/ms/AbstractMessagingEvent.json", || {
        [text(), file(), read(), typing()].map(|command| event(asked(&command, &agent()))).into()
    }),
    ("schemas-devcenter/ms/AcceptStatusEvent.json", || {
        let known = [DeliveryStatus::Accept, DeliveryStatus::Read, DeliveryStatus::Access, DeliveryStatus::Action];
        known.map(|status| event(asked(&receipt(status), &agent()))).into()
    }),
    ("schemas-2017/ms/messagingEventNotification.json", || vec![records()]),
    ("schemas-2017/ms/subscribeMessagingEvents.json", || {
        vec![body(frame(Request::SubscribeMessages(message_subscription()), Dialect::Consumer))]
    }),
    ("schemas-2017/ms/queryMessages.json", || vec![asked(&history(), &agent())]),
    ("schemas-devcenter/ms/queryMessages.json", || vec![asked(&history(), &agent())]),
    ("schemas-devcenter/ms/GenerateURLForUploadFileBody.json", || vec![upload(Dialect::Consumer)]),
    ("schemas-devcenter/ms/GenerateURLForDownloadFileBody.json", || {
        let request = DownloadUrlRequest { relative_path: "/v1/AUTH_async-images/12345678/a.PNG".to_owned() };
        vec![body(frame(Request::DownloadUrl(request), Dialect::Brand))]
    }),
    ("schemas-devcenter/ms/GenerateURLRespBody.json", || {
        let url =
            r#"{"relativePath":"/v1/a.PNG","queryParams":{"temp_url_sig":"6f52","temp_url_expires":"1474973420"}}"#;
        vec![answer("ms.GenerateURLResponse", url, |response| response.signed_url().is_ok())]
            .into_iter()
            .map(body)
            .collect()
    }),
    ("schemas-2017/routing/setAgentState.json", || vec![set_agent_state(AgentState::Online)]),
    ("schemas-2017/routing/agentStateNotification.json", || vec![upsert(agent_state())]),
    ("schemas-2017/routing/updateRingState.json", || {
        let ring_id = RingId::from("3f6c_12345678_1735689600000");
        [RingState::Accepted, RingState::Rejected]
            .map(|ring_state| RingAnswer { ring_id: ring_id.clone(), ring_state })
            .map(|answer| body(frame(Request::AnswerRing(answer), Dialect::Brand)))
            .into()
    }),
    ("rich-content-schemas/rich_content.json", || vec![event(asked(&rich(), &agent()))["content"].take(), card()]),
    ("rich-content-validator/quickReplies.json", || {
        vec![event(asked(&text(), &agent()))["quickReplies"].take(), quick_replies()]
    }),
];

/// Schemas that are wrong about what is written here, by a source that was seen to work.
pub(crate) const CONTRADICTED: &[(&str, Instances, &str)] = &[
    (
        "schemas-2017/ws/consumerRequests.json",
        || vec![frame(Request::GetClock(Nothing {}), Dialect::Consumer), init_connection()],
        "clocks on consumer sockets and later features are missing (protocol §3.2, §5.0)",
    ),
    (
        "schemas-2017/ws/agentRequests.json",
        || vec![asked(&text(), &agent()), frame(Request::AnswerRing(ring_answer()), Dialect::Consumer)],
        "agents' sockets have the names of v2.1; in v3 the rings' are rs.* (protocol §5.0)",
    ),
    (
        "schemas-2017/userprofile/getUserProfile.json",
        || {
            vec![body(frame(
                Request::GetUserProfile(ProfileQuery { user_id: Some(CONSUMER.to_owned()) }),
                Dialect::Consumer,
            ))]
        },
        "the body is an object on both sockets (protocol §5.9)",
    ),
    (
        "schemas-2017/types/csat.json",
        || {
            let satisfied = Command::SetCsat { rate: 5, resolved: Some(true), status: CsatStatus::Filled };
            changes(asked(&satisfied, &consumer()))
        },
        "the rate is a string when it is sent (protocol §5.7)",
    ),
    (
        "schemas-2017/cm/types/CsatChange.json",
        || {
            let skipped = Command::SetCsat { rate: 0, resolved: None, status: CsatStatus::Skipped };
            changes(asked(&skipped, &consumer()))
        },
        "the rate is a string when it is sent, and the confirmation may be null (protocol §5.7)",
    ),
    (
        "schemas-2017/cm/types/ParticipantsChange.json",
        || {
            let to_agent = Command::Transfer { agent: Some(AgentId::from("12345678.77")), skill: None };
            changes(asked(&to_agent, &agent())).into_iter().take(1).collect()
        },
        "agents are suggested (protocol 5.7)",
    ),
    (
        "schemas-2017/cm/updateConversationFieldBody.json",
        || [Command::Close, Command::CloseAtOnce].map(|command| body(asked(&command, &agent()))).into(),
        "dialogs and stages came later (protocol 5.7)",
    ),
    (
        "schemas-devcenter/ms/RichContent.json",
        || vec![event(asked(&rich(), &agent()))],
        "every client calls the member content (protocol 5.6)",
    ),
    (
        "schemas-2017/ms/AcceptStatusEvent.json",
        || vec![event(asked(&receipt(DeliveryStatus::Action), &agent()))],
        "clicks came later (schemas-devcenter)",
    ),
    (
        "schemas-devcenter/ms/GenerateURLForUploadFileBody.json",
        || vec![upload(Dialect::Brand)],
        "the size is a number on brand sockets (protocol §5.10)",
    ),
    (
        "schemas-2017/routing/setAgentState.json",
        || vec![set_agent_state(AgentState::Occupied)],
        "the state OCCUPIED is missing (protocol 5.8)",
    ),
    (
        "schemas-2017/routing/routingTaskNotification.json",
        || vec![upsert(routing_task())],
        "routingTaskId is internal, and missing in early frames (protocol §6.3)",
    ),
];

/// Files that concern nothing here, and why. Those that are no JSON schemas say so first.
pub(crate) const UNCONCERNED: &[(&str, &str)] = &[
    ("schemas-2017/OAI/agent-messaging.yaml", "no schema of frames: the pages that describe them"),
    ("schemas-2017/OAI/appJwtAPI.yaml", "no schema of frames: an HTTP interface"),
    ("schemas-2017/OAI/consumer-messaging.yaml", "no schema of frames: the pages that describe them"),
    ("schemas-2017/OAI/csds.yaml", "no schema of frames: an HTTP interface"),
    ("schemas-devcenter/connectorapi/setUserProfile.json", "no schema but an example, read by its own test"),
    (
        "schemas-2017/userprofile/getUserProfileResp.json",
        "an SDK's form; both sockets answer an object (protocol §5.9)",
    ),
    ("schemas-2017/userprofile/customerInfo.json", "passed on raw, within authenticatedData"),
    ("schemas-2017/userprofile/personalInfo.json", "passed on raw, within authenticatedData"),
    ("schemas-2017/userprofile/authinfo.json", "passed on raw, within authenticatedData"),
    (
        "rich-content-validator/abcMetadataRoot.json",
        "its limit is the one of all metadata, and its parts are published nowhere",
    ),
];

#[test]
fn the_example_of_a_profile_is_read_as_a_request() {
    let example = super::data::text("schemas-devcenter/connectorapi/setUserProfile.json");
    let frame = RequestFrame::decode(&example).unwrap();
    assert_eq!(frame.id.as_str(), "1");
    let Request::SetUserProfile(profile) = frame.request else { panic!("not a profile") };
    assert_eq!(profile["authenticatedData"]["lp_sdes"][1]["personal"]["firstname"], "John");
}

fn consumer_notifications() -> Vec<Value> {
    vec![
        notification("ms.MessagingEventNotification", records()),
        notification("cqm.ExConversationChangeNotification", upsert(state(Dialect::Consumer))),
    ]
}

/// An answer as the schemas have it, which must be read as what it is.
fn answer(kind: &str, body: &str, is_read: fn(&Response<'_>) -> bool) -> Value {
    let text = format!(r#"{{"kind":"resp","reqId":"1","code":200,"type":"{kind}","body":{body}}}"#);
    let Ok(Frame::Response(response)) = Frame::decode(&text) else { panic!("not a response: {text}") };
    assert!(is_read(&response), "not read: {text}");
    serde_json::from_str(&text).unwrap()
}

fn answers() -> Vec<Value> {
    vec![
        answer("cm.RequestConversationResponse", r#"{"conversationId":"3f6c1a52"}"#, |response| {
            response.conversation_created().is_ok_and(|id| id.as_str() == "3f6c1a52")
        }),
        answer(".ReqBody$StringResp", r#""OK Agent added successfully""#, |response| response.changed().is_ok()),
        answer("ms.PublishEventResponse", r#"{"sequence":12}"#, |response| response.published() == Ok(Some(12))),
        answer("GenericSubscribeResponse", r#"{"subscriptionId":"9e8d"}"#, |response| response.subscribed().is_ok()),
        answer("cqm.SubscribeExConversationsResponse", r#"{"subscriptionId":"1b2c"}"#, |response| {
            response.subscribed().is_ok_and(|id| id.as_str() == "1b2c")
        }),
    ]
}

fn join() -> Command {
    Command::Join { role: ParticipantRole::Manager, dialog: None }
}

fn to_skill() -> Command {
    Command::Transfer { agent: None, skill: Some(SkillId::from("501234567")) }
}

fn history() -> Command {
    Command::QueryMessages { dialog: None, range: Default::default() }
}

fn message_subscription() -> MessageSubscription {
    MessageSubscription { conversation_id: CONVERSATION.into(), dialog_id: CONVERSATION.into(), from_seq: 0 }
}

fn conversation_query() -> ConversationQuery {
    ConversationQuery {
        brand_id: Some(AccountId::from("12345678")),
        agent_ids: vec![AgentId::from(AGENT)],
        conv_state: vec![Stage::Open, Stage::Close],
        stage: vec![Stage::Open],
        min_last_updated_time: Some(tertulia_core::time::Timestamp(0)),
        ..ConversationQuery::default()
    }
}

fn unsubscription() -> Unsubscription {
    Unsubscription { subscription_id: SubscriptionId::from("1b2c3d4e") }
}

fn agent_conversation() -> AgentConversationRequest {
    AgentConversationRequest {
        channel_type: ChannelType::Messaging,
        consumer_id: CONSUMER.to_owned(),
        conversation_context: Some(json!({ "type": "ProactiveContext", "originConversationId": CONVERSATION })),
    }
}

fn upload(dialect: Dialect) -> Value {
    let request = UploadUrlRequest { file_size: FileSize::new(1000, dialect), file_type: "PNG".to_owned() };
    body(frame(Request::UploadUrl(request), dialect))
}

fn set_agent_state(availability: AgentState) -> Value {
    let request =
        AgentStateRequest { availability, channels: vec![ChannelType::Messaging], agent_user_id: AgentId::from(AGENT) };
    body(frame(Request::SetAgentState(request), Dialect::Brand))
}

fn agent_state() -> Value {
    let change = AgentStateChange { availability: AgentState::Online, agent_user_id: Some(AgentId::from(AGENT)) };
    serde_json::to_value(change).unwrap()
}

fn ring_answer() -> RingAnswer {
    RingAnswer { ring_id: RingId::from("3f6c_12345678_1735689600000"), ring_state: RingState::Accepted }
}

fn routing_task() -> Value {
    let ring = Ring {
        ring_id: "3f6c_12345678_1735689600000".into(),
        ring_state: RingState::Waiting,
        ring_expiration: Some(72_000),
        ring_expiration_ts: None,
        weight: None,
        conv_id: None,
        consumer_id: None,
        skill_id: None,
        brand_id: None,
    };
    let task = RoutingTask {
        task_completed: Some(false),
        conversation_id: Some(CONVERSATION.into()),
        consumer_id: Some(CONSUMER.into()),
        skill_id: Some("-1".into()),
        rings_details: vec![ring],
    };
    serde_json::to_value(task).unwrap()
}
