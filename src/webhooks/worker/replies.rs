//! Replies: runs the commands in a receiver's answer in the conversation of the event, each command once.
//!
//! The commit that ends a delivery also stores the commands. After this commit, the event is never delivered again, and
//! each command is submitted until it has an outcome. The keys of the commands contain the id of the event. After a
//! crash, a command is submitted again under the same key, so it acts once.

use std::{rc::Rc, time::Duration};

use tertulia_actors::{
    core::id::{ConnectionId, ConversationId},
    engine::Change,
};

use super::{
    Worker, WorkerEvent,
    submission::{Submitted, answered_event, first_failure, submit_all},
};
use crate::{
    bulk::Typing,
    webhooks::{
        answer::Reply,
        lanes::{Go, Lane},
        payload::Payload,
        record::{self, PendingReply, ReplyRecord},
        schedule::{millis, now},
    },
};

/// How long the commands of a reply may wait until they are sent. This is longer than a usual outage of the platform.
/// It is shorter than the time for which outcomes of commands are stored, so that no command runs again.
const LIFETIME: Duration = Duration::from_secs(60 * 60);

impl Worker {
    /// Stores a reply together with `changes`, which end the delivery of its event.
    pub(super) fn answered(&mut self, go: &Go, payload: &Payload, reply: &Reply, mut changes: Vec<Change>) {
        let (lane, offset) = (go.lane.clone(), go.item.offset);
        let Some(conversation) = payload.conversation.as_deref().filter(|_| !payload.connection.is_empty()) else {
            self.context.metrics.replied(false);
            self.dead_letter(payload, "the receiver replied to an event that belongs to no conversation".to_owned());
            return self.settle(lane, changes);
        };
        let reply_to = (ConnectionId::from(&*payload.connection), ConversationId::from(conversation));
        if reply.typing {
            self.show_typing(&reply_to.0, &reply_to.1);
        }
        if reply.commands.is_empty() {
            return self.settle(lane, changes);
        }
        let pending = PendingReply {
            // A replayed dead letter is answered again, so the commands of its answer need new keys.
            event: lane.replayed().map_or_else(|| payload.id.clone(), |letter| format!("{}/{letter}", payload.id)),
            connection: reply_to.0,
            conversation: reply_to.1,
            commands: reply.commands.clone(),
            until: now().saturating_add(millis(LIFETIME)),
        };
        let record = ReplyRecord::new(pending.clone(), &payload.body);
        changes.push(record::put(record::reply(&self.id, &lane, offset), &record));
        let kept = self.keep(changes);
        self.under_way.push(Box::pin(async move {
            if kept.await { WorkerEvent::Answered(lane, offset, pending) } else { WorkerEvent::Closed }
        }));
    }

    /// Shows this side as typing. Does not wait for the outcome, because a failure is ignored.
    fn show_typing(&self, connection: &ConnectionId, conversation: &ConversationId) {
        let Some(tertulia) = self.context.tertulia.upgrade() else { return };
        let caller = Some(self.id.subscriber().into());
        let typing = Typing { connection: connection.clone(), conversation: conversation.clone(), caller };
        if !typing.show_here(&tertulia)
            && let Some(elsewhere) = &self.context.elsewhere
        {
            elsewhere.show_typing(&typing);
        }
    }

    /// Submits the commands of stored replies, in order. The lane continues when they are accepted.
    pub(super) fn carry_out(&mut self, lane: Lane, replies: Vec<(u64, PendingReply)>) {
        self.replies += replies.len();
        let (context, webhook) = (Rc::clone(&self.context), self.id.clone());
        self.under_way.push(Box::pin(async move {
            let mut submitted = Vec::new();
            for (offset, reply) in replies {
                let outcomes = submit_all(&context, &webhook, &reply).await;
                submitted.push(Submitted { offset, reply, outcomes });
            }
            WorkerEvent::Submitted(lane, submitted)
        }));
    }

    /// Waits for the outcomes of replies, while the lane continues.
    pub(super) fn submitted(&mut self, lane: Lane, submitted: Vec<Submitted>) {
        self.lanes.go_on(&lane);
        for Submitted { offset, reply, outcomes } in submitted {
            let (context, webhook, lane) = (Rc::clone(&self.context), self.id.clone(), lane.clone());
            self.under_way.push(Box::pin(async move {
                let failed = match first_failure(&context, &webhook, &reply, outcomes).await {
                    Some(reason) => Some((reason, answered_event(&context, &webhook, &lane, offset).await)),
                    None => None,
                };
                WorkerEvent::Replied(lane, offset, failed)
            }));
        }
    }

    /// Ends a reply. The event becomes a dead letter if a command of the reply failed.
    pub(super) fn replied(&mut self, lane: &Lane, offset: u64, failed: Option<(String, Option<Payload>)>) {
        self.replies = self.replies.saturating_sub(1);
        self.context.metrics.replied(failed.is_none());
        match failed {
            Some((reason, Some(payload))) => self.dead_letter(&payload, reason),
            Some((_, None)) => tracing::error!(webhook = %self.id, %lane, "the event of a failed reply cannot be read"),
            None => {}
        }
        self.append(vec![record::remove(record::reply(&self.id, lane, offset))]);
    }
}
