//! Reading a dialog's history ([CV-F5](crate::rules#cv-f5)).

use super::{AnswerKind, MessageRange, Plan, PlannedRequest, Refusal, Repeat, planning::Planner};
use crate::{
    id::DialogId,
    ums::{MessageQuery, Request},
};

impl Planner<'_> {
    pub(super) fn query_messages(&self, dialog: Option<&DialogId>, range: MessageRange) -> Result<Plan, Refusal> {
        self.agent("only an agent can query the history; a consumer subscribes to it")?;
        let MessageRange { from, to, max } = range;
        if max == Some(0) || from.zip(to).is_some_and(|(from, to)| from > to) {
            return Err(Refusal::BadRange);
        }
        let dialog = match dialog {
            Some(id) => self.readable_dialog(id)?,
            None => self.open_dialog()?,
        };
        // Some platforms treat the lower bound as inclusive, so one more record is requested.
        let from = from.unwrap_or(0);
        let query = MessageQuery {
            dialog_id: dialog.dialog_id.clone(),
            newer_than_sequence: Some(wire_sequence(from) - 1),
            older_than_sequence: to.map(|to| wire_sequence(to.saturating_add(1))),
            max_quantity: max.map(|max| max.saturating_add(u64::from(from > 0))),
        };
        Ok(Plan::Request(Box::new(PlannedRequest {
            request: Request::QueryMessages(query),
            metadata: Vec::new(),
            answer: AnswerKind::History(range),
            repeat: Repeat::Safe,
            note: None,
        })))
    }
}

impl MessageRange {
    /// Returns whether the range contains this sequence. The platform's bounds may be wider
    /// ([CV-F5](crate::rules#cv-f5)).
    pub fn contains(&self, sequence: u64) -> bool {
        self.from.is_none_or(|from| from <= sequence) && self.to.is_none_or(|to| sequence <= to)
    }
}

/// The protocol's bounds are exclusive and signed, because -1 lies before the first sequence.
fn wire_sequence(sequence: u64) -> i64 {
    i64::try_from(sequence).unwrap_or(i64::MAX)
}
