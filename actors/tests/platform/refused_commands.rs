//! Commands without a successful response: each has its effect at most once, and its caller learns the outcome
//! (promise 4).

use std::{num::NonZeroUsize, sync::Arc, time::Duration};

use futures_util::future::join_all;
use tertulia_actors::{
    Tertulia,
    connection::ConnectionSettings,
    conversation::{ConversationError, ConversationHandle, Done, WaitingCommand, WaitingState},
    core::{
        command::{Command, SendText},
        id::CommandKey,
    },
    engine::{Journal, MemoryStore, Retention},
};
use tertulia_emulator::{Emulator, EmulatorConfig, FaultRule, HowOften, Outcome};
use tokio::time::{sleep, timeout};

use crate::stage::{self, PATIENCE, Stage, platform};

/// A platform, and a system with a store.
fn keeping() -> Stage {
    let emulator = Emulator::start(EmulatorConfig::default()).unwrap();
    let store = MemoryStore::new(NonZeroUsize::new(100_000).unwrap());
    let journal = Journal::start(Arc::new(store), Retention::default()).unwrap();
    let builder = Tertulia::builder().platform(platform(&emulator)).arbiters(NonZeroUsize::MIN);
    let tertulia = builder.journal(journal).start().unwrap();
    Stage::of(emulator, tertulia)
}

async fn send(conversation: &ConversationHandle, text: &str) -> Result<Done, ConversationError> {
    let command = Command::SendText(SendText { text: text.to_owned(), ..SendText::default() });
    let key = format!("key of {text}");
    conversation.perform_durably(key.as_str().into(), text, command, PATIENCE, PATIENCE).await
}

/// A rule for publishing in one conversation.
fn publishing(conversation: &ConversationHandle, outcome: Outcome, often: HowOften) -> FaultRule {
    let rule = FaultRule::new("PublishEvent", outcome).conversation(conversation.id().as_str());
    FaultRule { often, ..rule }
}

const OFTEN: [HowOften; 3] = [HowOften::Times(1), HowOften::Times(3), HowOften::Always];

/// Each conversation gets a different response, all at the same time.
#[actix_rt::test]
async fn a_send_that_was_carried_out_is_not_repeated_whatever_was_answered() {
    let mut stage = keeping();
    let settings = ConnectionSettings { request_timeout: Duration::from_secs(2), ..stage::bot(1) };
    let bot = stage.connect(settings).await;
    let codes = [429, 500, 503].map(Outcome::Code).into_iter();
    let mut sends = Vec::new();
    for outcome in codes.chain([Outcome::Never]) {
        for often in OFTEN {
            let conversation = stage.conversation(&bot).await;
            stage.emulator.add_rule(publishing(&conversation, outcome, often).carried_out()).unwrap();
            sends.push((conversation, format!("{outcome:?} {often:?}")));
        }
    }
    let outcomes = join_all(sends.iter().map(|(conversation, text)| send(conversation, text))).await;
    for ((_, text), outcome) in sends.iter().zip(outcomes) {
        assert_eq!(outcome.map(|done| done.sequence), Ok(Some(0)), "{text}");
    }
    let mut said = stage.said();
    let mut expected: Vec<String> = sends.into_iter().map(|(_, text)| text).collect();
    said.sort();
    expected.sort();
    assert_eq!(said, expected);
}

/// The socket ends between the effect and the response, repeatedly.
#[actix_rt::test]
async fn a_send_that_was_carried_out_before_the_socket_was_lost_is_not_repeated() {
    let mut stage = keeping();
    let bot = stage.bot().await;
    for often in OFTEN {
        let conversation = stage.conversation(&bot).await;
        stage.emulator.add_rule(publishing(&conversation, Outcome::Drop, often).carried_out()).unwrap();
        let text = format!("{often:?}");
        assert_eq!(send(&conversation, &text).await.map(|done| done.sequence), Ok(Some(0)), "{text}");
    }
    assert_eq!(stage.said(), OFTEN.map(|often| format!("{often:?}")));
}

/// A request that was really refused is repeated until it is accepted, and then has its effect once.
#[actix_rt::test]
async fn a_send_that_was_not_carried_out_is_repeated_until_it_is_taken() {
    let mut stage = keeping();
    let bot = stage.bot().await;
    let mut sends = Vec::new();
    for code in [429, 500, 503] {
        let conversation = stage.conversation(&bot).await;
        stage.emulator.add_rule(publishing(&conversation, Outcome::Code(code), HowOften::Times(2))).unwrap();
        sends.push((conversation, format!("{code}")));
    }
    let outcomes = join_all(sends.iter().map(|(conversation, text)| send(conversation, text))).await;
    assert!(outcomes.iter().all(Result::is_ok), "{outcomes:?}");
    let mut said = stage.said();
    said.sort();
    assert_eq!(said, ["429", "500", "503"]);
}

