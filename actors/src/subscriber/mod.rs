//! Subscribers: their filters, the routing of events to them, and the handling of slow subscribers.

mod actor;
mod event;
mod filter;
mod kind;
mod notifications;
mod route;
mod routing;
mod stream;
#[cfg(test)]
mod tests;
mod turn;

pub(crate) use actor::Subscriber;
pub use actor::{Sink, SinkError};
pub use event::{Event, EventData, EventId, Offer, Origin};
pub use filter::Filter;
pub use kind::EventKind;
pub(crate) use notifications::NotificationTable;
pub use notifications::{NotificationFilter, NotificationStream, RawNotification};
pub(crate) use route::Delivery;
pub(crate) use routing::RoutingTable;
pub use routing::Subscription;
pub use stream::{EventStream, LaggedError};
pub(crate) use turn::Offering;
