//! Every published sample is read as what it is.

use std::collections::BTreeSet;

use serde_json::value::RawValue;
use tertulia_core::{
    conversation::{Conversation, HistoryStart, Participant},
    id::ConversationId,
    time::Timestamp,
    ums::*,
};

use super::data;

/// One test for each sample; together they are all the samples that are read.
macro_rules! samples {
    ($($(#[$doc:meta])* $file:literal => $name:ident($text:ident) $body:block)+) => {
        const READ: &[&str] = &[$($file),+];

        $($(#[$doc])* #[test] fn $name() {
            let sample = data::text(concat!("samples/", $file));
            let $text = sample.as_str();
            $body
        })+
    };
}

/// Samples of what is not on this wire.
const NOT_READ: &[(&str, &str)] =
    &[("connector-app-installation.json", "a document of the brand's administration; nothing here reads it")];

#[test]
fn no_sample_is_left_out() {
    let listed: BTreeSet<String> =
        READ.iter().chain(NOT_READ.iter().map(|(file, _)| file)).map(|file| format!("samples/{file}")).collect();
    assert_eq!(data::files("samples"), listed);
}

fn change(text: &str) -> (ChangeKind, ConversationState<'_>) {
    let change: Change<'_> = serde_json::from_str(text).unwrap();
    let state: ConversationState<'_> = serde_json::from_str(change.result.unwrap().get()).unwrap();
    assert_eq!(change.conversation_id().unwrap(), state.conv_id);
    (change.kind, state)
}

fn conversations(text: &str) -> Vec<ConversationState<'_>> {
    let Frame::Notification(Notification::Conversations(body)) = Frame::decode(text).unwrap() else {
        panic!("not of conversations: {text}")
    };
    body.changes.iter().map(|change| serde_json::from_str(change.result.unwrap().get()).unwrap()).collect()
}

/// The conversation that a sample's frames tell of, and the names of what its states tell.
fn conversation_of(sample: &str, told: &mut Vec<&'static str>) -> Conversation {
    let mut conversation: Option<Conversation> = None;
    for frame in frames(sample) {
        let Ok(Frame::Notification(Notification::Conversations(body))) = Frame::decode(frame.get()) else { continue };
        for change in &body.changes {
            let id = ConversationId::from(&change.conversation_id().unwrap());
            let unseen = || Conversation::new(id, Dialect::Consumer, HistoryStart::Beginning).by_webhook();
            let conversation = conversation.get_or_insert_with(unseen);
            let reception = conversation.receive_state(change.result.unwrap().get()).unwrap();
            told.extend(reception.events.iter().map(|event| event.name()));
        }
    }
    conversation.unwrap()
}

fn records(text: &str) -> Vec<MessageRecord<'_>> {
    let Frame::Notification(Notification::Messages(body)) = Frame::decode(text).unwrap() else {
        panic!("not of messages: {text}")
    };
    body.records
}

fn frames(text: &str) -> Vec<&RawValue> {
    serde_json::from_str(text).unwrap()
}

fn response(text: &str) -> Response<'_> {
    let Frame::Response(response) = Frame::decode(text).unwrap() else { panic!("not a response: {text}") };
    response
}

