//! One conversation in memory: its actor, or its quarantine.

use std::{fmt, rc::Rc, sync::Arc, time::Instant};

use actix::{Addr, Handler, Message};
use tertulia_core::id::{ConversationId, ExternalConsumerId};

use super::{quarantine::Quarantine, sleep_queue::Activity};
use crate::{
    conversation::{CatchUp, ChildNotice, ChildReport, Conversation, RecordsArrived, SpeakFor, StateArrived, Upstream},
    supervision::{ChildExit, GuardOptions, Parent, start_guarded},
};

/// A conversation in memory.
pub(crate) struct Child<N> {
    pub(super) life: Life,
    activity: Activity,
    /// The consumer for whom a connector speaks in the conversation, if known.
    consumer: Option<ExternalConsumerId>,
    /// The connection's own notes about the conversation.
    pub(crate) notes: N,
}

pub(super) enum Life {
    Running(Addr<Conversation>),
    /// The conversation was given up, and receives nothing until it is released.
    Quarantined(Box<Quarantine>),
}

/// The parent of a conversation's guard. Small, because every conversation has one.
struct ChildParent {
    conversation: ConversationId,
    upstream: Rc<Upstream>,
}

impl Parent for ChildParent {
    fn write_name(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.upstream.origin.connection, self.conversation)
    }

    fn exited(&mut self, exit: ChildExit) {
        let conversation = self.conversation.clone();
        self.upstream.parent.do_send(ChildReport { conversation, notice: ChildNotice::Exited(exit) });
    }
}

impl Life {
    pub(super) fn start(id: ConversationId, conversation: Conversation) -> Self {
        let upstream = Rc::clone(conversation.upstream());
        let policy = Arc::clone(&upstream.policy);
        let parent = ChildParent { conversation: id, upstream };
        Self::Running(start_guarded(GuardOptions::of(parent, policy), |_| conversation))
    }
}

impl<N: Default> Child<N> {
    pub(super) fn start(id: ConversationId, conversation: Conversation, activity: Activity) -> Self {
        Self::with(Life::start(id, conversation), activity)
    }

    pub(super) fn with(life: Life, activity: Activity) -> Self {
        Self { life, activity, consumer: None, notes: N::default() }
    }
}

impl<N> Child<N> {
    /// Passes a state to the conversation; if it is quarantined, drops and counts the state.
    pub(crate) fn pass_state(&mut self, state: StateArrived) {
        match &mut self.life {
            Life::Running(address) => address.do_send(state),
            Life::Quarantined(quarantine) => quarantine.drop_one(),
        }
    }

    /// Passes records to the conversation; if it is quarantined, drops and counts the records.
    pub(crate) fn pass_records(&mut self, records: RecordsArrived) {
        match &mut self.life {
            Life::Running(address) => address.do_send(records),
            Life::Quarantined(quarantine) => quarantine.drop_one(),
        }
    }

    /// Makes the conversation fetch what it missed; it reports when it is done.
    pub(crate) fn catch_up(&self) {
        self.tell(CatchUp);
    }

    /// Sends a message to the conversation, unless it is quarantined.
    pub(crate) fn tell<M>(&self, message: M)
    where
        M: Message + Send + 'static,
        M::Result: Send,
        Conversation: Handler<M>,
    {
        if let Life::Running(address) = &self.life {
            address.do_send(message);
        }
    }

    pub(crate) fn is_quarantined(&self) -> bool {
        matches!(self.life, Life::Quarantined(_))
    }

    /// Returns the consumer for whom a connector speaks in the conversation, if known.
    pub(crate) fn consumer(&self) -> Option<&ExternalConsumerId> {
        self.consumer.as_ref()
    }

    /// Sets the consumer for whom a connector speaks, here and in the conversation.
    pub(crate) fn speak_for(&mut self, consumer: ExternalConsumerId) {
        self.tell(SpeakFor { consumer: consumer.clone() });
        self.note_consumer(Some(consumer));
    }

    /// Sets the consumer for whom a connector speaks, if the conversation already knows.
    pub(crate) fn note_consumer(&mut self, consumer: Option<ExternalConsumerId>) {
        self.consumer = consumer;
    }

    /// When the conversation last received a message that concerns it.
    pub(crate) fn used(&self) -> Instant {
        self.activity.used()
    }

    pub(super) fn activity(&self) -> &Activity {
        &self.activity
    }

    pub(super) fn activity_mut(&mut self) -> &mut Activity {
        &mut self.activity
    }
}
