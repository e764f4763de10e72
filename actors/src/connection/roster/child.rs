//! One conversation that is awake: its actor, or its quarantine.

use std::{fmt, rc::Rc, sync::Arc, time::Instant};

use actix::{Addr, Handler, Message};
use tertulia_core::id::{ConversationId, ExternalConsumerId};

use super::{quarantine::Quarantine, sleep_queue::Activity};
use crate::{
    conversation::{CatchUp, ChildNotice, ChildTold, Conversation, RecordsArrived, SpeakFor, StateArrived, Upstream},
    supervision::{ChildExit, GuardOptions, Parent, start_guarded},
};

/// A conversation that is awake.
pub(crate) struct Child<N> {
    pub(super) life: Life,
    activity: Activity,
    /// For whom a connector speaks in it, where that is known.
    consumer: Option<ExternalConsumerId>,
    /// What its connection notes of it.
    pub(crate) notes: N,
}

pub(super) enum Life {
    Running(Addr<Conversation>),
    /// It was given up, and takes nothing until it is released.
    Quarantined(Box<Quarantine>),
}

/// The guard's end of a child: small, because there is one for each conversation.
struct ChildParent {
    conversation: ConversationId,
    upstream: Rc<Upstream>,
}

impl Parent for ChildParent {
    fn write_name(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.upstream.origin.connection, self.conversation)
    }

    fn told(&mut self, exit: ChildExit) {
        let conversation = self.conversation.clone();
        self.upstream.parent.do_send(ChildTold { conversation, notice: ChildNotice::Exited(exit) });
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
        Self { life: Life::start(id, conversation), activity, consumer: None, notes: N::default() }
    }
}

impl<N> Child<N> {
    /// Hands a state over; a quarantined conversation drops and counts it.
    pub(crate) fn pass_state(&mut self, state: StateArrived) {
        match &mut self.life {
            Life::Running(address) => address.do_send(state),
            Life::Quarantined(quarantine) => quarantine.drop_one(),
        }
    }

    /// Hands records over; a quarantined conversation drops and counts them.
    pub(crate) fn pass_records(&mut self, records: RecordsArrived) {
        match &mut self.life {
            Life::Running(address) => address.do_send(records),
            Life::Quarantined(quarantine) => quarantine.drop_one(),
        }
    }

    /// Has the conversation fetch what it missed; it tells when it has.
    pub(crate) fn catch_up(&self) {
        self.tell(CatchUp);
    }

    /// Tells the conversation, unless it is quarantined.
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

    /// Returns for whom a connector speaks in the conversation, where that is known.
    pub(crate) fn consumer(&self) -> Option<&ExternalConsumerId> {
        self.consumer.as_ref()
    }

    /// Notes for whom a connector speaks, and tells the conversation.
    pub(crate) fn speak_for(&mut self, consumer: ExternalConsumerId) {
        self.tell(SpeakFor { consumer: consumer.clone() });
        self.note_consumer(Some(consumer));
    }

    /// Notes for whom a connector speaks, where the conversation knows already.
    pub(crate) fn note_consumer(&mut self, consumer: Option<ExternalConsumerId>) {
        self.consumer = consumer;
    }

    /// When the conversation was last told anything that it has to do with.
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
