//! `…/commands`: the commands waiting in a conversation, and cancelling a command that was not sent.

use actix_web::{
    HttpResponse, delete, get,
    web::{Json, Path, Query},
};
use serde::{Deserialize, Serialize};
use tertulia_actors::{
    conversation::{WaitingCommand, WaitingState},
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
    state::Caller,
};

pub(super) fn routes(config: &mut ServiceConfig<'_>) {
    config.service(list).service(cancel);
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct ListQuery {
    /// The connection; required if several connections see the conversation.
    #[param(value_type = Option<String>)]
    connection: Option<ConnectionId>,
    /// Items at most, 1 to 1,000; 100 by default.
    limit: Option<usize>,
    /// The `nextCursor` of the previous page.
    #[param(value_type = Option<String>)]
    cursor: Option<Cursor>,
}

/// A waiting command.
#[derive(Serialize, ToSchema)]
#[schema(as = WaitingCommand)]
#[serde(rename_all = "camelCase")]
struct CommandThatWaits {
    /// The caller's `Idempotency-Key`, or the generated key of the command.
    #[schema(value_type = String)]
    key: CommandKey,
    /// The command's name, as in the events `tertulia.command-sent` and `tertulia.command-failed`.
    #[schema(example = "send-text")]
    command: &'static str,
    state: CommandState,
    /// Whether the caller gave the command a key; such a command survives a restart of this process.
    durable: bool,
    /// When the command was requested, or restored by this process, in milliseconds since the epoch.
    #[schema(value_type = i64)]
    asked: Timestamp,
    /// When the command times out, in milliseconds since the epoch.
    #[schema(value_type = i64)]
    deadline: Timestamp,
    /// The code with which the platform closed the socket while the command was in flight; the command is then sent
    /// again without others.
    suspected: Option<u16>,
}

/// A command's progress. A `queued` command can be cancelled.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
enum CommandState {
    /// The command was not sent.
    Queued,
    /// The command was sent and waits for its answer.
    InFlight,
    /// The command may have been sent; the conversation is checked for its effect.
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

/// Lists the commands waiting in a conversation, in the order in which they will run.
#[utoipa::path(
    operation_id = "listCommands",
    tag = "conversations",
    params(Named, ListQuery),
    responses((status = 200, description = "The commands", body = Page<CommandThatWaits>))
)]
#[get("/conversations/{conversation}/commands")]
async fn list(
    caller: Caller,
    id: Path<ConversationId>,
    asked: Query<ListQuery>,
) -> Result<Json<Page<CommandThatWaits>>, Problem> {
    let ListQuery { connection, limit, cursor } = asked.into_inner();
    let limit = page::limit(limit)?;
    let after = cursor.map(|cursor| cursor.parse::<u64>()).transpose();
    let after = after.map_err(|_| Problem::bad_request("cursor is not the nextCursor of an earlier page"))?;
    let handle = find_to_act(&caller, &id, Through { connection })?;
    let mut waiting = handle.waiting_commands().await?;
    waiting.retain(|command| after.is_none_or(|after| command.number > after));
    let (items, next_cursor) = page::cut(waiting, limit, |one| one.number, |one| one.number.to_string());
    let items = items.into_iter().map(CommandThatWaits::from).collect();
    Ok(Json(Page::new(items, next_cursor)))
}

/// Cancels a command that was not sent. Its caller gets the code `cancelled`, and no later run sends the command
/// either.
#[utoipa::path(
    operation_id = "cancelCommand",
    tag = "conversations",
    params(Through),
    responses((status = 204, description = "The command is cancelled"))
)]
#[delete("/conversations/{conversation}/commands/{key}")]
async fn cancel(
    caller: Caller,
    path: Path<(String, String)>,
    through: Query<Through>,
) -> Result<HttpResponse, Problem> {
    let (id, key) = path.into_inner();
    let handle = find_to_act(&caller, &ConversationId::from(id), through.into_inner())?;
    handle.cancel(&CommandKey::from(key)).await?;
    Ok(HttpResponse::NoContent().finish())
}
