//! A conversation that ends on this side because its consumer's identity is lost (CA-3).

use super::{super::Outcome, Dialect, ID, labels, seen, state, told, unseen};
use crate::{id::ConversationId, time::Timestamp};

#[test]
fn the_end_is_reported_once_for_the_conversation_and_for_each_open_dialog() {
    let first = state(Dialect::Consumer, 10, "C:carol A:anna").with_survey("OPEN");
    let mut conversation = seen(&first);
    let reception = conversation.end_here(Timestamp(99));
    let update = "update(assignedAgent consumer dialogs stage)";
    assert_eq!(labels(&reception), ["close", "dialog.close(main)", "dialog.close(survey-1)", update]);
    assert!(reception.is_changed && !conversation.is_open() && conversation.open_dialog().is_none());

    let again = conversation.end_here(Timestamp(100));
    assert_eq!((labels(&again).len(), again.outcome, again.is_changed), (0, Outcome::Ignored, false));
}

#[test]
fn a_conversation_without_a_state_ends_too() {
    let mut conversation = unseen(Dialect::Consumer);
    let reception = conversation.end_here(Timestamp(99));
    assert_eq!(labels(&reception), ["close", "update(dialogs stage)"]);
    assert_eq!(conversation.id(), &ConversationId::from(ID));
    assert!(conversation.open_dialog().is_none());
}

/// Promise 3: the newest state is the truth, even if it repeats the last state before the end.
#[test]
fn a_state_that_arrives_after_the_end_counts_again() {
    let first = state(Dialect::Consumer, 10, "C:carol A:anna");
    let mut conversation = seen(&first);
    conversation.end_here(Timestamp(99));
    told(&mut conversation, &first);
    assert!(conversation.is_open() && conversation.open_dialog().is_some());
}
