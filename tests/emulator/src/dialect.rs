//! The two dialects of the wire: which operation a type name means, how answers and notifications are called, and the
//! envelope around them (protocol [§4](crate::protocol#4), [§5.0](crate::protocol#50)). Both sockets accept both names;
//! answers follow the socket.

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_json::value::RawValue;
use std::borrow::Cow;

/// Which shape a socket speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Dialect {
    /// Brand socket, `v=2`: suggested participants are not announced.
    V2,
    /// Brand socket, `v=2.1`.
    V21,
    /// Consumer socket, `v=3`.
    V3,
}

impl Dialect {
    fn is_v3(self) -> bool {
        self == Self::V3
    }

    fn pick(self, v2: &'static str, v3: &'static str) -> &'static str {
        if self.is_v3() { v3 } else { v2 }
    }

    pub(crate) fn string_response(self) -> &'static str {
        self.pick(".ReqBody$StringResp", "StringResponse")
    }

    pub(crate) fn conversation_change(self) -> &'static str {
        self.pick(".ams.aam.ExConversationChangeNotification", "cqm.ExConversationChangeNotification")
    }

    pub(crate) fn message(self) -> &'static str {
        self.pick(".ams.ms.OnlineEventDistribution", "ms.MessagingEventNotification")
    }

    pub(crate) fn routing_task(self) -> &'static str {
        self.pick(".ams.routing.RoutingTaskNotification", "rs.RoutingTaskNotification")
    }

    pub(crate) fn agent_state(self) -> &'static str {
        self.pick(".ams.routing.AgentStateNotification", "rs.AgentStateNotification")
    }
}

/// What a request asks for, whatever its name was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operation {
    InitConnection,
    GetClock,
    ConsumerRequestConversation,
    AgentRequestConversation,
    SubscribeExConversations,
    UnsubscribeExConversations,
    UpdateExConversationSubscription,
    UpdateConversationField,
    PublishEvent,
    SubscribeMessagingEvents,
    QueryMessages,
    GenerateUrlForUpload,
    GenerateUrlForDownload,
    GenerateUploadToken,
    GenerateDownloadToken,
    GetUserProfile,
    SetUserProfile,
    SetAgentState,
    SubscribeAgentsState,
    SubscribeRoutingTasks,
    UpdateRoutingTaskSubscription,
    UpdateRingState,
    BrandProfile,
}

/// The names by which requests are told apart in rules: the last part of their types.
pub(crate) const REQUESTS: [&str; 26] = [
    "InitConnection",
    "GetClock",
    "KeepAlive",
    "ConsumerRequestConversation",
    "AgentRequestConversation",
    "SubscribeExConversations",
    "UnsubscribeExConversations",
    "UpdateExConversationSubscription",
    "UpdateConversationField",
    "PublishEvent",
    "SubscribeMessagingEvents",
    "QueryMessages",
    "GenerateURLForUploadFile",
    "GenerateURLForDownloadFile",
    "GenerateUploadToken",
    "GenerateDownloadToken",
    "GetUserProfile",
    "SetUserProfile",
    "SetAgentState",
    "SubscribeAgentsState",
    "SubscribeRoutingTasks",
    "UpdateRoutingTaskSubscription",
    "UpdateRingState",
    "GetBrands",
    "GetBrandProfile",
    "SetBrandProfile",
];

