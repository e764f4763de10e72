//! The members of the class page (CV-M1 to CV-M11).

use serde_json::{Value, json};

use super::{Dialect, ID, seen, state, told};
use crate::time::Timestamp;

/// CV-M1: never unset and never changed.
#[test]
fn the_connector_installation_is_filled_once() {
    let mut conversation = seen(&state(Dialect::Brand, 10, ""));
    told(&mut conversation, &state(Dialect::Brand, 20, "").with("appInstId", "i1"));
    for later in ["", "i2"] {
        told(&mut conversation, &state(Dialect::Brand, 30, "").with("appInstId", later));
        assert_eq!(conversation.app_inst_id(), Some("i1"));
    }
    told(&mut conversation, &state(Dialect::Brand, 40, ""));
    assert_eq!(conversation.app_inst_id(), Some("i1"));
}

/// CV-M2, CV-M4.
#[test]
fn agent_and_consumer_are_those_of_the_open_dialog_and_nobody_once_it_is_closed() {
    let mut conversation = seen(&state(Dialect::Brand, 10, "C:carol S:sven"));
    let agent = conversation.assigned_agent().expect("an agent");
    assert_eq!(
        (agent.user_id.as_str(), agent.agent_id.as_ref().map(|id| id.as_str())),
        ("sven", Some("12345678.sven"))
    );
    assert_eq!(conversation.consumer().map(|consumer| consumer.user_id.as_str()), Some("carol"));
    told(&mut conversation, &state(Dialect::Brand, 20, "C:carol S:sven").with_main("state", "CLOSE"));
    assert_eq!((conversation.assigned_agent(), conversation.consumer()), (None, None));
}

/// CV-M3: numbers or strings.
#[test]
fn campaign_and_engagement_are_numbers_on_the_page() {
    let mut conversation = seen(
        &state(Dialect::Brand, 10, "").with("campaignInfo", json!({"campaignId": 700_001, "engagementId": "800001"})),
    );
    assert_eq!((conversation.campaign_id(), conversation.engagement_id()), (Some("700001"), Some("800001")));
    assert_eq!(conversation.members()["campaignId"], 700_001);
    assert_eq!(conversation.members()["engagementId"], 800_001);
    told(&mut conversation, &state(Dialect::Brand, 20, "").with("campaignInfo", json!({"campaignId": "abc"})));
    assert_eq!((conversation.campaign_id(), conversation.engagement_id()), (Some("abc"), None));
}

/// CV-M5: each is overwritten whenever the details are there.
#[test]
fn the_handler_follows_a_rollover() {
    let handler = |account: &str, skill: &str| json!({"accountId": account, "skillId": skill});
    let mut conversation =
        seen(&state(Dialect::Consumer, 10, "").with("conversationHandlerDetails", handler("brand", "s1")));
    told(
        &mut conversation,
        &state(Dialect::Consumer, 20, "").with("conversationHandlerDetails", handler("night", "s9")),
    );
    let handler = (conversation.handler_account_id(), conversation.handler_skill_id());
    assert_eq!((handler.0.map(|id| id.as_str()), handler.1.map(|id| id.as_str())), (Some("night"), Some("s9")));
}

/// CV-M6: notes may change after the close.
#[test]
fn a_note_changes_in_a_closed_conversation() {
    let closed = |time, note: &str| state(Dialect::Brand, time, "").with("stage", "CLOSE").with("note", note);
    let mut conversation = seen(&closed(10, "one"));
    told(&mut conversation, &closed(20, "two"));
    assert_eq!(conversation.note(), Some("two"));
}

/// CV-M10: keys are user ids, although the platform counts agents by agent id; the map is replaced whole.
#[test]
fn unread_messages_are_counted_by_user_id() {
    let unread =
        |time, unread: Value| state(Dialect::Brand, time, "C:carol A:anna").with_top("numberOfunreadMessages", unread);
    let mut conversation = seen(&unread(10, json!({"carol": 2, "12345678.anna": 1, "12345678.gone": 3})));
    assert_eq!(conversation.members()["numberOfunreadMessages"], json!({"carol": 2, "anna": 1, "12345678.gone": 3}));
    told(&mut conversation, &unread(20, json!({"carol": 0})));
    assert_eq!(conversation.members()["numberOfunreadMessages"], json!({"carol": 0}));
    told(&mut conversation, &state(Dialect::Brand, 30, "C:carol A:anna"));
    assert_eq!(conversation.members()["numberOfunreadMessages"], json!(null));
}

/// CV-M11: -1 means not set.
#[test]
fn the_deadline_has_no_event_of_its_own() {
    let mut conversation = seen(&state(Dialect::Brand, 10, "").with_top("effectiveTTR", 5_000));
    assert_eq!(conversation.ttr_effective().map(|time| time.0), Some(5_000));
    let unset = state(Dialect::Brand, 20, "").with_top("effectiveTTR", -1);
    assert_eq!(told(&mut conversation, &unset), ["update(ttrEffective)"]);
    assert_eq!(conversation.ttr_effective(), None);
}

