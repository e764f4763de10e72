//! The examples do what their heads say, each as the program that cargo built, against a platform of its own.
//!
//! Cargo builds them with all tests; where only this one is asked for, `cargo build --examples` does.

use std::{env, path::Path, process::Stdio, time::Duration};

use serde_json::Value;
use tertulia_actors::{
    connection::{Agents, ConnectionSettings, Rings},
    core::{
        conversation::{HistoryStart, Message},
        id::{ConnectionId, ConversationId},
        ums::{self, ParticipantRole},
    },
    subscriber::Event,
};
use tertulia_emulator::{AppInstall, EmulatorConfig, FaultRule, Outcome};
use tokio::{
    io::{AsyncBufReadExt, BufReader, Lines},
    process::{Child, ChildStdout, Command},
    time::timeout,
};

use crate::stage::{PATIENCE, Stage, bot, message};

/// An example that runs until it is dropped.
struct Example {
    process: Child,
    printed: Lines<BufReader<ChildStdout>>,
}

impl Example {
    fn run(stage: &Stage, name: &str, arguments: &[&str]) -> Self {
        let built = env::current_exe().unwrap();
        let program = built.parent().and_then(Path::parent).unwrap().join("examples").join(name);
        let listen = stage.emulator.listen();
        let authority = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{}.pem", listen.port()));
        stage.emulator.write_ca(&authority).unwrap();
        let mut command = Command::new(&program);
        command.arg(format!("https://{listen}")).arg(&authority).args(arguments);
        let started = command.stdout(Stdio::piped()).kill_on_drop(true).spawn();
        let mut process = started.unwrap_or_else(|error| panic!("cannot run {}: {error}", program.display()));
        let printed = BufReader::new(process.stdout.take().unwrap()).lines();
        Self { process, printed }
    }

    /// The next line it prints that has this in it.
    async fn prints(&mut self, part: &str) -> String {
        let printed = &mut self.printed;
        let next = async {
            loop {
                let line = printed.next_line().await.unwrap().expect("the example has ended");
                if line.contains(part) {
                    return line;
                }
            }
        };
        timeout(PATIENCE, next).await.unwrap_or_else(|_| panic!("{part} was not printed in time"))
    }

    /// Waits until it ends by itself; everything it printed.
    async fn ends(mut self) -> Vec<String> {
        let mut lines = Vec::new();
        let reading = async {
            while let Some(line) = self.printed.next_line().await.unwrap() {
                lines.push(line);
            }
            self.process.wait().await.unwrap()
        };
        assert!(timeout(PATIENCE, reading).await.unwrap().success());
        lines
    }
}

/// Everything of the account, ended conversations too.
async fn look_around(stage: &mut Stage) -> ConnectionId {
    let stages = vec![ums::Stage::Open, ums::Stage::Close];
    let (agents, history) = (Agents::All, HistoryStart::FirstSeen);
    let settings = ConnectionSettings { rings: Rings::Off, stages, agents, history, ..bot(2) };
    stage.connect(settings).await
}

impl Stage {
    /// The next thing a consumer says, as a connection hears it.
    async fn consumer_says(&mut self, connection: &ConnectionId) -> (ConversationId, String) {
        let by_consumer = |event: &Event| {
            event.origin.connection == *connection
                && message(event).is_some_and(|message| message.role == Some(ParticipantRole::Consumer))
        };
        let event = self.until(by_consumer).await;
        (event.conversation.clone().unwrap(), message(&event).unwrap().text().unwrap())
    }
}

#[actix_rt::test]
async fn the_echo_bot_answers_a_consumer() {
    let mut stage = Stage::set(EmulatorConfig::default());
    let _example = Example::run(&stage, "echo_bot", &[]);
    let ann = stage.consumer("ann").await;
    ann.send_text("hello").await.unwrap();
    assert_eq!(stage.texts(ann.connection(), 2).await, ["hello", "you said: hello"]);
    assert_eq!(stage.said(), ["hello", "you said: hello"]);
}

/// It keeps nothing: what an earlier run answered comes again, and is not answered again.
#[actix_rt::test]
async fn the_echo_bot_does_not_answer_what_an_earlier_run_heard() {
    let mut stage = Stage::set(EmulatorConfig::default());
    let first = Example::run(&stage, "echo_bot", &[]);
    let ann = stage.consumer("ann").await;
    ann.send_text("hello").await.unwrap();
    assert_eq!(stage.texts(ann.connection(), 2).await, ["hello", "you said: hello"]);
    drop(first);
    // The bot asks for rings once it has seen which conversations are there.
    let rings = FaultRule::new("SubscribeRoutingTasks", Outcome::Late(0)).user("bot1").always();
    let rings = stage.emulator.add_rule(rings).unwrap();
    let _second = Example::run(&stage, "echo_bot", &[]);
    timeout(PATIENCE, async {
        while stage.emulator.rule_counts(rings).unwrap().refused == 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    })
    .await
    .unwrap();
    ann.send_text("again").await.unwrap();
    assert_eq!(stage.texts(ann.connection(), 2).await, ["again", "you said: again"]);
    assert_eq!(stage.said(), ["hello", "you said: hello", "again", "you said: again"]);
}

