//! The handle of a conversation.

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
    Claim, ConversationError, Done, Durable, HandleRequest, Outline, Perform, Recall, Reply, ToConversation,
    WaitingCommand, outline::Assignment,
};
use crate::supervision::{Depth, DepthPermit};

/// How long a command without a deadline of its own may take, including the wait for a reconnect.
const DEFAULT_PATIENCE: Duration = Duration::from_secs(60);
/// How much longer the caller waits than the conversation, so that the conversation's own reply comes first.
pub(super) const MARGIN: Duration = Duration::from_secs(5);

/// The handle of a conversation. Cheap to clone, usable from any thread.
///
/// Commands run one at a time, in the order in which they are submitted. Each returns when the platform has confirmed
/// it, or fails with a typed error; no command runs twice.
#[derive(Clone)]
pub struct ConversationHandle {
    inner: Arc<Inner>,
    caller: Option<Arc<str>>,
}

struct Inner {
    inbox: Arc<ConversationInbox>,
    id: ConversationId,
    queue: Depth,
    outline: Mutex<Outline>,
}

/// The path to a connection's conversations, shared by all their handles.
pub(crate) struct ConversationInbox {
    pub(crate) connection: ConnectionId,
    pub(crate) to_conversations: Recipient<ToConversation>,
}

impl ConversationHandle {
    pub(crate) fn new(inbox: Arc<ConversationInbox>, id: ConversationId, queue: Depth) -> Self {
        Self { inner: Arc::new(Inner { inbox, id, queue, outline: Mutex::default() }), caller: None }
    }

    /// Returns a handle whose commands name `caller` in the event about their outcome, also after a restart of the
    /// process.
    #[must_use]
    pub fn called_by(self, caller: Option<Arc<str>>) -> Self {
        Self { caller, ..self }
    }

    /// The conversation's id.
    #[must_use]
    pub fn id(&self) -> &ConversationId {
        &self.inner.id
    }

    /// The connection on which this handle sees the conversation.
    #[must_use]
    pub fn connection(&self) -> &ConnectionId {
        &self.inner.inbox.connection
    }

