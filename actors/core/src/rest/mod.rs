//! The brand's REST API: an agent's requests to the platform without a socket (protocol [§10.5](crate::protocol#105)).
//!
//! [`RestRequest`] is one request of that API, with its method, path and body. [`RestRequest::of`] converts a request
//! of the protocol, so that a conversation's commands are planned once for both ways. A change of a conversation is
//! conditional on the version that was read before ([`RestRequest::version_of`]).

mod carried;
#[cfg(test)]
mod tests;
mod wire;

use serde_json::Value;

pub use carried::{NotByRest, answer_body};
pub(crate) use wire::encoded;
pub use wire::{RestMethod, segment};

use crate::{
    id::{ConversationId, DialogId, SkillId},
    time::Timestamp,
    ums::{
        ChatState, CloseReason, DeliveryStatus, MessageAudience, ParticipantRole, ParticipantStatus, Stage, TtrType,
    },
};

/// The position of a dialog.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DialogPlace {
    /// The conversation.
    pub conversation: ConversationId,
    /// The dialog.
    pub dialog: DialogId,
}

/// A request of the REST API.
#[derive(Clone, Debug, PartialEq)]
pub enum RestRequest {
    /// Reads a conversation.
    Conversation(ConversationId),
    /// Reads a dialog.
    Dialog(DialogPlace),
    /// Reads one participant of a dialog.
    Participant {
        /// The dialog.
        place: DialogPlace,
        /// The participant, as `account.user`.
        participant: String,
    },
    /// Sets the stage of a conversation: ends it with all its dialogs.
    SetStage {
        /// The conversation.
        conversation: ConversationId,
        /// The stage.
        stage: Stage,
    },
    /// Sets how soon a response is wanted.
    SetTtr {
        /// The conversation.
        conversation: ConversationId,
        /// How it is set.
        ttr_type: TtrType,
        /// In seconds; used only for [`TtrType::Custom`].
        value: u64,
    },
    /// Sets the time until which a response is due.
    SetManualEttr {
        /// The conversation.
        conversation: ConversationId,
        /// The time.
        time: Timestamp,
    },
    /// Ends a dialog.
    CloseDialog {
        /// The dialog.
        place: DialogPlace,
        /// Who ends it.
        reason: CloseReason,
    },
    /// Adds a participant to a dialog, or suggests one.
    AddParticipant {
        /// The dialog.
        place: DialogPlace,
        /// The participant, as `account.user`.
        participant: String,
        /// The role.
        role: ParticipantRole,
        /// Whether the participant joins at once or is suggested.
        state: ParticipantStatus,
    },
    /// Removes a participant.
    RemoveParticipant {
        /// The dialog.
        place: DialogPlace,
        /// The participant, as `account.user`.
        participant: String,
    },
    /// Transfers a conversation from its agent to another agent, a skill or both.
    Transfer {
        /// The conversation.
        conversation: ConversationId,
        /// The present agent.
        from: String,
        /// The new agent.
        agent: Option<String>,
        /// The new skill.
        skill: Option<SkillId>,
    },
    /// Publishes a message in a dialog.
    Publish {
        /// The dialog.
        place: DialogPlace,
        /// The audience.
        audience: MessageAudience,
        /// The message.
        message: RestMessage,
        /// Its metadata.
        metadata: Vec<Value>,
    },
    /// Reads the history of a dialog. Both bounds are exclusive.
    Messages {
        /// The dialog.
        place: DialogPlace,
        /// Only later sequences; -1 for all.
        newer_than: Option<i64>,
        /// Only earlier sequences.
        older_than: Option<i64>,
        /// The most records.
        limit: Option<u64>,
    },
    /// Requests the address for an upload.
    UploadPath {
        /// Its size in bytes.
        file_size: u64,
        /// JPG, JPEG, PNG, GIF, PDF, DOCX, PPTX or XLSX.
        file_type: String,
    },
    /// Requests the address for a download.
    DownloadPath {
        /// Its path on the storage.
        relative_path: String,
    },
}

/// A message published by REST.
#[derive(Clone, Debug, PartialEq)]
pub enum RestMessage {
    /// Text.
    PlainText {
        /// The text.
        text: Value,
        /// Suggested replies.
        quick_replies: Option<Value>,
    },
    /// Structured content.
    RichContent {
        /// The content.
        content: Value,
        /// Suggested replies.
        quick_replies: Option<Value>,
    },
    /// A file on the platform's storage.
    HostedFile(Value),
    /// A file that is elsewhere.
    ExternalFile(Value),
    /// An invitation to fill a secure form.
    SecureFormInvitation(Value),
    /// A filled secure form.
    SecureFormSubmission(Value),
    /// A receipt.
    Acknowledgement {
        /// What became of the messages.
        status: DeliveryStatus,
        /// Which.
        sequences: Vec<u64>,
    },
    /// What the agent is doing.
    ChatState(ChatState),
}
