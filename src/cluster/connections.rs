//! The connections of all nodes, as bulk jobs act through them.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use actix_web::http::StatusCode;
use bytes::Bytes;
use futures_util::{FutureExt as _, future::BoxFuture};
use serde::{Serialize, de::DeserializeOwned};
use tertulia_actors::{
    Tertulia,
    conversation::ConversationError,
    core::{
        id::{ConnectionId, NodeId},
        placement::DutyName,
    },
};
use tokio::time::{Instant, timeout};

use super::{ClusterView, Holder, Members, peer_calls::PeerCalls, peers::PeerError, trust::NodeTrust};
use crate::bulk::{ConnectionState, Connections, DurableCommand, Outcome, PATIENCE, Typing};

/// The row for the state of a connection. Its body is the connection's id.
pub(crate) const STATE: &str = "/internal/v1/connection-state";
/// The row for a command. Its body is the command.
pub(crate) const COMMANDS: &str = "/internal/v1/commands";
/// The row that shows this side as typing. Its body is the conversation.
pub(crate) const TYPING: &str = "/internal/v1/typing";

/// How long another node may take to report the state of a connection.
const STATE_WITHIN: Duration = Duration::from_secs(2);
/// How long another node may take to show this side as typing. Later it would be wrong.
const TYPING_WITHIN: Duration = Duration::from_secs(2);
/// How long a state that another node reported is used.
const STATE_FOR: Duration = Duration::from_millis(500);
/// How often a connection that moves is looked for.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// How much longer than the command itself its answer may take.
const MARGIN: Duration = Duration::from_secs(5);

/// The connections of all nodes.
pub(crate) struct ClusterConnections {
    here: Arc<Tertulia>,
    members: Arc<Members>,
    calls: PeerCalls,
    /// The last states that other nodes reported. A connection that exists no more is removed.
    states: Mutex<HashMap<ConnectionId, (Instant, ConnectionState)>>,
}

/// What another node answered.
enum Asked<T> {
    Answered(T),
    /// The node did nothing, and another node may be asked.
    NotThere,
    /// The node may have acted.
    Unknown,
}

impl ClusterConnections {
    /// The connections of all nodes. Must be called inside an actix system.
    pub(crate) fn new(here: Arc<Tertulia>, members: Arc<Members>, trust: NodeTrust) -> Arc<Self> {
        Arc::new(Self { here, members, calls: PeerCalls::start(trust), states: Mutex::default() })
    }

    fn view(&self) -> Arc<ClusterView> {
        Arc::clone(&self.members.view().borrow())
    }

    fn states(&self) -> MutexGuard<'_, HashMap<ConnectionId, (Instant, ConnectionState)>> {
        self.states.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn ask<T: DeserializeOwned>(
        &self,
        node: &NodeId,
        path: &'static str,
        body: &impl Serialize,
        within: Duration,
    ) -> Asked<T> {
        let address = self.view().nodes.get(node).map(|peer| peer.about.address.clone());
        // Both kinds of bodies can always be serialized.
        let (Some(address), Ok(body)) = (address, serde_json::to_vec(body)) else { return Asked::NotThere };
        match self.calls.post(address, path, Bytes::from(body), within).await {
            Ok((StatusCode::OK, answer)) => match serde_json::from_slice(&answer) {
                Ok(answer) => Asked::Answered(answer),
                Err(error) => {
                    tracing::warn!(%node, path, %error, "the answer of a node cannot be read; its version may be newer");
                    Asked::Unknown
                }
            },
            Ok((StatusCode::MISDIRECTED_REQUEST, _)) => Asked::NotThere,
            Ok((status, _)) => {
                tracing::warn!(%node, path, %status, "a node refused a request");
                Asked::NotThere
            }
            Err(PeerError::NotSent(error)) => {
                tracing::debug!(%node, path, error, "a node could not be reached");
                Asked::NotThere
            }
            Err(PeerError::NoAnswer(error)) => {
                tracing::info!(%node, path, error, "a node did not answer");
                Asked::Unknown
            }
        }
    }

