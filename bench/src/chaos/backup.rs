//! Backups taken while the service is stopped repeatedly. In the end one backup is opened: it must contain the
//! beginning of the log and everything that was known to be durable when it was requested.

use std::{
    cell::RefCell,
    path::{Path, PathBuf},
    process::Stdio,
    rc::Rc,
    time::Duration,
};

use actix_rt::time::{sleep, timeout};
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use serde_json::Value;
use tertulia::engine::embedded::EmbeddedStore;
use tertulia_actors::engine::{RecordKey, Store, StoredEvent, Table};
use tokio::process::Command;

use super::{
    bot::{MessageKey, Notes, key},
    service::Address,
    stream::Cursor,
};

/// The pause after a failed backup.
const AGAIN_AFTER: Duration = Duration::from_millis(20);
/// How long one backup may take.
const TAKEN_WITHIN: Duration = Duration::from_secs(60);

/// A completed backup.
#[derive(Debug)]
pub(crate) struct Backup {
    directory: PathBuf,
    /// The newest event that the bot had received before the request.
    heard: Option<Cursor>,
    /// The answers known to be published before the request.
    published: Vec<MessageKey>,
}

/// The backups of a trial.
pub(crate) type Backups = Rc<RefCell<Vec<Backup>>>;

/// Takes a backup into `directory` at the given interval; never ends by itself. A backup that fails because the service
/// stops is repeated after its restart.
pub(crate) async fn take(
    every: Duration,
    binary: PathBuf,
    directory: PathBuf,
    address: Address,
    notes: Rc<Notes>,
    backups: Backups,
) {
    for number in 0_u64.. {
        sleep(every).await;
        let backup = loop {
            let at = address.borrow().clone();
            if let Some(at) = at
                && let Some(backup) = take_one(&binary, directory.join(format!("backup-{number}")), &at, &notes).await
            {
                break backup;
            }
            sleep(AGAIN_AFTER).await;
        };
        backups.borrow_mut().push(backup);
    }
}

/// Takes one backup; `None` if it failed, which leaves no directory.
async fn take_one(binary: &Path, directory: PathBuf, at: &str, notes: &Notes) -> Option<Backup> {
    let heard = notes.heard.borrow().iter().rev().find_map(|(cursor, _)| cursor.clone());
    let backup = Backup { directory, heard, published: published(notes) };
    let mut command = Command::new(binary);
    command.env_clear().args(["backup", "--url", &format!("http://{at}")]).arg(&backup.directory);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true);
    match timeout(TAKEN_WITHIN, command.status()).await {
        Ok(Ok(status)) if status.success() => Some(backup),
        _ => None,
    }
}

fn published(notes: &Notes) -> Vec<MessageKey> {
    let answers = notes.answers.borrow();
    answers.iter().filter(|(_, outcome)| matches!(outcome, Some(Ok(_)))).map(|(place, _)| place.clone()).collect()
}

/// Opens a random backup and compares it with the whole log from `start` on.
pub(crate) fn check(
    backups: &[Backup],
    seed: u64,
    bots: u32,
    start: &Cursor,
    log: &[(Option<Cursor>, Value)],
    found: &mut Vec<String>,
) {
    if backups.is_empty() {
        return;
    }
    let backup = &backups[StdRng::seed_from_u64(seed).random_range(0..backups.len())];
    let name = backup.directory.file_name().unwrap_or_default().display();
    match open(backup, bots, start, log) {
        Ok(lacking) => found.extend(lacking.into_iter().map(|lacking| format!("{name}: {lacking}"))),
        Err(error) => found.push(format!("{name} cannot be used: {error}")),
    }
}

fn open(backup: &Backup, bots: u32, start: &Cursor, log: &[(Option<Cursor>, Value)]) -> anyhow::Result<Vec<String>> {
    let mut found = Vec::new();
    let store = EmbeddedStore::open(Path::new(&backup.directory))?;
    let history = store.history();
    if *history.epoch != *start.epoch {
        found.push(format!("the backup's log is {}, not {}", history.epoch, start.epoch));
    }
    let events = store.events(start.offset, usize::MAX)?;
    let count = events.len();
    if count as u64 != history.newest.saturating_sub(start.offset) {
        found.push(format!("the backup has {count} events from {start} to {}", history.newest));
    }
    for ((offset, event), (cursor, logged)) in events.into_iter().zip(log) {
        let event = StoredEvent::new(&history.epoch, offset, event);
        let is_same = cursor.as_ref().is_some_and(|cursor| cursor.offset == event.offset);
        if !is_same || serde_json::from_slice::<Value>(&event.json)? != *logged {
            found.push(format!("the backup's event {} differs from the log's", event.offset));
            break;
        }
    }
    if count > log.len() {
        found.push(format!("the backup has {count} events, and the log has {}", log.len()));
    }
    if backup.heard.as_ref().is_some_and(|heard| heard.offset > history.newest) {
        found.push(format!("the backup ends at {}, but {:?} was received before it", history.newest, backup.heard));
    }
    for (conversation, _, sequence) in &backup.published {
        let key = key(conversation, *sequence);
        let answers = (1..=bots).map(|bot| {
            let key = RecordKey::of(&[&format!("bots-{bot}"), conversation, &key]);
            store.get(Table::Answers, &key)
        });
        if !answers.collect::<Result<Vec<_>, _>>()?.iter().any(Option::is_some) {
            found.push(format!("the backup lacks the answer to {key}, which was known before"));
        }
    }
    Ok(found)
}