#[actix_rt::test]
async fn the_consumer_speaks_waits_for_each_answer_and_closes() {
    let mut stage = Stage::set(EmulatorConfig::default());
    let bot = stage.bot().await;
    let example = Example::run(&stage, "consumer", &["hello", "goodbye"]);
    for _ in 0..2 {
        let (id, text) = stage.consumer_says(&bot).await;
        let conversation = stage.tertulia.connection(&bot).conversation(&id).unwrap();
        conversation.send_text(format!("{text}, Ann")).await.unwrap();
    }
    stage.event("close").await;
    assert_eq!(example.ends().await, ["ann: hello", "agent: hello, Ann", "ann: goodbye", "agent: goodbye, Ann"]);
    assert_eq!(stage.said(), ["hello", "hello, Ann", "goodbye", "goodbye, Ann"]);
}

#[actix_rt::test]
async fn the_account_monitor_prints_what_happens_to_any_conversation() {
    let stage = Stage::set(EmulatorConfig::default());
    let mut example = Example::run(&stage, "account_monitor", &[]);
    let id = stage.emulator.create_conversation(None, None);
    let line = example.prints(r#""type":"tertulia.conversation""#).await;
    let event: Value = serde_json::from_str(&line).unwrap();
    assert_eq!(event["subject"], *id);
    assert_eq!(event["specversion"], "1.0");
    stage.emulator.change_group(&id, "7").unwrap();
    example.prints(r#""newGroupId":"7""#).await;
}

#[actix_rt::test]
async fn the_survey_bot_asks_at_the_end_and_takes_the_answer() {
    let mut stage = Stage::set(EmulatorConfig { survey: true, ..EmulatorConfig::default() });
    let bot = stage.bot().await;
    let mut example = Example::run(&stage, "survey_bot", &[]);
    let ann = stage.consumer("ann").await;
    ann.send_text("that is all").await.unwrap();
    let (id, _) = stage.consumer_says(&bot).await;
    stage.tertulia.connection(&bot).conversation(&id).unwrap().close().await.unwrap();
    let question = "How did we do, from 1 to 5?";
    let hers = |event: &Event| event.origin.connection == *ann.connection();
    let asked = |event: &Event| message(event).and_then(Message::text).as_deref() == Some(question);
    stage.until(|event| hers(event) && asked(event)).await;
    ann.send_text("5").await.unwrap();
    assert_eq!(example.prints(id.as_str()).await, format!("{id}: 5"), "what was said before is no answer");
    stage.until(|event| hers(event) && event.data.name() == "close").await;
    assert_eq!(stage.said(), ["that is all", question, "5"]);
}

#[actix_rt::test]
async fn the_summary_note_is_written_when_a_conversation_ends() {
    let mut stage = Stage::set(EmulatorConfig::default());
    let mut example = Example::run(&stage, "summary_note", &[]);
    let ann = stage.consumer("ann").await;
    example.prints(&format!("{}: taken", ann.id())).await;
    for text in ["hello", "goodbye"] {
        ann.send_text(text).await.unwrap();
    }
    ann.close().await.unwrap();
    example.prints(&format!("{}: noted", ann.id())).await;
    let onlooker = look_around(&mut stage).await;
    let members = stage.tertulia.connection(&onlooker).conversation(ann.id()).unwrap().members().await.unwrap();
    let note: Value = serde_json::from_str(members["note"].as_str().unwrap()).unwrap();
    assert_eq!(note[0]["noteContent"], "2 messages of the consumer, 0 of ours");
    assert_eq!(note[0]["isAutoSummary"], true);
}

#[actix_rt::test]
async fn bulk_close_closes_every_open_conversation_of_a_skill() {
    let mut stage = Stage::set(EmulatorConfig::default());
    for number in 0..25 {
        stage.emulator.create_conversation(None, Some(if number < 20 { "501" } else { "502" }));
    }
    assert_eq!(Example::run(&stage, "bulk_close", &["501"]).ends().await, ["closed 20, failed 0"]);
    let onlooker = look_around(&mut stage).await;
    let mut left = Vec::new();
    for conversation in stage.tertulia.connection(&onlooker).conversations() {
        let members = conversation.members().await.unwrap();
        left.extend((members["stage"] == "OPEN").then(|| members["skillId"].clone()));
    }
    assert_eq!(left, vec!["502"; 5]);
}

#[actix_rt::test]
async fn the_connector_speaks_by_the_send_api_and_hears_by_webhooks() {
    // An address of this process's own: the application is installed before the example listens.
    let process = std::process::id();
    let address = format!("127.{}.{}.{}:8090", 1 + (process >> 16) % 254, (process >> 8) % 256, 1 + process % 254);
    let app = AppInstall { first_pause: Duration::from_millis(50), ..AppInstall::new("c", "s") };
    let app = Some(app.webhooks(&format!("http://{address}/")));
    let mut stage = Stage::set(EmulatorConfig { app, ..EmulatorConfig::default() });
    let bot = stage.bot().await;
    let mut example = Example::run(&stage, "connector", &[&address]);
    let (id, text) = stage.consumer_says(&bot).await;
    assert_eq!(text, "hello");
    stage.tertulia.connection(&bot).conversation(&id).unwrap().send_text("welcome").await.unwrap();
    assert_eq!(example.prints("ASSIGNED_AGENT").await, "ASSIGNED_AGENT: welcome");
    assert_eq!(stage.said(), ["hello", "welcome"]);
}
