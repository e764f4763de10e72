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

pub use actor::{Sink, SinkError, Subscriber};
pub use event::{Event, EventData, EventId, Offer, Origin};
pub use filter::Filter;
pub use kind::EventKind;
pub use notifications::{NotificationFilter, NotificationStream, NotificationTable, RawNotification};
pub use route::Delivery;
pub use routing::{Happening, RoutingTable, Subject, Subscription};
pub use stream::{EventStream, Lagged};
