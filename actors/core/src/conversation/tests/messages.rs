//! The events of records (MS-1 to MS-10).

use serde_json::json;

use super::{
    super::{BackFill, ConversationEvent, HistoryStart, Message, Outcome, Reception, contents::REMEMBERED},
    Conversation, ConversationId, Dialect, ID, content, labels, main_id, receive, seen, state, told, unseen,
};
use crate::ums::{ChatState, ContentType, MessageAudience, MessageRecord, ParticipantRole};

fn message(reception: &Reception) -> &Message {
    match &reception.events[..] {
        [ConversationEvent::Message(message)] => message,
        other => panic!("expected a message, got {other:?}"),
    }
}

#[test]
fn a_message_tells_all_that_its_record_does() {
    let mut conversation = seen(&state(Dialect::Brand, 10, "C:carol A:anna"));
    let record = json!({
        "sequence": 0, "originatorId": "12345678.anna", "originatorPId": "anna",
        "originatorMetadata": {"id": "anna", "role": "ASSIGNED_AGENT"}, "serverTimestamp": 1234, "dialogId": ID,
        "messageAudience": "AGENTS_AND_MANAGERS", "metadata": [{"type": "ExternalId", "id": "g1"}],
        "event": {"type": "ContentEvent", "message": "hello", "contentType": "text/plain",
            "quickReplies": {"type": "quickReplies"}},
    });
    let reception = receive(&mut conversation, &record);
    let message = message(&reception);
    assert_eq!(message.text().as_deref(), Some("hello"));
    assert_eq!(message.originator_id.as_ref().map(|id| id.as_str()), Some("anna"));
    assert_eq!(message.role, Some(ParticipantRole::AssignedAgent));
    assert_eq!(message.message_audience, MessageAudience::AgentsAndManagers);
    assert_eq!(message.content_type, Some(ContentType::PlainText));
    assert_eq!(message.time.map(|time| time.0), Some(1234));
    assert_eq!(json!(message)["metadata"], json!([{"type": "ExternalId", "id": "g1"}]));
    assert_eq!(json!(message)["quickReplies"], json!({"type": "quickReplies"}));
}

#[test]
fn rich_content_has_a_body_and_no_content_type() {
    let mut conversation = seen(&state(Dialect::Consumer, 10, "C:carol"));
    let card = json!({"type": "vertical", "elements": []});
    let record = json!({"sequence": 0, "dialogId": ID, "event": {"type": "RichContentEvent", "content": card}});
    let reception = receive(&mut conversation, &record);
    let message = message(&reception);
    assert_eq!((message.content_type.clone(), json!(message)["body"].clone()), (None, card));
    // MS-5: an absent audience is unknown.
    assert_eq!(message.message_audience, MessageAudience::Unknown);
}

/// MS-1: content and receipts share one sequence per dialog.
#[test]
fn content_and_receipts_are_reported_in_one_order() {
    let mut conversation = seen(&state(Dialect::Brand, 10, "C:carol A:anna"));
    let receipt = json!({"sequence": 1, "originatorId": "12345678.anna", "originatorPId": "anna", "dialogId": ID,
        "originatorMetadata": {"id": "anna", "role": "ASSIGNED_AGENT"},
        "event": {"type": "AcceptStatusEvent", "status": "READ", "sequenceList": [0]}});
    assert_eq!(labels(&receive(&mut conversation, &receipt)), [""; 0]);
    assert_eq!(labels(&receive(&mut conversation, &content(2))), [""; 0]);
    assert_eq!(
        labels(&receive(&mut conversation, &content(0))),
        ["message(0)", "message-delivery(READ [0])", "message(2)"]
    );
}

/// MS-2.
#[test]
fn a_record_received_before_is_dropped_silently() {
    let mut conversation = seen(&state(Dialect::Brand, 10, "C:carol"));
    receive(&mut conversation, &content(0));
    receive(&mut conversation, &content(2));
    for sequence in [0, 2] {
        let reception = receive(&mut conversation, &content(sequence));
        assert_eq!((reception.outcome, labels(&reception).len(), reception.back_fill.len()), (Outcome::Ignored, 0, 0));
    }
}

