//! The stand-in as any client meets it: over real sockets and real HTTP.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on has failed")]

mod client;
mod connector;
mod consumers;
mod control;
mod doors;
mod faults;
mod fleet;
mod messaging_rest;
mod rules;
mod services;
mod signed;
mod slice;