/// A body alone as the frame that would carry it; samples of an SDK's events have no envelope.
fn enveloped(kind: &str, body: &str) -> String {
    format!(r#"{{"kind":"notification","type":"{kind}","body":{body}}}"#)
}

fn people(details: &ConversationDetails<'_>) -> Vec<String> {
    let told = |person: Person<'_>| format!("{} {:.8} {:?}", person.role, person.user_id, person.agent_id.as_deref());
    details.people().into_iter().map(told).collect()
}

fn text_of(record: &MessageRecord<'_>) -> Option<String> {
    match &record.event {
        MessageContent::Content { content_type: ContentType::PlainText, message, .. } => message.read_owned().ok(),
        _ => None,
    }
}

samples! {
    "v2-exconversation-change-postsurvey.json" => a_raw_brand_change_tells_of_a_survey(text) {
        let (kind, state) = change(text);
        assert_eq!(kind, ChangeKind::Upsert);
        assert_eq!(state.effective_ttr, Presence::Value(Timestamp(-1)));
        assert_eq!(state.number_of_unread_messages.value().unwrap().0.len(), 3);
        let details = state.conversation_details.unwrap();
        assert_eq!((details.state.as_ref(), details.stage.as_ref()), (Some(&Stage::Close), Some(&Stage::Open)));
        assert_eq!(people(&details), [
            "CONSUMER 102f8362 None",
            r#"MANAGER f675416a Some("2344566.1282051932")"#,
            r#"MANAGER 8ffebb81 Some("2344566.901083232")"#,
            r#"CONTROLLER 2344566. Some("2344566.1257599432")"#,
        ]);
        let [survey, main] = &details.dialogs[..] else { panic!("two dialogs") };
        assert_eq!(survey.dialog_type, Some(DialogType::PostSurvey));
        assert!(survey.meta_data.as_ref().unwrap().get().contains("appInstallId"));
        assert_eq!((main.state.as_ref(), main.closed_by.as_ref()), (Some(&DialogStatus::Close), Some(&CloseReason::Agent)));
        assert_eq!(details.conversation_handler_details.value().unwrap().account_id.as_deref(), Some("2344566"));
    }

    /// The one damaged sample: upstream lost some lines of it, so that `ttr` runs into the client's properties, the
    /// handler has slipped out of the details and the last content out of the state. It is valid JSON still, hence it
    /// is read; what slipped is absent, what does not belong is ignored.
    "v2-exconversation-change-suggested-agent.json" => the_damaged_sample_is_read_without_what_slipped_out(text) {
        let (_, state) = change(text);
        assert!(state.last_content_event_notification.is_none());
        let details = state.conversation_details.unwrap();
        assert!(details.conversation_handler_details.is_absent() && details.context.is_absent());
        assert_eq!(details.ttr, Presence::Value(Ttr { ttr_type: Some(TtrType::Unlisted("".into())), value: None }));
        let main = details.dialogs.iter().find(|dialog| dialog.dialog_type == Some(DialogType::Main)).unwrap();
        let suggested = main.participants_details.iter().flatten().find(|person| person.role == Some(ParticipantRole::AssignedAgent));
        let suggested = suggested.unwrap();
        assert_eq!((suggested.id.as_str(), suggested.state.as_ref()), ("7149717.880365851", Some(&ParticipantStatus::Suggested)));
        assert!(details.people().iter().all(|person| person.role != ParticipantRole::AssignedAgent));
    }

    "webhook-exconversation-change-open.json" => a_webhook_tells_of_an_open_conversation(text) {
        let states = conversations(text);
        let details = states[0].conversation_details.as_ref().unwrap();
        assert_eq!(states[0].effective_ttr, Presence::Value(Timestamp(1_544_179_332_214)));
        assert_eq!(details.stage, Some(Stage::Open));
        assert_eq!(details.ttr, Presence::Value(Ttr { ttr_type: Some(TtrType::Prioritized), value: Some(600) }));
        assert_eq!(people(details), ["CONSUMER 5c40c773 None"]);
        assert_eq!(details.dialogs[0].participants_details.as_ref().unwrap()[0].state, None);
    }

    "webhook-exconversation-change-closed.json" => a_webhook_tells_of_a_closed_conversation(text) {
        let states = conversations(text);
        let details = states[0].conversation_details.as_ref().unwrap();
        assert_eq!(details.stage, Some(Stage::Close));
        assert_eq!(details.close_reason, Some(CloseReason::Consumer));
        assert_eq!(details.end_ts, Some(Timestamp(1_545_399_379_370)));
        assert_eq!(people(details), ["CONTROLLER 52e05c00 None", "CONSUMER 2969e404 None"]);
    }

    "webhook-messaging-event-chatstate-pause.json" => a_webhook_tells_of_a_pause(text) {
        let records = records(text);
        assert_eq!(records[0].event, MessageContent::ChatState { chat_state: ChatState::Pause });
        assert_eq!(records[0].sequence, None);
        assert_eq!(records[0].originator_role(), Some(&ParticipantRole::Consumer));
    }

    "webhook-content-event-with-audience.json" => a_webhook_tells_of_a_message_with_its_audience(text) {
        let records = records(text);
        assert_eq!((records[0].sequence, text_of(&records[0]).as_deref()), (Some(39), Some("sample")));
        assert_eq!(records[0].message_audience, Some(MessageAudience::All));
        assert_eq!(records[0].conversation_id, records[0].dialog_id);
    }

    "webhook-lifecycle-devcenter.json" => webhooks_tell_of_a_short_conversation(text) {
        let frames = frames(text);
        let (mut states, mut sequences, mut texts) = (0, Vec::new(), Vec::new());
        for frame in frames {
            match Frame::decode(frame.get()).unwrap() {
                Frame::Notification(Notification::Conversations(_)) => {
                    states += conversations(frame.get()).len();
                }
                Frame::Notification(Notification::Messages(_)) => {
                    let records = records(frame.get());
                    sequences.extend(records[0].sequence);
                    texts.extend(text_of(&records[0]));
                }
                other => panic!("{other:?}"),
            }
        }
        assert_eq!((states, sequences), (2, vec![0, 1, 2, 3]));
        let mut told = Vec::new();
        let conversation = conversation_of(text, &mut told);
        assert_eq!(told, ["conversation", "participant-added", "update"]);
        let user = |participant: Option<&Participant>| participant.map(|participant| participant.user_id.to_string());
        assert_eq!(user(conversation.assigned_agent()).as_deref(), Some("29c3019d-fe0b-5200-afe8-737abfeae4b4"));
        assert!(user(conversation.consumer()).is_some_and(|consumer| consumer.starts_with("ade26082b118")));
        assert_eq!(texts, ["Hello from Consumer", "Hello from the Agent\n", "Hello from Agent\n"]);
    }

    "raw-frames-2017-agent-v2.json" => raw_frames_of_a_brand_socket_are_read(text) {
        let frames = frames(text);
        let profile: UserProfile<'_> = response(frames[0].get()).outcome().unwrap().unwrap().read().map(|profile: UserProfile<'_>| {
            UserProfile { user_id: profile.user_id.map(|id| id.into_owned().into()), ..UserProfile::default() }
        }).unwrap();
        assert_eq!(profile.user_id.as_deref(), Some("qa20971604.3836897210"));
        assert_eq!(response(frames[1].get()).changed(), Ok(()));
        assert_eq!(response(frames[2].get()).subscribed().unwrap().as_str(), "36267a8d-adf9-4dd9-994c-e1fd73fc3735");
        let rings = |text| match Frame::decode(text).unwrap() {
            Frame::Notification(Notification::Rings(rings)) => rings,
            other => panic!("{other:?}"),
        };
        assert!(rings(frames[3].get()).changes.is_empty());
        let offered = rings(frames[4].get());
        let ring = &offered.changes[0].result.as_ref().unwrap().rings_details[0];
        assert_eq!((&ring.ring_state, ring.ring_expiration), (&RingState::Waiting, Some(72_000)));
        assert_eq!(response(frames[5].get()).changed(), Ok(()));
        let message = &records(frames[6].get())[0];
        assert_eq!((message.sequence, text_of(message).as_deref()), (Some(2), Some("From consumer")));
        assert_eq!(message.originator_user_id(), Some("3b5b7ec6-2b0f-53af-9afd-11d4072c85a7"));
        assert_eq!(frames.len(), 7);
    }

    "raw-frames-2017-consumer-v3.json" => raw_frames_of_a_consumer_socket_are_read(text) {
        let frames = frames(text);
        let created = response(frames[0].get()).conversation_created().unwrap();
        assert_eq!(created, ConversationId::from("7507be78-60ef-4468-b3b1-baa47fbeea21"));
        assert!(response(frames[1].get()).outcome().unwrap().is_none());
        assert_eq!(response(frames[2].get()).subscribed().unwrap().as_str(), "6a06020c-ef69-4bb4-ab72-934d032d106a");
        assert_eq!(text_of(&records(frames[3].get())[0]).as_deref(), Some("message from the agent"));
        let url = response(frames[4].get()).signed_url().unwrap();
        assert_eq!(url.query_params.temp_url_expires, Timestamp(1_474_973_420));
        assert_eq!(frames.len(), 5);
    }

    "connector-conversation-response.json" => the_send_api_answers_each_request_of_a_list(text) {
        let answers = frames(text);
        assert_eq!(response(answers[0].get()).changed(), Ok(()));
        let created = response(answers[1].get());
        assert_eq!(created.request_id.as_deref(), Some("2,"), "the comma is the sample's");
        assert_eq!(created.conversation_created().unwrap().as_str(), "8602832d-dce1-446b-8445-0d51f5926a42");
    }

    "connector-error-response.json" => the_send_api_refuses_in_a_structure(text) {
        let refusal = response(text).outcome().unwrap_err();
        let text = "40104 AppJWT is missing AUTHORIZATION header is not present".to_owned();
        assert_eq!(refusal, AnswerError::Refused { code: 401, text });
    }

    "nas-readme-exconversation-change-v3body.json" => a_transformed_body_tells_of_a_conversation(text) {
        let frame = enveloped("cqm.ExConversationChangeNotification", text);
        let states = conversations(&frame);
        let details = states[0].conversation_details.as_ref().unwrap();
        assert_eq!(people(details), ["CONSUMER d51ce914 None", "MANAGER 1a41233d None", "ASSIGNED_AGENT 393c6873 None"]);
        let conversation = conversation_of(&format!("[{frame}]"), &mut Vec::new());
        assert!(conversation.assigned_agent().is_some_and(|agent| agent.user_id.as_str().starts_with("393c6873")));
        assert!(conversation.consumer().is_some_and(|consumer| consumer.user_id.as_str().starts_with("d51ce914")));
        let last = states[0].last_content_event_notification.as_ref().unwrap();
        assert_eq!(last.sequence, Some(29));
        assert!(matches!(last.event, MessageContent::Rich { .. }));
        assert!(matches!(details.context, Presence::Value(_)));
    }

    "nas-readme-messaging-event-content.json" => a_transformed_body_tells_of_a_message(text) {
        let frame = enveloped("ms.MessagingEventNotification", text);
        let record = &records(&frame)[0];
        assert_eq!((record.sequence, text_of(record).as_deref()), (Some(10), Some("16:32:31 GMT-0500 (EST)")));
    }

    "nas-readme-messaging-event-chatstate-active.json" => a_transformed_body_tells_of_a_chat_state(text) {
        let frame = enveloped("ms.MessagingEventNotification", text);
        assert_eq!(records(&frame)[0].event, MessageContent::ChatState { chat_state: ChatState::Active });
    }

    "nas-readme-change-accept-read.json" => a_transformed_record_is_a_receipt(text) {
        let record: MessageRecord<'_> = serde_json::from_str(text).unwrap();
        let read = MessageContent::AcceptStatus { status: DeliveryStatus::Read, sequences: vec![8] };
        assert_eq!((record.sequence, &record.event), (Some(9), &read));
    }

    "nas-readme-change-chatstate-background.json" => a_transformed_record_is_of_a_phone_put_away(text) {
        let record: MessageRecord<'_> = serde_json::from_str(text).unwrap();
        assert_eq!(record.event, MessageContent::ChatState { chat_state: ChatState::Background });
    }

    "nas-readme-change-chatstate-composing.json" => a_transformed_record_is_of_typing(text) {
        let record: MessageRecord<'_> = serde_json::from_str(text).unwrap();
        assert_eq!(record.event, MessageContent::ChatState { chat_state: ChatState::Composing });
    }

    "nas-readme-routing-task-notification-v3body.json" => a_transformed_body_tells_of_a_ring(text) {
        let frame = enveloped("routing.RoutingTaskNotification", text);
        let Frame::Notification(Notification::Rings(rings)) = Frame::decode(&frame).unwrap() else { panic!("not rings") };
        let task = rings.changes[0].result.as_ref().unwrap();
        assert_eq!(task.task_completed, Some(true));
        let ring = &task.rings_details[0];
        assert_eq!((&ring.ring_state, ring.weight), (&RingState::Accepted, Some(1_517_004_427_244)));
    }

    "nas-readme-agent-state-notification-v3body.json" => a_transformed_body_tells_of_an_agents_state(text) {
        let frame = enveloped("routing.AgentStateNotification", text);
        let Frame::Notification(Notification::AgentStates(states)) = Frame::decode(&frame).unwrap() else {
            panic!("not agent states")
        };
        assert_eq!(states, [AgentStateChange { availability: AgentState::Online, agent_user_id: None }]);
    }
}
