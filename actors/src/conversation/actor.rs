//! The conversation's actor: applies states and records, and numbers the resulting events.

use std::{rc::Rc, sync::Arc};

use actix::{Actor, ActorContext, Context, Handler, Supervised};
use bytes::Bytes;
use tertulia_core::{
    command::Identity,
    conversation::{
        Arrival, Conversation as Model, ConversationEvent, Message, Outcome, Participant, Reception, StateError,
    },
    id::{CommandKey, ConversationId, DialogId, ExternalConsumerId},
    ums::{Frame, Messages, Notification, ParticipantRole},
    webhook::ChatStateWindow,
};

use super::{
    CameBack, ChildNotice, ChildReport, ConversationError, ConversationHandle, FramePermit, HandleRequest, Leave,
    LinkFailed, LinkLost, LinkReady, RecordsArrived, Rest, StateArrived, Upstream,
    command_queue::CommandQueue,
    handling::Handling,
    history::Histories,
    step::{Concluded, Unconcluded},
};
use crate::{
    subscriber::EventData,
    supervision::{Fairness, failure},
};

/// One conversation of one connection.
pub(crate) struct Conversation {
    pub(super) model: Model,
    pub(super) upstream: Rc<Upstream>,
    /// The identity that sends commands, while commands may be sent.
    pub(super) ready: Option<Arc<Identity>>,
    /// How often the link was lost; shows on which link a command was sent.
    pub(super) links_lost: u32,
    pub(super) commands: CommandQueue,
    pub(super) histories: Histories,
    /// The number of events emitted so far.
    pub(super) sequence: u64,
    pub(super) chat_states: ChatStateWindow,
    pub(super) latest_consumer_message: Option<Arc<Message>>,
    /// The entry in the directory, which publishes the outline.
    pub(super) handle: Option<ConversationHandle>,
    /// The consumer for whom a connector speaks in this conversation.
    pub(super) consumer: Option<ExternalConsumerId>,
    pub(super) restarts: u32,
    /// The number of running file transfers.
    pub(super) transfers: u32,
    /// Whether the conversation still belongs to its connection.
    pub(super) held: bool,
    pub(super) fairness: Fairness,
    /// What the present step has produced.
    pub(super) unconcluded: Option<Box<Unconcluded>>,
    pub(super) concluded: Concluded,
    /// What is being handled, for the dead letters.
    pub(super) handling: Handling,
    /// The command on which the conversation panicked, until the conversation continues.
    pub(super) poisoned: Option<CommandKey>,
}

impl Conversation {
    pub(crate) fn new(id: ConversationId, upstream: Rc<Upstream>, ready: Option<Arc<Identity>>) -> Self {
        let unseen = Model::new(id, upstream.settings.dialect, upstream.settings.history);
        Self {
            model: if upstream.settings.is_by_webhook { unseen.by_webhook() } else { unseen },
            upstream,
            ready,
            links_lost: 0,
            commands: CommandQueue::default(),
            histories: Histories::default(),
            sequence: 0,
            chat_states: ChatStateWindow::default(),
            latest_consumer_message: None,
            handle: None,
            consumer: None,
            restarts: 0,
            transfers: 0,
            held: true,
            fairness: Fairness::default(),
            unconcluded: None,
            concluded: Concluded::default(),
            handling: Handling::Nothing,
            poisoned: None,
        }
    }

    /// Sets how the conversation came to its connection. A stored state takes precedence.
    pub(crate) fn arriving(mut self, arrival: Arrival) -> Self {
        self.model.arrives(arrival);
        self
    }

    pub(crate) fn upstream(&self) -> &Rc<Upstream> {
        &self.upstream
    }

    pub(super) fn id(&self) -> &ConversationId {
        self.model.id()
    }

