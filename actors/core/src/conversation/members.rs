//! The members of a conversation outside its dialogs, and how a state changes them ([CV-N6](crate::rules#cv-n6) steps 1
//! to 14).

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::{
    ConversationEvent,
    absence::{EarliestStated, Member, Reading},
    changes::Changes,
    page_member::PageMember,
    unread_counts::UnreadCounts,
};
use crate::{
    id::{AccountId, SkillId},
    time::Timestamp,
    ums::{
        CampaignInfo, CloseReason, ConversationDetails, ConversationState, Csat, Delay, HandlerDetails, Json, Presence,
        Stage, Text, Ttr, TtrType, Unchanged, meaning,
    },
};

/// The members of a conversation, under the names of the class page.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Members {
    pub(super) account_id: Option<AccountId>,
    pub(super) app_inst_id: Option<Box<str>>,
    pub(super) campaign_id: Option<Box<str>>,
    pub(super) engagement_id: Option<Box<str>>,
    pub(super) handler_account_id: Option<AccountId>,
    pub(super) handler_skill_id: Option<SkillId>,
    pub(super) note: Option<Box<str>>,
    #[serde(rename = "numberOfunreadMessages")]
    pub(super) number_of_unread_messages: Option<UnreadCounts>,
    pub(super) ttr_effective: Option<Timestamp>,
    pub(super) ttr_effective_manual: Option<Timestamp>,
    pub(super) ttr_type: Option<TtrType>,
    pub(super) ttr_value: Option<i64>,
    pub(super) stage: Option<Stage>,
    pub(super) skill_id: Option<SkillId>,
    pub(super) group_id: Option<Arc<str>>,
    // Boxed, because few conversations have them.
    pub(super) csat: Option<Box<Csat>>,
    pub(super) delay: Option<Box<Delay>>,
    pub(super) start_time: Option<Timestamp>,
    pub(super) update_time: Option<Timestamp>,
    pub(super) close_time: Option<Timestamp>,
    pub(super) close_reason: Option<CloseReason>,
    pub(super) first_conversation: Option<bool>,
    pub(super) context: Option<Box<RawValue>>,
}

impl Members {
    /// Applies a state, in the order of [CV-N6](crate::rules#cv-n6). Its unchanged sections are absent, because they were
    /// not decoded, and leave the members as they are. Of the others, a member that is null or empty is unset;
    /// [`Member`] decides what an absent one means ([CV-N7](crate::rules#cv-n7)).
    pub(super) fn receive(
        &mut self,
        state: &ConversationState<'_>,
        details: &ConversationDetails<'_>,
        unchanged: Unchanged,
        earliest: &mut EarliestStated,
        reading: &mut Reading,
        events: &mut Vec<ConversationEvent>,
    ) {
        if let Some(said) = moment(reading, Member::EffectiveTtr, &state.effective_ttr, self.ttr_effective) {
            reading.changes.note_if(said != self.ttr_effective, PageMember::TtrEffective);
            self.ttr_effective = said;
        }
        let is_held = self.number_of_unread_messages.is_some();
        if !unchanged.unread
            && let Some(unread) = reading.said(Member::UnreadMessages, &state.number_of_unread_messages, is_held)
        {
            let unread = unread.map(UnreadCounts::new);
            if unread != self.number_of_unread_messages {
                let before = std::mem::replace(&mut self.number_of_unread_messages, unread);
                reading.changes.note_unread(before);
            }
        }
        self.receive_origin(details, unchanged.context, earliest, &mut reading.changes);
        let is_newer = reading.take(Member::UpdateTime, &mut self.update_time, details.meta_data_last_update_ts);
        reading.changes.note_if(is_newer, PageMember::UpdateTime);
        self.receive_group(details, reading, events);
        self.receive_skill(details, reading, events);
        self.receive_stage(details, reading, events);
        self.receive_csat(details, reading);
        let note = text(reading, Member::Note, &details.note, self.note.is_some());
        reading.changes.note_if(replace(&mut self.note, note), PageMember::Note);
        self.receive_delay(details, reading);
        if !unchanged.ttr {
            self.receive_ttr(details, reading, events);
        }
        self.receive_manual_ettr(details, reading, events);
        if !unchanged.provenance {
            self.receive_provenance(details, reading);
        }
    }

