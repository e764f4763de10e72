//! What forgetting a conversation costs among many others that have a survey dialog each: flat per conversation.

use std::hint::black_box;

use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use tertulia_core::{
    conversation::DialogTable,
    id::{ConversationId, DialogId},
};

/// Conversations forgotten in one measurement, of however many are here.
const FORGOTTEN: u32 = 1_000;

fn conversation(number: u32) -> ConversationId {
    format!("d2f2f3a4-0000-4000-8000-{number:012}").into()
}

fn table(conversations: u32) -> DialogTable {
    let mut table = DialogTable::default();
    for number in 0..conversations {
        table.note(DialogId::from(format!("survey-{number:012}")), conversation(number));
    }
    table
}

fn forgetting(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("forget a conversation with a survey");
    group.throughput(Throughput::Elements(u64::from(FORGOTTEN)));
    for conversations in [1_000, 10_000, 100_000] {
        let all = table(conversations);
        let step = conversations / FORGOTTEN;
        let leaving: Vec<ConversationId> = (0..FORGOTTEN).map(|number| conversation(number * step)).collect();
        group.bench_function(BenchmarkId::new("among", conversations), |bencher| {
            bencher.iter_batched_ref(
                || all.clone(),
                |table| leaving.iter().for_each(|id| drop(black_box(table.forget(id)))),
                BatchSize::LargeInput,
            );
        });
    }
    group.finish();
}

criterion_group!(benches, forgetting);
criterion_main!(benches);