impl Operation {
    /// The operation of a type name in either dialect; `None` for an unknown name.
    pub(crate) fn of(type_name: &str) -> Option<Self> {
        let bare = type_name.strip_prefix(".ams.").or_else(|| type_name.strip_prefix('.')).unwrap_or(type_name);
        let (area, name) = bare.rsplit_once('.').unwrap_or(("", bare));
        Some(match (area, name) {
            ("", "InitConnection") => Self::InitConnection,
            ("", "GetClock" | "KeepAlive") => Self::GetClock,
            ("cm", "ConsumerRequestConversation") => Self::ConsumerRequestConversation,
            ("cm", "AgentRequestConversation") => Self::AgentRequestConversation,
            ("aam" | "cqm", "SubscribeExConversations") => Self::SubscribeExConversations,
            ("aam" | "cqm", "UnsubscribeExConversations") => Self::UnsubscribeExConversations,
            ("aam" | "cqm", "UpdateExConversationSubscription") => Self::UpdateExConversationSubscription,
            ("cm", "UpdateConversationField") => Self::UpdateConversationField,
            ("ms", "PublishEvent") => Self::PublishEvent,
            ("ms", "SubscribeMessagingEvents") => Self::SubscribeMessagingEvents,
            ("ms", "QueryMessages") => Self::QueryMessages,
            ("ms", "GenerateURLForUploadFile") => Self::GenerateUrlForUpload,
            ("ms", "GenerateURLForDownloadFile") => Self::GenerateUrlForDownload,
            ("ms" | "ms.token", "GenerateUploadToken") => Self::GenerateUploadToken,
            ("ms" | "ms.token", "GenerateDownloadToken") => Self::GenerateDownloadToken,
            ("userprofile" | "up", "GetUserProfile") => Self::GetUserProfile,
            ("userprofile" | "up", "SetUserProfile") => Self::SetUserProfile,
            ("routing" | "rs", "SetAgentState") => Self::SetAgentState,
            ("routing" | "rs", "SubscribeAgentsState") => Self::SubscribeAgentsState,
            ("routing" | "rs", "SubscribeRoutingTasks") => Self::SubscribeRoutingTasks,
            ("routing" | "rs", "UpdateRoutingTaskSubscription") => Self::UpdateRoutingTaskSubscription,
            ("routing" | "rs", "UpdateRingState") => Self::UpdateRingState,
            ("brandprofile", "GetBrands" | "GetBrandProfile" | "SetBrandProfile") => Self::BrandProfile,
            _ => return None,
        })
    }

    /// The type of a successful answer that is not a plain string.
    pub(crate) fn response_type(self, dialect: Dialect) -> &'static str {
        match self {
            Self::GetClock => dialect.pick(".GetClock$Response", "GetClockResponse"),
            Self::ConsumerRequestConversation => {
                dialect.pick(".ams.cm.ConsumerRequestConversation$Response", "cm.RequestConversationResponse")
            }
            Self::AgentRequestConversation => {
                dialect.pick(".ams.cm.AgentRequestConversation$Response", "cm.RequestConversationResponse")
            }
            Self::SubscribeExConversations => {
                dialect.pick(".ams.aam.SubscribeExConversations$Response", "cqm.SubscribeExConversationsResponse")
            }
            Self::PublishEvent => dialect.pick(".ams.ms.PublishEvent$Response", "ms.PublishEventResponse"),
            Self::SubscribeMessagingEvents => ".ams.GenericSubscribeResponse",
            Self::SubscribeRoutingTasks | Self::SubscribeAgentsState => {
                dialect.pick(".ams.GenericSubscribe$Response", "GenericSubscribeResponse")
            }
            Self::QueryMessages => dialect.pick(".ams.ms.QueryMessages$Response", "ms.QueryMessagesResponse"),
            Self::GenerateUrlForUpload | Self::GenerateUrlForDownload => {
                dialect.pick(".ams.ms.BaseGenerateURL", "ms.GenerateURLResponse")
            }
            Self::GenerateUploadToken => dialect.pick(".ams.ms.token.UploadToken", "ms.UploadToken"),
            Self::GenerateDownloadToken => dialect.pick(".ams.ms.token.DownloadToken", "ms.DownloadToken"),
            Self::GetUserProfile => {
                dialect.pick(".ams.userprofile.GetUserProfile$Response", "up.GetUserProfile$Response")
            }
            Self::BrandProfile => ".ams.brandprofile.GetBrandProfile$Response",
            Self::InitConnection
            | Self::UnsubscribeExConversations
            | Self::UpdateExConversationSubscription
            | Self::UpdateConversationField
            | Self::SetUserProfile
            | Self::SetAgentState
            | Self::UpdateRoutingTaskSubscription
            | Self::UpdateRingState => dialect.string_response(),
        }
    }
}

