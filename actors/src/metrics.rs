//! What is counted. One name here is one name at `/metrics`, with `tertulia_` before it.

use prometheus_client::{
    metrics::{counter::Counter, gauge::Gauge},
    registry::Registry,
};

macro_rules! metrics {
    ($($(#[doc = $help:literal])+ $name:ident: $kind:ty,)+) => {
        /// The counters and gauges of a process.
        #[derive(Debug, Default)]
        pub struct Metrics {
            $($(#[doc = $help])+ pub $name: $kind,)+
        }

        impl Metrics {
            /// Lists everything in `registry`.
            pub fn register(&self, registry: &mut Registry) {
                // The registry puts the full stop.
                $(registry.register(
                    stringify!($name),
                    concat!($($help),+).trim().trim_end_matches('.'),
                    self.$name.clone(),
                );)+
            }
        }
    };
}

metrics! {
    /// Connections that are ready.
    connections_ready: Gauge,
    /// Conversations held in memory.
    conversations: Gauge,
    /// Frames that arrived.
    frames: Counter,
    /// Frames that were not JSON of the protocol's shape.
    frames_malformed: Counter,
    /// Frames above the size limit.
    frames_oversize: Counter,
    /// Notifications of a type this version does not know.
    notifications_unlisted: Counter,
    /// State notifications that were applied.
    state_notifications_processed: Counter,
    /// State notifications that repeated what was held.
    state_notifications_ignored: Counter,
    /// State notifications older than what was held.
    state_notifications_out_of_order: Counter,
    /// State notifications that could not be read.
    state_notifications_malformed: Counter,
    /// Events emitted.
    events: Counter,
    /// Events dropped for a subscriber whose queue was full.
    events_missed: Counter,
    /// Events a sink refused.
    deliveries_failed: Counter,
    /// Requests sent.
    requests: Counter,
    /// Requests the platform refused.
    requests_refused: Counter,
    /// Requests that got no answer in time.
    requests_timed_out: Counter,
    /// Answers that came after their request was given up.
    responses_late: Counter,
    /// Messages that were fetched because they had been missed.
    messages_back_filled: Counter,
    /// Messages that had to be given up as missing.
    message_gaps: Counter,
    /// Commands carried out.
    commands_done: Counter,
    /// Commands that failed.
    commands_failed: Counter,
    /// Sends found in the history after a lost answer, and so not repeated.
    commands_found_done: Counter,
    /// Logins made.
    logins: Counter,
    /// Logins refused.
    logins_refused: Counter,
    /// Sockets opened.
    sockets_opened: Counter,
    /// Sockets that could not be opened.
    sockets_refused: Counter,
    /// Connections that became ready again after a loss.
    reconnects: Counter,
    /// Actors restarted after a panic.
    actor_restarts: Counter,
    /// Conversations quarantined after too many panics.
    conversations_quarantined: Counter,
    /// Webhooks refused because their signature was missing or wrong.
    webhooks_refused: Counter,
    /// Chat states dropped because a newer one had come, or the same before.
    chat_states_overtaken: Counter,
    /// Offers accepted.
    rings_accepted: Counter,
}
