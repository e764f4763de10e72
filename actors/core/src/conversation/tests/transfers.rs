//! The truth table of queue and transfer events (DG-N11), in both dialects: CV-E2 `back-to-queue`, CV-E3
//! `consumer-step-up`, CV-E6 `participant-added`, CV-E7 `participant-removed`, CV-E8 `participant-suggested`, CV-E9
//! `participant-suggested-removed`, CV-E10 `transfer-agent`, CV-E11 `transfer-skill`.

use super::{Dialect, label, seen, state, told};

struct Row {
    /// The number in DG-N11; with a letter for an additional case of ours.
    number: &'static str,
    before: &'static str,
    after: &'static str,
    is_skill_changed: bool,
    events: &'static [&'static str],
}

impl Row {
    /// The update event, which follows the other events. It has the participants of the conversation now.
    fn update(&self) -> Option<String> {
        let of_kind = |people: &'static str, kind| people.split(' ').find(|person| person.starts_with(kind));
        let assigned = |people| of_kind(people, "A:").or_else(|| of_kind(people, "S:"));
        let sorted = |people: &'static str| {
            let mut people: Vec<&str> = people.split(' ').collect();
            people.sort_unstable();
            people
        };
        let changed = [
            ("assignedAgent", assigned(self.before) != assigned(self.after)),
            ("consumer", of_kind(self.before, "C:") != of_kind(self.after, "C:")),
            ("participants", sorted(self.before) != sorted(self.after)),
        ];
        let changed: Vec<&str> = changed.iter().filter(|(_, is_changed)| *is_changed).map(|(name, _)| *name).collect();
        (!changed.is_empty()).then(|| format!("update({})", changed.join(" ")))
    }
}

const SKILL_CHANGE: &str = "skill-change(s1 -> s2)";

const TABLE: &[Row] = &[
    Row {
        number: "1",
        before: "C:carol A:anna",
        after: "C:carol",
        is_skill_changed: false,
        events: &["participant-removed(anna)", "back-to-queue"],
    },
    Row {
        number: "2",
        before: "C:carol A:anna",
        after: "C:carol",
        is_skill_changed: true,
        events: &[SKILL_CHANGE, "participant-removed(anna)", "transfer-skill(s2)"],
    },
    Row {
        number: "3",
        before: "C:carol A:anna",
        after: "C:carol S:bert",
        is_skill_changed: false,
        events: &["participant-suggested(bert)", "transfer-agent(bert)", "participant-removed(anna)"],
    },
    Row {
        number: "4",
        before: "C:carol A:anna",
        after: "C:carol S:bert",
        is_skill_changed: true,
        events: &[SKILL_CHANGE, "participant-suggested(bert)", "transfer-agent(bert)", "participant-removed(anna)"],
    },
    Row {
        number: "5",
        before: "C:carol A:anna",
        after: "C:carol A:bert",
        is_skill_changed: false,
        events: &["participant-added(bert, false)", "participant-removed(anna)"],
    },
    Row {
        number: "5 with a skill change",
        before: "C:carol A:anna",
        after: "C:carol A:bert",
        is_skill_changed: true,
        events: &[SKILL_CHANGE, "participant-added(bert, false)", "participant-removed(anna)"],
    },
    Row {
        number: "6",
        before: "C:carol",
        after: "C:carol A:bert",
        is_skill_changed: false,
        events: &["participant-added(bert, false)"],
    },
    Row {
        number: "7",
        before: "C:carol S:bert",
        after: "C:carol A:bert",
        is_skill_changed: false,
        events: &["participant-added(bert, true)"],
    },
    Row {
        number: "8",
        before: "C:carol S:bert",
        after: "C:carol",
        is_skill_changed: false,
        events: &["participant-suggested-removed(bert)", "back-to-queue"],
    },
    Row {
        number: "9",
        before: "C:carol S:bert",
        after: "C:carol",
        is_skill_changed: true,
        events: &[SKILL_CHANGE, "participant-suggested-removed(bert)", "transfer-skill(s2)"],
    },
    Row {
        number: "10",
        before: "C:carol A:anna",
        after: "C:carol A:anna",
        is_skill_changed: true,
        events: &[SKILL_CHANGE],
    },
    Row {
        number: "11",
        before: "C:carol",
        after: "C:carol",
        is_skill_changed: true,
        events: &[SKILL_CHANGE, "transfer-skill(s2)"],
    },
    Row {
        number: "12, ours: back to queue once",
        before: "C:carol A:anna S:bert",
        after: "C:carol",
        is_skill_changed: false,
        events: &["participant-removed(anna)", "participant-suggested-removed(bert)", "back-to-queue"],
    },
    Row {
        number: "13, ours: nobody is assigned any more",
        before: "C:carol A:anna",
        after: "C:carol R:anna",
        is_skill_changed: false,
        events: &["participant-role-change(anna, ASSIGNED_AGENT -> READER)", "back-to-queue"],
    },
    Row {
        number: "13 with a successor",
        before: "C:carol A:anna",
        after: "C:carol R:anna A:bert",
        is_skill_changed: false,
        events: &["participant-added(bert, false)", "participant-role-change(anna, ASSIGNED_AGENT -> READER)"],
    },
    Row {
        number: "13 with a skill change",
        before: "C:carol A:anna",
        after: "C:carol R:anna",
        is_skill_changed: true,
        events: &[SKILL_CHANGE, "participant-role-change(anna, ASSIGNED_AGENT -> READER)", "transfer-skill(s2)"],
    },
    Row {
        number: "13 the other way round",
        before: "C:carol M:max",
        after: "C:carol A:max",
        is_skill_changed: false,
        events: &["participant-role-change(max, MANAGER -> ASSIGNED_AGENT)"],
    },
    Row {
        number: "14, ours: only an assignee is transferred to",
        before: "C:carol A:anna",
        after: "C:carol A:anna r:rita",
        is_skill_changed: false,
        events: &["participant-suggested(rita)"],
    },
    Row {
        number: "15",
        before: "C:carol A:anna R:rita M:max",
        after: "C:carol A:anna",
        is_skill_changed: false,
        events: &["participant-removed(rita)", "participant-removed(max)"],
    },
    Row {
        number: "16",
        before: "C:carol A:anna",
        after: "C:cora A:anna",
        is_skill_changed: false,
        events: &["participant-added(cora, false)", "participant-removed(carol)", "consumer-step-up(carol -> cora)"],
    },
];

