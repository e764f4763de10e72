//! The connections of a process by name, for whoever wants to reach or watch one.

use std::{sync::Arc, time::Duration};

use actix::Addr;
use dashmap::{DashMap, Entry};
use tertulia_core::id::ConnectionId;
use tokio::{sync::watch, time::timeout};

use crate::{
    connection::{Connection, ConnectionStatus, Stop},
    intake::Desk,
    supervision::Placement,
};

/// The connections of a process. A name is taken from the moment its connection is added until it is removed.
#[derive(Default)]
pub(crate) struct Registry {
    members: DashMap<ConnectionId, Member>,
}

/// Who serves a connection.
#[derive(Clone)]
pub(crate) enum Address {
    /// One with a socket.
    Socket(Addr<Connection>),
    /// One without.
    Intake(Desk),
}

/// One connection of the fleet.
#[derive(Clone)]
pub(crate) struct Member {
    pub(crate) address: Address,
    pub(crate) status: Arc<watch::Sender<ConnectionStatus>>,
    /// Counts the connection against its arbiter.
    pub(crate) _placement: Arc<Placement>,
}

impl Registry {
    /// Adds a connection; `false`, and nothing is created, where its name is taken.
    pub(crate) fn add(&self, id: ConnectionId, create: impl FnOnce() -> Member) -> bool {
        match self.members.entry(id) {
            Entry::Occupied(_) => false,
            Entry::Vacant(vacant) => {
                vacant.insert(create());
                true
            }
        }
    }

    pub(crate) fn remove(&self, id: &ConnectionId) -> Option<Member> {
        self.members.remove(id).map(|(_, member)| member)
    }

    pub(crate) fn get(&self, id: &ConnectionId) -> Option<Member> {
        self.members.get(id).map(|member| member.clone())
    }

    pub(crate) fn ids(&self) -> Vec<ConnectionId> {
        self.members.iter().map(|member| member.key().clone()).collect()
    }

    /// Takes out every connection.
    pub(crate) fn drain(&self) -> Vec<Member> {
        self.ids().iter().filter_map(|id| self.remove(id)).collect()
    }
}

impl Member {
    /// Ends the connection; one that does not end in time ends with its arbiter.
    pub(crate) async fn end(self, within: Duration) {
        match &self.address {
            Address::Socket(connection) => connection.do_send(Stop),
            Address::Intake(desk) => desk.stop(),
        }
        let mut status = self.status.subscribe();
        // An error means that nobody holds the status any more, so the connection is gone.
        let _ = timeout(within, status.wait_for(ConnectionStatus::has_ended)).await;
    }
}
