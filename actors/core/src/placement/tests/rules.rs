//! One test for each rule of placement.

use super::*;

fn placed_on(cluster: &Cluster, name: &str) -> Option<String> {
    cluster.holder(&duty(name)).map(ToString::to_string)
}

fn one_duty(settings: DutySettings) -> [(DutyName, DutySettings); 1] {
    [(DutyName::Bulk, settings)]
}

fn to(duty: DutyName, node: &str) -> Vec<HandOver> {
    vec![HandOver { duty, to: Some(node.into()) }]
}

#[test]
fn a_node_that_is_not_valid_or_drains_takes_nothing() {
    let alone = || Cluster::of(&["a"], connections(3));
    assert_eq!(alone().plan("a").take.len(), 3);
    for standing in [Standing::Suspended, Standing::Over] {
        let mut cluster = alone();
        cluster.node("a").standing = standing;
        assert_eq!(cluster.plan("a"), Plan::default());
    }
    let mut cluster = alone();
    cluster.node("a").is_draining = true;
    assert_eq!(cluster.plan("a"), Plan::default());
    assert_eq!(cluster.plan("unknown"), Plan::default());
}

#[test]
fn a_duty_goes_only_to_nodes_that_know_it() {
    let mut cluster = Cluster::of(&["a", "b"], connections(4));
    cluster.node("a").duties = Arc::new(connections(1).collect());
    cluster.settle();
    assert_eq!(placed_on(&cluster, "connection/bots-3").as_deref(), Some("b"));
    assert_eq!(cluster.counts(), [1, 3]);
}

#[test]
fn labels_and_names_say_where_a_duty_may_be() {
    let only = |names: &[&str]| DutySettings { only: labels(names), ..DutySettings::default() };
    let not = |names: &[&str]| DutySettings { not: labels(names), ..DutySettings::default() };
    let cases = [
        (only(&["eu"]), "b"),
        (only(&["c"]), "c"),
        (not(&["b", "us"]), "a"),
        (DutySettings { only: labels(&["eu", "us"]), not: labels(&["b"]), ..DutySettings::default() }, "c"),
    ];
    for (settings, expected) in cases {
        let mut cluster = Cluster::of(&["a", "b", "c"], one_duty(settings.clone()));
        cluster.node("b").labels = labels(&["eu", "large"]);
        cluster.node("c").labels = labels(&["us"]);
        cluster.settle();
        assert_eq!(placed_on(&cluster, "bulk").as_deref(), Some(expected), "{settings:?}");
    }
}

#[test]
fn a_duty_that_no_node_may_have_is_given_back_and_placed_nowhere() {
    let mut cluster =
        Cluster::of(&["a", "b"], one_duty(DutySettings { only: labels(&["eu"]), ..DutySettings::default() }));
    cluster.hold(&DutyName::Bulk, "a");
    assert_eq!(cluster.plan("a").hand_over, [HandOver { duty: DutyName::Bulk, to: None }]);
    cluster.settle();
    assert_eq!(placed_on(&cluster, "bulk"), None);
    cluster.node("b").labels = labels(&["eu"]);
    cluster.settle();
    assert_eq!(placed_on(&cluster, "bulk").as_deref(), Some("b"));
}

#[test]
fn a_holder_whose_labels_no_longer_fit_hands_over_at_once() {
    let mut cluster = Cluster::of(&["a", "b"], one_duty(DutySettings { not: labels(&["a"]), ..weighing(1) }));
    cluster.hold(&DutyName::Bulk, "a");
    cluster.view.unchanged_for = Duration::ZERO;
    assert_eq!(cluster.plan("a").hand_over, to(DutyName::Bulk, "b"));
}

#[test]
fn a_suspended_holder_keeps_its_duties_until_it_is_fenced() {
    let mut cluster = Cluster::settled(&["a", "b"], connections(6));
    cluster.node("a").standing = Standing::Suspended;
    assert_eq!((cluster.plan("a"), cluster.plan("b")), (Plan::default(), Plan::default()));
    let held = cluster.held("a");
    cluster.fence("a");
    assert_eq!(cluster.plan("b").take, Vec::from_iter(held));
}

