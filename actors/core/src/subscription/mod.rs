//! The subscriptions of a connection over all its sockets, as a pure state machine: inputs go in, requests to send come
//! out.
//!
//! [`Subscriptions`] tracks the subscriptions of the present socket and their conversations, fetches snapshots page by
//! page, finds the state of known conversations that are missing on a new socket, requests single states, and reports
//! which conversations left and when they may be dropped. The connection's actor executes each [`Output`] in order,
//! passes in every response, notification, loss and sweep, and owns the conversations themselves.

mod departures;
mod entry;
mod leaving;
mod machine;
mod membership;
mod notification;
mod output;
mod page;
mod parking;
mod plan;
mod refreshing;
mod resuming;
mod strangers;

#[cfg(test)]
mod tests;

pub use entry::{CallerNumber, SubscriptionKey};
pub use machine::{CALLERS, Subscriptions};
pub use membership::Presence;
pub use notification::{Addressee, Parked};
pub use output::{Output, Outputs, Part, SubscriptionFailure};
