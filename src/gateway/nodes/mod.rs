//! A gateway of several: any node serves any client.
//!
//! A request that concerns a connection goes to the node that runs it, with the same path, headers and body (`forward`).
//! Which requests those are follows from their paths (`class`). A conversation or a ring that is named without its connection is
//! looked for at all nodes (`find`). A request is passed on once (`outgoing`), and has one deadline over all nodes (`deadline`). Nodes
//! speak with each other on a listener of their own
//! (`gateway::door`), where they show the secret that they share, and act for the caller that the first node has admitted
//! (`caller`). A list is put together from the parts of all nodes (`gather`, `merge`).

mod caller;
mod class;
mod commands;
mod deadline;
mod find;
mod forward;
mod forwarded;
mod gather;
mod merge;
mod neighbours;
mod outgoing;
mod places;
mod rows;

pub(super) use caller::{ForCaller, described};
#[cfg(test)]
pub(super) use class::{Class, class};
pub(super) use commands::routes as internal_routes;
pub(super) use deadline::time_left;
pub(super) use find::{answer as answer_find, answer_ring as answer_find_ring};
pub(super) use forward::{forward, misdirected, moving, suspended};
pub(super) use gather::{ask_others, is_for_part};
pub(crate) use neighbours::Neighbours;
pub(super) use outgoing::{pass_on, passed_on};
pub(super) use rows::routes;
