//! Which conversation a path means, and which connection acts.

use actix_web::http::{StatusCode, header};
use serde::Deserialize;
use tertulia_actors::{
    ConnectionHandle,
    connection::{ConnectionStatus, Role},
    conversation::ConversationHandle,
    core::{
        id::{ConnectionId, ConversationId},
        session::Phase,
    },
};
use utoipa::IntoParams;

use crate::gateway::{problem::Problem, state::Caller};

/// The connection; any connection if absent.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(in crate::gateway) struct Through {
    /// The connection; required for actions if several connections see the conversation.
    #[param(value_type = Option<String>)]
    pub(in crate::gateway) connection: Option<ConnectionId>,
}

/// The conversation on each connection that sees it, or only on the requested connection. Connections of
/// consumers and of connectors come last, because a consumer sees and can do less: no private messages, no history.
pub(super) fn find_all(
    caller: &Caller,
    id: &ConversationId,
    through: Through,
) -> Result<Vec<ConversationHandle>, Problem> {
    let seen_by = |connection| Some((connection, caller.conversation(connection, id)?));
    let candidates = caller.candidates(through.connection.as_ref())?;
    let mut found: Vec<_> = candidates.iter().filter_map(seen_by).collect();
    if found.len() > 1 {
        found.sort_by_cached_key(|(connection, _)| matches!(connection.role(), Some(Role::Consumer | Role::Connector)));
    }
    Ok(found.into_iter().map(|(_, conversation)| conversation).collect())
}

/// The conversation for reading, on an agent's connection if there is one.
pub(super) fn find_to_look(
    caller: &Caller,
    id: &ConversationId,
    through: Through,
) -> Result<ConversationHandle, Problem> {
    find_all(caller, id, through)?.into_iter().next().ok_or_else(|| not_found(caller, id))
}

/// The conversation for a command. If several connections see it, the caller must choose the one that acts.
pub(super) fn find_to_act(
    caller: &Caller,
    id: &ConversationId,
    through: Through,
) -> Result<ConversationHandle, Problem> {
    let mut found = find_all(caller, id, through)?;
    match (found.pop(), found.is_empty()) {
        (Some(handle), true) => Ok(handle),
        (Some(handle), false) => {
            Err(Problem::ambiguous_connection(found.iter().chain([&handle]).map(ConversationHandle::connection)))
        }
        (None, _) => Err(not_found(caller, id)),
    }
}

/// The problem for an unknown conversation. While conversations of a previous run are still being loaded, the problem
/// asks the caller to try again.
pub(super) fn not_found(caller: &Caller, id: &ConversationId) -> Problem {
    let is_beginning = |status: ConnectionStatus| status.state == Phase::Idle;
    let connections = caller.candidates(None).unwrap_or_default();
    if connections.iter().filter_map(ConnectionHandle::status).any(is_beginning) {
        let problem =
            Problem::new(StatusCode::SERVICE_UNAVAILABLE, "not-connected", "connections are still starting; try again");
        return problem.header(header::RETRY_AFTER, "1");
    }
    Problem::new(
        StatusCode::NOT_FOUND,
        "unknown-conversation",
        format!("no connection has conversation {id} in memory"),
    )
}
