//! Promises 1, 2 and 4 over a lost connection: nothing lost, nothing twice, everything in order.

use std::time::Duration;

use tertulia_actors::{
    connection::ConnectionSettings,
    core::{
        command::{Command, SendText},
        id::{CommandKey, ConversationId},
        session::SessionPolicy,
    },
    subscriber::EventData,
};
use tertulia_emulator::{EmulatorConfig, Fault, FaultKind, FaultMode, HistoryBound, Side, Switches};

use crate::stage::{PATIENCE, Stage, bot, consumer, hasty};

/// Interrupts the bot for three seconds: it must log in again, and the login takes that long.
fn stay_away(stage: &Stage) {
    stage.emulator.inject(Fault::new(FaultKind::SlowLogin).user("bot1"));
    assert_eq!(stage.emulator.inject(Fault::new(FaultKind::ExpireToken).user("bot1")), 1);
}

/// Q9: messages that a bot missed while it was away are fetched, and delivered in their place.
#[actix_rt::test]
async fn messages_missed_while_away_arrive_once_and_in_order() {
    let mut stage = Stage::set(EmulatorConfig::default());
    let bot = stage.bot().await;
    let conversation = stage.conversation(&bot).await;
    let id = conversation.id().as_str();
    stage.emulator.say(id, "0").unwrap();
    assert_eq!(stage.texts(&bot, 1).await, ["0"]);

    stay_away(&stage);
    for text in ["1", "2", "3"] {
        stage.emulator.say(id, text).unwrap();
    }
    assert_eq!(stage.texts(&bot, 3).await, ["1", "2", "3"]);
    let resumed = stage.event("connection.resumed").await;
    let EventData::Resumed { conversations: 1, filled: 3, incomplete: 0, .. } = resumed.data else {
        panic!("{resumed:?}")
    };
    stage.emulator.say(id, "4").unwrap();
    assert_eq!(stage.texts(&bot, 1).await, ["4"]);
    assert_eq!(stage.tertulia.metrics().messages_back_filled.get(), 3);
    assert_eq!(stage.tertulia.metrics().message_gaps.get(), 0);
}

/// More than two pages of history, including the first message, whether the platform's lower bound is inclusive or not.
#[actix_rt::test]
async fn long_histories_are_filled_however_the_platform_reads_their_bounds() {
    const MISSED: u64 = 1_100;
    for history_bound in [HistoryBound::Inclusive, HistoryBound::Exclusive] {
        let switches = Switches { history_bound, ..Switches::default() };
        let mut stage = Stage::set(EmulatorConfig { switches, ..EmulatorConfig::default() });
        let bot = stage.bot().await;
        let conversation = stage.conversation(&bot).await;
        stay_away(&stage);
        for number in 0..MISSED {
            stage.emulator.say(conversation.id().as_str(), &number.to_string()).unwrap();
        }
        let texts = stage.texts(&bot, MISSED as usize).await;
        assert_eq!(texts, (0..MISSED).map(|number| number.to_string()).collect::<Vec<_>>());
        assert_eq!(stage.tertulia.metrics().message_gaps.get(), 0);
    }
}

/// Promise 1: `sequence` grows by one for every event of a conversation, over a reconnect too.
#[actix_rt::test]
async fn the_sequence_of_events_has_no_holes() {
    let mut stage = Stage::set(EmulatorConfig::default());
    let bot = stage.bot().await;
    let conversation = ConversationId::from(stage.emulator.create_conversation(None, None));
    for round in 0..3 {
        stage.emulator.say(conversation.as_str(), &format!("{round}")).unwrap();
        stage.emulator.inject(Fault::new(FaultKind::Drop).user("bot1"));
    }
    let mut sequences = Vec::new();
    let mut messages = 0;
    while messages < 3 {
        let event = stage
            .until(|event| event.origin.connection == bot && event.conversation.as_ref() == Some(&conversation))
            .await;
        messages += usize::from(event.data.name() == "message");
        sequences.extend(event.sequence);
    }
    let expected: Vec<u64> = (1..).take(sequences.len()).collect();
    assert_eq!(sequences, expected);
}

/// Q1, Q2.
/// Promise 4: commands given while the connection is away wait, keep their order, and each acts once.
#[actix_rt::test]
async fn commands_given_while_away_are_sent_in_order_after_the_reconnect() {
    let mut stage = Stage::set(EmulatorConfig::default());
    let bot = stage.bot().await;
    let conversation = stage.conversation(&bot).await;
    stage.emulator.inject(Fault::new(FaultKind::Drop).user("bot1"));
    stage.event("connection.disconnected").await;
    let sends: Vec<_> = (0..5).map(|number| conversation.send_text(format!("{number}"))).collect();
    for (number, send) in futures_util::future::join_all(sends).await.into_iter().enumerate() {
        assert_eq!(send.unwrap().sequence, Some(number as u64));
    }
    assert_eq!(stage.said(), ["0", "1", "2", "3", "4"]);
}

