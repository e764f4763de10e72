//! Which connections have a conversation or a ring: all nodes are asked at the same time.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use actix_web::{
    HttpResponse,
    http::{Method, StatusCode},
    web::{Bytes, Path},
};
use futures_util::{StreamExt as _, future::join_all, stream};
use serde::{Deserialize, Serialize};
use tertulia_actors::{
    connection::{ConnectionStatus, Role},
    conversation::Outline,
    core::{
        id::{AgentId, ConnectionId, ConversationId, NodeId, RingId, UserId},
        session::Phase,
    },
};
use tokio::time::timeout;

use super::{Neighbours, outgoing::Outgoing};
use crate::{
    cluster::peers::{PeerRequest, read},
    gateway::{
        access::Holder,
        state::{Caller, State},
    },
};

/// How long another node may take to answer.
const WITHIN: Duration = Duration::from_secs(2);
/// Connections that are asked for their rings at the same time.
const PARALLEL: usize = 64;

/// What is looked for, in the path at the other nodes.
#[derive(Clone, Copy, Debug)]
pub(super) enum Sought {
    Conversation,
    Ring,
}

/// What a node knows of a conversation or a ring.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Known {
    /// The connections of the node that have it, and that the caller reaches, and whether each takes part in it. A connection
    /// takes part in its rings.
    connections: BTreeMap<ConnectionId, bool>,
    /// Whether other connections of the node are still restoring their conversations.
    is_beginning: bool,
}

/// What all nodes know of a conversation or a ring.
pub(super) struct Found {
    /// The connections that have it, and whether each takes part in it.
    pub(super) connections: BTreeMap<ConnectionId, bool>,
    /// Whether connections are still restoring their conversations.
    pub(super) is_beginning: bool,
    /// A node that did not answer.
    pub(super) silent: Option<NodeId>,
}

impl Known {
    /// Whether a connection that takes part is here.
    pub(super) fn takes_part(&self) -> bool {
        self.connections.values().any(|takes_part| *takes_part)
    }

    /// Whether a connection is here and has the conversation.
    pub(super) fn has(&self, connection: &ConnectionId) -> bool {
        self.connections.contains_key(connection)
    }
}

impl Found {
    /// The connection to read through: one that takes part if there is one, because an agent that does not may read less.
    pub(super) fn reader(&self) -> Option<&ConnectionId> {
        let first = self.connections.iter().find(|(_, takes_part)| **takes_part);
        first.or_else(|| self.connections.iter().next()).map(|(connection, _)| connection)
    }
}

/// Answers another node that looks for a conversation.
pub(in crate::gateway) async fn answer(caller: Caller, id: Path<ConversationId>) -> HttpResponse {
    HttpResponse::Ok().json(here(caller.state(), Some(caller.holder()), &id))
}

/// Answers another node that looks for a ring.
pub(in crate::gateway) async fn answer_ring(caller: Caller, id: Path<RingId>) -> HttpResponse {
    HttpResponse::Ok().json(ring_here(caller.state(), Some(caller.holder()), &id).await)
}

/// What this node knows of a ring.
pub(super) async fn ring_here(state: &State, holder: Option<&Arc<Holder>>, id: &RingId) -> Known {
    let tertulia = state.everything();
    let reached = tertulia.connections().into_iter();
    let reached = reached.filter(|connection| holder.is_none_or(|holder| holder.reach.sees(connection.as_str())));
    let asked = reached.map(|connection| {
        let handle = tertulia.connection(&connection);
        async move {
            let is_beginning = handle.status().is_some_and(|status| status.state == Phase::Idle);
            let has_it = handle.rings().await.iter().any(|offer| offer.ring_id == *id);
            (has_it.then_some(connection), is_beginning)
        }
    });
    let mut answers = stream::iter(asked).buffer_unordered(PARALLEL);
    let mut known = Known::default();
    while let Some((connection, is_beginning)) = answers.next().await {
        known.connections.extend(connection.map(|connection| (connection, true)));
        known.is_beginning |= is_beginning;
    }
    known
}

/// What this node knows of a conversation.
pub(super) fn here(state: &State, holder: Option<&Arc<Holder>>, id: &ConversationId) -> Known {
    let tertulia = state.everything();
    let mut known = Known::default();
    for connection in tertulia.connections() {
        if holder.is_some_and(|holder| !holder.reach.sees(connection.as_str())) {
            continue;
        }
        let handle = tertulia.connection(&connection);
        let Some(status) = handle.status() else { continue };
        known.is_beginning |= status.state == Phase::Idle;
        if let Some(conversation) = handle.conversation(id) {
            let takes_part = takes_part(handle.role(), &status, &conversation.outline());
            known.connections.insert(connection, takes_part);
        }
    }
    known
}

/// Whether a connection takes part in a conversation that it sees: as the assigned agent, or for the consumer.
fn takes_part(role: Option<Role>, status: &ConnectionStatus, outline: &Outline) -> bool {
    if !matches!(role, Some(Role::Agent | Role::RestAgent)) {
        return true;
    }
    let own = [status.user_id.as_ref().map(UserId::as_str), status.agent_id.as_ref().map(AgentId::as_str)];
    outline.agent().is_some_and(|agent| own.into_iter().flatten().any(|own| agent.is(own)))
}

/// Finds the connections that have what is sought. `segment` is its id as it is in the path.
pub(super) async fn everywhere(
    known: Known,
    neighbours: &Neighbours,
    outgoing: &Outgoing,
    sought: Sought,
    segment: &str,
) -> Found {
    let (view, within) = (neighbours.view(), WITHIN.min(outgoing.left()));
    let path = match sought {
        Sought::Conversation => format!("/internal/v1/find/{segment}"),
        Sought::Ring => format!("/internal/v1/find-ring/{segment}"),
    };
    let answers = join_all(view.peers().map(async |peer| {
        let request = PeerRequest {
            method: Method::GET,
            address: &peer.about.address,
            path: &path,
            headers: outgoing.headers(within),
            within,
        };
        let asking = async {
            let answer = request.send(&neighbours.trust, Bytes::new()).await.ok()?;
            if answer.status() != StatusCode::OK {
                return None;
            }
            serde_json::from_slice::<Known>(&read(answer).await.ok()?).ok()
        };
        (peer.name.clone(), timeout(within, asking).await.ok().flatten())
    }))
    .await;
    let mut found = Found { connections: known.connections, is_beginning: known.is_beginning, silent: None };
    for (node, known) in answers {
        match known {
            Some(known) => {
                found.connections.extend(known.connections);
                found.is_beginning |= known.is_beginning;
            }
            None => found.silent = Some(node),
        }
    }
    found
}
