//! A caller's hold on a conversation.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use actix::Recipient;
use serde_json::Value;
use tertulia_core::{
    command::{Command, MessageRange, SendRichText, SendText, SetAgentNote},
    conversation::{Conversation, Message},
    id::{AgentId, CommandKey, ConnectionId, ConversationId, DialogId, SkillId, UserId},
    time::Timestamp,
    ums::{ChatState, CsatStatus, DeliveryStatus, ParticipantRole, TtrType},
};
use tokio::{sync::oneshot, time::timeout};
use tracing::{Span, field::Empty};
use uuid::Uuid;

use super::{
    CancelError, Claim, CommandFailure, Done, Durable, HandleRequest, Outline, Perform, Recall, ToConversation,
    WaitingCommand,
};
use crate::supervision::{Depth, DepthPermit};

/// How long a command may take that names no other deadline, waiting for a reconnect included.
const DEFAULT_PATIENCE: Duration = Duration::from_secs(60);
/// How much longer the caller waits than the conversation, which answers first.
pub(super) const MARGIN: Duration = Duration::from_secs(5);

/// A caller's hold on a conversation. Cheap to clone, usable from any thread.
///
/// Commands are carried out in the order in which they are given, one at a time. Each answers once the platform
/// confirmed it, or fails with a typed reason; none is carried out twice.
#[derive(Clone)]
pub struct ConversationHandle(Arc<Inner>);

struct Inner {
    door: Arc<ConversationInbox>,
    id: ConversationId,
    queue: Depth,
    outline: Mutex<Outline>,
}

/// The way to a connection's conversations, shared by all handles of them.
pub(crate) struct ConversationInbox {
    pub(crate) connection: ConnectionId,
    pub(crate) to_conversations: Recipient<ToConversation>,
}

impl ConversationHandle {
    pub(crate) fn new(door: Arc<ConversationInbox>, id: ConversationId, queue: Depth) -> Self {
        Self(Arc::new(Inner { door, id, queue, outline: Mutex::default() }))
    }

    /// Which conversation.
    #[must_use]
    pub fn id(&self) -> &ConversationId {
        &self.0.id
    }

    /// Through which connection.
    #[must_use]
    pub fn connection(&self) -> &ConnectionId {
        &self.0.door.connection
    }

