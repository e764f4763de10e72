//! CA-2, CA-3: an anonymous consumer keeps its identity after the end of the process and after refusals. The connection
//! reports an identity that is lost for good, and continues as another consumer.

use std::{collections::BTreeSet, num::NonZeroUsize, sync::Arc, time::Duration};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};
use tertulia_actors::{
    Tertulia,
    connection::{ConnectionSettings, Login},
    conversation::{ConversationError, ConversationHandle},
    core::{
        id::{ConnectionId, UserId},
        session::{IdentityLoss, SessionPolicy},
    },
    engine::{Change, Journal, MemoryStore, Record, RecordKey, RecordSeal, Retention, Store, StoreError, Table},
    platform::{ConsumerLogin, PlatformClient, StepUp},
    subscriber::{Event, EventData},
};
use tertulia_emulator::{Emulator, EmulatorConfig, Fault, FaultKind, FaultRule, Outcome};
use tokio::time::timeout;

use crate::stage::{self, PATIENCE, Stage, change, hasty, platform};

const CONNECTION: &str = "ann";

/// Whatever may refuse a consumer on the way to an accepted socket.
const DOORS: &[&str] = &["signup", "authorize", "authenticate", "upgrade", "InitConnection"];

/// One store, and one run of the process after the other on it.
struct Runs {
    store: Arc<MemoryStore>,
    stage: Stage,
    is_sealed: bool,
}

/// Encrypts nothing, and hides everything from who only looks.
struct Reversed;

impl RecordSeal for Reversed {
    fn close(&self, _: &RecordKey, value: &[u8]) -> Result<Vec<u8>, StoreError> {
        Ok(value.iter().rev().copied().collect())
    }

    fn open(&self, _: &RecordKey, value: &[u8]) -> Result<Vec<u8>, StoreError> {
        // A JSON object that was not reversed.
        Ok(if value.starts_with(b"{") { value.to_vec() } else { value.iter().rev().copied().collect() })
    }
}

impl Runs {
    fn begin() -> Self {
        Self::sealed(false)
    }

    fn sealed(is_sealed: bool) -> Self {
        let store = Arc::new(MemoryStore::new(NonZeroUsize::new(100_000).unwrap()));
        let stage = run(Emulator::start(EmulatorConfig::default()).unwrap(), &store, is_sealed);
        Self { store, stage, is_sealed }
    }

    /// Ends the run, and begins the next one after `between`.
    async fn next(self, between: impl FnOnce(&Emulator, &MemoryStore)) -> Self {
        let Self { store, stage, is_sealed } = self;
        let Stage { emulator, tertulia, .. } = stage;
        tertulia.stop(PATIENCE).await;
        between(&emulator, &store);
        let stage = run(emulator, &store, is_sealed);
        Self { store, stage, is_sealed }
    }

    async fn connect(&mut self, login: ConsumerLogin) {
        self.stage.connect(consumer(login)).await;
    }

    async fn user(&self) -> UserId {
        let profile = self.stage.tertulia.connection(&CONNECTION.into()).user_profile(None).await.unwrap();
        UserId::from(&profile.user_id.unwrap())
    }

    /// A conversation of the consumer in which something was said.
    async fn conversation(&self) -> ConversationHandle {
        let mine =
            self.stage.tertulia.connection(&CONNECTION.into()).create_conversation(Default::default()).await.unwrap();
        mine.send_text("hello").await.unwrap();
        mine
    }

    /// Takes the events until the conversation is closed, and then until the connection is resumed.
    async fn until_lost(&mut self, conversation: &ConversationHandle) -> IdentityLoss {
        let lost = self.stage.event("connection.identity-lost").await;
        let EventData::IdentityLost { reason, conversations: 1, .. } = lost.data else { panic!("{lost:?}") };
        let is_it = |event: &Event| event.conversation.as_ref() == Some(conversation.id());
        self.stage.until(|event| event.data.name() == "close" && is_it(event)).await;
        reason
    }

    /// How often each event of this name is in the log.
    fn logged(&self, name: &str) -> usize {
        self.store.events(0, usize::MAX).unwrap().iter().filter(|(_, event)| event.name == name).count()
    }

