//! The page of a conversation: all members under their names on the class page, as JSON.

use serde::{Serialize, Serializer, ser::SerializeMap};
use serde_json::{
    Value,
    value::{RawValue, to_raw_value},
};

use super::{Conversation, Dialog, PageText, Participant, as_sent::AsSent, page_member::PageMember};
use crate::{
    id::{DialogId, UserId},
    time::Timestamp,
    ums::{ChannelType, CloseReason, DialogStatus, DialogType},
};

impl Conversation {
    /// All members under their names on the class page, with the dialogs, and with the participants of the open dialog
    /// (of MAIN if no dialog is open).
    #[must_use]
    pub fn members(&self) -> Value {
        // The names and values of a page can always be serialized.
        serde_json::to_value(Page { conversation: self, members: PageMember::ALL }).unwrap_or_default()
    }

    /// The text of an object with these members of the page.
    pub(super) fn page(&self, members: &[PageMember]) -> PageText {
        let text = to_raw_value(&Page { conversation: self, members });
        PageText::from(text.unwrap_or_else(|_| RawValue::NULL.to_owned()))
    }

    fn write<M: SerializeMap>(&self, member: PageMember, page: &mut M) -> Result<(), M::Error> {
        let (name, members) = (member.name(), &self.members);
        match member {
            PageMember::ConversationId => page.serialize_entry(name, &self.id),
            PageMember::AccountId => page.serialize_entry(name, &members.account_id),
            PageMember::AppInstId => page.serialize_entry(name, &members.app_inst_id),
            PageMember::AssignedAgent => page.serialize_entry(name, &self.assigned_agent()),
            PageMember::CampaignId => page.serialize_entry(name, &self.campaign_id().map(NumberOrText)),
            PageMember::CloseReason => page.serialize_entry(name, &members.close_reason),
            PageMember::CloseTime => page.serialize_entry(name, &members.close_time),
            PageMember::Consumer => page.serialize_entry(name, &self.consumer()),
            PageMember::Context => page.serialize_entry(name, &AsSent(members.context.as_deref())),
            PageMember::Csat => page.serialize_entry(name, &members.csat),
            PageMember::Delay => page.serialize_entry(name, &members.delay),
            PageMember::Dialogs => page.serialize_entry(name, &DialogPages(&self.dialogs)),
            PageMember::EngagementId => page.serialize_entry(name, &self.engagement_id().map(NumberOrText)),
            PageMember::ExternalConsumerId => page.serialize_entry(name, &self.external_consumer_id),
            PageMember::FirstConversation => page.serialize_entry(name, &members.first_conversation),
            PageMember::GroupId => page.serialize_entry(name, &members.group_id),
            PageMember::HandlerAccountId => page.serialize_entry(name, &members.handler_account_id),
            PageMember::HandlerSkillId => page.serialize_entry(name, &members.handler_skill_id),
            PageMember::Note => page.serialize_entry(name, &members.note),
            PageMember::NotificationCount => page.serialize_entry(name, &self.counters.processed),
            PageMember::NotificationIgnoredCount => page.serialize_entry(name, &self.counters.ignored),
            PageMember::NotificationOutOfOrderCount => page.serialize_entry(name, &self.counters.out_of_order),
            PageMember::UnreadMessages => page.serialize_entry(name, &self.number_of_unread_messages().map(ByUser)),
            PageMember::Participants => {
                page.serialize_entry(name, self.shown_dialog().map(Dialog::participants).unwrap_or_default())
            }
            PageMember::SkillId => page.serialize_entry(name, &members.skill_id),
            PageMember::Stage => page.serialize_entry(name, &members.stage),
            PageMember::StartTime => page.serialize_entry(name, &members.start_time),
            PageMember::TtrEffective => page.serialize_entry(name, &members.ttr_effective),
            PageMember::TtrEffectiveManual => page.serialize_entry(name, &members.ttr_effective_manual),
            PageMember::TtrType => page.serialize_entry(name, &members.ttr_type),
            PageMember::TtrValue => page.serialize_entry(name, &members.ttr_value),
            PageMember::UpdateTime => page.serialize_entry(name, &members.update_time),
        }
    }
}

/// These members of a conversation.
struct Page<'c> {
    conversation: &'c Conversation,
    members: &'c [PageMember],
}

impl Serialize for Page<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut page = serializer.serialize_map(Some(self.members.len()))?;
        for member in self.members {
            self.conversation.write(*member, &mut page)?;
        }
        page.end()
    }
}

/// The dialogs that the newest state has.
struct DialogPages<'c>(&'c [Dialog]);

impl Serialize for DialogPages<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().filter(|dialog| !dialog.is_gone()).map(DialogPage::new))
    }
}

/// The members of a dialog.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct DialogPage<'d> {
    dialog_id: &'d DialogId,
    dialog_type: &'d Option<DialogType>,
    channel_type: &'d Option<ChannelType>,
    state: &'d DialogStatus,
    start_time: Option<Timestamp>,
    update_time: Option<Timestamp>,
    end_time: Option<Timestamp>,
    closed_by: &'d Option<CloseReason>,
    closed_cause: &'d Option<Box<str>>,
    meta_data: AsSent<'d>,
    assigned_agent: Option<&'d Participant>,
    consumer: Option<&'d Participant>,
    participants: &'d [Participant],
    next_sequence: Option<u64>,
    read_by_consumer: Option<u64>,
    read_by_assigned_agent: Option<u64>,
}

impl<'d> DialogPage<'d> {
    fn new(dialog: &'d Dialog) -> Self {
        let (read_by_consumer, read_by_assigned_agent) = dialog.newest_read();
        Self {
            dialog_id: &dialog.dialog_id,
            dialog_type: &dialog.dialog_type,
            channel_type: &dialog.channel_type,
            state: &dialog.state,
            start_time: dialog.start_time,
            update_time: dialog.update_time,
            end_time: dialog.end_time,
            closed_by: &dialog.closed_by,
            closed_cause: &dialog.closed_cause,
            meta_data: AsSent(dialog.meta_data.as_deref()),
            assigned_agent: dialog.assigned_agent(),
            consumer: dialog.consumer(),
            participants: dialog.participants(),
            next_sequence: dialog.next_sequence(),
            read_by_consumer,
            read_by_assigned_agent,
        }
    }
}

/// Counts by user.
struct ByUser(Vec<(UserId, u64)>);

impl Serialize for ByUser {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(user, count)| (user, count)))
    }
}

/// An id that is a number on the class page ([CV-M3](crate::rules#cv-m3)), although the protocol also allows strings.
struct NumberOrText<'c>(&'c str);

impl Serialize for NumberOrText<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0.parse::<u64>() {
            Ok(number) => serializer.serialize_u64(number),
            Err(_) => serializer.serialize_str(self.0),
        }
    }
}
