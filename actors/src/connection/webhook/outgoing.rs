//! Requests to the platform: by the Send API or REST, histories that cannot be requested, and the opening of
//! conversations.

use std::{sync::Arc, time::Duration};

use actix::{Addr, AsyncContext, Context, Handler, Message};
use bytes::Bytes;
use serde_json::{
    Value,
    value::{RawValue, to_raw_value},
};
use tertulia_core::{
    id::{ConversationId, ExternalConsumerId},
    rest::{NotByRest, RestRequest, answer_body},
    ums::{AnswerError, ChannelType, ConversationRequest, Dialect, Request, RequestFrame, UserProfile},
};
use tokio::time::sleep;

use super::{AskRest, Intake, OpenConversation, agent::RestSender};
use crate::{
    platform::{RestAnswer, SendPath},
    request::{Answer, Ask, Lane, Reply, RequestError, TOO_MANY},
};

/// The response of the Send API to the opening of a conversation.
#[derive(Message)]
#[rtype(result = "()")]
struct Opened {
    consumer: ExternalConsumerId,
    outcome: Result<ConversationId, RequestError>,
    reply: Reply<ConversationId>,
}

/// Reads a conversation after the response to a change was lost.
struct StateReader {
    conversation: ConversationId,
    intake: Addr<Intake>,
}

impl StateReader {
    /// Reads the state. When this returns, the conversation has the state in its queue. If the state cannot be read,
    /// the known state stays in use.
    async fn read(self, rest: RestSender) {
        let Self { conversation, intake } = self;
        match rest.send(&RestRequest::Conversation(conversation.clone())).await {
            Ok(RestAnswer { status: 200, body: state, .. }) => {
                let _ = intake.send(StateRead { conversation, state }).await;
            }
            Ok(RestAnswer { status, .. }) => tracing::debug!(%conversation, status, "the state could not be fetched"),
            Err(error) => tracing::debug!(%conversation, %error, "the state could not be fetched"),
        }
    }
}

/// Whether the platform may have applied a request that had no successful response.
fn is_lost(answer: &Result<RestAnswer, RequestError>) -> bool {
    match answer {
        Ok(answer) => answer.status >= 500 || answer.status == TOO_MANY,
        Err(failure) => matches!(failure, RequestError::ConnectionLost | RequestError::TimedOut),
    }
}

/// The state of a conversation, as read.
#[derive(Message)]
#[rtype(result = "()")]
struct StateRead {
    conversation: ConversationId,
    state: Bytes,
}

impl Intake {
    fn next_request(&mut self, request: Request, metadata: Vec<Value>) -> Result<String, RequestError> {
        let id = self.outgoing.next_id();
        let frame = RequestFrame { id, request, headers: Vec::new(), metadata };
        frame.encode(Dialect::Consumer).map_err(|error| RequestError::Unwritable(error.to_string()))
    }

    /// Sends a conversation's request in its consumer's name.
    fn send(&mut self, Ask { conversation, request, metadata, reply, .. }: Ask) {
        match self.prepare(conversation.as_ref(), request, metadata) {
            Err(failure) => {
                let _ = reply.send(Err(failure));
            }
            Ok((consumer, body)) => {
                let sender = self.sender.clone();
                let answer = async move { sender.send(SendPath::Send, consumer, body).await.map(Answer::new) };
                self.carry(answer, Duration::ZERO, reply);
            }
        }
    }

    /// Sends a REST request in the agent's name, after `pause`. If the response to a change is lost, `reader` first
    /// reads the conversation and passes its state on: without a socket nothing else shows the change, and the state
    /// prevents a second one.
    fn ask_rest(&self, request: RestRequest, reader: Option<StateReader>, pause: Duration, reply: Reply<Answer>) {
        match self.rest.clone() {
            None => {
                let _ = reply.send(Err(RequestError::NotSupported("the connection has no agent to ask as")));
            }
            Some(_) if !self.is_ready() => {
                let _ = reply.send(Err(RequestError::NotConnected));
            }
            Some(rest) => {
                let answer = async move {
                    let answer = rest.clone().send(&request).await;
                    if let Some(reader) = reader.filter(|_| is_lost(&answer)) {
                        reader.read(rest).await;
                    }
                    let RestAnswer { status, body, .. } = answer?;
                    let body = answer_body(&request, status, &String::from_utf8_lossy(&body));
                    Ok(Answer::of_status(status, body))
                };
                self.carry(answer, pause, reply);
            }
        }
    }

