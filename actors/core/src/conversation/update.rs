//! The update event of a conversation: the members that one notification changed and that no other event reports.

use smallvec::SmallVec;

use super::{
    Conversation, ConversationEvent, Dialog, Participant,
    changes::Changes,
    page_member::PageMember,
    participants::{assigned_agent, consumer, told_by},
};
use crate::id::DialogId;

/// With more participants, dialogs or events than this, the members in `PEOPLE` are not compared. The update then has
/// all of them.
const FEW: usize = 64;

/// The members that depend on the participants.
const PEOPLE: [PageMember; 5] = [
    PageMember::AssignedAgent,
    PageMember::Consumer,
    PageMember::Dialogs,
    PageMember::Participants,
    PageMember::UnreadMessages,
];

/// The dialogs that determine the participants on a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Choice {
    /// The open dialog of an open conversation. The page takes the assigned agent and the consumer from it.
    open: Option<DialogId>,
    /// The open dialog, otherwise MAIN. The page takes the participants from it.
    shown: Option<DialogId>,
}

impl Conversation {
    /// The dialog whose participants the page shows.
    pub(super) fn shown_dialog(&self) -> Option<&Dialog> {
        self.open_dialog().or_else(|| self.main_dialog())
    }

    /// The dialogs that determine the participants on the page now.
    pub(super) fn choice(&self) -> Choice {
        let open = self.open_dialog();
        let id = |dialog: &Dialog| dialog.dialog_id.clone();
        Choice { open: open.filter(|_| self.is_open()).map(id), shown: open.or_else(|| self.main_dialog()).map(id) }
    }

    /// Returns the update event of a notification with these changes and `events`. Returns `None` if only the version
    /// and the count of notifications changed; the next update has both.
    pub(super) fn update(
        &self,
        mut changes: Changes,
        before: &Choice,
        events: &[ConversationEvent],
    ) -> Option<ConversationEvent> {
        if self.are_few(&changes, events) {
            if changes.concern_people() || *before != self.choice() {
                self.compare_people(&mut changes, before, events);
            }
            self.compare_unread(&mut changes);
        } else {
            PEOPLE.iter().for_each(|member| changes.note(*member));
        }
        let is_deadline_told = events.iter().any(|event| {
            matches!(event, ConversationEvent::TtrChange { .. } | ConversationEvent::ManualEttrChange { .. })
        });
        let is_told = |member: &PageMember| *member == PageMember::TtrEffective && is_deadline_told;
        let is_news = |member: &PageMember| !matches!(member, PageMember::UpdateTime | PageMember::NotificationCount);
        let untold: SmallVec<[PageMember; 8]> =
            changes.members().iter().copied().filter(|member| !is_told(member)).collect();
        untold.iter().any(is_news).then(|| ConversationEvent::Update { changed: self.page(&untold) })
    }

    /// Whether the lists are short enough to compare the participants one by one.
    fn are_few(&self, changes: &Changes, events: &[ConversationEvent]) -> bool {
        let lists = || {
            let before = changes.participants().iter().map(|(_, before)| before.as_slice());
            before.chain(self.dialogs.iter().map(Dialog::participants))
        };
        !changes.concern_people()
            || (events.len() <= FEW && lists().count() <= FEW && lists().all(|participants| participants.len() <= FEW))
    }

    /// Records the members in `PEOPLE` that changed and that the events do not report. Events report the participants
    /// of each dialog, but not from which dialog the page takes its participants.
    fn compare_people(&self, changes: &mut Changes, before: &Choice, events: &[ConversationEvent]) {
        let now = |dialog: &DialogId| self.dialog(dialog).map(Dialog::participants).unwrap_or_default();
        let is_told = |(dialog, before): &(DialogId, Vec<Participant>)| {
            is_same_company(&told_by(before, dialog, events), now(dialog))
        };
        let chosen = |dialog: &Option<DialogId>| {
            dialog.as_ref().map(|dialog| self.participants_before(changes, dialog)).unwrap_or_default()
        };
        let (shown, in_charge) = (chosen(&before.shown), chosen(&before.open));
        let participants = self.shown_dialog().map(Dialog::participants).unwrap_or_default();
        let differences = [
            (PageMember::Dialogs, !changes.participants().iter().all(is_told)),
            (PageMember::Participants, !is_same_company(shown, participants)),
            (PageMember::AssignedAgent, assigned_agent(in_charge) != self.assigned_agent()),
            (PageMember::Consumer, consumer(in_charge) != self.consumer()),
        ];
        for (member, is_different) in differences {
            changes.note_if(is_different, member);
        }
    }

    /// Records a change of the unread messages. The page has them by the participants' user ids, so a change of
    /// participants may change them too.
    fn compare_unread(&self, changes: &mut Changes) {
        let held = &self.members.number_of_unread_messages;
        if changes.unread().is_none() && !(changes.concern_people() && held.is_some()) {
            return;
        }
        let before = changes.unread().unwrap_or(held).as_ref().map(|unread| {
            let dialogs = || self.dialogs.iter().map(|dialog| &dialog.dialog_id);
            unread.by_user_id(|| dialogs().flat_map(|dialog| self.participants_before(changes, dialog)))
        });
        changes.note_if(before != self.number_of_unread_messages(), PageMember::UnreadMessages);
    }

    /// The participants that a dialog had before the notification.
    fn participants_before<'c>(&'c self, changes: &'c Changes, dialog: &DialogId) -> &'c [Participant] {
        match changes.participants().iter().find(|(noted, _)| noted == dialog) {
            Some((_, before)) => before,
            None => self.dialog(dialog).map(Dialog::participants).unwrap_or_default(),
        }
    }
}

/// Whether both lists have the same participants, in any order.
fn is_same_company(one: &[Participant], other: &[Participant]) -> bool {
    one.len() == other.len() && one.iter().all(|participant| other.contains(participant))
}
