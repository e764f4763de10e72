//! The reports of conversations to their connection.

use actix::Addr;
use bytes::Bytes;
use tertulia_core::id::ConversationId;
use tokio::time::Instant;

use super::{Roster, quarantine::unreadable};
use crate::{
    conversation::{ChildNotice, ChildReport, Conversation, FramePermit, HistoryProgress},
    supervision::{ChildExit, ExitReason, SystemicPolicy, Verdict},
};

/// What a conversation's report means for its connection.
pub(crate) enum RosterNews {
    /// The progress of a conversation's history.
    History(ConversationId, HistoryProgress),
    /// A conversation gives back a frame that it cannot read.
    Misread { conversation: ConversationId, frame: Bytes, place: FramePermit },
    /// The actor of a conversation failed.
    Failed(ChildFailed),
}

/// The actor of a conversation failed.
pub(crate) struct ChildFailed {
    pub(crate) conversation: ConversationId,
    /// Whether the actor is restarted. Otherwise the conversation is in quarantine.
    pub(crate) is_restarted: bool,
    /// Whether the connection must restart or give up.
    pub(crate) verdict: Verdict,
}

impl<N> Roster<N> {
    /// Processes the report of a conversation. Returns what its connection must act on.
    pub(crate) fn take_report(
        &mut self,
        ChildReport { conversation, notice }: ChildReport,
        policy: &SystemicPolicy,
    ) -> Option<RosterNews> {
        let is_restarted = match notice {
            ChildNotice::History(progress) => return Some(RosterNews::History(conversation, progress)),
            ChildNotice::Dialog(dialog) => {
                self.note_dialog(dialog, conversation);
                return None;
            }
            ChildNotice::Misread { frame, place } => return Some(RosterNews::Misread { conversation, frame, place }),
            ChildNotice::Rested { may_sleep } => {
                self.rested(conversation, may_sleep);
                return None;
            }
            ChildNotice::Exited(ChildExit::Ended {
                reason: ExitReason::Normal | ExitReason::ArbiterStopped, ..
            }) => {
                return None;
            }
            // The conversation itself emits the event, with its own next sequence.
            ChildNotice::Exited(ChildExit::Restarting { .. }) => {
                self.upstream.metrics.restarted(&self.upstream.metrics.conversation_restarts);
                true
            }
            ChildNotice::Salvage(salvage) => {
                let (restarts, reason, actor) = (salvage.restarts, salvage.reason.clone(), salvage.actor.clone());
                let is_it = |address: &Addr<Conversation>| address.clone().recipient() == actor;
                if !self.quarantine(&conversation, is_it, restarts, reason, Some(salvage)) {
                    return None;
                }
                false
            }
            // Not a fault of the conversation's code, so it does not count as a failure.
            ChildNotice::Refused { actor, reason } => {
                let is_it = |address: &Addr<Conversation>| address.clone().recipient() == actor;
                let is_refused = self.quarantine(&conversation, is_it, 0, unreadable(&reason), None);
                return is_refused.then_some(RosterNews::History(conversation, HistoryProgress::Done));
            }
            // Only if there was no salvage; a later actor of the same conversation is still connected.
            ChildNotice::Exited(ChildExit::Ended {
                reason: ExitReason::Panicked(panic) | ExitReason::GaveUp(panic),
                restarts,
            }) => {
                if !self.quarantine(&conversation, |address| !address.connected(), restarts, panic, None) {
                    return None;
                }
                false
            }
        };
        let verdict = self.systemic.note(policy, conversation.clone(), Instant::now());
        Some(RosterNews::Failed(ChildFailed { conversation, is_restarted, verdict }))
    }
}
