//! One trial with several nodes: the platform, the database, the nodes behind their proxies, the faults, and the final
//! comparison.

use std::{
    cell::RefCell,
    path::Path,
    rc::Rc,
    time::{Duration, Instant},
};

use actix_rt::time::{sleep, timeout};
use anyhow::Context as _;
use awc::Client;
use futures_util::future::{join_all, try_join_all};
use jiff::Timestamp;
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use serde::Serialize;
use serde_json::Value;
use tertulia::demo::{Signal, TemporaryPostgres};
use tertulia_emulator::{Emulator, EmulatorConfig, FaultMode, LedgerEntry, Switches, TrafficSpec};

use super::{
    super::{
        answering::Answering,
        bot::{Gateways, Notes},
        oracle::{Answers, Evidence, Mistakes, violations},
        outside::{Course, Outside, OutsideBot},
        proxy::{Proxy, Way},
        stream::Cursor,
        trial::{keep, newest, read},
    },
    node::{Cluster, Node, Seen},
    plan::{Fault, Injection, NodesPlan},
};

/// How long all connections may take to become ready.
const READY_WITHIN: Duration = Duration::from_secs(120);
/// How long all answers may take once everything works again.
const ANSWERED_WITHIN: Duration = Duration::from_secs(180);
/// How long reading the whole log may take.
const READ_WITHIN: Duration = Duration::from_secs(120);
/// How long a node may take to answer.
const NODE_ANSWERS_WITHIN: Duration = Duration::from_secs(10);
/// The interval between looks.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// How much later a slow database answers, in each direction.
const SLOW_BY: Duration = Duration::from_millis(500);

/// What all trials have in common: the programs of the nodes, and how the bots reach the nodes.
pub(super) struct Setup<'s> {
    pub(super) binary: &'s Path,
    /// Every second node runs this one.
    pub(super) old: Option<&'s Path>,
    pub(super) through_proxy: bool,
    /// The bot outside of this program, if it answers.
    pub(super) outside: Option<Outside<'s>>,
}

/// The outcome of a trial.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct NodesVerdict {
    pub(super) plan: NodesPlan,
    pub(super) messages: u64,
    pub(super) replies: u64,
    pub(super) events: usize,
    /// Faults of the platform.
    pub(super) faults: u64,
    /// How often the bot's stream broke.
    pub(super) breaks: u32,
    /// How often requests were repeated, by the response that made it necessary.
    pub(super) again: Vec<(String, u32)>,
    /// How often the bot outside was started, if one answers.
    pub(super) bot_runs: Option<u32>,
    #[serde(flatten)]
    pub(super) mistakes: Mistakes,
    pub(super) stale_requests: u64,
    /// How often a node was fenced.
    pub(super) fenced: u32,
    /// How often a duty was taken.
    pub(super) duties_taken: usize,
    /// Seconds from each fault until each connection that moved was ready at another node.
    pub(super) takeovers: Vec<f64>,
    pub(super) seconds: f64,
    pub(super) violations: Vec<String>,
}

/// A node that a fault has hit, and the connections that it had.
struct Departure {
    at: Timestamp,
    node: usize,
    connections: Vec<String>,
}

struct Trial {
    plan: NodesPlan,
    emulator: Emulator,
    postgres: Option<TemporaryPostgres>,
    nodes: Vec<Node>,
    seen: Rc<RefCell<Seen>>,
    notes: Rc<Notes>,
    departures: Vec<Departure>,
    log: Vec<(Option<Cursor>, Value)>,
    /// What the bot outside did.
    course: Option<Course>,
}

