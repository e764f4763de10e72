//! The connections that jobs act through, wherever they run.

use std::{sync::Arc, time::Duration};

use futures_util::{FutureExt as _, future::BoxFuture};
use serde::{Deserialize, Serialize};
use tertulia_actors::{
    Tertulia,
    connection::ConnectionStatus,
    conversation::ConversationError,
    core::{
        command::{Command, Identity},
        id::{AccountId, AgentId, CommandKey, ConnectionId, ConversationId, UserId},
        session::Phase,
        ums::ChatState,
    },
};
use uuid::Uuid;

/// How long to wait for the outcome of a command.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// The outcome of a command.
pub(crate) type Outcome = Result<(), ConversationError>;

/// The connections that jobs act through: those of this process, or those of all nodes.
pub(crate) trait Connections: Send + Sync + 'static {
    /// All connections.
    fn all(&self) -> Vec<ConnectionId>;

    /// The state of a connection; `None` if it does not exist.
    fn state<'a>(&'a self, connection: &'a ConnectionId) -> BoxFuture<'a, Option<ConnectionState>>;

    /// Runs a command. The same command again, under the same key, has its effect once.
    fn perform<'a>(&'a self, command: &'a DurableCommand) -> BoxFuture<'a, Outcome>;

    /// Shows this side as typing. Does not wait for the outcome, because a failure is ignored.
    fn show_typing(&self, typing: &Typing);
}

/// The state of a connection, as far as jobs need it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ConnectionState {
    pub(crate) presence: Presence,
    /// The account; unknown while the connection moves to another node.
    pub(crate) account: Option<AccountId>,
    /// The agent, once a login of an agent has shown it.
    pub(crate) agent: Option<AgentId>,
    /// The agent's public id, if it is known.
    pub(crate) user: Option<UserId>,
    /// How many requests the platform has refused because there were too many.
    pub(crate) throttled: u64,
}

/// Whether commands can be sent through a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Presence {
    /// The connection is ready.
    Ready,
    /// The connection has failed for good, or was stopped.
    Ended,
    /// The connection is expected to return.
    Away,
}

/// A conversation in which this side is to be shown as typing.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Typing {
    pub(crate) connection: ConnectionId,
    pub(crate) conversation: ConversationId,
    pub(crate) caller: Option<Arc<str>>,
}

/// A command of a job.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DurableCommand {
    pub(crate) connection: ConnectionId,
    pub(crate) conversation: ConversationId,
    pub(crate) key: CommandKey,
    /// Differs between different commands with the same key.
    pub(crate) digest: String,
    pub(crate) command: Command,
    /// How long the command may wait until it is sent, in milliseconds. Afterwards it is never sent.
    pub(crate) lifetime: u64,
    pub(crate) caller: Option<Arc<str>>,
}

impl ConnectionState {
    /// The state of a connection that no node runs at the moment.
    pub(crate) fn away() -> Self {
        Self { presence: Presence::Away, account: None, agent: None, user: None, throttled: 0 }
    }

    /// The state of a connection of this process; `None` if this process does not run it.
    pub(crate) fn here(tertulia: &Tertulia, connection: &ConnectionId) -> Option<Self> {
        let status = tertulia.connection(connection).status()?;
        let presence = if status.has_ended() {
            Presence::Ended
        } else if status.is_ready() {
            Presence::Ready
        } else {
            Presence::Away
        };
        let ConnectionStatus { account, agent_id: agent, user_id: user, throttled, .. } = status;
        Some(Self { presence, account: Some(account), agent, user, throttled })
    }

    /// The agent who acts, as far as it is known.
    pub(crate) fn identity(&self) -> Option<Identity> {
        let (account, agent_id) = (self.account.clone()?, self.agent.clone()?);
        let user_id = self.user.clone().unwrap_or_else(|| agent_id.as_str().into());
        Some(Identity::Brand { account, agent_id, user_id, name: None })
    }
}

impl Typing {
    /// Shows this side as typing, without waiting for the outcome; `false` if this process does not have the conversation.
    pub(crate) fn show_here(&self, tertulia: &Tertulia) -> bool {
        let Some(handle) = tertulia.connection(&self.connection).conversation(&self.conversation) else { return false };
        let command = Command::ChatState { dialog: None, chat_state: ChatState::Composing };
        let key = CommandKey::from(Uuid::now_v7().to_string());
        let _ = handle.called_by(self.caller.clone()).perform_as(key, command, PATIENCE).now_or_never();
        true
    }
}

