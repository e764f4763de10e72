//! Conversations and dialogs in the shapes of the messaging REST API, with the version that a change is written against.

use serde_json::{Value, json};

use super::answer::Refusal;
use super::conversation::{Conversation, Dialog};
use super::names::{Party, timestamp};
use super::reading::Reading;
use super::{Caller, Platform};

impl Platform {
    /// A conversation with its dialogs, the newest first.
    pub(crate) fn rest_conversation(&self, caller: &Caller, id: &str) -> Result<Reading, Refusal> {
        let conversation = self.readable(caller, id)?;
        let dialogs: Vec<Value> = conversation.dialogs.iter().rev().map(|one| self.rest_shape(one)).collect();
        let body = json!({
            "id": conversation.id, "brandId": self.settings.account, "consumerId": conversation.consumer(),
            "skillId": conversation.skill, "stage": conversation.stage, "state": conversation.state,
            "closeReason": conversation.close_reason, "createdTs": timestamp(conversation.started),
            "updatedTs": timestamp(conversation.updated), "closedTs": conversation.ended.map(timestamp),
            "ttr": { "type": conversation.ttr.kind, "value": conversation.ttr.value },
            "context": conversation.context, "dialogs": dialogs,
        });
        Ok(Reading { version: conversation.updated, body: body.to_string() })
    }

    /// One dialog with who takes part.
    pub(crate) fn rest_dialog(&self, caller: &Caller, id: &str, dialog: &str) -> Result<Reading, Refusal> {
        let conversation = self.readable(caller, id)?;
        let body = self.rest_shape(found(conversation, dialog)?);
        Ok(Reading { version: conversation.updated, body: body.to_string() })
    }

    /// One participant of a dialog, by any of its ids.
    pub(crate) fn rest_participant(
        &self,
        caller: &Caller,
        id: &str,
        dialog: &str,
        participant: &str,
    ) -> Result<Reading, Refusal> {
        let conversation = self.readable(caller, id)?;
        let dialog = found(conversation, dialog)?;
        let is_meant = |party: &Party| match party {
            Party::Agent(agent) => self.directory.agent_by_id(participant) == Some(*agent),
            Party::Consumer(id) => id.as_str() == participant,
        };
        let place = dialog.participants.iter().position(|known| is_meant(&known.party));
        let place = place.ok_or_else(|| Refusal::new(404, "Participant not found"))?;
        let body = self.rest_shape(dialog)["participants"][place].to_string();
        Ok(Reading { version: conversation.updated, body })
    }

    /// A conversation that the caller may read: a consumer only its own.
    fn readable(&self, caller: &Caller, id: &str) -> Result<&Conversation, Refusal> {
        let conversation = self.conversation(id)?;
        match &caller.party {
            Party::Agent(_) => Ok(conversation),
            Party::Consumer(consumer) => {
                let owner = conversation.consumer();
                let is_own = owner.is_some_and(|owner| self.directory.acts_for(consumer, owner));
                is_own.then_some(conversation).ok_or_else(Refusal::unknown_conversation)
            }
        }
    }

    fn rest_shape(&self, dialog: &Dialog) -> Value {
        let participant = |known: &super::conversation::Participant| {
            let state = if known.suggested { "SUGGESTED" } else { "ACTIVE" };
            json!({ "id": self.directory.public_id(&known.party), "role": known.role, "state": state })
        };
        json!({
            "id": dialog.id, "dialogType": dialog.dialog_type, "channelType": dialog.channel, "state": dialog.state,
            "createdTs": timestamp(dialog.created), "updatedTs": timestamp(dialog.updated),
            "closedTs": dialog.ended.map(timestamp), "metaData": dialog.meta_data,
            "participants": dialog.participants.iter().map(participant).collect::<Vec<_>>(),
        })
    }
}

fn found<'a>(conversation: &'a Conversation, dialog: &str) -> Result<&'a Dialog, Refusal> {
    conversation.dialog(dialog).ok_or_else(|| Refusal::new(404, "Dialog not found"))
}
