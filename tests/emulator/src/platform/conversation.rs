//! One conversation: its dialogs, who takes part in them, and what the account knows about it.

use std::sync::Arc;

use serde_json::Value;
use serde_json::value::RawValue;

use super::interactions::Past;
use super::names::{AgentIndex, ConsumerId, ConversationId, DialogId, DialogType, Millis, Party, Role, SkillId, State};
use super::record::Record;
use super::routing::RoutingTask;
use super::subscription::SubscriptionId;
use super::ttr::Ttr;

/// One member of a dialog.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Participant {
    pub(crate) party: Party,
    pub(crate) role: Role,
    /// Suggested by a transfer, has not accepted yet.
    pub(crate) suggested: bool,
}

/// How far a party has read a dialog.
#[derive(Debug)]
pub(crate) struct ReadMark {
    party: Party,
    /// The highest sequence that it has marked as read, plus one.
    mark: u64,
    /// Messages of others from there on. Kept, because every state names it.
    unread: u64,
}

/// One dialog and its history.
#[derive(Debug)]
pub(crate) struct Dialog {
    pub(crate) id: DialogId,
    pub(crate) dialog_type: DialogType,
    pub(crate) channel: String,
    pub(crate) state: State,
    pub(crate) participants: Vec<Participant>,
    pub(crate) created: Millis,
    pub(crate) updated: Millis,
    pub(crate) ended: Option<Millis>,
    pub(crate) closed_by: Option<String>,
    pub(crate) closed_cause: Option<String>,
    pub(crate) meta_data: Value,
    /// Every sequenced event; the sequence of one is its place.
    pub(crate) records: Vec<Arc<Record>>,
    /// How far each party has read.
    pub(crate) read_marks: Vec<ReadMark>,
}

impl Dialog {
    pub(crate) fn is_open(&self) -> bool {
        self.state == State::Open
    }

    pub(crate) fn next_sequence(&self) -> u64 {
        self.records.len() as u64
    }

    /// The role under which a party takes part, if it does.
    pub(crate) fn role_of(&self, party: &Party) -> Option<&Role> {
        self.participants
            .iter()
            .find(|participant| !participant.suggested && participant.party == *party)
            .map(|p| &p.role)
    }

    /// Agents who take part, suggested ones not counted.
    pub(crate) fn agents(&self) -> impl Iterator<Item = AgentIndex> + '_ {
        self.participants.iter().filter(|participant| !participant.suggested).filter_map(|p| p.party.agent())
    }

    pub(crate) fn close(&mut self, at: Millis, by: &str, cause: Option<String>) {
        self.state = State::Close;
        self.ended = Some(at);
        self.updated = at;
        self.closed_by = Some(by.to_owned());
        self.closed_cause = cause;
    }

    /// Adds an event to the history.
    pub(crate) fn push(&mut self, record: Arc<Record>) {
        for mark in self.read_marks.iter_mut().filter(|mark| record.is_to_read_by(&mark.party)) {
            mark.unread += 1;
        }
        self.records.push(record);
        let counted = |party: &Party| self.read_marks.iter().any(|mark| mark.party == *party);
        let new: Vec<Party> = self
            .participants
            .iter()
            .map(|participant| &participant.party)
            .filter(|party| !counted(party))
            .cloned()
            .collect();
        new.into_iter().for_each(|party| self.mark(party, 0));
    }

    /// Content events of others that a party has not marked as read.
    pub(crate) fn unread(&self, party: &Party) -> u64 {
        let known = self.read_marks.iter().find(|mark| mark.party == *party);
        known.map_or_else(|| self.unread_from(0, party), |mark| mark.unread)
    }

    fn unread_from(&self, mark: u64, party: &Party) -> u64 {
        let later = self.records.iter().rev().take_while(|record| record.sequence >= mark);
        later.filter(|record| record.is_to_read_by(party)).count() as u64
    }

    pub(crate) fn mark_read(&mut self, party: &Party, sequence: u64) {
        let known = self.read_marks.iter().position(|mark| mark.party == *party);
        let before = known.map_or(0, |at| self.read_marks.swap_remove(at).mark);
        self.mark(party.clone(), before.max(sequence + 1));
    }

    fn mark(&mut self, party: Party, mark: u64) {
        let unread = self.unread_from(mark, &party);
        self.read_marks.push(ReadMark { party, mark, unread });
    }
}

