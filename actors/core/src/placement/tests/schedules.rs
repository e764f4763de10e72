//! Properties of clusters with labels, capacities, versions and outdated views, in which anything may happen.

use proptest::{collection::vec, prelude::*, sample::select, sample::subsequence};

use super::*;

const NAMES: [&str; 5] = ["a", "b", "c", "d", "e"];
const LABELS: [&str; 3] = ["eu", "us", "large"];

/// What happens to a cluster.
#[derive(Debug, Clone)]
enum Happening {
    Joins(&'static str, Vec<&'static str>, u16),
    IsFenced(&'static str),
    IsSuspended(&'static str),
    IsValid(&'static str),
    Drains(&'static str),
    IsUpgraded(&'static str),
    IsRequested {
        duty: usize,
        to: &'static str,
    },
    /// A node reads the view.
    Reads(&'static str),
    /// A node carries out its part of the plan by the view that it read last.
    Acts(&'static str),
    Quiet(bool),
}

fn happening() -> impl Strategy<Value = Happening> {
    let node = || select(&NAMES[..]);
    prop_oneof![
        2 => (node(), subsequence(&LABELS[..], 0..=3), 1_u16..=30)
            .prop_map(|(node, labels, capacity)| Happening::Joins(node, labels, capacity)),
        1 => node().prop_map(Happening::IsFenced),
        1 => node().prop_map(Happening::IsSuspended),
        1 => node().prop_map(Happening::IsValid),
        1 => node().prop_map(Happening::Drains),
        1 => node().prop_map(Happening::IsUpgraded),
        1 => (0_usize..40, node()).prop_map(|(duty, to)| Happening::IsRequested { duty, to }),
        10 => node().prop_map(Happening::Reads),
        10 => node().prop_map(Happening::Acts),
        1 => any::<bool>().prop_map(Happening::Quiet),
    ]
}

fn settings() -> impl Strategy<Value = DutySettings> {
    let places: Vec<&str> = LABELS.into_iter().chain(NAMES).collect();
    let only = prop_oneof![2 => Just(Vec::new()), 1 => subsequence(places.clone(), 1..=4)];
    let not = prop_oneof![2 => Just(Vec::new()), 1 => subsequence(places, 1..=2)];
    (prop_oneof![Just(1_u16), Just(8), 1_u16..=30], only, not).prop_map(|(weight, only, not)| DutySettings {
        only: labels(&only),
        not: labels(&not),
        ..weighing(weight)
    })
}

fn duties() -> impl Strategy<Value = Vec<(DutyName, DutySettings)>> {
    let named = |(number, settings)| (duty(&format!("connection/{number}")), settings);
    vec(settings(), 1..40).prop_map(move |all| all.into_iter().enumerate().map(named).collect())
}

struct World {
    cluster: Cluster,
    read: BTreeMap<NodeId, View>,
}

impl World {
    fn happens(&mut self, happening: Happening) {
        let cluster = &mut self.cluster;
        match happening {
            Happening::Joins(name, own, capacity) => {
                if !cluster.view.nodes.contains_key(name) {
                    let node = cluster.join(name);
                    node.labels = labels(&own);
                    node.capacity = Capacity::new(f64::from(capacity) / 10.0).unwrap();
                }
            }
            Happening::IsFenced(name) => self.change(name, |node| node.standing = Standing::Over),
            Happening::IsSuspended(name) => self.stand(name, Standing::Suspended),
            Happening::IsValid(name) => self.stand(name, Standing::Valid),
            Happening::Drains(name) => self.change(name, |node| node.is_draining = true),
            Happening::IsUpgraded(name) => self.change(name, |node| node.version.minor += 1),
            Happening::IsRequested { duty: number, to } => {
                let name = duty(&format!("connection/{number}"));
                if let Some(Assignment::Held { next, .. }) = cluster.view.duties.get_mut(&name) {
                    *next = Some(to.into());
                }
            }
            Happening::Reads(name) => {
                self.read.insert(name.into(), cluster.view.clone());
            }
            Happening::Acts(name) => {
                let is_fenced = cluster.view.nodes.get(name).is_none_or(|node| node.standing == Standing::Over);
                if let Some(seen) = self.read.get(name).filter(|_| !is_fenced) {
                    cluster.carry_out_part(&name.into(), seen);
                }
            }
            Happening::Quiet(is_quiet) => {
                cluster.view.unchanged_for = if is_quiet { LONG } else { Duration::ZERO };
            }
        }
    }

    fn stand(&mut self, name: &str, standing: Standing) {
        self.change(name, |node| {
            if node.standing != Standing::Over {
                node.standing = standing;
            }
        });
    }

    fn change(&mut self, name: &str, change: impl FnOnce(&mut Node)) {
        self.cluster.view.nodes.get_mut(name).map(change);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    /// [`Cluster::carry_out_part`] checks each update.
    #[test]
    fn whatever_happens_the_nodes_settle_and_each_duty_has_a_holder_if_a_node_may_have_it(
        duties in duties(),
        happenings in vec(happening(), 0..120),
    ) {
        let cluster = Cluster::of(&["a", "b"], duties);
        let mut world = World { cluster, read: BTreeMap::new() };
        for happening in happenings {
            world.happens(happening);
        }
        let cluster = &mut world.cluster;
        cluster.view.unchanged_for = LONG;
        cluster.settle();
        for (name, assignment) in &cluster.view.duties {
            let settings = &cluster.configured[name];
            let is_eligible = |(id, node): (&NodeId, &Node)| node.takes_duties() && node.may_have(id, settings);
            let is_possible = cluster.view.nodes.iter().any(is_eligible);
            match cluster.holder(name) {
                Some(holder) => {
                    let node = &cluster.view.nodes[holder];
                    let is_settled = !is_possible || is_eligible((holder, node)) || node.standing == Standing::Suspended;
                    prop_assert!(is_settled, "{holder} has {name}");
                }
                None => prop_assert!(!is_possible, "{name}: {assignment:?}"),
            }
        }
    }

    /// Handing over eight at a time does not make a duty go to and fro.
    #[test]
    fn each_duty_moves_at_most_once_when_a_node_joins(
        duties in duties(),
        nodes in vec((subsequence(&LABELS[..], 0..=3), 1_u16..=30), 2..=5),
    ) {
        let mut cluster = Cluster::of(&[], duties);
        for (number, (name, (own, capacity))) in NAMES.iter().zip(&nodes).enumerate() {
            if number + 1 == nodes.len() {
                cluster.settle();
            }
            let node = cluster.join(name);
            node.labels = labels(own);
            node.capacity = Capacity::new(f64::from(*capacity) / 10.0).unwrap();
        }
        let moves = cluster.settle();
        let moved: BTreeSet<_> = moves.iter().map(|(duty, ..)| duty).collect();
        prop_assert_eq!(moved.len(), moves.len(), "{:?}", moves);
    }

    #[test]
    fn the_parts_of_a_plan_take_each_duty_once_and_hand_over_only_what_the_node_has(
        duties in duties(),
        happenings in vec(happening(), 0..60),
    ) {
        let mut world = World { cluster: Cluster::of(&["a", "b"], duties), read: BTreeMap::new() };
        for happening in happenings {
            world.happens(happening);
            let mut claimed = BTreeSet::new();
            for node in world.cluster.names() {
                let plan = plan(&world.cluster.view, &node);
                for name in plan.take.iter().chain(plan.hand_over.iter().map(|hand_over| &hand_over.duty)) {
                    prop_assert!(claimed.insert(name.clone()), "{name} twice");
                }
                let held = world.cluster.held(node.as_str());
                prop_assert!(plan.hand_over.iter().all(|hand_over| held.contains(&hand_over.duty)));
            }
        }
    }
}
