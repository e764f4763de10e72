//! A job whose process is killed again and again: promise 5 for bulk work.

use std::{thread, time::Instant};

use rustix::process::Signal;
use serde_json::{Value, json};
use tertulia_emulator::Emulator;

use super::scene::{MANAGER, assert_each_once, changed, opened};
use crate::running::{LOOK_EVERY, PATIENCE, configuration, emulator, process::Process};

/// A service that sees `count` conversations.
fn seeing(emulator: &Emulator, file: &str, count: usize) -> (Process, Vec<String>) {
    let process = Process::start(file);
    process.json_until("/readyz", |answer| answer["ready"] == true);
    let ids = opened(emulator, count, None);
    process.json_until("/v1/connections/manager", |answer| answer["conversations"] == count);
    (process, ids)
}

#[test]
fn a_job_goes_on_after_kill_and_after_a_restart_and_closes_each_conversation_once() {
    const COUNT: usize = 300;
    let emulator = emulator();
    let (_directory, file) = configuration(&emulator, MANAGER);
    let (mut process, ids) = seeing(&emulator, &file, COUNT);
    let order = json!({ "operation": "close", "filter": { "conversations": ids }, "rate": 100 });
    let job = process.json("POST /v1/bulk", &order.to_string());
    let path = format!("/v1/bulk/{}", job["id"].as_str().unwrap());

    // Once while it is matched, or just after, and then wherever it is by then.
    let mut lives = 0;
    for (signal, share) in
        [(Signal::KILL, 0), (Signal::KILL, 1), (Signal::TERM, 2), (Signal::KILL, 3), (Signal::KILL, 4)]
    {
        let far_enough = COUNT * share / 6;
        let deadline = Instant::now() + PATIENCE;
        while changed(&emulator).len() < far_enough {
            assert!(Instant::now() < deadline, "the job does not go on");
            thread::sleep(LOOK_EVERY);
        }
        process.end(signal);
        process = Process::start(&file);
        lives += 1;
    }
    let job = process.json_until(&path, |job| job["state"] == "finished");
    let counts = ["matched", "done", "refused", "unknown", "left"].map(|name| job[name].as_u64());
    let refused = process.json(&format!("GET {path}/items?outcome=refused"), "");
    assert_eq!(counts, [COUNT as u64, COUNT as u64, 0, 0, 0].map(Some), "{refused} after {lives} restarts");
    assert_each_once(&emulator, &ids);
}

#[test]
fn a_transfer_that_a_killed_process_made_is_not_made_again_though_another_agent_has_it_by_now() {
    const COUNT: usize = 60;
    let emulator = emulator();
    let bot = MANAGER.replace(
        "subscribe = { agents = \"all\" }",
        "subscribe = { agents = \"all\" }\nrings = \"accept\"\nagent_state = \"ONLINE\"",
    );
    let (_directory, file) = configuration(&emulator, &bot);
    let process = Process::start(&file);
    process.json_until("/readyz", |answer| answer["ready"] == true);
    let ids = opened(&emulator, COUNT, Some("501"));
    // The bot takes each, at the platform's pace, and is offered each again once it was moved.
    let is_taken = |one: &Value| one["assignedAgent"].is_object();
    process.json_until("/v1/conversations?limit=1000", |list| {
        list["items"].as_array().is_some_and(|all| all.len() == COUNT && all.iter().all(is_taken))
    });
    let order = json!({ "operation": "transfer", "filter": { "conversations": ids },
        "arguments": { "skillId": "502" }, "rate": 50 });
    let mut process = process;
    let job = process.json("POST /v1/bulk", &order.to_string());
    let path = format!("/v1/bulk/{}", job["id"].as_str().unwrap());
    for share in 1..4 {
        let deadline = Instant::now() + PATIENCE;
        while moved(&emulator).len() < COUNT * share / 5 {
            assert!(Instant::now() < deadline, "the job does not go on");
            thread::sleep(LOOK_EVERY);
        }
        process.end(Signal::KILL);
        process = Process::start(&file);
    }
    let job = process.json_until(&path, |job| job["state"] == "finished");
    assert_eq!(job["done"], COUNT, "{job}");
    let mut moved = moved(&emulator);
    moved.sort_unstable();
    assert_eq!(moved, ids);
}

/// The conversations whose skill the platform changed, as often as it did.
fn moved(emulator: &Emulator) -> Vec<String> {
    let changes = emulator.changes().into_iter();
    let moves = changes.filter(|change| change.accepted && change.fields.iter().any(|field| field == "Skill"));
    moves.map(|change| change.conversation).collect()
}