    /// Applies the members that are set at the beginning and never change: the earliest state that has them counts,
    /// even if it arrives late ([CV-N6.3](crate::rules#cv-n6), [CV-M1](crate::rules#cv-m1)). Returns whether that
    /// changed anything.
    pub(super) fn receive_origin(
        &mut self,
        details: &ConversationDetails<'_>,
        is_context_unchanged: bool,
        earliest: &mut EarliestStated,
        changes: &mut Changes,
    ) -> bool {
        let time = details.meta_data_last_update_ts;
        let brand_id = details.brand_id.as_ref().and_then(Text::non_empty);
        let app_inst_id = details.app_inst_id.value().and_then(Text::non_empty);
        let start_time = details.start_ts.and_then(Timestamp::when_set);
        let first_conversation = details.first_conversation;
        let context = details.context.value();
        let is_new = [
            (PageMember::AccountId, self.account_id.as_ref().map(AccountId::as_str) != brand_id),
            (PageMember::StartTime, self.start_time != start_time),
            (PageMember::FirstConversation, self.first_conversation != first_conversation),
            (
                PageMember::Context,
                !is_context_unchanged
                    && !meaning::is_same(self.context.as_deref().map(RawValue::get), context.map(Json::get)),
            ),
            (PageMember::AppInstId, self.app_inst_id.as_deref() != app_inst_id),
        ];
        let differences = [
            earliest.fill(Member::BrandId, &mut self.account_id, brand_id.map(|id| move || AccountId::from(id)), time),
            earliest.fill(Member::StartTime, &mut self.start_time, start_time.map(|start| move || start), time),
            earliest.fill(
                Member::FirstConversation,
                &mut self.first_conversation,
                first_conversation.map(|is_first| move || is_first),
                time,
            ),
            earliest.fill(Member::Context, &mut self.context, context.map(|context| move || context.to_raw()), time),
            earliest.fill(Member::AppInstId, &mut self.app_inst_id, app_inst_id.map(|id| move || Box::from(id)), time),
        ];
        for ((member, is_new), is_set) in is_new.into_iter().zip(differences) {
            changes.note_if(is_new && is_set, member);
        }
        differences.contains(&true)
    }

    fn receive_group(
        &mut self,
        details: &ConversationDetails<'_>,
        reading: &mut Reading,
        events: &mut Vec<ConversationEvent>,
    ) {
        let prev_group_id = self.group_id.clone();
        let said = text(reading, Member::GroupId, &details.group_id, prev_group_id.is_some());
        if replace(&mut self.group_id, said) {
            events.push(ConversationEvent::GroupChange { prev_group_id, new_group_id: self.group_id.clone() });
        }
    }

    fn receive_skill(
        &mut self,
        details: &ConversationDetails<'_>,
        reading: &mut Reading,
        events: &mut Vec<ConversationEvent>,
    ) {
        let prev_skill_id = self.skill_id.clone();
        let said = text(reading, Member::SkillId, &details.skill_id, prev_skill_id.is_some());
        if replace(&mut self.skill_id, said) {
            events.push(ConversationEvent::SkillChange { prev_skill_id, new_skill_id: self.skill_id.clone() });
        }
    }