/// Runs a plan in `directory`, which keeps all evidence.
pub(super) async fn run(plan: NodesPlan, setup: &Setup<'_>, directory: &Path) -> anyhow::Result<NodesVerdict> {
    let begun = Instant::now();
    let mut trial = Trial::prepare(plan, setup, directory).await?;
    let outcome = trial.carry_out(setup, directory).await;
    for node in &mut trial.nodes {
        node.kill().await?;
    }
    let Trial { plan, emulator, seen, notes, departures, log, course, .. } = trial;
    let ledger: Vec<LedgerEntry> = emulator.ledger().iter().collect();
    let summary = emulator.summary();
    let (heard, answers) = (notes.heard.borrow(), notes.answers.borrow());
    let answers = if setup.outside.is_some() { Answers::Outside } else { Answers::Noted(&answers) };
    let evidence = Evidence { ledger: &ledger, log: &log, heard: &heard, answers };
    let mut found = match outcome {
        Ok(()) => violations(&evidence),
        // The trial did not complete, so missing messages would prove nothing.
        Err(failure) => vec![format!("{failure:#}")],
    };
    let bot_runs = course.as_ref().map(|course| course.runs);
    found.extend(course.into_iter().flat_map(|course| course.violations));
    let seen = seen.borrow();
    found.extend(seen.violations.iter().cloned());
    let stale = summary.stale_requests.iter();
    found.extend(stale.map(|(login, requests)| format!("{login}: {requests} requests of an older session")));
    keep(directory, "ledger", &ledger)?;
    keep(directory, "log", log.iter().map(|(_, event)| event))?;
    keep(directory, "heard", heard.iter().map(|(_, event)| event))?;
    let mut again: Vec<(String, u32)> = notes.again.take().into_iter().collect();
    again.sort();
    let verdict = NodesVerdict {
        plan,
        messages: summary.consumer_messages,
        replies: summary.agent_messages,
        events: log.len(),
        faults: summary.faults,
        breaks: notes.breaks.get(),
        again,
        bot_runs,
        mistakes: Mistakes::of(&evidence),
        stale_requests: summary.stale_requests.values().sum(),
        fenced: seen.fenced,
        duties_taken: seen.takes(),
        takeovers: takeovers(&departures, &seen.begun, &notes.resumed.borrow()),
        seconds: begun.elapsed().as_secs_f64(),
        violations: found,
    };
    std::fs::write(directory.join("verdict.json"), serde_json::to_string_pretty(&verdict)?)?;
    Ok(verdict)
}

/// The seconds from each departure until each connection that moved was ready at its next node.
fn takeovers(
    departures: &[Departure],
    begun: &[(String, usize, Timestamp)],
    resumed: &[(String, Timestamp)],
) -> Vec<f64> {
    let moved = departures.iter().flat_map(|departure| {
        departure.connections.iter().filter_map(|connection| {
            let next = begun.iter().find(|(id, _, at)| id == connection && *at > departure.at)?;
            if next.1 == departure.node {
                return None;
            }
            let ready = resumed.iter().find(|(id, at)| id == connection && *at >= next.2)?;
            Some(ready.1.duration_since(departure.at).as_secs_f64())
        })
    });
    moved.collect()
}

impl Trial {
    async fn prepare(plan: NodesPlan, setup: &Setup<'_>, directory: &Path) -> anyhow::Result<Self> {
        let agents = usize::try_from(plan.size.bots)?;
        // Only where an earlier session's sockets stay open can they act wrongly.
        let switches = Switches { login_closes_sockets: false, ..Switches::default() };
        let config = EmulatorConfig { agents, seed: plan.seed, switches, ..EmulatorConfig::default() };
        let emulator = Emulator::start(config)?;
        emulator.write_ca(directory.join("ca.pem"))?;
        let postgres = actix_rt::task::spawn_blocking(TemporaryPostgres::start).await??;
        let secret: String =
            StdRng::seed_from_u64(plan.seed).sample_iter(rand::distr::Alphanumeric).take(40).map(char::from).collect();
        let cluster = Cluster {
            directory,
            database: &postgres.url(),
            port: postgres.port(),
            secret: &secret,
            lease: plan.size.lease,
            bots: plan.size.bots,
        };
        let seen = Rc::new(RefCell::new(Seen::default()));
        let mut nodes = Vec::new();
        for number in 0..plan.size.nodes {
            let program = setup.old.filter(|_| number % 2 == 1).unwrap_or(setup.binary);
            nodes.push(Node::prepare(number, program, &cluster, &emulator, &seen).await?);
        }
        Ok(Self {
            plan,
            emulator,
            postgres: Some(postgres),
            nodes,
            seen,
            notes: Rc::default(),
            departures: Vec::new(),
            log: Vec::new(),
            course: None,
        })
    }

    async fn carry_out(&mut self, setup: &Setup<'_>, directory: &Path) -> anyhow::Result<()> {
        for node in &mut self.nodes {
            node.start()?;
        }
        let first = self.nodes[0].listening().await?;
        // The log is new, so its beginning is known.
        let start = Cursor { offset: 0, ..newest(&first).await? };
        let addresses: Vec<_> = self.nodes.iter().map(Node::address).collect();
        let balancer = if setup.through_proxy { Some(Proxy::start(addresses.clone()).await?) } else { None };
        let outside = match setup.outside {
            None => None,
            Some(outside) => {
                let (seed, speaking) = (self.plan.seed, self.plan.speaking());
                Some(OutsideBot::start(outside, seed, speaking, addresses.clone(), directory).await?)
            }
        };
        let gateways = match &balancer {
            Some(proxy) => {
                let address = tokio::sync::watch::Sender::new(Some(proxy.address().to_owned())).subscribe();
                Gateways::of_nodes([address], self.plan.seed)
            }
            None => Gateways::of_nodes(addresses, self.plan.seed),
        };
        let answering = Answering::start(gateways, start.clone(), &self.notes, outside);
        let spoken = self.speak(&answering).await;
        self.course = answering.stop();
        // The log is evidence even if the trial has failed.
        let logged = self.read_everywhere(start).await;
        spoken?;
        logged?;
        // All of them at once: each hands its connections to those that are left.
        try_join_all(self.nodes.iter_mut().map(Node::drain)).await?;
        Ok(())
    }

