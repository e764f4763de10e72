//! The conversations that callers want to open, one at a time.

use std::collections::{HashSet, VecDeque};

use tertulia_core::{id::ConversationId, ums::ConversationRequest};

use crate::request::Reply;

/// The most waiting creations; beyond it a caller is refused.
const WAITING: usize = 64;

/// The requested conversations, in order. Only the first one is being opened.
#[derive(Default)]
pub(super) struct CreationQueue(VecDeque<Creation>);

/// A requested conversation.
struct Creation {
    request: ConversationRequest,
    reply: Reply<ConversationId>,
    state: State,
}

enum State {
    Waiting,
    /// Requested; contains the conversations known at that time.
    Requested(HashSet<ConversationId>),
    /// The response was lost. The new conversation is the one that was not known at the time of the request.
    Unknown(HashSet<ConversationId>),
}

/// What to do for the first creation.
pub(super) enum NextCreation {
    /// Request a conversation.
    Request(ConversationRequest),
    /// A request whose response was lost has opened this conversation.
    Opened(ConversationId),
}

impl CreationQueue {
    pub(super) fn is_full(&self) -> bool {
        self.0.len() >= WAITING
    }

    pub(super) fn push(&mut self, request: ConversationRequest, reply: Reply<ConversationId>) {
        self.0.push_back(Creation { request, reply, state: State::Waiting });
    }

    /// Returns what to do for the first creation; `known` are the conversations that the connection has now. `None` if
    /// nothing waits, or the response to the first request is awaited.
    pub(super) fn next<'a, I>(&mut self, known: impl Fn() -> I) -> Option<NextCreation>
    where
        I: Iterator<Item = &'a ConversationId>,
    {
        let creation = self.0.front_mut()?;
        match &creation.state {
            State::Requested(_) => return None,
            State::Waiting => {}
            State::Unknown(before) => {
                if let Some(id) = known().find(|id| !before.contains(*id)) {
                    return Some(NextCreation::Opened(id.clone()));
                }
            }
        }
        creation.state = State::Requested(known().cloned().collect());
        Some(NextCreation::Request(creation.request.clone()))
    }

    /// The response to the first request was lost.
    pub(super) fn response_lost(&mut self) {
        if let Some(creation) = self.0.front_mut()
            && let State::Requested(known) = &mut creation.state
        {
            creation.state = State::Unknown(std::mem::take(known));
        }
    }

    /// The first request was not sent: it waits again.
    pub(super) fn not_sent(&mut self) {
        if let Some(creation) = self.0.front_mut() {
            creation.state = State::Waiting;
        }
    }

    /// Removes the first creation and returns the channel for its reply.
    pub(super) fn take_first(&mut self) -> Option<Reply<ConversationId>> {
        self.0.pop_front().map(|creation| creation.reply)
    }
}