/// MS-2: an unknown kind also occupies its sequence.
#[test]
fn a_record_of_an_unknown_kind_takes_its_place_silently() {
    let mut conversation = seen(&state(Dialect::Brand, 10, "C:carol"));
    let odd = |sequence| json!({"sequence": sequence, "dialogId": ID, "event": {"type": "HologramEvent"}});
    assert_eq!(labels(&receive(&mut conversation, &odd(0))), [""; 0]);
    assert_eq!(labels(&receive(&mut conversation, &content(1))), ["message(1)"]);
    receive(&mut conversation, &odd(3));
    receive(&mut conversation, &content(4));
    assert_eq!(labels(&receive(&mut conversation, &content(2))), ["message(2)", "message(4)"]);
}

/// MS-3, MS-4, ours: delivered in order, the hole asked for once.
#[test]
fn a_hole_is_asked_for_once_and_delivery_waits_for_it() {
    let mut conversation = seen(&state(Dialect::Brand, 10, "C:carol"));
    conversation.history_exhausted(&main_id(), None, None);
    assert_eq!(labels(&receive(&mut conversation, &content(0))), ["message(0)"]);
    let first = receive(&mut conversation, &content(3));
    assert_eq!(first.back_fill.to_vec(), [BackFill { dialog_id: main_id(), newer_than: Some(0), older_than: Some(3) }]);
    assert!(receive(&mut conversation, &content(4)).back_fill.is_empty());
    assert_eq!(labels(&receive(&mut conversation, &content(1))), ["message(1)"]);
    assert_eq!(labels(&receive(&mut conversation, &content(2))), ["message(2)", "message(3)", "message(4)"]);
    assert!(conversation.history_exhausted(&main_id(), None, Some(2)).events.is_empty());
}

/// Promise 2.
#[test]
fn what_the_platform_cannot_give_is_one_gap() {
    let mut conversation = seen(&state(Dialect::Brand, 10, "C:carol"));
    conversation.history_exhausted(&main_id(), None, None);
    receive(&mut conversation, &content(0));
    receive(&mut conversation, &content(5));
    receive(&mut conversation, &content(3));
    let reception = conversation.history_exhausted(&main_id(), None, Some(4));
    assert_eq!(labels(&reception), ["gap(1..=2)", "message(3)", "gap(4..=4)", "message(5)"]);
    assert_eq!(conversation.main_dialog().and_then(|main| main.next_sequence()), Some(6));
}

/// Promise 2: the response for later records says nothing about an earlier hole, whose own response may be lost.
#[test]
fn only_what_was_asked_about_is_given_up() {
    let mut conversation = seen(&state(Dialect::Brand, 10, "C:carol"));
    conversation.history_exhausted(&main_id(), None, None);
    receive(&mut conversation, &content(0));
    receive(&mut conversation, &content(3));
    receive(&mut conversation, &content(6));
    let reception = conversation.history_exhausted(&main_id(), Some(3), Some(6));
    assert_eq!(labels(&reception), [""; 0]);
    let wanted = |newer_than, older_than| BackFill { dialog_id: main_id(), newer_than, older_than };
    assert!(reception.back_fill.contains(&wanted(Some(0), Some(3))));
    let reception = conversation.history_exhausted(&main_id(), Some(0), Some(2));
    assert_eq!(labels(&reception), ["gap(1..=2)", "message(3)"]);
    let reception = conversation.history_exhausted(&main_id(), Some(3), Some(5));
    assert_eq!(labels(&reception), ["gap(4..=5)", "message(6)"]);
}

/// CV-N6.16 and MS-5: the newest content shows that something is missing; the full record is delivered.
#[test]
fn the_newest_content_of_a_state_reveals_a_hole() {
    let mut conversation = seen(&state(Dialect::Brand, 10, "C:carol"));
    conversation.history_exhausted(&main_id(), None, None);
    let state = |time| state(Dialect::Brand, time, "C:carol").with_top("lastContentEventNotification", content(2));
    let reception = conversation.receive_state(&state(20).text()).expect("a state");
    assert_eq!(labels(&reception), [""; 0]);
    let wanted = [BackFill { dialog_id: main_id(), newer_than: None, older_than: None }];
    assert_eq!(reception.back_fill.to_vec(), wanted);
    for sequence in 0..3 {
        assert_eq!(labels(&receive(&mut conversation, &content(sequence))), [format!("message({sequence})")]);
    }
    let reception = conversation.receive_state(&state(30).text()).expect("a state");
    assert!(reception.back_fill.is_empty() && reception.events.is_empty());
}