    async fn find_state(&self, connection: &ConnectionId) -> Option<ConnectionState> {
        let state = match self.view().holder(&DutyName::Connection(connection.clone())) {
            Holder::Unknown => {
                self.states().remove(connection);
                return None;
            }
            Holder::Me => ConnectionState::here(&self.here, connection),
            Holder::Nobody => None,
            Holder::Other(node) => {
                let known = self.states().get(connection).cloned();
                if let Some((_, state)) = known.filter(|(since, _)| since.elapsed() < STATE_FOR) {
                    return Some(state);
                }
                match self.ask::<ConnectionState>(&node, STATE, connection, STATE_WITHIN).await {
                    Asked::Answered(state) => {
                        self.states().insert(connection.clone(), (Instant::now(), state.clone()));
                        Some(state)
                    }
                    Asked::NotThere | Asked::Unknown => None,
                }
            }
        };
        Some(state.unwrap_or_else(ConnectionState::away))
    }

    /// Runs a command at the node that runs the connection. If the connection moves, or an answer is lost, the next holder
    /// is asked with the same key.
    async fn perform_there(&self, command: &DurableCommand) -> Outcome {
        let (duty, deadline) = (DutyName::Connection(command.connection.clone()), Instant::now() + PATIENCE);
        let (mut view, mut may_have_acted) = (self.members.view(), false);
        loop {
            let holder = view.borrow_and_update().holder(&duty);
            match &holder {
                Holder::Me => {
                    if let Some(outcome) = command.perform_here(&self.here).await {
                        return outcome;
                    }
                }
                Holder::Other(node) => {
                    let asking = self.ask::<Outcome>(node, COMMANDS, command, PATIENCE + MARGIN);
                    // A node that died may never close its connections, so the answer is not waited for when another node
                    // has the duty.
                    let mut later = self.members.view();
                    let asked = tokio::select! {
                        asked = asking => asked,
                        _ = later.wait_for(|view| view.holder(&duty) != holder) => Asked::Unknown,
                    };
                    match asked {
                        Asked::Answered(outcome) => return outcome,
                        Asked::NotThere => {}
                        Asked::Unknown => may_have_acted = true,
                    }
                }
                Holder::Nobody | Holder::Unknown => {}
            }
            if holder == Holder::Unknown || Instant::now() >= deadline {
                let key = command.key.clone();
                let unknown = ConversationError::OutcomeUnknown { key };
                return Err(if may_have_acted { unknown } else { ConversationError::NotConnected });
            }
            let _ = timeout(LOOK_EVERY, view.changed()).await;
        }
    }
}

impl Connections for ClusterConnections {
    fn all(&self) -> Vec<ConnectionId> {
        let view = self.view();
        let connection = |duty: &DutyName| match duty {
            DutyName::Connection(id) => Some(id.clone()),
            _ => None,
        };
        view.placement.duties.keys().filter_map(connection).collect()
    }

    fn state<'a>(&'a self, connection: &'a ConnectionId) -> BoxFuture<'a, Option<ConnectionState>> {
        self.find_state(connection).boxed()
    }

    fn perform<'a>(&'a self, command: &'a DurableCommand) -> BoxFuture<'a, Outcome> {
        self.perform_there(command).boxed()
    }

    fn show_typing(&self, typing: &Typing) {
        let view = self.view();
        match view.holder(&DutyName::Connection(typing.connection.clone())) {
            Holder::Me => drop(typing.show_here(&self.here)),
            Holder::Other(node) => {
                // It can always be serialized.
                if let (Some(peer), Ok(body)) = (view.nodes.get(&node), serde_json::to_vec(typing)) {
                    self.calls.tell(peer.about.address.clone(), TYPING, Bytes::from(body), TYPING_WITHIN);
                }
            }
            Holder::Nobody | Holder::Unknown => {}
        }
    }
}
