//! The fleet: which connections run in this process, where each was placed, and what becomes of one that fails.

mod actor;
mod registry;

pub(crate) use actor::{ConnectionExited, Drain, Fleet};
pub(crate) use registry::{AddError, Address, Begin, Life, Member, Registry, StartContext};
