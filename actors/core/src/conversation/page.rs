//! The page of a conversation: all members under their names on the class page, as JSON.

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::{Conversation, Dialog, page_member::PageMember};

impl Conversation {
    /// All members under their names on the class page, with the dialogs, and with the participants of the open dialog
    /// (of MAIN if no dialog is open).
    #[must_use]
    pub fn members(&self) -> Value {
        Value::Object(self.page())
    }

    pub(super) fn page(&self) -> Map<String, Value> {
        PageMember::ALL.iter().map(|member| (member.name().to_owned(), self.page_member(*member))).collect()
    }

    pub(super) fn page_member(&self, member: PageMember) -> Value {
        let members = &self.members;
        match member {
            PageMember::ConversationId => value(&self.id),
            PageMember::AccountId => value(&members.account_id),
            PageMember::AppInstId => value(&members.app_inst_id),
            PageMember::AssignedAgent => value(self.assigned_agent()),
            PageMember::CampaignId => number_or_text(self.campaign_id()),
            PageMember::CloseReason => value(&members.close_reason),
            PageMember::CloseTime => value(members.close_time),
            PageMember::Consumer => value(self.consumer()),
            PageMember::Context => value(&members.context),
            PageMember::Csat => value(&members.csat),
            PageMember::Delay => value(&members.delay),
            PageMember::Dialogs => {
                self.dialogs.iter().filter(|dialog| !dialog.is_gone()).map(Dialog::members).collect()
            }
            PageMember::EngagementId => number_or_text(self.engagement_id()),
            PageMember::ExternalConsumerId => value(&self.external_consumer_id),
            PageMember::FirstConversation => value(members.first_conversation),
            PageMember::GroupId => value(&members.group_id),
            PageMember::HandlerAccountId => value(&members.handler_account_id),
            PageMember::HandlerSkillId => value(&members.handler_skill_id),
            PageMember::Note => value(&members.note),
            PageMember::NotificationCount => self.counters.processed.into(),
            PageMember::NotificationIgnoredCount => self.counters.ignored.into(),
            PageMember::NotificationOutOfOrderCount => self.counters.out_of_order.into(),
            PageMember::UnreadMessages => self.number_of_unread_messages().map_or(Value::Null, |unread| {
                let counts = unread.into_iter().map(|(user_id, count)| (user_id.to_string(), Value::from(count)));
                Value::Object(counts.collect::<Map<_, _>>())
            }),
            PageMember::Participants => value(self.shown_dialog().map(Dialog::participants).unwrap_or_default()),
            PageMember::SkillId => value(&members.skill_id),
            PageMember::Stage => value(&members.stage),
            PageMember::StartTime => value(members.start_time),
            PageMember::TtrEffective => value(members.ttr_effective),
            PageMember::TtrEffectiveManual => value(members.ttr_effective_manual),
            PageMember::TtrType => value(&members.ttr_type),
            PageMember::TtrValue => value(members.ttr_value),
            PageMember::UpdateTime => value(members.update_time),
        }
    }
}

impl Dialog {
    fn members(&self) -> Value {
        let (read_by_consumer, read_by_assigned_agent) = self.newest_read();
        json!({
            "dialogId": self.dialog_id,
            "dialogType": self.dialog_type,
            "channelType": self.channel_type,
            "state": self.state,
            "startTime": self.start_time,
            "updateTime": self.update_time,
            "endTime": self.end_time,
            "closedBy": self.closed_by,
            "closedCause": self.closed_cause,
            "metaData": value(&self.meta_data),
            "assignedAgent": self.assigned_agent(),
            "consumer": self.consumer(),
            "participants": self.participants(),
            "nextSequence": self.next_sequence(),
            "readByConsumer": read_by_consumer,
            "readByAssignedAgent": read_by_assigned_agent,
        })
    }
}

/// Returns null for a value that the platform nests deeper than the parser allows.
fn value(value: impl Serialize) -> Value {
    serde_json::to_value(value).unwrap_or_default()
}

/// Returns a number as on the class page ([CV-M3](crate::rules#cv-m3)), although the protocol also allows strings.
fn number_or_text(id: Option<&str>) -> Value {
    id.map_or(Value::Null, |id| id.parse::<u64>().map_or_else(|_| id.into(), Value::from))
}
