//! The members of a conversation that are not its dialogs', and what a state changes in them (CV-N6 steps 1 to 14).

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::ConversationEvent;
use crate::{
    id::{AccountId, SkillId, UserId},
    time::Timestamp,
    ums::{
        CampaignInfo, CloseReason, ConversationDetails, ConversationState, Csat, Delay, HandlerDetails, Json, Presence,
        Stage, Text, Ttr, TtrType,
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
    pub(super) number_of_unread_messages: Option<Vec<(UserId, u64)>>,
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
    /// Takes what a state says, in the order of CV-N6; tells whether the skill changed. Absent members stay as they
    /// are, null and empty ones are cleared (CV-N7).
    pub(super) fn receive(
        &mut self,
        state: &ConversationState<'_>,
        details: &ConversationDetails<'_>,
        events: &mut Vec<ConversationEvent>,
    ) -> bool {
        if let Some(said) = moment(&state.effective_ttr) {
            self.ttr_effective = said;
        }
        self.receive_origin(details);
        if details.meta_data_last_update_ts.is_some() {
            self.update_time = details.meta_data_last_update_ts;
        }
        self.receive_group(details, events);
        let is_skill_changed = self.receive_skill(details, events);
        self.receive_stage(details, events);
        self.receive_csat(details);
        replace(&mut self.note, text(&details.note));
        self.receive_ttr(details, events);
        self.receive_manual_ettr(details, events);
        self.receive_provenance(details);
        is_skill_changed
    }

    /// What a conversation is born with never changes: the first word counts (CV-N6.3, §1.7).
    fn receive_origin(&mut self, details: &ConversationDetails<'_>) {
        if self.account_id.is_none() {
            self.account_id = details.brand_id.as_ref().and_then(Text::non_empty).map(AccountId::from);
        }
        self.start_time = self.start_time.or(details.start_ts);
        self.first_conversation = self.first_conversation.or(details.first_conversation);
        if self.context.is_none() {
            self.context = details.context.value().map(Json::to_raw);
        }
    }

    fn receive_group(&mut self, details: &ConversationDetails<'_>, events: &mut Vec<ConversationEvent>) {
        let prev_group_id = self.group_id.clone();
        if replace(&mut self.group_id, text(&details.group_id)) {
            events.push(ConversationEvent::GroupChange { prev_group_id, new_group_id: self.group_id.clone() });
        }
    }

    fn receive_skill(&mut self, details: &ConversationDetails<'_>, events: &mut Vec<ConversationEvent>) -> bool {
        let prev_skill_id = self.skill_id.clone();
        let is_changed = replace(&mut self.skill_id, text(&details.skill_id));
        if is_changed {
            events.push(ConversationEvent::SkillChange { prev_skill_id, new_skill_id: self.skill_id.clone() });
        }
        is_changed
    }

    /// Old conversations have no stage; their state says the same.
    fn receive_stage(&mut self, details: &ConversationDetails<'_>, events: &mut Vec<ConversationEvent>) {
        let was_open = self.is_open();
        if let Some(stage) = details.stage.as_ref().or(details.state.as_ref()) {
            self.stage = Some(stage.clone());
        }
        if self.is_open() {
            (self.close_time, self.close_reason) = (None, None);
            return;
        }
        self.close_time = details.end_ts.and_then(Timestamp::when_set).or(self.close_time);
        if details.close_reason.is_some() {
            self.close_reason.clone_from(&details.close_reason);
        }
        if was_open {
            let (close_time, close_reason) = (self.close_time, self.close_reason.clone());
            events.push(ConversationEvent::Close { close_time, close_reason });
        }
    }

    /// The brand dialect tells the rate alone, and 0 is none (§6.1).
    fn receive_csat(&mut self, details: &ConversationDetails<'_>) {
        let rated = |rate| Csat { csat_rate: Some(rate), csat_resolution_confirmation: None, status: None };
        let csat = match (&details.csat, details.csat_rate) {
            (Presence::Value(csat), _) => Some(csat.clone()),
            (_, Some(rate)) => Some(rate).filter(|rate| *rate != 0).map(rated),
            (Presence::Null, None) => None,
            (Presence::Absent, None) => return,
        };
        self.csat = csat.map(Box::new);
    }

    fn receive_ttr(&mut self, details: &ConversationDetails<'_>, events: &mut Vec<ConversationEvent>) {
        if let Some(delay) = details.delay.said() {
            self.delay = delay.cloned().map(Box::new);
        }
        let Some(ttr) = details.ttr.said() else { return };
        let (ttr_type, ttr_value) = match ttr {
            Some(Ttr { ttr_type, value }) => (ttr_type.clone().filter(|told| !told.as_str().is_empty()), *value),
            None => (None, None),
        };
        if (&self.ttr_type, self.ttr_value) != (&ttr_type, ttr_value) {
            (self.ttr_type, self.ttr_value) = (ttr_type.clone(), ttr_value);
            events.push(ConversationEvent::TtrChange { ttr_value, ttr_type, ttr_effective: self.ttr_effective });
        }
    }

    fn receive_manual_ettr(&mut self, details: &ConversationDetails<'_>, events: &mut Vec<ConversationEvent>) {
        let Some(ttr_effective_manual) = moment(&details.manual_ettr) else { return };
        if self.ttr_effective_manual != ttr_effective_manual {
            self.ttr_effective_manual = ttr_effective_manual;
            let ttr_effective = self.ttr_effective;
            events.push(ConversationEvent::ManualEttrChange { ttr_effective_manual, ttr_effective });
        }
    }

    fn receive_provenance(&mut self, details: &ConversationDetails<'_>) {
        if let Some(campaign) = details.campaign_info.said() {
            let nothing = CampaignInfo { campaign_id: None, engagement_id: None };
            let CampaignInfo { campaign_id, engagement_id } = campaign.unwrap_or(&nothing);
            replace(&mut self.campaign_id, Some(campaign_id.as_ref().and_then(Text::non_empty)));
            replace(&mut self.engagement_id, Some(engagement_id.as_ref().and_then(Text::non_empty)));
        }
        // Never cleared (CV-M1).
        if let Some(app_inst_id) = details.app_inst_id.value().and_then(Text::non_empty) {
            replace(&mut self.app_inst_id, Some(Some(app_inst_id)));
        }
        if let Some(handler) = details.conversation_handler_details.said() {
            let nothing = HandlerDetails { account_id: None, skill_id: None };
            let HandlerDetails { account_id, skill_id } = handler.unwrap_or(&nothing);
            replace(&mut self.handler_account_id, Some(account_id.as_ref().and_then(Text::non_empty)));
            replace(&mut self.handler_skill_id, Some(skill_id.as_ref().and_then(Text::non_empty)));
            // The usual case is the brand itself: one id, held once.
            if self.handler_account_id == self.account_id {
                self.handler_account_id.clone_from(&self.account_id);
            }
            if self.handler_skill_id == self.skill_id {
                self.handler_skill_id.clone_from(&self.skill_id);
            }
        }
    }

    /// Whether the conversation goes on, surveys included; assumed until told (CV-I1).
    pub(super) fn is_open(&self) -> bool {
        !matches!(self.stage, Some(Stage::Close | Stage::Locked))
    }
}

/// What a member says: nothing, cleared, or its text. An empty text says cleared.
fn text<'t>(member: &'t Presence<Text<'_>>) -> Option<Option<&'t str>> {
    member.said().map(|said| said.and_then(Text::non_empty))
}

/// What a member says: nothing, cleared, or its moment. A negative moment says cleared.
fn moment(member: &Presence<Timestamp>) -> Option<Option<Timestamp>> {
    member.said().map(|said| said.copied().and_then(Timestamp::when_set))
}

/// Takes what was said, if anything; tells whether that made a difference.
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
