//! Promises 1, 2, 4 and 5 when the process ends at any moment: the store is cut off in the middle of a commit, as by
//! `kill -9`, and the next run begins on what the store has.

mod disk;
mod held;
mod left;
mod refused;
mod run;
mod unreadable;

use std::{
    collections::HashMap,
    io,
    num::NonZeroUsize,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use disk::{Cut, Disk, never, once_accepted, once_accepted_unheard, once_suspected_unheard};
use run::Run;
use serde_json::{Value, json};
use tertulia_actors::{
    StartError, Tertulia,
    connection::ConnectionSettings,
    conversation::{ConversationError, ConversationHandle, Done},
    core::{
        command::{Command, SendText},
        id::{ConnectionId, ConversationId},
    },
    engine::{Journal, MemoryStore, RecordKey, Retention, Store, StoredEvent, Table},
    files::{FileType, UploadSource},
    intake::IntakeSettings,
    platform::AppCredentials,
};
use tertulia_emulator::{Emulator, EmulatorConfig, FaultRule, Outcome};
use tokio::time::timeout;

use crate::stage::{PATIENCE, bot, platform};

fn store() -> Arc<MemoryStore> {
    Arc::new(MemoryStore::new(NonZeroUsize::new(100_000).unwrap()))
}

fn says(text: &str) -> impl Fn(&Value) -> bool {
    move |event| event["type"] == "tertulia.message" && event["data"]["body"] == text
}

fn texts(log: &[Value]) -> Vec<&str> {
    log.iter()
        .filter(|event| event["type"] == "tertulia.message")
        .filter_map(|event| event["data"]["body"].as_str())
        .collect()
}

/// Promise 1 over all of it: each conversation's events are numbered from 1, without holes, each id once.
fn assert_whole(log: &[Value]) {
    let mut next: HashMap<&str, u64> = HashMap::new();
    for (number, event) in log.iter().enumerate() {
        let offset = event["id"].as_str().and_then(|id| id.rsplit_once('-')).map(|(_, offset)| offset.parse().unwrap());
        assert_eq!(offset, Some(number as u64 + 1));
        if let (Some(subject), Some(sequence)) = (event["subject"].as_str(), event["sequence"].as_str()) {
            let next = next.entry(subject).or_insert(1);
            assert_eq!(sequence, next.to_string(), "{event}");
            *next += 1;
        }
    }
}

async fn ask(conversation: &ConversationHandle, key: &str, text: &str) -> Result<Done, ConversationError> {
    let command = Command::SendText(SendText { text: text.to_owned(), ..SendText::default() });
    conversation.perform_durably(key.into(), text, command, PATIENCE, PATIENCE).await
}

fn said(emulator: &Emulator) -> Vec<String> {
    emulator.ledger().iter().filter_map(|entry| entry.text).collect()
}

/// Promises 1, 2 and 5: a logged event is not logged again, and a missed event is logged in its place.
#[actix_rt::test]
async fn the_log_goes_on_where_the_process_before_ended() {
    let (emulator, store) = (Emulator::start(EmulatorConfig::default()).unwrap(), store());
    let run = Run::begin(&emulator, &store, never);
    run.ready().await;
    let id = emulator.create_conversation(None, None);
    for text in ["0", "1", "2"] {
        emulator.say(&id, text).unwrap();
    }
    run.log_until(says("2")).await;
    run.end().await;

    for text in ["3", "4"] {
        emulator.say(&id, text).unwrap();
    }
    let run = Run::begin(&emulator, &store, never);
    run.log_until(says("4")).await;
    emulator.say(&id, "5").unwrap();
    let log = run.log_until(says("5")).await;
    assert_eq!(texts(&log), ["0", "1", "2", "3", "4", "5"]);
    assert_eq!(log.iter().filter(|event| event["type"] == "tertulia.conversation").count(), 1);
    assert!(log.iter().all(|event| event["data"]["backFilled"].is_null()), "what was missed is to be answered");
    assert_whole(&log);
    run.end().await;
}

/// Promise 5: the process ends right after any of its commits, and the log still has everything once.
#[actix_rt::test]
async fn the_log_is_whole_wherever_the_process_ends() {
    let (emulator, store) = (Emulator::start(EmulatorConfig::default()).unwrap(), store());
    let id = emulator.create_conversation(None, None);
    let mut said = Vec::new();
    for round in 0..6 {
        let run = Run::begin(&emulator, &store, |commit| {
            let has_message = commit.events.iter().any(|event| &*event.name == "message");
            if has_message { Cut::After } else { Cut::No }
        });
        run.ready().await;
        let text = round.to_string();
        emulator.say(&id, &text).unwrap();
        said.push(text);
        let is_cut = || run.disk.is_cut.load(Ordering::SeqCst);
        timeout(PATIENCE, async {
            while !is_cut() {
                tokio::task::yield_now().await;
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        })
        .await
        .unwrap();
        run.end().await;
    }
    let run = Run::begin(&emulator, &store, never);
    let log = run.log_until(says("5")).await;
    assert_eq!(texts(&log), said);
    assert_whole(&log);
    run.end().await;
}

/// Promises 4 and 5: accepted, sent, and the process ends before it knows more. The next one finds it in the dialog.
#[actix_rt::test]
async fn a_durable_command_that_was_sent_is_found_by_the_next_run() {
    let (emulator, store) = (Emulator::start(EmulatorConfig::default()).unwrap(), store());
    let id = emulator.create_conversation(None, None);
    let run = Run::begin(&emulator, &store, once_accepted);
    let conversation = run.taken(&id).await;
    let asking = actix_rt::spawn(async move { ask(&conversation, "order-66", "done").await });
    timeout(PATIENCE, async {
        while said(&emulator).is_empty() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    })
    .await
    .unwrap();
    run.end().await;
    asking.await.unwrap().unwrap_err();

    let run = Run::begin(&emulator, &store, never);
    run.ready().await;
    let conversation = run.tertulia.connection(&run.bot).conversation(&id.as_str().into()).unwrap();
    let done = ask(&conversation, "order-66", "done").await.unwrap();
    assert_eq!(done.sequence, Some(0));
    assert_eq!(said(&emulator), ["done"]);
    assert_whole(&run.log_until(says("done")).await);
    run.end().await;
}

/// Promise 5: accepted and never sent. The next run sends it, though nobody asks again.
#[actix_rt::test]
async fn a_durable_command_that_was_not_sent_is_sent_by_the_next_run() {
    let (emulator, store) = (Emulator::start(EmulatorConfig::default()).unwrap(), store());
    let id = emulator.create_conversation(None, None);
    let run = Run::begin(&emulator, &store, once_accepted_unheard);
    let conversation = run.taken(&id).await;
    let asking = actix_rt::spawn(async move { ask(&conversation, "order-66", "late").await });
    timeout(PATIENCE, async {
        while !run.disk.is_cut.load(Ordering::SeqCst) {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    })
    .await
    .unwrap();
    run.end().await;
    assert_eq!(said(&emulator), Vec::<String>::new());
    asking.await.unwrap().unwrap_err();

    let run = Run::begin(&emulator, &store, never);
    run.log_until(says("late")).await;
    assert_eq!(said(&emulator), ["late"]);
    run.end().await;
}

/// Promise 5: accepted commands run once and in their order, even if the caller waits only until they are accepted.
#[actix_rt::test]
async fn accepted_commands_run_once_in_their_order_although_the_process_ends() {
    let (emulator, store) = (Emulator::start(EmulatorConfig::default()).unwrap(), store());
    let id = emulator.create_conversation(None, None);
    let submit = async |conversation: &ConversationHandle, key: &str, text: &str| {
        let command = Command::SendText(SendText { text: text.to_owned(), ..SendText::default() });
        conversation.submit_durably(key.into(), text, command, PATIENCE, PATIENCE).await
    };
    let run = Run::begin(&emulator, &store, never);
    let conversation = run.taken(&id).await;
    let texts = ["a", "b", "c", "d"];
    for text in texts {
        // No task waits for the outcome.
        submit(&conversation, text, text).await.map(drop).unwrap();
    }
    run.end().await;

    let run = Run::begin(&emulator, &store, never);
    run.log_until(says("d")).await;
    assert_eq!(said(&emulator), texts);
    let conversation = run.tertulia.connection(&run.bot).conversation(&id.as_str().into()).unwrap();
    for (text, sequence) in texts.into_iter().zip(0..) {
        let done = submit(&conversation, text, text).await.unwrap_or_else(|error| panic!("{error}")).await.unwrap();
        assert_eq!(done.sequence, Some(sequence));
    }
    let reused = submit(&conversation, "a", "another").await.map(drop).unwrap_err();
    assert_eq!(reused, ConversationError::KeyReused { key: "a".into() });
    assert_eq!(said(&emulator), texts);
    run.end().await;
}

/// A command over which the platform closes the socket costs two sockets in all, though the process ends between them.
#[actix_rt::test]
async fn what_a_command_is_suspected_of_is_known_to_the_next_run_before_it_is_sent_again() {
    let (emulator, store) = (Emulator::start(EmulatorConfig::default()).unwrap(), store());
    let (id, other) = (emulator.create_conversation(None, None), emulator.create_conversation(None, None));
    let rule = FaultRule::new("PublishEvent", Outcome::Close(4410)).containing("poison").always();
    let rule = emulator.add_rule(rule).unwrap();
    let refused = || emulator.rule_counts(rule).unwrap().refused;
    let run = Run::begin(&emulator, &store, once_suspected_unheard);
    let conversation = run.taken(&id).await.called_by(Some("ops".into()));
    let asking = actix_rt::spawn(async move { ask(&conversation, "order-66", "poison").await });
    timeout(PATIENCE, async {
        while !run.disk.is_cut.load(Ordering::SeqCst) {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    })
    .await
    .unwrap();
    run.end().await;
    asking.await.unwrap().unwrap_err();
    assert_eq!(refused(), 1);

    let run = Run::begin(&emulator, &store, never);
    let log = run.log_until(|event| event["type"] == "tertulia.command-failed").await;
    let failed = &log.last().unwrap()["data"];
    assert_eq!((&failed["code"], &failed["platformCode"]), (&json!("closed-connection"), &json!(4410)));
    assert_eq!(failed["caller"], "ops");
    assert_eq!(refused(), 2);
    let conversation = run.tertulia.connection(&run.bot).conversation(&id.as_str().into()).unwrap();
    let same = ask(&conversation, "order-66", "poison").await.unwrap_err();
    assert_eq!(same, ConversationError::ClosedConnection { code: 4410 });
    ask(&run.taken(&other).await, "fine", "fine").await.unwrap();
    assert_eq!(run.tertulia.dead_letters().list(None, 10).await.unwrap().len(), 1);
    assert_eq!((refused(), said(&emulator)), (2, vec!["fine".to_owned()]));
    run.end().await;
}

/// The same key and body give the same answer and act once, in the next run too.
#[actix_rt::test]
async fn an_answer_is_kept_for_its_key() {
    let (emulator, store) = (Emulator::start(EmulatorConfig::default()).unwrap(), store());
    let id = emulator.create_conversation(None, None);
    let run = Run::begin(&emulator, &store, never);
    let conversation = run.taken(&id).await;
    let both = futures_util::future::join(ask(&conversation, "k", "one"), ask(&conversation, "k", "one")).await;
    assert_eq!((both.0.unwrap().sequence, both.1.unwrap().sequence), (Some(0), Some(0)));
    let reused = ConversationError::KeyReused { key: "k".into() };
    assert_eq!(ask(&conversation, "k", "other").await.unwrap_err(), reused);
    run.end().await;

    let run = Run::begin(&emulator, &store, never);
    run.ready().await;
    let conversation = run.tertulia.connection(&run.bot).conversation(&id.as_str().into()).unwrap();
    assert_eq!(ask(&conversation, "k", "one").await.unwrap().sequence, Some(0));
    assert_eq!(ask(&conversation, "k", "other").await.unwrap_err(), reused);
    assert_eq!(ask(&conversation, "l", "two").await.unwrap().sequence, Some(1));
    assert_eq!(said(&emulator), ["one", "two"]);
    run.end().await;
}

/// Promise 6: a quiet conversation leaves memory, and comes back with the next notification or command.
#[actix_rt::test]
async fn a_quiet_conversation_sleeps_and_wakes_as_it_was() {
    let (emulator, store) = (Emulator::start(EmulatorConfig::default()).unwrap(), store());
    let id = emulator.create_conversation(None, None);
    let run =
        Run::with(&emulator, &store, never, ConnectionSettings { sleep_after: Duration::from_millis(1), ..bot(1) });
    let conversation = run.taken(&id).await;
    let asleep = || async {
        timeout(PATIENCE, async {
            while run.tertulia.metrics().conversations.get() > 0 {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        })
        .await
        .expect("it does not sleep");
    };
    emulator.say(&id, "hello").unwrap();
    run.log_until(says("hello")).await;
    asleep().await;
    assert_eq!(conversation.send_text("I am here").await.unwrap().sequence, Some(1));
    asleep().await;
    emulator.say(&id, "good").unwrap();
    let log = run.log_until(says("good")).await;
    assert_eq!(texts(&log), ["hello", "I am here", "good"]);
    assert_whole(&log);
    asleep().await;
    assert_eq!(conversation.members().await.unwrap()["consumer"]["role"], "CONSUMER");
    run.end().await;
}

/// Promise 6: after a restart every conversation is brought up to date, and only those in which something was said stay in
/// memory.
#[actix_rt::test]
async fn a_conversation_that_was_only_brought_up_to_date_sleeps_again_at_once() {
    let (emulator, store) = (Emulator::start(EmulatorConfig::default()).unwrap(), store());
    let ids: Vec<String> = (0..8).map(|_| emulator.create_conversation(None, None)).collect();
    let run = Run::begin(&emulator, &store, never);
    for id in &ids {
        run.taken(id).await;
    }
    run.end().await;

    emulator.say(&ids[0], "said meanwhile").unwrap();
    let settings = bot(1);
    assert!(settings.sleep_after > PATIENCE);
    let run = Run::with(&emulator, &store, never, settings);
    run.ready().await;
    let log = run.log_until(says("said meanwhile")).await;
    assert_whole(&log);
    let metrics = run.tertulia.metrics();
    timeout(PATIENCE, async {
        while metrics.conversations_asleep.get() < 7 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    })
    .await
    .expect("they do not sleep");
    assert_eq!(metrics.conversations.get(), 1);

    emulator.say(&ids[1], "said later").unwrap();
    let log = run.log_until(says("said later")).await;
    assert_eq!(texts(&log), ["said meanwhile", "said later"]);
    assert_whole(&log);
    run.end().await;
}

/// Promise 4: with a full disk an unloaded conversation cannot be loaded, so nothing is sent, and the caller gets an
/// error.
#[actix_rt::test]
async fn a_command_that_the_disk_kept_from_being_sent_is_reported_as_not_sent() {
    let (emulator, store) = (Emulator::start(EmulatorConfig::default()).unwrap(), store());
    let (id, other) = (emulator.create_conversation(None, None), emulator.create_conversation(None, None));
    let run =
        Run::with(&emulator, &store, never, ConnectionSettings { sleep_after: Duration::from_millis(1), ..bot(1) });
    let conversation = run.taken(&id).await;
    run.taken(&other).await;
    let until = async |is_so: &dyn Fn() -> bool| {
        timeout(PATIENCE, async {
            while !is_so() {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        })
        .await
        .unwrap();
    };
    until(&|| run.tertulia.metrics().conversations.get() == 0).await;
    run.disk.is_full.store(true, Ordering::SeqCst);
    emulator.say(&other, "hello").unwrap();
    until(&|| !run.tertulia.journal().is_healthy()).await;
    let command = Command::SendText(SendText { text: "late".to_owned(), ..SendText::default() });
    let outcome = conversation.perform_as("k".into(), command, Duration::from_millis(100)).await;
    assert_eq!(outcome.unwrap_err(), ConversationError::TimedOut);
    run.disk.is_full.store(false, Ordering::SeqCst);
    // It is not sent later either.
    assert_eq!(conversation.send_text("next").await.unwrap().sequence, Some(0));
    assert_eq!(said(&emulator), ["hello", "next"]);
    run.end().await;
}

/// Promise 6: the store forgets answers after a day and conversations that left after a week, and nothing else.
#[actix_rt::test]
async fn what_nobody_asks_for_any_more_is_forgotten() {
    let (emulator, store) = (Emulator::start(EmulatorConfig::default()).unwrap(), store());
    let (stays, ends) = (emulator.create_conversation(None, None), emulator.create_conversation(None, None));
    let linger = Duration::from_millis(1);
    let run = Run::with(&emulator, &store, never, ConnectionSettings { linger, ..bot(1) });
    let conversation = run.taken(&stays).await;
    run.taken(&ends).await;
    ask(&conversation, "k", "one").await.unwrap();
    emulator.close_conversation(&ends).unwrap();
    let gone = || run.tertulia.connection(&run.bot).conversation(&ends.as_str().into()).is_none();
    timeout(PATIENCE, async {
        while !gone() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    })
    .await
    .unwrap();
    let journal = run.tertulia.journal();
    assert!(journal.settled().await);
    let kept = |table| store.scan(table, &RecordKey::of(&[]), None, 10).unwrap().len();
    assert_eq!((kept(Table::Snapshots), kept(Table::Answers), kept(Table::Outbox)), (2, 1, 0));

    let hours = |hours: u64| jiff::Timestamp::now() + Duration::from_secs(hours * 3_600);
    for (later, left) in [(hours(23), (2, 1)), (hours(25), (2, 0)), (hours(24 * 8), (1, 0))] {
        journal.purge(later, usize::MAX).await.unwrap();
        assert_eq!((kept(Table::Snapshots), kept(Table::Answers)), left);
    }
    run.end().await;
}

/// Promise 4: a command that has ended is not begun again while its answer is still on its way to the disk.
#[actix_rt::test]
async fn a_command_asked_again_before_its_answer_is_kept_acts_once() {
    let emulator = Emulator::start(EmulatorConfig::default()).unwrap();
    let slow = Disk::new(&store(), never);
    *slow.keeps_answers.lock().unwrap() = false;
    let journal = Journal::start(Arc::clone(&slow) as Arc<dyn Store>, Retention::default()).unwrap();
    let builder = Tertulia::builder().platform(platform(&emulator)).arbiters(NonZeroUsize::MIN);
    let tertulia = builder.journal(journal).connection(bot(1)).start().unwrap();
    let bot = ConnectionId::from("bot-1");
    tertulia.connection(&bot).ready(PATIENCE).await.unwrap();
    let id = ConversationId::from(emulator.create_conversation(None, None));
    let conversation = timeout(PATIENCE, async {
        loop {
            if let Some(conversation) = tertulia.connection(&bot).conversation(&id) {
                return conversation;
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    })
    .await
    .unwrap();
    let first = {
        let conversation = conversation.clone();
        actix_rt::spawn(async move { ask(&conversation, "order-66", "done").await })
    };
    let sent = || tertulia.metrics().commands_done.get() == 1;
    timeout(PATIENCE, async {
        while !sent() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    })
    .await
    .unwrap();
    let mut second = std::pin::pin!(ask(&conversation, "order-66", "done"));
    assert!(timeout(Duration::from_millis(200), &mut second).await.is_err(), "it waits for the answer of the first");
    *slow.keeps_answers.lock().unwrap() = true;
    slow.opened.notify_all();
    assert_eq!((first.await.unwrap().unwrap().sequence, second.await.unwrap().sequence), (Some(0), Some(0)));
    assert_eq!(said(&emulator), ["done"]);
    tertulia.stop(PATIENCE).await;
}

/// A record that the store refuses would stop every later commit.
#[actix_rt::test]
async fn names_that_are_too_long_for_the_keys_of_records_are_refused() {
    let (emulator, store) = (Emulator::start(EmulatorConfig::default()).unwrap(), store());
    let run = Run::begin(&emulator, &store, never);
    let conversation = run.taken(&emulator.create_conversation(None, None)).await;
    let long = "k".repeat(3_000);
    assert_eq!(ask(&conversation, &long, "hello").await.unwrap_err().code(), "bad-key");
    let close = conversation.perform_durably(long.as_str().into(), "close", Command::Close, PATIENCE, PATIENCE);
    assert_eq!(close.await.unwrap_err().code(), "bad-key");
    let refused = run.tertulia.connect(ConnectionSettings { id: long.as_str().into(), ..bot(2) });
    assert!(matches!(refused, Err(StartError::IdTooLong(3_000))));
    assert_eq!(ask(&conversation, "k", "hello").await.unwrap().sequence, Some(0));
    run.end().await;
}

/// A consumer's message, as a webhook or queue brings it.
fn webhook(sequence: u64) -> bytes::Bytes {
    let notification = json!({"kind": "notification", "type": "ms.MessagingEventNotification", "body": {
        "dialogId": "c1", "conversationId": "c1", "sentTs": 1_000 + sequence, "changes": [{
            "sequence": sequence, "originatorId": "ann", "originatorMetadata": {"id": "ann", "role": "CONSUMER"},
            "serverTimestamp": 1_000 + sequence, "dialogId": "c1", "conversationId": "c1",
            "event": {"type": "ContentEvent", "contentType": "text/plain", "message": sequence.to_string()}}]}});
    notification.to_string().into()
}

/// Promises 5 and 6 without a socket: a webhook is stored before its response, because it is not sent again; and a
/// quiet conversation is unloaded and loaded unchanged.
#[actix_rt::test]
async fn what_a_webhook_brought_is_kept_before_it_is_answered() {
    let (emulator, store) = (Emulator::start(EmulatorConfig::default()).unwrap(), store());
    let app = AppCredentials { client_id: "c".to_owned(), secret: "s".into() };
    let settings = IntakeSettings {
        sleep_after: Duration::from_millis(1),
        hold: Duration::from_secs(60),
        ..IntakeSettings::intake("hook", "12345678", app)
    };
    let hook = ConnectionId::from("hook");
    for sequence in 0..4 {
        let disk = Disk::new(&store, never);
        let journal = Journal::start(Arc::clone(&disk) as Arc<dyn Store>, Retention::default()).unwrap();
        let builder = Tertulia::builder().platform(platform(&emulator)).arbiters(NonZeroUsize::MIN);
        let tertulia = builder.journal(journal).intakes([settings.clone()]).start().unwrap();
        tertulia.connection(&hook).ready(PATIENCE).await.unwrap();
        tertulia.connection(&hook).receive_notification(webhook(sequence)).await.unwrap();
        timeout(PATIENCE, async {
            while tertulia.metrics().conversations.get() > 0 {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        })
        .await
        .expect("it does not sleep");
        // A repetition wakes it, and is nothing new.
        tertulia.connection(&hook).receive_notification(webhook(sequence)).await.unwrap();
        disk.cut();
        tertulia.stop(PATIENCE).await;
    }
    let stored = |(offset, event)| StoredEvent::new(&store.history().epoch, offset, event);
    let read = |event| serde_json::from_slice(&stored(event).json).unwrap();
    let log: Vec<Value> = store.events(0, 100).unwrap().into_iter().map(read).collect();
    assert_eq!(texts(&log), ["0", "1", "2", "3"]);
    assert_whole(&log);
}

/// Promise 6: a conversation with a file on its way does not sleep, however long that takes.
#[actix_rt::test]
async fn a_conversation_does_not_sleep_while_a_file_is_on_its_way() {
    let (emulator, store) = (Emulator::start(EmulatorConfig::default()).unwrap(), store());
    let (busy, quiet) = (emulator.create_conversation(None, None), emulator.create_conversation(None, None));
    let settings = ConnectionSettings { sleep_after: Duration::from_millis(1), ..bot(1) };
    let run = Run::with(&emulator, &store, never, settings);
    run.taken(&quiet).await;
    let conversation = run.taken(&busy).await;
    let (go_on, waits) = tokio::sync::oneshot::channel::<()>();
    let (tell, is_on_its_way) = tokio::sync::oneshot::channel::<()>();
    let content = futures_util::stream::once(async move {
        tell.send(()).map_err(|()| io::Error::other("nobody waits"))?;
        waits.await.map_err(io::Error::other)?;
        Ok(bytes::Bytes::from_static(b"%PDF"))
    });
    let uploading =
        actix_rt::spawn(async move { conversation.upload_file(UploadSource::once(FileType::Pdf, 4, content)).await });
    timeout(PATIENCE, is_on_its_way).await.unwrap().unwrap();
    // Both are asked by the same sweeps. The busy one may have slept before it was called, and sleeps no more.
    let mut sweeps = tokio::time::interval(Duration::from_millis(300));
    let metrics = run.tertulia.metrics();
    timeout(PATIENCE, async {
        sweeps.tick().await;
        while (metrics.conversations.get(), metrics.conversations_asleep.get()) != (1, 1) {
            sweeps.tick().await;
        }
    })
    .await
    .expect("one sleeps, and the one with the file does not");
    sweeps.tick().await;
    assert_eq!(metrics.conversations.get(), 1);
    go_on.send(()).unwrap();
    assert_eq!(uploading.await.unwrap().unwrap().sequence, Some(0));
    run.end().await;
}
