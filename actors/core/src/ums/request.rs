//! Requests: one typed model, named and encoded for the socket's dialect ([§5.0](crate::protocol#50)).

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use thiserror::Error;

use super::{
    AgentConversationRequest, AgentStateRequest, AgentsStateSubscription, ClientProperties, ConversationQuery,
    ConversationRequest, ConversationUpdate, Dialect, DownloadUrlRequest, InitConnection, Json, MessageQuery,
    MessageSubscription, Nothing, ProfileQuery, PublishRequest, RingAnswer, RoutingSubscription, Text, TokenRequest,
    Unsubscription, UploadUrlRequest,
};
use crate::id::RequestId;

/// A request that could not be parsed or serialized.
#[non_exhaustive]
#[derive(Debug, Error)]
pub enum RequestFrameError {
    /// The frame is not a request.
    #[error("not a request frame: {0}")]
    Envelope(#[source] serde_json::Error),
    /// The body is malformed for the request's type.
    #[error("the body of {kind} is malformed: {source}")]
    Body {
        /// The request's type as sent.
        kind: String,
        /// The error of the parser.
        source: serde_json::Error,
    },
}

macro_rules! requests {
    ($($(#[$doc:meta])* $name:ident($body:ty) = $brand:literal, $consumer:literal;)+) => {
        /// A request to the platform.
        #[derive(Clone, Debug, PartialEq)]
        pub enum Request {
            $($(#[$doc])* $name($body),)+
            /// Any other request, with the given type and body ([CN-F4](crate::rules#cn-f4)).
            Raw {
                /// The request's type, sent as it is.
                kind: String,
                /// The body, sent as it is.
                body: Value,
            },
        }

        impl Request {
            /// The request's type in `dialect`.
            #[must_use]
            pub fn kind(&self, dialect: Dialect) -> &str {
                match self {
                    $(Self::$name(_) => match dialect {
                        Dialect::Brand => $brand,
                        Dialect::Consumer => $consumer,
                    },)+
                    Self::Raw { kind, .. } => kind,
                }
            }

            fn read(kind: &str, body: Option<&Json<'_>>) -> Result<Self, serde_json::Error> {
                match kind {
                    $($brand | $consumer => serde_json::from_str(body.map_or("{}", Json::get)).map(Self::$name),)+
                    _ => serde_json::from_str(body.map_or("null", Json::get))
                        .map(|body| Self::Raw { kind: kind.to_owned(), body }),
                }
            }
        }

        impl Serialize for Request {
            /// Serializes the body; the type is part of the envelope.
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                match self {
                    $(Self::$name(body) => body.serialize(serializer),)+
                    Self::Raw { body, .. } => body.serialize(serializer),
                }
            }
        }
    };
}

requests! {
    /// The platform's clock; keeps the socket alive ([§5.1](crate::protocol#51)).
    GetClock(Nothing) = ".GetClock", "GetClock";
    /// Keeps the socket alive ([§5.0](crate::protocol#50)).
    KeepAlive(Nothing) = ".KeepAlive", "KeepAlive";
    /// Authenticates a consumer's socket ([§3.2](crate::protocol#32)).
    InitConnection(InitConnection) = ".InitConnection", "InitConnection";
    /// Reads a profile ([§5.9](crate::protocol#59)).
    GetUserProfile(ProfileQuery) = ".ams.userprofile.GetUserProfile", "userprofile.GetUserProfile";
    /// Sets the consumer's own profile ([§5.9](crate::protocol#59)).
    SetUserProfile(Value) = ".ams.userprofile.SetUserProfile", "userprofile.SetUserProfile";
    /// Reads the brand's profile.
    GetBrandProfile(Value) = ".ams.brandprofile.GetBrandProfile", "brandprofile.GetBrandProfile";
    /// Subscribes to conversations ([§5.2](crate::protocol#52)).
    SubscribeConversations(ConversationQuery) =
        ".ams.aam.SubscribeExConversations", "cqm.SubscribeExConversations";
    /// Ends such a subscription ([§5.2](crate::protocol#52)).
    UnsubscribeConversations(Unsubscription) =
        ".ams.aam.UnsubscribeExConversations", "cqm.UnsubscribeExConversations";
    /// A consumer opens a conversation ([§5.3](crate::protocol#53)).
    RequestConversation(ConversationRequest) =
        ".ams.cm.ConsumerRequestConversation", "cm.ConsumerRequestConversation";
    /// An agent opens a conversation ([§5.3](crate::protocol#53)).
    AgentRequestConversation(AgentConversationRequest) =
        ".ams.cm.AgentRequestConversation", "cm.AgentRequestConversation";
    /// Changes a conversation ([§5.7](crate::protocol#57)).
    UpdateConversation(ConversationUpdate) = ".ams.cm.UpdateConversationField", "cm.UpdateConversationField";
    /// Publishes an event ([§5.6](crate::protocol#56)).
    Publish(PublishRequest) = ".ams.ms.PublishEvent", "ms.PublishEvent";
    /// Subscribes to a dialog's messages, consumer only ([§5.4](crate::protocol#54)).
    SubscribeMessages(MessageSubscription) = ".ams.ms.SubscribeMessagingEvents", "ms.SubscribeMessagingEvents";
    /// Reads a dialog's history, brand only ([§5.5](crate::protocol#55)).
    QueryMessages(MessageQuery) = ".ams.ms.QueryMessages", "ms.QueryMessages";
    /// Requests the address for an upload ([§5.10](crate::protocol#510)).
    UploadUrl(UploadUrlRequest) = ".ams.ms.GenerateURLForUploadFile", "ms.GenerateURLForUploadFile";
    /// Requests the address for a download ([§5.10](crate::protocol#510)).
    DownloadUrl(DownloadUrlRequest) = ".ams.ms.GenerateURLForDownloadFile", "ms.GenerateURLForDownloadFile";
    /// Requests the key for writing a secure form ([§5.11](crate::protocol#511)).
    UploadToken(TokenRequest) = ".ams.ms.token.GenerateUploadToken", "ms.GenerateUploadToken";
    /// Requests the key for reading a secure form ([§5.11](crate::protocol#511)).
    DownloadToken(TokenRequest) = ".ams.ms.token.GenerateDownloadToken", "ms.GenerateDownloadToken";
    /// Sets the agent's state ([§5.8](crate::protocol#58)).
    SetAgentState(AgentStateRequest) = ".ams.routing.SetAgentState", "rs.SetAgentState";
    /// Subscribes to the agent's state ([§5.8](crate::protocol#58)).
    SubscribeAgentsState(AgentsStateSubscription) = ".ams.routing.SubscribeAgentsState", "rs.SubscribeAgentsState";
    /// Subscribes to rings ([§5.8](crate::protocol#58)).
    SubscribeRoutingTasks(RoutingSubscription) = ".ams.routing.SubscribeRoutingTasks", "rs.SubscribeRoutingTasks";
    /// Accepts or declines a ring ([§5.8](crate::protocol#58)).
    AnswerRing(RingAnswer) = ".ams.routing.UpdateRingState", "rs.UpdateRingState";
}

/// A request with its envelope ([§4.1](crate::protocol#41)).
#[derive(Clone, Debug, PartialEq)]
pub struct RequestFrame {
    /// Unique on its socket, 1 to 64 characters.
    pub id: RequestId,
    /// The request.
    pub request: Request,
    /// Typed headers, only with `InitConnection`.
    pub headers: Vec<Value>,
    /// Typed metadata, stored with the result of the request and shown to the other side
    /// ([§7.12](crate::protocol#712)).
    pub metadata: Vec<Value>,
}

#[derive(Serialize)]
struct Envelope<'a> {
    kind: &'static str,
    id: &'a RequestId,
    #[serde(rename = "type")]
    request_kind: &'a str,
    body: &'a Request,
    #[serde(skip_serializing_if = "slice_is_empty")]
    headers: &'a [Value],
    #[serde(skip_serializing_if = "slice_is_empty")]
    metadata: &'a [Value],
}

fn slice_is_empty(list: &&[Value]) -> bool {
    list.is_empty()
}

#[derive(Deserialize)]
struct ReadEnvelope<'a> {
    #[serde(default)]
    id: Option<RequestId>,
    #[serde(rename = "type", borrow)]
    kind: Text<'a>,
    #[serde(default)]
    body: Option<Json<'a>>,
    #[serde(default, deserialize_with = "super::lenient::one_or_many")]
    headers: Vec<Value>,
    #[serde(default, deserialize_with = "super::lenient::one_or_many")]
    metadata: Vec<Value>,
}

impl RequestFrame {
    /// Returns a request without headers and metadata.
    #[must_use]
    pub fn new(id: RequestId, request: Request) -> Self {
        Self { id, request, headers: Vec::new(), metadata: Vec::new() }
    }

    /// Returns the first frame of a consumer's socket, with the token (at most 2048 characters) and the device
    /// ([§3.2](crate::protocol#32)).
    #[must_use]
    pub fn init_connection(id: RequestId, jwt: &str, properties: &ClientProperties) -> Self {
        let authentication = json!({ "type": ".ams.headers.ConsumerAuthentication", "jwt": jwt });
        Self {
            headers: vec![authentication, properties.header()],
            ..Self::new(id, Request::InitConnection(InitConnection {}))
        }
    }

    /// Returns the frame's text in `dialect`.
    ///
    /// # Errors
    /// [`RequestFrameError::Body`] if the body cannot be serialized, which is only possible for a raw request.
    pub fn encode(&self, dialect: Dialect) -> Result<String, RequestFrameError> {
        let kind = self.request.kind(dialect);
        let envelope = Envelope {
            kind: "req",
            id: &self.id,
            request_kind: kind,
            body: &self.request,
            headers: &self.headers,
            metadata: &self.metadata,
        };
        serde_json::to_string(&envelope).map_err(|source| RequestFrameError::Body { kind: kind.to_owned(), source })
    }

    /// Parses a frame of either dialect.
    ///
    /// # Errors
    /// [`RequestFrameError`] if the frame is not a request or its body is malformed.
    pub fn decode(text: &str) -> Result<Self, RequestFrameError> {
        let envelope: ReadEnvelope<'_> = serde_json::from_str(text).map_err(RequestFrameError::Envelope)?;
        let request = Request::read(&envelope.kind, envelope.body.as_ref())
            .map_err(|source| RequestFrameError::Body { kind: envelope.kind.to_string(), source })?;
        let id = envelope.id.unwrap_or_else(|| RequestId::from(""));
        Ok(Self { id, request, headers: envelope.headers, metadata: envelope.metadata })
    }
}
