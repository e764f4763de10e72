//! What a connection sees, over all its sockets, as a pure state machine: what happened goes in, what to send comes out.
//!
//! [`Subscriptions`] knows the subscriptions of the present socket and whose conversations each has, fetches snapshots
//! page by page, finds out on each new socket what became of conversations that are missing in it, asks for single
//! states, and says who left and when they may be let go of. The connection's actor carries out each [`Output`] in
//! order, tells every answer, notification, loss and sweep, and owns the conversations themselves.

mod departures;
mod entry;
mod leaving;
mod machine;
mod membership;
mod output;
mod page;
mod parking;
mod plan;
mod refreshing;
mod strangers;

#[cfg(test)]
mod tests;

pub use entry::{SubscriptionKey, WishNumber};
pub use machine::{Subscriptions, WISHES};
pub use membership::{Presence, Told};
pub use output::{Failure, Output, Outputs, Part};
pub use parking::Parked;