    /// Waits for a response in a separate task, and counts it. If the caller leaves during `pause`, nothing is sent.
    fn carry(
        &self,
        answer: impl Future<Output = Result<Answer, RequestError>> + 'static,
        pause: Duration,
        reply: Reply<Answer>,
    ) {
        let metrics = Arc::clone(&self.context.process.metrics);
        let ending = self.ending.clone();
        let carrying = async move {
            sleep(pause).await;
            if reply.is_closed() {
                return;
            }
            metrics.requests.inc();
            let answer = answer.await;
            match &answer {
                Ok(answer) if answer.read(|response| response.outcome().map(drop)).is_err() => {
                    metrics.requests_refused.inc();
                }
                Err(RequestError::TimedOut) => {
                    metrics.requests_timed_out.inc();
                }
                _ => {}
            }
            let _ = reply.send(answer);
        };
        actix_rt::spawn(async move { ending.run_until_cancelled(carrying).await });
    }

    /// Sends a conversation's request in the agent's name.
    fn send_as_agent(&self, Ask { conversation, request, metadata, lane, reply, .. }: Ask, me: Addr<Self>) {
        let unnamed = NotByRest("a request by REST is one of a conversation");
        let changed = conversation.clone().filter(|_| matches!(request, Request::UpdateConversation(_)));
        let reader = changed.map(|conversation| StateReader { conversation, intake: me });
        let by_rest = conversation.ok_or(unnamed).and_then(|id| RestRequest::of(&request, &metadata, &id));
        let by_rest = match by_rest {
            Ok(by_rest) => by_rest,
            Err(NotByRest(why)) => {
                let _ = reply.send(Err(RequestError::NotSupported(why)));
                return;
            }
        };
        let is_missing_history = matches!((&request, lane), (Request::QueryMessages(_), Lane::Recovery));
        // A late notification may still bring the missing history.
        self.ask_rest(by_rest, reader, if is_missing_history { self.settings.hold } else { Duration::ZERO }, reply);
    }

    fn prepare(
        &mut self,
        conversation: Option<&ConversationId>,
        request: Request,
        metadata: Vec<Value>,
    ) -> Result<(ExternalConsumerId, String), RequestError> {
        let child = conversation.and_then(|id| self.roster.get(id));
        let consumer = child.and_then(|child| child.consumer().cloned()).ok_or(RequestError::NotSupported(
            "the consumer of the conversation is not known here: open it here, or load a snapshot that names them",
        ))?;
        if !self.is_ready() {
            return Err(RequestError::NotConnected);
        }
        Ok((consumer, self.next_request(request, metadata)?))
    }

    /// Delays the reply to a request for history: a late notification may still bring it, and it cannot be requested
    /// here.
    fn hold(&self, reply: Reply<Answer>) {
        let (hold, ending) = (self.settings.hold, self.ending.clone());
        let holding = async move {
            sleep(hold).await;
            let _ = reply.send(Ok(Answer::of_status(404, to_raw_value("webhooks have no history").ok())));
        };
        actix_rt::spawn(async move { ending.run_until_cancelled(holding).await });
    }