/// A consumer's rating.
#[derive(Debug, Clone)]
pub(crate) struct Csat {
    pub(crate) rate: i64,
    pub(crate) resolved: Value,
    pub(crate) status: String,
}

/// One case between a consumer and the brand.
#[derive(Debug)]
pub(crate) struct Conversation {
    pub(crate) id: ConversationId,
    pub(crate) skill: SkillId,
    /// Follows the MAIN dialog.
    pub(crate) state: State,
    /// Stays open while any dialog is.
    pub(crate) stage: State,
    pub(crate) started: Millis,
    pub(crate) ended: Option<Millis>,
    pub(crate) close_reason: Option<&'static str>,
    /// `metaDataLastUpdateTs`: strictly increasing.
    pub(crate) updated: Millis,
    pub(crate) ttr: Ttr,
    pub(crate) csat: Option<Csat>,
    pub(crate) note: String,
    pub(crate) topic: Option<Value>,
    pub(crate) first: bool,
    pub(crate) context: Box<RawValue>,
    pub(crate) campaign: Option<Box<RawValue>>,
    /// The application through which it was opened, `appInstId`.
    pub(crate) app: Option<Arc<str>>,
    /// The agent group.
    pub(crate) group: Option<String>,
    pub(crate) handler: Option<(String, String)>,
    pub(crate) dialogs: Vec<Dialog>,
    pub(crate) last_content: Option<Arc<Record>>,
    pub(crate) routing: Option<RoutingTask>,
    /// Start of the last ring.
    pub(crate) rung: Millis,
    /// Subscriptions that hold this conversation now; a dead one is dropped when it is met.
    pub(crate) followers: Vec<SubscriptionId>,
    /// Simulated traffic this conversation belongs to.
    pub(crate) traffic: Option<u32>,
    pub(crate) past: Past,
}

impl Conversation {
    /// The next update time: the clock, or one more than the last.
    pub(crate) fn touch(&mut self, now: Millis) -> Millis {
        self.updated = now.max(self.updated + 1);
        self.updated
    }

    pub(crate) fn dialog(&self, id: &str) -> Option<&Dialog> {
        self.dialogs.iter().find(|dialog| dialog.id.as_str() == id)
    }

    pub(crate) fn dialog_mut(&mut self, id: &str) -> Option<&mut Dialog> {
        self.dialogs.iter_mut().find(|dialog| dialog.id.as_str() == id)
    }

    pub(crate) fn main(&self) -> Option<&Dialog> {
        self.dialogs.iter().find(|dialog| dialog.dialog_type == DialogType::Main)
    }

    pub(crate) fn main_mut(&mut self) -> Option<&mut Dialog> {
        self.dialogs.iter_mut().find(|dialog| dialog.dialog_type == DialogType::Main)
    }

    pub(crate) fn assigned_agent(&self) -> Option<AgentIndex> {
        let main = self.main()?;
        main.participants.iter().find(|p| !p.suggested && p.role == Role::AssignedAgent)?.party.agent()
    }

    pub(crate) fn suggested_agent(&self) -> Option<AgentIndex> {
        self.main()?.participants.iter().find(|participant| participant.suggested)?.party.agent()
    }

    pub(crate) fn consumer(&self) -> Option<&ConsumerId> {
        self.main()?.participants.iter().find_map(|participant| match &participant.party {
            Party::Consumer(id) => Some(id),
            Party::Agent(_) => None,
        })
    }

    /// Every agent in any dialog, suggested ones too.
    pub(crate) fn agents(&self) -> impl Iterator<Item = AgentIndex> + '_ {
        self.dialogs.iter().flat_map(|dialog| &dialog.participants).filter_map(|p| p.party.agent())
    }

    /// Whether a party takes part in any dialog; a suggested agent does not yet.
    pub(crate) fn has(&self, party: &Party) -> bool {
        self.dialogs.iter().any(|dialog| dialog.role_of(party).is_some())
    }

    pub(crate) fn has_open_dialog(&self) -> bool {
        self.dialogs.iter().any(Dialog::is_open)
    }

    /// When an agent must have answered; −1 when nobody waits.
    pub(crate) fn effective_ttr(&self) -> i64 {
        self.ttr.effective()
    }
}
