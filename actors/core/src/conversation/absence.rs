//! What the absence of a member in a state means ([CV-N7](crate::rules#cv-n7)), decided member by member.
//!
//! A state is complete, never a difference (protocol [§6.1](crate::protocol#61)), and the newest state is the truth. So
//! a member that it lacks is unset, as if it were null or empty. Two kinds of members are different. Members that never
//! change are taken from the earliest state that has them, whenever that state arrives. Members that the platform may
//! omit at any time, or never sends in this form of notification, are unaffected by their absence.

use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

use super::changes::Changes;
use crate::{
    time::Timestamp,
    ums::{Dialect, Presence},
};

/// The form in which states arrive. A conversation gets all its states in one form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flavour {
    BrandSocket,
    ConsumerSocket,
    Webhook,
}

impl Flavour {
    pub(super) fn of(dialect: Dialect, is_by_webhook: bool) -> Self {
        match dialect {
            _ if is_by_webhook => Self::Webhook,
            Dialect::Brand => Self::BrandSocket,
            Dialect::Consumer => Self::ConsumerSocket,
        }
    }
}

/// What the absence of a member means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Absence {
    /// The member is unset.
    Unsets,
    /// Nothing: the member never changes, and the earliest state that has it counts.
    LeavesToEarliest,
    /// Nothing: the last known value stays.
    SaysNothing,
}

macro_rules! members {
    ($($name:ident = $wire:literal,)+) => {
        /// A member of a state, named by its position in the state.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Member {
            $(#[doc = concat!("`", $wire, "`")] $name,)+
        }

        impl Member {
            /// Every member.
            pub const ALL: &[Self] = &[$(Self::$name),+];

            /// The member's name in the protocol, after `dialogs[].` if it is a member of a dialog.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$name => $wire,)+
                }
            }
        }
    };
}

members! {
    EffectiveTtr = "effectiveTTR",
    UnreadMessages = "numberOfunreadMessages",
    LastUpdateTime = "lastUpdateTime",
    LastContent = "lastContentEventNotification",
    UpdateTime = "metaDataLastUpdateTs",
    BrandId = "brandId",
    StartTime = "startTs",
    FirstConversation = "firstConversation",
    Context = "context",
    AppInstId = "appInstId",
    SkillId = "skillId",
    GroupId = "groupId",
    Stage = "stage",
    EndTime = "endTs",
    CloseReason = "closeReason",
    Ttr = "ttr",
    Delay = "delay",
    ManualEttr = "manualETTR",
    Csat = "csat",
    Note = "note",
    CampaignInfo = "campaignInfo",
    HandlerDetails = "conversationHandlerDetails",
    Dialog = "dialogs[]",
    DialogParticipants = "dialogs[].participantsDetails",
    DialogType = "dialogs[].dialogType",
    DialogChannelType = "dialogs[].channelType",
    DialogMetaData = "dialogs[].metaData",
    DialogState = "dialogs[].state",
    DialogStartTime = "dialogs[].creationTs",
    DialogUpdateTime = "dialogs[].metaDataLastUpdateTs",
    DialogEndTime = "dialogs[].endTs",
    DialogClosedBy = "dialogs[].closedBy",
    DialogClosedCause = "dialogs[].closedCause",
}

impl Member {
    /// Returns what the member's absence means.
    pub(super) fn absence(self, flavour: Flavour) -> Absence {
        match (self, flavour) {
            (Self::BrandId | Self::StartTime | Self::FirstConversation | Self::Context | Self::AppInstId, _) => {
                Absence::LeavesToEarliest
            }
            // The platform loses the newest content now and then (protocol §9.4), old conversations lack the
            // participants of a dialog, and a state without a version cannot be compared.
            (Self::LastContent | Self::DialogParticipants | Self::UpdateTime | Self::LastUpdateTime, _)
            // Not sent to consumers and in webhooks (protocol §6.1).
            | (Self::GroupId | Self::Note | Self::UnreadMessages, Flavour::ConsumerSocket | Flavour::Webhook) => {
                Absence::SaysNothing
            }
            _ => Absence::Unsets,
        }
    }
}

/// The members that one state unset by their absence.
pub type UnsetMembers = SmallVec<[Member; 4]>;

/// Reads the members of one state, treats absent members by the rules above, and records which members are unset and
/// which change.
pub(super) struct Reading {
    flavour: Flavour,
    pub(super) unset: UnsetMembers,
    pub(super) changes: Changes,
}

impl Reading {
    pub(super) fn new(flavour: Flavour) -> Self {
        Self { flavour, unset: UnsetMembers::new(), changes: Changes::default() }
    }

    /// Returns the new value of a member: `None` to keep the known value, `Some(None)` to unset it.
    pub(super) fn said<'t, T>(
        &mut self,
        member: Member,
        stated: &'t Presence<T>,
        is_held: bool,
    ) -> Option<Option<&'t T>> {
        match stated {
            Presence::Absent => self.absent(member, is_held).then_some(None),
            Presence::Null => Some(None),
            Presence::Value(value) => Some(Some(value)),
        }
    }

    /// Reads a member that is `None` if the state lacks the member or has null. Returns whether the stored value
    /// changed.
    pub(super) fn take<T: PartialEq>(&mut self, member: Member, held: &mut Option<T>, stated: Option<T>) -> bool {
        if stated.is_none() && !self.absent(member, held.is_some()) {
            return false;
        }
        let is_different = *held != stated;
        *held = stated;
        is_different
    }

    /// Returns whether a member is unset because a state lacks it.
    pub(super) fn absent(&mut self, member: Member, is_held: bool) -> bool {
        let unsets = member.absence(self.flavour) == Absence::Unsets;
        if unsets && is_held {
            self.unset.push(member);
        }
        unsets
    }
}

/// The update times of the states that set the members that never change, if those states had one.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct EarliestStated([Option<Timestamp>; 5]);

impl EarliestStated {
    /// Sets a member from the state of `time`, unless an earlier state has set it. Returns whether that changed
    /// anything.
    pub(super) fn fill<T>(
        &mut self,
        member: Member,
        held: &mut Option<T>,
        stated: Option<impl FnOnce() -> T>,
        time: Option<Timestamp>,
    ) -> bool {
        let place = match member {
            Member::BrandId => 0,
            Member::StartTime => 1,
            Member::FirstConversation => 2,
            Member::Context => 3,
            _ => 4,
        };
        let (Some(stated), Some(stated_at)) = (stated, self.0.get_mut(place)) else { return false };
        let is_earlier = match (time, *stated_at) {
            (Some(time), Some(stated_at)) => time < stated_at,
            (Some(_), None) => true,
            (None, _) => false,
        };
        if held.is_some() && !is_earlier {
            return false;
        }
        *held = Some(stated());
        *stated_at = time;
        true
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.iter().all(Option::is_none)
    }
}
