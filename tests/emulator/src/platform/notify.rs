//! Telling everybody concerned: one change notification per change, one frame per subscription (protocol
//! [§6.1](crate::protocol#61)).

use super::Platform;
use super::answer::{Emission, FrameKind};
use super::names::{ConversationId, Millis, SocketId};
use super::tree::{TreeStyle, tree};
use crate::dialect::{Dialect, notification_frame};

/// Trees of one conversation, written once per dialect and only when somebody needs them.
#[derive(Default)]
struct Trees([Option<String>; 3]);

impl Platform {
    pub(super) fn emit(&mut self, socket: SocketId, kind: FrameKind, text: String) {
        self.outbox.push(Emission { socket, kind, text: text.into() });
    }

    pub(super) fn style(&self, dialect: Dialect) -> TreeStyle<'_> {
        TreeStyle {
            account: &self.settings.account,
            dialect,
            suggested_in_maps: self.settings.switches.suggested_in_maps,
            omit_last_content: self.omit_last_content,
        }
    }

    /// A conversation changed: sends UPSERT to every subscription it matches, DELETE where it no longer does.
    pub(super) fn changed(&mut self, id: &ConversationId, now: Millis) {
        if let Some(conversation) = self.conversations.get_mut(id) {
            conversation.note_past();
        }
        let Some(conversation) = self.conversations.get(id) else { return };
        let mut trees = Trees::default();
        let mut followers = Vec::new();
        let mut frames = Vec::new();
        for subscription_id in self.subscriptions.candidates(conversation, &self.directory) {
            let Some(subscription) = self.subscriptions.get(subscription_id) else { continue };
            let Some(dialect) = self.sockets.dialect(subscription.socket) else { continue };
            let filter = &subscription.filter;
            let matches = filter.matches(conversation, &self.directory, &self.settings.account);
            let held = conversation.followers.contains(&subscription_id);
            if !matches && !held {
                continue;
            }
            let slot = &mut trees.0[dialect as usize];
            let result = slot.get_or_insert_with(|| tree(conversation, &self.directory, self.style(dialect)));
            let mut frame = |kind: FrameKind, word: &str| {
                let wire = subscription_id.wire();
                let body = format!(
                    r#"{{"subscriptionId":"{wire}","sentTs":{now},"changes":[{{"type":"{word}","result":{result}}}]}}"#
                );
                let text = notification_frame(dialect.conversation_change(), &body);
                frames.push(Emission { socket: subscription.socket, kind, text: text.into() });
            };
            if matches {
                followers.push(subscription_id);
                if filter.within_time(conversation.updated) {
                    frame(FrameKind::ConversationUpsert, "UPSERT");
                }
            } else {
                if self.settings.switches.close_upsert_before_delete && filter.open_only() {
                    frame(FrameKind::ConversationUpsert, "UPSERT");
                }
                frame(FrameKind::ConversationDelete, "DELETE");
            }
        }
        self.outbox.extend(frames);
        if let Some(conversation) = self.conversations.get_mut(id) {
            conversation.followers = followers;
        }
    }
}