/// Ours: a present participant is suggested like any other agent. A transfer to one removes the former role and
/// suggests the agent in one state (TR-1).
const PROPOSED_AMONG_THEM: &[Row] = &[
    Row {
        number: "3 to a manager",
        before: "C:carol A:anna M:max",
        after: "C:carol S:max",
        is_skill_changed: false,
        events: &[
            "participant-suggested(max)",
            "transfer-agent(max)",
            "participant-removed(anna)",
            "participant-role-change(max, MANAGER -> ASSIGNED_AGENT)",
        ],
    },
    Row {
        number: "3 to a reader who was proposed as such",
        before: "C:carol A:anna r:rita",
        after: "C:carol S:rita",
        is_skill_changed: false,
        events: &[
            "transfer-agent(rita)",
            "participant-removed(anna)",
            "participant-role-change(rita, READER -> ASSIGNED_AGENT)",
        ],
    },
    Row {
        number: "7 of a manager",
        before: "C:carol S:max",
        after: "C:carol A:max",
        is_skill_changed: false,
        events: &["participant-added(max, true)"],
    },
    Row {
        number: "8 of a manager",
        before: "C:carol S:max",
        after: "C:carol",
        is_skill_changed: false,
        events: &["participant-suggested-removed(max)", "back-to-queue"],
    },
    Row {
        number: "1 with others who leave",
        before: "C:carol A:anna R:rita M:max",
        after: "C:carol",
        is_skill_changed: false,
        events: &[
            "participant-removed(anna)",
            "back-to-queue",
            "participant-removed(rita)",
            "participant-removed(max)",
        ],
    },
    Row {
        number: "13 with others who leave",
        before: "C:carol A:anna R:rita",
        after: "C:carol M:anna",
        is_skill_changed: false,
        events: &[
            "participant-removed(rita)",
            "participant-role-change(anna, ASSIGNED_AGENT -> MANAGER)",
            "back-to-queue",
        ],
    },
];

#[test]
fn every_row_of_the_truth_table_holds_in_both_dialects() {
    for dialect in Dialect::ALL {
        for row in TABLE.iter().chain(PROPOSED_AMONG_THEM) {
            let mut conversation = seen(&state(dialect, 10, row.before));
            let after = state(dialect, 20, row.after).with("skillId", if row.is_skill_changed { "s2" } else { "s1" });
            let mut told = told(&mut conversation, &after);
            let update = told.pop_if(|label| label.starts_with("update"));
            assert_eq!(told, row.events, "row {} in {dialect:?}", row.number);
            assert_eq!(update, row.update(), "row {} in {dialect:?}", row.number);
        }
    }
}

