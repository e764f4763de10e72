//! A conversation: its state, and how a notification changes it.
//!
//! [`Conversation`] processes the raw states and records of the platform and returns a [`Reception`] for each: the
//! outcome, the events in the promised order, and the missing history. Nothing here waits, sends or panics.

mod absence;
mod age;
mod arrival;
mod as_sent;
mod back_filled;
mod changes;
mod class_page;
mod contents;
#[expect(clippy::module_inception, reason = "the file holds the type that the module is named after")]
mod conversation;
mod dialog;
mod dialog_table;
mod event;
mod last_message;
mod local_end;
mod lookup;
mod members;
mod message_order;
mod messages;
mod page;
mod page_member;
mod page_text;
mod parked;
mod participant;
mod participants;
mod reception;
mod state_notification;
#[cfg(test)]
mod tests;
mod unread_counts;
mod update;

pub use absence::{Member, UnsetMembers};
pub use arrival::Arrival;
pub use conversation::{Conversation, DialogPlace};
pub use dialog::Dialog;
pub use dialog_table::DialogTable;
pub use event::{AdditionContext, ConversationEvent, Message, MessageDelivery};
pub use last_message::LastMessage;
pub use message_order::{HistoryStart, PARKED_LIMIT};
pub use page_text::PageText;
pub use participant::Participant;
pub use reception::{BackFill, Outcome, Reception, StateError};
