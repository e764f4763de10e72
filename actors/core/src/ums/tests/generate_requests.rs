//! Arbitrary requests.

use proptest::{collection::vec, option, prelude::*, sample::select};
use serde_json::{Value, json};

use super::generate::{any_of, event, id, object, time, tree, words};
use crate::{
    id::{AccountId, AgentId, ConversationId, DialogId, RequestId, RingId, SkillId, SubscriptionId},
    ums::*,
};

fn field_change() -> impl Strategy<Value = FieldChange> {
    prop_oneof![
        (any_of(ParticipantChangeKind::KNOWN), any_of(ParticipantRole::KNOWN), option::of(id()), option::of(id()))
            .prop_map(|(kind, role, user_id, dialog_id)| FieldChange::ParticipantsChange {
                kind,
                role,
                user_id,
                dialog_id: dialog_id.map(DialogId::from),
            }),
        any_of(Stage::KNOWN).prop_map(|conversation_state| FieldChange::ConversationStateField { conversation_state }),
        any_of(Stage::KNOWN).prop_map(|conversation_state| FieldChange::Stage { conversation_state }),
        (any_of(DialogChangeKind::KNOWN), dialog_change())
            .prop_map(|(kind, dialog)| FieldChange::DialogChange { kind, dialog }),
        (any_of(ParticipantChangeKind::KNOWN), id())
            .prop_map(|(kind, skill)| FieldChange::Skill { kind, skill: SkillId::from(skill) }),
        (any_of(TtrType::KNOWN), any::<u64>()).prop_map(|(ttr_type, value)| FieldChange::Ttr { ttr_type, value }),
        time().prop_map(|time| FieldChange::ManualETTR { time }),
        words().prop_map(|note| FieldChange::Note { note }),
        (0..=5_u8, option::of(any::<bool>()), any_of(CsatStatus::KNOWN)).prop_map(
            |(rate, csat_resolution_confirmation, status)| FieldChange::CSATRate {
                csat_rate: rate.to_string(),
                csat_resolution_confirmation,
                status,
            }
        ),
    ]
}

prop_compose! {
    fn dialog_change()(
        dialog_id in option::of(id()),
        state in option::of(any_of(DialogStatus::KNOWN)),
        closed_by in option::of(any_of(CloseReason::KNOWN)),
        closed_cause in option::of(words()),
        dialog_type in option::of(any_of(DialogType::KNOWN)),
        channel_type in option::of(any_of(ChannelType::KNOWN)),
        meta_data in option::of(object()),
    ) -> DialogChange {
        DialogChange {
            dialog_id: dialog_id.map(DialogId::from),
            state,
            closed_by,
            closed_cause,
            dialog_type,
            channel_type,
            meta_data: meta_data.map(Value::from),
        }
    }
}

prop_compose! {
    fn conversation_query()(
        (brand_id, consumer_id, conversation_id) in (option::of(id()), option::of(id()), option::of(id())),
        agent_ids in vec(id(), 0..3),
        conv_state in vec(any_of(Stage::KNOWN), 0..3),
        stage in vec(any_of(Stage::KNOWN), 0..3),
        dialog_types in vec(any_of(DialogType::KNOWN), 0..3),
        (min_last_updated_time, max_last_updated_time, max_ettr) in
            (option::of(time()), option::of(time()), option::of(time())),
    ) -> ConversationQuery {
        ConversationQuery {
            brand_id: brand_id.map(AccountId::from),
            agent_ids: agent_ids.into_iter().map(AgentId::from).collect(),
            consumer_id,
            conversation_id: conversation_id.map(ConversationId::from),
            conv_state,
            stage,
            dialog_types,
            min_last_updated_time,
            max_last_updated_time,
            max_ettr,
        }
    }
}

prop_compose! {
    fn conversation_request()(
        (brand_id, skill_id) in (option::of(id()), option::of(id())),
        channel_type in option::of(any_of(ChannelType::KNOWN)),
        ttr_def_name in option::of(any_of(TtrType::KNOWN)),
        (conversation_context, campaign_info) in (option::of(object()), option::of(object())),
    ) -> ConversationRequest {
        ConversationRequest {
            brand_id: brand_id.map(AccountId::from),
            channel_type,
            ttr_def_name,
            skill_id: skill_id.map(SkillId::from),
            conversation_context: conversation_context.map(Value::from),
            campaign_info: campaign_info.map(Value::from),
        }
    }
}