    /// Emits the events of a reception, and fetches the history that it showed to be missing.
    pub(super) fn take_reception(&mut self, reception: Reception, ctx: &mut Context<Self>) {
        let Reception { events, back_fill, is_changed, .. } = reception;
        if is_changed {
            self.touch();
        }
        for event in events {
            self.notice(&event);
            self.emit(EventData::Conversation(event));
        }
        self.fetch(back_fill, ctx);
    }

    /// Counts what was odd about a state that was applied nevertheless.
    fn count_oddities(&self, Reception { dropped, unset, disbelieved, .. }: &Reception) {
        let (metrics, connection, conversation) = (&self.upstream.metrics, &self.upstream.origin.connection, self.id());
        if let Some(dropped) = dropped {
            metrics.state_members_dropped.inc_by(dropped.count);
            let (count, paths) = (dropped.count, &dropped.paths);
            tracing::debug!(%connection, %conversation, count, ?paths, "members of a state cannot be read");
        }
        for member in unset {
            metrics.members_unset_by_absence.get_or_create(&[("member", member.name())]).inc();
        }
        if let Some(update_time) = disbelieved {
            metrics.state_times_disbelieved.inc();
            tracing::warn!(
                %connection, %conversation, %update_time,
                "a state's update time was years ahead; it no longer hides newer states"
            );
        }
    }

    /// The actor's own reaction to an event.
    fn notice(&mut self, event: &ConversationEvent) {
        match event {
            ConversationEvent::Message(message) => {
                if message.role == Some(ParticipantRole::Consumer) {
                    self.latest_consumer_message = Some(Arc::clone(message));
                }
                self.notice_own(message);
            }
            ConversationEvent::Gap { awaited: false, .. } => {
                self.upstream.metrics.message_gaps.inc();
            }
            ConversationEvent::Dialog { dialog_id, .. } => {
                let conversation = self.model.id().clone();
                let notice = ChildNotice::Dialog(dialog_id.clone());
                self.upstream.parent.do_send(ChildReport { conversation, notice });
            }
            _ => {}
        }
    }

    /// Gives a frame back to the connection, which decodes it as a whole.
    fn give_back(&self, frame: Bytes, place: FramePermit) {
        let (conversation, notice) = (self.model.id().clone(), ChildNotice::Misread { frame, place });
        self.upstream.parent.do_send(ChildReport { conversation, notice });
    }

    /// Applies the records of a frame that belong to this conversation, and checks whether they are the awaited replay.
    fn take_records(&mut self, messages: &Messages<'_>, ctx: &mut Context<Self>) {
        let batch_dialog = messages.dialog_id.as_ref();
        let mut highest: Option<(DialogId, u64)> = None;
        let lowest = messages.records.iter().filter_map(|record| record.sequence).min();
        // A consumer's history arrives in the same way as new records.
        let is_fetched = self.histories.await_replay();
        let answered = is_fetched.then(|| self.model.answered_through(&messages.records)).flatten();
        for record in &messages.records {
            let elsewhere = record.conversation_id.as_ref().is_some_and(|id| id.as_str() != self.id().as_str());
            if elsewhere {
                continue;
            }
            let named = batch_dialog.map(|dialog| dialog.as_str());
            if !self.chat_states.is_news(record, named, messages.sent_ts) {
                self.upstream.metrics.chat_states_overtaken.inc();
                continue;
            }
            if let (Some(dialog), Some(sequence)) = (record.dialog_id.as_ref().or(batch_dialog), record.sequence) {
                let above = highest.as_ref().is_none_or(|(_, highest)| sequence > *highest);
                if above {
                    highest = Some((DialogId::from(dialog), sequence));
                }
            }
            let reception = match is_fetched {
                true => self.model.receive_fetched(record, named, answered),
                false => self.model.receive_record(record, named),
            };
            self.notice_contradiction(&reception, record, named);
            self.take_reception(reception, ctx);
        }
        let dialog = highest.as_ref().map(|(dialog, _)| dialog.clone()).or_else(|| batch_dialog.map(DialogId::from));
        // Chat states have no sequence, so a frame with nothing else is not a replay.
        if let Some(dialog) = dialog
            && (lowest.is_some() || messages.records.is_empty())
        {
            self.replayed(&dialog, lowest, highest.map(|(_, sequence)| sequence), ctx);
        }
        self.next_command(ctx);
    }
}

