//! Requests to the platform: sent at once or queued, and what happens without a response.

use std::time::{Duration, Instant};

use actix::Handler;
use serde_json::Value;
use tertulia_core::{
    id::RequestId,
    refusal::RequestType,
    ums::{Nothing, Request, RequestFrame},
};
use tokio::sync::oneshot;

use super::{
    AskWith, Connection,
    recovery_queue::RecoveryRequest,
    request_table::SentRequest,
    waiter::{OwnRequest, Waiter},
};
use crate::request::{Answer, Ask, Lane, RequestError};

impl Connection {
    /// Sends a request that keeps the socket alive, at once.
    pub(super) fn ask_own(&mut self, own: OwnRequest, request: Request, headers: Vec<Value>) {
        let sent = SentRequest {
            waiter: Waiter::Own(own),
            lane: Lane::KeepAlive,
            request: RequestType::from(&request),
            again: None,
        };
        let id = self.requests.add(sent, Instant::now(), self.settings.request_timeout);
        if let Err(failure) = self.write(&id, request, headers, Vec::new()) {
            // Its missing response is noticed at its deadline.
            self.context.note_error(&failure);
        }
    }

    pub(super) fn keep_alive(&mut self) {
        self.ask_own(OwnRequest::KeepAlive, Request::GetClock(Nothing {}), Vec::new());
    }

    pub(super) fn ask(&mut self, ask: Ask) {
        self.ask_with(ask, Vec::new());
    }

    fn ask_with(&mut self, ask: Ask, headers: Vec<Value>) {
        if ask.conversation.is_some() && ask.lane != Lane::Recovery {
            return self.ask_command(ask, headers);
        }
        if let Some(failure) = self.refusal(ask.lane, RequestType::from(&ask.request)) {
            let _ = ask.reply.send(Err(failure));
            return;
        }
        let Ask { conversation, request, metadata, lane, urgent, asked, throttled, reply, .. } = ask;
        let waiter = Waiter::Caller(reply);
        if lane == Lane::Recovery {
            let until = None;
            let recovery = RecoveryRequest { conversation, request, metadata, waiter, until, urgent, asked, throttled };
            return self.recover(recovery);
        }
        self.send(waiter, request, headers, metadata);
    }

    /// Returns why no request of this type is accepted in this lane now.
    pub(super) fn refusal(&self, lane: Lane, request: RequestType) -> Option<RequestError> {
        let now = self.now();
        let (is_open, is_full, wait) = match lane {
            Lane::KeepAlive | Lane::Recovery => (self.session.phase().is_open(), false, Duration::ZERO),
            Lane::Command => {
                (self.plan.is_linked(), self.requests.is_full(), self.pace.next(lane, request, now).since(now))
            }
        };
        match () {
            () if !is_open => Some(RequestError::NotConnected),
            () if !wait.is_zero() => Some(RequestError::Paused { wait }),
            () if is_full => Some(RequestError::Overloaded),
            () => None,
        }
    }

    /// Sends a request of a caller or a command; returns whether it was sent.
    pub(super) fn send(
        &mut self,
        waiter: Waiter<OwnRequest>,
        request: Request,
        headers: Vec<Value>,
        metadata: Vec<Value>,
    ) -> bool {
        let sent = SentRequest { waiter, lane: Lane::Command, request: RequestType::from(&request), again: None };
        let id = self.requests.add(sent, Instant::now(), self.settings.request_timeout);
        let Err(failure) = self.write(&id, request, headers, metadata) else { return true };
        if let Some(Waiter::Caller(reply) | Waiter::Command(reply)) =
            self.requests.take(id.as_str()).map(|sent| sent.waiter)
        {
            let _ = reply.send(Err(failure));
        }
        false
    }

    pub(super) fn write(
        &self,
        id: &RequestId,
        request: Request,
        headers: Vec<Value>,
        metadata: Vec<Value>,
    ) -> Result<(), RequestError> {
        let frame = RequestFrame { id: id.clone(), request, headers, metadata };
        let text =
            frame.encode(self.settings.dialect()).map_err(|error| RequestError::Unwritable(error.to_string()))?;
        if !self.link.send(text) {
            return Err(RequestError::NotConnected);
        }
        self.context.metrics().requests.inc();
        Ok(())
    }

    pub(super) fn expire_requests(&mut self) {
        for sent in self.requests.expired(Instant::now()) {
            self.context.metrics().requests_timed_out.inc();
            if sent.lane == Lane::Recovery {
                self.recovery.came_back(sent.request);
            }
            self.give_up(sent.waiter, RequestError::TimedOut);
        }
    }

    pub(super) fn fail_requests(&mut self) {
        self.fail_recovery();
        self.drop_held_commands();
        for SentRequest { waiter, .. } in self.requests.drain() {
            if let Waiter::Caller(reply) | Waiter::Command(reply) = waiter {
                let _ = reply.send(Err(RequestError::ConnectionLost));
            }
        }
    }

    pub(super) fn give_up(&mut self, waiter: Waiter<OwnRequest>, failure: RequestError) {
        match waiter {
            Waiter::Caller(reply) => {
                let _ = reply.send(Err(failure));
            }
            Waiter::Command(reply) => {
                let _ = reply.send(Err(failure));
                self.command_ended();
            }
            // The session itself notices missing keep-alives and verifications.
            Waiter::Own(OwnRequest::KeepAlive | OwnRequest::Verify) => {}
            Waiter::Own(OwnRequest::Subscribe(key)) => {
                let now = self.now();
                let outputs = self.subscriptions.unanswered(key, now);
                self.carry_out_all(outputs);
            }
            Waiter::Own(OwnRequest::SubscribeRings) => self.rings_refused(&failure),
        }
    }

    /// Sends a request for a future of this connection.
    pub(super) fn ask_here(
        &mut self,
        request: Request,
        lane: Lane,
    ) -> impl Future<Output = Result<Answer, RequestError>> + use<> {
        let (reply, answer) = oneshot::channel();
        self.ask(Ask::new(request, lane, reply));
        async move { answer.await.unwrap_or(Err(RequestError::ConnectionLost)) }
    }
}

impl Handler<AskWith> for Connection {
    type Result = ();

    fn handle(&mut self, AskWith { ask, headers }: AskWith, _: &mut Self::Context) {
        self.ask_with(ask, headers);
    }
}

impl Handler<Ask> for Connection {
    type Result = ();

    fn handle(&mut self, ask: Ask, _: &mut Self::Context) {
        self.ask(ask);
    }
}
