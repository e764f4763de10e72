//! `SubscribeExConversations` and its relatives, and the snapshot that always follows (protocol
//! [§5.2](crate::protocol#52)).

use super::Platform;
use super::answer::{Answer, FrameKind, Refusal};
use super::conversation::Conversation;
use super::names::{ConversationId, Millis, Party, SocketId};
use super::sessions::Caller;
use super::subscription::{Filter, FilterBody, SubscriptionId, Viewer};
use super::tree::tree;
use crate::dialect::{Dialect, Request, notification_frame};

impl Platform {
    pub(super) fn subscribe_conversations(
        &mut self,
        caller: &Caller,
        request: &Request,
        now: Millis,
    ) -> Result<Answer, Refusal> {
        let filter = self.filter(caller, request.body()?);
        let id = self.subscriptions.add(caller.socket, filter);
        self.sockets.add_subscription(caller.socket, id);
        self.snapshot(id, caller.socket, caller.dialect, now);
        Ok(Answer::body(&serde_json::json!({"subscriptionId": id.wire()})))
    }

    pub(super) fn unsubscribe_conversations(&mut self, caller: &Caller, request: &Request) -> Result<Answer, Refusal> {
        let id = self.own_subscription(caller, &request.body()?)?;
        self.sockets.drop_subscription(caller.socket, id);
        self.subscriptions.remove(id);
        Ok(Answer::text("OK Unsubscribed successfully"))
    }

    pub(super) fn update_subscription(
        &mut self,
        caller: &Caller,
        request: &Request,
        now: Millis,
    ) -> Result<Answer, Refusal> {
        let body: FilterBody = request.body()?;
        let id = self.own_subscription(caller, &body)?;
        let filter = self.filter(caller, body);
        self.subscriptions.replace(id, filter);
        self.snapshot(id, caller.socket, caller.dialect, now);
        Ok(Answer::text("OK Subscription updated successfully"))
    }

    fn filter(&self, caller: &Caller, body: FilterBody) -> Filter {
        let viewer = match &caller.party {
            Party::Consumer(id) => Viewer::Consumer(id.clone()),
            Party::Agent(_) => Viewer::Brand,
        };
        Filter::new(body, viewer, &self.directory)
    }

    fn own_subscription(&self, caller: &Caller, body: &FilterBody) -> Result<SubscriptionId, Refusal> {
        let id = body.subscription_id.as_deref().and_then(SubscriptionId::parse);
        id.filter(|id| self.subscriptions.get(*id).is_some_and(|known| known.socket == caller.socket))
            .ok_or_else(|| Refusal::bad("Subscription does not exist"))
    }

    /// One frame with everything that matches, the newest `page_limit` of it, oldest first; sent even when empty.
    fn snapshot(&mut self, id: SubscriptionId, socket: SocketId, dialect: Dialect, now: Millis) {
        let Some(subscription) = self.subscriptions.get(id) else { return };
        let filter = &subscription.filter;
        let mut matching: Vec<&Conversation> = self
            .reachable(filter)
            .into_iter()
            .filter(|one| filter.matches(one, &self.directory, &self.settings.account))
            .filter(|one| filter.within_time(one.updated))
            .collect();
        matching.sort_unstable_by(|a, b| (a.updated, &a.id).cmp(&(b.updated, &b.id)));
        let page = &matching[matching.len().saturating_sub(self.settings.page_limit)..];
        let style = self.style(dialect);
        let changes: Vec<String> = page
            .iter()
            .map(|one| format!(r#"{{"type":"UPSERT","result":{}}}"#, tree(one, &self.directory, style)))
            .collect();
        let body = format!(r#"{{"subscriptionId":"{}","sentTs":{now},"changes":[{}]}}"#, id.wire(), changes.join(","));
        let followed: Vec<ConversationId> = matching.iter().map(|one| one.id.clone()).collect();
        self.emit(socket, FrameKind::Snapshot, notification_frame(dialect.conversation_change(), &body));
        for conversation in followed {
            if let Some(known) = self.conversations.get_mut(&conversation) {
                known.followers.retain(|follower| self.subscriptions.get(*follower).is_some() && *follower != id);
                known.followers.push(id);
            }
        }
    }

    /// The conversations a filter can match at all, by the narrowest index there is.
    fn reachable(&self, filter: &Filter) -> Vec<&Conversation> {
        let ids: Vec<&ConversationId> = match (filter.viewer(), filter.agents()) {
            (Viewer::Consumer(id), _) => {
                let known = self.directory.consumer(id.as_str());
                let earlier = known.into_iter().flat_map(|consumer| &consumer.predecessors);
                let earlier = earlier.filter_map(|before| self.directory.consumer(before.as_str()));
                known.into_iter().chain(earlier).flat_map(|consumer| &consumer.conversations).collect()
            }
            (Viewer::Brand, Some(agents)) => {
                agents.iter().filter_map(|agent| self.directory.agent(*agent)).flat_map(|a| &a.conversations).collect()
            }
            (Viewer::Brand, None) => return self.conversations.values().collect(),
        };
        let mut ids = ids;
        ids.sort_unstable();
        ids.dedup();
        ids.into_iter().filter_map(|id| self.conversations.get(id)).collect()
    }
}
