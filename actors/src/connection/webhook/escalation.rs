//! Systemic faults: the reaction of a connection without a socket when its conversations keep failing together.

use std::{sync::Arc, time::Duration};

use actix::{AsyncContext, Context, Handler, Message};
use tertulia_core::session::{Backoff, FailureReason, Phase};

use super::Intake;
use crate::{
    conversation::FramePermit,
    dead_letters::{DeadLetter, ReplayError},
};

/// How long webhooks are refused after a systemic fault; longer each time.
const HOLD_BACK: Backoff =
    Backoff { floor: Duration::from_secs(1), base: Duration::from_secs(1), max: Duration::from_secs(29) };

impl Intake {
    /// Refuses webhooks for a while: the platform keeps them and sends them again.
    pub(super) fn hold_back(&mut self, ctx: &mut Context<Self>) {
        if std::mem::replace(&mut self.held_back, true) {
            return;
        }
        self.metrics().escalations.inc();
        self.note_error(&"many conversations failed together: webhooks are refused for a while");
        let wait = HOLD_BACK.delay(self.times_held_back, rand::random());
        self.times_held_back += 1;
        ctx.run_later(wait, |intake, _| intake.held_back = intake.has_failed());
    }

    /// Ends in `failed`, because refusing webhooks did not help.
    pub(super) fn give_up(&mut self) {
        self.metrics().escalations_given_up.inc();
        self.held_back = true;
        let failure = FailureReason::ConversationsKeepFailing;
        self.end_in(failure, failure.to_string());
    }

    pub(super) fn has_failed(&self) -> bool {
        matches!(self.phase, Phase::Failed(_))
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
