//! The metrics of a process. Each field name, with the prefix `tertulia_`, is a name at `/metrics`.

mod connection;
mod latency;

use std::sync::Arc;

use prometheus_client::{
    metrics::{counter::Counter, family::Family, gauge::Gauge},
    registry::Registry,
};
use tertulia_core::id::ConnectionId;

use crate::supervision::SupervisionSettings;

use connection::ByConnection;
pub use connection::ConnectionMetrics;
pub use latency::Latency;

/// A kind of actor, as a label.
pub(crate) type Kind = [(&'static str, &'static str); 1];

/// The kind of a command, and whether it is `done` or `failed`, as labels.
pub(crate) type CommandLabels = [(&'static str, &'static str); 2];

/// A member of a conversation's state, as a label.
pub(crate) type Absent = [(&'static str, &'static str); 1];

macro_rules! metrics {
    ($($(#[doc = $help:literal])+ $name:ident: $kind:ty,)+) => {
        /// The counters, gauges and histograms of a process.
        #[derive(Debug, Default)]
        pub struct Metrics {
            $($(#[doc = $help])+ pub $name: $kind,)+
            pub(crate) by_connection: ByConnection,
        }

        impl Metrics {
            /// Registers every metric in `registry`.
            pub fn register(&self, registry: &mut Registry) {
                // The registry appends a full stop.
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
    /// Conversations that are only in the store; they are loaded when something concerns them.
    conversations_asleep: Gauge,
    /// Frames that arrived.
    frames: Counter,
    /// Frames that were not JSON of the protocol's shape.
    frames_malformed: Counter,
    /// Frames above the size limit.
    frames_oversize: Counter,
    /// Message notifications of unknown conversations; their state is requested if there is room.
    messages_of_strangers: Counter,
    /// Notifications of a type this version does not know.
    notifications_unlisted: Counter,
    /// State notifications that were applied.
    state_notifications_processed: Counter,
    /// State notifications that repeated the known state.
    state_notifications_ignored: Counter,
    /// State notifications older than the known state.
    state_notifications_out_of_order: Counter,
    /// State notifications that could not be read.
    state_notifications_malformed: Counter,
    /// Members of states that were ignored because their values had the wrong type.
    state_members_dropped: Counter,
    /// Members unset because a newer state lacks them, by their name in the protocol.
    members_unset_by_absence: Family<Absent, Counter>,
    /// Update times that were disregarded because they lay more than a year ahead of the next state's.
    state_times_disbelieved: Counter,
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
    /// Requests without a response in time.
    requests_timed_out: Counter,
    /// Responses that arrived after their request had timed out.
    responses_late: Counter,
    /// Messages that were fetched because they had been missed.
    messages_back_filled: Counter,
    /// Records that differ from the accepted record of the same sequence.
    records_contradicting: Counter,
    /// Messages given up as missing.
    message_gaps: Counter,
    /// Snapshots that may lack conversations, because more changed in one millisecond than the platform names at once.
    snapshots_cut: Counter,
    /// Commands that succeeded.
    commands_done: Counter,
    /// Commands that failed.
    commands_failed: Counter,
    /// Commands, by kind and outcome.
    commands: Family<CommandLabels, Counter>,
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
    /// Conversations restarted after a panic.
    conversation_restarts: Counter,
    /// Connections restarted after a panic.
    connection_restarts: Counter,
    /// Connections restarted on another arbiter because theirs had ended.
    connections_moved: Counter,
    /// Subscribers restarted after a panic of their sink.
    subscriber_restarts: Counter,
    /// Subscribers that ended because their sink panicked too often.
    subscribers_given_up: Counter,
    /// Restarts of the fleet's own actor after a panic.
    fleet_restarts: Counter,
    /// Conversations quarantined after too many panics.
    conversations_quarantined: Counter,
    /// Conversations in quarantine now.
    conversations_in_quarantine: Gauge,
    /// Notifications dropped because their conversation was in quarantine.
    notifications_quarantined: Counter,
    /// Restarts of a connection because many of its conversations failed together.
    escalations: Counter,
    /// Connections that failed because their conversations kept failing together.
    escalations_given_up: Counter,
    /// Notifications, commands and deliveries that could not be handled and went to the dead letters.
    dead_letters: Counter,
    /// Dead letters kept now.
    dead_letters_held: Gauge,
    /// Arbiters replaced because they had ended.
    arbiters_replaced: Counter,
    /// Arbiters that are blocked now.
    arbiters_frozen: Gauge,
    /// Supervision policy: restarts allowed within the window, by kind of actor.
    restarts_allowed: Family<Kind, Gauge>,
    /// Supervision policy: length of the window in seconds, by kind of actor.
    restart_window_seconds: Family<Kind, Gauge>,
    /// Webhooks refused because their signature was missing or wrong.
    webhooks_refused: Counter,
    /// Chat states dropped because a newer or equal chat state had arrived before.
    chat_states_overtaken: Counter,
    /// Offers accepted.
    rings_accepted: Counter,
    /// Time from a command to its outcome.
    command_duration_seconds: Latency,
    /// Processing time from a frame to its events.
    frame_to_event_seconds: Latency,
}

impl Metrics {
    /// Returns the metrics of a connection; creates them on the first call. They are not registered, because the caller
    /// decides how many connections have labels of their own.
    #[must_use]
    pub fn connection(&self, connection: &ConnectionId) -> Arc<ConnectionMetrics> {
        self.by_connection.of(connection)
    }

    /// Exports the supervision policies as gauges.
    pub(crate) fn show(&self, settings: &SupervisionSettings) {
        let SupervisionSettings { conversation, connection, subscriber, fleet, systemic, .. } = settings;
        let policies = [
            ("conversation", conversation.max_restarts, conversation.within),
            ("connection", connection.max_restarts, connection.within),
            ("subscriber", subscriber.max_restarts, subscriber.within),
            ("fleet", fleet.max_restarts, fleet.within),
            ("systemic", systemic.failures, systemic.within),
            ("escalation", systemic.max_resets, systemic.resets_within),
        ];
        for (kind, restarts, within) in policies {
            let seconds = i64::try_from(within.as_secs()).unwrap_or(i64::MAX);
            self.restarts_allowed.get_or_create(&[("kind", kind)]).set(restarts.into());
            self.restart_window_seconds.get_or_create(&[("kind", kind)]).set(seconds);
        }
    }

    /// Counts a restart in `kind` and in the total.
    pub(crate) fn restarted(&self, kind: &Counter) {
        kind.inc();
        self.actor_restarts.inc();
    }
}