impl Actor for Conversation {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        if self.keeps() {
            self.load(ctx);
        } else {
            self.begin(ctx);
            self.conclude();
        }
    }
}

impl Conversation {
    /// Continues from the known state, after a panic or with commands of a previous run.
    pub(super) fn begin(&mut self, ctx: &mut Context<Self>) {
        self.tell_outline();
        if self.restarts > 0 {
            self.emit(EventData::ConversationRestarted { restarts: self.restarts });
        }
        if let Some(key) = self.poisoned.take() {
            self.fail_unsent(&key, ConversationError::DeadLettered);
        }
        self.accept_again(ctx);
        if self.restarts > 0 || (self.ready.is_some() && self.commands.are_recovered()) {
            self.catch_up(ctx);
        }
        self.next_command(ctx);
    }
}

impl Supervised for Conversation {
    /// The state after a panic is suspect. It is loaded from the store, or only the identity and the confirmed
    /// sequences are kept and the connection requests a fresh state. The input being handled goes to the dead letters.
    /// The queue of commands stays; the command in flight has an unknown outcome.
    fn restarting(&mut self, ctx: &mut Self::Context) {
        let failure = failure();
        self.restarts += 1;
        self.abandon_step();
        if let Some(failure) = &failure {
            self.dead_letter_input(failure);
        }
        self.histories = Histories::default();
        // The transfers ended with the actor's other futures.
        self.transfers = 0;
        self.commands.restart();
        if let Some(failure) = failure.filter(|failure| failure.is_last) {
            self.quarantine(failure, ctx);
        }
    }
}

impl Handler<StateArrived> for Conversation {
    type Result = ();

    fn handle(&mut self, StateArrived { raw, presumed_in, place }: StateArrived, ctx: &mut Self::Context) {
        self.handling(Handling::State(raw.clone()));
        let received = std::str::from_utf8(&raw).map(|text| self.model.receive_state(text));
        let metrics = &self.upstream.metrics;
        match (received, presumed_in) {
            (Ok(Ok(reception)), _) => {
                match reception.outcome {
                    Outcome::Processed => metrics.state_notifications_processed.inc(),
                    Outcome::Ignored | Outcome::Contradicting => metrics.state_notifications_ignored.inc(),
                    Outcome::OutOfOrder => metrics.state_notifications_out_of_order.inc(),
                };
                self.count_oddities(&reception);
                self.take_reception(reception, ctx);
                self.amend_note();
                self.next_command(ctx);
            }
            // The text may be longer or shorter than the state, because the end of the state was only presumed.
            (Ok(Err(StateError::Malformed { .. })), Some(frame)) => {
                self.handled();
                return self.give_back(frame, place);
            }
            (Ok(Err(error)), _) => {
                metrics.state_notifications_malformed.inc();
                tracing::warn!(connection = %self.upstream.origin.connection, %error, "a state cannot be read");
                self.dead_letter_state(error.to_string(), &raw);
            }
            (Err(error), _) => {
                metrics.state_notifications_malformed.inc();
                self.dead_letter_state(error.to_string(), &raw);
            }
        }
        self.handled();
        self.conclude_arrival(place);
        self.fairness.take_turns(ctx);
    }
}

impl Handler<RecordsArrived> for Conversation {
    type Result = ();

    fn handle(&mut self, RecordsArrived { frame, place }: RecordsArrived, ctx: &mut Self::Context) {
        self.handling(Handling::Records(frame.clone()));
        let decoded = std::str::from_utf8(&frame).ok().and_then(|text| Frame::decode(text).ok());
        let Some(Frame::Notification(Notification::Messages(messages))) = decoded else {
            self.handled();
            return self.give_back(frame.clone(), place);
        };
        self.take_records(&messages, ctx);
        self.handled();
        self.conclude_arrival(place);
        self.fairness.take_turns(ctx);
    }
}

