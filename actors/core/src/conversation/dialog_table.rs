//! Finds the conversation of a dialog, because records may name only their dialog ([MS-9](crate::rules#ms-9)).

use std::collections::{HashMap, hash_map::Entry};

use crate::id::{ConversationId, DialogId};

/// The dialogs of many conversations, found by dialog and by conversation. The cost of forgetting a conversation
/// depends only on the number of its own dialogs.
#[derive(Clone, Debug, Default)]
pub struct DialogTable {
    conversations: HashMap<DialogId, ConversationId>,
    dialogs: HashMap<ConversationId, Vec<DialogId>>,
}

impl DialogTable {
    /// Records that a dialog belongs to a conversation. The latest record of a dialog counts.
    pub fn note(&mut self, dialog: DialogId, conversation: ConversationId) {
        match self.conversations.entry(dialog.clone()) {
            Entry::Occupied(known) if *known.get() == conversation => return,
            Entry::Occupied(mut known) => {
                let before = known.insert(conversation.clone());
                self.part(&dialog, &before);
            }
            Entry::Vacant(vacant) => {
                vacant.insert(conversation.clone());
            }
        }
        self.dialogs.entry(conversation).or_default().push(dialog);
    }

    /// Returns the conversation of a dialog, if recorded.
    #[must_use]
    pub fn conversation(&self, dialog: &str) -> Option<&ConversationId> {
        self.conversations.get(dialog)
    }

    /// Forgets a conversation's dialogs and returns them.
    pub fn forget(&mut self, conversation: &ConversationId) -> Vec<DialogId> {
        let dialogs = self.dialogs.remove(conversation).unwrap_or_default();
        for dialog in &dialogs {
            self.conversations.remove(dialog);
        }
        dialogs
    }

    fn part(&mut self, dialog: &DialogId, conversation: &ConversationId) {
        if let Entry::Occupied(mut dialogs) = self.dialogs.entry(conversation.clone()) {
            dialogs.get_mut().retain(|known| known != dialog);
            if dialogs.get().is_empty() {
                dialogs.remove();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(dialogs: &[(&str, &str)]) -> DialogTable {
        let mut table = DialogTable::default();
        for (dialog, conversation) in dialogs {
            table.note((*dialog).into(), (*conversation).into());
        }
        table
    }

    fn forgotten(table: &mut DialogTable, conversation: &str) -> Vec<String> {
        table.forget(&conversation.into()).iter().map(DialogId::to_string).collect()
    }

    #[test]
    fn a_conversation_is_forgotten_with_its_own_dialogs_and_no_others() {
        let mut table = table(&[("d1", "c1"), ("d2", "c2"), ("d3", "c1")]);
        assert_eq!(forgotten(&mut table, "c1"), ["d1", "d3"]);
        let left = ["d1", "d2", "d3"].map(|dialog| table.conversation(dialog).map(ConversationId::as_str));
        assert_eq!(left, [None, Some("c2"), None]);
        assert_eq!(forgotten(&mut table, "c1"), [""; 0]);
        assert_eq!(forgotten(&mut table, "c2"), ["d2"]);
        assert_eq!((table.conversations.len(), table.dialogs.len()), (0, 0));
    }

    #[test]
    fn a_dialog_that_is_noted_again_is_kept_once_and_belongs_to_the_latest_conversation() {
        let mut table = table(&[("d1", "c1"), ("d1", "c1"), ("d1", "c2")]);
        assert_eq!(table.conversation("d1").map(ConversationId::as_str), Some("c2"));
        assert_eq!(forgotten(&mut table, "c1"), [""; 0]);
        assert_eq!(forgotten(&mut table, "c2"), ["d1"]);
    }
}
