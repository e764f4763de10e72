//! What a connection can be asked.

use actix::Message;
use serde_json::Value;
use tertulia_core::{
    id::{ConversationId, RingId},
    ums::{AgentState, ConversationRequest},
};
use tokio::sync::oneshot;

use super::RingError;
use crate::{
    request::{Ask, Reply},
    subscriber::Offer,
};

/// Opens a conversation; consumers only ([CN-F6](crate::rules#cn-f6)). Waits for the connection to be ready.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct CreateConversation {
    /// What is asked.
    pub request: ConversationRequest,
    /// Where the new conversation's id goes.
    pub reply: Reply<ConversationId>,
}

/// Answers an offer.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct AnswerRing {
    /// Which offer.
    pub ring_id: RingId,
    /// Whether to take it.
    pub accept: bool,
    /// Where the outcome goes.
    pub reply: Reply<()>,
}

/// Answers the offers that wait for an answer, in no order to rely on.
#[derive(Message)]
#[rtype(result = "Vec<Offer>")]
pub(crate) struct ListRings;

/// Takes an offer; answered once its conversation is there ([RG-4](crate::rules#rg-4)).
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct AcceptRing {
    pub(crate) ring_id: RingId,
    pub(crate) reply: oneshot::Sender<Result<ConversationId, RingError>>,
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
    /// Where the outcome goes.
    pub reply: Reply<()>,
}

/// Begins the connection again, a failed one too: with a new login and a new socket. Its conversations stay.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Restart;

/// Ends the connection: closes the socket, tells its conversations, stops the actor.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Stop;