impl Handler<CameBack> for Conversation {
    type Result = ();

    fn handle(&mut self, CameBack { to }: CameBack, _: &mut Self::Context) {
        let is_ours = |agent: &Participant| match to.as_deref() {
            Some(Identity::Brand { agent_id, user_id, .. }) => {
                agent.is(agent_id.as_str()) || agent.is(user_id.as_str())
            }
            Some(Identity::Consumer { .. } | Identity::Connector { .. }) | None => false,
        };
        // A snapshot lacked the conversation, but its state shows that it was assigned to this connection all the time.
        if self.model.assigned_agent().is_some_and(is_ours) {
            return;
        }
        self.model.arrives(Arrival::Before);
        self.touch();
        self.conclude();
    }
}

impl Handler<LinkReady> for Conversation {
    type Result = ();

    fn handle(&mut self, LinkReady { identity }: LinkReady, ctx: &mut Self::Context) {
        self.ready = Some(identity);
        self.next_command(ctx);
        self.conclude();
    }
}

impl Handler<LinkLost> for Conversation {
    type Result = ();

    fn handle(&mut self, _: LinkLost, _: &mut Self::Context) {
        self.ready = None;
        self.links_lost = self.links_lost.wrapping_add(1);
        self.histories.link_lost();
        self.commands.looked_up();
    }
}

impl Handler<LinkFailed> for Conversation {
    type Result = ();

    fn handle(&mut self, _: LinkFailed, _: &mut Self::Context) {
        self.ready = None;
        self.fail_commands(&ConversationError::NotConnected);
        self.conclude();
    }
}

impl Handler<Leave> for Conversation {
    type Result = ();

    fn handle(&mut self, leave: Leave, ctx: &mut Self::Context) {
        if leave == Leave::ForGood {
            self.held = false;
            self.touch();
        }
        self.commands.park();
        self.fail_commands(&ConversationError::UnknownConversation);
        self.conclude();
        ctx.stop();
    }
}

impl Handler<HandleRequest> for Conversation {
    type Result = ();

    fn handle(&mut self, request: HandleRequest, ctx: &mut Self::Context) {
        match request {
            HandleRequest::Perform(perform) => self.perform(perform, ctx),
            HandleRequest::Recall(recall) => self.recall(recall, ctx),
            HandleRequest::ListCommands(reply) => drop(reply.send(self.waiting_commands())),
            HandleRequest::Cancel(key, reply) => self.cancel(&key, reply, ctx),
            HandleRequest::Inspect(reply) => drop(reply.send((self.model.members(), self.sequence))),
            HandleRequest::State(reply) => drop(reply.send(Box::new(self.model.clone()))),
            HandleRequest::LatestConsumerMessage(reply) => drop(reply.send(self.latest_consumer_message.clone())),
            HandleRequest::Snapshot(reply) => drop(reply.send(self.snapshot())),
            HandleRequest::Upload(upload) => self.begin_upload(upload, ctx),
            HandleRequest::Download(download) => self.begin_download(download, ctx),
        }
        self.conclude();
    }
}

impl Handler<Rest> for Conversation {
    type Result = ();

    fn handle(&mut self, Rest { is_early, done }: Rest, _: &mut Self::Context) {
        let is_talking = is_early && self.latest_consumer_message.is_some();
        let is_quiet = self.commands.is_idle() && !self.histories.are_wanted() && self.transfers == 0;
        if !self.keeps() || !is_quiet || is_talking {
            let _ = done.send(false);
            return;
        }
        self.touch();
        self.afterwards(Box::new(move || {
            let _ = done.send(true);
        }));
        self.conclude();
    }
}
