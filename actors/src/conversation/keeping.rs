//! What a step of the conversation makes durable: its events, and the state from which the next run of the process
//! continues without loss or repetition (promises 1 and 5).
//!
//! Every handler calls [`Conversation::conclude`] at its end. A step that panics leaves nothing.

use std::{rc::Rc, sync::Arc, time::Duration};

use actix::{ActorFutureExt, AsyncContext, Context, Handler, WrapFuture};
use bytes::Bytes;
use tertulia_core::{command::Identity, conversation::Arrival, id::ExternalConsumerId, ums::AnswerError};
use tokio::time::sleep;

use super::{
    Conversation, ConversationError, FramePermit, Outline, Snapshot, SpeakFor, Upstream, durable,
    snapshot::Written,
    step::{OnceKept, Unconcluded},
};
use crate::{
    engine::{AfterCommit, Change, Record, RecordKey, StoreError, Table},
    log::NumberedStep,
    subscriber::EventData,
};

/// The pause before another request to the store.
const AGAIN_AFTER: Duration = Duration::from_secs(1);

/// What the store has of a conversation.
struct Kept {
    snapshot: Option<Bytes>,
    outbox: Vec<Record>,
}

impl Conversation {
    /// Emits an event of this conversation at the end of the step.
    pub(super) fn emit(&mut self, data: EventData) {
        self.sequence += 1;
        let sequence = self.sequence;
        self.unconcluded().events.push((sequence, data));
    }

    /// Marks the conversation as changed, for changes without an event.
    pub(super) fn touch(&mut self) {
        self.unconcluded().touched = true;
    }

    /// Changes a record at the end of the step.
    pub(super) fn change(&mut self, change: Change) {
        self.unconcluded().changes.push(change);
    }

    /// Runs `then` when the step is durable; drops it if the step was not kept.
    pub(super) fn afterwards(&mut self, then: OnceKept) {
        self.unconcluded().thens.push(then);
    }

    /// Ends a step that input from the platform began, and measures how long its events took.
    pub(super) fn conclude_arrival(&mut self, place: FramePermit) {
        let brought = self.unconcluded.as_ref().is_some_and(|step| !step.events.is_empty());
        let since = place.since();
        self.hold(place);
        self.conclude();
        if brought {
            let age = since.elapsed();
            self.upstream.metrics.frame_to_event_seconds.observe(age);
            self.upstream.counted.event_emitted(age);
        }
    }

    /// Keeps a frame's place occupied until everything it brought is durable.
    fn hold(&mut self, place: FramePermit) {
        if self.keeps() {
            let (place, removal) = place.until_kept();
            self.unconcluded().changes.extend(removal);
            self.afterwards(Box::new(move || place.kept()));
        }
    }

    fn unconcluded(&mut self) -> &mut Unconcluded {
        self.unconcluded.get_or_insert_default()
    }

    /// Whether data survives the process.
    pub(super) fn keeps(&self) -> bool {
        self.upstream.journal.keeps()
    }

