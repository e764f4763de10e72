//! The parts of a connection: which work, which are missing, and how often the platform refused each.

use std::collections::BTreeMap;

use tertulia_core::{
    id::ConversationId,
    readiness::{Lacking, Part, Readiness},
    refusal::RequestType,
};

/// The parts of a connection.
#[derive(Default)]
pub(super) struct Parts {
    readiness: Readiness,
    /// The refused parts that were last reported.
    reported: Lacking,
    /// How often in a row each type of the connection's own requests was refused.
    refusals: BTreeMap<RequestType, u32>,
}

impl Parts {
    /// Without a socket every part is missing.
    pub(super) fn begin(&mut self, wanted: &[Part]) {
        self.readiness.begin(wanted);
        self.refusals.clear();
    }

    /// A part works, or works again.
    pub(super) fn works(&mut self, part: Part) {
        self.readiness.stands(part);
    }

    /// A request was granted, so its refusals no longer count.
    pub(super) fn granted(&mut self, request: RequestType) {
        self.refusals.remove(&request);
    }

    /// Counts a refusal and returns how often in a row this type of request was refused.
    pub(super) fn count_refusal(&mut self, request: RequestType) -> u32 {
        let times = self.refusals.entry(request).or_default();
        *times = times.saturating_add(1);
        *times
    }

    /// A part was refused; `goes_on` says whether the connection continues without it.
    pub(super) fn refused(&mut self, part: Part, reason: String, goes_on: bool) {
        self.readiness.refused(part, reason, goes_on);
    }

    pub(super) fn history_wanted(&mut self, conversation: &ConversationId) {
        self.readiness.history_wanted(conversation);
    }

    pub(super) fn history_done(&mut self, conversation: &ConversationId) {
        self.readiness.history_done(conversation);
    }

    pub(super) fn history_refused(&mut self, conversation: &ConversationId) {
        self.readiness.history_refused(conversation);
    }

    /// Whether each part works, or the connection continues without it.
    pub(super) fn are_passed(&self) -> bool {
        self.readiness.is_passed()
    }

    pub(super) fn goes_on_without(&self, part: Part) -> bool {
        self.readiness.goes_on_without(part)
    }

    /// The missing parts.
    pub(super) fn lacking(&self) -> Lacking {
        self.readiness.lacking()
    }

    /// The number of histories that the platform refused.
    pub(super) fn histories_refused(&self) -> usize {
        self.readiness.refused_now().histories
    }

    /// Returns the refused parts if they differ from the last report.
    pub(super) fn news(&mut self) -> Option<Lacking> {
        let refused = self.readiness.refused_now();
        if refused == self.reported {
            return None;
        }
        self.reported = refused.clone();
        Some(refused)
    }
}
