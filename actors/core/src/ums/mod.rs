//! The UMS protocol: one typed model for both dialects.
//!
//! Reading is lenient, as the platform requires (protocol [§4.4](crate::protocol#44)): strings or numbers, one or many,
//! maps or arrays, missing optional members, unknown members and unknown enumeration values. Writing is strict.

mod cobrowse;
mod conversation_change;
mod dialect;
mod enumeration;
mod envelope;
mod field_change;
mod frame_error;
mod ill_typed;
mod json;
mod json_reader;
mod lenient;
pub(crate) mod meaning;
mod message;
mod notification;
mod participant;
mod profile;
mod repeated_frame;
mod request;
mod request_body;
mod response;
mod routing;
mod secure_form;
mod state_sections;
#[cfg(test)]
mod tests;
mod text;
mod unlisted;
mod usual_frame;

pub use cobrowse::CobrowseSession;
pub use conversation_change::{
    CampaignInfo, ConversationDetails, ConversationState, Csat, Delay, DialogState, HandlerDetails, Ttr, UnreadMessages,
};
pub use dialect::Dialect;
pub use enumeration::{
    AgentState, ChangeKind, ChannelType, ChatState, CloseReason, ContentType, CsatStatus, DelayType, DeliveryStatus,
    DialogChangeKind, DialogStatus, DialogType, MessageAudience, ParticipantChangeKind, ParticipantRole,
    ParticipantStatus, RingState, Stage, TtrType,
};
pub use envelope::{Code, Frame, Response};
pub use field_change::{DialogChange, FieldChange};
pub use frame_error::FrameError;
pub use ill_typed::DroppedMembers;
pub(crate) use ill_typed::without_ill_typed;
pub use json::Json;
pub use lenient::Presence;
pub use message::{MessageContent, MessageRecord, Originator};
pub use notification::{
    AgentStateChange, Change, ConversationChanges, Messages, Notification, RingChange, Rings, StateText,
};
pub use participant::{Listed, ParticipantDetails, Person, RoleMap, Roster};
pub use profile::UserProfile;
pub use repeated_frame::{FrameFingerprint, RepeatedFrames};
pub use request::{Request, RequestFrame, RequestFrameError};
pub use request_body::{
    AgentConversationRequest, AgentStateRequest, AgentsStateSubscription, ClientProperties, ConversationQuery,
    ConversationRequest, ConversationUpdate, DownloadUrlRequest, FileSize, InitConnection, MessageQuery,
    MessageSubscription, Nothing, ProfileQuery, PublishRequest, RingAnswer, RoutingSubscription, TokenRequest,
    Unsubscription, UploadUrlRequest,
};
pub use response::{AnswerError, SignedQuery, SignedUrl};
pub use routing::{Ring, RoutingTask};
pub use secure_form::{SecureFormInvitation, SecureFormSubmission};
pub(crate) use state_sections::{SectionMeanings, SectionTexts, SectionedState, Unchanged};
pub use text::Text;
pub use unlisted::Unlisted;
pub use usual_frame::{RecordsAddress, StateFrame};
