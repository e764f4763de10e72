//! `…/commands`: the commands that wait in a conversation, and the end of one that was not sent.

use actix_web::{
    HttpResponse, delete, get,
    http::StatusCode,
    web::{Data, Json, Path, Query},
};
use serde::{Deserialize, Serialize};
use tertulia_actors::{
    conversation::{CancelError, WaitingCommand, WaitingState},
    core::{
        id::{CommandKey, ConnectionId, ConversationId},
        time::Timestamp,
    },
};
use utoipa::{IntoParams, ToSchema};
use utoipa_actix_web::service_config::ServiceConfig;

use super::{
    acting::Named,
    find::{Through, find_to_act},
};
use crate::gateway::{
    page::{self, Cursor, Page},
    problem::Problem,
    state::State,
};

pub(super) fn routes(config: &mut ServiceConfig<'_>) {
    config.service(list).service(cancel);
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct Asked {
    /// By which connection. It must be told where several see the conversation.
    #[param(value_type = Option<String>)]
    connection: Option<ConnectionId>,
    /// Items at most, 1 to 1,000; 100 where it is not told.
    limit: Option<usize>,
    /// The `nextCursor` of the page before.
    #[param(value_type = Option<String>)]
    cursor: Option<Cursor>,
}

/// A command that waits.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct CommandThatWaits {
    /// The caller's `Idempotency-Key`, or the key that the command was given.
    #[schema(value_type = String)]
    key: CommandKey,
    /// What was asked, as in the events `tertulia.command-sent` and `tertulia.command-failed`.
    #[schema(example = "send-text")]
    command: &'static str,
    state: CommandState,
    /// Whether the command has a key of its caller's, and so outlives this process.
    durable: bool,
    /// When the command was asked, or taken up by this process, in milliseconds since the epoch.
    #[schema(value_type = i64)]
    asked: Timestamp,
    /// When the command is given up, in milliseconds since the epoch.
    #[schema(value_type = i64)]
    deadline: Timestamp,
    /// The code with which the platform closed the socket while the command was in flight; the command is sent again alone.
    suspected: Option<u16>,
}

/// How far a command came. One that is `queued` can be cancelled.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
enum CommandState {
    /// It was not sent.
    Queued,
    /// It was sent, and its answer is awaited.
    InFlight,
    /// It may have been sent, and its effect is looked for.
    Unknown,
}

impl From<WaitingCommand> for CommandThatWaits {
    fn from(waiting: WaitingCommand) -> Self {
        let WaitingCommand { key, command, state, is_durable, asked, deadline, suspected, .. } = waiting;
        let state = match state {
            WaitingState::Queued => CommandState::Queued,
            WaitingState::InFlight => CommandState::InFlight,
            WaitingState::Unknown => CommandState::Unknown,
        };
        Self { key, command, state, durable: is_durable, asked, deadline, suspected }
    }
}

impl From<CancelError> for Problem {
    fn from(error: CancelError) -> Self {
        match error {
            CancelError::Conversation(failure) => failure.into(),
            CancelError::UnknownCommand(_) => Self::new(StatusCode::NOT_FOUND, "unknown-command", error.to_string()),
            _ => Self::new(StatusCode::CONFLICT, "in-flight", error.to_string()),
        }
    }
}

/// The commands that wait in a conversation, in the order in which they are carried out.
#[utoipa::path(
    tag = "conversations",
    params(Named, Asked),
    responses((status = 200, description = "The commands", body = Page<CommandThatWaits>))
)]
#[get("/conversations/{conversation}/commands")]
async fn list(
    state: Data<State>,
    id: Path<ConversationId>,
    asked: Query<Asked>,
) -> Result<Json<Page<CommandThatWaits>>, Problem> {
    let Asked { connection, limit, cursor } = asked.into_inner();
    let limit = page::limit(limit)?;
    let after = cursor.map(|cursor| cursor.parse::<u64>()).transpose();
    let after = after.map_err(|_| Problem::bad_request("cursor is not the nextCursor of an earlier page"))?;
    let handle = find_to_act(&state, &id, Through { connection })?;
    let mut waiting = handle.waiting_commands().await?;
    waiting.retain(|command| after.is_none_or(|after| command.number > after));
    let (items, next_cursor) = page::cut(waiting, limit, |one| one.number, |one| one.number.to_string());
    let items = items.into_iter().map(CommandThatWaits::from).collect();
    Ok(Json(Page { items, next_cursor }))
}

/// Cancels a command that was not sent: its caller gets the code `cancelled`, and nothing is sent, by a later process
/// neither.
#[utoipa::path(
    tag = "conversations",
    params(Through),
    responses((status = 204, description = "The command is cancelled"))
)]
#[delete("/conversations/{conversation}/commands/{key}")]
async fn cancel(
    state: Data<State>,
    path: Path<(String, String)>,
    through: Query<Through>,
) -> Result<HttpResponse, Problem> {
    let (id, key) = path.into_inner();
    let handle = find_to_act(&state, &ConversationId::from(id), through.into_inner())?;
    handle.cancel(&CommandKey::from(key)).await?;
    Ok(HttpResponse::NoContent().finish())
}