    /// What is known of it without asking it: it stays asleep if it sleeps.
    #[must_use]
    pub fn outline(&self) -> Outline {
        self.0.outline.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn set_outline(&self, outline: Outline) {
        *self.0.outline.lock().unwrap_or_else(PoisonError::into_inner) = outline;
    }

    /// Asks something of the conversation. What nobody is there for any more is dropped, its place for the answer too.
    pub(super) fn wish(&self, wish: HandleRequest) {
        self.0.door.to_conversations.do_send(ToConversation { conversation: self.0.id.clone(), wish });
    }

    async fn inquire<T>(&self, wish: impl FnOnce(oneshot::Sender<T>) -> HandleRequest) -> Result<T, CommandFailure> {
        let (reply, answer) = oneshot::channel();
        self.wish(wish(reply));
        match timeout(MARGIN, answer).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(_)) => Err(self.dropped()),
            Err(_) => Err(CommandFailure::TimedOut),
        }
    }

    /// Takes a place among what waits in the conversation.
    pub(super) fn enter(&self) -> Option<DepthPermit> {
        self.0.queue.try_enter()
    }

    /// Takes no commands while the conversation is in quarantine.
    pub(crate) fn shut(&self) {
        self.0.queue.close();
    }

    /// Takes commands again.
    pub(crate) fn reopen(&self) {
        self.0.queue.open();
    }

    /// Why nothing that waits can be added.
    fn refusal(&self) -> CommandFailure {
        if self.0.queue.is_closed() { CommandFailure::Quarantined } else { CommandFailure::Overloaded }
    }

    /// Why what was asked was dropped without being looked at.
    fn dropped(&self) -> CommandFailure {
        if self.0.queue.is_closed() { CommandFailure::Quarantined } else { CommandFailure::UnknownConversation }
    }

    /// Has a command carried out for whose outcome nobody waits.
    pub(crate) fn hand_over(&self, key: CommandKey, command: Command) -> Result<(), CommandFailure> {
        let place = self.enter().ok_or_else(|| self.refusal())?;
        let (reply, _) = oneshot::channel();
        let deadline = Instant::now() + DEFAULT_PATIENCE;
        let span = self.span(&key, &command);
        self.wish(HandleRequest::Perform(Perform {
            command,
            key,
            deadline,
            durable: None,
            reply,
            claim: None,
            span,
            place,
        }));
        Ok(())
    }

    /// Carries out a command under the caller's own key, within `patience`.
    ///
    /// # Errors
    /// [`CommandFailure`].
    pub async fn perform_as(
        &self,
        key: CommandKey,
        command: Command,
        patience: Duration,
    ) -> Result<Done, CommandFailure> {
        self.ask(command, key, patience, None, patience + MARGIN).await
    }

    /// Carries out a command that outlives this process, where anything does: it is kept before it is sent, and sent
    /// within `lifetime` or never. Whoever asks again with the same key and `digest`, after a restart too, waits for the
    /// same command and gets the same answer; with another `digest` they are refused. Waits for `patience` at most.
    ///
    /// # Errors
    /// [`CommandFailure`]; [`CommandFailure::OutcomeUnknown`] where it is still under way after `patience`.
    pub async fn perform_durably(
        &self,
        key: CommandKey,
        digest: &str,
        command: Command,
        lifetime: Duration,
        patience: Duration,
    ) -> Result<Done, CommandFailure> {
        let durable = Durable { asked_as: key.clone(), digest: digest.into() };
        self.ask(command, key, lifetime, Some(durable), patience).await
    }

    /// What became, or becomes, of a durable command that was asked as `key` before; nothing where nobody asked.
    pub(super) async fn recall(
        &self,
        key: &CommandKey,
        digest: &str,
        lifetime: Duration,
        patience: Duration,
    ) -> Option<Result<Done, CommandFailure>> {
        let Some(place) = self.enter() else { return Some(Err(self.refusal())) };
        let (reply, done) = oneshot::channel();
        let durable = Durable { asked_as: key.clone(), digest: digest.into() };
        self.wish(HandleRequest::Recall(Recall { durable, deadline: Instant::now() + lifetime, reply, place }));
        match timeout(patience, done).await {
            Ok(Ok(outcome)) => Some(outcome),
            // Where the conversation is gone, whoever asks anew hears of it.
            Ok(Err(_)) => None,
            Err(_) => Some(Err(CommandFailure::OutcomeUnknown { key: key.clone() })),
        }
    }

    /// What a command is in a trace, within whatever its caller does.
    fn span(&self, key: &CommandKey, command: &Command) -> Span {
        tracing::debug_span!(
            "command",
            command = command.name(),
            connection = %self.connection(),
            conversation = %self.id(),
            %key,
            outcome = Empty,
        )
    }

    async fn ask(
        &self,
        command: Command,
        key: CommandKey,
        lifetime: Duration,
        durable: Option<Durable>,
        patience: Duration,
    ) -> Result<Done, CommandFailure> {
        let place = self.enter().ok_or_else(|| self.refusal())?;
        let (reply, done) = oneshot::channel();
        let deadline = Instant::now() + lifetime;
        let span = self.span(&key, &command);
        let claim = durable.is_none().then(Claim::default);
        let perform =
            Perform { command, key: key.clone(), deadline, durable, reply, claim: claim.clone(), span, place };
        self.wish(HandleRequest::Perform(perform));
        match timeout(patience, done).await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(_)) => Err(self.dropped()),
            Err(_) if claim.is_some_and(|claim| claim.take()) => Err(CommandFailure::TimedOut),
            Err(_) => Err(CommandFailure::OutcomeUnknown { key }),
        }
    }

    /// Carries out a command under a new key.
    ///
    /// # Errors
    /// [`CommandFailure`].
    pub async fn perform(&self, command: Command) -> Result<Done, CommandFailure> {
        self.perform_as(CommandKey::from(Uuid::now_v7().to_string()), command, DEFAULT_PATIENCE).await
    }

    /// Publishes text in the open dialog ([CV-F6](crate::rules#cv-f6)).
    ///
    /// # Errors
    /// [`CommandFailure`].
    pub async fn send_text(&self, text: impl Into<String>) -> Result<Done, CommandFailure> {
        self.perform(Command::SendText(SendText { text: text.into(), ..SendText::default() })).await
    }

    /// Publishes text for agents and agent managers only ([CV-F7](crate::rules#cv-f7)).
    ///
    /// # Errors
    /// [`CommandFailure`].
    pub async fn send_private_text(&self, text: impl Into<String>) -> Result<Done, CommandFailure> {
        self.perform(Command::SendText(SendText { text: text.into(), private: true, ..SendText::default() })).await
    }

    /// Publishes structured content in the open dialog ([CV-F8](crate::rules#cv-f8)).
    ///
    /// # Errors
    /// [`CommandFailure`].
    pub async fn send_rich_text(&self, content: Value) -> Result<Done, CommandFailure> {
        self.perform(Command::SendRichText(SendRichText { content, ..SendRichText::default() })).await
    }

    /// Reads the open dialog's history ([CV-F5](crate::rules#cv-f5)); [`Done::messages`] has it.
    ///
    /// # Errors
    /// [`CommandFailure`].
    pub async fn query_messages(&self, range: MessageRange) -> Result<Done, CommandFailure> {
        self.perform(Command::QueryMessages { dialog: None, range }).await
    }

    /// Takes part in the open dialog ([CV-F3](crate::rules#cv-f3)).
    ///
    /// # Errors
    /// [`CommandFailure`].
    pub async fn join(&self, role: ParticipantRole) -> Result<Done, CommandFailure> {
        self.perform(Command::Join { role, dialog: None }).await
    }

    /// Takes part no more.
    ///
    /// # Errors
    /// [`CommandFailure`].
    pub async fn leave(&self) -> Result<Done, CommandFailure> {
        self.perform(Command::Leave { dialog: None }).await
    }

    /// Moves the conversation to an agent, a skill or both ([CV-F14](crate::rules#cv-f14)).
    ///
    /// # Errors
    /// [`CommandFailure`].
    pub async fn transfer(&self, agent: Option<AgentId>, skill: Option<SkillId>) -> Result<Done, CommandFailure> {
        self.perform(Command::Transfer { agent, skill }).await
    }

    /// Ends the conversation and lets the survey begin where the account has one.
    ///
    /// # Errors
    /// [`CommandFailure`].
    pub async fn close(&self) -> Result<Done, CommandFailure> {
        self.perform(Command::Close).await
    }

    /// Ends the conversation with all its dialogs, without a survey.
    ///
    /// # Errors
    /// [`CommandFailure`].
    pub async fn close_at_once(&self) -> Result<Done, CommandFailure> {
        self.perform(Command::CloseAtOnce).await
    }

    /// Ends one dialog.
    ///
    /// # Errors
    /// [`CommandFailure`].
    pub async fn close_dialog(&self, dialog: DialogId) -> Result<Done, CommandFailure> {
        self.perform(Command::CloseDialog { dialog, by: None, cause: None }).await
    }

    /// Tells that messages arrived on the device.
    ///
    /// # Errors
    /// [`CommandFailure`].
    pub async fn accept(&self, sequences: Vec<u64>) -> Result<Done, CommandFailure> {
        self.receipt(DeliveryStatus::Accept, sequences).await
    }

    /// Tells that messages were shown.
    ///
    /// # Errors
    /// [`CommandFailure`].
    pub async fn read(&self, sequences: Vec<u64>) -> Result<Done, CommandFailure> {
        self.receipt(DeliveryStatus::Read, sequences).await
    }

    async fn receipt(&self, status: DeliveryStatus, sequences: Vec<u64>) -> Result<Done, CommandFailure> {
        self.perform(Command::AcceptStatus { dialog: None, status, sequences, metadata: Vec::new() }).await
    }

    /// Tells what this side is doing.
    ///
    /// # Errors
    /// [`CommandFailure`].
    pub async fn set_chat_state(&self, chat_state: ChatState) -> Result<Done, CommandFailure> {
        self.perform(Command::ChatState { dialog: None, chat_state }).await
    }

    /// Sets how soon an answer is wanted ([CV-F13](crate::rules#cv-f13)); `value` counts for [`TtrType::Custom`], in
    /// seconds.
    ///
    /// # Errors
    /// [`CommandFailure`].
    pub async fn set_ttr(&self, ttr_type: TtrType, value: u64) -> Result<Done, CommandFailure> {
        self.perform(Command::SetTtr { ttr_type, value }).await
    }

    /// Sets the deadline of the answer ([CV-F11](crate::rules#cv-f11)).
    ///
    /// # Errors
    /// [`CommandFailure`].
    pub async fn set_manual_ettr(&self, time: Timestamp) -> Result<Done, CommandFailure> {
        self.perform(Command::SetManualEttr { time }).await
    }

    /// Gives the consumer's satisfaction, from 0 to 5 ([CV-F10](crate::rules#cv-f10)).
    ///
    /// # Errors
    /// [`CommandFailure`].
    pub async fn set_csat(&self, rate: u8, resolved: Option<bool>) -> Result<Done, CommandFailure> {
        self.perform(Command::SetCsat { rate, resolved, status: CsatStatus::Filled }).await
    }

    /// Gives the conversation to another identity of its consumer ([CV-F1](crate::rules#cv-f1)).
    ///
    /// # Errors
    /// [`CommandFailure`].
    pub async fn consumer_takeover(&self, new_consumer: UserId) -> Result<Done, CommandFailure> {
        self.perform(Command::ConsumerTakeover { new_consumer }).await
    }

    /// The conversation as text, by which it can be loaded again anywhere ([SR-1](crate::rules#sr-1),
    /// [CN-F13](crate::rules#cn-f13)): its state, the records that wait for a hole before them, and the number of its
    /// last event. Commands that wait are not part of it.
    ///
    /// # Errors
    /// [`CommandFailure::UnknownConversation`] where it left memory meanwhile.
    pub async fn snapshot(&self) -> Result<String, CommandFailure> {
        self.inquire(HandleRequest::Snapshot).await?
    }

    /// Writes an agent's note among the others, which stay as they are ([CV-F9](crate::rules#cv-f9)). [`Done::note`]
    /// tells how much of it was written.
    ///
    /// # Errors
    /// [`CommandFailure`]; its code is `note-full` where no room is left.
    pub async fn set_agent_note(&self, note: SetAgentNote) -> Result<Done, CommandFailure> {
        self.perform(Command::SetAgentNote(note)).await
    }

    /// The newest message of the consumer that was told since the conversation came into memory, if there is one.
    ///
    /// # Errors
    /// [`CommandFailure::UnknownConversation`] where it left memory meanwhile.
    pub async fn latest_consumer_message(&self) -> Result<Option<Arc<Message>>, CommandFailure> {
        self.inquire(HandleRequest::LatestConsumerMessage).await
    }

    /// The commands that wait, in the order in which they are carried out.
    ///
    /// # Errors
    /// [`CommandFailure::UnknownConversation`] where it left memory meanwhile.
    pub async fn waiting_commands(&self) -> Result<Vec<WaitingCommand>, CommandFailure> {
        self.inquire(HandleRequest::ListCommands).await
    }

    /// Cancels the command that waits under `key`. Its caller is told [`CommandFailure::Cancelled`], and nothing is sent.
    ///
    /// # Errors
    /// [`CancelError`]; [`CancelError::InFlight`] where the command was sent, or may have been.
    pub async fn cancel(&self, key: &CommandKey) -> Result<(), CancelError> {
        self.inquire(|reply| HandleRequest::Cancel(key.clone(), reply)).await?
    }

    /// The conversation as it is now: dialogs, participants, times and everything else that the platform told, typed.
    ///
    /// ```no_run
    /// # async fn look(conversation: tertulia_actors::conversation::ConversationHandle)
    /// # -> Result<(), tertulia_actors::conversation::CommandFailure> {
    /// use tertulia_actors::core::ums::DialogType;
    ///
    /// let state = conversation.state().await?;
    /// if let Some(survey) = state.get_dialog(&DialogType::PostSurvey) {
    ///     println!("{}: the survey is {:?}", conversation.id(), survey.state);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`CommandFailure::UnknownConversation`] if the conversation left memory meanwhile.
    pub async fn state(&self) -> Result<Conversation, CommandFailure> {
        self.inquire(HandleRequest::State).await.map(|state| *state)
    }

    /// All members under the class page's names.
    ///
    /// # Errors
    /// [`CommandFailure::UnknownConversation`] where it left memory meanwhile.
    pub async fn members(&self) -> Result<Value, CommandFailure> {
        self.inquire(HandleRequest::Inspect).await
    }
}
