//! The class page of a conversation, row by row, over real sockets: members, methods and events, each test named after
//! its row.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on has failed")]

#[path = "../webhooks/endpoint.rs"]
mod endpoint;
mod events;
mod members;
mod methods;
mod side;
#[path = "../stage/mod.rs"]
mod stage;
mod step_up;
mod table;