    /// Old conversations have no stage; their member `state` has the same meaning.
    fn receive_stage(
        &mut self,
        details: &ConversationDetails<'_>,
        reading: &mut Reading,
        events: &mut Vec<ConversationEvent>,
    ) {
        let was_open = self.is_open();
        let stage = details.stage.as_ref().or(details.state.as_ref()).cloned();
        let is_new = reading.take(Member::Stage, &mut self.stage, stage);
        reading.changes.note_if(is_new, PageMember::Stage);
        if self.is_open() {
            reading.changes.note_if(self.close_time.take().is_some(), PageMember::CloseTime);
            reading.changes.note_if(self.close_reason.take().is_some(), PageMember::CloseReason);
            return;
        }
        let end_time = details.end_ts.and_then(Timestamp::when_set);
        let is_new = reading.take(Member::EndTime, &mut self.close_time, end_time);
        reading.changes.note_if(is_new && !was_open, PageMember::CloseTime);
        let is_new = reading.take(Member::CloseReason, &mut self.close_reason, details.close_reason.clone());
        reading.changes.note_if(is_new && !was_open, PageMember::CloseReason);
        if was_open {
            let (close_time, close_reason) = (self.close_time, self.close_reason.clone());
            events.push(ConversationEvent::Close { close_time, close_reason });
        }
    }

    /// Closes the conversation without a state of the platform, so the close has no reason.
    pub(super) fn end_here(&mut self, at: Timestamp, changes: &mut Changes, events: &mut Vec<ConversationEvent>) {
        changes.note(PageMember::Stage);
        (self.stage, self.close_time, self.close_reason) = (Some(Stage::Close), Some(at), None);
        events.push(ConversationEvent::Close { close_time: self.close_time, close_reason: None });
    }

    /// The brand dialect sends only the rate, and 0 means not set ([§6.1](crate::protocol#61)).
    fn receive_csat(&mut self, details: &ConversationDetails<'_>, reading: &mut Reading) {
        let rated = |rate| Csat { csat_rate: Some(rate), csat_resolution_confirmation: None, status: None };
        let csat = match (&details.csat, details.csat_rate) {
            (Presence::Value(csat), _) => Some(csat.clone()),
            (_, Some(rate)) => Some(rate).filter(|rate| *rate != 0).map(rated),
            (Presence::Null, None) => None,
            (Presence::Absent, None) if reading.absent(Member::Csat, self.csat.is_some()) => None,
            (Presence::Absent, None) => return,
        };
        let csat = csat.map(Box::new);
        reading.changes.note_if(self.csat != csat, PageMember::Csat);
        self.csat = csat;
    }

    fn receive_delay(&mut self, details: &ConversationDetails<'_>, reading: &mut Reading) {
        if let Some(delay) = reading.said(Member::Delay, &details.delay, self.delay.is_some()) {
            let till_when = |delay: &Delay| delay.till_when.and_then(Timestamp::when_set);
            let delay = delay.map(|delay| Box::new(Delay { till_when: till_when(delay), ..delay.clone() }));
            reading.changes.note_if(self.delay != delay, PageMember::Delay);
            self.delay = delay;
        }
    }

    fn receive_ttr(
        &mut self,
        details: &ConversationDetails<'_>,
        reading: &mut Reading,
        events: &mut Vec<ConversationEvent>,
    ) {
        let is_held = self.ttr_type.is_some() || self.ttr_value.is_some();
        let Some(ttr) = reading.said(Member::Ttr, &details.ttr, is_held) else { return };
        let (ttr_type, ttr_value) = match ttr {
            Some(Ttr { ttr_type, value }) => (ttr_type.clone().filter(|stated| !stated.as_str().is_empty()), *value),
            None => (None, None),
        };
        if (&self.ttr_type, self.ttr_value) != (&ttr_type, ttr_value) {
            (self.ttr_type, self.ttr_value) = (ttr_type.clone(), ttr_value);
            events.push(ConversationEvent::TtrChange { ttr_value, ttr_type, ttr_effective: self.ttr_effective });
        }
    }

