//! One conversation that keeps failing among a thousand.

use std::collections::{BTreeSet, HashMap};

use tertulia_actors::{
    core::{conversation::Message, id::ConversationId},
    subscriber::{EventStream, Filter},
};
use tertulia_emulator::EmulatorConfig;
use tokio::time::timeout;

use super::{NOTIFICATIONS, Trouble, conversations_restart, letters, set};
use crate::stage::{PATIENCE, message};

const CONVERSATIONS: usize = 1_000;
const ROUNDS: usize = 6;
const RESTARTS: u32 = 5;

/// The received events, by conversation.
#[derive(Default)]
struct Heard {
    texts: HashMap<ConversationId, Vec<String>>,
    sequences: HashMap<ConversationId, Vec<u64>>,
    restarted: BTreeSet<ConversationId>,
    quarantined: BTreeSet<ConversationId>,
}

impl Heard {
    async fn until(&mut self, events: &mut EventStream, is_enough: impl Fn(&Self) -> bool) {
        while !is_enough(self) {
            let event = timeout(PATIENCE, events.next()).await.expect("too little was heard").unwrap().unwrap();
            let Some(id) = event.conversation.clone() else { continue };
            self.sequences.entry(id.clone()).or_default().extend(event.sequence);
            match event.data.name() {
                "conversation-restarted" => drop(self.restarted.insert(id)),
                "conversation-quarantined" => drop(self.quarantined.insert(id)),
                _ => self.texts.entry(id).or_default().extend(message(&event).and_then(Message::text)),
            }
        }
    }

    fn texts(&self) -> usize {
        self.texts.values().map(Vec::len).sum()
    }
}

/// SB-2.
/// A conversation that panics on every third notification still delivers everything, is quarantined when it
/// keeps failing, and delivers what it missed when it is released; its 999 siblings are not affected.
#[actix_rt::test]
async fn one_of_a_thousand_conversations_fails_and_no_other_notices() {
    let trouble = Trouble::default();
    let mut stage = set(EmulatorConfig::default(), conversations_restart(RESTARTS), 1);
    let mut events = stage.tertulia.events_within(Filter::everything(), 1 << 20);
    let bot = stage.connect(trouble.bot(1)).await;
    let ids: Vec<ConversationId> =
        (0..CONVERSATIONS).map(|_| stage.emulator.create_conversation(None, None).as_str().into()).collect();
    let say = |round: usize, to: &[ConversationId]| {
        for id in to {
            stage.emulator.say(id.as_str(), &format!("{round}")).unwrap();
        }
    };
    let mut heard = Heard::default();
    say(0, &ids);
    heard.until(&mut events, |heard| heard.texts() == CONVERSATIONS).await;

    let failing = ids[CONVERSATIONS / 2].clone();
    trouble.every(3, &failing, &NOTIFICATIONS);
    for round in 1..ROUNDS {
        say(round, &ids);
    }
    let others = (CONVERSATIONS - 1) * ROUNDS;
    heard
        .until(&mut events, |heard| {
            let own = heard.texts.get(&failing).map_or(0, Vec::len);
            heard.texts() - own == others && (own == ROUNDS || !heard.quarantined.is_empty())
        })
        .await;
    // The conversation keeps panicking until it is given up.
    for round in ROUNDS.. {
        if !heard.quarantined.is_empty() {
            break;
        }
        say(round, std::slice::from_ref(&failing));
        let told = heard.texts[&failing].len();
        let more = |heard: &Heard| heard.texts[&failing].len() > told || !heard.quarantined.is_empty();
        heard.until(&mut events, more).await;
    }
    let before_release = heard.texts[&failing].len();

    trouble.end();
    say(1_000_000, std::slice::from_ref(&failing));
    stage.tertulia.connection(&bot).release(&failing).await.unwrap();
    let last = |heard: &Heard| heard.texts[&failing].last().is_some_and(|text| text == "1000000");
    heard.until(&mut events, last).await;

    let failed = BTreeSet::from([failing.clone()]);
    assert_eq!((&heard.restarted, &heard.quarantined), (&failed, &failed), "nobody else noticed");
    for id in &ids {
        let texts = &heard.texts[id];
        let count = if *id == failing { texts.len() - 1 } else { ROUNDS };
        let expected: Vec<String> = (0..count).map(|round| round.to_string()).collect();
        assert_eq!(texts[..count], expected, "everything of {id}, once and in order");
        let numbered: Vec<u64> = (1..).take(heard.sequences[id].len()).collect();
        assert_eq!(heard.sequences[id], numbered, "the numbers of {id} have no hole");
    }
    assert!(heard.texts[&failing].len() > before_release, "it caught up with what it missed");
    let (letters, metrics) = (letters(&stage).await, stage.tertulia.metrics());
    assert_eq!(letters.len(), RESTARTS as usize + 1, "each panic is one letter");
    assert!(letters.iter().all(|letter| letter.conversation.as_ref() == Some(&failing)));
    assert_eq!(metrics.conversation_restarts.get(), u64::from(RESTARTS));
    assert_eq!((metrics.conversations_quarantined.get(), metrics.conversations_in_quarantine.get()), (1, 0));
    assert_eq!(metrics.message_gaps.get(), 0);
}
