//! The ends of conversations and dialogs (protocol [§5.7](crate::protocol#57), "close").

use super::{Plan, Refusal, Repeat, planning::Planner};
use crate::{
    conversation::Dialog,
    id::DialogId,
    ums::{CloseReason, DialogChange, DialogChangeKind, DialogStatus, FieldChange, Stage},
};

impl Planner<'_> {
    /// Closes the MAIN dialog; the survey begins if the account has one.
    pub(super) fn close(&self) -> Result<Plan, Refusal> {
        self.close_dialog(&DialogId::main_of(self.conversation.id()), None, None)
    }

    pub(super) fn close_dialog(
        &self,
        dialog: &DialogId,
        by: Option<&CloseReason>,
        cause: Option<&String>,
    ) -> Result<Plan, Refusal> {
        if !self.known_dialog(dialog)?.is_open() || !self.conversation.is_open() {
            return Err(Refusal::DialogClosed(dialog.clone()));
        }
        let dialog = DialogChange {
            dialog_id: Some(dialog.clone()),
            state: Some(DialogStatus::Close),
            closed_by: Some(by.cloned().unwrap_or_else(|| self.me.closes_as())),
            closed_cause: cause.cloned(),
            ..DialogChange::default()
        };
        let change = FieldChange::DialogChange { kind: DialogChangeKind::Update, dialog };
        Ok(self.update(vec![change], Repeat::ReadStateThenAct))
    }

    /// Sets `Stage`, which has one meaning in all accounts. `ConversationStateField` would start a survey in some
    /// accounts (protocol [§5.7](crate::protocol#57)).
    pub(super) fn close_at_once(&self) -> Result<Plan, Refusal> {
        if !self.conversation.is_open() || !self.conversation.dialogs().iter().any(Dialog::is_open) {
            return Err(Refusal::NoOpenDialog);
        }
        let change = FieldChange::Stage { conversation_state: Stage::Close };
        Ok(self.update(vec![change], Repeat::ReadStateThenAct))
    }
}
