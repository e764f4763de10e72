//! Why a command is refused before anything is sent.

use thiserror::Error;

use crate::{
    id::{AgentId, ConversationId, DialogId},
    note::NoteError,
    rich_content::Invalid,
};

/// A command that was refused; nothing was sent.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("conversation {conversation}: {refusal}")]
pub struct CommandError {
    /// Of which conversation it was asked.
    pub conversation: ConversationId,
    /// Why it is refused.
    pub refusal: Refusal,
}

impl CommandError {
    /// The stable word for the reason, as the gateway answers it.
    #[must_use]
    pub fn code(&self) -> &'static str {
        self.refusal.code()
    }
}

/// Why a command is refused.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Refusal {
    /// The command needs an open dialog.
    #[error("no open dialog")]
    NoOpenDialog,
    /// The named dialog is not known.
    #[error("no dialog {0}")]
    UnknownDialog(DialogId),
    /// The named dialog has ended.
    #[error("dialog {0} is closed")]
    DialogClosed(DialogId),
    /// The whole conversation has ended for good ([NT-1](crate::rules#nt-1)).
    #[error("the conversation is locked")]
    Locked,
    /// This side, or this kind of dialog, does not take the command.
    #[error("{0}")]
    NotSupported(&'static str),
    /// A text without a character.
    #[error("the text is empty")]
    TextEmpty,
    /// A text of too many characters.
    #[error("the text has {length} characters, {limit} are allowed")]
    TextTooLong {
        /// Its characters.
        length: usize,
        /// The most allowed.
        limit: usize,
    },
    /// Structured content that breaks a rule of its elements ([CV-F8](crate::rules#cv-f8)).
    #[error("the structured content is invalid: {0}")]
    RichTextInvalid(Invalid),
    /// Structured content of too many characters.
    #[error("the structured content has {length} characters, {limit} are allowed")]
    RichTextTooLong {
        /// Its characters, as JSON.
        length: usize,
        /// The most allowed.
        limit: usize,
    },
    /// Quick replies that break a rule of theirs.
    #[error("the quick replies are invalid: {0}")]
    QuickRepliesInvalid(Invalid),
    /// A file without a path or a type.
    #[error("the file needs its path and its type")]
    FileIncomplete,
    /// A preview of too many bytes.
    #[error("the preview has {length} bytes, {limit} are allowed")]
    PreviewTooLarge {
        /// Its bytes.
        length: usize,
        /// The most allowed.
        limit: usize,
    },
    /// Metadata with an entry that breaks a rule of its type.
    #[error("the metadata's entry {index} is invalid: {invalid}")]
    MetadataInvalid {
        /// Which entry, from 0.
        index: usize,
        /// What is wrong in it.
        invalid: Invalid,
    },
    /// Too many entries of metadata, the command's key among them.
    #[error("the metadata has {count} entries, {limit} are allowed")]
    MetadataTooMany {
        /// The entries.
        count: usize,
        /// The most allowed.
        limit: usize,
    },
    /// A key of no characters, or of more than [`super::KEY_CHARS`].
    #[error("the key has {length} characters, from 1 to 64 are allowed")]
    BadKey {
        /// Its characters.
        length: usize,
    },
    /// An agent's note that cannot be written among the others ([CV-F9](crate::rules#cv-f9)).
    #[error(transparent)]
    AgentNote(#[from] NoteError),
    /// A whole note of too many characters.
    #[error("the note has {length} characters, {limit} are allowed")]
    NoteTooLong {
        /// Its characters.
        length: usize,
        /// The most allowed.
        limit: usize,
    },
    /// A range that no sequence can be in.
    #[error("the range cannot contain a message")]
    BadRange,
    /// A satisfaction out of its range ([CV-F10](crate::rules#cv-f10)).
    #[error("a satisfaction of {0} is not from 0 to 5")]
    BadCsat(u8),
    /// A transfer to the agent who has the conversation ([TR-2](crate::rules#tr-2)).
    #[error("the conversation is already assigned to {0}")]
    SameAgent(AgentId),
    /// A takeover without a consumer to take over from ([CV-F1](crate::rules#cv-f1)).
    #[error("the open dialog has no consumer")]
    NoConsumer,
    /// A takeover by the consumer who has the conversation.
    #[error("the consumer already has the conversation")]
    SameConsumer,
    /// A leave by somebody who takes no part.
    #[error("this connection's agent is not a participant of the dialog")]
    NotAParticipant,
}

impl Refusal {
    fn code(&self) -> &'static str {
        match self {
            Self::NoOpenDialog => "no-open-dialog",
            Self::UnknownDialog(_) => "unknown-dialog",
            Self::DialogClosed(_) => "dialog-closed",
            Self::Locked => "conversation-locked",
            Self::NotSupported(_) => "not-supported",
            Self::TextEmpty => "text-empty",
            Self::TextTooLong { .. } => "text-too-long",
            Self::RichTextInvalid(_) => "rich-text-invalid",
            Self::RichTextTooLong { .. } => "rich-text-too-long",
            Self::QuickRepliesInvalid(_) => "quick-replies-invalid",
            Self::FileIncomplete => "file-incomplete",
            Self::PreviewTooLarge { .. } => "preview-too-large",
            Self::MetadataInvalid { .. } => "metadata-invalid",
            Self::MetadataTooMany { .. } => "metadata-too-many",
            Self::BadKey { .. } => "bad-key",
            Self::AgentNote(NoteError::NoRoomLeft) => "note-full",
            Self::AgentNote(NoteError::OfAnother { .. }) => "note-of-another",
            Self::AgentNote(NoteError::TooLong { .. }) | Self::NoteTooLong { .. } => "note-too-long",
            Self::BadRange => "bad-range",
            Self::BadCsat(_) => "bad-csat",
            Self::SameAgent(_) => "same-agent",
            Self::NoConsumer => "no-consumer",
            Self::SameConsumer => "same-consumer",
            Self::NotAParticipant => "not-a-participant",
        }
    }
}