    fn receive_manual_ettr(
        &mut self,
        details: &ConversationDetails<'_>,
        reading: &mut Reading,
        events: &mut Vec<ConversationEvent>,
    ) {
        let held = self.ttr_effective_manual;
        let Some(ttr_effective_manual) = moment(reading, Member::ManualEttr, &details.manual_ettr, held) else {
            return;
        };
        if held != ttr_effective_manual {
            self.ttr_effective_manual = ttr_effective_manual;
            let ttr_effective = self.ttr_effective;
            events.push(ConversationEvent::ManualEttrChange { ttr_effective_manual, ttr_effective });
        }
    }

    fn receive_provenance(&mut self, details: &ConversationDetails<'_>, reading: &mut Reading) {
        let is_held = self.campaign_id.is_some() || self.engagement_id.is_some();
        if let Some(campaign) = reading.said(Member::CampaignInfo, &details.campaign_info, is_held) {
            let nothing = CampaignInfo { campaign_id: None, engagement_id: None };
            let CampaignInfo { campaign_id, engagement_id } = campaign.unwrap_or(&nothing);
            let is_new = replace(&mut self.campaign_id, Some(campaign_id.as_ref().and_then(Text::non_empty)));
            reading.changes.note_if(is_new, PageMember::CampaignId);
            let is_new = replace(&mut self.engagement_id, Some(engagement_id.as_ref().and_then(Text::non_empty)));
            reading.changes.note_if(is_new, PageMember::EngagementId);
        }
        let is_held = self.handler_account_id.is_some() || self.handler_skill_id.is_some();
        let handler = reading.said(Member::HandlerDetails, &details.conversation_handler_details, is_held);
        if let Some(handler) = handler {
            let nothing = HandlerDetails { account_id: None, skill_id: None };
            let HandlerDetails { account_id, skill_id } = handler.unwrap_or(&nothing);
            let is_new = replace(&mut self.handler_account_id, Some(account_id.as_ref().and_then(Text::non_empty)));
            reading.changes.note_if(is_new, PageMember::HandlerAccountId);
            let is_new = replace(&mut self.handler_skill_id, Some(skill_id.as_ref().and_then(Text::non_empty)));
            reading.changes.note_if(is_new, PageMember::HandlerSkillId);
            // In the usual case the brand itself handles the conversation, and both members share one id.
            if self.handler_account_id == self.account_id {
                self.handler_account_id.clone_from(&self.account_id);
            }
            if self.handler_skill_id == self.skill_id {
                self.handler_skill_id.clone_from(&self.skill_id);
            }
        }
    }

    /// Returns whether the conversation is open, including its surveys; `true` before the first state
    /// ([CV-I1](crate::rules#cv-i1)).
    pub(super) fn is_open(&self) -> bool {
        !matches!(self.stage, Some(Stage::Close | Stage::Locked))
    }
}

/// Returns a member's text. `None` means that the state leaves the member as it is, `Some(None)` that it unsets the
/// member. An empty text counts as unset.
fn text<'t>(
    reading: &mut Reading,
    member: Member,
    stated: &'t Presence<Text<'_>>,
    is_held: bool,
) -> Option<Option<&'t str>> {
    reading.said(member, stated, is_held).map(|said| said.and_then(Text::non_empty))
}

/// Returns a member's time. `None` means that the state leaves the member as it is, `Some(None)` that it unsets the
/// member. A value that is not a time counts as unset.
fn moment(
    reading: &mut Reading,
    member: Member,
    stated: &Presence<Timestamp>,
    held: Option<Timestamp>,
) -> Option<Option<Timestamp>> {
    reading.said(member, stated, held.is_some()).map(|said| said.copied().and_then(Timestamp::when_set))
}

/// Sets the value if one was sent; returns whether that changed anything.
fn replace<T>(held: &mut Option<T>, said: Option<Option<&str>>) -> bool
where
    T: for<'t> From<&'t str> + AsRef<str>,
{
    let Some(said) = said else { return false };
    let is_different = held.as_ref().map(AsRef::as_ref) != said;
    if is_different {
        *held = said.map(T::from);
    }
    is_different
}
