//! Keeps the identity of an anonymous consumer over the end of the process ([CA-2](crate::rules#ca-2),
//! [CA-3](crate::rules#ca-3)).
//!
//! The platform grants such an identity once, and no other identity may write in its conversations. So the identity is
//! durable before the connection is ready, and the next run of the process uses it in place of a new sign-up. When the
//! identity is lost, the connection emits an event, the conversations end on this side, and another consumer signs up.

use std::sync::Arc;

use actix::{Context, Handler, Message};
use tertulia_core::{
    command::Identity,
    id::{ConversationId, UserId},
    session::{IdentityLoss, Input},
    ums::UserProfile,
};

use super::{
    Connection,
    identity_record::{self, GrantedFor, Stored, StoredIdentity},
};
use crate::{
    conversation::ConsumerLost,
    log::Subject,
    platform::ConsumerIdentity,
    request::{Reply, RequestError},
    subscriber::EventData,
};

impl Connection {
    /// Uses the identity that the previous run stored. Conversations of another identity end on this side.
    pub(super) fn take_up_identity(&mut self, stored: Stored) {
        let configured = GrantedFor::of(&self.settings);
        match (stored, configured) {
            (Stored::Identity(stored), Some(configured)) if stored.granted_for == configured => {
                let StoredIdentity { token, external, user_id, .. } = *stored;
                self.principal.restore(ConsumerIdentity::stored(token, external), user_id);
                // The platform has granted a token for this login before.
                self.session.trust_credentials();
            }
            (Stored::Identity(stored), _) => {
                self.principal.note_recorded(stored.user_id);
                self.lose_identity(IdentityLoss::LoginChanged);
            }
            (Stored::Unreadable, _) => self.lose_identity(IdentityLoss::NotStored),
            (Stored::Nothing, Some(_)) if self.roster.len() > 0 => {
                self.lose_identity(IdentityLoss::NotStored);
            }
            (Stored::Nothing, _) => {}
        }
    }

    /// Stores the identity, unless the configured login determines the consumer.
    pub(super) fn store_identity(&self) {
        let (Some(granted_for), Some(consumer)) = (GrantedFor::of(&self.settings), self.principal.consumer()) else {
            return;
        };
        let user_id = self.principal.consumer_id();
        self.context.store(identity_record::record(&self.settings.id, &granted_for, consumer, user_id));
    }

    /// Handles that the platform refused the first request of a socket because of its token. If the identity is lost by
    /// this, the connection restarts as another consumer.
    pub(super) fn identity_refused(&mut self, ctx: &mut Context<Self>) {
        if GrantedFor::of(&self.settings).is_none() {
            return;
        }
        let now = self.now();
        let Some(loss) = self.principal.refused(now, &self.settings.policy) else { return };
        self.lose_identity(loss);
        if !self.session.phase().is_at_rest() {
            self.feed(Input::Restart, ctx);
        }
    }

    fn lose_identity(&mut self, reason: IdentityLoss) {
        let held: Vec<ConversationId> = self.roster.ids().cloned().collect();
        let (user_id, conversations) = (self.principal.consumer_id().cloned(), held.len());
        let who = user_id.as_ref().map_or("unknown", UserId::as_str);
        self.context.note_error(&format_args!(
            "the identity of the consumer {who} is lost: {reason}; {conversations} conversations end on this side"
        ));
        let data = EventData::IdentityLost { user_id, reason, conversations };
        let removed = vec![identity_record::removal(&self.settings.id)];
        self.context.process.log.publish_with(&self.context.origin, Subject::Connection, data, removed);
        self.fail_step_up();
        self.principal.change_consumer(None);
        for id in held {
            self.child(&id).tell(ConsumerLost);
            self.forget_for_good(&id);
        }
    }

    /// Learns a consumer's own id from its profile and stores the id ([CA-5](crate::rules#ca-5)).
    pub(super) fn take_profile(&mut self, profile: &UserProfile<'_>) {
        if self.principal.learn(profile, &self.settings.account) {
            self.store_identity();
            self.note_stepped_up();
        }
    }

    /// Records who the consumer is after a step-up, if the configured login determines another consumer. Without a
    /// step-up, compares the consumer with the record: the token of a step-up is not stored, so a step-up before the end
    /// of the previous run must be done again.
    fn note_stepped_up(&mut self) {
        let Some(user_id) = self.principal.consumer_id().filter(|_| GrantedFor::of(&self.settings).is_none()) else {
            return;
        };
        if self.step_up.is_running() {
            self.record.stepped_up = Some(user_id.clone());
            return self.context.store(self.record.change(&self.settings.id));
        }
        let Some(before) = self.record.stepped_up.take_if(|before| before != user_id) else { return };
        self.context.note_error(&format_args!(
            "the step-up to the consumer {before} was not stored, because its token is a secret: step up again"
        ));
        let (reason, conversations) = (IdentityLoss::StepUpNotStored, self.roster.len());
        let data = EventData::IdentityLost { user_id: Some(before), reason, conversations };
        self.context.publish(data);
        self.context.store(self.record.change(&self.settings.id));
    }
}

/// Asks for the identity with which the connection speaks.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct AskIdentity {
    pub(crate) reply: Reply<Arc<Identity>>,
}

impl Handler<AskIdentity> for Connection {
    type Result = ();

    fn handle(&mut self, AskIdentity { reply }: AskIdentity, _: &mut Self::Context) {
        let _ = reply.send(self.principal.identity().cloned().ok_or(RequestError::NotConnected));
    }
}
