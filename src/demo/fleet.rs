//! The bots and consumers of a demo: who speaks when, and what each side received.

use std::{
    collections::HashMap,
    num::NonZeroU32,
    sync::Arc,
    time::{Duration, Instant},
};

use futures_util::{StreamExt, TryStreamExt, stream};
use hdrhistogram::Histogram;
use tertulia_actors::{
    Tertulia,
    connection::ConnectionSettings,
    conversation::ConversationHandle,
    core::{
        conversation::Message,
        id::{ConnectionId, ConversationId},
        session::SessionPolicy,
        ums::{ConversationRequest, ParticipantRole},
    },
    platform::{AgentLogin, ConsumerLogin, Pace, PlatformSettings},
    subscriber::Event,
};
use tertulia_emulator::{Emulator, Ledger};

use super::{
    DemoError, Length, Progress, Proof, Scale,
    proof::{Heard, Side},
};

/// Consumers that connect at the same time.
const OPENED_TOGETHER: usize = 256;
/// How long one connection may take to become ready.
const READY_WITHIN: Duration = Duration::from_secs(120);
/// The largest latency that the histogram resolves, in microseconds.
const LONGEST: u64 = 600_000_000;

/// The demo has its own platform, so logins need no rate limit.
pub(super) fn platform(emulator: &Emulator) -> PlatformSettings {
    let fast = NonZeroU32::new(2_000).unwrap_or(NonZeroU32::MIN);
    PlatformSettings {
        discovery: format!("https://{}", emulator.listen()),
        authorities: vec![emulator.ca_pem().to_owned()],
        pace: Pace {
            logins_per_account: fast,
            logins: fast,
            connects: fast,
            after_refusal: Duration::from_millis(100),
        },
        ..PlatformSettings::default()
    }
}

/// The platform injects a fault every few hundred milliseconds, so connections are hardly ever stable; with the usual
/// pauses a demo would only measure the pauses.
fn impatient(settings: ConnectionSettings) -> ConnectionSettings {
    let policy = SessionPolicy {
        first_retry_within: Duration::from_millis(100),
        backoff_base: Duration::from_millis(100),
        backoff_max: Duration::from_millis(500),
        keep_alive_every: Duration::from_secs(1),
        dead_after: Duration::from_secs(3),
        login_backoff_base: Duration::from_millis(100),
        login_backoff_max: Duration::from_secs(1),
        throttled_for: Duration::from_millis(200),
        verify_timeout: Duration::from_secs(3),
        ..settings.policy
    };
    ConnectionSettings { policy, request_timeout: Duration::from_secs(3), ..settings }
}

pub(super) fn bots(account: &str, bots: u32) -> impl Iterator<Item = ConnectionSettings> {
    (1..=bots).map(move |number| {
        let login = AgentLogin::Password { username: format!("bot{number}"), password: "secret".into() };
        impatient(ConnectionSettings::bot(bot_name(number), account, login))
    })
}

/// What the names of the bots' connections begin with.
pub(super) const BOTS: &str = "bot";

pub(super) fn bot_name(number: u32) -> String {
    format!("{BOTS}-{number}")
}

/// One consumer, who sends the next message after the previous one was answered.
struct Consumer {
    conversation: ConversationHandle,
    said: u32,
    answered: u32,
    spoke: Instant,
}

/// All bots and consumers.
pub(super) struct Fleet {
    tertulia: Arc<Tertulia>,
    scale: Scale,
    consumers: HashMap<ConversationId, Consumer>,
    bot_connections: Vec<ConnectionId>,
    heard: HashMap<ConversationId, Heard>,
    until: Option<Instant>,
    waiting: u32,
    said: u64,
    answered: u64,
    latency: Histogram<u64>,
}

impl Fleet {
    /// Consumers whose bots are the connections `bots` of the same process, or clients of other processes if there are none.
    pub(super) fn new(tertulia: Arc<Tertulia>, scale: Scale, bots: Vec<ConnectionId>) -> Self {
        let latency = Histogram::new_with_bounds(1, LONGEST, 3);
        Self {
            tertulia,
            scale,
            consumers: HashMap::new(),
            bot_connections: bots,
            heard: HashMap::new(),
            until: None,
            waiting: 0,
            said: 0,
            answered: 0,
            latency: latency.unwrap_or_else(|_| unreachable!("the bounds and digits are in range")),
        }
    }

    /// Waits for the bots, connects the consumers and opens their conversations.
    pub(super) async fn open(&mut self, account: &str, progress: &mut impl FnMut(Progress)) -> Result<(), DemoError> {
        for bot in &self.bot_connections {
            self.tertulia.connection(bot).ready(READY_WITHIN).await?;
        }
        let of = u64::from(self.scale.conversations);
        let tertulia = &self.tertulia;
        let mut opened = stream::iter(1..=self.scale.conversations)
            .map(|number| async move {
                let id = ConnectionId::from(format!("consumer-{number}"));
                let consumer = ConnectionSettings::consumer(id.clone(), account, ConsumerLogin::SignUp);
                tertulia.connect(impatient(consumer))?;
                tertulia.connection(&id).ready(READY_WITHIN).await?;
                let opened = tertulia.connection(&id).create_conversation(ConversationRequest::default()).await;
                opened.map_err(DemoError::NotOpened)
            })
            .buffer_unordered(OPENED_TOGETHER);
        while let Some(conversation) = opened.try_next().await? {
            let consumer = Consumer { conversation: conversation.clone(), said: 0, answered: 0, spoke: Instant::now() };
            self.consumers.insert(conversation.id().clone(), consumer);
            progress(Progress::Opening { open: self.consumers.len() as u64, of });
        }
        Ok(())
    }