/// CV-N6.16: a response without it is not followed by another request until there is news.
#[test]
fn newest_content_that_the_platform_does_not_give_yet_is_neither_a_gap_nor_asked_for_in_a_loop() {
    let mut conversation = seen(&state(Dialect::Brand, 10, "C:carol"));
    conversation.history_exhausted(&main_id(), None, None);
    let told = state(Dialect::Brand, 20, "C:carol").with_top("lastContentEventNotification", content(0));
    assert_eq!(conversation.receive_state(&told.text()).expect("a state").back_fill.len(), 1);
    let reception = conversation.history_exhausted(&main_id(), None, None);
    assert!(reception.events.is_empty() && reception.back_fill.is_empty());
    assert_eq!(labels(&receive(&mut conversation, &content(0))), ["message(0)"]);
}

#[test]
fn the_newest_content_of_a_first_state_is_part_of_the_history_asked_for() {
    let first = state(Dialect::Brand, 10, "C:carol").with_top("lastContentEventNotification", content(3));
    assert_eq!(unseen(Dialect::Brand).receive_state(&first.text()).expect("a state").back_fill.len(), 1);
}

/// CV-N6.16: a consumer socket receives the record without a request.
#[test]
fn a_consumer_is_not_asked_to_fetch_the_newest_content() {
    let mut conversation = seen(&state(Dialect::Consumer, 10, "C:carol"));
    conversation.history_exhausted(&main_id(), None, None);
    let told = state(Dialect::Consumer, 20, "C:carol").with_top("lastContentEventNotification", content(5));
    assert!(conversation.receive_state(&told.text()).expect("a state").back_fill.is_empty());
}

/// CV-N6.16: content named by the first state is earlier: it is not requested, and delivered only if it arrives.
#[test]
fn the_newest_content_of_the_first_state_is_reported_only_if_it_arrives_as_a_record() {
    let first = state(Dialect::Brand, 10, "C:carol").with_top("lastContentEventNotification", content(7));
    let begun = || {
        let mut conversation = Conversation::new(ConversationId::from(ID), Dialect::Brand, HistoryStart::FirstSeen);
        assert!(conversation.receive_state(&first.text()).expect("a state").back_fill.is_empty());
        conversation
    };
    assert_eq!(labels(&receive(&mut begun(), &content(7))), ["message(7)"]);
    let mut conversation = begun();
    assert_eq!(conversation.holes()[0].newer_than, Some(7));
    let later = receive(&mut conversation, &content(8));
    assert_eq!((labels(&later), later.back_fill.len()), (vec!["message(8)".to_owned()], 0));
    // Content named by a later state is newer.
    let mut conversation = begun();
    let later = state(Dialect::Brand, 20, "C:carol").with_top("lastContentEventNotification", content(9));
    let missing = conversation.receive_state(&later.text()).expect("a state").back_fill;
    assert_eq!(missing.to_vec(), [BackFill { dialog_id: main_id(), newer_than: Some(7), older_than: None }]);
}

/// MS-6.
#[test]
fn a_stranger_s_message_has_the_role_that_its_record_tells() {
    let mut conversation = seen(&state(Dialect::Brand, 10, "A:anna"));
    let reception = receive(&mut conversation, &content(0));
    assert_eq!(message(&reception).role, Some(ParticipantRole::Consumer));
    // Without metadata the role comes from the participant, found by agent id.
    let record = json!({"sequence": 1, "originatorId": "12345678.anna", "dialogId": ID,
        "event": {"type": "ContentEvent", "message": "x"}});
    let reception = receive(&mut conversation, &record);
    let message = message(&reception);
    assert_eq!(message.role, Some(ParticipantRole::AssignedAgent));
    assert_eq!(message.originator_id.as_ref().map(|id| id.as_str()), Some("anna"));
}

/// MS-7: a receipt is delivered once, with its content.
#[test]
fn a_receipt_tells_what_it_says() {
    let mut conversation = seen(&state(Dialect::Consumer, 10, "C:carol A:anna"));
    let receipt = json!({"sequence": 0, "originatorId": "carol", "dialogId": ID,
        "event": {"type": "AcceptStatusEvent", "status": "ACCEPT", "sequenceList": [4, 5]}});
    let reception = receive(&mut conversation, &receipt);
    let event = json!(reception.events[0]);
    assert_eq!(
        (&event["status"], &event["sequences"], &event["role"]),
        (&json!("ACCEPT"), &json!([4, 5]), &json!("CONSUMER"))
    );
}