/// Q3, Q4.
/// Promise 4: sends whose answers are lost are found in the history, not repeated.
#[actix_rt::test]
async fn sends_are_neither_lost_nor_repeated_however_often_the_connection_drops() {
    const MESSAGES: usize = 300;
    let mut stage = Stage::set(EmulatorConfig { faults: FaultMode::Flaky, seed: 11, ..EmulatorConfig::default() });
    let bot = stage.bot().await;
    let conversation = stage.conversation(&bot).await;
    for number in 0..MESSAGES {
        conversation.send_text(format!("{number}")).await.unwrap();
        if number % 30 == 0 {
            stage.emulator.inject(Fault::new(FaultKind::Drop).side(Side::Brand));
        }
    }
    let expected: Vec<String> = (0..MESSAGES).map(|number| number.to_string()).collect();
    assert_eq!(stage.said(), expected);
}

/// The same key asked again while its first command still waits acts once in the ledger, because it is found there.
#[actix_rt::test]
async fn a_key_travels_with_its_message() {
    let mut stage = Stage::set(EmulatorConfig::default());
    let bot = stage.bot().await;
    let conversation = stage.conversation(&bot).await;
    let command = Command::SendText(SendText { text: "hello".to_owned(), ..SendText::default() });
    let done = conversation.perform_as(CommandKey::from("order-66"), command, PATIENCE).await.unwrap();
    assert_eq!(done.key, CommandKey::from("order-66"));
    let entry = stage.emulator.ledger().get(0).unwrap();
    assert_eq!(entry.metadata[0]["id"], "order-66");
}

/// CN-F9.
/// CN-F8.
/// RG-5, Q9: rings and the agent's state are asked for again on the new socket.
#[actix_rt::test]
async fn a_bot_takes_rings_after_a_reconnect() {
    let mut stage = Stage::set(EmulatorConfig::default());
    let bot = stage.bot().await;
    stage.emulator.inject(Fault::new(FaultKind::Drop).user("bot1"));
    stage.event("connection.resumed").await;
    let conversation = stage.conversation(&bot).await;
    assert!(conversation.send_text("here").await.is_ok());
}

/// SB-3.
/// A conversation that ended while the connection was away gets its `close`.
#[actix_rt::test]
async fn a_conversation_that_ended_while_away_is_reported_closed() {
    let mut stage = Stage::set(EmulatorConfig::default());
    let bot = stage.bot().await;
    let conversation = stage.conversation(&bot).await;
    stage.emulator.inject(Fault::new(FaultKind::Drop).user("bot1"));
    stage.emulator.close_conversation(conversation.id().as_str()).unwrap();
    let close = stage.event("close").await;
    assert_eq!(close.conversation.as_ref(), Some(conversation.id()));
}

/// Q15: a socket that is open and says nothing any more is given up by the keep-alive.
#[actix_rt::test]
async fn a_half_open_socket_is_noticed_and_replaced() {
    let mut stage = Stage::set(EmulatorConfig::default());
    let policy = SessionPolicy {
        keep_alive_every: Duration::from_millis(200),
        dead_after: Duration::from_millis(600),
        ..hasty()
    };
    let bot = stage.connect(ConnectionSettings { policy, ..bot(1) }).await;
    let conversation = stage.conversation(&bot).await;
    stage.emulator.inject(Fault::new(FaultKind::HalfOpen).user("bot1"));
    stage.emulator.say(conversation.id().as_str(), "are you there").unwrap();
    assert_eq!(stage.texts(&bot, 1).await, ["are you there"]);
}

/// Protocol §3.5: a 4401 takes the token away, the agent logs in again.
#[actix_rt::test]
async fn a_rejected_token_is_replaced_by_a_new_login() {
    let mut stage = Stage::set(EmulatorConfig::default());
    stage.bot().await;
    let logins = stage.tertulia.metrics().logins.get();
    stage.emulator.inject(Fault::new(FaultKind::ExpireToken).user("bot1"));
    stage.event("connection.resumed").await;
    assert_eq!(stage.tertulia.metrics().logins.get(), logins + 1);
}

/// Q6.
/// TK-5: a harmless close keeps the token: no login storm.
#[actix_rt::test]
async fn a_harmless_close_keeps_the_token() {
    let mut stage = Stage::set(EmulatorConfig::default());
    stage.bot().await;
    let logins = stage.tertulia.metrics().logins.get();
    stage.emulator.inject(Fault::new(FaultKind::Close).user("bot1").code(1001));
    stage.event("connection.disconnected").await;
    stage.event("connection.resumed").await;
    assert_eq!(stage.tertulia.metrics().logins.get(), logins);
}

