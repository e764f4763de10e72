//! What subscribers get, in which order, and what happens to slow ones.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use actix::Actor;
use futures_util::{FutureExt as _, future::LocalBoxFuture};
use serde_json::{
    Value, json,
    value::{RawValue, to_raw_value},
};
use tertulia_core::{conversation::ConversationEvent, id::ConversationId};
use tokio::{sync::mpsc, time::timeout};

use super::{
    Event, EventData, EventKind, EventStream, Filter, LaggedError, Origin, RoutingTable, Sink, SinkError, Subscriber,
};
use crate::{
    dead_letters::{DeadLetterKind, DeadLetterLimits, DeadLetters},
    engine::{Journal, Loggable},
    log::{Log, Subject},
    metrics::Metrics,
    supervision::{GuardOptions, RestartPolicy, start_guarded},
};

const PATIENCE: Duration = Duration::from_secs(10);

struct Table {
    journal: Arc<Journal>,
    log: Log,
    routing: Arc<RoutingTable>,
    dead_letters: Arc<DeadLetters>,
    metrics: Arc<Metrics>,
    origin: Arc<Origin>,
    conversation: ConversationId,
}

impl Table {
    fn new() -> Self {
        let (journal, metrics) = (Journal::forgetful(), Arc::new(Metrics::default()));
        let routing = Arc::new(RoutingTable::default());
        Self {
            log: Log::new(Arc::clone(&journal), Arc::clone(&routing), Arc::clone(&metrics)),
            routing,
            dead_letters: Arc::new(
                DeadLetters::new(DeadLetterLimits::default(), Arc::clone(&metrics), Arc::clone(&journal)).unwrap(),
            ),
            journal,
            metrics,
            origin: Arc::new(Origin { account: "12345678".into(), connection: "bots-1".into() }),
            conversation: "c1".into(),
        }
    }

    fn stream(&self, filter: Filter, capacity: usize) -> EventStream {
        EventStream::new(&self.routing, filter, capacity)
    }

    fn subscriber(&self, sink: impl Sink) -> Subscriber {
        let (metrics, dead_letters) = (Arc::clone(&self.metrics), Arc::clone(&self.dead_letters));
        Subscriber::new("test".into(), Box::new(sink), metrics, dead_letters)
    }

    fn publish(&self, sequence: u64) {
        self.tell(sequence, ConversationEvent::TransferSkill { dialog_id: "c1".into(), skill_id: "501".into() });
    }

    fn tell(&self, sequence: u64, event: ConversationEvent) {
        let subject = Subject::Conversation(&self.conversation, sequence);
        self.log.publish(&self.origin, subject, EventData::Conversation(event));
    }
}

/// EV-2.
/// A CloudEvents 1.0 object with the platform's names in its data.
#[actix_rt::test]
async fn an_event_is_written_as_a_cloud_event() {
    let table = Table::new();
    let mut events = table.stream(Filter::everything(), 10);
    table.publish(42);
    let mut event = json!(*events.next().await.unwrap().unwrap());
    assert!(event["time"].as_str().is_some_and(|time| time.ends_with('Z')));
    event["time"] = Value::Null;
    assert_eq!(
        event,
        json!({
            "specversion": "1.0", "id": format!("{}-1", table.journal.epoch()), "source": "/accounts/12345678/connections/bots-1", "connection": "bots-1", "subject": "c1",
            "type": "tertulia.transfer-skill", "time": null, "sequence": "42", "datacontenttype": "application/json",
            "data": { "dialogId": "c1", "skillId": "501" },
        })
    );
}

#[actix_rt::test]
async fn the_first_event_of_a_conversation_has_its_connection_and_its_sequence() {
    let table = Table::new();
    let mut events = table.stream(Filter::everything(), 10);
    let members = json!({ "conversationId": "c1", "context": { "a": ["{", "}"] } });
    table.tell(1, ConversationEvent::Conversation(to_raw_value(&members).unwrap().into()));
    let event = json!(*events.next().await.unwrap().unwrap());
    let expected =
        json!({ "connection": "bots-1", "sequence": "1", "conversationId": "c1", "context": { "a": ["{", "}"] } });
    assert_eq!(event["data"], expected);
}

