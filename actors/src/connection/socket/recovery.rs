//! Requests that bring the connection up to date. Each is sent when the rate limit of the login allows it, and sent
//! again if the platform refused it because there were too many (429).

use std::time::{Duration, Instant};

use actix::{Context, Handler, Message};
use tertulia_core::{
    refusal::{Lane, RequestType},
    session::Millis,
    ums::Request,
};
use tokio_util::task::AbortOnDropHandle;

use super::{
    Connection,
    recovery_queue::{Again, RecoveryRequest, SentRecovery, Turn},
    request_table::SentRequest,
    waiter::{OwnRequest, Waiter},
};
use crate::request::RequestError;

/// The next request of the recovery lane may be sent.
#[derive(Message)]
#[rtype(result = "()")]
pub(super) struct NextRecovery;

impl Connection {
    /// Queues a request of the recovery lane.
    pub(super) fn recover(&mut self, recovery: RecoveryRequest) {
        self.recovery.push(recovery);
        self.recover_next();
    }

    /// Queues one of the connection's own requests.
    pub(super) fn recover_own(&mut self, own: OwnRequest, request: Request) {
        let (conversation, metadata, waiter, asked) = (None, Vec::new(), Waiter::Own(own), Instant::now());
        let throttled = 0;
        self.recover(RecoveryRequest {
            conversation,
            request,
            metadata,
            waiter,
            until: None,
            urgent: true,
            asked,
            throttled,
        });
    }

    /// Sends the requests that may be sent now, and sets the alarm for the next one.
    pub(super) fn recover_next(&mut self) {
        if !self.session.phase().is_open() {
            return self.fail_recovery();
        }
        let mut next: Option<Millis> = None;
        for kind in self.recovery.waiting_types() {
            while let Some((turn, recovery)) = self.take_next(kind, &mut next) {
                self.send_recovery(kind, turn, recovery);
            }
        }
        self.set_recovery_alarm(next);
    }

    fn take_next(&mut self, kind: RequestType, next: &mut Option<Millis>) -> Option<(Turn, RecoveryRequest)> {
        while let Some(expired) = self.recovery.take_expired(kind, Instant::now()) {
            self.give_up(expired.waiter, RequestError::TimedOut);
        }
        let is_urgent = self.recovery.is_next_urgent(kind)?;
        if self.requests.is_full() || self.pace.is_full(kind, is_urgent, self.recovery.in_flight(kind)) {
            // The next response makes room.
            return None;
        }
        let now = self.now();
        let at = self.pace.next(Lane::Recovery, kind, now);
        if at > now {
            *next = Some(next.map_or(at, |next| next.min(at)));
            return None;
        }
        self.recovery.take_next(kind)
    }

    fn send_recovery(&mut self, kind: RequestType, turn: Turn, recovery: RecoveryRequest) {
        let now = self.now();
        self.pace.sent(Lane::Recovery, kind, self.recovery.in_flight(kind), now);
        self.recovery.sent(kind);
        let again = Some(Box::new(SentRecovery::of(turn, &recovery)));
        let RecoveryRequest { request, metadata, waiter, .. } = recovery;
        let sent = SentRequest { waiter, lane: Lane::Recovery, request: kind, again };
        let id = self.requests.add(sent, Instant::now(), self.settings.request_timeout);
        if let Err(failure) = self.write(&id, request, Vec::new(), metadata)
            && let Some(sent) = self.requests.take(id.as_str())
        {
            self.recovery.came_back(kind);
            self.give_up(sent.waiter, failure);
        }
    }

    fn set_recovery_alarm(&mut self, next: Option<Millis>) {
        let Some(at) = next else { return self.recovery.drop_alarm() };
        if self.recovery.is_alarm_set_for(at) {
            return;
        }
        let (me, wait) = (self.me.clone(), at.since(self.now()));
        let task = actix_rt::spawn(async move {
            tokio::time::sleep(wait).await;
            me.do_send(NextRecovery);
        });
        self.recovery.set_alarm(at, AbortOnDropHandle::new(task));
    }

    /// The socket is gone: the waiting requests were not sent.
    pub(super) fn fail_recovery(&mut self) {
        for waiter in self.recovery.drain() {
            if let Waiter::Caller(reply) = waiter {
                let _ = reply.send(Err(RequestError::NotConnected));
            }
        }
    }

    /// Requests again after `wait`, on this socket.
    pub(super) fn try_again(&mut self, again: Again, wait: Duration) {
        let at = self.now().after(wait);
        self.recovery.plan(at, again);
    }

    /// Requests again what is due.
    pub(super) fn try_due(&mut self, ctx: &mut Context<Self>) {
        let now = self.now();
        for again in self.recovery.take_due(now) {
            match again {
                Again::Identity => self.learn_identity(ctx),
                Again::Subscription(key) => {
                    let outputs = self.subscriptions.again(key);
                    self.carry_out_all(outputs);
                }
                Again::Rings => self.subscribe_rings(),
                Again::AgentState => self.set_agent_state(ctx),
                Again::Accept(ring, tries) => self.accept(ring, tries, ctx),
            }
        }
        self.recover_next();
    }
}

impl Handler<NextRecovery> for Connection {
    type Result = ();

    fn handle(&mut self, _: NextRecovery, _: &mut Self::Context) {
        self.recovery.drop_alarm();
        self.recover_next();
    }
}
