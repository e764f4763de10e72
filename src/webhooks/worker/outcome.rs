//! What follows the outcome of an attempt.

use std::time::Duration;

use tertulia_actors::{
    core::id::{ConnectionId, ConversationId},
    engine::{Change, LogBatch},
};

use super::{Worker, WorkerEvent};
use crate::webhooks::{
    Tested,
    attempt::Attempted,
    definition::{DisabledReason, WebhookState},
    delivery::Delivery,
    lanes::{Content, Go, Head, Item, Lane},
    payload::Payload,
    record::{self, KeptRecord},
    schedule::{millis, now},
    verdict::Verdict,
};

/// The longest time for which one answer's `Retry-After` can stop all other deliveries.
const LONGEST_HOLD: Duration = Duration::from_secs(60 * 60);

impl Worker {
    /// Handles an event of the loop; `None` if the worker cannot continue.
    pub(super) fn handle(&mut self, event: WorkerEvent) -> Option<()> {
        match event {
            WorkerEvent::Read(log, batch) => {
                let (before, batch) = (log.after(), batch);
                self.log = Some(log);
                match batch {
                    Ok(Some(LogBatch::Events(events))) => self.unread.extend(events),
                    Ok(Some(LogBatch::Forgotten { events })) => {
                        tracing::warn!(webhook = %self.id, events, "the log dropped events before a webhook read them");
                        self.lanes.read_to(before);
                        self.miss(before, events);
                    }
                    Ok(Some(LogBatch::Damaged { events })) => {
                        tracing::error!(webhook = %self.id, events, "a webhook skips damaged events of the log");
                        self.lanes.read_to(before);
                        self.miss(before, events);
                    }
                    Ok(None) => return None,
                    Err(error) => tracing::error!(webhook = %self.id, %error, "a webhook cannot read the log"),
                }
            }
            WorkerEvent::Attempted(go, payload, attempted) => self.attempted(&go, &payload, &attempted),
            WorkerEvent::Forgotten(lane, oldest) => self.forgotten(&lane, oldest),
            WorkerEvent::Stumbled(lane) => self.lanes.stumbled(&lane),
            WorkerEvent::Overflowed(lane, item, payload) => self.overflowed(lane, item, payload),
            WorkerEvent::Settled(lane) => self.lanes.settled(&lane),
            WorkerEvent::Answered(lane, offset, reply) => {
                self.lanes.replied(&lane);
                self.carry_out(lane, vec![(offset, reply)]);
            }
            WorkerEvent::Submitted(lane, submitted) => self.submitted(lane, submitted),
            WorkerEvent::Replied(lane, offset, failed) => self.replied(&lane, offset, failed),
            WorkerEvent::Tested(payload, attempted, reply) => {
                self.tests -= 1;
                self.context.metrics.attempted(attempted.outcome.kind(), attempted.took);
                let delivery = Delivery::new(&payload, 1, &attempted, None);
                let mut changes = Vec::new();
                self.write_down(&delivery, &mut changes);
                changes.push(self.progress());
                self.append(changes);
                // The caller may be gone.
                let _ = reply.send(Some(Tested { delivery, answer: attempted.answer_text() }));
            }
            WorkerEvent::Replayed(lane, item, reply) => {
                self.lanes.restore(lane, item, Head::default(), now());
                let _ = reply.send(());
            }
            WorkerEvent::Closed => return None,
        }
        Some(())
    }

    fn attempted(&mut self, go: &Go, payload: &Payload, attempted: &Attempted) {
        let now = now();
        self.context.metrics.attempted(attempted.outcome.kind(), attempted.took);
        match attempted.outcome.verdict() {
            Verdict::Delivered => self.delivered(go, payload, attempted, now),
            Verdict::Unusable => {
                self.context.metrics.given_up();
                self.context.metrics.unusable();
                self.dead_letter(payload, attempted.outcome.describe());
                let changes = self.done(go, payload, attempted, now);
                self.settle(go.lane.clone(), changes);
            }
            Verdict::Gone => {
                let (head, newly_kept) = self.lanes.park(go, now);
                let mut changes = Vec::new();
                self.kept(go, payload, head.unwrap_or_default(), &newly_kept, &mut changes);
                self.write_down(&Delivery::new(payload, go.attempt, attempted, None), &mut changes);
                self.troubled(attempted, now);
                self.disable(DisabledReason::Gone, &mut changes);
                changes.push(self.progress());
                self.append(changes);
            }
            Verdict::Failed { retry_after, holds_all } => {
                if holds_all {
                    let pause = retry_after.unwrap_or_default().min(LONGEST_HOLD);
                    self.lanes.hold(now.saturating_add(millis(pause)));
                }
                let retries = self.shared.definition.borrow().retries.clone();
                let setback = self.lanes.failed(go, now, &retries, retry_after, rand::random());
                let mut changes = Vec::new();
                let next = setback.head.map(|head| head.due);
                self.write_down(&Delivery::new(payload, go.attempt, attempted, next), &mut changes);
                self.troubled(attempted, now);
                self.disable_if_it_lasts(now, &mut changes);
                match setback.head {
                    Some(head) => {
                        self.kept(go, payload, head, &setback.newly_kept, &mut changes);
                        changes.push(self.progress());
                        self.append(changes);
                    }
                    None => {
                        let reason =
                            format!("{} attempts; at the last attempt {}", go.attempt, attempted.outcome.describe());
                        self.context.metrics.given_up();
                        self.dead_letter(payload, reason);
                        self.bodies.remove(&go.item.offset);
                        if setback.was_kept {
                            changes.push(record::remove(record::kept(&self.id, &go.lane, go.item.offset)));
                        }
                        changes.push(self.progress());
                        self.settle(go.lane.clone(), changes);
                    }
                }
            }
        }
    }

