//! The record that keeps the identity of an anonymous consumer over the end of the process.

use std::{sync::Arc, time::Duration};

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use tertulia_core::id::{AccountId, ConnectionId, UserId};
use tokio::time::sleep;

use super::{ConnectionSettings, Login};
use crate::{
    engine::{Change, Journal, Record, RecordKey, Table},
    platform::{ConsumerIdentity, ConsumerLogin},
};

/// The first part of the records' keys; the second is the connection's id.
const KIND: &str = "consumer-identity";
/// The pause before another request to the store.
const AGAIN_AFTER: Duration = Duration::from_secs(1);

/// The login for which an identity was granted. The identity is not used for another login.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct GrantedFor {
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
    pub(super) granted_for: GrantedFor,
    pub(super) token: SecretString,
    #[serde(default)]
    pub(super) external: Option<SecretString>,
    #[serde(default)]
    pub(super) user_id: Option<UserId>,
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
    pub(super) fn of(settings: &ConnectionSettings) -> Option<Self> {
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

/// Returns the change that stores the identity of `consumer`.
pub(super) fn record(
    connection: &ConnectionId,
    granted_for: &GrantedFor,
    consumer: &ConsumerIdentity,
    user_id: Option<&UserId>,
) -> serde_json::Result<Change> {
    let value = serde_json::to_vec(&Written {
        granted_for,
        token: consumer.token.expose_secret(),
        external: consumer.external().map(ExposeSecret::expose_secret),
        user_id,
    })?;
    Ok(Change::Put(Table::Notes, Record::new(key(connection), value)))
}

/// Returns the change that removes the stored identity.
pub(super) fn removal(connection: &ConnectionId) -> Change {
    Change::Remove(Table::Notes, key(connection))
}
