//! The names of the members of a conversation's page.

macro_rules! page_members {
    ($($member:ident = $name:literal,)+) => {
        /// A member of the page.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(super) enum PageMember {
            $($member,)+
        }

        impl PageMember {
            /// Every member.
            pub(super) const ALL: &[Self] = &[$(Self::$member),+];

            /// The member's name on the class page.
            pub(super) fn name(self) -> &'static str {
                match self {
                    $(Self::$member => $name,)+
                }
            }
        }
    };
}

page_members! {
    ConversationId = "conversationId",
    AccountId = "accountId",
    AppInstId = "appInstId",
    AssignedAgent = "assignedAgent",
    CampaignId = "campaignId",
    CloseReason = "closeReason",
    CloseTime = "closeTime",
    Consumer = "consumer",
    Context = "context",
    Csat = "csat",
    Delay = "delay",
    Dialogs = "dialogs",
    EngagementId = "engagementId",
    ExternalConsumerId = "externalConsumerId",
    FirstConversation = "firstConversation",
    GroupId = "groupId",
    HandlerAccountId = "handlerAccountId",
    HandlerSkillId = "handlerSkillId",
    Note = "note",
    NotificationCount = "notificationCount",
    NotificationIgnoredCount = "notificationIgnoredCount",
    NotificationOutOfOrderCount = "notificationOutOfOrderCount",
    UnreadMessages = "numberOfunreadMessages",
    Participants = "participants",
    SkillId = "skillId",
    Stage = "stage",
    StartTime = "startTime",
    TtrEffective = "ttrEffective",
    TtrEffectiveManual = "ttrEffectiveManual",
    TtrType = "ttrType",
    TtrValue = "ttrValue",
    UpdateTime = "updateTime",
}
