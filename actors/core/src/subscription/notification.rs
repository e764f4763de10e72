//! Notifications, as far as subscriptions look at them.

use super::SubscriptionKey;
use crate::id::SubscriptionId;

/// The subscription to which a notification belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Addressee {
    /// A subscription of this socket.
    Subscription(SubscriptionKey),
    /// An unknown subscription: it has ended, or its response has not arrived yet.
    Stranger,
    /// The notification names no subscription.
    Everybody,
}

/// A notification of an unknown subscription.
#[derive(Debug)]
pub struct Parked<N> {
    /// The subscription's id.
    pub subscription_id: SubscriptionId,
    /// The notification.
    pub notification: N,
}