    /// Lets consumers send while the planned faults happen, and waits until everything is answered.
    async fn speak(&mut self, answering: &Answering) -> anyhow::Result<()> {
        self.all_ready().await.context("before the first message")?;
        self.emulator.set_faults(self.plan.platform, self.plan.seed);
        let traffic = self.emulator.traffic(TrafficSpec {
            conversations: self.plan.size.conversations.into(),
            messages: self.plan.messages.into(),
            rate: self.plan.size.rate.into(),
            ..TrafficSpec::default()
        });
        for injection in self.plan.injections.clone() {
            sleep(injection.after).await;
            self.must_run()?;
            self.inject(injection).await.with_context(|| injection.fault.to_string())?;
        }
        while self.emulator.traffic_progress(&traffic).is_some_and(|progress| !progress.done) {
            self.must_run()?;
            sleep(LOOK_EVERY).await;
        }
        self.emulator.set_faults(FaultMode::None, 0);
        self.answered(answering).await?;
        self.all_ready().await.context("after the last answer")
    }

    fn must_run(&mut self) -> anyhow::Result<()> {
        self.nodes.iter_mut().try_for_each(Node::must_run)
    }

    fn departs(&mut self, node: usize) {
        let connections = self.seen.borrow().connections_of(node);
        self.departures.push(Departure { at: Timestamp::now(), node, connections });
    }

    /// Kills a node, and starts it again after `away`.
    async fn kill(&mut self, node: usize, away: Duration) -> anyhow::Result<()> {
        self.departs(node);
        self.nodes[node].kill().await?;
        sleep(away).await;
        self.nodes[node].start()
    }

    async fn inject(&mut self, Injection { fault, node, lasts, .. }: Injection) -> anyhow::Result<()> {
        match fault {
            Fault::Kill => self.kill(node, lasts).await,
            Fault::KilledInTurns => {
                for node in 0..self.nodes.len() {
                    self.kill(node, lasts).await?;
                    self.node_ready(node).await?;
                }
                Ok(())
            }
            Fault::Stop => {
                self.departs(node);
                self.nodes[node].signal(Signal::STOP);
                sleep(lasts).await;
                self.nodes[node].signal(Signal::CONT);
                Ok(())
            }
            Fault::Terminate => self.restart(node, lasts).await,
            Fault::RollingRestart => {
                for node in 0..self.nodes.len() {
                    self.restart(node, lasts).await?;
                    self.node_ready(node).await?;
                }
                Ok(())
            }
            Fault::DatabaseKilled => {
                self.database(|mut postgres| {
                    postgres.kill();
                    Ok(postgres)
                })
                .await?;
                sleep(lasts).await;
                self.database(|mut postgres| {
                    postgres.restart()?;
                    Ok(postgres)
                })
                .await
            }
            Fault::DatabaseCut => self.lose_database(Some(node), Way::Cut, lasts).await,
            Fault::DatabaseCutFromAll => self.lose_database(None, Way::Cut, lasts).await,
            Fault::DatabaseHalfOpen => self.lose_database(Some(node), Way::HalfOpen, lasts).await,
            Fault::DatabaseHalfOpenForAll => self.lose_database(None, Way::HalfOpen, lasts).await,
            Fault::DatabaseSlow => self.lose_database(Some(node), Way::Slow(SLOW_BY), lasts).await,
            Fault::DatabaseSlowForAll => self.lose_database(None, Way::Slow(SLOW_BY), lasts).await,
            Fault::NodesCut => self.lose_peers(Way::Cut, lasts).await,
            Fault::NodesHalfOpen => self.lose_peers(Way::HalfOpen, lasts).await,
        }
    }

    async fn restart(&mut self, node: usize, away: Duration) -> anyhow::Result<()> {
        self.departs(node);
        self.nodes[node].drain().await?;
        sleep(away).await;
        self.nodes[node].start()
    }

    async fn database(
        &mut self,
        act: impl FnOnce(TemporaryPostgres) -> anyhow::Result<TemporaryPostgres> + Send + 'static,
    ) -> anyhow::Result<()> {
        let postgres = self.postgres.take().context("there is no database")?;
        self.postgres = Some(actix_rt::task::spawn_blocking(move || act(postgres)).await??);
        Ok(())
    }