#[test]
fn a_node_that_is_absent_counts_as_fenced() {
    let mut cluster = Cluster::settled(&["a", "b"], connections(6));
    let held = cluster.held("a");
    cluster.view.nodes.remove("a");
    assert_eq!(cluster.plan("b").take, Vec::from_iter(held));
}

#[test]
fn duties_without_a_node_wait_until_the_set_of_nodes_is_quiet_and_those_of_a_fenced_node_do_not() {
    let mut cluster = Cluster::of(&["a"], connections(3));
    let [never, released, fenced] = [0, 1, 2].map(|number| duty(&format!("connection/bots-{number}")));
    let token = FencingToken(4);
    cluster.view.duties.insert(released.clone(), Assignment::Released { token, next: None });
    cluster.hold(&fenced, "gone");
    cluster.view.unchanged_for = QUIET - Duration::from_millis(1);
    assert_eq!(cluster.plan("a").take, std::slice::from_ref(&fenced));
    cluster.view.unchanged_for = QUIET;
    assert_eq!(cluster.plan("a").take, [never, released, fenced]);
}

#[test]
fn moves_for_balance_wait_until_the_set_of_nodes_is_quiet() {
    let mut cluster = Cluster::settled(&["a"], connections(6));
    cluster.join("b");
    cluster.view.unchanged_for = QUIET - Duration::from_millis(1);
    assert_eq!(cluster.plan("a"), Plan::default());
    cluster.view.unchanged_for = QUIET;
    assert_eq!(cluster.plan("a").hand_over.len(), 3);
}

#[test]
fn a_duty_that_was_handed_over_is_taken_by_the_named_node_at_once() {
    let mut cluster = Cluster::of(&["a", "b"], one_duty(DutySettings::default()));
    cluster.view.unchanged_for = Duration::ZERO;
    for (next, other) in [("a", "b"), ("b", "a")] {
        let released = Assignment::Released { token: FencingToken(2), next: Some(next.into()) };
        cluster.view.duties.insert(DutyName::Bulk, released);
        assert_eq!(cluster.plan(next).take, [DutyName::Bulk]);
        assert_eq!(cluster.plan(other), Plan::default());
    }
}

#[test]
fn a_duty_whose_next_node_is_gone_is_taken_by_another_at_once() {
    let mut cluster = Cluster::of(&["a"], one_duty(DutySettings::default()));
    cluster.view.unchanged_for = Duration::ZERO;
    let released = Assignment::Released { token: FencingToken(2), next: Some("gone".into()) };
    cluster.view.duties.insert(DutyName::Bulk, released);
    assert_eq!(cluster.plan("a").take, [DutyName::Bulk]);
}

#[test]
fn an_operator_moves_a_duty_whatever_the_balance_and_without_waiting() {
    let mut cluster = Cluster::settled(&["a", "b"], connections(2));
    let moved = cluster.held("a").pop_first().unwrap();
    cluster.view.unchanged_for = Duration::ZERO;
    cluster.request(&moved, "b");
    assert_eq!(cluster.plan("a").hand_over, to(moved.clone(), "b"));
    assert_eq!(cluster.plan("b"), Plan::default());
    cluster.settle();
    assert_eq!(cluster.counts(), [0, 2]);
}

#[test]
fn a_move_to_the_holder_or_to_a_node_that_is_not_eligible_is_ignored() {
    for target in ["a", "gone", "c"] {
        let mut cluster = Cluster::settled(&["a", "b"], connections(2));
        cluster.join("c").is_draining = true;
        let moved = cluster.held("a").pop_first().unwrap();
        cluster.request(&moved, target);
        assert_eq!(cluster.plan("a"), Plan::default(), "to {target}");
    }
}