/// Line breaks would end the event early in a stream of server-sent events.
#[actix_rt::test]
async fn an_event_is_stored_in_one_line() {
    let table = Table::new();
    let mut events = table.stream(Filter::everything(), 10);
    let changed = "{\"context\":{\r\n\"a\":\n\"b\\n\"}}";
    let changed = RawValue::from_string(changed.to_owned()).unwrap().into();
    table.tell(1, ConversationEvent::Update { changed });
    let stored = events.next().await.unwrap().unwrap().stored();
    assert!(!stored.json.contains(&b'\n') && !stored.json.contains(&b'\r'));
    let event: Value = serde_json::from_slice(&stored.json).unwrap();
    assert_eq!(event["data"], json!({ "changed": { "context": { "a": "b\n" } } }));
}

/// EV-1.
#[actix_rt::test]
async fn a_filter_lets_pass_what_it_names_and_nothing_else() {
    let table = Table::new();
    let mut wanted = [
        Filter::everything(),
        Filter::everything().kind(EventKind::TransferSkill).connection("bots-1").conversation("c1"),
    ]
    .map(|filter| table.stream(filter, 10));
    let mut others = [
        Filter::everything().kind(EventKind::Message),
        Filter::everything().connection("bots-2"),
        Filter::everything().conversation("c2"),
    ]
    .map(|filter| table.stream(filter, 10));
    table.publish(1);
    for stream in &mut wanted {
        assert_eq!(stream.next().await.unwrap().unwrap().sequence, Some(1));
    }
    for stream in &mut others {
        assert!(timeout(Duration::ZERO, stream.next()).await.is_err());
    }
}

/// Promise 6: a slow reader gets the number of missed events at the place where it missed them; a fast reader misses
/// nothing.
#[actix_rt::test]
async fn a_slow_reader_is_told_what_it_missed_and_holds_nobody_up() {
    let table = Table::new();
    let mut slow = table.stream(Filter::everything(), 2);
    let mut quick = table.stream(Filter::everything(), 10);
    for sequence in 1..=5 {
        table.publish(sequence);
    }
    for sequence in 1..=5 {
        assert_eq!(quick.next().await.unwrap().unwrap().sequence, Some(sequence));
    }
    for sequence in 1..=2 {
        assert_eq!(slow.next().await.unwrap().unwrap().sequence, Some(sequence));
    }
    table.publish(6);
    assert_eq!(slow.next().await.unwrap().unwrap_err(), LaggedError { missed: 3 });
    assert_eq!(slow.next().await.unwrap().unwrap().sequence, Some(6));
    assert_eq!(table.metrics.events_missed.get(), 3);
}

#[actix_rt::test]
async fn a_dropped_stream_costs_nothing_any_more() {
    let table = Table::new();
    drop(table.stream(Filter::everything(), 1));
    for sequence in 1..=5 {
        table.publish(sequence);
    }
    assert_eq!(table.metrics.events_missed.get(), 0);
}

/// Accepts one event at a time and refuses odd sequences.
struct Picky {
    taken: mpsc::UnboundedSender<u64>,
    busy: Arc<Mutex<bool>>,
}

impl Sink for Picky {
    fn deliver(&mut self, event: Arc<Event>) -> LocalBoxFuture<'static, Result<(), SinkError>> {
        let (taken, busy) = (self.taken.clone(), Arc::clone(&self.busy));
        Box::pin(async move {
            assert!(!std::mem::replace(&mut *busy.lock().unwrap(), true), "two deliveries at the same time");
            tokio::task::yield_now().await;
            *busy.lock().unwrap() = false;
            let sequence = event.sequence.unwrap();
            taken.send(sequence).unwrap();
            if sequence % 2 == 1 { Err(SinkError::Refused("odd".to_owned())) } else { Ok(()) }
        })
    }
}

#[actix_rt::test]
async fn a_subscriber_delivers_one_at_a_time_in_order_and_skips_what_is_refused() {
    let table = Table::new();
    let (taken, mut deliveries) = mpsc::unbounded_channel();
    let sink = Picky { taken, busy: Arc::default() };
    let subscriber = table.subscriber(sink).start();
    let _subscription = table.routing.attach(Filter::everything(), subscriber.recipient(), 100);
    for sequence in 1..=20 {
        table.publish(sequence);
    }
    for sequence in 1..=20 {
        assert_eq!(timeout(PATIENCE, deliveries.recv()).await.unwrap(), Some(sequence));
    }
    timeout(PATIENCE, async {
        while table.metrics.deliveries_failed.get() < 10 {
            tokio::task::yield_now().await;
        }
    })
    .await
    .unwrap();
}

