//! Transfers (CV-F14, TR-1 to TR-6).

use serde_json::{Value, json};

use super::scene::{ANNA, Agent, BEN, ME, Scene, agent, consumer};
use crate::{
    command::*,
    id::{AgentId, SkillId},
};

pub(super) fn transfer(agent: Option<&str>, skill: Option<&str>) -> Command {
    Command::Transfer { agent: agent.map(AgentId::from), skill: skill.map(SkillId::from) }
}

fn skill(id: &str) -> Value {
    json!({ "field": "Skill", "type": "UPDATE", "skill": id })
}

fn participant(kind: &str, role: &str, agent: Agent) -> Value {
    json!({ "field": "ParticipantsChange", "type": kind, "role": role, "userId": agent.0 })
}

fn assigned(kind: &str, agent: Agent) -> Value {
    participant(kind, "ASSIGNED_AGENT", agent)
}

#[test]
fn tr_1_the_skill_goes_first_and_the_present_assignee_last() {
    let scene = Scene::open().with("ASSIGNED_AGENT", ANNA);
    let rows = [
        (transfer(None, Some("502")), json!([skill("502"), assigned("REMOVE", ANNA)])),
        (transfer(Some(BEN.0), None), json!([assigned("SUGGEST", BEN), assigned("REMOVE", ANNA)])),
        (transfer(Some(BEN.0), Some("502")), json!([skill("502"), assigned("SUGGEST", BEN), assigned("REMOVE", ANNA)])),
    ];
    for (command, expected) in rows {
        assert_eq!(scene.changes(&command, &agent()), expected);
    }
}

#[test]
fn tr_1_a_target_who_takes_part_leaves_that_role_first() {
    let scene = Scene::open().with("ASSIGNED_AGENT", ANNA).with("MANAGER", BEN);
    assert_eq!(
        scene.changes(&transfer(Some(BEN.0), Some("502")), &agent()),
        json!([
            skill("502"),
            participant("REMOVE", "MANAGER", BEN),
            assigned("SUGGEST", BEN),
            assigned("REMOVE", ANNA)
        ])
    );
}

#[test]
fn tr_1_nobody_is_removed_where_nobody_is_assigned() {
    assert_eq!(Scene::open().changes(&transfer(None, Some("502")), &agent()), json!([skill("502")]));
    assert_eq!(Scene::open().changes(&transfer(Some(BEN.0), None), &agent()), json!([assigned("SUGGEST", BEN)]));
}

#[test]
fn tr_1_a_suggested_assignee_is_removed_too() {
    let scene = Scene::open().suggested(ANNA);
    assert_eq!(
        scene.changes(&transfer(Some(BEN.0), None), &agent()),
        json!([assigned("SUGGEST", BEN), assigned("REMOVE", ANNA)])
    );
}

#[test]
fn tr_1_is_one_request_that_reads_the_state_before_it_is_repeated() {
    let planned = Scene::open().with("ASSIGNED_AGENT", ME).planned(&transfer(None, Some("502")), &agent());
    assert_eq!((planned.answer, planned.repeat), (AnswerKind::Changed, Repeat::ReadStateThenAct));
}

#[test]
fn tr_2_the_present_assignee_is_no_target() {
    for scene in [Scene::open().with("ASSIGNED_AGENT", ANNA), Scene::open().suggested(ANNA)] {
        for id in [ANNA.0, ANNA.1, "2"] {
            assert_eq!(scene.refusal(&transfer(Some(id), Some("502")), &agent()), "same-agent");
        }
    }
}

#[test]
fn tr_3_a_transfer_to_nowhere_sends_nothing() {
    for scene in [Scene::open(), Scene::open().with("ASSIGNED_AGENT", ANNA)] {
        assert_eq!(scene.asked(&transfer(None, None), &agent()), Ok(Plan::Nothing));
    }
}

#[test]
fn tr_5_agents_are_named_with_their_account() {
    assert_eq!(Scene::open().changes(&transfer(Some("3"), None), &agent()), json!([assigned("SUGGEST", BEN)]));
    let public = Scene::open().changes(&transfer(Some(BEN.1), None), &agent());
    assert_eq!(public[0]["userId"], BEN.1, "a public id is no user of the account");
}

#[test]
fn tr_6_a_transfer_needs_an_open_main_dialog() {
    for scene in [Scene::closed(), Scene::survey()] {
        assert_eq!(scene.refusal(&transfer(None, Some("502")), &agent()), "no-open-dialog");
    }
}

#[test]
fn cv_f14_only_agents_transfer() {
    assert_eq!(Scene::open().refusal(&transfer(None, Some("502")), &consumer()), "not-supported");
}
