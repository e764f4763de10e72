//! The class page of a conversation, row by row, over real sockets: members, methods and events, each test named after
//! its row.

mod events;
mod members;
mod methods;
pub(crate) mod side;
mod step_up;
mod table;
