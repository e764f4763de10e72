//! Systemic faults: the reaction of a connection without a socket when its conversations keep failing together.

use std::sync::Arc;

use actix::{AsyncContext, Context, Handler, Message};
use tertulia_core::session::FailureReason;

use super::Intake;
use crate::{
    conversation::FramePermit,
    dead_letters::{DeadLetter, ReplayError},
};

impl Intake {
    /// Refuses webhooks for a while: the platform keeps them and sends them again.
    pub(super) fn hold_back(&mut self, ctx: &mut Context<Self>) {
        let Some(pause) = self.hold_back.begin() else { return };
        self.context.metrics().escalations.inc();
        self.context.note_error(&"many conversations failed together: webhooks are refused for a while");
        ctx.run_later(pause, |intake, _| intake.hold_back.set(intake.has_failed()));
    }

    /// Ends in `failed`, because refusing webhooks did not help.
    pub(super) fn give_up(&mut self) {
        self.context.metrics().escalations_given_up.inc();
        self.hold_back.set(true);
        let failure = FailureReason::ConversationsKeepFailing;
        self.end_in(failure, failure.to_string());
    }
}

/// Sends a dead letter to its conversation again.
#[derive(Message)]
#[rtype(result = "Result<(), ReplayError>")]
pub(super) struct Replay {
    pub(super) letter: Arc<DeadLetter>,
    pub(super) place: FramePermit,
}

impl Handler<Replay> for Intake {
    type Result = Result<(), ReplayError>;

    fn handle(&mut self, Replay { letter, place }: Replay, _: &mut Self::Context) -> Self::Result {
        self.roster.replay(&letter, place)
    }
}