    fn record(&self) -> Option<Value> {
        record(&self.store)
    }

    fn is_known(&self, conversation: &ConversationHandle) -> bool {
        self.stage.tertulia.connection(&CONNECTION.into()).conversation(conversation.id()).is_some()
    }
}

fn run(emulator: Emulator, store: &Arc<MemoryStore>, is_sealed: bool) -> Stage {
    let journal = Journal::start(Arc::clone(store) as Arc<dyn Store>, Retention::default()).unwrap();
    let builder = Tertulia::builder().platform(platform(&emulator)).arbiters(NonZeroUsize::MIN);
    let builder = if is_sealed { builder.seal(Arc::new(Reversed)) } else { builder };
    let tertulia = builder.journal(journal).start().unwrap();
    Stage::of(emulator, tertulia)
}

fn consumer(login: ConsumerLogin) -> ConnectionSettings {
    let policy = SessionPolicy { refresh_every: None, throttled_for: Duration::from_millis(50), ..hasty() };
    ConnectionSettings { login: Login::Consumer(login), policy, ..stage::consumer(CONNECTION) }
}

/// Gives an identity up soon.
fn impatient() -> ConnectionSettings {
    let settings = consumer(ConsumerLogin::SignUp);
    let identity_refused_for = Duration::from_millis(100);
    let policy = SessionPolicy { identity_refusals: 3, identity_refused_for, ..settings.policy.clone() };
    ConnectionSettings { policy, ..settings }
}

fn by_connector(connector: &str) -> ConsumerLogin {
    ConsumerLogin::Anonymous { connector: connector.to_owned() }
}

fn key() -> RecordKey {
    RecordKey::of(&["consumer-identity", CONNECTION])
}

fn record(store: &MemoryStore) -> Option<Value> {
    store.get(Table::Notes, &key()).unwrap().map(|record| serde_json::from_slice(&record).unwrap())
}

/// The secrets of the record.
fn tokens(record: &Value) -> Vec<String> {
    ["token", "external"].iter().filter_map(|member| record[*member].as_str()).map(str::to_owned).collect()
}

#[actix_rt::test]
async fn an_anonymous_consumer_and_its_conversation_go_on_in_the_next_run() {
    for login in [ConsumerLogin::SignUp, by_connector("100")] {
        let mut runs = Runs::begin();
        runs.stage.bot().await;
        runs.connect(login.clone()).await;
        let (before, mine) = (runs.user().await, runs.conversation().await);
        // What one of the two has not seen yet, it would see in the next run.
        let mut seen = BTreeSet::new();
        runs.stage
            .until(|event| {
                seen.extend(stage::message(event).map(|_| event.origin.connection.clone()));
                seen.len() == 2
            })
            .await;

        let mut runs = runs.next(|_, _| {}).await;
        let bot = runs.stage.bot().await;
        runs.connect(login).await;
        assert_eq!(runs.user().await, before);
        let ann = ConnectionId::from(CONNECTION);
        let again = runs.stage.tertulia.connection(&ann).conversation(mine.id()).unwrap();
        again.send_text("still me").await.unwrap();
        assert_eq!(runs.stage.texts(&bot, 1).await, ["still me"]);
        let theirs = runs.stage.tertulia.connection(&bot).conversation(mine.id()).unwrap();
        theirs.send_text("welcome back").await.unwrap();
        assert_eq!(runs.stage.texts(&ann, 2).await, ["still me", "welcome back"]);
        assert_eq!((runs.logged("connection.identity-lost"), runs.logged("close")), (0, 0));
    }
}

