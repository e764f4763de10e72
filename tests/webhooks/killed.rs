//! Promise 5 for webhooks: `kill -9` at any moment loses no delivery, and repeats at most what was in flight.

use std::{
    collections::{BTreeMap, HashSet},
    io::{BufRead as _, BufReader},
    process::{Child, Command, Stdio},
    sync::Mutex,
};

use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use serde_json::{Value, json};
use tertulia_emulator::Emulator;

use crate::{
    WEBHOOKS,
    receiver::{Behaviour, Receiver},
    running::{BOT, PATIENCE, configuration, emulator},
};

/// Messages that consumers send between two ends of the service.
const MESSAGES: usize = 60;
const CONVERSATIONS: usize = 12;
const LIVES: usize = 6;

/// A service in a process of its own, which does not outlive the test.
struct Process {
    child: Child,
    gateway: String,
}

impl Process {
    fn start(file: &str) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_tertulia"))
            .env_clear()
            .args(["run", "--log-format", "json", "--config", file])
            .env("PASSWORD", "secret")
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let gateway = loop {
            let line: Value = serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
            if line["message"] == "running" {
                break line["gateway"].as_str().unwrap().to_owned();
            }
        };
        std::thread::spawn(move || lines.for_each(drop));
        Self { child, gateway }
    }

    fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    async fn make_webhook(&self, url: &str) {
        let client = awc::Client::builder().timeout(PATIENCE).finish();
        let request = client.post(format!("http://{}/v1/webhooks", self.gateway));
        let body = json!({ "url": url, "filter": { "type": ["message"] }, "retries": vec![0.01; 20] });
        assert_eq!(request.send_json(&body).await.unwrap().status().as_u16(), 201);
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // One that was killed already is gone.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
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
    process.make_webhook(&receiver.url()).await;
    let conversations: Vec<String> = (0..CONVERSATIONS).map(|_| emulator.create_conversation(None, None)).collect();
    let mut said = 0;
    for _ in 0..LIVES {
        let before = receiver.accepted().len();
        speak(&emulator, &conversations, &mut said, &mut random);
        // Ended in the middle of delivering.
        receiver.until_accepted(before + random.random_range(1..MESSAGES / 2)).await;
        process.kill();
        process = Process::start(&file);
    }

    let sent: usize = said;
    let distinct = |received: &[crate::receiver::Received]| {
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
