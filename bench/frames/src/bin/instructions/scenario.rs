//! The work whose instructions are counted. Each scenario uses many conversations, so that the random seeds of hash
//! tables hardly matter.

use std::hint::black_box;

use tertulia_core::{
    command::{Command, Identity, Limits, Plan, SendText},
    conversation::Conversation,
    id::{AccountId, AgentId, CommandKey, ConversationId, RequestId, UserId},
    ums::{Dialect, Frame, RequestFrame},
};
use tertulia_frames::{
    notification::{Size, State},
    receiver::Receiver,
    record::Record,
};

use crate::callgrind::count_instructions;

/// The conversations of a scenario.
const CONVERSATIONS: u32 = 128;
/// The rounds of frames that a scenario has, one frame for each conversation in each round.
const ROUNDS: u32 = 4;
/// The operations of a scenario.
const OPERATIONS: u32 = CONVERSATIONS * ROUNDS;

/// Work that consists of equal operations.
pub(crate) struct Scenario {
    pub(crate) name: String,
    /// What `work` must return, to show that the work was done: events of notifications, or successes.
    yields: u32,
    work: Box<dyn FnMut() -> usize>,
}

impl Scenario {
    /// Returns all scenarios, always in the same order.
    pub(crate) fn all() -> Vec<Self> {
        let notifications = [Dialect::Brand, Dialect::Consumer].into_iter().flat_map(|dialect| {
            [Self::repeated(dialect), Self::small_change(dialect), Self::first_state(dialect), Self::record(dialect)]
        });
        notifications.chain([Self::text_planned_and_encoded(), Self::answer_decoded()]).collect()
    }

    fn new(name: impl Into<String>, yields: u32, work: impl FnMut() -> usize + 'static) -> Self {
        Self { name: name.into(), yields, work: Box::new(work) }
    }

    /// The operations in the work of this scenario.
    pub(crate) fn operations(&self) -> u64 {
        u64::from(OPERATIONS)
    }

    /// Does the work, once. Drop no scenario before all have run: hash tables free their memory in random order, after
    /// which the allocator needs a random number of instructions.
    ///
    /// # Errors
    /// If the work did not yield what it must.
    pub(crate) fn run(&mut self) -> anyhow::Result<()> {
        let yields = count_instructions(&mut self.work);
        anyhow::ensure!(
            u32::try_from(yields) == Ok(self.yields),
            "{} yields {yields} instead of {}",
            self.name,
            self.yields
        );
        Ok(())
    }

    fn repeated(dialect: Dialect) -> Self {
        let (mut receiver, frames) = (stated(dialect), states(dialect, 0));
        Self::new(named(dialect, "repeated state"), OPERATIONS, move || {
            (0..ROUNDS).map(|_| receiver.receive_all(&frames)).sum()
        })
    }

    fn small_change(dialect: Dialect) -> Self {
        let mut receiver = stated(dialect);
        let rounds: Vec<Vec<String>> = (1..=ROUNDS).map(|version| states(dialect, version)).collect();
        // A change of the managers and a change of the skill have an event of their own beside the update event.
        Self::new(named(dialect, "small change"), OPERATIONS * 3 / 2, move || {
            rounds.iter().map(|frames| receiver.receive_all(frames)).sum()
        })
    }

    fn first_state(dialect: Dialect) -> Self {
        let mut receivers: Vec<Receiver> = (0..ROUNDS).map(|_| unstated(dialect)).collect();
        let frames = states(dialect, 0);
        Self::new(named(dialect, "first state"), OPERATIONS, move || {
            receivers.iter_mut().map(|receiver| receiver.receive_all(&frames)).sum()
        })
    }

    fn record(dialect: Dialect) -> Self {
        let mut receiver = stated(dialect);
        let frames: Vec<String> = (0..u64::from(ROUNDS))
            .flat_map(|sequence| (0..CONVERSATIONS).map(move |conversation| Record { dialect, conversation, sequence }))
            .map(|record| record.frame())
            .collect();
        Self::new(named(dialect, "record"), OPERATIONS, move || receiver.receive_all(&frames))
    }

    fn text_planned_and_encoded() -> Self {
        let receiver = stated(Dialect::Brand);
        let conversations: Vec<Conversation> =
            ids(Dialect::Brand).filter_map(|id| receiver.conversation(&id).cloned()).collect();
        let me = Identity::Brand {
            account: AccountId::from("12345678"),
            agent_id: AgentId::from("12345678.3901100007"),
            user_id: UserId::from("6f0d7b3a-52c1-5d0e-9d3b-000100000000"),
            name: Some("Bot".to_owned()),
        };
        let text = "Thank you, I am looking into it and shall be back in a moment.".to_owned();
        let command = Command::SendText(SendText { text, ..SendText::default() });
        let (key, limits) = (CommandKey::from("0199a5b0-7c1e-7d20-9f3a-5c2d0000abcd"), Limits::default());
        let encode = move |conversation: &Conversation| {
            let Ok(Plan::Request(planned)) = command.requests(conversation, &me, &key, &limits) else { return 0 };
            let (id, headers) = (RequestId::from("4711"), Vec::new());
            let frame = RequestFrame { id, request: planned.request, headers, metadata: planned.metadata };
            usize::from(black_box(frame.encode(Dialect::Brand)).is_ok())
        };
        Self::new("brand, text planned and encoded", OPERATIONS, move || {
            // Kept until the end, like the scenario.
            let _ = &receiver;
            (0..ROUNDS).map(|_| conversations.iter().map(&encode).sum::<usize>()).sum()
        })
    }

    fn answer_decoded() -> Self {
        let answers: Vec<String> = (0..OPERATIONS)
            .map(|number| {
                format!(
                    r#"{{"kind":"resp","reqId":"{number}","code":200,"type":"ms.PublishEventResponse","body":{{"sequence":7}}}}"#
                )
            })
            .collect();
        let decode = |answer: &String| match Frame::decode(answer) {
            Ok(Frame::Response(response)) => usize::from(black_box(response.published()) == Ok(Some(7))),
            _ => 0,
        };
        Self::new("answer to a text decoded", OPERATIONS, move || answers.iter().map(decode).sum())
    }
}

fn named(dialect: Dialect, what: &str) -> String {
    format!("{dialect:?}, {what}").to_lowercase()
}

fn states_of(dialect: Dialect, version: u32) -> impl Iterator<Item = State> {
    (0..CONVERSATIONS).map(move |conversation| State { size: Size::Assigned, dialect, conversation, version })
}

/// One state of each conversation.
fn states(dialect: Dialect, version: u32) -> Vec<String> {
    states_of(dialect, version).map(|state| state.frame()).collect()
}

fn ids(dialect: Dialect) -> impl Iterator<Item = ConversationId> {
    states_of(dialect, 0).map(|state| state.conversation_id().into())
}

/// A receiver whose conversations have no state yet.
fn unstated(dialect: Dialect) -> Receiver {
    Receiver::new(ids(dialect), dialect)
}

/// A receiver whose conversations have the first state.
fn stated(dialect: Dialect) -> Receiver {
    let mut receiver = unstated(dialect);
    receiver.receive_all(&states(dialect, 0));
    receiver
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_scenario_does_its_work() {
        for mut scenario in Scenario::all() {
            scenario.run().unwrap();
        }
    }
}
