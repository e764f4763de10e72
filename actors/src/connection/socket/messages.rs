//! The requests that a connection with a socket accepts.

use actix::Message;
use serde_json::Value;
use tertulia_core::{
    id::{ConversationId, RingId},
    ums::{AgentState, ConversationRequest},
};
use tokio::sync::oneshot;

use super::ConnectionError;
use crate::{
    request::{Ask, Reply},
    subscriber::Offer,
};

/// Opens a conversation; consumers only ([CN-F6](crate::rules#cn-f6)). Waits until the connection is ready.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct CreateConversation {
    /// The request.
    pub request: ConversationRequest,
    /// Receives the new conversation's id.
    pub reply: Reply<ConversationId>,
}

/// Accepts or declines an offer.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct AnswerRing {
    /// The offer.
    pub ring_id: RingId,
    /// Whether to accept it.
    pub accept: bool,
    /// Receives the outcome.
    pub reply: Reply<()>,
}

/// Returns the open offers, in no particular order.
#[derive(Message)]
#[rtype(result = "Vec<Offer>")]
pub(crate) struct ListRings;

/// Accepts an offer; the reply comes when its conversation has arrived ([RG-4](crate::rules#rg-4)).
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct AcceptRing {
    pub(crate) ring_id: RingId,
    pub(crate) reply: oneshot::Sender<Result<ConversationId, ConnectionError>>,
}

/// Sends a request with headers of its own ([CN-F4](crate::rules#cn-f4)).
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct AskWith {
    pub(crate) ask: Ask,
    pub(crate) headers: Vec<Value>,
}

/// Sets the agent's state, now and after each reconnect ([CN-F9](crate::rules#cn-f9)).
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct SetAgentState {
    /// The state.
    pub agent_state: AgentState,
    /// Receives the outcome.
    pub reply: Reply<()>,
}

/// Restarts the connection, even a failed one, with a new login and a new socket. Its conversations stay.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Restart;

/// Ends the connection: closes the socket, informs its conversations, stops the actor.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Stop;