/// One request, read from a frame.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    /// The request's id; numbers come back as strings (protocol [§4.1](crate::protocol#41)).
    pub(crate) id: String,
    pub(crate) type_name: String,
    body: Option<Box<RawValue>>,
    pub(crate) headers: Vec<Value>,
    pub(crate) metadata: Option<Box<RawValue>>,
}

#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(default)]
    id: Value,
    #[serde(rename = "type", borrow)]
    type_name: Cow<'a, str>,
    #[serde(default)]
    body: Option<Box<RawValue>>,
    #[serde(default)]
    headers: Value,
    #[serde(default)]
    metadata: Option<Box<RawValue>>,
}

impl Request {
    /// Reads a frame. The error is what the platform would say, never the frame itself.
    pub(crate) fn read(frame: &[u8]) -> Result<Self, String> {
        let envelope: Envelope<'_> =
            serde_json::from_slice(frame).map_err(|_| "The frame is not a request".to_owned())?;
        let id = match envelope.id {
            Value::String(text) => text,
            Value::Null => String::new(),
            other => other.to_string(),
        };
        Ok(Self {
            id,
            type_name: envelope.type_name.into_owned(),
            body: envelope.body,
            headers: one_or_many(envelope.headers),
            metadata: envelope.metadata.filter(|raw| raw.get() != "null"),
        })
    }

    /// The last part of the type, by which rules name the request.
    pub(crate) fn name(&self) -> &str {
        self.type_name.rsplit('.').next().unwrap_or_default()
    }

    /// The ids by which the request names a conversation: its own, a dialog's, and the one in a ring's id.
    pub(crate) fn conversation_ids(&self) -> Vec<String> {
        conversation_ids(&self.tree())
    }

    /// The body in a typed form; a missing body reads as an empty object.
    pub(crate) fn body<T: DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        serde_json::from_str(self.raw_body())
    }

    /// The body as JSON text.
    pub(crate) fn raw_body(&self) -> &str {
        match &self.body {
            Some(raw) if raw.get() != "null" => raw.get(),
            _ => "{}",
        }
    }

    /// The body as a tree.
    pub(crate) fn tree(&self) -> Value {
        self.body().unwrap_or(Value::Null)
    }
}

/// The ids by which a request's body names a conversation.
pub(crate) fn conversation_ids(body: &Value) -> Vec<String> {
    let ring = body["ringId"].as_str().and_then(|ring| ring.split('_').next());
    let named = ["conversationId", "dialogId", "convId"].into_iter().filter_map(|name| body[name].as_str());
    named.chain(ring).map(str::to_owned).collect()
}

/// A list that may have been sent as its only element (protocol [§4.4](crate::protocol#44)).
pub(crate) fn one_or_many(value: Value) -> Vec<Value> {
    match value {
        Value::Array(items) => items,
        Value::Null => Vec::new(),
        one => vec![one],
    }
}

/// Text of a member that may be a string or a number.
pub(crate) fn text_of(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// Number of a member that may be a number or its text.
pub(crate) fn number_of(value: &Value) -> Option<i64> {
    match value {
        Value::Number(number) => number.as_i64().or_else(|| number.as_f64().map(|float| float as i64)),
        Value::String(text) => text.parse().ok(),
        _ => None,
    }
}

/// An answer frame around a body that is JSON text already.
pub(crate) fn response_frame(request_id: &str, code: u16, type_name: &str, body: &str) -> String {
    let id = Value::from(request_id);
    format!(r#"{{"kind":"resp","reqId":{id},"code":{code},"type":"{type_name}","body":{body}}}"#)
}

/// A notification frame around a body that is JSON text already.
pub(crate) fn notification_frame(type_name: &str, body: &str) -> String {
    format!(r#"{{"kind":"notification","type":"{type_name}","body":{body}}}"#)
}