    fn open(&mut self, open: OpenConversation, me: Addr<Self>) {
        let OpenConversation { consumer, profile, request, reply } = open;
        let body = match self.opening_body(&profile, request) {
            _ if self.rest.is_some() => Err(RequestError::NotSupported("an agent opens no consumer's conversation")),
            _ if !self.is_ready() => Err(RequestError::NotConnected),
            _ if self.outgoing.is_opening_full() => Err(RequestError::Overloaded),
            body => body,
        };
        let body = match body {
            Ok(body) => body,
            Err(failure) => {
                let _ = reply.send(Err(failure));
                return;
            }
        };
        let (sender, ending) = (self.sender.clone(), self.ending.clone());
        self.outgoing.opening_began();
        self.context.metrics().requests.inc();
        let opening = async move {
            let answer = sender.send(SendPath::Conversation, consumer.clone(), body).await;
            let outcome = answer.and_then(|answer| opened(&answer));
            me.do_send(Opened { consumer, outcome, reply });
        };
        actix_rt::spawn(async move { ending.run_until_cancelled(opening).await });
    }

    /// The two requests of an opening, in the order that the platform requires.
    fn opening_body(
        &mut self,
        profile: &UserProfile<'_>,
        request: ConversationRequest,
    ) -> Result<String, RequestError> {
        let unwritable = |error: serde_json::Error| RequestError::Unwritable(error.to_string());
        let profile = serde_json::to_value(profile).map_err(unwritable)?;
        let profile = self.next_request(Request::SetUserProfile(profile), Vec::new())?;
        // Both members are mandatory here, unlike on a socket (protocol §5.3).
        let request = ConversationRequest {
            brand_id: Some(self.settings.account.clone()),
            channel_type: Some(ChannelType::Messaging),
            ..request
        };
        let request = self.next_request(Request::RequestConversation(request), Vec::new())?;
        Ok(format!("[{profile},{request}]"))
    }
}

/// Returns the id in the responses to an opening. A refusal is sent alone, not in a list.
fn opened(answer: &Bytes) -> Result<ConversationId, RequestError> {
    let Ok(answers) = serde_json::from_slice::<Vec<Box<RawValue>>>(answer) else {
        let refused = Answer::new(answer.clone()).read(|response| response.outcome().map(drop));
        return Err(refused.err().unwrap_or_else(|| AnswerError::Unexpected("no list of answers".to_owned()).into()));
    };
    let mut answers = answers.iter().map(|raw| Answer::new(Bytes::copy_from_slice(raw.get().as_bytes())));
    let (Some(profile), Some(conversation)) = (answers.next(), answers.next()) else {
        return Err(AnswerError::Unexpected("fewer than two answers".to_owned()).into());
    };
    profile.read(|response| response.outcome().map(drop))?;
    conversation.read(|response| response.conversation_created())
}

impl Handler<Ask> for Intake {
    type Result = ();

    fn handle(&mut self, ask: Ask, ctx: &mut Self::Context) {
        match ask.request {
            // This request comes from a snapshot of a consumer's connection; an agent does not subscribe to messages.
            Request::SubscribeMessages(_) => self.hold(ask.reply),
            _ if self.rest.is_some() => self.send_as_agent(ask, ctx.address()),
            Request::QueryMessages(_) => self.hold(ask.reply),
            _ => self.send(ask),
        }
    }
}

impl Handler<StateRead> for Intake {
    type Result = ();

    /// Ignored if the conversation has left memory.
    fn handle(&mut self, StateRead { conversation, state }: StateRead, _: &mut Self::Context) {
        if self.roster.is_awake(&conversation) {
            self.take_read_state(&conversation, &state);
        }
    }
}

impl Handler<AskRest> for Intake {
    type Result = ();

    fn handle(&mut self, AskRest { request, reply }: AskRest, _: &mut Self::Context) {
        self.ask_rest(request, None, Duration::ZERO, reply);
    }
}

impl Handler<OpenConversation> for Intake {
    type Result = ();

    fn handle(&mut self, open: OpenConversation, ctx: &mut Self::Context) {
        self.open(open, ctx.address());
    }
}

impl Handler<Opened> for Intake {
    type Result = ();

    fn handle(&mut self, Opened { consumer, outcome, reply }: Opened, _: &mut Context<Self>) {
        self.outgoing.opening_ended();
        if let Ok(id) = &outcome {
            // Callers may write to the conversation before its first state arrives (CV-I1).
            self.child(id).speak_for(consumer);
            self.update_status();
        }
        let _ = reply.send(outcome);
    }
}