#[test]
fn a_draining_node_hands_everything_over_eight_at_a_time_and_connections_first() {
    let others = [DutyName::Webhooks, DutyName::Bulk, DutyName::Housekeeping].map(|name| (name, weighing(1)));
    let mut cluster = Cluster::settled(&["a"], connections(12).chain(others));
    cluster.join("b");
    cluster.node("a").is_draining = true;
    cluster.view.unchanged_for = Duration::ZERO;
    let mut order = Vec::new();
    loop {
        let plan = cluster.plan("a");
        if plan.hand_over.is_empty() {
            break;
        }
        assert_eq!(plan.hand_over.len(), HANDING_OVER_AT_MOST.min(15 - order.len()));
        order.extend(plan.hand_over.into_iter().map(|hand_over| hand_over.duty));
        cluster.carry_out();
    }
    assert_eq!(order.len(), 15);
    assert_eq!(order[12..], [DutyName::Webhooks, DutyName::Bulk, DutyName::Housekeeping]);
    cluster.settle();
    assert_eq!(cluster.counts(), [0, 15]);
}

#[test]
fn a_draining_node_that_nobody_can_replace_goes_on() {
    let mut cluster = Cluster::settled(&["a"], connections(3));
    cluster.node("a").is_draining = true;
    cluster.settle();
    assert_eq!(cluster.counts(), [3]);
}

#[test]
fn new_placements_go_to_the_newest_version_and_nobody_rebalances() {
    let mut cluster = Cluster::settled(&["a", "b"], connections(12));
    for newer in ["c", "d"] {
        cluster.join(newer).version.minor += 1;
    }
    assert!(cluster.settle().is_empty());
    cluster.node("a").is_draining = true;
    cluster.settle();
    assert_eq!(cluster.counts(), [0, 6, 3, 3]);
    cluster.fence("a");
    cluster.node("b").is_draining = true;
    cluster.settle();
    assert_eq!(cluster.counts(), [0, 0, 6, 6]);
}

#[test]
fn a_loaded_node_of_the_newest_version_is_preferred_to_an_empty_older_one() {
    let mut cluster = Cluster::settled(&["a"], connections(6));
    cluster.join("b").version.minor += 1;
    cluster.node("a").is_draining = true;
    cluster.settle();
    cluster.join("c");
    cluster.view.duties.insert(DutyName::Bulk, Assignment::Never);
    cluster.configured.insert(DutyName::Bulk, DutySettings::default());
    for name in ["b", "c"] {
        let configured = Arc::new(cluster.configured.clone());
        cluster.node(name).duties = configured;
    }
    cluster.settle();
    assert_eq!(cluster.counts(), [0, 7, 0]);
}

#[test]
fn a_duty_that_the_newest_version_may_not_have_goes_to_an_older_one() {
    let settings = DutySettings { not: labels(&["b"]), ..DutySettings::default() };
    let mut cluster = Cluster::of(&["a", "b"], one_duty(settings));
    cluster.node("b").version.minor += 1;
    cluster.settle();
    assert_eq!(placed_on(&cluster, "bulk").as_deref(), Some("a"));
}

#[test]
fn requested_moves_come_first_among_the_eight() {
    let mut cluster = Cluster::settled(&["a"], connections(40));
    cluster.join("b");
    let last = cluster.held("a").pop_last().unwrap();
    cluster.request(&last, "b");
    let plan = cluster.plan("a");
    assert_eq!(plan.hand_over.len(), HANDING_OVER_AT_MOST);
    assert_eq!(plan.hand_over[0].duty, last);
}

#[test]
fn the_greatest_stated_weight_counts() {
    let duties = || connections(3).chain([(DutyName::Webhooks, weighing(1))]);
    let mut cluster = Cluster::of(&["a", "b"], duties());
    let heavier = duties().map(|(name, settings)| match name {
        DutyName::Webhooks => (name, weighing(8)),
        _ => (name, settings),
    });
    cluster.node("b").duties = Arc::new(heavier.collect());
    cluster.settle();
    let alone = cluster.holder(&DutyName::Webhooks).unwrap().to_string();
    assert_eq!(cluster.held(&alone).len(), 1);
}