/// CA-6.
/// MS-1 on the consumer's side: the replay after a reconnect gives each message once, in order, and the consumer stays
/// the same.
#[actix_rt::test]
async fn a_consumer_hears_what_was_said_while_away() {
    let mut stage = Stage::set(EmulatorConfig::default());
    let bot_id = stage.bot().await;
    let mine = stage.consumer("ann").await;
    mine.send_text("hello").await.unwrap();
    assert_eq!(stage.texts(&bot_id, 1).await, ["hello"]);
    let theirs = stage.tertulia.connection(&bot_id).conversation(mine.id()).unwrap();

    stage.emulator.inject(Fault::new(FaultKind::Drop).side(Side::Consumer));
    for text in ["1", "2"] {
        theirs.send_text(text).await.unwrap();
    }
    let mut heard = Vec::new();
    while heard.last().map(String::as_str) != Some("2") {
        heard.extend(stage.texts(mine.connection(), 1).await);
    }
    heard.retain(|text| text != "hello");
    assert_eq!(heard, ["1", "2"]);
    mine.send_text("still me").await.unwrap();
}

/// CN-F6.
/// Q4, Q12.
/// A conversation whose opening lost its answer is adopted, not opened twice.
#[actix_rt::test]
async fn a_lost_answer_opens_no_second_conversation() {
    let mut stage = Stage::set(EmulatorConfig { faults: FaultMode::Flaky, seed: 3, ..EmulatorConfig::default() });
    for number in 0..20 {
        let id = stage.connect(consumer(&format!("c{number}"))).await;
        stage.tertulia.connection(&id).create_conversation(Default::default()).await.unwrap();
    }
    assert_eq!(stage.emulator.summary().conversations, 20);
}

/// SB-3, SB-7, Q14.
/// Promise 6: a conversation that ended while the connection was away leaves memory after its `close`.
#[actix_rt::test]
async fn what_ended_while_away_leaves_memory() {
    let mut stage = Stage::set(EmulatorConfig::default());
    let bot = stage.connect(ConnectionSettings { linger: Duration::from_millis(10), ..bot(1) }).await;
    let mut ended = Vec::new();
    for _ in 0..40 {
        ended.push(stage.conversation(&bot).await);
    }
    let lasting = stage.conversation(&bot).await;
    stage.emulator.inject(Fault::new(FaultKind::Drop).user("bot1"));
    for conversation in &ended {
        stage.emulator.close_conversation(conversation.id().as_str()).unwrap();
    }
    for _ in &ended {
        stage.event("close").await;
    }
    let gone = async {
        while stage.tertulia.connection(&bot).conversations().len() > 1 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, gone).await.unwrap();
    assert!(lasting.send_text("still here").await.is_ok());
    assert_eq!(ended[0].send_text("gone").await.unwrap_err().code(), "unknown-conversation");
}

/// A change that overtakes the snapshot is taken for the snapshot, but no conversation that still exists leaves.
#[actix_rt::test]
async fn only_what_ended_leaves_when_the_snapshot_comes_late() {
    let mut stage = Stage::set(EmulatorConfig::default());
    let bot = stage.connect(ConnectionSettings { linger: Duration::from_millis(10), ..bot(1) }).await;
    let mut held = Vec::new();
    for _ in 0..6 {
        held.push(stage.conversation(&bot).await);
    }
    let ended = held.pop().unwrap();
    // The snapshot, and the first answer about a conversation that was missing in what came before it.
    let late = Fault::new(FaultKind::StaleSnapshot).user("bot1").count(2);
    stay_away(&stage);
    assert_eq!(stage.emulator.inject(late), 0);
    stage.emulator.close_conversation(ended.id().as_str()).unwrap();
    for number in 0.. {
        let moment = Duration::from_millis(10);
        if tokio::time::timeout(moment, stage.event("connection.resumed")).await.is_ok() {
            break;
        }
        stage.emulator.say(held[0].id().as_str(), &format!("{number}")).unwrap();
    }
    assert_eq!(stage.emulator.summary().faults, 4);
    let gone = async {
        while stage.tertulia.connection(&bot).conversation(ended.id()).is_some() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, gone).await.unwrap();
    for conversation in &held {
        conversation.send_text("still here").await.unwrap();
    }
}

/// SB-12: a snapshot that comes before the answer to its subscription is the snapshot all the same.
#[actix_rt::test]
async fn a_snapshot_before_its_answer_is_not_lost() {
    let mut stage = Stage::set(EmulatorConfig::default());
    let bot = stage.bot().await;
    let conversation = stage.conversation(&bot).await;
    stage.emulator.inject(Fault::new(FaultKind::Drop).user("bot1"));
    // The answers to the first request and to the subscription; nothing changes that could stand for the snapshot.
    stage.emulator.inject(Fault::new(FaultKind::Delay).user("bot1").count(2));
    stage.event("connection.disconnected").await;
    let resumed = stage.event("connection.resumed").await;
    let EventData::Resumed { conversations, .. } = &resumed.data else { panic!("{resumed:?}") };
    assert_eq!((*conversations, stage.emulator.summary().faults), (1, 3));
    conversation.send_text("here").await.unwrap();
}
