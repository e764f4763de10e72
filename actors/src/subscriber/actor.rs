//! The subscriber actor: one queue, one sink, one delivery at a time.

use std::{collections::VecDeque, sync::Arc};

use actix::{Actor, ActorContext, AsyncContext, Context, Handler, Supervised, WrapFuture, fut::ActorFutureExt};
use futures_util::future::LocalBoxFuture;

use super::{Delivery, Event};
use crate::{
    dead_letters::{DeadLetterKind, DeadLetters, Unhandled},
    metrics::Metrics,
    supervision::failure,
};

/// Why a sink did not accept an event.
#[non_exhaustive]
#[derive(Debug, thiserror::Error)]
pub enum SinkError {
    /// The sink refuses this event but may accept the next one.
    #[error("the event was refused: {0}")]
    Refused(String),
    /// The sink accepts no more events.
    #[error("the sink is closed: {0}")]
    Closed(String),
}

/// The destination of a subscriber's events.
pub trait Sink: Send + 'static {
    /// Accepts one event. The next event is delivered when the returned future has completed.
    ///
    /// # Errors
    /// [`SinkError::Refused`] skips the event, [`SinkError::Closed`] ends the subscriber.
    fn deliver(&mut self, event: Arc<Event>) -> LocalBoxFuture<'static, Result<(), SinkError>>;

    /// Called before the next event if events were dropped because the queue was full.
    fn missed(&mut self, events: u64) {
        tracing::warn!(events, "a subscriber missed events");
    }

    /// Called when the subscriber ends because the sink panicked too often, with the text of the last panic.
    fn ended(&mut self, _panic: &str) {}
}

/// One subscriber. The routing table bounds its queue; deliveries are made in order, one at a time.
pub(crate) struct Subscriber {
    name: Arc<str>,
    sink: Box<dyn Sink>,
    queue: VecDeque<Delivery>,
    /// The delivery in progress.
    delivering: Option<Delivery>,
    metrics: Arc<Metrics>,
    dead_letters: Arc<DeadLetters>,
}

impl Subscriber {
    /// Returns a subscriber that delivers its events to `sink`.
    #[must_use]
    pub(crate) fn new(
        name: Arc<str>,
        sink: Box<dyn Sink>,
        metrics: Arc<Metrics>,
        dead_letters: Arc<DeadLetters>,
    ) -> Self {
        Self { name, sink, queue: VecDeque::new(), delivering: None, metrics, dead_letters }
    }

    fn deliver_next(&mut self, ctx: &mut Context<Self>) {
        if self.delivering.is_some() {
            return;
        }
        let Some(delivery) = self.queue.pop_front() else { return };
        let (event, missed) = (Arc::clone(&delivery.event), delivery.missed);
        self.delivering = Some(delivery);
        if missed > 0 {
            self.sink.missed(missed);
        }
        let done = self.sink.deliver(event);
        ctx.spawn(done.into_actor(self).map(move |outcome, subscriber, ctx| {
            subscriber.delivering = None;
            match outcome {
                Ok(()) => subscriber.deliver_next(ctx),
                Err(SinkError::Refused(reason)) => {
                    subscriber.metrics.deliveries_failed.inc();
                    tracing::warn!(reason, "a sink refused an event");
                    subscriber.deliver_next(ctx);
                }
                Err(SinkError::Closed(reason)) => {
                    tracing::info!(reason, "a subscriber's sink closed");
                    ctx.stop();
                }
            }
        }));
    }
}

impl Actor for Subscriber {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        self.deliver_next(ctx);
    }
}

impl Supervised for Subscriber {
    /// The event on which the sink panicked goes to the dead letters, and the queue continues.
    fn restarting(&mut self, _: &mut Self::Context) {
        let panic = failure();
        let panic_text = panic.as_ref().map(|failure| failure.panic.clone()).unwrap_or_default();
        if let Some(Delivery { event, .. }) = self.delivering.take() {
            let unhandled = Unhandled {
                connection: &event.origin.connection,
                conversation: event.conversation.as_ref(),
                kind: DeadLetterKind::Delivery,
                reason: panic_text.clone(),
                body: &serde_json::to_vec(&*event).unwrap_or_default(),
            };
            self.dead_letters.put_delivery(Arc::clone(&self.name), unhandled);
        }
        if panic.is_some_and(|failure| failure.is_last) {
            self.sink.ended(&panic_text);
        }
    }
}

impl Handler<Delivery> for Subscriber {
    type Result = ();

    fn handle(&mut self, delivery: Delivery, ctx: &mut Self::Context) {
        self.queue.push_back(delivery);
        self.deliver_next(ctx);
    }
}
