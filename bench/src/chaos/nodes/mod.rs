//! Chaos with several nodes on one Postgres: nodes, the database and the network between them fail, and the proof that
//! nothing was lost or done twice.

mod node;
mod plan;
mod trial;

use std::{collections::BTreeMap, path::Path, process::ExitCode, time::Instant};

use serde::Serialize;
use serde_json::json;

use super::{
    ChaosOptions, mode, outside,
    trials::{self, Outcome, print_violations},
};
use plan::{NodesPlan, Size};
use trial::{NodesVerdict, Setup};

/// The total of all trials.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Total {
    nodes: usize,
    trials: usize,
    failed: usize,
    messages: u64,
    replies: u64,
    events: usize,
    lost: usize,
    duplicated: usize,
    out_of_order: usize,
    stale_requests: u64,
    fenced: u32,
    /// Connections that moved.
    takeovers: usize,
    takeover_p50_s: f64,
    takeover_max_s: f64,
    seconds: f64,
}

impl Total {
    fn of(nodes: usize, all: &[NodesVerdict], seconds: f64) -> Self {
        let sum = |count: fn(&NodesVerdict) -> usize| all.iter().map(count).sum::<usize>();
        let large = |count: fn(&NodesVerdict) -> u64| all.iter().map(count).sum::<u64>();
        let times = sorted(all.iter());
        Self {
            nodes,
            trials: all.len(),
            failed: sum(|verdict| usize::from(!verdict.violations.is_empty())),
            messages: large(|verdict| verdict.messages),
            replies: large(|verdict| verdict.replies),
            events: sum(|verdict| verdict.events),
            lost: sum(|verdict| verdict.mistakes.lost),
            duplicated: sum(|verdict| verdict.mistakes.duplicated),
            out_of_order: sum(|verdict| verdict.mistakes.out_of_order),
            stale_requests: large(|verdict| verdict.stale_requests),
            fenced: all.iter().map(|verdict| verdict.fenced).sum(),
            takeovers: times.len(),
            takeover_p50_s: middle(&times),
            takeover_max_s: times.last().copied().unwrap_or_default(),
            seconds,
        }
    }
}

/// All take-over times, the shortest first.
fn sorted<'v>(verdicts: impl Iterator<Item = &'v NodesVerdict>) -> Vec<f64> {
    let mut times: Vec<f64> = verdicts.flat_map(|verdict| verdict.takeovers.iter().copied()).collect();
    times.sort_by(f64::total_cmp);
    times
}

fn middle(sorted: &[f64]) -> f64 {
    sorted.get(sorted.len() / 2).copied().unwrap_or_default()
}

impl Outcome for NodesVerdict {
    fn violations(&self) -> &[String] {
        &self.violations
    }
}

/// Runs the trials. Fails if any trial finds a violation.
pub(super) async fn run(options: &ChaosOptions, binary: &Path) -> anyhow::Result<ExitCode> {
    let begun = Instant::now();
    let size = Size {
        nodes: options.nodes,
        bots: options.bots,
        conversations: options.conversations,
        rate: options.rate,
        faults: options.kills.unwrap_or(1),
        lease: options.lease,
    };
    let setup = Setup {
        binary,
        old: options.old_binary.as_deref(),
        through_proxy: options.through_proxy,
        outside: options.outside(),
    };
    let trial = async |seed, directory: &Path| trial::run(NodesPlan::of(seed, size), &setup, directory).await;
    let all = trials::run(options, 1, trial, |verdict| print(verdict, options)).await?;
    let total = Total::of(options.nodes, &all, begun.elapsed().as_secs_f64());
    if options.json {
        println!("{}", json!({ "total": total }));
    } else {
        print_total(&all, &total);
    }
    let is_clean =
        total.failed == 0 && total.lost + total.duplicated + total.out_of_order == 0 && total.stale_requests == 0;
    Ok(if is_clean { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn print(verdict: &NodesVerdict, options: &ChaosOptions) {
    let NodesVerdict {
        plan, messages, replies, events, breaks, again, stale_requests, fenced, bot_runs, seconds, ..
    } = verdict;
    let outcome = if verdict.violations.is_empty() { "ok" } else { "FAILED" };
    let faults: Vec<String> = plan.injections.iter().map(|injection| injection.fault.to_string()).collect();
    let again: u32 = again.iter().map(|(_, times)| times).sum();
    let times = sorted(std::iter::once(verdict));
    let moved = match times.last() {
        Some(longest) => format!("{} taken over in {longest:.1} s", times.len()),
        None => "none taken over".to_owned(),
    };
    println!(
        "seed {:>4} {:<26} {outcome}: {moved}, {messages} messages, {replies} replies, {events} events, platform {}, \
         {breaks} breaks, {fenced} fenced, {stale_requests} stale, asked again {again} times{}, {seconds:.1} s",
        plan.seed,
        faults.join(", "),
        mode(plan.platform),
        outside::runs(*bot_runs),
    );
    let size = &plan.size;
    let again = format!(
        "chaos --nodes {} --seeds 1 --seed {} --kills {} --bots {} --conversations {} --rate {} --lease {}ms",
        size.nodes,
        plan.seed,
        size.faults,
        size.bots,
        size.conversations,
        size.rate,
        size.lease.as_millis(),
    );
    print_violations(&verdict.violations, options, plan.seed, &again);
}

fn print_total(all: &[NodesVerdict], total: &Total) {
    let mut of_faults: BTreeMap<String, Vec<&NodesVerdict>> = BTreeMap::new();
    for verdict in all {
        for injection in &verdict.plan.injections {
            of_faults.entry(injection.fault.to_string()).or_default().push(verdict);
        }
    }
    println!("\n| fault | trials | failed | messages | taken over | p50 | max |");
    println!("| --- | ---: | ---: | ---: | ---: | ---: | ---: |");
    for (fault, of) in of_faults {
        let times = sorted(of.iter().copied());
        println!(
            "| {fault} | {} | {} | {} | {} | {:.1} s | {:.1} s |",
            of.len(),
            of.iter().filter(|verdict| !verdict.violations.is_empty()).count(),
            of.iter().map(|verdict| verdict.messages).sum::<u64>(),
            times.len(),
            middle(&times),
            times.last().copied().unwrap_or_default(),
        );
    }
    let Total { trials, failed, messages, replies, events, lost, duplicated, out_of_order, .. } = total;
    println!(
        "\n{trials} trials, {failed} failed: {messages} messages, {replies} replies, {events} events; lost {lost}, \
         duplicated {duplicated}, out of order {out_of_order}, stale requests {}; {} connections taken over, p50 {:.1} s, \
         max {:.1} s; {} nodes fenced, {:.0} s",
        total.stale_requests, total.takeovers, total.takeover_p50_s, total.takeover_max_s, total.fenced, total.seconds,
    );
}
