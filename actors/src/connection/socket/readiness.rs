//! What the connection lacks: kept for whoever watches, and told at each change.

use std::collections::BTreeMap;

use tertulia_core::{
    readiness::{Lacking, Part},
    refusal::{Case, Decision, Lane, RequestType, decide},
};

use super::{Connection, Login, Rings, recovery::Again};
use crate::{conversation::HistoryProgress, request::RequestFailure, subscriber::EventData};

/// What the platform did not grant this connection.
#[derive(Default)]
pub(super) struct Refused {
    /// What was last told of what lacks.
    told: Lacking,
    /// How often in a row each type of the connection's own requests was not granted.
    times: BTreeMap<RequestType, u32>,
}

impl Connection {
    /// The parts that are wanted on a socket.
    pub(super) fn wanted(&self) -> Vec<Part> {
        let mut wanted = vec![Part::Subscriptions];
        if matches!(self.settings.login, Login::Agent(_)) {
            wanted.extend((self.settings.rings != Rings::Off).then_some(Part::Rings));
            wanted.extend(self.agent_state.is_some().then_some(Part::AgentState));
        }
        wanted
    }

    /// Without a socket every part lacks.
    pub(super) fn lacks_socket(&mut self) {
        let wanted = self.wanted();
        self.readiness.begin(&wanted);
        self.refused.times.clear();
        self.show_lacking();
    }

    /// A part of the resume plan stands.
    pub(super) fn part_stands(&mut self, part: Part, request: RequestType) {
        self.refused.times.remove(&request);
        self.readiness.stands(part);
        self.tell_lacking();
    }

    /// A part of the resume plan was not granted: it is asked for again, and the connection goes on meanwhile.
    pub(super) fn part_refused(&mut self, part: Part, request: RequestType, failure: &RequestFailure, again: Again) {
        let Some(decision) = self.not_granted(request, failure, again) else { return };
        // What goes on without the subscriptions goes on with what was known before, so they are waited for a little.
        let goes_on = decision.goes_on || part != Part::Subscriptions;
        self.readiness.refused(part, failure.to_string(), goes_on);
        self.tell_lacking();
    }

    /// Notes that one of the connection's own requests was not granted, and asks again after a while. `None` where the
    /// socket is gone.
    pub(super) fn not_granted(
        &mut self,
        request: RequestType,
        failure: &RequestFailure,
        again: Again,
    ) -> Option<Decision> {
        if matches!(failure, RequestFailure::ConnectionLost | RequestFailure::NotConnected) {
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

    /// A conversation tells how far its history is.
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

    /// Tells what lacks: the status at each change, log and event when something is refused or stands again.
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