prop_compose! {
    fn publish()(
        (conversation_id, dialog_id) in (id(), id()),
        message_audience in any_of(MessageAudience::KNOWN),
        event in event(),
    ) -> PublishRequest {
        PublishRequest {
            conversation_id: conversation_id.into(),
            dialog_id: dialog_id.into(),
            message_audience,
            event,
        }
    }
}

fn request() -> impl Strategy<Value = Request> {
    let conversations = prop_oneof![
        conversation_query().prop_map(Request::SubscribeConversations),
        id().prop_map(|id| Request::UnsubscribeConversations(Unsubscription {
            subscription_id: SubscriptionId::from(id)
        })),
        conversation_request().prop_map(Request::RequestConversation),
        (id(), option::of(object())).prop_map(|(consumer_id, context)| {
            Request::AgentRequestConversation(AgentConversationRequest {
                channel_type: ChannelType::Messaging,
                consumer_id,
                conversation_context: context.map(Value::from),
            })
        }),
        (id(), vec(field_change(), 0..4)).prop_map(|(id, conversation_field)| {
            Request::UpdateConversation(ConversationUpdate { conversation_id: id.into(), conversation_field })
        }),
    ];
    let messages = prop_oneof![
        publish().prop_map(Request::Publish),
        (id(), id(), any::<u32>()).prop_map(|(conversation, dialog, from)| {
            Request::SubscribeMessages(MessageSubscription {
                conversation_id: conversation.into(),
                dialog_id: dialog.into(),
                from_seq: from.into(),
            })
        }),
        (id(), option::of(any::<i64>()), option::of(any::<i64>()), option::of(0..=i64::MAX as u64)).prop_map(
            |(dialog, newer_than_sequence, older_than_sequence, max_quantity)| {
                Request::QueryMessages(MessageQuery {
                    dialog_id: dialog.into(),
                    newer_than_sequence,
                    older_than_sequence,
                    max_quantity,
                })
            }
        ),
        (any::<u32>(), select(Dialect::ALL.to_vec())).prop_map(|(size, dialect)| {
            let file_size = FileSize::new(size.into(), dialect);
            Request::UploadUrl(UploadUrlRequest { file_size, file_type: "PNG".to_owned() })
        }),
        words().prop_map(|relative_path| Request::DownloadUrl(DownloadUrlRequest { relative_path })),
        object().prop_map(|form| Request::UploadToken(TokenRequest(form))),
        object().prop_map(|form| Request::DownloadToken(TokenRequest(form))),
    ];
    let agents = prop_oneof![
        (any_of(AgentState::KNOWN), id()).prop_map(|(availability, agent)| {
            Request::SetAgentState(AgentStateRequest {
                availability,
                channels: vec![ChannelType::Messaging],
                agent_user_id: agent.into(),
            })
        }),
        (id(), id()).prop_map(|(brand, agent)| {
            Request::SubscribeAgentsState(AgentsStateSubscription { brand_id: brand.into(), agent_id: agent.into() })
        }),
        (id(), id()).prop_map(|(brand, agent)| {
            Request::SubscribeRoutingTasks(RoutingSubscription {
                channel_type: ChannelType::Messaging,
                brand_id: brand.into(),
                agent_id: agent.into(),
            })
        }),
        (id(), any_of(RingState::KNOWN)).prop_map(|(ring, ring_state)| {
            Request::AnswerRing(RingAnswer { ring_id: RingId::from(ring), ring_state })
        }),
    ];
    let rest = prop_oneof![
        Just(Request::GetClock(Nothing {})),
        Just(Request::KeepAlive(Nothing {})),
        Just(Request::InitConnection(InitConnection {})),
        option::of(id()).prop_map(|user_id| Request::GetUserProfile(ProfileQuery { user_id })),
        object().prop_map(|profile| Request::SetUserProfile(profile.into())),
        id().prop_map(|brand| Request::GetBrandProfile(json!({ "brandId": brand }))),
        ("x\\.[A-Z][a-z]{1,8}", tree()).prop_map(|(kind, body)| Request::Raw { kind, body }),
    ];
    prop_oneof![conversations.boxed(), messages.boxed(), agents.boxed(), rest.boxed()]
}

prop_compose! {
    pub(super) fn frame()(
        id in "[0-9a-zA-Z-]{1,64}",
        request in request().boxed(),
        headers in vec(object().prop_map(Value::from), 0..2),
        metadata in vec(object().prop_map(Value::from), 0..3),
    ) -> RequestFrame {
        RequestFrame { id: RequestId::from(id), request, headers, metadata }
    }
}
