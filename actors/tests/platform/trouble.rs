//! A platform that refuses one thing for a while, in every possible way: afterwards everything works again without an
//! operator.
//!
//! The trouble lasts 2.5 s, and the pauses are scaled with it. `TERTULIA_TROUBLE_SECONDS=30` runs the table at full
//! length with the default pauses.

use std::time::Duration;

use futures_util::future::join_all;
use rand::{RngExt, SeedableRng, rngs::StdRng};
use tertulia_actors::{
    Tertulia,
    connection::ConnectionSettings,
    core::{
        id::{ConnectionId, ConversationId},
        session::SessionPolicy,
    },
    platform::{Pace, PlatformSettings},
};
use tertulia_emulator::{Emulator, EmulatorConfig, Fault, FaultKind, FaultRule, Outcome};
use tokio::time::{sleep, timeout};

use crate::stage::{PATIENCE, Stage, bot, platform};

/// The trouble of the table at its full length.
const FULL: Duration = Duration::from_secs(30);

/// What the platform refuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Row {
    Discovery,
    Login,
    Refresh,
    Upgrade,
    Subscribe,
    Rings,
    AgentState,
    History,
}

const ROWS: [Row; 8] =
    [Row::Discovery, Row::Login, Row::Refresh, Row::Upgrade, Row::Subscribe, Row::Rings, Row::AgentState, Row::History];

const COLUMNS: [Outcome; 6] = [
    Outcome::Code(401),
    Outcome::Code(403),
    Outcome::Code(429),
    Outcome::Code(500),
    Outcome::Code(502),
    Outcome::Html(200),
];

impl Row {
    fn request(self) -> &'static str {
        match self {
            Self::Discovery => "discovery",
            Self::Login => "login",
            Self::Refresh => "refresh",
            Self::Upgrade => "upgrade",
            Self::Subscribe => "SubscribeExConversations",
            Self::Rings => "SubscribeRoutingTasks",
            Self::AgentState => "SetAgentState",
            Self::History => "QueryMessages",
        }
    }

    /// The kind of fault to request from the platform.
    fn fault(self) -> FaultKind {
        match self {
            Self::Login => FaultKind::ExpireToken,
            _ => FaultKind::Drop,
        }
    }
}

/// How long the trouble lasts.
fn lasting() -> Duration {
    let seconds = std::env::var("TERTULIA_TROUBLE_SECONDS").ok().and_then(|seconds| seconds.parse().ok());
    seconds.map_or(FULL / 12, Duration::from_secs_f64)
}

/// A default pause, scaled with the trouble.
fn scaled(pause: Duration) -> Duration {
    pause.mul_f64(lasting().as_secs_f64() / FULL.as_secs_f64())
}

fn settings(number: usize) -> ConnectionSettings {
    let users = SessionPolicy::default();
    let policy = SessionPolicy {
        backoff_base: scaled(users.backoff_base),
        backoff_max: scaled(users.backoff_max),
        first_retry_within: scaled(users.first_retry_within),
        login_backoff_base: scaled(users.login_backoff_base),
        login_backoff_max: scaled(users.login_backoff_max),
        throttled_for: scaled(users.throttled_for),
        stable_after: scaled(users.stable_after),
        // Often enough that a refresh falls into the trouble.
        refresh_every: Some(lasting() / 2),
        ..bot(number).policy
    };
    ConnectionSettings { policy, ..bot(number) }
}

/// A platform with one bot, ready, with one conversation.
struct Scene {
    stage: Stage,
    bot: ConnectionId,
    held: ConversationId,
    said: Vec<String>,
}

impl Scene {
    async fn set() -> Self {
        let emulator = Emulator::start(EmulatorConfig::default()).unwrap();
        let pace = Pace { after_refusal: scaled(Pace::default().after_refusal), ..Pace::default() };
        let settings_of_platform = PlatformSettings { pace, ..platform(&emulator) };
        let tertulia = Tertulia::builder().platform(settings_of_platform).start().unwrap();
        let mut stage = Stage::of(emulator, tertulia);
        let bot = stage.connect(settings(1)).await;
        let held = stage.conversation(&bot).await.id().clone();
        Self { stage, bot, held, said: Vec::new() }
    }

