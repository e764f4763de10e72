//! The record that keeps the identity of a consumer over the end of the process: of an anonymous one, or of one after a
//! step-up from a configured login.

use std::{sync::Arc, time::Duration};

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use tertulia_core::id::{AccountId, ConnectionId, UserId};
use tokio::time::sleep;

use super::{ConnectionSettings, Login};
use crate::{
    connection::connection_record::identity_key,
    engine::{Change, Journal, Record, RecordSeal, StoreError, Table},
    platform::{ConsumerIdentity, ConsumerLogin},
};

/// The pause before another request to the store.
const AGAIN_AFTER: Duration = Duration::from_secs(1);

/// The login for which an identity was granted. The identity is not used for another login.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct GrantedFor {
    account: AccountId,
    login: GrantedLogin,
}

/// The login of a consumer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
enum GrantedLogin {
    /// Creates a new consumer.
    SignUp,
    /// Creates a new consumer.
    Anonymous { connector: String },
    /// Determines the consumer, who has stepped up to the stored identity. `digest` is of the configured secret.
    SteppedUp { connector: Option<String>, digest: String },
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
    /// Returns `None` if an agent logs in.
    pub(super) fn of(settings: &ConnectionSettings) -> Option<Self> {
        let Login::Consumer(login) = &settings.login else { return None };
        let login = match login {
            ConsumerLogin::SignUp => GrantedLogin::SignUp,
            ConsumerLogin::Anonymous { connector } => GrantedLogin::Anonymous { connector: connector.clone() },
            ConsumerLogin::Authenticated { connector, token } => {
                GrantedLogin::SteppedUp { connector: connector.clone(), digest: digest(token) }
            }
            ConsumerLogin::Token(token) => GrantedLogin::SteppedUp { connector: None, digest: digest(token) },
        };
        Some(Self { account: settings.account.clone(), login })
    }

    /// Whether the login creates a new consumer. Otherwise the login determines the consumer.
    pub(super) fn is_anonymous(&self) -> bool {
        match self.login {
            GrantedLogin::SignUp | GrantedLogin::Anonymous { .. } => true,
            GrantedLogin::SteppedUp { .. } => false,
        }
    }
}

fn digest(secret: &SecretString) -> String {
    Sha256::digest(secret.expose_secret()).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Reads the identity that the previous run stored for `connection`. Repeats the request until the store responds,
/// because a new sign-up would cost the consumer its conversations.
pub(super) async fn stored(journal: &Arc<Journal>, seal: Option<&dyn RecordSeal>, connection: &ConnectionId) -> Stored {
    if !journal.keeps() {
        return Stored::Nothing;
    }
    // If only the connection was restarted, its last write may not be durable yet.
    journal.settled().await;
    let read = loop {
        let key = identity_key(connection);
        match journal.read(move |store| store.get(Table::Notes, &key)).await {
            Ok(read) => break read,
            Err(error) => {
                tracing::error!(%connection, %error, "the consumer's stored identity cannot be read; trying again")
            }
        }
        sleep(AGAIN_AFTER).await;
    };
    let Some(record) = read else { return Stored::Nothing };
    let opened = match seal {
        Some(seal) => seal.open(&identity_key(connection), &record),
        None => Ok(record.to_vec()),
    };
    let record = match opened {
        Ok(record) => record,
        Err(error) => {
            tracing::error!(%connection, %error, "the consumer's stored identity cannot be decrypted");
            return Stored::Unreadable;
        }
    };
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

/// Returns the change that stores the identity of `consumer`, encrypted if there is a seal.
pub(super) fn record(
    connection: &ConnectionId,
    seal: Option<&dyn RecordSeal>,
    granted_for: &GrantedFor,
    consumer: &ConsumerIdentity,
    user_id: Option<&UserId>,
) -> Result<Change, StoreError> {
    let value = serde_json::to_vec(&Written {
        granted_for,
        token: consumer.token.expose_secret(),
        external: consumer.external().map(ExposeSecret::expose_secret),
        user_id,
    })
    .map_err(|error| StoreError::new("store an identity", error))?;
    let value = match seal {
        Some(seal) => seal.close(&identity_key(connection), &value)?,
        None => value,
    };
    Ok(Change::Put(Table::Notes, Record::new(identity_key(connection), value)))
}

/// Returns the change that removes the stored identity.
pub(super) fn removal(connection: &ConnectionId) -> Change {
    Change::Remove(Table::Notes, identity_key(connection))
}
