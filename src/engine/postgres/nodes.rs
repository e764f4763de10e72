//! The tables of nodes and duties.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Mutex, MutexGuard, PoisonError},
};

use serde::{Deserialize, Serialize};
use tertulia_actors::core::{
    id::{NodeId, NodeLabel},
    placement::{Acting, Assignment, DutyName, DutySettings, FencingToken, Weight},
    tenure::{Beat, NodeEpoch},
};
use tokio_postgres::Row;

use super::session::{CallError, Session};
use crate::cluster::{Beaten, DutyRow, NodeRow, NodeTable, NodeTableError};

/// The tables of nodes and duties, for one node that has joined.
#[derive(Debug)]
pub struct PostgresNodes {
    me: NodeId,
    epoch: NodeEpoch,
    /// Only for beats, which nothing may delay.
    beats: Mutex<Session>,
    session: Mutex<Session>,
}

/// The settings of a duty as stored.
#[derive(Serialize, Deserialize)]
struct StoredSettings {
    weight: u16,
    #[serde(default)]
    only: BTreeSet<NodeLabel>,
    #[serde(default)]
    not: BTreeSet<NodeLabel>,
}

impl From<&DutySettings> for StoredSettings {
    fn from(settings: &DutySettings) -> Self {
        Self { weight: settings.weight.get(), only: settings.only.clone(), not: settings.not.clone() }
    }
}

impl From<StoredSettings> for DutySettings {
    fn from(StoredSettings { weight, only, not }: StoredSettings) -> Self {
        Self { weight: Weight::new(weight).unwrap_or_default(), only, not }
    }
}

impl PostgresNodes {
    pub(super) fn new(session: Session, beats: Session, me: NodeId, epoch: NodeEpoch) -> Self {
        Self { me, epoch, beats: Mutex::new(beats), session: Mutex::new(session) }
    }

    fn session(&self) -> MutexGuard<'_, Session> {
        self.session.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn epoch_number(&self) -> i64 {
        signed(self.epoch.0)
    }
}

impl NodeTable for PostgresNodes {
    fn me(&self) -> &NodeId {
        &self.me
    }

    fn epoch(&self) -> NodeEpoch {
        self.epoch
    }

    fn beat(&self, about: &crate::cluster::NodeAbout, seen: u64) -> Result<Beaten, NodeTableError> {
        let (me, epoch, seen) = (self.me.as_str(), self.epoch_number(), signed(seen));
        let about = serde_json::to_string(about).unwrap_or_default();
        let mut beats = self.beats.lock().unwrap_or_else(PoisonError::into_inner);
        let beaten = beats.call(async |live| {
            let sql =
                "UPDATE beat SET beat = beat + 1, about = $3 WHERE node = $1 AND epoch = $2 AND NOT ended RETURNING 1";
            if live.query(sql, &[&me, &epoch, &about]).await?.is_empty() {
                return Err(CallError::Fenced);
            }
            // Read before the duties, so that no change between the two is missed.
            let changed = live.one("SELECT number FROM duty_change", &[]).await?;
            let nodes = "SELECT b.node, b.epoch, b.beat, b.about FROM beat b JOIN node n ON n.id = b.node \
                         WHERE NOT b.ended AND NOT n.fenced";
            let nodes = live.query(nodes, &[]).await?;
            let duties = "SELECT name, token, node, next, removed FROM duty WHERE changed > $1";
            let duties = live.query(duties, &[&seen]).await?;
            Ok(Beaten {
                nodes: nodes.iter().filter_map(node).collect(),
                duties: duties.iter().map(duty).collect(),
                changed: unsigned(changed.get(0)),
            })
        });
        beaten.map_err(|error| failed("beat", error))
    }

    fn fence(&self, node: &NodeId, beat: Beat) -> Result<bool, NodeTableError> {
        let with = (node.as_str(), signed(beat.epoch.0), signed(beat.number));
        let fenced = self
            .session()
            .call(async |live| live.one("SELECT fence_node($1, $2, $3)", &[&with.0, &with.1, &with.2]).await);
        fenced.map(|row| row.get(0)).map_err(|error| failed("fence a node", error))
    }

    fn know(&self, duties: &BTreeMap<DutyName, DutySettings>) -> Result<(), NodeTableError> {
        let names: Vec<String> = duties.keys().map(ToString::to_string).collect();
        let stored = |settings| serde_json::to_string(&StoredSettings::from(settings)).unwrap_or_default();
        let settings: Vec<String> = duties.values().map(stored).collect();
        let (me, epoch) = (self.me.as_str(), self.epoch_number());
        let known = self
            .session()
            .call(async |live| live.one("SELECT know_duties($1, $2, $3, $4)", &[&me, &epoch, &names, &settings]).await);
        known.map(drop).map_err(|error| failed("note the known duties", error))
    }

