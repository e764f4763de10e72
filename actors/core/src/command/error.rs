//! Why a command is refused before anything is sent.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::{
    id::{AgentId, ConversationId, DialogId},
    note::NoteError,
    rich_content::Invalid,
};

/// A command that was refused; nothing was sent.
#[derive(Clone, Debug, PartialEq, Eq, Error, Serialize, Deserialize)]
#[error("conversation {conversation}: {refusal}")]
pub struct CommandError {
    /// The conversation.
    pub conversation: ConversationId,
    /// The reason.
    pub refusal: Refusal,
}

impl CommandError {
    /// The stable code of the reason, as the gateway returns it.
    #[must_use]
    pub fn code(&self) -> &'static str {
        self.refusal.code()
    }
}

/// Why a command is refused.
#[derive(Clone, Debug, PartialEq, Eq, Error, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Refusal {
    /// The command needs an open dialog.
    #[error("no open dialog")]
    NoOpenDialog,
    /// The dialog is unknown.
    #[error("no dialog {0}")]
    UnknownDialog(DialogId),
    /// The dialog has ended.
    #[error("dialog {0} is closed")]
    DialogClosed(DialogId),
    /// The whole conversation has ended for good ([NT-1](crate::rules#nt-1)).
    #[error("the conversation is locked")]
    Locked,
    /// This side, or this kind of dialog, does not support the command.
    #[error("{0}")]
    NotSupported(Cow<'static, str>),
    /// The text is empty.
    #[error("the text is empty")]
    TextEmpty,
    /// The text has too many characters.
    #[error("the text has {length} characters, {limit} are allowed")]
    TextTooLong {
        /// The number of characters.
        length: usize,
        /// The limit.
        limit: usize,
    },
    /// Structured content that breaks a rule of its elements ([CV-F8](crate::rules#cv-f8)).
    #[error("the structured content is invalid: {0}")]
    RichTextInvalid(Invalid),
    /// The structured content has too many characters.
    #[error("the structured content has {length} characters, {limit} are allowed")]
    RichTextTooLong {
        /// The number of characters, as JSON.
        length: usize,
        /// The limit.
        limit: usize,
    },
    /// The quick replies break one of their rules.
    #[error("the quick replies are invalid: {0}")]
    QuickRepliesInvalid(Invalid),
    /// The file has no path or no type.
    #[error("the file needs its path and its type")]
    FileIncomplete,
    /// The preview has too many bytes.
    #[error("the preview has {length} bytes, {limit} are allowed")]
    PreviewTooLarge {
        /// The number of bytes.
        length: usize,
        /// The limit.
        limit: usize,
    },
    /// An entry of the metadata breaks a rule of its type.
    #[error("the metadata's entry {index} is invalid: {invalid}")]
    MetadataInvalid {
        /// The index of the entry, from 0.
        index: usize,
        /// What is wrong with the entry.
        invalid: Invalid,
    },
    /// The metadata has too many entries, including the command's key.
    #[error("the metadata has {count} entries, {limit} are allowed")]
    MetadataTooMany {
        /// The number of entries.
        count: usize,
        /// The limit.
        limit: usize,
    },
    /// The key is empty, or has more than [`super::KEY_CHARS`] characters.
    #[error("the key has {length} characters, from 1 to 64 are allowed")]
    BadKey {
        /// The number of characters.
        length: usize,
    },
    /// The agent's note cannot be written among the others ([CV-F9](crate::rules#cv-f9)).
    #[error(transparent)]
    AgentNote(#[from] NoteError),
    /// The whole note has too many characters.
    #[error("the note has {length} characters, {limit} are allowed")]
    NoteTooLong {
        /// The number of characters.
        length: usize,
        /// The limit.
        limit: usize,
    },
    /// No sequence can be in the range.
    #[error("the range cannot contain a message")]
    BadRange,
    /// The satisfaction is not from 0 to 5 ([CV-F10](crate::rules#cv-f10)).
    #[error("a satisfaction of {0} is not from 0 to 5")]
    BadCsat(u8),
    /// The conversation is already assigned to this agent ([TR-2](crate::rules#tr-2)).
    #[error("the conversation is already assigned to {0}")]
    SameAgent(AgentId),
    /// The dialog has no consumer to take over from ([CV-F1](crate::rules#cv-f1)).
    #[error("the open dialog has no consumer")]
    NoConsumer,
    /// The consumer already has the conversation.
    #[error("the consumer already has the conversation")]
    SameConsumer,
    /// This connection's agent is not a participant.
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
