//! The conversations of one connection, with or without a socket. The roster starts them, passes messages to them,
//! watches and quarantines them, unloads idle ones, restores them from the store, and removes them.
//!
//! The actor that receives the frames owns the [`Roster`] and acts on what the roster returns.

mod child;
mod conversations;
mod due_queue;
mod notices;
mod quarantine;
mod release;
mod replay;
mod restore;
mod sleep;
mod sleep_queue;

pub(crate) use child::Child;
pub(crate) use conversations::{ChildContext, IdTooLong, Roster};
pub(crate) use due_queue::DueQueue;
pub(crate) use notices::{ChildFailed, RosterNews};
pub use quarantine::QuarantinedConversation;
pub(crate) use quarantine::{ListQuarantined, Release};
pub(in crate::connection) use restore::pages;
pub(crate) use restore::remembered;