    fn known(&self, node: &NodeId) -> Result<BTreeMap<DutyName, DutySettings>, NodeTableError> {
        let rows = self.session().call(async |live| {
            live.query("SELECT duty, settings FROM node_duty WHERE node = $1", &[&node.as_str()]).await
        });
        let read = |row: Row| {
            let settings = serde_json::from_str::<StoredSettings>(row.get(1)).map(Into::into);
            (DutyName::from(row.get::<_, &str>(0)), settings.unwrap_or_default())
        };
        let rows = rows.map_err(|error| failed("read the known duties", error))?;
        Ok(rows.into_iter().map(read).collect())
    }

    fn take(&self, duties: &[DutyName]) -> Result<Vec<Acting>, NodeTableError> {
        take(&mut self.session(), &self.me, self.epoch, duties).map_err(|error| failed("take duties", error))
    }

    fn give_back(&self, acting: &Acting) -> Result<(), NodeTableError> {
        give_back(&mut self.session(), &self.me, self.epoch, acting).map_err(|error| failed("give a duty back", error))
    }

    fn destine(&self, duty: &DutyName, to: Option<&NodeId>) -> Result<bool, NodeTableError> {
        let (name, to) = (duty.to_string(), to.map(NodeId::as_str));
        let changed = self.session().call(async |live| {
            let sql = "UPDATE duty SET next = $2, changed = c.number FROM (SELECT next_change() AS number) c \
                       WHERE name = $1 AND NOT removed RETURNING 1";
            live.query(sql, &[&name, &to]).await
        });
        changed.map(|rows| !rows.is_empty()).map_err(|error| failed("move a duty", error))
    }

    fn remove(&self, duty: &DutyName) -> Result<(), NodeTableError> {
        let name = duty.to_string();
        let removed = self.session().call(async |live| live.one("SELECT remove_duty($1)", &[&name]).await);
        removed.map(drop).map_err(|error| failed("remove a duty", error))
    }

    fn leave(&self) -> Result<(), NodeTableError> {
        let (me, epoch) = (self.me.as_str(), self.epoch_number());
        let left = self.session().call(async |live| live.one("SELECT leave_cluster($1, $2)", &[&me, &epoch]).await);
        left.map(drop).map_err(|error| failed("leave", error))
    }
}

/// Takes those of `duties` that are free for this node.
pub(super) fn take(
    session: &mut Session,
    me: &NodeId,
    epoch: NodeEpoch,
    duties: &[DutyName],
) -> Result<Vec<Acting>, CallError> {
    let names: Vec<String> = duties.iter().map(ToString::to_string).collect();
    let epoch = signed(epoch.0);
    let taken = session.call(async |live| {
        live.query("SELECT name, token FROM take_duties($1, $2, $3)", &[&me.as_str(), &epoch, &names]).await
    })?;
    let acting = |row: &Row| Acting { duty: row.get::<_, &str>(0).into(), token: FencingToken(unsigned(row.get(1))) };
    Ok(taken.iter().map(acting).collect())
}

/// Gives a duty back, unless the right to it is outdated.
pub(super) fn give_back(
    session: &mut Session,
    me: &NodeId,
    epoch: NodeEpoch,
    acting: &Acting,
) -> Result<(), CallError> {
    let (name, token) = (acting.duty.to_string(), signed(acting.token.0));
    let given = session.call(async |live| {
        let sql = "SELECT give_duty_back($1, $2, $3, $4)";
        live.one(sql, &[&me.as_str(), &signed(epoch.0), &name, &token]).await
    });
    given.map(drop)
}

fn node(row: &Row) -> Option<NodeRow> {
    let about = serde_json::from_str(row.get(3)).map_err(|error| {
        let node: &str = row.get(0);
        tracing::warn!(node, %error, "what a node says about itself cannot be read; its version may be newer");
    });
    let beat = Beat { epoch: NodeEpoch(unsigned(row.get(1))), number: unsigned(row.get(2)) };
    Some(NodeRow { name: row.get::<_, &str>(0).into(), beat, about: about.ok()? })
}

fn duty(row: &Row) -> DutyRow {
    let token = FencingToken(unsigned(row.get(1)));
    let next = row.get::<_, Option<&str>>(3).map(NodeId::from);
    let assignment = match row.get::<_, Option<&str>>(2) {
        Some(by) => Assignment::Held { by: by.into(), token, next },
        None if token.0 == 0 => Assignment::Never,
        None => Assignment::Released { token, next },
    };
    DutyRow { name: row.get::<_, &str>(0).into(), assignment, is_removed: row.get(4) }
}

fn failed(operation: &'static str, error: CallError) -> NodeTableError {
    match error {
        CallError::Fenced => NodeTableError::Fenced,
        error => NodeTableError::Unavailable { operation, reason: error.to_string() },
    }
}

/// The database has signed numbers only. Ours grow from 0 by one, so none is as large as the difference.
pub(super) fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

pub(super) fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or_default()
}
