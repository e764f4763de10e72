//! Whether a state shows that a request was applied, so that the request is not repeated.

use super::{Command, PlannedRequest};
use crate::{
    conversation::{Conversation, Dialog, Participant},
    id::{AgentId, DialogId},
    note,
    ums::{ConversationUpdate, FieldChange, ParticipantChangeKind, Request, TtrType},
};

impl PlannedRequest {
    /// Returns whether `conversation`, whose state is newer than the request, shows its effect ([`super::Repeat`]).
    ///
    /// The changes of a request are applied together, so the last one represents all. For a transfer that is the
    /// removal of the former assignee, which still holds if the target has joined and left meanwhile.
    #[must_use]
    pub fn is_done(&self, conversation: &Conversation) -> bool {
        let Request::UpdateConversation(ConversationUpdate { conversation_field, .. }) = &self.request else {
            return false;
        };
        if let Some(written) = &self.note {
            return note::shows(conversation.note(), written);
        }
        conversation_field.last().is_none_or(|change| shows(conversation, change))
    }
}

impl Command {
    /// Returns whether `conversation` shows the effect of a command whose request is unknown, because a previous run of
    /// the process may have sent it. If the command were planned again, it would be refused, or would undo later
    /// changes: a conversation that reached its skill may have another agent by now, who must not be removed.
    #[must_use]
    pub fn shows_in(&self, conversation: &Conversation) -> bool {
        match self {
            Self::Close => !conversation.is_open() || !conversation.main_dialog().is_some_and(Dialog::is_open),
            Self::CloseAtOnce => !conversation.is_open(),
            Self::CloseDialog { dialog, .. } => conversation.dialog(dialog).is_some_and(|dialog| !dialog.is_open()),
            Self::Transfer { agent: None, skill: None } => false,
            Self::Transfer { agent, skill } => {
                let is_with = |agent: &AgentId| {
                    let assigned = conversation.main_dialog().and_then(Dialog::assigned_agent);
                    assigned.is_some_and(|assigned| is_agent(assigned, agent))
                };
                agent.as_ref().is_none_or(is_with)
                    && skill.as_ref().is_none_or(|skill| conversation.skill_id() == Some(skill))
            }
            _ => false,
        }
    }
}

/// Whether it is the agent, who may be given by the user alone ([TR-5](crate::rules#tr-5)).
fn is_agent(participant: &Participant, agent: &AgentId) -> bool {
    let user = participant.agent_id.as_ref().and_then(|id| id.as_str().rsplit_once('.'));
    participant.is(agent.as_str()) || user.is_some_and(|(_, user)| *agent == *user)
}

fn shows(conversation: &Conversation, change: &FieldChange) -> bool {
    match change {
        FieldChange::ParticipantsChange { kind, role, user_id, dialog_id } => {
            let main = DialogId::main_of(conversation.id());
            let dialog = conversation.dialog(dialog_id.as_ref().unwrap_or(&main));
            let participant = dialog.zip(user_id.as_deref()).and_then(|(dialog, user)| dialog.participant(user));
            let takes_part = participant.is_some_and(|participant| participant.role == *role);
            takes_part == (*kind != ParticipantChangeKind::Remove)
        }
        FieldChange::ConversationStateField { .. } | FieldChange::Stage { .. } => !conversation.is_open(),
        FieldChange::DialogChange { dialog, .. } => {
            let known = dialog.dialog_id.as_ref().and_then(|id| conversation.dialog(id));
            known.is_some_and(|known| Some(&known.state) == dialog.state.as_ref())
        }
        FieldChange::Skill { skill, .. } => conversation.skill_id() == Some(skill),
        FieldChange::Ttr { ttr_type, value } => {
            let is_value = conversation.ttr_value().is_some_and(|held| u64::try_from(held) == Ok(*value));
            conversation.ttr_type() == Some(ttr_type) && (is_value || *ttr_type != TtrType::Custom)
        }
        FieldChange::ManualETTR { time } => conversation.ttr_effective_manual() == Some(*time),
        FieldChange::Note { note } => conversation.note().unwrap_or_default() == note,
        FieldChange::ConversationHandler { account_id, skill_id } => {
            (conversation.handler_account_id(), conversation.handler_skill_id()) == (Some(account_id), Some(skill_id))
        }
        FieldChange::CSATRate { .. } => false,
    }
}
