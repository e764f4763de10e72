//! A conversation before and at its first state (CV-I1 to CV-I4).

use serde_json::json;

use super::{
    super::{BackFill, HistoryStart},
    Conversation, ConversationId, Dialect, ID, Outcome, SURVEY, content, labels, main_id, receive, seen, state, told,
    unseen,
};
use crate::ums::{DialogStatus, DialogType};

/// CV-I1.
#[test]
fn a_new_conversation_has_an_open_main_dialog_to_send_in() {
    let conversation = unseen(Dialect::Consumer);
    let open = conversation.open_dialog().expect("an open dialog");
    assert_eq!(open.dialog_id, main_id());
    assert_eq!(open.dialog_type, Some(DialogType::Main));
    assert!(conversation.is_open() && conversation.stage().is_none());
    assert_eq!(conversation.notification_count(), 0);
}

/// CV-I2, CV-I3: the same for a conversation that was empty and for one that a feed brought.
#[test]
fn the_first_state_fills_every_member_without_a_difference() {
    for dialect in Dialect::ALL {
        let mut conversation = unseen(dialect);
        let first = state(dialect, 10, "C:carol A:anna")
            .with("groupId", "g1")
            .with("manualETTR", 5_000)
            .with("note", "first")
            .with_survey("OPEN");
        assert_eq!(told(&mut conversation, &first), ["conversation", "dialog(survey-1)"]);
        assert_eq!(conversation.group_id(), Some("g1"));
        assert_eq!(conversation.note(), Some("first"));
        assert_eq!(conversation.skill_id().map(|id| id.as_str()), Some("s1"));
        assert_eq!(conversation.assigned_agent().map(|agent| agent.user_id.as_str()), Some("anna"));
        assert_eq!(conversation.notification_count(), 1);
    }
}

/// Q13.
/// CV-I2.
#[test]
fn a_first_state_that_is_closed_is_no_close() {
    let mut conversation = unseen(Dialect::Consumer);
    let closed = state(Dialect::Consumer, 10, "C:carol")
        .with("stage", "CLOSE")
        .with("endTs", 9)
        .with("closeReason", "CONSUMER")
        .with_main("state", "CLOSE");
    assert_eq!(told(&mut conversation, &closed), ["conversation"]);
    assert!(!conversation.is_open() && conversation.open_dialog().is_none());
    assert_eq!(conversation.close_time().map(|time| time.0), Some(9));
}

/// CV-I4, ours: a state without details is no state at all.
#[test]
fn a_first_state_without_details_leaves_the_conversation_unseen() {
    let mut conversation = unseen(Dialect::Brand);
    assert!(conversation.receive_state(&json!({"convId": ID}).to_string()).is_err());
    assert_eq!(conversation.notification_count(), 0);
    assert_eq!(told(&mut conversation, &state(Dialect::Brand, 10, "C:carol")), ["conversation"]);
}

#[test]
fn the_history_of_open_messaging_dialogs_is_wanted_at_first_sight() {
    let cobrowse = json!({"dialogId": "call-1", "dialogType": "OTHER", "channelType": "COBROWSE", "state": "OPEN"});
    let first = state(Dialect::Brand, 10, "C:carol").with_survey("CLOSE").with_dialog(cobrowse);
    let everything = |id: &str| BackFill { dialog_id: id.into(), newer_than: None, older_than: None };

    let reception = unseen(Dialect::Brand).receive_state(&first.text()).expect("a state");
    assert_eq!(reception.back_fill.to_vec(), [everything(SURVEY), everything(ID)]);

    // SB-14: a consumer socket does not ask for closed dialogs.
    let first = super::State { dialect: Dialect::Consumer, ..first };
    let reception = unseen(Dialect::Consumer).receive_state(&first.text()).expect("a state");
    assert_eq!(reception.back_fill.to_vec(), [everything(ID)]);
}

#[test]
fn who_begins_with_what_is_seen_first_asks_for_no_history() {
    let mut conversation = Conversation::new(ConversationId::from(ID), Dialect::Brand, HistoryStart::FirstSeen);
    let reception = conversation.receive_state(&state(Dialect::Brand, 10, "C:carol").text()).expect("a state");
    assert!(reception.back_fill.is_empty());
    assert_eq!(labels(&receive(&mut conversation, &content(7))), ["message(7)"]);
    assert_eq!(receive(&mut conversation, &content(6)).outcome, Outcome::Ignored);
    assert_eq!(labels(&receive(&mut conversation, &content(8))), ["message(8)"]);
}

#[test]
fn a_dialog_that_begins_later_is_delivered_from_its_beginning_all_the_same() {
    let mut conversation = Conversation::new(ConversationId::from(ID), Dialect::Brand, HistoryStart::FirstSeen);
    told(&mut conversation, &state(Dialect::Brand, 10, "C:carol"));
    let survey = state(Dialect::Brand, 20, "C:carol").with_main("state", "CLOSE").with_survey("OPEN");
    let reception = conversation.receive_state(&survey.text()).expect("a state");
    assert_eq!(labels(&reception), ["dialog(survey-1)", "dialog.close(main)", "update(dialogs)"]);
    assert_eq!(
        reception.back_fill.to_vec(),
        [BackFill { dialog_id: SURVEY.into(), newer_than: None, older_than: None }]
    );
}

/// The state after a panic is suspect: everything except identity, counters and sequences is received again.
#[test]
fn a_rebuilt_conversation_goes_on_where_the_messages_were() {
    let mut conversation = seen(&state(Dialect::Brand, 10, "C:carol A:anna").with("note", "suspect"));
    receive(&mut conversation, &content(0));
    receive(&mut conversation, &content(1));
    receive(&mut conversation, &content(9));

    let mut places = Vec::new();
    conversation.note_places(&mut places);
    let mut rebuilt = conversation.rebuilt_at(&places);
    assert_eq!((rebuilt.note(), rebuilt.notification_count()), (None, 1));
    let reception = rebuilt.receive_state(&state(Dialect::Brand, 10, "C:carol A:anna").text()).expect("a state");
    assert_eq!(labels(&reception), ["conversation"]);
    assert_eq!(
        reception.back_fill.to_vec(),
        [BackFill { dialog_id: main_id(), newer_than: Some(1), older_than: None }]
    );
    assert_eq!(receive(&mut rebuilt, &content(1)).outcome, Outcome::Ignored);
    assert_eq!(labels(&receive(&mut rebuilt, &content(2))), ["message(2)"]);
    assert_eq!(rebuilt.notification_count(), 2);
}

/// CV-I1: what comes before the first state is not lost (MS-8).
#[test]
fn records_before_the_first_state_are_delivered() {
    let mut conversation = unseen(Dialect::Consumer);
    assert_eq!(labels(&receive(&mut conversation, &content(0))), ["message(0)"]);
    let reception = conversation.receive_state(&state(Dialect::Consumer, 10, "C:carol").text()).expect("a state");
    assert_eq!(
        reception.back_fill.to_vec(),
        [BackFill { dialog_id: main_id(), newer_than: Some(0), older_than: None }]
    );
    assert_eq!(conversation.main_dialog().map(|main| main.state.clone()), Some(DialogStatus::Open));
}