/// CV-E5, CV-E12.
#[test]
fn changes_of_the_response_time_name_all_of_it() {
    let mut conversation = seen(&state(Dialect::Brand, 10, "").with("manualETTR", 1));
    let after = state(Dialect::Brand, 20, "")
        .with("ttr", json!({"ttrType": "CUSTOM", "value": "60"}))
        .with("manualETTR", 2)
        .with_top("effectiveTTR", 3);
    let reception = conversation.receive_state(&after.text()).expect("a state");
    assert_eq!(
        json!(reception.events),
        json!([
            {"ttrType": "CUSTOM", "ttrValue": 60, "ttrEffective": 3},
            {"ttrEffectiveManual": 2, "ttrEffective": 3},
        ])
    );
    // Odd records have an empty type (§6.1).
    told(&mut conversation, &state(Dialect::Brand, 30, "").with("ttr", json!({"ttrType": "", "value": 60})));
    assert_eq!((conversation.ttr_type(), conversation.ttr_value()), (None, Some(60)));
}

/// CV-N6.3: members set at the beginning are taken once.
#[test]
fn account_start_first_flag_and_context_are_those_of_the_earliest_state() {
    let born = |time, account: &str, start: i64, is_first: bool, context: &str| {
        state(Dialect::Brand, time, "")
            .with("brandId", account)
            .with("startTs", start)
            .with("firstConversation", is_first)
            .with("context", json!({"type": context}))
    };
    let mut conversation = seen(&born(10, "one", 1, true, "SharkContext"));
    told(&mut conversation, &born(20, "two", 2, false, "CustomContext"));
    told(&mut conversation, &state(Dialect::Brand, 30, "").without("brandId").without("startTs"));
    assert_eq!(conversation.account_id().map(|id| id.as_str()), Some("one"));
    assert_eq!(conversation.start_time().map(|time| time.0), Some(1));
    assert_eq!(conversation.first_conversation(), Some(true));
    assert_eq!(conversation.context().map(|context| context.get()), Some(r#"{"type":"SharkContext"}"#));
}

/// CV-N7: a late state sets members that no earlier state has set.
#[test]
fn a_state_out_of_order_fills_what_a_conversation_is_born_with() {
    let mut conversation = seen(&state(Dialect::Brand, 30, "").without("brandId").without("startTs"));
    let mut late = |time, account: &str| {
        let late = state(Dialect::Brand, time, "").with("brandId", account).with("startTs", time);
        let reception = conversation.receive_state(&late.text()).expect("a state");
        let update = reception.is_changed.then_some("update(accountId startTime)");
        assert_eq!(super::labels(&reception), [&["notification-out-of-order"], update.as_slice()].concat());
        (reception.is_changed, conversation.account_id().map(|id| id.to_string()), conversation.start_time())
    };
    assert_eq!(late(20, "two"), (true, Some("two".into()), Some(Timestamp(20))));
    assert_eq!(late(10, "one"), (true, Some("one".into()), Some(Timestamp(10))));
    assert_eq!(late(15, "other"), (false, Some("one".into()), Some(Timestamp(10))));
}

/// CV-M11, CV-E5: 0 means not set, like -1.
#[test]
fn a_time_of_zero_is_none() {
    let mut conversation =
        seen(&state(Dialect::Brand, 10, "").with("manualETTR", 5_000).with_top("effectiveTTR", 5_000));
    let zero = state(Dialect::Brand, 20, "").with("manualETTR", 0).with_top("effectiveTTR", 0);
    let reception = conversation.receive_state(&zero.text()).expect("a state");
    assert_eq!(json!(reception.events), json!([{"ttrEffectiveManual": null, "ttrEffective": null}]));
    assert_eq!((conversation.ttr_effective(), conversation.ttr_effective_manual()), (None, None));
}

#[test]
fn satisfaction_is_read_in_both_dialects() {
    let conversation = seen(&state(Dialect::Brand, 10, "").with("csatRate", 5));
    assert_eq!(conversation.csat().and_then(|csat| csat.csat_rate), Some(5));
    let csat = json!({"csatRate": 3, "csatResolutionConfirmation": true, "status": "FILLED"});
    let conversation = seen(&state(Dialect::Consumer, 10, "").with("csat", csat.clone()));
    assert_eq!(conversation.members()["csat"], csat);
}

#[test]
fn the_page_names_every_member() {
    let page = seen(&state(Dialect::Brand, 10, "C:carol A:anna")).members();
    let names = "conversationId accountId appInstId assignedAgent campaignId consumer handlerAccountId note \
        notificationCount notificationIgnoredCount notificationOutOfOrderCount numberOfunreadMessages ttrEffective \
        engagementId handlerSkillId ttrEffectiveManual ttrType ttrValue stage skillId groupId csat delay startTime \
        updateTime closeTime closeReason firstConversation context dialogs participants";
    for name in names.split_whitespace() {
        assert!(page.get(name).is_some(), "{name}");
    }
    assert_eq!(page["conversationId"], ID);
    assert_eq!(
        page["assignedAgent"],
        json!({
            "userId": "anna", "agentId": "12345678.anna", "role": "ASSIGNED_AGENT", "state": "ACTIVE", "chatState": "ACTIVE"
        })
    );
    assert_eq!(page["dialogs"][0]["participants"], page["participants"]);
}