    /// Makes every consumer send its first message.
    pub(super) fn begin(&mut self) {
        if let Length::Duration(duration) = self.scale.length {
            self.until = Some(Instant::now() + duration);
        }
        let all: Vec<ConversationId> = self.consumers.keys().cloned().collect();
        for id in all {
            self.speak(&id);
        }
    }

    /// Whether every message was answered and no consumer has more to send.
    pub(super) fn is_done(&self) -> bool {
        self.waiting == 0
    }

    pub(super) fn progress(&self) -> Progress {
        let of = match self.scale.length {
            Length::Messages(each) => Some(u64::from(self.scale.conversations) * u64::from(each)),
            Length::Duration(_) => None,
        };
        Progress::Speaking { answered: self.answered, of }
    }

    pub(super) fn latency(&self) -> &Histogram<u64> {
        &self.latency
    }

    /// Handles a message that one of the connections received.
    pub(super) fn take(&mut self, event: &Event) {
        let (Some(message), Some(id)) = (event.message(), &event.conversation) else { return };
        let at_bot = self.bot_connections.contains(&event.origin.connection);
        match (&message.role, at_bot) {
            (Some(ParticipantRole::Consumer), true) => {
                self.heard.entry(id.clone()).or_default().note(Side::Bot, message.sequence);
                // A bot answers only live messages, not messages that were fetched later.
                if !message.back_filled {
                    self.answer(&event.origin.connection, id, message);
                }
            }
            (Some(ParticipantRole::AssignedAgent), false) => {
                self.heard.entry(id.clone()).or_default().note(Side::Consumer, message.sequence);
                self.take_answer(id);
            }
            // Each side also receives its own messages.
            _ => {}
        }
    }

    /// Notes a message of a consumer that a bot of another process received.
    pub(super) fn take_at_bot(&mut self, conversation: ConversationId, sequence: u64) {
        self.heard.entry(conversation).or_default().note(Side::Bot, sequence);
    }

    /// Whether half of the messages were answered, or half of the time is over.
    pub(super) fn is_half_done(&self) -> bool {
        match (self.scale.length, self.until) {
            (Length::Messages(each), _) => self.answered * 2 >= u64::from(self.scale.conversations) * u64::from(each),
            (Length::Duration(duration), Some(until)) => Instant::now() + duration / 2 >= until,
            (Length::Duration(_), None) => false,
        }
    }

    /// The bot: repeats what the consumer said.
    fn answer(&self, bot: &ConnectionId, id: &ConversationId, message: &Message) {
        let (Some(conversation), Some(text)) = (self.tertulia.connection(bot).conversation(id), message.text()) else {
            return;
        };
        say(conversation, reply_to(&text));
    }

    fn take_answer(&mut self, id: &ConversationId) {
        let Some(consumer) = self.consumers.get_mut(id) else { return };
        // The proof counts a repeated answer.
        if consumer.answered == consumer.said {
            return;
        }
        consumer.answered += 1;
        let took = u64::try_from(consumer.spoke.elapsed().as_micros()).unwrap_or(LONGEST);
        self.latency.saturating_record(took.min(LONGEST));
        self.answered += 1;
        self.waiting -= 1;
        self.speak(id);
    }

    /// Makes a consumer send its next message, if it has one.
    fn speak(&mut self, id: &ConversationId) {
        let Some(consumer) = self.consumers.get_mut(id) else { return };
        let more = match self.scale.length {
            Length::Messages(each) => consumer.said < each,
            Length::Duration(_) => self.until.is_some_and(|until| Instant::now() < until),
        };
        if more {
            consumer.said += 1;
            consumer.spoke = Instant::now();
            self.said += 1;
            self.waiting += 1;
            say(consumer.conversation.clone(), message(consumer.said));
        }
    }

    /// Compares what both sides sent and received with the platform's ledger.
    pub(super) fn prove(&self, ledger: &Ledger) -> Proof {
        let said = self.consumers.iter().map(|(id, consumer)| (id.as_str(), (1..=consumer.said).map(message)));
        let said: HashMap<&str, Vec<String>> = said.map(|(id, texts)| (id, texts.collect())).collect();
        Proof::of(&said, reply_to, ledger, |id| self.heard.get(id))
    }
}

fn message(number: u32) -> String {
    format!("message {number}")
}

pub(super) fn reply_to(text: &str) -> String {
    format!("you said: {text}")
}

/// Sends in the background. A message that could not be sent is missing in the ledger, and the proof counts it as lost.
fn say(conversation: ConversationHandle, text: String) {
    actix_rt::spawn(async move {
        if let Err(failure) = conversation.send_text(text).await {
            tracing::warn!(conversation = %conversation.id(), %failure, "cannot send a message");
        }
    });
}
