//! The acceptance test of webhooks: disorder, repetitions and a restart in between have the same result as a socket.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::{FutureExt, future::join_all};
use rand::{RngExt, SeedableRng, rngs::StdRng, seq::SliceRandom};
use serde_json::Value;
use tertulia_actors::{
    Tertulia,
    connection::ConnectionSettings,
    conversation::ConversationHandle,
    core::{
        conversation::ConversationEvent,
        id::{ConnectionId, ConversationId},
        ums::ChatState,
    },
    platform::ConsumerLogin,
    subscriber::{EventData, EventStream, Filter},
};
use tokio::{task::unconstrained, time::timeout};

use super::{CONSUMER, Post, connect, connector, intake, open, stage};
use crate::stage::{PATIENCE, Stage, platform};

const CONVERSATIONS: usize = 50;
const BY_CONSUMER: usize = 80;
const BY_BOT: usize = 20;

/// Members that may differ: webhooks lack unread counts, and the counters count the disorder.
const NOT_COMPARED: [&str; 4] =
    ["notificationCount", "notificationIgnoredCount", "notificationOutOfOrderCount", "numberOfunreadMessages"];

fn comparable(mut members: Value) -> Value {
    let object = members.as_object_mut().unwrap();
    NOT_COMPARED.iter().for_each(|name| drop(object.remove(*name)));
    members
}

/// The sequences received by a connection in each conversation, in order of arrival.
type Heard = BTreeMap<ConversationId, Vec<u64>>;

fn drain(events: &mut EventStream, connection: &ConnectionId, heard: &mut Heard) {
    // Without this constraint a full stream would sometimes seem empty.
    while let Some(Some(Ok(event))) = unconstrained(events.next()).now_or_never() {
        let EventData::Conversation(data) = &event.data else { continue };
        let sequence = match data {
            ConversationEvent::Message(message) => message.sequence,
            ConversationEvent::MessageDelivery(delivery) => delivery.sequence,
            ConversationEvent::Gap { .. } => panic!("nothing was lost"),
            _ => continue,
        };
        if event.origin.connection == *connection {
            heard.entry(event.conversation.clone().unwrap()).or_default().push(sequence);
        }
    }
}

/// Both sides talk in every conversation; half of the conversations end.
async fn talk(stage: &mut Stage, conversations: &[ConversationHandle], bot: &ConnectionId, socket: &ConnectionId) {
    let mut taken = BTreeSet::new();
    while taken.len() < conversations.len() {
        let event = stage.until(|event| event.origin.connection == *bot && event.data.name() == "conversation").await;
        taken.insert(event.conversation.clone().unwrap());
    }
    // The socket receives no chat states before it has subscribed to the dialog's messages.
    let mut listening = BTreeSet::new();
    for id in &taken {
        stage.emulator.say(id.as_str(), "first").unwrap();
    }
    while listening.len() < conversations.len() {
        let event = stage.until(|event| event.origin.connection == *socket && event.data.name() == "message").await;
        listening.insert(event.conversation.clone().unwrap());
    }
    let replying: Vec<ConversationHandle> =
        taken.iter().map(|id| stage.tertulia.connection(bot).conversation(id).unwrap()).collect();
    for round in 0..BY_BOT {
        for id in &taken {
            for number in 0..BY_CONSUMER / BY_BOT {
                stage.emulator.say(id.as_str(), &format!("{round}.{number}")).unwrap();
            }
        }
        let reply = |handle: &ConversationHandle| {
            let handle = handle.clone();
            async move {
                match round {
                    0 => handle.set_chat_state(ChatState::Composing).await.unwrap(),
                    _ if round % 2 == 0 => handle.send_text(format!("reply {round}")).await.unwrap(),
                    _ => handle.read(vec![0]).await.unwrap(),
                }
            }
        };
        join_all(replying.iter().map(reply)).await;
    }
    for id in taken.iter().step_by(2) {
        stage.emulator.close_conversation(id.as_str()).unwrap();
    }
}

async fn members(tertulia: &Tertulia, connection: &ConnectionId) -> BTreeMap<ConversationId, Value> {
    let handles = tertulia.connection(connection).conversations();
    let all = join_all(handles.iter().map(|handle| async { (handle.id().clone(), handle.members().await.unwrap()) }));
    all.await.into_iter().map(|(id, members)| (id, comparable(members))).collect()
}

/// Compares member by member, so that a failure is readable.
fn assert_same(found: &BTreeMap<ConversationId, Value>, expected: &BTreeMap<ConversationId, Value>) {
    assert!(found.keys().eq(expected.keys()));
    for (id, members) in expected {
        for (name, expected) in members.as_object().unwrap() {
            assert_eq!(&found[id][name], expected, "{name} of {id}");
        }
    }
}