    fn trouble(&self, row: Row, outcome: Outcome, time: Duration) {
        let rule = FaultRule::new(row.request(), outcome).always().lasting(time);
        self.stage.emulator.add_rule(rule).unwrap();
        if row == Row::Discovery {
            // A cached host stays in use until it refuses a socket.
            self.stage.emulator.add_rule(FaultRule::new("upgrade", Outcome::Code(500))).unwrap();
        }
        self.stage.emulator.inject(Fault::new(row.fault()).user("bot1"));
    }

    /// Sends a text on both sides during the trouble.
    fn say(&mut self, text: &str) {
        self.stage.emulator.say(self.held.as_str(), text).unwrap();
        self.said.push(text.to_owned());
    }

    /// Checks that everything works: messages arrive, an offer is accepted, and answers arrive, each once and in order.
    async fn works(mut self, name: String) {
        let Self { stage, bot, held, said } = &mut self;
        let works = async {
            stage.tertulia.connection(bot).ready(PATIENCE).await.unwrap();
            assert_eq!(stage.texts(bot, said.len()).await, *said, "{name}");
            let another = stage.conversation(bot).await;
            another.send_text("welcome").await.unwrap();
            let held = stage.tertulia.connection(bot).conversation(held).unwrap();
            held.send_text("I am back").await.unwrap();
        };
        // The time in which everything must work again, however long the trouble was.
        if timeout(FULL, works).await.is_err() {
            panic!("{name}: {:?}", self.stage.tertulia.connection(&self.bot).status());
        }
        let mut expected: Vec<&str> = self.said.iter().map(String::as_str).collect();
        expected.extend(["welcome", "I am back"]);
        assert_eq!(self.stage.said(), expected, "{name}");
    }
}

async fn row(row: Row) {
    let cells = COLUMNS.map(|outcome| async move {
        let mut scene = Scene::set().await;
        scene.trouble(row, outcome, lasting());
        scene.say("are you there");
        sleep(lasting()).await;
        scene.works(format!("{row:?} {outcome:?}")).await;
    });
    join_all(cells).await;
}

#[actix_rt::test]
async fn after_discovery_was_refused_everything_works_again() {
    row(Row::Discovery).await;
}

#[actix_rt::test]
async fn after_logins_were_refused_everything_works_again() {
    row(Row::Login).await;
}

#[actix_rt::test]
async fn after_refreshes_were_refused_everything_works_again() {
    row(Row::Refresh).await;
}

#[actix_rt::test]
async fn after_sockets_were_refused_everything_works_again() {
    row(Row::Upgrade).await;
}

#[actix_rt::test]
async fn after_subscriptions_were_refused_everything_works_again() {
    row(Row::Subscribe).await;
}

#[actix_rt::test]
async fn after_subscriptions_of_rings_were_refused_everything_works_again() {
    row(Row::Rings).await;
}

#[actix_rt::test]
async fn after_agent_states_were_refused_everything_works_again() {
    row(Row::AgentState).await;
}

#[actix_rt::test]
async fn after_histories_were_refused_everything_works_again() {
    row(Row::History).await;
}

/// Refuses one thing after another, chosen by a seed.
#[actix_rt::test]
async fn after_random_refusals_everything_works_again() {
    const PARTS: u32 = 5;
    let mixes = (1..=8).map(|seed| async move {
        let mut random = StdRng::seed_from_u64(seed);
        let mut scene = Scene::set().await;
        for part in 0..PARTS {
            let row = ROWS[random.random_range(0..ROWS.len())];
            let outcome = COLUMNS[random.random_range(0..COLUMNS.len())];
            scene.trouble(row, outcome, lasting() / PARTS);
            scene.say(&format!("part {part}"));
            sleep(lasting() / PARTS).await;
        }
        scene.works(format!("seed {seed}")).await;
    });
    join_all(mixes).await;
}
