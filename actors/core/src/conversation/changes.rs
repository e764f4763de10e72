//! The changes of a notification that no event of their own reports.

use smallvec::SmallVec;

use super::{Participant, page_member::PageMember, unread_counts::UnreadCounts};
use crate::id::DialogId;

/// The changes of a notification that no event of their own reports, recorded while the notification is applied.
#[derive(Default)]
pub(super) struct Changes {
    members: SmallVec<[PageMember; 6]>,
    /// The unread messages before the notification, if they changed.
    unread: Option<Option<UnreadCounts>>,
    /// Each dialog whose participants changed, with its participants before the notification.
    participants: SmallVec<[(DialogId, Vec<Participant>); 1]>,
}

impl Changes {
    /// Records that a member has another value, which no event reports.
    pub(super) fn note(&mut self, member: PageMember) {
        if !self.members.contains(&member) {
            self.members.push(member);
        }
    }

    /// Records a member if its value is different.
    pub(super) fn note_if(&mut self, is_different: bool, member: PageMember) {
        if is_different {
            self.note(member);
        }
    }

    /// Records that the unread messages changed from `before`.
    pub(super) fn note_unread(&mut self, before: Option<UnreadCounts>) {
        self.unread.get_or_insert(before);
    }

    /// Records that a dialog's participants changed from `before`.
    pub(super) fn note_participants(&mut self, dialog: &DialogId, before: Vec<Participant>) {
        self.participants.push((dialog.clone(), before));
    }

    /// Whether the participants of any dialog changed.
    pub(super) fn concern_people(&self) -> bool {
        !self.participants.is_empty()
    }

    /// Each dialog whose participants changed, with its participants before the notification.
    pub(super) fn participants(&self) -> &[(DialogId, Vec<Participant>)] {
        &self.participants
    }

    /// The unread messages before the notification, if they changed.
    pub(super) fn unread(&self) -> Option<&Option<UnreadCounts>> {
        self.unread.as_ref()
    }

    /// The recorded members.
    pub(super) fn members(&self) -> &[PageMember] {
        &self.members
    }
}