/// Panics on events with odd sequences: in the call itself, or in the future.
struct Fragile {
    told: mpsc::UnboundedSender<Told>,
    in_the_future: bool,
}

#[derive(Debug, PartialEq, Eq)]
enum Told {
    Event(u64),
    Ended(String),
}

impl Sink for Fragile {
    fn deliver(&mut self, event: Arc<Event>) -> LocalBoxFuture<'static, Result<(), SinkError>> {
        let (told, sequence, in_the_future) = (self.told.clone(), event.sequence.unwrap(), self.in_the_future);
        assert!(in_the_future || sequence.is_multiple_of(2), "odd");
        Box::pin(async move {
            tokio::task::yield_now().await;
            assert!(!in_the_future || sequence.is_multiple_of(2), "odd");
            told.send(Told::Event(sequence)).unwrap();
            Ok(())
        })
    }

    fn ended(&mut self, panic: &str) {
        self.told.send(Told::Ended(panic.to_owned())).unwrap();
    }
}

#[actix_rt::test]
async fn what_a_sink_panics_on_goes_to_the_dead_letters_and_the_queue_goes_on_until_it_is_given_up() {
    for in_the_future in [false, true] {
        let table = Table::new();
        let (told, mut heard) = mpsc::unbounded_channel();
        let subscriber = table.subscriber(Fragile { told, in_the_future });
        let policy = Arc::new(RestartPolicy {
            max_restarts: 3,
            within: Duration::from_secs(3_600),
            backoff: tertulia_core::session::Backoff {
                floor: Duration::ZERO,
                base: Duration::from_millis(1),
                max: Duration::from_millis(1),
            },
        });
        let options = GuardOptions { policy, ..GuardOptions::new("test", |_| {}) };
        let address = start_guarded(options, |_| subscriber);
        let _subscription = table.routing.attach(Filter::everything(), address.clone().recipient(), 100);
        (1..=10).for_each(|sequence| table.publish(sequence));
        for expected in [Told::Event(2), Told::Event(4), Told::Event(6), Told::Ended("odd".to_owned())] {
            assert_eq!(timeout(PATIENCE, heard.recv()).await.unwrap(), Some(expected));
        }
        assert_eq!(timeout(PATIENCE, heard.recv()).await.unwrap(), None, "nothing follows, and the sink is dropped");
        let letters = table.dead_letters.list(None, 10).await.unwrap();
        let sequences: Vec<String> = letters
            .iter()
            .map(|letter| {
                serde_json::from_slice::<Value>(&letter.body).unwrap()["sequence"].as_str().unwrap().to_owned()
            })
            .collect();
        assert_eq!(sequences, ["1", "3", "5", "7"]);
        let letter = &letters[0];
        assert_eq!((letter.kind, letter.reason.as_str()), (DeadLetterKind::Delivery, "odd"));
        assert_eq!(letter.subscriber.as_deref(), Some("test"));
        assert_eq!(letter.conversation, Some(table.conversation.clone()));
    }
}

#[actix_rt::test]
async fn an_event_of_a_connection_does_not_pass_those_of_its_conversations() {
    let table = Table::new();
    let mut stream = table.stream(Filter::everything(), 10);
    table.publish(1);
    table.publish(2);
    assert!(stream.next().now_or_never().is_none(), "they are offered at the end of the turn");
    table.log.publish(&table.origin, Subject::Connection, EventData::Connected {});
    table.publish(3);
    let mut sequences = Vec::new();
    for _ in 0..4 {
        let event = timeout(PATIENCE, stream.next()).await.unwrap().unwrap().unwrap();
        sequences.push(event.sequence);
    }
    assert_eq!(sequences, [Some(1), Some(2), None, Some(3)]);
}

#[test]
fn outside_of_an_arbiter_an_event_is_offered_at_once() {
    let table = Table::new();
    let mut stream = table.stream(Filter::everything(), 10);
    table.publish(1);
    let event = stream.next().now_or_never().expect("it is there").unwrap().unwrap();
    assert_eq!(event.sequence, Some(1));
}
