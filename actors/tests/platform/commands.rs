//! Every command gets an answer, and has its effect on the platform once.

use std::time::Duration;

use tertulia_actors::{
    connection::ConnectionSettings,
    conversation::ConversationError,
    core::{
        command::{Command, MessageRange, SendText},
        id::CommandKey,
        session::SessionPolicy,
        ums::ChatState,
    },
};
use tertulia_emulator::{EmulatorConfig, Fault, FaultKind, HistoryBound, Switches};

use crate::stage::{self, PATIENCE, Stage, hasty};

fn text(text: &str) -> Command {
    Command::SendText(SendText { text: text.to_owned(), ..SendText::default() })
}

/// CV-F5: the history, both bounds inclusive.
#[actix_rt::test]
async fn the_history_is_read_within_inclusive_bounds_however_the_platform_reads_them() {
    for history_bound in [HistoryBound::Inclusive, HistoryBound::Exclusive] {
        let switches = Switches { history_bound, ..Switches::default() };
        let config = EmulatorConfig { switches, ..EmulatorConfig::default() };
        the_history_is_read_within_inclusive_bounds(Stage::set(config)).await;
    }
}

async fn the_history_is_read_within_inclusive_bounds(mut stage: Stage) {
    // Requests are counted below, so nothing keeps the session alive meanwhile.
    let policy = SessionPolicy { keep_alive_every: PATIENCE, dead_after: 2 * PATIENCE, ..hasty() };
    let bot = stage.connect(ConnectionSettings { policy, ..stage::bot(1) }).await;
    let conversation = stage.conversation(&bot).await;
    for number in 0..5 {
        conversation.send_text(format!("{number}")).await.unwrap();
    }
    let texts = |done: tertulia_actors::conversation::Done| -> Vec<String> {
        done.messages.iter().filter_map(|message| message.text()).collect()
    };
    let all = conversation.query_messages(MessageRange::default()).await.unwrap();
    assert_eq!(texts(all), ["0", "1", "2", "3", "4"]);
    let range = MessageRange { from: Some(1), to: Some(3), max: None };
    let requests = stage.tertulia.metrics().requests.get();
    assert_eq!(texts(conversation.query_messages(range).await.unwrap()), ["1", "2", "3"]);
    assert_eq!(stage.tertulia.metrics().requests.get(), requests + 1);
    let range = MessageRange { from: Some(1), to: None, max: Some(2) };
    assert_eq!(texts(conversation.query_messages(range).await.unwrap()), ["1", "2"]);
}

/// CV-E1: closing the MAIN dialog is reported, and later messages are refused without a request.
#[actix_rt::test]
async fn a_closed_conversation_refuses_messages() {
    let mut stage = Stage::set(EmulatorConfig::default());
    let bot = stage.bot().await;
    let conversation = stage.conversation(&bot).await;
    conversation.close().await.unwrap();
    stage.event("dialog.close").await;
    let refused = conversation.send_text("too late").await.unwrap_err();
    assert_eq!(refused.code(), "no-open-dialog");
}

/// The dialog's receipts and chat states.
#[actix_rt::test]
async fn receipts_and_chat_states_are_published() {
    let mut stage = Stage::set(EmulatorConfig::default());
    let bot = stage.bot().await;
    let conversation = stage.conversation(&bot).await;
    stage.emulator.say(conversation.id().as_str(), "hello").unwrap();
    stage.event("message").await;
    conversation.read(vec![0]).await.unwrap();
    stage.event("message-delivery").await;
    conversation.set_chat_state(ChatState::Composing).await.unwrap();
    stage.event("chat-state").await;
}

/// Protocol §9.3: a 429 pauses the conversation and is tried again, so that the command is done once.
#[actix_rt::test]
async fn a_throttled_command_is_sent_again() {
    let mut stage = Stage::set(EmulatorConfig::default());
    let bot = stage.bot().await;
    let conversation = stage.conversation(&bot).await;
    stage.emulator.inject(Fault::new(FaultKind::Throttle).user("bot1"));
    conversation.send_text("hello").await.unwrap();
    assert_eq!(stage.said(), ["hello"]);
}

/// Promise 4: an error of the platform may have come after the effect, so the history decides.
#[actix_rt::test]
async fn a_command_that_met_an_error_of_the_platform_is_done_once() {
    let mut stage = Stage::set(EmulatorConfig::default());
    let bot = stage.bot().await;
    let conversation = stage.conversation(&bot).await;
    stage.emulator.inject(Fault::new(FaultKind::Error).user("bot1"));
    conversation.send_text("hello").await.unwrap();
    assert_eq!(stage.said(), ["hello"]);
}

/// Every queue is bounded: beyond the limit a caller is refused at once.
#[actix_rt::test]
async fn a_full_queue_refuses_at_once() {
    let mut stage = Stage::set(EmulatorConfig::default());
    let settings = ConnectionSettings { max_waiting_commands: 2, ..stage::bot(1) };
    let bot = stage.connect(settings).await;
    let conversation = stage.conversation(&bot).await;
    // No answer makes room while they are sent.
    stage.emulator.inject(Fault::new(FaultKind::Delay).user("bot1").count(8));
    let sends = (0..3).map(|number| conversation.send_text(format!("{number}")));
    let outcomes = futures_util::future::join_all(sends).await;
    let refused: Vec<_> = outcomes.into_iter().filter_map(Result::err).collect();
    assert_eq!(refused, [ConversationError::Overloaded]);
}

/// Promise 4: a command whose time is over while the connection is away is answered, and not sent later.
#[actix_rt::test]
async fn a_command_that_waited_too_long_is_answered_and_never_sent() {
    let mut stage = Stage::set(EmulatorConfig::default());
    let bot = stage.bot().await;
    let conversation = stage.conversation(&bot).await;
    stage.emulator.inject(Fault::new(FaultKind::RefuseLogin).user("bot1").count(1));
    stage.emulator.inject(Fault::new(FaultKind::Drop).user("bot1"));
    stage.event("connection.disconnected").await;
    let key = CommandKey::from("late");
    let outcome = conversation.perform_as(key, text("late"), Duration::ZERO).await.unwrap_err();
    assert_eq!(outcome, ConversationError::TimedOut);
    conversation.perform_as("next".into(), text("next"), PATIENCE).await.unwrap();
    assert_eq!(stage.said(), ["next"]);
}
