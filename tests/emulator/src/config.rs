//! What an emulator is started with.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use crate::connector::AppInstall;
use crate::faults::FaultMode;
use crate::network::NetworkSettings;

/// Time to respond of each kind, in seconds (protocol [§7](crate::protocol#7)).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TtrDefaults {
    /// `NORMAL`.
    pub normal: u64,
    /// `PRIORITIZED`; also what a conversation gets that asks for none.
    pub prioritized: u64,
    /// `URGENT`.
    pub urgent: u64,
}

impl Default for TtrDefaults {
    fn default() -> Self {
        Self { normal: 3600, prioritized: 600, urgent: 300 }
    }
}

/// Whether `ConversationStateField CLOSE` opens a survey, on an account that has one (protocol
/// [§14](crate::protocol#14)).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum StateCloseSurvey {
    /// A consumer's close does, an agent's does not.
    #[default]
    ByConsumer,
    /// Every close does.
    Always,
    /// None does; only `DialogChange` opens a survey.
    Never,
}

/// How `QueryMessages` reads `newerThanSequence`; the sources contradict each other (protocol
/// [§5.5](crate::protocol#55)).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum HistoryBound {
    /// The answer begins with the record that has this sequence.
    #[default]
    Inclusive,
    /// The answer begins with the record after this sequence.
    Exclusive,
}

/// Which agents may read the history of a dialog without taking part in its conversation (protocol
/// [§5.5](crate::protocol#55)). Every participant may, also under the roles MANAGER and READER.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum HistoryReaders {
    /// No other agent.
    Participants,
    /// Agents who are managers of the account: its administrators.
    #[default]
    Managers,
    /// Every agent.
    Everybody,
}

/// Points on which the sources leave the platform's behaviour open; each has the documented or safest default.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Switches {
    /// A suggested agent is listed in both participant maps, not only in `participantsDetails`.
    pub suggested_in_maps: bool,
    /// An OPEN-only subscription sees the closing state as UPSERT before its DELETE.
    pub close_upsert_before_delete: bool,
    /// `SubscribeMessagingEvents` on a conversation whose stage is CLOSE is refused.
    pub refuse_closed_message_subscription: bool,
    /// How `QueryMessages` reads `newerThanSequence`.
    pub history_bound: HistoryBound,
    /// Who may `QueryMessages` without taking part.
    pub history_readers: HistoryReaders,
    /// What `ConversationStateField CLOSE` does on an account with a survey.
    pub state_close_survey: StateCloseSurvey,
    /// A login closes the sockets of the same user's earlier session with 4401 ([TK-6](crate::rules#tk-6)).
    pub login_closes_sockets: bool,
}

impl Default for Switches {
    fn default() -> Self {
        Self {
            suggested_in_maps: true,
            close_upsert_before_delete: false,
            refuse_closed_message_subscription: false,
            history_bound: HistoryBound::default(),
            history_readers: HistoryReaders::default(),
            state_close_survey: StateCloseSurvey::default(),
            login_closes_sockets: true,
        }
    }
}

/// Lengths the platform refuses to exceed, in characters (protocol [§8](crate::protocol#8), [§14](crate::protocol#14)).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Text of a message.
    pub text: usize,
    /// Structured content, as JSON text.
    pub rich_content: usize,
    /// The note of a conversation.
    pub note: usize,
    /// One uploaded file, in bytes.
    pub file: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { text: 8_000, rich_content: 15_000, note: 5_000, file: 3 * 1024 * 1024 }
    }
}

/// How an [`Emulator`](crate::Emulator) is set up.
#[derive(Debug, Clone)]
pub struct EmulatorConfig {
    /// Where everything over TLS listens; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Names under which the emulator is reached. The certificate covers them, `localhost`, `127.0.0.1` and `::1`.
    /// Discovery returns the name under which the client reached it, if that name is in this list; otherwise the first
    /// name of the list. If the list is empty, discovery returns the listening address.
    pub hosts: Vec<String>,
    /// Where plain-HTTP discovery listens, if at all; it answers origin-form and absolute-form request lines.
    pub discovery_listen: Option<SocketAddr>,
    /// Where the plain-HTTP control interface listens, if at all.
    pub control: Option<SocketAddr>,
    /// Where the certificate of the CA is written as PEM, if anywhere. It is there before anything listens, so that
    /// who reaches the emulator can also trust it.
    pub ca_out: Option<PathBuf>,
    /// The account id.
    pub account: String,
    /// Number of agents: logins `bot1`…, password `secret`, app key `botN-key`, secret `botN-secret`,
    /// access token `botN-token`, access token secret `botN-token-secret`.
    pub agents: usize,
    /// How many of the agents are administrators too: the first ones.
    pub admins: usize,
    /// Skills the account has, besides `-1`.
    pub skills: Vec<String>,
    /// Skills by login; an agent who is not named here serves every skill.
    pub agent_skills: Vec<(String, Vec<String>)>,
    /// Whether closing a MAIN dialog opens a post-conversation survey.
    pub survey: bool,
    /// `metaData.appInstallId` of survey dialogs: the survey bot that is to serve them.
    pub survey_app_install_id: String,
    /// Fault mode at the start.
    pub faults: FaultMode,
    /// Seed of ids and of fault plans.
    pub seed: u64,
    /// Conversations assigned or ringing at one agent at a time, at most.
    pub agent_capacity: usize,
    /// Times to respond.
    pub ttr: TtrDefaults,
    /// A socket that sends nothing for this long is closed with 1001.
    pub idle_close: Duration,
    /// A consumer socket that has not sent `InitConnection` by then is closed with 4401.
    pub init_grace: Duration,
    /// How long a ring waits for its agent.
    pub ring_expiry: Duration,
    /// Conversations in one snapshot, at most; the newest are kept, listed oldest first.
    pub page_limit: usize,
    /// Pause between the answer to a request and what it caused on the same socket.
    pub snapshot_pause: Duration,
    /// What lies between a client and the platform.
    pub network: NetworkSettings,
    /// How long a bearer and a classic consumer token live.
    pub token_life: Duration,
    /// How long a signed file URL lives.
    pub file_url_life: Duration,
    /// The most outgoing items that wait for one socket. A socket that reads too slowly and exceeds them is dropped.
    pub socket_queue: usize,
    /// Worker threads of the TLS listener.
    pub threads: usize,
    /// Lengths that are refused.
    pub limits: Limits,
    /// The application that is installed, if there is one; without any, every application's credentials are taken.
    pub app: Option<AppInstall>,
    /// Open points of the protocol.
    pub switches: Switches,
}

impl Default for EmulatorConfig {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            hosts: Vec::new(),
            discovery_listen: None,
            control: None,
            ca_out: None,
            account: "12345678".to_owned(),
            agents: 4,
            admins: 0,
            skills: vec!["501".to_owned(), "502".to_owned()],
            agent_skills: Vec::new(),
            survey: false,
            survey_app_install_id: "survey-bot".to_owned(),
            faults: FaultMode::None,
            seed: 1,
            agent_capacity: 1_000,
            ttr: TtrDefaults::default(),
            idle_close: Duration::from_secs(75),
            init_grace: Duration::from_secs(5),
            ring_expiry: Duration::from_secs(72),
            page_limit: 1_001,
            snapshot_pause: Duration::from_millis(6),
            network: NetworkSettings::default(),
            token_life: Duration::from_secs(8 * 3_600),
            file_url_life: Duration::from_secs(60),
            socket_queue: 4_096,
            threads: 1,
            limits: Limits::default(),
            app: None,
            switches: Switches::default(),
        }
    }
}
