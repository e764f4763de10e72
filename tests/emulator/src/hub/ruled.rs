//! Requests of sockets that a rule of refusal strikes.

use std::time::Duration;

use serde_json::Value;

use super::Hub;
use crate::dialect::{Dialect, Request, response_frame};
use crate::faults::{Asked, Outcome, Verdict};
use crate::http::html_page;
use crate::platform::{Emission, FrameKind, Millis, Refusal, SocketId};
use crate::socket::Outgoing;

impl Hub {
    /// What a rule makes of a request, if one strikes it; counted as a fault.
    pub(crate) fn decide(&mut self, mut asked: Asked<'_>, now: Millis) -> Option<Verdict> {
        let owners: Vec<String> = asked.conversations.iter().filter_map(|id| self.platform.owner_of(id)).collect();
        asked.conversations.extend(owners);
        let verdict = self.rules.decide(&asked, now)?;
        self.faults.count(1);
        Some(verdict)
    }

    /// What a rule makes of a request of a socket.
    pub(super) fn verdict(&mut self, socket: SocketId, request: &Request, now: Millis) -> Option<Verdict> {
        if self.rules.is_empty() {
            return None;
        }
        let open = self.sockets.get(&socket)?;
        let (side, user) = (Some(open.side), self.platform.user_name(&open.party));
        let conversations = request.conversation_ids();
        let asked = Asked { request: request.name(), side, user: &user, conversations, body: request.raw_body() };
        self.decide(asked, now)
    }

    /// Answers a request as a rule decided; `act` carries it out and returns the frames that follow.
    pub(super) fn ruled(
        &mut self,
        socket: SocketId,
        request: &Request,
        verdict: Verdict,
        act: impl FnOnce(&mut Self) -> Vec<Emission>,
    ) {
        let Some(dialect) = self.sockets.get(&socket).map(|open| open.dialect) else { return };
        let Verdict { outcome, carried_out } = verdict;
        let mut frames = if carried_out || outcome.changes_the_right_answer() { act(self) } else { Vec::new() };
        let is_answer = |frame: &Emission| frame.socket == socket && frame.kind == FrameKind::Answer;
        let answer = frames.iter().position(is_answer).map(|place| frames.remove(place));
        match outcome {
            Outcome::Close(code) => self.close_with(socket, code),
            Outcome::Drop => self.cut(socket),
            Outcome::Late(millis) => {
                if let Some(answer) = answer {
                    self.queue(socket, Outgoing::Late(Duration::from_millis(millis), answer.text));
                }
            }
            Outcome::Clamp(_) | Outcome::Unreadable(_) => {
                let snapshot = |frame: &Emission| frame.socket == socket && frame.kind == FrameKind::Snapshot;
                frames.iter_mut().filter(|frame| snapshot(frame)).for_each(|frame| spoil(frame, outcome));
                if let Some(mut answer) = answer {
                    spoil(&mut answer, outcome);
                    self.send(answer, Some(socket));
                }
            }
            Outcome::Dribble(_) | Outcome::EarlyHints => {
                answer.into_iter().for_each(|answer| self.send(answer, Some(socket)))
            }
            Outcome::Code(_) | Outcome::Html(_) | Outcome::Echo(_) | Outcome::Never => {
                if let Some(text) = refusal(outcome, request, dialect) {
                    self.answer(socket, text);
                }
            }
        }
        frames.into_iter().for_each(|frame| self.send(frame, Some(socket)));
    }
}

/// The frame that says what a rule wants said, if it wants anything said.
pub(crate) fn refusal(outcome: Outcome, request: &Request, dialect: Dialect) -> Option<String> {
    let told = |code: u16, text: &str| {
        Some(response_frame(&request.id, code, dialect.string_response(), &Value::from(text).to_string()))
    };
    match outcome {
        Outcome::Code(code) => Some(Refusal::by_rule(code).frame(&request.id, dialect)),
        Outcome::Html(code) => told(code, &html_page(code)),
        Outcome::Echo(code) => told(code, request.raw_body()),
        _ => None,
    }
}

/// Changes the records of a history in an answer or in the notification that brings it.
fn spoil(frame: &mut Emission, outcome: Outcome) {
    let Ok(mut tree) = serde_json::from_slice::<Value>(&frame.text) else { return };
    let body = &mut tree["body"];
    let records = if body.is_array() { body } else { &mut body["changes"] };
    spoil_records(records, outcome);
    frame.text = tree.to_string().into();
}

/// Changes the records of a history.
pub(crate) fn spoil_records(records: &mut Value, outcome: Outcome) {
    let Some(records) = records.as_array_mut() else { return };
    match outcome {
        Outcome::Clamp(most) => records.truncate(most),
        Outcome::Unreadable(sequence) => {
            for record in records.iter_mut().filter(|record| record["sequence"] == sequence) {
                *record = serde_json::json!({"sequence": {"unreadable": sequence}, "event": 17});
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use crate::account::Account;
    use crate::config::EmulatorConfig;
    use crate::faults::FaultMode;

    #[test]
    fn a_mode_refuses_now_and_then_and_no_more_once_it_is_over() {
        let account = Account::new(EmulatorConfig { faults: FaultMode::Hostile, ..EmulatorConfig::default() });
        let mut hub = account.hub();
        let refusing = |hub: &mut super::Hub, now| {
            hub.tick(now);
            !hub.rules.is_empty()
        };
        let begins = (0..100_000).step_by(50).find(|now| refusing(&mut hub, *now)).unwrap();
        assert!(hub.rules.all().next().is_none(), "only what was given is listed");
        hub.set_mode(FaultMode::None, 0);
        assert!(hub.rules.is_empty());
        assert!(!(begins..begins + 100_000).step_by(50).any(|now| refusing(&mut hub, now)));
    }
}
