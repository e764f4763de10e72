//! Agents' notes share one field, and none is lost (CV-F9, NT-1 to NT-7).

use std::time::Duration;

use futures_util::future::join_all;
use serde_json::Value;
use tertulia_actors::{
    connection::{Agents, ConnectionSettings, Rings},
    conversation::ConversationHandle,
    core::{command::SetAgentNote, conversation::ConversationEvent, time::Timestamp, ums},
    subscriber::{Event, EventData},
};
use tertulia_emulator::{EmulatorConfig, Fault, FaultKind};

use crate::stage::{Stage, bot};

fn note(text: &str, time: i64) -> SetAgentNote {
    SetAgentNote::new(text.to_owned(), Timestamp(time))
}

async fn notes(conversation: &ConversationHandle) -> Vec<String> {
    let members = conversation.members().await.unwrap();
    let field: Vec<Value> = serde_json::from_str(members["note"].as_str().unwrap_or("[]")).unwrap();
    field.iter().filter_map(|note| note["noteContent"].as_str().map(str::to_owned)).collect()
}

/// Waits for a state with the current note: the state with a new response time.
async fn shown(stage: &mut Stage, conversation: &ConversationHandle) {
    shown_with(stage, conversation, ums::TtrType::Urgent).await;
}

/// The same with a response time of this type, which must be new.
async fn shown_with(stage: &mut Stage, conversation: &ConversationHandle, ttr: ums::TtrType) {
    conversation.set_ttr(ttr.clone(), 0).await.unwrap();
    let here = |event: &Event| {
        let shows = matches!(&event.data, EventData::Conversation(ConversationEvent::TtrChange { ttr_type, .. })
            if ttr_type.as_ref() == Some(&ttr));
        shows && event.origin.connection == *conversation.connection()
    };
    stage.until(here).await;
}

/// NT-3, NT-6: notes stand beside each other; a long one is cut and says so.
#[actix_rt::test]
async fn notes_stand_beside_each_other_and_a_long_one_is_cut() {
    let mut stage = Stage::set(EmulatorConfig::default());
    let bot = stage.bot().await;
    let conversation = stage.conversation(&bot).await;
    conversation.set_agent_note(note("first", 1)).await.unwrap();
    let done = conversation.set_agent_note(note(&"x".repeat(6_000), 2)).await.unwrap();
    let written = done.note.unwrap();
    assert!(written.truncated);
    shown(&mut stage, &conversation).await;
    assert_eq!(notes(&conversation).await, ["first".to_owned(), written.content]);
    let full = conversation.set_agent_note(note("no room", 3)).await.unwrap_err();
    assert_eq!(full.code(), "note-full");
}

/// NT-3: writers on two connections at the same time wipe out nothing of each other.
#[actix_rt::test]
async fn two_writers_at_the_same_time_lose_no_note() {
    two_writers(EmulatorConfig::default()).await;
}

/// NT-3: the same where the response to a write overtakes the states of the writes before it.
#[actix_rt::test]
async fn two_writers_lose_no_note_while_states_come_late() {
    two_writers(EmulatorConfig { snapshot_pause: Duration::from_millis(60), ..EmulatorConfig::default() }).await;
}

async fn two_writers(config: EmulatorConfig) {
    let mut stage = Stage::set(config);
    let first = stage.bot().await;
    let mine = stage.conversation(&first).await;
    let second = stage.connect(ConnectionSettings { rings: Rings::Off, agents: Agents::All, ..bot(2) }).await;
    let theirs = stage.tertulia.connection(&second).conversation(mine.id()).unwrap();
    theirs.join(ums::ParticipantRole::Manager).await.unwrap();

    let write = |conversation: ConversationHandle, name: &'static str| async move {
        for number in 0..5 {
            conversation.set_agent_note(note(&format!("{name}{number}"), number)).await.unwrap();
        }
    };
    join_all([write(mine.clone(), "a"), write(theirs, "b")]).await;
    // Nobody can keep a note that the platform has not shown them: the state comes after the other's answer.
    shown_with(&mut stage, &mine, ums::TtrType::Normal).await;
    let last = mine.set_agent_note(note("last", 100)).await.unwrap();
    assert_eq!(last.note.unwrap().content, "last");
    shown(&mut stage, &mine).await;
    let mut written = notes(&mine).await;
    written.sort();
    assert_eq!(written, ["a0", "a1", "a2", "a3", "a4", "b0", "b1", "b2", "b3", "b4", "last"]);
}

/// NT-3: the second note of one handle does not wait for the state that shows the first. The states come late and in
/// any order, and nobody's note is lost.
#[actix_rt::test]
async fn a_note_that_no_state_has_shown_yet_is_not_lost_by_the_next() {
    let mut stage = Stage::set(EmulatorConfig::default());
    let bot = stage.bot().await;
    let conversation = stage.conversation(&bot).await;
    conversation.set_agent_note(note("0", 0)).await.unwrap();
    for number in 1..6 {
        stage.emulator.inject(Fault::new(FaultKind::Reorder).user("bot1").count(1));
        conversation.set_agent_note(note(&number.to_string(), number)).await.unwrap();
    }
    shown(&mut stage, &conversation).await;
    assert_eq!(notes(&conversation).await, ["0", "1", "2", "3", "4", "5"]);
}
