//! The final checks: compares the platform's ledger, the event log and the events that the bot received.

use std::collections::{BTreeMap, HashMap};

use serde_json::Value;
use tertulia_emulator::LedgerEntry;

use super::{
    bot::{Answer, MessageKey, key, reply},
    stream::Cursor,
};

/// The data to compare.
pub(crate) struct Evidence<'e> {
    pub(crate) ledger: &'e [LedgerEntry],
    /// The whole log, read from its start.
    pub(crate) log: &'e [(Option<Cursor>, Value)],
    /// The events that the bot received on all its streams.
    pub(crate) heard: &'e [(Option<Cursor>, Value)],
    pub(crate) answers: Answers<'e>,
}

/// How the messages of consumers are answered.
#[derive(Clone, Copy)]
pub(crate) enum Answers<'e> {
    /// By the bot of this program, which noted each outcome.
    Noted(&'e HashMap<MessageKey, Option<Answer>>),
    /// By another program. Its reply contains the text that it answers.
    Outside,
}

impl Answers<'_> {
    /// Whether `text` is a reply to the message of a consumer.
    fn is_reply(self, text: &str, message: &LedgerEntry) -> bool {
        match self {
            Self::Noted(_) => text == reply(message.sequence),
            Self::Outside => contains(text, message.text.as_deref().unwrap_or_default().trim()),
        }
    }
}

/// Whether `text` contains `part` and no longer word or number in its place.
fn contains(text: &str, part: &str) -> bool {
    let is_apart = |letter: Option<char>| letter.is_none_or(|letter| !letter.is_alphanumeric());
    text.match_indices(part).any(|(at, _)| {
        let (before, after) = (&text[..at], &text[at + part.len()..]);
        is_apart(before.chars().next_back()) && is_apart(after.chars().next())
    })
}

/// The violations, one line each; empty if every promise held.
pub(crate) fn violations(evidence: &Evidence<'_>) -> Vec<String> {
    let mut found = Vec::new();
    places_of_events(evidence.log, "the log", &mut found);
    places_of_events(evidence.heard, "the bot's stream", &mut found);
    event_sequences(evidence.log, &mut found);
    messages(evidence.ledger, evidence.log, "the log", &mut found);
    messages(evidence.ledger, evidence.heard, "the bot's stream", &mut found);
    commands(evidence.log, evidence.answers, &mut found);
    match evidence.answers {
        Answers::Noted(answers) => replies(evidence.ledger, answers, &mut found),
        Answers::Outside => outside_replies(evidence.ledger, &mut found),
    }
    found
}

/// The numbers of wrong messages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub(crate) struct Mistakes {
    /// Messages that the bot did not receive, and questions without a reply.
    pub(crate) lost: usize,
    /// Messages that the bot received again, and further replies to a question.
    pub(crate) duplicated: usize,
    /// Messages that the bot received after a later one of the same dialog.
    pub(crate) out_of_order: usize,
}

impl Mistakes {
    /// Counts them.
    pub(crate) fn of(evidence: &Evidence<'_>) -> Self {
        let mut mistakes = Self::default();
        let mut reported = reported(evidence.heard);
        for (place, accepted) in accepted(evidence.ledger) {
            let reported = reported.remove(&place).unwrap_or_default();
            let mut seen: HashMap<u64, usize> = HashMap::new();
            let mut latest = 0;
            for sequence in reported {
                mistakes.out_of_order += usize::from(sequence < latest);
                latest = latest.max(sequence);
                *seen.entry(sequence).or_default() += 1;
            }
            mistakes.lost += accepted.iter().filter(|sequence| !seen.contains_key(sequence)).count();
            mistakes.duplicated += seen.values().map(|times| times - 1).sum::<usize>();
        }
        for replies in replies_of(evidence.ledger, evidence.answers).0 {
            mistakes.lost += usize::from(replies.1.is_empty());
            mistakes.duplicated += replies.1.len().saturating_sub(1);
        }
        mistakes
    }
}

fn kind(event: &Value) -> &str {
    event["type"].as_str().and_then(|kind| kind.strip_prefix("tertulia.")).unwrap_or_default()
}

/// Cursors have one epoch and increase, and no gap event occurs.
fn places_of_events(events: &[(Option<Cursor>, Value)], where_: &str, found: &mut Vec<String>) {
    let mut last: Option<&Cursor> = None;
    for (cursor, event) in events {
        if kind(event) == "gap" {
            found.push(format!("{where_} has a gap: {event}"));
        }
        let Some(cursor) = cursor else { continue };
        if event["id"] != cursor.to_string() {
            found.push(format!("{where_}: an event at {cursor} calls itself {}", event["id"]));
        }
        if last.is_some_and(|last| last.epoch != cursor.epoch || last.offset >= cursor.offset) {
            found.push(format!("{where_}: {cursor} comes after {}", last.map(ToString::to_string).unwrap_or_default()));
        }
        last = Some(cursor);
    }
}

