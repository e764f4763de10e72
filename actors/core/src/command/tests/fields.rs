//! Response time, deadline and satisfaction (CV-F10, CV-F11, CV-F13).

use serde_json::{Value, json};

use super::scene::{Scene, agent, consumer};
use crate::{
    command::*,
    time::Timestamp,
    ums::{CsatStatus, Request, TtrType},
};

fn csat(rate: u8) -> Command {
    Command::SetCsat { rate, resolved: Some(true), status: CsatStatus::Filled }
}

#[test]
fn cv_f10_a_satisfaction_is_sent_as_a_string() {
    assert_eq!(
        Scene::open().changes(&csat(5), &consumer()),
        json!([{ "field": "CSATRate", "csatRate": "5", "csatResolutionConfirmation": true, "status": "FILLED" }])
    );
    let skipped = Command::SetCsat { rate: 0, resolved: None, status: CsatStatus::Skipped };
    let change = &Scene::open().changes(&skipped, &consumer())[0];
    assert_eq!((&change["csatRate"], &change["csatResolutionConfirmation"]), (&json!("0"), &Value::Null));
}

/// Q17.
#[test]
fn cv_f10_a_satisfaction_beyond_5_is_refused() {
    for rate in 0..=u8::MAX {
        assert_eq!(Scene::open().asked(&csat(rate), &consumer()).is_ok(), rate <= 5, "{rate}");
    }
    assert_eq!(Scene::open().refusal(&csat(10), &consumer()), "bad-csat");
}

#[test]
fn cv_f10_only_consumers_give_it_also_after_the_end_and_again() {
    assert_eq!(Scene::open().refusal(&csat(5), &agent()), "not-supported");
    assert_eq!(Scene::closed().planned(&csat(5), &consumer()).repeat, Repeat::Safe);
}

#[test]
fn cv_f11_the_deadline_is_set_by_agents_only() {
    let command = Command::SetManualEttr { time: Timestamp(1_735_689_600_000) };
    assert_eq!(
        Scene::open().changes(&command, &agent()),
        json!([{ "field": "ManualETTR", "time": 1_735_689_600_000_i64 }])
    );
    assert_eq!(Scene::open().refusal(&command, &consumer()), "not-supported");
}

#[test]
fn cv_f13_the_response_time_always_has_its_value() {
    for side in [agent(), consumer()] {
        let urgent = Command::SetTtr { ttr_type: TtrType::Urgent, value: 0 };
        assert_eq!(
            Scene::open().changes(&urgent, &side),
            json!([{ "field": "TTRField", "ttrType": "URGENT", "value": 0 }])
        );
        let custom = Command::SetTtr { ttr_type: TtrType::Custom, value: 90 };
        assert_eq!(Scene::open().changes(&custom, &side)[0]["value"], 90);
    }
}

#[test]
fn cn_f4_a_raw_request_is_sent_as_it_is_and_never_repeated() {
    let command = Command::Raw { kind: ".ams.x.Y".to_owned(), body: json!({ "a": 1 }), metadata: vec![json!(7)] };
    let planned = Scene::closed().planned(&command, &agent());
    assert_eq!(planned.request, Request::Raw { kind: ".ams.x.Y".to_owned(), body: json!({ "a": 1 }) });
    assert_eq!(
        (planned.metadata, planned.answer, planned.repeat),
        (vec![json!(7)], AnswerKind::Anything, Repeat::Never)
    );
}
