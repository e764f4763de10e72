//! Who waits for the response to a request.

use tertulia_core::subscription::SubscriptionKey;

use crate::request::{Answer, Reply};

/// Who waits for a response.
pub(super) enum Waiter<P> {
    /// A caller outside the connection, or one of its own futures.
    Caller(Reply<Answer>),
    /// A conversation's command.
    Command(Reply<Answer>),
    /// The connection itself, which must act before it handles the next frame.
    Own(P),
}

/// Requests whose responses the connection itself needs before it handles the next frame.
pub(super) enum OwnRequest {
    KeepAlive,
    Verify,
    Subscribe(SubscriptionKey),
    SubscribeRings,
}
