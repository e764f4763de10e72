//! Arbitrary values of what the platform sends, and of what everything is made of.

use proptest::{collection::vec, option, prelude::*, sample::select};
use serde_json::{Map, Value};

use crate::{id::AgentId, time::Timestamp, ums::*};

/// A wire enumeration: every known value, and one that nobody knows yet.
pub(super) fn any_of<E: Clone + std::fmt::Debug + for<'a> From<&'a str> + 'static>(known: &[E]) -> BoxedStrategy<E> {
    let mut values = known.to_vec();
    values.push(E::from("NOT_INVENTED_YET"));
    select(values).boxed()
}

pub(super) fn words() -> BoxedStrategy<String> {
    prop_oneof![".{0,40}", "[a-z]{1,12}", Just("\"\\\u{0}\u{2028}\u{1F600}".to_owned())].boxed()
}

pub(super) fn text() -> impl Strategy<Value = Text<'static>> {
    words().prop_map(Text::from)
}

pub(super) fn id() -> BoxedStrategy<String> {
    prop_oneof!["[0-9a-f]{8}-[0-9a-f]{4}", "[0-9]{1,18}", "[0-9]{4,8}\\.[0-9]{1,10}"].boxed()
}

pub(super) fn time() -> BoxedStrategy<Timestamp> {
    prop_oneof![Just(Timestamp(-1)), any::<i64>().prop_map(Timestamp)].boxed()
}

/// Any JSON, without fractions, whose text is not exact.
pub(super) fn tree() -> BoxedStrategy<Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        words().prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Value::from),
            vec(("[a-zA-Z_$]{1,8}", inner), 0..4).prop_map(|members| members.into_iter().collect()),
        ]
    })
    .boxed()
}

pub(super) fn object() -> BoxedStrategy<Map<String, Value>> {
    vec(("[a-zA-Z]{1,8}", tree()), 0..4).prop_map(|members| members.into_iter().collect()).boxed()
}

pub(super) fn json_tree() -> impl Strategy<Value = Json<'static>> {
    tree().prop_map(|value| Json::from(&value))
}

/// JSON that is not `null`: a member that is `null` is the same as one that is absent.
fn some_json() -> impl Strategy<Value = Json<'static>> {
    object().prop_map(|members| Json::from(&Value::from(members)))
}

pub(super) fn presence<T: std::fmt::Debug + Clone + 'static>(
    value: impl Strategy<Value = T> + 'static,
) -> BoxedStrategy<Presence<T>> {
    prop_oneof![
        1 => Just(()).prop_map(|()| Presence::Absent),
        1 => Just(()).prop_map(|()| Presence::Null),
        3 => value.prop_map(Presence::Value),
    ]
    .boxed()
}

pub(super) fn event() -> BoxedStrategy<MessageContent<'static>> {
    prop_oneof![
        (any_of(ContentType::KNOWN), json_tree(), option::of(some_json())).prop_map(
            |(content_type, message, quick_replies)| MessageContent::Content { content_type, message, quick_replies }
        ),
        (json_tree(), option::of(some_json()))
            .prop_map(|(content, quick_replies)| MessageContent::Rich { content, quick_replies }),
        (any_of(DeliveryStatus::KNOWN), vec(0..=i64::MAX as u64, 0..5))
            .prop_map(|(status, sequences)| MessageContent::AcceptStatus { status, sequences }),
        any_of(ChatState::KNOWN).prop_map(|chat_state| MessageContent::ChatState { chat_state }),
        Just(MessageContent::Unlisted { kind: "NotInventedYetEvent".into() }),
    ]
    .boxed()
}

prop_compose! {
    pub(super) fn record()(
        sequence in option::of(0..=i64::MAX as u64),
        originator_id in option::of(id()),
        originator_public_id in option::of(id()),
        originator_metadata in option::of((option::of(text()), option::of(any_of(ParticipantRole::KNOWN)))),
        server_timestamp in option::of(time()),
        event in event(),
        dialog_id in option::of(text()),
        conversation_id in option::of(text()),
        message_audience in option::of(any_of(MessageAudience::KNOWN)),
        metadata in option::of(some_json()),
    ) -> MessageRecord<'static> {
        MessageRecord {
            sequence,
            originator_id: originator_id.map(Text::from),
            originator_public_id: originator_public_id.map(Text::from),
            originator_metadata: originator_metadata.map(|(id, role)| Originator { id, role }),
            server_timestamp,
            event,
            dialog_id,
            conversation_id,
            message_audience,
            metadata,
        }
    }
}

/// Participants with distinct ids; those of the brand have an agent id.
pub(super) fn people() -> impl Strategy<Value = Vec<Person<'static>>> {
    vec((any_of(ParticipantRole::KNOWN), "[0-9a-f]{8}"), 0..6).prop_map(|people| {
        let person = |(at, (role, id)): (usize, (ParticipantRole, String))| {
            let agent_id = (role != ParticipantRole::Consumer).then(|| format!("12345678.{at}").into());
            Person { role, user_id: format!("{id}-{at}").into(), agent_id }
        };
        people.into_iter().enumerate().map(person).collect()
    })
}