    async fn lose_database(&mut self, node: Option<usize>, way: Way, lasts: Duration) -> anyhow::Result<()> {
        if let Some(node) = node {
            self.departs(node);
        }
        let hit = |number: usize| node.is_none_or(|node| node == number);
        let set = |way| {
            let nodes = self.nodes.iter().enumerate();
            nodes.filter(|(number, _)| hit(*number)).for_each(|(_, node)| node.database.set(way));
        };
        set(way);
        sleep(lasts).await;
        set(Way::Open);
        Ok(())
    }

    async fn lose_peers(&mut self, way: Way, lasts: Duration) -> anyhow::Result<()> {
        self.nodes.iter().for_each(|node| node.peers.set(way));
        sleep(lasts).await;
        self.nodes.iter().for_each(|node| node.peers.set(Way::Open));
        Ok(())
    }

    /// Waits until a node serves.
    async fn node_ready(&self, node: usize) -> anyhow::Result<()> {
        let waiting = async {
            loop {
                // A node that was fenced begins again at another address.
                let address = self.nodes[node].listening().await?;
                if get(&address, "/readyz").await.is_ok_and(|(status, _)| status == 200) {
                    return Ok(());
                }
                sleep(LOOK_EVERY).await;
            }
        };
        timeout(READY_WITHIN, waiting).await.with_context(|| format!("node {node} is not ready"))?
    }

    /// Waits until every node says of every connection that it is ready.
    async fn all_ready(&mut self) -> anyhow::Result<()> {
        let deadline = Instant::now() + READY_WITHIN;
        loop {
            self.must_run()?;
            let said = join_all(self.nodes.iter().map(|node| self.says(node))).await;
            if said.iter().all(|ready| matches!(ready, Ok(ready) if *ready == self.plan.size.bots as usize)) {
                return Ok(());
            }
            let said: Vec<String> = said
                .into_iter()
                .map(|ready| ready.map_or_else(|error| format!("{error:#}"), |n| n.to_string()))
                .collect();
            anyhow::ensure!(
                Instant::now() < deadline,
                "of {} connections the nodes say are ready: {}",
                self.plan.size.bots,
                said.join(", ")
            );
            sleep(LOOK_EVERY).await;
        }
    }

    /// The number of connections that are ready, as a node says.
    async fn says(&self, node: &Node) -> anyhow::Result<usize> {
        let (status, body) = get(&node.listening().await?, "/v1/connections?limit=1000").await?;
        anyhow::ensure!(status == 200, "{status} {body}");
        anyhow::ensure!(body["incomplete"].is_null(), "incomplete: {}", body["incomplete"]);
        let items = body["items"].as_array().context("no items")?;
        Ok(items.iter().filter(|item| item["state"] == "ready").count())
    }

    /// Waits until every message, including the bot's own, was received, and every answer's outcome is known.
    async fn answered(&mut self, answering: &Answering) -> anyhow::Result<()> {
        let deadline = Instant::now() + ANSWERED_WITHIN;
        while let Some(lacks) = answering.lacks(&self.emulator) {
            anyhow::ensure!(Instant::now() < deadline, "{lacks} after {ANSWERED_WITHIN:?}");
            self.must_run()?;
            sleep(LOOK_EVERY).await;
        }
        Ok(())
    }

    /// Reads the log at every node. All must have the same.
    async fn read_everywhere(&mut self, start: Cursor) -> anyhow::Result<()> {
        // A node may not have seen the newest events of another one yet.
        let mut end = start.clone();
        for node in &self.nodes {
            end = end.max(newest(&node.listening().await?).await?);
        }
        for number in 0..self.nodes.len() {
            let mut log = Vec::new();
            let address = self.nodes[number].listening().await?;
            let reading = timeout(READ_WITHIN, read(&address, start.clone(), Some(end.clone()), &mut log)).await;
            reading.with_context(|| format!("the log cannot be read at node {number}"))??;
            log.retain(|(cursor, _)| cursor.as_ref().is_none_or(|cursor| *cursor <= end));
            if number == 0 {
                self.log = log;
                continue;
            }
            let differs = self.log.iter().zip(&log).find(|(one, other)| one != other);
            anyhow::ensure!(differs.is_none(), "node {number} has another log: {differs:?}");
            let (before, now) = (self.log.len(), log.len());
            anyhow::ensure!(now == before, "the log of node {number} has {now} events instead of {before}");
        }
        Ok(())
    }
}

async fn get(address: &str, path: &str) -> anyhow::Result<(u16, Value)> {
    let client = Client::builder().timeout(NODE_ANSWERS_WITHIN).finish();
    let sent = client.get(format!("http://{address}{path}")).send().await;
    let mut response = sent.map_err(|error| anyhow::anyhow!("{path}: {error}"))?;
    let body = response.body().limit(usize::MAX).await?;
    Ok((response.status().as_u16(), serde_json::from_slice(&body).unwrap_or_default()))
}
