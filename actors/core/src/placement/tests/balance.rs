//! Properties of clusters in which every node may have every duty.

use proptest::{collection::vec, prelude::*};

use super::*;

const NAMES: [&str; 7] = ["a", "b", "c", "d", "e", "f", "g"];

/// Capacities of nodes, and weights of duties.
fn sizes() -> impl Strategy<Value = (Vec<u16>, Vec<u16>)> {
    (vec(1_u16..=40, 1..=6), vec(prop_oneof![3 => Just(1), 1 => Just(8), 1 => 1_u16..=50], 0..80))
}

fn uniform() -> impl Strategy<Value = (Vec<u16>, Vec<u16>)> {
    (1_usize..=6, 0_usize..150).prop_map(|(nodes, duties)| (vec![10; nodes], vec![1; duties]))
}

fn cluster((capacities, weights): &(Vec<u16>, Vec<u16>)) -> Cluster {
    let duties = weights.iter().enumerate();
    let duties = duties.map(|(number, weight)| (duty(&format!("connection/{number}")), weighing(*weight)));
    let mut cluster = Cluster::of(&NAMES[..capacities.len()], duties);
    for (name, capacity) in NAMES.iter().zip(capacities) {
        cluster.node(name).capacity = Capacity::new(f64::from(*capacity) / 10.0).unwrap();
    }
    cluster.settle();
    cluster
}

impl Cluster {
    fn present(&self) -> impl Iterator<Item = (&NodeId, &Node)> {
        self.view.nodes.iter().filter(|(_, node)| node.standing != Standing::Over)
    }

    fn total(&self) -> u64 {
        self.configured.values().map(|settings| u64::from(settings.weight.get())).sum()
    }

    fn total_capacity(&self) -> u64 {
        self.present().map(|(_, node)| u64::from(node.capacity.thousandths())).sum()
    }

    fn heaviest(&self, node: &str) -> u64 {
        self.held(node).iter().map(|duty| u64::from(self.configured[duty].weight.get())).max().unwrap_or(0)
    }

    /// Every duty has a holder, and every node has less than its share and its heaviest duty together.
    fn assert_balanced(&self) {
        for duty in self.view.duties.keys() {
            assert!(self.holder(duty).is_some_and(|holder| self.view.nodes[holder].standing == Standing::Valid));
        }
        for (name, node) in self.present() {
            let (load, heaviest) = (self.load(name.as_str()), self.heaviest(name.as_str()));
            let share = self.total() * u64::from(node.capacity.thousandths());
            assert!(load == 0 || (load - heaviest) * self.total_capacity() < share, "{name} has {load}");
        }
    }
}

proptest! {
    #[test]
    fn every_duty_gets_a_holder_and_no_node_is_above_its_quota(sizes in sizes()) {
        let mut cluster = cluster(&sizes);
        cluster.assert_balanced();
        prop_assert!(cluster.settle().is_empty());
    }

    #[test]
    fn equal_duties_are_shared_to_one(sizes in uniform()) {
        let counts = cluster(&sizes).counts();
        prop_assert!(counts.iter().max().unwrap() - counts.iter().min().unwrap() <= 1, "{:?}", counts);
    }

    #[test]
    fn exactly_the_duties_of_a_dead_node_move(sizes in sizes(), dead in any::<prop::sample::Index>()) {
        prop_assume!(sizes.0.len() > 1);
        let mut cluster = cluster(&sizes);
        let dead = NAMES[dead.index(sizes.0.len())];
        let held = cluster.held(dead);
        cluster.fence(dead);
        let moves = cluster.settle();
        prop_assert_eq!(moves.len(), held.len());
        prop_assert_eq!(moves.into_iter().map(|(duty, ..)| duty).collect::<BTreeSet<_>>(), held);
        cluster.assert_balanced();
    }

    #[test]
    fn exactly_the_duties_of_a_draining_node_move(sizes in sizes(), draining in any::<prop::sample::Index>()) {
        prop_assume!(sizes.0.len() > 1);
        let mut cluster = cluster(&sizes);
        let draining = NAMES[draining.index(sizes.0.len())];
        let held = cluster.held(draining);
        cluster.node(draining).is_draining = true;
        let moves = cluster.settle();
        prop_assert_eq!(moves.len(), held.len());
        prop_assert_eq!(moves.into_iter().map(|(duty, ..)| duty).collect::<BTreeSet<_>>(), held);
    }

    #[test]
    fn a_node_that_joins_gets_no_more_than_its_quota_and_nothing_else_moves(sizes in uniform()) {
        let mut cluster = cluster(&sizes);
        cluster.join("g");
        let moves = cluster.settle();
        let quota = sizes.1.len().div_ceil(sizes.0.len() + 1);
        prop_assert!(moves.len() <= quota, "{} of {}", moves.len(), quota);
        prop_assert!(moves.iter().all(|(_, _, to)| to.as_str() == "g"));
        cluster.assert_balanced();
    }

    #[test]
    fn each_duty_moves_at_most_once_when_a_node_joins_and_no_giver_falls_below_its_share(
        sizes in sizes(),
        capacity in 1_u16..=40,
    ) {
        let mut cluster = cluster(&sizes);
        cluster.join("g").capacity = Capacity::new(f64::from(capacity) / 10.0).unwrap();
        let moves = cluster.settle();
        let moved: BTreeSet<_> = moves.iter().map(|(duty, ..)| duty).collect();
        prop_assert_eq!(moved.len(), moves.len());
        for giver in moves.iter().map(|(_, from, _)| from) {
            let share = cluster.total() * u64::from(cluster.view.nodes[giver].capacity.thousandths());
            prop_assert!(cluster.load(giver.as_str()) * cluster.total_capacity() >= share);
        }
        cluster.assert_balanced();
    }

    #[test]
    fn the_order_of_the_view_does_not_matter(sizes in sizes(), seed in any::<u64>()) {
        let mut cluster = cluster(&sizes);
        cluster.join("g");
        let shuffled = View {
            nodes: shuffled(&cluster.view.nodes, seed),
            duties: shuffled(&cluster.view.duties, seed),
            unchanged_for: cluster.view.unchanged_for,
        };
        for node in cluster.names() {
            prop_assert_eq!(plan(&shuffled, &node), plan(&cluster.view, &node));
        }
    }
}

/// The same entries, inserted in another order.
fn shuffled<K: Ord + Clone, V: Clone>(map: &BTreeMap<K, V>, seed: u64) -> BTreeMap<K, V> {
    let mut entries: Vec<_> = map.iter().enumerate().collect();
    entries.sort_by_key(|(number, _)| (*number as u64 + 1).wrapping_mul(seed | 1).rotate_left(32));
    entries.into_iter().map(|(_, (key, value))| (key.clone(), value.clone())).collect()
}