/// Per conversation `sequence` increases by one, across all restarts of the service (promise 1).
fn event_sequences(log: &[(Option<Cursor>, Value)], found: &mut Vec<String>) {
    let mut last: HashMap<(&str, &str), u64> = HashMap::new();
    for (_, event) in log {
        let (Some(source), Some(subject)) = (event["source"].as_str(), event["subject"].as_str()) else { continue };
        let Some(sequence) = event["sequence"].as_str() else { continue };
        let Ok(sequence) = sequence.parse::<u64>() else {
            found.push(format!("an event of {subject} has the sequence {sequence:?}"));
            continue;
        };
        let before = last.insert((source, subject), sequence).unwrap_or_default();
        if sequence != before + 1 {
            found.push(format!("{source} {subject}: sequence {sequence} after {before}: {}", event["id"]));
        }
    }
}

/// Every message of the ledger is reported exactly once, in the order of its dialog (promises 1 and 2).
fn messages(ledger: &[LedgerEntry], events: &[(Option<Cursor>, Value)], where_: &str, found: &mut Vec<String>) {
    let mut reported = reported(events);
    let accepted = accepted(ledger);
    for (place, accepted) in &accepted {
        let reported = reported.remove(place).unwrap_or_default();
        if reported != *accepted {
            let (conversation, dialog) = place;
            found.push(format!("{where_}: {conversation} dialog {dialog}: {reported:?} instead of {accepted:?}"));
        }
    }
    for ((conversation, dialog), reported) in reported {
        found.push(format!("{where_}: {conversation} dialog {dialog}: {reported:?} instead of nothing"));
    }
}

/// The sequences of the messages of each dialog, as events report them.
fn reported(events: &[(Option<Cursor>, Value)]) -> HashMap<(&str, &str), Vec<u64>> {
    let mut reported: HashMap<(&str, &str), Vec<u64>> = HashMap::new();
    for (_, event) in events.iter().filter(|(_, event)| kind(event) == "message") {
        let (conversation, dialog) = (event["subject"].as_str(), event["data"]["dialogId"].as_str());
        if let (Some(conversation), Some(dialog), Some(sequence)) =
            (conversation, dialog, event["data"]["sequence"].as_u64())
        {
            reported.entry((conversation, dialog)).or_default().push(sequence);
        }
    }
    reported
}

/// The sequences of the messages of each dialog in the ledger.
fn accepted(ledger: &[LedgerEntry]) -> BTreeMap<(&str, &str), Vec<u64>> {
    let mut accepted: BTreeMap<(&str, &str), Vec<u64>> = BTreeMap::new();
    for entry in ledger.iter().filter(|entry| entry.kind == "ContentEvent") {
        accepted.entry((&entry.conversation, &entry.dialog)).or_default().push(entry.sequence);
    }
    accepted
}

/// Each command is reported as done once, and none as failed (promise 4).
fn commands(log: &[(Option<Cursor>, Value)], answers: Answers<'_>, found: &mut Vec<String>) {
    let mut sent: HashMap<&str, u32> = HashMap::new();
    for (_, event) in log {
        match kind(event) {
            "command-sent" => *sent.entry(event["data"]["key"].as_str().unwrap_or_default()).or_default() += 1,
            "command-failed" => found.push(format!("a command failed: {event}")),
            _ => {}
        }
    }
    let answers = match answers {
        Answers::Noted(answers) => answers,
        // Only the other program knows its keys.
        Answers::Outside => {
            let again = sent.iter().filter(|(_, times)| **times > 1);
            found.extend(again.map(|(key, times)| format!("command {key} is reported as sent {times} times")));
            return;
        }
    };
    for (conversation, _, sequence) in answers.keys() {
        let key = key(conversation, *sequence);
        match sent.remove(key.as_str()).unwrap_or_default() {
            1 => {}
            times => found.push(format!("command {key} is reported as sent {times} times")),
        }
    }
    for key in sent.keys() {
        found.push(format!("the log has an unknown command {key:?}"));
    }
}