    /// Returns a summary without calling the conversation's actor. A conversation that is not in memory is not loaded.
    #[must_use]
    pub fn outline(&self) -> Outline {
        self.inner.outline.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The assignment in the outline.
    pub(super) fn assignment(&self) -> Option<Arc<Assignment>> {
        self.inner.outline.lock().unwrap_or_else(PoisonError::into_inner).assignment.clone()
    }

    pub(super) fn set_outline(&self, outline: Outline) {
        *self.inner.outline.lock().unwrap_or_else(PoisonError::into_inner) = outline;
    }

    /// Sends a request to the conversation. If the conversation is gone, the request is dropped together with its reply
    /// channel.
    pub(super) fn request(&self, request: HandleRequest) {
        self.inner.inbox.to_conversations.do_send(ToConversation { conversation: self.inner.id.clone(), request });
    }

    async fn inquire<T>(&self, ask: impl FnOnce(oneshot::Sender<T>) -> HandleRequest) -> Result<T, ConversationError> {
        let (reply, answer) = oneshot::channel();
        self.request(ask(reply));
        match timeout(MARGIN, answer).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(_)) => Err(self.dropped()),
            Err(_) => Err(ConversationError::TimedOut),
        }
    }

    /// Reserves a place in the conversation's bounded queue.
    pub(super) fn enter(&self) -> Option<DepthPermit> {
        self.inner.queue.try_enter()
    }

    /// Closes the queue to new commands while the conversation is in quarantine.
    pub(crate) fn shut(&self) {
        self.inner.queue.close();
    }

    /// Opens the queue again.
    pub(crate) fn reopen(&self) {
        self.inner.queue.open();
    }

    /// Why the queue has no place.
    fn refusal(&self) -> ConversationError {
        if self.inner.queue.is_closed() { ConversationError::Quarantined } else { ConversationError::Overloaded }
    }

    /// Why a request was dropped unprocessed.
    fn dropped(&self) -> ConversationError {
        if self.inner.queue.is_closed() {
            ConversationError::Quarantined
        } else {
            ConversationError::UnknownConversation
        }
    }

    /// Submits a command for whose outcome nobody waits.
    pub(crate) fn hand_over(&self, key: CommandKey, command: Command) -> Result<(), ConversationError> {
        let (reply, _) = oneshot::channel();
        self.submit(command, key, DEFAULT_PATIENCE, None, None, reply.into())
    }

    /// Runs a command under the caller's own key, within `patience`.
    ///
    /// # Errors
    /// [`ConversationError`].
    pub async fn perform_as(
        &self,
        key: CommandKey,
        command: Command,
        patience: Duration,
    ) -> Result<Done, ConversationError> {
        self.ask(command, key, patience, None, patience + MARGIN).await
    }

    /// Runs a command that, with a journal, survives the process: it is stored before it is sent, and sent within
    /// `lifetime` or never. A second call with the same key and `digest`, even after a restart, waits for the same
    /// command and returns the same outcome; with another `digest` it is refused. Waits at most `patience`.
    ///
    /// # Errors
    /// [`ConversationError`]; [`ConversationError::OutcomeUnknown`] if the command is still running after `patience`.
    pub async fn perform_durably(
        &self,
        key: CommandKey,
        digest: &str,
        command: Command,
        lifetime: Duration,
        patience: Duration,
    ) -> Result<Done, ConversationError> {
        let durable = Durable::new(self.id(), &key, digest)?;
        self.ask(command, key, lifetime, Some(durable), patience).await
    }

    /// Submits a command as [`Self::perform_durably`] does, and returns when the command is accepted. With a journal,
    /// an accepted command is stored and runs even if the process ends. The returned future waits for the outcome.
    /// Commands that are submitted one after the other run in this order, also after a restart of the process.
    ///
    /// # Errors
    /// [`ConversationError`]: the command was not accepted, or it has already failed;
    /// [`ConversationError::OutcomeUnknown`] if it is not known after `patience` whether the command is accepted.
    pub async fn submit_durably(
        &self,
        key: CommandKey,
        digest: &str,
        command: Command,
        lifetime: Duration,
        patience: Duration,
    ) -> Result<impl Future<Output = Result<Done, ConversationError>> + Send + use<>, ConversationError> {
        let durable = Durable::new(self.id(), &key, digest)?;
        let ((reply, mut done), (report, accepted)) = (oneshot::channel(), oneshot::channel());
        self.submit(command, key.clone(), lifetime, Some(durable), None, Reply::from(reply).reporting(report))?;
        let known = match timeout(patience, accepted).await {
            Ok(Ok(())) => None,
            // The command did not reach the outbox: it already has an outcome, or it was dropped.
            Ok(Err(_)) => Some((&mut done).await.unwrap_or_else(|_| Err(self.dropped()))?),
            Err(_) => return Err(ConversationError::OutcomeUnknown { key }),
        };
        Ok(async move {
            match known {
                Some(done) => Ok(done),
                None => match timeout(lifetime + MARGIN, done).await {
                    Ok(Ok(outcome)) => outcome,
                    Ok(Err(_)) | Err(_) => Err(ConversationError::OutcomeUnknown { key }),
                },
            }
        })
    }

    /// Returns the outcome of an earlier durable command with the key `key`, waiting for it if necessary; `None` if
    /// there is no such command.
    pub(super) async fn recall(
        &self,
        key: &CommandKey,
        digest: &str,
        lifetime: Duration,
        patience: Duration,
    ) -> Option<Result<Done, ConversationError>> {
        let durable = match Durable::new(self.id(), key, digest) {
            Ok(durable) => durable,
            Err(error) => return Some(Err(error)),
        };
        let Some(place) = self.enter() else { return Some(Err(self.refusal())) };
        let (reply, done) = oneshot::channel();
        self.request(HandleRequest::Recall(Recall { durable, deadline: Instant::now() + lifetime, reply, place }));
        match timeout(patience, done).await {
            Ok(Ok(outcome)) => Some(outcome),
            // If the conversation is gone, the caller's own command will fail and report that.
            Ok(Err(_)) => None,
            Err(_) => Some(Err(ConversationError::OutcomeUnknown { key: key.clone() })),
        }
    }

    /// The tracing span of a command, a child of the caller's current span.
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
    ) -> Result<Done, ConversationError> {
        let (reply, done) = oneshot::channel();
        let claim = durable.is_none().then(Claim::default);
        self.submit(command, key.clone(), lifetime, durable, claim.clone(), reply.into())?;
        match timeout(patience, done).await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(_)) => Err(self.dropped()),
            Err(_) if claim.is_some_and(|claim| claim.take()) => Err(ConversationError::TimedOut),
            Err(_) => Err(ConversationError::OutcomeUnknown { key }),
        }
    }

    /// Puts a command into the queue, to be sent within `lifetime`.
    fn submit(
        &self,
        command: Command,
        key: CommandKey,
        lifetime: Duration,
        durable: Option<Durable>,
        claim: Option<Claim>,
        reply: Reply,
    ) -> Result<(), ConversationError> {
        let place = self.enter().ok_or_else(|| self.refusal())?;
        let (deadline, span) = (Instant::now() + lifetime, self.span(&key, &command));
        let caller = self.caller.clone();
        let perform = Perform { command, key, caller, deadline, durable, reply, claim, span, place };
        self.request(HandleRequest::Perform(perform));
        Ok(())
    }

    /// Runs a command under a new key.
    ///
    /// # Errors
    /// [`ConversationError`].
    pub async fn perform(&self, command: Command) -> Result<Done, ConversationError> {
        self.perform_as(CommandKey::from(Uuid::now_v7().to_string()), command, DEFAULT_PATIENCE).await
    }

    /// Publishes text in the open dialog ([CV-F6](crate::rules#cv-f6)).
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/doctests/stage.rs"));
    /// # fn main() { stage::run(async |tertulia, emulator| {
    /// # let bot = stage::bot(tertulia).await;
    /// # let conversation = stage::conversation(&bot, emulator).await;
    /// let done = conversation.send_text("How can I help?").await?;
    /// println!("message {:?} of its dialog", done.sequence);
    /// # assert_eq!(done.sequence, Some(1));
    /// # Ok(())
    /// # }) }
    /// ```
    ///
    /// # Errors
    /// [`ConversationError`].
    pub async fn send_text(&self, text: impl Into<String>) -> Result<Done, ConversationError> {
        self.perform(Command::SendText(SendText { text: text.into(), ..SendText::default() })).await
    }

    /// Publishes text for agents and agent managers only ([CV-F7](crate::rules#cv-f7)).
    ///
    /// # Errors
    /// [`ConversationError`].
    pub async fn send_private_text(&self, text: impl Into<String>) -> Result<Done, ConversationError> {
        self.perform(Command::SendText(SendText { text: text.into(), private: true, ..SendText::default() })).await
    }

    /// Publishes structured content in the open dialog ([CV-F8](crate::rules#cv-f8)).
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/doctests/stage.rs"));
    /// # fn main() { stage::run(async |tertulia, emulator| {
    /// # let bot = stage::bot(tertulia).await;
    /// # let conversation = stage::conversation(&bot, emulator).await;
    /// use serde_json::json;
    ///
    /// let button = json!({
    ///     "type": "button",
    ///     "title": "Track my order",
    ///     "click": { "actions": [{ "type": "publishText", "text": "track my order" }] },
    /// });
    /// conversation.send_rich_text(json!({ "type": "vertical", "elements": [button] })).await?;
    /// # Ok(())
    /// # }) }
    /// ```
    ///
    /// # Errors
    /// [`ConversationError`].
    pub async fn send_rich_text(&self, content: Value) -> Result<Done, ConversationError> {
        self.perform(Command::SendRichText(SendRichText { content, ..SendRichText::default() })).await
    }

    /// Reads the open dialog's history ([CV-F5](crate::rules#cv-f5)), returned in [`Done::messages`].
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/doctests/stage.rs"));
    /// # fn main() { stage::run(async |tertulia, emulator| {
    /// # let bot = stage::bot(tertulia).await;
    /// # let conversation = stage::conversation(&bot, emulator).await;
    /// use tertulia_actors::core::command::MessageRange;
    ///
    /// let last_ten = MessageRange { max: Some(10), ..MessageRange::default() };
    /// for message in conversation.query_messages(last_ten).await?.messages {
    ///     println!("{}: {}", message.sequence, message.text().unwrap_or_default());
    /// #   assert_eq!(message.text().as_deref(), Some("hello"));
    /// }
    /// # Ok(())
    /// # }) }
    /// ```
    ///
    /// # Errors
    /// [`ConversationError`].
    pub async fn query_messages(&self, range: MessageRange) -> Result<Done, ConversationError> {
        self.perform(Command::QueryMessages { dialog: None, range }).await
    }

    /// Joins the open dialog in this role ([CV-F3](crate::rules#cv-f3)).
    ///
    /// # Errors
    /// [`ConversationError`].
    pub async fn join(&self, role: ParticipantRole) -> Result<Done, ConversationError> {
        self.perform(Command::Join { role, dialog: None }).await
    }

    /// Leaves the open dialog.
    ///
    /// # Errors
    /// [`ConversationError`].
    pub async fn leave(&self) -> Result<Done, ConversationError> {
        self.perform(Command::Leave { dialog: None }).await
    }

    /// Moves the conversation to an agent, a skill or both ([CV-F14](crate::rules#cv-f14)).
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/doctests/stage.rs"));
    /// # fn main() { stage::run(async |tertulia, emulator| {
    /// # let bot = stage::bot(tertulia).await;
    /// # let conversation = stage::conversation(&bot, emulator).await;
    /// conversation.transfer(None, Some("501".into())).await?;
    /// # Ok(())
    /// # }) }
    /// ```
    ///
    /// # Errors
    /// [`ConversationError`].
    pub async fn transfer(&self, agent: Option<AgentId>, skill: Option<SkillId>) -> Result<Done, ConversationError> {
        self.perform(Command::Transfer { agent, skill }).await
    }

    /// Ends the conversation; the survey begins if the account has one.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/doctests/stage.rs"));
    /// # fn main() { stage::run(async |tertulia, emulator| {
    /// # let bot = stage::bot(tertulia).await;
    /// # let conversation = stage::conversation(&bot, emulator).await;
    /// conversation.send_text("Goodbye!").await?;
    /// conversation.close().await?;
    /// # Ok(())
    /// # }) }
    /// ```
    ///
    /// # Errors
    /// [`ConversationError`].
    pub async fn close(&self) -> Result<Done, ConversationError> {
        self.perform(Command::Close).await
    }

    /// Ends the conversation with all its dialogs, without a survey.
    ///
    /// # Errors
    /// [`ConversationError`].
    pub async fn close_at_once(&self) -> Result<Done, ConversationError> {
        self.perform(Command::CloseAtOnce).await
    }

    /// Ends one dialog.
    ///
    /// # Errors
    /// [`ConversationError`].
    pub async fn close_dialog(&self, dialog: DialogId) -> Result<Done, ConversationError> {
        self.perform(Command::CloseDialog { dialog, by: None, cause: None }).await
    }

    /// Reports that messages arrived on the device.
    ///
    /// # Errors
    /// [`ConversationError`].
    pub async fn accept(&self, sequences: Vec<u64>) -> Result<Done, ConversationError> {
        self.receipt(DeliveryStatus::Accept, sequences).await
    }

    /// Reports that messages were shown.
    ///
    /// # Errors
    /// [`ConversationError`].
    pub async fn read(&self, sequences: Vec<u64>) -> Result<Done, ConversationError> {
        self.receipt(DeliveryStatus::Read, sequences).await
    }

    async fn receipt(&self, status: DeliveryStatus, sequences: Vec<u64>) -> Result<Done, ConversationError> {
        self.perform(Command::AcceptStatus { dialog: None, status, sequences, metadata: Vec::new() }).await
    }

    /// Sets this side's chat state, such as typing.
    ///
    /// # Errors
    /// [`ConversationError`].
    pub async fn set_chat_state(&self, chat_state: ChatState) -> Result<Done, ConversationError> {
        self.perform(Command::ChatState { dialog: None, chat_state }).await
    }

    /// Sets how soon a response is wanted ([CV-F13](crate::rules#cv-f13)). `value` is in seconds and used only for
    /// [`TtrType::Custom`].
    ///
    /// # Errors
    /// [`ConversationError`].
    pub async fn set_ttr(&self, ttr_type: TtrType, value: u64) -> Result<Done, ConversationError> {
        self.perform(Command::SetTtr { ttr_type, value }).await
    }

    /// Sets the time until which a response is due ([CV-F11](crate::rules#cv-f11)).
    ///
    /// # Errors
    /// [`ConversationError`].
    pub async fn set_manual_ettr(&self, time: Timestamp) -> Result<Done, ConversationError> {
        self.perform(Command::SetManualEttr { time }).await
    }

    /// Sets the consumer's satisfaction, from 0 to 5 ([CV-F10](crate::rules#cv-f10)).
    ///
    /// # Errors
    /// [`ConversationError`].
    pub async fn set_csat(&self, rate: u8, resolved: Option<bool>) -> Result<Done, ConversationError> {
        self.perform(Command::SetCsat { rate, resolved, status: CsatStatus::Filled }).await
    }

    /// Transfers the conversation to another identity of its consumer ([CV-F1](crate::rules#cv-f1)).
    ///
    /// # Errors
    /// [`ConversationError`].
    pub async fn consumer_takeover(&self, new_consumer: UserId) -> Result<Done, ConversationError> {
        self.perform(Command::ConsumerTakeover { new_consumer }).await
    }

    /// Returns the conversation as text that can be loaded elsewhere ([SR-1](crate::rules#sr-1),
    /// [CN-F13](crate::rules#cn-f13)). The text has the state, the records that wait for a hole before them to be
    /// filled, and the number of the last event. It does not have waiting commands.
    ///
    /// # Errors
    /// [`ConversationError::UnknownConversation`] if the connection no longer has the conversation.
    pub async fn snapshot(&self) -> Result<String, ConversationError> {
        self.inquire(HandleRequest::Snapshot).await?
    }

    /// Writes an agent's note and leaves the other notes unchanged ([CV-F9](crate::rules#cv-f9)). [`Done::note`] says
    /// how much of the text was written.
    ///
    /// # Errors
    /// [`ConversationError`]; its code is `note-full` if no room is left.
    pub async fn set_agent_note(&self, note: SetAgentNote) -> Result<Done, ConversationError> {
        self.perform(Command::SetAgentNote(note)).await
    }

    /// Returns the newest message of the consumer since the conversation was loaded into memory, if there is one.
    ///
    /// # Errors
    /// [`ConversationError::UnknownConversation`] if the connection no longer has the conversation.
    pub async fn latest_consumer_message(&self) -> Result<Option<Arc<Message>>, ConversationError> {
        self.inquire(HandleRequest::LatestConsumerMessage).await
    }

    /// Returns the waiting commands, in the order in which they will run.
    ///
    /// # Errors
    /// [`ConversationError::UnknownConversation`] if the connection no longer has the conversation.
    pub async fn waiting_commands(&self) -> Result<Vec<WaitingCommand>, ConversationError> {
        self.inquire(HandleRequest::ListCommands).await
    }

    /// Cancels the waiting command with this key. Nothing is sent, and its caller gets
    /// [`ConversationError::Cancelled`].
    ///
    /// # Errors
    /// [`ConversationError::UnknownCommand`]; [`ConversationError::InFlight`] if the command was or may have been sent.
    pub async fn cancel(&self, key: &CommandKey) -> Result<(), ConversationError> {
        self.inquire(|reply| HandleRequest::Cancel(key.clone(), reply)).await?
    }

    /// Returns a typed copy of the conversation's present state: dialogs, participants, times and everything else that
    /// the platform reported.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/doctests/stage.rs"));
    /// # fn main() { stage::run(async |tertulia, emulator| {
    /// # let bot = stage::bot(tertulia).await;
    /// # let conversation = stage::conversation(&bot, emulator).await;
    /// use tertulia_actors::core::ums::DialogType;
    ///
    /// let state = conversation.state().await?;
    /// println!("{:?}", state.stage());
    /// if let Some(survey) = state.get_dialog(&DialogType::PostSurvey) {
    ///     println!("the survey is {:?}", survey.state);
    /// }
    /// # assert!(state.is_open());
    /// # Ok(())
    /// # }) }
    /// ```
    ///
    /// # Errors
    /// [`ConversationError::UnknownConversation`] if the connection no longer has the conversation.
    pub async fn state(&self) -> Result<Conversation, ConversationError> {
        self.inquire(HandleRequest::State).await.map(|state| *state)
    }

    /// Returns all members under the names of the class page.
    ///
    /// # Errors
    /// [`ConversationError::UnknownConversation`] if the connection no longer has the conversation.
    pub async fn members(&self) -> Result<Value, ConversationError> {
        self.members_at().await.map(|(members, _)| members)
    }

    /// Returns all members under the names of the class page, and the sequence of the conversation's last event: the
    /// members contain what that event and all before it report, and nothing of later ones.
    ///
    /// # Errors
    /// [`ConversationError::UnknownConversation`] if the connection no longer has the conversation.
    pub async fn members_at(&self) -> Result<(Value, u64), ConversationError> {
        self.inquire(HandleRequest::Inspect).await
    }
}
