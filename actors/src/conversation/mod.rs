//! A conversation's actor, which applies notifications, commands and missing history to the conversation's model.
//!
//! The actor knows its connection only as a recipient of requests. Commands go out one at a time in the order of their
//! arrival; a send whose response was lost is looked up in the history before it is repeated.

mod actor;
mod claim;
mod command_queue;
mod commands;
mod directory;
mod drill;
mod durable;
mod failure;
mod files;
mod filter;
mod handle;
mod history;
mod keeping;
mod local_end;
mod messages;
mod outbox;
mod outline;
mod poison;
mod remains;
mod snapshot;
mod summary;
#[cfg(test)]
pub(crate) mod test_desk;
mod upstream;
mod waiting;

pub use actor::Conversation;
pub(crate) use claim::Claim;
pub use commands::Done;
pub use directory::Directory;
pub use drill::{Drill, DrillStep};
pub(crate) use durable::Durable;
pub use failure::CommandFailure;
pub use files::Uploaded;
pub use filter::ConversationFilter;
pub use handle::ConversationHandle;
pub(crate) use handle::Door;
pub(crate) use messages::{
    CameBack, CatchUp, ConsumerLost, Errand, Leave, LinkFailed, LinkLost, LinkReady, Perform, Place, Recall,
    RecordsArrived, Rest, SpeakFor, StateArrived, Wish,
};
pub use outline::{Assignee, Assignment, Outline};
pub(crate) use poison::LetterOfCommand;
pub(crate) use remains::Remains;
pub(crate) use snapshot::Snapshot;
pub use summary::ConversationSummary;
pub(crate) use upstream::{ChildNotice, ChildTold, ConversationSettings, HistoryProgress, Upstream};
pub use waiting::{CancelError, WaitingCommand, WaitingState};

pub use crate::connection::{QuarantinedConversation, ReleaseError};
