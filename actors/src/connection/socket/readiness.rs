//! The missing parts of a connection, published in its status and reported at each change.

use tertulia_core::{
    id::ConversationId,
    readiness::Part,
    refusal::{Case, Decision, Lane, RequestType, decide},
};

use super::{Connection, Login, Rings, recovery_queue::Again};
use crate::{conversation::HistoryProgress, request::RequestError, subscriber::EventData};

impl Connection {
    /// The parts that the connection needs on a socket.
    pub(super) fn wanted(&self) -> Vec<Part> {
        let mut wanted = vec![Part::Subscriptions];
        if matches!(self.settings.login, Login::Agent(_)) {
            wanted.extend((self.settings.rings != Rings::Off).then_some(Part::Rings));
            wanted.extend(self.availability.is_set().then_some(Part::AgentState));
        }
        wanted
    }

    /// Without a socket every part is missing.
    pub(super) fn lacks_socket(&mut self) {
        let wanted = self.wanted();
        self.parts.begin(&wanted);
        self.show_lacking();
    }

    /// A part of the resume plan works.
    pub(super) fn part_works(&mut self, part: Part, request: RequestType) {
        self.parts.granted(request);
        self.parts.works(part);
        self.tell_lacking();
    }

    /// A part of the resume plan was refused: it is requested again, and the connection continues meanwhile.
    pub(super) fn part_refused(&mut self, part: Part, request: RequestType, failure: &RequestError, again: Again) {
        let Some(decision) = self.not_granted(request, failure, again) else { return };
        // Without the subscriptions the connection would use outdated data, so it waits for them for a while.
        let goes_on = decision.goes_on || part != Part::Subscriptions;
        self.parts.refused(part, failure.to_string(), goes_on);
        self.tell_lacking();
    }

    /// Records that one of the connection's own requests was refused, and repeats it after a while. `None` if the
    /// socket is gone.
    pub(super) fn not_granted(
        &mut self,
        request: RequestType,
        failure: &RequestError,
        again: Again,
    ) -> Option<Decision> {
        if matches!(failure, RequestError::ConnectionLost | RequestError::NotConnected) {
            return None;
        }
        let tries = self.parts.count_refusal(request);
        let (refusal, lasted) = (failure.refusal(), std::time::Duration::ZERO);
        let decision = decide(Case { lane: Lane::Recovery, request, refusal, tries, lasted });
        self.context.note_error(failure);
        let wait = decision.wait(tries, rand::random()).unwrap_or_default();
        self.try_again(again, wait);
        Some(decision)
    }

    /// A conversation reports the progress of its history.
    pub(super) fn history_reported(&mut self, conversation: &ConversationId, progress: HistoryProgress) {
        match progress {
            HistoryProgress::Done => {
                self.parts.history_done(conversation);
                self.roster.note_up_to_date(conversation);
            }
            HistoryProgress::Refused => self.parts.history_refused(conversation),
            HistoryProgress::Awaited => return self.recovery.hurry(conversation),
        }
        self.resume_progressed();
        self.tell_lacking();
    }

    fn show_lacking(&self) {
        self.context.status.show_lacking(self.parts.lacking());
    }

    /// Reports the missing parts: in the status at each change, in the log and as an event when a part is refused or
    /// works again.
    pub(super) fn tell_lacking(&mut self) {
        self.show_lacking();
        self.step_plan();
        let Some(refused) = self.parts.news() else { return };
        let connection = &self.settings.id;
        match serde_json::to_string(&refused) {
            Ok(lacking) if !refused.is_nothing() => tracing::warn!(%connection, lacking, "the connection is degraded"),
            _ => tracing::info!(%connection, "the connection is complete again"),
        }
        self.context.publish(EventData::Lacking { lacking: refused });
    }
}