/// Nobody but the platform needs to know a token.
#[actix_rt::test]
async fn no_token_is_in_an_event_or_in_the_debug_output_of_what_is_stored() {
    let mut runs = Runs::begin();
    runs.connect(by_connector("100")).await;
    let mine = runs.conversation().await;
    let secrets = tokens(&runs.record().unwrap());
    assert_eq!(secrets.len(), 2);
    let mut runs = runs.next(|_, _| {}).await;
    runs.stage.tertulia.connect(consumer(by_connector("200"))).unwrap();
    runs.until_lost(&mine).await;
    runs.stage.tertulia.connection(&CONNECTION.into()).ready(PATIENCE).await.unwrap();
    let secrets = [secrets, tokens(&runs.record().unwrap())].concat();
    let value = runs.store.get(Table::Notes, &key()).unwrap().unwrap();
    let debug = format!("{:?}", Change::Put(Table::Notes, Record::new(key(), value)));
    let status = serde_json::to_string(&runs.stage.tertulia.connection(&CONNECTION.into()).status().unwrap()).unwrap();
    let events = runs.store.events(0, usize::MAX).unwrap();
    let events = events.iter().map(|(_, event)| String::from_utf8(event.json.to_vec()).unwrap());
    for text in events.chain([debug, status]) {
        assert!(secrets.iter().all(|secret| !text.contains(secret)), "{text}");
    }
}

/// A consumer of a configured token who has stepped up, the id before and after, and a conversation.
async fn stepped_up(runs: &mut Runs) -> (ConsumerLogin, [UserId; 2], ConversationHandle) {
    let client = PlatformClient::new(Arc::clone(runs.stage.tertulia.platform()), runs.stage.emulator.account().into());
    let token = client.consumer_token(&ConsumerLogin::SignUp, None).await.unwrap().token;
    let login = ConsumerLogin::Token(token);
    runs.connect(login.clone()).await;
    let before = runs.user().await;
    let mine = runs.conversation().await;
    let step_up = StepUp { connector: "101".to_owned(), code: "ann".into() };
    let after = runs.stage.tertulia.connection(&CONNECTION.into()).step_up(step_up).await.unwrap().user_id;
    assert_ne!(before, after);
    (login, [before, after], mine)
}

/// CA-4: with a seal the token of a step-up is stored, encrypted, and the next run uses it.
#[actix_rt::test]
async fn a_step_up_from_a_configured_token_goes_on_in_the_next_run_if_the_store_has_a_seal() {
    let mut runs = Runs::sealed(true);
    let (login, [_, after], mine) = stepped_up(&mut runs).await;
    let mut runs = runs
        .next(|_, store| {
            let record = store.get(Table::Notes, &key()).unwrap().unwrap();
            assert!(serde_json::from_slice::<Value>(&record).is_err(), "it is not sealed");
            let record: Value = serde_json::from_slice(&Reversed.open(&key(), &record).unwrap()).unwrap();
            assert_eq!((&record["userId"], tokens(&record).len()), (&json!(after), 1));
            let ConsumerLogin::Token(configured) = &login else { panic!("{login:?}") };
            assert!(!record.to_string().contains(configured.expose_secret()));
        })
        .await;
    runs.connect(login).await;
    assert_eq!(runs.user().await, after);
    let again = runs.stage.tertulia.connection(&CONNECTION.into()).conversation(mine.id()).unwrap();
    again.send_text("still me").await.unwrap();
    assert_eq!(runs.logged("connection.identity-lost"), 0);
}

/// CA-4: a stored step-up counts only for the login from which it was done.
#[actix_rt::test]
async fn a_stored_step_up_is_not_used_for_another_configured_token() {
    let mut runs = Runs::sealed(true);
    let (_, [_, after], _) = stepped_up(&mut runs).await;
    let mut runs = runs.next(|_, _| {}).await;
    let client = PlatformClient::new(Arc::clone(runs.stage.tertulia.platform()), runs.stage.emulator.account().into());
    let other = client.consumer_token(&ConsumerLogin::SignUp, None).await.unwrap().token;
    runs.stage.tertulia.connect(consumer(ConsumerLogin::Token(other))).unwrap();
    let lost = runs.stage.event("connection.identity-lost").await;
    let EventData::IdentityLost { reason, ref user_id, conversations: 1 } = lost.data else { panic!("{lost:?}") };
    assert_eq!((reason, user_id.as_ref()), (IdentityLoss::StepUpNotStored, Some(&after)));
    runs.stage.tertulia.stop(PATIENCE).await;
    assert!(runs.store.get(Table::Notes, &key()).unwrap().is_none());
}

