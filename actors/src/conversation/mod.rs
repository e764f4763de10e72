//! A conversation's actor, which applies notifications, commands and missing history to the conversation's model.
//!
//! The actor knows its connection only as a recipient of requests. Commands go out one at a time in the order of their
//! arrival; a send whose response was lost is looked up in the history before it is repeated.

mod actor;
mod cancellation;
mod catch_up;
mod claim;
mod command_queue;
mod commands;
mod directory;
mod done;
mod drill;
mod durable;
mod failure;
mod files;
mod filter;
mod handle;
mod handling;
mod history;
mod keeping;
mod local_end;
mod messages;
mod outbox;
mod outline;
mod pending_command;
mod poison;
mod reply;
mod salvage;
mod snapshot;
mod step;
mod summary;
#[cfg(test)]
pub(crate) mod tests;
mod upstream;
mod waiting;

pub(crate) use actor::Conversation;
pub(crate) use claim::Claim;
pub(crate) use directory::Directory;
pub use done::Done;
pub use drill::Drill;
pub(crate) use durable::Durable;
pub use failure::ConversationError;
pub use filter::ConversationFilter;
pub use handle::ConversationHandle;
pub(crate) use handle::ConversationInbox;
pub(crate) use messages::{
    CameBack, CatchUp, ConsumerLost, FramePermit, HandleRequest, Handled, Leave, LinkFailed, LinkLost, LinkReady,
    Perform, Recall, RecordsArrived, Rest, SpeakFor, StateArrived, ToConversation,
};
pub(crate) use outline::Assignment;
pub use outline::{Assignee, Outline};
pub(crate) use poison::LetterOfCommand;
pub(crate) use reply::Reply;
pub(crate) use salvage::Salvage;
pub(crate) use snapshot::Snapshot;
pub use summary::ConversationSummary;
pub(crate) use upstream::{ChildNotice, ChildReport, ConversationSettings, HistoryProgress, Upstream};
pub use waiting::{WaitingCommand, WaitingState};
