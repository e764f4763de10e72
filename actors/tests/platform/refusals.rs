//! A refusal of the platform affects only the refused requests, and only while it lasts.

use std::time::Duration;

use futures_util::future::join_all;
use tertulia_actors::{
    connection::{ConnectionSettings, ConnectionStatus},
    conversation::ConversationHandle,
    core::{
        conversation::{ConversationEvent, Message},
        id::ConnectionId,
    },
    dead_letters::DeadLetterKind,
    subscriber::{Event, EventData},
};
use tertulia_emulator::{EmulatorConfig, Fault, FaultKind, FaultRule, Outcome, RuleId};
use tokio::time::timeout;

use crate::stage::{PATIENCE, Stage, bot, message};

fn set() -> Stage {
    Stage::set(EmulatorConfig::default())
}

fn drop_socket(stage: &Stage) {
    assert_eq!(stage.emulator.inject(Fault::new(FaultKind::Drop).user("bot1")), 1);
}

fn rule(stage: &Stage, rule: FaultRule) -> RuleId {
    stage.emulator.add_rule(rule).unwrap()
}

/// Waits until the connection is as it should be.
async fn until(stage: &Stage, bot: &ConnectionId, fits: impl Fn(&ConnectionStatus) -> bool) {
    let fitting = async {
        while !stage.tertulia.connection(bot).status().is_some_and(|status| fits(&status)) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let is_fitting = timeout(PATIENCE, fitting).await.is_ok();
    assert!(is_fitting, "{:?}", stage.tertulia.connection(bot).status());
}

async fn until_refused(stage: &Stage, rule: RuleId, times: u64) {
    let refused = async {
        while stage.emulator.rule_counts(rule).is_none_or(|counts| counts.refused < times) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(PATIENCE, refused).await.expect("the platform was not asked again");
}

async fn conversations(stage: &mut Stage, bot: &ConnectionId, count: usize) -> Vec<ConversationHandle> {
    let mut all = Vec::new();
    for _ in 0..count {
        all.push(stage.conversation(bot).await);
    }
    all
}

fn is_lacking(event: &Event) -> bool {
    event.data.name() == "connection.lacking"
}

/// A realistic limit of the platform: few queries are refused, all conversations catch up, and those that have caught
/// up can send meanwhile.
#[actix_rt::test]
async fn a_rate_limit_of_histories_is_found_with_few_refusals_and_holds_no_sends() {
    const CONVERSATIONS: usize = 250;
    let mut stage = set();
    let bot = stage.bot().await;
    let all = conversations(&mut stage, &bot, CONVERSATIONS).await;
    let limit = rule(&stage, FaultRule::new("QueryMessages", Outcome::Code(429)).above_per_second(40));
    drop_socket(&stage);
    for conversation in &all {
        stage.emulator.say(conversation.id().as_str(), "missed").unwrap();
    }
    // The send of the one that has caught up first goes out while the others have not.
    let first = stage.until(|event| message(event).is_some()).await;
    let first = all.iter().find(|one| Some(one.id()) == first.conversation.as_ref()).unwrap();
    first.send_text("at once").await.unwrap();
    assert!(stage.tertulia.connection(&bot).status().unwrap().lacking.histories > CONVERSATIONS / 4);
    stage.texts(&bot, CONVERSATIONS - 1).await;
    stage.tertulia.connection(&bot).ready(PATIENCE).await.unwrap();
    let counts = stage.emulator.rule_counts(limit).unwrap();
    assert!(counts.granted >= CONVERSATIONS as u64 && counts.refused * 10 < counts.granted, "{counts:?}");
    assert!(stage.tertulia.connection(&bot).status().unwrap().lacking.is_nothing());
}

/// If the state shows that nothing was missed, no command waits for a slow history.
#[actix_rt::test]
async fn sends_of_up_to_date_conversations_go_out_before_their_histories_were_read() {
    const CONVERSATIONS: usize = 20;
    let mut stage = set();
    let bot = stage.bot().await;
    let all = conversations(&mut stage, &bot, CONVERSATIONS).await;
    for conversation in &all {
        stage.emulator.say(conversation.id().as_str(), "hello").unwrap();
    }
    stage.texts(&bot, CONVERSATIONS).await;
    let limit = rule(&stage, FaultRule::new("QueryMessages", Outcome::Code(429)).above_per_second(2));
    drop_socket(&stage);
    // A command sent on the lost socket would have to be looked up.
    until(&stage, &bot, |status| !status.is_ready()).await;
    for sent in join_all(all.iter().map(|conversation| conversation.send_text("at once"))).await {
        sent.unwrap();
    }
    let granted = stage.emulator.rule_counts(limit).unwrap().granted;
    assert!(granted < CONVERSATIONS as u64 / 2, "{granted}");
    stage.tertulia.connection(&bot).ready(PATIENCE).await.unwrap();
}

/// A throttled login sends few commands at a time, because the platform would refuse most of them.
#[actix_rt::test]
async fn commands_that_wait_for_a_throttled_login_are_sent_few_at_a_time() {
    const CONVERSATIONS: usize = 100;
    let mut stage = set();
    let bot = stage.bot().await;
    let all = conversations(&mut stage, &bot, CONVERSATIONS).await;
    let throttle = rule(&stage, FaultRule::new("PublishEvent", Outcome::Code(429)).times(3));
    let limit = rule(&stage, FaultRule::new("PublishEvent", Outcome::Code(429)).above_per_second(20));
    let (first, others) = all.split_at(3);
    let first = join_all(first.iter().map(|conversation| conversation.send_text("first")));
    let others = async {
        until_refused(&stage, throttle, 3).await;
        join_all(others.iter().map(|conversation| conversation.send_text("waits"))).await
    };
    let (first, others) = futures_util::future::join(first, others).await;
    assert!(first.iter().chain(&others).all(Result::is_ok), "{first:?} {others:?}");
    let counts = stage.emulator.rule_counts(limit).unwrap();
    assert_eq!(counts.granted, CONVERSATIONS as u64);
    assert!(counts.refused * 2 < counts.granted, "{counts:?}");
}

/// A single refusal may concern a single command: one that is always throttled pauses the login, and nothing more.
#[actix_rt::test]
async fn one_command_that_is_always_throttled_holds_the_others_up_for_its_pauses_only() {
    const ROUNDS: u64 = 6;
    let mut stage = set();
    let bot = stage.bot().await;
    let all = conversations(&mut stage, &bot, 60).await;
    let (throttled, others) = all.split_first().unwrap();
    let throttle = FaultRule::new("PublishEvent", Outcome::Code(429)).conversation(throttled.id().as_str());
    let throttle = rule(&stage, throttle.always());
    let throttled = throttled.clone();
    actix_rt::spawn(async move { throttled.send_text("never").await });
    until_refused(&stage, throttle, 1).await;
    for _ in 0..ROUNDS {
        for sent in join_all(others.iter().map(|conversation| conversation.send_text("waits"))).await {
            sent.unwrap();
        }
    }
    // With few commands together there were five pauses in each round.
    let counts = stage.emulator.rule_counts(throttle).unwrap();
    assert!(counts.refused < 3 * ROUNDS, "{counts:?}");
}

/// Conversations that the first socket brought up to date come last on the next socket.
#[actix_rt::test]
async fn histories_that_a_lost_socket_left_unread_are_read_first_on_the_next_one() {
    const CONVERSATIONS: usize = 40;
    let mut stage = set();
    let bot = stage.bot().await;
    let all = conversations(&mut stage, &bot, CONVERSATIONS).await;
    let limit = rule(&stage, FaultRule::new("QueryMessages", Outcome::Code(429)).above_per_second(10));
    drop_socket(&stage);
    for conversation in &all {
        stage.emulator.say(conversation.id().as_str(), "missed").unwrap();
    }
    stage.texts(&bot, 10).await;
    drop_socket(&stage);
    stage.texts(&bot, CONVERSATIONS - 10).await;
    let granted = stage.emulator.rule_counts(limit).unwrap().granted;
    // One page each, and few of those that had been read before.
    assert!(granted < CONVERSATIONS as u64 + 15, "{granted}");
}

async fn one_history_fails(outcome: Outcome, request_timeout: Duration) {
    let mut stage = set();
    let id = stage.connect(ConnectionSettings { request_timeout, ..bot(1) }).await;
    let all = conversations(&mut stage, &id, 5).await;
    let bad = all[2].id().clone();
    let failing = rule(&stage, FaultRule::new("QueryMessages", outcome).conversation(bad.as_str()).always());
    drop_socket(&stage);
    stage.emulator.say(bad.as_str(), "missed").unwrap();
    for conversation in all.iter().filter(|one| *one.id() != bad) {
        conversation.send_text("as if nothing were").await.unwrap();
    }
    let held = all[2].send_text("later");
    let check = async {
        let lacking = stage.until(is_lacking).await;
        let EventData::Lacking { lacking } = &lacking.data else { unreachable!() };
        assert_eq!((lacking.histories, lacking.has_parts()), (1, true));
        until(&stage, &id, |status| status.is_ready() && status.lacking.histories == 1).await;
        let letters = stage.tertulia.dead_letters().list(None, 10).await.unwrap();
        let letter = letters.iter().find(|letter| letter.kind == DeadLetterKind::History).unwrap();
        assert_eq!(letter.conversation.as_ref(), Some(&bad));
        assert!(!stage.said().contains(&"later".to_owned()));
        // Rings are taken, too.
        let new = stage.conversation(&id).await;
        new.send_text("welcome").await.unwrap();
        until_refused(&stage, failing, 4).await;
        stage.emulator.clear_rules();
    };
    let (sent, ()) = tokio::join!(held, check);
    sent.unwrap();
    // Nothing of it is lost.
    let is_missed = |event: &Event| message(event).and_then(Message::text).as_deref() == Some("missed");
    stage.until(is_missed).await;
    until(&stage, &id, |status| status.lacking.is_nothing()).await;
}

#[actix_rt::test]
async fn a_history_that_is_always_refused_costs_only_the_sends_of_its_conversation() {
    one_history_fails(Outcome::Code(500), Duration::from_secs(30)).await;
}

#[actix_rt::test]
async fn a_history_that_is_never_answered_costs_only_the_sends_of_its_conversation() {
    one_history_fails(Outcome::Never, Duration::from_millis(500)).await;
}

#[actix_rt::test]
async fn a_history_that_is_always_throttled_costs_only_the_sends_of_its_conversation() {
    one_history_fails(Outcome::Code(429), PATIENCE).await;
}

#[actix_rt::test]
async fn a_conversation_whose_history_is_not_given_tells_a_gap_that_is_awaited() {
    let mut stage = set();
    let bot = stage.bot().await;
    let conversation = stage.conversation(&bot).await;
    rule(&stage, FaultRule::new("QueryMessages", Outcome::Code(500)).always());
    drop_socket(&stage);
    stage.emulator.say(conversation.id().as_str(), "missed").unwrap();
    let gap = stage.event("gap").await;
    let EventData::Conversation(ConversationEvent::Gap { from: 0, to: 0, awaited: true, .. }) = gap.data else {
        panic!("{gap:?}")
    };
    assert_eq!(stage.tertulia.metrics().message_gaps.get(), 0, "it is not given up");
}

#[actix_rt::test]
async fn a_refused_ring_subscription_is_reported_and_tried_again_until_rings_arrive() {
    for code in [429, 500, 403] {
        let mut stage = set();
        let refused = rule(&stage, FaultRule::new("SubscribeRoutingTasks", Outcome::Code(code)).times(2));
        stage.tertulia.connect(bot(1)).unwrap();
        let id = ConnectionId::from("bot-1");
        until(&stage, &id, |status| status.lacking.rings.is_some()).await;
        until_refused(&stage, refused, 2).await;
        until(&stage, &id, |status| status.is_ready() && status.lacking.is_nothing()).await;
        stage.conversation(&id).await.send_text("taken").await.unwrap();
        assert_eq!(stage.tertulia.metrics().sockets_opened.get(), 1, "{code}");
    }
}

#[actix_rt::test]
async fn a_refused_agent_state_is_reported_and_tried_again_on_the_same_socket() {
    let mut stage = set();
    let id = stage.bot().await;
    let conversation = stage.conversation(&id).await;
    let refused = rule(&stage, FaultRule::new("SetAgentState", Outcome::Code(403)).always());
    drop_socket(&stage);
    until(&stage, &id, |status| status.is_ready() && status.lacking.agent_state.is_some()).await;
    let told = stage.until(is_lacking).await;
    let EventData::Lacking { lacking } = &told.data else { unreachable!() };
    assert!(lacking.agent_state.as_ref().is_some_and(|why| why.contains("403")) && lacking.rings.is_none());
    conversation.send_text("it works for everything else").await.unwrap();
    until_refused(&stage, refused, 3).await;
    stage.emulator.clear_rules();
    until(&stage, &id, |status| status.lacking.is_nothing()).await;
    assert_eq!(stage.tertulia.metrics().sockets_opened.get(), 2);
}

#[actix_rt::test]
async fn a_refused_subscription_is_tried_again_on_the_same_socket_and_known_conversations_work_meanwhile() {
    let mut stage = set();
    let id = stage.bot().await;
    let conversation = stage.conversation(&id).await;
    rule(&stage, FaultRule::new("SubscribeExConversations", Outcome::Code(500)).always());
    drop_socket(&stage);
    stage.emulator.say(conversation.id().as_str(), "missed").unwrap();
    conversation.send_text("it works for everything else").await.unwrap();
    until(&stage, &id, |status| status.is_ready() && status.lacking.subscriptions.is_some()).await;
    assert_eq!(stage.texts(&id, 1).await, ["missed"]);
    stage.emulator.clear_rules();
    until(&stage, &id, |status| status.lacking.is_nothing()).await;
    stage.conversation(&id).await.send_text("here").await.unwrap();
    assert_eq!(stage.tertulia.metrics().sockets_opened.get(), 2);
}

/// A limit of the platform on answers to offers: each is repeated under the pause, and no offer is lost.
#[actix_rt::test]
async fn throttled_acceptances_of_offers_are_paced_and_repeated() {
    const OFFERS: usize = 30;
    let mut stage = set();
    let id = stage.bot().await;
    let limit = rule(&stage, FaultRule::new("UpdateRingState", Outcome::Code(429)).above_per_second(10));
    for _ in 0..OFFERS {
        stage.emulator.create_conversation(None, None);
    }
    for _ in 0..OFFERS {
        stage.event("conversation").await;
    }
    let counts = stage.emulator.rule_counts(limit).unwrap();
    assert!(counts.refused > 0 && counts.refused < OFFERS as u64 / 2, "{counts:?}");
    let accepted = stage.tertulia.metrics().rings_accepted.clone();
    until(&stage, &id, |_| accepted.get() == OFFERS as u64).await;
}

/// One offer that is refused for ever is the first of all, because it is the oldest: the others are taken all the same.
#[actix_rt::test]
async fn an_acceptance_that_is_always_throttled_costs_its_own_offer_only() {
    const OFFERS: usize = 30;
    let mut stage = set();
    let bad = stage.emulator.create_conversation(None, None);
    let refused =
        rule(&stage, FaultRule::new("UpdateRingState", Outcome::Code(429)).conversation(bad.as_str()).always());
    let id = stage.bot().await;
    until_refused(&stage, refused, 3).await;
    for _ in 0..OFFERS {
        stage.emulator.create_conversation(None, None);
    }
    for _ in 0..OFFERS {
        stage.event("conversation").await;
    }
    until_refused(&stage, refused, 4).await;
    stage.emulator.clear_rules();
    let taken = stage.event("conversation").await;
    assert_eq!(taken.conversation.as_ref().map(ToString::to_string).as_deref(), Some(bad.as_str()));
    let accepted = stage.tertulia.metrics().rings_accepted.clone();
    until(&stage, &id, |_| accepted.get() == 1 + OFFERS as u64).await;
}

#[actix_rt::test]
async fn an_acceptance_that_the_platform_was_in_trouble_over_is_repeated() {
    let mut stage = set();
    let id = stage.bot().await;
    rule(&stage, FaultRule::new("UpdateRingState", Outcome::Code(500)).times(2));
    stage.conversation(&id).await.send_text("taken").await.unwrap();
}

#[actix_rt::test]
async fn an_unreadable_record_of_a_history_is_a_gap_of_one_and_a_dead_letter() {
    let mut stage = set();
    let id = stage.bot().await;
    let conversation = stage.conversation(&id).await;
    rule(&stage, FaultRule::new("QueryMessages", Outcome::Unreadable(1)).always());
    drop_socket(&stage);
    for text in ["0", "1", "2"] {
        stage.emulator.say(conversation.id().as_str(), text).unwrap();
    }
    let told = |event: &Event| message(event).is_some() || event.data.name() == "gap";
    let mut heard = Vec::new();
    for _ in 0..3 {
        let event = stage.until(told).await;
        heard.push(match &event.data {
            EventData::Conversation(ConversationEvent::Gap { from, to, awaited: false, .. }) => format!("{from}-{to}"),
            _ => message(&event).unwrap().text().unwrap(),
        });
    }
    assert_eq!(heard, ["0", "1-1", "2"]);
    let letters = stage.tertulia.dead_letters().list(None, 10).await.unwrap();
    assert!(letters.iter().any(|letter| {
        letter.kind == DeadLetterKind::Record && letter.conversation.as_ref() == Some(conversation.id())
    }));
}

#[actix_rt::test]
async fn a_history_in_smaller_pages_than_asked_for_is_read_to_its_end() {
    let mut stage = set();
    let id = stage.bot().await;
    let conversation = stage.conversation(&id).await;
    rule(&stage, FaultRule::new("QueryMessages", Outcome::Clamp(3)).always());
    drop_socket(&stage);
    let texts: Vec<String> = (0..20).map(|number| number.to_string()).collect();
    for text in &texts {
        stage.emulator.say(conversation.id().as_str(), text).unwrap();
    }
    assert_eq!(stage.texts(&id, 20).await, texts);
    assert_eq!(stage.tertulia.metrics().message_gaps.get(), 0);
}

/// Trouble that lasts for two refusals, with every kind of answer, in every part of the resume plan. Everything works
/// afterwards, and nothing is lost.
#[actix_rt::test]
async fn whatever_a_part_of_the_resume_plan_answers_for_a_while_everything_works_afterwards() {
    let parts = ["SubscribeExConversations", "SubscribeRoutingTasks", "SetAgentState", "QueryMessages"];
    let answers = [401, 403, 429, 500, 502].map(Outcome::Code).into_iter().chain([Outcome::Html(502)]);
    let cases = answers.flat_map(|outcome| parts.map(|part| (part, outcome)));
    let trials = cases.map(|(part, outcome)| async move {
        let mut stage = set();
        let id = stage.bot().await;
        let conversation = stage.conversation(&id).await;
        let refused = rule(&stage, FaultRule::new(part, outcome).always());
        drop_socket(&stage);
        stage.emulator.say(conversation.id().as_str(), "missed").unwrap();
        until_refused(&stage, refused, 2).await;
        stage.emulator.clear_rules();
        assert_eq!(stage.texts(&id, 1).await, ["missed"], "{part} {outcome:?}");
        conversation.send_text("here").await.unwrap();
        until(&stage, &id, |status| status.is_ready() && status.lacking.is_nothing()).await;
        assert_eq!(stage.tertulia.metrics().message_gaps.get(), 0, "{part} {outcome:?}");
    });
    join_all(trials).await;
}

/// A message that comes after its conversation was let go of is dropped and counted, and brings nothing back.
#[actix_rt::test]
async fn a_message_of_a_conversation_that_is_not_the_connections_is_dropped_with_a_count() {
    let mut stage = set();
    let id = stage.connect(ConnectionSettings { linger: Duration::from_millis(10), ..bot(1) }).await;
    let gone = stage.conversation(&id).await;
    stage.emulator.inject(Fault::new(FaultKind::DeleteThenLate).user("bot1"));
    stage.emulator.say(gone.id().as_str(), "late").unwrap();
    stage.emulator.close_conversation(gone.id().as_str()).unwrap();
    stage.event("close").await;
    let strangers = stage.tertulia.metrics().messages_of_strangers.clone();
    until(&stage, &id, |_| strangers.get() == 1).await;
    // The response to a later request shows that the earlier response has arrived.
    let other = stage.conversation(&id).await;
    other.send_text("here").await.unwrap();
    let known: Vec<_> = stage.tertulia.connection(&id).conversations().iter().map(|known| known.id().clone()).collect();
    assert_eq!(known, [other.id().clone()]);
}
