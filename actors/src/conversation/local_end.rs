//! The end of a conversation whose consumer's identity is lost ([CA-3](crate::rules#ca-3)).

use actix::{Context, Handler};
use tertulia_core::{
    command::{CommandError, Refusal},
    time::Timestamp,
};

use super::{ConsumerLost, Conversation};

impl Handler<ConsumerLost> for Conversation {
    type Result = ();

    fn handle(&mut self, _: ConsumerLost, ctx: &mut Context<Self>) {
        self.ready = None;
        let ended = self.model.end_here(Timestamp(jiff::Timestamp::now().as_millisecond()));
        self.take_reception(ended, ctx);
        // Commands to a closed conversation fail with the same error.
        let closed = CommandError { conversation: self.id().clone(), refusal: Refusal::NoOpenDialog };
        self.fail_commands(&closed.into());
        self.conclude();
    }
}
