//! Promise 7: whatever comes over the network ends in an error and a counter, and everything else goes on. What cannot
//! be started is refused at the start.

use std::{num::NonZeroUsize, sync::Arc, time::Duration};

use tertulia_actors::{
    StartError, Tertulia,
    connection::{ConnectionError, ConnectionSettings},
    core::{
        id::ConnectionId,
        session::{PolicyError, SessionPolicy},
    },
    dead_letters::{DeadLetter, DeadLetterKind},
    engine::{Change, Journal, MemoryStore, Record, RecordKey, Retention, Table},
    platform::{AgentLogin, PlatformSettings},
};
use tertulia_emulator::{Emulator, EmulatorConfig, Fault, FaultKind};

use crate::stage::{PATIENCE, Stage, bot, platform};

/// ER-5.
#[actix_rt::test]
async fn a_malformed_frame_is_counted_and_the_connection_goes_on() {
    let mut stage = Stage::set(EmulatorConfig::default());
    let bot = stage.bot().await;
    let conversation = stage.conversation(&bot).await;
    stage.emulator.inject(Fault::new(FaultKind::Malformed).user("bot1"));
    stage.emulator.say(conversation.id().as_str(), "hello").unwrap();
    assert_eq!(stage.texts(&bot, 1).await, ["hello"]);
    assert!(stage.tertulia.metrics().frames_malformed.get() >= 1);
    assert!(stage.tertulia.connection(&bot).status().unwrap().last_error.is_some());
}

/// Makes the connection read a frame, by the replay of a dead letter.
async fn read(stage: &Stage, connection: &ConnectionId, frame: &str) {
    let letters = stage.tertulia.dead_letters();
    letters.put_undelivered("nobody", connection, None, "not read yet".to_owned(), frame.as_bytes());
    let letter = letters.list(None, usize::MAX).await.unwrap().pop().unwrap();
    let letter = DeadLetter { kind: DeadLetterKind::Frame, subscriber: None, ..letter };
    let record = Record::new(RecordKey::of(&[letter.id.as_str()]), serde_json::to_vec(&letter).unwrap());
    stage.tertulia.journal().keep(vec![Change::Put(Table::DeadLetters, record)]).await.unwrap();
    stage.tertulia.replay_dead_letter(&letter.id).await.unwrap();
}

/// ER-5: records are decoded by their conversation. Those that cannot be decoded are counted and kept all the same.
#[actix_rt::test]
async fn records_that_cannot_be_decoded_become_dead_letters_whether_or_not_their_conversation_is_known() {
    let emulator = Emulator::start(EmulatorConfig::default()).unwrap();
    let store = Arc::new(MemoryStore::new(NonZeroUsize::MIN));
    let builder = Tertulia::builder().platform(platform(&emulator)).arbiters(NonZeroUsize::MIN);
    let tertulia = builder.journal(Journal::start(store, Retention::default()).unwrap()).start().unwrap();
    let mut stage = Stage::of(emulator, tertulia);
    let bot = stage.bot().await;
    let known = stage.conversation(&bot).await.id().clone();
    let asked = stage.tertulia.metrics().messages_of_strangers.get();
    for (count, names) in
        [String::new(), format!(r#""conversationId":"{known}""#), r#""dialogId":"d9""#.to_owned()].iter().enumerate()
    {
        let frame = format!(r#"{{"kind":"notification","type":".ams.ms.OnlineEventDistribution","body":{{{names}}}}}"#);
        read(&stage, &bot, &frame).await;
        let counted = async {
            while stage.tertulia.metrics().frames_malformed.get() <= count as u64 {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(PATIENCE, counted).await.expect("the frame is not counted");
        let newest = stage.tertulia.dead_letters().list(None, usize::MAX).await.unwrap().pop().unwrap();
        assert_eq!((newest.kind, &*newest.body), (DeadLetterKind::Frame, frame.as_bytes()));
    }
    assert_eq!(stage.tertulia.metrics().messages_of_strangers.get(), asked);
}

#[actix_rt::test]
async fn an_oversize_frame_is_counted_and_the_connection_recovers() {
    let mut stage = Stage::set(EmulatorConfig::default());
    let bot = stage.bot().await;
    let conversation = stage.conversation(&bot).await;
    stage.emulator.inject(Fault::new(FaultKind::Oversize).user("bot1"));
    stage.emulator.say(conversation.id().as_str(), "hello").unwrap();
    assert_eq!(stage.texts(&bot, 1).await, ["hello"]);
    assert_eq!(stage.tertulia.metrics().frames_oversize.get(), 1);
}

/// CN-F1.
/// Q7: wrong credentials end the connection at once, with the reason, and nothing else.
#[actix_rt::test]
async fn wrong_credentials_end_the_connection_and_no_other() {
    let mut stage = Stage::set(EmulatorConfig::default());
    let good = stage.bot().await;
    let wrong = AgentLogin::Password { username: "bot2".to_owned(), password: "not this".into() };
    let id = ConnectionId::from("wrong");
    stage.tertulia.connect(ConnectionSettings::bot("wrong", "12345678", wrong)).unwrap();
    let failure = stage.tertulia.connection(&id).ready(PATIENCE).await.unwrap_err();
    let ConnectionError::Failed { reason, .. } = failure else { panic!("{failure}") };
    assert!(reason.contains("agentVep") && reason.contains("401"), "{reason}");
    assert!(!reason.contains("not this"));
    assert_eq!(stage.event("connection.failed").await.origin.connection, id);
    stage.conversation(&good).await;
}

/// The first message of a bot on this platform.
async fn first_trouble(settings: PlatformSettings) -> String {
    let tertulia = Tertulia::builder().platform(settings).connection(bot(1)).start().unwrap();
    let told = async {
        loop {
            if let Some(trouble) = tertulia.connection(&"bot-1".into()).status().and_then(|status| status.last_error) {
                return trouble;
            }
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, told).await.expect("it says what is wrong")
}

#[actix_rt::test]
async fn an_unreachable_platform_is_named() {
    let settings = PlatformSettings { discovery: "https://127.0.0.1:1".to_owned(), ..PlatformSettings::default() };
    let trouble = first_trouble(settings).await;
    assert!(trouble.contains("discovery at https://127.0.0.1:1 cannot be reached"), "{trouble}");
}

#[actix_rt::test]
async fn a_certificate_nobody_vouches_for_is_named() {
    let stage = Stage::set(EmulatorConfig::default());
    let settings = PlatformSettings { authorities: Vec::new(), ..platform(&stage.emulator) };
    let trouble = first_trouble(settings).await;
    assert!(trouble.contains("certificate"), "{trouble}");
}

#[actix_rt::test]
async fn an_authority_that_is_no_certificate_is_refused_at_the_start() {
    let settings = PlatformSettings { authorities: vec!["not a certificate".to_owned()], ..Default::default() };
    assert!(Tertulia::builder().platform(settings).start().is_err());
}

/// A session that sends a keep-alive each zero seconds would do nothing else.
#[actix_rt::test]
async fn a_policy_that_no_session_can_live_by_is_refused_when_it_connects() {
    let stage = Stage::set(EmulatorConfig::default());
    let policy = SessionPolicy { keep_alive_every: Duration::ZERO, ..SessionPolicy::default() };
    let refused = stage.tertulia.connect(ConnectionSettings { policy, ..bot(1) }).unwrap_err();
    let StartError::Policy { connection, source } = refused else { panic!("{refused}") };
    let expected = PolicyError::TooSmall { limit: "keep_alive_every" };
    assert_eq!((connection.as_str(), source), ("bot-1", expected));
    assert!(stage.tertulia.connections().is_empty());
}
