//! Systemic faults: the reaction of a connection when its conversations keep failing together.

use std::sync::Arc;

use actix::{Context, Handler, Message};
use tertulia_core::session::{FailureReason, Input};

use super::Connection;
use crate::{
    conversation::FramePermit,
    dead_letters::{DeadLetter, DeadLetterKind, ReplayError},
};

impl Connection {
    /// Drops the socket; the resume plan starts again on the next socket, after the session's back-off.
    pub(super) fn restart_over_faults(&mut self, ctx: &mut Context<Self>) {
        if !self.session.phase().is_open() {
            return;
        }
        self.context.metrics().escalations.inc();
        self.context.note_error(&"many conversations failed together: the connection restarts");
        self.feed(Input::Distrusted, ctx);
        self.lose_socket();
    }

    /// Ends in `failed`, because restarting did not help.
    pub(super) fn end_escalated(&mut self, ctx: &mut Context<Self>) {
        if self.session.phase().is_at_rest() {
            return;
        }
        self.context.metrics().escalations_given_up.inc();
        self.feed(Input::GivenUp(FailureReason::ConversationsKeepFailing), ctx);
    }
}

/// Retries a dead letter.
#[derive(Message)]
#[rtype(result = "Result<(), ReplayError>")]
pub(crate) struct Replay(pub(crate) Arc<DeadLetter>);

impl Handler<Replay> for Connection {
    type Result = Result<(), ReplayError>;

    fn handle(&mut self, Replay(letter): Replay, ctx: &mut Self::Context) -> Self::Result {
        let place =
            self.link.take_place(letter.body.len()).ok_or_else(|| ReplayError::Overloaded(letter.id.clone()))?;
        if letter.kind == DeadLetterKind::Frame {
            self.take_frame(&letter.body, place, ctx);
            return Ok(());
        }
        if let Some(id) = letter.conversation.as_ref().filter(|id| self.roster.is_asleep(id)) {
            self.child(id);
        }
        self.roster.replay(&letter, FramePermit::new(place))
    }
}
