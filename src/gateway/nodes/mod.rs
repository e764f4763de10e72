//! A gateway of several: any node serves any client.
//!
//! A request that concerns a connection goes to the node that runs it, with the same path, headers and body (`forward`).
//! Which requests those are follows from their paths (`class`). Nodes speak with each other on a listener of their own
//! (`gateway::door`), where they show the secret that they share, and act for the caller that the first node has admitted
//! (`caller`). A list is put together from the parts of all nodes (`gather`, `merge`).

mod caller;
mod class;
mod forward;
mod forwarded;
mod gather;
mod merge;
mod neighbours;
mod rows;

pub(super) use caller::{ForCaller, described};
#[cfg(test)]
pub(super) use class::{Class, class};
pub(super) use forward::forward;
pub(super) use gather::{ask_others, is_for_part};
pub(crate) use neighbours::Neighbours;
pub(super) use rows::routes;
