//! The connections of a process, by id.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use actix::{Addr, ArbiterHandle};
use dashmap::{DashMap, Entry};
use tertulia_core::id::ConnectionId;
use tokio::{sync::watch, time::timeout};

use super::{ConnectionExited, Fleet};
use crate::{
    connection::{Connection, ConnectionStatus, Role, Stop, webhook::WebhookInbox},
    subscriber::Origin,
    supervision::{ArbiterPool, GuardOptions, Placement, RestartPolicy},
};

/// The connections of a process. An id is taken from the moment its connection is added until the connection is
/// removed.
#[derive(Default)]
pub(crate) struct Registry {
    members: DashMap<ConnectionId, Member>,
}

/// The actor of a connection.
#[derive(Clone)]
pub(crate) enum Address {
    /// A connection with a socket.
    Socket(Addr<Connection>),
    /// A connection without a socket.
    Intake(WebhookInbox),
}

/// Starts a connection on an arbiter; may be called repeatedly. If the arbiter has ended, nothing is started, and the
/// owner receives a [`ChildExit`](crate::supervision::ChildExit) that says so.
pub(crate) type Begin =
    dyn Fn(&ArbiterHandle, GuardOptions, Arc<watch::Sender<ConnectionStatus>>) -> Address + Send + Sync;

/// Numbers the runs of a connection: it has a new run after its arbiter has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Life(u64);

/// One connection of the fleet.
#[derive(Clone)]
pub(crate) struct Member {
    pub(crate) origin: Origin,
    pub(crate) role: Role,
    pub(crate) address: Address,
    pub(crate) status: Arc<watch::Sender<ConnectionStatus>>,
    pub(crate) life: Life,
    begin: Arc<Begin>,
    /// Counts the connection on its arbiter.
    _placement: Arc<Placement>,
}

/// What is needed to start a connection.
pub(crate) struct StartContext<'a> {
    pub(crate) pool: &'a ArbiterPool,
    pub(crate) fleet: &'a Addr<Fleet>,
    pub(crate) policy: &'a Arc<RestartPolicy>,
}

impl Registry {
    /// Adds a connection and starts it.
    pub(crate) fn add(
        &self,
        origin: Origin,
        role: Role,
        username: Option<String>,
        begin: Arc<Begin>,
        start: &StartContext<'_>,
    ) -> Result<(), AddError> {
        match self.members.entry(origin.connection.clone()) {
            Entry::Occupied(taken) => Err(AddError::Taken(taken.key().clone())),
            Entry::Vacant(vacant) => {
                let status = ConnectionStatus::idle(origin.account.clone(), role, username);
                let status = Arc::new(watch::Sender::new(status));
                vacant.insert(Member::begin(origin, role, status, begin, start).ok_or(AddError::Stopped)?);
                Ok(())
            }
        }
    }

    /// Restarts a connection, whose arbiter has ended in the run `life`, on another arbiter. Returns `false` if the
    /// connection was removed or already has another run.
    pub(crate) fn begin_again(&self, id: &ConnectionId, life: Life, start: &StartContext<'_>) -> bool {
        let Some(mut member) = self.members.get_mut(id).filter(|member| member.life == life) else { return false };
        let (origin, status, begin) = (member.origin.clone(), Arc::clone(&member.status), Arc::clone(&member.begin));
        match Member::begin(origin, member.role, status, begin, start) {
            Some(begun) => {
                *member = begun;
                true
            }
            None => false,
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

    /// Removes and returns every connection.
    pub(crate) fn drain(&self) -> Vec<Member> {
        self.ids().iter().filter_map(|id| self.remove(id)).collect()
    }
}

/// Why a connection was not added.
pub(crate) enum AddError {
    /// Its id is taken.
    Taken(ConnectionId),
    /// The system has ended.
    Stopped,
}

impl Member {
    fn begin(
        origin: Origin,
        role: Role,
        status: Arc<watch::Sender<ConnectionStatus>>,
        begin: Arc<Begin>,
        start: &StartContext<'_>,
    ) -> Option<Self> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let life = Life(NEXT.fetch_add(1, Ordering::Relaxed));
        let placement = start.pool.place();
        let (fleet, of) = (start.fleet.clone(), origin.clone());
        let on_exit = move |exit| fleet.do_send(ConnectionExited { origin: of.clone(), life, exit });
        let options =
            GuardOptions { policy: Arc::clone(start.policy), ..GuardOptions::new(origin.connection.as_str(), on_exit) };
        let address = begin(placement.arbiter()?, options, Arc::clone(&status));
        Some(Self { origin, role, address, status, life, begin, _placement: Arc::new(placement) })
    }

    /// Ends the connection; if it does not end in time, it ends with its arbiter.
    pub(crate) async fn end(self, within: Duration) {
        match &self.address {
            Address::Socket(connection) => connection.do_send(Stop),
            Address::Intake(inbox) => inbox.stop(),
        }
        let mut status = self.status.subscribe();
        // An error means that the status was dropped, so the connection has ended.
        let _ = timeout(within, status.wait_for(ConnectionStatus::has_ended)).await;
    }
}
