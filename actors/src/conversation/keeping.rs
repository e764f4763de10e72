//! What a step of the conversation leaves behind: its events, and what is kept so that the next life of the process
//! goes on exactly there (promises 1 and 5).
//!
//! Whatever handles something calls [`Conversation::conclude`] at its end. A step that panics leaves nothing.

use std::time::Duration;

use actix::{ActorFutureExt, AsyncContext, Context, WrapFuture};
use bytes::Bytes;
use tertulia_core::conversation::{Arrival, DialogPlace};
use tokio::time::sleep;

use super::{Conversation, Outline, Place, Snapshot, Upstream, durable};
use crate::{
    engine::{Change, Record, RecordKey, StoreError, Table, Then},
    subscriber::{EventData, Happening},
};

/// How long to wait before the store is asked again.
const AGAIN_AFTER: Duration = Duration::from_secs(1);

/// What a step has brought so far.
#[derive(Default)]
pub(super) struct Unconcluded {
    events: Vec<(u64, EventData)>,
    changes: Vec<Change>,
    thens: Vec<Then>,
    /// Whether the conversation is another one than it was before.
    touched: bool,
}

/// Where the conversation was after its last step, for a life without a store.
#[derive(Default)]
pub(super) struct Concluded {
    sequence: u64,
    places: Vec<DialogPlace>,
}

/// What the store has of a conversation.
struct Kept {
    snapshot: Option<Bytes>,
    outbox: Vec<Record>,
}

impl Conversation {
    /// Emits an event of this conversation, with the end of the step.
    pub(super) fn emit(&mut self, data: EventData) {
        self.sequence += 1;
        let sequence = self.sequence;
        self.unconcluded().events.push((sequence, data));
    }

    /// Notes that the conversation changed, even if no event tells of it.
    pub(super) fn touch(&mut self) {
        self.unconcluded().touched = true;
    }

    /// Changes a record with the end of the step.
    pub(super) fn change(&mut self, change: Change) {
        self.unconcluded().changes.push(change);
    }

    /// Has somebody told once the step is durable.
    pub(super) fn afterwards(&mut self, then: Then) {
        self.unconcluded().thens.push(then);
    }

    /// The end of a step that something from the platform began: counts how long its events took.
    pub(super) fn conclude_arrival(&mut self, place: Place) {
        let brought = self.unconcluded.as_ref().is_some_and(|step| !step.events.is_empty());
        self.hold(place.clone());
        self.conclude();
        if brought {
            let age = place.age();
            self.upstream.metrics.frame_to_event_seconds.observe(age);
            self.upstream.counted.event_told(age);
        }
    }

    /// Keeps a frame's place until what it brought is durable.
    fn hold(&mut self, place: Place) {
        if self.keeps() {
            self.afterwards(Box::new(move || drop(place)));
        }
    }

    fn unconcluded(&mut self) -> &mut Unconcluded {
        self.unconcluded.get_or_insert_default()
    }

    /// Whether anything outlives the process.
    pub(super) fn keeps(&self) -> bool {
        self.upstream.routing.journal().keeps()
    }

    /// The end of a step: everything it brought goes out and becomes durable together.
    pub(super) fn conclude(&mut self) {
        let Some(step) = self.unconcluded.take() else { return };
        let Unconcluded { events, mut changes, thens, touched } = *step;
        if touched {
            self.tell_outline();
        }
        if self.keeps() {
            if touched || !events.is_empty() {
                changes.extend(self.snapshot_change());
            }
        } else {
            self.concluded.sequence = self.sequence;
            self.model.note_places(&mut self.concluded.places);
        }
        let then: Option<Then> =
            (!thens.is_empty()).then(|| Box::new(|| thens.into_iter().for_each(|then| then())) as _);
        let happening = Happening { events, changes, then };
        self.upstream.routing.commit(&self.upstream.origin, self.model.id(), happening);
    }

    /// Lets others know of it what they may want without asking.
    pub(super) fn tell_outline(&mut self) {
        let Upstream { directory, origin, .. } = &*self.upstream;
        if self.handle.is_none() {
            self.handle = directory.get(&origin.connection, self.model.id());
        }
        if let Some(handle) = &self.handle {
            directory.outline(handle, Outline::after(&self.model, handle.outline().assignment));
        }
    }

    /// The key of this conversation's records.
    pub(super) fn record_key(&self) -> RecordKey {
        RecordKey::of(&[self.upstream.origin.connection.as_str(), self.id().as_str()])
    }

    fn snapshot_change(&self) -> Option<Change> {
        match self.written() {
            Ok(value) => Some(Change::Put(Table::Snapshots, Record { key: self.record_key(), value: value.into() })),
            Err(error) => {
                tracing::error!(conversation = %self.id(), %error, "the conversation cannot be serialized");
                None
            }
        }
    }

    /// After a panic: what the step had brought is gone. With a store the conversation is loaded again; without one it
    /// goes on from where it was, and its state is to be asked for anew.
    pub(super) fn abandon_step(&mut self) {
        self.unconcluded = None;
        self.sequence = self.concluded.sequence;
        self.model = self.model.rebuilt_at(&self.concluded.places);
    }

    /// Loads what is kept before anything else is handled; then goes on with `begin`.
    pub(super) fn load(&mut self, ctx: &mut Context<Self>) {
        let journal = self.upstream.routing.journal().clone();
        let key = self.record_key();
        let reading = async move {
            // What the life before left may be on its way still.
            journal.settled().await;
            loop {
                let key = key.clone();
                let kept = journal.read(move |store| {
                    let snapshot = store.get(Table::Snapshots, &key)?;
                    let outbox = store.scan(Table::Outbox, &key, None, durable::PENDING)?;
                    Ok(Kept { snapshot, outbox })
                });
                match kept.await {
                    Ok(kept) => return kept,
                    // To begin anew would repeat what was told before.
                    Err(error) => report(&error),
                }
                sleep(AGAIN_AFTER).await;
            }
        };
        ctx.wait(reading.into_actor(self).map(|kept, conversation, ctx| {
            conversation.adopt(kept);
            conversation.begin(ctx);
            conversation.conclude();
        }));
    }

    fn adopt(&mut self, Kept { snapshot, outbox }: Kept) {
        if let Some(snapshot) = snapshot {
            match std::str::from_utf8(&snapshot).map_err(|error| error.to_string()).and_then(Snapshot::read) {
                Ok(snapshot) => {
                    let was_held = snapshot.held;
                    self.take_snapshot(snapshot);
                    if !was_held {
                        // It comes back: what was said meanwhile was said to somebody else.
                        self.model.arrives(Arrival::Before);
                    }
                }
                Err(error) => {
                    tracing::error!(conversation = %self.id(), error, "the stored conversation cannot be read; it starts from an empty state");
                }
            }
        }
        self.recover_commands(&outbox);
    }
}

fn report(error: &StoreError) {
    tracing::error!(%error, "a conversation cannot be loaded; trying again");
}
