//! How many duties each node gets, and how many move, in clusters of known sizes.

use super::*;

fn sorted(mut counts: Vec<usize>) -> Vec<usize> {
    counts.sort_unstable();
    counts
}

#[test]
fn forty_duties_are_shared_by_three_nodes_and_few_move() {
    let mut cluster = Cluster::settled(&["a", "b", "c"], connections(40));
    assert_eq!(sorted(cluster.counts()), [13, 13, 14]);
    assert_eq!(cluster.plan("a"), Plan::default());
    let of_dead = cluster.held("a");
    cluster.fence("a");
    let moved: BTreeSet<_> = cluster.settle().into_iter().map(|(duty, ..)| duty).collect();
    assert_eq!(moved, of_dead);
    assert_eq!(sorted(cluster.counts()), [0, 20, 20]);
    cluster.join("d");
    let moves = cluster.settle();
    assert_eq!(moves.len(), 12);
    assert!(moves.iter().all(|(_, _, to)| to.as_str() == "d"));
    assert!(cluster.settle().is_empty());
}

#[test]
fn four_thousand_duties_are_shared_by_three_nodes_and_few_move() {
    let mut cluster = Cluster::settled(&["a", "b", "c"], connections(4_000));
    assert_eq!(sorted(cluster.counts()), [1_333, 1_333, 1_334]);
    let of_dead = cluster.held("b");
    cluster.fence("b");
    let moved: BTreeSet<_> = cluster.settle().into_iter().map(|(duty, ..)| duty).collect();
    assert_eq!(moved, of_dead);
    assert_eq!(sorted(cluster.counts()), [0, 2_000, 2_000]);
}

/// A joined node does not take at once what it gets: each holder gives eight at a time.
#[test]
fn a_node_that_joins_four_thousand_duties_gets_its_share_from_both_others() {
    let mut cluster = Cluster::settled(&["a", "b"], connections(4_000));
    cluster.join("c");
    let whole = Plan { hand_over: cluster.plan("a").hand_over, take: Vec::new() };
    assert_eq!(whole.hand_over.len(), HANDING_OVER_AT_MOST);
    assert!(whole.hand_over.iter().all(|hand_over| hand_over.to == Some("c".into())));
    assert_eq!(cluster.plan("c"), Plan::default());
}

#[test]
fn twice_the_capacity_gets_twice_the_duties() {
    let mut cluster = Cluster::of(&["a", "b", "c"], connections(40));
    cluster.node("b").capacity = Capacity::new(2.0).unwrap();
    cluster.settle();
    assert_eq!(cluster.counts(), [10, 20, 10]);
}

#[test]
fn the_heaviest_duties_are_placed_first_and_count_by_their_weight() {
    let connectors = (0..3).map(|number| (duty(&format!("connection/app-{number}")), weighing(8)));
    let mut cluster = Cluster::settled(&["a", "b", "c"], connections(6).chain(connectors));
    assert_eq!(["a", "b", "c"].map(|node| cluster.load(node)), [10, 10, 10]);
    cluster.fence("c");
    let moves = cluster.settle();
    assert_eq!(moves.len(), 3);
    assert_eq!(sorted(vec![cluster.load("a") as usize, cluster.load("b") as usize]), [12, 18]);
}

#[test]
fn the_duties_with_the_lowest_scores_move() {
    let mut cluster = Cluster::settled(&["a"], connections(40));
    let seed = rendezvous::Seed::of(&"a".into());
    let mut by_score: Vec<_> = cluster.held("a").into_iter().collect();
    by_score.sort_by_key(|name| seed.score(&name.to_string()));
    cluster.join("b");
    let moved: BTreeSet<_> = cluster.settle().into_iter().map(|(duty, ..)| duty).collect();
    assert_eq!(moved, by_score[..20].iter().cloned().collect());
}

#[test]
fn ties_are_decided_by_the_highest_score() {
    for number in 0..20 {
        let name = duty(&format!("connection/bots-{number}"));
        let mut cluster = Cluster::settled(&["a", "b", "c", "d"], [(name.clone(), DutySettings::default())]);
        let nodes = cluster.names();
        let best = nodes.iter().max_by_key(|node| rendezvous::Seed::of(node).score(&name.to_string()));
        assert_eq!(cluster.holder(&name), best);
        assert!(cluster.settle().is_empty());
    }
}

/// The scores are the same in every release: otherwise two releases in one cluster would place duties differently.
#[test]
fn the_score_of_a_node_and_a_duty_never_changes() {
    let first = rendezvous::Seed::of(&"a".into()).score("connection/bots-1");
    let second = rendezvous::Seed::of(&"node-b".into()).score("webhooks");
    assert_eq!(format!("{first:?} {second:?}"), "Score(679950551509813990) Score(6065706512928271664)");
}
