//! The account as one value. Its input is what arrives on which socket and when; its output is the frames to send. It
//! uses no socket, no clock and no thread.

mod agent_status;
mod answer;
mod closing;
mod conversation;
mod creation;
mod directory;
mod field_change;
mod field_parse;
mod history;
mod interactions;
mod messages;
mod names;
mod notify;
mod profile;
mod queue_health;
mod reading;
mod record;
mod rest_reading;
mod rings;
mod routing;
mod sessions;
mod subscribing;
mod subscription;
mod tree;
mod ttr;

#[cfg(test)]
mod tests;

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::Arc;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

pub(crate) use agent_status::AgentFilter;
pub(crate) use answer::{Emission, FrameKind, Refusal};
pub(crate) use creation::NewConversation;
pub(crate) use directory::{MAIN_GROUP, MAIN_GROUP_NAME, NewAgent, skill_name};
pub(crate) use interactions::{Found, Page, Search, Sorting};
pub(crate) use names::{AgentIndex, ConsumerId, ConversationId, Millis, Party, SocketId};
pub(crate) use reading::Reading;
pub(crate) use record::Record;
pub(crate) use sessions::Caller;

use answer::Answer;
use conversation::Conversation;
use directory::Directory;
pub(crate) use names::timestamp;
use names::{DialogId, SkillId, date_time};
use sessions::Sockets;
use subscription::Subscriptions;

use crate::config::{Limits, Switches, TtrDefaults};
use crate::dialect::{Operation, Request};
use crate::ledger::{ChangeRequest, Totals};

/// What the account is configured to be.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    pub(crate) account: String,
    /// Skills besides `-1`.
    pub(crate) skills: Vec<String>,
    pub(crate) survey: bool,
    pub(crate) survey_app_install_id: String,
    pub(crate) ttr: TtrDefaults,
    pub(crate) agent_capacity: usize,
    pub(crate) ring_expiry: Millis,
    pub(crate) page_limit: usize,
    pub(crate) limits: Limits,
    pub(crate) switches: Switches,
}

/// The state of the account.
#[derive(Debug)]
pub(crate) struct Platform {
    settings: Settings,
    directory: Directory,
    conversations: HashMap<ConversationId, Conversation>,
    /// Dialogs whose id is not their conversation's.
    side_dialogs: HashMap<DialogId, ConversationId>,
    sockets: Sockets,
    subscriptions: Subscriptions,
    /// Conversations that wait for an agent, by skill.
    waiting: HashMap<SkillId, VecDeque<ConversationId>>,
    /// When a ring expires or a refused conversation is offered again.
    timers: BTreeSet<(Millis, ConversationId)>,
    /// Every accepted event, in order.
    ledger: Vec<Arc<Record>>,
    changes: Vec<ChangeRequest>,
    totals: Totals,
    /// Agent replies seen by each run of simulated traffic.
    traffic_answers: HashMap<u32, u64>,
    outbox: Vec<Emission>,
    random: StdRng,
    /// The next trees go out without their last content event (a known race of the platform).
    omit_last_content: bool,
}

impl Platform {
    pub(crate) fn new(settings: Settings, seed: u64) -> Self {
        Self {
            settings,
            directory: Directory::default(),
            conversations: HashMap::new(),
            side_dialogs: HashMap::new(),
            sockets: Sockets::default(),
            subscriptions: Subscriptions::default(),
            waiting: HashMap::new(),
            timers: BTreeSet::new(),
            ledger: Vec::new(),
            changes: Vec::new(),
            totals: Totals::default(),
            traffic_answers: HashMap::new(),
            outbox: Vec::new(),
            random: StdRng::seed_from_u64(seed),
            omit_last_content: false,
        }
    }

    /// Handles one request of one socket. Frames are collected with [`Self::take_frames`], the answer first.
    pub(crate) fn handle(&mut self, socket: SocketId, request: &Request, now: Millis) {
        let Some(caller) = self.sockets.caller(socket) else { return };
        let mark = self.outbox.len();
        let operation = Operation::of(&request.type_name);
        let outcome = match operation {
            Some(operation) => self.dispatch(operation, &caller, request, now).map(|answer| (operation, answer)),
            None => Err(Refusal::bad(format!("Unknown request type {}", request.type_name))),
        };
        let frame = match outcome {
            Ok((operation, answer)) => answer.frame(&request.id, operation, caller.dialect),
            Err(refusal) => refusal.frame(&request.id, caller.dialect),
        };
        self.outbox.insert(mark, Emission { socket, kind: FrameKind::Answer, text: frame.into() });
    }

    /// Handles one request that came over the Send API; the answer's body as JSON text.
    pub(crate) fn perform(&mut self, caller: &Caller, request: &Request, now: Millis) -> Result<String, Refusal> {
        let operation = Operation::of(&request.type_name);
        let operation = operation.ok_or_else(|| Refusal::bad(format!("Unknown request type {}", request.type_name)))?;
        self.dispatch(operation, caller, request, now).map(|answer| answer.send_api_body())
    }

