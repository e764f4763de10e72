//! The subscriber actor: one queue, one sink, one delivery at a time.

use std::{collections::VecDeque, sync::Arc};

use actix::{Actor, ActorContext, AsyncContext, Context, Handler, Supervised, WrapFuture, fut::ActorFutureExt};
use futures_util::future::LocalBoxFuture;

use super::{Delivery, Event};
use crate::metrics::Metrics;

/// Why a sink did not take an event.
#[derive(Debug, thiserror::Error)]
pub enum SinkError {
    /// This event cannot be taken; the next one may.
    #[error("the event was refused: {0}")]
    Refused(String),
    /// The sink takes nothing any more.
    #[error("the sink is closed: {0}")]
    Closed(String),
}

/// Where a subscriber's events end up.
pub trait Sink: Send + 'static {
    /// Takes one event. The next comes when this one is done.
    ///
    /// # Errors
    /// [`SinkError::Refused`] skips the event, [`SinkError::Closed`] ends the subscriber.
    fn deliver(&mut self, event: Arc<Event>) -> LocalBoxFuture<'static, Result<(), SinkError>>;

    /// Hears that events were dropped before the next one, because the queue was full.
    fn missed(&mut self, events: u64) {
        tracing::warn!(events, "a subscriber missed events");
    }
}

/// One subscriber. Its queue is bounded by the routing table; deliveries are made in order, one at a time.
pub struct Subscriber {
    sink: Box<dyn Sink>,
    queue: VecDeque<Delivery>,
    delivering: bool,
    metrics: Arc<Metrics>,
}

impl Subscriber {
    /// A subscriber that hands its events to `sink`.
    #[must_use]
    pub fn new(sink: Box<dyn Sink>, metrics: Arc<Metrics>) -> Self {
        Self { sink, queue: VecDeque::new(), delivering: false, metrics }
    }

    fn deliver_next(&mut self, ctx: &mut Context<Self>) {
        if self.delivering {
            return;
        }
        let Some(delivery) = self.queue.pop_front() else { return };
        self.delivering = true;
        if delivery.missed > 0 {
            self.sink.missed(delivery.missed);
        }
        let done = self.sink.deliver(Arc::clone(&delivery.event));
        ctx.spawn(done.into_actor(self).map(move |outcome, subscriber, ctx| {
            drop(delivery);
            subscriber.delivering = false;
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
    fn restarting(&mut self, _: &mut Self::Context) {
        self.delivering = false;
    }
}

impl Handler<Delivery> for Subscriber {
    type Result = ();

    fn handle(&mut self, delivery: Delivery, ctx: &mut Self::Context) {
        self.queue.push_back(delivery);
        self.deliver_next(ctx);
    }
}
