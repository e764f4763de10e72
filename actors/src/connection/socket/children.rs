//! The conversations of a connection with a socket, kept in its roster.

use actix::Handler;
use tertulia_core::id::ConversationId;

use super::{
    Connection, ConnectionError, QuarantinedConversation,
    roster::{Child, ChildFailed, ListQuarantined, Release, RosterNews},
};
use crate::{
    conversation::{ChildReport, HistoryProgress, Leave, ToConversation},
    supervision::Verdict,
};

impl Connection {
    /// Returns the conversation, started if it is unknown, or loaded.
    pub(super) fn child(&mut self, id: &ConversationId) -> &mut Child<()> {
        let Self { roster, principal, plan, departures, .. } = self;
        let ready = principal.identity().filter(|_| plan.is_linked());
        roster.child(id, ready, || departures.arrival(id))
    }

    /// Whether the conversation belongs to this connection, as far as known.
    pub(super) fn holds(&self, id: &ConversationId) -> bool {
        self.roster.knows(id) && !self.subscriptions.is_leaving(id)
    }

    pub(super) fn forget_for_good(&mut self, id: &ConversationId) {
        // With a store, the conversation's record says so.
        if !self.context.journal().keeps() {
            self.departures.add(id.clone());
        }
        if self.roster.forget(id, Leave::ForGood) {
            self.repeated.forget(id);
            self.parts.history_done(id);
            self.subscriptions.forget(id);
        }
    }

    /// Unloads the conversations that were loaded briefly, and idle ones while the connection is up to date.
    pub(super) fn let_sleep(&mut self) {
        let Self { session, subscriptions, roster, settings, .. } = self;
        let is_leaving = |id: &ConversationId, _: &_| subscriptions.is_leaving(id);
        roster.let_sleep_early(is_leaving);
        if session.may_send() {
            roster.let_sleep(settings.sleep_after, is_leaving);
        }
    }
}

impl Handler<ChildReport> for Connection {
    type Result = ();

    fn handle(&mut self, report: ChildReport, ctx: &mut Self::Context) {
        let failed = match self.roster.take_report(report, &self.context.process.supervision.systemic) {
            Some(RosterNews::Failed(failed)) => failed,
            Some(RosterNews::History(conversation, progress)) => return self.history_reported(&conversation, progress),
            Some(RosterNews::Misread { conversation, frame, place }) => {
                self.repeated.forget(&conversation);
                // Its frames have another form; to presume the usual one again would cost more than it saves.
                self.presumes = false;
                return self.decode_frame(&frame, place, None, ctx);
            }
            None => return,
        };
        let ChildFailed { conversation, is_restarted, verdict } = failed;
        if is_restarted {
            self.context.status.count_conversation_restart();
            self.ask_state(conversation);
        } else {
            self.history_reported(&conversation, HistoryProgress::Done);
        }
        match verdict {
            Verdict::Single => {}
            Verdict::Reset => self.restart_over_faults(ctx),
            Verdict::GiveUp => self.end_escalated(ctx),
        }
    }
}

impl Handler<ListQuarantined> for Connection {
    type Result = Vec<QuarantinedConversation>;

    fn handle(&mut self, _: ListQuarantined, _: &mut Self::Context) -> Self::Result {
        self.roster.quarantined()
    }
}

impl Handler<Release> for Connection {
    type Result = Result<(), ConnectionError>;

    fn handle(&mut self, Release { conversation: id }: Release, _: &mut Self::Context) -> Self::Result {
        self.roster.release(&id, self.principal.identity().filter(|_| self.plan.is_linked()))?;
        self.ask_state(id);
        Ok(())
    }
}

impl Handler<ToConversation> for Connection {
    type Result = ();

    fn handle(&mut self, ToConversation { conversation, request }: ToConversation, _: &mut Self::Context) {
        if self.roster.knows(&conversation) {
            self.child(&conversation).tell(request);
        }
    }
}
