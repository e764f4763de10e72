//! Reading a dialog's history (CV-F5).

use serde_json::json;

use super::scene::{COBROWSE, MAIN, SURVEY, Scene, agent, consumer};
use crate::{command::*, id::DialogId};

fn query(from: Option<u64>, to: Option<u64>, max: Option<u64>) -> Command {
    Command::QueryMessages { dialog: None, range: MessageRange { from, to, max } }
}

fn of(dialog: &str) -> Command {
    Command::QueryMessages { dialog: Some(DialogId::from(dialog)), range: MessageRange::default() }
}

#[test]
fn cv_f5_inclusive_bounds_become_the_wires_exclusive_ones() {
    let rows = [
        (query(None, None, None), json!({ "dialogId": MAIN, "newerThanSequence": -1 })),
        (query(Some(0), None, None), json!({ "dialogId": MAIN, "newerThanSequence": -1 })),
        (query(Some(5), Some(5), None), json!({ "dialogId": MAIN, "newerThanSequence": 4, "olderThanSequence": 6 })),
        (
            query(None, Some(0), Some(1)),
            json!({ "dialogId": MAIN, "newerThanSequence": -1, "olderThanSequence": 1, "maxQuantity": 1 }),
        ),
        (query(Some(1), None, Some(2)), json!({ "dialogId": MAIN, "newerThanSequence": 0, "maxQuantity": 3 })),
        (
            query(None, Some(u64::MAX), None),
            json!({ "dialogId": MAIN, "newerThanSequence": -1, "olderThanSequence": i64::MAX }),
        ),
    ];
    for (command, expected) in rows {
        assert_eq!(Scene::open().body(&command, &agent()), expected);
    }
    let planned = Scene::open().planned(&query(None, None, None), &agent());
    assert_eq!((planned.answer, planned.repeat), (AnswerKind::History(MessageRange::default()), Repeat::Safe));
}

#[test]
fn cv_f5_a_range_includes_both_its_bounds() {
    let range = MessageRange { from: Some(2), to: Some(3), max: None };
    assert_eq!([1, 2, 3, 4].map(|sequence| range.contains(sequence)), [false, true, true, false]);
    assert!(MessageRange::default().contains(0) && MessageRange::default().contains(u64::MAX));
}

#[test]
fn cv_f5_a_range_without_a_sequence_is_refused() {
    for command in [query(Some(2), Some(1), None), query(None, None, Some(0))] {
        assert_eq!(Scene::open().refusal(&command, &agent()), "bad-range");
    }
}

#[test]
fn cv_f5_only_agents_query() {
    assert_eq!(Scene::open().refusal(&query(None, None, None), &consumer()), "not-supported");
}

#[test]
fn cv_f5_the_open_dialog_is_read_unless_another_is_named() {
    assert_eq!(Scene::survey().body(&query(None, None, None), &agent())["dialogId"], SURVEY);
    assert_eq!(Scene::survey().body(&of(MAIN), &agent())["dialogId"], MAIN);
    assert_eq!(Scene::closed().body(&of(MAIN), &agent())["dialogId"], MAIN);
    assert_eq!(Scene::closed().refusal(&query(None, None, None), &agent()), "no-open-dialog");
    assert_eq!(Scene::open().refusal(&of("nowhere"), &agent()), "unknown-dialog");
    let call = Scene::open().dialog(COBROWSE, "OTHER", "COBROWSE", "OPEN");
    assert_eq!(call.refusal(&of(COBROWSE), &agent()), "not-supported");
}
