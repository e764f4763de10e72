//! Snapshots and pages that changes overtake, sockets lost during a question, and departures: each was once a fault.

use super::super::{Addressee, Output, Outputs, Presence, SubscriptionKey, Subscriptions, page::PageRule};
use crate::{
    id::ConversationId,
    session::Millis,
    time::Timestamp,
    ums::{AnswerError, ChangeKind, ConversationQuery},
};

const NOW: Millis = Millis(1_000);

/// Subscriptions whose pages are full at three changes.
struct Scene(Subscriptions<()>);

impl Scene {
    /// The connection's own subscription has the id `root`, and its snapshot is still expected.
    fn begun() -> Self {
        let mut scene = Self(Subscriptions::with(PageRule { full: 3, most: 3, overlap: 10 }));
        let outputs = scene.0.resume(Some(ConversationQuery::default()));
        scene.answer(&outputs, "root");
        scene
    }

    /// Responds to the only subscription among the outputs.
    fn answer(&mut self, outputs: &Outputs, id: &str) {
        let asked = outputs.iter().find_map(|output| match output {
            Output::Subscribe { key, .. } => Some(*key),
            _ => None,
        });
        let key: SubscriptionKey = asked.unwrap();
        assert!(self.0.answered(key, Ok(id.into()), NOW).is_empty());
    }

    /// A notification of these upserts, each with its time.
    fn upserts(&mut self, subscription: &str, changes: &[(&str, i64)]) -> Outputs {
        let addressee = self.0.addressee(Some(subscription));
        for (id, updated) in changes {
            self.change(addressee, id, &ChangeKind::Upsert, *updated);
        }
        let named = changes.iter().map(|(id, _)| ConversationId::from(*id)).collect();
        let oldest = || changes.iter().map(|(_, updated)| Timestamp(*updated)).min();
        self.0.notified(addressee, named, changes.len(), oldest, NOW)
    }

    fn delete(&mut self, subscription: &str, id: &str, updated: i64) -> Option<Presence> {
        let addressee = self.0.addressee(Some(subscription));
        let presence = self.change(addressee, id, &ChangeKind::Delete, updated);
        self.0.notified(addressee, vec![id.into()], 1, || Some(Timestamp(updated)), NOW);
        presence
    }

    fn change(&mut self, addressee: Addressee, id: &str, kind: &ChangeKind, updated: i64) -> Option<Presence> {
        self.0.change(addressee, &id.into(), kind, true, || Some(Timestamp(updated)), NOW)
    }

    fn has(&self, id: &str) -> bool {
        self.0.has(&id.into())
    }
}

const PAGE: [(&str, i64); 3] = [("a", 100), ("b", 200), ("c", 300)];

#[test]
fn sb9_a_change_that_overtakes_a_further_page_is_not_that_page() {
    let mut scene = Scene::begun();
    let outputs = scene.upserts("root", &PAGE);
    scene.answer(&outputs, "page");
    assert!(scene.upserts("page", &[("a", 400)]).is_empty());
    let outputs = scene.upserts("page", &[("d", 50), ("e", 60)]);
    assert!(outputs.iter().any(|output| matches!(output, Output::SnapshotWhole(seen) if seen.len() == 5)));
    assert!(scene.has("d") && scene.has("e"));
}

#[test]
fn sb9_a_further_page_of_one_change_is_taken_after_a_while() {
    let mut scene = Scene::begun();
    let outputs = scene.upserts("root", &PAGE);
    scene.answer(&outputs, "page");
    assert!(scene.upserts("page", &[("d", 50)]).is_empty());
    assert!(scene.0.tick(Millis(5_999)).is_empty());
    let outputs = scene.0.tick(Millis(6_000));
    assert!(outputs.iter().any(|output| matches!(output, Output::SnapshotWhole(seen) if seen.len() == 4)));
}

#[test]
fn sb10_a_cut_snapshot_is_reported_once_and_older_pages_follow() {
    let mut scene = Scene::begun();
    let crowd = [("a", 100), ("b", 100), ("c", 100)];
    for (from, to) in [("root", "overlap"), ("overlap", "crowd"), ("crowd", "older")] {
        let outputs = scene.upserts(from, &crowd);
        let is_cut = outputs.contains(&Output::SnapshotCut { at: Timestamp(100) });
        assert_eq!(is_cut, from == "crowd");
        scene.answer(&outputs, to);
    }
    let outputs = scene.upserts("older", &[("d", 50), ("e", 60)]);
    assert!(outputs.iter().any(|output| matches!(output, Output::SnapshotWhole(seen) if seen.contains("e"))));
    assert!(["a", "b", "c", "d", "e"].into_iter().all(|id| scene.has(id)));
}

