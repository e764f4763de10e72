//! Keeps the identity of an anonymous consumer over the end of the process ([CA-2](crate::rules#ca-2),
//! [CA-3](crate::rules#ca-3)).
//!
//! The platform grants such an identity once, and no other identity may write in its conversations. So the identity is
//! durable before the connection is ready, and the next run of the process uses it in place of a new sign-up. When the
//! identity is lost, the connection emits an event, the conversations end on this side, and another consumer signs up.

use std::{sync::Arc, time::Duration};

use actix::{Context, Handler, Message};
use bytes::Bytes;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use tertulia_core::{
    command::Identity,
    id::{AccountId, ConnectionId, ConversationId, UserId},
    session::{IdentityLoss, IdentityStanding, Input},
    time::Timestamp,
    ums::UserProfile,
};
use tokio::time::sleep;

use super::{Connection, ConnectionSettings, Login, login::Credentials};
use crate::{
    conversation::ConsumerLost,
    engine::{Change, Journal, Record, RecordKey, Step, Table},
    platform::{ConsumerIdentity, ConsumerLogin},
    request::{Reply, RequestError},
    subscriber::{EventData, Subject},
};

/// The first part of the records' keys; the second is the connection's id.
const KIND: &str = "consumer-identity";
/// The pause before another request to the store.
const AGAIN_AFTER: Duration = Duration::from_secs(1);

/// What the connection knows of an anonymous consumer, in addition to the token.
#[derive(Default)]
pub(super) struct Anonymity {
    standing: IdentityStanding,
    /// The consumer's id from the record, until the platform reports the id.
    user_id: Option<UserId>,
}

/// The login for which an identity was granted. The identity is not used for another login.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct GrantedFor {
    account: AccountId,
    login: AnonymousLogin,
}

/// A login that creates a new consumer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
enum AnonymousLogin {
    SignUp,
    Anonymous { connector: String },
}

/// The record of an identity.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct StoredIdentity {
    granted_for: GrantedFor,
    token: SecretString,
    #[serde(default)]
    external: Option<SecretString>,
    #[serde(default)]
    user_id: Option<UserId>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Written<'a> {
    granted_for: &'a GrantedFor,
    token: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    external: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_id: Option<&'a UserId>,
}

/// The identity of a connection that the previous run stored.
pub(super) enum Stored {
    Nothing,
    Identity(Box<StoredIdentity>),
    /// The record cannot be parsed.
    Unreadable,
}

impl GrantedFor {
    /// Returns `None` if the configured login determines the consumer, or if an agent logs in.
    fn of(settings: &ConnectionSettings) -> Option<Self> {
        let login = match &settings.login {
            Login::Consumer(ConsumerLogin::SignUp) => AnonymousLogin::SignUp,
            Login::Consumer(ConsumerLogin::Anonymous { connector }) => {
                AnonymousLogin::Anonymous { connector: connector.clone() }
            }
            Login::Consumer(ConsumerLogin::Authenticated { .. } | ConsumerLogin::Token(_)) | Login::Agent(_) => {
                return None;
            }
        };
        Some(Self { account: settings.account.clone(), login })
    }
}

fn key(connection: &ConnectionId) -> RecordKey {
    RecordKey::of(&[KIND, connection.as_str()])
}

/// Reads the identity that the previous run stored for `connection`. Repeats the request until the store responds,
/// because a new sign-up would cost the consumer its conversations.
pub(super) async fn stored(journal: &Arc<Journal>, connection: &ConnectionId) -> Stored {
    if !journal.keeps() {
        return Stored::Nothing;
    }
    // If only the connection was restarted, its last write may not be durable yet.
    journal.settled().await;
    let read = loop {
        let key = key(connection);
        match journal.read(move |store| store.get(Table::Notes, &key)).await {
            Ok(read) => break read,
            Err(error) => {
                tracing::error!(%connection, %error, "the consumer's stored identity cannot be read; trying again")
            }
        }
        sleep(AGAIN_AFTER).await;
    };
    let Some(record) = read else { return Stored::Nothing };
    match serde_json::from_slice(&record) {
        Ok(identity) => Stored::Identity(Box::new(identity)),
        Err(error) => {
            // The error's text may quote the token, so only its position is logged.
            let (line, column) = (error.line(), error.column());
            tracing::error!(%connection, line, column, "the consumer's stored identity is malformed");
            Stored::Unreadable
        }
    }
}

