//! Promise 5 for webhooks: `kill -9` at any moment loses no delivery, and repeats at most what was in flight.

use std::{
    collections::{BTreeMap, HashSet},
    sync::Mutex,
};

use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use rustix::process::Signal;
use serde_json::json;
use tertulia_emulator::Emulator;

use super::{
    WEBHOOKS,
    receiver::{Behaviour, Receiver},
};
use crate::running::{BOT, configuration, emulator, process::Process};

/// Messages that consumers send between two ends of the service.
const MESSAGES: usize = 60;
const CONVERSATIONS: usize = 12;
const LIVES: usize = 6;

fn make_webhook(process: &Process, url: &str) {
    let body = json!({ "url": url, "filter": { "type": ["message"] }, "retries": vec![0.01; 20] });
    assert!(process.ask("POST /v1/webhooks", &[], &body.to_string()).starts_with("HTTP/1.1 201"));
}

fn speak(emulator: &Emulator, conversations: &[String], said: &mut usize, random: &mut StdRng) {
    for _ in 0..MESSAGES {
        let conversation = &conversations[random.random_range(0..conversations.len())];
        emulator.say(conversation, &format!("message {said}")).unwrap();
        *said += 1;
    }
}

#[actix_rt::test]
async fn killed_again_and_again_it_delivers_everything_in_order_and_repeats_only_what_was_in_flight() {
    let mut random = StdRng::seed_from_u64(11);
    let emulator = emulator();
    let (_directory, file) = configuration(&emulator, &format!("{BOT}{WEBHOOKS}"));
    let fails = Mutex::new(StdRng::seed_from_u64(12));
    let receiver = Receiver::start(move |_| match fails.lock().unwrap().random_range(0..10) {
        0 | 1 => Behaviour::Answer(500),
        _ => Behaviour::Answer(200),
    });
    let mut process = Process::start(&file);
    make_webhook(&process, &receiver.url());
    let conversations: Vec<String> = (0..CONVERSATIONS).map(|_| emulator.create_conversation(None, None)).collect();
    let mut said = 0;
    for _ in 0..LIVES {
        let before = receiver.accepted().len();
        speak(&emulator, &conversations, &mut said, &mut random);
        // Ended in the middle of delivering.
        receiver.until_accepted(before + random.random_range(1..MESSAGES / 2)).await;
        process.end(Signal::KILL);
        process = Process::start(&file);
    }

    let sent: usize = said;
    let distinct = |received: &[super::receiver::Received]| {
        let accepted = received.iter().filter(|received| received.accepted);
        accepted.map(|received| received.id.as_str()).collect::<HashSet<_>>().len()
    };
    receiver.until(|received| distinct(received) >= sent).await;
    let mut heard = BTreeMap::<String, Vec<u64>>::new();
    for received in receiver.accepted() {
        let conversation = received.event["subject"].as_str().unwrap().to_owned();
        heard.entry(conversation).or_default().push(received.event["sequence"].as_str().unwrap().parse().unwrap());
    }
    let mut repeated = 0;
    for sequences in heard.values() {
        assert!(sequences.is_sorted(), "{sequences:?}");
        let mut distinct = sequences.clone();
        distinct.dedup();
        assert!(sequences.len() - distinct.len() <= LIVES, "{sequences:?}");
        repeated += sequences.len() - distinct.len();
    }
    let texts = receiver.accepted().iter().filter(|it| it.event["data"]["body"].is_string()).count();
    assert_eq!(texts, sent + repeated, "what consumers said");
    assert!(repeated <= LIVES * 16, "{repeated} repeated");
}