/// MS-12: a message is read by the participant whose role counted at that time; a receipt of arrival is not a read.
#[test]
fn a_message_is_read_by_the_consumer_and_the_assigned_agent_of_that_time() {
    let mut conversation = seen(&state(Dialect::Consumer, 10, "C:carol A:anna M:max"));
    let receipt = |sequence: u64, who: &str, status: &str, read: u64| {
        json!({"sequence": sequence, "originatorId": who, "dialogId": ID,
            "event": {"type": "AcceptStatusEvent", "status": status, "sequenceList": [read]}})
    };
    let reads = |conversation: &Conversation| {
        let main = conversation.main_dialog().unwrap();
        [0, 1].map(|sequence| (main.has_consumer_read(sequence), main.has_assigned_agent_read(sequence)))
    };
    receive(&mut conversation, &receipt(0, "carol", "ACCEPT", 1));
    receive(&mut conversation, &receipt(1, "max", "READ", 1));
    assert_eq!(reads(&conversation), [(false, false), (false, false)]);
    // Delivered only when the hole before them is filled, like all records.
    receive(&mut conversation, &receipt(3, "anna", "READ", 1));
    assert_eq!(reads(&conversation), [(false, false), (false, false)]);
    receive(&mut conversation, &receipt(2, "carol", "READ", 0));
    assert_eq!(reads(&conversation), [(true, true), (false, true)]);
    let snapshot = serde_json::to_string(&conversation).unwrap();
    assert_eq!(reads(&serde_json::from_str(&snapshot).unwrap()), [(true, true), (false, true)]);
}

/// MS-8, ours: a message of an unknown dialog is delivered, and the dialog is emitted when a state contains it.
#[test]
fn a_message_of_an_unknown_dialog_is_not_lost() {
    let mut conversation = seen(&state(Dialect::Brand, 10, "C:carol"));
    let record =
        json!({"sequence": 0, "dialogId": super::SURVEY, "event": {"type": "ContentEvent", "message": "rate us"}});
    assert_eq!(labels(&receive(&mut conversation, &record)), ["message(0)"]);
    let told = told(&mut conversation, &state(Dialect::Brand, 20, "C:carol").with_survey("OPEN"));
    assert_eq!(told, ["dialog(survey-1)", "update(dialogs)"]);
}

/// MS-9: records may name neither dialog nor conversation.
#[test]
fn a_record_without_a_dialog_is_of_its_batch_or_of_main() {
    let mut conversation = unseen(Dialect::Consumer);
    let text = json!({"sequence": 0, "event": {"type": "ContentEvent", "message": "x"}}).to_string();
    let record: MessageRecord<'_> = serde_json::from_str(&text).expect("a record");
    let dialog_of = |reception: &Reception| message(reception).dialog_id.to_string();
    assert_eq!(dialog_of(&conversation.receive_record(&record, Some(super::SURVEY))), super::SURVEY);
    assert_eq!(dialog_of(&conversation.receive_record(&record, None)), ID);
}

/// MS-10: a chat state has no sequence, and an unknown user's chat state is no error.
#[test]
fn a_chat_state_is_reported_at_once_and_kept_with_the_participant() {
    let mut conversation = seen(&state(Dialect::Brand, 10, "C:carol A:anna"));
    let typing = |user: &str| {
        json!({"originatorId": user, "dialogId": ID,
        "event": {"type": "ChatStateEvent", "chatState": "COMPOSING"}})
    };
    assert_eq!(labels(&receive(&mut conversation, &typing("12345678.anna"))), ["chat-state"]);
    assert_eq!(conversation.assigned_agent().map(|agent| agent.chat_state.clone()), Some(ChatState::Composing));
    assert_eq!(labels(&receive(&mut conversation, &typing("stranger"))), ["chat-state"]);
    // The chat state is kept by a state without changes of the participant.
    told(&mut conversation, &state(Dialect::Brand, 20, "C:carol A:anna M:max"));
    assert_eq!(conversation.assigned_agent().map(|agent| agent.chat_state.clone()), Some(ChatState::Composing));
}

