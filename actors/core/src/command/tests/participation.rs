//! Join, leave and takeover (CV-F1, CV-F3).

use serde_json::json;

use super::scene::{ANNA, CONSUMER, ME, SURVEY, Scene, agent, consumer};
use crate::{
    command::*,
    id::{DialogId, UserId},
    ums::ParticipantRole,
};

fn join(role: ParticipantRole) -> Command {
    Command::Join { role, dialog: None }
}

fn leave() -> Command {
    Command::Leave { dialog: None }
}

fn takeover(consumer: &str) -> Command {
    Command::ConsumerTakeover { new_consumer: UserId::from(consumer) }
}

#[test]
fn cv_f3_join_adds_this_agent_in_the_role() {
    let planned = Scene::open().planned(&join(ParticipantRole::Manager), &agent());
    assert_eq!((planned.answer, planned.repeat), (AnswerKind::Changed, Repeat::ReadStateThenAct));
    assert_eq!(
        Scene::open().changes(&join(ParticipantRole::Manager), &agent()),
        json!([{ "field": "ParticipantsChange", "type": "ADD", "role": "MANAGER", "userId": ME.0 }])
    );
}

#[test]
fn cv_f3_a_dialog_other_than_main_is_named() {
    let changes = Scene::survey().changes(&join(ParticipantRole::Agent), &agent());
    assert_eq!(changes[0]["dialogId"], SURVEY);
    let named = Command::Join { role: ParticipantRole::Agent, dialog: Some(DialogId::from("nowhere")) };
    assert_eq!(Scene::survey().refusal(&named, &agent()), "unknown-dialog");
}

#[test]
fn cv_f3_join_needs_an_open_dialog_and_an_agent() {
    assert_eq!(Scene::closed().refusal(&join(ParticipantRole::Reader), &agent()), "no-open-dialog");
    assert_eq!(Scene::open().refusal(&join(ParticipantRole::Reader), &consumer()), "not-supported");
}

#[test]
fn leave_removes_this_agent_from_the_role_it_has() {
    for role in ["ASSIGNED_AGENT", "MANAGER", "READER"] {
        assert_eq!(
            Scene::open().with(role, ME).changes(&leave(), &agent()),
            json!([{ "field": "ParticipantsChange", "type": "REMOVE", "role": role, "userId": ME.0 }])
        );
    }
}

#[test]
fn leave_needs_a_participant_who_is_an_agent() {
    assert_eq!(Scene::open().with("MANAGER", ANNA).refusal(&leave(), &agent()), "not-a-participant");
    assert_eq!(Scene::open().refusal(&leave(), &consumer()), "not-supported");
}

#[test]
fn cv_f1_a_takeover_removes_the_old_consumer_and_then_adds_the_new_one() {
    for side in [agent(), consumer()] {
        assert_eq!(
            Scene::open().changes(&takeover("stepped-up"), &side),
            json!([
                { "field": "ParticipantsChange", "type": "REMOVE", "role": "CONSUMER", "userId": CONSUMER },
                { "field": "ParticipantsChange", "type": "ADD", "role": "CONSUMER", "userId": "stepped-up" },
            ])
        );
    }
}

#[test]
fn cv_f1_a_takeover_needs_an_open_dialog_with_another_consumer() {
    assert_eq!(Scene::closed().refusal(&takeover("stepped-up"), &consumer()), "no-open-dialog");
    let nobody = Scene::open().consumer_is(None);
    assert_eq!(nobody.refusal(&takeover("stepped-up"), &consumer()), "no-consumer");
    assert_eq!(Scene::open().refusal(&takeover(CONSUMER), &consumer()), "same-consumer");
}
