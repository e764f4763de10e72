//! The kinds of events, each with its name in the event's `type`.

use std::fmt;

use tertulia_core::conversation::ConversationEvent;

macro_rules! kinds {
    ($($(#[$doc:meta])* $kind:ident = $name:literal,)*) => {
        /// The kind of an event, which decides its name after `tertulia.` and its data.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[non_exhaustive]
        pub enum EventKind {
            $($(#[$doc])* #[doc = concat!("`", $name, "`")] $kind,)*
        }

        impl EventKind {
            /// Every kind.
            pub const ALL: &'static [Self] = &[$(Self::$kind),*];

            /// The name after `tertulia.`.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$kind => $name,)*
                }
            }
        }
    };
}

kinds! {
    Conversation = "conversation",
    Update = "update",
    Message = "message",
    MessageDelivery = "message-delivery",
    Close = "close",
    Dialog = "dialog",
    DialogClose = "dialog.close",
    BackToQueue = "back-to-queue",
    ConsumerStepUp = "consumer-step-up",
    GroupChange = "group-change",
    SkillChange = "skill-change",
    ManualEttrChange = "manual-ettr-change",
    ParticipantAdded = "participant-added",
    ParticipantRemoved = "participant-removed",
    ParticipantSuggested = "participant-suggested",
    ParticipantSuggestedRemoved = "participant-suggested-removed",
    ParticipantRoleChange = "participant-role-change",
    TransferAgent = "transfer-agent",
    TransferSkill = "transfer-skill",
    TtrChange = "ttr-change",
    ChatState = "chat-state",
    NotificationIgnored = "notification-ignored",
    NotificationOutOfOrder = "notification-out-of-order",
    Gap = "gap",
    Ring = "ring",
    CommandSent = "command-sent",
    CommandFailed = "command-failed",
    ConversationRestarted = "conversation-restarted",
    ConversationQuarantined = "conversation-quarantined",
    Connected = "connection.connected",
    Disconnected = "connection.disconnected",
    Resuming = "connection.resuming",
    Resumed = "connection.resumed",
    Lacking = "connection.lacking",
    Waiting = "connection.waiting",
    IdentityLost = "connection.identity-lost",
    Failed = "connection.failed",
}

impl EventKind {
    /// Returns the kind with this name, with or without the prefix `tertulia.`.
    ///
    /// ```
    /// use tertulia_actors::subscriber::EventKind;
    ///
    /// assert_eq!(EventKind::parse("tertulia.transfer-skill"), Some(EventKind::TransferSkill));
    /// assert_eq!(EventKind::parse("mesage"), None);
    /// ```
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        let name = name.strip_prefix("tertulia.").unwrap_or(name);
        Self::ALL.iter().copied().find(|kind| kind.name() == name)
    }
}

impl fmt::Display for EventKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl From<&ConversationEvent> for EventKind {
    fn from(event: &ConversationEvent) -> Self {
        match event {
            ConversationEvent::Conversation(_) => Self::Conversation,
            ConversationEvent::Update { .. } => Self::Update,
            ConversationEvent::Message(_) => Self::Message,
            ConversationEvent::MessageDelivery(_) => Self::MessageDelivery,
            ConversationEvent::Close { .. } => Self::Close,
            ConversationEvent::Dialog { .. } => Self::Dialog,
            ConversationEvent::DialogClose { .. } => Self::DialogClose,
            ConversationEvent::BackToQueue { .. } => Self::BackToQueue,
            ConversationEvent::ConsumerStepUp { .. } => Self::ConsumerStepUp,
            ConversationEvent::GroupChange { .. } => Self::GroupChange,
            ConversationEvent::SkillChange { .. } => Self::SkillChange,
            ConversationEvent::ManualEttrChange { .. } => Self::ManualEttrChange,
            ConversationEvent::ParticipantAdded { .. } => Self::ParticipantAdded,
            ConversationEvent::ParticipantRemoved { .. } => Self::ParticipantRemoved,
            ConversationEvent::ParticipantSuggested { .. } => Self::ParticipantSuggested,
            ConversationEvent::ParticipantSuggestedRemoved { .. } => Self::ParticipantSuggestedRemoved,
            ConversationEvent::ParticipantRoleChange { .. } => Self::ParticipantRoleChange,
            ConversationEvent::TransferAgent { .. } => Self::TransferAgent,
            ConversationEvent::TransferSkill { .. } => Self::TransferSkill,
            ConversationEvent::TtrChange { .. } => Self::TtrChange,
            ConversationEvent::ChatState { .. } => Self::ChatState,
            ConversationEvent::NotificationIgnored {} => Self::NotificationIgnored,
            ConversationEvent::NotificationOutOfOrder { .. } => Self::NotificationOutOfOrder,
            ConversationEvent::Gap { .. } => Self::Gap,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_name_is_that_of_one_kind() {
        for kind in EventKind::ALL {
            assert_eq!(EventKind::parse(kind.name()), Some(*kind));
        }
    }
}
