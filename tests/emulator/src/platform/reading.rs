//! Reading one conversation, dialog or participant, with the version that a change is written against.

use serde_json::{Value, json};

use super::Platform;
use super::answer::Refusal;
use super::conversation::{Conversation, Dialog};
use super::names::{AgentIndex, Millis, Party, SocketId};
use super::sessions::Caller;
use super::tree::tree;
use crate::dialect::Dialect;

/// What was read, and its version.
#[derive(Debug)]
pub(crate) struct Reading {
    pub(crate) version: Millis,
    /// JSON text.
    pub(crate) body: String,
}

impl Platform {
    /// Returns a conversation in the form in which subscribers on the brand's side receive it.
    pub(crate) fn read_conversation(&self, id: &str) -> Result<Reading, Refusal> {
        let conversation = self.conversation(id)?;
        let body = tree(conversation, &self.directory, self.style(Dialect::V21));
        Ok(Reading { version: conversation.updated, body })
    }

    /// A dialog with who takes part.
    pub(crate) fn read_dialog(&self, id: &str, dialog: &str) -> Result<Reading, Refusal> {
        let (conversation, dialog) = self.dialog_of(id, dialog)?;
        let participants = self.participants(dialog);
        let body = json!({
            "dialogId": dialog.id, "conversationId": conversation.id, "dialogType": dialog.dialog_type,
            "channelType": dialog.channel, "state": dialog.state, "creationTs": dialog.created,
            "participants": participants,
        });
        // A dialog changes with its conversation.
        Ok(Reading { version: conversation.updated, body: body.to_string() })
    }

    /// Who takes part in a dialog under this id.
    pub(crate) fn read_participant(&self, id: &str, dialog: &str, participant: &str) -> Result<Reading, Refusal> {
        let (conversation, dialog) = self.dialog_of(id, dialog)?;
        let found = self.participants(dialog).into_iter().find(|known| known["id"] == participant);
        let found = found.ok_or_else(|| Refusal::new(404, "Participant not found"))?;
        Ok(Reading { version: conversation.updated, body: found.to_string() })
    }

    /// The role under which an agent takes part in a dialog, suggested or not, and the agent's id.
    pub(crate) fn role_in(&self, id: &str, dialog: &str, participant: &str) -> Result<(String, String), Refusal> {
        let (_, dialog) = self.dialog_of(id, dialog)?;
        let agent = self.directory.agent_by_id(participant).ok_or_else(|| Refusal::bad("Unknown agent"))?;
        let party = Party::Agent(agent);
        let known = dialog.participants.iter().find(|known| known.party == party);
        let known = known.ok_or_else(|| Refusal::new(404, "Participant not found"))?;
        Ok((known.role.as_str().to_owned(), self.directory.old_id(&party).to_owned()))
    }

    /// The caller for an agent's request by HTTP.
    pub(crate) fn rest_caller(&self, agent: AgentIndex) -> Caller {
        let socket = self.sockets.of_agent(agent).first().copied().unwrap_or(SocketId(0));
        Caller { socket, party: Party::Agent(agent), dialect: Dialect::V21, client_properties: None, app: None }
    }

    fn dialog_of(&self, id: &str, dialog: &str) -> Result<(&Conversation, &Dialog), Refusal> {
        let conversation = self.conversation(id)?;
        let dialog = conversation.dialog(dialog).ok_or_else(|| Refusal::new(404, "Dialog not found"))?;
        Ok((conversation, dialog))
    }

    fn participants(&self, dialog: &Dialog) -> Vec<Value> {
        let listed = dialog.participants.iter().map(|known| {
            let state = if known.suggested { "SUGGESTED" } else { "ACTIVE" };
            json!({ "id": self.directory.old_id(&known.party), "role": known.role.as_str(), "state": state })
        });
        listed.collect()
    }
}