/// CA-4: when the platform keeps refusing a stored step-up, the connection goes on as the configured consumer.
#[actix_rt::test]
async fn a_stored_step_up_that_the_platform_refuses_ends_and_the_configured_consumer_goes_on() {
    let mut runs = Runs::sealed(true);
    let (login, [before, after], _) = stepped_up(&mut runs).await;
    let mut runs = runs.next(|_, _| {}).await;
    let refuses = runs.stage.emulator.add_rule(FaultRule::new("InitConnection", Outcome::Code(401)).always()).unwrap();
    let ConnectionSettings { policy, .. } = impatient();
    runs.stage.tertulia.connect(ConnectionSettings { policy, ..consumer(login) }).unwrap();
    let lost = runs.stage.event("connection.identity-lost").await;
    let EventData::IdentityLost { reason, ref user_id, .. } = lost.data else { panic!("{lost:?}") };
    assert_eq!((reason, user_id.as_ref()), (IdentityLoss::Refused, Some(&after)));
    runs.stage.emulator.lift_rule(refuses);
    runs.stage.tertulia.connection(&CONNECTION.into()).ready(PATIENCE).await.unwrap();
    assert_eq!(runs.user().await, before);
    runs.stage.tertulia.stop(PATIENCE).await;
    let state = runs.store.get(Table::Notes, &RecordKey::of(&["connection-state", CONNECTION])).unwrap().unwrap();
    assert_eq!(serde_json::from_slice::<Value>(&state).unwrap(), json!({}));
    assert!(runs.store.get(Table::Notes, &key()).unwrap().is_none());
}

/// CA-4: without a seal the token of a step-up is not stored, so the step-up must be done again.
#[actix_rt::test]
async fn a_step_up_from_a_configured_token_is_asked_for_again_after_a_restart() {
    let mut runs = Runs::begin();
    let (login, [before, after], mine) = stepped_up(&mut runs).await;
    let step_up = || StepUp { connector: "101".to_owned(), code: "ann".into() };

    let mut runs = runs
        .next(|_, store| {
            let record = store.get(Table::Notes, &RecordKey::of(&["connection-state", CONNECTION])).unwrap().unwrap();
            assert_eq!(serde_json::from_slice::<Value>(&record).unwrap(), json!({ "steppedUp": after }));
            assert!(self::record(store).is_none());
        })
        .await;
    runs.stage.tertulia.connect(consumer(login)).unwrap();
    let lost = runs.stage.event("connection.identity-lost").await;
    let EventData::IdentityLost { reason, ref user_id, conversations: 1 } = lost.data else { panic!("{lost:?}") };
    assert_eq!((reason, user_id.as_ref()), (IdentityLoss::StepUpNotStored, Some(&after)));
    runs.stage.tertulia.connection(&CONNECTION.into()).ready(PATIENCE).await.unwrap();
    assert_eq!(runs.user().await, before);
    let status = runs.stage.tertulia.connection(&CONNECTION.into()).status().unwrap();
    assert!(status.last_error.unwrap().contains("step up again"));

    let stepped_up = runs.stage.tertulia.connection(&CONNECTION.into()).step_up(step_up()).await.unwrap();
    assert_eq!(stepped_up.user_id, after);
    let again = timeout(PATIENCE, async {
        loop {
            if let Some(mine) = runs.stage.tertulia.connection(&CONNECTION.into()).conversation(mine.id()) {
                return mine.send_text("still me").await;
            }
            tokio::task::yield_now().await;
        }
    });
    again.await.unwrap().unwrap();
}

#[actix_rt::test]
async fn temporary_refusals_of_any_kind_cost_no_identity() {
    for login in [ConsumerLogin::SignUp, by_connector("100")] {
        let mut runs = Runs::begin();
        runs.connect(login.clone()).await;
        let (before, mine) = (runs.user().await, runs.conversation().await);
        // The login service is left alone for a while where it asks for fewer logins.
        for (doors, code) in [(DOORS, 401), (DOORS, 403), (&["upgrade", "InitConnection"], 429), (DOORS, 503)] {
            let refuse = |emulator: &Emulator| {
                for door in doors {
                    emulator.add_rule(FaultRule::new(*door, Outcome::Code(code)).times(2)).unwrap();
                }
            };
            runs = runs.next(|emulator, _| refuse(emulator)).await;
            runs.connect(login.clone()).await;
            assert_eq!(runs.user().await, before, "{login:?}: {code}");
            assert!(runs.is_known(&mine), "{login:?}: {code}");
        }
        assert_eq!(runs.logged("connection.identity-lost"), 0);
    }
}

