//! One websocket of the shell: the upgrade, the reading task, and the body that writes.

mod body;
mod lanes;
mod serve;
mod upgrade;

pub(crate) use body::Outgoing;
pub(crate) use upgrade::{brand, consumer, consumer_of};
