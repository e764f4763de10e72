//! The missing parts of a connection, published in its status and reported at each change.

use std::collections::BTreeMap;

use tertulia_core::{
    readiness::{Lacking, Part},
    refusal::{Case, Decision, Lane, RequestType, decide},
};

use super::{Connection, Login, Rings, recovery::Again};
use crate::{conversation::HistoryProgress, request::RequestError, subscriber::EventData};

/// The parts that the platform refused this connection.
#[derive(Default)]
pub(super) struct Refused {
    /// The missing parts that were last reported.
    told: Lacking,
    /// How often in a row each type of the connection's own requests was refused.
    times: BTreeMap<RequestType, u32>,
}

impl Connection {
    /// The parts that the connection needs on a socket.
    pub(super) fn wanted(&self) -> Vec<Part> {
        let mut wanted = vec![Part::Subscriptions];
        if matches!(self.settings.login, Login::Agent(_)) {
            wanted.extend((self.settings.rings != Rings::Off).then_some(Part::Rings));
            wanted.extend(self.agent_state.is_some().then_some(Part::AgentState));
        }
        wanted
    }

    /// Without a socket every part is missing.
    pub(super) fn lacks_socket(&mut self) {
        let wanted = self.wanted();
        self.readiness.begin(&wanted);
        self.refused.times.clear();
        self.show_lacking();
    }

    /// A part of the resume plan works.
    pub(super) fn part_stands(&mut self, part: Part, request: RequestType) {
        self.refused.times.remove(&request);
        self.readiness.stands(part);
        self.tell_lacking();
    }

    /// A part of the resume plan was refused: it is requested again, and the connection continues meanwhile.
    pub(super) fn part_refused(&mut self, part: Part, request: RequestType, failure: &RequestError, again: Again) {
        let Some(decision) = self.not_granted(request, failure, again) else { return };
        // Without the subscriptions the connection would use outdated data, so it waits for them for a while.
        let goes_on = decision.goes_on || part != Part::Subscriptions;
        self.readiness.refused(part, failure.to_string(), goes_on);
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
        let tries = self.refused.times.entry(request).or_default();
        *tries = tries.saturating_add(1);
        let (tries, refusal, lasted) = (*tries, failure.refusal(), std::time::Duration::ZERO);
        let decision = decide(Case { lane: Lane::Recovery, request, refusal, tries, lasted });
        self.note_error(failure);
        let wait = decision.wait(tries, rand::random()).unwrap_or_default();
        self.try_again(again, wait);
        Some(decision)
    }

    /// A conversation reports the progress of its history.
    pub(super) fn history_told(&mut self, conversation: &tertulia_core::id::ConversationId, progress: HistoryProgress) {
        match progress {
            HistoryProgress::Done => self.readiness.history_done(conversation),
            HistoryProgress::Refused => self.readiness.history_refused(conversation),
            HistoryProgress::Awaited => return self.recovery.hurry(conversation),
        }
        self.resume_progressed();
        self.tell_lacking();
    }

    fn show_lacking(&self) {
        let lacking = self.readiness.lacking();
        self.status.send_if_modified(|status| {
            let is_news = status.lacking != lacking;
            status.lacking = lacking;
            is_news
        });
    }

    /// Reports the missing parts: in the status at each change, in the log and as an event when a part is refused or
    /// works again.
    pub(super) fn tell_lacking(&mut self) {
        self.show_lacking();
        self.step_plan();
        let refused = self.readiness.refused_now();
        if refused == self.refused.told {
            return;
        }
        let connection = &self.settings.id;
        match serde_json::to_string(&refused) {
            Ok(lacking) if !refused.is_nothing() => tracing::warn!(%connection, lacking, "the connection is degraded"),
            _ => tracing::info!(%connection, "the connection is complete again"),
        }
        self.refused.told = refused.clone();
        self.publish(EventData::Lacking { lacking: refused });
    }
}