/// The external token stays good although the platform takes the token itself back.
#[actix_rt::test]
async fn an_anonymous_identity_is_renewed_by_its_external_token() {
    let mut runs = Runs::begin();
    runs.connect(by_connector("100")).await;
    let (before, mine) = (runs.user().await, runs.conversation().await);
    runs.stage.emulator.inject(Fault::new(FaultKind::ExpireToken).user(before.as_str()));
    runs.stage.event("connection.disconnected").await;
    runs.stage.event("connection.resumed").await;
    let mut runs = runs.next(|_, _| {}).await;
    runs.connect(by_connector("100")).await;
    assert_eq!(runs.user().await, before);
    assert!(runs.is_known(&mine));
}

#[actix_rt::test]
async fn an_identity_that_is_refused_for_good_is_reported_once_and_another_one_works() {
    let mut runs = Runs::begin();
    runs.stage.connect(impatient()).await;
    let (before, mine) = (runs.user().await, runs.conversation().await);
    let away = runs.stage.emulator.add_rule(FaultRule::new("upgrade", Outcome::Code(503)).always()).unwrap();
    runs.stage.emulator.inject(Fault::new(FaultKind::ExpireToken).user(before.as_str()));
    runs.stage.event("connection.disconnected").await;
    let waits = mine.clone();
    let waits = actix_rt::spawn(async move { waits.send_text("is anybody there?").await });
    while mine.waiting_commands().await.unwrap().is_empty() {
        tokio::task::yield_now().await;
    }
    runs.stage.emulator.lift_rule(away);

    assert_eq!(runs.until_lost(&mine).await, IdentityLoss::Refused);
    let failure = timeout(PATIENCE, waits).await.unwrap().unwrap().unwrap_err();
    assert!(matches!(&failure, ConversationError::Invalid(_)), "{failure}");
    runs.stage.event("connection.resumed").await;
    runs.stage.tertulia.connection(&CONNECTION.into()).ready(PATIENCE).await.unwrap();
    let error = runs.stage.tertulia.connection(&CONNECTION.into()).status().unwrap().last_error.unwrap();
    assert!(
        error.contains("is lost: the platform keeps refusing the identity") && error.contains(before.as_str()),
        "{error}"
    );
    assert!(!runs.is_known(&mine));
    let now = runs.user().await;
    assert_ne!(now, before);
    let other = runs.conversation().await;

    let mut runs = runs.next(|_, _| {}).await;
    runs.stage.connect(impatient()).await;
    assert_eq!(runs.user().await, now);
    assert!(runs.is_known(&other) && !runs.is_known(&mine));
    assert_eq!((runs.logged("connection.identity-lost"), runs.logged("close")), (1, 1));
}

/// The default policy: an expired token needs one refusal, not minutes of them.
#[actix_rt::test]
async fn an_identity_whose_token_has_expired_is_lost_with_its_first_refusal() {
    for login in [ConsumerLogin::SignUp, by_connector("100")] {
        let mut runs = Runs::begin();
        runs.connect(login.clone()).await;
        let (before, mine) = (runs.user().await, runs.conversation().await);
        let mut runs = runs.next(|_, store| expire(store)).await;
        runs.stage.tertulia.connect(consumer(login)).unwrap();
        assert_eq!(runs.until_lost(&mine).await, IdentityLoss::Expired);
        runs.stage.tertulia.connection(&CONNECTION.into()).ready(PATIENCE).await.unwrap();
        assert_ne!(runs.user().await, before);
        runs.conversation().await;
        assert_eq!((runs.logged("connection.identity-lost"), runs.logged("close")), (1, 1));
    }
}

