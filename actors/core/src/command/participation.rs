//! Changes of participants: join, leave and the consumer's takeover ([CV-F1](crate::rules#cv-f1),
//! [CV-F3](crate::rules#cv-f3)).

use super::{Plan, Refusal, Repeat, planning::Planner};
use crate::{
    id::{DialogId, UserId},
    ums::{FieldChange, ParticipantChangeKind, ParticipantRole},
};

impl Planner<'_> {
    pub(super) fn join(&self, role: &ParticipantRole, dialog: Option<&DialogId>) -> Result<Plan, Refusal> {
        let agent = self.agent("only an agent can join")?;
        let dialog = self.writable_dialog(dialog)?;
        let addition = change(ParticipantChangeKind::Add, role, agent.as_str(), self.unless_main(dialog));
        Ok(self.update(vec![addition], Repeat::ReadStateThenAct))
    }

    pub(super) fn leave(&self, dialog: Option<&DialogId>) -> Result<Plan, Refusal> {
        let agent = self.agent("only an agent can leave")?;
        let dialog = self.writable_dialog(dialog)?;
        let own = dialog.participant(agent.as_str()).or_else(|| dialog.participant(self.me.user_id()?.as_str()));
        let role = &own.ok_or(Refusal::NotAParticipant)?.role;
        let removal = change(ParticipantChangeKind::Remove, role, agent.as_str(), self.unless_main(dialog));
        Ok(self.update(vec![removal], Repeat::ReadStateThenAct))
    }

    /// Removes the old identity before it adds the new one, in one request ([CV-F1](crate::rules#cv-f1)).
    pub(super) fn consumer_takeover(&self, new_consumer: &UserId) -> Result<Plan, Refusal> {
        let present = &self.open_dialog()?.consumer().ok_or(Refusal::NoConsumer)?.user_id;
        if present == new_consumer {
            return Err(Refusal::SameConsumer);
        }
        let consumer = &ParticipantRole::Consumer;
        let changes = vec![
            change(ParticipantChangeKind::Remove, consumer, present.as_str(), None),
            change(ParticipantChangeKind::Add, consumer, new_consumer.as_str(), None),
        ];
        Ok(self.update(changes, Repeat::ReadStateThenAct))
    }
}

pub(super) fn change(
    kind: ParticipantChangeKind,
    role: &ParticipantRole,
    user_id: &str,
    dialog_id: Option<DialogId>,
) -> FieldChange {
    FieldChange::ParticipantsChange { kind, role: role.clone(), user_id: Some(user_id.to_owned()), dialog_id }
}