/// A consumer's socket reads its history by a subscription.
#[actix_rt::test]
async fn what_a_consumer_sent_is_not_repeated_either() {
    let mut stage = keeping();
    let conversation = stage.consumer("ann").await;
    let rule = publishing(&conversation, Outcome::Code(429), HowOften::Always).carried_out();
    stage.emulator.add_rule(rule).unwrap();
    assert_eq!(send(&conversation, "once").await.map(|done| done.sequence), Ok(Some(0)));
    assert_eq!(stage.said(), ["once"]);
}

/// A change of the conversation shows in its state.
#[actix_rt::test]
async fn a_change_that_was_carried_out_is_not_repeated() {
    let mut stage = keeping();
    let bot = stage.bot().await;
    let conversation = stage.conversation(&bot).await;
    let rule = FaultRule::new("UpdateConversationField", Outcome::Code(429)).always().carried_out();
    let rule = stage.emulator.add_rule(rule).unwrap();
    conversation.close().await.unwrap();
    assert_eq!(stage.emulator.rule_counts(rule).unwrap().refused, 1);
}

/// A request that cannot be looked up is not repeated: the caller gets the platform's response.
#[actix_rt::test]
async fn a_raw_request_that_was_throttled_is_reported_and_not_repeated() {
    let mut stage = keeping();
    let bot = stage.bot().await;
    let conversation = stage.conversation(&bot).await;
    let rule = publishing(&conversation, Outcome::Code(429), HowOften::Always).carried_out();
    let rule = stage.emulator.add_rule(rule).unwrap();
    let event = serde_json::json!({ "type": "ContentEvent", "contentType": "text/plain", "message": "raw" });
    let body = serde_json::json!({ "dialogId": conversation.id(), "event": event });
    let raw = Command::Raw { kind: "ms.PublishEvent".to_owned(), body, metadata: Vec::new() };
    assert_eq!(conversation.perform(raw).await.unwrap_err().code(), "platform-rejected");
    assert_eq!(stage.emulator.rule_counts(rule).unwrap().refused, 1);
}

/// Every code with which a platform closes the socket over content.
const OVER_CONTENT: [u16; 3] = [4410, 1009, 1008];

/// The platform closes the socket over one command each time it is sent. Other commands in flight are sent again; the
/// guilty command costs two sockets, fails, and becomes a dead letter.
async fn a_poison_message_costs_two_sockets(code: u16) {
    let mut stage = keeping();
    let bot = stage.bot().await;
    let poisoned = stage.conversation(&bot).await;
    let rule = FaultRule::new("PublishEvent", Outcome::Close(code)).containing("poison").always();
    let rule = stage.emulator.add_rule(rule).unwrap();
    let mut others = Vec::new();
    for number in 0..4 {
        others.push((stage.conversation(&bot).await, format!("fine {number}")));
    }
    let fine = join_all(others.iter().map(|(conversation, text)| send(conversation, text)));
    let (poison, fine) = futures_util::future::join(send(&poisoned, "poison"), fine).await;
    assert_eq!(poison.unwrap_err(), ConversationError::ClosedConnection { code });
    assert!(fine.iter().all(Result::is_ok), "{fine:?}");
    assert_eq!(stage.emulator.rule_counts(rule).unwrap().refused, 2);

    let letters = stage.tertulia.dead_letters().list(None, 10).await.unwrap();
    let bodies: Vec<String> = letters.iter().map(|letter| String::from_utf8_lossy(&letter.body).into_owned()).collect();
    assert!(matches!(&bodies[..], [body] if body.contains("poison")), "{bodies:?}");
    assert_eq!(letters[0].conversation.as_ref(), Some(poisoned.id()));
    let failed = stage.event("command-failed").await;
    let failed = serde_json::to_value(&failed.data).unwrap();
    assert_eq!((&failed["code"], &failed["platformCode"]), (&"closed-connection".into(), &code.into()));

    // The conversation continues, and a repeated command gets the same outcome.
    send(&poisoned, "well").await.unwrap();
    assert_eq!(send(&poisoned, "poison").await.unwrap_err(), ConversationError::ClosedConnection { code });
    assert_eq!(stage.emulator.rule_counts(rule).unwrap().refused, 2);
    let mut said = stage.said();
    said.sort();
    assert_eq!(said, ["fine 0", "fine 1", "fine 2", "fine 3", "well"]);
}

