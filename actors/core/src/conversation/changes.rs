//! What a notification changes in a conversation without an event of its own.

use smallvec::SmallVec;

use super::{Participant, page_member::PageMember, unread_counts::UnreadCounts};
use crate::id::DialogId;

/// What a notification changes without an event of its own, noted while the notification is applied.
#[derive(Default)]
pub(super) struct Changes {
    members: SmallVec<[PageMember; 6]>,
    /// The unread messages before, if they differ.
    unread: Option<Option<UnreadCounts>>,
    /// The participants before, of each dialog whose participants differ.
    participants: SmallVec<[(DialogId, Vec<Participant>); 1]>,
}

impl Changes {
    /// Notes that a member has another value and that no event says so.
    pub(super) fn note(&mut self, member: PageMember) {
        if !self.members.contains(&member) {
            self.members.push(member);
        }
    }

    /// Notes a member if it has another value.
    pub(super) fn note_if(&mut self, is_different: bool, member: PageMember) {
        if is_different {
            self.note(member);
        }
    }

    /// Notes that the unread messages were `before`.
    pub(super) fn note_unread(&mut self, before: Option<UnreadCounts>) {
        self.unread.get_or_insert(before);
    }

    /// Notes that a dialog's participants were `before`.
    pub(super) fn note_participants(&mut self, dialog: &DialogId, before: Vec<Participant>) {
        self.participants.push((dialog.clone(), before));
    }

    /// Whether the participants of a dialog differ.
    pub(super) fn concern_people(&self) -> bool {
        !self.participants.is_empty()
    }

    /// The participants before of each dialog whose participants differ.
    pub(super) fn participants(&self) -> &[(DialogId, Vec<Participant>)] {
        &self.participants
    }

    /// The unread messages before, if they differ.
    pub(super) fn unread(&self) -> Option<&Option<UnreadCounts>> {
        self.unread.as_ref()
    }

    /// The noted members.
    pub(super) fn members(&self) -> &[PageMember] {
        &self.members
    }
}
