//! The brand's REST: what an agent asks of the platform without a socket (protocol [§10.5](crate::protocol#105)).
//!
//! [`RestRequest`] is one row of that table, with its method, path and body. [`RestRequest::of`] finds the row for a
//! request of the wire, so that a conversation's commands are planned once and carried either way. What changes a
//! conversation is written against the version that was read before ([`RestRequest::version_of`]).

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

/// Where a dialog is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DialogPlace {
    /// The conversation.
    pub conversation: ConversationId,
    /// The dialog.
    pub dialog: DialogId,
}

/// What can be asked by REST.
#[derive(Clone, Debug, PartialEq)]
pub enum RestRequest {
    /// Reads a conversation.
    Conversation(ConversationId),
    /// Reads a dialog.
    Dialog(DialogPlace),
    /// Reads one participant of a dialog.
    Participant {
        /// Of which dialog.
        place: DialogPlace,
        /// Who, as `account.user`.
        participant: String,
    },
    /// Sets the stage of a conversation: ends it with all its dialogs.
    SetStage {
        /// Of which conversation.
        conversation: ConversationId,
        /// The stage.
        stage: Stage,
    },
    /// Sets how soon an answer is wanted.
    SetTtr {
        /// In which conversation.
        conversation: ConversationId,
        /// How.
        ttr_type: TtrType,
        /// In seconds; counts for [`TtrType::Custom`].
        value: u64,
    },
    /// Sets the deadline of the answer.
    SetManualEttr {
        /// In which conversation.
        conversation: ConversationId,
        /// The deadline.
        time: Timestamp,
    },
    /// Ends a dialog.
    CloseDialog {
        /// Which.
        place: DialogPlace,
        /// Who ends it.
        reason: CloseReason,
    },
    /// Lets somebody take part in a dialog, or proposes it.
    AddParticipant {
        /// In which dialog.
        place: DialogPlace,
        /// Who, as `account.user`.
        participant: String,
        /// As what.
        role: ParticipantRole,
        /// Whether at once or as a proposal.
        state: ParticipantStatus,
    },
    /// Lets somebody take part no more.
    RemoveParticipant {
        /// In which dialog.
        place: DialogPlace,
        /// Who, as `account.user`.
        participant: String,
    },
    /// Takes a conversation from its agent, to another agent, a skill or both.
    Transfer {
        /// Which conversation.
        conversation: ConversationId,
        /// From whom.
        from: String,
        /// To whom.
        agent: Option<String>,
        /// To which skill.
        skill: Option<SkillId>,
    },
    /// Publishes something in a dialog.
    Publish {
        /// In which dialog.
        place: DialogPlace,
        /// Who may read it.
        audience: MessageAudience,
        /// What.
        message: RestMessage,
        /// What goes with it.
        metadata: Vec<Value>,
    },
    /// Reads the history of a dialog. Both bounds are exclusive.
    Messages {
        /// Of which dialog.
        place: DialogPlace,
        /// Only sequences above; -1 for all.
        newer_than: Option<i64>,
        /// Only sequences below.
        older_than: Option<i64>,
        /// At most so many.
        limit: Option<u64>,
    },
    /// Asks where to upload a file.
    UploadPath {
        /// Its size in bytes.
        file_size: u64,
        /// JPG, JPEG, PNG, GIF, PDF, DOCX, PPTX or XLSX.
        file_type: String,
    },
    /// Asks where to download a file.
    DownloadPath {
        /// Its path on the storage.
        relative_path: String,
    },
}

/// What is published by REST.
#[derive(Clone, Debug, PartialEq)]
pub enum RestMessage {
    /// Text.
    PlainText {
        /// The text.
        text: Value,
        /// Suggested answers.
        quick_replies: Option<Value>,
    },
    /// Structured content.
    RichContent {
        /// The content.
        content: Value,
        /// Suggested answers.
        quick_replies: Option<Value>,
    },
    /// A file that is on the platform's storage.
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
