//! `/v1/connections`: the connections and their state.

mod asking;
mod changing;
mod definition;
mod platform;

use actix_web::{
    get,
    web::{Json, Path, Query},
};
use serde::Serialize;
use tertulia_actors::{
    connection::{ConnectionStatus, Role, Waiting},
    core::{
        id::{AccountId, AgentId, ConnectionId, UserId},
        readiness::Lacking,
        session::{FailureReason, Phase, WaitReason},
        ums::AgentState,
    },
};
use utoipa::ToSchema;
use utoipa_actix_web::service_config::ServiceConfig;

use super::{
    page::{self, Page},
    problem::Problem,
    state::Caller,
};
use crate::fleet::Described;

/// The state of a connection that no node runs at the moment, as in `/v1/connections`.
pub(super) const MOVING: &str = "moving";

pub(super) fn routes(config: &mut ServiceConfig<'_>) {
    config.service(list).service(one).configure(changing::routes).configure(asking::routes).configure(platform::routes);
}

/// A connection's state, and the reason if it has failed.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ConnectionLife)]
pub(super) struct Life {
    state: ConnectionState,
    /// Why the connection has failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    failure: Option<FailureReason>,
}

impl From<&Phase> for Life {
    fn from(phase: &Phase) -> Self {
        let state = match phase {
            Phase::Idle => ConnectionState::Idle,
            Phase::LoggingIn => ConnectionState::LoggingIn,
            Phase::WaitingToLogIn => ConnectionState::WaitingToLogIn,
            Phase::Connecting => ConnectionState::Connecting,
            Phase::Verifying => ConnectionState::Verifying,
            Phase::Resuming => ConnectionState::Resuming,
            Phase::Ready => ConnectionState::Ready,
            Phase::WaitingToReconnect => ConnectionState::WaitingToReconnect,
            Phase::Stopping => ConnectionState::Stopping,
            Phase::Stopped => ConnectionState::Stopped,
            Phase::Failed(reason) => return Self { state: ConnectionState::Failed, failure: Some(*reason) },
        };
        Self { state, failure: None }
    }
}

/// The phase of a connection's session.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum ConnectionState {
    Idle,
    LoggingIn,
    WaitingToLogIn,
    Connecting,
    Verifying,
    Resuming,
    Ready,
    WaitingToReconnect,
    Stopping,
    Stopped,
    Failed,
    /// No node runs the connection at the moment: it moves, or waits for a node that may run it.
    Moving,
}

/// What a connection waits for before its next attempt.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ConnectionWaiting)]
struct WaitingView {
    reason: WaitReason,
    /// When the next attempt begins.
    until: String,
}

impl From<Waiting> for WaitingView {
    fn from(Waiting { reason, until }: Waiting) -> Self {
        Self { reason, until: until.to_string() }
    }
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Connection)]
#[serde(rename_all = "camelCase")]
struct View {
    #[schema(value_type = String)]
    id: ConnectionId,
    #[schema(value_type = String)]
    account: AccountId,
    /// `brand`, `consumer`, `connector` or `intake`.
    #[schema(value_type = String)]
    role: Role,
    /// The login name with which the connection logs in; null for a login that has none, and for a connection that no
    /// node runs at the moment.
    username: Option<String>,
    /// The user id of the connection: the messages that it sends have this id as `originatorId`. Null while the id is
    /// unknown, for an agent whose login does not report the public id, and for a connector, which sends for many
    /// consumers.
    #[schema(value_type = Option<String>)]
    user_id: Option<UserId>,
    /// The agent id of the connection, in the form `account.user`.
    #[schema(value_type = Option<String>)]
    agent_id: Option<AgentId>,
    /// The agent's state that the platform confirmed on the current socket.
    #[schema(value_type = Option<String>)]
    agent_state: Option<AgentState>,
    #[serde(flatten)]
    life: Life,
    /// When the state began; null for a connection that no node runs at the moment.
    since: Option<String>,
    /// Failed attempts since the connection was last stable.
    attempts: u32,
    reconnects: u64,
    waiting: Option<WaitingView>,
    last_error: Option<String>,
    conversations: usize,
    /// Restarts of the connection's actor after a panic.
    restarts: u64,
    /// Restarts of all its conversations after a panic.
    conversation_restarts: u64,
    /// What the connection lacks on its socket: `subscriptions`, `rings` and `agentState`, each with the reason, and
    /// the number of conversations whose `histories` are incomplete. An absent member lacks nothing; if all are absent,
    /// the connection is fully ready.
    lacking: Lacking,
}

impl View {
    fn new(id: ConnectionId, status: ConnectionStatus) -> Self {
        Self {
            id,
            account: status.account,
            role: status.role,
            username: status.username,
            user_id: status.user_id,
            agent_id: status.agent_id,
            agent_state: status.agent_state,
            life: Life::from(&status.state),
            since: Some(status.since.to_string()),
            attempts: status.attempts,
            reconnects: status.reconnects,
            waiting: status.waiting.map(WaitingView::from),
            last_error: status.last_error,
            conversations: status.conversations,
            restarts: status.restarts,
            conversation_restarts: status.conversation_restarts,
            lacking: status.lacking,
        }
    }

    /// A connection that no node runs at the moment.
    fn moving(id: ConnectionId, described: &Described) -> Self {
        Self {
            id,
            account: described.account().clone(),
            role: described.role(),
            username: None,
            user_id: None,
            agent_id: None,
            agent_state: None,
            life: Life { state: ConnectionState::Moving, failure: None },
            since: None,
            attempts: 0,
            reconnects: 0,
            waiting: None,
            last_error: None,
            conversations: 0,
            restarts: 0,
            conversation_restarts: 0,
            lacking: Lacking::default(),
        }
    }
}

/// Lists the connections.
#[utoipa::path(operation_id = "listConnections", tag = "connections", params(page::PageQuery), responses((status = 200, description = "A page", body = Page<View>)))]
#[get("/connections")]
async fn list(caller: Caller, asked: Query<page::PageQuery>) -> Result<Json<Page<View>>, Problem> {
    let limit = page::limit(asked.limit)?;
    let is_after = |id: &ConnectionId| asked.cursor.as_deref().is_none_or(|cursor| id.as_str() > cursor);
    let unheld = caller.unheld().into_iter().map(|(id, described)| (id, Some(described)));
    let all = caller.connections().into_iter().map(|id| (id, None)).chain(unheld);
    let after = all.filter(|(id, _)| is_after(id)).collect();
    let (page, next_cursor) = page::cut(after, limit, |(id, _)| id.clone(), |(id, _)| id.to_string());
    let view = |(id, described): (ConnectionId, Option<Described>)| match described {
        Some(described) => Some(View::moving(id, &described)),
        None => caller.connection(&id).ok()?.status().map(|status| View::new(id, status)),
    };
    Ok(Json(Page::new(page.into_iter().filter_map(view).collect(), next_cursor)))
}

/// Reports the state of one connection.
#[utoipa::path(
    operation_id = "getConnection",
    tag = "connections",
    params(("connection" = String, Path)),
    responses((status = 200, description = "The connection", body = View))
)]
#[get("/connections/{connection}")]
async fn one(caller: Caller, id: Path<String>) -> Result<Json<View>, Problem> {
    let id = ConnectionId::from(id.into_inner());
    let status = caller.connection(&id)?.status().ok_or_else(|| Problem::unknown_connection(&id))?;
    Ok(Json(View::new(id, status)))
}
