//! A roster for tests, with conversation actors that store nothing.

use actix::Message;

use super::{restore::Remembered, *};
use crate::conversation::{Outline, tests::upstream};

/// A connection that accepts every message and does nothing.
struct Idle;

impl Actor for Idle {
    type Context = Context<Self>;
}

impl<M: Message<Result = ()>> Handler<M> for Idle {
    type Result = ();

    fn handle(&mut self, _: M, _: &mut Self::Context) {}
}

fn roster() -> Roster<()> {
    let idle = Idle.start();
    let upstream = upstream(idle.clone().recipient::<ChildTold>(), idle.clone().recipient::<Ask>());
    Roster::new(upstream, idle.recipient(), 10)
}

fn remembered(id: &str, consumer: Option<&str>) -> Remembered {
    let dialogs = vec![format!("survey of {id}").as_str().into()];
    let consumer = consumer.map(ExternalConsumerId::from);
    Remembered { id: id.into(), dialogs, consumer, outline: Outline::default(), is_pending: false }
}

#[actix_rt::test]
async fn a_restored_conversation_sleeps_until_it_is_needed_and_speaks_for_its_consumer_then() {
    let (mut roster, id) = (roster(), ConversationId::from("c1"));
    roster.restore(vec![remembered("c1", Some("anna"))]);
    assert!(roster.is_asleep(&id) && !roster.is_awake(&id));
    assert_eq!(roster.conversation_of("survey of c1"), Some(&id));
    let child = roster.child(&id, None, || Arrival::New);
    assert_eq!(child.consumer(), Some(&"anna".into()));
    assert!(roster.is_awake(&id) && !roster.is_asleep(&id));
}

#[actix_rt::test]
async fn a_conversation_that_came_before_the_restore_stays_awake_and_is_told_what_is_known() {
    let (mut roster, id) = (roster(), ConversationId::from("c1"));
    roster.child(&id, None, || Arrival::New);
    roster.restore(vec![remembered("c1", Some("anna"))]);
    assert!(roster.is_awake(&id) && !roster.is_asleep(&id));
    assert_eq!(roster.len(), 1);
    assert_eq!(roster.conversation_of("survey of c1"), Some(&id));
    assert_eq!(roster.get(&id).and_then(Child::consumer), Some(&"anna".into()));
}

#[actix_rt::test]
async fn a_conversation_is_forgotten_with_its_dialogs_and_tells_no_further_ones() {
    let (mut roster, id) = (roster(), ConversationId::from("c1"));
    roster.restore(vec![remembered("c1", None), remembered("c2", None)]);
    assert!(roster.forget(&id, Leave::ForGood));
    roster.note_dialog("another of c1".into(), id.clone());
    assert_eq!(roster.conversation_of("survey of c1"), None);
    assert_eq!(roster.conversation_of("another of c1"), None);
    assert!(roster.conversation_of("survey of c2").is_some());
    assert!(!roster.forget(&id, Leave::ForGood));
    assert_eq!(roster.ids().map(ConversationId::as_str).collect::<Vec<_>>(), ["c2"]);
}