impl Connection {
    /// Uses the identity that the previous run stored. Conversations of another identity end on this side.
    pub(super) fn take_up_identity(&mut self, stored: Stored) {
        let configured = GrantedFor::of(&self.settings);
        match (stored, configured) {
            (Stored::Identity(stored), Some(configured)) if stored.granted_for == configured => {
                let StoredIdentity { token, external, user_id, .. } = *stored;
                self.credentials = Some(Credentials::Consumer(ConsumerIdentity::stored(token, external)));
                self.anonymity.user_id = user_id;
                // The platform has granted a token for this login before.
                self.session.trust_credentials();
            }
            (Stored::Identity(stored), _) => {
                self.anonymity.user_id = stored.user_id;
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
        let journal = self.process.routing.journal();
        let (Some(granted_for), Some(Credentials::Consumer(identity))) =
            (GrantedFor::of(&self.settings), &self.credentials)
        else {
            return;
        };
        if !journal.keeps() {
            return;
        }
        let written = Written {
            granted_for: &granted_for,
            token: identity.token.expose_secret(),
            external: identity.external().map(ExposeSecret::expose_secret),
            user_id: self.consumer_id(),
        };
        match serde_json::to_vec(&written) {
            Ok(value) => {
                let record = Record { key: key(&self.settings.id), value: Bytes::from(value) };
                let changes = vec![Change::Put(Table::Notes, record)];
                journal.append(0, |_| Step { changes, ..Step::default() });
            }
            Err(error) => self.note_error(&error),
        }
    }

    fn consumer_id(&self) -> Option<&UserId> {
        match self.identity.as_deref() {
            Some(Identity::Consumer { user_id, .. }) => Some(user_id),
            Some(Identity::Brand { .. }) | None => self.anonymity.user_id.as_ref(),
        }
    }

    /// Drops the consumer's identity, because the connection will speak for another consumer.
    pub(super) fn forget_consumer(&mut self) {
        self.anonymity = Anonymity::default();
        self.identities += 1;
        self.identity = None;
    }

    pub(super) fn identity_accepted(&mut self) {
        self.anonymity.standing.accepted();
    }

    /// Handles that the platform refused the first request of a socket because of its token. If the identity is lost by
    /// this, the connection restarts as another consumer.
    pub(super) fn identity_refused(&mut self, ctx: &mut Context<Self>) {
        let (Some(_), Some(Credentials::Consumer(identity))) = (GrantedFor::of(&self.settings), &self.credentials)
        else {
            return;
        };
        let has_expired = identity.has_expired(Timestamp(jiff::Timestamp::now().as_millisecond()));
        let now = self.now();
        let Some(loss) = self.anonymity.standing.refused(has_expired, now, &self.settings.policy) else { return };
        self.lose_identity(loss);
        if !self.session.phase().is_at_rest() {
            self.feed(Input::Restart, ctx);
        }
    }

    fn lose_identity(&mut self, reason: IdentityLoss) {
        let held: Vec<ConversationId> = self.roster.ids().cloned().collect();
        let (user_id, conversations) = (self.consumer_id().cloned(), held.len());
        let who = user_id.as_ref().map_or("unknown", UserId::as_str);
        self.note_error(&format_args!(
            "the identity of the consumer {who} is lost: {reason}; {conversations} conversations end on this side"
        ));
        let data = EventData::IdentityLost { user_id, reason, conversations };
        let removed = vec![Change::Remove(Table::Notes, key(&self.settings.id))];
        self.process.routing.publish_with(&self.origin, Subject::Connection, data, removed);
        self.fail_step_up();
        self.credentials = None;
        self.forget_consumer();
        for id in held {
            self.child(&id).tell(ConsumerLost);
            self.forget_for_good(&id);
        }
    }

    /// Learns a consumer's own id from its profile and stores the id ([CA-5](crate::rules#ca-5)).
    pub(super) fn take_profile(&mut self, profile: &UserProfile<'_>) {
        if let Some(user_id) = &profile.user_id
            && self.identity.is_none()
        {
            let account = self.settings.account.clone();
            self.identity = Some(Arc::new(Identity::Consumer { account, user_id: user_id.into() }));
            self.store_identity();
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
        let _ = reply.send(self.identity.clone().ok_or(RequestError::NotConnected));
    }
}