prop_compose! {
    fn dialog()(
        dialog_id in text(),
        participants in option::of(
            vec((text(), option::of(any_of(ParticipantRole::KNOWN)), option::of(any_of(ParticipantStatus::KNOWN))), 0..4),
        ),
        dialog_type in option::of(any_of(DialogType::KNOWN)),
        channel_type in option::of(any_of(ChannelType::KNOWN)),
        meta_data in option::of(some_json()),
        state in option::of(any_of(DialogStatus::KNOWN)),
        (creation_ts, end_ts, meta_data_last_update_ts) in (option::of(time()), option::of(time()), option::of(time())),
        closed_by in option::of(any_of(CloseReason::KNOWN)),
        closed_cause in option::of(text()),
    ) -> DialogState<'static> {
        DialogState {
            dialog_id,
            participants_details: participants.map(|participants| {
                participants.into_iter().map(|(id, role, state)| ParticipantDetails { id, role, state }).collect()
            }),
            dialog_type,
            channel_type,
            meta_data,
            state,
            creation_ts,
            end_ts,
            meta_data_last_update_ts,
            closed_by,
            closed_cause,
        }
    }
}

prop_compose! {
    fn numbers()(
        ttr in presence((option::of(any_of(TtrType::KNOWN)), option::of(any::<i64>()))),
        delay in presence((option::of(any_of(DelayType::KNOWN)), option::of(time()))),
        manual_ettr in presence(time()),
        csat in presence((option::of(0..=5_u64), option::of(any::<bool>()), option::of(any_of(CsatStatus::KNOWN)))),
        csat_rate in option::of(0..=5_u64),
    ) -> ConversationDetails<'static> {
        ConversationDetails {
            ttr: mapped(ttr, |(ttr_type, value)| Ttr { ttr_type, value }),
            delay: mapped(delay, |(kind, till_when)| Delay { kind, till_when }),
            manual_ettr,
            csat: mapped(csat, |(csat_rate, csat_resolution_confirmation, status)| {
                Csat { csat_rate, csat_resolution_confirmation, status }
            }),
            csat_rate,
            ..ConversationDetails::default()
        }
    }
}

fn mapped<T, U>(presence: Presence<T>, map: impl FnOnce(T) -> U) -> Presence<U> {
    match presence {
        Presence::Absent => Presence::Absent,
        Presence::Null => Presence::Null,
        Presence::Value(value) => Presence::Value(map(value)),
    }
}

prop_compose! {
    pub(super) fn details(dialect: Dialect)(
        numbers in numbers().boxed(),
        people in option::of(people()),
        dialogs in vec(dialog().boxed(), 0..3),
        ids in (option::of(text()), presence(text()), option::of(text()), presence(text())),
        (state, stage) in (option::of(any_of(Stage::KNOWN)), option::of(any_of(Stage::KNOWN))),
        times in (option::of(time()), option::of(time()), option::of(time())),
        close_reason in option::of(any_of(CloseReason::KNOWN)),
        first_conversation in option::of(any::<bool>()),
        (note, app_inst_id) in (presence(text()), presence(text())),
        context in presence(some_json()),
        campaign in presence((option::of(text()), option::of(text()))),
        handler in presence((option::of(text()), option::of(text()))),
    ) -> ConversationDetails<'static> {
        let (conv_id, skill_id, brand_id, group_id) = ids;
        let (start_ts, end_ts, meta_data_last_update_ts) = times;
        let details = ConversationDetails {
            conv_id,
            skill_id,
            brand_id,
            dialogs,
            state,
            stage,
            start_ts,
            end_ts,
            meta_data_last_update_ts,
            close_reason,
            first_conversation,
            group_id,
            note,
            context,
            campaign_info: mapped(campaign, |(campaign_id, engagement_id)| CampaignInfo { campaign_id, engagement_id }),
            conversation_handler_details: mapped(handler, |(account_id, skill_id)| HandlerDetails { account_id, skill_id }),
            app_inst_id,
            ..numbers
        };
        match people {
            Some(people) => details.with_people(people, dialect),
            None => details,
        }
    }
}

prop_compose! {
    pub(super) fn state(dialect: Dialect)(
        conv_id in text(),
        effective_ttr in presence(time()),
        conversation_details in option::of(details(dialect).boxed()),
        unread in presence(vec((text(), 0..=i64::MAX as u64), 0..4)),
        last_update_time in option::of(time()),
        last_content_event_notification in option::of(record().boxed()),
    ) -> ConversationState<'static> {
        ConversationState {
            conv_id,
            effective_ttr,
            conversation_details,
            number_of_unread_messages: mapped(unread, UnreadMessages),
            last_update_time,
            last_content_event_notification,
        }
    }
}

prop_compose! {
    pub(super) fn routing_task()(
        task_completed in option::of(any::<bool>()),
        (conversation_id, consumer_id, skill_id) in (option::of(text()), option::of(text()), option::of(text())),
        rings_details in vec(ring(), 0..3),
    ) -> RoutingTask<'static> {
        RoutingTask { task_completed, conversation_id, consumer_id, skill_id, rings_details }
    }
}

prop_compose! {
    fn ring()(
        ring_id in text(),
        ring_state in any_of(RingState::KNOWN),
        ring_expiration in option::of(0..=i64::MAX as u64),
        ring_expiration_ts in option::of(time()),
        weight in option::of(any::<i64>()),
        (conv_id, consumer_id, skill_id, brand_id) in
            (option::of(text()), option::of(text()), option::of(text()), option::of(text())),
    ) -> Ring<'static> {
        Ring { ring_id, ring_state, ring_expiration, ring_expiration_ts, weight, conv_id, consumer_id, skill_id, brand_id }
    }
}

pub(super) fn agent_state_change() -> impl Strategy<Value = AgentStateChange> {
    (any_of(AgentState::KNOWN), option::of(id()))
        .prop_map(|(availability, agent)| AgentStateChange { availability, agent_user_id: agent.map(AgentId::from) })
}
