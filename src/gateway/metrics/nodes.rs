//! Metrics of this node among others: its tenure, and the nodes and duties as it last saw them.

use std::{collections::BTreeMap, fmt, sync::Arc};

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric as _},
    metrics::{MetricType, counter::ConstCounter, gauge::ConstGauge},
    registry::Registry,
};
use tertulia_actors::{
    core::{placement::DutyName, tenure::Standing},
    engine::Journal,
};

use super::registry::PREFIX;
use crate::{
    cluster::{ClusterView, Holder, Members},
    gateway::{inbox::Inbox, nodes::Neighbours},
};

/// The kinds of duties.
const KINDS: [&str; 4] = ["connection", "webhooks", "bulk", "housekeeping"];
/// Where a duty may be done.
const STANDINGS: [&str; 3] = ["here", "elsewhere", "nobody"];

/// Registers the metrics of a node in the registry of its gateway.
pub(in crate::gateway) fn register_node(
    registry: &mut Registry,
    neighbours: &Neighbours,
    journal: &Arc<Journal>,
    inbox: &Arc<Inbox>,
) {
    let own = registry.sub_registry_with_prefix(PREFIX);
    neighbours.members.metrics().register(own);
    neighbours.forwarded.register(own);
    let (members, journal) = (Arc::clone(&neighbours.members), Arc::clone(journal));
    own.register_collector(Box::new(Nodes { members, journal, inbox: Arc::clone(inbox) }));
}

/// The nodes and duties, read at each scrape.
struct Nodes {
    members: Arc<Members>,
    journal: Arc<Journal>,
    inbox: Arc<Inbox>,
}

impl fmt::Debug for Nodes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Nodes").finish_non_exhaustive()
    }
}

impl Collector for Nodes {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let view = Arc::clone(&self.members.view().borrow());
        let help = "Nodes that were not fenced, by standing as this node last saw them.";
        let mut family = encoder.encode_descriptor("nodes", help, None, MetricType::Gauge)?;
        for (standing, count) in nodes(&view) {
            ConstGauge::new(count).encode(family.encode_family(&[("standing", standing)])?)?;
        }
        let help = "Duties, by kind and by where they are done as this node last saw it.";
        let mut family = encoder.encode_descriptor("duties", help, None, MetricType::Gauge)?;
        for ((kind, standing), count) in duties(&view) {
            ConstGauge::new(count).encode(family.encode_family(&[("kind", kind), ("standing", standing)])?)?;
        }
        let seconds = |time: Option<std::time::Duration>| time.unwrap_or_default().as_secs_f64();
        for (name, help, value) in [
            (
                "tenure_seconds_left",
                "Time until this node must stop to act, unless a beat is answered.",
                seconds(self.members.tenure().left()),
            ),
            (
                "log_tail_lag_seconds",
                "Time since this node last had every event of all nodes; up to a quarter of a second in normal operation.",
                seconds(self.journal.tail_lag()),
            ),
        ] {
            ConstGauge::new(value).encode(encoder.encode_descriptor(name, help, None, MetricType::Gauge)?)?;
        }
        let help =
            "Webhooks of the platform that this node keeps and whose connection's node does not know of them yet.";
        let waiting = i64::try_from(self.inbox.waiting()).unwrap_or(i64::MAX);
        ConstGauge::new(waiting).encode(encoder.encode_descriptor(
            "webhook_inbox",
            help,
            None,
            MetricType::Gauge,
        )?)?;
        let help = "Times that the database was found to have lost commits that it had acknowledged.";
        let counter = encoder.encode_descriptor("engine_lost_commits", help, None, MetricType::Counter)?;
        ConstCounter::new(self.journal.lost_commits()).encode(counter)
    }
}

fn nodes(view: &ClusterView) -> [(&'static str, i64); 2] {
    let (mut valid, mut suspended) = (0, 0);
    for node in view.placement.nodes.values() {
        *(if node.standing == Standing::Valid { &mut valid } else { &mut suspended }) += 1;
    }
    [("valid", valid), ("suspended", suspended)]
}

fn duties(view: &ClusterView) -> BTreeMap<(&'static str, &'static str), i64> {
    let mut counts: BTreeMap<_, i64> =
        KINDS.iter().flat_map(|kind| STANDINGS.map(|standing| ((*kind, standing), 0))).collect();
    for duty in view.placement.duties.keys() {
        let kind = match duty {
            DutyName::Connection(_) => "connection",
            DutyName::Webhooks => "webhooks",
            DutyName::Bulk => "bulk",
            DutyName::Housekeeping => "housekeeping",
            // Another version knows what it is.
            DutyName::Unlisted(_) => continue,
        };
        let standing = match view.holder(duty) {
            Holder::Me => "here",
            Holder::Other(_) => "elsewhere",
            Holder::Nobody | Holder::Unknown => "nobody",
        };
        *counts.entry((kind, standing)).or_default() += 1;
    }
    counts
}
