//! The routing table: finds the subscribers of an event.

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicU64, Ordering},
};

use actix::Recipient;
use arc_swap::{ArcSwap, Guard};

use super::{
    Delivery, Filter,
    route::{Route, Routes, Target},
};
use crate::supervision::{Depth, Placement};

/// All subscribers of a process.
#[derive(Default)]
pub(crate) struct RoutingTable {
    next_route: AtomicU64,
    routes: ArcSwap<Routes>,
    /// Serializes changes of `routes`; readers never lock it.
    changing: Mutex<()>,
}

/// A subscription in the table; dropping it ends the subscription.
pub struct Subscription {
    table: Arc<RoutingTable>,
    number: u64,
    /// Where its subscriber runs, counted so that the next subscriber runs elsewhere.
    placement: Option<Placement>,
}

impl Subscription {
    /// Holds the placement of its subscriber until it is dropped.
    pub(crate) fn placed(mut self, placement: Placement) -> Self {
        self.placement = Some(placement);
        self
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.table.change(|routes| routes.remove(self.number));
    }
}

impl RoutingTable {
    /// Sends the matching events to an actor, with at most `capacity` in its queue.
    pub(crate) fn attach(
        self: &Arc<Self>,
        filter: Filter,
        recipient: Recipient<Delivery>,
        capacity: usize,
    ) -> Subscription {
        self.add(filter, Target::Actor { recipient, queue: Depth::new(capacity.max(1)) })
    }

    /// Returns the present routes.
    pub(crate) fn routes(&self) -> Guard<Arc<Routes>> {
        self.routes.load()
    }

    /// Adds a subscriber.
    pub(super) fn add(self: &Arc<Self>, filter: Filter, target: Target) -> Subscription {
        let number = self.next_route.fetch_add(1, Ordering::Relaxed);
        let route = Arc::new(Route::new(number, filter, target));
        self.change(|routes| routes.add(&route));
        Subscription { table: Arc::clone(self), number, placement: None }
    }

    fn change(&self, change: impl FnOnce(&mut Routes)) {
        let _changing = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut routes = Routes::clone(&self.routes.load());
        change(&mut routes);
        self.routes.store(Arc::new(routes));
    }
}