    /// Ends a step: its events and changes go out and become durable together.
    pub(super) fn conclude(&mut self) {
        let Some(step) = self.unconcluded.take() else { return };
        let Unconcluded { events, mut changes, thens, touched } = *step;
        if touched || events.iter().any(|(_, data)| data.message().is_some()) {
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
        let then: Option<AfterCommit> = (!thens.is_empty()).then(|| {
            Box::new(move |outcome: Result<_, _>| {
                if outcome.is_ok() {
                    thens.into_iter().for_each(|then| then());
                }
            }) as _
        });
        let step = NumberedStep { events, changes, then };
        self.upstream.log.append(&self.upstream.origin, self.model.id(), step);
    }

    /// Publishes the outline, which others read without calling the actor.
    pub(super) fn tell_outline(&mut self) {
        let Upstream { directory, origin, .. } = &*self.upstream;
        if self.handle.is_none() {
            self.handle = directory.get(&origin.connection, self.model.id());
        }
        if let Some(handle) = &self.handle {
            directory.outline(handle, Outline::after(&self.model, handle.assignment()));
        }
    }

    /// The key of this conversation's records.
    pub(super) fn record_key(&self) -> RecordKey {
        RecordKey::of(&[self.upstream.origin.connection.as_str(), self.id().as_str()])
    }

    fn snapshot_change(&self) -> Option<Change> {
        let written = self.written();
        match written.to_bytes() {
            Ok(value) => {
                let keep_until = written.keep_until(self.upstream.journal.retention());
                Some(Change::Put(Table::Snapshots, Record { keep_until, ..Record::new(self.record_key(), value) }))
            }
            Err(error) => {
                tracing::error!(conversation = %self.id(), %error, "the conversation cannot be serialized");
                None
            }
        }
    }

    /// After a panic: drops what the step had produced. With a store the conversation is loaded again; without a store
    /// it continues from its last step, and its state is requested again.
    pub(super) fn abandon_step(&mut self) {
        self.unconcluded = None;
        self.sequence = self.concluded.sequence;
        self.model = self.model.rebuilt_at(&self.concluded.places);
    }

    /// Loads the stored state before anything else is handled, then continues with `begin`.
    pub(super) fn load(&mut self, ctx: &mut Context<Self>) {
        let journal = self.upstream.journal.clone();
        let key = self.record_key();
        let reading = async move {
            // Changes of the previous actor may still be on their way to the store.
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
                    // Without the stored state, earlier events would be emitted again.
                    Err(error) => report(&error),
                }
                sleep(AGAIN_AFTER).await;
            }
        };
        ctx.wait(reading.into_actor(self).map(|kept, conversation, ctx| {
            if let Err(reason) = conversation.adopt(kept) {
                return conversation.refuse(reason, ctx);
            }
            conversation.begin(ctx);
            conversation.conclude();
        }));
    }

    /// Continues from what the store has. Fails with the reason in words if the stored state cannot be read.
    fn adopt(&mut self, Kept { snapshot, outbox }: Kept) -> Result<(), String> {
        if let Some(snapshot) = snapshot {
            let text = std::str::from_utf8(&snapshot).map_err(|error| error.to_string())?;
            let snapshot = Snapshot::read(text)?;
            let was_held = snapshot.held;
            self.take_snapshot(snapshot);
            if !was_held {
                // The conversation returns to this connection: messages published meanwhile were for somebody else.
                self.model.arrives(Arrival::Before);
                // The record says that the conversation has left.
                self.touch();
            }
        }
        self.recover_commands(&outbox);
        Ok(())
    }
}

impl Conversation {
    /// Creates the conversation of a snapshot; the numbering of its events continues.
    pub(crate) fn loaded(snapshot: Snapshot, upstream: Rc<Upstream>, ready: Option<Arc<Identity>>) -> Self {
        let mut conversation = Self::new(snapshot.id().clone(), upstream, ready);
        conversation.take_snapshot(snapshot);
        // The next run of the process knows the conversation only from its record.
        conversation.touch();
        conversation
    }

    /// Adopts the state of a snapshot, unless the snapshot is older than the present state.
    fn take_snapshot(&mut self, snapshot: Snapshot) {
        if snapshot.sequence < self.sequence {
            return;
        }
        let Snapshot { sequence, consumer, chat_states, mut conversation, .. } = snapshot;
        if conversation.last_message().is_none() {
            conversation.recall_last_message(self.model.last_message().cloned());
        }
        (self.model, self.sequence, self.chat_states) = (conversation, sequence, chat_states);
        if let Some(consumer) = consumer.or(self.consumer.take()) {
            self.speak_for(consumer);
        }
    }

    /// The conversation, serialized in a form that can be loaded again.
    fn written(&self) -> Written<'_> {
        let (sequence, consumer) = (self.sequence, self.consumer.as_ref());
        Written::new(&self.model, self.held, sequence, consumer, &self.chat_states)
    }
}

impl Handler<SpeakFor> for Conversation {
    type Result = ();

    fn handle(&mut self, SpeakFor { consumer }: SpeakFor, _: &mut Self::Context) {
        self.speak_for(consumer);
        self.touch();
        self.conclude();
    }
}

impl Conversation {
    fn speak_for(&mut self, consumer: ExternalConsumerId) {
        self.model.speaks_for(consumer.clone());
        self.consumer = Some(consumer);
    }

    pub(super) fn snapshot(&self) -> Result<String, ConversationError> {
        let unwritable = |error: &dyn std::fmt::Display| AnswerError::Unexpected(error.to_string()).into();
        let written = self.written().without_messages().to_bytes().map_err(|error| unwritable(&error))?;
        String::from_utf8(written).map_err(|error| unwritable(&error))
    }
}

fn report(error: &StoreError) {
    tracing::error!(%error, "a conversation cannot be loaded; trying again");
}