/// Collects webhooks until every record and every conversation's last state have arrived.
async fn collect(
    posts: &mut tokio::sync::mpsc::UnboundedReceiver<Post>,
    records: usize,
    ends: &BTreeMap<ConversationId, Value>,
) -> Vec<Post> {
    let (mut all, mut seen) = (Vec::new(), 0);
    let mut waiting: BTreeMap<&str, i64> =
        ends.iter().map(|(id, members)| (id.as_str(), members["updateTime"].as_i64().unwrap())).collect();
    while seen < records || !waiting.is_empty() {
        let post = timeout(PATIENCE, posts.recv()).await.expect("the webhooks stopped too early").unwrap();
        let body: Value = serde_json::from_slice(&post.body).unwrap();
        let change = &body["body"]["changes"][0];
        seen += usize::from(change["sequence"].is_u64());
        let result = &change["result"];
        if let Some(id) = result["convId"].as_str() {
            let told = result["conversationDetails"]["metaDataLastUpdateTs"].as_i64();
            if waiting.get(id).is_some_and(|end| told >= Some(*end)) {
                waiting.remove(id);
            }
        }
        all.push(post);
    }
    all
}

async fn feed(stage: &Tertulia, hook: &ConnectionId, posts: &[Post]) {
    for Post { signature, body } in posts {
        stage.connection(hook).receive_webhook(Some(signature), body.clone()).await.unwrap();
    }
}

/// Promises 1 and 3.
#[actix_rt::test]
async fn ten_thousand_webhooks_in_disorder_with_a_restart_end_where_the_socket_ends() {
    let (mut stage, mut posts) = stage(|app| app);
    let hook = connect(&stage, connector()).await;
    let socket = ConnectionSettings::consumer(
        "socket",
        "12345678",
        ConsumerLogin::Authenticated { connector: None, token: CONSUMER.into() },
    );
    let socket = stage.connect(socket).await;
    let mut by_socket = stage.tertulia.events(Filter::everything().connection("socket"));
    let bot = stage.bot().await;
    let mut conversations = Vec::new();
    for _ in 0..CONVERSATIONS {
        conversations.push(open(&stage, &hook).await);
    }
    talk(&mut stage, &conversations, &bot, &socket).await;

    // The expected records: every record in the ledger, as received by the socket.
    let records = stage.emulator.ledger().iter().filter(|entry| entry.sequence < u64::MAX).count();
    let mut expected = Heard::new();
    while expected.values().map(Vec::len).sum::<usize>() < records {
        drain(&mut by_socket, &socket, &mut expected);
        tokio::task::yield_now().await;
    }
    for sequences in expected.values() {
        assert_eq!(*sequences, (0..sequences.len() as u64).collect::<Vec<_>>());
    }
    let closed =
        |event: &tertulia_actors::subscriber::Event| event.origin.connection == socket && event.data.name() == "close";
    for _ in 0..CONVERSATIONS.div_ceil(2) {
        stage.until(closed).await;
    }
    let ends = members(&stage.tertulia, &socket).await;
    assert_eq!(ends.len(), CONVERSATIONS);
    let originals = collect(&mut posts, records, &ends).await;

    // One in ten twice, all in random order.
    let mut random = StdRng::seed_from_u64(7);
    let mut posts = originals.clone();
    posts.extend(originals.into_iter().filter(|_| random.random_bool(0.1)));
    posts.shuffle(&mut random);
    assert!(posts.len() > 10_000, "{} webhooks", posts.len());

    let (first, second) = posts.split_at(posts.len() / 2);
    let mut heard = Heard::new();
    let mut snapshots: Vec<String> = Vec::new();
    for (part, is_last) in [(first, false), (second, true)] {
        let tertulia = Tertulia::builder().platform(platform(&stage.emulator)).intakes([intake()]).start().unwrap();
        let mut events = tertulia.events_within(Filter::everything(), 1_000_000);
        tertulia.connection(&hook).ready(PATIENCE).await.unwrap();
        for snapshot in std::mem::take(&mut snapshots) {
            tertulia.connection(&hook).load(&snapshot).await.unwrap();
        }
        feed(&tertulia, &hook, part).await;
        for handle in tertulia.connection(&hook).conversations() {
            let snapshot = handle.snapshot().await.unwrap();
            snapshots.push(snapshot);
        }
        if is_last {
            assert_same(&members(&tertulia, &hook).await, &ends);
        }
        drain(&mut events, &hook, &mut heard);
        tertulia.stop(PATIENCE).await;
    }
    assert_eq!(heard, expected, "every record once and in order, as by the socket");
    stage.tertulia.stop(PATIENCE).await;
}
