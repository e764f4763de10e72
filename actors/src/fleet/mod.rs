//! The fleet: the connections of this process, their placement on arbiters, and the handling of failed connections.

mod actor;
mod registry;

pub(crate) use actor::{ConnectionExited, Drain, Fleet};
pub(crate) use registry::{AddError, Address, Begin, Life, Member, Registry, StartContext};