/// CV-F5: the response to a query has the messages, including those delivered before, but not the receipts.
#[test]
fn a_queried_record_is_the_message_that_it_was_when_delivered() {
    let mut conversation = seen(&state(Dialect::Brand, 10, "C:carol"));
    let delivered = receive(&mut conversation, &content(0));
    let text = content(0).to_string();
    let queried = conversation.message_of(&serde_json::from_str(&text).expect("a record")).expect("a message");
    assert_eq!(json!(*queried), json!(message(&delivered)));
    let receipt = json!({"sequence": 1, "dialogId": ID,
        "event": {"type": "AcceptStatusEvent", "status": "READ", "sequenceList": [0]}})
    .to_string();
    assert!(conversation.message_of(&serde_json::from_str(&receipt).expect("a record")).is_none());
}

#[test]
fn content_without_a_sequence_has_no_place_and_is_dropped() {
    let mut conversation = seen(&state(Dialect::Brand, 10, "C:carol"));
    let record = json!({"dialogId": ID, "event": {"type": "ContentEvent", "message": "x"}});
    assert_eq!(receive(&mut conversation, &record).outcome, Outcome::Ignored);
}

#[test]
fn after_a_reconnect_every_open_dialog_is_asked_for_from_its_next_message_on() {
    let mut conversation = seen(&state(Dialect::Brand, 10, "C:carol").with_survey("CLOSE"));
    receive(&mut conversation, &content(0));
    receive(&mut conversation, &content(5));
    assert_eq!(conversation.holes(), [BackFill { dialog_id: main_id(), newer_than: Some(0), older_than: None }]);
}

/// A history is urgent unless the newest state shows that no message is missing.
#[test]
fn messages_are_missing_when_a_state_tells_of_one_that_did_not_come_or_of_none() {
    let state = |time| state(Dialect::Brand, time, "C:carol");
    let telling = |time, sequence| state(time).with_top("lastContentEventNotification", content(sequence));
    let mut conversation = seen(&state(10));
    assert!(conversation.misses_messages(), "nothing is told");
    told(&mut conversation, &telling(20, 0));
    assert!(conversation.misses_messages(), "message 0 did not come");
    receive(&mut conversation, &content(0));
    assert!(!conversation.misses_messages());
    told(&mut conversation, &state(30));
    assert!(conversation.misses_messages(), "a newer state tells of none");
}

/// Promise 2: an empty response says nothing about later messages.
#[test]
fn an_empty_history_gives_up_nothing_that_is_still_on_its_way() {
    let mut conversation = seen(&state(Dialect::Brand, 10, "C:carol"));
    receive(&mut conversation, &content(1));
    let reception = conversation.history_exhausted(&main_id(), None, None);
    assert!(reception.events.is_empty());
    assert_eq!(receive(&mut conversation, &content(0)).events.len(), 2);
}

/// SR-1: a webhook is not repeated, so waiting records are part of the snapshot.
#[test]
fn records_that_wait_survive_a_reload() {
    let mut conversation = seen(&state(Dialect::Consumer, 10, "C:carol A:anna"));
    let receipt = json!({"sequence": 2, "originatorId": "anna", "dialogId": ID,
        "event": {"type": "AcceptStatusEvent", "status": "READ", "sequenceList": [1]}});
    let unlisted = json!({"sequence": 3, "dialogId": ID, "event": {"type": "Unheard"}});
    for record in [receipt, unlisted, content(4), content(1)] {
        assert_eq!(labels(&receive(&mut conversation, &record)), [""; 0]);
    }
    let snapshot = serde_json::to_string(&conversation).expect("a snapshot");
    let mut reloaded: Conversation = serde_json::from_str(&snapshot).expect("a conversation");
    assert_eq!(receive(&mut reloaded, &content(4)).outcome, Outcome::Ignored);
    let expected = labels(&receive(&mut conversation, &content(0)));
    assert_eq!(expected, ["message(0)", "message(1)", "message-delivery(READ [1])", "message(4)"]);
    assert_eq!(labels(&receive(&mut reloaded, &content(0))), expected);
}

