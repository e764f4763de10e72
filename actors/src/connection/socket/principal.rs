//! As whom the connection is logged in: its credentials, the identity with which it speaks, and the standing of an
//! anonymous consumer's identity at the platform.

use std::sync::Arc;

use secrecy::ExposeSecret;
use tertulia_core::{
    command::Identity,
    id::{AccountId, AgentId, UserId},
    session::{IdentityLoss, IdentityStanding, Millis, SessionPolicy},
    time::Timestamp,
    ums::UserProfile,
};

use crate::platform::{AgentSession, ConsumerIdentity};

/// The result of a login.
#[derive(Clone)]
pub(super) enum Credentials {
    Agent(AgentSession),
    Consumer(ConsumerIdentity),
}

/// As whom the connection is logged in.
#[derive(Default)]
pub(super) struct Principal {
    credentials: Option<Credentials>,
    identity: Option<Arc<Identity>>,
    /// Counts changes of the consumer, so that a login for an earlier consumer is ignored.
    changes: u64,
    standing: IdentityStanding,
    /// An anonymous consumer's id from the record, until the platform reports the id.
    recorded_user_id: Option<UserId>,
}

impl Principal {
    pub(super) fn credentials(&self) -> Option<&Credentials> {
        self.credentials.as_ref()
    }

    /// The consumer's credentials, if the connection has some.
    pub(super) fn consumer(&self) -> Option<&ConsumerIdentity> {
        match &self.credentials {
            Some(Credentials::Consumer(identity)) => Some(identity),
            Some(Credentials::Agent(_)) | None => None,
        }
    }

    /// The identity with which the connection speaks, if it is known.
    pub(super) fn identity(&self) -> Option<&Arc<Identity>> {
        self.identity.as_ref()
    }

    /// The agent id of the connection; `None` for a consumer.
    pub(super) fn agent_id(&self) -> Option<&AgentId> {
        match self.identity.as_deref() {
            Some(Identity::Brand { agent_id, .. }) => Some(agent_id),
            Some(Identity::Consumer { .. } | Identity::Connector { .. }) | None => None,
        }
    }

    /// The consumer's own id, from the platform or from the record.
    pub(super) fn consumer_id(&self) -> Option<&UserId> {
        match self.identity.as_deref() {
            Some(Identity::Consumer { user_id, .. }) => Some(user_id),
            Some(Identity::Brand { .. } | Identity::Connector { .. }) | None => self.recorded_user_id.as_ref(),
        }
    }

    /// How often the consumer has changed.
    pub(super) fn changes(&self) -> u64 {
        self.changes
    }

    /// Whether a text of the platform contains the token in use.
    pub(super) fn is_token_in(&self, text: &str) -> bool {
        let token = match &self.credentials {
            Some(Credentials::Agent(session)) => session.bearer.expose_secret(),
            Some(Credentials::Consumer(identity)) => identity.token.expose_secret(),
            None => return false,
        };
        !token.is_empty() && text.contains(token)
    }

    /// Uses the result of a login.
    pub(super) fn logged_in(&mut self, credentials: Credentials, account: &AccountId) {
        if let Credentials::Agent(session) = &credentials {
            let AgentSession { agent_id, user_id, name, .. } = session;
            // A token from a provider may have no public id; the agent id is used until a state contains the public id.
            let user_id = user_id.clone().unwrap_or_else(|| UserId::from(agent_id.as_str()));
            self.identity = Some(Arc::new(Identity::Brand {
                account: account.clone(),
                agent_id: agent_id.clone(),
                user_id,
                name: name.clone(),
            }));
        }
        self.credentials = Some(credentials);
    }

    /// Uses the consumer's identity that the previous run stored.
    pub(super) fn restore(&mut self, consumer: ConsumerIdentity, user_id: Option<UserId>) {
        self.credentials = Some(Credentials::Consumer(consumer));
        self.recorded_user_id = user_id;
    }

    /// Notes who the consumer was whose stored identity is not used.
    pub(super) fn note_recorded(&mut self, user_id: Option<UserId>) {
        self.recorded_user_id = user_id;
    }

    /// Changes to another consumer; without one, the next login signs up or asks for one.
    pub(super) fn change_consumer(&mut self, consumer: Option<ConsumerIdentity>) {
        self.credentials = consumer.map(Credentials::Consumer);
        self.identity = None;
        self.changes += 1;
        (self.standing, self.recorded_user_id) = (IdentityStanding::default(), None);
    }

    /// Learns a consumer's own id from its profile ([CA-5](crate::rules#ca-5)). Returns whether the id is new.
    pub(super) fn learn(&mut self, profile: &UserProfile<'_>, account: &AccountId) -> bool {
        let Some(user_id) = profile.user_id.as_ref().filter(|_| self.identity.is_none()) else { return false };
        let account = account.clone();
        self.identity = Some(Arc::new(Identity::Consumer { account, user_id: user_id.into() }));
        true
    }

    /// The platform accepted the token.
    pub(super) fn accepted(&mut self) {
        self.standing.accepted();
    }

    /// The platform refused the consumer's token. Returns whether the identity is lost by this.
    pub(super) fn refused(&mut self, now: Millis, policy: &SessionPolicy) -> Option<IdentityLoss> {
        let has_expired = self.consumer()?.has_expired(Timestamp(jiff::Timestamp::now().as_millisecond()));
        self.standing.refused(has_expired, now, policy)
    }
}