/// Each consumer's message with its replies in the ledger, and the messages of agents that answer none.
fn replies_of<'l>(
    ledger: &'l [LedgerEntry],
    answers: Answers<'_>,
) -> (Vec<(&'l LedgerEntry, Vec<&'l LedgerEntry>)>, Vec<&'l LedgerEntry>) {
    let content = ledger.iter().filter(|entry| entry.kind == "ContentEvent");
    let (consumers, agents): (Vec<_>, Vec<_>) = content.partition(|entry| entry.role == "CONSUMER");
    let mut of_dialog: HashMap<(&str, &str), Vec<&LedgerEntry>> = HashMap::new();
    for agent in agents {
        of_dialog.entry((&agent.conversation, &agent.dialog)).or_default().push(agent);
    }
    let mut answered = Vec::new();
    for message in consumers {
        let agents = of_dialog.entry((&message.conversation, &message.dialog)).or_default();
        let is_reply = |agent: &mut &LedgerEntry| answers.is_reply(agent.text.as_deref().unwrap_or_default(), message);
        answered.push((message, agents.extract_if(.., is_reply).collect()));
    }
    (answered, of_dialog.into_values().flatten().collect())
}

/// Each consumer's message has one reply in the ledger, at the sequence reported to the bot (promises 4 and 5).
pub(crate) fn replies(ledger: &[LedgerEntry], answers: &HashMap<MessageKey, Option<Answer>>, found: &mut Vec<String>) {
    let (answered, others) = replies_of(ledger, Answers::Noted(answers));
    for (LedgerEntry { conversation, dialog, sequence, .. }, replies) in answered {
        let replies: Vec<u64> = replies.into_iter().map(|reply| reply.sequence).collect();
        let outcome = answers.get(&(conversation.clone(), dialog.clone(), *sequence));
        match (outcome, &replies[..]) {
            (Some(Some(Ok(reported))), [reply]) if reported == reply => {}
            (outcome, replies) => found
                .push(format!("{conversation} message {sequence}: replies at {replies:?}, the bot got {outcome:?}")),
        }
    }
    answer_nothing(&others, found);
}

/// Each consumer's message has one reply in the ledger (promise 5).
fn outside_replies(ledger: &[LedgerEntry], found: &mut Vec<String>) {
    let (answered, others) = replies_of(ledger, Answers::Outside);
    for (LedgerEntry { conversation, sequence, .. }, replies) in answered {
        if replies.len() != 1 {
            let replies: Vec<u64> = replies.into_iter().map(|reply| reply.sequence).collect();
            found.push(format!("{conversation} message {sequence}: replies at {replies:?}"));
        }
    }
    answer_nothing(&others, found);
}

fn answer_nothing(others: &[&LedgerEntry], found: &mut Vec<String>) {
    for LedgerEntry { conversation, sequence, text, .. } in others {
        found.push(format!("{conversation}: {text:?} at {sequence} answers nothing"));
    }
}