#[actix_rt::test]
async fn a_poison_message_costs_two_sockets_and_others_go_on() {
    join_all(OVER_CONTENT.map(a_poison_message_costs_two_sockets)).await;
}

/// Without a key nothing is stored, and the result is the same.
#[actix_rt::test]
async fn a_poison_message_without_a_key_costs_two_sockets_too() {
    let mut stage = keeping();
    let bot = stage.bot().await;
    let conversation = stage.conversation(&bot).await;
    let rule = FaultRule::new("PublishEvent", Outcome::Close(4410)).always();
    let rule = stage.emulator.add_rule(rule).unwrap();
    assert_eq!(conversation.send_text("poison").await.unwrap_err(), ConversationError::ClosedConnection { code: 4410 });
    assert_eq!(stage.emulator.rule_counts(rule).unwrap().refused, 2);
    assert_eq!(stage.tertulia.dead_letters().list(None, 10).await.unwrap().len(), 1);
}

/// One close over content proves nothing, because it may have had another cause.
#[actix_rt::test]
async fn a_command_that_met_one_close_over_content_is_sent_again() {
    let mut stage = keeping();
    let bot = stage.bot().await;
    let conversation = stage.conversation(&bot).await;
    stage.emulator.add_rule(publishing(&conversation, Outcome::Close(1008), HowOften::Times(1))).unwrap();
    assert_eq!(send(&conversation, "innocent").await.map(|done| done.sequence), Ok(Some(0)));
    assert_eq!(stage.said(), ["innocent"]);
}

/// A command that was published before the platform closed the socket counts as done.
#[actix_rt::test]
async fn a_command_that_was_published_before_each_close_is_done() {
    let mut stage = keeping();
    let bot = stage.bot().await;
    let conversation = stage.conversation(&bot).await;
    let rule = publishing(&conversation, Outcome::Close(4410), HowOften::Always).carried_out();
    stage.emulator.add_rule(rule).unwrap();
    assert_eq!(send(&conversation, "once").await.map(|done| done.sequence), Ok(Some(0)));
    assert_eq!(stage.said(), ["once"]);
}

/// Two waiting commands, after the first was sent.
async fn waiting(conversation: &ConversationHandle) -> Vec<WaitingCommand> {
    timeout(PATIENCE, async {
        loop {
            let waiting = conversation.waiting_commands().await.unwrap();
            if matches!(&waiting[..], [first, _] if first.state == WaitingState::InFlight) {
                return waiting;
            }
            sleep(Duration::from_millis(1)).await;
        }
    })
    .await
    .unwrap()
}

#[actix_rt::test]
async fn a_command_that_waits_is_cancelled_and_one_that_was_sent_is_not() {
    let mut stage = keeping();
    let bot = stage.bot().await;
    let conversation = stage.conversation(&bot).await;
    stage.emulator.add_rule(publishing(&conversation, Outcome::Late(1_500), HowOften::Always)).unwrap();
    let (first, second) = (send(&conversation, "first"), send(&conversation, "second"));
    let cancelling = async {
        let listed = waiting(&conversation).await;
        let states: Vec<_> = listed.iter().map(|one| (one.key.as_str(), one.state)).collect();
        let expected = [("key of first", WaitingState::InFlight), ("key of second", WaitingState::Queued)];
        assert_eq!(states, expected);
        let key = |key: &str| CommandKey::from(key);
        let in_flight = conversation.cancel(&key("key of first")).await;
        assert_eq!(in_flight, Err(ConversationError::InFlight(key("key of first"))));
        conversation.cancel(&key("key of second")).await.unwrap();
        let unknown = conversation.cancel(&key("key of second")).await;
        assert_eq!(unknown, Err(ConversationError::UnknownCommand(key("key of second"))));
    };
    let (first, second, ()) = tokio::join!(first, second, cancelling);
    first.unwrap();
    assert_eq!(second.unwrap_err(), ConversationError::Cancelled);
    assert_eq!(stage.said(), ["first"]);
    // A cancelled command had no effect, and may be submitted again.
    send(&conversation, "second").await.unwrap();
    assert_eq!(stage.said(), ["first", "second"]);
}
