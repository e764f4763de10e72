//! Offers the events of one turn of a thread together.
//!
//! An event that wakes a subscriber on another thread costs a system call. Conversations on one thread run one after
//! another, so their events are offered when all that were ready have run, and wake a subscriber once.

use std::{cell::RefCell, sync::Arc};

use actix::Arbiter;
use prometheus_client::metrics::counter::Counter;

use super::{Event, route::Route};

/// The most events that wait for the end of the turn.
const TOGETHER: usize = 256;

thread_local! {
    static TURN: RefCell<Turn> = RefCell::default();
}

/// An event on its way to a subscriber.
pub(crate) struct Offering {
    route: Arc<Route>,
    event: Arc<Event>,
    /// Counts the event if the subscriber misses it.
    missed: Counter,
}

/// What waits for the end of this thread's turn.
#[derive(Default)]
struct Turn {
    offerings: Vec<Offering>,
    is_end_scheduled: bool,
}

impl Drop for Turn {
    /// The thread ends.
    fn drop(&mut self) {
        self.offerings.drain(..).for_each(Offering::make);
    }
}

impl Offering {
    pub(crate) fn new(route: &Arc<Route>, event: &Arc<Event>, missed: &Counter) -> Self {
        Self { route: Arc::clone(route), event: Arc::clone(event), missed: missed.clone() }
    }

    /// Offers the event now. Events that wait for the end of the turn are offered before it.
    pub(crate) fn make_now(self) {
        end_turn();
        self.make();
    }

    /// Offers the event at the end of the turn, in order with the others. Outside of an arbiter it is offered now.
    pub(crate) fn make_soon(self) {
        let mut offering = Some(self);
        let is_full = TURN.try_with(|turn| {
            let mut turn = turn.borrow_mut();
            turn.is_end_scheduled =
                turn.is_end_scheduled || Arbiter::try_current().is_some_and(|arbiter| arbiter.spawn_fn(end_turn));
            if turn.is_end_scheduled {
                turn.offerings.extend(offering.take());
            }
            turn.offerings.len() >= TOGETHER
        });
        if is_full == Ok(true) {
            end_turn();
        }
        if let Some(offering) = offering {
            offering.make();
        }
    }

    fn make(self) {
        let Self { route, event, missed } = self;
        if !route.offer(&event) {
            missed.inc();
        }
    }
}

/// Offers everything that waits.
fn end_turn() {
    let waiting = TURN.try_with(|turn| {
        let mut turn = turn.borrow_mut();
        turn.is_end_scheduled = false;
        std::mem::take(&mut turn.offerings)
    });
    // A thread that ends has offered everything.
    waiting.unwrap_or_default().into_iter().for_each(Offering::make);
}