/// The number of messages of consumers that have a reply in the ledger of a bot outside.
pub(crate) fn answered_outside(ledger: &[LedgerEntry]) -> usize {
    replies_of(ledger, Answers::Outside).0.iter().filter(|(_, replies)| !replies.is_empty()).count()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    type Log = Vec<(Option<Cursor>, Value)>;

    fn entry(sequence: u64, role: &str, text: &str) -> LedgerEntry {
        LedgerEntry {
            conversation: "c".into(),
            dialog: "d".into(),
            sequence,
            role: role.into(),
            originator: String::new(),
            audience: "ALL".into(),
            kind: "ContentEvent".into(),
            text: Some(text.into()),
            metadata: Value::Null,
            time: 0,
        }
    }

    fn event(offset: u64, sequence: u64, kind: &str, data: Value) -> (Option<Cursor>, Value) {
        let cursor = Cursor { epoch: "e".into(), offset };
        let event = json!({"id": cursor.to_string(), "source": "s", "subject": "c", "type": format!("tertulia.{kind}"),
            "sequence": sequence.to_string(), "data": data});
        (Some(cursor), event)
    }

    fn message(offset: u64, sequence: u64, of: u64) -> (Option<Cursor>, Value) {
        event(offset, sequence, "message", json!({"dialogId": "d", "sequence": of}))
    }

    /// A question and its answer without violations.
    fn right() -> (Vec<LedgerEntry>, Log, HashMap<MessageKey, Option<Answer>>) {
        let ledger = vec![entry(0, "CONSUMER", "hi"), entry(1, "ASSIGNED_AGENT", "answer to 0")];
        let sent = event(2, 2, "command-sent", json!({"key": "c/0"}));
        let answers = HashMap::from([(("c".to_owned(), "d".to_owned(), 0), Some(Ok(1)))]);
        (ledger, vec![message(1, 1, 0), sent, message(3, 3, 1)], answers)
    }

    fn judged(ledger: &[LedgerEntry], log: &Log, answers: &HashMap<MessageKey, Option<Answer>>) -> Vec<String> {
        let heard: Log = log.iter().filter(|(_, event)| kind(event) == "message").cloned().collect();
        violations(&Evidence { ledger, log, heard: &heard, answers: Answers::Noted(answers) })
    }

    fn judged_outside(ledger: &[LedgerEntry], log: &Log) -> Vec<String> {
        let heard: Log = log.iter().filter(|(_, event)| kind(event) == "message").cloned().collect();
        violations(&Evidence { ledger, log, heard: &heard, answers: Answers::Outside })
    }

    #[test]
    fn a_reply_from_outside_contains_the_text_that_it_answers() {
        let (mut ledger, log, _) = right();
        (ledger[0].text, ledger[1].text) = (Some("message 1   ".into()), Some("You said: message 1".into()));
        assert_eq!(judged_outside(&ledger, &log), Vec::<String>::new());
        assert_eq!(answered_outside(&ledger), 1);
        ledger[1].text = Some("You said: message 10".into());
        assert_eq!(
            judged_outside(&ledger, &log),
            ["c message 0: replies at []", "c: Some(\"You said: message 10\") at 1 answers nothing"]
        );
        assert_eq!(answered_outside(&ledger), 0);
    }

    #[test]
    fn a_second_reply_from_outside_and_a_command_reported_twice_are_found() {
        let (mut ledger, mut log, _) = right();
        (ledger[0].text, ledger[1].text) = (Some("hi".into()), Some("hi too".into()));
        ledger.push(LedgerEntry { sequence: 2, ..ledger[1].clone() });
        log.push(message(4, 4, 2));
        assert_eq!(judged_outside(&ledger, &log), ["c message 0: replies at [1, 2]"]);
        let twice = [log, vec![event(5, 5, "command-sent", json!({"key": "c/0"}))]].concat();
        assert_eq!(judged_outside(&ledger, &twice)[0], "command c/0 is reported as sent 2 times");
    }

    #[test]
    fn correct_evidence_has_no_violation() {
        let (ledger, log, answers) = right();
        assert_eq!(judged(&ledger, &log, &answers), Vec::<String>::new());
    }

    #[test]
    fn a_lost_repeated_or_reordered_message_is_found() {
        let (ledger, log, answers) = right();
        let mut lost = log.clone();
        lost.pop();
        assert_eq!(judged(&ledger, &lost, &answers).len(), 2, "in the log and the stream");
        let twice = [log.clone(), vec![message(4, 4, 1)]].concat();
        assert_eq!(judged(&ledger, &twice, &answers).len(), 2);
        let mut swapped = log;
        swapped[0] = message(1, 1, 1);
        swapped[2] = message(3, 3, 0);
        assert_eq!(judged(&ledger, &swapped, &answers).len(), 2);
    }

    #[test]
    fn a_hole_in_the_sequences_of_events_is_found() {
        let (ledger, mut log, answers) = right();
        log[2] = message(3, 4, 1);
        assert_eq!(judged(&ledger, &log, &answers), ["s c: sequence 4 after 2: \"e-3\""]);
    }

    #[test]
    fn a_repeated_event_or_another_epoch_is_found() {
        let (ledger, mut log, answers) = right();
        log[1].0 = Cursor::parse("e-1");
        log[1].1["id"] = "e-1".into();
        assert_eq!(judged(&ledger, &log, &answers), ["the log: e-1 comes after e-1"]);
        log[1].0 = Cursor::parse("f-2");
        log[1].1["id"] = "f-2".into();
        assert_eq!(judged(&ledger, &log, &answers).len(), 2, "there and back");
    }

    #[test]
    fn a_missing_repeated_or_misplaced_reply_is_found() {
        let (mut ledger, log, mut answers) = right();
        for reported in [Some(Ok(2)), Some(Err("502".to_owned())), None] {
            answers.insert(("c".to_owned(), "d".to_owned(), 0), reported);
            assert_eq!(judged(&ledger, &log, &answers).len(), 1);
        }
        let (_, _, answers) = right();
        ledger.push(entry(2, "ASSIGNED_AGENT", "answer to 0"));
        let log = [log, vec![message(4, 4, 2)]].concat();
        assert_eq!(judged(&ledger, &log, &answers).len(), 1);
    }

    #[test]
    fn a_failed_repeated_or_unreported_command_is_found() {
        let (ledger, log, answers) = right();
        let failed = [log.clone(), vec![event(4, 4, "command-failed", json!({"key": "c/0"}))]].concat();
        assert_eq!(judged(&ledger, &failed, &answers).len(), 1);
        let twice = [log.clone(), vec![event(4, 4, "command-sent", json!({"key": "c/0"}))]].concat();
        assert_eq!(judged(&ledger, &twice, &answers), ["command c/0 is reported as sent 2 times"]);
        let mut never = log;
        never[1] = event(2, 2, "skill-change", json!({}));
        assert_eq!(judged(&ledger, &never, &answers), ["command c/0 is reported as sent 0 times"]);
    }
}
