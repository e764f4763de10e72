//! Keeps the identity of a consumer over the end of the process ([CA-2](crate::rules#ca-2), [CA-3](crate::rules#ca-3),
//! [CA-4](crate::rules#ca-4)).
//!
//! The platform grants the identity of an anonymous consumer once, and no other identity may write in its conversations.
//! So the identity is durable before the connection is ready, and the next run of the process uses it in place of a new
//! sign-up. When the identity is lost, the connection emits an event, the conversations end on this side, and another
//! consumer signs up.
//!
//! After a step-up from a login that determines the consumer, the new identity is stored only if the store has a seal.
//! When this identity is lost, the connection emits an event and logs in as the configured consumer.

use std::sync::Arc;

use actix::{Context, Handler, Message};
use secrecy::ExposeSecret as _;
use tertulia_core::{
    command::Identity,
    id::{ConversationId, UserId},
    session::{IdentityLoss, Input},
    ums::UserProfile,
};

use super::{
    Connection, Login,
    identity_record::{self, GrantedFor, Stored, StoredIdentity},
};
use crate::{
    conversation::ConsumerLost,
    log::Subject,
    platform::{ConsumerIdentity, ConsumerLogin},
    request::{Reply, RequestError},
    subscriber::EventData,
};

impl Connection {
    /// Uses the identity that the previous run stored. Conversations of another identity end on this side.
    pub(super) fn take_up_identity(&mut self, stored: Stored) {
        let configured = GrantedFor::of(&self.settings);
        let is_anonymous = self.is_anonymous();
        match stored {
            Stored::Identity(stored) if configured.as_ref() == Some(&stored.granted_for) => {
                let StoredIdentity { token, external, user_id, .. } = *stored;
                self.principal.restore(ConsumerIdentity::stored(token, external), user_id);
                // The platform has granted a token for this login before.
                self.session.trust_credentials();
            }
            // The step-up that is lost by this is reported as soon as the consumer is known.
            Stored::Identity(stored) if !is_anonymous && !stored.granted_for.is_anonymous() => self.remove_identity(),
            Stored::Identity(stored) => {
                self.principal.note_recorded(stored.user_id);
                self.lose_identity(IdentityLoss::LoginChanged);
            }
            Stored::Unreadable if is_anonymous => self.lose_identity(IdentityLoss::NotStored),
            Stored::Unreadable => {}
            Stored::Nothing if is_anonymous && self.roster.len() > 0 => self.lose_identity(IdentityLoss::NotStored),
            Stored::Nothing => {}
        }
    }

    /// Whether the configured login creates a new consumer.
    fn is_anonymous(&self) -> bool {
        GrantedFor::of(&self.settings).is_some_and(|login| login.is_anonymous())
    }

    /// Whether the consumer is not the one that the configured login determines.
    fn is_stepped_up(&self) -> bool {
        let (Login::Consumer(login), Some(consumer)) = (&self.settings.login, self.principal.consumer()) else {
            return false;
        };
        match login {
            ConsumerLogin::SignUp | ConsumerLogin::Anonymous { .. } => false,
            ConsumerLogin::Authenticated { .. } => consumer.is_final(),
            ConsumerLogin::Token(configured) => configured.expose_secret() != consumer.token.expose_secret(),
        }
    }

    /// Stores the identity of an anonymous consumer. After a step-up of another consumer, the identity is stored if the
    /// store has a seal.
    pub(super) fn store_identity(&self) {
        let (Some(granted_for), Some(consumer)) = (GrantedFor::of(&self.settings), self.principal.consumer()) else {
            return;
        };
        let seal = self.context.process.seal.as_deref().filter(|_| self.is_stepped_up());
        if seal.is_none() && !granted_for.is_anonymous() {
            return;
        }
        let user_id = self.principal.consumer_id();
        self.context.store(identity_record::record(&self.settings.id, seal, &granted_for, consumer, user_id));
    }

    fn remove_identity(&self) {
        self.context.store(Ok::<_, RequestError>(identity_record::removal(&self.settings.id)));
    }

    /// Handles that the platform refused the first request of a socket because of its token. If the identity is lost by
    /// this, the connection restarts as another consumer.
    pub(super) fn identity_refused(&mut self, ctx: &mut Context<Self>) {
        let is_anonymous = self.is_anonymous();
        if !is_anonymous && !self.is_stepped_up() {
            return;
        }
        let now = self.now();
        let Some(loss) = self.principal.refused(now, &self.settings.policy) else { return };
        if is_anonymous {
            self.lose_identity(loss);
        } else {
            self.lose_step_up(loss);
        }
        if !self.session.phase().is_at_rest() {
            self.feed(Input::Restart, ctx);
        }
    }

    /// The identity of a step-up is lost. The next login is the configured one.
    fn lose_step_up(&mut self, reason: IdentityLoss) {
        let stepped_up = self.record.stepped_up.take();
        let user_id = self.principal.consumer_id().cloned().or(stepped_up);
        self.fail_step_up();
        self.principal.change_consumer(None);
        self.report_step_up(user_id, reason);
    }

    /// Reports that the step-up to `user_id` must be done again.
    fn report_step_up(&mut self, user_id: Option<UserId>, reason: IdentityLoss) {
        let who = user_id.as_ref().map_or("unknown", UserId::as_str);
        self.context.note_error(&format_args!("the step-up to the consumer {who} is lost: {reason}; step up again"));
        let data = EventData::IdentityLost { user_id, reason, conversations: self.roster.len() };
        self.context.publish(data);
        self.context.store(self.record.change(&self.settings.id));
        self.remove_identity();
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
    /// step-up, compares the consumer with the record: if the token of the previous run's step-up was not stored, the
    /// step-up must be done again.
    fn note_stepped_up(&mut self) {
        let Some(user_id) = self.principal.consumer_id().filter(|_| !self.is_anonymous()) else { return };
        if self.step_up.is_running() {
            self.record.stepped_up = Some(user_id.clone());
            return self.context.store(self.record.change(&self.settings.id));
        }
        if let Some(before) = self.record.stepped_up.take_if(|before| before != user_id) {
            self.report_step_up(Some(before), IdentityLoss::StepUpNotStored);
        }
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