#[test]
fn sb11_a_first_page_that_comes_late_is_followed_by_the_next_one() {
    let mut scene = Scene::begun();
    scene.upserts("root", &[("a", 400)]);
    let outputs = scene.upserts("root", &PAGE);
    scene.answer(&outputs, "page");
    scene.upserts("page", &[("d", 50), ("e", 60)]);
    assert!(scene.has("d") && scene.has("e"));
}

#[test]
fn a_snapshot_from_before_a_conversation_left_does_not_bring_it_back() {
    let mut scene = Scene::begun();
    assert_eq!(scene.delete("root", "a", 400), Some(Presence::Left));
    scene.upserts("root", &[("a", 100), ("b", 200)]);
    assert!(!scene.has("a") && scene.has("b"));
    assert!(scene.0.is_leaving(&"a".into()));
    scene.upserts("root", &[("a", 500)]);
    assert!(scene.has("a") && !scene.0.is_leaving(&"a".into()));
}

#[test]
fn nobody_leaves_because_the_socket_was_lost_over_the_question() {
    let mut scene = Scene::begun();
    scene.upserts("root", &[]);
    scene.0.missing(vec!["a".into()], NOW);
    scene.0.socket_lost();
    assert!(!scene.0.is_leaving(&"a".into()));
}

fn refused(code: u16) -> AnswerError {
    AnswerError::Refused { code, text: String::new() }
}

fn later(outputs: &Outputs) -> SubscriptionKey {
    match outputs[..] {
        [Output::SubscribeLater { key, .. }] => key,
        _ => panic!("{outputs:?}"),
    }
}

#[test]
fn a_refused_subscription_is_asked_for_again_until_it_stands() {
    let mut state = Subscriptions::<()>::default();
    let outputs = state.resume(Some(ConversationQuery::default()));
    let Output::Subscribe { key, .. } = outputs[0] else { panic!("{outputs:?}") };
    for code in [500, 403, 404] {
        assert_eq!(later(&state.answered(key, Err(refused(code)), NOW)), key);
        assert!(matches!(state.again(key)[..], [Output::Subscribe { .. }]));
        assert!(state.again(key).is_empty(), "it is asked already");
    }
    assert!(state.answered(key, Ok("root".into()), NOW).is_empty());
    let whole = state.notified(state.addressee(Some("root")), Vec::new(), 0, || None, NOW);
    assert!(matches!(whole[..], [Output::SnapshotWhole(_)]));
}

#[test]
fn a_question_that_is_not_answered_keeps_nobody_else_waiting_and_makes_nobody_leave() {
    let mut scene = Scene::begun();
    scene.upserts("root", &[]);
    let asked = scene.0.missing(vec!["a".into(), "b".into()], NOW);
    let [Output::Subscribe { key: a, .. }, Output::Subscribe { key: b, .. }] = asked[..] else { panic!("{asked:?}") };
    assert_eq!(later(&scene.0.answered(a, Err(refused(500)), NOW)), a);
    assert_eq!(scene.0.answered(b, Err(refused(404)), NOW)[..], [Output::Settled("b".into())]);
    assert!(!scene.0.is_leaving(&"a".into()));
    scene.0.again(a);
    let settled = scene.0.answered(a, Err(refused(404)), NOW);
    assert!(matches!(&settled[..], [Output::Settled(_), Output::UpToDate { .. }]), "{settled:?}");
}

#[test]
fn a_stranger_is_asked_for_by_what_the_connection_sees_and_its_state_makes_it_known() {
    let mut state = Subscriptions::<()>::default();
    state.ready(true);
    let own = ConversationQuery { agent_ids: vec!["me".into()], ..ConversationQuery::default() };
    let asked = state.stranger(&"s".into(), Some(&own), NOW);
    let [Output::Subscribe { key, query }] = &asked[..] else { panic!("{asked:?}") };
    assert_eq!((query.conversation_id.clone(), &query.agent_ids), (Some("s".into()), &own.agent_ids));
    assert!(state.stranger(&"s".into(), Some(&own), NOW).is_empty());
    state.answered(*key, Ok("question".into()), NOW);
    let addressee = state.addressee(Some("question"));
    let presence = state.change(addressee, &"s".into(), &ChangeKind::Upsert, false, || None, NOW);
    assert_eq!(presence, Some(Presence::Held));
    assert_eq!(state.change(addressee, &"other".into(), &ChangeKind::Upsert, false, || None, NOW), None);
    assert!(matches!(state.notified(addressee, vec!["s".into()], 1, || None, NOW)[..], [Output::Unsubscribe(_)]));
}
