//! Rows for other nodes only: the state of a connection of this node, and commands and typing for its conversations.

use actix_web::{
    HttpResponse, ResponseError as _,
    web::{self, Data, Json, ServiceConfig},
};
use tertulia_actors::core::{id::ConnectionId, placement::DutyName};

use super::{Neighbours, misdirected};
use crate::{
    bulk::{ConnectionState, DurableCommand, Typing},
    cluster::{COMMANDS, STATE, TYPING},
    gateway::state::State,
};

pub(in crate::gateway) fn routes(config: &mut ServiceConfig) {
    config.route(STATE, web::post().to(state)).route(COMMANDS, web::post().to(perform));
    config.route(TYPING, web::post().to(show_typing));
}

fn not_here() -> HttpResponse {
    misdirected().error_response()
}

/// The state of a connection, after everything that it wrote is durable.
async fn state(state: Data<State>, connection: Json<ConnectionId>) -> HttpResponse {
    let tertulia = state.everything();
    tertulia.journal().settled().await;
    ConnectionState::here(tertulia, &connection).map_or_else(not_here, |found| HttpResponse::Ok().json(found))
}

/// Runs a command, and answers with its outcome.
async fn perform(state: Data<State>, neighbours: Data<Neighbours>, command: Json<DurableCommand>) -> HttpResponse {
    let members = &neighbours.members;
    let is_leaving = members.view().borrow().is_leaving(&DutyName::Connection(command.connection.clone()));
    if is_leaving || !members.tenure().may_act() {
        return not_here();
    }
    let outcome = command.perform_here(state.everything()).await;
    outcome.map_or_else(not_here, |outcome| HttpResponse::Ok().json(outcome))
}

/// Shows this side as typing.
async fn show_typing(state: Data<State>, neighbours: Data<Neighbours>, typing: Json<Typing>) -> HttpResponse {
    let may_act = neighbours.members.tenure().may_act();
    if may_act && typing.show_here(state.everything()) { HttpResponse::NoContent().finish() } else { not_here() }
}
