//! The path of a notification from its text to its events, compared with only decoding the same bytes.

use std::hint::black_box;

use criterion::{
    BatchSize, BenchmarkGroup, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main,
    measurement::WallTime,
};
use serde_json::Value;
use tertulia_core::{
    conversation::{Conversation, HistoryStart},
    id::ConversationId,
    ums::{Change, ConversationState, Dialect, Frame, Notification},
};
use tertulia_frames::{
    crowd,
    notification::{Size, State},
    receiver::Receiver,
};

/// Conversations used in turn, so that no conversation is always in the processor's nearest cache.
const CONVERSATIONS: u32 = 256;

fn changes(frame: &str, each: impl FnMut(&Change<'_>)) {
    if let Ok(Frame::Notification(Notification::Conversations(changes))) = Frame::decode(frame) {
        changes.changes.iter().for_each(each);
    }
}

fn decode(frame: &str) {
    changes(frame, |change| {
        let _ = black_box(change.result.map(|result| serde_json::from_str::<ConversationState<'_>>(result.get())));
    });
}

fn notifications(criterion: &mut Criterion) {
    for dialect in [Dialect::Brand, Dialect::Consumer] {
        for size in Size::ALL {
            let name = format!("{dialect:?} {}", size.name()).to_lowercase();
            let mut group = criterion.benchmark_group(name);
            group.throughput(Throughput::Elements(u64::from(CONVERSATIONS)));
            one_kind(&mut group, size, dialect);
            group.finish();
        }
    }
}

fn one_kind(group: &mut BenchmarkGroup<'_, WallTime>, size: Size, dialect: Dialect) {
    let version = |version| {
        let states = (0..CONVERSATIONS).map(|conversation| State { size, dialect, conversation, version });
        let states: Vec<State> = states.collect();
        let frames: Vec<String> = states.iter().map(State::frame).collect();
        (states, frames)
    };
    let (states, first) = version(0);
    let untold = || Receiver::new(states.iter().map(|state| state.conversation_id().into()), dialect);
    let mut told = untold();
    told.receive_all(&first);

    group.bench_function("duplicate", |bencher| {
        let mut told = told.clone();
        bencher.iter(|| told.receive_all(&first));
    });
    group.bench_function("small change", |bencher| {
        let (_, next) = version(1);
        bencher.iter_batched_ref(|| told.clone(), |told| told.receive_all(&next), BatchSize::LargeInput);
    });
    group.bench_function("update", |bencher| {
        // The unread messages change, which only an update event reports.
        let ((_, before), (_, next)) = (version(1), version(2));
        let mut told = told.clone();
        told.receive_all(&before);
        bencher.iter_batched_ref(|| told.clone(), |told| told.receive_all(&next), BatchSize::LargeInput);
    });
    group.bench_function("participants", |bencher| {
        let ((_, before), (_, next)) = (version(2), version(3));
        let mut told = told.clone();
        told.receive_all(&before);
        bencher.iter_batched_ref(|| told.clone(), |told| told.receive_all(&next), BatchSize::LargeInput);
    });
    group.bench_function("first state", |bencher| {
        bencher.iter_batched_ref(untold, |untold| untold.receive_all(&first), BatchSize::LargeInput);
    });
    group.bench_function("typed decoding alone", |bencher| {
        bencher.iter(|| first.iter().for_each(|frame| decode(frame)));
    });
    group.bench_function("decoding to a tree alone", |bencher| {
        bencher.iter(|| first.iter().for_each(|frame| drop(black_box(serde_json::from_str::<Value>(frame)))));
    });
}

/// Unrealistic states: the elements per second must stay the same, however many elements there are.
fn crowds(criterion: &mut Criterion) {
    type Make = fn(usize, u32) -> String;
    for (kind, make) in [("participants", crowd::of_participants as Make), ("dialogs", crowd::of_dialogs as Make)] {
        let mut group = criterion.benchmark_group(format!("{kind} replaced by others"));
        group.sample_size(10);
        for count in [1_000, 2_000, 4_000, 8_000, 16_000] {
            let (before, after) = (make(count, 0), make(count, 1));
            let id = ConversationId::from(crowd::CONVERSATION);
            let mut told = Conversation::new(id, Dialect::Consumer, HistoryStart::Beginning);
            let _ = told.receive_state(&before);
            group.throughput(Throughput::Elements(count as u64));
            group.bench_with_input(BenchmarkId::from_parameter(count), &after, |bencher, after| {
                bencher.iter_batched_ref(|| told.clone(), |told| told.receive_state(after), BatchSize::LargeInput);
            });
        }
        group.finish();
    }
}

criterion_group!(benches, notifications, crowds);
criterion_main!(benches);
