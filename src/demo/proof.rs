//! The proof: compares what consumers meant to send, what the platform's ledger contains, and what each side received.

use std::collections::HashMap;

use tertulia_emulator::Ledger;

/// The receiving side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Bot,
    Consumer,
}

/// What each side of one conversation received from the other, as sequences in the order of arrival.
#[derive(Clone, Debug, Default)]
pub(super) struct Heard {
    bot: Vec<u64>,
    consumer: Vec<u64>,
}

impl Heard {
    pub(super) fn note(&mut self, side: Side, sequence: u64) {
        match side {
            Side::Bot => self.bot.push(sequence),
            Side::Consumer => self.consumer.push(sequence),
        }
    }
}

/// The mistakes over all conversations. All counts are zero if the demo kept its promise.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Proof {
    /// Messages that are missing in the ledger, or are in the ledger but were not received.
    pub lost: u64,
    /// Messages that are in the ledger, or were received, more than once.
    pub duplicated: u64,
    /// Messages that were received after a later message.
    pub out_of_order: u64,
}

/// One side's part of one conversation's ledger.
#[derive(Default)]
struct Recorded {
    sequences: Vec<u64>,
    texts: Vec<String>,
}

impl Proof {
    /// Compares the texts `said` by each consumer, each to be answered by `reply_to`, with the ledger and with what was
    /// `heard`.
    pub(super) fn of<'h>(
        said: &HashMap<&str, Vec<String>>,
        reply_to: impl Fn(&str) -> String,
        ledger: &Ledger,
        heard: impl Fn(&str) -> Option<&'h Heard>,
    ) -> Self {
        let mut recorded: HashMap<String, (Recorded, Recorded)> = HashMap::new();
        for entry in ledger.iter().filter(|entry| entry.kind == "ContentEvent") {
            let (consumer, agent) = recorded.entry(entry.conversation).or_default();
            let side = if entry.role == "CONSUMER" { consumer } else { agent };
            side.sequences.push(entry.sequence);
            side.texts.extend(entry.text);
        }
        let mut proof = Self::default();
        let (nothing_recorded, nothing_heard) = (<(Recorded, Recorded)>::default(), Heard::default());
        for (id, texts) in said {
            let (consumer, agent) = recorded.get(*id).unwrap_or(&nothing_recorded);
            let heard = heard(id).unwrap_or(&nothing_heard);
            let replies: Vec<String> = texts.iter().map(|text| reply_to(text)).collect();
            proof.compare_texts(texts, &consumer.texts);
            proof.compare_texts(&replies, &agent.texts);
            proof.compare_sequences(&consumer.sequences, &heard.bot);
            proof.compare_sequences(&agent.sequences, &heard.consumer);
        }
        proof
    }

    /// Compares the texts that were to be sent, each once, with the ledger.
    fn compare_texts(&mut self, said: &[String], recorded: &[String]) {
        let mut times: HashMap<&str, u64> = HashMap::new();
        for text in recorded {
            *times.entry(text).or_default() += 1;
        }
        for text in said {
            match times.get(text.as_str()).copied().unwrap_or_default() {
                0 => self.lost += 1,
                times => self.duplicated += times - 1,
            }
        }
    }

    /// Compares the ledger with what the other side received.
    fn compare_sequences(&mut self, recorded: &[u64], heard: &[u64]) {
        let mut times: HashMap<u64, u64> = HashMap::new();
        let mut latest = None;
        for sequence in heard {
            *times.entry(*sequence).or_default() += 1;
            if latest.is_some_and(|latest| *sequence < latest) {
                self.out_of_order += 1;
            }
            latest = latest.max(Some(*sequence));
        }
        self.lost += recorded.iter().filter(|sequence| !times.contains_key(sequence)).count() as u64;
        self.duplicated += times.values().map(|times| times - 1).sum::<u64>();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sequences(recorded: &[u64], heard: &[u64]) -> Proof {
        let mut proof = Proof::default();
        proof.compare_sequences(recorded, heard);
        proof
    }

    fn texts(said: &[&str], recorded: &[&str]) -> Proof {
        let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
        let mut proof = Proof::default();
        proof.compare_texts(&owned(said), &owned(recorded));
        proof
    }

    #[test]
    fn a_message_received_once_and_in_order_is_correct() {
        assert_eq!(sequences(&[0, 2, 5], &[0, 2, 5]), Proof::default());
        assert_eq!(texts(&["a", "b"], &["a", "b"]), Proof::default());
    }

    #[test]
    fn a_message_that_is_not_received_is_lost() {
        assert_eq!(sequences(&[0, 2, 5], &[0, 5]), Proof { lost: 1, ..Proof::default() });
    }

    #[test]
    fn a_message_received_twice_is_duplicated() {
        assert_eq!(sequences(&[0, 2], &[0, 2, 2]), Proof { duplicated: 1, ..Proof::default() });
    }

    #[test]
    fn a_message_received_after_a_later_one_is_out_of_order() {
        assert_eq!(sequences(&[0, 2, 5], &[0, 5, 2]), Proof { out_of_order: 1, ..Proof::default() });
    }

    #[test]
    fn a_message_missing_in_the_ledger_is_lost() {
        assert_eq!(texts(&["a", "b"], &["a"]), Proof { lost: 1, ..Proof::default() });
    }

    #[test]
    fn a_message_twice_in_the_ledger_is_duplicated() {
        assert_eq!(texts(&["a", "b"], &["a", "b", "b"]), Proof { duplicated: 1, ..Proof::default() });
    }
}