/// Row 17, CV-I2.
#[test]
fn participants_of_the_first_state_are_no_transfer() {
    for dialect in Dialect::ALL {
        let mut conversation = super::unseen(dialect);
        assert_eq!(told(&mut conversation, &state(dialect, 10, "C:carol S:bert")), ["conversation"]);
    }
}

/// Row 18, ours: once, for MAIN.
#[test]
fn a_skill_transfer_is_reported_once_although_several_dialogs_have_no_assignee() {
    let mut conversation = seen(&state(Dialect::Brand, 10, "C:carol A:anna").with_survey("CLOSE"));
    let after = state(Dialect::Brand, 20, "C:carol").with("skillId", "s2").with_survey("CLOSE");
    assert_eq!(
        told(&mut conversation, &after),
        [SKILL_CHANGE, "participant-removed(anna)", "transfer-skill(s2)", "update(assignedAgent participants)"]
    );
}

#[test]
fn an_agent_who_leaves_a_closed_dialog_sends_nothing_back_to_the_queue() {
    let mut conversation = seen(&state(Dialect::Brand, 10, "C:carol A:anna"));
    let after = state(Dialect::Brand, 20, "C:carol").with_main("state", "CLOSE");
    assert_eq!(
        told(&mut conversation, &after),
        ["dialog.close(main)", "participant-removed(anna)", "update(assignedAgent consumer participants)"]
    );
}

/// CV-E2: only MAIN waits in a queue.
#[test]
fn who_leaves_several_dialogs_sends_the_conversation_back_to_its_queue_once() {
    let call = |people: &str| {
        serde_json::json!({"dialogId": "call-1", "dialogType": "OTHER", "channelType": "COBROWSE", "state": "OPEN",
            "participantsDetails": super::details(people, Dialect::Brand)})
    };
    let with_call = |time, main: &str, in_call: &str| state(Dialect::Brand, time, main).with_dialog(call(in_call));
    let mut conversation = seen(&with_call(10, "C:carol A:anna", "C:carol A:anna"));
    assert_eq!(
        told(&mut conversation, &with_call(20, "C:carol A:anna", "C:carol")),
        ["participant-removed(anna)"],
        "the call alone"
    );
    let mut conversation = seen(&with_call(10, "C:carol A:anna", "C:carol A:anna"));
    assert_eq!(
        told(&mut conversation, &with_call(20, "C:carol", "C:carol")),
        [
            "participant-removed(anna)",
            "participant-removed(anna)",
            "back-to-queue",
            "update(assignedAgent participants)"
        ]
    );
}

/// CV-E2.
#[test]
fn a_bot_that_leaves_its_survey_sends_nothing_back_to_the_queue() {
    let survey = |time, people: &str| {
        let survey = serde_json::json!({"dialogId": "survey-1", "dialogType": "POST_SURVEY", "state": "OPEN",
            "participantsDetails": super::details(people, Dialect::Brand)});
        state(Dialect::Brand, time, "C:carol").with_main("state", "CLOSE").with_dialog(survey)
    };
    let mut conversation = seen(&survey(10, "C:carol A:bot"));
    assert_eq!(
        told(&mut conversation, &survey(20, "C:carol")),
        ["participant-removed(12345678.bot)", "update(assignedAgent participants)"]
    );
}

/// CV-E3.
#[test]
fn a_step_up_that_several_dialogs_show_is_reported_once_for_main() {
    let survey = |time, main: &str, in_survey: &str| {
        let survey = serde_json::json!({"dialogId": "survey-1", "dialogType": "POST_SURVEY", "state": "OPEN",
            "participantsDetails": super::details(in_survey, Dialect::Consumer)});
        state(Dialect::Consumer, time, main).with_dialog(survey)
    };
    let step_ups = |conversation: &mut super::Conversation, state: &super::State| {
        let events = conversation.receive_state(&state.text()).expect("a state").events;
        let step_ups = events.iter().filter(|event| event.name() == "consumer-step-up");
        step_ups.map(|event| serde_json::to_value(event).expect("an event")["dialogId"].clone()).collect::<Vec<_>>()
    };
    let mut conversation = seen(&survey(10, "C:carol", "C:carol"));
    assert_eq!(step_ups(&mut conversation, &survey(20, "C:cora", "C:cora")), [super::ID]);
    // The dialogs show it in different states.
    let mut conversation = seen(&survey(10, "C:carol", "C:carol"));
    assert_eq!(step_ups(&mut conversation, &survey(20, "C:carol", "C:cora")), ["survey-1"]);
    assert_eq!(step_ups(&mut conversation, &survey(30, "C:cora", "C:cora")), [""; 0]);
    assert_eq!(step_ups(&mut conversation, &survey(40, "C:carol", "C:carol")), [super::ID]);
}

