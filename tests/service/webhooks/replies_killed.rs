//! Promise 5 for replies: `kill -9` at any moment loses no reply, and no reply runs twice, although the receiver
//! answers each repeated delivery differently.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Mutex, PoisonError},
};

use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use rustix::process::Signal;
use serde_json::json;
use tertulia_emulator::Emulator;

use super::{
    WEBHOOKS,
    receiver::{Behaviour, Receiver},
};
use crate::running::{self, BOT, configuration, emulator, process::Process};

/// The number of messages that consumers send between two kills of the service.
const MESSAGES: usize = 30;
const CONVERSATIONS: usize = 8;
const LIVES: usize = 5;

/// The messages of the bot in each conversation, in order.
fn said(emulator: &Emulator) -> BTreeMap<String, Vec<String>> {
    let mut said = BTreeMap::<String, Vec<String>>::new();
    for entry in emulator.ledger().iter().filter(|entry| entry.role != "CONSUMER") {
        if let Some(text) = entry.text {
            said.entry(entry.conversation).or_default().push(text);
        }
    }
    said
}

fn count(emulator: &Emulator) -> usize {
    said(emulator).values().map(Vec::len).sum()
}

#[actix_rt::test]
async fn a_service_that_is_killed_repeatedly_sends_one_answer_to_each_message_in_order() {
    let mut random = StdRng::seed_from_u64(21);
    let emulator = emulator();
    let (_directory, file) = configuration(&emulator, &format!("{BOT}{WEBHOOKS}"));
    let asked = Mutex::new(HashMap::<String, usize>::new());
    let receiver = Receiver::start(move |received| {
        if received.event["data"]["role"] != "CONSUMER" {
            return Behaviour::Answer(204);
        }
        let mut asked = asked.lock().unwrap_or_else(PoisonError::into_inner);
        let times = asked.entry(received.id.clone()).or_default();
        *times += 1;
        let body = received.event["data"]["body"].as_str().unwrap();
        let parts = ["first", "second"].map(|part| json!({ "text": format!("{body} {part} {times}") }));
        Behaviour::Say(json!({ "messages": parts }).to_string())
    });
    let mut process = Process::start(&file);
    let body =
        json!({ "url": receiver.url(), "replies": true, "filter": { "type": ["message"] }, "retries": vec![0.01; 20] });
    assert!(process.ask("POST /v1/webhooks", &[], &body.to_string()).starts_with("HTTP/1.1 201"));
    let conversations: Vec<String> = (0..CONVERSATIONS).map(|_| emulator.create_conversation(None, None)).collect();
    let mut sent = BTreeMap::<String, Vec<String>>::new();
    let mut number = 0;
    for _ in 0..LIVES {
        let before = count(&emulator);
        for _ in 0..MESSAGES {
            let id = &conversations[random.random_range(0..conversations.len())];
            emulator.say(id, &number.to_string()).unwrap();
            sent.entry(id.clone()).or_default().push(number.to_string());
            number += 1;
        }
        // Kills the service while some messages are answered and others are not.
        let enough = before + random.random_range(1..MESSAGES);
        running::until(|| count(&emulator) >= enough).await;
        process.end(Signal::KILL);
        process = Process::start(&file);
    }
    running::until(|| count(&emulator) >= 2 * number).await;

    let said = said(&emulator);
    for (conversation, texts) in &sent {
        let answers = &said[conversation];
        assert_eq!(answers.len(), 2 * texts.len(), "{conversation}: {answers:?}");
        for (text, answer) in texts.iter().zip(answers.chunks(2)) {
            let attempt = answer[0].strip_prefix(&format!("{text} first ")).unwrap_or_else(|| panic!("{answers:?}"));
            assert_eq!(answer[1], format!("{text} second {attempt}"), "both messages come from the same answer");
        }
    }
    let letters = process.json("GET /v1/dead-letters", "");
    assert_eq!(letters["items"], json!([]));
}