    fn delivered(&mut self, go: &Go, payload: &Payload, attempted: &Attempted, now: i64) {
        self.context.metrics.delivered(payload.age(jiff::Timestamp::now()));
        self.shared.status.borrow_mut().last_delivery = Some(attempted.time);
        let changes = self.done(go, payload, attempted, now);
        if attempted.reply.is_empty() {
            self.settle(go.lane.clone(), changes);
        } else {
            self.answered(go, payload, &attempted.reply, changes);
        }
    }

    /// Ends the delivery of a lane's first event, which the receiver accepted. Returns the changes that make the end
    /// durable.
    fn done(&mut self, go: &Go, payload: &Payload, attempted: &Attempted, now: i64) -> Vec<Change> {
        self.failing_since = None;
        self.bodies.remove(&go.item.offset);
        let mut changes = Vec::new();
        if self.lanes.delivered(&go.lane, now) {
            changes.push(record::remove(record::kept(&self.id, &go.lane, go.item.offset)));
        }
        self.write_down(&Delivery::new(payload, go.attempt, attempted, None), &mut changes);
        changes.push(self.progress());
        changes
    }

    /// Stores newly kept events, and the failures of the lane's first event.
    fn kept(&mut self, go: &Go, payload: &Payload, head: Head, newly_kept: &[Item], changes: &mut Vec<Change>) {
        for item in newly_kept {
            self.bodies.remove(&item.offset);
            let key = record::kept(&self.id, &go.lane, item.offset);
            changes.push(record::put(key, &KeptRecord::of(item, Head::default())));
        }
        let record = KeptRecord::of(&go.item, head);
        let record = if go.item.content == Content::Letter { record.with_letter(&payload.body) } else { record };
        changes.push(record::put(record::kept(&self.id, &go.lane, go.item.offset), &record));
    }

    fn troubled(&mut self, attempted: &Attempted, now: i64) {
        self.failing_since.get_or_insert(now);
        self.shared.status.borrow_mut().last_error = Some(attempted.outcome.describe());
    }

    fn disable_if_it_lasts(&mut self, now: i64, changes: &mut Vec<Change>) {
        let lasted = self.failing_since.map_or(0, |since| now.saturating_sub(since));
        if lasted >= millis(self.context.settings.disable_after) {
            self.disable(DisabledReason::Failing, changes);
        }
    }

    fn disable(&mut self, reason: DisabledReason, changes: &mut Vec<Change>) {
        let mut definition = self.shared.definition.borrow_mut();
        if !definition.is_enabled() {
            return;
        }
        definition.state = WebhookState::Disabled { reason, since: jiff::Timestamp::now() };
        let seal = self.context.seal.as_ref();
        changes.push(record::put_secret(seal, record::definition(&self.id), &*definition));
        tracing::warn!(webhook = %self.id, ?reason, "a webhook was disabled; a caller must enable it again");
    }

    fn forgotten(&mut self, lane: &Lane, oldest: u64) {
        let (gone, gap) = self.lanes.forgotten(lane, oldest);
        let kept = gone.iter().filter(|(_, was_kept)| *was_kept);
        let mut changes: Vec<Change> =
            kept.map(|(item, _)| record::remove(record::kept(&self.id, lane, item.offset))).collect();
        if let Some(gap) = gap {
            changes.push(record::put(record::kept(&self.id, lane, gap.offset), &KeptRecord::of(&gap, Head::default())));
        }
        for (item, _) in &gone {
            self.bodies.remove(&item.offset);
        }
        changes.push(self.progress());
        self.append(changes);
    }

    fn overflowed(&mut self, lane: Lane, item: Item, payload: Option<Payload>) {
        self.is_overflowing = false;
        match payload {
            Some(payload) => {
                self.context.metrics.given_up();
                self.dead_letter(
                    &payload,
                    "the event kept failing while too many later events waited for it".to_owned(),
                )
            }
            None => tracing::warn!(webhook = %self.id, %lane, "an event that was given up can no longer be read"),
        }
        self.lanes.gave_up(&lane);
        let changes = vec![record::remove(record::kept(&self.id, &lane, item.offset)), self.progress()];
        self.settle(lane, changes);
    }

    /// Moves an event to the dead letters.
    pub(super) fn dead_letter(&self, payload: &Payload, reason: String) {
        let connection = ConnectionId::from(&*payload.connection);
        let conversation = payload.conversation.as_deref().map(ConversationId::from);
        tracing::warn!(
            webhook = %self.id,
            %connection,
            conversation = payload.conversation.as_deref(),
            event = payload.id,
            "the delivery of an event failed, or a command in its answer failed; the event becomes a dead letter"
        );
        let subscriber = self.id.subscriber();
        self.context.dead_letters.put_undelivered(
            &subscriber,
            &connection,
            conversation.as_ref(),
            reason,
            &payload.body,
        );
    }
}