impl DurableCommand {
    /// Runs the command in this process; `None` if this process does not run the connection, or ends it.
    pub(crate) async fn perform_here(&self, tertulia: &Tertulia) -> Option<Outcome> {
        let connection = tertulia.connection(&self.connection);
        let runs = || connection.status().filter(|status| !matches!(status.state, Phase::Idle | Phase::Stopped));
        if runs()?.has_ended() {
            return Some(Err(ConversationError::NotConnected));
        }
        let Some(conversation) = connection.conversation(&self.conversation) else {
            // A connection that ends forgets its conversations.
            return runs().map(|_| Err(ConversationError::UnknownConversation));
        };
        let (key, lifetime) = (self.key.clone(), Duration::from_millis(self.lifetime));
        let conversation = conversation.called_by(self.caller.clone());
        let done = conversation.perform_durably(key, &self.digest, self.command.clone(), lifetime, PATIENCE).await;
        Some(done.map(drop))
    }
}

/// The connections of this process.
pub(super) struct Here(pub(super) Arc<Tertulia>);

impl Connections for Here {
    fn all(&self) -> Vec<ConnectionId> {
        self.0.connections()
    }

    fn state<'a>(&'a self, connection: &'a ConnectionId) -> BoxFuture<'a, Option<ConnectionState>> {
        async move { ConnectionState::here(&self.0, connection) }.boxed()
    }

    fn perform<'a>(&'a self, command: &'a DurableCommand) -> BoxFuture<'a, Outcome> {
        async move { command.perform_here(&self.0).await.unwrap_or(Err(ConversationError::NotConnected)) }.boxed()
    }

    fn show_typing(&self, typing: &Typing) {
        typing.show_here(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use tertulia_actors::core::{
        command::{CommandError, Refusal},
        ums::AnswerError,
    };

    use super::*;

    fn command() -> DurableCommand {
        DurableCommand {
            connection: "bots-1".into(),
            conversation: "c".into(),
            key: "k".into(),
            digest: "close".to_owned(),
            command: Command::Close,
            lifetime: 30_000,
            caller: Some("operator".into()),
        }
    }

    /// What `value` is after its way to another node.
    fn sent<T: Serialize + serde::de::DeserializeOwned>(value: &T) -> T {
        serde_json::from_slice(&serde_json::to_vec(value).unwrap()).unwrap()
    }

    #[test]
    fn commands_outcomes_and_states_arrive_at_other_nodes_as_they_were() {
        let arrived = sent(&command());
        assert_eq!(format!("{arrived:?}"), format!("{:?}", command()));
        let refusals = [Refusal::Locked, Refusal::SameAgent("1.2".into()), Refusal::NotSupported("why".into())];
        let invalid = refusals.map(|refusal| CommandError { conversation: "c".into(), refusal }.into());
        let refused = AnswerError::Refused { code: 404, text: "no".to_owned() }.into();
        let unknown = ConversationError::OutcomeUnknown { key: "k".into() };
        let failures = [refused, unknown, ConversationError::NotConnected, ConversationError::TimedOut];
        for outcome in failures.into_iter().chain(invalid).map(Err).chain([Ok(())]) {
            assert_eq!(sent(&outcome), outcome);
        }
        let ready = ConnectionState { presence: Presence::Ready, account: Some("1".into()), ..ConnectionState::away() };
        assert_eq!(sent(&ready), ready);
    }

    #[test]
    fn an_agent_is_known_by_its_own_id_until_its_public_one_is_known() {
        let known = |agent: Option<&str>, user: Option<&str>| {
            let state = ConnectionState {
                account: Some("1".into()),
                agent: agent.map(Into::into),
                user: user.map(Into::into),
                ..ConnectionState::away()
            };
            state.identity().and_then(|identity| identity.user_id().cloned())
        };
        assert_eq!(known(None, Some("pid-7")), None, "a consumer");
        assert_eq!(known(Some("1.7"), Some("pid-7")), Some("pid-7".into()));
        assert_eq!(known(Some("1.7"), None), Some("1.7".into()));
    }

    #[actix_rt::test]
    async fn a_command_of_a_connection_that_does_not_run_here_is_left_to_others() {
        let tertulia = Arc::new(Tertulia::builder().start().unwrap());
        assert_eq!(command().perform_here(&tertulia).await, None);
        let here = Here(tertulia);
        assert_eq!(here.perform(&command()).await, Err(ConversationError::NotConnected));
        assert_eq!((here.all(), here.state(&"bots-1".into()).await), (vec![], None));
    }
}
