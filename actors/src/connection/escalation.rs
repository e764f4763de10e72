//! Systemic faults: what a connection does when its conversations keep failing together.

use std::sync::Arc;

use actix::{Context, Handler, Message};
use tertulia_core::session::{FailureReason, Input};

use super::Connection;
use crate::{
    conversation::{Place, RecordsArrived, StateArrived},
    dead_letters::{DeadLetter, DeadLetterKind, ReplayError, Unhandled},
};

impl Connection {
    /// Drops the socket; the resume plan begins everything anew on the next one, after the session's back-off.
    pub(super) fn begin_anew(&mut self, ctx: &mut Context<Self>) {
        if !self.session.phase().is_open() {
            return;
        }
        self.metrics().escalations.inc();
        self.note_error(&"many conversations failed together: the connection begins anew");
        self.feed(Input::Distrusted, ctx);
        self.lose_socket();
    }

    /// Ends in `failed`: beginning anew has not helped.
    pub(super) fn end_escalated(&mut self, ctx: &mut Context<Self>) {
        if self.session.phase().is_at_rest() {
            return;
        }
        self.metrics().escalations_given_up.inc();
        self.feed(Input::GivenUp(FailureReason::ConversationsKeepFailing), ctx);
    }

    /// Keeps a frame that cannot be read.
    pub(super) fn bury_unreadable(&self, frame: &[u8], reason: &str) {
        self.around.dead_letters.put_unreadable(Unhandled {
            connection: &self.settings.id,
            conversation: None,
            kind: DeadLetterKind::Frame,
            reason: reason.to_owned(),
            body: frame,
        });
    }
}

/// Hands a dead letter over again.
#[derive(Message)]
#[rtype(result = "Result<(), ReplayError>")]
pub(crate) struct Replay(pub(crate) Arc<DeadLetter>);

impl Handler<Replay> for Connection {
    type Result = Result<(), ReplayError>;

    fn handle(&mut self, Replay(letter): Replay, ctx: &mut Self::Context) -> Self::Result {
        let id = || letter.id.clone();
        let place = Arc::clone(&self.window).try_acquire_owned().map_err(|_| ReplayError::Overloaded(id()))?;
        if letter.kind == DeadLetterKind::Frame {
            self.take_frame(&letter.body, place, ctx);
            return Ok(());
        }
        let place = Place::new(place);
        let child = letter.conversation.as_ref().and_then(|conversation| self.children.get_mut(conversation));
        let child = child.filter(|child| !child.is_quarantined()).ok_or_else(|| ReplayError::NobodyThere(id()))?;
        match letter.kind {
            DeadLetterKind::State => {
                child.pass_state(StateArrived { raw: letter.body.clone(), place });
            }
            DeadLetterKind::Records => child.pass_records(RecordsArrived { frame: letter.body.clone(), place }),
            _ => return Err(ReplayError::NotReplayable(id())),
        }
        Ok(())
    }
}
