//! The open sockets as the account sees them: who speaks on each, and who listens where.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use serde_json::value::RawValue;

use super::Platform;
use super::names::{AgentIndex, DialogId, Party, SocketId};
use super::subscription::SubscriptionId;
use crate::dialect::Dialect;
use crate::ledger::SessionCount;

/// Who sends a request.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    pub(crate) socket: SocketId,
    pub(crate) party: Party,
    pub(crate) dialect: Dialect,
    pub(crate) client_properties: Option<Arc<RawValue>>,
    /// The application that speaks for a consumer, by its id.
    pub(crate) app: Option<Arc<str>>,
}

#[derive(Debug)]
struct Socket {
    caller: Caller,
    /// A connector's consumer: it has webhooks instead of a socket, and hears every dialog unasked.
    webhook: bool,
    conversations: Vec<SubscriptionId>,
    dialogs: Vec<DialogId>,
    rings: Option<String>,
    agent_states: Option<String>,
}

/// Every open, authenticated socket.
#[derive(Debug, Default)]
pub(crate) struct Sockets {
    open: HashMap<SocketId, Socket>,
    by_agent: HashMap<AgentIndex, Vec<SocketId>>,
    /// Consumer sockets by the dialog whose messages they asked for.
    listeners: HashMap<DialogId, Vec<SocketId>>,
    counts: BTreeMap<String, SessionCount>,
}

impl Sockets {
    pub(crate) fn caller(&self, socket: SocketId) -> Option<Caller> {
        self.open.get(&socket).map(|known| known.caller.clone())
    }

    pub(crate) fn dialect(&self, socket: SocketId) -> Option<Dialect> {
        self.open.get(&socket).map(|known| known.caller.dialect)
    }

    pub(crate) fn of_agent(&self, agent: AgentIndex) -> &[SocketId] {
        self.by_agent.get(&agent).map_or(&[], Vec::as_slice)
    }

    pub(crate) fn listeners(&self, dialog: &DialogId) -> &[SocketId] {
        self.listeners.get(dialog).map_or(&[], Vec::as_slice)
    }

    pub(crate) fn listen(&mut self, socket: SocketId, dialog: &DialogId) {
        let Some(known) = self.open.get_mut(&socket) else { return };
        if !known.dialogs.contains(dialog) {
            known.dialogs.push(dialog.clone());
            self.listeners.entry(dialog.clone()).or_default().push(socket);
        }
    }

    /// Webhooks that hear one dialog hear another of the same conversation too.
    pub(crate) fn listen_along(&mut self, dialog: &DialogId, other: &DialogId) {
        for socket in self.listeners(dialog).to_vec() {
            if self.open.get(&socket).is_some_and(|known| known.webhook) {
                self.listen(socket, other);
            }
        }
    }

    pub(crate) fn add_subscription(&mut self, socket: SocketId, id: SubscriptionId) {
        if let Some(known) = self.open.get_mut(&socket) {
            known.conversations.push(id);
        }
    }

    pub(crate) fn drop_subscription(&mut self, socket: SocketId, id: SubscriptionId) {
        if let Some(known) = self.open.get_mut(&socket) {
            known.conversations.retain(|one| *one != id);
        }
    }

    pub(crate) fn set_rings(&mut self, socket: SocketId, subscription: String) {
        if let Some(known) = self.open.get_mut(&socket) {
            known.rings = Some(subscription);
        }
    }

    pub(crate) fn set_agent_states(&mut self, socket: SocketId, subscription: String) {
        if let Some(known) = self.open.get_mut(&socket) {
            known.agent_states = Some(subscription);
        }
    }

    /// The sockets on which an agent hears its rings, with their subscription ids.
    pub(crate) fn ring_subscriptions(&self, agent: AgentIndex) -> impl Iterator<Item = (SocketId, &str)> {
        self.of_agent(agent).iter().filter_map(|id| Some((*id, self.open.get(id)?.rings.as_deref()?)))
    }

    /// The sockets that hear of an agent's state, with their subscription ids.
    pub(crate) fn state_subscriptions(&self, agent: AgentIndex) -> impl Iterator<Item = (SocketId, &str)> {
        self.of_agent(agent).iter().filter_map(|id| Some((*id, self.open.get(id)?.agent_states.as_deref()?)))
    }

    pub(crate) fn counts(&self) -> &BTreeMap<String, SessionCount> {
        &self.counts
    }
}

impl Platform {
    /// An authenticated socket is open.
    pub(crate) fn open_socket(&mut self, caller: Caller) {
        let user = self.user_name(&caller.party);
        let count = self.sockets.counts.entry(user).or_default();
        count.now += 1;
        count.max = count.max.max(count.now);
        self.open(caller, false);
    }

    /// A connector speaks for a consumer; what would go to the consumer's socket goes to its webhooks.
    pub(crate) fn open_webhook(&mut self, caller: Caller) {
        self.open(caller, true);
    }

    fn open(&mut self, caller: Caller, webhook: bool) {
        if let Party::Agent(agent) = caller.party {
            self.sockets.by_agent.entry(agent).or_default().push(caller.socket);
        }
        if let (Party::Consumer(consumer), Some(properties)) = (&caller.party, &caller.client_properties) {
            self.directory.consumer_mut(consumer).client_properties = Some(Arc::clone(properties));
        }
        let socket =
            Socket { conversations: Vec::new(), dialogs: Vec::new(), rings: None, agent_states: None, webhook, caller };
        self.sockets.open.insert(socket.caller.socket, socket);
    }

    /// A socket is gone; its subscriptions end with it.
    pub(crate) fn close_socket(&mut self, socket: SocketId) {
        let Some(gone) = self.sockets.open.remove(&socket) else { return };
        for id in gone.conversations {
            self.subscriptions.remove(id);
        }
        for dialog in gone.dialogs {
            if let Some(listeners) = self.sockets.listeners.get_mut(&dialog) {
                listeners.retain(|one| *one != socket);
                if listeners.is_empty() {
                    self.sockets.listeners.remove(&dialog);
                }
            }
        }
        if let Party::Agent(agent) = gone.caller.party
            && let Some(sockets) = self.sockets.by_agent.get_mut(&agent)
        {
            sockets.retain(|one| *one != socket);
        }
        let user = self.user_name(&gone.caller.party);
        if gone.webhook {
            return;
        }
        if let Some(count) = self.sockets.counts.get_mut(&user) {
            count.now = count.now.saturating_sub(1);
        }
    }

    /// Open sockets by user, now and at most at once.
    pub(crate) fn session_counts(&self) -> &BTreeMap<String, SessionCount> {
        self.sockets.counts()
    }

    /// The name a person uses: an agent's login, a consumer's id.
    pub(crate) fn user_name(&self, party: &Party) -> String {
        match party {
            Party::Consumer(id) => id.to_string(),
            Party::Agent(index) => self.directory.agent(*index).map_or_else(String::new, |agent| agent.login.clone()),
        }
    }
}