/// Puts tokens in the record that were good in 2001.
fn expire(store: &MemoryStore) {
    let mut record = record(store).unwrap();
    let claims = URL_SAFE_NO_PAD.encode(r#"{"sub":"ann","iat":1000000000,"exp":1000000600}"#);
    for member in ["token", "external"] {
        if record[member].is_string() {
            record[member] = json!(format!("e30.{claims}.c2ln"));
        }
    }
    change(store, Change::Put(Table::Notes, Record::new(key(), serde_json::to_vec(&record).unwrap())));
}

#[actix_rt::test]
async fn an_identity_is_not_used_for_another_login() {
    let authenticated = ConsumerLogin::Authenticated { connector: Some("101".to_owned()), token: "ann".into() };
    for (first, then) in [
        (ConsumerLogin::SignUp, authenticated.clone()),
        (ConsumerLogin::SignUp, by_connector("100")),
        (by_connector("100"), ConsumerLogin::SignUp),
        (by_connector("100"), by_connector("200")),
    ] {
        let mut runs = Runs::begin();
        runs.connect(first.clone()).await;
        let (before, mine) = (runs.user().await, runs.conversation().await);
        let mut runs = runs.next(|_, _| {}).await;
        runs.stage.tertulia.connect(consumer(then)).unwrap();
        assert_eq!(runs.until_lost(&mine).await, IdentityLoss::LoginChanged);
        runs.stage.tertulia.connection(&CONNECTION.into()).ready(PATIENCE).await.unwrap();
        assert_ne!(runs.user().await, before);
        let mut runs = runs.next(|_, _| {}).await;
        runs.connect(first).await;
        assert_ne!(runs.user().await, before);
    }
}

/// A store of a version that did not store identities.
#[actix_rt::test]
async fn conversations_of_an_identity_that_was_not_stored_are_closed() {
    let mut runs = Runs::begin();
    runs.connect(ConsumerLogin::SignUp).await;
    let mine = runs.conversation().await;
    let forget = |store: &MemoryStore| change(store, Change::Remove(Table::Notes, key()));
    let mut runs = runs.next(|_, store| forget(store)).await;
    runs.stage.tertulia.connect(consumer(ConsumerLogin::SignUp)).unwrap();
    assert_eq!(runs.until_lost(&mine).await, IdentityLoss::NotStored);
    runs.stage.tertulia.connection(&CONNECTION.into()).ready(PATIENCE).await.unwrap();
    runs.conversation().await;
}

#[actix_rt::test]
async fn who_has_stepped_up_stays_so_in_the_next_run() {
    let mut runs = Runs::begin();
    runs.connect(ConsumerLogin::SignUp).await;
    let mine = runs.conversation().await;
    let step_up = StepUp { connector: "101".to_owned(), code: "ann".into() };
    let stepped_up = runs.stage.tertulia.connection(&CONNECTION.into()).step_up(step_up).await.unwrap();
    let mut runs = runs.next(|_, _| {}).await;
    runs.connect(ConsumerLogin::SignUp).await;
    assert_eq!(runs.user().await, stepped_up.user_id);
    let again = runs.stage.tertulia.connection(&CONNECTION.into()).conversation(mine.id()).unwrap();
    again.send_text("still me").await.unwrap();
}

/// The brand names these consumers.
#[actix_rt::test]
async fn nothing_is_stored_of_a_consumer_whom_the_brand_vouches_for() {
    let mut runs = Runs::begin();
    runs.connect(ConsumerLogin::Authenticated { connector: None, token: "ann".into() }).await;
    assert_eq!(runs.record(), None);
}

#[actix_rt::test]
async fn a_connection_without_a_store_keeps_its_identity_over_a_reconnect() {
    let mut stage = Stage::set(EmulatorConfig::default());
    let mine = stage.consumer(CONNECTION).await;
    stage.emulator.inject(Fault::new(FaultKind::Drop).user(user_of(&stage).await.as_str()));
    stage.event("connection.disconnected").await;
    stage.event("connection.resumed").await;
    mine.send_text("still me").await.unwrap();
}

async fn user_of(stage: &Stage) -> UserId {
    UserId::from(&stage.tertulia.connection(&CONNECTION.into()).user_profile(None).await.unwrap().user_id.unwrap())
}