/// By webhook a chat state may arrive before the state that names its participant.
#[test]
fn a_chat_state_that_comes_before_its_participant_is_not_lost() {
    let mut conversation = seen(&state(Dialect::Consumer, 10, "C:carol"));
    let typing = json!({"originatorId": "anna", "dialogId": ID,
        "event": {"type": "ChatStateEvent", "chatState": "COMPOSING"}});
    assert_eq!(labels(&receive(&mut conversation, &typing)), ["chat-state"]);
    let joined = state(Dialect::Consumer, 20, "C:carol A:anna").text();
    conversation.receive_state(&joined).expect("a state");
    let anna = conversation.main_dialog().and_then(|main| main.participant("anna")).expect("anna");
    assert_eq!(anna.chat_state, ChatState::Composing);
}

/// Q4: under [`HistoryStart::FirstSeen`] an own message published before the first record is found through the missing
/// records.
#[test]
fn what_is_published_into_a_dialog_of_unknown_records_makes_all_of_them_wanted() {
    let mut conversation = Conversation::new(ID.into(), Dialect::Brand, HistoryStart::FirstSeen);
    conversation.receive_state(&state(Dialect::Brand, 10, "C:carol A:anna").text()).expect("a state");
    assert_eq!(conversation.holes(), []);
    conversation.publishing(&main_id());
    let all = BackFill { dialog_id: main_id(), newer_than: None, older_than: None };
    assert_eq!(conversation.holes(), [all]);
    receive(&mut conversation, &content(0));
    assert_eq!(conversation.main_dialog().and_then(|main| main.next_sequence()), Some(1));
    conversation.publishing(&main_id());
    assert_eq!(conversation.main_dialog().and_then(|main| main.next_sequence()), Some(1), "what has begun goes on");
}

/// SR-2, ours: delivered messages are not stored at all, not even as a digest.
#[test]
fn a_stored_conversation_has_no_text_of_a_message_that_was_delivered() {
    let mut conversation = seen(&state(Dialect::Brand, 10, "C:carol A:anna"));
    receive(&mut conversation, &content(0));
    let stored = serde_json::to_string(&conversation).expect("a conversation");
    assert!(!stored.contains("text 0"), "{stored}");
}

/// Another record with a known sequence is reported.
#[test]
fn a_known_sequence_with_other_content_is_reported_once() {
    let saying = |sequence, text: &str| {
        let mut record = content(sequence);
        record["event"]["message"] = json!(text);
        record
    };
    let mut conversation = seen(&state(Dialect::Brand, 10, "C:carol"));
    for sequence in [0, 1, 3] {
        assert_eq!(receive(&mut conversation, &content(sequence)).outcome, Outcome::Processed);
    }
    // A delivered record and a waiting record.
    for taken in [1, 3] {
        let again = receive(&mut conversation, &content(taken));
        assert_eq!(again.outcome, Outcome::Ignored);
        let other = receive(&mut conversation, &saying(taken, "other"));
        assert_eq!((other.outcome, other.events.len()), (Outcome::Contradicting, 0));
        for known in ["other", &format!("text {taken}")] {
            assert_eq!(receive(&mut conversation, &saying(taken, known)).outcome, Outcome::Ignored, "{known}");
        }
        assert_eq!(receive(&mut conversation, &saying(taken, "a third")).outcome, Outcome::Contradicting);
    }
    let mut receipt = content(1);
    receipt["event"] = json!({"type": "AcceptStatusEvent", "status": "READ", "sequenceList": [0]});
    assert_eq!(receive(&mut conversation, &receipt).outcome, Outcome::Contradicting);
    let mut html = saying(1, "<b>text 1</b>");
    html["event"]["contentType"] = json!("text/html");
    assert_eq!(receive(&mut conversation, &html).outcome, Outcome::Ignored, "a text with markup may be the same");
    assert_eq!(labels(&receive(&mut conversation, &content(2))), ["message(2)", "message(3)"]);
}

/// Promise 6.
#[test]
fn contents_are_remembered_of_the_newest_records_only() {
    let mut conversation = seen(&state(Dialect::Brand, 10, "C:carol"));
    let last = 2 * u64::try_from(REMEMBERED).expect("small");
    for sequence in 0..=last {
        receive(&mut conversation, &content(sequence));
    }
    let mut other = content(0);
    other["event"]["message"] = json!("other");
    assert_eq!(receive(&mut conversation, &other).outcome, Outcome::Ignored);
    other["sequence"] = json!(last);
    assert_eq!(receive(&mut conversation, &other).outcome, Outcome::Contradicting);
}
