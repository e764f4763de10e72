//! Reading what was said: `QueryMessages` for agents, `SubscribeMessagingEvents` for consumers
//! ([§5.4](crate::protocol#54), [§5.5](crate::protocol#55)).

use serde::Deserialize;
use serde_json::Value;

use super::Platform;
use super::answer::{Answer, FrameKind, Refusal};
use super::names::{Millis, Party, State};
use super::record::{Record, batch_notification, json};
use super::sessions::Caller;
use crate::config::{HistoryBound, HistoryReaders};
use crate::dialect::{Dialect, Request, number_of};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct QueryBody {
    dialog_id: Option<String>,
    conversation_id: Option<String>,
    #[serde(default)]
    newer_than_sequence: Value,
    #[serde(default)]
    older_than_sequence: Value,
    #[serde(default)]
    from_seq: Value,
    #[serde(default)]
    max_quantity: Value,
}

impl Platform {
    /// Returns the stored events of a dialog between two bounds, in order, to agents who take part or may read what
    /// others say. The upper bound is exclusive; a switch decides whether the lower bound is inclusive.
    pub(super) fn query_messages(&mut self, caller: &Caller, request: &Request) -> Result<Answer, Refusal> {
        let body: QueryBody = request.body()?;
        let dialog_id = body.dialog_id.or(body.conversation_id).ok_or_else(|| Refusal::bad("dialogId is missing"))?;
        let id = self.conversation_of(&dialog_id).ok_or_else(Refusal::unknown_conversation)?;
        let conversation = self.conversation(id.as_str())?;
        let may_read = conversation.has(&caller.party) || self.reads_others(&caller.party);
        self.check_reader(caller, may_read, conversation.consumer())?;
        let dialog = conversation.dialog(&dialog_id).ok_or_else(|| Refusal::new(404, "Dialog not found"))?;
        if dialog.channel == "COBROWSE" {
            return Err(Refusal::bad("No conversation to send for MCCA"));
        }
        let inclusive = i64::from(self.settings.switches.history_bound == HistoryBound::Inclusive);
        let newer = number_of(&body.newer_than_sequence).map(|newer| newer - inclusive);
        let newer = newer.or_else(|| number_of(&body.from_seq).map(|from| from - 1)).unwrap_or(-1);
        let older = number_of(&body.older_than_sequence).unwrap_or(i64::MAX);
        let limit = number_of(&body.max_quantity).filter(|limit| *limit > 0).map_or(usize::MAX, |limit| limit as usize);
        let records: Vec<String> = dialog
            .records
            .iter()
            .filter(|record| (record.sequence as i64) > newer && (record.sequence as i64) < older)
            .filter(|record| record.visible_to(&caller.party))
            .take(limit)
            .map(|record| json(&record.body(&self.directory, caller.dialect)))
            .collect();
        Ok(Answer::raw(format!("[{}]", records.join(","))))
    }

    /// Everything from `fromSeq` on, at once, then live; one notification follows even when there is nothing.
    pub(super) fn subscribe_messages(
        &mut self,
        caller: &Caller,
        request: &Request,
        now: Millis,
    ) -> Result<Answer, Refusal> {
        let body: QueryBody = request.body()?;
        let dialog_id = body.dialog_id.or(body.conversation_id).ok_or_else(|| Refusal::bad("dialogId is missing"))?;
        let id = self.conversation_of(&dialog_id).ok_or_else(Refusal::unknown_conversation)?;
        let conversation = self.conversation(id.as_str())?;
        self.check_reader(caller, conversation.has(&caller.party), conversation.consumer())?;
        if self.settings.switches.refuse_closed_message_subscription && conversation.stage == State::Close {
            return Err(Refusal::bad("Conversation is closed"));
        }
        let dialog = conversation.dialog(&dialog_id).ok_or_else(|| Refusal::new(404, "Dialog not found"))?;
        let from = number_of(&body.from_seq).unwrap_or(0);
        let visible =
            |record: &&std::sync::Arc<Record>| record.sequence as i64 >= from && record.visible_to(&caller.party);
        let records: Vec<String> = dialog
            .records
            .iter()
            .filter(visible)
            .map(|record| json(&record.body(&self.directory, Dialect::V3)))
            .collect();
        let frame = batch_notification(id.as_str(), &dialog_id, now, &records.join(","));
        let dialog_id = dialog.id.clone();
        if caller.party.is_consumer() {
            self.sockets.listen(caller.socket, &dialog_id);
        }
        self.emit(caller.socket, FrameKind::Snapshot, frame);
        let subscription = self.uuid();
        Ok(Answer::body(&serde_json::json!({"subscriptionId": subscription})))
    }

    /// Whether somebody may read the history of dialogs without taking part.
    fn reads_others(&self, party: &Party) -> bool {
        let agent = party.agent().and_then(|agent| self.directory.agent(agent));
        agent.is_some_and(|agent| match self.settings.switches.history_readers {
            HistoryReaders::Participants => false,
            HistoryReaders::Managers => agent.is_manager,
            HistoryReaders::Everybody => true,
        })
    }

    fn check_reader(
        &self,
        caller: &Caller,
        may_read: bool,
        consumer: Option<&super::names::ConsumerId>,
    ) -> Result<(), Refusal> {
        match &caller.party {
            Party::Agent(_) if may_read => Ok(()),
            Party::Consumer(id) if consumer.is_some_and(|owner| self.directory.acts_for(id, owner)) => Ok(()),
            Party::Agent(_) => Err(Refusal::bad("Agent does not exist in conversation")),
            Party::Consumer(_) => Err(Refusal::bad("Consumer does not exist in conversation")),
        }
    }
}