    fn dispatch(
        &mut self,
        operation: Operation,
        caller: &Caller,
        request: &Request,
        now: Millis,
    ) -> Result<Answer, Refusal> {
        match operation {
            Operation::InitConnection => Ok(Answer::text("OK Connection initialized")),
            Operation::GetClock => Ok(Answer::body(&serde_json::json!({"currentTime": now}))),
            Operation::ConsumerRequestConversation => self.consumer_request_conversation(caller, request, now),
            Operation::AgentRequestConversation => self.agent_request_conversation(caller, request, now),
            Operation::SubscribeExConversations => self.subscribe_conversations(caller, request, now),
            Operation::UnsubscribeExConversations => self.unsubscribe_conversations(caller, request),
            Operation::UpdateExConversationSubscription => self.update_subscription(caller, request, now),
            Operation::UpdateConversationField => self.update_conversation_field(caller, request, now),
            Operation::PublishEvent => self.publish_event(caller, request, now),
            Operation::SubscribeMessagingEvents => self.subscribe_messages(caller, request, now),
            Operation::QueryMessages => self.query_messages(caller, request),
            Operation::GetUserProfile => self.get_user_profile(caller, request),
            Operation::SetUserProfile => self.set_user_profile(caller, request),
            Operation::SetAgentState => self.set_agent_state(caller, request, now),
            Operation::SubscribeAgentsState => self.subscribe_agent_state(caller),
            Operation::SubscribeRoutingTasks => self.subscribe_rings(caller, now),
            Operation::UpdateRoutingTaskSubscription => Ok(Answer::text("OK Subscription updated successfully")),
            Operation::UpdateRingState => self.update_ring_state(caller, request, now),
            Operation::GenerateUploadToken | Operation::GenerateDownloadToken => {
                Ok(Answer::body(&serde_json::json!({"readOtk": self.uuid(), "writeOtk": self.uuid()})))
            }
            Operation::BrandProfile => Ok(Answer::body(&serde_json::json!({"brandId": self.settings.account}))),
            // Signed by the file store, which answers before the platform is asked.
            Operation::GenerateUrlForUpload | Operation::GenerateUrlForDownload => {
                Err(Refusal::new(500, "File storage is not available"))
            }
        }
    }

    /// Time passes: rings expire, conversations that were refused by every agent are offered again.
    pub(crate) fn tick(&mut self, now: Millis) {
        while let Some((due, _)) = self.timers.first()
            && *due <= now
            && let Some((_, id)) = self.timers.pop_first()
        {
            self.routing_timer(&id, now);
        }
        self.offer_waiting(now);
    }

    /// The frames decided since the last call, in order.
    pub(crate) fn take_frames(&mut self) -> Vec<Emission> {
        std::mem::take(&mut self.outbox)
    }

    /// Lets the next trees lose their last content event, until told otherwise.
    pub(crate) fn omit_last_content(&mut self, omit: bool) {
        self.omit_last_content = omit;
    }

    /// An agent of the account.
    pub(crate) fn add_agent(&mut self, agent: NewAgent, now: Millis) {
        self.directory.add_agent(&self.settings.account, agent, now);
    }

    /// Two identities belong to one person (step-up, protocol [§2.3](crate::protocol#23)).
    pub(crate) fn link_consumers(&mut self, from: &ConsumerId, to: &ConsumerId) {
        self.directory.step_up(from, to);
    }

    /// An administrator moves a conversation to another agent group.
    pub(crate) fn change_group(&mut self, conversation: &str, group: &str, now: Millis) -> Result<(), Refusal> {
        let conversation = self.conversation_mut(conversation)?;
        conversation.group = Some(group.to_owned());
        conversation.touch(now);
        let id = conversation.id.clone();
        self.changed(&id, now);
        Ok(())
    }

    /// Every accepted event, in order.
    pub(crate) fn changes(&self) -> &[ChangeRequest] {
        &self.changes
    }

    pub(crate) fn ledger(&self) -> &[Arc<Record>] {
        &self.ledger
    }

    pub(crate) fn totals(&self) -> Totals {
        Totals { conversations: self.conversations.len() as u64, ..self.totals }
    }

    /// Agent replies that a run of simulated traffic has got.
    pub(crate) fn traffic_answers(&self, run: u32) -> u64 {
        self.traffic_answers.get(&run).copied().unwrap_or(0)
    }

    /// The conversation that a conversation's or a dialog's id belongs to.
    pub(crate) fn owner_of(&self, id: &str) -> Option<String> {
        self.conversation_of(id).map(|conversation| conversation.to_string())
    }

    fn uuid(&mut self) -> String {
        uuid::Builder::from_random_bytes(self.random.random()).into_uuid().to_string()
    }

    fn conversation(&self, id: &str) -> Result<&Conversation, Refusal> {
        self.conversations.get(id).ok_or_else(Refusal::unknown_conversation)
    }

    fn conversation_mut(&mut self, id: &str) -> Result<&mut Conversation, Refusal> {
        self.conversations.get_mut(id).ok_or_else(Refusal::unknown_conversation)
    }

    /// The conversation of a dialog.
    fn conversation_of(&self, dialog: &str) -> Option<ConversationId> {
        match self.conversations.get_key_value(dialog) {
            Some((id, _)) => Some(id.clone()),
            None => self.side_dialogs.get(dialog).cloned(),
        }
    }
}