/// CV-E11: the removal of the skill is not a transfer.
#[test]
fn without_a_skill_a_conversation_is_not_transferred_but_back_in_its_queue() {
    for none in [serde_json::json!(null), serde_json::json!("")] {
        let mut conversation = seen(&state(Dialect::Brand, 10, "C:carol A:anna"));
        assert_eq!(
            told(&mut conversation, &state(Dialect::Brand, 20, "C:carol").with("skillId", none)),
            [
                "skill-change(s1 -> none)",
                "participant-removed(anna)",
                "back-to-queue",
                "update(assignedAgent participants)"
            ]
        );
    }
}

/// CV-E3.
#[test]
fn a_step_up_in_two_states_is_reported_with_the_second() {
    let mut conversation = seen(&state(Dialect::Consumer, 10, "C:carol A:anna"));
    assert_eq!(
        told(&mut conversation, &state(Dialect::Consumer, 20, "A:anna")),
        ["participant-removed(carol)", "update(consumer participants)"]
    );
    assert_eq!(
        told(&mut conversation, &state(Dialect::Consumer, 30, "A:anna C:cora")),
        ["participant-added(cora, false)", "consumer-step-up(carol -> cora)", "update(consumer participants)"]
    );
    assert_eq!(
        told(&mut conversation, &state(Dialect::Consumer, 40, "A:anna C:cora M:max")),
        ["participant-added(max, false)", "update(participants)"]
    );
}

/// CV-E3.
#[test]
fn a_consumer_who_comes_before_the_other_leaves_steps_up_when_it_does() {
    let mut conversation = seen(&state(Dialect::Brand, 10, "C:carol"));
    assert_eq!(
        told(&mut conversation, &state(Dialect::Brand, 20, "C:carol C:cora")),
        ["participant-added(cora, false)", "update(participants)"]
    );
    assert_eq!(
        told(&mut conversation, &state(Dialect::Brand, 30, "C:cora")),
        ["participant-removed(carol)", "consumer-step-up(carol -> cora)", "update(consumer participants)"]
    );
}

/// CV-E3.
#[test]
fn a_consumer_who_returns_has_not_stepped_up() {
    let mut conversation = seen(&state(Dialect::Brand, 10, "C:carol A:anna"));
    told(&mut conversation, &state(Dialect::Brand, 20, "A:anna"));
    assert_eq!(
        told(&mut conversation, &state(Dialect::Brand, 30, "C:carol A:anna")),
        ["participant-added(carol, false)", "update(consumer participants)"]
    );
}

/// DG-N9: at event time the leaver is removed already.
#[test]
fn a_participant_who_leaves_is_reported_as_removed() {
    let mut conversation = seen(&state(Dialect::Brand, 10, "C:carol A:anna S:sven"));
    let reception = conversation.receive_state(&state(Dialect::Brand, 20, "C:carol").text()).expect("a state");
    for event in &reception.events[..2] {
        let json = serde_json::to_value(event).expect("an event");
        assert_eq!(json["participant"]["state"], "REMOVED", "{}", label(event));
    }
}

/// Q10: the values of a skill change are the right way round, and group changes likewise (CV-E4).
#[test]
fn changes_of_skill_and_group_name_old_and_new() {
    let mut conversation = seen(&state(Dialect::Brand, 10, "C:carol A:anna").with("groupId", "g1"));
    let after = state(Dialect::Brand, 20, "C:carol A:anna").with("groupId", "g2").with("skillId", "s2");
    let reception = conversation.receive_state(&after.text()).expect("a state");
    let json: Vec<_> = reception.events.iter().map(|event| serde_json::to_value(event).expect("an event")).collect();
    assert_eq!(json[0], serde_json::json!({"prevGroupId": "g1", "newGroupId": "g2"}));
    assert_eq!(json[1], serde_json::json!({"prevSkillId": "s1", "newSkillId": "s2"}));
}
