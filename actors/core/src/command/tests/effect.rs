//! Whether a newer state shows the effect of a request, so that the request has it only once (promise 4).

use serde_json::json;

use super::{
    scene::{ANNA, BEN, MAIN, ME, SURVEY, Scene, agent, consumer, planned_of},
    transfer::transfer,
};
use crate::{
    command::*,
    id::{DialogId, UserId},
    time::Timestamp,
    ums::{CsatStatus, ParticipantRole, TtrType},
};

/// Returns whether `after` shows the effect of a command planned in `before`, which must not show it itself.
fn shows(before: Scene, command: &Command, by: &Identity, after: Scene) -> bool {
    let mut conversation = before.conversation();
    let planned = planned_of(&conversation, command, by);
    assert!(!planned.is_done(&conversation), "{command:?} is done before it was sent");
    after.later().tell(&mut conversation);
    planned.is_done(&conversation)
}

#[test]
fn a_join_shows_by_the_participant_in_its_role() {
    let join = Command::Join { role: ParticipantRole::Manager, dialog: None };
    assert!(shows(Scene::open(), &join, &agent(), Scene::open().with("MANAGER", ME)));
    assert!(!shows(Scene::open(), &join, &agent(), Scene::open().with("READER", ME)));
    assert!(!shows(Scene::open(), &join, &agent(), Scene::open()));
}

#[test]
fn a_join_of_a_survey_shows_in_the_survey() {
    let join = Command::Join { role: ParticipantRole::Agent, dialog: Some(DialogId::from(SURVEY)) };
    assert!(shows(Scene::survey(), &join, &agent(), Scene::survey().with("AGENT", ME)));
}

#[test]
fn a_leave_shows_by_the_participants_absence() {
    let (before, leave) = (Scene::open().with("ASSIGNED_AGENT", ME), Command::Leave { dialog: None });
    assert!(shows(before.clone(), &leave, &agent(), Scene::open()));
    assert!(!shows(before.clone(), &leave, &agent(), before));
}

#[test]
fn a_transfer_shows_by_the_former_assignees_absence() {
    let before = Scene::open().with("ASSIGNED_AGENT", ANNA);
    for command in [transfer(None, Some("502")), transfer(Some(BEN.0), None), transfer(None, Some("100"))] {
        let queued = Scene::open().member("skillId", json!("502"));
        assert!(shows(before.clone(), &command, &agent(), queued));
        assert!(shows(before.clone(), &command, &agent(), Scene::open().suggested(BEN)));
        assert!(shows(before.clone(), &command, &agent(), Scene::open().with("ASSIGNED_AGENT", BEN)));
        assert!(!shows(before.clone(), &command, &agent(), before.clone()));
    }
}

#[test]
fn a_transfer_of_what_nobody_has_shows_by_skill_or_suggestion() {
    let moved = Scene::open().member("skillId", json!("502"));
    assert!(shows(Scene::open(), &transfer(None, Some("502")), &agent(), moved));
    assert!(!shows(Scene::open(), &transfer(None, Some("502")), &agent(), Scene::open()));
    assert!(shows(Scene::open(), &transfer(Some(BEN.0), None), &agent(), Scene::open().suggested(BEN)));
    assert!(!shows(Scene::open(), &transfer(Some(BEN.0), None), &agent(), Scene::open().with("MANAGER", BEN)));
}

#[test]
fn a_takeover_shows_by_the_new_consumer() {
    let takeover = Command::ConsumerTakeover { new_consumer: UserId::from("stepped-up") };
    assert!(shows(Scene::open(), &takeover, &consumer(), Scene::open().consumer_is(Some("stepped-up"))));
    assert!(!shows(Scene::open(), &takeover, &consumer(), Scene::open()));
}

#[test]
fn an_end_shows_by_the_state_of_its_dialog_or_by_the_stage() {
    assert!(shows(Scene::open(), &Command::Close, &agent(), Scene::survey()));
    assert!(shows(Scene::open(), &Command::Close, &agent(), Scene::closed()));
    assert!(!shows(Scene::open(), &Command::Close, &agent(), Scene::open()));
    assert!(!shows(Scene::open(), &Command::CloseAtOnce, &agent(), Scene::survey()));
    assert!(shows(Scene::open(), &Command::CloseAtOnce, &agent(), Scene::closed()));
    let survey = Command::CloseDialog { dialog: DialogId::from(SURVEY), by: None, cause: None };
    assert!(!shows(Scene::survey(), &survey, &agent(), Scene::survey()));
    let main = Command::CloseDialog { dialog: DialogId::from(MAIN), by: None, cause: None };
    assert!(shows(Scene::open(), &main, &agent(), Scene::survey()));
}

#[test]
fn values_show_by_themselves() {
    let open = Scene::open;
    let ttr = |kind: &str, value: u64| open().member("ttr", json!({ "ttrType": kind, "value": value }));
    let urgent = Command::SetTtr { ttr_type: TtrType::Urgent, value: 0 };
    assert!(shows(open(), &urgent, &agent(), ttr("URGENT", 300)), "the platform chooses its own value");
    assert!(!shows(open(), &urgent, &agent(), ttr("NORMAL", 300)));
    let custom = Command::SetTtr { ttr_type: TtrType::Custom, value: 90 };
    assert!(shows(open(), &custom, &agent(), ttr("CUSTOM", 90)));
    assert!(!shows(open(), &custom, &agent(), ttr("CUSTOM", 91)));
    let deadline = Command::SetManualEttr { time: Timestamp(5_000) };
    assert!(shows(open(), &deadline, &agent(), open().member("manualETTR", json!(5_000))));
    assert!(!shows(open(), &deadline, &agent(), open().member("manualETTR", json!(6_000))));
    let note = Command::SetNote { note: "new".to_owned() };
    assert!(shows(open(), &note, &agent(), open().member("note", json!("new"))));
    assert!(!shows(open(), &note, &agent(), open().member("note", json!("old"))));
}

#[test]
fn what_a_state_cannot_show_is_never_done() {
    let raw = Command::Raw { kind: "x".to_owned(), body: json!({}), metadata: vec![] };
    let csat = Command::SetCsat { rate: 5, resolved: None, status: CsatStatus::Filled };
    assert!(!shows(Scene::open(), &raw, &agent(), Scene::closed()));
    assert!(!shows(Scene::open(), &csat, &consumer(), Scene::closed()));
}

/// Promise 4 across the end of a process: the request is unknown, and later changes are not undone.
#[test]
fn what_an_earlier_life_did_shows_in_the_conversation_alone() {
    let queued = |skill: &str| Scene::open().member("skillId", json!(skill));
    for (command, before, after) in [
        (Command::Close, Scene::open(), Scene::survey()),
        (Command::CloseAtOnce, Scene::open(), Scene::closed()),
        (transfer(None, Some("502")), queued("501"), queued("502").with("ASSIGNED_AGENT", BEN)),
        (transfer(Some(BEN.0), None), Scene::open(), Scene::open().suggested(BEN)),
        (transfer(Some(BEN.0), Some("502")), queued("501").suggested(BEN), queued("502").suggested(BEN)),
    ] {
        assert!(!command.shows_in(&before.conversation()), "{command:?} before");
        assert!(command.shows_in(&after.conversation()), "{command:?} after");
    }
    assert!(!transfer(None, None).shows_in(&Scene::open().conversation()), "TR-3: it asks for nothing");
}
